//! Reproduced failures: a scenario with two sides, one that has a documented failure and one that has not.
//!
//! `cure` and `harm` are overrides, as on the command line. With `cure` the affected side behaves as the
//! other one, with `harm` the other way round; either must make an expectation of the scenario fail, or the
//! scenario proves nothing. Here it is checked that they can be applied.

use super::check::check_table;
use super::diagnose::{Mistake, Mistakes};
use super::document::{Node, Span, Table, with_override};
use super::language::SCENARIO;
use super::lower::{ReadFile, lower};

/// The documented failure that a scenario reproduces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KbPlan {
    /// The article that reports it: `Q216585`.
    pub article: String,
    /// More articles about the same failure.
    pub also: Vec<String>,
    /// Versions that have it.
    pub affected: String,
    /// The version or the workaround that has not.
    pub cured: String,
    /// What people see.
    pub symptom: String,
    /// Overrides `path=value` that cure the affected side.
    pub cure: Vec<String>,
    /// Overrides `path=value` that give the failure to the other side.
    pub harm: Vec<String>,
}

/// Whether a text is the number of an article, Q and five or six digits, or a section of the specification
/// of the administration protocol: `RAIW-3.1.4.3`.
pub(super) fn is_article(text: &str) -> bool {
    if let Some(section) = text.strip_prefix("RAIW-") {
        return section.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    }
    text.strip_prefix('Q').is_some_and(|digits| {
        (5..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Checks `cure` and `harm`: with either, the scenario must be as sound as without. Mistakes of the file
/// itself are in `out` already.
pub(super) fn check_kb(root: &Table, start: Span, out: &mut Mistakes, read_file: &ReadFile<'_>) {
    let Some(kb) = root.get("kb").and_then(Node::table) else { return };
    for key in ["cure", "harm"] {
        let Some(list) = kb.get(key) else { continue };
        if list.items().is_empty() {
            let mistake = Mistake::new(list.span, format!("`{key}` sets nothing"));
            out.add(mistake.hint("write [\"host.wins.profile=nt40-sp5\"]"));
        }
        let mut changed = root.clone();
        changed.entries.retain(|entry| entry.key != "vary" && entry.key != "kb");
        let mut known = out.emptied();
        check_table(&changed, &SCENARIO, start, &mut known);
        lower(&changed, Vec::new(), &mut known, read_file);
        let mut sound = true;
        for item in list.items() {
            let Some(text) = item.text() else { continue };
            if let Err(mistake) = with_override(&mut changed, text, item.span) {
                out.add(mistake);
                sound = false;
            }
        }
        if !sound {
            continue;
        }
        let mut found = out.emptied();
        check_table(&changed, &SCENARIO, start, &mut found);
        lower(&changed, Vec::new(), &mut found, read_file);
        for mistake in found.sorted().into_iter().filter(|m| !known.sorted().contains(m)) {
            out.add(Mistake { span: list.span, ..mistake.clone() });
        }
    }
}
