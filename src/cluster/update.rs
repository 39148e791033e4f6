//! Global updates: what every member applies, in one order, and how it looks as bytes.
//!
//! | update | bytes |
//! | --- | --- |
//! | database | 1, count u32, changes |
//! | node paused | 2, node u8, 0 or 1 |
//! | node up | 3, node u8, after u64 |
//! | group owner | 4, group u16, node u8, generation u32, reason u8 |
//! | resource state | 5, resource u16, state u8 |
//!
//! | change | bytes |
//! | --- | --- |
//! | create, delete key | 1 or 2, path |
//! | set value | 3, path, name, kind u8, data |
//! | delete value | 4, path, name |
//!
//! Texts are a u32 length and UTF-8; numbers are little-endian. Decoding takes nothing that it would not
//! write itself, so equal updates have equal bytes.

use super::ids::{GroupId, NodeId, ResourceId};
use super::resource::ResourceState;
use crate::base::hash_bytes;
use thiserror::Error;

/// A change that every member applies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Update {
    /// Changes of the cluster database, applied together or not at all; while a node is down they are in
    /// the quorum log before anyone applies them.
    Database(Vec<DbChange>),
    /// A node was paused, or takes groups again.
    NodePaused {
        /// The node.
        node: NodeId,
        /// Whether it is paused.
        paused: bool,
    },
    /// A node that joined is a full member from now on.
    NodeUp {
        /// The node.
        node: NodeId,
        /// The number of the last update in the snapshot it has loaded. If another update came in between
        /// the join fails (error 5083).
        after: u64,
    },
    /// A group belongs to this node from now on.
    GroupOwner {
        /// The group.
        group: GroupId,
        /// Its owner.
        node: NodeId,
        /// How often the group had changed its owner when this was proposed. If it has changed it again
        /// meanwhile the update does nothing, everywhere alike: of two claims to a group the first counts.
        generation: u32,
        /// Why.
        reason: OwnerChange,
    },
    /// A resource's state, told by its group's owner.
    ResourceState {
        /// The resource.
        resource: ResourceId,
        /// Its state.
        state: ResourceState,
    },
}

/// Why a group changes its owner.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum OwnerChange {
    /// Its owner gave it away: an administrator's wish, a failback, an orderly stop.
    Moved,
    /// Its owner gave it away because a resource failed too often. Such changes are counted (Q197047).
    FailedOver,
    /// Its owner is gone, and this node takes it.
    Claimed,
}

/// One change of the cluster hive. Paths are relative to `HKLM\Cluster`, with backslashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DbChange {
    /// Make a key, and those above it.
    CreateKey(String),
    /// Remove a key and everything below it.
    DeleteKey(String),
    /// Set a value.
    SetValue {
        /// The key, made if it is not there.
        key: String,
        /// The value's name.
        name: String,
        /// Its data.
        data: DbData,
    },
    /// Remove a value.
    DeleteValue {
        /// The key.
        key: String,
        /// The value's name.
        name: String,
    },
}

/// Data of a value of the cluster hive: the kinds that the cluster database uses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DbData {
    /// REG_SZ.
    Text(String),
    /// REG_DWORD.
    Number(u32),
    /// REG_MULTI_SZ.
    Texts(Vec<String>),
    /// REG_BINARY.
    Bytes(Vec<u8>),
}

/// Why bytes are no update.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum UpdateError {
    /// They end too soon.
    #[error("the update ends after {0} bytes")]
    Cut(usize),
    /// There is more than the update.
    #[error("{0} bytes follow the update")]
    TooLong(usize),
    /// A code nobody writes.
    #[error("unknown code {0}")]
    Unknown(u8),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A key or value name is longer, or a list has more entries, than the registry takes.
    #[error("{0} is more than an update may hold")]
    TooMany(u32),
}

/// Entries and bytes one update may hold: a guard against damaged counts, far above what a service writes
/// in one step.
const COUNT_MAX: u32 = 1 << 20;

impl Update {
    /// Of its bytes.
    pub fn digest(&self) -> u64 {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        hash_bytes(&bytes)
    }

