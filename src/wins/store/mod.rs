//! The WINS database: name records, owners' maxima and the reserved version counter in a `redb` file
//! ([`tables`]), for a served database with a journal beside it ([`journal`]).
//!
//! What is promised, by mode of commit:
//!
//! | mode | promise |
//! | --- | --- |
//! | strict | an answer leaves after its change is durable: a power cut takes nothing that was answered |
//! | lazy | as the original did: an answer leaves at once, and a power cut takes what was changed since the last commit, all of a commit or nothing |
//!
//! In both modes a power cut leaves a database that opens, no version id is ever given out twice (they are
//! reserved ahead), and partners miss nothing for ever.
//!
//! Changes gather in memory and reach the disk with [`WinsStore::commit`], durable when it returns (in
//! simulation: when the simulated disk says so). A change made twice between two commits is written once.
//!
//! Two ways to keep a database:
//!
//! * [`WinsStore::open`]: one file, each commit one `redb` transaction. For simulated disks.
//! * [`WinsStore::open_journaled`]: a commit is one frame in the journal and one sync, wherever its records
//!   lie in the tree. Now and then a [`Checkpoint`] writes what gathered into the `redb` file; it can run
//!   on another thread meanwhile. After [`WinsStore::close`] the `redb` file is complete by itself.
//!
//! A file that is damaged, foreign or of another format is left as it was, byte for byte: it is first
//! opened and read as a whole through an overlay in memory ([`guard`]). What is intact in a damaged one is
//! brought to safety by [`salvage`], record by record; [`Backup`] copies the database while it is in use.
//!
//! Not done: compaction (space of deleted records is reused; a backup is compact).

mod backup;
mod changes;
mod error;
mod guard;
mod journal;
mod pages;
mod salvage;
mod tables;

pub use self::backup::Backup;
pub use self::error::StoreError;
pub use self::salvage::{Salvaged, salvage};

use self::changes::{Changes, Gathered};
use self::error::{damaged, from_io, from_redb};
use self::guard::Overlay;
use self::journal::{Found, Journal};
use self::tables::Meta;
use super::io::{StoreOp, WinsOutput};
use super::record::VersionId;
use super::server::Loaded;
use crate::base::Outbox;
use redb::{Builder, Database, StorageBackend};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The format this program writes; a file of another one is refused.
pub const FORMAT: u64 = 2;

/// Memory for pages of one database. The server holds every record itself and reads the file only at start,
/// so a few pages of the tree's upper levels suffice.
const CACHE_BYTES: usize = 64 * 1024;
/// The same for a served database, of which there is only one, and whose checkpoints touch much of the tree.
const SERVED_CACHE_BYTES: usize = 32 << 20;
/// When a checkpoint is due: long enough that one pass over the tree serves many commits, short enough
/// that its changes fit easily in memory and are replayed within a second.
const JOURNAL_BYTES: u64 = 16 << 20;
/// A commit makes the checkpoint itself when the journal is this many times longer than that.
const JOURNAL_LIMIT: u64 = 4;

/// How far the version counter jumps when it is not known what was given out: far more than a server
/// assigns in a year, and nothing out of 2^64.
pub const VERSION_JUMP: u64 = 1 << 32;

/// What a finished `redb` file begins with; zeros instead mean that its creation was cut off.
const MAGIC_BYTES: usize = 9;

/// What one commit wrote.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// The last change it made durable, for [`super::WinsInput::Durable`].
    pub ticket: u64,
    /// Records stored or removed.
    pub records: usize,
    /// Owners whose maximum was written.
    pub owners: usize,
    /// The reserved version written, if it was.
    pub reserved: Option<VersionId>,
}

/// How a served database is opened.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct StoreOptions {
    /// The server's address. The database of a server with another address is refused (Q140971).
    pub address: Option<Ipv4Addr>,
    /// Take over the database of another address all the same: from now on it is this server's.
    pub adopt: bool,
    /// The database was restored from a backup: versions given out since are unknown, so the counter
    /// jumps by [`VERSION_JUMP`].
    pub restored: bool,
    /// Memory for pages.
    pub cache_bytes: usize,
    /// Length of the journal from which on a checkpoint is due.
    pub journal_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            address: None,
            adopt: false,
            restored: false,
            cache_bytes: SERVED_CACHE_BYTES,
            journal_bytes: JOURNAL_BYTES,
        }
    }
}

