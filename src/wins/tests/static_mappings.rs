//! Static mappings by steps and from files.

use super::*;
use NameKind::*;
use Origin::*;
use RecordState::*;

fn add(bench: &mut Bench, text: &str, kind: StaticType, hosts: &[u8]) {
    let addresses = hosts.iter().map(|&n| host(n)).collect();
    let mapping = StaticMapping::new(name(text), kind, addresses);
    bench.give(WinsInput::Operator(OperatorAction::AddStatic(mapping)));
}

fn import(bench: &mut Bench, text: &str) {
    let text = text.as_bytes().to_vec();
    bench.give(WinsInput::Operator(OperatorAction::ImportLmhosts { text }));
}

fn names(bench: &Bench) -> Vec<String> {
    bench.server.core().names.iter().map(|record| record.name.to_string()).collect()
}

// rule: static/type/unique, static/type/group, static/type/domain-name, static/type/internet-group
// rule: static/type/multihomed, suffix/plain/20-internet-group
#[test]
fn each_type_creates_its_suffixes() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Unique, &[1]);
    add(&mut bench, "B", StaticType::Group, &[]);
    add(&mut bench, "C", StaticType::DomainName, &[1, 2]);
    add(&mut bench, "D", StaticType::InternetGroup, &[1, 2]);
    add(&mut bench, "E", StaticType::Multihomed, &[1, 2]);
    let expected = [
        "A<00>", "A<03>", "A<20>", "B<1E>", "C<1C>", "D<00>", "D<03>", "D<20>", "E<00>", "E<03>",
        "E<20>",
    ];
    assert_eq!(names(&bench), expected);
    assert_eq!(bench.query("A"), Some((false, vec![host(1)])));
    assert_eq!(bench.query("B#1E"), Some((true, vec![Ipv4Addr::BROADCAST])));
    let both = vec![host(1), host(2)];
    assert_eq!(bench.query("C#1C"), Some((true, both.clone())));
    assert_eq!(bench.query("D"), Some((true, both.clone())));
    assert_eq!(bench.query("E"), Some((false, both)));
    let versions: Vec<u64> =
        bench.server.core().names.iter().map(|record| record.version.0).collect();
    assert_eq!(versions, (1..=11).collect::<Vec<u64>>(), "each record has its own version");
}

// rule: static/type/internet-group-351
#[test]
fn an_internet_group_of_3_51_is_a_1c_name() {
    let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt351, 5));
    add(&mut bench, "D", StaticType::InternetGroup, &[1]);
    assert_eq!(names(&bench), ["D<1C>"]);
}

// rule: static/entry-conflict
#[test]
fn another_type_makes_the_entry_fail_whole() {
    let mut bench = Bench::new(nt40());
    bench.register(7, "A", Group);
    add(&mut bench, "A", StaticType::Unique, &[1]);
    assert_eq!(names(&bench), ["A<20>"], "not even 00 and 03");
    let error = StaticError::TypeConflict { name: name("A"), stored: Group, wanted: Unique };
    assert!(bench.seen.contains(&Observation::StaticRefused { error }));
}

// rule: static/limit
#[test]
fn wrong_numbers_of_addresses_are_refused() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Unique, &[1, 2]);
    add(&mut bench, "B", StaticType::Multihomed, &[]);
    add(&mut bench, "C", StaticType::DomainName, &(1..=26).collect::<Vec<u8>>());
    assert!(names(&bench).is_empty());
    let refused = bench.seen.iter().filter(|o| matches!(o, Observation::StaticRefused { .. }));
    assert_eq!(refused.count(), 3);
}

// rule: list-1c/static-merges, static/1c-group-static
#[test]
fn a_static_1c_joins_the_dynamic_members_and_stops_their_ageing() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "D#1C", InternetGroup);
    let before = bench.own_maximum();
    add(&mut bench, "D", StaticType::DomainName, &[5]);
    assert_eq!(bench.describe("D#1C", before), "static InternetGroup Active own new [1, 5]");
    bench.wait(SimDuration::from_days(100));
    assert_eq!(bench.query("D#1C"), Some((true, vec![host(1), host(5)])));
}

