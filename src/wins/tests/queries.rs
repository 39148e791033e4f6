//! Queries, row by row, and the order of the 1C list.

use super::*;
use NameKind::*;
use Origin::*;
use RecordState::*;

fn seeded(text: &str, kind: NameKind, state: RecordState, hosts: &[u8]) -> Bench {
    let mut bench = Bench::new(nt40());
    let addresses: Vec<Ipv4Addr> = hosts.iter().map(|&n| host(n)).collect();
    bench.seed(text, (kind, state, Dynamic), OWN, &addresses);
    bench
}

fn hosts(answer: Option<(bool, Vec<Ipv4Addr>)>) -> Vec<u8> {
    answer.map_or(vec![], |(_, list)| list.iter().map(|a| a.octets()[3]).collect())
}

// rule: query/1d, query/absent, suffix/1d/query, wire/rcode/nam-err
#[test]
fn names_1d_and_absent_names_are_not_found() {
    let mut bench = seeded("A#1D", Unique, Active, &[1]);
    assert_eq!(bench.query("A#1D"), None);
    assert_eq!(bench.query("B"), None);
    let packet = NamePacket::decode(&bench.sent[0].bytes).unwrap();
    assert_eq!(packet.flags.0, 0x8583);
    bench.register(1, "W#1D", Group);
    assert_eq!(bench.query("W#1D"), None, "stored as a group, still not found");
}

// rule: query/group, suffix/group/every-state, type/group
#[test]
fn normal_groups_answer_the_broadcast_address_in_every_state() {
    for state in [Active, Released, Tombstone] {
        let mut bench = seeded("W", Group, state, &[1]);
        assert_eq!(bench.query("W"), Some((true, vec![Ipv4Addr::BROADCAST])));
    }
}

// rule: query/inactive
#[test]
fn released_and_tombstone_names_are_not_found() {
    for kind in [Unique, Multihomed, InternetGroup] {
        for state in [Released, Tombstone] {
            assert_eq!(seeded("A", kind, state, &[1]).query("A"), None);
        }
    }
}

// rule: query/unique, query/multihomed, query/special-group, type/unique, type/special-group
// rule: type/multihomed
#[test]
fn unique_multihomed_and_special_group() {
    assert_eq!(seeded("A", Unique, Active, &[1]).query("A"), Some((false, vec![host(1)])));
    let both = vec![host(1), host(2)];
    assert_eq!(seeded("A", Multihomed, Active, &[1, 2]).query("A"), Some((false, both.clone())));
    assert_eq!(seeded("A", InternetGroup, Active, &[1, 2]).query("A"), Some((true, both)));
    let mut bench = seeded("A", Unique, Active, &[1]);
    bench.query("A");
    assert_eq!(peek(&bench.sent[0].bytes).unwrap().1.0, 0x8580);
}

// rule: query/status
#[test]
fn a_node_status_request_is_not_the_databases_business() {
    let mut bench = seeded("A", Unique, Active, &[1]);
    let mut bytes = Vec::new();
    compose::node_status_request(3, &NetbiosName::ANY, &ScopeId::none(), false, &mut bytes);
    assert_eq!(bench.request(host(3), &bytes), Reply::Silence);
}

// rule: list-1c/prepend-1b, list-1c/prepend-once, list-1c/1b-missing, suffix/1b/query
#[test]
fn the_1b_holder_comes_first_and_only_once() {
    let mut bench = seeded("D#1C", InternetGroup, Active, &[1, 2, 3]);
    assert_eq!(hosts(bench.query("D#1C")), [1, 2, 3], "no 1B: the plain list");
    bench.register(3, "D#1B", Unique);
    assert_eq!(hosts(bench.query("D#1C")), [3, 1, 2]);
    bench.release(3, "D#1B", false);
    bench.register(9, "D#1B", Unique);
    assert_eq!(hosts(bench.query("D#1C")), [9, 1, 2, 3]);
    assert_eq!(hosts(bench.query("D#1B")), [9]);
    bench.release(9, "D#1B", false);
    assert_eq!(hosts(bench.query("D#1C")), [1, 2, 3], "a released 1B is not prepended");
}

// rule: list-1c/answer-25
#[test]
fn the_answer_is_capped_at_25_with_the_1b_holder() {
    let mut bench = seeded("D#1C", InternetGroup, Active, &(1..=25).collect::<Vec<u8>>());
    bench.register(99, "D#1B", Unique);
    assert_eq!(hosts(bench.query("D#1C")), [99].into_iter().chain(1..=24).collect::<Vec<u8>>());
}

// rule: list-1c/1b-alone
#[test]
fn a_1b_alone_does_not_make_a_1c() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "D#1B", Unique);
    assert_eq!(bench.query("D#1C"), None);
}

