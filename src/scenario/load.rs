//! From a file to a plan, or to all its mistakes.

use super::check::check_table;
use super::diagnose::Mistakes;
use super::document::{self, Span, Table};
use super::kb::check_kb;
use super::language::SCENARIO;
use super::lower::lower;
use super::plan::Plan;
use super::vary::{Axis, axes, base, check_vary, combinations, combined};
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
    checked(path, text, overrides, &[], read_file).map(|(plan, _)| plan)
}

/// The plan and the document it was made from.
fn checked(
    path: &str,
    text: &str,
    overrides: &[String],
    varied: &[String],
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(Plan, Table), Mistakes> {
    let mut mistakes = Mistakes::new(path, text, overrides).varying(varied);
    let mut root = document::parse(text, &mut mistakes);
    if !mistakes.is_empty() {
        // What TOML cannot read leaves holes that would look like mistakes of their own.
        return Err(mistakes);
    }
    for (n, set) in overrides.iter().enumerate() {
        document::apply_override(&mut root, n as u32 + 1, set, &mut mistakes);
    }
    for (n, vary) in varied.iter().enumerate() {
        let n = overrides.len() + n;
        document::vary_override(&mut root, n as u32 + 1, vary, &mut mistakes);
    }
    let start = Span { source: 0, start: 0, end: text.lines().next().map_or(0, str::len) as u32 };
    check_table(&root, &SCENARIO, start, &mut mistakes);
    let plan = lower(&root, opening_comment(text), &mut mistakes, read_file);
    check_vary(&root, start, &mut mistakes, read_file);
    check_kb(&root, start, &mut mistakes, read_file);
    if mistakes.is_empty() { Ok((plan, root)) } else { Err(mistakes) }
}

/// Loads a scenario file; the files it names are read from its own folder.
///
/// # Errors
/// All mistakes of the file; a file that cannot be read is a mistake too.
pub fn load_file(path: &Path, overrides: &[String]) -> Result<Plan, Mistakes> {
    let (name, text, folder) = read_scenario(path)?;
    load(&name, &text, overrides, &|file| read_text(&folder.join(file)))
}

/// A scenario with everything that a sweep of it tries.
pub struct SweepPlan {
    /// The scenario as the file has it.
    pub plan: Plan,
    /// The combinations, in order: of each of the plan's `vary` the index of a value. One, without
    /// choices, if nothing varies.
    pub combinations: Vec<Vec<usize>>,
    name: String,
    text: String,
    folder: PathBuf,
    base: Table,
    axes: Vec<Axis>,
}

/// Loads a scenario file for a sweep. `varied` are texts `path=value,value`, which replace what the file
/// varies at that path, or name the alternatives wanted.
///
/// # Errors
/// All mistakes of the file, of what is set and of what varies: every combination has been checked.
pub fn load_sweep(
    path: &Path,
    overrides: &[String],
    varied: &[String],
) -> Result<SweepPlan, Mistakes> {
    let (name, text, folder) = read_scenario(path)?;
    let read_file = |file: &str| read_text(&folder.join(file));
    let (plan, root) = checked(&name, &text, overrides, varied, &read_file)?;
    let axes = axes(&root, &mut Mistakes::default());
    let combinations = combinations(&axes);
    Ok(SweepPlan { plan, combinations, name, text, base: base(&root), folder, axes })
}

impl SweepPlan {
    /// The scenario of one combination.
    ///
    /// # Errors
    /// A file that the scenario names has changed since it was checked.
    pub fn combination(&self, index: usize) -> Result<Plan, Mistakes> {
        let mut mistakes = Mistakes::new(&self.name, &self.text, &[]);
        let read_file = |file: &str| read_text(&self.folder.join(file));
        let plan = match combined(&self.base, &self.axes, &self.combinations[index]) {
            Ok(root) => lower(&root, opening_comment(&self.text), &mut mistakes, &read_file),
            Err(mistake) => {
                mistakes.add(mistake);
                Plan::default()
            }
        };
        if mistakes.is_empty() { Ok(plan) } else { Err(mistakes) }
    }

    /// The overrides `path=value` that make the file the scenario of this combination.
    pub fn picks(&self, index: usize) -> Vec<String> {
        let choice = self.combinations[index].iter().zip(&self.plan.vary);
        choice.map(|(&i, axis)| axis.values[i].pick.clone()).collect()
    }
}

/// Name, text and folder of a scenario file.
fn read_scenario(path: &Path) -> Result<(String, String, PathBuf), Mistakes> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|why| {
        let mut mistakes = Mistakes::new(&name, "", &[]);
        let message = format!("cannot read the scenario: {why}");
        mistakes.add(super::diagnose::Mistake::new(Span::default(), message));
        mistakes
    })?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    Ok((name, text, folder))
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
