//! Membership: heartbeats, the regroup, join and leave, and reliable messages between nodes.
//!
//! | file | does |
//! | --- | --- |
//! | `heartbeat` | heartbeats per interface, interfaces lost and heard again, nodes lost |
//! | `regroup` | the stages after a node was lost: who survives, pruning, clean-up (FTCS-28 1998) |
//! | `clique` | the largest set of nodes that hear each other |
//! | `join` | a node looks for a sponsor, and a sponsor takes it in |
//! | `channel` | reliable, ordered messages to one node (KB 258750) |
//!
//! Every start of the service, and every new attempt to join, is another *incarnation* of the node. What
//! comes from or is meant for another incarnation is not taken. Whoever is no member and behaves like one is
//! told so, and stops (error 5907).

mod channel;
mod clique;
mod heartbeat;
mod join;
mod regroup;
#[cfg(test)]
mod tests;

use super::ids::{NetworkId, NodeId, NodeSet};
use super::io::{HaltReason, Observation};
use super::step::{Notice, Step};
use crate::base::{SimTime, hash_path};
use crate::wire::cluster::{Body, Header, KIND_JOIN, Packet, RpcKind};
use channel::Channel;
use join::{Joining, Pending, Sponsoring};
use regroup::{Arbitration, RegroupState};
use std::net::Ipv4Addr;

/// What a node knows of the others.
#[derive(Debug, Default)]
pub(super) struct Membership {
    mode: Mode,
    /// The members as installed; empty while it is none.
    members: NodeSet,
    /// The members of which the other parts were told last.
    noticed: NodeSet,
    /// This start of the service; grows with every start.
    incarnation: u64,
    /// The last regroup this node has been through.
    epoch: u64,
    peers: Vec<Peer>,
    /// By node, then by network.
    heard: Vec<Heard>,
    /// Networks on which this node's adapter does not work.
    down: Vec<NetworkId>,
    heartbeat_due: Option<SimTime>,
    rpc_due: Option<SimTime>,
    /// The system shuts down: no more heartbeats, no more regroups (Q252974).
    silenced: bool,
    regroup: Option<Box<RegroupState>>,
    arbitration: Arbitration,
    /// The owner of the quorum resource, as far as this node knows.
    quorum_owner: Option<NodeId>,
    /// Members that have announced their leave.
    left: NodeSet,
    /// Members that are known to be gone: they were seen to start anew, or do not take messages.
    dead: NodeSet,
    /// Who counts for a majority node set; `None` for all nodes.
    voters: Option<NodeSet>,
    evicted: NodeSet,
    account: u32,
    joining: Option<Joining>,
    sponsoring: Option<Sponsoring>,
    pending: Option<Pending>,
    /// Joiners that this sponsor cannot take any more (Q238009).
    stale: NodeSet,
}

/// What this node is.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Mode {
    /// In no cluster.
    #[default]
    Down,
    /// It looks for a sponsor, or is being taken in.
    Joining,
    /// A member.
    Member,
}

/// What is kept of another node.
#[derive(Debug, Default)]
struct Peer {
    /// The incarnation with which it is a member or joins; zero if it does neither.
    incarnation: u64,
    channel: Channel,
}

/// When a node was last heard on a network.
#[derive(Copy, Clone, Debug)]
struct Heard {
    at: SimTime,
    lost: bool,
}

impl Membership {
    /// Of a service that has just started.
    pub fn new() -> Membership {
        Membership::default()
    }

    /// The members as this node sees them; empty before it has joined or formed.
    pub fn members(&self) -> NodeSet {
        self.members
    }

    /// The epoch of the regroup that ended last, or of the beginning of the cluster.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a regroup runs.
    pub fn is_in_regroup(&self) -> bool {
        self.regroup.is_some()
    }

    /// This node has formed a cluster: it is its only member, and holds the quorum.
    pub fn formed(&mut self, epoch: u64, step: &mut Step<'_>) {
        self.begin(step);
        self.mode = Mode::Member;
        self.members = NodeSet::only(step.me);
        self.noticed = self.members;
        self.epoch = epoch.max(self.epoch + 1);
        self.quorum_owner = Some(step.me);
        step.observe(Observation::Members(self.members));
    }

