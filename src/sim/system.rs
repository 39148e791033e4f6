//! What hosts have on which something is installed: a registry on a disk of their own, further adapters,
//! services and programs.
//!
//! The registry's hives live on the host's disk. A change makes its hive dirty, and the hive is written as a
//! whole some time later; what was not written is lost in a crash. Programs are what a scenario invents:
//! they take time to start and stop, need and write values, may crash.

use super::disk::{Disk, DiskParams};
use super::shared::Flush;
use super::waiting::WaitingList;
use crate::base::{Odds, RestingStream, SimDuration, SimTime};
use crate::net::{InterfaceId, SubnetId};
use crate::registry::{Checks, KeyPath, LAZY_FLUSH, Registry, Value};
use std::net::Ipv4Addr;

/// The folder of the hives' files.
const HIVE_FOLDER: &str = "config/";

/// What is installed on a host beyond its NetBT and its WINS service.
#[derive(Clone, Debug, Default)]
pub struct SystemSpec {
    /// Its adapters beside the first.
    pub interfaces: Vec<(SubnetId, Ipv4Addr)>,
    /// What its registry holds before the first boot.
    pub registry: Registry,
    /// Its services and programs.
    pub programs: Vec<ProgramSpec>,
    /// Its own disk.
    pub disk: DiskParams,
}

/// A service or program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramSpec {
    /// Its name at the service control manager; of a program, its file's name.
    pub name: String,
    /// Whether it starts when its host boots.
    pub automatic: bool,
    /// From its start to being ready: the shortest and the longest.
    pub starts_in: (SimDuration, SimDuration),
    /// From the order to stop to its end.
    pub stops_in: (SimDuration, SimDuration),
    /// How often a start fails.
    pub start_fails: Odds,
    /// Mean time it runs until it crashes; `None` for never.
    pub crashes_every: Option<SimDuration>,
    /// Values that must be in the registry for it to start: key, name, data if it matters.
    pub needs: Vec<(KeyPath, String, Option<Value>)>,
    /// What it writes while it runs.
    pub writes: Vec<ProgramWrite>,
    /// Files of the cluster's disks it writes while it runs: the whole path, from one write to the next.
    pub files: Vec<ProgramFile>,
    /// Keys it keeps open while it runs.
    pub keeps_open: Vec<KeyPath>,
    /// Whether it leaves them open when it stops (Q316772).
    pub leaks_handles: bool,
    /// Whether it writes through the cluster's registry: keys are relative to `HKLM\Cluster`.
    pub cluster_aware: bool,
}

/// A file a program writes again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramFile {
    /// Its whole path, with the letter of a shared disk.
    pub path: String,
    /// From one write to the next.
    pub every: (SimDuration, SimDuration),
    /// Whether it is written through, or behind: then it waits in the node's cache for a while.
    pub flush: Flush,
}

/// A value a program writes again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramWrite {
    /// The key, made if it is not there.
    pub key: KeyPath,
    /// The value's name.
    pub value: String,
    /// Its data; `None` for a number that is one more than what the program found there.
    pub data: Option<Value>,
    /// From one write to the next.
    pub every: (SimDuration, SimDuration),
}

/// What a program is doing.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum ProgramState {
    /// Nothing.
    #[default]
    Stopped,
    /// It starts.
    Starting,
    /// It runs.
    Running,
    /// It stops.
    Stopping,
}

/// A program as installed.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) spec: ProgramSpec,
    pub(super) state: ProgramState,
    /// Counts starts and ends: what was planned for an earlier life is void.
    pub(super) life: u32,
    pub(super) chance: RestingStream,
}

/// What a host has on which something is installed.
#[derive(Debug)]
pub struct SystemPart {
    pub(super) interfaces: Vec<InterfaceId>,
    pub(super) hives: Hives,
    pub(super) programs: Vec<Program>,
    /// What the host waits for beyond its machines' deadlines.
    pub(super) waiting: WaitingList,
    pub(super) disk_chance: RestingStream,
}

