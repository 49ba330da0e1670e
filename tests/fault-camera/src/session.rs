//! One connection: its socket, and whether it is still wanted.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How soon a thread that waits notices the end of its session.
const POLL: Duration = Duration::from_millis(50);

/// Shared by the thread that answers requests and the one that sends media. The socket closes with the last owner.
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    socket: TcpStream,
    writing: Mutex<()>,
    ended: AtomicBool,
    frozen: AtomicBool,
    playing: AtomicBool,
    paused: Arc<AtomicBool>,
    target: Mutex<String>,
}

impl Session {
    /// `paused` is the camera's: while it is true the session seems to be cut off.
    pub(crate) fn new(id: u64, socket: TcpStream, paused: Arc<AtomicBool>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(POLL))?;
        socket.set_write_timeout(Some(POLL))?;
        Ok(Self {
            id,
            local: socket.local_addr()?,
            peer: socket.peer_addr()?,
            socket,
            writing: Mutex::new(()),
            ended: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            playing: AtomicBool::new(false),
            paused,
            target: Mutex::default(),
        })
    }

    /// Waits a moment for input; `Ok(0)` means none yet.
    pub(crate) fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let mut bytes = [0; 4096];
        match (&self.socket).read(&mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            Err(error) if is_timeout(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Sends all of it, unless the session ends meanwhile. Senders take turns.
    pub(crate) fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        let _turn = locked(&self.writing);
        while !bytes.is_empty() {
            if self.ended() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            match (&self.socket).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the session with a FIN.
    pub(crate) fn close(&self) {
        self.ended.store(true, SeqCst);
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Ends the session with a RST, which leaves when the last owner lets go of the socket.
    pub(crate) fn reset(&self) {
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        self.ended.store(true, SeqCst);
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended.load(SeqCst)
    }

    /// Neither sends nor answers from now on.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, SeqCst);
    }

    /// True while nothing may leave: the session is frozen or its camera paused.
    pub(crate) fn muted(&self) -> bool {
        self.frozen.load(SeqCst) || self.paused.load(SeqCst)
    }

    pub(crate) fn set_playing(&self, playing: bool) {
        self.playing.store(playing, SeqCst);
    }

    pub(crate) fn playing(&self) -> bool {
        self.playing.load(SeqCst) && !self.ended()
    }

    /// The path and query that the client asked for.
    pub(crate) fn target(&self) -> String {
        locked(&self.target).clone()
    }

    pub(crate) fn set_target(&self, target: &str) {
        target.clone_into(&mut locked(&self.target));
    }

    /// Sleeps, but not past the end of the session.
    pub(crate) fn sleep(&self, duration: Duration) {
        let start = Instant::now();
        while let Some(left) = duration.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            if self.ended() {
                return;
            }
            thread::sleep(left.min(POLL));
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// A lock that outlives a panic of another holder: every value behind one is good at any time.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
