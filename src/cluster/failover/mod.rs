//! The failover manager: resources and groups of the cluster, as one node deals with them.
//!
//! **Who owns a group** is a table that only global updates change: `GroupOwner` carries how often the group
//! had changed its owner when it was proposed, and counts only if that is still so. So of two claims, or of a
//! claim and a move, the first in the order of updates wins on every member, and tables are equal where the
//! same updates were applied. An owner takes everything offline before it proposes to give a group away; a
//! group whose owner has left the membership is claimed by the member that a pure function of the table
//! names ([`owners`]). A node that died and came back owns nothing: `NodeUp` makes its groups vacant, on
//! every member at the same place in the order, so a claim that was on its way meanwhile does no harm.
//!
//! **What runs** is the owner's business. [`running`] compares what should be online (the wish in the
//! database, dependencies, failures) with what is, and starts or stops what is ready for it. Nobody else
//! decides by the state of a resource, so states are not told to other nodes: `ResourceState` updates would
//! cost a round through all members each, for nothing. Wishes are in the database (PersistentState),
//! for the next owner.
//!
//! An idle cluster costs nothing here: polls that would find what the last one found are not made
//! ([`ResourceEvent::Health`]), and deadlines stand in one ordered table ([`timers`]).

mod controls;
mod failing;
mod group;
mod moving;
mod owners;
mod resource;
mod running;
mod stopping;
#[cfg(test)]
mod tests;
mod timers;
mod wire;

use super::database::Database;
use super::events::ClusterEvent;
use super::ids::{DiskId, GroupId, NodeId, NodeSet, ResourceId};
use super::io::{ClusterError, Control, FailureCause, Observation, ResourceEvent};
use super::resource::ResourceState;
use super::step::{Notice, Step};
use super::update::Update;
use crate::base::SimTime;
use group::Group;
use resource::{Phase, Resource};
use std::collections::{BTreeMap, BTreeSet};
use timers::{Timer, Timers};

/// What one node knows of groups and resources, and does with those it owns.
#[derive(Debug, Default)]
pub(super) struct Failover {
    /// The members as of the updates and regroups seen so far.
    members: NodeSet,
    /// Members that take no groups (PauseClusterNode).
    paused: NodeSet,
    /// Members that have said that they stop.
    stopping: NodeSet,
    quorum_owner: Option<NodeId>,
    groups: BTreeMap<GroupId, Group>,
    resources: BTreeMap<ResourceId, Resource>,
    timers: Timers,
    /// Groups to look at before the present call ends.
    dirty: BTreeSet<GroupId>,
    /// What this node has proposed, by its number.
    proposals: BTreeMap<u32, Proposal>,
    last_proposal: u32,
    /// Requests sent to another node, by their number.
    forwarded: BTreeMap<u32, NodeId>,
    /// Every node of the cluster, up or not.
    nodes: NodeSet,
    stop: Option<Stop>,
}

/// What an answered proposal means.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Proposal {
    Claim(GroupId),
    Handover(GroupId),
    Answer(Origin),
}

/// Who asked for something.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Origin {
    Local { request: u32 },
    Remote { node: NodeId, request: u32 },
}

/// An orderly stop that is going on.
#[derive(Debug)]
struct Stop {
    shutting_down: bool,
    /// `AllOffline` was told.
    done: bool,
}

impl Failover {
    /// Reads groups, resources and their properties from the database, at the start and after each change
    /// of it. New resources appear offline, deleted ones vanish, changed properties count from their next
    /// use.
    pub fn load(&mut self, database: &Database, step: &mut Step<'_>) {
        let quorum = database.quorum_resource();
        let mut gone: BTreeSet<ResourceId> = self.resources.keys().copied().collect();
        for (id, config) in database.resources(step.config) {
            gone.remove(&id);
            let resource =
                self.resources.entry(id).or_insert_with(|| Resource::new(config.clone()));
            if resource.config.group != config.group && resource.phase != Phase::Idle {
                // Moved to another group while it ran: it starts anew there.
                self.drop_resource(id, step);
                self.resources.insert(id, Resource::new(config.clone()));
            }
            let resource =
                self.resources.entry(id).or_insert_with(|| Resource::new(config.clone()));
            resource.config = config;
            resource.wished = database.wished(id);
            resource.guid = database.resource_guid(id);
            resource.is_quorum = quorum == Some(id);
        }
        for id in gone {
            self.drop_resource(id, step);
        }
        self.load_groups(database);
        self.tie(quorum);
        self.nodes = database.nodes();
        if !self.members.is_empty() {
            self.settle_vacancies(step);
        }
        self.dirty.extend(self.groups.keys());
        self.settle(step);
    }

