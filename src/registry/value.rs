//! Typed values.
//!
//! A value is a kind and bytes. Kinds whose bytes are what they should be become something a program can use;
//! all else is kept as it came, so that what is read is written back unchanged: kinds unknown here
//! (REG_QWORD among them), a DWORD of three bytes, strings that lack their NUL (Q279158).

use thiserror::Error;

/// Longest name of a value, in characters (Windows SDK, Registry Element Size Limits). The empty name is the
/// key's default value.
pub const VALUE_NAME_MAX: usize = 16_383;
/// Longest data of a value, in bytes: 1 MB in the standard format (the same page).
pub const VALUE_DATA_MAX: usize = 1 << 20;

/// `REG_NONE`.
pub const REG_NONE: u32 = 0;
/// `REG_SZ`.
pub const REG_SZ: u32 = 1;
/// `REG_EXPAND_SZ`.
pub const REG_EXPAND_SZ: u32 = 2;
/// `REG_BINARY`.
pub const REG_BINARY: u32 = 3;
/// `REG_DWORD`, little-endian.
pub const REG_DWORD: u32 = 4;
/// `REG_MULTI_SZ`.
pub const REG_MULTI_SZ: u32 = 7;
/// `REG_QWORD`: kept, not understood, as by a system that came before it.
pub const REG_QWORD: u32 = 11;

/// The data of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// `REG_NONE`: bytes without a meaning.
    None(Box<[u8]>),
    /// `REG_SZ`.
    Sz(Box<str>),
    /// `REG_EXPAND_SZ`: `%SystemRoot%` and the like are not expanded here.
    ExpandSz(Box<str>),
    /// `REG_BINARY`.
    Binary(Box<[u8]>),
    /// `REG_DWORD`.
    Dword(u32),
    /// `REG_MULTI_SZ`: none of the strings is empty or has a NUL.
    MultiSz(Vec<Box<str>>),
    /// A kind unknown here, or bytes that are not what their kind asks for.
    Other {
        /// The kind's number.
        kind: u32,
        /// The bytes.
        data: Box<[u8]>,
    },
}

/// Why data cannot be a value.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ValueError {
    /// The name is longer than [`VALUE_NAME_MAX`].
    #[error("a value's name has {actual} characters; {VALUE_NAME_MAX} are allowed")]
    NameTooLong {
        /// How many it has.
        actual: usize,
    },
    /// The name has a NUL, a line break or the like: `.reg` texts have no writing for them.
    #[error("a value's name has a control character in it")]
    ControlInName,
    /// The data are longer than [`VALUE_DATA_MAX`].
    #[error("a value has {actual} bytes; {VALUE_DATA_MAX} are allowed")]
    TooLong {
        /// How many it has.
        actual: usize,
    },
    /// A string of a list that would end the list.
    #[error("a string of a REG_MULTI_SZ is empty or has a NUL in it")]
    BadListString,
}

impl Value {
    /// A `REG_SZ`.
    pub fn sz(text: &str) -> Value {
        Value::Sz(text.into())
    }

    /// A `REG_EXPAND_SZ`.
    pub fn expand_sz(text: &str) -> Value {
        Value::ExpandSz(text.into())
    }

    /// A `REG_BINARY`.
    pub fn binary(bytes: &[u8]) -> Value {
        Value::Binary(bytes.into())
    }

    /// A `REG_MULTI_SZ`.
    pub fn multi_sz<S: AsRef<str>>(strings: impl IntoIterator<Item = S>) -> Value {
        Value::MultiSz(strings.into_iter().map(|text| text.as_ref().into()).collect())
    }

    /// The number of the kind.
    pub fn kind(&self) -> u32 {
        match self {
            Value::None(_) => REG_NONE,
            Value::Sz(_) => REG_SZ,
            Value::ExpandSz(_) => REG_EXPAND_SZ,
            Value::Binary(_) => REG_BINARY,
            Value::Dword(_) => REG_DWORD,
            Value::MultiSz(_) => REG_MULTI_SZ,
            Value::Other { kind, .. } => *kind,
        }
    }

    /// The number, if this is a `REG_DWORD`.
    pub fn as_dword(&self) -> Option<u32> {
        match self {
            Value::Dword(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if this is a `REG_SZ` or a `REG_EXPAND_SZ`.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Sz(text) | Value::ExpandSz(text) => Some(text),
            _ => None,
        }
    }

    /// The strings, if this is a `REG_MULTI_SZ`.
    pub fn as_list(&self) -> Option<&[Box<str>]> {
        match self {
            Value::MultiSz(strings) => Some(strings),
            _ => None,
        }
    }

    /// The value of this kind and these bytes. Every pair gives one, and [`Value::data`] gives the bytes
    /// back.
    pub fn from_raw(kind: u32, data: &[u8]) -> Value {
        let typed = match kind {
            REG_NONE => Some(Value::None(data.into())),
            REG_SZ => text_of(data).map(Value::Sz),
            REG_EXPAND_SZ => text_of(data).map(Value::ExpandSz),
            REG_BINARY => Some(Value::Binary(data.into())),
            REG_DWORD => data.try_into().ok().map(|four| Value::Dword(u32::from_le_bytes(four))),
            REG_MULTI_SZ => list_of(data).map(Value::MultiSz),
            _ => None,
        };
        typed.unwrap_or_else(|| Value::Other { kind, data: data.into() })
    }

    /// The bytes as the registry stores them: strings in UTF-16, little-endian, with their NUL.
    pub fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        self.put_data(&mut data);
        data
    }

