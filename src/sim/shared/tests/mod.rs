//! Tests of the shared bus: reservations, volumes, files, faults, and what is planted to see them fail.

mod files;
mod model;
mod reservations;
mod volumes;

use super::*;
use crate::base::{SimDuration, Stream, Streams};
use crate::sim::disk::DiskLease;

pub(super) const A: Initiator = Initiator(0);
pub(super) const B: Initiator = Initiator(1);
pub(super) const Q: Signature = Signature(0x1234_5678);
pub(super) const D: Signature = Signature(0x0BAD_CAFE);

pub(super) fn t(millis: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_millis(millis)
}

pub(super) fn chance(seed: u64) -> Stream {
    Streams::new(seed).stream("disk")
}

/// Two nodes, two disks.
pub(super) fn bus_with(change: impl FnOnce(&mut BusParams)) -> SharedBus {
    let mut params = BusParams::default();
    change(&mut params);
    let mut bus = SharedBus::new(params);
    bus.add_node(false);
    bus.add_node(false);
    bus.add_disk(SharedDiskSpec::new(Q)).expect("a new signature");
    bus.add_disk(SharedDiskSpec::new(D)).expect("a new signature");
    bus
}

pub(super) fn bus() -> SharedBus {
    bus_with(|_| {})
}

/// Reserves and mounts; returns when it is online.
pub(super) fn online(
    bus: &mut SharedBus,
    node: Initiator,
    disk: Signature,
    now: SimTime,
) -> SimTime {
    bus.reserve(node, disk, now).result.expect("nobody holds it");
    let mount = bus.mount(node, disk, MountRule::default(), now);
    mount.result.expect("it can be mounted");
    bus.mounted(node, disk, mount.at).expect("it comes online");
    mount.at
}

/// What happened, without times and disks.
pub(super) fn happened(bus: &mut SharedBus) -> Vec<BusHappening> {
    bus.take_events().into_iter().map(|event| event.what).collect()
}

pub(super) fn lost(node: Initiator, file: &str, bytes: u32) -> BusHappening {
    BusHappening::LostDelayedWrite { node, file: file.to_owned(), bytes }
}
