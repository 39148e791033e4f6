//! Power cuts at every write, damage of every kind, and what the node that forms makes of it.

use super::lab::*;
use crate::base::{SimDuration, Stream, Streams};
use crate::cluster::database::Database;
use crate::cluster::ids::*;
use crate::cluster::io::StartSwitches;
use crate::cluster::profile::{BadLog, ClusterProfile};
use crate::cluster::quorum::{NOT_ONLINE, journal, log};
use crate::cluster::step::Notice;
use crate::cluster::update::DbChange;
use crate::registry::KeyPath;
use std::cell::Cell;

pub const SWITCHES: StartSwitches = StartSwitches {
    fix_quorum: false,
    no_quorum_logging: false,
    reset_quorum_log: false,
    force_quorum: None,
    account: 0,
};

/// A cluster of nodes with equal databases, and the list of changes it is to be compared with.
pub struct Cluster {
    pub lab: Lab,
    members: NodeSet,
    owner: usize,
    /// Digests of the database after so many changes.
    states: Vec<u64>,
    changes: u32,
    /// So many changes must survive whatever happens.
    pub must: usize,
    /// Digests of states that were logged and never applied, and after how many changes.
    doubt: Vec<(u64, usize)>,
    /// The numbers of updates go on even where no change of the database is among them.
    sequence: u64,
    /// The epoch of the members.
    epoch: u64,
}

fn members(cluster: &Cluster) -> Vec<usize> {
    cluster.members.iter().map(|node| usize::from(node.0) - 1).collect()
}

impl Cluster {
    /// Formed by node 0, alone.
    fn formed(nodes: u8, profile: ClusterProfile, seed: u64) -> Option<Cluster> {
        let chance = Streams::new(seed).stream("power");
        let mut cluster = Cluster::new(nodes, profile, chance);
        cluster.form(0, SWITCHES).ok()?;
        Some(cluster)
    }

    pub fn new(nodes: u8, profile: ClusterProfile, chance: Stream) -> Cluster {
        let lab = Lab::new(config(nodes, profile), chance);
        let states = vec![lab.nodes[0].database.digest()];
        Cluster {
            lab,
            members: NodeSet::EMPTY,
            owner: 0,
            states,
            changes: 0,
            must: 0,
            doubt: Vec::new(),
            sequence: 0,
            epoch: 0,
        }
    }

    /// A node forms; what it has must be one of the states that are allowed.
    pub fn form(&mut self, node: usize, switches: StartSwitches) -> Result<(), u32> {
        self.lab.form(node, switches)?;
        self.members = NodeSet::only(NodeId(node as u8 + 1));
        self.owner = node;
        self.sequence = self.lab.nodes[node].database.sequence;
        self.epoch = self.lab.nodes[node].epoch;
        Ok(())
    }

    /// Which of the states the database of a node is in, the latest if it is several.
    pub fn state(&self, node: usize) -> Option<usize> {
        let digest = self.lab.nodes[node].database.digest();
        let doubtful = self.doubt.iter().find(|(doubt, _)| *doubt == digest).map(|(_, at)| *at);
        self.states.iter().rposition(|state| *state == digest).or(doubtful)
    }

    pub fn join(&mut self, node: usize) -> bool {
        self.lab.boot(node, SWITCHES);
        let database = self.lab.nodes[self.owner].database.clone();
        self.lab.nodes[node].clusdb = Some(database.save());
        self.lab.nodes[node].database = database;
        let mut all = self.members;
        all.insert(NodeId(node as u8 + 1));
        self.sequence += 1;
        self.change_members(all)
    }

    /// The node that holds the quorum.
    pub fn owner(&self) -> usize {
        self.owner
    }

    /// Members.
    pub fn up(&self) -> Vec<usize> {
        members(self)
    }

    /// The former found this state: what came after it never was.
    pub fn goes_on_from(&mut self, state: usize) {
        let former = self.lab.nodes[self.owner].database.digest();
        if self.states[state] != former {
            // A change in doubt was found.
            self.states.insert(state + 1, former);
            self.states.truncate(state + 2);
        } else {
            self.states.truncate(state + 1);
        }
        self.must = self.states.len() - 1;
        self.doubt.clear();
    }

    fn change_members(&mut self, all: NodeSet) -> bool {
        self.epoch += u64::from(!all.covers(self.members));
        self.members = all;
        let (owner, epoch) = (NodeId(self.owner as u8 + 1), self.epoch);
        for node in members(self) {
            self.lab.nodes[node].database.sequence = self.sequence;
            self.lab.act(node, |it, step| {
                it.quorum.set_owner(Some(owner), step);
                it.quorum.members_changed((all, epoch), &it.database, step);
            });
        }
        self.lab.run(SimDuration::from_millis(50));
        self.alive()
    }