    fn load_groups(&mut self, database: &Database) {
        let mut gone: BTreeSet<GroupId> = self.groups.keys().copied().collect();
        for (id, config) in database.groups() {
            gone.remove(&id);
            let group = self.groups.entry(id).or_insert_with(|| Group::new(config.clone()));
            group.config = config;
            group.guid = database.group_guid(id);
        }
        for id in gone {
            self.groups.remove(&id);
            for timer in [Timer::Failback, Timer::Claim, Timer::Handover] {
                self.timers.clear(timer(id));
            }
        }
    }

    /// Dependencies in both directions, and an order in which each resource follows all it depends on. What
    /// is part of a cycle, or depends on what is not there, is left out of the order: it never starts.
    fn tie(&mut self, quorum: Option<ResourceId>) {
        let group_of = |id: ResourceId, resources: &BTreeMap<ResourceId, Resource>| {
            resources.get(&id).map(|resource| resource.config.group)
        };
        let mut needs: BTreeMap<ResourceId, Vec<ResourceId>> = BTreeMap::new();
        for (&id, resource) in &self.resources {
            let mut list = resource.config.depends_on.clone();
            let group = resource.config.group;
            // The quorum starts first and stops last in its group: the others' checkpoints are kept on it.
            match quorum {
                Some(quorum) if quorum == id => list.clear(),
                Some(quorum) if group_of(quorum, &self.resources) == Some(group) => {
                    list.push(quorum)
                }
                _ => {}
            }
            list.sort_unstable();
            list.dedup();
            needs.insert(id, list);
        }
        for resource in self.resources.values_mut() {
            resource.needed_by.clear();
        }
        for (id, list) in &needs {
            for on in list {
                if let Some(on) = self.resources.get_mut(on) {
                    on.needed_by.push(*id);
                }
            }
        }
        for (&group_id, group) in &mut self.groups {
            group.resources.clear();
            let inside = self.resources.iter().filter(|(_, r)| r.config.group == group_id);
            let mut left: Vec<ResourceId> = inside.map(|(&id, _)| id).collect();
            while let Some(at) =
                left.iter().position(|id| needs[id].iter().all(|on| group.resources.contains(on)))
            {
                group.resources.push(left.remove(at));
            }
            let holds = |quorum| group.resources.contains(&quorum);
            group.holds_quorum = quorum.is_some_and(holds);
            group.follows_quorum = group.holds_quorum || group_id == GroupId(0);
        }
        for (id, list) in needs {
            self.resource_mut(id).needs = list;
        }
    }

    /// This node has formed the cluster: it owns every group and brings those online that it can.
    pub fn formed(&mut self, step: &mut Step<'_>) {
        self.members = NodeSet::only(step.me);
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        for id in ids {
            let group = self.group_mut(id);
            group.owner = Some(step.me);
            group.generation += 1;
            group.vacant = false;
            step.notice(Notice::GroupMoved { group: id, to: step.me });
            step.observe(Observation::GroupTaken(id));
            self.dirty.insert(id);
        }
        self.settle(step);
    }

    /// The state of a resource as this node knows it: of one that another node's group holds, offline; `None`
    /// if there is no such resource.
    pub fn state(&self, resource: ResourceId) -> Option<ResourceState> {
        self.resources.get(&resource).map(Resource::state)
    }

    /// The node that owns a resource's group, as this node knows it.
    pub fn owner_of_resource(&self, resource: ResourceId) -> Option<NodeId> {
        let group = self.groups.get(&self.resources.get(&resource)?.config.group)?;
        group.owner.filter(|_| !self.is_vacant(group))
    }

    /// Owners, for a node that joins.
    pub fn snapshot(&self) -> Vec<u8> {
        wire::encode_table(self)
    }

    /// What the sponsor told before the update `NodeUp` of this node, which is applied here with this.
    pub fn joined(&mut self, snapshot: &[u8], step: &mut Step<'_>) {
        // A sponsor's bytes that make no sense leave every group without an owner; the table is then set
        // right by the next change of each.
        if wire::decode_table(snapshot, self).is_err() {
            step.log(ClusterEvent::Fatal { error: 13 });
        }
        self.node_up(step.me, step);
    }

