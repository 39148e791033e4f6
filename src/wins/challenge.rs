//! Challenges: asking the holder of a name whether it still holds it (RFC 1002 5.1.4.1, Q173519).
//!
//! Each stored address is asked in turn with unicast name queries until one answers. An answer, or
//! silence from all, ends the challenge; the stored record is then read again, because it may have
//! changed meanwhile. The same table keeps release demands, whose answer does not matter.
//!
//! Promised: at most `challenges_max` challenges at a time; a request already waiting is not taken
//! twice. A replica's challenge that finds no room waits until there is some.

use super::core::{ReleaseDemand, ReplicaChallenge};
use super::io::{Observation, WinsEvent, WinsOutput};
use super::record::{Owner, VersionId};
use super::reply::Request;
use super::server::WinsServer;
use crate::base::{Now, Outbox, SimDuration, SimTime};
use crate::wire::name_service::{
    NamePacket, NbFlags, NodeType, Opcode, PORT, Rcode, TYPE_NB, compose,
};
use crate::wire::{NetbiosName, ScopeId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Release demands under way; further ones are not sent, their effect is a courtesy.
const DEMANDS_MAX: usize = 256;
/// Tries of a release demand, half a second apart as observed on W2K3.
const DEMAND_TRIES: u8 = 3;
const DEMAND_INTERVAL: SimDuration = SimDuration::from_millis(500);
/// Doublings of the challenge interval stop here, so that it cannot overflow.
const DOUBLINGS_MAX: u32 = 16;

/// How a challenge ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChallengeOutcome {
    /// Nobody answered, or a holder answered that it does not hold the name.
    Free,
    /// A holder answered that it holds the name.
    Held {
        /// Which of the stored addresses answered.
        by: Ipv4Addr,
        /// The addresses in its answer.
        addresses: Vec<Ipv4Addr>,
    },
    /// The stored record changed its version or owner meanwhile: nothing may be written.
    Changed,
}

/// On whose behalf.
#[derive(Clone, Debug)]
enum Cause {
    Request(Request),
    Replica(ReplicaChallenge),
    Demand(ReleaseDemand),
}

/// One holder being asked.
#[derive(Clone, Debug)]
struct Exchange {
    cause: Cause,
    name: NetbiosName,
    scope: ScopeId,
    /// The record as it was when the challenge began.
    frozen: Option<(Owner, VersionId)>,
    /// Addresses still to be asked, the current one last.
    addresses: Vec<Ipv4Addr>,
    tries: u8,
    deadline: SimTime,
}

/// Everything under way, by transaction id.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges {
    by_id: BTreeMap<u16, Exchange>,
    by_deadline: BTreeSet<(SimTime, u16)>,
    /// Requests waiting for an outcome: source, transaction id, opcode.
    waiting: BTreeSet<(SocketAddrV4, u16, u8)>,
    demands: usize,
    last_id: u16,
}

fn waiting_key(request: &Request) -> (SocketAddrV4, u16, u8) {
    (request.from, request.id, request.flags.opcode().code())
}

impl Challenges {
    /// Whether this very request is waiting for a challenge already.
    pub(super) fn is_waiting(&self, request: &Request) -> bool {
        self.waiting.contains(&waiting_key(request))
    }

    /// Challenges under way, release demands not counted.
    pub(super) fn len(&self) -> usize {
        self.by_id.len() - self.demands
    }

