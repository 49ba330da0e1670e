//! The way to the broker: TCP, or TLS over it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::super::tls;
use super::trouble::Trouble;
use crate::config::{Server, Tls};

/// An open connection. Whoever reads has a [`TcpStream`] of his own and brings here what came.
pub(super) struct Link {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    host: String,
    settings: Tls,
}

impl Link {
    /// Connects, the TLS handshake included. Each step waits for `server.timeout` at most, but for the look-up of the
    /// name, which the system's resolver limits.
    pub(super) fn connect(server: &Server) -> Result<Self, Trouble> {
        let tcp = reach(server)?;
        let set = |tcp: &TcpStream| {
            tcp.set_nodelay(true)?;
            tcp.set_read_timeout(Some(server.timeout))?;
            tcp.set_write_timeout(Some(server.timeout))
        };
        set(&tcp).map_err(|error| Trouble::plain(format!("the connection cannot be set up: {error}")))?;
        let Some(settings) = &server.tls else {
            return Ok(Self { tcp, tls: None, host: server.host.clone(), settings: Tls::default() });
        };
        let config = tls::client_config(settings).map_err(Trouble::plain)?;
        let name = ServerName::try_from(server.host.clone())
            .map_err(|_| Trouble::plain(format!("{:?} is no name a certificate could be for", server.host)))?;
        let explain = |error: &rustls::Error| Trouble::plain(tls::explain(&server.host, settings, error));
        let mut connection = ClientConnection::new(config, name).map_err(|error| explain(&error))?;
        let mut link = tcp;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut link) {
                return Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(error) => explain(error),
                    None => handshake(&error, server.timeout),
                });
            }
        }
        Ok(Self { tcp: link, tls: Some(Box::new(connection)), host: server.host.clone(), settings: settings.clone() })
    }

    /// For the thread that reads: each read waits for `patience` at most.
    pub(super) fn reader(&self, patience: Duration) -> io::Result<TcpStream> {
        self.tcp.set_read_timeout(Some(patience))?;
        self.tcp.try_clone()
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.tcp.write_all(bytes) };
        let mut left = bytes;
        while !left.is_empty() {
            // It takes what its buffer has room for.
            let taken = tls.writer().write(left)?;
            left = &left[taken..];
            write_tls(tls, &mut self.tcp)?;
        }
        Ok(())
    }

    /// What the broker meant by bytes that came, appended to `plain`.
    pub(super) fn receive(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), io::Error> {
        let Some(tls) = &mut self.tls else {
            plain.extend_from_slice(bytes);
            return Ok(());
        };
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes)? == 0 {
                break;
            }
            drain(tls, plain)?;
        }
        write_tls(tls, &mut self.tcp)
    }

    /// What came together with the end of the handshake.
    pub(super) fn pending(&mut self, plain: &mut Vec<u8>) -> Result<(), io::Error> {
        self.tls.as_mut().map_or(Ok(()), |tls| drain(tls, plain))
    }

    /// Why [`Link::receive`] failed. A client certificate is refused only now, after the handshake of TLS 1.3.
    pub(super) fn explain(&self, error: &io::Error) -> Trouble {
        Trouble::plain(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls::explain(&self.host, &self.settings, error),
            None => format!("the connection broke: {error}"),
        })
    }

    /// Nothing more will be sent.
    pub(super) fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = write_tls(tls, &mut self.tcp);
        }
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    /// Ends it at once, also for whoever reads.
    pub(super) fn cut(&self) {
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

fn drain(tls: &mut ClientConnection, plain: &mut Vec<u8>) -> Result<(), io::Error> {
    let state = tls.process_new_packets().map_err(io::Error::other)?;
    let size = state.plaintext_bytes_to_read();
    if size > 0 {
        let start = plain.len();
        plain.resize(start + size, 0);
        tls.reader().read_exact(&mut plain[start..])?;
    }
    Ok(())
}

fn write_tls(tls: &mut ClientConnection, tcp: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(tcp)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// Tries every address that the name has.
fn reach(server: &Server) -> Result<TcpStream, Trouble> {
    let host = &server.host;
    let addresses: Arc<[SocketAddr]> = match (host.as_str(), server.port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let why = error.to_string();
            let why = why.strip_prefix("failed to lookup address information: ").unwrap_or(&why);
            return Err(Trouble::plain(format!(
                "the name {host:?} is not found ({why}); check the url, and the name server of this device"
            )));
        }
    };
    let mut last = None;
    for address in addresses.iter() {
        match TcpStream::connect_timeout(address, server.timeout) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = Some((*address, error)),
        }
    }
    Err(match last {
        None => Trouble::plain(format!("the name {host:?} has no address")),
        Some((address, error)) => Trouble::plain(unreached(address, &error, server.timeout)),
    })
}

fn unreached(address: SocketAddr, error: &io::Error, timeout: Duration) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("connection refused by {address}: nothing listens there; is the broker running, is the port right?")
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => format!(
            "{address} does not answer within {} s; check the address, and firewalls on the way",
            timeout.as_secs_f32()
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("there is no way to {address}: {error}; check the network of this device")
        }
        _ => format!("{address} cannot be reached: {error}"),
    }
}

fn handshake(error: &io::Error, timeout: Duration) -> Trouble {
    Trouble::plain(match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("no answer to TLS within {} s; is this the broker's port for TLS?", timeout.as_secs_f32())
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "it closed the connection instead of a TLS handshake; is this the broker's port for TLS?".to_owned()
        }
        _ => format!("TLS failed: {error}"),
    })
}
