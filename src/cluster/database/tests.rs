//! The typed view of the database: what is written reads back, and what cannot be applied changes nothing.

use super::super::config::{
    ClusterConfig, DiskConfig, Failback, GroupConfig, NetworkConfig, NetworkRole, NodeConfig,
    QuorumKind, ResourceConfig, ResourceKind, RestartAction,
};
use super::super::ids::{DiskId, GroupId, NetworkId, NodeId, NodeSet, ResourceId};
use super::super::io::ClusterError;
use super::super::profile::ClusterProfile;
use super::super::update::{DbChange, DbData};
use super::Database;
use crate::base::SimDuration;
use crate::registry::KeyPath;
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn resource(name: &str, kind: ResourceKind, group: u16, depends_on: &[u16]) -> ResourceConfig {
    let depends_on = depends_on.iter().copied().map(ResourceId).collect();
    ResourceConfig::new(name, kind, GroupId(group), depends_on)
}

fn address(network: u8, host: u8) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::new(10, network, 0, host))
}

fn config() -> ClusterConfig {
    let disk = |disk| ResourceKind::PhysicalDisk {
        disk: DiskId(disk),
        skip_chkdsk: false,
        conditional_mount: disk == 1,
    };
    let wins =
        ResourceKind::Wins { database_path: "F:\\wins\\".into(), backup_path: "F:\\b\\".into() };
    let mut files = resource("Wins", wins, 1, &[3, 2]);
    files.possible_owners = vec![NodeId(2), NodeId(1)];
    files.looks_alive = Some(SimDuration::from_millis(1500));
    files.restart_action = RestartAction::Restart;
    files.restart_threshold = Some(0);
    files.separate_monitor = true;
    files.checkpoints =
        vec!["System\\CurrentControlSet\\Services\\Wins\\Partners".into(), "Software\\X".into()];
    let mut second = GroupConfig::new("Files");
    second.preferred_owners = vec![NodeId(2)];
    second.failover_threshold = None;
    second.failover_period = SimDuration::from_mins(90);
    second.failback = Failback::Window { start: 22, end: 4 };
    let ip = ResourceKind::IpAddress {
        address: Ipv4Addr::new(10, 0, 0, 100),
        network: NetworkId(1),
        netbios: false,
    };
    let name = ResourceKind::NetworkName { name: "CLU".into() };
    ClusterConfig {
        name: "alpha".into(),
        profile: ClusterProfile::w2k(2),
        nodes: (1..=2)
            .map(|n| NodeConfig {
                name: format!("N{n}"),
                addresses: vec![address(0, n), address(1, n)],
            })
            .collect(),
        networks: vec![
            NetworkConfig { name: "private".into(), role: NetworkRole::Internal },
            NetworkConfig { name: "public".into(), role: NetworkRole::All },
        ],
        disks: ('Q'..='R')
            .zip(0x1000..)
            .map(|(letter, signature)| DiskConfig { name: "d".into(), signature, letter })
            .collect(),
        quorum: QuorumKind::Disk(ResourceId(0)),
        groups: vec![GroupConfig::new("Cluster Group"), second],
        resources: vec![
            resource("Quorum", disk(0), 0, &[]),
            resource("Name", name, 0, &[]),
            resource("Disk", disk(1), 1, &[]),
            resource("Address", ip, 1, &[]),
            files,
        ],
    }
}

#[test]
fn what_setup_wrote_is_read_back() {
    let config = config();
    let database = Database::initial(&config);
    let groups: Vec<_> = database.groups().into_iter().map(|(_, group)| group).collect();
    assert_eq!(groups, config.groups);
    let resources: Vec<_> = database.resources(&config).into_iter().map(|(_, r)| r).collect();
    assert_eq!(resources, config.resources);
    assert_eq!(database.nodes(), [NodeId(1), NodeId(2)].into_iter().collect::<NodeSet>());
    assert_eq!(database.quorum_resource(), Some(ResourceId(0)));
    assert_eq!(database.quorum_log_max(), Some(64 * 1024));
    assert_eq!(
        database.checkpoints(ResourceId(4)),
        [
            (1, KeyPath::parse("System\\CurrentControlSet\\Services\\Wins\\Partners").unwrap()),
            (2, KeyPath::parse("Software\\X").unwrap())
        ]
    );
}

#[test]
fn bytes_are_canonical_and_damage_is_an_error() {
    let mut database = Database::initial(&config());
    database.sequence = 77;
    let bytes = database.save();
    let again = Database::load(&bytes).unwrap();
    assert_eq!(again, database);
    assert_eq!(again.save(), bytes);
    assert_eq!(again.digest(), database.digest());
    for at in [0, 9, 30, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        assert!(Database::load(&damaged).is_err(), "a flipped bit at {at}");
        assert!(Database::load(&bytes[..at]).is_err(), "cut at {at}");
    }
    // NT 4.0 before SP5 takes what it can read.
    let torn =
        Database::load_with(&bytes[..bytes.len() / 2], crate::registry::Checks::None).unwrap();
    assert!(torn.groups().len() == 2 && torn.digest() != database.digest());
}

#[test]
fn guids_of_two_clusters_differ_and_a_lost_signature_is_a_lost_disk() {
    let config = config();
    let mut other = config.clone();
    other.name = "beta".into();
    let (a, b) = (Database::initial(&config), Database::initial(&other));
    assert_ne!(a.resource_guid(ResourceId(0)), b.resource_guid(ResourceId(0)));
    let mut a = a;
    let change = a.set_parameter(ResourceId(2), "Signature", DbData::Number(5));
    a.apply(&[change]).unwrap();
    let (_, disk) = &a.resources(&config)[2];
    assert!(matches!(disk.kind, ResourceKind::PhysicalDisk { disk: DiskId(u16::MAX), .. }));
}

