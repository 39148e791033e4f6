//! Every documented rule of the WINS server is shown by a test, and a listing says by which.
//!
//! The rules stand in `tests/wins_rules.txt`. A test names those it shows in a comment directly above it,
//! `// rule: id, id` or `// rule: prefix/*`; a scenario file does the same with `# rule: id`. A pattern is
//! for tests that go through every rule of their prefix. What is found is written down in
//! `docs/wins-rules.md`, refreshed by `WINSTORM_REFRESH_RULES=1 cargo test --test wins_rules`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const REFRESH: &str = "WINSTORM_REFRESH_RULES";
const RULES: &str = "tests/wins_rules.txt";
const LISTING: &str = "docs/wins-rules.md";
/// Rules that may stay without a test, each with its reason in the file: a short list, or it means nothing.
const NOT_SHOWN_MAX: usize = 30;

struct Rule {
    id: String,
    text: String,
    source: String,
}

/// A rule comment: where it stands, what it names, and the test below it.
struct Mark {
    file: String,
    line: usize,
    pattern: String,
    test: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rules, and those that no test shows with the reason.
fn rules() -> (Vec<Rule>, BTreeMap<String, String>) {
    let (mut rules, mut not_shown): (Vec<Rule>, _) = (Vec::new(), BTreeMap::new());
    for (number, line) in read(&root().join(RULES)).lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let at = format!("{RULES}:{}: {line}", number + 1);
        if let Some(rest) = line.strip_prefix("not shown: ") {
            let (id, why) = rest.split_once(" | ").unwrap_or_else(|| panic!("{at}"));
            let known = not_shown.insert(id.trim().to_string(), why.trim().to_string());
            assert!(known.is_none(), "{at}: twice");
            continue;
        }
        let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [id, text, source] = fields[..] else { panic!("{at}: id | rule | source") };
        assert!(!rules.iter().any(|rule| rule.id == id), "{at}: twice");
        let (id, text, source) = (id.to_string(), text.to_string(), source.to_string());
        rules.push(Rule { id, text, source });
    }
    (rules, not_shown)
}

/// Files that can carry rule comments, in order.
fn files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.expect("an entry").path();
            match path.extension().and_then(|end| end.to_str()) {
                _ if path.is_dir() => walk(&path, found),
                Some("rs" | "toml") => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    ["src", "tests", "scenarios"].iter().for_each(|folder| walk(&root().join(folder), &mut found));
    found.sort();
    found
}

/// The name of the test that begins below this line: nothing but attributes and comments may come between.
fn test_below(lines: &[&str], from: usize) -> Option<String> {
    let mut marked = false;
    for line in &lines[from..] {
        let line = line.trim();
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            return marked.then(|| rest.split('(').next().unwrap_or(rest).to_string());
        } else if !(line.starts_with("//") || line.starts_with("#[") || line.is_empty()) {
            return None;
        }
    }
    None
}

/// Every rule comment of a file.
fn marks(path: &Path) -> Vec<Mark> {
    let text = read(path);
    let lines: Vec<&str> = text.lines().collect();
    let file = path.strip_prefix(root()).expect("below the root");
    let file = file.display().to_string().replace('\\', "/");
    let scenario = file.ends_with(".toml");
    let prefix = if scenario { "# rule: " } else { "// rule: " };
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(list) = line.trim().strip_prefix(prefix) else { continue };
        let test = match scenario {
            true => Some(String::new()),
            false => test_below(&lines, index + 1),
        };
        for pattern in list.split(',').map(|id| id.trim().to_string()) {
            found.push(Mark { file: file.clone(), line: index + 1, pattern, test: test.clone() });
        }
    }
    found
}

/// Whether a mark names this rule.
fn covers(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => id.starts_with(prefix),
        None => pattern == id,
    }
}

/// How a test is shown in the listing: its file without the folders that say nothing, and its name.
fn shown(mark: &Mark) -> String {
    let file = mark.file.trim_start_matches("src/").trim_end_matches(".rs");
    match mark.test.as_deref() {
        None | Some("") => format!("`{file}`"),
        Some(test) => format!("`{file}::{test}`"),
    }
}

