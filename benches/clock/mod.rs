//! The time that benchmarks measure, and the middle of what they measured.

#![allow(dead_code, reason = "each benchmark uses its part")]

use std::sync::OnceLock;
use std::time::Instant;

/// Nanoseconds this thread has run on a processor, where the system tells; wall time elsewhere.
pub fn nanos() -> u64 {
    // The system's account is brought up to date when the thread offers its place.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = text.and_then(|text| text.split(' ').next()?.parse().ok());
    told.unwrap_or_else(|| {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    })
}

/// The same in seconds.
pub fn seconds() -> f64 {
    nanos() as f64 / 1e9
}

/// The value in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
