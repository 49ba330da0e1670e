//! One connection: made anew after every failure, so that no late answer is taken for another's.

use std::path::Path;
use std::time::Instant;

use redis::{
    Client, ClientTlsConfig, Connection as Socket, ConnectionAddr, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    TlsCertificates, Value,
};

use super::super::{Failure, tls};
use super::errors::Place;
use crate::config::Tls;

/// Logged in, at the right data base.
pub(super) struct Connection {
    socket: Socket,
}

impl Connection {
    pub(super) fn open(place: &Place<'_>) -> Result<Self, Failure> {
        let server = &place.config.server;
        let mut redis = RedisConnectionInfo::default().set_db(i64::from(place.config.database)).set_skip_set_lib_name();
        if let Some(login) = &server.login {
            if !login.username.is_empty() {
                redis = redis.set_username(&login.username);
            }
            redis = redis.set_password(login.password.expose());
        }
        let (host, port) = (server.host.clone(), server.port);
        let client = match &server.tls {
            None => ConnectionAddr::Tcp(host, port)
                .into_connection_info()
                .and_then(|info| Client::open(info.set_redis_settings(redis))),
            Some(tls) => {
                let certificates = certificates(tls).map_err(|reason| place.retry(reason))?;
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
                    .into_connection_info()
                    .and_then(|info| Client::build_with_tls(info.set_redis_settings(redis), certificates))
            }
        };
        let limit = Some(server.timeout);
        let socket = client
            .and_then(|client| client.get_connection_with_timeout(server.timeout))
            .and_then(|socket| {
                socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit)).map(|()| socket)
            })
            .map_err(|error| place.connection(&error))?;
        Ok(Self { socket })
    }

    /// Is it still there? An answer that refuses is one, too.
    pub(super) fn answers(&mut self, place: &Place<'_>) -> bool {
        let mut ping = redis::pipe();
        ping.cmd("PING");
        self.ask(place, &ping, 1).is_ok()
    }

    /// Sends all commands and answers with all answers, refusals among them. After an error the connection is of no
    /// use any more. An answer may take as long as the limit says, all together twice that.
    pub(super) fn ask(
        &mut self,
        place: &Place<'_>,
        pipeline: &Pipeline,
        answers: usize,
    ) -> Result<Vec<Value>, Failure> {
        let lost = |error| place.connection(&error);
        self.socket.send_packed_command(&pipeline.get_packed_pipeline()).map_err(lost)?;
        let limit = place.config.server.timeout;
        let until = Instant::now() + limit * 2;
        let mut all = Vec::with_capacity(answers);
        for _ in 0..answers {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(place.silent(limit * 2));
            }
            self.socket.set_read_timeout(Some(left.min(limit))).map_err(lost)?;
            let answer = self.socket.recv_response();
            all.push(
                answer.map_err(|error| if Instant::now() < until { lost(error) } else { place.silent(limit * 2) })?,
            );
        }
        Ok(all)
    }
}

/// The client wants the files' contents.
fn certificates(tls: &Tls) -> Result<TlsCertificates, String> {
    // Checked here for the sake of the sentences.
    tls::client_config(tls)?;
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
    let client_tls = tls
        .client
        .as_ref()
        .map(|client| {
            Ok::<_, String>(ClientTlsConfig {
                client_cert: read(&client.certificate_file)?,
                client_key: read(&client.key_file)?,
            })
        })
        .transpose()?;
    let root_cert = tls.ca_file.as_deref().map(read).transpose()?;
    Ok(TlsCertificates { client_tls, root_cert })
}
