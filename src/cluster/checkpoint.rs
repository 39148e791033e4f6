//! Registry checkpoints: keys of a program that knows nothing of the cluster follow its resource (Q174070).
//!
//! | when | what happens |
//! | --- | --- |
//! | a key is added to a resource's list | its subtree is saved |
//! | the resource goes online | its keys are overwritten with what was saved, before it starts |
//! | it is taken offline | every key of its list is saved |
//! | it is online and something below a key changes | the whole subtree is saved |
//!
//! The list is in the cluster database (`Resources\{GUID}\RegSync`), the saved subtrees are files of the
//! quorum resource: `MSCS\{GUID}\00000001.CPT`, one for each key of a resource. Only the node that owns a
//! resource watches, saves and restores; nothing is sent to the other nodes. What is edited while the
//! resource is offline is lost when it goes online, and what was written since the last finished save is
//! lost in a crash.
//!
//! A watch tells once that something has changed. It is armed again *before* the subtree is read, so that a
//! change during the save is told again; and it is armed before the resource starts, so that what the
//! resource writes while it starts is saved too. A restore is no change.
//!
//! A key that cannot be restored (somebody holds it open, the service's account has no right, the file cannot
//! be read) keeps what it holds, with event 1024, and the resource starts all the same (Q316772, Q192493);
//! the next save then writes what it holds over the good file. A file that is missing restores nothing.

use super::ids::ResourceId;
use super::io::{
    ClusterError, ClusterOutput, Observation, Part, RegistryAction, RegistryReply, Ticket,
};
use super::step::{Asker, Notice, QuorumFileOperation, QuorumFileResult, Step};
use super::update::{DbChange, Update};
use super::{ClusterEvent, Planted};
use crate::base::{SimDuration, SimTime, hash_bytes};
use crate::registry::{KeyPath, RegistryError};
use std::collections::BTreeMap;

/// ERROR_FILE_NOT_FOUND.
const ERROR_NOT_FOUND: u32 = 2;
/// ERROR_ACCESS_DENIED.
const ERROR_ACCESS_DENIED: u32 = 5;
/// ERROR_DISK_FULL.
const ERROR_DISK_FULL: u32 = 112;
/// A save that failed while the resource is online is tried again after this time, until the disk takes it.
/// Not published.
const RETRY: SimDuration = SimDuration::from_secs(60);
/// Tickets of watches have this bit; the rest is the slot.
const WATCH: u32 = 1 << 31;

/// A checkpoint as the database lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    /// The resource.
    pub resource: ResourceId,
    /// The number in its list.
    pub number: u32,
    /// The key.
    pub key: KeyPath,
    /// The file, relative to the root of the quorum resource.
    pub file: String,
}

/// What is done with one checkpoint now.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Doing {
    Nothing,
    /// Its file is being read, to be restored.
    Reading,
    /// It is being put into the registry; the digest of its bytes.
    Restoring(u64),
    /// The subtree is being read.
    Saving,
    /// Its bytes are being written; their digest.
    Writing(u64),
}

/// One checkpoint.
#[derive(Clone, Debug)]
struct Slot {
    listed: Listed,
    doing: Doing,
    /// The ticket of what is being done.
    ticket: u32,
    watched: bool,
    /// A change was told that no save has begun to take up.
    changed: bool,
    /// When the next save is due.
    due: Option<SimTime>,
    /// After what is being done it is saved for the last time.
    last_save: bool,
}

/// Why a resource waits for its keys.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Wait {
    Restore,
    Save,
}

/// A key on its way into a resource's list.
#[derive(Clone, Debug)]
struct Adding {
    request: u32,
    listed: Listed,
    changes: Vec<DbChange>,
    online: bool,
    bytes: Vec<u8>,
}

/// The registry checkpoints of one node.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    slots: Vec<Option<Slot>>,
    waits: BTreeMap<ResourceId, Wait>,
    adding: BTreeMap<u32, Adding>,
    /// Requests that wait for the first save of their key, by slot.
    asked: BTreeMap<usize, u32>,
    /// Writes whose end nobody waits for any more, by ticket.
    given_up: BTreeMap<u32, (ResourceId, u32, u64)>,
    tickets: u32,
}

