//! A TOML document with places: every key and value knows where it stands, in the order of the file.
//!
//! `--set path=value` changes the document before anything is checked, so a mistake in an override is
//! reported like one in the file, pointing at the override.

use super::diagnose::{Mistake, Mistakes, nearest};
use super::vary::{apply_vary, choose};
use toml::de::{DeTable, DeValue};

/// A stretch of bytes in the file (source 0) or in the n-th override (source n).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    /// Which text.
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where.
    pub span: Span,
    /// What.
    pub value: Value,
}

/// A TOML value. Numbers stay text where that is all anybody needs.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer, if it fits 64 bits.
    Integer(Option<i64>),
    /// A float or a date: no part of the language, kept to say so.
    Other(&'static str),
    /// A switch.
    Switch(bool),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table, entries in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// One entry of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub node: Node,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.node)
    }
}

impl Node {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }
    /// The table, if it is one.
    pub fn table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }
    /// The list, or the one value as a list of one.
    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { std::slice::from_ref(self) }
    }
    /// What it is, in words.
    pub fn type_name(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a number",
            Value::Other(name) => name,
            Value::Switch(_) => "a switch (true or false)",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Reads a file's text. Mistakes of TOML itself go to `mistakes`; what could be read comes back.
pub fn parse(text: &str, mistakes: &mut Mistakes) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let range = error.span().unwrap_or(0..0);
        let span = span_of(0, range);
        let message = error.message().lines().next().unwrap_or("not TOML").to_string();
        mistakes.add(match message.as_str() {
            "duplicate key" => Mistake::new(span, "this is given twice")
                .hint("a key and a [table] stand once in a file: put both together"),
            _ => Mistake::new(span, format!("this is not TOML: {message}")),
        });
    }
    convert_table(0, table.get_ref())
}

/// Applies `path=value`, the n-th override (from 1).
pub fn apply_override(root: &mut Table, n: u32, text: &str, mistakes: &mut Mistakes) {
    let Some((path, value)) = text.split_once('=') else {
        let span = span_of(n, 0..text.len());
        mistakes.add(
            Mistake::new(span, "an override needs a path and a value".to_string())
                .hint("write path=value, such as link.wan.loss=1/100"),
        );
        return;
    };
    if let Some(chosen) = choose(root, path, value, span_of(n, 0..text.len())) {
        if let Err(mistake) = chosen {
            mistakes.add(mistake);
        }
        return;
    }
    let node = override_value(n, path.len() + 1, value);
    let segments = split_path(n, path);
    if let Err(mistake) = set(root, &segments, node) {
        mistakes.add(mistake);
    }
}

/// Applies `path=v1,v2` of `--vary`, the n-th override: what the sweep tries instead of what the file says.
pub fn vary_override(root: &mut Table, n: u32, text: &str, mistakes: &mut Mistakes) {
    let whole = span_of(n, 0..text.len());
    let parts =
        text.split_once('=').filter(|(path, values)| !path.is_empty() && !values.is_empty());
    let Some((path, values)) = parts else {
        let mistake = Mistake::new(whole, "what varies needs a path and values");
        mistakes.add(mistake.hint("write path=value,value, such as link.wan.delay=5ms,50ms"));
        return;
    };
    let mut nodes = Vec::new();
    for range in split_values(values) {
        let offset = path.len() + 1 + range.start;
        let value = &values[range];
        if value.trim().is_empty() {
            let mistake = Mistake::new(span_of(n, offset..offset + value.len()), "an empty value");
            mistakes.add(mistake.hint("a comma stands between two values"));
            return;
        }
        nodes.push(override_value(n, offset, value));
    }
    if let Err(mistake) = apply_vary(root, path, span_of(n, 0..path.len()), nodes) {
        mistakes.add(mistake);
    }
}

/// Where the values of a list are, parted at commas outside quotes and brackets.
fn split_values(text: &str) -> Vec<std::ops::Range<usize>> {
    let (mut ranges, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0usize, false);
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                ranges.push(start..i);
                start = i + 1;
            }
            _ => {}
        }
    }
    ranges.push(start..text.len());
    ranges
}

/// Applies `path=value` from inside the file; everything about it is reported at `span`.
pub fn with_override(root: &mut Table, text: &str, span: Span) -> Result<(), Mistake> {
    let Some((path, value)) = text.split_once('=') else {
        let mistake = Mistake::new(span, "an override needs a path and a value");
        return Err(mistake.hint("write path=value, such as link.wan.loss=1/100"));
    };
    let node = Node { span, ..override_value(0, 0, value) };
    let mut changed = root.clone();
    put(&mut changed, path, span, node)?;
    *root = changed;
    Ok(())
}

