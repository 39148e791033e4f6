//! Watching a run: happenings go in, measures and charts come out. Nothing flows back into the run.

use super::cluster_judge::of_cluster;
use super::cluster_watch::ClusterWatch;
use super::director::Asked;
use super::faults::Occurrence;
use super::judge::has_all_names;
use super::steps::serving;
use crate::base::{SimDuration, SimTime};
use crate::cluster::ResourceState;
use crate::measure::NotableEvent;
use crate::measure::convergence::Convergence;
use crate::measure::distribution::Distribution;
use crate::measure::lookups::{Answer, Lookup, Lookups};
use crate::measure::losses::Losses;
use crate::nbt::{NameKind, NameState};
use crate::scenario::{ClusterCondition, HostRef, LookupTarget, Plan, ProbeKind, ProbePlan};
use crate::sim::{Death, Happening, HostId, LookedUp, RecordLook, What, World};
use crate::wins::{Observation, RequestKind};
use crate::wire::{NetbiosName, Suffix};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A right answer later than this is one a user waited for.
const SLOW_AFTER: SimDuration = SimDuration::from_secs(1);
/// How many occurrences are looked at, from the latest back, to find the one that still lasts.
const OVERLAPS_MAX: usize = 64;
/// Notable events kept; a storm has thousands of the same.
const NOTABLE_MAX: usize = 400;
/// A failed look-up or a wrong answer counts against the latest fault if that ended less than this ago.
const AFTERMATH: SimDuration = SimDuration::from_hours(1);
/// Points a probe's line has at most; a probe that is asked more often is thinned out by the chart anyway.
const PROBE_POINTS_MAX: usize = 100_000;

/// What one occurrence of a fault did to clients.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    pub(super) detect: Distribution,
    pub(super) unresolved: Distribution,
    pub(super) recovered: Option<SimTime>,
    pub(super) failed: u64,
    pub(super) stale: u64,
}

/// A server as watched.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerWatch {
    /// How each record looked last.
    pub(super) looks: BTreeMap<NetbiosName, u64>,
    pub(super) queue: Vec<(f64, f64)>,
    pub(super) queue_full: u64,
    pub(super) commits: u64,
    pub(super) notifications: u64,
    pub(super) pulls: u64,
    pub(super) records_pulled: u64,
    pub(super) versions: u64,
    pub(super) refreshes: u64,
    pub(super) events: u64,
}

/// What watches a run.
pub(super) struct Watch {
    pub(super) plan: Arc<Plan>,
    pub(super) lookups: Lookups,
    pub(super) convergence: Convergence,
    pub(super) losses: Losses,
    /// By host: its place among the servers, plus one.
    pub(super) server_of: Vec<u32>,
    pub(super) servers: Vec<(HostRef, ServerWatch)>,
    pub(super) damage: Vec<Damage>,
    /// Live hosts that hold a unique name as registered.
    pub(super) holders: BTreeMap<NetbiosName, Vec<u32>>,
    /// Names held by more than one live host.
    pub(super) contested: u32,
    pub(super) held_by: BTreeMap<u32, Vec<NetbiosName>>,
    /// Addresses hosts had before, for telling stale from wrong.
    pub(super) past: BTreeMap<u32, Vec<Ipv4Addr>>,
    pub(super) address: Vec<Ipv4Addr>,
    pub(super) booted: Vec<SimTime>,
    pub(super) register_time: Distribution,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) notable: Vec<NotableEvent>,
    pub(super) logged: BTreeMap<u16, u64>,
    pub(super) probes: Vec<ProbeWatch>,
    /// When the next probe is due.
    pub(super) next_probe: SimTime,
    pub(super) cluster: ClusterWatch,
}

/// A probe's lines, and what it counts between two points.
#[derive(Clone, Debug)]
pub(super) struct ProbeWatch {
    pub(super) next: SimTime,
    pub(super) lines: Vec<(String, Vec<(f64, f64)>)>,
    pub(super) right: u64,
    pub(super) judged: u64,
}

