//! The NetBIOS name service (RFC 1002 4.2), UDP port 137.
//!
//! One shape serves every message: a header, at most one question and at most one record in each of the
//! answer, authority and additional sections. Record data borrow from the packet, so decoding allocates
//! nothing for a name without scope.
//!
//! Promised: decoding never panics, and what decodes encodes to the same bytes. Names that go on behind
//! a compression pointer, other than the whole name at the start of the packet, are refused; no message
//! of RFC 1002 needs them.

mod codec;
pub mod compose;
mod node_status;

pub use codec::peek;
pub use node_status::{NameFlags, NodeStatistics, NodeStatus, NodeStatusName};

use super::name::{NetbiosName, ScopeId};
use std::net::Ipv4Addr;
use thiserror::Error;

/// UDP port of the name service.
pub const PORT: u16 = 137;

/// What a message asks for, bits 14 to 11 of the flags word.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Opcode {
    /// 0: query, node status.
    Query,
    /// 5: registration.
    Registration,
    /// 6: release.
    Release,
    /// 7: wait for acknowledgement.
    Wack,
    /// 8: refresh.
    Refresh,
    /// 9: refresh, as RFC 1002 4.2.4 draws it.
    RefreshAlternate,
    /// 15: registration of one address of a multihomed host (NBTE 2.2.2).
    MultihomedRegistration,
    /// Anything else.
    Unknown(u8),
}

/// What an answer says, bits 3 to 0 of the flags word.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Rcode {
    /// 0: yes.
    Ok,
    /// 1: malformed request.
    FormatError,
    /// 2: the server failed.
    ServerFailure,
    /// 3: no such name.
    NameError,
    /// 4: unsupported request.
    Unsupported,
    /// 5: refused by policy.
    Refused,
    /// 6: owned by another node.
    Active,
    /// 7: held by more than one node: the conflict demand.
    Conflict,
    /// Anything else.
    Unknown(u8),
}

/// The flags word of the header. Every bit is kept.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct Flags(pub u16);

/// How a node registers and resolves (RFC 1001 10; H is Microsoft's, Q189101).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum NodeType {
    /// Broadcast.
    #[default]
    B,
    /// Point to point: name server only.
    P,
    /// Mixed: broadcast, then name server.
    M,
    /// Hybrid: name server, then broadcast.
    H,
}

/// NB_FLAGS of an address entry: group bit, node type, and the reserved bits as they came.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct NbFlags(pub u16);

/// One address entry of an NB record.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NbEntry {
    /// Group bit and node type.
    pub flags: NbFlags,
    /// The address.
    pub address: Ipv4Addr,
}

/// What a question asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// The name.
    pub name: NetbiosName,
    /// Its scope.
    pub scope: ScopeId,
    /// NB (0x20), NBSTAT (0x21) or anything else.
    pub rr_type: u16,
    /// IN (1) or anything else.
    pub class: u16,
}

/// A resource record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// The name, `None` when the packet points at its first name (0xC00C), as a rule the question's,
    /// instead of repeating it.
    pub name: Option<(NetbiosName, ScopeId)>,
    /// NB, NBSTAT, NULL or anything else.
    pub rr_type: u16,
    /// IN or anything else.
    pub class: u16,
    /// Seconds.
    pub ttl: u32,
    /// The data as they came: see [`Record::entries`].
    pub rdata: &'a [u8],
}

/// A name service message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePacket<'a> {
    /// Transaction id.
    pub id: u16,
    /// Response bit, opcode, flags and code.
    pub flags: Flags,
    /// The question, in requests.
    pub question: Option<Question>,
    /// The answer, in responses.
    pub answer: Option<Record<'a>>,
    /// The authority record, in redirects alone.
    pub authority: Option<Record<'a>>,
    /// The additional record, in registrations, refreshes, releases and redirects.
    pub additional: Option<Record<'a>>,
    /// Bytes after the last record, kept as they came.
    pub trailing: &'a [u8],
}

/// Why bytes are no name service message. Offsets count from the start of the packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The packet ends inside a field.
    #[error("the packet ends at byte {0}, inside a field")]
    Truncated(usize),
    /// A name is not 32 letters A to P, or a label is too long.
    #[error("bad encoded name at byte {0}")]
    BadName(usize),
    /// A compression pointer other than the one to the packet's first name.
    #[error("name pointer at byte {0} does not point at the packet's first name")]
    BadPointer(usize),
    /// More records than any name service message has.
    #[error("{0} questions, {1} answers, {2} authority and {3} additional records")]
    Counts(u16, u16, u16, u16),
}

