//! Sweeps as a person runs them: the same bytes whatever the threads and parts, failures that are named and
//! can be repeated, tables and charts that hold what they should, and mistakes that are pointed at.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A desk looks a file server up while its WINS server is down for a while: on some seeds too late to be
/// answered as often as expected.
const OUTAGE: &str = r#"# A small network whose WINS server crashes for a while.
title = "a small outage"
duration = "10min"
subnet.office = "10.0.0.0/24"
link = {}
host.wins = { on = "office", wins = true }
host.files = { on = "office", nbt = { servers = ["wins"] } }
host.desk = { on = "office", nbt = { servers = ["wins"] } }
workload.work.lookups = { hosts = "desk", names = ["files"], every = "20s", from = "2min" }
[[fault]]
label = "outage"
between = "3min..5min"
lasts = "10s..1min"
crash = "wins"
[[expect]]
always = "the desk finds the file server at once"
lookup_time = { at_most = "1s" }
[[expect]]
always = "the server comes back"
measure = { name = "lookup.count", at_least = 1 }
[vary.design]
one = {}
two.remove = "fault.outage"
two."host.desk.nbt.node_type" = "H"
two."host.wins2" = { on = "office", wins = true }
"#;

fn winstorm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_winstorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null());
    command
}

fn expect_code(code: i32, arguments: &[&str]) -> Output {
    let output = winstorm(arguments).output().expect("the program starts");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}{said}", stdout(&output));
    assert!(!said.contains("panicked"), "{arguments:?}\n{said}");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A folder with the scenario in it.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("outage.toml");
    fs::write(&path, OUTAGE).expect("a new file");
    (folder, path)
}

/// Name and bytes of every file below a folder, in order.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).expect("below it").display().to_string();
                found.push((name.replace('\\', "/"), fs::read(&path).expect("a file")));
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

fn assert_same_files(a: &Path, b: &Path) {
    let (a, b) = (contents(a), contents(b));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for ((name, one), (_, other)) in a.iter().zip(&b) {
        assert!(one == other, "{name} differs");
    }
}

/// The rows of a CSV file without quotes in the columns that are asked for.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let at =
        head.iter().position(|h| *h == name).unwrap_or_else(|| panic!("no {name} in {head:?}"));
    lines.map(|line| line.split(',').nth(at).expect("a cell").to_string()).collect()
}

#[test]
fn threads_and_parts_make_no_difference_to_any_byte() {
    let (folder, path) = folder();
    let out = |name: &str| folder.path().join(name);
    let sweep = |name: &str, more: &[&str]| {
        // The seed that fails is in one of the parts only.
        let code = if name == "2-3" || name == "1-3" { 0 } else { 1 };
        let dir = out(name);
        let mut all = vec!["sweep", text(&path), "--seeds", "1..9", "--out", text(&dir)];
        all.extend(more);
        expect_code(code, &all);
        dir
    };
    let one = sweep("one", &["--jobs", "1"]);
    assert_same_files(&one, &sweep("two", &["--jobs", "2"]));
    assert_same_files(&one, &sweep("five", &["--jobs", "5"]));
    let parts: Vec<PathBuf> = ["2/3", "1/3", "3/3"]
        .iter()
        .map(|p| sweep(&p.replace('/', "-"), &["--shard", p]))
        .collect();
    let runs: usize = parts
        .iter()
        .map(|p| fs::read_to_string(p.join("runs.csv")).expect("a table").lines().count() - 1)
        .sum();
    assert_eq!(runs, 18, "each run is in one part");
    let merged = out("merged");
    let mut all = vec!["chart", "--out", text(&merged)];
    all.extend(parts.iter().map(|p| text(p)));
    expect_code(0, &all);
    assert_same_files(&one, &merged);
    // A part twice is no whole.
    let said = stderr(&expect_code(
        2,
        &["chart", text(&parts[0]), text(&parts[0]), "--out", text(&merged)],
    ));
    assert!(said.contains("do not belong together"), "{said}");
}

