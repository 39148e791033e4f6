//! The registration decision table, the screening before it, and the 1C list.

use super::*;
use NameKind::*;
use Origin::*;
use RecordState::*;

const POSITIVE: &str = "Positive";
const ACT_ERR: &str = "Negative(Active)";

/// A request of this kind from `from` against a stored record: reply, and what is stored then.
fn row(
    profile: WinsProfile,
    text: &str,
    stored: (NameKind, RecordState, Origin),
    owner: Ipv4Addr,
    (kind, from): (NameKind, u8),
) -> String {
    let mut bench = Bench::new(profile);
    bench.seed(text, stored, owner, &[host(1)]);
    let before = bench.own_maximum();
    let reply = bench.register(from, text, kind);
    format!("{reply:?}: {}", bench.describe(text, before))
}

/// The same for each requested kind, with NT 4.0 SP6.
fn rows(
    text: &str,
    stored: (NameKind, RecordState, Origin),
    owner: Ipv4Addr,
    from: u8,
    kinds: &[NameKind],
    expected: &str,
) {
    for &kind in kinds {
        let happened = row(nt40(), text, stored, owner, (kind, from));
        assert_eq!(happened, expected, "{stored:?} at {owner}, {kind:?} from {from}");
    }
}

// rule: register/none, life/register, version/first, version/new/registration, type/select/unique
// rule: type/select/multihomed, type/select/1c, type/select/group-bit, member/stamp-local
#[test]
fn nothing_stored_is_inserted_with_a_new_version() {
    for (kind, stored, address) in [(Unique, "Unique", 1), (Group, "Group", 255)] {
        let mut bench = Bench::new(nt40());
        assert_eq!(bench.register(1, "A", kind), Reply::Positive);
        let expected = format!("{stored} Active own new renewed [{address}]");
        assert_eq!(bench.describe("A", VersionId::ZERO), expected);
    }
    let mut bench = Bench::new(nt40());
    assert_eq!(bench.register(1, "A", Multihomed), Reply::Positive);
    assert_eq!(bench.describe("A", VersionId::ZERO), "Multihomed Active own new renewed [1]");
    assert_eq!(bench.register(1, "D#1C", InternetGroup), Reply::Positive);
    assert_eq!(bench.describe("D#1C", VersionId(1)), "InternetGroup Active own new renewed [1]");
    assert_eq!(bench.get("D#1C").unwrap().version, VersionId(2));
}

// rule: register/refresh-registers, ttl/registration, ttl/not-the-clients
#[test]
fn a_refresh_of_an_absent_name_registers_it() {
    let mut bench = Bench::new(nt40());
    assert_eq!(bench.refresh(1, "A", Unique), Reply::Positive);
    assert_eq!(bench.describe("A", VersionId::ZERO), "Unique Active own new renewed [1]");
    let ttl = NamePacket::decode(&bench.sent[0].bytes).unwrap().answer.unwrap().ttl;
    assert_eq!(ttl, 144 * 3600, "the TTL is the renewal interval");
}

// rule: register/static-unique, static/migrate-default
#[test]
fn static_unique_and_multihomed_refuse_without_a_challenge() {
    for kind in [Unique, Multihomed] {
        for (state, from) in [(Active, 1), (Active, 2), (Released, 2), (Tombstone, 2)] {
            let fixed = (kind, state, Static);
            let expected = format!("{ACT_ERR}: static {kind:?} {state:?} own kept [1]");
            rows("A", fixed, OWN, from, &[Unique, Multihomed, Group], &expected);
        }
    }
}

// rule: register/static-migrates, static/migrate-own-names
// rule: static/migrate-on
#[test]
fn static_unique_with_migrate_on_is_challenged_and_becomes_dynamic() {
    let profile = WinsProfile { migrate_on: true, ..nt40() };
    let mut bench = Bench::new(profile.clone());
    bench.seed("A", (Unique, Active, Static), OWN, &[host(1)]);
    let before = bench.own_maximum();
    assert_eq!(bench.register(2, "A", Unique), Reply::Wack);
    bench.holder_answers("A", None);
    assert_eq!(bench.describe("A", before), "Unique Active own new renewed [2]");
    // The same address needs no challenge; groups are refused; the server's own name stays (Q226497).
    let fixed = (Unique, Active, Static);
    let same = row(profile.clone(), "A", fixed, OWN, (Unique, 1));
    assert_eq!(same, "Positive: Unique Active own new renewed [1]");
    let group = row(profile.clone(), "A", fixed, OWN, (Group, 2));
    assert_eq!(group, "Negative(Active): static Unique Active own kept [1]");
    let mut bench = Bench::new(profile);
    bench.seed("WINS", (Unique, Active, Static), OWN, &[OWN]);
    assert_eq!(bench.register(2, "WINS", Unique), Reply::Negative(Rcode::Active));
}

