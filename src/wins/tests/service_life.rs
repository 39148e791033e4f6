//! What a running service does beside answering: counters, backups, pauses, owners it forgets.

use super::*;
use crate::wins::replication::Replication;
use NameKind::*;
use Origin::*;
use RecordState::*;

const HOUR: SimDuration = SimDuration::from_hours(1);

fn backed_up(every: SimDuration, at_stop: bool) -> WinsProfile {
    WinsProfile { backup: Some(BackupSettings { every, at_stop }), ..nt40() }
}

/// The backups asked for since the bench began, with their hours.
fn backups(bench: &Bench) -> Vec<(u64, BackupReason)> {
    bench.backups.iter().map(|(at, reason)| (at.0 / HOUR.0, *reason)).collect()
}

// rule: counter/registrations, counter/refreshes, counter/conflicts, counter/queries
// rule: counter/releases, counter/initialisation-time
#[test]
fn requests_are_counted_by_kind_and_outcome() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    bench.register(1, "M", Multihomed);
    bench.register(1, "G", Group);
    bench.register(1, "D#1C", InternetGroup);
    bench.refresh(1, "A", Unique);
    bench.refresh(1, "G", Group);
    bench.register(2, "A", Unique); // challenged
    bench.register(2, "G", Unique); // refused
    bench.register(2, "A", Group); // challenged
    bench.query("A");
    bench.query("B");
    bench.query("C");
    bench.release(1, "M", false);
    bench.seed("S", (Group, Active, Static), OWN, &[host(1)]);
    bench.release(1, "S", true);
    let counters = *bench.server.counters();
    assert_eq!(counters.registrations, ByKind { unique: 2, group: 2 });
    assert_eq!(counters.refreshes, ByKind { unique: 1, group: 1 });
    assert_eq!(counters.conflicts, ByKind { unique: 2, group: 1 });
    assert_eq!(counters.queries, ByOutcome { ok: 1, failed: 2 });
    assert_eq!(counters.releases, ByOutcome { ok: 1, failed: 1 });
    assert_eq!((counters.registrations.all(), counters.queries.all()), (4, 3));
    assert_eq!(counters.last.initialisation, Some(WallTime(1_000_000_000_000_000)));
    // A new start counts anew.
    bench.give(WinsInput::Stop);
    bench.wait(HOUR);
    bench.give(WinsInput::Start);
    let last = LastTimes { initialisation: Some(bench.now.wall), ..LastTimes::default() };
    assert_eq!(*bench.server.counters(), Counters { last, ..Counters::default() });
}

// rule: counter/scavenging-times
#[test]
fn the_last_scavenging_of_each_kind_is_dated() {
    let mut bench = Bench::new(nt40());
    let last = |bench: &Bench| bench.server.counters().last;
    assert_eq!(last(&bench).scavenging_periodic, None);
    bench.wait(HOUR * 72);
    let periodic = Some(bench.now.wall);
    assert_eq!(last(&bench).scavenging_periodic, periodic);
    assert_eq!((last(&bench).scavenging_admin, last(&bench).scavenging_verify), (None, None));
    bench.seed("R", (Unique, Active, Dynamic), OTHER, &[host(1)]);
    bench.wait(HOUR * 20);
    let manual = Some(bench.now.wall);
    bench.give(WinsInput::Operator(OperatorAction::VerifyNow));
    assert_eq!(last(&bench).scavenging_verify, manual);
    assert_eq!(last(&bench).scavenging_tombstones, periodic, "a verification touches none");
    bench.give(WinsInput::Operator(OperatorAction::Scavenge { force: false }));
    assert_eq!(last(&bench).scavenging_tombstones, manual);
    assert_eq!(
        (last(&bench).scavenging_periodic, last(&bench).scavenging_admin),
        (periodic, manual)
    );
}

// rule: backup/period
#[test]
fn a_backup_comes_a_day_after_the_end_of_the_last_one() {
    let mut bench = Bench::new(backed_up(BackupSettings::default().every, false));
    bench.wait(HOUR * 23);
    assert_eq!(backups(&bench), []);
    bench.wait(HOUR);
    assert_eq!(backups(&bench), [(24, BackupReason::Periodic)]);
    // It takes an hour and a half: the next one is as much later, and none begins meanwhile.
    bench.wait(HOUR + HOUR / 2);
    bench.give(WinsInput::Operator(OperatorAction::Backup));
    bench.give(WinsInput::BackupDone { ok: true });
    bench.wait(HOUR * 24);
    bench.give(WinsInput::BackupDone { ok: true });
    assert_eq!(bench.backups.len(), 2);
    assert_eq!(bench.backups[1].0, SimTime::ZERO + HOUR * 49 + HOUR / 2);
    assert!(!bench.saw(WinsEvent::BackupFailed));
}

