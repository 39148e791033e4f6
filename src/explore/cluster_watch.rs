//! Watching clusters: how long groups were away, what that time was spent on, what checkpoints lost, who
//! owned what. Nothing flows back into the run.
//!
//! What is measured, each name after `cluster.` (`cluster.NAME.` in a world of several):
//!
//! | measure | what it is |
//! | --- | --- |
//! | `downtime`, `GROUP.downtime` | each time a group that was online was not, until it was again |
//! | `detect` | from the silence of a member to the first regroup after it |
//! | `arbitrate` | from the begin of an arbitration that is won to its end |
//! | `online` | from the taking of a group until all its resources are online |
//! | `recovery_point` | the span of the changes that a restored checkpoint has lost |
//! | `lost_changes` | how many they were |
//! | `formed`, `regroups`, .. | how often that happened, 0 too |
//! | `breaches` | how often a rule was broken; the table in `invariants` has the rules |
//! | `broken.RULE` | how often this one was, whatever explains it; nothing if never |
//! | `quirk.ARTICLE` | how many of the breaches this documented fault explains; nothing if none |
//!
//! Breaches beyond the thousandth of a run are not counted.

use super::invariants::Invariants;
use crate::base::{SimDuration, SimTime};
use crate::cluster::{GroupId, NodeId, NodeSet, Observation, ResourceId, ResourceState};
use crate::measure::distribution::{Distribution, count};
use crate::measure::{ExpectationResult, Measure, Series, Verdict};
use crate::registry::KeyPath;
use crate::scenario::{ClusterCondition, ClusterPlan, Condition, Plan};
use crate::sim::{ClusterSite, Happening, KeyEvent, Life, What, World, key_number};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Changes of one key that are remembered between two restores.
const CHANGES_MAX: usize = 65_536;
/// Times a group was away that are remembered.
const ABSENCES_MAX: usize = 65_536;

/// A group as watched.
#[derive(Clone, Debug)]
struct GroupWatch {
    online: bool,
    /// Since when it is not, if it ever was.
    down: Option<SimTime>,
    absences: Vec<(SimTime, SimTime)>,
    downtime: Distribution,
    /// When its present owner took it.
    taken: Option<SimTime>,
    owners: Vec<(f64, f64)>,
}

/// What was seen of a checkpointed key since it was restored or first watched.
#[derive(Clone, Debug, Default)]
struct KeyWatch {
    changes: Vec<(SimTime, u64)>,
}

/// A change that no node has any more.
#[derive(Copy, Clone, Debug)]
struct Lost {
    at: SimTime,
    resource: Option<ResourceId>,
    changes: u64,
}

/// One cluster as watched.
#[derive(Debug)]
pub(super) struct SiteWatch {
    groups: Vec<GroupWatch>,
    keys: BTreeMap<u64, KeyWatch>,
    lost: Vec<Lost>,
    recovery_point: Distribution,
    detect: Distribution,
    arbitrate: Distribution,
    online: Distribution,
    /// A member fell silent, and nobody has begun a regroup since.
    silent_since: Option<SimTime>,
    /// The members as each node sees them.
    members: BTreeMap<NodeId, NodeSet>,
    arbitrating: BTreeMap<NodeId, SimTime>,
    counts: BTreeMap<&'static str, u64>,
    pub(super) invariants: Invariants,
}

/// All clusters of a run as watched.
#[derive(Debug)]
pub(super) struct ClusterWatch {
    plan: Arc<Plan>,
    /// By host: its cluster and its number, for nodes.
    nodes: Vec<Option<(usize, NodeId)>>,
    pub(super) sites: Vec<SiteWatch>,
}

