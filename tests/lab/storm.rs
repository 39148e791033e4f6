//! A simulated WINS server under a storm of registrations: one server, one host that sends the requests of
//! many clients from behind two routers, and nobody who watches. Used by `benches/wins.rs` and the tests of
//! memory.

use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Event, Scheduler, SimDuration, SimTime, Streams};
use winstorm::net::{
    InterfaceId, MediumConfig, Network, PacketHeader, Prefix, RouterConfig, TcpConfig,
};
use winstorm::sim::cpu::CpuConfig;
use winstorm::sim::disk::DiskParams;
use winstorm::sim::kernel::{self, Kernel};
use winstorm::sim::{DIRECTOR_EVENT, HostId, HostSpec, What, WinsInstall, World};
use winstorm::wins::{
    CommitMode, Observation, OperatorAction, WinsConfig, WinsProfile, WinsServer, WinsVersion,
};
use winstorm::wire::name_service::compose::{self, Claim};
use winstorm::wire::name_service::{NbFlags, NodeType, PORT};
use winstorm::wire::{NetbiosName, ScopeId};

const SERVER: HostId = HostId(0);
const CLIENTS: HostId = HostId(1);
const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 5);
/// Requests sent at a time, and the pause between two such volleys: slower than the server's processor, so
/// that its queue stays short, and fewer than its reserve of version ids between two commits.
const VOLLEY: u32 = 16;
const PAUSE: SimDuration = SimDuration::from_micros(1000);
/// Processor time of a request in the simulation: 100,000 a second.
const SERVICE_TIME: SimDuration = SimDuration::from_micros(10);

/// A disk fast enough that the server never runs out of version ids while it waits for a commit.
const DISK: DiskParams = DiskParams {
    write: SimDuration(1_000),
    read: SimDuration(1_000),
    per_page: SimDuration(1_000),
    sync: SimDuration(10_000),
    capacity: 8 << 30,
};

/// The world, and what is still to be sent.
pub struct Storm {
    pub kernel: Kernel,
    pub rig: Rig,
}

/// The world as the event loop sees it.
pub struct Rig {
    pub world: World,
    interface: InterfaceId,
    /// Requests still to be sent: the number of the next one, and of the last one, and what it says.
    next: u32,
    end: u32,
    what: Ask,
    /// Requests answered, by the server's own count.
    pub answered: u64,
    pub positive: u64,
    pub commits: u64,
    bytes: Vec<u8>,
    id: u16,
}

/// What the clients send.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Register name number n with an address of its own.
    Register,
    /// Refresh it.
    Refresh,
    /// Release it. The server judges by the source address, which is the sender's: see `claim`.
    Release,
    /// Ask for it.
    Query,
    /// Register n as one of 25 members of the domain controllers' group number n / 25.
    Member,
}

/// Name number n. Numbers are spread, so that names do not come in their order.
pub fn name_of(n: u32) -> NetbiosName {
    let spread = n.wrapping_mul(0x9E37_79B1);
    let mut name = *b"HOST00000000   \x20";
    for (i, byte) in name[4..12].iter_mut().enumerate() {
        *byte = b"0123456789ABCDEF"[(spread >> (28 - 4 * i)) as usize & 15];
    }
    NetbiosName::from_bytes(name)
}

/// The name of group number n.
pub fn group_of(n: u32) -> NetbiosName {
    name_of(n).with_suffix(winstorm::wire::Suffix::DOMAIN_CONTROLLERS)
}

/// Appends request number n.
pub fn compose_request(what: Ask, n: u32, id: u16, claimant: Ipv4Addr, bytes: &mut Vec<u8>) {
    let name = if what == Ask::Member { group_of(n / 25) } else { name_of(n) };
    let group = what == Ask::Member;
    let claim = Claim {
        id,
        name: &name,
        scope: &ScopeId::none(),
        nb_flags: NbFlags::new(group, NodeType::H),
        address: claimant,
        ttl: 0,
        broadcast: false,
    };
    match what {
        Ask::Register | Ask::Member => compose::registration(&claim, bytes),
        Ask::Refresh => compose::refresh(&claim, bytes),
        Ask::Release => compose::release(&claim, bytes),
        Ask::Query => compose::query(id, &name, &ScopeId::none(), false, bytes),
    }
}

/// The address that request number n claims. Singles share the sender's, which releases need.
pub fn claimant(what: Ask, n: u32, source: Ipv4Addr) -> Ipv4Addr {
    if what == Ask::Member { Ipv4Addr::from_bits(0x0A80_0000 + n) } else { source }
}

impl kernel::World for Rig {
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        if self.world.on_event(event, kernel).is_some() {
            self.volley(kernel);
        }
        for happening in &self.world.happenings {
            match happening.what {
                What::Wins(Observation::Answered { positive, .. }) => {
                    self.answered += 1;
                    self.positive += u64::from(positive);
                }
                What::Committed => self.commits += 1,
                _ => {}
            }
        }
        self.world.happenings.clear();
        self.world.addresses.clear();
    }
}

