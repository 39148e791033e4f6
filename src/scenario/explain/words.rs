//! What happens and what must hold, in words.

use super::hosts::{notifies, pulls};
use crate::base::{Odds, SimDuration, SimTime};
use crate::scenario::expectation::{
    Amount, Condition, CountRange, Figure, Limit, Moment, RecordMatch, Value,
};
use crate::scenario::plan::{DurationRange, HostRef, Plan, StaticKind, StaticPlan};
use crate::scenario::story::{
    ArrivalLaw, Choose, FaultKind, GapLaw, HostTarget, LookupTarget, PacketScope, ProbeKind,
    RecordPlan, ReplicateDirection, Side, StepKind, WorkloadKind,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Names listed one by one; of more, only as many as these are shown.
const LISTED: usize = 6;

/// Words about one plan.
pub(super) struct Words<'a> {
    pub(super) plan: &'a Plan,
}

impl Words<'_> {
    /// A set of hosts, by entries of the file where whole entries are meant.
    pub(super) fn hosts(&self, hosts: &[HostRef]) -> String {
        let plan = self.plan;
        if hosts.len() > 1 && hosts.len() == plan.hosts.len() {
            return format!("all {} hosts", hosts.len());
        }
        let client = |h: HostRef| {
            let group = plan.group_of(h);
            group.nbt.is_some() && group.wins.is_none()
        };
        if hosts.len() > 1 && hosts.iter().all(|h| client(*h)) {
            let all = (0..plan.hosts.len() as u32).map(HostRef).filter(|h| client(*h)).count();
            if all == hosts.len() {
                return "all clients".to_string();
            }
        }
        let set: BTreeSet<HostRef> = hosts.iter().copied().collect();
        let template = |h: HostRef| plan.group_of(h).template.as_str();
        let mut names: Vec<String> = Vec::new();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for &host in hosts {
            let own = template(host);
            let all = (0..plan.hosts.len() as u32).map(HostRef).filter(|h| template(*h) == own);
            if done.contains(own) {
                continue;
            }
            if all.into_iter().all(|h| set.contains(&h)) {
                done.insert(own);
                names.push(own.to_string());
            } else if names.len() <= LISTED {
                names.push(plan.hosts[host.index()].name.clone());
            } else {
                break;
            }
        }
        if names.len() <= LISTED {
            return names.join(", ");
        }
        format!("{} hosts: {}, ...", hosts.len(), names[..LISTED].join(", "))
    }

    pub(super) fn host(&self, host: HostRef) -> &str {
        &self.plan.hosts[host.index()].name
    }

    /// A WINS server: its host, or the network name of a cluster's.
    pub(super) fn server(&self, server: HostRef) -> String {
        self.plan.server_name(server)
    }

    /// WINS servers.
    pub(super) fn servers(&self, servers: &[HostRef]) -> String {
        match servers.iter().any(|server| self.plan.wins_cluster(*server).is_some()) {
            true => servers.iter().map(|s| self.server(*s)).collect::<Vec<_>>().join(", "),
            false => self.hosts(servers),
        }
    }

    /// The host that has an address, or the address.
    pub(super) fn named(&self, address: Ipv4Addr) -> String {
        let host = self.plan.hosts.iter().find(|host| host.address == address);
        let name = host.map(|host| host.name.clone());
        name.or_else(|| self.plan.server_at(address).map(|server| self.server(server)))
            .unwrap_or_else(|| address.to_string())
    }

    fn put_record(&self, record: &RecordPlan) -> String {
        let state = record.state.map_or("active".to_string(), |s| format!("{s:?}").to_lowercase());
        let is_static = if record.is_static { " static" } else { "" };
        let mut text =
            format!("{} as {state}{is_static} {} record", record.name, static_kind(record.kind));
        if !record.addresses.is_empty() {
            text.push_str(&format!(" with {}", self.addresses(&record.addresses)));
        }
        if let Some(owner) = record.member_owner {
            text.push_str(&format!(" registered at {}", self.named(owner)));
        }
        if let Some(owner) = record.owner {
            text.push_str(&format!(", owned by {}", self.named(owner)));
        }
        if let Some(version) = record.version {
            text.push_str(&format!(", version {version}"));
        }
        text
    }

    pub(super) fn target(&self, target: &HostTarget) -> String {
        let hosts = self.hosts(&target.hosts);
        match target.choose {
            Choose::All => hosts,
            Choose::One => format!("one of {hosts}"),
            Choose::Half => format!("half of {hosts}"),
            Choose::Count(n) => format!("{n} of {hosts}"),
            Choose::QuorumOwner(cluster) => format!("the owner of {}", self.quorum_of(cluster)),
            Choose::NotQuorumOwner(cluster) => {
                format!("all of {hosts} but the owner of {}", self.quorum_of(cluster))
            }
            Choose::GroupOwner(cluster, group) => {
                format!("the owner of {}", self.group(cluster, group))
            }
            Choose::NotGroupOwner(cluster, group) => {
                format!("all of {hosts} but the owner of {}", self.group(cluster, group))
            }
        }
    }

    fn targets(&self, targets: &[LookupTarget]) -> String {
        let hosts: Vec<HostRef> = targets.iter().filter_map(|t| t.host).collect();
        let bare = targets.iter().filter(|t| t.host.is_none());
        let mut names: Vec<String> =
            bare.clone().take(LISTED).map(|t| t.name.to_string()).collect();
        if bare.clone().count() > LISTED {
            names.push(format!("{} more names", bare.count() - LISTED));
        }
        if !hosts.is_empty() {
            names.insert(0, self.hosts(&hosts));
        }
        names.join(", ")
    }

    fn addresses(&self, list: &[Ipv4Addr]) -> String {
        let name = |a: &Ipv4Addr| match self.plan.hosts.iter().find(|h| h.address == *a) {
            Some(host) => format!("{a} ({})", host.name),
            None => a.to_string(),
        };
        list.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn mapping(&self, mapping: &StaticPlan) -> String {
        let name = match mapping.suffix_given {
            true => mapping.name.to_string(),
            false => String::from_utf8_lossy(mapping.name.base()).into_owned(),
        };
        let addresses = self.addresses(&mapping.addresses);
        format!("{} {name} {addresses}", static_kind(mapping.kind)).trim_end().to_string()
    }

    pub(super) fn workload(&self, kind: &WorkloadKind) -> String {
        match kind {
            WorkloadKind::BootStorm { hosts, at, within, law } => {
                let law = match law {
                    ArrivalLaw::Uniform => "spread evenly",
                    ArrivalLaw::Exponential => "many at first, ever fewer later",
                    ArrivalLaw::BurstFront => "half of them in the first tenth",
                };
                let hosts = self.hosts(hosts);
                format!("{hosts} switched on at {} within {}, {law}", clock(*at), time(*within))
            }
            WorkloadKind::Lookups(l) => {
                let law = match l.law {
                    GapLaw::Exponential => "on average",
                    GapLaw::Uniform => "on average, evenly from none to twice that",
                    GapLaw::Fixed => "exactly",
                };
                let cache = if l.use_cache { "" } else { ", past the name cache" };
                format!(
                    "{} look up {}, each every {} {law}, {}{cache}",
                    self.hosts(&l.hosts),
                    self.targets(&l.targets),
                    time(l.every),
                    span(l.from, l.until)
                )
            }
            WorkloadKind::Churn { hosts, every, off_for, clean, from, until } => {
                let how = if *clean { "shut down cleanly" } else { "lose power" };
                format!(
                    "{} {how} after {} on average, off for {}, {}",
                    self.hosts(hosts),
                    time(*every),
                    drawn(*off_for),
                    span(*from, *until)
                )
            }
            WorkloadKind::Roaming { hosts, to, every, from, until } => {
                let to: Vec<&str> =
                    to.iter().map(|s| self.plan.subnets[s.index()].name.as_str()).collect();
                format!(
                    "{} move between {} after {} on average, {}",
                    self.hosts(hosts),
                    to.join(", "),
                    time(*every),
                    span(*from, *until)
                )
            }
        }
    }

    pub(super) fn fault(&self, kind: &FaultKind) -> String {
        match kind {
            FaultKind::Crash(t) => format!("{} crashes", self.target(t)),
            FaultKind::PowerCut(t) => format!("{} loses power", self.target(t)),
            FaultKind::Pause(t) => format!("{} stands still", self.target(t)),
            FaultKind::Reboot(t) => format!("{} reboots", self.target(t)),
            FaultKind::Wipe(t) => format!("{} loses power and its disk", self.target(t)),
            FaultKind::LinkDown(links) => {
                let names: Vec<&str> =
                    links.iter().map(|l| self.plan.links[l.index()].name.as_str()).collect();
                format!("link {} carries nothing", names.join(", "))
            }
            FaultKind::RouterDown(routers) => {
                let names: Vec<&str> =
                    routers.iter().map(|r| self.plan.routers[r.index()].name.as_str()).collect();
                format!("router {} forwards nothing", names.join(", "))
            }
            FaultKind::Partition { from, to, one_way } => {
                let arrow = if *one_way { "does not reach" } else { "is cut off from" };
                format!("{} {arrow} {}", self.side(from), self.side(to))
            }
            FaultKind::Loss { on, odds: o } => {
                format!("{} of datagrams on {} are lost", odds(*o), self.scope(on))
            }
            FaultKind::Delay { on, by } => {
                format!("datagrams on {} take {} longer", self.scope(on), drawn(*by))
            }
            FaultKind::Duplicate { on, odds: o } => {
                format!("{} of datagrams on {} arrive twice", odds(*o), self.scope(on))
            }
            FaultKind::ClockJump { hosts, by_ns } => {
                format!("the clock of {} jumps by {}", self.target(hosts), signed(*by_ns))
            }
            FaultKind::ClockDrift { hosts, ppb } => {
                format!("the clock of {} gains {}", self.target(hosts), ppm(*ppb))
            }
            FaultKind::SlowDisk { hosts, factor } => {
                format!("the disk of {} takes {factor} times as long", self.target(hosts))
            }
            FaultKind::FullDisk(t) => format!("the disk of {} is full", self.target(t)),
            FaultKind::ProgramCrash { hosts, program } => {
                format!("{program} on {} crashes", self.target(hosts))
            }
            FaultKind::Cluster { cluster, fault } => self.cluster_fault(*cluster, fault),
        }
    }

    fn side(&self, side: &Side) -> String {
        let subnet = |s: &crate::scenario::SubnetRef| {
            format!("subnet {}", self.plan.subnets[s.index()].name)
        };
        let mut parts: Vec<String> = side.subnets.iter().map(subnet).collect();
        if !side.hosts.is_empty() {
            parts.push(self.hosts(&side.hosts));
        }
        parts.join(" and ")
    }

    fn scope(&self, scope: &PacketScope) -> String {
        match scope {
            PacketScope::Links(links) => {
                let names: Vec<&str> =
                    links.iter().map(|l| self.plan.links[l.index()].name.as_str()).collect();
                format!("link {}", names.join(", "))
            }
            PacketScope::Subnets(subnets) => {
                let side = Side { subnets: subnets.clone(), hosts: Vec::new() };
                self.side(&side)
            }
            PacketScope::Hosts(hosts) => format!("their way to and from {}", self.hosts(hosts)),
        }
    }

    pub(super) fn step(&self, kind: &StepKind) -> String {
        match kind {
            StepKind::AddStatic { server, mapping } => {
                format!("{}: static {} typed in", self.server(*server), self.mapping(mapping))
            }
            StepKind::ImportLmhosts { server, file } => {
                format!("{}: {} imported", self.server(*server), file.path)
            }
            StepKind::Replicate { server, direction, partner, propagate } => {
                let what = match direction {
                    ReplicateDirection::Pull => "pulls now from",
                    ReplicateDirection::Push => "now notifies",
                };
                let whom = partner.map_or("all partners".into(), |p| self.server(p));
                let on = if *propagate { ", who tell their own partners" } else { "" };
                format!("{} {what} {whom}{on}", self.server(*server))
            }
            StepKind::SetPartners { server, pull_from, push_to } => {
                let pulls = pull_from.iter().map(|p| pulls(p, &self.server(p.host)));
                let pushes = push_to.iter().map(|p| notifies(p, &self.server(p.host)));
                let all: Vec<String> = pulls.chain(pushes).collect();
                let all = if all.is_empty() { "has no partners".into() } else { all.join("; ") };
                format!("{} from now on: {all}", self.server(*server))
            }
            StepKind::Scavenge { server, force } => {
                let force = if *force { ", whatever its uptime" } else { "" };
                format!("{} scavenges{force}", self.server(*server))
            }
            StepKind::DeleteRecord { server, name } => {
                format!("{}: {name} deleted", self.server(*server))
            }
            StepKind::TombstoneRecord { server, name } => {
                format!("{}: {name} made a tombstone", self.server(*server))
            }
            StepKind::DeleteOwner { server, owner } => {
                format!("{}: all records of {} deleted", self.server(*server), self.named(*owner))
            }
            StepKind::PutRecord { server, record } => {
                format!("{}: put in: {}", self.server(*server), self.put_record(record))
            }
            StepKind::CheckConsistency { server } => {
                format!("{} checks its replicas with their owners", self.server(*server))
            }
            StepKind::StopWins(hosts) => format!("WINS stopped on {}", self.hosts(hosts)),
            StepKind::StartWins(hosts) => format!("WINS started on {}", self.hosts(hosts)),
            StepKind::Claim { host, server, name, kind, address, release } => {
                let what = if *release { "gives up" } else { "claims" };
                let kind = format!("{kind:?}").to_lowercase();
                let (host, to) = (self.host(*host), self.named(*server));
                format!("{host} {what} {name} ({kind}) at {to} for {}", self.named(*address))
            }
            StepKind::ReleaseRefresh(hosts) => {
                format!("{} release and register all their names", self.hosts(hosts))
            }
            StepKind::Roam { hosts, to, addresses } => {
                let subnet = &self.plan.subnets[to.index()].name;
                let to = match addresses.as_slice() {
                    [one] => format!("{one} on {subnet}"),
                    _ => subnet.clone(),
                };
                format!("{} moves to {to}", self.hosts(hosts))
            }
            StepKind::MalformedPacket { host, to } => {
                format!("{} sends {to} what is no packet", self.host(*host))
            }
            StepKind::ShutDown(hosts) => format!("{} shut down cleanly", self.hosts(hosts)),
            StepKind::Boot(hosts) => format!("{} switched on", self.hosts(hosts)),
            StepKind::Register { host, name } => {
                let group = if name.group { "group " } else { "" };
                format!("{} registers {group}{}", self.host(*host), name.name)
            }
            StepKind::Release { host, name } => format!("{} gives {name} up", self.host(*host)),
            StepKind::LogOn { host, user } => format!("{user} logs on at {}", self.host(*host)),
            StepKind::Lookup { hosts, target } => {
                format!("{} look {} up", self.hosts(hosts), target.name)
            }
            StepKind::Registry { hosts, edit } => self.registry_edit(hosts, edit),
            StepKind::Cluster { cluster, action } => self.cluster_action(*cluster, action),
        }
    }

    pub(super) fn probe(&self, kind: &ProbeKind) -> String {
        match kind {
            ProbeKind::Records(hosts) => format!("active records of {}", self.hosts(hosts)),
            ProbeKind::Queue(hosts) => format!("work waiting at {}", self.hosts(hosts)),
            ProbeKind::Success(hosts) => format!("successful look-ups by {}", self.hosts(hosts)),
            ProbeKind::Registered(hosts) => {
                format!("share of {} with all names registered", self.hosts(hosts))
            }
            ProbeKind::Lookup { host, target } => {
                format!("time until {} knows {}", self.host(*host), target.name)
            }
        }
    }

    pub(super) fn moment(&self, moment: Moment) -> String {
        match moment {
            Moment::At(SimTime::ZERO) => "the start".to_string(),
            Moment::At(at) if at == SimTime::ZERO + self.plan.duration => "the end".to_string(),
            Moment::At(at) => clock(at),
            Moment::FaultBegins(f) => {
                format!("the beginning of `{}`", self.plan.faults[f.index()].label)
            }
            Moment::FaultHeals(f) => format!("the end of `{}`", self.plan.faults[f.index()].label),
            Moment::LastHeal => "the last fault has healed".to_string(),
            Moment::Step(s) => format!("the step `{}`", self.plan.steps[s.index()].label),
        }
    }

    pub(super) fn condition(&self, condition: &Condition) -> String {
        match condition {
            Condition::DatabasesAgree { servers } => {
                format!("the databases of {} have the same active records", self.servers(servers))
            }
            Condition::ServerKnows { servers, record } => {
                let have = if servers.len() == 1 { "has" } else { "have" };
                format!("{} {have} {}", self.servers(servers), self.record(record))
            }
            Condition::ServerLacks { servers, name } => {
                format!("{} would not answer for {name}", self.servers(servers))
            }
            Condition::RecordCount { servers, owner, state, within } => {
                let have = if servers.len() == 1 { "has" } else { "have" };
                let state = state.map_or(String::new(), |s| format!(" {s:?}").to_lowercase());
                let whose = owner.map_or(String::new(), |o| format!(" of {}", self.named(o)));
                let servers = self.servers(servers);
                format!("{servers} {have} {}{state} records{whose}", count_range(within))
            }
            Condition::OwnerKnown { servers, owner, within } => {
                let know = if servers.len() == 1 { "knows" } else { "know" };
                let (servers, owner) = (self.servers(servers), self.named(*owner));
                format!("{servers} {know} {owner} up to version {}", count_range(within))
            }
            Condition::HostsResolve { hosts, target, address } => {
                let right = match address {
                    Some(address) => address.to_string(),
                    None => "the address its holder then has".to_string(),
                };
                format!("{} resolve {} to {right}", self.hosts(hosts), target.name)
            }
            Condition::LookupSuccess { hosts, at_least, window } => {
                let each = window.map_or(String::new(), |w| format!(", in each {}", time(w)));
                format!(
                    "at least {} of look-ups by {} succeed{each}",
                    odds(*at_least),
                    self.hosts(hosts)
                )
            }
            Condition::StaleAnswers { hosts, at_most } => {
                let most = amount(*at_most);
                format!("{most} answers to {} are out of date", self.hosts(hosts))
            }
            Condition::WrongAnswers { hosts, at_most } => {
                let most = amount(*at_most);
                format!("{most} answers to {} were never right", self.hosts(hosts))
            }
            Condition::OneHolder { name } => {
                let name = name.map_or("a unique name".to_string(), |n| n.to_string());
                format!("no two live hosts hold {name}")
            }
            Condition::CurrentServer { hosts, server } => {
                format!("{} use {}", self.hosts(hosts), self.server(*server))
            }
            Condition::Registered { hosts, at_least } => format!(
                "at least {} of {} are on with all names registered",
                odds(*at_least),
                self.hosts(hosts)
            ),
            Condition::Answer { hosts, name, contains, lacks, starts_with, count } => {
                let mut parts = Vec::new();
                for (what, list) in
                    [("begins with", starts_with), ("has", contains), ("lacks", lacks)]
                {
                    if !list.is_empty() {
                        parts.push(format!("{what} {}", self.addresses(list)));
                    }
                }
                if let Some(count) = count {
                    parts.push(format!("counts {}", plural(*count as usize, "address")));
                }
                let hosts = self.hosts(hosts);
                format!("the answer for {name} to {hosts} {}", parts.join(", "))
            }
            Condition::LookupTime { hosts, name, at_least, at_most } => {
                let what = name.map_or("look-ups".into(), |name| format!("look-ups of {name}"));
                let low = at_least.map(|low| format!("at least {}", time(low)));
                let high = at_most.map(|high| format!("at most {}", time(high)));
                let limits: Vec<String> = [low, high].into_iter().flatten().collect();
                format!("{what} by {} take {}", self.hosts(hosts), limits.join(", "))
            }
            Condition::Measure { name, figure, limit } => measure(name, *figure, limit),
            Condition::EventLogged { hosts, id } => {
                format!("event {id} is logged on one of {}", self.hosts(hosts))
            }
            Condition::RegistryValue { .. }
            | Condition::ProgramRuns { .. }
            | Condition::Cluster { .. } => self.host_condition(condition),
        }
    }

    fn record(&self, record: &RecordMatch) -> String {
        let state = record.state.map_or("active".to_string(), |s| format!("{s:?}").to_lowercase());
        let mut parts = vec![state];
        if let Some(on) = record.is_static {
            parts.push(if on { "static" } else { "dynamic" }.to_string());
        }
        parts.extend(record.kind.map(|kind| static_kind(kind).to_string()));
        let mut text = format!("{} as {} record", record.name, parts.join(" "));
        if let Some(list) = &record.addresses {
            text.push_str(&format!(" with exactly {}", self.addresses(list)));
        }
        if let Some(owner) = record.owner {
            text.push_str(&format!(", owned by {}", self.host(owner)));
        }
        if !record.version.is_open() {
            text.push_str(&format!(", version {}", count_range(&record.version)));
        }
        text
    }
}

