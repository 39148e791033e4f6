//! Hosts: templates expanded, addresses given, what an entry's hosts share gathered in groups.

use super::Build;
use crate::base::{SimDuration, SimTime};
use crate::nbt::NbtProfile;
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Entry, Node, Table};
use crate::scenario::expand::{Expanded, expand, label};
use crate::scenario::plan::{
    Boot, ClockPlan, DomainPlan, DomainRef, DurationRange, GroupPlan, GroupRef, HostPlan,
    HostProfile, HostRef, NbtPlan, NbtRole, OwnName, SubnetRef, WinsPlan,
};
use crate::scenario::values;
use crate::sim::cpu::CpuConfig;
use crate::sim::disk::DiskParams;
use crate::wins::{WinsProfile, WinsVersion};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, Suffix};
use std::net::Ipv4Addr;
use std::ops::Range;

/// From power-on to the first packet, unless the file says otherwise.
pub const BOOT_TAKES: DurationRange = DurationRange::fixed(SimDuration::from_secs(30));
/// Waiting work a WINS server has room for (Q154410).
const QUEUE_MAX: usize = 25_000;

impl Build<'_> {
    pub(super) fn domains(&mut self) {
        for entry in self.named("domain") {
            let table = entry.node.table();
            let node = table.map_or(Some(&entry.node), |t| t.get("name"));
            let netbios = node.and_then(Node::text).unwrap_or_default().to_uppercase();
            let workgroup = table.and_then(|t| t.switch("workgroup")).unwrap_or(false);
            self.plan.domains.push(DomainPlan { name: entry.key.clone(), netbios, workgroup });
        }
    }

    /// The domain a value names.
    pub(super) fn domain(&mut self, node: &Node) -> Option<DomainRef> {
        let name = node.text()?;
        let found = self.plan.domains.iter().position(|d| d.name == name);
        if found.is_none() {
            let known: Vec<&str> = self.plan.domains.iter().map(|d| d.name.as_str()).collect();
            let mistake = Mistake::new(node.span, format!("unknown domain `{name}`"));
            let mistake = mistake.suggest(nearest(name, known.iter().copied()));
            let mistake = match known.is_empty() {
                true => mistake.note(
                    "the scenario declares none: write [domain] and below it: corp = \"CORP\"",
                ),
                false => mistake.note(format!("domains: {}", known.join(", "))),
            };
            self.out.add(mistake);
        }
        found.map(|i| DomainRef(i as u32))
    }

    pub(super) fn hosts(&mut self) {
        for (index, entry) in self.named("host").iter().enumerate() {
            let names = match expand(&entry.key) {
                Ok(names) => names,
                Err(unfit) => {
                    let mistake =
                        Mistake::new(entry.key_span, format!("bad template `{}`", entry.key));
                    self.out.add(mistake.hint(unfit.why));
                    continue;
                }
            };
            let Some(table) = entry.node.table() else { continue };
            let runs_wins = match table.get("wins") {
                Some(node) => table.switch("wins").unwrap_or(node.table().is_some()),
                None => false,
            };
            let subnet = table.get("on").and_then(|node| self.subnet(node));
            // A subnet that is missing or unknown has been reported; any other keeps the host known.
            let subnet = subnet.or((!self.plan.subnets.is_empty()).then_some(SubnetRef(0)));
            let Some(subnet) = subnet else { continue };
            let group = self.group(entry, table, runs_wins);
            for (n, made) in names.iter().enumerate() {
                if n == 0 || runs_wins {
                    self.plan.groups.push(group.clone());
                    self.group_entries.push(index);
                }
                let group = GroupRef(self.plan.groups.len() as u32 - 1);
                self.add_host(entry, table, made, names.len(), group, subnet);
            }
        }
    }

    fn add_host(
        &mut self,
        entry: &Entry,
        table: &Table,
        made: &Expanded,
        count: usize,
        group: GroupRef,
        subnet: SubnetRef,
    ) {
        if !self.claim(&made.name, "host", entry.key_span) {
            return;
        }
        let fill = |text: &str| text.replace("{n}", &made.number);
        let computer = table.text("computer").map_or(made.name.clone(), fill).to_uppercase();
        let span = table.get("computer").map_or(entry.key_span, |n| n.span);
        let host = HostRef(self.plan.hosts.len() as u32);
        if let Err(error) = NetbiosName::new(&computer, Suffix::SERVER) {
            let mistake = Mistake::new(span, error.to_string());
            self.out.add(mistake.hint("set `computer` to a shorter one"));
        } else if let Some(other) = self.hosts_by_computer.get(&computer) {
            let other = &self.plan.hosts[other.index()].name;
            let message = format!("computer name {computer} is already that of host `{other}`");
            let mistake = Mistake::new(span, message);
            let hint = if count > 1 { "use {n} in it" } else { "choose another" };
            self.out.add(mistake.hint(hint));
        }
        let boot = match table.get("boot") {
            Some(node) if node.text() == Some("off") => Boot::Off,
            Some(node) => {
                let range = node.text().and_then(|t| values::time_range(t).ok());
                let (low, high) = range.unwrap_or_default();
                self.in_run(high, node.span);
                Boot::Between { low, high }
            }
            None => Boot::Between { low: SimTime::ZERO, high: SimTime::ZERO },
        };
        let user = self.own_name(table.get("user"), made, Suffix::MESSENGER);
        let mut extra_names = Vec::new();
        for (key, group) in [("names", false), ("group_names", true)] {
            for node in table.items(key) {
                let name = self.own_name(Some(node), made, Suffix::SERVER);
                extra_names.extend(name.map(|name| OwnName { name, group }));
            }
        }
        self.hosts_by_name.insert(made.name.clone(), host);
        self.hosts_by_computer.entry(computer.clone()).or_insert(host);
        self.plan.hosts.push(HostPlan {
            name: made.name.clone(),
            computer,
            group,
            subnet,
            address: Ipv4Addr::UNSPECIFIED,
            interfaces: Vec::new(),
            boot,
            user,
            extra_names,
        });
    }

    fn own_name(
        &mut self,
        node: Option<&Node>,
        made: &Expanded,
        suffix: Suffix,
    ) -> Option<NetbiosName> {
        let node = node?;
        let text = node.text()?.replace("{n}", &made.number);
        if text.trim().is_empty() {
            return None; // which has been reported
        }
        let result = match text.contains('#') {
            true => text.parse(),
            false => NetbiosName::new(&text, suffix),
        };
        result.map_err(|error| self.mistake(node.span, error.to_string())).ok()
    }

    /// What the hosts of an entry share; partners and servers come later, when all hosts are known.
    fn group(&mut self, entry: &Entry, table: &Table, runs_wins: bool) -> GroupPlan {
        let (profile, name) = profile(table.text("profile").unwrap_or("nt40"));
        let nbt_on = table.switch("nbt").unwrap_or(true);
        if runs_wins && !nbt_on {
            let span = table.get("nbt").map_or(entry.key_span, |n| n.span);
            self.mistake(span, "a WINS server needs NetBIOS over TCP/IP");
        }
        if runs_wins && profile == HostProfile::W95 {
            let span = table.get("wins").map_or(entry.key_span, |n| n.span);
            self.mistake(span, "Windows 95 has no WINS server");
        }
        let nbt = nbt_on.then(|| NbtPlan {
            node_type: NodeType::B,
            server_addresses: Vec::new(),
            server_hosts: Vec::new(),
            domain: None,
            role: NbtRole::Workstation,
            local_master: false,
            profile: NbtProfile::named(name).unwrap_or_else(NbtProfile::w2k),
            changed: Vec::new(),
        });
        let wins = runs_wins.then(|| fresh_wins(profile));
        let boot_takes = table.parse("boot_takes", values::range);
        GroupPlan {
            template: entry.key.clone(),
            label: label(&entry.key),
            profile,
            clock: clock(table.get("clock").and_then(Node::table)),
            cpu: cpu(table.get("cpu").and_then(Node::table)),
            disk: disk(table.get("disk").and_then(Node::table)),
            boot_takes: boot_takes.unwrap_or(BOOT_TAKES),
            nbt,
            wins,
            registry: Vec::new(),
            programs: Vec::new(),
        }
    }

    /// Addresses: those the file gives first, then routers, then the other hosts in file order.
    pub(super) fn assign_addresses(&mut self) {
        let mut next = 0;
        for entry in self.named("host") {
            let hosts = self.next_hosts(&mut next, &entry.key);
            let Some(node) = entry.node.table().and_then(|t| t.get("address")) else { continue };
            let Some(start) = node.text().and_then(|t| values::address(t).ok()) else { continue };
            for (n, host) in hosts.enumerate() {
                let bits = start.to_bits().saturating_add(n as u32);
                let (subnet, owner) = self.owner_of(host);
                let address = Ipv4Addr::from_bits(bits);
                if !self.take_address(subnet, address, &owner, node.span) {
                    break;
                }
                self.plan.hosts[host].address = address;
            }
        }
        self.given_interfaces();
        self.reserve_virtual_addresses();
        self.address_routers();
        self.address_others();
        self.other_interfaces();
    }

    /// The hosts from `next` on that were made from this template; hosts stand in the order of the file.
    pub(super) fn next_hosts(&self, next: &mut usize, template: &str) -> Range<usize> {
        let first = *next;
        while *next < self.plan.hosts.len()
            && self.plan.group_of(HostRef(*next as u32)).template == template
        {
            *next += 1;
        }
        first..*next
    }

    fn owner_of(&self, host: usize) -> (SubnetRef, String) {
        let host = &self.plan.hosts[host];
        (host.subnet, format!("host `{}`", host.name))
    }

    fn address_others(&mut self) {
        let mut full: Vec<bool> = vec![false; self.plan.subnets.len()];
        for host in 0..self.plan.hosts.len() {
            let (subnet, owner) = self.owner_of(host);
            let entry_has_address = || {
                let template = &self.plan.group_of(HostRef(host as u32)).template;
                let entry = self.named("host").iter().find(|e| &e.key == template);
                entry.and_then(|e| e.node.table()).is_some_and(|t| t.get("address").is_some())
            };
            let known = !self.plan.subnets[subnet.index()].network.is_unspecified();
            if !self.plan.hosts[host].address.is_unspecified() || full[subnet.index()] || !known {
                continue;
            }
            if entry_has_address() {
                continue; // it could not be had, which has been reported
            }
            if let Some(address) = self.free_address(subnet, &owner) {
                self.plan.hosts[host].address = address;
                continue;
            }
            full[subnet.index()] = true;
            let template = self.plan.group_of(HostRef(host as u32)).template.clone();
            let span = self.named("host").iter().find(|e| e.key == template).map(|e| e.key_span);
            let plan = &self.plan.subnets[subnet.index()];
            let room = (1u64 << (32 - plan.prefix)) - 2;
            let text = format!("{}/{}", plan.network, plan.prefix);
            let message = format!("subnet `{}` ({text}) is full", plan.name);
            let hint =
                format!("it has {room} addresses, `{}` does not fit", self.plan.hosts[host].name);
            self.out.add(Mistake::new(span.unwrap_or_default(), message).hint(hint));
        }
    }
}

