//! Files on a shared disk, and the cache of the node that has it mounted.
//!
//! Files are named by their whole path, compared byte by byte. A file without bytes does not exist. Programs
//! of the node read what they wrote at once; what an answer promises to be on the platter is there at the
//! answer's time, and until then falls under the rules of [`Disk`](crate::sim::disk::Disk) if the node dies.
//!
//! | call | a crash leaves |
//! | --- | --- |
//! | `replace` | the old file or the new one |
//! | `overwrite`, `write_at` | any mixture, in sectors |
//! | `append` | the old file and any part of what was added |
//! | `delete` | no file |
//!
//! What a node writes behind waits in its own cache. When the node loses the disk it is lost (event 26), or,
//! by the quirk of Q289863, it is written all the same: see [`BusQuirks`](super::BusQuirks).

use super::volume::Cached;
use super::{
    Answer, BusHappening, CACHE_BYTES_MAX, FileError, Flush, Initiator, Phase, ScsiError,
    SharedBus, Signature, Violation,
};
use crate::base::SimTime;
use crate::sim::disk::{Disk, DiskLease};
use redb::StorageBackend;
use std::io;

/// How bytes come to lie in a file.
enum Change<'a> {
    /// As a whole, or not at all.
    Replace(&'a [u8]),
    /// As a whole, in the place of the old ones.
    Overwrite(&'a [u8]),
    /// From there on.
    At(u64, &'a [u8]),
}

impl SharedBus {
    /// The content of a file.
    pub fn read(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        now: SimTime,
    ) -> Answer<Vec<u8>, FileError> {
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| {
            if bus.disks[i].volume.unreadable.contains_key(file) {
                return Err(FileError::Damaged);
            }
            let platter = &bus.disks[i].platter;
            let read = platter.read_file(file).map_err(failure)?.unwrap_or_default();
            let at = platter.submit(now).unwrap_or(now);
            let mount = bus.disks[i].slots[usize::from(node.0)].mount.as_ref();
            let cache = mount.map_or(&[][..], |mount| &mount.cache);
            let bytes = with_cached(read, cache, file);
            if bytes.is_empty() { Err(FileError::NotFound) } else { Ok((at, bytes)) }
        })
    }

    /// The names of all files that begin with `prefix`, in order.
    pub fn list(
        &mut self,
        node: Initiator,
        disk: Signature,
        prefix: &str,
        now: SimTime,
    ) -> Answer<Vec<String>, FileError> {
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| {
            let mut names = bus.disks[i].platter.names(prefix);
            if let Some(mount) = &bus.disks[i].slots[usize::from(node.0)].mount {
                let cached = mount.cache.iter().map(|write| &write.file);
                names.extend(cached.filter(|name| name.starts_with(prefix)).cloned());
            }
            names.sort();
            names.dedup();
            Ok((bus.disks[i].platter.occupy(now, bus.params.command), names))
        })
    }

    /// Replaces a file as a whole, or makes it: whatever happens, it is afterwards the old one or the new
    /// one.
    pub fn replace(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        bytes: &[u8],
        now: SimTime,
    ) -> Answer<(), FileError> {
        self.write(node, disk, file, Change::Replace(bytes), now)
    }

    /// Writes a file as a whole in its own place: a power cut leaves a mixture.
    pub fn overwrite(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        bytes: &[u8],
        now: SimTime,
    ) -> Answer<(), FileError> {
        self.write(node, disk, file, Change::Overwrite(bytes), now)
    }

    /// Writes bytes in the middle of a file, or beyond its end.
    pub fn write_at(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        (offset, bytes): (u64, &[u8]),
        flush: Flush,
        now: SimTime,
    ) -> Answer<(), FileError> {
        match flush {
            Flush::Through => self.write(node, disk, file, Change::At(offset, bytes), now),
            Flush::Behind => self.write_behind(node, disk, file, Some(offset), bytes, now),
        }
    }

    /// Writes bytes at the end of a file, or makes it.
    pub fn append(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        bytes: &[u8],
        flush: Flush,
        now: SimTime,
    ) -> Answer<(), FileError> {
        if flush == Flush::Behind {
            return self.write_behind(node, disk, file, None, bytes, now);
        }
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| {
            bus.drain(i, node, now)?;
            let end = bus.disks[i].platter.len_of(file);
            Ok((bus.land(i, node, file, Change::At(end, bytes), now)?, ()))
        })
    }

    /// Deletes a file, at once and for good.
    pub fn delete(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        now: SimTime,
    ) -> Answer<(), FileError> {
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| {
            bus.drain(i, node, now)?;
            if bus.disks[i].platter.len_of(file) == 0 {
                return Err(FileError::NotFound);
            }
            bus.judge(i, node, now);
            bus.disks[i].volume.unreadable.remove(file);
            bus.disks[i].platter.remove_file(file);
            Ok((bus.disks[i].platter.occupy(now, bus.params.command), ()))
        })
    }

    /// Writes what waits in the node's cache.
    pub fn flush(
        &mut self,
        node: Initiator,
        disk: Signature,
        now: SimTime,
    ) -> Answer<(), FileError> {
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| Ok((bus.write_cache(i, node, now)?, ())))
    }

    /// The platter, for a program that brings its own file format (the WINS database): valid until the node
    /// dismounts the volume, loses the disk or dies.
    ///
    /// # Errors
    /// The node does not have the volume online.
    pub fn lease(
        &mut self,
        node: Initiator,
        disk: Signature,
        now: SimTime,
    ) -> Result<DiskLease, FileError> {
        let i = self.begin(node, disk, now)?;
        // Nobody breaks a reservation for a database: its writes do not pass the judge.
        let own = self.disks[i].last_mounter == Some(node);
        if own {
            Ok(self.disks[i].platter.lease())
        } else {
            Err(FileError::Lost(ScsiError::Conflict))
        }
    }

    /// The node's volume, if it is online and the disk lets the node in.
    fn begin(
        &mut self,
        node: Initiator,
        disk: Signature,
        now: SimTime,
    ) -> Result<usize, FileError> {
        self.on_deadline(now);
        let i = self.index(disk).ok_or(FileError::NotMounted)?;
        if self.phase_at(i, node, now) != Phase::Online {
            return Err(FileError::NotMounted);
        }
        self.access(i, node, now).map_err(FileError::Lost)?;
        Ok(i)
    }

    /// Whether the disk lets the node in. A refusal ends the mount, except for a loser that breaks the
    /// reservation and tries again (Q289863).
    pub(super) fn access(
        &mut self,
        i: usize,
        node: Initiator,
        now: SimTime,
    ) -> Result<(), ScsiError> {
        match self.admit(i, node) {
            Err(ScsiError::Conflict) if self.params.quirks.loser_breaks_reservation => {
                self.disks[i].reserved_by = None;
                self.count(node).resets += 1;
                self.disks[i].platter.stall(now + self.params.reset);
                self.disturb(i, now);
                self.tell(now, Some(i), BusHappening::Reset { by: node, dropped: 1 });
                Ok(())
            }
            Err(why) => {
                self.lose_mount(i, node, now);
                Err(why)
            }
            Ok(()) => Ok(()),
        }
    }

    /// The answer to an operation that came so far.
    fn finish<T>(
        &mut self,
        begun: Result<usize, FileError>,
        now: SimTime,
        operate: impl FnOnce(&mut SharedBus, usize) -> Result<(SimTime, T), FileError>,
    ) -> Answer<T, FileError> {
        let why = match begun.and_then(|i| operate(self, i)) {
            Ok((at, value)) => {
                return Answer { at: at.max(self.busy_until).max(now), result: Ok(value) };
            }
            Err(why) => why,
        };
        let scsi = match why {
            FileError::Lost(why) => Some(why),
            FileError::NotMounted => Some(ScsiError::NodeDown),
            _ => None,
        };
        Answer { at: self.answer_at(scsi, now), result: Err(why) }
    }

    fn write(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        change: Change<'_>,
        now: SimTime,
    ) -> Answer<(), FileError> {
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| {
            // In the order in which programs wrote.
            bus.drain(i, node, now)?;
            Ok((bus.land(i, node, file, change, now)?, ()))
        })
    }

    fn write_behind(
        &mut self,
        node: Initiator,
        disk: Signature,
        file: &str,
        offset: Option<u64>,
        bytes: &[u8],
        now: SimTime,
    ) -> Answer<(), FileError> {
        let begun = self.begin(node, disk, now);
        self.finish(begun, now, |bus, i| {
            let write_at = now + bus.params.lazy_write;
            let disk = &mut bus.disks[i];
            let Some(mount) = &mut disk.slots[usize::from(node.0)].mount else {
                return Err(FileError::NotMounted);
            };
            let old = mount.cached_len(file, disk.platter.len_of(file));
            let offset = offset.unwrap_or(old);
            let new = old.max(offset + bytes.len() as u64);
            let waiting: usize = mount.cache.iter().map(|write| write.bytes.len()).sum();
            // All that waits counts as growth: more than enough room, seldom too much.
            if new > old && !disk.platter.has_room(new - old + waiting as u64) {
                return Err(FileError::Full);
            }
            if mount.cache.is_empty() {
                mount.write_at = write_at;
            }
            mount.cache.push(Cached { file: file.to_owned(), offset, bytes: bytes.to_vec() });
            bus.next_due = bus.next_due.min(write_at);
            if waiting + bytes.len() <= CACHE_BYTES_MAX {
                return Ok((now, ()));
            }
            Ok((bus.write_cache(i, node, now)?, ()))
        })
    }

    /// The cache writes what it has, before something else. Its own losses are no matter of the caller's,
    /// unless the volume is gone with them.
    pub(super) fn drain(
        &mut self,
        i: usize,
        node: Initiator,
        now: SimTime,
    ) -> Result<(), FileError> {
        match self.write_cache(i, node, now) {
            Err(why @ (FileError::Lost(_) | FileError::NotMounted)) => Err(why),
            _ => Ok(()),
        }
    }

    /// The cache writes what it has. What cannot be written is lost (event 26).
    pub(super) fn write_cache(
        &mut self,
        i: usize,
        node: Initiator,
        now: SimTime,
    ) -> Result<SimTime, FileError> {
        if self.slot(i, node).mount.as_ref().is_none_or(|mount| mount.cache.is_empty()) {
            return Ok(now);
        }
        self.access(i, node, now).map_err(FileError::Lost)?;
        let Some(mount) = &mut self.slot(i, node).mount else { return Err(FileError::NotMounted) };
        let mut outcome = Ok(now);
        for write in std::mem::take(&mut mount.cache) {
            let change = Change::At(write.offset, &write.bytes);
            match self.land(i, node, &write.file, change, now) {
                Ok(at) => outcome = outcome.map(|_| at),
                Err(why) => {
                    self.lost_write(i, node, write.file, write.bytes.len(), now);
                    outcome = Err(why);
                }
            }
        }
        outcome
    }

    /// Bytes reach the disk. Every write of every node passes here, and is judged.
    fn land(
        &mut self,
        i: usize,
        node: Initiator,
        file: &str,
        change: Change<'_>,
        now: SimTime,
    ) -> Result<SimTime, FileError> {
        let own = self.judge(i, node, now);
        let disk = &mut self.disks[i];
        if matches!(change, Change::Replace(_) | Change::Overwrite(_)) {
            disk.volume.unreadable.remove(file);
        }
        if own {
            return put(&disk.platter, file, change, now);
        }
        match change {
            Change::Replace(bytes) | Change::Overwrite(bytes) => {
                disk.platter.strike(file, 0, bytes)
            }
            Change::At(offset, bytes) => disk.platter.strike(file, offset, bytes),
        }
        Ok(disk.platter.occupy(now, self.params.command))
    }

    /// The invariant of two writers: whether this write is by the node that mounted the volume last.
    fn judge(&mut self, i: usize, node: Initiator, now: SimTime) -> bool {
        let disk = &mut self.disks[i];
        let Some(owner) = disk.last_mounter.filter(|&owner| owner != node) else { return true };
        disk.volume.struck();
        let violation = Violation::TwoWriters { disk: disk.signature, nodes: [owner, node] };
        self.tell(now, Some(i), BusHappening::Violated(violation));
        false
    }
}

