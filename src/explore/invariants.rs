//! What must never happen in a cluster, looked at while it runs. A breach fails the run, unless the
//! scenario expects it by the name of the documented fault that explains it.
//!
//! | name | holds |
//! | --- | --- |
//! | `one-owner` | code of one group never runs on two nodes that are up |
//! | `one-holder` | the quorum disk is never held by two nodes that are up |
//! | `one-writer` | nobody writes on a disk that another node has mounted since |
//! | `update-order` | a global update of one number is the same on every node, and none is left out |
//! | `nothing-committed-lost` | a node that forms has every change that was confirmed while a node was down, and who goes on gives no number of one to another |
//! | `saved-is-restored` | a key that was given up in order comes back as it was saved last |
//! | `restored-was-saved` | a restored key is as it was saved once, never a mixture |
//! | `newest-is-restored` | the file it comes from is the one that was written last, or was being written |
//! | `restored-before-start` | code starts after its keys are restored: an edit made before is gone |
//! | `failed-restore-changes-nothing` | a key that could not be restored is as it was |
//! | `nothing-left-behind` | what was deleted leaves no checkpoint: neither an entry nor a file |
//! | `one-watcher` | one node at most watches a checkpoint |
//! | `nothing-comes-from-nothing` | a key whose file is lost is as the node has it |
//! | `changes-are-saved` | a change of a watched key is saved after the delay, whatever was saved meanwhile |
//!
//! A node that stands still (paused, or its service hung) is not up; neither is one that goes on after it,
//! until it has had the time to find out whether the others went on without it. And a node that the others
//! have put out of the membership cannot know it before its own regroup and arbitration have ended: for so
//! long nothing but the reservations of its disks keeps it from what it owned, which `one-writer` judges.
//! What it still runs after that time is a breach.

use super::look::{Look, Outside, learns};
use super::oracles::{Oracles, Scene};
use crate::base::SimTime;
use crate::cluster::{
    ClusterProfile, GroupId, HaltReason, NodeId, NodeSet, Observation, ResourceId,
};
use crate::scenario::ClusterPlan;
use crate::sim::{ClusterSite, Happening, What, World};
use std::collections::BTreeMap;

/// Breaches kept; one tells as much as thousands.
const BREACHES_MAX: usize = 1000;
/// Global updates whose digests are kept: far more than ever are under way at once.
const UPDATES_MAX: usize = 4096;

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

