//! A world of nothing but a network: hosts that note what they hear, and a script of what they send and
//! of what breaks when.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use winstorm::base::{ActorId, Event, Scheduler, SimDuration, SimTime, Streams};
use winstorm::net::{
    Capture, Delivery, DropCause, Frame, InterfaceId, LinkId, MediumConfig, MediumCounters,
    NETWORK_EVENT, Network, PacketHeader, Prefix, RouterConfig, RouterId, SubnetId,
};
use winstorm::sim::kernel::{Kernel, World};

/// What a host heard: when, who, and the first four bytes as a number.
pub type Heard = (SimTime, ActorId, u32);

type Action = Box<dyn FnMut(&mut Network, &mut Kernel)>;

/// The world.
pub struct Net {
    pub network: Network,
    pub heard: Vec<Heard>,
    actions: Vec<Option<Action>>,
    director: ActorId,
}

/// A world and its event loop.
pub struct Lab {
    pub world: Net,
    pub kernel: Kernel,
}

/// Two subnets, a router on each, a link between them; three hosts on the first, two on the second.
pub struct TwoSites {
    pub lab: Lab,
    pub subnets: [SubnetId; 2],
    pub routers: [RouterId; 2],
    pub wan: LinkId,
    /// Interfaces 0 to 2 on the first subnet, 3 and 4 on the second.
    pub hosts: Vec<InterfaceId>,
}

impl World for Net {
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        if event.payload & NETWORK_EVENT == 0 {
            if let Some(mut action) = self.actions[event.payload as usize].take() {
                action(&mut self.network, kernel);
            }
            return;
        }
        match self.network.on_event(&event, kernel) {
            Some(Delivery::Unicast { host, packet, .. }) => {
                assert_eq!(host, event.target);
                let number = number(self.network.packet(packet).payload);
                self.heard.push((event.time, host, number));
                self.network.release(packet);
            }
            Some(Delivery::Broadcast { packet, .. }) => {
                let number = number(self.network.packet(packet).payload);
                for i in 0..self.network.interfaces() as u32 {
                    if self.network.hears(packet, InterfaceId(i), event.time) {
                        let host = self.network.interface(InterfaceId(i)).2;
                        self.heard.push((event.time, host, number));
                    }
                }
                self.network.release(packet);
            }
            None => {}
        }
    }
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().expect("four bytes"))
}

impl Lab {
    pub fn new(seed: u64) -> Lab {
        let mut kernel = Kernel::new();
        let director = kernel.add_actor();
        let network = Network::new(Streams::new(seed));
        let world = Net { network, heard: Vec::new(), actions: Vec::new(), director };
        Lab { world, kernel }
    }

    pub fn subnet(&mut self, name: &str, cidr: [u8; 4], config: MediumConfig) -> SubnetId {
        let actor = self.kernel.add_actor();
        let prefix = Prefix::new(cidr.into(), 24).unwrap();
        self.world.network.add_subnet(name, actor, prefix, config).unwrap()
    }

    pub fn router(&mut self, name: &str, at: &[(SubnetId, [u8; 4])]) -> RouterId {
        self.router_with(name, at, RouterConfig::default())
    }

    pub fn router_with(
        &mut self,
        name: &str,
        at: &[(SubnetId, [u8; 4])],
        config: RouterConfig,
    ) -> RouterId {
        let actor = self.kernel.add_actor();
        let at: Vec<_> = at.iter().map(|&(s, a)| (s, Ipv4Addr::from(a))).collect();
        self.world.network.add_router(name, actor, &at, config).unwrap()
    }

    pub fn link(&mut self, name: &str, a: RouterId, b: RouterId, config: MediumConfig) -> LinkId {
        self.world.network.add_link(name, a, b, config).unwrap()
    }

    pub fn host(&mut self, subnet: SubnetId, address: [u8; 4]) -> InterfaceId {
        let actor = self.kernel.add_actor();
        self.world.network.attach_host(subnet, address.into(), actor).unwrap()
    }

    pub fn start(&mut self) {
        self.world.network.start(&mut self.kernel);
    }

    /// Does something at a time.
    pub fn at(&mut self, at: SimTime, action: impl FnMut(&mut Network, &mut Kernel) + 'static) {
        let index = self.world.actions.len() as u32;
        self.world.actions.push(Some(Box::new(action)));
        self.kernel.schedule(at, self.world.director, index);
    }

