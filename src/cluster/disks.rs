//! The cluster disk driver: takes disks, keeps them by renewal, gives them back (KB 309186).
//!
//! A disk of the shared bus belongs to the node whose reservation stands on it. The owner renews every
//! reservation each [`reservation_renewal`](super::ClusterProfile::reservation_renewal): a bus reset drops
//! them all, and the next renewal puts them back. A refused renewal means that another node has taken the
//! disk meanwhile: [`Notice::ReservationLost`], and for the quorum the end of the service at once.
//!
//! All disks of a node are renewed together, so an owner with many disks wakes no more often than one with
//! a single disk. A disk is on the list from its first reservation to its release or its loss.

use super::ClusterEvent;
use super::config::{ClusterConfig, ResourceKind};
use super::ids::DiskId;
use super::io::{HaltReason, Observation, Part, ScsiCommand, ScsiResult, Ticket};
use super::step::{Notice, Step};
use crate::base::SimTime;
use std::collections::BTreeMap;

/// How often the reservation of a dead owner is broken before a disk counts as not to be had. A live owner
/// takes it back within a renewal each time, so more would only disturb the bus (Q234544).
const BREAKS_MAX: u8 = 3;

/// Bits of a ticket's number that name the disk; the rest counts commands, so that a late answer to an older
/// command is known as such.
const DISK_BITS: u32 = 16;

/// The cluster disk driver of a node.
#[derive(Debug, Default)]
pub(super) struct DiskDriver {
    /// Disks somebody has asked for since the start.
    disks: BTreeMap<DiskId, Disk>,
    /// When the reservations are renewed next; `None` if this node holds no disk.
    renewal: Option<SimTime>,
    /// Commands sent.
    commands: u32,
    /// When the last reset was sent that nobody but this driver asked for.
    reset_sent: Option<SimTime>,
}

/// One disk as this node deals with it.
#[derive(Debug, Default)]
struct Disk {
    held: bool,
    mounted: bool,
    /// Not renewed for now: its owner yields it to whoever challenges (KB 286342), and only looks, as often
    /// as it would renew, whether somebody has taken it.
    yielded: bool,
    /// When the last renewal that succeeded was sent.
    renewed: SimTime,
    /// The renewal under way.
    renewing: Option<(u32, SimTime)>,
    /// The command under way, and when it was sent.
    busy: Option<(u32, Doing, SimTime)>,
    wish: Wish,
    /// Reservations broken for the present wish.
    breaks: u8,
    /// A broken reservation is left alone until then: an owner that lives takes it back.
    wait: Option<SimTime>,
}

/// What somebody wants of a disk.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Wish {
    #[default]
    Nothing,
    Take {
        skip_chkdsk: bool,
        conditional_mount: bool,
    },
    Give {
        orderly: bool,
    },
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Doing {
    Reserve,
    Break,
    Mount,
    Dismount,
    Release,
}

/// The disk that decides who is the cluster, if a disk does, and how it is to be mounted.
pub(super) fn quorum_mount(config: &ClusterConfig) -> Option<(DiskId, bool, bool)> {
    match config.quorum_resource()?.kind {
        ResourceKind::PhysicalDisk { disk, skip_chkdsk, conditional_mount } => {
            Some((disk, skip_chkdsk, conditional_mount))
        }
        _ => None,
    }
}

impl DiskDriver {
    /// Whether this node holds a disk, mounted.
    pub fn is_mounted(&self, disk: DiskId) -> bool {
        self.disks.get(&disk).is_some_and(|d| d.mounted)
    }

    /// Whether this node holds the reservation of a disk, as far as it knows.
    pub fn is_held(&self, disk: DiskId) -> bool {
        self.disks.get(&disk).is_some_and(|d| d.held)
    }

    /// Reserves and mounts a disk; one that is reserved already is only mounted. Ends in `DiskOnline`.
    pub fn take(&mut self, disk: DiskId, skip: bool, conditional: bool, step: &mut Step<'_>) {
        let it = self.disks.entry(disk).or_default();
        it.wish = Wish::Take { skip_chkdsk: skip, conditional_mount: conditional };
        it.breaks = 0;
        self.advance(disk, step);
    }

