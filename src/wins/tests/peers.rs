//! A peer at the replication port, byte by byte: what it is told, and what it is refused.

use super::*;
use crate::wins::replication::Replication;
use crate::wire::replication::{
    Body, Message, Notification, OwnerRecord, ReplicaAddresses, ReplicaRecord, ReplicaState, Start,
    StopReason,
};
use NameKind::*;
use Origin::*;
use RecordState::*;

/// The stream of the peer, and the handle it gives.
const STREAM: StreamId = StreamId(3);
const HANDLE: u32 = 99;

fn partner() -> Partner {
    Partner::both_ways(OTHER, SimDuration::from_hours(1))
}

/// A server with records of every kind, a partner, and that partner (or a stranger) connected.
fn connected(profile: WinsProfile, partners: Vec<Partner>) -> Bench {
    let mut bench = Bench::stopped(profile);
    bench.server.replication = Replication::new(partners);
    bench.give(WinsInput::Start);
    bench.seed("A", (Unique, Active, Dynamic), OWN, &[host(1)]);
    bench.seed("R", (Unique, Released, Dynamic), OWN, &[host(2)]);
    bench.seed("T", (Unique, Tombstone, Dynamic), OWN, &[host(3)]);
    bench.seed("S", (Unique, Active, Static), OWN, &[host(4)]);
    bench.give(WinsInput::StreamOpened { stream: STREAM, peer: OTHER });
    bench
}

/// Sends a message and returns what comes back on the stream.
fn say(bench: &mut Bench, message: &Message) -> Vec<Message> {
    let (mut bytes, before) = (Vec::new(), bench.streamed.len());
    message.encode(&mut bytes);
    bench.give(WinsInput::StreamData { stream: STREAM, bytes: &bytes });
    let sent = bench.streamed[before..].iter().filter(|(stream, _)| *stream == STREAM);
    sent.map(|(_, bytes)| Message::decode(bytes).unwrap()).collect()
}

/// Opens the association and returns the server's handle.
fn open(bench: &mut Bench, minor: u16) -> u32 {
    let answers = say(bench, &Message::start_request(HANDLE, minor));
    let [Message { handle: HANDLE, body: Body::StartResponse(start), .. }] = &answers[..] else {
        panic!("{answers:?}");
    };
    start.sender_handle
}

fn everything(owner: Ipv4Addr) -> OwnerRecord {
    OwnerRecord::new(owner, 1, 0)
}

/// The names in the answer to a request for everything of ours.
fn pulled(bench: &mut Bench) -> Option<Vec<String>> {
    let handle = open(bench, 5);
    let answers = say(bench, &Message::records_request(handle, everything(OWN)));
    match &answers[..] {
        [Message { body: Body::RecordsResponse(records), .. }] => {
            Some(records.iter().map(|record| record.name.to_string()).collect())
        }
        _ => None,
    }
}

fn closed(bench: &Bench) -> bool {
    bench.closed.contains(&STREAM)
}

// rule: assoc/max-zero, pull/states-sent, repl-wire/l-flag, pull/range, assoc/responder
// rule: assoc/one-outstanding
#[test]
fn a_partner_gets_active_records_and_tombstones_in_the_range_it_asks_for() {
    let mut bench = connected(nt40(), vec![partner()]);
    let handle = open(&mut bench, 1);
    let answers = say(&mut bench, &Message::map_request(handle));
    let Body::MapResponse { owners, .. } = &answers[0].body else { panic!("{answers:?}") };
    assert_eq!((owners[0].owner, owners[0].version_max), (OWN, 4));
    let answers = say(&mut bench, &Message::records_request(handle, everything(OWN)));
    let Body::RecordsResponse(records) = &answers[0].body else { panic!("{answers:?}") };
    let found: Vec<(String, ReplicaState, u64, bool)> =
        records.iter().map(|r| (r.name.to_string(), r.state, r.version, r.replica)).collect();
    let row = |name: &str, state, version| (name.to_string(), state, version, false);
    assert_eq!(
        found,
        [
            row("A<20>", ReplicaState::Active, 1),
            row("T<20>", ReplicaState::Tombstone, 3),
            row("S<20>", ReplicaState::Active, 4),
        ]
    );
    // A range, and a replica, which is marked as one.
    let range = OwnerRecord::new(OWN, 2, 3);
    let answers = say(&mut bench, &Message::records_request(handle, range));
    let Body::RecordsResponse(records) = &answers[0].body else { panic!("{answers:?}") };
    assert_eq!(records.iter().map(|r| r.version).collect::<Vec<_>>(), [3]);
    let third = Ipv4Addr::new(10, 9, 9, 3);
    bench.seed("X", (Unique, Active, Dynamic), third, &[host(9)]);
    let answers = say(&mut bench, &Message::records_request(handle, everything(third)));
    let Body::RecordsResponse(records) = &answers[0].body else { panic!("{answers:?}") };
    assert!(records.len() == 1 && records[0].replica);
}

