//! A laboratory: failover managers of a few nodes, and everything around them played perfectly, with delays
//! and with the failures a test asks for. It judges after every step.

use crate::base::{Now, Outbox, SimDuration, SimTime, Stream, Streams, WallTime};
use crate::cluster::failover::Failover;
use crate::cluster::step::{Asker, Notice, Step};
use crate::cluster::{
    ClusterConfig, ClusterError, ClusterEvent, ClusterOutput, Control, Database, DiskId, GroupId,
    NodeId, NodeSet, Observation, ResourceCall, ResourceEvent, ResourceId, ResourceState, Update,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a resource really does on a node.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Real {
    Starting,
    Running,
    Stopping,
}

#[derive(Debug)]
pub enum Happening {
    Deadline,
    Commit { node: NodeId, life: u32, asker: Asker, update: Update },
    Deliver { at: usize },
    Proposed { asker: Asker, result: Result<(), ClusterError> },
    MembersChanged { left: NodeSet },
    Detected { dead: NodeId, life: u32 },
    Join,
    Rpc { from: NodeId, body: Vec<u8> },
    Resource { id: ResourceId, event: ResourceEvent },
    Restored(ResourceId),
    Saved(ResourceId),
    DiskOnline(DiskId),
    DiskOffline(DiskId),
}

pub struct Node {
    pub failover: Failover,
    pub database: Database,
    /// Of the service; old happenings are for an older life.
    pub life: u32,
    /// The life with which it became a member.
    joined: u32,
    pub up: bool,
    /// Entries of the order applied so far.
    pub applied: usize,
    pub real: BTreeMap<ResourceId, Real>,
    pub owns: Vec<GroupId>,
    pub stopped: bool,
}

pub struct Lab {
    pub config: ClusterConfig,
    pub nodes: BTreeMap<NodeId, Node>,
    pub now: SimTime,
    pub wall_offset: SimDuration,
    pub members: NodeSet,
    order: Vec<(NodeId, u32, Asker, Update)>,
    /// Entries of the order whose proposer was told.
    answered: BTreeSet<usize>,
    queue: BTreeMap<(SimTime, u64), (NodeId, u32, Happening)>,
    sequence: u64,
    pub stream: Stream,
    /// Longest of each delay, milliseconds; zero for none.
    pub delay_ms: u64,
    /// The next so many Online calls of a resource fail.
    pub fail_online: BTreeMap<ResourceId, u32>,
    /// Resources whose Online or Offline never answers.
    pub silent: Vec<ResourceId>,
    /// How long Offline takes.
    pub offline_takes: BTreeMap<ResourceId, SimDuration>,
    /// The next so many proposals fail.
    pub refuse: u32,
    pub answers: BTreeMap<u32, Result<(), ClusterError>>,
    pub calls: Vec<(SimTime, NodeId, ResourceId, ResourceCall)>,
    pub log: Vec<(NodeId, ClusterEvent)>,
    /// Notices about keys and disks, in order, as short texts.
    pub notes: Vec<(NodeId, String)>,
    /// Who holds each disk.
    pub disks: BTreeMap<DiskId, NodeId>,
    pub updates: usize,
    /// Prints what happens: for whoever follows a seed.
    pub verbose: bool,
    requests: u32,
    /// Messages of updates and peers are not lost but the quorum follows this node, if set.
    pub quorum_owner: Option<NodeId>,
}

impl Lab {
    /// A cluster whose first node has formed it and whose others have joined, with everything online.
    pub fn new(config: ClusterConfig) -> Lab {
        Lab::with_delays(config, 0, 1)
    }

    pub fn with_delays(config: ClusterConfig, delay_ms: u64, seed: u64) -> Lab {
        let database = Database::initial(&config);
        let nodes = config.node_ids().map(|id| {
            let node = Node {
                failover: Failover::default(),
                database: database.clone(),
                life: 0,
                joined: 0,
                up: false,
                applied: 0,
                real: BTreeMap::new(),
                owns: Vec::new(),
                stopped: false,
            };
            (id, node)
        });
        let mut lab = Lab {
            nodes: nodes.collect(),
            config,
            now: SimTime::ZERO + SimDuration::from_secs(1),
            wall_offset: SimDuration::ZERO,
            members: NodeSet::EMPTY,
            order: Vec::new(),
            answered: BTreeSet::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            stream: Streams::new(seed).stream("lab"),
            delay_ms,
            fail_online: BTreeMap::new(),
            silent: Vec::new(),
            offline_takes: BTreeMap::new(),
            refuse: 0,
            answers: BTreeMap::new(),
            calls: Vec::new(),
            log: Vec::new(),
            notes: Vec::new(),
            disks: BTreeMap::new(),
            updates: 0,
            verbose: false,
            requests: 0,
            quorum_owner: None,
        };
        let ids: Vec<NodeId> = lab.nodes.keys().copied().collect();
        for id in ids {
            lab.start(id);
            lab.run(SimDuration::from_secs(20));
        }
        lab
    }

    /// Starts a node's service: it forms a cluster, or joins the one there is.
    pub fn start(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        assert!(!node.up, "{id:?} is up");
        node.up = true;
        node.stopped = false;
        node.life += 1;
        node.failover = Failover::default();
        node.real.clear();
        if self.members.is_empty()
            && !self.nodes.values().any(|n| n.up && n.life > 0 && n.applied > 0)
        {
            self.form(id);
        } else {
            self.later(id, Happening::Join);
        }
    }

    fn form(&mut self, id: NodeId) {
        // The newest database is found on the quorum.
        let newest = self.nodes.values().max_by_key(|node| node.applied).unwrap();
        let (database, applied) = (newest.database.clone(), self.order.len());
        let node = self.nodes.get_mut(&id).unwrap();
        node.database = database;
        node.applied = applied;
        node.joined = node.life;
        self.members = NodeSet::only(id);
        self.disks.insert(DiskId(0), id);
        self.act(id, |failover, database, step| {
            failover.load(database, step);
            failover.formed(step);
        });
    }

    fn join(&mut self, id: NodeId) {
        // A join waits for a regroup that is going on.
        let unsettled = self
            .members
            .iter()
            .any(|m| self.is_member(m) && !self.members.covers(self.nodes[&m].failover.members));
        if self.members.is_empty() {
            return self.form(id);
        }
        let sponsor = self.members.iter().find(|&m| m != id && self.is_member(m));
        let Some(sponsor) = sponsor.filter(|_| !self.members.contains(id) && !unsettled) else {
            return self.later_by(id, SimDuration::from_secs(1), Happening::Join);
        };
        while self.nodes[&sponsor].applied < self.order.len() {
            self.deliver(sponsor, self.nodes[&sponsor].applied);
        }
        if !self.is_member(sponsor) {
            // That was the last it waited for before it stopped.
            return self.later_by(id, SimDuration::from_secs(1), Happening::Join);
        }
        let snapshot = self.nodes[&sponsor].failover.snapshot();
        let database = self.nodes[&sponsor].database.clone();
        let applied = self.order.len();
        let node = self.nodes.get_mut(&id).unwrap();
        node.database = database;
        node.applied = applied + 1;
        node.joined = node.life;
        self.members.insert(id);
        let update = Update::NodeUp { node: id, after: applied as u64 };
        self.commit(sponsor, self.nodes[&sponsor].life, Asker::Node(0), update);
        self.act(id, |failover, database, step| {
            failover.load(database, step);
            failover.joined(&snapshot, step);
        });
    }

    /// Whether a node is there, and has joined in its present life.
    pub fn is_member(&self, id: NodeId) -> bool {
        let node = &self.nodes[&id];
        self.members.contains(id) && node.up && node.joined == node.life
    }

    /// The node's power goes.
    pub fn crash(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        assert!(node.up);
        node.up = false;
        node.life += 1;
        node.real.clear();
        node.owns.clear();
        node.failover = Failover::default();
        let life = node.life;
        self.disks.retain(|_, holder| *holder != id);
        self.later_by(id, SimDuration::from_secs(5), Happening::Detected { dead: id, life });
    }

    /// The node's service is told to stop in order.
    pub fn stop(&mut self, id: NodeId, shutting_down: bool) {
        self.act(id, |failover, _, step| failover.stop(shutting_down, step));
    }

    /// The service ends at once; disks are given up by their driver.
    pub fn halt(&mut self, id: NodeId) {
        let resources = &self.config.resources;
        let node = self.nodes.get_mut(&id).unwrap();
        node.real.retain(|r, _| resources.get(usize::from(r.0)).is_some_and(|r| r.name != "disk"));
        self.act(id, |failover, _, step| failover.halt(step));
        assert!(self.nodes[&id].real.is_empty());
    }

    fn detected(&mut self, dead: NodeId, life: u32) {
        // Unless it is back already.
        if !self.members.contains(dead) || self.nodes[&dead].joined > life {
            return;
        }
        self.members.remove(dead);
        if self.quorum_owner.is_none_or(|owner| !self.members.contains(owner)) {
            self.quorum_owner = self.members.lowest();
        }
        self.tell_proposers();
        for id in self.members.iter().collect::<Vec<_>>() {
            if !self.is_member(id) {
                continue;
            }
            self.later(id, Happening::MembersChanged { left: NodeSet::only(dead) });
        }
    }

    pub fn control(&mut self, at: NodeId, control: Control) -> u32 {
        self.requests += 1;
        let request = self.requests;
        self.act(at, |failover, _, step| failover.control(request, &control, step));
        request
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, at: NodeId, control: Control) -> Result<(), u32> {
        let request = self.control(at, control);
        self.run(SimDuration::from_millis(20 + 10 * self.delay_ms));
        self.answers[&request].map_err(|error| error.0)
    }

    pub fn event(&mut self, at: NodeId, id: ResourceId, event: ResourceEvent) {
        self.act(at, |failover, _, step| failover.resource(id, event, step));
    }

    pub fn propose(&mut self, at: NodeId, update: Update) {
        let life = self.nodes[&at].life;
        self.commit(at, life, Asker::Node(0), update);
    }

    pub fn owner(&self, group: GroupId) -> Option<NodeId> {
        let mut owners =
            self.nodes.iter().filter(|(_, node)| node.up && node.owns.contains(&group));
        owners.next().map(|(&id, _)| id)
    }

    /// The state of a resource on its group's owner.
    pub fn state(&self, id: ResourceId) -> ResourceState {
        let group = self.config.resources[usize::from(id.0)].group;
        let Some(owner) = self.owner(group) else { return ResourceState::Offline };
        self.nodes[&owner].failover.resources[&id].state()
    }

    pub fn all_online(&self) -> bool {
        (0..self.config.resources.len() as u16)
            .all(|id| self.state(ResourceId(id)) == ResourceState::Online)
    }

    pub fn events(&self, id: u16) -> usize {
        self.log.iter().filter(|(_, event)| event.id() == id).count()
    }

    fn later(&mut self, id: NodeId, what: Happening) {
        let millis = if self.delay_ms == 0 { 1 } else { self.stream.between(1, self.delay_ms) };
        self.later_by(id, SimDuration::from_millis(millis), what);
    }

    fn later_by(&mut self, id: NodeId, wait: SimDuration, what: Happening) {
        self.sequence += 1;
        let life = self.nodes[&id].life;
        self.queue.insert((self.now + wait, self.sequence), (id, life, what));
    }

    pub fn run(&mut self, time: SimDuration) {
        self.run_until(self.now + time);
    }

    pub fn run_until(&mut self, end: SimTime) {
        loop {
            let queued = self.queue.first_key_value().map(|(&(at, _), _)| at);
            let deadlines = self.nodes.iter().filter(|(_, node)| node.up);
            let due =
                deadlines.filter_map(|(&id, n)| Some((n.failover.next_deadline()?, id))).min();
            let next = [queued, due.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|&at| at <= end) else { break };
            self.now = self.now.max(next);
            if queued == Some(next) {
                let (_, (id, life, what)) = self.queue.pop_first().unwrap();
                self.happen(id, life, what);
            } else if let Some((_, id)) = due {
                self.happen(id, self.nodes[&id].life, Happening::Deadline);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, id: NodeId, life: u32, what: Happening) {
        if let Happening::Detected { dead, life } = what {
            return self.detected(dead, life);
        }
        if self.nodes[&id].life != life || !self.nodes[&id].up {
            return;
        }
        if self.verbose {
            println!("{} {id:?} {what:?}", self.now);
        }
        match what {
            Happening::Deadline => self.act(id, |failover, _, step| failover.on_deadline(step)),
            Happening::Commit { node, life, asker, update } => {
                self.commit(node, life, asker, update)
            }
            Happening::Deliver { at } => self.deliver(id, at),
            Happening::Proposed { asker, result } => {
                if let Asker::Failover(number) = asker {
                    self.act(id, |failover, _, step| failover.proposed(number, result, step));
                }
            }
            Happening::MembersChanged { left } => {
                let quorum = self.quorum_owner;
                // Nodes that have joined meanwhile come by their own update.
                let members = self.nodes[&id].failover.members.and(self.members);
                self.act(id, |failover, _, step| {
                    failover.members_changed(members, left, quorum, step)
                });
            }
            Happening::Join => self.join(id),
            Happening::Rpc { from, body } => {
                if self.is_member(from) && self.is_member(id) {
                    self.act(id, |failover, _, step| failover.rpc(from, &body, step));
                }
            }
            Happening::Resource { id: resource, event } => self.resource(id, resource, event),
            Happening::Restored(resource) => {
                self.act(id, |failover, _, step| failover.restored(resource, step));
            }
            Happening::Saved(resource) => {
                self.act(id, |failover, _, step| failover.saved(resource, step));
            }
            Happening::DiskOnline(disk) => self.disk_online(id, disk),
            Happening::DiskOffline(disk) => {
                if self.disks.get(&disk) == Some(&id) {
                    self.disks.remove(&disk);
                }
                self.set_disk(id, disk, None);
                self.act(id, |failover, _, step| failover.disk_offline(disk, step));
            }
            Happening::Detected { .. } => {}
        }
    }

    fn resource(&mut self, id: NodeId, resource: ResourceId, event: ResourceEvent) {
        let real = self.nodes.get_mut(&id).unwrap();
        match (event, real.real.get(&resource)) {
            (ResourceEvent::Online, Some(Real::Starting)) => {
                real.real.insert(resource, Real::Running)
            }
            (ResourceEvent::Failed, Some(Real::Starting)) => None,
            (ResourceEvent::Offline, Some(Real::Stopping)) => real.real.remove(&resource),
            // It was terminated meanwhile.
            _ => return,
        };
        self.act(id, |failover, _, step| failover.resource(resource, event, step));
    }

    fn disk_online(&mut self, id: NodeId, disk: DiskId) {
        let fails = self.disk_resource(id, disk).is_some_and(|r| self.take_failure(r));
        let free = self.disks.get(&disk).is_none_or(|&holder| holder == id);
        let ok = free && !fails;
        if ok {
            self.disks.insert(disk, id);
            self.set_disk(id, disk, Some(Real::Running));
        } else {
            self.set_disk(id, disk, None);
        }
        self.act(id, |failover, _, step| failover.disk_online(disk, ok, step));
    }

    fn disk_resource(&self, id: NodeId, disk: DiskId) -> Option<ResourceId> {
        let resources = &self.nodes[&id].failover.resources;
        resources.iter().find(|(_, r)| r.disk() == Some(disk)).map(|(&id, _)| id)
    }

    fn set_disk(&mut self, id: NodeId, disk: DiskId, real: Option<Real>) {
        let Some(resource) = self.disk_resource(id, disk) else { return };
        let node = self.nodes.get_mut(&id).unwrap();
        match real {
            Some(real) => node.real.insert(resource, real),
            None => node.real.remove(&resource),
        };
    }

    fn take_failure(&mut self, id: ResourceId) -> bool {
        let Some(left) = self.fail_online.get_mut(&id).filter(|left| **left > 0) else {
            return false;
        };
        *left -= 1;
        true
    }

    fn commit(&mut self, node: NodeId, life: u32, asker: Asker, update: Update) {
        if self.nodes[&node].life != life || !self.is_member(node) {
            return;
        }
        if self.refuse > 0 && asker != Asker::Node(0) {
            self.refuse -= 1;
            let result = Err(ClusterError(5900));
            return self.later(node, Happening::Proposed { asker, result });
        }
        let at = self.order.len();
        self.updates += 1;
        self.order.push((node, life, asker, update));
        for id in self.members.iter().collect::<Vec<_>>() {
            if self.is_member(id) {
                self.later(id, Happening::Deliver { at });
            }
        }
    }

    fn deliver(&mut self, id: NodeId, at: usize) {
        while self.nodes[&id].applied <= at {
            let next = self.nodes[&id].applied;
            let update = self.order[next].3.clone();
            self.nodes.get_mut(&id).unwrap().applied += 1;
            match &update {
                Update::Database(changes) => {
                    let result = self.nodes.get_mut(&id).unwrap().database.apply(changes);
                    assert_eq!(result, Ok(()), "{changes:?}");
                    self.act(id, |failover, database, step| failover.load(database, step));
                }
                // The node itself has done it when it joined. One that has gone again is none.
                Update::NodeUp { node, .. } if *node != id && self.is_member(*node) => {
                    let node = *node;
                    self.act(id, |failover, _, step| failover.node_up(node, step));
                }
                _ => {}
            }
            self.act(id, |failover, _, step| failover.apply(&update, step));
            self.tell_proposers();
        }
    }

    /// Answers proposals that every member has applied.
    fn tell_proposers(&mut self) {
        for at in 0..self.order.len() {
            let everywhere =
                self.members.iter().all(|m| self.nodes[&m].applied > at || !self.is_member(m));
            if self.answered.contains(&at) || !everywhere {
                continue;
            }
            self.answered.insert(at);
            let (node, life, asker, _) = self.order[at];
            if self.nodes[&node].life == life && self.nodes[&node].up {
                self.later(node, Happening::Proposed { asker, result: Ok(()) });
            }
        }
    }

    /// Lets a node's failover manager act, and plays what it asks for.
    pub fn act(&mut self, id: NodeId, act: impl FnOnce(&mut Failover, &Database, &mut Step<'_>)) {
        let mut out = Outbox::default();
        let mut notices = VecDeque::new();
        let wall = WallTime(self.now.nanos() + self.wall_offset.nanos());
        let node = self.nodes.get_mut(&id).unwrap();
        let mut step = Step {
            now: Now { time: self.now, wall },
            config: &self.config,
            me: id,
            out: &mut out,
            notices: &mut notices,
        };
        act(&mut node.failover, &node.database, &mut step);
        for item in std::mem::take(&mut out.items) {
            self.output(id, item);
        }
        for notice in notices {
            self.notice(id, notice);
        }
        self.judge();
    }

    fn output(&mut self, id: NodeId, output: ClusterOutput) {
        if self.verbose {
            println!("{} {id:?}    -> {output:?}", self.now);
        }
        match output {
            ClusterOutput::Resource { resource, call } => self.call(id, resource, call),
            ClusterOutput::Log(event) => self.log.push((id, event)),
            ClusterOutput::Answer { request, result } => {
                assert!(self.answers.insert(request, result).is_none(), "answered twice");
            }
            ClusterOutput::Observe(Observation::GroupTaken(group)) => {
                let owns = &mut self.nodes.get_mut(&id).unwrap().owns;
                assert!(!owns.contains(&group), "{group:?} taken twice by {id:?}");
                owns.push(group);
            }
            ClusterOutput::Observe(Observation::GroupGiven(group)) => {
                let owns = &mut self.nodes.get_mut(&id).unwrap().owns;
                assert!(owns.contains(&group), "{group:?} given by {id:?} that has it not");
                owns.retain(|&owned| owned != group);
            }
            _ => {}
        }
    }

    fn call(&mut self, id: NodeId, resource: ResourceId, call: ResourceCall) {
        self.calls.push((self.now, id, resource, call));
        let real = self.nodes[&id].real.get(&resource).copied();
        match call {
            ResourceCall::Online => {
                self.judge_start(id, resource);
                assert_eq!(real, None, "{resource:?} is started twice on {id:?}");
                self.nodes.get_mut(&id).unwrap().real.insert(resource, Real::Starting);
                if !self.silent.contains(&resource) {
                    let fails = self.take_failure(resource);
                    let event = if fails { ResourceEvent::Failed } else { ResourceEvent::Online };
                    self.later(id, Happening::Resource { id: resource, event });
                }
            }
            ResourceCall::Offline => {
                self.judge_stop(id, resource);
                assert_eq!(real, Some(Real::Running), "{resource:?} is stopped and does not run");
                self.nodes.get_mut(&id).unwrap().real.insert(resource, Real::Stopping);
                let event = ResourceEvent::Offline;
                match self.offline_takes.get(&resource).copied() {
                    _ if self.silent.contains(&resource) => {}
                    Some(time) => {
                        self.later_by(id, time, Happening::Resource { id: resource, event })
                    }
                    None => self.later(id, Happening::Resource { id: resource, event }),
                }
            }
            ResourceCall::Terminate => {
                self.nodes.get_mut(&id).unwrap().real.remove(&resource);
            }
        }
    }

    fn notice(&mut self, id: NodeId, notice: Notice) {
        let life = self.nodes[&id].life;
        if self.verbose {
            println!("{} {id:?}    -> {notice:?}", self.now);
        }
        match notice {
            Notice::Rpc { to, body, .. } => {
                if self.nodes[&to].up {
                    self.later(to, Happening::Rpc { from: id, body });
                }
            }
            Notice::Propose { asker, update } => {
                self.later(id, Happening::Commit { node: id, life, asker, update });
            }
            Notice::RestoreKeys { resource } => {
                self.note(id, format!("restore {}", resource.0));
                self.later(id, Happening::Restored(resource));
            }
            Notice::WatchKeys { resource } => self.note(id, format!("watch {}", resource.0)),
            Notice::SaveKeys { resource, save } => {
                self.note(id, format!("{} {}", if save { "save" } else { "drop" }, resource.0));
                self.later(id, Happening::Saved(resource));
            }
            Notice::TakeDisk { disk, .. } => {
                if let Some(resource) = self.disk_resource(id, disk) {
                    self.judge_start(id, resource);
                }
                self.set_disk(id, disk, Some(Real::Starting));
                self.later(id, Happening::DiskOnline(disk));
            }
            Notice::GiveDisk { disk, orderly } => {
                self.note(id, format!("give {} {orderly}", disk.0));
                if let Some(resource) = self.disk_resource(id, disk).filter(|_| orderly) {
                    self.judge_stop(id, resource);
                }
                if !orderly {
                    self.set_disk(id, disk, None);
                }
                self.later(id, Happening::DiskOffline(disk));
            }
            Notice::AllOffline => self.all_offline(id),
            Notice::GroupMoved { group, to } => {
                let node = &self.nodes[&id].failover;
                if node.groups[&group].holds_quorum {
                    self.quorum_owner = Some(to);
                }
            }
            other => panic!("{other:?} from the failover manager"),
        }
    }

    fn all_offline(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        assert!(node.owns.is_empty() && !node.stopped);
        node.stopped = true;
        assert!(node.real.keys().all(|r| self.config.resources[usize::from(r.0)].name == "disk"));
        self.halt(id);
        let node = self.nodes.get_mut(&id).unwrap();
        node.up = false;
        node.life += 1;
        node.real.clear();
        let life = node.life;
        self.disks.retain(|_, holder| *holder != id);
        self.later_by(id, SimDuration::from_millis(1), Happening::Detected { dead: id, life });
    }

    fn note(&mut self, id: NodeId, text: String) {
        self.notes.push((id, text));
    }

    fn judge_start(&self, id: NodeId, resource: ResourceId) {
        for on in &self.nodes[&id].failover.resources[&resource].config.depends_on {
            assert_eq!(
                self.nodes[&id].real.get(on),
                Some(&Real::Running),
                "{resource:?} without {on:?}"
            );
        }
    }

    fn judge_stop(&self, id: NodeId, resource: ResourceId) {
        for (other, known) in &self.nodes[&id].failover.resources {
            if known.config.depends_on.contains(&resource) {
                assert_eq!(self.nodes[&id].real.get(other), None, "{other:?} needs {resource:?}");
            }
        }
    }

    /// What must hold at every instant.
    fn judge(&self) {
        let up = || self.nodes.iter().filter(|(_, node)| node.up);
        for (group, _) in (0..).zip(&self.config.groups) {
            let owners: Vec<NodeId> =
                up().filter(|(_, n)| n.owns.contains(&GroupId(group))).map(|(&id, _)| id).collect();
            assert!(owners.len() <= 1, "group {group} has the owners {owners:?}");
            for (&id, node) in up() {
                let runs = node.real.keys().find(|r| {
                    self.config.resources.get(usize::from(r.0)).is_some_and(|r| r.group.0 == group)
                });
                let owned = owners.first() == Some(&id);
                assert!(
                    runs.is_none() || owned,
                    "{runs:?} of group {group} runs on {id:?}, not its owner"
                );
            }
        }
    }
}
