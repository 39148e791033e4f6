//! What registration and replication share: the name table, the version counter, the profile, and the
//! one way a record is changed.
//!
//! Every change of a record goes through [`Core::put`] or [`Core::delete`], so that the table, the store
//! and whoever watches agree. What one half needs from the other (a challenge for a replica, a
//! verification for the scavenger) is left in a list and picked up when the current input is done.

use super::counters::Counters;
use super::events::WinsEvent;
use super::io::{Observation, StoreOp, WinsOutput};
use super::names::NameTable;
use super::profile::WinsProfile;
use super::record::{NameKind, NameRecord, Owner, VersionId};
use super::versions::VersionCounter;
use crate::base::{Outbox, SimTime};
use crate::wire::{NetbiosName, ScopeId};
use std::net::Ipv4Addr;

/// State shared by the parts of a WINS server.
#[derive(Clone, Debug)]
pub struct Core {
    /// This server as an owner of records.
    pub own: Owner,
    /// Timers, limits and switches.
    pub profile: WinsProfile,
    /// Every record known.
    pub names: NameTable,
    /// When the service started.
    pub started: SimTime,
    /// Nothing is answered before the first pull (`InitTimePause`, Q193887). Replication clears it.
    pub paused: bool,
    /// Own changes since replication last looked.
    pub changes: OwnChanges,
    /// Challenges that replication asks for, to be begun after the current input.
    pub challenges_wanted: Vec<ReplicaChallenge>,
    /// Release demands to be sent after the current input.
    pub demands_wanted: Vec<ReleaseDemand>,
    /// Owners whose replicas have to be verified, for replication to pick up.
    pub verifications_wanted: Vec<VerifyRequest>,
    /// What happened since the start.
    pub counters: Counters,
    versions: VersionCounter,
    store_ops: u64,
}

/// What replication's triggers count (MS-WINSRA 3.3.5.1).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnChanges {
    /// Version ids given to locally owned records.
    pub increments: u32,
    /// Owned names that changed their address.
    pub address_changes: u32,
    /// Own active 1C records that met a foreign tombstone (Q216585): push with propagate.
    pub urgent: u32,
}

/// A replica that wants the name of an own active record: the holder has to be asked
/// (MS-WINSRA figures 4 to 8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaChallenge {
    /// The record that came in.
    pub incoming: NameRecord,
    /// The stored record's addresses to ask, in order.
    pub addresses: Vec<Ipv4Addr>,
}

/// A demand that a holder give its name up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseDemand {
    /// The name.
    pub name: NetbiosName,
    /// Its scope.
    pub scope: ScopeId,
    /// Whether the name is a group's.
    pub group: bool,
    /// Who shall give it up.
    pub address: Ipv4Addr,
}

/// Active replicas of this owner passed their stamp: verify them (MS-WINSRA 3.2.5.3).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct VerifyRequest {
    /// The owner.
    pub owner: Owner,
    /// How many of its replicas are due.
    pub due: u32,
}

impl Core {
    /// An empty server.
    pub fn new(address: Ipv4Addr, profile: WinsProfile) -> Core {
        Core {
            own: Owner(address),
            profile,
            names: NameTable::new(),
            started: SimTime::ZERO,
            paused: false,
            changes: OwnChanges::default(),
            challenges_wanted: Vec::new(),
            demands_wanted: Vec::new(),
            verifications_wanted: Vec::new(),
            counters: Counters::default(),
            versions: VersionCounter::default(),
            store_ops: 0,
        }
    }

    /// Stores a record in the table and the database, and tells of its change of state.
    pub fn put(&mut self, record: NameRecord, out: &mut Outbox<WinsOutput>) {
        let bytes = out.write(|buf| record.encode(buf));
        let (name, kind, state) = (record.name, record.kind, record.state);
        let listed = matches!(kind, NameKind::InternetGroup | NameKind::Multihomed);
        let members = listed.then(|| record.members.clone());
        let old = self.names.put(record);
        self.store(StoreOp::Put { record: bytes }, out);
        if let (Some(old), Some(members)) = (&old, members)
            && !old
                .members
                .as_slice()
                .iter()
                .map(|m| m.address)
                .eq(members.as_slice().iter().map(|m| m.address))
        {
            self.observe(Observation::MembersChanged { name }, out);
        }
        let before = old.map(|old| old.state);
        if before != Some(state) {
            let after = Some(state);
            self.observe(Observation::State { name, kind, before, after }, out);
        }
    }

