//! The network as the world uses it: build, start, send, be handed events, get deliveries.

use super::address::{Prefix, PrefixTable};
use super::capture::{Capture, Frame, Place};
use super::counters::{DropCause, MediumCounters};
use super::medium::{Arrival, Medium, Verdict};
use super::packet::{PAYLOAD_MAX, PacketHandle, PacketHeader, PacketView, Packets, to};
use super::routes::{Hop, Routes};
use super::rules::{Judged, Rule, RuleCounters, RuleId, Rules};
use super::topology::{
    Interface, InterfaceId, Link, LinkId, MediumConfig, ROUTER_BIT, Router, RouterConfig, RouterId,
    Subnet, SubnetId, TopologyError,
};
use crate::base::{ActorId, ChannelId, Event, Scheduler, SimDuration, SimTime, Streams};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use thiserror::Error;

/// Set in the payload of every event the network schedules, and to be left clear in everybody else's.
pub const NETWORK_EVENT: u32 = 1 << 31;

/// The medium of packets a host sends to itself.
const LOOPBACK: u32 = 0;

/// A packet that has arrived. The world reads it with [`Network::packet`] and must give it back with
/// [`Network::release`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// For one host.
    Unicast {
        /// The host.
        host: ActorId,
        /// The interface it came in by.
        interface: InterfaceId,
        /// The packet.
        packet: PacketHandle,
    },
    /// For every host of a subnet but the sender: the world decides who cares, and asks
    /// [`Network::hears`] about each.
    Broadcast {
        /// Where it is heard.
        subnet: SubnetId,
        /// Who sent it, maybe from another subnet if a router forwards broadcasts.
        from: InterfaceId,
        /// The packet.
        packet: PacketHandle,
    },
}

/// Why a packet cannot be sent at all.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    /// More than a packet holds.
    #[error("a payload of {0} bytes is longer than {PAYLOAD_MAX}")]
    TooLong(usize),
}

/// Subnets, routers, links, interfaces and the packets between them.
pub struct Network {
    streams: Streams,
    packets: Packets,
    media: Vec<Medium>,
    interfaces: Vec<Interface>,
    subnets: Vec<Subnet>,
    prefixes: PrefixTable,
    routers: Vec<Router>,
    links: Vec<Link>,
    routes: Routes,
    rules: Rules,
    /// One channel for each fixed delay.
    channels: BTreeMap<SimDuration, ChannelId>,
    capture: Option<Box<dyn Capture>>,
    /// First interface of each host plus one, by actor.
    first_interface: Vec<u32>,
    multihomed: bool,
    started: bool,
}

/// Building.
impl Network {
    /// An empty network that draws from these streams.
    pub fn new(streams: Streams) -> Network {
        // Nobody looks at the loopback's place: captures see subnets and links only.
        let nowhere = Place::Subnet(SubnetId(u32::MAX));
        let still = MediumConfig::fixed(SimDuration::ZERO);
        Network {
            streams,
            packets: Packets::default(),
            media: vec![Medium::new(still, nowhere, streams, "loopback")],
            interfaces: Vec::new(),
            subnets: Vec::new(),
            prefixes: PrefixTable::default(),
            routers: Vec::new(),
            links: Vec::new(),
            routes: Routes::default(),
            rules: Rules::default(),
            channels: BTreeMap::new(),
            capture: None,
            first_interface: Vec::new(),
            multihomed: false,
            started: false,
        }
    }

