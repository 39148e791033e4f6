//! The event loop: actors by index, a total order, a running digest, and nothing else.
//!
//! Events are dispatched by `(time, lane, sequence)`. The lane is the actor that caused the event, the
//! sequence that lane's own count, and both sit in the [`EventId`], so the order depends on no global
//! counter. Every dispatched event is folded into the run's digest and into its target's; what a world adds
//! with [`Scheduler::fold`] is folded into both as well.
//!
//! Rules. A time that has passed is taken as now. An actor is an index: its state lives in the world. A
//! lane hands out 2^40 sequences (35 years of a thousand events a second from one actor); asking for one
//! more stops the program, because a wrapped sequence would silently reorder a run. Idle simulated time
//! costs nothing. Observing a run ([`Engine::run_observed`]) changes nothing in it.

use super::queue::{Merged, Queue, QueueMemory};
use super::trace::{Dispatched, Observer};
use crate::base::{
    ActorId, ChannelId, Digest, Event, EventId, Scheduler, SimDuration, SimTime, TimerId, prefetch,
};

/// The event loop of a run.
pub type Kernel = Engine<Merged>;

/// What the loop runs: all actors and whatever they share.
pub trait World<K = Kernel> {
    /// Acts on an event. `kernel.now()` is the event's time.
    fn dispatch(&mut self, event: Event, kernel: &mut K);

    /// A hint that this event will be dispatched soon, unless something comes in between: ask for its
    /// target's state ([`crate::base::prefetch`]), so that several misses of the cache overlap. Must have
    /// no effect; not called for every event.
    fn prefetch(&self, upcoming: &Event) {
        let _ = upcoming;
    }
}

/// The event loop over any store of pending events. `DIGEST` is only ever false in the benchmark that
/// measures what the digest costs.
#[derive(Debug)]
pub struct Engine<Q, const DIGEST: bool = true> {
    queue: Q,
    now: SimTime,
    lane: u32,
    outside: u32,
    events: u64,
    digest: Digest,
    lanes: Vec<Lane>,
}

/// Counts and bytes of an engine.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Actors.
    pub actors: usize,
    /// Bytes held for actors, free room included.
    pub actor_bytes: usize,
    /// The store of pending events.
    pub queue: QueueMemory,
}

/// What the loop keeps of an actor.
#[derive(Copy, Clone, Debug)]
struct Lane {
    next: EventId,
    digest: Digest,
}

impl<Q: Queue, const DIGEST: bool> Default for Engine<Q, DIGEST> {
    fn default() -> Self {
        Engine {
            queue: Q::default(),
            now: SimTime::ZERO,
            lane: 0,
            outside: 0,
            events: 0,
            digest: Digest::default(),
            lanes: Vec::new(),
        }
    }
}

impl<Q: Queue, const DIGEST: bool> Engine<Q, DIGEST> {
    /// An event loop at time zero, without actors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an actor; they are numbered from zero.
    ///
    /// # Panics
    /// Beyond [`EventId::LANE_MAX`] actors, which no id could name.
    pub fn add_actor(&mut self) -> ActorId {
        let index = self.lanes.len() as u32;
        assert!(index < EventId::LANE_MAX, "at most {} actors", EventId::LANE_MAX);
        if self.lanes.len() == self.lanes.capacity() {
            self.lanes.reserve_exact(64 + self.lanes.len() / 2);
        }
        self.lanes.push(Lane { next: EventId::new(ActorId(index), 0), digest: Digest::default() });
        ActorId(index)
    }

    /// How many actors there are.
    pub fn actors(&self) -> usize {
        self.lanes.len()
    }

    /// From now on, what is scheduled from outside a dispatch counts as caused by this actor. Until the
    /// first call that is actor 0.
    pub fn set_lane(&mut self, actor: ActorId) {
        assert!((actor.0 as usize) < self.lanes.len(), "no such actor: {}", actor.0);
        self.outside = actor.0;
        self.lane = actor.0;
    }

    /// Dispatches every event up to and including `end`; time then stands at `end`, unless that is
    /// [`SimTime::MAX`]. Returns how many were dispatched.
    pub fn run_until<W: World<Self>>(&mut self, end: SimTime, world: &mut W) -> u64 {
        self.run(end, u64::MAX, world, &mut ())
    }

    /// As [`Engine::run_until`], showing every dispatched event to `observer`.
    pub fn run_observed<W: World<Self>>(
        &mut self,
        end: SimTime,
        world: &mut W,
        observer: &mut impl Observer,
    ) -> u64 {
        self.run(end, u64::MAX, world, observer)
    }

    /// Dispatches at most `count` events up to and including `end`. Returns how many; time stands at the
    /// last of them if `count` ended the run.
    pub fn run_some<W: World<Self>>(&mut self, end: SimTime, count: u64, world: &mut W) -> u64 {
        self.run(end, count, world, &mut ())
    }

    /// Dispatches the next event and returns it, or `None` when nothing is pending.
    pub fn step<W: World<Self>>(&mut self, world: &mut W) -> Option<Event> {
        let event = self.queue.pop(SimTime::MAX, |_| ())?;
        self.dispatch(event, world, &mut ());
        self.lane = self.outside;
        Some(event)
    }

