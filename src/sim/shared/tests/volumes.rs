//! Mount, check, dismount.

use super::*;

const ANYWAY: MountRule = MountRule { skip_chkdsk: false, conditional_mount: false };
const SKIP: MountRule = MountRule { skip_chkdsk: true, conditional_mount: false };
const SKIP_IF: MountRule = MountRule { skip_chkdsk: true, conditional_mount: true };

/// How a node leaves a volume.
type Leave = fn(&mut SharedBus, SimTime);

fn media(bus: &mut SharedBus, error: MediaError) {
    bus.fault(&BusFault::Media { disk: Q, error }, t(0)).expect("it is there");
}

#[test]
fn the_matrix_of_skip_chkdsk_and_conditional_mount() {
    let normal = MountRule::default();
    let (ran, skipped) = (Some(45_501), Some(501));
    let table = [
        // What is wrong, the rule; how long it takes, how it ends, whether it still needs a check.
        (None, normal, skipped, Ok(None), false),
        (Some(MediaError::Dirty), normal, ran, Ok(Some(Chkdsk::Clean)), false),
        (Some(MediaError::Minor), normal, ran, Ok(Some(Chkdsk::MinorFixed)), false),
        (Some(MediaError::Major), normal, ran, Ok(Some(Chkdsk::MajorFixed)), false),
        (Some(MediaError::Severe), normal, ran, Err(Chkdsk::Incomplete), true),
        (None, ANYWAY, skipped, Ok(None), false),
        (Some(MediaError::Dirty), ANYWAY, ran, Ok(Some(Chkdsk::Clean)), false),
        (Some(MediaError::Minor), ANYWAY, ran, Ok(Some(Chkdsk::MinorFixed)), false),
        (Some(MediaError::Major), ANYWAY, ran, Ok(Some(Chkdsk::MajorFixed)), false),
        (Some(MediaError::Severe), ANYWAY, ran, Ok(Some(Chkdsk::Incomplete)), true),
        (None, SKIP, skipped, Ok(None), false),
        (Some(MediaError::Dirty), SKIP, skipped, Ok(None), true),
        (Some(MediaError::Minor), SKIP, skipped, Ok(None), true),
        (Some(MediaError::Major), SKIP, skipped, Ok(None), true),
        (Some(MediaError::Severe), SKIP, skipped, Ok(None), true),
        (Some(MediaError::Dirty), SKIP_IF, skipped, Ok(None), true),
        (Some(MediaError::Severe), SKIP_IF, skipped, Ok(None), true),
    ];
    for (error, rule, at, ends, dirty) in table {
        let case = format!("{error:?} {rule:?}");
        let mut bus = bus();
        if let Some(error) = error {
            media(&mut bus, error);
        }
        let _ = bus.reserve(A, Q, t(0));
        let mount = bus.mount(A, Q, rule, t(0));
        assert_eq!((mount.result, Some(mount.at)), (Ok(()), at.map(t)), "{case}");
        let mounted = bus.mounted(A, Q, mount.at);
        match ends {
            Ok(check) => {
                assert_eq!(mounted.map(|mounted| mounted.check), Ok(check), "{case}");
                assert_eq!(bus.phase(A, Q, mount.at), Phase::Online, "{case}");
                let dismount = bus.dismount(A, Q, t(60_000));
                assert_eq!(dismount.result, Ok(()), "{case}");
                assert_eq!(bus.needs_check(Q, dismount.at), dirty, "{case}: a check nobody ran");
            }
            Err(status) => {
                assert_eq!(mounted, Err(MountError::CheckFailed(status)), "{case}");
                assert_eq!(bus.phase(A, Q, mount.at), Phase::Offline, "{case}");
                assert_eq!(bus.needs_check(Q, mount.at), dirty, "{case}");
            }
        }
    }
    let codes = [Chkdsk::Clean, Chkdsk::MajorFixed, Chkdsk::MinorFixed, Chkdsk::Incomplete];
    assert_eq!(codes.map(Chkdsk::code), [0, 1, 2, 3]);
    assert_eq!(Chkdsk::Aborted.code(), 0xC000_013A);
}

