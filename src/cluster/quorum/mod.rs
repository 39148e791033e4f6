//! The quorum: arbitration, the quorum log and its checkpoints, replay by the node that forms, and files of
//! the quorum resource wherever it is mounted.

mod arbitration;
mod log;

use super::database::Database;
use super::disks::DiskDriver;
use super::ids::{DiskId, NodeId, NodeSet};
use super::io::{FileResult, ScsiResult, StartSwitches, Ticket};
use super::step::{QuorumFileOperation, Step};
use super::update::DbChange;
use crate::base::SimTime;

/// The quorum as one node deals with it.
#[derive(Debug, Default)]
pub(super) struct Quorum {}

impl Quorum {
    /// The service starts with these switches.
    pub fn start(&mut self, switches: StartSwitches) {
        let _ = switches;
    }

    /// Challenges or defends; ends in `Arbitrated`. `members` are the nodes of this partition.
    pub fn arbitrate(&mut self, members: NodeSet, disks: &mut DiskDriver, step: &mut Step<'_>) {
        let _ = (members, disks, step);
    }

    /// This node has won while forming: mounts the quorum, replays its log over `database`. Ends in
    /// `DatabaseReady` or `CannotForm`.
    pub fn form(&mut self, database: &Database, disks: &mut DiskDriver, step: &mut Step<'_>) {
        let _ = (database, disks, step);
    }

    /// The node that holds the quorum resource, as far as this one knows.
    pub fn owner(&self) -> Option<NodeId> {
        None
    }

    /// Another node holds it from now on, or this one.
    pub fn set_owner(&mut self, owner: Option<NodeId>, step: &mut Step<'_>) {
        let _ = (owner, step);
    }

    /// A disk has gone online on this node; if it is the quorum, its log is opened.
    pub fn disk_online(&mut self, disk: DiskId, database: &Database, step: &mut Step<'_>) {
        let _ = (disk, database, step);
    }

    /// Which nodes are up decides whether changes are logged (Q217147).
    pub fn members_changed(&mut self, members: NodeSet, database: &Database, step: &mut Step<'_>) {
        let _ = (members, database, step);
    }

    /// Puts a change into the log if this node holds the quorum and logging is on; ends in `Logged`.
    pub fn log(
        &mut self,
        sequence: u64,
        changes: &[DbChange],
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let _ = (sequence, changes, database, step);
    }

    /// Does something with a file of the quorum resource, through its owner if that is another node.
    pub fn file_request(
        &mut self,
        ticket: Ticket,
        path: String,
        operation: QuorumFileOperation,
        step: &mut Step<'_>,
    ) {
        let _ = (ticket, path, operation, step);
    }

    /// A message of another node about files of the quorum resource.
    pub fn rpc(&mut self, from: NodeId, body: &[u8], step: &mut Step<'_>) {
        let _ = (from, body, step);
    }

    /// The service stops: a last checkpoint, the files closed; ends in `QuorumClosed`.
    pub fn close(&mut self, database: &Database, step: &mut Step<'_>) {
        let _ = (database, step);
    }

    /// A SCSI command of its own has ended.
    pub fn scsi(
        &mut self,
        ticket: Ticket,
        result: ScsiResult,
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        let _ = (ticket, result, disks, step);
    }

    /// A file operation of its own has ended.
    pub fn file(
        &mut self,
        ticket: Ticket,
        result: FileResult<'_>,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let _ = (ticket, result, database, step);
    }

    /// Acts on what is due.
    pub fn on_deadline(
        &mut self,
        database: &Database,
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        let _ = (database, disks, step);
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        None
    }
}
