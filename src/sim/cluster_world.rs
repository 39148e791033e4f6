//! The world's half of clusters: the cluster service's inputs and outputs, its life, and the node's.

use super::cluster_part::{ClusterPart, ClusterSite, ClusterSpec, Reply, Service};
use super::happening::What;
use super::host::{Death, HostId, Life};
use super::resources::Dll;
use super::service::WinsInstall;
use super::shared::{NodeStop, SharedBus};
use super::world::{World, kind};
use crate::base::{ActorId, Machine, RestingStream, Scheduler, SimDuration, SimTime};
use crate::cluster::{
    ClusterInput, ClusterNode, Control, Database, DbChange, HaltReason, NetworkId, NodeId,
    ResourceCall, ResourceEvent, ResourceId, ResourceState, StartSwitches,
};
use crate::registry::KeyPath;
use std::collections::{BTreeMap, VecDeque};

/// The node's own copy of the database, below `%SystemRoot%\Cluster`.
pub(super) const CLUSDB: &str = "CLUSDB";
/// Requests of programs that know the cluster; those of administrators are numbered by whoever directs.
pub(super) const OWN_REQUEST: u32 = u32::MAX;
/// A shutdown goes on without a cluster service that has not answered for so long after its budget.
const STOP_GRACE: SimDuration = SimDuration::from_secs(10);
/// Event of the service control manager: a service ended with an error.
const SERVICE_ENDED_WITH_ERROR: u16 = 7023;

/// Building and looking.
impl World {
    /// Makes hosts the nodes of a cluster: the bus between them, the database on each. `actor` receives what
    /// the bus does by itself.
    pub fn add_cluster<S: Scheduler>(
        &mut self,
        spec: ClusterSpec,
        actor: ActorId,
        sched: &mut S,
    ) -> usize {
        let site = self.clusters.len();
        let timer = sched.new_timer(actor, kind::BUS | site as u32);
        let mut bus = SharedBus::new(spec.bus.clone());
        for &disk in &spec.disks {
            let added = bus.add_disk(disk);
            debug_assert!(added.is_ok(), "signatures were checked: {added:?}");
        }
        let clusdb = Database::initial(&spec.config).save();
        for (index, &host) in spec.hosts.iter().enumerate() {
            let initiator = bus.add_node(false);
            let node = NodeId(index as u8 + 1);
            let part = self.new_part(&spec, site, host, node, initiator);
            if let Some(system) = &mut self.hosts[host.0 as usize].system {
                let file = super::cluster_storage::own_path(CLUSDB);
                let written = system.hives.disk.replace_file(&file, &clusdb);
                debug_assert!(written.is_ok(), "a new disk is neither full nor failed");
                system.hives.disk.submit(SimTime::ZERO);
            }
            self.hosts[host.0 as usize].cluster = Some(Box::new(part));
            if let Some(install) = &spec.wins {
                let path = format!("cluster/{}/wins/{index}", spec.config.name);
                self.add_server(
                    host,
                    WinsInstall { clustered: true, ..install.clone() },
                    &path,
                    sched,
                );
            }
        }
        let mut chance = self.streams.stream("cluster/setup");
        for index in 0..spec.hosts.len() {
            // Nobody has been switched on yet.
            let node = super::shared::Initiator(index as u8);
            bus.stop(node, NodeStop::ShutDown, SimTime::ZERO, &mut chance);
        }
        let disk_chance = RestingStream::new(&format!("cluster/{}/disks", spec.config.name));
        let owners = vec![None; spec.config.groups.len()];
        self.clusters.push(ClusterSite {
            bus,
            timer,
            disk_chance,
            resets: vec![0; spec.hosts.len()],
            reset_is_fault: false,
            locks: BTreeMap::new(),
            account: 0,
            owners,
            spec,
        });
        self.first_checkpoints(site, sched);
        site
    }

