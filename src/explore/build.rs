//! From a plan to a world: every part of the plan becomes a part of the network or a host.

use super::director::Places;
use crate::base::{ActorId, Scheduler, Streams};
use crate::nbt::{Identity, NameKind, NbtConfig, Role};
use crate::net::{
    LinkId, MediumConfig, Network, Prefix, RouterConfig, RouterId, SubnetId, TcpConfig,
    TopologyError,
};
use crate::scenario::{
    ClusterPlan, GroupPlan, HostPlan, HostProfile, HostRef, MediumPlan, NbtRole, Plan, PullPlan,
    PushPlan, RecordPlan, RecordStateWord, StaticKind, StaticPlan, WinsPlan,
};
use crate::sim::kernel::Kernel;
use crate::sim::{HostSpec, NbtInstall, WinsInstall, World};
use crate::wins::{
    NameKind as RecordKind, OperatorAction, Partner, PullPartner, PushPartner, PutRecord,
    RecordState, ReplicationScope, StaticMapping, StaticType, VersionId, WinsConfig,
};
use crate::wire::{NetbiosName, ScopeId, Suffix};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use thiserror::Error;

/// Why a plan cannot be built. The loader has checked all of it, so this is a fault of the program.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BuildError {
    /// The network refuses a part.
    #[error("{name}: {error}")]
    Network {
        /// The subnet, router, link or host.
        name: String,
        /// Why.
        error: TopologyError,
    },
    /// A subnet's prefix is none.
    #[error("{0} has no network of 8 to 30 bits")]
    Prefix(String),
    /// A computer's or domain's name is no NetBIOS name.
    #[error("{0} has no NetBIOS name")]
    Name(String),
}

/// A world ready to run.
pub(super) struct Built {
    pub kernel: Kernel,
    pub world: World,
    pub places: Places,
    /// Names of all actors, for traces and digests.
    pub actor_names: Vec<String>,
}

/// What the hosts of one group share.
struct Shared {
    config: Option<Arc<NbtConfig>>,
    servers: Arc<[Ipv4Addr]>,
}

pub(super) fn build(plan: &Plan, streams: Streams) -> Result<Built, BuildError> {
    let mut kernel = Kernel::new();
    let mut actor_names = Vec::new();
    let mut actor = |kernel: &mut Kernel, name: String| {
        actor_names.push(name);
        kernel.add_actor()
    };
    for host in &plan.hosts {
        actor(&mut kernel, host.name.clone());
    }
    let mut net = Network::new(streams);
    let subnets = add_subnets(plan, &mut net, &mut |n| actor(&mut kernel, n))?;
    let routers = add_routers(plan, &mut net, &subnets, &mut |n| actor(&mut kernel, n))?;
    let links = add_links(plan, &mut net, &routers)?;
    let fault_actors =
        plan.faults.iter().map(|f| actor(&mut kernel, format!("fault {}", f.label))).collect();
    let workload_actors =
        plan.workloads.iter().map(|w| actor(&mut kernel, format!("workload {}", w.name))).collect();
    let operator = actor(&mut kernel, "operator".into());
    let bus = |c: &ClusterPlan| actor(&mut kernel, format!("bus {}", c.name));
    let buses: Vec<ActorId> = plan.clusters.iter().map(bus).collect();
    net.start(&mut kernel);
    let mut world = World::new(net, streams);
    add_hosts(plan, streams, &subnets, &mut world, &mut kernel)?;
    super::build_cluster::install(plan, &subnets, &mut world)?;
    super::build_cluster::add_clusters(plan, &subnets, &buses, &mut world, &mut kernel);
    let places = Places { subnets, routers, links, fault_actors, workload_actors, operator };
    Ok(Built { kernel, world, places, actor_names })
}

pub(super) fn failed(name: &str) -> impl FnOnce(TopologyError) -> BuildError {
    let name = name.to_string();
    move |error| BuildError::Network { name, error }
}

fn medium(plan: &MediumPlan) -> MediumConfig {
    MediumConfig {
        delay: (plan.delay.low, plan.delay.high),
        jitter: plan.jitter,
        loss: plan.loss,
        duplicate: plan.duplicate,
        reorder: plan.reorder,
        reorder_extra: plan.reorder_by,
        bandwidth_bits_per_s: plan.bandwidth_bits,
        queue_bytes_max: plan.queue_bytes,
    }
}

