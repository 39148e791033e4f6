//! What must never happen in a cluster, looked at while it runs. A breach fails the run, unless the
//! scenario expects it by the name of the documented fault that explains it.
//!
//! | name | holds |
//! | --- | --- |
//! | `one-owner` | code of one group never runs on two nodes that are up |
//! | `one-writer` | nobody writes on a disk that another node has mounted since |
//! | `update-order` | a global update of one number is the same on every node, and numbers only grow |
//! | `nothing-committed-lost` | a node that forms has every change that was confirmed while a node was down |
//! | `saved-is-restored` | a key that was given up in order comes back as it was saved last |
//! | `restored-was-saved` | a restored key is as it was saved once, never a mixture |
//! | `failed-restore-changes-nothing` | a key that could not be restored is as it was |
//! | `one-watcher` | one node at most watches a checkpoint |
//! | `nothing-left-behind` | a resource that was deleted leaves no checkpoint |
//!
//! A node that stands still (paused, or its service hung) is not up; neither is one that goes on after it,
//! until it has had the time to find out whether the others went on without it: for so long only the
//! reservations of its disks fence it, which `one-writer` judges.

use crate::base::SimTime;
use crate::cluster::{ClusterProfile, NodeId, NodeSet, Observation, ResourceId};
use crate::scenario::ClusterPlan;
use crate::sim::{ClusterPart, ClusterSite, Happening, HostId, KeyEvent, Life, What, World};
use std::collections::{BTreeMap, BTreeSet};

/// Breaches kept; one tells as much as thousands.
const BREACHES_MAX: usize = 1000;
/// Global updates whose digests are kept: far more than ever are under way at once.
const UPDATES_MAX: usize = 4096;
/// Saved contents kept for a key.
const SAVES_MAX: usize = 4096;

/// An invariant was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Breach {
    /// When.
    pub at: SimTime,
    /// Its name.
    pub name: &'static str,
    /// The article that documents it for this version.
    pub quirk: Option<&'static str>,
    /// Who, and what.
    pub detail: String,
}

/// What was seen of a registry key.
#[derive(Clone, Debug, Default)]
struct Key {
    saved: BTreeSet<u64>,
    last_saved: Option<u64>,
    /// It was given up in order after its last save.
    given_up: bool,
}

/// The invariants of one cluster.
#[derive(Debug, Default)]
pub(super) struct Invariants {
    pub breaches: Vec<Breach>,
    updates: BTreeMap<u64, u64>,
    last_applied: BTreeMap<NodeId, u64>,
    /// The newest change that was confirmed while some node was down, so that it is in the quorum log. While
    /// all are up nothing is logged: what is lost when all of them lose power at once is documented for every
    /// version (Q216064, Q217147).
    committed: u64,
    members: BTreeMap<NodeId, NodeSet>,
    keys: BTreeMap<u64, Key>,
    watchers: BTreeMap<(ResourceId, u32), NodeSet>,
}

impl Invariants {
    /// Takes one happening of a node of this cluster.
    pub(super) fn happened(
        &mut self,
        happening: &Happening,
        node: NodeId,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) {
        let at = happening.at;
        let profile = &plan.config.profile;
        match happening.what {
            What::ResourceRuns { resource, runs: true } => {
                self.one_owner(at, node, resource, plan, site, world);
            }
            What::Violated(violation) => {
                self.breach(at, "one-writer", arbitration(profile), format!("{violation:?}"));
            }
            What::ClusterDown(_) => {
                self.last_applied.remove(&node);
                self.watchers.values_mut().for_each(|nodes| nodes.remove(node));
            }
            What::Key { key, event, digest } => self.key(at, node, (key, event, digest), profile),
            What::Cluster(observation) => {
                self.observed(at, node, observation, plan, happening.host, world);
            }
            _ => {}
        }
    }