    /// Adds a subnet. `actor` receives its broadcasts; its streams are `subnet/NAME/loss` and alike.
    pub fn add_subnet(
        &mut self,
        name: &str,
        actor: ActorId,
        prefix: Prefix,
        config: MediumConfig,
    ) -> Result<SubnetId, TopologyError> {
        config.check(name)?;
        if let Some(other) = self.subnets.iter().find(|s| s.prefix.overlaps(prefix)) {
            return Err(TopologyError::Overlap(prefix, other.prefix));
        }
        let id = SubnetId(self.subnets.len() as u32);
        let medium = self.add_medium(config, Place::Subnet(id), &format!("subnet/{name}"));
        self.prefixes.insert(prefix, id);
        self.subnets.push(Subnet {
            prefix,
            actor,
            medium,
            routers: Vec::new(),
            relayed: false,
            addresses: Default::default(),
            name: name.to_owned(),
        });
        self.reroute();
        Ok(id)
    }

    /// Adds a router with an address on each of these subnets. `actor` receives what it forwards.
    pub fn add_router(
        &mut self,
        name: &str,
        actor: ActorId,
        attached: &[(SubnetId, Ipv4Addr)],
        config: RouterConfig,
    ) -> Result<RouterId, TopologyError> {
        let id = RouterId(self.routers.len() as u32);
        for (i, &(subnet, address)) in attached.iter().enumerate() {
            let on = &self.subnets[subnet.0 as usize];
            on.check_free(address)?;
            if attached[..i].iter().any(|&(other, _)| other == subnet) {
                let router = name.to_owned();
                return Err(TopologyError::AttachedTwice { router, subnet: on.prefix });
            }
        }
        for &(subnet, address) in attached {
            let on = &mut self.subnets[subnet.0 as usize];
            on.set_holder(address, Some(ROUTER_BIT | id.0));
            on.routers.push(id);
            on.relayed |= config.forward_broadcasts;
        }
        self.routers.push(Router {
            actor,
            up: true,
            config,
            attached: attached.to_vec(),
            links: Vec::new(),
            name: name.to_owned(),
        });
        self.reroute();
        Ok(id)
    }

    /// Adds a link between two routers. Each direction has its own queue and streams
    /// (`link/NAME/forward/loss`, `link/NAME/back/loss`).
    pub fn add_link(
        &mut self,
        name: &str,
        from: RouterId,
        to: RouterId,
        config: MediumConfig,
    ) -> Result<LinkId, TopologyError> {
        config.check(name)?;
        if from == to {
            return Err(TopologyError::LinkToItself(name.to_owned()));
        }
        let id = LinkId(self.links.len() as u32);
        let media = [(true, "forward"), (false, "back")].map(|(forward, way)| {
            let path = format!("link/{name}/{way}");
            self.add_medium(config, Place::Link { link: id, forward }, &path)
        });
        self.links.push(Link { ends: [from, to], media, name: name.to_owned() });
        self.routers[from.0 as usize].links.push(id);
        self.routers[to.0 as usize].links.push(id);
        self.reroute();
        Ok(id)
    }

    /// Gives a host a place on a subnet. A host may have several.
    pub fn attach_host(
        &mut self,
        subnet: SubnetId,
        address: Ipv4Addr,
        host: ActorId,
    ) -> Result<InterfaceId, TopologyError> {
        self.subnets[subnet.0 as usize].check_free(address)?;
        let id = InterfaceId(self.interfaces.len() as u32);
        assert!(id.0 < ROUTER_BIT, "more than 2^30 interfaces");
        self.subnets[subnet.0 as usize].set_holder(address, Some(id.0));
        let address = u32::from(address);
        self.interfaces.push(Interface { subnet, address, host, up: true, attached: true });
        let host = host.0 as usize;
        if self.first_interface.len() <= host {
            self.first_interface.resize(host + 1, 0);
        }
        match self.first_interface[host] {
            0 => self.first_interface[host] = id.0 + 1,
            _ => self.multihomed = true,
        }
        Ok(id)
    }

