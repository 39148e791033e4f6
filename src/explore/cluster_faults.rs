//! Faults of clusters, and whom a fault hits that is said in words about that moment.

use super::director::{Director, Undo};
use crate::base::{ActorId, Odds, Scheduler, SimTime};
use crate::cluster::{DiskId, NetworkId, NodeId};
use crate::net::{Impairment, Rule, RuleEffect, RuleScope};
use crate::scenario::{Choose, ClusterFault, ClusterRef, CutWay, HostRef, HostTarget};
use crate::sim::shared::{BusFault, Initiator, MediaError, Signature};
use crate::sim::{ClusterSite, HostId, Life, World};

/// The node that holds a cluster's quorum resource, as far as a node that is up knows.
pub(super) fn quorum_owner(site: &ClusterSite, world: &World) -> Option<NodeId> {
    let members = site.spec().hosts.iter().filter_map(|&host| {
        let service = world.host(host).cluster()?.service()?;
        service.is_member().then_some(service)
    });
    let mut known = members.filter_map(|service| service.quorum_owner());
    known.next().or_else(|| site.owner(site.spec().config.quorum_resource()?.group))
}

/// The hosts a target stands for now. `drawn` are those that were drawn before the run, for targets that do
/// not depend on the moment.
pub(super) fn targets(target: &HostTarget, drawn: &[HostRef], world: &World) -> Vec<HostRef> {
    let host_of = |cluster: ClusterRef, node: Option<NodeId>| {
        let host = node.and_then(|node| world.clusters()[cluster.index()].host(node));
        host.map(|host| HostRef(host.0))
    };
    let quorum = |cluster: ClusterRef| {
        host_of(cluster, quorum_owner(&world.clusters()[cluster.index()], world))
    };
    let owner = |cluster: ClusterRef, group| {
        host_of(cluster, world.clusters()[cluster.index()].owner(group))
    };
    let is =
        |host: Option<HostRef>| target.hosts.iter().copied().filter(|&h| Some(h) == host).collect();
    let is_not =
        |host: Option<HostRef>| target.hosts.iter().copied().filter(|&h| Some(h) != host).collect();
    match target.choose {
        Choose::All => target.hosts.clone(),
        Choose::One | Choose::Half | Choose::Count(_) => drawn.to_vec(),
        Choose::QuorumOwner(cluster) => is(quorum(cluster)),
        Choose::NotQuorumOwner(cluster) => is_not(quorum(cluster)),
        Choose::GroupOwner(cluster, group) => is(owner(cluster, group)),
        Choose::NotGroupOwner(cluster, group) => is_not(owner(cluster, group)),
    }
}

