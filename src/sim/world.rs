//! A world: hosts on a network, and what can be done to them.
//!
//! The world takes the event loop's events ([`World::on_event`]) and the wishes of whoever directs the run
//! (boot, power cut, look-up). What happens is left in [`World::happenings`] for those who measure; nothing
//! in the world reads it back.

use super::cluster_part::ClusterSite;
use super::happening::{Happening, LookedUp, What};
use super::host::{Host, HostId, Life, NbtInstall, PARKED_MAX};
use super::service::{ServerPart, WinsInstall};
use crate::base::{
    ActorId, Event, Machine, Now, Outbox, RestingStream, Scheduler, SimTime, Stream, Streams,
};
use crate::cluster::{ClusterOutput, ResourceId};
use crate::nbt::{NameState, NbtInput, NbtOutput, Resolution};
use crate::net::{
    Delivery, InterfaceId, NETWORK_EVENT, Network, PacketHandle, PacketHeader, StreamOutput,
    SubnetId, TopologyError, Transport,
};
use crate::wins::WinsOutput;
use crate::wire::NetbiosName;
use crate::wire::name_service::{NamePacket, PORT};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Kinds of events a host asks for, in the payload's bits 24 to 30; bit 31 belongs to the network.
pub(super) mod kind {
    /// A machine's deadline, or the end of a boot.
    pub const TIMER: u32 = 1 << 24;
    /// The processor has finished a piece of work.
    pub const CPU: u32 = 2 << 24;
    /// The disk has finished a commit.
    pub const DISK: u32 = 3 << 24;
    /// It is time for a lazy commit.
    pub const COMMIT: u32 = 4 << 24;
    /// The WINS service starts, a while after its host; the low bits are the host's boots.
    pub const SERVICE: u32 = 5 << 24;
    /// Something a host waited for has come; the low bits are its number.
    pub const WAITING: u32 = 6 << 24;
    /// A shared bus does something by itself; the low bits are the cluster.
    pub const BUS: u32 = 7 << 24;
    /// The low bits.
    pub const INDEX: u32 = 0x00FF_FFFF;
}

/// Payloads from here on (and below the network's) belong to whoever directs the run.
pub const DIRECTOR_EVENT: u32 = 64 << 24;

/// What a host is made of.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its name: the paths of its streams begin with it.
    pub name: String,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its address there.
    pub address: Ipv4Addr,
    /// Its clock at the start: offset in nanoseconds, gain in nanoseconds a second.
    pub clock: (i64, i32),
    /// Its NetBT.
    pub nbt: Option<NbtInstall>,
    /// Its WINS service.
    pub wins: Option<WinsInstall>,
}

/// Which of a host's NetBTs: it has one for itself and one for each cluster address with NetBIOS.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum NetBtOf {
    /// Its own.
    Host,
    /// That of an IP Address resource.
    Address(ResourceId),
}

/// Hosts on a network.
pub struct World {
    /// The network.
    pub net: Network,
    /// What happened since the list was last cleared, in order.
    pub happenings: Vec<Happening>,
    /// Addresses that happenings point at; cleared together with them.
    pub addresses: Vec<Ipv4Addr>,
    pub(super) hosts: Vec<Host>,
    pub(super) clusters: Vec<ClusterSite>,
    pub(super) streams: Streams,
    wins_streams: BTreeMap<u32, String>,
    /// By subnet: which hosts hold a name there, so that a broadcast wakes nobody whom it leaves as it was.
    listeners: Vec<BTreeMap<NetbiosName, Vec<u32>>>,
    pub(super) nbt_out: Outbox<NbtOutput>,
    pub(super) wins_out: Outbox<WinsOutput>,
    pub(super) tcp_out: Outbox<StreamOutput>,
    pub(super) cluster_out: Outbox<ClusterOutput>,
    pub(super) touched: Vec<NetbiosName>,
    woken: Vec<u32>,
}

/// Building and looking.
impl World {
    /// A world without hosts on this network.
    pub fn new(net: Network, streams: Streams) -> World {
        World {
            net,
            happenings: Vec::new(),
            addresses: Vec::new(),
            hosts: Vec::new(),
            clusters: Vec::new(),
            streams,
            wins_streams: BTreeMap::new(),
            listeners: Vec::new(),
            nbt_out: Outbox::default(),
            wins_out: Outbox::default(),
            tcp_out: Outbox::default(),
            cluster_out: Outbox::default(),
            touched: Vec::new(),
            woken: Vec::new(),
        }
    }

