//! Clusters in a world: what the parts do together, from the first boot to a failover and back.

mod cluster_support;

use cluster_support::{
    APP, APP_ADDRESS, APP_DISK, APP_GROUP, CLUSTER_GROUP, Lab, config, config_with_wins, large,
    wins,
};
use winstorm::base::SimDuration;
use winstorm::cluster::{
    ClusterProfile, Control, GroupId, NodeId, Observation, ResourceId, ResourceState,
};
use winstorm::sim::shared::{BusFault, MediaError, SharedBus, SharedDiskSpec, Signature};
use winstorm::sim::{Death, HostId, What};

/// How long a resource was not online after the last time it was, at most.
fn downtime(lab: &Lab, resource: ResourceId) -> SimDuration {
    let (mut down, mut longest) = (None, SimDuration::ZERO);
    for happening in &lab.inner.happened {
        match happening.what {
            What::ResourceRuns { resource: r, runs: false } if r == resource => {
                down = down.or(Some(happening.at));
            }
            What::Cluster(Observation::Resource { resource: r, state: ResourceState::Online })
                if r == resource =>
            {
                if let Some(since) = down.take() {
                    longest = longest.max(happening.at.since(since));
                }
            }
            _ => {}
        }
    }
    longest
}

fn owners(lab: &Lab) -> [Option<NodeId>; 2] {
    [CLUSTER_GROUP, APP_GROUP].map(|group| lab.owner(group))
}

#[test]
fn two_nodes_form_and_join_and_everything_comes_online() {
    let lab = Lab::up(config(ClusterProfile::w2k(2), 2), 1);
    assert_eq!(owners(&lab), [Some(NodeId(1)); 2], "{}", lab.history());
    assert!(lab.all_online());
    for host in 0..2 {
        let service = lab.world().host(HostId(host)).cluster().expect("a node").service();
        let service = service.expect("its service runs");
        assert!(service.is_member() && service.members().len() == 2, "node {}", host + 1);
    }
    let part = lab.world().host(HostId(0)).cluster().expect("a node");
    assert!(part.has_address(APP_ADDRESS) && part.runs(APP));
}

#[test]
fn a_move_takes_the_checkpointed_key_along() {
    let mut lab = Lab::up(config(ClusterProfile::w2k(2), 2), 2);
    lab.run_for(35);
    let counted = lab.count(0).expect("it counts");
    lab.ask(0, Control::MoveGroup { group: APP_GROUP, to: Some(NodeId(2)) });
    lab.run_for(60);
    assert_eq!(owners(&lab), [Some(NodeId(1)), Some(NodeId(2))]);
    assert!(lab.all_online());
    assert!(lab.count(1).is_some_and(|now| now > counted), "{counted} and then {:?}", lab.count(1));
    assert!(downtime(&lab, APP) < SimDuration::from_secs(15), "{:?}", downtime(&lab, APP));
}

#[test]
fn the_other_node_takes_over_within_half_a_minute() {
    for how in [Death::Crash, Death::PowerCut] {
        let mut lab = Lab::up(config(ClusterProfile::w2k(2), 2), 3);
        lab.run_for(100);
        let counted = lab.count(0).expect("it counts");
        lab.act(0, |world, kernel| world.kill(HostId(0), how, kernel));
        lab.run_for(60);
        assert_eq!(owners(&lab), [Some(NodeId(2)); 2]);
        assert!(lab.all_online());
        let took = downtime(&lab, APP);
        let budget = SimDuration::from_secs(15)..SimDuration::from_secs(35);
        assert!(budget.contains(&took), "{took}");
        assert!(lab.count(1).is_some_and(|now| now + 1 >= counted), "{:?}", lab.count(1));
    }
}

