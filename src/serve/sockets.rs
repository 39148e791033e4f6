//! The sockets of a server: bound to one address, with room for a storm, and errors that say how to
//! proceed.

use mio::net::{TcpListener, TcpStream, UdpSocket};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use thiserror::Error;

/// Room for datagrams that wait: a storm of 25,000 registrations (Q154410) at some 600 bytes of
/// bookkeeping each. The kernel may grant less.
const RECEIVE_BUFFER_BYTES: usize = 16 << 20;
/// Answers on their way out.
const SEND_BUFFER_BYTES: usize = 4 << 20;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// Silence after which a peer is probed, so that one that vanished is noticed.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// What `connect` says when the connection is under way; the standard library has no stable name for it.
const EINPROGRESS: i32 = if cfg!(target_os = "linux") { 115 } else { 36 };

/// Why a socket could not be had.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The port is taken.
    #[error(
        "{what} {at} is in use by another program{hint}; stop it, or give another port with {option}"
    )]
    InUse {
        /// `UDP port` or `TCP port`.
        what: &'static str,
        /// Address and port.
        at: SocketAddrV4,
        /// Who it may be.
        hint: &'static str,
        /// The option that moves the port.
        option: &'static str,
    },
    /// Ports below 1024 are for the privileged.
    #[error(
        "no privilege for {what} {at}. Three ways out:\n  \
         sudo setcap cap_net_bind_service=+ep PROGRAM   (once, for this program)\n  \
         sudo winstorm serve ...\n  \
         {option} PORT, a port above 1023, where nobody but you looks for names"
    )]
    NoPrivilege {
        /// `UDP port` or `TCP port`.
        what: &'static str,
        /// Address and port.
        at: SocketAddrV4,
        /// The option that moves the port.
        option: &'static str,
    },
    /// No interface has the address.
    #[error("{0} is no address of this machine: --listen takes one that an interface has")]
    NotHere(Ipv4Addr),
    /// Anything else.
    #[error("{what} {at} cannot be opened: {error}")]
    Other {
        /// `UDP port` or `TCP port`.
        what: &'static str,
        /// Address and port.
        at: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
}

/// The name service's socket.
///
/// # Errors
/// See [`SocketError`].
pub(super) fn name_socket(at: SocketAddrV4) -> Result<UdpSocket, SocketError> {
    let hint = " (nmbd or samba?)";
    let open = || -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Smaller buffers only mean that more of a storm is dropped.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
        socket.bind(&SockAddr::from(at))?;
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::from_std(socket.into()))
    };
    open().map_err(|error| explain("UDP port", at, hint, "--name-port", error))
}

/// The replication service's socket.
///
/// # Errors
/// See [`SocketError`].
pub(super) fn replication_socket(at: SocketAddrV4) -> Result<TcpListener, SocketError> {
    let hint = " (samba?)";
    let open = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // Connections of an earlier run that linger do not hold the port.
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(at))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from_std(socket.into()))
    };
    open().map_err(|error| explain("TCP port", at, hint, "--replication-port", error))
}

/// Begins a connection to a partner, from the address it knows us by.
///
/// # Errors
/// The system refuses at once.
pub(super) fn connect(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SockAddr::from(SocketAddrV4::new(from, 0)))?;
    socket.set_nonblocking(true)?;
    keep_alive(&socket);
    match socket.connect(&SockAddr::from(to)) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Options every replication stream has. A stream without them works as well.
fn keep_alive(socket: &Socket) {
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

/// The same for an accepted stream.
pub(super) fn prepare(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

/// Whether a connection that was begun is simply not there yet (EINPROGRESS).
fn is_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(EINPROGRESS) || error.kind() == ErrorKind::WouldBlock
}

fn explain(
    what: &'static str,
    at: SocketAddrV4,
    hint: &'static str,
    option: &'static str,
    error: io::Error,
) -> SocketError {
    match error.kind() {
        ErrorKind::AddrInUse => SocketError::InUse { what, at, hint, option },
        ErrorKind::PermissionDenied => SocketError::NoPrivilege { what, at, option },
        ErrorKind::AddrNotAvailable => SocketError::NotHere(*at.ip()),
        _ => SocketError::Other { what, at, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_how_to_proceed() {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 137);
        let error =
            |kind: ErrorKind| explain("UDP port", at, "", "--name-port", kind.into()).to_string();
        let denied = error(ErrorKind::PermissionDenied);
        assert!(
            denied.contains("setcap") && denied.contains("sudo") && denied.contains("--name-port")
        );
        assert!(error(ErrorKind::AddrInUse).contains("127.0.0.1:137 is in use"));
        assert!(error(ErrorKind::AddrNotAvailable).contains("no address of this machine"));
    }
}
