//! What a shared bus costs, and which documented faults it has.

use crate::base::SimDuration;

/// Bytes a node keeps unwritten per disk before it writes them at once. The cache manager's own limit depends
/// on memory; this one keeps a run's memory bounded.
pub const CACHE_BYTES_MAX: usize = 4 << 20;

/// Events kept for [`super::SharedBus::take_events`]; later ones are only counted until somebody takes them.
pub const EVENTS_MAX: usize = 4096;

/// Times and faults of a bus and the disks on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusParams {
    /// A command that moves no data: reserve, release, test unit ready.
    pub command: SimDuration,
    /// How long an adapter waits for a target that does not answer (SCSI-2: 250 ms).
    pub selection_timeout: SimDuration,
    /// How long the bus answers nobody after a reset.
    pub reset: SimDuration,
    /// The same for each disk on it: the long stalls of NT 4.0 before service pack 5 (Q234544).
    pub reset_per_disk: SimDuration,
    /// How often a node renews a reservation that it was told to keep (KB 309186: 3 s).
    pub renewal: SimDuration,
    /// How long a write waits in a node's cache before it is written by itself. Not documented; the cache
    /// manager wakes every second and writes a part of what it has.
    pub lazy_write: SimDuration,
    /// From "unblock the disk" to "volume mounted, letters made", without a check (steps 4 and 5 of
    /// KB 309186). Not documented.
    pub mount: SimDuration,
    /// A check, whatever the size of the disk. Not documented.
    pub check: SimDuration,
    /// The same for each GiB of its capacity, begun ones included. Not documented.
    pub check_per_gib: SimDuration,
    /// Whether a mount repairs by the file system's log what a dead node left, and needs no check.
    pub recovers_by_log: bool,
    /// The folder whose damaged files make a mount check the volume; those of the root do so too (Q174617).
    pub quorum_folder: String,
    /// Documented faults.
    pub quirks: BusQuirks,
}

/// Documented faults of the shared bus and its drivers; none by default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BusQuirks {
    /// A node that meets the reservation of another breaks it by a reset and writes all the same
    /// (Q289863, NT 4.0): the only way two nodes can write on one disk.
    pub loser_breaks_reservation: bool,
    /// After a reset a node goes on with a volume that another has mounted meanwhile. Without this quirk
    /// the driver looks, at the first command after a reset it did not send, whether somebody has. Part of
    /// Q289863's picture: no article says how the later driver sees it.
    pub stale_mounts_go_on: bool,
    /// The host adapter's BIOS resets the bus whenever its node boots (Q174795).
    pub bios_resets_bus: bool,
    /// A node loses a disk for good after it has met another's reservation at so many of its boots
    /// (Q195636, NT 4.0 before service pack 4: "several").
    pub array_lost_after_boots: Option<u32>,
    /// Disks at this place and beyond cannot be used (Q256326: 26).
    pub disks_max: Option<usize>,
    /// Volumes without a file system the driver knows are not dismounted, and what was in the cache is lost
    /// (Q247065, NT 4.0 service pack 6).
    pub raw_not_dismounted: bool,
}

impl Default for BusParams {
    fn default() -> BusParams {
        BusParams {
            command: SimDuration::from_millis(1),
            selection_timeout: SimDuration::from_millis(250),
            reset: SimDuration::from_millis(250),
            reset_per_disk: SimDuration::ZERO,
            renewal: SimDuration::from_secs(3),
            lazy_write: SimDuration::from_secs(2),
            mount: SimDuration::from_millis(500),
            check: SimDuration::from_secs(5),
            check_per_gib: SimDuration::from_secs(20),
            recovers_by_log: false,
            quorum_folder: "MSCS".to_owned(),
            quirks: BusQuirks::default(),
        }
    }
}

impl BusParams {
    /// How long a check of so many bytes takes.
    pub fn check_time(&self, capacity: u64) -> SimDuration {
        self.check + self.check_per_gib * capacity.div_ceil(1 << 30)
    }
}
