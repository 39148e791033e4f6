//! What clients do all day: gaps and arrivals, each host from a stream of its own.

use crate::base::{SimDuration, Stream};
use crate::scenario::{ArrivalLaw, GapLaw};

/// When within a stretch of time a host arrives.
pub(super) fn arrival(law: ArrivalLaw, within: SimDuration, stream: &mut Stream) -> SimDuration {
    let evenly =
        |stream: &mut Stream, length: SimDuration| stream.duration(SimDuration::ZERO, length);
    match law {
        ArrivalLaw::Uniform => evenly(stream, within),
        ArrivalLaw::Exponential => stream.exponential(within / 3).min(within),
        ArrivalLaw::BurstFront => match stream.below(2) {
            0 => evenly(stream, within / 10),
            _ => within / 10 + evenly(stream, within - within / 10),
        },
    }
}

/// The time to a host's next action.
pub(super) fn gap(law: GapLaw, mean: SimDuration, stream: &mut Stream) -> SimDuration {
    match law {
        GapLaw::Exponential => stream.exponential(mean),
        GapLaw::Uniform => stream.duration(SimDuration::ZERO, mean * 2),
        GapLaw::Fixed => mean,
    }
}

/// The time to a host's first action: as if it had been at it for ever.
pub(super) fn first_gap(law: GapLaw, mean: SimDuration, stream: &mut Stream) -> SimDuration {
    match law {
        GapLaw::Fixed => stream.duration(SimDuration::ZERO, mean),
        law => gap(law, mean, stream),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Streams;

    #[test]
    fn arrivals_stay_within_and_follow_their_law() {
        let mut s = Streams::new(1).stream("arrivals");
        let within = SimDuration::from_secs(30);
        for law in [ArrivalLaw::Uniform, ArrivalLaw::Exponential, ArrivalLaw::BurstFront] {
            let drawn: Vec<SimDuration> = (0..4000).map(|_| arrival(law, within, &mut s)).collect();
            assert!(drawn.iter().all(|&d| d <= within), "{law:?}");
            let early = drawn.iter().filter(|&&d| d <= within / 10).count();
            let expected = match law {
                ArrivalLaw::Uniform => 300..500,
                ArrivalLaw::Exponential => 900..1200, // 1 - e^-0.3 of 4000
                ArrivalLaw::BurstFront => 1850..2150,
            };
            assert!(expected.contains(&early), "{law:?}: {early} of 4000 in the first tenth");
        }
    }
}