impl Watch {
    pub(super) fn new(plan: Arc<Plan>, occurrences: &[Occurrence], sites: Vec<String>) -> Watch {
        let window = window_of(plan.duration);
        let mut server_of = vec![0; plan.hosts.len()];
        let mut servers = Vec::new();
        for server in plan.wins_servers() {
            servers.push((server, ServerWatch::default()));
            server_of[server.index()] = servers.len() as u32;
            // Whichever node runs a cluster's server, it is that one.
            for node in plan.wins_cluster(server).map_or(&[][..], |cluster| &cluster.hosts) {
                server_of[node.index()] = servers.len() as u32;
            }
        }
        let names = servers.iter().map(|(server, _)| plan.server_name(*server)).collect();
        let grain = SimDuration(plan.duration.0 / 2000);
        let damage = Damage {
            detect: Distribution::of_durations(),
            unresolved: Distribution::of_durations(),
            recovered: None,
            failed: 0,
            stale: 0,
        };
        Watch {
            lookups: Lookups::new(sites, window, SLOW_AFTER),
            convergence: Convergence::new(names, grain),
            losses: Losses::default(),
            server_of,
            servers,
            damage: vec![damage; occurrences.len()],
            holders: BTreeMap::new(),
            contested: 0,
            held_by: BTreeMap::new(),
            past: BTreeMap::new(),
            address: plan.hosts.iter().map(|h| h.address).collect(),
            booted: vec![SimTime::MAX; plan.hosts.len()],
            register_time: Distribution::of_durations(),
            counts: BTreeMap::new(),
            notable: Vec::new(),
            logged: BTreeMap::new(),
            next_probe: plan
                .probes
                .iter()
                .map(|p| SimTime::ZERO + p.every)
                .min()
                .unwrap_or(SimTime::MAX),
            cluster: ClusterWatch::new(&plan),
            probes: plan.probes.iter().map(|probe| probe_watch(probe, &plan)).collect(),
            plan,
        }
    }

    /// Takes the points of all probes that are due before `now`. Nothing has changed since the last event,
    /// so looking now is looking then.
    pub(super) fn probe(&mut self, now: SimTime, world: &World) {
        let plan = self.plan.clone();
        for (watch, probe) in self.probes.iter_mut().zip(&plan.probes) {
            while watch.next < now {
                let at = watch.next.as_secs_f64();
                watch.next += probe.every.max(SimDuration(1));
                let values = probe_values(probe, watch, &plan, world);
                for ((_, points), value) in watch.lines.iter_mut().zip(values) {
                    if points.len() < PROBE_POINTS_MAX {
                        points.extend(value.map(|value| (at, value)));
                    }
                }
            }
        }
        self.next_probe = self.probes.iter().map(|p| p.next).min().unwrap_or(SimTime::MAX);
    }

    /// A server's place among the servers.
    pub(super) fn server(&self, host: HostRef) -> Option<usize> {
        (self.server_of[host.index()] as usize).checked_sub(1)
    }

    /// Live hosts that hold a unique name.
    pub(super) fn holders(&self, name: &NetbiosName) -> &[u32] {
        self.holders.get(name).map_or(&[], Vec::as_slice)
    }

    /// Takes one happening that is not the end of a look-up.
    pub(super) fn happened(
        &mut self,
        happening: &Happening,
        world: &World,
        occurrences: &[Occurrence],
    ) {
        let (at, host) = (happening.at, HostRef(happening.host.0));
        match happening.what {
            What::Up => self.booted[host.index()] = at,
            What::Down(how) => self.host_down(host, how, at),
            What::Moved => {
                let new = world.host(happening.host).address();
                let old = std::mem::replace(&mut self.address[host.index()], new);
                self.past.entry(host.0).or_default().push(old);
                self.look_at_names_of(host, world, at);
                self.note(at, host, format!("moves from {old} to {new}"));
            }
            What::Name { name, state } => self.name_state(host, name, state, world, at),
            What::ServerSwitched { from, to } => {
                *self.counts.entry("client.server_switches").or_default() += 1;
                self.switched(from, at, world, occurrences);
                let _ = to;
            }
            What::Logged { id, name } => {
                *self.logged.entry(id).or_default() += 1;
                if let Some(s) = self.server(host) {
                    self.servers[s].1.events += 1;
                }
                if let Some(name) = name {
                    self.note(at, host, format!("event {id}: {name} is in conflict"));
                }
            }
            What::WinsUp => self.wins_up(host, world, at),
            What::WinsDown => {
                if let Some(s) = self.server(host) {
                    self.servers[s].1.looks.clear();
                    self.convergence.server_life(s, None, at);
                    // Another node may have taken it over before this one knew.
                    let node = HostRef(serving(self.servers[s].0, &self.plan, world).0);
                    if node != host {
                        self.wins_up(node, world, at);
                    }
                    self.look_at_all_names(world, at);
                }
            }
            What::Wins(observation) => self.observed(host, observation, world, at),
            What::Record { name, looks } => self.record(host, name, looks, world, at),
            What::QueueFull => {
                if let Some(s) = self.server(host) {
                    self.servers[s].1.queue_full += 1;
                }
            }
            What::Committed => {
                if let Some(s) = self.server(host) {
                    self.servers[s].1.commits += 1;
                }
            }
            What::LookedUp(_) => {}
            _ => {}
        }
        if let Some(what) = self.cluster.happened(happening, world) {
            self.note(at, host, what);
        }
    }

