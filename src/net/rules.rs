//! Faults on packets: rules with a target, an effect and a lifetime.
//!
//! A rule acts on packets put on a subnet or link while `begin <= now < end`. While no rule is alive, the
//! whole matter is one comparison a packet. Each rule counts how often it acted and draws from a stream of
//! its own, `fault/NAME`, so that adding one leaves all other chance as it was.

use super::capture::Place;
use super::counters::DropCause;
use super::medium::Verdict;
use super::topology::{LinkId, SubnetId};
use crate::base::{ActorId, Odds, SimDuration, SimTime, Stream, Streams};

/// A rule.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleId(pub u32);

/// What a rule is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name in reports, and of its stream.
    pub name: String,
    /// It acts from here on...
    pub begin: SimTime,
    /// ...until just before here.
    pub end: SimTime,
    /// What it does.
    pub effect: RuleEffect,
}

/// What a rule does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleEffect {
    /// Packets from `from` to `to` vanish, wherever they are put on a subnet or link; and those from `to`
    /// to `from` too, if `both_ways`.
    Partition {
        /// One side.
        from: Members,
        /// The other.
        to: Members,
        /// Whether the way back is cut too.
        both_ways: bool,
    },
    /// Packets on some subnets or links fare worse.
    Impair {
        /// Which ones.
        scope: RuleScope,
        /// How.
        how: Impairment,
    },
}

/// Subnets and hosts on one side of a partition.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Members {
    /// Everyone on these subnets.
    pub subnets: Vec<SubnetId>,
    /// These hosts.
    pub hosts: Vec<ActorId>,
}

/// Where a rule acts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RuleScope {
    /// On every subnet and link; a packet that crosses three is judged three times.
    Everything,
    /// On a subnet.
    Subnet(SubnetId),
    /// On a link, both directions.
    Link(LinkId),
    /// On what one host sends and receives.
    Host(ActorId),
    /// On what one host sends on a subnet.
    Sent(ActorId, SubnetId),
    /// On what one host receives on a subnet, broadcasts aside.
    Received(ActorId, SubnetId),
}

/// How packets fare worse.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Impairment {
    /// They are lost with these odds.
    Loss(Odds),
    /// They take longer, by a time drawn between these two.
    Delay(SimDuration, SimDuration),
    /// They arrive twice with these odds.
    Duplicate(Odds),
    /// They are held back with these odds, so that later ones overtake them.
    Reorder(Odds, SimDuration),
    /// A bit flips with these odds; the receiver's checksum finds it and drops the packet.
    Corrupt(Odds),
}

/// What a rule has done.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct RuleCounters {
    /// Packets it looked at: those its target names, in its time.
    pub judged: u64,
    /// Packets it dropped, delayed or duplicated.
    pub acted: u64,
    /// When it first acted.
    pub first: Option<SimTime>,
    /// When it last acted.
    pub last: Option<SimTime>,
}

/// A packet as rules see it.
#[derive(Copy, Clone, Debug)]
pub(super) struct Judged {
    pub(super) place: Place,
    pub(super) source: (SubnetId, ActorId),
    /// Subnet and, unless it is a broadcast or nobody's, host.
    pub(super) destination: (Option<SubnetId>, Option<ActorId>),
}

#[derive(Clone, Debug)]
struct Entry {
    rule: Rule,
    counters: RuleCounters,
    stream: Stream,
}

/// All rules of a run.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    entries: Vec<Entry>,
    /// Rules alive now.
    alive: Vec<u32>,
    /// When `alive` must be looked at again.
    next_change: SimTime,
}

impl Members {
    /// Everyone on one subnet.
    pub fn subnet(subnet: SubnetId) -> Members {
        Members { subnets: vec![subnet], hosts: Vec::new() }
    }

    /// One host.
    pub fn host(host: ActorId) -> Members {
        Members { subnets: Vec::new(), hosts: vec![host] }
    }

    fn has(&self, subnet: Option<SubnetId>, host: Option<ActorId>) -> bool {
        subnet.is_some_and(|s| self.subnets.contains(&s))
            || host.is_some_and(|h| self.hosts.contains(&h))
    }
}

impl Default for Rules {
    fn default() -> Self {
        Rules { entries: Vec::new(), alive: Vec::new(), next_change: SimTime::MAX }
    }
}

impl Rules {
    pub(super) fn add(&mut self, rule: Rule, streams: Streams) -> RuleId {
        let stream = streams.stream(&format!("fault/{}", rule.name));
        self.entries.push(Entry { rule, counters: RuleCounters::default(), stream });
        self.next_change = SimTime::ZERO;
        RuleId(self.entries.len() as u32 - 1)
    }

    /// Ends a rule now.
    pub(super) fn end(&mut self, id: RuleId, now: SimTime) {
        let rule = &mut self.entries[id.0 as usize].rule;
        rule.end = rule.end.min(now);
        self.next_change = SimTime::ZERO;
    }