    fn run<W: World<Self>, O: Observer>(
        &mut self,
        end: SimTime,
        count: u64,
        world: &mut W,
        observer: &mut O,
    ) -> u64 {
        let mut left = count;
        while left > 0 {
            let (lanes, shown) = (&self.lanes, &*world);
            let popped = self.queue.pop(end, |upcoming| {
                if let Some(lane) = lanes.get(upcoming.target.0 as usize) {
                    prefetch(lane);
                }
                shown.prefetch(upcoming);
            });
            let Some(event) = popped else { break };
            self.dispatch(event, world, observer);
            left -= 1;
        }
        if left > 0 && end != SimTime::MAX {
            self.now = self.now.max(end);
        }
        self.lane = self.outside;
        count - left
    }

    #[inline(always)]
    fn dispatch<W: World<Self>, O: Observer>(
        &mut self,
        event: Event,
        world: &mut W,
        observer: &mut O,
    ) {
        self.now = event.time;
        self.lane = event.target.0;
        self.events += 1;
        let lane = &mut self.lanes[event.target.0 as usize];
        let first = lane.next;
        if DIGEST {
            let word = event_word(&event);
            lane.digest.fold(word);
            self.digest.fold(word);
        }
        world.dispatch(event, self);
        if O::ACTIVE {
            let next = self.lanes[event.target.0 as usize].next;
            let ordinal = self.events - 1;
            observer.dispatched(&Dispatched {
                ordinal,
                event,
                first_sequence: first.sequence(),
                next_sequence: next.sequence(),
                digest: self.digest.value(),
            });
        }
    }

    /// The store, for tests of its inner life.
    #[cfg(test)]
    pub(crate) fn queue(&self) -> &Q {
        &self.queue
    }

    /// Leaves one sequence in an actor's lane.
    #[cfg(test)]
    pub(crate) fn exhaust_lane(&mut self, actor: ActorId) {
        self.lanes[actor.0 as usize].next = EventId::new(actor, (1 << 40) - 2);
    }

    #[inline(always)]
    fn next_id(&mut self) -> EventId {
        let lane = &mut self.lanes[self.lane as usize];
        let id = lane.next;
        lane.next = EventId(id.0 + 1);
        if lane.next.0 >> 40 != id.0 >> 40 {
            lane_is_full(self.lane);
        }
        id
    }

    /// How many events were dispatched.
    pub fn events_dispatched(&self) -> u64 {
        self.events
    }

    /// The digest of everything dispatched and folded so far.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// The digest of what was dispatched to this actor and folded while it ran.
    pub fn actor_digest(&self, actor: ActorId) -> u64 {
        self.lanes[actor.0 as usize].digest.value()
    }

    /// The time of the next event, if any is pending.
    pub fn next_time(&mut self) -> Option<SimTime> {
        self.queue.next_time()
    }

    /// The timer's deadline, if it has one.
    pub fn deadline(&self, timer: TimerId) -> Option<SimTime> {
        self.queue.deadline(timer)
    }

    /// How many events and armed timers are pending.
    pub fn pending(&self) -> usize {
        let memory = self.queue.memory();
        memory.events + memory.timers_armed
    }

    /// Counts and bytes held.
    pub fn memory(&self) -> Memory {
        Memory {
            actors: self.lanes.len(),
            actor_bytes: self.lanes.capacity() * size_of::<Lane>(),
            queue: self.queue.memory(),
        }
    }
}

impl<Q: Queue, const DIGEST: bool> Scheduler for Engine<Q, DIGEST> {
    #[inline(always)]
    fn now(&self) -> SimTime {
        self.now
    }

    #[inline(always)]
    fn schedule(&mut self, at: SimTime, target: ActorId, payload: u32) -> EventId {
        debug_assert!((target.0 as usize) < self.lanes.len(), "no such actor: {}", target.0);
        let id = self.next_id();
        self.queue.push(Event { time: at.max(self.now), id, target, payload });
        id
    }

    #[inline(always)]
    fn schedule_on(&mut self, channel: ChannelId, target: ActorId, payload: u32) -> EventId {
        debug_assert!((target.0 as usize) < self.lanes.len(), "no such actor: {}", target.0);
        let id = self.next_id();
        let time = self.now + self.queue.delay(channel);
        self.queue.push_on(channel, Event { time, id, target, payload });
        id
    }

    fn new_channel(&mut self, delay: SimDuration) -> ChannelId {
        self.queue.new_channel(delay)
    }

    fn new_timer(&mut self, target: ActorId, payload: u32) -> TimerId {
        debug_assert!((target.0 as usize) < self.lanes.len(), "no such actor: {}", target.0);
        self.queue.new_timer(target, payload)
    }

    #[inline(always)]
    fn arm(&mut self, timer: TimerId, at: SimTime) {
        let id = self.next_id();
        self.queue.arm(timer, at.max(self.now), id);
    }

    #[inline(always)]
    fn cancel(&mut self, timer: TimerId) {
        self.queue.cancel(timer);
    }

    #[inline(always)]
    fn fold(&mut self, word: u64) {
        if DIGEST {
            self.digest.fold(word);
            self.lanes[self.lane as usize].digest.fold(word);
        }
    }
}

/// One word for the whole event, so that a digest folds once an event and not three times: the multiply
/// here is off the chain from digest to digest.
#[inline(always)]
fn event_word(event: &Event) -> u64 {
    let product = u128::from(event.time.0 ^ 0xA076_1D64_78BD_642F)
        * u128::from(event.id.0 ^ 0xE703_7ED1_A0B4_28DB);
    let what = u64::from(event.target.0) << 32 | u64::from(event.payload);
    (product as u64) ^ ((product >> 64) as u64) ^ what.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cold]
#[inline(never)]
fn lane_is_full(lane: u32) -> ! {
    panic!("actor {lane} caused 2^40 events: its lane has no sequence left, split the actor")
}
