//! Registries and invented programs of hosts: keys, values, `.reg` texts, what a service does.

use super::Build;
use crate::base::{Odds, SimDuration};
use crate::registry::{KeyPath, PathError, RegFile, Value as Data};
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Span, Table, Value};
use crate::scenario::language::DATA;
use crate::scenario::plan::DurationRange;
use crate::scenario::program::{
    FilePlan, NeedPlan, ProgramPlan, RegistryFile, WriteData, WritePlan,
};
use crate::scenario::values;

/// How long an invented service takes to start, and to stop, unless the file says otherwise.
const STARTS_IN: DurationRange = DurationRange::fixed(SimDuration::from_secs(1));
/// Mistakes of a `.reg` text that are shown; the others are of the same kind as a rule.
const REG_MISTAKES_SHOWN: usize = 5;

impl Build<'_> {
    /// The path of a key, relative to HKLM.
    pub(super) fn registry_key(&mut self, node: &Node) -> Option<KeyPath> {
        let text = node.text()?;
        let error = match KeyPath::parse(text) {
            Ok(key) => return Some(key),
            Err(PathError::Empty) => return None, // which has been reported
            Err(error) => error,
        };
        let meant = match &error {
            PathError::LeadingBackslash(_) => Some(text.trim_start_matches('\\')),
            PathError::TrailingBackslash(_) => Some(text.trim_end_matches('\\')),
            PathError::RootNamed(_) => text.split_once('\\').map(|(_, rest)| rest),
            _ => None,
        };
        let meant = meant.filter(|meant| KeyPath::parse(meant).is_ok());
        let mistake = Mistake::new(node.span, error.to_string());
        self.out.add(match meant {
            Some(meant) => mistake.hint(format!("write '{meant}'")),
            None => mistake,
        });
        None
    }

    /// The data of a value: a number, a text, a list of texts, or a table for the other kinds.
    pub(super) fn registry_data(&mut self, node: &Node) -> Option<Data> {
        let data = match &node.value {
            Value::Integer(Some(n)) => u32::try_from(*n).ok().map(Data::Dword),
            Value::Text(text) => Some(Data::sz(text)),
            Value::List(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(Node::text).collect();
                let sound = |t: &Vec<&str>| t.iter().all(|s| !s.is_empty() && !s.contains('\0'));
                texts.filter(sound).map(Data::multi_sz)
            }
            Value::Table(table) => match table.entries.as_slice() {
                [one] if one.key == "hex" => {
                    one.node.text().and_then(hex).map(|b| Data::binary(&b))
                }
                [one] if one.key == "expand" => one.node.text().map(Data::expand_sz),
                _ => None,
            },
            _ => None,
        };
        if data.is_none() {
            let mistake = Mistake::new(node.span, "this is no data of a registry value");
            self.out.add(mistake.note(format!("write {DATA} or {{ expand = \"%windir%\" }}")));
        }
        data
    }

    /// A `.reg` file, or the text itself if it has several lines. Every line that is wrong is named.
    pub(super) fn reg_text(&mut self, node: &Node) -> Option<RegistryFile> {
        let own = node.text()?;
        let inline = own.contains('\n');
        let (path, text) = match inline {
            true => (String::new(), own.to_string()),
            false => match (self.read_file)(own) {
                Ok(text) => (own.to_string(), text),
                Err(why) => {
                    let mistake = Mistake::new(node.span, format!("cannot read `{own}`"));
                    let note = "files are looked for in the folder of the scenario; a text of several lines is \
                                taken as it stands";
                    self.out.add(mistake.hint(why).note(note));
                    return None;
                }
            },
        };
        self.check_reg_text(&path, &text, node.span);
        Some(RegistryFile { path, text })
    }

    fn check_reg_text(&mut self, path: &str, text: &str, span: Span) {
        let Err(mistakes) = RegFile::parse(text) else { return };
        let name = if path.is_empty() { "the text".to_string() } else { format!("`{path}`") };
        for mistake in mistakes.iter().take(REG_MISTAKES_SHOWN) {
            let message = format!("{name} cannot be imported");
            self.out.add(Mistake::new(span, message).hint(mistake.to_string()));
        }
        if mistakes.len() > REG_MISTAKES_SHOWN {
            let more = mistakes.len() - REG_MISTAKES_SHOWN;
            self.out.add(Mistake::new(span, format!("{name} has {more} more mistakes")));
        }
    }

    /// What is in the registry of a host entry before its first boot.
    pub(super) fn registry_files(&mut self, table: &Table) -> Vec<RegistryFile> {
        table.items("registry").iter().filter_map(|node| self.reg_text(node)).collect()
    }

    /// The services and programs of a host entry.
    pub(super) fn programs(&mut self, table: &Table) -> Vec<ProgramPlan> {
        let Some(list) = table.get("service").and_then(Node::table) else { return Vec::new() };
        let mut programs: Vec<ProgramPlan> = Vec::new();
        for entry in &list.entries {
            let Some(table) = entry.node.table() else { continue };
            let other = programs.iter().find(|p| p.name.eq_ignore_ascii_case(&entry.key));
            if let Some(other) = other {
                let message = format!("`{}` and `{}` are one service", other.name, entry.key);
                self.mistake(entry.key_span, message);
                continue;
            }
            let program = self.program(&entry.key, table);
            programs.push(program);
        }
        programs
    }

    fn program(&mut self, name: &str, table: &Table) -> ProgramPlan {
        let range = |key| table.parse(key, values::range).unwrap_or(STARTS_IN);
        let never = Odds { numerator: 0, denominator: 1 };
        let keys = |build: &mut Self, key| -> Vec<KeyPath> {
            table.items(key).iter().filter_map(|node| build.registry_key(node)).collect()
        };
        let keeps_open = keys(self, "keeps_open");
        let leaks_handles = table.switch("leaks_handles").unwrap_or(false);
        if let (true, true, Some(node)) =
            (leaks_handles, keeps_open.is_empty(), table.get("leaks_handles"))
        {
            let mistake = Mistake::new(node.span, "this service keeps no key open");
            self.out.add(mistake.hint("add `keeps_open`"));
        }
        ProgramPlan {
            name: name.to_string(),
            automatic: table.switch("automatic").unwrap_or(false),
            starts_in: range("starts_in"),
            stops_in: range("stops_in"),
            start_fails: table.parse("start_fails", values::odds).unwrap_or(never),
            crashes_every: table.parse("crashes_every", values::interval),
            needs: self.needs(table),
            writes: self.writes(table),
            files: self.files(table),
            keeps_open,
            leaks_handles,
            cluster_aware: table.switch("cluster_aware").unwrap_or(false),
        }
    }

    fn needs(&mut self, table: &Table) -> Vec<NeedPlan> {
        let mut needs = Vec::new();
        for node in table.items("needs") {
            let Some(table) = node.table() else { continue };
            let key = table.get("key").and_then(|n| self.registry_key(n));
            let data = table.get("data").map(|n| self.registry_data(n));
            let value = table.text("value").unwrap_or_default().to_string();
            if let (Some(key), true) = (key, data != Some(None)) {
                needs.push(NeedPlan { key, value, data: data.flatten() });
            }
        }
        needs
    }

    fn writes(&mut self, table: &Table) -> Vec<WritePlan> {
        let mut writes = Vec::new();
        for node in table.items("writes") {
            let Some(table) = node.table() else { continue };
            if table.get("key").is_some() == table.get("file").is_some() {
                self.mistake(node.span, "write either `key` or `file`");
            }
            if let (Some(file), Some(_)) =
                (table.get("file"), table.get("value").or(table.get("data")))
            {
                self.mistake(file.span, "`value` and `data` are of a registry key");
            }
            let key = table.get("key").and_then(|n| self.registry_key(n));
            let data = match table.get("data") {
                Some(node) => self.registry_data(node).map(WriteData::Fixed),
                None => Some(WriteData::Count),
            };
            let every = table.parse("every", values::range);
            if let (Some(every), Some(node)) = (every, table.get("every"))
                && every.low.is_zero()
            {
                self.mistake(node.span, "the gap must be longer than 0");
            }
            let value = table.text("value").unwrap_or_default().to_string();
            if let (Some(key), Some(data), Some(every)) = (key, data, every) {
                writes.push(WritePlan { key, value, data, every });
            }
        }
        writes
    }

    fn files(&mut self, table: &Table) -> Vec<FilePlan> {
        let mut files = Vec::new();
        for table in table.items("writes").iter().filter_map(|node| node.table()) {
            let Some(node) = table.get("file") else { continue };
            let path = table.text("file").unwrap_or_default().to_string();
            let rooted = path.get(1..3) == Some(":\\")
                && path.len() > 3
                && path.starts_with(|letter: char| letter.is_ascii_alphabetic());
            if !rooted {
                self.mistake(
                    node.span,
                    "a file has a whole path, such as 'F:\\orders\\orders.mdb'",
                );
            }
            if let Some(every) = table.parse("every", values::range) {
                let delayed = table.switch("delayed").unwrap_or(false);
                files.push(FilePlan { path, every, delayed });
            }
        }
        files
    }
}

/// `0a ff`, with or without spaces.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|t| t.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    };
    digits.chunks(2).map(pair).collect()
}
