//! A cluster without a simulator: nodes joined by networks, a bus, disks, registries and resources that do
//! what they are told, each a little late. Whatever may never be is looked for after every event.

use crate::base::{Machine, Now, Outbox, SimDuration, SimTime, Stream, Streams, WallTime};
use crate::cluster::*;
use crate::registry::{Caller, KeyPath, Registry, Restore, Value, WatchFilter, WatchId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub const ME: Caller<'static> = Caller { process: "clussvc", account: "cluster" };

/// What happens later.
#[derive(Clone, Debug)]
enum Later {
    Deadline,
    Start,
    Datagram {
        network: NetworkId,
        from: Ipv4Addr,
        bytes: Vec<u8>,
    },
    Scsi {
        ticket: Ticket,
        disk: DiskId,
        command: ScsiCommand,
    },
    File {
        ticket: Ticket,
        place: Place,
        path: String,
        operation: FileOperation,
        bytes: Vec<u8>,
    },
    Resource {
        resource: ResourceId,
        event: ResourceEvent,
    },
    /// A running program writes into its key.
    Write {
        resource: ResourceId,
    },
}

/// One node and its host.
pub struct Host {
    pub node: ClusterNode,
    pub up: bool,
    pub paused: bool,
    /// Events of an earlier life are not for this one.
    life: u32,
    pub registry: Registry,
    watches: BTreeMap<WatchId, Ticket>,
    own_files: BTreeMap<String, Vec<u8>>,
    pub online: BTreeSet<ResourceId>,
    running: BTreeSet<ResourceId>,
    waiting: Vec<(u32, Later)>,
}

/// A disk of the bus.
#[derive(Default)]
pub struct Disk {
    holder: Option<usize>,
    mounted: Option<usize>,
    pub files: BTreeMap<String, Vec<u8>>,
    pub full: bool,
    /// Hosts whose next undisturbed reservation is told of a reset by somebody else.
    disturbed: BTreeSet<usize>,
}

pub struct Lab {
    pub config: Arc<ClusterConfig>,
    pub now: SimTime,
    pub hosts: Vec<Host>,
    pub disks: Vec<Disk>,
    events: BTreeMap<(SimTime, u64), (usize, u32, Later)>,
    sequence: u64,
    pub chance: Stream,
    /// Directions of networks that carry nothing.
    pub cut: BTreeSet<(NetworkId, usize, usize)>,
    pub log: Vec<(SimTime, usize, u16)>,
    pub seen: Vec<(SimTime, usize, Observation)>,
    pub answers: Vec<(u32, Result<(), ClusterError>)>,
    /// By number: the digest of the update that was applied first.
    applied: BTreeMap<u64, u64>,
    /// Of every host's current service: the last number.
    pub violations: Vec<String>,
    pub verbose: bool,
    /// Whether services write into their keys.
    pub writes: bool,
    values: u32,
    requests: u32,
}

pub fn address(network: u8, node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, network, 0, node as u8 + 1)
}

/// A cluster with two networks, a quorum disk in the Cluster Group, and some groups with a data disk, an
/// address, a name, and a service with a checkpointed key.
pub fn config(nodes: usize, groups: usize, profile: ClusterProfile) -> ClusterConfig {
    let node = |i: usize| NodeConfig {
        name: format!("node-{i}"),
        addresses: (0..2).map(|n| Some(address(n, i))).collect(),
    };
    let network = |name: &str, role| NetworkConfig { name: name.into(), role };
    let disk = |i: usize| DiskConfig {
        name: format!("disk-{i}"),
        signature: 0x1000 + i as u32,
        letter: (b'Q' + i as u8) as char,
    };
    let mut resources = vec![resource("quorum", 0, physical(0), &[])];
    let mut all_groups = vec![GroupConfig::new("Cluster Group")];
    for g in 1..=groups {
        let first = resources.len() as u16;
        all_groups.push(GroupConfig::new(format!("group-{g}")));
        resources.push(resource(&format!("disk-{g}"), g, physical(g), &[]));
        let ip = ResourceKind::IpAddress {
            address: Ipv4Addr::new(10, 0, 0, 100 + g as u8),
            network: NetworkId(0),
            netbios: true,
        };
        resources.push(resource(&format!("ip-{g}"), g, ip, &[]));
        let service =
            ResourceKind::GenericService { service: format!("svc{g}"), use_network_name: false };
        let mut service = resource(&format!("service-{g}"), g, service, &[first, first + 1]);
        service.checkpoints = vec![key_of(g)];
        resources.push(service);
    }
    ClusterConfig {
        name: "MARS".into(),
        profile,
        nodes: (0..nodes).map(node).collect(),
        networks: vec![
            network("office", NetworkRole::All),
            network("heart", NetworkRole::Internal),
        ],
        disks: (0..=groups).map(disk).collect(),
        quorum: QuorumKind::Disk(ResourceId(0)),
        groups: all_groups,
        resources,
    }
}

