//! Pointed errors: where a mistake stands, what it is, what to write instead.
//!
//! All mistakes of a file are collected and shown together, in the order of the file, overrides last.
//! The format is fixed by tests; tools may read `path:line:column` from the second line.

use super::document::Span;
use std::fmt::{self, Write};

/// One mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Where it stands.
    pub span: Span,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do, shown right of the underline.
    pub hint: Option<String>,
    /// What is allowed, shown below.
    pub notes: Vec<String>,
}

/// The mistakes of one file with its overrides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mistakes {
    path: String,
    text: String,
    overrides: Vec<String>,
    /// What `--vary` gives; their places follow those of the overrides.
    varied: Vec<String>,
    list: Vec<Mistake>,
}

/// Most mistakes shown for one file; a file that is not a scenario at all has many.
pub const SHOWN_MAX: usize = 50;
/// The longest piece of a line shown, in characters.
const LINE_MAX: usize = 160;

impl Mistake {
    /// A mistake at this place.
    pub fn new(span: Span, message: impl Into<String>) -> Mistake {
        Mistake { span, message: message.into(), hint: None, notes: Vec::new() }
    }

    /// With something to say right of the underline.
    pub fn hint(mut self, hint: impl Into<String>) -> Mistake {
        self.hint = Some(hint.into());
        self
    }

    /// With the nearest valid word, if there is one.
    pub fn suggest(self, word: Option<&str>) -> Mistake {
        match word {
            Some(word) => self.hint(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    /// With a line below.
    pub fn note(mut self, note: impl Into<String>) -> Mistake {
        self.notes.push(note.into());
        self
    }
}

impl Mistakes {
    /// No mistakes yet in this text, known to people as `path`.
    pub fn new(path: &str, text: &str, overrides: &[String]) -> Mistakes {
        Mistakes {
            path: path.to_string(),
            text: text.to_string(),
            overrides: overrides.to_vec(),
            varied: Vec::new(),
            list: Vec::new(),
        }
    }

    /// With these texts of `--vary`.
    pub fn varying(mut self, varied: &[String]) -> Mistakes {
        self.varied = varied.to_vec();
        self
    }

    /// Adds one.
    pub fn add(&mut self, mistake: Mistake) {
        if !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    /// No mistakes yet in the same texts.
    pub fn emptied(&self) -> Mistakes {
        Mistakes { list: Vec::new(), ..self.clone() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in the order of the file.
    pub fn sorted(&self) -> Vec<&Mistake> {
        let mut list: Vec<&Mistake> = self.list.iter().collect();
        list.sort_by_key(|m| m.span);
        list
    }

    /// The mistakes without the closing line, for reports over several files.
    pub fn body(&self) -> String {
        let mut out = String::new();
        for mistake in self.sorted().into_iter().take(SHOWN_MAX) {
            self.render(mistake, &mut out);
        }
        if self.list.len() > SHOWN_MAX {
            let _ = writeln!(out, "... and {} more", self.list.len() - SHOWN_MAX);
        }
        out
    }

    fn render(&self, mistake: &Mistake, out: &mut String) {
        let span = mistake.span;
        let (name, text, first_line) = match span.source {
            0 => (self.path.as_str(), self.text.as_str(), 1),
            n => match (n as usize).checked_sub(self.overrides.len() + 1) {
                None => ("--set", self.overrides[n as usize - 1].as_str(), n as usize),
                Some(i) => ("--vary", self.varied.get(i).map_or("", String::as_str), i + 1),
            },
        };
        let start = floor_boundary(text, span.start as usize);
        let end = floor_boundary(text, (span.end as usize).max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let line_number = first_line + text[..start].matches('\n').count();
        let column = text[line_start..start].chars().count() + 1;
        let marked = text[start..end.min(line_end)].chars().count().max(1);
        // A very long line is shown from a little before the mistake on.
        let skip = if column + marked > LINE_MAX { column.saturating_sub(20) } else { 0 };
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let line: String =
            text[line_start..line_end].chars().skip(skip).take(LINE_MAX).map(clean).collect();
        let _ = writeln!(out, "error: {}", mistake.message);
        let _ = writeln!(out, "  {name}:{line_number}:{column}");
        let _ = writeln!(out, "{line_number:>5} | {}", line.trim_end());
        let indent = " ".repeat(column - 1 - skip);
        let carets = "^".repeat(marked.min(LINE_MAX));
        let hint = mistake.hint.as_ref().map_or(String::new(), |h| format!(" {h}"));
        let _ = writeln!(out, "{:>5} | {indent}{carets}{hint}", "");
        for note in &mistake.notes {
            let _ = writeln!(out, "  {note}");
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.body())?;
        f.write_str(&closing_line(self.len(), 1))
    }
}

impl std::error::Error for Mistakes {}

/// `2 mistakes in 1 file`.
pub fn closing_line(mistakes: usize, files: usize) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    format!("{mistakes} mistake{} in {files} file{}", plural(mistakes), plural(files))
}

/// The word nearest to `word`, if one is near enough to have been meant: few edits away, or the beginning
/// of it up to an underscore (`command` for `command_line`).
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let distance = |k: &str| match distance(word, k) {
        edits if edits <= limit => Some(edits),
        _ if word.strip_prefix(k).is_some_and(|rest| rest.starts_with('_')) => Some(usize::MAX),
        _ => None,
    };
    let near = known.filter_map(|k| Some((distance(k)?, k)));
    near.min_by_key(|&(d, k)| (d, k)).map(|(_, k)| k)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to another. Words longer than 64
/// characters are never near anything.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_but_not_a_far_one() {
        let words = ["pull_interval", "pull_from", "push_to"];
        assert_eq!(nearest("pull_intervall", words.into_iter()), Some("pull_interval"));
        assert_eq!(nearest("plul_from", words.into_iter()), Some("pull_from"));
        assert_eq!(nearest("push_to_partner", words.into_iter()), Some("push_to"));
        assert_eq!(nearest("push_together", words.into_iter()), None);
        assert_eq!(nearest("colour", words.into_iter()), None);
    }
}
