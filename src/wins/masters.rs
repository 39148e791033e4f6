//! The list of domains that a domain master browser reads by RPC: every active 1B name (Q120151).
//!
//! The server keeps the list for three minutes (RAIW 3.1.1), so a new domain may be missing that long.

use super::record::RecordState;
use super::server::WinsServer;
use crate::base::{Now, SimDuration, SimTime};
use crate::wire::{NetbiosName, Suffix};
use std::net::Ipv4Addr;

/// How long a list is given out again (RAIW 3.1.1).
const KEPT_FOR: SimDuration = SimDuration::from_mins(3);

/// The list that was made last.
#[derive(Clone, Debug, Default)]
pub(super) struct DomainMasters {
    made: Option<SimTime>,
    list: Vec<(NetbiosName, Ipv4Addr)>,
}

impl WinsServer {
    /// Every active 1B name without scope and the address of its holder, at most three minutes old.
    pub fn domain_masters(&mut self, now: Now) -> &[(NetbiosName, Ipv4Addr)] {
        let fresh = self.masters.made.is_some_and(|made| now.time.since(made) < KEPT_FOR);
        if !fresh {
            let own = self.core.own;
            let held = self.core.names.iter().filter(|record| {
                record.name.suffix() == Suffix::DOMAIN_MASTER
                    && record.scope.is_none()
                    && record.kind.is_held()
                    && record.effective_state(own, now.wall) == RecordState::Active
            });
            let first = held.filter_map(|record| {
                let member = record.live_members(own, now.wall).next()?;
                Some((record.name, member.address))
            });
            self.masters = DomainMasters { made: Some(now.time), list: first.collect() };
        }
        &self.masters.list
    }
}