// rule: assoc/major, assoc/minor, assoc/handle, assoc/wrong-handle, peer/start
#[test]
fn handles_and_versions_of_an_association() {
    let mut bench = connected(nt40(), Vec::new());
    let mut strange = Message::start_request(HANDLE, 5);
    strange.body = Body::StartRequest(Start { sender_handle: HANDLE, major: 3, minor: 5 });
    assert_eq!(say(&mut bench, &strange), [], "another major version is dropped");
    let first = open(&mut bench, 3);
    assert_eq!(open(&mut bench, 1), first, "a second start brings the same handle");
    assert_eq!(say(&mut bench, &Message::map_request(first + 1)), [], "a wrong handle");
    assert_eq!(say(&mut bench, &Message::stop(first + 1, StopReason::Normal)), []);
    assert!(!closed(&bench));
    assert_eq!(say(&mut bench, &Message::stop(first, StopReason::Normal)), [], "not answered");
    assert!(closed(&bench));
}

// rule: peer/stranger-pull, partner/only-configured, partner/source-address
#[test]
fn a_stranger_may_start_but_not_pull() {
    for pulls in [true, false] {
        let mut bench = connected(nt40(), Vec::new());
        let handle = open(&mut bench, 5);
        let request = match pulls {
            true => Message::records_request(handle, everything(OWN)),
            false => Message::map_request(handle),
        };
        let answers = say(&mut bench, &request);
        assert!(matches!(answers[0].body, Body::Stop(StopReason::Error)), "{answers:?}");
        assert!(closed(&bench) && bench.saw(WinsEvent::PullRefused));
    }
    assert_eq!(WinsEvent::PullRefused.number(WinsVersion::Nt35), Some(4121));
    assert_eq!(WinsEvent::PullRefused.number(WinsVersion::Nt40), Some(4126));
}

fn news(propagate: bool, persistent: bool) -> Notification {
    let owners = vec![OwnerRecord::new(OTHER, 0, 7)];
    Notification { propagate, persistent, owners, initiator: OTHER }
}

// rule: peer/stranger-notification
#[test]
fn a_strangers_notification_is_dropped() {
    let mut bench = connected(nt40(), Vec::new());
    let handle = open(&mut bench, 5);
    let answers = say(&mut bench, &Message::notification(handle, news(false, false)));
    assert!(answers.iter().all(|m| !matches!(m.body, Body::RecordsRequest(_))), "{answers:?}");
    assert!(bench.saw(WinsEvent::NotificationRefused));
    assert!(!bench.saw(WinsEvent::NotificationAccepted));
}

// rule: peer/open-house, peer/stranger-statics, static/strangers
#[test]
fn an_open_house_serves_strangers_and_keeps_statics_back_from_2003_on() {
    for (version, statics) in
        [(WinsVersion::Nt40, true), (WinsVersion::W2k, true), (WinsVersion::W2k3, false)]
    {
        let row = WinsProfile::new(version, 6);
        let open_house =
            WinsProfile { only_configured_partners: false, detailed_events: true, ..row };
        let mut bench = connected(open_house, Vec::new());
        let names = pulled(&mut bench).unwrap();
        assert_eq!(names.contains(&"S<20>".to_string()), statics, "{version:?}");
        assert!(names.contains(&"A<20>".to_string()));
        let handle = open(&mut bench, 5);
        say(&mut bench, &Message::notification(handle, news(false, false)));
        assert!(bench.saw(WinsEvent::NotificationAccepted));
    }
}

