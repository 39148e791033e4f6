//! What partners see of a WINS server: triggers, pulls, associations, verification, discovery, rule by rule.

mod bench_of_partners;

use bench_of_partners::*;
use std::net::Ipv4Addr;
use winstorm::base::SimDuration;
use winstorm::wins::replication::{FOUND_MAX, NAME_LEN_MAX, REST_INTERVALS};
use winstorm::wins::{
    MulticastSettings, NameKind, OperatorAction, Partner, RecordState, WinsEvent, WinsInput,
    WinsProfile, WinsVersion,
};
use winstorm::wire::ScopeId;
use winstorm::wire::discovery::Announcement;
use winstorm::wire::replication::{
    Body, Member, Message, Notification, OwnerRecord, ReplicaAddresses, ReplicaRecord, Start,
    StopReason, VERSION_MINOR_NT4, VERSION_MINOR_W2K,
};

const SECOND: SimDuration = SimDuration::from_secs(1);
const DAY: SimDuration = SimDuration::from_days(1);

fn hours(n: u64) -> SimDuration {
    SimDuration::from_hours(n)
}

fn notification(conn: Conn, persistent: bool, propagate: bool, owners: &[OwnerRecord]) -> Message {
    let (owners, initiator) = (owners.to_vec(), A);
    Message::notification(conn.handle, Notification { propagate, persistent, owners, initiator })
}

/// Only what is asked for leaves the connection: maps and records.
fn map_of(bench: &mut Bench, conn: Conn) -> Vec<OwnerRecord> {
    bench.say(conn.stream, &Message::map_request(conn.handle));
    let Body::MapResponse { owners, .. } = bench.heard_one(conn.stream).body else { panic!() };
    owners
}

fn records_of(bench: &mut Bench, conn: Conn, wanted: OwnerRecord) -> Vec<ReplicaRecord> {
    bench.say(conn.stream, &Message::records_request(conn.handle, wanted));
    let Body::RecordsResponse(records) = bench.heard_one(conn.stream).body else { panic!() };
    records
}

// rule: assoc/handle, assoc/wrong-handle, assoc/order, assoc/responder, peer/start
#[test]
fn a_handle_is_good_on_its_own_connection_and_a_map_request_is_answered_where_its_handle_belongs() {
    let mut bench = Bench::new(w2k3(), vec![partner(A)]);
    let (one, two) = (bench.associate(A, 5), bench.associate(A, 5));
    assert_ne!(one.handle, two.handle);
    bench.say(one.stream, &Message::start_request(PEER_HANDLE, 5));
    let Body::StartResponse(start) = bench.heard_one(one.stream).body else { panic!() };
    assert_eq!(start.sender_handle, one.handle, "a second start gets the same handle");
    // The handle of the other connection: answered there, and only for maps.
    bench.say(two.stream, &Message::map_request(one.handle));
    assert!(bench.heard(two.stream).is_empty());
    assert!(matches!(bench.heard_one(one.stream).body, Body::MapResponse { .. }));
    bench.say(two.stream, &Message::records_request(one.handle, up_to(OWN, 9)));
    bench.say(two.stream, &Message::map_request(0));
    bench.say(two.stream, &Message::stop(one.handle, StopReason::Error));
    let stranger = bench.associate(STRANGER, 5);
    bench.say(stranger.stream, &Message::map_request(one.handle));
    assert!(bench.sent.is_empty() && bench.closed.is_empty(), "wrong handles are ignored");
    bench.say(one.stream, &Message::stop(one.handle, StopReason::Normal));
    assert_eq!(bench.closed, [one.stream], "the right one closes, without an answer");
    assert!(bench.sent.is_empty());
}

// rule: repl-wire/reserved-bits, event/4196-none
#[test]
fn a_message_without_the_bits_of_wins_is_answered_strangely_or_logged() {
    let strange = |profile| {
        let mut bench = Bench::new(profile, vec![partner(A)]);
        let conn = bench.associate(A, 5);
        let message = Message { reserved: 0x1234, ..Message::map_request(conn.handle) };
        bench.say(conn.stream, &message);
        (bench.heard(conn.stream), bench.logged)
    };
    let (answers, _) = strange(w2k3());
    let start = Start { sender_handle: 0x0A, major: 1, minor: 0 };
    assert_eq!((answers[0].reserved, answers[0].handle), (0x8583, 0));
    assert_eq!(answers[0].body, Body::StartRequest(start));
    let (answers, logged) = strange(profile(WinsVersion::Nt35, 0));
    assert!(answers.is_empty() && logged.contains(&WinsEvent::NotWinsMessage));
}

