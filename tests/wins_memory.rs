//! What a record costs a simulated WINS server, all in: name table, indexes, the database on the simulated
//! disk, and whatever else grew. `benches/wins.rs` tells the same of a million records.

#[path = "lab/counting.rs"]
mod counting;
#[path = "lab/storm.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod storm;

use std::sync::Mutex;
use storm::{Ask, Storm};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// The count is the whole program's: the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Most bytes a record with one address may cost.
const RECORD_BYTES_MAX: i64 = 400;
/// Most bytes a member of a group of 25 may cost, buffers of the commits included.
const MEMBER_BYTES_MAX: i64 = 300;

#[test]
fn a_record_costs_less_than_400_bytes_all_in() {
    const RECORDS: u32 = 60_000;
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = counting::live();
    let mut storm = Storm::new();
    storm.send(Ask::Register, 0, RECORDS);
    storm.rest();
    assert_eq!(storm.rig.wins().core().names.len(), RECORDS as usize);
    let each = (counting::live() - before) / i64::from(RECORDS);
    println!("a record: {each} bytes, {} on the disk", storm.rig.disk_bytes() / RECORDS as usize);
    assert!(each > 100, "{each} bytes: what is measured here?");
    assert!(each <= RECORD_BYTES_MAX, "{each} bytes a record");
    // A storm of refreshes rewrites every page of the database.
    storm.send(Ask::Refresh, 0, RECORDS);
    storm.rest();
    let refreshed = (counting::live() - before) / i64::from(RECORDS);
    println!("the same after all were refreshed: {refreshed} bytes");
    assert!(refreshed <= RECORD_BYTES_MAX, "{refreshed} bytes a record");
}

#[test]
fn a_member_of_a_group_costs_little_and_a_request_allocates_nothing() {
    const MEMBERS: u32 = 25_000;
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = counting::live();
    let mut storm = Storm::new();
    storm.send(Ask::Member, 0, MEMBERS);
    storm.rest();
    assert_eq!(storm.rig.wins().core().names.len(), MEMBERS as usize / 25);
    let each = (counting::live() - before) / i64::from(MEMBERS);
    println!("a member of a group of 25: {each} bytes");
    assert!(each <= MEMBER_BYTES_MAX, "{each} bytes a member");
    // Queries and registrations in steady running: next to no allocation on the way.
    storm.send(Ask::Register, 0, 5_000);
    storm.rest();
    for (what, most) in [(Ask::Query, 0.05), (Ask::Register, 0.5)] {
        let from = if what == Ask::Query { 0 } else { 5_000 };
        let allocated = counting::allocations();
        storm.send(what, from, from + 5_000);
        let each = (counting::allocations() - allocated) as f64 / 5_000.0;
        println!("{what:?}: {each} allocations");
        assert!(each <= most, "{what:?}: {each} allocations a request");
    }
}
