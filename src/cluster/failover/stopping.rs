//! The service stops: in order, past its time, or at once.

use super::super::ids::{GroupId, NodeId, NodeSet, ResourceId};
use super::super::io::{ClusterError, ClusterOutput, Observation, ResourceCall};
use super::super::resource::ResourceState;
use super::super::step::{Notice, Step};
use super::super::update::OwnerChange;
use super::group::{Activity, Group};
use super::resource::Phase;
use super::timers::Timer;
use super::{Failover, Origin, Proposal, Stop, wire};
use crate::wire::cluster::RpcKind;

/// RPC_S_SERVER_UNAVAILABLE: the service ended before it answered.
const GONE: ClusterError = ClusterError(1722);

impl Failover {
    /// The service stops: groups move to other members, or go offline. Ends in `AllOffline`. When the
    /// system shuts down there is a time for all of it, and what is left then is cut off (Q252974).
    pub fn stop(&mut self, shutting_down: bool, step: &mut Step<'_>) {
        match &mut self.stop {
            Some(stop) => stop.shutting_down |= shutting_down,
            None => {
                self.stop = Some(Stop { shutting_down, done: false });
                self.stopping.insert(step.me);
                self.tell_stopping(self.members, step);
            }
        }
        if shutting_down && !self.timers.is_set(Timer::Budget) {
            let budget = step.config.profile.shutdown_budget;
            self.timers.set(Timer::Budget, step.now.time + budget);
        }
        self.dirty.extend(self.groups.keys());
        self.settle(step);
    }

    /// Tells members that this node takes no groups any more: two that stop at the same time would hand
    /// theirs to each other.
    pub(super) fn tell_stopping(&mut self, members: NodeSet, step: &mut Step<'_>) {
        for to in members.without(NodeSet::only(step.me)).iter() {
            let body = wire::Message::Stopping.encode();
            step.notice(Notice::Rpc { to, kind: RpcKind::Failover, body });
        }
    }

    /// Finds a place for a group of this node that stops.
    pub(super) fn evacuate(&mut self, id: GroupId, step: &mut Step<'_>) {
        let group = &self.groups[&id];
        // The quorum goes last: the checkpoints of the others are saved on it.
        let waits = group.holds_quorum && self.others_left(id, step.me);
        if waits || self.timers.is_set(Timer::Handover(id)) {
            return;
        }
        match self.next_owner(group, step.me, step.config) {
            Some(to) => self.leave(id, to, OwnerChange::Moved),
            None => {
                self.group_mut(id).activity = Activity::Closing;
                self.dirty.insert(id);
            }
        }
    }

    /// Whether another group has not left this node, or is not offline here.
    fn others_left(&self, id: GroupId, me: NodeId) -> bool {
        self.groups.iter().any(|(&other, group)| other != id && !self.is_settled(group, me))
    }

    /// Whether a stopping node has nothing more to do with a group.
    fn is_settled(&self, group: &Group, me: NodeId) -> bool {
        !self.is_mine(group, me) || (group.activity == Activity::Closing && self.is_idle(group))
    }

    /// Goes on with an orderly stop: the quorum's group when it is its turn, and the end.
    pub(super) fn go_on_stopping(&mut self, step: &mut Step<'_>) {
        if self.stop.as_ref().is_none_or(|stop| stop.done) {
            return;
        }
        if self.groups.values().all(|group| self.is_settled(group, step.me)) {
            self.all_offline(step);
            return;
        }
        let waiting = self.groups.iter().find(|(_, group)| {
            group.holds_quorum && self.is_mine(group, step.me) && group.activity == Activity::Steady
        });
        if let Some((&id, _)) = waiting
            && !self.others_left(id, step.me)
            && !self.timers.is_set(Timer::Handover(id))
        {
            self.dirty.insert(id);
        }
    }

    fn all_offline(&mut self, step: &mut Step<'_>) {
        for (&id, group) in &self.groups {
            if self.is_mine(group, step.me) && !matches!(group.activity, Activity::Handing { .. }) {
                step.observe(Observation::GroupGiven(id));
            }
        }
        if let Some(stop) = &mut self.stop {
            stop.done = true;
        }
        self.timers.clear(Timer::Budget);
        step.notice(Notice::AllOffline);
    }

    /// The time for an orderly shutdown is over. What is still on its way is cut off, disks with writes
    /// under way are given up as they are, and the others take the groups (Q252974).
    pub(super) fn budget_over(&mut self, step: &mut Step<'_>) {
        if self.stop.as_ref().is_none_or(|stop| stop.done) {
            return;
        }
        let ids: Vec<ResourceId> = self.resources.keys().copied().collect();
        for id in ids {
            self.cut_off(id, step);
        }
        self.all_offline(step);
        for group in self.groups.values_mut() {
            if group.owner == Some(step.me) {
                group.activity = Activity::Closing;
            }
        }
    }

    /// The service ends at once: everything is terminated, and nothing of this run is remembered. Disks are
    /// given up by their driver.
    pub fn halt(&mut self, step: &mut Step<'_>) {
        for (&id, resource) in &self.resources {
            if resource.phase != Phase::Idle && resource.disk().is_none() {
                let call = ResourceCall::Terminate;
                step.out.push(ClusterOutput::Resource { resource: id, call });
            }
            if resource.told != ResourceState::Offline {
                step.resource_state(id, ResourceState::Offline);
            }
        }
        let done = self.stop.as_ref().is_some_and(|stop| stop.done);
        for (&id, group) in &self.groups {
            let given = done || matches!(group.activity, Activity::Handing { .. });
            if self.is_mine(group, step.me) && !given {
                step.observe(Observation::GroupGiven(id));
            }
        }
        let asked = self.proposals.values().filter_map(|proposal| match proposal {
            Proposal::Answer(Origin::Local { request }) => Some(*request),
            _ => None,
        });
        for request in asked.chain(self.forwarded.keys().copied()) {
            step.out.push(ClusterOutput::Answer { request, result: Err(GONE) });
        }
        *self = Failover::default();
    }
}
