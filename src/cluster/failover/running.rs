//! What runs on this node: what should be online is compared with what is, and what is ready for its next
//! step takes it. Dependencies go online first, dependents offline first, all else at the same time (SDK:
//! resource dependencies; Q171791). Keys are restored before Online and saved after Offline (Q174070).

use super::super::config::ResourceKind;
use super::super::events::ClusterEvent;
use super::super::ids::{GroupId, ResourceId};
use super::super::io::{ClusterOutput, ResourceCall};
use super::super::step::{Notice, Step};
use super::group::Activity;
use super::resource::{Hold, Phase};
use super::timers::Timer;
use super::{Failover, Group};
use std::collections::BTreeSet;

impl Failover {
    /// Looks at a group this node owns: stops and starts what is ready for it, then goes on with what is
    /// done with the group as a whole.
    pub(super) fn look_at(&mut self, id: GroupId, step: &mut Step<'_>) {
        let Some(group) = self.groups.get(&id).filter(|group| self.is_mine(group, step.me)) else {
            return;
        };
        let order = group.resources.clone();
        let may_start = self.stop.is_none() && self.can_host(group, step.me);
        let sound = self.sound(group);
        for &resource in order.iter().rev() {
            let runs = self.resources[&resource].phase;
            let runs = matches!(runs, Phase::Restoring | Phase::Starting | Phase::Online);
            if runs
                && !sound.contains(&resource)
                && self.dependents_idle(resource)
                && !self.stays(resource)
            {
                self.stop_resource(resource, step);
            }
        }
        for &resource in &order {
            let ready = may_start
                && self.resources[&resource].phase == Phase::Idle
                && sound.contains(&resource)
                && self.dependents_idle(resource);
            if ready {
                self.start(resource, step);
            }
        }
        self.go_on(id, step);
    }

    /// The resources of a group that should be online, and whose dependencies all are and should be.
    fn sound(&self, group: &Group) -> BTreeSet<ResourceId> {
        let mut sound = BTreeSet::new();
        if group.activity != Activity::Steady || group.given_up {
            return sound;
        }
        for &id in &group.resources {
            let resource = &self.resources[&id];
            let wanted = resource.wished.unwrap_or(group.config.online_at_start);
            let stands =
                |on: &ResourceId| sound.contains(on) && self.resources[on].phase == Phase::Online;
            if wanted && resource.hold == Hold::Free && resource.needs.iter().all(stands) {
                sound.insert(id);
            }
        }
        sound
    }

    /// The quorum of a node that stops, and gives its group to nobody, is given up by the node itself, after
    /// the last checkpoint.
    pub(super) fn stays(&self, id: ResourceId) -> bool {
        let resource = &self.resources[&id];
        let group = self.groups.get(&resource.config.group);
        resource.is_quorum && group.is_some_and(|group| group.activity == Activity::Closing)
    }

    fn dependents_idle(&self, id: ResourceId) -> bool {
        let idle = |id: &ResourceId| self.resources.get(id).is_none_or(|r| r.phase == Phase::Idle);
        self.resources[&id].needed_by.iter().all(idle)
    }

    /// Resources that do or hold something on this node.
    fn monitored(&self) -> usize {
        self.resources.values().filter(|resource| resource.phase != Phase::Idle).count()
    }

    /// Begins to bring a resource online.
    fn start(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let full = self.monitored() >= step.config.profile.resources_max as usize;
        let restore_first = !step.config.profile.planted.restore_after_online;
        let resource = self.resource_mut(id);
        resource.failed = false;
        resource.abort = false;
        resource.health = (true, true);
        if full && step.config.profile.resources_max_enforced {
            // Error 5076: the monitors have no room.
            resource.failed = true;
            self.give_up(id, step);
            self.tell(id, step);
            return;
        }
        if restore_first && !resource.is_quorum {
            resource.phase = Phase::Restoring;
            step.notice(Notice::RestoreKeys { resource: id });
            self.tell(id, step);
        } else {
            self.call_online(id, step);
        }
        if full {
            // Where nothing refuses, resources beyond the limit flap (Q277550).
            self.failed(id, step);
        }
    }

    /// The keys of a resource are restored.
    pub(super) fn keys_restored(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let Some(resource) = self.resources.get(&id) else { return };
        match resource.phase {
            Phase::Restoring if resource.abort => self.idle(id, step),
            Phase::Restoring => self.call_online(id, step),
            // The planted mistake: they were restored after the start.
            Phase::Online if step.config.profile.planted.restore_after_online => {
                step.notice(Notice::WatchKeys { resource: id });
            }
            _ => {}
        }
    }

    fn call_online(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.resource_mut(id).phase = Phase::Starting;
        self.tell(id, step);
        match self.resources[&id].config.kind {
            ResourceKind::PhysicalDisk { disk, skip_chkdsk, conditional_mount } => {
                if usize::from(disk.0) < step.config.disks.len() {
                    step.notice(Notice::TakeDisk { disk, skip_chkdsk, conditional_mount });
                } else {
                    step.log(ClusterEvent::DiskMissing { disk });
                    self.failed(id, step);
                }
            }
            _ => {
                step.out.push(ClusterOutput::Resource { resource: id, call: ResourceCall::Online });
                self.await_report(id, step);
            }
        }
    }

    /// A resource that goes online or offline has told that it is still busy: PendingTimeout is the longest
    /// silence, not the longest time.
    pub(super) fn still_pending(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let resource = &self.resources[&id];
        if matches!(resource.phase, Phase::Starting | Phase::Stopping) && resource.disk().is_none()
        {
            self.await_report(id, step);
        }
    }

