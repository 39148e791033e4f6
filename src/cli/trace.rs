//! `--trace`: every dispatched event as a line of JSON, with its cause.

use crate::explore::{TraceLine, kind_of};
use crate::report::{OutputError, PendingFile};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// The file's name in the output folder.
pub(super) const FILE: &str = "events.jsonl";

/// The trace being written.
pub(super) struct TraceFile {
    file: PendingFile,
    failed: Option<io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Its number in the run, from 0.
    n: u64,
    time_ns: u64,
    /// `lane.sequence`: the event's identity, and who caused it.
    id: String,
    caused_by: &'a str,
    on: &'a str,
    kind: &'a str,
    index: u32,
    /// The sequences of `on` that this event handed out: their events have it as their cause.
    causes: [u64; 2],
}

impl TraceFile {
    /// Begins the trace below `dir`.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(super) fn create(dir: &Path) -> Result<TraceFile, OutputError> {
        Ok(TraceFile { file: PendingFile::create(&dir.join(FILE))?, failed: None })
    }

    /// Writes one event; the first error is kept for the end.
    pub(super) fn line(&mut self, line: &TraceLine<'_>) {
        if self.failed.is_some() {
            return;
        }
        let event = &line.dispatched.event;
        let (kind, index) = kind_of(event.payload);
        let line = Line {
            n: line.dispatched.ordinal,
            time_ns: event.time.0,
            id: format!("{}.{}", event.id.lane().0, event.id.sequence()),
            caused_by: line.cause,
            on: line.target,
            kind,
            index,
            causes: [line.dispatched.first_sequence, line.dispatched.next_sequence],
        };
        let written = serde_json::to_writer(&mut self.file, &line)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"));
        self.failed = written.err();
    }

    /// Writes the file's end; it gets its name when it is committed.
    ///
    /// # Errors
    /// A line could not be written, or the end of the file.
    pub(super) fn finish(mut self) -> Result<PendingFile, OutputError> {
        if let Some(error) = self.failed.take() {
            return Err(self.file.error(error));
        }
        self.file.complete()?;
        Ok(self.file)
    }
}