    /// Its bytes, at the end of `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Update::Database(changes) => {
                out.push(1);
                encode_changes(changes, out);
            }
            Update::NodePaused { node, paused } => {
                out.extend_from_slice(&[2, node.0, u8::from(*paused)]);
            }
            Update::NodeUp { node, after } => {
                out.extend_from_slice(&[3, node.0]);
                out.extend_from_slice(&after.to_le_bytes());
            }
            Update::GroupOwner { group, node, generation, reason } => {
                out.push(4);
                out.extend_from_slice(&group.0.to_le_bytes());
                out.push(node.0);
                out.extend_from_slice(&generation.to_le_bytes());
                out.push(reason_code(*reason));
            }
            Update::ResourceState { resource, state } => {
                out.push(5);
                out.extend_from_slice(&resource.0.to_le_bytes());
                out.push(state_code(*state));
            }
        }
    }

    /// Reads an update that fills all of `bytes`.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Update, UpdateError> {
        let mut reader = Reader::new(bytes);
        let update = match reader.u8()? {
            1 => Update::Database(reader.changes()?),
            2 => {
                let node = NodeId(reader.u8()?);
                let paused = match reader.u8()? {
                    0 => false,
                    1 => true,
                    other => return Err(UpdateError::Unknown(other)),
                };
                Update::NodePaused { node, paused }
            }
            3 => Update::NodeUp { node: NodeId(reader.u8()?), after: reader.u64()? },
            4 => Update::GroupOwner {
                group: GroupId(reader.u16()?),
                node: NodeId(reader.u8()?),
                generation: reader.u32()?,
                reason: reason_of(reader.u8()?)?,
            },
            5 => {
                let resource = ResourceId(reader.u16()?);
                Update::ResourceState { resource, state: state_of(reader.u8()?)? }
            }
            other => return Err(UpdateError::Unknown(other)),
        };
        reader.end()?;
        Ok(update)
    }
}

/// Changes of the database as bytes, at the end of `out`.
pub fn encode_changes(changes: &[DbChange], out: &mut Vec<u8>) {
    out.extend_from_slice(&(changes.len() as u32).to_le_bytes());
    for change in changes {
        match change {
            DbChange::CreateKey(key) => {
                out.push(1);
                put_text(key, out);
            }
            DbChange::DeleteKey(key) => {
                out.push(2);
                put_text(key, out);
            }
            DbChange::SetValue { key, name, data } => {
                out.push(3);
                put_text(key, out);
                put_text(name, out);
                put_data(data, out);
            }
            DbChange::DeleteValue { key, name } => {
                out.push(4);
                put_text(key, out);
                put_text(name, out);
            }
        }
    }
}

/// Reads changes that fill all of `bytes`.
///
/// # Errors
/// The bytes are none.
pub fn decode_changes(bytes: &[u8]) -> Result<Vec<DbChange>, UpdateError> {
    let mut reader = Reader::new(bytes);
    let changes = reader.changes()?;
    reader.end()?;
    Ok(changes)
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_bytes(text.as_bytes(), out);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_data(data: &DbData, out: &mut Vec<u8>) {
    match data {
        DbData::Text(text) => {
            out.push(1);
            put_text(text, out);
        }
        DbData::Number(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_le_bytes());
        }
        DbData::Texts(texts) => {
            out.push(3);
            out.extend_from_slice(&(texts.len() as u32).to_le_bytes());
            texts.iter().for_each(|text| put_text(text, out));
        }
        DbData::Bytes(bytes) => {
            out.push(4);
            put_bytes(bytes, out);
        }
    }
}

fn state_code(state: ResourceState) -> u8 {
    match state {
        ResourceState::Offline => 0,
        ResourceState::OnlinePending => 1,
        ResourceState::Online => 2,
        ResourceState::OfflinePending => 3,
        ResourceState::Failed => 4,
    }
}

fn state_of(code: u8) -> Result<ResourceState, UpdateError> {
    Ok(match code {
        0 => ResourceState::Offline,
        1 => ResourceState::OnlinePending,
        2 => ResourceState::Online,
        3 => ResourceState::OfflinePending,
        4 => ResourceState::Failed,
        other => return Err(UpdateError::Unknown(other)),
    })
}

fn reason_code(reason: OwnerChange) -> u8 {
    match reason {
        OwnerChange::Moved => 0,
        OwnerChange::FailedOver => 1,
        OwnerChange::Claimed => 2,
    }
}

fn reason_of(code: u8) -> Result<OwnerChange, UpdateError> {
    Ok(match code {
        0 => OwnerChange::Moved,
        1 => OwnerChange::FailedOver,
        2 => OwnerChange::Claimed,
        other => return Err(UpdateError::Unknown(other)),
    })
}

