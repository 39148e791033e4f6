//! Why a database cannot be used, in words for the person who has to do something about it.

use super::FORMAT;
use std::io;
use std::net::Ipv4Addr;
use thiserror::Error;

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("this file is no WINS database of winstorm")]
    Foreign,
    /// The file is from another version of this program.
    #[error("the database has format {found}, this program reads format {FORMAT}")]
    OtherFormat {
        /// The file's format.
        found: u64,
    },
    /// The database belongs to a server with another address (Q140971).
    #[error("the database belongs to the WINS server {found}, this server is {own}")]
    OtherServer {
        /// Whose it is.
        found: Ipv4Addr,
        /// Who asked.
        own: Ipv4Addr,
    },
    /// The file was one of ours, but is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The disk or the file system failed.
    #[error("the database cannot be read or written: {0}")]
    Io(String),
    /// Another program has it open.
    #[error("the database is open in another program")]
    InUse,
}

pub(super) fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged(what.into())
}

pub(super) fn from_io(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::InvalidData => StoreError::Foreign,
        io::ErrorKind::UnexpectedEof => damaged("it ends early"),
        _ => StoreError::Io(error.to_string()),
    }
}

pub(super) fn from_redb(error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) => from_io(error),
        redb::Error::Corrupted(what) => StoreError::Damaged(what),
        redb::Error::UpgradeRequired(_) => StoreError::Foreign,
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse,
        redb::Error::RepairAborted => damaged("its repair was broken off"),
        redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. } => {
            StoreError::Foreign
        }
        error => StoreError::Io(error.to_string()),
    }
}