pub fn key_of(group: usize) -> String {
    format!("Software\\Service{group}")
}

fn physical(disk: usize) -> ResourceKind {
    ResourceKind::PhysicalDisk {
        disk: DiskId(disk as u16),
        skip_chkdsk: false,
        conditional_mount: true,
    }
}

fn resource(name: &str, group: usize, kind: ResourceKind, depends_on: &[u16]) -> ResourceConfig {
    let depends_on = depends_on.iter().map(|&r| ResourceId(r)).collect();
    ResourceConfig::new(name, kind, GroupId(group as u16), depends_on)
}

impl Lab {
    pub fn new(config: ClusterConfig, seed: u64) -> Lab {
        let config = Arc::new(config);
        let host = |i: usize| Host {
            node: ClusterNode::new(config.clone(), NodeId(i as u8 + 1)),
            up: false,
            paused: false,
            life: 0,
            registry: Registry::with_hives(),
            watches: BTreeMap::new(),
            own_files: BTreeMap::new(),
            online: BTreeSet::new(),
            running: BTreeSet::new(),
            waiting: Vec::new(),
        };
        let mut lab = Lab {
            now: SimTime::ZERO,
            hosts: (0..config.nodes.len()).map(host).collect(),
            disks: config.disks.iter().map(|_| Disk::default()).collect(),
            events: BTreeMap::new(),
            sequence: 0,
            chance: Streams::new(seed).stream("lab"),
            cut: BTreeSet::new(),
            log: Vec::new(),
            seen: Vec::new(),
            answers: Vec::new(),
            applied: BTreeMap::new(),
            violations: Vec::new(),
            verbose: false,
            writes: true,
            values: 0,
            requests: 0,
            config,
        };
        // The service is installed on every node.
        for resource in lab.config.clone().resources.iter() {
            for key in &resource.checkpoints {
                (0..lab.hosts.len()).for_each(|host| lab.set(host, key, 0));
            }
        }
        lab
    }

    fn later(&mut self, after: SimDuration, host: usize, what: Later) {
        self.sequence += 1;
        let life = self.hosts[host].life;
        self.events.insert((self.now + after, self.sequence), (host, life, what));
    }

    fn millis(&mut self, low: u64, high: u64) -> SimDuration {
        SimDuration::from_millis(self.chance.between(low, high))
    }

    pub fn boot(&mut self, host: usize) {
        if self.hosts[host].up {
            return;
        }
        self.hosts[host].up = true;
        self.hosts[host].life += 1;
        let takes = self.millis(100, 3000);
        self.later(takes, host, Later::Start);
    }

    /// The host stops at once; what it had asked of disks is not done.
    pub fn crash(&mut self, host: usize) {
        if !self.hosts[host].up {
            return;
        }
        self.gone(host);
        let node = self.hosts[host].node.id();
        let h = &mut self.hosts[host];
        h.up = false;
        h.paused = false;
        h.life += 1;
        h.waiting.clear();
        h.node = ClusterNode::new(self.config.clone(), node);
        for disk in &mut self.disks {
            disk.mounted = disk.mounted.filter(|&m| m != host);
        }
    }

