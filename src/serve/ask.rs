//! Asking a name server or a node over real sockets, as a person at a terminal does.
//!
//! One request at a time: it is sent, repeated a few times, and the first answer that fits decides. A wait
//! for acknowledgement (WACK) stretches the time by what it says, up to a limit, and nothing is repeated
//! meanwhile (RFC 1002 4.2.16, 5.1.2.1). Answers of others, of other transactions and about other names are
//! counted and otherwise ignored.
//!
//! Promised: whatever comes back, an answer or an error within the time that the limits allow.

#![allow(clippy::disallowed_types)] // A person waits in real time.

use crate::base::SimDuration;
use crate::wire::name_service::{
    DecodeError, NamePacket, NbEntry, NbFlags, NodeStatistics, NodeStatusName, NodeType, Opcode,
    Rcode, compose,
};
use crate::wire::{NetbiosName, ScopeId};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};
use thiserror::Error;

/// The wait that a WACK may ask for, at most. Samba asks for 5 seconds and 4 for every address it must
/// challenge: 105 for the 25 addresses a record can hold.
pub const WACK_MAX: Duration = Duration::from_secs(120);
/// WACKs believed for one request. A server sends one; a peer that never ends must not hold us for ever.
pub const WACKS_MAX: usize = 8;
/// Datagrams looked at for one request. More than a flood of strangers' packets is not read.
pub const DATAGRAMS_MAX: usize = 10_000;

/// Where to ask, from where, how long and how often.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// The server or node.
    pub server: SocketAddrV4,
    /// The local address and port; unspecified and 0 leave the choice to the system.
    pub from: SocketAddrV4,
    /// How long one try waits: not zero.
    pub timeout: SimDuration,
    /// How often the request is sent: at least once.
    pub tries: u32,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Who holds this name?
    Query,
    /// I hold this name, at this address.
    Register {
        /// The address registered.
        address: Ipv4Addr,
        /// Group bit and node type.
        flags: NbFlags,
        /// Which of the three opcodes says it.
        kind: RegisterKind,
        /// Seconds the claimant offers; the server decides.
        ttl: u32,
    },
    /// I give this name up.
    Release {
        /// The address registered, `None` for the one the request is sent from.
        address: Option<Ipv4Addr>,
        /// Group bit and node type.
        flags: NbFlags,
    },
    /// Which names have you (RFC 1002 4.2.17)?
    Status,
}

/// How a claim is made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RegisterKind {
    /// Opcode 5.
    Plain,
    /// Opcode 8: the claim made before is renewed.
    Refresh,
    /// Opcode 15: one address of several (MS-NBTE 2.2.2).
    Multihomed,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The code; [`Rcode::Ok`] is the positive answer.
    pub rcode: Rcode,
    /// Seconds, as the answer says.
    pub ttl: u32,
    /// The address entries of the answer.
    pub entries: Vec<NbEntry>,
    /// The node's names and statistics, in answers to [`Request::Status`].
    pub status: Option<Status>,
    /// The waits asked for before the answer, in seconds.
    pub wacks: Vec<u32>,
    /// How often the request was sent.
    pub tries: u32,
    /// From the first sending to the answer.
    pub elapsed: SimDuration,
    /// The local address that was used.
    pub local: Ipv4Addr,
}

/// A node's name table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its names in its order.
    pub names: Vec<NodeStatusName>,
    /// Hardware address and counters, unless the answer was cut off before them.
    pub statistics: Option<NodeStatistics>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The local address or port cannot be used.
    #[error("cannot send from {from}: {error}; {}", advice_on_binding(*from, error.kind()))]
    Bind {
        /// What was wanted.
        from: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
    /// The system cannot send there.
    #[error("cannot send to {server}: {error}")]
    Send {
        /// Where to.
        server: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
    /// The machine is there, the service is not.
    #[error(
        "nobody listens on UDP port {} of {}: is the server running, and on this address? \
         (--port asks another port)",
        .0.port(), .0.ip()
    )]
    Refused(SocketAddrV4),
    /// Nothing came, or nothing that fits.
    #[error("no answer from {server} to {tries} {}{}", requests(*tries), .strange.advice())]
    Silent {
        /// Who was asked.
        server: SocketAddrV4,
        /// How often.
        tries: u32,
        /// What came instead.
        strange: Strange,
    },
}

/// What came and was no answer.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Strange {
    /// Datagrams that are no name service message, the last one's flaw.
    pub malformed: Option<DecodeError>,
    /// Answers to something else.
    pub others: u32,
    /// WACKs, after which nothing followed.
    pub wacks: u32,
}