// rule: assoc/major, assoc/minor, assoc/8-9-for-minor-5
#[test]
fn only_the_major_version_two_is_answered_and_the_minor_one_is_never_kept() {
    let mut bench = Bench::new(w2k3(), vec![partner(A)]);
    let stream = bench.connect_from(A);
    let odd = Start { sender_handle: 1, major: 3, minor: 5 };
    let message =
        Message { body: Body::StartRequest(odd), ..Message::start_request(1, VERSION_MINOR_W2K) };
    bench.say(stream, &message);
    assert!(bench.sent.is_empty() && bench.closed.is_empty());
    for (minor, persistent) in [(VERSION_MINOR_W2K, true), (4, false), (VERSION_MINOR_NT4, false)] {
        let mut bench = Bench::new(w2k3(), vec![partner(A)]);
        bench.operate(OperatorAction::PushNow { partner: None, propagate: false });
        let mut conn = bench.take_connect(A, minor);
        if !persistent {
            // Told on a connection of its own, on which the peer then pulls.
            conn = bench.take_connect(A, minor);
        }
        let told = bench.heard(conn.stream);
        let told = told.iter().filter_map(|m| match &m.body {
            Body::Notification(notification) => Some(notification.persistent),
            _ => None,
        });
        let told: Vec<bool> = told.collect();
        assert_eq!(told, [persistent], "minor {minor}");
    }
}

// rule: peer/stranger-pull, peer/stranger-notification, partner/only-configured, event/4121-4126
// rule: event/4119-4124
#[test]
fn strangers_are_turned_away() {
    let mut bench = Bench::new(w2k3(), vec![partner(A)]);
    let conn = bench.associate(STRANGER, 5);
    bench.say(conn.stream, &Message::map_request(conn.handle));
    assert_eq!(bench.heard_one(conn.stream).body, Body::Stop(StopReason::Error));
    assert!(bench.closed.contains(&conn.stream) && bench.saw(WinsEvent::PullRefused));
    let conn = bench.associate(STRANGER, 5);
    bench.say(conn.stream, &notification(conn, true, false, &[up_to(STRANGER, 9)]));
    assert!(bench.saw(WinsEvent::NotificationRefused) && bench.connects.is_empty());
}

// rule: peer/open-house, peer/stranger-statics, pull/states-sent, assoc/max-zero, event/4120-4125
#[test]
fn with_open_doors_strangers_get_dynamic_records_and_before_2003_static_ones_too() {
    for (version, with_statics) in
        [(WinsVersion::Nt40, 2), (WinsVersion::W2k, 2), (WinsVersion::W2k3, 1)]
    {
        let row = profile(version, 0);
        let open = WinsProfile { only_configured_partners: false, detailed_events: true, ..row };
        let mut bench = Bench::new(open, Vec::new());
        bench.register("ALIVE#20", 1, false);
        bench.operate(OperatorAction::ImportLmhosts { text: b"10.1.1.7 FIXED\n".to_vec() });
        let conn = bench.associate(STRANGER, 5);
        let all = records_of(&mut bench, conn, OwnerRecord::new(OWN, 1, 0));
        let (fixed, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|r| r.is_static);
        assert_eq!((others.len(), !fixed.is_empty()), (1, with_statics == 2), "{version:?}");
        bench.say(conn.stream, &notification(conn, true, false, &[up_to(STRANGER, 9)]));
        assert!(bench.saw(WinsEvent::NotificationAccepted));
    }
}

// rule: partner/only-dynamic, pull/any-order
#[test]
fn only_dynamic_records_go_to_a_partner_that_wants_no_others_in_the_order_of_versions() {
    let mut dynamic = partner(A);
    dynamic.push.as_mut().unwrap().only_dynamic = true;
    let mut bench = Bench::new(w2k3(), vec![dynamic]);
    for n in 1..5 {
        bench.register(&format!("HOST{n}#20"), 9 - n, false);
    }
    bench.operate(OperatorAction::ImportLmhosts { text: b"10.1.1.7 FIXED\n".to_vec() });
    let conn = bench.associate(A, 5);
    let records = records_of(&mut bench, conn, OwnerRecord::new(OWN, 1, 99));
    let versions: Vec<u64> = records.iter().map(|r| r.version).collect();
    assert!(versions.len() == 4 && versions.is_sorted() && records.iter().all(|r| !r.is_static));
}

// rule: partner/replication-type, event/none-4161
#[test]
fn only_domain_names_travel_when_told_and_old_versions_do_not_know_of_it() {
    let names = |profile: WinsProfile| {
        let mut bench = Bench::new(profile, vec![partner(A)]);
        bench.register("CORP#1B", 1, false);
        bench.register("CORP#1C", 2, true);
        bench.register("DESK#20", 3, false);
        let conn = bench.associate(A, 5);
        let sent = records_of(&mut bench, conn, OwnerRecord::new(OWN, 1, 99)).len();
        let incoming = [unique("OTHER#20", 4, 4), unique("OTHER#1B", 5, 4)];
        bench.feed(A, A, &incoming);
        (sent, bench.record("OTHER#20").is_some(), bench.record("OTHER#1B").is_some(), bench)
    };
    let partial = |version, sp| WinsProfile { only_domain_names: true, ..profile(version, sp) };
    let (sent, plain, domain, bench) = names(partial(WinsVersion::Nt40, 6));
    assert_eq!((sent, plain, domain), (2, false, true), "the sender and the puller sift");
    assert!(bench.saw(WinsEvent::PartialReplication));
    let (sent, plain, domain, _) = names(partial(WinsVersion::Nt351, 5));
    assert_eq!((sent, plain, domain), (3, true, true));
}