    /// What ran on the host runs no more.
    fn gone(&mut self, host: usize) {
        self.hosts[host].online.clear();
        self.hosts[host].running.clear();
        self.hosts[host].watches.clear();
    }

    pub fn pause(&mut self, host: usize) {
        self.hosts[host].paused = self.hosts[host].up;
    }

    pub fn resume(&mut self, host: usize) {
        if std::mem::take(&mut self.hosts[host].paused) {
            for (life, what) in std::mem::take(&mut self.hosts[host].waiting) {
                if life == self.hosts[host].life {
                    self.later(SimDuration::ZERO, host, what);
                }
            }
            self.later(SimDuration::ZERO, host, Later::Deadline);
        }
    }

    pub fn bus_reset(&mut self) {
        self.disks.iter_mut().for_each(|disk| disk.holder = None);
    }

    pub fn control(&mut self, host: usize, control: Control) -> u32 {
        self.requests += 1;
        let request = self.requests;
        self.input(host, ClusterInput::Control { request, control: &control });
        request
    }

    pub fn stop_service(&mut self, host: usize, shutting_down: bool) {
        self.input(host, ClusterInput::Stop { shutting_down });
    }

    pub fn start_service(&mut self, host: usize) {
        self.later(SimDuration::ZERO, host, Later::Start);
    }

    pub fn run_for(&mut self, time: SimDuration) {
        let end = self.now + time;
        while let Some((&(at, _), _)) = self.events.first_key_value() {
            if at > end {
                break;
            }
            let ((at, _), (host, life, what)) = self.events.pop_first().expect("an event");
            self.now = at;
            if self.hosts[host].life == life && self.hosts[host].up {
                match self.hosts[host].paused {
                    true if !matches!(what, Later::Deadline) => {
                        self.hosts[host].waiting.push((life, what));
                    }
                    true => {}
                    false => self.happen(host, what),
                }
                self.judge();
            }
        }
        self.now = end;
    }

    fn happen(&mut self, host: usize, what: Later) {
        match what {
            Later::Deadline => {
                let mut out = Outbox::default();
                let now = self.moment();
                let due = self.hosts[host].node.next_deadline();
                if due.is_some_and(|due| due <= self.now) {
                    self.hosts[host].node.on_deadline(now, &mut out);
                    self.outputs(host, out);
                }
            }
            Later::Start => {
                let hive = self.hosts[host].own_files.get(CLUSDB).cloned();
                let switches = StartSwitches::default();
                self.input(host, ClusterInput::Start { hive: hive.as_deref(), switches });
            }
            Later::Datagram { network, from, bytes } => {
                self.input(host, ClusterInput::Datagram { network, from, bytes: &bytes });
            }
            Later::Scsi { ticket, disk, command } => {
                let result = self.scsi(host, disk, command);
                self.input(host, ClusterInput::Scsi { ticket, result });
            }
            Later::File { ticket, place, path, operation, bytes } => {
                self.file(host, ticket, place, &path, &operation, bytes);
            }
            Later::Resource { resource, event } => {
                let h = &mut self.hosts[host];
                match event {
                    ResourceEvent::Online if !h.running.contains(&resource) => return,
                    ResourceEvent::Online => {
                        h.online.insert(resource);
                        self.later(SimDuration::from_secs(1), host, Later::Write { resource });
                    }
                    ResourceEvent::Offline => {
                        h.online.remove(&resource);
                        h.running.remove(&resource);
                    }
                    _ => {}
                }
                self.input(host, ClusterInput::Resource { resource, event });
            }
            Later::Write { resource } => self.write(host, resource),
        }
    }

    /// The service writes into its key now and then while it runs.
    fn write(&mut self, host: usize, resource: ResourceId) {
        let keys = self.config.resources[resource.0 as usize].checkpoints.clone();
        if !self.hosts[host].online.contains(&resource) || keys.is_empty() || !self.writes {
            return;
        }
        self.values += 1;
        let value = Value::Dword(self.values);
        for key in keys {
            let path = KeyPath::parse(&key).expect("a path");
            self.hosts[host].registry.set(&path, "v", value.clone()).expect("a value");
        }
        self.signals(host);
        let after = self.millis(50, 20_000);
        self.later(after, host, Later::Write { resource });
    }

