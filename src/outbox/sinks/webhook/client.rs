//! One request: few redirects, an answer of bounded length, nothing secret in its words.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{HeaderValue, Response, header};
use ureq::{Agent, Body, Proxy, Timeout};
use url::{Host, Url};

use super::super::Failure;
use super::batches::Batch;
use super::signature::Signer;
use super::tls;
use super::verdict::{Verdict, judge};
use crate::config;
use crate::types::time::Timestamp;

const REDIRECTS: usize = 3;
/// Read of an answer, so that its connection can be used again.
const MAX_ANSWER: u64 = 64 * 1024;
/// Servers close connections that nothing comes over after 2 seconds and more.
const MAX_IDLE: Duration = Duration::from_secs(2);

/// A server, and how to speak to it.
pub(super) struct Client {
    agent: Agent,
    url: Url,
    authorization: Option<HeaderValue>,
    signer: Option<Signer>,
    settings: config::Webhook,
    /// TLS failed since the agent was made: the files may be other ones by now.
    stale: bool,
    made: Instant,
    renew_after: Duration,
}

impl Client {
    /// After a failure of TLS the files are read anew, but not again within `renew_after`.
    pub fn new(webhook: &config::Webhook, renew_after: Duration) -> Result<Self, Failure> {
        // Paths and queries of webhooks are often secret: neither is ever told.
        let url = Url::parse(&webhook.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url =
            url.filter(Url::has_host).ok_or_else(|| Failure::refused("`url` is no http:// or https:// address"))?;
        Ok(Self {
            agent: agent(webhook, &url)?,
            url,
            authorization: authorization(webhook)?,
            signer: webhook.secret.as_ref().map(Signer::new).transpose()?,
            settings: webhook.clone(),
            stale: false,
            made: Instant::now(),
            renew_after,
        })
    }

    /// Certificates are renewed while the daemon runs.
    fn renew(&mut self) {
        if !self.stale || self.made.elapsed() < self.renew_after {
            return;
        }
        (self.stale, self.made) = (false, Instant::now());
        match agent(&self.settings, &self.url) {
            Ok(agent) => self.agent = agent,
            Err(failure) => {
                tracing::warn!("the certificates of a webhook are not read anew: {failure}");
                self.stale = true;
            }
        }
    }

    /// Who is posted to, for people.
    pub fn who(&self) -> String {
        origin(&self.url)
    }

    /// Posts it.
    pub fn post(&mut self, batch: &Batch) -> Verdict {
        self.renew();
        let mut to = self.url.clone();
        let mut redirects = 0;
        loop {
            let mut response = match self.attempt(&to, batch) {
                Ok(response) => response,
                Err(error) => {
                    self.stale |= to.scheme() == "https" && may_be_tls(&error);
                    return self.unanswered(&to, &error);
                }
            };
            let status = response.status();
            if matches!(status.as_u16(), 307 | 308)
                && redirects < REDIRECTS
                && let Some(next) = header(&response, &header::LOCATION).and_then(|location| followed(&to, location))
            {
                (to, redirects) = (next, redirects + 1);
                continue;
            }
            let verdict = judge(&origin(&to), status, header(&response, &header::RETRY_AFTER));
            // The status says it all; a body that breaks off changes nothing.
            let _ = io::copy(&mut response.body_mut().as_reader().take(MAX_ANSWER), &mut io::sink());
            return verdict;
        }
    }

    fn attempt(&self, to: &Url, batch: &Batch) -> Result<Response<Body>, ureq::Error> {
        let [first, last] = &batch.ids;
        let id = if batch.told == 1 { first.clone() } else { format!("{first}-{last}") };
        let [first, last] = batch.seqs;
        let seq = if batch.told == 1 { first.to_string() } else { format!("{first}-{last}") };
        let timestamp = Timestamp::now().0.div_euclid(1_000_000).to_string();
        let mut request = self
            .agent
            .post(to.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", &id)
            .header("x-watchkeeper-seq", seq)
            .header("webhook-id", &id)
            .header("webhook-timestamp", &timestamp);
        if let Some(signer) = &self.signer {
            request = request.header("webhook-signature", signer.sign(&id, &timestamp, &batch.body));
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.send(&batch.body[..])
    }

    fn unanswered(&self, to: &Url, error: &ureq::Error) -> Verdict {
        let proxy = self.agent.config().proxy();
        let proxy = proxy.map(|proxy| format!(" (through the proxy {}:{})", proxy.host(), proxy.port()));
        let who = format!("{}{}", origin(to), proxy.unwrap_or_default());
        let tls = |error: &dyn std::fmt::Display| {
            let why = error.to_string();
            let advice = if why.contains("certificate") || why.contains("Certificate") {
                "set `ca_file` to the certificate of its authority, check the date here, and whether it wants a \
                 certificate of ours"
            } else {
                "check whether it speaks TLS at this port"
            };
            Verdict::Slowly { reason: format!("{who}: {why}; {advice}; events wait meanwhile"), after: None }
        };
        let (why, connected) = match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => ("no connection in time".to_owned(), false),
            ureq::Error::Timeout(_) => (format!("no answer within {} s", self.settings.timeout.as_secs_f64()), true),
            ureq::Error::HostNotFound => ("its name is not known to the name server".to_owned(), false),
            ureq::Error::Rustls(error) => return tls(error),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => return tls(error),
            ureq::Error::Io(error)
                if is_broken(error) && to.scheme() == "https" && self.settings.tls.client.is_none() =>
            {
                (format!("{error}; servers that want a certificate of ours may close like this"), true)
            }
            ureq::Error::Io(error) => (error.to_string(), is_broken(error)),
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                ("what answers there is no HTTP server".to_owned(), false)
            }
            // It repeats the address.
            ureq::Error::BadUri(_) => ("the address cannot be asked".to_owned(), false),
            other => (other.to_string(), false),
        };
        let reason = format!("{who}: {why}; events wait meanwhile");
        if connected { Verdict::Unanswered(reason) } else { Verdict::Later { reason, after: None, failed: false } }
    }
}

/// What speaks to the server, with the files as they are now.
fn agent(webhook: &config::Webhook, url: &Url) -> Result<Agent, Failure> {
    // A proxy has no way to this machine.
    let proxy = if is_loopback(url) { None } else { Proxy::try_from_env() };
    let agent = Agent::config_builder()
        .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")))
        .accept("application/json, */*")
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .tls_config(tls::config(&webhook.tls)?)
        .timeout_global(Some(webhook.timeout))
        .max_idle_age(MAX_IDLE)
        .build();
    Ok(agent.into())
}

/// Servers that do not believe our certificate often just close.
fn may_be_tls(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData || is_broken(error),
        _ => false,
    }
}

