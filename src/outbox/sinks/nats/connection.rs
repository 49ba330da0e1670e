//! One connection: made anew after every failure, so that nothing of an older attempt is still in a queue.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind, PublishAckFuture};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config as StreamConfig, RetentionPolicy, StorageType};
use async_nats::{ConnectOptions, Event, ServerAddr, ServerError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::tls;
use super::errors::{Place, Trouble};
use super::subject;
use crate::telemetry::redact;
use crate::types::secret::Secret;

/// The stream drops what comes again within this time.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(10);
/// A server that went away silently is found out within three of these.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Connected, and the stream is there.
pub(super) struct Connection {
    context: Context,
    /// What ended the connection, or what the server complained about.
    heard: watch::Receiver<Option<Heard>>,
}

#[derive(Clone)]
enum Heard {
    Gone,
    Said(String),
}

impl Connection {
    /// Connects, and looks at the stream.
    ///
    /// `warned`: of what is not as it should be, but works; each is said once.
    pub(super) async fn open(place: &Place<'_>, device: &str, ours: &str, warned: &mut bool) -> Result<Self, Trouble> {
        let server = &place.config.server;
        let (tell, heard) = watch::channel(None);
        let options = options(place, device)?.event_callback(move |event| {
            // Only the first matters: what follows follows from it.
            let heard = match event {
                Event::Disconnected | Event::Closed => Some(Heard::Gone),
                Event::ServerError(ServerError::Other(words)) => Some(Heard::Said(words)),
                Event::ServerError(error) => Some(Heard::Said(error.to_string())),
                _ => None,
            };
            if let Some(heard) = heard {
                tell.send_if_modified(|before| before.is_none() && before.replace(heard).is_none());
            }
            async {}
        });
        let address =
            address(&server.host, server.port, server.tls.is_some()).map_err(|error| place.reconnect(error))?;
        // Each address of a name has `timeout`; looking the name up has none of its own.
        let client = timeout(server.timeout * 2, options.connect(address))
            .await
            .map_err(|_| place.silent())?
            .map_err(|error| place.connect(&error))?;
        let context = ContextBuilder::new().timeout(server.timeout).build(client);
        let mut connection = Self { context, heard };
        connection.prepare(place, ours, warned).await?;
        Ok(connection)
    }

    /// Ended while nobody was looking, by the server or the network.
    pub(super) fn is_over(&self) -> bool {
        self.heard.borrow().is_some()
    }

    /// The stream is made where it is not there; one that is there stays as it is, but must take our subjects.
    async fn prepare(&mut self, place: &Place<'_>, ours: &str, warned: &mut bool) -> Result<(), Trouble> {
        let name = &place.config.stream;
        let context = self.context.clone();
        let found = self.unless_heard(place, context.get_stream(name)).await?;
        let config = match found {
            Ok(stream) => stream.cached_info().config.clone(),
            Err(error) if is_missing(&error.kind()) => {
                let wanted = StreamConfig {
                    name: name.clone(),
                    subjects: vec![subject::of_all_devices(&place.config.prefix)],
                    retention: RetentionPolicy::Limits,
                    storage: StorageType::File,
                    duplicate_window: DUPLICATE_WINDOW,
                    ..StreamConfig::default()
                };
                let made = self.unless_heard(place, context.create_stream(wanted)).await?;
                let made = made.map_err(|error| place.create(&error))?;
                tracing::info!(server = place.server, stream = %name, "stream made: file storage, no limits");
                made.cached_info().config.clone()
            }
            Err(error) => return Err(place.look(&error)),
        };
        if !config.subjects.iter().any(|filter| subject::covers(filter, ours)) {
            return Err(place.reconnect(format_args!(
                "stream {name:?} takes {}, which leaves out \"{ours}\"; \
                 add \"{}\" to its subjects, or choose another stream or prefix",
                listed(&config.subjects),
                subject::of_all_devices(&place.config.prefix)
            )));
        }
        if config.no_ack {
            return Err(place.reconnect(format_args!(
                "stream {name:?} acknowledges nothing (no_ack), so nobody knows what it has; make it with acknowledgements"
            )));
        }
        let window = config.duplicate_window;
        if window < DUPLICATE_WINDOW && !std::mem::replace(warned, true) {
            tracing::warn!(
                server = place.server,
                stream = %name,
                "the stream drops what comes again within {} s only, so an event whose acknowledgement was lost may be \
                 in it twice; set its duplicate_window to {} s (nats stream edit --dupe-window)",
                window.as_secs_f64(),
                DUPLICATE_WINDOW.as_secs()
            );
        }
        Ok(())
    }

    /// Sends one event; the answer comes later.
    pub(super) async fn send(
        &mut self,
        place: &Place<'_>,
        subject: String,
        message: PublishMessage,
    ) -> Result<PublishAckFuture, Trouble> {
        let context = self.context.clone();
        let sent = self.unless_heard(place, context.send_publish(subject, message)).await?;
        sent.map_err(|error| place.publish(&error))
    }

    /// Waits until the stream has it.
    pub(super) async fn acknowledged(&mut self, place: &Place<'_>, ack: PublishAckFuture) -> Result<(), Trouble> {
        let answer = self.unless_heard(place, ack.into_future()).await?;
        answer.map(drop).map_err(|error| place.publish(&error))
    }

    /// Waits for `work`, but no longer than the connection lasts.
    async fn unless_heard<F: Future>(&mut self, place: &Place<'_>, work: F) -> Result<F::Output, Trouble> {
        let mut heard = self.heard.clone();
        let mut heard = pin!(heard.wait_for(Option::is_some));
        let mut work = pin!(work);
        let ended = poll_fn(|context| {
            // An answer that is here counts, even where the connection is gone by now.
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            heard.as_mut().poll(context).map(|heard| Err(heard.ok().and_then(|heard| heard.clone())))
        });
        ended.await.map_err(|heard| match heard {
            Some(Heard::Said(words)) => place.said(&words),
            Some(Heard::Gone) | None => place.reconnect("closed the connection"),
        })
    }
}

fn options(place: &Place<'_>, device: &str) -> Result<ConnectOptions, Trouble> {
    let server = &place.config.server;
    let mut options = ConnectOptions::new()
        .name(format!("watchkeeper {device}"))
        .connection_timeout(server.timeout)
        .request_timeout(Some(server.timeout))
        .ping_interval(PING_INTERVAL)
        .ignore_discovered_servers()
        .max_reconnects(1);
    if let Some(login) = &server.login {
        options = options.user_and_password(login.username.clone(), login.password.expose().to_owned());
    }
    if let Some(path) = &place.config.credentials_file {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| place.reconnect(format_args!("credentials_file {shown} cannot be read: {error}")))?;
        secrets(&text).for_each(|secret| redact::register("", &Secret::new(secret)));
        options = options.credentials(&text).map_err(|_| {
            place.reconnect(format_args!(
                "credentials_file {shown} is not a .creds file; it must hold a user's JWT and NKEY seed, as nsc writes them"
            ))
        })?;
    }
    let Some(tls) = &server.tls else { return Ok(options) };
    // Checked here for the sake of the sentences; the client reads the files itself.
    tls::client_config(tls).map_err(|reason| place.reconnect(reason))?;
    options = options.require_tls(true);
    if let Some(path) = &tls.ca_file {
        options = options.add_root_certificates(path.clone());
    }
    if let Some(client) = &tls.client {
        options = options.add_client_certificate(client.certificate_file.clone(), client.key_file.clone());
    }
    Ok(options)
}

/// What is between the `BEGIN` and `END` lines of a .creds file: the user's JWT and NKEY seed.
fn secrets(creds: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    creds.lines().map(str::trim).filter(move |line| {
        if line.starts_with("---") {
            inside = line.contains("BEGIN");
            return false;
        }
        inside && !line.is_empty()
    })
}

fn address(host: &str, port: u16, tls: bool) -> Result<ServerAddr, String> {
    let scheme = if tls { "tls" } else { "nats" };
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    format!("{scheme}://{host}:{port}").parse().map_err(|error| format!("host {host:?} is not one: {error}"))
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn listed(subjects: &[String]) -> String {
    if subjects.is_empty() {
        return "no subjects".to_owned();
    }
    subjects.iter().map(|subject| format!("{subject:?}")).collect::<Vec<_>>().join(", ")
}
