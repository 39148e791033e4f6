//! What is stored when a replica comes: stamps, owners, versions, and what the log says.

use super::*;
use crate::base::SimTime;
use crate::wins::profile::{WinsProfile, WinsVersion};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, Suffix};

const OWN: Owner = Owner(Ipv4Addr::new(10, 9, 9, 1));
const OTHER: Owner = Owner(Ipv4Addr::new(10, 9, 9, 2));
const THIRD: Owner = Owner(Ipv4Addr::new(10, 9, 9, 3));
const WALL: WallTime = WallTime(1_000_000_000_000);

fn host(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

struct Bench {
    core: Core,
    out: Outbox<WinsOutput>,
}

impl Bench {
    fn new(version: WinsVersion, pack: u8) -> Bench {
        let mut core = Core::new(OWN.address(), WinsProfile::new(version, pack));
        let mut out = Outbox::default();
        core.reserve_versions(&mut out);
        core.durable(1);
        Bench { core, out }
    }

    fn now() -> Now {
        Now { time: SimTime(0), wall: WALL }
    }

    fn apply(&mut self, record: NameRecord) -> Applied {
        apply(&mut self.core, record, false, Bench::now(), &mut self.out)
    }

    /// As it comes from the wire.
    fn take(&mut self, wire: &ReplicaRecord, owner: Owner) -> Applied {
        let record = from_wire(wire, owner, &self.core.profile, WALL).expect("a state there is");
        self.apply(record)
    }

    fn get(&self, text: &str) -> Option<&NameRecord> {
        self.core.names.get(&text.parse().unwrap(), &ScopeId::none())
    }

    fn saw(&self, event: WinsEvent) -> bool {
        self.out.items.contains(&WinsOutput::Observe(Observation::Logged(event)))
    }
}

fn wire(text: &str, version: u64, addresses: ReplicaAddresses) -> ReplicaRecord {
    ReplicaRecord::new(text.parse().unwrap(), ScopeId::none(), version, addresses)
}

fn stored(
    text: &str,
    (kind, state): (NameKind, RecordState),
    owner: Owner,
    members: &[(u8, Owner)],
) -> NameRecord {
    let member = |&(n, owner): &(u8, Owner)| Member { address: host(n), owner, stamp: WallTime(9) };
    NameRecord {
        name: text.parse().unwrap(),
        scope: ScopeId::none(),
        kind,
        state,
        origin: Origin::Dynamic,
        node_type: NodeType::H,
        owner,
        version: VersionId(5),
        stamp: WallTime(9),
        members: members.iter().map(member).collect(),
    }
}

// rule: replica/active-stamp, member/stamp-replica, version/same/replica-stored
#[test]
fn an_active_replica_is_stamped_with_the_verification_interval() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    assert_eq!(
        bench.take(&wire("A", 77, ReplicaAddresses::Unique(host(1))), OTHER),
        Applied::Stored
    );
    let list = vec![WireMember { owner: THIRD.address(), address: host(2) }];
    bench.take(&wire("D#1C", 78, ReplicaAddresses::SpecialGroup(list)), OTHER);
    let verify = WALL + bench.core.profile.verification_interval;
    for (text, version) in [("A", 77), ("D#1C", 78)] {
        let record = bench.get(text).unwrap();
        assert_eq!(
            (record.owner, record.version, record.stamp),
            (OTHER, VersionId(version), verify)
        );
        assert_eq!(record.members.as_slice()[0].stamp, verify);
    }
    assert_eq!(bench.get("D#1C").unwrap().members.as_slice()[0].owner, THIRD);
}

// rule: replica/tombstone-stamp
#[test]
fn a_pulled_tombstone_lives_for_the_extinction_timeout_since_the_fix() {
    for (pack, early) in [(2, true), (6, false)] {
        let mut bench = Bench::new(WinsVersion::Nt40, pack);
        let mut record = wire("A", 7, ReplicaAddresses::Unique(host(1)));
        record.state = ReplicaState::Tombstone;
        bench.take(&record, OTHER);
        let profile = &bench.core.profile;
        let life = if early { profile.verification_interval } else { profile.extinction_timeout };
        assert_eq!(bench.get("A").unwrap().stamp, WALL + life, "SP{pack}");
    }
}

