//! What breaks: cables, terminators, disks, media.

use super::volume::{Harm, Volume};
use super::{
    Initiator, ScsiError, SharedBus, SharedDisk, SharedDiskSpec, Signature, SignatureTaken,
};
use crate::base::{SimTime, Stream};
use crate::sim::disk::{DiskLoss, SECTOR_BYTES};

/// A fault of the bus, and its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusFault {
    /// A node's storage cable is pulled, or put back. No valid test of a failover (Q197047): where its
    /// adapter terminates the bus, everybody's bus is down.
    NodeCable {
        /// The node.
        node: Initiator,
        /// Whether it is out.
        out: bool,
    },
    /// A disk's cable is pulled, or put back; the disk keeps its power and its reservation.
    DiskCable {
        /// The disk.
        disk: Signature,
        /// Whether it is out.
        out: bool,
    },
    /// The bus loses a terminator, or gets it back.
    Termination {
        /// Whether it is missing.
        missing: bool,
    },
    /// The disk fails for everybody, or works again.
    DiskFailed {
        /// The disk.
        disk: Signature,
        /// Whether it fails.
        failed: bool,
    },
    /// Nothing can grow any more, or again.
    DiskFull {
        /// The disk.
        disk: Signature,
        /// Whether it is full.
        full: bool,
    },
    /// Operations take so many times as long; 1 is normal.
    DiskSlow {
        /// The disk.
        disk: Signature,
        /// How many times.
        factor: u32,
    },
    /// Something on the medium goes bad.
    Media {
        /// The disk.
        disk: Signature,
        /// What.
        error: MediaError,
    },
}

/// Damage on a medium.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MediaError {
    /// The volume is marked dirty; a check finds nothing.
    Dirty,
    /// The file system is hurt a little: a check ends with 2.
    Minor,
    /// It is hurt badly: a check ends with 1.
    Major,
    /// No check can complete: it ends with 3.
    Severe,
    /// A sector of a file cannot be read any more; a check puts an empty one in its place.
    Unreadable {
        /// The file.
        file: String,
        /// A byte in the sector.
        offset: u64,
    },
    /// A sector of a file reads as something else, and nobody is told.
    Changed {
        /// The file.
        file: String,
        /// A byte in the sector.
        offset: u64,
    },
}

impl SharedBus {
    /// Something breaks, or is mended.
    ///
    /// # Errors
    /// There is no such disk or node, or the file to damage is not there.
    pub fn fault(&mut self, fault: &BusFault, now: SimTime) -> Result<(), ScsiError> {
        self.on_deadline(now);
        let place = |disk: Signature| self.index(disk).ok_or(ScsiError::NoSuchDisk);
        match fault {
            BusFault::NodeCable { node, out } => {
                let node = self.nodes.get_mut(usize::from(node.0)).ok_or(ScsiError::NodeDown)?;
                node.cable = !out;
            }
            BusFault::DiskCable { disk, out } => {
                let i = place(*disk)?;
                self.disks[i].cable = !out;
            }
            BusFault::Termination { missing } => self.unterminated = *missing,
            BusFault::DiskFailed { disk, failed } => {
                let i = place(*disk)?;
                self.disks[i].failed = *failed;
                self.disks[i].platter.set_failed(*failed);
            }
            BusFault::DiskFull { disk, full } => self.disks[place(*disk)?].platter.set_full(*full),
            BusFault::DiskSlow { disk, factor } => {
                self.disks[place(*disk)?].platter.set_slow(*factor);
            }
            BusFault::Media { disk, error } => {
                let i = place(*disk)?;
                self.disks[i].spoil(error)?;
            }
        }
        self.bus_changed(now);
        Ok(())
    }

    /// Another disk is put in the place of one: with its signature and content, or without. The old one and
    /// its reservation are gone.
    ///
    /// # Errors
    /// Another disk has the new signature.
    pub fn replace_disk(
        &mut self,
        disk: Signature,
        spec: SharedDiskSpec,
        now: SimTime,
    ) -> Result<(), SignatureTaken> {
        self.on_deadline(now);
        let taken = self.index(spec.signature).is_some_and(|_| spec.signature != disk);
        let Some(i) = self.index(disk).filter(|_| !taken) else {
            return Err(SignatureTaken(spec.signature));
        };
        for n in 0..self.nodes.len() {
            self.lose_mount(i, Initiator(n as u8), now);
        }
        self.disks[i] = SharedDisk::new(spec, self.nodes.len());
        self.bus_changed(now);
        Ok(())
    }

