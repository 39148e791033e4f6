//! Channels: queues of constant delay, merged by their heads.
//!
//! What goes through a link comes out in the order it went in, so it needs no sorting: only the first
//! event of each channel takes part in the merge, a tournament of which one path is played again when a
//! head changes. The one exception are ties: events put in at the same nanosecond are ordered by id.
//! One that has to overtake a few others moves up among the last of its channel; if it would have to go
//! further it is refused.

use super::chunks::Chunks;
use crate::base::{ChannelId, Event, SimDuration};

/// How far behind the head of a channel events are announced as upcoming.
const AHEAD: u32 = 8;

/// Time and id: what orders events.
type Key = (u64, u64);

/// The key of a channel without events. No event has it: ids end before.
const NOTHING: Key = (u64::MAX, u64::MAX);

/// All channels of a store.
#[derive(Default, Debug)]
pub struct Channels {
    channels: Vec<Channel>,
    /// The tournament: the least of all at 1, the lesser of `2 n` and `2 n + 1` at n, the channels
    /// themselves in the upper half.
    heads: Vec<(Key, u32)>,
    events: usize,
}

/// Where [`Channels::push`] put an event.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It is the head of its channel.
    First,
    /// It is behind others.
    Behind,
    /// Nowhere: it would have to overtake too many.
    OutOfOrder,
}

#[derive(Debug)]
struct Channel {
    delay: SimDuration,
    head: u32,
    tail: u32,
    /// The key of the last event, if there is one.
    last: Key,
}

impl Channels {
    /// Makes a channel.
    pub fn add(&mut self, delay: SimDuration) -> ChannelId {
        self.channels.push(Channel { delay, head: 0, tail: 0, last: NOTHING });
        let leaves = self.channels.len().next_power_of_two();
        if self.heads.len() < 2 * leaves {
            let old = self.heads.len() / 2;
            let heads = std::mem::replace(&mut self.heads, vec![(NOTHING, 0); 2 * leaves]);
            for (channel, &(key, _)) in heads[old..].iter().enumerate() {
                self.set_head(channel as u32, key);
            }
        }
        ChannelId(self.channels.len() as u32 - 1)
    }

    /// The delay of a channel.
    #[inline(always)]
    pub fn delay(&self, channel: ChannelId) -> SimDuration {
        self.channels[channel.0 as usize].delay
    }

    /// Adds an event to a channel: at its end, or before those of the same time with greater ids.
    #[inline(always)]
    pub fn push(&mut self, channel: ChannelId, event: Event, chunks: &mut Chunks) -> Pushed {
        let queue = &mut self.channels[channel.0 as usize];
        let key = (event.time.0, event.id.0);
        if queue.tail != 0 {
            if queue.last > key {
                return self.overtake(channel, event, chunks);
            }
            queue.last = key;
            chunks.push_back(&mut queue.head, &mut queue.tail, event);
            self.events += 1;
            return Pushed::Behind;
        }
        queue.last = key;
        chunks.push_back(&mut queue.head, &mut queue.tail, event);
        self.events += 1;
        self.set_head(channel.0, key);
        Pushed::First
    }

    /// Puts an event before the last of its channel, if its place is in the same chunk.
    #[cold]
    fn overtake(&mut self, channel: ChannelId, event: Event, chunks: &mut Chunks) -> Pushed {
        let queue = &mut self.channels[channel.0 as usize];
        let Some(place) = chunks.insert_near_back(&mut queue.head, &mut queue.tail, event) else {
            return Pushed::OutOfOrder;
        };
        self.events += 1;
        if place != queue.head {
            return Pushed::Behind;
        }
        self.set_head(channel.0, (event.time.0, event.id.0));
        Pushed::First
    }

    /// Time and id of the earliest head; [`u64::MAX`] both if there is none.
    #[inline(always)]
    pub fn first(&self) -> (u64, u64) {
        self.heads.get(1).map_or(NOTHING, |&(key, _)| key)
    }

    /// Takes the earliest event out; there must be one.
    #[inline(always)]
    pub fn pop(&mut self, chunks: &mut Chunks, mut touch: impl FnMut(&Event)) -> Event {
        let channel = self.heads[1].1;
        let queue = &mut self.channels[channel as usize];
        let event = chunks.pop_front(&mut queue.head, &mut queue.tail);
        self.events -= 1;
        let mut key = NOTHING;
        if queue.tail != 0 {
            let next = chunks.get(queue.head);
            key = (next.time.0, next.id.0);
            if let Some(upcoming) = chunks.peek_ahead(queue.head, queue.tail, AHEAD) {
                touch(upcoming);
            }
        }
        self.set_head(channel, key);
        event
    }

    /// Plays the tournament again where this channel takes part.
    #[inline(always)]
    fn set_head(&mut self, channel: u32, key: Key) {
        let heads = &mut self.heads[..];
        let mut at = heads.len() / 2 + channel as usize;
        let mut best = (key, channel);
        heads[at] = best;
        while at > 1 {
            let other = heads[at ^ 1];
            let is_less = whole(other.0) < whole(best.0);
            best = if is_less { other } else { best };
            at /= 2;
            heads[at] = best;
        }
    }

    /// How many channels there are.
    pub fn count(&self) -> usize {
        self.channels.len()
    }

    /// How many events are in them.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Bytes held, without the events.
    pub fn bytes(&self) -> usize {
        self.channels.capacity() * size_of::<Channel>()
            + self.heads.capacity() * size_of::<(Key, u32)>()
    }
}

/// A key as one number: compared without a branch, which would be mispredicted half of the time.
#[inline(always)]
fn whole((time, id): Key) -> u128 {
    u128::from(time) << 64 | u128::from(id)
}
