//! Each rule is told a history that breaks it, and one that nearly does.

use super::*;
use crate::base::SimDuration;
use crate::cluster::{DiskId, ResourceState};
use crate::explore::look::Listed;
use crate::scenario::{Plan, load};
use crate::sim::KeyEvent;
use crate::sim::shared::{Initiator, Signature, Violation};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const RESET: What = What::BusReset { dropped: 1, is_fault: false };
const FILE: &str = "MSCS\\{1}\\00000001.CPT";
const KEY: u64 = 7;

const SCENARIO: &str = r#"
title = "two nodes"
duration = "1h"
subnet.office = "10.1.0.0/24"
host."node-{1..3}" = { on = "office", profile = "w2k", service.Stock = {} }
[cluster.mars]
nodes = ["node-1", "node-2", "node-3"]
networks = { office = "all" }
quorum = "quorum"
disk.quorum = { letter = "Q" }
group.stock.resource.stock = { type = "generic-service", service = "Stock" }
"#;

#[derive(Default)]
struct Fake {
    asleep: Vec<NodeId>,
    running: Vec<(NodeId, ResourceId)>,
    sequence: u64,
    resources: Vec<ResourceId>,
    listed: Vec<Listed>,
    files: Vec<String>,
}

impl Look for Fake {
    fn is_up(&self, node: NodeId, _: SimTime) -> bool {
        !self.asleep.contains(&node)
    }
    fn runs_of(&self, node: NodeId, _: GroupId) -> Option<ResourceId> {
        self.running.iter().find(|(on, _)| *on == node).map(|(_, resource)| *resource)
    }
    fn sequence(&self, _: NodeId) -> Option<u64> {
        Some(self.sequence)
    }
    fn holds_quorum(&self, node: NodeId) -> bool {
        node == A
    }
    fn resources(&self, _: NodeId) -> Vec<ResourceId> {
        self.resources.clone()
    }
    fn listed(&self, _: NodeId) -> Vec<Listed> {
        self.listed.clone()
    }
    fn files(&self) -> Option<Vec<String>> {
        Some(self.files.clone())
    }
}

struct Story {
    plan: Plan,
    invariants: Invariants,
    look: Fake,
    at: SimTime,
    /// The resource of the group.
    stock: ResourceId,
}

impl Story {
    /// Three nodes of this version are members of one another; their service has one checkpoint, with a file.
    fn new(profile: ClusterProfile) -> Story {
        let none = |_: &str| Err(String::new());
        let mut plan = load("story.toml", SCENARIO, &[], &none).expect("a scenario");
        plan.clusters[0].config.profile = profile;
        let resources = &plan.clusters[0].config.resources;
        let stock = resources.iter().position(|r| r.name == "stock").expect("it is there");
        let stock = ResourceId(stock as u16);
        let listed =
            vec![Listed { resource: stock, number: 1, key: KEY, file: FILE.into(), digest: 5 }];
        let look =
            Fake { resources: vec![stock], listed, files: vec![FILE.into()], ..Fake::default() };
        let at = SimTime::ZERO;
        let mut story = Story { plan, invariants: Invariants::default(), look, at, stock };
        for node in [A, B, NodeId(3)] {
            story.members(node, [A, B, NodeId(3)]);
        }
        story
    }

    fn w2k() -> Story {
        Story::new(ClusterProfile::w2k(4))
    }

    fn tell(&mut self, node: NodeId, what: What) {
        self.at += SimDuration::from_millis(10);
        self.invariants.take(self.at, what, node, &self.plan.clusters[0], &self.look);
    }

    fn seen(&mut self, node: NodeId, observation: Observation) {
        self.tell(node, What::Cluster(observation));
    }

    fn members(&mut self, node: NodeId, members: impl IntoIterator<Item = NodeId>) {
        self.seen(node, Observation::Members(members.into_iter().collect()));
    }

    fn runs(&mut self, node: NodeId, runs: bool) {
        let resource = self.stock;
        self.look.running.retain(|(on, _)| *on != node);
        self.tell(node, What::ResourceRuns { resource, runs });
        if runs {
            self.look.running.push((node, resource));
        }
    }

    fn state(&mut self, node: NodeId, state: ResourceState) {
        let resource = self.stock;
        self.seen(node, Observation::Resource { resource, state });
    }