// rule: static/replica-no-ageing
#[test]
fn a_static_replica_carries_the_mark_and_no_stamp() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    let mut record = wire("A", 7, ReplicaAddresses::Unique(host(1)));
    record.is_static = true;
    bench.take(&record, OTHER);
    let record = bench.get("A").unwrap();
    assert!(record.is_static() && record.stamp == WallTime::NEVER);
    assert_eq!(bench.core.names.expired(None, WallTime(u64::MAX - 1)).count(), 0);
}

// rule: suffix/scope-cut
#[test]
fn a_long_scope_is_cut_at_237_bytes() {
    let bench = Bench::new(WinsVersion::W2k3, 0);
    let mut text = [b'x'; 250];
    (50..250).step_by(50).for_each(|at| text[at] = b'.');
    let mut record = wire("A", 7, ReplicaAddresses::Unique(host(1)));
    record.scope = ScopeId::new(&text).unwrap();
    let taken = from_wire(&record, OTHER, &bench.core.profile, WALL).unwrap();
    assert_eq!(taken.scope.as_bytes(), &text[..237]);
}

// rule: state/reserved, state/bad-replica
#[test]
fn a_replica_in_no_good_state_is_not_stored() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    let mut record = wire("A", 7, ReplicaAddresses::Unique(host(1)));
    record.state = ReplicaState::Reserved;
    assert!(from_wire(&record, OTHER, &bench.core.profile, WALL).is_none());
    record.state = ReplicaState::Released;
    assert_eq!(bench.take(&record, OTHER), Applied::Refused);
    assert!(bench.get("A").is_none() && bench.saw(WinsEvent::BadReplica));
    assert_eq!(WinsEvent::BadReplica.number(WinsVersion::Nt35), Some(4247));
    assert_eq!(WinsEvent::BadReplica.number(WinsVersion::W2k), Some(4268));
}

// rule: replica/stamp-on-replace
#[test]
fn a_replica_that_is_kept_out_leaves_the_stamp_as_it_was() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    bench.core.put(
        stored("G", (NameKind::Group, RecordState::Active), OTHER, &[(1, OTHER)]),
        &mut bench.out,
    );
    let before = bench.get("G").unwrap().clone();
    let intruder = wire("G", 70, ReplicaAddresses::Unique(host(2)));
    assert_eq!(bench.take(&intruder, THIRD), Applied::Not);
    assert_eq!(bench.get("G"), Some(&before));
    // The same owner's record replaces it, and only then is it stamped anew.
    bench.take(&wire("G", 71, ReplicaAddresses::NormalGroup(host(1))), OTHER);
    let verify = WALL + bench.core.profile.verification_interval;
    assert_eq!(bench.get("G").unwrap().stamp, verify);
}

// rule: conflict/static/logged
#[test]
fn a_clash_with_a_static_record_is_logged() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    let mut fixed = stored("A", (NameKind::Unique, RecordState::Active), OTHER, &[(1, OTHER)]);
    fixed.origin = Origin::Static;
    bench.core.put(fixed, &mut bench.out);
    bench.take(&wire("A", 9, ReplicaAddresses::Unique(host(2))), THIRD);
    assert!(bench.saw(WinsEvent::StaticClash));
    assert_eq!(WinsEvent::StaticClash.number(WinsVersion::Nt35), Some(4142));
    assert_eq!(WinsEvent::StaticClash.number(WinsVersion::W2k3), Some(4155));
}

// rule: version/new/conflict-won
#[test]
fn an_own_active_record_that_meets_a_tombstone_gets_a_new_version() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    bench.core.put(
        stored("A", (NameKind::Unique, RecordState::Active), OWN, &[(1, OWN)]),
        &mut bench.out,
    );
    let mut dead = wire("A", 9, ReplicaAddresses::Unique(host(1)));
    dead.state = ReplicaState::Tombstone;
    let next = bench.core.own_maximum().next();
    assert_eq!(bench.take(&dead, OTHER), Applied::Stored);
    let record = bench.get("A").unwrap();
    assert_eq!((record.owner, record.version, record.state), (OWN, next, RecordState::Active));
}