#[test]
fn checkpoints_take_the_next_free_number() {
    let mut database = Database::initial(&config());
    let wins = ResourceId(4);
    let key = |text: &str| KeyPath::parse(text).unwrap();
    assert_eq!(database.add_checkpoint(wins, &key("SOFTWARE\\x")), Err(ClusterError(183)));
    assert_eq!(database.delete_checkpoint(wins, &key("Software\\Y")), Err(ClusterError(2)));
    assert_eq!(database.add_checkpoint(ResourceId(9), &key("A")), Err(ClusterError(5007)));
    let (number, changes) = database
        .delete_checkpoint(wins, &key("System\\CurrentControlSet\\Services\\Wins\\Partners"))
        .unwrap();
    assert_eq!(number, 1);
    database.apply(&changes).unwrap();
    for expected in [1, 3] {
        let (number, changes) =
            database.add_checkpoint(wins, &key(&format!("K{expected}"))).unwrap();
        assert_eq!(number, expected);
        database.apply(&changes).unwrap();
    }
    let numbers: Vec<u32> = database.checkpoints(wins).iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn resources_and_groups_come_and_go() {
    let config = config();
    let mut database = Database::initial(&config);
    assert_eq!(database.delete_resource(ResourceId(0)), Err(ClusterError(5020)));
    assert_eq!(database.delete_resource(ResourceId(2)), Err(ClusterError(5001)));
    assert_eq!(database.delete_group(GroupId(1)), Err(ClusterError(145)));
    assert_eq!(database.set_dependencies(ResourceId(0), &[ResourceId(1)]), Err(ClusterError(5069)));
    let (id, changes) = database.create_group(&GroupConfig::new("New"));
    database.apply(&changes).unwrap();
    let share = ResourceKind::FileShare { share: "s".into(), path: "R:\\s".into() };
    let new = resource("Share", share, id.0, &[]);
    let (share, changes) = database.create_resource(&new, &config).unwrap();
    database.apply(&changes).unwrap();
    assert_eq!((share, database.wished(share)), (ResourceId(5), Some(false)));
    assert_eq!(database.resources(&config)[5].1, new);
    let wrong = resource("Wrong", ResourceKind::TimeService, id.0, &[2]);
    assert_eq!(database.create_resource(&wrong, &config), Err(ClusterError(5002)));
    database.apply(&database.delete_resource(share).unwrap()).unwrap();
    database.apply(&database.delete_group(id).unwrap()).unwrap();
    assert_eq!(database, Database::initial(&config));
}

#[test]
fn an_evicted_node_is_gone_from_every_list() {
    let config = config();
    let mut database = Database::initial(&config);
    database.apply(&database.evict(NodeId(2)).unwrap()).unwrap();
    assert_eq!(database.evict(NodeId(2)), Err(ClusterError(5042)));
    assert_eq!(database.nodes(), NodeSet::only(NodeId(1)));
    assert_eq!(database.groups()[1].1.preferred_owners, []);
    assert_eq!(database.resources(&config)[4].1.possible_owners, [NodeId(1)]);
    // What only the evicted node could run, nobody can.
    database.apply(&database.evict(NodeId(1)).unwrap()).unwrap();
    assert_eq!(database.resources(&config)[4].1.possible_owners, [NodeId(1)]);
}

fn a_change() -> impl Strategy<Value = DbChange> {
    let key = || {
        prop_oneof![
            "[a-d](\\\\[a-d]){0,3}",
            "[A-D](\\\\[a-d]){0,1}",
            Just("Groups".to_string()),
            Just("Resources".to_string()),
            Just(String::new()),
            Just("\\bad".to_string()),
        ]
    };
    let name = || "[a-c]{0,1}";
    let data = prop_oneof![
        "[a-z]{0,4}".prop_map(DbData::Text),
        any::<u32>().prop_map(DbData::Number),
        prop::collection::vec("[a-z]{0,2}", 0..3).prop_map(DbData::Texts),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(DbData::Bytes),
    ];
    prop_oneof![
        key().prop_map(DbChange::CreateKey),
        key().prop_map(DbChange::DeleteKey),
        (key(), name(), data).prop_map(|(key, name, data)| DbChange::SetValue { key, name, data }),
        (key(), name()).prop_map(|(key, name)| DbChange::DeleteValue { key, name }),
    ]
}

proptest! {
    #[test]
    fn changes_are_applied_all_or_not_at_all(
        updates in prop::collection::vec(prop::collection::vec(a_change(), 1..6), 1..12),
    ) {
        let mut database = Database::initial(&config());
        for changes in updates {
            let before = database.clone();
            // One by one on a copy: what a list does is what its changes do, up to the first that fails.
            let mut copy = database.clone();
            let fine = changes.iter().all(|change| copy.apply(std::slice::from_ref(change)).is_ok());
            let accepted = database.accepts(&changes);
            prop_assert_eq!(database.digest(), before.digest(), "asking changes nothing");
            let applied = database.apply(&changes);
            prop_assert_eq!(accepted.is_ok(), applied.is_ok());
            prop_assert_eq!(applied.is_ok(), fine);
            prop_assert_eq!(database.digest(), if fine { copy.digest() } else { before.digest() });
            prop_assert_eq!(&database.save(), &Database::load(&database.save()).unwrap().save());
        }
    }
}