fn listing(rules: &[Rule], not_shown: &BTreeMap<String, String>, marks: &[Mark]) -> String {
    let mut text = String::from(
        "# What shows which rule of the WINS server\n\n\
         Written by the test `wins_rules` from `tests/wins_rules.txt` and the comments above the tests.\n\
         Letters: U unique, G normal group, S special group, M multihomed; A active, R released,\n\
         T tombstone.\n",
    );
    let mut topic = "";
    for rule in rules {
        let this = rule.id.split('/').next().unwrap_or_default();
        if this != topic {
            text +=
                &format!("\n## {this}\n\n| id | rule | source | shown by |\n|---|---|---|---|\n");
            topic = this;
        }
        let mut by: Vec<String> =
            marks.iter().filter(|mark| covers(&mark.pattern, &rule.id)).map(shown).collect();
        by.dedup();
        if let (true, Some(why)) = (by.is_empty(), not_shown.get(&rule.id)) {
            by.push(format!("not shown: {why}"));
        }
        let Rule { id, text: rule, source } = rule;
        text +=
            &format!("| {id} | {} | {source} | {} |\n", rule.replace('*', "\\*"), by.join(", "));
    }
    text
}

/// Everything the tests below look at.
fn found() -> (Vec<Rule>, BTreeMap<String, String>, Vec<Mark>) {
    let (rules, not_shown) = rules();
    let marks = files().iter().flat_map(|path| marks(path)).collect();
    (rules, not_shown, marks)
}

#[test]
fn every_rule_is_shown_by_a_test() {
    let (rules, not_shown, marks) = found();
    assert!(rules.len() > 500, "only {} rules", rules.len());
    let mut wrong = Vec::new();
    for Mark { file, line, pattern, test } in &marks {
        if !rules.iter().any(|rule| covers(pattern, &rule.id)) {
            wrong.push(format!("{file}:{line}: there is no rule {pattern}"));
        }
        if test.is_none() {
            wrong.push(format!("{file}:{line}: no test follows the rule comment"));
        }
    }
    let is_shown = |id: &str| marks.iter().any(|mark| covers(&mark.pattern, id));
    for rule in &rules {
        match (is_shown(&rule.id), not_shown.get(&rule.id)) {
            (false, None) => wrong.push(format!("no test shows {}: {}", rule.id, rule.text)),
            (true, Some(why)) => {
                wrong.push(format!("{} is shown, although the file says: {why}", rule.id));
            }
            _ => {}
        }
    }
    for id in not_shown.keys().filter(|id| !rules.iter().any(|rule| &rule.id == *id)) {
        wrong.push(format!("{RULES}: there is no rule {id} to be left out"));
    }
    let left_out = not_shown.iter().filter(|(id, _)| !is_shown(id));
    let mut never = 0;
    for (id, why) in left_out {
        never += 1;
        println!("not shown: {id}: {why}");
    }
    println!("{} rules, {never} not shown for a reason", rules.len());
    assert!(never <= NOT_SHOWN_MAX, "{never} rules are not shown; {NOT_SHOWN_MAX} are allowed");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_listing_is_current() {
    let (rules, not_shown, marks) = found();
    let current = listing(&rules, &not_shown, &marks);
    let path = root().join(LISTING);
    if std::env::var_os(REFRESH).is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(&path, &current).expect("the listing can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(current.lines()).find(|(old, new)| old != new);
    assert!(
        kept == current,
        "{LISTING} is out of date ({differs:?}); refresh it with {REFRESH}=1 cargo test --test wins_rules"
    );
}

#[test]
fn a_mark_needs_a_test_below_it() {
    let text =
        ["// rule: a", "/// Doc.", "#[test]", "fn first() {", "}", "// rule: b", "fn no() {"];
    assert_eq!(test_below(&text, 1).as_deref(), Some("first"));
    assert_eq!(test_below(&text, 6), None);
    assert_eq!(test_below(&["let x = 1;", "#[test]", "fn f() {"], 0), None);
    assert!(covers("a/*", "a/b") && covers("a/b", "a/b") && !covers("a/b", "a/bc"));
}