    pub(super) fn get(&self, id: RuleId) -> (&Rule, RuleCounters) {
        let entry = &self.entries[id.0 as usize];
        (&entry.rule, entry.counters)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = RuleId> + use<> {
        (0..self.entries.len() as u32).map(RuleId)
    }

    /// Whether any rule is alive.
    #[inline]
    pub(super) fn any_alive(&mut self, now: SimTime) -> bool {
        if now >= self.next_change {
            self.refresh(now);
        }
        !self.alive.is_empty()
    }

    #[cold]
    fn refresh(&mut self, now: SimTime) {
        self.alive.clear();
        self.next_change = SimTime::MAX;
        for (i, Entry { rule, .. }) in self.entries.iter().enumerate() {
            if now < rule.begin {
                self.next_change = self.next_change.min(rule.begin);
            } else if now < rule.end {
                self.alive.push(i as u32);
                self.next_change = self.next_change.min(rule.end);
            }
        }
    }

    /// Lets every rule alive judge a packet, on top of what the medium's own odds said.
    pub(super) fn judge(&mut self, packet: &Judged, now: SimTime, verdict: &mut Verdict) {
        for &i in &self.alive {
            let Entry { rule, counters, stream } = &mut self.entries[i as usize];
            if !rule.effect.concerns(packet) {
                continue;
            }
            counters.judged += 1;
            if rule.effect.act(stream, verdict) {
                counters.acted += 1;
                counters.first.get_or_insert(now);
                counters.last = Some(now);
            }
            if verdict.dropped.is_some() {
                return;
            }
        }
    }

    /// Whether a partition keeps a broadcast from one listener.
    pub(super) fn parts(&mut self, packet: &Judged, now: SimTime) -> bool {
        for &i in &self.alive {
            let Entry { rule, counters, .. } = &mut self.entries[i as usize];
            if matches!(rule.effect, RuleEffect::Partition { .. }) && rule.effect.concerns(packet) {
                counters.judged += 1;
                counters.acted += 1;
                counters.first.get_or_insert(now);
                counters.last = Some(now);
                return true;
            }
        }
        false
    }
}

impl RuleEffect {
    fn concerns(&self, packet: &Judged) -> bool {
        let (source_subnet, source_host) = packet.source;
        let (to_subnet, to_host) = packet.destination;
        match self {
            RuleEffect::Partition { from, to, both_ways } => {
                let sends = |m: &Members| m.has(Some(source_subnet), Some(source_host));
                let hears = |m: &Members| m.has(to_subnet, to_host);
                (sends(from) && hears(to)) || (*both_ways && sends(to) && hears(from))
            }
            RuleEffect::Impair { scope, .. } => match (*scope, packet.place) {
                (RuleScope::Everything, _) => true,
                (RuleScope::Subnet(mine), Place::Subnet(subnet)) => mine == subnet,
                (RuleScope::Link(mine), Place::Link { link, .. }) => mine == link,
                (RuleScope::Sent(host, mine), Place::Subnet(subnet)) => {
                    mine == subnet && host == source_host && subnet == source_subnet
                }
                (RuleScope::Received(host, mine), Place::Subnet(subnet)) => {
                    mine == subnet && to_host == Some(host) && to_subnet == Some(subnet)
                }
                (RuleScope::Host(host), Place::Subnet(subnet)) => {
                    (host == source_host && subnet == source_subnet)
                        || (to_host == Some(host) && to_subnet == Some(subnet))
                }
                _ => false,
            },
        }
    }

    /// Acts on a packet it concerns; tells whether anything happened.
    fn act(&self, stream: &mut Stream, verdict: &mut Verdict) -> bool {
        match *self {
            RuleEffect::Partition { .. } => {
                verdict.dropped = Some(DropCause::Partition);
                true
            }
            RuleEffect::Impair { how: Impairment::Loss(odds), .. } if stream.chance(odds) => {
                verdict.dropped = Some(DropCause::RuleLoss);
                true
            }
            RuleEffect::Impair { how: Impairment::Corrupt(odds), .. } if stream.chance(odds) => {
                verdict.dropped = Some(DropCause::Corrupted);
                true
            }
            RuleEffect::Impair { how: Impairment::Duplicate(odds), .. } if stream.chance(odds) => {
                verdict.duplicate = true;
                true
            }
            RuleEffect::Impair { how: Impairment::Reorder(odds, extra), .. }
                if stream.chance(odds) =>
            {
                verdict.extra += extra;
                true
            }
            RuleEffect::Impair { how: Impairment::Delay(low, high), .. } => {
                verdict.extra += SimDuration(stream.between(low.0, high.0));
                true
            }
            RuleEffect::Impair { .. } => false,
        }
    }
}
