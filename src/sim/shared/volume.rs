//! Volumes: mount, check, dismount.
//!
//! | phase | begins | ends |
//! | --- | --- | --- |
//! | offline | | [`SharedBus::mount`] |
//! | mounting | `mount` | after [`BusParams::mount`], or when the disk is lost |
//! | checking | the volume needs a check, and the rule does not skip it | after [`BusParams::check_time`] |
//! | online | [`SharedBus::mounted`], called when `mount` said | dismount, or loss of the disk |
//!
//! A volume needs a check when it was mounted by a node that died or lost the disk, when a medium or a second
//! writer hurt it, or when a file of its root or its quorum folder cannot be read (Q174617). What a check
//! repairs it repairs at its end: a node that dies in the middle leaves the volume as it was.

use super::{
    Answer, BusHappening, BusParams, Chkdsk, FileError, Initiator, MountError, MountRule, Mounted,
    Phase, ScsiError, SharedBus, Signature,
};
use crate::base::SimTime;
use crate::sim::disk::SECTOR_BYTES;
use std::collections::BTreeMap;

/// What is written on the platter about the file system.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) formatted: bool,
    pub(super) raw: bool,
    /// Needs a check.
    pub(super) dirty: bool,
    pub(super) harm: Harm,
    /// Files with a sector that cannot be read, and where it begins.
    pub(super) unreadable: BTreeMap<String, u64>,
    /// The node that has it mounted, and when its dismount is on the platter.
    in_use: Option<(Initiator, Option<SimTime>)>,
}

/// How badly the file system is hurt.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Harm {
    #[default]
    None,
    Minor,
    Major,
    /// A check cannot complete.
    Severe,
}

/// A volume as a node has it mounted.
#[derive(Debug)]
pub(super) struct Mount {
    rule: MountRule,
    /// When the mount proper is over.
    mounted_at: SimTime,
    /// When the check is over, if there is one.
    checked_at: Option<SimTime>,
    pub(super) online: bool,
    pub(super) cache: Vec<Cached>,
    /// When the cache writes what it has.
    pub(super) write_at: SimTime,
}