// rule: backup/needs, backup/refused
#[test]
fn a_backup_needs_a_path_and_logging() {
    let mut bench = Bench::new(nt40());
    bench.give(WinsInput::Operator(OperatorAction::Backup));
    assert!(bench.saw(WinsEvent::BackupFailed) && bench.backups.is_empty());
    let mut bench = Bench::new(WinsProfile { logging: false, ..backed_up(HOUR * 24, true) });
    bench.wait(HOUR * 24);
    assert!(bench.saw(WinsEvent::BackupFailed) && bench.backups.is_empty());
    assert_eq!(WinsEvent::BackupFailed.number(WinsVersion::Nt35), Some(4281));
    assert_eq!(WinsEvent::BackupFailed.number(WinsVersion::Nt40), Some(4288));
    // With both it is made; one that fails is tried again a day later.
    let mut bench = Bench::new(backed_up(HOUR * 24, false));
    bench.give(WinsInput::Operator(OperatorAction::Backup));
    assert_eq!(backups(&bench), [(0, BackupReason::Operator)]);
    bench.give(WinsInput::BackupDone { ok: false });
    assert!(bench.saw(WinsEvent::BackupFailed));
    bench.wait(HOUR * 24);
    assert_eq!(bench.backups.len(), 2);
}

// rule: backup/at-stop
#[test]
fn a_backup_at_stop_is_for_the_service_and_not_for_the_system() {
    for (input, at_stop, expected) in
        [(WinsInput::Stop, true, 1), (WinsInput::Stop, false, 0), (WinsInput::ShutDown, true, 0)]
    {
        let mut bench = Bench::new(backed_up(HOUR * 24, at_stop));
        bench.give(input);
        assert_eq!(bench.backups.len(), expected);
        assert!(bench.backups.iter().all(|(_, reason)| *reason == BackupReason::AtStop));
        assert!(!bench.server.is_running());
    }
}

// rule: version/owner-cleaning
#[test]
fn owners_without_records_are_forgotten_at_the_verification_interval() {
    let mut bench = Bench::new(nt40());
    let gone = Owner(Ipv4Addr::new(10, 9, 9, 8));
    bench.server.core.note_maximum(gone, VersionId(5), &mut bench.out);
    bench.seed("R", (Unique, Active, Dynamic), OTHER, &[host(1)]);
    bench.wait(HOUR * 575);
    assert_eq!(bench.server.core().names.maximum(gone), VersionId(5));
    bench.wait(HOUR);
    assert!(bench.saw(WinsEvent::OwnerRemoved));
    assert!(bench.stored.contains(&StoreOp::ForgetOwner { owner: gone }));
    let owners: Vec<Owner> = bench.server.core().owner_versions().map(|(owner, _)| owner).collect();
    assert_eq!(owners, [Owner(OWN), Owner(OTHER)]);
}

// rule: query/domain-masters
#[test]
fn the_list_of_domain_masters_is_up_to_three_minutes_old() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "NORTH#1B", Unique);
    bench.register(9, "PC", Unique);
    let list = |bench: &mut Bench| bench.server.domain_masters(bench.now).to_vec();
    assert_eq!(list(&mut bench), [(name("NORTH#1B"), host(1))]);
    bench.register(2, "SOUTH#1B", Unique);
    bench.release(1, "NORTH#1B", false);
    bench.wait(SimDuration::from_secs(179));
    assert_eq!(list(&mut bench), [(name("NORTH#1B"), host(1))]);
    bench.wait(SimDuration::from_secs(1));
    assert_eq!(list(&mut bench), [(name("SOUTH#1B"), host(2))]);
}

fn with_partner(profile: WinsProfile, interval: SimDuration) -> Bench {
    let mut bench = Bench::stopped(profile);
    bench.server.replication = Replication::new(vec![Partner::both_ways(OTHER, interval)]);
    bench
}

// rule: start/pause, start/no-pause, start/admin-while-paused
#[test]
fn a_paused_server_answers_nothing_before_its_first_replication() {
    let paused = WinsProfile { pause_until_replicated: true, ..nt40() };
    let mut bench = with_partner(paused, HOUR);
    let old = Loaded::default();
    bench.server.load(old);
    bench.give(WinsInput::Start);
    bench.seed("A", (Unique, Active, Dynamic), OWN, &[host(1)]);
    assert_eq!(bench.register(1, "B", Unique), Reply::Silence);
    assert_eq!(bench.release(1, "A", false), Reply::Silence);
    let mut bytes = Vec::new();
    compose::query(7, &name("A"), &ScopeId::none(), false, &mut bytes);
    assert_eq!(bench.request(host(3), &bytes), Reply::Silence);
    // An administrator is heard all the same.
    let mapping = StaticMapping::new(name("S"), StaticType::Unique, vec![host(4)]);
    bench.give(WinsInput::Operator(OperatorAction::AddStatic(mapping)));
    assert!(bench.get("S").is_some());
    // Without the switch the old database answers at once.
    let mut bench = with_partner(nt40(), HOUR);
    bench.give(WinsInput::Start);
    assert_eq!(bench.register(1, "B", Unique), Reply::Positive);
    assert_eq!(bench.query("B"), Some((false, vec![host(1)])));
}