impl Rig {
    fn volley(&mut self, kernel: &mut Kernel) {
        for _ in 0..VOLLEY {
            if self.next >= self.end {
                return;
            }
            self.bytes.clear();
            self.id = self.id.wrapping_add(1);
            let claimant = claimant(self.what, self.next, CLIENT_ADDRESS);
            compose_request(self.what, self.next, self.id, claimant, &mut self.bytes);
            let to = SocketAddrV4::new(SERVER_ADDRESS, PORT);
            let header = PacketHeader::udp(SocketAddrV4::new(CLIENT_ADDRESS, PORT), to);
            let sent = self.world.net.send(self.interface, &header, &self.bytes, kernel);
            sent.expect("a short request");
            self.next += 1;
        }
        let at = kernel.now() + PAUSE;
        kernel.schedule(at, winstorm::base::ActorId(CLIENTS.0), DIRECTOR_EVENT);
    }

    /// The server.
    pub fn wins(&self) -> &WinsServer {
        self.world.host(SERVER).server().and_then(|s| s.wins()).expect("the service runs")
    }

    /// Bytes of the server's simulated disk.
    pub fn disk_bytes(&self) -> usize {
        self.world.host(SERVER).server().expect("a server").disk().memory()
    }
}

impl Storm {
    /// A server that has started, with an empty database.
    pub fn new() -> Storm {
        let mut kernel = Kernel::new();
        let actors: Vec<_> = (0..6).map(|_| kernel.add_actor()).collect();
        let mut net = Network::new(Streams::new(1));
        let lan = MediumConfig::fixed(SimDuration::from_micros(200));
        let mut subnet = |i: u8, actor| {
            let prefix = Prefix::new(Ipv4Addr::new(10, i, 0, 0), 16).expect("a /16");
            net.add_subnet(&format!("subnet-{i}"), actor, prefix, lan).expect("no overlap")
        };
        let subnets = [subnet(1, actors[2]), subnet(2, actors[3])];
        let mut router = |i: u8, actor| {
            let at = [(subnets[usize::from(i) - 1], Ipv4Addr::new(10, i, 0, 1))];
            let config = RouterConfig::default();
            net.add_router(&format!("router-{i}"), actor, &at, config).expect("a free address")
        };
        let routers = [router(1, actors[4]), router(2, actors[5])];
        let wan = MediumConfig::fixed(SimDuration::from_millis(5));
        net.add_link("wan", routers[0], routers[1], wan).expect("two routers");
        net.start(&mut kernel);
        let mut world = World::new(net, Streams::new(1));
        let spec = |name: &str, subnet, address, wins| HostSpec {
            name: name.into(),
            subnet,
            address,
            clock: (0, 0),
            nbt: None,
            wins,
        };
        let wins = Some(install());
        world
            .add_host(spec("wins", subnets[0], SERVER_ADDRESS, wins), &mut kernel)
            .expect("a free address");
        world
            .add_host(spec("clients", subnets[1], CLIENT_ADDRESS, None), &mut kernel)
            .expect("a free address");
        world.boot(SERVER, SimDuration::from_secs(1), &mut kernel);
        world.boot(CLIENTS, SimDuration::from_secs(1), &mut kernel);
        let interface = world.net.interface_at(CLIENT_ADDRESS).expect("attached");
        let rig = Rig {
            world,
            interface,
            next: 0,
            end: 0,
            what: Ask::Query,
            answered: 0,
            positive: 0,
            commits: 0,
            bytes: Vec::new(),
            id: 0,
        };
        let mut storm = Storm { kernel, rig };
        storm.rest();
        storm
    }

    /// Sends requests number `from` to `to` and lets everything they cause happen, commits not included.
    pub fn send(&mut self, what: Ask, from: u32, to: u32) {
        (self.rig.what, self.rig.next, self.rig.end) = (what, from, to);
        let answered = self.rig.answered + u64::from(to - from);
        let now = self.now();
        self.kernel.schedule(now, winstorm::base::ActorId(CLIENTS.0), DIRECTOR_EVENT);
        let deadline = now + SimDuration::from_hours(1);
        while self.rig.answered < answered {
            let now = self.now();
            assert!(now < deadline, "{} of {answered} answered", self.rig.answered);
            self.kernel.run_until(now + SimDuration::from_millis(20), &mut self.rig);
        }
        // The last answer is still on its way.
        let now = self.now();
        self.kernel.run_until(now + SimDuration::from_millis(20), &mut self.rig);
    }

    /// Two seconds of quiet: commits are made and become durable.
    pub fn rest(&mut self) {
        let end = self.now() + SimDuration::from_secs(20);
        self.kernel.run_until(end, &mut self.rig);
    }

    /// An administrator deletes the names.
    pub fn delete(&mut self, from: u32, to: u32) {
        for n in from..to {
            let (name, scope) = (name_of(n), ScopeId::none());
            let action = OperatorAction::DeleteRecord { name, scope };
            self.rig.world.operate(SERVER, action, &mut self.kernel);
            self.rig.world.happenings.clear();
        }
    }

    fn now(&self) -> SimTime {
        self.kernel.now()
    }
}

fn install() -> WinsInstall {
    let mut profile = WinsProfile::new(WinsVersion::W2k3, 0);
    profile.commit = CommitMode::Lazy;
    WinsInstall {
        config: WinsConfig { address: SERVER_ADDRESS, profile, partners: Vec::new() },
        first_start: Vec::new(),
        starts_after: SimDuration::ZERO,
        cpu: CpuConfig {
            registration: SERVICE_TIME,
            release: SERVICE_TIME,
            query: SERVICE_TIME,
            replication: SERVICE_TIME,
            name_changes_max: 25_000,
            queries_max: 25_000,
        },
        disk: DISK,
        tcp: TcpConfig::W2K,
        clustered: false,
    }
}