    fn new_part(
        &self,
        spec: &ClusterSpec,
        site: usize,
        host: HostId,
        node: NodeId,
        initiator: super::shared::Initiator,
    ) -> ClusterPart {
        let config = spec.config.clone();
        let addresses = config.node(node).map_or(&[][..], |node| &node.addresses);
        let adapter = |(address, &subnet): (&Option<std::net::Ipv4Addr>, _)| {
            let found = address.and_then(|address| self.net.interface_at(address));
            found.map(|interface| (interface, self.net.interface(interface))).and_then(
                |(interface, (on, address, owner))| {
                    (owner.0 == host.0 && on == subnet).then_some((interface, address))
                },
            )
        };
        ClusterPart {
            site,
            node,
            initiator,
            adapters: addresses.iter().zip(&spec.subnets).map(adapter).collect(),
            dead_cards: Vec::new(),
            signatures: spec.disks.iter().map(|disk| disk.signature).collect(),
            service: Service::default(),
            replies: VecDeque::new(),
            draining: false,
            watches: BTreeMap::new(),
            dlls: config.resources.iter().cloned().map(Dll::new).collect(),
            netbt_due: SimTime::MAX,
            states: vec![ResourceState::Offline; config.resources.len()],
            owns: vec![false; config.groups.len()],
            chance: RestingStream::new(&format!("cluster/{}/node/{}", config.name, node.0)),
            config,
        }
    }

    /// The clusters, in order.
    pub fn clusters(&self) -> &[ClusterSite] {
        &self.clusters
    }
}

/// Life and death of the node.
impl World {
    pub(super) fn cluster_boots<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let now = sched.now();
        let Some(part) = &mut self.hosts[h].cluster else { return };
        for &card in &part.dead_cards {
            self.net.set_interface_up(card, false);
        }
        let site = part.site;
        self.clusters[site].bus.boot(part.initiator, now);
        let (low, high) = self.clusters[site].spec.starts_after;
        let mut chance = self.streams.resume(part.chance);
        part.service.start_at = Some(now + chance.duration(low, high));
        part.chance = chance.rest();
        part.service.switches = None;
        self.bus_told(site, sched);
    }

    pub(super) fn cluster_gone<S: Scheduler>(&mut self, h: usize, how: Death, sched: &mut S) {
        self.service_ended(h, None, sched);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        part.service.start_at = None;
        part.service.stop_by = None;
        let (site, node, me) = (part.site, part.initiator, part.node);
        // Whoever had a file of this host open has it no more.
        self.clusters[site].locks.retain(|(owner, _), _| *owner != me);
        let how = match how {
            Death::ShutDown => NodeStop::ShutDown,
            Death::Crash => NodeStop::Crash,
            Death::PowerCut | Death::Wipe => NodeStop::PowerCut,
        };
        let cluster = &mut self.clusters[site];
        let mut chance = self.streams.resume(cluster.disk_chance);
        cluster.bus.stop(node, how, sched.now(), &mut chance);
        cluster.disk_chance = chance.rest();
        self.bus_told(site, sched);
    }

    pub(super) fn cluster_paused<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(part) = &self.hosts[h].cluster else { return };
        let (site, node) = (part.site, part.initiator);
        self.clusters[site].bus.pause(node, sched.now());
        self.bus_told(site, sched);
    }

    pub(super) fn cluster_resumed<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(part) = &mut self.hosts[h].cluster else { return };
        part.service.went_on = Some(sched.now());
        let (site, node) = (part.site, part.initiator);
        self.clusters[site].bus.resume(node, sched.now());
        self.bus_told(site, sched);
    }

    /// A shutdown begins. Whether it waits for the cluster service.
    pub(super) fn cluster_shuts_down<S: Scheduler>(&mut self, h: usize, sched: &mut S) -> bool {
        let Some(part) = &mut self.hosts[h].cluster else { return false };
        part.service.start_at = None;
        if part.service.machine.is_none() {
            return false;
        }
        let budget = part.config.profile.shutdown_budget;
        part.service.stop_by = Some(sched.now() + budget + STOP_GRACE);
        self.cluster_input(h, ClusterInput::Stop { shutting_down: true }, sched);
        let part = self.hosts[h].cluster.as_ref();
        part.is_some_and(|part| part.service.machine.is_some())
    }

    pub(super) fn cluster_deadlines<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let now = self.now(h, sched);
        let due = |at: Option<SimTime>| at.is_some_and(|at| at <= now.time);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if due(part.service.start_at) {
            self.start_cluster_service_now(h, sched);
        }
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if let Some(machine) = &mut part.service.machine
            && due(machine.next_deadline())
        {
            let mut out = std::mem::take(&mut self.cluster_out);
            machine.on_deadline(now, &mut out);
            self.cluster_outputs(h, out, sched);
        }
        self.address_netbt_deadlines(h, sched);
        self.cluster_drain(h, sched);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if due(part.service.stop_by) {
            part.service.stop_by = None;
            self.service_ended(h, None, sched);
            self.shut_down_net_bt(h, sched);
        }
    }
}