// rule: register/static-group
#[test]
fn static_normal_group_is_acknowledged_and_nothing_stored() {
    for state in [Active, Released, Tombstone] {
        let expected = format!("{POSITIVE}: static Group {state:?} own kept [1]");
        rows("A", (Group, state, Static), OWN, 2, &[Unique, Multihomed, Group], &expected);
    }
}

// rule: register/static-1c, list-1c/static-not-added, static/migrate-1c
#[test]
fn static_1c_is_acknowledged_and_the_member_not_added() {
    let fixed = (InternetGroup, Active, Static);
    let expected = "Positive: static InternetGroup Active own kept [1]";
    rows("D#1C", fixed, OWN, 2, &[InternetGroup], expected);
    // MigrateOn reaches 1C from 4.0 SP4 on, and at its owner only (Q171794).
    let with = |pack, owner| {
        let row4 = WinsProfile::new(WinsVersion::Nt40, pack);
        let profile = WinsProfile { migrate_on: true, ..row4 };
        row(profile, "D#1C", fixed, owner, (InternetGroup, 2))
    };
    assert_eq!(with(3, OWN), expected);
    assert_eq!(with(4, OWN), "Positive: InternetGroup Active own new renewed [1, 2]");
    assert_eq!(with(4, OTHER), "Positive: static InternetGroup Active other kept [1]");
}

// rule: register/static-internet-group, type/select/static-internet-group
#[test]
fn static_internet_group_takes_members_but_never_evicts_a_static_one() {
    let fixed = (InternetGroup, Active, Static);
    let expected = "Positive: static InternetGroup Active own new [1, 2]";
    rows("FARM", fixed, OWN, 2, &[Group], expected);
    rows(
        "FARM",
        fixed,
        OWN,
        2,
        &[Unique],
        "Negative(Active): static InternetGroup Active own kept [1]",
    );
    // 24 static members and a dynamic one: the dynamic one gives way.
    let mut bench = Bench::new(nt40());
    let members: Vec<Ipv4Addr> = (1..=24).map(host).collect();
    bench.seed("FARM", fixed, OWN, &members);
    assert_eq!(bench.register(50, "FARM", Group), Reply::Positive);
    assert_eq!(bench.register(51, "FARM", Group), Reply::Positive);
    let stored: Vec<u8> = bench.get("FARM").unwrap().addresses().map(|a| a.octets()[3]).collect();
    assert_eq!(stored, (1..=24).chain([51]).collect::<Vec<u8>>());
    // 25 static members: nobody gives way.
    let mut bench = Bench::new(nt40());
    bench.seed("FARM", fixed, OWN, &(1..=25).map(host).collect::<Vec<_>>());
    assert_eq!(bench.register(50, "FARM", Group), Reply::Positive);
    assert!(!bench.get("FARM").unwrap().has_address(host(50)));
}

// rule: register/group-active, suffix/group/stamp, suffix/group/members
#[test]
fn normal_group_active_is_renewed_by_any_member() {
    let dynamic = (Group, Active, Dynamic);
    rows("A", dynamic, OWN, 2, &[Group], "Positive: Group Active own kept renewed [255]");
    rows("A", dynamic, OTHER, 2, &[Group], "Positive: Group Active own new renewed [255]");
}

// rule: register/group-inactive
#[test]
fn normal_group_released_or_tombstone_is_created_again() {
    for state in [Released, Tombstone] {
        for owner in [OWN, OTHER] {
            let expected = "Positive: Group Active own new renewed [255]";
            rows("A", (Group, state, Dynamic), owner, 2, &[Group], expected);
        }
    }
}

