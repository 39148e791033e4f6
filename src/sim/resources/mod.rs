//! Resource DLLs as simulated code: what the resource monitor calls, and what it is told.
//!
//! | type | online | offline |
//! | --- | --- | --- |
//! | IP Address | asks by ARP whether anybody has the address, then takes it | gives it up |
//! | Network Name | registers the name through the NetBT of its addresses | releases it |
//! | Generic Service, Generic Application | starts a program of the host | stops it, or kills it |
//! | WINS | starts the WINS server with its database on the shared disk | stops it |
//! | DHCP | starts the service of that name, if disk, address and name are there | stops it |
//! | File Share | looks for its folder's disk (event 1068), takes a moment | takes a moment |
//! | Time Service | takes a moment | takes a moment |
//!
//! Physical Disk is the cluster service's own. A DLL that has nothing new to tell costs nothing: outcomes of
//! polls are told when they change.

mod address;
mod dhcp;
mod name;
mod service;
mod share;
mod wins;

pub(super) use address::AddressCode;

use super::cluster_part::Reply;
use super::disk::DiskLease;
use super::happening::What;
use super::waiting::{ResourceStep, Waiting};
use super::world::World;
use crate::base::{Scheduler, SimDuration, SimTime};
use crate::cluster::{
    FailureCause, ResourceCall, ResourceConfig, ResourceEvent, ResourceId, ResourceKind,
};
use crate::registry::KeyPath;
use crate::registry::services::dhcp as dhcp_keys;

/// What types without a program behind them take to come online or go offline. Not documented; "a moment".
const MOMENT: SimDuration = SimDuration::from_millis(200);

/// ERROR_MOD_NOT_FOUND.
const MODULE_NOT_FOUND: u32 = 126;
/// Where a node says in which folder its Windows is: the key, the value, and what it is if it is not there.
const SYSTEM_ROOT: (&str, &str, &str) =
    (r"Software\Microsoft\Windows NT\CurrentVersion", "SystemRoot", r"C:\WINNT");

/// What a DLL is doing with one resource.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Phase {
    #[default]
    Stopped,
    Starting,
    Running,
    Stopping,
}

/// The code of one resource on one node.
#[derive(Debug)]
pub(in crate::sim) struct Dll {
    pub(super) phase: Phase,
    /// Counts calls: what was planned since an earlier one is void.
    pub(super) call: u32,
    pub(super) code: Code,
    /// What the database said of the resource when it was last brought online: new properties count from
    /// the next start (SDK: private properties).
    pub(in crate::sim) config: ResourceConfig,
}

/// What kind of code it is.
#[derive(Debug)]
pub(super) enum Code {
    /// Nothing but time.
    Moment,
    Address(AddressCode),
    Name,
    Share,
    /// A program of the host, if it has one of that name.
    Program {
        /// Its name.
        name: String,
        /// Whether its end is seen at once (a process), or by the next poll (a service).
        watched: bool,
    },
    Wins,
}

/// Why a resource failed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    /// The system's number, or 0 if there is none.
    error: u32,
    /// What has an entry of its own in the event log.
    cause: Option<FailureCause>,
}

impl Failure {
    /// One that has no entry of its own.
    const fn number(error: u32) -> Failure {
        Failure { error, cause: None }
    }

    const fn with(error: u32, cause: FailureCause) -> Failure {
        Failure { error, cause: Some(cause) }
    }
}

impl Dll {
    pub(in crate::sim) fn new(config: ResourceConfig) -> Dll {
        let code = Code::of(&config.kind);
        Dll { phase: Phase::Stopped, call: 0, code, config }
    }

    /// Takes what the database says now. An address keeps its place on the network.
    fn reread(&mut self, config: ResourceConfig) {
        if config == self.config {
            return;
        }
        let code = Code::of(&config.kind);
        if !matches!((&self.code, &code), (Code::Address(_), Code::Address(_))) {
            self.code = code;
        }
        self.config = config;
    }

    /// Whether code of the resource runs.
    pub(in crate::sim) fn runs(&self) -> bool {
        self.phase != Phase::Stopped
    }
}

