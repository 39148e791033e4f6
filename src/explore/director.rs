//! The director: carries out faults, workloads and steps as events of the run.
//!
//! Each fault, each workload and the operator are actors with lanes and streams of their own. What a host
//! does of itself (its next look-up, its next outage) is an event of that host, drawn from a stream that
//! rests as 16 bytes between two draws.

use super::cluster_faults::targets;
use super::faults::{Occurrence, target_of};
use super::workload::{arrival, first_gap, gap};
use crate::base::{ActorId, Event, RestingStream, Scheduler, SimDuration, SimTime, Streams};
use crate::cluster::NetworkId;
use crate::nbt::NbtInput;
use crate::net::{
    Impairment, LinkId, Members, RouterId, Rule, RuleEffect, RuleId, RuleScope, SubnetId,
};
use crate::scenario::{
    Boot, DurationRange, FaultKind, HostRef, LookupTarget, PacketScope, Plan, WorkloadKind,
};
use crate::sim::{BootTime, DIRECTOR_EVENT, Death, HostId, Life, World};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Kinds of the director's events; the low 24 bits are an index.
pub(super) mod kind {
    use super::DIRECTOR_EVENT;
    /// Switch the target host on.
    pub const BOOT: u32 = DIRECTOR_EVENT;
    /// Begin an occurrence of a fault.
    pub const BEGIN: u32 = DIRECTOR_EVENT + (1 << 24);
    /// End it.
    pub const END: u32 = DIRECTOR_EVENT + (2 << 24);
    /// Carry out a step.
    pub const STEP: u32 = DIRECTOR_EVENT + (3 << 24);
    /// The target host does what the workload says next.
    pub const WORK: u32 = DIRECTOR_EVENT + (4 << 24);
    /// The target host comes back from an outage of the workload.
    pub const BACK: u32 = DIRECTOR_EVENT + (5 << 24);
    /// A probe's look-up.
    pub const PROBE: u32 = DIRECTOR_EVENT + (6 << 24);
    /// The target host's cluster service goes on.
    pub const UNHANG: u32 = DIRECTOR_EVENT + (7 << 24);
    pub const MASK: u32 = 0xFF00_0000;
}

/// Why a look-up was made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    /// Who asked.
    pub client: HostRef,
    /// What for.
    pub target: LookupTarget,
}

/// What a fault that is over has to undo.
#[derive(Clone, Debug, Default)]
pub(super) struct Undo {
    pub(super) rules: Vec<RuleId>,
}

/// What faults that overlap are doing to one host.
#[derive(Clone, Debug, Default)]
struct Held {
    /// Faults that keep it down.
    down: u32,
    /// Whether it is to run when none of them does any more.
    to_boot: bool,
    paused: u32,
    full: u32,
    slow: Vec<u32>,
}

/// Where the parts of a plan are in the world.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub subnets: Vec<SubnetId>,
    pub routers: Vec<RouterId>,
    pub links: Vec<LinkId>,
    /// The actor of each fault, of each workload, and of the operator.
    pub fault_actors: Vec<ActorId>,
    pub workload_actors: Vec<ActorId>,
    pub operator: ActorId,
}

/// Carries out what the plan says beyond the hosts' own doing.
pub(super) struct Director {
    pub(super) plan: Arc<Plan>,
    pub(super) streams: Streams,
    pub(super) places: Places,
    occurrences: Vec<Occurrence>,
    undo: Vec<Undo>,
    held: BTreeMap<HostRef, Held>,
    links_down: Vec<u32>,
    routers_down: Vec<u32>,
    /// By workload: the stream of each of its hosts, in the workload's order.
    resting: Vec<Vec<RestingStream>>,
    asked: BTreeMap<u32, Asked>,
    pub(super) next_request: u32,
    /// How many faults keep an adapter silent.
    pub(super) adapters_down: BTreeMap<(HostRef, NetworkId), u32>,
    /// The network's count of packets when each occurrence began and ended.
    pub(super) packets: Vec<(u64, Option<u64>)>,
}

impl Director {
    pub(super) fn new(
        plan: Arc<Plan>,
        streams: Streams,
        places: Places,
        occurrences: Vec<Occurrence>,
    ) -> Director {
        let resting = plan
            .workloads
            .iter()
            .map(|workload| {
                let hosts = hosts_of(&workload.kind);
                let path = |h: &HostRef| {
                    format!("workload/{}/{}", workload.name, plan.hosts[h.index()].name)
                };
                hosts.iter().map(|h| RestingStream::new(&path(h))).collect()
            })
            .collect();
        Director {
            undo: vec![Undo::default(); occurrences.len()],
            held: BTreeMap::new(),
            links_down: vec![0; plan.links.len()],
            routers_down: vec![0; plan.routers.len()],
            packets: vec![(0, None); occurrences.len()],
            resting,
            asked: BTreeMap::new(),
            next_request: 1,
            adapters_down: BTreeMap::new(),
            streams,
            places,
            occurrences,
            plan,
        }
    }