// rule: pull/maps, pull/merge-maps, pull/best-partner, pull/range, pull/up-to-date, pull/maximum-after
// rule: pull/closed
#[test]
fn each_owner_is_asked_of_the_partner_that_knows_most_and_only_for_what_is_new() {
    let mut bench = Bench::new(nt40(), vec![partner(A), partner(B)]);
    bench.operate(OperatorAction::PullNow { partner: None });
    let from_a = bench.take_connect(A, VERSION_MINOR_NT4);
    bench.heard_one(from_a.stream);
    let map = vec![up_to(STRANGER, 5), up_to(A, 3)];
    bench.say(from_a.stream, &Message::map_response(from_a.handle, map));
    let from_b = bench.take_connect(B, VERSION_MINOR_NT4);
    bench.heard_one(from_b.stream);
    let map = vec![OwnerRecord::new(STRANGER, 4, 8), up_to(A, 2)];
    bench.say(from_b.stream, &Message::map_response(from_b.handle, map));
    let wanted = |message: Message| match message.body {
        Body::RecordsRequest(wanted) => (wanted.owner, wanted.version_min, wanted.version_max),
        other => panic!("{other:?}"),
    };
    assert_eq!(wanted(bench.heard_one(from_a.stream)), (A, 1, 3));
    bench.say(from_a.stream, &Message::records_response(from_a.handle, vec![unique("A#20", 2, 2)]));
    assert_eq!(wanted(bench.heard_one(from_b.stream)), (STRANGER, 1, 8));
    bench.say(from_b.stream, &Message::records_response(from_b.handle, Vec::new()));
    assert_eq!((bench.maximum(A), bench.maximum(STRANGER)), (3, 8), "as announced, holes or not");
    assert!(bench.saw(WinsEvent::NoRecordsInRange));
    for conn in [from_a, from_b] {
        assert_eq!(bench.heard_one(conn.stream).body, Body::Stop(StopReason::Normal));
        assert!(bench.closed.contains(&conn.stream));
    }
    // Nothing new: nothing is asked.
    bench.operate(OperatorAction::PullNow { partner: Some(A) });
    assert_eq!(bench.pulled(A, &[up_to(A, 3), up_to(STRANGER, 8)], &[]), []);
}

// rule: pull/holes, event/4206-4227
#[test]
fn an_empty_range_is_logged_and_was_an_error_in_35() {
    let ask = |profile| {
        let mut bench = Bench::new(profile, vec![partner(A)]);
        let conn = bench.associate(A, 1);
        bench.say(conn.stream, &Message::records_request(conn.handle, OwnerRecord::new(OWN, 5, 9)));
        assert!(bench.saw(WinsEvent::RangeEmpty));
        bench.heard_one(conn.stream).body
    };
    assert_eq!(ask(nt40()), Body::RecordsResponse(Vec::new()));
    assert_eq!(ask(profile(WinsVersion::Nt35, 0)), Body::Stop(StopReason::Error));
}

// rule: pull/self-higher, pull/own-records, conflict/order/never-own, event/4274-4295, backup/own-records
#[test]
fn own_records_come_back_only_into_an_empty_database_and_raise_the_counter() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    bench.operate(OperatorAction::PullNow { partner: None });
    let asked = bench.pulled(A, &[up_to(OWN, 70)], &[unique("MINE#20", 66, 6)]);
    assert_eq!((asked[0].owner, asked[0].version_min, asked[0].version_max), (OWN, 1, 70));
    let record = bench.record("MINE#20").unwrap();
    assert_eq!(record.stamp, bench.now.wall + nt40().renewal_interval, "it ages as ours");
    assert!(bench.own_maximum().0 >= 70 && bench.saw(WinsEvent::CounterRaised));
    bench.operate(OperatorAction::PullNow { partner: None });
    let asked = bench.pulled(A, &[up_to(OWN, 90)], &[unique("LOST#20", 80, 8)]);
    assert!(asked.is_empty() && bench.record("LOST#20").is_none());
    assert!(bench.own_maximum().0 >= 90);
}

