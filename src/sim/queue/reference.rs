//! The obviously right store: one ordered map. Slow, and the judge of all others.

use super::{Queue, QueueMemory};
use crate::base::{ActorId, ChannelId, Event, EventId, SimDuration, SimTime, TimerId};
use std::collections::BTreeMap;

/// A `BTreeMap` from `(time, id)` to what happens.
#[derive(Default, Debug)]
pub struct Reference {
    pending: BTreeMap<(SimTime, EventId), (ActorId, u32, Option<TimerId>)>,
    timers: Vec<Timer>,
    channels: Vec<SimDuration>,
}

#[derive(Debug)]
struct Timer {
    target: ActorId,
    payload: u32,
    armed: Option<(SimTime, EventId)>,
}

impl Queue for Reference {
    fn push(&mut self, event: Event) {
        let entry = (event.target, event.payload, None);
        let before = self.pending.insert((event.time, event.id), entry);
        assert!(before.is_none(), "the id of an event is unique");
    }

    fn new_channel(&mut self, delay: SimDuration) -> ChannelId {
        self.channels.push(delay);
        ChannelId(self.channels.len() as u32 - 1)
    }

    fn delay(&self, channel: ChannelId) -> SimDuration {
        self.channels[channel.0 as usize]
    }

    fn push_on(&mut self, _channel: ChannelId, event: Event) {
        self.push(event);
    }

    fn new_timer(&mut self, target: ActorId, payload: u32) -> TimerId {
        self.timers.push(Timer { target, payload, armed: None });
        TimerId(self.timers.len() as u32 - 1)
    }

    fn arm(&mut self, timer: TimerId, at: SimTime, id: EventId) {
        self.cancel(timer);
        let slot = &mut self.timers[timer.0 as usize];
        slot.armed = Some((at, id));
        self.pending.insert((at, id), (slot.target, slot.payload, Some(timer)));
    }

    fn cancel(&mut self, timer: TimerId) -> bool {
        match self.timers[timer.0 as usize].armed.take() {
            None => false,
            Some(key) => self.pending.remove(&key).is_some(),
        }
    }

    fn deadline(&self, timer: TimerId) -> Option<SimTime> {
        self.timers[timer.0 as usize].armed.map(|(at, _)| at)
    }

    fn pop(&mut self, end: SimTime, _touch: impl FnMut(&Event)) -> Option<Event> {
        let entry = self.pending.first_entry()?;
        let (time, id) = *entry.key();
        if time > end {
            return None;
        }
        let (target, payload, timer) = entry.remove();
        if let Some(timer) = timer {
            self.timers[timer.0 as usize].armed = None;
        }
        Some(Event { time, id, target, payload })
    }

    fn next_time(&mut self) -> Option<SimTime> {
        self.pending.first_key_value().map(|(&(time, _), _)| time)
    }

    fn memory(&self) -> QueueMemory {
        let timers_armed = self.timers.iter().filter(|t| t.armed.is_some()).count();
        QueueMemory {
            events: self.pending.len() - timers_armed,
            event_bytes: self.pending.len() * 2 * size_of::<Event>(),
            timers: self.timers.len(),
            timers_armed,
            timer_bytes: self.timers.capacity() * size_of::<Timer>(),
            channels: self.channels.len(),
            channel_bytes: self.channels.capacity() * size_of::<SimDuration>(),
            fixed_bytes: 0,
        }
    }
}