/// An open WINS database.
#[derive(Debug)]
pub struct WinsStore {
    database: Arc<Database>,
    /// Not committed, in the order in which it came.
    incoming: Gathered,
    /// Not committed: what a failed commit has sorted out.
    gathered: Changes,
    applied: u64,
    meta: Meta,
    journaled: Option<Journaled>,
}

/// The half of a store that only a journaled one has.
#[derive(Debug)]
struct Journaled {
    journal: Journal,
    checkpoint_at: u64,
    /// Committed, and neither in the database nor on the way to it.
    newer: Changes,
    /// On the way into the database.
    on_the_way: Option<Arc<Changes>>,
    /// A write failed: what the files hold is not known any more.
    failed: bool,
}

/// Changes on their way from the journal into the database. It may run on another thread while the store
/// goes on committing.
#[derive(Debug)]
pub struct Checkpoint {
    database: Arc<Database>,
    changes: Arc<Changes>,
    meta: Meta,
}

impl Checkpoint {
    /// Writes the changes, durable when it returns. Then give it back: [`WinsStore::end_checkpoint`].
    ///
    /// # Errors
    /// The disk is full or failed. Nothing is lost: the journal still holds the changes.
    pub fn run(&self) -> Result<(), StoreError> {
        let written =
            tables::write(&self.database, &self.changes, Some(&self.meta), self.meta.sequence);
        written.map(drop).map_err(from_redb)
    }

    /// How many changes it writes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl WinsStore {
    /// Opens the database, or makes an empty one if the file is empty or its creation was once cut off.
    ///
    /// # Errors
    /// See [`StoreError`]; the file is left as it was, except for what `redb` repairs.
    pub fn open(backend: impl StorageBackend) -> Result<WinsStore, StoreError> {
        start_over_if_unfinished(&backend).map_err(from_io)?;
        let (database, meta) = open_tables(backend, CACHE_BYTES)?;
        if meta.journal {
            return Err(damaged("commits of it may stand in a journal"));
        }
        Ok(WinsStore::new(database, meta, None))
    }

    fn new(database: Database, meta: Meta, journaled: Option<Journaled>) -> WinsStore {
        let database = Arc::new(database);
        let (incoming, gathered) = (Gathered::default(), Changes::default());
        WinsStore { database, incoming, gathered, applied: 0, meta, journaled }
    }

    /// Opens a served database and its journal, or makes an empty one. What the journal holds beyond the
    /// database is written into the database.
    ///
    /// # Errors
    /// See [`StoreError`]. Unless it is `Full` or `Io`, both files are byte for byte as they were: they
    /// were read as a whole before the first write.
    pub fn open_journaled<B, J>(
        file: B,
        journal: J,
        options: &StoreOptions,
    ) -> Result<WinsStore, StoreError>
    where
        B: StorageBackend + Clone,
        J: StorageBackend,
    {
        let found = Found::read(&journal)?;
        let is_new = is_new(&file, &found)?;
        if !is_new {
            check_whole(file.clone(), &found, options)?;
        } else if file.len().map_err(from_io)? > 0 {
            file.set_len(0).and_then(|()| file.sync_data()).map_err(from_io)?;
        }
        let (database, mut meta) = open_tables(file, options.cache_bytes)?;
        let (newer, last) = found.after(meta.sequence)?;
        let before = meta;
        meta.sequence = last;
        meta.reserved = newer.reserved.unwrap_or_default().max(meta.reserved);
        meta.address = options.address.or(meta.address);
        if options.restored {
            meta.reserved = VersionId(meta.reserved.0.saturating_add(VERSION_JUMP));
        }
        // Frames that are not in the database yet must not be overwritten by the journal's beginning.
        if !newer.is_empty() {
            tables::write(&database, &newer, Some(&meta), last).map_err(from_redb)?;
        }
        let journal = Journal::begin(Box::new(journal), &found, last, meta.reserved)?;
        meta.journal = true;
        if meta != before {
            tables::write(&database, &Changes::default(), Some(&meta), last).map_err(from_redb)?;
        }
        let journaled = Journaled {
            journal,
            checkpoint_at: options.journal_bytes,
            newer: Changes::default(),
            on_the_way: None,
            failed: false,
        };
        Ok(WinsStore::new(database, meta, Some(journaled)))
    }

    /// Gathers one change for the next commit; its bytes are in `out`. Returns its ticket: changes are
    /// counted from 1 since the database was opened.
    pub fn apply(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) -> u64 {
        self.applied += 1;
        self.incoming.gather(op, out);
        self.applied
    }

