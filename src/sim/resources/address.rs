//! IP Address (Q168567): asks by ARP for its own address, takes it, and tells everybody by the same ARP.
//!
//! Who has the address and answers is a conflict (error 5057). Who has it and cannot answer (it stands still,
//! or is cut off) loses it: the cables believe the last who spoke. Each address with NetBIOS gets a NetBT of
//! its own, as on Windows.

use super::super::cluster_part::ClusterPart;
use super::super::cluster_part::Reply;
use super::super::host::Life;
use super::super::waiting::ResourceStep;
use super::super::world::{NetBtOf, World};
use super::{Code, Failure, Phase};
use crate::base::{ActorId, Machine, Scheduler, SimDuration, SimTime};
use crate::cluster::{FailureCause, NetworkId, ResourceEvent, ResourceId, ResourceKind};
use crate::nbt::{NbtClient, NbtInput};
use crate::net::{InterfaceId, PacketHandle, SubnetId, Transport};
use crate::wire::NetbiosName;
use crate::wire::name_service::PORT;
use std::net::Ipv4Addr;

/// From the first ARP request for an own address to its use: three requests, a second apart, as TCP/IP of
/// Windows asks (Q168567: "several times").
const ARP_PROBES: SimDuration = SimDuration::from_secs(2);
/// ERROR_CLUSTER_IPADDR_IN_USE.
const ADDRESS_IN_USE: Failure = Failure::number(5057);
/// ERROR_CLUSTER_INVALID_NETWORK, event 1048: the node has no adapter with the address that it was set up
/// with on the network of the resource.
const NO_NETWORK: Failure = Failure::with(5054, FailureCause::AdapterParameter);
/// ERROR_CLUSTER_NETINTERFACE_NOT_FOUND, event 1045: no interface can be made on a dead adapter.
const NO_LINK: Failure = Failure::with(5047, FailureCause::TcpIpInterface);
/// NetBIOS addresses of a node at most (Q248605).
const NETBIOS_MAX: usize = 64;
/// ERROR_NETBIOS_LIMIT: what event 1044 comes with (Q232910).
const NETBIOS_LIMIT: Failure = Failure::with(1450, FailureCause::NetbiosInterface);

/// What the code of an IP Address resource has.
#[derive(Debug, Default)]
pub(in crate::sim) struct AddressCode {
    /// Its place on the network, once it had one.
    interface: Option<InterfaceId>,
    /// Whether it has the address now.
    attached: bool,
    /// Its NetBT, while it has the address.
    pub(in crate::sim) netbt: Option<Box<NbtClient>>,
}

impl ClusterPart {
    /// The cluster addresses this node has now.
    pub(in crate::sim) fn attached(
        &self,
    ) -> impl Iterator<Item = (ResourceId, InterfaceId, Option<&NbtClient>)> {
        self.dlls.iter().enumerate().filter_map(|(r, dll)| match &dll.code {
            Code::Address(AddressCode { interface: Some(interface), attached: true, netbt }) => {
                Some((ResourceId(r as u16), *interface, netbt.as_deref()))
            }
            _ => None,
        })
    }

    /// Whether this node has a cluster address now: the resource's.
    pub fn has_address(&self, resource: ResourceId) -> bool {
        self.attached().any(|(r, _, _)| r == resource)
    }

    /// The NetBT of a cluster address.
    pub(in crate::sim) fn netbt(&mut self, resource: ResourceId) -> Option<&mut NbtClient> {
        match self.dlls.get_mut(usize::from(resource.0)).map(|dll| &mut dll.code) {
            Some(Code::Address(AddressCode { netbt, .. })) => netbt.as_deref_mut(),
            _ => None,
        }
    }
}