    /// When the next wait ends.
    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        self.by_deadline.first().map(|&(at, _)| at)
    }

    /// Forgets everything: the service stops.
    pub(super) fn clear(&mut self) {
        let last_id = self.last_id;
        *self = Challenges { last_id, ..Challenges::default() };
    }

    fn insert(&mut self, exchange: Exchange) -> u16 {
        // Far fewer exchanges than ids exist (`challenges_max`, DEMANDS_MAX), so one is free.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.by_id.contains_key(&self.last_id) {
                break;
            }
        }
        match &exchange.cause {
            Cause::Request(request) => {
                self.waiting.insert(waiting_key(request));
            }
            Cause::Demand(_) => self.demands += 1,
            Cause::Replica(_) => {}
        }
        self.by_deadline.insert((exchange.deadline, self.last_id));
        self.by_id.insert(self.last_id, exchange);
        self.last_id
    }

    fn remove(&mut self, id: u16) -> Option<Exchange> {
        let exchange = self.by_id.remove(&id)?;
        self.by_deadline.remove(&(exchange.deadline, id));
        match &exchange.cause {
            Cause::Request(request) => {
                self.waiting.remove(&waiting_key(request));
            }
            Cause::Demand(_) => self.demands -= 1,
            Cause::Replica(_) => {}
        }
        Some(exchange)
    }
}

impl WinsServer {
    /// Tells the client to wait and begins to ask the holder; drops the request when too many
    /// challenges are under way.
    pub(super) fn challenge_for(
        &mut self,
        request: Request,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        if self.challenges.len() >= self.core.profile.challenges_max {
            return self.drop_request(&request, out);
        }
        let stored = self.core.names.get(&request.name, &request.scope);
        let own = self.core.own;
        let mut addresses: Vec<Ipv4Addr> = stored
            .map(|stored| stored.live_members(own, now.wall).map(|m| m.address).collect())
            .unwrap_or_default();
        self.answer_wack(&request, addresses.len(), out);
        addresses.reverse();
        let (name, scope) = (request.name, request.scope.clone());
        self.begin(Cause::Request(request), name, scope, addresses, now, out);
    }

    /// Begins what replication asked for, as far as there is room.
    pub(super) fn begin_wanted(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        let room = self.core.profile.challenges_max.saturating_sub(self.challenges.len());
        let count = room.min(self.core.challenges_wanted.len());
        let batch: Vec<ReplicaChallenge> = self.core.challenges_wanted.drain(..count).collect();
        for wanted in batch {
            let (name, scope) = (wanted.incoming.name, wanted.incoming.scope.clone());
            let addresses = wanted.addresses.iter().rev().copied().collect();
            self.begin(Cause::Replica(wanted), name, scope, addresses, now, out);
        }
        for demand in std::mem::take(&mut self.core.demands_wanted) {
            if self.challenges.demands < DEMANDS_MAX {
                let (name, address) = (demand.name, demand.address);
                self.core.observe(Observation::ReleaseDemanded { name, address }, out);
                let (scope, addresses) = (demand.scope.clone(), vec![address]);
                self.begin(Cause::Demand(demand), name, scope, addresses, now, out);
            }
        }
    }

    fn begin(
        &mut self,
        cause: Cause,
        name: NetbiosName,
        scope: ScopeId,
        addresses: Vec<Ipv4Addr>,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let frozen =
            self.core.names.get(&name, &scope).map(|stored| (stored.owner, stored.version));
        if !matches!(cause, Cause::Demand(_)) {
            self.core.observe(Observation::ChallengeBegan { name }, out);
        }
        let empty = addresses.is_empty();
        let exchange =
            Exchange { cause, name, scope, frozen, addresses, tries: 0, deadline: now.time };
        let id = self.challenges.insert(exchange);
        if empty {
            self.conclude(id, ChallengeOutcome::Free, now, out);
        } else {
            self.ask(id, now, out);
        }
    }

    /// Sends the next query to the current address and sets the wait.
    fn ask(&mut self, id: u16, now: Now, out: &mut Outbox<WinsOutput>) {
        let profile = &self.core.profile;
        let Some(exchange) = self.challenges.by_id.get_mut(&id) else { return };
        let Some(&address) = exchange.addresses.last() else { return };
        let (name, scope) = (&exchange.name, &exchange.scope);
        let bytes = out.write(|buf| match &exchange.cause {
            Cause::Demand(demand) => {
                let nb_flags = NbFlags::new(demand.group, NodeType::B);
                let claim =
                    compose::Claim { id, name, scope, nb_flags, address, ttl: 0, broadcast: false };
                compose::release(&claim, buf);
            }
            _ => compose::query(id, name, scope, false, buf),
        });
        let to = SocketAddrV4::new(address, PORT);
        out.push(WinsOutput::Send { to, bytes, after_commit: false });
        let doublings = u32::from(exchange.tries).min(DOUBLINGS_MAX);
        let wait = match exchange.cause {
            Cause::Demand(_) => DEMAND_INTERVAL,
            _ if profile.challenge_doubles => profile.challenge_interval * (1 << doublings),
            _ => profile.challenge_interval,
        };
        exchange.tries = exchange.tries.saturating_add(1);
        self.challenges.by_deadline.remove(&(exchange.deadline, id));
        exchange.deadline = now.time + wait;
        self.challenges.by_deadline.insert((exchange.deadline, id));
    }

