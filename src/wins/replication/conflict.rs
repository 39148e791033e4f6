//! What becomes of a replica that meets a stored record of the same name: the decision alone, as tables.
//!
//! The order of the tests is that of MS-WINSRA figures 3 to 8: the same owner always replaces; then statics;
//! then a table for a stored replica and one for a stored record of our own. A table has a row for each kind
//! and state of the stored record and a column for each kind and state of the incoming one. NT 3.5 and 3.51
//! decide differently (Q136571): there the replica wins against a living holder.
//!
//! Nothing here changes a record; `apply` does what is decided, `merge` joins special groups.

use crate::wins::profile::WinsProfile;
use crate::wins::record::{NameKind, NameRecord, Origin, Owner, RecordState};
use crate::wire::Suffix;
use std::net::Ipv4Addr;

/// What to do with an incoming replica.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Decision {
    /// Store it in place of what is there, owner and version as received.
    Replace,
    /// The same, and demand of the old holders that they release the name.
    ReplaceDemandRelease,
    /// Leave the stored record as it is.
    Keep,
    /// Leave it, and log that the replica clashed with a static record (event 4155).
    KeepStatic,
    /// Leave it, and give it a new version so that the others learn of it.
    KeepNewVersion,
    /// The same, and notify the partners at once, with propagation (Q216585).
    KeepNewVersionPush,
    /// Ask the holders of our record; the answers decide (see [`after_challenge`]).
    Challenge,
    /// Join the members of both.
    Merge,
    /// It should not have been sent: released and not from its owner, or owned by this server.
    Refuse,
}

/// A cell of a table.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// Replace.
    R,
    /// Replace and demand release.
    D,
    /// Keep.
    K,
    /// Keep with a new version.
    V,
    /// Keep with a new version and notify with propagation.
    P,
    /// Replace if the incoming record accounts for all our members, else challenge the others.
    C,
    /// Merge.
    M,
}

/// Rows: kind (unique, normal group, special group, multihomed) times state (active, released, tombstone)
/// of the stored record. Columns: the same kinds times active and tombstone of the incoming one.
pub type Table = [[Cell; 8]; 12];

/// How a version of WINS resolves conflicts between records of different owners.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ConflictRules {
    /// Against a stored replica.
    pub replica: &'static Table,
    /// Against a stored record of our own.
    pub own: &'static Table,
    /// A static 1C and a dynamic 1C are joined instead of one of them being kept (3.5x; fault
    /// Q219295 of 4.0 SP4).
    pub static_1c_merges: bool,
    /// A merging server becomes the owner of the merged record, with a new version (4.0 SP4 on, Q168076);
    /// before, it stays under the old owner and version and does not travel.
    pub merge_takes_over: bool,
    /// A silent holder is also sent a release demand (MS-WINSRA); Windows Server 2003 was seen not to.
    pub demand_after_silence: bool,
    /// Every holder of ours is asked unless the replica lists them all, as Windows Server 2003 was seen to
    /// do;
    /// otherwise those whom the replica lists or whom its owner registered are left out (MS-WINSRA, C3, C5).
    pub asks_all_holders: bool,
    /// A holder that answers with the addresses of both records makes them one multihomed record, as Windows
    /// Server 2003 was seen to do; otherwise ours is kept.
    pub answer_may_merge: bool,
}

use Cell::{C, D, K, M, P, R, V};

/// A stored replica against another owner's replica, from NT 4.0 on.
#[rustfmt::skip]
const REPLICA: Table = [
    // UA UT  GA GT  SA ST  MA MT    incoming / stored
    [R, K, R, K, K, K, R, K], // UA
    [R, R, R, R, R, R, R, R], // UR
    [R, R, R, R, R, R, R, R], // UT
    [K, K, K, K, K, K, K, K], // GA
    [K, K, R, R, K, K, K, K], // GR
    [K, K, R, R, R, R, R, R], // GT
    [K, K, K, K, M, R, K, K], // SA
    [R, R, R, R, R, R, R, R], // SR
    [R, R, R, R, R, R, R, R], // ST
    [R, K, R, K, K, K, R, K], // MA
    [R, R, R, R, R, R, R, R], // MR
    [R, R, R, R, R, R, R, R], // MT
];

/// A record of our own against a replica, with the re-propagation of 4.0 SP5 (Q216585).
#[rustfmt::skip]
const OWN_PUSH: Table = [
    // UA UT  GA GT  SA ST  MA MT    incoming / stored
    [C, V, D, K, D, K, C, V], // UA
    [R, R, R, R, R, R, R, R], // UR
    [R, R, R, R, R, R, R, R], // UT
    [K, K, R, K, K, K, K, K], // GA
    [K, K, R, R, K, K, K, K], // GR
    [K, K, R, R, R, R, R, R], // GT
    [K, K, K, K, M, P, K, K], // SA
    [R, R, R, R, R, R, R, R], // SR
    [R, R, R, R, R, R, R, R], // ST
    [C, V, D, K, D, K, C, V], // MA
    [R, R, R, R, R, R, R, R], // MR
    [R, R, R, R, R, R, R, R], // MT
];

