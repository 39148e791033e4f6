//! What no compiler keeps: module edges, banned calls, line length, scenarios that nobody lists.
//!
//! The checks read the source as text, line by line, without comments and string literals. Every exception
//! stands in a table here, with its reason; one that is not needed any more is a failure too.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order of dependence: each may use only those before it, and itself.
const ORDER: [&str; 14] = [
    "base", "wire", "registry", "nbt", "wins", "cluster", "net", "sim", "measure", "scenario",
    "explore", "report", "serve", "cli",
];

/// Edges that the order would allow and the design forbids.
const FORBIDDEN: [(&str, &str, &str); 9] = [
    ("cluster", "nbt", "the protocols do not know each other: a host joins them"),
    ("cluster", "wins", "the protocols do not know each other: a host joins them"),
    ("nbt", "registry", "the host reads settings for it"),
    ("wins", "registry", "the host reads settings for it"),
    ("net", "cluster", "the network carries bytes"),
    ("wins", "nbt", "the protocols do not know each other: a host joins them"),
    ("net", "nbt", "the network carries bytes"),
    ("net", "wins", "the network carries bytes"),
    ("report", "explore", "a report reads results, whoever made them"),
];

/// Longest line, in characters. rustfmt keeps code within 100; comments may have a little more. Literals and
/// rows of tables, which cannot be broken, are let through.
const LINE_MAX: usize = 110;

/// Files that hold messages word for word, of whatever length they are.
const SNAPSHOTS: [&str; 2] = ["tests/scenario_errors.rs", "tests/cluster_errors.rs"];

/// What must not appear in the source, and where it may all the same.
const BANNED: [Ban; 12] = [
    Ban { word: "HashMap", why: "its order is random", allowed: &[] },
    Ban { word: "HashSet", why: "its order is random", allowed: &[] },
    Ban {
        word: "std::time",
        why: "wall time must not reach a run",
        allowed: &[
            ("cli/run.rs", "how long the run took here, shown and never used"),
            ("cli/sweep.rs", "how long the sweep took here, shown and never used"),
            ("report/pcapng.rs", "the capture library takes its time stamps as a `Duration`"),
            ("cli/pull.rs", "stored records are stamped with the time of day"),
            ("serve/ask.rs", "a person waits in real time"),
            ("serve/partner.rs", "a person waits in real time"),
            ("serve/clock.rs", "where real time comes in"),
            ("serve/hook.rs", "programs may take so long"),
            ("serve/live.rs", "waiting is told in `Duration`s"),
            ("serve/sockets.rs", "keep-alive is told in `Duration`s"),
        ],
    },
    Ban {
        word: "std::thread",
        why: "a run has one thread",
        allowed: &[
            ("explore/pool.rs", "the runs of a sweep, each on one thread"),
            ("serve/commit.rs", "the database is written beside the loop"),
            ("serve/hook.rs", "programs run beside the loop"),
        ],
    },
    Ban {
        word: "std::env",
        why: "a run depends on its scenario, overrides and seed only",
        allowed: &[],
    },
    Ban {
        word: "std::fs",
        why: "only the edges of the program touch files",
        allowed: &[
            ("scenario/load.rs", "reads scenarios and the files they name"),
            ("report/output.rs", "writes output folders"),
            ("serve/restore.rs", "a backup in the place of a database"),
            ("cli/chart.rs", "reads the folders of sweeps"),
            ("cli/pull.rs", "makes the store it writes"),
            ("serve/opening.rs", "reads static mappings"),
            ("serve/commit.rs", "moves a backup to its place"),
            ("serve/node_tests.rs", "damages recordings"),
            ("serve/record.rs", "recordings"),
            ("serve/store_file.rs", "the database's file"),
            ("cli/replay.rs", "writes the database that comes out"),
            ("cli/serve.rs", "reads the machine's name"),
        ],
    },
    Ban {
        word: "std::process",
        why: "only the edges of the program know of processes",
        allowed: &[
            ("cli/exit.rs", "exit codes"),
            ("cli/mod.rs", "exit codes"),
            ("main.rs", "exit codes"),
            ("report/output.rs", "its number in the names of temporary files"),
            ("serve/hook.rs", "runs a program for every change"),
        ],
    },
    Ban {
        word: "UdpSocket",
        why: "the simulator has no sockets",
        allowed: &[
            ("serve/ask.rs", "asks real servers"),
            ("serve/sockets.rs", "opens it"),
            ("serve/outside.rs", "answers through it"),
            ("serve/opening.rs", "waits for it"),
            ("serve/opening.rs", "waits for it"),
        ],
    },
    Ban {
        word: "TcpStream",
        why: "the simulator has no sockets",
        allowed: &[("serve/sockets.rs", "opens it"), ("serve/streams.rs", "keeps them")],
    },
    Ban {
        word: "TcpListener",
        why: "the simulator has no sockets",
        allowed: &[
            ("serve/sockets.rs", "opens it"),
            ("serve/streams.rs", "accepts from it"),
            ("serve/live.rs", "waits for it"),
            ("serve/opening.rs", "waits for it"),
        ],
    },
    Ban { word: "thread_local", why: "state outside the world", allowed: &[] },
    Ban {
        word: "unsafe",
        why: "nothing here is worth it without a benchmark",
        allowed: &[("base/prefetch.rs", "a hint to the cache: results/net-2026-11-22")],
    },
];

