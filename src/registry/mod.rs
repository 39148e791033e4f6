//! The registry of a host.

use thiserror::Error;

/// The path of a key, relative to HKLM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyPath(pub String);

/// What the registry refuses.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RegistryError {
    /// There is no such key.
    #[error("no such key")]
    NoSuchKey,
}
