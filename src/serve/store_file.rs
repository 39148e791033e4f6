//! The database's file and its journal, locked for as long as they are open: two servers on one store would
//! ruin it.

use crate::base::Digest;
use crate::wins::StoreError;
use redb::StorageBackend;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Read at a time when the whole file is read.
const CHUNK_BYTES: usize = 1 << 16;

/// An open file of a database. Clones share it.
#[derive(Clone, Debug)]
pub struct StoreFile {
    file: Arc<File>,
}

/// Where the journal of a database lies: beside it.
pub fn journal_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".journal");
    PathBuf::from(path)
}

impl StoreFile {
    /// Opens the file and locks it; creates it if there is none.
    ///
    /// # Errors
    /// It cannot be opened, or another program holds its lock.
    pub fn open(path: &Path) -> Result<StoreFile, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(|error| StoreError::Io(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(StoreFile { file: Arc::new(file) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
            Err(TryLockError::Error(error)) => Err(StoreError::Io(error.to_string())),
        }
    }

    /// Opens and locks a file that is there.
    ///
    /// # Errors
    /// As [`StoreFile::open`], and when there is no such file.
    pub fn open_existing(path: &Path) -> Result<StoreFile, StoreError> {
        match path.is_file() {
            true => StoreFile::open(path),
            false => Err(StoreError::Io("no such file".into())),
        }
    }

    /// Opens a file only to read it, or an empty one if there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read_or_empty(path: &Path) -> io::Result<StoreFile> {
        match StoreFile::read_only(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                StoreFile::read_only(Path::new("/dev/null"))
            }
            opened => opened,
        }
    }

    /// Opens a file only to read it; nothing is locked.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn read_only(path: &Path) -> io::Result<StoreFile> {
        Ok(StoreFile { file: Arc::new(File::open(path)?) })
    }

    /// Makes an empty file, also in the place of one that is there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn replace(path: &Path) -> io::Result<StoreFile> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(StoreFile { file: Arc::new(file) })
    }

    /// Makes a new file; one that is there already is an error.
    ///
    /// # Errors
    /// It exists, or cannot be made.
    pub fn create_new(path: &Path) -> io::Result<StoreFile> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        Ok(StoreFile { file: Arc::new(file) })
    }

    /// Length and digest of its content.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn digest(&self) -> io::Result<(u64, u64)> {
        let (mut digest, mut length) = (Digest::default(), 0);
        self.read_all(|bytes| {
            length += bytes.len() as u64;
            digest.fold_bytes(bytes);
            Ok(())
        })?;
        Ok((length, digest.value()))
    }

    /// Shows the whole file to `take`, piece by piece.
    ///
    /// # Errors
    /// The file cannot be read, or `take` fails.
    pub fn read_all(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = 0;
        loop {
            // Whole pieces, whatever the system gives at a time: digests are reckoned by piece.
            let mut filled = 0;
            while filled < chunk.len() {
                match self.file.read_at(&mut chunk[filled..], at + filled as u64)? {
                    0 => break,
                    read => filled += read,
                }
            }
            if filled == 0 {
                return Ok(());
            }
            take(&chunk[..filled])?;
            at += filled as u64;
        }
    }
}

/// The pieces in which a file's digest is reckoned.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(CHUNK_BYTES)
}

/// The digest of a file with these pieces.
pub(super) fn digest_of<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut digest = Digest::default();
    chunks.for_each(|chunk| digest.fold_bytes(chunk));
    digest.value()
}

impl StorageBackend for StoreFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
