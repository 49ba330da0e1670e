//! What the errors of a Redis server mean, and what to do about them.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError};

use super::super::{Failure, tls};
use crate::config::Redis;

/// Who is spoken of in sentences.
pub(super) struct Place<'a> {
    /// `host:port`.
    pub(super) server: &'a str,
    pub(super) config: &'a Redis,
    /// The stream.
    pub(super) key: &'a str,
}

impl Place<'_> {
    pub(super) fn retry(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::retry(format!("Redis server {}: {reason}", self.server))
    }

    /// It answers too slowly.
    pub(super) fn silent(&self, limit: Duration) -> Failure {
        let limit = limit.as_secs_f32();
        self.retry(format_args!("no answer within {limit} s; see whether it is overloaded, or its disk is slow"))
    }

    /// What went wrong on the way there or back.
    pub(super) fn connection(&self, error: &RedisError) -> Failure {
        let config = &self.config.server;
        if let Some(error) = rustls_error(error) {
            let tls = config.tls.clone().unwrap_or_default();
            return self.retry(tls::explain(&config.host, &tls, error));
        }
        if let Some(error) = io_error(error) {
            return match error.kind() {
                // A read or write that ran out of time says "would block".
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.silent(config.timeout),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    let hint = if config.tls.is_none() { "; if it wants TLS, set tls" } else { "" };
                    self.retry(format_args!("closed the connection{hint}"))
                }
                _ => {
                    self.retry(format_args!("cannot be reached: {error}; is it running, and are host and port right?"))
                }
            };
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => self.retry(self.login()),
            ErrorKind::Parse => {
                self.retry("what it answers is not Redis; check host and port, and whether it wants TLS")
            }
            _ => match ServerError::try_from(error.clone()) {
                Ok(error) => self.server(&error),
                Err(error) => self.retry(error),
            },
        }
    }

    fn login(&self) -> String {
        match &self.config.server.login {
            Some(login) if !login.username.is_empty() => {
                format!("does not accept user {:?} and its password; check username and password_file", login.username)
            }
            Some(_) => {
                "does not accept the password; check password_file, and whether it wants a username too".to_owned()
            }
            None => {
                "wants a login; set username (\"default\", if it knows passwords only) and password_file".to_owned()
            }
        }
    }

    /// What the server answered instead.
    pub(super) fn server(&self, error: &ServerError) -> Failure {
        let words = error.details().unwrap_or_default();
        let key = self.key;
        match error.code() {
            "OOM" => self.retry("its memory is full (maxmemory); raise it, or keep less (max_len)"),
            "MISCONF" => self.retry("cannot save to its disk, so it takes no writes; free disk there, or see its log"),
            "READONLY" => self.retry("is a replica, and takes no writes; name the primary as host"),
            "LOADING" => self.retry("is loading its data; it takes events when that is done"),
            "MASTERDOWN" => self.retry("is a replica that has lost its primary; name the primary as host"),
            "NOREPLICAS" => {
                self.retry("has too few replicas to take writes (min-replicas-to-write); see why they are away")
            }
            "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => {
                self.retry("is a node of a cluster, which this sink does not speak; name a server that stands alone")
            }
            "NOAUTH" | "WRONGPASS" => self.retry(self.login()),
            "NOPERM" => self.retry(format_args!(
                "the user may not do all that is needed ({words}); allow it \
                 +multi +exec +xadd +xrange +xrevrange +xinfo +get +set on the keys \"{}:*\"",
                self.config.prefix
            )),
            "WRONGTYPE" => {
                self.retry(format_args!("key {key:?} is not a stream; delete or rename it, or choose another prefix"))
            }
            code => self.retry(format_args!("{code} {words} (stream {key:?})")),
        }
    }
}

fn io_error(error: &RedisError) -> Option<&io::Error> {
    cause(error)?.downcast_ref()
}

/// What TLS said, where it was TLS.
fn rustls_error(error: &RedisError) -> Option<&rustls::Error> {
    let cause = cause(error)?;
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.downcast_ref().or_else(|| inner?.downcast_ref())
}

/// The client hands out its cause in an `Arc`, which is an error of its own.
fn cause(error: &RedisError) -> Option<&(dyn StdError + 'static)> {
    let cause = StdError::source(error)?;
    match cause.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        Some(inner) => Some(&**inner),
        None => Some(cause),
    }
}
