//! Who holds the quorum disk: challenge and defence (KB 309186, US6279032).
//!
//! The owner defends by renewing its reservation, whether it knows of a challenge or not. A challenger
//! breaks the reservation by a bus reset, waits longer than two renewals, and reserves: a conflict means
//! that the owner lives. There is no lease on the disk and no common clock: an owner that is paused for
//! longer than the challenger waits has lost, although it is not dead.
//!
//! NT 4.0 lets the owner decide at once, so that it takes the data disks of a node that does not know yet
//! that it has lost (Q289863). From Windows 2000 SP1 on every node takes at least
//! [`arbitration_min`](crate::cluster::ClusterProfile::arbitration_min).

use crate::base::{SimDuration, SimTime};
use crate::cluster::ClusterEvent;
use crate::cluster::disks::DiskDriver;
use crate::cluster::ids::DiskId;
use crate::cluster::io::{Observation, Part, ScsiCommand, ScsiResult, Ticket};
use crate::cluster::step::{Notice, Step};

/// An arbitration for the quorum disk.
#[derive(Debug, Default)]
pub(super) struct Arbitration {
    phase: Phase,
    /// The earliest time at which a winner of the present one says so.
    earliest: SimTime,
    /// When it is lost if it is not decided.
    latest: SimTime,
    /// Commands sent: the number of the latest.
    command: u32,
    /// When that was sent.
    sent: SimTime,
}

/// How this node goes about it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// It holds the disk, and answers at the earliest at the shortest time of an arbitration.
    Defend,
    /// It holds the disk, and nobody will challenge.
    Keep,
    /// It holds the disk, and leaves it to whoever wants it.
    Yield,
    /// Another holds the disk, or nobody.
    Challenge {
        /// From the reset to the reservation.
        wait: SimDuration,
    },
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Phase {
    #[default]
    Idle,
    /// The owner looks whether the disk is still its own, and then decides, or waits until then.
    Checking { until: Option<SimTime> },
    /// The owner is sure so far, and decides then.
    Defending { until: SimTime },
    /// The owner lets the disk go, and takes it back then if nobody wanted it.
    Yielding { until: SimTime },
    /// The reset is under way.
    Resetting { wait: SimDuration },
    /// The reset is done; the reservation is tried then.
    Waiting { wait: SimDuration, until: SimTime },
    /// The reservation is under way.
    Reserving { wait: SimDuration },
    /// The reservation is made; the answer is given then.
    Settling { until: SimTime },
}

