//! Conditions about clusters, registries and programs: what is true of them now, or was in a stretch of time.

use super::cluster_faults::targets;
use super::cluster_watch::ClusterWatch;
use super::signal::{Judged, Mode};
use crate::base::{SimDuration, SimTime};
use crate::cluster::{NodeId, ResourceId};
use crate::measure::Verdict;
use crate::registry::{Caller, KeyPath};
use crate::scenario::{ClusterCondition, ClusterRef, Condition, HostTarget, Plan, RegistryData};
use crate::sim::{ClusterSite, Host, HostId, Life, ProgramState, What, World};

/// Whether a condition is judged at the end, stretch by stretch.
pub(super) fn is_tallied(condition: &Condition) -> bool {
    matches!(
        condition,
        Condition::Cluster {
            condition: ClusterCondition::LostChanges { .. }
                | ClusterCondition::Downtime { .. }
                | ClusterCondition::NoViolation { .. }
                | ClusterCondition::ViolationSeen { .. },
            ..
        }
    )
}

/// Whether a happening can change the truth of a level.
pub(super) fn concerns(condition: &Condition, what: &What) -> bool {
    let life = matches!(what, What::Up | What::Down(_));
    match condition {
        Condition::RegistryValue { hosts, .. } => {
            let moves = !matches!(hosts.choose, crate::scenario::Choose::All)
                && matches!(what, What::Cluster(_) | What::ClusterDown(_));
            life || moves || matches!(what, What::Registry)
        }
        Condition::ProgramRuns { .. } => {
            life || matches!(what, What::Program { .. } | What::Cluster(_) | What::ClusterDown(_))
        }
        Condition::Cluster { condition: ClusterCondition::CheckpointEquals { .. }, .. } => {
            let told = matches!(what, What::Registry | What::Key { .. } | What::Cluster(_));
            life || told || matches!(what, What::ClusterDown(_))
        }
        Condition::Cluster { .. } => {
            life || matches!(what, What::Cluster(_) | What::ClusterUp | What::ClusterDown(_))
        }
        _ => false,
    }
}

/// The truth of a level now; `None` for conditions that are no levels of this kind.
pub(super) fn level(
    condition: &Condition,
    plan: &Plan,
    watch: &ClusterWatch,
    world: &World,
) -> Option<bool> {
    Some(match condition {
        Condition::RegistryValue { hosts, key, value, data } => {
            each(hosts, world, |host| has_value(host, key, value.as_deref(), data.as_ref()))
        }
        Condition::ProgramRuns { hosts, program } => each(hosts, world, |host| {
            let mut programs = host.system().into_iter().flat_map(|system| system.programs());
            host.is_up()
                && programs.any(|(name, state)| {
                    name.eq_ignore_ascii_case(program) && state == ProgramState::Running
                })
        }),
        Condition::Cluster { cluster, condition } => {
            return of_cluster(*cluster, condition, plan, watch, world);
        }
        _ => return None,
    })
}

fn each(target: &HostTarget, world: &World, holds: impl Fn(&Host) -> bool) -> bool {
    let hosts = targets(target, &target.hosts, world);
    !hosts.is_empty() && hosts.iter().all(|host| holds(world.host(HostId(host.0))))
}

fn has_value(host: &Host, key: &KeyPath, name: Option<&str>, data: Option<&RegistryData>) -> bool {
    let Some(registry) = host.system().map(|system| system.registry()).filter(|_| host.is_up())
    else {
        return false;
    };
    match (name, data) {
        (None, data) => registry.exists(key) == data.is_some(),
        (Some(name), None) => registry.get(key, name).is_none(),
        (Some(name), Some(RegistryData::Present)) => registry.get(key, name).is_some(),
        (Some(name), Some(RegistryData::Equals(data))) => registry.get(key, name) == Some(data),
    }
}

/// Whether something is so in a cluster now.
pub(super) fn of_cluster(
    cluster: ClusterRef,
    condition: &ClusterCondition,
    plan: &Plan,
    watch: &ClusterWatch,
    world: &World,
) -> Option<bool> {
    let site = &world.clusters()[cluster.index()];
    let seen = &watch.sites[cluster.index()];
    Some(match condition {
        ClusterCondition::GroupsOnline { groups, on } => groups.iter().all(|&group| {
            seen.is_online(group) && on.is_none_or(|node| site.owner(group) == Some(node))
        }),
        ClusterCondition::GroupOwner { group, node } => site.owner(*group) == Some(*node),
        ClusterCondition::ResourceState { resource, state } => {
            let config = &plan.clusters[cluster.index()].config;
            let group = config.resources.get(usize::from(resource.0)).map(|r| r.group);
            let owner = group.and_then(|group| site.owner(group));
            let host = owner.and_then(|owner| site.host(owner)).map(|host| world.host(host));
            let part = host.and_then(|host| host.cluster());
            part.map_or(Default::default(), |part| part.state(*resource)) == *state
        }
        ClusterCondition::ResourcesOnline { group, at_least, at_most } => {
            let owner = site.owner(*group).and_then(|owner| site.host(owner));
            let part = owner.and_then(|host| world.host(host).cluster());
            let there = part.map_or(0, |part| part.online_in(*group)) as u64;
            at_least.is_none_or(|low| there >= low) && at_most.is_none_or(|high| there <= high)
        }
        ClusterCondition::OneOwner => {
            let groups = (0..site.spec().config.groups.len() as u16).map(crate::cluster::GroupId);
            groups.into_iter().all(|group| {
                let owns = |host: &&HostId| {
                    let host = world.host(**host);
                    let part = host.cluster().filter(|part| part.is_awake());
                    host.life() == Life::On && part.is_some_and(|part| part.owns(group))
                };
                site.spec().hosts.iter().filter(owns).count() <= 1
            })
        }
        ClusterCondition::Formed => up(site, world).next().is_some(),
        ClusterCondition::NodesUp { nodes, at_least, at_most } => {
            let there: Vec<NodeId> = up(site, world).collect();
            nodes.iter().all(|node| there.contains(node))
                && at_least.is_none_or(|low| there.len() as u64 >= low)
                && at_most.is_none_or(|high| there.len() as u64 <= high)
        }
        ClusterCondition::CheckpointEquals { resource, key } => {
            checkpoint_equals(site, *resource, key.as_deref(), world)
        }
        _ => return None,
    })
}

