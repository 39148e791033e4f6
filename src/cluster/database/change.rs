//! What administrators and programs wish, as changes of the hive, or as the Windows error that refuses it.

use super::super::config::{ClusterConfig, GroupConfig, ResourceConfig};
use super::super::ids::{GroupId, NodeId, ResourceId};
use super::super::io::ClusterError;
use super::super::update::{DbChange, DbData};
use super::Database;
use super::layout::{self, checkpoint_name};
use super::read::list;
use crate::registry::{Key, KeyPath};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// ERROR_FILE_NOT_FOUND: the key is not checkpointed for the resource.
pub(in super::super) const FILE_NOT_FOUND: ClusterError = ClusterError(2);
/// ERROR_DIR_NOT_EMPTY: a group with resources is not deleted.
pub(in super::super) const NOT_EMPTY: ClusterError = ClusterError(145);
/// ERROR_ALREADY_EXISTS: the key is checkpointed already.
pub(in super::super) const ALREADY_EXISTS: ClusterError = ClusterError(183);
/// ERROR_DEPENDENT_RESOURCE_EXISTS.
pub(in super::super) const HAS_DEPENDENTS: ClusterError = ClusterError(5001);
/// ERROR_RESOURCE_NOT_FOUND.
pub(in super::super) const RESOURCE_NOT_FOUND: ClusterError = ClusterError(5007);
/// ERROR_GROUP_NOT_FOUND.
pub(in super::super) const GROUP_NOT_FOUND: ClusterError = ClusterError(5013);
/// ERROR_QUORUM_RESOURCE: the quorum resource is not deleted.
pub(in super::super) const QUORUM_RESOURCE: ClusterError = ClusterError(5020);
/// ERROR_CLUSTER_NODE_NOT_FOUND.
pub(in super::super) const NODE_NOT_FOUND: ClusterError = ClusterError(5042);
/// ERROR_DEPENDENCY_NOT_ALLOWED.
pub(in super::super) const DEPENDENCY_NOT_ALLOWED: ClusterError = ClusterError(5069);

impl Database {
    /// A new group, without resources, and its number.
    pub fn create_group(&self, group: &GroupConfig) -> (GroupId, Vec<DbChange>) {
        let last = self.groups().last().map(|(id, _)| id.0);
        let id = GroupId(last.map_or(0, |last| last + 1));
        (id, layout::group_keys(self.instance(), id, group))
    }

    /// A new resource, offline, and its number.
    ///
    /// # Errors
    /// 5013: there is no such group. 5002: a dependency is none of its group (Q171791).
    pub fn create_resource(
        &self,
        resource: &ResourceConfig,
        config: &ClusterConfig,
    ) -> Result<(ResourceId, Vec<DbChange>), ClusterError> {
        let mut created = self.create_resources(std::slice::from_ref(resource), config)?;
        Ok(created.remove(0))
    }

    /// New resources, offline, and their numbers. The changes of each take those before it as made: whoever
    /// proposes them, in this order, need not wait until one is applied before it proposes the next.
    ///
    /// # Errors
    /// 5013: there is no such group. 5002: a dependency is none of its group (Q171791).
    pub fn create_resources(
        &self,
        resources: &[ResourceConfig],
        config: &ClusterConfig,
    ) -> Result<Vec<(ResourceId, Vec<DbChange>)>, ClusterError> {
        let mut contains: BTreeMap<GroupId, Vec<String>> = BTreeMap::new();
        let last = self.resources(config).last().map(|(id, _)| id.0);
        let first = last.map_or(0, |last| last + 1);
        let mut created = Vec::with_capacity(resources.len());
        for (number, resource) in (first..).zip(resources) {
            if let Entry::Vacant(entry) = contains.entry(resource.group) {
                let group = self.group_key(resource.group).ok_or(GROUP_NOT_FOUND)?;
                entry.insert(list(group, "Contains").map(Into::into).collect());
            }
            let inside = contains.get_mut(&resource.group).expect("put there a moment ago");
            let known = |on: &ResourceId| inside.contains(&self.resource_guid(*on));
            if !resource.depends_on.iter().all(known) {
                return Err(ClusterError(5002));
            }
            let id = ResourceId(number);
            let mut changes = layout::resource_keys(config, self.instance(), id, resource);
            changes.push(self.set_resource(id, "PersistentState", DbData::Number(0)));
            inside.push(self.resource_guid(id));
            let inside = DbData::Texts(inside.clone());
            changes.push(self.set_group(resource.group, "Contains", inside));
            created.push((id, changes));
        }
        Ok(created)
    }