fn count_range(within: &CountRange) -> String {
    match (within.at_least, within.at_most) {
        (Some(low), Some(high)) if low == high => format!("exactly {low}"),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("at least {low}"),
        (None, Some(high)) => format!("at most {high}"),
        (None, None) => "any number of".to_string(),
    }
}

fn measure(name: &str, figure: Figure, limit: &Limit) -> String {
    let value = |v: Value| match v {
        Value::Duration(d) => time(d),
        Value::Count(n) => n.to_string(),
        Value::Share(o) => odds(o),
    };
    let low = limit.at_least.map(|v| format!("at least {}", value(v)));
    let high = limit.at_most.map(|v| format!("at most {}", value(v)));
    let limits: Vec<String> = low.into_iter().chain(high).collect();
    let figure = format!("{figure:?}").to_lowercase();
    format!("{figure} of {name} is {}", limits.join(" and "))
}

fn static_kind(kind: StaticKind) -> &'static str {
    match kind {
        StaticKind::Unique => "unique",
        StaticKind::Group => "group",
        StaticKind::DomainName => "domain-name",
        StaticKind::InternetGroup => "internet-group",
        StaticKind::Multihomed => "multihomed",
    }
}

fn span(from: SimTime, until: SimTime) -> String {
    format!("{}..{}", clock(from), clock(until))
}

