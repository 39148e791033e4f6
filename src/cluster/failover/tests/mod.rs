//! The failover manager in a laboratory that plays the other parts, on time, late or never.

mod asking;
mod failures;
mod lab;
mod moves;
mod races;
mod random;
mod setup;
mod stopping;
