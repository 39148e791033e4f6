//! Membership: heartbeats, the regroup, join and leave, and reliable messages between nodes.

use super::ids::{NetworkId, NodeId, NodeSet};
use super::step::Step;
use crate::base::SimTime;
use crate::wire::cluster::RpcKind;
use std::net::Ipv4Addr;

/// What a node knows of the others.
#[derive(Debug)]
pub(super) struct Membership {
    members: NodeSet,
}

impl Membership {
    /// Of a service that has just started.
    pub fn new() -> Membership {
        Membership { members: NodeSet::EMPTY }
    }

    /// The members as this node sees them; empty before it has joined or formed.
    pub fn members(&self) -> NodeSet {
        self.members
    }

    /// Looks for a sponsor. Ends in `SnapshotArrived`, `NoSponsor` or `JoinRefused`.
    pub fn join(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// The snapshot is loaded: the sponsor may admit this node (it proposes `NodeUp`).
    pub fn loaded(&mut self, sequence: u64, step: &mut Step<'_>) {
        let _ = (sequence, step);
    }

    /// This node has formed a cluster: it is its only member.
    pub fn formed(&mut self, step: &mut Step<'_>) {
        self.members = NodeSet::only(step.me);
    }

    /// The update `NodeUp` was applied: `node` is a member (maybe this node itself, which then hears from
    /// `members`).
    pub fn admit(&mut self, node: NodeId, step: &mut Step<'_>) {
        let _ = step;
        self.members.insert(node);
    }

    /// What the joiner asked for.
    pub fn send_snapshot(
        &mut self,
        joiner: NodeId,
        sequence: u64,
        bytes: Vec<u8>,
        step: &mut Step<'_>,
    ) {
        let _ = (joiner, sequence, bytes, step);
    }

    /// The join through this node failed (error 5083): the joiner is to begin again.
    pub fn join_failed(&mut self, joiner: NodeId, error: u32, step: &mut Step<'_>) {
        let _ = (joiner, error, step);
    }

    /// The arbitration it asked for has ended.
    pub fn arbitrated(&mut self, won: bool, step: &mut Step<'_>) {
        let _ = (won, step);
    }

    /// The node that owns the quorum resource.
    pub fn quorum_owner(&mut self, owner: Option<NodeId>) {
        let _ = owner;
    }

    /// The nodes that count for a majority node set, if not all.
    pub fn set_voters(&mut self, voters: Option<NodeSet>) {
        let _ = voters;
    }

    /// A node was evicted.
    pub fn evict(&mut self, node: NodeId) {
        let _ = node;
    }

    /// Stops the heartbeats: the system shuts down (Q252974).
    pub fn stop_heartbeats(&mut self) {}

    /// Tells all members that this node leaves, and forgets them.
    pub fn leave(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// Adapter state as the version can see it.
    pub fn interface(&mut self, network: NetworkId, works: bool, step: &mut Step<'_>) {
        let _ = (network, works, step);
    }

    /// Sends reliably and in order to a member or to a node that joins.
    pub fn send(&mut self, to: NodeId, kind: RpcKind, body: Vec<u8>, step: &mut Step<'_>) {
        let _ = (to, kind, body, step);
    }

    /// A datagram has come.
    pub fn datagram(
        &mut self,
        network: NetworkId,
        from: Ipv4Addr,
        bytes: &[u8],
        step: &mut Step<'_>,
    ) {
        let _ = (network, from, bytes, step);
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        None
    }
}