#[test]
fn a_volume_is_mounted_by_the_holder_of_the_disk_only() {
    let mut bus = bus();
    let rule = MountRule::default();
    assert_eq!(bus.mount(A, Q, rule, t(0)).result, Err(MountError::NotReserved));
    let _ = bus.reserve(B, Q, t(0));
    let conflict = Err(MountError::Scsi(ScsiError::Conflict));
    assert_eq!(bus.mount(A, Q, rule, t(0)).result, conflict);
    let raw = SharedDiskSpec { formatted: false, ..SharedDiskSpec::new(Signature(5)) };
    bus.add_disk(raw).expect("a new signature");
    let _ = bus.reserve(A, Signature(5), t(0));
    assert_eq!(bus.mount(A, Signature(5), rule, t(0)).result, Err(MountError::NotFormatted));
    bus.format(Signature(5));
    online(&mut bus, A, Signature(5), t(10));
    assert_eq!(bus.mounted(A, Q, t(10)), Err(MountError::GivenUp));
    assert_eq!(bus.mount(A, Signature(5), rule, t(9000)).result, Err(MountError::Already));
    assert_eq!(bus.read(A, Q, "x", t(9000)).result, Err(FileError::NotMounted));
}

#[test]
fn phases_follow_each_other_in_time() {
    let mut bus = bus();
    media(&mut bus, MediaError::Dirty);
    let _ = bus.reserve(A, Q, t(0));
    let mount = bus.mount(A, Q, MountRule::default(), t(0));
    let phases = [0, 500, 501, 45_500].map(|at| bus.phase(A, Q, t(at)));
    assert_eq!(phases, [Phase::Mounting, Phase::Mounting, Phase::Checking, Phase::Checking]);
    assert_eq!(bus.phase(A, Q, mount.at), Phase::Mounted);
    assert_eq!(bus.mounted(A, Q, t(45_500)), Err(MountError::NotYet));
    assert_eq!(bus.read(A, Q, "x", mount.at).result, Err(FileError::NotMounted), "not online");
    let mounted = Mounted { check: Some(Chkdsk::Clean), dirty: false };
    assert_eq!(bus.mounted(A, Q, mount.at), Ok(mounted));
    assert_eq!(bus.phase(B, Q, mount.at), Phase::Offline);
}

#[test]
fn a_check_that_is_stopped_leaves_the_volume_as_it_was() {
    for crash in [false, true] {
        let mut bus = bus();
        media(&mut bus, MediaError::Major);
        let _ = bus.reserve(A, Q, t(0));
        let mount = bus.mount(A, Q, MountRule::default(), t(0));
        if crash {
            bus.stop(A, NodeStop::Crash, t(20_000), &mut chance(1));
        } else {
            bus.give_up(A, Q, t(20_000));
            let status = Chkdsk::Aborted;
            assert_eq!(happened(&mut bus), [BusHappening::Checked { node: A, status }]);
        }
        assert_eq!(bus.mounted(A, Q, mount.at), Err(MountError::GivenUp));
        let _ = bus.reset(B, ResetScope::Bus, t(50_000));
        let _ = bus.reserve(B, Q, t(50_300));
        let again = bus.mount(B, Q, MountRule::default(), t(50_300));
        let mounted = Mounted { check: Some(Chkdsk::MajorFixed), dirty: false };
        assert_eq!(bus.mounted(B, Q, again.at), Ok(mounted));
    }
}

