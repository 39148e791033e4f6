//! What an administrator does to records by hand, past the rules of registration and replication (RAIW
//! 3.1.4).

use super::core::Core;
use super::io::{PutRecord, StoreOp, WinsEvent, WinsOutput};
use super::members::MEMBERS_MAX;
use super::record::{Member, NameRecord, Origin, Owner, RecordState, VersionId};
use super::server::WinsServer;
use crate::base::{Now, Outbox, WallTime};
use crate::wire::{NetbiosName, ScopeId};

impl WinsServer {
    /// Deletes every record of an owner and forgets the owner. Nothing replicates: a partner that has the
    /// records sends them again (Q177140).
    pub(super) fn delete_owner(&mut self, owner: Owner, out: &mut Outbox<WinsOutput>) {
        let all = VersionId::ZERO..=VersionId(u64::MAX);
        let records = self.core.names.of_owner(owner, all);
        let names: Vec<(NetbiosName, ScopeId)> =
            records.map(|record| (record.name, record.scope.clone())).collect();
        for (name, scope) in names {
            self.core.delete(&name, &scope, out);
        }
        if owner != self.core.own && self.core.names.forget_owner(owner) {
            self.core.store(StoreOp::ForgetOwner { owner }, out);
            self.core.log(WinsEvent::OwnerRemoved, out);
        }
    }

    /// Puts a record into the database. Nothing happens while no version can be given.
    pub(super) fn put_record(&mut self, put: PutRecord, now: Now, out: &mut Outbox<WinsOutput>) {
        let owner = put.owner.map_or(self.core.own, Owner);
        let version = match put.version {
            Some(version) => version,
            None => match self.core.assign_version(put.name, out) {
                Some(version) => version,
                None => return,
            },
        };
        if owner == self.core.own {
            self.core.repair_counter(version, out);
        }
        let stamp = stamp_of(&self.core, &put, owner, now);
        let registrar = put.member_owner.map_or(owner, Owner);
        let member = |&address| Member { address, owner: registrar, stamp };
        let record = NameRecord {
            name: put.name,
            scope: put.scope,
            kind: put.kind,
            state: put.state,
            origin: if put.is_static { Origin::Static } else { Origin::Dynamic },
            node_type: Default::default(),
            owner,
            version,
            stamp,
            members: put.addresses.iter().take(MEMBERS_MAX).map(member).collect(),
        };
        self.core.put(record, out);
    }
}

/// When the state of a record put in ends: as if it had entered it just now.
fn stamp_of(core: &Core, put: &PutRecord, owner: Owner, now: Now) -> WallTime {
    let profile = &core.profile;
    let own = owner == core.own;
    match put.state {
        _ if put.is_static => WallTime::NEVER,
        RecordState::Active if own => now.wall + profile.renewal_interval,
        RecordState::Active => now.wall + profile.verification_interval,
        RecordState::Released => now.wall + profile.extinction_interval,
        RecordState::Tombstone if own => now.wall + profile.extinction_timeout,
        RecordState::Tombstone => now.wall + profile.replica_tombstone_life(),
    }
}
