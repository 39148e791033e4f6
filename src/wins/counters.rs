//! The counters that the administration protocol shows (RAIW 2.2.2.6), as plain values.
//!
//! They count since the service started and change nothing. Times are those of the server's own clock.

use super::io::RequestKind;
use crate::base::WallTime;

/// One number for unique and multihomed names, one for groups.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ByKind {
    /// Unique and multihomed names.
    pub unique: u64,
    /// Normal and internet groups.
    pub group: u64,
}

/// One number for what succeeded, one for what failed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ByOutcome {
    /// Answered positively.
    pub ok: u64,
    /// Answered negatively.
    pub failed: u64,
}

/// When something happened last, by what set it off.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct LastTimes {
    /// Replication by interval.
    pub replication_periodic: Option<WallTime>,
    /// Replication by an administrator.
    pub replication_admin: Option<WallTime>,
    /// Replication set off by a partner's notification.
    pub replication_network: Option<WallTime>,
    /// Scavenging by interval.
    pub scavenging_periodic: Option<WallTime>,
    /// Scavenging by an administrator.
    pub scavenging_admin: Option<WallTime>,
    /// Replica tombstones scavenged.
    pub scavenging_tombstones: Option<WallTime>,
    /// Replicas handed to verification.
    pub scavenging_verify: Option<WallTime>,
    /// The service or its configuration was initialised.
    pub initialisation: Option<WallTime>,
}

/// What a server has done since its start.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Registrations answered positively.
    pub registrations: ByKind,
    /// Refreshes answered positively.
    pub refreshes: ByKind,
    /// Registrations and refreshes that met another holder's record: refused or challenged.
    pub conflicts: ByKind,
    /// Queries.
    pub queries: ByOutcome,
    /// Releases. One that changes nothing is answered positively and counts as such.
    pub releases: ByOutcome,
    /// Registrations answered early in burst mode, counted among the registrations too.
    pub burst_answers: u64,
    /// Registrations and refreshes dropped without an answer.
    pub dropped: u64,
    /// Times.
    pub last: LastTimes,
}

impl ByKind {
    /// Counts one.
    pub(super) fn add(&mut self, group: bool) {
        match group {
            true => self.group += 1,
            false => self.unique += 1,
        }
    }

    /// Both together.
    pub const fn all(self) -> u64 {
        self.unique + self.group
    }
}

impl ByOutcome {
    /// Both together.
    pub const fn all(self) -> u64 {
        self.ok + self.failed
    }
}

impl Counters {
    /// A request was answered; `group` says whether it was about a group name.
    pub(super) fn answered(&mut self, what: RequestKind, group: bool, positive: bool) {
        match (what, positive) {
            (RequestKind::Registration, true) => self.registrations.add(group),
            (RequestKind::Refresh, true) => self.refreshes.add(group),
            (RequestKind::Registration | RequestKind::Refresh, false) => {}
            (RequestKind::Query, true) => self.queries.ok += 1,
            (RequestKind::Query, false) => self.queries.failed += 1,
            (RequestKind::Release, true) => self.releases.ok += 1,
            (RequestKind::Release, false) => self.releases.failed += 1,
        }
    }
}
