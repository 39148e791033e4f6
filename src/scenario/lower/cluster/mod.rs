//! Clusters: from what a person writes to what the nodes are started with.
//!
//! In this order: the version, the nodes, networks and disks, then the names of all groups and resources,
//! then each resource, then what they must be together. What a version never supported is refused here with
//! the reason that it had.

mod checks;
mod groups;
mod happenings;
mod profile;
mod refs;
mod resources;
mod servers;
mod steps;

use super::Build;
use crate::base::SimDuration;
use crate::cluster::{
    ClusterConfig, ClusterProfile, DiskConfig, DiskId, GroupId, NetworkConfig, NetworkId,
    NetworkRole, NodeConfig, NodeId, NodeSet, QuorumKind, ResourceId, StartSwitches,
};
use crate::scenario::cluster::{ClusterPlan, SharedDiskPlan};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Entry, Node, Span, Table};
use crate::scenario::plan::{DurationRange, HostRef};
use crate::scenario::values;
use crate::sim::disk::DiskParams;
use crate::wire::{NetbiosName, Suffix};

/// From a node's boot to the start of its cluster service, unless the file says otherwise.
const STARTS_AFTER: DurationRange = DurationRange::fixed(SimDuration::from_secs(5));
/// Signatures made for disks that have none: this one and those after it.
const FIRST_SIGNATURE: u32 = 0x5743_0001;
/// The key and the name of the group that every cluster has.
const CLUSTER_GROUP: (&str, &str) = ("cluster-group", "Cluster Group");

/// A cluster that is being read.
struct Draft<'a> {
    table: &'a Table,
    span: Span,
    plan: ClusterPlan,
    groups: Vec<DraftGroup<'a>>,
    resources: Vec<DraftResource<'a>>,
}

/// A group: its key in the file, and its table there.
struct DraftGroup<'a> {
    key: String,
    table: Option<&'a Table>,
}

/// A resource: its key in the file, and its table there; none for one that setup makes.
struct DraftResource<'a> {
    key: String,
    group: GroupId,
    span: Span,
    table: Option<&'a Table>,
    /// Whether what it is and what it depends on could be read: otherwise the mistake has been reported, and
    /// nothing more is asked of it.
    known: bool,
}

