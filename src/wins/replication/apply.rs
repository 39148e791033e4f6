//! Doing what `conflict` decides: every incoming replica ends here.
//!
//! A replica's stamps are this server's: now plus the verification interval for an active one, plus the
//! extinction time-out for a tombstone. The stamp changes only when the incoming record replaces the stored
//! one (MS-WINSRA 3.2.5.4).

use super::conflict::{ChallengeVerdict, ConflictRules, Decision, after_challenge, decide};
use super::merge::{Merge, MergedOwner, merge};
use crate::base::{Now, Outbox, WallTime};
use crate::wins::challenge::ChallengeOutcome;
use crate::wins::core::{Core, ReleaseDemand, ReplicaChallenge};
use crate::wins::io::{Observation, WinsEvent, WinsOutput};
use crate::wins::members::{MEMBERS_MAX, Members};
use crate::wins::partners::owner_wanted;
use crate::wins::profile::WinsProfile;
use crate::wins::record::{Member, NameKind, NameRecord, Origin, Owner, RecordState, VersionId};
use crate::wire::ScopeId;
use crate::wire::replication::{
    Member as WireMember, ReplicaAddresses, ReplicaRecord, ReplicaState,
};
use std::net::Ipv4Addr;

/// What became of a replica.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    /// The database changed.
    Stored,
    /// It did not, or not yet.
    Not,
    /// No replica may be so: thrown away.
    Refused,
    /// It needs a version id of ours and none is free: try again later.
    Later,
}

/// The record as it travels; `replica` marks one we do not own.
pub(super) fn to_wire(record: &NameRecord, own: Owner) -> ReplicaRecord {
    let first = record.addresses().next().unwrap_or(Ipv4Addr::UNSPECIFIED);
    let list = || -> Vec<WireMember> {
        let member = |m: &Member| WireMember { owner: m.owner.address(), address: m.address };
        record.members.as_slice().iter().map(member).collect()
    };
    let addresses = match record.kind {
        NameKind::Unique => ReplicaAddresses::Unique(first),
        NameKind::Group => ReplicaAddresses::NormalGroup(first),
        NameKind::InternetGroup => ReplicaAddresses::SpecialGroup(list()),
        NameKind::Multihomed => ReplicaAddresses::Multihomed(list()),
    };
    let mut wire =
        ReplicaRecord::new(record.name, record.scope.clone(), record.version.0, addresses);
    wire.is_static = record.is_static();
    wire.node_type = record.node_type;
    wire.replica = record.owner != own;
    wire.state = match record.state {
        RecordState::Active => ReplicaState::Active,
        RecordState::Released => ReplicaState::Released,
        RecordState::Tombstone => ReplicaState::Tombstone,
    };
    wire
}

/// The record that came for `owner`, as a server with this profile stores it at `wall`. `None` for the
/// reserved state, which no server may send.
pub fn from_wire(
    wire: &ReplicaRecord,
    owner: Owner,
    profile: &WinsProfile,
    wall: WallTime,
) -> Option<NameRecord> {
    let state = match wire.state {
        ReplicaState::Active => RecordState::Active,
        ReplicaState::Released => RecordState::Released,
        ReplicaState::Tombstone => RecordState::Tombstone,
        ReplicaState::Reserved => return None,
    };
    let stamp = if wire.is_static {
        WallTime::NEVER
    } else if state == RecordState::Tombstone {
        wall + profile.replica_tombstone_life()
    } else {
        wall + profile.verification_interval
    };
    let member = |owner: Ipv4Addr, address| Member { address, owner: Owner(owner), stamp };
    let list = |members: &[WireMember]| -> Members {
        let first = members.iter().take(MEMBERS_MAX);
        first.map(|m| member(m.owner, m.address)).collect()
    };
    let (kind, members) = match &wire.addresses {
        ReplicaAddresses::Unique(address) => {
            (NameKind::Unique, Members::one(member(owner.address(), *address)))
        }
        ReplicaAddresses::NormalGroup(address) => {
            (NameKind::Group, Members::one(member(owner.address(), *address)))
        }
        ReplicaAddresses::SpecialGroup(members) => (NameKind::InternetGroup, list(members)),
        ReplicaAddresses::Multihomed(members) => (NameKind::Multihomed, list(members)),
    };
    // Windows cuts a replicated scope at what it stores.
    let scope = wire.scope.as_bytes();
    let scope = match scope.len() {
        0..=ScopeId::STORED_MAX => wire.scope.clone(),
        _ => ScopeId::replicated(&scope[..ScopeId::STORED_MAX]).ok()?,
    };
    Some(NameRecord {
        name: wire.name,
        scope,
        kind,
        state,
        origin: if wire.is_static { Origin::Static } else { Origin::Dynamic },
        node_type: wire.node_type,
        owner,
        version: VersionId(wire.version),
        stamp,
        members,
    })
}

