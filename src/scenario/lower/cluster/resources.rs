//! Resources, one by one: what each is, its timers, its keys, whom it depends on.

use super::groups::{CLUSTER_IP, CLUSTER_NAME};
use super::profile::{in_words, version_word};
use super::{Draft, DraftResource};
use crate::cluster::{
    ClusterVersion, DiskId, NetworkId, NetworkRole, ResourceConfig, ResourceId, ResourceKind,
    RestartAction,
};
use crate::registry::KeyPath;
use crate::registry::services::{dhcp, wins};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Span, Table};
use crate::scenario::language::RESOURCE_PROPERTIES;
use crate::scenario::lower::Build;
use crate::scenario::lower::hosts::fresh_wins;
use crate::scenario::plan::{HostProfile, WinsPlan};
use crate::scenario::values;
use std::net::Ipv4Addr;

/// A type, the keys it must have, and those it may have.
type Properties = (&'static str, &'static [&'static str], &'static [&'static str]);

const PROPERTIES: [Properties; 9] = [
    ("physical-disk", &[], &["disk", "skip_chkdsk", "conditional_mount"]),
    ("ip-address", &["address"], &["network", "netbios"]),
    ("network-name", &["name"], &[]),
    ("generic-service", &["service"], &["use_network_name"]),
    ("generic-application", &["command"], &["use_network_name"]),
    ("file-share", &["share", "path"], &[]),
    ("time-service", &[], &[]),
    ("wins", &["database_path"], &["backup_path", "server"]),
    ("dhcp", &["database_path"], &["backup_path"]),
];

impl Build<'_> {
    pub(super) fn cluster_resources(&mut self, draft: &mut Draft<'_>) {
        for place in 0..draft.resources.len() {
            let id = ResourceId(place as u16);
            let kind = self.resource_kind(draft, id);
            let own = &draft.resources[place];
            let (group, table) = (own.group, own.table);
            let empty = Table::default();
            let settings = table.unwrap_or(&empty);
            let name = draft.full_name(id);
            let depends_on = match table {
                Some(table) => self.dependencies(draft, id, table),
                None => setup_dependencies(draft, id),
            };
            let wanted = table.map_or(depends_on.len(), |t| t.items("depends_on").len());
            draft.resources[place].known = kind.is_some() && depends_on.len() == wanted;
            let config = ResourceConfig {
                name,
                kind: kind.unwrap_or_else(harmless),
                group,
                depends_on,
                possible_owners: self.possible_owners(draft, settings),
                looks_alive: settings.parse("looks_alive", values::interval),
                is_alive: settings.parse("is_alive", values::interval),
                pending_timeout: settings.parse("pending_timeout", values::interval),
                restart_action: match settings.text("restart") {
                    Some("never") => RestartAction::None,
                    Some("alone") => RestartAction::Restart,
                    _ => RestartAction::AffectGroup,
                },
                restart_threshold: settings.count("restart_threshold").map(|n| n as u32),
                restart_period: settings.parse("restart_period", values::duration),
                separate_monitor: settings.switch("separate_monitor").unwrap_or(false),
                checkpoints: self.checkpoints(settings),
            };
            let config = with_own_keys(config);
            draft.plan.config.resources.push(config);
        }
    }

    /// What a resource is; `None` for one that is refused or not understood.
    fn resource_kind(&mut self, draft: &mut Draft<'_>, id: ResourceId) -> Option<ResourceKind> {
        let own = &draft.resources[usize::from(id.0)];
        let Some(table) = own.table else { return self.made_kind(draft, id) };
        let node = table.get("type")?;
        let word = node.text().unwrap_or_default();
        if self.refused(draft, word, node.span) || !self.properties(word, table, own.span) {
            return None;
        }
        let text = |key: &str| table.text(key).unwrap_or_default().to_string();
        let on = |key: &str| table.switch(key);
        let kind = match word {
            "physical-disk" => self.disk_of(draft, own, table).map(|disk| {
                let skip_chkdsk = on("skip_chkdsk").unwrap_or(false);
                let conditional_mount = on("conditional_mount").unwrap_or(false);
                ResourceKind::PhysicalDisk { disk, skip_chkdsk, conditional_mount }
            }),
            "ip-address" => {
                let key = own.key.clone();
                let netbios = on("netbios").unwrap_or(true);
                self.virtual_address(draft, table, &key)
                    .map(|(address, network)| ResourceKind::IpAddress { address, network, netbios })
            }
            "network-name" => Some(ResourceKind::NetworkName { name: text("name").to_uppercase() }),
            "generic-service" => Some(ResourceKind::GenericService {
                service: text("service"),
                use_network_name: on("use_network_name").unwrap_or(false),
            }),
            "generic-application" => Some(ResourceKind::GenericApplication {
                command_line: text("command"),
                use_network_name: on("use_network_name").unwrap_or(false),
            }),
            "file-share" => {
                Some(ResourceKind::FileShare { share: text("share"), path: text("path") })
            }
            "time-service" => Some(ResourceKind::TimeService),
            "wins" | "dhcp" => {
                let database_path = text("database_path");
                let backup_path = match table.text("backup_path") {
                    Some(path) => path.to_string(),
                    None => format!("{database_path}backup\\"),
                };
                Some(match word {
                    "wins" => ResourceKind::Wins { database_path, backup_path },
                    _ => ResourceKind::Dhcp { database_path, backup_path },
                })
            }
            _ => None,
        };
        if word == "wins" {
            draft.plan.wins = Some(clustered_wins(draft));
        }
        kind
    }

    /// A type that this version does not have is refused with the reason it had.
    fn refused(&mut self, draft: &Draft<'_>, word: &str, span: Span) -> bool {
        let profile = &draft.plan.config.profile;
        let version = version_word(profile.version);
        let service = word.to_uppercase();
        match word {
            "dns" | "wins" | "dhcp"
                if profile.version == ClusterVersion::Nt40
                    && (word == "dns" || !profile.clusters_wins_and_dhcp) =>
            {
                let mistake =
                    Mistake::new(span, format!("{service} is no resource of an NT 4.0 cluster"))
                        .note("Cluster Server 1.0 does not support WINS, DHCP or DNS (Q174956): their")
                        .note("databases and bindings belong to one node and do not fail over with a group");
                self.out.add(match word {
                    "dns" => mistake
                        .note("instead: a secondary DNS server for each zone, and clients that know both"),
                    _ => mistake
                        .note("instead: two WINS servers as push and pull partners, and clients with both,")
                        .note("primary and secondary; for DHCP, a scope split between two servers"),
                });
            }
            "dns" => self.out.add(
                Mistake::new(span, format!("DNS is no resource of a {version} cluster"))
                    .note("no version has a resource type for DNS: the service keeps its own copies of a zone,")
                    .note("on a secondary server or in the directory, and needs no failover")
                    .note("instead: two DNS servers for each zone; or, without support, a generic-service"),
            ),
            "wins" | "dhcp" if !profile.clusters_wins_and_dhcp => {
                let message = format!("{service} is no resource here");
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.hint("the profile has clusters_wins_and_dhcp = false"));
            }
            "time-service" if profile.version != ClusterVersion::Nt40 => {
                let message = format!("a {} cluster has no Time Service", in_words(profile));
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.hint("the system keeps the clocks of its nodes itself"));
            }
            _ => return false,
        }
        true
    }

    /// Whether a resource has the properties of its type; those of others are mistakes.
    fn properties(&mut self, word: &str, table: &Table, span: Span) -> bool {
        let Some((_, needed, may)) = PROPERTIES.iter().find(|(name, ..)| *name == word) else {
            return false; // which has been reported
        };
        let mut sound = true;
        for entry in &table.entries {
            let key = entry.key.as_str();
            let property = RESOURCE_PROPERTIES.iter().any(|k| k.name == key);
            if property && !needed.contains(&key) && !may.contains(&key) {
                let mistake = Mistake::new(entry.key_span, format!("{} has no `{key}`", a(word)));
                let other = PROPERTIES
                    .iter()
                    .filter(|(_, needed, may)| needed.contains(&key) || may.contains(&key));
                let others: Vec<&str> = other.map(|(name, ..)| *name).collect();
                self.out.add(mistake.hint(format!("that belongs to {}", others.join(", "))));
            }
        }
        for key in needed.iter().filter(|key| table.get(key).is_none()) {
            let doc = RESOURCE_PROPERTIES.iter().find(|k| k.name == *key).map_or("", |k| k.doc);
            let mistake = Mistake::new(span, format!("{} needs the key `{key}`", a(word)));
            self.out.add(mistake.note(format!("`{key}`: {doc}")));
            sound = false;
        }
        sound
    }

    fn disk_of(
        &mut self,
        draft: &Draft<'_>,
        own: &DraftResource<'_>,
        table: &Table,
    ) -> Option<DiskId> {
        let (name, span) = match table.get("disk") {
            Some(node) => (node.text()?, node.span),
            None => (own.key.as_str(), own.span),
        };
        let found = draft.disk(name);
        if found.is_none() {
            let known: Vec<&str> =
                draft.plan.config.disks.iter().map(|d| d.name.as_str()).collect();
            let mistake = Mistake::new(span, format!("no shared disk is called `{name}`"));
            let mistake = match table.get("disk") {
                Some(_) => mistake.suggest(nearest(name, known.iter().copied())),
                None => mistake.hint("say which with `disk`"),
            };
            self.out.add(match known.is_empty() {
                true => mistake.note("the cluster has none: write disk.data = { letter = \"F\" }"),
                false => mistake.note(format!("disks: {}", known.join(", "))),
            });
        }
        found
    }

    /// The address of an IP Address resource and the network it belongs to.
    fn virtual_address(
        &mut self,
        draft: &Draft<'_>,
        table: &Table,
        key: &str,
    ) -> Option<(Ipv4Addr, NetworkId)> {
        let node = table.get("address")?;
        let address = values::address(node.text()?).ok()?;
        let networks = &draft.plan.config.networks;
        let subnet =
            |n: NetworkId| &self.plan.subnets[draft.plan.subnets[usize::from(n.0)].index()];
        let all = (0..networks.len() as u8).map(NetworkId);
        let fits = all.into_iter().find(|n| subnet(*n).contains(address));
        let said = table.get("network");
        let network = match said.and_then(Node::text) {
            Some(name) => networks.iter().position(|n| n.name == name).map(|i| NetworkId(i as u8)),
            None => fits,
        };
        let Some(network) = network else {
            let known: Vec<&str> = networks.iter().map(|n| n.name.as_str()).collect();
            let mistake = match said.and_then(|n| Some((n.span, n.text()?))) {
                Some((span, name)) => Mistake::new(span, format!("unknown network `{name}`"))
                    .suggest(nearest(name, known.iter().copied())),
                None => {
                    Mistake::new(node.span, format!("{address} fits no network of the cluster"))
                }
            };
            self.out.add(mistake.note(format!("networks: {}", known.join(", "))));
            return None;
        };
        let place = subnet(network);
        let (text, name) = (
            format!("{}/{}", place.network, place.prefix),
            networks[usize::from(network.0)].name.clone(),
        );
        if !place.contains(address) {
            let message = format!("{address} is no address of network `{name}` ({text})");
            let mistake = Mistake::new(node.span, message);
            let mistake = match fits {
                Some(n) => mistake.hint(format!("it fits `{}`", networks[usize::from(n.0)].name)),
                None => mistake,
            };
            self.out.add(mistake.note("it could not go online on any adapter there (event 1045)"));
            return None;
        }
        let role = networks[usize::from(network.0)].role;
        if matches!(role, NetworkRole::Internal | NetworkRole::None) {
            let span = said.unwrap_or(node).span;
            let message = format!("network `{name}` is not for clients");
            let mistake = Mistake::new(span, message);
            self.out.add(mistake.hint("make it \"all\" or \"client\", or take another network"));
        }
        let owner = format!("resource `{key}` of cluster `{}`", draft.plan.name);
        let subnet = draft.plan.subnets[usize::from(network.0)];
        self.take_address(subnet, address, &owner, node.span);
        Some((address, network))
    }

    /// The resources that setup makes.
    fn made_kind(&mut self, draft: &Draft<'_>, id: ResourceId) -> Option<ResourceKind> {
        let key = draft.resources[usize::from(id.0)].key.clone();
        match key.as_str() {
            CLUSTER_IP => {
                self.virtual_address(draft, draft.table, &key).map(|(address, network)| {
                    ResourceKind::IpAddress { address, network, netbios: true }
                })
            }
            CLUSTER_NAME => {
                Some(ResourceKind::NetworkName { name: draft.plan.config.name.clone() })
            }
            disk => draft.disk(disk).map(|disk| ResourceKind::PhysicalDisk {
                disk,
                skip_chkdsk: false,
                conditional_mount: false,
            }),
        }
    }

    fn possible_owners(&mut self, draft: &Draft<'_>, table: &Table) -> Vec<crate::cluster::NodeId> {
        let Some(node) = table.get("possible_owners") else { return Vec::new() };
        if node.items().is_empty() {
            let mistake = Mistake::new(node.span, "this resource has no possible owner");
            self.out.add(
                mistake
                    .hint("leave the key out: then every node can run it")
                    .note("a group goes only where all of its resources can (Q224967): error 5071"),
            );
        }
        self.node_list(&draft.plan, node)
    }

    /// Keys to checkpoint, each once and relative to HKLM.
    fn checkpoints(&mut self, table: &Table) -> Vec<String> {
        let mut keys: Vec<KeyPath> = Vec::new();
        for node in table.items("checkpoints") {
            let Some(key) = self.registry_key(node) else { continue };
            if keys.contains(&key) {
                let message = format!("`{key}` is checkpointed twice for this resource");
                let mistake = Mistake::new(node.span, message);
                self.out.add(mistake.hint("the second is refused: error 183, already there"));
                continue;
            }
            keys.push(key);
        }
        keys.iter().map(|key| key.as_str().to_string()).collect()
    }

    /// The resources a resource depends on: of its own group, each once.
    fn dependencies(
        &mut self,
        draft: &Draft<'_>,
        id: ResourceId,
        table: &Table,
    ) -> Vec<ResourceId> {
        let own = &draft.resources[usize::from(id.0)];
        let mut found = Vec::new();
        for node in table.items("depends_on") {
            let Some(text) = node.text() else { continue };
            let is = |r: &DraftResource<'_>| {
                let group = &draft.groups[usize::from(r.group.0)].key;
                r.key == text || text.split_once('/').is_some_and(|(g, k)| g == group && k == r.key)
            };
            let in_group = draft.resources.iter().position(|r| r.group == own.group && is(r));
            match in_group {
                Some(place) if place == usize::from(id.0) => {
                    self.mistake(node.span, format!("`{text}` cannot depend on itself"));
                }
                Some(place) if found.contains(&ResourceId(place as u16)) => {
                    self.mistake(node.span, "this resource is listed twice");
                }
                Some(place) => found.push(ResourceId(place as u16)),
                None => self.no_such_dependency(draft, own, text, node.span, &is),
            }
        }
        found
    }

    fn no_such_dependency(
        &mut self,
        draft: &Draft<'_>,
        own: &DraftResource<'_>,
        text: &str,
        span: Span,
        is: &dyn Fn(&DraftResource<'_>) -> bool,
    ) {
        let group = |r: &DraftResource<'_>| draft.groups[usize::from(r.group.0)].key.as_str();
        if let Some(other) = draft.resources.iter().find(|r| is(r)) {
            let message =
                format!("`{text}` is in group `{}`, not in `{}`", group(other), group(own));
            let mistake = Mistake::new(span, message);
            self.out.add(mistake.hint("dependencies stay within a group (Q171791)"));
            return;
        }
        let known: Vec<&str> = draft
            .resources
            .iter()
            .filter(|r| r.group == own.group && r.key != own.key)
            .map(|r| r.key.as_str())
            .collect();
        let message = format!("group `{}` has no resource `{text}`", group(own));
        let mistake = Mistake::new(span, message).suggest(nearest(text, known.iter().copied()));
        self.out.add(match known.is_empty() {
            true => mistake.note("it has no other resource"),
            false => mistake.note(format!("resources there: {}", known.join(", "))),
        });
    }
}

