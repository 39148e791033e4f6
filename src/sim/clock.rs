//! A host's own clock: simulated time, with an offset that jumps and a rate that drifts.
//!
//! Skew reaches only what reads the clock ([`WallTime`] stamps); intervals between retries are counted
//! in monotonic ticks, as NetBT and WINS do.

use crate::base::{SimTime, WallTime};

/// One billion: drift is given in nanoseconds gained per second.
const NANOS_PER_SEC: i128 = 1_000_000_000;

/// A skewable clock.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Clock {
    /// Wall time minus simulated time at `since`, in nanoseconds.
    offset_ns: i64,
    /// Nanoseconds gained (negative: lost) per second of simulated time.
    drift_ns_per_s: i32,
    /// When offset and drift were last set.
    since: SimTime,
}

impl Clock {
    /// A clock that is off by `offset_ns` at the start and gains `drift_ns_per_s`.
    pub fn new(offset_ns: i64, drift_ns_per_s: i32) -> Clock {
        Clock { offset_ns, drift_ns_per_s, since: SimTime::ZERO }
    }

    /// What the clock shows at `now`; it never shows a time before the run's epoch.
    pub fn wall(&self, now: SimTime) -> WallTime {
        WallTime((i128::from(now.0) + self.offset_at(now)).clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// Moves the hands by `nanos`.
    pub fn jump(&mut self, now: SimTime, nanos: i64) {
        self.rebase(now);
        self.offset_ns = self.offset_ns.saturating_add(nanos);
    }

    /// Changes the rate from now on.
    pub fn set_drift(&mut self, now: SimTime, drift_ns_per_s: i32) {
        self.rebase(now);
        self.drift_ns_per_s = drift_ns_per_s;
    }

    /// The rate now, in nanoseconds gained per second.
    pub fn drift(&self) -> i32 {
        self.drift_ns_per_s
    }

    fn rebase(&mut self, now: SimTime) {
        self.offset_ns =
            self.offset_at(now).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        self.since = now;
    }

    fn offset_at(&self, now: SimTime) -> i128 {
        let elapsed = i128::from(now.since(self.since).0);
        i128::from(self.offset_ns) + elapsed * i128::from(self.drift_ns_per_s) / NANOS_PER_SEC
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SimDuration;

    #[test]
    fn jumps_and_drift_add_up() {
        let mut clock = Clock::new(-5, 0);
        assert_eq!(clock.wall(SimTime::ZERO), WallTime(0), "no time before the epoch");
        let hour = SimTime::ZERO + SimDuration::from_hours(1);
        clock.jump(hour, 5 + 2_000_000_000);
        assert_eq!(clock.wall(hour).0, hour.0 + 2_000_000_000);
        clock.set_drift(hour, 1_000_000); // gains a millisecond a second
        let later = hour + SimDuration::from_secs(1000);
        assert_eq!(clock.wall(later).0, later.0 + 3_000_000_000);
        clock.set_drift(later, 0);
        let end = later + SimDuration::from_hours(5);
        assert_eq!(clock.wall(end).0, end.0 + 3_000_000_000);
    }
}
