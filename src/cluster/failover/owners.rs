//! Who owns a group next: pure functions of what every member knows (KB 299631, KB 313882).

use super::super::config::{ClusterConfig, Failback};
use super::super::ids::{GroupId, NodeId, NodeSet};
use super::Failover;
use super::group::Group;
use crate::base::{SimDuration, WallTime, hash_path};

/// The nodes in the order in which a group prefers them: preferred owners, then the others by number.
pub(super) fn node_list(group: &Group, config: &ClusterConfig) -> Vec<NodeId> {
    let mut list: Vec<NodeId> = Vec::new();
    for &node in group.config.preferred_owners.iter() {
        if !list.contains(&node) {
            list.push(node);
        }
    }
    let others = config.node_ids().filter(|node| !group.config.preferred_owners.contains(node));
    list.extend(others);
    list
}

/// The list from the node after `from` on, once around.
pub(super) fn after(list: &[NodeId], from: Option<NodeId>) -> Vec<NodeId> {
    let place = from.and_then(|from| list.iter().position(|&node| node == from));
    let Some(place) = place else { return list.to_vec() };
    list[place + 1..].iter().chain(&list[..=place]).copied().collect()
}

impl Failover {
    /// Whether a node can run every resource of a group: one that cannot run one of them cannot have the
    /// group (Q224967).
    pub(super) fn can_host(&self, group: &Group, node: NodeId) -> bool {
        let mut resources = group.resources.iter().filter_map(|id| self.resources.get(id));
        resources.all(|resource| resource.can_run_on(node))
    }

    /// Whether a group can be given to a node.
    pub(super) fn can_take(&self, group: &Group, node: NodeId) -> bool {
        self.takers().contains(node) && self.can_host(group, node)
    }

    /// Members that take groups at all.
    fn takers(&self) -> NodeSet {
        self.members.without(self.paused).without(self.stopping)
    }

    /// Where a group goes from `from` because of a failed resource or an orderly stop.
    pub(super) fn next_owner(
        &self,
        group: &Group,
        from: NodeId,
        config: &ClusterConfig,
    ) -> Option<NodeId> {
        let list = node_list(group, config);
        let wraps = group.config.preferred_owners.is_empty() || config.profile.preferred_list_wraps;
        let order = match list.iter().position(|&node| node == from) {
            Some(place) if !wraps => list[place + 1..].to_vec(),
            _ => after(&list, Some(from)),
        };
        order.into_iter().find(|&node| node != from && self.can_take(group, node))
    }

    /// Where an administrator's "best possible" moves a group: from the top of the list.
    pub(super) fn best_owner(
        &self,
        group: &Group,
        from: NodeId,
        config: &ClusterConfig,
    ) -> Option<NodeId> {
        let mut list = node_list(group, config).into_iter();
        list.find(|&node| node != from && self.can_take(group, node))
    }

    /// Who takes a group whose owner is gone, the first choice first.
    pub(super) fn heirs(&self, id: GroupId, group: &Group, config: &ClusterConfig) -> Vec<NodeId> {
        let order = after(&node_list(group, config), group.owner);
        let choose = |fits: &dyn Fn(NodeId) -> bool| -> Vec<NodeId> {
            order.iter().copied().filter(|&node| fits(node)).collect()
        };
        let staying = self.members.without(self.stopping);
        let mut heirs = choose(&|node| self.can_take(group, node));
        let random = config.profile.random_owner_on_node_failure;
        if random && group.config.preferred_owners.is_empty() && !heirs.is_empty() {
            let path = format!("{}/{}/{}", config.name, id.0, group.generation);
            let at = hash_path(&path) % heirs.len() as u64;
            heirs.rotate_left(at as usize);
        }
        // Nobody can have it in order: somebody has to know it. A node that could run it is better, even
        // paused.
        if heirs.is_empty() {
            heirs = choose(&|node| staying.contains(node) && self.can_host(group, node));
        }
        if heirs.is_empty() {
            heirs = choose(&|node| self.takers().contains(node));
        }
        if heirs.is_empty() {
            heirs = choose(&|node| staying.contains(node));
        }
        if let Some(winner) = self.quorum_owner.filter(|&node| {
            group.follows_quorum && staying.contains(node) && self.can_host(group, node)
        }) {
            heirs.retain(|&node| node != winner);
            heirs.insert(0, winner);
        }
        heirs
    }

    /// The node to which a group should go back: the first preferred owner that can have it, if it stands
    /// before the present one.
    pub(super) fn failback_target(&self, group: &Group, from: NodeId) -> Option<NodeId> {
        let mut preferred = group.config.preferred_owners.iter().copied();
        preferred
            .find(|&node| node == from || self.can_take(group, node))
            .filter(|&node| node != from)
    }
}

/// How long until a failback is allowed; zero for now, none for never. Hours are those of the cluster's
/// local time.
pub(super) fn failback_wait(failback: Failback, wall: WallTime) -> Option<SimDuration> {
    const HOUR: u64 = 3600;
    match failback {
        Failback::Prevent => None,
        Failback::Immediate => Some(SimDuration::ZERO),
        Failback::Window { start, end } => {
            let (start, end) = (u64::from(start % 24), u64::from(end % 24));
            let hour = wall.secs() / HOUR % 24;
            let open = match start.cmp(&end) {
                std::cmp::Ordering::Less => (start..end).contains(&hour),
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => hour >= start || hour < end,
            };
            if open {
                return Some(SimDuration::ZERO);
            }
            let day = 24 * HOUR * 1_000_000_000;
            let opens = start * HOUR * 1_000_000_000;
            Some(SimDuration::from_nanos((opens + day - wall.0 % day) % day))
        }
    }
}