fn clock(table: Option<&Table>) -> ClockPlan {
    let Some(table) = table else { return ClockPlan::default() };
    ClockPlan {
        offset_ns: table.parse("offset", values::signed_range).unwrap_or_default(),
        drift_ppb: table.parse("drift", values::drift_range).unwrap_or_default(),
    }
}

fn cpu(table: Option<&Table>) -> CpuConfig {
    let empty = Table::default();
    let table = table.unwrap_or(&empty);
    let time = |key, us| table.parse(key, values::duration).unwrap_or(SimDuration::from_micros(us));
    let count = |key| table.count(key).map_or(QUEUE_MAX, |n| n as usize);
    CpuConfig {
        registration: time("registration", 1000),
        release: time("release", 1000),
        query: time("query", 300),
        replication: time("replication", 500),
        name_changes_max: count("name_changes_max"),
        queries_max: count("queries_max"),
    }
}

/// The processor of a host whose entry says nothing about it.
pub fn default_cpu() -> CpuConfig {
    cpu(None)
}

fn disk(table: Option<&Table>) -> DiskParams {
    let fallback = DiskParams::default();
    let Some(table) = table else { return fallback };
    let time = |key, fallback| table.parse(key, values::duration).unwrap_or(fallback);
    DiskParams {
        write: time("write", fallback.write),
        read: time("read", fallback.read),
        per_page: time("per_page", fallback.per_page),
        sync: time("sync", fallback.sync),
        capacity: table.parse("capacity", values::size).unwrap_or(fallback.capacity),
    }
}

