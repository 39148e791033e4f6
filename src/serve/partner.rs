//! Reading a WINS server's database as a replication partner would (MS-WINSRA 3.1.5, 3.2.5), to look at it
//! or to keep it. Nothing is told to the server but which records are wanted.
//!
//! The peer is not trusted: a message may claim at most `PACKET_LEN_MAX` bytes and must be whole within the
//! time-out however slowly it drips, versions must rise and stay within what was asked for, and owners and
//! records are counted against limits.

#![allow(clippy::disallowed_types)] // A person waits in real time.

use super::ask::duration;
use crate::base::SimDuration;
use crate::wire::replication::{
    Body, FrameError, FrameReader, Message, OwnerRecord, ReplicaRecord, ReplicationError,
    StopReason, VERSION_MAJOR, VERSION_MINOR_W2K,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;
use thiserror::Error;

/// Owners of a map that are taken. A database of Windows held up to 255 until late 4.0 (Q219315), and no
/// layout of servers that was ever recommended comes near this.
pub const OWNERS_MAX: usize = 4096;
/// Records that are taken unless the caller says otherwise: more than any WINS server is known to hold.
pub const RECORDS_MAX: u64 = 4_000_000;
/// Messages that have nothing to do with our requests, such as notifications, before we give up.
const UNASKED_MAX: u32 = 64;
/// Requests for one owner's records: a peer that sends one record at a time is not followed for ever.
const ROUNDS_MAX: u32 = 10_000;
/// Bytes taken from the connection at a time.
const PIECE_LEN: usize = 64 * 1024;

/// Where to pull from.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Pulling {
    /// The server, as a rule at port 42.
    pub server: SocketAddrV4,
    /// The local address and port; unspecified and 0 leave the choice to the system.
    pub from: SocketAddrV4,
    /// How long connecting, and each message, may take: not zero.
    pub timeout: SimDuration,
    /// Only this owner's records.
    pub owner: Option<Ipv4Addr>,
    /// Records to take at most, over all owners.
    pub records_max: u64,
}

/// Why a pull failed.
#[derive(Debug, Error)]
pub enum PullError {
    /// The local address or port cannot be used.
    #[error("cannot connect from {from}: {error}; give --from an address of this machine")]
    Bind {
        /// What was wanted.
        from: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
    /// There is no connection.
    #[error("cannot connect to {server}: {error}; {}", advice_on_connecting(error.kind()))]
    Connect {
        /// Where to.
        server: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {server} broke: {error}")]
    Broken {
        /// Whom with.
        server: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
    /// The server closed, or sent a stop, instead of answering.
    #[error("{0}")]
    TurnedAway(TurnedAway),
    /// No whole message came in time.
    #[error(
        "{server} sent no whole message within {timeout} ({pending} bytes of one); see --timeout"
    )]
    Slow {
        /// Who.
        server: SocketAddrV4,
        /// How long was waited.
        timeout: SimDuration,
        /// Bytes of an unfinished message.
        pending: usize,
    },
    /// No messages can be cut out of what it sends.
    #[error("{server} does not speak WINS replication: {error}")]
    Frame {
        /// Who.
        server: SocketAddrV4,
        /// What is wrong.
        error: FrameError,
    },
    /// A message is malformed.
    #[error("{server} sent a malformed message: {error}")]
    Malformed {
        /// Who.
        server: SocketAddrV4,
        /// What is wrong.
        error: ReplicationError,
    },
    /// A well formed message at the wrong place, or with values that cannot be.
    #[error("{server} does not keep to the protocol: {what}")]
    Protocol {
        /// Who.
        server: SocketAddrV4,
        /// What it did.
        what: String,
    },
    /// More than is taken.
    #[error("{server} has more than {limit} {what}; {advice}")]
    TooMany {
        /// Who.
        server: SocketAddrV4,
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
        /// How to proceed.
        advice: &'static str,
    },
    /// What was wanted is not there.
    #[error("{server} has nothing of owner {owner}; without --owner its map is shown")]
    NoSuchOwner {
        /// Who was asked.
        server: SocketAddrV4,
        /// For whom.
        owner: Ipv4Addr,
    },
    /// The caller could not take the records.
    #[error("{0}")]
    Sink(String),
}

/// How the server ended the association before it answered.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum TurnedAway {
    /// With a stop message.
    #[error(
        "{server} ended the association ({}): most servers answer configured partners only, so enter \
         this machine's address among the partners of the server, or use --from",
        reason_in_words(*.reason)
    )]
    Stopped {
        /// Who.
        server: SocketAddrV4,
        /// The reason it gives.
        reason: StopReason,
    },
    /// Without a word.
    #[error(
        "{server} closed the connection without an answer: most servers answer configured partners \
         only, so enter this machine's address among the partners of the server, or use --from"
    )]
    Closed {
        /// Who.
        server: SocketAddrV4,
    },
    /// In the middle of a message.
    #[error(
        "{server} closed the connection in the middle of a message, after {pending} bytes of it"
    )]
    CutOff {
        /// Who.
        server: SocketAddrV4,
        /// Bytes of the unfinished message.
        pending: usize,
    },
}

