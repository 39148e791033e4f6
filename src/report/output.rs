//! Writing an output folder so that nobody ever finds a damaged or half-written file in it.
//!
//! Everything is drawn in memory first. Then each file is written beside its final place under a temporary
//! name and synced; only when all of them are safe on the disk are they renamed, which a file system does
//! whole or not at all. On any error the temporary files are removed, files of an earlier run stay as they
//! were, and the caller gets an [`OutputError`] (exit code 4 on the command line).
//!
//! Long files that are made bit by bit, such as captures, go through [`PendingFile`].

use super::sweep::run_files;
use super::{charts, json_pretty, measures_parquet, page, timeline};
use crate::measure::RunResult;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// An output that could not be written: what was tried, on which path, and why not.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {reason}", path.display())]
pub struct OutputError {
    /// What was tried: `create the folder`, `write`, `replace`.
    pub action: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub reason: io::Error,
}

impl OutputError {
    /// An error of a writer that has kinds of its own.
    pub fn other(action: &'static str, path: &Path, error: &dyn fmt::Display) -> OutputError {
        OutputError {
            action,
            path: path.to_path_buf(),
            reason: io::Error::other(error.to_string()),
        }
    }
}

/// Draws everything and writes it into `dir`, which is created if missing; returns the paths written.
///
/// The folder gets `summary.json`, `report.html`, `timeline.txt`, `measures.parquet`, `run.json` and
/// `series.csv` (what `winstorm chart` compares) and, for each chart, `charts/NAME.svg` and
/// `charts/NAME.png`. `wall_s` is how many seconds the run took.
///
/// # Errors
/// [`OutputError`] for the first thing that failed; no file is damaged or half-written then.
pub fn write_all(
    dir: &Path,
    result: &RunResult,
    wall_s: Option<f64>,
) -> Result<Vec<PathBuf>, OutputError> {
    prepare(dir)?;
    write_files(dir, &render_all(result, wall_s))
}

/// The files of [`write_all`] as names relative to the folder and their bytes.
pub fn render_all(result: &RunResult, wall_s: Option<f64>) -> Vec<(String, Vec<u8>)> {
    let charts = charts(result);
    let mut files = vec![
        ("report.html".to_string(), page(result, &charts).into_bytes()),
        ("summary.json".to_string(), json_pretty(result, wall_s).into_bytes()),
        ("timeline.txt".to_string(), timeline(result).into_bytes()),
        ("measures.parquet".to_string(), measures_parquet(std::slice::from_ref(result))),
    ];
    files.extend(run_files(result));
    for chart in &charts {
        files.push((format!("charts/{}.svg", chart.name()), chart.svg().into_bytes()));
        files.push((format!("charts/{}.png", chart.name()), chart.png()));
    }
    files
}

/// Makes sure `dir` exists and takes files, so that a long run does not find out at its end.
///
/// # Errors
/// [`OutputError`] if it cannot be created or written to.
pub fn prepare(dir: &Path) -> Result<(), OutputError> {
    let mut disk = RealDisk;
    create_dir(&mut disk, dir)?;
    let probe = part_name(&dir.join("probe"));
    disk.write_new(&probe, b"?").map_err(|e| {
        let _ = disk.remove(&probe);
        OutputError { action: "write into", path: dir.to_path_buf(), reason: e }
    })?;
    disk.remove(&probe).map_err(failed("remove", &probe))
}

/// Writes files (names relative to `dir`, with `/` for folders inside) all together or not at all, and
/// returns their paths.
///
/// # Errors
/// [`OutputError`] for the first thing that failed; no file is damaged or half-written then.
pub fn write_files(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<Vec<PathBuf>, OutputError> {
    write_batch(&mut RealDisk, dir, files)
}

/// What a batch needs of a file system; tests put a failing one in its place.
trait Disk {
    fn create_dir(&mut self, path: &Path) -> io::Result<()>;
    fn is_dir(&self, path: &Path) -> bool;
    /// Creates, writes and syncs a file that must not exist.
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&mut self, path: &Path) -> io::Result<()>;
}

struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OutputError + 'a {
    move |reason| OutputError { action, path: path.to_path_buf(), reason }
}

fn create_dir(disk: &mut impl Disk, dir: &Path) -> Result<(), OutputError> {
    disk.create_dir(dir).map_err(|e| {
        let reason = match e.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                io::Error::new(e.kind(), "there is a file in its place")
            }
            _ => e,
        };
        OutputError { action: "create the folder", path: dir.to_path_buf(), reason }
    })
}

/// The temporary name beside `path`: hidden, and of this process, so that two runs into one folder do not
/// write into each other's files.
fn part_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_batch(
    disk: &mut impl Disk,
    dir: &Path,
    files: &[(String, Vec<u8>)],
) -> Result<Vec<PathBuf>, OutputError> {
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| dir.join(name)).collect();
    let mut parts: Vec<PathBuf> = Vec::with_capacity(paths.len());
    let outcome = write_parts(disk, &paths, files, &mut parts).and_then(|()| {
        parts
            .iter()
            .zip(&paths)
            .try_for_each(|(part, path)| disk.rename(part, path).map_err(failed("replace", path)))
    });
    if let Err(error) = outcome {
        for part in &parts {
            let _ = disk.remove(part); // those renamed are gone already; the first error is the one to tell
        }
        return Err(error);
    }
    Ok(paths)
}