    /// A node that is not the owner crashes.
    pub fn lose(&mut self, node: usize) -> bool {
        self.lab.crash(node);
        let mut left = self.members;
        left.remove(NodeId(node as u8 + 1));
        self.change_members(left)
    }

    /// The owner crashes, maybe after it has logged a change that nobody else has; another node takes over.
    pub fn lose_owner(&mut self, logged: bool) -> bool {
        if logged {
            let (owner, number) = (self.owner, self.changes + 1000);
            let sequence = self.sequence + 1;
            let mut next = self.lab.nodes[owner].database.clone();
            next.apply(&change(number, 30)).expect("it sets a value");
            self.doubt.push((next.digest(), self.states.len() - 1));
            self.lab.act(owner, |it, step| {
                it.quorum.log(sequence, &change(number, 30), &it.database, step);
            });
            self.lab.run(SimDuration::from_millis(50));
        }
        self.lab.crash(self.owner);
        let mut left = self.members;
        left.remove(NodeId(self.owner as u8 + 1));
        self.take_over(left)
    }

    /// The first of these nodes wins the quorum, and goes on with the others.
    fn take_over(&mut self, left: NodeSet) -> bool {
        let Some(next) = left.lowest() else { return false };
        let next = usize::from(next.0) - 1;
        self.lab.act(next, |it, step| it.quorum.arbitrate((left, 0), &mut it.disks, step));
        let decided = |n: &Notice| matches!(n, Notice::Arbitrated { .. });
        let won = self.lab.wait(next, SimDuration::from_secs(30), decided);
        if won != Some(Notice::Arbitrated { won: true }) {
            return false;
        }
        self.owner = next;
        self.lab.run(SimDuration::from_secs(2));
        self.change_members(left)
    }

    /// The quorum moves in order.
    pub fn move_to(&mut self, node: usize) -> bool {
        let owner = self.owner;
        if owner == node {
            return true;
        }
        self.lab.act(owner, |_, step| {
            step.notice(Notice::GiveDisk { disk: QUORUM_DISK, orderly: true });
        });
        self.lab.run(SimDuration::from_secs(1));
        self.owner = node;
        let to = Some(NodeId(node as u8 + 1));
        for member in members(self) {
            self.lab.act(member, |it, step| it.quorum.set_owner(to, step));
        }
        self.lab.act(node, |it, step| it.disks.take(QUORUM_DISK, false, true, step));
        self.lab.run(SimDuration::from_secs(1));
        self.alive()
    }

    pub fn alive(&self) -> bool {
        members(self).iter().all(|node| self.lab.nodes[*node].up)
    }

    /// A change of the database. It is logged first, then applied by every member.
    pub fn commit(&mut self, size: usize) -> Result<(), u32> {
        self.changes += 1;
        self.commit_these(&change(self.changes, size))
    }

    fn commit_these(&mut self, changes: &[DbChange]) -> Result<(), u32> {
        self.sequence += 1;
        let sequence = self.sequence;
        let owner = self.owner;
        self.lab.act(owner, |it, step| it.quorum.log(sequence, changes, &it.database, step));
        let answered = |n: &Notice| matches!(n, Notice::Logged { .. });
        let logged = self.lab.wait(owner, SimDuration::from_secs(5), answered);
        let mut next = self.lab.nodes[owner].database.clone();
        next.apply(changes).expect("it sets a value");
        match logged {
            Some(Notice::Logged { ok: true, .. }) => {}
            Some(_) => return Err(self.lab.nodes[owner].quorum.last_error()),
            None => {
                // In doubt: it may be found again.
                self.states.push(next.digest());
                return Err(0);
            }
        }
        self.states.push(next.digest());
        for node in members(self) {
            let it = &mut self.lab.nodes[node];
            it.database.apply(changes).expect("it sets a value");
            it.database.sequence = sequence;
            it.clusdb = Some(it.database.save());
        }
        if self.members.len() < self.lab.nodes.len() {
            self.must = self.states.len() - 1;
        }
        Ok(())
    }
}

