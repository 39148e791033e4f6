//! Log, checkpoints and replay against a plain list of changes, under random histories; and bytes that
//! nobody wrote.

use super::power::{Cluster, SWITCHES};
use crate::base::{SimDuration, Streams};
use crate::cluster::io::{Part, Ticket};
use crate::cluster::profile::ClusterProfile;
use crate::cluster::quorum::log::{self, Checkpoint, Entry, Record};
use crate::cluster::quorum::tests::lab::Tear;
use crate::cluster::step::{Notice, QuorumFileOperation, QuorumFileResult};
use crate::cluster::{NodeId, NodeSet};
use proptest::prelude::*;

/// A history of a three-node cluster. After every power cut some node forms, and what it finds must be a
/// state that was, and not older than the last that must survive. How many found a wrong one.
fn history(seed: u64, profile: &ClusterProfile) -> Result<u32, String> {
    let mut chance = Streams::new(seed).stream("history");
    let mut cluster = Cluster::new(3, profile.clone(), Streams::new(seed).stream("lab"));
    let mut forms = 0;
    for _ in 0..12 {
        let tears = [Tear::Nothing, Tear::Half, Tear::Whole];
        let tear = tears[chance.below(3) as usize];
        cluster.lab.cut = Some((chance.between(1, 60) as u32, tear));
        let former = chance.below(3) as usize;
        if cluster.form(former, SWITCHES).is_ok() {
            forms += 1;
            let state =
                cluster.state(former).ok_or(format!("seed {seed}: a state that never was"))?;
            if state < cluster.must {
                return Err(format!("seed {seed}: state {state} of {}", cluster.must));
            }
            cluster.goes_on_from(state);
            while cluster.lab.cut.is_some() {
                let ended = live(&mut cluster, &mut chance).is_none();
                if ended && cluster.lab.cut.is_some() {
                    return Err(format!("seed {seed}: stuck"));
                }
            }
        } else if cluster.lab.cut.is_some() {
            return Err(format!("seed {seed}: node {former} cannot form"));
        }
        cluster.lab.blackout();
    }
    Ok(forms)
}

/// Something happens to the cluster; nothing if it is over.
fn live(cluster: &mut Cluster, chance: &mut crate::base::Stream) -> Option<()> {
    let up: Vec<usize> = cluster.up();
    let other = up.iter().copied().find(|node| *node != cluster.owner());
    let down = (0..3).find(|node| !up.contains(node));
    match (chance.below(16), other, down) {
        (0, Some(other), _) => cluster.lose(other).then_some(()),
        (1 | 2, _, Some(down)) => cluster.join(down).then_some(()),
        (3, Some(_), _) => cluster.lose_owner(chance.below(2) == 0).then_some(()),
        (4, Some(other), _) => cluster.move_to(other).then_some(()),
        (5, ..) => {
            cluster.lab.run(SimDuration::from_mins(10));
            cluster.alive().then_some(())
        }
        _ => cluster.commit(chance.below(150) as usize).ok(),
    }
}

fn small(mut profile: ClusterProfile) -> ClusterProfile {
    profile.quorum_log_max = 1000;
    profile.hive_checkpoint_interval = SimDuration::from_mins(10);
    profile
}

#[test]
fn what_the_former_finds_is_what_was_written() {
    let profile = small(ClusterProfile::w2k(4));
    let forms: u32 = (0..100).map(|seed| history(seed, &profile).expect("nothing is lost")).sum();
    assert!(forms > 500, "{forms}");
}

#[test]
fn keeping_the_earlier_of_two_records_is_found() {
    let mut profile = small(ClusterProfile::w2k(4));
    profile.planted.keeps_earlier_record = true;
    let found = (0..300).find(|seed| history(*seed, &profile).is_err());
    assert!(found.is_some(), "no history of 300 shows it");
}

#[test]
fn a_full_log_that_drops_changes_is_found() {
    let mut profile = small(ClusterProfile::w2k(4));
    profile.full_log_drops_change = true;
    assert!((0..50).any(|seed| history(seed, &profile).is_err()));
}

fn entry() -> impl Strategy<Value = Entry> {
    let checkpoint = (any::<u32>(), any::<bool>(), any::<Option<u32>>());
    let record = prop_oneof![
        (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(number, body)| Record::Change { number, body }),
        checkpoint.prop_map(|(number, logging, checksum)| {
            Record::Checkpoint(Checkpoint { number, logging, checksum })
        }),
        Just(Record::Off),
        any::<u8>().prop_map(|node| Record::Owner(NodeId(node))),
        Just(Record::New),
    ];
    (any::<u64>(), any::<u64>(), record).prop_map(|(epoch, sequence, record)| Entry {
        epoch,
        sequence,
        record,
    })
}

