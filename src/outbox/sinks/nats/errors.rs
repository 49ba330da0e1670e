//! What the errors of a NATS server mean, and what to do about them.

use std::error::Error as StdError;
use std::io;

use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, PublishError, PublishErrorKind,
    RequestError, RequestErrorKind,
};
use async_nats::jetstream::{Error as StreamError, ErrorCode};
use async_nats::{ConnectError, ConnectErrorKind};

use super::super::{Failure, FailureKind, tls};
use crate::config::Nats;

/// A failure, and what must be made anew before the next attempt.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) failure: Failure,
    pub(super) then: Then,
}

/// What must be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: it was the stream that did not take the event.
    Stay,
    /// The connection, and with it the look at the stream.
    Reconnect,
}

/// Who is spoken of in sentences.
pub(super) struct Place<'a> {
    /// `host:port`.
    pub(super) server: &'a str,
    pub(super) config: &'a Nats,
}

impl Place<'_> {
    pub(super) fn reconnect(&self, reason: impl std::fmt::Display) -> Trouble {
        let failure = Failure::retry(format!("NATS server {}: {reason}", self.server));
        Trouble { failure, then: Then::Reconnect }
    }

    fn stay(&self, reason: impl std::fmt::Display) -> Trouble {
        let failure = Failure::retry(format!("NATS server {}: {reason}", self.server));
        Trouble { failure, then: Then::Stay }
    }

    fn refused(&self, reason: impl std::fmt::Display) -> Trouble {
        let failure = Failure::refused(format!("NATS server {}: {reason}", self.server));
        Trouble { failure, then: Then::Stay }
    }

    pub(super) fn silent(&self) -> Trouble {
        let limit = self.config.server.timeout.as_secs_f32();
        self.reconnect(format_args!(
            "no answer within {limit} s; see whether it is overloaded, or its disk is slow or full"
        ))
    }

    /// What the server said on the connection by itself, such as that a subject is not allowed.
    pub(super) fn said(&self, words: &str) -> Trouble {
        let stream = &self.config.stream;
        if words.to_lowercase().contains("permissions violation") {
            return self.reconnect(format_args!(
                "{words}; let the user publish to \"{}.events.>\", \"$JS.API.STREAM.INFO.{stream}\" and \
                 \"$JS.API.STREAM.CREATE.{stream}\", and subscribe to \"_INBOX.>\"",
                self.config.prefix
            ));
        }
        if words.to_lowercase().contains("authentication") {
            return self.reconnect(format_args!("{words}; {}", self.login()));
        }
        self.reconnect(words)
    }

    pub(super) fn connect(&self, error: &ConnectError) -> Trouble {
        let config = &self.config.server;
        if let Some(error) = rustls_error(error) {
            let tls = config.tls.clone().unwrap_or_default();
            let hint = if config.tls.is_none() { " (it asks for TLS: see tls)" } else { "" };
            return self.reconnect(format_args!("{}{hint}", tls::explain(&config.host, &tls, error)));
        }
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation => self.reconnect(self.login()),
            ConnectErrorKind::Authentication => self.reconnect(
                "the key in credentials_file cannot sign; it must be a .creds file with the user's JWT and NKEY seed",
            ),
            ConnectErrorKind::Dns => {
                self.reconnect(format_args!("the name {:?} cannot be looked up; check host", config.host))
            }
            ConnectErrorKind::TimedOut => self.silent(),
            _ => {
                let cause = StdError::source(error).map_or_else(|| error.to_string(), ToString::to_string);
                self.reconnect(format_args!("cannot be reached: {cause}; is it running, and are host and port right?"))
            }
        }
    }

    fn login(&self) -> String {
        match (&self.config.credentials_file, &self.config.server.login) {
            (Some(path), _) => format!(
                "does not accept the user of credentials_file {}; it may have expired or been revoked: get a new one",
                path.display()
            ),
            (None, Some(login)) => {
                format!("does not accept user {:?} and its password; check username and password_file", login.username)
            }
            (None, None) => {
                "wants a login; set username and password_file, credentials_file, or a client certificate".to_owned()
            }
        }
    }

    pub(super) fn look(&self, error: &GetStreamError) -> Trouble {
        match error.kind() {
            GetStreamErrorKind::JetStream(error) => self.stream(&error),
            GetStreamErrorKind::Request => {
                let cause = StdError::source(error).and_then(|source| source.downcast_ref::<RequestError>());
                match cause.map(RequestError::kind) {
                    Some(RequestErrorKind::NoResponders) => self.no_jetstream(),
                    Some(RequestErrorKind::TimedOut) => self.silent(),
                    _ => self.reconnect(format_args!("stream {:?} cannot be asked for", self.config.stream)),
                }
            }
            kind => self.reconnect(format_args!("stream {:?}: {kind}", self.config.stream)),
        }
    }

    pub(super) fn create(&self, error: &CreateStreamError) -> Trouble {
        match error.kind() {
            CreateStreamErrorKind::JetStream(error) => self.stream(&error),
            CreateStreamErrorKind::JetStreamUnavailable => self.no_jetstream(),
            CreateStreamErrorKind::TimedOut => self.silent(),
            kind => self.reconnect(format_args!("stream {:?} cannot be made: {kind}", self.config.stream)),
        }
    }

    fn no_jetstream(&self) -> Trouble {
        self.reconnect(
            "has no JetStream, or none for this account; start it with \"jetstream {}\" in its configuration",
        )
    }

    pub(super) fn publish(&self, error: &PublishError) -> Trouble {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => self.refused(format_args!(
                "the event is larger than the server takes ({}); raise max_payload there",
                StdError::source(error).map(ToString::to_string).unwrap_or_default()
            )),
            PublishErrorKind::StreamNotFound => self.reconnect(format_args!(
                "stream {:?} is gone, or JetStream is off; it is looked for, and made again where it is not there",
                self.config.stream
            )),
            PublishErrorKind::TimedOut => self.silent(),
            PublishErrorKind::BrokenPipe => self.reconnect("closed the connection"),
            _ => match StdError::source(error).and_then(|source| source.downcast_ref::<StreamError>()) {
                Some(error) => self.stream(error),
                None => {
                    let cause = StdError::source(error).map_or_else(|| error.to_string(), ToString::to_string);
                    self.reconnect(format_args!("an event cannot be published: {cause}"))
                }
            },
        }
    }

    /// An answer of JetStream itself.
    fn stream(&self, error: &StreamError) -> Trouble {
        let (stream, prefix) = (&self.config.stream, &self.config.prefix);
        let words = error.to_string();
        match error.error_code() {
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => self.refused(
                format_args!("the event is larger than stream {stream:?} takes; raise its max_msg_size"),
            ),
            ErrorCode::STREAM_STORE_FAILED if words.contains("exceeded") => self.stay(format_args!(
                "stream {stream:?} is full ({words}); raise its limits, or let the oldest messages go (discard old)"
            )),
            ErrorCode::STREAM_STORE_FAILED => {
                self.stay(format_args!("stream {stream:?} cannot store ({words}); check the disk of the server"))
            }
            ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => self.stay(format_args!(
                "has no room left for stream {stream:?} ({words}); raise max_file_store or the account's limit, or free disk"
            )),
            ErrorCode::STREAM_SUBJECT_OVERLAP => self.reconnect(format_args!(
                "stream {stream:?} is not there, and cannot be made because another one takes \"{prefix}.events.>\" \
                 or a part of it; name that one as stream, or choose another prefix"
            )),
            ErrorCode::STREAM_NOT_MATCH => self.reconnect(format_args!(
                "another stream than {stream:?} takes \"{prefix}.events.>\"; name that one as stream, or choose another prefix"
            )),
            ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => self.no_jetstream(),
            _ => self.reconnect(format_args!("stream {stream:?}: {words}")),
        }
    }
}

impl Trouble {
    /// Will this very event never be taken?
    pub(super) fn is_refusal(&self) -> bool {
        self.failure.kind == FailureKind::Refused
    }
}

/// What TLS said, where it was TLS.
fn rustls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
