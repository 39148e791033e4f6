//! Writing `.reg` texts.

use super::super::error::RegistryError;
use super::super::key::Key;
use super::super::path::{HKEY_LOCAL_MACHINE, KeyPath};
use super::super::tree::Registry;
use super::super::value::{REG_BINARY, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, Value};
use super::{RegDialect, ansi};
use std::fmt::Write;
use thiserror::Error;

/// Columns of a line of bytes, as the editors write them.
const COLUMNS: usize = 80;
/// Where a line of a text ends.
const LINE_END: &str = "\r\n";

/// Why a subtree cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ExportError {
    /// There is no such key.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// `REGEDIT4` has no writing for it: something outside the ANSI code page, or half a character.
    #[error("`{name}` of key `{path}` cannot be written in the ANSI code page; use version 5.00")]
    NotAnsi {
        /// The key.
        path: KeyPath,
        /// The value's name; empty for the default value, and for the key's own name.
        name: String,
    },
}

impl Registry {
    /// The text of a subtree: every key with its values, as a walk meets them. Descriptors are not in it.
    pub fn export(&self, path: &KeyPath, dialect: RegDialect) -> Result<String, ExportError> {
        let mut out = String::from(dialect.header());
        out.push_str(LINE_END);
        put_key(&mut out, path, self.existing(path)?, dialect)?;
        Ok(out)
    }
}

fn put_key(
    out: &mut String,
    path: &KeyPath,
    key: &Key,
    dialect: RegDialect,
) -> Result<(), ExportError> {
    let not_ansi = |name: &str| {
        let fits = |text: &str| text.encode_utf16().all(|unit| ansi::byte_of(unit).is_some());
        dialect == RegDialect::Regedit4 && !fits(name)
    };
    let refused =
        |name: &str| Err(ExportError::NotAnsi { path: path.clone(), name: name.to_string() });
    if not_ansi(path.as_str()) {
        return refused("");
    }
    let separator = if path.is_root() { "" } else { "\\" };
    out.push_str(LINE_END);
    let _ = write!(out, "[{HKEY_LOCAL_MACHINE}{separator}{}]{LINE_END}", path.as_str());
    for (name, value) in key.values() {
        if not_ansi(name) || value.as_text().is_some_and(not_ansi) {
            return refused(name);
        }
        let start = out.len();
        match name {
            "" => out.push('@'),
            name => put_quoted(out, name),
        }
        out.push('=');
        if !put_data(out, start, value, dialect) {
            return refused(name);
        }
        out.push_str(LINE_END);
    }
    key.keys().try_for_each(|(name, key)| put_key(out, &path.child(name), key, dialect))
}

/// Whether the data could be written.
fn put_data(out: &mut String, start: usize, value: &Value, dialect: RegDialect) -> bool {
    match value {
        Value::Sz(text) if !text.chars().any(char::is_control) => put_quoted(out, text),
        Value::Dword(number) => {
            let _ = write!(out, "dword:{number:08x}");
        }
        value => {
            let mut data = value.data();
            let kind = value.kind();
            let is_text = matches!(kind, REG_SZ | REG_EXPAND_SZ | REG_MULTI_SZ);
            if is_text && dialect == RegDialect::Regedit4 {
                match ansi_data(&data) {
                    Some(bytes) => data = bytes,
                    None => return false,
                }
            }
            match kind {
                REG_BINARY => out.push_str("hex:"),
                kind => {
                    let _ = write!(out, "hex({kind:x}):");
                }
            }
            put_bytes(out, start, &data);
        }
    }
    true
}

/// One byte for each UTF-16 unit, if all have one.
fn ansi_data(data: &[u8]) -> Option<Vec<u8>> {
    if !data.len().is_multiple_of(2) {
        return None;
    }
    let units = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    units.map(ansi::byte_of).collect()
}

fn put_bytes(out: &mut String, start: usize, data: &[u8]) {
    let mut column = out[start..].chars().count();
    for (index, byte) in data.iter().enumerate() {
        if index > 0 {
            out.push(',');
            column += 1;
            // Room for a byte, its comma and the backslash.
            if column + 4 > COLUMNS {
                let _ = write!(out, "\\{LINE_END}  ");
                column = 2;
            }
        }
        let _ = write!(out, "{byte:02x}");
        column += 2;
    }
}

fn put_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