impl ClusterWatch {
    pub(super) fn new(plan: &Arc<Plan>) -> ClusterWatch {
        let mut nodes = vec![None; plan.hosts.len()];
        if plan.clusters.is_empty() {
            nodes = Vec::new();
        }
        for (site, cluster) in plan.clusters.iter().enumerate() {
            for (number, host) in (1u8..).zip(&cluster.hosts) {
                nodes[host.index()] = Some((site, NodeId(number)));
            }
        }
        let sites = plan.clusters.iter().map(SiteWatch::new).collect();
        ClusterWatch { plan: plan.clone(), nodes, sites }
    }

    /// Takes one happening; gives what a reader of the timeline wants to see.
    pub(super) fn happened(&mut self, happening: &Happening, world: &World) -> Option<String> {
        let host = happening.host.0 as usize;
        let (site, node) = self.nodes.get(host).copied().flatten()?;
        let plan = &self.plan.clusters[site];
        let there = &world.clusters()[site];
        let watch = &mut self.sites[site];
        watch.invariants.happened(happening, node, plan, there, world);
        watch.happened(happening, node, plan, there, world)
    }

    /// The run is over.
    pub(super) fn end(&mut self, at: SimTime, world: &World) {
        let there = self.sites.iter_mut().zip(&self.plan.clusters).zip(world.clusters());
        for ((watch, plan), site) in there {
            watch.invariants.end(at, plan, site, world);
        }
    }

    /// Breaches that the scenario does not expect, as failed expectations.
    pub(super) fn breaches(&self) -> Vec<ExpectationResult> {
        let mut results: Vec<ExpectationResult> = Vec::new();
        for (index, watch) in self.sites.iter().enumerate() {
            for breach in &watch.invariants.breaches {
                if breach.quirk.is_some_and(|quirk| self.is_expected(index, quirk)) {
                    continue;
                }
                let name = format!("{}: {}", self.plan.clusters[index].name, breach.name);
                if results.iter().any(|result| result.name == name) {
                    continue;
                }
                let quirk = breach.quirk.map_or(String::new(), |quirk| format!(" ({quirk})"));
                let detail = format!("broken at {}: {}{quirk}", breach.at, breach.detail);
                results.push(ExpectationResult { name, verdict: Verdict::Fail, detail });
            }
        }
        results
    }

    fn is_expected(&self, site: usize, quirk: &str) -> bool {
        self.plan.expects.iter().any(|expect| match &expect.condition {
            Condition::Cluster { cluster, condition } if cluster.index() == site => match condition
            {
                ClusterCondition::NoViolation { except } => except.iter().any(|e| e == quirk),
                ClusterCondition::ViolationSeen { name } => name == quirk,
                _ => false,
            },
            _ => false,
        })
    }

    /// The measures of all clusters, in a fixed order.
    pub(super) fn measures(&self, out: &mut Vec<Measure>) {
        let several = self.sites.len() > 1;
        for (plan, watch) in self.plan.clusters.iter().zip(&self.sites) {
            let prefix = if several { format!("cluster.{}", plan.name) } else { "cluster".into() };
            watch.measures(&prefix, plan, out);
        }
    }

    /// What the charts draw: who owned each group.
    pub(super) fn charts(&self, series: &mut Vec<Series>) {
        for (plan, watch) in self.plan.clusters.iter().zip(&self.sites) {
            for (config, group) in plan.config.groups.iter().zip(&watch.groups) {
                series.push(Series {
                    chart: format!("owners-{}", slug(&plan.name)),
                    line: config.name.clone(),
                    unit: "node".into(),
                    steps: true,
                    points: group.owners.clone(),
                });
            }
        }
    }
}

impl SiteWatch {
    fn new(plan: &ClusterPlan) -> SiteWatch {
        let group = GroupWatch {
            online: false,
            down: None,
            absences: Vec::new(),
            downtime: Distribution::of_durations(),
            taken: None,
            owners: vec![(0.0, 0.0)],
        };
        SiteWatch {
            groups: vec![group; plan.config.groups.len()],
            keys: BTreeMap::new(),
            lost: Vec::new(),
            recovery_point: Distribution::of_durations(),
            detect: Distribution::of_durations(),
            arbitrate: Distribution::of_durations(),
            online: Distribution::of_durations(),
            silent_since: None,
            members: BTreeMap::new(),
            arbitrating: BTreeMap::new(),
            counts: BTreeMap::new(),
            invariants: Invariants::default(),
        }
    }

