//! What a sweep varies: values of one path, or named alternatives that change several paths at once.
//!
//! `vary` is a table. A path with a list gives its values; any other name with a table gives alternatives,
//! each a table of paths and values, in which `remove` lists paths that are taken out. Each value must make a
//! scenario as sound as the one in the file, and so must each combination: it is put in its place and the
//! whole file is checked again. What goes wrong only then is a mistake of that value, reported there.

use super::check::check_table;
use super::diagnose::{Mistake, Mistakes, nearest};
use super::document::{Node, Span, Table, Value, bare_value, put, sweep_out, take, write_value};
use super::language::SCENARIO;
use super::lower::{ReadFile, lower};
use super::story::{VaryPlan, VaryValue};

/// A sweep is refused beyond this many values of one file: each of them is checked as a scenario.
const VALUES_MAX: usize = 1000;
/// And beyond this many combinations of them, for the same reason.
const COMBINATIONS_MAX: usize = 1000;
/// A value longer than this is called by its place in the list.
const NAME_MAX: usize = 32;
/// The key of an alternative that lists what is taken out.
const REMOVE: &str = "remove";

/// One thing that varies.
pub struct Axis {
    /// The path, or the name of the alternatives.
    pub name: String,
    /// What it can be.
    pub variants: Vec<Variant>,
}

/// One value, or one alternative.
#[derive(Clone)]
pub struct Variant {
    /// The value as it is written, or the alternative's name.
    name: String,
    /// The override that chooses it.
    pick: String,
    /// Where it stands.
    span: Span,
    /// What is taken out, before anything is set.
    removed: Vec<(String, Span)>,
    /// What is set.
    set: Vec<(String, Span, Node)>,
}

impl Axis {
    /// The axis as a part of the plan.
    pub fn plan(&self) -> VaryPlan {
        let changes = |v: &Variant| {
            let removed = v.removed.iter().map(|(path, _)| format!("without {path}"));
            let set = v.set.iter().map(|(path, _, node)| format!("{path} = {}", write_value(node)));
            removed.chain(set).collect()
        };
        let value = |v: &Variant| VaryValue {
            name: v.name.clone(),
            pick: v.pick.clone(),
            changes: changes(v),
        };
        VaryPlan { name: self.name.clone(), values: self.variants.iter().map(value).collect() }
    }
}

/// Reads the `vary` table; what is wrong with its shape goes to `out`.
pub fn axes(root: &Table, out: &mut Mistakes) -> Vec<Axis> {
    let Some(node) = root.get("vary") else { return Vec::new() };
    let Some(table) = node.table() else {
        let message = "`vary` is a table of paths with lists of values, and of named alternatives";
        out.add(Mistake::new(node.span, message));
        return Vec::new();
    };
    let mut axes = Vec::new();
    for entry in &table.entries {
        let (name, span) = (&entry.key, entry.key_span);
        let variants = match &entry.node.value {
            Value::List(items) => {
                if items.is_empty() {
                    out.add(Mistake::new(entry.node.span, "the list of values is empty"));
                }
                let all = items.iter().enumerate();
                all.map(|(i, node)| one_value(name, span, i, node)).collect()
            }
            Value::Table(_) if SCENARIO.find(name).is_some() => {
                let message = format!("`{name}` is a table of the scenario itself");
                let hint = "put a path in quotes: \"link.wan.delay\" = [\"5ms\", \"50ms\"]";
                out.add(Mistake::new(span, message).hint(hint));
                continue;
            }
            Value::Table(alternatives) => {
                if alternatives.entries.is_empty() {
                    out.add(Mistake::new(entry.node.span, format!("`{name}` has no alternatives")));
                }
                let all = alternatives.entries.iter();
                all.filter_map(|e| alternative(name, &e.key, e.key_span, &e.node, out)).collect()
            }
            _ => {
                let mistake = Mistake::new(entry.node.span, "a varied value needs a list");
                out.add(mistake.hint("write [\"5ms\", \"50ms\"]"));
                continue;
            }
        };
        axes.push(Axis { name: name.clone(), variants });
    }
    axes
}

fn one_value(path: &str, path_span: Span, index: usize, node: &Node) -> Variant {
    let value = bare_value(node);
    Variant {
        pick: format!("{path}={value}"),
        // What is longer names no column and no line of a chart.
        name: if value.chars().count() > NAME_MAX { format!("value {}", index + 1) } else { value },
        span: node.span,
        removed: Vec::new(),
        set: vec![(path.to_string(), path_span, node.clone())],
    }
}

