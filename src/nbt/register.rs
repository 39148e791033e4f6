//! Claiming names: at servers, by broadcast, and what the answers mean (RFC 1001 15.2, Q155501).
//!
//! A server gets three requests, then the next one; silence of all sends H nodes to the subnet. A claim
//! that nobody refuses by broadcast is held, and goes to the servers again later.

use super::client::NbtClient;
use super::name_table::{Phase, TTL_FOREVER};
use super::profile::ReturnRule;
use super::servers::{Standing, at_least};
use super::types::{NameState, NbtOutput, Registrar};
use crate::base::{Outbox, SimDuration, SimTime};
use crate::wire::name_service::compose::{self, Claim};
use crate::wire::name_service::{NbFlags, NodeType, Rcode};
use std::net::Ipv4Addr;

/// Seconds a client asks for; WINS grants its own renewal interval instead (Q176505).
const TTL_ASKED: u32 = 300_000;

/// Duplicate name seen while claiming it (Q120752).
const EVENT_DUPLICATE: u16 = 4319;

impl NbtClient {
    /// Makes a claim the next thing for this name, at once.
    pub(super) fn plan_claim(&mut self, index: usize, now: SimTime) {
        let held = &mut self.names[index];
        held.phase = Phase::Idle;
        held.timer = now;
        held.claim_again = true;
        held.failed = false;
    }

    /// Begins a claim by the procedure of the node type.
    pub(super) fn begin_claim(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let can_ask = self.can_ask(now);
        let held = &mut self.names[index];
        held.claim_again = false;
        held.failed = false;
        held.address = 0;
        let held_by_broadcast = held.state == NameState::Registered { by: Registrar::Broadcast };
        match self.node_type() {
            NodeType::P | NodeType::H if can_ask => {
                self.ask_server(index, Phase::Claim, self.choice.current, now, out);
            }
            NodeType::P => self.retry_later(index, now),
            NodeType::H => self.claim_unheard(index, now, out),
            NodeType::M if held_by_broadcast => {
                if can_ask {
                    self.ask_server(index, Phase::Claim, self.choice.current, now, out);
                } else {
                    self.retry_later(index, now);
                }
            }
            NodeType::B | NodeType::M => {
                self.begin_broadcast(index, Phase::ClaimBroadcast, now, out)
            }
        }
    }

    /// Claims again, with the first one that is due, all names that only the subnet knows about.
    pub(super) fn claim_group(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let until = now + self.config.profile.retry_wait(self.granted) / 2;
        for index in 0..self.names.len() {
            let held = &self.names[index];
            let by_broadcast = held.state == NameState::Registered { by: Registrar::Broadcast };
            if by_broadcast && held.phase == Phase::Idle && held.timer <= until {
                self.begin_claim(index, now, out);
            }
        }
    }

    /// An H node found no server for a claim: the subnet decides.
    fn claim_unheard(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let state = self.names[index].state;
        let held_by_broadcast = state == NameState::Registered { by: Registrar::Broadcast };
        if held_by_broadcast && !self.config.profile.repeats_broadcast_claim {
            self.retry_later(index, now);
        } else {
            self.begin_broadcast(index, Phase::ClaimBroadcast, now, out);
        }
    }

    /// Begins a request at a server.
    pub(super) fn ask_server(
        &mut self,
        index: usize,
        phase: Phase,
        server: u8,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let held = &mut self.names[index];
        held.turns = 0;
        held.phase = phase;
        self.turn_to(index, server, now, out);
    }

    /// Sends the outstanding request to another server, or about another address.
    fn turn_to(&mut self, index: usize, server: u8, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let id = self.new_id();
        let held = &mut self.names[index];
        held.id = id;
        held.server = server;
        held.tries = 0;
        self.send_to_server(index, now, out);
    }

