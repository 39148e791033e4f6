//! Reliable messages: exactly once, in order, and only between the incarnations they were meant for.

use super::super::channel::Channel;
use super::lab::*;
use crate::base::{SimTime, Streams};
use crate::cluster::ids::NodeId;
use crate::cluster::profile::ClusterProfile;
use crate::wire::cluster::Segment;
use std::collections::BTreeMap;

/// A message that says from which life of which node it is, to which life, and its number.
fn message(lab: &Lab, from: u8, to: u8, number: u32, len: usize) -> Vec<u8> {
    let life = |n: u8| lab.nodes[n as usize - 1].life() as u8;
    let mut body = vec![from, life(from), to, life(to)];
    body.extend(number.to_le_bytes());
    body.resize(body.len() + len, number as u8);
    body
}

#[test]
fn messages_come_once_and_in_order_whatever_the_network_does() {
    for seed in 0..60 {
        let mut lab = Lab::new(3, 2, ClusterProfile::w2k(3), seed).assembled();
        lab.loss = lab.chance.below(250);
        lab.duplicates = lab.chance.below(200);
        lab.delay = (millis(0), millis(60));
        let mut sent = 0;
        for number in 0..60u32 {
            let from = lab.chance.between(1, 3) as u8;
            let to = from % 3 + 1;
            let len =
                if lab.chance.below(8) == 0 { 200_000 } else { lab.chance.below(3000) as usize };
            let body = message(&lab, from, to, number, len);
            lab.send(from, to, body);
            sent += 1;
            let pause = lab.chance.duration(millis(0), millis(200));
            lab.run(pause);
        }
        let all = |lab: &Lab| lab.nodes.iter().map(|n| n.got.len()).sum::<usize>() == sent;
        assert!(lab.run_until(secs(120), all), "seed {seed}: some are missing");
        lab.run(secs(5));
        assert!(all(&lab), "seed {seed}: some came twice");
        for node in &lab.nodes {
            let mut last: BTreeMap<NodeId, u32> = BTreeMap::new();
            for (from, _, body) in &node.got {
                let number = u32::from_le_bytes(body[4..8].try_into().expect("four"));
                assert!(body[8..].iter().all(|&byte| byte == number as u8));
                let before = last.insert(*from, number);
                assert!(before < Some(number), "seed {seed}: {number} after {before:?}");
            }
        }
    }
}

#[test]
fn no_message_outlives_the_incarnation_of_either_end() {
    let mut came = 0;
    for seed in 0..120 {
        let mut lab = Lab::new(3, 1, ClusterProfile::w2k(3), seed).assembled();
        lab.restart = Some(secs(1));
        lab.delay = (millis(0), secs(2));
        lab.loss = lab.chance.below(100);
        for number in 0..80u32 {
            let from = lab.chance.between(1, 3) as u8;
            let to = from % 3 + 1;
            if lab.nodes.iter().all(|n| n.up) {
                let body = message(&lab, from, to, number, 10);
                lab.send(from, to, body);
            }
            match lab.chance.below(20) {
                0 => lab.crash(from),
                _ if !lab.node(to).up => lab.start(to),
                _ if !lab.node(from).up => lab.start(from),
                _ => {}
            }
            let pause = lab.chance.duration(millis(0), secs(2));
            lab.run(pause);
            for n in 1..=3u8 {
                for (from, life, body) in std::mem::take(&mut lab.node(n).got) {
                    assert_eq!((body[0], body[2]), (from.0, n), "seed {seed}");
                    assert_eq!(u32::from(body[3]), life, "seed {seed}");
                    came += 1;
                }
            }
        }
    }
    assert!(came > 1000, "{came} came at all");
}

#[test]
fn a_member_that_takes_nothing_more_is_removed() {
    let mut lab = Lab::new(3, 1, ClusterProfile::w2k(3), 1).assembled();
    lab.run(secs(5));
    for _ in 0..80 {
        lab.act(NodeId(2), |membership, step| {
            let kind = crate::wire::cluster::RpcKind::Failover;
            membership.send(NodeId(3), kind, vec![0; 1 << 20], step);
        });
    }
    lab.run(secs(60));
    assert_eq!(lab.alive(), set(&[1, 2]));
}

/// Two channels and a network that drops, doubles and reorders, without any membership.
#[test]
fn channels_alone_keep_their_promise() {
    let profile = ClusterProfile::w2k(3);
    for seed in 0..120 {
        let mut chance = Streams::new(seed).stream("channel");
        let mut ends = [Channel::default(), Channel::default()];
        let mut wire: BTreeMap<(u64, u64), (usize, Vec<u8>, Segment<'static>)> = BTreeMap::new();
        let (mut sent, mut got) = ([0u32; 2], [0u32; 2]);
        let mut order = 0;
        let loss = chance.below(400);
        for now in (0..200_000u64).map(|n| n * 1_000_000) {
            let time = SimTime(now);
            if sent.iter().sum::<u32>() < 80 && chance.below(20) == 0 {
                let from = chance.below(2) as usize;
                let mut body = sent[from].to_le_bytes().to_vec();
                body.resize(4 + chance.below(9000) as usize, from as u8);
                assert!(ends[from].push(9, body));
                sent[from] += 1;
            }
            while let Some((&key, _)) = wire.iter().next().filter(|(key, _)| key.0 <= now) {
                let (to, bytes, segment) = wire.remove(&key).expect("just seen");
                let mut complete = Vec::new();
                let segment = Segment { bytes: &bytes, ..segment };
                ends[to].receive(&segment, time, &profile, &mut complete);
                for (kind, body) in complete {
                    let number = u32::from_le_bytes(body[..4].try_into().expect("four"));
                    assert_eq!((kind, number), (9, got[to]), "seed {seed}");
                    assert!(body[4..].iter().all(|&byte| usize::from(byte) == 1 - to));
                    got[to] += 1;
                }
            }
            for (from, end) in ends.iter_mut().enumerate() {
                end.poll(time, &profile, |segment| {
                    for _ in 0..=u64::from(chance.below(10) == 0) {
                        order += 1;
                        if chance.below(1000) >= loss {
                            let at = now + chance.below(40) * 1_000_000;
                            let bytes = segment.bytes.to_vec();
                            wire.insert(
                                (at, order),
                                (1 - from, bytes, Segment { bytes: &[], ..segment }),
                            );
                        }
                    }
                });
            }
            if sent.iter().sum::<u32>() == 80 && got == [sent[1], sent[0]] {
                break;
            }
        }
        assert_eq!(got, [sent[1], sent[0]], "seed {seed}");
    }
}