    /// Schedules everything that is known before the run: boots, faults, steps, first look-ups. `lane` is
    /// called before each batch so that the events belong to the actor that causes them.
    pub(super) fn schedule<S: Scheduler>(
        &mut self,
        sched: &mut S,
        mut lane: impl FnMut(&mut S, ActorId),
    ) {
        let plan = self.plan.clone();
        for (index, host) in plan.hosts.iter().enumerate() {
            let actor = ActorId(index as u32);
            if let Boot::Between { low, high } = host.boot {
                let mut stream = self.streams.stream(&format!("host/{}/first-boot", host.name));
                lane(sched, actor);
                sched.schedule(SimTime(stream.between(low.0, high.0)), actor, kind::BOOT);
            }
        }
        for (index, occurrence) in self.occurrences.iter().enumerate() {
            let actor = self.places.fault_actors[occurrence.fault.index()];
            lane(sched, actor);
            sched.schedule(occurrence.from, actor, kind::BEGIN | index as u32);
        }
        for (index, step) in plan.steps.iter().enumerate() {
            lane(sched, self.places.operator);
            sched.schedule(step.at, self.places.operator, kind::STEP | index as u32);
        }
        for (index, probe) in plan.probes.iter().enumerate() {
            if matches!(probe.kind, crate::scenario::ProbeKind::Lookup { .. }) {
                lane(sched, self.places.operator);
                let at = SimTime::ZERO + probe.every;
                sched.schedule(at, self.places.operator, kind::PROBE | index as u32);
            }
        }
        for (index, workload) in plan.workloads.iter().enumerate() {
            lane(sched, self.places.workload_actors[index]);
            for (place, host) in hosts_of(&workload.kind).iter().enumerate() {
                let mut stream = self.streams.resume(self.resting[index][place]);
                let (at, payload) = match &workload.kind {
                    WorkloadKind::BootStorm { at, within, law, .. } => {
                        (*at + arrival(*law, *within, &mut stream), kind::BOOT)
                    }
                    WorkloadKind::Lookups(l) => {
                        (l.from + first_gap(l.law, l.every, &mut stream), kind::WORK | index as u32)
                    }
                    WorkloadKind::Churn { every, from, .. }
                    | WorkloadKind::Roaming { every, from, .. } => {
                        (*from + stream.exponential(*every), kind::WORK | index as u32)
                    }
                };
                self.resting[index][place] = stream.rest();
                sched.schedule(at, ActorId(host.0), payload);
            }
        }
    }

    /// Takes one of the director's events.
    pub(super) fn on_event<S: Scheduler>(
        &mut self,
        event: Event,
        world: &mut World,
        sched: &mut S,
    ) {
        let index = (event.payload & !kind::MASK) as usize;
        match event.payload & kind::MASK {
            kind::BOOT => self.boot(HostRef(event.target.0), world, sched),
            kind::BEGIN => self.begin(index, world, sched),
            kind::END => self.end(index, world, sched),
            kind::STEP => self.step(index, world, sched),
            kind::WORK => self.work(index, HostRef(event.target.0), world, sched),
            kind::BACK => self.boot(HostRef(event.target.0), world, sched),
            kind::PROBE => self.probe(index, world, sched),
            kind::UNHANG => world.hang_cluster_service(HostId(event.target.0), false, sched),
            other => debug_assert!(false, "an event of kind {other:#x} is nobody's"),
        }
    }

    /// The look-up behind a request, taken out.
    pub(super) fn asked(&mut self, request: u32) -> Option<Asked> {
        self.asked.remove(&request)
    }

    /// Look-ups of a host that died with them.
    pub(super) fn forget(&mut self, host: HostRef) {
        self.asked.retain(|_, asked| asked.client != host);
    }

    /// All occurrences of faults, by begin.
    pub(super) fn occurrences(&self) -> &[Occurrence] {
        &self.occurrences
    }

