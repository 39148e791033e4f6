//! Claims, refreshes, releases, and the way between primary and secondary.

use super::*;

const FINE: Does = Does::Grants(DAYS_6);
const MINUTE: u64 = 60_000;
const HALF_TTL: u64 = DAYS_6 as u64 * 500;

fn by(server: Ipv4Addr) -> Option<NameState> {
    Some(NameState::Registered { by: Registrar::Wins(server) })
}

const BY_BROADCAST: Option<NameState> = Some(NameState::Registered { by: Registrar::Broadcast });

fn booted(profile: NbtProfile, node: NodeType, servers: &[(Ipv4Addr, Does)]) -> Rig {
    let mut rig = Rig::new(profile, node, servers);
    rig.input(NbtInput::Boot);
    rig
}

/// A host with one name, claimed at zero.
fn one_name(profile: NbtProfile, node: NodeType, servers: &[(Ipv4Addr, Does)]) -> Rig {
    let mut rig = Rig::bare(profile, node, servers);
    rig.input(NbtInput::AddName { name: name("FILES"), kind: NameKind::Unique });
    rig
}

// rule: suffix/minimum-three
#[test]
fn start_up_names_follow_the_role() {
    let count = |role, local_master| {
        let identity = Identity { local_master, ..Identity::new("A", "D", role).unwrap() };
        identity.startup_names().len()
    };
    assert_eq!(count(Role::Minimal, false), 3);
    assert_eq!(count(Role::Workstation, false), 5);
    assert_eq!(count(Role::BackupController, false), 6);
    assert_eq!(count(Role::PrimaryController, true), 9); // 10 with a user
    let user = Some(name("ANN"));
    let names = Identity { user, ..workstation() }.startup_names();
    assert_eq!(names.last().map(|last| (last.name, last.user)), Some((name("ANN#03"), true)));
}

#[test]
fn services_start_one_after_another() {
    let mut rig = booted(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, FINE)]);
    rig.run(at(10_000));
    let sent: Vec<_> = rig.sent.iter().map(|s| (s.at.nanos() / 1_000_000, s.name)).collect();
    let expected = [
        (0, "DESK-1#00"),
        (0, "CORP#00"),
        (1000, "DESK-1#03"),
        (2000, "DESK-1#20"),
        (3000, "CORP#1E"),
    ];
    assert_eq!(sent, expected.map(|(at, text)| (at, name(text))));
    assert!(rig.client.owned_names().all(|held| Some(held.state) == by(PRIMARY)));
}

#[test]
fn a_host_takes_the_answers_of_the_server_it_runs() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &[(ME, FINE)]);
    rig.run(at(10_000));
    assert_eq!(rig.client.owned_names().next().map(|held| held.state), by(ME));
    assert_eq!(rig.sent.len(), 1, "{:?}", rig.sent);
}

#[test]
fn a_broadcast_claim_is_three_requests_and_a_demand() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::B, &[]);
    rig.run(at(MINUTE));
    let sent = rig.about(name("FILES"), Opcode::Registration);
    assert_eq!(sent, [(0, None), (750, None), (1500, None), (2250, None)]);
    let demands: Vec<bool> = rig.sent.iter().map(|s| !s.flags.recursion_desired()).collect();
    assert_eq!(demands, [false, false, false, true]);
    assert_eq!(rig.state(name("FILES")), BY_BROADCAST);
    assert_eq!(rig.client.next_deadline(), None);
}

#[test]
fn an_m_node_claims_both_ways_and_a_p_node_never_broadcasts() {
    let mut m = one_name(NbtProfile::nt40(6), NodeType::M, &[(PRIMARY, FINE)]);
    m.run(at(2_249));
    assert!(m.sent.iter().all(|sent| sent.to.is_none()));
    m.run(at(2_250));
    assert_eq!(m.state(name("FILES")), by(PRIMARY));
    let dead = [(PRIMARY, Does::Nothing), (SECONDARY, Does::Nothing)];
    let mut p = one_name(NbtProfile::nt40(6), NodeType::P, &dead);
    p.run(at(MINUTE));
    assert_eq!(p.state(name("FILES")), Some(NameState::Registering));
    assert!(p.sent.iter().all(|sent| sent.to.is_some()));
}

