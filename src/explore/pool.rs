//! The threads of a sweep: the one place below the command line that has any.
//!
//! Each job runs on one thread, as if it were alone: jobs share nothing but the counter that hands them
//! out. What comes out is handed to the caller in the order of the jobs, whichever ends first, so nothing a
//! sweep says depends on how many threads it had.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

/// How many threads this machine runs at a time; one if it does not say.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// Works through jobs `0..count` on `threads` threads.
///
/// `work` gives a job's outcome, or `None` to stop: no job begins after that. `take` gets the outcomes in the
/// order of the jobs; those that came after a gap, when it was stopped, in their order at the end. A panic
/// in `work` is an outcome too: the message as an error.
pub fn in_order<T: Send>(
    threads: usize,
    count: u64,
    work: impl Fn(u64) -> Option<T> + Sync,
    mut take: impl FnMut(u64, Result<T, String>),
) {
    let next = AtomicU64::new(0);
    let (sender, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let sender = sender.clone();
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= count {
                        break;
                    }
                    // Nothing of a run outlives it, so nothing half-changed is seen after a panic.
                    let outcome = match catch_unwind(AssertUnwindSafe(|| work(job))) {
                        Ok(Some(outcome)) => Ok(outcome),
                        Ok(None) => {
                            next.store(count, Ordering::Relaxed);
                            break;
                        }
                        Err(panic) => Err(message(panic.as_ref())),
                    };
                    if sender.send((job, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut expected = 0;
        for (job, outcome) in outcomes {
            waiting.insert(job, outcome);
            while let Some(outcome) = waiting.remove(&expected) {
                take(expected, outcome);
                expected += 1;
            }
        }
        waiting.into_iter().for_each(|(job, outcome)| take(job, outcome));
    });
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_in_the_order_of_the_jobs_however_many_threads() {
        let run = |threads| {
            let mut seen = Vec::new();
            // Early jobs take longest.
            let work = |job: u64| Some((0..(200 - job) * 500).fold(job, |a, b| a ^ b));
            in_order(threads, 200, work, |job, outcome| seen.push((job, outcome.unwrap())));
            seen
        };
        let one = run(1);
        assert!(one.iter().map(|(job, _)| *job).eq(0..200));
        assert_eq!(one, run(2));
        assert_eq!(one, run(7));
    }

    #[test]
    fn a_stop_keeps_what_is_done_and_a_panic_is_an_outcome() {
        let mut seen = Vec::new();
        in_order(2, 1000, |job| (job < 50).then_some(job), |job, _| seen.push(job));
        assert!(seen.iter().copied().eq(0..50), "{seen:?}");
        let mut failed = Vec::new();
        let work = |job| {
            assert!(job != 3, "job {job} is wrong");
            Some(job)
        };
        in_order(2, 5, work, |job, outcome| {
            if let Err(message) = outcome {
                failed.push((job, message));
            }
        });
        assert_eq!(failed, [(3, "job 3 is wrong".to_string())]);
    }
}
