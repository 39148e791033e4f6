//! Changes on their way into the database: gathered, then written together.

use super::super::io::StoreOp;
use super::super::record::{NameRecord, Owner, VersionId};
use super::super::{RecordBytesError, WinsOutput};
use crate::base::Outbox;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

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

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.owners.is_empty() && self.reserved.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() + self.owners.len() + usize::from(self.reserved.is_some())
    }

    /// Takes one operation in; its bytes are in `out`.
    pub(super) fn gather(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) {
        match *op {
            StoreOp::Put { record } => {
                let put = self.put(out.bytes(record));
                put.expect("a record to be stored begins with its key");
            }
            StoreOp::Delete { key } => {
                self.records.insert(out.bytes(key).into(), None);
            }
            StoreOp::OwnerMaximum { owner, version } => {
                self.owners.insert(owner, Some(version));
            }
            StoreOp::ForgetOwner { owner } => {
                self.owners.insert(owner, None);
            }
            StoreOp::ReserveVersions { upto } => self.reserved = Some(upto),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RecordBytesError> {
        let key_len = NameRecord::key_len(bytes).ok_or(RecordBytesError::Truncated)?;
        let (key, body) = bytes.split_at(key_len);
        self.records.insert(key.into(), Some(body.into()));
        Ok(())
    }

    /// Lets `later` follow; it is empty afterwards.
    pub(super) fn append(&mut self, later: &mut Changes) {
        self.records.append(&mut later.records);
        self.owners.append(&mut later.owners);
        self.reserved = later.reserved.take().or(self.reserved);
    }

    /// Appends the changes in the journal's form: per change a tag, then 2 bytes of length and a record or a
    /// key, or numbers. All big-endian.
    pub(super) fn encode(&self, buf: &mut Vec<u8>) {
        for (key, body) in &self.records {
            let body_len = body.as_ref().map_or(0, |body| body.len());
            buf.push(if body.is_some() { Tag::Put } else { Tag::Delete } as u8);
            buf.extend_from_slice(&((key.len() + body_len) as u16).to_be_bytes());
            buf.extend_from_slice(key);
            buf.extend_from_slice(body.as_deref().unwrap_or_default());
        }
        for (owner, maximum) in &self.owners {
            buf.push(if maximum.is_some() { Tag::Maximum } else { Tag::Forget } as u8);
            buf.extend_from_slice(&owner.0.octets());
            if let Some(maximum) = maximum {
                buf.extend_from_slice(&maximum.0.to_be_bytes());
            }
        }
        if let Some(reserved) = self.reserved {
            buf.push(Tag::Reserve as u8);
            buf.extend_from_slice(&reserved.0.to_be_bytes());
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
