//! The program as a person or a script runs it: exit codes, what it prints, what it writes and what it does
//! not.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const TWO_HOSTS: &str = "scenarios/basics/two-hosts.toml";

/// The program, to be run in the repository's folder.
fn winstorm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_winstorm"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    winstorm(arguments).output().expect("the program starts")
}

/// Runs it and holds its exit code against the one expected.
fn expect_code(code: i32, arguments: &[&str]) -> Output {
    let output = run(arguments);
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

/// What `--format json` says.
fn json(arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().chain(&["--format", "json"]).copied().collect();
    let output = run(&all);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{all:?}: {e}\n{}{}", stdout(&output), stderr(&output)))
}

fn digest(arguments: &[&str]) -> String {
    json(arguments)["digest"].as_str().expect("a digest").to_string()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// All files below a folder, relative to it.
fn files_below(folder: &Path) -> BTreeSet<String> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).expect("below it");
                found.insert(name.display().to_string().replace('\\', "/"));
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, folder, &mut found);
    found
}

/// A changed copy of the smallest scenario, in a folder of its own.
fn scenario(change: impl Fn(String) -> String) -> (tempfile::TempDir, PathBuf) {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join(TWO_HOSTS);
    let folder = temporary();
    let path = folder.path().join("changed.toml");
    let changed = change(fs::read_to_string(original).expect("the scenario"));
    fs::write(&path, changed).expect("a new file");
    (folder, path)
}

/// A scenario that must be refused.
const REFUSED: &str = "scenarios/cluster/nt40-refuses-wins.toml";

/// The shipped scenarios that run.
fn shipped() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = files_below(&root.join("scenarios"));
    let tomls = all.into_iter().filter(|name| name.ends_with(".toml"));
    tomls.map(|name| format!("scenarios/{name}")).filter(|name| name != REFUSED).collect()
}

// Exit codes.

#[test]
fn success_is_0_and_a_failed_expectation_is_1() {
    let output = expect_code(0, &["run", TWO_HOSTS]);
    let said = stdout(&output);
    assert!(said.contains("PASS") || said.contains("pass"), "{said}");
    let (_folder, path) = scenario(|text| {
        text + "\n[[expect]]\nalways = \"nothing is asked\"\n\
                measure = { name = \"lookup.count\", at_most = 0 }\n"
    });
    let output = expect_code(1, &["run", text(&path)]);
    let said = stdout(&output);
    assert!(said.contains("nothing is asked"), "{said}");
    assert_eq!(json(&["run", text(&path)])["verdict"], "fail");
}

#[test]
fn what_cannot_be_judged_is_no_failure() {
    let (_folder, path) = scenario(|text| {
        text + "\n[[expect]]\nalways = \"it\"\nmeasure = { name = \"no.such\", at_most = 0 }\n"
    });
    expect_code(0, &["run", text(&path)]);
    assert_eq!(json(&["run", text(&path)])["verdict"], "not-judged");
}

#[test]
fn mistakes_in_usage_are_2() {
    for arguments in [
        &[][..],
        &["run"],
        &["walk", TWO_HOSTS],
        &["run", TWO_HOSTS, "--sed", "1"],
        &["run", TWO_HOSTS, "--seed", "one"],
        &["run", TWO_HOSTS, "--seed", "-1"],
        &["run", TWO_HOSTS, "--format", "xml"],
        &["run", TWO_HOSTS, "--trace"],
        &["run", TWO_HOSTS, "--pcap"],
        &["run", TWO_HOSTS, "--until", "noon"],
        &["run", TWO_HOSTS, "--until", "00:00"],
        &["run", TWO_HOSTS, "--until", "2h"],
        &["run", TWO_HOSTS, "--set", "title"],
        &["run", TWO_HOSTS, "--set", "host.desk.on=offize"],
        &["run", TWO_HOSTS, "--set", "duration=ten"],
        &["run", "scenarios/no-such-file.toml"],
        &["run", "scenarios"],
        &["run", "Cargo.toml"],
        &["check"],
        &["check", TWO_HOSTS, "Cargo.toml"],
    ] {
        let output = expect_code(2, arguments);
        assert!(!output.stderr.is_empty(), "{arguments:?}: not a word");
    }
}