    /// Moves an interface, attached or not, to an address on the same or another subnet (roaming). Packets
    /// on their way to the old address are lost.
    pub fn move_interface(
        &mut self,
        interface: InterfaceId,
        subnet: SubnetId,
        address: Ipv4Addr,
    ) -> Result<(), TopologyError> {
        let old = self.interfaces[interface.0 as usize];
        if old.attached && old.subnet == subnet && old.address == u32::from(address) {
            return Ok(());
        }
        self.subnets[subnet.0 as usize].check_free(address)?;
        self.detach(interface);
        self.subnets[subnet.0 as usize].set_holder(address, Some(interface.0));
        let moved = &mut self.interfaces[interface.0 as usize];
        (moved.subnet, moved.address, moved.attached) = (subnet, u32::from(address), true);
        Ok(())
    }

    /// Takes an interface off its subnet; [`Network::move_interface`] brings it back.
    pub fn detach(&mut self, interface: InterfaceId) {
        let old = &mut self.interfaces[interface.0 as usize];
        if old.attached {
            old.attached = false;
            let address = Ipv4Addr::from(old.address);
            self.subnets[old.subnet.0 as usize].set_holder(address, None);
        }
    }

    /// Makes the channels and computes the routes. Called once, when the network is built; parts added
    /// later work too, without channels of their own.
    pub fn start<S: Scheduler>(&mut self, sched: &mut S) {
        self.started = true;
        for medium in self.media.iter_mut().filter(|m| m.has_fixed_delay()) {
            let delay = medium.config.delay.0;
            let channel = self.channels.entry(delay).or_insert_with(|| sched.new_channel(delay));
            medium.channel = Some(*channel);
        }
        self.reroute();
    }

    fn add_medium(&mut self, config: MediumConfig, place: Place, path: &str) -> u32 {
        self.media.push(Medium::new(config, place, self.streams, path));
        self.media.len() as u32 - 1
    }

    fn reroute(&mut self) {
        if self.started {
            self.routes = Routes::compute(&self.subnets, &self.routers, &self.links, &self.media);
        }
    }
}

/// Sending and receiving.
impl Network {
    /// Sends a packet from an interface. What stops it on its way is counted, not told: hosts do not
    /// learn it either.
    ///
    /// # Errors
    /// Fails if the payload is longer than [`PAYLOAD_MAX`].
    #[inline]
    pub fn send<S: Scheduler>(
        &mut self,
        from: InterfaceId,
        header: &PacketHeader,
        payload: &[u8],
        sched: &mut S,
    ) -> Result<(), SendError> {
        if payload.len() > PAYLOAD_MAX {
            return Err(SendError::TooLong(payload.len()));
        }
        let interface = self.interfaces[from.0 as usize];
        let here = interface.subnet.0;
        let subnet = &self.subnets[here as usize];
        let medium = subnet.medium;
        if !interface.is_live() {
            self.media[medium as usize].counters.drop_one(DropCause::InterfaceDown);
            return Ok(());
        }
        let index = self.packets.insert(header, payload, from);
        let slot = self.packets.slot_mut(index);
        slot.medium = medium;
        slot.going = to::INTERFACE;
        let address = slot.destination;
        let prefix = subnet.prefix;
        if address == u32::MAX || address == u32::from(prefix.broadcast()) {
            self.broadcast(index, here, to::SUBNET, sched);
        } else if prefix.contains(Ipv4Addr::from(address)) {
            self.packets.slot_mut(index).subnet = here;
            self.deliver_on(index, here, sched);
        } else if !(self.multihomed && self.is_own(interface.host, address)) {
            self.send_to_router(index, here, address, sched);
        } else {
            self.packets.slot_mut(index).subnet = here;
            let holder = self.holder_anywhere(address).unwrap_or(from.0);
            self.transmit(LOOPBACK, index, to::INTERFACE, holder, interface.host, sched);
        }
        Ok(())
    }