    fn host_down(&mut self, host: HostRef, how: Death, at: SimTime) {
        self.booted[host.index()] = SimTime::MAX;
        self.losses.client_down(host.0, at);
        for name in self.held_by.remove(&host.0).unwrap_or_default() {
            self.unhold(host, name);
            self.losses.known(name, true, at);
        }
        if how != Death::ShutDown && self.server(host).is_some() {
            let what = match how {
                Death::PowerCut => "loses power",
                Death::Wipe => "loses its disk",
                _ => "crashes",
            };
            self.note(at, host, what.into());
        }
    }

    fn name_state(
        &mut self,
        host: HostRef,
        name: NetbiosName,
        state: NameState,
        world: &World,
        at: SimTime,
    ) {
        let Some(nbt) = world.host(HostId(host.0)).nbt() else { return };
        match state {
            NameState::Registered { .. } => {
                *self.counts.entry("client.names_registered").or_default() += 1;
                let kind = nbt.owned_names().find(|owned| owned.name == name).map(|o| o.kind);
                // Every subnet has its own holder of a 1D name.
                if kind == Some(NameKind::Unique) && name.suffix() != Suffix::LOCAL_MASTER {
                    self.hold(host, name);
                    self.look_at_name(name, world, at);
                }
                let boot = self.booted[host.index()];
                let all =
                    nbt.owned_names().all(|o| matches!(o.state, NameState::Registered { .. }));
                if all && boot != SimTime::MAX {
                    self.register_time.record_duration(at.since(boot));
                    self.booted[host.index()] = SimTime::MAX;
                }
            }
            NameState::Registering => {}
            NameState::Conflict | NameState::Released => {
                if state == NameState::Conflict {
                    *self.counts.entry("client.names_in_conflict").or_default() += 1;
                }
                if let Some(held) = self.held_by.get_mut(&host.0) {
                    held.retain(|held| *held != name);
                }
                self.unhold(host, name);
                self.look_at_name(name, world, at);
            }
        }
    }

    /// Whether a server that runs knows a live host's server name; see [`Losses`].
    fn look_at_name(&mut self, name: NetbiosName, world: &World, at: SimTime) {
        if name.suffix() != Suffix::SERVER {
            return;
        }
        let holder = self.holders(&name).iter().copied().find(|h| {
            let nbt = self.plan.group_of(HostRef(*h)).nbt.as_ref();
            nbt.is_some_and(|nbt| !nbt.server_addresses.is_empty())
        });
        let Some(holder) = holder else { return self.losses.known(name, true, at) };
        let address = world.host(HostId(holder)).address();
        let (mut any, mut known) = (false, false);
        for (server, _) in &self.servers {
            let host = world.host(serving(*server, &self.plan, world));
            let Some(wins) = host.server().and_then(|s| s.wins()) else { continue };
            let record = wins.core().names.get(&name, &Default::default());
            any = true;
            known |= record.is_some_and(|r| r.is_active() && r.addresses().any(|a| a == address));
        }
        self.losses.known(name, known || !any, at);
    }

    fn look_at_names_of(&mut self, host: HostRef, world: &World, at: SimTime) {
        for name in self.held_by.get(&host.0).cloned().unwrap_or_default() {
            self.look_at_name(name, world, at);
        }
    }

