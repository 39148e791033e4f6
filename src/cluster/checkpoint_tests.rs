//! One node's checkpoints over a real registry, with a quorum whose files are slow, full or gone.

use super::super::config::{ClusterConfig, NodeConfig, QuorumKind};
use super::super::ids::NodeId;
use super::super::profile::ClusterProfile;
use super::*;
use crate::base::{Now, Outbox, Stream, Streams, WallTime};
use crate::registry::{
    Caller, Checks, Registry, Restore, Rights, Security, Value, WatchFilter, WatchId,
};
use std::collections::VecDeque;

const ME: Caller<'static> = Caller { process: "clussvc", account: "cluster" };

fn path(text: &str) -> KeyPath {
    KeyPath::parse(text).expect("a path")
}

/// Something that is done with the checkpoints.
type Act<'a> = Box<dyn FnOnce(&mut Checkpoints, &mut Step<'_>) + 'a>;

/// How much of a write has reached the disk when power fails.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Tear {
    Nothing,
    FirstHalf,
    SecondHalf,
    Whole,
}

struct Lab {
    config: ClusterConfig,
    parts: Checkpoints,
    registry: Registry,
    watches: BTreeMap<WatchId, u32>,
    files: BTreeMap<String, Vec<u8>>,
    /// File operations that wait for the disk.
    disk: VecDeque<(Ticket, String, QuorumFileOperation)>,
    full: bool,
    now: SimTime,
    restored: Vec<ResourceId>,
    saved: Vec<ResourceId>,
    events: Vec<u16>,
    answers: Vec<(u32, Result<(), ClusterError>)>,
    listed: Vec<Listed>,
}

const KEY: &str = "Software\\Inventory";
const R: ResourceId = ResourceId(3);

fn listed(number: u32, key: &str) -> Listed {
    Listed { resource: R, number, key: path(key), file: format!("MSCS\\{{3}}\\{number:08}.CPT") }
}

impl Lab {
    fn new(profile: ClusterProfile, keys: &[&str]) -> Lab {
        let config = ClusterConfig {
            name: "mars".into(),
            profile,
            nodes: vec![NodeConfig { name: "a".into(), addresses: Vec::new() }],
            networks: Vec::new(),
            disks: Vec::new(),
            quorum: QuorumKind::Local,
            groups: Vec::new(),
            resources: Vec::new(),
        };
        let mut lab = Lab {
            config,
            parts: Checkpoints::default(),
            registry: Registry::with_hives(),
            watches: BTreeMap::new(),
            files: BTreeMap::new(),
            disk: VecDeque::new(),
            full: false,
            now: SimTime::ZERO,
            restored: Vec::new(),
            saved: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            listed: (1..).zip(keys).map(|(number, key)| listed(number, key)).collect(),
        };
        lab.load();
        lab
    }

    fn load(&mut self) {
        let listed = self.listed.clone();
        self.act(|parts, step| parts.load(listed, true, step));
    }

