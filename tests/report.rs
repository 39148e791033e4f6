//! The report of a made-up failover run: texts as people see them, pictures and tables as programs read them.

#[path = "report/sample.rs"]
mod sample;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use std::io::Write;
use std::path::Path;
use winstorm::base::SimDuration;
use winstorm::measure::{FaultSpan, RunResult, Series, Verdict};
use winstorm::report::{self, Extras, PendingFile, Style};

#[test]
fn the_summary_reads_verdict_first_and_ends_with_how_to_run_it_again() {
    let extras = Extras { wall_s: Some(1.2), files: vec!["out/report.html".into()] };
    let text = report::text(&sample::failover(), &extras, Style::PLAIN);
    insta::assert_snapshot!(text, @r"
    FAIL  WINS primary failover · seed 1 · 24 h simulated in 1.2 s · digest 001a2b3c4d5e6f70

    expectations
      pass        names resolve again               within 4.5 s of the power cut; allowed: 1 min
      FAIL        databases agree after the return  not by 10:00:00: wins-b lacks 3 of 812 records,
                                                    first DESK-17<00> version 0x2a1, registered at
                                                    09:12:44.020 with wins-a
      not judged  no stale answer after a release   no name was released

    faults
      09:00:00 to 09:30:00  power cut of wins-a
                            detect time 4.5 s · recover time 31 min · messages spent 2,140

    numbers
      lookup success            99.98 %
      lookup stale answers           12
      databases agree after  31 min 1 s
      never measured                  -

    distributions                 median          p90          p99           max      of
      lookup time                 900 µs        21 ms       1.51 s         4.5 s  48,211
      replication lag        15 min 12 s  28 min 31 s  29 min 59 s           1 h   2,310
      queue wins a            0 requests   1 requests  12 requests  118 requests  86,400

    files  out/  report.html
    again  winstorm run scenarios/wins/primary-failover.toml --seed 1
    ");
}

#[test]
fn no_line_of_the_summary_is_wider_than_asked_and_plain_text_has_no_control_characters() {
    for width in [80, 100] {
        let style = Style { colour: false, width };
        let text = report::text(&sample::failover(), &Extras::default(), style);
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
    let coloured = report::text(&sample::failover(), &Extras::default(), Style::for_terminal(true));
    assert!(coloured.starts_with("\u{1b}[1;31mFAIL"));
}

#[test]
fn hostile_names_cannot_reach_the_terminal_the_shell_or_the_page() {
    let mut run = sample::failover();
    run.title = "\u{1b}[2Jx\n<script>alert(1)</script>".into();
    run.scenario = "a b'; rm -rf x.toml".into();
    run.overrides = vec!["host.wins-a.wins={ pull = 1 }".into()];
    run.faults[0].name = "</svg><b>&".into();
    let text = report::text(&run, &Extras::default(), Style::PLAIN);
    assert!(!text.contains('\u{1b}'));
    let again = r"again  winstorm run 'a b'\''; rm -rf x.toml' --seed 1 --set 'host.wins-a.wins={ pull = 1 }'";
    assert!(text.contains(again), "{text}");
    let page = report::page(&run, &report::charts(&run));
    assert!(!page.contains("<script") && !page.contains("</svg><b>"));
    assert!(page.contains("&lt;script&gt;"));
    for chart in report::charts(&run) {
        well_formed(&chart.svg());
    }
}

#[test]
fn the_json_has_the_keys_that_were_promised() {
    let run = sample::failover();
    let json: serde_json::Value =
        serde_json::from_str(&report::json(&run, Some(1.5))).expect("one JSON object");
    assert_eq!(json["scenario"], "scenarios/wins/primary-failover.toml");
    assert_eq!(json["seed"], 1);
    assert_eq!(json["digest"], "001a2b3c4d5e6f70");
    assert_eq!(json["verdict"], "fail");
    assert_eq!(json["events"], 1_234_567);
    assert_eq!(json["sim_time_ns"], 86_400_000_000_000_u64);
    assert_eq!(json["wall_s"], 1.5);
    assert_eq!(json["expectations"][2]["verdict"], "not-judged");
    assert_eq!(json["expectations"][0]["name"], "names resolve again");
    assert_eq!(json["measures"]["lookup.time"]["p99"], 1512.0);
    assert_eq!(json["measures"]["lookup.time"]["n"], 48_211);
    assert!(json["measures"]["never.measured"]["p50"].is_null());
    let keys: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 9, "{keys:?}");
}

/// Every tag closed in order, every bare `&` an entity: enough to catch what escaping can get wrong.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a bare > in {:?}", &rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
    for entity in svg.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "apos;", "#39;"];
        assert!(known.iter().any(|k| entity.starts_with(k)), "{entity:.20}");
    }
}