/// Applies one replica. `refill` allows records of our own, into an empty database (Q193887).
pub(super) fn apply(
    core: &mut Core,
    incoming: NameRecord,
    refill: bool,
    now: Now,
    out: &mut Outbox<WinsOutput>,
) -> Applied {
    let rules = ConflictRules::of(&core.profile);
    let stored = core.names.get(&incoming.name, &incoming.scope);
    if refill && incoming.owner == core.own && stored.is_none() {
        core.put(as_own(incoming, core, now), out);
        return Applied::Stored;
    }
    // Q190506: a special group that lists nobody and is no tombstone.
    let impossible = core.profile.bad_replica_stops_pull
        && incoming.kind == NameKind::InternetGroup
        && incoming.is_active()
        && incoming.members.is_empty();
    if impossible {
        return refuse(core, &incoming, out);
    }
    let decision = decide(&rules, core.profile.migrate_on, core.own, stored, &incoming);
    let Some(stored) = stored.cloned() else {
        return match decision {
            Decision::Replace => store(core, None, incoming, out),
            _ => refuse(core, &incoming, out),
        };
    };
    if stored == incoming {
        return Applied::Not;
    }
    match decision {
        Decision::Replace => store(core, Some(&stored), incoming, out),
        Decision::ReplaceDemandRelease => {
            if core.profile.replica_beats_own && stored.owner == core.own {
                // Q136571: its owner is asked for a higher version, so that all servers learn of it. How is
                // not public, and no layout is invented that a real partner would misread: only logged.
                core.log(WinsEvent::AskedToRaise, out);
            }
            demand_release(core, &stored, Some(&incoming));
            store(core, Some(&stored), incoming, out)
        }
        Decision::Keep => keep(core, &incoming, out),
        Decision::KeepStatic => {
            core.log(WinsEvent::StaticClash, out);
            keep(core, &incoming, out)
        }
        Decision::KeepNewVersion | Decision::KeepNewVersionPush => {
            let push = decision == Decision::KeepNewVersionPush;
            keep_with_new_version(core, stored, &incoming, push, out)
        }
        Decision::Challenge => {
            let addresses = super::conflict::challenge_targets(&rules, &stored, &incoming);
            core.challenges_wanted.push(ReplicaChallenge { incoming, addresses });
            Applied::Not
        }
        Decision::Merge => join(core, &rules, stored, incoming, now, out),
        Decision::Refuse => refuse(core, &incoming, out),
    }
}

/// A record of ours that comes back into an empty database ages as one that was registered now.
fn as_own(mut record: NameRecord, core: &Core, now: Now) -> NameRecord {
    let life = match record.state {
        RecordState::Active => core.profile.renewal_interval,
        RecordState::Released => core.profile.extinction_interval,
        RecordState::Tombstone => core.profile.extinction_timeout,
    };
    if !record.is_static() {
        record.stamp = now.wall + life;
        for member in record.members.as_mut_slice().iter_mut().filter(|m| m.owner == core.own) {
            member.stamp = now.wall + life;
        }
    }
    record
}

