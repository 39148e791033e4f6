//! What a disk needs to be shared: leases, and what a bus does to it.
//!
//! A [`DiskLease`] is the right of one node to use a disk that stands on a shared bus while that node has it
//! mounted. Files opened under it answer like those of a host's own disk until the lease ends; from then on
//! every call through them fails, whoever holds the disk now.

use super::{Change, Disk, DiskFile, State};
use crate::base::{SimDuration, SimTime};
use std::io;

/// A node's right to a shared disk. Clones share it.
#[derive(Clone, Debug)]
pub struct DiskLease {
    disk: Disk,
    number: u32,
}

impl DiskLease {
    /// Opens a file under this lease, creating it empty if there is none of that name. Calls through it fail
    /// when the lease has ended.
    pub fn open(&self, name: &str) -> DiskFile {
        let mut file = self.disk.open(name);
        file.lease = Some(self.number);
        file
    }

    /// Whether a file of that name exists and is not empty. No file exists for a lease that has ended.
    pub fn exists(&self, name: &str) -> bool {
        self.is_valid() && self.disk.exists(name)
    }

    /// As [`Disk::submit`]; `None` also when the lease has ended.
    pub fn submit(&self, now: SimTime) -> Option<SimTime> {
        if self.is_valid() { self.disk.submit(now) } else { None }
    }

    /// As [`Disk::settle`].
    pub fn settle(&self, now: SimTime) {
        self.disk.settle(now);
    }

    /// Whether calls may succeed: neither has the program given it up, nor the node lost the disk.
    pub fn is_valid(&self) -> bool {
        self.disk.state().leases.0.contains(&self.number)
    }

    /// The program that held it has stopped: its files are closed, what it wrote stays.
    pub fn give_up(&self) {
        self.disk.state().leases.0.retain(|&lease| lease != self.number);
    }
}

/// For the shared bus.
impl Disk {
    /// A new lease.
    pub(in crate::sim) fn lease(&self) -> DiskLease {
        let mut state = self.state();
        state.leases.1 += 1;
        let number = state.leases.1;
        state.leases.0.push(number);
        DiskLease { disk: self.clone(), number }
    }

    /// Ends every lease. What programs wrote and never handed to the device is gone: returns how many bytes
    /// that were.
    pub(in crate::sim) fn end_leases(&self) -> usize {
        let mut state = self.state();
        state.leases.0.clear();
        state.drop_unsubmitted()
    }

    /// Calls under leases fail from now on (or no longer): the bus does not answer.
    pub(in crate::sim) fn set_unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// The device begins nothing before `until`: its bus is being reset.
    pub(in crate::sim) fn stall(&self, until: SimTime) {
        let mut state = self.state();
        state.busy_until = state.busy_until.max(until);
    }

    /// When the device will have done everything it was given.
    pub(in crate::sim) fn busy_until(&self) -> SimTime {
        self.state().busy_until
    }

    /// The device is busy for so long from `now`, or from when it is done. Returns until when.
    pub(in crate::sim) fn occupy(&self, now: SimTime, time: SimDuration) -> SimTime {
        let mut state = self.state();
        state.busy_until = state.busy_until.max(now) + time * state.slow_factor;
        state.busy_until
    }

    /// The names of all files that are not empty and begin with `prefix`, in order.
    pub(in crate::sim) fn names(&self, prefix: &str) -> Vec<String> {
        let state = self.state();
        let from = state.names.range(prefix.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(prefix))
            .filter(|&(_, &file)| state.files[file].len > 0)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The length of a file, zero if there is none.
    pub(in crate::sim) fn len_of(&self, name: &str) -> u64 {
        let state = self.state();
        state.names.get(name).map_or(0, |&file| state.files[file].len)
    }

    /// Whether the files may grow by so much.
    pub(in crate::sim) fn has_room(&self, bytes: u64) -> bool {
        let state = self.state();
        let used: u64 = state.files.iter().map(|image| image.len).sum();
        bytes == 0 || (!state.full && used + bytes <= state.params.capacity)
    }

    /// The bytes as they lie on the platter and in its queue, without the cost of reading; empty if there is
    /// no such file.
    pub(in crate::sim) fn look(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        let Some(&file) = state.names.get(name) else { return Vec::new() };
        let mut bytes = vec![0; state.files[file].len as usize];
        state.files[file].read(0, &mut bytes);
        bytes
    }

    /// Bytes that come to lie on the platter at once, past every queue and journal: a write that nobody
    /// expected.
    pub(in crate::sim) fn strike(&self, name: &str, offset: u64, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.file(name);
        let image = &mut state.files[file];
        let end = offset + bytes.len() as u64;
        if end > image.len {
            image.set_len(end);
        }
        image.write(offset, bytes);
    }

    /// The bytes every file together may reach.
    pub(in crate::sim) fn capacity(&self) -> u64 {
        self.state().params.capacity
    }
}

impl State {
    /// Whether a handle opened under this lease may be used.
    pub(super) fn leased(&mut self, lease: Option<u32>) -> io::Result<()> {
        let Some(lease) = lease else { return Ok(()) };
        if !self.leases.0.contains(&lease) {
            return self.refuse(io::ErrorKind::BrokenPipe, "the node has lost the shared disk");
        }
        if self.unreachable {
            return self.refuse(io::ErrorKind::Other, "the bus of the shared disk does not answer");
        }
        Ok(())
    }

    fn drop_unsubmitted(&mut self) -> usize {
        let mut dropped = 0;
        while let Some(mut op) = self.journal.pop_back_if(|op| op.times.is_none()) {
            op.undo(&mut self.files);
            if let Change::Write { new, .. } | Change::Replace { new, .. } = &op.change {
                dropped += new.len();
            }
        }
        dropped
    }
}
