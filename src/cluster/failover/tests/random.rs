//! Random stories: nodes die, stop and come back, resources fail, administrators wish, updates are refused.
//! The laboratory judges every instant; when the faults have ended everything that can be online is.

use super::lab::{Lab, Node, Real};
use super::setup::{disk, resource};
use crate::base::{SimDuration, Stream, Streams};
use crate::cluster::{
    ClusterConfig, ClusterProfile, Control, Failback, GroupConfig, GroupId, NodeId, ResourceEvent,
    ResourceId, ResourceState, RestartAction,
};
use std::collections::BTreeMap;

const STEPS: usize = 60;

/// A cluster of its own for each seed. Some node can run everything of each group.
fn a_config(chance: &mut Stream) -> ClusterConfig {
    let nodes = chance.between(2, 4) as u8;
    let profile = match chance.below(3) {
        0 => ClusterProfile::nt40(chance.between(3, 6) as u8),
        1 => ClusterProfile::w2k(chance.between(0, 4) as u8),
        _ => ClusterProfile::w2k3(chance.below(2) as u8),
    };
    let mut config = super::setup::config(nodes, profile);
    config.name = format!("c{}", chance.below(10));
    config.groups.truncate(1);
    config.resources.truncate(2);
    for number in 1..=3u16 {
        let mut group = GroupConfig::new("g");
        let any = |chance: &mut Stream| NodeId(chance.between(1, u64::from(nodes)) as u8);
        group.preferred_owners = (0..chance.below(3)).map(|_| any(chance)).collect();
        group.failback = match chance.below(3) {
            0 => Failback::Prevent,
            1 => Failback::Immediate,
            _ => Failback::Window { start: chance.below(24) as u8, end: chance.below(24) as u8 },
        };
        group.failover_threshold = (chance.below(3) > 0).then_some(chance.below(4) as u32);
        group.online_at_start = chance.below(5) > 0;
        config.groups.push(group);
        let first = config.resources.len() as u16;
        config.resources.push(disk(number, number));
        let home = any(chance);
        for place in 1..=chance.below(5) as u16 {
            let depends_on: Vec<u16> =
                (first..first + place).filter(|_| chance.below(2) == 0).collect();
            let mut resource = resource("r", number, &depends_on);
            if chance.below(4) == 0 {
                resource.possible_owners = vec![home, any(chance), any(chance)];
            }
            resource.restart_action = match chance.below(4) {
                0 => RestartAction::Restart,
                _ => RestartAction::AffectGroup,
            };
            resource.restart_threshold = Some(chance.below(4) as u32);
            resource.separate_monitor = chance.below(4) == 0;
            config.resources.push(resource);
        }
    }
    config
}

