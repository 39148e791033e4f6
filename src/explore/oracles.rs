//! What must hold of registry checkpoints, from outside: the table in [`super::invariants`] says what.
//!
//! Two things are followed: keys of registries, by what the world tells of their content, and files of the
//! quorum, by what the cluster services tell of their bytes. A write that was begun may be on the disk or
//! not until its end is told; an end that nobody lived to tell leaves it open for ever.

use super::invariants::Breach;
use super::look::Look;
use crate::base::{SimDuration, SimTime};
use crate::cluster::{ClusterProfile, NodeId, NodeSet, Observation, ResourceId, ResourceState};
use crate::sim::KeyEvent;
use std::collections::{BTreeMap, BTreeSet};

/// Saved contents kept for a key.
const SAVES_MAX: usize = 4096;
/// Writes of one node to one file whose end was never told that are kept.
const OPEN_MAX: usize = 64;
/// A save begins this much after it is due at most: what a busy node needs to get round to it.
const LATE: SimDuration = SimDuration::from_millis(100);
/// A save that could not be written is tried again after this time.
const RETRY: SimDuration = SimDuration::from_secs(60);

/// A checkpoint file.
#[derive(Clone, Debug, Default)]
struct File {
    /// Bytes that are known to have been on the disk last.
    completed: Option<u64>,
    /// Bytes whose writing was begun, by node.
    open: BTreeMap<NodeId, Vec<u64>>,
    /// Its key is not watched any more.
    closed: bool,
    /// What a node wrote after that: whoever takes the resource next has to find it, or what the same node
    /// had begun to write when it died.
    given_up: Option<(NodeId, u64)>,
}

/// What has to be put right before the code of a resource starts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Before {
    /// The checkpoint has a file: its key is restored, or event 1024 says that it could not be.
    Restored,
    /// It has none: its key keeps this content, unless somebody changes it.
    Kept { key: u64, digest: u64 },
}

/// Where and when a node's service tells something, and whom its story can be held against.
pub(super) struct Scene<'a> {
    pub at: SimTime,
    pub node: NodeId,
    /// The members of the cluster as the node knows them.
    pub members: NodeSet,
    pub profile: &'a ClusterProfile,
    /// The article that explains what two nodes do at once, if there is one.
    pub dispute: Option<&'static str>,
    pub look: &'a dyn Look,
}

/// The checkpoints of one cluster.
#[derive(Debug, Default)]
pub(super) struct Oracles {
    /// Contents of keys that were saved.
    saved: BTreeMap<u64, BTreeSet<u64>>,
    files: BTreeMap<(ResourceId, u32), File>,
    watchers: BTreeMap<(ResourceId, u32), NodeSet>,
    starting: BTreeMap<(NodeId, ResourceId), BTreeMap<u32, Before>>,
    /// The content of a key on a node as it was told last.
    content: BTreeMap<(NodeId, u64), u64>,
    /// Until when a changed key has to be read for its save.
    unsaved: BTreeMap<(NodeId, u64), SimTime>,
    /// Keys that changed and were given up before they were saved: saved before their resource is offline.
    owed: BTreeSet<(NodeId, u64)>,
    /// Resources that have failed: what is owed for them is owed to nobody.
    failed: BTreeSet<(NodeId, ResourceId)>,
    /// A write of a node has failed: its saves wait until then.
    retries: BTreeMap<NodeId, SimTime>,
    /// Files being written.
    writing: BTreeSet<(NodeId, ResourceId, u32)>,
}

impl Oracles {
    /// A node's service has ended.
    pub fn down(&mut self, node: NodeId) {
        self.watchers.values_mut().for_each(|nodes| nodes.remove(node));
        self.starting.retain(|(of, _), _| *of != node);
        self.content.retain(|(of, _), _| *of != node);
        self.unsaved.retain(|(of, _), _| *of != node);
        self.owed.retain(|(of, _)| *of != node);
        self.failed.retain(|(of, _)| *of != node);
        self.writing.retain(|(of, ..)| *of != node);
        self.retries.remove(&node);
    }

