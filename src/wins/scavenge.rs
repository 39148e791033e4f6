//! Scavenging: how a WINS server forgets names.
//!
//! An own record that is not refreshed goes active, released, tombstone, gone; each step waits for its
//! interval. Replicas never change by scavenging: active ones past their stamp are handed to replication
//! for verification with their owner, tombstones are deleted, but (W2K on) only after three days of
//! uptime. A pass takes from the index of stamps what has expired, so that it costs no more than that; it
//! goes through own records by ascending version (RAIW 3.1.4.5), then through replicas by stamp, in chunks so
//! that requests are not held up. What an administrator asks for while a pass is under way waits for its end.
//!
//! Promised: no record leaves before its interval.

use super::core::VerifyRequest;
use super::io::{Observation, StoreOp, WinsEvent, WinsOutput};
use super::record::{NameRecord, Owner, RecordState, VersionId};
use super::server::WinsServer;
use crate::base::{Now, Outbox, SimTime, WallTime};
use crate::wire::{NetbiosName, ScopeId};
use std::collections::{BTreeMap, VecDeque};

/// Passes an administrator has asked for and that wait; further ones would ask for the same again.
const WANTED_MAX: usize = 16;

/// What a pass is to do.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
struct Wanted {
    /// An administrator asked for it.
    manual: bool,
    /// Delete replica tombstones whatever the uptime.
    force: bool,
    /// Verify replicas and nothing else.
    verify_only: bool,
}

/// A pass under way.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    wanted: Wanted,
    /// Stamps up to this one are looked at.
    upto: WallTime,
    /// Own records that have expired, by ascending version.
    own: VecDeque<VersionId>,
    /// The last entry of the index of stamps that was looked at for replicas.
    cursor: Option<(WallTime, u32)>,
    next_chunk: SimTime,
    released: u32,
    tombstoned: u32,
    deleted_own: u32,
    deleted_replicas: u32,
    to_verify: BTreeMap<Owner, u32>,
}

/// When passes happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Scavenger {
    next_pass: Option<SimTime>,
    /// When owners without records are forgotten next.
    next_cleaning: Option<SimTime>,
    wanted: VecDeque<Wanted>,
    /// When what is wanted begins, a pass having ended.
    resume_at: Option<SimTime>,
    pass: Option<Pass>,
    /// Above the highest own version when the last pass ended.
    passed: VersionId,
}

/// What one expired record comes to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Step {
    Release,
    Entomb,
    Delete,
    Verify,
    Leave,
}

impl Scavenger {
    /// The first pass waits for a whole period of uptime (Q138272).
    pub(super) fn start(&mut self, first: SimTime, cleaning: SimTime) {
        let (next_pass, next_cleaning) = (Some(first), Some(cleaning));
        *self = Scavenger { next_pass, next_cleaning, ..Scavenger::default() };
    }

    pub(super) fn stop(&mut self) {
        *self = Scavenger::default();
    }

    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        let chunk = self.pass.as_ref().map(|pass| pass.next_chunk);
        [chunk, self.resume_at, self.next_pass, self.next_cleaning].into_iter().flatten().min()
    }
}

impl WinsServer {
    /// An administrator wants a pass. It begins at once, or after the one under way.
    pub(super) fn scavenge_now(&mut self, force: bool, now: Now, out: &mut Outbox<WinsOutput>) {
        self.want_pass(Wanted { manual: true, force, verify_only: false }, now, out);
    }

    /// An administrator wants replicas verified (RAIW 2.2.2.12).
    pub(super) fn verify_now(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        self.want_pass(Wanted { manual: true, force: false, verify_only: true }, now, out);
    }

    fn want_pass(&mut self, wanted: Wanted, now: Now, out: &mut Outbox<WinsOutput>) {
        if self.scavenger.wanted.len() < WANTED_MAX {
            self.scavenger.wanted.push_back(wanted);
        }
        self.scavenge_deadlines(now, out);
    }

    /// The periodic pass, and the next chunk of the one under way.
    pub(super) fn scavenge_deadlines(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        if self.scavenger.next_cleaning.is_some_and(|at| at <= now.time) {
            let every = self.core.profile.verification_interval;
            self.scavenger.next_cleaning = (!every.is_zero()).then(|| now.time + every);
            self.forget_unused_owners(out);
        }
        if self.scavenger.next_pass.is_some_and(|at| at <= now.time) {
            self.scavenger.next_pass = Some(now.time + self.core.profile.scavenge_period());
            if self.scavenger.pass.is_none() && self.scavenger.wanted.is_empty() {
                self.scavenger.wanted.push_back(Wanted::default());
            }
        }
        self.scavenger.resume_at = None;
        if self.scavenger.pass.is_none()
            && let Some(wanted) = self.scavenger.wanted.pop_front()
        {
            self.begin_pass(wanted, now, out);
        }
        if self.scavenger.pass.as_ref().is_some_and(|pass| pass.next_chunk <= now.time) {
            self.scavenge_chunk(now, out);
        }
    }

