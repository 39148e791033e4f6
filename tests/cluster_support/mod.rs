//! A small cluster in a world of its own, built by hand: two nodes or more, two networks, two disks.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use winstorm::base::{ActorId, Event, SimDuration, SimTime, Streams};
use winstorm::cluster::{
    ClusterConfig, ClusterProfile, Control, DiskConfig, DiskId, GroupConfig, GroupId,
    NetworkConfig, NetworkId, NetworkRole, NodeConfig, NodeId, QuorumKind, ResourceConfig,
    ResourceId, ResourceKind, ResourceState, StartSwitches,
};
use winstorm::nbt::{Identity, NbtConfig, NbtProfile, Role};
use winstorm::net::{MediumConfig, Network, Prefix};
use winstorm::registry::{KeyPath, Registry, Value};
use winstorm::sim::disk::DiskParams;
use winstorm::sim::kernel::{self, Kernel};
use winstorm::sim::shared::{BusParams, SharedDiskSpec, Signature};
use winstorm::sim::{
    ClusterSpec, Happening, HostId, HostSpec, NbtInstall, ProgramSpec, ProgramWrite, SystemSpec,
    WinsInstall, World,
};

/// The Cluster Group, and the group with the application.
pub const CLUSTER_GROUP: GroupId = GroupId(0);
pub const APP_GROUP: GroupId = GroupId(1);
/// Resources by number.
pub const QUORUM_DISK: ResourceId = ResourceId(0);
pub const CLUSTER_ADDRESS: ResourceId = ResourceId(1);
pub const CLUSTER_NAME: ResourceId = ResourceId(2);
pub const APP_DISK: ResourceId = ResourceId(3);
pub const APP_ADDRESS: ResourceId = ResourceId(4);
pub const APP_NAME: ResourceId = ResourceId(5);
pub const APP: ResourceId = ResourceId(6);

/// The checkpointed key.
pub const KEY: &str = r"Software\Lab\App";

/// A world with one cluster, and everything that happened in it.
pub struct Lab {
    pub kernel: Kernel,
    pub inner: Inner,
}

/// The world, as the event loop sees it.
pub struct Inner {
    pub world: World,
    pub happened: Vec<Happening>,
}

impl kernel::World for Inner {
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        let left = self.world.on_event(event, kernel);
        assert!(left.is_none(), "nobody directs this world: {left:?}");
        self.happened.append(&mut self.world.happenings);
        self.world.addresses.clear();
    }
}

fn resource(
    name: &str,
    group: GroupId,
    kind: ResourceKind,
    below: &[ResourceId],
) -> ResourceConfig {
    ResourceConfig::new(name, kind, group, below.to_vec())
}

/// What the cluster is set up as.
pub fn config(profile: ClusterProfile, nodes: u8) -> ClusterConfig {
    let disk = |disk| ResourceKind::PhysicalDisk {
        disk: DiskId(disk),
        skip_chkdsk: false,
        conditional_mount: true,
    };
    let address = |last| ResourceKind::IpAddress {
        address: Ipv4Addr::new(10, 0, 0, last),
        network: NetworkId(0),
        netbios: true,
    };
    let name = |name: &str| ResourceKind::NetworkName { name: name.into() };
    let service = ResourceKind::GenericService { service: "App".into(), use_network_name: true };
    let mut app = resource("App", APP_GROUP, service, &[APP_DISK, APP_NAME]);
    app.checkpoints = vec![KEY.into()];
    ClusterConfig {
        name: "LAB".into(),
        profile,
        nodes: (1..=nodes)
            .map(|n| NodeConfig {
                name: format!("NODE-{n}"),
                addresses: vec![Some(Ipv4Addr::new(10, 0, 0, n)), Some(Ipv4Addr::new(10, 0, 1, n))],
            })
            .collect(),
        networks: vec![
            NetworkConfig { name: "public".into(), role: NetworkRole::All },
            NetworkConfig { name: "interconnect".into(), role: NetworkRole::Internal },
        ],
        disks: vec![
            DiskConfig { name: "quorum".into(), signature: 0xA0, letter: 'Q' },
            DiskConfig { name: "data".into(), signature: 0xB0, letter: 'S' },
        ],
        quorum: QuorumKind::Disk(QUORUM_DISK),
        groups: vec![GroupConfig::new("Cluster Group"), GroupConfig::new("App Group")],
        resources: vec![
            resource("Disk Q:", CLUSTER_GROUP, disk(0), &[]),
            resource("Cluster IP", CLUSTER_GROUP, address(100), &[]),
            resource("Cluster Name", CLUSTER_GROUP, name("LAB"), &[CLUSTER_ADDRESS]),
            resource("Disk S:", APP_GROUP, disk(1), &[]),
            resource("App IP", APP_GROUP, address(101), &[]),
            resource("App Name", APP_GROUP, name("VIRTUAL"), &[APP_ADDRESS]),
            app,
        ],
    }
}