// rule: static/limit
#[test]
fn a_full_list_loses_the_oldest_dynamic_member_first() {
    let mut bench = Bench::new(nt40());
    for n in 1..=25 {
        bench.register(n, "D#1C", InternetGroup);
    }
    add(&mut bench, "D", StaticType::DomainName, &[77]);
    let stored: Vec<u8> = bench.get("D#1C").unwrap().addresses().map(|a| a.octets()[3]).collect();
    assert_eq!(stored, (2..=25).chain([77]).collect::<Vec<u8>>());
}

// rule: static/import/syntax, static/import/bad-address
#[test]
fn a_file_creates_all_types_and_reports_what_it_skips() {
    let mut bench = Bench::new(nt40());
    import(
        &mut bench,
        "10.0.0.1 FILES1\n10.0.0.2 DC1 #DOM:CORP\n10.0.0.3 DC2 #PRE #DOM:CORP\n\
         10.0.0.4 GATE #MH\n10.0.0.5 GATE #MH\n10.0.0.300 BAD\n10.0.0.6 \"OFFICE         \\0x1E\"\n\
         10.0.0.7 S1 #SG:FARM\n",
    );
    assert_eq!(bench.query("FILES1"), Some((false, vec![host(1)])));
    assert_eq!(bench.query("DC2"), Some((false, vec![host(3)])));
    assert_eq!(bench.query("CORP#1C"), Some((true, vec![host(2), host(3)])));
    assert_eq!(bench.query("GATE"), Some((false, vec![host(4), host(5)])));
    assert_eq!(bench.query("OFFICE#1E"), Some((true, vec![Ipv4Addr::BROADCAST])));
    assert_eq!(bench.query("FARM"), Some((true, vec![host(7)])));
    assert!(bench.server.core().names.iter().all(|record| record.is_static()));
    assert!(bench.seen.contains(&Observation::LmhostsLine { line: 6, fatal: false }));
    assert!(bench.saw(WinsEvent::LmhostsAddressSkipped));
}

#[test]
fn a_file_with_a_syntax_error_imports_nothing() {
    let mut bench = Bench::new(nt40());
    import(&mut bench, "10.0.0.1 A\n10.0.0.2 \"B\n10.0.0.3 C\n");
    assert!(names(&bench).is_empty());
    assert!(bench.seen.contains(&Observation::LmhostsLine { line: 2, fatal: true }));
}

#[test]
fn a_long_file_waits_for_versions_and_is_entered_whole() {
    let mut bench = Bench::new(nt40());
    bench.disk_works = false;
    let lines: Vec<String> =
        (0..25_000).map(|n| format!("10.1.{}.{} HOST{n}", n / 250, n % 250 + 1)).collect();
    import(&mut bench, &lines.join("\n"));
    let first = bench.server.core().names.len();
    assert!(first < 75_000 && first > 60_000, "{first}");
    bench.disk_works = true;
    bench.durable();
    assert_eq!(bench.server.core().names.len(), 75_000);
}

// rule: version/none/admin-delete, version/new/admin-tombstone, static/delete-everywhere
#[test]
fn deleting_leaves_no_trace_and_tombstoning_travels() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Unique, &[1]);
    bench.seed("R", (Unique, Active, Dynamic), OTHER, &[host(2)]);
    let before = bench.own_maximum();
    let (delete, scope) = (name("A"), ScopeId::none());
    bench.give(WinsInput::Operator(OperatorAction::DeleteRecord { name: delete, scope }));
    assert_eq!(bench.describe("A", before), "nothing");
    assert_eq!(bench.own_maximum(), before);
    let (name, scope) = (name("R"), ScopeId::none());
    bench.give(WinsInput::Operator(OperatorAction::TombstoneRecord { name, scope }));
    assert_eq!(bench.describe("R", before), "Unique Tombstone own new renewed [2]");
}

// rule: static/no-ageing, static/stored
#[test]
fn replication_of_statics_needs_no_stamp() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Unique, &[1]);
    let record = bench.get("A").unwrap();
    assert_eq!(record.stamp, WallTime::NEVER);
    assert_eq!(record.members.as_slice()[0].stamp, WallTime::NEVER);
}

fn delete_member(bench: &mut Bench, text: &str, n: u8) {
    let (name, scope, address) = (name(text), ScopeId::none(), host(n));
    let action = OperatorAction::DeleteStaticMember { name, scope, address };
    bench.give(WinsInput::Operator(action));
}

