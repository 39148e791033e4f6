//! What texts refer to: hosts by name, pattern or words; NetBIOS names; addresses.

use super::Build;
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Span};
use crate::scenario::expand;
use crate::scenario::plan::{HostRef, SubnetRef};
use crate::scenario::story::{Choose, HostTarget, LookupTarget};
use crate::wire::{NetbiosName, Suffix};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The sets that have a name of their own.
const SETS: &str = "hosts, clients, wins-servers, subnet NAME, domain NAME";

impl Build<'_> {
    /// A set of hosts that may be drawn from: `one of wins-*`.
    pub(super) fn target(&mut self, node: &Node) -> Option<HostTarget> {
        let mut hosts = BTreeSet::new();
        let mut choose = Choose::All;
        let mut failed = false;
        let items = node.items();
        for item in items {
            let Some(text) = item.text() else { continue };
            if let Some(owner) = self.in_words(text, item.span) {
                if items.len() > 1 {
                    self.mistake(item.span, "a word for nodes cannot be one of several in a list");
                }
                return owner;
            }
            let (drawn, rest) = quantity(text);
            if drawn != Choose::All && items.len() > 1 {
                self.mistake(item.span, "a part of a set cannot be one of several in a list");
            }
            choose = drawn;
            match self.select(rest, item.span) {
                Some(found) => hosts.extend(found),
                None => failed = true,
            }
        }
        if hosts.is_empty() && !failed {
            self.mistake(node.span, "this names no host");
        }
        (!hosts.is_empty()).then(|| HostTarget { hosts: hosts.into_iter().collect(), choose })
    }

    /// A set of hosts, all of it.
    pub(super) fn host_set(&mut self, node: &Node) -> Vec<HostRef> {
        let Some(target) = self.target(node) else { return Vec::new() };
        match target.choose {
            Choose::All => {}
            Choose::One | Choose::Half | Choose::Count(_) => {
                let mistake = Mistake::new(node.span, "only faults are drawn from a set");
                self.out.add(mistake.hint("name the hosts"));
            }
            _ => {
                let mistake = Mistake::new(node.span, "nobody owns anything before the run");
                self.out.add(mistake.hint("name the hosts"));
            }
        }
        target.hosts
    }

    /// The hosts a text stands for, in plan order. Complains and gives `None` if there are none.
    pub(super) fn select(&mut self, text: &str, span: Span) -> Option<Vec<HostRef>> {
        let text = text.trim();
        if let Some(&host) = self.hosts_by_name.get(text) {
            return Some(vec![host]);
        }
        let all = (0..self.plan.hosts.len() as u32).map(HostRef);
        let found: Vec<HostRef> = if let Some(name) = text.strip_prefix("subnet ") {
            let node = text_node(name.trim(), span);
            let subnet = self.subnet(&node)?;
            all.filter(|h| self.plan.hosts[h.index()].subnet == subnet).collect()
        } else if let Some(name) = text.strip_prefix("domain ") {
            let domain = self.domain(&text_node(name.trim(), span))?;
            let nbt = |h: &HostRef| self.plan.group_of(*h).nbt.as_ref();
            all.filter(|h| nbt(h).is_some_and(|n| n.domain == Some(domain))).collect()
        } else if let Some(name) = text.strip_prefix("cluster ") {
            let cluster = self.cluster_named(Some(&text_node(name.trim(), span)), span)?;
            self.plan.clusters[cluster.index()].hosts.clone()
        } else if text.contains('{') {
            return self.select_template(text, span);
        } else {
            let group = |h: HostRef| self.plan.group_of(h);
            match text {
                "hosts" => all.collect(),
                "clients" => {
                    all.filter(|&h| group(h).wins.is_none() && group(h).nbt.is_some()).collect()
                }
                "wins-servers" | "wins servers" => {
                    all.filter(|&h| group(h).wins.is_some()).collect()
                }
                _ => all
                    .filter(|h| {
                        text.contains('*')
                            && expand::matches(text, &self.plan.hosts[h.index()].name)
                    })
                    .collect(),
            }
        };
        if found.is_empty() {
            self.unknown_host(text, span);
            return None;
        }
        Some(found)
    }

    fn select_template(&mut self, text: &str, span: Span) -> Option<Vec<HostRef>> {
        let names = match expand::expand(text) {
            Ok(names) => names,
            Err(unfit) => {
                self.out.add(Mistake::new(span, format!("bad template `{text}`")).hint(unfit.why));
                return None;
            }
        };
        let mut hosts = Vec::new();
        for made in names {
            match self.hosts_by_name.get(&made.name) {
                Some(&host) => hosts.push(host),
                None => {
                    self.unknown_host(&made.name, span);
                    return None;
                }
            }
        }
        Some(hosts)
    }

    fn unknown_host(&mut self, text: &str, span: Span) {
        let message = if text.contains('*') {
            format!("`{text}` matches no host")
        } else {
            format!("unknown host `{text}`")
        };
        let known = self.hosts_by_name.keys().map(String::as_str);
        let near = nearest(text, known.filter(|_| !text.contains('*'))).map(str::to_string);
        let mut entries: Vec<&str> = self.plan.groups.iter().map(|g| g.template.as_str()).collect();
        entries.dedup();
        let near = near.or_else(|| {
            let patterns: Vec<String> =
                self.plan.groups.iter().map(|g| format!("{}-*", g.label)).collect();
            nearest(text, patterns.iter().map(String::as_str)).map(str::to_string)
        });
        let mistake = Mistake::new(span, message).suggest(near.as_deref());
        let hosts = format!("hosts: {}", entries.join(", "));
        let cluster = if self.plan.clusters.is_empty() { "" } else { ", cluster NAME" };
        let sets = format!("or a set: {SETS}{cluster}, a pattern with *");
        self.out.add(mistake.note(hosts).note(sets));
    }

    /// One host by its name.
    pub(super) fn host(&mut self, node: &Node) -> Option<HostRef> {
        let text = node.text()?;
        let found = self.hosts_by_name.get(text).copied();
        if found.is_none() {
            self.unknown_host(text, node.span);
        }
        found
    }

    /// One WINS server: a host that runs it, or a cluster's.
    pub(super) fn wins_host(&mut self, node: &Node) -> Option<HostRef> {
        if let Some(server) = self.clustered_named(node) {
            return Some(server);
        }
        let host = self.host(node)?;
        self.needs_wins(host, node.span).then_some(host)
    }

    /// Several WINS servers.
    pub(super) fn wins_hosts(&mut self, node: &Node) -> Vec<HostRef> {
        if matches!(node.text(), Some("wins-servers" | "wins servers")) {
            let all: Vec<HostRef> = self.plan.wins_servers().collect();
            if !all.is_empty() {
                return all;
            }
        }
        if !node.items().iter().any(|item| self.clustered_named(item).is_some()) {
            let hosts = self.host_set(node);
            return hosts.into_iter().filter(|&h| self.needs_wins(h, node.span)).collect();
        }
        let mut servers = BTreeSet::new();
        for item in node.items() {
            match self.clustered_named(item) {
                Some(server) => drop(servers.insert(server)),
                None => servers.extend(self.wins_hosts(item)),
            }
        }
        servers.into_iter().collect()
    }

    /// WINS services that an administrator starts and stops himself: those of a cluster it starts and stops.
    pub(super) fn wins_services(&mut self, node: &Node) -> Vec<HostRef> {
        let servers = self.wins_hosts(node);
        if let Some(&clustered) = servers.iter().find(|&&s| self.plan.wins_cluster(s).is_some()) {
            let name = self.plan.server_name(clustered);
            let message = format!("the WINS server `{name}` is a resource of a cluster");
            let hint = "use the steps offline_resource and online_resource";
            self.out.add(Mistake::new(node.span, message).hint(hint));
        }
        servers
    }

    /// The clustered server that a value names, unless a host has that name.
    fn clustered_named(&self, node: &Node) -> Option<HostRef> {
        let text = node.text().filter(|text| !self.hosts_by_name.contains_key(*text))?;
        self.clustered_server(text)
    }

    fn needs_wins(&mut self, host: HostRef, span: Span) -> bool {
        if self.plan.group_of(host).wins.is_some() {
            return true;
        }
        let name = &self.plan.hosts[host.index()].name;
        let message = format!("host `{name}` runs no WINS");
        let servers: Vec<String> =
            self.plan.wins_servers().map(|h| self.plan.server_name(h)).collect();
        let note = match servers.is_empty() {
            true => "no host does: give one `wins = true`".to_string(),
            false => format!("WINS servers: {}", servers.join(", ")),
        };
        self.out.add(Mistake::new(span, message).note(note));
        false
    }

    /// Every host with a client and without WINS: who a condition is about unless it says otherwise.
    pub(super) fn clients(&self) -> Vec<HostRef> {
        let all = (0..self.plan.hosts.len() as u32).map(HostRef);
        let (servers, clients): (Vec<HostRef>, Vec<HostRef>) = all
            .filter(|&h| self.plan.group_of(h).nbt.is_some())
            .partition(|&h| self.plan.group_of(h).wins.is_some());
        if clients.is_empty() { servers } else { clients }
    }

    /// The names a text stands for: `CORP#1C`, or hosts, whose server names are meant.
    pub(super) fn lookup_targets(&mut self, text: &str, span: Span) -> Vec<LookupTarget> {
        if text.contains('#') {
            return match text.parse::<NetbiosName>() {
                Ok(name) => vec![self.target_of(name)],
                Err(error) => {
                    self.mistake(span, error.to_string());
                    Vec::new()
                }
            };
        }
        if let Some(name) = self.virtual_name(text) {
            let resource = self.network_name(&name);
            return vec![LookupTarget { name, host: None, resource }];
        }
        let known = self.hosts_by_name.contains_key(text);
        if !known
            && !text.contains(['*', '{', ' '])
            && !["hosts", "clients", "wins-servers"].contains(&text)
        {
            let near = nearest(text, self.hosts_by_name.keys().map(String::as_str));
            let mistake = Mistake::new(span, format!("no host is called `{text}`")).suggest(near);
            let note = format!(
                "for a name that is no host's, write its suffix too: \"{}#20\"",
                text.to_uppercase()
            );
            self.out.add(mistake.note(note));
            return Vec::new();
        }
        let hosts = self.select(text, span).unwrap_or_default();
        let name = |h: HostRef| {
            let computer = &self.plan.hosts[h.index()].computer;
            NetbiosName::new(computer, Suffix::SERVER).ok()
        };
        hosts
            .into_iter()
            .filter_map(|h| Some(LookupTarget { name: name(h)?, host: Some(h), resource: None }))
            .collect()
    }

    /// Exactly one name.
    pub(super) fn lookup_target(&mut self, node: &Node) -> Option<LookupTarget> {
        let targets = self.lookup_targets(node.text()?, node.span);
        if targets.len() > 1 {
            self.mistake(node.span, "one name is wanted here, not several");
        }
        targets.into_iter().next()
    }

    fn target_of(&self, name: NetbiosName) -> LookupTarget {
        let base = String::from_utf8_lossy(name.base()).into_owned();
        let unique = !matches!(name.suffix().0, 0x1B..=0x1E);
        let host = self.hosts_by_computer.get(&base).copied().filter(|_| unique);
        let resource = if unique && host.is_none() { self.network_name(&name) } else { None };
        LookupTarget { name, host, resource }
    }

    /// An address, written as such or as the host that has it.
    pub(super) fn address_of(&mut self, node: &Node) -> Option<(Ipv4Addr, Option<HostRef>)> {
        let text = node.text()?;
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            let host = self.plan.hosts.iter().position(|h| h.address == address);
            let host = host.map(|i| HostRef(i as u32));
            return Some((address, host.or_else(|| self.clustered_server(text))));
        }
        if let Some(server) = self.clustered_named(node) {
            return Some((self.plan.server_address(server), Some(server)));
        }
        let host = self.host(node)?;
        Some((self.plan.hosts[host.index()].address, Some(host)))
    }

    /// Addresses in a list; a pattern stands for the addresses of its hosts.
    pub(super) fn addresses_of(&mut self, items: &[Node]) -> Vec<Ipv4Addr> {
        let mut addresses = Vec::new();
        for node in items {
            match node.text() {
                Some(text) if text.contains(['*', '{']) => {
                    let hosts = self.select(text, node.span).unwrap_or_default();
                    addresses.extend(hosts.iter().map(|h| self.plan.hosts[h.index()].address));
                }
                _ => addresses.extend(self.address_of(node).map(|(address, _)| address)),
            }
        }
        addresses
    }

    /// Subnets, if every item names one.
    pub(super) fn subnet_named(&self, name: &str) -> Option<SubnetRef> {
        self.plan.subnets.iter().position(|s| s.name == name).map(SubnetRef::of)
    }
}

/// A node that is not in the file but stands for a part of one that is.
pub(super) fn text_node(text: &str, span: Span) -> Node {
    Node { span, value: crate::scenario::document::Value::Text(text.to_string()) }
}

/// `one of`, `half of`, `3 of`, `all`; without any, all.
fn quantity(text: &str) -> (Choose, &str) {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("all ") {
        return (Choose::All, rest.trim().trim_start_matches("of "));
    }
    let Some((count, rest)) = text.split_once(" of ") else { return (Choose::All, text) };
    match count.trim() {
        "one" => (Choose::One, rest),
        "half" => (Choose::Half, rest),
        n => match n.parse::<u32>() {
            Ok(n) if n > 0 => (Choose::Count(n), rest),
            _ => (Choose::All, text),
        },
    }
}