    /// Nodes have left: their groups need owners. `quorum_owner` takes the Cluster Group.
    pub fn members_changed(
        &mut self,
        members: NodeSet,
        left: NodeSet,
        quorum_owner: Option<NodeId>,
        step: &mut Step<'_>,
    ) {
        self.members = members;
        self.quorum_owner = quorum_owner;
        self.paused = self.paused.and(members);
        self.stopping = self.stopping.and(members);
        let lost: Vec<u32> = self
            .forwarded
            .iter()
            .filter(|(_, node)| left.contains(**node))
            .map(|(&r, _)| r)
            .collect();
        for request in lost {
            self.forwarded.remove(&request);
            self.answer(Origin::Local { request }, Err(controls::NODE_DOWN), step);
        }
        self.settle_vacancies(step);
        self.dirty.extend(self.groups.keys());
        self.settle(step);
    }

    /// The update `NodeUp` was applied, and not refused: the node is a member. Called on every member, at the
    /// same place among the updates (the node itself calls `joined`): groups it owned before it died are
    /// nobody's from here on, groups that prefer it may fail back.
    pub fn node_up(&mut self, node: NodeId, step: &mut Step<'_>) {
        self.members.insert(node);
        self.paused.remove(node);
        self.stopping.remove(node);
        for (&id, group) in &mut self.groups {
            group.vacant |= group.owner == Some(node);
            group.failback_due |= group.owner == Some(step.me);
            self.dirty.insert(id);
        }
        if self.stop.is_some() && node != step.me {
            self.tell_stopping(NodeSet::only(node), step);
        }
        self.settle_vacancies(step);
        self.settle(step);
    }

    /// A global update that concerns groups, resources or paused nodes.
    pub fn apply(&mut self, update: &Update, step: &mut Step<'_>) {
        match *update {
            Update::GroupOwner { group, node, generation, reason } => {
                self.owner_changed(group, node, generation, reason, step);
            }
            Update::NodePaused { node, paused: true } => self.paused.insert(node),
            Update::NodePaused { node, paused: false } => {
                self.paused.remove(node);
                self.settle_vacancies(step);
                self.dirty.extend(self.groups.keys());
            }
            Update::Database(_) | Update::NodeUp { .. } | Update::ResourceState { .. } => {}
        }
        self.settle(step);
    }

    /// An update this node proposed for the failover manager is applied everywhere, or never will be.
    pub fn proposed(&mut self, number: u32, result: Result<(), ClusterError>, step: &mut Step<'_>) {
        match self.proposals.remove(&number) {
            Some(Proposal::Answer(origin)) => self.answer(origin, result, step),
            Some(Proposal::Claim(group)) => self.claim_answered(group, step),
            Some(Proposal::Handover(group)) => self.handover_answered(group, number, step),
            None => {}
        }
        self.settle(step);
    }

    /// A resource DLL tells something.
    pub fn resource(&mut self, id: ResourceId, event: ResourceEvent, step: &mut Step<'_>) {
        let Some(phase) = self.resources.get(&id).map(|resource| resource.phase) else { return };
        match event {
            ResourceEvent::Online if phase == Phase::Starting => self.went_online(id, step),
            ResourceEvent::Offline if phase == Phase::Stopping => self.went_offline(id, step),
            ResourceEvent::Failed | ResourceEvent::FailedFor(_) | ResourceEvent::Offline => {
                if let ResourceEvent::FailedFor(cause) = event {
                    step.log(entry(id, cause));
                }
                self.failed(id, step);
            }
            ResourceEvent::StillPending => self.still_pending(id, step),
            ResourceEvent::Health { looks_alive, is_alive } => {
                self.resource_mut(id).health = (looks_alive, is_alive);
                self.plan_poll(id, step);
            }
            ResourceEvent::MonitorDied => self.monitor_died(id, step),
            ResourceEvent::Online => {}
        }
        self.settle(step);
    }

    /// An administrator asks for something about groups and resources. Requests that another node has to
    /// carry out are sent there. Answered by `ClusterOutput::Answer` at once, or when it is accepted there.
    pub fn control(&mut self, request: u32, control: &Control, step: &mut Step<'_>) {
        self.carry_out(Origin::Local { request }, control, step);
        self.settle(step);
    }

    /// The keys of a resource are restored: it may start.
    pub fn restored(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.keys_restored(id, step);
        self.settle(step);
    }

    /// The keys of a resource are saved.
    pub fn saved(&mut self, id: ResourceId, step: &mut Step<'_>) {
        self.keys_saved(id, step);
        self.settle(step);
    }

    /// A disk is mounted here, or could not be.
    pub fn disk_online(&mut self, disk: DiskId, ok: bool, step: &mut Step<'_>) {
        let Some(id) = self.with_disk(disk, Phase::Starting) else { return };
        match ok {
            true if self.resources[&id].abort => self.give_disk(id, step),
            true => self.went_online(id, step),
            false if self.resources[&id].abort => self.idle(id, step),
            false => self.failed(id, step),
        }
        self.settle(step);
    }