// rule: static/1c-delete-promotes
#[test]
fn a_deleted_member_of_a_static_group_leaves_the_others_static() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "D#1C", InternetGroup);
    add(&mut bench, "D", StaticType::DomainName, &[5]);
    let before = bench.own_maximum();
    delete_member(&mut bench, "D#1C", 5);
    assert_eq!(bench.describe("D#1C", before), "static InternetGroup Active own new [1]");
    delete_member(&mut bench, "D#1C", 9);
    let (name, address) = (name("D#1C"), host(9));
    let error = StaticError::NoSuchMember { name, address };
    assert!(bench.seen.contains(&Observation::StaticRefused { error }));
    delete_member(&mut bench, "D#1C", 1);
    assert!(bench.get("D#1C").is_none(), "nobody is left");
}

// rule: static/multihomed-delete
#[test]
fn one_address_of_a_static_multihomed_record_stays_since_3_51_sp4() {
    for (pack, expected) in [(3, vec![host(2)]), (4, vec![host(1), host(2)])] {
        let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt351, pack));
        add(&mut bench, "M", StaticType::Multihomed, &[1, 2]);
        delete_member(&mut bench, "M", 1);
        assert_eq!(bench.query("M"), Some((false, expected)), "SP{pack}");
        let error = StaticError::NotOneByOne { name: name("M") };
        assert_eq!(bench.seen.contains(&Observation::StaticRefused { error }), pack == 4);
    }
}

// rule: static/own-only-listed
#[test]
fn the_list_of_static_mappings_shows_our_own() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Multihomed, &[1, 2]);
    bench.seed("R", (Unique, Active, Static), OTHER, &[host(3)]);
    bench.register(4, "B", Unique);
    let listed: Vec<String> = bench.server.static_records().map(|r| r.name.to_string()).collect();
    assert_eq!(listed, ["A<00>", "A<03>", "A<20>"]);
    assert_eq!(bench.query("R"), Some((false, vec![host(3)])), "it is in the database");
}

// rule: version/new/static-edited
#[test]
fn an_edited_static_mapping_has_new_versions() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Unique, &[1]);
    let before = bench.own_maximum();
    add(&mut bench, "A", StaticType::Unique, &[2]);
    assert_eq!(bench.describe("A", before), "static Unique Active own new [2]");
    assert_eq!(bench.own_maximum().0, before.0 + 3, "one for each suffix");
}

// rule: static/scope
#[test]
fn a_query_with_a_scope_misses_a_static_mapping() {
    let mut bench = Bench::new(nt40());
    add(&mut bench, "A", StaticType::Unique, &[1]);
    let (mut bytes, scope) = (Vec::new(), ScopeId::new(b"NORTH").unwrap());
    compose::query(4, &name("A"), &scope, false, &mut bytes);
    assert_eq!(bench.request(host(9), &bytes), Reply::Negative(Rcode::NameError));
    assert_eq!(bench.query("A"), Some((false, vec![host(1)])));
}

// rule: static/import/long-name
#[test]
fn names_above_15_characters_are_skipped_unless_quoted() {
    let mut bench = Bench::new(nt40());
    import(
        &mut bench,
        "10.0.0.1 A_NAME_OF_TWENTY_1\n10.0.0.2 \"A_NAME_OF_15XXX\\0x20\"\n10.0.0.3 B\n",
    );
    assert!(bench.saw(WinsEvent::LmhostsNameSkipped));
    assert_eq!(WinsEvent::LmhostsNameSkipped.number(WinsVersion::Nt35), Some(4278));
    assert_eq!(bench.query("A_NAME_OF_15XXX"), Some((false, vec![host(2)])));
    assert_eq!(bench.query("B"), Some((false, vec![host(3)])));
    assert_eq!(bench.server.core().names.len(), 4, "20 of the quoted one, and three of B");
}

// rule: static/init
#[test]
fn a_file_loaded_again_at_each_start_brings_back_what_was_changed() {
    let mut bench = Bench::new(nt40());
    let file = "10.0.0.1 A\n10.0.0.2 B\n";
    import(&mut bench, file);
    let (deleted, scope) = (name("A"), ScopeId::none());
    bench.give(WinsInput::Operator(OperatorAction::DeleteRecord { name: deleted, scope }));
    assert_eq!(bench.query("A"), None);
    bench.give(WinsInput::Stop);
    bench.give(WinsInput::Start);
    import(&mut bench, file);
    assert_eq!(bench.query("A"), Some((false, vec![host(1)])));
    assert_eq!(bench.server.core().names.len(), 6);
}