/// Record type NB.
pub const TYPE_NB: u16 = 0x0020;
/// Record type NBSTAT.
pub const TYPE_NBSTAT: u16 = 0x0021;
/// Record type NULL: the answer to a query for an unknown name.
pub const TYPE_NULL: u16 = 0x000A;
/// Record type NS: the redirect.
pub const TYPE_NS: u16 = 0x0002;
/// Record type A: the address in a redirect.
pub const TYPE_A: u16 = 0x0001;
/// Class IN.
pub const CLASS_IN: u16 = 1;

impl Opcode {
    /// The opcode with this number; only the low four bits count.
    pub const fn from_code(code: u8) -> Opcode {
        match code & 0x0F {
            0 => Opcode::Query,
            5 => Opcode::Registration,
            6 => Opcode::Release,
            7 => Opcode::Wack,
            8 => Opcode::Refresh,
            9 => Opcode::RefreshAlternate,
            15 => Opcode::MultihomedRegistration,
            other => Opcode::Unknown(other),
        }
    }

    /// Its number, 0 to 15.
    pub const fn code(self) -> u8 {
        match self {
            Opcode::Query => 0,
            Opcode::Registration => 5,
            Opcode::Release => 6,
            Opcode::Wack => 7,
            Opcode::Refresh => 8,
            Opcode::RefreshAlternate => 9,
            Opcode::MultihomedRegistration => 15,
            Opcode::Unknown(other) => other & 0x0F,
        }
    }
}

impl Rcode {
    /// The code with this number; only the low four bits count.
    pub const fn from_code(code: u8) -> Rcode {
        match code & 0x0F {
            0 => Rcode::Ok,
            1 => Rcode::FormatError,
            2 => Rcode::ServerFailure,
            3 => Rcode::NameError,
            4 => Rcode::Unsupported,
            5 => Rcode::Refused,
            6 => Rcode::Active,
            7 => Rcode::Conflict,
            other => Rcode::Unknown(other),
        }
    }

    /// Its number, 0 to 15.
    pub const fn code(self) -> u8 {
        match self {
            Rcode::Ok => 0,
            Rcode::FormatError => 1,
            Rcode::ServerFailure => 2,
            Rcode::NameError => 3,
            Rcode::Unsupported => 4,
            Rcode::Refused => 5,
            Rcode::Active => 6,
            Rcode::Conflict => 7,
            Rcode::Unknown(other) => other & 0x0F,
        }
    }
}

impl Flags {
    const RESPONSE: u16 = 0x8000;
    const AUTHORITATIVE: u16 = 0x0400;
    const TRUNCATED: u16 = 0x0200;
    const RECURSION_DESIRED: u16 = 0x0100;
    const RECURSION_AVAILABLE: u16 = 0x0080;
    const BROADCAST: u16 = 0x0010;

    /// A request with this opcode, all flags clear.
    pub const fn request(opcode: Opcode) -> Flags {
        Flags((opcode.code() as u16) << 11)
    }

    /// A response with this opcode and code, all flags clear.
    pub const fn response(opcode: Opcode, rcode: Rcode) -> Flags {
        Flags(Flags::RESPONSE | (opcode.code() as u16) << 11 | rcode.code() as u16)
    }

    /// Whether this is a response.
    pub const fn is_response(self) -> bool {
        self.0 & Flags::RESPONSE != 0
    }

    /// What is asked for or answered.
    pub const fn opcode(self) -> Opcode {
        Opcode::from_code((self.0 >> 11) as u8)
    }

    /// AA: the responder is an authority for the name.
    pub const fn authoritative(self) -> bool {
        self.0 & Flags::AUTHORITATIVE != 0
    }

    /// TC: the message did not fit.
    pub const fn truncated(self) -> bool {
        self.0 & Flags::TRUNCATED != 0
    }

    /// RD: in requests, the sender takes the receiver for a name server.
    pub const fn recursion_desired(self) -> bool {
        self.0 & Flags::RECURSION_DESIRED != 0
    }

    /// RA: in responses, the sender is a name server.
    pub const fn recursion_available(self) -> bool {
        self.0 & Flags::RECURSION_AVAILABLE != 0
    }

