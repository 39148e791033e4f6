//! Shared storage: a SCSI bus that joins the nodes of a cluster to disks, and a file system on each disk.
//!
//! Plain data: every call happens at once and returns an [`Answer`], which says what came of it and when the
//! program that asked is told; the caller schedules that. Nothing is called back. What nobody asked for (a
//! reset, a lost write, a broken invariant) is kept for [`SharedBus::take_events`]. What happens by itself (a
//! driver's renewals after a reset, a cache that is written) happens before the next call; whoever wants it
//! in time arms a timer for [`SharedBus::next_deadline`].
//!
//! | layer | file | promises |
//! | --- | --- | --- |
//! | reservations, resets, renewals | `reserve` | one holder at most; what another holds answers "conflict" |
//! | cables, power, boots, media | `faults`, `nodes` | a fault is a call with a time, and ends by another |
//! | volumes: mount, check, dismount | `volume` | programs see a volume only while its node holds the disk |
//! | files and the node's write cache | `files` | what was answered is on the platter, unless "behind" |
//!
//! Disks are found by their signature, never by their place (Q243195). A platter is a [`Disk`]: what a node
//! had not yet durable when it died is kept, dropped or torn there, and the platter survives.
//!
//! **Two writers.** At every write that lands the bus asks whether its node is the last that mounted the
//! volume; if not, the write lies on top of another node's, and [`Violation::TwoWriters`] is told.
//! Reservations make that impossible, except under the quirks of NT 4.0 (Q289863).
//!
//! Not modelled: what moves on the bus word by word, queue tags, more than one volume per disk, persistent
//! reservations (Windows Server 2008).

mod faults;
mod files;
mod look;
mod nodes;
mod params;
mod reserve;
mod types;
mod volume;

#[cfg(test)]
mod tests;

pub use faults::{BusFault, MediaError};
pub use look::{BusLook, DiskLook, NodeLook};
pub use params::{BusParams, BusQuirks, CACHE_BYTES_MAX, EVENTS_MAX};
pub use types::{
    Answer, BootReport, BusEvent, BusHappening, Chkdsk, FileError, Flush, Initiator, MountError,
    MountRule, Mounted, NodeCounters, NodeStop, Phase, ResetScope, ScsiError, Signature, Violation,
};

use super::disk::{Disk, DiskParams};
use crate::base::SimTime;
use volume::{Mount, Volume};

/// A bus, its nodes and its disks.
#[derive(Debug)]
pub struct SharedBus {
    params: BusParams,
    nodes: Vec<Node>,
    disks: Vec<SharedDisk>,
    /// Until when a reset keeps the bus from answering.
    busy_until: SimTime,
    /// Whether an end of the cable has no terminator.
    unterminated: bool,
    /// Nothing happens by itself before this.
    next_due: SimTime,
    events: Vec<BusEvent>,
    events_missed: u64,
}

/// A disk as it is attached.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct SharedDiskSpec {
    /// Its number.
    pub signature: Signature,
    /// What it costs and holds.
    pub platter: DiskParams,
    /// Whether it has a volume with a file system.
    pub formatted: bool,
    /// Whether the driver takes its volume for a raw one (Q247065).
    pub raw: bool,
}

/// Another disk on the bus has that signature already.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("two disks have the signature {0}")]
pub struct SignatureTaken(pub Signature);

#[derive(Debug)]
struct Node {
    life: NodeLife,
    powered: bool,
    /// Whether its adapter ends the bus, which it does only while it has power (Q169414).
    terminates: bool,
    cable: bool,
    counters: NodeCounters,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum NodeLife {
    Up,
    Paused,
    Down,
}

#[derive(Debug)]
struct SharedDisk {
    signature: Signature,
    platter: Disk,
    cable: bool,
    failed: bool,
    reserved_by: Option<Initiator>,
    volume: Volume,
    /// The node that mounted the volume last: what is pending in the platter's queue is its own.
    last_mounter: Option<Initiator>,
    /// By node.
    slots: Vec<Slot>,
}

/// What a node knows of a disk.
#[derive(Debug, Default)]
struct Slot {
    /// The driver renews the reservation at this time and every `renewal` after it.
    keeping: Option<SimTime>,
    /// The next renewal that may change something.
    due: Option<SimTime>,
    mount: Option<Mount>,
    /// Boots at which the node met another's reservation.
    boot_conflicts: u32,
    /// Lost for good to this node (Q195636).
    lost: bool,
}

impl SharedDiskSpec {
    /// A formatted disk of the usual kind.
    pub fn new(signature: Signature) -> SharedDiskSpec {
        SharedDiskSpec { signature, platter: DiskParams::default(), formatted: true, raw: false }
    }
}

impl SharedBus {
    /// A bus with nothing on it.
    pub fn new(params: BusParams) -> SharedBus {
        SharedBus {
            params,
            nodes: Vec::new(),
            disks: Vec::new(),
            busy_until: SimTime::ZERO,
            unterminated: false,
            next_due: SimTime::MAX,
            events: Vec::new(),
            events_missed: 0,
        }
    }