/// Writes every file under its temporary name; `parts` names them even when one fails.
fn write_parts(
    disk: &mut impl Disk,
    paths: &[PathBuf],
    files: &[(String, Vec<u8>)],
    parts: &mut Vec<PathBuf>,
) -> Result<(), OutputError> {
    for (path, (_, bytes)) in paths.iter().zip(files) {
        if let Some(folder) = path.parent() {
            create_dir(disk, folder)?;
        }
        if disk.is_dir(path) {
            let reason =
                io::Error::new(io::ErrorKind::IsADirectory, "there is a folder in its place");
            return Err(OutputError { action: "write", path: path.clone(), reason });
        }
        let part = part_name(path);
        parts.push(part.clone());
        disk.write_new(&part, bytes).map_err(failed("write", path))?;
    }
    Ok(())
}

/// A file that appears under its name only when it is complete: bytes go to a temporary file beside it,
/// which [`PendingFile::commit`] syncs and renames, and which is removed if that never happens.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    part: PathBuf,
    /// `None` after the commit.
    file: Option<BufWriter<File>>,
}

impl PendingFile {
    /// Starts a file at `path`, creating its folder if missing.
    ///
    /// # Errors
    /// [`OutputError`] if the folder or the temporary file cannot be created.
    pub fn create(path: &Path) -> Result<PendingFile, OutputError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            create_dir(&mut RealDisk, folder)?;
        }
        let part = part_name(path);
        let file = File::create_new(&part).map_err(failed("write", path))?;
        Ok(PendingFile { path: path.to_path_buf(), part, file: Some(BufWriter::new(file)) })
    }

    /// Brings everything written so far to the disk, so that nothing but the rename can fail any more.
    ///
    /// # Errors
    /// [`OutputError`] if the last bytes could not be written.
    pub fn complete(&mut self) -> Result<(), OutputError> {
        let writer = self.file.as_mut().expect("not committed yet");
        let outcome = writer.flush().and_then(|()| writer.get_ref().sync_all());
        outcome.map_err(|reason| self.error(reason))
    }

    /// Makes the file whole under its name and returns that.
    ///
    /// # Errors
    /// [`OutputError`] if the last bytes or the rename failed; the temporary file is removed then.
    pub fn commit(mut self) -> Result<PathBuf, OutputError> {
        self.complete()?;
        std::fs::rename(&self.part, &self.path).map_err(|reason| self.error(reason))?;
        self.file = None;
        Ok(self.path.clone())
    }

    /// The error that a failed write means, with the path in it.
    pub fn error(&self, reason: io::Error) -> OutputError {
        OutputError { action: "write", path: self.path.clone(), reason }
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().expect("not committed yet").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().expect("not committed yet").flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(writer) = self.file.take() {
            let _ = writer.into_parts(); // drop what was not written; the file goes anyway
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A file system in memory whose n-th operation fails: a failing write leaves half of its bytes.
    #[derive(Default)]
    struct FailingDisk {
        files: BTreeMap<PathBuf, Vec<u8>>,
        operations: usize,
        fails_at: usize,
    }

    impl FailingDisk {
        fn operate(&mut self) -> io::Result<()> {
            self.operations += 1;
            if self.operations == self.fails_at {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(())
        }
    }

    impl Disk for FailingDisk {
        fn create_dir(&mut self, _: &Path) -> io::Result<()> {
            self.operate()
        }
        fn is_dir(&self, _: &Path) -> bool {
            false
        }
        fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            let outcome = self.operate();
            let kept = if outcome.is_ok() { bytes.len() } else { bytes.len() / 2 };
            self.files.insert(path.to_path_buf(), bytes[..kept].to_vec());
            outcome
        }
        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.operate()?;
            let bytes = self.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
            self.files.insert(to.to_path_buf(), bytes);
            Ok(())
        }
        fn remove(&mut self, path: &Path) -> io::Result<()> {
            self.files.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn whichever_operation_fails_every_file_is_whole_old_or_absent() {
        let old = BTreeMap::from([(PathBuf::from("out/a"), b"old a".to_vec())]);
        let new = [("a".to_string(), b"new a".to_vec()), ("b/c".to_string(), b"new c".to_vec())];
        for fails_at in 1.. {
            let mut disk = FailingDisk { files: old.clone(), operations: 0, fails_at };
            let outcome = write_batch(&mut disk, Path::new("out"), &new);
            for (path, bytes) in &disk.files {
                let name = path.strip_prefix("out").expect("inside").to_str().expect("ascii");
                let is_new = new.iter().any(|(n, b)| n == name && b == bytes);
                assert!(is_new || old.get(path) == Some(bytes), "{path:?} is {bytes:?}");
            }
            if disk.operations < fails_at {
                assert_eq!(outcome.expect("nothing failed").len(), 2);
                assert_eq!(disk.files.len(), 2);
                assert_eq!(fails_at, 7, "two folders, two writes, two renames can fail");
                return;
            }
            assert!(outcome.expect_err("one failed").to_string().contains("cannot"));
            if fails_at <= 4 {
                assert_eq!(disk.files, old, "until all are written, nothing is replaced");
            }
        }
    }
}