    fn begin_pass(&mut self, wanted: Wanted, now: Now, out: &mut Outbox<WinsOutput>) {
        let own = self.core.own;
        let mut versions: Vec<VersionId> = Vec::new();
        let mut expired = self.core.names.expired(None, now.wall).peekable();
        let any = expired.peek().is_some();
        if !wanted.verify_only {
            // Q149318: what the last pass has passed is not looked at again.
            let from = match self.core.profile.scavenger_starts_wrong {
                true => self.scavenger.passed,
                false => VersionId::ZERO,
            };
            let ours = expired.filter(|(_, r)| r.owner == own && r.version >= from);
            versions.extend(ours.map(|(_, record)| record.version));
            versions.sort_unstable();
        }
        if any {
            self.core.log(WinsEvent::ScavengeStarted, out);
        }
        if !versions.is_empty() {
            self.core.log(WinsEvent::RangeToScavenge, out);
        }
        self.scavenger.pass = Some(Pass {
            wanted,
            upto: now.wall,
            own: versions.into(),
            cursor: None,
            next_chunk: now.time,
            released: 0,
            tombstoned: 0,
            deleted_own: 0,
            deleted_replicas: 0,
            to_verify: BTreeMap::new(),
        });
    }

    fn scavenge_chunk(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        let Some(mut pass) = self.scavenger.pass.take() else { return };
        let more = match pass.own.is_empty() {
            false => {
                self.scavenge_own(&mut pass, now, out);
                true
            }
            true => self.scavenge_replicas(&mut pass, now, out),
        };
        // A last chunk of own records is followed by the replicas without a pause when there are few.
        let few = more && pass.own.is_empty() && pass.cursor.is_none();
        if few && !self.scavenge_replicas(&mut pass, now, out) || !more {
            return self.end_scavenging(pass, now, out);
        }
        pass.next_chunk = now.time + self.core.profile.scavenge_pause;
        self.scavenger.pass = Some(pass);
    }

    /// The next chunk of own records, in the order of their versions.
    fn scavenge_own(&mut self, pass: &mut Pass, now: Now, out: &mut Outbox<WinsOutput>) {
        let own = self.core.own;
        let mut range: Option<(VersionId, VersionId)> = None;
        for _ in 0..self.core.profile.scavenge_chunk.max(1) {
            let Some(&version) = pass.own.front() else { break };
            let stored = self.core.names.of_owner(own, version..=version).next();
            // It may have been refreshed, replaced or deleted since the pass began.
            let due = stored.filter(|record| record.stamp <= pass.upto);
            if let Some((name, scope)) = due.map(|record| (record.name, record.scope.clone()))
                && !self.scavenge_record(pass, &name, &scope, now, out)
            {
                // No version can be given until the next reserve is durable: go on from here then.
                break;
            }
            pass.own.pop_front();
            range = Some((range.map_or(version, |(first, _)| first), version));
        }
        if let Some((first, last)) = range {
            self.core.log(WinsEvent::RangeScavenged, out);
            self.core.log(WinsEvent::ScavengeOwnProgress, out);
            self.core.observe(Observation::RangeScavenged { first, last }, out);
        }
    }

    /// The next chunk of replicas, oldest stamp first. Returns whether there are more.
    fn scavenge_replicas(
        &mut self,
        pass: &mut Pass,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) -> bool {
        let chunk = self.core.profile.scavenge_chunk.max(1) as usize;
        let own = self.core.own;
        type Due = ((WallTime, u32), Option<(NetbiosName, ScopeId)>);
        let due: Vec<Due> = self
            .core
            .names
            .expired(pass.cursor, pass.upto)
            .take(chunk)
            .map(|(entry, record)| {
                let replica = record.owner != own;
                (entry, replica.then(|| (record.name, record.scope.clone())))
            })
            .collect();
        let mut replicas = false;
        let more = due.len() == chunk;
        for (entry, replica) in due {
            if let Some((name, scope)) = replica {
                replicas = true;
                self.scavenge_record(pass, &name, &scope, now, out);
            }
            pass.cursor = Some(entry);
        }
        if replicas {
            self.core.log(WinsEvent::ScavengeReplicaProgress, out);
        }
        more
    }

