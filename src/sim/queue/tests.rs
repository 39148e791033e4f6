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