// rule: register/group-other-kind
#[test]
fn normal_group_refuses_other_kinds_in_every_state() {
    for state in [Active, Released, Tombstone] {
        let expected = format!("{ACT_ERR}: Group {state:?} own kept [1]");
        rows("A", (Group, state, Dynamic), OWN, 1, &[Unique, Multihomed], &expected);
    }
}

// rule: register/special-same, list-1c/same-address
#[test]
fn special_group_same_member_is_restamped_or_taken_over() {
    let dynamic = (InternetGroup, Active, Dynamic);
    let kinds = &[InternetGroup];
    rows("D#1C", dynamic, OWN, 1, kinds, "Positive: InternetGroup Active own kept renewed [1]");
    rows("D#1C", dynamic, OTHER, 1, kinds, "Positive: InternetGroup Active own new renewed [1]");
    // Our record, but the member was registered elsewhere.
    let mut bench = Bench::new(nt40());
    bench.seed("D#1C", dynamic, OWN, &[host(1)]);
    let mut record = bench.get("D#1C").unwrap().clone();
    record.members.find_mut(host(1)).unwrap().owner = Owner(OTHER);
    bench.server.core.put(record, &mut Outbox::default());
    let before = bench.own_maximum();
    bench.register(1, "D#1C", InternetGroup);
    assert_eq!(bench.describe("D#1C", before), "InternetGroup Active own new renewed [1]");
    assert_eq!(bench.get("D#1C").unwrap().members.as_slice()[0].owner, Owner(OWN));
}

// rule: register/special-other, version/new/member-added, type/append-only-1c
#[test]
fn special_group_other_member_is_added() {
    for owner in [OWN, OTHER] {
        let expected = "Positive: InternetGroup Active own new renewed [1, 2]";
        rows("D#1C", (InternetGroup, Active, Dynamic), owner, 2, &[InternetGroup], expected);
    }
}

// rule: register/special-other-kind
#[test]
fn special_group_active_refuses_other_kinds() {
    let expected = "Negative(Active): InternetGroup Active own kept [1]";
    let kinds = &[Unique, Multihomed, Group];
    rows("FARM", (InternetGroup, Active, Dynamic), OWN, 1, kinds, expected);
}

// rule: register/special-inactive
#[test]
fn special_group_released_or_tombstone_is_replaced() {
    for state in [Released, Tombstone] {
        let stored = (InternetGroup, state, Dynamic);
        let expected = "Positive: InternetGroup Active own new renewed [2]";
        rows("D#1C", stored, OTHER, 2, &[InternetGroup], expected);
        rows("FARM", stored, OWN, 2, &[Unique], "Positive: Unique Active own new renewed [2]");
    }
}

// rule: register/unique-inactive, version/new/back-to-active
#[test]
fn unique_released_or_tombstone_is_replaced_without_a_challenge() {
    for kind in [Unique, Multihomed] {
        for state in [Released, Tombstone] {
            for owner in [OWN, OTHER] {
                let stored = (kind, state, Dynamic);
                let expected = "Positive: Unique Active own new renewed [2]";
                rows("A", stored, owner, 2, &[Unique], expected);
                let expected = "Positive: Group Active own new renewed [255]";
                rows("A", stored, owner, 2, &[Group], expected);
            }
        }
    }
}

// rule: register/unique-same, version/same/refresh, version/new/take-over, life/refresh
// rule: replica/refreshed-here
#[test]
fn unique_active_same_is_restamped_or_taken_over() {
    for kind in [Unique, Multihomed] {
        let stored = (kind, Active, Dynamic);
        let expected = format!("Positive: {kind:?} Active own kept renewed [1]");
        rows("A", stored, OWN, 1, &[Unique, Multihomed], &expected);
        let expected = format!("Positive: {kind:?} Active own new renewed [1]");
        rows("A", stored, OTHER, 1, &[Unique, Multihomed], &expected);
    }
}

// rule: register/unique-other, register/server-challenges
#[test]
fn unique_active_other_is_challenged() {
    for kind in [Unique, Multihomed] {
        for owner in [OWN, OTHER] {
            let stored = (kind, Active, Dynamic);
            let place = if owner == OWN { "own" } else { "other" };
            let expected = format!("Wack: {kind:?} Active {place} kept [1]");
            rows("A", stored, owner, 2, &[Unique, Multihomed], &expected);
        }
    }
}

