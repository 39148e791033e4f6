//! Reading `.reg` texts: all of a text first, with every mistake, and only then a change.

use super::super::path::{KeyPath, PathError};
use super::super::tree::Registry;
use super::super::value::{
    REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, Value, ValueError, check_value_name,
};
use super::{RegDialect, ansi};
use thiserror::Error;

/// Lines a text may have: more than the whole registry of a server gave.
pub const REG_LINES_MAX: usize = 500_000;
/// Mistakes that are told; a text with more is something else altogether.
pub const MISTAKES_MAX: usize = 1_000;

/// A text that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegFile {
    dialect: RegDialect,
    changes: Vec<Change>,
}

/// One thing a text asks for. Names and data are within their limits.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    Create(KeyPath),
    DeleteTree(KeyPath),
    Set { path: KeyPath, name: String, value: Value },
    DeleteValue { path: KeyPath, name: String },
}

/// A mistake and where it is.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {kind}")]
pub struct RegMistake {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong there, and what to write instead.
    pub kind: RegMistakeKind,
}

/// What can be wrong with a line.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RegMistakeKind {
    /// The first line is no header.
    #[error("the first line is `REGEDIT4` or `Windows Registry Editor Version 5.00`, not `{0}`")]
    Header(String),
    /// A `[` without its `]`.
    #[error("`]` is expected at the end of a key's line")]
    OpenBracket,
    /// What stands between the brackets.
    #[error("{0}")]
    Path(#[from] PathError),
    /// HKEY_LOCAL_MACHINE itself is deleted.
    #[error("HKEY_LOCAL_MACHINE itself cannot be deleted")]
    RootDeleted,
    /// A value before any key.
    #[error(
        "a value stands below no key; a line such as `[HKEY_LOCAL_MACHINE\\Software]` is expected first"
    )]
    NoKey,
    /// A value below a key that is deleted.
    #[error("a value stands below a key that is deleted")]
    DeletedKey,
    /// A value in HKEY_LOCAL_MACHINE itself.
    #[error("HKEY_LOCAL_MACHINE itself holds no values")]
    RootValue,
    /// A line that is nothing.
    #[error("`[`, `@`, `\"` or `;` is expected at the beginning of a line, not `{0}`")]
    Beginning(char),
    /// A quote that does not end.
    #[error("`\"` is expected at the end of a text")]
    OpenQuote,
    /// A backslash before anything but a backslash or a quote.
    #[error("`\\\\` or `\\\"` is expected in a text, not `\\{0}`")]
    Escape(char),
    /// No `=` after a value's name.
    #[error("`=` is expected after the name of a value")]
    NoEquals,
    /// Data that are nothing known.
    #[error("a text in quotes, `dword:`, `hex:`, `hex(N):` or `-` is expected, not `{0}`")]
    Data(String),
    /// A number that is none.
    #[error("1 to 8 hexadecimal digits are expected after `dword:`, not `{0}`")]
    Dword(String),
    /// A kind that is none.
    #[error(
        "the number of a kind in 1 to 8 hexadecimal digits is expected between the brackets, not `{0}`"
    )]
    Kind(String),
    /// A byte that is none.
    #[error("a byte in 1 or 2 hexadecimal digits is expected, not `{0}`")]
    Byte(String),
    /// A line that goes on after a byte without a comma.
    #[error("`,` is expected before the `\\` that goes on in the next line")]
    NoComma,
    /// A continuation with nothing to continue it.
    #[error("another line of bytes is expected after `\\`")]
    NoContinuation,
    /// Something after the data.
    #[error("the end of the line or `;` is expected after the data, not `{0}`")]
    Trailing(String),
    /// Name or data beyond their limits.
    #[error("{0}")]
    Value(#[from] ValueError),
    /// More lines than [`REG_LINES_MAX`].
    #[error("the text has more than {REG_LINES_MAX} lines")]
    TooLong,
    /// More mistakes than [`MISTAKES_MAX`].
    #[error("there are more than {MISTAKES_MAX} mistakes; the rest is not read")]
    TooMany,
}

use RegMistakeKind as Kind;

impl RegFile {
    /// Reads a whole text: what it asks for, or every mistake in it.
    pub fn parse(text: &str) -> Result<RegFile, Vec<RegMistake>> {
        let mut parser = Parser::new(text);
        let dialect = parser.header();
        while let Some((line, text)) = parser.next_line() {
            if parser.mistakes.len() >= MISTAKES_MAX {
                parser.mistakes.push(RegMistake { line, kind: Kind::TooMany });
                break;
            }
            if line as usize > REG_LINES_MAX {
                parser.mistakes.push(RegMistake { line, kind: Kind::TooLong });
                break;
            }
            if let Err(kind) = parser.line(text, dialect.unwrap_or(RegDialect::Version5)) {
                // A mistake in bytes is in the line they stand in, not in the first of the value.
                parser.mistakes.push(RegMistake { line: parser.last_line, kind });
                parser.skip_continuation();
            }
        }
        match dialect {
            Some(dialect) if parser.mistakes.is_empty() => {
                Ok(RegFile { dialect, changes: parser.changes })
            }
            _ => Err(parser.mistakes),
        }
    }

