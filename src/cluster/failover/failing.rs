//! Failures: polls, time-outs, restarts within their threshold and period, and what follows beyond it
//! (SDK: RestartAction, RestartThreshold, RetryPeriodOnFailure; Q197047, Q260527, Q242386).

use super::super::config::{ResourceKind, RestartAction};
use super::super::events::ClusterEvent;
use super::super::ids::{GroupId, ResourceId};
use super::super::step::Step;
use super::super::update::OwnerChange;
use super::Failover;
use super::group::Activity;
use super::resource::{Hold, Phase};
use super::timers::Timer;
use crate::base::{SimDuration, SimTime};
use std::collections::VecDeque;

impl Failover {
    /// Sets the deadline of the poll that will find the resource dead, if any will: polls come at whole
    /// intervals since the resource went online. LooksAlive failing calls IsAlive at once; what IsAlive finds
    /// decides.
    pub(super) fn plan_poll(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let profile = &step.config.profile;
        let resource = &self.resources[&id];
        let (looks_alive, is_alive) = resource.health;
        if resource.phase != Phase::Online || is_alive {
            self.timers.clear(Timer::Poll(id));
            return;
        }
        let next = |every: SimDuration| next_poll(resource.online_at, every, step.now.time);
        let mut at = next(resource.config.is_alive.unwrap_or(profile.is_alive));
        if !looks_alive {
            at = at.min(next(resource.config.looks_alive.unwrap_or(profile.looks_alive)));
        }
        self.timers.set(Timer::Poll(id), at);
    }

    /// A poll has found a resource dead.
    pub(super) fn polled(&mut self, id: ResourceId, step: &mut Step<'_>) {
        if self.resources.get(&id).is_some_and(|r| r.phase == Phase::Online && !r.health.1) {
            self.failed(id, step);
        }
    }

    /// No word for PendingTimeout.
    pub(super) fn silent_too_long(&mut self, id: ResourceId, step: &mut Step<'_>) {
        if self.resources.contains_key(&id) {
            self.failed(id, step);
        }
    }

    /// A resource failed: it is terminated, and what its policy says follows.
    pub(super) fn failed(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let resource = self.resource_mut(id);
        let phase = resource.phase;
        match phase {
            Phase::Idle | Phase::Saving | Phase::Giving => return,
            Phase::Restoring | Phase::Starting | Phase::Online | Phase::Stopping => {}
        }
        resource.failed = true;
        if matches!(resource.config.kind, ResourceKind::GenericService { .. }) {
            step.log(ClusterEvent::GenericServiceFailed { resource: id });
        }
        step.log(ClusterEvent::ResourceFailed { resource: id });
        self.wind_up(id, step);
        // One that was on its way offline is where it was to go.
        if phase != Phase::Stopping {
            self.follow_policy(id, step);
        }
    }

    /// Ends what is left of a failed resource.
    fn wind_up(&mut self, id: ResourceId, step: &mut Step<'_>) {
        if self.resources[&id].phase == Phase::Restoring {
            // Its keys are still being restored: that ends by itself.
            self.resource_mut(id).abort = true;
            self.tell(id, step);
        } else {
            self.terminate(id, step);
        }
        self.touch(id);
    }

    fn follow_policy(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let profile = &step.config.profile;
        let resource = self.resource_mut(id);
        let threshold = resource.config.restart_threshold.unwrap_or(profile.restart_threshold);
        // The SDK: so many restarts are tolerated. Q260527: so many failures lead to the failover.
        let tolerated = threshold.saturating_sub(u32::from(profile.threshold_counts_failures));
        let period = resource.config.restart_period.unwrap_or(profile.restart_period);
        let counted = within(&mut resource.restarts, period, step.now.time);
        match resource.config.restart_action {
            RestartAction::None => resource.hold = Hold::GivenUp,
            RestartAction::Restart | RestartAction::AffectGroup if counted < tolerated => {
                resource.restarts.push_back(step.now.time);
                self.restart_later(id, step);
            }
            RestartAction::Restart => self.give_up(id, step),
            RestartAction::AffectGroup => self.fail_over(id, step),
        }
    }