impl Code {
    fn of(kind: &ResourceKind) -> Code {
        match kind {
            ResourceKind::IpAddress { .. } => Code::Address(AddressCode::default()),
            ResourceKind::NetworkName { .. } => Code::Name,
            ResourceKind::GenericService { service, .. } => {
                Code::Program { name: service.clone(), watched: false }
            }
            ResourceKind::GenericApplication { command_line, .. } => {
                Code::Program { name: service::file_name(command_line), watched: true }
            }
            ResourceKind::PhysicalDisk { .. } | ResourceKind::TimeService => Code::Moment,
            ResourceKind::FileShare { .. } => Code::Share,
            ResourceKind::Wins { .. } => Code::Wins,
            ResourceKind::Dhcp { .. } => {
                Code::Program { name: dhcp_keys::SERVICE.into(), watched: false }
            }
        }
    }
}

impl World {
    /// Reads what the database says of a resource: one that was created while the cluster runs gets its
    /// code here.
    fn reread_resource(&mut self, h: usize, resource: ResourceId) {
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let Some(service) = &part.service.machine else { return };
        let Some(config) = service.database().resource_config(resource, &part.config) else {
            return;
        };
        let place = usize::from(resource.0);
        while part.dlls.len() <= place {
            // Numbers that were skipped belong to resources that were never started here.
            let group = config.group;
            let nothing = ResourceConfig::new("", ResourceKind::TimeService, group, Vec::new());
            part.dlls.push(Dll::new(nothing));
        }
        part.dlls[place].reread(config);
    }

    /// Whether the resource monitor finds the DLL of a resource's type. A bare file name is found wherever
    /// the system folder is; a path is one, on this node as on that where the type was installed (Q176522).
    fn dll_loads(&self, h: usize, resource: ResourceId) -> bool {
        let host = &self.hosts[h];
        let (Some(part), Some(system)) = (&host.cluster, &host.system) else { return true };
        let Some(dll) = part.dlls.get(usize::from(resource.0)) else { return true };
        let Some(service) = &part.service.machine else { return true };
        let Some(file) = service.database().dll_of_type(&dll.config.kind) else { return true };
        let Some((folder, _)) = file.rsplit_once('\\') else { return true };
        let root = KeyPath::parse(SYSTEM_ROOT.0).ok();
        let root = root.and_then(|key| system.hives.registry.get(&key, SYSTEM_ROOT.1)?.as_text());
        let root = root.unwrap_or(SYSTEM_ROOT.2).to_lowercase();
        folder.to_lowercase().starts_with(&root)
    }

    /// What a path on a disk of the cluster names: the disk, if this node has it mounted, and the rest of the
    /// path. The outer `None`: the path is on no disk of the cluster.
    fn on_shared_disk<S: Scheduler>(
        &mut self,
        h: usize,
        path: &str,
        sched: &S,
    ) -> Option<Option<DiskLease>> {
        let part = self.hosts[h].cluster.as_ref()?;
        let (disk, _) = part.config.disk_of_path(path)?;
        let (site, node) = (part.site, part.initiator);
        let signature = *part.signatures.get(usize::from(disk.0))?;
        Some(self.clusters[site].bus.lease(node, signature, sched.now()).ok())
    }

    pub(super) fn dll(&mut self, h: usize, resource: ResourceId) -> Option<&mut Dll> {
        self.hosts[h].cluster.as_mut()?.dlls.get_mut(usize::from(resource.0))
    }

    /// Tells the service something about a resource.
    pub(super) fn tell_service(&mut self, h: usize, resource: ResourceId, event: ResourceEvent) {
        if let Some(part) = &mut self.hosts[h].cluster {
            part.replies.push_back(Reply::Resource(resource, event));
        }
    }