    /// Adds a host, switched off. Hosts are actors 0, 1, 2... in order.
    ///
    /// # Errors
    /// The address is taken or does not belong to the subnet.
    pub fn add_host<S: Scheduler>(
        &mut self,
        spec: HostSpec,
        sched: &mut S,
    ) -> Result<HostId, TopologyError> {
        let id = HostId(self.hosts.len() as u32);
        let actor = ActorId(id.0);
        let interface = self.net.attach_host(spec.subnet, spec.address, actor)?;
        self.net.set_interface_up(interface, false);
        let timer = sched.new_timer(actor, kind::TIMER);
        self.hosts.push(Host {
            life: Life::Off,
            interface,
            subnet: spec.subnet,
            address: spec.address,
            clock: super::clock::Clock::new(spec.clock.0, spec.clock.1),
            timer,
            armed: SimTime::MAX,
            boots: 0,
            install: spec.nbt.map(Box::new),
            nbt: None,
            server: None,
            system: None,
            cluster: None,
            parked: VecDeque::new(),
        });
        if let Some(install) = spec.wins {
            self.add_server(id, install, &format!("host/{}", spec.name), sched);
        }
        let subnets = spec.subnet.0 as usize + 1;
        if self.listeners.len() < subnets {
            self.listeners.resize_with(subnets, BTreeMap::new);
        }
        Ok(id)
    }

    /// Gives a host what servers have. Its streams begin with `path`.
    pub(super) fn add_server<S: Scheduler>(
        &mut self,
        id: HostId,
        install: WinsInstall,
        path: &str,
        sched: &mut S,
    ) {
        let timers = [kind::CPU, kind::DISK, kind::COMMIT]
            .map(|payload| sched.new_timer(ActorId(id.0), payload));
        let chance = RestingStream::new(&format!("{path}/disk"));
        self.wins_streams.insert(id.0, format!("{path}/wins"));
        let host = &mut self.hosts[id.0 as usize];
        host.server = Some(Box::new(ServerPart::new(install, timers, chance)));
        self.write_wins_keys(id.0 as usize);
    }

    /// The registry of a host says what its WINS service was installed with.
    pub(super) fn write_wins_keys(&mut self, h: usize) {
        let host = &mut self.hosts[h];
        if let (Some(server), Some(system)) = (&host.server, &mut host.system) {
            let settings = super::wins_keys::settings_of(&server.install.config);
            system.set_up(|registry| {
                // A new registry has room for it.
                let _ = settings.write(registry);
            });
        }
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    /// All hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub(super) fn now<S: Scheduler>(&self, h: usize, sched: &S) -> Now {
        let time = sched.now();
        Now { time, wall: self.hosts[h].clock.wall(time) }
    }

    pub(super) fn tell<S: Scheduler>(&mut self, h: usize, what: What, sched: &S) {
        self.happenings.push(Happening { at: sched.now(), host: HostId(h as u32), what });
    }

    /// A stream of a host's WINS service, new at each start.
    pub(super) fn wins_chance(&self, h: usize) -> Stream {
        let path = self.wins_streams.get(&(h as u32)).map_or("", String::as_str);
        self.streams.stream(&format!("{path}/{}", self.hosts[h].boots))
    }
}

/// Events.
impl World {
    /// Takes an event of the network or of a host. Returns it if it is neither.
    pub fn on_event<S: Scheduler>(&mut self, event: Event, sched: &mut S) -> Option<Event> {
        if event.payload & NETWORK_EVENT != 0 {
            if let Some(delivery) = self.net.on_event(&event, sched) {
                self.deliver(delivery, sched);
            }
            return None;
        }
        let h = event.target.0 as usize;
        match event.payload & 0xFF00_0000 {
            kind::TIMER => self.on_timer(h, sched),
            kind::CPU => self.on_cpu(h, sched),
            kind::DISK => self.on_disk(h, sched),
            kind::COMMIT => self.on_commit_due(h, sched),
            kind::SERVICE => self.on_service_due(h, event.payload & kind::INDEX, sched),
            kind::WAITING => self.on_waiting(h, event.payload & kind::INDEX, sched),
            kind::BUS => self.on_bus((event.payload & kind::INDEX) as usize, sched),
            _ => return Some(event),
        }
        None
    }

    fn deliver<S: Scheduler>(&mut self, delivery: Delivery, sched: &mut S) {
        match delivery {
            Delivery::Unicast { host, packet, .. } => {
                self.receive(host.0 as usize, packet, false, sched);
            }
            Delivery::Broadcast { subnet, packet, .. } => self.broadcast(subnet, packet, sched),
        }
    }