#[test]
fn help_and_version_are_no_mistake() {
    for arguments in [&["--help"][..], &["--version"], &["run", "--help"], &["check", "--help"]] {
        let output = expect_code(0, arguments);
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    let help = stdout(&expect_code(0, &["--help"]));
    for word in ["run", "check", "explain", "schema", "Exit codes"] {
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_named_at_once_and_nothing_is_written() {
    let (folder, path) = scenario(|text| {
        text.replace("every = \"1min\"", "every = \"1 minit\"")
            .replace("host.desk = { on = \"office\"", "host.desk = { on = \"offize\"")
            .replace("duration = \"10min\"", "duration = \"10min\"\ncolour = \"blue\"")
    });
    let out = folder.path().join("out");
    let output = expect_code(2, &["run", text(&path), "--out", text(&out), "--trace", "--pcap"]);
    let said = stderr(&output);
    for word in ["1 minit", "offize", "did you mean `office`", "colour", "3 mistakes"] {
        assert!(said.contains(word), "`{word}` is missing:\n{said}");
    }
    for line in ["changed.toml:6:", "changed.toml:10:", "changed.toml:11:"] {
        let lines: Vec<&str> = said.lines().filter(|l| l.contains("changed.toml:")).collect();
        assert!(said.contains(line), "`{line}` is missing in {lines:?}");
    }
    assert!(!out.exists(), "no folder is made for a run that never was");
    assert!(output.stdout.is_empty());
    let checked = stderr(&expect_code(2, &["check", text(&path)]));
    assert!(checked.contains("3 mistakes in 1 file"), "{checked}");
}

#[test]
fn every_shipped_scenario_checks_out() {
    let files = shipped();
    let arguments: Vec<&str> =
        ["check"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let said = stdout(&expect_code(0, &arguments));
    for file in &files {
        assert!(said.lines().any(|line| line.starts_with("ok") && line.contains(file)), "{said}");
    }
}

// What it cannot write.

#[test]
fn an_output_folder_that_cannot_be_is_4_and_nothing_is_left() {
    let folder = temporary();
    let taken = folder.path().join("taken");
    fs::write(&taken, "mine").expect("a file");
    let below = taken.join("below");
    for out in [text(&taken), text(&below), "/dev/null/out", "/proc/out"] {
        let output = expect_code(4, &["run", TWO_HOSTS, "--out", out, "--trace", "--pcap"]);
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(&taken).expect("still there"), "mine");
    assert_eq!(files_below(folder.path()), BTreeSet::from(["taken".to_string()]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_4_and_leaves_no_damaged_file() {
    let folder = temporary();
    let out = folder.path().join("out");
    expect_code(0, &["run", TWO_HOSTS, "--out", text(&out), "--trace", "--pcap"]);
    let before: Vec<_> = contents(&out);
    // No file may get longer than 8 KB: writing fails in the middle, as on a full disk.
    let program = env!("CARGO_BIN_EXE_winstorm");
    for more in ["", "--trace", "--pcap", "--trace --pcap"] {
        let script = format!(
            "trap '' XFSZ; ulimit -f 8; exec '{program}' run {TWO_HOSTS} --seed 2 --out '{}' {more}",
            text(&out)
        );
        let mut shell = Command::new("sh");
        shell.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-c", &script]);
        let output = shell.output().expect("a shell");
        assert_eq!(output.status.code(), Some(4), "{more}: {}", stderr(&output));
        assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
        let after = contents(&out);
        let names = |all: &[(String, Vec<u8>)]| -> Vec<String> {
            all.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&before), names(&after), "{more}");
        assert!(before == after, "{more}: what an earlier run wrote is as it was");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_is_full_is_4() {
    for arguments in
        [&["run", TWO_HOSTS][..], &["check", TWO_HOSTS], &["explain", TWO_HOSTS], &["schema"]]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let status = winstorm(arguments).stdout(full).stderr(Stdio::null()).status();
        assert_eq!(status.expect("the program starts").code(), Some(4), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let all = shipped();
    let check: Vec<&str> = ["check"].into_iter().chain(all.iter().map(String::as_str)).collect();
    for arguments in
        [&["run", TWO_HOSTS][..], &check, &["explain", TWO_HOSTS], &["schema"], &["--help"]]
    {
        let mut child = winstorm(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // As `| head -0`: the reading end is closed before anything is written.
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    }
}

// What it prints and writes.

#[test]
fn json_has_exactly_its_keys() {
    let result = json(&["run", TWO_HOSTS, "--seed", "5"]);
    let mut found = keys(&result);
    found.sort_unstable();
    let mut wanted = [
        "scenario",
        "seed",
        "digest",
        "verdict",
        "events",
        "sim_time_ns",
        "wall_s",
        "expectations",
        "measures",
    ];
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(result["scenario"], TWO_HOSTS);
    assert_eq!(result["seed"], 5);
    assert_eq!(result["verdict"], "pass");
    assert_eq!(result["sim_time_ns"], 600_000_000_000u64);
    assert!(result["wall_s"].is_f64() && result["events"].as_u64() > Some(10));
    let digest = result["digest"].as_str().expect("text");
    assert!(digest.len() == 16 && u64::from_str_radix(digest, 16).is_ok(), "{digest}");
    for expectation in result["expectations"].as_array().expect("a list") {
        let mut found = keys(expectation);
        found.sort_unstable();
        assert_eq!(found, ["detail", "name", "verdict"]);
    }
    let measures = result["measures"].as_object().expect("an object");
    assert!(measures.contains_key("lookup.time"));
    for (name, measure) in measures {
        let mut found = keys(measure);
        found.sort_unstable();
        assert_eq!(found, ["max", "min", "n", "p50", "p90", "p99", "unit"], "{name}");
    }
}

/// Name and bytes of every file below a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = files_below(folder).into_iter();
    names.map(|name| (name.clone(), fs::read(folder.join(&name)).expect("a file"))).collect()
}

#[test]
fn the_output_folder_gets_well_formed_files() {
    let folder = temporary();
    let out = folder.path().join("deep/er/out");
    let arguments =
        ["run", TWO_HOSTS, "--out", text(&out), "--trace", "--pcap", "--format", "json"];
    let printed: Value = serde_json::from_slice(&expect_code(0, &arguments).stdout).expect("JSON");
    let files = contents(&out);
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "summary.json",
        "report.html",
        "measures.parquet",
        "events.jsonl",
        "packets.pcapng",
        "charts/resolution.svg",
        "charts/resolution.png",
    ] {
        assert!(names.contains(name), "no {name} in {names:?}");
    }
    for (name, bytes) in &files {
        let as_text = || std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        match name.rsplit('.').next().expect("an ending") {
            "json" if name == "run.json" => {
                let about: Value = serde_json::from_slice(bytes).expect("JSON");
                assert_eq!(about["scenario"], printed["scenario"]);
            }
            "json" => {
                let summary: Value = serde_json::from_slice(bytes).expect("JSON");
                assert_eq!(summary["digest"], printed["digest"]);
                assert_eq!(summary["measures"], printed["measures"]);
            }
            "csv" => assert!(as_text().starts_with("combination,seed,chart,"), "{name}"),
            "jsonl" => {
                let lines: Vec<Value> = as_text()
                    .lines()
                    .map(|line| serde_json::from_str(line).expect("JSON"))
                    .collect();
                assert_eq!(lines.len() as u64, printed["events"].as_u64().expect("a number"));
                for (n, line) in lines.iter().enumerate() {
                    assert_eq!(line["n"], n as u64);
                }
                let times = lines.iter().map(|line| line["time_ns"].as_u64().expect("a time"));
                assert!(times.is_sorted(), "events stand in the order of time");
            }
            "html" => {
                let page = as_text().to_lowercase();
                assert!(
                    page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>")
                );
                assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "offline");
            }
            "svg" => {
                assert!(as_text().contains("<svg") && as_text().trim_end().ends_with("</svg>"))
            }
            "png" => {
                assert!(
                    bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.ends_with(b"IEND\xaeB`\x82")
                );
            }
            "parquet" => assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")),
            "pcapng" => assert!(bytes.starts_with(b"\x0a\x0d\x0d\x0a") && bytes.len() > 1000),
            // A run in which nothing remarkable happens has an empty timeline.
            "txt" => assert!(as_text().is_empty() || as_text().ends_with('\n'), "{name}"),
            other => panic!("what is {name}? A file ending in .{other} is nobody's"),
        }
    }
}

#[test]
fn observing_changes_nothing() {
    let folder = temporary();
    let out = text(folder.path());
    let plain = digest(&["run", TWO_HOSTS]);
    for more in [
        &["--out", out][..],
        &["--out", out, "--trace"],
        &["--out", out, "--pcap"],
        &["--out", out, "--trace", "--pcap"],
        &["--twice"],
    ] {
        let arguments: Vec<&str> = ["run", TWO_HOSTS].iter().chain(more).copied().collect();
        assert_eq!(digest(&arguments), plain, "{more:?}");
    }
}

#[test]
fn twice_compares_two_runs() {
    let output = expect_code(0, &["run", TWO_HOSTS, "--twice"]);
    assert!(stderr(&output).contains("twice: the same"), "{}", stderr(&output));
    assert!(!stderr(&run(&["run", TWO_HOSTS])).contains("twice"));
}

#[test]
fn seed_until_and_set_change_the_run_as_they_say() {
    let plain = json(&["run", TWO_HOSTS]);
    assert_eq!(plain["seed"], 1, "the default");
    assert_eq!(json(&["run", TWO_HOSTS, "--seed", "1"])["digest"], plain["digest"]);
    let other = json(&["run", TWO_HOSTS, "--seed", "18446744073709551615"]);
    assert_eq!(other["seed"], u64::MAX);
    assert_ne!(other["digest"], plain["digest"]);

    for until in ["5min", "00:05"] {
        let short = json(&["run", TWO_HOSTS, "--until", until]);
        assert_eq!(short["sim_time_ns"], 300_000_000_000u64);
        assert!(short["events"].as_u64() < plain["events"].as_u64());
    }
    let whole = json(&["run", TWO_HOSTS, "--until", "10min"]);
    assert_eq!(whole["digest"], plain["digest"], "until its end is the whole run");

    let often = json(&["run", TWO_HOSTS, "--set", "workload.work.lookups.every=10s"]);
    let asked =
        |result: &Value| result["measures"]["lookup.count"]["max"].as_f64().expect("a number");
    assert!(asked(&often) > 3.0 * asked(&plain), "{} and {}", asked(&often), asked(&plain));
    let output = expect_code(2, &["run", TWO_HOSTS, "--set", "workload.work.lookups.every=10x"]);
    assert!(stderr(&output).contains("--set"), "{}", stderr(&output));
}

#[test]
fn explain_and_schema_print_what_they_promise() {
    let explained = stdout(&expect_code(0, &["explain", TWO_HOSTS]));
    for word in ["wins", "files", "desk", "10.0.0.0/24"] {
        assert!(explained.contains(word), "`{word}` is missing:\n{explained}");
    }
    expect_code(2, &["explain", "Cargo.toml"]);
    let schema: Value = serde_json::from_slice(&expect_code(0, &["schema"]).stdout).expect("JSON");
    assert!(schema["properties"]["expect"].is_object(), "the schema knows the top-level tables");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/schema.json");
    let kept: Value =
        serde_json::from_slice(&fs::read(kept).expect("it is shipped")).expect("JSON");
    assert!(
        kept == schema,
        "scenarios/schema.json is old: winstorm schema > scenarios/schema.json"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_there_is() {
    let folder = temporary();
    let out = folder.path().join("out");
    let long = "scenarios/wins/primary-failover.toml";
    let child =
        winstorm(&["run", long, "--set", "duration=200d", "--out", text(&out), "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
    let id = child.id().to_string();
    // The run is under way when its folder is there.
    let begun = (0..600).any(|_| {
        wait_a_little();
        out.exists()
    });
    assert!(begun, "no folder after a minute");
    wait_a_little();
    let killed = Command::new("kill").args(["-INT", &id]).status().expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("it ends");
    assert!(stderr(&output).contains("interrupted at"), "{}", stderr(&output));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(result["sim_time_ns"].as_u64() < Some(200 * 86_400 * 1_000_000_000));
    assert!(out.join("summary.json").is_file());
    assert!(files_below(&out).iter().all(|name| !name.contains(".part")), "nothing half-written");
}

#[cfg(unix)]
fn wait_a_little() {
    let slept = Command::new("sleep").arg("0.1").status().expect("sleep");
    assert!(slept.success());
}