    /// Appends what [`Value::data`] gives.
    pub(super) fn put_data(&self, out: &mut Vec<u8>) {
        match self {
            Value::None(data) | Value::Binary(data) | Value::Other { data, .. } => out.extend(data),
            Value::Sz(text) | Value::ExpandSz(text) => put_utf16(out, text),
            Value::Dword(number) => out.extend(number.to_le_bytes()),
            Value::MultiSz(strings) => {
                strings.iter().for_each(|text| put_utf16(out, text));
                out.extend([0, 0]);
            }
        }
    }

    /// Checks what the type cannot, and turns raw data that are well-formed into the typed value they are, so
    /// that one content has one form.
    pub(super) fn checked(self) -> Result<Value, ValueError> {
        let actual = self.data_len();
        if actual > VALUE_DATA_MAX {
            return Err(ValueError::TooLong { actual });
        }
        match self {
            Value::MultiSz(list) if list.iter().any(|s| s.is_empty() || s.contains('\0')) => {
                Err(ValueError::BadListString)
            }
            Value::Other { kind, data } => Ok(Value::from_raw(kind, &data)),
            value => Ok(value),
        }
    }

    /// How many bytes [`Value::data`] has.
    fn data_len(&self) -> usize {
        let units = |text: &str| 2 * text.encode_utf16().count() + 2;
        match self {
            Value::None(data) | Value::Binary(data) | Value::Other { data, .. } => data.len(),
            Value::Sz(text) | Value::ExpandSz(text) => units(text),
            Value::Dword(_) => 4,
            Value::MultiSz(strings) => 2 + strings.iter().map(|text| units(text)).sum::<usize>(),
        }
    }
}

/// Whether this can be the name of a value.
pub(super) fn check_value_name(name: &str) -> Result<(), ValueError> {
    let actual = name.chars().count();
    if actual > VALUE_NAME_MAX {
        return Err(ValueError::NameTooLong { actual });
    }
    if name.chars().any(char::is_control) { Err(ValueError::ControlInName) } else { Ok(()) }
}

fn put_utf16(out: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16().chain([0]) {
        out.extend_from_slice(&unit.to_le_bytes());
    }
}

/// The text of a string that is whole: UTF-16 with a NUL at its end.
fn text_of(data: &[u8]) -> Option<Box<str>> {
    let (text, end) = data.split_at_checked(data.len().checked_sub(2)?)?;
    if end != [0, 0] || !text.len().is_multiple_of(2) {
        return None;
    }
    let units = text.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().map(String::into_boxed_str)
}

/// The strings of a list that is whole: each with its NUL, none empty, and one NUL more.
fn list_of(data: &[u8]) -> Option<Vec<Box<str>>> {
    let text = text_of(data)?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    let strings: Vec<Box<str>> = text.strip_suffix('\0')?.split('\0').map(Box::from).collect();
    (!strings.iter().any(|string| string.is_empty())).then_some(strings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn well_formed_bytes_become_values() {
        assert_eq!(Value::from_raw(REG_SZ, b"a\0b\0\0\0"), Value::sz("ab"));
        assert_eq!(Value::from_raw(REG_SZ, b"\0\0"), Value::sz(""));
        assert_eq!(Value::from_raw(REG_DWORD, &[1, 2, 0, 0]), Value::Dword(0x201));
        let list = Value::multi_sz(["a", "bc"]);
        assert_eq!(list.data(), b"a\0\0\0b\0c\0\0\0\0\0");
        assert_eq!(Value::from_raw(REG_MULTI_SZ, &list.data()), list);
        assert_eq!(Value::from_raw(REG_MULTI_SZ, &[0, 0]), Value::MultiSz(Vec::new()));
    }

    #[test]
    fn everything_else_is_kept() {
        let odd: [(u32, &[u8]); 8] = [
            (REG_SZ, b"a\0b\0"), // no NUL: Q279158
            (REG_SZ, b"a\0\0"),
            (REG_SZ, b""),
            (REG_SZ, &[0x00, 0xD8, 0, 0]), // half of a pair
            (REG_DWORD, &[1, 2, 3]),
            (REG_MULTI_SZ, b"a\0\0\0\0\0\0\0"), // an empty string ends the list too early
            (REG_QWORD, &[1, 2, 3, 4, 5, 6, 7, 8]),
            (0xFFFF_0001, b"x"),
        ];
        for (kind, data) in odd {
            let value = Value::from_raw(kind, data);
            assert_eq!(value, Value::Other { kind, data: data.into() });
            assert_eq!(value.data(), data);
        }
    }

    #[test]
    fn limits_are_errors() {
        let long = Value::binary(&vec![0; VALUE_DATA_MAX + 1]);
        assert_eq!(long.checked(), Err(ValueError::TooLong { actual: VALUE_DATA_MAX + 1 }));
        assert_eq!(Value::multi_sz(["a", ""]).checked(), Err(ValueError::BadListString));
        assert_eq!(Value::multi_sz(["a\0"]).checked(), Err(ValueError::BadListString));
        let raw = Value::Other { kind: REG_DWORD, data: [7, 0, 0, 0].into() };
        assert_eq!(raw.checked(), Ok(Value::Dword(7)));
        assert_eq!(check_value_name("a\0"), Err(ValueError::ControlInName));
        let actual = VALUE_NAME_MAX + 1;
        assert_eq!(check_value_name(&"x".repeat(actual)), Err(ValueError::NameTooLong { actual }));
    }

    proptest! {
        #[test]
        fn bytes_come_back(kind in 0u32..13, data in proptest::collection::vec(0u8..3, 0..12)) {
            let value = Value::from_raw(kind, &data);
            prop_assert_eq!(value.data_len(), data.len());
            prop_assert_eq!((value.kind(), value.data()), (kind, data));
            prop_assert_eq!(value.clone().checked(), Ok(value));
        }
    }
}