    /// Something was written into a node's event log.
    pub fn logged(&mut self, at: SimTime, node: NodeId, id: u16, profile: &ClusterProfile) {
        // A file of the quorum could not be written: event 1080.
        if id == 1080 {
            self.writing.retain(|(of, ..)| *of != node);
            let until = at + RETRY + profile.checkpoint_save_delay + LATE;
            self.put_off(node, until);
            self.retries.insert(node, until);
        }
    }

    fn put_off(&mut self, node: NodeId, until: SimTime) {
        for (_, due) in self.unsaved.iter_mut().filter(|((of, _), _)| *of == node) {
            *due = until.max(*due);
        }
    }

    /// Time has passed: changes whose save should have begun.
    pub fn look(&mut self, at: SimTime, look: &dyn Look, out: &mut Vec<Breach>) {
        if self.unsaved.values().all(|due| *due >= at) {
            return;
        }
        let is_late = |(node, _): &(NodeId, u64), due: &SimTime| {
            let writes = self.writing.iter().any(|(of, ..)| of == node);
            *due < at && !writes && look.is_up(*node, at)
        };
        let late: Vec<(NodeId, u64)> =
            self.unsaved.iter().filter(|(of, due)| is_late(of, due)).map(|(of, _)| *of).collect();
        for of in late {
            let detail = format!("node {} has not saved a key that has changed", of.0.0);
            let due = self.unsaved.remove(&of).unwrap_or(at);
            out.push(Breach { at: due, name: "changes-are-saved", quirk: None, detail });
        }
    }

    /// Something happened to a key of a node's registry.
    pub fn key(
        &mut self,
        at: SimTime,
        node: NodeId,
        (key, event, digest): (u64, KeyEvent, u64),
        profile: &ClusterProfile,
        out: &mut Vec<Breach>,
    ) {
        let of = (node, key);
        let before = self.content.insert(of, digest);
        match event {
            KeyEvent::Changed if before.is_some_and(|before| before != digest) => {
                let due = at + profile.checkpoint_save_delay + LATE;
                let due = self.retries.get(&node).map_or(due, |retry| due.max(*retry));
                self.unsaved.entry(of).or_insert(due);
                let changed =
                    |before: &Before| matches!(before, Before::Kept { key: k, .. } if *k == key);
                for (_, all) in self.starting.iter_mut().filter(|((on, _), _)| *on == node) {
                    all.retain(|_, before| !changed(before));
                }
            }
            KeyEvent::Saved => {
                self.unsaved.remove(&of);
                self.owed.remove(&of);
                let saved = self.saved.entry(key).or_default();
                if saved.len() < SAVES_MAX {
                    saved.insert(digest);
                }
            }
            KeyEvent::Unwatched => {
                if self.unsaved.remove(&of).is_some() {
                    self.owed.insert(of);
                }
            }
            KeyEvent::Restored => {
                self.unsaved.remove(&of);
                let saved = self.saved.get(&key);
                let known =
                    saved.is_none_or(|saved| saved.len() == SAVES_MAX || saved.contains(&digest));
                if !known {
                    let detail = format!("node {} restored what nobody had saved", node.0);
                    let (name, quirk) = ("restored-was-saved", torn(profile));
                    out.push(Breach { at, name, quirk, detail });
                }
            }
            KeyEvent::Spoilt => {
                let detail = format!("node {} could not restore a key, and spoilt it", node.0);
                let name = "failed-restore-changes-nothing";
                out.push(Breach { at, name, quirk: None, detail });
            }
            KeyEvent::NotRestored | KeyEvent::Changed | KeyEvent::Watched => {}
        }
    }

