//! Room for events: chunks of sixteen, linked into lists, reused last-in first-out.
//!
//! A list is a cursor (`u32`): the index of the next free place, zero when empty. Chunks of a bag are linked
//! backwards (order is of no matter, a bag is sorted when its time has come), chunks of a channel
//! forwards. Growing by an eighth keeps the free room small; nothing is given back before the end.

use crate::base::{ActorId, Event, EventId, SimTime};

/// Events in a chunk. Sixteen of 24 bytes are exactly six cache lines.
const CHUNK: usize = 16;
const LOW: u32 = CHUNK as u32 - 1;
const BITS: u32 = CHUNK.trailing_zeros();
/// No chunk.
pub const NONE: u32 = u32::MAX;
/// Places are numbered below this; the bit above tells timers from events in a run.
pub const PLACES_MAX: usize = 1 << 31;

const EMPTY: Event = Event { time: SimTime::ZERO, id: EventId(0), target: ActorId(0), payload: 0 };

/// All chunks of a store.
#[derive(Debug)]
pub struct Chunks {
    chunks: Vec<[Event; CHUNK]>,
    links: Vec<u32>,
    free: u32,
}

impl Default for Chunks {
    fn default() -> Self {
        Chunks { chunks: Vec::new(), links: Vec::new(), free: NONE }
    }
}

impl Chunks {
    /// The event at a place.
    #[inline(always)]
    pub fn get(&self, place: u32) -> &Event {
        &self.chunks[(place >> BITS) as usize][(place & LOW) as usize]
    }

    /// Adds an event to a bag. Whether the bag was empty before can be seen from `*bag == 0`.
    #[inline(always)]
    pub fn push(&mut self, bag: &mut u32, event: Event) {
        let mut place = *bag;
        if place & LOW == 0 {
            let chunk = self.take();
            self.links[chunk as usize] = (place >> BITS).wrapping_sub(1);
            place = chunk << BITS;
        }
        self.put(place, event);
        *bag = place + 1;
    }

    /// The last chunk of a bag that is not empty, and how many events are in it.
    #[inline(always)]
    pub fn last(bag: u32) -> (u32, u32) {
        ((bag - 1) >> BITS, ((bag - 1) & LOW) + 1)
    }

    /// The chunk linked from this one, with its events, all sixteen in use.
    #[inline(always)]
    pub fn before(&self, chunk: u32) -> Option<(u32, u32)> {
        let link = self.links[chunk as usize];
        (link != NONE).then_some((link, CHUNK as u32))
    }

    /// The first place of a chunk.
    #[inline(always)]
    pub fn first_place(chunk: u32) -> u32 {
        chunk << BITS
    }

    /// Gives a chunk back.
    #[inline(always)]
    pub fn release(&mut self, chunk: u32) {
        self.links[chunk as usize] = self.free;
        self.free = chunk;
    }

    /// Adds an event at the end of a queue, which is a pair of cursors.
    #[inline(always)]
    pub fn push_back(&mut self, head: &mut u32, tail: &mut u32, event: Event) {
        if *tail & LOW == 0 {
            let chunk = self.take();
            match *tail {
                0 => *head = chunk << BITS,
                full => self.links[(full >> BITS) as usize - 1] = chunk,
            }
            *tail = chunk << BITS;
        }
        self.put(*tail, event);
        *tail += 1;
    }

    /// Takes the first event off a queue that is not empty.
    #[inline(always)]
    pub fn pop_front(&mut self, head: &mut u32, tail: &mut u32) -> Event {
        let place = *head;
        let event = *self.get(place);
        if place + 1 == *tail {
            self.release(place >> BITS);
            (*head, *tail) = (0, 0);
        } else if place & LOW == LOW {
            *head = self.links[(place >> BITS) as usize] << BITS;
            self.release(place >> BITS);
        } else {
            *head = place + 1;
        }
        event
    }

    /// Adds an event to a queue that is not empty, before those at its end that come later. Returns its
    /// place, or `None` if that lies before the queue's last chunk, where it could only be found by walking.
    pub fn insert_near_back(
        &mut self,
        head: &mut u32,
        tail: &mut u32,
        event: Event,
    ) -> Option<u32> {
        let last = *tail - 1;
        let lowest = if *head >> BITS == last >> BITS { *head } else { last >> BITS << BITS };
        let mut place = *tail;
        while place > lowest
            && (self.get(place - 1).time, self.get(place - 1).id) > (event.time, event.id)
        {
            place -= 1;
        }
        if place == lowest && lowest != *head {
            return None;
        }
        let moved = *self.get(last);
        let chunk = &mut self.chunks[(place >> BITS) as usize];
        let (from, to) = ((place & LOW) as usize, (last & LOW) as usize);
        chunk.copy_within(from..to, from + 1);
        chunk[from] = event;
        self.push_back(head, tail, moved);
        Some(place)
    }

    /// The event `ahead` places behind the first of a queue that is not empty.
    #[inline(always)]
    pub fn peek_ahead(&self, head: u32, tail: u32, ahead: u32) -> Option<&Event> {
        let mut place = head + ahead;
        if place >> BITS != head >> BITS {
            let next = self.links[(head >> BITS) as usize];
            if next == NONE {
                return None;
            }
            place = next << BITS | place & LOW;
        }
        let in_last = place >> BITS == (tail - 1) >> BITS;
        (!in_last || place < tail).then(|| self.get(place))
    }

    /// Writes an event field by field: as a whole it would go through the stack, written in words and
    /// read back in vectors, which stalls.
    #[inline(always)]
    fn put(&mut self, place: u32, event: Event) {
        let room = &mut self.chunks[(place >> BITS) as usize][(place & LOW) as usize];
        room.time = event.time;
        room.id = event.id;
        room.target = event.target;
        room.payload = event.payload;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<[Event; CHUNK]>() + self.links.capacity() * 4
    }

    #[inline(always)]
    fn take(&mut self) -> u32 {
        let chunk = self.free;
        if chunk == NONE {
            return self.grow();
        }
        self.free = self.links[chunk as usize];
        self.links[chunk as usize] = NONE;
        chunk
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> u32 {
        let count = self.chunks.len();
        assert!(count < PLACES_MAX / CHUNK, "2^31 events are pending");
        if count == self.chunks.capacity() {
            let more = 64 + count / 8;
            self.chunks.reserve_exact(more);
            self.links.reserve_exact(more);
        }
        self.chunks.push([EMPTY; CHUNK]);
        self.links.push(NONE);
        count as u32
    }
}