    pub(super) fn boot<S: Scheduler>(&mut self, host: HostRef, world: &mut World, sched: &mut S) {
        let id = HostId(host.0);
        if let Some(held) = self.held.get_mut(&host)
            && held.down > 0
        {
            // It starts when the last fault that keeps it down is over.
            held.to_boot = true;
            return;
        }
        if matches!(world.host(id).life(), Life::ShuttingDown | Life::Paused) {
            // Whoever presses the button does not wait for a machine that hangs.
            world.kill(id, Death::PowerCut, sched);
        }
        let range = self.plan.group_of(host).boot_takes;
        let range = BootTime { low: range.low, high: range.high };
        let takes = world.boot_time(&self.plan.hosts[host.index()].name, id, range);
        world.boot(id, takes, sched);
    }

    pub(super) fn look_up<S: Scheduler>(
        &mut self,
        client: HostRef,
        target: LookupTarget,
        use_cache: bool,
        world: &mut World,
        sched: &mut S,
    ) {
        if world.host(HostId(client.0)).life() != Life::On {
            return;
        }
        let request = self.next_request;
        self.next_request = self.next_request.wrapping_add(1);
        self.asked.insert(request, Asked { client, target });
        if !use_cache {
            world.ask(HostId(client.0), NbtInput::Purge, sched);
        }
        world.ask(HostId(client.0), NbtInput::Resolve { request, name: target.name }, sched);
    }

    fn probe<S: Scheduler>(&mut self, index: usize, world: &mut World, sched: &mut S) {
        let plan = self.plan.clone();
        let probe = &plan.probes[index];
        if let crate::scenario::ProbeKind::Lookup { host, target } = &probe.kind {
            self.look_up(*host, *target, false, world, sched);
        }
        let at = sched.now() + probe.every;
        sched.schedule(at, self.places.operator, kind::PROBE | index as u32);
    }
}

/// Workloads.
impl Director {
    fn work<S: Scheduler>(
        &mut self,
        index: usize,
        host: HostRef,
        world: &mut World,
        sched: &mut S,
    ) {
        let plan = self.plan.clone();
        let workload = &plan.workloads[index].kind;
        let Ok(place) = hosts_of(workload).binary_search(&host) else { return };
        let mut stream = self.streams.resume(self.resting[index][place]);
        let (now, actor) = (sched.now(), ActorId(host.0));
        let mut next = None;
        match workload {
            WorkloadKind::BootStorm { .. } => {}
            WorkloadKind::Lookups(lookups) if now < lookups.until => {
                let others = |t: &&LookupTarget| t.host != Some(host);
                let count = lookups.targets.iter().filter(others).count() as u64;
                let chosen = stream.below(count) as usize;
                next = Some(gap(lookups.law, lookups.every, &mut stream).max(SimDuration(1)));
                if let Some(&target) = lookups.targets.iter().filter(others).nth(chosen) {
                    self.look_up(host, target, lookups.use_cache, world, sched);
                }
            }
            WorkloadKind::Churn { every, off_for, clean, until, .. } if now < *until => {
                let off = stream.duration(off_for.low, off_for.high).max(SimDuration(1));
                let id = HostId(host.0);
                // Whoever is off, starting or frozen already is left alone.
                if world.host(id).life() == Life::On {
                    match clean {
                        true => world.shut_down(id, sched),
                        false => world.kill(id, Death::PowerCut, sched),
                    }
                    let back = (now + off).min((*until).max(now));
                    sched.schedule(back, actor, kind::BACK | index as u32);
                }
                next = Some(off + stream.exponential(*every));
            }
            WorkloadKind::Roaming { to, every, until, .. } if now < *until => {
                let id = HostId(host.0);
                let here = world.host(id).subnet();
                let elsewhere: Vec<SubnetId> = to
                    .iter()
                    .map(|s| self.places.subnets[s.index()])
                    .filter(|&s| s != here)
                    .collect();
                if !elsewhere.is_empty() {
                    let there = elsewhere[stream.below(elsewhere.len() as u64) as usize];
                    if let Some(address) = free_address(world, there) {
                        let moved = world.roam(id, there, address, sched);
                        debug_assert!(moved.is_ok(), "a free address is free: {moved:?}");
                    }
                }
                next = Some(stream.exponential(*every).max(SimDuration(1)));
            }
            WorkloadKind::Lookups(_)
            | WorkloadKind::Churn { .. }
            | WorkloadKind::Roaming { .. } => {}
        }
        self.resting[index][place] = stream.rest();
        if let Some(next) = next {
            sched.schedule(now + next, actor, kind::WORK | index as u32);
        }
    }
}

/// The slowest of the faults that slow a disk counts.
fn set_slow(factors: &[u32], world: &World, id: HostId) {
    if let Some(server) = world.host(id).server() {
        server.disk().set_slow(factors.iter().copied().max().unwrap_or(1));
    }
}

