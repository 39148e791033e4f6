//! Burst handling (Q154410, Q184693): what happens to a registration that finds many others waiting.
//!
//! The queue belongs to the world. Before it queues a registration or refresh it asks the gate, which counts
//! what is answered early, because the ladder of short TTLs climbs with every request past the threshold,
//! whether or not it stays queued. Burst mode ends when the queue is below the threshold again.

use super::profile::WinsProfile;

/// What to do with a registration or refresh that has just come.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Queue it.
    Queue,
    /// Give it to the server at once as an overflow with this number.
    Early {
        /// For [`super::WinsInput::Overflow`]: requests before it, early answers counted.
        queued: u32,
        /// Queue it as well: it is entered when its turn comes, and its second answer finds nobody
        /// waiting.
        keep: bool,
    },
    /// Let it fall.
    Drop,
}

/// Counts the requests past the threshold.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct BurstGate {
    early: u32,
}

impl BurstGate {
    /// A gate in a quiet time.
    pub const fn new() -> BurstGate {
        BurstGate { early: 0 }
    }

    /// Whether burst mode is on.
    pub const fn is_burst(&self) -> bool {
        self.early > 0
    }

    /// A registration or refresh came while `waiting` others wait.
    pub fn admit(&mut self, profile: &WinsProfile, waiting: u32) -> Admission {
        let limit = profile.registration_queue_max;
        if !profile.burst_handling {
            return if waiting >= limit { Admission::Drop } else { Admission::Queue };
        }
        // Before 4.0 SP4 there is no ladder: only what the queue cannot hold is answered.
        let threshold =
            if profile.burst_answers_in_full { limit } else { profile.burst_queue_size.min(limit) };
        if waiting < threshold {
            self.early = 0;
            return Admission::Queue;
        }
        // Requests that stay queued are counted by the queue itself.
        let keep = profile.burst_enters_later && !profile.burst_answers_in_full;
        let queued = if keep { waiting } else { waiting.saturating_add(self.early) };
        if queued >= limit && !profile.burst_answers_in_full {
            return Admission::Drop;
        }
        self.early = self.early.saturating_add(1);
        Admission::Early { queued, keep }
    }
}

/// The TTL of an early answer to a request that finds `queued` before it, seconds; `None`: no early answer.
pub(super) fn early_ttl(profile: &WinsProfile, queued: u32) -> Option<u32> {
    if !profile.burst_handling {
        return None;
    }
    let limit = profile.registration_queue_max;
    if profile.burst_answers_in_full {
        let full = profile.renewal_interval.secs().min(u64::from(u32::MAX)) as u32;
        return (queued >= limit).then_some(full);
    }
    if queued >= limit || queued < profile.burst_queue_size {
        return None;
    }
    let past = queued - profile.burst_queue_size;
    let rung = (past / profile.burst_rung.max(1)) % profile.burst_rungs.max(1);
    Some(profile.burst_ttl_step.saturating_mul(rung + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wins::WinsVersion;

    fn nt40(pack: u8) -> WinsProfile {
        WinsProfile::new(WinsVersion::Nt40, pack)
    }

    // rule: burst/ladder/*
    #[test]
    fn the_ladder_climbs_with_each_request_past_the_threshold_and_repeats() {
        let profile = nt40(6);
        let mut gate = BurstGate::new();
        assert_eq!(gate.admit(&profile, 499), Admission::Queue);
        // The queue stays at 500: what is answered early is not queued.
        let mut ttls = Vec::new();
        for n in 1..=24_500 {
            let Admission::Early { queued, keep: false } = gate.admit(&profile, 500) else {
                panic!("request {n}");
            };
            ttls.push(early_ttl(&profile, queued).unwrap());
        }
        let at = |n: usize| ttls[n - 1];
        assert_eq!([at(1), at(100), at(101), at(200), at(201)], [300, 300, 600, 600, 900]);
        assert_eq!([at(901), at(1000), at(1001), at(1100)], [3000, 3000, 300, 300]);
        for n in 1..=24_500 {
            assert_eq!(at(n), 300 * (((n as u32 - 1) / 100) % 10 + 1), "request {n}");
        }
        assert_eq!(gate.admit(&profile, 500), Admission::Drop, "25,000 are queued");
    }

    // rule: burst/end
    #[test]
    fn burst_mode_ends_when_the_queue_is_below_the_threshold() {
        let (profile, mut gate) = (nt40(6), BurstGate::new());
        for _ in 0..150 {
            gate.admit(&profile, 500);
        }
        assert!(gate.is_burst());
        assert_eq!(gate.admit(&profile, 499), Admission::Queue);
        assert!(!gate.is_burst());
        assert_eq!(gate.admit(&profile, 500), Admission::Early { queued: 500, keep: false });
    }

    // rule: burst/switch, burst/limit, burst/above-limit-dropped, burst/above-limit-in-full
    #[test]
    fn what_exceeds_the_queue_falls_or_is_answered_in_full_by_version() {
        assert!(!nt40(3).burst_handling && nt40(4).burst_handling);
        assert!(WinsProfile::new(WinsVersion::W2k, 0).burst_handling);
        let mut gate = BurstGate::new();
        let off = WinsProfile { burst_handling: false, ..nt40(6) };
        for profile in [nt40(3), off] {
            assert_eq!(gate.admit(&profile, 24_999), Admission::Queue);
            assert_eq!(gate.admit(&profile, 25_000), Admission::Drop);
        }
        // The hotfix before SP4: a full success, not stored.
        let early = WinsProfile { burst_handling: true, ..nt40(3) };
        assert_eq!(gate.admit(&early, 24_999), Admission::Queue);
        let Admission::Early { queued, keep: false } = gate.admit(&early, 25_000) else {
            panic!("no answer");
        };
        assert_eq!(early_ttl(&early, queued), Some(144 * 3600));
    }

    // rule: burst/queue-size, burst/settings
    #[test]
    fn the_threshold_can_be_set_from_50_to_5000() {
        for size in [50, 500, 5000] {
            let profile = WinsProfile { burst_queue_size: size, ..nt40(6) };
            assert_eq!(profile.validate(), Ok(()));
            let mut gate = BurstGate::new();
            assert_eq!(gate.admit(&profile, size - 1), Admission::Queue);
            assert_eq!(gate.admit(&profile, size), Admission::Early { queued: size, keep: false });
        }
        for size in [49, 5001] {
            let profile = WinsProfile { burst_queue_size: size, ..nt40(6) };
            assert!(profile.validate().is_err());
        }
        assert_eq!(nt40(6).burst_queue_size, 500);
    }

    // rule: burst/no-conflict-check
    #[test]
    fn an_early_answered_request_stays_queued_if_the_switch_says_so() {
        let profile = WinsProfile { burst_enters_later: true, ..nt40(6) };
        let mut gate = BurstGate::new();
        assert_eq!(gate.admit(&profile, 500), Admission::Early { queued: 500, keep: true });
        assert_eq!(gate.admit(&profile, 501), Admission::Early { queued: 501, keep: true });
        assert_eq!(gate.admit(&profile, 25_000), Admission::Drop);
    }
}
