//! A small client of NATS of the tests' own, over plain TCP: what a sink wrote is read by other code than the sink's.

#![allow(dead_code, clippy::unwrap_used, reason = "a test that cannot speak to its server has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

pub struct Client {
    socket: BufReader<TcpStream>,
    next: u64,
}

/// A message, with its headers as they were on the wire.
#[derive(Clone, Debug)]
pub struct Message {
    pub subject: String,
    pub reply: String,
    pub headers: String,
    pub body: String,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn seq(&self) -> u64 {
        self.header("Watchkeeper-Seq").unwrap().parse().unwrap()
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_as(address, "", "")
    }

    pub fn connect_as(address: SocketAddr, user: &str, password: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = Self { socket: BufReader::new(socket), next: 0 };
        assert!(client.line().starts_with("INFO "));
        let options = json!({"verbose": false, "headers": true, "user": user, "pass": password});
        client.send(&format!("CONNECT {options}\r\nSUB inbox.* 1\r\n"));
        client
    }

    fn send(&mut self, text: &str) {
        self.socket.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.socket.read_line(&mut line).unwrap(), 0, "the server closed the connection");
        line.trim_end().to_owned()
    }

    pub fn publish(&mut self, subject: &str, reply: &str, body: &str) {
        self.send(&format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len()));
    }

    /// The next message to any of our inboxes.
    pub fn message(&mut self) -> Message {
        loop {
            let line = self.line();
            let words: Vec<_> = line.split(' ').collect();
            match words[0] {
                "PING" => self.send("PONG\r\n"),
                "MSG" | "HMSG" => {
                    let sizes = if words[0] == "MSG" { 1 } else { 2 };
                    let size = |at: usize| words[words.len() - sizes + at].parse::<usize>().unwrap();
                    let (head, all) = if sizes == 1 { (0, size(0)) } else { (size(0), size(1)) };
                    let mut bytes = vec![0; all + 2];
                    self.socket.read_exact(&mut bytes).unwrap();
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    return Message {
                        subject: words[1].to_owned(),
                        reply: if words.len() == sizes + 4 { words[3].to_owned() } else { String::new() },
                        headers: text(&bytes[..head]),
                        body: text(&bytes[head..all]),
                    };
                }
                "-ERR" => panic!("{line}"),
                _ => {}
            }
        }
    }

    /// Asks JetStream; an error is answered as it is.
    pub fn ask(&mut self, api: &str, body: &Value) -> Value {
        self.next += 1;
        let inbox = format!("inbox.{}", self.next);
        self.publish(&format!("$JS.API.{api}"), &inbox, &body.to_string());
        loop {
            let message = self.message();
            if message.subject == inbox {
                return serde_json::from_str(&message.body).unwrap();
            }
        }
    }

    /// Makes a stream for all devices, with further settings.
    pub fn make_stream(&mut self, name: &str, settings: Value) {
        let mut config = json!({
            "name": name, "subjects": ["wk.events.>"], "retention": "limits", "storage": "file", "num_replicas": 1,
        });
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let answer = self.ask(&format!("STREAM.CREATE.{name}"), &config);
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// The stream's configuration and state.
    pub fn stream(&mut self, name: &str) -> Value {
        self.ask(&format!("STREAM.INFO.{name}"), &json!({}))
    }

    /// All that a durable consumer of this name has not seen yet, each acknowledged.
    pub fn consume(&mut self, stream: &str, durable: &str, filter: &str) -> Vec<Message> {
        self.consume_some(stream, durable, filter, usize::MAX)
    }

    /// The same, `enough` at least or all there is.
    pub fn consume_some(&mut self, stream: &str, durable: &str, filter: &str, enough: usize) -> Vec<Message> {
        let config = json!({
            "stream_name": stream,
            "config": {"durable_name": durable, "ack_policy": "explicit", "deliver_policy": "all", "filter_subject": filter},
        });
        let made = self.ask(&format!("CONSUMER.DURABLE.CREATE.{stream}.{durable}"), &config);
        assert!(made.get("error").is_none(), "{made}");
        let mut all = Vec::new();
        loop {
            self.next += 1;
            let inbox = format!("inbox.{}", self.next);
            let next = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}");
            self.publish(&next, &inbox, r#"{"batch":100,"no_wait":true}"#);
            let before = all.len();
            loop {
                let message = self.message();
                // A status: no more for now.
                if message.headers.starts_with("NATS/1.0 4") {
                    break;
                }
                self.publish(&message.reply.clone(), "", "+ACK");
                all.push(message);
                if all.len() == before + 100 {
                    break;
                }
            }
            if all.len() < before + 100 || all.len() >= enough {
                return all;
            }
        }
    }
}