struct Story {
    lab: Lab,
    chance: Stream,
    /// Requests, and the life of the node they were put to.
    asked: BTreeMap<u32, (NodeId, u32)>,
    told: BTreeMap<&'static str, usize>,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut chance = Streams::new(seed).stream("story");
        let config = a_config(&mut chance);
        let delay = chance.below(300);
        let lab = Lab::with_delays(config, delay, seed);
        Story { lab, chance, asked: BTreeMap::new(), told: BTreeMap::new() }
    }

    fn node(&mut self, up: bool) -> Option<NodeId> {
        let nodes = self.lab.nodes.iter().filter(|(_, node)| node.up == up);
        let nodes: Vec<NodeId> = nodes.map(|(&id, _)| id).collect();
        let at = self.chance.below(nodes.len() as u64) as usize;
        nodes.get(at).copied()
    }

    /// Something that runs somewhere.
    fn running(&mut self) -> Option<(NodeId, ResourceId)> {
        let all = self.lab.nodes.iter().flat_map(|(&id, node)| {
            node.real.iter().filter(|(_, real)| **real == Real::Running).map(move |(&r, _)| (id, r))
        });
        let all: Vec<_> = all.filter(|(_, r)| r.0 > 1).collect();
        let at = self.chance.below(all.len() as u64) as usize;
        all.get(at).copied()
    }

    fn control(&mut self) -> Control {
        let group = GroupId(self.chance.below(self.lab.config.groups.len() as u64) as u16);
        let id = ResourceId(self.chance.below(self.lab.config.resources.len() as u64) as u16);
        let node = NodeId(self.chance.between(1, self.lab.nodes.len() as u64) as u8);
        match self.chance.below(12) {
            0 => Control::OnlineResource(id),
            1 => Control::OfflineResource(id),
            2 => Control::FailResource(id),
            3 => Control::OnlineGroup(group),
            4 => Control::OfflineGroup(group),
            5..=7 => Control::MoveGroup { group, to: Some(node) },
            8 => Control::MoveGroup { group, to: None },
            9 => Control::PauseNode(node),
            _ => Control::ResumeNode(node),
        }
    }

    fn step(&mut self) {
        let wait = match self.chance.below(4) {
            0 => self.chance.below(10),
            1 => self.chance.below(1000),
            2 => self.chance.below(8_000),
            _ => self.chance.below(60_000),
        };
        self.lab.run(SimDuration::from_millis(wait));
        let what = match self.chance.below(24) {
            0 | 1 => self.node(true).map(|node| self.lab.crash(node)).map(|()| "crash"),
            2..=5 => self.node(false).map(|node| self.lab.start(node)).map(|()| "start"),
            6 => {
                let shutting_down = self.chance.below(2) == 0;
                let node = self.node(true).filter(|node| self.lab.is_member(*node));
                node.map(|node| self.lab.stop(node, shutting_down)).map(|()| "stop")
            }
            7..=9 => self.running().map(|(node, id)| self.fail(node, id)),
            10 => {
                let id =
                    ResourceId(self.chance.below(self.lab.config.resources.len() as u64) as u16);
                let times = self.chance.between(1, 6) as u32;
                self.lab.fail_online.insert(id, times);
                Some("fail online")
            }
            11 => {
                self.lab.refuse = self.chance.below(4) as u32;
                Some("refuse")
            }
            12 => {
                let id =
                    ResourceId(self.chance.below(self.lab.config.resources.len() as u64) as u16);
                let takes = SimDuration::from_millis(self.chance.below(30_000));
                self.lab.offline_takes.insert(id, takes);
                Some("slow")
            }
            _ => self.node(true).map(|node| {
                let control = self.control();
                let life = self.lab.nodes[&node].life;
                let request = self.lab.control(node, control);
                self.asked.insert(request, (node, life));
                "ask"
            }),
        };
        if let Some(what) = what {
            *self.told.entry(what).or_insert(0) += 1;
        }
    }

    fn fail(&mut self, node: NodeId, id: ResourceId) -> &'static str {
        if let Some(disk) = self.lab.nodes[&node].failover.resources[&id].disk() {
            self.lab.act(node, |failover, _, step| failover.disk_lost(disk, step));
            return "disk lost";
        }
        match self.chance.below(3) {
            0 => {
                let bad = ResourceEvent::Health { looks_alive: false, is_alive: false };
                self.lab.event(node, id, bad);
                "ill"
            }
            1 => {
                self.lab.event(node, id, ResourceEvent::MonitorDied);
                "monitor"
            }
            _ => {
                self.lab.event(node, id, ResourceEvent::Failed);
                "failed"
            }
        }
    }

    /// The faults end: everybody is there, nobody is paused, everything is wished online.
    fn heal(&mut self) {
        self.lab.fail_online.clear();
        self.lab.offline_takes.clear();
        self.lab.refuse = 0;
        self.lab.run(SimDuration::from_mins(3));
        while let Some(node) = self.node(false) {
            self.lab.start(node);
            self.lab.run(SimDuration::from_secs(30));
        }
        let first = NodeId(1);
        for node in 1..=self.lab.nodes.len() as u8 {
            self.lab.control(first, Control::ResumeNode(NodeId(node)));
        }
        self.lab.run(SimDuration::from_hours(2));
        for group in 0..self.lab.config.groups.len() as u16 {
            self.lab.control(first, Control::OnlineGroup(GroupId(group)));
        }
        self.lab.run(SimDuration::from_hours(25));
    }

    fn judge(&self) {
        let lab = &self.lab;
        for (&id, node) in &lab.nodes {
            assert!(node.up && lab.members.contains(id), "{id:?} is not there");
            assert!(node.failover.proposals.is_empty(), "{id:?}: {:?}", node.failover.proposals);
            assert!(node.failover.forwarded.is_empty(), "{id:?}: {:?}", node.failover.forwarded);
            assert_eq!(node.failover.next_deadline(), None, "{:?}", node.failover.timers);
        }
        let table = |node: &Node| -> Vec<_> {
            node.failover.groups.values().map(|g| (g.owner, g.generation, g.vacant)).collect()
        };
        let mut tables = lab.nodes.values().map(table);
        let first = tables.next();
        assert!(tables.all(|table| Some(table) == first), "tables of owners differ");
        for id in (0..lab.config.resources.len() as u16).map(ResourceId) {
            assert_eq!(lab.state(id), ResourceState::Online, "{id:?}");
        }
        for (request, (node, life)) in &self.asked {
            let lives = lab.nodes[node].life == *life;
            assert!(!lives || lab.answers.contains_key(request), "request {request} to {node:?}");
        }
    }
}

fn tell(seed: u64, told: &mut BTreeMap<&'static str, usize>) {
    let mut story = Story::new(seed);
    for _ in 0..STEPS {
        story.step();
    }
    story.heal();
    story.judge();
    for (what, count) in story.told {
        *told.entry(what).or_insert(0) += count;
    }
}

fn tell_all(seeds: std::ops::Range<u64>) {
    let mut told = BTreeMap::new();
    for seed in seeds {
        let counted = std::panic::catch_unwind(|| {
            let mut told = BTreeMap::new();
            tell(seed, &mut told);
            told
        });
        let Ok(counted) = counted else { panic!("seed {seed}") };
        counted.into_iter().for_each(|(what, count)| *told.entry(what).or_insert(0) += count);
    }
    let rarest = told.iter().min_by_key(|(_, count)| **count);
    assert!(told.len() == 11 && rarest.is_some_and(|(_, count)| *count > 10), "{told:?}");
}

#[test]
fn whatever_happens_a_group_has_one_owner_and_comes_online_in_the_end() {
    tell_all(0..200);
}

#[test]
#[ignore = "the same with thousands of seeds: minutes"]
fn whatever_happens_in_thousands_of_stories() {
    tell_all(0..5000);
}