/// The same with WINS in the place of the application.
pub fn config_with_wins(profile: ClusterProfile) -> ClusterConfig {
    let mut config = config(profile, 2);
    let app = &mut config.resources[APP.0 as usize];
    app.kind = ResourceKind::Wins {
        database_path: r"S:\wins\".into(),
        backup_path: r"S:\wins\backup\".into(),
    };
    app.depends_on = vec![APP_DISK, APP_ADDRESS];
    app.checkpoints = winstorm::registry::services::wins::CHECKPOINT_KEYS.map(Into::into).to_vec();
    config
}

/// A WINS server behind a resource.
pub fn wins() -> WinsInstall {
    WinsInstall {
        config: winstorm::wins::WinsConfig {
            address: Ipv4Addr::new(10, 0, 0, 101),
            profile: winstorm::wins::WinsProfile::new(winstorm::wins::WinsVersion::W2k, 2),
            partners: Vec::new(),
        },
        first_start: Vec::new(),
        starts_after: SimDuration::ZERO,
        cpu: winstorm::sim::cpu::CpuConfig {
            name_changes_max: 1000,
            queries_max: 1000,
            ..Default::default()
        },
        disk: DiskParams::default(),
        tcp: winstorm::net::TcpConfig::W2K,
        clustered: true,
    }
}

/// Four nodes, and so many groups of four resources beside the Cluster Group.
pub fn large(groups: u16) -> ClusterConfig {
    let mut config = config(ClusterProfile::w2k(2), 4);
    config.groups.truncate(1);
    config.resources.truncate(3);
    config.disks.truncate(1);
    for g in 1..=groups {
        let id = GroupId(g);
        config.groups.push(GroupConfig {
            preferred_owners: vec![NodeId((g % 4) as u8 + 1)],
            ..GroupConfig::new(format!("Group {g}"))
        });
        let first = config.resources.len() as u16;
        let address = ResourceKind::IpAddress {
            address: Ipv4Addr::new(10, 0, 0, 100 + g as u8),
            network: NetworkId(0),
            netbios: true,
        };
        let name = ResourceKind::NetworkName { name: format!("VIRTUAL-{g}") };
        let share = ResourceKind::FileShare { share: "data".into(), path: r"C:\data".into() };
        let program = ResourceKind::GenericApplication {
            command_line: format!("app-{g}.exe"),
            use_network_name: false,
        };
        let kinds = [address, name, share, program];
        for (kind, place) in kinds.into_iter().zip(first..) {
            let below: Vec<ResourceId> = (first..place).map(ResourceId).collect();
            config.resources.push(resource(&format!("Resource {place}"), id, kind, &below));
        }
    }
    config
}

