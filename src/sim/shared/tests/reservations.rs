//! Reserve, release, reset, renewals, cables and power.

use super::*;

#[test]
fn one_node_holds_a_disk_and_the_others_meet_a_conflict() {
    let mut bus = bus();
    assert_eq!(bus.reserve(A, Q, t(0)), Answer { at: t(1), result: Ok(()) });
    assert_eq!(bus.reserve(A, Q, t(3000)).result, Ok(()));
    assert_eq!(bus.reserve(B, Q, t(3001)).result, Err(ScsiError::Conflict));
    assert_eq!(bus.test(B, Q, t(3001)).result, Err(ScsiError::Conflict));
    assert_eq!(bus.test(B, D, t(3001)).result, Ok(()), "another disk is not reserved");
    assert_eq!(bus.release(B, Q, t(3002)).result, Ok(()), "no error, and no effect");
    assert_eq!(bus.holder(Q), Some(A));
    assert_eq!(bus.release(A, Q, t(3003)).result, Ok(()));
    assert_eq!(bus.reserve(B, Q, t(3004)).result, Ok(()));
    let counters = bus.counters(B);
    assert_eq!((counters.reserves, counters.conflicts, counters.resets), (2, 2, 0));
    assert_eq!(bus.reserve(A, Signature(7), t(3005)).result, Err(ScsiError::NoSuchDisk));
}

#[test]
fn a_reset_drops_reservations_and_keeps_the_bus_busy() {
    let mut bus = bus_with(|params| {
        params.reset = SimDuration::from_secs(2);
        params.reset_per_disk = SimDuration::from_secs(5);
    });
    let _ = bus.reserve(A, Q, t(0));
    let _ = bus.reserve(A, D, t(0));
    // Q234544: two seconds, and five for each disk.
    assert_eq!(bus.reset(B, ResetScope::Bus, t(100)).at, t(12_100));
    assert_eq!(bus.holder(Q), None);
    let event = BusHappening::Reset { by: B, dropped: 2 };
    assert_eq!(happened(&mut bus), [event]);
    assert_eq!(bus.reserve(A, Q, t(3000)), Answer { at: t(12_101), result: Ok(()) });
    assert_eq!(bus.reset(B, ResetScope::Target(Q), t(20_000)).at, t(27_000));
    assert_eq!((bus.holder(Q), bus.holder(D)), (None, None));
    let _ = bus.reserve(A, Q, t(30_000));
    let _ = bus.reserve(A, D, t(30_000));
    let _ = bus.reset(B, ResetScope::Target(Q), t(40_000));
    assert_eq!((bus.holder(Q), bus.holder(D)), (None, Some(A)), "only the target");
}

/// A owns the disk and renews; B resets at 10 s and reserves after `wait`.
fn challenge(pause: Option<(u64, u64)>, wait: u64) -> (SharedBus, Result<(), ScsiError>) {
    let mut bus = bus();
    let _ = bus.reserve(A, Q, t(0));
    bus.keep(A, Q, t(500)).expect("it holds it");
    if let Some((from, to)) = pause
        && from < 10_000
    {
        bus.pause(A, t(from));
        if to < 10_000 {
            bus.resume(A, t(to));
        }
    }
    let _ = bus.reset(B, ResetScope::Bus, t(10_000));
    if let Some((_, to)) = pause
        && (10_000..10_000 + wait).contains(&to)
    {
        bus.resume(A, t(to));
    }
    let won = bus.reserve(B, Q, t(10_000 + wait)).result;
    (bus, won)
}

#[test]
fn a_live_owner_wins_against_seven_seconds_and_a_paused_one_loses() {
    let (mut bus, won) = challenge(None, 7000);
    assert_eq!(won, Err(ScsiError::Conflict));
    assert_eq!(bus.counters(A).reserves, 2, "renewals that change nothing cost nothing");
    assert_eq!(bus.next_deadline(), None);
    assert_eq!(happened(&mut bus).len(), 1, "the reset");
    let (bus, won) = challenge(Some((9000, 16_999)), 7000);
    assert_eq!((won, bus.holder(Q)), (Err(ScsiError::Conflict), Some(A)), "it woke in time");
    let (mut bus, won) = challenge(Some((9000, 60_000)), 7000);
    assert_eq!(won, Ok(()));
    bus.resume(A, t(60_000));
    assert_eq!(bus.next_deadline(), Some(t(60_000)), "overdue timers fire at once");
    bus.on_deadline(t(60_000));
    let why = ScsiError::Conflict;
    assert_eq!(happened(&mut bus)[1..], [BusHappening::ReservationLost { node: A, why }]);
    assert_eq!(bus.holder(Q), Some(B));
    // A challenger that waits less than a renewal takes it although the owner lives.
    assert_eq!(challenge(None, 2400).1, Ok(()));
    assert_eq!(challenge(None, 2500).1, Err(ScsiError::Conflict), "the renewal of 12.5 s");
}