/// A write that waits in a node's cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cached {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl SharedBus {
    /// Begins to bring the volume online on a node that holds the disk. The answer says when to call
    /// [`SharedBus::mounted`]; until then the disk may be lost, and the check may be stopped by
    /// [`SharedBus::give_up`].
    pub fn mount(
        &mut self,
        node: Initiator,
        disk: Signature,
        rule: MountRule,
        now: SimTime,
    ) -> Answer<(), MountError> {
        self.on_deadline(now);
        let i = match self.mountable(node, disk) {
            Ok(i) => i,
            Err(why) => {
                let scsi = match why {
                    MountError::Scsi(why) => Some(why),
                    _ => None,
                };
                return Answer { at: self.answer_at(scsi, now), result: Err(why) };
            }
        };
        let begin = self.answer_at(None, now).max(self.disks[i].platter.busy_until());
        let mounted_at = begin + self.params.mount;
        let state = &mut self.disks[i];
        if !state.volume.formatted {
            return Answer { at: mounted_at, result: Err(MountError::NotFormatted) };
        }
        let check = state.volume.needs_check(&self.params, now) && !rule.skip_chkdsk;
        let capacity = state.platter.capacity();
        let checked_at = check.then(|| mounted_at + self.params.check_time(capacity));
        state.volume.taken(node, &self.params, now);
        state.last_mounter = Some(node);
        self.slot(i, node).mount = Some(Mount {
            rule,
            mounted_at,
            checked_at,
            online: false,
            cache: Vec::new(),
            write_at: SimTime::MAX,
        });
        self.bus_changed(now);
        Answer { at: checked_at.unwrap_or(mounted_at), result: Ok(()) }
    }

    fn mountable(&mut self, node: Initiator, disk: Signature) -> Result<usize, MountError> {
        let i = self.reach(node, disk).map_err(MountError::Scsi)?;
        self.permit(i, node).map_err(MountError::Scsi)?;
        let state = &self.disks[i];
        if state.slots[usize::from(node.0)].mount.is_some() {
            return Err(MountError::Already);
        }
        if state.reserved_by == Some(node) { Ok(i) } else { Err(MountError::NotReserved) }
    }

    /// Completes what [`SharedBus::mount`] began: the result of the check is written, and the volume is
    /// online.
    ///
    /// # Errors
    /// The disk was lost meanwhile, the check left no clean volume and the rule wants one, or it is too
    /// early.
    pub fn mounted(
        &mut self,
        node: Initiator,
        disk: Signature,
        now: SimTime,
    ) -> Result<Mounted, MountError> {
        self.on_deadline(now);
        let i = self.index(disk).ok_or(MountError::Scsi(ScsiError::NoSuchDisk))?;
        let Some(mount) = &self.slot(i, node).mount else { return Err(MountError::GivenUp) };
        let (rule, checked) = (mount.rule, mount.checked_at.is_some());
        if mount.phase(now) < Phase::Mounted {
            return Err(MountError::NotYet);
        }
        if let Err(why) = self.admit(i, node) {
            self.lose_mount(i, node, now);
            return Err(MountError::Scsi(why));
        }
        let state = &mut self.disks[i];
        state.platter.settle(now);
        let check = checked.then(|| state.volume.check());
        if let Some(status) = check {
            if status.leaves_clean() {
                for (file, offset) in std::mem::take(&mut state.volume.unreadable) {
                    // The bad sector is replaced by an empty one.
                    let len = state.platter.len_of(&file).saturating_sub(offset);
                    let zeros = vec![0; len.min(SECTOR_BYTES as u64) as usize];
                    state.platter.strike(&file, offset, &zeros);
                }
            }
            self.tell(now, Some(i), BusHappening::Checked { node, status });
            if !status.leaves_clean() && rule.conditional_mount {
                self.disks[i].volume.closed(node, now);
                self.slot(i, node).mount = None;
                return Err(MountError::CheckFailed(status));
            }
        }
        if let Some(mount) = &mut self.slot(i, node).mount {
            mount.online = true;
        }
        Ok(Mounted { check, dirty: self.disks[i].volume.dirty })
    }

    /// Takes the volume offline in order: what is in the cache is written, and the volume is clean when the
    /// answer comes. The reservation stays: [`SharedBus::release`] it then.
    pub fn dismount(
        &mut self,
        node: Initiator,
        disk: Signature,
        now: SimTime,
    ) -> Answer<(), FileError> {
        self.on_deadline(now);
        let Some(i) = self.index(disk).filter(|&i| self.phase_at(i, node, now) == Phase::Online)
        else {
            self.give_up(node, disk, now);
            return Answer { at: now, result: Err(FileError::NotMounted) };
        };
        if self.disks[i].volume.raw && self.params.quirks.raw_not_dismounted {
            self.lose_mount(i, node, now);
            self.disks[i].volume.closed(node, now);
            return Answer { at: self.answer_at(None, now), result: Ok(()) };
        }
        let written = self.access(i, node, now).map_err(FileError::Lost);
        if let Err(why) = written.and_then(|()| self.drain(i, node, now)) {
            self.lose_mount(i, node, now);
            return Answer { at: self.answer_at(None, now), result: Err(why) };
        }
        let state = &mut self.disks[i];
        if state.last_mounter == Some(node) {
            // Databases that are still open write through handles of their own: those end here.
            state.platter.submit(now);
            state.platter.end_leases();
        }
        let at = state.platter.occupy(now, self.params.command);
        state.volume.closed(node, at);
        self.slot(i, node).mount = None;
        Answer { at, result: Ok(()) }
    }

    /// The node lets go of the volume without a dismount: its cluster service has stopped, or the check took
    /// too long. What is in the cache is lost, a check ends as [`Chkdsk::Aborted`], the volume stays dirty.
    pub fn give_up(&mut self, node: Initiator, disk: Signature, now: SimTime) {
        self.on_deadline(now);
        let Some(i) = self.index(disk) else { return };
        let phase = self.phase_at(i, node, now);
        if phase == Phase::Checking {
            let status = Chkdsk::Aborted;
            self.tell(now, Some(i), BusHappening::Checked { node, status });
        }
        if phase == Phase::Online && self.params.quirks.loser_breaks_reservation {
            // Nothing tells this driver's file system to stop: it writes what it has.
            let _ = self.write_cache(i, node, now);
        }
        self.lose_mount(i, node, now);
    }

    /// What the node's volume is doing.
    pub fn phase(&self, node: Initiator, disk: Signature, now: SimTime) -> Phase {
        self.index(disk).map_or(Phase::Offline, |i| self.phase_at(i, node, now))
    }

    /// Whether the next mount would check the volume.
    pub fn needs_check(&self, disk: Signature, now: SimTime) -> bool {
        self.index(disk).is_some_and(|i| self.disks[i].volume.needs_check(&self.params, now))
    }

    pub(super) fn phase_at(&self, i: usize, node: Initiator, now: SimTime) -> Phase {
        let mount = &self.disks[i].slots[usize::from(node.0)].mount;
        mount.as_ref().map_or(Phase::Offline, |mount| mount.phase(now))
    }

    /// The node has the volume no more. What waits in its cache is lost (event 26).
    pub(super) fn lose_mount(&mut self, i: usize, node: Initiator, now: SimTime) {
        let Some(mount) = self.slot(i, node).mount.take() else { return };
        for write in mount.cache {
            self.lost_write(i, node, write.file, write.bytes.len(), now);
        }
        if self.disks[i].last_mounter == Some(node) {
            self.disks[i].volume.died(node, now);
            self.end_leases(i, node, now);
        }
    }

    /// Programs of that node can use the disk no more.
    pub(super) fn end_leases(&mut self, i: usize, node: Initiator, now: SimTime) {
        let bytes = self.disks[i].platter.end_leases();
        if bytes > 0 {
            self.lost_write(i, node, String::new(), bytes, now);
        }
    }

    pub(super) fn lost_write(
        &mut self,
        i: usize,
        node: Initiator,
        file: String,
        bytes: usize,
        now: SimTime,
    ) {
        let what = BusHappening::LostDelayedWrite { node, file, bytes: bytes as u32 };
        self.tell(now, Some(i), what);
    }
}

