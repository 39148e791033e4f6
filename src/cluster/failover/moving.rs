//! Groups on their way from one node to another: given away by their owner (move, failover, failback, orderly
//! stop), or claimed after their owner has gone.

use super::super::config::Failback;
use super::super::ids::{GroupId, NodeId, ResourceId};
use super::super::io::Observation;
use super::super::step::{Asker, Notice, Step};
use super::super::update::{OwnerChange, Update};
use super::group::{Activity, Group};
use super::owners::failback_wait;
use super::resource::Phase;
use super::timers::Timer;
use super::{Failover, Proposal};
use crate::base::SimDuration;

/// So long the second heir waits for the first, the third for the second: a node that is named by the table
/// but cannot act must not keep a group from everybody. Ours.
const CLAIM_PATIENCE: SimDuration = SimDuration::from_secs(5);
/// From an update that failed to the next try. Ours.
const PROPOSE_AGAIN: SimDuration = SimDuration::from_secs(1);
/// Failovers kept of a group; a threshold above it counts as none. Thresholds in use are ten and less.
const FAILOVERS_MAX: usize = 1000;

impl Failover {
    /// Proposes an update; `proposal` says what its answer means.
    pub(super) fn propose(
        &mut self,
        update: Update,
        proposal: Proposal,
        step: &mut Step<'_>,
    ) -> u32 {
        self.last_proposal = self.last_proposal.wrapping_add(1);
        let number = self.last_proposal;
        self.proposals.insert(number, proposal);
        step.notice(Notice::Propose { asker: Asker::Failover(number), update });
        number
    }

    /// The update that changes a group's owner is applied. It counts only if the group has changed its
    /// owner as often as when it was proposed.
    pub(super) fn owner_changed(
        &mut self,
        id: GroupId,
        node: NodeId,
        generation: u32,
        reason: OwnerChange,
        step: &mut Step<'_>,
    ) {
        let Some(group) = self.groups.get(&id) else { return };
        if group.generation != generation {
            return;
        }
        let was_mine = self.is_mine(group, step.me);
        let now = step.now.time;
        let group = self.group_mut(id);
        group.owner = Some(node);
        group.generation = generation.wrapping_add(1);
        group.vacant = false;
        if reason == OwnerChange::FailedOver {
            group.failovers.push_back(now);
            if group.failovers.len() > FAILOVERS_MAX {
                group.failovers.pop_front();
            }
        }
        self.timers.clear(Timer::Claim(id));
        step.notice(Notice::GroupMoved { group: id, to: node });
        if was_mine && node != step.me {
            self.lost(id, step);
        }
        if !was_mine && node == step.me {
            self.taken(id, reason, step);
        }
        self.settle_vacancies(step);
    }

    /// The group is another node's.
    fn lost(&mut self, id: GroupId, step: &mut Step<'_>) {
        let group = self.group_mut(id);
        let given = matches!(group.activity, Activity::Handing { .. });
        group.activity = Activity::Steady;
        group.failback_due = false;
        group.given_up = false;
        for resource in group.resources.clone() {
            self.cut_off(resource, step);
        }
        self.timers.clear(Timer::Failback(id));
        self.timers.clear(Timer::Handover(id));
        if !given {
            step.observe(Observation::GroupGiven(id));
        }
    }

    /// The group is this node's.
    fn taken(&mut self, id: GroupId, reason: OwnerChange, step: &mut Step<'_>) {
        if self.stop.as_ref().is_some_and(|stop| stop.done) {
            // Too late: whoever stays claims it when this node has left.
            self.group_mut(id).activity = Activity::Closing;
            return;
        }
        step.observe(Observation::GroupTaken(id));
        let group = self.group_mut(id);
        group.activity = Activity::Steady;
        group.given_up = false;
        // The one that died may have been waiting for the window to open.
        group.failback_due = reason == OwnerChange::Claimed
            && matches!(group.config.failback, Failback::Window { .. });
        self.dirty.insert(id);
    }

    /// Begins to give a group away.
    pub(super) fn leave(&mut self, id: GroupId, to: NodeId, reason: OwnerChange) {
        let group = self.group_mut(id);
        group.activity = Activity::Leaving { to, reason };
        group.failback_due = false;
        self.timers.clear(Timer::Failback(id));
        self.dirty.insert(id);
    }

    /// Goes on with what is done with a group this node owns.
    pub(super) fn go_on(&mut self, id: GroupId, step: &mut Step<'_>) {
        let group = &self.groups[&id];
        let idle = self.is_idle(group);
        match group.activity {
            Activity::Steady if self.stop.is_some() => self.evacuate(id, step),
            Activity::Steady if idle && !self.can_host(group, step.me) => {
                // It is here because nobody could have it (KB 313882); now somebody may.
                if let Some(to) = self.next_owner(group, step.me, step.config) {
                    self.leave(id, to, OwnerChange::Moved);
                }
            }
            Activity::Steady if group.failback_due => self.fail_back(id, step),
            Activity::Leaving { to, reason } if !self.can_take(group, to) => {
                match self.next_owner(group, step.me, step.config) {
                    Some(other) if self.stop.is_some() || reason == OwnerChange::FailedOver => {
                        self.leave(id, other, reason);
                    }
                    _ => self.stay(id),
                }
            }
            Activity::Leaving { to, reason } if idle => self.hand_over(id, to, reason, step),
            Activity::Steady
            | Activity::Leaving { .. }
            | Activity::Handing { .. }
            | Activity::Closing => {}
        }
    }

