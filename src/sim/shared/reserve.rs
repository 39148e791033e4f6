//! Reservations: reserve, release, reset, and the renewals that a driver sends by itself (KB 309186).
//!
//! A reservation is kept by the disk, not by the node: it outlives its holder's crash, and ends by a release
//! of the holder, by a reset from anybody, or when the disk loses its power. Commands take effect in the
//! order in which they are called.

use super::{
    Answer, BusHappening, Initiator, NodeLife, ResetScope, ScsiError, SharedBus, Signature,
};
use crate::base::SimTime;

impl SharedBus {
    /// Takes or renews a reservation. A refusal also ends the node's use of the volume: see [`FileError`].
    ///
    /// [`FileError`]: super::FileError::Lost
    pub fn reserve(&mut self, node: Initiator, disk: Signature, now: SimTime) -> Answer<()> {
        self.on_deadline(now);
        let result = self.reach(node, disk);
        if let Ok(_) | Err(ScsiError::Failed) = result {
            self.count(node).reserves += 1;
        }
        let result = result.and_then(|i| self.claim(i, node, now));
        if let (Err(why), Some(i)) = (result, self.index(disk)) {
            self.refused(i, node, why, now);
        }
        self.answer(result, now)
    }

    /// Gives a reservation up, and stops renewing it. Nothing if another holds the disk, or nobody (SCSI-2
    /// 9.2.12: that is no error).
    pub fn release(&mut self, node: Initiator, disk: Signature, now: SimTime) -> Answer<()> {
        self.on_deadline(now);
        if let Some(i) = self.index(disk) {
            let slot = self.slot(i, node);
            (slot.keeping, slot.due) = (None, None);
        }
        let result = self.reach(node, disk).map(|i| {
            let disk = &mut self.disks[i];
            disk.reserved_by = disk.reserved_by.filter(|&holder| holder != node);
        });
        self.answer(result, now)
    }

    /// Resets the bus, or one disk: every reservation there is gone, whoever held it, and nothing is
    /// answered until the answer to this.
    pub fn reset(&mut self, node: Initiator, scope: ResetScope, now: SimTime) -> Answer<()> {
        self.on_deadline(now);
        let targets = match scope {
            ResetScope::Bus => self.on_bus(node).map(|()| 0..self.disks.len()),
            // A failed disk does not mind.
            ResetScope::Target(disk) => match (self.reach(node, disk), self.index(disk)) {
                (Ok(_) | Err(ScsiError::Failed), Some(i)) => Ok(i..i + 1),
                (Err(why), _) => Err(why),
                (Ok(_), None) => Err(ScsiError::NoSuchDisk),
            },
        };
        let targets = match targets {
            Ok(targets) => targets,
            Err(why) => return self.answer(Err(why), now),
        };
        let time = self.params.reset + self.params.reset_per_disk * targets.len() as u64;
        let until = self.busy_until.max(now) + time;
        if scope == ResetScope::Bus {
            self.busy_until = until;
        }
        let mut dropped = 0;
        for i in targets {
            dropped += u32::from(self.disks[i].reserved_by.take().is_some());
            self.disks[i].platter.stall(until);
            self.disturb(i, now);
        }
        self.count(node).resets += 1;
        let disk = match scope {
            ResetScope::Bus => None,
            ResetScope::Target(disk) => self.index(disk),
        };
        self.tell(now, disk, BusHappening::Reset { by: node, dropped });
        Answer { at: until, result: Ok(()) }
    }

    /// Whether the node may use the disk now: "test unit ready", or a look at its partitions.
    pub fn test(&mut self, node: Initiator, disk: Signature, now: SimTime) -> Answer<()> {
        self.on_deadline(now);
        let result = self.reach(node, disk).and_then(|i| self.permit(i, node));
        self.answer(result, now)
    }

    /// Tells the node's driver to renew its reservation from now on every [`BusParams::renewal`], as long as
    /// the node runs, until [`SharedBus::release`]. When a renewal is refused the driver stops, and tells it
    /// by [`BusHappening::ReservationLost`].
    ///
    /// The same as calling [`SharedBus::reserve`] at those times, except that renewals which cannot change
    /// anything cost nothing.
    ///
    /// [`BusParams::renewal`]: super::BusParams::renewal
    ///
    /// # Errors
    /// The node cannot reach the disk, or another holds it.
    pub fn keep(
        &mut self,
        node: Initiator,
        disk: Signature,
        now: SimTime,
    ) -> Result<(), ScsiError> {
        self.on_deadline(now);
        let i = self.reach(node, disk)?;
        self.permit(i, node)?;
        let slot = self.slot(i, node);
        (slot.keeping, slot.due) = (Some(now), None);
        self.disturb(i, now);
        Ok(())
    }

    /// The disks a node sees, by place.
    pub fn visible(&self, node: Initiator) -> Vec<Signature> {
        self.signatures().filter(|&disk| self.sees(node, disk).is_ok()).collect()
    }

    /// Who holds the disk.
    pub fn holder(&self, disk: Signature) -> Option<Initiator> {
        self.index(disk).and_then(|i| self.disks[i].reserved_by)
    }