fn alternative(
    axis: &str,
    name: &str,
    span: Span,
    node: &Node,
    out: &mut Mistakes,
) -> Option<Variant> {
    if name.trim() != name || name.is_empty() || name.contains([',', '=', '"', '.']) {
        let message = format!("`{name}` is no name for an alternative");
        out.add(Mistake::new(span, message).hint("it has no comma, quote, dot or `=`"));
        return None;
    }
    let Some(table) = node.table() else {
        let message = format!("an alternative is a table, and `{name}` is {}", node.type_name());
        let hint = "write { \"link.wan.delay\" = \"5ms\", remove = [\"host.old\"] }";
        out.add(Mistake::new(node.span, message).hint(hint));
        return None;
    };
    let pick = format!("vary.{axis}={name}");
    let mut variant =
        Variant { name: name.to_string(), pick, span, removed: Vec::new(), set: Vec::new() };
    for entry in &table.entries {
        if entry.key == REMOVE {
            for item in entry.node.items() {
                match item.text() {
                    Some(path) => variant.removed.push((path.to_string(), item.span)),
                    None => out.add(Mistake::new(item.span, "`remove` is a list of paths")),
                }
            }
            continue;
        }
        if entry.node.table().is_some() && SCENARIO.find(&entry.key).is_some() {
            let message = format!("this would replace everything below `{}`", entry.key);
            let hint = "put the path in quotes: \"host.wins-a.profile\" = \"nt40\"";
            out.add(Mistake::new(entry.key_span, message).hint(hint));
            continue;
        }
        variant.set.push((entry.key.clone(), entry.key_span, entry.node.clone()));
    }
    Some(variant)
}

impl Variant {
    /// A mistake that this variant makes, told where a reader looks for it.
    fn place(&self, mistake: Mistake) -> Mistake {
        let own = |(_, path, node): &(String, Span, Node)| {
            // An unknown key at the end of a path is one mistake, not one for each value.
            let within = node.span.start..node.span.end;
            *path == mistake.span
                || node.span.source == mistake.span.source && within.contains(&mistake.span.start)
        };
        if self.set.iter().any(own) {
            return mistake;
        }
        if self.pick.starts_with("vary.") {
            return mistake.note(format!("so it is with the alternative `{}`", self.name));
        }
        Mistake { span: self.span, ..mistake }
    }
}

/// The document with a variant in its place. A mistake points at the path that is none.
fn apply(root: &Table, variant: &Variant) -> Result<Table, Mistake> {
    let mut changed = root.clone();
    for (path, span) in &variant.removed {
        take(&mut changed, path, *span)?;
    }
    for (path, span, node) in &variant.set {
        put(&mut changed, path, *span, node.clone())?;
    }
    sweep_out(&mut changed);
    Ok(changed)
}

/// `--set vary.NAME=ALTERNATIVE`: the document as that alternative has it, which no longer varies. `None`
/// if this is no such override.
pub fn choose(
    root: &mut Table,
    path: &str,
    value: &str,
    span: Span,
) -> Option<Result<(), Mistake>> {
    let axis = path.strip_prefix("vary.")?;
    let alternatives = root.get("vary").and_then(Node::table).and_then(|t| t.get(axis));
    alternatives.and_then(Node::table)?;
    // Mistakes of shape are told when the file itself is checked.
    let mut ignored = Mistakes::default();
    let found = axes(root, &mut ignored).into_iter().find(|a| a.name == axis)?;
    let Some(variant) = found.variants.iter().find(|v| v.name == value) else {
        return Some(Err(no_alternative(&found, value, span)));
    };
    Some(apply(root, variant).map(|changed| {
        *root = changed;
        if let Some(entry) = root.entries.iter_mut().find(|e| e.key == "vary")
            && let Value::Table(table) = &mut entry.node.value
        {
            table.entries.retain(|e| e.key != axis);
        }
    }))
}

fn no_alternative(axis: &Axis, value: &str, span: Span) -> Mistake {
    let names: Vec<&str> = axis.variants.iter().map(|v| v.name.as_str()).collect();
    let message = format!("`{}` has no alternative `{value}`", axis.name);
    let mistake = Mistake::new(span, message).suggest(nearest(value, names.iter().copied()));
    mistake.note(format!("there is: {}", names.join(", ")))
}

/// `--vary path=v1,v2` or `--vary NAME=a,b`: these values instead of those of the file, or of all its
/// alternatives these.
pub fn apply_vary(
    root: &mut Table,
    name: &str,
    span: Span,
    values: Vec<Node>,
) -> Result<(), Mistake> {
    let mut ignored = Mistakes::default();
    let known = axes(root, &mut ignored).into_iter().find(|a| a.name == name);
    let mut table = root.get("vary").and_then(Node::table).cloned().unwrap_or_default();
    let old = table.entries.iter_mut().find(|e| e.key == name);
    if let (Some(axis), Some(entry)) = (&known, &old)
        && let Value::Table(alternatives) = &entry.node.value
    {
        let mut chosen = Table::default();
        for value in &values {
            let wanted = bare_value(value);
            let Some(found) = alternatives.entries.iter().find(|e| e.key == wanted) else {
                return Err(no_alternative(axis, &wanted, value.span));
            };
            chosen.entries.push(found.clone());
        }
        table.entries.iter_mut().filter(|e| e.key == name).for_each(|e| {
            e.node.value = Value::Table(chosen.clone());
        });
    } else {
        let node = Node { span, value: Value::List(values) };
        let entry = super::document::Entry { key: name.to_string(), key_span: span, node };
        match table.entries.iter_mut().find(|e| e.key == name) {
            Some(old) => *old = entry,
            None => table.entries.push(entry),
        }
    }
    let node = Node { span, value: Value::Table(table) };
    match root.entries.iter_mut().find(|e| e.key == "vary") {
        Some(entry) => entry.node.value = node.value,
        None => {
            let key = "vary".to_string();
            root.entries.push(super::document::Entry { key, key_span: span, node });
        }
    }
    Ok(())
}