/// A registry, and its files on a disk.
#[derive(Debug)]
pub struct Hives {
    pub(super) registry: Registry,
    pub(super) disk: Disk,
    /// Names of the hives that have files.
    names: Vec<String>,
    /// When dirty hives are written.
    pub(super) flush_at: SimTime,
}

impl SystemPart {
    pub(super) fn new(spec: SystemSpec, interfaces: Vec<InterfaceId>, host: &str) -> SystemPart {
        let program = |spec: ProgramSpec| Program {
            chance: RestingStream::new(&format!("host/{host}/program/{}", spec.name)),
            spec,
            state: ProgramState::Stopped,
            life: 0,
        };
        SystemPart {
            interfaces,
            hives: Hives::new(spec.registry, Disk::new(spec.disk)),
            programs: spec.programs.into_iter().map(program).collect(),
            waiting: WaitingList::default(),
            disk_chance: RestingStream::new(&format!("host/{host}/system-disk")),
        }
    }

    /// The registry: what programs of the host read now.
    pub fn registry(&self) -> &Registry {
        &self.hives.registry
    }

    /// The disk with the hives and the cluster's own files.
    pub fn disk(&self) -> &Disk {
        &self.hives.disk
    }

    /// Its services and programs with their states, in order.
    pub fn programs(&self) -> impl Iterator<Item = (&str, ProgramState)> {
        self.programs.iter().map(|program| (program.spec.name.as_str(), program.state))
    }

    /// Somebody sets the host up: what is written is on the disk at the first boot.
    pub(super) fn set_up(&mut self, write: impl FnOnce(&mut Registry)) {
        write(&mut self.hives.registry);
        self.hives.flush(SimTime::ZERO);
    }

    pub(super) fn program(&self, name: &str) -> Option<usize> {
        self.programs.iter().position(|program| program.spec.name.eq_ignore_ascii_case(name))
    }
}

impl Hives {
    fn new(registry: Registry, disk: Disk) -> Hives {
        let hive_name = |id| registry.mount_point(id).map(|path| path.as_str().to_owned());
        let names = registry.mounted().filter_map(|id| hive_name(id).ok()).collect();
        let mut hives = Hives { registry, disk, names, flush_at: SimTime::MAX };
        for id in hives.registry.mounted().collect::<Vec<_>>() {
            // A disk that cannot hold the registry of an installed system holds no system.
            let _ = hives.write(id);
        }
        hives.disk.submit(SimTime::ZERO);
        hives.registry.take_dirtied();
        hives
    }

    fn write(&mut self, id: crate::registry::HiveId) -> Option<()> {
        let name = self.registry.mount_point(id).ok()?.as_str().to_owned();
        if !self.names.contains(&name) {
            return None;
        }
        let bytes = self.registry.flush(id).ok()?;
        if self.disk.replace_file(&format!("{HIVE_FOLDER}{name}"), &bytes).is_err() {
            self.registry.soil(id).ok()?;
        }
        Some(())
    }

    /// Writes every dirty hive that has a file.
    pub(super) fn flush(&mut self, now: SimTime) {
        self.flush_at = SimTime::MAX;
        for id in self.registry.mounted().collect::<Vec<_>>() {
            if self.registry.is_dirty(id) {
                self.write(id);
            }
        }
        self.registry.take_dirtied();
        self.disk.submit(now);
    }

    /// Something was changed: plans a write of what became dirty.
    pub(super) fn changed(&mut self, now: SimTime) {
        if self.registry.has_dirtied() {
            self.registry.take_dirtied();
            self.flush_at = self.flush_at.min(now + LAZY_FLUSH);
        }
    }

    /// The system starts: the registry is what the disk holds.
    pub(super) fn load(&mut self) {
        let mut registry = Registry::new();
        for name in &self.names {
            let Ok(id) = registry.mount(name) else { continue };
            if let Ok(Some(bytes)) = self.disk.read_file(&format!("{HIVE_FOLDER}{name}")) {
                // A damaged hive leaves the key empty: what stands in it is then missing.
                let _ = registry.load(id, &bytes, Checks::All);
            }
        }
        registry.take_dirtied();
        self.registry = registry;
        self.flush_at = SimTime::MAX;
    }
}