/// Nodes that are up, and members as they themselves see it.
fn up(site: &ClusterSite, world: &World) -> impl Iterator<Item = NodeId> {
    (1u8..).map(NodeId).zip(&site.spec().hosts).filter_map(|(node, &host)| {
        let host = world.host(host);
        let service = host.cluster()?.service()?;
        (service.is_member() && host.life() != Life::Off).then_some(node)
    })
}

/// Whether the checkpoint files of a resource hold what its owner's registry holds.
fn checkpoint_equals(
    site: &ClusterSite,
    resource: ResourceId,
    key: Option<&str>,
    world: &World,
) -> bool {
    let config = &site.spec().config;
    let Some(group) = config.resources.get(usize::from(resource.0)).map(|r| r.group) else {
        return false;
    };
    let host = site.owner(group).and_then(|owner| site.host(owner)).map(|host| world.host(host));
    let Some((service, system)) =
        host.and_then(|host| Some((host.cluster()?.service()?, host.system()?)))
    else {
        return false;
    };
    let Some(disk) = config.quorum_disk().and_then(|disk| site.signature(disk)) else {
        return false;
    };
    let database = service.database();
    let wanted = key.and_then(|key| KeyPath::parse(key).ok());
    let all = database.checkpoints(resource);
    let mut all = all.iter().filter(|(_, key)| wanted.as_ref().is_none_or(|w| w == key)).peekable();
    let caller = Caller { process: "", account: crate::registry::EVERYONE };
    all.peek().is_some()
        && all.all(|(number, key)| {
            let file = site.bus().file_bytes(disk, &database.checkpoint_file(resource, *number));
            system.registry().save(key, caller).is_ok_and(|bytes| bytes == file)
        })
}

/// Judges a condition that is counted over stretches of time.
pub(super) fn judge(
    condition: &Condition,
    mode: Mode,
    stretches: &[(SimTime, SimTime)],
    watch: &ClusterWatch,
    end: SimTime,
) -> Judged {
    let Condition::Cluster { cluster, condition } = condition else {
        return (Verdict::NotJudged, String::new());
    };
    let seen = &watch.sites[cluster.index()];
    let begun = stretches.iter().filter(|(from, _)| *from <= end);
    let looked: Vec<(bool, String)> = begun
        .map(|&(from, until)| {
            let stretch = (from, until.min(end));
            let (good, text) = in_stretch(condition, seen, stretch);
            (good, format!("{text} from {from} to {}", stretch.1))
        })
        .collect();
    if looked.is_empty() {
        return (Verdict::NotJudged, "the run ended before that time".into());
    }
    let find = |wanted: bool| looked.iter().find(|(good, _)| *good == wanted);
    let (verdict, shown) = match mode {
        // "Never" is turned round by the caller.
        Mode::Always | Mode::Never => match find(false) {
            Some(bad) => (Verdict::Fail, bad),
            None => (Verdict::Pass, &looked[0]),
        },
        Mode::Reach | Mode::Goal { .. } => match find(true) {
            Some(good) => (Verdict::Pass, good),
            None => (Verdict::Fail, &looked[0]),
        },
    };
    (verdict, shown.1.clone())
}

fn in_stretch(
    condition: &ClusterCondition,
    seen: &super::cluster_watch::SiteWatch,
    stretch: (SimTime, SimTime),
) -> (bool, String) {
    let breaches = || {
        let all = seen.invariants.breaches.iter();
        all.filter(move |breach| breach.at >= stretch.0 && breach.at <= stretch.1)
    };
    match condition {
        ClusterCondition::LostChanges { resource, at_least, at_most } => {
            let lost = seen.lost(*resource, stretch);
            let good =
                at_least.is_none_or(|low| lost >= low) && at_most.is_none_or(|high| lost <= high);
            (good, format!("{lost} changes lost"))
        }
        ClusterCondition::Downtime { group, at_least, at_most } => {
            let longest: SimDuration = seen.longest_absence(*group, stretch);
            let good = at_least.is_none_or(|low| longest >= low)
                && at_most.is_none_or(|high| longest <= high);
            (good, format!("not online for {longest} at most"))
        }
        ClusterCondition::NoViolation { except } => {
            let other = breaches()
                .find(|breach| breach.quirk.is_none_or(|quirk| !except.iter().any(|e| e == quirk)));
            match other {
                Some(breach) => {
                    (false, format!("{} broken at {}: {}", breach.name, breach.at, breach.detail))
                }
                None => (true, "nothing broken".into()),
            }
        }
        ClusterCondition::ViolationSeen { name } => {
            let found = breaches().find(|breach| breach.quirk == Some(name.as_str()));
            match found {
                Some(breach) => (true, format!("{} broken: {}", breach.name, breach.detail)),
                None => (false, "nothing of the kind".into()),
            }
        }
        _ => (false, String::new()),
    }
}
