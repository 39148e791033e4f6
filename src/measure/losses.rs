//! What an outage costs those who look names up, in three figures that designs are compared by.
//!
//! | measure | what is counted |
//! | --- | --- |
//! | `loss.unresolved_time` | client-seconds in which a look-up of a live name got no answer or a failure |
//! | `loss.stale_answers` | answers with an address that is not the holder's, though the holder is up |
//! | `loss.lost_registrations` | server names of live hosts that no server that runs knew for over a minute |
//!
//! *Unresolved time.* A look-up that fails counts from its beginning to the end of the client's next one that
//! gets an answer, whatever the names: each look-up stands for the time until the next. With look-ups at
//! exponentially distributed distances that is, on average over many clients, exactly the time in which they
//! would have failed, however rarely they ask. A right answer that a user had to wait for counts as long as
//! it took. Seconds are counted once, also when look-ups of a client overlap, and end when the client does.
//!
//! *Lost registrations.* A host believes its server name (suffix 20) registered, and is up, but no WINS
//! server that runs has an active record of it with the host's address. While no server runs at all nothing
//! counts as lost: that time is unresolved time, and what is left of the database is seen when one runs
//! again. A name that is known again within [`LOST_AFTER`] was on its way.

use super::distribution::count;
use super::lookups::{Answer, Lookup};
use super::result::Measure;
use crate::base::{SimDuration, SimTime};
use crate::wire::NetbiosName;
use std::collections::BTreeMap;

/// A registration that is known again within this time was not lost: hosts that move or start need a few
/// seconds, and a name that is challenged a few more.
pub const LOST_AFTER: SimDuration = SimDuration::from_secs(60);

/// A client's time without names.
#[derive(Copy, Clone, Default, Debug)]
struct Client {
    /// The beginning of the first look-up that failed since the last answer.
    failing: Option<SimTime>,
    /// Up to where its time has been counted.
    counted: SimTime,
}

/// Collects losses.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    clients: BTreeMap<u32, Client>,
    unresolved: SimDuration,
    /// Names that no server that runs knows, and since when.
    unknown: BTreeMap<NetbiosName, SimTime>,
    lost: u64,
}

impl Losses {
    /// Takes a finished look-up; a right answer later than `slow_after` was waited for.
    pub fn looked_up(&mut self, lookup: &Lookup, slow_after: SimDuration) {
        let slow = lookup.ended.since(lookup.started) > slow_after;
        match lookup.answer {
            Answer::Failed => {
                let client = self.clients.entry(lookup.client).or_default();
                client.failing.get_or_insert(lookup.started);
            }
            Answer::Right | Answer::Stale | Answer::Wrong => {
                let client = self.clients.get_mut(&lookup.client);
                let failing = client.and_then(|client| client.failing.take());
                if let Some(since) = failing.or(slow.then_some(lookup.started)) {
                    self.count(lookup.client, since, lookup.ended);
                }
            }
            Answer::Ghost | Answer::RightlyAbsent | Answer::Unjudged => {}
        }
    }

    /// A client is switched off, or dies.
    pub fn client_down(&mut self, client: u32, now: SimTime) {
        if let Some(since) = self.clients.get_mut(&client).and_then(|c| c.failing.take()) {
            self.count(client, since, now);
        }
    }

    fn count(&mut self, client: u32, since: SimTime, until: SimTime) {
        let client = self.clients.entry(client).or_default();
        self.unresolved += until.since(since.max(client.counted));
        client.counted = client.counted.max(until);
    }

    /// Whether no server that runs knows a live host's name, from now on.
    pub fn known(&mut self, name: NetbiosName, known: bool, now: SimTime) {
        if !known {
            self.unknown.entry(name).or_insert(now);
        } else if let Some(since) = self.unknown.remove(&name) {
            self.lost += u64::from(now.since(since) > LOST_AFTER);
        }
    }

    /// The names that no server that runs knows at the moment.
    pub fn unknown(&self) -> impl Iterator<Item = &NetbiosName> {
        self.unknown.keys()
    }

