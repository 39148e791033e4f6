//! What a live server is started with, and why it may not start.

use super::settings::{Settings, SettingsError};
use super::sockets::SocketError;
use crate::base::SimDuration;
use crate::wins::StoreError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What a live server needs beside its settings.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// How the machines behave.
    pub settings: Settings,
    /// The database's file.
    pub store: PathBuf,
    /// Where copies of the database go, as often as the settings say; not together with a recording.
    pub backup: Option<PathBuf>,
    /// LMHOSTS files with static mappings.
    pub statics: Vec<PathBuf>,
    /// Time between lines of counters; `None` shows them on SIGUSR1 only.
    pub counters_every: Option<SimDuration>,
    /// A program run for every name added, refreshed or deleted.
    pub on_change: Option<PathBuf>,
    /// A file for every input.
    pub record: Option<PathBuf>,
    /// Requests a second from one address; `None` is the usual limit, which spares this machine's programs.
    pub flood_limit: Option<u32>,
}

/// Why a server did not start, or had to stop.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings do not hold together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Settings(Vec<SettingsError>),
    /// A file of static mappings cannot be imported.
    #[error("--static {file}: {why}", file = .0.display(), why = .1)]
    Statics(PathBuf, String),
    /// A socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The database.
    #[error("--store {file}: {error}{advice}", file = .0.display(), error = .1, advice = advice(.1))]
    Store(PathBuf, StoreError),
    /// The program to be run for changes.
    #[error("--on-change {file}: {error}", file = .0.display(), error = .1)]
    Hook(PathBuf, io::Error),
    /// The recording.
    #[error("--record {file}: {error}", file = .0.display(), error = .1)]
    Record(PathBuf, io::Error),
    /// Anything else the machine refuses.
    #[error("{0}: {1}")]
    Machine(&'static str, io::Error),
}

/// What to do about it.
fn advice(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged(_) => {
            "; the file is left as it is. --salvage NEWFILE copies what is intact into a new one"
        }
        StoreError::OtherServer { .. } => "; --adopt takes it over",
        StoreError::InUse => ": one database serves one server",
        StoreError::OtherFormat { .. } => "; the file is left as it is",
        _ => "",
    }
}

impl ServeError {
    /// Whether the user, not the machine, has to change something.
    pub fn is_mistake(&self) -> bool {
        matches!(self, ServeError::Settings(_) | ServeError::Statics(..))
    }
}