    /// Sends the request of the name's phase to its server, once more or for the first time.
    pub(super) fn send_to_server(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let wait = at_least(self.config.profile.server_timeout);
        let held = &mut self.names[index];
        held.tries += 1;
        held.timer = now + wait;
        let (phase, unique) = (held.phase, !held.is_group());
        let server = self.server_list()[usize::from(self.names[index].server)];
        let claim = self.claim_of(index, self.address_at(self.names[index].address), false);
        let multihomed = unique && !self.more_addresses.is_empty();
        let opcode_9 = self.config.profile.refresh_opcode_9;
        self.send(server, out, |buffer| match phase {
            Phase::Release => compose::release(&Claim { ttl: 0, ..claim }, buffer),
            Phase::Refresh | Phase::Probe if opcode_9 => compose::refresh_alternate(&claim, buffer),
            Phase::Refresh | Phase::Probe => compose::refresh(&claim, buffer),
            // MS-NBTE 3.1.4.1: unique names of a multihomed host, one address a packet.
            _ if multihomed => compose::multihomed_registration(&claim, buffer),
            _ => compose::registration(&claim, buffer),
        });
        match phase {
            Phase::Release => self.counters.releases_sent += 1,
            Phase::Refresh | Phase::Probe => self.counters.refreshes_sent += 1,
            _ => self.counters.registrations_sent += 1,
        }
    }

    /// Begins a broadcast claim or release.
    pub(super) fn begin_broadcast(
        &mut self,
        index: usize,
        phase: Phase,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let id = self.new_id();
        let held = &mut self.names[index];
        held.phase = phase;
        held.id = id;
        held.tries = 0;
        held.address = 0;
        self.send_broadcast(index, now, out);
    }

    /// Broadcasts the request of the name's phase, once more or for the first time.
    pub(super) fn send_broadcast(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let wait = at_least(self.config.profile.broadcast_timeout);
        let held = &mut self.names[index];
        held.tries += 1;
        held.timer = now + wait;
        let phase = held.phase;
        self.broadcast(out, |client, buffer| {
            let claim = client.claim_of(index, client.address, true);
            match phase {
                Phase::ReleaseBroadcast => compose::release(&Claim { ttl: 0, ..claim }, buffer),
                _ => compose::registration(&claim, buffer),
            }
        });
    }

