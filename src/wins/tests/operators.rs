//! What administrators do to records by hand.

use super::*;
use NameKind::*;

fn put(text: &str) -> PutRecord {
    PutRecord {
        name: name(text),
        scope: ScopeId::none(),
        kind: Unique,
        state: RecordState::Active,
        is_static: false,
        owner: None,
        version: None,
        addresses: vec![host(1)],
        member_owner: None,
    }
}

fn operate(bench: &mut Bench, action: OperatorAction) {
    bench.give(WinsInput::Operator(action));
}

#[test]
fn an_own_record_put_in_takes_the_next_version_or_raises_the_counter() {
    let mut bench = Bench::new(nt40());
    operate(&mut bench, OperatorAction::PutRecord(put("A")));
    let first = bench.get("A").unwrap().version;
    assert_eq!(bench.own_maximum(), first);
    let version = Some(VersionId(1 << 40));
    operate(&mut bench, OperatorAction::PutRecord(PutRecord { version, ..put("B") }));
    assert_eq!(bench.get("B").unwrap().version, VersionId(1 << 40));
    bench.register(2, "C", Unique);
    assert_eq!(bench.get("C").unwrap().version, VersionId((1 << 40) + 1));
}

#[test]
fn a_record_of_another_owner_is_put_in_as_it_is_and_goes_with_its_owner() {
    let mut bench = Bench::new(nt40());
    bench.register(2, "OURS", Unique);
    let foreign = PutRecord {
        kind: InternetGroup,
        owner: Some(OTHER),
        version: Some(VersionId(9)),
        member_owner: Some(OWN),
        addresses: Vec::new(),
        ..put("DOM#1C")
    };
    operate(&mut bench, OperatorAction::PutRecord(foreign));
    let record = bench.get("DOM#1C").unwrap();
    assert_eq!((record.owner, record.version), (Owner(OTHER), VersionId(9)));
    assert!(record.members.is_empty() && record.is_active());
    assert_eq!(bench.server.core.names.maximum(Owner(OTHER)), VersionId(9));
    operate(&mut bench, OperatorAction::DeleteOwner { owner: OTHER });
    assert!(bench.get("DOM#1C").is_none() && bench.get("OURS").is_some());
    assert_eq!(bench.server.core.names.maximum(Owner(OTHER)), VersionId::ZERO);
    assert!(bench.saw(WinsEvent::OwnerRemoved));
    // Our own records can be deleted so, our own place in the map cannot.
    operate(&mut bench, OperatorAction::DeleteOwner { owner: OWN });
    assert!(bench.get("OURS").is_none());
    assert!(bench.own_maximum() > VersionId::ZERO);
}

#[test]
fn the_name_of_the_servers_own_host_stays_static_whatever_migrate_on_says() {
    let mut bench = Bench::new(WinsProfile { migrate_on: true, ..nt40() });
    let with = |addresses| PutRecord { is_static: true, addresses, ..put("WINS") };
    operate(&mut bench, OperatorAction::PutRecord(with(vec![host(7)])));
    let claim = bench.claim(1, &name("WINS"), Unique, false);
    let mut own = claim.clone();
    // The claimed address stands at the end of the packet.
    let at = own.len() - 4;
    own[at..].copy_from_slice(&OWN.octets());
    bench.request(OWN, &own);
    let record = bench.get("WINS").unwrap();
    assert!(record.is_static() && record.has_address(host(7)), "Q226497");
}