    /// The resource monitor calls an entry point.
    pub(super) fn call_resource<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        call: ResourceCall,
        sched: &mut S,
    ) {
        if call == ResourceCall::Online {
            self.reread_resource(h, resource);
        }
        if call == ResourceCall::Online && !self.dll_loads(h, resource) {
            let why = Failure::with(MODULE_NOT_FOUND, FailureCause::DllNotLoaded);
            return self.resource_failed(h, resource, why, sched);
        }
        let Some(dll) = self.dll(h, resource) else {
            // Nothing of it ever ran here.
            return match call {
                ResourceCall::Online => self.tell_service(h, resource, ResourceEvent::Failed),
                ResourceCall::Offline => self.tell_service(h, resource, ResourceEvent::Offline),
                ResourceCall::Terminate => {}
            };
        };
        dll.call += 1;
        match call {
            ResourceCall::Online => {
                dll.phase = Phase::Starting;
                self.tell(h, What::ResourceRuns { resource, runs: true }, sched);
                match self.dll(h, resource).map(|dll| &dll.code) {
                    Some(Code::Moment) => {
                        self.step_later(h, resource, MOMENT, ResourceStep::Online, sched);
                    }
                    Some(Code::Address(_)) => self.address_probes(h, resource, sched),
                    Some(Code::Name) => self.name_online(h, resource, sched),
                    Some(Code::Share) => self.share_online(h, resource, sched),
                    Some(Code::Program { .. }) => self.service_online(h, resource, sched),
                    Some(Code::Wins) => self.wins_online(h, resource, sched),
                    None => {}
                }
            }
            ResourceCall::Offline => {
                dll.phase = Phase::Stopping;
                match dll.code {
                    Code::Moment | Code::Address(_) | Code::Share => {
                        self.step_later(h, resource, MOMENT, ResourceStep::Offline, sched);
                    }
                    Code::Name => self.name_offline(h, resource, sched),
                    Code::Program { .. } => self.service_offline(h, resource, sched),
                    Code::Wins => self.wins_offline(h, resource, sched),
                }
            }
            ResourceCall::Terminate => self.end_resource(h, resource, sched),
        }
    }

    pub(super) fn step_later<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        after: SimDuration,
        step: ResourceStep,
        sched: &mut S,
    ) {
        let Some(dll) = self.dll(h, resource) else { return };
        let call = dll.call;
        let at: SimTime = sched.now() + after;
        self.wait(h, at, Waiting::Resource { resource, call, step }, sched);
    }

    pub(super) fn resource_step<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        call: u32,
        step: ResourceStep,
        sched: &mut S,
    ) {
        let Some(dll) = self.dll(h, resource) else { return };
        if dll.call != call {
            return;
        }
        match (step, &dll.code) {
            (ResourceStep::Online, Code::Address(_)) => self.take_address(h, resource, sched),
            (ResourceStep::Online, _) => self.resource_online(h, resource),
            (ResourceStep::Offline, _) => self.resource_offline(h, resource, sched),
        }
    }

    /// It is online.
    pub(super) fn resource_online(&mut self, h: usize, resource: ResourceId) {
        if let Some(dll) = self.dll(h, resource) {
            dll.phase = Phase::Running;
            self.tell_service(h, resource, ResourceEvent::Online);
        }
    }

    /// It is offline.
    pub(super) fn resource_offline<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        self.end_resource(h, resource, sched);
        self.tell_service(h, resource, ResourceEvent::Offline);
    }

    /// It could not be brought online, or its own code found that it failed.
    pub(super) fn resource_failed<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        why: Failure,
        sched: &mut S,
    ) {
        self.tell(h, What::ResourceError { resource, error: why.error }, sched);
        self.end_resource(h, resource, sched);
        self.tell_service(
            h,
            resource,
            match why.cause {
                Some(cause) => ResourceEvent::FailedFor(cause),
                None => ResourceEvent::Failed,
            },
        );
    }

    /// Nothing of it is left on this node.
    fn end_resource<S: Scheduler>(&mut self, h: usize, resource: ResourceId, sched: &mut S) {
        let Some(dll) = self.dll(h, resource) else { return };
        dll.call += 1;
        if std::mem::take(&mut dll.phase) == Phase::Stopped {
            return;
        }
        match dll.code {
            Code::Moment | Code::Share => {}
            Code::Address(_) => self.drop_address(h, resource, sched),
            Code::Name => self.drop_name(h, resource, sched),
            Code::Program { .. } => self.kill_service(h, resource, sched),
            Code::Wins => self.end_wins(h, sched),
        }
        self.tell(h, What::ResourceRuns { resource, runs: false }, sched);
    }
}