#[test]
fn kept_reservations_answer_as_if_they_were_renewed_every_three_seconds() {
    // The same story told twice: renewals by the driver, and by hand.
    for reset_at in [100, 2999, 3000, 3001, 7400, 11_999] {
        let mut kept = bus();
        let mut by_hand = bus();
        for bus in [&mut kept, &mut by_hand] {
            let _ = bus.reserve(A, Q, t(0));
        }
        kept.keep(A, Q, t(0)).expect("it holds it");
        let mut reset = false;
        for now in (0..30_000).step_by(50) {
            if now >= reset_at && !reset {
                reset = true;
                for bus in [&mut kept, &mut by_hand] {
                    let _ = bus.reset(B, ResetScope::Bus, t(reset_at));
                }
            }
            if now > 0 && now % 3000 == 0 && now != reset_at {
                let _ = by_hand.reserve(A, Q, t(now));
            }
            kept.on_deadline(t(now));
            assert_eq!(kept.look(t(now)), by_hand.look(t(now)), "{reset_at} {now}");
        }
        assert!(kept.counters(A).reserves < 4 && by_hand.counters(A).reserves > 8);
    }
}

#[test]
fn a_crash_leaves_the_reservation_and_the_nodes_driver_renews_no_more() {
    let mut bus = bus();
    let _ = bus.reserve(A, Q, t(0));
    bus.keep(A, Q, t(0)).expect("it holds it");
    bus.stop(A, NodeStop::PowerCut, t(1000), &mut chance(1));
    assert_eq!(bus.reserve(B, Q, t(20_000)).result, Err(ScsiError::Conflict));
    assert_eq!(bus.reserve(A, Q, t(20_000)).result, Err(ScsiError::NodeDown));
    let _ = bus.reset(B, ResetScope::Bus, t(20_001));
    assert_eq!(bus.next_deadline(), None);
    assert_eq!(bus.reserve(B, Q, t(27_001)).result, Ok(()));
}

#[test]
fn an_adapter_terminates_the_bus_only_while_it_has_power() {
    for terminates in [false, true] {
        let mut bus = SharedBus::new(BusParams::default());
        bus.add_node(terminates);
        bus.add_node(terminates);
        bus.add_disk(SharedDiskSpec::new(Q)).expect("a new signature");
        let _ = bus.reserve(B, Q, t(0));
        bus.keep(B, Q, t(0)).expect("it holds it");
        let mut chance = chance(1);
        bus.stop(A, NodeStop::Crash, t(1000), &mut chance);
        assert_eq!(bus.test(B, Q, t(1000)).result, Ok(()), "a crashed node has power");
        bus.boot(A, t(1500));
        bus.stop(A, NodeStop::ShutDown, t(2000), &mut chance);
        let alone = if terminates { Err(ScsiError::BusDown) } else { Ok(()) };
        assert_eq!(bus.test(B, Q, t(2000)).result, alone, "Q169414");
        // The survivor stops as well (event 1006): its renewal fails.
        assert_eq!(bus.next_deadline(), terminates.then_some(t(3000)));
        bus.on_deadline(t(3000));
        let why = ScsiError::BusDown;
        let events = happened(&mut bus);
        assert_eq!(events.contains(&BusHappening::ReservationLost { node: B, why }), terminates);
        bus.boot(A, t(4000));
        assert_eq!(bus.test(B, Q, t(4000)).result, Ok(()));
        // A pulled cable is as bad (Q197047).
        bus.fault(&BusFault::NodeCable { node: A, out: true }, t(5000)).expect("a node");
        assert_eq!(bus.test(A, Q, t(5000)).result, Err(ScsiError::BusDown));
        assert_eq!(bus.test(B, Q, t(5000)).result, alone);
    }
}

