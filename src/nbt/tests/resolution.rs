//! Look-ups: order, times to give up (facts: RFC 1001 15.3, NameSrvQueryTimeout and its kin), the cache.

use super::*;

const SILENT: [(Ipv4Addr, Does); 2] = [(PRIMARY, Does::Nothing), (SECONDARY, Does::Nothing)];

fn give_up(profile: NbtProfile, node: NodeType, servers: &[(Ipv4Addr, Does)]) -> u64 {
    let mut rig = Rig::bare(profile, node, servers);
    let (millis, found, _) = rig.resolve(name("NOBODY"));
    assert_eq!(found, None);
    millis
}

#[test]
fn giving_up_takes_as_long_as_the_node_type_says() {
    let sp6 = || NbtProfile::nt40(6);
    assert_eq!(give_up(sp6(), NodeType::B, &[]), 2_250);
    assert_eq!(give_up(sp6(), NodeType::P, &SILENT[..1]), 4_500);
    assert_eq!(give_up(sp6(), NodeType::P, &SILENT), 9_000);
    assert_eq!(give_up(sp6(), NodeType::H, &SILENT), 11_250);
    assert_eq!(give_up(sp6(), NodeType::M, &SILENT), 11_250);
}

#[test]
fn after_all_servers_were_silent_only_the_subnet_is_asked_for_a_while() {
    let mut rig = Rig::bare(NbtProfile::nt40(6), NodeType::H, &SILENT);
    assert_eq!(rig.resolve(name("A")).0, 11_250);
    assert_eq!(rig.resolve(name("B")).0, 2_250); // down since 9.0 s, until 24.0 s
    rig.run(at(23_999));
    assert_eq!(rig.resolve(name("C")), (2_250, None, Answered::Broadcast));
    assert_eq!(rig.resolve(name("D")).0, 11_250);
    let mut rig = Rig::bare(NbtProfile::nt40(6), NodeType::P, &SILENT);
    assert_eq!(rig.resolve(name("A")).0, 9_000);
    assert_eq!(rig.resolve(name("B")), (0, None, Answered::Nobody));
}

// rule: client/35-secondary
#[test]
fn a_no_sends_the_query_on_as_the_version_does() {
    let both = [(PRIMARY, Does::Grants(DAYS_6)), (SECONDARY, Does::Grants(DAYS_6))];
    assert_eq!(give_up(NbtProfile::nt40(6), NodeType::H, &both), 2_250);
    assert_eq!(give_up(NbtProfile::nt40(4), NodeType::H, &both), 5_250); // Q219357
    assert_eq!(give_up(NbtProfile::nt40(4), NodeType::P, &both), 3_000);
    let one_knows = [(PRIMARY, Does::Grants(DAYS_6)), (SECONDARY, Does::Knows(OTHER))];
    let ask = |profile| {
        let mut rig = Rig::bare(profile, NodeType::P, &one_knows);
        let answer = rig.resolve(name("FILES"));
        assert_eq!(rig.client.current_server(), Some(PRIMARY), "a no is no silence");
        answer
    };
    let found = Some(OTHER);
    assert_eq!(ask(NbtProfile::nt35()), (0, None, Answered::Wins(PRIMARY))); // Q137780
    assert_eq!(ask(NbtProfile::nt351()), (0, found, Answered::Wins(SECONDARY)));
    assert_eq!(ask(NbtProfile::nt40(2)), (0, None, Answered::Wins(PRIMARY))); // Q222840
    assert_eq!(ask(NbtProfile::nt40(3)), (1_500, found, Answered::Wins(SECONDARY)));
    assert_eq!(ask(NbtProfile::nt40(5)), (0, found, Answered::Wins(SECONDARY)));
}

#[test]
fn the_list_is_as_long_as_the_version_reads() {
    let three = [SILENT[0], SILENT[1], (THIRD, Does::Knows(OTHER))];
    let mut old = Rig::bare(NbtProfile::nt40(6), NodeType::P, &three);
    assert_eq!(old.resolve(name("FILES")).1, None);
    let mut new = Rig::bare(NbtProfile::w2k(), NodeType::P, &three);
    assert_eq!(new.resolve(name("FILES")), (9_000, Some(OTHER), Answered::Wins(THIRD)));
}

