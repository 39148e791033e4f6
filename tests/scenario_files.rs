//! Every shipped scenario loads without a mistake, tells a story, and expects something.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use winstorm::scenario::load_file;

/// A scenario that must be refused, and what the refusal says.
const REFUSED: &str = "scenarios/cluster/nt40-refuses-wins.toml";

fn shipped() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("scenarios/ is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "toml") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("scenarios"), &mut found);
    found.sort();
    found
}

#[test]
fn every_shipped_scenario_loads() {
    let files = shipped();
    assert!(files.len() >= 9, "only {} scenarios found", files.len());
    let readme = std::fs::read_to_string("scenarios/README.md").expect("the index");
    for path in files {
        let link = path.strip_prefix("scenarios").expect("below scenarios").display().to_string();
        // Reproduced failures have an index of their own, which `tests/kb.rs` keeps.
        let listed = readme.contains(&link) || link.starts_with("kb/");
        assert!(listed, "scenarios/README.md does not list {link}");
        if path == Path::new(REFUSED) {
            continue;
        }
        let plan = load_file(&path, &[]).unwrap_or_else(|mistakes| panic!("\n{mistakes}\n"));
        assert!(!plan.story.is_empty(), "{} tells no story", path.display());
        assert!(!plan.expects.is_empty(), "{} expects nothing", path.display());
    }
}

#[test]
fn an_nt40_cluster_refuses_wins_with_the_reason_and_the_advice() {
    let mistakes = load_file(Path::new(REFUSED), &[]).expect_err("it is refused").to_string();
    let told = [
        "WINS is no resource of an NT 4.0 cluster",
        "does not support WINS, DHCP or DNS (Q174956)",
        "two WINS servers as push and pull partners, and clients with both,",
        "type = \"wins\"",
    ];
    for text in told {
        assert!(mistakes.contains(text), "{text:?} is not in\n{mistakes}");
    }
}

/// The articles in quotes of this text.
fn quoted_articles(text: &str) -> BTreeSet<&str> {
    let is_article = |word: &&str| {
        let digits = word.strip_prefix('Q').unwrap_or_default();
        digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split('"').filter(is_article).collect()
}

/// A breach that is excused by an article no rule ever names would be excused by nothing.
#[test]
fn breaches_are_excused_by_articles_that_rules_name() {
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of text");
    let rules =
        read(Path::new("src/explore/invariants.rs")) + &read(Path::new("src/explore/oracles.rs"));
    let named = quoted_articles(&rules);
    assert!(named.len() >= 4, "rules name {named:?}");
    let mut excused = 0;
    for path in shipped() {
        let text = read(&path);
        let of_violations = |line: &&str| line.trim_start().starts_with("violation_");
        for article in text.lines().filter(of_violations).flat_map(quoted_articles) {
            let file = path.display();
            assert!(named.contains(article), "{file}: no rule names {article}, only {named:?}");
            excused += 1;
        }
    }
    assert!(excused >= 8, "only {excused} articles found in scenarios");
}