// rule: timer/adjusted
#[test]
fn intervals_are_fitted_to_the_longest_pull_and_the_log_says_so() {
    let mut bench = with_partner(nt40(), HOUR * 24);
    bench.give(WinsInput::Start);
    assert_eq!(bench.server.core().profile, nt40(), "nothing to be fitted");
    assert!(!bench.saw(WinsEvent::ExtinctionIntervalAdjusted));
    let mut bench = with_partner(nt40(), HOUR * 200);
    bench.give(WinsInput::Start);
    let profile = &bench.server.core().profile;
    assert_eq!((profile.extinction_interval, profile.extinction_timeout), (HOUR * 200, HOUR * 200));
    assert!(bench.saw(WinsEvent::ExtinctionIntervalAdjusted));
    assert!(bench.saw(WinsEvent::ExtinctionTimeoutAdjusted));
}

// rule: start/wrong-owner
#[test]
fn an_address_nobody_can_reach_is_logged_at_start() {
    let config =
        WinsConfig { address: Ipv4Addr::UNSPECIFIED, profile: nt40(), partners: Vec::new() };
    let mut bench = Bench::stopped(nt40());
    bench.server = WinsServer::new(config, Streams::new(1).stream("host/wins/wins"));
    bench.give(WinsInput::Start);
    assert!(bench.saw(WinsEvent::WrongOwnAddress));
    assert!(!Bench::new(nt40()).saw(WinsEvent::WrongOwnAddress));
}

// rule: start/stop
#[test]
fn a_stop_is_logged_under_its_number() {
    let mut bench = Bench::new(nt40());
    bench.give(WinsInput::Stop);
    assert!(bench.saw(WinsEvent::ShuttingDown));
    assert_eq!(WinsEvent::ShuttingDown.number(WinsVersion::Nt35), Some(4145));
    assert_eq!(WinsEvent::ShuttingDown.number(WinsVersion::Nt40), Some(4165));
}

/// Gives a request that found `queued` others waiting.
fn overflow(bench: &mut Bench, from: u8, bytes: &[u8], queued: u32) -> Reply {
    let before = bench.sent.len();
    let source = SocketAddrV4::new(host(from), PORT);
    bench.give(WinsInput::Overflow { from: source, bytes, queued });
    bench.reply_since(before, host(from))
}

// rule: burst/queries-unaffected, burst/no-conflict-check, burst/client-returns
#[test]
fn an_early_answer_stores_nothing_and_asks_nobody() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    let duplicate = bench.claim(2, &name("A"), Unique, false);
    assert_eq!(overflow(&mut bench, 2, &duplicate, 500), Reply::Positive, "a duplicate succeeds");
    assert_eq!(bench.query("A"), Some((false, vec![host(1)])));
    let fresh = bench.claim(3, &name("B"), Unique, false);
    assert_eq!(overflow(&mut bench, 3, &fresh, 600), Reply::Positive);
    assert_eq!(bench.query("B"), None, "not stored yet");
    assert_eq!(bench.server.counters().burst_answers, 2);
    // The client comes back and is stored; the duplicate is found out.
    bench.wait(SimDuration::from_secs(300));
    assert_eq!(bench.refresh(3, "B", Unique), Reply::Positive);
    assert_eq!(bench.query("B"), Some((false, vec![host(3)])));
    assert_eq!(bench.refresh(2, "A", Unique), Reply::Wack);
}

// rule: burst/releases
#[test]
fn releases_and_queries_are_never_answered_early() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    let mut bytes = Vec::new();
    let (name, scope) = (name("A"), ScopeId::none());
    compose::query(9, &name, &scope, false, &mut bytes);
    assert_eq!(overflow(&mut bench, 1, &bytes, 24_999), Reply::Positive);
    let nb_flags = NbFlags::new(false, NodeType::H);
    let (id, address) = (10, host(1));
    bytes.clear();
    let (name, scope) = (&name, &scope);
    let claim = Claim { id, name, scope, nb_flags, address, ttl: 0, broadcast: false };
    compose::release(&claim, &mut bytes);
    assert_eq!(overflow(&mut bench, 1, &bytes, 24_999), Reply::Positive);
    assert_eq!(bench.get("A").unwrap().state, Released);
}