    /// Takes an event with [`NETWORK_EVENT`] in its payload. A delivery is the world's to act on.
    #[inline]
    pub fn on_event<S: Scheduler>(&mut self, event: &Event, sched: &mut S) -> Option<Delivery> {
        debug_assert!(event.payload & NETWORK_EVENT != 0);
        let index = event.payload & !NETWORK_EVENT;
        let slot = self.packets.slot(index);
        let (going, target) = (slot.going, slot.target);
        let medium = &mut self.media[slot.medium as usize];
        if medium.epoch != slot.epoch {
            self.drop_packet(index, DropCause::MediumDown);
            return None;
        }
        match going {
            to::INTERFACE => {
                let interface = &self.interfaces[target as usize];
                if interface.address != slot.destination || !interface.is_live() {
                    self.drop_packet(index, DropCause::InterfaceDown);
                    return None;
                }
                medium.counters.delivered += 1;
                let host = interface.host;
                sched.fold(self.packets.content(index));
                let (interface, packet) = (InterfaceId(target), PacketHandle(index));
                Some(Delivery::Unicast { host, interface, packet })
            }
            to::ROUTER => {
                medium.counters.delivered += 1;
                self.forward(index, target, sched);
                None
            }
            to::SUBNET | to::SUBNET_RELAYED => {
                medium.counters.delivered += 1;
                if going == to::SUBNET && self.subnets[target as usize].relayed {
                    self.relay_from(index, target, sched);
                }
                sched.fold(self.packets.content(index));
                let from = self.packets.slot(index).from;
                let (subnet, packet) = (SubnetId(target), PacketHandle(index));
                Some(Delivery::Broadcast { subnet, from, packet })
            }
            to::RELAY => {
                medium.counters.delivered += 1;
                self.relay_onto(index, target, None, sched);
                self.packets.remove(index);
                None
            }
            _ => unreachable!("event for a free packet {index}"),
        }
    }

    /// Touches the packet of a coming event, so that it is near when the event is dispatched. Changes
    /// nothing.
    #[inline(always)]
    pub fn prefetch(&self, payload: u32) {
        self.packets.prefetch(payload & !NETWORK_EVENT);
    }

