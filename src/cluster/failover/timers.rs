//! Named deadlines in one table.

use super::super::ids::{GroupId, ResourceId};
use crate::base::SimTime;
use std::collections::{BTreeMap, BTreeSet};

/// What a deadline is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// A resource on its way online or offline has been silent too long.
    Pending(ResourceId),
    /// The next poll that would find a resource other than it was.
    Poll(ResourceId),
    /// The pause before a restart is over.
    Restart(ResourceId),
    /// A failed resource is tried again.
    Retry(ResourceId),
    /// A generic service did not stop while the system shuts down (Q252974).
    Kill(ResourceId),
    /// A group's failback window opens.
    Failback(GroupId),
    /// Nobody better has claimed a group.
    Claim(GroupId),
    /// A group that could not be handed over is tried again.
    Handover(GroupId),
    /// The time for an orderly shutdown is over.
    Budget,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, SimTime>,
    queue: BTreeSet<(SimTime, Timer)>,
}

impl Timers {
    /// Sets a deadline, in the place of an earlier one.
    pub fn set(&mut self, timer: Timer, at: SimTime) {
        self.clear(timer);
        self.at.insert(timer, at);
        self.queue.insert((at, timer));
    }

    pub fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    pub fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// Takes back every deadline of a resource.
    pub fn clear_resource(&mut self, id: ResourceId) {
        for timer in [Timer::Pending, Timer::Poll, Timer::Restart, Timer::Retry, Timer::Kill] {
            self.clear(timer(id));
        }
    }

    pub fn next(&self) -> Option<SimTime> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes a deadline that has come.
    pub fn pop_due(&mut self, now: SimTime) -> Option<Timer> {
        let &(at, timer) = self.queue.first().filter(|(at, _)| *at <= now)?;
        self.queue.remove(&(at, timer));
        self.at.remove(&timer);
        Some(timer)
    }
}
