//! What can go wrong with a registry, as values.

use super::format::ImageError;
use super::path::{KeyPath, PathError};
use super::tree::HandleId;
use super::value::ValueError;
use super::watch::WatchId;
use thiserror::Error;

/// Why the registry refused. Whenever it does, its tree is as it was before.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RegistryError {
    /// The text of a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// No such key (ERROR_FILE_NOT_FOUND).
    #[error("there is no key `{0}`")]
    KeyNotFound(KeyPath),
    /// No such value (ERROR_FILE_NOT_FOUND).
    #[error("key `{path}` has no value `{name}`")]
    ValueNotFound {
        /// The key.
        path: KeyPath,
        /// The value's name.
        name: String,
    },
    /// A key with keys below it, where only one without is deleted.
    #[error("key `{0}` has keys below it")]
    HasSubkeys(KeyPath),
    /// HKEY_LOCAL_MACHINE holds no values, has no descriptor, and is not deleted, saved or restored as a
    /// whole.
    #[error("HKEY_LOCAL_MACHINE itself cannot be changed")]
    RootIsFixed,
    /// A value's name or data.
    #[error("value `{name}` of key `{path}`: {mistake}")]
    Value {
        /// The key.
        path: KeyPath,
        /// The value's name.
        name: String,
        /// What is wrong.
        mistake: ValueError,
    },
    /// A value of another kind than was asked for.
    #[error("value `{name}` of key `{path}` is of kind {found}, not of kind {expected}")]
    WrongKind {
        /// The key.
        path: KeyPath,
        /// The value's name.
        name: String,
        /// The kind asked for.
        expected: u32,
        /// The kind it has.
        found: u32,
    },
    /// A descriptor with too many entries, or with a bad name of an account.
    #[error("the descriptor of key `{0}` has too many entries or an impossible account")]
    BadSecurity(KeyPath),
    /// The account lacks rights (ERROR_ACCESS_DENIED, Q192493).
    #[error("`{account}` has no right to key `{path}`")]
    AccessDenied {
        /// The key that refuses; it may stand below the one that was asked for.
        path: KeyPath,
        /// The account.
        account: String,
    },
    /// Another process has a key of the subtree open (Q316772).
    #[error("key `{path}` is held open by `{process}`")]
    HandleOpen {
        /// The open key.
        path: KeyPath,
        /// Who has it open.
        process: String,
    },
    /// The handle was closed, or never opened.
    #[error("there is no handle {0}")]
    NoSuchHandle(HandleId),
    /// The key was deleted while the handle was open (ERROR_KEY_DELETED).
    #[error("key `{0}` was deleted while it was open")]
    KeyDeleted(KeyPath),
    /// More handles than a host can have.
    #[error("more than {0} keys are open")]
    TooManyHandles(usize),
    /// The watch was dropped, or never set.
    #[error("there is no watch {0}")]
    NoSuchWatch(WatchId),
    /// More watches than a host can have.
    #[error("more than {0} keys are watched")]
    TooManyWatches(usize),
    /// No hive is mounted there.
    #[error("no hive `{0}` is mounted")]
    NoSuchHive(String),
    /// A hive is mounted there already, or there are too many.
    #[error("hive `{0}` cannot be mounted: it is already, or there are too many")]
    CannotMount(String),
    /// The hive was judged corrupt (Q189061).
    #[error("hive `{0}` is corrupt")]
    HiveCorrupt(String),
    /// Saved bytes that cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
}
