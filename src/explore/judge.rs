//! Judging a run: each expectation's condition is followed while the run goes and judged at its end.

use super::cluster_judge;
use super::faults::{Occurrence, stretches_of, times_of};
use super::signal::{Judged, Mode, Signal};
use super::steps::serving;
use super::watch::Watch;
use crate::base::{Odds, SimDuration, SimTime};
use crate::measure::lookups::Answer;
use crate::measure::{ExpectationResult, Measure, Verdict};
use crate::nbt::NameState;
use crate::scenario::{
    Amount, Condition, ExpectKind, ExpectPlan, Figure, HostRef, Limit, Plan, RecordMatch,
    RecordStateWord, StaticKind, Value,
};
use crate::sim::{Happening, HostId, LookedUp, What, World};
use crate::wins::{NameKind, NameRecord, Observation, Owner, RecordState, WinsServer};
use crate::wire::NetbiosName;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Look-ups counted within a stretch.
#[derive(Copy, Clone, Default, Debug)]
struct Tally {
    /// What the condition limits: right answers, stale ones...
    hits: u64,
    /// What that is a share of.
    all: u64,
}

/// How a condition is followed.
enum Follow {
    Signal(Signal),
    /// Counted per stretch, judged at the end.
    Tally(Vec<(SimTime, SimTime)>, Vec<Tally>),
    /// Judged at the end from the measures alone.
    Measure,
    /// Judged at the end from what was seen of clusters.
    Cluster(Vec<(SimTime, SimTime)>),
}

struct Expectation {
    plan: ExpectPlan,
    mode: Mode,
    follow: Follow,
    /// For conditions about each of many hosts: for which of them it is true, and how many those are. A
    /// change at one host then costs one look, however many hosts there are.
    members: Vec<bool>,
    good: usize,
}

/// Follows the expectations of a run.
pub(super) struct Judge {
    plan: Arc<Plan>,
    expectations: Vec<Expectation>,
}

impl Judge {
    pub(super) fn new(plan: Arc<Plan>, occurrences: &[Occurrence]) -> Judge {
        let expectations =
            plan.expects.iter().map(|expect| follow(expect, &plan, occurrences)).collect();
        Judge { plan, expectations }
    }

    /// Takes a happening; `answer` says how a look-up came out, and who asked for what.
    pub(super) fn happened(
        &mut self,
        happening: &Happening,
        answer: Option<(Answer, NetbiosName)>,
        watch: &Watch,
        world: &World,
    ) {
        let plan = &self.plan;
        for expectation in &mut self.expectations {
            let condition = &expectation.plan.condition;
            match &mut expectation.follow {
                Follow::Measure | Follow::Cluster(_) => {}
                Follow::Tally(stretches, tallies) => {
                    if let Some((answer, _)) = answer {
                        tally(condition, happening, answer, stretches, tallies);
                    }
                }
                Follow::Signal(signal) => match (&happening.what, answer) {
                    (What::LookedUp(looked), Some((answer, _))) => {
                        if let Some(good) = pulse(condition, happening, looked, answer, world) {
                            signal.pulse(happening.at, good);
                        }
                    }
                    (What::Logged { id, .. }, _) => {
                        if let Condition::EventLogged { hosts, id: wanted } = condition
                            && u32::from(*id) == *wanted
                            && hosts.binary_search(&HostRef(happening.host.0)).is_ok()
                        {
                            signal.pulse(happening.at, true);
                        }
                    }
                    _ if concerns(condition, &happening.what) => {
                        if let Some((hosts, at_least)) = each_host(condition) {
                            let host = HostRef(happening.host.0);
                            let Ok(place) = hosts.binary_search(&host) else { continue };
                            let good = holds_for(condition, host, plan, world);
                            let was = std::mem::replace(&mut expectation.members[place], good);
                            expectation.good =
                                expectation.good + usize::from(good) - usize::from(was);
                            let (part, all) = (expectation.good as u64, hosts.len() as u64);
                            signal.set(happening.at, at_least_share(part, all, at_least));
                        } else if let Some(value) = level(condition, plan, watch, world) {
                            signal.set(happening.at, value);
                        }
                    }
                    _ => {}
                },
            }
        }
    }

