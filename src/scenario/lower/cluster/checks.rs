//! What the parts of a cluster must be together: quorum, dependencies, owners, paths, services.

use super::Draft;
use super::profile::in_words;
use crate::cluster::{
    ClusterVersion, NodeId, NodeSet, QuorumKind, ResourceConfig, ResourceId, ResourceKind,
};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Span, Table};
use crate::scenario::lower::Build;
use crate::scenario::plan::HostRef;

impl Build<'_> {
    /// What decides who is the cluster.
    pub(super) fn quorum(&mut self, draft: &mut Draft<'_>) {
        let Some(node) = draft.table.get("quorum") else { return };
        let Some(text) = node.text() else { return };
        let profile = &draft.plan.config.profile;
        match text {
            "local" => {
                if draft.plan.hosts.len() > 1 {
                    let count = draft.plan.hosts.len();
                    let message = format!("a local quorum is for one node, not for {count}");
                    let mistake = Mistake::new(node.span, message);
                    self.out.add(
                        mistake.hint("name a disk").note(
                            "it serves development on a single node and cannot grow (Q245626)",
                        ),
                    );
                }
            }
            "majority-node-set" => {
                if profile.version < ClusterVersion::W2k3 {
                    let message = format!("{} has no majority node set", in_words(profile));
                    let mistake = Mistake::new(node.span, message).hint("name a disk");
                    self.out.add(mistake.note("it came with Server 2003: profile = \"w2k3\""));
                }
                draft.plan.config.quorum = QuorumKind::MajorityNodeSet;
            }
            name => {
                if let Some(resource) = self.quorum_disk(draft, name, node) {
                    draft.plan.config.quorum = QuorumKind::Disk(resource);
                }
            }
        }
    }

    fn quorum_disk(&mut self, draft: &Draft<'_>, name: &str, node: &Node) -> Option<ResourceId> {
        let config = &draft.plan.config;
        let numbered = (0u16..).map(ResourceId).zip(&config.resources);
        let disk = draft.disk(name);
        let found = numbered.into_iter().find(|(_, r)| {
            matches!(r.kind, ResourceKind::PhysicalDisk { disk: own, .. } if Some(own) == disk)
        });
        let Some((id, resource)) = found else {
            let known: Vec<&str> = config.disks.iter().map(|d| d.name.as_str()).collect();
            let other = config.resources.iter().any(|r| r.name == name)
                || config.networks.iter().any(|n| n.name == name);
            let message = match other {
                true => format!("the quorum `{name}` is no disk"),
                false => format!("no shared disk is called `{name}`"),
            };
            let words = known.iter().copied().chain(["local", "majority-node-set"]);
            let mistake = Mistake::new(node.span, message).suggest(nearest(name, words));
            let mistake = mistake.note(
                "a Physical Disk is the only built-in resource that can arbitrate; or write \"local\" or \
                 \"majority-node-set\"",
            );
            self.out.add(match known.is_empty() {
                true => {
                    mistake.note("the cluster has no disk: write disk.quorum = { letter = \"Q\" }")
                }
                false => mistake.note(format!("disks: {}", known.join(", "))),
            });
            return None;
        };
        if !resource.depends_on.is_empty() {
            let table = draft.resources[usize::from(id.0)].table;
            let span = table.and_then(|t| t.get("depends_on")).map_or(node.span, |n| n.span);
            let message = format!("the quorum resource `{}` depends on something", resource.name);
            let mistake = Mistake::new(span, message).hint("remove it");
            self.out.add(mistake.note("it is the first to go online: error 5069 (Q175664)"));
        }
        Some(id)
    }

    /// Everything that needs all resources to be known.
    pub(super) fn check_cluster(&mut self, draft: &Draft<'_>) {
        self.check_cycles(draft);
        for place in 0..draft.config().resources.len() {
            let id = ResourceId(place as u16);
            self.check_needs(draft, id);
            self.check_owners(draft, id);
            self.check_program(draft, id);
        }
        self.check_singletons(draft);
        self.check_groups(draft);
        self.check_disks(draft);
    }

    /// A cycle of dependencies is named as a path, once.
    fn check_cycles(&mut self, draft: &Draft<'_>) {
        let resources = &draft.config().resources;
        // 0 for not seen, 1 for on the way, 2 for done.
        let mut seen = vec![0u8; resources.len()];
        for start in 0..resources.len() {
            // Every entry is a resource and how many of its dependencies were followed.
            let mut way: Vec<(usize, usize)> = vec![(start, 0)];
            if seen[start] != 0 {
                continue;
            }
            seen[start] = 1;
            while let Some(&mut (at, ref mut next)) = way.last_mut() {
                let Some(to) = resources[at].depends_on.get(*next) else {
                    seen[at] = 2;
                    way.pop();
                    continue;
                };
                *next += 1;
                let to = usize::from(to.0);
                match seen[to] {
                    0 => {
                        seen[to] = 1;
                        way.push((to, 0));
                    }
                    1 => self.report_cycle(draft, &way, to),
                    _ => {}
                }
            }
        }
    }

    fn report_cycle(&mut self, draft: &Draft<'_>, way: &[(usize, usize)], to: usize) {
        let from = way.iter().position(|(at, _)| *at == to).unwrap_or(0);
        let mut names: Vec<&str> =
            way[from..].iter().map(|(at, _)| draft.config().resources[*at].name.as_str()).collect();
        names.push(draft.config().resources[to].name.as_str());
        let last = way.last().map_or(to, |(at, _)| *at);
        let span = self.setting_span(draft, ResourceId(last as u16), "depends_on");
        let message = format!("these resources depend on each other: {}", names.join(" -> "));
        let mistake = Mistake::new(span, message);
        self.out.add(mistake.hint("none of them could go online first"));
    }

    /// Where a key of a resource stands, or the resource if it is not there.
    fn setting_span(&self, draft: &Draft<'_>, id: ResourceId, key: &str) -> Span {
        let own = &draft.resources[usize::from(id.0)];
        own.table.and_then(|t| t.get(key)).map_or(own.span, |n| n.span)
    }

    /// What each type must depend on.
    fn check_needs(&mut self, draft: &Draft<'_>, id: ResourceId) {
        let resources = &draft.config().resources;
        let resource = &resources[usize::from(id.0)];
        let known = |id: &ResourceId| draft.resources[usize::from(id.0)].known;
        if !known(&id) || !resource.depends_on.iter().all(known) {
            return;
        }
        let direct: Vec<&ResourceConfig> =
            resource.depends_on.iter().map(|d| &resources[usize::from(d.0)]).collect();
        let addresses = |netbios_only: bool| {
            direct.iter().any(|r| match r.kind {
                ResourceKind::IpAddress { netbios, .. } => netbios || !netbios_only,
                _ => false,
            })
        };
        let names = direct.iter().filter(|r| matches!(r.kind, ResourceKind::NetworkName { .. }));
        let names = names.count();
        let span = self.setting_span(draft, id, "depends_on");
        match &resource.kind {
            ResourceKind::NetworkName { .. } if !addresses(false) => {
                let message =
                    format!("the network name `{}` depends on no IP Address", resource.name);
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.hint("add one of its group to `depends_on`"));
            }
            ResourceKind::NetworkName { .. } if !addresses(true) => {
                let message =
                    format!("the network name `{}` has no address that NetBT uses", resource.name);
                let mistake = Mistake::new(span, message);
                self.out.add(
                    mistake
                        .hint("its IP Address has netbios = false")
                        .note("such a name goes from node to node and ends offline (Q217057)"),
                );
            }
            ResourceKind::GenericService { use_network_name: true, .. }
            | ResourceKind::GenericApplication { use_network_name: true, .. }
                if names != 1 =>
            {
                let span = self.setting_span(draft, id, "use_network_name");
                let message = format!("`{}` depends on {}", resource.name, count_word(names));
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.hint("use_network_name needs exactly one, directly").note(
                    "a name further down the chain gives \"dependency cannot be found\" (Q182193)",
                ));
            }
            ResourceKind::FileShare { .. }
                if names == 0 && draft.config().profile.version == ClusterVersion::Nt40 =>
            {
                let message =
                    format!("the file share `{}` depends on no network name", resource.name);
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.hint("NT 4.0 demands one (Q171791)"));
            }
            ResourceKind::Wins { .. } => self.check_database(draft, id, addresses(false)),
            ResourceKind::Dhcp { .. } => {
                self.check_database(draft, id, draft.plan.address_below(id).is_some());
                if draft.plan.name_below(id).is_none() {
                    self.missing_below("DHCP", &resource.name, "Network Name", span);
                }
            }
            _ => {}
        }
    }

    fn missing_below(&mut self, what: &str, name: &str, kind: &str, span: Span) {
        let message = format!("the {what} resource `{name}` depends on no {kind}");
        self.out.add(Mistake::new(span, message).hint("add one of its group to `depends_on`"));
    }

    /// WINS and DHCP keep their databases on a disk of their group and serve at one of its addresses.
    fn check_database(&mut self, draft: &Draft<'_>, id: ResourceId, has_address: bool) {
        let resource = &draft.config().resources[usize::from(id.0)];
        let (what, paths) = match &resource.kind {
            ResourceKind::Wins { database_path, backup_path } => {
                ("WINS", [("database_path", database_path), ("backup_path", backup_path)])
            }
            ResourceKind::Dhcp { database_path, backup_path } => {
                ("DHCP", [("database_path", database_path), ("backup_path", backup_path)])
            }
            _ => return,
        };
        let span = self.setting_span(draft, id, "depends_on");
        let letters = disk_letters(draft, id);
        for (missing, kind) in [(letters.is_empty(), "Physical Disk"), (!has_address, "IP Address")]
        {
            if missing {
                self.missing_below(what, &resource.name, kind, span);
            }
        }
        for (key, path) in paths {
            let table = draft.resources[usize::from(id.0)].table;
            let Some(node) = table.and_then(|t| t.get(key)) else { continue };
            self.check_path(path, key, &letters, node.span);
        }
    }

    fn check_path(&mut self, path: &str, key: &str, letters: &[char], span: Span) {
        let lower = path.to_lowercase();
        let rule = "such a path ends with a backslash and lies on a disk the resource depends on";
        let mut refuse = |message: String, hint: String| {
            self.out.add(Mistake::new(span, message).hint(hint).note(rule));
        };
        let letter = path.chars().next().unwrap_or(' ').to_ascii_uppercase();
        let rooted = path.get(1..3) == Some(":\\") && letter.is_ascii_alphabetic();
        if lower.trim_start_matches('%').starts_with("systemroot") {
            let message = format!("`{key}` is on each node's own disk");
            return refuse(message, "it begins with systemroot".to_string());
        }
        if !rooted {
            let message = format!("`{key}` has no drive letter");
            return refuse(message, "write F:\\wins\\".to_string());
        }
        if !path.ends_with('\\') {
            let message = format!("`{key}` does not end with a backslash");
            return refuse(message, format!("write {path}\\"));
        }
        if !letters.is_empty() && !letters.contains(&letter) {
            let known: Vec<String> = letters.iter().map(|l| format!("{l}:")).collect();
            let message = format!("the resource does not depend on disk {letter}:");
            refuse(message, format!("it depends on {}", known.join(", ")));
        }
    }

    /// Preferred owners, and those of the other resources of the group, must leave a node to run it.
    fn check_owners(&mut self, draft: &Draft<'_>, id: ResourceId) {
        let config = draft.config();
        let resource = &config.resources[usize::from(id.0)];
        let ResourceKind::IpAddress { network, .. } = resource.kind else { return };
        for node in owners(draft, resource).iter() {
            let there =
                config.node(node).and_then(|n| n.addresses.get(usize::from(network.0)).copied());
            if there.flatten().is_none() && draft.resources[usize::from(id.0)].table.is_some() {
                let network = &config.networks[usize::from(network.0)].name;
                let host = draft.plan.hosts[usize::from(node.0) - 1];
                let name = self.plan.hosts[host.index()].name.clone();
                let span = self.setting_span(draft, id, "possible_owners");
                let message = format!("`{name}` has no adapter on network `{network}`");
                let mistake = Mistake::new(span, message);
                self.out.add(
                    mistake
                        .hint("leave it out of `possible_owners`, or give it one with `also_on`"),
                );
            }
        }
    }

    /// A generic service must be a service of every node that can run it.
    fn check_program(&mut self, draft: &Draft<'_>, id: ResourceId) {
        let resource = &draft.config().resources[usize::from(id.0)];
        let ResourceKind::GenericService { service, .. } = &resource.kind else { return };
        for node in owners(draft, resource).iter() {
            let host = draft.plan.hosts[usize::from(node.0) - 1];
            let span = self.setting_span(draft, id, "service");
            if !self.has_program(host, service, span) {
                return;
            }
        }
    }

    /// Whether a host has an invented service; complains if not.
    pub(super) fn has_program(&mut self, host: HostRef, program: &str, span: Span) -> bool {
        let programs = &self.plan.group_of(host).programs;
        if programs.iter().any(|p| p.name.eq_ignore_ascii_case(program)) {
            return true;
        }
        let name = &self.plan.hosts[host.index()].name;
        let known: Vec<&str> = programs.iter().map(|p| p.name.as_str()).collect();
        let mistake = Mistake::new(span, format!("host `{name}` has no service `{program}`"));
        let mistake = mistake.suggest(nearest(program, known.iter().copied()));
        let template = &self.plan.group_of(host).template;
        let write = format!("[host.\"{template}\".service.{program}]");
        self.out.add(match known.is_empty() {
            true => {
                mistake.note(format!("it must be installed on every node that can run it: {write}"))
            }
            false => mistake.note(format!("services there: {}", known.join(", "))),
        });
        false
    }

    /// Types of which a cluster has one.
    fn check_singletons(&mut self, draft: &Draft<'_>) {
        let word = |kind: &ResourceKind| match kind {
            ResourceKind::TimeService => Some("Time Service"),
            ResourceKind::Wins { .. } => Some("WINS service"),
            ResourceKind::Dhcp { .. } => Some("DHCP service"),
            _ => None,
        };
        let mut first: Vec<(&str, &str)> = Vec::new();
        for (place, resource) in draft.config().resources.iter().enumerate() {
            let Some(word) = word(&resource.kind) else { continue };
            let Some((_, other)) = first.iter().find(|(known, _)| *known == word) else {
                first.push((word, &resource.name));
                continue;
            };
            let span = self.setting_span(draft, ResourceId(place as u16), "type");
            let message = format!("a cluster has one {word}, and `{other}` is it");
            let mistake = Mistake::new(span, message);
            self.out.add(mistake.hint("error 5017"));
        }
    }

    /// A group must have a node that can run all of its resources, and prefer only such.
    fn check_groups(&mut self, draft: &Draft<'_>) {
        let config = draft.config();
        for (place, group) in config.groups.iter().enumerate() {
            let mut can: NodeSet = config.node_ids().collect();
            let own = config.resources.iter().enumerate();
            let own = own.filter(|(_, r)| usize::from(r.group.0) == place);
            for (id, resource) in own {
                let before = can;
                can = can.and(owners(draft, resource));
                if can.is_empty() && !before.is_empty() && !owners(draft, resource).is_empty() {
                    let span = self.setting_span(draft, ResourceId(id as u16), "possible_owners");
                    let message = format!("no node can run all of group `{}`", group.name);
                    let mistake = Mistake::new(span, message);
                    self.out.add(
                        mistake
                            .hint("the other resources have other possible owners")
                            .note("a group goes only where all of its resources can (Q224967)"),
                    );
                }
            }
            let out: Vec<NodeId> =
                group.preferred_owners.iter().copied().filter(|n| !can.contains(*n)).collect();
            let node = draft.groups[place].table.and_then(|t: &Table| t.get("preferred"));
            if let (Some(node), Some(first)) = (node, out.first())
                && !can.is_empty()
            {
                let host = draft.plan.hosts[usize::from(first.0) - 1];
                let name = self.plan.hosts[host.index()].name.clone();
                let message = format!("`{name}` cannot run group `{}`", group.name);
                let mistake = Mistake::new(node.span, message);
                self.out
                    .add(mistake.hint("it is no possible owner of all its resources: error 5071"));
            }
        }
    }

    /// A disk is the resource of one group at most.
    fn check_disks(&mut self, draft: &Draft<'_>) {
        let mut first: Vec<(u16, usize)> = Vec::new();
        for (place, resource) in draft.config().resources.iter().enumerate() {
            let ResourceKind::PhysicalDisk { disk, .. } = resource.kind else { continue };
            let Some((_, other)) = first.iter().find(|(known, _)| *known == disk.0) else {
                first.push((disk.0, place));
                continue;
            };
            let span = self.setting_span(draft, ResourceId(place as u16), "disk");
            let other = draft.resource_name(ResourceId(*other as u16));
            let name = &draft.config().disks[usize::from(disk.0)].name;
            let message = format!("disk `{name}` is already that of resource `{other}`");
            self.out.add(Mistake::new(span, message).hint("a disk is one resource"));
        }
    }
}

/// The nodes that can run a resource.
fn owners(draft: &Draft<'_>, resource: &ResourceConfig) -> NodeSet {
    match resource.possible_owners.is_empty() {
        true => draft.config().node_ids().collect(),
        false => resource.possible_owners.iter().copied().collect(),
    }
}

/// The letters of the disks a resource depends on, directly or not.
fn disk_letters(draft: &Draft<'_>, id: ResourceId) -> Vec<char> {
    let letter = |id: ResourceId| match draft.plan.kind(id) {
        ResourceKind::PhysicalDisk { disk, .. } => {
            Some(draft.plan.config.disks[usize::from(disk.0)].letter)
        }
        _ => None,
    };
    let mut letters: Vec<char> = draft.plan.below(id).into_iter().filter_map(letter).collect();
    letters.sort_unstable();
    letters
}

fn count_word(names: usize) -> String {
    match names {
        0 => "no network name".to_string(),
        n => format!("{n} network names"),
    }
}