    /// Which of the two dialects it is in.
    pub fn dialect(&self) -> RegDialect {
        self.dialect
    }

    /// The keys it makes, changes or deletes, in its order; one may come several times.
    pub fn keys(&self) -> impl Iterator<Item = &KeyPath> {
        self.changes.iter().filter_map(|change| match change {
            Change::Create(path) | Change::DeleteTree(path) => Some(path),
            _ => None,
        })
    }
}

impl Registry {
    /// Does what a text asks for, in its order. Keys and values to delete that are not there are passed over.
    pub fn apply(&mut self, file: &RegFile) {
        for change in &file.changes {
            let done = match change.clone() {
                Change::Create(path) => self.create(&path).map(|_| ()),
                Change::DeleteTree(path) if self.exists(&path) => self.delete_tree(&path),
                Change::Set { path, name, value } => self.set(&path, &name, value),
                Change::DeleteValue { path, name } if self.get(&path, &name).is_some() => {
                    self.delete_value(&path, &name).map(|_| ())
                }
                Change::DeleteTree(_) | Change::DeleteValue { .. } => Ok(()),
            };
            done.expect("limits and paths were checked when the text was read");
        }
    }

    /// Reads a text and does what it asks for, or nothing if it has a mistake.
    pub fn import(&mut self, text: &str) -> Result<(), Vec<RegMistake>> {
        let file = RegFile::parse(text)?;
        self.apply(&file);
        Ok(())
    }
}

/// Which key values belong to.
enum Section {
    None,
    /// A key that could not be read, which is told already.
    Unread,
    Deleted,
    Key(KeyPath),
}