impl Checkpoints {
    /// Takes the list of the database. Files of checkpoints that are not in it any more are removed by the
    /// node that holds the quorum, and once more by the one that saved them, which may be the last to know.
    pub fn load(&mut self, listed: Vec<Listed>, holds_quorum: bool, step: &mut Step<'_>) {
        for at in 0..self.slots.len() {
            let Some(slot) = &self.slots[at] else { continue };
            if !listed.contains(&slot.listed) {
                let file = slot.listed.file.clone();
                let saves = slot.watched || slot.doing != Doing::Nothing;
                self.unwatch(at, step);
                self.slots[at] = None;
                if holds_quorum || saves {
                    self.file(None, file, QuorumFileOperation::Delete, step);
                }
            }
        }
        for listed in listed {
            if !self.slots.iter().flatten().any(|slot| slot.listed == listed) {
                self.insert(listed);
            }
        }
        self.look_at_waits(step);
    }

    fn insert(&mut self, listed: Listed) {
        let slot = Slot {
            listed,
            doing: Doing::Nothing,
            ticket: 0,
            watched: false,
            changed: false,
            due: None,
            last_save: false,
        };
        match self.slots.iter().position(Option::is_none) {
            Some(at) => self.slots[at] = Some(slot),
            None => self.slots.push(Some(slot)),
        }
    }

    fn of(&self, resource: ResourceId) -> Vec<usize> {
        let there = |slot: &Option<Slot>| {
            slot.as_ref().is_some_and(|slot| slot.listed.resource == resource)
        };
        (0..self.slots.len()).filter(|&at| there(&self.slots[at])).collect()
    }

    fn slot(&mut self, at: usize) -> &mut Slot {
        self.slots[at].as_mut().expect("slots are only named while they are there")
    }

    /// Restores the resource's keys; ends in `Restored`.
    pub fn restore(&mut self, resource: ResourceId, step: &mut Step<'_>) {
        self.waits.insert(resource, Wait::Restore);
        for at in self.of(resource) {
            self.unwatch(at, step);
            let slot = self.slot(at);
            (slot.changed, slot.due) = (false, None);
            self.give_up(at);
            let slot = self.slot(at);
            slot.doing = Doing::Reading;
            let file = slot.listed.file.clone();
            self.file(Some(at), file, QuorumFileOperation::Read, step);
        }
        self.look_at_waits(step);
    }

    /// Watches the resource's keys, unless the restore has begun to.
    pub fn watch(&mut self, resource: ResourceId, step: &mut Step<'_>) {
        for at in self.of(resource) {
            if !self.slot(at).watched {
                self.arm(at, step);
            }
        }
    }

    /// Saves the resource's keys a last time if `save`, and watches them no longer; ends in `Saved`.
    pub fn close(&mut self, resource: ResourceId, save: bool, step: &mut Step<'_>) {
        self.waits.insert(resource, Wait::Save);
        for at in self.of(resource) {
            self.unwatch(at, step);
            let slot = self.slot(at);
            (slot.changed, slot.due) = (false, None);
            match slot.doing {
                _ if !save => self.give_up(at),
                Doing::Saving | Doing::Writing(_) => slot.last_save = true,
                Doing::Nothing | Doing::Reading | Doing::Restoring(_) => self.save(at, step),
            }
        }
        self.look_at_waits(step);
    }

    /// Whatever is being done with a checkpoint, nobody waits for its end.
    fn give_up(&mut self, at: usize) {
        let slot = self.slot(at);
        slot.last_save = false;
        if let Doing::Writing(digest) = std::mem::replace(&mut slot.doing, Doing::Nothing) {
            let write = (slot.ticket, (slot.listed.resource, slot.listed.number, digest));
            self.given_up.insert(write.0, write.1);
        }
    }

    /// Saves every key of these resources anew (ClusterRecovery makes lost files again so).
    pub fn save_all(&mut self, resources: &[ResourceId], step: &mut Step<'_>) {
        for &resource in resources {
            for at in self.of(resource) {
                if self.slot(at).doing == Doing::Nothing {
                    self.save(at, step);
                }
            }
        }
    }