#[test]
fn a_failing_seed_is_named_and_can_be_repeated() {
    let (folder, path) = folder();
    let out = folder.path().join("out");
    let arguments =
        ["sweep", text(&path), "--seeds", "1..12", "--out", text(&out), "--format", "json"];
    let json: Value = serde_json::from_slice(&expect_code(1, &arguments).stdout).expect("JSON");
    assert_eq!(json["verdict"], "fail");
    assert_eq!(json["runs"], 24);
    let failure = &json["failures"][0];
    assert_eq!(failure["expectation"], "the desk finds the file server at once");
    assert_eq!(failure["combination"], "one");
    let again = failure["again"].as_str().expect("a command");
    let seed = failure["first_seed"].as_u64().expect("a seed");
    assert!(again.ends_with(&format!("--seed {seed} --set vary.design=one")), "{again}");
    let words: Vec<&str> = again.split(' ').skip(1).chain(["--format", "json"]).collect();
    let run: Value = serde_json::from_slice(&expect_code(1, &words).stdout).expect("JSON");
    let runs = fs::read_to_string(out.join("runs.csv")).expect("a table");
    let (seeds, digests) = (column(&runs, "seed"), column(&runs, "digest"));
    let row = seeds.iter().position(|s| *s == seed.to_string()).expect("its row");
    assert_eq!(run["digest"], digests[row].as_str(), "the very same history");
    // Every failed run is in the table of failures, and only those.
    let verdicts = column(&runs, "verdict");
    let failed: BTreeSet<&String> =
        seeds.iter().zip(&verdicts).filter(|(_, v)| *v == "fail").map(|(s, _)| s).collect();
    let failures = fs::read_to_string(out.join("failures.csv")).expect("a table");
    let named = column(&failures, "seed");
    assert_eq!(named.iter().collect::<BTreeSet<_>>(), failed);
    assert_eq!(failure["count"].as_u64(), Some(failed.len() as u64));
    let page = fs::read_to_string(out.join("report.html")).expect("a page");
    assert!(page.contains(again) && page.contains("the desk finds the file server at once"));
    // In the second design there is no outage, so nothing fails.
    assert_eq!(json["results"][1]["passed"], 12);
}

#[test]
fn the_folder_holds_tables_a_page_and_charts() {
    let (folder, path) = folder();
    let out = folder.path().join("out");
    let arguments = ["sweep", text(&path), "--seeds", "3..8", "--out", text(&out), "--jobs", "2"];
    let said = stdout(&expect_code(1, &arguments));
    assert!(said.starts_with("FAIL  a small outage\n"), "{said}");
    for word in ["one", "two", "winstorm run", "runs.csv"] {
        assert!(said.contains(word), "{word} is missing:\n{said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 110), "{said}");
    let files = contents(&out);
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "summary.json",
        "report.html",
        "runs.csv",
        "runs.parquet",
        "failures.csv",
        "series.csv",
        "charts/resolution-all-sites-prompt.svg",
        "charts/resolution-all-sites-prompt.png",
        "charts/lookup-count.svg",
        "charts/lookup-time-worst-of-a-run.png",
    ] {
        assert!(names.contains(name), "no {name} in {names:?}");
    }
    for (name, bytes) in &files {
        match name.rsplit('.').next().expect("an ending") {
            "png" => assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 1000, "{name}"),
            "svg" => {
                let svg = std::str::from_utf8(bytes).expect("text");
                assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{name}");
                // A setting without values, or a server it does not have, is not drawn.
                let drawn = ["\none\n", "\ntwo\n"].iter().filter(|name| svg.contains(**name));
                assert!(drawn.count() > 0, "{name}: whose values are these?");
            }
            "html" => {
                let page = std::str::from_utf8(bytes).expect("text");
                assert!(!page.contains("<script") && !page.contains("<link"), "it opens offline");
                for word in ["Settings", "Failures", "Compared on the same seeds", "Failed runs"] {
                    assert!(page.contains(word), "{word}");
                }
            }
            "json" => drop(serde_json::from_slice::<Value>(bytes).expect("JSON")),
            _ => {}
        }
        assert!(!name.contains(".part"), "{name} is half-written");
    }
    let runs = fs::read_to_string(out.join("runs.csv")).expect("a table");
    let expected: Vec<String> = (3..=8).chain(3..=8).map(|seed: u64| seed.to_string()).collect();
    assert_eq!(column(&runs, "seed"), expected, "combination by combination, seed by seed");
    assert_eq!(column(&runs, "vary.design")[5..7], ["one", "two"]);
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let table = fs::File::open(out.join("runs.parquet")).expect("a table");
    let reader = SerializedFileReader::new(table).expect("a Parquet file");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 12);
}

#[test]
fn measures_can_be_chosen() {
    let (folder, path) = folder();
    let out = folder.path().join("out");
    let arguments =
        ["sweep", text(&path), "--seeds", "6..7", "--out", text(&out), "--measure", "net.*"];
    expect_code(1, &arguments);
    let charts = contents(&out.join("charts"));
    assert!(charts.iter().any(|(name, _)| name == "net-packets.png"));
    assert!(!charts.iter().any(|(name, _)| name.starts_with("lookup-")));
}

