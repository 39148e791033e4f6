//! Nodes on a bus with disks and files that can be torn, full or damaged; time goes by as the test says.
//!
//! Only the disk driver and the quorum of each node are real. The test plays membership, failover and global
//! updates.

use super::super::Quorum;
use crate::base::{Now, Outbox, SimDuration, SimTime, Stream, WallTime};
use crate::cluster::config::*;
use crate::cluster::database::Database;
use crate::cluster::disks::DiskDriver;
use crate::cluster::ids::*;
use crate::cluster::io::*;
use crate::cluster::profile::ClusterProfile;
use crate::cluster::step::{Notice, Step};
use crate::cluster::update::DbChange;
use crate::cluster::{ClusterEvent, DbData};
use crate::wire::cluster::RpcKind;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

pub const QUORUM_DISK: DiskId = DiskId(0);
pub const DATA_DISK: DiskId = DiskId(1);

/// A cluster with these nodes, a quorum disk and a data disk.
pub fn config(nodes: u8, profile: ClusterProfile) -> ClusterConfig {
    let disk = |name: &str, letter: char, signature: u32| DiskConfig {
        name: name.into(),
        signature,
        letter,
    };
    let resource = |name: &str, disk: DiskId| {
        let kind = ResourceKind::PhysicalDisk { disk, skip_chkdsk: false, conditional_mount: true };
        ResourceConfig::new(name, kind, GroupId(0), Vec::new())
    };
    ClusterConfig {
        name: "LAB".into(),
        profile,
        nodes: (1..=nodes)
            .map(|n| NodeConfig { name: format!("NODE{n}"), addresses: Vec::new() })
            .collect(),
        networks: Vec::new(),
        disks: vec![disk("Disk Q:", 'Q', 1), disk("Disk R:", 'R', 2)],
        quorum: QuorumKind::Disk(ResourceId(0)),
        groups: Vec::new(),
        resources: vec![resource("Disk Q:", QUORUM_DISK), resource("Disk R:", DATA_DISK)],
    }
}