    /// Waits that have ended: the next try, the next address, or the verdict.
    pub(super) fn challenge_deadlines(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        while let Some(&(at, id)) = self.challenges.by_deadline.first()
            && at <= now.time
        {
            let tries = self.core.profile.challenge_tries.max(1);
            let exchange = self.challenges.by_id.get_mut(&id).expect("a deadline has its exchange");
            let is_demand = matches!(exchange.cause, Cause::Demand(_));
            let limit = if is_demand { DEMAND_TRIES } else { tries };
            if exchange.tries >= limit {
                exchange.addresses.pop();
                exchange.tries = 0;
            }
            if exchange.addresses.is_empty() {
                self.conclude(id, ChallengeOutcome::Free, now, out);
            } else {
                self.ask(id, now, out);
            }
        }
    }

    /// A response came in: perhaps the answer to a challenge or a release demand.
    pub(super) fn response(
        &mut self,
        packet: &NamePacket<'_>,
        from: SocketAddrV4,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let id = packet.id;
        let opcode = packet.flags.opcode();
        let Some(exchange) = self.challenges.by_id.get(&id) else {
            return self.core.log(WinsEvent::StrayChallengeAnswer, out);
        };
        if matches!(exchange.cause, Cause::Demand(_)) {
            if opcode == Opcode::Release {
                self.challenges.remove(id);
            }
            return;
        }
        // Name and opcode must match the transaction; the source may be another adapter's.
        let answer = packet.answer.as_ref();
        let named = answer.and_then(|answer| answer.name.as_ref());
        let matches = named == Some(&(exchange.name, exchange.scope.clone()));
        if opcode != Opcode::Query || !matches {
            return self.core.log(WinsEvent::StrayChallengeAnswer, out);
        }
        let outcome = match (packet.flags.rcode(), answer) {
            (Rcode::Ok, Some(answer)) if answer.rr_type == TYPE_NB && answer.rdata.len() >= 6 => {
                let addresses = answer.entries().map(|entry| entry.address).collect();
                ChallengeOutcome::Held { by: *from.ip(), addresses }
            }
            (Rcode::Ok, _) => return self.core.log(WinsEvent::StrayChallengeAnswer, out),
            _ => ChallengeOutcome::Free,
        };
        self.conclude(id, outcome, now, out);
    }

    /// Ends a challenge: the record is read again, then the outcome goes to whoever asked.
    fn conclude(
        &mut self,
        id: u16,
        outcome: ChallengeOutcome,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let Some(exchange) = self.challenges.remove(id) else { return };
        let Exchange { cause, name, scope, frozen, .. } = exchange;
        if matches!(cause, Cause::Demand(_)) {
            return;
        }
        let held = matches!(outcome, ChallengeOutcome::Held { .. });
        self.core.observe(Observation::ChallengeEnded { name, held }, out);
        let current = self.core.names.get(&name, &scope).map(|now| (now.owner, now.version));
        let outcome = if current == frozen { outcome } else { ChallengeOutcome::Changed };
        match cause {
            Cause::Request(request) => self.challenge_answered(&request, outcome, now, out),
            Cause::Replica(challenge) => {
                self.replication.challenge_ended(&mut self.core, challenge, outcome, now, out);
            }
            Cause::Demand(_) => {}
        }
    }
}