    pub fn set(&mut self, host: usize, key: &str, value: u32) {
        let path = KeyPath::parse(key).expect("a path");
        self.hosts[host].registry.set(&path, "v", Value::Dword(value)).expect("a value");
        self.signals(host);
    }

    pub fn get(&self, host: usize, key: &str) -> Option<u32> {
        let path = KeyPath::parse(key).expect("a path");
        self.hosts[host].registry.dword(&path, "v").expect("a number")
    }

    fn signals(&mut self, host: usize) {
        for watch in self.hosts[host].registry.take_signals() {
            if let Some(&ticket) = self.hosts[host].watches.get(&watch) {
                let reply = RegistryReply::Changed;
                self.input(host, ClusterInput::Registry { ticket, reply });
            }
        }
    }

    fn scsi(&mut self, host: usize, disk: DiskId, command: ScsiCommand) -> ScsiResult {
        if command == ScsiCommand::Reset {
            self.bus_reset();
            for disk in &mut self.disks {
                disk.disturbed = (0..self.hosts.len()).filter(|&other| other != host).collect();
            }
            return ScsiResult::Done;
        }
        let disk = &mut self.disks[disk.0 as usize];
        let mine = disk.holder == Some(host);
        match command {
            ScsiCommand::ReserveUndisturbed if disk.disturbed.remove(&host) => {
                ScsiResult::Disturbed
            }
            ScsiCommand::Reserve | ScsiCommand::ReserveUndisturbed
                if disk.holder.is_none() || mine =>
            {
                disk.holder = Some(host);
                ScsiResult::Done
            }
            ScsiCommand::Test if disk.holder.is_none() || mine => ScsiResult::Done,
            ScsiCommand::ResetDisk => {
                disk.holder = None;
                ScsiResult::Done
            }
            ScsiCommand::Release if mine => {
                disk.holder = None;
                ScsiResult::Done
            }
            ScsiCommand::Mount { .. } if mine => {
                disk.mounted = Some(host);
                ScsiResult::Done
            }
            ScsiCommand::Dismount => {
                disk.mounted = disk.mounted.filter(|&m| m != host);
                ScsiResult::Done
            }
            _ => ScsiResult::Conflict,
        }
    }

    fn file(
        &mut self,
        host: usize,
        ticket: Ticket,
        place: Place,
        path: &str,
        operation: &FileOperation,
        bytes: Vec<u8>,
    ) {
        let (files, full) = match place {
            Place::Own | Place::Replica(_) => (&mut self.hosts[host].own_files, false),
            Place::Disk(disk) => {
                let disk = &mut self.disks[disk.0 as usize];
                // A reset leaves nobody's reservation: writes still reach the disk.
                let allowed = disk.mounted == Some(host) && disk.holder.is_none_or(|h| h == host);
                if !allowed {
                    let result = FileResult::Failed;
                    return self.input(host, ClusterInput::File { ticket, result });
                }
                (&mut disk.files, disk.full)
            }
        };
        let content = files.get(path).cloned();
        let names: Vec<String> = files.keys().filter(|p| p.starts_with(path)).cloned().collect();
        let result = match operation {
            FileOperation::Read => FileResult::Content(content.as_deref()),
            FileOperation::List => FileResult::Names(&names),
            FileOperation::Delete => {
                files.remove(path);
                FileResult::Done
            }
            FileOperation::DeleteTree => {
                files.retain(|p, _| !p.starts_with(path));
                FileResult::Done
            }
            FileOperation::Lock | FileOperation::Unlock => FileResult::Done,
            _ if full => FileResult::Full,
            FileOperation::Append(_) => {
                files.entry(path.into()).or_default().extend_from_slice(&bytes);
                FileResult::Done
            }
            FileOperation::Replace(_) | FileOperation::Overwrite(_) => {
                files.insert(path.into(), bytes);
                FileResult::Done
            }
        };
        self.input(host, ClusterInput::File { ticket, result });
    }