fn reason_in_words(reason: StopReason) -> String {
    match reason {
        StopReason::Normal => "reason 0: done".to_string(),
        StopReason::Error => "reason 4: error".to_string(),
        StopReason::Unknown(code) => format!("reason {code}"),
    }
}

fn advice_on_connecting(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => {
            "nobody listens there: is the WINS server running, and does it replicate? (--port)"
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "check address and firewall (TCP port 42)",
        _ => "check address and network",
    }
}

/// A connection that has been opened and answered.
#[derive(Debug)]
pub struct Puller {
    pulling: Pulling,
    socket: Socket,
    frames: FrameReader,
    /// Ours, which the peer must send.
    handle: u32,
    /// The peer's, which we send.
    peer_handle: u32,
    /// The peer's minor version: 1 for NT 4.0, 5 since Windows 2000.
    minor: u16,
    unasked: u32,
    records: u64,
}

impl Puller {
    /// Connects and opens an association.
    ///
    /// # Errors
    /// See [`PullError`].
    pub fn open(pulling: Pulling) -> Result<Puller, PullError> {
        let (server, from) = (pulling.server, pulling.from);
        let bind = |error| PullError::Bind { from, error };
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(bind)?;
        socket.bind(&SockAddr::from(from)).map_err(bind)?;
        socket
            .connect_timeout(&SockAddr::from(server), duration(pulling.timeout))
            .map_err(|error| PullError::Connect { server, error })?;
        let mut puller = Puller {
            pulling,
            socket,
            frames: FrameReader::default(),
            // Any number but 0 will do: it is good on this connection only.
            handle: 0x0077_696E,
            peer_handle: 0,
            minor: 0,
            unasked: 0,
            records: 0,
        };
        puller.send(&Message::start_request(puller.handle, VERSION_MINOR_W2K))?;
        match puller.receive()? {
            Body::StartResponse(start) if start.major == VERSION_MAJOR => {
                puller.peer_handle = start.sender_handle;
                puller.minor = start.minor;
                Ok(puller)
            }
            Body::StartResponse(start) => {
                let (major, minor) = (start.major, start.minor);
                Err(puller.protocol(format!("it answers with version {major}.{minor}, not 2")))
            }
            _ => Err(puller.protocol("it does not answer the start of an association".into())),
        }
    }

    /// The peer's minor version.
    pub fn minor(&self) -> u16 {
        self.minor
    }

    /// The owner-version map, in the order in which the server sends it.
    ///
    /// # Errors
    /// See [`PullError`].
    pub fn map(&mut self) -> Result<Vec<OwnerRecord>, PullError> {
        self.send(&Message::map_request(self.peer_handle))?;
        let Body::MapResponse { owners, .. } = self.receive()? else {
            return Err(self.protocol("it answers a map request with something else".into()));
        };
        if owners.len() > OWNERS_MAX {
            let (limit, advice) = (OWNERS_MAX as u64, "that is no database to be trusted");
            return Err(self.too_many(limit, "owners", advice));
        }
        Ok(owners)
    }

    /// All records of one owner of the map, handed to `sink` as they arrive; how many there were.
    ///
    /// # Errors
    /// See [`PullError`]; an error of `sink` comes back as [`PullError::Sink`].
    pub fn records(
        &mut self,
        owner: &OwnerRecord,
        sink: &mut dyn FnMut(Ipv4Addr, Vec<ReplicaRecord>) -> Result<(), String>,
    ) -> Result<u64, PullError> {
        let (mut from, upto) = (1, owner.version_max);
        let before = self.records;
        for _ in 0..ROUNDS_MAX {
            if upto == 0 || from > upto {
                return Ok(self.records - before);
            }
            let wanted = OwnerRecord::new(owner.owner, from, upto);
            self.send(&Message::records_request(self.peer_handle, wanted))?;
            let Body::RecordsResponse(records) = self.receive()? else {
                return Err(
                    self.protocol("it answers a records request with something else".into())
                );
            };
            let strays = records.iter().filter(|r| !(from..=upto).contains(&r.version)).count();
            if strays > 0 {
                let owner = owner.owner;
                let what = format!("{strays} records of {owner} outside versions {from} to {upto}");
                return Err(self.protocol(what));
            }
            // A server may send a part (the lowest versions) of what was asked for.
            let Some(highest) = records.iter().map(|record| record.version).max() else {
                return Ok(self.records - before);
            };
            self.records += records.len() as u64;
            if self.records > self.pulling.records_max {
                let advice = "--limit takes more, --owner one owner's alone";
                return Err(self.too_many(self.pulling.records_max, "records", advice));
            }
            sink(owner.owner, records).map_err(PullError::Sink)?;
            let Some(next) = highest.checked_add(1) else { return Ok(self.records - before) };
            from = next;
        }
        let what = format!("the records of {} come in more than {ROUNDS_MAX} parts", owner.owner);
        Err(self.protocol(what))
    }

