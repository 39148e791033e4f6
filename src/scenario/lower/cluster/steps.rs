//! What administrators do to registries and clusters.

use super::switches_of;
use crate::cluster::{
    ClusterVersion, Control, DbChange, DbData, GroupId, NodeId, QuorumKind, ResourceConfig,
    ResourceId, ResourceKind,
};
use crate::registry::{KeyPath, Value as Data};
use crate::scenario::cluster::{
    ClusterAction, ClusterFile, ClusterObject, ClusterRef, FileChange, PropertyValue,
};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Span, Table, Value};
use crate::scenario::lower::Build;
use crate::scenario::program::RegistryEdit;
use crate::scenario::story::{Choose, HostTarget, StepKind};
use crate::scenario::values;

/// Properties of every resource that can be set, as the SDK writes them.
const RESOURCE_PROPERTIES: [&str; 10] = [
    "LooksAlivePollInterval",
    "IsAlivePollInterval",
    "PendingTimeout",
    "RestartAction",
    "RestartThreshold",
    "RestartPeriod",
    "RestartDelay",
    "RetryPeriodOnFailure",
    "SeparateMonitor",
    "PersistentState",
];
/// Properties of an IP Address that can be set (SDK: its private properties).
const ADDRESS_PROPERTIES: [&str; 1] = ["EnableNetBIOS"];
/// Properties of a group that can be set.
const GROUP_PROPERTIES: [&str; 7] = [
    "FailoverThreshold",
    "FailoverPeriod",
    "AutoFailbackType",
    "FailbackWindowStart",
    "FailbackWindowEnd",
    "PersistentState",
    "PreferredOwners",
];