fn add_subnets(
    plan: &Plan,
    net: &mut Network,
    actor: &mut dyn FnMut(String) -> ActorId,
) -> Result<Vec<SubnetId>, BuildError> {
    plan.subnets
        .iter()
        .map(|subnet| {
            let prefix = Prefix::new(subnet.network, subnet.prefix)
                .ok_or_else(|| BuildError::Prefix(subnet.name.clone()))?;
            let actor = actor(format!("subnet {}", subnet.name));
            net.add_subnet(&subnet.name, actor, prefix, medium(&subnet.medium))
                .map_err(failed(&subnet.name))
        })
        .collect()
}

fn add_routers(
    plan: &Plan,
    net: &mut Network,
    subnets: &[SubnetId],
    actor: &mut dyn FnMut(String) -> ActorId,
) -> Result<Vec<RouterId>, BuildError> {
    plan.routers
        .iter()
        .map(|router| {
            let attached: Vec<(SubnetId, Ipv4Addr)> =
                router.attached.iter().map(|&(s, a)| (subnets[s.index()], a)).collect();
            let config = RouterConfig {
                forward_broadcasts: router.forward_broadcasts,
                directed_broadcasts: router.directed_broadcasts,
            };
            let actor = actor(format!("router {}", router.name));
            net.add_router(&router.name, actor, &attached, config).map_err(failed(&router.name))
        })
        .collect()
}

fn add_links(
    plan: &Plan,
    net: &mut Network,
    routers: &[RouterId],
) -> Result<Vec<LinkId>, BuildError> {
    plan.links
        .iter()
        .map(|link| {
            let [a, b] = link.ends.map(|end| routers[end.index()]);
            net.add_link(&link.name, a, b, medium(&link.medium)).map_err(failed(&link.name))
        })
        .collect()
}

fn add_hosts<S: Scheduler>(
    plan: &Plan,
    streams: Streams,
    subnets: &[SubnetId],
    world: &mut World,
    sched: &mut S,
) -> Result<(), BuildError> {
    let mut shared: BTreeMap<usize, Shared> = BTreeMap::new();
    for (index, host) in plan.hosts.iter().enumerate() {
        let group = plan.group_of(HostRef(index as u32));
        let shared = shared.entry(host.group.index()).or_insert_with(|| share(group));
        let nbt = match (&group.nbt, &shared.config) {
            (Some(_), Some(config)) => Some(NbtInstall {
                config: config.clone(),
                identity: identity(plan, host, group)?,
                servers: shared.servers.clone(),
            }),
            _ => None,
        };
        let mut clock = streams.stream(&format!("host/{}/clock", host.name));
        let offset = signed(&mut clock, group.clock.offset_ns);
        let drift = signed(&mut clock, group.clock.drift_ppb);
        let spec = HostSpec {
            name: host.name.clone(),
            subnet: subnets[host.subnet.index()],
            address: host.address,
            clock: (offset, drift.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32),
            nbt,
            wins: install(plan, host, group),
        };
        world.add_host(spec, sched).map_err(failed(&host.name))?;
    }
    Ok(())
}

fn signed(stream: &mut crate::base::Stream, (low, high): (i64, i64)) -> i64 {
    low.saturating_add(stream.between(0, high.saturating_sub(low).max(0) as u64) as i64)
}

fn share(group: &GroupPlan) -> Shared {
    let config = group.nbt.as_ref().map(|nbt| {
        Arc::new(NbtConfig {
            profile: nbt.profile.clone(),
            node_type: Some(nbt.node_type),
            scope: ScopeId::none(),
        })
    });
    let servers = group.nbt.as_ref().map_or(Vec::new(), |nbt| nbt.server_addresses.clone());
    Shared { config, servers: servers.into() }
}

fn identity(plan: &Plan, host: &HostPlan, group: &GroupPlan) -> Result<Identity, BuildError> {
    let bad = |_| BuildError::Name(host.name.clone());
    let nbt = group.nbt.as_ref();
    let domain = nbt.and_then(|nbt| nbt.domain).map(|d| plan.domains[d.index()].netbios.as_str());
    let role = match nbt.map(|nbt| nbt.role) {
        None | Some(NbtRole::Workstation) => Role::Workstation,
        Some(NbtRole::Server) => Role::Server,
        Some(NbtRole::Bdc) => Role::BackupController,
        Some(NbtRole::Pdc) => Role::PrimaryController,
    };
    let kind = |group| if group { NameKind::Group } else { NameKind::Unique };
    Ok(Identity {
        computer: NetbiosName::new(&host.computer, Suffix::WORKSTATION).map_err(bad)?,
        domain: NetbiosName::new(domain.unwrap_or("WORKGROUP"), Suffix::WORKSTATION)
            .map_err(bad)?,
        user: host.user,
        role,
        local_master: nbt.is_some_and(|nbt| nbt.local_master),
        extra: host.extra_names.iter().map(|own| (own.name, kind(own.group))).collect(),
    })
}

