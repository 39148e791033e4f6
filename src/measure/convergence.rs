//! Do the databases agree, since when, and how long did each change take to get there?
//!
//! Every server has a running fingerprint of what it would tell a client: the exclusive or of a hash of
//! (name, kind, addresses) over its active records. Two databases agree when their fingerprints do, which
//! costs one comparison per change. A record that its own server merely released still counts as it was:
//! released records are invisible to partners by design (MS-WINSRA 3.2.5.1), so that is no disagreement.

use super::distribution::{Distribution, count};
use super::result::{Histogram, Measure, Series};
use crate::base::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What one server's database looks like from outside.
#[derive(Clone, Debug, Default)]
struct ServerView {
    name: String,
    up: bool,
    fingerprint: u64,
    active: i64,
    points: Vec<(f64, f64)>,
}

/// Collects what happens to the databases.
#[derive(Clone, Debug)]
pub struct Convergence {
    servers: Vec<ServerView>,
    /// Changes closer together than this share a point in the chart.
    grain: SimDuration,
    /// When each version was given out by its owner.
    assigned: BTreeMap<(Ipv4Addr, u64), SimTime>,
    /// Lag by (owner, receiving server).
    lag: BTreeMap<(Ipv4Addr, usize), Distribution>,
    lag_all: Distribution,
    agree_since: Option<SimTime>,
    disagree_since: Option<SimTime>,
    disagreements: Distribution,
    disagreed_for: SimDuration,
    /// When all servers, every one of them up, began or ceased to agree.
    turns: Vec<(SimTime, bool)>,
}

impl Convergence {
    /// Watches these servers, all down at first.
    pub fn new(servers: Vec<String>, grain: SimDuration) -> Convergence {
        let view = |name| ServerView { name, ..ServerView::default() };
        Convergence {
            servers: servers.into_iter().map(view).collect(),
            grain,
            assigned: BTreeMap::new(),
            lag: BTreeMap::new(),
            lag_all: Distribution::of_durations(),
            agree_since: Some(SimTime::ZERO),
            disagree_since: None,
            disagreements: Distribution::of_durations(),
            disagreed_for: SimDuration::ZERO,
            turns: Vec::new(),
        }
    }

    /// A server starts with this database, or stops (`None`).
    pub fn server_life(&mut self, server: usize, database: Option<(u64, u64)>, now: SimTime) {
        let view = &mut self.servers[server];
        view.up = database.is_some();
        (view.fingerprint, view.active) = database.map_or((0, 0), |(f, n)| (f, n as i64));
        self.changed(server, now);
    }

    /// A record changed: the exclusive or of its hash before and after, and by how much the number of
    /// active records changed.
    pub fn record_changed(&mut self, server: usize, difference: u64, active: i64, now: SimTime) {
        if difference == 0 && active == 0 {
            return;
        }
        let view = &mut self.servers[server];
        view.fingerprint ^= difference;
        view.active += active;
        self.changed(server, now);
    }

    /// An owner gave a new version to a record.
    pub fn version_assigned(&mut self, owner: Ipv4Addr, version: u64, now: SimTime) {
        self.assigned.insert((owner, version), now);
    }

    /// A server stored a replica.
    pub fn replica_applied(&mut self, server: usize, owner: Ipv4Addr, version: u64, now: SimTime) {
        if let Some(&at) = self.assigned.get(&(owner, version)) {
            let lag = self.lag.entry((owner, server)).or_insert_with(Distribution::of_durations);
            lag.record_duration(now.since(at));
            self.lag_all.record_duration(now.since(at));
        }
    }

    /// Whether the databases of these servers (all, if none is listed) agree; servers that are down agree
    /// with nobody.
    pub fn agree(&self, servers: &[usize]) -> bool {
        let chosen = |&(i, _): &(usize, &ServerView)| servers.is_empty() || servers.contains(&i);
        let mut views = self.servers.iter().enumerate().filter(chosen).map(|(_, view)| view);
        let first = views.next();
        first.is_none_or(|f| f.up && views.all(|v| v.up && v.fingerprint == f.fingerprint))
    }

    /// The first moment from `from` on at which every server is up and agrees with every other.
    pub fn first_agreement(&self, from: SimTime) -> Option<SimTime> {
        let before = self.turns.partition_point(|&(at, _)| at <= from);
        if before > 0 && self.turns[before - 1].1 {
            return Some(from);
        }
        self.turns[before..].iter().find(|(_, agree)| *agree).map(|&(at, _)| at)
    }