// rule: partner/retries, event/4230-4251
#[test]
fn a_silent_partner_is_retried_at_its_interval_and_then_left_alone() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    for attempt in 0..=3 {
        assert!(bench.wait_for_connect(INTERVAL).is_some(), "attempt {attempt}");
        let (stream, _) = bench.connects.remove(0);
        assert!(!bench.saw(WinsEvent::PullFailed));
        bench.give(WinsInput::StreamRefused { stream });
    }
    assert!(bench.saw(WinsEvent::PullFailed));
    let rest = INTERVAL * u64::from(REST_INTERVALS);
    assert_eq!(bench.wait_for_connect(rest), None, "left alone");
    assert!(bench.wait_for_connect(INTERVAL).is_some());
}

// rule: trigger/throttle
#[test]
fn a_partner_that_failed_three_times_in_five_minutes_is_not_notified() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    for failure in 1..=4 {
        bench.operate(OperatorAction::PushNow { partner: None, propagate: false });
        let attempted = !bench.connects.is_empty();
        assert_eq!(attempted, failure <= 3, "failure {failure}");
        if let Some((stream, _)) = bench.connects.pop() {
            bench.give(WinsInput::StreamRefused { stream });
        }
    }
    assert!(bench.saw(WinsEvent::NotificationSkipped));
    bench.wait(SimDuration::from_mins(5) + SECOND);
    bench.operate(OperatorAction::PushNow { partner: None, propagate: false });
    assert!(!bench.connects.is_empty());
}

/// Registers names until the server connects to notify; at most `limit`.
fn changes_until_notified(
    profile: WinsProfile,
    update_count: Option<u32>,
    limit: u8,
) -> Option<u8> {
    let mut told = partner(A);
    told.push.as_mut().unwrap().update_count = update_count;
    let mut bench = Bench::new(profile, vec![told]);
    (1..=limit).find(|n| {
        bench.register(&format!("N{n}#20"), *n, false);
        !bench.connects.is_empty()
    })
}

// rule: partner/update-count, trigger/update-count, trigger/35-every-change
#[test]
fn twenty_changes_at_least_notify_and_each_one_in_35() {
    assert_eq!(changes_until_notified(nt40(), Some(20), 60), Some(20));
    assert_eq!(changes_until_notified(nt40(), Some(5), 60), Some(20), "the least is 20");
    assert_eq!(changes_until_notified(nt40(), Some(30), 60), Some(30));
    assert_eq!(changes_until_notified(nt40(), None, 60), None);
    assert_eq!(changes_until_notified(profile(WinsVersion::Nt35, 0), Some(20), 60), Some(1));
}

// rule: trigger/admin, pull/notified, assoc/turned
#[test]
fn a_notification_without_keeping_open_turns_the_roles_on_its_connection() {
    let mut bench = Bench::new(nt40(), vec![partner(A), partner(B)]);
    bench.feed(B, B, &[unique("B#20", 4, 4)]);
    bench.operate(OperatorAction::PushNow { partner: Some(A), propagate: false });
    let conn = bench.take_connect(A, VERSION_MINOR_NT4);
    let Body::Notification(told) = bench.heard_one(conn.stream).body else { panic!() };
    assert!(!told.persistent && !told.propagate && told.initiator == OWN);
    let owners: Vec<Ipv4Addr> = told.owners.iter().map(|o| o.owner).collect();
    assert_eq!(owners, [OWN, B], "all owners without propagation");
    let records = records_of(&mut bench, conn, OwnerRecord::new(B, 1, 4));
    assert_eq!(records.len(), 1);
    bench.say(conn.stream, &Message::stop(conn.handle, StopReason::Normal));
    bench.operate(OperatorAction::PushNow { partner: Some(A), propagate: true });
    let conn = bench.take_connect(A, VERSION_MINOR_NT4);
    let Body::Notification(told) = bench.heard_one(conn.stream).body else { panic!() };
    assert!(told.propagate && told.owners.len() == 1 && told.owners[0].owner == OWN);
    // And the other way: only the notifier is asked, and only for what is newer.
    let conn = bench.associate(A, VERSION_MINOR_NT4);
    bench.say(conn.stream, &notification(conn, false, false, &[up_to(A, 2), up_to(B, 4)]));
    let Body::RecordsRequest(wanted) = bench.heard_one(conn.stream).body else { panic!() };
    assert_eq!((wanted.owner, wanted.version_min, wanted.version_max), (A, 1, 2));
    bench.say(conn.stream, &Message::records_response(conn.handle, vec![unique("A#20", 2, 2)]));
    assert_eq!(bench.heard_one(conn.stream).body, Body::Stop(StopReason::Normal));
}

