//! A small laboratory: the memberships of a few nodes, networks with delay, loss, duplicates and cuts, and
//! a quorum that one node at a time holds. Parts that the membership talks to are played in their simplest
//! form: an update is applied when its message comes, a snapshot is loaded at once.

use crate::base::{Now, Outbox, SimDuration, SimTime, Stream, Streams, WallTime};
use crate::cluster::ClusterEvent;
use crate::cluster::config::*;
use crate::cluster::ids::*;
use crate::cluster::io::{ClusterOutput, HaltReason, Observation};
use crate::cluster::membership::Membership;
use crate::cluster::profile::ClusterProfile;
use crate::cluster::step::{Notice, Step};
use crate::cluster::update::Update;
use crate::wire::cluster::RpcKind;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What can wait in the laboratory's queue.
#[derive(Debug)]
enum Thing {
    Datagram { network: NetworkId, from: NodeId, to: NodeId, bytes: Vec<u8> },
    Arbitrated { node: NodeId, life: u32 },
    Start(NodeId),
}

/// One node.
#[derive(Debug)]
pub struct LabNode {
    pub membership: Membership,
    /// Whether the machine runs, the service may not.
    pub up: bool,
    /// Whether it gets no processor: input waits.
    pub paused: bool,
    pub halted: Option<HaltReason>,
    pub refused: Option<u32>,
    pub events: Vec<(SimTime, ClusterEvent)>,
    /// Memberships it was told of: when, epoch, members, owner of the quorum.
    pub noticed: Vec<(SimTime, u64, NodeSet, Option<NodeId>)>,
    /// Messages of the test that came, with their sender and the life in which they came.
    pub got: Vec<(NodeId, u32, Vec<u8>)>,
    pub lost_disk: bool,
    /// How often it found nobody to join.
    pub alone: u32,
    /// Its service account's token at the next start.
    pub account: u32,
    waiting: VecDeque<(NetworkId, NodeId, Vec<u8>)>,
    life: u32,
}

/// A cluster.
pub struct Lab {
    pub config: Arc<ClusterConfig>,
    /// Nodes that are set up otherwise.
    pub others: BTreeMap<NodeId, Arc<ClusterConfig>>,
    /// Joins that fail with this error when they are proposed.
    pub failing: Option<(u32, u32)>,
    pub now: SimTime,
    pub nodes: Vec<LabNode>,
    pub chance: Stream,
    /// In thousandths.
    pub loss: u64,
    pub duplicates: u64,
    pub delay: (SimDuration, SimDuration),
    /// Directions that carry nothing: network, from, to.
    pub cuts: Vec<(NetworkId, NodeId, NodeId)>,
    /// Who holds the quorum.
    pub holder: Option<NodeId>,
    pub arbitration: SimDuration,
    /// A service that has ended is started again after this time, if at all.
    pub restart: Option<SimDuration>,
    pub snapshot: usize,
    pub datagrams: u64,
    queue: BTreeMap<(SimTime, u64), Thing>,
    order: u64,
    out: Outbox<ClusterOutput>,
    pub regroups: u32,
}

pub fn secs(n: u64) -> SimDuration {
    SimDuration::from_secs(n)
}

pub fn millis(n: u64) -> SimDuration {
    SimDuration::from_millis(n)
}

fn address(node: NodeId, network: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, network, 0, node.0)
}

pub fn set(nodes: &[u8]) -> NodeSet {
    nodes.iter().map(|&node| NodeId(node)).collect()
}

impl LabNode {
    /// Another number for each start of the service, and each end.
    pub fn life(&self) -> u32 {
        self.life
    }
}