/// The service.
impl World {
    fn start_cluster_service_now<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(part) = &mut self.hosts[h].cluster else { return };
        part.service.start_at = None;
        if part.service.machine.is_some() {
            return;
        }
        let mut adapters = part.adapters.iter().flatten().peekable();
        if adapters.peek().is_some() && adapters.all(|(card, _)| !self.net.is_interface_up(*card)) {
            // RPC has nothing to listen on (Q171450).
            part.service.switches = None;
            part.service.halted = Some(HaltReason::CannotStart);
            self.tell(h, What::Logged { id: SERVICE_ENDED_WITH_ERROR, name: None }, sched);
            return self.restart_later(h, sched);
        }
        let switches = part.service.switches.take();
        let cluster = &self.clusters[part.site];
        let account = cluster.account;
        let switches = StartSwitches { account, ..switches.unwrap_or(cluster.spec.switches) };
        part.service.machine = Some(Box::new(ClusterNode::new(part.config.clone(), part.node)));
        part.service.life += 1;
        part.service.hung = false;
        part.service.halted = None;
        self.tell(h, What::ClusterUp, sched);
        let clusdb = self.read_own(h, CLUSDB);
        self.cluster_input(h, ClusterInput::Start { hive: clusdb.as_deref(), switches }, sched);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if part.config.profile.detects_link_failure {
            for (network, adapter) in part.adapters.iter().enumerate() {
                if let Some((interface, _)) = adapter
                    && !self.net.is_interface_up(*interface)
                {
                    part.replies.push_back(Reply::Interface(NetworkId(network as u8), false));
                }
            }
        }
        self.cluster_drain(h, sched);
    }

    /// Somebody starts the cluster service of a node that is on. Nothing if it runs.
    pub fn start_cluster_service<S: Scheduler>(
        &mut self,
        id: HostId,
        switches: StartSwitches,
        sched: &mut S,
    ) {
        let h = id.0 as usize;
        if self.hosts[h].life == Life::On
            && let Some(part) = &mut self.hosts[h].cluster
        {
            part.service.switches = Some(switches);
            self.start_cluster_service_now(h, sched);
            self.rearm(h, sched);
        }
    }

    /// Somebody stops it in order.
    pub fn stop_cluster_service<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        if self.hosts[h].life == Life::On
            && let Some(part) = &mut self.hosts[h].cluster
        {
            part.service.start_at = None;
            self.cluster_input(h, ClusterInput::Stop { shutting_down: false }, sched);
            self.cluster_drain(h, sched);
            self.rearm(h, sched);
        }
    }

    /// Its process ends. The service control manager may start it again.
    pub fn kill_cluster_service<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        let part = self.hosts[h].cluster.as_ref();
        let runs = part.is_some_and(|part| part.service.machine.is_some());
        if runs && self.hosts[h].life == Life::On {
            self.service_ended(h, None, sched);
            self.restart_later(h, sched);
            self.rearm(h, sched);
        }
    }

    /// The account of a cluster's services gets a new password: services that are started from now on have
    /// another token than those that run (Q317232).
    pub fn change_password(&mut self, site: usize) {
        let account = &mut self.clusters[site].account;
        *account = account.wrapping_add(1);
    }

    /// Somebody changes the node's own copy of the database: `change` is given its bytes, and gives those
    /// that are there from now on; nothing is no file.
    pub fn rewrite_clusdb<S: Scheduler>(
        &mut self,
        id: HostId,
        change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
        sched: &mut S,
    ) {
        let old = self.read_own(id.0 as usize, CLUSDB);
        let Some(system) = &self.hosts[id.0 as usize].system else { return };
        let path = super::cluster_storage::own_path(CLUSDB);
        match change(old.unwrap_or_default()) {
            Some(bytes) => {
                // A full or failed disk takes nothing from anybody.
                let _ = system.hives.disk.replace_file(&path, &bytes);
            }
            None => system.hives.disk.remove_file(&path),
        }
        system.hives.disk.submit(sched.now());
    }

    /// The resource monitor a resource runs in dies, and all code in it.
    pub fn kill_monitor<S: Scheduler>(&mut self, id: HostId, resource: ResourceId, sched: &mut S) {
        let h = id.0 as usize;
        let Some(part) = &self.hosts[h].cluster else { return };
        let separate = |r: ResourceId| {
            let dll = part.dlls.get(usize::from(r.0));
            dll.is_some_and(|dll| dll.config.separate_monitor)
        };
        let all = (0..part.dlls.len() as u16).map(ResourceId).filter(|&r| part.runs(r));
        let dead: Vec<ResourceId> = match separate(resource) {
            true => all.filter(|&r| r == resource).collect(),
            false => all.filter(|&r| !separate(r)).collect(),
        };
        for &resource in &dead {
            self.call_resource(h, resource, ResourceCall::Terminate, sched);
        }
        for resource in dead {
            self.tell_service(h, resource, ResourceEvent::MonitorDied);
        }
        self.cluster_drain(h, sched);
        self.rearm(h, sched);
    }

    /// It stands still, or goes on: nothing but its drivers does anything meanwhile.
    pub fn hang_cluster_service<S: Scheduler>(&mut self, id: HostId, hung: bool, sched: &mut S) {
        let h = id.0 as usize;
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if part.service.hung == hung || part.service.machine.is_none() {
            return;
        }
        part.service.hung = hung;
        if let Some(machine) = &mut part.service.machine {
            machine.hang(hung);
        }
        if !hung {
            part.service.went_on = Some(sched.now());
        }
        if !hung && self.hosts[h].life == Life::On {
            self.cluster_drain(h, sched);
            self.cluster_deadlines(h, sched);
        }
        self.rearm(h, sched);
    }

    /// An administrator asks the service on a node for something: answered by [`What::ClusterAnswer`].
    /// Whether there is one to ask.
    pub fn ask_cluster<S: Scheduler>(
        &mut self,
        id: HostId,
        request: u32,
        control: &Control,
        sched: &mut S,
    ) -> bool {
        let h = id.0 as usize;
        let part = self.hosts[h].cluster.as_ref();
        let runs = part.is_some_and(|part| part.service.machine.is_some() && !part.service.hung);
        if !runs || self.hosts[h].life != Life::On {
            return false;
        }
        self.cluster_input(h, ClusterInput::Control { request, control }, sched);
        self.cluster_drain(h, sched);
        self.rearm(h, sched);
        true
    }

    /// A program that knows the cluster changes its registry.
    pub(super) fn ask_own_cluster<S: Scheduler>(
        &mut self,
        h: usize,
        changes: Vec<DbChange>,
        sched: &mut S,
    ) {
        let control = &Control::ChangeDatabase(changes);
        self.cluster_input(h, ClusterInput::Control { request: OWN_REQUEST, control }, sched);
    }

    pub(super) fn restart_later<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        if self.hosts[h].life == Life::On
            && let Some(part) = &mut self.hosts[h].cluster
        {
            let after = self.clusters[part.site].spec.restarts_after;
            part.service.start_at = after.map(|after| sched.now() + after);
        }
    }

    /// The service is no more: what it ran is ended at once, its disks and addresses are taken away.
    pub(super) fn service_ended<S: Scheduler>(
        &mut self,
        h: usize,
        why: Option<HaltReason>,
        sched: &mut S,
    ) {
        let now = sched.now();
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if part.service.machine.take().is_none() {
            return;
        }
        part.service.halted = why;
        part.service.hung = false;
        part.replies.clear();
        part.states.fill(ResourceState::Offline);
        let watches = std::mem::take(&mut part.watches);
        let (site, node, me) = (part.site, part.initiator, part.node);
        let groups: Vec<usize> = (0..part.owns.len()).filter(|&g| part.owns[g]).collect();
        part.owns.fill(false);
        let disks = part.signatures.clone();
        if let Some(system) = &mut self.hosts[h].system {
            for watched in watches.into_values() {
                let _ = system.hives.registry.unwatch(watched.watch);
            }
        }
        self.end_all_resources(h, sched);
        let cluster = &mut self.clusters[site];
        cluster.locks.retain(|_, locker| *locker != me);
        disks.into_iter().for_each(|disk| cluster.bus.give_up(node, disk, now));
        for group in groups {
            let owner = &mut cluster.owners[group];
            *owner = owner.filter(|&owner| owner != me);
        }
        self.bus_told(site, sched);
        self.tell(h, What::ClusterDown(why), sched);
    }

    /// The shutdown of a node may go on, if one waits for the service.
    pub(super) fn service_stopped<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        self.service_ended(h, None, sched);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if part.service.stop_by.take().is_some() {
            self.shut_down_net_bt(h, sched);
        }
    }
}

/// A number for a key, the same for the same key in every spelling.
pub fn key_number(key: &KeyPath) -> u64 {
    crate::base::hash_bytes(key.as_str().to_lowercase().as_bytes())
}
