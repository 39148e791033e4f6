//! Telling partners that something is new (MS-WINSRA 3.3.5.1).
//!
//! | trigger | propagates | announces |
//! | --- | --- | --- |
//! | `UpdateCount` own versions, service start, administrator | no | every owner |
//! | own name changed its address, own 1C met a foreign tombstone, administrator with propagation | yes | ourselves |
//! | a propagating notification that brought something | yes | its initiator |
//!
//! Between servers that keep associations open (Windows 2000 on) a notification is one message on ours; else
//! a connection is opened for it, and the partner pulls on that.

use super::{Ctx, Purpose, Replication, TURNED_TIMEOUT};
use crate::base::SimDuration;
use crate::wins::core::OwnChanges;
use crate::wins::io::{Observation, WinsEvent};
use crate::wins::record::Owner;
use crate::wire::replication::{Message, Notification, OwnerRecord};
use std::net::Ipv4Addr;

/// Failures within [`FAILURES_WINDOW`] that a partner may have and still be notified (MS-WINSRA <11>).
pub const FAILURES_MAX: usize = 2;
/// See [`FAILURES_MAX`].
pub const FAILURES_WINDOW: SimDuration = SimDuration::from_mins(5);

/// A notification to be sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Pending {
    propagate: bool,
    initiator: Ipv4Addr,
}

impl Pending {
    /// Announces every owner, not to be passed on.
    pub(super) fn whole(ctx: &Ctx<'_>) -> Pending {
        Pending { propagate: false, initiator: ctx.core.own.address() }
    }

    /// Announces ourselves, to be passed on.
    pub(super) fn own_only(ctx: &Ctx<'_>) -> Pending {
        Pending { propagate: true, initiator: ctx.core.own.address() }
    }

    /// Passes on what `initiator` began.
    pub(super) fn passed_on(initiator: Ipv4Addr) -> Pending {
        Pending { propagate: true, initiator }
    }
}

impl Replication {
    /// Counts own changes and notifies whom they concern.
    pub(super) fn push_triggers(&mut self, changes: OwnChanges, ctx: &mut Ctx<'_>) {
        for index in 0..self.used(ctx) {
            let Some(push) = &self.partners[index].push else { continue };
            let at_least = ctx.core.profile.update_count_min;
            let count = match ctx.core.profile.update_count_ignored {
                true => Some(1),
                false => push.update_count.map(|count| count.max(at_least).max(1)),
            };
            let moved = push.on_address_change && changes.address_changes > 0;
            let increments = &mut self.states[index].increments;
            *increments = increments.saturating_add(changes.increments);
            let reached = count.is_some_and(|count| *increments >= count);
            if reached {
                *increments = 0;
            }
            if moved || changes.urgent > 0 {
                self.notify(index, Pending::own_only(ctx), ctx);
            } else if reached {
                self.notify(index, Pending::whole(ctx), ctx);
            }
        }
    }

    /// Notifies every partner that pulls from us, except `sender`.
    pub(super) fn pass_on(&mut self, initiator: Ipv4Addr, sender: Ipv4Addr, ctx: &mut Ctx<'_>) {
        let initiator = match ctx.core.profile.propagation_circulates {
            true => ctx.core.own.address(),
            false => initiator,
        };
        for index in 0..self.used(ctx) {
            let partner = &self.partners[index];
            if partner.push.is_some() && partner.address != sender {
                self.notify(index, Pending::passed_on(initiator), ctx);
            }
        }
    }

    /// Notifies a partner, unless communication with it failed too often just now.
    pub(super) fn notify(&mut self, index: usize, pending: Pending, ctx: &mut Ctx<'_>) {
        let state = &mut self.states[index];
        let recent = |&&at: &&crate::base::SimTime| ctx.now.time.since(at) <= FAILURES_WINDOW;
        if state.failed_at.iter().filter(recent).count() > FAILURES_MAX {
            return ctx.core.log(WinsEvent::NotificationSkipped, ctx.out);
        }
        // One that is waiting already and propagates says more; the newest initiator is the newest news.
        let passes_on = state.pending.is_some_and(|waiting| waiting.propagate);
        if pending.propagate || !passes_on {
            state.pending = Some(pending);
        }
        self.flush_notification(self.partners[index].address, ctx);
    }

    /// Sends what is pending for this partner, or begins to open what it can be sent on.
    pub(super) fn flush_notification(&mut self, peer: Ipv4Addr, ctx: &mut Ctx<'_>) {
        let Some(index) = self.partner(peer) else { return };
        let Some(pending) = self.states[index].pending else { return };
        let find =
            |purpose| self.associations.values().find(|a| a.peer == peer && a.purpose == purpose);
        let keeps_open =
            self.partners[index].persistent && ctx.core.profile.persistent_associations;
        let (pull, notify) = (find(Purpose::Pull), find(Purpose::Notify));
        let usable = match (pull, notify) {
            (Some(pull), _) if keeps_open && !pull.is_open() => return,
            (Some(pull), _) if keeps_open && pull.is_persistent() => Some(pull),
            // An open one is being pulled on: what is pending goes when it ends.
            (_, Some(notify)) if !notify.is_open() || notify.proven => return,
            (_, Some(notify)) => Some(notify),
            (_, None) => None,
        };
        let Some(usable) = usable else {
            let purpose = match keeps_open && pull.is_none() {
                true => Purpose::Pull,
                false => Purpose::Notify,
            };
            self.connect(peer, purpose, ctx);
            return;
        };
        let persistent = usable.purpose == Purpose::Pull;
        let (stream, handle) = (usable.stream, usable.peer_handle);
        let Pending { propagate, .. } = pending;
        ctx.core.observe(Observation::Notified { partner: peer, propagate }, ctx.out);
        let message = Message::notification(handle, Self::notification(pending, persistent, ctx));
        ctx.send(stream, &message);
        self.states[index].pending = None;
        if !persistent && let Some(association) = self.associations.get_mut(&stream) {
            association.proven = true;
            association.deadline = Some(ctx.now.time + TURNED_TIMEOUT);
        }
    }

    fn notification(pending: Pending, persistent: bool, ctx: &Ctx<'_>) -> Notification {
        let Pending { propagate, initiator } = pending;
        let mut owners = Self::announced_map(ctx);
        if propagate && !ctx.core.profile.propagation_circulates {
            owners.retain(|record: &OwnerRecord| Owner(record.owner) == Owner(initiator));
        }
        Notification { propagate, persistent, owners, initiator }
    }
}