/// The document without `vary`, which the combinations start from.
pub fn base(root: &Table) -> Table {
    let mut base = root.clone();
    base.entries.retain(|entry| entry.key != "vary");
    base
}

/// The document of a combination: of each axis the variant of this index.
///
/// # Errors
/// A path that is none, which [`check_vary`] would have found.
pub fn combined(base: &Table, axes: &[Axis], choice: &[usize]) -> Result<Table, Mistake> {
    let mut changed = base.clone();
    for (axis, &index) in axes.iter().zip(choice) {
        changed = apply(&changed, &axis.variants[index])?;
    }
    Ok(changed)
}

/// All combinations, the last axis running fastest; one without choices if nothing varies.
pub fn combinations(axes: &[Axis]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for axis in axes {
        let longer = |choice: &Vec<usize>| {
            let choice = choice.clone();
            (0..axis.variants.len()).map(move |i| [choice.as_slice(), &[i]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// Checks what `vary` holds. Mistakes of the file itself are in `out` already.
pub fn check_vary(root: &Table, start: Span, out: &mut Mistakes, read_file: &ReadFile<'_>) {
    let axes = axes(root, &mut out.emptied());
    if axes.is_empty() {
        return;
    }
    let base = base(root);
    let mut check = Check { start, known: out.emptied(), read_file };
    let of_the_file = check.mistakes(&base);
    check.known = of_the_file;
    let before = out.len();
    check_each(&axes, &base, &check, out);
    if out.len() > before || axes.len() < 2 {
        return;
    }
    let count = axes.iter().fold(1usize, |n, axis| n.saturating_mul(axis.variants.len()));
    if count > COMBINATIONS_MAX {
        let span = root.entries.iter().find(|e| e.key == "vary").map_or(start, |e| e.key_span);
        let message =
            format!("these values have {count} combinations, and a sweep takes {COMBINATIONS_MAX}");
        out.add(Mistake::new(span, message).hint("vary fewer at once"));
        return;
    }
    for choice in combinations(&axes) {
        let Some((last, others)) = choice.split_last() else { continue };
        let Some(axis) = axes.last() else { continue };
        let picks =
            axes.iter().zip(others).map(|(a, &i)| format!("{} {}", a.name, a.variants[i].name));
        let with = format!("together with {}", picks.collect::<Vec<_>>().join(", "));
        let span = axis.variants[*last].span;
        match combined(&base, &axes, &choice) {
            Ok(changed) => {
                for mistake in check.new_mistakes(&changed) {
                    out.add(Mistake { span, ..mistake }.note(with.clone()));
                }
            }
            Err(mistake) => out.add(mistake.note(with)),
        }
    }
}

/// What is needed to check a changed document.
struct Check<'a> {
    start: Span,
    /// The mistakes of the file as it stands.
    known: Mistakes,
    read_file: &'a ReadFile<'a>,
}

impl Check<'_> {
    fn mistakes(&self, root: &Table) -> Mistakes {
        let mut found = self.known.emptied();
        check_table(root, &SCENARIO, self.start, &mut found);
        lower(root, Vec::new(), &mut found, self.read_file);
        found
    }

    /// Those that the file itself has not.
    fn new_mistakes(&self, root: &Table) -> Vec<Mistake> {
        let (found, known) = (self.mistakes(root), self.known.sorted());
        found.sorted().into_iter().filter(|m| !known.contains(m)).cloned().collect()
    }
}

/// Each variant alone.
fn check_each(axes: &[Axis], base: &Table, check: &Check<'_>, out: &mut Mistakes) {
    let mut count = 0;
    for axis in axes {
        for variant in &axis.variants {
            count += 1;
            if count > VALUES_MAX {
                let message = format!("a sweep takes {VALUES_MAX} values at most");
                out.add(Mistake::new(variant.span, message));
                return;
            }
            let changed = match apply(base, variant) {
                Ok(changed) => changed,
                Err(mistake) => {
                    out.add(mistake); // the same for every value of a path: told once
                    continue;
                }
            };
            for mistake in check.new_mistakes(&changed) {
                out.add(variant.place(mistake));
            }
        }
    }
}
