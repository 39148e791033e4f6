//! When a backup is made (Q160471, Q191846, Q167806). The world copies the files.
//!
//! It needs a path and logging (Q155040); the next one counts from the end of the last, so that its time of
//! day drifts as in Windows.

use super::core::Core;
use super::events::WinsEvent;
use super::io::{BackupReason, WinsOutput};
use crate::base::{Now, Outbox, SimTime};

/// The backups of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Backups {
    next: Option<SimTime>,
    under_way: bool,
}

impl Backups {
    /// The service starts: the first backup comes a whole period later.
    pub(super) fn start(&mut self, core: &Core, now: Now) {
        *self = Backups::default();
        self.schedule(core, now);
    }

    /// The service stops, perhaps with a last backup.
    pub(super) fn stop(&mut self, core: &Core, at_stop: bool, out: &mut Outbox<WinsOutput>) {
        *self = Backups::default();
        if at_stop && core.profile.backup.is_some_and(|backup| backup.at_stop) {
            match core.profile.logging {
                true => out.push(WinsOutput::Backup(BackupReason::AtStop)),
                false => core.log(WinsEvent::BackupFailed, out),
            }
        }
    }

    fn schedule(&mut self, core: &Core, now: Now) {
        let settings = core.profile.backup.filter(|backup| !backup.every.is_zero());
        self.next = settings.map(|backup| now.time + backup.every);
    }

    /// Begins a backup, unless one is under way or something it needs is missing.
    pub(super) fn begin(
        &mut self,
        core: &Core,
        reason: BackupReason,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        if self.under_way {
            return;
        }
        if core.profile.backup.is_none() || !core.profile.logging {
            core.log(WinsEvent::BackupFailed, out);
            return self.schedule(core, now);
        }
        self.under_way = true;
        self.next = None;
        out.push(WinsOutput::Backup(reason));
    }

    /// The world has copied the files, or could not.
    pub(super) fn done(&mut self, core: &Core, ok: bool, now: Now, out: &mut Outbox<WinsOutput>) {
        if !std::mem::take(&mut self.under_way) {
            return;
        }
        if !ok {
            core.log(WinsEvent::BackupFailed, out);
        }
        self.schedule(core, now);
    }

    /// When the next one is due.
    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        self.next
    }

    /// Begins the one that is due.
    pub(super) fn on_deadline(&mut self, core: &Core, now: Now, out: &mut Outbox<WinsOutput>) {
        if self.next.is_some_and(|at| at <= now.time) {
            self.begin(core, BackupReason::Periodic, now, out);
        }
    }
}