    /// A group that was leaving has nowhere to go.
    fn stay(&mut self, id: GroupId) {
        self.group_mut(id).activity = Activity::Steady;
        self.dirty.insert(id);
    }

    /// Whether nothing of a group runs here.
    pub(super) fn is_idle(&self, group: &Group) -> bool {
        let idle = |id: &ResourceId| self.resources.get(id).is_none_or(|r| r.phase == Phase::Idle);
        group.resources.iter().all(|id| idle(id) || self.stays(*id))
    }

    /// Everything is offline: proposes the new owner. From here on this node does not count as the owner.
    fn hand_over(&mut self, id: GroupId, to: NodeId, reason: OwnerChange, step: &mut Step<'_>) {
        step.observe(Observation::GroupGiven(id));
        let generation = self.groups[&id].generation;
        let update = Update::GroupOwner { group: id, node: to, generation, reason };
        let number = self.propose(update, Proposal::Handover(id), step);
        self.group_mut(id).activity = Activity::Handing { number };
    }

    /// The update that gives a group away is answered. If it was applied the group is gone already.
    pub(super) fn handover_answered(&mut self, id: GroupId, number: u32, step: &mut Step<'_>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.activity != (Activity::Handing { number }) {
            return;
        }
        group.activity = Activity::Steady;
        step.observe(Observation::GroupTaken(id));
        if self.stop.is_some() {
            self.timers.set(Timer::Handover(id), step.now.time + PROPOSE_AGAIN);
        }
        self.dirty.insert(id);
    }

    /// Looks for groups whose owner is gone, and claims those that are this node's to claim.
    pub(super) fn settle_vacancies(&mut self, step: &mut Step<'_>) {
        if !self.members.contains(step.me) {
            return;
        }
        let vacant: Vec<GroupId> =
            self.groups.iter().filter(|(_, g)| self.is_vacant(g)).map(|(&id, _)| id).collect();
        for id in vacant {
            let heirs = self.heirs(id, &self.groups[&id], step.config);
            match heirs.iter().position(|&node| node == step.me) {
                Some(0) => self.claim_if_vacant(id, step),
                Some(rank) if !self.timers.is_set(Timer::Claim(id)) => {
                    let patience = CLAIM_PATIENCE.nanos().saturating_mul(rank as u64);
                    let at = step.now.time + SimDuration::from_nanos(patience);
                    self.timers.set(Timer::Claim(id), at);
                }
                _ => {}
            }
        }
    }

    /// Whether nobody who is a member owns a group.
    pub(super) fn is_vacant(&self, group: &Group) -> bool {
        group.vacant || !group.owner.is_some_and(|owner| self.members.contains(owner))
    }

    /// Claims a group for this node, if it is still nobody's and this node is among those who may have it.
    pub(super) fn claim_if_vacant(&mut self, id: GroupId, step: &mut Step<'_>) {
        let Some(group) = self.groups.get(&id).filter(|group| self.is_vacant(group)) else {
            return;
        };
        let is_heir = self.heirs(id, group, step.config).contains(&step.me);
        let claimed = self.proposals.values().any(|&proposal| proposal == Proposal::Claim(id));
        if !is_heir || claimed {
            return;
        }
        let (node, generation) = (step.me, group.generation);
        let reason = OwnerChange::Claimed;
        let update = Update::GroupOwner { group: id, node, generation, reason };
        self.propose(update, Proposal::Claim(id), step);
    }

    /// A claim is answered.
    pub(super) fn claim_answered(&mut self, id: GroupId, step: &mut Step<'_>) {
        let Some(group) = self.groups.get(&id) else { return };
        // Either it failed, or another came before it whose winner has died since.
        if self.is_vacant(group) {
            self.timers.set(Timer::Claim(id), step.now.time + PROPOSE_AGAIN);
        }
    }

    /// Goes back to a better node, if the policy and the hour allow it and nothing is on its way.
    fn fail_back(&mut self, id: GroupId, step: &mut Step<'_>) {
        let group = &self.groups[&id];
        let target = self.failback_target(group, step.me);
        let wait = failback_wait(group.config.failback, step.now.wall);
        let (Some(to), Some(wait)) = (target, wait) else {
            self.timers.clear(Timer::Failback(id));
            self.group_mut(id).failback_due = false;
            return;
        };
        if !wait.is_zero() {
            if !self.timers.is_set(Timer::Failback(id)) {
                self.timers.set(Timer::Failback(id), step.now.time + wait);
            }
            return;
        }
        let mut resources = group.resources.iter().filter_map(|id| self.resources.get(id));
        if !resources.any(|resource| resource.is_pending()) {
            self.leave(id, to, OwnerChange::Moved);
        }
    }
}
