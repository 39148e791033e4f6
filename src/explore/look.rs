//! What the invariants of clusters ask the world for, apart from what they are told: few questions, so that a
//! test can answer them without a world.

use crate::base::{SimDuration, SimTime};
use crate::cluster::{ClusterProfile, GroupId, NodeId, ResourceConfig, ResourceId};
use crate::registry::KeyPath;
use crate::scenario::ClusterPlan;
use crate::sim::{ClusterSite, Host, Life, World, key_number};

/// A registry checkpoint as the cluster database of a node lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    /// The resource.
    pub resource: ResourceId,
    /// The number in the resource's list.
    pub number: u32,
    /// The key: [`key_number`].
    pub key: u64,
    /// The file, relative to the root of the quorum disk.
    pub file: String,
    /// Of the key's subtree in the node's registry.
    pub digest: u64,
}

/// The state of a cluster from outside.
pub(super) trait Look {
    /// Whether a node's service is awake, and has been for so long that it knows who the members are.
    fn is_up(&self, node: NodeId, at: SimTime) -> bool;
    /// A resource of a group whose code runs on a node.
    fn runs_of(&self, node: NodeId, group: GroupId) -> Option<ResourceId>;
    /// The number of the last update in the database of a node that is a member, as it sees it itself.
    fn sequence(&self, node: NodeId) -> Option<u64>;
    /// Whether a node is a member, as it sees it itself, and holds the quorum.
    fn holds_quorum(&self, node: NodeId) -> bool;
    /// The resources in a node's database.
    fn resources(&self, node: NodeId) -> Vec<ResourceId>;
    /// The checkpoints in a node's database, those of resources that are gone included.
    fn listed(&self, node: NodeId) -> Vec<Listed>;
    /// The checkpoint files on the quorum disk; `None` if the quorum is no disk.
    fn files(&self) -> Option<Vec<String>>;
}

/// The world as it is now.
pub(super) struct Outside<'a> {
    pub plan: &'a ClusterPlan,
    pub site: &'a ClusterSite,
    pub world: &'a World,
}

impl Outside<'_> {
    fn host(&self, node: NodeId) -> Option<&Host> {
        self.site.host(node).map(|host| self.world.host(host))
    }
}

impl Look for Outside<'_> {
    fn is_up(&self, node: NodeId, at: SimTime) -> bool {
        let knows = |since: SimTime| at > since + learns(&self.plan.config.profile);
        self.host(node).is_some_and(|host| {
            matches!(host.life(), Life::On | Life::ShuttingDown)
                && host
                    .cluster()
                    .is_some_and(|part| part.is_awake() && part.went_on().is_none_or(knows))
        })
    }

    fn runs_of(&self, node: NodeId, group: GroupId) -> Option<ResourceId> {
        let part = self.host(node)?.cluster()?;
        let mut numbered = (0..).map(ResourceId).zip(&self.plan.config.resources);
        let runs = |(r, config): (ResourceId, &ResourceConfig)| {
            (config.group == group && part.runs(r)).then_some(r)
        };
        numbered.find_map(runs)
    }

    fn sequence(&self, node: NodeId) -> Option<u64> {
        let service = self.host(node).and_then(|host| host.cluster()?.service());
        service.filter(|service| service.is_member()).map(|service| service.database().sequence)
    }

    fn holds_quorum(&self, node: NodeId) -> bool {
        let service = self.host(node).and_then(|host| host.cluster()?.service());
        service.is_some_and(|service| service.is_member() && service.quorum_owner() == Some(node))
    }

    fn resources(&self, node: NodeId) -> Vec<ResourceId> {
        let service = self.host(node).and_then(|host| host.cluster()?.service());
        let known = service.map(|service| service.database().resources(service.config()));
        known.into_iter().flatten().map(|(id, _)| id).collect()
    }

    fn listed(&self, node: NodeId) -> Vec<Listed> {
        let Some(host) = self.host(node) else { return Vec::new() };
        let Some(service) = host.cluster().and_then(|part| part.service()) else {
            return Vec::new();
        };
        let digest = |key: &KeyPath| host.system().map_or(0, |s| s.registry().digest(key));
        let database = service.database();
        let all = database.all_checkpoints().into_iter();
        all.map(|(resource, number, key)| Listed {
            resource,
            number,
            key: key_number(&key),
            file: database.checkpoint_file(resource, number),
            digest: digest(&key),
        })
        .collect()
    }

    fn files(&self) -> Option<Vec<String>> {
        let disk = self.plan.config.quorum_disk()?;
        let names = self.site.bus().file_names(self.site.signature(disk)?, "MSCS\\");
        Some(names.into_iter().filter(|name| name.to_uppercase().ends_with(".CPT")).collect())
    }
}

/// How long a node takes at most to find out that the others go on without it: the longest silence, the
/// stages of two regroups, and an arbitration.
pub(super) fn learns(profile: &ClusterProfile) -> SimDuration {
    profile.heartbeat * u64::from(profile.node_lost_after + 2)
        + profile.regroup_stage_timeout * 4
        + profile.arbitration_max
}
