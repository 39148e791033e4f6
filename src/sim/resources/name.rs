//! Network Name: the name is registered through the NetBT of the addresses it depends on, with the name
//! servers of the node it is on (Q195462). A refused registration fails the resource (Q217199).

use super::super::world::World;
use super::{Failure, Phase};
use crate::base::Scheduler;
use crate::cluster::{FailureCause, ResourceEvent, ResourceId, ResourceKind};
use crate::nbt::{NameKind, NameState, NbtInput};
use crate::wire::{NetbiosName, Suffix};

/// ERROR_RESOURCE_NOT_FOUND: no address with NetBIOS to register on (Q217057).
const NO_ADDRESS: Failure = Failure::with(5007, FailureCause::NameNotRegistered);
/// ERROR_DUP_NAME: somebody has the name (event 1052 and its kin).
const DUPLICATE_NAME: Failure = Failure::with(52, FailureCause::NameNotRegistered);
/// The services whose names a virtual server has: workstation and server.
const SUFFIXES: [Suffix; 2] = [Suffix::WORKSTATION, Suffix::SERVER];

impl World {
    /// The names of a Network Name resource.
    pub(in crate::sim) fn names_of(&self, h: usize, resource: ResourceId) -> Vec<NetbiosName> {
        let Some(part) = &self.hosts[h].cluster else { return Vec::new() };
        let Some(dll) = part.dlls.get(usize::from(resource.0)) else { return Vec::new() };
        match &dll.config.kind {
            ResourceKind::NetworkName { name } => {
                SUFFIXES.into_iter().filter_map(|s| NetbiosName::new(name, s).ok()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A resource and all it depends on.
    pub(super) fn below(&self, h: usize, resource: ResourceId) -> Vec<ResourceId> {
        let Some(part) = &self.hosts[h].cluster else { return Vec::new() };
        let (mut seen, mut next) = (vec![false; part.dlls.len()], vec![resource]);
        let mut below = Vec::new();
        while let Some(at) = next.pop() {
            let Some(dll) = part.dlls.get(usize::from(at.0)) else { continue };
            if !std::mem::replace(&mut seen[usize::from(at.0)], true) {
                below.push(at);
                next.extend(&dll.config.depends_on);
            }
        }
        below
    }

    /// The addresses with NetBIOS that a resource depends on and this node has.
    fn addresses_below(&self, h: usize, resource: ResourceId) -> Vec<ResourceId> {
        let mut below = self.below(h, resource);
        let Some(part) = &self.hosts[h].cluster else { return Vec::new() };
        let has = |r: &ResourceId| part.attached().any(|(a, _, netbt)| a == *r && netbt.is_some());
        below.retain(has);
        below
    }

    pub(super) fn name_online<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        let addresses = self.addresses_below(h, resource);
        let names = self.names_of(h, resource);
        if addresses.is_empty() || names.is_empty() {
            return self.resource_failed(h, resource, NO_ADDRESS, sched);
        }
        for &address in &addresses {
            for &name in &names {
                let input = NbtInput::AddName { name, kind: NameKind::Unique };
                self.address_netbt_input(h, address, input, sched);
            }
        }
    }

    pub(super) fn name_offline<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        self.drop_name(h, resource, sched);
        self.look_at_name(h, resource, sched);
    }

    /// The name goes at once: released if there still is an address to release it from.
    pub(super) fn drop_name<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        let names = self.names_of(h, resource);
        for address in self.addresses_below(h, resource) {
            for &name in &names {
                self.address_netbt_input(h, address, NbtInput::RemoveName { name }, sched);
            }
        }
    }

    /// A name of a cluster address has another state.
    pub(in crate::sim) fn address_name_changed<S: Scheduler>(
        &mut self,
        h: usize,
        name: NetbiosName,
        sched: &mut S,
    ) {
        let Some(part) = &self.hosts[h].cluster else { return };
        let concerned: Vec<ResourceId> = (0..part.dlls.len() as u16)
            .map(ResourceId)
            .filter(|&r| part.dlls[usize::from(r.0)].phase != Phase::Stopped)
            .filter(|&r| self.names_of(h, r).contains(&name))
            .collect();
        concerned.into_iter().for_each(|r| self.look_at_name(h, r, sched));
    }

    /// Whether a name that is on its way has arrived, or one that is there was lost.
    fn look_at_name<S: Scheduler>(&mut self, h: usize, resource: ResourceId, sched: &mut S) {
        let (names, addresses) = (self.names_of(h, resource), self.addresses_below(h, resource));
        let (mut there, mut registered, mut conflict) = (0, 0, false);
        let Some(part) = &self.hosts[h].cluster else { return };
        for (_, _, netbt) in part.attached().filter(|(a, _, _)| addresses.contains(a)) {
            for own in netbt.iter().flat_map(|netbt| netbt.owned_names()) {
                if names.contains(&own.name) {
                    there += 1;
                    registered += usize::from(matches!(own.state, NameState::Registered { .. }));
                    conflict |= own.state == NameState::Conflict;
                }
            }
        }
        let Some(dll) = self.dll(h, resource) else { return };
        match dll.phase {
            Phase::Starting if conflict => {
                self.resource_failed(h, resource, DUPLICATE_NAME, sched);
            }
            Phase::Starting if registered == names.len() * addresses.len() => {
                self.resource_online(h, resource);
            }
            Phase::Running if conflict => {
                let event = ResourceEvent::Health { looks_alive: false, is_alive: false };
                self.tell_service(h, resource, event);
            }
            Phase::Stopping if there == 0 => self.resource_offline(h, resource, sched),
            _ => {}
        }
    }
}
