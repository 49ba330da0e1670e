//! TLS towards a far end: whom to believe, who we are, and what its errors mean.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, RootCertStore};

use crate::config::{ClientCertificate, Tls};

/// What a connection is made with. Reads the files anew: certificates are renewed while the daemon runs.
///
/// # Errors
/// A sentence that names the file and the next step.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, String> {
    let roots = match &tls.ca_file {
        Some(path) => believed(path)?,
        None => believed_by_the_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots);
    let config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let (chain, key) = own(client)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                format!(
                    "certificate_file {} and key_file {} do not go together ({error}); \
                     name the certificate and the key it was made for",
                    client.certificate_file.display(),
                    client.key_file.display()
                )
            })?
        }
    };
    Ok(Arc::new(config))
}

fn believed(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", path)? {
        roots.add(certificate).map_err(|error| format!("ca_file {}: {error}", path.display()))?;
    }
    Ok(roots)
}

fn believed_by_the_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!(
            "this system has no certificates to believe{why}; install ca-certificates, or name a ca_file"
        ));
    }
    Ok(roots)
}

fn own(client: &ClientCertificate) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates("certificate_file", &client.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&client.key_file)
        .map_err(|error| unreadable("key_file", &client.key_file, "private key", &error))?;
    Ok((chain, key))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(unreadable(name, path, "certificate", &PemError::NoItemsFound)),
        Ok(all) => Ok(all),
        Err(error) => Err(unreadable(name, path, "certificate", &error)),
    }
}

fn unreadable(name: &str, path: &Path, what: &str, error: &PemError) -> String {
    let path = path.display();
    match error {
        PemError::Io(error) => format!("{name} {path} cannot be read: {error}"),
        PemError::NoItemsFound => format!("{name} {path} has no {what} in it; it must be PEM (-----BEGIN ...)"),
        error => format!("{name} {path} is not PEM as it should be: {error}"),
    }
}

/// What a failed handshake with `host` means, and what to do about it.
pub(super) fn explain(host: &str, tls: &Tls, error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(host, tls, error),
        Error::NoCertificatesPresented => "it shows no certificate".to_owned(),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what it answers is not TLS; check the port (it may be the one without encryption)".to_owned()
        }
        Error::AlertReceived(alert) => refused(tls, *alert),
        Error::PeerIncompatible(_) => format!("it speaks no TLS that we do (1.2 or 1.3): {error}"),
        error => format!("TLS failed: {error}"),
    }
}

fn certificate(host: &str, tls: &Tls, error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => match &tls.ca_file {
            Some(path) => format!(
                "its certificate is not trusted: it is not signed by an authority in ca_file {}; \
                 put the certificate of the authority that signed it there",
                path.display()
            ),
            None => "its certificate is not trusted: no authority this system believes has signed it; \
                     name the certificate of its authority as ca_file"
                .to_owned(),
        },
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for {host:?}; use the name that is in the certificate as host")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it there (or set this device's clock right)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; set this device's clock right".to_owned()
        }
        CertificateError::BadSignature => match &tls.ca_file {
            Some(path) => format!(
                "its certificate is not trusted: the authority in ca_file {} has the name of the one that signed it, \
                 but not its key; put the present certificate of the authority there",
                path.display()
            ),
            None => "its certificate is not trusted: its signature is wrong".to_owned(),
        },
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        error => format!("its certificate is not accepted: {error}"),
    }
}

fn refused(tls: &Tls, alert: AlertDescription) -> String {
    let ours = match &tls.client {
        None => "it wants a certificate of ours; name certificate_file and key_file".to_owned(),
        Some(client) => {
            format!("it does not accept our certificate ({alert:?}); check {}", client.certificate_file.display())
        }
    };
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => ours,
        AlertDescription::DecryptError if tls.client.is_some() => ours,
        // What OpenSSL before 1.1.1 says where a certificate of ours is missing, among other things.
        AlertDescription::HandshakeFailure if tls.client.is_none() => {
            "it broke off the TLS handshake; it may want a certificate of ours (certificate_file, key_file)".to_owned()
        }
        alert => format!("it broke off TLS: {alert:?}"),
    }
}
