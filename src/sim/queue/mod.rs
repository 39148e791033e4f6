//! Stores of pending events. All of them hand out the same order, by `(time, id)`; they differ in speed.
//!
//! [`Merged`] is what runs use. [`Reference`] is a `BTreeMap`, obviously right, for tests.

mod channels;
mod chunks;
mod merged;
mod reference;
mod ring;
#[cfg(test)]
mod tests;
mod wheel;

pub use merged::{Merged, Tuning};
pub use reference::Reference;

use crate::base::{ActorId, ChannelId, Event, EventId, SimDuration, SimTime, TimerId};

/// Bytes and counts of a store, see [`crate::sim::kernel::Engine::memory`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueMemory {
    /// Events pending that are no timers: scheduled freely or through channels.
    pub events: usize,
    /// Bytes held for them, free room included.
    pub event_bytes: usize,
    /// Timers made.
    pub timers: usize,
    /// Timers armed.
    pub timers_armed: usize,
    /// Bytes held for timers, armed or not.
    pub timer_bytes: usize,
    /// Channels made.
    pub channels: usize,
    /// Bytes held for channels, without the events in them.
    pub channel_bytes: usize,
    /// Bytes that depend on no count: rings, bit maps, scratch room.
    pub fixed_bytes: usize,
}

/// A store of pending events, merged from free events, channels and timers.
///
/// The engine promises that no time handed in lies before the last event popped, that channel times
/// never fall within a channel, and that ids are unique.
pub trait Queue: Default {
    /// Adds an event.
    fn push(&mut self, event: Event);
    /// Makes a channel.
    fn new_channel(&mut self, delay: SimDuration) -> ChannelId;
    /// The delay a channel was made with.
    fn delay(&self, channel: ChannelId) -> SimDuration;
    /// Adds an event behind the others in the channel.
    fn push_on(&mut self, channel: ChannelId, event: Event);
    /// Makes a timer.
    fn new_timer(&mut self, target: ActorId, payload: u32) -> TimerId;
    /// Arms a timer, or moves its deadline.
    fn arm(&mut self, timer: TimerId, at: SimTime, id: EventId);
    /// Unlinks the timer's deadline. Whether it had one.
    fn cancel(&mut self, timer: TimerId) -> bool;
    /// The timer's deadline.
    fn deadline(&self, timer: TimerId) -> Option<SimTime>;
    /// Takes out the earliest event if it is not later than `end`. `touch` is called with events that
    /// will come soon, at most once each, in no particular order: a hint and nothing else.
    fn pop(&mut self, end: SimTime, touch: impl FnMut(&Event)) -> Option<Event>;
    /// The time of the earliest event.
    fn next_time(&mut self) -> Option<SimTime>;
    /// Counts and bytes.
    fn memory(&self) -> QueueMemory;
}