    /// Does what one record's stamp calls for. Returns false when a version was needed and none is left.
    fn scavenge_record(
        &mut self,
        pass: &mut Pass,
        name: &NetbiosName,
        scope: &ScopeId,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) -> bool {
        let Some(stored) = self.core.names.get(name, scope) else { return true };
        let step = self.step_for(stored, pass, now);
        let own = stored.owner == self.core.own;
        match step {
            Step::Leave => {}
            Step::Verify => {
                let (owner, mut record) = (stored.owner, stored.clone());
                if self.core.profile.scavenge_raises_replicas {
                    // The fault Q187555: our number under the owner's name.
                    let Some(version) = self.core.assign_version(*name, out) else { return false };
                    record.version = version;
                    self.core.put(record, out);
                }
                *pass.to_verify.entry(owner).or_default() += 1;
            }
            Step::Delete => {
                let count = if own { &mut pass.deleted_own } else { &mut pass.deleted_replicas };
                *count += 1;
                self.core.delete(name, scope, out);
            }
            Step::Release => {
                let mut record = stored.clone();
                record.state = RecordState::Released;
                record.stamp = now.wall + self.core.profile.extinction_interval;
                pass.released += 1;
                self.core.put(record, out);
            }
            Step::Entomb => {
                let mut record = stored.clone();
                let Some(version) = self.core.assign_version(*name, out) else { return false };
                record.state = RecordState::Tombstone;
                record.version = version;
                record.stamp = now.wall + self.core.profile.extinction_timeout;
                pass.tombstoned += 1;
                self.core.put(record, out);
            }
        }
        true
    }

    fn step_for(&self, stored: &NameRecord, pass: &Pass, now: Now) -> Step {
        let profile = &self.core.profile;
        let uptime = now.time.since(self.core.started);
        let old_enough = uptime >= profile.replica_tombstones_wait;
        let own = stored.owner == self.core.own;
        match (own, stored.state) {
            (_, RecordState::Active) if stored.is_static() => Step::Leave,
            (false, RecordState::Active) => Step::Verify,
            _ if pass.wanted.verify_only => Step::Leave,
            (true, RecordState::Active) => Step::Release,
            (true, RecordState::Released) => Step::Entomb,
            (true, RecordState::Tombstone) if profile.own_tombstones_wait && !old_enough => {
                Step::Leave
            }
            (true, RecordState::Tombstone) => Step::Delete,
            (false, _) if old_enough || pass.wanted.force => Step::Delete,
            (false, _) => Step::Leave,
        }
    }

    /// The bug of Q164631: static replicas beyond a number are lost. Returns how many were.
    fn drop_statics(&mut self, out: &mut Outbox<WinsOutput>) -> u32 {
        let own = self.core.own;
        let keep = self.core.profile.statics_dropped_above as usize;
        let statics = self.core.names.iter().filter(|r| r.is_static() && r.owner != own);
        let mut lost: Vec<(NetbiosName, ScopeId)> =
            statics.map(|record| (record.name, record.scope.clone())).collect();
        lost.sort_unstable();
        let lost = lost.get(keep..).unwrap_or_default();
        for (name, scope) in lost {
            self.core.delete(name, scope, out);
        }
        lost.len() as u32
    }

    fn end_scavenging(&mut self, mut pass: Pass, now: Now, out: &mut Outbox<WinsOutput>) {
        self.scavenger.passed = self.core.own_maximum().next();
        if self.core.profile.scavenge_drops_statics {
            pass.deleted_replicas += self.drop_statics(out);
        }
        let Wanted { manual, force, verify_only } = pass.wanted;
        let mut verified = 0;
        for (&owner, &due) in &pass.to_verify {
            verified += due;
            self.core.verifications_wanted.push(VerifyRequest { owner, due });
        }
        if pass.released + pass.tombstoned + pass.deleted_own > 0 {
            self.core.log(WinsEvent::OwnScavenged, out);
        }
        if pass.deleted_replicas > 0 {
            let forced = force && !self.core.profile.replica_tombstones_wait.is_zero();
            let event =
                if forced { WinsEvent::TombstonesForced } else { WinsEvent::TombstonesScavenged };
            self.core.log(event, out);
        }
        let last = &mut self.core.counters.last;
        match manual {
            true => last.scavenging_admin = Some(now.wall),
            false => last.scavenging_periodic = Some(now.wall),
        }
        if !verify_only {
            last.scavenging_tombstones = Some(now.wall);
        }
        if verified > 0 {
            last.scavenging_verify = Some(now.wall);
        }
        let Pass { released, tombstoned, .. } = pass;
        let deleted = pass.deleted_own + pass.deleted_replicas;
        self.core.observe(Observation::Scavenged { released, tombstoned, deleted, verified }, out);
        // What has been asked for meanwhile begins at the next look at the deadlines.
        self.scavenger.resume_at = (!self.scavenger.wanted.is_empty()).then_some(now.time);
    }

    /// Owners of whom nothing is left here are forgotten (event 4267, later 4288).
    fn forget_unused_owners(&mut self, out: &mut Outbox<WinsOutput>) {
        let own = self.core.own;
        let others = self.core.names.owners().map(|(owner, _)| owner).filter(|&owner| owner != own);
        for owner in others.collect::<Vec<_>>() {
            if self.core.names.forget_owner(owner) {
                self.core.store(StoreOp::ForgetOwner { owner }, out);
                self.core.log(WinsEvent::OwnerRemoved, out);
            }
        }
    }
}