    /// Whether every resource of a group is online.
    pub(super) fn is_online(&self, group: GroupId) -> bool {
        self.groups.get(usize::from(group.0)).is_some_and(|group| group.online)
    }

    /// The longest time within a stretch during which a group was not online, without a break.
    pub(super) fn longest_absence(
        &self,
        group: GroupId,
        (from, until): (SimTime, SimTime),
    ) -> SimDuration {
        let Some(group) = self.groups.get(usize::from(group.0)) else { return SimDuration::ZERO };
        let open = group.down.map(|since| (since, SimTime::MAX));
        let lengths = group.absences.iter().copied().chain(open).map(|(a, b)| {
            let (a, b) = (a.max(from), b.min(until));
            if b > a { b.since(a) } else { SimDuration::ZERO }
        });
        lengths.max().unwrap_or(SimDuration::ZERO)
    }

    /// Changes lost within a stretch.
    pub(super) fn lost(&self, of: Option<ResourceId>, (from, until): (SimTime, SimTime)) -> u64 {
        let within = |lost: &&Lost| {
            lost.at >= from && lost.at <= until && (of.is_none() || lost.resource == of)
        };
        self.lost.iter().filter(within).map(|lost| lost.changes).sum()
    }

    fn happened(
        &mut self,
        happening: &Happening,
        node: NodeId,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) -> Option<String> {
        let at = happening.at;
        match happening.what {
            What::ClusterDown(why) => {
                self.arbitrating.remove(&node);
                self.members.remove(&node);
                // Nobody has to find out that a node is gone which no other counts as a member.
                if self.members.values().any(|members| members.contains(node)) {
                    self.silent_since.get_or_insert(at);
                }
                self.look_at_groups(at, plan, site, world);
                return why.map(|why| format!("cluster service ends: {why:?}"));
            }
            What::Down(_) => self.look_at_groups(at, plan, site, world),
            What::Key { key, event, digest } => {
                return self.key(at, key, event, digest, plan, world);
            }
            What::BusReset { .. } => self.count("bus_resets"),
            What::VolumeChecked { status } => {
                return Some(format!("volume checked: chkdsk ends with {status}"));
            }
            What::ReservationLost => return Some("loses a reservation".into()),
            What::Violated(violation) => return Some(format!("{violation:?}")),
            What::Cluster(observation) => {
                return self.observed(at, node, observation, plan, site, world);
            }
            _ => {}
        }
        None
    }

    fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    fn observed(
        &mut self,
        at: SimTime,
        node: NodeId,
        observation: Observation,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) -> Option<String> {
        match observation {
            Observation::Formed => {
                self.count("formed");
                self.silent_since = None;
                return Some("forms the cluster".into());
            }
            Observation::Joined => {
                self.count("joined");
                return Some("joins the cluster".into());
            }
            Observation::Members(members) => {
                self.members.insert(node, members);
            }
            Observation::RegroupBegan => {
                self.count("regroups");
                if let Some(since) = self.silent_since.take() {
                    self.detect.record_duration(at.since(since));
                }
            }
            Observation::ArbitrationBegan { challenge } => {
                if challenge {
                    self.count("challenges");
                }
                self.arbitrating.insert(node, at);
            }
            Observation::ArbitrationEnded { won } => {
                self.count(if won { "arbitrations_won" } else { "arbitrations_lost" });
                let began = self.arbitrating.remove(&node);
                if let Some(began) = began.filter(|_| won) {
                    self.arbitrate.record_duration(at.since(began));
                }
                let how = if won { "wins" } else { "loses" };
                return Some(format!("{how} the arbitration for the quorum"));
            }
            Observation::GroupTaken(group) => {
                let name = &plan.config.groups.get(usize::from(group.0))?.name;
                let watch = &mut self.groups[usize::from(group.0)];
                watch.taken = Some(at);
                watch.owners.push((at.as_secs_f64(), f64::from(node.0)));
                self.look_at_group(at, group, plan, site, world);
                return Some(format!("owns {name}"));
            }
            Observation::GroupGiven(group) => {
                self.look_at_group(at, group, plan, site, world);
            }
            Observation::Resource { resource, state } => {
                let config = plan.config.resources.get(usize::from(resource.0))?;
                self.look_at_group(at, config.group, plan, site, world);
                if state == ResourceState::Failed {
                    self.count("resource_failures");
                    return Some(format!("{} has failed", config.name));
                }
            }
            Observation::ReplayBegan { .. } => self.count("log_replays"),
            Observation::Replayed { .. } => self.count("replayed_changes"),
            Observation::CheckpointSaved { .. } => self.count("checkpoint_saves"),
            Observation::CheckpointRestored { digest, .. } => {
                self.count("checkpoint_restores");
                if digest.is_none() {
                    self.count("checkpoint_failures");
                }
            }
            _ => {}
        }
        None
    }

    fn look_at_groups(
        &mut self,
        at: SimTime,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) {
        for group in 0..self.groups.len() as u16 {
            self.look_at_group(at, GroupId(group), plan, site, world);
        }
    }

    /// Whether a group is online now, and what follows from that.
    fn look_at_group(
        &mut self,
        at: SimTime,
        group: GroupId,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) {
        let online = group_online(group, plan, site, world);
        let owner = site.owner(group);
        let Some(watch) = self.groups.get_mut(usize::from(group.0)) else { return };
        let number = owner.map_or(0.0, |owner| f64::from(owner.0));
        if watch.owners.last().is_none_or(|&(_, last)| last != number) {
            watch.owners.push((at.as_secs_f64(), number));
        }
        if online == watch.online {
            return;
        }
        watch.online = online;
        if !online {
            watch.down = Some(at);
            return;
        }
        if let Some(since) = watch.down.take() {
            watch.downtime.record_duration(at.since(since));
            if watch.absences.len() < ABSENCES_MAX {
                watch.absences.push((since, at));
            }
        }
        if let Some(taken) = watch.taken.take() {
            self.online.record_duration(at.since(taken));
        }
    }

    fn key(
        &mut self,
        at: SimTime,
        number: u64,
        event: KeyEvent,
        digest: u64,
        plan: &ClusterPlan,
        world: &World,
    ) -> Option<String> {
        let key = self.keys.entry(number).or_default();
        match event {
            KeyEvent::Changed
                if key.changes.last().is_none_or(|last| last.1 != digest)
                    && key.changes.len() < CHANGES_MAX =>
            {
                key.changes.push((at, digest));
            }
            KeyEvent::Watched if key.changes.is_empty() => key.changes.push((at, digest)),
            KeyEvent::Restored => {
                let kept = key.changes.iter().rposition(|&(_, there)| there == digest);
                let gone = &key.changes[kept.map_or(0, |kept| kept + 1)..];
                let changes = gone.len() as u64;
                let span = gone.last().zip(gone.first());
                let span = span.map(|(last, first)| last.0.since(first.0));
                key.changes = vec![(at, digest)];
                if changes > 0 {
                    let resource = resource_of(number, plan, world);
                    self.lost.push(Lost { at, resource, changes });
                    self.recovery_point.record_duration(span.unwrap_or(SimDuration::ZERO));
                    return Some(format!("restores a key as it was {changes} changes ago"));
                }
            }
            KeyEvent::NotRestored | KeyEvent::Spoilt => {
                return Some("cannot restore a key (event 1024)".into());
            }
            _ => {}
        }
        None
    }