impl Arbitration {
    /// Whether one is under way.
    pub fn is_running(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Begins one; ends in `Arbitrated`. Does nothing while one is under way: its end answers both.
    pub fn begin(
        &mut self,
        manner: Manner,
        disk: DiskId,
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        if self.is_running() {
            return;
        }
        let now = step.now.time;
        let profile = &step.config.profile;
        self.earliest = now + profile.arbitration_min;
        self.latest = now + profile.arbitration_max;
        let challenge = matches!(manner, Manner::Challenge { .. });
        step.observe(Observation::ArbitrationBegan { challenge });
        match manner {
            Manner::Defend | Manner::Keep => {
                let at_once = manner == Manner::Keep || profile.arbitration_min.is_zero();
                let until = (!at_once).then_some(self.earliest);
                self.phase = Phase::Checking { until };
                self.send(disk, ScsiCommand::Reserve, step);
            }
            Manner::Yield => {
                disks.yield_to_others(disk, step);
                self.phase = Phase::Yielding { until: self.latest };
            }
            Manner::Challenge { wait } => {
                self.phase = Phase::Resetting { wait };
                self.send(disk, ScsiCommand::Reset, step);
            }
        }
    }

    /// A command of the arbitration has ended.
    pub fn scsi(
        &mut self,
        ticket: Ticket,
        result: ScsiResult,
        disk: DiskId,
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        if ticket.number != self.command || !self.is_running() {
            return;
        }
        let now = step.now.time;
        let profile = &step.config.profile;
        match (self.phase, result) {
            (Phase::Checking { until: None }, ScsiResult::Done) => {
                disks.adopt(disk, self.sent, step);
                self.end(true, step);
            }
            (Phase::Checking { until: Some(until) }, ScsiResult::Done) => {
                disks.adopt(disk, self.sent, step);
                self.phase = Phase::Defending { until: until.max(now) };
            }
            (Phase::Resetting { wait }, ScsiResult::Done) => {
                self.phase = Phase::Waiting { wait, until: now + wait };
            }
            (Phase::Reserving { .. }, ScsiResult::Done) => {
                // A winner that waited less than everyone's shortest time waits for the rest of it.
                disks.adopt(disk, self.sent, step);
                let until = self.earliest;
                if until > now && !profile.planted.hasty_challenger {
                    self.phase = Phase::Settling { until };
                } else {
                    self.end(true, step);
                }
            }
            (Phase::Reserving { wait }, ScsiResult::Disturbed) if now + wait <= self.latest => {
                // Another challenger's reset may have taken the reservation of an owner that lives.
                self.phase = Phase::Waiting { wait, until: now + wait };
            }
            (
                Phase::Checking { .. } | Phase::Resetting { .. } | Phase::Reserving { .. },
                failure,
            ) => {
                match failure {
                    ScsiResult::Missing => step.log(ClusterEvent::DiskMissing { disk }),
                    ScsiResult::Failed => step.log(ClusterEvent::DiskSilent { disk }),
                    _ => {}
                }
                disks.lost(disk, step);
                self.end(false, step);
            }
            _ => {}
        }
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, disk: DiskId, disks: &mut DiskDriver, step: &mut Step<'_>) {
        let now = step.now.time;
        if self.next_deadline().is_none_or(|at| at > now) {
            return;
        }
        match self.phase {
            Phase::Defending { .. } => {
                // One more look: the last renewal may be older than the challenger's reservation.
                if disks.is_held(disk) {
                    self.phase = Phase::Checking { until: None };
                    self.send(disk, ScsiCommand::Reserve, step);
                } else {
                    self.end(false, step);
                }
            }
            Phase::Settling { .. } => {
                let won = disks.is_held(disk);
                self.end(won, step);
            }
            Phase::Yielding { .. } => {
                self.phase = Phase::Checking { until: None };
                self.send(disk, ScsiCommand::Reserve, step);
            }
            Phase::Waiting { .. } if now > self.latest => self.end(false, step),
            Phase::Waiting { wait, .. } => {
                self.phase = Phase::Reserving { wait };
                let minds = step.config.profile.challenger_minds_resets;
                let reserve = ScsiCommand::ReserveUndisturbed;
                self.send(disk, if minds { reserve } else { ScsiCommand::Reserve }, step);
            }
            // The bus does not answer.
            Phase::Checking { .. } | Phase::Resetting { .. } | Phase::Reserving { .. } => {
                disks.lost(disk, step);
                self.end(false, step);
            }
            Phase::Idle => {}
        }
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        match self.phase {
            Phase::Defending { until }
            | Phase::Settling { until }
            | Phase::Yielding { until }
            | Phase::Waiting { until, .. } => Some(until),
            Phase::Checking { .. } | Phase::Resetting { .. } | Phase::Reserving { .. } => {
                Some(self.latest)
            }
            Phase::Idle => None,
        }
    }

    fn send(&mut self, disk: DiskId, command: ScsiCommand, step: &mut Step<'_>) {
        self.command = self.command.wrapping_add(1);
        self.sent = step.now.time;
        let ticket = Ticket { part: Part::Quorum, number: self.command };
        step.scsi(ticket, disk, command);
    }

    fn end(&mut self, won: bool, step: &mut Step<'_>) {
        self.phase = Phase::Idle;
        step.observe(Observation::ArbitrationEnded { won });
        step.notice(Notice::Arbitrated { won });
    }
}