    /// Gives a disk back; ends in `DiskOffline`. `orderly` false leaves what is not yet written to its fate.
    pub fn give(&mut self, disk: DiskId, orderly: bool, step: &mut Step<'_>) {
        let it = self.disks.entry(disk).or_default();
        it.wish = Wish::Give { orderly };
        it.wait = None;
        self.advance(disk, step);
    }

    /// The arbitration has reserved a disk by a command sent then: it is kept from now on.
    pub fn adopt(&mut self, disk: DiskId, sent: SimTime, step: &mut Step<'_>) {
        let it = self.disks.entry(disk).or_default();
        if std::mem::take(&mut it.yielded) {
            step.observe(Observation::DiskHeld { disk, held: true });
        }
        it.renewed = it.renewed.max(sent);
        self.held(disk, step);
    }

    /// Stops renewing a disk, so that whoever challenges gets it; [`DiskDriver::adopt`] takes it back.
    pub fn yield_to_others(&mut self, disk: DiskId, step: &mut Step<'_>) {
        if let Some(it) = self.disks.get_mut(&disk)
            && !std::mem::replace(&mut it.yielded, true)
        {
            step.observe(Observation::DiskHeld { disk, held: false });
        }
    }

    /// The reservation of a disk is gone: another node holds it, or the disk does not answer.
    pub fn lost(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let Some(it) = self.disks.get_mut(&disk).filter(|it| it.held) else { return };
        (it.held, it.mounted, it.renewing, it.yielded) = (false, false, None, false);
        step.observe(Observation::DiskHeld { disk, held: false });
        match it.wish {
            Wish::Take { .. } => {
                (it.wish, it.busy) = (Wish::Nothing, None);
                step.notice(Notice::DiskOnline { disk, ok: false });
            }
            Wish::Give { .. } => self.advance(disk, step),
            Wish::Nothing => {}
        }
        step.notice(Notice::ReservationLost { disk });
        if step.config.quorum_disk() == Some(disk) {
            step.notice(Notice::Halt(HaltReason::LostQuorum));
        }
        self.rest_if_idle();
    }

    /// A command of its own has ended.
    pub fn scsi(&mut self, ticket: Ticket, result: ScsiResult, step: &mut Step<'_>) {
        let disk = DiskId((ticket.number & ((1 << DISK_BITS) - 1)) as u16);
        let Some(it) = self.disks.get_mut(&disk) else { return };
        if let Some((_, sent)) = it.renewing.filter(|(number, _)| *number == ticket.number) {
            it.renewing = None;
            self.renewal_ended(disk, sent, result, step);
        } else if let Some((_, doing, sent)) = it.busy.filter(|b| b.0 == ticket.number) {
            it.busy = None;
            self.command_ended(disk, doing, sent, result, step);
        }
    }

    /// Gives up everything at once, without a word to the disks: what the node has not written is not
    /// written any more, and its reservations stand until somebody breaks them.
    pub fn halt(&mut self, step: &mut Step<'_>) {
        for (disk, _) in self.disks.iter().filter(|(_, it)| it.held) {
            step.observe(Observation::DiskHeld { disk: *disk, held: false });
        }
        *self = DiskDriver { commands: self.commands, ..DiskDriver::default() };
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let now = step.now.time;
        let is_due = |it: &Disk| it.wait.is_some_and(|wait| wait <= now);
        let due: Vec<DiskId> =
            self.disks.iter().filter(|(_, it)| is_due(it)).map(|(disk, _)| *disk).collect();
        for disk in due {
            if let Some(it) = self.disks.get_mut(&disk) {
                it.wait = None;
            }
            self.advance(disk, step);
        }
        if self.renewal.is_some_and(|at| at <= now) {
            self.renewal = Some(now + step.config.profile.reservation_renewal);
            self.renew(step);
        }
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        self.disks.values().filter_map(|it| it.wait).chain(self.renewal).min()
    }