// rule: partner/address-change, trigger/address-change
#[test]
fn a_new_address_is_told_at_once_with_propagation_and_of_ours_only() {
    for told_of_addresses in [true, false] {
        let mut peer = partner(A);
        let push = peer.push.as_mut().expect("a push partner");
        (push.on_address_change, push.update_count) = (told_of_addresses, None);
        let mut bench = Bench::new(nt40(), vec![peer, partner(B)]);
        bench.feed(B, B, &[unique("B#20", 4, 4)]);
        bench.register("MOVER#20", 1, false);
        assert!(bench.connects.is_empty(), "a new name is no new address");
        // The old holder is asked and stays silent: the name moves.
        bench.register("MOVER#20", 2, false);
        bench.wait(SECOND * 20);
        let moved = bench.record("MOVER#20").expect("a record");
        assert_eq!(moved.addresses().collect::<Vec<_>>(), [host(2)]);
        assert_eq!(!bench.connects.is_empty(), told_of_addresses);
        if told_of_addresses {
            let conn = bench.take_connect(A, VERSION_MINOR_NT4);
            let Body::Notification(told) = bench.heard_one(conn.stream).body else { panic!() };
            assert!(told.propagate && told.initiator == OWN);
            assert!(told.owners.len() == 1 && told.owners[0].owner == OWN);
        }
    }
}

/// What the server passes on after a propagating notification of A's that brought `records`.
fn passed_on(profile: WinsProfile, records: &[ReplicaRecord]) -> Vec<(Ipv4Addr, Vec<Ipv4Addr>)> {
    let mut bench = Bench::new(profile, vec![partner(A), partner(B)]);
    let conn = bench.associate(A, VERSION_MINOR_NT4);
    bench.say(conn.stream, &notification(conn, false, true, &[up_to(A, 2)]));
    bench.heard_one(conn.stream);
    bench.say(conn.stream, &Message::records_response(conn.handle, records.to_vec()));
    assert!(bench.connects.iter().all(|&(_, to)| to == B), "never back to the sender");
    if bench.connects.is_empty() {
        return Vec::new();
    }
    let conn = bench.take_connect(B, VERSION_MINOR_NT4);
    let Body::Notification(told) = bench.heard_one(conn.stream).body else { panic!() };
    assert!(told.propagate);
    vec![(told.initiator, told.owners.iter().map(|o| o.owner).collect())]
}

// rule: trigger/propagate, trigger/loop-stops
#[test]
fn propagation_goes_on_only_with_news_and_names_where_it_began() {
    let news = [unique("A#20", 2, 2)];
    assert_eq!(passed_on(nt40(), &news), [(A, vec![A])]);
    assert_eq!(passed_on(nt40(), &[]), [], "nothing was pulled");
    // Q129816: 3.5 forgets who began, and so can go round for ever.
    let circulating = passed_on(profile(WinsVersion::Nt35, 0), &news);
    assert_eq!(circulating, [(OWN, vec![OWN, A])]);
}

// rule: partner/persona-non-grata, conflict/order/blocked, partner/persona-grata
#[test]
fn banned_owners_are_not_asked_for_and_leave_no_members_behind() {
    let ban = |profile: WinsProfile| WinsProfile { persona_non_grata: vec![STRANGER], ..profile };
    let list = |members: &[(Ipv4Addr, u8)]| {
        let members =
            members.iter().map(|&(owner, n)| Member { owner, address: host(n) }).collect();
        let addresses = ReplicaAddresses::SpecialGroup(members);
        ReplicaRecord::new(name("CORP#1C"), ScopeId::none(), 3, addresses)
    };
    let pull = |profile: WinsProfile| {
        let mut bench = Bench::new(profile, vec![partner(A)]);
        bench.operate(OperatorAction::PullNow { partner: None });
        let mixed = [list(&[(A, 1), (STRANGER, 2)])];
        let asked = bench.pulled(A, &[up_to(A, 3), up_to(STRANGER, 9)], &mixed);
        let owners: Vec<Ipv4Addr> = asked.iter().map(|wanted| wanted.owner).collect();
        let members = bench.record("CORP#1C").map_or(0, |record| record.members.len());
        let known = bench.server.core().owner_versions().any(|(o, _)| o.address() == STRANGER);
        (owners, members, known)
    };
    assert_eq!(pull(ban(w2k3())), (vec![A], 1, false));
    // Q312141: the members' owners are not looked at, and the banned one is known again.
    assert_eq!(pull(ban(nt40())), (vec![A], 2, true));
    // Q312964: with a list of the only owners wanted, lists still carry others' members.
    let only = WinsProfile { persona_grata: Some(vec![A]), ..w2k3() };
    assert_eq!(pull(only), (vec![A], 2, false));
}

