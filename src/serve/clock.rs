//! The machine's clocks as the machines' time.
//!
//! Time runs from the start of the program and never jumps; wall time is nanoseconds since 1970 and follows
//! the machine's clock, in steps: small differences are left alone, so that a recording needs to note
//! only real changes.

use crate::base::{Now, SimTime, WallTime};
#[expect(clippy::disallowed_types, reason = "the edge where wall time comes in")]
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Differences between the two clocks below this are not followed: a slewed clock would otherwise change
/// the wall time of every input.
const TOLERANCE_NS: u64 = 1_000_000;

/// Both clocks.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "the edge where wall time comes in")]
pub(super) struct Clock {
    started: Instant,
    /// Wall time of the start, as reckoned now.
    epoch_ns: u64,
}

impl Clock {
    #[expect(clippy::disallowed_types, reason = "the edge where wall time comes in")]
    pub(super) fn start() -> Clock {
        let mut clock = Clock { started: Instant::now(), epoch_ns: 0 };
        clock.now();
        clock
    }

    /// Both times now.
    #[expect(clippy::disallowed_types, reason = "the edge where wall time comes in")]
    pub(super) fn now(&mut self) -> Now {
        let time = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        let reckoned = self.epoch_ns.saturating_add(time);
        if wall.abs_diff(reckoned) > TOLERANCE_NS {
            self.epoch_ns = wall.saturating_sub(time);
        }
        Now { time: SimTime(time), wall: WallTime(self.epoch_ns.saturating_add(time)) }
    }
}
