//! The NetBT client: claims, defends, refreshes, releases and resolves NetBIOS names over UDP port 137.
//!
//! Specification: RFC 1001 15 and RFC 1002 4.2, 5.1; MS-NBTE; the Knowledge Base articles named beside the
//! lines they govern. States: a name is being registered, registered, in conflict or released; a query is
//! at a server, waiting, or broadcast; the client uses its configured primary server or another one.
//! Deadlines: one timer a name, one a query, one for the way back to the primary.
//!
//! Promised: every look-up is answered exactly once, every answer belongs to a request that is
//! outstanding at the server that gives it, an idle client has at most one deadline and a fixed size,
//! and a broadcast for a name the client does not hold leaves it as it was.
//! Not done: LMHOSTS, HOSTS and DNS steps, the proxy agent, a state per adapter, the challenge a client
//! makes itself (RFC 1002 4.2.7: such an answer counts as a grant), redirects.

mod cache;
mod client;
mod defend;
mod identity;
mod name_table;
mod profile;
mod receive;
mod refresh;
mod register;
mod release;
mod resolve;
mod servers;
mod types;

pub use client::{NAMES_MAX, NbtClient};
pub use identity::{Identity, MSBROWSE, Role, StartupName};
pub use profile::{NbtProfile, ReturnRule};
pub use resolve::{ADDRESSES_MAX, QUERIES_MAX};
pub use types::{
    Answered, Counters, NameKind, NameState, NbtConfig, NbtInput, NbtOutput, OwnedName, Registrar,
    Resolution,
};

#[cfg(test)]
mod tests;
