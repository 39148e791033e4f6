//! DHCP as a resource (Windows 2000 and later): the service `DHCPServer` of the node, with its database on a
//! disk of the group, bound to the address of the group (SDK: dhcp-service).
//!
//! What the service says to DHCP clients is not simulated: like every invented service it takes time to start
//! and stop, needs and writes values, and its parameters follow it as registry checkpoints.

use super::super::world::World;
use super::{Code, Phase};
use crate::base::Scheduler;
use crate::cluster::{ResourceId, ResourceKind};

impl World {
    /// Whether a DHCP resource has what it needs on this node: its disk, an address, a name. True of any
    /// other resource.
    pub(super) fn dhcp_has_place<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &S,
    ) -> bool {
        let path = match self.dll(h, resource).map(|dll| &dll.config.kind) {
            Some(ResourceKind::Dhcp { database_path, .. }) => database_path.clone(),
            _ => return true,
        };
        let disk = matches!(self.on_shared_disk(h, &path, sched), Some(Some(_)));
        let below = self.below(h, resource);
        let Some(part) = &self.hosts[h].cluster else { return false };
        let address = part.attached().any(|(r, _, _)| below.contains(&r));
        let runs_name = |r: &ResourceId| {
            let dll = part.dlls.get(usize::from(r.0));
            dll.is_some_and(|dll| matches!(dll.code, Code::Name) && dll.phase == Phase::Running)
        };
        disk && address && below.iter().any(runs_name)
    }
}
