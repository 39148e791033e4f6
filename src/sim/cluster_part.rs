//! What only nodes of clusters have, and what a cluster's nodes share: the cluster service and its resource
//! DLLs on each, the bus with its disks between them.

use super::host::HostId;
use super::resources::Dll;
use super::service::WinsInstall;
use super::shared::{BusParams, Initiator, SharedBus, SharedDiskSpec, Signature};
use super::waiting::FileOutcome;
use crate::base::{Machine, RestingStream, SimDuration, SimTime, TimerId};
use crate::cluster::{
    ClusterConfig, ClusterNode, DiskId, GroupId, HaltReason, NetworkId, NodeId, Part,
    ResourceEvent, ResourceId, ResourceState, ScsiResult, StartSwitches, Ticket,
};
use crate::net::{InterfaceId, SubnetId};
use crate::registry::{KeyPath, RegistryError, WatchId};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A cluster as it is set up.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// What the setup program and the administrator have written.
    pub config: Arc<ClusterConfig>,
    /// Its nodes, by number less one. Each has a [`super::SystemSpec`] with its further adapters.
    pub hosts: Vec<HostId>,
    /// Where its networks are.
    pub subnets: Vec<SubnetId>,
    /// The bus.
    pub bus: BusParams,
    /// Its disks, by number.
    pub disks: Vec<SharedDiskSpec>,
    /// What the service is started with at every boot.
    pub switches: StartSwitches,
    /// From the end of a node's boot to the start of its cluster service: the shortest and the longest.
    pub starts_after: (SimDuration, SimDuration),
    /// When the service control manager starts a service again that ended by itself; `None` for never.
    pub restarts_after: Option<SimDuration>,
    /// The server behind its WINS resource.
    pub wins: Option<WinsInstall>,
}

/// A cluster: its bus, and what those who watch want to know of it.
#[derive(Debug)]
pub struct ClusterSite {
    pub(super) spec: ClusterSpec,
    pub(super) bus: SharedBus,
    pub(super) timer: TimerId,
    pub(super) disk_chance: RestingStream,
    /// By node: how many resets of the bus there had been when it sent its last one.
    pub(super) resets: Vec<u32>,
    /// What resets the bus now is a fault.
    pub(super) reset_is_fault: bool,
    /// Files of nodes' hosts that one node has opened for itself alone: whose file, its path, by whom.
    pub(super) locks: BTreeMap<(NodeId, String), NodeId>,
    /// Counts passwords of the account of its services: a service has the token of its start.
    pub(super) account: u32,
    /// Who says that it owns a group, by group: the last that took it.
    pub(super) owners: Vec<Option<NodeId>>,
}

/// The cluster service on a node.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) machine: Option<Box<ClusterNode>>,
    /// Counts starts: answers to an earlier life are void.
    pub(super) life: u32,
    /// It stands still: nothing but its drivers goes on.
    pub(super) hung: bool,
    /// When it last went on after it, or its host, had stood still.
    pub(super) went_on: Option<SimTime>,
    /// When it is started next; the start's switches.
    pub(super) start_at: Option<SimTime>,
    pub(super) switches: Option<StartSwitches>,
    /// A shutdown goes on without it from this time.
    pub(super) stop_by: Option<SimTime>,
    /// Why it ended last, if it ended by itself.
    pub(super) halted: Option<HaltReason>,
}

/// An answer that the service gets as soon as it has nothing else to do.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Scsi(Ticket, ScsiResult),
    File(Ticket, FileOutcome),
    Saved(Ticket, Result<Vec<u8>, RegistryError>),
    Restored(Ticket, Result<(), RegistryError>),
    Changed(Ticket),
    Resource(ResourceId, ResourceEvent),
    Interface(NetworkId, bool),
}

impl Reply {
    /// Whether it goes to the disk driver, which does not stop when the service does.
    pub(super) fn is_for_a_driver(&self) -> bool {
        matches!(self, Reply::Scsi(Ticket { part: Part::Disks, .. }, _))
    }
}

/// A watch of the service on the registry.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) watch: WatchId,
    pub(super) key: KeyPath,
}