// rule: repl-wire/name-length
#[test]
fn a_name_field_that_is_too_long_costs_the_whole_response_from_windows_2000_on() {
    let pull = |profile| {
        let mut bench = Bench::new(profile, vec![partner(A)]);
        bench.operate(OperatorAction::PullNow { partner: None });
        let conn = bench.take_connect(A, VERSION_MINOR_NT4);
        bench.heard_one(conn.stream);
        bench.say(conn.stream, &Message::map_response(conn.handle, vec![up_to(A, 2)]));
        bench.heard_one(conn.stream);
        let mut long = unique("LONG#20", 2, 2);
        long.scope = ScopeId::replicated(&[b'x'; 250]).unwrap();
        assert!(long.name_len() > NAME_LEN_MAX);
        let records = vec![unique("SHORT#20", 1, 1), long];
        bench.say(conn.stream, &Message::records_response(conn.handle, records));
        (bench.record("SHORT#20").is_some(), bench.maximum(A))
    };
    assert_eq!(pull(nt40()), (true, 2));
    assert_eq!(pull(w2k3()), (false, 0));
}

/// The replicas of A's that a verification starts from: three names, of which A still holds what `held` says.
fn verified(profile: WinsProfile, held: &[ReplicaRecord]) -> Bench {
    let mut quiet = partner(A);
    quiet.pull.as_mut().unwrap().interval = None;
    let mut bench = Bench::new(profile, vec![quiet]);
    let old = [unique("SAME#20", 1, 1), unique("NEWER#20", 2, 2), unique("GONE#20", 3, 3)];
    bench.feed(A, A, &old);
    bench.sent.clear();
    bench.wait(hours(1));
    bench.connects.clear();
    bench.operate(OperatorAction::CheckConsistency);
    let conn = bench.take_connect(A, VERSION_MINOR_W2K);
    let Body::RecordsRequest(wanted) = bench.heard_one(conn.stream).body else { panic!() };
    assert_eq!((wanted.owner, wanted.version_min, wanted.version_max), (A, 1, 3));
    bench.say(conn.stream, &Message::records_response(conn.handle, held.to_vec()));
    assert_eq!(bench.heard_one(conn.stream).body, Body::Stop(StopReason::Normal));
    assert!(bench.closed.contains(&conn.stream), "never kept");
    bench
}

// rule: verify/*, trigger/verify, pull/verification, event/4132-4137, event/none-4142
#[test]
fn verification_restamps_replaces_and_deletes() {
    let long = WinsProfile { pull_retries: 0, ..w2k3() };
    let held = [unique("SAME#20", 1, 1), unique("NEWER#20", 9, 7), unique("OTHER#20", 3, 3)];
    let bench = verified(long.clone(), &held);
    let fresh = bench.now.wall + long.verification_interval;
    assert_eq!(bench.record("SAME#20").unwrap().stamp, fresh);
    let newer = bench.record("NEWER#20").unwrap();
    assert_eq!((newer.version.0, newer.members.as_slice()[0].address), (9, host(7)));
    assert!(bench.record("GONE#20").is_none() && bench.record("OTHER#20").is_some());
    assert!(bench.saw(WinsEvent::SameVersionOtherName));
    assert!(bench.saw(WinsEvent::ConsistencyChecked));
    // Q187555: our own number under the owner's name.
    let faulty = verified(profile(WinsVersion::Nt40, 3), &held);
    assert_ne!(faulty.record("SAME#20").unwrap().version.0, 0);
    assert!(faulty.own_maximum().0 > 0, "a version of ours was spent on a replica");
}

// rule: check/interval, check/start-time, check/off, check/drift, timer/check/defaults
#[test]
fn checks_follow_the_clock_and_drift_before_sp4() {
    let second_check = |sp| {
        let checked =
            WinsProfile { consistency_check: Some(DAY), ..profile(WinsVersion::Nt40, sp) };
        let mut bench = Bench::new(checked, vec![partner(A)]);
        let mut quiet = bench.server.replication().partners()[0].clone();
        quiet.pull.as_mut().unwrap().interval = None;
        bench.operate(OperatorAction::SetPartners(vec![quiet]));
        bench.feed(A, A, &[unique("ONE#20", 1, 1)]);
        bench.sent.clear();
        // The bench starts at 10:00.
        assert_eq!(bench.wait_for_connect(DAY), Some(hours(16)), "at 02:00");
        let conn = bench.take_connect(A, VERSION_MINOR_W2K);
        bench.heard_one(conn.stream);
        bench.wait(SECOND * 30);
        bench.say(
            conn.stream,
            &Message::records_response(conn.handle, vec![unique("ONE#20", 1, 1)]),
        );
        bench.heard(conn.stream);
        bench.wait_for_connect(DAY * 2).unwrap() + SECOND * 30
    };
    assert_eq!(second_check(4), DAY);
    assert_eq!(second_check(3), DAY + SECOND * 30, "Q159599");
    let mut never = Bench::new(nt40(), Vec::new());
    assert_eq!(never.wait_for_connect(DAY * 3), None);
}