    /// Ends the association in order. A peer that is gone already is no error.
    pub fn close(mut self) {
        let _ = self.send(&Message::stop(self.peer_handle, StopReason::Normal));
    }

    fn send(&mut self, message: &Message) -> Result<(), PullError> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let (server, timeout) = (self.pulling.server, self.pulling.timeout);
        let broken = |error| PullError::Broken { server, error };
        self.socket.set_write_timeout(Some(duration(timeout))).map_err(broken)?;
        match self.socket.write_all(&bytes) {
            Ok(()) => Ok(()),
            // It has closed already; what it said before stands in the receive buffer.
            Err(error)
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            Err(error) => Err(broken(error)),
        }
    }

    /// The next message that is meant for us.
    fn receive(&mut self) -> Result<Body, PullError> {
        let end = Instant::now() + duration(self.pulling.timeout);
        loop {
            let server = self.pulling.server;
            let frame =
                self.frames.next_frame().map_err(|error| PullError::Frame { server, error })?;
            let Some(frame) = frame else {
                self.read_more(end)?;
                continue;
            };
            let message =
                Message::decode(frame).map_err(|error| PullError::Malformed { server, error })?;
            match message.body {
                Body::Stop(reason) => {
                    return Err(PullError::TurnedAway(TurnedAway::Stopped { server, reason }));
                }
                Body::Notification(_) | Body::UnknownOpcode { .. } | Body::UnknownType { .. } => {}
                body if message.handle == self.handle => return Ok(body),
                _ => {}
            }
            self.unasked += 1;
            if self.unasked > UNASKED_MAX {
                return Err(
                    self.protocol(format!("more than {UNASKED_MAX} messages nobody asked for"))
                );
            }
        }
    }

    fn read_more(&mut self, end: Instant) -> Result<(), PullError> {
        let (server, timeout) = (self.pulling.server, self.pulling.timeout);
        let pending = self.frames.pending_len();
        let slow = || PullError::Slow { server, timeout, pending };
        let broken = |error| PullError::Broken { server, error };
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        self.socket.set_read_timeout(Some(left.ok_or_else(slow)?)).map_err(broken)?;
        let mut piece = [0; PIECE_LEN];
        let away = |away| Err(PullError::TurnedAway(away));
        match self.socket.read(&mut piece) {
            Ok(0) if pending == 0 => away(TurnedAway::Closed { server }),
            Ok(0) => away(TurnedAway::CutOff { server, pending }),
            Ok(len) => {
                self.frames.feed(&piece[..len]);
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => Ok(()),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(slow()),
                ErrorKind::ConnectionReset if pending == 0 => away(TurnedAway::Closed { server }),
                _ => Err(broken(error)),
            },
        }
    }

    fn protocol(&self, what: String) -> PullError {
        PullError::Protocol { server: self.pulling.server, what }
    }

    fn too_many(&self, limit: u64, what: &'static str, advice: &'static str) -> PullError {
        PullError::TooMany { server: self.pulling.server, limit, what, advice }
    }
}

/// Pulls the map and the records of every owner, or of the one wanted, and ends the association.
///
/// # Errors
/// See [`PullError`]. What `sink` took before an error is not taken back.
pub fn pull(
    pulling: Pulling,
    sink: &mut dyn FnMut(Ipv4Addr, Vec<ReplicaRecord>) -> Result<(), String>,
) -> Result<Vec<OwnerRecord>, PullError> {
    let mut puller = Puller::open(pulling)?;
    let map = puller.map()?;
    let wanted = |owner: &&OwnerRecord| pulling.owner.is_none_or(|only| only == owner.owner);
    if let Some(owner) = pulling.owner
        && !map.iter().any(|known| known.owner == owner)
    {
        puller.close();
        return Err(PullError::NoSuchOwner { server: pulling.server, owner });
    }
    for owner in map.iter().filter(wanted) {
        puller.records(owner, sink)?;
    }
    puller.close();
    Ok(map)
}