    fn await_report(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let timeout = self.resources[&id].config.pending_timeout;
        let timeout = timeout.unwrap_or(step.config.profile.pending_timeout);
        self.timers.set(Timer::Pending(id), step.now.time + timeout);
    }

    /// A resource is online.
    pub(super) fn went_online(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.timers.clear(Timer::Pending(id));
        let resource = self.resource_mut(id);
        resource.phase = Phase::Online;
        resource.online_at = step.now.time;
        if !resource.is_quorum {
            step.notice(match step.config.profile.planted.restore_after_online {
                true => Notice::RestoreKeys { resource: id },
                false => Notice::WatchKeys { resource: id },
            });
        }
        self.tell(id, step);
        self.plan_poll(id, step);
        self.touch(id);
    }

    /// Begins to take a resource offline; nothing that depends on it runs any more.
    fn stop_resource(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.timers.clear(Timer::Poll(id));
        let kill = step.config.profile.service_kill;
        let shutting_down = self.stop.as_ref().is_some_and(|stop| stop.shutting_down);
        let resource = self.resource_mut(id);
        let is_disk = resource.disk().is_some();
        match resource.phase {
            // What was asked for has to be answered first.
            Phase::Restoring => resource.abort = true,
            Phase::Starting if is_disk => resource.abort = true,
            // An Online that has not ended cannot be taken back in order.
            Phase::Starting => self.terminate(id, step),
            Phase::Online if is_disk => self.save_keys(id, true, step),
            Phase::Online => {
                resource.phase = Phase::Stopping;
                let is_service =
                    matches!(resource.config.kind, ResourceKind::GenericService { .. });
                step.out
                    .push(ClusterOutput::Resource { resource: id, call: ResourceCall::Offline });
                self.await_report(id, step);
                if is_service && shutting_down && !kill.is_zero() {
                    self.timers.set(Timer::Kill(id), step.now.time + kill);
                }
                self.tell(id, step);
            }
            _ => {}
        }
    }

    /// A resource has stopped in order.
    pub(super) fn went_offline(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.save_keys(id, true, step);
    }

    /// A generic service that does not stop in time is killed: it has stopped, so to speak.
    pub(super) fn kill(&mut self, id: ResourceId, step: &mut Step<'_>) {
        if self.resources.get(&id).is_some_and(|resource| resource.phase == Phase::Stopping) {
            step.out.push(ClusterOutput::Resource { resource: id, call: ResourceCall::Terminate });
            self.went_offline(id, step);
        }
    }

    /// Stops a resource at once.
    pub(super) fn terminate(&mut self, id: ResourceId, step: &mut Step<'_>) {
        if self.resources[&id].disk().is_none() {
            step.out.push(ClusterOutput::Resource { resource: id, call: ResourceCall::Terminate });
        }
        self.save_keys(id, step.config.profile.checkpoint_save_on_failure, step);
    }

    fn save_keys(&mut self, id: ResourceId, save: bool, step: &mut Step<'_>) {
        self.timers.clear(Timer::Pending(id));
        self.timers.clear(Timer::Kill(id));
        self.timers.clear(Timer::Poll(id));
        let resource = self.resource_mut(id);
        if resource.is_quorum {
            self.give_disk(id, step);
            return;
        }
        resource.phase = Phase::Saving;
        step.notice(Notice::SaveKeys { resource: id, save });
        self.tell(id, step);
    }

    /// The keys of a resource are saved.
    pub(super) fn keys_saved(&mut self, id: ResourceId, step: &mut Step<'_>) {
        match self.resources.get(&id) {
            Some(resource) if resource.phase != Phase::Saving => {}
            Some(resource) if resource.disk().is_some() => self.give_disk(id, step),
            Some(_) => self.idle(id, step),
            None => {}
        }
    }

    /// Gives the disk of a resource back.
    pub(super) fn give_disk(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let known = step.config.disks.len();
        let resource = self.resource_mut(id);
        resource.phase = Phase::Giving;
        let orderly = !resource.failed;
        let disk = resource.disk().filter(|disk| usize::from(disk.0) < known);
        self.tell(id, step);
        match disk {
            Some(disk) => step.notice(Notice::GiveDisk { disk, orderly }),
            None => self.idle(id, step),
        }
    }

    /// Nothing of a resource runs here any more.
    pub(super) fn idle(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let resource = self.resource_mut(id);
        resource.phase = Phase::Idle;
        resource.abort = false;
        self.tell(id, step);
        self.touch(id);
    }

    /// Ends everything of a resource without waiting for anything.
    pub(super) fn cut_off(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.timers.clear_resource(id);
        let known = step.config.disks.len();
        let resource = self.resource_mut(id);
        let runs = matches!(resource.phase, Phase::Starting | Phase::Online | Phase::Stopping);
        if runs && resource.disk().is_none() {
            step.out.push(ClusterOutput::Resource { resource: id, call: ResourceCall::Terminate });
        }
        if resource.phase != Phase::Idle {
            match resource.disk().filter(|disk| usize::from(disk.0) < known) {
                Some(disk) => step.notice(Notice::GiveDisk { disk, orderly: false }),
                None => step.notice(Notice::SaveKeys { resource: id, save: false }),
            }
        }
        resource.phase = Phase::Idle;
        resource.failed = false;
        resource.abort = false;
        resource.hold = Hold::Free;
        resource.restarts.clear();
        self.tell(id, step);
    }

    /// A resource is deleted.
    pub(super) fn drop_resource(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.cut_off(id, step);
        self.resources.remove(&id);
    }
}