// rule: client/retry
#[test]
fn silent_servers_get_three_tries_each_then_the_subnet_then_a_retry() {
    let dead = [(PRIMARY, Does::Nothing), (SECONDARY, Does::Nothing)];
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &dead);
    rig.run(at(11_250));
    let (p, s) = (Some(PRIMARY), Some(SECONDARY));
    let sent = rig.about(name("FILES"), Opcode::Registration);
    let unicast = [(0, p), (1500, p), (3000, p), (4500, s), (6000, s), (7500, s)];
    assert_eq!(sent[..6], unicast);
    assert_eq!(sent[6..], [(9000, None), (9750, None), (10_500, None), (11_250, None)]);
    assert_eq!(rig.state(name("FILES")), BY_BROADCAST);
    // No time to live yet: an eighth of 16 minutes (Q154409).
    assert_eq!(rig.client.next_deadline(), Some(at(11_250 + 2 * MINUTE)));
    rig.set(PRIMARY, FINE);
    rig.run(at(11_250 + 2 * MINUTE));
    assert_eq!(rig.state(name("FILES")), by(PRIMARY));
}

// rule: client/failed-registration
#[test]
fn after_a_grant_a_lost_claim_is_retried_with_the_sweep() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, FINE)]);
    rig.set(PRIMARY, Does::Nothing);
    rig.input(NbtInput::AddName { name: name("LATE"), kind: NameKind::Unique });
    rig.run(at(6_750));
    assert_eq!(rig.state(name("LATE")), BY_BROADCAST);
    assert_eq!(rig.client.next_deadline(), Some(at(6_750 + 10 * MINUTE)));
}

// rule: client/conflict
#[test]
fn a_refusal_is_a_conflict_with_an_event() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, Does::Refuses)]);
    assert_eq!(rig.state(name("FILES")), Some(NameState::Conflict));
    assert_eq!(rig.events(), [(4319, name("FILES"))]);
    assert_eq!(rig.client.next_deadline(), None, "not repeated by itself");
    rig.set(PRIMARY, FINE);
    rig.input(NbtInput::AddressChanged { address: OTHER, servers: &[PRIMARY] });
    assert_eq!(rig.state(name("FILES")), by(PRIMARY));
}

#[test]
fn a_broadcast_claim_can_be_refused_by_anyone_who_names_it() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::B, &[]);
    let id = rig.sent[0].id;
    let refuse = |rig: &mut Rig, id| {
        let entry = NbEntry { flags: NbFlags::default(), address: OTHER };
        rig.datagram(OTHER, false, |out| {
            let (files, scope) = (name("FILES"), ScopeId::none());
            compose::registration_response(id, Rcode::Active, &files, &scope, 0, entry, out);
        });
    };
    refuse(&mut rig, id.wrapping_add(1));
    assert_eq!(rig.state(name("FILES")), Some(NameState::Registering));
    assert_eq!(rig.client.counters().stray, 1);
    refuse(&mut rig, id);
    assert_eq!(rig.state(name("FILES")), Some(NameState::Conflict));
}

#[test]
fn wack_stops_the_retry_timer() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::P, &[(PRIMARY, Does::Wacks(20))]);
    rig.set(PRIMARY, FINE);
    rig.run(at(19_999));
    assert_eq!(rig.sent.len(), 1, "nothing is sent again while the server asks for patience");
    rig.run(at(20_000));
    assert_eq!((rig.sent.len(), rig.state(name("FILES"))), (2, by(PRIMARY)));
}

// rule: client/half-ttl, client/first-refresh
#[test]
fn names_are_refreshed_together_at_half_their_time_to_live() {
    let mut rig = booted(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, FINE)]);
    rig.run(at(10_000));
    rig.sent.clear();
    assert_eq!(rig.client.next_deadline(), Some(at(HALF_TTL)));
    rig.run(at(HALF_TTL + MINUTE));
    assert_eq!(rig.sent.len(), 5);
    assert!(rig.sent.iter().all(|sent| sent.opcode == Opcode::Refresh));
    assert!(rig.sent.iter().all(|sent| sent.at == at(HALF_TTL)));
    assert_eq!(rig.client.next_deadline(), Some(at(2 * HALF_TTL)));
}

// rule: ttl/client-floor, client/smallest-ttl
#[test]
fn a_time_to_live_has_a_floor_and_the_lowest_rules() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::P, &[(PRIMARY, Does::Grants(10))]);
    assert_eq!(rig.client.next_deadline(), Some(at(150_000)));
    rig.set(PRIMARY, FINE);
    rig.input(NbtInput::AddName { name: name("LATE"), kind: NameKind::Unique });
    rig.run(at(150_000));
    assert_eq!(rig.about(name("LATE"), Opcode::Refresh).len(), 1, "ruled by the other's");
    assert_eq!(rig.client.next_deadline(), Some(at(150_000 + HALF_TTL)));
}