    /// A packet that was delivered and not yet released.
    #[inline]
    pub fn packet(&self, handle: PacketHandle) -> PacketView<'_> {
        PacketView {
            header: self.packets.header(handle.0),
            payload: self.packets.payload(handle.0),
            from: self.packets.slot(handle.0).from,
        }
    }

    /// Gives a delivered packet back.
    #[inline]
    pub fn release(&mut self, handle: PacketHandle) {
        self.packets.remove(handle.0);
    }

    /// Whether an interface hears a broadcast: it is up, on that subnet, not the sender, and no partition
    /// stands between them.
    pub fn hears(&mut self, handle: PacketHandle, interface: InterfaceId, now: SimTime) -> bool {
        let slot = self.packets.slot(handle.0);
        let listener = self.interfaces[interface.0 as usize];
        if !listener.is_live() || listener.subnet.0 != slot.subnet || interface == slot.from {
            return false;
        }
        if !self.rules.any_alive(now) {
            return true;
        }
        let sender = &self.interfaces[slot.from.0 as usize];
        let judged = Judged {
            place: Place::Subnet(listener.subnet),
            source: (sender.subnet, sender.host),
            destination: (Some(listener.subnet), Some(listener.host)),
        };
        !self.rules.parts(&judged, now)
    }

    fn send_to_router<S: Scheduler>(&mut self, index: u32, here: u32, address: u32, sched: &mut S) {
        let Some(there) = self.prefixes.find(address) else {
            return self.drop_packet(index, DropCause::NoRoute);
        };
        let Some(router) = self.routes.first(here, there.0) else {
            return self.drop_packet(index, DropCause::NoRoute);
        };
        self.packets.slot_mut(index).subnet = there.0;
        let medium = self.subnets[here as usize].medium;
        let actor = self.routers[router.0 as usize].actor;
        self.transmit(medium, index, to::ROUTER, router.0, actor, sched);
    }

    /// A router has a packet.
    #[inline]
    fn forward<S: Scheduler>(&mut self, index: u32, router: u32, sched: &mut S) {
        let at = &self.routers[router as usize];
        if !at.up {
            return self.drop_packet(index, DropCause::RouterDown);
        }
        let slot = self.packets.slot_mut(index);
        if slot.ttl <= 1 {
            return self.drop_packet(index, DropCause::TtlExpired);
        }
        slot.ttl -= 1;
        let subnet = slot.subnet;
        match self.routes.next(router, subnet) {
            Hop::Unreachable => self.drop_packet(index, DropCause::NoRoute),
            Hop::Deliver => {
                let prefix = self.subnets[subnet as usize].prefix;
                if slot.destination != u32::from(prefix.broadcast()) {
                    self.deliver_on(index, subnet, sched);
                } else if at.config.directed_broadcasts {
                    self.broadcast(index, subnet, to::SUBNET_RELAYED, sched);
                } else {
                    self.drop_packet(index, DropCause::BroadcastRefused);
                }
            }
            Hop::Link { medium, router } => {
                let actor = self.routers[router.0 as usize].actor;
                self.transmit(medium, index, to::ROUTER, router.0, actor, sched);
            }
            Hop::Via { subnet, router } => {
                let actor = self.routers[router.0 as usize].actor;
                let medium = self.subnets[subnet.0 as usize].medium;
                self.transmit(medium, index, to::ROUTER, router.0, actor, sched);
            }
        }
    }

    /// Puts a packet on the subnet of its destination.
    #[inline]
    fn deliver_on<S: Scheduler>(&mut self, index: u32, subnet: u32, sched: &mut S) {
        let slot = self.packets.slot(index);
        let from = slot.from;
        let on = &self.subnets[subnet as usize];
        let Some(holder) = on.holder(slot.destination).filter(|h| h & ROUTER_BIT == 0) else {
            // Nobody has the address, or a router does, and routers run no services.
            self.packets.slot_mut(index).medium = on.medium;
            return self.drop_packet(index, DropCause::NoHost);
        };
        let medium = if holder == from.0 { LOOPBACK } else { on.medium };
        let actor = self.interfaces[holder as usize].host;
        self.transmit(medium, index, to::INTERFACE, holder, actor, sched);
    }

    fn broadcast<S: Scheduler>(&mut self, index: u32, subnet: u32, going: u8, sched: &mut S) {
        let on = &self.subnets[subnet as usize];
        let (medium, actor) = (on.medium, on.actor);
        self.packets.slot_mut(index).subnet = subnet;
        self.transmit(medium, index, going, subnet, actor, sched);
    }

    /// The forwarding routers of a subnet have heard a broadcast.
    fn relay_from<S: Scheduler>(&mut self, index: u32, subnet: u32, sched: &mut S) {
        for i in 0..self.subnets[subnet as usize].routers.len() {
            let router = self.subnets[subnet as usize].routers[i];
            let at = &self.routers[router.0 as usize];
            if !at.up || !at.config.forward_broadcasts || self.packets.slot(index).ttl <= 1 {
                continue;
            }
            self.relay_onto(index, router.0, Some(subnet), sched);
            for l in 0..self.routers[router.0 as usize].links.len() {
                let link = &self.links[self.routers[router.0 as usize].links[l].0 as usize];
                let side = usize::from(link.ends[0] != router);
                let (medium, other) = (link.media[side], link.ends[1 - side]);
                let copy = self.packets.duplicate(index);
                self.packets.slot_mut(copy).ttl -= 1;
                let actor = self.routers[other.0 as usize].actor;
                self.transmit(medium, copy, to::RELAY, other.0, actor, sched);
            }
        }
    }

    /// Puts copies of a broadcast on a router's subnets, except the one it came from.
    fn relay_onto<S: Scheduler>(
        &mut self,
        index: u32,
        router: u32,
        except: Option<u32>,
        sched: &mut S,
    ) {
        let at = &self.routers[router as usize];
        if !at.up || !at.config.forward_broadcasts || self.packets.slot(index).ttl <= 1 {
            return;
        }
        for i in 0..at.attached.len() {
            let subnet = self.routers[router as usize].attached[i].0.0;
            if Some(subnet) != except {
                let copy = self.packets.duplicate(index);
                self.packets.slot_mut(copy).ttl -= 1;
                self.broadcast(copy, subnet, to::SUBNET_RELAYED, sched);
            }
        }
    }

    /// Puts a packet on a medium.
    #[inline]
    fn transmit<S: Scheduler>(
        &mut self,
        medium: u32,
        index: u32,
        going: u8,
        target: u32,
        actor: ActorId,
        sched: &mut S,
    ) {
        let slot = self.packets.slot_mut(index);
        let on = &mut self.media[medium as usize];
        (slot.medium, slot.epoch, slot.going, slot.target) = (medium, on.epoch, going, target);
        let now = sched.now();
        if on.plain && on.up && !self.rules.any_alive(now) && self.capture.is_none() {
            on.counters.sent += 1;
            on.counters.bytes += u64::from(self.packets.wire_bytes(index));
            let payload = NETWORK_EVENT | index;
            match on.channel {
                Some(channel) => sched.schedule_on(channel, actor, payload),
                None => sched.schedule(now + on.config.delay.0, actor, payload),
            };
            return;
        }
        self.transmit_with_care(medium, index, actor, true, sched);
    }

    /// The same on a medium with odds, a queue, a fault or somebody watching.
    #[inline(never)]
    fn transmit_with_care<S: Scheduler>(
        &mut self,
        medium: u32,
        index: u32,
        actor: ActorId,
        may_duplicate: bool,
        sched: &mut S,
    ) {
        let now = sched.now();
        let mut verdict = self.judge(medium, index, now);
        let bytes = self.packets.wire_bytes(index);
        let on = &mut self.media[medium as usize];
        on.counters.sent += 1;
        on.counters.bytes += u64::from(bytes);
        let mut arrival = Arrival::Fixed;
        if verdict.dropped.is_none() {
            arrival = on.arrival(now, bytes, verdict.extra);
            if arrival == Arrival::QueueFull {
                verdict.dropped = Some(DropCause::QueueFull);
            }
        }
        if let Some(capture) = self.capture.as_mut().filter(|_| medium != LOOPBACK) {
            capture.frame(&Frame {
                time: now,
                place: on.place,
                header: self.packets.header(index),
                payload: self.packets.payload(index),
                dropped: verdict.dropped,
            });
        }
        if let Some(cause) = verdict.dropped {
            return self.drop_packet(index, cause);
        }
        let payload = NETWORK_EVENT | index;
        match (arrival, on.channel) {
            (Arrival::At(at), _) => sched.schedule(at, actor, payload),
            (_, Some(channel)) => sched.schedule_on(channel, actor, payload),
            (_, None) => sched.schedule(now + on.config.delay.0, actor, payload),
        };
        if verdict.duplicate && may_duplicate {
            on.counters.duplicated += 1;
            let copy = self.packets.duplicate(index);
            self.transmit_with_care(medium, copy, actor, false, sched);
        }
    }

    /// What the medium and the rules say about a packet.
    fn judge(&mut self, medium: u32, index: u32, now: SimTime) -> Verdict {
        if medium == LOOPBACK {
            return Verdict::PASS;
        }
        let on = &mut self.media[medium as usize];
        if !on.up {
            return Verdict { dropped: Some(DropCause::MediumDown), ..Verdict::PASS };
        }
        let place = on.place;
        let mut verdict = on.judge();
        if verdict.dropped.is_none() && self.rules.any_alive(now) {
            let slot = self.packets.slot(index);
            let sender = &self.interfaces[slot.from.0 as usize];
            let is_broadcast = slot.going >= to::SUBNET;
            let subnet = Some(SubnetId(slot.subnet));
            let holder = if is_broadcast {
                None
            } else {
                self.subnets[slot.subnet as usize].holder(slot.destination)
            };
            let host =
                holder.filter(|h| h & ROUTER_BIT == 0).map(|h| self.interfaces[h as usize].host);
            let source = (sender.subnet, sender.host);
            // A broadcast inside a subnet is judged for each listener (`hears`).
            let concerned =
                if is_broadcast && sender.subnet.0 == slot.subnet { None } else { subnet };
            let judged = Judged { place, source, destination: (concerned, host) };
            self.rules.judge(&judged, now, &mut verdict);
        }
        verdict
    }

    fn drop_packet(&mut self, index: u32, cause: DropCause) {
        let medium = self.packets.slot(index).medium;
        self.media[medium as usize].counters.drop_one(cause);
        self.packets.remove(index);
    }

    fn is_own(&self, host: ActorId, address: u32) -> bool {
        self.holder_anywhere(address).is_some_and(|h| self.interfaces[h as usize].host == host)
    }

    fn holder_anywhere(&self, address: u32) -> Option<u32> {
        let subnet = self.prefixes.find(address)?;
        self.subnets[subnet.0 as usize].holder(address).filter(|h| h & ROUTER_BIT == 0)
    }
}

