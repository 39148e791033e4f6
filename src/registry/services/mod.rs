//! Where services keep their parameters, under the documented names.
//!
//! Readers give plain structs: every field is what the registry says, or none where it says nothing.
//! Defaults, ranges and meaning are the service's own. A value that cannot be used counts as missing, as it
//! does to a service that then takes its default, and is told as a [`ParameterMistake`]. Writers make the
//! registry say what the struct says, and leave what is already so, and what they do not know, alone.

pub mod dhcp;
mod generic;
pub mod wins;

pub use generic::{SERVICES, ServiceEntry, StartType, service_key};

use super::error::RegistryError;
use super::path::KeyPath;
use super::tree::Registry;
use super::value::Value;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What was read, with everything in it that could not be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading<T> {
    /// What the registry says.
    pub is: T,
    /// Values and keys that could not be used.
    pub mistakes: Vec<ParameterMistake>,
}

/// A value, or a key named after an address, that a service cannot use.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{name}` of key `{path}` is {found}, where {expected} is expected")]
pub struct ParameterMistake {
    /// The key.
    pub path: KeyPath,
    /// The value's name, or that of a subkey.
    pub name: String,
    /// What a service can use.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

/// A time of day, written `hh:mm:ss`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimeOfDay {
    seconds: u32,
}

impl TimeOfDay {
    /// So many seconds after midnight; none for a day or more.
    pub fn from_seconds(seconds: u32) -> Option<TimeOfDay> {
        (seconds < 86_400).then_some(TimeOfDay { seconds })
    }

    /// Seconds after midnight.
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

impl FromStr for TimeOfDay {
    /// What is expected.
    type Err = &'static str;
    fn from_str(text: &str) -> Result<TimeOfDay, &'static str> {
        const EXPECTED: &str = "a time of day such as 02:00:00";
        let mut seconds = 0;
        let mut parts = text.split(':');
        for limit in [24, 60, 60] {
            let part = parts.next().ok_or(EXPECTED)?;
            let is_number = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
            let number: u32 = part.parse().map_err(|_| EXPECTED)?;
            if !is_number || number >= limit {
                return Err(EXPECTED);
            }
            seconds = seconds * 60 + number;
        }
        if parts.next().is_some() { Err(EXPECTED) } else { Ok(TimeOfDay { seconds }) }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.seconds / 60, self.seconds % 60);
        write!(f, "{:02}:{:02}:{seconds:02}", minutes / 60, minutes % 60)
    }
}

/// A type a value can be read as.
trait Parameter: Sized {
    /// The value, or what is expected instead.
    fn from_value(value: &Value) -> Result<Self, &'static str>;
    fn to_value(&self) -> Value;
}

impl Parameter for u32 {
    fn from_value(value: &Value) -> Result<u32, &'static str> {
        value.as_dword().ok_or("a REG_DWORD")
    }
    fn to_value(&self) -> Value {
        Value::Dword(*self)
    }
}

/// Everything but zero is yes.
impl Parameter for bool {
    fn from_value(value: &Value) -> Result<bool, &'static str> {
        value.as_dword().map(|number| number != 0).ok_or("a REG_DWORD")
    }
    fn to_value(&self) -> Value {
        Value::Dword(u32::from(*self))
    }
}

/// With a `%` in it, it is written as a `REG_EXPAND_SZ`.
impl Parameter for String {
    fn from_value(value: &Value) -> Result<String, &'static str> {
        value.as_text().map(String::from).ok_or("a REG_SZ or REG_EXPAND_SZ")
    }
    fn to_value(&self) -> Value {
        if self.contains('%') { Value::expand_sz(self) } else { Value::sz(self) }
    }
}

impl Parameter for Vec<String> {
    fn from_value(value: &Value) -> Result<Vec<String>, &'static str> {
        let strings = value.as_list().ok_or("a REG_MULTI_SZ")?;
        Ok(strings.iter().map(|text| text.to_string()).collect())
    }
    fn to_value(&self) -> Value {
        Value::multi_sz(self.iter().filter(|text| !text.is_empty()))
    }
}

impl Parameter for TimeOfDay {
    fn from_value(value: &Value) -> Result<TimeOfDay, &'static str> {
        value.as_text().ok_or("a REG_SZ")?.parse()
    }
    fn to_value(&self) -> Value {
        Value::sz(&self.to_string())
    }
}

/// Reads the values of one key, and remembers what could not be used.
struct Reader<'a> {
    registry: &'a Registry,
    mistakes: Vec<ParameterMistake>,
}

impl<'a> Reader<'a> {
    fn new(registry: &'a Registry) -> Reader<'a> {
        Reader { registry, mistakes: Vec::new() }
    }

    fn get<T: Parameter>(&mut self, path: &KeyPath, name: &str) -> Option<T> {
        let value = self.registry.get(path, name)?;
        match T::from_value(value) {
            Ok(parameter) => Some(parameter),
            Err(expected) => {
                self.mistake(path, name, expected, shown(value));
                None
            }
        }
    }

    fn mistake(&mut self, path: &KeyPath, name: &str, expected: &'static str, found: String) {
        let (path, name) = (path.clone(), name.to_string());
        self.mistakes.push(ParameterMistake { path, name, expected, found });
    }

    fn done<T>(self, is: T) -> Reading<T> {
        Reading { is, mistakes: self.mistakes }
    }
}

/// A value as a message shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Sz(text) | Value::ExpandSz(text) => format!("the text `{text}`"),
        Value::Dword(number) => format!("the number {number}"),
        other => format!("of kind {}", other.kind()),
    }
}

/// Makes a value say this, or not be there.
fn put<T: Parameter>(
    registry: &mut Registry,
    path: &KeyPath,
    name: &str,
    wanted: Option<&T>,
) -> Result<(), RegistryError> {
    let wanted = wanted.map(T::to_value);
    match (wanted, registry.get(path, name)) {
        (Some(wanted), there) if there != Some(&wanted) => registry.set(path, name, wanted),
        (None, Some(_)) => registry.delete_value(path, name).map(|_| ()),
        _ => Ok(()),
    }
}

/// A struct whose fields are values of one key: each with its name, optional, read and written alike. The
/// names are constants of the struct.
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $type:ident {
            $( $(#[$field_meta:meta])* $field:ident: $kind:ty = $constant:ident $name:literal; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct $type {
            $( $(#[$field_meta])* pub $field: Option<$kind>, )*
        }

        impl $type {
            $(
                #[doc = concat!("The value's name: `", $name, "`.")]
                pub const $constant: &'static str = $name;
            )*

            /// Reads the values of this key.
            pub fn read(
                registry: &$crate::registry::Registry,
                path: &$crate::registry::KeyPath,
            ) -> $crate::registry::services::Reading<Self> {
                let mut reader = $crate::registry::services::Reader::new(registry);
                let is = Self::read_with(&mut reader, path);
                reader.done(is)
            }

            fn read_with(
                reader: &mut $crate::registry::services::Reader<'_>,
                path: &$crate::registry::KeyPath,
            ) -> Self {
                $( let $field = reader.get(path, $name); )*
                Self { $( $field ),* }
            }

            /// Makes the values of this key say the same. The key is made if it is missing.
            pub fn write(
                &self,
                registry: &mut $crate::registry::Registry,
                path: &$crate::registry::KeyPath,
            ) -> Result<(), $crate::registry::RegistryError> {
                registry.create(path)?;
                $( $crate::registry::services::put(registry, path, $name, self.$field.as_ref())?; )*
                Ok(())
            }
        }
    };
}
use parameters;
