//! Shapes: does every table take its keys, and does every value look like what the language says?
//!
//! Finds unknown and missing keys, wrong types and bad units, all from the table of keys. What passes
//! here can be read without further questions; whether names exist and things fit together is asked later.

use super::diagnose::{Mistake, Mistakes, nearest};
use super::document::{Node, Span, Table, Value};
use super::language::{Key, Kind, Spec};
use super::values::{self, Unfit};
use crate::wire::NetbiosName;

/// Lists of allowed keys are cut after this many, so that the message stays readable.
const KEYS_SHOWN: usize = 16;

/// Checks a table against its specification; `span` is where a missing key is reported.
pub fn check_table(table: &Table, spec: &'static Spec, span: Span, out: &mut Mistakes) {
    for entry in &table.entries {
        match spec.find(&entry.key) {
            Some(key) => check(&entry.node, &key.kind, &entry.key, entry.key_span, out),
            None => out.add(unknown_key(&entry.key, entry.key_span, spec, table)),
        }
    }
    for key in spec.all_keys().filter(|k| k.required && table.get(k.name).is_none()) {
        out.add(
            Mistake::new(span, format!("{} needs the key `{}`", spec.what, key.name))
                .note(format!("`{}`: {}", key.name, key.doc)),
        );
    }
    for choice in spec.choices {
        let mut there =
            table.entries.iter().filter(|e| choice.keys.iter().any(|k| k.name == e.key));
        let (first, second) = (there.next(), there.next());
        let names = list_keys(choice.keys.iter());
        if first.is_none() {
            let message = format!("{} must say {}", spec.what, choice.decides);
            out.add(Mistake::new(span, message).note(format!("one of: {names}")));
        } else if let (Some(first), Some(second)) = (first, second) {
            let message =
                format!("{} takes only one of `{}` and `{}`", spec.what, first.key, second.key);
            out.add(Mistake::new(second.key_span, message).hint("put it in an entry of its own"));
        }
    }
}

fn unknown_key(key: &str, span: Span, spec: &'static Spec, table: &Table) -> Mistake {
    let near = nearest(key, spec.all_keys().map(|k| k.name));
    // With many keys, those of the same beginning come first: the reader looks for one of them.
    let mut keys: Vec<&Key> = spec.all_keys().collect();
    keys.sort_by_key(|k| k.name);
    if let Some(near) = near {
        let at = keys.iter().position(|k| k.name == near).unwrap_or(0);
        let from = at.saturating_sub(KEYS_SHOWN / 2).min(keys.len().saturating_sub(KEYS_SHOWN));
        keys.drain(..from);
    }
    let mistake = Mistake::new(span, format!("unknown key `{key}`"));
    let mistake = match belongs_in(key, spec, table) {
        Some(inner) => mistake.hint(format!("it belongs in `{inner}`")),
        None => mistake.suggest(near),
    };
    mistake.note(format!("{} takes: {}", spec.what, list_keys(keys.into_iter())))
}

