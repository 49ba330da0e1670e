//! An HTTP server of a few lines, good and bad, on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a request said.
#[derive(Clone, Debug)]
pub struct Request {
    /// From 0.
    pub number: usize,
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Answers each connection's request with what its closure writes, then closes it.
pub struct Server {
    scheme: &'static str,
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request, &mut Connection) + Send + Sync + 'static) -> Self {
        Self::with("http", |stream| Box::new(stream), answer)
    }

    /// The same over TLS.
    pub fn over_tls(
        identity: Arc<rustls::ServerConfig>,
        answer: impl Fn(&Request, &mut Connection) + Send + Sync + 'static,
    ) -> Self {
        let wrap = move |stream| -> Box<dyn Stream> {
            let connection = rustls::ServerConnection::new(Arc::clone(&identity)).unwrap();
            Box::new(rustls::StreamOwned::new(connection, stream))
        };
        Self::with("https", wrap, answer)
    }

    fn with(
        scheme: &'static str,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
        answer: impl Fn(&Request, &mut Connection) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, ends) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(AtomicBool::new(false)));
        let (seen, over) = (Arc::clone(&requests), Arc::clone(&ends));
        let serve = move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let (stream, wrap, answer, seen, over) = (stream.unwrap(), &wrap, &answer, &seen, &over);
                    scope.spawn(move || {
                        let mut stream = wrap(stream);
                        let Some(request) = read(&mut stream, seen) else { return };
                        answer(&request, &mut Connection { stream, over: Arc::clone(over) });
                    });
                }
            });
        };
        Self { scheme, port, requests, ends, thread: Some(std::thread::spawn(serve)) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Where an answer is written.
pub struct Connection {
    stream: Box<dyn Stream>,
    over: Arc<AtomicBool>,
}

impl Connection {
    /// Writes what the client still takes.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).and_then(|()| self.stream.flush());
    }

    /// A status line with headers, each `Name: value`.
    pub fn head(&mut self, status: &str, headers: &[String]) {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        self.write(format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n"));
    }

    /// The whole of a file.
    pub fn file(&mut self, bytes: &[u8], headers: &[&str]) {
        let mut all = vec![format!("Content-Length: {}", bytes.len())];
        all.extend(headers.iter().map(|header| (*header).to_owned()));
        self.head("200 OK", &all);
        self.write(bytes);
    }

    /// The file from `first` on.
    pub fn rest(&mut self, bytes: &[u8], first: usize, headers: &[&str]) {
        let (length, last) = (bytes.len() - first, bytes.len() - 1);
        let mut all =
            vec![format!("Content-Length: {length}"), format!("Content-Range: bytes {first}-{last}/{}", bytes.len())];
        all.extend(headers.iter().map(|header| (*header).to_owned()));
        self.head("206 Partial Content", &all);
        self.write(&bytes[first..]);
    }

    /// Says nothing until the test is over.
    pub fn hang(&self) {
        while !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn read(stream: &mut dyn Stream, seen: &Mutex<Vec<Request>>) -> Option<Request> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.extend(byte);
    }
    let text = String::from_utf8(text).ok()?;
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let pair =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let headers = lines.filter_map(pair).collect();
    let mut seen = seen.lock().unwrap();
    let request = Request { number: seen.len(), path, headers };
    seen.push(request.clone());
    Some(request)
}