/// Faults.
impl Network {
    /// Takes a link down or up. Packets on it when it goes down are lost; routes follow at once, as if the
    /// routing protocol had converged.
    pub fn set_link_up(&mut self, link: LinkId, up: bool, now: SimTime) {
        for medium in self.links[link.0 as usize].media {
            self.media[medium as usize].set_up(up, now);
        }
        self.reroute();
    }

    /// Takes a subnet (its hub or switch) down or up.
    pub fn set_subnet_up(&mut self, subnet: SubnetId, up: bool, now: SimTime) {
        let medium = self.subnets[subnet.0 as usize].medium;
        self.media[medium as usize].set_up(up, now);
        self.reroute();
    }

    /// Takes a router down or up. Packets that reach it while it is down are lost.
    pub fn set_router_up(&mut self, router: RouterId, up: bool) {
        self.routers[router.0 as usize].up = up;
        self.reroute();
    }

    /// Takes an interface down or up.
    pub fn set_interface_up(&mut self, interface: InterfaceId, up: bool) {
        self.interfaces[interface.0 as usize].up = up;
    }

    /// Whether an interface is up.
    pub fn is_interface_up(&self, interface: InterfaceId) -> bool {
        self.interfaces[interface.0 as usize].up
    }

    /// Whether two interfaces of one subnet hear each other's broadcasts, their own state aside: no fault of
    /// the subnet or partition stands between them.
    pub fn reaches(&mut self, from: InterfaceId, to: InterfaceId, now: SimTime) -> bool {
        let [a, b] = [from, to].map(|i| self.interfaces[i.0 as usize]);
        if a.subnet != b.subnet || !self.media[self.subnets[a.subnet.0 as usize].medium as usize].up
        {
            return false;
        }
        let judged = Judged {
            place: Place::Subnet(a.subnet),
            source: (a.subnet, a.host),
            destination: (Some(b.subnet), Some(b.host)),
        };
        !self.rules.any_alive(now) || !self.rules.parts(&judged, now)
    }

