//! Replication messages to values and back.

use super::{
    Body, Message, Notification, OwnerRecord, ReplicaRecord, ReplicationError, Start, StopReason,
};
use std::net::Ipv4Addr;

/// Bytes after the versions of a start message.
pub(super) const START_PADDING: usize = 21;
/// Bytes after the reason of a stop.
pub(super) const STOP_PADDING: usize = 24;
/// Bytes of the length field, which does not count itself.
pub(super) const LENGTH_LEN: usize = 4;
/// Bytes of the header after the length field.
pub(super) const HEADER_LEN: usize = 12;

const START_REQUEST: u32 = 0;
const START_RESPONSE: u32 = 1;
const STOP: u32 = 2;
const REPLICATION: u32 = 3;

const MAP_REQUEST: u32 = 0;
const MAP_RESPONSE: u32 = 1;
const RECORDS_REQUEST: u32 = 2;
const RECORDS_RESPONSE: u32 = 3;
const NOTIFICATION: u32 = 4;
const NOTIFICATION_PROPAGATE: u32 = 5;
const NOTIFICATION_PERSISTENT: u32 = 8;
const NOTIFICATION_PERSISTENT_PROPAGATE: u32 = 9;

impl Message {
    /// Reads one whole message with its length field, as [`super::FrameReader`] cuts it out.
    pub fn decode(bytes: &[u8]) -> Result<Message, ReplicationError> {
        let mut reader = Reader { bytes, at: 0 };
        let claimed = reader.u32()?;
        let actual = bytes.len() - LENGTH_LEN;
        if claimed as usize != actual {
            return Err(ReplicationError::Length { claimed, actual });
        }
        let (reserved, handle, message_type) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let body = match message_type {
            START_REQUEST => Body::StartRequest(reader.start()?),
            START_RESPONSE => Body::StartResponse(reader.start()?),
            STOP => Body::Stop(StopReason::from_code(reader.u32()?)),
            REPLICATION => reader.replication()?,
            _ => Body::UnknownType { message_type, bytes: reader.rest() },
        };
        Ok(Message { reserved, handle, body, padding: reader.rest() })
    }

    /// Appends the message's bytes, the length field first.
    ///
    /// Panics if they come to 4 GiB, which no count of records in memory reaches.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        push_u32(0, out);
        push_u32(self.reserved, out);
        push_u32(self.handle, out);
        push_u32(self.body.message_type(), out);
        self.body.encode(out);
        out.extend_from_slice(&self.padding);
        let len = out.len() - start - LENGTH_LEN;
        let len = u32::try_from(len).expect("a message is far shorter than 4 GiB");
        out[start..start + LENGTH_LEN].copy_from_slice(&len.to_be_bytes());
    }
}

impl Body {
    /// The header's message type.
    fn message_type(&self) -> u32 {
        match self {
            Body::StartRequest(_) => START_REQUEST,
            Body::StartResponse(_) => START_RESPONSE,
            Body::Stop(_) => STOP,
            Body::UnknownType { message_type, .. } => *message_type,
            _ => REPLICATION,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Body::StartRequest(start) | Body::StartResponse(start) => {
                push_u32(start.sender_handle, out);
                out.extend_from_slice(&start.major.to_be_bytes());
                out.extend_from_slice(&start.minor.to_be_bytes());
            }
            Body::Stop(reason) => push_u32(reason.code(), out),
            Body::MapRequest => push_u32(MAP_REQUEST, out),
            Body::MapResponse { owners, reserved } => {
                push_u32(MAP_RESPONSE, out);
                push_owners(owners, out);
                push_u32(*reserved, out);
            }
            Body::RecordsRequest(wanted) => {
                push_u32(RECORDS_REQUEST, out);
                push_owner(wanted, out);
            }
            Body::RecordsResponse(records) => {
                push_u32(RECORDS_RESPONSE, out);
                push_u32(records.len() as u32, out);
                for record in records {
                    record.encode(out);
                }
            }
            Body::Notification(notification) => {
                push_u32(notification.opcode(), out);
                push_owners(&notification.owners, out);
                out.extend_from_slice(&notification.initiator.octets());
            }
            Body::UnknownOpcode { opcode, bytes } => {
                push_u32(*opcode, out);
                out.extend_from_slice(bytes);
            }
            Body::UnknownType { bytes, .. } => out.extend_from_slice(bytes),
        }
    }
}