/// A story in which the quorum does all it can do: it ends early if power fails.
fn story(cluster: &mut Cluster) -> Option<()> {
    for _ in 0..3 {
        cluster.commit(20).ok()?;
    }
    for node in 1..3 {
        cluster.join(node).then_some(())?;
    }
    cluster.commit(20).ok()?;
    cluster.lose(2).then_some(())?;
    // Full logs: a few hundred bytes fit.
    for _ in 0..8 {
        cluster.commit(100).ok()?;
    }
    cluster.move_to(1).then_some(())?;
    cluster.commit(20).ok()?;
    cluster.lab.run(SimDuration::from_mins(11));
    cluster.alive().then_some(())?;
    cluster.commit(20).ok()?;
    cluster.lose_owner(true).then_some(())?;
    for _ in 0..3 {
        cluster.commit(20).ok()?;
    }
    cluster.join(1).then_some(())?;
    cluster.join(2).then_some(())?;
    cluster.commit(20).ok()?;
    cluster.lose(1).then_some(())?;
    cluster.commit(20).ok()
}

fn small_log(mut profile: ClusterProfile) -> ClusterProfile {
    profile.quorum_log_max = 800;
    if !profile.hive_checkpoint_interval.is_zero() {
        profile.hive_checkpoint_interval = SimDuration::from_mins(10);
    }
    profile
}

fn cut_everywhere(profile: &ClusterProfile, check: impl Fn(&mut Cluster, &str)) -> u32 {
    let mut whole = Cluster::formed(3, profile.clone(), 1).expect("it forms");
    assert_eq!(story(&mut whole), Some(()), "{:?}", whole.lab.events(whole.owner));
    let writes = whole.lab.writes;
    for write in 1..=writes {
        for tear in [Tear::Nothing, Tear::Half, Tear::Whole] {
            let chance = Streams::new(1).stream("power");
            let mut cluster = Cluster::new(3, profile.clone(), chance);
            cluster.lab.cut = Some((write, tear));
            if cluster.form(0, SWITCHES).is_ok() {
                let _ = story(&mut cluster);
            }
            if cluster.lab.cut.is_some() {
                cluster.lab.blackout();
            }
            check(&mut cluster, &format!("write {write} of {writes}, {tear:?}"));
        }
    }
    writes
}

#[test]
fn a_power_cut_at_any_write_loses_nothing_that_was_logged() {
    for profile in [ClusterProfile::w2k(4), ClusterProfile::w2k3(0)] {
        for former in 0..3 {
            let writes = cut_everywhere(&small_log(profile.clone()), |cluster, when| {
                let must = cluster.must;
                assert_eq!(cluster.form(former, SWITCHES), Ok(()), "{when}");
                let state = cluster.state(former);
                let state = state.unwrap_or_else(|| panic!("a state that never was: {when}"));
                assert!(state >= must, "state {state} of {must}: {when}");
                // And once more: what was found is there to stay.
                cluster.lab.blackout();
                assert_eq!(cluster.form((former + 1) % 3, SWITCHES), Ok(()), "{when}");
                assert_eq!(cluster.state((former + 1) % 3), Some(state), "{when}");
            });
            assert!(writes > 30, "{writes}");
        }
    }
}

/// NT 4.0 writes its files in place: a cut can spoil them, and then the node's own copy is used without a
/// word, which is older if the node was away; or before SP5, a torn checkpoint is loaded as it is.
#[test]
fn a_power_cut_on_nt40_loses_what_the_articles_say() {
    let mut lost = [[0; 2]; 2];
    for (place, service_pack) in [4, 6].into_iter().enumerate() {
        let mut profile = small_log(ClusterProfile::nt40(service_pack));
        profile.full_log_drops_change = false;
        let [older, mixed] = [const { Cell::new(0) }; 2];
        let count = |of: &Cell<u32>| of.set(of.get() + 1);
        // Node 0 has every change itself; node 2 was away for some.
        for former in [0, 2] {
            cut_everywhere(&profile, |cluster, when| {
                let must = cluster.must;
                let before = cluster.lab.nodes[former].clusdb.clone();
                match (cluster.form(former, SWITCHES), cluster.state(former)) {
                    (Ok(()), Some(state)) if state >= must => {}
                    (Ok(()), Some(state)) => {
                        count(&older);
                        let own = before.map(|bytes| Database::load(&bytes).map(|d| d.digest()));
                        let is_own = own.is_some_and(|own| own == Ok(cluster.states[state]));
                        assert!(former == 2 && is_own, "state {state} of {must}: {when}");
                    }
                    (Ok(()), None) => count(&mixed),
                    (Err(error), _) => assert!(service_pack < 5 && error == 1009, "{when}"),
                }
            });
        }
        lost[place] = [older.get(), mixed.get()].map(|times| usize::from(times > 0));
    }
    assert_eq!(lost, [[1, 1], [1, 0]], "older copies, and mixtures");
}

