//! A made-up result that looks like the failover story: a primary WINS server loses power at nine and comes
//! back half an hour later.

use winstorm::base::{SimDuration, SimTime};
use winstorm::measure::{
    ExpectationResult, FaultSpan, Histogram, Measure, NotableEvent, RunResult, Series, Verdict,
};

const DAY: f64 = 86_400.0;
const NINE: f64 = 32_400.0;
const HALF_PAST: f64 = 34_200.0;

/// A small generator of our own, so that the sample never changes: numbers from 0 to 1.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// The story.
pub fn failover() -> RunResult {
    let mut dice = Dice(7);
    RunResult {
        scenario: "scenarios/wins/primary-failover.toml".into(),
        title: "WINS primary failover".into(),
        seed: 1,
        overrides: Vec::new(),
        digest: 0x001a_2b3c_4d5e_6f70,
        events: 1_234_567,
        sim_time: SimDuration::from_hours(24),
        expectations: expectations(),
        measures: measures(),
        series: series(&mut dice),
        histograms: histograms(&mut dice),
        faults: vec![FaultSpan {
            name: "power cut of wins-a".into(),
            from: NINE,
            until: HALF_PAST,
        }],
        notable: notable(),
        host_digests: vec![("wins-a".into(), 7), ("wins-b".into(), 8)],
    }
}

fn expectations() -> Vec<ExpectationResult> {
    let one = |name: &str, verdict, detail: &str| ExpectationResult {
        name: name.into(),
        verdict,
        detail: detail.into(),
    };
    vec![
        one("names resolve again", Verdict::Pass, "within 4.5 s of the power cut; allowed: 1 min"),
        one(
            "databases agree after the return",
            Verdict::Fail,
            "not by 10:00:00: wins-b lacks 3 of 812 records, first DESK-17<00> version 0x2a1, registered at \
             09:12:44.020 with wins-a",
        ),
        one("no stale answer after a release", Verdict::NotJudged, "no name was released"),
    ]
}

fn measures() -> Vec<Measure> {
    let one = |name: &str, unit: &str, v: f64| Measure {
        name: name.into(),
        unit: unit.into(),
        n: 1,
        min: v,
        p50: v,
        p90: v,
        p99: v,
        max: v,
    };
    let many = |name: &str, unit: &str, n, [min, p50, p90, p99, max]: [f64; 5]| Measure {
        name: name.into(),
        unit: unit.into(),
        n,
        min,
        p50,
        p90,
        p99,
        max,
    };
    vec![
        one("lookup.success", "%", 99.987),
        one("lookup.stale_answers", "1", 12.0),
        one("databases.agree_after", "s", 1861.0),
        many("lookup.time", "ms", 48_211, [0.4, 0.9, 21.0, 1512.0, 4502.0]),
        many("replication.lag", "s", 2310, [0.02, 912.0, 1711.0, 1799.0, 3621.0]),
        many("queue.wins-a", "requests", 86_400, [0.0, 0.0, 1.0, 12.0, 118.0]),
        one("fault.power-cut-of-wins-a.detect_time", "s", 4.5),
        one("fault.power-cut-of-wins-a.recover_time", "s", 1860.0),
        one("fault.power-cut-of-wins-a.messages_spent", "1", 2140.0),
        many("never.measured", "s", 0, [f64::NAN; 5]),
    ]
}

fn line(chart: &str, line: &str, unit: &str, steps: bool, points: Vec<(f64, f64)>) -> Series {
    Series { chart: chart.into(), line: line.into(), unit: unit.into(), steps, points }
}

fn series(dice: &mut Dice) -> Vec<Series> {
    let window = 60.0;
    let windows = || (1..=1440).map(|i| f64::from(i) * window);
    let north: Vec<(f64, f64)> = windows()
        .map(|t| {
            let first = t > NINE && t <= NINE + 120.0;
            let down = t > NINE && t <= HALF_PAST;
            let good = if first {
                38.0
            } else if down {
                97.0 + 3.0 * dice.next()
            } else {
                100.0
            };
            (t, good)
        })
        .collect();
    let south =
        windows().map(|t| (t, if t > NINE && t <= NINE + 60.0 { 91.0 } else { 100.0 })).collect();
    let failed = north.iter().map(|&(t, v)| (t, (100.0 - v) * 0.7)).collect();
    let stale = north.iter().map(|&(t, v)| (t, (100.0 - v) * 0.3)).collect();
    let known = |start: f64, lag: f64, down: bool| {
        let mut points = vec![(0.0, 0.0)];
        for i in 0..200 {
            points.push((start + lag + f64::from(i) * 3.0, f64::from(i + 1) * 4.0));
        }
        if down {
            points.push((NINE, 0.0));
            points.push((HALF_PAST + 20.0, 800.0));
        }
        points.push((HALF_PAST + 40.0 + lag, 812.0));
        points
    };
    let queue = (0..86_400).map(|i| {
        let t = f64::from(i);
        let storm = if (HALF_PAST..HALF_PAST + 300.0).contains(&t) { 100.0 } else { 2.0 };
        (t, (dice.next() * storm).floor())
    });
    let queue = queue.collect();
    vec![
        line("queue", "wins-a", "requests", true, queue),
        line("resolution", "north: right answer", "%", false, north),
        line("resolution", "south: right answer", "%", false, south),
        line("resolution", "north: no answer", "%", false, failed),
        line("resolution", "north: old answer", "%", false, stale),
        line("names-known", "wins-a", "records", true, known(30.0, 0.0, true)),
        line("names-known", "wins-b", "records", true, known(30.0, 900.0, false)),
    ]
}

fn histograms(dice: &mut Dice) -> Vec<Histogram> {
    let mut lags = |low: f64, high: f64, n: usize| {
        let mut values: Vec<f64> = (0..n).map(|_| low + (high - low) * dice.next()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let mut ab = lags(0.02, 1800.0, 1900);
    ab.push(3621.0);
    let ba = lags(0.02, 900.0, 410);
    let lag = |line: &str, values| Histogram {
        chart: "replication-lag".into(),
        line: line.into(),
        unit: "s".into(),
        values,
    };
    vec![lag("wins-a to wins-b", ab), lag("wins-b to wins-a", ba)]
}

fn notable() -> Vec<NotableEvent> {
    let at = |secs: f64, who: &str, what: &str| NotableEvent {
        at: SimTime((secs * 1e9) as u64),
        who: who.into(),
        what: what.into(),
    };
    vec![
        at(30.0, "desk-1", "first name registered"),
        at(NINE + 4.5, "desk-17", "gives wins-a up, asks wins-b"),
        at(HALF_PAST + 20.0, "wins-a", "database recovered, 800 records"),
        at(DAY - 60.0, "wins-b", "agrees with wins-a"),
    ]
}