// rule: list-1c/prepend-switch
#[test]
fn prepending_can_be_switched_off() {
    let mut bench = Bench::new(WinsProfile { prepend_1b: false, ..nt40() });
    bench.register(1, "D#1C", InternetGroup);
    bench.register(9, "D#1B", Unique);
    assert_eq!(hosts(bench.query("D#1C")), [1]);
}

// rule: list-1c/order-local
#[test]
fn local_members_come_before_others() {
    let mut bench = Bench::new(nt40());
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OTHER, &[host(1), host(2)]);
    bench.register(5, "D#1C", InternetGroup);
    bench.register(4, "D#1C", InternetGroup);
    assert_eq!(hosts(bench.query("D#1C")), [5, 4, 1, 2]);
}

// rule: list-1c/randomize
#[test]
fn randomize_rotates_the_list() {
    let mut bench = Bench::new(WinsProfile { randomize_1c: true, ..nt40() });
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OWN, &[host(1), host(2), host(3)]);
    let answers: Vec<Vec<u8>> = (0..60).map(|_| hosts(bench.query("D#1C"))).collect();
    let rotations = [vec![1, 2, 3], vec![2, 3, 1], vec![3, 1, 2]];
    assert!(answers.iter().all(|answer| rotations.contains(answer)));
    assert!(rotations.iter().all(|rotation| answers.contains(rotation)));
}

// rule: member/foreign-not-hidden, member/hidden
#[test]
fn lapsed_members_are_hidden_only_if_they_are_ours() {
    let mut bench = Bench::new(nt40());
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OTHER, &[host(1)]);
    bench.seed("E#1C", (InternetGroup, Active, Dynamic), OWN, &[host(1)]);
    bench.now.wall = bench.now.wall + SimDuration::from_hours(11);
    assert_eq!(hosts(bench.query("D#1C")), [1]);
    assert_eq!(bench.query("E#1C"), None);
}

// rule: list-1c/order-1b-member
#[test]
fn the_local_member_that_is_the_domain_master_is_the_first_of_all() {
    let mut bench = Bench::new(WinsProfile { prepend_1b: false, ..nt40() });
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OTHER, &[host(1), host(2)]);
    for n in [5, 4, 3] {
        bench.register(n, "D#1C", InternetGroup);
    }
    assert_eq!(hosts(bench.query("D#1C")), [5, 4, 3, 1, 2]);
    bench.register(4, "D#1B", Unique);
    assert_eq!(hosts(bench.query("D#1C")), [4, 5, 3, 1, 2]);
    // A member of another server is none of ours, even as the holder of the 1B name.
    bench.release(4, "D#1B", false);
    bench.register(2, "D#1B", Unique);
    assert_eq!(hosts(bench.query("D#1C")), [5, 4, 3, 1, 2]);
}

// rule: list-1c/order-precedence
// rule: partner/member-precedence
#[test]
fn members_of_a_preferred_partner_come_before_those_of_others() {
    let preferred = Ipv4Addr::new(10, 9, 9, 3);
    let mut partner = Partner::both_ways(preferred, SimDuration::from_hours(1));
    partner.pull.as_mut().unwrap().members_first = true;
    let plain = Partner::both_ways(OTHER, SimDuration::from_hours(1));
    let mut bench = Bench::new(nt40());
    bench.server.replication = replication::Replication::new(vec![plain, partner]);
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OTHER, &[host(1), host(2)]);
    let mut record = bench.get("D#1C").unwrap().clone();
    let stamp = record.stamp;
    record.members.push(Member { address: host(3), owner: Owner(preferred), stamp });
    record.members.push(Member { address: host(4), owner: Owner(OWN), stamp });
    bench.server.core.put(record, &mut Outbox::default());
    assert_eq!(hosts(bench.query("D#1C")), [4, 3, 1, 2]);
}

// rule: list-1c/no-subnet-sort
#[test]
fn the_order_is_the_same_for_every_asker() {
    let mut bench = Bench::new(nt40());
    let far = Ipv4Addr::new(172, 16, 0, 9);
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OWN, &[far, host(2)]);
    let mut bytes = Vec::new();
    compose::query(5, &name("D#1C"), &ScopeId::none(), false, &mut bytes);
    for asker in [host(3), Ipv4Addr::new(172, 16, 0, 10)] {
        let before = bench.sent.len();
        assert_eq!(bench.request(asker, &bytes), Reply::Positive);
        let packet = NamePacket::decode(&bench.sent[before].bytes).unwrap();
        let list: Vec<Ipv4Addr> = packet.answer.unwrap().entries().map(|e| e.address).collect();
        assert_eq!(list, [far, host(2)]);
    }
}
