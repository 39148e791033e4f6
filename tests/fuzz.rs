//! A fuzzer of our own: a corpus of golden bytes and made-up conversations, mutated, on the targets of
//! `tests/fuzzing`. Inputs that reach something new join the corpus.
//!
//! `cargo test --test fuzz` runs each target briefly, the same way each time. `WINSTORM_FUZZ_SECONDS=120`
//! runs them that long in all, `WINSTORM_FUZZ_SEED=7` takes other mutations; the seed is printed. An input
//! that fails is made as small as it goes, written to a file, and a line says how to run that file again.
//! Inputs that once failed stay in `tests/fuzzing/failures`, as TARGET-NAME.hex.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long and with which seed is said in the environment"
)]

mod fuzzing;

use fuzzing::{Features, TARGETS, Target, corpus, mutate, server};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use winstorm::base::{Stream, Streams};

/// Inputs of a target when no time is given: about a second each in a debug build.
const BRIEF: u32 = 4_000;
const BRIEF_SCRIPTS: u32 = 150;
/// Inputs kept; further ones replace old ones at random.
const CORPUS_MAX: usize = 4_000;
/// Attempts to make a failing input smaller.
const SHRINK_MAX: u32 = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one input. `Err` holds what went wrong.
fn attempt(target: &Target, input: &[u8], features: &mut Features) -> Result<(), String> {
    let run = catch_unwind(AssertUnwindSafe(|| (target.run)(input, features)));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
    })
}

/// How long to go on.
enum Budget {
    Inputs(u32),
    Until(Instant),
}

impl Budget {
    fn is_spent(&self, inputs: u32) -> bool {
        match self {
            Budget::Inputs(most) => inputs >= *most,
            Budget::Until(end) => inputs.is_multiple_of(16) && Instant::now() >= *end,
        }
    }
}

/// Fuzzes a target. Returns how many inputs ran, how many were kept, and the first that failed.
fn fuzz(target: &Target, seed: u64, budget: &Budget) -> (u32, usize, Option<Vec<u8>>) {
    let mut chance = Streams::new(seed).stream(&format!("fuzz/{}", target.name));
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    let mut known = BTreeSet::new();
    let mut inputs = 0;
    for seed in (target.seeds)() {
        let mut features = Features::default();
        inputs += 1;
        if attempt(target, &seed, &mut features).is_err() {
            return (inputs, corpus.len(), Some(seed));
        }
        known.append(&mut features.0);
        corpus.push(seed);
    }
    while !budget.is_spent(inputs) {
        inputs += 1;
        let pick = |chance: &mut Stream| {
            // Half of the time one of the latest: what it opened may lead further.
            let all = corpus.len() as u64;
            let from = if chance.below(2) == 0 { all.saturating_sub(30) } else { 0 };
            chance.between(from, all - 1) as usize
        };
        let (one, other) = (pick(&mut chance), pick(&mut chance));
        let input = mutate::mutate(&corpus[one], &corpus[other], target.script, &mut chance);
        let mut features = Features::default();
        if attempt(target, &input, &mut features).is_err() {
            return (inputs, corpus.len(), Some(input));
        }
        if !features.0.is_subset(&known) {
            known.append(&mut features.0);
            match corpus.len() < CORPUS_MAX {
                true => corpus.push(input),
                false => corpus[one] = input,
            }
        }
    }
    (inputs, corpus.len(), None)
}

/// Takes parts out of a failing input, and makes bytes zero, as long as it fails.
fn shrink(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let mut attempts = 0;
    let mut still_fails = |input: &[u8]| {
        attempts += 1;
        attempts < SHRINK_MAX && attempt(target, input, &mut Features::default()).is_err()
    };
    loop {
        let before = input.clone();
        if target.script {
            let mut ranges: Vec<_> = server::steps(&input[1..]).collect();
            while let Some(range) = ranges.pop() {
                let mut smaller = input.clone();
                smaller.drain(range.start + 1..range.end + 1);
                if still_fails(&smaller) {
                    input = smaller;
                }
            }
        }
        let mut part = input.len().div_ceil(2);
        while part > 0 {
            let mut at = 0;
            while at < input.len() {
                let mut smaller = input.clone();
                smaller.drain(at..(at + part).min(input.len()));
                match still_fails(&smaller) {
                    true => input = smaller,
                    false => at += part,
                }
            }
            part /= 2;
        }
        for at in 0..input.len() {
            let mut plainer = input.clone();
            plainer[at] = 0;
            if plainer != input && still_fails(&plainer) {
                input = plainer;
            }
        }
        if input == before {
            return input;
        }
    }
}

/// Where failing inputs are written.
fn failures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-failures")
}

