//! Bytes to values and back, without state.
//!
//! Decoding never panics and loses nothing: what decodes encodes to the same bytes. Unknown codes are kept.

pub mod cluster;
pub mod discovery;
mod name;
pub mod name_service;
pub mod replication;

pub use name::{NameError, NetbiosName, ScopeId, Suffix};