/// Drops members that were registered at servers whose records are not wanted. Returns whether the record is
/// still worth applying.
///
/// Q312141: the look-up that misses the members' owners brings such a server back into the owner table.
/// Q312964: a list of the only owners wanted does not look into groups either.
pub(super) fn drop_unwanted_members(core: &mut Core, record: &mut NameRecord) -> bool {
    let listed = matches!(record.kind, NameKind::InternetGroup | NameKind::Multihomed);
    if !listed || core.profile.persona_non_grata.is_empty() || core.profile.persona_grata.is_some()
    {
        return true;
    }
    let unwanted = |core: &Core, member: &Member| !owner_wanted(&core.profile, member.owner);
    if !record.members.as_slice().iter().any(|member| unwanted(core, member)) {
        return true;
    }
    if core.profile.persona_members_pass {
        let strangers: Vec<Owner> = record
            .members
            .as_slice()
            .iter()
            .filter(|member| unwanted(core, member))
            .map(|member| member.owner)
            .collect();
        for owner in strangers {
            core.names.raise_maximum(owner, VersionId::ZERO);
        }
        return true;
    }
    record.members.retain(|member| owner_wanted(&core.profile, member.owner));
    !(record.members.is_empty() && record.is_active())
}

/// Does what the end of a challenge decides.
pub(super) fn challenged(
    core: &mut Core,
    challenge: ReplicaChallenge,
    outcome: ChallengeOutcome,
    now: Now,
    out: &mut Outbox<WinsOutput>,
) -> Applied {
    let incoming = challenge.incoming;
    let stored = core.names.get(&incoming.name, &incoming.scope).cloned();
    let (Some(stored), false) = (stored, outcome == ChallengeOutcome::Changed) else {
        // The record is another one by now: decide anew, or the replica would never come back.
        return apply(core, incoming, false, now, out);
    };
    let answer = match &outcome {
        ChallengeOutcome::Held { addresses, .. } => Some(addresses.as_slice()),
        _ => None,
    };
    let rules = ConflictRules::of(&core.profile);
    match after_challenge(&rules, &stored, &incoming, answer) {
        ChallengeVerdict::Replace { demand } => {
            if demand && incoming.kind == NameKind::Multihomed {
                // MS-WINSRA C5: only those registered here.
                let (mut ours, own) = (stored.clone(), core.own);
                ours.members.retain(|member| member.owner == own);
                demand_release(core, &ours, Some(&incoming));
            } else if demand {
                demand_release(core, &stored, Some(&incoming));
            }
            store(core, Some(&stored), incoming, out)
        }
        ChallengeVerdict::KeepNewVersion => {
            let Some(version) = core.assign_version(stored.name, out) else {
                return Applied::Later;
            };
            let (mut kept, own) = (stored, core.own);
            let covered = |member: &Member| {
                incoming.has_address(member.address) || member.owner == incoming.owner
            };
            if !kept.members.as_slice().iter().all(covered) {
                kept.members.retain(|member| !covered(member));
            }
            kept.version = version;
            let mut elsewhere = kept.clone();
            elsewhere.members.retain(|member| member.owner != own);
            demand_release(core, &elsewhere, None);
            core.put(kept, out);
            keep(core, &incoming, out);
            Applied::Stored
        }
        ChallengeVerdict::Keep { demand } => {
            if demand {
                demand_release(core, &stored, None);
            }
            keep(core, &incoming, out)
        }
        ChallengeVerdict::Join => {
            let mut joined = incoming;
            joined.kind = NameKind::Multihomed;
            for member in stored.members.as_slice() {
                if !joined.has_address(member.address) && joined.members.len() < MEMBERS_MAX {
                    joined.members.push(*member);
                }
            }
            store(core, Some(&stored), joined, out)
        }
    }
}

fn store(
    core: &mut Core,
    stored: Option<&NameRecord>,
    incoming: NameRecord,
    out: &mut Outbox<WinsOutput>,
) -> Applied {
    let (name, owner, version) = (incoming.name, incoming.owner, incoming.version);
    if stored.is_some_and(|stored| stored.owner != owner && stored.is_active()) {
        core.observe(Observation::Conflict { name, incoming: owner, kept: false }, out);
    }
    core.put(incoming, out);
    core.observe(Observation::ReplicaApplied { name, owner, version }, out);
    Applied::Stored
}

fn keep(core: &mut Core, incoming: &NameRecord, out: &mut Outbox<WinsOutput>) -> Applied {
    let (name, owner) = (incoming.name, incoming.owner);
    core.observe(Observation::Conflict { name, incoming: owner, kept: true }, out);
    Applied::Not
}