proptest! {
    #[test]
    fn a_log_reads_back_and_a_torn_end_is_cut_off(
        records in proptest::collection::vec(entry(), 1..8),
        cut in any::<prop::sample::Index>(),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut bytes = log::header();
        let mut ends = vec![bytes.len()];
        for entry in &records {
            log::put(entry.epoch, entry.sequence, &entry.record, &mut bytes);
            ends.push(bytes.len());
        }
        let whole = log::read(&bytes).expect("it was just written");
        prop_assert_eq!(&whole.records, &records);
        // Cut anywhere behind the first record: the records that are whole are there.
        let at = ends[1] + cut.index(bytes.len() - ends[1] + 1);
        let torn = log::read(&bytes[..at]).expect("a torn end is no damage");
        let left = ends.iter().filter(|end| **end <= at).count() - 1;
        prop_assert_eq!(&torn.records[..], &records[..left]);
        prop_assert_eq!(torn.torn, !ends.contains(&at));
        // A spoilt byte never changes a record: it is damage, and can be taken for a torn end only in the
        // length of the last record.
        let mut spoilt = bytes.clone();
        let place = flip.0.index(spoilt.len());
        spoilt[place] ^= flip.1 | 1;
        if let Ok(log) = log::read(&spoilt) {
            prop_assert!(log.torn && log.records.len() + 1 == records.len());
            let last = ends[records.len() - 1];
            prop_assert!((last + 3..last + 7).contains(&place));
            prop_assert_eq!(&log.records[..], &records[..log.records.len()]);
        }
    }

    #[test]
    fn bytes_nobody_wrote_are_an_error_or_a_log(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        is_log in any::<bool>(),
    ) {
        let mut all = if is_log { log::header() } else { Vec::new() };
        all.extend_from_slice(&bytes);
        if let Ok(log) = log::read(&all) {
            log::replay(log, false);
        }
    }

    #[test]
    fn a_quorum_of_arbitrary_bytes_never_panics(
        log in proptest::collection::vec(any::<u8>(), 0..200),
        checkpoint in proptest::collection::vec(any::<u8>(), 0..200),
        body in proptest::collection::vec(any::<u8>(), 0..60),
        service_pack in 3u8..7,
        message in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let profile = ClusterProfile::nt40(service_pack);
        let mut cluster = Cluster::new(2, profile, Streams::new(1).stream("bytes"));
        let mut written = log::header();
        let named = Checkpoint { number: 7, logging: true, checksum: None };
        log::put(1, 3, &Record::Checkpoint(named), &mut written);
        let change = Record::Change { number: 1, body };
        log::put(1, 4, &change, &mut written);
        written.extend_from_slice(&log);
        cluster.lab.files.insert(r"mscs\quolog.log".into(), written);
        cluster.lab.files.insert(r"mscs\chk007.tmp".into(), checkpoint);
        let _ = cluster.form(0, SWITCHES);
        cluster.lab.act(0, |it, step| it.quorum.rpc(NodeId(2), &message, step));
    }
}

/// Files of the quorum: served by the owner, asked again of the next when the quorum moves.
#[test]
fn files_are_reached_from_every_node_wherever_the_quorum_is() {
    let mut cluster = Cluster::new(3, ClusterProfile::w2k(4), Streams::new(1).stream("files"));
    assert_eq!(cluster.form(0, SWITCHES), Ok(()));
    assert!(cluster.join(1) && cluster.join(2));
    let path = r"MSCS\{resource}\state.dat";
    let ask = |cluster: &mut Cluster, node: usize, number, operation| {
        let ticket = Ticket { part: Part::Checkpoints, number };
        cluster.lab.act(node, |it, step| {
            it.quorum.file_request(ticket, path.into(), operation, step);
        });
        ticket
    };
    let done = |cluster: &mut Cluster, node: usize, ticket: Ticket| {
        let is_it =
            |n: &Notice| matches!(n, Notice::QuorumFileDone { ticket: t, .. } if *t == ticket);
        match cluster.lab.wait(node, SimDuration::from_secs(30), is_it) {
            Some(Notice::QuorumFileDone { result, .. }) => Some(result),
            _ => None,
        }
    };
    let content = Some(QuorumFileResult::Content(Some(b"saved".to_vec())));
    let replace = QuorumFileOperation::Replace(b"saved".to_vec());
    let ticket = ask(&mut cluster, 2, 1, replace);
    assert_eq!(done(&mut cluster, 2, ticket), Some(QuorumFileResult::Done));
    for node in 0..3 {
        let ticket = ask(&mut cluster, node, 2, QuorumFileOperation::Read);
        assert_eq!(done(&mut cluster, node, ticket), content, "node {node}");
    }
    // The owner dies with the request on its way; the next one answers.
    let ticket = ask(&mut cluster, 2, 3, QuorumFileOperation::Read);
    assert!(cluster.lose_owner(false));
    assert_eq!(cluster.owner(), 1);
    assert_eq!(done(&mut cluster, 2, ticket), content);
    // Asked while nobody holds the quorum.
    let ticket = ask(&mut cluster, 1, 4, QuorumFileOperation::DeleteTree);
    assert!(cluster.move_to(2));
    assert_eq!(done(&mut cluster, 1, ticket), Some(QuorumFileResult::Done));
    let ticket = ask(&mut cluster, 1, 5, QuorumFileOperation::Read);
    assert_eq!(done(&mut cluster, 1, ticket), Some(QuorumFileResult::Content(None)));
    // Nobody holds it for too long.
    let all: NodeSet = [NodeId(2), NodeId(3)].into_iter().collect();
    cluster.lab.act(1, |it, step| it.quorum.members_changed((all, 1), &it.database, step));
    cluster.lab.act(1, |it, step| it.quorum.set_owner(None, step));
    let ticket = ask(&mut cluster, 1, 6, QuorumFileOperation::Read);
    cluster.lab.run(SimDuration::from_mins(11));
    assert_eq!(done(&mut cluster, 1, ticket), Some(QuorumFileResult::Failed));
}
