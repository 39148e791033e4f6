//! What is observed and judged. Nothing here can influence a run: the world tells, this module listens.

pub mod convergence;
pub mod distribution;
pub mod failures;
pub mod lookups;
pub mod losses;
mod result;
pub mod sweep;

pub use result::{
    ExpectationResult, FaultSpan, Histogram, Measure, NotableEvent, RunResult, Series, Verdict,
};
