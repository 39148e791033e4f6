//! Hosts in words: WINS servers one by one, the others by entry of the file.

use super::Row;
use super::words::{Words, clock, drawn, plural, signed, size, time};
use crate::scenario::lower::default_cpu;
use crate::scenario::plan::{
    Boot, Changed, GroupPlan, HostPlan, HostProfile, InterfacePlan, NbtPlan, NbtRole, PullPlan,
    PushPlan, WinsPlan,
};
use crate::scenario::program::RegistryFile;
use crate::sim::disk::DiskParams;

/// One row for each WINS server.
pub(super) fn servers(words: &Words<'_>) -> Vec<Row> {
    let plan = words.plan;
    plan.wins_servers()
        .filter(|host| plan.wins_cluster(*host).is_none())
        .map(|host| {
            let (own, group) = (&plan.hosts[host.index()], plan.group_of(host));
            let subnet = &plan.subnets[own.subnet.index()].name;
            let mut lines = vec![format!("{}, {}", version(group.profile), boot(words, own))];
            if let Some(wins) = &group.wins {
                service(words, wins, &mut lines);
            }
            if let Some(nbt) = &group.nbt {
                lines.push(client(words, nbt));
                lines.extend(changes("its client has", &nbt.changed));
            }
            lines.extend(adapters(words, own));
            lines.extend(registry(group));
            machine(group, &mut lines);
            vec![own.name.clone(), own.address.to_string(), subnet.clone(), lines.join("\n")]
        })
        .collect()
}

/// One row for each entry of the file whose hosts run no WINS.
pub(super) fn groups(words: &Words<'_>) -> Vec<Row> {
    let plan = words.plan;
    let mut rows = Vec::new();
    for (i, group) in plan.groups.iter().enumerate().filter(|(_, g)| g.wins.is_none()) {
        let hosts: Vec<&HostPlan> = plan.hosts.iter().filter(|h| h.group.index() == i).collect();
        let (Some(first), Some(last)) = (hosts.first(), hosts.last()) else { continue };
        let mut lines = vec![format!("{}, {}", version(group.profile), boot(words, first))];
        match &group.nbt {
            Some(nbt) => {
                lines.push(client(words, nbt));
                lines.extend(changes("", &nbt.changed));
            }
            None => lines.push("without NetBIOS over TCP/IP".to_string()),
        }
        lines.extend(names(first, hosts.len()));
        lines.extend(adapters(words, first));
        lines.extend(registry(group));
        machine(group, &mut lines);
        let mut addresses = first.address.to_string();
        if hosts.len() > 1 {
            let together = last.address.to_bits().wrapping_sub(first.address.to_bits());
            let gaps = if together as usize == hosts.len() - 1 { "" } else { " (with gaps)" };
            addresses = format!("{addresses}..{}{gaps}", last.address);
        }
        let subnet = &plan.subnets[first.subnet.index()].name;
        let count = format!("{:>5}", hosts.len());
        rows.push(vec![group.template.clone(), count, addresses, subnet.clone(), lines.join("\n")]);
    }
    rows
}

/// How a server is set up, line by line.
pub(super) fn service(words: &Words<'_>, wins: &WinsPlan, lines: &mut Vec<String>) {
    if wins.pull_from.is_empty() && wins.push_to.is_empty() {
        lines.push("has no partners".to_string());
    }
    lines.extend(wins.pull_from.iter().map(|pull| pulls(pull, &words.server(pull.host))));
    lines.extend(wins.push_to.iter().map(|push| notifies(push, &words.server(push.host))));
    for mapping in &wins.statics {
        lines.push(format!("static {}", words.mapping(mapping)));
    }
    if !wins.profile.persona_non_grata.is_empty() {
        let owners: Vec<String> =
            wins.profile.persona_non_grata.iter().map(|owner| words.named(*owner)).collect();
        lines.push(format!("never pulls records of {}", owners.join(", ")));
    }
    lines.extend(wins.static_files.iter().map(|file| format!("imports {}", file.path)));
    if !wins.starts_after.is_zero() {
        lines.push(format!("starts {} after its host", time(wins.starts_after)));
    }
    lines.extend(changes("", &wins.changed));
}

/// How it pulls from a partner.
pub(super) fn pulls(pull: &PullPlan, host: &str) -> String {
    let mut text = format!("pulls from {host}");
    match pull.interval {
        Some(interval) => text.push_str(&format!(" every {}", time(interval))),
        None => text.push_str(" when notified"),
    }
    if let Some(at) = pull.at {
        text.push_str(&format!(", first at {}", clock(crate::base::SimTime::ZERO + at)));
    }
    if !pull.on_start {
        text.push_str(", not at start");
    }
    if pull.high_precedence {
        text.push_str(", its 1C members first");
    }
    text
}

/// How it notifies a partner.
pub(super) fn notifies(push: &PushPlan, host: &str) -> String {
    let mut text = format!("notifies {host}");
    match push.after_changes {
        Some(count) => text.push_str(&format!(" after {}", plural(count as usize, "change"))),
        None => text.push_str(" on demand"),
    }
    let also = [
        (push.on_start, ", at start"),
        (push.on_address_change, ", when an address changes"),
        (push.only_dynamic, ", of dynamic records only"),
    ];
    also.iter().filter(|(on, _)| *on).for_each(|(_, what)| text.push_str(what));
    text
}

