//! One request: over TLS or to this machine, few redirects, nothing secret in its words.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, Timeout};

use super::address::Address;
use super::failed::Failed;

const CONNECT: Duration = Duration::from_secs(20);
const REDIRECTS: usize = 5;

/// An answer, and who gave it.
pub(super) struct Answer {
    pub from: Address,
    pub response: Response<Body>,
}

impl Answer {
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

/// Asks for the file at `address`, from byte `range.0` on if it is still the one that `range.1` names (RFC 9110, If-Range).
///
/// # Errors
/// No answer, no certificate to trust, a redirect that is not followed. `stall` is how long the server may be silent.
pub(super) fn ask(address: &Address, range: Option<(u64, &str)>, stall: Duration) -> Result<Answer, Failed> {
    let mut from = address.clone();
    for _ in 0..=REDIRECTS {
        let mut request = agent(&from, stall).get(from.as_str());
        if let Some((first, validator)) = range {
            request = request.header(header::RANGE, format!("bytes={first}-")).header(header::IF_RANGE, validator);
        }
        let response = request.call().map_err(|error| unanswered(&from, &error, stall))?;
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(Answer { from, response });
        }
        let answer = Answer { from, response };
        let Some(location) = answer.header(header::LOCATION) else {
            return Err(Failed::data(format!("{}: redirects without saying where to", answer.from)));
        };
        let next = answer.from.redirected(location);
        from =
            next.map_err(|why| Failed::data(format!("{}: redirects to where it is not followed: {why}", answer.from)))?;
    }
    Err(Failed::data(format!("{address}: more than {REDIRECTS} redirects, the last of them to {from}")))
}

fn agent(address: &Address, stall: Duration) -> Agent {
    // A proxy has no way to this machine.
    let proxy = if address.is_loopback() { None } else { Proxy::try_from_env() };
    Agent::config_builder()
        .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .tls_config(
            TlsConfig::builder().root_certs(if address.is_plain() { RootCerts::WebPki } else { roots() }).build(),
        )
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(stall))
        .timeout_per_read(Some(stall))
        .timeout_per_write(Some(stall))
        .build()
        .into()
}

/// What the system trusts, which is where an operator adds the certificate of a company's proxy; without any (small
/// containers), Mozilla's list. It is not what makes a model right: that is its sum.
fn roots() -> RootCerts {
    let system = rustls_native_certs::load_native_certs().certs;
    if system.is_empty() {
        return RootCerts::WebPki;
    }
    system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into()
}

fn unanswered(from: &Address, error: &ureq::Error, stall: Duration) -> Failed {
    let proxy = match Proxy::try_from_env() {
        Some(proxy) if !from.is_loopback() => format!(" (through the proxy {}:{})", proxy.host(), proxy.port()),
        _ => String::new(),
    };
    let words = match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("no connection within {} s", CONNECT.as_secs())
        }
        ureq::Error::Timeout(_) => format!("no answer within {} s", stall.as_secs_f64()),
        ureq::Error::HostNotFound => "its name is not known to the name server".to_owned(),
        ureq::Error::Io(error) if is_certificate(error) => {
            format!("{error}; is the date of this machine right, and its list of certificates (ca-certificates) there?")
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            return Failed::data(format!("{from}: what answers there{proxy} is no HTTP server: {error}"));
        }
        // It repeats the query.
        ureq::Error::BadUri(_) => return Failed::data(format!("{from}: is no address that can be asked")),
        other => other.to_string(),
    };
    Failed::later(format!("{from}{proxy}: {words}; try again when it can be reached"))
}

fn is_certificate(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData && error.to_string().contains("certificate")
}
