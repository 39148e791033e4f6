//! Bugs of single versions that are no row of a rule's table: each is there with its switch, gone without.

use super::*;

const HOUR: SimDuration = SimDuration::from_hours(1);

#[test]
fn a_scavenger_that_starts_where_it_ended_leaves_old_records() {
    for wrong in [false, true] {
        let profile = WinsProfile { scavenger_starts_wrong: wrong, ..nt40() };
        let mut bench = Bench::new(profile);
        bench.register(1, "OLD", NameKind::Unique);
        bench.wait(HOUR * 73);
        bench.register(1, "YOUNG", NameKind::Unique);
        bench.wait(HOUR * 400);
        let active = |name: &str| bench.get(name).is_some_and(NameRecord::is_active);
        assert_eq!((active("OLD"), active("YOUNG")), (wrong, wrong), "Q149318");
    }
}

#[test]
fn a_scavenger_drops_static_replicas_beyond_a_number() {
    let left = |pack| {
        let profile = WinsProfile::new(WinsVersion::Nt40, pack);
        let mut bench = Bench::new(WinsProfile { statics_dropped_above: 3, ..profile });
        for (n, owner) in [(0, OTHER), (1, OTHER), (2, OWN), (3, OTHER), (4, OTHER), (5, OTHER)] {
            let how = (NameKind::Unique, RecordState::Active, Origin::Static);
            bench.seed(&format!("N{n}"), how, owner, &[host(n)]);
        }
        bench.wait(HOUR * 73);
        (0..6).filter(|n| bench.get(&format!("N{n}")).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(left(2), [0, 1, 2, 3], "Q164631: own statics stay");
    assert_eq!(left(3), [0, 1, 2, 3, 4, 5]);
}