#[test]
fn charts_come_in_order_as_text_and_as_pictures_of_1200_by_600() {
    let run = sample::failover();
    let charts = report::charts(&run);
    let names: Vec<&str> = charts.iter().map(report::Chart::name).collect();
    assert_eq!(
        names,
        [
            "resolution",
            "resolution-fault",
            "names-known",
            "names-known-fault",
            "replication-lag",
            "queue"
        ]
    );
    let svg = charts[0].svg();
    well_formed(&svg);
    assert!(
        svg.contains("sans-serif") && svg.contains("power cut of wins-a") && svg.contains("seed 1")
    );
    assert!(svg.contains("100 %") && svg.contains("24:00") && svg.contains("north: right answer"));
    let png = charts[0].png();
    let reader = png::Decoder::new(png.as_slice()).read_info().expect("a PNG");
    assert_eq!((reader.info().width, reader.info().height), (1200, 600));
}

#[test]
fn the_same_result_gives_the_same_bytes() {
    let once = report::render_all(&sample::failover(), None);
    let twice = report::render_all(&sample::failover(), None);
    assert!(once == twice);
}

#[test]
fn odd_runs_are_drawn_without_panics() {
    let odd = |points: Vec<(f64, f64)>, steps| Series {
        chart: "Ö dd/../name".into(),
        line: "x".repeat(500),
        unit: "requests".into(),
        steps,
        points,
    };
    let mut run = RunResult { sim_time: SimDuration::ZERO, ..RunResult::default() };
    assert!(report::charts(&run).is_empty());
    let _ = report::text(&run, &Extras::default(), Style { colour: true, width: 1 });
    run.series.push(odd(vec![(0.0, f64::NAN), (1.0, f64::INFINITY), (2.0, 3.0)], true));
    run.series.push(odd(vec![(0.0, 0.0)], false));
    run.series.extend((0..40).map(|_| odd(vec![(5.0, -1.0), (4.0, 1e300)], false)));
    run.faults = (0..1000)
        .map(|i| FaultSpan { name: format!("f{i}"), from: f64::from(i), until: f64::from(i) })
        .collect();
    for chart in report::charts(&run) {
        assert!(chart.name().chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        well_formed(&chart.svg());
        assert!(!chart.png().is_empty());
    }
}

#[test]
fn a_comparison_names_the_run_of_each_line() {
    let first = sample::failover();
    let second = RunResult { seed: 2, faults: Vec::new(), ..first.clone() };
    let charts = report::compare(&[first, second]);
    let svg = charts[0].svg();
    assert!(svg.contains("2 runs of WINS primary failover"));
    assert!(svg.contains("seed 1") && svg.contains("seed 2"));
    assert!(!svg.contains("power cut"), "faults that the runs do not share are not shaded");
}

#[test]
fn measures_are_read_back_from_parquet() {
    let run = sample::failover();
    let bytes = report::measures_parquet(std::slice::from_ref(&run));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("measures.parquet");
    std::fs::write(&path, bytes).expect("written");
    let reader = SerializedFileReader::try_from(path.as_path()).expect("a Parquet file");
    let rows: Vec<_> =
        reader.get_row_iter(None).expect("rows").map(|r| r.expect("a row")).collect();
    assert_eq!(rows.len(), run.measures.len());
    assert_eq!(rows[3].get_string(0).expect("text"), &run.scenario);
    assert_eq!(rows[3].get_ulong(1).expect("a seed"), 1);
    assert_eq!(rows[3].get_string(2).expect("text"), "001a2b3c4d5e6f70");
    assert_eq!(rows[3].get_string(3).expect("text"), "lookup.time");
    assert_eq!(rows[3].get_ulong(5).expect("a count"), 48_211);
    assert_eq!(rows[3].get_double(9).expect("a figure"), 1512.0);
}

#[test]
fn the_page_is_one_file_with_everything_in_it() {
    let run = sample::failover();
    let page = report::page(&run, &report::charts(&run));
    for part in [
        "FAIL",
        "NOT JUDGED",
        "databases agree",
        "wins-b lacks 3 of 812",
        "<svg",
        "lookup time",
        "database recovered, 800 records",
        "power cut of wins-a",
        "winstorm run scenarios",
        "001a2b3c4d5e6f70",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    let links = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!links.contains("http") && !links.contains("src=") && !links.contains("<link"));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let name = |e: std::io::Result<std::fs::DirEntry>| e.expect("an entry").file_name();
    let mut names: Vec<String> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_output_folder_gets_every_file_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("deep/out");
    let paths = report::write_all(&out, &sample::failover(), Some(1.0)).expect("written");
    assert!(paths.iter().all(|p| p.is_file()));
    assert_eq!(
        names_in(&out),
        [
            "charts",
            "measures.parquet",
            "report.html",
            "run.json",
            "series.csv",
            "summary.json",
            "timeline.txt"
        ]
    );
    assert_eq!(names_in(&out.join("charts")).len() + 6, paths.len());
    report::write_all(&out, &sample::failover(), Some(2.0)).expect("written over");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_an_error_and_stays_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("taken");
    std::fs::write(&file, "mine").expect("written");
    for out in [file.clone(), file.join("below")] {
        let error =
            report::write_all(&out, &sample::failover(), None).expect_err("a file is there");
        assert!(error.to_string().contains("taken"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), "mine");
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_an_error_and_gets_no_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o555)).expect("set");
    if std::fs::write(dir.path().join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write into read-only folders");
        return;
    }
    let error = report::write_all(dir.path(), &sample::failover(), None).expect_err("read-only");
    assert_eq!(error.path, dir.path());
    assert!(names_in(dir.path()).is_empty());
}