    fn key(&mut self, node: NodeId, event: KeyEvent, digest: u64) {
        self.tell(node, What::Key { key: KEY, event, digest });
    }

    fn saving(&mut self, node: NodeId, digest: u64) {
        let resource = self.stock;
        self.seen(node, Observation::CheckpointSaving { resource, number: 1, digest });
    }

    fn saved(&mut self, node: NodeId, digest: u64) {
        let resource = self.stock;
        self.seen(node, Observation::CheckpointSaved { resource, number: 1, digest });
    }

    fn restored(&mut self, node: NodeId, digest: Option<u64>) {
        let resource = self.stock;
        self.seen(node, Observation::CheckpointRestored { resource, number: 1, digest });
    }

    fn watched(&mut self, node: NodeId, watched: bool) {
        let resource = self.stock;
        self.seen(node, Observation::CheckpointWatched { resource, number: 1, watched });
    }

    /// An update that these nodes apply, and the first of them tells to be done.
    fn update(&mut self, nodes: &[NodeId], sequence: u64, digest: u64) {
        for &node in nodes {
            self.seen(node, Observation::Applied { sequence, digest });
        }
        self.seen(nodes[0], Observation::Committed { sequence, digest });
    }

    fn broken(&self) -> Vec<&'static str> {
        self.invariants.breaches.iter().map(|breach| breach.name).collect()
    }

    fn quirks(&self) -> Vec<Option<&'static str>> {
        self.invariants.breaches.iter().map(|breach| breach.quirk).collect()
    }
}

#[test]
fn a_group_on_two_nodes_breaks_one_owner() {
    let mut story = Story::w2k();
    story.runs(A, true);
    story.runs(A, false);
    story.runs(B, true);
    assert_eq!(story.broken(), [""; 0]);
    story.runs(A, true);
    assert_eq!(story.broken(), ["one-owner"]);
}

#[test]
fn a_node_that_was_put_out_has_to_give_its_groups_up_in_time() {
    for gives_up in [true, false] {
        let mut story = Story::w2k();
        story.runs(B, true);
        story.members(A, [A]);
        story.runs(A, true);
        assert_eq!(story.broken(), [""; 0]);
        if gives_up {
            story.runs(B, false);
        }
        story.at += learns(&ClusterProfile::w2k(4));
        story.members(A, [A]);
        assert_eq!(story.broken().len(), usize::from(!gives_up), "{:?}", story.broken());
    }
}

#[test]
fn a_node_that_was_put_out_may_start_again_what_it_still_has() {
    for gives_up in [true, false] {
        let mut story = Story::w2k();
        story.members(A, [A]);
        story.runs(A, true);
        story.runs(B, true);
        assert_eq!(story.broken(), [""; 0]);
        if gives_up {
            story.runs(B, false);
        }
        story.at += learns(&ClusterProfile::w2k(4));
        story.members(A, [A]);
        assert_eq!(story.broken().len(), usize::from(!gives_up), "{:?}", story.broken());
    }
}

#[test]
fn a_sleeper_that_wakes_has_to_give_its_groups_up_in_time() {
    let knows = learns(&ClusterProfile::w2k(4));
    for gives_up in [true, false] {
        let mut story = Story::w2k();
        story.runs(A, true);
        story.look.asleep.push(A);
        story.runs(B, true);
        story.at += knows;
        story.members(B, [B]);
        story.look.asleep.clear();
        if gives_up {
            story.runs(A, false);
        }
        assert_eq!(story.broken(), [""; 0]);
        story.at += knows;
        story.members(B, [B]);
        assert_eq!(story.broken().len(), usize::from(!gives_up), "{:?}", story.broken());
    }
}