impl Build<'_> {
    pub(super) fn clusters(&mut self) {
        for entry in self.named("cluster") {
            let Some(table) = entry.node.table() else { continue };
            let mut draft = self.draft(entry, table);
            self.nodes(&mut draft);
            self.cluster_profile(&mut draft);
            self.node_count(&draft);
            self.networks(&mut draft);
            self.shared_disks(&mut draft);
            self.cluster_groups(&mut draft);
            self.cluster_resources(&mut draft);
            self.quorum(&mut draft);
            self.check_cluster(&draft);
            self.start_switches(&mut draft);
            self.plan.clusters.push(draft.plan);
        }
    }

    /// Keeps the addresses of clusters from hosts that are content with any.
    pub(super) fn reserve_virtual_addresses(&mut self) {
        for entry in self.named("cluster") {
            let Some(table) = entry.node.table() else { continue };
            let groups =
                table.get("group").and_then(Node::table).map_or(&[] as &[_], |t| &t.entries);
            let lists = groups.iter().filter_map(|g| g.node.table()?.get("resource")?.table());
            let resources = lists.flat_map(|t| &t.entries).filter_map(|r| r.node.table());
            for table in resources.chain([table]) {
                self.reserved.extend(table.parse("address", values::address));
            }
        }
    }

    fn draft<'a>(&mut self, entry: &Entry, table: &'a Table) -> Draft<'a> {
        let computer = table.text("computer").unwrap_or(&entry.key).to_uppercase();
        let span = table.get("computer").map_or(entry.key_span, |n| n.span);
        if let Err(error) = NetbiosName::new(&computer, Suffix::SERVER) {
            let mistake = Mistake::new(span, error.to_string());
            self.out.add(mistake.hint("set `computer` to a shorter one"));
        } else if let Some(host) = self.hosts_by_computer.get(&computer) {
            let host = self.plan.hosts[host.index()].name.clone();
            let message = format!("network name {computer} is already that of host `{host}`");
            self.out.add(Mistake::new(span, message).hint("set `computer` to another"));
        }
        let config = ClusterConfig {
            name: computer,
            profile: ClusterProfile::nt40(6),
            nodes: Vec::new(),
            networks: Vec::new(),
            disks: Vec::new(),
            quorum: QuorumKind::Local,
            groups: Vec::new(),
            resources: Vec::new(),
        };
        let plan = ClusterPlan {
            name: entry.key.clone(),
            config,
            hosts: Vec::new(),
            subnets: Vec::new(),
            disks: Vec::new(),
            starts_after: table.parse("starts_after", values::range).unwrap_or(STARTS_AFTER),
            switches: StartSwitches::default(),
            wins: None,
            changed: Vec::new(),
        };
        let span = entry.key_span;
        Draft { table, span, plan, groups: Vec::new(), resources: Vec::new() }
    }

    /// The hosts that are the nodes, in the order of the file.
    fn nodes(&mut self, draft: &mut Draft<'_>) {
        let Some(node) = draft.table.get("nodes") else { return };
        for item in node.items() {
            let Some(text) = item.text() else { continue };
            for host in self.select(text, item.span).unwrap_or_default() {
                let name = self.plan.hosts[host.index()].name.clone();
                let other = self.plan.clusters.iter().find(|c| c.hosts.contains(&host));
                if let Some(other) = other {
                    let message = format!("host `{name}` is a node of cluster `{}`", other.name);
                    self.out.add(Mistake::new(item.span, message).hint("a host is in one cluster"));
                } else if draft.plan.hosts.contains(&host) {
                    self.mistake(item.span, format!("node `{name}` is listed twice"));
                } else if draft.plan.hosts.len() < usize::from(NodeId::MAX.0) {
                    draft.plan.hosts.push(host);
                    let name = self.plan.hosts[host.index()].computer.clone();
                    draft.plan.config.nodes.push(NodeConfig { name, addresses: Vec::new() });
                } else {
                    let message = format!("a cluster has {} nodes at most", NodeId::MAX.0);
                    self.mistake(node.span, message);
                    return;
                }
            }
        }
        if node.items().is_empty() {
            self.mistake(node.span, "a cluster needs a node");
        }
    }

    /// As many nodes as the version supports, unless the scenario is a study of more.
    fn node_count(&mut self, draft: &Draft<'_>) {
        let (count, most) =
            (draft.plan.hosts.len(), usize::from(draft.plan.config.profile.nodes_max));
        let Some(node) = draft.table.get("nodes") else { return };
        if count > most && !draft.table.switch("study").unwrap_or(false) {
            let version = profile::in_words(&draft.plan.config.profile);
            let message = format!("{count} nodes are more than {version} supports");
            let mistake = Mistake::new(node.span, message).hint(format!("{most} at most"));
            self.out.add(mistake.note("for a study of larger clusters, add study = true"));
        }
    }

    /// Networks are subnets; a node has an address where it has an adapter.
    fn networks(&mut self, draft: &mut Draft<'_>) {
        let Some(node) = draft.table.get("networks") else { return };
        let Some(table) = node.table() else { return };
        for entry in &table.entries {
            let Some(subnet) = self.subnet_named(&entry.key) else {
                let names = self.plan.subnets.iter().map(|s| s.name.as_str());
                let mistake =
                    Mistake::new(entry.key_span, format!("unknown subnet `{}`", entry.key));
                let known: Vec<&str> = names.clone().collect();
                let mistake = mistake.suggest(nearest(&entry.key, names));
                self.out.add(mistake.note(format!("subnets: {}", known.join(", "))));
                continue;
            };
            let role = match entry.node.text() {
                Some("internal") => NetworkRole::Internal,
                Some("client") => NetworkRole::Client,
                Some("none") => NetworkRole::None,
                _ => NetworkRole::All,
            };
            let network = NetworkConfig { name: entry.key.clone(), role };
            draft.plan.config.networks.push(network);
            draft.plan.subnets.push(subnet);
            for (place, &host) in draft.plan.hosts.iter().enumerate() {
                let host = &self.plan.hosts[host.index()];
                let other = host.interfaces.iter().find(|i| i.subnet == subnet);
                let own = (host.subnet == subnet).then_some(host.address);
                let address = own.or(other.map(|i| i.address));
                draft.plan.config.nodes[place].addresses.push(address);
            }
        }
        self.check_networks(draft, node);
    }

    /// Every two nodes must hear each other on some network, or no second node ever joins (event 1079).
    fn check_networks(&mut self, draft: &Draft<'_>, node: &Node) {
        let config = &draft.plan.config;
        if draft.plan.hosts.len() < 2 {
            return;
        }
        let internal: Vec<NetworkId> = config.internal_networks().collect();
        if internal.is_empty() && !config.networks.is_empty() {
            let mistake = Mistake::new(node.span, "no network carries traffic between nodes");
            self.out.add(mistake.hint("make one \"internal\" or \"all\""));
            return;
        }
        let address = |node: &NodeConfig, network: &NetworkId| {
            node.addresses.get(usize::from(network.0)).copied().flatten()
        };
        for (place, node) in config.nodes.iter().enumerate() {
            let others = config.nodes.iter().enumerate().filter(|(other, _)| *other != place);
            let joined = |other: &NodeConfig| {
                internal.iter().any(|n| address(node, n).is_some() && address(other, n).is_some())
            };
            if let Some((other, _)) = others.into_iter().find(|(_, other)| !joined(other))
                && other > place
            {
                let name =
                    |place: usize| self.plan.hosts[draft.plan.hosts[place].index()].name.clone();
                let message = format!(
                    "no network between nodes joins `{}` and `{}` (event 1079)",
                    name(place),
                    name(other)
                );
                let span = draft.table.get("networks").map_or(draft.span, |n| n.span);
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.note("give a host a second adapter with `also_on`"));
            }
        }
    }

    fn shared_disks(&mut self, draft: &mut Draft<'_>) {
        let Some(table) = draft.table.get("disk").and_then(Node::table) else { return };
        for (place, entry) in table.entries.iter().enumerate() {
            let Some(disk) = entry.node.table() else { continue };
            let letter = self.letter(draft, disk, &entry.key);
            let signature = self.signature(draft, disk, place);
            let name = entry.key.clone();
            draft.plan.config.disks.push(DiskConfig { name, signature, letter });
            let usual = DiskParams::default();
            let time = |key, usual| disk.parse(key, values::duration).unwrap_or(usual);
            let platter = DiskParams {
                write: time("write", usual.write),
                read: time("read", usual.read),
                per_page: time("per_page", usual.per_page),
                sync: time("sync", usual.sync),
                capacity: disk.parse("capacity", values::size).unwrap_or(usual.capacity),
            };
            draft.plan.disks.push(SharedDiskPlan {
                platter,
                chkdsk: disk.parse("chkdsk", values::duration),
                dirty: disk.switch("dirty").unwrap_or(false),
            });
        }
    }

    /// A drive letter that no other disk and no node's own disk has.
    fn letter(&mut self, draft: &Draft<'_>, disk: &Table, name: &str) -> char {
        let Some(node) = disk.get("letter") else { return '?' };
        let text = node.text().unwrap_or_default().trim().trim_end_matches(':');
        let mut letters = text.chars();
        let letter = match (letters.next(), letters.next()) {
            (Some(c), None) if c.is_ascii_alphabetic() => c.to_ascii_uppercase(),
            _ => {
                if !text.is_empty() {
                    let mistake = Mistake::new(node.span, format!("`{text}` is no drive letter"));
                    self.out.add(mistake.hint("write one letter, D to Z"));
                }
                return '?';
            }
        };
        let other = draft.plan.config.disks.iter().find(|d| d.letter == letter);
        if letter < 'D' {
            let mistake = Mistake::new(node.span, format!("letter {letter} is each node's own"));
            self.out.add(mistake.hint("shared disks have D to Z"));
        } else if let Some(other) = other {
            let message = format!("disk `{name}` has the letter of disk `{}`", other.name);
            self.out.add(Mistake::new(node.span, message).hint("choose another"));
        }
        letter
    }

    fn signature(&mut self, draft: &Draft<'_>, disk: &Table, place: usize) -> u32 {
        let Some(node) = disk.get("signature") else { return FIRST_SIGNATURE + place as u32 };
        let text = node.text().unwrap_or_default();
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let signature = u32::from_str_radix(text, 16).unwrap_or_default();
        let other = draft.plan.config.disks.iter().find(|d| d.signature == signature);
        if !digits {
            let mistake = Mistake::new(node.span, format!("`{text}` is no signature"));
            self.out.add(mistake.hint("write eight hexadecimal digits: \"1A2B3C4D\""));
        } else if let Some(other) = other {
            let message = format!("disk `{}` has this signature already", other.name);
            let mistake = Mistake::new(node.span, message);
            self.out.add(mistake.note("disks are known by their signatures alone (Q243195)"));
        }
        signature
    }

    fn start_switches(&mut self, draft: &mut Draft<'_>) {
        let words = draft.table.items("switches");
        let mut switches = switches_of(words);
        if let Some(node) = draft.table.get("force_quorum") {
            switches.force_quorum = Some(self.node_set(&draft.plan, node));
            if draft.plan.config.quorum != QuorumKind::MajorityNodeSet {
                let mistake = Mistake::new(node.span, "only a majority node set is forced");
                self.out.add(mistake.hint("a disk quorum has fixquorum (KB 258078)"));
            }
        }
        draft.plan.switches = switches;
    }

    /// The nodes of a cluster that a value names.
    pub(super) fn node_set(&mut self, cluster: &ClusterPlan, node: &Node) -> NodeSet {
        self.node_list(cluster, node).into_iter().collect()
    }

    /// The same, in the order they are written in.
    fn node_list(&mut self, cluster: &ClusterPlan, node: &Node) -> Vec<NodeId> {
        let mut found = Vec::new();
        for item in node.items() {
            let Some(text) = item.text() else { continue };
            for host in self.select(text, item.span).unwrap_or_default() {
                match self.node_of(cluster, host, item.span) {
                    Some(id) if found.contains(&id) => {
                        let name = self.plan.hosts[host.index()].name.clone();
                        self.mistake(item.span, format!("node `{name}` is listed twice"));
                    }
                    Some(id) => found.push(id),
                    None => {}
                }
            }
        }
        found
    }

    /// The number of a host in a cluster; a host that is no node of it is a mistake.
    pub(super) fn node_of(
        &mut self,
        cluster: &ClusterPlan,
        host: HostRef,
        span: Span,
    ) -> Option<NodeId> {
        let place = cluster.hosts.iter().position(|&h| h == host);
        if place.is_none() {
            let name = |h: &HostRef| self.plan.hosts[h.index()].name.as_str();
            let nodes: Vec<&str> = cluster.hosts.iter().map(name).collect();
            let message =
                format!("host `{}` is no node of cluster `{}`", name(&host), cluster.name);
            let mistake = Mistake::new(span, message);
            self.out.add(mistake.note(format!("nodes: {}", nodes.join(", "))));
        }
        place.map(|place| NodeId(place as u8 + 1))
    }
}

/// Switches that stand alone.
pub(super) fn switches_of(words: &[Node]) -> StartSwitches {
    let given = |word: &str| words.iter().any(|n| n.text() == Some(word));
    StartSwitches {
        fix_quorum: given("fixquorum"),
        no_quorum_logging: given("noquorumlogging"),
        reset_quorum_log: given("resetquorumlog"),
        force_quorum: None,
        account: 0,
    }
}

impl Draft<'_> {
    fn config(&self) -> &ClusterConfig {
        &self.plan.config
    }

    fn disk(&self, name: &str) -> Option<DiskId> {
        let place = self.config().disks.iter().position(|d| d.name == name);
        place.map(|place| DiskId(place as u16))
    }

    fn resource_name(&self, id: ResourceId) -> &str {
        &self.config().resources[usize::from(id.0)].name
    }
}