impl World {
    pub(super) fn address_probes<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        self.step_later(h, resource, ARP_PROBES, ResourceStep::Online, sched);
    }

    fn address_of(&self, h: usize, resource: ResourceId) -> Option<(Ipv4Addr, NetworkId, bool)> {
        let part = self.hosts[h].cluster.as_ref()?;
        match part.dlls.get(usize::from(resource.0))?.config.kind {
            ResourceKind::IpAddress { address, network, netbios } => {
                Some((address, network, netbios))
            }
            _ => None,
        }
    }

    /// Nobody has answered so far: take it, or fail.
    pub(super) fn take_address<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        match self.try_address(h, resource, sched) {
            Ok(()) => self.resource_online(h, resource),
            Err(why) => self.resource_failed(h, resource, why, sched),
        }
    }

    fn try_address<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) -> Result<(), Failure> {
        let (address, network, netbios) = self.address_of(h, resource).ok_or(NO_NETWORK)?;
        let Some(part) = &self.hosts[h].cluster else { return Err(NO_NETWORK) };
        let adapter = part.adapters.get(usize::from(network.0)).copied().flatten();
        let (adapter, known_as) = adapter.ok_or(NO_NETWORK)?;
        let (subnet, now_is, _) = self.net.interface(adapter);
        if now_is != known_as {
            // To the cluster an adapter with another address is on a new network (Q230356, Q267548).
            return Err(NO_NETWORK);
        }
        if part.config.profile.detects_link_failure && !self.net.is_interface_up(adapter) {
            // Where link failures are seen, no address is added to a dead adapter (Q257925).
            return Err(NO_LINK);
        }
        if let Some(holder) = self.net.interface_at(address) {
            let (_, _, owner) = self.net.interface(holder);
            let answers =
                matches!(self.hosts[owner.0 as usize].life, Life::On | Life::ShuttingDown)
                    && self.net.is_interface_up(holder)
                    && self.net.is_interface_up(adapter)
                    && self.net.reaches(adapter, holder, sched.now());
            if answers {
                return Err(ADDRESS_IN_USE);
            }
            self.net.detach(holder);
        }
        let count = part.attached().filter(|(_, _, netbt)| netbt.is_some()).count();
        if netbios && count >= NETBIOS_MAX {
            return Err(NETBIOS_LIMIT);
        }
        let up = self.net.is_interface_up(adapter);
        self.attach(h, resource, subnet, address, up)?;
        if netbios {
            self.start_address_netbt(h, resource, address, sched);
        }
        Ok(())
    }

    fn attach(
        &mut self,
        h: usize,
        resource: ResourceId,
        subnet: SubnetId,
        address: Ipv4Addr,
        up: bool,
    ) -> Result<(), Failure> {
        let Some(part) = &mut self.hosts[h].cluster else { return Err(NO_NETWORK) };
        let Some(Code::Address(code)) =
            part.dlls.get_mut(usize::from(resource.0)).map(|dll| &mut dll.code)
        else {
            return Err(NO_NETWORK);
        };
        let interface = match code.interface {
            Some(interface) => {
                self.net.move_interface(interface, subnet, address).map_err(|_| ADDRESS_IN_USE)?;
                interface
            }
            None => self
                .net
                .attach_host(subnet, address, ActorId(h as u32))
                .map_err(|_| ADDRESS_IN_USE)?,
        };
        code.interface = Some(interface);
        code.attached = true;
        self.net.set_interface_up(interface, up);
        Ok(())
    }

    fn start_address_netbt<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        address: Ipv4Addr,
        sched: &mut S,
    ) {
        let host = &mut self.hosts[h];
        let Some(install) = &host.install else { return };
        let Some(part) = &mut host.cluster else { return };
        // No two clients of a host begin with the same transaction ids.
        let ids = (h as u16).wrapping_mul(0x9E37) ^ (resource.0.wrapping_mul(0x3D4D) | 1);
        let ids = ids.wrapping_add((part.dlls[usize::from(resource.0)].call as u16) << 4);
        let servers = install.servers.clone();
        let client = NbtClient::for_address(install.config.clone(), address, servers, ids);
        if let Code::Address(code) = &mut part.dlls[usize::from(resource.0)].code {
            code.netbt = Some(Box::new(client));
        }
        self.address_netbt_input(h, resource, NbtInput::Boot, sched);
    }

    pub(in crate::sim) fn address_netbt_input<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        input: NbtInput<'_>,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let Some(netbt) = part.netbt(resource) else { return };
        let mut out = std::mem::take(&mut self.nbt_out);
        netbt.handle(input, now, &mut out);
        self.nbt_outputs(h, NetBtOf::Address(resource), out, sched);
        self.address_netbt_armed(h);
    }

    pub(in crate::sim) fn address_netbt_deadlines<S: Scheduler>(
        &mut self,
        h: usize,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let Some(part) = &self.hosts[h].cluster else { return };
        if part.netbt_due > now.time {
            return;
        }
        let due = |netbt: Option<&NbtClient>| {
            netbt.and_then(Machine::next_deadline).is_some_and(|at| at <= now.time)
        };
        let due: Vec<ResourceId> =
            part.attached().filter(|&(_, _, netbt)| due(netbt)).map(|(r, _, _)| r).collect();
        for resource in due {
            let Some(part) = &mut self.hosts[h].cluster else { return };
            let Some(netbt) = part.netbt(resource) else { continue };
            let mut out = std::mem::take(&mut self.nbt_out);
            netbt.on_deadline(now, &mut out);
            self.nbt_outputs(h, NetBtOf::Address(resource), out, sched);
        }
        self.address_netbt_armed(h);
    }

    /// A packet for a node of a cluster that is not for its own NetBT or WINS. Whether it was one.
    pub(in crate::sim) fn cluster_packet<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) -> bool {
        if self.cluster_receives(h, packet, sched) {
            return true;
        }
        let to = *self.net.packet(packet).header.destination.ip();
        let server = self.hosts[h].server.as_ref();
        let seat = server.and_then(|server| server.seat.as_ref());
        // What is for the address of a clustered WINS goes the way of every WINS server's packets.
        seat.is_none_or(|seat| seat.address != to) && self.address_takes(h, packet, sched)
    }

    /// A packet for one of the host's cluster addresses goes to the NetBT of that address. Whether it
    /// was one.
    pub(in crate::sim) fn address_takes<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) -> bool {
        let header = self.net.packet(packet).header;
        let Some(part) = &self.hosts[h].cluster else { return false };
        let address = *header.destination.ip();
        let found =
            part.attached().find(|&(_, interface, _)| self.net.interface(interface).1 == address);
        let Some((resource, _, _)) = found else { return false };
        if header.transport == Transport::Udp && header.destination.port() == PORT {
            self.address_datagram(h, resource, packet, false, sched);
        }
        true
    }

    /// A broadcast about a name that one of the host's NetBTs holds.
    pub(in crate::sim) fn addresses_hear<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) {
        if !matches!(self.hosts[h].life, Life::On | Life::ShuttingDown) {
            return;
        }
        let Some(part) = &self.hosts[h].cluster else { return };
        let attached: Vec<(ResourceId, InterfaceId)> =
            part.attached().map(|(r, interface, _)| (r, interface)).collect();
        for (resource, interface) in attached {
            if self.net.hears(packet, interface, sched.now()) {
                self.address_datagram(h, resource, packet, true, sched);
            }
        }
        self.cluster_drain(h, sched);
        self.rearm(h, sched);
    }

    fn address_datagram<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        packet: PacketHandle,
        broadcast: bool,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let view = self.net.packet(packet);
        let from = view.header.source;
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let Some(netbt) = part.netbt(resource) else { return };
        let mut out = std::mem::take(&mut self.nbt_out);
        netbt.handle(NbtInput::Datagram { from, broadcast, bytes: view.payload }, now, &mut out);
        self.nbt_outputs(h, NetBtOf::Address(resource), out, sched);
        self.address_netbt_armed(h);
        self.cluster_drain(h, sched);
    }

    fn address_netbt_armed(&mut self, h: usize) {
        if let Some(part) = &mut self.hosts[h].cluster {
            let deadlines =
                part.attached().filter_map(|(_, _, netbt)| netbt.and_then(Machine::next_deadline));
            part.netbt_due = deadlines.min().unwrap_or(SimTime::MAX);
        }
    }

    /// The address is given up at once; names that are still there are not released.
    pub(super) fn drop_address<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        let _ = sched;
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let Some(Code::Address(code)) =
            part.dlls.get_mut(usize::from(resource.0)).map(|dll| &mut dll.code)
        else {
            return;
        };
        let netbt = code.netbt.take();
        let attached = std::mem::take(&mut code.attached);
        if let Some(interface) = code.interface.filter(|_| attached) {
            let (subnet, _, _) = self.net.interface(interface);
            self.net.detach(interface);
            let names: Vec<NetbiosName> =
                netbt.iter().flat_map(|netbt| netbt.owned_names()).map(|own| own.name).collect();
            names.into_iter().for_each(|name| self.listen_on(subnet, h, name, false));
        }
        self.address_netbt_armed(h);
    }

    /// The adapter of a network has failed, or works again: so do the addresses on it, and where that is
    /// seen (Q257925) their resources.
    pub(in crate::sim) fn addresses_follow_adapter(
        &mut self,
        h: usize,
        network: NetworkId,
        works: bool,
    ) {
        let Some(part) = &self.hosts[h].cluster else { return };
        let seen = part.config.profile.detects_link_failure;
        let attached: Vec<(ResourceId, InterfaceId)> =
            part.attached().map(|(r, interface, _)| (r, interface)).collect();
        for (resource, interface) in attached {
            if self.address_of(h, resource).is_none_or(|(_, on, _)| on != network) {
                continue;
            }
            self.net.set_interface_up(interface, works);
            let running = self.dll(h, resource).is_some_and(|dll| dll.phase == Phase::Running);
            if seen
                && running
                && let Some(part) = &mut self.hosts[h].cluster
            {
                let event = ResourceEvent::Health { looks_alive: works, is_alive: works };
                part.replies.push_back(Reply::Resource(resource, event));
            }
        }
    }
}