/// Macros that mean unfinished work.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

struct Ban {
    word: &'static str,
    why: &'static str,
    /// Files below `src`, each with its reason.
    allowed: &'static [(&'static str, &'static str)],
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below these folders whose names end so, in order.
fn files(folders: &[&str], ends: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.display().to_string();
            if path.is_dir() {
                walk(&path, ends, found);
            } else if ends.iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    folders.iter().for_each(|folder| walk(&root().join(folder), ends, &mut found));
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A path as it is shown and listed: relative, with slashes.
fn shown(path: &Path, below: &str) -> String {
    let base = root().join(below);
    path.strip_prefix(base).expect("below it").display().to_string().replace('\\', "/")
}

/// A line of code without its comment and without what stands in its string literals.
fn code(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => {
                chars.next();
            }
            '"' => {
                quoted = !quoted;
                out.push('"');
            }
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            _ if quoted => {}
            c => out.push(c),
        }
    }
    out
}

/// The modules a line of code names: `crate::wire::…`, and the members of `use crate::{wire, base}`.
fn used(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in line.split("crate::").skip(1) {
        let list = match part.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or(list),
            None => part,
        };
        let members: Vec<&str> =
            if list.len() < part.len() { list.split(',').collect() } else { vec![list] };
        for member in members {
            let word: String =
                member.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push(word);
        }
    }
    found.retain(|word| ORDER.contains(&word.as_str()));
    found
}

/// Whether a line has this word, not as a part of another.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_part);
        let after = line[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}

fn fail_if_any(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Why a module may not use another, if it may not.
fn objection(module: &str, other: &str) -> Option<&'static str> {
    let place = |name| ORDER.iter().position(|m| *m == name);
    if let Some((_, _, why)) = FORBIDDEN.iter().find(|(a, b, _)| (*a, *b) == (module, other)) {
        return Some(why);
    }
    (place(other) > place(module)).then_some("a module uses only those before it")
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let mut complaints = Vec::new();
    let mut edges = 0;
    for path in files(&["src"], &[".rs"]) {
        let file = shown(&path, "src");
        let module = file.split(['/', '.']).next().unwrap_or_default().to_string();
        if !ORDER.contains(&module.as_str()) {
            assert!(matches!(module.as_str(), "lib" | "main"), "module `{module}` has no place");
            continue;
        }
        for (n, line) in read(&path).lines().enumerate() {
            for other in used(&code(line)) {
                edges += usize::from(other != module);
                if let Some(why) = objection(&module, &other) {
                    complaints.push(format!("{file}:{}: `{module}` uses `{other}`: {why}", n + 1));
                }
            }
        }
    }
    assert!(edges > 100, "only {edges} edges seen: the check reads nothing");
    fail_if_any(&complaints);
}

#[test]
fn the_check_of_edges_sees_an_edge() {
    assert_eq!(used("use crate::nbt::NbtClient;"), ["nbt"]);
    assert_eq!(used("use crate::{base::SimTime, wins};"), ["base", "wins"]);
    assert_eq!(used("    x: crate::sim::World, y: crate::wire::Flags,"), ["sim", "wire"]);
    assert_eq!(used(&code("// crate::cli is not meant")), [""; 0]);
    assert_eq!(used(&code("let text = \"crate::cli\";")), [""; 0]);
    assert!(objection("wins", "nbt").is_some());
    assert!(objection("base", "wire").is_some());
    assert!(objection("wire", "base").is_none());
    assert!(has_word("let x: HashMap<u8, u8>;", "HashMap"));
    assert!(!has_word("let x: MyHashMapping;", "HashMap"));
}