impl Volume {
    pub(super) fn new(formatted: bool, raw: bool) -> Volume {
        Volume {
            formatted,
            raw,
            dirty: false,
            harm: Harm::None,
            unreadable: BTreeMap::new(),
            in_use: None,
        }
    }

    /// Whether somebody mounted it and never dismounted it.
    fn left_open(&self, now: SimTime) -> bool {
        self.in_use.is_some_and(|(_, closed)| closed.is_none_or(|at| now < at))
    }

    pub(super) fn needs_check(&self, params: &BusParams, now: SimTime) -> bool {
        let seen = |file: &str| match file.split_once(['\\', '/']) {
            None => true,
            Some((folder, _)) => folder.eq_ignore_ascii_case(&params.quorum_folder),
        };
        self.dirty
            || self.harm > Harm::None
            || (self.left_open(now) && !params.recovers_by_log)
            || self.unreadable.keys().any(|file| seen(file))
    }

    /// A node begins to mount it.
    fn taken(&mut self, node: Initiator, params: &BusParams, now: SimTime) {
        self.dirty |= self.left_open(now) && !params.recovers_by_log;
        self.in_use = Some((node, None));
    }

    /// A node's dismount is on the platter at that time.
    fn closed(&mut self, node: Initiator, at: SimTime) {
        if let Some((user, closed)) = &mut self.in_use
            && *user == node
        {
            *closed = Some(at);
        }
    }

    /// A node that had it mounted is gone. A dismount that was on its way never arrives.
    pub(super) fn died(&mut self, node: Initiator, now: SimTime) {
        if let Some((user, closed)) = &mut self.in_use
            && *user == node
        {
            *closed = closed.filter(|&at| at <= now);
        }
    }

    /// Another node's write landed in the middle.
    pub(super) fn struck(&mut self) {
        self.dirty = true;
        self.harm = self.harm.max(Harm::Major);
    }

    fn check(&mut self) -> Chkdsk {
        let status = match self.harm {
            Harm::Severe => return Chkdsk::Incomplete,
            Harm::Major => Chkdsk::MajorFixed,
            Harm::Minor => Chkdsk::MinorFixed,
            Harm::None if !self.unreadable.is_empty() => Chkdsk::MinorFixed,
            Harm::None => Chkdsk::Clean,
        };
        (self.dirty, self.harm) = (false, Harm::None);
        status
    }
}

impl Mount {
    fn phase(&self, now: SimTime) -> Phase {
        match self.checked_at {
            _ if self.online => Phase::Online,
            _ if now < self.mounted_at => Phase::Mounting,
            Some(end) if now < end => Phase::Checking,
            _ => Phase::Mounted,
        }
    }

    /// When the cache writes what it has, if it has anything.
    pub(super) fn cache_due(&self) -> Option<SimTime> {
        (!self.cache.is_empty()).then_some(self.write_at)
    }

    /// The cache's owner stood still until now.
    pub(super) fn delay_cache(&mut self, now: SimTime) {
        self.write_at = self.write_at.max(now);
    }
}
