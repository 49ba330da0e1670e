//! Whom to believe and who we are, as the HTTP client wants it. What it would panic about is found here.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::super::Failure;
use crate::config::{ClientCertificate, Tls};

/// Reads the files.
pub(super) fn config(tls: &Tls) -> Result<TlsConfig, Failure> {
    let roots = match &tls.ca_file {
        Some(file) => of_file(file)?,
        None => of_the_system(),
    };
    let client = tls.client.as_ref().map(client).transpose()?;
    Ok(TlsConfig::builder().root_certs(roots).client_cert(client).build())
}

fn of_file(file: &Path) -> Result<RootCerts, Failure> {
    let certificates = certificates(file)?;
    let mut store = rustls::RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| bad(file, &format!("{error}")))?;
    }
    Ok(certificates.iter().map(of_der).into())
}

/// Without any (small containers), Mozilla's list.
fn of_the_system() -> RootCerts {
    let system = rustls_native_certs::load_native_certs().certs;
    if system.is_empty() { RootCerts::WebPki } else { system.iter().map(of_der).into() }
}

fn of_der(certificate: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

fn client(client: &ClientCertificate) -> Result<ClientCert, Failure> {
    let chain = certificates(&client.certificate_file)?;
    let file = &client.key_file;
    let pem = read(file)?;
    let no_key = || bad(file, "there is no private key (PEM, without a passphrase) in it");
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| no_key())?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(rustls::RootCertStore::empty()))
        .and_then(|builder| builder.with_client_auth_cert(chain.clone(), key))
        .map_err(|error| bad(file, &format!("it does not go with {}: {error}", client.certificate_file.display())))?;
    let chain: Vec<_> = chain.iter().map(of_der).collect();
    Ok(ClientCert::new_with_certs(&chain, PrivateKey::from_pem(&pem).map_err(|_| no_key())?))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = read(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| bad(file, &format!("{error}")))?;
    if all.is_empty() { Err(bad(file, "there is no certificate (PEM) in it")) } else { Ok(all) }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| bad(file, &format!("{error}")))
}

fn bad(file: &Path, why: &str) -> Failure {
    Failure::refused(format!("{}: {why}", file.display()))
}