    /// Removes a resource with everything about it.
    ///
    /// # Errors
    /// 5007: there is none. 5020: it is the quorum. 5001: others depend on it.
    pub fn delete_resource(&self, resource: ResourceId) -> Result<Vec<DbChange>, ClusterError> {
        self.resource_key(resource).ok_or(RESOURCE_NOT_FOUND)?;
        if self.quorum_resource() == Some(resource) {
            return Err(QUORUM_RESOURCE);
        }
        let guid = self.resource_guid(resource);
        let others = self.key("Resources").into_iter().flat_map(Key::keys);
        let mut dependencies = others.flat_map(|(_, key)| list(key, "Dependencies"));
        if dependencies.any(|on| on.eq_ignore_ascii_case(&guid)) {
            return Err(HAS_DEPENDENTS);
        }
        let mut changes = vec![DbChange::DeleteKey(format!("Resources\\{guid}"))];
        for (name, group) in self.key("Groups").into_iter().flat_map(Key::keys) {
            changes.extend(without(&format!("Groups\\{name}"), group, "Contains", &guid));
        }
        Ok(changes)
    }

    /// Removes a group.
    ///
    /// # Errors
    /// 5013: there is none. 145: it has resources.
    pub fn delete_group(&self, group: GroupId) -> Result<Vec<DbChange>, ClusterError> {
        let key = self.group_key(group).ok_or(GROUP_NOT_FOUND)?;
        if list(key, "Contains").next().is_some() {
            return Err(NOT_EMPTY);
        }
        Ok(vec![DbChange::DeleteKey(format!("Groups\\{}", self.group_guid(group)))])
    }

    /// Sets a common property of a resource.
    pub fn set_resource(&self, resource: ResourceId, name: &str, data: DbData) -> DbChange {
        let key = format!("Resources\\{}", self.resource_guid(resource));
        DbChange::SetValue { key, name: name.into(), data }
    }

    /// Sets a private property of a resource.
    pub fn set_parameter(&self, resource: ResourceId, name: &str, data: DbData) -> DbChange {
        let key = format!("Resources\\{}\\Parameters", self.resource_guid(resource));
        DbChange::SetValue { key, name: name.into(), data }
    }

    /// Sets a common property of a group.
    pub fn set_group(&self, group: GroupId, name: &str, data: DbData) -> DbChange {
        let key = format!("Groups\\{}", self.group_guid(group));
        DbChange::SetValue { key, name: name.into(), data }
    }

    /// Makes a resource depend on these.
    ///
    /// # Errors
    /// 5007: there is no such resource. 5069: the quorum resource depends on nothing (Q175664).
    pub fn set_dependencies(
        &self,
        resource: ResourceId,
        on: &[ResourceId],
    ) -> Result<DbChange, ClusterError> {
        self.resource_key(resource).ok_or(RESOURCE_NOT_FOUND)?;
        if self.quorum_resource() == Some(resource) && !on.is_empty() {
            return Err(DEPENDENCY_NOT_ALLOWED);
        }
        let guids = on.iter().map(|&on| self.resource_guid(on)).collect();
        Ok(self.set_resource(resource, "Dependencies", DbData::Texts(guids)))
    }

    /// Remembers the wish that a resource be online or offline; none if that is remembered already.
    pub fn wish_resource(&self, resource: ResourceId, online: bool) -> Option<DbChange> {
        (self.wished(resource) != Some(online))
            .then(|| self.set_resource(resource, "PersistentState", DbData::Number(online.into())))
    }