/// The first host address of a subnet that nobody has.
fn free_address(world: &World, subnet: SubnetId) -> Option<Ipv4Addr> {
    let (_, prefix) = world.net.subnet(subnet);
    let first = u32::from(prefix.network()) + 1;
    let last = u32::from(prefix.broadcast());
    (first..last).map(Ipv4Addr::from).find(|&a| world.net.is_free(a))
}

/// Faults.
impl Director {
    fn begin<S: Scheduler>(&mut self, index: usize, world: &mut World, sched: &mut S) {
        let plan = self.plan.clone();
        let fault = &plan.faults[self.occurrences[index].fault.index()];
        if let Some(target) = target_of(&fault.kind) {
            // Whoever is meant by words about this moment is hit until the end.
            let hosts = targets(target, &self.occurrences[index].hosts, world);
            self.occurrences[index].hosts = hosts;
        }
        let occurrence = self.occurrences[index].clone();
        let now = sched.now();
        self.packets[index].0 = world.net.totals().sent;
        let mut undo = Undo::default();
        for &host in &occurrence.hosts {
            self.begin_host(&fault.kind, host, occurrence.until.is_some(), world, sched);
        }
        self.begin_network(&fault.kind, &fault.label, index, now, world, &mut undo);
        if let FaultKind::Cluster { cluster, fault: what } = &fault.kind {
            let label = format!("{}/{index}", fault.label);
            let what = (*cluster, what, label.as_str());
            self.begin_cluster(what, &occurrence.hosts, &mut undo, world, sched);
        }
        self.undo[index] = undo;
        if let Some(until) = occurrence.until {
            let actor = self.places.fault_actors[occurrence.fault.index()];
            sched.schedule(until, actor, kind::END | index as u32);
        }
    }

    fn begin_host<S: Scheduler>(
        &mut self,
        fault: &FaultKind,
        host: HostRef,
        ends: bool,
        world: &mut World,
        sched: &mut S,
    ) {
        let id = HostId(host.0);
        let was_on = world.host(id).life() != Life::Off;
        let held = self.held.entry(host).or_default();
        let death = match fault {
            FaultKind::Crash(_) => Some(Death::Crash),
            FaultKind::PowerCut(_) => Some(Death::PowerCut),
            FaultKind::Wipe(_) => Some(Death::Wipe),
            FaultKind::Reboot(_) => Some(Death::ShutDown),
            _ => None,
        };
        match fault {
            _ if death.is_some() => {
                held.down += u32::from(ends);
                held.to_boot |= was_on && ends;
            }
            FaultKind::Pause(_) => {
                held.paused += 1;
                world.pause(id, sched);
            }
            FaultKind::ProgramCrash { program, .. } => world.crash_program(id, program, sched),
            FaultKind::ClockJump { by_ns, .. } => world.clock_jump(id, *by_ns, sched),
            FaultKind::ClockDrift { ppb, .. } => world.clock_drift(id, *ppb, sched),
            FaultKind::SlowDisk { factor, .. } => {
                held.slow.push(*factor);
                set_slow(&held.slow, world, id);
            }
            FaultKind::FullDisk(_) => {
                held.full += 1;
                if let Some(server) = world.host(id).server() {
                    server.disk().set_full(true);
                }
            }
            _ => {}
        }
        match death {
            Some(Death::ShutDown) => world.shut_down(id, sched),
            Some(how) => world.kill(id, how, sched),
            None => {}
        }
    }

    fn end_host<S: Scheduler>(
        &mut self,
        fault: &FaultKind,
        host: HostRef,
        world: &mut World,
        sched: &mut S,
    ) {
        let id = HostId(host.0);
        let held = self.held.entry(host).or_default();
        match fault {
            FaultKind::Crash(_)
            | FaultKind::PowerCut(_)
            | FaultKind::Wipe(_)
            | FaultKind::Reboot(_) => {
                held.down -= 1;
                if held.down == 0 && std::mem::take(&mut held.to_boot) {
                    self.boot(host, world, sched);
                }
            }
            FaultKind::Pause(_) => {
                held.paused -= 1;
                if held.paused == 0 {
                    world.resume(id, sched);
                }
            }
            FaultKind::ClockJump { by_ns, .. } => {
                world.clock_jump(id, by_ns.saturating_neg(), sched);
            }
            FaultKind::ClockDrift { ppb, .. } => world.clock_drift(id, ppb.saturating_neg(), sched),
            FaultKind::SlowDisk { factor, .. } => {
                if let Some(place) = held.slow.iter().position(|f| f == factor) {
                    held.slow.remove(place);
                }
                set_slow(&held.slow, world, id);
            }
            FaultKind::FullDisk(_) => {
                held.full -= 1;
                if held.full == 0 {
                    if let Some(server) = world.host(id).server() {
                        server.disk().set_full(false);
                    }
                    world.restart_service(id, sched);
                }
            }
            _ => {}
        }
    }

