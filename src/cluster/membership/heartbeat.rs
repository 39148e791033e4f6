//! Heartbeats: every member's every interface to every other member's on each internal network (KB 892422).
//!
//! Never on networks for clients, even if they are the last that work (Q176320). An interface not heard for
//! some periods is lost (event 1123) until it is heard again (1122); a node whose interfaces are all silent
//! for longer is taken for dead (1126), and a regroup decides.

use super::super::events::ClusterEvent;
use super::super::ids::{NetworkId, NodeId, NodeSet};
use super::super::step::Step;
use super::{Heard, Membership, Mode, address, index};
use crate::base::SimTime;
use crate::wire::cluster::{Body, Header, Packet};
use std::net::Ipv4Addr;

impl Membership {
    pub(super) fn on_heartbeat(
        &mut self,
        header: &Header,
        network: NetworkId,
        epoch: u64,
        step: &mut Step<'_>,
    ) {
        let from = NodeId(header.from);
        if !self.is_current(header) {
            return self.poison(header, step);
        }
        self.hear(from, network, step);
        if self.members.contains(from) && epoch > self.epoch && self.regroup.is_none() {
            // It has been through a regroup that this node has missed.
            self.start_regroup(epoch + 1, step);
        }
    }

    /// Tells a node that behaves like a member and is none that it must stop.
    pub(super) fn poison(&mut self, header: &Header, step: &mut Step<'_>) {
        let from = NodeId(header.from);
        let known = self.peers[index(from)].incarnation;
        // An earlier incarnation's datagram is late; its node has started anew and knows.
        let late = known != 0 && header.incarnation <= known;
        if self.mode != Mode::Member || late || self.silenced {
            return;
        }
        let mut poison = self.header(from, step);
        poison.to_incarnation = header.incarnation;
        let body = Body::Poison { epoch: self.epoch, members: self.members.bits() };
        let packet = Packet { header: poison, body };
        let config = step.config;
        for network in config.internal_networks() {
            self.send_packet(network, &packet, step);
        }
    }

    /// A node was heard on a network.
    pub(super) fn hear(&mut self, node: NodeId, network: NetworkId, step: &mut Step<'_>) {
        let place = index(node) * step.config.networks.len() + network.0 as usize;
        let heard = &mut self.heard[place];
        heard.at = step.now.time;
        if heard.lost {
            heard.lost = false;
            if self.members.contains(node) {
                step.log(ClusterEvent::InterfaceHeard { node, network });
            }
        }
    }

    /// Sends this node's heartbeats, and begins a regroup if somebody was silent for too long.
    pub(super) fn heartbeat_tick(&mut self, step: &mut Step<'_>) {
        let dead = self.send_heartbeats(step);
        if !dead.is_empty() && self.regroup.is_none() {
            self.start_regroup(self.epoch + 1, step);
        }
    }

    /// Sends this node's heartbeats, and looks who is silent: all that the network driver does by itself.
    pub fn send_heartbeats(&mut self, step: &mut Step<'_>) -> NodeSet {
        self.schedule_heartbeat(step);
        let (config, now) = (step.config, step.now.time);
        let profile = &config.profile;
        let interface_limit = profile.heartbeat * u64::from(profile.interface_lost_after);
        let node_limit = profile.heartbeat * u64::from(profile.node_lost_after);
        let mut dead = NodeSet::EMPTY;
        for node in self.members.without(NodeSet::only(step.me)).iter() {
            let mut silent = true;
            for network in config.internal_networks() {
                if address(step, node, network).is_none()
                    || address(step, step.me, network).is_none()
                {
                    continue;
                }
                let body = Body::Heartbeat { epoch: self.epoch, members: self.members.bits() };
                self.send_on(network, node, body, step);
                let place = index(node) * config.networks.len() + network.0 as usize;
                let heard = &mut self.heard[place];
                let silence = now.since(heard.at);
                if silence >= interface_limit && !heard.lost {
                    heard.lost = true;
                    step.log(ClusterEvent::InterfaceLost { node, network });
                }
                silent &= silence >= node_limit;
            }
            if silent {
                dead.insert(node);
            }
        }
        dead
    }

    /// A datagram for a node whose service hangs: the network driver takes note of heartbeats.
    pub fn driver_datagram(
        &mut self,
        network: NetworkId,
        from: Ipv4Addr,
        bytes: &[u8],
        step: &mut Step<'_>,
    ) {
        let Ok(Packet { header, body: Body::Heartbeat { .. } }) = Packet::decode(bytes) else {
            return;
        };
        let sender = NodeId(header.from);
        let known = address(step, sender, network) == Some(from);
        if self.mode == Mode::Member && known && sender != step.me && self.is_current(&header) {
            self.hear(sender, network, step);
        }
    }

    /// When the network driver next sends heartbeats.
    pub fn driver_deadline(&self) -> Option<SimTime> {
        self.heartbeat_due
    }

    /// The next heartbeat is due at this node's own place within the period, so that not all send at once.
    pub(super) fn schedule_heartbeat(&mut self, step: &Step<'_>) {
        let alone = self.members.len() < 2;
        if alone || self.silenced || self.mode != Mode::Member {
            self.heartbeat_due = None;
            return;
        }
        let period = step.config.profile.heartbeat.nanos().max(1);
        let share = period / step.config.nodes.len().max(1) as u64;
        let phase = share * index(step.me) as u64;
        let now = step.now.time.nanos();
        let next = now - now % period + phase;
        self.heartbeat_due = Some(SimTime(if next > now { next } else { next + period }));
    }

    /// A node has become a member: it has as long as everybody to be heard.
    pub(super) fn expect(&mut self, node: NodeId, step: &Step<'_>) {
        let networks = step.config.networks.len();
        let lost_after = step.config.profile.heartbeat;
        for heard in &mut self.heard[index(node) * networks..][..networks] {
            let Heard { at, lost } = *heard;
            let stale = lost || step.now.time.since(at) > lost_after;
            *heard = Heard { at: step.now.time, lost: stale };
        }
    }
}