    /// Renews every reservation.
    fn renew(&mut self, step: &mut Step<'_>) {
        let now = step.now.time;
        let profile = &step.config.profile;
        let mut late = Vec::new();
        for (disk, it) in &mut self.disks {
            if !it.held || it.renewing.is_some() {
                continue;
            }
            if it.yielded {
                let ticket = next_ticket(&mut self.commands, *disk);
                it.renewing = Some((ticket.number, now));
                step.scsi(ticket, *disk, ScsiCommand::Test);
                continue;
            }
            // Whoever slept longer than a challenger waits may have lost the disk, even if it is free again.
            if profile.late_renewal_is_loss && now.since(it.renewed) >= profile.challenge_wait {
                late.push(*disk);
                continue;
            }
            let ticket = next_ticket(&mut self.commands, *disk);
            it.renewing = Some((ticket.number, now));
            step.scsi(ticket, *disk, ScsiCommand::Reserve);
        }
        for disk in late {
            step.log(ClusterEvent::ReservationLost { disk });
            self.lost(disk, step);
        }
    }

    fn renewal_ended(
        &mut self,
        disk: DiskId,
        sent: SimTime,
        result: ScsiResult,
        step: &mut Step<'_>,
    ) {
        let Some(it) = self.disks.get_mut(&disk).filter(|it| it.held) else { return };
        match result {
            ScsiResult::Done if it.yielded => {}
            ScsiResult::Done => it.renewed = it.renewed.max(sent),
            ScsiResult::Conflict => {
                let is_quorum = step.config.quorum_disk() == Some(disk);
                if step.config.profile.loser_breaks_reservation && !is_quorum {
                    // Q289863: it takes the disk back by force, and writes on what another has mounted. Only
                    // this disk: the owner of the quorum defends that, and wins.
                    let reset = next_ticket(&mut self.commands, disk);
                    step.scsi(reset, disk, ScsiCommand::ResetDisk);
                    let reserve = next_ticket(&mut self.commands, disk);
                    it.renewing = Some((reserve.number, step.now.time));
                    step.scsi(reserve, disk, ScsiCommand::Reserve);
                    return;
                }
                step.log(ClusterEvent::ReservationLost { disk });
                self.lost(disk, step);
            }
            ScsiResult::Disturbed => {}
            ScsiResult::Missing | ScsiResult::Failed | ScsiResult::Corrupt => {
                step.log(ClusterEvent::DiskSilent { disk });
                self.lost(disk, step);
            }
        }
    }

    fn command_ended(
        &mut self,
        disk: DiskId,
        doing: Doing,
        sent: SimTime,
        result: ScsiResult,
        step: &mut Step<'_>,
    ) {
        let Some(it) = self.disks.get_mut(&disk) else { return };
        let now = step.now.time;
        match (doing, result) {
            (Doing::Reserve, ScsiResult::Done) => {
                it.renewed = sent;
                self.held(disk, step);
            }
            (Doing::Reserve, ScsiResult::Conflict) => {
                if matches!(it.wish, Wish::Take { .. }) {
                    return self.break_reservation(disk, sent, step);
                }
            }
            (Doing::Break, ScsiResult::Done) => {
                it.wait = Some(now + step.config.profile.data_disk_wait);
            }
            (Doing::Mount, ScsiResult::Done) => it.mounted = it.held,
            (Doing::Mount, ScsiResult::Conflict) => {
                step.log(ClusterEvent::ReservationLost { disk });
                return self.lost(disk, step);
            }
            (Doing::Dismount, _) => it.mounted = false,
            (Doing::Release, _) => self.released(disk, step),
            (Doing::Reserve | Doing::Break | Doing::Mount, failure) => {
                return self.take_failed(disk, failure, step);
            }
        }
        self.advance(disk, step);
    }