fn refuse(core: &mut Core, incoming: &NameRecord, out: &mut Outbox<WinsOutput>) -> Applied {
    if incoming.owner != core.own {
        core.log(WinsEvent::BadReplica, out);
        return Applied::Refused;
    }
    Applied::Not
}

fn keep_with_new_version(
    core: &mut Core,
    mut stored: NameRecord,
    incoming: &NameRecord,
    push: bool,
    out: &mut Outbox<WinsOutput>,
) -> Applied {
    let Some(version) = core.assign_version(stored.name, out) else { return Applied::Later };
    stored.version = version;
    // MS-WINSRA C5: a tombstone speaks for the members its owner had registered.
    let gone = |member: &Member| {
        incoming.members.find(member.address).is_some_and(|dead| dead.owner == incoming.owner)
    };
    if stored.kind == NameKind::Multihomed
        && incoming.kind == NameKind::Multihomed
        && !stored.members.as_slice().iter().all(gone)
    {
        stored.members.retain(|member| !gone(member));
    }
    core.put(stored, out);
    if push {
        core.changes.urgent = core.changes.urgent.saturating_add(1);
    }
    keep(core, incoming, out);
    Applied::Stored
}

fn join(
    core: &mut Core,
    rules: &ConflictRules,
    mut stored: NameRecord,
    incoming: NameRecord,
    now: Now,
    out: &mut Outbox<WinsOutput>,
) -> Applied {
    let is_own = stored.owner == core.own;
    let (members, under) = match merge(rules.merge_takes_over, core.own, &stored, &incoming) {
        // The fault Q190506: taken over, with a new version, though the list did not grow.
        Merge::Keep if core.profile.merge_always_takes_ownership => {
            (stored.members.clone(), MergedOwner::Own)
        }
        Merge::Keep => return keep(core, &incoming, out),
        // The fault Q140978: the list grows under the version that partners have already.
        Merge::Joined { members, .. } if core.profile.merge_keeps_version && is_own => {
            (members, MergedOwner::Stored)
        }
        Merge::Replace => return store(core, Some(&stored), incoming, out),
        Merge::Joined { members, under } => (members, under),
    };
    let (owner, version) = match under {
        MergedOwner::Own => match core.assign_version(stored.name, out) {
            Some(version) => (core.own, version),
            None => return Applied::Later,
        },
        MergedOwner::Incoming => (incoming.owner, incoming.version),
        MergedOwner::Stored => (stored.owner, stored.version),
    };
    if stored.is_static() || incoming.is_static() {
        stored.origin = Origin::Static;
    }
    let own_stamp = |m: &&Member| m.owner == core.own;
    let newest = members.as_slice().iter().filter(own_stamp).map(|m| m.stamp).max();
    let verify = now.wall + core.profile.verification_interval;
    stored.stamp = match (stored.origin, newest) {
        (Origin::Static, _) => WallTime::NEVER,
        _ if core.profile.merged_groups_never_age => WallTime::NEVER,
        (_, Some(newest)) if owner == core.own => newest,
        _ => verify,
    };
    if members.is_empty() {
        stored.state = RecordState::Tombstone;
        stored.stamp = now.wall + core.profile.extinction_timeout;
    }
    let name = stored.name;
    stored.members = members;
    (stored.owner, stored.version) = (owner, version);
    core.put(stored, out);
    if under == MergedOwner::Incoming {
        core.observe(Observation::ReplicaApplied { name, owner, version }, out);
    }
    Applied::Stored
}

/// Tells the holders of the stored record to give it up, except at addresses that `unless` keeps.
fn demand_release(core: &mut Core, stored: &NameRecord, unless: Option<&NameRecord>) {
    let kept = |address| unless.is_some_and(|incoming| incoming.has_address(address));
    for address in stored.addresses().filter(|&address| !kept(address)) {
        core.demands_wanted.push(ReleaseDemand {
            name: stored.name,
            scope: stored.scope.clone(),
            group: stored.kind.is_group(),
            address,
        });
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
