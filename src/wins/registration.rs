//! Registration, refresh and multihomed registration: one procedure for all four opcodes.
//!
//! First a screening in a fixed order, then a table over the stored record, the requested type and
//! whether the address is known. [`decide`] is that table and nothing else; what it decides is done by
//! the methods below it. A refresh of an absent name registers it.

use super::burst::early_ttl;
use super::challenge::ChallengeOutcome;
use super::core::Core;
use super::io::{Observation, RequestKind, WinsEvent, WinsOutput};
use super::members::Members;
use super::record::{Member, NameKind, NameRecord, Origin, Owner, RecordState, VersionId};
use super::reply::Request;
use super::server::WinsServer;
use crate::base::{Now, Outbox, WallTime};
use crate::wire::name_service::Rcode;
use crate::wire::{ScopeId, Suffix};
use std::net::Ipv4Addr;

/// What a normal group stores and answers: members are not recorded (Q130232).
pub(super) const GROUP_ADDRESS: Ipv4Addr = Ipv4Addr::BROADCAST;

/// What a registration comes to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Store a new active record in place of whatever is there.
    Insert,
    /// Positive answer, nothing stored.
    Acknowledge,
    /// ACT_ERR: the name is another's.
    Refuse,
    /// Renew the stamp, version unchanged.
    Restamp,
    /// Renew the stamp, become the owner with a new version.
    TakeOver,
    /// Add the address to the list, new version.
    AddMember,
    /// The same, and the static group becomes a dynamic one (`MigrateOn` since 4.0 SP4).
    MigrateGroup,
    /// The bug of Q161432: a static unique record becomes a group of both addresses.
    OverrunStatic,
    /// The bug of Q166502: a static unique record takes the group's address and stays static.
    OverwriteStatic,
    /// WACK, then ask every stored address.
    Challenge,
}

/// The decision table for a request of this kind and address against the stored record.
pub(super) fn decide(
    core: &Core,
    stored: Option<&NameRecord>,
    kind: NameKind,
    address: Ipv4Addr,
    wall: WallTime,
) -> Decision {
    let Some(stored) = stored else { return Decision::Insert };
    let same = stored.live_members(core.own, wall).find(|member| member.address == address);
    if stored.is_static() {
        return decide_static(core, stored, kind, address, same.is_some());
    }
    let active = stored.effective_state(core.own, wall) == RecordState::Active;
    let ours = stored.owner == core.own;
    let renew = if ours { Decision::Restamp } else { Decision::TakeOver };
    match stored.kind {
        NameKind::Group => match (kind, active) {
            (NameKind::Group, true) => renew,
            (NameKind::Group, false) => Decision::Insert,
            _ => Decision::Refuse,
        },
        // Fig. 2 of MS-WINSRA: what nobody holds is replaced without a challenge.
        _ if !active => Decision::Insert,
        NameKind::InternetGroup => match (kind, same) {
            (NameKind::InternetGroup, Some(member)) if ours && member.owner == core.own => {
                Decision::Restamp
            }
            (NameKind::InternetGroup, Some(_)) => Decision::TakeOver,
            (NameKind::InternetGroup, None) => Decision::AddMember,
            _ => Decision::Refuse,
        },
        NameKind::Unique | NameKind::Multihomed => match kind.is_held() {
            true if same.is_some() => renew,
            _ => Decision::Challenge,
        },
    }
}

/// The rows of the table whose stored record is static.
fn decide_static(
    core: &Core,
    stored: &NameRecord,
    kind: NameKind,
    address: Ipv4Addr,
    same: bool,
) -> Decision {
    let profile = &core.profile;
    match stored.kind {
        NameKind::Unique if kind.is_group() && profile.group_overruns_static => {
            Decision::OverrunStatic
        }
        NameKind::Unique if kind.is_group() && profile.group_overwrites_static => {
            Decision::OverwriteStatic
        }
        NameKind::Unique | NameKind::Multihomed => {
            // The server's own name stays, whatever MigrateOn says (Q226497).
            let own = core.own.address();
            let of_this_host = address == own || stored.has_address(own);
            if !profile.migrate_on || of_this_host || !kind.is_held() {
                Decision::Refuse
            } else if !stored.is_active() {
                Decision::Insert
            } else if stored.has_address(address) {
                Decision::TakeOver
            } else {
                Decision::Challenge
            }
        }
        NameKind::Group => Decision::Acknowledge,
        NameKind::InternetGroup if stored.name.suffix() == Suffix::DOMAIN_CONTROLLERS => {
            let migrates = profile.migrate_on && profile.migrate_on_1c;
            if migrates && stored.owner == core.own {
                Decision::MigrateGroup
            } else {
                Decision::Acknowledge
            }
        }
        // A user-defined group takes dynamic members (4.0 on).
        NameKind::InternetGroup => match (kind.is_group(), same) {
            (true, true) => Decision::Restamp,
            (true, false) => Decision::AddMember,
            (false, _) => Decision::Refuse,
        },
    }
}

