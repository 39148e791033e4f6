//! Running scenarios: a plan becomes a world with its faults, workloads and operators as actors; what
//! happens is measured and judged; one seed runs once, or twice to prove that it is reproducible; a sweep
//! runs many, on as many threads as wanted.

mod build;
mod build_cluster;
mod cluster_faults;
mod cluster_judge;
mod cluster_steps;
mod cluster_watch;
mod director;
mod faults;
mod invariants;
mod judge;
mod look;
mod oracles;
mod pool;
mod run;
mod signal;
mod steps;
mod sweep;
mod watch;
mod watched;
mod workload;

pub use build::BuildError;
pub use pool::threads;
pub use run::{RunOptions, TraceLine, first_difference, kind_of, run};
pub use sweep::{SweepError, SweepOptions, sweep};
