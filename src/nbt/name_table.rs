//! The table of local names: what each is, how it stands, and what is being done about it.

use super::identity::StartupName;
use super::types::{NameKind, NameState, Registrar};
use crate::base::SimTime;
use crate::wire::NetbiosName;

/// What is being done about a name. Every phase but `Idle` has a request outstanding.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Nothing; the timer says when the next thing begins.
    Idle,
    /// A registration request is at a server.
    Claim,
    /// A registration request has been broadcast.
    ClaimBroadcast,
    /// A refresh request is at a server.
    Refresh,
    /// A refresh request is at the configured primary while another server is in use.
    Probe,
    /// A release request is at a server.
    Release,
    /// A release demand has been broadcast.
    ReleaseBroadcast,
}

/// Why a name is being released.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum AfterRelease {
    /// It goes.
    Remove,
    /// It is claimed again (`nbtstat -RR`).
    ClaimAgain,
}

/// A local name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LocalName {
    pub name: NetbiosName,
    pub kind: NameKind,
    pub state: NameState,
    pub phase: Phase,
    pub after_release: AfterRelease,
    /// When the phase's wait ends; in `Idle`, when the next claim or refresh begins.
    pub timer: SimTime,
    /// When a server last granted the name.
    pub granted_at: SimTime,
    /// Seconds granted; `TTL_FOREVER` without end.
    pub ttl: u32,
    /// Transaction id of the outstanding request.
    pub id: u16,
    /// The server that has the request.
    pub server: u8,
    /// Servers that had it before.
    pub turns: u8,
    /// Times the request was sent to this server, or broadcast.
    pub tries: u16,
    /// Which of the host's addresses the request is about.
    pub address: u8,
    /// Services that use the name.
    pub users: u8,
    /// Place in the order of the services' starts.
    pub service: u8,
    /// Leaves at log-off.
    pub of_user: bool,
    /// The last refresh found no server: the timer is a retry.
    pub failed: bool,
    /// The next thing is a claim even though the name is registered: the servers have changed.
    pub claim_again: bool,
}

/// A time to live without end.
pub(super) const TTL_FOREVER: u32 = u32::MAX;

impl LocalName {
    /// A name nobody has claimed yet.
    pub fn new(startup: StartupName) -> LocalName {
        LocalName {
            name: startup.name,
            kind: startup.kind,
            state: NameState::Registering,
            phase: Phase::Idle,
            after_release: AfterRelease::Remove,
            timer: SimTime::MAX,
            granted_at: SimTime::ZERO,
            ttl: TTL_FOREVER,
            id: 0,
            server: 0,
            turns: 0,
            tries: 0,
            address: 0,
            users: 1,
            service: startup.service,
            of_user: startup.user,
            failed: false,
            claim_again: false,
        }
    }

    /// Whether the host holds the name and may use and defend it.
    pub fn is_held(&self) -> bool {
        matches!(self.state, NameState::Registered { .. }) && !self.is_leaving()
    }

    /// Whether the name is being released.
    pub fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Release | Phase::ReleaseBroadcast)
    }

    /// Whether a server has granted the name.
    pub fn is_at_server(&self) -> bool {
        matches!(self.state, NameState::Registered { by: Registrar::Wins(_) })
    }

    /// Whether only the subnet knows of it.
    pub fn is_by_broadcast(&self) -> bool {
        self.state == NameState::Registered { by: Registrar::Broadcast }
    }

    /// Whether the outstanding request is at a server.
    pub fn asks_server(&self) -> bool {
        matches!(self.phase, Phase::Claim | Phase::Refresh | Phase::Probe | Phase::Release)
    }

    /// Whether it is a group.
    pub fn is_group(&self) -> bool {
        self.kind == NameKind::Group
    }
}