impl WinsServer {
    /// A registration or refresh.
    pub(super) fn register(&mut self, request: Request, now: Now, out: &mut Outbox<WinsOutput>) {
        let group = request.nb_flags.is_group();
        match request.name.suffix() {
            // Subnet masters are acknowledged and never stored.
            Suffix::LOCAL_MASTER if !group => return self.answer(&request, Rcode::Ok, out),
            Suffix::DOMAIN_MASTER if group => return self.answer(&request, Rcode::Refused, out),
            Suffix::DOMAIN_CONTROLLERS | Suffix::BROWSER_ELECTIONS if !group => {
                return self.answer(&request, Rcode::Refused, out);
            }
            _ => {}
        }
        if request.scope.as_bytes().len() > ScopeId::STORED_MAX {
            return self.answer(&request, Rcode::ServerFailure, out);
        }
        if self.challenges.is_waiting(&request) {
            return self.drop_request(&request, out);
        }
        let stored = self.core.names.get(&request.name, &request.scope);
        let kind = request.kind(&self.core.profile);
        let decision = decide(&self.core, stored, kind, request.address, now.wall);
        if matches!(decision, Decision::Refuse | Decision::Challenge) {
            self.core.counters.conflicts.add(group);
        }
        match decision {
            Decision::Acknowledge => self.answer(&request, Rcode::Ok, out),
            Decision::Refuse => self.answer(&request, Rcode::Active, out),
            Decision::Challenge => self.challenge_for(request, now, out),
            _ => self.enter(&request, decision, now, out),
        }
    }

    /// Writes what was decided and answers; drops the request while no version can be given.
    fn enter(
        &mut self,
        request: &Request,
        decision: Decision,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let version = match decision {
            Decision::Restamp => None,
            _ => match self.core.assign_version(request.name, out) {
                None => return self.drop_request(request, out),
                version => version,
            },
        };
        let stored = self.core.names.get(&request.name, &request.scope).cloned();
        let changed_address = stored.as_ref().is_some_and(|stored| {
            stored.owner == self.core.own && !stored.has_address(request.address)
        });
        let mut record = match (decision, stored) {
            (Decision::Insert, _) | (_, None) => self.new_record(request, now),
            (Decision::Restamp | Decision::TakeOver, Some(stored)) => {
                self.renewed(stored, request, now)
            }
            (Decision::OverwriteStatic, Some(mut stored)) => {
                let (address, owner) = (request.address, self.core.own);
                let stamp = WallTime::NEVER;
                stored.members = Members::one(Member { address, owner, stamp });
                stored
            }
            (_, Some(stored)) => self.with_member(stored, request, decision, now, out),
        };
        if let Some(version) = version {
            record.owner = self.core.own;
            record.version = version;
            if changed_address && record.kind != NameKind::Group {
                self.core.changes.address_changes += 1;
            }
        }
        self.core.put(record, out);
        self.answer(request, Rcode::Ok, out);
    }

    /// An active record for the request; owner and version are given by the caller.
    fn new_record(&self, request: &Request, now: Now) -> NameRecord {
        let stamp = now.wall + self.core.profile.renewal_interval;
        let kind = request.kind(&self.core.profile);
        let address = if kind == NameKind::Group { GROUP_ADDRESS } else { request.address };
        NameRecord {
            name: request.name,
            scope: request.scope.clone(),
            kind,
            state: RecordState::Active,
            origin: Origin::Dynamic,
            node_type: request.nb_flags.node_type(),
            owner: self.core.own,
            version: VersionId::ZERO,
            stamp,
            members: Members::one(Member { address, owner: self.core.own, stamp }),
        }
    }

    /// The stored record with its stamp, and that of the request's address, renewed.
    fn renewed(&self, mut stored: NameRecord, request: &Request, now: Now) -> NameRecord {
        let own = self.core.own;
        let stamp = now.wall + self.core.profile.renewal_interval;
        drop_lapsed(&mut stored, own, now.wall);
        let address = if stored.kind == NameKind::Group { GROUP_ADDRESS } else { request.address };
        if stored.is_static() && stored.kind.is_held() {
            // MigrateOn: the static record becomes a dynamic one.
            stored.origin = Origin::Dynamic;
            stored.members.as_mut_slice().iter_mut().for_each(|member| member.stamp = stamp);
        }
        if !stored.is_static() {
            stored.stamp = stamp;
        }
        match stored.members.find_mut(address) {
            Some(member) if member.stamp == WallTime::NEVER => {}
            Some(member) => *member = Member { address, owner: own, stamp },
            // A normal group pulled from a partner may carry some address of its own.
            None => stored.members = Members::one(Member { address, owner: own, stamp }),
        }
        stored
    }

