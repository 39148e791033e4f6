//! The WINS server as one sans-IO machine: bytes and deadlines in, datagrams, streams, store operations
//! and observations out.
//!
//! Specification: RFC 1001/1002 for the name service, MS-WINSRA for replication, Microsoft's Knowledge
//! Base for versions, timers and bugs; a line that follows one of them names it. States of a record:
//! active, released, tombstone ([`RecordState`]). Everything that differs between versions is a value in
//! [`WinsProfile`].
//!
//! Promised: a version id is never used twice, also after a power cut; no record leaves before its
//! interval; bad input is ignored or answered, never a panic. Not done: node status (a host answers it
//! from its own table), administration by RPC.

mod backup;
mod burst;
mod challenge;
mod core;
mod counters;
mod events;
mod io;
mod lmhosts;
mod masters;
mod members;
mod names;
mod operator;
mod partners;
mod profile;
mod query;
mod record;
mod record_bytes;
mod registration;
mod release;
// Replication with partners: associations, pulls, push triggers and the conflict rules.
pub mod replication;
mod reply;
mod scavenge;
mod server;
mod statics;
mod store;
mod versions;

pub use self::burst::{Admission, BurstGate};
pub use self::challenge::ChallengeOutcome;
pub use self::core::{Core, OwnChanges, ReleaseDemand, ReplicaChallenge, VerifyRequest};
pub use counters::{ByKind, ByOutcome, Counters, LastTimes};
pub use events::WinsEvent;
pub use io::{
    BackupReason, Observation, OperatorAction, PutRecord, RequestKind, StoreOp, StreamId,
    WinsInput, WinsOutput,
};
pub use lmhosts::{
    LMHOSTS_LINES_MAX, LmhostsEntry, LmhostsError, LmhostsMistake, LmhostsSkip, parse_lmhosts,
};
pub use members::{MEMBERS_MAX, Members};
pub use names::NameTable;
pub use partners::{Partner, PullPartner, PushPartner, ReplicationScope};
pub use profile::{
    BackupSettings, CommitMode, GroupMask, MulticastSettings, ProfileError, WinsProfile,
    WinsVersion,
};
pub use record::{Member, NameKind, NameRecord, Origin, Owner, RecordState, VersionId};
pub use record_bytes::RecordBytesError;
pub use server::{Loaded, WinsConfig, WinsServer};
pub use statics::{StaticError, StaticMapping, StaticType};
pub use store::{
    Backup, Checkpoint, Committed, Salvaged, StoreError, StoreOptions, VERSION_JUMP, WinsStore,
    salvage,
};
pub use versions::VERSION_RESERVE;

#[cfg(test)]
mod tests;