    /// B: the packet was broadcast.
    pub const fn broadcast(self) -> bool {
        self.0 & Flags::BROADCAST != 0
    }

    /// What the answer says.
    pub const fn rcode(self) -> Rcode {
        Rcode::from_code(self.0 as u8)
    }

    /// The same with AA set or clear.
    pub const fn with_authoritative(self, on: bool) -> Flags {
        self.with(Flags::AUTHORITATIVE, on)
    }

    /// The same with TC set or clear.
    pub const fn with_truncated(self, on: bool) -> Flags {
        self.with(Flags::TRUNCATED, on)
    }

    /// The same with RD set or clear.
    pub const fn with_recursion_desired(self, on: bool) -> Flags {
        self.with(Flags::RECURSION_DESIRED, on)
    }

    /// The same with RA set or clear.
    pub const fn with_recursion_available(self, on: bool) -> Flags {
        self.with(Flags::RECURSION_AVAILABLE, on)
    }

    /// The same with B set or clear.
    pub const fn with_broadcast(self, on: bool) -> Flags {
        self.with(Flags::BROADCAST, on)
    }

    /// The same with this code.
    pub const fn with_rcode(self, rcode: Rcode) -> Flags {
        Flags(self.0 & !0x000F | rcode.code() as u16)
    }

    const fn with(self, bit: u16, on: bool) -> Flags {
        Flags(if on { self.0 | bit } else { self.0 & !bit })
    }
}

impl NodeType {
    /// The two bits of the wire: 0 B, 1 P, 2 M, 3 H; only the low two bits count.
    pub const fn from_bits(bits: u8) -> NodeType {
        match bits & 3 {
            0 => NodeType::B,
            1 => NodeType::P,
            2 => NodeType::M,
            _ => NodeType::H,
        }
    }

    /// The two bits of the wire.
    pub const fn bits(self) -> u8 {
        match self {
            NodeType::B => 0,
            NodeType::P => 1,
            NodeType::M => 2,
            NodeType::H => 3,
        }
    }
}

impl NbFlags {
    const GROUP: u16 = 0x8000;

    /// Flags with the group bit and node type given, reserved bits clear.
    pub const fn new(is_group: bool, node_type: NodeType) -> NbFlags {
        let group = if is_group { NbFlags::GROUP } else { 0 };
        NbFlags(group | (node_type.bits() as u16) << 13)
    }

    /// G: a group name.
    pub const fn is_group(self) -> bool {
        self.0 & NbFlags::GROUP != 0
    }

    /// ONT: the owner's node type.
    pub const fn node_type(self) -> NodeType {
        NodeType::from_bits((self.0 >> 13) as u8)
    }
}

impl NbEntry {
    /// Bytes of an entry on the wire.
    pub const LEN: usize = 6;

    /// The entry's bytes (RFC 1002 4.2.1.3).
    pub const fn to_bytes(self) -> [u8; NbEntry::LEN] {
        let ([f0, f1], [a, b, c, d]) = (self.flags.0.to_be_bytes(), self.address.octets());
        [f0, f1, a, b, c, d]
    }
}

impl<'a> Record<'a> {
    /// The address entries of an NB record, in order. A partial entry at the end is skipped.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = NbEntry> + Clone + use<'a> {
        self.rdata.chunks_exact(NbEntry::LEN).map(|chunk| NbEntry {
            flags: NbFlags(u16::from_be_bytes([chunk[0], chunk[1]])),
            address: Ipv4Addr::new(chunk[2], chunk[3], chunk[4], chunk[5]),
        })
    }

    /// The names and statistics of a node status response, `None` if the data are too short for them.
    pub fn node_status(&self) -> Option<NodeStatus<'a>> {
        NodeStatus::new(self.rdata)
    }
}

impl NamePacket<'_> {
    /// The name the message is about: the question's, or else the answer's or the authority record's.
    pub fn name(&self) -> Option<(&NetbiosName, &ScopeId)> {
        if let Some(question) = &self.question {
            return Some((&question.name, &question.scope));
        }
        let first = self.answer.as_ref().or(self.authority.as_ref())?;
        first.name.as_ref().map(|(name, scope)| (name, scope))
    }

    /// The opcode of the flags word.
    pub fn opcode(&self) -> Opcode {
        self.flags.opcode()
    }
}
