//! The registry of a host: keys, typed values, notification, save and restore, hives, `.reg` texts.
//!
//! Plain data: no clock, no disk, no threads. What a registry tells others is taken from it: signals of
//! watches ([`Registry::take_signals`]) and hives that became dirty ([`Registry::take_dirtied`]). When a
//! hive's bytes reach the disk, and what a crash leaves of them, is the world's business.
//!
//! Promised: whatever is refused leaves the tree as it was. Equal trees save to equal bytes. Damaged bytes
//! and texts are error values. Not done: symbolic links (`CurrentControlSet` is a key like any other),
//! volatile keys, classes and time stamps of keys, access checks on single reads and writes.

mod error;
mod format;
mod hive;
mod key;
mod path;
mod reg_text;
mod saved;
mod security;
pub mod services;
mod tree;
mod value;
mod watch;

pub use error::RegistryError;
pub use format::{Checks, ImageError};
pub use hive::{HiveId, LAZY_FLUSH, Loaded};
pub use key::Key;
pub use path::{DEPTH_MAX, HKEY_LOCAL_MACHINE, KEY_NAME_MAX, KeyPath, PathError, is_name};
pub use reg_text::{
    ExportError, MISTAKES_MAX, REG_LINES_MAX, RegDialect, RegFile, RegMistake, RegMistakeKind,
    reg_file_text,
};
pub use saved::{Caller, Restore, Restored, STORAGE_LOST_MAX};
pub use security::{ACCOUNT_MAX, EVERYONE, GRANTS_MAX, Rights, Security};
pub use tree::{HANDLES_MAX, HandleId, Registry};
pub use value::{
    REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_NONE, REG_QWORD, REG_SZ,
    VALUE_DATA_MAX, VALUE_NAME_MAX, Value, ValueError,
};
pub use watch::{WATCHES_MAX, WatchFilter, WatchId};

#[cfg(test)]
mod tests;