#[test]
fn banned_words_stay_where_they_are_allowed() {
    let mut complaints = Vec::new();
    let mut needed: Vec<(&str, &str)> = Vec::new();
    for path in files(&["src"], &[".rs"]) {
        let file = shown(&path, "src");
        for (n, line) in read(&path).lines().enumerate() {
            let line = code(line);
            for ban in BANNED.iter().filter(|ban| has_word(&line, ban.word)) {
                match ban.allowed.iter().find(|(allowed, _)| *allowed == file) {
                    Some((allowed, _)) => needed.push((ban.word, allowed)),
                    None => {
                        let word = ban.word;
                        complaints.push(format!("{file}:{}: `{word}`: {}", n + 1, ban.why));
                    }
                }
            }
        }
    }
    for ban in &BANNED {
        for (file, _) in ban.allowed {
            if !needed.contains(&(ban.word, file)) {
                complaints.push(format!("{file} does not use `{}`: drop the exception", ban.word));
            }
        }
    }
    fail_if_any(&complaints);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut complaints = Vec::new();
    for path in files(&["src", "benches"], &[".rs"]) {
        for (n, line) in read(&path).lines().enumerate() {
            let line = code(line);
            for word in UNFINISHED.iter().filter(|word| line.contains(*word)) {
                complaints.push(format!("{}:{}: `{word}`", shown(&path, ""), n + 1));
            }
        }
    }
    fail_if_any(&complaints);
}

#[test]
fn lines_are_not_too_long() {
    let mut complaints = Vec::new();
    for path in files(&["src", "tests", "benches", "scenarios"], &[".rs", ".toml", ".lmhosts"]) {
        for (n, line) in read(&path).lines().enumerate() {
            let length = line.chars().count();
            let unbreakable = line.contains('"') || line.trim_end().ends_with('|');
            if length > LINE_MAX && !unbreakable && !SNAPSHOTS.iter().any(|s| path.ends_with(s)) {
                let file = shown(&path, "");
                complaints.push(format!("{file}:{}: {length} characters", n + 1));
            }
        }
    }
    fail_if_any(&complaints);
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut complaints = Vec::new();
    for path in files(&["src", "tests", "benches"], &[".rs"]) {
        let text = read(&path);
        if shown(&path, "") != "src/lib.rs" && !text.starts_with("//!") {
            complaints.push(format!("{} does not open with `//!`", shown(&path, "")));
        }
    }
    fail_if_any(&complaints);
}

#[test]
fn every_scenario_is_listed() {
    let index = read(&root().join("scenarios/README.md"));
    let mut complaints = Vec::new();
    let scenarios = files(&["scenarios"], &[".toml"]);
    assert!(scenarios.len() >= 9, "only {} scenarios found", scenarios.len());
    for path in scenarios {
        let name = shown(&path, "scenarios");
        // The reproduced failures have an index of their own, written and checked by `tests/kb.rs`.
        let listed = index.contains(&format!("({name})")) || name.starts_with("kb/");
        if !listed {
            complaints.push(format!("scenarios/README.md does not link {name}"));
        }
        if !read(&path).trim_start().starts_with('#') {
            complaints.push(format!("{name} does not open with its story"));
        }
    }
    for link in index.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if link.ends_with(".toml") && !root().join("scenarios").join(link).is_file() {
            complaints.push(format!("scenarios/README.md links {link}, which is not there"));
        }
    }
    fail_if_any(&complaints);
}

#[test]
fn nothing_points_outside_the_repository() {
    // Put together here, so that this file does not contain them.
    let outside: Vec<String> = ["/work", "/home", "/root", "/Users"]
        .iter()
        .map(|folder| format!("{folder}/"))
        .chain([format!("..{}shared", "/")])
        .collect();
    let ends = [".rs", ".toml", ".md", ".lmhosts", ".txt", ".run", ".hex"];
    let mut all = files(&["src", "tests", "benches", "scenarios", "results", ".ci"], &ends);
    all.extend(
        ["Cargo.toml", "README.md", "clippy.toml", "rustfmt.toml", ".ci/run"]
            .map(|f| root().join(f)),
    );
    let mut complaints = Vec::new();
    for path in all.iter().filter(|path| path.is_file()) {
        if path.ends_with("tests/tidy.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(path) else { continue };
        for (n, line) in text.lines().enumerate() {
            for word in outside.iter().filter(|word| line.contains(word.as_str())) {
                complaints.push(format!("{}:{}: `{word}`", shown(path, ""), n + 1));
            }
        }
    }
    fail_if_any(&complaints);
}