// rule: static/only-dynamic, partner/only-dynamic
#[test]
fn a_partner_set_so_gets_no_static_records() {
    for (only_dynamic, expected) in
        [(false, vec!["A<20>", "T<20>", "S<20>"]), (true, vec!["A<20>", "T<20>"])]
    {
        let mut choosy = partner();
        choosy.push.as_mut().unwrap().only_dynamic = only_dynamic;
        let mut bench = connected(WinsProfile::new(WinsVersion::W2k3, 0), vec![choosy]);
        assert_eq!(pulled(&mut bench).unwrap(), expected);
    }
}

// rule: partner/replication-type
#[test]
fn a_partner_of_domain_names_gets_1b_names_and_special_groups_only() {
    let mut few = partner();
    few.replicates = ReplicationScope::DomainNames;
    let mut bench = connected(nt40(), vec![few]);
    assert!(bench.saw(WinsEvent::PartialReplication));
    bench.seed("D#1B", (Unique, Active, Dynamic), OWN, &[host(1)]);
    bench.seed("D#1C", (InternetGroup, Active, Dynamic), OWN, &[host(1)]);
    assert_eq!(pulled(&mut bench).unwrap(), ["D<1B>", "D<1C>"]);
}

// rule: assoc/turned, pull/notified, pull/up-to-date
#[test]
fn after_a_plain_notification_the_roles_turn_on_its_connection() {
    let mut quiet = partner();
    quiet.pull.as_mut().unwrap().at_start = false;
    let mut bench = connected(nt40(), vec![quiet]);
    let handle = open(&mut bench, 1);
    let before = bench.connects.len();
    let answers = say(&mut bench, &Message::notification(handle, news(false, false)));
    let [Message { handle: HANDLE, body: Body::RecordsRequest(wanted), .. }] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!((wanted.owner, wanted.version_min, wanted.version_max), (OTHER, 1, 7));
    assert_eq!(bench.connects.len(), before, "no connection of its own");
    let answers = say(&mut bench, &Message::records_response(handle, Vec::new()));
    assert!(matches!(answers[0].body, Body::Stop(StopReason::Normal)), "{answers:?}");
    assert!(closed(&bench) && bench.saw(WinsEvent::NoRecordsInRange));
    // The same news again: nothing is asked for.
    bench.closed.clear();
    bench.give(WinsInput::StreamOpened { stream: STREAM, peer: OTHER });
    let handle = open(&mut bench, 1);
    let answers = say(&mut bench, &Message::notification(handle, news(false, false)));
    assert!(matches!(answers[..], [Message { body: Body::Stop(StopReason::Normal), .. }]));
}

// rule: assoc/persistent, assoc/no-answer-8-9
#[test]
fn a_notification_to_be_kept_open_is_not_answered_and_pulled_for_elsewhere() {
    let mut quiet = partner();
    quiet.pull.as_mut().unwrap().at_start = false;
    let mut bench = connected(WinsProfile::new(WinsVersion::W2k3, 0), vec![quiet]);
    let handle = open(&mut bench, 5);
    assert_eq!(bench.connects.len(), 0);
    let answers = say(&mut bench, &Message::notification(handle, news(false, true)));
    assert_eq!(answers, []);
    assert_eq!(bench.connects.iter().map(|c| c.2).collect::<Vec<_>>(), [OTHER]);
    assert!(!closed(&bench));
}

// rule: assoc/timeout, assoc/initiator, pull/maps
// rule: partner/pull-at-start
#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    let mut bench = connected(nt40(), vec![partner()]);
    let &(_, stream, _) = bench.connects.last().expect("the pull at start");
    bench.give(WinsInput::StreamConnected { stream });
    bench.wait(SimDuration::from_secs(59));
    assert!(!bench.closed.contains(&stream));
    bench.wait(SimDuration::from_secs(1));
    assert!(bench.closed.contains(&stream));
}