    /// Sends a datagram of 50 bytes that starts with `number`.
    pub fn send(&mut self, at: SimTime, from: InterfaceId, to: Ipv4Addr, number: u32) {
        self.at(at, move |network, kernel| datagram(network, kernel, from, to, number, 50));
    }

    /// Sends `count` numbered datagrams, one every `gap`, from `begin` on.
    pub fn stream(
        &mut self,
        begin: SimTime,
        gap: SimDuration,
        from: InterfaceId,
        to: InterfaceId,
        count: u32,
    ) {
        let to = self.world.network.interface(to).1;
        for i in 0..count {
            self.send(begin + gap * u64::from(i), from, to, i);
        }
    }

    pub fn run(&mut self) {
        self.kernel.run_until(SimTime::MAX, &mut self.world);
        assert_eq!(self.world.network.packets_live(), 0, "no packet leaks");
        let sum = self.world.network.totals();
        let ends = sum.delivered + sum.dropped_total();
        assert!(sum.sent + sum.duplicated <= ends + sum.duplicated, "{sum:?}");
    }

    /// Numbers a host heard, in order.
    pub fn numbers(&self, host: InterfaceId) -> Vec<u32> {
        let actor = self.world.network.interface(host).2;
        self.world.heard.iter().filter(|h| h.1 == actor).map(|h| h.2).collect()
    }

    pub fn count(&self, host: InterfaceId) -> usize {
        self.numbers(host).len()
    }
}

impl TwoSites {
    pub fn new(seed: u64, wan: MediumConfig) -> TwoSites {
        TwoSites::with(seed, wan, MediumConfig::default(), RouterConfig::default())
    }

    pub fn with(seed: u64, wan: MediumConfig, lan: MediumConfig, router: RouterConfig) -> TwoSites {
        let mut lab = Lab::new(seed);
        let north = lab.subnet("north", [10, 1, 0, 0], lan);
        let south = lab.subnet("south", [10, 2, 0, 0], lan);
        let r1 = lab.router_with("r1", &[(north, [10, 1, 0, 1])], router);
        let r2 = lab.router_with("r2", &[(south, [10, 2, 0, 1])], router);
        let wan = lab.link("wan", r1, r2, wan);
        let mut hosts: Vec<_> = (10..13).map(|h| lab.host(north, [10, 1, 0, h])).collect();
        hosts.extend((10..12).map(|h| lab.host(south, [10, 2, 0, h])));
        lab.start();
        TwoSites { lab, subnets: [north, south], routers: [r1, r2], wan, hosts }
    }

    /// A hundred datagrams from north to south, one a millisecond.
    pub fn hundred(&mut self) {
        let (from, to) = (self.hosts[0], self.hosts[3]);
        self.lab.stream(SimTime::ZERO, ms(1), from, to, 100);
    }

    pub fn forward(&self) -> MediumCounters {
        self.lab.world.network.link_counters(self.wan)[0]
    }

    pub fn dropped(&self, cause: DropCause) -> u64 {
        self.lab.world.network.totals().dropped(cause)
    }
}

/// Sends a datagram of `length` bytes that starts with `number`.
pub fn datagram(
    network: &mut Network,
    kernel: &mut Kernel,
    from: InterfaceId,
    to: Ipv4Addr,
    number: u32,
    length: usize,
) {
    let mut payload = vec![0u8; length];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    let header = PacketHeader::udp(
        SocketAddrV4::new(network.interface(from).1, 137),
        SocketAddrV4::new(to, 137),
    );
    network.send(from, &header, &payload, kernel).unwrap();
}

/// A capture that counts frames and adds up their bytes.
#[derive(Clone, Default)]
pub struct Counter(pub Rc<RefCell<(u64, u64)>>);

impl Capture for Counter {
    fn frame(&mut self, frame: &Frame<'_>) {
        let mut counts = self.0.borrow_mut();
        counts.0 += 1;
        counts.1 += (frame.payload.len() + frame.header.header_bytes()) as u64;
    }
}

pub fn ms(n: u64) -> SimDuration {
    SimDuration::from_millis(n)
}

pub fn at_ms(n: u64) -> SimTime {
    SimTime::ZERO + ms(n)
}