    /// Gathers every change among the outputs of a server.
    pub fn apply_all(&mut self, out: &Outbox<WinsOutput>) {
        for item in &out.items {
            if let WinsOutput::Store(op) = item {
                self.apply(op, out);
            }
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_clean(&self) -> bool {
        self.gathered.is_empty() && self.incoming.is_empty()
    }

    /// Changes gathered since the last commit, repeated ones counted each time.
    pub fn pending(&self) -> usize {
        self.gathered.len() + self.incoming.len()
    }

    /// Makes everything gathered durable, all of it or nothing. Does nothing if nothing changed.
    ///
    /// # Errors
    /// The disk is full or failed. The changes stay gathered, so that a commit on a reopened database is
    /// the caller's choice; this one refuses further writes after a failed one.
    pub fn commit(&mut self) -> Result<Committed, StoreError> {
        if self.is_clean() {
            return Ok(Committed { ticket: self.applied, ..Committed::default() });
        }
        self.incoming.settle(&mut self.gathered);
        self.meta.reserved = self.gathered.reserved.unwrap_or_default().max(self.meta.reserved);
        let committed = Committed {
            ticket: self.applied,
            records: self.gathered.records.len(),
            owners: self.gathered.owners.len(),
            reserved: self.gathered.reserved,
        };
        let Some(journaled) = &mut self.journaled else {
            let sequence = self.meta.sequence + 1;
            self.meta.sequence = sequence;
            let meta = self.gathered.reserved.map(|_| &self.meta);
            tables::write(&self.database, &self.gathered, meta, sequence).map_err(from_redb)?;
            self.gathered = Changes::default();
            return Ok(committed);
        };
        journaled.append(&mut self.gathered, self.meta.reserved)?;
        if journaled.journal.used() > JOURNAL_LIMIT * journaled.checkpoint_at {
            self.checkpoint_now()?;
        }
        Ok(committed)
    }

    /// Whether the journal has become so long that [`WinsStore::begin_checkpoint`] should be called. A
    /// commit does the work itself, and takes its time for it, when that is put off too long.
    pub fn checkpoint_due(&self) -> bool {
        self.journaled.as_ref().is_some_and(|journaled| {
            journaled.on_the_way.is_none() && journaled.journal.used() >= journaled.checkpoint_at
        })
    }

    /// Begins to move what was committed from the journal into the database. `None` if there is nothing to
    /// move, or it is already being moved.
    pub fn begin_checkpoint(&mut self) -> Option<Checkpoint> {
        let journaled = self.journaled.as_mut()?;
        if journaled.on_the_way.is_some() || journaled.newer.is_empty() || journaled.failed {
            return None;
        }
        let changes = Arc::new(std::mem::take(&mut journaled.newer));
        journaled.on_the_way = Some(changes.clone());
        let meta = Meta { sequence: journaled.journal.cut(), ..self.meta };
        Some(Checkpoint { database: self.database.clone(), changes, meta })
    }

    /// The checkpoint has run without an error: its space in the journal is free again.
    pub fn end_checkpoint(&mut self, checkpoint: Checkpoint) {
        self.meta.sequence = checkpoint.meta.sequence;
        if let Some(journaled) = &mut self.journaled {
            journaled.journal.free(checkpoint.meta.sequence);
            journaled.on_the_way = None;
        }
    }

    fn checkpoint_now(&mut self) -> Result<(), StoreError> {
        if let Some(checkpoint) = self.begin_checkpoint() {
            checkpoint.run()?;
            self.end_checkpoint(checkpoint);
        }
        Ok(())
    }

    /// Commits what is gathered and ends in order: the database file is complete without its journal,
    /// which is empty afterwards.
    ///
    /// # Errors
    /// The disk is full or failed; the files are then as after a power cut.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.commit()?;
        let Some(mut journaled) = self.journaled.take() else { return Ok(()) };
        let mut changes = match journaled.on_the_way.take() {
            Some(changes) => Arc::unwrap_or_clone(changes),
            None => Changes::default(),
        };
        changes.append(&mut journaled.newer);
        let meta = Meta { sequence: journaled.journal.last(), journal: false, ..self.meta };
        tables::write(&self.database, &changes, Some(&meta), meta.sequence).map_err(from_redb)?;
        journaled.journal.clear()
    }

    /// Reads everything. What is gathered but not committed is not in it.
    ///
    /// # Errors
    /// The disk failed, or a record does not decode.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let mut loaded = tables::load(&self.database, &self.newer())?;
        loaded.reserve = self.meta.reserved;
        Ok(loaded)
    }