    /// A broadcast name service message matters only to hosts that hold its name: to the others it is a
    /// packet they drop, and nobody is woken to drop it.
    fn broadcast<S: Scheduler>(&mut self, subnet: SubnetId, packet: PacketHandle, sched: &mut S) {
        if self.announcement(subnet, packet, sched) {
            return self.net.release(packet);
        }
        let view = self.net.packet(packet);
        let is_name_service =
            view.header.destination.port() == PORT && view.header.transport == Transport::Udp;
        let name = match NamePacket::decode(view.payload) {
            Ok(decoded) if is_name_service => subject(&decoded),
            _ => None,
        };
        let mut woken = std::mem::take(&mut self.woken);
        woken.clear();
        if let Some(name) = name
            && let Some(holders) = self.listeners.get(subnet.0 as usize).and_then(|l| l.get(&name))
        {
            woken.extend_from_slice(holders);
        }
        for &h in &woken {
            let interface = self.hosts[h as usize].interface;
            if self.net.hears(packet, interface, sched.now()) {
                self.receive_shared(h as usize, packet, sched);
            }
            if self.hosts[h as usize].cluster.is_some() {
                self.addresses_hear(h as usize, packet, sched);
            }
        }
        self.woken = woken;
        self.net.release(packet);
    }

    /// A broadcast reaches one host; the packet stays the caller's.
    fn receive_shared<S: Scheduler>(&mut self, h: usize, packet: PacketHandle, sched: &mut S) {
        if matches!(self.hosts[h].life, Life::On | Life::ShuttingDown) {
            self.nbt_datagram(h, packet, true, sched);
            self.rearm(h, sched);
        }
    }

