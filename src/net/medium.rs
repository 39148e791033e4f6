//! What carries packets: a subnet, or one direction of a link.
//!
//! A packet's way over a medium: is the medium up, do odds or rules take it, does it fit the queue, when
//! does it arrive. With a fixed delay, no bandwidth limit and no odds, all of that is one comparison and
//! the arrival goes through a channel.

use super::capture::Place;
use super::counters::{DropCause, MediumCounters};
use super::topology::MediumConfig;
use crate::base::{ChannelId, SimDuration, SimTime, Stream, Streams};

/// A medium. The first cache line holds all that a plain one needs for a packet.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Medium {
    /// Raised each time it goes down: packets sent in an earlier epoch were on it and are lost.
    pub(super) epoch: u32,
    pub(super) up: bool,
    /// Nothing but a fixed delay: neither odds nor bandwidth nor jitter.
    pub(super) plain: bool,
    /// The channel of its fixed delay.
    pub(super) channel: Option<ChannelId>,
    pub(super) counters: MediumCounters,
    pub(super) config: MediumConfig,
    pub(super) place: Place,
    /// When the last packet handed to it has left the queue.
    busy_until: SimTime,
    /// When the last packet of a jittery medium arrives: the next does not arrive before.
    last_arrival: SimTime,
    chance: Option<Box<MediumChance>>,
}

/// The streams a medium draws from.
#[derive(Clone, Debug)]
struct MediumChance {
    loss: Stream,
    duplicate: Stream,
    reorder: Stream,
    delay: Stream,
    jitter: Stream,
}

/// What becomes of one packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// Why it is dropped.
    pub(super) dropped: Option<DropCause>,
    /// Held back this much longer.
    pub(super) extra: SimDuration,
    /// Sent twice.
    pub(super) duplicate: bool,
}

impl Verdict {
    pub(super) const PASS: Verdict =
        Verdict { dropped: None, extra: SimDuration::ZERO, duplicate: false };
}

/// When a packet arrives.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// After the medium's fixed delay.
    Fixed,
    /// At this time.
    At(SimTime),
    /// Never: the queue is full.
    QueueFull,
}

impl Medium {
    /// A medium that draws from the streams below `path` (`link/wan/forward`).
    pub(super) fn new(config: MediumConfig, place: Place, streams: Streams, path: &str) -> Medium {
        let is_fixed = config.delay.0 == config.delay.1 && config.jitter.is_zero();
        let odds = [config.loss, config.duplicate, config.reorder];
        let quiet = odds.iter().all(|o| o.is_never());
        let stream = |what: &str| streams.stream(&format!("{path}/{what}"));
        let chance = (!quiet || !is_fixed).then(|| {
            Box::new(MediumChance {
                loss: stream("loss"),
                duplicate: stream("duplicate"),
                reorder: stream("reorder"),
                delay: stream("delay"),
                jitter: stream("jitter"),
            })
        });
        Medium {
            epoch: 0,
            up: true,
            plain: quiet && is_fixed && config.bandwidth_bits_per_s.is_none(),
            channel: None,
            counters: MediumCounters::default(),
            config,
            place,
            busy_until: SimTime::ZERO,
            last_arrival: SimTime::ZERO,
            chance,
        }
    }

    /// Whether all packets take the same time.
    pub(super) fn has_fixed_delay(&self) -> bool {
        self.config.delay.0 == self.config.delay.1
            && self.config.jitter.is_zero()
            && self.config.bandwidth_bits_per_s.is_none()
    }

    /// Takes it down or up; what is on it when it goes down is lost.
    pub(super) fn set_up(&mut self, up: bool, now: SimTime) {
        if self.up && !up {
            self.epoch = self.epoch.wrapping_add(1);
            self.busy_until = now;
            self.last_arrival = now;
        }
        self.up = up;
    }

    /// What the medium's own odds say about one packet.
    pub(super) fn judge(&mut self) -> Verdict {
        let Some(chance) = &mut self.chance else { return Verdict::PASS };
        let mut verdict = Verdict::PASS;
        if chance.loss.chance(self.config.loss) {
            verdict.dropped = Some(DropCause::Loss);
            return verdict;
        }
        verdict.duplicate = chance.duplicate.chance(self.config.duplicate);
        if chance.reorder.chance(self.config.reorder) {
            verdict.extra = self.config.reorder_extra;
            self.counters.reordered += 1;
        }
        verdict
    }

    /// When a packet of `bytes` sent now, held back by `extra`, arrives. Takes its place in the queue.
    pub(super) fn arrival(&mut self, now: SimTime, bytes: u32, extra: SimDuration) -> Arrival {
        let mut leaves = now;
        if let Some(bits_per_s) = self.config.bandwidth_bits_per_s {
            let waiting = self.queue_bytes(now) + u64::from(bytes);
            if waiting > self.config.queue_bytes_max {
                return Arrival::QueueFull;
            }
            self.counters.queue_bytes_peak = self.counters.queue_bytes_peak.max(waiting);
            let sending = u64::from(bytes) * 8 * 1_000_000_000 / bits_per_s;
            leaves = self.busy_until.max(now) + SimDuration(sending);
            self.busy_until = leaves;
        }
        let (low, high) = self.config.delay;
        let mut delay = low;
        if low != high
            && let Some(chance) = &mut self.chance
        {
            delay = SimDuration(chance.delay.between(low.0, high.0));
        }
        if self.config.jitter.is_zero() {
            if extra.is_zero() && self.channel.is_some() {
                return Arrival::Fixed;
            }
            return Arrival::At(leaves + delay + extra);
        }
        if let Some(chance) = &mut self.chance {
            delay += SimDuration(chance.jitter.between(0, self.config.jitter.0));
        }
        let arrives = (leaves + delay).max(self.last_arrival);
        self.last_arrival = arrives;
        Arrival::At(arrives + extra)
    }

    /// Bytes that wait for a slow medium, by arithmetic on the time until it is idle.
    fn queue_bytes(&self, now: SimTime) -> u64 {
        let bits_per_s = self.config.bandwidth_bits_per_s.unwrap_or(0);
        let wait = self.busy_until.since(now).0;
        (u128::from(wait) * u128::from(bits_per_s) / 8_000_000_000) as u64
    }
}