    /// Begins a copy of what is committed, while the store goes on.
    ///
    /// # Errors
    /// The disk failed.
    pub fn begin_backup(&self) -> Result<Backup, StoreError> {
        let newer = self.newer().into_iter().cloned().collect();
        Backup::begin(&self.database, newer, self.meta)
    }

    /// The address of the server this database belongs to, once one has claimed it.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.meta.address
    }

    /// Committed changes that are not in the database, oldest first.
    fn newer(&self) -> Vec<&Changes> {
        let Some(journaled) = &self.journaled else { return Vec::new() };
        journaled.on_the_way.as_deref().into_iter().chain([&journaled.newer]).collect()
    }
}

impl Journaled {
    /// Writes the changes to the journal; they are then in `newer`, and `changes` is empty.
    fn append(&mut self, changes: &mut Changes, reserved: VersionId) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Io("an earlier write failed".into()));
        }
        self.failed = true;
        self.journal.append(changes, reserved)?;
        self.failed = false;
        self.newer.append(changes);
        Ok(())
    }
}

/// Opens or creates the `redb` file.
fn open_tables(
    backend: impl StorageBackend,
    cache_bytes: usize,
) -> Result<(Database, Meta), StoreError> {
    let database = Builder::new()
        .set_cache_size(cache_bytes)
        .set_check_integrity_on_open(true)
        .create_with_backend(backend)
        .map_err(|error| from_redb(error.into()))?;
    if let Some(meta) = tables::read_meta(&database)? {
        return Ok((database, meta));
    }
    let meta = Meta::default();
    tables::create(&database, &meta).map_err(from_redb)?;
    Ok((database, meta))
}

/// Reads everything in the database and its journal without touching either.
fn check_whole(
    file: impl StorageBackend + Clone,
    found: &Found,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    let overlay = Overlay::new(file.clone()).map_err(from_io)?;
    let database = Builder::new()
        .set_cache_size(options.cache_bytes)
        .set_check_integrity_on_open(true)
        .create_with_backend(overlay)
        .map_err(|error| from_redb(error.into()));
    let database = match database {
        Err(StoreError::Foreign) if pages::holds_records(&file)? => {
            return Err(damaged("its header is damaged"));
        }
        database => database?,
    };
    let Some(meta) = tables::read_meta(&database)? else {
        // Its creation was cut off between the file and its tables.
        return found.last().map_or(Ok(()), |_| Err(damaged("its tables are gone")));
    };
    if let (Some(own), Some(owner)) = (options.address, meta.address)
        && own != owner
        && !options.adopt
    {
        return Err(StoreError::OtherServer { found: owner, own });
    }
    if meta.journal && found.last().is_none_or(|last| last < meta.sequence) {
        return Err(damaged("its journal is missing or older than the database"));
    }
    let (newer, _) = found.after(meta.sequence)?;
    tables::load(&database, &[&newer]).map(drop)
}

/// Whether the file is still to be made: empty, or its creation was cut off before anything was in it.
fn is_new(file: &impl StorageBackend, found: &Found) -> Result<bool, StoreError> {
    let len = file.len().map_err(from_io)?;
    if len > 0 && !has_zero_magic(file).map_err(from_io)? {
        return Ok(false);
    }
    if found.last().is_some() || (len > 0 && pages::holds_records(file)?) {
        return Err(damaged("its header is gone"));
    }
    Ok(true)
}

fn has_zero_magic(backend: &impl StorageBackend) -> io::Result<bool> {
    let mut magic = [0; MAGIC_BYTES];
    let readable = backend.len()?.min(MAGIC_BYTES as u64) as usize;
    backend.read(0, &mut magic[..readable])?;
    Ok(magic == [0; MAGIC_BYTES])
}

/// Empties a file in which `redb` had not yet finished its header: it writes its mark last.
fn start_over_if_unfinished(backend: &impl StorageBackend) -> io::Result<()> {
    if backend.len()? > 0 && has_zero_magic(backend)? {
        backend.set_len(0)?;
        backend.sync_data()?;
    }
    Ok(())
}

#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod salvage_tests;
#[cfg(test)]
mod tests;