    /// Whether the servers that are up agree.
    fn living_agree(&self) -> bool {
        let mut prints = self.servers.iter().filter(|v| v.up).map(|v| v.fingerprint);
        prints.next().is_none_or(|first| prints.all(|p| p == first))
    }

    /// When agreement of all servers that are up last began; `None` while they disagree.
    pub fn agree_since(&self) -> Option<SimTime> {
        self.agree_since
    }

    /// How long after being given out changes arrived, over all servers.
    pub fn lag(&self) -> &Distribution {
        &self.lag_all
    }

    /// The measures; `end` closes a disagreement that still lasts.
    pub fn measures(&self, end: SimTime, out: &mut Vec<Measure>) {
        if self.servers.len() < 2 {
            return;
        }
        out.extend(self.lag_all.measure("replication.lag"));
        let open = self.disagree_since.map_or(SimDuration::ZERO, |since| end.since(since));
        let total = self.disagreed_for + open;
        out.push(count("databases.disagree_total", "s", total.as_secs_f64()));
        let mut disagreements = self.disagreements.clone();
        if self.disagree_since.is_some() {
            disagreements.record_duration(open);
        }
        out.extend(disagreements.measure("databases.disagree_time"));
        if let Some(since) = self.agree_since {
            out.push(count("databases.agree_since", "s", since.as_secs_f64()));
        }
    }

    /// Records known per server, and lag by pair. `name_of` names an owner.
    pub fn charts(
        &self,
        end: SimTime,
        name_of: &dyn Fn(Ipv4Addr) -> String,
        series: &mut Vec<Series>,
        hists: &mut Vec<Histogram>,
    ) {
        for view in &self.servers {
            let mut points = view.points.clone();
            if let Some(&(_, last)) = points.last() {
                points.push((end.as_secs_f64(), last));
            }
            series.push(Series {
                chart: "names-known".into(),
                line: view.name.clone(),
                unit: "names".into(),
                steps: true,
                points,
            });
        }
        for (&(owner, server), lag) in &self.lag {
            hists.push(Histogram {
                chart: "replication-lag".into(),
                line: format!("{} to {}", name_of(owner), self.servers[server].name),
                unit: "s".into(),
                values: lag.chart_values(),
            });
        }
    }

    fn changed(&mut self, server: usize, now: SimTime) {
        let view = &mut self.servers[server];
        let value = if view.up { view.active as f64 } else { 0.0 };
        let at = now.as_secs_f64();
        match view.points.last_mut() {
            Some(last) if at - last.0 < self.grain.as_secs_f64() && view.active != 0 => {
                last.1 = value;
            }
            _ => view.points.push((at, value)),
        }
        let all = self.agree(&[]);
        if self.turns.last().map_or(all, |&(_, last)| last != all) {
            self.turns.push((now, all));
        }
        match (self.living_agree(), self.disagree_since) {
            (true, Some(since)) => {
                self.disagreements.record_duration(now.since(since));
                self.disagreed_for += now.since(since);
                self.disagree_since = None;
                self.agree_since = Some(now);
            }
            (false, None) => {
                self.agree_since = None;
                self.disagree_since = Some(now);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(secs)
    }

    #[test]
    fn agreement_follows_the_records_of_servers_that_are_up() {
        let mut c = Convergence::new(vec!["a".into(), "b".into()], SimDuration::from_secs(1));
        c.server_life(0, Some((0, 0)), at(0));
        c.server_life(1, Some((0, 0)), at(0));
        assert!(c.agree(&[]));
        c.record_changed(0, 0xF00D, 1, at(10));
        assert!(!c.agree(&[]) && c.agree(&[1]));
        c.version_assigned(Ipv4Addr::new(10, 0, 0, 1), 7, at(10));
        c.replica_applied(1, Ipv4Addr::new(10, 0, 0, 1), 7, at(40));
        c.record_changed(1, 0xF00D, 1, at(40));
        assert_eq!(c.agree_since(), Some(at(40)));
        c.record_changed(1, 1, 0, at(50));
        c.server_life(1, None, at(60)); // a dead server does not count as a disagreement...
        assert_eq!(c.agree_since(), Some(at(60)));
        assert!(!c.agree(&[])); // ...but nobody agrees with it either
        assert_eq!(c.first_agreement(at(20)), Some(at(40)));
        assert_eq!(c.first_agreement(at(45)), Some(at(45)));
        assert_eq!(c.first_agreement(at(55)), None);
        let mut m = Vec::new();
        c.measures(at(100), &mut m);
        let find = |name: &str| m.iter().find(|m| m.name == name).unwrap();
        assert_eq!(find("replication.lag").max.round(), 30.0);
        assert_eq!(find("databases.disagree_total").max.round(), 40.0);
    }
}