fn install(plan: &Plan, host: &HostPlan, group: &GroupPlan) -> Option<WinsInstall> {
    Some(wins_install(plan, group.wins.as_ref()?, host.address, group))
}

/// The WINS service at an address, with the processor, the disk and the streams of a host's kind.
pub(super) fn wins_install(
    plan: &Plan,
    wins: &WinsPlan,
    address: Ipv4Addr,
    group: &GroupPlan,
) -> WinsInstall {
    let files = wins.static_files.iter().map(|file| {
        let text = file.text.clone().into_bytes();
        OperatorAction::ImportLmhosts { text }
    });
    let statics = wins.statics.iter().map(|s| OperatorAction::AddStatic(static_mapping(s)));
    WinsInstall {
        config: WinsConfig {
            address,
            profile: wins.profile.clone(),
            partners: partners(plan, &wins.pull_from, &wins.push_to),
        },
        first_start: files.chain(statics).collect(),
        starts_after: wins.starts_after,
        cpu: group.cpu,
        disk: group.disk,
        tcp: match group.profile {
            HostProfile::W2k | HostProfile::W2k3 => TcpConfig::W2K,
            _ => TcpConfig::NT40,
        },
        clustered: false,
    }
}

/// Partners as the server knows them: by address, both directions together.
pub(super) fn partners(plan: &Plan, pulls: &[PullPlan], pushes: &[PushPlan]) -> Vec<Partner> {
    let mut partners: Vec<Partner> = Vec::new();
    let mut partner = |host: HostRef| {
        let address = plan.server_address(host);
        let place = partners.iter().position(|p| p.address == address).unwrap_or_else(|| {
            partners.push(Partner {
                address,
                pull: None,
                push: None,
                persistent: true,
                replicates: ReplicationScope::All,
            });
            partners.len() - 1
        });
        (place, address)
    };
    let places: Vec<(usize, Ipv4Addr)> = pulls.iter().map(|p| partner(p.host)).collect();
    let push_places: Vec<(usize, Ipv4Addr)> = pushes.iter().map(|p| partner(p.host)).collect();
    for (pull, (place, _)) in pulls.iter().zip(places) {
        partners[place].pull = Some(PullPartner {
            interval: pull.interval,
            first_at: pull.at,
            at_start: pull.on_start,
            members_first: pull.high_precedence,
        });
    }
    for (push, (place, _)) in pushes.iter().zip(push_places) {
        partners[place].push = Some(PushPartner {
            update_count: push.after_changes,
            at_start: push.on_start,
            on_address_change: push.on_address_change,
            only_dynamic: push.only_dynamic,
        });
    }
    partners
}

/// A record as it is put into a database.
pub(super) fn put_record(plan: &RecordPlan) -> PutRecord {
    PutRecord {
        name: plan.name,
        scope: ScopeId::none(),
        kind: match plan.kind {
            StaticKind::Unique => RecordKind::Unique,
            StaticKind::Group => RecordKind::Group,
            StaticKind::DomainName | StaticKind::InternetGroup => RecordKind::InternetGroup,
            StaticKind::Multihomed => RecordKind::Multihomed,
        },
        state: match plan.state {
            None | Some(RecordStateWord::Active) => RecordState::Active,
            Some(RecordStateWord::Released) => RecordState::Released,
            Some(RecordStateWord::Tombstone) => RecordState::Tombstone,
        },
        is_static: plan.is_static,
        owner: plan.owner,
        version: plan.version.map(VersionId),
        addresses: plan.addresses.clone(),
        member_owner: plan.member_owner,
    }
}

/// A static mapping as the server takes it.
pub(super) fn static_mapping(plan: &StaticPlan) -> StaticMapping {
    StaticMapping {
        name: plan.name,
        scope: ScopeId::none(),
        kind: match plan.kind {
            StaticKind::Unique => StaticType::Unique,
            StaticKind::Group => StaticType::Group,
            StaticKind::DomainName => StaticType::DomainName,
            StaticKind::InternetGroup => StaticType::InternetGroup,
            StaticKind::Multihomed => StaticType::Multihomed,
        },
        exact: plan.suffix_given,
        addresses: plan.addresses.clone(),
    }
}