    fn restart_later(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.resource_mut(id).hold = Hold::Delay;
        self.timers.set(Timer::Restart(id), step.now.time + step.config.profile.restart_delay);
    }

    /// A resource stays failed; it is tried again after its retry period.
    pub(super) fn give_up(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.resource_mut(id).hold = Hold::GivenUp;
        let period = step.config.profile.retry_period;
        if !period.is_zero() {
            self.timers.set(Timer::Retry(id), step.now.time + period);
        }
    }

    /// A resource failed too often: its group goes to another node, unless it did that too often.
    fn fail_over(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let group_id = self.resources[&id].config.group;
        let now = step.now.time;
        let Some(group) = self.groups.get_mut(&group_id) else { return self.give_up(id, step) };
        let counted = within(&mut group.failovers, group.config.failover_period, now);
        let allowed = group.config.failover_threshold.is_none_or(|threshold| counted < threshold);
        let group = &self.groups[&group_id];
        let steady = group.activity == Activity::Steady;
        let next = self.next_owner(group, step.me, step.config);
        match next.filter(|_| allowed && steady) {
            Some(to) => {
                // Should it stay after all, the resource is tried here again.
                self.restart_later(id, step);
                self.leave(group_id, to, OwnerChange::FailedOver);
            }
            None => {
                self.give_up(id, step);
                if !allowed && step.config.profile.failover_threshold_takes_group_offline {
                    self.group_mut(group_id).given_up = true;
                    self.dirty.insert(group_id);
                }
            }
        }
    }

    /// The pause before a restart is over.
    pub(super) fn release(&mut self, id: ResourceId) {
        if let Some(resource) = self.resources.get_mut(&id) {
            resource.hold = Hold::Free;
            self.touch(id);
        }
    }

    /// A failed resource is tried again.
    pub(super) fn retry(&mut self, id: ResourceId) {
        let Some(group) = self.resources.get(&id).map(|resource| resource.config.group) else {
            return;
        };
        self.release_group(group);
        self.release(id);
    }

    /// A group that failed over too often is tried again.
    pub(super) fn release_group(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.given_up = false;
            self.dirty.insert(id);
        }
    }

    /// A resource monitor has died: everything in it is started again in a new one (Q242386). One monitor
    /// holds all resources of the node but those that asked for their own; disks are kept by their driver.
    pub(super) fn monitor_died(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let alone = self.resources[&id].config.separate_monitor;
        let inside: Vec<ResourceId> = self
            .resources
            .iter()
            .filter(|(other, r)| if alone { **other == id } else { !r.config.separate_monitor })
            .filter(|(_, r)| r.disk().is_none())
            .filter(|(_, r)| matches!(r.phase, Phase::Starting | Phase::Online | Phase::Stopping))
            .map(|(&other, _)| other)
            .collect();
        if inside.is_empty() {
            return;
        }
        if !step.config.profile.monitor_death_silent {
            step.log(ClusterEvent::ResourceMonitorDied { resource: id });
        }
        for id in inside {
            let was_stopping = self.resources[&id].phase == Phase::Stopping;
            self.resource_mut(id).failed = true;
            self.wind_up(id, step);
            match self.resources[&id].config.restart_action {
                _ if was_stopping => {}
                RestartAction::None => self.restart_later(id, step),
                _ => self.follow_policy(id, step),
            }
        }
    }
}

/// The first poll after `now`.
fn next_poll(since: SimTime, every: SimDuration, now: SimTime) -> SimTime {
    let every = every.nanos().max(1);
    let polls = now.since(since).nanos() / every + 1;
    since + SimDuration::from_nanos(every.saturating_mul(polls))
}

/// How many of these times are within a period that ends now; older ones are forgotten.
fn within(times: &mut VecDeque<SimTime>, period: SimDuration, now: SimTime) -> u32 {
    while times.front().is_some_and(|&time| now.since(time) >= period) {
        times.pop_front();
    }
    times.len() as u32
}
