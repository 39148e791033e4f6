//! `--on-change`: a program run for every name added, refreshed or deleted, as Samba's `wins hook` is
//! (smb.conf(5)).
//!
//! ```text
//! PROGRAM add|refresh|delete NAME TYPE TTL ADDRESS..
//! ```
//! The type is two hexadecimal digits, the time to live seconds (0 for static names and for names that are
//! gone). Names with anything but letters, digits, `-`, `_` and `.` are left out: programs like these are
//! often shell scripts. One program runs at a time, in the order of the changes, on a thread of its own;
//! the server never waits for it. What no longer fits into the queue is counted and lost.

use super::node::Turned;
use crate::base::WallTime;
use crate::wins::{NameRecord, RecordState};
use crate::wire::NetbiosName;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, sleep};
use std::time::Duration;

/// Changes that wait for the program.
const QUEUE_MAX: usize = 4096;
/// How long the program may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// How long a stopping server waits for changes that still wait.
const STOP_MAX: Duration = Duration::from_secs(3);
/// The first look whether a program has ended; each further one waits twice as long, up to the second.
const FIRST_LOOK: Duration = Duration::from_micros(500);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// What the program is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change {
    arguments: Vec<String>,
}

/// The thread that runs the program.
#[derive(Debug)]
pub(super) struct Hook {
    queue: SyncSender<Change>,
    ended: Receiver<()>,
}

impl Hook {
    /// Starts the thread.
    ///
    /// # Errors
    /// The program is not there, or the machine starts no more threads.
    pub(super) fn start(program: &Path) -> io::Result<Hook> {
        if !program.is_file() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such program"));
        }
        let program = program.canonicalize()?;
        let (queue, changes) = sync_channel::<Change>(QUEUE_MAX);
        let (tell, ended) = sync_channel(1);
        Builder::new().name("on-change".into()).spawn(move || {
            for change in changes {
                run(&program, &change);
            }
            let _ = tell.send(());
        })?;
        Ok(Hook { queue, ended })
    }

    /// Queues a change; false when it is lost.
    pub(super) fn tell(&self, change: Change) -> bool {
        self.queue.try_send(change).is_ok()
    }

    /// Waits a little for what is queued.
    pub(super) fn finish(self) {
        drop(self.queue);
        let _ = self.ended.recv_timeout(STOP_MAX);
    }
}

impl Change {
    /// A record was stored, after its state turned so; `None` when nobody needs to know.
    pub(super) fn stored(
        record: &NameRecord,
        turned: Option<Turned>,
        wall: WallTime,
    ) -> Option<Change> {
        let active = RecordState::Active;
        let (operation, held) = match turned {
            None if record.state == active => ("refresh", true),
            Some((before, _)) if record.state == active && before != Some(active) => ("add", true),
            Some((Some(RecordState::Active), _)) => ("delete", false),
            _ => return None,
        };
        let name = safe_name(&record.name)?;
        let ttl = match record.stamp {
            WallTime::NEVER => 0,
            stamp => WallTime(stamp.0.saturating_sub(wall.0)).secs(),
        };
        let mut arguments = words(operation, name, &record.name, if held { ttl } else { 0 });
        if held {
            arguments.extend(record.members.as_slice().iter().map(|m| m.address.to_string()));
        }
        Some(Change { arguments })
    }

    /// A record that was held is gone.
    pub(super) fn deleted(name: &NetbiosName, turned: Option<Turned>) -> Option<Change> {
        let (before, _) = turned?;
        if before != Some(RecordState::Active) {
            return None;
        }
        Some(Change { arguments: words("delete", safe_name(name)?, name, 0) })
    }
}

fn words(operation: &str, base: &str, name: &NetbiosName, ttl: u64) -> Vec<String> {
    let suffix = format!("{:02x}", name.suffix().0);
    vec![operation.to_string(), base.to_string(), suffix, ttl.to_string()]
}

