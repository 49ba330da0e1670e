//! An HTTP server that does as it is told: the other end of a webhook.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is done with a request that was read.
#[derive(Clone, Debug)]
pub enum Act {
    /// A status, with further headers.
    Say(u16, Vec<(&'static str, String)>),
    /// 200, and then the connection is closed although that was not said.
    Leave,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer.
    Drop,
    /// 200, and then a body that never ends.
    Flood,
    /// What is no HTTP.
    Babble,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, path, version.
    pub line: String,
    /// By name in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

type Decide = dyn Fn(&Request) -> Option<Act> + Send + Sync;

struct State {
    requests: Mutex<Vec<Request>>,
    /// What comes of the next requests; then what `decide` says; then 200.
    acts: Mutex<VecDeque<Act>>,
    decide: Box<Decide>,
    connections: AtomicU64,
    flooded: AtomicU64,
    stop: AtomicBool,
}

pub struct WebhookServer {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl WebhookServer {
    pub fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::deciding(acts, None, |_| None)
    }

    pub fn deciding(
        acts: impl IntoIterator<Item = Act>,
        tls: Option<Arc<ServerConfig>>,
        decide: impl Fn(&Request) -> Option<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, acts, tls, decide)
    }

    pub fn on(
        listener: TcpListener,
        acts: impl IntoIterator<Item = Act>,
        tls: Option<Arc<ServerConfig>>,
        decide: impl Fn(&Request) -> Option<Act> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(State {
            requests: Mutex::new(Vec::new()),
            acts: Mutex::new(acts.into_iter().collect()),
            decide: Box::new(decide),
            connections: AtomicU64::new(0),
            flooded: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || accept(&listener, &shared, tls.as_ref()));
        Self { address, scheme, state, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Bytes of endless bodies that were taken from us.
    pub fn flooded(&self) -> u64 {
        self.state.flooded.load(Ordering::SeqCst)
    }
}

impl Drop for WebhookServer {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>, tls: Option<&Arc<ServerConfig>>) {
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            if state.stop.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            state.connections.fetch_add(1, Ordering::SeqCst);
            scope.spawn(move || {
                let closer = stream.try_clone().unwrap();
                let _ = match tls {
                    Some(config) => {
                        let session = ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(StreamOwned::new(session, stream), state)
                    }
                    None => serve(stream, state),
                };
                let _ = closer.shutdown(Shutdown::Both);
            });
        }
    });
}

fn serve(mut stream: impl Read + Write, state: &State) -> io::Result<()> {
    loop {
        let request = read_request(&mut stream, state)?;
        let act = state.acts.lock().unwrap().pop_front().or_else(|| (state.decide)(&request));
        state.requests.lock().unwrap().push(request);
        match act.unwrap_or(Act::Say(200, Vec::new())) {
            Act::Say(status, headers) => {
                let mut head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 2\r\n");
                headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
                stream.write_all(format!("{head}\r\nok").as_bytes())?;
                stream.flush()?;
            }
            Act::Leave => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            Act::Hang => {
                while !state.stop.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return Ok(());
            }
            Act::Drop => return Ok(()),
            Act::Babble => return stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"),
            Act::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")?;
                while !state.stop.load(Ordering::SeqCst) {
                    stream.write_all(&[b'x'; 4096])?;
                    state.flooded.fetch_add(4096, Ordering::SeqCst);
                }
                return Ok(());
            }
        }
    }
}

fn read_request(stream: &mut (impl Read + Write), state: &State) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        read_some(stream, &mut bytes, state)?;
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        read_some(stream, &mut body, state)?;
    }
    Ok(Request { line, headers, body })
}

fn read_some(stream: &mut impl Read, into: &mut Vec<u8>, state: &State) -> io::Result<()> {
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                into.extend_from_slice(&chunk[..read]);
                return Ok(());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if state.stop.load(Ordering::SeqCst) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}