    /// Adds a key to a resource's list with these changes of the database, and saves it. `online` if the
    /// resource is: then the key is watched from now on. Ends in an answer to the request.
    pub fn add(
        &mut self,
        request: u32,
        listed: Listed,
        changes: Vec<DbChange>,
        online: bool,
        step: &mut Step<'_>,
    ) {
        let number = self.ticket();
        let ticket = Ticket { part: Part::Checkpoints, number };
        step.registry(ticket, RegistryAction::Save(listed.key.clone()));
        let bytes = Vec::new();
        self.adding.insert(number, Adding { request, listed, changes, online, bytes });
    }

    /// The change of the list that `add` proposed is in the database, or will not be.
    pub fn proposed(&mut self, number: u32, result: Result<(), ClusterError>, step: &mut Step<'_>) {
        let Some(adding) = self.adding.remove(&number) else { return };
        let there =
            |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.listed == adding.listed);
        let at = self.slots.iter().position(there);
        match (result, at) {
            (Ok(()), Some(at)) => {
                self.asked.insert(at, adding.request);
                if adding.online {
                    self.arm(at, step);
                    // Between the first reading and now something may have changed.
                    self.save(at, step);
                } else {
                    self.write(at, &adding.bytes, step);
                }
            }
            (Ok(()), None) => answer(adding.request, Err(ERROR_NOT_FOUND), step),
            (Err(error), _) => answer(adding.request, Err(error.0), step),
        }
    }

    /// The registry answers.
    pub fn registry(&mut self, ticket: Ticket, reply: RegistryReply<'_>, step: &mut Step<'_>) {
        if ticket.number & WATCH != 0 {
            return self.signalled((ticket.number & !WATCH) as usize, step);
        }
        if self.adding.contains_key(&ticket.number) {
            return self.first_read(ticket.number, reply, step);
        }
        let Some(at) = self.doing(ticket.number) else { return };
        let slot = self.slot(at);
        match (slot.doing.clone(), reply) {
            (Doing::Saving, RegistryReply::Saved(Ok(bytes))) => self.write(at, bytes, step),
            (Doing::Saving, RegistryReply::Saved(Err(_))) => {
                // The key is gone, or closed to the service: there is nothing to save.
                slot.doing = Doing::Nothing;
                self.done(at, Err(ERROR_NOT_FOUND), step);
            }
            (Doing::Restoring(digest), RegistryReply::Restored(result)) => {
                self.restored(at, result.is_ok().then_some(digest), step);
            }
            _ => {}
        }
    }

    /// The key that is being added was read for the first time: into the list with it, or a refusal.
    fn first_read(&mut self, number: u32, reply: RegistryReply<'_>, step: &mut Step<'_>) {
        let Some(adding) = self.adding.get_mut(&number) else { return };
        match reply {
            RegistryReply::Saved(Ok(bytes)) => {
                adding.bytes = bytes.to_vec();
                let update = Update::Database(adding.changes.clone());
                step.notice(Notice::Propose { asker: Asker::Checkpoints(number), update });
            }
            RegistryReply::Saved(Err(error)) => {
                let request = adding.request;
                self.adding.remove(&number);
                answer(request, Err(number_of(&error)), step);
            }
            RegistryReply::Restored(_) | RegistryReply::Changed => {}
        }
    }

    /// A file operation has ended.
    pub fn file_done(&mut self, ticket: Ticket, result: QuorumFileResult, step: &mut Step<'_>) {
        if let Some((resource, number, digest)) = self.given_up.remove(&ticket.number) {
            if result == QuorumFileResult::Done {
                step.observe(Observation::CheckpointSaved { resource, number, digest });
            }
            return;
        }
        let Some(at) = self.doing(ticket.number) else { return };
        match (self.slot(at).doing.clone(), result) {
            (Doing::Reading, QuorumFileResult::Content(Some(bytes))) => {
                let checked = step.config.profile.checkpoint_checked;
                let digest = hash_bytes(&bytes);
                let number = self.ticket();
                let slot = self.slot(at);
                (slot.doing, slot.ticket) = (Doing::Restoring(digest), number);
                let key = slot.listed.key.clone();
                let range = step.out.write(|out| out.extend_from_slice(&bytes));
                let ticket = Ticket { part: Part::Checkpoints, number };
                step.registry(ticket, RegistryAction::Restore { key, bytes: range, checked });
            }
            (Doing::Reading, QuorumFileResult::Content(None)) => {
                // Lost with its disk or folder: the node keeps what it has, and nobody is told.
                self.slot(at).doing = Doing::Nothing;
                self.begin_watch(at, step);
                self.look_at_waits(step);
            }
            (Doing::Reading, _) => self.restored(at, None, step),
            (Doing::Writing(digest), QuorumFileResult::Done) => {
                let slot = self.slot(at);
                slot.doing = Doing::Nothing;
                let (resource, number) = (slot.listed.resource, slot.listed.number);
                step.observe(Observation::CheckpointSaved { resource, number, digest });
                self.done(at, Ok(()), step);
            }
            (Doing::Writing(_), result) => {
                let full = result == QuorumFileResult::Full;
                let error = if full { ERROR_DISK_FULL } else { ERROR_NOT_FOUND };
                let slot = self.slot(at);
                slot.doing = Doing::Nothing;
                if slot.watched {
                    slot.changed = true;
                    slot.due = Some(step.now.time + RETRY);
                }
                step.log(ClusterEvent::QuorumWriteFailed { error });
                self.done(at, Err(error), step);
            }
            _ => {}
        }
    }

    fn restored(&mut self, at: usize, digest: Option<u64>, step: &mut Step<'_>) {
        let slot = self.slot(at);
        slot.doing = Doing::Nothing;
        let (resource, number) = (slot.listed.resource, slot.listed.number);
        if digest.is_none() {
            let key = slot.listed.key.clone();
            step.log(ClusterEvent::CheckpointNotRestored { resource, key });
        }
        step.observe(Observation::CheckpointRestored { resource, number, digest });
        self.begin_watch(at, step);
        self.look_at_waits(step);
    }

    /// After the restore, before the resource starts.
    fn begin_watch(&mut self, at: usize, step: &mut Step<'_>) {
        let Planted { restore_after_online, .. } = step.config.profile.planted;
        if !restore_after_online {
            self.arm(at, step);
        }
    }

    fn arm(&mut self, at: usize, step: &mut Step<'_>) {
        let slot = self.slot(at);
        let key = slot.listed.key.clone();
        if !std::mem::replace(&mut slot.watched, true) {
            let (resource, number) = (slot.listed.resource, slot.listed.number);
            step.observe(Observation::CheckpointWatched { resource, number, watched: true });
        }
        let ticket = Ticket { part: Part::Checkpoints, number: WATCH | at as u32 };
        step.registry(ticket, RegistryAction::Watch(key));
    }

    fn unwatch(&mut self, at: usize, step: &mut Step<'_>) {
        let slot = self.slot(at);
        if std::mem::replace(&mut slot.watched, false) {
            let (resource, number) = (slot.listed.resource, slot.listed.number);
            step.observe(Observation::CheckpointWatched { resource, number, watched: false });
            let ticket = Ticket { part: Part::Checkpoints, number: WATCH | at as u32 };
            step.registry(ticket, RegistryAction::Unwatch);
        }
    }

    /// Something below the key has changed; the watch is spent.
    fn signalled(&mut self, at: usize, step: &mut Step<'_>) {
        let Some(slot) = self.slots.get_mut(at).and_then(Option::as_mut) else { return };
        if !slot.watched {
            return;
        }
        slot.changed = true;
        if slot.due.is_none() {
            slot.due = Some(step.now.time + step.config.profile.checkpoint_save_delay);
        }
        if !step.config.profile.planted.late_rearm {
            self.arm(at, step);
        }
    }

    fn save(&mut self, at: usize, step: &mut Step<'_>) {
        let number = self.ticket();
        let slot = self.slot(at);
        (slot.changed, slot.due, slot.last_save) = (false, None, false);
        (slot.doing, slot.ticket) = (Doing::Saving, number);
        let key = slot.listed.key.clone();
        step.registry(Ticket { part: Part::Checkpoints, number }, RegistryAction::Save(key));
    }

    fn write(&mut self, at: usize, bytes: &[u8], step: &mut Step<'_>) {
        let digest = hash_bytes(bytes);
        let operation = match step.config.profile.checkpoint_atomic {
            true => QuorumFileOperation::Replace(bytes.to_vec()),
            false => QuorumFileOperation::Overwrite(bytes.to_vec()),
        };
        let slot = self.slot(at);
        slot.doing = Doing::Writing(digest);
        let (resource, number) = (slot.listed.resource, slot.listed.number);
        let file = slot.listed.file.clone();
        step.observe(Observation::CheckpointSaving { resource, number, digest });
        self.file(Some(at), file, operation, step);
    }

    /// A save has ended.
    fn done(&mut self, at: usize, result: Result<(), u32>, step: &mut Step<'_>) {
        if let Some(request) = self.asked.remove(&at) {
            answer(request, result, step);
        }
        if std::mem::take(&mut self.slot(at).last_save) {
            return self.save(at, step);
        }
        let slot = self.slot(at);
        if slot.changed && slot.due.is_none() {
            slot.due = Some(step.now.time + step.config.profile.checkpoint_save_delay);
        }
        if step.config.profile.planted.late_rearm && slot.watched {
            self.arm(at, step);
        }
        self.look_at_waits(step);
    }

    /// Tells resources whose keys are all restored, or all saved.
    fn look_at_waits(&mut self, step: &mut Step<'_>) {
        let waiting: Vec<(ResourceId, Wait)> = self.waits.iter().map(|(&r, &w)| (r, w)).collect();
        for (resource, wait) in waiting {
            let busy = |slot: &Slot| slot.doing != Doing::Nothing || slot.last_save;
            let slots = self.slots.iter().flatten();
            if slots.filter(|slot| slot.listed.resource == resource).any(busy) {
                continue;
            }
            self.waits.remove(&resource);
            step.notice(match wait {
                Wait::Restore => Notice::Restored { resource },
                Wait::Save => Notice::Saved { resource },
            });
        }
    }

    /// Saves what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        for at in 0..self.slots.len() {
            let due = |slot: &Slot| slot.due.is_some_and(|due| due <= step.now.time);
            if self.slots[at].as_ref().is_some_and(due) {
                match self.slot(at).doing {
                    Doing::Nothing => self.save(at, step),
                    // Busy with an older state: again when that is done.
                    _ => self.slot(at).due = None,
                }
            }
        }
    }

    /// When the next save is due.
    pub fn next_deadline(&self) -> Option<SimTime> {
        self.slots.iter().flatten().filter_map(|slot| slot.due).min()
    }

    fn doing(&self, ticket: u32) -> Option<usize> {
        let there = |slot: &Option<Slot>| {
            slot.as_ref().is_some_and(|slot| slot.doing != Doing::Nothing && slot.ticket == ticket)
        };
        self.slots.iter().position(there)
    }

    fn ticket(&mut self) -> u32 {
        self.tickets = (self.tickets + 1) & !WATCH;
        self.tickets
    }

    fn file(
        &mut self,
        slot: Option<usize>,
        path: String,
        operation: QuorumFileOperation,
        step: &mut Step<'_>,
    ) {
        let number = self.ticket();
        if let Some(at) = slot {
            self.slot(at).ticket = number;
        }
        let ticket = Ticket { part: Part::Checkpoints, number };
        step.notice(Notice::QuorumFile { ticket, path, operation });
    }
}

fn answer(request: u32, result: Result<(), u32>, step: &mut Step<'_>) {
    let result = result.map_err(ClusterError);
    step.out.push(ClusterOutput::Answer { request, result });
}

fn number_of(error: &RegistryError) -> u32 {
    match error {
        RegistryError::AccessDenied { .. } => ERROR_ACCESS_DENIED,
        _ => ERROR_NOT_FOUND,
    }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