#[test]
fn a_sleeper_that_still_runs_a_group_breaks_nothing() {
    let mut story = Story::w2k();
    story.runs(A, true);
    story.look.asleep.push(A);
    story.runs(B, true);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_write_onto_anothers_volume_breaks_one_writer_by_the_article_that_tells_of_it() {
    let nodes = [Initiator(0), Initiator(1)];
    let violation = Violation::TwoWriters { disk: Signature(1), nodes };
    for (profile, challenged, quirk) in [
        (ClusterProfile::w2k(4), true, None),
        (ClusterProfile::nt40(6), true, Some("Q289863")),
        (ClusterProfile::nt40(6), false, Some("Q289863")),
    ] {
        let mut story = Story::new(profile);
        for node in [A, B, NodeId(3)] {
            story.seen(node, Observation::Joined);
        }
        story.seen(B, Observation::ArbitrationBegan { challenge: true });
        if !challenged {
            // All have one membership again; what was mounted twice still is.
            story.members(A, [A, B, NodeId(3)]);
        }
        story.tell(B, What::Violated(violation));
        assert_eq!((story.broken(), story.quirks()), (vec!["one-writer"], vec![quirk]));
    }
}

#[test]
fn a_quorum_held_twice_breaks_one_holder() {
    let disk = DiskId(0);
    let mut story = Story::w2k();
    story.seen(A, Observation::DiskHeld { disk, held: true });
    story.seen(A, Observation::DiskHeld { disk, held: false });
    story.seen(B, Observation::DiskHeld { disk, held: true });
    story.tell(B, What::ClusterDown(None));
    story.seen(A, Observation::DiskHeld { disk, held: true });
    assert_eq!(story.broken(), [""; 0]);
    story.seen(B, Observation::DiskHeld { disk, held: true });
    assert_eq!(story.broken(), ["one-holder"]);
}

#[test]
fn a_quorum_taken_by_a_node_that_boots_is_as_its_article_says() {
    for (is_member, challenges, quirk) in
        [(false, true, Some("Q248663")), (true, true, Some("Q289863")), (true, false, None)]
    {
        let disk = DiskId(0);
        let mut story = Story::new(ClusterProfile::nt40(6));
        story.seen(A, Observation::DiskHeld { disk, held: true });
        if is_member {
            story.seen(B, Observation::Joined);
        }
        if challenges {
            story.seen(B, Observation::ArbitrationBegan { challenge: true });
        }
        story.seen(B, Observation::DiskHeld { disk, held: true });
        assert_eq!(story.quirks(), [quirk]);
    }
}

#[test]
fn a_bus_reset_in_the_middle_of_a_challenge_may_cost_a_live_holder_the_quorum() {
    for (resets, broken) in [(1, vec!["one-holder"]), (2, vec![])] {
        let disk = DiskId(0);
        let mut story = Story::w2k();
        story.seen(A, Observation::DiskHeld { disk, held: true });
        story.seen(B, Observation::ArbitrationBegan { challenge: true });
        (0..resets).for_each(|_| story.tell(B, RESET));
        story.seen(B, Observation::DiskHeld { disk, held: true });
        assert_eq!(story.broken(), broken);
    }
}

#[test]
fn who_is_named_holder_gets_the_disk_before_the_last_one_has_noticed_a_bus_reset() {
    let wait = ClusterProfile::w2k(4).reservation_renewal;
    for (reset, waits, broken) in [
        (true, SimDuration::ZERO, vec![]),
        (true, wait, vec!["one-holder"]),
        (false, SimDuration::ZERO, vec!["one-holder"]),
    ] {
        let disk = DiskId(0);
        let mut story = Story::w2k();
        story.seen(A, Observation::DiskHeld { disk, held: true });
        // A challenge that was lost says nothing of the next time.
        story.seen(B, Observation::ArbitrationBegan { challenge: true });
        (0..2).for_each(|_| story.tell(B, RESET));
        story.seen(B, Observation::ArbitrationEnded { won: false });
        story.at += wait;
        if reset {
            story.tell(B, What::BusReset { dropped: 1, is_fault: true });
        }
        story.at += waits;
        story.seen(B, Observation::DiskHeld { disk, held: true });
        assert_eq!(story.broken(), broken);
    }
}

#[test]
fn updates_that_differ_come_late_or_are_left_out_break_their_order() {
    let mut story = Story::w2k();
    story.update(&[A, B, NodeId(3)], 1, 10);
    story.update(&[B, A, NodeId(3)], 2, 20);
    assert_eq!(story.broken(), [""; 0]);
    story.seen(A, Observation::Applied { sequence: 3, digest: 30 });
    story.seen(B, Observation::Applied { sequence: 3, digest: 31 });
    assert_eq!(story.broken(), ["update-order"]);
    story.seen(A, Observation::Applied { sequence: 2, digest: 20 });
    assert_eq!(story.broken().len(), 2, "backwards");
    story.seen(NodeId(3), Observation::Applied { sequence: 4, digest: 40 });
    assert_eq!(story.broken().len(), 3, "one left out");
    story.tell(B, What::ClusterDown(Some(HaltReason::UpdateFailed)));
    assert_eq!(story.broken(), ["update-order"; 4]);
}

#[test]
fn a_number_that_only_the_dead_have_used_is_given_out_again() {
    let mut story = Story::w2k();
    story.update(&[A, B], 1, 10);
    story.seen(A, Observation::Applied { sequence: 2, digest: 20 });
    story.tell(A, What::ClusterDown(None));
    story.members(B, [B]);
    story.update(&[B], 2, 21);
    assert_eq!(story.broken(), [""; 0]);
}

/// A node that wakes may do so before it knows that it is no member any more. If it stays one, it is a loss.
#[test]
fn a_sleeper_that_gives_a_confirmed_number_to_another_change_has_to_stop_in_time() {
    for stops in [true, false] {
        let mut story = Story::w2k();
        story.members(B, [B, NodeId(3)]);
        story.update(&[B, NodeId(3)], 1, 10);
        for node in [B, NodeId(3)] {
            story.tell(node, What::ClusterDown(None));
        }
        story.members(A, [A]);
        story.look.asleep.push(A);
        story.seen(A, Observation::Applied { sequence: 1, digest: 11 });
        story.look.asleep.clear();
        if stops {
            story.tell(A, What::ClusterDown(None));
        }
        story.at += learns(&ClusterProfile::w2k(4));
        story.members(A, [A]);
        assert_eq!(story.broken().len(), usize::from(!stops), "{:?}", story.broken());
    }
}

#[test]
fn a_number_that_was_confirmed_is_not_given_to_another_change() {
    for (confirmed, broken) in [(true, vec!["nothing-committed-lost"]), (false, vec![])] {
        let mut story = Story::w2k();
        story.members(B, [B, NodeId(3)]);
        for node in [B, NodeId(3)] {
            story.seen(node, Observation::Applied { sequence: 1, digest: 10 });
        }
        if confirmed {
            story.seen(B, Observation::Committed { sequence: 1, digest: 10 });
        }
        for node in [B, NodeId(3)] {
            story.tell(node, What::ClusterDown(None));
        }
        story.members(A, [A]);
        story.seen(A, Observation::Applied { sequence: 1, digest: 11 });
        assert_eq!(story.broken(), broken);
    }
}

/// Node 3 is down: updates 1 to 3 are logged. Then all lose power, and node 2 forms.
fn form(profile: ClusterProfile, has: u64, replayed: &[(u64, u64)]) -> Story {
    let mut story = Story::new(profile);
    for node in [A, B] {
        story.members(node, [A, B]);
    }
    (1..=3).for_each(|n| story.update(&[A, B], n, n * 10));
    for node in [A, B] {
        story.tell(node, What::ClusterDown(None));
    }
    story.look.sequence = has;
    story.seen(B, Observation::ReplayBegan { sequence: 1 });
    for &(sequence, digest) in replayed {
        story.seen(B, Observation::Replayed { sequence, digest });
    }
    story.seen(B, Observation::Formed);
    story
}

#[test]
fn a_confirmed_change_that_is_not_replayed_is_lost() {
    let w2k = || ClusterProfile::w2k(4);
    let lost = ["nothing-committed-lost"];
    assert_eq!(form(w2k(), 3, &[(2, 20), (3, 30)]).broken(), [""; 0]);
    assert_eq!(form(w2k(), 4, &[(2, 20), (3, 30), (4, 40)]).broken(), [""; 0], "never told");
    assert_eq!(form(w2k(), 2, &[(2, 20)]).broken(), lost, "the end is cut off");
    assert_eq!(form(w2k(), 3, &[(3, 30)]).broken(), lost, "one is left out");
    assert_eq!(form(w2k(), 3, &[(2, 21), (3, 30)]).broken(), lost, "another with its number");
    let story = form(ClusterProfile::nt40(6), 3, &[(3, 30)]);
    assert_eq!(story.quirks(), [Some("Q225081")]);
    let story = form(ClusterProfile::nt40(6), 2, &[(2, 20)]);
    assert_eq!(story.quirks(), [Some("Q217147")]);
}

#[test]
fn what_was_changed_while_all_were_up_need_not_be_in_the_log() {
    let mut story = Story::w2k();
    story.update(&[A, B, NodeId(3)], 1, 10);
    for node in [A, B, NodeId(3)] {
        story.tell(node, What::ClusterDown(None));
    }
    story.seen(B, Observation::Formed);
    assert_eq!(story.broken(), [""; 0]);
}

/// Oracle 1.
#[test]
fn a_planned_move_brings_what_was_saved_last() {
    for (found, broken) in [(11, vec![]), (10, vec!["saved-is-restored"])] {
        let mut story = Story::w2k();
        story.saving(A, 10);
        story.saved(A, 10);
        story.watched(A, false);
        story.saving(A, 11);
        story.saved(A, 11);
        story.restored(B, Some(found));
        assert_eq!(story.broken(), broken);
    }
}

/// Oracle 1: a planned move saves what has changed, even if its delay is not over.
#[test]
fn a_change_that_is_given_up_is_saved_unless_its_resource_had_failed() {
    for (saves, fails, broken) in
        [(true, false, vec![]), (false, true, vec![]), (false, false, vec!["saved-is-restored"])]
    {
        let mut story = Story::w2k();
        story.key(A, KeyEvent::Changed, 1);
        story.key(A, KeyEvent::Changed, 2);
        if fails {
            story.state(A, ResourceState::Failed);
        }
        story.state(A, ResourceState::OfflinePending);
        story.key(A, KeyEvent::Unwatched, 2);
        if saves {
            story.key(A, KeyEvent::Saved, 2);
        }
        story.state(A, ResourceState::Offline);
        assert_eq!(story.broken(), broken);
    }
}

/// Oracle 1: the end of an earlier write comes after the key was given up, and the node dies while it
/// writes the last one.
#[test]
fn who_dies_while_it_gives_up_leaves_its_last_save_or_the_one_before() {
    for (found, broken) in [(10, vec![]), (11, vec![]), (12, vec!["saved-is-restored"])] {
        let mut story = Story::w2k();
        story.saving(NodeId(3), 12);
        story.saving(A, 10);
        story.watched(A, false);
        story.saved(A, 10);
        story.saving(A, 11);
        story.tell(A, What::ClusterDown(None));
        story.restored(B, Some(found));
        assert_eq!(story.broken(), broken, "{found}");
    }
}

/// Oracle 2: after a crash, the last completed save or one that was under way.
#[test]
fn a_crash_leaves_a_state_that_was_saved() {
    for (found, broken) in [
        (11, vec![]),
        (12, vec![]),
        (10, vec!["newest-is-restored"]),
        (99, vec!["newest-is-restored"]),
    ] {
        let mut story = Story::w2k();
        for digest in [10, 11] {
            story.saving(A, digest);
            story.saved(A, digest);
        }
        story.saving(A, 12);
        story.tell(A, What::ClusterDown(None));
        story.restored(B, Some(found));
        assert_eq!(story.broken(), broken, "{found}");
    }
}

/// Oracle 2: a mixture of two states of the subtree, and the version that documents torn files.
#[test]
fn a_mixture_is_no_saved_state() {
    for (profile, quirk) in
        [(ClusterProfile::w2k(4), None), (ClusterProfile::nt40(6), Some("Q216064"))]
    {
        let mut story = Story::new(profile);
        story.key(A, KeyEvent::Saved, 10);
        story.key(A, KeyEvent::Saved, 11);
        story.key(B, KeyEvent::Restored, 10);
        assert_eq!(story.broken(), [""; 0]);
        story.key(B, KeyEvent::Restored, 12);
        assert_eq!((story.broken(), story.quirks()), (vec!["restored-was-saved"], vec![quirk]));
    }
}

/// Oracle 3.
#[test]
fn code_starts_after_its_keys_are_restored() {
    for (how, broken) in
        [(Some(Some(10)), vec![]), (Some(None), vec![]), (None, vec!["restored-before-start"])]
    {
        let mut story = Story::w2k();
        story.state(B, ResourceState::OnlinePending);
        if let Some(digest) = how {
            story.restored(B, digest);
        }
        story.runs(B, true);
        assert_eq!(story.broken(), broken, "{how:?}");
    }
}

/// Oracle 4.
#[test]
fn a_failed_restore_changes_nothing() {
    let mut story = Story::w2k();
    story.key(B, KeyEvent::NotRestored, 5);
    assert_eq!(story.broken(), [""; 0]);
    story.key(B, KeyEvent::Spoilt, 6);
    assert_eq!(story.broken(), ["failed-restore-changes-nothing"]);
}

/// Oracle 5.
#[test]
fn what_is_deleted_leaves_neither_an_entry_nor_a_file() {
    let at = SimTime::ZERO;
    let end = |change: &dyn Fn(&mut Fake)| {
        let mut story = Story::w2k();
        change(&mut story.look);
        let mut out = Vec::new();
        Oracles::end(at, A, &story.look, &mut out);
        out.len()
    };
    assert_eq!(end(&|_| ()), 0);
    assert_eq!(end(&|look| look.resources.clear()), 1, "the entry");
    assert_eq!(end(&|look| look.listed.clear()), 1, "the file");
    assert_eq!(end(&|look| (look.listed.clear(), look.files.clear()).0), 0);
}

/// Oracle 6.
#[test]
fn two_nodes_that_watch_one_key_break_one_watcher() {
    let mut story = Story::w2k();
    story.watched(A, true);
    story.watched(A, false);
    story.watched(B, true);
    story.look.asleep.push(B);
    story.watched(A, true);
    story.tell(A, What::ClusterDown(None));
    story.look.asleep.clear();
    assert_eq!(story.broken(), [""; 0]);
    story.watched(A, true);
    assert_eq!(story.broken(), ["one-watcher"]);
}

/// Oracle 7.
#[test]
fn a_key_whose_file_is_lost_is_as_the_node_has_it() {
    for (digest, told, broken) in
        [(5, false, vec![]), (6, true, vec![]), (6, false, vec!["nothing-comes-from-nothing"])]
    {
        let mut story = Story::w2k();
        story.look.files.clear();
        story.state(B, ResourceState::OnlinePending);
        story.key(B, KeyEvent::Watched, 5);
        if told {
            story.key(B, KeyEvent::Changed, 6);
        }
        story.look.listed[0].digest = digest;
        story.runs(B, true);
        assert_eq!(story.broken(), broken);
    }
    let mut story = Story::w2k();
    story.look.files.clear();
    story.restored(B, Some(10));
    assert_eq!(story.broken(), ["nothing-comes-from-nothing"], "from a disk that was wiped");
}

#[test]
fn a_change_during_a_save_is_saved_after_it() {
    for is_told in [true, false] {
        let mut story = Story::w2k();
        story.key(A, KeyEvent::Watched, 1);
        story.key(A, KeyEvent::Changed, 2);
        story.key(A, KeyEvent::Saved, 2);
        story.saving(A, 20);
        story.key(A, KeyEvent::Changed, 3);
        // However long the disk takes.
        story.at += SimDuration::from_mins(2);
        story.members(A, [A]);
        story.saved(A, 20);
        story.at += ClusterProfile::w2k(4).checkpoint_save_delay;
        if is_told {
            story.key(A, KeyEvent::Saved, 3);
        }
        story.at += SimDuration::from_secs(1);
        story.members(A, [A]);
        assert_eq!(story.broken().len(), usize::from(!is_told), "{:?}", story.broken());
    }
}

#[test]
fn a_disk_that_is_full_may_be_tried_again_later() {
    let mut story = Story::w2k();
    story.key(A, KeyEvent::Watched, 1);
    story.key(A, KeyEvent::Changed, 2);
    story.key(A, KeyEvent::Saved, 2);
    story.saving(A, 20);
    story.key(A, KeyEvent::Changed, 3);
    story.tell(A, What::Logged { id: 1080, name: None });
    story.key(A, KeyEvent::Changed, 4);
    story.at += SimDuration::from_secs(59);
    story.members(A, [A]);
    assert_eq!(story.broken(), [""; 0]);
    story.at += SimDuration::from_secs(3);
    story.members(A, [A]);
    assert_eq!(story.broken(), ["changes-are-saved"]);
}