// rule: register/unique-group
#[test]
fn unique_active_against_a_group_is_challenged() {
    let stored = (Unique, Active, Dynamic);
    rows("A", stored, OWN, 1, &[Group], "Wack: Unique Active own kept [1]");
    rows("A", stored, OWN, 2, &[Group], "Wack: Unique Active own kept [1]");
}

// rule: register/bug-group-of-both
#[test]
fn group_overruns_a_static_unique_before_sp3() {
    let profile = WinsProfile::new(WinsVersion::Nt40, 2);
    let happened = row(profile, "A", (Unique, Active, Static), OWN, (Group, 2));
    assert_eq!(happened, "Positive: static InternetGroup Active own new [1, 2]");
}

// rule: register/screen/broadcast, wire/broadcast-ignored
#[test]
fn broadcasts_are_ignored() {
    let mut bench = Bench::new(nt40());
    let mut bytes = bench.claim(1, &name("A"), Unique, false);
    bytes[3] |= 0x10;
    assert_eq!(bench.request(host(1), &bytes), Reply::Silence);
    assert!(bench.get("A").is_none());
}

// rule: register/screen/malformed
#[test]
fn malformed_packets_are_dropped_and_logged() {
    let mut bench = Bench::new(nt40());
    let whole = bench.claim(1, &name("A"), Unique, false);
    for length in 0..whole.len() {
        assert_eq!(bench.request(host(1), &whole[..length]), Reply::Silence, "{length} bytes");
    }
    assert!(bench.saw(WinsEvent::MalformedPacket) && bench.get("A").is_none());
}

// rule: register/screen/scope, suffix/scope-237, wire/rcode/srv-err
#[test]
fn a_scope_over_237_bytes_is_a_server_failure() {
    let mut bench = Bench::new(nt40());
    for (length, expected) in [(237, Reply::Positive), (238, Reply::Negative(Rcode::ServerFailure))]
    {
        let mut text = [b'x'; 255];
        (0..255).step_by(50).skip(1).for_each(|at| text[at] = b'.');
        let scope = ScopeId::new(&text[..length]).unwrap();
        let (name, nb_flags) = (&name("A"), NbFlags::new(false, NodeType::H));
        let (id, scope, address) = (9, &scope, host(1));
        let claim = Claim { id, name, scope, nb_flags, address, ttl: 0, broadcast: false };
        let mut bytes = Vec::new();
        compose::registration(&claim, &mut bytes);
        let before = bench.sent.len();
        let from = SocketAddrV4::new(host(1), PORT);
        bench.server.handle(WinsInput::Datagram { from, bytes: &bytes }, bench.now, &mut bench.out);
        let sends: Vec<WinsOutput> = bench.out.items.clone();
        let WinsOutput::Send { to, bytes, after_commit } =
            sends.into_iter().find(|o| matches!(o, WinsOutput::Send { .. })).unwrap()
        else {
            unreachable!()
        };
        let bytes = bench.out.bytes(bytes).to_vec();
        bench.out.clear();
        bench.sent.push(Sent { time: bench.now.time, to, bytes, after_commit });
        assert_eq!(bench.reply_since(before, host(1)), expected, "{length} bytes of scope");
    }
}

// rule: register/screen/waiting, challenge/wack-once
#[test]
fn a_request_that_waits_is_dropped_when_repeated() {
    let mut bench = Bench::new(nt40());
    bench.seed("A", (Unique, Active, Dynamic), OWN, &[host(1)]);
    let bytes = bench.claim(2, &name("A"), Unique, false);
    assert_eq!(bench.request(host(2), &bytes), Reply::Wack);
    assert_eq!(bench.request(host(2), &bytes), Reply::Silence);
    assert_eq!(bench.challenges(0).len(), 1);
    // Another transaction of the same client is another request.
    assert_eq!(bench.register(2, "A", Unique), Reply::Wack);
}

