//! The WINS server as a machine.

use super::core::Core;
use super::io::{WinsInput, WinsOutput};
use super::partners::Partner;
use super::profile::WinsProfile;
use super::record::{NameRecord, Owner, VersionId};
use super::replication::Replication;
use crate::base::{Machine, Now, Outbox, SimTime, Stream};
use std::net::Ipv4Addr;

/// What makes one WINS server different from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WinsConfig {
    /// Its own address: the owner of what is registered here.
    pub address: Ipv4Addr,
    /// Timers, limits and switches.
    pub profile: WinsProfile,
    /// Replication partners.
    pub partners: Vec<Partner>,
}

/// What the store held when it was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// All records.
    pub records: Vec<NameRecord>,
    /// Maxima of other owners ([`super::StoreOp::OwnerMaximum`]).
    pub maxima: Vec<(Owner, VersionId)>,
    /// The end of the last reserve ([`super::StoreOp::ReserveVersions`]).
    pub reserve: VersionId,
}

/// A WINS server.
#[derive(Clone, Debug)]
pub struct WinsServer {
    pub(super) core: Core,
    pub(super) replication: Replication,
    pub(super) chance: Stream,
}

impl WinsServer {
    /// A stopped server with an empty database. `chance` is its own stream (`host/NAME/wins`).
    pub fn new(config: WinsConfig, chance: Stream) -> WinsServer {
        let replication = Replication::new(config.partners);
        WinsServer { core: Core::new(config.address, config.profile), replication, chance }
    }

    /// Fills the name table with what the store held. Once, before [`WinsInput::Start`].
    pub fn load(&mut self, loaded: Loaded) {
        for record in loaded.records {
            self.core.names.put(record);
        }
        for (owner, version) in loaded.maxima {
            self.core.names.raise_maximum(owner, version);
        }
        let own = self.core.names.maximum(self.core.own);
        let start = VersionId(self.core.profile.version_start);
        self.core.start_versions_after(loaded.reserve.max(own).max(start));
    }

    /// The shared state, for those who watch.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The replication half, for those who watch.
    pub fn replication(&self) -> &Replication {
        &self.replication
    }
}

impl Machine for WinsServer {
    type Input<'a> = WinsInput<'a>;
    type Output = WinsOutput;

    fn handle(&mut self, _input: WinsInput<'_>, _now: Now, _out: &mut Outbox<WinsOutput>) {}

    fn on_deadline(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        self.replication.on_deadline(&mut self.core, now, out);
    }

    fn next_deadline(&self) -> Option<SimTime> {
        self.replication.next_deadline()
    }
}