/// Reads what the functions above write.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], UpdateError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else { return Err(UpdateError::Cut(self.bytes.len())) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UpdateError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, UpdateError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, UpdateError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, UpdateError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, UpdateError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn count(&mut self) -> Result<u32, UpdateError> {
        match self.u32()? {
            count if count <= COUNT_MAX => Ok(count),
            count => Err(UpdateError::TooMany(count)),
        }
    }

    /// A length and so many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], UpdateError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub fn text(&mut self) -> Result<String, UpdateError> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| UpdateError::Text)?;
        Ok(text.to_owned())
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    pub fn end(&self) -> Result<(), UpdateError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            more => Err(UpdateError::TooLong(more)),
        }
    }

    fn changes(&mut self) -> Result<Vec<DbChange>, UpdateError> {
        let count = self.count()?;
        (0..count).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> Result<DbChange, UpdateError> {
        Ok(match self.u8()? {
            1 => DbChange::CreateKey(self.text()?),
            2 => DbChange::DeleteKey(self.text()?),
            3 => {
                let (key, name) = (self.text()?, self.text()?);
                DbChange::SetValue { key, name, data: self.data()? }
            }
            4 => DbChange::DeleteValue { key: self.text()?, name: self.text()? },
            other => return Err(UpdateError::Unknown(other)),
        })
    }

    fn data(&mut self) -> Result<DbData, UpdateError> {
        Ok(match self.u8()? {
            1 => DbData::Text(self.text()?),
            2 => DbData::Number(self.u32()?),
            3 => {
                let count = self.count()?;
                DbData::Texts((0..count).map(|_| self.text()).collect::<Result<_, _>>()?)
            }
            4 => DbData::Bytes(self.bytes()?.to_vec()),
            other => return Err(UpdateError::Unknown(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        "[a-zA-Z\\\\{}0-9 ä]{0,20}"
    }

    fn data() -> impl Strategy<Value = DbData> {
        prop_oneof![
            text().prop_map(DbData::Text),
            any::<u32>().prop_map(DbData::Number),
            prop::collection::vec(text(), 0..4).prop_map(DbData::Texts),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(DbData::Bytes),
        ]
    }

    fn change() -> impl Strategy<Value = DbChange> {
        prop_oneof![
            text().prop_map(DbChange::CreateKey),
            text().prop_map(DbChange::DeleteKey),
            (text(), text(), data()).prop_map(|(key, name, data)| DbChange::SetValue {
                key,
                name,
                data
            }),
            (text(), text()).prop_map(|(key, name)| DbChange::DeleteValue { key, name }),
        ]
    }

    fn update() -> impl Strategy<Value = Update> {
        prop_oneof![
            prop::collection::vec(change(), 0..6).prop_map(Update::Database),
            (any::<u8>(), any::<bool>())
                .prop_map(|(n, paused)| Update::NodePaused { node: NodeId(n), paused }),
            (any::<u8>(), any::<u64>())
                .prop_map(|(n, after)| Update::NodeUp { node: NodeId(n), after }),
            (any::<u16>(), any::<u8>(), any::<u32>(), 0u8..3).prop_map(|(g, n, generation, r)| {
                Update::GroupOwner {
                    group: GroupId(g),
                    node: NodeId(n),
                    generation,
                    reason: reason_of(r).expect("a reason"),
                }
            }),
            (any::<u16>(), 0u8..5).prop_map(|(r, s)| Update::ResourceState {
                resource: ResourceId(r),
                state: state_of(s).expect("a state"),
            }),
        ]
    }

    proptest! {
        #[test]
        fn updates_come_back_as_they_were(update in update()) {
            let mut bytes = Vec::new();
            update.encode(&mut bytes);
            prop_assert_eq!(Update::decode(&bytes), Ok(update));
        }

        #[test]
        fn what_is_read_from_any_bytes_has_these_bytes(
            bytes in prop::collection::vec(0u8..8, 0..60),
        ) {
            if let Ok(update) = Update::decode(&bytes) {
                let mut again = Vec::new();
                update.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn a_cut_update_is_an_error(update in update(), cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            update.encode(&mut bytes);
            let cut = cut.index(bytes.len());
            prop_assert!(Update::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn absurd_counts_are_refused_before_anything_is_allocated() {
        assert_eq!(Update::decode(&[1, 255, 255, 255, 255]), Err(UpdateError::TooMany(u32::MAX)));
    }
}
