//! From a plan to a world: registries, programs, clusters.

use super::build::{BuildError, failed};
use crate::base::{ActorId, Scheduler, SimDuration, SimTime};
use crate::cluster::{ClusterProfile, ClusterVersion};
use crate::net::SubnetId;
use crate::registry::Registry;
use crate::scenario::{
    ClusterPlan, DurationRange, GroupPlan, HostPlan, HostRef, Plan, ProgramPlan, WriteData,
};
use crate::sim::shared::Flush;
use crate::sim::shared::{BusFault, BusParams, BusQuirks, MediaError, SharedDiskSpec, Signature};
use crate::sim::{ClusterSpec, HostId, ProgramFile, ProgramSpec, ProgramWrite, SystemSpec, World};
use std::sync::Arc;

/// When Windows starts a cluster service again that ended by itself: a minute, as setup configures the
/// service control manager from Windows 2000 on.
const RESTART_AFTER: SimDuration = SimDuration::from_secs(60);

/// Gives hosts their further adapters, registries and programs.
pub(super) fn install(
    plan: &Plan,
    subnets: &[SubnetId],
    world: &mut World,
) -> Result<(), BuildError> {
    for (index, host) in plan.hosts.iter().enumerate() {
        let (group, me) = (plan.group_of(HostRef(index as u32)), HostRef(index as u32));
        let in_cluster = plan.clusters.iter().any(|cluster| cluster.hosts.contains(&me));
        let plain = group.registry.is_empty() && group.programs.is_empty() && group.wins.is_none();
        if plain && host.interfaces.is_empty() && !in_cluster {
            continue;
        }
        let spec = system(host, group, subnets);
        world.install(HostId(index as u32), spec, &host.name).map_err(failed(&host.name))?;
    }
    Ok(())
}

fn system(host: &HostPlan, group: &GroupPlan, subnets: &[SubnetId]) -> SystemSpec {
    let mut registry = Registry::with_hives();
    for file in &group.registry {
        // Checked when the scenario was loaded.
        let _ = registry.import(&file.text);
    }
    SystemSpec {
        interfaces: host
            .interfaces
            .iter()
            .map(|i| (subnets[i.subnet.index()], i.address))
            .collect(),
        registry,
        programs: group.programs.iter().map(program).collect(),
        disk: group.disk,
    }
}

fn ends(range: DurationRange) -> (SimDuration, SimDuration) {
    (range.low, range.high)
}

fn program(plan: &ProgramPlan) -> ProgramSpec {
    let needs = plan.needs.iter().map(|n| (n.key.clone(), n.value.clone(), n.data.clone()));
    let writes = plan.writes.iter().map(|write| ProgramWrite {
        key: write.key.clone(),
        value: write.value.clone(),
        data: match &write.data {
            WriteData::Fixed(value) => Some(value.clone()),
            WriteData::Count => None,
        },
        every: ends(write.every),
    });
    let files = plan.files.iter().map(|file| ProgramFile {
        path: file.path.clone(),
        every: ends(file.every),
        flush: if file.delayed { Flush::Behind } else { Flush::Through },
    });
    ProgramSpec {
        name: plan.name.clone(),
        automatic: plan.automatic,
        starts_in: ends(plan.starts_in),
        stops_in: ends(plan.stops_in),
        start_fails: plan.start_fails,
        crashes_every: plan.crashes_every,
        needs: needs.collect(),
        writes: writes.collect(),
        files: files.collect(),
        keeps_open: plan.keeps_open.clone(),
        leaks_handles: plan.leaks_handles,
        cluster_aware: plan.cluster_aware,
    }
}

/// Joins hosts to clusters.
pub(super) fn add_clusters<S: Scheduler>(
    plan: &Plan,
    subnets: &[SubnetId],
    buses: &[ActorId],
    world: &mut World,
    sched: &mut S,
) {
    for (cluster, &actor) in plan.clusters.iter().zip(buses) {
        let spec = ClusterSpec {
            config: Arc::new(cluster.config.clone()),
            hosts: cluster.hosts.iter().map(|host| HostId(host.0)).collect(),
            subnets: cluster.subnets.iter().map(|subnet| subnets[subnet.index()]).collect(),
            bus: bus(cluster),
            disks: disks(cluster),
            switches: cluster.switches,
            starts_after: ends(cluster.starts_after),
            restarts_after: (cluster.config.profile.version > ClusterVersion::Nt40)
                .then_some(RESTART_AFTER),
            wins: cluster.wins.as_ref().zip(cluster.hosts.first()).map(|(wins, &first)| {
                let (address, group) = (plan.hosts[first.index()].address, plan.group_of(first));
                super::build::wins_install(plan, wins, address, group)
            }),
        };
        let site = world.add_cluster(spec, actor, sched);
        for (disk, plan) in disks(cluster).iter().zip(&cluster.disks) {
            if plan.dirty {
                let fault = BusFault::Media { disk: disk.signature, error: MediaError::Dirty };
                let done = world.with_bus(site, |bus, _| bus.fault(&fault, SimTime::ZERO), sched);
                debug_assert!(done.is_ok(), "the disk was attached above: {done:?}");
            }
        }
    }
}

fn disks(cluster: &ClusterPlan) -> Vec<SharedDiskSpec> {
    let all = cluster.config.disks.iter().zip(&cluster.disks);
    all.map(|(disk, plan)| SharedDiskSpec {
        platter: plan.platter,
        ..SharedDiskSpec::new(Signature(disk.signature))
    })
    .collect()
}

/// The bus of a cluster: its version's faults, the longest check any of its disks is said to take.
fn bus(cluster: &ClusterPlan) -> BusParams {
    let ClusterProfile { reservation_renewal, arbitration_min, loser_breaks_reservation, .. } =
        cluster.config.profile;
    let unsafe_arbitration = arbitration_min.is_zero();
    let usual = BusParams::default();
    let check = cluster.disks.iter().filter_map(|disk| disk.chkdsk).max();
    BusParams {
        renewal: reservation_renewal,
        check: check.unwrap_or(usual.check),
        check_per_gib: if check.is_some() { SimDuration::ZERO } else { usual.check_per_gib },
        // NTFS repairs by its log what a dead node left.
        recovers_by_log: true,
        quirks: BusQuirks {
            loser_breaks_reservation,
            stale_mounts_go_on: unsafe_arbitration,
            ..BusQuirks::default()
        },
        ..usual
    }
}