    /// Adds a rule, which acts in its time by itself.
    pub fn add_rule(&mut self, rule: Rule) -> RuleId {
        self.rules.add(rule, self.streams)
    }

    /// Ends a rule before its time.
    pub fn end_rule(&mut self, rule: RuleId, now: SimTime) {
        self.rules.end(rule, now);
    }

    /// A rule, and what it has done so far.
    pub fn rule(&self, rule: RuleId) -> (&Rule, RuleCounters) {
        self.rules.get(rule)
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> + use<> {
        self.rules.ids()
    }
}

/// Looking at it.
impl Network {
    /// Watches frames from now on, or no longer.
    pub fn set_capture(&mut self, capture: Option<Box<dyn Capture>>) -> Option<Box<dyn Capture>> {
        std::mem::replace(&mut self.capture, capture)
    }

    /// Counters of a subnet.
    pub fn subnet_counters(&self, subnet: SubnetId) -> MediumCounters {
        self.media[self.subnets[subnet.0 as usize].medium as usize].counters
    }

    /// Counters of a link, forward and back.
    pub fn link_counters(&self, link: LinkId) -> [MediumCounters; 2] {
        self.links[link.0 as usize].media.map(|m| self.media[m as usize].counters)
    }

    /// Everything added up: hops, not packets end to end.
    pub fn totals(&self) -> MediumCounters {
        let mut sum = MediumCounters::default();
        self.media.iter().for_each(|m| sum.add(&m.counters));
        sum
    }