    fn act<'a>(&mut self, act: impl FnOnce(&mut Checkpoints, &mut Step<'_>) + 'a) {
        self.act_boxed(Box::new(act));
    }

    fn act_boxed(&mut self, act: Act<'_>) {
        let (mut out, mut notices) = (Outbox::default(), VecDeque::new());
        let now = Now { time: self.now, wall: WallTime::NEVER };
        let mut step =
            Step { now, config: &self.config, me: NodeId(1), out: &mut out, notices: &mut notices };
        act(&mut self.parts, &mut step);
        for notice in notices {
            match notice {
                Notice::QuorumFile { ticket, path, operation } => {
                    self.disk.push_back((ticket, path, operation));
                }
                Notice::Restored { resource } => self.restored.push(resource),
                Notice::Saved { resource } => self.saved.push(resource),
                Notice::Propose { asker: Asker::Checkpoints(number), update } => {
                    assert_eq!(update, Update::Database(Vec::new()));
                    let number = (number, self.listed.len() as u32 + 1);
                    self.listed.push(listed(number.1, "Software\\Added"));
                    self.load();
                    self.act(|parts, step| parts.proposed(number.0, Ok(()), step));
                }
                other => panic!("{other:?}"),
            }
        }
        for output in &out.items {
            match output {
                ClusterOutput::Registry { ticket, action } => {
                    self.registry_action(*ticket, action, &out);
                }
                ClusterOutput::Log(event) => self.events.push(event.id()),
                ClusterOutput::Answer { request, result } => {
                    self.answers.push((*request, *result));
                }
                ClusterOutput::Observe(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn registry_action(
        &mut self,
        ticket: Ticket,
        action: &RegistryAction,
        out: &Outbox<ClusterOutput>,
    ) {
        match action {
            RegistryAction::Save(key) => {
                let saved = self.registry.save(key, ME);
                let reply = RegistryReply::Saved(match &saved {
                    Ok(bytes) => Ok(bytes),
                    Err(error) => Err(error.clone()),
                });
                self.act(|parts, step| parts.registry(ticket, reply, step));
            }
            RegistryAction::Restore { key, bytes, checked } => {
                let checks = if *checked { Checks::All } else { Checks::None };
                let how = Restore { checks, ..Restore::by(ME) };
                let done = self.registry.restore(key, out.bytes(*bytes), &how);
                let reply = RegistryReply::Restored(done.map(drop));
                self.act(|parts, step| parts.registry(ticket, reply, step));
            }
            RegistryAction::Watch(key) => {
                self.watches.retain(|_, number| *number != ticket.number);
                let watch = self.registry.watch(key, true, WatchFilter::ALL).expect("a watch");
                self.watches.insert(watch, ticket.number);
            }
            RegistryAction::Unwatch => self.watches.retain(|_, number| *number != ticket.number),
            other => panic!("{other:?}"),
        }
    }

    fn signals(&mut self) {
        for watch in self.registry.take_signals() {
            if let Some(&number) = self.watches.get(&watch) {
                let ticket = Ticket { part: Part::Checkpoints, number };
                self.act(|parts, step| parts.registry(ticket, RegistryReply::Changed, step));
            }
        }
    }

    fn set(&mut self, key: &str, value: u32) {
        self.registry.set(&path(key), "v", Value::Dword(value)).expect("a value");
        self.signals();
    }

    /// Sets many values of the key to one number, so that a mixture of two states can be told from both.
    fn fill(&mut self, value: u32) {
        for name in 'a'..='p' {
            let name = name.to_string();
            self.registry.set(&path(KEY), &name, Value::Dword(value)).expect("a value");
        }
        self.signals();
    }

    fn digest(&self) -> u64 {
        self.registry.digest(&path(KEY))
    }

    fn get(&self, key: &str) -> Option<u32> {
        self.registry.dword(&path(key), "v").expect("a number")
    }

    /// The disk ends its oldest operation.
    fn disk_step(&mut self) -> bool {
        let Some((ticket, path, operation)) = self.disk.pop_front() else { return false };
        let result = match operation {
            QuorumFileOperation::Read => QuorumFileResult::Content(self.files.get(&path).cloned()),
            QuorumFileOperation::Replace(_) | QuorumFileOperation::Overwrite(_) if self.full => {
                QuorumFileResult::Full
            }
            QuorumFileOperation::Replace(bytes) | QuorumFileOperation::Overwrite(bytes) => {
                self.files.insert(path, bytes);
                QuorumFileResult::Done
            }
            QuorumFileOperation::Delete | QuorumFileOperation::DeleteTree => {
                self.files.remove(&path);
                QuorumFileResult::Done
            }
        };
        self.act(|parts, step| parts.file_done(ticket, result, step));
        true
    }

    /// Power fails while the oldest operation, a write, is on its way.
    fn cut(&mut self, tear: Tear) {
        let (_, path, operation) = self.disk.pop_front().expect("a write");
        let old = self.files.get(&path).cloned().unwrap_or_default();
        let bytes = match (operation, tear) {
            (_, Tear::Nothing) => return,
            (QuorumFileOperation::Replace(new), Tear::Whole) => new,
            (QuorumFileOperation::Replace(_), _) => return,
            (QuorumFileOperation::Overwrite(new), _) => mixture(old, new, tear),
            (other, _) => panic!("{other:?}"),
        };
        self.files.insert(path, bytes);
    }

    /// Another node with the same disk and an older state of the key.
    fn other_node(&self) -> Lab {
        let mut other = Lab::new(self.config.profile.clone(), &[KEY]);
        other.fill(999);
        other.files.clone_from(&self.files);
        other
    }

    /// The save that is due begins: its write is on its way to the disk.
    fn begin_save(&mut self) {
        self.now = self.parts.next_deadline().expect("a save");
        self.act(|parts, step| parts.on_deadline(step));
        assert_eq!(self.disk.len(), 1);
    }

    /// Lets everything come to rest.
    fn rest(&mut self) {
        loop {
            while self.disk_step() {}
            let Some(due) = self.parts.next_deadline() else { break };
            self.now = self.now.max(due);
            self.act(|parts, step| parts.on_deadline(step));
        }
    }

    fn online(&mut self) {
        self.online_of(R);
    }

    fn online_of(&mut self, resource: ResourceId) {
        let before = self.restored.len();
        self.act(|parts, step| parts.restore(resource, step));
        while self.disk_step() {}
        assert_eq!(self.restored.len(), before + 1, "the resource waits for its keys for ever");
        self.act(|parts, step| parts.watch(resource, step));
    }

    fn offline(&mut self, save: bool) {
        self.offline_of(R, save);
    }

    fn offline_of(&mut self, resource: ResourceId, save: bool) {
        let before = self.saved.len();
        self.act(|parts, step| parts.close(resource, save, step));
        while self.disk_step() {}
        assert_eq!(self.saved.len(), before + 1, "the resource waits for its keys for ever");
    }

    /// What a file holds, as a value.
    fn saved_value(&self, number: u32) -> Option<u32> {
        self.saved_in(&listed(number, KEY).file, "v")
    }

    fn saved_in(&self, file: &str, value: &str) -> Option<u32> {
        let bytes = self.files.get(file)?;
        let mut other = Registry::with_hives();
        other.restore(&path(KEY), bytes, &Restore::by(ME)).expect("a whole file");
        other.dword(&path(KEY), value).expect("a number")
    }
}

/// What a write in place leaves of the old file and the new.
fn mixture(mut old: Vec<u8>, new: Vec<u8>, tear: Tear) -> Vec<u8> {
    let half = new.len() / 2;
    old.resize(new.len(), 0);
    match tear {
        Tear::Nothing => {}
        Tear::FirstHalf => old[..half].copy_from_slice(&new[..half]),
        Tear::SecondHalf => old[half..].copy_from_slice(&new[half..]),
        Tear::Whole => return new,
    }
    old
}

fn lab() -> Lab {
    let mut lab = Lab::new(ClusterProfile::w2k(4), &[KEY]);
    lab.set(KEY, 1);
    lab
}

#[test]
fn the_four_conditions() {
    let mut lab = Lab::new(ClusterProfile::w2k(4), &[]);
    lab.set("Software\\Added", 1);
    lab.act(|parts, step| {
        parts.add(77, listed(1, "Software\\Added"), Vec::new(), false, step);
    });
    lab.rest();
    assert_eq!((lab.saved_value(1), lab.answers.as_slice()), (Some(1), [(77, Ok(()))].as_slice()));
    lab.set("Software\\Added", 2);
    lab.online();
    assert_eq!(lab.get("Software\\Added"), Some(1), "an edit made offline is lost");
    lab.set("Software\\Added", 3);
    lab.rest();
    assert_eq!(lab.saved_value(1), Some(3), "a change while online is saved");
    lab.set("Software\\Added", 4);
    lab.offline(true);
    assert_eq!(lab.saved_value(1), Some(4), "taken offline, it is saved");
}

#[test]
fn a_change_during_a_save_is_saved_too() {
    let mut lab = lab();
    lab.online();
    for value in 10..15 {
        lab.set(KEY, value);
        let due = lab.parts.next_deadline().expect("a save");
        lab.now = due;
        lab.act(|parts, step| parts.on_deadline(step));
        // It has been read, and is on its way to the disk.
        lab.set(KEY, value + 100);
        lab.rest();
        assert_eq!(lab.saved_value(1), Some(value + 100));
    }
}

#[test]
fn a_watch_that_is_armed_late_misses_a_change() {
    let mut profile = ClusterProfile::w2k(4);
    profile.planted.late_rearm = true;
    let mut lab = Lab::new(profile, &[KEY]);
    lab.set(KEY, 1);
    lab.online();
    lab.set(KEY, 10);
    lab.now = lab.parts.next_deadline().expect("a save");
    lab.act(|parts, step| parts.on_deadline(step));
    lab.set(KEY, 11);
    lab.rest();
    assert_eq!(lab.saved_value(1), Some(10), "this is the planted mistake");
}

#[test]
fn many_changes_cost_one_save() {
    let mut lab = lab();
    lab.online();
    for value in 0..100 {
        lab.set(KEY, value);
    }
    lab.now = lab.parts.next_deadline().expect("a save");
    lab.act(|parts, step| parts.on_deadline(step));
    assert_eq!(lab.disk.len(), 1);
    lab.rest();
    assert_eq!(lab.saved_value(1), Some(99));
}

#[test]
fn a_key_that_is_held_open_keeps_what_it_holds_and_event_1024_is_logged() {
    let mut lab = lab();
    lab.online();
    lab.offline(true);
    lab.set(KEY, 2);
    let handle = lab.registry.open(&path(KEY), "winlogon").expect("a handle");
    lab.online();
    assert_eq!((lab.get(KEY), lab.events.as_slice()), (Some(2), [1024].as_slice()));
    // The stale content is the truth from now on (Q316772).
    lab.registry.close(handle).expect("an open handle");
    lab.offline(true);
    assert_eq!(lab.saved_value(1), Some(2));
}

#[test]
fn a_key_closed_to_the_service_is_event_1024() {
    let mut lab = lab();
    lab.online();
    lab.offline(true);
    let only = Security::of([("administrators", Rights::FULL)]);
    lab.registry.set_security(&path(KEY), Some(only)).expect("a descriptor");
    lab.online();
    assert_eq!(lab.events, [1024]);
}

#[test]
fn a_full_disk_is_event_1080_and_tried_again() {
    let mut lab = lab();
    lab.online();
    lab.full = true;
    lab.set(KEY, 5);
    lab.now = lab.parts.next_deadline().expect("a save");
    lab.act(|parts, step| parts.on_deadline(step));
    while lab.disk_step() {}
    assert_eq!(lab.events, [1080]);
    lab.full = false;
    lab.rest();
    assert_eq!(lab.saved_value(1), Some(5));
    lab.full = true;
    lab.offline(true);
}

#[test]
fn a_failed_resource_is_not_saved() {
    let mut lab = lab();
    lab.online();
    lab.set(KEY, 1);
    lab.rest();
    lab.set(KEY, 9);
    lab.offline(false);
    lab.online();
    assert_eq!(lab.get(KEY), Some(1));
}

#[test]
fn a_file_that_is_missing_leaves_the_key_alone() {
    let mut lab = lab();
    lab.online();
    assert_eq!((lab.get(KEY), lab.events.len()), (Some(1), 0));
}

/// Three saves after the first, the last of them when the resource is taken offline; power fails at one.
/// What the key held at the save before, what it holds, and what another node restores then.
fn cut_at(profile: &ClusterProfile, save: u32, tear: Tear) -> ([u64; 2], Lab) {
    let mut lab = Lab::new(profile.clone(), &[KEY]);
    lab.fill(100);
    lab.online();
    let mut held = [0; 2];
    for value in 0..=save {
        lab.fill(value);
        held = [held[1], lab.digest()];
        match value {
            3 => lab.act(|parts, step| parts.close(R, true, step)),
            _ => lab.begin_save(),
        }
        if value == save {
            lab.cut(tear);
        }
        while lab.disk_step() {}
    }
    let mut other = lab.other_node();
    other.online();
    (held, other)
}

#[test]
fn a_power_cut_at_any_save_leaves_the_old_state_or_the_new() {
    for profile in [ClusterProfile::w2k(4), ClusterProfile::w2k3(0)] {
        for save in 1..=3 {
            for (tear, place) in
                [(Tear::Nothing, 0), (Tear::FirstHalf, 0), (Tear::SecondHalf, 0), (Tear::Whole, 1)]
            {
                let (held, other) = cut_at(&profile, save, tear);
                assert_eq!(other.digest(), held[place], "save {save}, {tear:?}");
                assert_eq!(other.events, [0; 0], "save {save}, {tear:?}");
            }
        }
    }
}

/// NT 4.0 writes in place, and takes what it can read for what was saved.
#[test]
fn a_power_cut_on_nt40_leaves_a_mixture_that_nobody_notices() {
    for save in 1..=3 {
        for (tear, a, p) in [
            (Tear::Nothing, save - 1, save - 1),
            (Tear::FirstHalf, save, save - 1),
            (Tear::SecondHalf, save - 1, save),
            (Tear::Whole, save, save),
        ] {
            let (_, other) = cut_at(&ClusterProfile::nt40(6), save, tear);
            let value = |name| other.registry.dword(&path(KEY), name).expect("a number");
            assert_eq!([value("a"), value("p")], [Some(a), Some(p)], "save {save}, {tear:?}");
            assert_eq!(other.events, [0; 0], "save {save}, {tear:?}");
        }
    }
}

#[test]
fn a_damaged_file_is_event_1024_or_on_nt40_loaded_as_it_is() {
    // Without checks only the first six bytes matter: who wrote this, and in which version of the format.
    for (profile, known) in [(ClusterProfile::w2k(4), usize::MAX), (ClusterProfile::nt40(6), 6)] {
        let mut lab = Lab::new(profile, &[KEY]);
        lab.fill(1);
        lab.online();
        lab.offline(true);
        let (saved, file) = (lab.digest(), listed(1, KEY).file);
        let whole = lab.files[&file].clone();
        let mut mixtures = 0;
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            lab.files.insert(file.clone(), damaged);
            lab.fill(2);
            let own = lab.digest();
            lab.events.clear();
            lab.online();
            if at < known {
                assert_eq!((lab.digest(), lab.events.as_slice()), (own, &[1024][..]), "byte {at}");
            } else {
                assert_ne!(lab.digest(), own, "byte {at}");
                assert_eq!(lab.events, [0; 0], "byte {at}");
                mixtures += usize::from(lab.digest() != saved);
            }
            lab.offline(false);
        }
        assert_eq!(mixtures > whole.len() / 2, known == 6, "{mixtures} of {}", whole.len());
    }
}

/// Each has a file of its own, and a restore is no change (SDK: use different keys).
#[test]
fn two_resources_with_one_key_take_what_is_the_others() {
    const S: ResourceId = ResourceId(4);
    let of_s = Listed { resource: S, file: "MSCS\\{4}\\00000001.CPT".into(), ..listed(1, KEY) };
    let mut lab = lab();
    lab.registry.set(&path(KEY), "mine", Value::Dword(1)).expect("a value");
    lab.online();
    lab.set(KEY, 2);
    lab.rest();
    // The other resource comes from another node, where the key held something else.
    let mut there = Lab::new(ClusterProfile::w2k(4), &[]);
    there.listed.push(of_s.clone());
    there.load();
    there.set(KEY, 100);
    there.online_of(S);
    there.offline_of(S, true);
    lab.files.insert(of_s.file.clone(), there.files[&of_s.file].clone());
    lab.listed.push(of_s.clone());
    lab.load();
    lab.online_of(S);
    lab.rest();
    let mine = |lab: &Lab| lab.registry.dword(&path(KEY), "mine").expect("a number");
    assert_eq!((lab.get(KEY), mine(&lab)), (Some(100), None), "it is overwritten");
    assert_eq!(lab.saved_value(1), Some(2), "but not yet in the file of the first");
    lab.set(KEY, 101);
    lab.rest();
    let file = listed(1, KEY).file;
    assert_eq!([lab.saved_value(1), lab.saved_in(&file, "mine")], [Some(101), None]);
    assert_eq!(lab.saved_in(&of_s.file, "v"), Some(101), "both save the change");
    // It goes away again: what is changed now is the first one's alone.
    lab.offline_of(S, true);
    lab.set(KEY, 102);
    lab.rest();
    assert_eq!([lab.saved_value(1), lab.saved_in(&of_s.file, "v")], [Some(102), Some(101)]);
}

#[test]
fn a_deleted_checkpoint_leaves_no_file() {
    let mut lab = lab();
    lab.online();
    lab.offline(true);
    assert_eq!(lab.files.len(), 1);
    lab.listed.clear();
    lab.load();
    lab.rest();
    assert_eq!(lab.files.len(), 0);
}

/// The node that runs the resource is the last to know: it saved again after the quorum's holder had deleted.
#[test]
fn who_still_saves_what_was_deleted_deletes_it_too() {
    for (watches, left) in [(true, 0), (false, 1)] {
        let mut lab = lab();
        lab.online();
        lab.set(KEY, 2);
        lab.rest();
        if !watches {
            lab.offline(true);
        }
        lab.act(|parts, step| parts.load(Vec::new(), false, step));
        lab.rest();
        assert_eq!(lab.files.len(), left, "watches: {watches}");
    }
}

#[test]
fn a_key_that_is_not_there_cannot_be_added() {
    let mut lab = Lab::new(ClusterProfile::w2k(4), &[]);
    lab.act(|parts, step| parts.add(1, listed(1, "Software\\None"), Vec::new(), true, step));
    assert_eq!(lab.answers, [(1, Err(ClusterError(ERROR_NOT_FOUND)))]);
}

/// A model of one word a key: what the file must hold after everything has come to rest.
#[test]
fn whatever_happens_while_online_the_last_state_is_saved() {
    for seed in 0..2000 {
        let mut chance: Stream = Streams::new(seed).stream("lab");
        let keys = [KEY, "Software\\Other"];
        let mut lab = Lab::new(ClusterProfile::w2k(4), &keys);
        keys.iter().for_each(|key| lab.set(key, 0));
        let mut online = false;
        let mut expected: [Option<u32>; 2] = [None, None];
        for value in 1..40 {
            match chance.below(8) {
                0 if !online => {
                    lab.online();
                    for (key, expected) in keys.iter().zip(expected) {
                        if let Some(expected) = expected {
                            assert_eq!(lab.get(key), Some(expected), "seed {seed}");
                        }
                    }
                    online = true;
                }
                0 => {
                    lab.offline(true);
                    for (i, key) in keys.iter().enumerate() {
                        expected[i] = lab.get(key);
                    }
                    online = false;
                }
                1 | 2 => {
                    lab.disk_step();
                }
                3 => {
                    if let Some(due) = lab.parts.next_deadline() {
                        lab.now = lab.now.max(due);
                        lab.act(|parts, step| parts.on_deadline(step));
                    }
                }
                4 if online => {
                    lab.rest();
                    for (i, key) in keys.iter().enumerate() {
                        // A key that nobody has changed since it was watched need not have a file.
                        let file = lab.files.contains_key(&listed(i as u32 + 1, key).file);
                        expected[i] = if file { lab.get(key) } else { expected[i] };
                    }
                }
                _ => lab.set(keys[chance.below(2) as usize], value),
            }
        }
        if online {
            lab.rest();
            let held: Vec<Option<u32>> = keys.iter().map(|key| lab.get(key)).collect();
            lab.offline(false);
            keys.iter().for_each(|key| lab.set(key, 12345));
            lab.online();
            for (i, key) in keys.iter().enumerate() {
                if lab.files.contains_key(&listed(i as u32 + 1, key).file) {
                    assert_eq!(lab.get(key), held[i], "seed {seed}");
                }
            }
        }
    }
}