impl Lab {
    /// Nodes on some internal networks, with a quorum disk; nothing is started.
    pub fn new(nodes: u8, networks: u8, profile: ClusterProfile, seed: u64) -> Lab {
        let node = |n| NodeConfig {
            name: format!("node-{n}"),
            addresses: (0..networks).map(|network| Some(address(NodeId(n), network))).collect(),
        };
        let network = |n| NetworkConfig { name: format!("net-{n}"), role: NetworkRole::All };
        let config = ClusterConfig {
            name: "lab".into(),
            profile,
            nodes: (1..=nodes).map(node).collect(),
            networks: (0..networks).map(network).collect(),
            disks: Vec::new(),
            quorum: QuorumKind::Disk(ResourceId(0)),
            groups: Vec::new(),
            resources: Vec::new(),
        };
        let fresh = |_| LabNode {
            membership: Membership::new(),
            up: false,
            paused: false,
            halted: None,
            refused: None,
            events: Vec::new(),
            noticed: Vec::new(),
            got: Vec::new(),
            lost_disk: false,
            alone: 0,
            account: 0,
            waiting: VecDeque::new(),
            life: 0,
        };
        Lab {
            config: Arc::new(config),
            others: BTreeMap::new(),
            failing: None,
            now: SimTime::ZERO,
            nodes: (0..nodes).map(fresh).collect(),
            chance: Streams::new(seed).stream("lab"),
            loss: 0,
            duplicates: 0,
            delay: (SimDuration::from_micros(200), SimDuration::from_micros(400)),
            cuts: Vec::new(),
            holder: None,
            arbitration: secs(7),
            restart: None,
            snapshot: 200_000,
            datagrams: 0,
            queue: BTreeMap::new(),
            order: 0,
            out: Outbox::default(),
            regroups: 0,
        }
    }

    pub fn node(&mut self, n: u8) -> &mut LabNode {
        &mut self.nodes[n as usize - 1]
    }

    pub fn members(&self, n: u8) -> NodeSet {
        self.nodes[n as usize - 1].membership.members()
    }

    /// Starts node 1, then the others, and waits until all are members.
    pub fn assembled(mut self) -> Lab {
        let nodes = self.nodes.len() as u8;
        for n in 1..=nodes {
            self.start(n);
            let joined = |lab: &Lab| lab.members(n) == (1..=n).map(NodeId).collect();
            assert!(
                self.run_until(secs(60), joined),
                "node {n} is no member: {:?}",
                self.members(n)
            );
        }
        self
    }

    pub fn start(&mut self, n: u8) {
        let node = self.node(n);
        node.membership = Membership::new();
        node.membership.set_account(node.account);
        node.up = true;
        node.paused = false;
        node.lost_disk = false;
        node.halted = None;
        node.refused = None;
        node.life += 1;
        self.act(NodeId(n), |membership, step| membership.join(step));
    }

    /// The machine dies.
    pub fn crash(&mut self, n: u8) {
        let node = self.node(n);
        node.up = false;
        node.paused = false;
        node.lost_disk = false;
        node.life += 1;
        node.waiting.clear();
        node.membership = Membership::new();
    }

    pub fn pause(&mut self, n: u8, paused: bool) {
        self.node(n).paused = paused;
        if paused {
            return;
        }
        if std::mem::take(&mut self.node(n).lost_disk) {
            self.end_service(n, HaltReason::LostQuorum);
        }
        // First the timers that are overdue, then what has come meanwhile.
        self.act(NodeId(n), |membership, step| membership.on_deadline(step));
        while let Some((network, from, bytes)) = self.node(n).waiting.pop_front() {
            self.deliver(network, from, NodeId(n), &bytes);
        }
    }

    /// Changes the set-up before anything is started.
    pub fn setup(mut self, change: impl FnOnce(&mut ClusterConfig)) -> Lab {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// Whether each of these hears the other on some network.
    pub fn can_talk(&self, a: NodeId, b: NodeId) -> bool {
        let one_way =
            |a, b| self.config.internal_networks().any(|net| !self.cuts.contains(&(net, a, b)));
        one_way(a, b) && one_way(b, a)
    }

    /// Nodes that are members of something.
    pub fn alive(&self) -> NodeSet {
        let alive = |node: &&LabNode| node.up && !node.membership.members().is_empty();
        let numbered = (1u8..).map(NodeId).zip(&self.nodes);
        numbered.filter(|(_, node)| alive(node)).map(|(node, _)| node).collect()
    }

    /// Cuts one direction on a network.
    pub fn cut(&mut self, network: u8, from: u8, to: u8) {
        self.cuts.push((NetworkId(network), NodeId(from), NodeId(to)));
    }

    /// Cuts both directions between two groups on all networks.
    pub fn split(&mut self, one: &[u8], other: &[u8]) {
        for network in 0..self.config.networks.len() as u8 {
            for (&a, &b) in one.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                self.cut(network, a, b);
                self.cut(network, b, a);
            }
        }
    }

    pub fn send(&mut self, from: u8, to: u8, body: Vec<u8>) {
        self.act(NodeId(from), |membership, step| {
            membership.send(NodeId(to), RpcKind::Control, body, step);
        });
    }

    pub fn run(&mut self, span: SimDuration) {
        self.run_until(span, |_| false);
    }

