//! Opening what a live server stands on: signals, event queue, database, recording, static mappings.

use super::live::{NAMES, REPLICATION, SIGNALS};
use super::options::{LiveOptions, ServeError};
use super::record::Recorder;
use super::restore::restore;
use super::store_file::{StoreFile, journal_path};
use crate::wins::{
    Core, LmhostsEntry, NameKind, RecordState, StaticMapping, StoreError, StoreOptions, WinsConfig,
    WinsStore, parse_lmhosts,
};
use crate::wire::ScopeId;
use mio::net::{TcpListener, UdpSocket, UnixStream};
use mio::{Interest, Poll};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What signals asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) counters: Arc<AtomicBool>,
    wakes: UnixStream,
}

impl Asked {
    /// Catches SIGINT, SIGTERM and SIGUSR1. A second SIGINT ends the program at once.
    pub(super) fn new() -> io::Result<Asked> {
        let (wakes, sender) = std::os::unix::net::UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(SIGINT, 4, stop.clone())?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, stop.clone())?;
        }
        signal_hook::flag::register(SIGUSR1, counters.clone())?;
        for signal in [SIGINT, SIGTERM, SIGUSR1] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Asked { stop, counters, wakes: UnixStream::from_std(wakes) })
    }

    pub(super) fn clear(&mut self) {
        let mut bytes = [0; 64];
        while self.wakes.read(&mut bytes).is_ok_and(|count| count > 0) {}
    }
}

/// The database, and a recording that begins with it.
#[allow(clippy::type_complexity)]
pub(super) fn open_store(
    options: &LiveOptions,
    config: &WinsConfig,
) -> Result<(WinsStore, Option<(PathBuf, Recorder)>), ServeError> {
    let store_error = |error| ServeError::Store(options.store.clone(), error);
    let file = StoreFile::open(&options.store).map_err(store_error)?;
    let journal = StoreFile::open(&journal_path(&options.store)).map_err(store_error)?;
    let record = |path: &PathBuf| {
        Recorder::create(path, &options.settings, config, &file, &journal)
            .map(|recorder| (path.clone(), recorder))
            .map_err(|error| ServeError::Record(path.clone(), error))
    };
    let recorder = options.record.as_ref().map(record).transpose()?;
    let store_options = options.settings.store_options();
    match WinsStore::open_journaled(file.clone(), journal, &store_options) {
        Ok(store) => Ok((store, recorder)),
        Err(StoreError::Damaged(why)) => {
            let store = open_backup(options, why, &file)?;
            Ok((store, recorder))
        }
        Err(error) => Err(store_error(error)),
    }
}

/// The backup in the place of a damaged database, if there is one (Q167806). `_locked` is the damaged file,
/// which nobody else shall open meanwhile.
fn open_backup(
    options: &LiveOptions,
    why: String,
    _locked: &StoreFile,
) -> Result<WinsStore, ServeError> {
    let store_error = |error| ServeError::Store(options.store.clone(), error);
    let Some(backup) = options.backup.as_deref().filter(|backup| backup.is_file()) else {
        return Err(store_error(StoreError::Damaged(why)));
    };
    let (store, copy) = (options.store.display(), backup.display());
    tracing::error!(
        "{store} is damaged: {why}. The backup {copy} takes its place; the damaged file is kept as \
         {store}.damaged"
    );
    restore(&options.store, backup)
        .map_err(|error| store_error(StoreError::Io(error.to_string())))?;
    let file = StoreFile::open(&options.store).map_err(store_error)?;
    let journal = StoreFile::open(&journal_path(&options.store)).map_err(store_error)?;
    let store_options = StoreOptions { restored: true, ..options.settings.store_options() };
    WinsStore::open_journaled(file, journal, &store_options).map_err(store_error)
}

/// Ends a recording with the digest of the closed database.
pub(super) fn finish_recording(recorder: Option<(PathBuf, Recorder)>, digest: u64, store: &Path) {
    let Some((path, recorder)) = recorder else { return };
    let finished = StoreFile::read_only(store)
        .and_then(|file| file.digest())
        .and_then(|(length, stored)| recorder.finish(digest, length, stored));
    match finished {
        Ok(inputs) => tracing::info!(inputs, "recorded in {}", path.display()),
        Err(error) => tracing::error!("--record {}: {error}", path.display()),
    }
}

/// An event queue with both sockets and the signals.
pub(super) fn wait_for(
    names: &mut UdpSocket,
    replication: &mut TcpListener,
) -> io::Result<(Poll, Asked)> {
    let poll = Poll::new()?;
    let mut asked = Asked::new()?;
    let registry = poll.registry();
    registry.register(names, NAMES, Interest::READABLE)?;
    registry.register(replication, REPLICATION, Interest::READABLE)?;
    registry.register(&mut asked.wakes, SIGNALS, Interest::READABLE)?;
    Ok((poll, asked))
}

/// The texts of the files of static mappings, each checked.
pub(super) fn read_statics(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, ServeError> {
    let read = |file: &PathBuf| {
        let wrong = |why: String| ServeError::Statics(file.clone(), why);
        let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        parse_lmhosts(&text).map_err(|error| wrong(error.to_string()))?;
        Ok(text)
    };
    files.iter().map(read).collect()
}

/// Whether every mapping of a file is in the database already, so that a restart gives no new versions to
/// what has not changed.
pub(super) fn is_imported(text: &[u8], core: &Core) -> bool {
    let Ok((entries, _)) = parse_lmhosts(text) else { return false };
    let is_stored = |entry: &LmhostsEntry| {
        let mapping = StaticMapping::new(entry.name, entry.kind, vec![entry.address]);
        let mapping = StaticMapping { exact: entry.exact, ..mapping };
        mapping.names(core.profile.version).all(|name| {
            core.names.get(&name, &ScopeId::none()).is_some_and(|stored| {
                let has = || stored.members.as_slice().iter().any(|m| m.address == entry.address);
                stored.is_static()
                    && stored.owner == core.own
                    && stored.state == RecordState::Active
                    && stored.kind == entry.kind.kind()
                    && (stored.kind == NameKind::Group || has())
            })
        })
    };
    entries.iter().all(is_stored)
}
