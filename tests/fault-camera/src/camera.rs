//! The camera as its owner sees it.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::auth::PASSWORD;
use crate::clip::Clip;
use crate::connection::Connection;
use crate::faults::{Faults, path_and_query};
use crate::session::{Session, locked};

/// How long [`FaultCamera::restart`] waits for its port.
const PATIENCE: Duration = Duration::from_secs(5);

/// An RTSP server on 127.0.0.1 whose faults are chosen by URL: see [`faults`](crate::faults).
///
/// All methods take `&self`, so that a test can share it between threads. Dropping it stops it.
pub struct FaultCamera {
    shared: Arc<Shared>,
    port: u16,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl FaultCamera {
    /// Starts a camera that serves these clips under their names, on a port that is free.
    ///
    /// # Panics
    /// If no port can be had.
    #[must_use]
    pub fn start(clips: impl IntoIterator<Item = Clip>) -> Self {
        Self::start_on(0, clips).expect("a free port on the loopback interface")
    }

    /// Starts a camera on this port; 0 takes any.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub fn start_on(port: u16, clips: impl IntoIterator<Item = Clip>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        let clips = clips.into_iter().map(|clip| (clip.name.clone(), Arc::new(clip))).collect();
        let shared = Arc::new(Shared::new(clips));
        let camera = Self { shared, port, listener: Mutex::default() };
        camera.listen(listener);
        Ok(camera)
    }

    /// The port it listens on, or listened on while it is stopped.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a clip with its faults: `url("clip?stall=3")`.
    ///
    /// # Panics
    /// If the faults cannot be read: a misspelt fault would test a healthy camera.
    #[must_use]
    pub fn url(&self, clip_and_faults: &str) -> String {
        let url = format!("rtsp://127.0.0.1:{}/{clip_and_faults}", self.port);
        if let Err(mistake) = Faults::parse(path_and_query(&url).1) {
            panic!("{url}: {mistake}");
        }
        url
    }

    /// Closes all connections and the port, and waits until that is done. A stopped camera refuses connections.
    pub fn stop(&self) {
        let mut listener = locked(&self.listener);
        if let Some(thread) = listener.take() {
            self.shared.stopping.store(true, SeqCst);
            let _ = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
            let _ = thread.join();
        }
    }

    /// Starts again on the same port, after [`stop`](Self::stop) or at once, as a camera does that reboots.
    ///
    /// # Panics
    /// If another program has taken the port meanwhile and keeps it for 5 seconds.
    pub fn restart(&self) {
        self.stop();
        let start = Instant::now();
        let listener = loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(listener) => break listener,
                Err(error) if start.elapsed() > PATIENCE => panic!("port {}: {error}", self.port),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        };
        self.shared.stopping.store(false, SeqCst);
        self.listen(listener);
    }

    /// While true, nothing leaves the camera on any connection, as if a cable were pulled: media is lost, requests are
    /// not read and wait for their answers.
    pub fn pause(&self, pause: bool) {
        self.shared.paused.store(pause, SeqCst);
    }

    /// Resets the connection of one session, the oldest that asked for this clip, given with its faults or without.
    /// False if there is none.
    pub fn abort(&self, clip: &str) -> bool {
        let found = self.shared.sessions().into_iter().find(|session| {
            let target = session.target();
            !session.ended() && (target == clip || target.split('?').next() == Some(clip))
        });
        found.inspect(|session| session.reset()).is_some()
    }

    /// Asks for another password from now on. The user stays [`USER`](crate::USER).
    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut locked(&self.shared.password));
    }

    /// How many sessions are playing at this moment.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions().iter().filter(|session| session.playing()).count()
    }

    /// How many connections were accepted since the first start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(SeqCst)
    }

    /// How many requests were received since the first start.
    #[must_use]
    pub fn requests(&self) -> u64 {
        locked(&self.shared.requests).values().sum()
    }

    /// How many requests with this method were received since the first start.
    #[must_use]
    pub fn requests_for(&self, method: &str) -> u64 {
        locked(&self.shared.requests).get(method).copied().unwrap_or(0)
    }

    /// How many pictures were sent since the first start, to all clients together.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.shared.pictures.load(SeqCst)
    }

    /// Every `Authorization` header received since the first start, whether it was asked for or not.
    #[must_use]
    pub fn authorizations(&self) -> Vec<String> {
        locked(&self.shared.authorizations).clone()
    }

    fn listen(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        *locked(&self.listener) = Some(thread::spawn(move || accept(&shared, listener)));
    }
}

impl Drop for FaultCamera {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Accepts clients until the camera is stopped, then waits for the threads that serve them.
fn accept(camera: &Arc<Shared>, listener: TcpListener) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let client = listener.accept();
        if camera.stopping.load(SeqCst) {
            break;
        }
        let Ok((socket, _)) = client else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let id = camera.connections.fetch_add(1, SeqCst) + 1;
        let Ok(session) = Session::new(id, socket, camera.paused.clone()) else { continue };
        let session = Arc::new(session);
        camera.remember(&session);
        threads.retain(|thread| !thread.is_finished());
        let connection = Connection::new(camera.clone(), session);
        threads.push(thread::spawn(|| connection.run()));
    }
    drop(listener);
    for session in camera.sessions() {
        session.close();
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// What the connections of a camera have in common.
pub(crate) struct Shared {
    clips: HashMap<String, Arc<Clip>>,
    password: Mutex<String>,
    stopping: AtomicBool,
    paused: Arc<AtomicBool>,
    sessions: Mutex<Vec<Weak<Session>>>,
    connections: AtomicU64,
    pictures: AtomicU64,
    requests: Mutex<HashMap<String, u64>>,
    authorizations: Mutex<Vec<String>>,
    failures: Mutex<HashMap<String, u32>>,
}

impl Shared {
    fn new(clips: HashMap<String, Arc<Clip>>) -> Self {
        Self {
            clips,
            password: Mutex::new(PASSWORD.to_owned()),
            stopping: AtomicBool::new(false),
            paused: Arc::default(),
            sessions: Mutex::default(),
            connections: AtomicU64::new(0),
            pictures: AtomicU64::new(0),
            requests: Mutex::default(),
            authorizations: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    pub(crate) fn clip(&self, name: &str) -> Option<Arc<Clip>> {
        self.clips.get(name).cloned()
    }

    pub(crate) fn password(&self) -> String {
        locked(&self.password).clone()
    }

    pub(crate) fn count_request(&self, method: &str, authorization: Option<&str>) {
        *locked(&self.requests).entry(method.to_owned()).or_default() += 1;
        locked(&self.authorizations).extend(authorization.map(str::to_owned));
    }

    pub(crate) fn count_picture(&self) {
        self.pictures.fetch_add(1, SeqCst);
    }

    /// How often this target was asked for while it fails, this time included.
    pub(crate) fn count_failure(&self, target: &str) -> u32 {
        let mut failures = locked(&self.failures);
        let count = failures.entry(target.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    fn remember(&self, session: &Arc<Session>) {
        let mut sessions = locked(&self.sessions);
        sessions.retain(|session| session.strong_count() > 0);
        sessions.push(Arc::downgrade(session));
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        locked(&self.sessions).iter().filter_map(Weak::upgrade).collect()
    }
}