/// A change of the database that can be told from others.
pub fn change(number: u32, size: usize) -> Vec<DbChange> {
    let name = format!("Value{}", number % 7);
    let data = DbData::Text(format!("{number}:{}", "x".repeat(size)));
    vec![DbChange::SetValue { key: format!("Groups\\G{}", number % 3), name, data }]
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Happening {
    /// A command reaches the bus.
    Command {
        node: usize,
        ticket: (Part, u32),
        disk: u16,
        command: u8,
        rule: (bool, bool),
    },
    /// Its end reaches the node.
    Scsi {
        node: usize,
        life: u32,
        ticket: (Part, u32),
        result: u8,
    },
    File {
        node: usize,
        life: u32,
        ticket: u32,
        result: Answer,
    },
    Rpc {
        node: usize,
        from: u8,
        body: Vec<u8>,
    },
    Deadline {
        node: usize,
    },
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Answer {
    Done,
    Content(Option<Vec<u8>>),
    Names(Vec<String>),
    Full,
    Failed,
}

const RESULTS: [ScsiResult; 6] = [
    ScsiResult::Done,
    ScsiResult::Conflict,
    ScsiResult::Disturbed,
    ScsiResult::Missing,
    ScsiResult::Failed,
    ScsiResult::Corrupt,
];

/// A node: its quorum and disk driver, and what they told.
pub struct Node {
    pub up: bool,
    pub life: u32,
    pub paused_until: Option<SimTime>,
    pub disks: DiskDriver,
    pub quorum: Quorum,
    pub database: Database,
    pub clusdb: Option<Vec<u8>>,
    pub formed: bool,
    /// The epoch of the cluster it formed.
    pub epoch: u64,
    pub notices: Vec<(SimTime, Notice)>,
    pub events: Vec<ClusterEvent>,
    armed: Option<SimTime>,
}

/// What a power cut leaves of the write it hits.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Tear {
    Nothing,
    Half,
    Whole,
}

pub struct Lab {
    pub config: Arc<ClusterConfig>,
    pub nodes: Vec<Node>,
    pub now: SimTime,
    queue: BinaryHeap<Reverse<(SimTime, u64, Happening)>>,
    count: u64,
    pub reserved: BTreeMap<u16, usize>,
    mounted: BTreeMap<u16, usize>,
    /// Resets so far, and for each node how many of them it has caused or knows.
    resets: Vec<u64>,
    reset_log: Vec<(SimTime, usize)>,
    pub files: BTreeMap<String, Vec<u8>>,
    /// Writes until power fails, and what is left of the last.
    pub cut: Option<(u32, Tear)>,
    pub writes: u32,
    /// Bytes the quorum disk holds.
    pub capacity: usize,
    pub broken: bool,
    /// Hosts whose shares nobody reaches.
    pub unreachable: Vec<usize>,
    /// Files that a node has opened for itself alone.
    locks: BTreeMap<String, usize>,
    pub chance: Stream,
}

impl Lab {
    pub fn new(config: ClusterConfig, chance: Stream) -> Lab {
        let nodes = config.nodes.len();
        let mut lab = Lab {
            nodes: Vec::new(),
            now: SimTime::ZERO,
            queue: BinaryHeap::new(),
            count: 0,
            reserved: BTreeMap::new(),
            mounted: BTreeMap::new(),
            resets: vec![0; nodes],
            reset_log: Vec::new(),
            files: BTreeMap::new(),
            cut: None,
            writes: 0,
            capacity: usize::MAX,
            broken: false,
            unreachable: Vec::new(),
            locks: BTreeMap::new(),
            chance,
            config: Arc::new(config),
        };
        for _ in 0..nodes {
            let database = Database::initial(&lab.config);
            lab.nodes.push(Node {
                up: false,
                life: 0,
                paused_until: None,
                disks: DiskDriver::default(),
                quorum: Quorum::default(),
                clusdb: Some(database.save()),
                database,
                formed: false,
                epoch: 0,
                notices: Vec::new(),
                events: Vec::new(),
                armed: None,
            });
        }
        lab
    }

    /// The service of a node starts.
    pub fn boot(&mut self, node: usize, switches: StartSwitches) {
        let it = &mut self.nodes[node];
        it.up = true;
        it.life += 1;
        it.formed = false;
        it.disks = DiskDriver::default();
        it.quorum = Quorum::default();
        it.quorum.start(switches);
        it.notices.clear();
        it.events.clear();
        it.armed = None;
        it.paused_until = None;
        let loaded = it.clusdb.as_deref().map(Database::load);
        it.database = loaded.and_then(Result::ok).unwrap_or_default();
    }

    /// Power fails on a node: its reservations stand.
    pub fn crash(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        it.up = false;
        it.life += 1;
        self.mounted.retain(|_, owner| *owner != node);
        self.locks.retain(|_, by| *by != node);
    }

    /// Power fails everywhere, the disks included: reservations are gone.
    pub fn blackout(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.crash(node));
        self.reserved.clear();
        self.queue.clear();
        self.cut = None;
    }

    pub fn pause(&mut self, node: usize, span: SimDuration) {
        self.nodes[node].paused_until = Some(self.now + span);
        self.nodes[node].armed = None;
        self.push(self.now + span, Happening::Deadline { node });
    }

    pub fn is_paused(&self, node: usize) -> bool {
        self.nodes[node].paused_until.is_some_and(|until| until > self.now)
    }

    fn push(&mut self, at: SimTime, what: Happening) {
        self.count += 1;
        self.queue.push(Reverse((at, self.count, what)));
    }

    /// Lets a node act.
    pub fn act(&mut self, node: usize, act: impl FnOnce(&mut Node, &mut Step<'_>)) {
        if !self.nodes[node].up {
            return;
        }
        let mut out = Outbox::default();
        let mut notices = VecDeque::new();
        let config = Arc::clone(&self.config);
        let now = Now { time: self.now, wall: WallTime(self.now.0) };
        let me = NodeId(node as u8 + 1);
        let it = &mut self.nodes[node];
        let mut step = Step { now, config: &config, me, out: &mut out, notices: &mut notices };
        act(it, &mut step);
        let mut halted = false;
        while let Some(notice) = step.notices.pop_front() {
            it.notices.push((now.time, notice.clone()));
            halted |= matches!(notice, Notice::Halt(_));
            it.hear(notice, &mut step);
        }
        if halted {
            it.disks.halt(&mut step);
            it.up = false;
            it.life += 1;
        }
        let rpcs: Vec<_> = it
            .notices
            .iter()
            .filter(|(at, _)| *at == now.time)
            .filter_map(|(_, n)| match n {
                Notice::Rpc { to, kind: RpcKind::QuorumFile, body } => Some((*to, body.clone())),
                _ => None,
            })
            .collect();
        it.notices.retain(|(_, n)| !matches!(n, Notice::Rpc { .. }));
        for (to, body) in rpcs {
            let what = Happening::Rpc { node: usize::from(to.0) - 1, from: me.0, body };
            self.push(self.now + SimDuration::from_millis(1), what);
        }
        if halted {
            self.mounted.retain(|_, owner| *owner != node);
        }
        self.outputs(node, out);
        self.arm(node);
    }

    fn arm(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        let next = [it.disks.next_deadline(), it.quorum.next_deadline()];
        let next = next.into_iter().flatten().min();
        if let Some(at) = next
            && it.armed.is_none_or(|armed| armed > at || armed < self.now)
        {
            it.armed = Some(at);
            self.push(at.max(self.now), Happening::Deadline { node });
        }
    }

    fn outputs(&mut self, node: usize, out: Outbox<ClusterOutput>) {
        for item in &out.items {
            match item {
                ClusterOutput::Scsi { ticket, disk, command } => {
                    let delay = SimDuration::from_micros(self.chance.between(200, 3000));
                    let (command, rule) = match command {
                        ScsiCommand::Reserve => (0, (false, false)),
                        ScsiCommand::ReserveUndisturbed => (1, (false, false)),
                        ScsiCommand::Release => (2, (false, false)),
                        ScsiCommand::Reset => (3, (false, false)),
                        ScsiCommand::Mount { skip_chkdsk, conditional_mount } => {
                            (4, (*skip_chkdsk, *conditional_mount))
                        }
                        ScsiCommand::Dismount => (5, (false, false)),
                        ScsiCommand::ResetDisk => (6, (false, false)),
                        ScsiCommand::Test => (7, (false, false)),
                    };
                    let ticket = (ticket.part, ticket.number);
                    let disk = disk.0;
                    let what = Happening::Command { node, ticket, disk, command, rule };
                    self.push(self.now + delay, what);
                }
                ClusterOutput::File { ticket, place, path, operation } => {
                    let own = format!("{node}:");
                    let result = match place {
                        Place::Disk(disk) => {
                            let fenced = self.reserved.get(&disk.0).is_some_and(|r| *r != node)
                                || self.mounted.get(&disk.0) != Some(&node)
                                || self.broken;
                            if fenced {
                                Answer::Failed
                            } else {
                                self.file("", path, operation, &out)
                            }
                        }
                        Place::Replica(NodeId(there)) => {
                            let there = usize::from(*there) - 1;
                            if there != node && self.unreachable.contains(&there) {
                                Answer::Failed
                            } else {
                                self.replica(node, there, path, operation, &out)
                            }
                        }
                        Place::Own => self.file(&own, path, operation, &out),
                    };
                    if !self.nodes[node].up {
                        return;
                    }
                    let life = self.nodes[node].life;
                    let at = self.now + SimDuration::from_millis(2);
                    let ticket = ticket.number;
                    self.push(at, Happening::File { node, life, ticket, result });
                }
                ClusterOutput::Log(event) => self.nodes[node].events.push(event.clone()),
                _ => {}
            }
        }
    }

    fn replica(
        &mut self,
        node: usize,
        there: usize,
        path: &str,
        operation: &FileOperation,
        out: &Outbox<ClusterOutput>,
    ) -> Answer {
        let prefix = format!("{there}:");
        let lock = format!("{prefix}{path}");
        match operation {
            FileOperation::Lock => match *self.locks.entry(lock).or_insert(node) == node {
                true => Answer::Done,
                false => Answer::Failed,
            },
            FileOperation::Unlock => {
                self.locks.retain(|name, by| *name != lock || *by != node);
                Answer::Done
            }
            operation => self.file(&prefix, path, operation, out),
        }
    }

    fn file(
        &mut self,
        prefix: &str,
        path: &str,
        operation: &FileOperation,
        out: &Outbox<ClusterOutput>,
    ) -> Answer {
        let path = format!("{prefix}{}", path.to_ascii_lowercase());
        let (old, new) = match operation {
            FileOperation::Read => return Answer::Content(self.files.get(&path).cloned()),
            FileOperation::List => {
                let names = self.files.keys().filter(|name| name.starts_with(&path));
                return Answer::Names(names.map(|name| name[prefix.len()..].to_owned()).collect());
            }
            FileOperation::Lock | FileOperation::Unlock => return Answer::Done,
            FileOperation::Delete => (self.files.get(&path).cloned(), None),
            FileOperation::DeleteTree => {
                self.files.retain(|name, _| !name.starts_with(&path));
                return Answer::Done;
            }
            FileOperation::Replace(bytes) | FileOperation::Overwrite(bytes) => {
                (self.files.get(&path).cloned(), Some(out.bytes(*bytes).to_vec()))
            }
            FileOperation::Append(bytes) => {
                let old = self.files.get(&path).cloned();
                let mut new = old.clone().unwrap_or_default();
                new.extend_from_slice(out.bytes(*bytes));
                (old, Some(new))
            }
        };
        let used: usize = self
            .files
            .iter()
            .filter(|(name, _)| **name != path)
            .map(|(_, bytes)| bytes.len())
            .sum();
        if new.as_ref().is_some_and(|new| used + new.len() > self.capacity) {
            return Answer::Full;
        }
        self.writes += 1;
        let mut put = new;
        let mut is_cut = false;
        if let Some((left, tear)) = &mut self.cut {
            *left = left.saturating_sub(1);
            if *left == 0 {
                is_cut = true;
                put = match (*tear, operation) {
                    (Tear::Whole, _) => put,
                    (Tear::Nothing, _) | (_, FileOperation::Replace(_) | FileOperation::Delete) => {
                        old
                    }
                    (Tear::Half, FileOperation::Append(_)) => {
                        let old = old.unwrap_or_default();
                        put.map(|new| new[..(old.len() + new.len()) / 2].to_vec())
                    }
                    // The new bytes up to the middle, then those of the old file.
                    (Tear::Half, _) => put.map(|new| {
                        let mut mixed = new[..new.len() / 2].to_vec();
                        let old = old.unwrap_or_default();
                        mixed.extend_from_slice(old.get(mixed.len()..).unwrap_or(&[]));
                        mixed
                    }),
                };
            }
        }
        match put {
            Some(bytes) if !bytes.is_empty() => self.files.insert(path, bytes),
            _ => self.files.remove(&path),
        };
        if is_cut {
            self.blackout();
        }
        Answer::Done
    }

    fn command(&mut self, node: usize, disk: u16, command: u8) -> (ScsiResult, SimDuration) {
        let quick = SimDuration::from_millis(1);
        let holder = self.reserved.get(&disk).copied();
        let other = holder.is_some_and(|holder| holder != node);
        let result = match command {
            _ if self.broken => ScsiResult::Failed,
            0 | 1 | 4 | 7 if other => ScsiResult::Conflict,
            6 => {
                self.reserved.remove(&disk);
                ScsiResult::Done
            }
            7 => ScsiResult::Done,
            1 if self.reset_log.last().is_some_and(|(_, by)| *by != node) => {
                // This node is told once of resets since its own.
                let now = self.reset_log.len() as u64;
                if std::mem::replace(&mut self.resets[node], now) == now {
                    self.reserved.insert(disk, node);
                    ScsiResult::Done
                } else {
                    ScsiResult::Disturbed
                }
            }
            0 | 1 => {
                self.reserved.insert(disk, node);
                ScsiResult::Done
            }
            2 => {
                if !other {
                    self.reserved.remove(&disk);
                }
                self.mounted.retain(|d, n| (*d, *n) != (disk, node));
                ScsiResult::Done
            }
            3 => {
                self.reserved.clear();
                self.reset_log.push((self.now, node));
                self.resets[node] = self.reset_log.len() as u64;
                return (ScsiResult::Done, SimDuration::from_millis(250));
            }
            4 => {
                self.mounted.insert(disk, node);
                return (ScsiResult::Done, SimDuration::from_millis(300));
            }
            _ => {
                self.mounted.retain(|d, n| (*d, *n) != (disk, node));
                ScsiResult::Done
            }
        };
        (result, quick)
    }

    /// Lets one thing happen. False if nothing is left before `until`.
    pub fn step(&mut self, until: SimTime) -> bool {
        let Some(Reverse((at, ..))) = self.queue.peek() else { return false };
        if *at > until {
            return false;
        }
        let Some(Reverse((at, _, what))) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        let node = match &what {
            Happening::Command { node, ticket, disk, command, .. } => {
                let (result, takes) = self.command(*node, *disk, *command);
                let result = RESULTS.iter().position(|r| *r == result).unwrap_or(0) as u8;
                let life = self.nodes[*node].life;
                let (node, ticket) = (*node, *ticket);
                self.push(self.now + takes, Happening::Scsi { node, life, ticket, result });
                return true;
            }
            Happening::Scsi { node, .. }
            | Happening::File { node, .. }
            | Happening::Rpc { node, .. }
            | Happening::Deadline { node } => *node,
        };
        if let Some(until) = self.nodes[node].paused_until.filter(|until| *until > self.now) {
            self.push(until, what);
            return true;
        }
        self.deliver(node, what);
        true
    }

    fn deliver(&mut self, node: usize, what: Happening) {
        let current = self.nodes[node].life;
        match what {
            Happening::Scsi { life, ticket: (part, number), result, .. } if life == current => {
                let (ticket, result) = (Ticket { part, number }, RESULTS[usize::from(result)]);
                self.act(node, |it, step| match part {
                    Part::Disks => it.disks.scsi(ticket, result, step),
                    _ => it.quorum.scsi(ticket, result, &mut it.disks, step),
                });
            }
            Happening::File { life, ticket, result, .. } if life == current => {
                let ticket = Ticket { part: Part::Quorum, number: ticket };
                self.act(node, |it, step| {
                    let result = match &result {
                        Answer::Done => FileResult::Done,
                        Answer::Content(bytes) => FileResult::Content(bytes.as_deref()),
                        Answer::Names(names) => FileResult::Names(names),
                        Answer::Full => FileResult::Full,
                        Answer::Failed => FileResult::Failed,
                    };
                    it.quorum.file(ticket, result, &it.database, step);
                });
            }
            Happening::Rpc { from, body, .. } => {
                self.act(node, |it, step| it.quorum.rpc(NodeId(from), &body, step));
            }
            Happening::Deadline { .. } => {
                self.nodes[node].armed = None;
                self.act(node, |it, step| {
                    it.disks.on_deadline(step);
                    it.quorum.on_deadline(&it.database, &mut it.disks, step);
                });
            }
            _ => {}
        }
    }

    /// Lets time go by.
    pub fn run(&mut self, span: SimDuration) {
        let until = self.now + span;
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// Until a node has got such a notice; whether it came within `span`.
    pub fn wait(
        &mut self,
        node: usize,
        span: SimDuration,
        what: impl Fn(&Notice) -> bool,
    ) -> Option<Notice> {
        let until = self.now + span;
        loop {
            let it = &mut self.nodes[node];
            if let Some(found) = it.notices.iter().position(|(_, n)| what(n)) {
                return Some(it.notices.remove(found).1);
            }
            if !self.step(until) {
                return None;
            }
        }
    }

    /// Arbitrates as a node that forms, and forms. The error it cannot form with, if so.
    pub fn form(&mut self, node: usize, switches: StartSwitches) -> Result<(), u32> {
        self.boot(node, switches);
        let members = NodeSet::only(NodeId(node as u8 + 1));
        self.act(node, |it, step| it.quorum.arbitrate((members, 0), &mut it.disks, step));
        let span = SimDuration::from_secs(40);
        match self.wait(node, span, |n| matches!(n, Notice::Arbitrated { .. })) {
            Some(Notice::Arbitrated { won: true }) => {}
            _ => return Err(0),
        }
        self.act(node, |it, step| it.quorum.form(&it.database, &mut it.disks, step));
        let ended =
            |n: &Notice| matches!(n, Notice::DatabaseReady { .. } | Notice::CannotForm { .. });
        match self.wait(node, span, ended) {
            Some(Notice::DatabaseReady { .. }) => Ok(()),
            Some(Notice::CannotForm { error }) => Err(error),
            _ => Err(1),
        }
    }

    /// Bus resets so far.
    pub fn resets(&self) -> usize {
        self.reset_log.len()
    }

    /// Numbers of the events a node has logged since it started.
    pub fn events(&self, node: usize) -> Vec<u16> {
        self.nodes[node].events.iter().map(ClusterEvent::id).collect()
    }
}

impl Node {
    fn hear(&mut self, notice: Notice, step: &mut Step<'_>) {
        match notice {
            Notice::TakeDisk { disk, skip_chkdsk, conditional_mount } => {
                self.disks.take(disk, skip_chkdsk, conditional_mount, step);
            }
            Notice::GiveDisk { disk, orderly }
                if self.quorum.before_give(disk, orderly, &self.database, step) =>
            {
                self.disks.give(disk, orderly, step);
            }
            Notice::GiveDisk { .. } => {}
            Notice::DiskOnline { disk, ok: true } => {
                self.quorum.disk_online(disk, &self.database, step);
            }
            Notice::DiskOnline { disk, ok: false } => self.quorum.disk_failed(disk, step),
            Notice::DatabaseReady { epoch, sequence, hive } if !self.formed => {
                self.database = Database::load(&hive).expect("a saved database");
                self.database.sequence = sequence;
                self.clusdb = Some(hive);
                (self.formed, self.epoch) = (true, epoch);
            }
            _ => {}
        }
    }
}