/// Sets the value at a path; `span` is where the path stands.
///
/// # Errors
/// The path leads nowhere; the document may be half changed then.
pub fn put(root: &mut Table, path: &str, span: Span, node: Node) -> Result<(), Mistake> {
    set(root, &path_at(path, span), node)
}

/// Takes out what stands at a path. An entry of a list leaves a gap, so that the numbers of the others stay,
/// until [`sweep_out`] closes it.
///
/// # Errors
/// There is nothing at that path.
pub fn take(root: &mut Table, path: &str, span: Span) -> Result<(), Mistake> {
    let segments = path_at(path, span);
    let Some((last, above)) = segments.split_last() else { return Ok(()) };
    let whole = Node { span, value: Value::Table(std::mem::take(root)) };
    let mut top = whole;
    let outcome = take_below(&mut top, above, last);
    if let Value::Table(table) = top.value {
        *root = table;
    }
    outcome
}

/// Closes the gaps that [`take`] left in lists.
pub fn sweep_out(root: &mut Table) {
    fn inside(node: &mut Node) {
        match &mut node.value {
            Value::List(items) => {
                items.retain(|item| !matches!(item.value, Value::Other(GAP)));
                items.iter_mut().for_each(inside);
            }
            Value::Table(table) => sweep_out(table),
            _ => {}
        }
    }
    root.entries.iter_mut().for_each(|entry| inside(&mut entry.node));
}

/// What stands where an entry of a list was taken out.
const GAP: &str = "a gap";

fn take_below(
    node: &mut Node,
    above: &[(String, Span)],
    last: &(String, Span),
) -> Result<(), Mistake> {
    let (key, span) = above.first().unwrap_or(last);
    match &mut node.value {
        Value::Table(table) => {
            let Some(i) = table.entries.iter().position(|e| &e.key == key) else {
                let known: Vec<&str> = table.entries.iter().map(|e| e.key.as_str()).collect();
                let mistake = Mistake::new(*span, format!("there is no `{key}` to remove"));
                let mistake = mistake.suggest(nearest(key, known.iter().copied()));
                return Err(mistake.note(format!("there is: {}", known.join(", "))));
            };
            match above.split_first() {
                Some((_, above)) => take_below(&mut table.entries[i].node, above, last),
                None => {
                    table.entries.remove(i);
                    Ok(())
                }
            }
        }
        Value::List(items) => {
            let i = entry_of(items, key, *span)?;
            match above.split_first() {
                Some((_, above)) => take_below(&mut items[i], above, last),
                None => {
                    items[i].value = Value::Other(GAP);
                    Ok(())
                }
            }
        }
        _ => {
            let what = node.type_name();
            Err(Mistake::new(*span, format!("`{key}` lies below {what}, not below a table")))
        }
    }
}

fn path_at(path: &str, span: Span) -> Vec<(String, Span)> {
    split_path(0, path).into_iter().map(|(s, _)| (s, span)).collect()
}

/// A value as an override writes it: a text without its quotes where that means the same.
pub fn bare_value(node: &Node) -> String {
    match &node.value {
        Value::Text(text)
            if matches!(&override_value(0, 0, text).value, Value::Text(same) if same == text)
                && !text.contains([',', '"', '[', '{']) =>
        {
            text.clone()
        }
        _ => write_value(node),
    }
}

