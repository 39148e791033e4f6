//! Answering partners: maps, records, notifications (MS-WINSRA 3.2.5, 3.3.5).
//!
//! Strangers are refused unless the profile says otherwise (`RplOnlyWCnfPnrs`). A configured partner may
//! pull whichever way it is configured; a server that is not configured at all is turned away (Q137849).

use super::apply::to_wire;
use super::{Ctx, JOBS_MAX, Job, JobKind, Purpose, Replication};
use crate::wins::io::{StreamId, WinsEvent};
use crate::wins::partners::ReplicationScope;
use crate::wins::record::{NameKind, NameRecord, Owner, RecordState, VersionId};
use crate::wire::Suffix;
use crate::wire::replication::{Message, Notification, OwnerRecord};
use std::net::Ipv4Addr;

/// Records in one response; a puller that gets as many asks again for the rest. Keeps a message below the
/// longest one that is accepted, whatever the records.
pub const RESPONSE_RECORDS_MAX: usize = 30_000;

/// Whether a record travels under this scope (Q251221).
pub(super) fn in_scope(scope: ReplicationScope, record: &NameRecord) -> bool {
    scope == ReplicationScope::All
        || record.name.suffix() == Suffix::DOMAIN_MASTER
        || record.kind == NameKind::InternetGroup
}

impl Replication {
    /// The map as announced: every owner known, with its highest version.
    pub(super) fn announced_map(ctx: &Ctx<'_>) -> Vec<OwnerRecord> {
        let record =
            |(owner, version): (Owner, VersionId)| OwnerRecord::new(owner.address(), 0, version.0);
        ctx.core.owner_versions().map(record).collect()
    }

    /// Whether the peer of this association may be served; if not, the association ends.
    fn admit(&mut self, stream: StreamId, event: WinsEvent, ctx: &mut Ctx<'_>) -> Option<Ipv4Addr> {
        let peer = self.associations.get(&stream)?.peer;
        if self.partner(peer).is_some() || !ctx.core.profile.only_configured_partners {
            return Some(peer);
        }
        ctx.core.log(event, ctx.out);
        self.abort(stream, ctx);
        None
    }

    pub(super) fn serve_map(&mut self, stream: StreamId, ctx: &mut Ctx<'_>) {
        if self.admit(stream, WinsEvent::PullRefused, ctx).is_none() {
            return;
        }
        let handle = self.associations[&stream].peer_handle;
        let response = Message::map_response(handle, Self::announced_map(ctx));
        ctx.send(stream, &response);
    }

    pub(super) fn serve_records(
        &mut self,
        stream: StreamId,
        wanted: OwnerRecord,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(peer) = self.admit(stream, WinsEvent::PullRefused, ctx) else { return };
        let partner = self.partner(peer).map(|index| &self.partners[index]);
        let statics = match partner {
            Some(partner) => !partner.push.as_ref().is_some_and(|push| push.only_dynamic),
            None => ctx.core.profile.statics_to_strangers,
        };
        let scope = ctx.scope(partner);
        // A maximum of zero asks for everything, as Samba reads it.
        let max = if wanted.version_max == 0 { u64::MAX } else { wanted.version_max };
        let range = VersionId(wanted.version_min)..=VersionId(max);
        // Before the fix of Q190506 a list without members is sent as it stands, and stops who pulls it.
        let deserted_too = ctx.core.profile.bad_replica_stops_pull;
        let visible = |record: &&NameRecord| {
            record.state != RecordState::Released
                && (deserted_too || !record.is_deserted())
                && (statics || !record.is_static())
                && in_scope(scope, record)
        };
        let own = ctx.core.own;
        let records = ctx.core.names.of_owner(Owner(wanted.owner), range).filter(visible);
        let records = records.take(RESPONSE_RECORDS_MAX).map(|record| to_wire(record, own));
        let handle = self.associations[&stream].peer_handle;
        let records: Vec<_> = records.collect();
        if records.is_empty() {
            ctx.core.log(WinsEvent::RangeEmpty, ctx.out);
            if ctx.core.profile.empty_range_is_error {
                return self.abort(stream, ctx);
            }
        }
        let response = Message::records_response(handle, records);
        ctx.send(stream, &response);
    }

    /// A partner says that something is new.
    pub(super) fn notified(
        &mut self,
        stream: StreamId,
        notification: Notification,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(association) = self.associations.get(&stream) else { return };
        if association.purpose != Purpose::Serve {
            return;
        }
        let Some(from) = self.admit(stream, WinsEvent::NotificationRefused, ctx) else { return };
        ctx.core.log_detail(WinsEvent::NotificationAccepted, ctx.out);
        let turned = (!notification.persistent).then_some(stream);
        if self.jobs.len() >= JOBS_MAX {
            return if turned.is_some() {
                self.abort(stream, ctx)
            };
        }
        let waiting = self.jobs.iter_mut().find(|job| job.replaces(from, &notification));
        match waiting {
            Some(job) => job.offer(from, &notification.owners),
            None => {
                let kind = JobKind::Notified {
                    from,
                    propagate: notification.propagate,
                    initiator: notification.initiator,
                };
                let mut job = Job::new(kind, Vec::new());
                job.turned = turned;
                job.offer(from, &notification.owners);
                self.jobs.push_back(job);
            }
        }
        self.advance(ctx);
    }
}