// rule: ttl/infinite
#[test]
fn a_time_to_live_of_zero_is_for_ever() {
    let rig = one_name(NbtProfile::nt40(6), NodeType::P, &[(PRIMARY, Does::Grants(0))]);
    assert_eq!(rig.state(name("FILES")), by(PRIMARY));
    let never = rig.client.next_deadline().is_none_or(|at| at == SimTime::MAX);
    assert!(never, "nothing is to be refreshed");
}

// rule: client/fail-over
#[test]
fn failover_probes_six_times_and_then_waits_for_the_refresh() {
    let servers = [(PRIMARY, Does::Nothing), (SECONDARY, FINE)];
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &servers);
    rig.run(at(4_500));
    assert_eq!(rig.state(name("FILES")), by(SECONDARY));
    assert_eq!(rig.switches(), [(4_500, SECONDARY)]);
    rig.run(at(4_500 + HALF_TTL - 1));
    let probes = rig.about(name("FILES"), Opcode::Refresh);
    let firsts: Vec<u64> = probes.iter().step_by(3).map(|&(at, _)| at).collect();
    let expected: Vec<u64> = (1..=6).map(|i| 4_500 + i * 10 * MINUTE).collect();
    assert_eq!((firsts, probes.len()), (expected, 18));
    assert!(probes.iter().all(|&(_, to)| to == Some(PRIMARY)));
    // The refresh asks the configured primary first, then the secondary; an hour of probes follows.
    rig.sent.clear();
    rig.run(at(4_500 + HALF_TTL + 9_000));
    let refresh = rig.about(name("FILES"), Opcode::Refresh);
    let targets: Vec<_> = refresh.iter().map(|&(_, to)| to).collect();
    let (p, s) = (Some(PRIMARY), Some(SECONDARY));
    assert_eq!(targets, [p, p, p, s]);
    assert_eq!(rig.state(name("FILES")), by(SECONDARY));
    assert_eq!(rig.client.next_deadline(), Some(at(9_000 + HALF_TTL + 10 * MINUTE)));
    rig.set(PRIMARY, FINE);
    rig.run(at(9_000 + HALF_TTL + 10 * MINUTE));
    assert_eq!(rig.state(name("FILES")), by(PRIMARY));
    assert_eq!(rig.client.current_server(), Some(PRIMARY));
}

#[test]
fn a_probe_that_finds_the_primary_brings_all_names_back() {
    let servers = [(PRIMARY, Does::Nothing), (SECONDARY, FINE)];
    let mut rig = booted(NbtProfile::nt40(6), NodeType::H, &servers);
    rig.run(at(MINUTE));
    rig.set(PRIMARY, FINE);
    rig.run(at(4_500 + 10 * MINUTE));
    assert!(rig.client.owned_names().all(|held| Some(held.state) == by(PRIMARY)));
    assert_eq!(rig.client.next_deadline(), Some(at(4_500 + 10 * MINUTE + HALF_TTL)));
}

#[test]
fn a_failed_refresh_keeps_the_name_and_tries_each_sweep() {
    let servers = [(PRIMARY, FINE), (SECONDARY, FINE)];
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &servers);
    rig.set(PRIMARY, Does::Nothing);
    rig.set(SECONDARY, Does::Nothing);
    rig.run(at(HALF_TTL + 9_000));
    assert_eq!(rig.state(name("FILES")), by(PRIMARY));
    assert_eq!(rig.client.next_deadline(), Some(at(HALF_TTL + 9_000 + 10 * MINUTE)));
    rig.set(PRIMARY, FINE);
    rig.run(at(HALF_TTL + 9_000 + 10 * MINUTE));
    let expected = at(HALF_TTL + 9_000 + 10 * MINUTE) + ms(HALF_TTL);
    assert_eq!(rig.client.next_deadline(), Some(expected));
}

#[test]
fn windows_2000_asks_one_server_for_an_hour_then_the_other() {
    let servers = [(PRIMARY, FINE), (SECONDARY, Does::Nothing)];
    let mut rig = one_name(NbtProfile::w2k(), NodeType::H, &servers);
    rig.set(PRIMARY, Does::Nothing);
    rig.sent.clear();
    rig.run(at(HALF_TTL + 130 * MINUTE));
    let sent = rig.about(name("FILES"), Opcode::Refresh);
    let targets: Vec<_> = sent.iter().step_by(3).map(|&(_, to)| to.unwrap()).collect();
    assert_eq!(targets[..6], [PRIMARY; 6]);
    assert_eq!(targets[6..12], [SECONDARY; 6]);
    assert_eq!(targets[12], PRIMARY);
    // At the end of its time to live the name is claimed afresh.
    rig.run(at(2 * HALF_TTL + MINUTE));
    let afresh = rig.about(name("FILES"), Opcode::Registration);
    assert!(!afresh.is_empty() && afresh[0].0 <= 2 * HALF_TTL + 4_500, "{afresh:?}");
    assert_eq!(rig.state(name("FILES")), BY_BROADCAST);
}

