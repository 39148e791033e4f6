//! Timers: slots that link themselves into the buckets of the rings, and really leave when cancelled.
//!
//! A slot is 32 bytes and is all that a timer ever takes. Armed, it is in one of three places: in the
//! list of a bucket, in the run (the bucket being dispatched, which has sorted keys of its own), or,
//! when its deadline falls into a bucket already open, in a heap that knows its position in it.

use super::chunks::NONE;
use super::ring::{BUCKETS, Place, Rings};
use crate::base::{ActorId, Event, EventId, SimTime, TimerId, prefetch};

const IDLE: u32 = u32::MAX;
const IN_RUN: u32 = u32::MAX - 1;
const LATE: u32 = u32::MAX - 2;
/// In `previous`: first in the list of the bucket that the other bits name.
const FIRST: u32 = 1 << 31;
/// Timers are numbered below this: the bit above tells them from events, here and in a run.
const TIMERS_MAX: usize = FIRST as usize;

/// All timers of a store.
#[derive(Default, Debug)]
pub struct Timers {
    slots: Vec<Slot>,
    armed: usize,
    late: Vec<Late>,
    /// The timer of the next bucket's list that was asked for last.
    scout: u32,
}

#[derive(Debug)]
struct Slot {
    time: u64,
    id: u64,
    target: ActorId,
    payload: u32,
    previous: u32,
    /// The next in the list, or the position in the late heap.
    next: u32,
}

#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Late {
    time: u64,
    id: u64,
    timer: u32,
}

fn code(place: Place) -> u32 {
    FIRST | (place.level as u32 * BUCKETS as u32 + place.index as u32)
}

fn decode(previous: u32) -> Place {
    let code = (previous & !FIRST) as usize;
    Place { level: code / BUCKETS as usize, index: code % BUCKETS as usize }
}

impl Timers {
    /// Makes a timer.
    pub fn add(&mut self, target: ActorId, payload: u32) -> TimerId {
        let count = self.slots.len();
        assert!(count < TIMERS_MAX, "2^31 timers");
        if count == self.slots.capacity() {
            self.slots.reserve_exact(64 + count / 8);
        }
        self.slots.push(Slot { time: 0, id: 0, target, payload, previous: IDLE, next: NONE });
        TimerId(count as u32)
    }

    /// Arms an idle timer. Returns whether it went into the late heap.
    #[inline(always)]
    pub fn arm(&mut self, timer: u32, time: u64, id: u64, rings: &mut Rings) -> bool {
        let slot = &mut self.slots[timer as usize];
        debug_assert_eq!(slot.previous, IDLE);
        (slot.time, slot.id) = (time, id);
        self.armed += 1;
        if rings.is_open(time) {
            slot.previous = LATE;
            self.late.push(Late { time, id, timer });
            self.sift_up(self.late.len() - 1);
            return true;
        }
        self.link(timer, time, rings);
        false
    }

    /// Puts an armed timer that is in no list into the list of its bucket, or the late heap.
    pub fn relink(&mut self, timer: u32, rings: &mut Rings) {
        let slot = &mut self.slots[timer as usize];
        let time = slot.time;
        if rings.is_open(time) {
            slot.previous = LATE;
            let late = Late { time, id: slot.id, timer };
            self.late.push(late);
            self.sift_up(self.late.len() - 1);
        } else {
            self.link(timer, time, rings);
        }
    }

    #[inline(always)]
    fn link(&mut self, timer: u32, time: u64, rings: &mut Rings) {
        let place = rings.place(time);
        let first = rings.replace_first(place, timer);
        if first != NONE {
            self.slots[first as usize].previous = timer;
        }
        let slot = &mut self.slots[timer as usize];
        (slot.previous, slot.next) = (code(place), first);
    }

    /// Disarms a timer. Returns where it was.
    #[inline(always)]
    pub fn cancel(&mut self, timer: u32, rings: &mut Rings) -> Was {
        let slot = &mut self.slots[timer as usize];
        let (previous, next) = (slot.previous, slot.next);
        if previous == IDLE {
            return Was::Idle;
        }
        slot.previous = IDLE;
        self.armed -= 1;
        match previous {
            IN_RUN => return Was::InRun,
            LATE => {
                self.remove_late(next as usize);
                return Was::Late;
            }
            _ => {}
        }
        if next != NONE {
            self.slots[next as usize].previous = previous;
        }
        if previous & FIRST == 0 {
            self.slots[previous as usize].next = next;
        } else {
            rings.set_first(decode(previous), next);
        }
        Was::Linked
    }

    /// The deadline of a timer.
    pub fn deadline(&self, timer: u32) -> Option<SimTime> {
        let slot = &self.slots[timer as usize];
        (slot.previous != IDLE).then_some(SimTime(slot.time))
    }

