//! Several nodes, messages with delays, and nodes that die at any moment: what one survivor has applied, all
//! have, in one order, and what was promised is there.

use super::super::config::{ClusterConfig, NodeConfig, QuorumKind};
use super::super::profile::ClusterProfile;
use super::super::update::{DbChange, DbData};
use super::*;
use crate::base::{Now, Outbox, SimTime, Stream, Streams, WallTime};

struct Lab {
    config: ClusterConfig,
    nodes: Vec<GlobalUpdates>,
    alive: NodeSet,
    /// Messages on their way, by sender and receiver, in order.
    wires: BTreeMap<(NodeId, NodeId), VecDeque<Vec<u8>>>,
    /// Log answers that are due, by node.
    logging: Vec<VecDeque<u64>>,
    /// What each node applied.
    applied: Vec<Vec<(u64, Update)>>,
    /// Proposed and answered well, by node.
    done: Vec<Vec<u32>>,
    refused: Vec<u32>,
    halted: bool,
    /// Nodes that have still to hear who the members are.
    to_tell: Vec<VecDeque<NodeSet>>,
    chance: Stream,
}

impl Lab {
    fn new(count: u8, profile: ClusterProfile, seed: u64) -> Lab {
        let node = |i| NodeConfig { name: format!("node-{i}"), addresses: Vec::new() };
        let config = ClusterConfig {
            name: "mars".into(),
            profile,
            nodes: (0..count).map(node).collect(),
            networks: Vec::new(),
            disks: Vec::new(),
            quorum: QuorumKind::Local,
            groups: Vec::new(),
            resources: Vec::new(),
        };
        let mut lab = Lab {
            nodes: (0..count).map(|_| GlobalUpdates::new(1)).collect(),
            alive: config.node_ids().collect(),
            wires: BTreeMap::new(),
            logging: vec![VecDeque::new(); count.into()],
            applied: vec![Vec::new(); count.into()],
            done: vec![Vec::new(); count.into()],
            refused: Vec::new(),
            halted: false,
            to_tell: vec![VecDeque::new(); count.into()],
            chance: Streams::new(seed).stream("lab"),
            config,
        };
        lab.act(NodeId(1), |gum, step| gum.formed(0, step));
        let all = lab.alive;
        let snapshot = lab.nodes[0].snapshot();
        for node in all.iter() {
            if node != NodeId(1) {
                lab.nodes[node.0 as usize - 1].load(all, &snapshot).expect("a snapshot");
            }
            lab.nodes[node.0 as usize - 1].members = all;
            lab.act(node, |gum, step| gum.set_quorum_owner(Some(NodeId(1)), step));
        }
        lab
    }

