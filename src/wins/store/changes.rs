//! Changes on their way into the database: gathered, then written together.

use super::super::io::StoreOp;
use super::super::record::{NameRecord, Owner, VersionId};
use super::super::{RecordBytesError, WinsOutput};
use crate::base::Outbox;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Room that stays between commits, bytes: some thousand changes.
const GATHERED_KEPT: usize = 256 << 10;

/// Changes as they come: appended to one buffer, sorted out when they are written.
///
/// A server hands over a change for most requests, and a commit follows after many: so a request pays for a
/// copy of a record, and the commit for the order.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// In the journal's form.
    bytes: Vec<u8>,
    changes: usize,
}

/// A set of changes. A later change of the same record, owner or reserve replaces the earlier one.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// By key: the rest of the record, `None` for a deleted one.
    pub records: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
    /// Maxima of other owners, `None` for a forgotten owner.
    pub owners: BTreeMap<Owner, Option<VersionId>>,
    /// The end of the last reserve of own versions.
    pub reserved: Option<VersionId>,
}

/// What a change begins with in the journal.
#[derive(Copy, Clone)]
enum Tag {
    Put = 1,
    Delete = 2,
    Maximum = 3,
    Forget = 4,
    Reserve = 5,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.changes == 0
    }

    /// How many changes, with those that a later one replaces.
    pub(super) fn len(&self) -> usize {
        self.changes
    }

    /// Takes one operation in; its bytes are in `out`.
    pub(super) fn gather(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) {
        self.changes += 1;
        let buf = &mut self.bytes;
        match *op {
            StoreOp::Put { record } => {
                let bytes = out.bytes(record);
                let key = NameRecord::key_len(bytes);
                assert!(key.is_some(), "a record to be stored begins with its key");
                push_record(Tag::Put, &[bytes], buf);
            }
            StoreOp::Delete { key } => push_record(Tag::Delete, &[out.bytes(key)], buf),
            StoreOp::OwnerMaximum { owner, version } => push_owner(owner, Some(version), buf),
            StoreOp::ForgetOwner { owner } => push_owner(owner, None, buf),
            StoreOp::ReserveVersions { upto } => push_reserve(upto, buf),
        }
    }

    /// Lets everything gathered follow what is in `changes`; nothing is gathered any more.
    pub(super) fn settle(&mut self, changes: &mut Changes) {
        let decoded = changes.decode(&self.bytes);
        decoded.expect("what was gathered is in the journal's form");
        self.bytes.clear();
        // A flood's worth of room is not kept for ever.
        self.bytes.shrink_to(GATHERED_KEPT);
        self.changes = 0;
    }
}

fn push_record(tag: Tag, parts: &[&[u8]], buf: &mut Vec<u8>) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    buf.push(tag as u8);
    buf.extend_from_slice(&(len as u16).to_be_bytes());
    parts.iter().for_each(|part| buf.extend_from_slice(part));
}

fn push_owner(owner: Owner, maximum: Option<VersionId>, buf: &mut Vec<u8>) {
    buf.push(if maximum.is_some() { Tag::Maximum } else { Tag::Forget } as u8);
    buf.extend_from_slice(&owner.0.octets());
    if let Some(maximum) = maximum {
        buf.extend_from_slice(&maximum.0.to_be_bytes());
    }
}

fn push_reserve(upto: VersionId, buf: &mut Vec<u8>) {
    buf.push(Tag::Reserve as u8);
    buf.extend_from_slice(&upto.0.to_be_bytes());
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.owners.is_empty() && self.reserved.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() + self.owners.len() + usize::from(self.reserved.is_some())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RecordBytesError> {
        let key_len = NameRecord::key_len(bytes).ok_or(RecordBytesError::Truncated)?;
        let (key, body) = bytes.split_at(key_len);
        self.records.insert(key.into(), Some(body.into()));
        Ok(())
    }

    /// Lets `later` follow; it is empty afterwards.
    pub(super) fn append(&mut self, later: &mut Changes) {
        // One by one: `BTreeMap::append` goes through both maps, and behind a commit of a few records stands
        // a journal of many thousands.
        self.records.extend(std::mem::take(&mut later.records));
        self.owners.extend(std::mem::take(&mut later.owners));
        self.reserved = later.reserved.take().or(self.reserved);
    }

    /// Appends the changes in the journal's form: per change a tag, then 2 bytes of length and a record or a
    /// key, or numbers. All big-endian.
    pub(super) fn encode(&self, buf: &mut Vec<u8>) {
        for (key, body) in &self.records {
            let tag = if body.is_some() { Tag::Put } else { Tag::Delete };
            push_record(tag, &[key, body.as_deref().unwrap_or_default()], buf);
        }
        for (owner, maximum) in &self.owners {
            push_owner(*owner, *maximum, buf);
        }
        if let Some(reserved) = self.reserved {
            push_reserve(reserved, buf);
        }
    }

    /// Takes in what [`Changes::encode`] wrote. `None` if the bytes are something else.
    pub(super) fn decode(&mut self, mut bytes: &[u8]) -> Option<()> {
        let bytes = &mut bytes;
        while let Some((&tag, rest)) = bytes.split_first() {
            *bytes = rest;
            match tag {
                1 | 2 => {
                    let len = u16::from_be_bytes(take(bytes)?);
                    let (record, rest) = bytes.split_at_checked(usize::from(len))?;
                    *bytes = rest;
                    match tag {
                        1 => self.put(record).ok()?,
                        _ => drop(self.records.insert(record.into(), None)),
                    }
                }
                3 | 4 => {
                    let owner = Owner(Ipv4Addr::from(take::<4>(bytes)?));
                    let maximum = match tag {
                        3 => Some(VersionId(u64::from_be_bytes(take(bytes)?))),
                        _ => None,
                    };
                    self.owners.insert(owner, maximum);
                }
                5 => self.reserved = Some(VersionId(u64::from_be_bytes(take(bytes)?))),
                _ => return None,
            }
        }
        Some(())
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}
