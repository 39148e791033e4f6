//! Channels: queues of constant delay, merged by their heads.
//!
//! What goes through a link comes out in the order it went in, so it needs no sorting: only the first
//! event of each channel in use takes part in the merge. The one exception are ties: events put in at the
//! same nanosecond are ordered by id, and one that would have to overtake is refused.

use super::chunks::Chunks;
use crate::base::{ChannelId, Event, SimDuration};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// How far behind the head of a channel events are announced as upcoming.
const AHEAD: u32 = 6;

/// All channels of a store.
#[derive(Default, Debug)]
pub struct Channels {
    channels: Vec<Channel>,
    heads: BinaryHeap<Reverse<(u64, u64, u32)>>,
    events: usize,
}

/// Where [`Channels::push`] put an event.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It is the head of its channel.
    First,
    /// It is behind others.
    Behind,
    /// Nowhere: it would have to stand before the channel's last event.
    OutOfOrder,
}

#[derive(Debug)]
struct Channel {
    delay: SimDuration,
    head: u32,
    tail: u32,
}

impl Channels {
    /// Makes a channel.
    pub fn add(&mut self, delay: SimDuration) -> ChannelId {
        self.channels.push(Channel { delay, head: 0, tail: 0 });
        ChannelId(self.channels.len() as u32 - 1)
    }

    /// The delay of a channel.
    #[inline(always)]
    pub fn delay(&self, channel: ChannelId) -> SimDuration {
        self.channels[channel.0 as usize].delay
    }

    /// Adds an event at the end of a channel, if that is its place in the total order: of two events
    /// put in at the same time the one with the lesser id may come second, and must then go elsewhere.
    #[inline(always)]
    pub fn push(&mut self, channel: ChannelId, event: Event, chunks: &mut Chunks) -> Pushed {
        let queue = &mut self.channels[channel.0 as usize];
        let last = chunks.back(queue.tail).map(|last| (last.time, last.id));
        if last.is_some_and(|last| last > (event.time, event.id)) {
            return Pushed::OutOfOrder;
        }
        chunks.push_back(&mut queue.head, &mut queue.tail, event);
        self.events += 1;
        if last.is_some() {
            return Pushed::Behind;
        }
        self.heads.push(Reverse((event.time.0, event.id.0, channel.0)));
        Pushed::First
    }

    /// Time and id of the earliest head.
    #[inline(always)]
    pub fn first(&self) -> Option<(u64, u64)> {
        self.heads.peek().map(|&Reverse((time, id, _))| (time, id))
    }

    /// Takes the earliest event out; there must be one.
    pub fn pop(&mut self, chunks: &mut Chunks, mut touch: impl FnMut(&Event)) -> Event {
        let mut head = self.heads.peek_mut().expect("a channel is in use");
        let queue = &mut self.channels[head.0.2 as usize];
        let event = chunks.pop_front(&mut queue.head, &mut queue.tail);
        self.events -= 1;
        if queue.tail == 0 {
            PeekMut::pop(head);
        } else {
            let next = chunks.get(queue.head);
            (head.0.0, head.0.1) = (next.time.0, next.id.0);
            if let Some(upcoming) = chunks.peek_ahead(queue.head, queue.tail, AHEAD) {
                touch(upcoming);
            }
        }
        event
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
        self.channels.capacity() * size_of::<Channel>() + self.heads.capacity() * 24
    }
}