    fn measures(&self, prefix: &str, plan: &ClusterPlan, out: &mut Vec<Measure>) {
        let mut all = Distribution::of_durations();
        for (config, group) in plan.config.groups.iter().zip(&self.groups) {
            let name = format!("{prefix}.{}.downtime", slug(&config.name));
            out.extend(group.downtime.measure(&name));
            for &(from, until) in &group.absences {
                all.record_duration(until.since(from));
            }
        }
        out.extend(all.measure(format!("{prefix}.downtime")));
        out.extend(self.detect.measure(format!("{prefix}.detect")));
        out.extend(self.arbitrate.measure(format!("{prefix}.arbitrate")));
        out.extend(self.online.measure(format!("{prefix}.online")));
        out.extend(self.recovery_point.measure(format!("{prefix}.recovery_point")));
        let lost: u64 = self.lost.iter().map(|lost| lost.changes).sum();
        out.push(count(format!("{prefix}.lost_changes"), "changes", lost as f64));
        for name in [
            "arbitrations_lost",
            "arbitrations_won",
            "bus_resets",
            "challenges",
            "checkpoint_failures",
            "checkpoint_restores",
            "checkpoint_saves",
            "formed",
            "joined",
            "log_replays",
            "regroups",
            "replayed_changes",
            "resource_failures",
        ] {
            let n = self.counts.get(name).copied().unwrap_or(0);
            out.push(count(format!("{prefix}.{name}"), "1", n as f64));
        }
        self.measure_breaches(prefix, out);
    }

    /// How often each rule was broken, and each documented fault seen: only those that were, by name.
    fn measure_breaches(&self, prefix: &str, out: &mut Vec<Measure>) {
        let breaches = &self.invariants.breaches;
        out.push(count(format!("{prefix}.breaches"), "1", breaches.len() as f64));
        let (mut rules, mut quirks) = (BTreeMap::new(), BTreeMap::new());
        for breach in breaches {
            *rules.entry(breach.name).or_insert(0u64) += 1;
            if let Some(quirk) = breach.quirk {
                *quirks.entry(quirk).or_insert(0u64) += 1;
            }
        }
        for (kind, counts) in [("broken", rules), ("quirk", quirks)] {
            for (name, n) in counts {
                out.push(count(format!("{prefix}.{kind}.{name}"), "1", n as f64));
            }
        }
    }
}

/// Whether every resource of a group is online at its owner.
pub(super) fn group_online(
    group: GroupId,
    plan: &ClusterPlan,
    site: &ClusterSite,
    world: &World,
) -> bool {
    let host = site.owner(group).and_then(|owner| site.host(owner));
    let Some(host) = host.map(|host| world.host(host)) else { return false };
    let Some(part) = host.cluster().filter(|part| part.service().is_some()) else { return false };
    let mut resources = (0..).zip(&plan.config.resources).filter(|(_, r)| r.group == group);
    host.life() != Life::Off
        && resources.all(|(r, _)| part.state(ResourceId(r)) == ResourceState::Online)
}

/// The resource a checkpointed key belongs to.
fn resource_of(number: u64, plan: &ClusterPlan, world: &World) -> Option<ResourceId> {
    let is_it = |key: &KeyPath| key_number(key) == number;
    let planned = (0..).zip(&plan.config.resources).find_map(|(r, config)| {
        let mut keys = config.checkpoints.iter().filter_map(|key| KeyPath::parse(key).ok());
        keys.any(|key| is_it(&key)).then_some(ResourceId(r))
    });
    planned.or_else(|| {
        let hosts = plan.hosts.iter().map(|host| crate::sim::HostId(host.0));
        let service = hosts.filter_map(|host| world.host(host).cluster()?.service()).next()?;
        let all = service.database().all_checkpoints();
        all.into_iter().find(|(_, _, key)| is_it(key)).map(|(resource, _, _)| resource)
    })
}

/// A name as a part of a measure's or chart's name.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}