impl Director {
    /// Begins a fault of a cluster. `hosts` are the nodes it hits, if it hits nodes.
    pub(super) fn begin_cluster<S: Scheduler>(
        &mut self,
        (cluster, fault, label): (ClusterRef, &ClusterFault, &str),
        hosts: &[HostRef],
        undo: &mut Undo,
        world: &mut World,
        sched: &mut S,
    ) {
        let site = cluster.index();
        match fault {
            ClusterFault::CutNetwork { network, way, .. } => {
                for &host in hosts {
                    self.cut(site, host, *network, *way, label, undo, world, sched);
                }
            }
            ClusterFault::BusReset => {
                let mut hosts = world.clusters()[site].spec().hosts.iter();
                let up = hosts.position(|&host| world.host(host).life() == Life::On);
                if let Some(node) = up {
                    world.reset_bus_by_fault(site, Initiator(node as u8), sched);
                }
            }
            ClusterFault::CablePulled(_) => {
                hosts.iter().for_each(|&host| cable(site, host, true, world, sched));
            }
            ClusterFault::MonitorDies(resource) => {
                let config = &world.clusters()[site].spec().config;
                let group = config.resources.get(usize::from(resource.0)).map(|r| r.group);
                let owner = group.and_then(|group| world.clusters()[site].owner(group));
                let host = owner.and_then(|owner| world.clusters()[site].host(owner));
                if let Some(host) = host {
                    world.kill_monitor(host, *resource, sched);
                }
            }
            ClusterFault::DiskFailed(disks) => {
                each(site, disks, world, sched, |disk| BusFault::DiskFailed { disk, failed: true });
            }
            ClusterFault::DiskFull(disks) => {
                each(site, disks, world, sched, |disk| BusFault::DiskFull { disk, full: true });
            }
            ClusterFault::DiskSlow { disks, factor } => {
                let factor = *factor;
                each(site, disks, world, sched, |disk| BusFault::DiskSlow { disk, factor });
            }
            ClusterFault::DirtyVolume(disks) => {
                let error = MediaError::Dirty;
                each(site, disks, world, sched, |disk| BusFault::Media {
                    disk,
                    error: error.clone(),
                });
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what is cut, how, and what to undo")]
    fn cut<S: Scheduler>(
        &mut self,
        site: usize,
        host: HostRef,
        network: NetworkId,
        way: CutWay,
        label: &str,
        undo: &mut Undo,
        world: &mut World,
        sched: &mut S,
    ) {
        let Some(&subnet) = world.clusters()[site].spec().subnets.get(usize::from(network.0))
        else {
            return;
        };
        let scope = match way {
            CutWay::Both => {
                *self.adapters_down.entry((host, network)).or_default() += 1;
                return world.set_adapter(HostId(host.0), network, false, sched);
            }
            CutWay::Out => RuleScope::Sent(ActorId(host.0), subnet),
            CutWay::In => RuleScope::Received(ActorId(host.0), subnet),
        };
        let how = Impairment::Loss(Odds { numerator: 1, denominator: 1 });
        undo.rules.push(world.net.add_rule(Rule {
            name: format!("{label}/{}", host.0),
            begin: sched.now(),
            end: SimTime::MAX,
            effect: RuleEffect::Impair { scope, how },
        }));
    }

    /// Ends it.
    pub(super) fn end_cluster<S: Scheduler>(
        &mut self,
        cluster: ClusterRef,
        fault: &ClusterFault,
        hosts: &[HostRef],
        world: &mut World,
        sched: &mut S,
    ) {
        let site = cluster.index();
        match fault {
            ClusterFault::CutNetwork { network, way: CutWay::Both, .. } => {
                for &host in hosts {
                    let down = self.adapters_down.entry((host, *network)).or_default();
                    *down = down.saturating_sub(1);
                    if *down == 0 {
                        world.set_adapter(HostId(host.0), *network, true, sched);
                    }
                }
            }
            ClusterFault::CablePulled(_) => {
                hosts.iter().for_each(|&host| cable(site, host, false, world, sched));
            }
            ClusterFault::DiskFailed(disks) => {
                each(site, disks, world, sched, |disk| BusFault::DiskFailed {
                    disk,
                    failed: false,
                });
            }
            ClusterFault::DiskFull(disks) => {
                each(site, disks, world, sched, |disk| BusFault::DiskFull { disk, full: false });
            }
            ClusterFault::DiskSlow { disks, .. } => {
                each(site, disks, world, sched, |disk| BusFault::DiskSlow { disk, factor: 1 });
            }
            ClusterFault::CutNetwork { .. }
            | ClusterFault::BusReset
            | ClusterFault::DirtyVolume(_)
            | ClusterFault::MonitorDies(_) => {}
        }
    }
}

fn cable<S: Scheduler>(site: usize, host: HostRef, out: bool, world: &mut World, sched: &mut S) {
    let hosts = &world.clusters()[site].spec().hosts;
    if let Some(node) = hosts.iter().position(|h| h.0 == host.0) {
        let node = Initiator(node as u8);
        world.bus_fault(site, &BusFault::NodeCable { node, out }, sched);
    }
}

/// The same fault of each of these disks, as they stand on the bus now.
fn each<S: Scheduler>(
    site: usize,
    disks: &[DiskId],
    world: &mut World,
    sched: &mut S,
    fault: impl Fn(Signature) -> BusFault,
) {
    for disk in disks {
        let there = world.clusters()[site].bus().signatures().nth(usize::from(disk.0));
        if let Some(signature) = there {
            world.bus_fault(site, &fault(signature), sched);
        }
    }
}