    /// Whether the node could use the disk if nobody else held it.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn sees(&self, node: Initiator, disk: Signature) -> Result<(), ScsiError> {
        self.reach(node, disk).map(|_| ())
    }

    /// The disk's index, if the node reaches it.
    pub(super) fn reach(&self, node: Initiator, disk: Signature) -> Result<usize, ScsiError> {
        self.on_bus(node)?;
        let i = self.index(disk).ok_or(ScsiError::NoSuchDisk)?;
        let bound = self.params.quirks.disks_max.unwrap_or(usize::MAX);
        let state = &self.disks[i];
        if !state.cable || i >= bound || state.slots[usize::from(node.0)].lost {
            return Err(ScsiError::NoSuchDisk);
        }
        if state.failed { Err(ScsiError::Failed) } else { Ok(i) }
    }

    /// Whether the node runs and its bus works.
    pub(super) fn on_bus(&self, node: Initiator) -> Result<(), ScsiError> {
        let ended = |node: &super::Node| !node.terminates || (node.powered && node.cable);
        let state = &self.nodes[usize::from(node.0)];
        if state.life == NodeLife::Down {
            return Err(ScsiError::NodeDown);
        }
        let works = state.cable && !self.unterminated && self.nodes.iter().all(ended);
        if works { Ok(()) } else { Err(ScsiError::BusDown) }
    }

    /// Whether the disk answers this node's commands; conflicts are counted.
    pub(super) fn permit(&mut self, i: usize, node: Initiator) -> Result<(), ScsiError> {
        let disk = &self.disks[i];
        if disk.reserved_by.is_none_or(|holder| holder == node) {
            return Ok(());
        }
        self.count(node).conflicts += 1;
        Err(ScsiError::Conflict)
    }

    /// Whether the node has the volume mounted, but another has mounted it since.
    pub(super) fn is_stale(&self, i: usize, node: Initiator) -> bool {
        let disk = &self.disks[i];
        disk.slots[usize::from(node.0)].mount.is_some() && disk.last_mounter != Some(node)
    }

    /// Whether the disk lets the node in, and the node's driver, which learns of each reset with its next
    /// command and then looks whose mount is the last, goes on with what it has mounted.
    pub(super) fn admit(&mut self, i: usize, node: Initiator) -> Result<(), ScsiError> {
        let signature = self.disks[i].signature;
        self.reach(node, signature).and_then(|i| self.permit(i, node))?;
        self.verify(i, node)
    }

    fn verify(&self, i: usize, node: Initiator) -> Result<(), ScsiError> {
        let quirks = &self.params.quirks;
        let blind = quirks.stale_mounts_go_on || quirks.loser_breaks_reservation;
        if self.is_stale(i, node) && !blind { Err(ScsiError::Conflict) } else { Ok(()) }
    }

    fn claim(&mut self, i: usize, node: Initiator, now: SimTime) -> Result<(), ScsiError> {
        self.permit(i, node)?;
        self.verify(i, node)?;
        let disk = &mut self.disks[i];
        disk.reserved_by = Some(node);
        disk.slots[usize::from(node.0)].due = None;
        if let Some(last) = disk.last_mounter.filter(|&last| last != node) {
            self.end_leases(i, last, now);
        }
        Ok(())
    }

    /// What a refused reservation means for the node that thought it had the disk.
    fn refused(&mut self, i: usize, node: Initiator, why: ScsiError, now: SimTime) {
        let slot = self.slot(i, node);
        let kept = slot.keeping.take().is_some();
        slot.due = None;
        if kept {
            self.tell(now, Some(i), BusHappening::ReservationLost { node, why });
        }
        // Under the quirk the loser's file system has not noticed, and goes on.
        if why != ScsiError::Conflict || !self.params.quirks.loser_breaks_reservation {
            self.lose_mount(i, node, now);
        }
    }

    /// A renewal that the driver sends by itself.
    pub(super) fn renew(&mut self, i: usize, node: Initiator, now: SimTime) {
        self.slot(i, node).due = None;
        let signature = self.disks[i].signature;
        self.count(node).reserves += 1;
        let result = self.reach(node, signature).and_then(|i| self.claim(i, node, now));
        if let Err(why) = result {
            self.refused(i, node, why, now);
        }
    }

    /// Something happened to the disk or its bus: renewals may matter again.
    pub(super) fn disturb(&mut self, i: usize, now: SimTime) {
        for n in 0..self.nodes.len() {
            let node = Initiator(n as u8);
            let disk = &self.disks[i];
            let (Some(phase), None) = (disk.slots[n].keeping, disk.slots[n].due) else { continue };
            if disk.reserved_by == Some(node) && self.reach(node, disk.signature).is_ok() {
                continue;
            }
            let period = self.params.renewal.nanos().max(1);
            let past = now.since(phase).nanos() / period + 1;
            let due = phase + self.params.renewal * past;
            self.slot(i, node).due = Some(due);
            self.next_due = self.next_due.min(due);
        }
    }

    pub(super) fn count(&mut self, node: Initiator) -> &mut super::NodeCounters {
        &mut self.nodes[usize::from(node.0)].counters
    }

    /// When a command is answered that was called now.
    pub(super) fn answer_at(&self, failed: Option<ScsiError>, now: SimTime) -> SimTime {
        match failed {
            Some(ScsiError::NodeDown) => now,
            Some(ScsiError::BusDown | ScsiError::NoSuchDisk) => now + self.params.selection_timeout,
            _ => self.busy_until.max(now) + self.params.command,
        }
    }

    fn answer(&self, result: Result<(), ScsiError>, now: SimTime) -> Answer<()> {
        Answer { at: self.answer_at(result.err(), now), result }
    }
}
