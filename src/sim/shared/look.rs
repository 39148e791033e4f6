//! A bus as plain data that can be compared: for tests, and for those who show it.

use super::{Initiator, NodeLife, Phase, SharedBus, Signature};
use crate::base::{SimTime, hash_bytes};
use std::collections::BTreeMap;

/// A bus at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusLook {
    /// Its nodes, in order.
    pub nodes: Vec<NodeLook>,
    /// Its disks, by place.
    pub disks: Vec<DiskLook>,
}

/// A node of a bus.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NodeLook {
    /// Whether its system is up, paused or not.
    pub up: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it has power.
    pub powered: bool,
    /// Whether it reaches the bus, and the bus works.
    pub on_bus: bool,
}

/// A disk of a bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskLook {
    /// Its number.
    pub signature: Signature,
    /// Who holds it.
    pub reserved_by: Option<Initiator>,
    /// Who mounted its volume last.
    pub last_mounter: Option<Initiator>,
    /// What each node's volume is doing, if it is doing anything.
    pub phases: Vec<(Initiator, Phase)>,
    /// Bytes in each node's cache that nobody has written, if there are any.
    pub unwritten: Vec<(Initiator, usize)>,
    /// Whether the next mount would check the volume.
    pub needs_check: bool,
    /// Its files, each with a hash of what programs of the last node to mount it would read, its cache aside.
    pub files: BTreeMap<String, u64>,
}

impl SharedBus {
    /// The bus as it is at `now`.
    pub fn look(&self, now: SimTime) -> BusLook {
        let nodes = self.nodes.iter().enumerate().map(|(n, node)| NodeLook {
            up: node.life != NodeLife::Down,
            paused: node.life == NodeLife::Paused,
            powered: node.powered,
            on_bus: self.on_bus(Initiator(n as u8)).is_ok(),
        });
        let nodes = nodes.collect();
        let disks = (0..self.disks.len()).map(|i| self.look_at(i, now)).collect();
        BusLook { nodes, disks }
    }

    fn look_at(&self, i: usize, now: SimTime) -> DiskLook {
        let disk = &self.disks[i];
        let nodes = || (0..self.nodes.len()).map(|n| Initiator(n as u8));
        let phases = nodes().map(|node| (node, self.phase_at(i, node, now)));
        let unwritten = nodes().zip(&disk.slots).filter_map(|(node, slot)| {
            let cache = &slot.mount.as_ref()?.cache;
            let bytes = cache.iter().map(|write| write.bytes.len()).sum();
            (!cache.is_empty()).then_some((node, bytes))
        });
        let names = disk.platter.names("").into_iter();
        let files = names.map(|name| {
            let hash = hash_bytes(&disk.platter.look(&name));
            (name, hash)
        });
        DiskLook {
            signature: disk.signature,
            reserved_by: disk.reserved_by,
            last_mounter: disk.last_mounter,
            phases: phases.filter(|&(_, phase)| phase != Phase::Offline).collect(),
            unwritten: unwritten.collect(),
            needs_check: self.needs_check(disk.signature, now),
            files: files.collect(),
        }
    }
}