    /// What every level is before anything has happened.
    pub(super) fn begin(&mut self, watch: &Watch, world: &World) {
        for expectation in &mut self.expectations {
            if let Follow::Signal(signal) = &mut expectation.follow
                && let Some(value) = level(&expectation.plan.condition, &self.plan, watch, world)
            {
                signal.set(SimTime::ZERO, value);
            }
        }
    }

    /// The verdicts.
    pub(super) fn judge(
        &self,
        end: SimTime,
        measures: &[Measure],
        watch: &Watch,
    ) -> Vec<ExpectationResult> {
        self.expectations
            .iter()
            .map(|expectation| {
                let (verdict, detail) = match &expectation.follow {
                    Follow::Signal(signal) => signal.judge(end),
                    Follow::Tally(stretches, tallies) => {
                        judge_tallies(&expectation.plan, expectation.mode, stretches, tallies, end)
                    }
                    Follow::Measure => judge_measure(&expectation.plan.condition, measures),
                    Follow::Cluster(stretches) => {
                        let condition = &expectation.plan.condition;
                        let (mode, seen) = (expectation.mode, &watch.cluster);
                        cluster_judge::judge(condition, mode, stretches, seen, end)
                    }
                };
                // "Never" of something that is counted or measured means that it must not hold.
                let negated = expectation.mode == Mode::Never
                    && !matches!(expectation.follow, Follow::Signal(_));
                let verdict = match (negated, verdict) {
                    (true, Verdict::Pass) => Verdict::Fail,
                    (true, Verdict::Fail) => Verdict::Pass,
                    (_, verdict) => verdict,
                };
                ExpectationResult { name: expectation.plan.name.clone(), verdict, detail }
            })
            .collect()
    }
}

fn follow(expect: &ExpectPlan, plan: &Plan, occurrences: &[Occurrence]) -> Expectation {
    let (mode, stretches) = match &expect.kind {
        ExpectKind::Never(period) => (Mode::Never, stretches_of(period, plan, occurrences)),
        ExpectKind::Always(period) => (Mode::Always, stretches_of(period, plan, occurrences)),
        ExpectKind::Reach(period) => (Mode::Reach, stretches_of(period, plan, occurrences)),
        ExpectKind::Goal { after, within, stays } => {
            let stays = stays.unwrap_or(SimDuration::ZERO);
            let starts = times_of(*after, plan, occurrences);
            let stretches = starts.into_iter().map(|at| (at, at + *within)).collect();
            (Mode::Goal { stays }, stretches)
        }
    };
    let follow = match &expect.condition {
        Condition::Measure { .. } => Follow::Measure,
        condition if cluster_judge::is_tallied(condition) => Follow::Cluster(stretches),
        Condition::LookupSuccess { window: Some(window), .. } => {
            let windows =
                stretches.iter().flat_map(|&s| windows_of(s, *window)).collect::<Vec<_>>();
            let tallies = vec![Tally::default(); windows.len()];
            Follow::Tally(windows, tallies)
        }
        Condition::LookupSuccess { .. }
        | Condition::StaleAnswers { .. }
        | Condition::WrongAnswers { .. } => {
            let tallies = vec![Tally::default(); stretches.len()];
            Follow::Tally(stretches, tallies)
        }
        Condition::HostsResolve { .. }
        | Condition::Answer { .. }
        | Condition::LookupTime { .. } => Follow::Signal(Signal::pulses(mode, stretches)),
        Condition::EventLogged { .. } => Follow::Signal(Signal::events(mode, stretches)),
        Condition::DatabasesAgree { .. }
        | Condition::ServerKnows { .. }
        | Condition::ServerLacks { .. }
        | Condition::RecordCount { .. }
        | Condition::OwnerKnown { .. }
        | Condition::OneHolder { .. }
        | Condition::CurrentServer { .. }
        | Condition::Registered { .. }
        | Condition::RegistryValue { .. }
        | Condition::ProgramRuns { .. }
        | Condition::Cluster { .. } => Follow::Signal(Signal::level(mode, stretches)),
    };
    let members = each_host(&expect.condition).map_or(0, |(hosts, _)| hosts.len());
    Expectation { plan: expect.clone(), mode, follow, members: vec![false; members], good: 0 }
}

/// A stretch cut into windows of this length; what is left over at its end belongs to the last one.
fn windows_of((from, until): (SimTime, SimTime), window: SimDuration) -> Vec<(SimTime, SimTime)> {
    let count = (until.since(from).0 / window.0.max(1)).max(1);
    let edge = |i: u64| if i == count { until } else { from + window * i };
    (0..count).map(|i| (edge(i), edge(i + 1))).collect()
}