/// The server behind a WINS resource, not set up: that waits until all servers are known.
fn clustered_wins(draft: &Draft<'_>) -> WinsPlan {
    fresh_wins(match draft.plan.config.profile.version {
        ClusterVersion::Nt40 => HostProfile::Nt40 { sp: draft.plan.config.profile.service_pack },
        ClusterVersion::W2k => HostProfile::W2k,
        ClusterVersion::W2k3 => HostProfile::W2k3,
    })
}

/// The network name that setup makes depends on the address it makes.
fn setup_dependencies(draft: &Draft<'_>, id: ResourceId) -> Vec<ResourceId> {
    if draft.resources[usize::from(id.0)].key != CLUSTER_NAME {
        return Vec::new();
    }
    let ip = draft.resources.iter().position(|r| r.table.is_none() && r.key == CLUSTER_IP);
    ip.map(|place| ResourceId(place as u16)).into_iter().collect()
}

/// A DHCP or WINS server's own keys follow it without being listed: KB 816913 shows that DHCP's do.
fn with_own_keys(mut config: ResourceConfig) -> ResourceConfig {
    let keys = match config.kind {
        ResourceKind::Dhcp { .. } => &dhcp::CHECKPOINT_KEYS[..],
        ResourceKind::Wins { .. } => &wins::CHECKPOINT_KEYS[..],
        _ => &[],
    };
    for key in keys {
        if !config.checkpoints.iter().any(|own| own.eq_ignore_ascii_case(key)) {
            config.checkpoints.push(key.to_string());
        }
    }
    config
}

/// A type with its article.
fn a(word: &str) -> String {
    format!("{} {word}", if word.starts_with('i') { "an" } else { "a" })
}

/// Stands for a resource that could not be read.
fn harmless() -> ResourceKind {
    ResourceKind::GenericApplication { command_line: String::new(), use_network_name: false }
}
