//! Static mappings: what an administrator enters by hand or imports.

use super::record::NameKind;
use crate::wire::{NetbiosName, ScopeId};
use std::net::Ipv4Addr;
use thiserror::Error;

/// The types of the user interface; each creates several records.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StaticType {
    /// One host: names 00, 03 and 20 (Q172734).
    Unique,
    /// A normal group: name 1E (NBTE <3>).
    Group,
    /// A domain: name 1C with a list. Called internet group in 3.5 and 3.51 (Q140064).
    DomainName,
    /// A user-defined internet group, 4.0 on: names 00, 03 and 20 with a list. Before, the same as a
    /// domain name.
    InternetGroup,
    /// One host with several addresses: names 00, 03 and 20 (Q249866).
    Multihomed,
}

/// A static mapping to be entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticMapping {
    /// The name. Its own suffix counts only when `exact` is set.
    pub name: NetbiosName,
    /// Its scope. WINS Manager cannot give one (Q145659), a file cannot either.
    pub scope: ScopeId,
    /// What it is.
    pub kind: StaticType,
    /// Whether to create this one name instead of the type's suffixes: quoted names in LMHOSTS.
    pub exact: bool,
    /// Its addresses, 1 to 25; a normal group needs none.
    pub addresses: Vec<Ipv4Addr>,
}

/// Why a static mapping was refused.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum StaticError {
    /// A record of another type has the name (Q146053).
    #[error("{name} exists as {stored:?}, which a static {wanted:?} cannot replace")]
    TypeConflict {
        /// The name.
        name: NetbiosName,
        /// What is stored.
        stored: NameKind,
        /// What was to be entered.
        wanted: NameKind,
    },
    /// No address, several for a unique name, or more than a record holds.
    #[error("{name} was given {count} addresses, allowed are {low} to {high}")]
    AddressCount {
        /// The name.
        name: NetbiosName,
        /// How many it was given.
        count: u16,
        /// The least.
        low: u8,
        /// The most.
        high: u8,
    },
    /// No version id can be given yet: the reserve is not durable.
    #[error("no version id is available for {name} yet, try again")]
    NotReady {
        /// The name.
        name: NetbiosName,
    },
}
