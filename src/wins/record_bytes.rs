//! The stored form of a record.
//!
//! ```text
//! key    16 name, 1 scope length, scope
//! value  1 kind | state << 2 | static << 4 | node type << 5,  4 owner,  8 version,  8 stamp,
//!        1 member count, then per member 4 address, 4 owner, 8 stamp
//! ```
//! Numbers are big-endian. The key comes first, so a database can split the bytes at [`NameRecord::key_len`].

use super::members::{MEMBERS_MAX, Members};
use super::record::{Member, NameKind, NameRecord, Origin, Owner, RecordState, VersionId};
use crate::base::WallTime;
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, ScopeId};
use std::net::Ipv4Addr;
use thiserror::Error;

/// Why stored bytes are no record.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum RecordBytesError {
    /// They end early.
    #[error("the stored record ends early")]
    Truncated,
    /// Bytes are left over.
    #[error("{0} bytes follow the stored record")]
    TooLong(usize),
    /// The scope is none.
    #[error("the stored record has a malformed scope")]
    BadScope,
    /// State 3 is reserved.
    #[error("the stored record has the reserved state 3")]
    BadState,
    /// More members than a record holds.
    #[error("the stored record has {0} members, a record holds at most {MEMBERS_MAX}")]
    TooManyMembers(u8),
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordBytesError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(RecordBytesError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }
    fn byte(&mut self) -> Result<u8, RecordBytesError> {
        Ok(self.take::<1>()?[0])
    }
    fn u64(&mut self) -> Result<u64, RecordBytesError> {
        Ok(u64::from_be_bytes(self.take()?))
    }
    fn address(&mut self) -> Result<Ipv4Addr, RecordBytesError> {
        Ok(Ipv4Addr::from(self.take::<4>()?))
    }
}

impl NameRecord {
    /// Appends the key of a name.
    pub fn encode_key(name: &NetbiosName, scope: &ScopeId, buf: &mut Vec<u8>) {
        // Scopes over 237 bytes are refused at registration; replicas are cut to it.
        let scope = scope.as_bytes();
        let length = scope.len().min(255);
        buf.extend_from_slice(name.as_bytes());
        buf.push(length as u8);
        buf.extend_from_slice(&scope[..length]);
    }

    /// How many of the bytes are the key.
    pub fn key_len(bytes: &[u8]) -> Option<usize> {
        let length = 17 + usize::from(*bytes.get(16)?);
        (bytes.len() >= length).then_some(length)
    }

    /// Appends key and value.
    pub fn encode(&self, buf: &mut Vec<u8>) {
        NameRecord::encode_key(&self.name, &self.scope, buf);
        let fixed = u8::from(self.is_static()) << 4;
        buf.push(self.kind.code() | self.state.code() << 2 | fixed | self.node_type.bits() << 5);
        buf.extend_from_slice(&self.owner.0.octets());
        buf.extend_from_slice(&self.version.0.to_be_bytes());
        buf.extend_from_slice(&self.stamp.0.to_be_bytes());
        let members = &self.members.as_slice()[..self.members.len().min(MEMBERS_MAX)];
        buf.push(members.len() as u8);
        for member in members {
            buf.extend_from_slice(&member.address.octets());
            buf.extend_from_slice(&member.owner.0.octets());
            buf.extend_from_slice(&member.stamp.0.to_be_bytes());
        }
    }

    /// The record in these bytes.
    pub fn decode(bytes: &[u8]) -> Result<NameRecord, RecordBytesError> {
        let mut reader = Reader(bytes);
        let name = NetbiosName::from_bytes(reader.take()?);
        let scope_length = usize::from(reader.byte()?);
        let (scope, rest) =
            reader.0.split_at_checked(scope_length).ok_or(RecordBytesError::Truncated)?;
        let mut reader = Reader(rest);
        let flags = reader.byte()?;
        let mut record = NameRecord {
            name,
            scope: ScopeId::replicated(scope).map_err(|_| RecordBytesError::BadScope)?,
            kind: NameKind::from_code(flags),
            state: RecordState::from_code(flags >> 2).ok_or(RecordBytesError::BadState)?,
            origin: if flags & 0x10 != 0 { Origin::Static } else { Origin::Dynamic },
            node_type: NodeType::from_bits((flags >> 5) & 3),
            owner: Owner(reader.address()?),
            version: VersionId(reader.u64()?),
            stamp: WallTime(reader.u64()?),
            members: Members::none(),
        };
        let count = reader.byte()?;
        if usize::from(count) > MEMBERS_MAX {
            return Err(RecordBytesError::TooManyMembers(count));
        }
        for _ in 0..count {
            record.members.push(Member {
                address: reader.address()?,
                owner: Owner(reader.address()?),
                stamp: WallTime(reader.u64()?),
            });
        }
        match reader.0.len() {
            0 => Ok(record),
            left => Err(RecordBytesError::TooLong(left)),
        }
    }
}
