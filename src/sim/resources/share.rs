//! File Share: a folder that others may use. Its disk must be there when the share is made (event 1068); what
//! becomes of the disk later it does not see (Q174940).

use super::super::waiting::ResourceStep;
use super::super::world::World;
use super::{Failure, MOMENT};
use crate::base::Scheduler;
use crate::cluster::{FailureCause, ResourceId, ResourceKind};

/// ERROR_PATH_NOT_FOUND.
const NO_FOLDER: u32 = 3;

impl World {
    pub(super) fn share_online<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        let path = match self.dll(h, resource).map(|dll| &dll.config.kind) {
            Some(ResourceKind::FileShare { path, .. }) => path.clone(),
            _ => return,
        };
        match self.on_shared_disk(h, &path, sched) {
            Some(None) => {
                let why = Failure::with(NO_FOLDER, FailureCause::ShareNotMade);
                self.resource_failed(h, resource, why, sched);
            }
            // On a disk of the node's own, or on one that is mounted here.
            None | Some(Some(_)) => {
                self.step_later(h, resource, MOMENT, ResourceStep::Online, sched);
            }
        }
    }
}