/// A server whose replicas of `OTHER` are due: A, B, C and D under the versions 1 to 4.
fn due(profile: WinsProfile, partners: Vec<Partner>) -> Bench {
    let mut bench = Bench::stopped(profile);
    bench.server.replication = Replication::new(partners);
    bench.give(WinsInput::Start);
    for (n, text) in (1..).zip(["A", "B", "C", "D"]) {
        bench.seed(text, (Unique, Active, Dynamic), OTHER, &[host(n)]);
        let mut record = bench.get(text).unwrap().clone();
        record.version = VersionId(u64::from(n));
        bench.server.core.put(record, &mut bench.out);
        bench.collect();
    }
    bench.wait(SimDuration::from_hours(11));
    bench.connects.clear();
    bench.give(WinsInput::Operator(OperatorAction::VerifyNow));
    bench
}

fn replica(text: &str, version: u64, n: u8) -> ReplicaRecord {
    ReplicaRecord::new(name(text), ScopeId::none(), version, ReplicaAddresses::Unique(host(n)))
}

// rule: verify/range, verify/identical, verify/newer, verify/other-name, verify/gone
// rule: verify/not-kept-open, verify/owner-partner, trigger/verify, pull/verification
#[test]
fn replicas_are_compared_with_what_their_owner_holds() {
    let mut quiet = partner();
    let pull = quiet.pull.as_mut().unwrap();
    (pull.at_start, pull.interval) = (false, None);
    let mut bench = due(WinsProfile::new(WinsVersion::W2k3, 0), vec![quiet]);
    let (_, stream, to) = bench.connects[0];
    assert_eq!(to, OTHER, "the owner is a partner and is asked itself");
    let tell = |bench: &mut Bench, message: Message| {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let before = bench.streamed.len();
        bench.give(WinsInput::StreamData { stream, bytes: &bytes });
        bench.streamed[before..]
            .iter()
            .map(|(_, b)| Message::decode(b).unwrap())
            .collect::<Vec<_>>()
    };
    bench.give(WinsInput::StreamConnected { stream });
    let start = Message::decode(&bench.streamed.last().unwrap().1).unwrap();
    let Body::StartRequest(Start { sender_handle, .. }) = start.body else { panic!("{start:?}") };
    let asked = tell(&mut bench, Message::start_response(sender_handle, HANDLE, 5));
    let Body::RecordsRequest(wanted) = asked[0].body else { panic!("{asked:?}") };
    assert_eq!((wanted.owner, wanted.version_min, wanted.version_max), (OTHER, 1, 4));
    // A is as it was, B has changed, under C's version there is another name, D is gone.
    let held = vec![replica("A", 1, 1), replica("B", 9, 20), replica("E", 3, 30)];
    tell(&mut bench, Message::records_response(sender_handle, held));
    let verify = bench.now.wall + bench.server.core().profile.verification_interval;
    let seen = |text: &str| {
        bench.get(text).map(|r| (r.version.0, r.addresses().next().unwrap(), r.stamp == verify))
    };
    assert_eq!(seen("A"), Some((1, host(1), true)));
    assert_eq!(seen("B"), Some((9, host(20), true)));
    assert_eq!((seen("C"), seen("D")), (None, None));
    assert_eq!(seen("E"), Some((3, host(30), true)));
    assert!(bench.saw(WinsEvent::SameVersionOtherName));
    assert!(bench.closed.contains(&stream), "not kept open");
}

// rule: verify/random-partner
#[test]
fn with_the_switch_a_pull_partner_is_asked_about_an_owner_that_is_none() {
    let third = Ipv4Addr::new(10, 9, 9, 3);
    for (switch, expected) in [(false, OTHER), (true, third)] {
        let profile = WinsProfile { verify_with_partners: switch, ..nt40() };
        let mut quiet = Partner::both_ways(third, SimDuration::from_hours(1));
        let pull = quiet.pull.as_mut().unwrap();
        (pull.at_start, pull.interval) = (false, None);
        let bench = due(profile, vec![quiet]);
        assert_eq!(bench.connects[0].2, expected);
    }
}
