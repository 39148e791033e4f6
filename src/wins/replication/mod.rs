//! Replication: to be filled in; these signatures are what the server calls.

pub mod conflict;

use super::challenge::ChallengeOutcome;
use super::core::{Core, ReplicaChallenge};
use super::io::{StreamId, WinsOutput};
use super::partners::Partner;
use crate::base::{Now, Outbox, SimTime};
use std::net::Ipv4Addr;

/// The replication half of a WINS server.
#[derive(Clone, Debug, Default)]
pub struct Replication {
    partners: Vec<Partner>,
}

impl Replication {
    /// With these partners and nothing under way.
    pub fn new(partners: Vec<Partner>) -> Replication {
        Replication { partners }
    }
    /// The configured partners.
    pub fn partners(&self) -> &[Partner] {
        &self.partners
    }
    /// The service starts: pulls and notifications at start, periodic deadlines.
    pub fn start(&mut self, _core: &mut Core, _now: Now, _out: &mut Outbox<WinsOutput>) {}
    /// The service stops: associations are closed.
    pub fn stop(&mut self, _core: &mut Core, _now: Now, _out: &mut Outbox<WinsOutput>) {}
    /// A peer connected.
    pub fn stream_opened(
        &mut self,
        _core: &mut Core,
        _stream: StreamId,
        _peer: Ipv4Addr,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// A stream we opened is connected.
    pub fn stream_connected(
        &mut self,
        _core: &mut Core,
        _stream: StreamId,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// A stream we opened could not be connected.
    pub fn stream_refused(
        &mut self,
        _core: &mut Core,
        _stream: StreamId,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// Bytes arrived.
    pub fn stream_data(
        &mut self,
        _core: &mut Core,
        _stream: StreamId,
        _bytes: &[u8],
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// A stream ended.
    pub fn stream_closed(
        &mut self,
        _core: &mut Core,
        _stream: StreamId,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// The administrator wants a pull, from one partner or all.
    pub fn pull_now(
        &mut self,
        _core: &mut Core,
        _partner: Option<Ipv4Addr>,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// The administrator wants a notification, to one partner or all.
    pub fn push_now(
        &mut self,
        _core: &mut Core,
        _partner: Option<Ipv4Addr>,
        _propagate: bool,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// The partners were changed.
    pub fn set_partners(
        &mut self,
        _core: &mut Core,
        partners: Vec<Partner>,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
        self.partners = partners;
    }
    /// A challenge asked for by way of [`Core::challenges_wanted`] ended.
    pub fn challenge_ended(
        &mut self,
        _core: &mut Core,
        _challenge: ReplicaChallenge,
        _outcome: ChallengeOutcome,
        _now: Now,
        _out: &mut Outbox<WinsOutput>,
    ) {
    }
    /// Called after every input of the server: looks at [`Core::changes`] for push triggers and takes
    /// [`Core::verifications_wanted`].
    pub fn after_input(&mut self, _core: &mut Core, _now: Now, _out: &mut Outbox<WinsOutput>) {}
    /// Acts on every deadline that has come.
    pub fn on_deadline(&mut self, _core: &mut Core, _now: Now, _out: &mut Outbox<WinsOutput>) {}
    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<SimTime> {
        None
    }
    /// Whether members of a 1C list that `owner` registered go before those of other owners
    /// (`MemberPrec`, Q135922).
    pub fn members_first(&self, _owner: Ipv4Addr) -> bool {
        false
    }
}