/// A file system of 64 KB, unmounted when dropped; `None` where this user may not mount one.
#[cfg(target_os = "linux")]
struct Small(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Small {
    fn mount() -> Option<Small> {
        let dir = tempfile::tempdir().ok()?;
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(dir.path())
            .output()
            .ok()?;
        mount.status.success().then_some(Small(dir))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_file_system_keeps_the_old_files_and_gets_no_half_ones() {
    let Some(small) = Small::mount() else {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    };
    let out = small.0.path();
    std::fs::write(out.join("summary.json"), "old").expect("room for this");
    let error = report::write_all(out, &sample::failover(), None).expect_err("64 KB are too few");
    assert_eq!(error.reason.kind(), std::io::ErrorKind::StorageFull, "{error}");
    assert_eq!(std::fs::read_to_string(out.join("summary.json")).expect("still there"), "old");
    let left: Vec<String> = names_in(out).into_iter().filter(|n| n != "charts").collect();
    assert_eq!(left, ["summary.json"]);
}

#[test]
fn a_pending_file_appears_only_when_committed() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("packets.pcapng");
    let mut file = PendingFile::create(&path).expect("created");
    file.write_all(b"half").expect("written");
    drop(file);
    assert!(names_in(dir.path()).is_empty(), "an abandoned file leaves nothing");
    let mut file = PendingFile::create(&path).expect("created");
    file.write_all(b"whole").expect("written");
    assert!(!path.exists());
    assert_eq!(file.commit().expect("committed"), path);
    assert_eq!(std::fs::read(&path).expect("there"), b"whole");
}

#[test]
fn the_timeline_tells_faults_and_moments_in_order() {
    insta::assert_snapshot!(report::timeline(&sample::failover()), @r"
    00:00:30      desk-1   first name registered
    09:00:00      fault    power cut of wins-a: begins
    09:00:04.500  desk-17  gives wins-a up, asks wins-b
    09:30:00      fault    power cut of wins-a: over
    09:30:20      wins-a   database recovered, 800 records
    23:59:00      wins-b   agrees with wins-a
    ");
}

#[test]
fn the_verdict_of_a_run_is_the_worst_of_its_expectations() {
    let mut run = sample::failover();
    assert_eq!(run.verdict(), Verdict::Fail);
    run.expectations.retain(|e| e.verdict != Verdict::Fail);
    assert!(report::text(&run, &Extras::default(), Style::PLAIN).starts_with("NOT JUDGED  "));
}
