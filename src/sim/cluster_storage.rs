//! The world's half of a node's storage: SCSI commands, files on its own disk and on the shared ones. What a
//! command does it does at once; its answer is an event at the time when the disk is done.

use super::disk::Disk;
use super::happening::What;
use super::host::Life;
use super::shared::{
    Answer, BusFault, BusHappening, FileError, Flush, Initiator, MountError, MountRule, ResetScope,
    ScsiError, SharedBus, Signature,
};
use super::waiting::{FileOutcome, Waiting};
use super::world::World;
use crate::base::{Outbox, Scheduler, SimDuration, SimTime};
use crate::cluster::{
    ClusterOutput, DiskId, FileOperation, NodeId, ScsiCommand, ScsiResult, Ticket,
};
use redb::StorageBackend;
use std::io;

/// What a program writes into a file at once: a sector.
const RECORD: usize = 512;
/// What a file operation over the net takes longer than at home.
const SHARE_TRIP: SimDuration = SimDuration::from_millis(2);
/// When a redirector gives up a server that does not answer (SESSTIMEOUT is 45 s; a dead connection is seen
/// sooner, after five transmissions).
const SHARE_TIMEOUT: SimDuration = SimDuration::from_secs(5);

/// The path on a node's own disk of a file below `%SystemRoot%\Cluster`.
pub(super) fn own_path(path: &str) -> String {
    format!("cluster/{path}")
}

/// SCSI.
impl World {
    pub(super) fn scsi_command<S: Scheduler>(
        &mut self,
        h: usize,
        ticket: Ticket,
        disk: DiskId,
        command: ScsiCommand,
        sched: &mut S,
    ) {
        let now = sched.now();
        let Some(part) = &self.hosts[h].cluster else { return };
        let (site, node, life) = (part.site, part.initiator, part.service.life);
        let bus = &mut self.clusters[site].bus;
        let signature = part.signatures.get(usize::from(disk.0)).copied().unwrap_or(Signature(0));
        let (at, result) = match command {
            ScsiCommand::Reserve => scsi(bus.reserve(node, signature, now)),
            ScsiCommand::ReserveUndisturbed => {
                let cluster = &self.clusters[site];
                let own = cluster.resets[usize::from(node.0)];
                if cluster.resets.iter().any(|&other| other > own) {
                    let answer = self.clusters[site].bus.test(node, signature, now);
                    (answer.at, Ok(ScsiResult::Disturbed))
                } else {
                    scsi(self.clusters[site].bus.reserve(node, signature, now))
                }
            }
            ScsiCommand::Release => scsi(bus.release(node, signature, now)),
            ScsiCommand::Reset => scsi(bus.reset(node, ResetScope::Bus, now)),
            ScsiCommand::Test => scsi(bus.test(node, signature, now)),
            ScsiCommand::ResetDisk => scsi(bus.reset(node, ResetScope::Target(signature), now)),
            ScsiCommand::Mount { skip_chkdsk, conditional_mount } => {
                let rule = MountRule { skip_chkdsk, conditional_mount };
                let answer = bus.mount(node, signature, rule, now);
                (answer.at, answer.result.map_or_else(|why| Ok(mount_result(why)), |()| Err(disk)))
            }
            ScsiCommand::Dismount => {
                let answer = bus.dismount(node, signature, now);
                let result = match answer.result {
                    Ok(()) | Err(FileError::NotMounted) => ScsiResult::Done,
                    Err(FileError::Lost(why)) => scsi_result(Err(why)),
                    Err(_) => ScsiResult::Failed,
                };
                (answer.at, Ok(result))
            }
        };
        self.bus_told(site, sched);
        self.wait(h, at, Waiting::Scsi { ticket, life, result }, sched);
    }

    /// The mount that was begun is over.
    pub(super) fn mounted<S: Scheduler>(
        &mut self,
        h: usize,
        disk: DiskId,
        sched: &mut S,
    ) -> ScsiResult {
        let Some(part) = &self.hosts[h].cluster else { return ScsiResult::Failed };
        let (site, node) = (part.site, part.initiator);
        let signature = part.signatures.get(usize::from(disk.0)).copied().unwrap_or(Signature(0));
        let mounted = self.clusters[site].bus.mounted(node, signature, sched.now());
        self.bus_told(site, sched);
        mounted.map_or_else(mount_result, |_| ScsiResult::Done)
    }