fn ten_changes(profile: ClusterProfile) -> Cluster {
    let mut cluster = Cluster::formed(2, profile, 7).expect("it forms");
    for _ in 0..10 {
        cluster.commit(20).expect("there is room");
    }
    cluster.lab.blackout();
    cluster
}

fn chk(cluster: &Cluster) -> String {
    let mut names = cluster.lab.files.keys().filter(|name| log::checkpoint_number(name).is_some());
    names.next_back().expect("there is one").clone()
}

#[test]
fn a_missing_or_damaged_log_has_the_documented_end() {
    /// Version, whether the log is there, how the start ends, events.
    type Case = (ClusterProfile, bool, Result<(), u32>, &'static [u16]);
    let cases: [Case; 7] = [
        (ClusterProfile::nt40(3), false, Ok(()), &[]),
        (ClusterProfile::nt40(6), false, Ok(()), &[]),
        (ClusterProfile::w2k(2), false, Err(1067), &[1019, 1148]),
        (ClusterProfile::w2k(2), true, Ok(()), &[1019]),
        (ClusterProfile::w2k3(0), false, Ok(()), &[]),
        (ClusterProfile::w2k3(1), false, Ok(()), &[]),
        (ClusterProfile::w2k3(1), true, Ok(()), &[]),
    ];
    for (profile, reset, result, events) in cases {
        let what = format!("{:?} SP{} {reset}", profile.version, profile.service_pack);
        let rebuilds = profile.bad_log == BadLog::Rebuild;
        for damage in 0..3 {
            let mut cluster = ten_changes(profile.clone());
            let log = cluster.lab.files.get_mut(&journal::LOG.to_ascii_lowercase());
            let log = log.expect("there is a log");
            let mut events = events.to_vec();
            match damage {
                0 => drop(cluster.lab.files.remove(&journal::LOG.to_ascii_lowercase())),
                // In the middle, and at the very beginning.
                1 => log[60] ^= 0x10,
                _ => log[2] ^= 0x10,
            }
            if damage > 0 && rebuilds {
                events = vec![1019];
            }
            let switches = StartSwitches { reset_quorum_log: reset, ..SWITCHES };
            assert_eq!(cluster.form(1, switches), result, "{what}, damage {damage}");
            assert_eq!(cluster.lab.events(1), events, "{what}, damage {damage}");
            if result.is_ok() {
                assert_eq!(cluster.state(1), Some(0), "the own copy of node 2 is old: {what}");
            }
        }
    }
}

#[test]
fn a_missing_or_damaged_checkpoint_has_the_documented_end() {
    let cases: [(ClusterProfile, bool, Result<(), u32>); 6] = [
        (ClusterProfile::nt40(5), false, Ok(())),
        (ClusterProfile::w2k(2), false, Err(1067)),
        (ClusterProfile::w2k(2), true, Ok(())),
        (ClusterProfile::w2k3(0), false, Err(1067)),
        (ClusterProfile::w2k3(0), true, Ok(())),
        (ClusterProfile::w2k3(1), false, Ok(())),
    ];
    for (profile, reset, result) in cases {
        let what = format!("{:?} SP{} {reset}", profile.version, profile.service_pack);
        for damage in 0..2 {
            let mut cluster = ten_changes(profile.clone());
            let name = chk(&cluster);
            if damage == 0 {
                cluster.lab.files.remove(&name);
            } else {
                cluster.lab.files.get_mut(&name).expect("it is there")[70] ^= 1;
            }
            let switches = StartSwitches { reset_quorum_log: reset, ..SWITCHES };
            assert_eq!(cluster.form(0, switches), result, "{what}, damage {damage}");
            let events = cluster.lab.events(0);
            assert!(events.contains(&if damage == 0 { 1015 } else { 1016 }), "{what}: {events:?}");
            assert_eq!(events.contains(&1148), result.is_err(), "{what}: {events:?}");
            if result.is_ok() {
                assert_eq!(cluster.state(0), Some(10), "the own copy of node 1 is new: {what}");
            }
        }
    }
}

/// KB 257905: a checkpoint of another time than the log's, restored from a backup, is none.
#[test]
fn a_checkpoint_of_another_time_is_found_out() {
    let form = |profile: ClusterProfile| {
        let mut cluster = ten_changes(profile);
        let name = chk(&cluster);
        let other = {
            let mut d = Database::initial(&cluster.lab.config);
            d.sequence = 5;
            d.save()
        };
        cluster.lab.files.insert(name, other);
        cluster.form(1, SWITCHES)
    };
    assert_eq!(form(ClusterProfile::w2k(4)), Err(1067));
    assert_eq!(form(ClusterProfile::nt40(4)), Ok(()), "nobody looks before SP5");
}

/// Q216064: before the checksum a damaged checkpoint destroys the node's own copy, then the other node's.
#[test]
fn a_damaged_checkpoint_before_sp5_is_loaded_blindly() {
    let mut cluster = ten_changes(ClusterProfile::nt40(4));
    let name = chk(&cluster);
    cluster.lab.files.get_mut(&name).expect("it is there")[0] ^= 1;
    for node in 0..2 {
        assert_eq!(cluster.form(node, SWITCHES), Err(1009));
        assert!(cluster.lab.events(node).contains(&1057));
        let own = cluster.lab.files.get(&format!("{node}:clusdb")).expect("it was overwritten");
        assert!(Database::load(own).is_err());
        cluster.lab.blackout();
    }
    // Cut in the middle it loads, with half of what was in it.
    let mut cluster = ten_changes(ClusterProfile::nt40(4));
    let name = chk(&cluster);
    let half = cluster.lab.files[&name].len() / 2;
    cluster.lab.files.get_mut(&name).expect("it is there").truncate(half);
    assert_eq!(cluster.form(0, SWITCHES), Ok(()));
    assert_eq!(cluster.state(0), None);
}

/// Q216064: changes made while every node was up are gone when all die, up to the last checkpoint.
#[test]
fn the_log_wins_over_a_newer_copy() {
    let roll_back = |profile: ClusterProfile, hours: u64, wins: bool| {
        let mut profile = profile;
        profile.log_always_wins = wins;
        let mut cluster = Cluster::formed(2, profile, 3).expect("it forms");
        assert!(cluster.join(1));
        cluster.commit(20).expect("it is not logged");
        cluster.lab.run(SimDuration::from_hours(hours));
        cluster.commit(20).expect("it is not logged");
        cluster.lab.blackout();
        assert_eq!(cluster.form(0, SWITCHES), Ok(()));
        cluster.state(0)
    };
    assert_eq!(roll_back(ClusterProfile::nt40(4), 24 * 7, true), Some(0));
    assert_eq!(roll_back(ClusterProfile::nt40(5), 24 * 7, true), Some(1));
    assert_eq!(roll_back(ClusterProfile::w2k(4), 24 * 7, true), Some(1));
    assert_eq!(roll_back(ClusterProfile::w2k(4), 1, true), Some(0));
    assert_eq!(roll_back(ClusterProfile::w2k(4), 1, false), Some(2));
}

#[test]
fn a_tombstone_makes_the_log_invalid() {
    let mut cluster = ten_changes(ClusterProfile::w2k(4));
    cluster.lab.files.insert(journal::TOMBSTONE.to_ascii_lowercase(), vec![1]);
    assert_eq!(cluster.form(1, SWITCHES), Ok(()));
    assert_eq!(cluster.state(1), Some(0));
}

/// KB 258078: what goes around the log loses it: partition in time.
#[test]
fn start_switches_go_around_the_log() {
    for (fix_quorum, no_quorum_logging) in [(true, false), (false, true)] {
        let mut cluster = ten_changes(ClusterProfile::w2k(4));
        let switches = StartSwitches { fix_quorum, no_quorum_logging, ..SWITCHES };
        let before = cluster.lab.files.clone();
        assert_eq!(cluster.form(1, switches), Ok(()));
        assert_eq!(cluster.state(1), Some(0), "node 2 knows nothing of the changes");
        assert_eq!(cluster.lab.reserved.contains_key(&0), no_quorum_logging);
        cluster.commit(20).expect("it is not logged");
        assert_eq!(cluster.lab.files, before, "nothing is written");
    }
}

/// Q225081, Q257897: with a small log and many changes, some are gone after a failover.
#[test]
fn a_full_log_drops_changes_where_the_article_says_so() {
    let lost = |drops: bool| {
        let mut profile = small_log(ClusterProfile::nt40(6));
        profile.full_log_drops_change = drops;
        let mut cluster = Cluster::formed(2, profile, 3).expect("it forms");
        for _ in 0..7 {
            cluster.commit(100).expect("there is room");
        }
        cluster.lab.blackout();
        assert_eq!(cluster.form(1, SWITCHES), Ok(()));
        cluster.state(1) != Some(7)
    };
    assert_eq!((lost(true), lost(false)), (true, false));
}

#[test]
fn a_full_disk_refuses_changes_and_stops_the_next_start() {
    let mut cluster = Cluster::formed(2, ClusterProfile::nt40(6), 3).expect("it forms");
    cluster.commit(20).expect("there is room");
    let used: usize = cluster.lab.files.values().map(Vec::len).sum();
    cluster.lab.capacity = used + 50;
    assert_eq!(cluster.commit(200), Err(5033));
    assert!(cluster.lab.events(0).contains(&1021) && cluster.lab.events(0).contains(&1080));
    assert!(cluster.alive(), "a refused change is no reason to stop");
    cluster.lab.blackout();
    assert_eq!(cluster.form(0, SWITCHES), Err(112));
    let events = cluster.lab.events(0);
    for id in [1000, 1016, 1021, 1022, 1080] {
        assert!(events.contains(&id), "{events:?}");
    }
    // Somebody makes room.
    cluster.lab.blackout();
    cluster.lab.capacity = usize::MAX;
    assert_eq!(cluster.form(0, SWITCHES), Ok(()));
    assert_eq!(cluster.state(0), Some(1));
}

#[test]
fn a_change_larger_than_the_log_is_refused() {
    let profile = small_log(ClusterProfile::w2k(4));
    let mut cluster = Cluster::formed(2, profile, 3).expect("it forms");
    assert_eq!(cluster.commit(900), Err(5030));
    assert_eq!(cluster.commit(715), Err(5031));
    assert_eq!(cluster.commit(100), Ok(()));
}

#[test]
fn a_checkpoint_at_shutdown_is_torn_where_the_article_says_so() {
    let stop = |profile: ClusterProfile| {
        let mut cluster = ten_changes(profile);
        assert_eq!(cluster.form(0, SWITCHES), Ok(()));
        cluster.lab.nodes[0].quorum.set_registry_fails(true);
        cluster.lab.act(0, |it, step| it.quorum.close(&it.database, step));
        let closed = |n: &Notice| *n == Notice::QuorumClosed;
        assert!(cluster.lab.wait(0, SimDuration::from_secs(5), closed).is_some());
        cluster.lab.blackout();
        let formed = cluster.form(0, SWITCHES);
        (formed, cluster.state(0))
    };
    assert_eq!(stop(ClusterProfile::nt40(6)), (Ok(()), Some(10)));
    assert_eq!(stop(ClusterProfile::w2k(4)), (Ok(()), Some(10)));
    let (formed, state) = stop(ClusterProfile::nt40(4));
    assert!(formed.is_err() || state != Some(10), "Q238173: {formed:?} {state:?}");
}

#[test]
fn the_false_report_of_sp5_comes_every_four_hours() {
    let reports = |service_pack: u8| {
        let profile = ClusterProfile::nt40(service_pack);
        let mut cluster = Cluster::formed(2, profile, 3).expect("it forms");
        cluster.lab.run(SimDuration::from_hours(25));
        cluster.lab.events(0).iter().filter(|id| **id == 1015).count()
    };
    assert_eq!((reports(4), reports(5), reports(6)), (0, 6, 0));
}

#[test]
fn checkpoints_are_numbered_in_hexadecimal_and_one_is_kept() {
    let mut cluster = Cluster::formed(2, small_log(ClusterProfile::w2k(4)), 3).expect("it forms");
    for _ in 0..60 {
        cluster.commit(100).expect("there is room");
    }
    cluster.lab.run(SimDuration::from_secs(1));
    let names: Vec<&String> =
        cluster.lab.files.keys().filter(|name| log::checkpoint_number(name).is_some()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let number = log::checkpoint_number(names[0]).expect("a number");
    assert!((10..60).contains(&number), "{names:?}");
    assert_eq!(log::checkpoint_name(0xBC1).to_ascii_lowercase(), r"mscs\chkbc1.tmp");
    assert_eq!(log::checkpoint_number(r"MSCS\chkBC1.tmp"), Some(0xBC1));
}

/// Logged, or passed because every node was up, but not yet applied when a node goes down: the checkpoint
/// does not hold the change, so the new log must.
#[test]
fn a_change_on_its_way_survives_a_checkpoint() {
    for all_up in [true, false] {
        let mut cluster = Cluster::formed(3, ClusterProfile::w2k(4), 3).expect("it forms");
        assert!(cluster.join(1) && (!all_up || cluster.join(2)));
        let sequence = cluster.sequence + 1;
        let changes = change(1, 20);
        cluster.lab.act(0, |it, step| it.quorum.log(sequence, &changes, &it.database, step));
        let logged = |n: &Notice| *n == Notice::Logged { sequence, ok: true };
        assert!(cluster.lab.wait(0, SimDuration::from_secs(1), logged).is_some());
        // A checkpoint comes in between: a node goes down, or the time has come.
        if all_up {
            assert!(cluster.lose(2));
        } else {
            cluster.lab.run(SimDuration::from_hours(5));
        }
        let mut next = cluster.lab.nodes[0].database.clone();
        next.apply(&changes).expect("it sets a value");
        cluster.states.push(next.digest());
        cluster.lab.blackout();
        assert_eq!(cluster.form(1, SWITCHES), Ok(()));
        assert_eq!(cluster.state(1), Some(1), "{all_up}");
    }
}

/// A checkpoint that was begun when a change was logged and not applied yet lacks it: the new log has it.
#[test]
fn a_change_that_is_applied_during_a_checkpoint_is_in_the_new_log() {
    let mut cluster = Cluster::formed(3, ClusterProfile::w2k(4), 3).expect("it forms");
    assert!(cluster.join(1));
    let (sequence, changes) = (cluster.sequence + 1, change(1, 20));
    cluster.lab.act(0, |it, step| it.quorum.log(sequence, &changes, &it.database, step));
    // The service stops: its last checkpoint is the next thing to do.
    cluster.lab.act(0, |it, step| it.quorum.close(&it.database, step));
    let logged = |n: &Notice| *n == Notice::Logged { sequence, ok: true };
    assert!(cluster.lab.wait(0, SimDuration::from_secs(1), logged).is_some());
    for node in cluster.up() {
        let it = &mut cluster.lab.nodes[node];
        it.database.apply(&changes).expect("it sets a value");
        it.database.sequence = sequence;
    }
    cluster.states.push(cluster.lab.nodes[0].database.digest());
    cluster.lab.run(SimDuration::from_secs(1));
    cluster.lab.blackout();
    assert_eq!(cluster.form(2, SWITCHES), Ok(()));
    assert_eq!(cluster.state(2), Some(1));
}

/// What the others did while a node slept that they have put out of the membership.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Slept {
    /// They changed one thing.
    Change,
    /// They confirmed what was in the log already when they put it out.
    Confirmation,
    /// They formed anew with less than it has, because changes were not logged, and went on from there.
    LessThanItHas,
}

/// Then they died. It stops: to go on would lose what they have confirmed.
#[test]
fn who_slept_through_a_change_of_the_others_does_not_go_on_without_it() {
    for slept in [Slept::Change, Slept::Confirmation, Slept::LessThanItHas] {
        let mut cluster = Cluster::formed(4, ClusterProfile::w2k(4), 3).expect("it forms");
        assert!(cluster.join(1) && cluster.join(2));
        cluster.commit(20).expect("there is room");
        let (sleeper, epoch) = (NodeSet::only(NodeId(2)), cluster.epoch);
        let others = cluster.members.without(sleeper);
        if slept == Slept::Confirmation {
            cluster.members = others;
            cluster.commit(20).expect("there is room");
            cluster.members.insert(NodeId(2));
        }
        assert!(cluster.change_members(others));
        match slept {
            Slept::Change => cluster.commit(20).expect("there is room"),
            Slept::Confirmation => {}
            Slept::LessThanItHas => cluster.lab.nodes[1].database.sequence += 10,
        }
        [0, 2].into_iter().for_each(|node| cluster.lab.crash(node));
        // Its own next regroup has the number of theirs.
        (cluster.members, cluster.epoch) = (sleeper, epoch + 1);
        cluster.sequence = cluster.lab.nodes[1].database.sequence;
        let goes_on = cluster.take_over(sleeper);
        cluster.lab.run(SimDuration::from_secs(5));
        assert!(!goes_on || !cluster.alive(), "{slept:?}");
        assert!(cluster.lab.events(1).contains(&1073), "{slept:?}: {:?}", cluster.lab.events(1));
    }
}

/// The same record in its own membership was on its way, and is nobody's: the survivor goes on.
#[test]
fn a_change_that_a_dead_owner_was_making_stops_nobody() {
    let mut cluster = Cluster::formed(4, ClusterProfile::w2k(4), 3).expect("it forms");
    assert!(cluster.join(1) && cluster.join(2));
    cluster.commit(20).expect("there is room");
    assert!(cluster.lose_owner(true) && cluster.alive());
    cluster.commit(20).expect("there is room");
    // The owner gives the disk back and takes it again, with a change in the log that nobody has applied.
    let (owner, sequence) = (cluster.owner, cluster.sequence + 1);
    cluster.lab.act(owner, |it, step| {
        it.quorum.log(sequence, &change(1000, 30), &it.database, step);
    });
    cluster.lab.run(SimDuration::from_millis(50));
    cluster.lab.act(owner, |_, step| {
        step.notice(Notice::GiveDisk { disk: QUORUM_DISK, orderly: true });
    });
    cluster.lab.run(SimDuration::from_secs(1));
    cluster.lab.act(owner, |it, step| it.disks.take(QUORUM_DISK, false, true, step));
    cluster.lab.run(SimDuration::from_secs(2));
    assert!(cluster.alive());
}

/// A key was taken off its list, and the owner of the quorum died before it had deleted the file.
#[test]
fn files_that_are_in_no_list_are_deleted_by_who_holds_the_quorum_next() {
    for forms in [true, false] {
        let mut cluster = Cluster::formed(3, ClusterProfile::w2k(4), 3).expect("it forms");
        assert!(cluster.join(1));
        let database = &cluster.lab.nodes[0].database;
        let key = KeyPath::parse("Software\\Stock").expect("a key");
        let (number, changes) = database.add_checkpoint(ResourceId(1), &key).expect("it is new");
        let names = [number, number + 1].map(|n| database.checkpoint_file(ResourceId(1), n));
        cluster.commit_these(&changes).expect("there is room");
        let [listed, unlisted] = names.map(|name| name.to_ascii_lowercase());
        for name in [&listed, &unlisted] {
            cluster.lab.files.insert(name.clone(), vec![1]);
        }
        if forms {
            cluster.lab.blackout();
            assert_eq!(cluster.form(1, SWITCHES), Ok(()));
        } else {
            assert!(cluster.lose_owner(false));
        }
        cluster.lab.run(SimDuration::from_secs(1));
        let is_there = |name| cluster.lab.files.contains_key(name);
        assert!(is_there(&listed) && !is_there(&unlisted), "forms: {forms}");
    }
}

/// While the quorum is given back nothing is logged: the next owner has the change. The last node has nobody.
#[test]
fn the_last_node_takes_no_change_while_it_gives_the_quorum_back() {
    for (alone, stops, result) in
        [(true, false, Err(NOT_ONLINE)), (true, true, Err(NOT_ONLINE)), (false, false, Ok(()))]
    {
        let mut cluster = Cluster::formed(3, ClusterProfile::w2k(4), 3).expect("it forms");
        assert!(alone || cluster.join(1));
        cluster.commit(20).expect("there is room");
        cluster.lab.act(0, |it, step| match stops {
            true => it.quorum.close(&it.database, step),
            false => step.notice(Notice::GiveDisk { disk: QUORUM_DISK, orderly: true }),
        });
        assert_eq!(cluster.commit(20), result);
        for _ in 0..if alone { 20 } else { 0 } {
            cluster.lab.run(SimDuration::from_millis(1));
            assert_eq!(cluster.commit(20), result, "the log is closed, or the disk given back");
        }
    }
}

/// The owner dies alone, in the middle of an append; or with a change logged that nobody else has.
#[test]
fn what_a_dead_owner_left_half_done_is_undone() {
    for torn in [true, false] {
        let mut cluster = Cluster::formed(3, ClusterProfile::w2k(4), 3).expect("it forms");
        assert!(cluster.join(1));
        cluster.commit(20).expect("there is room");
        assert!(cluster.lose_owner(!torn) && cluster.owner == 1);
        assert_eq!(cluster.state(1), Some(1));
        if torn {
            // Again, with bytes of a record that was not finished.
            assert!(cluster.join(2));
            let log = cluster.lab.files.get_mut(&journal::LOG.to_ascii_lowercase());
            log.expect("there is a log").extend_from_slice(&[0x5C, 0xA5, 1, 200, 0, 0, 0, 9]);
            assert!(cluster.lose_owner(false) && cluster.owner == 2);
            cluster.commit(20).expect("there is room");
        }
        cluster.lab.blackout();
        assert_eq!(cluster.form(0, SWITCHES), Ok(()));
        let found = cluster.lab.nodes[0].database.digest();
        assert_eq!(Some(&found), cluster.states.last(), "torn: {torn}");
    }
}
