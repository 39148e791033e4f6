//! What a world tells those who watch: plain data, in the order in which it happened. Telling changes
//! nothing.

use super::host::{Death, HostId};
use super::shared::Violation;
use crate::base::{SimTime, hash_bytes};
use crate::cluster::{self, HaltReason, ResourceId};
use crate::nbt::{Answered, NameState};
use crate::wins::{NameKind, NameRecord, Observation, RecordState};
use crate::wire::NetbiosName;
use std::net::Ipv4Addr;

/// Something that happened to a host.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Happening {
    /// When.
    pub at: SimTime,
    /// To whom.
    pub host: HostId,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Copy, Clone, PartialEq, Debug)]
pub enum What {
    /// The host's services run.
    Up,
    /// The host is gone.
    Down(Death),
    /// The host has another address.
    Moved,
    /// A look-up ended.
    LookedUp(LookedUp),
    /// A local name changed its state.
    Name {
        /// The name.
        name: NetbiosName,
        /// Its state from now on.
        state: NameState,
    },
    /// The client uses another name server.
    ServerSwitched {
        /// The server until now.
        from: Ipv4Addr,
        /// The server from now on.
        to: Ipv4Addr,
    },
    /// The host's event log got an entry.
    Logged {
        /// The event's number.
        id: u16,
        /// The name it is about, if any.
        name: Option<NetbiosName>,
    },
    /// The WINS service runs: its database is open.
    WinsUp,
    /// The WINS service has stopped.
    WinsDown,
    /// The WINS machine tells something.
    Wins(Observation),
    /// A record in a server's database may look different from outside than before.
    Record {
        /// The name.
        name: NetbiosName,
        /// How it looks.
        looks: RecordLook,
    },
    /// A request found the server's queue full and was dropped.
    QueueFull,
    /// A commit became durable.
    Committed,
    /// A service or program of the host runs, or does not any more.
    Program {
        /// Its place in the host's list.
        program: u16,
        /// Whether it runs.
        runs: bool,
    },
    /// The host's registry was changed.
    Registry,
    /// The cluster service was started.
    ClusterUp,
    /// The cluster service has ended: by itself for this reason, or because it was told or killed.
    ClusterDown(Option<HaltReason>),
    /// The cluster service tells something.
    Cluster(cluster::Observation),
    /// The cluster service has answered a request.
    ClusterAnswer {
        /// The request's number.
        request: u32,
        /// The Windows error; `None` if it was done.
        error: Option<u32>,
    },
    /// Code of a resource runs on the host, or does not any more.
    ResourceRuns {
        /// Which.
        resource: ResourceId,
        /// Whether it runs.
        runs: bool,
    },
    /// The code of a resource has failed.
    ResourceError {
        /// Which.
        resource: ResourceId,
        /// The Windows error; 0 if there is none.
        error: u32,
    },
    /// Something happened to a registry key that the cluster service watches, saves or restores.
    Key {
        /// The key: [`super::key_number`].
        key: u64,
        /// What.
        event: KeyEvent,
        /// Of the subtree as it is now.
        digest: u64,
    },
    /// The host has reset a shared bus.
    BusReset {
        /// Reservations it dropped.
        dropped: u32,
        /// Whether that was a fault, and no command of a node.
        is_fault: bool,
    },
    /// The host could not renew a reservation.
    ReservationLost,
    /// The host has checked a shared volume.
    VolumeChecked {
        /// The check's exit number (Q265533).
        status: u32,
    },
    /// The host wrote where it must not.
    Violated(Violation),
}

/// What happened to a registry key of a cluster's resource.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyEvent {
    /// Its content was changed while it was watched.
    Changed,
    /// It was saved.
    Saved,
    /// It was restored.
    Restored,
    /// It could not be restored: it is as it was.
    NotRestored,
    /// It could not be restored, and is not as it was.
    Spoilt,
    /// It is watched from now on.
    Watched,
    /// It is watched no more.
    Unwatched,
}

/// The end of a look-up.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct LookedUp {
    /// The number it was started with.
    pub request: u32,
    /// The name.
    pub name: NetbiosName,
    /// When it began.
    pub started: SimTime,
    /// The addresses, as a range of [`super::World::addresses`]; empty when nobody knows the name.
    pub addresses: (u32, u32),
    /// Whether it is a group.
    pub group: bool,
    /// Who answered, or was asked last.
    pub source: Answered,
}

/// A record as a client would see it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RecordLook {
    /// It would be answered; the number stands for name, kind and addresses.
    Active(u64),
    /// Its own server has released it, and partners cannot know (MS-WINSRA 3.2.5.1): the number is what
    /// it was while active.
    Released(u64),
    /// Nobody would be told of it.
    Gone,
}

impl RecordLook {
    /// How this record looks.
    pub fn of(record: Option<&NameRecord>) -> RecordLook {
        let Some(record) = record else { return RecordLook::Gone };
        match record.state {
            RecordState::Released => RecordLook::Released(fingerprint(record)),
            RecordState::Tombstone => RecordLook::Gone,
            RecordState::Active => RecordLook::Active(fingerprint(record)),
        }
    }
}

/// A number for name, kind and addresses together, so mixed that the exclusive or of many records tells
/// any two databases apart.
fn fingerprint(record: &NameRecord) -> u64 {
    // Members are combined without regard to order: it differs between servers (Q167365).
    let addresses = match record.kind {
        NameKind::Group => 0,
        _ => record.addresses().fold(0u64, |sum, a| sum.wrapping_add(hash_bytes(&a.octets()))),
    };
    let mut bytes = [0u8; 40];
    bytes[..16].copy_from_slice(record.name.as_bytes());
    bytes[16..24].copy_from_slice(&hash_bytes(record.scope.as_bytes()).to_le_bytes());
    bytes[24..32].copy_from_slice(&(record.kind as u64).to_le_bytes());
    bytes[32..].copy_from_slice(&addresses.to_le_bytes());
    hash_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::WallTime;
    use crate::wins::{Member, Origin, Owner, VersionId};

    fn look(name: &str, last: u8) -> u64 {
        let address = Ipv4Addr::new(10, 0, 0, last);
        let owner = Owner(Ipv4Addr::new(10, 0, 0, 1));
        let name = name.parse().expect("a name");
        let stamp = WallTime::NEVER;
        let record = NameRecord {
            name,
            scope: Default::default(),
            kind: NameKind::Unique,
            state: RecordState::Active,
            origin: Origin::Dynamic,
            owner,
            version: VersionId(1),
            members: [Member { address, owner, stamp }].into_iter().collect(),
            stamp,
            node_type: Default::default(),
        };
        match RecordLook::of(Some(&record)) {
            RecordLook::Active(look) => look,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_that_swap_or_share_their_addresses_do_not_cancel_out() {
        assert_ne!(look("A", 5) ^ look("B", 6), look("A", 6) ^ look("B", 5));
        assert_ne!(look("A", 5) ^ look("B", 5), look("A", 6) ^ look("B", 6));
    }
}