    /// The node that owns the quorum resource, as every node knows from the global updates. A partition
    /// prefers to keep the owner, and it is the owner that defends the quorum for it.
    pub fn quorum_owner(&mut self, owner: Option<NodeId>) {
        self.quorum_owner = owner;
    }

    /// The nodes that count for a majority node set, if not all (the list of `forcequorum`, KB 258078).
    pub fn set_voters(&mut self, voters: Option<NodeSet>) {
        self.voters = voters;
    }

    /// This node was evicted: it cannot join any more (Q171451).
    pub fn evict(&mut self, node: NodeId) {
        self.evicted.insert(node);
    }

    /// Stands for the token of the service account with which the service was started. A sponsor refuses
    /// nodes with another one (Q317232).
    pub fn set_account(&mut self, token: u32) {
        self.account = token;
    }

    /// Tells all members that this node's system shuts down: they need not wait for it to defend anything
    /// (KB 309186).
    pub fn announce_shutdown(&mut self, step: &mut Step<'_>) {
        for node in self.members.without(NodeSet::only(step.me)).iter() {
            self.send_everywhere(node, Body::ShutsDown { epoch: self.epoch }, step);
        }
    }

    /// Stops the heartbeats: the system shuts down (Q252974). The others will do without this node.
    pub fn stop_heartbeats(&mut self) {
        self.silenced = true;
        self.heartbeat_due = None;
        self.regroup = None;
    }

    /// Tells all members that this node leaves, and forgets them. Waits for nobody.
    pub fn leave(&mut self, step: &mut Step<'_>) {
        let sponsor = self.joining.as_ref().and_then(Joining::sponsor);
        let told = self.members.or(sponsor.into_iter().collect());
        for node in told.without(NodeSet::only(step.me)).iter() {
            self.send_everywhere(node, Body::Leave { epoch: self.epoch }, step);
        }
        self.reset();
    }

    /// Adapter state as the version can see it.
    pub fn interface(&mut self, network: NetworkId, works: bool, step: &mut Step<'_>) {
        if !step.config.profile.detects_link_failure {
            // NT 4.0 looks at its own stack only, and that does not mind a pulled cable (Q257925).
            return;
        }
        self.down.retain(|&other| other != network);
        if !works {
            self.down.push(network);
        }
    }

    /// Sends reliably and in order to a member or to a node that joins; to anyone else nothing is sent.
    pub fn send(&mut self, to: NodeId, kind: RpcKind, body: Vec<u8>, step: &mut Step<'_>) {
        self.send_kind(to, kind as u8, body, step);
    }

    fn send_kind(&mut self, to: NodeId, kind: u8, body: Vec<u8>, step: &mut Step<'_>) {
        let Some(peer) = self.peers.get_mut(index(to)) else { return };
        if peer.incarnation == 0 || to == step.me {
            return;
        }
        if peer.channel.push(kind, body) {
            self.flush(to, step);
        } else if self.members.contains(to) {
            self.dead.insert(to);
            self.start_regroup(self.epoch_now() + 1, step);
        }
    }

