//! GStreamer says "Failed to connect" of an unknown name, a closed port and a missing route alike. One
//! look of our own tells them apart.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::config::SourceKind;

const PATIENCE: Duration = Duration::from_secs(2);

/// Why the source's host cannot be reached; `None` where that does not show quickly.
pub(super) fn explain(source: &SourceKind) -> Option<String> {
    let (SourceKind::Rtsp { url } | SourceKind::Http { url }) = source else { return None };
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = url.port().unwrap_or(match url.scheme() {
        "rtsps" => 322,
        "http" => 80,
        "https" => 443,
        _ => 554,
    });
    let (tell, told) = crossbeam_channel::bounded(1);
    // A resolver may take half a minute; the camera's thread does not wait for it.
    std::thread::Builder::new()
        .name("reach".to_owned())
        .spawn(move || {
            let _ = tell.send(look(&host, port));
        })
        .ok()?;
    told.recv_timeout(PATIENCE).ok().flatten()
}

fn look(host: &str, port: u16) -> Option<String> {
    let addresses = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(_) => return Some(format!("the host name {host} is not known")),
    };
    let mut why = None;
    for address in addresses {
        why = match TcpStream::connect_timeout(&address, PATIENCE / 2) {
            // It is there now.
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                Some(format!("{address} refuses the connection: nothing listens on port {port}"))
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => Some(format!("{address} does not answer")),
            Err(error) => Some(format!("{address}: {error}")),
        };
    }
    why
}