    /// A node's service tells something.
    pub fn observed(&mut self, scene: &Scene<'_>, observation: Observation, out: &mut Vec<Breach>) {
        let &Scene { at, node, profile, look, .. } = scene;
        match observation {
            Observation::CheckpointSaving { resource, number, digest } => {
                self.writing.insert((node, resource, number));
                let file = self.files.entry((resource, number)).or_default();
                let open = file.open.entry(node).or_default();
                if open.len() < OPEN_MAX {
                    open.push(digest);
                }
            }
            Observation::CheckpointSaved { resource, number, digest } => {
                self.writing.remove(&(node, resource, number));
                self.put_off(node, at + profile.checkpoint_save_delay + LATE);
                let file = self.files.entry((resource, number)).or_default();
                file.completed = Some(digest);
                file.given_up = file.closed.then_some((node, digest));
                if let Some(open) = file.open.get_mut(&node) {
                    let upto = open.iter().position(|of| *of == digest).map_or(0, |at| at + 1);
                    open.drain(..upto);
                }
            }
            Observation::CheckpointRestored { resource, number, digest } => {
                if let Some(all) = self.starting.get_mut(&(node, resource)) {
                    all.remove(&number);
                }
                if let Some(digest) = digest {
                    self.restored(scene, (resource, number, digest), out);
                }
            }
            Observation::CheckpointWatched { resource, number, watched } => {
                self.watched(scene, (resource, number, watched), out);
            }
            Observation::Resource { resource, state: ResourceState::OnlinePending } => {
                self.failed.remove(&(node, resource));
                self.starts(node, resource, look);
            }
            Observation::Resource { resource, state } if state != ResourceState::Online => {
                self.starting.remove(&(node, resource));
                match state {
                    ResourceState::Failed => drop(self.failed.insert((node, resource))),
                    ResourceState::Offline => self.went_offline(scene, resource, out),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A resource is offline: what was changed before has been saved, unless it had failed.
    fn went_offline(&mut self, scene: &Scene<'_>, resource: ResourceId, out: &mut Vec<Breach>) {
        let &Scene { at, node, look, .. } = scene;
        if self.owed.is_empty() {
            return;
        }
        let failed = self.failed.contains(&(node, resource));
        for it in look.listed(node).iter().filter(|it| it.resource == resource) {
            if self.owed.remove(&(node, it.key)) && !failed && look.is_up(node, at) {
                let detail = format!("node {} gave up a changed key without a save", node.0);
                out.push(Breach { at, name: "saved-is-restored", quirk: None, detail });
            }
        }
    }

    fn restored(
        &mut self,
        scene: &Scene<'_>,
        (resource, number, digest): (ResourceId, u32, u64),
        out: &mut Vec<Breach>,
    ) {
        let &Scene { at, node, profile, look, .. } = scene;
        let mut breach = |name, quirk, detail| out.push(Breach { at, name, quirk, detail });
        let file = self.files.entry((resource, number)).or_default();
        let open = file.open.values().flatten().any(|of| *of == digest);
        let given_up = file.given_up.take().is_some_and(|(by, saved)| {
            let begun = file.open.get(&by).is_some_and(|open| open.contains(&digest));
            saved != digest && !begun
        });
        if given_up {
            let detail = format!("node {} restored another state than was saved", node.0);
            breach("saved-is-restored", torn(profile), detail);
        } else if file.completed.is_some_and(|saved| saved != digest) && !open {
            let detail = format!("node {} restored an older state than was saved", node.0);
            breach("newest-is-restored", torn(profile), detail);
        }
        file.completed = Some(digest);
        let listed = look.listed(node);
        let it = listed.iter().find(|it| it.resource == resource && it.number == number);
        if let (Some(it), Some(files)) = (it, look.files())
            && !files.iter().any(|name| name.eq_ignore_ascii_case(&it.file))
        {
            let detail = format!("node {} restored {}, which is not there", node.0, it.file);
            breach("nothing-comes-from-nothing", None, detail);
        }
    }

    fn watched(
        &mut self,
        scene: &Scene<'_>,
        (resource, number, watched): (ResourceId, u32, bool),
        out: &mut Vec<Breach>,
    ) {
        let &Scene { at, node, members, dispute, look, .. } = scene;
        let file = self.files.entry((resource, number)).or_default();
        (file.closed, file.given_up) = (!watched, None);
        let nodes = self.watchers.entry((resource, number)).or_default();
        nodes.remove(node);
        if !watched {
            return;
        }
        let counts = |other: &NodeId| members.contains(*other) && look.is_up(*other, at);
        let other = nodes.iter().find(counts).filter(|_| look.is_up(node, at));
        nodes.insert(node);
        if let Some(other) = other {
            let detail =
                format!("nodes {} and {} watch one key of {}", other.0, node.0, resource.0);
            out.push(Breach { at, name: "one-watcher", quirk: dispute, detail });
        }
    }

    /// A resource is on its way online: what has to come before its code runs.
    fn starts(&mut self, node: NodeId, resource: ResourceId, look: &dyn Look) {
        if self.starting.contains_key(&(node, resource)) {
            return;
        }
        let listed = look.listed(node);
        let mine: Vec<_> = listed.iter().filter(|it| it.resource == resource).collect();
        if mine.is_empty() {
            return;
        }
        let files = look.files();
        let is_there = |file: &str| {
            files.as_ref().is_none_or(|files| files.iter().any(|f| f.eq_ignore_ascii_case(file)))
        };
        let shared = |key: u64| listed.iter().filter(|it| it.key == key).count() > 1;
        let first = |it: &&super::look::Listed| match is_there(&it.file) {
            true => Some((it.number, Before::Restored)),
            // A key of several resources may come from the file of another one.
            false if shared(it.key) => None,
            false => Some((it.number, Before::Kept { key: it.key, digest: it.digest })),
        };
        // Without a disk the files are on a share of the majority: that they are there is not looked at.
        if files.is_some() {
            self.starting.insert((node, resource), mine.iter().filter_map(first).collect());
        }
    }

    /// The code of a resource starts.
    pub fn runs(
        &mut self,
        at: SimTime,
        node: NodeId,
        resource: ResourceId,
        look: &dyn Look,
        out: &mut Vec<Breach>,
    ) {
        let Some(before) = self.starting.remove(&(node, resource)) else { return };
        let listed = if before.is_empty() { Vec::new() } else { look.listed(node) };
        for (number, before) in before {
            let it = listed.iter().find(|it| it.resource == resource && it.number == number);
            let Some(it) = it else { continue };
            let (n, r) = (node.0, resource.0);
            let (name, detail) = match before {
                Before::Restored => {
                    let detail =
                        format!("node {n} starts {r} before checkpoint {number} is restored");
                    ("restored-before-start", detail)
                }
                Before::Kept { digest, .. } if it.digest != digest => {
                    let detail =
                        format!("node {n} has no file of {r}/{number}, yet its key changed");
                    ("nothing-comes-from-nothing", detail)
                }
                Before::Kept { .. } => continue,
            };
            out.push(Breach { at, name, quirk: None, detail });
        }
    }

    /// The run is over: what was deleted is gone. `holder` holds the quorum.
    pub fn end(at: SimTime, holder: NodeId, look: &dyn Look, out: &mut Vec<Breach>) {
        let (known, listed) = (look.resources(holder), look.listed(holder));
        if let Some(left) = listed.iter().find(|it| !known.contains(&it.resource)) {
            let detail = format!("checkpoint {} of resource {}", left.number, left.resource.0);
            out.push(Breach { at, name: "nothing-left-behind", quirk: None, detail });
        }
        let is_listed = |file: &&String| listed.iter().any(|it| it.file.eq_ignore_ascii_case(file));
        if let Some(file) = look.files().unwrap_or_default().iter().find(|file| !is_listed(file)) {
            let detail = format!("{file} belongs to no checkpoint");
            out.push(Breach { at, name: "nothing-left-behind", quirk: None, detail });
        }
    }
}

/// A torn file is taken for what it is by versions that check nothing (Q216064).
fn torn(profile: &ClusterProfile) -> Option<&'static str> {
    (!profile.checkpoint_atomic).then_some("Q216064")
}