// rule: counter/replication-times, partner/pull-interval
#[test]
fn the_last_replication_of_each_kind_is_dated() {
    let mut bench = with_partner(nt40(), HOUR);
    bench.give(WinsInput::Start);
    let last = |bench: &Bench| bench.server.counters().last;
    assert_eq!((last(&bench).replication_periodic, last(&bench).replication_admin), (None, None));
    bench.wait(HOUR);
    let periodic = Some(bench.now.wall);
    assert_eq!(
        (last(&bench).replication_periodic, last(&bench).replication_admin),
        (periodic, None)
    );
    bench.wait(HOUR / 2);
    bench.give(WinsInput::Operator(OperatorAction::PullNow { partner: None }));
    let admin = Some(bench.now.wall);
    assert_eq!(
        (last(&bench).replication_periodic, last(&bench).replication_admin),
        (periodic, admin)
    );
    assert_eq!(last(&bench).replication_network, None);
}

/// A server that checks consistency each day, with one replica of each owner.
fn checked(profile: WinsProfile, owners: &[Ipv4Addr]) -> Bench {
    let mut bench = Bench::new(WinsProfile { consistency_check: Some(HOUR * 24), ..profile });
    for (n, &owner) in (1..).zip(owners) {
        bench.seed(&format!("R{n}"), (Unique, Active, Dynamic), owner, &[host(n)]);
    }
    bench
}

/// The peer of the newest connection does not answer.
fn refuse(bench: &mut Bench) {
    let &(_, stream, _) = bench.connects.last().expect("a connection is being opened");
    bench.give(WinsInput::StreamRefused { stream });
}

// rule: check/interval, check/start-time, check/off, check/use-partners, timer/check/defaults
// rule: replica/dead-owner, verify/owner-direct
#[test]
fn the_consistency_check_comes_at_two_o_clock_each_day_and_asks_the_owner() {
    // The clock of the bench starts at 13:46:40.
    let until_two = SimDuration::from_secs(44_000);
    let mut bench = checked(nt40(), &[OTHER]);
    bench.wait(until_two - SimDuration::from_secs(1));
    assert_eq!(bench.connects.len(), 0);
    bench.wait(SimDuration::from_secs(1));
    assert_eq!(bench.connects[0].2, OTHER, "no partner, and asked all the same");
    refuse(&mut bench);
    assert!(bench.saw(WinsEvent::NotVerified) && bench.saw(WinsEvent::ConsistencyChecked));
    assert_eq!(bench.query("R1"), Some((false, vec![host(1)])), "not deleted");
    bench.wait(HOUR * 24);
    let times: Vec<u64> = bench.connects.iter().map(|(at, _, _)| at.0 / 1_000_000_000).collect();
    assert_eq!(times, [44_000, 44_000 + 86_400]);
    // Off unless asked for.
    let mut bench = Bench::new(nt40());
    assert_eq!(bench.server.core().profile.consistency_check_at, HOUR * 2);
    bench.seed("R", (Unique, Active, Dynamic), OTHER, &[host(1)]);
    bench.wait(HOUR * 71);
    assert_eq!(bench.connects.len(), 0);
}

// rule: check/owner-by-owner
#[test]
fn owners_are_checked_one_after_another() {
    let third = Ipv4Addr::new(10, 9, 9, 3);
    let mut bench = checked(nt40(), &[OTHER, third]);
    bench.wait(SimDuration::from_secs(44_000));
    let asked = |bench: &Bench| bench.connects.iter().map(|c| c.2).collect::<Vec<_>>();
    assert_eq!(asked(&bench), [OTHER]);
    refuse(&mut bench);
    assert_eq!(asked(&bench), [OTHER, third]);
    assert!(!bench.saw(WinsEvent::ConsistencyChecked));
    refuse(&mut bench);
    assert!(bench.saw(WinsEvent::ConsistencyChecked));
}

// rule: check/drift
#[test]
fn before_sp4_the_next_check_counts_from_the_end_of_the_last() {
    for (pack, drift) in [(3, 50), (4, 0)] {
        let mut bench = checked(WinsProfile::new(WinsVersion::Nt40, pack), &[OTHER]);
        bench.wait(SimDuration::from_secs(44_000 + 50));
        refuse(&mut bench);
        bench.wait(HOUR * 25);
        let second = bench.connects[1].0.0 / 1_000_000_000;
        assert_eq!(second, 44_000 + drift + 86_400, "SP{pack}");
    }
}