    /// Begins to ask for the timers of a list ahead of its time: walked at once, each would be waited for.
    pub fn scout_from(&mut self, first: u32) {
        self.scout = first;
    }

    /// Goes on by one timer. A list that has changed meanwhile may lead anywhere; that only wastes the hint.
    #[inline(always)]
    pub fn scout(&mut self) {
        if let Some(slot) = self.slots.get(self.scout as usize) {
            self.scout = slot.next;
            if let Some(next) = self.slots.get(slot.next as usize) {
                prefetch(next);
            }
        }
    }

    /// Walks the list of a bucket that was opened: its timers are in the run now.
    #[inline(always)]
    pub fn enter_run(&mut self, first: u32, mut each: impl FnMut(u32, u64)) {
        let mut timer = first;
        while timer != NONE {
            let slot = &mut self.slots[timer as usize];
            slot.previous = IN_RUN;
            each(timer, slot.time);
            timer = slot.next;
        }
    }

    /// Walks the list of a bucket that was taken down and places its timers anew.
    pub fn respread(&mut self, first: u32, rings: &mut Rings) {
        let mut timer = first;
        while timer != NONE {
            let next = self.slots[timer as usize].next;
            self.relink(timer, rings);
            timer = next;
        }
    }

    /// Takes every late timer off the heap; they must be relinked.
    pub fn take_late(&mut self, into: &mut Vec<u32>) {
        into.extend(self.late.drain(..).map(|late| late.timer));
    }

    /// Whether a timer of the run has not been cancelled since.
    #[inline(always)]
    pub fn is_in_run(&self, timer: u32) -> bool {
        self.slots[timer as usize].previous == IN_RUN
    }

    /// The id of an armed timer's event.
    #[inline(always)]
    pub fn id(&self, timer: u32) -> u64 {
        self.slots[timer as usize].id
    }

    /// The event of an armed timer.
    #[inline(always)]
    pub fn event(&self, timer: u32) -> Event {
        let slot = &self.slots[timer as usize];
        let (time, id) = (SimTime(slot.time), EventId(slot.id));
        Event { time, id, target: slot.target, payload: slot.payload }
    }

    /// Fires a timer of the run, if it has not been cancelled since.
    #[inline(always)]
    pub fn fire(&mut self, timer: u32) -> Option<Event> {
        let slot = &mut self.slots[timer as usize];
        if slot.previous != IN_RUN {
            return None;
        }
        slot.previous = IDLE;
        self.armed -= 1;
        let (time, id) = (SimTime(slot.time), EventId(slot.id));
        Some(Event { time, id, target: slot.target, payload: slot.payload })
    }

    /// Time and id of the earliest late timer.
    #[inline(always)]
    pub fn first_late(&self) -> Option<(u64, u64)> {
        self.late.first().map(|late| (late.time, late.id))
    }

    /// How many timers are late.
    pub fn late(&self) -> usize {
        self.late.len()
    }

    /// Fires the earliest late timer; there must be one.
    pub fn pop_late(&mut self) -> Event {
        let timer = self.late[0].timer;
        self.remove_late(0);
        self.armed -= 1;
        self.slots[timer as usize].previous = IDLE;
        self.event(timer)
    }

    fn remove_late(&mut self, at: usize) {
        let last = self.late.pop().expect("a late timer is in the heap");
        if at < self.late.len() {
            self.late[at] = last;
            self.sift_up(at);
            self.sift_down(self.slots[last.timer as usize].next as usize);
        }
    }

    fn sift_up(&mut self, mut at: usize) {
        let late = self.late[at];
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.late[parent] < late {
                break;
            }
            self.put_late(at, self.late[parent]);
            at = parent;
        }
        self.put_late(at, late);
    }

    fn sift_down(&mut self, mut at: usize) {
        let late = self.late[at];
        loop {
            let mut child = 2 * at + 1;
            if child >= self.late.len() {
                break;
            }
            if child + 1 < self.late.len() && self.late[child + 1] < self.late[child] {
                child += 1;
            }
            if late < self.late[child] {
                break;
            }
            self.put_late(at, self.late[child]);
            at = child;
        }
        self.put_late(at, late);
    }

    fn put_late(&mut self, at: usize, late: Late) {
        self.late[at] = late;
        self.slots[late.timer as usize].next = at as u32;
    }

    /// Timers made, and how many of them are armed.
    pub fn counts(&self) -> (usize, usize) {
        (self.slots.len(), self.armed)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.late.capacity() * size_of::<Late>()
    }
}

/// Where a timer was when it was cancelled.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Was {
    /// It was not armed.
    Idle,
    /// In the list of a bucket.
    Linked,
    /// In the run, where a key without a timer remains until its turn comes.
    InRun,
    /// In the late heap.
    Late,
}