fn client(words: &Words<'_>, nbt: &NbtPlan) -> String {
    let mut text = format!("{:?}-node", nbt.node_type);
    let servers: Vec<String> = nbt
        .server_addresses
        .iter()
        .zip(&nbt.server_hosts)
        .map(|(address, server)| match server {
            Some(server) => words.server(*server),
            None => address.to_string(),
        })
        .collect();
    if !servers.is_empty() {
        text.push_str(&format!(", asks {}", servers.join(", then ")));
    }
    let role = match nbt.role {
        NbtRole::Workstation => "workstation",
        NbtRole::Server => "server",
        NbtRole::Bdc => "backup controller",
        NbtRole::Pdc => "primary controller",
    };
    text.push_str(&format!(", {role}"));
    if let Some(domain) = nbt.domain {
        text.push_str(&format!(" in {}", words.plan.domains[domain.index()].name));
    }
    if nbt.local_master {
        text.push_str(", master browser of its subnet");
    }
    text
}

pub(super) fn changes(whose: &str, changed: &[Changed]) -> Option<String> {
    let list: Vec<String> = changed.iter().map(|c| format!("{} = {}", c.key, c.value)).collect();
    (!list.is_empty()).then(|| format!("{whose} {}", list.join(", ")).trim().to_string())
}

/// The names of the first host of an entry beside the usual ones.
fn names(host: &HostPlan, count: usize) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    if let Some(user) = host.user {
        names.push(format!("user {user}"));
    }
    for own in &host.extra_names {
        names.push(format!("{}{}", if own.group { "group " } else { "" }, own.name));
    }
    if names.is_empty() {
        return None;
    }
    let whose = if count > 1 { format!(" on {}", host.name) } else { String::new() };
    Some(format!("registers {}{whose}", names.join(", ")))
}

fn boot(words: &Words<'_>, host: &HostPlan) -> String {
    match host.boot {
        Boot::Between { low, high } if low == high => format!("on at {}", clock(low)),
        Boot::Between { low, high } => format!("on at {}..{}", clock(low), clock(high)),
        Boot::ByWorkload(w) => {
            format!("switched on by workload {}", words.plan.workloads[w.index()].name)
        }
        Boot::Off => "off until a step switches it on".to_string(),
    }
}

/// Further adapters; of several hosts, those of the first.
fn adapters(words: &Words<'_>, host: &HostPlan) -> Option<String> {
    let name = |i: &InterfacePlan| &words.plan.subnets[i.subnet.index()].name;
    let each = host.interfaces.iter().map(|i| format!("{} on {}", i.address, name(i)));
    let list: Vec<String> = each.collect();
    (!list.is_empty()).then(|| format!("also {}", list.join(", ")))
}

/// What is in its registry before the first boot.
fn registry(group: &GroupPlan) -> Option<String> {
    let name = |f: &RegistryFile| if f.path.is_empty() { "a text" } else { &f.path }.to_string();
    let list: Vec<String> = group.registry.iter().map(name).collect();
    (!list.is_empty()).then(|| format!("registry from {}", list.join(", ")))
}

/// Clock, processor, disk and start-up where they are not the usual ones.
fn machine(group: &GroupPlan, lines: &mut Vec<String>) {
    let mut parts = Vec::new();
    let pair = |(low, high): (i64, i64), text: fn(i64) -> String| match low == high {
        true => text(low),
        false => format!("{}..{}", text(low), text(high)),
    };
    if group.clock.offset_ns != (0, 0) {
        parts.push(format!("clock ahead by {}", pair(group.clock.offset_ns, signed)));
    }
    if group.clock.drift_ppb != (0, 0) {
        parts.push(format!("clock gains {}", pair(group.clock.drift_ppb, super::words::ppm)));
    }
    let (cpu, usual) = (group.cpu, default_cpu());
    if cpu != usual {
        parts.push(format!(
            "processor: registration {}, release {}, query {}, replication {}; {} changes and {} queries may wait",
            time(cpu.registration),
            time(cpu.release),
            time(cpu.query),
            time(cpu.replication),
            cpu.name_changes_max,
            cpu.queries_max
        ));
    }
    let disk = group.disk;
    if disk != DiskParams::default() {
        parts.push(format!(
            "disk: write {}, read {}, page {}, sync {}, {}",
            time(disk.write),
            time(disk.read),
            time(disk.per_page),
            time(disk.sync),
            size(disk.capacity)
        ));
    }
    if group.boot_takes != crate::scenario::lower::BOOT_TAKES {
        parts.push(format!("starts up in {}", drawn(group.boot_takes)));
    }
    lines.extend(parts);
}

fn version(profile: HostProfile) -> String {
    match profile {
        HostProfile::Nt35 { sp: 0 } => "NT 3.5".to_string(),
        HostProfile::Nt35 { sp } => format!("NT 3.5 SP{sp}"),
        HostProfile::Nt351 { sp: 0 } => "NT 3.51".to_string(),
        HostProfile::Nt351 { sp } => format!("NT 3.51 SP{sp}"),
        HostProfile::Nt40 { sp: 0 } => "NT 4.0".to_string(),
        HostProfile::Nt40 { sp } => format!("NT 4.0 SP{sp}"),
        HostProfile::W2k => "Windows 2000".to_string(),
        HostProfile::W2k3 => "Server 2003".to_string(),
        HostProfile::W95 => "Windows 95".to_string(),
    }
}