    /// Writes another signature on a disk: what an administrator does with a new disk that shall pass for the
    /// old one (Q243195), or what an accident does.
    ///
    /// # Errors
    /// Another disk has it, or there is none with the old one.
    pub fn sign(
        &mut self,
        disk: Signature,
        signature: Signature,
        now: SimTime,
    ) -> Result<(), SignatureTaken> {
        self.on_deadline(now);
        match self.index(disk) {
            Some(i) if self.index(signature).is_none() || signature == disk => {
                self.disks[i].signature = signature;
                Ok(())
            }
            _ => Err(SignatureTaken(signature)),
        }
    }

    /// Somebody with access to the bare disk changes a file: `change` is given what programs would read, and
    /// gives what they will read; nothing is no file. Nothing happens if there is no such disk.
    pub fn tamper(
        &mut self,
        disk: Signature,
        file: &str,
        change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
    ) {
        if let Some(i) = self.index(disk) {
            let platter = &self.disks[i].platter;
            let changed = change(platter.look(file));
            platter.remove_file(file);
            if let Some(bytes) = changed.filter(|bytes| !bytes.is_empty()) {
                platter.strike(file, 0, &bytes);
            }
        }
    }

    /// The names of all files on a disk that begin with `prefix`, in order, without the cost of looking.
    pub fn file_names(&self, disk: Signature, prefix: &str) -> Vec<String> {
        self.index(disk).map_or(Vec::new(), |i| self.disks[i].platter.names(prefix))
    }

    /// The content of a file as it lies on the disk, without the cost of reading; empty if there is none.
    pub fn file_bytes(&self, disk: Signature, file: &str) -> Vec<u8> {
        self.index(disk).map_or(Vec::new(), |i| self.disks[i].platter.look(file))
    }

    /// Makes a file system on a disk that has none. Nothing if there is no such disk.
    pub fn format(&mut self, disk: Signature) {
        if let Some(i) = self.index(disk) {
            let raw = self.disks[i].volume.raw;
            self.disks[i].volume = Volume::new(true, raw);
        }
    }

    /// The disks' cabinet loses its power and gets it back: every reservation is gone, writes in flight are
    /// kept, dropped or torn, and nodes find their volumes lost.
    pub fn enclosure_power_cut(&mut self, now: SimTime, chance: &mut Stream) {
        self.on_deadline(now);
        for i in 0..self.disks.len() {
            for n in 0..self.nodes.len() {
                self.lose_mount(i, Initiator(n as u8), now);
            }
            let disk = &mut self.disks[i];
            if let Some(node) = disk.last_mounter {
                disk.volume.died(node, now);
            }
            disk.reserved_by = None;
            disk.platter.lose(DiskLoss::PowerCut, now, chance);
            disk.platter.stall(self.busy_until);
        }
        self.bus_changed(now);
    }
}

impl SharedDisk {
    fn spoil(&mut self, error: &MediaError) -> Result<(), ScsiError> {
        let volume = &mut self.volume;
        match error {
            MediaError::Dirty => volume.dirty = true,
            MediaError::Minor => volume.harm = volume.harm.max(Harm::Minor),
            MediaError::Major => volume.harm = volume.harm.max(Harm::Major),
            MediaError::Severe => volume.harm = Harm::Severe,
            MediaError::Unreadable { file, offset } | MediaError::Changed { file, offset } => {
                let sector = offset - offset % SECTOR_BYTES as u64;
                let bytes = self.platter.look(file);
                let Some(from) = bytes.get(sector as usize..).filter(|from| !from.is_empty())
                else {
                    return Err(ScsiError::NoSuchDisk);
                };
                if let MediaError::Unreadable { .. } = error {
                    volume.unreadable.insert(file.clone(), sector);
                } else {
                    let changed: Vec<u8> = from.iter().take(SECTOR_BYTES).map(|b| !b).collect();
                    self.platter.strike(file, sector, &changed);
                }
            }
        }
        Ok(())
    }
}