// rule: check/owner-by-owner, check/max-records, check/use-partners, verify/random-partner
#[test]
fn a_check_ends_after_the_owner_that_passes_the_maximum_and_goes_on_with_the_next() {
    let checked = WinsProfile {
        consistency_check: Some(DAY),
        verify_records_max: 1000,
        verify_with_partners: true,
        ..nt40()
    };
    let mut quiet = partner(A);
    quiet.pull.as_mut().unwrap().interval = None;
    let mut bench = Bench::new(checked, vec![quiet]);
    let owners =
        [Ipv4Addr::new(10, 7, 0, 1), Ipv4Addr::new(10, 7, 0, 2), Ipv4Addr::new(10, 7, 0, 3)];
    let held = |n: usize| -> Vec<ReplicaRecord> {
        (1..=1001).map(|v| unique(&format!("X{n}-{v}#20"), v, n as u8)).collect()
    };
    for (n, owner) in owners.into_iter().enumerate() {
        bench.feed(A, owner, &held(n));
    }
    let mut asked = Vec::new();
    for _ in 0..4 {
        bench.sent.clear();
        bench.connects.clear();
        bench.wait_for_connect(DAY * 2).expect("a check");
        let conn = bench.take_connect(A, VERSION_MINOR_W2K);
        let Body::RecordsRequest(wanted) = bench.heard_one(conn.stream).body else { panic!() };
        asked.push(wanted.owner);
        let n = owners.iter().position(|&o| o == wanted.owner).unwrap();
        bench.say(conn.stream, &Message::records_response(conn.handle, held(n)));
        assert!(bench.connects.is_empty(), "1001 records pass the least maximum, 1000");
    }
    assert_eq!(asked, [owners[0], owners[1], owners[2], owners[0]]);
}

// rule: partner/multicast-interval, partner/multicast-ttl, assoc/discovery-times
#[test]
fn announcements_leave_at_start_at_each_interval_and_at_stop() {
    let loud = WinsProfile { multicast: Some(MulticastSettings::USUAL), ..nt40() };
    let mut bench = Bench::new(loud, Vec::new());
    bench.wait(SECOND * 2400);
    bench.give(WinsInput::Stop);
    let said: Vec<(u64, u8, bool)> = bench
        .multicast
        .iter()
        .map(|(at, ttl, bytes)| {
            let announcement = Announcement::decode(bytes).unwrap();
            assert_eq!(announcement.addresses, [OWN]);
            (at.0 / SECOND.0, *ttl, announcement.up)
        })
        .collect();
    assert_eq!(said, [(0, 6, true), (2400, 6, true), (2400, 6, false)]);
    assert!(Bench::new(nt40(), Vec::new()).multicast.is_empty());
}

fn announce(bench: &mut Bench, up: bool, addresses: &[Ipv4Addr]) {
    let mut bytes = Vec::new();
    Announcement { up, addresses: addresses.to_vec() }.encode(&mut bytes);
    let from = std::net::SocketAddrV4::new(addresses[0], 42);
    bench.give(WinsInput::Discovery { from, bytes: &bytes });
}

// rule: partner/self-found, assoc/discovery-partners
#[test]
fn announced_servers_become_partners_and_going_down_ends_only_those() {
    let finder = WinsProfile { use_found_partners: true, ..nt40() };
    let mut bench = Bench::new(finder, vec![partner(A)]);
    let known = |bench: &Bench| -> Vec<Ipv4Addr> {
        bench.server.replication().partners().iter().map(|p| p.address).collect()
    };
    announce(&mut bench, true, &[B, OWN]);
    assert_eq!(known(&bench), [A, B], "never itself");
    assert!(bench.server.replication().partners()[1].push.is_some());
    assert_eq!(bench.connects[0].1, B, "and it is pulled from");
    announce(&mut bench, false, &[A]);
    announce(&mut bench, false, &[B]);
    assert_eq!(known(&bench), [A]);
    for n in 0..200 {
        announce(&mut bench, true, &[Ipv4Addr::new(10, 50, 0, n)]);
    }
    assert_eq!(known(&bench).len(), 1 + FOUND_MAX);
    let mut deaf = Bench::new(nt40(), Vec::new());
    announce(&mut deaf, true, &[B]);
    assert!(known(&deaf).is_empty());
}

// rule: event/4267-4288
#[test]
fn owners_without_records_are_forgotten_at_the_verify_interval() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    bench.feed(A, STRANGER, &[]);
    bench.operate(OperatorAction::PullNow { partner: Some(A) });
    bench.pulled(A, &[up_to(STRANGER, 5)], &[]);
    assert_eq!(bench.maximum(STRANGER), 5);
    bench.wait(nt40().verification_interval + SECOND);
    assert_eq!(bench.maximum(STRANGER), 0);
    assert!(bench.forgotten.iter().any(|owner| owner.address() == STRANGER));
    assert!(bench.saw(WinsEvent::OwnerRemoved));
}