    /// The measures; what lasts at the `end` of the run is counted up to it.
    pub fn measures(&self, end: SimTime, stale: u64, servers: bool, out: &mut Vec<Measure>) {
        let open = self.clients.values().filter_map(|client| {
            let since = client.failing?.max(client.counted);
            Some(end.since(since))
        });
        let unresolved = open.fold(self.unresolved, |sum, more| sum + more);
        let lost = self.unknown.values().filter(|since| end.since(**since) > LOST_AFTER).count();
        out.push(count("loss.unresolved_time", "s", unresolved.as_secs_f64()));
        out.push(count("loss.stale_answers", "answers", stale as f64));
        if servers {
            let lost = self.lost + lost as u64;
            out.push(count("loss.lost_registrations", "names", lost as f64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Suffix;

    fn at(secs: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(secs)
    }

    fn look(losses: &mut Losses, (from, to): (u64, u64), answer: Answer) {
        let (started, ended) = (at(from), at(to));
        let lookup = Lookup { client: 1, site: 0, target: Some(7), started, ended, answer };
        losses.looked_up(&lookup, SimDuration::from_secs(1));
    }

    fn figure(losses: &Losses, end: u64, name: &str) -> f64 {
        let mut out = Vec::new();
        losses.measures(at(end), 0, true, &mut out);
        out.iter().find(|m| m.name == name).expect("it is measured").max
    }

    #[test]
    fn a_client_without_names_counts_until_its_next_answer_and_once() {
        let mut losses = Losses::default();
        let unresolved = |l: &Losses, end| figure(l, end, "loss.unresolved_time");
        look(&mut losses, (0, 0), Answer::Right);
        assert_eq!(unresolved(&losses, 5), 0.0);
        look(&mut losses, (10, 15), Answer::Failed);
        look(&mut losses, (12, 16), Answer::Failed);
        assert_eq!(unresolved(&losses, 20), 10.0, "it lasts at the end");
        look(&mut losses, (20, 21), Answer::RightlyAbsent);
        look(&mut losses, (30, 40), Answer::Stale);
        assert_eq!(unresolved(&losses, 100), 30.0);
        look(&mut losses, (35, 42), Answer::Right);
        assert_eq!(unresolved(&losses, 100), 32.0, "a slow answer, in part counted before");
        look(&mut losses, (50, 50), Answer::Failed);
        losses.client_down(1, at(60));
        assert_eq!(unresolved(&losses, 100), 42.0);
    }

    #[test]
    fn a_name_is_lost_when_nobody_knows_it_for_a_minute() {
        let mut losses = Losses::default();
        let lost = |l: &Losses, end| figure(l, end, "loss.lost_registrations");
        let name = |text| NetbiosName::new(text, Suffix::SERVER).expect("short enough");
        losses.known(name("A"), false, at(0));
        losses.known(name("A"), false, at(30));
        losses.known(name("B"), false, at(50));
        losses.known(name("A"), true, at(61));
        losses.known(name("B"), true, at(110));
        assert_eq!(lost(&losses, 200), 1.0, "B was on its way");
        losses.known(name("B"), false, at(120));
        assert_eq!((lost(&losses, 180), lost(&losses, 181)), (1.0, 2.0));
    }

    /// The claim of this module: however rarely clients ask, the average is the length of the outage.
    #[test]
    fn rare_look_ups_measure_an_outage_without_bias() {
        let mut chance = crate::base::Streams::new(1).stream("losses");
        let (clients, outage) = (4000u32, (at(10_000), at(10_100)));
        let mut losses = Losses::default();
        for client in 0..clients {
            let mut now = SimTime::ZERO;
            while now < at(20_000) {
                now += chance.exponential(SimDuration::from_secs(300));
                let answer = match now >= outage.0 && now < outage.1 {
                    true => Answer::Failed,
                    false => Answer::Right,
                };
                let lookup =
                    Lookup { client, site: 0, target: Some(7), started: now, ended: now, answer };
                losses.looked_up(&lookup, SimDuration::from_secs(1));
            }
        }
        let each = figure(&losses, 20_000, "loss.unresolved_time") / f64::from(clients);
        assert!((92.0..108.0).contains(&each), "{each} seconds for each of them");
    }
}