// rule: register/screen/1d, register/screen/refused, suffix/1b/unique, suffix/1b/group-refused
// rule: suffix/1c/group, suffix/1c/unique-refused, suffix/1d/acknowledged, suffix/1d/group-stored
// rule: suffix/1e/group, suffix/1e/unique-refused, wire/rcode/rfs-err
#[test]
fn special_suffixes_at_registration() {
    let mut bench = Bench::new(nt40());
    let refused = Reply::Negative(Rcode::Refused);
    assert_eq!(bench.register(1, "D#1B", Unique), Reply::Positive);
    assert_eq!(bench.register(2, "E#1B", Group), refused);
    assert_eq!(bench.register(1, "D#1C", InternetGroup), Reply::Positive);
    assert_eq!(bench.register(1, "E#1C", Unique), refused);
    assert_eq!(bench.register(1, "D#1D", Unique), Reply::Positive);
    assert_eq!(bench.register(1, "E#1D", Group), Reply::Positive);
    assert_eq!(bench.register(1, "D#1E", Group), Reply::Positive);
    assert_eq!(bench.register(1, "E#1E", Unique), refused);
    let kind = |text: &str| bench.get(text).map(|record| record.kind);
    assert_eq!(kind("D#1B"), Some(Unique));
    assert_eq!(kind("D#1C"), Some(InternetGroup));
    assert_eq!(kind("D#1D"), None);
    assert_eq!(kind("E#1D"), Some(Group));
    assert_eq!(kind("D#1E"), Some(Group));
    assert_eq!(bench.server.core().names.len(), 4);
}

/// A domain with controllers 1 to `count`, registered a second apart.
fn domain(count: u8) -> Bench {
    let mut bench = Bench::new(nt40());
    for n in 1..=count {
        assert_eq!(bench.register(n, "D#1C", InternetGroup), Reply::Positive);
        bench.wait(SimDuration::from_secs(1));
    }
    bench
}

fn members(bench: &Bench) -> Vec<u8> {
    bench.get("D#1C").unwrap().addresses().map(|a| a.octets()[3]).collect()
}

// rule: list-1c/capacity, list-1c/evict-oldest, type/list-full
#[test]
fn the_26th_and_27th_member_displace_the_oldest_local_ones() {
    let mut bench = domain(25);
    assert_eq!(members(&bench), (1..=25).collect::<Vec<u8>>());
    // The first controller refreshes: now the second is the oldest.
    bench.register(1, "D#1C", InternetGroup);
    bench.register(26, "D#1C", InternetGroup);
    assert_eq!(members(&bench), [1].into_iter().chain(3..=26).collect::<Vec<u8>>());
    bench.register(27, "D#1C", InternetGroup);
    assert_eq!(members(&bench), [1].into_iter().chain(4..=27).collect::<Vec<u8>>());
    assert!(bench.saw(WinsEvent::ListFull));
    let (group, addresses) = bench.query("D#1C").unwrap();
    assert!(group && addresses.len() == 25 && addresses.contains(&host(27)));
}

// rule: list-1c/evict-replica
#[test]
fn a_replica_member_is_displaced_before_any_local_one() {
    let mut bench = domain(24);
    let mut record = bench.get("D#1C").unwrap().clone();
    // The replica member is the youngest of all, and still it goes.
    let stamp = bench.now.wall + SimDuration::from_days(90);
    record.members.push(Member { address: host(99), owner: Owner(OTHER), stamp });
    bench.server.core.put(record, &mut Outbox::default());
    bench.register(26, "D#1C", InternetGroup);
    assert_eq!(members(&bench), (1..=24).chain([26]).collect::<Vec<u8>>());
}

// rule: list-1c/expiry, member/hidden, member/last-hidden
#[test]
fn a_member_that_does_not_renew_drops_out() {
    let mut bench = domain(2);
    bench.wait(SimDuration::from_hours(143));
    bench.register(2, "D#1C", InternetGroup);
    bench.wait(SimDuration::from_hours(2));
    assert_eq!(bench.query("D#1C"), Some((true, vec![host(2)])));
    // When the last one is past its stamp the name is as good as released, scavenged or not.
    bench.wait(SimDuration::from_hours(143));
    assert_eq!(bench.query("D#1C"), None);
    let before = bench.own_maximum();
    assert_eq!(bench.register(3, "D#1C", InternetGroup), Reply::Positive);
    assert_eq!(bench.describe("D#1C", before), "InternetGroup Active own new renewed [3]");
}