/// What runs behind the resource [`APP`]: counts in the registry.
pub fn program() -> ProgramSpec {
    let seconds = |s| (SimDuration::from_secs(s), SimDuration::from_secs(s));
    ProgramSpec {
        name: "App".into(),
        automatic: false,
        starts_in: seconds(2),
        stops_in: seconds(1),
        start_fails: winstorm::base::Odds::NEVER,
        crashes_every: None,
        needs: Vec::new(),
        writes: vec![ProgramWrite {
            key: key(),
            value: "Count".into(),
            data: None,
            every: seconds(10),
        }],
        files: Vec::new(),
        keeps_open: Vec::new(),
        leaks_handles: false,
        cluster_aware: false,
    }
}

/// The checkpointed key.
pub fn key() -> KeyPath {
    KeyPath::parse(KEY).expect("a path")
}

impl Lab {
    /// A cluster with this set-up, all nodes off. Host 0 is node 1.
    pub fn new(config: ClusterConfig, seed: u64) -> Lab {
        Lab::with_wins(config, seed, None)
    }

    /// The same with a WINS server behind its WINS resource, and a client that knows it as its only server.
    pub fn with_wins(config: ClusterConfig, seed: u64, wins: Option<WinsInstall>) -> Lab {
        let streams = Streams::new(seed);
        let mut kernel = Kernel::new();
        let nodes = config.nodes.len();
        let hosts: Vec<ActorId> = (0..nodes).map(|_| kernel.add_actor()).collect();
        let client = wins.is_some().then(|| kernel.add_actor());
        let mut net = Network::new(streams);
        let prefix = |third| Prefix::new(Ipv4Addr::new(10, 0, third, 0), 24).expect("a prefix");
        let subnets = [("public", 0), ("interconnect", 1)].map(|(name, third)| {
            let actor = kernel.add_actor();
            net.add_subnet(name, actor, prefix(third), MediumConfig::default()).expect("a subnet")
        });
        let bus = kernel.add_actor();
        net.start(&mut kernel);
        let mut world = World::new(net, streams);
        for (index, _) in hosts.iter().enumerate() {
            let n = index as u8 + 1;
            let name = format!("node-{n}");
            let spec = HostSpec {
                name: name.clone(),
                subnet: subnets[0],
                address: Ipv4Addr::new(10, 0, 0, n),
                clock: (0, 0),
                nbt: Some(NbtInstall {
                    config: Arc::new(NbtConfig {
                        profile: NbtProfile::w2k(),
                        node_type: None,
                        scope: Default::default(),
                    }),
                    identity: Identity::new(&name.to_uppercase(), "LAB-DOM", Role::Server)
                        .expect("names"),
                    servers: Arc::new([]),
                }),
                wins: None,
            };
            let id = world.add_host(spec, &mut kernel).expect("a host");
            let mut registry = Registry::with_hives();
            registry.set(&key(), "Node", Value::Dword(n.into())).expect("a value");
            let system = SystemSpec {
                interfaces: vec![(subnets[1], Ipv4Addr::new(10, 0, 1, n))],
                registry,
                programs: vec![program()],
                disk: DiskParams::default(),
            };
            world.install(id, system, &name).expect("a system");
        }
        if client.is_some() {
            let spec = HostSpec {
                name: "client".into(),
                subnet: subnets[0],
                address: Ipv4Addr::new(10, 0, 0, 50),
                clock: (0, 0),
                nbt: Some(NbtInstall {
                    config: Arc::new(NbtConfig {
                        profile: NbtProfile::w2k(),
                        node_type: Some(winstorm::wire::name_service::NodeType::P),
                        scope: Default::default(),
                    }),
                    identity: Identity::new("CLIENT", "LAB-DOM", Role::Workstation).expect("names"),
                    servers: Arc::new([Ipv4Addr::new(10, 0, 0, 101)]),
                }),
                wins: None,
            };
            world.add_host(spec, &mut kernel).expect("a host");
        }
        let disks = config.disks.iter().map(|d| SharedDiskSpec::new(Signature(d.signature)));
        let spec = ClusterSpec {
            disks: disks.collect(),
            config: Arc::new(config),
            hosts: (0..nodes as u32).map(HostId).collect(),
            subnets: subnets.to_vec(),
            bus: BusParams { recovers_by_log: true, ..BusParams::default() },
            switches: StartSwitches::default(),
            starts_after: (SimDuration::from_secs(1), SimDuration::from_secs(1)),
            restarts_after: Some(SimDuration::from_secs(60)),
            wins,
        };
        world.add_cluster(spec, bus, &mut kernel);
        Lab { kernel, inner: Inner { world, happened: Vec::new() } }
    }

