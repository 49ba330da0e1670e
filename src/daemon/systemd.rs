//! What systemd is told.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Loading engines may take longer than `TimeoutStartSec`, above all where TensorRT builds them; so that is put off by this
/// much, again and again.
const PUT_OFF: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(15);
/// But not for ever: by then something hangs.
const AT_MOST: Duration = Duration::from_secs(45 * 60);

/// Tells systemd, where it listens.
pub(super) fn notify(state: &[NotifyState<'_>]) {
    if std::env::var_os("NOTIFY_SOCKET").is_some()
        && let Err(error) = sd_notify::notify(state)
    {
        tracing::debug!("sd_notify: {error}");
    }
}

/// A reload begins.
pub(super) fn reloading() {
    // One message: systemd wants to know when it was sent.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("sd_notify: {error}"),
    }
}

/// The watchdog is fed: all goes on for `limit`. A reload that began at `reload` may take as long as a start, for it loads
/// engines, too; but what puts its end off puts the watchdog off as well (`service_extend_timeout` in systemd), so that is
/// asked for here, and for no longer than the watchdog waits anyway.
pub(super) fn feed(limit: Duration, reload: Option<Instant>) {
    match u32::try_from(limit.as_micros()) {
        Ok(limit) if reload.is_some_and(|began| began.elapsed() < AT_MOST) => {
            notify(&[NotifyState::Watchdog, NotifyState::ExtendTimeoutUsec(limit)]);
        }
        _ => notify(&[NotifyState::Watchdog]),
    }
}

/// Asks systemd for more time to start, until it drops.
pub(super) struct Starting {
    _ended: Option<Sender<()>>,
}

impl Starting {
    pub(super) fn begin() -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self { _ended: None };
        }
        let (ended, end) = channel::<()>();
        let put_off = u32::try_from(PUT_OFF.as_micros()).unwrap_or(u32::MAX);
        let began = Instant::now();
        let asking = std::thread::Builder::new().name("starting".to_owned()).spawn(move || {
            while began.elapsed() < AT_MOST {
                notify(&[NotifyState::ExtendTimeoutUsec(put_off)]);
                if end.recv_timeout(AGAIN) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        if let Err(error) = asking {
            tracing::warn!("systemd is not asked for more time to start: {error}");
        }
        Self { _ended: Some(ended) }
    }
}
