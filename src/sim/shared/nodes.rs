//! Life and death of nodes, as the bus sees them.
//!
//! | what stops | reservation | volume | what was not on the platter |
//! | --- | --- | --- | --- |
//! | shut down | stays until released | dismounted | written |
//! | crash | stays | dirty | whole writes kept or dropped |
//! | power cut | stays; an adapter that terminates takes the bus down | dirty | kept, dropped or torn |
//! | pause | stays, not renewed | as it was | waits in the cache |

use super::super::disk::{DiskLoss, DiskLossReport};
use super::{BootReport, Initiator, NodeLife, NodeStop, ResetScope, SharedBus, Signature};
use crate::base::{SimTime, Stream};

impl SharedBus {
    /// The node starts: power on, system up, nothing mounted. Nothing if it runs.
    pub fn boot(&mut self, node: Initiator, now: SimTime) -> BootReport {
        self.on_deadline(now);
        let state = &mut self.nodes[usize::from(node.0)];
        if state.life != NodeLife::Down {
            return BootReport::default();
        }
        (state.life, state.powered) = (NodeLife::Up, true);
        self.bus_changed(now);
        let mut report = BootReport::default();
        if self.params.quirks.bios_resets_bus {
            report.reset = self.reset(node, ResetScope::Bus, now).result.is_ok();
        }
        if let Some(boots_max) = self.params.quirks.array_lost_after_boots {
            report.arrays_lost = self.meet_reservations(node, boots_max);
        }
        report
    }

    /// Q195636: the driver does not understand a conflict met while it looks for disks.
    fn meet_reservations(&mut self, node: Initiator, boots_max: u32) -> Vec<Signature> {
        let mut lost = Vec::new();
        for i in 0..self.disks.len() {
            let signature = self.disks[i].signature;
            if self.reach(node, signature).is_ok() && self.permit(i, node).is_err() {
                let slot = self.slot(i, node);
                slot.boot_conflicts += 1;
                if slot.boot_conflicts >= boots_max {
                    slot.lost = true;
                    lost.push(signature);
                }
            }
        }
        lost
    }

    /// The node stops. `chance` decides what becomes of its writes that were not yet on the platter; returns
    /// that, where there were any. Only its power goes if it is down.
    pub fn stop(
        &mut self,
        node: Initiator,
        how: NodeStop,
        now: SimTime,
        chance: &mut Stream,
    ) -> Vec<(Signature, DiskLossReport)> {
        self.on_deadline(now);
        if self.nodes[usize::from(node.0)].life == NodeLife::Down {
            self.nodes[usize::from(node.0)].powered &= how == NodeStop::Crash;
            self.bus_changed(now);
            return Vec::new();
        }
        let mut reports = Vec::new();
        for i in 0..self.disks.len() {
            let loss = match how {
                NodeStop::ShutDown => {
                    let _ = self.dismount(node, self.disks[i].signature, now);
                    None
                }
                NodeStop::Crash => Some(DiskLoss::Crash),
                NodeStop::PowerCut => Some(DiskLoss::PowerCut),
            };
            let slot = self.slot(i, node);
            (slot.keeping, slot.due, slot.mount) = (None, None, None);
            let disk = &mut self.disks[i];
            // What is in the platter's queue belongs to the node that mounted it last.
            if disk.last_mounter == Some(node)
                && let Some(loss) = loss
            {
                disk.volume.died(node, now);
                let report = disk.platter.lose(loss, now, chance);
                if report != DiskLossReport::default() {
                    reports.push((disk.signature, report));
                }
                disk.platter.end_leases();
                disk.platter.stall(self.busy_until);
            }
        }
        let state = &mut self.nodes[usize::from(node.0)];
        (state.life, state.powered) = (NodeLife::Down, how == NodeStop::Crash);
        self.bus_changed(now);
        reports
    }

    /// The node stands still: it renews nothing and writes nothing. Its adapter still terminates.
    pub fn pause(&mut self, node: Initiator, now: SimTime) {
        self.on_deadline(now);
        let life = &mut self.nodes[usize::from(node.0)].life;
        if *life == NodeLife::Up {
            *life = NodeLife::Paused;
        }
    }

    /// The node goes on: what it should have done meanwhile it does now.
    pub fn resume(&mut self, node: Initiator, now: SimTime) {
        self.on_deadline(now);
        let n = usize::from(node.0);
        if self.nodes[n].life != NodeLife::Paused {
            return;
        }
        self.nodes[n].life = NodeLife::Up;
        for slot in self.disks.iter_mut().map(|disk| &mut disk.slots[n]) {
            // A timer that is overdue fires at once, and then counts from there.
            slot.keeping = slot.keeping.map(|_| now);
            slot.due = slot.due.map(|_| now);
            if let Some(mount) = &mut slot.mount {
                mount.delay_cache(now);
            }
        }
        self.next_due = SimTime::ZERO;
    }

    /// Whether the node is up and not paused.
    pub fn runs(&self, node: Initiator) -> bool {
        self.nodes[usize::from(node.0)].life == NodeLife::Up
    }

    /// Who reaches what may have changed.
    pub(super) fn bus_changed(&mut self, now: SimTime) {
        for i in 0..self.disks.len() {
            let disk = &self.disks[i];
            let unreachable =
                disk.last_mounter.is_some_and(|node| self.reach(node, disk.signature).is_err());
            disk.platter.set_unreachable(unreachable);
            self.disturb(i, now);
        }
    }
}