    fn look_at_all_names(&mut self, world: &World, at: SimTime) {
        let names: Vec<NetbiosName> = self.holders.keys().copied().collect();
        names.into_iter().for_each(|name| self.look_at_name(name, world, at));
    }

    fn hold(&mut self, host: HostRef, name: NetbiosName) {
        let holders = self.holders.entry(name).or_default();
        if !holders.contains(&host.0) {
            holders.push(host.0);
            self.contested += u32::from(holders.len() == 2);
            self.held_by.entry(host.0).or_default().push(name);
        }
    }

    fn unhold(&mut self, host: HostRef, name: NetbiosName) {
        if let Some(holders) = self.holders.get_mut(&name)
            && let Some(place) = holders.iter().position(|&h| h == host.0)
        {
            holders.remove(place);
            self.contested -= u32::from(holders.len() == 1);
            if holders.is_empty() {
                self.holders.remove(&name);
            }
        }
    }

    fn switched(&mut self, from: Ipv4Addr, at: SimTime, world: &World, occurrences: &[Occurrence]) {
        let begun = occurrences.partition_point(|o| o.from <= at);
        let recent = begun.saturating_sub(OVERLAPS_MAX)..begun;
        let hit = |o: &Occurrence| {
            o.until.is_none_or(|until| at <= until)
                && o.hosts.iter().any(|h| {
                    let own = world.host(HostId(h.0)).address() == from;
                    own || self
                        .plan
                        .server_on(*h)
                        .is_some_and(|s| self.plan.server_address(s) == from)
                })
        };
        if let Some(index) = recent.rev().find(|&index| hit(&occurrences[index])) {
            self.damage[index].detect.record_duration(at.since(occurrences[index].from));
        }
    }

    fn wins_up(&mut self, host: HostRef, world: &World, at: SimTime) {
        let Some(s) = self.server(host) else { return };
        let Some(wins) = world.host(HostId(host.0)).server().and_then(|s| s.wins()) else { return };
        let looks = &mut self.servers[s].1.looks;
        for record in wins.core().names.iter() {
            // A released record counts as its partners still see it.
            if let RecordLook::Active(look) | RecordLook::Released(look) =
                RecordLook::of(Some(record))
            {
                looks.insert(record.name, look);
            }
        }
        let print = looks.values().fold(0, |sum, look| sum ^ look);
        self.convergence.server_life(s, Some((print, looks.len() as u64)), at);
        self.look_at_all_names(world, at);
    }

    fn record(
        &mut self,
        host: HostRef,
        name: NetbiosName,
        looks: RecordLook,
        world: &World,
        at: SimTime,
    ) {
        let Some(s) = self.server(host) else { return };
        let known = &mut self.servers[s].1.looks;
        let (before, after) = match looks {
            RecordLook::Released(_) => return self.look_at_name(name, world, at),
            RecordLook::Active(look) => (known.insert(name, look), Some(look)),
            RecordLook::Gone => (known.remove(&name), None),
        };
        let difference = before.unwrap_or(0) ^ after.unwrap_or(0);
        let active = i64::from(after.is_some()) - i64::from(before.is_some());
        self.convergence.record_changed(s, difference, active, at);
        if difference != 0 {
            self.look_at_name(name, world, at);
        }
    }

