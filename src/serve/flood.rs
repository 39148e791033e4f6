//! How much one address may ask: a token bucket per source, in a table of fixed size.
//!
//! The table is set-associative: an address has a few places, and a new one takes the place that was
//! unused longest, so that a flood from many addresses costs no memory. What falls out of the table starts
//! again with a full bucket, which lets a little more through, never less.

use crate::base::{SimTime, hash_bytes};
use std::net::Ipv4Addr;

/// Sources remembered: more than a server of this kind has clients in any second.
const SOURCES_MAX: usize = 4096;
/// Places an address may take.
const WAYS: usize = 4;
/// Requests a second from one address. A site's router that hides a thousand hosts stays far below.
pub const RATE: u32 = 10_000;

/// One source.
#[derive(Copy, Clone, Debug, Default)]
struct Bucket {
    address: u32,
    tokens: u32,
    last: SimTime,
}

/// The limiter.
#[derive(Debug)]
pub(super) struct FloodGate {
    rate: u32,
    buckets: Vec<Bucket>,
    loopback_too: bool,
}

impl FloodGate {
    /// Lets `rate` requests a second through from each address, twice as many at once. Zero lets
    /// everything through. Programs on this machine are limited only when `loopback_too`.
    pub(super) fn new(rate: u32, loopback_too: bool) -> FloodGate {
        let size = if rate == 0 { 0 } else { SOURCES_MAX };
        FloodGate { rate, buckets: vec![Bucket::default(); size], loopback_too }
    }

    /// Whether a request from this address may be looked at now.
    pub(super) fn admits(&mut self, from: Ipv4Addr, now: SimTime) -> bool {
        if self.rate == 0 || (from.is_loopback() && !self.loopback_too) {
            return true;
        }
        let full = self.rate.saturating_mul(2);
        let bucket = self.bucket(from, now, full);
        let earned = now.since(bucket.last).0.saturating_mul(u64::from(full / 2)) / 1_000_000_000;
        if earned > 0 {
            let tokens = u64::from(bucket.tokens).saturating_add(earned);
            bucket.tokens = tokens.min(u64::from(full)) as u32;
            bucket.last = now;
        }
        let admitted = bucket.tokens > 0;
        bucket.tokens = bucket.tokens.saturating_sub(1);
        admitted
    }

    /// The address's bucket, made if need be.
    fn bucket(&mut self, from: Ipv4Addr, now: SimTime, full: u32) -> &mut Bucket {
        let address = from.to_bits();
        let sets = self.buckets.len() / WAYS;
        let set = hash_bytes(&from.octets()) as usize % sets * WAYS;
        let ways = &mut self.buckets[set..set + WAYS];
        let at = match ways.iter().position(|bucket| bucket.address == address) {
            Some(at) => at,
            None => {
                let oldest = (0..WAYS).min_by_key(|&way| ways[way].last).unwrap_or(0);
                ways[oldest] = Bucket { address, tokens: full, last: now };
                oldest
            }
        };
        &mut ways[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SimDuration;

    fn admitted(gate: &mut FloodGate, from: [u8; 4], at: SimTime, count: u32) -> u32 {
        (0..count).filter(|_| gate.admits(from.into(), at)).count() as u32
    }

    #[test]
    fn an_address_gets_its_rate_and_others_do_not_notice() {
        let mut gate = FloodGate::new(100, false);
        let start = SimTime(1_000_000_000);
        assert_eq!(admitted(&mut gate, [10, 0, 0, 1], start, 1000), 200);
        assert_eq!(admitted(&mut gate, [10, 0, 0, 2], start, 150), 150);
        let later = start + SimDuration::from_millis(500);
        assert_eq!(admitted(&mut gate, [10, 0, 0, 1], later, 1000), 50);
        assert_eq!(admitted(&mut gate, [127, 0, 0, 1], start, 1000), 1000);
        let mut strict = FloodGate::new(100, true);
        assert_eq!(admitted(&mut strict, [127, 0, 0, 1], start, 1000), 200);
    }

    #[test]
    fn small_steps_of_time_earn_as_much_as_large_ones() {
        let mut gate = FloodGate::new(100, false);
        admitted(&mut gate, [10, 0, 0, 1], SimTime(1), 200);
        let through: u32 = (1..=1000)
            .map(|n| admitted(&mut gate, [10, 0, 0, 1], SimTime(1 + n * 1_000_000), 5))
            .sum();
        assert_eq!(through, 100);
    }

    #[test]
    fn many_addresses_cost_no_memory() {
        let mut gate = FloodGate::new(10, false);
        for n in 0..100_000u32 {
            gate.admits(Ipv4Addr::from_bits(0x0A00_0000 + n), SimTime(u64::from(n)));
        }
        assert_eq!(gate.buckets.len(), SOURCES_MAX);
    }
}