/// The invariants of one cluster.
#[derive(Debug, Default)]
pub(super) struct Invariants {
    pub breaches: Vec<Breach>,
    updates: BTreeMap<u64, u64>,
    last_applied: BTreeMap<NodeId, u64>,
    /// The changes that were confirmed while some node was down, so that they are in the quorum log. While
    /// all are up nothing is logged: what is lost when all of them lose power at once is documented for every
    /// version (Q216064, Q217147).
    committed: BTreeMap<u64, u64>,
    /// What a node that forms has found in the log: the number of its checkpoint, and the changes after it.
    replayed: BTreeMap<NodeId, (u64, BTreeMap<u64, u64>)>,
    members: BTreeMap<NodeId, NodeSet>,
    /// Whether a node was down when an update was applied first.
    logged: BTreeMap<u64, bool>,
    /// Until when a node that was put out of the membership has to give up a group: the group, the node that
    /// owns it now, the one that did.
    to_give_up: Vec<(SimTime, GroupId, NodeId, NodeId)>,
    /// Who holds the quorum disk, as they see it. A data disk can be lost to a node that has decided by one
    /// that has not yet: its reservation keeps that one from writing, which `one-writer` judges.
    holders: NodeSet,
    /// Bus resets since a node has begun to challenge. Its own is one; another one may have broken the
    /// reservation of a holder that lives, and cannot know it yet.
    resets: BTreeMap<NodeId, u32>,
    /// Until when a holder may not know that a bus reset has broken its reservation, by who reset it if that
    /// was no fault: it learns that when it next would renew. Whoever takes the disk without a challenge,
    /// because it was named to, gets it.
    unaware_until: BTreeMap<Option<NodeId>, SimTime>,
    /// Nodes that may not know that they are members no more, and gave a confirmed number to another change:
    /// when they are looked at.
    reused: Vec<(SimTime, NodeId, u64)>,
    /// Nodes that have formed or joined since their service was started.
    in_cluster: NodeSet,
    /// Somebody has challenged for the quorum or defended it since all nodes were in one membership: what
    /// unsafe arbitration does can come only after that.
    disputed: bool,
    oracles: Oracles,
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
        self.take(happening.at, happening.what, node, plan, &Outside { plan, site, world });
    }

    fn take(&mut self, at: SimTime, what: What, node: NodeId, plan: &ClusterPlan, look: &dyn Look) {
        let profile = &plan.config.profile;
        let known = self.breaches.len();
        self.given_up_in_time(at, plan, look);
        self.oracles.look(at, look, &mut self.breaches);
        match what {
            What::ResourceRuns { resource, runs: true } => {
                self.one_owner(at, node, resource, plan, look);
                self.oracles.runs(at, node, resource, look, &mut self.breaches);
            }
            What::Violated(violation) => {
                // Two that have mounted one disk go on writing after they are members of one another again.
                let quirk = profile.arbitration_min.is_zero().then_some("Q289863");
                self.breach(at, "one-writer", quirk, format!("{violation:?}"));
            }
            What::ClusterDown(why) => self.down(at, node, why),
            What::BusReset { is_fault, .. } => {
                let by = (!is_fault).then_some(node);
                self.unaware_until.insert(by, at + profile.reservation_renewal);
                self.resets.values_mut().for_each(|resets| *resets += 1);
            }
            What::Logged { id, .. } => self.oracles.logged(at, node, id, profile),
            What::Key { key, event, digest } => {
                let what = (key, event, digest);
                self.oracles.key(at, node, what, profile, &mut self.breaches);
            }
            What::Cluster(observation) => {
                self.observed(at, node, observation, plan, look);
                let members = self.members.get(&node).copied().unwrap_or_default();
                let dispute = self.dispute(profile);
                let scene = Scene { at, node, members, profile, dispute, look };
                self.oracles.observed(&scene, observation, &mut self.breaches);
            }
            _ => {}
        }
        self.gone_on_without(at, plan, look);
        self.breaches.truncate(BREACHES_MAX.max(known));
    }

    fn breach(
        &mut self,
        at: SimTime,
        name: &'static str,
        quirk: Option<&'static str>,
        detail: String,
    ) {
        self.breaches.push(Breach { at, name, quirk, detail });
    }

    /// The article that explains a breach by unsafe arbitration, if the version has it, and there was one.
    fn dispute(&self, profile: &ClusterProfile) -> Option<&'static str> {
        let is_unsafe = self.disputed && profile.arbitration_min.is_zero();
        is_unsafe.then_some("Q289863")
    }

    /// A node has another membership. If all have the same one, and all are in it, no dispute is left.
    fn settle(&mut self, plan: &ClusterPlan) {
        let all: NodeSet = plan.config.node_ids().collect();
        self.disputed &=
            self.in_cluster != all || !all.iter().all(|node| self.members.get(&node) == Some(&all));
    }

    fn down(&mut self, at: SimTime, node: NodeId, why: Option<HaltReason>) {
        if why == Some(HaltReason::UpdateFailed) {
            let detail = format!("node {} cannot apply an update that others have", node.0);
            self.breach(at, "update-order", None, detail);
        }
        self.last_applied.remove(&node);
        self.replayed.remove(&node);
        self.holders.remove(node);
        self.in_cluster.remove(node);
        self.resets.remove(&node);
        self.reused.retain(|(_, of, _)| *of != node);
        self.oracles.down(node);
    }

    fn one_owner(
        &mut self,
        at: SimTime,
        node: NodeId,
        resource: ResourceId,
        plan: &ClusterPlan,
        look: &dyn Look,
    ) {
        let resources = &plan.config.resources;
        let Some(group) = resources.get(usize::from(resource.0)).map(|r| r.group) else { return };
        if !look.is_up(node, at) {
            return;
        }
        for other in plan.config.node_ids().filter(|&other| other != node) {
            let Some(r) = look.runs_of(other, group) else { continue };
            if !look.is_up(other, at) {
                self.to_give_up.push((at + learns(&plan.config.profile), group, node, other));
                continue;
            }
            // Which of the two was put out: the other, or this one, which starts again what it still has.
            let knows = |a, b| self.members.get(&a).is_some_and(|members| members.contains(b));
            let expelled = match (knows(node, other), knows(other, node)) {
                (false, _) => Some((node, other)),
                (true, false) => Some((other, node)),
                (true, true) => None,
            };
            if let Some((owner, expelled)) = expelled {
                self.to_give_up.push((at + learns(&plan.config.profile), group, owner, expelled));
                continue;
            }
            let name = |r: ResourceId| resources[usize::from(r.0)].name.as_str();
            let (mine, its) = (name(resource), name(r));
            let detail = format!("node {} starts {mine}, node {} runs {its}", node.0, other.0);
            return self.breach(at, "one-owner", self.dispute(&plan.config.profile), detail);
        }
    }

    /// Looks at nodes whose time to give up a group is over.
    fn given_up_in_time(&mut self, at: SimTime, plan: &ClusterPlan, look: &dyn Look) {
        let due = self.to_give_up.partition_point(|(until, ..)| *until < at);
        for (until, group, owner, other) in self.to_give_up.drain(..due).collect::<Vec<_>>() {
            let runs = |node| look.runs_of(node, group);
            let (Some(_), Some(r)) = (runs(owner), runs(other)) else { continue };
            if !look.is_up(owner, at) || !look.is_up(other, at) {
                // It sleeps, or has not been awake for long enough to know.
                self.to_give_up.push((at + learns(&plan.config.profile), group, owner, other));
            } else {
                let name = &plan.config.resources[usize::from(r.0)].name;
                let detail =
                    format!("node {} still runs {name}, which node {} owns", other.0, owner.0);
                self.breach(until, "one-owner", self.dispute(&plan.config.profile), detail);
            }
        }
    }

    /// Nodes that gave a confirmed number to another change, and are members still when they must know.
    fn gone_on_without(&mut self, at: SimTime, plan: &ClusterPlan, look: &dyn Look) {
        let due = |(from, ..): &(SimTime, NodeId, u64)| *from <= at;
        if !self.reused.iter().any(due) {
            return;
        }
        let (now, later): (Vec<_>, Vec<_>) = self.reused.drain(..).partition(due);
        self.reused = later;
        for (_, node, sequence) in now {
            if !look.is_up(node, at) {
                self.reused.push((at + learns(&plan.config.profile), node, sequence));
                continue;
            }
            let detail = format!("node {} goes on without the confirmed {sequence}", node.0);
            let unlogged = plan.switches.no_quorum_logging.then_some("Q258078");
            let quirk = unlogged.or(self.dispute(&plan.config.profile));
            self.breach(at, "nothing-committed-lost", quirk, detail);
        }
    }

    fn observed(
        &mut self,
        at: SimTime,
        node: NodeId,
        observation: Observation,
        plan: &ClusterPlan,
        look: &dyn Look,
    ) {
        let profile = &plan.config.profile;
        match observation {
            Observation::Applied { sequence, digest } => {
                self.applied(at, node, (sequence, digest), plan, look);
            }
            Observation::Members(members) => {
                self.members.insert(node, members);
                self.settle(plan);
            }
            Observation::Committed { sequence, digest }
                if self.logged.get(&sequence).is_some_and(|logged| *logged) =>
            {
                self.committed.insert(sequence, digest);
                while self.committed.len() > UPDATES_MAX {
                    self.committed.pop_first();
                }
            }
            Observation::ReplayBegan { sequence } => {
                self.replayed.insert(node, (sequence, BTreeMap::new()));
            }
            Observation::Replayed { sequence, digest } => {
                if let Some((_, changes)) = self.replayed.get_mut(&node) {
                    changes.insert(sequence, digest);
                }
            }
            Observation::Formed => {
                self.in_cluster.insert(node);
                self.formed(at, node, plan, look);
                self.settle(plan);
            }
            Observation::Joined => {
                self.in_cluster.insert(node);
                self.settle(plan);
            }
            Observation::ArbitrationBegan { challenge } => {
                self.disputed = true;
                if challenge {
                    self.resets.insert(node, 0);
                }
            }
            Observation::ArbitrationEnded { won: false } => {
                self.resets.remove(&node);
            }
            Observation::DiskHeld { disk, held } if plan.config.quorum_disk() == Some(disk) => {
                self.holders.remove(node);
                if held {
                    let disturbed = match self.resets.remove(&node) {
                        Some(resets) => resets > 1,
                        None => {
                            let mut others =
                                self.unaware_until.iter().filter(|(by, _)| **by != Some(node));
                            others.any(|(_, until)| at < *until)
                        }
                    };
                    let mut others = self.holders.iter().filter(|_| !disturbed);
                    let other = others.find(|&other| look.is_up(other, at));
                    self.holders.insert(node);
                    if let Some(other) = other {
                        let detail =
                            format!("node {} takes the quorum, node {} holds it", node.0, other.0);
                        // A node of NT 4.0 that starts does not wait for a defender.
                        let boots =
                            !self.in_cluster.contains(node) && profile.booting_node_takes_quorum;
                        let quirk = boots.then_some("Q248663").or(self.dispute(profile));
                        self.breach(at, "one-holder", quirk, detail);
                    }
                }
            }
            _ => {}
        }
    }

    fn applied(
        &mut self,
        at: SimTime,
        node: NodeId,
        (sequence, digest): (u64, u64),
        plan: &ClusterPlan,
        look: &dyn Look,
    ) {
        let last = self.last_applied.insert(node, sequence);
        if last.is_some_and(|last| sequence != last + 1) {
            let detail = format!("node {} applied {sequence} after {last:?}", node.0);
            self.breach(at, "update-order", None, detail);
        }
        // A number that nobody who is left has applied is given out again; and what a node applies that
        // cannot know yet that it is no member any more, nobody else will.
        let members = self.members.get(&node).copied().unwrap_or_default();
        let has = |(other, last): (&NodeId, &u64)| {
            *other != node && members.contains(*other) && *last >= sequence
        };
        let is_new = !self.last_applied.iter().any(has);
        if is_new {
            if self.committed.get(&sequence).is_some_and(|other| *other != digest) {
                let known = look.is_up(node, at);
                let wait = learns(&plan.config.profile) * u64::from(!known);
                self.reused.push((at + wait, node, sequence));
            }
            self.updates.insert(sequence, digest);
            self.logged.insert(sequence, members.len() < plan.config.nodes.len());
        }
        let first = *self.updates.entry(sequence).or_insert(digest);
        if first != digest && look.is_up(node, at) {
            let detail = format!("node {} applied another update {sequence}", node.0);
            self.breach(at, "update-order", self.dispute(&plan.config.profile), detail);
        }
        while self.updates.len() > UPDATES_MAX {
            self.updates.pop_first();
            self.logged.pop_first();
        }
    }

    /// A node has formed a cluster: what was confirmed is in what it begins with.
    fn formed(&mut self, at: SimTime, node: NodeId, plan: &ClusterPlan, look: &dyn Look) {
        let profile = &plan.config.profile;
        // Nobody wrote a log.
        let unlogged = plan.switches.no_quorum_logging.then_some("Q258078");
        // One that has slept since may stop in the same moment.
        let Some(has) = look.sequence(node) else { return };
        let newest = self.committed.last_key_value().map_or(0, |(newest, _)| *newest);
        if newest > has {
            let detail = format!("node {} forms with update {has} of {newest}", node.0);
            let rebuilt = profile.bad_log == crate::cluster::BadLog::Rebuild;
            let quirk = unlogged.or(rebuilt.then_some("Q217147"));
            self.breach(at, "nothing-committed-lost", quirk, detail);
        } else if let Some((from, changes)) = self.replayed.remove(&node) {
            let is_lost = |(sequence, digest): &(&u64, &u64)| changes.get(sequence) != Some(digest);
            let lost = self.committed.range(from + 1..).find(is_lost);
            if let Some((&sequence, _)) = lost {
                let what = if changes.contains_key(&sequence) { "another" } else { "no" };
                let detail = format!("node {} forms with {what} update {sequence}", node.0);
                // What does not fit into a full log is dropped (Q225081).
                let dropped = profile.full_log_drops_change.then_some("Q225081");
                self.breach(at, "nothing-committed-lost", unlogged.or(dropped), detail);
            }
        }
        // Whoever forms counts on from what it has.
        self.updates.retain(|&sequence, _| sequence <= has);
        self.committed.retain(|&sequence, _| sequence <= has);
    }

    /// Looks at what is left when the run ends.
    pub(super) fn end(
        &mut self,
        at: SimTime,
        plan: &ClusterPlan,
        site: &ClusterSite,
        world: &World,
    ) {
        let look = Outside { plan, site, world };
        let holder = plan.config.node_ids().find(|&node| look.holds_quorum(node));
        if let Some(holder) = holder.filter(|&node| look.is_up(node, at)) {
            Oracles::end(at, holder, &look, &mut self.breaches);
        }
    }
}

#[cfg(test)]
#[path = "invariants_tests.rs"]
mod tests;