    fn act(&mut self, node: NodeId, act: impl FnOnce(&mut GlobalUpdates, &mut Step<'_>)) {
        let (mut out, mut notices) = (Outbox::default(), VecDeque::new());
        let now = Now { time: SimTime::ZERO, wall: WallTime::NEVER };
        let i = node.0 as usize - 1;
        let mut step =
            Step { now, config: &self.config, me: node, out: &mut out, notices: &mut notices };
        act(&mut self.nodes[i], &mut step);
        for notice in notices {
            match notice {
                Notice::Rpc { to, body, .. } => {
                    self.wires.entry((node, to)).or_default().push_back(body);
                }
                Notice::Apply { sequence, update } => self.applied[i].push((sequence, update)),
                Notice::WriteLog { sequence, .. } => self.logging[i].push_back(sequence),
                Notice::Proposed { asker: Asker::Control(number), result } => match result {
                    Ok(()) => self.done[i].push(number),
                    Err(error) => self.refused.push(error.0),
                },
                Notice::Halt(_) => self.halted = true,
                other => panic!("{node:?} tells {other:?}"),
            }
        }
    }

    /// One thing that could happen next, chosen at random. False if nothing can.
    fn step(&mut self) -> bool {
        let mut choices: Vec<(u8, NodeId, NodeId)> = Vec::new();
        for (&(from, to), queue) in &self.wires {
            if !queue.is_empty() && self.alive.contains(to) {
                choices.push((0, from, to));
            }
        }
        for node in self.alive.iter() {
            let i = node.0 as usize - 1;
            if !self.logging[i].is_empty() {
                choices.push((1, node, node));
            }
            if !self.to_tell[i].is_empty() {
                choices.push((2, node, node));
            }
        }
        if choices.is_empty() {
            return false;
        }
        let (what, from, to) = choices[self.chance.below(choices.len() as u64) as usize];
        let i = to.0 as usize - 1;
        match what {
            0 => {
                let queue = self.wires.get_mut(&(from, to)).expect("a queue");
                let body = queue.pop_front().expect("a message");
                self.act(to, |gum, step| gum.rpc(from, &body, step));
            }
            1 => {
                let sequence = self.logging[i].pop_front().expect("a record");
                self.act(to, |gum, step| gum.logged(sequence, Ok(()), step));
            }
            _ => {
                let members = self.to_tell[i].pop_front().expect("members");
                // From now on it hears nothing more of those who have left.
                self.wires
                    .retain(|&(from, to), _| to != NodeId(i as u8 + 1) || members.contains(from));
                self.act(to, |gum, step| {
                    // Every set of members is told once: its bits can stand for an epoch.
                    gum.members_changed(members, members.bits(), step);
                    gum.set_quorum_owner(members.lowest(), step);
                });
            }
        }
        true
    }

    /// A node dies; messages it has sent may still arrive until the others know.
    fn kill(&mut self, node: NodeId) {
        self.alive.remove(node);
        // What it sent last may never have left it.
        for (_, queue) in self.wires.range_mut((node, NodeId(0))..=(node, NodeId::MAX)) {
            let keeps = self.chance.below(queue.len() as u64 + 1) as usize;
            queue.truncate(keeps);
        }
        for other in self.alive.iter() {
            self.to_tell[other.0 as usize - 1].push_back(self.alive);
        }
    }

    fn propose(&mut self, node: NodeId, number: u32) {
        let update = match number % 3 {
            0 => Update::NodePaused { node, paused: number.is_multiple_of(2) },
            _ => Update::Database(vec![DbChange::SetValue {
                key: "Test".into(),
                name: format!("{number}"),
                data: DbData::Number(number),
            }]),
        };
        self.act(node, |gum, step| gum.propose(Asker::Control(number), update, step));
    }

    /// Runs with proposals and deaths until everything is quiet; says what was wrong.
    fn run(&mut self, proposals: u32, kills: u32) -> Result<(), String> {
        let (mut left, mut to_kill) = (proposals, kills);
        loop {
            if !self.step() && left == 0 {
                break;
            }
            if left > 0 && self.chance.below(6) == 0 {
                left -= 1;
                let alive: Vec<NodeId> = self.alive.iter().collect();
                let node = alive[self.chance.below(alive.len() as u64) as usize];
                self.propose(node, left);
            }
            if to_kill > 0 && self.alive.len() > 1 && self.chance.below(40) == 0 {
                to_kill -= 1;
                let alive: Vec<NodeId> = self.alive.iter().collect();
                let node = alive[self.chance.below(alive.len() as u64) as usize];
                self.kill(node);
            }
        }
        while self.step() {}
        self.judge()
    }

    fn judge(&self) -> Result<(), String> {
        if self.halted {
            return Err("a node missed an update".into());
        }
        let first = self.alive.lowest().ok_or("nobody is left")?;
        let want = &self.applied[first.0 as usize - 1];
        let numbers: Vec<u64> = want.iter().map(|(sequence, _)| *sequence).collect();
        if numbers != (1..=want.len() as u64).collect::<Vec<_>>() {
            return Err(format!("a gap in {numbers:?}"));
        }
        for node in self.alive.iter() {
            let i = node.0 as usize - 1;
            if &self.applied[i] != want {
                return Err(format!("{node:?} has another history than {first:?}"));
            }
            if !self.nodes[i].is_idle() {
                return Err(format!("{node:?} waits for ever"));
            }
        }
        for (i, done) in self.done.iter().enumerate() {
            if !self.alive.contains(NodeId(i as u8 + 1)) {
                continue;
            }
            for number in done.iter().filter(|number| **number % 3 != 0) {
                let there = |update: &Update| {
                    matches!(update, Update::Database(changes) if matches!(&changes[0],
                        DbChange::SetValue { name, .. } if *name == number.to_string()))
                };
                match want.iter().filter(|(_, update)| there(update)).count() {
                    1 => {}
                    count => return Err(format!("update {number} was applied {count} times")),
                }
            }
        }
        Ok(())
    }
}

#[test]
fn every_member_applies_the_same_in_the_same_order() {
    for seed in 0..200 {
        let mut lab = Lab::new(4, ClusterProfile::w2k(4), seed);
        assert_eq!(lab.run(40, 0), Ok(()), "seed {seed}");
        assert_eq!(lab.done.iter().map(Vec::len).sum::<usize>(), 40, "seed {seed}");
    }
}

#[test]
fn what_one_survivor_has_all_survivors_have() {
    for seed in 0..3000 {
        let nodes = 2 + (seed % 5) as u8;
        let mut lab = Lab::new(nodes, ClusterProfile::w2k(4), seed);
        assert_eq!(lab.run(30, 1 + (seed % 3) as u32), Ok(()), "seed {seed}");
    }
}

#[test]
fn without_succession_of_the_locker_histories_part() {
    let mut profile = ClusterProfile::w2k(4);
    profile.planted.no_locker_succession = true;
    let found = (0..3000).find(|&seed| Lab::new(4, profile.clone(), seed).run(30, 2).is_err());
    assert!(found.is_some_and(|seed| seed < 500), "first found by seed {found:?}");
}

#[test]
fn a_log_that_is_full_refuses_the_change_everywhere() {
    let mut lab = Lab::new(3, ClusterProfile::w2k(4), 1);
    lab.propose(NodeId(2), 1);
    while lab.logging[0].is_empty() {
        assert!(lab.step());
    }
    let sequence = lab.logging[0].pop_front().expect("a record");
    lab.act(NodeId(1), |gum, step| gum.logged(sequence, Err(ClusterError(5033)), step));
    while lab.step() {}
    assert_eq!((lab.refused.as_slice(), lab.applied.concat().len()), ([5033].as_slice(), 0));
}

#[test]
fn a_join_fails_if_an_update_came_in_between() {
    let mut lab = Lab::new(2, ClusterProfile::w2k(4), 1);
    lab.propose(NodeId(1), 3);
    let update = Update::NodeUp { node: NodeId(3), after: 0 };
    lab.act(NodeId(1), |gum, step| gum.propose(Asker::Control(99), update, step));
    while lab.step() {}
    assert_eq!(lab.refused, [5083]);
}

#[test]
fn arbitrary_messages_are_ignored_or_obeyed_but_never_a_panic() {
    let mut chance = Streams::new(7).stream("bytes");
    for _ in 0..20_000 {
        let mut lab_bytes = vec![chance.below(11) as u8];
        lab_bytes.extend((0..chance.below(40)).map(|_| chance.below(6) as u8));
        let config = Lab::new(2, ClusterProfile::w2k(4), 1);
        let mut gum = GlobalUpdates::new(1);
        gum.members = config.alive;
        let (mut out, mut notices) = (Outbox::default(), VecDeque::new());
        let now = Now { time: SimTime::ZERO, wall: WallTime::NEVER };
        let mut step = Step {
            now,
            config: &config.config,
            me: NodeId(2),
            out: &mut out,
            notices: &mut notices,
        };
        gum.rpc(NodeId(1), &lab_bytes, &mut step);
    }
}
