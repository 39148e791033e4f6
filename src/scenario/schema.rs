//! The JSON schema of the scenario language, for editors that complete and check while one types.
//!
//! Written from the table of keys alone, so that it cannot know other keys than the program does. A
//! schema sees one value at a time: it knows keys, types, words and how units are written. Whether names
//! exist and things fit together is what `winstorm check` says.

use super::check::describe;
use super::language::{Kind, SCENARIO, Spec};
use serde_json::{Map, Value, json};

/// A number of things with decimals, as durations and sizes begin.
const NUMBER: &str = r"\d+(\.\d+)?";
/// A length of time, without spaces around it.
const DURATION: &str = r"\d+(\.\d+)? ?(d|h|min|s|ms|us|ns)( \d+(\.\d+)? ?(d|h|min|s|ms|us|ns))*";
/// A time of day.
const CLOCK: &str = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?";

/// The schema (draft 2020-12) of scenario files, as JSON text that ends with a newline.
///
/// ```
/// let schema = winstorm::scenario::schema();
/// assert!(schema.contains("\"https://json-schema.org/draft/2020-12/schema\""));
/// ```
pub fn schema() -> String {
    let mut tables = Tables::default();
    let Value::Object(mut root) = tables.table(&SCENARIO) else {
        unreachable!("tables are objects")
    };
    root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".into(), json!("A winstorm scenario"));
    root.insert("$defs".into(), Value::Object(tables.done));
    let mut text = serde_json::to_string_pretty(&Value::Object(root)).unwrap_or_default();
    text.push('\n');
    text
}

/// Tables written so far, by the name they have under `$defs`.
#[derive(Default)]
struct Tables {
    done: Map<String, Value>,
}

impl Tables {
    /// A reference to a table, which is written the first time it is met.
    fn reference(&mut self, spec: &Spec) -> Value {
        let name = def_name(spec);
        if !self.done.contains_key(&name) {
            // The place is taken first: a table may contain itself.
            self.done.insert(name.clone(), Value::Null);
            let table = self.table(spec);
            self.done.insert(name.clone(), table);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn table(&mut self, spec: &Spec) -> Value {
        let mut properties = Map::new();
        for key in spec.all_keys() {
            let mut value = self.value(&key.kind);
            value["description"] = json!(key.doc);
            properties.insert(key.name.to_string(), value);
        }
        let mut table = json!({
            "type": "object",
            "description": spec.what,
            "properties": properties,
            "additionalProperties": false,
        });
        let required: Vec<&str> = spec.all_keys().filter(|k| k.required).map(|k| k.name).collect();
        if !required.is_empty() {
            table["required"] = json!(required);
        }
        let choices: Vec<Value> = spec
            .choices
            .iter()
            .map(|choice| {
                let one = |k: &super::language::Key| json!({ "required": [k.name] });
                json!({ "oneOf": choice.keys.iter().map(one).collect::<Vec<_>>() })
            })
            .collect();
        if !choices.is_empty() {
            table["allOf"] = json!(choices);
        }
        table
    }

    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Table(spec) => self.reference(spec),
            Kind::List(item) => json!({ "type": "array", "items": self.value(item) }),
            Kind::Named(_, item) => {
                json!({ "type": "object", "additionalProperties": self.value(item) })
            }
            Kind::Either(kinds) => {
                let kinds: Vec<Value> = kinds.iter().map(|k| self.value(k)).collect();
                json!({ "anyOf": kinds })
            }
            Kind::Hosts | Kind::Refs(_) => {
                let name = json!({ "type": "string", "minLength": 1 });
                json!({ "anyOf": [name, { "type": "array", "items": name }], "title": describe(kind) })
            }
            Kind::Any => json!({}),
            Kind::Vary => vary(),
            Kind::Switch => json!({ "type": "boolean" }),
            Kind::Number(low, high) => {
                json!({ "type": "integer", "minimum": low, "maximum": high })
            }
            Kind::Word(words) => json!({ "enum": words }),
            Kind::Amount | Kind::Limit => json!({
                "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "minLength": 1 }],
                "title": describe(kind),
            }),
            _ => text(kind),
        }
    }
}

/// Paths with lists of values, and names with alternatives.
fn vary() -> Value {
    let path = json!({ "type": "string", "minLength": 1 });
    let remove = json!({
        "anyOf": [path, { "type": "array", "items": path }],
        "description": "Paths that are taken out, before anything is set.",
    });
    let alternative = json!({ "type": "object", "properties": { "remove": remove } });
    json!({ "type": "object", "additionalProperties": { "anyOf": [
        { "type": "array", "minItems": 1, "description": "The values of a path." },
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": alternative,
            "description": "Alternatives by name: each sets paths to values.",
        },
    ] } })
}

/// A value that is written as a text, with the pattern of its unit where it has one.
fn text(kind: &Kind) -> Value {
    let mut value = json!({ "type": "string", "minLength": 1 });
    if !matches!(kind, Kind::Text) {
        value["title"] = json!(describe(kind));
    }
    let range = |one: &str| format!("{one}( ?\\.\\. ?{one})?");
    let time = format!("((\\d+d )?{CLOCK}|{DURATION})");
    let pattern = match kind {
        Kind::Duration | Kind::Interval => DURATION.to_string(),
        Kind::Range => range(&format!("({DURATION})")),
        Kind::Signed => format!("[+-]?{DURATION}"),
        Kind::SignedRange => range(&format!("([+-]?{DURATION})")),
        Kind::Drift => range(&format!("([+-]?{NUMBER} ?ppm)")),
        Kind::Time => time,
        Kind::TimeRange => range(&time),
        Kind::TimeOfDay => CLOCK.to_string(),
        Kind::Calendar => format!("\\d{{4}}-\\d{{1,2}}-\\d{{1,2}}([ T]{CLOCK})?"),
        Kind::Odds => format!("(\\d+ ?/ ?\\d+|{NUMBER} ?%)"),
        Kind::Bandwidth => format!("{NUMBER} ?(bit|kbit|Mbit|Gbit)/s"),
        Kind::Size => format!("{NUMBER} ?(B|KB|MB|GB)"),
        Kind::Address => r"\d{1,3}(\.\d{1,3}){3}".to_string(),
        Kind::Cidr => r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}".to_string(),
        _ => return value,
    };
    value["pattern"] = json!(format!("^({pattern})$"));
    value
}

/// `a WINS server` is `wins-server`.
fn def_name(spec: &Spec) -> String {
    let words = spec.what.trim_start_matches("an ").trim_start_matches("a ");
    words.to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every table below a kind.
    fn tables(kind: &Kind, found: &mut Vec<&'static Spec>) {
        match kind {
            Kind::Table(spec) if !found.iter().any(|s| std::ptr::eq(*s, *spec)) => {
                found.push(spec);
                spec.all_keys().for_each(|key| tables(&key.kind, found));
            }
            Kind::List(kind) | Kind::Named(_, kind) => tables(kind, found),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| tables(kind, found)),
            _ => {}
        }
    }

    #[test]
    fn no_two_tables_share_a_name() {
        let mut found = Vec::new();
        tables(&Kind::Table(&SCENARIO), &mut found);
        let mut names: Vec<String> = found.iter().map(|spec| def_name(spec)).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two tables have one name in `what`");
        assert!(count > 30, "only {count} tables found");
    }

    #[test]
    fn the_committed_schema_is_current() {
        let committed = include_str!("../../scenarios/schema.json");
        assert!(
            committed == schema(),
            "scenarios/schema.json is out of date; refresh it with\n\
             winstorm schema > scenarios/schema.json"
        );
    }
}