    fn moment(&self) -> Now {
        Now { time: self.now, wall: WallTime(self.now.0) }
    }

    fn input(&mut self, host: usize, input: ClusterInput<'_>) {
        let (mut out, now) = (Outbox::default(), self.moment());
        self.hosts[host].node.handle(input, now, &mut out);
        self.outputs(host, out);
    }

    fn outputs(&mut self, host: usize, out: Outbox<ClusterOutput>) {
        for output in &out.items {
            self.output(host, output, &out);
        }
        if let Some(at) = self.hosts[host].node.next_deadline() {
            let after = SimDuration(at.0.saturating_sub(self.now.0));
            self.later(after, host, Later::Deadline);
        }
    }

    fn output(&mut self, host: usize, output: &ClusterOutput, out: &Outbox<ClusterOutput>) {
        match output {
            ClusterOutput::Send { network, to, bytes } => {
                let bytes = out.bytes(*bytes).to_vec();
                let network = *network;
                let there = |i: &usize| address(network.0, *i) == *to;
                let Some(target) = (0..self.hosts.len()).find(there) else { return };
                if self.cut.contains(&(network, host, target)) {
                    return;
                }
                let from = address(network.0, host);
                let after = SimDuration::from_micros(self.chance.between(100, 2000));
                self.later(after, target, Later::Datagram { network, from, bytes });
            }
            ClusterOutput::Scsi { ticket, disk, command } => {
                let after = match command {
                    ScsiCommand::Mount { .. } => self.millis(300, 1500),
                    ScsiCommand::Reset => self.millis(100, 800),
                    _ => self.millis(1, 10),
                };
                let what = Later::Scsi { ticket: *ticket, disk: *disk, command: *command };
                self.later(after, host, what);
            }
            ClusterOutput::File { ticket, place, path, operation } => {
                let bytes = match operation {
                    FileOperation::Replace(range)
                    | FileOperation::Overwrite(range)
                    | FileOperation::Append(range) => out.bytes(*range).to_vec(),
                    _ => Vec::new(),
                };
                // One queue: in the order in which they were asked for.
                let after = SimDuration::from_millis(15);
                let (path, operation) = (path.clone(), operation.clone());
                let what = Later::File { ticket: *ticket, place: *place, path, operation, bytes };
                self.later(after, host, what);
            }
            ClusterOutput::Registry { ticket, action } => self.registry(host, *ticket, action, out),
            ClusterOutput::Resource { resource, call } => self.call(host, *resource, *call),
            ClusterOutput::Log(event) => {
                if self.verbose {
                    println!("{} node-{host} event {} {event:?}", self.now, event.id());
                }
                self.log.push((self.now, host, event.id()));
            }
            ClusterOutput::Answer { request, result } => self.answers.push((*request, *result)),
            ClusterOutput::Halted(reason) => {
                if self.verbose {
                    println!("{} node-{host} halts: {reason:?}", self.now);
                }
                self.gone(host);
                // The service control manager starts it again after a while.
                self.later(SimDuration::from_secs(60), host, Later::Start);
            }
            ClusterOutput::Stopped => self.gone(host),
            ClusterOutput::Observe(seen) => {
                if self.verbose {
                    println!("{} node-{host} {seen:?}", self.now);
                }
                if let Observation::Applied { sequence, digest } = *seen {
                    let first = *self.applied.entry(sequence).or_insert(digest);
                    // A number is used again when nobody who is left knew of it.
                    if first != digest {
                        self.applied.insert(sequence, digest);
                    }
                }
                self.seen.push((self.now, host, *seen));
            }
        }
    }