fn tally(
    condition: &Condition,
    happening: &Happening,
    answer: Answer,
    stretches: &[(SimTime, SimTime)],
    tallies: &mut [Tally],
) {
    let client = HostRef(happening.host.0);
    let judged = !matches!(answer, Answer::Unjudged);
    let (hosts, hit, counts) = match condition {
        Condition::LookupSuccess { hosts, .. } => {
            let possible = !matches!(answer, Answer::Ghost | Answer::RightlyAbsent);
            (hosts, answer == Answer::Right, judged && possible)
        }
        Condition::StaleAnswers { hosts, .. } => {
            (hosts, matches!(answer, Answer::Stale | Answer::Ghost), judged)
        }
        Condition::WrongAnswers { hosts, .. } => (hosts, answer == Answer::Wrong, judged),
        _ => return,
    };
    if !counts || hosts.binary_search(&client).is_err() {
        return;
    }
    for (&(from, until), tally) in stretches.iter().zip(tallies) {
        if happening.at >= from && happening.at <= until {
            tally.hits += u64::from(hit);
            tally.all += 1;
        }
    }
}

fn judge_tallies(
    expect: &ExpectPlan,
    mode: Mode,
    stretches: &[(SimTime, SimTime)],
    tallies: &[Tally],
    end: SimTime,
) -> Judged {
    let mut seen = stretches.iter().zip(tallies).filter(|(_, t)| t.all > 0).peekable();
    if seen.peek().is_none() {
        return (Verdict::NotJudged, "no look-up happened in that time".into());
    }
    let holds = |t: &Tally| match &expect.condition {
        Condition::LookupSuccess { at_least, .. } => at_least_share(t.hits, t.all, *at_least),
        Condition::StaleAnswers { at_most, .. } | Condition::WrongAnswers { at_most, .. } => {
            match at_most {
                Amount::Count(n) => t.hits <= *n,
                Amount::Share(share) => {
                    share.is_never() && t.hits == 0
                        || u128::from(t.hits) * u128::from(share.denominator)
                            <= u128::from(t.all) * u128::from(share.numerator)
                }
            }
        }
        _ => true,
    };
    let text = |t: &Tally| {
        let share = t.hits as f64 * 100.0 / t.all as f64;
        format!("{} of {} ({share:.2} %)", t.hits, t.all)
    };
    let seen: Vec<_> = seen.collect();
    if matches!(mode, Mode::Goal { .. }) && stretches.iter().all(|&(_, until)| until > end) {
        return (Verdict::NotJudged, "the run ended before the deadline".into());
    }
    let failing = seen.iter().copied().find(|(_, t)| !holds(t));
    let holding = seen.iter().copied().find(|(_, t)| holds(t));
    match (mode, failing, holding) {
        // One window that holds reaches it; a goal is reached by its deadline.
        (Mode::Reach | Mode::Goal { .. }, _, Some((&(from, _), t))) => {
            (Verdict::Pass, format!("{} from {from} on", text(t)))
        }
        (Mode::Never, _, Some((_, t))) => (Verdict::Pass, text(t)),
        (_, Some((&(from, until), t)), _) => {
            (Verdict::Fail, format!("{} from {from} to {until}", text(t)))
        }
        (_, None, _) => {
            let total = seen.iter().fold(Tally::default(), |a, (_, b)| Tally {
                hits: a.hits + b.hits,
                all: a.all + b.all,
            });
            (Verdict::Pass, text(&total))
        }
    }
}

fn at_least_share(hits: u64, all: u64, share: Odds) -> bool {
    u128::from(hits) * u128::from(share.denominator)
        >= u128::from(all) * u128::from(share.numerator)
}

fn judge_measure(condition: &Condition, measures: &[Measure]) -> Judged {
    let Condition::Measure { name, figure, limit } = condition else {
        return (Verdict::NotJudged, String::new());
    };
    let Some(measure) = measures.iter().find(|m| m.name == *name) else {
        return (Verdict::NotJudged, format!("{name} was not measured: nothing happened"));
    };
    let value = match figure {
        Figure::Count => measure.n as f64,
        Figure::Min => measure.min,
        Figure::P50 => measure.p50,
        Figure::P90 => measure.p90,
        Figure::P99 => measure.p99,
        Figure::Max => measure.max,
    };
    let Limit { at_least, at_most } = limit;
    let holds = at_least.is_none_or(|low| value >= in_unit(low))
        && at_most.is_none_or(|high| value <= in_unit(high));
    let unit = if *figure == Figure::Count { "values" } else { &measure.unit };
    let verdict = if holds { Verdict::Pass } else { Verdict::Fail };
    (verdict, format!("{value:.3} {unit} (of {} values)", measure.n))
}