/// The same before 4.0 SP5: a tombstone met by an own active special group is only kept out.
const OWN_SILENT: Table = with(OWN_PUSH, 6, 5, K);

/// A stored replica against another owner's replica in NT 3.51 from SP2 on (Q136571). Where the article is
/// silent on two kinds of group, its general row "active against active: replace" stands.
#[rustfmt::skip]
const REPLICA_NT351: Table = [
    // UA UT  GA GT  SA ST  MA MT    incoming / stored
    [R, K, R, K, R, K, R, K], // UA
    [R, R, R, R, R, R, R, R], // UR
    [R, R, R, R, R, R, R, R], // UT
    [K, K, R, K, R, K, K, K], // GA
    [R, R, R, R, R, R, R, R], // GR
    [R, R, R, R, R, R, R, R], // GT
    [K, K, R, K, M, K, K, K], // SA
    [R, R, R, R, R, R, R, R], // SR
    [R, R, R, R, R, R, R, R], // ST
    [R, K, R, K, R, K, R, K], // MA
    [R, R, R, R, R, R, R, R], // MR
    [R, R, R, R, R, R, R, R], // MT
];

/// The same with the fault Q135277: an active multihomed replica yields to no unique or multihomed one.
const REPLICA_NT35: Table = with(with(REPLICA_NT351, 9, 0, K), 9, 6, K);

/// A record of our own against a replica in NT 3.5 and 3.51 (Q136571): the replica wins.
#[rustfmt::skip]
const OWN_NT35: Table = [
    // UA UT  GA GT  SA ST  MA MT    incoming / stored
    [D, K, D, K, D, K, D, K], // UA
    [R, R, R, R, R, R, R, R], // UR
    [R, R, R, R, R, R, R, R], // UT
    [K, K, R, K, R, K, K, K], // GA
    [R, R, R, R, R, R, R, R], // GR
    [R, R, R, R, R, R, R, R], // GT
    [K, K, R, K, M, K, K, K], // SA
    [R, R, R, R, R, R, R, R], // SR
    [R, R, R, R, R, R, R, R], // ST
    [D, K, D, K, D, K, D, K], // MA
    [R, R, R, R, R, R, R, R], // MR
    [R, R, R, R, R, R, R, R], // MT
];

const fn with(mut table: Table, row: usize, column: usize, cell: Cell) -> Table {
    table[row][column] = cell;
    table
}

impl ConflictRules {
    /// The rules of a server with this profile.
    pub fn of(profile: &WinsProfile) -> ConflictRules {
        ConflictRules {
            replica: match (profile.replica_beats_own, profile.multihomed_replicas_stick) {
                (true, true) => &REPLICA_NT35,
                (true, false) => &REPLICA_NT351,
                (false, _) => &REPLICA,
            },
            own: match (profile.replica_beats_own, profile.push_on_1c_tombstone) {
                (true, _) => &OWN_NT35,
                (false, true) => &OWN_PUSH,
                (false, false) => &OWN_SILENT,
            },
            static_1c_merges: profile.static_1c_merges,
            merge_takes_over: profile.merge_takes_ownership,
            demand_after_silence: profile.demand_after_silence,
            asks_all_holders: profile.replica_challenge_joins,
            answer_may_merge: profile.replica_challenge_joins,
        }
    }
}

/// The row or column part of a kind.
fn kind_index(kind: NameKind) -> usize {
    match kind {
        NameKind::Unique => 0,
        NameKind::Group => 1,
        NameKind::InternetGroup => 2,
        NameKind::Multihomed => 3,
    }
}

/// The cell for two records of different owners, none of them static.
pub fn cell(
    table: &Table,
    stored: (NameKind, RecordState),
    incoming: (NameKind, RecordState),
) -> Cell {
    let row = kind_index(stored.0) * 3
        + match stored.1 {
            RecordState::Active => 0,
            RecordState::Released => 1,
            RecordState::Tombstone => 2,
        };
    let column = kind_index(incoming.0) * 2 + usize::from(incoming.1 != RecordState::Active);
    table[row][column]
}

/// Decides about `incoming`, which a partner sent to the server whose address is `own`.
///
/// `migrate_on` is the registry value of that name: a static unique record may be overwritten.
pub fn decide(
    rules: &ConflictRules,
    migrate_on: bool,
    own: Owner,
    stored: Option<&NameRecord>,
    incoming: &NameRecord,
) -> Decision {
    let foreign_release = |stored: Option<&NameRecord>| {
        incoming.state == RecordState::Released && stored.is_none_or(|s| s.owner != incoming.owner)
    };
    if incoming.owner == own || foreign_release(stored) {
        return Decision::Refuse;
    }
    let Some(stored) = stored else { return Decision::Replace };
    if stored.owner == incoming.owner {
        return Decision::Replace;
    }
    if let Some(decision) = decide_static(rules, migrate_on, stored, incoming) {
        return decision;
    }
    let table = if stored.owner == own { rules.own } else { rules.replica };
    match cell(table, (stored.kind, state_met(stored)), (incoming.kind, incoming.state)) {
        R => Decision::Replace,
        D => Decision::ReplaceDemandRelease,
        K => Decision::Keep,
        V => Decision::KeepNewVersion,
        P => Decision::KeepNewVersionPush,
        C if challenge_targets(rules, stored, incoming).is_empty() => Decision::Replace,
        C => Decision::Challenge,
        M => Decision::Merge,
    }
}