    fn begin_network(
        &mut self,
        fault: &FaultKind,
        label: &str,
        index: usize,
        now: SimTime,
        world: &mut World,
        undo: &mut Undo,
    ) {
        let name = format!("{label}/{index}");
        let rule = |effect| Rule { name: name.clone(), begin: now, end: SimTime::MAX, effect };
        match fault {
            FaultKind::LinkDown(links) => {
                for link in links {
                    self.links_down[link.index()] += 1;
                    world.net.set_link_up(self.places.links[link.index()], false, now);
                }
            }
            FaultKind::RouterDown(routers) => {
                for router in routers {
                    self.routers_down[router.index()] += 1;
                    world.net.set_router_up(self.places.routers[router.index()], false);
                }
            }
            FaultKind::Partition { from, to, one_way } => {
                let members = |side: &crate::scenario::Side| Members {
                    subnets: side.subnets.iter().map(|s| self.places.subnets[s.index()]).collect(),
                    hosts: side.hosts.iter().map(|h| ActorId(h.0)).collect(),
                };
                let effect = RuleEffect::Partition {
                    from: members(from),
                    to: members(to),
                    both_ways: !one_way,
                };
                undo.rules.push(world.net.add_rule(rule(effect)));
            }
            FaultKind::Loss { on, odds } => {
                for scope in self.scopes(on) {
                    let how = Impairment::Loss(*odds);
                    undo.rules.push(world.net.add_rule(rule(RuleEffect::Impair { scope, how })));
                }
            }
            FaultKind::Duplicate { on, odds } => {
                for scope in self.scopes(on) {
                    let how = Impairment::Duplicate(*odds);
                    undo.rules.push(world.net.add_rule(rule(RuleEffect::Impair { scope, how })));
                }
            }
            FaultKind::Delay { on, by: DurationRange { low, high } } => {
                for scope in self.scopes(on) {
                    let how = Impairment::Delay(*low, *high);
                    undo.rules.push(world.net.add_rule(rule(RuleEffect::Impair { scope, how })));
                }
            }
            _ => {}
        }
    }

    fn scopes(&self, on: &PacketScope) -> Vec<RuleScope> {
        match on {
            PacketScope::Links(links) => {
                links.iter().map(|l| RuleScope::Link(self.places.links[l.index()])).collect()
            }
            PacketScope::Subnets(subnets) => {
                subnets.iter().map(|s| RuleScope::Subnet(self.places.subnets[s.index()])).collect()
            }
            PacketScope::Hosts(hosts) => {
                hosts.iter().map(|h| RuleScope::Host(ActorId(h.0))).collect()
            }
        }
    }

    fn end<S: Scheduler>(&mut self, index: usize, world: &mut World, sched: &mut S) {
        let plan = self.plan.clone();
        let occurrence = self.occurrences[index].clone();
        let now = sched.now();
        self.packets[index].1 = Some(world.net.totals().sent);
        let undo = std::mem::take(&mut self.undo[index]);
        for rule in undo.rules {
            world.net.end_rule(rule, now);
        }
        let kind = &plan.faults[occurrence.fault.index()].kind;
        for &host in &occurrence.hosts {
            self.end_host(kind, host, world, sched);
        }
        match kind {
            FaultKind::LinkDown(links) => {
                for link in links {
                    self.links_down[link.index()] -= 1;
                    if self.links_down[link.index()] == 0 {
                        world.net.set_link_up(self.places.links[link.index()], true, now);
                    }
                }
            }
            FaultKind::Cluster { cluster, fault } => {
                self.end_cluster(*cluster, fault, &occurrence.hosts, world, sched);
            }
            FaultKind::RouterDown(routers) => {
                for router in routers {
                    self.routers_down[router.index()] -= 1;
                    if self.routers_down[router.index()] == 0 {
                        world.net.set_router_up(self.places.routers[router.index()], true);
                    }
                }
            }
            _ => {}
        }
    }
}

fn hosts_of(kind: &WorkloadKind) -> &[HostRef] {
    match kind {
        WorkloadKind::BootStorm { hosts, .. }
        | WorkloadKind::Churn { hosts, .. }
        | WorkloadKind::Roaming { hosts, .. } => hosts,
        WorkloadKind::Lookups(lookups) => &lookups.hosts,
    }
}
