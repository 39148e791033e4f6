//! Events and how they are asked for: the seam between the event loop and everything it runs.
//!
//! Events are ordered by `(time, lane, sequence)`: the lane is the actor that caused the event, the
//! sequence that lane's own counter. No global counter takes part, so a run split over threads could keep
//! the same order. The cause of an event follows from its id: the dispatch on actor `lane` during which
//! `sequence` was handed out.

use super::time::{SimDuration, SimTime};
use std::fmt;

/// An actor: an index, nothing more. What stands behind it is the world's business.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ActorId(pub u32);

/// Who caused an event, and as their how-manyeth. Unique within a run.
///
/// Packed as lane (24 bits) and sequence (40 bits), so that comparing ids compares lane, then sequence.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

/// An event on its way to an actor. What the payload means is agreed between sender and actor.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When it happens.
    pub time: SimTime,
    /// Its place in the total order, and its cause.
    pub id: EventId,
    /// To whom it happens.
    pub target: ActorId,
    /// A kind and an index, by the world's own convention.
    pub payload: u32,
}

/// A timer slot: at most one deadline is pending on it. Arming it again moves the deadline.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerId(pub u32);

/// A first-in first-out lane for one constant delay (a link's, a subnet's): its events come due in the
/// order in which they were scheduled, so they need no sorting.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId(pub u32);

/// What an actor may ask of the event loop while it is being run.
pub trait Scheduler {
    /// The time of the event being dispatched.
    fn now(&self) -> SimTime;
    /// Schedules an event caused by the actor being run; `at` before now means now.
    fn schedule(&mut self, at: SimTime, target: ActorId, payload: u32) -> EventId;
    /// Schedules an event through a channel, `delay` from now. The delay of a channel is fixed when
    /// it is made.
    fn schedule_on(&mut self, channel: ChannelId, target: ActorId, payload: u32) -> EventId;
    /// Makes a channel with this delay.
    fn new_channel(&mut self, delay: SimDuration) -> ChannelId;
    /// Makes a timer that will deliver `payload` to `target`.
    fn new_timer(&mut self, target: ActorId, payload: u32) -> TimerId;
    /// Sets the timer's deadline, replacing an earlier one.
    fn arm(&mut self, timer: TimerId, at: SimTime);
    /// Takes the timer's deadline back, if it has one.
    fn cancel(&mut self, timer: TimerId);
    /// Folds a word of content into the digest of the actor being run and of the whole run.
    fn fold(&mut self, word: u64);
}

impl EventId {
    /// Actors are numbered below this.
    pub const LANE_MAX: u32 = 1 << 24;

    /// The id with this lane and sequence.
    pub const fn new(lane: ActorId, sequence: u64) -> EventId {
        EventId(((lane.0 as u64) << 40) | (sequence & ((1 << 40) - 1)))
    }
    /// The actor that caused the event.
    pub const fn lane(self) -> ActorId {
        ActorId((self.0 >> 40) as u32)
    }
    /// The lane's own count.
    pub const fn sequence(self) -> u64 {
        self.0 & ((1 << 40) - 1)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.lane().0, self.sequence())
    }
}
impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