    /// The bus does something by itself.
    pub(super) fn on_bus<S: Scheduler>(&mut self, site: usize, sched: &mut S) {
        if let Some(cluster) = self.clusters.get_mut(site) {
            cluster.bus.on_deadline(sched.now());
            self.bus_told(site, sched);
        }
    }

    /// Something breaks on a bus, or is mended. Whether there is what was to break.
    pub fn bus_fault<S: Scheduler>(
        &mut self,
        site: usize,
        fault: &BusFault,
        sched: &mut S,
    ) -> bool {
        let done = self.clusters[site].bus.fault(fault, sched.now()).is_ok();
        self.bus_told(site, sched);
        done
    }

    /// A fault resets a bus: so it looks as if this node had done it.
    pub fn reset_bus_by_fault<S: Scheduler>(&mut self, site: usize, by: Initiator, sched: &mut S) {
        self.clusters[site].reset_is_fault = true;
        self.with_bus(site, |bus, now| drop(bus.reset(by, ResetScope::Bus, now)), sched);
        self.clusters[site].reset_is_fault = false;
    }

    /// Somebody does something else with a bus.
    pub fn with_bus<S: Scheduler, T>(
        &mut self,
        site: usize,
        act: impl FnOnce(&mut SharedBus, crate::base::SimTime) -> T,
        sched: &mut S,
    ) -> T {
        let done = act(&mut self.clusters[site].bus, sched.now());
        self.bus_told(site, sched);
        done
    }

    /// Passes on what happened on a bus, and sets its timer.
    pub(super) fn bus_told<S: Scheduler>(&mut self, site: usize, sched: &mut S) {
        let cluster = &mut self.clusters[site];
        match cluster.bus.next_deadline() {
            Some(at) => sched.arm(cluster.timer, at),
            None => sched.cancel(cluster.timer),
        }
        for event in cluster.bus.take_events() {
            let what = match event.what {
                BusHappening::Reset { by, dropped } => {
                    let count = self.clusters[site].resets.iter().max().copied().unwrap_or(0);
                    self.clusters[site].resets[usize::from(by.0)] = count + 1;
                    let is_fault = self.clusters[site].reset_is_fault;
                    (by, What::BusReset { dropped, is_fault })
                }
                BusHappening::ReservationLost { node, .. } => (node, What::ReservationLost),
                BusHappening::LostDelayedWrite { node, .. } => {
                    (node, What::Logged { id: 26, name: None })
                }
                BusHappening::Checked { node, status } => {
                    (node, What::VolumeChecked { status: status.code() })
                }
                BusHappening::Violated(violation) => {
                    let super::shared::Violation::TwoWriters { nodes, .. } = violation;
                    (nodes[1], What::Violated(violation))
                }
            };
            let host = self.clusters[site].spec.hosts.get(usize::from(what.0.0)).copied();
            if let Some(host) = host {
                self.tell(host.0 as usize, what.1, sched);
            }
        }
    }
}

/// Files.
impl World {
    /// A program writes a record, through its node's cache, at the beginning of a file on a shared disk. It
    /// goes on without if it cannot: nothing happens on a node that has not the disk.
    pub(super) fn write_shared_file<S: Scheduler>(
        &mut self,
        h: usize,
        path: &str,
        flush: Flush,
        sched: &mut S,
    ) {
        let Some(part) = &self.hosts[h].cluster else { return };
        let (site, node) = (part.site, part.initiator);
        let Some((disk, rest)) = part.config.disk_of_path(path) else { return };
        let Some(&signature) = part.signatures.get(usize::from(disk.0)) else { return };
        let file = rest.trim_start_matches('\\');
        let record = [node.0; RECORD];
        let bus = &mut self.clusters[site].bus;
        let _ = bus.write_at(node, signature, file, (0, &record), flush, sched.now());
        self.bus_told(site, sched);
    }

    /// A file of the node's own, as it is now.
    pub(super) fn read_own(&self, h: usize, path: &str) -> Option<Vec<u8>> {
        let system = self.hosts[h].system.as_ref()?;
        system.hives.disk.read_file(&own_path(path)).ok().flatten()
    }

