//! What breaks in clusters, and what must hold of registries, services and clusters.

use crate::cluster::{DiskId, NodeId, ResourceState};
use crate::scenario::cluster::{ClusterCondition, ClusterFault, ClusterRef, CutWay};
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Span, Table};
use crate::scenario::expectation::{Condition, RegistryData};
use crate::scenario::kb::is_article;
use crate::scenario::lower::Build;
use crate::scenario::story::{Choose, FaultKind, HostTarget};
use crate::scenario::values;

impl Build<'_> {
    /// A fault of a service or a cluster; `None` for one of another kind, and for one with a mistake.
    pub(in crate::scenario::lower) fn cluster_fault(
        &mut self,
        key: &str,
        node: &Node,
        span: Span,
    ) -> Option<FaultKind> {
        let (cluster, fault) = match key {
            "service_crash" => {
                let table = node.table()?;
                let hosts = table.get("on").and_then(|n| self.target(n));
                let hosts = hosts?;
                let service = table.get("service")?;
                let program = service.text()?.to_string();
                self.have_program(&hosts, &program, service.span);
                return Some(FaultKind::ProgramCrash { hosts, program });
            }
            "cut_network" => self.cut_network(node)?,
            "bus_reset" => (self.cluster_named(named(node), span)?, ClusterFault::BusReset),
            "cable_pulled" => {
                let (cluster, nodes) = self.node_target(node)?;
                (cluster, ClusterFault::CablePulled(nodes))
            }
            "disk_failed" => {
                let (cluster, disks) = self.disks_named(node)?;
                (cluster, ClusterFault::DiskFailed(disks))
            }
            "disk_full" => {
                let (cluster, disks) = self.disks_named(node)?;
                (cluster, ClusterFault::DiskFull(disks))
            }
            "dirty_volume" => {
                let (cluster, disks) = self.disks_named(node)?;
                (cluster, ClusterFault::DirtyVolume(disks))
            }
            "disk_slow" => {
                let table = node.table()?;
                let (cluster, disks) = self.disks_named(table.get("disk")?)?;
                let factor = u32::try_from(table.count("factor")?).ok()?;
                (cluster, ClusterFault::DiskSlow { disks, factor })
            }
            "monitor_dies" => {
                let (cluster, resource) = self.resource_named(node.text()?, node.span)?;
                (cluster, ClusterFault::MonitorDies(resource))
            }
            _ => return None,
        };
        Some(FaultKind::Cluster { cluster, fault })
    }

    fn cut_network(&mut self, node: &Node) -> Option<(ClusterRef, ClusterFault)> {
        let table = node.table();
        let network = table.map_or(Some(node), |t| t.get("network"))?;
        let (cluster, id) = self.network_named(network.text()?, network.span)?;
        let nodes = match table.and_then(|t| t.get("nodes")) {
            Some(node) => {
                let (other, nodes) = self.node_target(node)?;
                if other != cluster {
                    self.mistake(node.span, "these are nodes of another cluster");
                }
                nodes
            }
            None => HostTarget {
                hosts: self.plan.clusters[cluster.index()].hosts.clone(),
                choose: Choose::All,
            },
        };
        let way = match table.and_then(|t| t.text("way")) {
            Some("out") => CutWay::Out,
            Some("in") => CutWay::In,
            _ => CutWay::Both,
        };
        Some((cluster, ClusterFault::CutNetwork { network: id, nodes, way }))
    }

    /// Shared disks, all of one cluster.
    fn disks_named(&mut self, node: &Node) -> Option<(ClusterRef, Vec<DiskId>)> {
        let mut found: Option<(ClusterRef, Vec<DiskId>)> = None;
        for item in node.items() {
            let (cluster, disk) = self.disk_named(item.text()?, item.span)?;
            let (first, disks) = found.get_or_insert((cluster, Vec::new()));
            if *first != cluster {
                self.mistake(item.span, "these are disks of more than one cluster");
                return None;
            }
            disks.push(disk);
        }
        if found.is_none() {
            self.mistake(node.span, "this names no disk");
        }
        found
    }

    /// Every host that may be meant must have the service.
    fn have_program(&mut self, hosts: &HostTarget, program: &str, span: Span) {
        for &host in &hosts.hosts {
            if !self.has_program(host, program, span) {
                return;
            }
        }
    }

    /// A condition on registries, services or clusters; `None` for one of another kind, and for one with a
    /// mistake.
    pub(in crate::scenario::lower) fn cluster_condition(
        &mut self,
        key: &str,
        node: &Node,
        span: Span,
    ) -> Option<Condition> {
        if key == "registry_value" {
            return self.registry_value(node.table()?);
        }
        if key == "service_runs" {
            let table = node.table()?;
            let hosts = table.get("on").and_then(|n| self.step_hosts(n))?;
            let service = table.get("service")?;
            let program = service.text()?.to_string();
            self.have_program(&hosts, &program, service.span);
            return Some(Condition::ProgramRuns { hosts, program });
        }
        let (cluster, condition) = match key {
            "one_owner" => (self.cluster_named(named(node), span)?, ClusterCondition::OneOwner),
            "cluster_formed" => (self.cluster_named(named(node), span)?, ClusterCondition::Formed),
            "no_violation" => {
                let except = Vec::new();
                let cluster = self.cluster_named(named(node), span)?;
                (cluster, ClusterCondition::NoViolation { except })
            }
            "violation_only" => self.violation_only(node, span)?,
            "violation_seen" => {
                let (by, cluster) = match node.table() {
                    Some(table) => (table.get("by")?, table.get("cluster")),
                    None => (node, None),
                };
                let name = self.documented(by)?;
                (self.cluster_named(cluster, span)?, ClusterCondition::ViolationSeen { name })
            }
            "group_online" => self.group_online(node)?,
            "group_owner" => {
                let table = node.table()?;
                let group = table.get("group")?;
                let found = self.group_named(group.text()?, group.span);
                let (cluster, group) = found?;
                let node = self.member(cluster, table.get("node")?)?;
                (cluster, ClusterCondition::GroupOwner { group, node })
            }
            _ => self.measured_condition(key, node.table()?, span)?,
        };
        Some(Condition::Cluster { cluster, condition })
    }

    fn measured_condition(
        &mut self,
        key: &str,
        table: &Table,
        span: Span,
    ) -> Option<(ClusterRef, ClusterCondition)> {
        let resource = table.get("resource").map(|n| (n.span, n.text()));
        let resource = match resource {
            Some((span, text)) => Some(self.resource_named(text?, span)?),
            None => None,
        };
        Some(match key {
            "resource_state" => {
                let (cluster, resource) = resource?;
                let state = match table.text("state")? {
                    "online" => ResourceState::Online,
                    "failed" => ResourceState::Failed,
                    "online-pending" => ResourceState::OnlinePending,
                    "offline-pending" => ResourceState::OfflinePending,
                    _ => ResourceState::Offline,
                };
                (cluster, ClusterCondition::ResourceState { resource, state })
            }
            "checkpoint_equals" => {
                let (cluster, resource) = resource?;
                let key = self.checkpointed_key(cluster, resource, table.get("key"))?;
                (cluster, ClusterCondition::CheckpointEquals { resource, key })
            }
            "nodes_up" => {
                let nodes = table.get("nodes");
                let range = self.count_range(table, ["at_least", "at_most"], false);
                if nodes.is_none() && range.is_open() {
                    let mistake = Mistake::new(span, "nothing is said about the nodes");
                    self.out.add(mistake.hint("add nodes, at_least or at_most"));
                }
                let (cluster, nodes) = match nodes {
                    Some(node) => {
                        let (cluster, target) = self.node_target(node)?;
                        let plan = self.plan.clusters[cluster.index()].clone();
                        let ids = target.hosts.iter();
                        let ids: Vec<NodeId> =
                            ids.filter_map(|h| self.node_of(&plan, *h, node.span)).collect();
                        (cluster, ids)
                    }
                    None => (self.cluster_named(table.get("cluster"), span)?, Vec::new()),
                };
                let (at_least, at_most) = (range.at_least, range.at_most);
                (cluster, ClusterCondition::NodesUp { nodes, at_least, at_most })
            }
            "resources_online" => {
                let range = self.count_range(table, ["at_least", "at_most"], true);
                let node = table.get("group")?;
                let (cluster, group) = self.group_named(node.text()?, node.span)?;
                let (at_least, at_most) = (range.at_least, range.at_most);
                (cluster, ClusterCondition::ResourcesOnline { group, at_least, at_most })
            }
            "lost_changes" => {
                let range = self.count_range(table, ["at_least", "at_most"], true);
                let (cluster, resource) = match resource {
                    Some((cluster, resource)) => (cluster, Some(resource)),
                    None => (self.cluster_named(table.get("cluster"), span)?, None),
                };
                let (at_least, at_most) = (range.at_least, range.at_most);
                (cluster, ClusterCondition::LostChanges { resource, at_least, at_most })
            }
            "downtime" => {
                let node = table.get("group")?;
                let found = self.group_named(node.text()?, node.span);
                let limit = |key| table.parse(key, values::duration);
                let (at_least, at_most) = (limit("at_least"), limit("at_most"));
                if table.get("at_least").is_none() && table.get("at_most").is_none() {
                    let mistake = Mistake::new(node.span, "a downtime needs a limit");
                    self.out.add(mistake.hint("add at_most or at_least"));
                }
                let (cluster, group) = found?;
                (cluster, ClusterCondition::Downtime { group, at_least, at_most })
            }
            _ => return None,
        })
    }

    fn group_online(&mut self, node: &Node) -> Option<(ClusterRef, ClusterCondition)> {
        let table = node.table();
        let list = table.map_or(Some(node), |t| t.get("group"))?;
        let mut found: Option<(ClusterRef, Vec<_>)> = None;
        for item in list.items() {
            let (cluster, group) = self.group_named(item.text()?, item.span)?;
            let (first, groups) = found.get_or_insert((cluster, Vec::new()));
            if *first != cluster {
                self.mistake(item.span, "these are groups of more than one cluster");
                return None;
            }
            groups.push(group);
        }
        if found.is_none() {
            self.mistake(list.span, "this names no group");
        }
        let (cluster, groups) = found?;
        let on = match table.and_then(|t| t.get("on")) {
            Some(node) => Some(self.member(cluster, node)?),
            None => None,
        };
        Some((cluster, ClusterCondition::GroupsOnline { groups, on }))
    }

    /// A node of this cluster.
    fn member(&mut self, cluster: ClusterRef, node: &Node) -> Option<NodeId> {
        let host = self.host(node)?;
        let plan = self.plan.clusters[cluster.index()].clone();
        self.node_of(&plan, host, node.span)
    }

    /// A list of documented faults, or a table with the cluster too.
    fn violation_only(
        &mut self,
        node: &Node,
        span: Span,
    ) -> Option<(ClusterRef, ClusterCondition)> {
        let table = node.table();
        let list = table.map_or(Some(node), |t| t.get("only"))?;
        let names: Vec<Option<String>> =
            list.items().iter().map(|item| self.documented(item)).collect();
        let cluster = self.cluster_named(table.and_then(|t| t.get("cluster")), span)?;
        let except: Option<Vec<String>> = names.into_iter().collect();
        Some((cluster, ClusterCondition::NoViolation { except: except? }))
    }

    /// The number of the article that documents a fault.
    fn documented(&mut self, node: &Node) -> Option<String> {
        let text = node.text()?;
        if !is_article(text) {
            let mistake = Mistake::new(node.span, format!("`{text}` is no documented fault"));
            self.out.add(mistake.hint("write the number of its article: \"Q289863\""));
            return None;
        }
        Some(text.to_string())
    }

    fn registry_value(&mut self, table: &Table) -> Option<Condition> {
        let hosts = table.get("on").and_then(|n| self.step_hosts(n));
        let key = table.get("key").and_then(|n| self.registry_key(n));
        let value = table.text("value").map(str::to_string);
        let absent = table.switch("absent").unwrap_or(false);
        let data = match table.get("data") {
            Some(node) if absent => {
                let mistake = Mistake::new(node.span, "what is not there has no data");
                self.out.add(mistake.hint("leave out `data` or `absent`"));
                None
            }
            // Data belong to a value; without a name, to the key's default value.
            Some(node) => Some(RegistryData::Equals(self.registry_data(node)?)),
            None if absent => None,
            None => Some(RegistryData::Present),
        };
        let value = match &data {
            Some(RegistryData::Equals(_)) => Some(value.unwrap_or_default()),
            _ => value,
        };
        Some(Condition::RegistryValue { hosts: hosts?, key: key?, value, data })
    }
}

/// The name a value gives; a switch gives none.
fn named(node: &Node) -> Option<&Node> {
    node.text().map(|_| node)
}
