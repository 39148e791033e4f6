//! What is observed and judged.

mod result;

pub use result::{
    ExpectationResult, FaultSpan, Histogram, Measure, NotableEvent, RunResult, Series, Verdict,
};