/// The name without padding, if it is safe in a shell's hands.
fn safe_name(name: &NetbiosName) -> Option<&str> {
    let base = name.base();
    let safe = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    // A leading hyphen would be taken for an option.
    let fits = !base.is_empty() && base.iter().all(safe) && base[0] != b'-';
    std::str::from_utf8(base).ok().filter(|_| fits)
}

/// Runs the program once and sees its end.
fn run(program: &PathBuf, change: &Change) {
    let mut command = Command::new(program);
    command.args(&change.arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(child) => reap(child, program),
        Err(error) => tracing::warn!("--on-change {}: {error}", program.display()),
    }
}

fn reap(mut child: Child, program: &Path) {
    let (mut waited, mut look) = (Duration::ZERO, FIRST_LOOK);
    while waited < TIME_MAX {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => {
                return tracing::warn!("--on-change {}: {status}", program.display());
            }
            Err(error) => return tracing::warn!("--on-change {}: {error}", program.display()),
        }
        sleep(look);
        waited += look;
        look = (look * 2).min(LAST_LOOK);
    }
    tracing::warn!("--on-change {}: stopped, it took too long", program.display());
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wins::{Member, Members, NameKind, Origin, Owner, VersionId};
    use crate::wire::name_service::NodeType;
    use crate::wire::{ScopeId, Suffix};
    use std::net::Ipv4Addr;

    fn record(base: &[u8], state: RecordState) -> NameRecord {
        let mut name = [b' '; 16];
        name[..base.len()].copy_from_slice(base);
        name[15] = Suffix::SERVER.0;
        let own = Owner(Ipv4Addr::new(10, 0, 0, 5));
        let stamp = WallTime(90_000_000_000);
        let member = Member { address: Ipv4Addr::new(10, 0, 0, 9), owner: own, stamp };
        NameRecord {
            name: NetbiosName::from_bytes(name),
            scope: ScopeId::none(),
            kind: NameKind::Unique,
            state,
            origin: Origin::Dynamic,
            node_type: NodeType::B,
            owner: own,
            version: VersionId(1),
            stamp,
            members: std::iter::once(member).collect::<Members>(),
        }
    }

    fn told(state: RecordState, turned: Option<Turned>) -> Option<String> {
        let wall = WallTime(30_000_000_000);
        let change = Change::stored(&record(b"FILES-1", state), turned, wall);
        change.map(|change| change.arguments.join(" "))
    }

    #[test]
    fn the_program_hears_what_samba_s_would() {
        use RecordState::{Active, Released, Tombstone};
        let to = |before: Option<RecordState>, after: RecordState| Some((before, Some(after)));
        assert_eq!(told(Active, to(None, Active)).unwrap(), "add FILES-1 20 60 10.0.0.9");
        assert_eq!(told(Active, to(Some(Released), Active)).unwrap(), "add FILES-1 20 60 10.0.0.9");
        assert_eq!(told(Active, None).unwrap(), "refresh FILES-1 20 60 10.0.0.9");
        assert_eq!(told(Released, to(Some(Active), Released)).unwrap(), "delete FILES-1 20 0");
        assert_eq!(told(Tombstone, to(Some(Released), Tombstone)), None);
        assert_eq!(told(Tombstone, None), None);
        let name = record(b"FILES-1", Active).name;
        let gone = |before| Change::deleted(&name, Some((Some(before), None)));
        assert_eq!(gone(Active).unwrap().arguments.join(" "), "delete FILES-1 20 0");
        assert_eq!(gone(Released), None);
    }

    #[test]
    fn unsafe_names_are_left_out() {
        for name in ["A;RM", "A B", "$(X)", "`X`", "A/B", "-RF", "A'B", "A\u{7f}"] {
            let record = record(name.as_bytes(), RecordState::Active);
            assert_eq!(safe_name(&record.name), None, "{name}");
        }
        for name in ["A", "FILES-1", "A_B.C", "0"] {
            assert!(safe_name(&record(name.as_bytes(), RecordState::Active).name).is_some());
        }
    }
}