/// Panics are expected while a failing input is made smaller: nobody wants to read them all.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = work();
    std::panic::set_hook(hook);
    result
}

/// Makes a failing input small, writes it down and says how to run it again.
fn report(target: &Target, input: Vec<u8>) -> String {
    let whole = input.len();
    let small = quietly(|| shrink(target, input));
    let why = quietly(|| attempt(target, &small, &mut Features::default()));
    let folder = failures();
    fs::create_dir_all(&folder).expect("a folder for failures");
    let path = folder.join(format!("{}-{}.hex", target.name, small.len()));
    let hex: Vec<String> = small.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&path, hex.join(" ") + "\n").expect("the failure is written");
    format!(
        "{}: {}\n  {} bytes, made smaller from {whole}; run it again with\n  \
         WINSTORM_FUZZ_INPUT={} cargo test --test fuzz once_more",
        target.name,
        why.err().unwrap_or_else(|| "it fails only sometimes".into()),
        small.len(),
        path.display()
    )
}

#[test]
fn nothing_breaks_what_must_hold() {
    let seed = number("WINSTORM_FUZZ_SEED").unwrap_or(1);
    let seconds = number("WINSTORM_FUZZ_SECONDS");
    println!("fuzzing with seed {seed}");
    let mut failed = Vec::new();
    for (i, target) in TARGETS.iter().enumerate() {
        // The server deserves more of the time than a decoder.
        let share = |seconds| Duration::from_secs(seconds) * if target.script { 7 } else { 1 } / 20;
        let budget = match seconds {
            Some(seconds) => Budget::Until(Instant::now() + share(seconds + i as u64 / 7)),
            None if target.script => Budget::Inputs(BRIEF_SCRIPTS),
            None => Budget::Inputs(BRIEF),
        };
        let (inputs, kept, failure) = fuzz(target, seed, &budget);
        println!("{}: {inputs} inputs, {kept} kept", target.name);
        failed.extend(failure.map(|input| report(target, input)));
    }
    assert!(failed.is_empty(), "seed {seed}\n{}", failed.join("\n"));
}

/// The target that a file's name begins with.
fn target_of(path: &Path) -> Target {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut matching = TARGETS.iter().filter(|t| name.starts_with(&format!("{}-", t.name)));
    *matching.next_back().unwrap_or_else(|| panic!("{name} names no target"))
}

fn run_file(path: &Path) {
    let input = corpus::bytes_of(&fs::read_to_string(path).expect("a file of hexadecimal digits"));
    (target_of(path).run)(&input, &mut Features::default());
}

#[test]
fn what_once_failed_does_not_fail_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzzing/failures");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect())
        .unwrap_or_default();
    paths.sort();
    paths.iter().for_each(|path| {
        println!("{}", path.display());
        run_file(path);
    });
}

#[test]
fn once_more() {
    if let Ok(path) = std::env::var("WINSTORM_FUZZ_INPUT") {
        run_file(Path::new(&path));
    }
}

/// What the fuzzer finds and how small it makes it: two mistakes planted in a decoder of lists.
#[test]
fn planted_mistakes_are_found_and_made_small() {
    fn panics(data: &[u8], features: &mut Features) {
        features.reach(1, u64::from(data.first() == Some(&0x12)));
        features.size(2, data.len());
        // A length field believed without a look.
        if data.len() > 12 && data[0] == 0x12 && data[11] > 1 {
            let len = usize::from(data[11]) * 16;
            assert!(data.len() >= len, "index out of bounds: {len}");
        }
    }
    fn grows(data: &[u8], features: &mut Features) {
        // A queue without an end.
        let queued = data.iter().filter(|&&byte| byte == 0x43).count();
        features.size(1, queued);
        assert!(queued < 40, "{queued} queued");
    }
    for (run, name, least) in
        [(panics as fn(&[u8], &mut Features), "panics", 13), (grows, "grows", 40)]
    {
        let target = Target { name, run, seeds: corpus::datagrams, script: false };
        let (inputs, _, failure) = quietly(|| fuzz(&target, 1, &Budget::Inputs(20_000)));
        let failure = failure.unwrap_or_else(|| panic!("{name} not found in {inputs} inputs"));
        let small = quietly(|| shrink(&target, failure));
        assert_eq!(small.len(), least, "{name}: {small:02x?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let target = &TARGETS[0];
    let runs = [5, 5, 6].map(|seed| {
        let (_, kept, _) = fuzz(target, seed, &Budget::Inputs(1_500));
        let mut chance = Streams::new(seed).stream("x");
        let input = (target.seeds)().remove(0);
        (kept, mutate::mutate(&input, &input, false, &mut chance))
    });
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0].1, runs[2].1);
}
