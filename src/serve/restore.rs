//! A backup in the place of a damaged database (Q167806).

use super::store_file::journal_path;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Puts a copy of the backup where the damaged database is. Database and journal are kept as `.damaged`
/// beside it. Whoever opens the result says so ([`crate::wins::StoreOptions::restored`]), because
/// versions given out since the backup are unknown.
///
/// The caller holds the lock of the damaged file. Whatever happens in between, under the database's name
/// there is afterwards the damaged file or the whole backup.
///
/// # Errors
/// A file cannot be read or written.
pub fn restore(store: &Path, backup: &Path) -> io::Result<()> {
    let part = beside(store, ".restoring");
    fs::copy(backup, &part)?;
    File::open(&part)?.sync_all()?;
    let journal = journal_path(store);
    if journal.exists() {
        fs::rename(&journal, beside(&journal, ".damaged"))?;
    }
    // The damaged file gets a second name first, so that at no moment there is none.
    let kept = beside(store, ".damaged");
    if kept.exists() {
        fs::remove_file(&kept)?;
    }
    fs::hard_link(store, &kept)?;
    fs::rename(&part, store)?;
    sync_names(store)
}

/// Makes the names in a file's folder durable.
///
/// # Errors
/// The folder cannot be synced.
pub fn sync_names(file: &Path) -> io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
