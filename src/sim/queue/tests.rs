//! The merged store against the reference, and the cases in which self-tuning stores die.

use super::{Merged, Queue, Reference};
use crate::base::{ActorId, ChannelId, Event, Scheduler, SimDuration, SimTime, TimerId};
use crate::sim::kernel::{Engine, World};
use crate::sim::trace::{Dispatched, Observer};
use proptest::prelude::*;

/// A world of arbitrary behaviour: each dispatch schedules, arms, cancels and folds at random.
struct Chaos {
    state: u64,
    actors: u32,
    timers: Vec<TimerId>,
    channels: Vec<ChannelId>,
    /// Logarithms of the delays that occur.
    scales: Vec<u32>,
    left: u32,
    clump: bool,
}

#[derive(Default)]
struct Log(Vec<Dispatched>);

impl Observer for Log {
    fn dispatched(&mut self, dispatched: &Dispatched) {
        self.0.push(*dispatched);
    }
}

impl Chaos {
    fn new(seed: u64, scales: &[u32], clump: bool, left: u32) -> Chaos {
        let (timers, channels) = (Vec::new(), Vec::new());
        Chaos { state: seed, actors: 7, timers, channels, scales: scales.to_vec(), left, clump }
    }

    fn set_up(&mut self, kernel: &mut impl Scheduler) {
        for i in 0..40 {
            self.timers.push(kernel.new_timer(ActorId(i % self.actors), 1000 + i));
        }
        for i in 0..5 {
            let scale = self.scales[i % self.scales.len()];
            self.channels.push(kernel.new_channel(SimDuration((1 << scale) * (i as u64 % 3))));
        }
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn scale(&mut self) -> u32 {
        let at = self.draw(self.scales.len() as u64);
        self.scales[at as usize]
    }

    fn when(&mut self, now: SimTime) -> SimTime {
        let scale = self.scale();
        let delay = self.draw(1 << scale);
        let delay = if self.clump { delay >> (scale / 2) << (scale / 2) } else { delay };
        match self.draw(40) {
            0 => now,
            1 => SimTime(now.0.saturating_sub(delay)),
            2 => SimTime((now.0 | 0xFFF) + 1),
            _ => now + SimDuration(delay),
        }
    }

    fn act(&mut self, kernel: &mut impl Scheduler) {
        let actor = ActorId(self.draw(u64::from(self.actors)) as u32);
        let now = kernel.now();
        match self.draw(12) {
            0..=3 => {
                let at = self.when(now);
                kernel.schedule(at, actor, 1);
            }
            4..=5 => {
                let at = self.draw(self.channels.len() as u64);
                let channel = self.channels[at as usize];
                kernel.schedule_on(channel, actor, 2);
            }
            6..=8 => {
                let at = self.draw(self.timers.len() as u64);
                let timer = self.timers[at as usize];
                let at = self.when(now);
                kernel.arm(timer, at);
            }
            9..=10 => {
                let at = self.draw(self.timers.len() as u64);
                let timer = self.timers[at as usize];
                kernel.cancel(timer);
            }
            _ => kernel.fold(self.state),
        }
    }
}

impl<K: Scheduler> World<K> for Chaos {
    fn dispatch(&mut self, _event: Event, kernel: &mut K) {
        let acts = if self.left == 0 { 0 } else { self.draw(5) };
        self.left = self.left.saturating_sub(acts as u32);
        for _ in 0..acts {
            self.act(kernel);
        }
    }
}

/// Runs the chaos in slices with interference from outside; returns all that can be seen of it.
fn chaos_on<Q: Queue>(mut world: Chaos, peek: bool) -> (Vec<Dispatched>, Vec<u64>) {
    let mut kernel = Engine::<Q>::new();
    for _ in 0..world.actors {
        kernel.add_actor();
    }
    world.set_up(&mut kernel);
    let (mut log, mut seen) = (Log::default(), Vec::new());
    for slice in 0..60 {
        kernel.set_lane(ActorId(slice % world.actors));
        for _ in 0..10 {
            world.act(&mut kernel);
        }
        if peek {
            seen.push(kernel.next_time().map_or(1, |time| time.0));
        }
        let scale = world.scale();
        let end = kernel.now() + SimDuration(world.draw(1 << scale));
        kernel.run_observed(end, &mut world, &mut log);
        seen.push(kernel.pending() as u64);
        let deadlines = world.timers.iter().map(|&t| kernel.deadline(t).map_or(0, |d| d.0));
        seen.extend(deadlines);
    }
    kernel.run_observed(SimTime::MAX, &mut world, &mut log);
    seen.push(kernel.digest());
    seen.extend((0..world.actors).map(|actor| kernel.actor_digest(ActorId(actor))));
    (log.0, seen)
}

#[test]
fn a_cancelled_timer_in_the_run_does_not_hide_what_stands_behind_it() {
    // Its key stays in the run, its id is a new one since: compared, it would let a late event pass.
    let chaos = || Chaos::new(14_785_628_368_615_278_292, &[2, 29], false, 48);
    assert_eq!(chaos_on::<Merged>(chaos(), false), chaos_on::<Reference>(chaos(), false));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_gives_the_order_of_the_reference(
        seed: u64,
        scales in prop::collection::vec(0u32..50, 1..4),
        clump: bool,
        peek: bool,
        left in 0u32..6000,
    ) {
        let chaos = || Chaos::new(seed, &scales, clump, left);
        let fast = chaos_on::<Merged>(chaos(), peek);
        let slow = chaos_on::<Reference>(chaos(), peek);
        prop_assert_eq!(fast.0.len(), slow.0.len());
        for (a, b) in fast.0.iter().zip(&slow.0) {
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(fast.1, slow.1);
    }
}

/// What the load tests' worlds do: each event follows itself after a delay of its own law.
struct Law<F>(F);

impl<K: Scheduler, F: FnMut(&Event, &mut K)> World<K> for Law<F> {
    fn dispatch(&mut self, event: Event, kernel: &mut K) {
        (self.0)(&event, kernel);
    }
}

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (n ^ (n >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

/// Runs the law on the store, and how often the store was rebuilt.
fn driven<Q: Queue, F: FnMut(&Event, &mut Engine<Q>)>(
    far: u32,
    near: u32,
    events: u64,
    law: F,
) -> Engine<Q> {
    let mut kernel = Engine::<Q>::new();
    let actor = kernel.add_actor();
    for i in 0..far {
        let timer = kernel.new_timer(actor, 1_000_000 + i);
        kernel.arm(timer, SimTime(3_600_000_000_000 + mix(u64::from(i)) % 3_600_000_000_000));
    }
    for i in 0..near {
        kernel.schedule(SimTime(u64::from(i)), actor, i);
    }
    kernel.run_some(SimTime::MAX, events, &mut Law(law));
    kernel
}

#[test]
fn one_near_driver_and_many_far_timers_do_not_widen_for_ever() {
    // The driver comes every microsecond; all else is an hour away and is only moved about.
    const FAR: u32 = 50_000;
    fn law<Q: Queue>() -> impl FnMut(&Event, &mut Engine<Q>) {
        let mut n = 0u64;
        move |event: &Event, kernel: &mut Engine<Q>| {
            n += 1;
            kernel.schedule(event.time + SimDuration(1000), event.target, 0);
            let timer = TimerId((mix(n) % u64::from(FAR)) as u32);
            kernel.cancel(timer);
            kernel.arm(timer, event.time + SimDuration(3_600_000_000_000 + mix(n) % (1 << 40)));
        }
    }
    let fast = driven::<Merged, _>(FAR, 1, 300_000, law());
    let slow = driven::<Reference, _>(FAR, 1, 300_000, law());
    assert_eq!(fast.digest(), slow.digest());
    let tuning = fast.queue().tuning();
    assert!(tuning.width_ns <= 1 << 20, "buckets as wide as {} ns", tuning.width_ns);
    assert!(tuning.rebuilds <= 8, "rebuilt {} times", tuning.rebuilds);
    assert!(tuning.late_most <= 4, "{} events were late together", tuning.late_most);
}

#[test]
fn a_crowd_at_one_instant_and_late_arrivals_stay_cheap() {
    // 100,000 hosts act at once, each answers within the microsecond and comes again a second later.
    fn law<Q: Queue>() -> impl FnMut(&Event, &mut Engine<Q>) {
        move |event: &Event, kernel: &mut Engine<Q>| {
            let delay =
                if event.payload.is_multiple_of(2) { 1_000_000_000 } else { event.payload % 1000 };
            kernel.schedule(
                event.time + SimDuration(u64::from(delay)),
                event.target,
                event.payload ^ 1,
            );
        }
    }
    let fast = driven::<Merged, _>(0, 100_000, 600_000, law());
    let slow = driven::<Reference, _>(0, 100_000, 600_000, law());
    assert_eq!(fast.digest(), slow.digest());
    let tuning = fast.queue().tuning();
    // Moving everything must stay a constant share of the work.
    assert!(tuning.moved <= 6 * 600_000, "{} events were moved by rebuilding", tuning.moved);
}

#[test]
fn memory_stays_within_its_bounds() {
    let mut kernel = Engine::<Merged>::new();
    const COUNT: u32 = 200_000;
    for i in 0..COUNT {
        let actor = kernel.add_actor();
        let timer = kernel.new_timer(actor, i);
        kernel.arm(timer, SimTime(mix(u64::from(i)) % 4_000_000_000));
        kernel.schedule(SimTime(mix(u64::from(!i)) % 1_000_000_000), actor, 1);
    }
    let mut n = 0u64;
    let mut law = Law(|event: &Event, kernel: &mut Engine<Merged>| {
        n += 1;
        let at = event.time + SimDuration(100_000_000 + mix(n) % 2_000_000_000);
        if event.payload == 1 {
            kernel.schedule(at, ActorId((mix(!n) % u64::from(COUNT)) as u32), 1);
        } else {
            kernel.arm(TimerId(event.payload), at);
        }
        let other = TimerId((mix(n ^ 77) % u64::from(COUNT)) as u32);
        kernel.cancel(other);
        kernel.arm(other, at);
    });
    // A payload of one is also timer 1's: it only leaves that timer idle.
    kernel.run_some(SimTime::MAX, 2_000_000, &mut law);
    let memory = kernel.memory();
    let events = memory.queue.event_bytes / memory.queue.events;
    let timers = memory.queue.timer_bytes / memory.queue.timers_armed;
    assert!(events <= 40, "{events} bytes a pending event");
    assert!(timers <= 40, "{timers} bytes a pending timer");
    assert!(memory.actor_bytes / memory.actors <= 64, "{} bytes of actors", memory.actor_bytes);
    assert!(memory.queue.fixed_bytes <= 256 << 10, "{} bytes at rest", memory.queue.fixed_bytes);
    let before = memory;
    kernel.run_some(SimTime::MAX, 500_000, &mut law);
    let grown = kernel.memory().queue.event_bytes as f64 / before.queue.event_bytes as f64;
    assert!(grown < 1.2, "the room for a steady number of events grew {grown} times");
}

#[test]
fn a_cancelled_timer_leaves_nothing_behind() {
    let mut kernel = Engine::<Merged>::new();
    let actor = kernel.add_actor();
    let timers: Vec<TimerId> = (0..1000).map(|i| kernel.new_timer(actor, i)).collect();
    let empty = kernel.memory();
    for round in 0..1000u64 {
        for &timer in &timers {
            kernel.arm(timer, SimTime(mix(round * 1000 + u64::from(timer.0)) % (1 << 45)));
        }
    }
    assert_eq!(kernel.pending(), 1000);
    timers.iter().for_each(|&timer| kernel.cancel(timer));
    assert_eq!((kernel.pending(), kernel.next_time()), (0, None));
    assert_eq!(kernel.memory().queue.timer_bytes, empty.queue.timer_bytes);
}

#[test]
fn idle_time_costs_nothing() {
    // A century between events, at the far ends of the range too: a bounded number of bucket moves.
    let mut kernel = Engine::<Merged>::new();
    let actor = kernel.add_actor();
    for at in [0, 1, 1 << 20, 1 << 45, 3_000_000_000_000_000_000, u64::MAX - 1, u64::MAX] {
        kernel.schedule(SimTime(at), actor, 0);
    }
    let mut times = Vec::new();
    let mut law = Law(|event: &Event, _: &mut Engine<Merged>| times.push(event.time.0));
    kernel.run_until(SimTime::MAX, &mut law);
    assert!(times.is_sorted() && times.len() == 7);
}

#[test]
fn a_cause_can_be_named_and_a_difference_found() {
    let record = |change: u64| {
        let mut kernel = Engine::<Merged>::new();
        let actors = [kernel.add_actor(), kernel.add_actor()];
        kernel.set_lane(actors[0]);
        kernel.schedule(SimTime(5), actors[1], 0);
        let mut recording = crate::sim::trace::Recording::default();
        let mut law = Law(|event: &Event, kernel: &mut Engine<Merged>| {
            let delay = if event.time.0 == 305 { change } else { 100 };
            kernel.schedule(event.time + SimDuration(delay), actors[0], event.payload + 1);
        });
        kernel.run_observed(SimTime(2000), &mut law, &mut recording);
        recording
    };
    assert_eq!(record(100).difference(&record(100)), None);
    let difference = record(100).difference(&record(101)).expect("they differ");
    let first = difference.first.expect("an event");
    assert_eq!((difference.ordinal, first.dispatched.event.time), (4, SimTime(405)));
    assert_eq!(first.cause.expect("a cause").event.time, SimTime(305));
    assert_eq!(difference.second.expect("an event").dispatched.event.time, SimTime(406));
}

#[test]
#[should_panic(expected = "no sequence left")]
fn a_full_lane_stops_the_program() {
    let mut kernel = Engine::<Merged>::new();
    let actor = kernel.add_actor();
    kernel.exhaust_lane(actor);
    kernel.schedule(SimTime(1), actor, 0);
    kernel.schedule(SimTime(1), actor, 0);
}