    /// A datagram has come.
    pub fn datagram(
        &mut self,
        network: NetworkId,
        from: Ipv4Addr,
        bytes: &[u8],
        step: &mut Step<'_>,
    ) {
        if self.mode == Mode::Down {
            return;
        }
        let Ok(Packet { header, body }) = Packet::decode(bytes) else { return };
        let sender = NodeId(header.from);
        let known = address(step, sender, network) == Some(from) && is_internal(step, network);
        if !known || header.to != step.me.0 || sender == step.me {
            return;
        }
        if header.instance != instance(step) {
            if let Body::Join(_) | Body::Probe(_) = body {
                self.refuse(&header, join::ERROR_OTHER_CLUSTER, step);
            }
            return;
        }
        match body {
            Body::Heartbeat { epoch, .. } => self.on_heartbeat(&header, network, epoch, step),
            Body::Regroup(regroup) => self.on_regroup(&header, network, &regroup, step),
            Body::Segment(segment) => {
                if !self.is_current(&header) {
                    return self.on_stray_segment(&header, step);
                }
                self.hear(sender, network, step);
                let mut complete = Vec::new();
                let channel = &mut self.peers[index(sender)].channel;
                channel.receive(&segment, step.now.time, &step.config.profile, &mut complete);
                self.flush(sender, step);
                for (kind, body) in complete {
                    self.deliver(sender, kind, body, step);
                }
            }
            Body::Poison { .. } => {
                let mine = header.to_incarnation == self.incarnation;
                if mine && self.mode == Mode::Member {
                    self.halt(HaltReason::Poisoned, step);
                }
            }
            Body::Leave { .. } => {
                if self.is_current(&header) {
                    self.on_leave(sender, step);
                }
            }
            Body::ShutsDown { .. } => {
                if self.is_current(&header) && self.members.contains(sender) {
                    step.notice(Notice::ShutdownAnnounced { node: sender });
                }
            }
            Body::Probe(applicant) => self.on_probe(&header, network, applicant, step),
            Body::Join(applicant) => self.on_join(&header, network, applicant, step),
            Body::Offer { state, .. } => self.on_offer(&header, network, state, step),
            Body::Refusal { error } => self.on_refusal(&header, error, step),
            Body::Unknown { .. } => {}
        }
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let now = step.now.time;
        if self.heartbeat_due.is_some_and(|due| due <= now) {
            self.heartbeat_tick(step);
        }
        if self.regroup.as_ref().is_some_and(|regroup| regroup.next_tick <= now) {
            self.regroup_tick(step);
        }
        if self.rpc_due.is_some_and(|due| due <= now) {
            for node in step.config.node_ids() {
                let due = self.peers[index(node)].channel.next_deadline();
                if due.is_some_and(|due| due <= now) {
                    self.flush(node, step);
                }
            }
            // Also if what was due is forgotten meanwhile.
            self.schedule_messages();
        }
        self.join_deadline(step);
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        let regroup = self.regroup.as_ref().map(|regroup| regroup.next_tick);
        let timers = [self.heartbeat_due, self.rpc_due, regroup, self.join_due()];
        timers.into_iter().flatten().min()
    }

    fn on_leave(&mut self, node: NodeId, step: &mut Step<'_>) {
        if self.members.contains(node) {
            self.left.insert(node);
            self.start_regroup(self.epoch_now() + 1, step);
        } else if self.sponsoring.as_ref().is_some_and(|joins| joins.joiner == node) {
            self.abort_join(join::ERROR_ABORTED, step);
        }
    }

    fn deliver(&mut self, from: NodeId, kind: u8, body: Vec<u8>, step: &mut Step<'_>) {
        if kind == KIND_JOIN {
            self.on_join_message(from, &body, step);
        } else if let Some(kind) = RpcKind::from_code(kind) {
            step.notice(Notice::RpcArrived { from, kind, body });
        }
    }

    /// A new incarnation that knows nobody.
    fn begin(&mut self, step: &Step<'_>) {
        self.reset();
        // Time goes on between two starts of a service, so no incarnation comes twice.
        self.incarnation = step.now.time.nanos().max(self.incarnation + 1);
        let nodes = step.config.nodes.len();
        self.peers.resize_with(nodes, Peer::default);
        let never = Heard { at: SimTime::ZERO, lost: true };
        self.heard = vec![never; nodes * step.config.networks.len()];
    }

    /// In no cluster any more.
    fn reset(&mut self) {
        let kept = Membership {
            incarnation: self.incarnation,
            down: std::mem::take(&mut self.down),
            voters: self.voters,
            evicted: self.evicted,
            account: self.account,
            ..Membership::default()
        };
        *self = kept;
    }

    /// The service of this node must end.
    fn halt(&mut self, reason: HaltReason, step: &mut Step<'_>) {
        self.reset();
        step.notice(Notice::Halt(reason));
    }

    /// Nothing of this node is taken any more, until it joins.
    fn forget(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(index(node)) {
            *peer = Peer::default();
        }
    }

