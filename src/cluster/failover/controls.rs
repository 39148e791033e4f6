//! What administrators ask for (the cluster API), with the Windows errors that refuse it. A request about a
//! group or a resource is carried out by its owner; asked elsewhere, it is sent there.

use super::super::ids::{GroupId, NodeId, ResourceId};
use super::super::io::{ClusterError, ClusterOutput, Control};
use super::super::quorum;
use super::super::resource::ResourceState;
use super::super::step::{Notice, Step};
use super::super::update::{DbChange, DbData, OwnerChange, Update};
use super::group::Activity;
use super::resource::Hold;
use super::timers::Timer;
use super::{Failover, Origin, Proposal, wire};
use crate::wire::cluster::RpcKind;
use std::collections::BTreeSet;

/// ERROR_INVALID_FUNCTION: a request that is not the failover manager's.
const INVALID_FUNCTION: ClusterError = ClusterError(1);
/// ERROR_RESOURCE_NOT_ONLINE.
const NOT_ONLINE: ClusterError = ClusterError(quorum::NOT_ONLINE);
/// ERROR_RESOURCE_NOT_FOUND.
const RESOURCE_NOT_FOUND: ClusterError = ClusterError(5007);
/// ERROR_GROUP_NOT_AVAILABLE: it has no owner just now.
const GROUP_NOT_AVAILABLE: ClusterError = ClusterError(5012);
/// ERROR_GROUP_NOT_FOUND.
const GROUP_NOT_FOUND: ClusterError = ClusterError(5013);
/// ERROR_HOST_NODE_NOT_RESOURCE_OWNER.
const NOT_POSSIBLE_OWNER: ClusterError = ClusterError(5015);
/// ERROR_HOST_NODE_NOT_GROUP_OWNER: it moved while the request was under way.
const NOT_GROUP_OWNER: ClusterError = ClusterError(5016);
/// ERROR_INVALID_STATE.
const INVALID_STATE: ClusterError = ClusterError(5023);
/// ERROR_CLUSTER_NODE_NOT_FOUND.
const NODE_NOT_FOUND: ClusterError = ClusterError(5042);
/// ERROR_CLUSTER_NODE_DOWN.
pub(super) const NODE_DOWN: ClusterError = ClusterError(5050);
/// ERROR_INVALID_OPERATION_ON_QUORUM.
const QUORUM: ClusterError = ClusterError(5068);
/// ERROR_CLUSTER_NODE_PAUSED.
const NODE_PAUSED: ClusterError = ClusterError(5070);
/// ERROR_NODE_CANT_HOST_RESOURCE.
const CANT_HOST: ClusterError = ClusterError(5071);
/// ERROR_CLUSTER_NODE_SHUTTING_DOWN.
const SHUTTING_DOWN: ClusterError = ClusterError(5073);

/// What a request comes to: an error, done, or done when these changes of the database are applied.
type Outcome = Result<Vec<DbChange>, ClusterError>;

impl Failover {
    /// Answers a request.
    pub(super) fn answer(
        &mut self,
        origin: Origin,
        result: Result<(), ClusterError>,
        step: &mut Step<'_>,
    ) {
        match origin {
            Origin::Local { request } => step.out.push(ClusterOutput::Answer { request, result }),
            Origin::Remote { node, request } => {
                let body = wire::Message::Answer { request, result }.encode();
                step.notice(Notice::Rpc { to: node, kind: RpcKind::Failover, body });
            }
        }
    }

