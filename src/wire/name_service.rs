//! The NetBIOS name service (RFC 1002 4.2), UDP port 137.
//!
//! One shape serves every message: a header, at most one question, at most one answer and at most one
//! additional record. Record data borrow from the packet, so decoding allocates nothing for a name
//! without scope.

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
    /// The name, `None` when the packet points at the question's name (0xC00C) instead of repeating it.
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
    /// The additional record, in registrations, refreshes and releases.
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
    /// A compression pointer other than the one to the question's name.
    #[error("name pointer at byte {0} does not point at the question")]
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
/// Class IN.
pub const CLASS_IN: u16 = 1;