/// The state in which a stored record meets a replica: an active special group that nobody is left in
/// counts as
/// released.
fn state_met(stored: &NameRecord) -> RecordState {
    if stored.is_deserted() { RecordState::Released } else { stored.state }
}

/// Static on either side (MS-WINSRA figures 3 and 6); `None` means: go on as if both were dynamic.
fn decide_static(
    rules: &ConflictRules,
    migrate_on: bool,
    stored: &NameRecord,
    incoming: &NameRecord,
) -> Option<Decision> {
    let special = |record: &NameRecord| record.kind == NameKind::InternetGroup;
    let is_1c = |record: &NameRecord| record.name.suffix() == Suffix::DOMAIN_CONTROLLERS;
    let both_active = stored.state == RecordState::Active && incoming.state == RecordState::Active;
    match (stored.origin, incoming.origin) {
        (Origin::Dynamic, Origin::Dynamic) => None,
        _ if rules.static_1c_merges
            && special(stored)
            && special(incoming)
            && is_1c(stored)
            && both_active
            && stored.origin != incoming.origin =>
        {
            Some(Decision::Merge)
        }
        (Origin::Dynamic, Origin::Static) => Some(Decision::Replace),
        (Origin::Static, Origin::Static) => Some(Decision::KeepStatic),
        (Origin::Static, Origin::Dynamic) => match (stored.kind, incoming.kind) {
            (NameKind::Unique | NameKind::Multihomed, NameKind::Unique) if migrate_on => None,
            (NameKind::Multihomed, NameKind::Multihomed) if migrate_on => None,
            (NameKind::InternetGroup, NameKind::InternetGroup) if !is_1c(stored) => None,
            _ => Some(Decision::KeepStatic),
        },
    }
}

/// The holders of our record that a challenge must ask; none if the incoming record accounts for all of them.
///
/// Members are accounted for by their address and, in MS-WINSRA where either record is multihomed, by their
/// owner (C3 and C5).
pub fn challenge_targets(
    rules: &ConflictRules,
    stored: &NameRecord,
    incoming: &NameRecord,
) -> Vec<Ipv4Addr> {
    if rules.asks_all_holders {
        let covered = stored.addresses().all(|address| incoming.has_address(address));
        return if covered { Vec::new() } else { stored.addresses().collect() };
    }
    let several = stored.kind == NameKind::Multihomed || incoming.kind == NameKind::Multihomed;
    stored
        .members
        .as_slice()
        .iter()
        .filter(|member| !incoming.has_address(member.address))
        .filter(|member| !(several && member.owner == incoming.owner))
        .map(|member| member.address)
        .collect()
}

/// What an answered or unanswered challenge decides.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ChallengeVerdict {
    /// Store the replica; `demand` asks the old holders to release the name.
    Replace {
        /// Whether to send release demands.
        demand: bool,
    },
    /// Keep ours; `demand` asks those who answered to release the name.
    Keep {
        /// Whether to send release demands.
        demand: bool,
    },
    /// Keep those members of ours that the replica does not account for, with a new version; the ones
    /// registered elsewhere are told to release the name (MS-WINSRA, C5).
    KeepNewVersion,
    /// One multihomed record with all addresses, owner and version of the replica.
    Join,
}

/// Judges a challenge of our record by `incoming`: `answer` holds the addresses of the positive answer, or
/// `None` for silence or a negative one.
pub fn after_challenge(
    rules: &ConflictRules,
    stored: &NameRecord,
    incoming: &NameRecord,
    answer: Option<&[Ipv4Addr]>,
) -> ChallengeVerdict {
    let Some(answer) = answer else {
        return ChallengeVerdict::Replace { demand: rules.demand_after_silence };
    };
    let has_all = |record: &NameRecord| record.addresses().all(|a| answer.contains(&a));
    if !rules.answer_may_merge && incoming.kind == NameKind::Multihomed {
        ChallengeVerdict::KeepNewVersion
    } else if !rules.answer_may_merge || !has_all(incoming) {
        ChallengeVerdict::Keep { demand: false }
    } else if has_all(stored) {
        ChallengeVerdict::Join
    } else {
        ChallengeVerdict::Keep { demand: true }
    }
}

#[cfg(test)]
#[path = "conflict_tests.rs"]
mod tests;