#[test]
fn folders_of_sweeps_and_runs_are_compared() {
    let (folder, path) = folder();
    let out = |name: &str| folder.path().join(name);
    let (slow, fast, run, both) = (out("slow"), out("fast"), out("run"), out("both"));
    let sweep = |dir: &Path, set: &str| {
        let pick = "design=two";
        let arguments = ["sweep", text(&path), "--seeds", "1..4", "--vary", pick, "--set", set];
        expect_code(0, &[&arguments[..], &["--out", text(dir)]].concat());
    };
    sweep(&slow, "subnet.office={ network = \"10.0.0.0/24\", delay = \"50ms\" }");
    sweep(&fast, "duration=10min");
    let pick = "vary.design=two";
    expect_code(0, &["run", text(&path), "--set", pick, "--out", text(&run), "--seed", "2"]);
    let said = stdout(&expect_code(
        0,
        &["chart", text(&slow), text(&fast), text(&run), "--out", text(&both)],
    ));
    for name in ["slow, two", "fast, two", "run"] {
        assert!(said.contains(name), "{name} is missing:\n{said}");
    }
    let svg = fs::read_to_string(both.join("charts/lookup-time-median-of-a-run.svg"))
        .or_else(|_| fs::read_to_string(both.join("charts/lookup-time-worst-of-a-run.svg")))
        .expect("a chart of what differs");
    assert!(svg.contains("\nslow, two\n") && svg.contains("\nrun\n"), "{svg}");
    let summary: Value =
        serde_json::from_slice(&fs::read(both.join("summary.json")).expect("it is there"))
            .expect("JSON");
    assert_eq!(summary["results"][2]["runs"], 1);
    // What was compared can be compared again.
    expect_code(0, &["chart", text(&both), "--out", text(&out("again"))]);
    assert_same_files(&both, &out("again"));
    let said = stderr(&expect_code(2, &["chart", text(folder.path()), "--out", text(&both)]));
    assert!(said.contains("is no folder of a sweep or run: summary.json"), "{said}");
}

#[test]
fn mistakes_in_usage_are_pointed_at_and_nothing_runs() {
    let (folder, path) = folder();
    let out = folder.path().join("out");
    let file = text(&path);
    for (arguments, said) in [
        (&["--seeds", "9..1"][..], "--seeds 9..1: the range runs backwards; did you mean 1..9?"),
        (&["--seeds", "one"], "`one` is no seed"),
        (&["--seeds", "1..18446744073709551615"], "more than 10000000 runs"),
        (&["--seeds", "1..2", "--shard", "3/2"], "--shard 3/2: the parts are 1/2 to 2/2"),
        (&["--seeds", "1..2", "--shard", "half"], "write 2/5 for the second of five parts"),
        (&["--seeds", "1..2", "--jobs", "0"], "--jobs 0"),
        (&["--seeds", "1..2", "--vary", "host.desc.on=office"], "did you mean `desk`?"),
        (&["--seeds", "1..2", "--vary", "host.desk.on=office,offize"], "--vary:1:21"),
        (&["--seeds", "1..2", "--vary", "host.desk.on"], "write path=value,value"),
        (&["--seeds", "1..2", "--vary", "duration=5min,,6min"], "an empty value"),
        (&["--seeds", "1..2", "--vary", "design=one,too"], "did you mean `two`?"),
        (&["--seeds", "1..2", "--set", "vary.design=tow"], "did you mean `two`?"),
        (&["--seeds", "1..2", "--set", "host.desk.on=offize"], "--set:1"),
    ] {
        let all = [&["sweep", file, "--out", text(&out)], arguments].concat();
        let output = expect_code(2, &all);
        assert!(stderr(&output).contains(said), "{arguments:?}:\n{}", stderr(&output));
        assert!(!out.exists(), "{arguments:?}: something was run");
    }
    expect_code(2, &["sweep", file, "--seeds", "1..2"]);
    expect_code(2, &["sweep", file, "--out", text(&out)]);
    expect_code(2, &["sweep", "Cargo.toml", "--seeds", "1", "--out", text(&out)]);
    // A folder that cannot be written is a fault of the machine, and found before the runs.
    let taken = folder.path().join("outage.toml/out");
    expect_code(4, &["sweep", file, "--seeds", "1", "--out", text(&taken)]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_runs_that_are_done() {
    let (folder, path) = folder();
    let out = folder.path().join("out");
    let child = winstorm(&["sweep", text(&path), "--seeds", "1..1000000", "--out", text(&out)])
        .args(["--format", "json", "--jobs", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let wait = || assert!(Command::new("sleep").arg("0.2").status().expect("sleep").success());
    let begun = (0..300).any(|_| {
        wait();
        out.exists()
    });
    assert!(begun, "no folder after a minute");
    (0..5).for_each(|_| wait());
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    assert!(stderr(&output).contains("interrupted after"), "{}", stderr(&output));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let runs = json["runs"].as_u64().expect("a number");
    assert!(runs > 0 && runs < 2_000_000, "{runs}");
    let table = fs::read_to_string(out.join("runs.csv")).expect("a table");
    assert_eq!(table.lines().count() as u64, runs + 1, "what is done is on the disk");
}
