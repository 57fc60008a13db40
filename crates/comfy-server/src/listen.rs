//! Opening the sockets to listen on.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Why no socket could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The name or address means nothing.
    #[error("expected an address to listen on, got `{address}`: {source}")]
    Address {
        /// What was given.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The socket could not be opened.
    #[error("could not listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The list of addresses is empty.
    #[error("expected at least one address to listen on, got none")]
    Nothing,
}

/// Opens a socket for each address. Port 0 takes a free port, the same for all.
///
/// A machine without IPv6 refuses `::`; that is only an error when nothing else could be opened.
pub(crate) fn bind(addresses: &[String], port: u16) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut failure = None;
    for text in addresses {
        let resolved = (text.as_str(), port)
            .to_socket_addrs()
            .and_then(|mut found| {
                found.next().ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
                })
            });
        let mut address = match resolved {
            Ok(address) => address,
            Err(source) => {
                return Err(ListenError::Address {
                    address: text.clone(),
                    source,
                });
            }
        };
        if port == 0
            && let Some(first) = listeners
                .first()
                .and_then(|listener| listener.local_addr().ok())
        {
            address.set_port(first.port());
        }
        match open(address) {
            Ok(listener) => listeners.push(listener),
            Err(source) if address.is_ipv6() && address.ip().is_unspecified() => {
                tracing::warn!(%address, error = %source, "IPv6 is not available");
                failure = Some(ListenError::Bind { address, source });
            }
            Err(source) => return Err(ListenError::Bind { address, source }),
        }
    }
    if listeners.is_empty() {
        Err(failure.unwrap_or(ListenError::Nothing))
    } else {
        Ok(listeners)
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // `0.0.0.0,::` means two sockets with one port, so the second must not claim IPv4 too.
        socket.set_only_v6(true)?;
    }
    // On Windows this option would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `host:port` as it stands in a link: an address that means "all" becomes one that can be opened.
pub(crate) fn link(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("localhost:{}", address.port()),
        _ => address.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn several_addresses_share_a_free_port() {
        let listeners = bind(&["0.0.0.0".to_owned(), "::".to_owned()], 0).unwrap();
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        assert!(
            ports[0] != 0 && ports.iter().all(|port| *port == ports[0]),
            "{ports:?}"
        );
    }

    #[test]
    fn a_taken_port_and_a_bad_address_are_named() {
        let taken = bind(&["127.0.0.1".to_owned()], 0).unwrap();
        let port = taken[0].local_addr().unwrap().port();
        let text = bind(&["127.0.0.1".to_owned()], port)
            .unwrap_err()
            .to_string();
        assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
        assert!(matches!(
            bind(&["not an address".to_owned()], 0),
            Err(ListenError::Address { .. })
        ));
        assert!(matches!(bind(&[], 0), Err(ListenError::Nothing)));
    }

    #[test]
    fn links_can_be_opened() {
        assert_eq!(link("0.0.0.0:8188".parse().unwrap()), "localhost:8188");
        assert_eq!(link("[::1]:80".parse().unwrap()), "[::1]:80");
    }
}
