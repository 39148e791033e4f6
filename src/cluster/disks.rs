//! The cluster disk driver: takes disks, keeps them by renewal, gives them back.

use super::ids::DiskId;
use super::io::{ScsiResult, Ticket};
use super::step::Step;
use crate::base::SimTime;

/// The cluster disk driver of a node.
#[derive(Debug, Default)]
pub(super) struct DiskDriver {}

impl DiskDriver {
    /// Whether this node holds a disk, mounted.
    pub fn is_mounted(&self, disk: DiskId) -> bool {
        let _ = disk;
        false
    }

    /// Reserves and mounts a disk; one that is reserved already is only mounted. Ends in `DiskOnline`.
    pub fn take(&mut self, disk: DiskId, skip: bool, conditional: bool, step: &mut Step<'_>) {
        let _ = (disk, skip, conditional, step);
    }

    /// Gives a disk back; ends in `DiskOffline`.
    pub fn give(&mut self, disk: DiskId, orderly: bool, step: &mut Step<'_>) {
        let _ = (disk, orderly, step);
    }

    /// A command of its own has ended.
    pub fn scsi(&mut self, ticket: Ticket, result: ScsiResult, step: &mut Step<'_>) {
        let _ = (ticket, result, step);
    }

    /// Gives up everything at once.
    pub fn halt(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        None
    }
}
