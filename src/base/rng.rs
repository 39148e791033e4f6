//! Chance: one ChaCha stream per path.
//!
//! The generator's key comes from the run's seed and its stream number from a pinned hash of the path
//! (`host/wins-2/challenge`), so adding a host, a fault or a probe leaves every other stream as it was.
//! Every draw has an address: (path, ordinal). Decisions use integers and ratios, never floats.

use super::digest::hash_path;
use super::time::SimDuration;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The streams of one run.
#[derive(Copy, Clone, Debug)]
pub struct Streams {
    seed: u64,
}

/// A probability as a ratio of integers.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Odds {
    /// How often it happens...
    pub numerator: u32,
    /// ...out of how many times. Zero means never.
    pub denominator: u32,
}

/// A generator of its own, named by its path.
#[derive(Clone, Debug)]
pub struct Stream {
    path_hash: u64,
    ordinal: u64,
    rng: ChaCha8Rng,
}

/// A stream that is seldom drawn from, kept as its address: 16 bytes instead of a generator's 300.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RestingStream {
    path_hash: u64,
    ordinal: u64,
}

impl RestingStream {
    /// The stream named `path`, from its beginning.
    pub fn new(path: &str) -> RestingStream {
        RestingStream { path_hash: hash_path(path), ordinal: 0 }
    }
}

impl Streams {
    /// The streams of the run with this seed.
    pub fn new(seed: u64) -> Streams {
        Streams { seed }
    }

    /// The stream named `path`, from its beginning.
    pub fn stream(&self, path: &str) -> Stream {
        self.at(hash_path(path), 0)
    }

    /// Goes on with a stream that was put to rest.
    pub fn resume(&self, resting: RestingStream) -> Stream {
        self.at(resting.path_hash, resting.ordinal)
    }

    fn at(&self, path_hash: u64, ordinal: u64) -> Stream {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(b"winstorm");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(path_hash);
        rng.set_word_pos(u128::from(ordinal) * 2);
        Stream { path_hash, ordinal, rng }
    }
}

impl Odds {
    /// Never.
    pub const NEVER: Odds = Odds { numerator: 0, denominator: 1 };

    /// Whether it can happen at all.
    pub const fn is_never(self) -> bool {
        self.numerator == 0 || self.denominator == 0
    }
}

impl Stream {
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.ordinal += 1;
        self.rng.next_u64()
    }

    /// A number below `bound` (zero when `bound` is zero), without bias.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        // Lemire's method: reject the few values that would favour small results.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low) {
            None | Some(0) => low,
            Some(u64::MAX) => self.next_u64(),
            Some(span) => low + self.below(span + 1),
        }
    }

    /// A duration from `low` to `high`, both included.
    pub fn duration(&mut self, low: SimDuration, high: SimDuration) -> SimDuration {
        SimDuration(self.between(low.0, high.0))
    }

    /// Whether something with these odds happens this time. Odds of zero draw nothing.
    pub fn chance(&mut self, odds: Odds) -> bool {
        !odds.is_never() && self.below(u64::from(odds.denominator)) < u64::from(odds.numerator)
    }

    /// An exponentially distributed duration with the given mean.
    ///
    /// By integers only, so that every platform draws the same: -ln(u) = (z + 1 - log2 m) ln 2 for
    /// u = m 2^-(z+1) with 1 <= m < 2, and log2 m by repeated squaring.
    pub fn exponential(&mut self, mean: SimDuration) -> SimDuration {
        let bits = self.next_u64() | 1;
        let zeros = bits.leading_zeros();
        let mut mantissa = (bits << zeros) >> 32; // m in 1.31 fixed point
        let mut log2: u64 = 0; // 32 fractional bits
        for bit in (0..32).rev() {
            mantissa = (mantissa * mantissa) >> 31;
            if mantissa >= 1 << 32 {
                mantissa >>= 1;
                log2 |= 1 << bit;
            }
        }
        let minus_log2 = ((u64::from(zeros) + 1) << 32) - log2;
        const LN2: u128 = 2_977_044_472; // ln 2 in 0.32 fixed point
        SimDuration(((u128::from(mean.0) * u128::from(minus_log2) * LN2) >> 64) as u64)
    }

    /// Shuffles the slice (Fisher and Yates).
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for i in (1..slice.len()).rev() {
            slice.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// Puts the stream to rest: [`Streams::resume`] goes on with the next draw.
    pub fn rest(&self) -> RestingStream {
        RestingStream { path_hash: self.path_hash, ordinal: self.ordinal }
    }

    /// The address of the next draw: hash of the path, and how many were drawn before.
    pub fn address(&self) -> (u64, u64) {
        (self.path_hash, self.ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_vectors_are_pinned() {
        let mut stream = Streams::new(1).stream("host/wins-2/challenge");
        let drawn: Vec<u64> = (0..4).map(|_| stream.next_u64()).collect();
        assert_eq!(drawn, PINNED, "streams changed: every published seed would tell another story");
        assert_eq!(stream.address(), (hash_path("host/wins-2/challenge"), 4));
    }

    const PINNED: [u64; 4] =
        [16957829637174346951, 15000860699629976052, 11373318037033522206, 276350540838031745];

    #[test]
    fn seeds_and_paths_are_independent() {
        let first = |seed, path: &str| Streams::new(seed).stream(path).next_u64();
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_eq!(first(7, "a"), first(7, "a"));
    }

    #[test]
    fn a_resting_stream_goes_on_where_it_stopped() {
        let streams = Streams::new(9);
        let mut whole = streams.stream("x");
        let mut resting = RestingStream::new("x");
        for _ in 0..40 {
            let mut resumed = streams.resume(resting);
            assert_eq!(resumed.next_u64(), whole.next_u64());
            resting = resumed.rest();
        }
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut s = Streams::new(3).stream("bounds");
        for _ in 0..1000 {
            assert!(s.below(7) < 7);
            assert!((5..=9).contains(&s.between(5, 9)));
            assert!(!s.chance(Odds::NEVER));
            assert!(s.chance(Odds { numerator: 1, denominator: 1 }));
        }
        assert_eq!(s.below(0), 0);
    }

    #[test]
    fn exponential_has_its_mean() {
        let mut s = Streams::new(4).stream("exponential");
        let mean = SimDuration::from_secs(1);
        let sum: u64 = (0..20_000).map(|_| s.exponential(mean).0 / 20_000).sum();
        assert!((970_000_000..1_030_000_000).contains(&sum), "mean of 20,000 draws was {sum} ns");
    }
}
