//! What administrators and programs ask for: changes of the database are proposed here, what concerns groups
//! and resources is the failover manager's, and keys of a checkpoint are dealt with by the node that owns
//! the resource.

use super::super::checkpoint::Listed;
use super::super::ids::ResourceId;
use super::super::io::{ClusterError, ClusterOutput, Control};
use super::super::step::{Asker, Notice, Step};
use super::super::update::{DbChange, Reader, Update, UpdateError};
use super::{ClusterNode, step};
use crate::base::{Now, Outbox};
use crate::cluster::{NodeId, ResourceState};
use crate::registry::KeyPath;
use crate::wire::cluster::RpcKind;

/// ERROR_SERVICE_NOT_ACTIVE.
pub(super) const SERVICE_NOT_ACTIVE: u32 = 1062;
/// ERROR_RESOURCE_NOT_FOUND.
const RESOURCE_NOT_FOUND: u32 = 5007;
/// ERROR_CLUSTER_NODE_NOT_DOWN... an evicted node must be down (5009).
const CANT_EVICT_ACTIVE_NODE: u32 = 5009;
/// ERROR_RESOURCE_ONLINE.
const RESOURCE_ONLINE: u32 = 5019;
/// ERROR_QUORUM_RESOURCE: it cannot be deleted while it is the quorum.
const QUORUM_RESOURCE: u32 = 5068;
/// ERROR_INVALID_PARAMETER.
const INVALID_PARAMETER: u32 = 87;

mod code {
    pub const ADD: u8 = 1;
    pub const RECOVER: u8 = 2;
}

pub(super) fn refuse(request: u32, error: u32, out: &mut Outbox<ClusterOutput>) {
    out.push(ClusterOutput::Answer { request, result: Err(ClusterError(error)) });
}

impl ClusterNode {
    pub(super) fn control(
        &mut self,
        request: u32,
        control: &Control,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        if !self.is_member() {
            return refuse(request, SERVICE_NOT_ACTIVE, out);
        }
        let database = &self.parts.database;
        match control {
            Control::AddCheckpoint { resource, key } => {
                self.add_checkpoint(request, *resource, key, now, out);
            }
            Control::DeleteCheckpoint { resource, key } => {
                match database.delete_checkpoint(*resource, key) {
                    Ok((_, changes)) => self.change(request, changes, now, out),
                    Err(error) => refuse(request, error.0, out),
                }
            }
            Control::DeleteResource(resource) => self.delete_resource(request, *resource, now, out),
            Control::CreateResource(changes) | Control::ChangeDatabase(changes) => {
                self.change(request, changes.clone(), now, out);
            }
            Control::SetQuorumLogMax(bytes) => {
                let changes = database.set_quorum_log_max(*bytes);
                self.change(request, changes, now, out);
            }
            Control::EvictNode(node) => {
                let last = self.members() == super::NodeSet::only(*node);
                match database.evict(*node) {
                    _ if self.members().contains(*node) && !last => {
                        refuse(request, CANT_EVICT_ACTIVE_NODE, out);
                    }
                    Ok(changes) => self.change(request, changes, now, out),
                    Err(error) => refuse(request, error.0, out),
                }
            }
            Control::RecoverCheckpoints => {
                for to in self.members().without(super::NodeSet::only(self.me)).iter() {
                    let body = vec![code::RECOVER];
                    self.notices.push_back(Notice::Rpc { to, kind: RpcKind::Checkpoint, body });
                }
                self.recover_checkpoints(now, out);
                out.push(ClusterOutput::Answer { request, result: Ok(()) });
            }
            other => self.parts.failover.control(request, other, step!(self, now, out)),
        }
    }

    /// Proposes changes of the database; the answer comes when every member has them.
    fn change(
        &mut self,
        request: u32,
        changes: Vec<DbChange>,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        // What cannot be applied here would be applied nowhere, and halt every node that tried.
        if self.parts.database.accepts(&changes).is_err() {
            return refuse(request, INVALID_PARAMETER, out);
        }
        let update = Update::Database(changes);
        self.parts.updates.propose(Asker::Control(request), update, step!(self, now, out));
    }

