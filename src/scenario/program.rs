//! What hosts keep in their registries, and the services and programs a scenario invents.
//!
//! An invented program is what a cluster's Generic Service or Generic Application starts: it takes time to
//! start and stop, reads its parameters, writes into the registry while it runs, may crash. One that knows
//! the cluster writes through the cluster's own registry instead, where changes reach every node.

use super::plan::DurationRange;
use crate::base::{Odds, SimDuration};
use crate::registry::{KeyPath, Value};

/// A `.reg` text, checked when the scenario was loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryFile {
    /// The file's name as the scenario has it; empty for a text in the scenario itself.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// An edit of a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistryEdit {
    /// Sets a value, making its key if it is not there.
    Set {
        /// The key.
        key: KeyPath,
        /// The value's name; empty for the key's default value.
        value: String,
        /// Its data.
        data: Value,
    },
    /// Deletes a value.
    DeleteValue {
        /// The key.
        key: KeyPath,
        /// The value's name.
        value: String,
    },
    /// Gives a key a descriptor of its own: these accounts have all rights, others none (Q192493).
    Protect {
        /// The key.
        key: KeyPath,
        /// The accounts.
        accounts: Vec<String>,
    },
    /// Deletes a key and everything below it.
    DeleteKey {
        /// The key.
        key: KeyPath,
    },
    /// Imports a `.reg` text.
    Import(RegistryFile),
}

/// A service or program of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramPlan {
    /// Its name at the service control manager; of a program, its file's name.
    pub name: String,
    /// Whether it starts when its host boots. One that a cluster controls does not.
    pub automatic: bool,
    /// From its start to being ready.
    pub starts_in: DurationRange,
    /// From the order to stop to its end.
    pub stops_in: DurationRange,
    /// How often a start fails.
    pub start_fails: Odds,
    /// Mean time it runs until it crashes, exponentially distributed; `None` for one that never does.
    pub crashes_every: Option<SimDuration>,
    /// What must be in the registry, or it does not start: a key, a value's name, its data if that matters.
    pub needs: Vec<NeedPlan>,
    /// What it writes while it runs.
    pub writes: Vec<WritePlan>,
    /// Files of the cluster's disks it writes while it runs.
    pub files: Vec<FilePlan>,
    /// Keys it keeps open while it runs.
    pub keeps_open: Vec<KeyPath>,
    /// Whether it forgets to close them when it stops (Q316772).
    pub leaks_handles: bool,
    /// Whether it knows the cluster: what it writes goes through the cluster registry, and its keys are
    /// relative to `HKLM\Cluster`.
    pub cluster_aware: bool,
}

/// Something a program needs in the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeedPlan {
    /// The key.
    pub key: KeyPath,
    /// The value's name.
    pub value: String,
    /// Its data; `None` for any.
    pub data: Option<Value>,
}

/// A file on a disk of the cluster that a program writes, again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilePlan {
    /// The whole path, with the letter of the disk.
    pub path: String,
    /// From one write to the next; the first comes after one such time.
    pub every: DurationRange,
    /// Whether what is written waits in the node's cache (a "delayed write").
    pub delayed: bool,
}

/// Something a program writes into the registry, again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WritePlan {
    /// The key, made if it is not there.
    pub key: KeyPath,
    /// The value's name.
    pub value: String,
    /// Its data.
    pub data: WriteData,
    /// From one write to the next; the first comes after one such time.
    pub every: DurationRange,
}

/// What a program writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteData {
    /// Always the same.
    Fixed(Value),
    /// A number (REG_DWORD): one more than it found there, or 1.
    Count,
}