    fn observed(&mut self, host: HostRef, seen: Observation, world: &World, at: SimTime) {
        let Some(s) = self.server(host) else { return };
        if let Observation::Answered { request: RequestKind::Refresh, .. } = seen {
            self.servers[s].1.refreshes += 1;
        }
        let mut add = |name: &'static str| *self.counts.entry(name).or_default() += 1;
        match seen {
            Observation::Answered { positive: true, .. } => add("wins.answered_yes"),
            Observation::Answered { positive: false, .. } => add("wins.answered_no"),
            Observation::Dropped { .. } => add("wins.dropped"),
            Observation::BurstAnswered { .. } => add("wins.burst_answered"),
            Observation::ChallengeBegan { .. } => add("wins.challenges"),
            Observation::Notified { .. } => self.servers[s].1.notifications += 1,
            Observation::Pulled { records, .. } => {
                self.servers[s].1.pulls += 1;
                self.servers[s].1.records_pulled += u64::from(records);
            }
            Observation::VersionAssigned { owner, version, .. } => {
                self.servers[s].1.versions += 1;
                self.convergence.version_assigned(owner.0, version.0, at);
            }
            Observation::ReplicaApplied { owner, version, .. } => {
                self.convergence.replica_applied(s, owner.0, version.0, at);
            }
            Observation::Conflict { name, incoming, kept } => {
                add("wins.replica_conflicts");
                let record = world.host(HostId(host.0)).server().and_then(|s| s.wins());
                let record = record.and_then(|w| w.core().names.get(&name, &Default::default()));
                // The owner of a normal group is whoever was pulled last (MS-WINSRA figure 5): no news.
                if record.is_some_and(|r| r.kind == crate::wins::NameKind::Group) {
                    return;
                }
                let kept = if kept { "keeps its record" } else { "yields" };
                let text = format!("{name}: a replica of {} clashes, it {kept}", incoming.0);
                self.note(at, host, text);
            }
            _ => {}
        }
        if let Some(server) = world.host(HostId(host.0)).server() {
            let waiting = server.cpu().waiting(crate::sim::cpu::NAME_CHANGES) as f64;
            let queue = &mut self.servers[s].1.queue;
            let grain = self.plan.duration.as_secs_f64() / 2000.0;
            match queue.last_mut() {
                Some(last) if at.as_secs_f64() - last.0 < grain => last.1 = last.1.max(waiting),
                _ => queue.push((at.as_secs_f64(), waiting)),
            }
        }
    }

    /// Judges the end of a look-up by what is true now.
    pub(super) fn looked_up(
        &mut self,
        client: HostRef,
        looked: &LookedUp,
        asked: &Asked,
        now: SimTime,
        world: &World,
        occurrences: &[Occurrence],
    ) -> Answer {
        let addresses = &world.addresses[looked.addresses.0 as usize..looked.addresses.1 as usize];
        let answer = self.classify(&asked.target, addresses, world);
        for (watch, probe) in self.probes.iter_mut().zip(&self.plan.probes) {
            match &probe.kind {
                ProbeKind::Success(hosts) if hosts.binary_search(&client).is_ok() => {
                    watch.right += u64::from(answer == Answer::Right);
                    let judged = [Answer::Right, Answer::Stale, Answer::Wrong, Answer::Failed];
                    watch.judged += u64::from(judged.contains(&answer));
                }
                ProbeKind::Lookup { host, target }
                    if *host == client && *target == asked.target =>
                {
                    let took = now.since(looked.started).as_secs_f64();
                    watch.lines[0].1.push((now.as_secs_f64(), took));
                }
                _ => {}
            }
        }
        let lookup = Lookup {
            client: client.0,
            site: world.host(HostId(client.0)).subnet().0,
            target: self.target_number(&asked.target),
            started: looked.started,
            ended: now,
            answer,
        };
        let outage = self.lookups.record(&lookup);
        self.losses.looked_up(&lookup, SLOW_AFTER);
        if let Some(index) = latest(occurrences, looked.started) {
            let damage = &mut self.damage[index];
            match answer {
                Answer::Failed => damage.failed += 1,
                Answer::Stale | Answer::Wrong | Answer::Ghost => damage.stale += 1,
                _ => {}
            }
            let until = occurrences[index].until.unwrap_or(SimTime::MAX);
            if let Some((since, lasted)) = outage
                && since >= occurrences[index].from
                && since <= until
            {
                damage.unresolved.record_duration(lasted);
                damage.recovered = Some(now.max(damage.recovered.unwrap_or(now)));
            }
        }
        answer
    }

    /// A number for whoever should hold a name: a host's, and beyond those a Network Name resource's.
    fn target_number(&self, target: &LookupTarget) -> Option<u32> {
        let resource = target.resource.map(|(c, r)| (c.0 << 16) + u32::from(r.0));
        let beyond = self.plan.hosts.len() as u32;
        target.host.map(|h| h.0).or(resource.map(|number| beyond + number))
    }

