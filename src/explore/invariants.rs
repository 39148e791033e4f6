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
//! until it has had the time to find out whether the others went on without it. And a node that the others
//! have put out of the membership cannot know it before its own regroup and arbitration have ended: for so
//! long nothing but the reservations of its disks keeps it from what it owned, which `one-writer` judges.
//! What it still runs after that time is a breach.

use crate::base::{SimDuration, SimTime};
use crate::cluster::{
    ClusterProfile, GroupId, NodeId, NodeSet, Observation, ResourceConfig, ResourceId,
};
use crate::scenario::ClusterPlan;
use crate::sim::{ClusterSite, Happening, HostId, KeyEvent, Life, What, World};
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
    /// It is not watched any more.
    closed: bool,
    /// It was saved a last time after that: whoever takes it next has to find that.
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
    /// Whether a node was down when an update was applied first.
    logged: BTreeMap<u64, bool>,
    /// Until when a node that was put out of the membership has to give up a group: the group, the node that
    /// owns it now, the one that did.
    to_give_up: Vec<(SimTime, GroupId, NodeId, NodeId)>,
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
        self.given_up_in_time(at, plan, site, world);
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
        if site.host(node).is_none_or(|host| !is_up(host, plan, at, world)) {
            return;
        }
        for other in plan.config.node_ids().filter(|&other| other != node) {
            let Some(host) = site.host(other).filter(|&h| is_up(h, plan, at, world)) else {
                continue;
            };
            let Some(r) = runs_of(host, group, plan, world) else { continue };
            if !self.members.get(&node).is_some_and(|members| members.contains(other)) {
                self.to_give_up.push((at + learns(&plan.config.profile), group, node, other));
                continue;
            }
            let name = |r: u16| resources[usize::from(r)].name.as_str();
            let (mine, its) = (name(resource.0), name(r));
            let detail = format!("node {} starts {mine}, node {} runs {its}", node.0, other.0);
            return self.breach(at, "one-owner", arbitration(&plan.config.profile), detail);
        }
    }

    /// Looks at nodes whose time to give up a group is over.
    fn given_up_in_time(
        &mut self,
        at: SimTime,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) {
        let due = self.to_give_up.partition_point(|(until, ..)| *until < at);
        for (until, group, owner, other) in self.to_give_up.drain(..due).collect::<Vec<_>>() {
            let runs = |node: NodeId| {
                let host = site.host(node).filter(|&host| is_up(host, plan, at, world));
                host.and_then(|host| runs_of(host, group, plan, world))
            };
            let expelled = !self.members.get(&owner).is_some_and(|set| set.contains(other));
            if expelled && let (Some(_), Some(r)) = (runs(owner), runs(other)) {
                let name = &plan.config.resources[usize::from(r)].name;
                let detail =
                    format!("node {} still runs {name}, which node {} owns", other.0, owner.0);
                self.breach(until, "one-owner", arbitration(&plan.config.profile), detail);
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
                key.given_up = key.closed;
                if key.saved.len() < SAVES_MAX {
                    key.saved.insert(digest);
                }
            }
            KeyEvent::Watched => (key.closed, key.given_up) = (false, false),
            KeyEvent::Unwatched => key.closed = true,
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
                // A number that nobody who is left has applied is given out again; and what a node applies
                // that cannot know yet that it is no member any more, nobody else will.
                let members = self.members.get(&node).copied().unwrap_or_default();
                let has = |(other, last): (&NodeId, &u64)| {
                    *other != node && members.contains(*other) && *last >= sequence
                };
                let is_new = !self.last_applied.iter().any(has);
                if is_new {
                    self.updates.insert(sequence, digest);
                    self.logged.insert(sequence, members.len() < plan.config.nodes.len());
                }
                let first = *self.updates.entry(sequence).or_insert(digest);
                if first != digest && is_up(host, plan, at, world) {
                    let detail = format!("node {} applied another update {sequence}", node.0);
                    self.breach(at, "update-order", arbitration(&plan.config.profile), detail);
                }
                while self.updates.len() > UPDATES_MAX {
                    self.updates.pop_first();
                    self.logged.pop_first();
                }
            }
            Observation::Members(members) => {
                self.members.insert(node, members);
            }
            Observation::Committed { sequence, .. }
                if self.logged.get(&sequence).is_some_and(|logged| *logged) =>
            {
                self.committed = self.committed.max(sequence);
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
                    let members = self.members.get(&node).copied().unwrap_or_default();
                    let counts = |other: &NodeId| {
                        let id = plan.hosts.get(usize::from(other.0).wrapping_sub(1));
                        members.contains(*other)
                            && id.is_some_and(|id| is_up(HostId(id.0), plan, at, world))
                    };
                    let other = nodes.iter().find(counts);
                    let other = other.filter(|_| is_up(host, plan, at, world));
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

/// How long a node takes at most to find out that the others go on without it: the longest silence, the
/// stages of two regroups, and an arbitration.
fn learns(profile: &ClusterProfile) -> SimDuration {
    profile.heartbeat * u64::from(profile.node_lost_after + 2)
        + profile.regroup_stage_timeout * 4
        + profile.arbitration_max
}

/// Whether a node's service is awake, and has been for so long that it knows who the members are.
fn is_up(host: HostId, plan: &ClusterPlan, at: SimTime, world: &World) -> bool {
    let host = world.host(host);
    let knows = |since: SimTime| at > since + learns(&plan.config.profile);
    matches!(host.life(), Life::On | Life::ShuttingDown)
        && host.cluster().is_some_and(|part| part.is_awake() && part.went_on().is_none_or(knows))
}

/// A resource of a group that runs on a host.
fn runs_of(host: HostId, group: GroupId, plan: &ClusterPlan, world: &World) -> Option<u16> {
    let part = world.host(host).cluster()?;
    let mut numbered = (0..).zip(&plan.config.resources);
    let runs = |(r, config): (u16, &ResourceConfig)| {
        (config.group == group && part.runs(ResourceId(r))).then_some(r)
    };
    numbered.find_map(runs)
}

/// The article that documents what unsafe arbitration does, where the version has it.
fn arbitration(profile: &ClusterProfile) -> Option<&'static str> {
    profile.arbitration_min.is_zero().then_some("Q289863")
}
