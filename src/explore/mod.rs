//! Running scenarios: a plan becomes a world with its faults, workloads and operators as actors; what
//! happens is measured and judged; one seed runs once, or twice to prove that it is reproducible.

mod build;
mod director;
mod faults;
mod judge;
mod run;
mod signal;
mod steps;
mod watch;
mod workload;

pub use build::BuildError;
pub use run::{RunOptions, TraceLine, first_difference, kind_of, run};