#[test]
fn cables_terminators_and_failures_are_told_apart() {
    let mut bus = bus();
    let _ = bus.reserve(A, Q, t(0));
    let faults = [
        (BusFault::DiskCable { disk: Q, out: true }, ScsiError::NoSuchDisk),
        (BusFault::DiskFailed { disk: Q, failed: true }, ScsiError::Failed),
        (BusFault::Termination { missing: true }, ScsiError::BusDown),
        (BusFault::NodeCable { node: A, out: true }, ScsiError::BusDown),
    ];
    for (fault, why) in faults {
        bus.fault(&fault, t(0)).expect("it is there");
        let answer = bus.reserve(A, Q, t(0));
        assert_eq!(answer.result, Err(why), "{fault:?}");
        let slow = matches!(why, ScsiError::NoSuchDisk | ScsiError::BusDown);
        assert_eq!(answer.at, t(if slow { 250 } else { 1 }), "{fault:?}");
        let end = match fault {
            BusFault::DiskCable { disk, .. } => BusFault::DiskCable { disk, out: false },
            BusFault::DiskFailed { disk, .. } => BusFault::DiskFailed { disk, failed: false },
            BusFault::Termination { .. } => BusFault::Termination { missing: false },
            other => {
                assert_eq!(bus.test(B, D, t(0)).result, Ok(()), "only that node");
                drop(other);
                BusFault::NodeCable { node: A, out: false }
            }
        };
        bus.fault(&end, t(0)).expect("it is there");
        assert_eq!(
            bus.reserve(A, Q, t(0)).result,
            Ok(()),
            "it ended, and the disk kept its holder"
        );
    }
    let no_disk = BusFault::DiskFull { disk: Signature(1), full: true };
    assert_eq!(bus.fault(&no_disk, t(0)), Err(ScsiError::NoSuchDisk));
}

#[test]
fn a_disk_is_known_by_its_signature_wherever_it_stands() {
    let mut bus = bus();
    assert_eq!(bus.add_disk(SharedDiskSpec::new(Q)), Err(SignatureTaken(Q)));
    let new = Signature(0xFEED_F00D);
    assert_eq!(bus.replace_disk(Q, SharedDiskSpec::new(D), t(0)), Err(SignatureTaken(D)));
    let _ = bus.reserve(A, Q, t(0));
    bus.replace_disk(Q, SharedDiskSpec::new(new), t(0)).expect("a new signature");
    assert_eq!(bus.reserve(A, Q, t(1)).result, Err(ScsiError::NoSuchDisk), "event 1034");
    assert_eq!(bus.visible(A), [new, D]);
    assert_eq!(bus.sign(new, D, t(2)), Err(SignatureTaken(D)));
    bus.sign(new, Q, t(2)).expect("a new signature");
    assert_eq!((bus.holder(Q), bus.reserve(B, Q, t(3)).result), (None, Ok(())));
    assert_eq!(Q.to_string(), "12345678");
}

#[test]
fn quirks_of_boots_and_bounds() {
    let mut bus = bus_with(|params| {
        params.quirks.bios_resets_bus = true;
        params.quirks.disks_max = Some(1);
    });
    assert_eq!(bus.reserve(A, D, t(0)).result, Err(ScsiError::NoSuchDisk), "Q256326");
    let _ = bus.reserve(A, Q, t(0));
    bus.stop(B, NodeStop::Crash, t(10), &mut chance(1));
    assert!(bus.boot(B, t(20)).reset, "Q174795");
    assert_eq!(bus.holder(Q), None);
    assert_eq!(bus.boot(B, t(30)), BootReport::default(), "it runs already");

    let mut bus = bus_with(|params| params.quirks.array_lost_after_boots = Some(3));
    let _ = bus.reserve(A, Q, t(0));
    for boot in 1..=3 {
        bus.stop(B, NodeStop::Crash, t(boot), &mut chance(1));
        let lost = bus.boot(B, t(boot)).arrays_lost;
        assert_eq!(lost, if boot == 3 { vec![Q] } else { vec![] }, "Q195636, boot {boot}");
    }
    assert_eq!(bus.visible(B), [D]);
    assert_eq!(bus.visible(A), [Q, D]);
}
