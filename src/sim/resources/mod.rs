//! Resource DLLs as simulated code: what the resource monitor calls, and what it is told.
//!
//! | type | online | offline |
//! | --- | --- | --- |
//! | IP Address | asks by ARP whether anybody has the address, then takes it | gives it up |
//! | Network Name | registers the name through the NetBT of its addresses | releases it |
//! | Generic Service, Generic Application | starts a program of the host | stops it, or kills it |
//! | WINS | starts the WINS server with its database on the shared disk | stops it |
//! | File Share, Time Service, DHCP | takes a moment | takes a moment |
//!
//! Physical Disk is the cluster service's own. A DLL that has nothing new to tell costs nothing: outcomes of
//! polls are told when they change.

mod address;
mod name;
mod service;
mod wins;

pub(super) use address::AddressCode;

use super::cluster_part::Reply;
use super::happening::What;
use super::waiting::{ResourceStep, Waiting};
use super::world::World;
use crate::base::{Scheduler, SimDuration, SimTime};
use crate::cluster::{ResourceCall, ResourceEvent, ResourceId, ResourceKind};

/// What types without a program behind them take to come online or go offline. Not documented; "a moment".
const MOMENT: SimDuration = SimDuration::from_millis(200);

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
}

/// What kind of code it is.
#[derive(Debug)]
pub(super) enum Code {
    /// Nothing but time.
    Moment,
    Address(AddressCode),
    Name,
    /// A program of the host, if it has one of that name.
    Program {
        /// Its name.
        name: String,
        /// Whether its end is seen at once (a process), or by the next poll (a service).
        watched: bool,
    },
    Wins,
}

impl Dll {
    pub(in crate::sim) fn new(kind: &ResourceKind) -> Dll {
        let code = match kind {
            ResourceKind::IpAddress { .. } => Code::Address(AddressCode::default()),
            ResourceKind::NetworkName { .. } => Code::Name,
            ResourceKind::GenericService { service, .. } => {
                Code::Program { name: service.clone(), watched: false }
            }
            ResourceKind::GenericApplication { command_line, .. } => {
                Code::Program { name: service::file_name(command_line), watched: true }
            }
            ResourceKind::PhysicalDisk { .. }
            | ResourceKind::FileShare { .. }
            | ResourceKind::TimeService
            | ResourceKind::Dhcp { .. } => Code::Moment,
            ResourceKind::Wins { .. } => Code::Wins,
        };
        Dll { phase: Phase::Stopped, call: 0, code }
    }

    /// Whether code of the resource runs.
    pub(in crate::sim) fn runs(&self) -> bool {
        self.phase != Phase::Stopped
    }
}

impl World {
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
        let Some(dll) = self.dll(h, resource) else {
            // Created while the run went on: nothing but a name stands behind it.
            return match call {
                ResourceCall::Online => self.tell_service(h, resource, ResourceEvent::Online),
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
                    Some(Code::Program { .. }) => self.service_online(h, resource, sched),
                    Some(Code::Wins) => self.wins_online(h, resource, sched),
                    None => {}
                }
            }
            ResourceCall::Offline => {
                dll.phase = Phase::Stopping;
                match dll.code {
                    Code::Moment | Code::Address(_) => {
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

    /// It could not be brought online, or its own code found that it failed; `error` is the system's number,
    /// if there is one.
    pub(super) fn resource_failed<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        error: u32,
        sched: &mut S,
    ) {
        self.tell(h, What::ResourceError { resource, error }, sched);
        self.end_resource(h, resource, sched);
        self.tell_service(h, resource, ResourceEvent::Failed);
    }

    /// Nothing of it is left on this node.
    fn end_resource<S: Scheduler>(&mut self, h: usize, resource: ResourceId, sched: &mut S) {
        let Some(dll) = self.dll(h, resource) else { return };
        dll.call += 1;
        if std::mem::take(&mut dll.phase) == Phase::Stopped {
            return;
        }
        match dll.code {
            Code::Moment => {}
            Code::Address(_) => self.drop_address(h, resource, sched),
            Code::Name => self.drop_name(h, resource, sched),
            Code::Program { .. } => self.kill_service(h, resource, sched),
            Code::Wins => self.end_wins(h, sched),
        }
        self.tell(h, What::ResourceRuns { resource, runs: false }, sched);
    }
}