    /// The stored list with the request's address added; a full list loses a member (Q140064).
    fn with_member(
        &self,
        mut stored: NameRecord,
        request: &Request,
        decision: Decision,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) -> NameRecord {
        let own = self.core.own;
        let stamp = now.wall + self.core.profile.renewal_interval;
        drop_lapsed(&mut stored, own, now.wall);
        match decision {
            Decision::MigrateGroup => {
                stored.origin = Origin::Dynamic;
                for member in stored.members.as_mut_slice() {
                    member.stamp = member.stamp.min(stamp);
                }
            }
            Decision::OverrunStatic => stored.kind = NameKind::InternetGroup,
            _ => {}
        }
        stored.state = RecordState::Active;
        if !stored.is_static() {
            stored.stamp = stamp;
        }
        let keep_static = stored.is_static();
        let pinned = |member: &Member| keep_static && member.stamp == WallTime::NEVER;
        stored.members.remove(request.address);
        while stored.members.len() >= self.core.profile.members_max {
            self.core.log(list_full(stored.kind), out);
            if stored.members.evict_for_local(own, pinned).is_none() {
                return stored;
            }
        }
        stored.members.push(Member { address: request.address, owner: own, stamp });
        stored
    }

    /// The challenge that a request caused has ended.
    pub(super) fn challenge_answered(
        &mut self,
        request: &Request,
        outcome: ChallengeOutcome,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        match outcome {
            ChallengeOutcome::Free => self.enter(request, Decision::Insert, now, out),
            ChallengeOutcome::Changed => self.answer(request, Rcode::Active, out),
            ChallengeOutcome::Held { addresses, .. } => {
                let joins = self.core.profile.challenge_joins
                    && request.kind(&self.core.profile).is_held()
                    && addresses.contains(&request.address);
                if joins {
                    self.join(request, &addresses, now, out);
                } else {
                    self.answer(request, Rcode::Active, out);
                }
            }
        }
    }

    /// The holder listed the requested address too: one multihomed host. Stored addresses that it did
    /// not list are dropped, the new one is added.
    fn join(
        &mut self,
        request: &Request,
        listed: &[Ipv4Addr],
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let Some(mut record) = self.core.names.get(&request.name, &request.scope).cloned() else {
            return self.answer(request, Rcode::Active, out);
        };
        let Some(version) = self.core.assign_version(request.name, out) else {
            return self.drop_request(request, out);
        };
        let own = self.core.own;
        let stamp = now.wall + self.core.profile.renewal_interval;
        record.members.retain(|member| listed.contains(&member.address));
        while record.members.len() >= self.core.profile.members_max {
            self.core.log(WinsEvent::MultihomedListFull, out);
            record.members.evict_for_local(own, |_| false);
        }
        record.members.push(Member { address: request.address, owner: own, stamp });
        for member in record.members.as_mut_slice() {
            // The answer is proof of life for every address that stayed (MigrateOn: statics age now).
            *member = Member { owner: own, stamp, ..*member };
        }
        let several = record.members.len() > 1;
        record.kind = if several { NameKind::Multihomed } else { record.kind };
        record.origin = Origin::Dynamic;
        record.owner = own;
        record.version = version;
        record.stamp = stamp;
        self.core.changes.address_changes += 1;
        self.core.put(record, out);
        self.answer(request, Rcode::Ok, out);
    }

    /// A registration that found `queued` others waiting: answered early with a short TTL, before any
    /// look at the database, so that duplicates succeed too (Q184693).
    pub(super) fn overflow(&mut self, request: Request, queued: u32, out: &mut Outbox<WinsOutput>) {
        let Some(ttl) = early_ttl(&self.core.profile, queued) else {
            return self.drop_request(&request, out);
        };
        let name = request.name;
        debug_assert!(request.what != RequestKind::Release);
        self.answer_with_ttl(&request, Rcode::Ok, ttl, out);
        self.core.counters.burst_answers += 1;
        self.core.observe(Observation::BurstAnswered { name, ttl }, out);
    }
}

/// The event that says that a list of this kind is full.
pub(super) fn list_full(kind: NameKind) -> WinsEvent {
    match kind {
        NameKind::Multihomed => WinsEvent::MultihomedListFull,
        _ => WinsEvent::ListFull,
    }
}

/// Takes out the members that no longer count: each member renews its own entry or drops out (RK35).
pub(super) fn drop_lapsed(record: &mut NameRecord, own: Owner, wall: WallTime) {
    if record.live_members(own, wall).count() == record.members.len() {
        return;
    }
    let live: Members = record.live_members(own, wall).copied().collect();
    record.members = live;
}