/// A limit in the unit of measures: seconds, a number, per cent.
fn in_unit(value: Value) -> f64 {
    match value {
        Value::Duration(d) => d.as_secs_f64(),
        Value::Count(n) => n as f64,
        Value::Share(odds) => {
            f64::from(odds.numerator) * 100.0 / f64::from(odds.denominator.max(1))
        }
    }
}

/// Whether a look-up speaks for (true), against (false) or not at all about a condition.
fn pulse(
    condition: &Condition,
    happening: &Happening,
    looked: &LookedUp,
    answer: Answer,
    world: &World,
) -> Option<bool> {
    let client = HostRef(happening.host.0);
    let found = &world.addresses[looked.addresses.0 as usize..looked.addresses.1 as usize];
    match condition {
        Condition::HostsResolve { hosts, target, address } => {
            let asked = target.name == looked.name && hosts.binary_search(&client).is_ok();
            asked.then(|| match address {
                Some(address) => found.first() == Some(address),
                None => answer == Answer::Right,
            })
        }
        Condition::Answer { hosts, name, contains, lacks, starts_with, count } => {
            let asked = *name == looked.name && hosts.binary_search(&client).is_ok();
            asked.then(|| {
                contains.iter().all(|a| found.contains(a))
                    && !lacks.iter().any(|a| found.contains(a))
                    && found.starts_with(starts_with)
                    && count.is_none_or(|n| found.len() == n as usize)
            })
        }
        Condition::LookupTime { hosts, name, at_least, at_most } => {
            let asked = name.is_none_or(|name| name == looked.name);
            let took = happening.at.since(looked.started);
            (asked && hosts.binary_search(&client).is_ok()).then(|| {
                at_least.is_none_or(|low| took >= low) && at_most.is_none_or(|high| took <= high)
            })
        }
        _ => None,
    }
}

/// Whether a happening can change the truth of a level.
fn concerns(condition: &Condition, what: &What) -> bool {
    match condition {
        Condition::DatabasesAgree { .. } => {
            matches!(what, What::Record { .. } | What::WinsUp | What::WinsDown)
        }
        Condition::ServerKnows { record: RecordMatch { name, .. }, .. }
        | Condition::ServerLacks { name, .. } => match what {
            What::Record { name: changed, .. } => changed == name,
            What::WinsUp | What::WinsDown => true,
            _ => false,
        },
        Condition::RecordCount { .. } => {
            matches!(what, What::Record { .. } | What::WinsUp | What::WinsDown)
        }
        Condition::OwnerKnown { .. } => {
            // The map grows with records, and at the end of a pull that brought none.
            let told = matches!(what, What::Wins(Observation::CaughtUp { .. }));
            told || matches!(what, What::Record { .. } | What::WinsUp | What::WinsDown)
        }
        Condition::OneHolder { name } => match what {
            What::Name { name: changed, .. } => name.is_none_or(|name| name == *changed),
            What::Down(_) => true,
            _ => false,
        },
        Condition::CurrentServer { .. } => {
            matches!(what, What::ServerSwitched { .. } | What::Up | What::Down(_) | What::Moved)
        }
        Condition::Registered { .. } => {
            matches!(what, What::Name { .. } | What::Up | What::Down(_))
        }
        _ => cluster_judge::concerns(condition, what),
    }
}