/// What only a node of a cluster has.
#[derive(Debug)]
pub struct ClusterPart {
    /// Which of the world's clusters.
    pub(super) site: usize,
    pub(super) node: NodeId,
    pub(super) initiator: Initiator,
    pub(super) config: Arc<ClusterConfig>,
    /// Its adapter on each network.
    pub(super) adapters: Vec<Option<(InterfaceId, Ipv4Addr)>>,
    /// Those of them that do not work, whether the node is on or not.
    pub(super) dead_cards: Vec<InterfaceId>,
    pub(super) signatures: Vec<Signature>,
    pub(super) service: Service,
    pub(super) replies: VecDeque<Reply>,
    /// Replies are being passed on: whoever adds one need not.
    pub(super) draining: bool,
    pub(super) watches: BTreeMap<Ticket, Watched>,
    pub(super) dlls: Vec<Dll>,
    /// When the NetBT of one of its cluster addresses next wants to act.
    pub(super) netbt_due: SimTime,
    /// The state of each resource as its service told it last.
    pub(super) states: Vec<ResourceState>,
    /// Groups it says it owns.
    pub(super) owns: Vec<bool>,
    pub(super) chance: RestingStream,
}

impl ClusterSite {
    /// The cluster as it was set up.
    pub fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// The bus.
    pub fn bus(&self) -> &SharedBus {
        &self.bus
    }

    /// The node that took a group last and has not given it up.
    pub fn owner(&self, group: GroupId) -> Option<NodeId> {
        self.owners.get(usize::from(group.0)).copied().flatten()
    }

    /// A node's host.
    pub fn host(&self, node: NodeId) -> Option<HostId> {
        self.spec.hosts.get(usize::from(node.0).checked_sub(1)?).copied()
    }

    /// The signature of a disk, as the configuration has it.
    pub fn signature(&self, disk: DiskId) -> Option<Signature> {
        self.spec.disks.get(usize::from(disk.0)).map(|spec| spec.signature)
    }
}

impl ClusterPart {
    /// The cluster, by its place in the world's list.
    pub fn site(&self) -> usize {
        self.site
    }

    /// Its number.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The cluster service, while it runs.
    pub fn service(&self) -> Option<&ClusterNode> {
        self.service.machine.as_deref()
    }

    /// Whether the service runs, and not stands still.
    pub fn is_awake(&self) -> bool {
        self.service.machine.is_some() && !self.service.hung
    }

    /// When the service last went on after it, or its host, had stood still. Until it has found out what
    /// happened meanwhile it does as if nothing had.
    pub fn went_on(&self) -> Option<SimTime> {
        self.service.went_on
    }

    /// Why the service ended, if it ended by itself and has not been started again.
    pub fn halted(&self) -> Option<HaltReason> {
        self.service.halted
    }

    /// Whether it says that it owns a group.
    pub fn owns(&self, group: GroupId) -> bool {
        self.owns.get(usize::from(group.0)).copied().unwrap_or(false)
    }

    /// The state of a resource as this node's service told it last.
    pub fn state(&self, resource: ResourceId) -> ResourceState {
        self.states.get(usize::from(resource.0)).copied().unwrap_or_default()
    }

    /// How many resources of a group are online here, as this node's service told it last.
    pub fn online_in(&self, group: GroupId) -> usize {
        let all = self.dlls.iter().zip(&self.states);
        all.filter(|(dll, state)| dll.config.group == group && **state == ResourceState::Online)
            .count()
    }

    /// Whether the code of a resource runs here.
    pub fn runs(&self, resource: ResourceId) -> bool {
        self.dlls.get(usize::from(resource.0)).is_some_and(Dll::runs)
    }

    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        let service = &self.service;
        let machine = service.machine.as_ref().and_then(|machine| machine.next_deadline());
        let netbt = (self.netbt_due != SimTime::MAX).then_some(self.netbt_due);
        machine.into_iter().chain(netbt).chain(service.start_at).chain(service.stop_by).min()
    }

    /// The network on which the node has this address.
    pub(super) fn network_of(&self, address: Ipv4Addr) -> Option<NetworkId> {
        let has = |adapter: &Option<(InterfaceId, Ipv4Addr)>| {
            adapter.is_some_and(|(_, own)| own == address)
        };
        self.adapters.iter().position(has).map(|network| NetworkId(network as u8))
    }
}