    /// A packet reaches one host, which releases it in time.
    pub(super) fn receive<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        broadcast: bool,
        sched: &mut S,
    ) {
        let host = &mut self.hosts[h];
        match host.life {
            Life::Off | Life::Booting => return self.net.release(packet),
            Life::Paused => {
                if host.parked.len() < PARKED_MAX {
                    host.parked.push_back(packet);
                } else {
                    self.net.release(packet);
                }
                return;
            }
            Life::On | Life::ShuttingDown => {}
        }
        if host.cluster.is_some() && self.cluster_packet(h, packet, sched) {
            self.net.release(packet);
        } else if self.hosts[h].server.is_some() {
            self.server_receive(h, packet, sched);
        } else {
            match self.net.packet(packet).header.transport {
                Transport::Udp => self.nbt_datagram(h, packet, broadcast, sched),
                Transport::Tcp(_) => self.refuse_stream(h, packet, sched),
            }
            self.net.release(packet);
        }
        self.rearm(h, sched);
    }

    /// A host without a stack of streams answers a segment as TCP does when nobody listens.
    fn refuse_stream<S: Scheduler>(&mut self, h: usize, packet: PacketHandle, sched: &mut S) {
        let view = self.net.packet(packet);
        if let Some(header) = crate::net::refuse(&view.header, view.payload.len()) {
            let interface = self.hosts[h].interface;
            self.send(interface, &header, &[], sched);
        }
    }

    pub(super) fn nbt_datagram<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        broadcast: bool,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let view = self.net.packet(packet);
        if view.header.destination.port() != PORT || view.header.transport != Transport::Udp {
            return;
        }
        let Some(nbt) = &mut self.hosts[h].nbt else { return };
        let from = view.header.source;
        let mut out = std::mem::take(&mut self.nbt_out);
        nbt.handle(NbtInput::Datagram { from, broadcast, bytes: view.payload }, now, &mut out);
        self.nbt_outputs(h, NetBtOf::Host, out, sched);
    }

    pub(super) fn on_timer<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        self.hosts[h].armed = SimTime::MAX;
        match self.hosts[h].life {
            Life::Booting => self.start_services(h, sched),
            Life::On | Life::ShuttingDown => {
                let now = self.now(h, sched);
                if let Some(nbt) = &mut self.hosts[h].nbt
                    && nbt.next_deadline().is_some_and(|at| at <= now.time)
                {
                    let mut out = std::mem::take(&mut self.nbt_out);
                    nbt.on_deadline(now, &mut out);
                    self.nbt_outputs(h, NetBtOf::Host, out, sched);
                }
                self.server_deadlines(h, sched);
                self.system_deadlines(h, sched);
            }
            Life::Off | Life::Paused => {}
        }
        self.rearm(h, sched);
    }

    /// Sets the host's one timer to the earliest deadline of its machines.
    pub(super) fn rearm<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let host = &mut self.hosts[h];
        if !matches!(host.life, Life::On | Life::ShuttingDown) {
            return;
        }
        let next = host.next_deadline();
        if next != host.armed {
            host.armed = next;
            match next {
                SimTime::MAX => sched.cancel(host.timer),
                at => sched.arm(host.timer, at),
            }
        }
    }

    pub(super) fn send<S: Scheduler>(
        &mut self,
        from: InterfaceId,
        header: &PacketHeader,
        payload: &[u8],
        sched: &mut S,
    ) {
        let sent = self.net.send(from, header, payload, sched);
        debug_assert!(sent.is_ok(), "a machine made a packet no network carries: {sent:?}");
    }

    pub(super) fn nbt_input<S: Scheduler>(&mut self, h: usize, input: NbtInput<'_>, sched: &mut S) {
        let now = self.now(h, sched);
        let Some(nbt) = &mut self.hosts[h].nbt else { return };
        let mut out = std::mem::take(&mut self.nbt_out);
        nbt.handle(input, now, &mut out);
        self.nbt_outputs(h, NetBtOf::Host, out, sched);
    }

    /// Where a NetBT of a host stands.
    fn net_bt_place(&self, h: usize, of: NetBtOf) -> (InterfaceId, SubnetId, Ipv4Addr) {
        let host = &self.hosts[h];
        if let (NetBtOf::Address(resource), Some(cluster)) = (of, &host.cluster)
            && let Some((_, interface, _)) = cluster.attached().find(|(r, _, _)| *r == resource)
        {
            let (subnet, address, _) = self.net.interface(interface);
            return (interface, subnet, address);
        }
        (host.interface, host.subnet, host.address)
    }

    pub(super) fn nbt_outputs<S: Scheduler>(
        &mut self,
        h: usize,
        of: NetBtOf,
        mut out: Outbox<NbtOutput>,
        sched: &mut S,
    ) {
        let mut stopped = false;
        let mut changed = Vec::new();
        let (interface, subnet, address) = self.net_bt_place(h, of);
        let source = SocketAddrV4::new(address, PORT);
        for i in 0..out.items.len() {
            match out.items[i] {
                NbtOutput::Send { to, bytes } => {
                    let header = PacketHeader::udp(source, to);
                    self.send(interface, &header, out.bytes(bytes), sched);
                }
                NbtOutput::Broadcast { bytes } => {
                    let to = self.net.subnet(subnet).1.broadcast();
                    let header = PacketHeader::udp(source, SocketAddrV4::new(to, PORT));
                    self.send(interface, &header, out.bytes(bytes), sched);
                }
                NbtOutput::Resolved { request, name, resolution, source, started } => {
                    let first = self.addresses.len() as u32;
                    let group = match resolution {
                        Resolution::Found { addresses, group, .. } => {
                            let quads = out.bytes(addresses).chunks_exact(4);
                            self.addresses
                                .extend(quads.map(|q| Ipv4Addr::new(q[0], q[1], q[2], q[3])));
                            group
                        }
                        Resolution::NotFound => false,
                    };
                    let addresses = (first, self.addresses.len() as u32);
                    let looked = LookedUp { request, name, started, addresses, group, source };
                    self.tell(h, What::LookedUp(looked), sched);
                }
                NbtOutput::NameState { name, state } => {
                    self.listen_on(subnet, h, name, state != NameState::Released);
                    self.tell(h, What::Name { name, state }, sched);
                    if of != NetBtOf::Host {
                        changed.push(name);
                    }
                }
                NbtOutput::ServerSwitched { from, to } => {
                    self.tell(h, What::ServerSwitched { from, to }, sched);
                }
                NbtOutput::Event { id, name, .. } => {
                    self.tell(h, What::Logged { id, name: Some(name) }, sched);
                }
                NbtOutput::Stopped => stopped = true,
            }
        }
        out.clear();
        self.nbt_out = out;
        changed.into_iter().for_each(|name| self.address_name_changed(h, name, sched));
        if stopped && of == NetBtOf::Host && self.hosts[h].life == Life::ShuttingDown {
            self.stop_services(h, sched);
        }
    }

    /// Keeps the list of who holds which name on a subnet.
    pub(super) fn listen(&mut self, h: usize, name: NetbiosName, holds: bool) {
        self.listen_on(self.hosts[h].subnet, h, name, holds);
    }

    pub(super) fn listen_on(&mut self, subnet: SubnetId, h: usize, name: NetbiosName, holds: bool) {
        let names = &mut self.listeners[subnet.0 as usize];
        let holders = names.entry(name).or_default();
        match holders.binary_search(&(h as u32)) {
            Ok(at) if !holds => {
                holders.remove(at);
            }
            Err(at) if holds => holders.insert(at, h as u32),
            _ => {}
        }
        if holders.is_empty() {
            names.remove(&name);
        }
    }

    pub(super) fn stop_listening(&mut self, h: usize) {
        let names: Vec<NetbiosName> = match &self.hosts[h].nbt {
            Some(nbt) => nbt.owned_names().map(|owned| owned.name).collect(),
            None => Vec::new(),
        };
        names.into_iter().for_each(|name| self.listen(h, name, false));
    }
}

/// The name a message is about.
fn subject(packet: &NamePacket<'_>) -> Option<NetbiosName> {
    match (&packet.question, &packet.answer) {
        (Some(question), _) => Some(question.name),
        (None, Some(answer)) => answer.name.as_ref().map(|(name, _)| *name),
        (None, None) => None,
    }
}