impl Strange {
    fn advice(&self) -> String {
        if self.wacks > 0 {
            return ": it asked to wait (WACK) and then fell silent".to_string();
        }
        if let Some(flaw) = self.malformed {
            return format!(": what came was malformed ({flaw})");
        }
        if self.others > 0 {
            return format!(": {} datagrams came that answer something else", self.others);
        }
        ": check address and firewall, or give it more time with --timeout and --tries".to_string()
    }
}

fn requests(tries: u32) -> &'static str {
    if tries == 1 { "request" } else { "requests" }
}

fn advice_on_binding(from: SocketAddrV4, kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrNotAvailable => "give --from an address of this machine",
        ErrorKind::AddrInUse => "another program has this port: leave the port out",
        ErrorKind::PermissionDenied if from.port() < 1024 => {
            "ports below 1024 are for administrators: leave the port out"
        }
        _ => "leave --from out to use any address",
    }
}

/// Asks once, with repetitions.
///
/// # Errors
/// See [`AskError`]. A negative answer is a [`Reply`].
pub fn ask(
    asking: &Asking,
    request: &Request,
    name: &NetbiosName,
    scope: &ScopeId,
) -> Result<Reply, AskError> {
    let bind = |error| AskError::Bind { from: asking.from, error };
    let send = |error| AskError::Send { server: asking.server, error };
    let socket = UdpSocket::bind(asking.from).map_err(bind)?;
    // Connected, so that the system keeps strangers out and says when nobody listens.
    socket.connect(asking.server).map_err(send)?;
    let local = match socket.local_addr().map_err(send)?.ip() {
        std::net::IpAddr::V4(local) => local,
        std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    let id = RandomState::new().hash_one(asking.server) as u16;
    let bytes = compose_request(id, request, name, scope, local);
    let mut talk = Talk {
        asking,
        socket,
        expected: Expected { id, request, name, scope },
        wacks: Vec::new(),
        strange: Strange::default(),
        datagrams: 0,
    };
    let start = Instant::now();
    for tries in 1..=asking.tries.max(1) {
        talk.send(&bytes)?;
        if let Some(answer) = talk.wait(Instant::now() + duration(asking.timeout))? {
            return Ok(Reply {
                wacks: talk.wacks,
                tries,
                elapsed: SimDuration::from_nanos(start.elapsed().as_nanos() as u64),
                local,
                ..answer
            });
        }
    }
    talk.strange.wacks = talk.wacks.len() as u32;
    Err(AskError::Silent {
        server: asking.server,
        tries: asking.tries.max(1),
        strange: talk.strange,
    })
}

/// The bytes of a request.
fn compose_request(
    id: u16,
    request: &Request,
    name: &NetbiosName,
    scope: &ScopeId,
    local: Ipv4Addr,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let claim = |address, nb_flags, ttl| compose::Claim {
        id,
        name,
        scope,
        nb_flags,
        address,
        ttl,
        broadcast: false,
    };
    match *request {
        Request::Query => compose::query(id, name, scope, false, &mut bytes),
        Request::Status => compose::node_status_request(id, name, scope, false, &mut bytes),
        Request::Register { address, flags, kind, ttl } => {
            let claim = claim(address, flags, ttl);
            match kind {
                RegisterKind::Plain => compose::registration(&claim, &mut bytes),
                RegisterKind::Refresh => compose::refresh(&claim, &mut bytes),
                RegisterKind::Multihomed => compose::multihomed_registration(&claim, &mut bytes),
            }
        }
        Request::Release { address, flags } => {
            compose::release(&claim(address.unwrap_or(local), flags, 0), &mut bytes);
        }
    }
    bytes
}

/// One request and what has come back so far.
struct Talk<'a> {
    asking: &'a Asking,
    socket: UdpSocket,
    expected: Expected<'a>,
    wacks: Vec<u32>,
    strange: Strange,
    datagrams: usize,
}

impl Talk<'_> {
    fn send(&self, bytes: &[u8]) -> Result<(), AskError> {
        match self.socket.send(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                Err(AskError::Refused(self.asking.server))
            }
            Err(error) => Err(AskError::Send { server: self.asking.server, error }),
        }
    }

    /// Waits for the answer until `end`, or longer if a WACK says so.
    fn wait(&mut self, mut end: Instant) -> Result<Option<Reply>, AskError> {
        let mut buffer = [0; 65_536];
        while self.datagrams < DATAGRAMS_MAX {
            let Some(left) = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())
            else {
                return Ok(None);
            };
            let failed = |error| AskError::Send { server: self.asking.server, error };
            self.socket.set_read_timeout(Some(left)).map_err(failed)?;
            let len = match self.socket.recv(&mut buffer) {
                Ok(len) => len,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(None),
                    ErrorKind::Interrupted => continue,
                    ErrorKind::ConnectionRefused => {
                        return Err(AskError::Refused(self.asking.server));
                    }
                    _ => return Err(failed(error)),
                },
            };
            self.datagrams += 1;
            match self.expected.judge(&buffer[..len]) {
                Heard::Answer(reply) => return Ok(Some(reply)),
                Heard::Wack(seconds) if self.wacks.len() < WACKS_MAX => {
                    self.wacks.push(seconds);
                    let pause = Duration::from_secs(u64::from(seconds)).min(WACK_MAX);
                    end = end.max(Instant::now() + pause);
                }
                Heard::Wack(_) | Heard::Other => self.strange.others += 1,
                Heard::Malformed(flaw) => self.strange.malformed = Some(flaw),
            }
        }
        Ok(None)
    }
}

