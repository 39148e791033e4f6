//! LMHOSTS files, as WINS imports them (Q163524, Q249866).
//!
//! ```text
//! 10.1.0.5   FILES1                     # a computer: names 00, 03 and 20
//! 10.1.0.6   DC1        #PRE #DOM:CORP  # a computer that is also a member of CORP<1C>
//! 10.1.0.7   GATE       #MH             # one address of a multihomed host, one line each
//! 10.1.0.8   FARM1      #SG:FARM        # a computer that is also a member of the group FARM
//! 10.1.0.9   "APP            \0x14"     # exactly this name of 16 bytes
//! ```
//! Keywords are written in capitals; anything else after `#` is a comment (Q150800). What cannot be
//! understood is an error that names its line, and then nothing is imported. Names over 15 characters
//! and bad addresses are skipped, as WINS does (events 4278 and 4279). `#INCLUDE` is an error: an import
//! reads one file.

use super::io::WinsEvent;
use super::statics::StaticType;
use crate::wire::{NetbiosName, Suffix};
use std::net::Ipv4Addr;
use thiserror::Error;

/// Lines an import reads; more is a mistake, not a host table.
pub const LMHOSTS_LINES_MAX: usize = 100_000;

/// One mapping of a line. A line with `#DOM:` or `#SG:` gives two, with both three.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LmhostsEntry {
    /// The line, counted from 1.
    pub line: u32,
    /// The name: of the computer, or of the domain or group it is a member of.
    pub name: NetbiosName,
    /// The type.
    pub kind: StaticType,
    /// Whether the name's own suffix counts: it was quoted with all 16 bytes.
    pub exact: bool,
    /// The address.
    pub address: Ipv4Addr,
}

/// A line that is not imported while the others are.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LmhostsSkip {
    /// A name over 15 characters without quotes, or over 16 with.
    #[error("line {line}: the name `{name}` is too long")]
    Name {
        /// The line, counted from 1.
        line: u32,
        /// The name.
        name: String,
    },
    /// The first word is no address.
    #[error("line {line}: `{word}` is no address")]
    Address {
        /// The line, counted from 1.
        line: u32,
        /// The word.
        word: String,
    },
}

/// Why a file is not imported.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {mistake}")]
pub struct LmhostsError {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong there, and what to write instead.
    pub mistake: LmhostsMistake,
}

/// What can be wrong with a line.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LmhostsMistake {
    /// Nothing after the address.
    #[error("no name follows the address")]
    NoName,
    /// A quote that does not end.
    #[error("the quoted name has no closing `\"`")]
    OpenQuote,
    /// Quotes around nothing.
    #[error("the name is empty")]
    EmptyName,
    /// A backslash that begins no `\0xNN`.
    #[error("`\\` in a name is followed by `0x` and two hexadecimal digits, such as \\0x1B")]
    BadEscape,
    /// Something after the name that is neither keyword nor comment.
    #[error("`{0}` follows the name; write a keyword such as #MH, or a comment after `#`")]
    Trailing(String),
    /// `#DOM:` or `#SG:` without a usable name.
    #[error("`{0}` needs a name of 1 to 15 characters after the colon")]
    BadGroup(String),
    /// `#MH` together with a group.
    #[error("#MH cannot stand together with #DOM: or #SG:")]
    MultihomedGroup,
    /// `#INCLUDE`.
    #[error("#INCLUDE is not followed by an import: import that file by itself")]
    Include,
    /// Too many lines.
    #[error("the file has more than {LMHOSTS_LINES_MAX} lines")]
    TooLong,
}

impl LmhostsSkip {
    /// The line, counted from 1.
    pub fn line(&self) -> u32 {
        match self {
            LmhostsSkip::Name { line, .. } | LmhostsSkip::Address { line, .. } => *line,
        }
    }
    /// The entry of the event log.
    pub fn event(&self) -> WinsEvent {
        match self {
            LmhostsSkip::Name { .. } => WinsEvent::LmhostsNameSkipped,
            LmhostsSkip::Address { .. } => WinsEvent::LmhostsAddressSkipped,
        }
    }
}

/// Reads a whole file: its entries in order and the lines skipped, or the first mistake.
pub fn parse_lmhosts(text: &[u8]) -> Result<(Vec<LmhostsEntry>, Vec<LmhostsSkip>), LmhostsError> {
    let (mut entries, mut skips) = (Vec::new(), Vec::new());
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    // An editor of the time may leave a ^Z at the end.
    let text = text.strip_suffix(b"\x1A").unwrap_or(text);
    for (index, bytes) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = index as u32 + 1;
        let fail = |mistake| LmhostsError { line, mistake };
        if index >= LMHOSTS_LINES_MAX {
            return Err(fail(LmhostsMistake::TooLong));
        }
        parse_line(line, bytes.trim_ascii(), &mut entries, &mut skips).map_err(fail)?;
    }
    Ok((entries, skips))
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first word and what follows it, without the space between.
fn split_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len());
    (&bytes[..end], bytes[end..].trim_ascii_start())
}