    pub(super) fn own_file<S: Scheduler>(
        &mut self,
        h: usize,
        ticket: Ticket,
        path: &str,
        operation: FileOperation,
        out: &Outbox<ClusterOutput>,
        sched: &mut S,
    ) {
        let now = sched.now();
        let host = &self.hosts[h];
        let (Some(part), Some(system)) = (&host.cluster, &host.system) else { return };
        let (disk, life) = (&system.hives.disk, part.service.life);
        let result = on_own_disk(disk, &own_path(path), operation, out);
        let result = result.unwrap_or_else(file_failure);
        let at = disk.submit(now).unwrap_or(now);
        disk.settle(now);
        self.wait(h, at, Waiting::File { ticket, life, result }, sched);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "an output, field by field, and where it came from"
    )]
    pub(super) fn shared_file<S: Scheduler>(
        &mut self,
        h: usize,
        ticket: Ticket,
        disk: DiskId,
        path: &str,
        operation: FileOperation,
        out: &Outbox<ClusterOutput>,
        sched: &mut S,
    ) {
        let Some(part) = &self.hosts[h].cluster else { return };
        let (site, node, life) = (part.site, part.initiator, part.service.life);
        let signature = part.signatures.get(usize::from(disk.0)).copied().unwrap_or(Signature(0));
        let bus = &mut self.clusters[site].bus;
        let answer = on_shared_disk(bus, (node, signature), path, operation, out, sched);
        let result = answer.result.unwrap_or_else(|why| match why {
            FileError::Full => FileOutcome::Full,
            _ => FileOutcome::Failed,
        });
        self.bus_told(site, sched);
        self.wait(h, answer.at, Waiting::File { ticket, life, result }, sched);
    }
}

/// Files that nodes share for the quorum of a majority node set (KB 258750).
impl World {
    #[expect(
        clippy::too_many_arguments,
        reason = "an output, field by field, and where it came from"
    )]
    pub(super) fn replica_file<S: Scheduler>(
        &mut self,
        h: usize,
        ticket: Ticket,
        owner: NodeId,
        path: &str,
        operation: FileOperation,
        out: &Outbox<ClusterOutput>,
        sched: &mut S,
    ) {
        let now = sched.now();
        let Some(part) = &self.hosts[h].cluster else { return };
        let (site, me, life) = (part.site, part.node, part.service.life);
        let host = self.clusters[site].host(owner).map(|host| host.0 as usize);
        let Some(there) = host.filter(|&there| self.shares_reach(h, there, now)) else {
            // A lock that cannot be reached any more is none.
            self.clusters[site].locks.retain(|(whose, _), by| *whose != owner || *by != me);
            let what = Waiting::File { ticket, life, result: FileOutcome::Failed };
            return self.wait(h, now + SHARE_TIMEOUT, what, sched);
        };
        let trip = if there == h { SimDuration::ZERO } else { SHARE_TRIP };
        let key = (owner, path.to_owned());
        let locks = &mut self.clusters[site].locks;
        let locker = locks.get(&key).copied();
        let (result, at) = match operation {
            _ if locker.is_some_and(|locker| locker != me) => (FileOutcome::Locked, now),
            FileOperation::Lock => {
                locks.insert(key, me);
                (FileOutcome::Done, now)
            }
            FileOperation::Unlock => {
                locks.remove(&key);
                (FileOutcome::Done, now)
            }
            operation => {
                let Some(system) = &self.hosts[there].system else { return };
                let disk = &system.hives.disk;
                let result = on_own_disk(disk, &own_path(path), operation, out);
                let result = result.unwrap_or_else(file_failure);
                (result, disk.submit(now).unwrap_or(now))
            }
        };
        self.wait(h, at + trip, Waiting::File { ticket, life, result }, sched);
    }

    /// Whether a node reaches the files of another's host now.
    fn shares_reach(&mut self, h: usize, there: usize, now: SimTime) -> bool {
        if h == there {
            return true;
        }
        if self.hosts[there].life != Life::On {
            return false;
        }
        let adapters = |h: usize| self.hosts[h].cluster.as_ref().map(|part| part.adapters.clone());
        let (Some(here), Some(other)) = (adapters(h), adapters(there)) else { return false };
        here.iter().zip(other).any(|(a, b)| match (a, b) {
            (Some((a, _)), Some((b, _))) => {
                self.net.is_interface_up(*a)
                    && self.net.is_interface_up(b)
                    && self.net.reaches(*a, b, now)
                    && self.net.reaches(b, *a, now)
            }
            _ => false,
        })
    }
}

fn file_failure(error: io::Error) -> FileOutcome {
    match error.kind() {
        io::ErrorKind::StorageFull => FileOutcome::Full,
        _ => FileOutcome::Failed,
    }
}

