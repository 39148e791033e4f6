//! The cluster service (MSCS): membership, quorum, global updates, failover, registry checkpoints.
//!
//! [`ClusterNode`] is the service of one node, a sans-IO machine: datagrams, ends of disk commands and
//! calls of administrators go in; datagrams, SCSI commands, files, registry work, calls of resource DLLs and
//! entries of the event log come out (`io`). It is made of parts that do not know each other and talk by
//! notices (`step`):
//!
//! | part | does |
//! | --- | --- |
//! | `membership` | heartbeats, the regroup and its stages, leave, poison; reliable messages between nodes |
//! | `disks` | the cluster disk driver: reservations kept by renewal, mounts |
//! | `quorum` | arbitration, the quorum log, checkpoints of the hive, replay by the node that forms |
//! | `global_update` | one order of updates for all members, repaired when sender or locker dies |
//! | `database` | the cluster database: a registry hive, and its typed view |
//! | `failover` | resources and groups: states, polls, restarts, failover, failback |
//! | `checkpoint` | registry checkpoints of resources (Q174070) |
//! | `node` | start, join, form, stop; passes notices |
//!
//! Sources: Q174070, Q217147, KB 309186, MS-CMRP, the SDK's pages on server clusters, FTCS-28 (1998) on the
//! design, US6163855 (global updates), US6449734 (duplicate numbers in the log), US6279032 (arbitration).
//! The wire format between nodes was never published; [`crate::wire::cluster`] is our own.

mod checkpoint;
mod config;
mod database;
mod disks;
mod events;
mod failover;
mod global_update;
mod ids;
mod io;
mod membership;
mod node;
mod profile;
mod quorum;
mod resource;
mod step;
mod update;

pub use config::{
    ClusterConfig, DiskConfig, FAILOVER_PERIOD, FAILOVER_THRESHOLD, Failback, GroupConfig,
    NetworkConfig, NetworkRole, NodeConfig, QuorumKind, ResourceConfig, ResourceKind,
    RestartAction,
};
pub use database::Database;
pub use events::ClusterEvent;
pub use ids::{DiskId, GroupId, NetworkId, NodeId, NodeSet, ResourceId};
pub use io::{
    ClusterError, ClusterInput, ClusterOutput, Control, FailureCause, FileOperation, FileResult,
    HaltReason, Observation, Part, Place, RegistryAction, RegistryReply, ResourceCall,
    ResourceEvent, ScsiCommand, ScsiResult, StartSwitches, Ticket,
};
pub use node::{CLUSDB, ClusterNode, PORT};
pub use profile::{BadLog, ClusterProfile, ClusterVersion, Planted, Survival};
pub use resource::{GroupState, ResourceState};
pub use update::{
    DbChange, DbData, OwnerChange, Update, UpdateError, decode_changes, encode_changes,
};

#[cfg(test)]
mod tests;