    /// Adds a key to a resource's checkpoints, and says under which number.
    ///
    /// # Errors
    /// 5007: there is no such resource. 183: the key is there already.
    pub fn add_checkpoint(
        &self,
        resource: ResourceId,
        key: &KeyPath,
    ) -> Result<(u32, Vec<DbChange>), ClusterError> {
        self.resource_key(resource).ok_or(RESOURCE_NOT_FOUND)?;
        let there = self.checkpoints(resource);
        if there.iter().any(|(_, other)| other == key) {
            return Err(ALREADY_EXISTS);
        }
        let free = |number: &u32| there.iter().all(|(taken, _)| taken != number);
        let number = (1..).find(free).expect("a list is shorter than all numbers");
        let change = DbChange::SetValue {
            key: format!("Resources\\{}\\RegSync", self.resource_guid(resource)),
            name: checkpoint_name(number),
            data: DbData::Text(key.as_str().into()),
        };
        Ok((number, vec![change]))
    }

    /// Takes a key off a resource's checkpoints, and says which number it had.
    ///
    /// # Errors
    /// 5007: there is no such resource. 2: the key is not on its list.
    pub fn delete_checkpoint(
        &self,
        resource: ResourceId,
        key: &KeyPath,
    ) -> Result<(u32, Vec<DbChange>), ClusterError> {
        self.resource_key(resource).ok_or(RESOURCE_NOT_FOUND)?;
        let there = self.checkpoints(resource);
        let found = there.iter().find(|(_, other)| other == key).ok_or(FILE_NOT_FOUND)?;
        let change = DbChange::DeleteValue {
            key: format!("Resources\\{}\\RegSync", self.resource_guid(resource)),
            name: checkpoint_name(found.0),
        };
        Ok((found.0, vec![change]))
    }

    /// SetClusterQuorumResource: the largest size of the quorum log, in bytes.
    pub fn set_quorum_log_max(&self, bytes: u32) -> Vec<DbChange> {
        vec![DbChange::SetValue {
            key: "Quorum".into(),
            name: "MaxQuorumLogSize".into(),
            data: DbData::Number(bytes),
        }]
    }

    /// Evicts a node: it goes from the list of nodes and from every list of owners (Q225092).
    ///
    /// # Errors
    /// 5042: there is no such node.
    pub fn evict(&self, node: NodeId) -> Result<Vec<DbChange>, ClusterError> {
        if !self.nodes().contains(node) {
            return Err(NODE_NOT_FOUND);
        }
        let number = node.0.to_string();
        let mut changes = vec![DbChange::DeleteKey(format!("Nodes\\{number}"))];
        for (name, key) in self.key("NetworkInterfaces").into_iter().flat_map(Key::keys) {
            if key.value("Node").and_then(|value| value.as_text()) == Some(&number) {
                changes.push(DbChange::DeleteKey(format!("NetworkInterfaces\\{name}")));
            }
        }
        let lists = [("Groups", "PreferredOwners"), ("Resources", "PossibleOwners")];
        for (above, value) in lists {
            for (name, key) in self.key(above).into_iter().flat_map(Key::keys) {
                // A resource that only this node could run is left to nobody; an empty list would say
                // everybody.
                if above == "Resources" && list(key, value).eq([number.as_str()]) {
                    continue;
                }
                changes.extend(without(&format!("{above}\\{name}"), key, value, &number));
            }
        }
        Ok(changes)
    }
}

/// The change that takes an entry off a list, if it is on it.
fn without(path: &str, key: &Key, name: &str, entry: &str) -> Option<DbChange> {
    let is = |other: &&str| other.eq_ignore_ascii_case(entry);
    list(key, name).find(is)?;
    let rest = list(key, name).filter(|other| !is(other)).map(Into::into).collect();
    Some(DbChange::SetValue { key: path.into(), name: name.into(), data: DbData::Texts(rest) })
}
