//! The digests that every build must reproduce, in `tests/digests.txt`: a debug build, a release build and
//! a build on another machine all compare with the same file.
//!
//! A change that is meant to change histories refreshes the file, and the difference is part of its commit:
//! `WINSTORM_REFRESH_DIGESTS=1 cargo test --test scenarios --test determinism`.

use std::collections::BTreeMap;
use std::path::Path;

const REFRESH: &str = "WINSTORM_REFRESH_DIGESTS";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/digests.txt");
const HEADER: &str = "# scenario, until when, seed, events, digest. Checked by the tests `scenarios` and \
                      `determinism`,\n# refreshed by: WINSTORM_REFRESH_DIGESTS=1 cargo test --test \
                      scenarios --test determinism\n";

/// One line of the file: scenario, until when, seed.
pub type Run = (String, String, u64);
/// What the run came to: events and digest.
pub type Outcome = (u64, u64);

fn read() -> BTreeMap<Run, Outcome> {
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let parsed = lines.map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [scenario, until, seed, events, digest] = fields[..] else {
            panic!("{FILE}: {line}");
        };
        let digest = u64::from_str_radix(digest, 16).expect("a digest");
        let run = (scenario.to_string(), until.to_string(), seed.parse().expect("a seed"));
        (run, (events.parse().expect("a number"), digest))
    });
    parsed.collect()
}

/// Compares these runs with the file; `is_mine` tells which of its lines are about the same test. Returns
/// what differs, in words. Writes the lines instead if asked to.
pub fn compare(found: &BTreeMap<Run, Outcome>, is_mine: impl Fn(&Run) -> bool) -> Vec<String> {
    let mut known = read();
    if std::env::var_os(REFRESH).is_some() {
        known.retain(|run, _| !is_mine(run));
        known.extend(found.iter().map(|(run, outcome)| (run.clone(), *outcome)));
        let lines = known.iter().map(|((scenario, until, seed), (events, digest))| {
            format!("{scenario} {until} {seed} {events} {digest:016x}\n")
        });
        let text = HEADER.to_string() + &lines.collect::<String>();
        std::fs::write(Path::new(FILE), text).expect("tests/digests.txt can be written");
        return Vec::new();
    }
    let mut out = Vec::new();
    for (run, (events, digest)) in found {
        let (scenario, until, seed) = run;
        let what = format!("{scenario} until {until}, seed {seed}");
        match known.remove(run) {
            Some((e, d)) if (e, d) == (*events, *digest) => {}
            Some((e, d)) => out.push(format!(
                "{what}: {events} events, digest {digest:016x}; tests/digests.txt has {e}, {d:016x}"
            )),
            None => out.push(format!("{what} is not in tests/digests.txt")),
        }
    }
    let left = known.keys().filter(|run| is_mine(run));
    out.extend(left.map(|run| format!("{run:?} in tests/digests.txt was not run")));
    if !out.is_empty() {
        out.push(format!(
            "if histories were meant to change, see {REFRESH} in tests/lab/digests.rs"
        ));
    }
    out
}

/// Does the same with each item on two threads; what comes out has the order of the items.
pub fn on_two_threads<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads = [scope.spawn(worker), scope.spawn(worker)];
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}