/// The truth of a level now; `None` for conditions that are no levels.
fn level(condition: &Condition, plan: &Plan, watch: &Watch, world: &World) -> Option<bool> {
    Some(match condition {
        Condition::DatabasesAgree { servers } => {
            let places: Vec<usize> = servers.iter().filter_map(|&h| watch.server(h)).collect();
            watch.convergence.agree(&places)
        }
        Condition::ServerKnows { servers, record } => servers.iter().all(|&server| {
            record_at(server, &record.name, plan, world).is_some_and(|r| matches(r, record, plan))
        }),
        Condition::ServerLacks { servers, name } => servers.iter().all(|&server| {
            record_at(server, name, plan, world).is_none_or(|r| r.state != RecordState::Active)
        }),
        Condition::RecordCount { servers, owner, state, within } => servers
            .iter()
            .all(|&server| within.holds(record_count(server, (*owner, *state), plan, world))),
        Condition::OwnerKnown { servers, owner, within } => servers.iter().all(|&server| {
            let core = wins_at(server, plan, world).map(|wins| wins.core());
            let known = core.map_or(0, |core| match core.own.address() == *owner {
                true => core.own_maximum().0,
                false => core.names.maximum(Owner(*owner)).0,
            });
            within.holds(known)
        }),
        Condition::OneHolder { name: Some(name) } => watch.holders(name).len() <= 1,
        Condition::OneHolder { name: None } => watch.contested == 0,
        _ => return cluster_judge::level(condition, plan, &watch.cluster, world),
    })
}

/// For conditions about each of many hosts: the hosts, and the share for which it must be true.
fn each_host(condition: &Condition) -> Option<(&[HostRef], Odds)> {
    match condition {
        Condition::CurrentServer { hosts, .. } => {
            Some((hosts, Odds { numerator: 1, denominator: 1 }))
        }
        Condition::Registered { hosts, at_least } => Some((hosts, *at_least)),
        _ => None,
    }
}

fn holds_for(condition: &Condition, host: HostRef, plan: &Plan, world: &World) -> bool {
    match condition {
        Condition::CurrentServer { server, .. } => {
            let address = plan.server_address(*server);
            let nbt = world.host(HostId(host.0)).nbt();
            nbt.is_some_and(|nbt| nbt.current_server() == Some(address))
        }
        Condition::Registered { .. } => has_all_names(host, world),
        _ => false,
    }
}

pub(super) fn has_all_names(host: HostRef, world: &World) -> bool {
    world.host(HostId(host.0)).nbt().is_some_and(|nbt| {
        let mut names = nbt.owned_names().peekable();
        names.peek().is_some() && names.all(|o| matches!(o.state, NameState::Registered { .. }))
    })
}

fn wins_at<'a>(server: HostRef, plan: &Plan, world: &'a World) -> Option<&'a WinsServer> {
    world.host(serving(server, plan, world)).server()?.wins()
}

fn record_at<'a>(
    server: HostRef,
    name: &NetbiosName,
    plan: &Plan,
    world: &'a World,
) -> Option<&'a NameRecord> {
    wins_at(server, plan, world)?.core().names.get(name, &Default::default())
}

fn record_count(
    server: HostRef,
    (owner, state): (Option<Ipv4Addr>, Option<RecordStateWord>),
    plan: &Plan,
    world: &World,
) -> u64 {
    let Some(wins) = wins_at(server, plan, world) else { return 0 };
    let fits = |record: &&NameRecord| {
        owner.is_none_or(|owner| record.owner.address() == owner)
            && state.is_none_or(|state| record.state == state_of(state))
    };
    wins.core().names.iter().filter(fits).count() as u64
}

fn state_of(word: RecordStateWord) -> RecordState {
    match word {
        RecordStateWord::Active => RecordState::Active,
        RecordStateWord::Released => RecordState::Released,
        RecordStateWord::Tombstone => RecordState::Tombstone,
    }
}

fn matches(record: &NameRecord, wanted: &RecordMatch, plan: &Plan) -> bool {
    let state = wanted.state.map_or(RecordState::Active, state_of);
    let kind = |kind| match kind {
        StaticKind::Unique => NameKind::Unique,
        StaticKind::Group => NameKind::Group,
        StaticKind::DomainName | StaticKind::InternetGroup => NameKind::InternetGroup,
        StaticKind::Multihomed => NameKind::Multihomed,
    };
    record.state == state
        && wanted.addresses.as_ref().is_none_or(|addresses| {
            let mut stored: Vec<Ipv4Addr> = record.addresses().collect();
            let mut expected = addresses.clone();
            stored.sort();
            expected.sort();
            stored == expected
        })
        && wanted.owner.is_none_or(|h| record.owner.0 == plan.server_address(h))
        && wanted.version.holds(record.version.0)
        && wanted.kind.is_none_or(|k| record.kind == kind(k))
        && wanted.is_static.is_none_or(|s| record.is_static() == s)
}