/// What an answer must look like.
struct Expected<'a> {
    id: u16,
    request: &'a Request,
    name: &'a NetbiosName,
    scope: &'a ScopeId,
}

enum Heard {
    Answer(Reply),
    Wack(u32),
    Other,
    Malformed(DecodeError),
}

impl Expected<'_> {
    fn judge(&self, bytes: &[u8]) -> Heard {
        let packet = match NamePacket::decode(bytes) {
            Ok(packet) => packet,
            Err(flaw) => return Heard::Malformed(flaw),
        };
        let about = packet.name().is_none_or(|it| it == (self.name, self.scope));
        if packet.id != self.id || !packet.flags.is_response() || !about {
            return Heard::Other;
        }
        let opcode = packet.opcode();
        let record = packet.answer.as_ref();
        if opcode == Opcode::Wack {
            return record.map_or(Heard::Other, |record| Heard::Wack(record.ttl));
        }
        // Refreshes are answered as registrations, by some with the opcode of the request.
        let fits = match self.request {
            Request::Query | Request::Status => opcode == Opcode::Query,
            Request::Register { .. } => matches!(
                opcode,
                Opcode::Registration
                    | Opcode::Refresh
                    | Opcode::RefreshAlternate
                    | Opcode::MultihomedRegistration
            ),
            Request::Release { .. } => opcode == Opcode::Release,
        };
        let rcode = packet.flags.rcode();
        let status = match (self.request, record) {
            (Request::Status, Some(record)) => record
                .node_status()
                .map(|it| Status { names: it.names().collect(), statistics: it.statistics() }),
            _ => None,
        };
        let positive = rcode == Rcode::Ok;
        let lacks = match self.request {
            Request::Status => status.is_none(),
            Request::Query => record.is_none_or(|record| record.entries().len() == 0),
            _ => false,
        };
        if !fits || (positive && lacks) {
            return Heard::Other;
        }
        Heard::Answer(Reply {
            rcode,
            ttl: record.map_or(0, |record| record.ttl),
            entries: match self.request {
                Request::Status => Vec::new(),
                _ => record.map_or(Vec::new(), |record| record.entries().collect()),
            },
            status,
            wacks: Vec::new(),
            tries: 0,
            elapsed: SimDuration::ZERO,
            local: Ipv4Addr::UNSPECIFIED,
        })
    }
}

/// A code by the name that RFC 1002 gives it, such as `NAM_ERR`.
pub fn rcode_name(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::Ok => "OK",
        Rcode::FormatError => "FMT_ERR",
        Rcode::ServerFailure => "SRV_ERR",
        Rcode::NameError => "NAM_ERR",
        Rcode::Unsupported => "IMP_ERR",
        Rcode::Refused => "RFS_ERR",
        Rcode::Active => "ACT_ERR",
        Rcode::Conflict => "CFT_ERR",
        Rcode::Unknown(_) => "unknown",
    }
}

/// What a code means, in words (RFC 1002 4.2.6, 4.2.11, 4.2.14).
pub fn rcode_meaning(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::Ok => "the answer is yes",
        Rcode::FormatError => "the server found the request malformed",
        Rcode::ServerFailure => "the server failed and cannot process names",
        Rcode::NameError => "the server knows no such name",
        Rcode::Unsupported => "the server does not support this request",
        Rcode::Refused => "the server refuses this by its policy",
        Rcode::Active => "another node owns the name",
        Rcode::Conflict => "the name is in conflict: more than one node holds it",
        Rcode::Unknown(_) => "no documented meaning",
    }
}

/// The node type as one letter.
pub fn node_letter(node_type: NodeType) -> char {
    match node_type {
        NodeType::B => 'B',
        NodeType::P => 'P',
        NodeType::M => 'M',
        NodeType::H => 'H',
    }
}

pub(super) fn duration(length: SimDuration) -> Duration {
    Duration::from_nanos(length.nanos())
}