impl super::volume::Mount {
    /// How long the file is for programs of this node.
    fn cached_len(&self, file: &str, on_disk: u64) -> u64 {
        let writes = self.cache.iter().filter(|write| write.file == file);
        writes.map(|write| write.offset + write.bytes.len() as u64).fold(on_disk, u64::max)
    }
}

/// What programs of a node read: the platter's bytes under those of its cache.
fn with_cached(mut bytes: Vec<u8>, cache: &[Cached], file: &str) -> Vec<u8> {
    for write in cache.iter().filter(|write| write.file == file) {
        let (start, end) = (write.offset as usize, write.offset as usize + write.bytes.len());
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(&write.bytes);
    }
    bytes
}

/// An orderly write, on the platter at the time returned.
fn put(platter: &Disk, name: &str, change: Change<'_>, now: SimTime) -> Result<SimTime, FileError> {
    let done = match change {
        Change::Replace(bytes) => platter.replace_file(name, bytes),
        Change::Overwrite(bytes) => {
            let file = platter.open(name);
            let shorter = platter.len_of(name) > bytes.len() as u64;
            file.write(0, bytes)
                .and_then(|()| if shorter { file.set_len(bytes.len() as u64) } else { Ok(()) })
                .and_then(|()| file.sync_data())
        }
        Change::At(offset, bytes) => {
            let file = platter.open(name);
            file.write(offset, bytes).and_then(|()| file.sync_data())
        }
    };
    done.map_err(failure)?;
    Ok(platter.submit(now).unwrap_or(now))
}

fn failure(error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::StorageFull => FileError::Full,
        _ => FileError::Lost(ScsiError::Failed),
    }
}