    fn delete_resource(
        &mut self,
        request: u32,
        resource: ResourceId,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        let state = self.parts.failover.state(resource);
        if self.config.quorum == crate::cluster::QuorumKind::Disk(resource) {
            return refuse(request, QUORUM_RESOURCE, out);
        }
        if !matches!(state, Some(ResourceState::Offline | ResourceState::Failed) | None) {
            return refuse(request, RESOURCE_ONLINE, out);
        }
        match self.parts.database.delete_resource(resource) {
            Ok(changes) => self.change(request, changes, now, out),
            Err(error) => refuse(request, error.0, out),
        }
    }

    pub(super) fn proposed(
        &mut self,
        asker: Asker,
        result: Result<(), ClusterError>,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        match asker {
            Asker::Failover(number) => {
                self.parts.failover.proposed(number, result, step!(self, now, out));
            }
            Asker::Checkpoints(number) => {
                self.parts.checkpoints.proposed(number, result, step!(self, now, out));
            }
            Asker::Control(request) => out.push(ClusterOutput::Answer { request, result }),
            Asker::Node(number) => {
                if let (Some(joiner), Err(error)) = (self.sponsored.remove(&number), result) {
                    let step = step!(self, now, out);
                    self.parts.membership.join_failed(joiner, error.0, step);
                }
            }
        }
    }
}

/// Checkpoints.
impl ClusterNode {
    /// The checkpoints of all resources as the database lists them.
    pub(super) fn listed(&self) -> Vec<Listed> {
        let all = self.parts.database.all_checkpoints().into_iter();
        let list = |(resource, number, key)| {
            let file = self.parts.database.checkpoint_file(resource, number);
            Listed { resource, number, key, file }
        };
        all.map(list).collect()
    }

    fn add_checkpoint(
        &mut self,
        request: u32,
        resource: ResourceId,
        key: &KeyPath,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        let owner = self.parts.failover.owner_of_resource(resource);
        match owner {
            None => refuse(request, RESOURCE_NOT_FOUND, out),
            Some(owner) if owner == self.me => {
                let (number, changes) = match self.parts.database.add_checkpoint(resource, key) {
                    Ok(added) => added,
                    Err(error) => return refuse(request, error.0, out),
                };
                let file = self.parts.database.checkpoint_file(resource, number);
                let listed = Listed { resource, number, key: key.clone(), file };
                let online = self.parts.failover.state(resource) == Some(ResourceState::Online);
                let step = step!(self, now, out);
                self.parts.checkpoints.add(request, listed, changes, online, step);
            }
            Some(owner) => {
                // The key that is saved is the owner's: it is asked to do it, and nobody waits for it.
                let mut body = vec![code::ADD];
                body.extend_from_slice(&resource.0.to_le_bytes());
                body.extend_from_slice(key.as_str().as_bytes());
                let kind = RpcKind::Checkpoint;
                self.notices.push_back(Notice::Rpc { to: owner, kind, body });
                out.push(ClusterOutput::Answer { request, result: Ok(()) });
            }
        }
    }

    /// Another node's administrator wants something done to checkpoints of resources that this node owns.
    pub(super) fn checkpoint_rpc(
        &mut self,
        _from: NodeId,
        body: &[u8],
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        let read = || -> Result<Option<(ResourceId, KeyPath)>, UpdateError> {
            let mut reader = Reader::new(body);
            if reader.u8()? != code::ADD {
                return Ok(None);
            }
            let resource = ResourceId(reader.u16()?);
            let text = std::str::from_utf8(reader.rest()).map_err(|_| UpdateError::Text)?;
            let key = KeyPath::parse(text).map_err(|_| UpdateError::Text)?;
            Ok(Some((resource, key)))
        };
        match read() {
            Ok(Some((resource, key))) => {
                if self.parts.failover.owner_of_resource(resource) == Some(self.me) {
                    self.add_checkpoint(UNASKED, resource, &key, now, out);
                }
            }
            Ok(None) if body == [code::RECOVER] => self.recover_checkpoints(now, out),
            Ok(None) | Err(_) => {}
        }
    }

    fn recover_checkpoints(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        let failover = &self.parts.failover;
        let mine = |r: &ResourceId| failover.owner_of_resource(*r) == Some(self.me);
        let all = self.parts.database.all_checkpoints().into_iter();
        let mut resources: Vec<ResourceId> =
            all.map(|(resource, _, _)| resource).filter(mine).collect();
        resources.dedup();
        self.parts.checkpoints.save_all(&resources, step!(self, now, out));
    }
}

/// The number of a request that nobody on this node waits for.
const UNASKED: u32 = u32::MAX;