/// A version, and the word the client's profiles have for it.
fn profile(word: &str) -> (HostProfile, &str) {
    let (release, sp) = match word.split_once("-sp") {
        Some((release, sp)) => (release, sp.parse().ok()),
        None => (word, None),
    };
    match release {
        "nt35" => (HostProfile::Nt35 { sp: sp.unwrap_or(0) }, release),
        "nt351" => (HostProfile::Nt351 { sp: sp.unwrap_or(5) }, release),
        "w2k" => (HostProfile::W2k, release),
        "w2k3" => (HostProfile::W2k3, release),
        "w95" => (HostProfile::W95, release),
        _ => (HostProfile::Nt40 { sp: sp.unwrap_or(6) }, word),
    }
}

/// A WINS server of a version, not set up.
pub(super) fn fresh_wins(profile: HostProfile) -> WinsPlan {
    WinsPlan {
        pull_from: Vec::new(),
        push_to: Vec::new(),
        starts_after: SimDuration::ZERO,
        profile: wins_profile(profile),
        changed: Vec::new(),
        statics: Vec::new(),
        static_files: Vec::new(),
    }
}

fn wins_profile(profile: HostProfile) -> WinsProfile {
    let (version, sp) = match profile {
        HostProfile::Nt35 { sp } => (WinsVersion::Nt35, sp),
        HostProfile::Nt351 { sp } => (WinsVersion::Nt351, sp),
        HostProfile::Nt40 { sp } => (WinsVersion::Nt40, sp),
        HostProfile::W2k => (WinsVersion::W2k, 0),
        HostProfile::W2k3 | HostProfile::W95 => (WinsVersion::W2k3, 0),
    };
    WinsProfile::new(version, sp)
}