/// The table inside this one that takes a key: the one that is there, or the only one there could be.
fn belongs_in(key: &str, spec: &'static Spec, table: &Table) -> Option<&'static str> {
    let takes = |kind: &Kind| matches!(kind, Kind::Table(inner) if inner.find(key).is_some());
    let inner: Vec<&'static str> = spec
        .all_keys()
        .filter(|k| match &k.kind {
            Kind::Either(kinds) => kinds.iter().any(takes),
            kind => takes(kind),
        })
        .map(|k| k.name)
        .collect();
    let there = inner.iter().find(|name| table.get(name).is_some()).copied();
    there.or(if let [one] = inner.as_slice() { Some(*one) } else { None })
}

fn list_keys<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let names: Vec<&str> = keys.map(|k| k.name).collect();
    let shown = names.iter().take(KEYS_SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > KEYS_SHOWN { format!("{shown}, ...") } else { shown }
}

/// Checks a value. `key` and `key_span` name it in messages.
fn check(node: &Node, kind: &Kind, key: &str, key_span: Span, out: &mut Mistakes) {
    match (kind, &node.value) {
        (Kind::Any | Kind::Vary, _) => {}
        (Kind::Table(spec), Value::Table(table)) => check_table(table, spec, key_span, out),
        (Kind::List(item), Value::List(items)) => {
            for node in items {
                check(node, item, key, node.span, out);
            }
        }
        (Kind::Hosts | Kind::Refs(_), Value::List(items)) => {
            for node in items {
                check(node, &Kind::Text, key, node.span, out);
            }
        }
        (Kind::Named(what, item), Value::Table(table)) => {
            for entry in &table.entries {
                if entry.key.trim().is_empty() {
                    out.add(Mistake::new(entry.key_span, format!("a {what} needs a name")));
                }
                check(&entry.node, item, &entry.key, entry.key_span, out);
            }
        }
        (Kind::Either(kinds), _) => check_either(node, kinds, key, key_span, out),
        _ => {
            if let Err(unfit) = fits(node, kind) {
                out.add(unfit_mistake(node, kind, key, unfit));
            }
        }
    }
}

fn check_either(node: &Node, kinds: &[Kind], key: &str, key_span: Span, out: &mut Mistakes) {
    // Structured alternatives are told apart by their type; scalars by whether they fit.
    let same_type = |kind: &&Kind| match (&node.value, kind) {
        (Value::Table(_), Kind::Table(_) | Kind::Named(..)) => true,
        (Value::List(_), Kind::List(_) | Kind::Hosts | Kind::Refs(_)) => true,
        (Value::Switch(_), Kind::Switch) => true,
        (Value::Table(_) | Value::List(_) | Value::Switch(_), _) => false,
        (_, Kind::Table(_) | Kind::Named(..) | Kind::List(_) | Kind::Switch) => false,
        _ => true,
    };
    let candidates: Vec<&Kind> = kinds.iter().filter(same_type).collect();
    match candidates.as_slice() {
        [one] => check(node, one, key, key_span, out),
        [] => {
            let wanted: Vec<String> = kinds.iter().map(describe).collect();
            let message = format!("`{key}` is {}, not {}", node.type_name(), wanted.join(" or "));
            out.add(Mistake::new(node.span, message));
        }
        several if several.iter().any(|kind| fits(node, kind).is_ok()) => {}
        several => {
            let wanted: Vec<String> = several.iter().map(|kind| describe(kind)).collect();
            let message = format!("bad value for `{key}`");
            out.add(
                Mistake::new(node.span, message).note(format!("write {}", wanted.join(" or "))),
            );
        }
    }
}

fn unfit_mistake(node: &Node, kind: &Kind, key: &str, unfit: Unfit) -> Mistake {
    let message = match node.text() {
        Some(text) if text.trim().is_empty() => format!("`{key}` is empty"),
        _ if unfit.why.is_empty() => {
            format!("`{key}` is {}, not {}", node.type_name(), describe(kind))
        }
        Some(text) => format!("bad value `{text}` for `{key}`"),
        None => format!("bad value for `{key}`"),
    };
    let mut mistake = Mistake::new(node.span, message);
    let why = unfit.why;
    if why.is_empty() && unfit.meant.is_none() || message_says_it(&mistake) {
        return mistake;
    }
    mistake = match unfit.meant {
        Some(meant) if why.is_empty() => mistake.hint(format!("did you mean `{meant}`?")),
        Some(meant) => mistake.hint(format!("{why}; did you mean `{meant}`?")),
        None if !why.is_empty() => mistake.hint(why),
        None => mistake,
    };
    mistake.note(format!("write {}", describe(kind)))
}

/// Whether the message alone says all there is to say.
fn message_says_it(mistake: &Mistake) -> bool {
    mistake.message.ends_with(" is empty")
}

/// Whether a scalar is what it should be.
fn fits(node: &Node, kind: &Kind) -> Result<(), Unfit> {
    let wrong_type = Err(Unfit { why: String::new(), meant: None });
    let text = match (&node.value, kind) {
        (Value::Switch(_), Kind::Switch) => return Ok(()),
        (Value::Integer(n), Kind::Number(low, high)) => {
            let n = n.and_then(|n| u64::try_from(n).ok());
            return match n {
                Some(n) if (*low..=*high).contains(&n) => Ok(()),
                _ => Err(Unfit { why: "out of range".to_string(), meant: None }),
            };
        }
        (Value::Integer(Some(0..)), Kind::Amount | Kind::Limit) => return Ok(()),
        (Value::Integer(Some(n)), Kind::Duration | Kind::Interval | Kind::Range | Kind::Time) => {
            let why = "a number needs a unit, in quotes".to_string();
            return Err(Unfit { why, meant: Some(format!("\"{n}s\"")) });
        }
        (Value::Text(text), _) => text.as_str(),
        _ => return wrong_type,
    };
    match kind {
        Kind::Switch | Kind::Number(..) => wrong_type,
        Kind::Table(_) | Kind::List(_) | Kind::Named(..) => wrong_type,
        Kind::Duration => values::duration(text).map(drop),
        Kind::Interval => values::interval(text).map(drop),
        Kind::Range => values::range(text).map(drop),
        Kind::Signed => values::signed(text).map(drop),
        Kind::SignedRange => values::signed_range(text).map(drop),
        Kind::Drift => values::drift_range(text).map(drop),
        Kind::Time => values::time(text).map(drop),
        Kind::TimeRange => values::time_range(text).map(drop),
        Kind::TimeOfDay => values::time_of_day(text).map(drop),
        Kind::Calendar => values::calendar(text).map(drop),
        Kind::Odds => values::odds(text).map(drop),
        Kind::Amount => values::amount(text).map(drop),
        Kind::Limit => values::limit(text).map(drop),
        Kind::Bandwidth => values::bandwidth(text).map(drop),
        Kind::Size => values::size(text).map(drop),
        Kind::Address => values::address(text).map(drop),
        Kind::Cidr => values::cidr(text).map(drop),
        Kind::Word(words) if words.contains(&text) => Ok(()),
        Kind::Word(words) => Err(Unfit {
            why: "no such word".to_string(),
            meant: nearest(text, words.iter().copied()).map(str::to_string),
        }),
        Kind::Name | Kind::BareName => name_fits(text, matches!(kind, Kind::BareName)),
        Kind::Text
        | Kind::Ref(_)
        | Kind::HostOrAddress
        | Kind::Hosts
        | Kind::Refs(_)
        | Kind::Moment
        | Kind::Any
        | Kind::Vary
        | Kind::Either(_) => match text.trim().is_empty() {
            true => Err(Unfit { why: "it is empty".to_string(), meant: None }),
            false => Ok(()),
        },
    }
}

/// Whether a text is a NetBIOS name.
pub fn name_fits(text: &str, bare: bool) -> Result<(), Unfit> {
    let result = text.parse::<NetbiosName>();
    match result {
        Ok(_) if bare && text.contains('#') => {
            let base = text.split('#').next().unwrap_or_default();
            Err(Unfit { why: "no suffix here".to_string(), meant: Some(base.to_string()) })
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Unfit { why: error.to_string(), meant: None }),
    }
}

/// What a value must be, in words.
pub fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a text".into(),
        Kind::Switch => "true or false".into(),
        Kind::Number(low, high) => format!("a whole number from {low} to {high}"),
        Kind::Duration | Kind::Interval => {
            "a duration such as \"30min\", \"1h 5min\" or \"500ms\" (units: d, h, min, s, ms, us, ns)"
                .into()
        }
        Kind::Range => "a duration such as \"30ms\" or a range such as \"20ms..40ms\"".into(),
        Kind::Signed => "a duration forwards or back, such as \"+2h\" or \"-30min\"".into(),
        Kind::SignedRange => "a duration such as \"+2s\" or a range such as \"-2s..+2s\"".into(),
        Kind::Drift => "a drift such as \"+50ppm\" or a range such as \"-20ppm..+20ppm\"".into(),
        Kind::Time => {
            "a time of day such as \"09:00\" or \"2d 09:00\", or a duration from the start such as \"1h 5min\""
                .into()
        }
        Kind::TimeRange => "a time such as \"09:00\" or a range such as \"09:00..10:00\"".into(),
        Kind::TimeOfDay => "a time of day such as \"02:00\"".into(),
        Kind::Calendar => "a date such as \"1998-03-02\" or \"1998-03-02 08:00\"".into(),
        Kind::Odds => "a ratio such as \"1/200\" or a percentage such as \"0.5%\"".into(),
        Kind::Amount => "a number such as 10 or a percentage such as \"0.1%\"".into(),
        Kind::Limit => "a number, a percentage such as \"95%\" or a duration such as \"20min\"".into(),
        Kind::Bandwidth => "a bandwidth such as \"64kbit/s\" or \"10Mbit/s\"".into(),
        Kind::Size => "a size such as \"64KB\" or \"2GB\"".into(),
        Kind::Word([one]) => format!("\"{one}\""),
        Kind::Word(words) => format!("one of: {}", words.join(", ")),
        Kind::Address => "an address such as \"10.1.0.7\"".into(),
        Kind::Cidr => "a network such as \"10.1.0.0/24\"".into(),
        Kind::Name => "a NetBIOS name such as \"FILES\" or \"CORP#1C\"".into(),
        Kind::BareName => "a NetBIOS name without suffix, such as \"CORP\"".into(),
        Kind::Ref(what) => format!("the name of a {what}"),
        Kind::HostOrAddress => "the name of a host or an address".into(),
        Kind::Hosts => "hosts such as \"desk-*\", \"one of wins-*\" or [\"a\", \"b\"]".into(),
        Kind::Refs(what) => format!("the name of a {what} or a list of names"),
        Kind::Moment => "a time, the label of a fault or step, or \"heal\"".into(),
        Kind::List(item) => format!("a list, each item {}", describe(item)),
        Kind::Table(spec) => format!("a table ({})", spec.what),
        Kind::Named(what, _) => format!("a table of {what}s"),
        Kind::Either(kinds) => kinds.iter().map(describe).collect::<Vec<_>>().join(" or "),
        Kind::Any => "anything".into(),
        Kind::Vary => "a table of paths with lists of values, and of named alternatives".into(),
    }
}
