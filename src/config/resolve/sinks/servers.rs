//! Sinks that are servers, as meant.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::environment::Variables;
use crate::config::file::{self, KEEP_ALIVE_S, SinkType, TIMEOUT_S};
use crate::config::meaning::{ClientCertificate, Credentials, Mqtt, Nats, Redis, Server, SinkKind, Tls, Webhook};
use crate::config::report::Report;
use crate::config::resolve::{address, existing_file, secrets};
use crate::config::words;

/// What a server is read with.
pub(super) struct Reading<'a> {
    pub(super) sink: &'a file::Sink,
    /// Its section.
    pub(super) key: &'a str,
    pub(super) device: &'a str,
    pub(super) variables: &'a Variables,
    pub(super) report: &'a mut Report,
}

/// Scheme, encrypted or not, and the usual port.
type Scheme = (&'static str, bool, u16);

impl Reading<'_> {
    /// `None`: something was wrong, and was reported.
    pub(super) fn server(mut self, kind: SinkType) -> Option<SinkKind> {
        let schemes: &[Scheme] = match kind {
            SinkType::Mqtt => &[("mqtt", false, 1883), ("mqtts", true, 8883)],
            SinkType::Nats => &[("nats", false, 4222), ("tls", true, 4222)],
            SinkType::Redis => &[("redis", false, 6379), ("rediss", true, 6379)],
            SinkType::Webhook | SinkType::Jsonl => &[("http", false, 80), ("https", true, 443)],
        };
        let url = self.url(schemes);
        let login = self.login();
        let tls = self.tls();
        let [secret, bearer] = if kind == SinkType::Webhook { self.secrets() } else { [None, None] };
        let timeout = Duration::from_secs_f64(self.sink.timeout_s.unwrap_or(TIMEOUT_S));
        let prefix = self.prefix("prefix", self.sink.prefix.as_deref()).unwrap_or_else(|| "watchkeeper".to_owned());
        let discovery = self.prefix("discovery_prefix", self.sink.discovery_prefix.as_deref());
        let (url, encrypted, usual_port) = url?;
        if !encrypted {
            for (name, set) in [("ca_file", tls.ca_file.is_some()), ("certificate_file", tls.client.is_some())] {
                if set {
                    let message = format!(
                        "is for encrypted servers, and {}:// is not; write another scheme, or take it out",
                        url.scheme()
                    );
                    self.report.problem(format!("{}.{name}", self.key), message);
                }
            }
        }
        if kind == SinkType::Webhook {
            let batch = self.sink.batch.unwrap_or(1) as usize;
            if bearer.is_some() && login.is_some() {
                let message = "a bearer token is sent too, in the same header; keep one of them";
                self.report.problem(format!("{}.username", self.key), message);
            }
            let url = url.to_string();
            return Some(SinkKind::Webhook(Box::new(Webhook { url, login, tls, secret, bearer, batch, timeout })));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            let message = "holds more than a host and a port; take it out (topics: `prefix`; Redis: `database`)";
            self.report.problem(format!("{}.url", self.key), message);
        }
        let server = Server {
            host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(usual_port),
            tls: encrypted.then_some(tls),
            login,
            timeout,
        };
        Some(match kind {
            SinkType::Mqtt => SinkKind::Mqtt(Box::new(Mqtt {
                server,
                version: self.sink.mqtt_version.unwrap_or_default(),
                prefix,
                client_id: self.sink.client_id.clone().unwrap_or_else(|| format!("watchkeeper-{}", self.device)),
                keep_alive: Duration::from_secs(self.sink.keep_alive_s.unwrap_or(KEEP_ALIVE_S).into()),
                discovery,
                public_url: self.sink.public_url.clone(),
            })),
            SinkType::Nats => SinkKind::Nats(Box::new(self.nats(server, prefix))),
            _ => SinkKind::Redis(Box::new(Redis {
                server,
                database: self.sink.database.unwrap_or(0),
                prefix,
                max_len: self.sink.max_len,
            })),
        })
    }

    fn nats(&mut self, server: Server, prefix: String) -> Nats {
        let credentials_file = self.path("credentials_file", self.sink.credentials_file.as_deref());
        if credentials_file.is_some() && server.login.is_some() {
            let message = "credentials_file is set too; keep one of them";
            self.report.problem(format!("{}.username", self.key), message);
        }
        let stream = self.sink.stream.clone().unwrap_or_else(|| "watchkeeper".to_owned());
        if !stream.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
            let message = format!("{} must be letters, digits, \"_\" or \"-\"", words::quoted(&stream));
            self.report.problem(format!("{}.stream", self.key), message);
        }
        Nats { server, credentials_file, stream, prefix }
    }

    /// Nothing of it is repeated in a message: it may hold a password.
    fn url(&mut self, schemes: &[Scheme]) -> Option<(Url, bool, u16)> {
        let key = format!("{}.url", self.key);
        let first = schemes[0].0;
        let Some(text) = &self.sink.url else {
            if !self.report.has(&key) {
                self.report.problem(key, format!("missing; add it: the server, as \"{first}://host\""));
            }
            return None;
        };
        match parse(text, schemes) {
            Ok(url) => Some(url),
            Err(message) => {
                self.report.problem(key, message);
                None
            }
        }
    }

    fn login(&mut self) -> Option<Credentials> {
        let sink = self.sink;
        let password = [&sink.password_file, &sink.password_env, &sink.password_credential].map(Option::as_deref);
        secrets::login(sink.username.as_deref(), password, self.key, self.variables, self.report)
    }

    /// The key of signatures, and the bearer token.
    fn secrets(&mut self) -> [Option<crate::types::secret::Secret>; 2] {
        let sink = self.sink;
        let secret = [&sink.secret_file, &sink.secret_env, &sink.secret_credential].map(Option::as_deref);
        let bearer = [&sink.bearer_file, &sink.bearer_env, &sink.bearer_credential].map(Option::as_deref);
        let mut read = |name, ways| secrets::one(name, ways, self.key, self.variables, self.report);
        [read("secret", secret), read("bearer", bearer)]
    }

    fn tls(&mut self) -> Tls {
        let ca_file = self.path("ca_file", self.sink.ca_file.as_deref());
        let certificate = self.path("certificate_file", self.sink.certificate_file.as_deref());
        let key = self.path("key_file", self.sink.key_file.as_deref());
        let client = match (certificate, key) {
            (Some(certificate_file), Some(key_file)) => Some(ClientCertificate { certificate_file, key_file }),
            (None, None) => None,
            (certificate, _) => {
                let [set, missing] = if certificate.is_some() {
                    ["certificate_file", "key_file"]
                } else {
                    ["key_file", "certificate_file"]
                };
                self.report.problem(format!("{}.{set}", self.key), format!("needs {missing}; add it"));
                None
            }
        };
        Tls { ca_file, client }
    }

    fn path(&mut self, name: &str, written: Option<&str>) -> Option<PathBuf> {
        let key = format!("{}.{name}", self.key);
        written.map(|path| existing_file(path, &key, self.report))
    }

    /// Levels of a topic, without wildcards.
    fn prefix(&mut self, name: &str, written: Option<&str>) -> Option<String> {
        let written = written?;
        let fits =
            |level: &str| !level.is_empty() && level.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if !written.split('/').all(fits) {
            let message = "must be letters, digits, \"_\" or \"-\", with \"/\" between levels";
            self.report.problem(format!("{}.{name}", self.key), format!("{} {message}", words::quoted(written)));
        }
        Some(written.to_owned())
    }
}

fn parse(text: &str, schemes: &[Scheme]) -> Result<(Url, bool, u16), String> {
    let list = || schemes.iter().map(|(scheme, ..)| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("has no scheme; it begins with {}", list()));
    };
    if address::holds_login(rest) {
        return Err(address::LOGIN.to_owned());
    }
    let scheme = scheme.to_ascii_lowercase();
    let Some((_, encrypted, port)) = schemes.iter().find(|(known, ..)| *known == scheme) else {
        return Err(format!("has another scheme than this type of sink; it begins with {}", list()));
    };
    address::network(text, &scheme)?;
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    Ok((url, *encrypted, *port))
}
