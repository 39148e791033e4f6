//! The store that runs use: rings of unsorted buckets, channels, and timers linked into the same rings.
//!
//! Nothing is sorted before its bucket is next. Then the bucket becomes the run: one 64-bit key an event
//! (time within the bucket, place), sorted in bulk; ties of time are ordered by id. What is scheduled
//! into the bucket while it runs is late and goes to small heaps. The next event is the least of the
//! run's, the late events', the late timers' and the channels' heads; the last three are summed up in one
//! remembered key, so that the usual case is a single comparison.
//!
//! The width of buckets follows what was executed, never what is pending: a million far timers and one
//! near event do not widen it. It changes only when as many events were executed (or came late) as
//! are pending, so that moving everything costs a constant share.

use super::channels::{Channels, Pushed};
use super::chunks::{Chunks, NONE};
use super::ring::{Contents, Opened, Rings, SHIFT_MAX, SHIFT_MIN};
use super::wheel::{Timers, Was};
use super::{Queue, QueueMemory};
use crate::base::{ActorId, ChannelId, Event, EventId, SimDuration, SimTime, TimerId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events wanted in a bucket: enough to sort in bulk and to know what comes soon, few enough to stay
/// in the nearest cache.
const WANTED: u64 = 64;
/// The width is left alone while buckets hold from a fourth of what is wanted to four times as many.
const TOLERANCE: u64 = 4;
/// A bucket this full is looked at before it is sorted: perhaps it can be cut up.
const CROWD: usize = 1024;
/// Fewest executed events, or late arrivals, between two changes of the width.
const REVIEW_MIN: u64 = 1024;
/// Width at first: 2^20 ns, a millisecond.
const SHIFT_FIRST: u32 = 20;
/// How far ahead events of the run are announced: long enough for what they need to come from memory, and
/// no more at once than a processor can wait for.
const AHEAD: usize = 16;
/// In a key of the run: a timer, not an event.
const TIMER: u32 = 1 << 31;

/// Rings, channels and timers behind one order.
#[derive(Debug)]
pub struct Merged {
    /// Sorted keys of the opened bucket: nanoseconds since `run_begin` above, place or timer below.
    run: Vec<u64>,
    run_at: usize,
    /// Up to where events of the run were announced.
    announced: usize,
    run_begin: u64,
    /// Nothing in the rings lies before this time.
    horizon: u64,
    /// The least of late events, late timers and channels.
    side: Side,
    rings: Rings,
    chunks: Chunks,
    timers: Timers,
    channels: Channels,
    late: BinaryHeap<Reverse<(u64, u64, u32, u32)>>,
    /// Events in the rings and in the run.
    stored: usize,
    /// Chunks of the run, to be released when it is through.
    run_chunks: Vec<u32>,
    spill: Vec<Contents>,
    last: u64,
    pace: Pace,
    tuning: Tuning,
}

/// How the store has tuned itself so far.
#[derive(Copy, Clone, Default, Debug)]
pub struct Tuning {
    /// Width of the finest buckets.
    pub width_ns: u64,
    /// How often everything was placed anew.
    pub rebuilds: u64,
    /// How many events and timers were moved by that.
    pub moved: u64,
    /// The most events that were in the late heaps together.
    pub late_most: usize,
}

/// The least of what is not in the run.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Side {
    time: u64,
    id: u64,
    source: Source,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Source {
    Event,
    Timer,
    Channel,
    Nowhere,
}

const NO_SIDE: Side = Side { time: u64::MAX, id: u64::MAX, source: Source::Nowhere };

/// What was executed since the width was last thought about.
#[derive(Copy, Clone, Default, Debug)]
struct Pace {
    buckets: u64,
    /// Events executed from the run and the late heaps.
    executed: u64,
    /// Different times among them.
    times: u64,
    /// Events executed from the late heaps, and the sum of how many were in there.
    late: u64,
    late_together: u64,
    /// Events that came late.
    arrived_late: u64,
}

impl Default for Merged {
    fn default() -> Self {
        Merged {
            run: Vec::new(),
            run_at: 0,
            announced: 0,
            run_begin: 0,
            horizon: 0,
            side: NO_SIDE,
            rings: Rings::new(SHIFT_FIRST, 0),
            chunks: Chunks::default(),
            timers: Timers::default(),
            channels: Channels::default(),
            late: BinaryHeap::new(),
            stored: 0,
            run_chunks: Vec::new(),
            spill: Vec::new(),
            last: 0,
            pace: Pace::default(),
            tuning: Tuning::default(),
        }
    }
}

impl Queue for Merged {
    #[inline(always)]
    fn push(&mut self, event: Event) {
        if self.rings.is_open(event.time.0) {
            self.push_late(event);
        } else {
            self.stored += 1;
            self.horizon = self.horizon.min(event.time.0);
            let place = self.rings.place(event.time.0);
            self.chunks.push(self.rings.bag(place), event);
        }
    }

    fn new_channel(&mut self, delay: SimDuration) -> ChannelId {
        self.channels.add(delay)
    }

    #[inline(always)]
    fn delay(&self, channel: ChannelId) -> SimDuration {
        self.channels.delay(channel)
    }

    #[inline(always)]
    fn push_on(&mut self, channel: ChannelId, event: Event) {
        match self.channels.push(channel, event, &mut self.chunks) {
            Pushed::First => self.offer(event.time.0, event.id.0, Source::Channel),
            Pushed::Behind => {}
            Pushed::OutOfOrder => self.push(event),
        }
    }

    fn new_timer(&mut self, target: ActorId, payload: u32) -> TimerId {
        self.timers.add(target, payload)
    }

    #[inline(always)]
    fn arm(&mut self, timer: TimerId, at: SimTime, id: EventId) {
        self.cancel(timer);
        if self.timers.arm(timer.0, at.0, id.0, &mut self.rings) {
            self.offer(at.0, id.0, Source::Timer);
            self.came_late();
        } else {
            self.horizon = self.horizon.min(at.0);
        }
    }

    #[inline(always)]
    fn cancel(&mut self, timer: TimerId) -> bool {
        match self.timers.cancel(timer.0, &mut self.rings) {
            Was::Idle => false,
            Was::Linked | Was::InRun => true,
            Was::Late => {
                self.look_aside();
                true
            }
        }
    }

    fn deadline(&self, timer: TimerId) -> Option<SimTime> {
        self.timers.deadline(timer.0)
    }

    #[inline(always)]
    fn pop(&mut self, end: SimTime, mut touch: impl FnMut(&Event)) -> Option<Event> {
        loop {
            let Some(&key) = self.run.get(self.run_at) else {
                // The run is through; what is late or in channels may still come before the next bucket.
                if self.side.time < self.horizon {
                    return self.pop_side(end, touch);
                }
                if self.open_next(end) {
                    continue;
                }
                return self.pop_side(end, touch);
            };
            let time = self.run_begin + (key >> 32);
            if time >= self.side.time {
                if self.is_stale(key as u32) {
                    // Its id is another one by now and must not be compared.
                    self.run_at += 1;
                    continue;
                }
                if time > self.side.time || self.run_id(key as u32) > self.side.id {
                    return self.pop_side(end, touch);
                }
            }
            if time > end.0 {
                return None;
            }
            self.announce(&mut touch);
            self.timers.scout();
            self.run_at += 1;
            let what = key as u32;
            let event = if what & TIMER == 0 {
                self.stored -= 1;
                *self.chunks.get(what)
            } else {
                match self.timers.fire(what & !TIMER) {
                    Some(event) => event,
                    None => continue,
                }
            };
            self.executed(time);
            return Some(event);
        }
    }

    fn next_time(&mut self) -> Option<SimTime> {
        loop {
            let Some(&key) = self.run.get(self.run_at) else {
                let aside = self.side.source != Source::Nowhere;
                if self.side.time < self.horizon {
                    return Some(SimTime(self.side.time));
                }
                let until = if aside { self.side.time } else { u64::MAX };
                if self.open_next(SimTime(until)) {
                    continue;
                }
                return aside.then_some(SimTime(self.side.time));
            };
            if self.is_stale(key as u32) {
                self.run_at += 1;
                continue;
            }
            return Some(SimTime((self.run_begin + (key >> 32)).min(self.side.time)));
        }
    }

    fn memory(&self) -> QueueMemory {
        let (timers, timers_armed) = self.timers.counts();
        QueueMemory {
            events: self.stored + self.late.len() + self.channels.events(),
            event_bytes: self.chunks.bytes() + self.late.capacity() * 24,
            timers,
            timers_armed,
            timer_bytes: self.timers.bytes(),
            channels: self.channels.count(),
            channel_bytes: self.channels.bytes(),
            fixed_bytes: size_of::<Merged>()
                + self.rings.bytes()
                + self.run.capacity() * 8
                + self.run_chunks.capacity() * 4
                + self.spill.capacity() * size_of::<Contents>(),
        }
    }
}

impl Merged {
    #[cold]
    #[inline(never)]
    fn push_late(&mut self, event: Event) {
        self.late.push(Reverse((event.time.0, event.id.0, event.target.0, event.payload)));
        self.offer(event.time.0, event.id.0, Source::Event);
        self.came_late();
    }

    /// How the store has tuned itself so far.
    pub fn tuning(&self) -> Tuning {
        Tuning { width_ns: 1 << self.rings.shift(), ..self.tuning }
    }

    /// Remembers a new head of the side stores if it is the least.
    #[inline(always)]
    fn offer(&mut self, time: u64, id: u64, source: Source) {
        if (time, id) < (self.side.time, self.side.id) {
            self.side = Side { time, id, source };
        }
    }

    /// Finds the least of the side stores anew.
    #[inline(always)]
    fn look_aside(&mut self) {
        let (time, id) = self.channels.first();
        let source =
            if time == u64::MAX && id == u64::MAX { Source::Nowhere } else { Source::Channel };
        self.side = Side { time, id, source };
        if let Some(&Reverse((time, id, _, _))) = self.late.peek() {
            self.offer(time, id, Source::Event);
        }
        if let Some((time, id)) = self.timers.first_late() {
            self.offer(time, id, Source::Timer);
        }
    }

    #[inline(always)]
    fn pop_side(&mut self, end: SimTime, touch: impl FnMut(&Event)) -> Option<Event> {
        if self.side.time > end.0 {
            return None;
        }
        if self.side.source == Source::Channel {
            self.last = self.side.time;
            let event = self.channels.pop(&mut self.chunks, touch);
            self.look_aside();
            return Some(event);
        }
        self.pop_late()
    }

    /// Takes out the least of what is late.
    #[inline(never)]
    fn pop_late(&mut self) -> Option<Event> {
        let together = self.late.len() + self.timers.late();
        let event = match self.side.source {
            Source::Nowhere | Source::Channel => return None,
            Source::Timer => self.timers.pop_late(),
            Source::Event => {
                let Reverse((time, id, target, payload)) = self.late.pop()?;
                let (time, id) = (SimTime(time), EventId(id));
                Event { time, id, target: ActorId(target), payload }
            }
        };
        self.look_aside();
        self.pace.late += 1;
        self.pace.late_together += together as u64;
        self.executed(event.time.0);
        Some(event)
    }

    #[inline(always)]
    fn executed(&mut self, time: u64) {
        self.pace.executed += 1;
        self.pace.times += u64::from(time != self.last);
        self.last = time;
    }

    /// Whether a key of the run names a timer that was cancelled since the run was sorted.
    #[inline(always)]
    fn is_stale(&self, what: u32) -> bool {
        what & TIMER != 0 && !self.timers.is_in_run(what & !TIMER)
    }

    #[inline(always)]
    fn run_id(&self, what: u32) -> u64 {
        if what & TIMER == 0 { self.chunks.get(what).id.0 } else { self.timers.id(what & !TIMER) }
    }

    /// Shows the next events of the run to `touch`.
    #[inline(always)]
    fn announce(&mut self, touch: &mut impl FnMut(&Event)) {
        let upto = (self.run_at + AHEAD).min(self.run.len());
        while self.announced < upto {
            let what = self.run[self.announced] as u32;
            self.announced += 1;
            if what & TIMER == 0 {
                touch(self.chunks.get(what));
            } else {
                touch(&self.timers.event(what & !TIMER));
            }
        }
    }

    /// Makes the next bucket the run, if it begins at or before `end`. Whether there is a new run.
    #[inline(never)]
    fn open_next(&mut self, end: SimTime) -> bool {
        self.close_run();
        if self.pace.executed >= REVIEW_MIN {
            self.review();
        }
        loop {
            match self.rings.open_next(end.0.min(self.side.time), &mut self.spill) {
                Opened::Nothing(horizon) => {
                    self.horizon = horizon;
                    return false;
                }
                Opened::Moved => self.place_spill(),
                Opened::Bucket { begin, contents } => {
                    self.place_spill();
                    self.load(begin, contents);
                    if self.run.len() >= CROWD && self.cut_up() {
                        continue;
                    }
                    self.horizon = self.rings.opened_up_to();
                    self.timers.scout_from(self.rings.next_list());
                    self.sort_run();
                    self.pace.buckets += 1;
                    return true;
                }
            }
        }
    }

    fn close_run(&mut self) {
        for chunk in self.run_chunks.drain(..) {
            self.chunks.release(chunk);
        }
        self.run.clear();
        self.run_at = 0;
        self.announced = 0;
    }

    fn load(&mut self, begin: u64, (bag, first): Contents) {
        self.run_begin = begin;
        if bag != 0 {
            let mut part = Some(Chunks::last(bag));
            while let Some((chunk, count)) = part {
                let place = Chunks::first_place(chunk);
                for place in place..place + count {
                    let time = self.chunks.get(place).time.0;
                    self.run.push((time - begin) << 32 | u64::from(place));
                }
                self.run_chunks.push(chunk);
                part = self.chunks.before(chunk);
            }
        }
        let run = &mut self.run;
        self.timers.enter_run(first, |timer, time| {
            run.push((time - begin) << 32 | u64::from(timer | TIMER));
        });
    }

    fn sort_run(&mut self) {
        self.run.sort_unstable();
        let mut at = 1;
        while at < self.run.len() {
            if self.run[at] >> 32 != self.run[at - 1] >> 32 {
                at += 1;
                continue;
            }
            let time = self.run[at] >> 32;
            let tied = self.run[at..].iter().take_while(|&&key| key >> 32 == time).count() + 1;
            let (chunks, timers) = (&self.chunks, &self.timers);
            self.run[at - 1..at - 1 + tied].sort_unstable_by_key(|&key| {
                let what = key as u32;
                if what & TIMER == 0 { chunks.get(what).id.0 } else { timers.id(what & !TIMER) }
            });
            at += tied;
        }
    }

    /// Places anew what came within reach of finer rings.
    fn place_spill(&mut self) {
        while let Some((bag, first)) = self.spill.pop() {
            if bag != 0 {
                let mut part = Some(Chunks::last(bag));
                while let Some((chunk, count)) = part {
                    part = self.chunks.before(chunk);
                    let place = Chunks::first_place(chunk);
                    for place in place..place + count {
                        let event = *self.chunks.get(place);
                        self.place_again(event);
                    }
                    self.chunks.release(chunk);
                }
            }
            if first != NONE {
                self.timers.respread(first, &mut self.rings);
            }
        }
    }

    #[inline(always)]
    fn place_again(&mut self, event: Event) {
        if self.rings.is_open(event.time.0) {
            self.stored -= 1;
            self.late.push(Reverse((event.time.0, event.id.0, event.target.0, event.payload)));
        } else {
            let place = self.rings.place(event.time.0);
            self.chunks.push(self.rings.bag(place), event);
        }
    }

    fn pending_in_rings(&self) -> u64 {
        (self.stored + self.timers.counts().1 + self.late.len()) as u64
    }

    /// Looks at how full buckets were and changes their width if it is far off.
    fn review(&mut self) {
        let Pace { buckets, executed, times, late, late_together, .. } = self.pace;
        if executed < self.pending_in_rings() {
            return;
        }
        self.pace = Pace::default();
        let shift = self.rings.shift();
        let buckets = buckets.max(1);
        let (each, times_each) = (executed / buckets, times / buckets);
        let crowded = late > executed / 4 && late_together / late.max(1) > 2 * WANTED;
        let wanted = if each < WANTED / TOLERANCE {
            shift + (WANTED / each.max(1)).ilog2()
        } else if each > WANTED * TOLERANCE && times_each >= 2 {
            shift.saturating_sub((each / WANTED).min(times_each).ilog2())
        } else if crowded && times_each > 4 {
            shift.saturating_sub(2)
        } else {
            shift
        };
        let wanted = wanted.clamp(SHIFT_MIN, SHIFT_MAX);
        if wanted != shift {
            self.rebuild(wanted);
        }
    }

    /// Narrows the buckets if the run just loaded is a crowd that a finer width would divide. Whether
    /// it did; the run is empty then.
    #[cold]
    fn cut_up(&mut self) -> bool {
        let count = self.run.len() as u64;
        let shift = self.rings.shift();
        if count < self.pending_in_rings() / 16 || shift == SHIFT_MIN {
            return false;
        }
        let offsets = || self.run.iter().map(|key| key >> 32);
        let spread = offsets().max().unwrap_or(0) - offsets().min().unwrap_or(0);
        let wanted = (spread.saturating_mul(WANTED) / count).max(1).ilog2().max(SHIFT_MIN);
        if spread == 0 || wanted >= shift {
            return false;
        }
        self.rebuild(wanted);
        true
    }

    /// Late arrivals so many that the heaps grow: begin anew at the present time, and narrower if the
    /// present bucket itself is the crowd.
    #[inline(always)]
    fn came_late(&mut self) {
        self.pace.arrived_late += 1;
        let together = self.late.len() + self.timers.late();
        self.tuning.late_most = self.tuning.late_most.max(together);
        if together >= CROWD {
            self.late_crowd();
        }
    }

    #[cold]
    #[inline(never)]
    fn late_crowd(&mut self) {
        let shift = self.rings.shift();
        if self.pace.arrived_late < self.pending_in_rings().max(REVIEW_MIN) {
            return;
        }
        self.pace = Pace::default();
        let far_ahead = self.rings.next() > (self.last >> shift) + 1;
        let wanted = if far_ahead { shift } else { shift.saturating_sub(6).max(SHIFT_MIN) };
        if far_ahead || wanted != shift {
            self.rebuild(wanted);
        }
    }

    /// Places everything anew in buckets of another width, beginning at the present time.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, shift: u32) {
        self.tuning.rebuilds += 1;
        self.tuning.moved += self.pending_in_rings();
        let mut run_timers = Vec::new();
        let mut run_events = Vec::new();
        for &key in &self.run[self.run_at..] {
            let what = key as u32;
            if what & TIMER == 0 {
                run_events.push(*self.chunks.get(what));
            } else if self.timers.is_in_run(what & !TIMER) {
                run_timers.push(what & !TIMER);
            }
        }
        self.close_run();
        let late = std::mem::take(&mut self.late);
        self.timers.take_late(&mut run_timers);
        self.rings.take_all(&mut self.spill);
        self.rings.restart(shift, self.last);
        self.place_spill();
        for event in run_events {
            self.place_again(event);
        }
        for Reverse((time, id, target, payload)) in late {
            self.stored += 1;
            let (time, id) = (SimTime(time), EventId(id));
            self.place_again(Event { time, id, target: ActorId(target), payload });
        }
        for timer in run_timers {
            self.timers.relink(timer, &mut self.rings);
        }
        self.horizon = self.rings.opened_up_to();
        self.look_aside();
    }
}