// rule: partner/pull-at-start, trigger/start-pull, trigger/parameter-changed, partner/push-at-start
// rule: trigger/start-push
#[test]
fn start_and_changed_values_pull_and_start_notifies_where_told() {
    let eager = Partner::both_ways(A, INTERVAL);
    let mut bench = Bench::new(nt40(), vec![eager.clone()]);
    assert_eq!(bench.connects.len(), 1);
    bench.pulled(A, &[], &[]);
    bench.operate(OperatorAction::SetPartners(vec![eager]));
    assert_eq!(bench.connects.len(), 1, "even when nothing changed (Q173942)");
    bench.connects.clear();
    let mut lazy = partner(A);
    assert!(Bench::new(nt40(), vec![lazy.clone()]).connects.is_empty());
    lazy.push.as_mut().unwrap().at_start = true;
    let mut bench = Bench::new(nt40(), vec![lazy]);
    let conn = bench.take_connect(A, VERSION_MINOR_NT4);
    assert!(matches!(bench.heard_one(conn.stream).body, Body::Notification(_)));
}

// rule: partner/pull-interval, trigger/interval
#[test]
fn pulls_follow_at_each_interval_and_drift_in_sp4() {
    let second = |sp| {
        let mut bench = Bench::new(profile(WinsVersion::Nt40, sp), vec![partner(A)]);
        assert_eq!(bench.wait_for_connect(DAY), Some(INTERVAL));
        let conn = bench.take_connect(A, VERSION_MINOR_NT4);
        bench.heard_one(conn.stream);
        bench.wait(SECOND * 40);
        bench.say(conn.stream, &Message::map_response(conn.handle, Vec::new()));
        bench.wait_for_connect(DAY).unwrap() + SECOND * 40
    };
    assert_eq!([3, 5].map(second), [INTERVAL; 2]);
    assert_eq!(second(4), INTERVAL + SECOND * 40, "Q196209");
}

// rule: event/4162-4183
#[test]
fn a_partner_without_a_start_time_was_an_error_in_40() {
    let logged = |version, sp| {
        Bench::new(profile(version, sp), vec![partner(A)]).saw(WinsEvent::BadStartTime)
    };
    assert!(logged(WinsVersion::Nt40, 3));
    assert!(!logged(WinsVersion::Nt40, 4) && !logged(WinsVersion::Nt351, 0));
}

// rule: state/bad-replica, conflict/order/same-owner
#[test]
fn an_impossible_record_ends_the_pull_before_sp4_only() {
    let pull = |sp| {
        let mut bench = Bench::new(profile(WinsVersion::Nt40, sp), vec![partner(A)]);
        let nobody = ReplicaAddresses::SpecialGroup(Vec::new());
        let odd = ReplicaRecord::new(name("CORP#1C"), ScopeId::none(), 1, nobody);
        bench.feed(A, A, &[odd, unique("AFTER#20", 2, 2)]);
        bench.record("AFTER#20").is_some()
    };
    assert!(!pull(3) && pull(4));
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    bench.feed(A, A, &[tombstone("DEAD#20", 1, 1)]);
    let record = bench.record("DEAD#20").unwrap();
    assert_eq!((record.kind, record.state), (NameKind::Unique, RecordState::Tombstone));
}

// rule: assoc/one-outstanding, assoc/timeout
#[test]
fn a_partner_that_does_not_answer_is_given_up_after_a_minute() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    bench.operate(OperatorAction::PullNow { partner: None });
    let conn = bench.take_connect(A, VERSION_MINOR_NT4);
    assert_eq!(bench.heard(conn.stream).len(), 1, "one request at a time");
    bench.wait(SECOND * 59);
    assert!(bench.closed.is_empty());
    bench.wait(SECOND * 2);
    assert_eq!(bench.closed, [conn.stream]);
}

// rule: partner/one-sided, event/4102-4102
#[test]
fn a_partnership_known_on_one_side_only_is_logged() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    bench.operate(OperatorAction::PullNow { partner: None });
    let conn = bench.take_connect(A, VERSION_MINOR_NT4);
    bench.say(conn.stream, &Message::stop(conn.handle, StopReason::Error));
    assert!(bench.saw(WinsEvent::ConnectionAborted));
}

/// The map names every owner; it is what partners plan their pulls by.
#[test]
fn the_map_holds_every_owner_with_its_maximum() {
    let mut bench = Bench::new(nt40(), vec![partner(A)]);
    bench.register("ONE#20", 1, false);
    bench.feed(A, STRANGER, &[unique("TWO#20", 9, 2)]);
    let conn = bench.associate(A, 1);
    let map: Vec<(Ipv4Addr, u64)> =
        map_of(&mut bench, conn).iter().map(|o| (o.owner, o.version_max)).collect();
    assert_eq!(map, [(OWN, 1), (STRANGER, 9)]);
}
