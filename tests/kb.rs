//! Reproduced failures, `scenarios/kb`: each file shows the documented symptom and its cure side by side,
//! and would notice if either were missing.
//!
//! A file passes as it stands (`tests/scenarios.rs`). Here its `cure` is applied to the affected side and its
//! `harm` to the other: each must make expectations fail, and not the same ones. The index
//! `scenarios/kb/README.md` is written from the files:
//! `WINSTORM_REFRESH_KB=1 cargo test --test kb`.

mod lab;

use lab::digests::on_two_threads;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use winstorm::explore::{RunOptions, run};
use winstorm::measure::Verdict;
use winstorm::scenario::{KbPlan, load_file};

const FOLDER: &str = "scenarios/kb";
const INDEX: &str = "scenarios/kb/README.md";
const REFRESH: &str = "WINSTORM_REFRESH_KB";
/// Events one run may take: each of these files is to be run in a moment.
const EVENTS_MAX: u64 = 400_000;

const HEADER: &str = "# Reproduced failures

Documented failures of WINS, its clients and clusters, one file each, named by the article that reports it.
In every file two small networks or clusters stand side by side: one whose version (or set-up) has the
failure, and one with the service pack or the workaround that cures it. `winstorm run FILE` shows both; its
expectations prove the symptom on the one side and its absence on the other. The comment at the top of each
file tells the story.

The table is written from the `[kb]` tables of the files: `WINSTORM_REFRESH_KB=1 cargo test --test kb`. The
same test applies each file's `cure` to the affected side and its `harm` to the other, and demands that
expectations fail.

| article | affected | symptom | cured by | file |
| --- | --- | --- | --- | --- |
";

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).expect("scenarios/kb is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

fn kb_of(path: &Path) -> Result<KbPlan, String> {
    let plan = load_file(path, &[]).map_err(|mistakes| format!("\n{mistakes}"))?;
    plan.kb.ok_or_else(|| format!("{} has no [kb] table", path.display()))
}

/// Runs a file with these overrides: the names of expectations that fail, and what is wrong otherwise.
fn failing(path: &Path, overrides: &[String]) -> Result<BTreeSet<String>, String> {
    let name = path.display().to_string();
    let plan = load_file(path, overrides).map_err(|mistakes| format!("\n{mistakes}"))?;
    let result = run(&name, &Arc::new(plan), RunOptions::default()).expect("a world");
    if result.events > EVENTS_MAX {
        return Err(format!("{name} takes {} events, more than {EVENTS_MAX}", result.events));
    }
    let failed = result.expectations.into_iter().filter(|e| e.verdict == Verdict::Fail);
    Ok(failed.map(|e| e.name).collect())
}

/// What is wrong with a file, in words.
fn examine(path: &Path) -> Vec<String> {
    let name = path.display().to_string();
    let kb = match kb_of(path) {
        Ok(kb) => kb,
        Err(wrong) => return vec![wrong],
    };
    let mut wrong = Vec::new();
    let (article, stem) = (&kb.article, stem(path));
    if stem != *article && !stem.starts_with(&format!("{article}-")) {
        wrong.push(format!("{name} is about {article}"));
    }
    let mut fails = |what: &str, overrides: &[String]| match failing(path, overrides) {
        Ok(failed) => failed,
        Err(why) => {
            wrong.push(format!("{name} {what}: {why}"));
            BTreeSet::new()
        }
    };
    let plain = fails("as it stands", &[]);
    let cured = fails("with its cure", &kb.cure);
    let harmed = fails("with its harm", &kb.harm);
    if !plain.is_empty() {
        wrong.push(format!("{name} fails as it stands: {plain:?}"));
    }
    if cured.is_empty() {
        wrong.push(format!("{name} passes with its cure: it does not show the symptom"));
    }
    if harmed.is_empty() {
        wrong.push(format!("{name} passes with its harm: it does not show the cure"));
    }
    let both: Vec<&String> = cured.intersection(&harmed).collect();
    if !both.is_empty() {
        wrong.push(format!(
            "{name}: both cure and harm make {both:?} fail: the sides are not apart"
        ));
    }
    wrong
}

#[test]
fn every_file_shows_its_symptom_and_its_cure() {
    let files = files();
    assert!(!files.is_empty(), "no files in {FOLDER}");
    let wrong = on_two_threads(&files, |path| examine(path)).concat();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_index_is_current() {
    let mut text = HEADER.to_string();
    for path in files() {
        let kb = kb_of(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
        let articles = [&[kb.article][..], &kb.also].concat().join(", ");
        let (affected, symptom, cured) = (&kb.affected, &kb.symptom, &kb.cured);
        let file = format!("{}.toml", stem(&path));
        let cells = [&articles, affected, symptom, cured, &format!("[{file}]({file})")];
        for cell in cells {
            assert!(!cell.contains(['|', '\n']), "{file}: `{cell}` would break the table");
        }
        text += &format!("| {} |\n", cells.map(String::as_str).join(" | "));
    }
    if std::env::var_os(REFRESH).is_some() {
        std::fs::write(INDEX, text).expect("the index can be written");
        return;
    }
    let known = std::fs::read_to_string(INDEX).unwrap_or_default();
    assert!(known == text, "{INDEX} is out of date; refresh it: {REFRESH}=1 cargo test --test kb");
}
