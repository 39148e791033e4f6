//! Time as integers: `SimTime` and `SimDuration` count nanoseconds in a u64, `WallTime` is what a host's
//! own clock says.
//!
//! A run starts at `SimTime::ZERO`, which scenario files call 00:00 of the first day. 2^64 nanoseconds
//! are 584 years; sums saturate at that far end instead of wrapping.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// A point in simulated time: nanoseconds since the start of the run.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(pub u64);

/// A length of simulated time in nanoseconds.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimDuration(pub u64);

/// What a host's own clock says: nanoseconds since the run's epoch, with the host's skew in it.
///
/// Stamps in a WINS database are wall times, so a clock step moves every expiry (Q246568); intervals
/// between retries are measured in [`SimTime`].
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

impl SimTime {
    /// The start of the run.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than every event.
    pub const MAX: SimTime = SimTime(u64::MAX);

    /// Nanoseconds since the start of the run.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    pub const fn since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the start of the run, for charts and texts; never for decisions.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: SimDuration = SimDuration(0);
    /// Longer than any run.
    pub const MAX: SimDuration = SimDuration(u64::MAX);

    /// A duration of whole nanoseconds.
    pub const fn from_nanos(n: u64) -> SimDuration {
        SimDuration(n)
    }
    /// A duration of whole microseconds.
    pub const fn from_micros(n: u64) -> SimDuration {
        SimDuration(n.saturating_mul(1_000))
    }
    /// A duration of whole milliseconds.
    pub const fn from_millis(n: u64) -> SimDuration {
        SimDuration(n.saturating_mul(1_000_000))
    }
    /// A duration of whole seconds.
    pub const fn from_secs(n: u64) -> SimDuration {
        SimDuration(n.saturating_mul(1_000_000_000))
    }
    /// A duration of whole minutes.
    pub const fn from_mins(n: u64) -> SimDuration {
        SimDuration::from_secs(n.saturating_mul(60))
    }
    /// A duration of whole hours.
    pub const fn from_hours(n: u64) -> SimDuration {
        SimDuration::from_secs(n.saturating_mul(3600))
    }
    /// A duration of whole days.
    pub const fn from_days(n: u64) -> SimDuration {
        SimDuration::from_hours(n.saturating_mul(24))
    }
    /// Nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }
    /// Whole seconds, rounded down.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }
    /// Seconds, for charts and texts; never for decisions.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// The difference, zero if `other` is longer.
    pub const fn saturating_sub(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_sub(other.0))
    }
}

impl WallTime {
    /// Whole seconds since the run's epoch.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }
    /// A stamp that never passes (static records).
    pub const NEVER: WallTime = WallTime(u64::MAX);
}

impl Add<SimDuration> for SimTime {
    type Output = SimTime;
    fn add(self, d: SimDuration) -> SimTime {
        SimTime(self.0.saturating_add(d.0))
    }
}
impl Add<SimDuration> for WallTime {
    type Output = WallTime;
    fn add(self, d: SimDuration) -> WallTime {
        WallTime(self.0.saturating_add(d.0))
    }
}
impl Add for SimDuration {
    type Output = SimDuration;
    fn add(self, d: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_add(d.0))
    }
}
impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, d: SimDuration) {
        *self = *self + d;
    }
}
impl AddAssign for SimDuration {
    fn add_assign(&mut self, d: SimDuration) {
        *self = *self + d;
    }
}
impl Sub for SimDuration {
    type Output = SimDuration;
    fn sub(self, d: SimDuration) -> SimDuration {
        self.saturating_sub(d)
    }
}
impl Mul<u64> for SimDuration {
    type Output = SimDuration;
    fn mul(self, n: u64) -> SimDuration {
        SimDuration(self.0.saturating_mul(n))
    }
}
impl Div<u64> for SimDuration {
    type Output = SimDuration;
    fn div(self, n: u64) -> SimDuration {
        SimDuration(self.0 / n)
    }
}

impl fmt::Display for SimTime {
    /// `09:00:41.220`, or `2d 09:00:41.220` from the second day on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        let (days, millis) = (millis / 86_400_000, millis % 86_400_000);
        let (hours, millis) = (millis / 3_600_000, millis % 3_600_000);
        let (mins, millis) = (millis / 60_000, millis % 60_000);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        write!(f, "{hours:02}:{mins:02}:{:02}.{:03}", millis / 1000, millis % 1000)
    }
}

impl fmt::Display for SimDuration {
    /// The two largest units that matter: `30min`, `4.5s`, `2h 15min`, `750ms`, `20us`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "min"),
            (1_000_000_000, "s"),
        ];
        let n = self.0;
        if n == 0 {
            return f.write_str("0s");
        }
        for (i, &(size, unit)) in UNITS.iter().enumerate().take(3) {
            if n >= size {
                let (small, small_unit) = UNITS[i + 1];
                let rest = (n % size) / small;
                write!(f, "{}{unit}", n / size)?;
                return if rest > 0 { write!(f, " {rest}{small_unit}") } else { Ok(()) };
            }
        }
        let (size, unit) = match n {
            1_000_000_000.. => (1_000_000_000, "s"),
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "us"),
            _ => (1, "ns"),
        };
        let thousandths = (n % size) * 1000 / size;
        write!(f, "{}", n / size)?;
        if thousandths > 0 {
            write!(f, ".{}", format!("{thousandths:03}").trim_end_matches('0'))?;
        }
        f.write_str(unit)
    }
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl fmt::Debug for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wall {}", SimTime(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_read_as_a_person_writes_them() {
        assert_eq!(SimTime(9 * 3_600_000_000_000 + 220_000_000).to_string(), "09:00:00.220");
        assert_eq!((SimTime::ZERO + SimDuration::from_days(2)).to_string(), "2d 00:00:00.000");
        assert_eq!(SimDuration::from_millis(4500).to_string(), "4.5s");
        assert_eq!(SimDuration::from_mins(135).to_string(), "2h 15min");
        assert_eq!(SimDuration::from_millis(750).to_string(), "750ms");
        assert_eq!(SimDuration::from_nanos(7).to_string(), "7ns");
    }

    #[test]
    fn sums_saturate_at_the_far_end() {
        assert_eq!(SimTime::MAX + SimDuration::from_secs(1), SimTime::MAX);
        assert_eq!(SimTime(5).since(SimTime(9)), SimDuration::ZERO);
    }
}
