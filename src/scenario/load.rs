//! From a file to a plan, or to all its mistakes.

use super::check::check_table;
use super::diagnose::Mistakes;
use super::document::{self, Span};
use super::kb::check_kb;
use super::language::SCENARIO;
use super::lower::lower;
use super::plan::Plan;
use super::vary::check_vary;
use std::path::{Path, PathBuf};

/// Largest file read, in bytes: a scenario is a text a person writes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Loads a scenario from its text.
///
/// `path` is what messages call it, `overrides` are `path=value` texts, `read_file` reads files the
/// scenario names, relative to it.
///
/// # Errors
/// All mistakes of the file and of the overrides; nothing is half-loaded.
pub fn load(
    path: &str,
    text: &str,
    overrides: &[String],
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Plan, Mistakes> {
    let mut mistakes = Mistakes::new(path, text, overrides);
    let mut root = document::parse(text, &mut mistakes);
    if !mistakes.is_empty() {
        // What TOML cannot read leaves holes that would look like mistakes of their own.
        return Err(mistakes);
    }
    for (n, set) in overrides.iter().enumerate() {
        document::apply_override(&mut root, n as u32 + 1, set, &mut mistakes);
    }
    let start = Span { source: 0, start: 0, end: text.lines().next().map_or(0, str::len) as u32 };
    check_table(&root, &SCENARIO, start, &mut mistakes);
    let plan = lower(&root, opening_comment(text), &mut mistakes, read_file);
    check_vary(&root, start, &mut mistakes, read_file);
    check_kb(&root, start, &mut mistakes, read_file);
    if mistakes.is_empty() { Ok(plan) } else { Err(mistakes) }
}

/// Loads a scenario file; the files it names are read from its own folder.
///
/// # Errors
/// All mistakes of the file; a file that cannot be read is a mistake too.
pub fn load_file(path: &Path, overrides: &[String]) -> Result<Plan, Mistakes> {
    let name = path.display().to_string();
    let text = match read_text(path) {
        Ok(text) => text,
        Err(why) => {
            let mut mistakes = Mistakes::new(&name, "", &[]);
            let span = Span::default();
            let message = format!("cannot read the scenario: {why}");
            mistakes.add(super::diagnose::Mistake::new(span, message));
            return Err(mistakes);
        }
    };
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    load(&name, &text, overrides, &|file| read_text(&folder.join(file)))
}

fn read_text(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(format!("{} bytes, more than {FILE_BYTES_MAX}", meta.len()));
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|_| "the text is not UTF-8".to_string())
}

/// The comment a file opens with, which tells its story.
fn opening_comment(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
    let comment = lines.map_while(|line| line.strip_prefix('#'));
    comment.map(|line| line.strip_prefix(' ').unwrap_or(line).to_string()).collect()
}
