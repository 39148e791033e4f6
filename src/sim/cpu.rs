//! A host's processor: service times per kind of work, and bounded queues.
//!
//! This is what makes a registration storm hurt. Name changes (registrations, refreshes, releases) and
//! queries wait in queues of their own and are served in turn, because WINS has query threads beside its
//! one name-change thread (Q135922 NoOfWrkThds); replication shares the processor with both. What finds
//! its queue full is dropped silently, as WINS does above 25,000 waiting registrations (Q154410), and the
//! client's retry comes 1.5 s later.

use crate::base::SimDuration;
use std::collections::VecDeque;

/// What a piece of work is, as far as its cost goes.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Work {
    /// Registration or refresh.
    Registration,
    /// Release, challenge answer and whatever else changes names.
    Release,
    /// Name query or node status.
    Query,
    /// A piece of a replication stream.
    Replication,
}

/// Service times and limits.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct CpuConfig {
    /// Processor time of a registration or refresh.
    pub registration: SimDuration,
    /// Processor time of a release.
    pub release: SimDuration,
    /// Processor time of a query.
    pub query: SimDuration,
    /// Processor time of one replicated record.
    pub replication: SimDuration,
    /// Most name changes waiting; the next is dropped.
    pub name_changes_max: usize,
    /// Most queries waiting; the next is dropped.
    pub queries_max: usize,
}

#[derive(Clone, Debug)]
struct Job<T> {
    work: Work,
    cost: SimDuration,
    item: T,
}

/// The processor and its queues. `T` is whatever waits.
#[derive(Clone, Debug)]
pub struct Cpu<T> {
    config: CpuConfig,
    queues: [VecDeque<Job<T>>; 3],
    next_queue: usize,
    busy: Option<Job<T>>,
    /// Work that found its queue full, by kind.
    pub dropped: [u64; 4],
    /// The longest each queue has been.
    pub longest: [usize; 3],
}

/// Queue of name changes in [`Cpu::longest`].
pub const NAME_CHANGES: usize = 0;
/// Queue of queries in [`Cpu::longest`].
pub const QUERIES: usize = 1;
/// Queue of replication segments in [`Cpu::longest`].
pub const REPLICATION: usize = 2;

/// Replication segments are limited by TCP's window, so this bound is never met by a sane peer.
const REPLICATION_MAX: usize = 65_536;

/// Bytes of a unique record in a replication message (MS-WINSRA 2.2.10).
const RECORD_BYTES: u64 = 48;

impl CpuConfig {
    /// The cost of one piece of work; `bytes` matters for replication, record by record.
    pub fn cost(&self, work: Work, bytes: usize) -> SimDuration {
        match work {
            Work::Registration => self.registration,
            Work::Release => self.release,
            Work::Query => self.query,
            Work::Replication => self.replication * (bytes as u64).div_ceil(RECORD_BYTES),
        }
    }

    fn limit(&self, queue: usize) -> usize {
        match queue {
            NAME_CHANGES => self.name_changes_max,
            QUERIES => self.queries_max,
            _ => REPLICATION_MAX,
        }
    }
}

impl<T> Cpu<T> {
    /// An idle processor.
    pub fn new(config: CpuConfig) -> Cpu<T> {
        Cpu {
            config,
            queues: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            next_queue: 0,
            busy: None,
            dropped: [0; 4],
            longest: [0; 3],
        }
    }

    /// Hands work on `bytes` bytes in. Gives it back if its queue is full.
    pub fn submit(&mut self, work: Work, bytes: usize, item: T) -> Result<(), T> {
        let queue = queue_of(work);
        let cost = self.config.cost(work, bytes);
        if self.queues[queue].len() >= self.config.limit(queue) {
            self.dropped[work as usize] += 1;
            return Err(item);
        }
        self.queues[queue].push_back(Job { work, cost, item });
        self.longest[queue] = self.longest[queue].max(self.queues[queue].len());
        Ok(())
    }

    /// If idle and something waits: starts it and tells how long it will take.
    pub fn start(&mut self) -> Option<SimDuration> {
        if self.busy.is_some() {
            return None;
        }
        for turn in 0..self.queues.len() {
            let queue = (self.next_queue + turn) % self.queues.len();
            if let Some(job) = self.queues[queue].pop_front() {
                self.next_queue = (queue + 1) % self.queues.len();
                let cost = job.cost;
                self.busy = Some(job);
                return Some(cost);
            }
        }
        None
    }

    /// The work begun by `start` is done: here it is.
    pub fn finish(&mut self) -> Option<(Work, T)> {
        self.busy.take().map(|job| (job.work, job.item))
    }

    /// Whether work is in hand.
    pub fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// How many items wait in a queue.
    pub fn waiting(&self, queue: usize) -> usize {
        self.queues[queue].len()
    }

    /// Takes everything out that waits or runs, as a crash does.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        let busy = self.busy.take();
        let waiting = self.queues.iter_mut().flat_map(|q| q.drain(..));
        busy.into_iter().chain(waiting).map(|job| job.item)
    }
}

fn queue_of(work: Work) -> usize {
    match work {
        Work::Registration | Work::Release => NAME_CHANGES,
        Work::Query => QUERIES,
        Work::Replication => REPLICATION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu() -> Cpu<u32> {
        Cpu::new(CpuConfig {
            registration: SimDuration::from_millis(40),
            release: SimDuration::from_millis(20),
            query: SimDuration::from_millis(2),
            replication: SimDuration::from_millis(1),
            name_changes_max: 2,
            queries_max: 2,
        })
    }

    #[test]
    fn queues_are_served_in_turn_and_bounded() {
        let mut cpu = cpu();
        assert_eq!(cpu.submit(Work::Registration, 68, 1), Ok(()));
        assert_eq!(cpu.submit(Work::Registration, 68, 2), Ok(()));
        assert_eq!(cpu.submit(Work::Registration, 68, 3), Err(3), "the third finds the queue full");
        assert_eq!(cpu.submit(Work::Query, 68, 4), Ok(()));
        assert_eq!(cpu.dropped, [1, 0, 0, 0]);
        let mut order = Vec::new();
        while let Some(cost) = cpu.start() {
            assert_eq!(cpu.start(), None, "one thing at a time");
            order.push((cpu.finish().unwrap(), cost.0 / 1_000_000));
        }
        assert_eq!(
            order,
            [((Work::Registration, 1), 40), ((Work::Query, 4), 2), ((Work::Registration, 2), 40),]
        );
    }

    #[test]
    fn a_crash_empties_everything() {
        let mut cpu = cpu();
        cpu.submit(Work::Query, 68, 1).unwrap();
        cpu.submit(Work::Release, 68, 2).unwrap();
        cpu.start();
        assert_eq!(cpu.drain().collect::<Vec<_>>(), [2, 1]);
        assert_eq!(cpu.start(), None);
    }
}