    /// Attaches a node, switched on. `terminates` says whether the bus ends at its adapter, which terminates
    /// only while it has power (Q169414); false with terminators of their own.
    pub fn add_node(&mut self, terminates: bool) -> Initiator {
        self.nodes.push(Node {
            life: NodeLife::Up,
            powered: true,
            terminates,
            cable: true,
            counters: NodeCounters::default(),
        });
        self.disks.iter_mut().for_each(|disk| disk.slots.push(Slot::default()));
        Initiator((self.nodes.len() - 1) as u8)
    }

    /// Attaches a disk at the next place.
    ///
    /// # Errors
    /// Another disk has this signature.
    pub fn add_disk(&mut self, spec: SharedDiskSpec) -> Result<(), SignatureTaken> {
        if self.index(spec.signature).is_some() {
            return Err(SignatureTaken(spec.signature));
        }
        let disk = SharedDisk::new(spec, self.nodes.len());
        self.disks.push(disk);
        Ok(())
    }

    /// Times and faults.
    pub fn params(&self) -> &BusParams {
        &self.params
    }

    /// The signatures on the bus, by place.
    pub fn signatures(&self) -> impl Iterator<Item = Signature> + '_ {
        self.disks.iter().map(|disk| disk.signature)
    }

    /// What a node has met.
    pub fn counters(&self, node: Initiator) -> NodeCounters {
        self.nodes[usize::from(node.0)].counters
    }

    /// What happened since the last call, in order.
    pub fn take_events(&mut self) -> Vec<BusEvent> {
        std::mem::take(&mut self.events)
    }

    /// Events that were not kept, because nobody took the others.
    pub fn events_missed(&self) -> u64 {
        self.events_missed
    }

    /// When something happens by itself, if anything does: a renewal that may change something, or a cache
    /// that is written. Undisturbed renewals and clean caches cost nothing.
    pub fn next_deadline(&self) -> Option<SimTime> {
        let due = self.nodes.iter().enumerate().filter(|(_, node)| node.life == NodeLife::Up);
        due.flat_map(|(n, _)| self.disks.iter().filter_map(move |disk| disk.slots[n].next())).min()
    }

    /// Does what happens by itself until `now`.
    pub fn on_deadline(&mut self, now: SimTime) {
        if now < self.next_due {
            return;
        }
        while let Some((at, n, i)) = self.first_due(now) {
            let node = Initiator(n as u8);
            if self.disks[i].slots[n].due == Some(at) {
                self.renew(i, node, at);
            } else {
                let _ = self.write_cache(i, node, at);
            }
        }
        self.next_due = self.next_deadline().unwrap_or(SimTime::MAX);
    }

    fn first_due(&self, now: SimTime) -> Option<(SimTime, usize, usize)> {
        let mut first = None;
        for (n, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.life == NodeLife::Up) {
            for (i, disk) in self.disks.iter().enumerate() {
                let due = disk.slots[n].next().filter(|&at| at <= now).map(|at| (at, n, i));
                first = [first, due].into_iter().flatten().min();
            }
        }
        first
    }

    fn index(&self, signature: Signature) -> Option<usize> {
        self.disks.iter().position(|disk| disk.signature == signature)
    }

    fn tell(&mut self, at: SimTime, disk: Option<usize>, what: BusHappening) {
        let disk = disk.map(|i| self.disks[i].signature);
        if self.events.len() < EVENTS_MAX {
            self.events.push(BusEvent { at, disk, what });
        } else {
            self.events_missed += 1;
        }
    }

    fn slot(&mut self, i: usize, node: Initiator) -> &mut Slot {
        &mut self.disks[i].slots[usize::from(node.0)]
    }
}

impl SharedDisk {
    fn new(spec: SharedDiskSpec, nodes: usize) -> SharedDisk {
        SharedDisk {
            signature: spec.signature,
            platter: Disk::new(spec.platter),
            cable: true,
            failed: false,
            reserved_by: None,
            volume: Volume::new(spec.formatted, spec.raw),
            last_mounter: None,
            slots: (0..nodes).map(|_| Slot::default()).collect(),
        }
    }
}

impl Slot {
    /// The next thing that happens by itself.
    fn next(&self) -> Option<SimTime> {
        self.due.into_iter().chain(self.mount.as_ref().and_then(Mount::cache_due)).min()
    }
}