// rule: conflict/challenge/c5-tombstone
#[test]
fn a_multihomed_tombstone_takes_the_members_its_owner_had_registered() {
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    let multihomed = (NameKind::Multihomed, RecordState::Active);
    bench.core.put(stored("M", multihomed, OWN, &[(1, OWN), (2, OTHER)]), &mut bench.out);
    let list = vec![WireMember { owner: OTHER.address(), address: host(2) }];
    let mut dead = wire("M", 9, ReplicaAddresses::Multihomed(list));
    dead.state = ReplicaState::Tombstone;
    let next = bench.core.own_maximum().next();
    bench.take(&dead, OTHER);
    let record = bench.get("M").unwrap();
    assert_eq!(record.addresses().collect::<Vec<_>>(), [host(1)]);
    assert_eq!((record.owner, record.version, record.state), (OWN, next, RecordState::Active));
}

// rule: conflict/nt35/own-a-a
#[test]
fn in_3_51_a_replica_beats_the_living_holder_who_is_told_to_give_up() {
    let mut bench = Bench::new(WinsVersion::Nt351, 5);
    bench.core.put(
        stored("A", (NameKind::Unique, RecordState::Active), OWN, &[(1, OWN)]),
        &mut bench.out,
    );
    assert_eq!(
        bench.take(&wire("A", 9, ReplicaAddresses::Unique(host(2))), OTHER),
        Applied::Stored
    );
    let record = bench.get("A").unwrap();
    assert_eq!((record.owner, record.addresses().next()), (OTHER, Some(host(2))));
    assert!(bench.core.challenges_wanted.is_empty(), "nobody is asked");
    let told: Vec<Ipv4Addr> = bench.core.demands_wanted.iter().map(|d| d.address).collect();
    assert_eq!(told, [host(1)]);
}

// rule: conflict/nt35/multihomed-same-owner
#[test]
fn in_3_51_the_same_owner_replaces_its_multihomed_record() {
    let mut bench = Bench::new(WinsVersion::Nt351, 5);
    let multihomed = (NameKind::Multihomed, RecordState::Active);
    bench.core.put(stored("M", multihomed, OTHER, &[(1, OTHER), (2, OTHER)]), &mut bench.out);
    bench.take(&wire("M", 9, ReplicaAddresses::Unique(host(3))), OTHER);
    let record = bench.get("M").unwrap();
    assert_eq!((record.kind, record.addresses().next()), (NameKind::Unique, Some(host(3))));
}

// rule: conflict/merge/stamp
#[test]
fn a_merged_group_is_stamped_as_our_newest_member_if_it_is_ours() {
    let group = (NameKind::InternetGroup, RecordState::Active);
    let name = NetbiosName::new("D", Suffix::DOMAIN_CONTROLLERS).unwrap().to_string();
    assert_eq!(name, "D<1C>");
    let joining = |owner: Owner, n| {
        let list = vec![WireMember { owner: owner.address(), address: host(n) }];
        wire("D#1C", 9, ReplicaAddresses::SpecialGroup(list))
    };
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    let mut ours = stored("D#1C", group, OWN, &[(1, OWN), (2, OWN)]);
    ours.members.find_mut(host(2)).unwrap().stamp = WallTime(70);
    bench.core.put(ours, &mut bench.out);
    bench.take(&joining(OTHER, 3), OTHER);
    let record = bench.get("D#1C").unwrap();
    assert_eq!((record.owner, record.stamp, record.members.len()), (OWN, WallTime(70), 3));
    // The union of two replicas is ours without a member of ours.
    let mut bench = Bench::new(WinsVersion::W2k3, 0);
    bench.core.put(stored("D#1C", group, OTHER, &[(1, OTHER)]), &mut bench.out);
    bench.take(&joining(THIRD, 3), THIRD);
    let record = bench.get("D#1C").unwrap();
    let verify = WALL + bench.core.profile.verification_interval;
    assert_eq!((record.owner, record.stamp), (OWN, verify));
}
