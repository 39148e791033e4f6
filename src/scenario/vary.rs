//! Values a sweep tries: each must make a scenario as sound as the one in the file.
//!
//! Each value is put in its place and the whole file is checked again; what goes wrong only then is a
//! mistake of that value and is reported there.

use super::check::check_table;
use super::diagnose::{Mistake, Mistakes};
use super::document::{Node, Span, Table, Value, with_value};
use super::language::SCENARIO;
use super::lower::{ReadFile, lower};

/// A sweep is refused beyond this many values of one file: each of them is checked as a scenario.
const VALUES_MAX: usize = 1000;

/// Checks what `vary` holds. Mistakes of the file itself are in `out` already.
pub fn check_vary(root: &Table, start: Span, out: &mut Mistakes, read_file: &ReadFile<'_>) {
    let Some(table) = root.get("vary").and_then(Node::table) else { return };
    let mut base = root.clone();
    base.entries.retain(|entry| entry.key != "vary");
    let mut known = out.emptied();
    check_table(&base, &SCENARIO, start, &mut known);
    lower(&base, Vec::new(), &mut known, read_file);
    let mut count = 0;
    for entry in &table.entries {
        let Value::List(items) = &entry.node.value else { continue };
        for node in items {
            count += 1;
            if count > VALUES_MAX {
                let message = format!("a sweep takes {VALUES_MAX} values at most");
                out.add(Mistake::new(node.span, message));
                return;
            }
            let changed = match with_value(&base, &entry.key, entry.key_span, node.clone()) {
                Ok(changed) => changed,
                Err(mistake) => {
                    out.add(mistake);
                    break;
                }
            };
            let mut found = out.emptied();
            check_table(&changed, &SCENARIO, start, &mut found);
            lower(&changed, Vec::new(), &mut found, read_file);
            let new = found.sorted().into_iter().filter(|m| !known.sorted().contains(m));
            for mistake in new {
                // An unknown key at the end of the path is one mistake, not one for each value.
                let at_path = mistake.span == entry.key_span;
                let span = if at_path { mistake.span } else { node.span };
                out.add(Mistake { span, ..mistake.clone() });
            }
        }
    }
}