/// The connection was there.
fn is_broken(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn authorization(webhook: &config::Webhook) -> Result<Option<HeaderValue>, Failure> {
    let value = match (&webhook.bearer, &webhook.login) {
        (Some(token), _) => format!("Bearer {}", token.expose()),
        (None, Some(login)) => {
            let pair = format!("{}:{}", login.username, login.password.expose());
            format!("Basic {}", STANDARD.encode(pair))
        }
        (None, None) => return Ok(None),
    };
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Failure::refused("the token has characters that no header can have; is there a line break in it?")
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn header<'a>(response: &'a Response<Body>, name: &header::HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Where a redirect leads, if it is followed: at home, or to the encrypted door of the same house.
fn followed(from: &Url, location: &str) -> Option<Url> {
    let to = from.join(location).ok()?;
    let home = to.origin() == from.origin();
    let safer = from.scheme() == "http" && to.scheme() == "https" && to.host() == from.host();
    let bare = to.username().is_empty() && to.password().is_none();
    ((home || safer) && bare).then_some(to)
}

/// All that is told of an address.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_nowhere_but_home() {
        let from = Url::parse("http://a.example/hook").unwrap();
        let to = |location| followed(&from, location).map(String::from);
        assert_eq!(to("/new").as_deref(), Some("http://a.example/new"));
        assert_eq!(to("https://a.example/hook").as_deref(), Some("https://a.example/hook"));
        for elsewhere in [
            "http://b.example/hook",
            "//b.example/",
            "http://a.example:8080/",
            "http://u:p@a.example/",
            "ftp://a.example/",
        ] {
            assert_eq!(to(elsewhere), None, "{elsewhere}");
        }
        let from = Url::parse("https://a.example/hook").unwrap();
        assert_eq!(followed(&from, "http://a.example/hook"), None, "never to the open");
    }
}