    /// What a packet about this name says.
    pub(super) fn claim_of(&self, index: usize, address: Ipv4Addr, broadcast: bool) -> Claim<'_> {
        let held = &self.names[index];
        Claim {
            id: held.id,
            name: &held.name,
            scope: &self.config.scope,
            nb_flags: NbFlags::new(held.is_group(), self.node_type()),
            address,
            ttl: TTL_ASKED,
            broadcast,
        }
    }

    fn address_at(&self, position: u8) -> Ipv4Addr {
        match usize::from(position).checked_sub(1) {
            None => self.address,
            Some(i) => self.more_addresses.get(i).copied().unwrap_or(self.address),
        }
    }

    /// The server that has the name's request stayed silent, or could not serve it.
    pub(super) fn server_failed(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let count = self.server_count();
        let one_server_only = matches!(self.config.profile.return_rule, ReturnRule::Cycle { .. });
        let held = &mut self.names[index];
        match held.phase {
            Phase::Probe => self.set_refresh_timer(index),
            Phase::Release => self.release_unanswered(index, now, out),
            Phase::Refresh if one_server_only => self.refresh_failed(index, now, out),
            _ if held.turns + 1 < count => {
                held.turns += 1;
                let next = (held.server + 1) % count;
                self.turn_to(index, next, now, out);
            }
            _ => self.all_servers_failed(index, now, out),
        }
    }

    fn all_servers_failed(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        self.choice.all_silent(now, self.config.profile.wins_down);
        if self.names[index].phase == Phase::Refresh {
            self.refresh_failed(index, now, out);
            return;
        }
        if self.config.profile.single_server_stays_b && self.server_count() == 1 {
            self.choice.given_up = true;
        }
        match self.node_type() {
            NodeType::H => self.claim_unheard(index, now, out),
            _ => self.retry_later(index, now),
        }
    }

    /// Nobody refused the broadcast claim.
    pub(super) fn claimed_by_broadcast(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        if self.config.profile.overwrite_demand {
            self.broadcast(out, |client, buffer| {
                compose::overwrite(&client.claim_of(index, client.address, true), buffer);
            });
        }
        self.set_state(index, NameState::Registered { by: Registrar::Broadcast }, out);
        self.set_refresh_timers();
        if self.node_type() == NodeType::M && self.can_ask(now) {
            self.ask_server(index, Phase::Claim, self.choice.current, now, out);
        } else {
            self.retry_later(index, now);
        }
    }

    /// A server said yes to a claim, refresh or probe.
    pub(super) fn was_granted(
        &mut self,
        index: usize,
        ttl: u32,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let held = &mut self.names[index];
        let server = held.server;
        if !held.is_group() && usize::from(held.address) < self.more_addresses.len() {
            held.address += 1;
            self.turn_to(index, server, now, out);
            return;
        }
        let phase = held.phase;
        // RFC 1002 4.2.5: a time to live of zero is without end.
        let ttl_min = self.config.profile.ttl_min.secs().min(u64::from(u32::MAX)) as u32;
        held.ttl = if ttl == 0 { TTL_FOREVER } else { ttl.max(ttl_min) };
        held.granted_at = now;
        held.phase = Phase::Idle;
        held.address = 0;
        held.failed = false;
        held.claim_again = false;
        let by = Registrar::Wins(self.server_list()[usize::from(server)]);
        self.set_state(index, NameState::Registered { by }, out);
        self.granted = true;
        self.choice.attempts = 0;
        self.answered_registration(phase, server, now, out);
        self.set_refresh_timers();
    }

    /// A server that answered a registration or refresh becomes the server in use (Q247559).
    fn answered_registration(
        &mut self,
        phase: Phase,
        server: u8,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let rule = self.config.profile.return_rule;
        if server == self.choice.current {
            self.choice.down_until = SimTime::ZERO;
            if phase == Phase::Refresh && self.choice.standing == Standing::Hold {
                // The primary was asked first and stayed silent: another hour of probes.
                self.choice.begin_grace(rule, now);
            }
            return;
        }
        let back = server == 0 && self.choice.standing != Standing::Primary;
        self.use_server(server, now, out);
        if back && self.config.profile.refreshes_all_on_return {
            let primary = NameState::Registered { by: Registrar::Wins(self.server_list()[0]) };
            for held in &mut self.names {
                if held.phase == Phase::Idle && held.is_at_server() && held.state != primary {
                    held.timer = now;
                    held.failed = true; // keeps the timer until the refresh
                }
            }
        }
    }

    /// A server, or in a broadcast claim another host, said no.
    pub(super) fn was_refused(
        &mut self,
        index: usize,
        rcode: Rcode,
        from: Ipv4Addr,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let phase = self.names[index].phase;
        let from_server = phase != Phase::ClaimBroadcast;
        match rcode {
            Rcode::ServerFailure | Rcode::FormatError | Rcode::Unsupported if from_server => {
                self.server_failed(index, now, out);
            }
            Rcode::NameError if matches!(phase, Phase::Refresh | Phase::Probe) => {
                self.plan_claim(index, now);
            }
            _ => {
                if from_server {
                    self.choice.down_until = SimTime::ZERO;
                }
                self.lose_name(index, EVENT_DUPLICATE, from, out);
            }
        }
    }

    /// The name is in conflict from now on: not used, not defended, not tried again by itself.
    pub(super) fn lose_name(
        &mut self,
        index: usize,
        event: u16,
        from: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
    ) {
        let held = &mut self.names[index];
        held.phase = Phase::Idle;
        held.timer = SimTime::MAX;
        held.ttl = TTL_FOREVER;
        let name = held.name;
        self.set_state(index, NameState::Conflict, out);
        out.push(NbtOutput::Event { id: event, name, from });
        self.set_refresh_timers();
    }

    /// A server asked for patience: the retry timer stops, nothing is sent again before its end
    /// (RFC 1001 15.1.5.2).
    pub(super) fn wack_wait(&self, seconds: u32) -> SimDuration {
        let asked = SimDuration::from_secs(u64::from(seconds));
        asked.max(self.config.profile.server_timeout).min(self.config.profile.wack_max)
    }
}
