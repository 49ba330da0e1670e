//! Where a download may come from.

use std::fmt;

use url::{Host, Url};

/// An address that may be asked: https, or http on this machine; without a password in it.
#[derive(Clone, Debug)]
pub(super) struct Address(Url);

impl Address {
    /// # Errors
    /// Why it may not be asked. The words name no password and no query.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::checked(Url::parse(text).map_err(|error| format!("is no address: {error}"))?)
    }

    /// Where a redirect from here leads.
    ///
    /// # Errors
    /// Why it is not followed.
    pub fn redirected(&self, location: &str) -> Result<Self, String> {
        let to = Self::checked(self.0.join(location).map_err(|error| format!("is no address: {error}"))?)?;
        if to.is_plain() && !self.is_plain() {
            // From the open network nobody sends us to this machine's own services.
            return Err(format!("{to} is on this machine, and not over https"));
        }
        Ok(to)
    }

    fn checked(url: Url) -> Result<Self, String> {
        let address = Self(url);
        if !address.0.username().is_empty() || address.0.password().is_some() {
            return Err(format!("{address} has a user name or a password in it"));
        }
        match address.0.scheme() {
            "https" if address.0.host().is_some() => Ok(address),
            "http" if address.is_loopback() => Ok(address),
            _ => Err(format!("{address} is not over https")),
        }
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// Whether it is asked without TLS.
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// As it is asked, query and all.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Without the query: stores sign their addresses there.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn https_anywhere_and_http_on_this_machine_only() {
        for (text, allowed) in [
            ("https://example.org/a.onnx", true),
            ("http://127.0.0.1:8000/a.onnx", true),
            ("http://[::1]/a.onnx", true),
            ("http://localhost/a.onnx", true),
            ("http://example.org/a.onnx", false),
            ("http://localhost.example.org/a.onnx", false),
            ("http://127.0.0.1.example.org/a.onnx", false),
            ("http://192.168.1.2/a.onnx", false),
            ("ftp://example.org/a.onnx", false),
            ("file:///etc/passwd", false),
            ("https://me:secret@example.org/a.onnx", false),
            ("engines/a.onnx", false),
        ] {
            let outcome = Address::parse(text);
            assert_eq!(outcome.is_ok(), allowed, "{text}: {outcome:?}");
            assert!(!format!("{:?}", outcome.err()).contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_redirect_leads_to_https_or_stays_on_this_machine() {
        for (from, location, to) in [
            ("https://a.org/x/y", "../z?signature=s3cret", Some("https://a.org/z")),
            ("https://a.org/x", "https://b.org:8443/y", Some("https://b.org:8443/y")),
            ("https://a.org/x", "http://a.org/y", None),
            ("https://a.org/x", "http://127.0.0.1/y", None),
            ("https://a.org/x", "file:///etc/passwd", None),
            ("http://127.0.0.1/x", "http://localhost:99/y", Some("http://localhost:99/y")),
            ("http://127.0.0.1/x", "http://b.org/y", None),
            ("http://127.0.0.1/x", "//b.org/y", None),
        ] {
            let outcome = Address::parse(from).and_then(|from| from.redirected(location));
            assert_eq!(outcome.ok().map(|to| to.to_string()).as_deref(), to, "{from} -> {location}");
        }
    }
}