// rule: client/shutdown
#[test]
fn shutdown_releases_what_the_version_releases() {
    for (profile, released) in
        [(NbtProfile::nt40(6), 5), (NbtProfile::nt351(), 2), (NbtProfile::nt40(0), 2)]
    {
        let mut rig = booted(profile, NodeType::H, &[(PRIMARY, FINE)]);
        rig.run(at(10_000));
        rig.sent.clear();
        rig.input(NbtInput::ShutDown);
        assert_eq!(rig.sent.len(), released); // without 00, 03 and 1C: Q140419
        assert!(rig.sent.iter().all(|sent| sent.opcode == Opcode::Release));
        assert_eq!(rig.told.last().map(|told| told.1), Some(NbtOutput::Stopped));
        assert_eq!(rig.client.next_deadline(), None);
    }
}

#[test]
fn a_release_nobody_answers_counts_as_done() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::P, &[(PRIMARY, FINE)]);
    rig.set(PRIMARY, Does::Nothing);
    rig.input(NbtInput::ShutDown);
    rig.run(at(MINUTE));
    let sent = rig.about(name("FILES"), Opcode::Release);
    assert_eq!(sent.iter().map(|sent| sent.0).collect::<Vec<_>>(), [0, 1500, 3000]);
    assert_eq!(rig.told.last(), Some(&(at(4_500), NbtOutput::Stopped)));
    let mut h = one_name(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, FINE)]);
    h.set(PRIMARY, Does::Nothing);
    h.input(NbtInput::ShutDown);
    h.run(at(MINUTE));
    assert_eq!(h.about(name("FILES"), Opcode::Release).len(), 6, "the subnet is told too");
    assert_eq!(h.told.last(), Some(&(at(6_750), NbtOutput::Stopped)));
}

// rule: client/release-refresh
#[test]
fn release_refresh_releases_everywhere_and_registers_again_not_too_often() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, FINE), (SECONDARY, FINE)]);
    rig.sent.clear();
    rig.input(NbtInput::ReleaseRefresh);
    let sent: Vec<_> = rig.sent.iter().map(|sent| (sent.opcode, sent.to.unwrap())).collect();
    let expected =
        [(Opcode::Release, PRIMARY), (Opcode::Release, SECONDARY), (Opcode::Registration, PRIMARY)];
    assert_eq!(sent, expected);
    rig.run(at(2 * MINUTE - 1));
    rig.input(NbtInput::ReleaseRefresh);
    assert_eq!(rig.sent.len(), 3);
    rig.run(at(2 * MINUTE));
    rig.input(NbtInput::ReleaseRefresh);
    assert_eq!(rig.sent.len(), 6);
}

#[test]
fn a_new_address_gives_the_old_one_up() {
    let mut rig = one_name(NbtProfile::w2k(), NodeType::H, &[(PRIMARY, FINE), (SECONDARY, FINE)]);
    rig.sent.clear();
    rig.input(NbtInput::AddressChanged { address: OTHER, servers: &[SECONDARY] });
    let sent: Vec<_> = rig.sent.iter().map(|sent| (sent.opcode, sent.to.unwrap())).collect();
    assert_eq!(sent, [(Opcode::Release, PRIMARY), (Opcode::Registration, SECONDARY)]);
    assert_eq!((rig.state(name("FILES")), rig.client.address()), (by(SECONDARY), OTHER));
}

#[test]
fn names_are_counted_and_users_come_and_go() {
    let mut rig = one_name(NbtProfile::nt40(6), NodeType::H, &[(PRIMARY, FINE)]);
    rig.input(NbtInput::AddName { name: name("FILES"), kind: NameKind::Unique });
    rig.input(NbtInput::RemoveName { name: name("FILES") });
    assert_eq!(rig.state(name("FILES")), by(PRIMARY));
    rig.input(NbtInput::RemoveName { name: name("FILES") });
    assert_eq!(rig.state(name("FILES")), None);
    rig.input(NbtInput::LogOn { user: name("ANN") });
    assert_eq!(rig.state(name("ANN#03")), by(PRIMARY));
    rig.input(NbtInput::LogOff);
    assert_eq!(rig.client.owned_names().count(), 0);
}