    /// Runs until something holds, for at most a span; tells whether it holds.
    pub fn run_until(&mut self, span: SimDuration, holds: impl Fn(&Lab) -> bool) -> bool {
        let end = self.now + span;
        while !holds(self) {
            let queued = self.queue.keys().next().map(|&(at, _)| at);
            let awake = |node: &&LabNode| node.up && !node.paused;
            let timers = self.nodes.iter().filter(awake);
            let timer = timers.filter_map(|node| node.membership.next_deadline()).min();
            let Some(next) = queued.into_iter().chain(timer).min().filter(|&at| at <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(next);
            if queued == Some(next) {
                let (_, thing) = self.queue.pop_first().expect("just seen");
                self.happen(thing);
                continue;
            }
            for n in 1..=self.nodes.len() as u8 {
                let node = &self.nodes[n as usize - 1];
                let due = node.membership.next_deadline().is_some_and(|due| due <= next);
                if due && node.up && !node.paused {
                    self.act(NodeId(n), |membership, step| membership.on_deadline(step));
                }
            }
        }
        true
    }

    fn happen(&mut self, thing: Thing) {
        match thing {
            Thing::Datagram { network, from, to, bytes } => {
                let node = self.node(to.0);
                if node.up && node.paused {
                    node.waiting.push_back((network, from, bytes));
                } else if node.up {
                    self.deliver(network, from, to, &bytes);
                }
            }
            Thing::Arbitrated { node, life } => {
                let there = self.node(node.0);
                if there.life != life || !there.up {
                    return;
                }
                if there.paused {
                    return self.later(millis(100), Thing::Arbitrated { node, life });
                }
                let won = self.holder.is_none_or(|holder| holder == node || !self.defends(holder));
                if won
                    && let Some(former) = self.holder.replace(node)
                    && former != node
                {
                    self.loses_disk(former);
                }
                if self.nodes[node.0 as usize - 1].membership.members().is_empty() {
                    match won {
                        true => self.act(node, |membership, step| membership.formed(0, step)),
                        false => self.later(secs(2), Thing::Start(node)),
                    }
                } else {
                    self.act(node, |membership, step| membership.arbitrated(won, step));
                }
            }
            Thing::Start(node) => {
                if self.node(node.0).up && self.members(node.0).is_empty() {
                    self.start(node.0);
                }
            }
        }
    }

    /// A former holder learns that its disk was taken from it as soon as it runs again.
    fn loses_disk(&mut self, node: NodeId) {
        let former = self.node(node.0);
        if former.up && former.paused {
            former.lost_disk = true;
        }
    }

    /// Whether the holder of the quorum keeps others from it.
    fn defends(&self, holder: NodeId) -> bool {
        let node = &self.nodes[holder.0 as usize - 1];
        node.up && !node.paused && !node.membership.members().is_empty()
    }

    /// Whatever a node is told must agree with what others were told in the same regroup, and with who
    /// holds the quorum.
    fn check_notice(&self, me: NodeId, members: NodeSet, owner: Option<NodeId>) {
        let mine = self.nodes[me.0 as usize - 1].membership.epoch;
        for (other, node) in (1u8..).map(NodeId).zip(&self.nodes) {
            for &(at, epoch, set, _) in &node.noticed {
                let same = epoch == mine && self.now.since(at) < secs(30);
                if same && set.contains(me) && members.contains(other) {
                    assert_eq!(set, members, "epoch {epoch} of nodes {other:?} and {me:?}");
                }
            }
        }
        let Some(owner) = owner.filter(|_| matches!(self.config.quorum, QuorumKind::Disk(_)))
        else {
            return;
        };
        let holder = self.holder == Some(owner) || !self.defends(owner);
        assert!(holder, "{me:?} believes in {owner:?}, {:?} holds", self.holder);
    }

    fn later(&mut self, after: SimDuration, thing: Thing) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), thing);
    }

    fn deliver(&mut self, network: NetworkId, from: NodeId, to: NodeId, bytes: &[u8]) {
        let from = address(from, network.0);
        self.act(to, |membership, step| membership.datagram(network, from, bytes, step));
    }

    /// Lets a node act, and carries out what it asks for.
    pub fn act(&mut self, me: NodeId, act: impl FnOnce(&mut Membership, &mut Step<'_>)) {
        let mut notices = VecDeque::new();
        let mut out = std::mem::take(&mut self.out);
        let config = Arc::clone(self.others.get(&me).unwrap_or(&self.config));
        let now = Now { time: self.now, wall: WallTime(self.now.nanos()) };
        let mut step = Step { now, config: &config, me, out: &mut out, notices: &mut notices };
        act(&mut self.node(me.0).membership, &mut step);
        self.world(me, &out);
        out.clear();
        self.out = out;
        for notice in notices {
            self.notice(me, notice);
        }
    }

    fn world(&mut self, me: NodeId, out: &Outbox<ClusterOutput>) {
        for item in &out.items {
            match item {
                ClusterOutput::Send { network, to, bytes } => {
                    let to = NodeId(to.octets()[3]);
                    self.transmit(*network, me, to, out.bytes(*bytes));
                }
                ClusterOutput::Log(event) => {
                    let now = self.now;
                    self.node(me.0).events.push((now, event.clone()));
                }
                ClusterOutput::Observe(Observation::RegroupBegan) => self.regroups += 1,
                _ => {}
            }
        }
    }

    fn transmit(&mut self, network: NetworkId, from: NodeId, to: NodeId, bytes: &[u8]) {
        self.datagrams += 1;
        if self.cuts.contains(&(network, from, to)) {
            return;
        }
        let copies = 1 + u64::from(self.chance.below(1000) < self.duplicates);
        for _ in 0..copies {
            if self.chance.below(1000) >= self.loss {
                let delay = self.chance.duration(self.delay.0, self.delay.1);
                let bytes = bytes.to_vec();
                self.later(delay, Thing::Datagram { network, from, to, bytes });
            }
        }
    }

    fn notice(&mut self, me: NodeId, notice: Notice) {
        match notice {
            Notice::Arbitrate | Notice::NoSponsor => {
                self.node(me.0).alone += u32::from(notice == Notice::NoSponsor);
                let life = self.node(me.0).life;
                self.later(self.arbitration, Thing::Arbitrated { node: me, life });
            }
            Notice::MembersChanged { members, quorum_owner, .. } => {
                self.check_notice(me, members, quorum_owner);
                let (now, node) = (self.now, self.node(me.0));
                let epoch = node.membership.epoch;
                node.noticed.push((now, epoch, members, quorum_owner));
            }
            Notice::JoinRefused { error } => {
                self.node(me.0).refused = Some(error);
                self.again(me);
            }
            Notice::SnapshotWanted { joiner } => {
                let bytes = vec![7; self.snapshot];
                self.act(me, |membership, step| membership.send_snapshot(joiner, 3, bytes, step));
            }
            Notice::SnapshotArrived { sequence, bytes, .. } => {
                assert_eq!(bytes.len(), self.snapshot);
                self.act(me, |membership, step| membership.loaded(sequence, step));
            }
            Notice::Propose { update: Update::NodeUp { node, .. }, .. } => {
                if let Some((times, error)) = self.failing.filter(|(times, _)| *times > 0) {
                    self.failing = Some((times - 1, error));
                    return self
                        .act(me, |membership, step| membership.join_failed(node, error, step));
                }
                let told = self.members(me.0).without(NodeSet::only(me));
                self.act(me, |membership, step| membership.admit(node, step));
                let body = vec![node.0];
                for to in told.iter().chain([node]) {
                    let body = body.clone();
                    self.act(me, |membership, step| {
                        membership.send(to, RpcKind::GlobalUpdate, body, step);
                    });
                }
            }
            Notice::RpcArrived { kind: RpcKind::GlobalUpdate, body, .. } => {
                self.act(me, |membership, step| membership.admit(NodeId(body[0]), step));
            }
            Notice::RpcArrived { from, body, .. } => {
                let node = self.node(me.0);
                node.got.push((from, node.life, body));
            }
            Notice::Halt(reason) => {
                let node = self.node(me.0);
                node.halted = Some(reason);
                assert!(node.membership.members().is_empty());
                self.again(me);
            }
            other => panic!("the membership does not say {other:?}"),
        }
    }

    /// Another part of the service ends it.
    pub fn end_service(&mut self, n: u8, reason: HaltReason) {
        let node = self.node(n);
        node.membership = Membership::new();
        node.halted = Some(reason);
        self.again(NodeId(n));
    }

    /// The service of this node has ended.
    pub fn again(&mut self, me: NodeId) {
        self.node(me.0).life += 1;
        if let Some(after) = self.restart {
            self.later(after, Thing::Start(me));
        }
    }
}