    fn call(&mut self, host: usize, resource: ResourceId, call: ResourceCall) {
        if self.verbose {
            println!("{} node-{host} {resource:?} {call:?}", self.now);
        }
        match call {
            ResourceCall::Online => {
                self.hosts[host].running.insert(resource);
                let after = self.millis(50, 1500);
                self.later(after, host, Later::Resource { resource, event: ResourceEvent::Online });
            }
            ResourceCall::Offline => {
                let after = self.millis(50, 800);
                let event = ResourceEvent::Offline;
                self.later(after, host, Later::Resource { resource, event });
            }
            ResourceCall::Terminate => {
                self.hosts[host].online.remove(&resource);
                self.hosts[host].running.remove(&resource);
            }
        }
    }

    fn registry(
        &mut self,
        host: usize,
        ticket: Ticket,
        action: &RegistryAction,
        out: &Outbox<ClusterOutput>,
    ) {
        let h = &mut self.hosts[host];
        match action {
            RegistryAction::Save(key) => {
                let saved = h.registry.save(key, ME);
                let reply = RegistryReply::Saved(match &saved {
                    Ok(bytes) => Ok(bytes),
                    Err(error) => Err(error.clone()),
                });
                self.input(host, ClusterInput::Registry { ticket, reply });
            }
            RegistryAction::Restore { key, bytes, .. } => {
                let done = h.registry.restore(key, out.bytes(*bytes), &Restore::by(ME));
                let reply = RegistryReply::Restored(done.map(drop));
                self.input(host, ClusterInput::Registry { ticket, reply });
            }
            RegistryAction::Watch(key) => {
                h.watches.retain(|_, other| *other != ticket);
                if let Ok(watch) = h.registry.watch(key, true, WatchFilter::ALL) {
                    h.watches.insert(watch, ticket);
                }
            }
            RegistryAction::Unwatch => h.watches.retain(|_, other| *other != ticket),
            RegistryAction::ClusterHive(_) | RegistryAction::LoadClusterHive(_) => {}
        }
    }

    /// What may never be: a resource online on two nodes that count each other as members. A node that was
    /// put out of the membership cannot know it at once; that it stops is seen when all has come to rest.
    fn judge(&mut self) {
        for r in 0..self.config.resources.len() as u16 {
            let on = |h: &&Host| h.online.contains(&ResourceId(r)) && !h.paused;
            let online: Vec<&Host> = self.hosts.iter().filter(on).collect();
            let knows = |a: &Host, b: &Host| a.node.members().contains(b.node.id());
            let twice = online
                .iter()
                .enumerate()
                .any(|(i, a)| online[..i].iter().any(|b| knows(a, b) && knows(b, a)));
            if twice {
                let name = &self.config.resources[r as usize].name;
                let text = format!("{}: {name} is online twice", self.now);
                if self.violations.last() != Some(&text) {
                    self.violations.push(text);
                }
            }
        }
    }

    /// The nodes on which a resource is online.
    pub fn online_at(&self, resource: u16) -> Vec<usize> {
        let there = |i: &usize| self.hosts[*i].online.contains(&ResourceId(resource));
        (0..self.hosts.len()).filter(there).collect()
    }

    /// Whether every resource with a DLL is online somewhere, and all databases of members agree.
    pub fn is_whole(&self) -> Result<(), String> {
        for (r, resource) in self.config.resources.iter().enumerate() {
            let disk = matches!(resource.kind, ResourceKind::PhysicalDisk { .. });
            if !disk && self.online_at(r as u16).len() != 1 {
                return Err(format!(
                    "{} is online on {:?}",
                    resource.name,
                    self.online_at(r as u16)
                ));
            }
        }
        let members: Vec<&Host> =
            self.hosts.iter().filter(|h| h.up && h.node.is_member()).collect();
        let digest = |host: &Host| host.node.database().digest();
        if members.windows(2).any(|pair| digest(pair[0]) != digest(pair[1])) {
            return Err("the databases differ".into());
        }
        let up = self.hosts.iter().filter(|h| h.up).count();
        match members.len() == up {
            true => Ok(()),
            false => Err(format!("{} of {up} nodes are members", members.len())),
        }
    }
}
