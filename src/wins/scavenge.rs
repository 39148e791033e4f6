//! Scavenging: how a WINS server forgets names.
//!
//! An own record that is not refreshed goes active, released, tombstone, gone; each step waits for its
//! interval. Replicas never change by scavenging: active ones past their stamp are handed to replication
//! for verification with their owner, tombstones are deleted, but (W2K on) only after three days of
//! uptime. A pass walks the index of stamps, so it costs what has expired, and works in chunks so that
//! requests are not held up.
//!
//! Promised: no record leaves before its interval. Not as in Windows: a pass goes by stamp, not by
//! version, so the versions of new tombstones follow the order in which the records expired.

use super::core::VerifyRequest;
use super::io::{Observation, WinsEvent, WinsOutput};
use super::record::{NameRecord, Owner, RecordState};
use super::server::WinsServer;
use crate::base::{Now, Outbox, SimTime, WallTime};
use crate::wire::{NetbiosName, ScopeId};
use std::collections::BTreeMap;

/// A pass under way.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// Stamps up to this one are looked at.
    upto: WallTime,
    /// The last index entry done.
    cursor: Option<(WallTime, u32)>,
    /// Delete replica tombstones whatever the uptime.
    force: bool,
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
    pass: Option<Pass>,
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
    pub(super) fn start(&mut self, first: SimTime) {
        *self = Scavenger { next_pass: Some(first), pass: None };
    }

    pub(super) fn stop(&mut self) {
        *self = Scavenger::default();
    }

    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        let chunk = self.pass.as_ref().map(|pass| pass.next_chunk);
        [chunk, self.next_pass].into_iter().flatten().min()
    }
}

impl WinsServer {
    /// Begins a pass, or forces the one under way.
    pub(super) fn begin_scavenging(&mut self, force: bool, now: Now) {
        let pass = self.scavenger.pass.get_or_insert_with(|| Pass {
            upto: now.wall,
            cursor: None,
            force,
            next_chunk: now.time,
            released: 0,
            tombstoned: 0,
            deleted_own: 0,
            deleted_replicas: 0,
            to_verify: BTreeMap::new(),
        });
        pass.force |= force;
    }

    /// The periodic pass, and the next chunk of the one under way.
    pub(super) fn scavenge_deadlines(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        if self.scavenger.next_pass.is_some_and(|at| at <= now.time) {
            self.scavenger.next_pass = Some(now.time + self.core.profile.scavenge_period());
            self.begin_scavenging(false, now);
        }
        if self.scavenger.pass.as_ref().is_some_and(|pass| pass.next_chunk <= now.time) {
            self.scavenge_chunk(now, out);
        }
    }

    fn scavenge_chunk(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        let Some(mut pass) = self.scavenger.pass.take() else { return };
        let chunk = self.core.profile.scavenge_chunk.max(1) as usize;
        let due: Vec<((WallTime, u32), NetbiosName, ScopeId)> = self
            .core
            .names
            .expired(pass.cursor, pass.upto)
            .take(chunk)
            .map(|(entry, record)| (entry, record.name, record.scope.clone()))
            .collect();
        let more = due.len() == chunk;
        for (entry, name, scope) in due {
            if !self.scavenge_record(&mut pass, &name, &scope, now, out) {
                // No version can be given until the next reserve is durable: go on from here then.
                pass.next_chunk = now.time + self.core.profile.scavenge_pause;
                self.scavenger.pass = Some(pass);
                return;
            }
            pass.cursor = Some(entry);
        }
        if more {
            pass.next_chunk = now.time + self.core.profile.scavenge_pause;
            self.scavenger.pass = Some(pass);
        } else {
            self.end_scavenging(pass, out);
        }
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
            Step::Verify => *pass.to_verify.entry(stored.owner).or_default() += 1,
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
            (true, RecordState::Active) => Step::Release,
            (true, RecordState::Released) => Step::Entomb,
            (true, RecordState::Tombstone) if profile.own_tombstones_wait && !old_enough => {
                Step::Leave
            }
            (true, RecordState::Tombstone) => Step::Delete,
            (false, RecordState::Active) => Step::Verify,
            (false, _) if old_enough || pass.force => Step::Delete,
            (false, _) => Step::Leave,
        }
    }

    fn end_scavenging(&mut self, pass: Pass, out: &mut Outbox<WinsOutput>) {
        let mut verified = 0;
        for (&owner, &due) in &pass.to_verify {
            verified += due;
            self.core.verifications_wanted.push(VerifyRequest { owner, due });
        }
        if pass.released + pass.tombstoned + pass.deleted_own > 0 {
            self.core.log(WinsEvent::OwnScavenged, out);
        }
        if pass.deleted_replicas > 0 {
            let forced = pass.force && !self.core.profile.replica_tombstones_wait.is_zero();
            let event =
                if forced { WinsEvent::TombstonesForced } else { WinsEvent::TombstonesScavenged };
            self.core.log(event, out);
        }
        let Pass { released, tombstoned, .. } = pass;
        let deleted = pass.deleted_own + pass.deleted_replicas;
        self.core.observe(Observation::Scavenged { released, tombstoned, deleted, verified }, out);
    }
}