// rule: burst/ladder/*, ttl/burst, burst/begins, burst/above-limit-dropped
#[test]
fn burst_answers_climb_the_ladder_and_wrap() {
    let mut bench = Bench::new(nt40());
    let mut ttl_at = |queued| {
        let bytes = bench.claim(1, &name("A"), Unique, false);
        let from = SocketAddrV4::new(host(1), PORT);
        let before = bench.sent.len();
        bench.give(WinsInput::Overflow { from, bytes: &bytes, queued });
        let sent = bench.sent.get(before)?;
        Some(NamePacket::decode(&sent.bytes).unwrap().answer.unwrap().ttl)
    };
    let ladder: Vec<_> = [500, 599, 600, 1499, 1500, 24_999, 25_000].map(&mut ttl_at).into();
    let expected = [Some(300), Some(300), Some(600), Some(3000), Some(300), Some(1500), None];
    assert_eq!(ladder, expected);
    assert!(bench.get("A").is_none(), "an early answer stores nothing");
}

// rule: member/fields
#[test]
fn each_member_has_its_address_its_server_and_its_own_stamp() {
    let mut bench = domain(2);
    bench.seed("E#1C", (InternetGroup, Active, Dynamic), OTHER, &[host(9)]);
    bench.register(1, "E#1C", InternetGroup);
    let stored = bench.get("D#1C").unwrap().members.as_slice().to_vec();
    let second = SimDuration::from_secs(1);
    assert_eq!((stored[0].address, stored[1].address), (host(1), host(2)));
    assert_eq!(stored[0].stamp + second, stored[1].stamp, "registered a second apart");
    let owners: Vec<Owner> =
        bench.get("E#1C").unwrap().members.as_slice().iter().map(|m| m.owner).collect();
    assert_eq!(owners, [Owner(OTHER), Owner(OWN)]);
}

// rule: member/one-per-request
#[test]
fn a_multihomed_host_sends_its_addresses_one_by_one() {
    let mut bench = Bench::new(nt40());
    assert_eq!(bench.register(1, "A", Multihomed), Reply::Positive);
    assert_eq!(bench.register(2, "A", Multihomed), Reply::Wack);
    bench.holder_answers("A", Some(&[host(1), host(2)]));
    assert_eq!(bench.query("A"), Some((false, vec![host(1), host(2)])));
    // From then on each address is renewed by itself.
    let before = bench.own_maximum();
    assert_eq!(bench.refresh(2, "A", Multihomed), Reply::Positive);
    assert_eq!(bench.own_maximum(), before);
}

// rule: register/bug-static-overwritten
#[test]
fn a_group_takes_the_address_of_a_static_unique_by_fault() {
    let profile = WinsProfile { group_overwrites_static: true, ..nt40() };
    let happened = row(profile, "A", (Unique, Active, Static), OWN, (Group, 2));
    assert_eq!(happened, "Positive: static Unique Active own new [2]");
}

// rule: register/roaming-replica
#[test]
fn the_holder_known_by_a_replica_is_asked_and_then_the_name_is_ours() {
    let mut bench = Bench::new(nt40());
    bench.seed("ANNA#03", (Unique, Active, Dynamic), OTHER, &[host(1)]);
    let before = bench.own_maximum();
    assert_eq!(bench.register(2, "ANNA#03", Unique), Reply::Wack);
    assert_eq!(bench.challenges(0)[0].1, host(1));
    bench.wait(SimDuration::from_secs(4));
    assert_eq!(bench.describe("ANNA#03", before), "Unique Active own new [2]");
}

// rule: version/new/address
#[test]
fn an_address_changed_by_a_refresh_has_a_new_version() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    let before = bench.own_maximum();
    assert_eq!(bench.refresh(2, "A", Unique), Reply::Wack);
    bench.holder_answers("A", None);
    assert_eq!(bench.describe("A", before), "Unique Active own new renewed [2]");
}

// rule: challenge/slow-link
#[test]
fn a_holder_that_answers_too_late_has_lost_its_name() {
    let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt40, 3));
    bench.register(1, "A", Unique);
    bench.register(2, "A", Unique);
    bench.wait(SimDuration::from_millis(1600));
    bench.holder_answers("A", Some(&[host(1)]));
    assert!(bench.saw(WinsEvent::StrayChallengeAnswer));
    assert_eq!(bench.query("A"), Some((false, vec![host(2)])));
}
