//! The bus against small models: who holds, who may write, whose write lies on top of whose; and who wins a
//! challenge.

use super::*;
use proptest::prelude::*;

const NODES: usize = 3;
const FILE: &str = "f";
const BYTES: usize = 600;

/// What the model knows of one disk.
#[derive(Default)]
struct Model {
    /// Q289863: a loser breaks the reservation.
    breaks: bool,
    /// A driver goes on after a reset without a look.
    blind: bool,
    holder: Option<usize>,
    last: Option<usize>,
    up: [bool; NODES],
    mounted: [bool; NODES],
    cached: [Option<u8>; NODES],
    content: Option<u8>,
    violations: usize,
    lost: usize,
}

/// What may come of a step, as the tests compare it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Done,
    Read(Option<u8>),
    Conflict,
    NodeDown,
    NotMounted,
    NotReserved,
    Already,
}

#[derive(Copy, Clone, Debug)]
enum Step {
    Reserve,
    Release,
    Reset,
    Mount,
    Write(u8),
    Behind(u8),
    Flush,
    Read,
    Dismount,
    GiveUp,
    Crash,
    Boot,
}

use Outcome::*;

impl Model {
    fn new(breaks: bool, blind: bool) -> Model {
        Model { breaks, blind, up: [true; NODES], ..Model::default() }
    }

    fn forget(&mut self, n: usize) {
        self.lost += usize::from(self.cached[n].take().is_some());
        self.mounted[n] = false;
    }

    fn stale(&self, n: usize) -> bool {
        self.mounted[n] && self.last != Some(n) && !self.blind && !self.breaks
    }

    /// Whether an access of a mounted node is let in.
    fn access(&mut self, n: usize) -> Result<(), Outcome> {
        if !self.mounted[n] {
            return Err(NotMounted);
        }
        let foreign = self.holder.is_some_and(|holder| holder != n);
        if foreign && self.breaks {
            self.holder = None;
        } else if foreign || self.stale(n) {
            self.forget(n);
            return Err(Conflict);
        }
        Ok(())
    }

    fn land(&mut self, n: usize, byte: Option<u8>) {
        if let Some(byte) = byte {
            self.violations += usize::from(self.last != Some(n));
            self.content = Some(byte);
        }
    }

    fn write(&mut self, n: usize, byte: Option<u8>) -> Result<Outcome, Outcome> {
        self.access(n)?;
        let cached = self.cached[n].take();
        self.land(n, cached);
        self.land(n, byte);
        Ok(Done)
    }

    fn step(&mut self, n: usize, step: Step) -> Result<Outcome, Outcome> {
        let foreign = self.holder.is_some_and(|holder| holder != n);
        match step {
            Step::Boot => self.up[n] = true,
            Step::Crash => {
                (self.up[n], self.mounted[n], self.cached[n]) = (false, false, None);
            }
            // Nothing to say, and nothing that fails.
            Step::GiveUp => {
                if self.breaks && self.mounted[n] && self.cached[n].is_some() {
                    let _ = self.write(n, None);
                }
                self.forget(n);
            }
            Step::Reserve | Step::Release | Step::Reset | Step::Mount if !self.up[n] => {
                return Err(NodeDown);
            }
            Step::Reserve => {
                if foreign || self.stale(n) {
                    if !self.breaks {
                        self.forget(n);
                    }
                    return Err(Conflict);
                }
                self.holder = Some(n);
            }
            Step::Release => self.holder = self.holder.filter(|&holder| holder != n),
            Step::Reset => self.holder = None,
            Step::Mount if foreign => return Err(Conflict),
            Step::Mount if self.mounted[n] => return Err(Already),
            Step::Mount if self.holder.is_none() => return Err(NotReserved),
            Step::Mount => (self.mounted[n], self.last) = (true, Some(n)),
            Step::Write(byte) => return self.write(n, Some(byte)),
            Step::Flush => return self.write(n, None),
            Step::Behind(byte) => {
                self.access(n)?;
                // Each waits, but only the last is seen: the model counts one.
                let earlier = self.cached[n].replace(byte);
                if earlier.is_some() {
                    self.cached[n] = earlier;
                }
            }
            Step::Read => {
                self.access(n)?;
                return Ok(Read(self.cached[n].or(self.content)));
            }
            Step::Dismount => {
                let done = self.write(n, None);
                self.mounted[n] = false;
                return done;
            }
        }
        Ok(Done)
    }
}

