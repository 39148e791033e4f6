//! Global updates: what every member applies, in one order, and how it looks as bytes.

use super::ids::{GroupId, NodeId, ResourceId};
use super::resource::ResourceState;

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
    },
    /// A resource's state, told by its group's owner.
    ResourceState {
        /// The resource.
        resource: ResourceId,
        /// Its state.
        state: ResourceState,
    },
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