    /// A disk was given back.
    pub fn disk_offline(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let closed = self.stop.as_ref().is_some_and(|stop| stop.done);
        let phase = if closed { Phase::Online } else { Phase::Giving };
        let Some(id) = self.with_disk(disk, phase) else { return };
        self.idle(id, step);
        self.settle(step);
    }

    /// A disk was lost.
    pub fn disk_lost(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let Some(id) = self.with_disk(disk, Phase::Online) else { return };
        self.failed(id, step);
        self.settle(step);
    }

    fn with_disk(&self, disk: DiskId, phase: Phase) -> Option<ResourceId> {
        let mut resources = self.resources.iter();
        let found = resources.find(|(_, r)| r.disk() == Some(disk) && r.phase == phase);
        found.map(|(&id, _)| id)
    }

    /// A message of another node's failover manager.
    pub fn rpc(&mut self, from: NodeId, body: &[u8], step: &mut Step<'_>) {
        match wire::Message::decode(body) {
            Ok(wire::Message::Request { request, control }) => {
                self.carry_out(Origin::Remote { node: from, request }, &control, step);
            }
            Ok(wire::Message::Answer { request, result }) => {
                if self.forwarded.get(&request) == Some(&from) {
                    self.forwarded.remove(&request);
                    self.answer(Origin::Local { request }, result, step);
                }
            }
            Ok(wire::Message::Stopping) => self.stopping.insert(from),
            // Members run the same version; what cannot be read was made by nobody.
            Err(_) => {}
        }
        self.settle(step);
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        while let Some(timer) = self.timers.pop_due(step.now.time) {
            match timer {
                Timer::Pending(id) => self.silent_too_long(id, step),
                Timer::Poll(id) => self.polled(id, step),
                Timer::Restart(id) => self.release(id),
                Timer::Retry(id) => self.retry(id),
                Timer::Kill(id) => self.kill(id, step),
                Timer::Failback(id) | Timer::Handover(id) => {
                    self.dirty.insert(id);
                }
                Timer::Claim(id) => self.claim_if_vacant(id, step),
                Timer::Budget => self.budget_over(step),
            }
            self.settle(step);
        }
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        self.timers.next()
    }

    /// Looks at every group that something happened to, until nothing more follows.
    fn settle(&mut self, step: &mut Step<'_>) {
        loop {
            while let Some(id) = self.dirty.pop_first() {
                self.look_at(id, step);
            }
            self.go_on_stopping(step);
            if self.dirty.is_empty() {
                break;
            }
        }
    }

    /// A group that is known to be there.
    fn group_mut(&mut self, id: GroupId) -> &mut Group {
        self.groups.get_mut(&id).expect("only groups of the table are dealt with")
    }

    /// A resource that is known to be there.
    fn resource_mut(&mut self, id: ResourceId) -> &mut Resource {
        self.resources.get_mut(&id).expect("only resources of the table are dealt with")
    }

    /// Whether this node owns a group, as of the last update applied here.
    fn is_mine(&self, group: &Group, me: NodeId) -> bool {
        group.owner == Some(me) && !group.vacant
    }

    /// Marks the resource's group to be looked at.
    fn touch(&mut self, id: ResourceId) {
        if let Some(resource) = self.resources.get(&id)
            && self.groups.contains_key(&resource.config.group)
        {
            self.dirty.insert(resource.config.group);
        }
    }

    /// Tells those who watch, if the resource's state is another than they know.
    fn tell(&mut self, id: ResourceId, step: &mut Step<'_>) {
        let resource = self.resource_mut(id);
        let state = resource.state();
        if resource.told != state {
            resource.told = state;
            step.resource_state(id, state);
        }
    }
}

/// The entry of the event log for a failure.
fn entry(resource: ResourceId, cause: FailureCause) -> ClusterEvent {
    match cause {
        FailureCause::NetbiosInterface => ClusterEvent::NetbiosInterfaceFailed { resource },
        FailureCause::TcpIpInterface => ClusterEvent::TcpIpInterfaceFailed { resource },
        FailureCause::AdapterParameter => ClusterEvent::AdapterParameterInvalid { resource },
        FailureCause::NameNotRegistered => ClusterEvent::NetworkNameFailed { resource },
        FailureCause::DllNotLoaded => ClusterEvent::ResourceDllNotLoaded { resource },
        FailureCause::ShareNotMade => ClusterEvent::FileShareFailed { resource },
    }
}