    /// Carries a request out, or sends it to whoever can.
    pub(super) fn carry_out(&mut self, origin: Origin, control: &Control, step: &mut Step<'_>) {
        let group = match *control {
            Control::OnlineResource(id)
            | Control::OfflineResource(id)
            | Control::FailResource(id) => match self.resources.get(&id) {
                Some(resource) => resource.config.group,
                None => return self.answer(origin, Err(RESOURCE_NOT_FOUND), step),
            },
            Control::OnlineGroup(id)
            | Control::OfflineGroup(id)
            | Control::MoveGroup { group: id, .. } => id,
            _ => return self.carry_out_here(origin, control, step),
        };
        let Some(known) = self.groups.get(&group) else {
            return self.answer(origin, Err(GROUP_NOT_FOUND), step);
        };
        let owner = known.owner.filter(|_| !self.is_vacant(known));
        match (owner, origin) {
            (None, _) => self.answer(origin, Err(GROUP_NOT_AVAILABLE), step),
            (Some(owner), _) if owner == step.me => {
                let outcome = self.carry_out_on(group, control, step);
                self.conclude(origin, outcome, step);
            }
            (Some(owner), Origin::Local { request }) => {
                self.forwarded.insert(request, owner);
                let body = wire::Message::Request { request, control: control.clone() }.encode();
                step.notice(Notice::Rpc { to: owner, kind: RpcKind::Failover, body });
            }
            (Some(_), Origin::Remote { .. }) => self.answer(origin, Err(NOT_GROUP_OWNER), step),
        }
    }

    fn conclude(&mut self, origin: Origin, outcome: Outcome, step: &mut Step<'_>) {
        match outcome {
            Ok(changes) if changes.is_empty() => self.answer(origin, Ok(()), step),
            Ok(changes) => {
                self.propose(Update::Database(changes), Proposal::Answer(origin), step);
            }
            Err(error) => self.answer(origin, Err(error), step),
        }
    }

    /// A request about nodes: any node can propose it.
    fn carry_out_here(&mut self, origin: Origin, control: &Control, step: &mut Step<'_>) {
        match *control {
            Control::PauseNode(node) | Control::ResumeNode(node) => {
                let paused = *control == Control::PauseNode(node);
                if !self.members.contains(node) {
                    let known = self.nodes.contains(node);
                    let error = if known { NODE_DOWN } else { NODE_NOT_FOUND };
                    self.answer(origin, Err(error), step);
                } else if self.paused.contains(node) == paused {
                    self.answer(origin, Ok(()), step);
                } else {
                    let update = Update::NodePaused { node, paused };
                    self.propose(update, Proposal::Answer(origin), step);
                }
            }
            _ => self.answer(origin, Err(INVALID_FUNCTION), step),
        }
    }

    /// A request about a group of this node, or a resource in it.
    fn carry_out_on(&mut self, id: GroupId, control: &Control, step: &mut Step<'_>) -> Outcome {
        if self.stop.is_some() {
            return Err(SHUTTING_DOWN);
        }
        if self.groups[&id].activity != Activity::Steady {
            return Err(ClusterError(step.config.profile.moving_error));
        }
        match *control {
            Control::OnlineResource(resource) => self.online_resource(resource, step),
            Control::OfflineResource(resource) => {
                if self.resources[&resource].is_quorum {
                    return Err(QUORUM);
                }
                let others =
                    self.closure(resource, |failover, id| &failover.resources[&id].needed_by);
                Ok(self.wishes(&others, false))
            }
            Control::FailResource(resource) => {
                let known = &self.resources[&resource];
                if known.is_quorum {
                    return Err(QUORUM);
                }
                if known.state() != ResourceState::Online {
                    return Err(NOT_ONLINE);
                }
                self.failed(resource, step);
                Ok(Vec::new())
            }
            Control::OnlineGroup(_) => self.online_group(id, step),
            Control::OfflineGroup(_) => self.offline_group(id),
            Control::MoveGroup { to, .. } => self.move_group(id, to, step),
            _ => Err(INVALID_FUNCTION),
        }
    }

    fn online_resource(&mut self, id: ResourceId, step: &mut Step<'_>) -> Outcome {
        let resource = &self.resources[&id];
        if !resource.can_run_on(step.me) {
            return Err(NOT_POSSIBLE_OWNER);
        }
        let group = resource.config.group;
        if !self.can_host(&self.groups[&group], step.me) {
            return Err(CANT_HOST);
        }
        let all = self.closure(id, |failover, id| &failover.resources[&id].needs);
        self.forgive(&all);
        self.release_group(group);
        Ok(self.wishes(&all, true))
    }