fn parse_line(
    line: u32,
    bytes: &[u8],
    entries: &mut Vec<LmhostsEntry>,
    skips: &mut Vec<LmhostsSkip>,
) -> Result<(), LmhostsMistake> {
    if bytes.starts_with(b"#INCLUDE") {
        return Err(LmhostsMistake::Include);
    }
    if bytes.is_empty() || bytes.starts_with(b"#") {
        return Ok(());
    }
    let (word, rest) = split_word(bytes);
    let address = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    let Some(address) = address.filter(|address: &Ipv4Addr| usable(*address)) else {
        skips.push(LmhostsSkip::Address { line, word: text_of(word) });
        return Ok(());
    };
    let (raw, quoted, rest) = parse_name(rest)?;
    let words = parse_keywords(rest)?;
    if raw.len() > if quoted { 16 } else { 15 } {
        skips.push(LmhostsSkip::Name { line, name: text_of(&raw) });
        return Ok(());
    }
    let exact = raw.len() == 16;
    let mut padded = [b' '; 16];
    padded[..raw.len()].copy_from_slice(&raw);
    if !exact {
        padded[15] = Suffix::SERVER.0;
    }
    if !quoted {
        padded.make_ascii_uppercase();
    }
    let name = NetbiosName::from_bytes(padded);
    let kind = match (exact, words.multihomed) {
        (_, true) => StaticType::Multihomed,
        (true, _) if name.suffix() == Suffix::DOMAIN_CONTROLLERS => StaticType::DomainName,
        (true, _) if name.suffix() == Suffix::BROWSER_ELECTIONS => StaticType::Group,
        _ => StaticType::Unique,
    };
    entries.push(LmhostsEntry { line, name, kind, exact, address });
    let groups = [(words.domain, StaticType::DomainName), (words.group, StaticType::InternetGroup)];
    for (name, kind) in groups {
        if let Some(name) = name {
            entries.push(LmhostsEntry { line, name, kind, exact: false, address });
        }
    }
    Ok(())
}

/// An address a host can have.
fn usable(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast()
}

/// The name's bytes, whether it was quoted, and what follows.
fn parse_name(bytes: &[u8]) -> Result<(Vec<u8>, bool, &[u8]), LmhostsMistake> {
    let Some(inside) = bytes.strip_prefix(b"\"") else {
        let (word, rest) = split_word(bytes);
        if word.is_empty() || word.starts_with(b"#") {
            return Err(LmhostsMistake::NoName);
        }
        return Ok((word.to_vec(), false, rest));
    };
    let end = inside.iter().position(|&b| b == b'"').ok_or(LmhostsMistake::OpenQuote)?;
    let (quoted, rest) = (&inside[..end], inside[end + 1..].trim_ascii_start());
    let mut raw = Vec::with_capacity(16);
    let mut left = quoted;
    while let Some((&byte, tail)) = left.split_first() {
        if byte != b'\\' {
            raw.push(byte);
            left = tail;
            continue;
        }
        let digits = tail.strip_prefix(b"0x").and_then(|tail| tail.split_at_checked(2));
        let (hex, tail) = digits.ok_or(LmhostsMistake::BadEscape)?;
        let value = |digit: u8| (digit as char).to_digit(16).ok_or(LmhostsMistake::BadEscape);
        raw.push((value(hex[0])? * 16 + value(hex[1])?) as u8);
        left = tail;
    }
    if raw.iter().all(|&b| b == b' ') {
        return Err(LmhostsMistake::EmptyName);
    }
    Ok((raw, true, rest))
}

#[derive(Default)]
struct Keywords {
    multihomed: bool,
    domain: Option<NetbiosName>,
    group: Option<NetbiosName>,
}

