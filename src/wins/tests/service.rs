//! The service as a whole: start, stop, the store's tickets, versions over restarts, hostile bytes.

use super::*;
use NameKind::*;
use proptest::prelude::*;

#[test]
fn nothing_is_answered_before_the_start_and_after_the_stop() {
    let mut bench = Bench::stopped(nt40());
    assert_eq!(bench.register(1, "A", Unique), Reply::Silence);
    assert_eq!(bench.server.next_deadline(), None);
    bench.give(WinsInput::Start);
    assert_eq!(bench.register(1, "A", Unique), Reply::Positive);
    bench.register(2, "A", Unique);
    bench.give(WinsInput::Stop);
    assert!(bench.saw(WinsEvent::ShuttingDown));
    assert_eq!(bench.register(1, "A", Unique), Reply::Silence);
    assert_eq!((bench.server.next_deadline(), bench.server.challenges_under_way()), (None, 0));
}

// rule: scavenge/first-pass, start/first-scavenge
#[test]
fn an_idle_server_has_one_deadline() {
    let bench = Bench::new(nt40());
    let pass = SimTime::ZERO + SimDuration::from_hours(72);
    assert_eq!(bench.server.next_deadline(), Some(pass));
}

#[test]
fn registrations_fall_until_the_reserve_is_durable_but_queries_do_not() {
    let mut bench = Bench::stopped(nt40());
    bench.disk_works = false;
    bench.give(WinsInput::Start);
    assert_eq!(bench.register(1, "A", Unique), Reply::Silence);
    assert_eq!(bench.query("A"), None);
    assert_eq!(bench.stored, [StoreOp::ReserveVersions { upto: VersionId(VERSION_RESERVE) }]);
    bench.durable();
    assert_eq!(bench.register(1, "A", Unique), Reply::Positive);
}

#[test]
fn positive_answers_wait_for_the_disk_in_strict_mode_only() {
    for (commit, expected) in [(CommitMode::Lazy, false), (CommitMode::Strict, true)] {
        let mut bench = Bench::new(WinsProfile { commit, ..nt40() });
        bench.register(1, "A", Unique);
        bench.query("A");
        bench.register(2, "A", Unique);
        let held: Vec<bool> = bench.sent.iter().map(|sent| sent.after_commit).collect();
        assert_eq!(held, [expected, false, false, false]);
    }
}

// rule: version/persistent, version/huge
#[test]
fn versions_go_on_above_the_reserve_after_a_restart() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    let records: Vec<NameRecord> = bench.server.core().names.iter().cloned().collect();
    // A power cut: what was stored last is lost, the reserve is not.
    let mut bench = Bench::stopped(nt40());
    let reserve = VersionId(VERSION_RESERVE);
    let maxima = vec![(Owner(OTHER), VersionId(9))];
    bench.server.load(Loaded { records, maxima, reserve });
    bench.give(WinsInput::Start);
    bench.register(2, "B", Unique);
    assert_eq!(bench.get("B").unwrap().version, VersionId(VERSION_RESERVE + 1));
    assert_eq!(bench.query("A"), Some((false, vec![host(1)])));
    assert_eq!(bench.server.core().names.maximum(Owner(OTHER)), VersionId(9));
}

// rule: version/start, start/counter
#[test]
fn the_counter_starts_at_its_configured_value() {
    let mut bench = Bench::stopped(WinsProfile { version_start: 5000, ..nt40() });
    bench.server.load(Loaded::default());
    bench.give(WinsInput::Start);
    bench.register(1, "A", Unique);
    assert_eq!(bench.get("A").unwrap().version, VersionId(5001));
}

// rule: version/self-repair
#[test]
fn a_partner_that_knows_more_of_us_raises_the_counter() {
    let mut bench = Bench::new(nt40());
    let mut out = Outbox::default();
    bench.server.core.repair_counter(VersionId(90_000), &mut out);
    let logged = WinsOutput::Observe(Observation::Logged(WinsEvent::CounterRaised));
    assert!(out.items.contains(&logged));
    bench.tickets += 1; // the reserve in `out`
    assert_eq!(bench.register(1, "A", Unique), Reply::Silence, "the new reserve is not durable");
    bench.durable();
    bench.register(1, "A", Unique);
    assert_eq!(bench.get("A").unwrap().version, VersionId(90_001));
}

// rule: version/counter, version/range-query
#[test]
fn versions_of_many_registrations_are_distinct_and_ascending() {
    let mut bench = Bench::new(nt40());
    for n in 0..3000 {
        assert_eq!(bench.register(1, &format!("N{n}"), Unique), Reply::Positive);
    }
    let own = Owner(OWN);
    let all = bench.server.core().names.of_owner(own, VersionId::FIRST..=VersionId(u64::MAX));
    let versions: Vec<u64> = all.map(|record| record.version.0).collect();
    assert_eq!(versions, (1..=3000).collect::<Vec<u64>>());
}

#[test]
fn the_machine_is_a_function_of_its_inputs() {
    let run = || {
        let mut bench = Bench::new(WinsProfile { randomize_1c: true, ..nt40() });
        for n in 1..30 {
            bench.register(n, "D#1C", InternetGroup);
            bench.register(n, "A", Unique);
            bench.query("D#1C");
            bench.wait(SimDuration::from_millis(700));
        }
        let bytes: Vec<Vec<u8>> = bench.sent.iter().map(|sent| sent.bytes.clone()).collect();
        (bytes, bench.seen)
    };
    assert_eq!(run(), run());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_never_panic(packets in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..120), 1..20)) {
        let mut bench = Bench::new(nt40());
        for bytes in &packets {
            bench.request(host(1), bytes);
        }
    }

    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((0usize..68, 0u8..8), 1..60),
        multihomed: bool) {
        let mut bench = Bench::new(nt40());
        bench.register(3, "A", Unique);
        for (at, bit) in flips {
            let kind = if multihomed { Multihomed } else { Unique };
            let mut bytes = bench.claim(4, &name("A"), kind, false);
            bytes[at] ^= 1 << bit;
            bench.request(host(4), &bytes);
            bench.wait(SimDuration::from_millis(300));
        }
    }

    #[test]
    fn random_lmhosts_never_panic(text in "[ -~\n\"\\\\#]{0,200}") {
        let mut bench = Bench::new(nt40());
        let text = text.into_bytes();
        bench.give(WinsInput::Operator(OperatorAction::ImportLmhosts { text }));
    }

    #[test]
    fn stored_bytes_come_back_and_random_ones_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(record) = NameRecord::decode(&bytes) {
            let mut again = Vec::new();
            record.encode(&mut again);
            let key = NameRecord::key_len(&bytes).unwrap();
            prop_assert_eq!(NameRecord::decode(&again), Ok(record));
            prop_assert_eq!(&again[..key], &bytes[..key]);
        }
    }
}
