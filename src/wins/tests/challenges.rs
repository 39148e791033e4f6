//! Challenges: timing, outcomes, and what happens at their edges.

use super::*;
use NameKind::*;
use Origin::*;
use RecordState::*;

/// A name held by `holders` that host 2 wants; the version counter before.
fn contested(profile: WinsProfile, kind: NameKind, holders: &[u8]) -> (Bench, VersionId) {
    let mut bench = Bench::new(profile);
    let addresses: Vec<Ipv4Addr> = holders.iter().map(|&n| host(n)).collect();
    bench.seed("A", (kind, Active, Dynamic), OWN, &addresses);
    let before = bench.own_maximum();
    (bench, before)
}

fn millis(bench: &Bench, before: usize) -> Vec<(u64, u8)> {
    let queries = bench.challenges(before);
    queries.iter().map(|&(at, to, _)| (at.0 / 1_000_000, to.octets()[3])).collect()
}

// rule: challenge/hotfix, challenge/silence, challenge/message, register/outcome-free
#[test]
fn a_silent_holder_is_asked_after_500_1000_and_2000_ms_with_the_hotfix() {
    let (mut bench, before) = contested(nt40(), Unique, &[1]);
    assert_eq!(bench.register(2, "A", Unique), Reply::Wack);
    let sent = bench.sent.len();
    bench.wait(SimDuration::from_millis(3499));
    assert_eq!(millis(&bench, 0), [(0, 1), (500, 1), (1500, 1)]);
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Silence);
    bench.wait(SimDuration::from_millis(1));
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Unique Active own new renewed [2]");
    assert_eq!(bench.server.next_deadline(), Some(SimTime::ZERO + SimDuration::from_hours(72)));
}

// rule: challenge/original, challenge/silence
#[test]
fn before_the_hotfix_the_interval_stays_500_ms() {
    let profile = WinsProfile::new(WinsVersion::Nt40, 3);
    let (mut bench, _) = contested(profile, Unique, &[1]);
    bench.register(2, "A", Unique);
    let sent = bench.sent.len();
    bench.wait(SimDuration::from_millis(1499));
    assert_eq!(millis(&bench, 0), [(0, 1), (500, 1), (1000, 1)]);
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Silence);
    bench.wait(SimDuration::from_millis(1));
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Positive);
}

// rule: challenge/hotfix
#[test]
fn retries_and_interval_can_be_set() {
    // The example of Q173519: four retries at 1000 ms wait 1, 2, 4 and 8 seconds.
    let profile = WinsProfile {
        challenge_tries: 4,
        challenge_interval: SimDuration::from_millis(1000),
        ..nt40()
    };
    let (mut bench, _) = contested(profile, Unique, &[1]);
    bench.register(2, "A", Unique);
    let sent = bench.sent.len();
    bench.wait(SimDuration::from_millis(14_999));
    assert_eq!(millis(&bench, 0), [(0, 1), (1000, 1), (3000, 1), (7000, 1)]);
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Silence);
    bench.wait(SimDuration::from_millis(1));
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Positive);
}

// rule: challenge/each-address
#[test]
fn each_stored_address_is_asked_in_turn() {
    let profile = WinsProfile::new(WinsVersion::Nt40, 3);
    let (mut bench, before) = contested(profile, Multihomed, &[1, 5]);
    bench.register(2, "A", Unique);
    bench.wait(SimDuration::from_millis(1500));
    assert_eq!(millis(&bench, 0), [(0, 1), (500, 1), (1000, 1), (1500, 5)]);
    bench.holder_answers("A", Some(&[host(1), host(5)]));
    assert_eq!(bench.describe("A", before), "Multihomed Active own kept [1, 5]");
}

// rule: ttl/wack
#[test]
fn the_wack_tells_how_long_to_wait_and_repeats_the_flags() {
    let (mut bench, _) = contested(nt40(), Multihomed, &[1, 5]);
    bench.register(2, "A", Unique);
    let packet = NamePacket::decode(&bench.sent[0].bytes).unwrap();
    let record = packet.answer.unwrap();
    assert_eq!((record.ttl, record.rdata), (5 + 2 * 4, &[0x29, 0x00][..]));
}

// rule: register/outcome-free, challenge/negative
#[test]
fn outcome_negative_answer_frees_the_name() {
    let (mut bench, before) = contested(nt40(), Unique, &[1]);
    bench.register(2, "A", Unique);
    let sent = bench.sent.len();
    bench.holder_answers("A", None);
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Unique Active own new renewed [2]");
}

// rule: register/outcome-held, wire/rcode/act-err
#[test]
fn outcome_held_without_the_address_refuses() {
    let (mut bench, before) = contested(nt40(), Unique, &[1]);
    bench.register(2, "A", Unique);
    let sent = bench.sent.len();
    bench.holder_answers("A", Some(&[host(1)]));
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Negative(Rcode::Active));
    assert_eq!(bench.describe("A", before), "Unique Active own kept [1]");
}