#[test]
fn a_silent_server_in_use_is_left() {
    let servers = [(PRIMARY, Does::Nothing), (SECONDARY, Does::Knows(OTHER))];
    let mut rig = Rig::bare(NbtProfile::nt40(6), NodeType::H, &servers);
    assert_eq!(rig.resolve(name("A")), (4_500, Some(OTHER), Answered::Wins(SECONDARY)));
    assert_eq!(rig.client.current_server(), Some(SECONDARY));
    assert_eq!(rig.resolve(name("B")).0, 0);
    rig.set(PRIMARY, Does::Knows(OTHER));
    rig.set(SECONDARY, Does::Nothing);
    assert_eq!(rig.resolve(name("C")).0, 4_500);
    assert_eq!(rig.switches(), [(9_000, PRIMARY)]); // Q247559: at once, before the primary answered
}

#[test]
fn wack_stops_the_retries() {
    let mut rig = Rig::bare(NbtProfile::nt40(6), NodeType::P, &[(PRIMARY, Does::Wacks(7))]);
    assert_eq!(rig.resolve(name("A")).0, 21_000);
}

#[test]
fn answers_live_in_the_cache_for_their_time() {
    for (profile, seconds) in [(NbtProfile::nt40(6), 660), (NbtProfile::w2k(), 600)] {
        let mut rig = Rig::bare(profile, NodeType::H, &[(PRIMARY, Does::Knows(OTHER))]);
        assert_eq!(rig.resolve(name("FILES")).2, Answered::Wins(PRIMARY));
        rig.run(at(seconds * 1000 - 1));
        assert_eq!(rig.resolve(name("FILES")), (0, Some(OTHER), Answered::Cache));
        rig.run(at(seconds * 1000));
        assert_eq!(rig.resolve(name("FILES")).2, Answered::Wins(PRIMARY));
        rig.input(NbtInput::Purge);
        assert_eq!(rig.client.cached_names(), 0);
    }
}

#[test]
fn the_cache_is_bounded_and_forgets_the_oldest() {
    let profile = NbtProfile { cache_capacity: 2, ..NbtProfile::w2k() };
    let mut rig = Rig::bare(profile, NodeType::P, &[(PRIMARY, Does::Knows(OTHER))]);
    for (i, text) in ["B", "C", "A"].into_iter().enumerate() {
        rig.run(at(i as u64 * 1000));
        rig.resolve(name(text));
    }
    assert_eq!(rig.client.cached_names(), 2);
    assert_eq!(rig.resolve(name("C")).2, Answered::Cache);
    assert_eq!(rig.resolve(name("A")).2, Answered::Cache);
    assert_eq!(rig.resolve(name("B")).2, Answered::Wins(PRIMARY));
}

#[test]
fn look_ups_of_one_name_share_one_query() {
    let mut rig = Rig::bare(NbtProfile::nt40(6), NodeType::B, &[]);
    rig.input(NbtInput::Resolve { request: 1, name: name("A") });
    rig.input(NbtInput::Resolve { request: 2, name: name("A") });
    let id = rig.sent[0].id;
    let entries = [NbEntry { flags: NbFlags::default(), address: OTHER }];
    let scope = ScopeId::none();
    let answer = |rig: &mut Rig, id: u16, about: &str| {
        let (who, about) = (Responder::EndNode, name(about));
        rig.datagram(OTHER, false, |out| {
            compose::positive_query_response(id, who, &about, &scope, 0, &entries, out);
        });
    };
    answer(&mut rig, id.wrapping_add(9), "A");
    answer(&mut rig, id, "B");
    assert_eq!((rig.told.len(), rig.client.counters().stray), (0, 2));
    answer(&mut rig, id, "A");
    assert_eq!(rig.told.len(), 2);
    answer(&mut rig, id, "A");
    assert_eq!((rig.told.len(), rig.client.counters().stray), (2, 3));
    assert_eq!((rig.sent.len(), rig.client.next_deadline()), (1, None));
}

#[test]
fn own_names_need_no_packet() {
    let mut rig = Rig::new(NbtProfile::w2k(), NodeType::B, &[]);
    rig.input(NbtInput::Boot);
    rig.run(at(60_000));
    assert_eq!(rig.resolve(name("DESK-1")), (0, Some(ME), Answered::Local));
}