impl Build<'_> {
    /// Hosts of a step: names, or whoever owns something, but nobody drawn.
    pub(super) fn step_hosts(&mut self, node: &Node) -> Option<HostTarget> {
        let target = self.target(node)?;
        if matches!(target.choose, Choose::One | Choose::Half | Choose::Count(_)) {
            let mistake = Mistake::new(node.span, "only faults are drawn from a set");
            self.out.add(mistake.hint("name the hosts, or say who owns what"));
        }
        Some(target)
    }

    /// Nodes of a step.
    fn step_nodes(&mut self, node: &Node) -> Option<(ClusterRef, HostTarget)> {
        let target = self.step_hosts(node)?;
        let cluster = self.one_cluster(&target, node.span)?;
        Some((cluster, target))
    }

    /// A step on registries or clusters; `None` for one of another kind, and for one with a mistake.
    pub(in crate::scenario::lower) fn cluster_step(
        &mut self,
        key: &str,
        node: &Node,
        span: Span,
    ) -> Option<StepKind> {
        if let Some(table) = node.table()
            && let Some(edit) = self.registry_step(key, table)
        {
            let (hosts, edit) = edit?;
            return Some(StepKind::Registry { hosts, edit });
        }
        let (cluster, action) = match node.table() {
            Some(table) => self.action_of_table(key, table, span)?,
            None => self.action_of_name(key, node)?,
        };
        Some(StepKind::Cluster { cluster, action })
    }

    /// An edit of a registry. The outer `None` says that the step is of another kind.
    fn registry_step(
        &mut self,
        key: &str,
        table: &Table,
    ) -> Option<Option<(HostTarget, RegistryEdit)>> {
        if !["set_registry", "delete_registry", "import_reg", "protect_registry"].contains(&key) {
            return None;
        }
        let hosts = table.get("on").and_then(|n| self.step_hosts(n));
        let path = table.get("key").and_then(|n| self.registry_key(n));
        let value = table.text("value").map(str::to_string);
        let edit = match key {
            "set_registry" => {
                let data = match table.get("data") {
                    Some(node) => self.registry_data(node),
                    None => {
                        let span = table.get("key").map(|n| n.span).unwrap_or_default();
                        let mistake = Mistake::new(span, "nothing is said about the data");
                        self.out.add(mistake.hint("add data = 1, or data = \"text\""));
                        None
                    }
                };
                let value = value.unwrap_or_default();
                path.zip(data).map(|(key, data)| RegistryEdit::Set { key, value, data })
            }
            "protect_registry" => path.map(|key| RegistryEdit::Protect {
                key,
                accounts: table
                    .items("accounts")
                    .iter()
                    .filter_map(|node| node.text().map(str::to_string))
                    .collect(),
            }),
            "delete_registry" => path.map(|key| match value {
                Some(value) => RegistryEdit::DeleteValue { key, value },
                None => RegistryEdit::DeleteKey { key },
            }),
            _ => table.get("file").and_then(|n| self.reg_text(n)).map(RegistryEdit::Import),
        };
        Some(hosts.zip(edit))
    }

    /// Steps that say only a name.
    fn action_of_name(&mut self, key: &str, node: &Node) -> Option<(ClusterRef, ClusterAction)> {
        let ask = |control| ClusterAction::Ask { through: None, control };
        let text = node.text();
        Some(match key {
            "online_group" | "offline_group" => {
                let (cluster, group) = self.group_named(text?, node.span)?;
                let control = match key {
                    "online_group" => Control::OnlineGroup(group),
                    _ => Control::OfflineGroup(group),
                };
                (cluster, ask(control))
            }
            "online_resource" | "offline_resource" | "fail_resource" | "delete_resource" => {
                let (cluster, resource) = self.resource_named(text?, node.span)?;
                if key != "online_resource" && key != "fail_resource" {
                    self.refuse_quorum(cluster, resource, key, node.span);
                }
                let control = match key {
                    "online_resource" => Control::OnlineResource(resource),
                    "offline_resource" => Control::OfflineResource(resource),
                    "fail_resource" => Control::FailResource(resource),
                    _ => Control::DeleteResource(resource),
                };
                (cluster, ask(control))
            }
            "pause_node" | "resume_node" | "evict_node" => {
                let (cluster, id) = self.node_named(node)?;
                let control = match key {
                    "pause_node" => Control::PauseNode(id),
                    "resume_node" => Control::ResumeNode(id),
                    _ => Control::EvictNode(id),
                };
                (cluster, ask(control))
            }
            "recover_checkpoints" => {
                let cluster = self.cluster_named(Some(node), node.span)?;
                (cluster, ask(Control::RecoverCheckpoints))
            }
            "change_password" => {
                let cluster = self.cluster_named(text.map(|_| node), node.span)?;
                (cluster, ClusterAction::ChangePassword)
            }
            "replace_disk" => {
                let (cluster, disk) = self.disk_named(text?, node.span)?;
                (cluster, ClusterAction::ReplaceDisk(disk))
            }
            _ => {
                let (cluster, nodes) = self.step_nodes(node)?;
                let action = match key {
                    "stop_cluster_service" => ClusterAction::StopService(nodes),
                    "start_cluster_service" => {
                        ClusterAction::StartService { nodes, switches: switches_of(&[]) }
                    }
                    "kill_cluster_service" => ClusterAction::KillService(nodes),
                    "hang_cluster_service" => ClusterAction::HangService { nodes, lasts: None },
                    _ => return None,
                };
                (cluster, action)
            }
        })
    }

    /// The quorum resource is neither taken offline nor deleted.
    fn refuse_quorum(&mut self, cluster: ClusterRef, resource: ResourceId, key: &str, span: Span) {
        let config = &self.plan.clusters[cluster.index()].config;
        if config.quorum != QuorumKind::Disk(resource) {
            return;
        }
        let (what, error) = match key {
            "delete_resource" => ("deleted", 5068),
            _ => ("taken offline", 5020),
        };
        let mistake = Mistake::new(span, format!("the quorum resource cannot be {what}"));
        self.out.add(mistake.hint(format!("error {error} (Q186548)")));
    }

    fn action_of_table(
        &mut self,
        key: &str,
        table: &Table,
        span: Span,
    ) -> Option<(ClusterRef, ClusterAction)> {
        match key {
            "move_group" => return self.move_group(table),
            "start_cluster_service" => {
                let (cluster, nodes) = self.step_nodes(table.get("on")?)?;
                let mut switches = switches_of(table.items("switches"));
                if let Some(node) = table.get("force_quorum") {
                    let plan = self.plan.clusters[cluster.index()].clone();
                    switches.force_quorum = Some(self.node_set(&plan, node));
                    if plan.config.quorum != QuorumKind::MajorityNodeSet {
                        let mistake = Mistake::new(node.span, "only a majority node set is forced");
                        self.out.add(mistake.hint("a disk quorum has fixquorum (KB 258078)"));
                    }
                }
                return Some((cluster, ClusterAction::StartService { nodes, switches }));
            }
            "hang_cluster_service" => {
                let (cluster, nodes) = self.step_nodes(table.get("on")?)?;
                let lasts = table.parse("lasts", values::range);
                return Some((cluster, ClusterAction::HangService { nodes, lasts }));
            }
            "add_checkpoint" | "remove_checkpoint" => return self.checkpoint_step(key, table),
            "set_property" => return self.set_property(table, span),
            "create_resource" => return self.create_resource(table, span),
            "create_shares" => return self.create_shares(table, span),
            "cluster_registry" => return self.cluster_registry(table, span),
            "delete_file" | "damage_file" => return self.cluster_file(key, table, span),
            "set_signature" => {
                let node = table.get("disk")?;
                let (cluster, disk) = self.disk_named(node.text()?, node.span)?;
                let text = table.text("signature")?;
                let Some(signature) = signature(text) else {
                    let span = table.get("signature").map_or(span, |n| n.span);
                    let mistake = Mistake::new(span, format!("`{text}` is no signature"));
                    self.out.add(mistake.hint("write eight hexadecimal digits: \"1A2B3C4D\""));
                    return None;
                };
                return Some((cluster, ClusterAction::SetSignature { disk, signature }));
            }
            "set_quorum_log_max" => {
                let cluster = self.cluster_named(table.get("cluster"), span)?;
                let bytes = table.parse("size", values::size)?;
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                let control = Control::SetQuorumLogMax(bytes);
                return Some((cluster, ClusterAction::Ask { through: None, control }));
            }
            _ => {}
        }
        None
    }

    /// The node that is asked, if the step says which; it must be one of the cluster.
    fn through(&mut self, cluster: ClusterRef, table: &Table) -> Option<NodeId> {
        let node = table.get("through")?;
        let host = self.host(node)?;
        let plan = self.plan.clusters[cluster.index()].clone();
        self.node_of(&plan, host, node.span)
    }

    fn move_group(&mut self, table: &Table) -> Option<(ClusterRef, ClusterAction)> {
        let node = table.get("group")?;
        let (cluster, group) = self.group_named(node.text()?, node.span)?;
        let to = match table.get("to") {
            Some(node) => {
                let host = self.host(node)?;
                let plan = self.plan.clusters[cluster.index()].clone();
                Some(self.node_of(&plan, host, node.span)?)
            }
            None => None,
        };
        let through = self.through(cluster, table);
        let control = Control::MoveGroup { group, to };
        Some((cluster, ClusterAction::Ask { through, control }))
    }

    fn checkpoint_step(&mut self, key: &str, table: &Table) -> Option<(ClusterRef, ClusterAction)> {
        let node = table.get("resource")?;
        let found = self.resource_named(node.text()?, node.span);
        let path = table.get("key").and_then(|n| self.registry_key(n));
        let ((cluster, resource), key_path) = (found?, path?);
        let through = self.through(cluster, table);
        let control = match key {
            "add_checkpoint" => Control::AddCheckpoint { resource, key: key_path },
            _ => Control::DeleteCheckpoint { resource, key: key_path },
        };
        Some((cluster, ClusterAction::Ask { through, control }))
    }

    fn set_property(&mut self, table: &Table, span: Span) -> Option<(ClusterRef, ClusterAction)> {
        let (cluster, object, known): (_, _, Vec<&str>) =
            match (table.get("resource"), table.get("group")) {
                (Some(node), None) => {
                    let (cluster, resource) = self.resource_named(node.text()?, node.span)?;
                    let config = &self.plan.clusters[cluster.index()].config;
                    let kind = &config.resources[usize::from(resource.0)].kind;
                    let mut known = RESOURCE_PROPERTIES.to_vec();
                    if matches!(kind, ResourceKind::IpAddress { .. }) {
                        known.extend(ADDRESS_PROPERTIES);
                    }
                    (cluster, ClusterObject::Resource(resource), known)
                }
                (None, Some(node)) => {
                    let (cluster, group) = self.group_named(node.text()?, node.span)?;
                    (cluster, ClusterObject::Group(group), GROUP_PROPERTIES.to_vec())
                }
                _ => {
                    let mistake = Mistake::new(span, "a property belongs to one thing");
                    self.out.add(mistake.hint("write `resource` or `group`"));
                    return None;
                }
            };
        let name = table.get("property")?;
        let property = name.text()?.to_string();
        if !known.contains(&property.as_str()) {
            let what = if matches!(object, ClusterObject::Group(_)) { "group" } else { "resource" };
            let mistake = Mistake::new(name.span, format!("a {what} has no property `{property}`"));
            let mistake = mistake.suggest(nearest(&property, known.iter().copied()));
            self.out.add(mistake.note(format!("properties: {}", known.join(", "))));
        }
        let value = match table.get("value").map(|n| &n.value) {
            Some(Value::Integer(Some(n))) => u32::try_from(*n).ok().map(PropertyValue::Number),
            Some(Value::Switch(on)) => Some(PropertyValue::Number(u32::from(*on))),
            Some(Value::Text(text)) => Some(PropertyValue::Text(text.clone())),
            Some(Value::List(items)) => {
                let texts: Option<Vec<String>> =
                    items.iter().map(|n| n.text().map(str::to_string)).collect();
                texts.map(PropertyValue::Texts)
            }
            _ => None,
        };
        let Some(value) = value else {
            let span = table.get("value").map_or(name.span, |n| n.span);
            let mistake = Mistake::new(span, format!("`{property}` needs a value"));
            self.out.add(mistake.hint("write a number, a text or a list of texts"));
            return None;
        };
        Some((cluster, ClusterAction::SetProperty { object, property, value }))
    }

    fn group_of_step(&mut self, table: &Table) -> Option<(ClusterRef, GroupId)> {
        let node = table.get("group")?;
        self.group_named(node.text()?, node.span)
    }

    /// Resources of a group that others come to depend on.
    fn dependencies_there(
        &mut self,
        cluster: ClusterRef,
        group: GroupId,
        table: &Table,
    ) -> Option<Vec<ResourceId>> {
        let mut found = Vec::new();
        for node in table.items("depends_on") {
            let text = node.text()?;
            let (other, resource) = self.resource_named(text, node.span)?;
            let config = &self.plan.clusters[other.index()].config;
            if other != cluster || config.resources[usize::from(resource.0)].group != group {
                let mistake = Mistake::new(node.span, format!("`{text}` is in another group"));
                self.out.add(mistake.hint("dependencies stay within a group (Q171791)"));
                return None;
            }
            found.push(resource);
        }
        Some(found)
    }

    /// A share of NT 4.0 depends on a network name (Q171791).
    fn share_needs_a_name(
        &mut self,
        cluster: ClusterRef,
        depends_on: &[ResourceId],
        table: &Table,
        span: Span,
    ) {
        let config = &self.plan.clusters[cluster.index()].config;
        let is_name = |on: &ResourceId| {
            matches!(config.resources[usize::from(on.0)].kind, ResourceKind::NetworkName { .. })
        };
        let nt40 = config.profile.version == ClusterVersion::Nt40;
        if nt40 && !depends_on.iter().any(is_name) {
            let span = table.get("depends_on").map_or(span, |node| node.span);
            let mistake = Mistake::new(span, "a file share depends on no network name");
            self.out.add(mistake.hint("NT 4.0 demands one (Q171791): add it to `depends_on`"));
        }
    }

    fn create_resource(
        &mut self,
        table: &Table,
        span: Span,
    ) -> Option<(ClusterRef, ClusterAction)> {
        let (cluster, group) = self.group_of_step(table)?;
        let depends_on = self.dependencies_there(cluster, group, table);
        let word = table.text("type")?;
        let needed: &[&str] = match word {
            "generic-service" => &["service"],
            "generic-application" => &["command"],
            _ => &["share", "path"],
        };
        for key in needed.iter().filter(|key| table.get(key).is_none()) {
            self.mistake(span, format!("a {word} needs the key `{key}`"));
        }
        let text = |key: &str| table.text(key).map(str::to_string);
        let kind = match word {
            "generic-service" => {
                ResourceKind::GenericService { service: text("service")?, use_network_name: false }
            }
            "generic-application" => ResourceKind::GenericApplication {
                command_line: text("command")?,
                use_network_name: false,
            },
            _ => ResourceKind::FileShare { share: text("share")?, path: text("path")? },
        };
        if let (ResourceKind::FileShare { .. }, Some(on)) = (&kind, &depends_on) {
            self.share_needs_a_name(cluster, on, table, span);
        }
        if let (ResourceKind::GenericService { service, .. }, Some(node)) =
            (&kind, table.get("service"))
        {
            for host in self.plan.clusters[cluster.index()].hosts.clone() {
                if !self.has_program(host, service, node.span) {
                    break;
                }
            }
        }
        let name = text("resource")?;
        let config = &self.plan.clusters[cluster.index()].config;
        if let (true, Some(node)) =
            (config.resources.iter().any(|r| r.name == name), table.get("resource"))
        {
            let mistake = Mistake::new(node.span, format!("there is a resource `{name}` already"));
            self.out.add(mistake.hint("error 5010"));
        }
        let list = vec![ResourceConfig::new(name, kind, group, depends_on?)];
        Some((cluster, ClusterAction::CreateResources(list)))
    }

    fn create_shares(&mut self, table: &Table, span: Span) -> Option<(ClusterRef, ClusterAction)> {
        let (cluster, group) = self.group_of_step(table)?;
        let depends_on = self.dependencies_there(cluster, group, table)?;
        self.share_needs_a_name(cluster, &depends_on, table, span);
        let path = table.text("path")?;
        let share = table.text("share").unwrap_or("share-{n}");
        let count = table.count("count")?;
        if let (true, Some(node)) = (count > 1 && !share.contains("{n}"), table.get("share")) {
            let mistake =
                Mistake::new(node.span, format!("{count} shares would be called `{share}`"));
            self.out.add(mistake.hint("use {n} in it"));
        }
        let list = (1..=count).map(|n| {
            let fill = |text: &str| text.replace("{n}", &n.to_string());
            let kind = ResourceKind::FileShare { share: fill(share), path: fill(path) };
            ResourceConfig::new(fill(share), kind, group, depends_on.clone())
        });
        Some((cluster, ClusterAction::CreateResources(list.collect())))
    }

    /// A program that knows the cluster, or an administrator, changes the cluster hive.
    fn cluster_registry(
        &mut self,
        table: &Table,
        span: Span,
    ) -> Option<(ClusterRef, ClusterAction)> {
        let cluster = self.cluster_named(table.get("cluster"), span);
        let path = table.get("key").and_then(|n| self.registry_key(n));
        let name = table.text("value").unwrap_or_default().to_string();
        let data = table.get("data").map(|n| (n, self.registry_data(n)));
        let (cluster, path) = (cluster?, path?);
        let key = path.as_str().to_string();
        let change = match data {
            None => DbChange::DeleteValue { key, name },
            Some((node, data)) => {
                let data = match data? {
                    Data::Dword(n) => DbData::Number(n),
                    Data::Sz(text) => DbData::Text(text.to_string()),
                    Data::MultiSz(list) => {
                        DbData::Texts(list.iter().map(|text| text.to_string()).collect())
                    }
                    Data::Binary(bytes) => DbData::Bytes(bytes.to_vec()),
                    _ => {
                        let message = "the cluster registry has no such kind of value";
                        let mistake = Mistake::new(node.span, message);
                        self.out
                            .add(mistake.hint("write a number, a text, a list or { hex = .. }"));
                        return None;
                    }
                };
                DbChange::SetValue { key, name, data }
            }
        };
        let through = self.through(cluster, table);
        let control = Control::ChangeDatabase(vec![change]);
        Some((cluster, ClusterAction::Ask { through, control }))
    }

    fn cluster_file(
        &mut self,
        key: &str,
        table: &Table,
        span: Span,
    ) -> Option<(ClusterRef, ClusterAction)> {
        let node = table.get("file")?;
        let text = node.text()?;
        let change = match (key, table.text("how")) {
            ("delete_file", _) => FileChange::Delete,
            (_, Some("truncate")) => FileChange::Truncate,
            (_, Some("empty")) => FileChange::Empty,
            _ => FileChange::Damage,
        };
        if let (true, Some(how)) = (key == "delete_file", table.get("how")) {
            self.mistake(how.span, "a deleted file has no `how`");
        }
        if text == "checkpoint" {
            let Some(of) = table.get("resource") else {
                let mistake = Mistake::new(node.span, "whose checkpoint?");
                self.out.add(mistake.hint("add `resource`"));
                return None;
            };
            let (cluster, resource) = self.resource_named(of.text()?, of.span)?;
            let key = self.checkpointed_key(cluster, resource, table.get("key"))?;
            let file = ClusterFile::Checkpoint { resource, key };
            return Some((cluster, ClusterAction::File { file, change }));
        }
        if text == "clusdb"
            && let Some(on) = table.get("on")
        {
            let (cluster, nodes) = self.step_nodes(on)?;
            let file = ClusterFile::Clusdb(nodes);
            return Some((cluster, ClusterAction::File { file, change }));
        }
        let cluster = self.cluster_named(table.get("cluster"), span)?;
        let plan = &self.plan.clusters[cluster.index()];
        let file = match text {
            "quorum-log" => ClusterFile::QuorumLog,
            "hive-checkpoint" => ClusterFile::HiveCheckpoint,
            "clusdb" => {
                ClusterFile::Clusdb(HostTarget { hosts: plan.hosts.clone(), choose: Choose::All })
            }
            path => {
                let letter = path.chars().next().unwrap_or(' ').to_ascii_uppercase();
                let disk = plan.config.disks.iter().position(|d| d.letter == letter);
                let (Some(disk), Some((_, path))) = (disk, path.split_once(":\\")) else {
                    let words = ["quorum-log", "hive-checkpoint", "checkpoint", "clusdb"];
                    let mistake =
                        Mistake::new(node.span, format!("`{text}` is no file of the cluster"));
                    let mistake = mistake.suggest(nearest(text, words.into_iter()));
                    self.out.add(mistake.note(format!(
                        "write {}, or a path on a shared disk such as Q:\\MSCS\\quolog.log",
                        words.join(", ")
                    )));
                    return None;
                };
                let disk = crate::cluster::DiskId(disk as u16);
                ClusterFile::OnDisk { disk, path: path.to_string() }
            }
        };
        Some((cluster, ClusterAction::File { file, change }))
    }

    /// A key that the resource checkpoints, or all of them if none is said. The outer `None`: a mistake.
    pub(super) fn checkpointed_key(
        &mut self,
        cluster: ClusterRef,
        resource: ResourceId,
        node: Option<&Node>,
    ) -> Option<Option<String>> {
        let Some(node) = node else { return Some(None) };
        let path = self.registry_key(node)?;
        let config = &self.plan.clusters[cluster.index()].config;
        let resource = &config.resources[usize::from(resource.0)];
        let keys = &resource.checkpoints;
        let is = |key: &&String| KeyPath::parse(key).is_ok_and(|key| key == path);
        // One that a step adds is as good; whether it is there at that time, the run shows.
        let added = self.plan.steps.iter().any(|step| match &step.kind {
            StepKind::Cluster {
                action: ClusterAction::Ask { control: Control::AddCheckpoint { key, .. }, .. },
                ..
            } => *key == path,
            _ => false,
        });
        if !added && !keys.iter().any(|key| is(&key)) {
            let mistake = Mistake::new(node.span, format!("`{path}` is not checkpointed"));
            let mistake = mistake.suggest(nearest(path.as_str(), keys.iter().map(String::as_str)));
            let name = &resource.name;
            self.out.add(match keys.is_empty() {
                true => mistake.note(format!("resource `{name}` has no `checkpoints`")),
                false => mistake.note(format!("checkpoints of `{name}`: {}", keys.join(", "))),
            });
            return None;
        }
        Some(Some(path.as_str().to_string()))
    }
}

/// Eight hexadecimal digits.
fn signature(text: &str) -> Option<u32> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}