    fn classify(&self, target: &LookupTarget, found: &[Ipv4Addr], world: &World) -> Answer {
        let (is_up, address) = match (target.host, target.resource) {
            (Some(host), _) => {
                let host = world.host(HostId(host.0));
                (host.is_up(), host.address())
            }
            (None, Some((cluster, resource))) => {
                let plan = &self.plan.clusters[cluster.index()];
                let Some(address) = plan.address_below(resource) else { return Answer::Unjudged };
                let state =
                    ClusterCondition::ResourceState { resource, state: ResourceState::Online };
                let level = of_cluster(cluster, &state, &self.plan, &self.cluster, world);
                (level.unwrap_or(false), address)
            }
            (None, None) => return Answer::Unjudged,
        };
        match (is_up, found.first()) {
            (true, None) => Answer::Failed,
            (true, Some(_)) if found.contains(&address) => Answer::Right,
            (true, Some(first)) => {
                let past = target.host.and_then(|host| self.past.get(&host.0));
                let had = past.is_some_and(|past| past.contains(first));
                if had { Answer::Stale } else { Answer::Wrong }
            }
            (false, None) => Answer::RightlyAbsent,
            (false, Some(_)) => Answer::Ghost,
        }
    }

    fn note(&mut self, at: SimTime, host: HostRef, what: String) {
        if self.notable.len() < NOTABLE_MAX {
            let who = self.plan.hosts[host.index()].name.clone();
            self.notable.push(NotableEvent { at, who, what });
        }
    }
}

fn probe_watch(probe: &ProbePlan, plan: &Plan) -> ProbeWatch {
    let lines = match &probe.kind {
        ProbeKind::Records(hosts) | ProbeKind::Queue(hosts) => {
            hosts.iter().map(|h| plan.server_name(*h)).collect()
        }
        _ => vec![probe.name.clone()],
    };
    let lines = lines.into_iter().map(|line| (line, Vec::new())).collect();
    ProbeWatch { next: SimTime::ZERO + probe.every, lines, right: 0, judged: 0 }
}

/// What a probe sees now, one value a line; `None` where there is nothing to see.
fn probe_values(
    probe: &ProbePlan,
    watch: &mut ProbeWatch,
    plan: &Plan,
    world: &World,
) -> Vec<Option<f64>> {
    let share = |part: usize, all: usize| (all > 0).then(|| part as f64 * 100.0 / all as f64);
    match &probe.kind {
        ProbeKind::Records(hosts) => hosts
            .iter()
            .map(|h| {
                let wins = world.host(serving(*h, plan, world)).server().and_then(|s| s.wins());
                Some(wins.map_or(0, |w| w.core().names.iter().filter(|r| r.is_active()).count())
                    as f64)
            })
            .collect(),
        ProbeKind::Queue(hosts) => hosts
            .iter()
            .map(|h| {
                let server = world.host(serving(*h, plan, world)).server();
                server.map(|s| s.cpu().waiting(crate::sim::cpu::NAME_CHANGES) as f64)
            })
            .collect(),
        ProbeKind::Success(_) => {
            let (right, judged) =
                (std::mem::take(&mut watch.right), std::mem::take(&mut watch.judged));
            vec![share(right as usize, judged as usize)]
        }
        ProbeKind::Registered(hosts) => {
            let ready = hosts.iter().filter(|h| has_all_names(**h, world)).count();
            vec![share(ready, hosts.len())]
        }
        ProbeKind::Lookup { .. } => Vec::new(),
    }
}

/// The latest occurrence begun by `at` that still lasts, or else whose aftermath does.
fn latest(occurrences: &[Occurrence], at: SimTime) -> Option<usize> {
    let begun = occurrences.partition_point(|o| o.from <= at);
    let within = |more: SimDuration| {
        let recent = begun.saturating_sub(OVERLAPS_MAX)..begun;
        recent.rev().find(|&i| occurrences[i].until.is_none_or(|until| at <= until + more))
    };
    within(SimDuration::ZERO).or_else(|| within(AFTERMATH))
}

/// About two hundred windows a run, of a length a clock shows.
fn window_of(duration: SimDuration) -> SimDuration {
    const LENGTHS_S: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    let wanted = duration.secs() / 200;
    let length = LENGTHS_S.iter().copied().find(|&s| s >= wanted);
    SimDuration::from_secs(length.unwrap_or(wanted.div_ceil(3600) * 3600))
}
