//! WINS as a resource (Windows 2000 and later): the real server, its database on the shared disk, its address
//! that of the IP Address resource it depends on, its parameters in the registry of the node it runs on.

use super::super::host::HostId;
use super::super::service::Seat;
use super::super::world::World;
use super::{Failure, Phase};
use crate::base::Scheduler;
use crate::cluster::{ResourceEvent, ResourceId, ResourceKind};
use crate::net::InterfaceId;
use std::net::Ipv4Addr;

/// ERROR_RESOURCE_NOT_FOUND: no address, or no disk, to run on.
const NO_PLACE: Failure = Failure::number(5007);
/// ERROR_SERVICE_SPECIFIC_ERROR: the database cannot be opened.
const NO_DATABASE: Failure = Failure::number(1066);
/// The database's name where the path does not end with one.
const FILE: &str = "wins.mdb";

impl World {
    pub(super) fn wins_online<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        let Some(seat) = self.seat(h, resource, sched) else {
            return self.resource_failed(h, resource, NO_PLACE, sched);
        };
        if let Some(server) = &mut self.hosts[h].server {
            server.seat = Some(seat);
            self.start_wins(h, sched);
        }
        let server = self.hosts[h].server.as_ref();
        if server.is_some_and(|server| server.wins.is_some()) {
            self.resource_online(h, resource);
        } else {
            self.resource_failed(h, resource, NO_DATABASE, sched);
        }
    }

    pub(super) fn wins_offline<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        self.stop_wins(h, sched);
        self.resource_offline(h, resource, sched);
    }

    /// Whatever still runs ends at once.
    pub(super) fn end_wins<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        self.wins_killed(h, sched);
        if let Some(server) = &mut self.hosts[h].server {
            server.seat = None;
        }
    }

    /// The service has ended by itself: the next poll finds it.
    pub(in crate::sim) fn clustered_wins_fell(&mut self, h: usize) {
        let seat = self.hosts[h].server.as_ref().and_then(|server| server.seat.as_ref());
        let Some(resource) = seat.map(|seat| seat.resource) else { return };
        if self.dll(h, resource).is_some_and(|dll| dll.phase == Phase::Running) {
            let event = ResourceEvent::Health { looks_alive: false, is_alive: false };
            self.tell_service(h, resource, event);
        }
    }

    /// What a WINS resource has to run on now.
    fn seat<S: Scheduler>(&mut self, h: usize, resource: ResourceId, sched: &S) -> Option<Seat> {
        let part = self.hosts[h].cluster.as_ref()?;
        let own = part.dlls.get(usize::from(resource.0))?;
        let ResourceKind::Wins { database_path, .. } = &own.config.kind else { return None };
        let (disk, path) = part.config.disk_of_path(database_path)?;
        let mut file = path.trim_start_matches('\\').to_owned();
        if file.is_empty() || file.ends_with('\\') {
            file += FILE;
        }
        let below = self.below(h, resource);
        let part = self.hosts[h].cluster.as_ref()?;
        let mut attached = part.attached().filter(|(r, _, _)| below.contains(r));
        let interface: InterfaceId = attached.next().map(|(_, interface, _)| interface)?;
        drop(attached);
        let (site, node) = (part.site, part.initiator);
        let signature = *part.signatures.get(usize::from(disk.0))?;
        let address: Ipv4Addr = self.net.interface(interface).1;
        let lease = self.clusters[site].bus.lease(node, signature, sched.now()).ok()?;
        Some(Seat { resource, interface, address, lease, file })
    }

    /// Whether a host's WINS server is a cluster's.
    pub fn has_clustered_wins(&self, id: HostId) -> bool {
        self.hosts[id.0 as usize].server.as_ref().is_some_and(|server| server.install.clustered)
    }
}