    /// Deletes a record from the table and the database. Returns what was there.
    pub fn delete(
        &mut self,
        name: &NetbiosName,
        scope: &ScopeId,
        out: &mut Outbox<WinsOutput>,
    ) -> Option<NameRecord> {
        let old = self.names.remove(name, scope)?;
        let key = out.write(|buf| NameRecord::encode_key(name, scope, buf));
        self.store(StoreOp::Delete { key }, out);
        let (name, kind, before) = (*name, old.kind, Some(old.state));
        self.observe(Observation::State { name, kind, before, after: None }, out);
        Some(old)
    }

    /// The next own version for this name. `None` when the reserve is not durable yet: drop the request,
    /// the client repeats it.
    pub fn assign_version(
        &mut self,
        name: NetbiosName,
        out: &mut Outbox<WinsOutput>,
    ) -> Option<VersionId> {
        let version = self.versions.assign()?;
        self.changes.increments = self.changes.increments.saturating_add(1);
        self.observe(Observation::VersionAssigned { name, owner: self.own, version }, out);
        Some(version)
    }

    /// How many own versions can be assigned before the next reserve is durable.
    pub fn versions_available(&self) -> u64 {
        self.versions.available()
    }

    /// Our own maximum as announced to partners: the counter, which never falls.
    pub fn own_maximum(&self) -> VersionId {
        self.versions.last()
    }

    /// The owner-version map as announced: every owner known, ourselves included.
    pub fn owner_versions(&self) -> impl Iterator<Item = (Owner, VersionId)> + '_ {
        let own = std::iter::once((self.own, self.own_maximum()));
        own.chain(self.names.owners().filter(|&(owner, _)| owner != self.own))
    }

    /// Notes that another owner has versions up to this one, in the table and the database.
    pub fn note_maximum(&mut self, owner: Owner, version: VersionId, out: &mut Outbox<WinsOutput>) {
        if owner != self.own {
            // Also when a record has raised it already: what is stored tells a restart how far pulls came.
            self.names.raise_maximum(owner, version);
            let version = self.names.maximum(owner);
            self.store(StoreOp::OwnerMaximum { owner, version }, out);
        }
    }

    /// Drops an owner of which no record is left from the table and the database. Returns whether it did.
    pub fn forget_owner(&mut self, owner: Owner, out: &mut Outbox<WinsOutput>) -> bool {
        let forgotten = self.names.forget_owner(owner);
        if forgotten {
            self.store(StoreOp::ForgetOwner { owner }, out);
        }
        forgotten
    }

    /// A partner's map shows `seen` as our maximum: raises the counter above it if it was lower
    /// (event 4295).
    pub fn repair_counter(&mut self, seen: VersionId, out: &mut Outbox<WinsOutput>) {
        if self.versions.raise(seen) {
            self.log(WinsEvent::CounterRaised, out);
            self.reserve_versions(out);
        }
    }

    /// Asks the store for a further block of versions when that is due. The server calls it after every
    /// input.
    pub fn reserve_versions(&mut self, out: &mut Outbox<WinsOutput>) {
        if let Some(upto) = self.versions.wanted() {
            let ticket = self.store(StoreOp::ReserveVersions { upto }, out);
            self.versions.asked(upto, ticket);
        }
    }

    /// The store made its first `ticket` operations durable.
    pub fn durable(&mut self, ticket: u64) {
        self.versions.durable(ticket);
    }

    /// The store is opened anew: its tickets count from 1 again, and nothing is on its way to it.
    pub fn start_store(&mut self) {
        self.store_ops = 0;
        self.versions = VersionCounter::after(self.versions.last());
    }

    /// Sets the counter when the database is loaded: the next version is above `last`.
    pub fn start_versions_after(&mut self, last: VersionId) {
        self.versions = VersionCounter::after(last);
    }

    /// Hands an operation to the store and returns its ticket.
    pub fn store(&mut self, op: StoreOp, out: &mut Outbox<WinsOutput>) -> u64 {
        self.store_ops += 1;
        out.push(WinsOutput::Store(op));
        self.store_ops
    }

    /// Tells whoever watches.
    pub fn observe(&self, observation: Observation, out: &mut Outbox<WinsOutput>) {
        out.push(WinsOutput::Observe(observation));
    }

    /// Writes an entry of the event log.
    pub fn log(&self, event: WinsEvent, out: &mut Outbox<WinsOutput>) {
        self.observe(Observation::Logged(event), out);
    }

    /// Writes an entry that only a server with `LogDetailedEvents` writes (Q176498).
    pub fn log_detail(&self, event: WinsEvent, out: &mut Outbox<WinsOutput>) {
        if self.profile.detailed_events {
            self.log(event, out);
        }
    }
}