/// How a value is written in TOML, on one line.
pub fn write_value(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => format!("{:?}", text),
        Value::Integer(Some(n)) => n.to_string(),
        Value::Integer(None) => "?".to_string(),
        Value::Other(name) => (*name).to_string(),
        Value::Switch(on) => on.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(write_value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(table) => {
            let entries: Vec<String> = table
                .entries
                .iter()
                .map(|e| format!("{:?} = {}", e.key, write_value(&e.node)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

fn override_value(n: u32, offset: usize, value: &str) -> Node {
    let whole = span_of(n, offset..offset + value.len());
    // A bare word is a text: --set link.wan.delay=30ms needs no quotes.
    let parsed = DeValue::parse(value).ok().map(|v| convert(n, v.get_ref(), v.span()).value);
    match parsed {
        Some(parsed) if !matches!(parsed, Value::Other(_)) => {
            let mut node = Node { span: whole, value: parsed };
            shift(&mut node, offset as u32);
            node.span = whole;
            node
        }
        _ => Node { span: whole, value: Value::Text(value.to_string()) },
    }
}

fn shift(node: &mut Node, by: u32) {
    node.span.start += by;
    node.span.end += by;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|n| shift(n, by)),
        Value::Table(table) => {
            for entry in &mut table.entries {
                entry.key_span.start += by;
                entry.key_span.end += by;
                shift(&mut entry.node, by);
            }
        }
        _ => {}
    }
}

/// Splits `host."desk-{1..9}".on` at its dots outside quotes.
fn split_path(n: u32, path: &str) -> Vec<(String, Span)> {
    let mut segments = Vec::new();
    let (mut text, mut start, mut quoted) = (String::new(), 0, false);
    for (i, c) in path.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted && !path[i..].starts_with("..") && !path[..i].ends_with('.') => {
                segments.push((std::mem::take(&mut text), span_of(n, start..i)));
                start = i + 1;
            }
            _ => text.push(c),
        }
    }
    segments.push((text, span_of(n, start..path.len())));
    segments
}

/// Top-level keys whose tables hold entries named by the file: those must exist.
const NAMED: [&str; 7] = ["subnet", "router", "link", "host", "domain", "cluster", "workload"];

fn set(root: &mut Table, path: &[(String, Span)], node: Node) -> Result<(), Mistake> {
    let named = path.first().is_some_and(|(s, _)| NAMED.contains(&s.as_str()));
    set_in_table(root, path, node, if named { 2 } else { 1 })
}

/// `strict` counts the leading segments that must exist already, if something follows them.
fn set_in_table(
    table: &mut Table,
    path: &[(String, Span)],
    node: Node,
    strict: usize,
) -> Result<(), Mistake> {
    let Some(((key, span), rest)) = path.split_first() else { return Ok(()) };
    let position = table.entries.iter().position(|e| &e.key == key);
    // The first of its kind: `host.new` may come where there was no host.
    let first = strict == 2 && rest.len() == 1;
    if position.is_none() && (strict > 0 && !rest.is_empty()) && !first {
        let known: Vec<&str> = table.entries.iter().map(|e| e.key.as_str()).collect();
        let mistake = Mistake::new(*span, format!("the scenario has no `{key}` to change"));
        let mistake = mistake.suggest(nearest(key, known.iter().copied()));
        return Err(mistake.note(format!("there is: {}", known.join(", "))));
    }
    if rest.is_empty() {
        match position {
            Some(i) => table.entries[i].node = node,
            None => table.entries.push(Entry { key: key.clone(), key_span: *span, node }),
        }
        return Ok(());
    }
    let i = position.unwrap_or_else(|| {
        let node = Node { span: *span, value: Value::Table(Table::default()) };
        table.entries.push(Entry { key: key.clone(), key_span: *span, node });
        table.entries.len() - 1
    });
    set_in_node(&mut table.entries[i].node, rest, node, strict.saturating_sub(1))
}

fn set_in_node(
    target: &mut Node,
    path: &[(String, Span)],
    node: Node,
    strict: usize,
) -> Result<(), Mistake> {
    let (key, span) = &path[0];
    match &mut target.value {
        Value::Table(table) => set_in_table(table, path, node, strict),
        Value::List(items) => {
            let i = entry_of(items, key, *span)?;
            if path.len() == 1 {
                items[i] = node;
                return Ok(());
            }
            set_in_node(&mut items[i], &path[1..], node, 0)
        }
        _ => {
            let what = target.type_name();
            Err(Mistake::new(*span, format!("`{key}` lies below {what}, not below a table")))
        }
    }
}

/// Which entry of a list a path means: its number from 1, or its label.
fn entry_of(items: &[Node], key: &str, span: Span) -> Result<usize, Mistake> {
    let count = items.len();
    let index = key.parse::<usize>().ok().filter(|&i| (1..=count).contains(&i));
    let labelled = |n: &Node| {
        let label = n.table().and_then(|t| t.get("label").or_else(|| t.get("name")));
        label.and_then(Node::text) == Some(key)
    };
    let found = index.map(|i| i - 1).or_else(|| items.iter().position(labelled));
    found.ok_or_else(|| {
        Mistake::new(span, format!("no entry `{key}` in this list"))
            .note(format!("entries have numbers from 1 to {count}, or the label the file gives"))
    })
}

fn span_of(source: u32, range: std::ops::Range<usize>) -> Span {
    let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span { source, start: clip(range.start), end: clip(range.end) }
}

fn convert(source: u32, value: &DeValue<'_>, range: std::ops::Range<usize>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(n) => {
            let digits = n.as_str().replace('_', "");
            Value::Integer(i64::from_str_radix(&digits, n.radix()).ok())
        }
        DeValue::Float(_) => Value::Other("a decimal number"),
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|i| convert(source, i.get_ref(), i.span())).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(source, table)),
    };
    Node { span: span_of(source, range), value }
}

fn convert_table(source: u32, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: span_of(source, key.span()),
            node: convert(source, value.get_ref(), value.span()),
        })
        .collect();
    entries.sort_by_key(|e| e.key_span.start);
    Table { entries }
}
