//! Challenges: asking the holder of a name whether it still holds it.

use std::net::Ipv4Addr;

/// How a challenge ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChallengeOutcome {
    /// Nobody answered, or a holder answered that it does not hold the name.
    Free,
    /// A holder answered that it holds the name.
    Held {
        /// Which of the stored addresses answered.
        by: Ipv4Addr,
        /// The addresses in its answer.
        addresses: Vec<Ipv4Addr>,
    },
    /// The stored record changed its version or owner meanwhile: nothing may be written.
    Changed,
}