#[test]
fn a_volume_left_open_is_dirty_and_a_dismounted_one_is_clean() {
    // How the node leaves, and whether the next mount checks.
    let leave: [(Leave, bool); 5] = [
        (|bus, now| drop(bus.dismount(A, Q, now)), false),
        (|bus, now| drop(bus.stop(A, NodeStop::ShutDown, now, &mut chance(1))), false),
        (|bus, now| drop(bus.stop(A, NodeStop::Crash, now, &mut chance(1))), true),
        (|bus, now| drop(bus.stop(A, NodeStop::PowerCut, now, &mut chance(1))), true),
        (|bus, now| bus.give_up(A, Q, now), true),
    ];
    for by_log in [false, true] {
        for (leave, dirty) in leave {
            let mut bus = bus_with(|params| params.recovers_by_log = by_log);
            let now = online(&mut bus, A, Q, t(0));
            leave(&mut bus, now);
            assert_eq!(bus.needs_check(Q, now + SimDuration::from_secs(1)), dirty && !by_log);
        }
    }
    // A node that dies before its dismount is on the platter.
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let dismount = bus.dismount(A, Q, now);
    assert!(dismount.at > now);
    bus.stop(A, NodeStop::PowerCut, now, &mut chance(1));
    assert!(bus.needs_check(Q, dismount.at));
    // A mount without a check, in order, does not make it clean.
    let _ = bus.reset(B, ResetScope::Bus, t(3000));
    let _ = bus.reserve(B, Q, t(4000));
    let mount = bus.mount(B, Q, SKIP, t(4000));
    assert_eq!(bus.mounted(B, Q, mount.at), Ok(Mounted { check: None, dirty: true }));
    let dismount = bus.dismount(B, Q, t(5000));
    assert!(bus.needs_check(Q, dismount.at), "nobody has checked it");
    // Dirt that nobody checked stays through a mount and a dismount, and a check takes it away.
    media(&mut bus, MediaError::Dirty);
    let _ = bus.reset(B, ResetScope::Bus, t(9000));
    let _ = bus.reserve(B, Q, t(10_000));
    let mount = bus.mount(B, Q, SKIP, t(10_000));
    assert_eq!(bus.mounted(B, Q, mount.at), Ok(Mounted { check: None, dirty: true }));
    let dismount = bus.dismount(B, Q, t(20_000));
    assert!(bus.needs_check(Q, dismount.at));
}

#[test]
fn a_damaged_file_of_the_root_or_the_quorum_folder_makes_a_check() {
    for (file, checked) in [("boot.ini", true), ("MSCS\\quolog.log", true), ("data\\x", false)] {
        let mut bus = bus();
        let now = online(&mut bus, A, Q, t(0));
        let content = vec![7; 1500];
        let written = bus.replace(A, Q, file, &content, now);
        let _ = bus.dismount(A, Q, written.at);
        media(&mut bus, MediaError::Unreadable { file: file.to_owned(), offset: 600 });
        let mount = bus.mount(A, Q, MountRule::default(), t(9000));
        let check = checked.then_some(Chkdsk::MinorFixed);
        assert_eq!(bus.mounted(A, Q, mount.at).map(|mounted| mounted.check), Ok(check), "{file}");
        let read = bus.read(A, Q, file, mount.at).result;
        if checked {
            let mut repaired = content;
            repaired[512..1024].fill(0);
            assert_eq!(read, Ok(repaired), "an empty sector in the place of the bad one");
        } else {
            assert_eq!(read, Err(FileError::Damaged));
            let _ = bus.overwrite(A, Q, file, b"new", mount.at);
            assert_eq!(bus.read(A, Q, file, mount.at).result, Ok(b"new".to_vec()));
        }
    }
    let mut bus = bus();
    let error = MediaError::Unreadable { file: "none".to_owned(), offset: 0 };
    let fault = BusFault::Media { disk: Q, error };
    assert_eq!(bus.fault(&fault, t(0)), Err(ScsiError::NoSuchDisk));
}

#[test]
fn a_raw_volume_is_not_dismounted_under_its_quirk() {
    for quirk in [false, true] {
        let mut bus = bus_with(|params| params.quirks.raw_not_dismounted = quirk);
        let disk = Signature(9);
        let spec = SharedDiskSpec { raw: true, ..SharedDiskSpec::new(disk) };
        bus.add_disk(spec).expect("a new signature");
        let now = online(&mut bus, A, disk, t(0));
        let _ = bus.append(A, disk, "data", b"12345", Flush::Behind, now);
        assert_eq!(bus.dismount(A, disk, now).result, Ok(()));
        let expected = if quirk { vec![lost(A, "data", 5)] } else { vec![] };
        assert_eq!(happened(&mut bus), expected, "Q247065");
    }
}