    /// Sends what comes next for a disk, if nothing is under way.
    fn advance(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let Some(it) = self.disks.get_mut(&disk) else { return };
        if it.busy.is_some() {
            return;
        }
        let (doing, command) = match it.wish {
            Wish::Nothing => return,
            Wish::Take { .. } if it.mounted => {
                it.wish = Wish::Nothing;
                return step.notice(Notice::DiskOnline { disk, ok: true });
            }
            Wish::Take { .. } if it.wait.is_some() => return,
            Wish::Take { .. } if !it.held => (Doing::Reserve, ScsiCommand::Reserve),
            Wish::Take { skip_chkdsk, conditional_mount } => {
                (Doing::Mount, ScsiCommand::Mount { skip_chkdsk, conditional_mount })
            }
            Wish::Give { orderly: true } if it.mounted => (Doing::Dismount, ScsiCommand::Dismount),
            Wish::Give { .. } if it.held => {
                it.mounted = false;
                (Doing::Release, ScsiCommand::Release)
            }
            Wish::Give { .. } => {
                it.wish = Wish::Nothing;
                return step.notice(Notice::DiskOffline { disk });
            }
        };
        let ticket = next_ticket(&mut self.commands, disk);
        it.busy = Some((ticket.number, doing, step.now.time));
        step.scsi(ticket, disk, command);
    }

    /// The disk is reserved by another node, which is no member any more: its reservation is broken. Disks
    /// that met the same conflict before the reset share it, unless the version resets for each (Q234544).
    fn break_reservation(&mut self, disk: DiskId, sent: SimTime, step: &mut Step<'_>) {
        let profile = &step.config.profile;
        let Some(it) = self.disks.get_mut(&disk) else { return };
        it.breaks += 1;
        if it.breaks > BREAKS_MAX {
            return self.take_failed(disk, ScsiResult::Conflict, step);
        }
        if !profile.reset_for_each_disk
            && let Some(reset) = self.reset_sent.filter(|reset| sent <= *reset)
        {
            let wait = (reset + profile.data_disk_wait).max(step.now.time);
            it.wait = Some(wait);
            return;
        }
        let ticket = next_ticket(&mut self.commands, disk);
        it.busy = Some((ticket.number, Doing::Break, step.now.time));
        self.reset_sent = Some(step.now.time);
        step.scsi(ticket, disk, ScsiCommand::Reset);
    }

    /// A disk cannot be had, or cannot be mounted. One that is reserved is given back for another to try.
    fn take_failed(&mut self, disk: DiskId, why: ScsiResult, step: &mut Step<'_>) {
        let Some(it) = self.disks.get_mut(&disk) else { return };
        match why {
            ScsiResult::Missing => step.log(ClusterEvent::DiskMissing { disk }),
            ScsiResult::Corrupt => step.log(ClusterEvent::VolumeCorrupt { disk }),
            _ if it.held => step.log(ClusterEvent::DiskNotMounted { disk }),
            _ => {}
        }
        if !matches!(it.wish, Wish::Take { .. }) {
            return self.advance(disk, step);
        }
        it.wish = Wish::Nothing;
        if it.held {
            let ticket = next_ticket(&mut self.commands, disk);
            it.busy = Some((ticket.number, Doing::Release, step.now.time));
            step.scsi(ticket, disk, ScsiCommand::Release);
        }
        step.notice(Notice::DiskOnline { disk, ok: false });
    }

    fn held(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let next = step.now.time + step.config.profile.reservation_renewal;
        self.renewal.get_or_insert(next);
        if let Some(it) = self.disks.get_mut(&disk)
            && !it.held
        {
            it.held = true;
            step.observe(Observation::DiskHeld { disk, held: true });
        }
    }

    fn released(&mut self, disk: DiskId, step: &mut Step<'_>) {
        if let Some(it) = self.disks.get_mut(&disk)
            && it.held
        {
            (it.held, it.mounted, it.renewing, it.yielded) = (false, false, None, false);
            step.observe(Observation::DiskHeld { disk, held: false });
        }
        self.rest_if_idle();
    }

    fn rest_if_idle(&mut self) {
        if self.disks.values().all(|it| !it.held) {
            self.renewal = None;
        }
    }
}

fn next_ticket(commands: &mut u32, disk: DiskId) -> Ticket {
    *commands = commands.wrapping_add(1);
    Ticket { part: Part::Disks, number: (*commands << DISK_BITS) | u32::from(disk.0) }
}