struct Parser<'a> {
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::Split<'a, char>>>,
    last_line: u32,
    /// Whether the line read last has bytes that go on in the next.
    continues: bool,
    section: Section,
    changes: Vec<Change>,
    mistakes: Vec<RegMistake>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        // An editor of the time may leave a ^Z at the end.
        let text = text.strip_suffix('\u{1A}').unwrap_or(text);
        Parser {
            lines: text.split('\n').enumerate().peekable(),
            last_line: 0,
            continues: false,
            section: Section::None,
            changes: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    fn next_line(&mut self) -> Option<(u32, &'a str)> {
        let (index, text) = self.lines.next()?;
        self.last_line = index as u32 + 1;
        Some((self.last_line, text.trim()))
    }

    fn header(&mut self) -> Option<RegDialect> {
        let (line, text) = self.next_line().unwrap_or((1, ""));
        let dialects = [RegDialect::Regedit4, RegDialect::Version5];
        let known = dialects.into_iter().find(|dialect| dialect.header() == text);
        if known.is_none() {
            self.mistakes.push(RegMistake { line, kind: Kind::Header(shortened(text)) });
        }
        known
    }

    /// After a mistake in bytes: the lines that go on with them say nothing.
    fn skip_continuation(&mut self) {
        while std::mem::take(&mut self.continues) {
            self.continues = self.next_line().is_some_and(|(_, text)| text.ends_with('\\'));
        }
    }

    fn line(&mut self, text: &str, dialect: RegDialect) -> Result<(), Kind> {
        match text.chars().next() {
            None | Some(';') => Ok(()),
            Some('[') => {
                self.section = Section::Unread;
                self.key(text)
            }
            Some('@') => self.value(String::new(), &text[1..], dialect),
            Some('"') => {
                let (name, rest) = quoted(&text[1..])?;
                self.value(name, rest, dialect)
            }
            Some(other) => Err(Kind::Beginning(other)),
        }
    }

    fn key(&mut self, text: &str) -> Result<(), Kind> {
        // A name may have a bracket in it, so the last one counts; a comment after it may have none.
        let inner = text[1..].rsplit_once(']').ok_or(Kind::OpenBracket)?;
        end_of_line(inner.1)?;
        match inner.0.strip_prefix('-') {
            Some(gone) => {
                let path = KeyPath::parse_rooted(gone)?;
                if path.is_root() {
                    return Err(Kind::RootDeleted);
                }
                self.section = Section::Deleted;
                self.changes.push(Change::DeleteTree(path));
            }
            None => {
                let path = KeyPath::parse_rooted(inner.0)?;
                self.section = Section::Key(path.clone());
                self.changes.push(Change::Create(path));
            }
        }
        Ok(())
    }

    /// What follows a value's name.
    fn value(&mut self, name: String, rest: &str, dialect: RegDialect) -> Result<(), Kind> {
        let data = rest.trim_start().strip_prefix('=').ok_or(Kind::NoEquals)?.trim_start();
        check_value_name(&name)?;
        let value = self.data(data, dialect)?;
        // A mistake in the data is worth telling even where no key is.
        let path = match &self.section {
            Section::None => return Err(Kind::NoKey),
            Section::Unread => return Ok(()),
            Section::Deleted => return Err(Kind::DeletedKey),
            Section::Key(path) if path.is_root() => return Err(Kind::RootValue),
            Section::Key(path) => path.clone(),
        };
        self.changes.push(match value {
            Some(value) => Change::Set { path, name, value: value.checked()? },
            None => Change::DeleteValue { path, name },
        });
        Ok(())
    }

    /// The data of a value; none where it is deleted.
    fn data(&mut self, text: &str, dialect: RegDialect) -> Result<Option<Value>, Kind> {
        if let Some(text) = text.strip_prefix('"') {
            let (text, rest) = quoted(text)?;
            end_of_line(rest)?;
            return Ok(Some(Value::Sz(text.into())));
        }
        if let Some(rest) = text.strip_prefix('-') {
            end_of_line(rest)?;
            return Ok(None);
        }
        if let Some(digits) = after_word(text, "dword:") {
            let (digits, _) = digits.split_once(';').unwrap_or((digits, ""));
            let number = hexadecimal(digits.trim(), 8);
            let number = number.ok_or_else(|| Kind::Dword(shortened(digits.trim())))?;
            return Ok(Some(Value::from_raw(REG_DWORD, &number.to_le_bytes())));
        }
        let Some(rest) = after_word(text, "hex") else { return Err(Kind::Data(shortened(text))) };
        self.continues = text.ends_with('\\');
        let (kind, bytes) = match rest.strip_prefix(':') {
            Some(bytes) => (REG_BINARY, bytes),
            None => {
                let inner = rest.strip_prefix('(').and_then(|rest| rest.split_once("):"));
                let (kind, bytes) = inner.ok_or_else(|| Kind::Data(shortened(text)))?;
                let number = hexadecimal(kind, 8).ok_or_else(|| Kind::Kind(shortened(kind)))?;
                (number, bytes)
            }
        };
        let bytes = self.bytes(bytes)?;
        let is_text = matches!(kind, REG_SZ | REG_EXPAND_SZ | REG_MULTI_SZ);
        if is_text && dialect == RegDialect::Regedit4 {
            let units = bytes.iter().flat_map(|byte| ansi::unit_of(*byte).to_le_bytes());
            return Ok(Some(Value::from_raw(kind, &units.collect::<Vec<u8>>())));
        }
        Ok(Some(Value::from_raw(kind, &bytes)))
    }

    /// Bytes in hexadecimal, and those of the lines that go on with them.
    fn bytes(&mut self, first: &str) -> Result<Vec<u8>, Kind> {
        let mut bytes = Vec::new();
        let mut text = first;
        loop {
            let (list, more) = match text.strip_suffix('\\') {
                Some(list) => (list.trim_end(), true),
                None => (text.split_once(';').map_or(text, |(list, _)| list).trim_end(), false),
            };
            self.continues = more;
            let list = match list.strip_suffix(',') {
                Some(list) if more => list,
                _ if more && !list.is_empty() => return Err(Kind::NoComma),
                _ => list,
            };
            for byte in list.split(',').map(str::trim).filter(|_| !list.trim().is_empty()) {
                let number = hexadecimal(byte, 2).ok_or_else(|| Kind::Byte(shortened(byte)))?;
                bytes.push(number as u8);
            }
            if !more {
                return Ok(bytes);
            }
            let is_bytes = |text: &str| text.starts_with(|c: char| c.is_ascii_hexdigit());
            let goes_on = self.lines.peek().is_some_and(|(_, text)| is_bytes(text.trim_start()));
            if !goes_on {
                self.continues = false;
                return Err(Kind::NoContinuation);
            }
            text = self.next_line().map_or("", |(_, text)| text);
        }
    }
}

/// A text in quotes, after the first: what it says, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), Kind> {
    let mut said = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((said, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '"'))) => said.push(escaped),
                Some((_, other)) => return Err(Kind::Escape(other)),
                None => return Err(Kind::OpenQuote),
            },
            c => said.push(c),
        }
    }
    Err(Kind::OpenQuote)
}

fn end_of_line(rest: &str) -> Result<(), Kind> {
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with(';') {
        return Ok(());
    }
    Err(Kind::Trailing(shortened(rest)))
}

/// What follows a word, in whatever case.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

fn hexadecimal(text: &str, digits_max: usize) -> Option<u32> {
    let sound = (1..=digits_max).contains(&text.len());
    let sound = sound && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if sound { u32::from_str_radix(text, 16).ok() } else { None }
}

/// As much of a text as a message needs.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_string(),
    }
}