fn scsi(why: ScsiError) -> Outcome {
    match why {
        ScsiError::Conflict => Conflict,
        ScsiError::NodeDown => NodeDown,
        other => panic!("{other}"),
    }
}

fn file(why: FileError) -> Outcome {
    match why {
        FileError::NotMounted => NotMounted,
        FileError::Lost(why) => scsi(why),
        other => panic!("{other}"),
    }
}

/// The same step on the bus. Each begins long after the one before has ended.
fn step(bus: &mut SharedBus, n: usize, step: Step, now: SimTime) -> Result<Outcome, Outcome> {
    let node = Initiator(n as u8);
    let done = |()| Done;
    match step {
        Step::Reserve => bus.reserve(node, Q, now).result.map(done).map_err(scsi),
        Step::Release => bus.release(node, Q, now).result.map(done).map_err(scsi),
        Step::Reset => bus.reset(node, ResetScope::Bus, now).result.map(done).map_err(scsi),
        Step::Mount => {
            let rule = MountRule { skip_chkdsk: true, conditional_mount: true };
            let begun = bus.mount(node, Q, rule, now);
            begun.result.map_err(|why| match why {
                MountError::Scsi(why) => scsi(why),
                MountError::NotReserved => NotReserved,
                MountError::Already => Already,
                other => panic!("{other}"),
            })?;
            let mounted = bus.mounted(node, Q, begun.at).expect("nobody came between");
            assert_eq!(mounted.check, None);
            Ok(Done)
        }
        Step::Write(byte) => {
            let bytes = [byte; BYTES];
            bus.overwrite(node, Q, FILE, &bytes, now).result.map(done).map_err(file)
        }
        Step::Behind(byte) => {
            // A second one would wait behind the first; the model keeps the first.
            let slot = &bus.disks[0].slots[n].mount;
            let waits = slot.as_ref().is_some_and(|mount| !mount.cache.is_empty());
            if waits {
                return bus.list(node, Q, "", now).result.map(|_| Done).map_err(file);
            }
            let write = (0, &[byte; BYTES][..]);
            bus.write_at(node, Q, FILE, write, Flush::Behind, now).result.map(done).map_err(file)
        }
        Step::Flush => bus.flush(node, Q, now).result.map(done).map_err(file),
        Step::Read => match bus.read(node, Q, FILE, now).result {
            Ok(bytes) => {
                assert!(bytes.iter().all(|&byte| byte == bytes[0]) && bytes.len() == BYTES);
                Ok(Read(Some(bytes[0])))
            }
            Err(FileError::NotFound) => Ok(Read(None)),
            Err(why) => Err(file(why)),
        },
        Step::Dismount => bus.dismount(node, Q, now).result.map(done).map_err(file),
        Step::GiveUp => {
            bus.give_up(node, Q, now);
            Ok(Done)
        }
        Step::Crash => {
            bus.stop(node, NodeStop::PowerCut, now, &mut chance(1));
            Ok(Done)
        }
        Step::Boot => {
            bus.boot(node, now);
            Ok(Done)
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let kind = prop_oneof![
        4 => Just(Step::Reserve),
        1 => Just(Step::Release),
        3 => Just(Step::Reset),
        4 => Just(Step::Mount),
        4 => any::<u8>().prop_map(Step::Write),
        2 => any::<u8>().prop_map(Step::Behind),
        1 => Just(Step::Flush),
        2 => Just(Step::Read),
        1 => Just(Step::Dismount),
        1 => Just(Step::GiveUp),
        1 => Just(Step::Crash),
        2 => Just(Step::Boot),
    ];
    proptest::collection::vec((0..NODES, kind), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_bus_does_what_the_model_does(
        steps in steps(), breaks in any::<bool>(), blind in any::<bool>(),
    ) {
        let mut bus = bus_with(|params| {
            params.lazy_write = SimDuration::from_days(9);
            params.quirks.loser_breaks_reservation = breaks;
            params.quirks.stale_mounts_go_on = blind;
        });
        bus.add_node(false);
        let mut model = Model::new(breaks, blind);
        let (mut violations, mut lost) = (0, 0);
        for (count, (n, what)) in steps.into_iter().enumerate() {
            let now = t(10_000 * (count as u64 + 1));
            let expected = model.step(n, what);
            prop_assert_eq!(step(&mut bus, n, what, now), expected, "{} {:?}", n, what);
            let look = bus.look(now + SimDuration::from_secs(5));
            prop_assert_eq!(bus.holder(Q), model.holder.map(|n| Initiator(n as u8)));
            let mounted = look.disks[0].phases.iter().map(|&(node, _)| usize::from(node.0));
            let expected = (0..NODES).filter(|&n| model.mounted[n]);
            prop_assert_eq!(mounted.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            for event in happened(&mut bus) {
                violations += usize::from(matches!(event, BusHappening::Violated(_)));
                lost += usize::from(matches!(event, BusHappening::LostDelayedWrite { .. }));
            }
            prop_assert_eq!((violations, lost), (model.violations, model.lost), "{:?}", what);
        }
        prop_assert!(violations == 0 || breaks || blind, "two writers without a quirk");
    }

    /// A owns the disk and renews every three seconds; B resets and waits seven; somebody else may reset in
    /// between. Times end in different digits, so that no two things happen at once.
    #[test]
    fn a_challenge_ends_as_the_renewals_say(
        phase in 0u64..300,
        (pause, stands) in (1000u64..3500, 0u64..1500),
        challenge in 2000u64..3000,
        third in proptest::option::of(1500u64..3800),
        wait in 100u64..1500,
    ) {
        let wait = wait * 10;
        let phase = phase * 10 + 1;
        let (pause, resume) = (pause * 10 + 2, (pause + stands) * 10 + 2);
        let (reset, reserve) = (challenge * 10 + 3, challenge * 10 + 3 + wait);
        // After B has won nobody renews for it: no reset then.
        let third = third.map(|third| third * 10 + 5).filter(|&third| third < reserve);

        // The model: every renewal, one by one.
        let mut times: Vec<u64> = (0..).map(|k| phase + 3000 * k).take_while(|&at| at < pause).collect();
        times.extend((0..).map(|k| resume + 3000 * k).take_while(|&at| at < 60_000));
        let (mut held, mut won) = (true, None);
        let drops = |from: u64, to: u64| [Some(reset), third].into_iter().flatten()
            .any(|at| (from..to).contains(&at));
        let mut last = 0;
        for at in times.iter().copied().chain([60_000]) {
            if won.is_none() && reserve < at {
                held &= !drops(last, reserve);
                won = Some(!held);
            }
            held = won != Some(true);
            last = at;
        }
        let won = won.expect("it tried");

        let mut bus = bus();
        let _ = bus.reserve(A, Q, t(0));
        bus.keep(A, Q, t(phase)).expect("it holds it");
        let mut story = vec![(pause, 0), (resume, 1), (reset, 2), (reserve, 3)];
        story.extend(third.map(|at| (at, 2)));
        story.sort_unstable();
        let mut took = None;
        for (at, what) in story {
            match what {
                0 => bus.pause(A, t(at)),
                1 => bus.resume(A, t(at)),
                2 => drop(bus.reset(B, ResetScope::Bus, t(at))),
                _ => took = Some(bus.reserve(B, Q, t(at)).result.is_ok()),
            }
        }
        prop_assert_eq!(took, Some(won));
        bus.on_deadline(t(60_000));
        prop_assert_eq!(bus.holder(Q), Some(if won { B } else { A }));
        let lost = happened(&mut bus).into_iter()
            .any(|what| matches!(what, BusHappening::ReservationLost { node: A, .. }));
        prop_assert_eq!(lost, won, "the loser learns it");
        // The rule of the protocol, in words.
        let awake = resume < reset || reserve < pause;
        if awake && wait > 3000 && third.is_none() {
            prop_assert!(!won, "a live owner loses against a challenger that waits");
        }
        if pause < reset && resume > reserve {
            prop_assert!(won, "an owner that stands still all the time wins");
        }
    }
}
