//! What scenarios with a cluster say about losses: the figures of README.md are those of the runs, and the
//! designs that `replicate-or-cluster.toml` compares come out in the order that it claims.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use winstorm::explore::{RunOptions, run};
use winstorm::measure::Verdict;
use winstorm::scenario::{VaryValue, load_file};

const CRASH: &str = "scenarios/cluster/crash-loses-last-change.toml";
const DESIGNS: &str = "scenarios/cluster/replicate-or-cluster.toml";
const DESIGN_NAMES: [&str; 3] = ["pair", "cluster", "both"];
/// What README.md says before the table of that scenario.
const SWEPT: &str = "crash-loses-last-change.toml --seeds";

/// What a scenario varies, with one axis.
fn values(file: &str) -> Vec<VaryValue> {
    let plan = load_file(Path::new(file), &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [axis] = plan.vary.as_slice() else { panic!("{file} varies one thing") };
    axis.values.clone()
}

/// Runs a scenario with one of these values and seed 1, in which every expectation must hold; the figures of
/// these measures.
fn figures<const N: usize>(file: &str, value: &VaryValue, names: [&str; N]) -> [f64; N] {
    let overrides = std::slice::from_ref(&value.pick);
    let plan = load_file(Path::new(file), overrides).unwrap_or_else(|m| panic!("{m}"));
    let options = RunOptions { seed: Some(1), ..RunOptions::default() };
    let result = run(file, &Arc::new(plan), options).expect("the plan makes a world");
    for expected in &result.expectations {
        let (name, detail) = (&expected.name, &expected.detail);
        assert_eq!(expected.verdict, Verdict::Pass, "{}: {name}: {detail}", value.name);
    }
    names.map(|name| {
        let found = result.measures.iter().find(|measure| measure.name == name);
        found.unwrap_or_else(|| panic!("{}: {name} is not measured", value.name)).max
    })
}

/// The cells of the first row of README.md with this name, after this text, without the name.
fn readme_row(after: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string("README.md").expect("the front page");
    let (_, text) = text.split_once(after).unwrap_or_else(|| panic!("README.md has no {after}"));
    let row = text.lines().find_map(|line| line.strip_prefix(&format!("| {name} |")));
    let row = row.unwrap_or_else(|| panic!("README.md has no row {name} after {after}"));
    row.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// `1,727` as a number.
fn number(cell: &String) -> f64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell} is no number"))
}

#[test]
fn a_crash_takes_the_more_the_later_a_change_is_saved() {
    let delays = values(CRASH);
    let header = readme_row(SWEPT, "a change is saved after");
    let named: Vec<String> = header.iter().map(|cell| cell.replace(' ', "")).collect();
    let tried: Vec<&str> = delays
        .iter()
        .map(|delay| if delay.name == "0s" { "atonce" } else { &*delay.name })
        .collect();
    assert_eq!(named, tried, "the columns of README.md are the delays of the scenario");
    let (mut lost, mut saves) = (Vec::new(), Vec::new());
    for delay in &delays {
        let names = ["cluster.lost_changes", "cluster.checkpoint_saves"];
        let [changes, saved] = figures(CRASH, delay, names);
        lost.push(changes);
        saves.push(saved);
    }
    assert!(lost[0] <= 1.0, "saved at once, and yet {lost:?} are lost");
    assert!(lost[lost.len() - 1] >= 5.0, "saved late, and only {lost:?} are lost");
    assert!(lost.is_sorted(), "with longer delays less is lost: {lost:?}");
    let told = |name: &str| readme_row(SWEPT, name).iter().map(number).collect::<Vec<_>>();
    assert_eq!(told("counts lost"), lost, "counts lost, in README.md and in the runs");
    assert_eq!(told("saves in half an hour"), saves, "saves, in README.md and in the runs");
}

/// The rows of a CSV file without quotes, each cell by the name of its column.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned));
    let head: Vec<String> = lines.next().expect("a head").collect();
    lines.map(|cells| head.iter().cloned().zip(cells).collect()).collect()
}

/// The figures of one design and one seed, out of `runs.csv`.
struct Losses {
    unresolved: f64,
    stale: f64,
    lost: f64,
}

fn losses(row: &BTreeMap<String, String>) -> Losses {
    let of = |name: &str| row[name].parse().unwrap_or_else(|_| panic!("{name} in {row:?}"));
    Losses {
        unresolved: of("loss.unresolved_time"),
        stale: of("loss.stale_answers"),
        lost: of("loss.lost_registrations"),
    }
}

/// The table and the chart that README.md shows come out of the sweep that it names. It gives medians of
/// twenty seeds; with the first alone the order of the designs is the same.
#[test]
fn the_cluster_forgets_nothing_the_pair_is_away_less_and_both_together_are_best() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().to_str().expect("a path in UTF-8");
    let mut command = Command::new(env!("CARGO_BIN_EXE_winstorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["sweep", DESIGNS, "--seeds", "1..1", "--out", out]);
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "every expectation of every design holds: {said}");
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    let text = |name: &str| String::from_utf8(read(name)).expect("text");

    let runs = rows(&text("runs.csv"));
    let designs: Vec<&str> = runs.iter().map(|row| row["vary.design"].as_str()).collect();
    assert_eq!(designs, DESIGN_NAMES);
    let [pair, cluster, both] = [0, 1, 2].map(|at| losses(&runs[at]));
    let told = [&pair, &cluster, &both].map(|design| design.unresolved);
    assert!(told[2] < told[0] && told[0] < told[1], "seconds unresolved: {told:?}");
    assert!(told[2] * 5.0 < told[0], "together they lose hardly anything: {told:?}");
    let told = [&pair, &cluster, &both].map(|design| design.lost);
    assert!(told[1] < told[0] && told[2] < told[0], "lost registrations: {told:?}");
    let told = [&pair, &cluster, &both].map(|design| design.stale);
    assert!(told[1] < told[0] && told[2] < told[0], "stale answers: {told:?}");

    let (chart, page) = (text("charts/losses.svg"), text("report.html"));
    let (_, costs) = page.split_once("What the failure costs").expect("the table of losses");
    let (costs, _) = costs.split_once("<h2").expect("what comes after it");
    for design in DESIGN_NAMES {
        assert!(chart.contains(&format!("\n{design}\n")), "{design} is not in the chart");
        assert!(costs.contains(&format!("<td>{design}</td>")), "{design} is not in {costs}");
    }
    for loss in ["Unresolved time", "Stale answers", "Lost registrations"] {
        assert!(chart.contains(&format!("\n{loss}\n")), "{loss} is not in the chart");
        assert!(costs.contains(&loss.to_lowercase()), "{loss} is not in {costs}");
    }
    assert!(read("charts/losses.png").starts_with(b"\x89PNG"));
}