// rule: member/one-per-request
#[test]
fn a_multihomed_host_claims_one_address_a_packet() {
    let profile = NbtProfile::nt40(6);
    let servers = [(PRIMARY, FINE)];
    let mut rig = Rig::with(&workstation(), &[ME, THIRD], profile, NodeType::H, &servers);
    rig.input(NbtInput::Boot);
    rig.run(at(MINUTE));
    assert_eq!(rig.about(name("DESK-1"), Opcode::MultihomedRegistration).len(), 2);
    assert_eq!(rig.about(name("CORP#1E"), Opcode::Registration).len(), 1);
}

#[test]
fn a_client_whose_only_server_fell_silent_may_stay_with_broadcasts() {
    let profile = NbtProfile { single_server_stays_b: true, ..NbtProfile::nt351() };
    let mut rig = one_name(profile, NodeType::H, &[(PRIMARY, Does::Nothing)]);
    rig.run(at(MINUTE));
    assert_eq!((rig.state(name("FILES")), rig.client.next_deadline()), (BY_BROADCAST, None));
}

#[test]
fn a_wins_server_on_the_same_host_is_heard() {
    let mut rig = booted(NbtProfile::nt40(6), NodeType::H, &[(ME, FINE)]);
    rig.run(at(60_000));
    assert!(rig.client.owned_names().all(|held| Some(held.state) == by(ME)));
}

#[test]
fn windows_for_workgroups_refreshes_whatever_is_granted() {
    let refreshes = |refresh_every| {
        let profile = NbtProfile { refresh_every, ..NbtProfile::w95() };
        let mut rig = one_name(profile, NodeType::P, &[(PRIMARY, FINE)]);
        rig.run(at(3 * 16 * MINUTE + 1000));
        rig.about(name("FILES"), Opcode::Refresh).len()
    };
    assert_eq!(refreshes(None), 0, "half of six days");
    assert_eq!(refreshes(Some(SimDuration::from_mins(16))), 3, "Q153713");
}

#[test]
fn one_failed_name_has_all_names_refreshed_every_ten_minutes() {
    let refreshes = |pack| {
        let mut rig = one_name(NbtProfile::nt40(pack), NodeType::P, &[(PRIMARY, FINE)]);
        rig.set(PRIMARY, Does::Refuses);
        rig.input(NbtInput::AddName { name: name("TAKEN"), kind: NameKind::Unique });
        rig.set(PRIMARY, FINE);
        rig.run(at(35 * MINUTE));
        assert_eq!(rig.state(name("TAKEN")), Some(NameState::Conflict));
        rig.about(name("FILES"), Opcode::Refresh)
    };
    let every_sweep = [10, 20, 30].map(|minute| (minute * MINUTE, Some(PRIMARY)));
    assert_eq!(refreshes(2), every_sweep, "Q164308");
    assert_eq!(refreshes(3), []);
}

#[test]
fn a_normal_refresh_changes_servers_before_sp3() {
    let owners = |pack| {
        let servers = [(PRIMARY, FINE), (SECONDARY, FINE)];
        let mut rig = one_name(NbtProfile::nt40(pack), NodeType::P, &servers);
        rig.run(at(HALF_TTL + 15 * MINUTE));
        rig.switches()
    };
    let minutes = |after: u64| HALF_TTL + after * MINUTE;
    // Over at the refresh, back with the first probe (Q164309).
    assert_eq!(owners(2), [(minutes(0), SECONDARY), (minutes(10), PRIMARY)]);
    assert_eq!(owners(3), []);
}

#[test]
fn the_server_service_comes_back_without_its_name_in_nt351() {
    let comes_back = |profile| {
        let mut rig = Rig::bare(profile, NodeType::P, &[(PRIMARY, FINE)]);
        let (files, kind) = (name("FILES#20"), NameKind::Unique);
        rig.input(NbtInput::AddName { name: files, kind });
        rig.input(NbtInput::RemoveName { name: files });
        rig.run(at(MINUTE));
        rig.input(NbtInput::AddName { name: files, kind });
        rig.input(NbtInput::AddName { name: name("FILES#03"), kind });
        rig.run(at(2 * MINUTE));
        assert_eq!(rig.state(name("FILES#03")), by(PRIMARY), "other services are not concerned");
        rig.state(files) == by(PRIMARY)
    };
    assert!(!comes_back(NbtProfile::nt351()), "Q139932");
    assert!(comes_back(NbtProfile::nt40(6)));
}