    fn breach(
        &mut self,
        at: SimTime,
        name: &'static str,
        quirk: Option<&'static str>,
        detail: String,
    ) {
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(Breach { at, name, quirk, detail });
        }
    }

    fn one_owner(
        &mut self,
        at: SimTime,
        node: NodeId,
        resource: ResourceId,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) {
        let resources = &plan.config.resources;
        let Some(group) = resources.get(usize::from(resource.0)).map(|r| r.group) else { return };
        for other in plan.config.node_ids().filter(|&other| other != node) {
            let Some(host) = site.host(other).map(|host| world.host(host)) else { continue };
            let Some(part) = host.cluster().filter(|part| is_up(part, plan, at)) else { continue };
            let runs = |(r, config): (u16, &crate::cluster::ResourceConfig)| {
                (config.group == group && part.runs(ResourceId(r))).then_some(r)
            };
            if matches!(host.life(), Life::On | Life::ShuttingDown)
                && let Some(r) = (0..).zip(resources).find_map(runs)
            {
                let name = |r: u16| resources[usize::from(r)].name.as_str();
                let (mine, its) = (name(resource.0), name(r));
                let detail = format!("node {} starts {mine}, node {} runs {its}", node.0, other.0);
                return self.breach(at, "one-owner", arbitration(&plan.config.profile), detail);
            }
        }
    }

    fn key(
        &mut self,
        at: SimTime,
        node: NodeId,
        (number, event, digest): (u64, KeyEvent, u64),
        profile: &ClusterProfile,
    ) {
        let key = self.keys.entry(number).or_default();
        // A torn file is taken for what it is by versions that check nothing (Q216064).
        let torn = (!profile.checkpoint_atomic).then_some("Q216064");
        match event {
            KeyEvent::Saved => {
                key.last_saved = Some(digest);
                key.given_up = false;
                if key.saved.len() < SAVES_MAX {
                    key.saved.insert(digest);
                }
            }
            KeyEvent::Watched => key.given_up = false,
            KeyEvent::Unwatched => key.given_up = key.last_saved.is_some(),
            KeyEvent::Restored => {
                let given_up = std::mem::take(&mut key.given_up);
                let last = key.last_saved.is_none_or(|last| last == digest);
                let known = key.saved.is_empty()
                    || key.saved.len() == SAVES_MAX
                    || key.saved.contains(&digest);
                if given_up && !last {
                    let detail = format!("node {} restored another state than was saved", node.0);
                    self.breach(at, "saved-is-restored", torn, detail);
                } else if !known {
                    let detail = format!("node {} restored what nobody had saved", node.0);
                    self.breach(at, "restored-was-saved", torn, detail);
                }
            }
            KeyEvent::Spoilt => {
                let detail = format!("node {} could not restore a key, and spoilt it", node.0);
                self.breach(at, "failed-restore-changes-nothing", None, detail);
            }
            KeyEvent::NotRestored | KeyEvent::Changed => {}
        }
    }

    fn observed(
        &mut self,
        at: SimTime,
        node: NodeId,
        observation: Observation,
        plan: &ClusterPlan,
        host: HostId,
        world: &World,
    ) {
        match observation {
            Observation::Applied { sequence, digest } => {
                let last = self.last_applied.insert(node, sequence);
                if last.is_some_and(|last| sequence <= last) {
                    let detail = format!("node {} applied {sequence} after {last:?}", node.0);
                    self.breach(at, "update-order", None, detail);
                }
                // A number that nobody who is left has applied is given out again.
                let mut others = self.last_applied.iter().filter(|(other, _)| **other != node);
                if !others.any(|(_, last)| *last >= sequence) {
                    self.updates.insert(sequence, digest);
                }
                let first = *self.updates.entry(sequence).or_insert(digest);
                if first != digest {
                    let detail = format!("node {} applied another update {sequence}", node.0);
                    self.breach(at, "update-order", None, detail);
                }
                while self.updates.len() > UPDATES_MAX {
                    self.updates.pop_first();
                }
            }
            Observation::Members(members) => {
                self.members.insert(node, members);
            }
            Observation::Committed { sequence, .. } => {
                let members = self.members.get(&node).copied().unwrap_or_default();
                if members.len() < plan.config.nodes.len() {
                    self.committed = self.committed.max(sequence);
                }
            }
            Observation::Formed => {
                let service = world.host(host).cluster().and_then(|part| part.service());
                let has = service.map_or(0, |service| service.database().sequence);
                if self.committed > has {
                    let detail =
                        format!("node {} forms with update {has} of {}", node.0, self.committed);
                    let rebuilt = plan.config.profile.bad_log == crate::cluster::BadLog::Rebuild;
                    self.breach(at, "nothing-committed-lost", rebuilt.then_some("Q217147"), detail);
                }
                // Whoever forms counts on from what it has.
                self.updates.retain(|&sequence, _| sequence <= has);
                self.committed = self.committed.min(has);
            }
            Observation::CheckpointWatched { resource, number, watched } => {
                let nodes = self.watchers.entry((resource, number)).or_default();
                nodes.remove(node);
                if watched {
                    let awake = |node: NodeId| {
                        let id = plan.hosts.get(usize::from(node.0).wrapping_sub(1));
                        let host = id.map(|id| world.host(HostId(id.0)));
                        host.is_some_and(|host| {
                            host.life() == Life::On
                                && host.cluster().is_some_and(|part| is_up(part, plan, at))
                        })
                    };
                    let other = nodes.iter().find(|&other| awake(other));
                    nodes.insert(node);
                    if let Some(other) = other {
                        let (a, b) = (node.0, other.0);
                        let detail = format!("nodes {b} and {a} watch one key of {}", resource.0);
                        self.breach(at, "one-watcher", arbitration(&plan.config.profile), detail);
                    }
                }
            }
            _ => {}
        }
    }

    /// Looks at what is left when the run ends.
    pub(super) fn end(&mut self, at: SimTime, site: &ClusterSite, world: &World) {
        let services = site.spec().hosts.iter().filter_map(|&host| {
            let service = world.host(host).cluster()?.service()?;
            service.is_member().then_some(service)
        });
        let left = services.filter_map(|service| {
            let database = service.database();
            let known: Vec<ResourceId> =
                database.resources(service.config()).into_iter().map(|(id, _)| id).collect();
            let all = database.all_checkpoints();
            all.into_iter().find(|(resource, _, _)| !known.contains(resource))
        });
        let left: Vec<_> = left.take(1).collect();
        if let Some((resource, number, _)) = left.first() {
            let detail = format!("checkpoint {number} of resource {}", resource.0);
            self.breach(at, "nothing-left-behind", None, detail);
        }
    }
}

/// Whether a node's service is awake, and has been for so long that it knows who the members are: the longest
/// silence, two stages of a regroup, and an arbitration.
fn is_up(part: &ClusterPart, plan: &ClusterPlan, at: SimTime) -> bool {
    let profile = &plan.config.profile;
    let learns = profile.heartbeat * u64::from(profile.node_lost_after + 1)
        + profile.regroup_stage_timeout * 2
        + profile.arbitration_max;
    part.is_awake() && part.went_on().is_none_or(|since| at > since + learns)
}

/// The article that documents what unsafe arbitration does, where the version has it.
fn arbitration(profile: &ClusterProfile) -> Option<&'static str> {
    profile.arbitration_min.is_zero().then_some("Q289863")
}