#[test]
fn a_node_comes_back_and_joins() {
    let mut lab = Lab::up(config(ClusterProfile::w2k(2), 2), 4);
    lab.act(0, |world, kernel| world.kill(HostId(0), Death::Crash, kernel));
    lab.run_for(60);
    lab.boot(0, SimDuration::from_secs(30));
    lab.run_for(120);
    let members = |host| {
        let part = lab.world().host(HostId(host)).cluster().expect("a node");
        part.service().map_or(0, |service| service.members().len())
    };
    assert_eq!([members(0), members(1)], [2, 2]);
    assert_eq!(owners(&lab), [Some(NodeId(2)); 2]);
    lab.act(1, |world, kernel| world.shut_down(HostId(1), kernel));
    lab.run_for(60);
    assert_eq!(owners(&lab), [Some(NodeId(1)); 2], "an orderly shutdown hands over");
    assert!(lab.all_online());
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let run = || {
        let mut lab = Lab::up(config(ClusterProfile::w2k(2), 2), 5);
        lab.act(0, |world, kernel| world.kill(HostId(0), Death::PowerCut, kernel));
        lab.run_for(60);
        (lab.kernel.digest(), lab.kernel.events_dispatched())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_clustered_wins_knows_its_clients_after_a_failover() {
    let config = config_with_wins(ClusterProfile::w2k(2));
    let mut lab = Lab::with_wins(config, 7, Some(wins())).started();
    lab.run_for(120);
    assert!(lab.all_online(), "{}", lab.history());
    let known = |lab: &Lab, host| {
        let server = lab.world().host(HostId(host)).server().expect("a server");
        server.wins().map(|wins| wins.core().names.iter().count())
    };
    let before = known(&lab, 0).expect("WINS runs on node 1");
    assert!(before >= 4, "the client and the names of the cluster: {before}");
    assert_eq!(known(&lab, 1), None, "and nowhere else");
    lab.act(0, |world, kernel| world.kill(HostId(0), Death::PowerCut, kernel));
    lab.run_for(60);
    assert!(lab.all_online(), "{}", lab.history());
    let after = known(&lab, 1).expect("WINS runs on node 2");
    assert!(after >= before, "{after} of {before} records are known");
    let client = lab.world().host(HostId(2)).nbt().expect("a client");
    let registered = |own: &winstorm::nbt::OwnedName| {
        matches!(own.state, winstorm::nbt::NameState::Registered { .. })
    };
    assert!(client.owned_names().all(|own| registered(&own)));
}

#[test]
fn four_nodes_run_a_hundred_resources_for_a_day() {
    let mut lab = Lab::up(large(25), 8);
    assert!(lab.all_online(), "{}", lab.history());
    lab.inner.happened.clear();
    lab.run_for(24 * 3600);
    assert!(lab.all_online());
    let failures = lab.inner.happened.iter().filter(|h| matches!(h.what, What::ClusterDown(_)));
    assert_eq!(failures.count(), 0);
}

#[test]
fn a_group_nobody_knows_is_nobodys() {
    let lab = Lab::up(config(ClusterProfile::w2k(2), 2), 6);
    assert_eq!(lab.owner(GroupId(7)), None);
}

/// Files of the quorum disk that belong to checkpoints.
fn checkpoint_files(lab: &Lab) -> Vec<String> {
    let cluster = &lab.world().clusters()[0];
    let disk = cluster.spec().disks[0].signature;
    let mut names = cluster.bus().file_names(disk, "");
    names.retain(|name| name.to_ascii_lowercase().ends_with(".cpt"));
    names
}

/// The checkpoints in the list of each node that is up.
fn listed(lab: &Lab, host: u32) -> usize {
    let part = lab.world().host(HostId(host)).cluster().expect("a node");
    part.service().expect("its service runs").database().all_checkpoints().len()
}

/// Asked of either node: the one that holds the quorum, and the one that has only the list.
#[test]
fn a_deleted_resource_leaves_neither_an_entry_of_its_checkpoints_nor_a_file() {
    for asked in 0..2 {
        let mut lab = Lab::up(config(ClusterProfile::w2k(2), 2), 9);
        lab.run_for(30);
        lab.ask(asked, Control::MoveGroup { group: APP_GROUP, to: Some(NodeId(2)) });
        lab.run_for(60);
        assert_eq!(owners(&lab), [Some(NodeId(1)), Some(NodeId(2))]);
        let file = {
            let part = lab.world().host(HostId(0)).cluster().expect("a node");
            part.service().expect("its service runs").database().checkpoint_file(APP, 1)
        };
        let found = checkpoint_files(&lab);
        assert!(found.len() == 1 && found[0].eq_ignore_ascii_case(&file), "{found:?}");
        assert_eq!([listed(&lab, 0), listed(&lab, 1)], [1, 1]);
        // While it is online it cannot be deleted, and nothing of it goes.
        lab.ask(1, Control::DeleteResource(APP));
        lab.run_for(10);
        assert_eq!((listed(&lab, 0), checkpoint_files(&lab).len()), (1, 1));
        lab.ask(asked, Control::OfflineResource(APP));
        lab.run_for(30);
        lab.ask(asked, Control::DeleteResource(APP));
        lab.run_for(10);
        assert_eq!([listed(&lab, 0), listed(&lab, 1)], [0, 0], "asked of node {}", asked + 1);
        assert_eq!(checkpoint_files(&lab), [""; 0], "asked of node {}", asked + 1);
        // And a node that was away for all of this does not bring it back.
        lab.act(0, |world, kernel| world.kill(HostId(0), Death::PowerCut, kernel));
        lab.run_for(60);
        lab.boot(0, SimDuration::from_secs(30));
        lab.run_for(120);
        assert_eq!([listed(&lab, 0), listed(&lab, 1)], [0, 0]);
        assert_eq!(checkpoint_files(&lab), [""; 0]);
    }
}

/// Entries of event logs from here on, of either node.
fn logged(lab: &Lab, from: usize) -> Vec<u16> {
    let of = |what: &What| match what {
        What::Logged { id, .. } => Some(*id),
        _ => None,
    };
    lab.inner.happened[from..].iter().filter_map(|happening| of(&happening.what)).collect()
}

/// What the event logs say of a data disk to which this was done while its group was offline.
fn mount_after(harm: impl Fn(&mut Lab, Signature)) -> (Vec<u16>, bool) {
    let mut lab = Lab::up(config(ClusterProfile::w2k(2), 2), 10);
    lab.ask(0, Control::OfflineGroup(APP_GROUP));
    lab.run_for(30);
    harm(&mut lab, Signature(0xB0));
    let from = lab.inner.happened.len();
    lab.ask(0, Control::OnlineGroup(APP_GROUP));
    lab.run_for(240);
    let about_disks = |id: &u16| [1034, 1035, 1036, 1038, 1066].contains(id);
    let mut events: Vec<u16> = logged(&lab, from).into_iter().filter(about_disks).collect();
    events.dedup();
    (events, lab.state(APP_DISK) == ResourceState::Online)
}

#[test]
fn a_disk_that_cannot_be_mounted_says_why() {
    let media = |error: MediaError| {
        move |lab: &mut Lab, disk| {
            let fault = BusFault::Media { disk, error: error.clone() };
            lab.act(0, |world, kernel| assert!(world.bus_fault(0, &fault, kernel)));
        }
    };
    assert_eq!(mount_after(|_, _| ()), (vec![], true));
    assert_eq!(mount_after(media(MediaError::Major)), (vec![], true), "the check mends it");
    assert_eq!(mount_after(media(MediaError::Severe)), (vec![1066], false));
    let blank = |lab: &mut Lab, disk| {
        let new = SharedDiskSpec { formatted: false, ..SharedDiskSpec::new(disk) };
        lab.act(0, |world, kernel| {
            let change = |bus: &mut SharedBus, now| {
                bus.replace_disk(disk, new, now).expect("the signature of the old one");
            };
            world.with_bus(0, change, kernel);
        });
    };
    assert_eq!(mount_after(blank), (vec![1035], false));
}