    /// The same, with the nodes switched on one after the other, and time to come up.
    pub fn up(config: ClusterConfig, seed: u64) -> Lab {
        Lab::new(config, seed).started()
    }

    /// Switches everything on.
    pub fn started(self) -> Lab {
        let mut lab = self;
        for host in 0..lab.inner.world.hosts().len() as u32 {
            lab.boot(host, SimDuration::from_secs(30 + 60 * u64::from(host)));
        }
        lab.run_for(180 + 60 * (lab.inner.world.hosts().len() as u64 - 1));
        lab
    }

    /// Switches a host on.
    pub fn boot(&mut self, host: u32, takes: SimDuration) {
        self.kernel.set_lane(ActorId(host));
        self.inner.world.boot(HostId(host), takes, &mut self.kernel);
    }

    /// Lets so many seconds pass.
    pub fn run_for(&mut self, seconds: u64) {
        let end = self.now() + SimDuration::from_secs(seconds);
        self.kernel.run_until(end, &mut self.inner);
    }

    pub fn now(&self) -> SimTime {
        use winstorm::base::Scheduler;
        self.kernel.now()
    }

    /// Does something to the world, as if a host's own actor did.
    pub fn act(&mut self, host: u32, act: impl FnOnce(&mut World, &mut Kernel)) {
        self.kernel.set_lane(ActorId(host));
        act(&mut self.inner.world, &mut self.kernel);
        self.inner.happened.append(&mut self.inner.world.happenings);
    }

    /// Asks the service on a node for something.
    pub fn ask(&mut self, host: u32, control: Control) {
        self.act(host, |world, kernel| {
            assert!(world.ask_cluster(HostId(host), 1, &control, kernel), "a service to ask");
        });
    }

    pub fn world(&self) -> &World {
        &self.inner.world
    }

    /// Who owns a group, as the world knows it.
    pub fn owner(&self, group: GroupId) -> Option<NodeId> {
        self.world().clusters()[0].owner(group)
    }

    /// The state of a resource at its owner.
    pub fn state(&self, resource: ResourceId) -> ResourceState {
        let group = self.world().clusters()[0].spec().config.resources[resource.0 as usize].group;
        let host = self.owner(group).and_then(|node| self.world().clusters()[0].host(node));
        let part = host.and_then(|host| self.world().host(host).cluster());
        part.map_or(ResourceState::Offline, |part| part.state(resource))
    }

    /// Whether everything is online.
    pub fn all_online(&self) -> bool {
        let count = self.world().clusters()[0].spec().config.resources.len() as u16;
        (0..count).all(|r| self.state(ResourceId(r)) == ResourceState::Online)
    }

    /// The number the program has counted to on a host.
    pub fn count(&self, host: u32) -> Option<u32> {
        let registry = self.world().host(HostId(host)).system().expect("a system").registry();
        registry.get(&key(), "Count").and_then(Value::as_dword)
    }

    /// What happened to the cluster, a line each.
    pub fn history(&self) -> String {
        use winstorm::sim::What;
        let mut lines = String::new();
        for Happening { at, host, what } in &self.inner.happened {
            let told = match what {
                What::Name { .. } | What::Program { .. } | What::Key { .. } => continue,
                what => format!("{what:?}"),
            };
            lines += &format!("{at} node {} {told}\n", host.0 + 1);
        }
        lines
    }
}