// rule: register/outcome-same-host, member/becomes-multihomed
#[test]
fn outcome_held_with_the_address_becomes_multihomed() {
    let (mut bench, before) = contested(nt40(), Multihomed, &[1, 5]);
    bench.register(2, "A", Unique);
    let sent = bench.sent.len();
    // The host answers that it is at 1 and 2: 5 is gone.
    bench.holder_answers("A", Some(&[host(1), host(2)]));
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Multihomed Active own new renewed [1, 2]");
    let profile = WinsProfile { challenge_joins: false, ..nt40() };
    let (mut bench, before) = contested(profile, Unique, &[1]);
    bench.register(2, "A", Unique);
    bench.holder_answers("A", Some(&[host(1), host(2)]));
    assert_eq!(bench.describe("A", before), "Unique Active own kept [1]");
}

// rule: register/outcome-changed, challenge/frozen-record
#[test]
fn outcome_changed_meanwhile_refuses() {
    let (mut bench, _) = contested(nt40(), Unique, &[1]);
    bench.register(2, "A", Unique);
    bench.register(3, "A", Unique);
    let before = bench.sent.len();
    // Both challenges end in silence, in the order in which they began: the first to ask wins.
    bench.wait(SimDuration::from_secs(4));
    assert_eq!(bench.reply_since(before, host(2)), Reply::Positive);
    assert_eq!(bench.reply_since(before, host(3)), Reply::Negative(Rcode::Active));
    assert_eq!(bench.get("A").unwrap().addresses().collect::<Vec<_>>(), [host(2)]);
}

// rule: register/unique-group
#[test]
fn outcome_of_a_group_request() {
    let (mut bench, before) = contested(nt40(), Unique, &[1]);
    bench.register(2, "A", Group);
    let sent = bench.sent.len();
    bench.holder_answers("A", Some(&[host(1), host(2)]));
    assert_eq!(bench.reply_since(sent, host(2)), Reply::Negative(Rcode::Active));
    assert_eq!(bench.describe("A", before), "Unique Active own kept [1]");
    bench.register(2, "A", Group);
    bench.wait(SimDuration::from_secs(4));
    assert_eq!(bench.describe("A", before), "Group Active own new [255]");
}

// rule: challenge/stray
#[test]
fn answers_that_match_nothing_are_thrown_away() {
    let (mut bench, before) = contested(nt40(), Unique, &[1]);
    bench.register(2, "A", Unique);
    bench.holder_answers("B", None);
    assert!(bench.saw(WinsEvent::StrayChallengeAnswer));
    assert_eq!(bench.describe("A", before), "Unique Active own kept [1]");
    assert_eq!(bench.server.challenges_under_way(), 1);
    bench.holder_answers("A", None);
    assert_eq!(bench.server.challenges_under_way(), 0);
    assert_eq!(bench.describe("A", before), "Unique Active own new renewed [2]");
}

// rule: challenge/queue
#[test]
fn challenges_are_bounded_and_further_requests_fall() {
    let profile = WinsProfile { challenges_max: 2, ..nt40() };
    let (mut bench, _) = contested(profile, Unique, &[1]);
    assert_eq!(bench.register(2, "A", Unique), Reply::Wack);
    assert_eq!(bench.register(3, "A", Unique), Reply::Wack);
    assert_eq!(bench.register(4, "A", Unique), Reply::Silence);
    bench.wait(SimDuration::from_secs(4));
    assert_eq!(bench.register(4, "A", Unique), Reply::Wack);
}

// rule: challenge/release-demand, challenge/demand-timing
#[test]
fn release_demands_are_tried_three_times_or_until_answered() {
    let mut bench = Bench::new(nt40());
    let demand = |n| ReleaseDemand {
        name: name("A"),
        scope: ScopeId::none(),
        group: false,
        address: host(n),
    };
    bench.server.core.demands_wanted.extend([demand(1), demand(2)]);
    bench.durable();
    assert_eq!(bench.sent.len(), 2);
    let (id, flags) = peek(&bench.sent[0].bytes).unwrap();
    assert_eq!(flags.0, 0x3000);
    let (mut bytes, entry) = (Vec::new(), NbEntry { flags: NbFlags(0), address: host(1) });
    compose::release_response(id, Rcode::Ok, &name("A"), &ScopeId::none(), entry, &mut bytes);
    bench.give(WinsInput::Datagram { from: SocketAddrV4::new(host(1), PORT), bytes: &bytes });
    bench.wait(SimDuration::from_secs(5));
    let to: Vec<u8> = bench.sent.iter().map(|sent| sent.to.ip().octets()[3]).collect();
    assert_eq!(to, [1, 2, 2, 2]);
}

#[test]
fn a_replica_without_addresses_to_ask_is_free_at_once_and_others_wait_for_room() {
    let profile = WinsProfile { challenges_max: 1, ..nt40() };
    let (mut bench, _) = contested(profile, Unique, &[1]);
    let incoming = bench.get("A").unwrap().clone();
    let wanted =
        |addresses: Vec<Ipv4Addr>| ReplicaChallenge { incoming: incoming.clone(), addresses };
    let core = &mut bench.server.core;
    core.challenges_wanted.extend([wanted(vec![host(1)]), wanted(vec![host(1)])]);
    bench.durable();
    assert_eq!(bench.server.challenges_under_way(), 1);
    assert_eq!(bench.server.core().challenges_wanted.len(), 1);
    bench.holder_answers("A", Some(&[host(1)]));
    assert_eq!(bench.server.core().challenges_wanted.len(), 0);
    assert_eq!(bench.server.challenges_under_way(), 1);
}
