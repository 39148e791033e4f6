//! The failover manager: resources and groups of the cluster, as one node deals with them.

use super::database::Database;
use super::ids::{DiskId, NodeId, NodeSet, ResourceId};
use super::io::{ClusterError, Control, ResourceEvent};
use super::step::Step;
use super::update::Update;
use crate::base::SimTime;

/// What one node knows of groups and resources, and does with those it owns.
#[derive(Debug, Default)]
pub(super) struct Failover {}

impl Failover {
    /// Reads groups, resources and their properties from the database, at the start and after each change
    /// of it.
    pub fn load(&mut self, database: &Database, step: &mut Step<'_>) {
        let _ = (database, step);
    }

    /// This node has formed the cluster: it owns every group it can and brings them online.
    pub fn formed(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// The state of a resource as this node knows it; `None` if there is no such resource.
    pub fn state(&self, resource: ResourceId) -> Option<super::ResourceState> {
        let _ = resource;
        None
    }

    /// The node that owns a resource's group, as this node knows it.
    pub fn owner_of_resource(&self, resource: ResourceId) -> Option<NodeId> {
        let _ = resource;
        None
    }

    /// Owners and states, for a node that joins.
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// What the sponsor told.
    pub fn joined(&mut self, snapshot: &[u8], step: &mut Step<'_>) {
        let _ = (snapshot, step);
    }

    /// Nodes have left: their groups need owners. `quorum_owner` takes the Cluster Group.
    pub fn members_changed(
        &mut self,
        members: NodeSet,
        left: NodeSet,
        quorum_owner: Option<NodeId>,
        step: &mut Step<'_>,
    ) {
        let _ = (members, left, quorum_owner, step);
    }

    /// The update `NodeUp` was applied, and not refused: the node (maybe this one) is a member. Called on every
    /// member, at the same place among the updates: groups it owned before it died are nobody's from here
    /// on, groups that prefer it may fail back.
    pub fn node_up(&mut self, node: NodeId, step: &mut Step<'_>) {
        let _ = (node, step);
    }

    /// A global update that concerns groups, resources or paused nodes.
    pub fn apply(&mut self, update: &Update, step: &mut Step<'_>) {
        let _ = (update, step);
    }

    /// An update this node proposed for the failover manager is applied everywhere, or never will be.
    pub fn proposed(&mut self, number: u32, result: Result<(), ClusterError>, step: &mut Step<'_>) {
        let _ = (number, result, step);
    }

    /// A resource DLL tells something.
    pub fn resource(&mut self, resource: ResourceId, event: ResourceEvent, step: &mut Step<'_>) {
        let _ = (resource, event, step);
    }

    /// An administrator asks for something about groups and resources. Requests that another node has to
    /// carry out are sent there. Answered by `ClusterOutput::Answer` at once, or when it is accepted there.
    pub fn control(&mut self, request: u32, control: &Control, step: &mut Step<'_>) {
        let _ = (request, control, step);
    }

    /// The keys of a resource are restored: it may start.
    pub fn restored(&mut self, resource: ResourceId, step: &mut Step<'_>) {
        let _ = (resource, step);
    }

    /// The keys of a resource are saved.
    pub fn saved(&mut self, resource: ResourceId, step: &mut Step<'_>) {
        let _ = (resource, step);
    }

    /// A disk is mounted here, or could not be.
    pub fn disk_online(&mut self, disk: DiskId, ok: bool, step: &mut Step<'_>) {
        let _ = (disk, ok, step);
    }

    /// A disk was given back.
    pub fn disk_offline(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let _ = (disk, step);
    }

    /// A disk was lost.
    pub fn disk_lost(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let _ = (disk, step);
    }

    /// A message of another node's failover manager: [`RpcKind::Failover`] and [`RpcKind::Control`] alike.
    ///
    /// [`RpcKind::Failover`]: crate::wire::cluster::RpcKind::Failover
    /// [`RpcKind::Control`]: crate::wire::cluster::RpcKind::Control
    pub fn rpc(&mut self, from: NodeId, body: &[u8], step: &mut Step<'_>) {
        let _ = (from, body, step);
    }

    /// The service stops: groups move to other members, or go offline. Ends in `AllOffline`.
    pub fn stop(&mut self, shutting_down: bool, step: &mut Step<'_>) {
        let _ = (shutting_down, step);
    }

    /// The service ends at once: everything is terminated.
    pub fn halt(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        None
    }
}
