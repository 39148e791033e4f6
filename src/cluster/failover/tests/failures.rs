//! Polls, time-outs, restarts, thresholds, monitors and limits.

use super::lab::Lab;
use super::setup::{A, B, G, MIDDLE, TOP, config, resource};
use crate::base::{SimDuration, SimTime, Streams};
use crate::cluster::{
    ClusterConfig, ClusterProfile, Control, DiskId, FailureCause, GroupConfig, NodeId,
    ResourceCall, ResourceConfig, ResourceEvent, ResourceId, ResourceKind, ResourceState,
    RestartAction,
};
use std::collections::BTreeMap;

fn profile() -> ClusterProfile {
    ClusterProfile::w2k(2)
}

fn two() -> Lab {
    Lab::new(config(2, profile()))
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn health(looks_alive: bool, is_alive: bool) -> ResourceEvent {
    ResourceEvent::Health { looks_alive, is_alive }
}

/// When the resource was called so for the last time.
fn called(lab: &Lab, id: ResourceId, call: ResourceCall) -> Option<SimTime> {
    lab.calls.iter().rev().find(|c| c.2 == id && c.3 == call).map(|c| c.0)
}

#[test]
fn an_idle_cluster_of_a_hundred_resources_waits_for_nothing() {
    let mut config = config(4, profile());
    config.groups.extend((2..12).map(|_| GroupConfig::new("g")));
    let more = (0..95u16).map(|n| resource(&format!("r{n}"), 2 + n % 10, &[]));
    config.resources.extend(more);
    let lab = Lab::new(config);
    assert!(lab.all_online());
    for node in lab.nodes.values() {
        assert_eq!(node.failover.next_deadline(), None);
    }
}

#[test]
fn polls_come_at_whole_intervals_since_the_resource_went_online() {
    // (looks alive, is alive) and the interval at whose next multiple the failure is found.
    for (found, every) in [((false, false), 5), ((true, false), 60)] {
        let mut lab = two();
        lab.run(secs(7));
        let online = lab.nodes[&A].failover.resources[&TOP].online_at;
        lab.event(A, TOP, health(found.0, found.1));
        assert_eq!(lab.state(TOP), ResourceState::Online, "nobody has looked yet");
        lab.run(secs(61));
        let end = called(&lab, TOP, ResourceCall::Terminate).unwrap();
        let since = end.since(online).nanos();
        assert_eq!(since % secs(every).nanos(), 0, "{since} ns after it went online");
        assert!(lab.all_online());
    }
    // LooksAlive alone is no failure: IsAlive decides. And what is well again before a poll was never ill.
    let mut lab = two();
    lab.event(A, TOP, health(false, true));
    lab.run(secs(200));
    lab.event(A, TOP, health(false, false));
    lab.run(SimDuration::from_millis(1));
    lab.event(A, TOP, health(true, true));
    lab.run(secs(200));
    assert_eq!(called(&lab, TOP, ResourceCall::Terminate), None);
    assert_eq!(lab.nodes[&A].failover.next_deadline(), None);
}

#[test]
fn the_pending_time_out_is_the_longest_silence() {
    let mut lab = two();
    lab.silent.push(TOP);
    lab.event(A, TOP, ResourceEvent::Failed);
    lab.run(secs(1));
    assert_eq!(lab.state(TOP), ResourceState::OnlinePending);
    let began = called(&lab, TOP, ResourceCall::Online).unwrap();
    for _ in 0..5 {
        lab.run(secs(170));
        lab.event(A, TOP, ResourceEvent::StillPending);
    }
    assert_eq!(lab.state(TOP), ResourceState::OnlinePending);
    lab.run(SimDuration::from_millis(180_000));
    let end = called(&lab, TOP, ResourceCall::Terminate).unwrap();
    assert_eq!(end, lab.now);
    assert!(end.since(began) > secs(1000));
    // The same on the way offline: it is terminated, and counts as offline.
    let mut lab = two();
    lab.silent.push(TOP);
    let to = Some(B);
    lab.control(A, Control::MoveGroup { group: G, to });
    lab.run(secs(179));
    assert_eq!((lab.owner(G), lab.state(TOP)), (Some(A), ResourceState::OfflinePending));
    lab.run(secs(2));
    assert_eq!((lab.owner(G), lab.state(MIDDLE)), (Some(B), ResourceState::Online));
}

fn with_action(action: RestartAction) -> Lab {
    let mut config = config(2, profile());
    config.resources[4].restart_action = action;
    Lab::new(config)
}

#[test]
fn what_is_not_restarted_stays_failed_and_what_never_affects_its_group_is_tried_again() {
    let mut lab = with_action(RestartAction::None);
    lab.event(A, TOP, ResourceEvent::Failed);
    lab.run(SimDuration::from_hours(5));
    assert_eq!((lab.state(TOP), lab.owner(G)), (ResourceState::Failed, Some(A)));

    let mut lab = with_action(RestartAction::Restart);
    lab.fail_online.insert(TOP, 5);
    lab.event(A, TOP, ResourceEvent::Failed);
    lab.run(SimDuration::from_mins(30));
    assert_eq!((lab.state(TOP), lab.owner(G)), (ResourceState::Failed, Some(A)));
    let tries = |lab: &Lab| {
        let online = |c: &&(SimTime, NodeId, ResourceId, ResourceCall)| {
            c.2 == TOP && c.3 == ResourceCall::Online
        };
        lab.calls.iter().filter(online).count()
    };
    assert_eq!(tries(&lab), 1 + 3, "three restarts");
    lab.run(SimDuration::from_mins(31));
    assert_eq!(lab.state(TOP), ResourceState::Online, "an hour later it is tried again");
}

#[test]
fn a_group_fails_over_so_often_and_then_stays() {
    for takes_all in [false, true] {
        let mut profile = profile();
        profile.failover_threshold_takes_group_offline = takes_all;
        let mut config = config(2, profile);
        config.groups[1].failover_threshold = Some(3);
        config.resources[4].restart_threshold = Some(0);
        let mut lab = Lab::new(config);
        lab.fail_online.insert(TOP, 3);
        lab.event(A, TOP, ResourceEvent::Failed);
        lab.run(SimDuration::from_mins(10));
        // Three times over: A to B, to A, to B.
        assert_eq!((lab.owner(G), lab.state(TOP)), (Some(B), ResourceState::Failed));
        let other = if takes_all { ResourceState::Offline } else { ResourceState::Online };
        assert_eq!(lab.state(MIDDLE), other);
        lab.run(SimDuration::from_hours(1));
        assert!(lab.all_online(), "the retry");
        // Six hours later the count is forgotten.
        lab.run(SimDuration::from_hours(6));
        lab.event(B, TOP, ResourceEvent::Failed);
        lab.run(secs(5));
        assert_eq!(lab.owner(G), Some(A));
    }
}

#[test]
fn the_count_of_failovers_comes_along_to_a_node_that_joins() {
    let mut config = config(3, profile());
    config.groups[1].failover_threshold = Some(2);
    config.resources[4].restart_threshold = Some(0);
    let mut lab = Lab::new(config);
    let third = NodeId(3);
    lab.crash(third);
    lab.run(secs(10));
    for _ in 0..2 {
        let owner = lab.owner(G).unwrap();
        lab.event(owner, TOP, ResourceEvent::Failed);
        lab.run(secs(1));
    }
    lab.start(third);
    lab.run(secs(1));
    assert_eq!(lab.nodes[&third].failover.groups[&G].failovers.len(), 2);
    assert_eq!(lab.ask(A, Control::MoveGroup { group: G, to: Some(third) }), Ok(()));
    lab.run(secs(1));
    lab.event(third, TOP, ResourceEvent::Failed);
    lab.run(secs(5));
    assert_eq!((lab.owner(G), lab.state(TOP)), (Some(third), ResourceState::Failed));
}

#[test]
fn a_dead_monitor_takes_its_resources_along_silently_before_sp6() {
    for (profile, events) in
        [(profile(), 1), (ClusterProfile::nt40(5), 0), (ClusterProfile::nt40(6), 1)]
    {
        let mut config = config(2, profile);
        config.resources[4].separate_monitor = true;
        let mut lab = Lab::new(config);
        lab.calls.clear();
        lab.event(A, MIDDLE, ResourceEvent::MonitorDied);
        // A world that tells it of every resource in the monitor changes nothing.
        lab.event(A, ResourceId(1), ResourceEvent::MonitorDied);
        lab.run(secs(2));
        assert!(lab.all_online());
        let ended: Vec<_> =
            lab.calls.iter().filter(|c| c.3 == ResourceCall::Terminate).map(|c| c.2).collect();
        assert_eq!(
            ended,
            [ResourceId(1), MIDDLE],
            "the one with its own monitor is not among them"
        );
        assert_eq!((lab.events(1146), lab.events(1069)), (events, 0));
        lab.calls.clear();
        lab.event(A, TOP, ResourceEvent::MonitorDied);
        lab.run(secs(2));
        assert!(lab.all_online());
        assert!(lab.calls.iter().all(|c| c.2 == TOP));
    }
}

#[test]
fn beyond_the_limit_resources_are_refused_or_flap() {
    for enforced in [true, false] {
        let mut profile = profile();
        profile.resources_max = 4;
        profile.resources_max_enforced = enforced;
        let mut lab = Lab::new(config(1, profile));
        assert_eq!(lab.state(TOP), ResourceState::Failed);
        let tries = lab.events(1069);
        assert_eq!(tries > 1, !enforced, "{tries} failures");
        // There is room when another one is gone.
        lab.config.profile.resources_max = 5;
        lab.run(SimDuration::from_hours(1));
        assert!(lab.all_online());
    }
}

#[test]
fn failures_are_logged_with_their_causes() {
    let causes = [
        (FailureCause::NetbiosInterface, 1044),
        (FailureCause::TcpIpInterface, 1045),
        (FailureCause::AdapterParameter, 1048),
        (FailureCause::NameNotRegistered, 1052),
        (FailureCause::DllNotLoaded, 1058),
        (FailureCause::ShareNotMade, 1068),
    ];
    for (cause, id) in causes {
        let mut lab = two();
        lab.event(A, TOP, ResourceEvent::FailedFor(cause));
        assert_eq!((lab.events(id), lab.events(1069)), (1, 1), "{cause:?}");
    }
}

#[test]
fn cycles_and_missing_disks_do_not_start_and_hurt_nobody() {
    let mut config = config(2, profile());
    config.resources.push(resource("x", 0, &[6]));
    config.resources.push(resource("y", 0, &[5]));
    config.resources.push(resource("on nothing", 0, &[99]));
    config.groups.push(GroupConfig::new("lost"));
    let disk = DiskId(77);
    let kind = ResourceKind::PhysicalDisk { disk, skip_chkdsk: false, conditional_mount: false };
    config.resources.push(ResourceConfig {
        kind,
        restart_action: RestartAction::Restart,
        ..resource("disk", 2, &[])
    });
    let lab = Lab::new(config);
    for id in [5, 6, 7] {
        assert_eq!(lab.state(ResourceId(id)), ResourceState::Offline);
    }
    assert_eq!(lab.state(ResourceId(1)), ResourceState::Online);
    assert_eq!(lab.state(ResourceId(8)), ResourceState::Failed);
    assert!(lab.events(1034) > 0);
}

#[test]
fn the_planted_mistake_restores_keys_after_the_start() {
    let mut profile = profile();
    profile.planted.restore_after_online = true;
    let lab = Lab::new(config(1, profile));
    assert!(lab.all_online());
    let order: Vec<&str> =
        lab.notes.iter().map(|n| n.1.as_str()).filter(|n| n.ends_with(" 4")).collect();
    assert_eq!(order, ["restore 4", "watch 4"]);
    let online = lab.nodes[&A].failover.resources[&TOP].online_at;
    assert_eq!(called(&lab, TOP, ResourceCall::Online).map(|at| at < online), Some(true));
}

/// What thresholds and periods say, without anything else: on which node a resource is after each failure.
struct Model {
    restarts: Vec<SimTime>,
    failovers: Vec<SimTime>,
    owner: u8,
    failed: bool,
}

impl Model {
    fn fail(&mut self, now: SimTime, config: &ClusterConfig) {
        let (top, files) = (&config.resources[4], &config.groups[1]);
        self.restarts.retain(|&at| now.since(at) < top.restart_period.unwrap());
        if (self.restarts.len() as u32) < top.restart_threshold.unwrap() {
            return self.restarts.push(now);
        }
        self.failovers.retain(|&at| now.since(at) < files.failover_period);
        if (self.failovers.len() as u32) < files.failover_threshold.unwrap() {
            self.failovers.push(now);
            self.restarts.clear();
            self.owner = self.owner % config.nodes.len() as u8 + 1;
        } else {
            self.failed = true;
        }
    }
}

#[test]
fn thresholds_and_periods_are_those_of_the_model() {
    let mut ends = BTreeMap::new();
    for seed in 0..300 {
        let mut chance = Streams::new(seed).stream("thresholds");
        let mut profile = profile();
        profile.retry_period = SimDuration::ZERO;
        let mut config = config(chance.between(2, 4) as u8, profile);
        config.resources[4].restart_threshold = Some(chance.below(4) as u32);
        config.resources[4].restart_period = Some(secs(chance.between(10, 100)));
        config.groups[1].failover_threshold = Some(chance.below(5) as u32);
        config.groups[1].failover_period = secs(chance.between(60, 600));
        let mut lab = Lab::new(config);
        let mut model =
            Model { restarts: Vec::new(), failovers: Vec::new(), owner: 1, failed: false };
        while !model.failed && lab.now < SimTime::ZERO + SimDuration::from_mins(40) {
            lab.run(secs(chance.between(1, 40)));
            model.fail(lab.now, &lab.config);
            let owner = lab.owner(G).unwrap();
            lab.event(owner, TOP, ResourceEvent::Failed);
            lab.run(SimDuration::from_millis(900));
            assert_eq!(lab.owner(G), Some(NodeId(model.owner)), "seed {seed} at {}", lab.now);
            assert_eq!(lab.state(TOP) == ResourceState::Failed, model.failed, "seed {seed}");
        }
        *ends.entry(model.failed).or_insert(0) += 1;
    }
    assert!(ends[&true] > 30 && ends[&false] > 30, "both ends are met: {ends:?}");
}