/// The keywords after a name. The first word after `#` that is none begins a comment.
fn parse_keywords(mut bytes: &[u8]) -> Result<Keywords, LmhostsMistake> {
    let mut found = Keywords::default();
    while !bytes.is_empty() {
        let (word, rest) = split_word(bytes);
        if !word.starts_with(b"#") {
            return Err(LmhostsMistake::Trailing(text_of(word)));
        }
        let group = |after: &[u8], suffix| {
            let name = std::str::from_utf8(after).ok().map(|name| NetbiosName::new(name, suffix));
            match name {
                Some(Ok(name)) => Ok(Some(name)),
                _ => Err(LmhostsMistake::BadGroup(text_of(word))),
            }
        };
        if word == b"#MH" {
            found.multihomed = true;
        } else if let Some(domain) = word.strip_prefix(b"#DOM:") {
            found.domain = group(domain, Suffix::DOMAIN_CONTROLLERS)?;
        } else if let Some(name) = word.strip_prefix(b"#SG:") {
            found.group = group(name, Suffix::SERVER)?;
        } else if word != b"#PRE" && word != b"#NOFNR" {
            break;
        }
        bytes = rest;
    }
    if found.multihomed && (found.domain.is_some() || found.group.is_some()) {
        return Err(LmhostsMistake::MultihomedGroup);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Vec<LmhostsEntry>, Vec<LmhostsSkip>) {
        parse_lmhosts(text.as_bytes()).unwrap()
    }

    fn error(text: &str) -> String {
        parse_lmhosts(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_kind_of_line_is_read() {
        let (entries, skips) = parse(concat!(
            "# a host table\r\n",
            "10.1.0.5\tfiles1   # comment\r\n",
            "10.1.0.6 DC1 #PRE #DOM:corp #net group's DC\r\n",
            "10.1.0.7 GATE #MH\r\n",
            "10.1.0.8 FARM1 #SG:FARM\r\n",
            "10.1.0.9 \"App            \\0x14\"  #PRE\r\n",
            "10.1.0.10 \"OFFICE         \\0x1E\"\r\n",
            "#BEGIN_ALTERNATE\r\n\r\n",
            "10.1.0.11 lower #mh\r\n",
        ));
        let read: Vec<String> = entries
            .iter()
            .map(|e| format!("{} {} {:?} {}", e.line, e.name, e.kind, e.address))
            .collect();
        assert_eq!(
            read,
            [
                "2 FILES1<20> Unique 10.1.0.5",
                "3 DC1<20> Unique 10.1.0.6",
                "3 CORP<1C> DomainName 10.1.0.6",
                "4 GATE<20> Multihomed 10.1.0.7",
                "5 FARM1<20> Unique 10.1.0.8",
                "5 FARM<20> InternetGroup 10.1.0.8",
                "6 App<14> Unique 10.1.0.9",
                "7 OFFICE<1E> Group 10.1.0.10",
                "10 LOWER<20> Unique 10.1.0.11",
            ]
        );
        assert_eq!(entries.iter().map(|e| e.exact).collect::<Vec<_>>()[6..8], [true, true]);
        assert!(skips.is_empty());
    }

    #[test]
    fn long_names_and_bad_addresses_are_skipped_with_their_events() {
        let (entries, skips) =
            parse("10.0.0.1 NAMEOFSIXTEENCHR\n10.0.0.256 A\n10.0.0.2 B\n0.0.0.0 C\nfoo D");
        assert_eq!(entries.len(), 1);
        let numbers: Vec<_> = skips.iter().map(|s| (s.line(), s.event().numbers().0)).collect();
        let (name, address) = (Some(4278), Some(4279));
        assert_eq!(numbers, [(1, name), (2, address), (4, address), (5, address)]);
        assert_eq!(skips[0].to_string(), "line 1: the name `NAMEOFSIXTEENCHR` is too long");
    }

    #[test]
    fn mistakes_name_their_line() {
        assert_eq!(error("\n\n10.0.0.1"), "line 3: no name follows the address");
        assert_eq!(error("10.0.0.1 # none"), "line 1: no name follows the address");
        assert_eq!(error("10.0.0.1 \"OPEN"), "line 1: the quoted name has no closing `\"`");
        assert_eq!(error("10.0.0.1 \"  \""), "line 1: the name is empty");
        assert!(error("\n10.0.0.1 \"A\\0xG1\"").starts_with("line 2: `\\` in a name is followed"));
        assert!(error("10.0.0.1 \"A\\n\"").starts_with("line 1: `\\` in a name"));
        assert!(error("10.0.0.1 \"A\\0x1\"").starts_with("line 1: `\\` in a name"));
        assert!(error("10.0.0.1 A junk").starts_with("line 1: `junk` follows the name"));
        assert!(error("10.0.0.1 A #DOM:").starts_with("line 1: `#DOM:` needs a name"));
        assert!(error("10.0.0.1 A #DOM:SIXTEENCHARACTER").contains("1 to 15 characters"));
        assert!(error("10.0.0.1 A #MH #DOM:B").contains("#MH cannot stand together"));
        assert!(error("10.0.0.1 A\n#INCLUDE \\\\S\\lmhosts").starts_with("line 2: #INCLUDE"));
    }

    #[test]
    fn the_empty_file_is_no_mistake() {
        assert_eq!(parse(""), (vec![], vec![]));
        assert_eq!(parse("\u{feff}\r\n\x1A"), (vec![], vec![]));
    }
}