    /// A node with which reliable messages can be exchanged from now on, by its incarnation.
    fn know(&mut self, node: NodeId, incarnation: u64) {
        if let Some(peer) = self.peers.get_mut(index(node))
            && peer.incarnation != incarnation
        {
            *peer = Peer { incarnation, channel: Channel::default() };
        }
    }

    /// Whether this comes from the incarnation that is known, and is meant for this one.
    fn is_current(&self, header: &Header) -> bool {
        let known = self.peers.get(index(NodeId(header.from))).map_or(0, |peer| peer.incarnation);
        known != 0 && known == header.incarnation && header.to_incarnation == self.incarnation
    }

    fn header(&self, to: NodeId, step: &Step<'_>) -> Header {
        Header {
            from: step.me.0,
            to: to.0,
            instance: instance(step),
            incarnation: self.incarnation,
            to_incarnation: self.peers.get(index(to)).map_or(0, |peer| peer.incarnation),
        }
    }

    /// Sends to a node on one network, if both have an adapter there and this node's works.
    fn send_on(&self, network: NetworkId, to: NodeId, body: Body<'_>, step: &mut Step<'_>) {
        let header = self.header(to, step);
        self.send_packet(network, &Packet { header, body }, step);
    }

    fn send_packet(&self, network: NetworkId, packet: &Packet<'_>, step: &mut Step<'_>) {
        let theirs = address(step, NodeId(packet.header.to), network);
        let (Some(to), true) = (theirs, self.works(network, step)) else { return };
        let bytes = step.out.write(|out| packet.encode(out));
        step.out.push(super::ClusterOutput::Send { network, to, bytes });
    }

    /// Sends to a node on all internal networks.
    fn send_everywhere(&self, to: NodeId, body: Body<'_>, step: &mut Step<'_>) {
        let config = step.config;
        for network in config.internal_networks() {
            self.send_on(network, to, body.clone(), step);
        }
    }

    /// Sends what is due of the reliable messages to a node, over the internal network with the highest
    /// priority that works (Q174794).
    fn flush(&mut self, to: NodeId, step: &mut Step<'_>) {
        let header = self.header(to, step);
        let route = self.route(to, step);
        let (now, profile) = (step.now.time, &step.config.profile);
        let Some(peer) = self.peers.get_mut(index(to)) else { return };
        let out = &mut *step.out;
        peer.channel.poll(now, profile, |segment| {
            let Some((network, to)) = route else { return };
            let packet = Packet { header, body: Body::Segment(segment) };
            let bytes = out.write(|out| packet.encode(out));
            out.push(super::ClusterOutput::Send { network, to, bytes });
        });
        self.schedule_messages();
    }

    fn schedule_messages(&mut self) {
        self.rpc_due = self.peers.iter().filter_map(|peer| peer.channel.next_deadline()).min();
    }

    fn route(&self, to: NodeId, step: &Step<'_>) -> Option<(NetworkId, Ipv4Addr)> {
        let usable = |network: NetworkId| {
            let to = address(step, to, network).filter(|_| self.works(network, step))?;
            Some((network, to))
        };
        let heard = |network: &NetworkId| !self.heard_at(to, *network, step).lost;
        let networks = || step.config.internal_networks();
        networks().filter(heard).find_map(usable).or_else(|| networks().find_map(usable))
    }

    fn works(&self, network: NetworkId, step: &Step<'_>) -> bool {
        !self.down.contains(&network) && address(step, step.me, network).is_some()
    }

    fn heard_at(&self, node: NodeId, network: NetworkId, step: &Step<'_>) -> Heard {
        self.heard[index(node) * step.config.networks.len() + network.0 as usize]
    }
}

fn index(node: NodeId) -> usize {
    (node.0 as usize).wrapping_sub(1)
}

fn address(step: &Step<'_>, node: NodeId, network: NetworkId) -> Option<Ipv4Addr> {
    step.config.node(node)?.addresses.get(network.0 as usize).copied().flatten()
}

fn is_internal(step: &Step<'_>, network: NetworkId) -> bool {
    step.config.internal_networks().any(|internal| internal == network)
}

/// Stands for the identity that setup gave the cluster.
fn instance(step: &Step<'_>) -> u32 {
    hash_path(&step.config.name) as u32
}