    fn online_group(&mut self, id: GroupId, step: &mut Step<'_>) -> Outcome {
        let group = &self.groups[&id];
        if !self.can_host(group, step.me) {
            return Err(CANT_HOST);
        }
        let all = group.resources.iter().copied().collect();
        self.forgive(&all);
        self.release_group(id);
        Ok(self.group_wish(id, true))
    }

    fn offline_group(&mut self, id: GroupId) -> Outcome {
        if self.groups[&id].holds_quorum {
            return Err(QUORUM);
        }
        Ok(self.group_wish(id, false))
    }

    fn move_group(&mut self, id: GroupId, to: Option<NodeId>, step: &mut Step<'_>) -> Outcome {
        let group = &self.groups[&id];
        let pending = |id: &ResourceId| self.resources[id].is_pending();
        let to = match to {
            Some(to) if to == step.me => return Ok(Vec::new()),
            Some(to) if !self.nodes.contains(to) => return Err(NODE_NOT_FOUND),
            Some(to) if !self.members.contains(to) => return Err(NODE_DOWN),
            Some(to) if self.paused.contains(to) => return Err(NODE_PAUSED),
            Some(to) if self.stopping.contains(to) => return Err(SHUTTING_DOWN),
            Some(to) if !self.can_host(group, to) => return Err(CANT_HOST),
            Some(to) => to,
            None => match self.best_owner(group, step.me, step.config) {
                Some(to) => to,
                None if self.members.len() > 1 => return Err(CANT_HOST),
                None => return Err(NODE_DOWN),
            },
        };
        if group.resources.iter().any(pending) {
            return Err(INVALID_STATE);
        }
        self.leave(id, to, OwnerChange::Moved);
        Ok(Vec::new())
    }

    /// A resource and all that follows from it along one direction of the dependencies.
    fn closure(
        &self,
        from: ResourceId,
        next: impl for<'a> Fn(&'a Failover, ResourceId) -> &'a Vec<ResourceId>,
    ) -> BTreeSet<ResourceId> {
        let mut all = BTreeSet::new();
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if self.resources.contains_key(&id) && all.insert(id) {
                open.extend(next(self, id));
            }
        }
        all
    }

    /// An administrator's wish ends every pause and forgets earlier failures.
    fn forgive(&mut self, ids: &BTreeSet<ResourceId>) {
        for &id in ids {
            let resource = self.resource_mut(id);
            resource.hold = Hold::Free;
            resource.restarts.clear();
            self.timers.clear(Timer::Restart(id));
            self.timers.clear(Timer::Retry(id));
            self.touch(id);
        }
    }

    /// Changes of the database that remember a wish about resources, where it is another than there is.
    fn wishes(&self, ids: &BTreeSet<ResourceId>, online: bool) -> Vec<DbChange> {
        let differs = |id: &&ResourceId| {
            let resource = &self.resources[*id];
            let group = self.groups.get(&resource.config.group);
            let now = resource.wished.or(group.map(|group| group.config.online_at_start));
            now != Some(online)
        };
        let wish =
            |id: &ResourceId| wish(format!("Resources\\{}", self.resources[id].guid), online);
        ids.iter().filter(differs).map(wish).collect()
    }

    /// The same for a group; wishes of its resources that say otherwise are overruled.
    fn group_wish(&self, id: GroupId, online: bool) -> Vec<DbChange> {
        let group = &self.groups[&id];
        let mut changes = Vec::new();
        if group.config.online_at_start != online {
            changes.push(wish(format!("Groups\\{}", group.guid), online));
        }
        let other = |id: &&ResourceId| self.resources[*id].wished == Some(!online);
        let resources = group.resources.iter().filter(other);
        changes.extend(
            resources.map(|id| wish(format!("Resources\\{}", self.resources[id].guid), online)),
        );
        changes
    }
}

fn wish(key: String, online: bool) -> DbChange {
    DbChange::SetValue { key, name: "PersistentState".into(), data: DbData::Number(online.into()) }
}
