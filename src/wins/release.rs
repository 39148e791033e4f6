//! Release: a client gives a name, or one address of it, up.
//!
//! Judged by the source address of the datagram, not by the address inside. The answer is positive even
//! when nothing changes; only static groups refuse.

use super::io::{WinsEvent, WinsOutput};
use super::record::{NameKind, NameRecord, RecordState};
use super::registration::drop_lapsed;
use super::reply::Request;
use super::server::WinsServer;
use crate::base::{Now, Outbox};
use crate::wire::Suffix;
use crate::wire::name_service::Rcode;
use std::net::Ipv4Addr;

/// What a release comes to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Decision {
    /// Positive answer, nothing changes.
    Nothing,
    /// The same, and the event log says why.
    Ignore(WinsEvent),
    /// ACT_ERR.
    Refuse,
    /// The whole record goes.
    GiveUp,
    /// One address of several goes.
    DropMember,
}

fn decide(stored: &NameRecord, group: bool, from: Ipv4Addr) -> Decision {
    if stored.is_static() {
        return if stored.kind.is_held() { Decision::Nothing } else { Decision::Refuse };
    }
    if stored.kind.is_group() != group {
        return Decision::Ignore(WinsEvent::ReleaseTypeMismatch);
    }
    // Members of a normal group are not recorded, so any of them may speak for it.
    if stored.kind == NameKind::Group {
        return Decision::GiveUp;
    }
    if !stored.has_address(from) {
        return Decision::Ignore(WinsEvent::ReleaseAddressMismatch);
    }
    if stored.members.len() > 1 { Decision::DropMember } else { Decision::GiveUp }
}

impl WinsServer {
    /// A release request.
    pub(super) fn release(&mut self, request: Request, now: Now, out: &mut Outbox<WinsOutput>) {
        let own = self.core.own;
        let stored = self.core.names.get(&request.name, &request.scope).cloned();
        let mut stored = match stored {
            Some(stored) if request.name.suffix() != Suffix::LOCAL_MASTER => stored,
            _ => return self.answer(&request, Rcode::Ok, out),
        };
        if stored.effective_state(own, now.wall) != RecordState::Active {
            return self.answer(&request, Rcode::Ok, out);
        }
        drop_lapsed(&mut stored, own, now.wall);
        let from = *request.from.ip();
        let whole = match decide(&stored, request.nb_flags.is_group(), from) {
            Decision::Nothing => return self.answer(&request, Rcode::Ok, out),
            Decision::Refuse => return self.answer(&request, Rcode::Active, out),
            Decision::Ignore(event) => {
                self.core.log(event, out);
                return self.answer(&request, Rcode::Ok, out);
            }
            Decision::GiveUp => true,
            Decision::DropMember => false,
        };
        // A replica is taken over, so that its true owner hears of the release.
        if stored.owner != own {
            let Some(version) = self.core.assign_version(request.name, out) else {
                return self.drop_request(&request, out);
            };
            stored.owner = own;
            stored.version = version;
            stored.state = if whole { RecordState::Tombstone } else { RecordState::Active };
        } else if whole {
            stored.state = RecordState::Released;
        }
        let profile = &self.core.profile;
        stored.stamp = now.wall
            + match stored.state {
                RecordState::Active => profile.renewal_interval,
                RecordState::Released => profile.extinction_interval,
                RecordState::Tombstone => profile.extinction_interval + profile.extinction_timeout,
            };
        if !whole {
            stored.members.remove(from);
        }
        self.core.put(stored, out);
        self.answer(&request, Rcode::Ok, out);
    }
}