fn on_own_disk(
    disk: &Disk,
    path: &str,
    operation: FileOperation,
    out: &Outbox<ClusterOutput>,
) -> io::Result<FileOutcome> {
    Ok(match operation {
        // Nobody else opens a node's own files.
        FileOperation::Lock | FileOperation::Unlock => FileOutcome::Done,
        FileOperation::Read => FileOutcome::Content(disk.read_file(path)?),
        FileOperation::Replace(bytes) => {
            disk.replace_file(path, out.bytes(bytes))?;
            FileOutcome::Done
        }
        FileOperation::Overwrite(bytes) => {
            let (file, bytes) = (disk.open(path), out.bytes(bytes));
            file.write(0, bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_data()?;
            FileOutcome::Done
        }
        FileOperation::Append(bytes) => {
            let file = disk.open(path);
            file.write(file.len()?, out.bytes(bytes))?;
            file.sync_data()?;
            FileOutcome::Done
        }
        FileOperation::Delete => {
            disk.remove_file(path);
            FileOutcome::Done
        }
        FileOperation::DeleteTree => {
            disk.names(path).iter().for_each(|name| disk.remove_file(name));
            FileOutcome::Done
        }
        FileOperation::List => {
            let cut = own_path("").len();
            FileOutcome::Names(disk.names(path).iter().map(|n| n[cut..].to_owned()).collect())
        }
    })
}

fn on_shared_disk<S: Scheduler>(
    bus: &mut SharedBus,
    (node, disk): (Initiator, Signature),
    path: &str,
    operation: FileOperation,
    out: &Outbox<ClusterOutput>,
    sched: &mut S,
) -> Answer<FileOutcome, FileError> {
    let now = sched.now();
    let done = |answer: Answer<(), FileError>| {
        let missing = answer.result == Err(FileError::NotFound);
        let answer = if missing { Answer { at: answer.at, result: Ok(()) } } else { answer };
        answer.map(|()| FileOutcome::Done)
    };
    match operation {
        FileOperation::Read => {
            let answer = bus.read(node, disk, path, now);
            let result = match answer.result {
                Err(FileError::NotFound) => Ok(FileOutcome::Content(None)),
                Ok(bytes) => {
                    sched.fold(crate::base::hash_bytes(&bytes));
                    Ok(FileOutcome::Content(Some(bytes)))
                }
                Err(why) => Err(why),
            };
            Answer { at: answer.at, result }
        }
        FileOperation::Replace(bytes) => done(bus.replace(node, disk, path, out.bytes(bytes), now)),
        FileOperation::Overwrite(bytes) => {
            done(bus.overwrite(node, disk, path, out.bytes(bytes), now))
        }
        FileOperation::Append(bytes) => {
            done(bus.append(node, disk, path, out.bytes(bytes), Flush::Through, now))
        }
        FileOperation::Delete => done(bus.delete(node, disk, path, now)),
        FileOperation::DeleteTree => {
            let listed = bus.list(node, disk, path, now);
            let Ok(names) = listed.result else {
                return Answer { at: listed.at, result: Err(FileError::NotMounted) };
            };
            let mut last = Answer { at: listed.at, result: Ok(()) };
            for name in names {
                last = bus.delete(node, disk, &name, now);
                if !matches!(last.result, Ok(()) | Err(FileError::NotFound)) {
                    break;
                }
            }
            done(last)
        }
        FileOperation::List => bus.list(node, disk, path, now).map(FileOutcome::Names),
        // Whoever holds the disk is alone with its files.
        FileOperation::Lock | FileOperation::Unlock => {
            Answer { at: now, result: Ok(FileOutcome::Done) }
        }
    }
}

fn scsi(answer: Answer<()>) -> (crate::base::SimTime, Result<ScsiResult, DiskId>) {
    (answer.at, Ok(scsi_result(answer.result)))
}

fn scsi_result(result: Result<(), ScsiError>) -> ScsiResult {
    match result {
        Ok(()) => ScsiResult::Done,
        Err(ScsiError::Conflict) => ScsiResult::Conflict,
        Err(ScsiError::NoSuchDisk) => ScsiResult::Missing,
        Err(ScsiError::BusDown | ScsiError::Failed | ScsiError::NodeDown) => ScsiResult::Failed,
    }
}

fn mount_result(why: MountError) -> ScsiResult {
    match why {
        MountError::Already => ScsiResult::Done,
        MountError::Scsi(why) => scsi_result(Err(why)),
        MountError::NotReserved => ScsiResult::Conflict,
        MountError::CheckFailed(_) => ScsiResult::Corrupt,
        // Without a file system nothing is damaged: there is nothing to mount (event 1035, not 1066).
        MountError::NotFormatted | MountError::GivenUp | MountError::NotYet => ScsiResult::Failed,
    }
}