impl Notification {
    /// The opcode: 4, 5, 8 or 9.
    pub fn opcode(&self) -> u32 {
        match (self.persistent, self.propagate) {
            (false, false) => NOTIFICATION,
            (false, true) => NOTIFICATION_PROPAGATE,
            (true, false) => NOTIFICATION_PERSISTENT,
            (true, true) => NOTIFICATION_PERSISTENT_PROPAGATE,
        }
    }
}

fn push_u32(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn push_owners(owners: &[OwnerRecord], out: &mut Vec<u8>) {
    push_u32(owners.len() as u32, out);
    for owner in owners {
        push_owner(owner, out);
    }
}

fn push_owner(owner: &OwnerRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(&owner.owner.octets());
    out.extend_from_slice(&owner.version_max.to_be_bytes());
    out.extend_from_slice(&owner.version_min.to_be_bytes());
    push_u32(owner.reserved, out);
}

/// Reads fields one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ReplicationError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..len).ok_or(ReplicationError::Truncated(self.bytes.len()))?;
        self.at += len;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReplicationError> {
        let rest = &self.bytes[self.at..];
        let array = rest.first_chunk().ok_or(ReplicationError::Truncated(self.bytes.len()))?;
        self.at += N;
        Ok(*array)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ReplicationError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ReplicationError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn ipv4(&mut self) -> Result<Ipv4Addr, ReplicationError> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    fn u16(&mut self) -> Result<u16, ReplicationError> {
        self.array().map(u16::from_be_bytes)
    }

    fn rest(&mut self) -> Vec<u8> {
        let rest = self.bytes[self.at..].to_vec();
        self.at = self.bytes.len();
        rest
    }

    fn start(&mut self) -> Result<Start, ReplicationError> {
        Ok(Start { sender_handle: self.u32()?, major: self.u16()?, minor: self.u16()? })
    }

    fn replication(&mut self) -> Result<Body, ReplicationError> {
        let opcode = self.u32()?;
        Ok(match opcode {
            MAP_REQUEST => Body::MapRequest,
            MAP_RESPONSE => Body::MapResponse { owners: self.owners()?, reserved: self.u32()? },
            RECORDS_REQUEST => Body::RecordsRequest(self.owner()?),
            RECORDS_RESPONSE => Body::RecordsResponse(self.records()?),
            NOTIFICATION
            | NOTIFICATION_PROPAGATE
            | NOTIFICATION_PERSISTENT
            | NOTIFICATION_PERSISTENT_PROPAGATE => Body::Notification(Notification {
                propagate: opcode & 1 != 0,
                persistent: opcode >= NOTIFICATION_PERSISTENT,
                owners: self.owners()?,
                initiator: self.ipv4()?,
            }),
            _ => Body::UnknownOpcode { opcode, bytes: self.rest() },
        })
    }

    /// A claimed count reserves no more memory than the bytes at hand can fill.
    fn capacity(&self, count: u32, len_min: usize) -> usize {
        (count as usize).min((self.bytes.len() - self.at) / len_min)
    }

    fn owners(&mut self) -> Result<Vec<OwnerRecord>, ReplicationError> {
        let count = self.u32()?;
        let mut owners = Vec::with_capacity(self.capacity(count, OwnerRecord::LEN));
        for _ in 0..count {
            owners.push(self.owner()?);
        }
        Ok(owners)
    }

    fn owner(&mut self) -> Result<OwnerRecord, ReplicationError> {
        Ok(OwnerRecord {
            owner: self.ipv4()?,
            version_max: self.u64()?,
            version_min: self.u64()?,
            reserved: self.u32()?,
        })
    }

    fn records(&mut self) -> Result<Vec<ReplicaRecord>, ReplicationError> {
        let count = self.u32()?;
        let mut records = Vec::with_capacity(self.capacity(count, ReplicaRecord::LEN_MIN));
        for _ in 0..count {
            records.push(ReplicaRecord::decode(self)?);
        }
        Ok(records)
    }
}