    /// All subnets.
    pub fn subnets(&self) -> impl Iterator<Item = SubnetId> + use<> {
        (0..self.subnets.len() as u32).map(SubnetId)
    }

    /// All links.
    pub fn links(&self) -> impl Iterator<Item = LinkId> + use<> {
        (0..self.links.len() as u32).map(LinkId)
    }

    /// A subnet's name and addresses.
    pub fn subnet(&self, subnet: SubnetId) -> (&str, Prefix) {
        let subnet = &self.subnets[subnet.0 as usize];
        (&subnet.name, subnet.prefix)
    }

    /// A link's name and its two routers.
    pub fn link(&self, link: LinkId) -> (&str, [RouterId; 2]) {
        let link = &self.links[link.0 as usize];
        (&link.name, link.ends)
    }

    /// A router's name, and whether it is up.
    pub fn router(&self, router: RouterId) -> (&str, bool) {
        let router = &self.routers[router.0 as usize];
        (&router.name, router.up)
    }

    /// Whether a link is up.
    pub fn is_link_up(&self, link: LinkId) -> bool {
        self.media[self.links[link.0 as usize].media[0] as usize].up
    }

    /// How many interfaces there are; they are numbered from zero.
    pub fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// Where an interface is and whose it is.
    pub fn interface(&self, interface: InterfaceId) -> (SubnetId, Ipv4Addr, ActorId) {
        let i = &self.interfaces[interface.0 as usize];
        (i.subnet, Ipv4Addr::from(i.address), i.host)
    }

    /// Who has an address now.
    pub fn interface_at(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        self.holder_anywhere(u32::from(address)).map(InterfaceId)
    }

    /// Whether a host could take this address: it belongs to a subnet, and no host or router has it.
    pub fn is_free(&self, address: Ipv4Addr) -> bool {
        let subnet = self.subnet_of(address).map(|id| &self.subnets[id.0 as usize]);
        subnet.is_some_and(|subnet| subnet.check_free(address).is_ok())
    }

    /// The subnet an address lies in.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<SubnetId> {
        self.prefixes.find(u32::from(address))
    }

    /// Whether two subnets can reach each other over what is up, rules aside.
    pub fn is_reachable(&self, from: SubnetId, to: SubnetId) -> bool {
        from == to || self.routes.first(from.0, to.0).is_some()
    }

    /// Packets in flight or delivered and not yet released.
    pub fn packets_live(&self) -> usize {
        self.packets.live()
    }

    /// Bytes the network occupies, without names.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.subnets.iter().map(|s| s.addresses.bytes()).sum();
        tables
            + self.packets.bytes()
            + self.routes.bytes()
            + self.interfaces.capacity() * size_of::<Interface>()
            + self.first_interface.capacity() * size_of::<u32>()
            + self.media.capacity() * size_of::<Medium>()
    }
}