/// A moment, without seconds and parts of seconds that are none.
pub(super) fn clock(at: SimTime) -> String {
    let text = at.to_string();
    let text = text.strip_suffix(".000").unwrap_or(&text);
    // `09:00:00` has two colons; only then is the last field that of seconds.
    text.strip_suffix(":00").unwrap_or(text).to_string()
}

/// A length of time, all of it: `1h 5min 30s`.
pub(super) fn time(d: SimDuration) -> String {
    let mut parts = Vec::new();
    let mut rest = d.0;
    for (size, unit) in [(86_400, "d"), (3600, "h"), (60, "min")] {
        let size = size * 1_000_000_000;
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if rest > 0 || parts.is_empty() {
        parts.push(SimDuration(rest).to_string());
    }
    parts.join(" ")
}

/// A fixed or drawn length of time.
pub(super) fn drawn(range: DurationRange) -> String {
    match range.is_fixed() {
        true => time(range.low),
        false => format!("{}..{}", time(range.low), time(range.high)),
    }
}

/// Odds, as a percentage where that is exact to two places.
pub(super) fn odds(odds: Odds) -> String {
    let (up, down) = (u64::from(odds.numerator), u64::from(odds.denominator).max(1));
    if up * 10_000 % down != 0 {
        return format!("{up}/{down}");
    }
    let hundredths = up * 10_000 / down;
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole}%"),
        (whole, part) => format!("{}%", format!("{whole}.{part:02}").trim_end_matches('0')),
    }
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Count(0) => "no".to_string(),
        Amount::Count(n) => format!("at most {n}"),
        Amount::Share(share) => format!("at most {} of", odds(share)),
    }
}

/// Bytes, in the largest unit that divides them.
pub(super) fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match units.iter().find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

/// Nanoseconds with their sign.
pub(super) fn signed(ns: i64) -> String {
    let sign = if ns < 0 { '-' } else { '+' };
    format!("{sign}{}", time(SimDuration(ns.unsigned_abs())))
}

/// Parts per billion, as ppm.
pub(super) fn ppm(ppb: i64) -> String {
    let (sign, parts) = (if ppb < 0 { '-' } else { '+' }, ppb.unsigned_abs());
    let text = format!("{}.{:03}", parts / 1000, parts % 1000);
    format!("{sign}{}ppm", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 host`, `2 hosts`, `2 addresses`.
pub(super) fn plural(count: usize, word: &str) -> String {
    let ending = match (count, word.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        _ => "s",
    };
    format!("{count} {word}{ending}")
}
