//! Giving names up (RFC 1001 15.4, MS-NBTE 3.1.7, Q140419).
//!
//! Silence counts as success. H nodes turn to the subnet only when the server refused or kept silent.

use super::client::NbtClient;
use super::name_table::{AfterRelease, Phase};
use super::types::{NameState, NbtOutput, Registrar};
use crate::base::{Outbox, SimTime};
use crate::wire::name_service::NodeType;
use crate::wire::name_service::compose::{self, Claim};

impl NbtClient {
    /// Begins the release of a name. A name nobody may know of goes at once.
    pub(super) fn begin_release(
        &mut self,
        index: usize,
        after: AfterRelease,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let held = &mut self.names[index];
        if held.is_leaving() {
            held.after_release = after;
            return;
        }
        held.after_release = after;
        held.claim_again = false;
        held.failed = false;
        held.address = 0;
        let known = held.is_held() || matches!(held.phase, Phase::Claim | Phase::ClaimBroadcast);
        if known && held.state != NameState::Conflict {
            self.restart_release(index, now, out);
        } else {
            self.released(index, now, out);
        }
    }

    /// Begins a release by the procedure of the node type, from the start.
    pub(super) fn restart_release(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let can_ask = self.can_ask(now);
        // `nbtstat -RR` releases at every server, beginning with the configured primary (Q247559).
        let server = match self.names[index].after_release {
            AfterRelease::Remove => self.choice.current,
            AfterRelease::ClaimAgain => 0,
        };
        match self.node_type() {
            NodeType::P | NodeType::H if can_ask => {
                self.ask_server(index, Phase::Release, server, now, out);
            }
            NodeType::P => self.released(index, now, out),
            NodeType::M if can_ask => {
                // Both ways: one demand on the subnet, then the request at the server.
                self.broadcast(out, |client, buffer| {
                    let claim = client.claim_of(index, client.address, true);
                    compose::release(&Claim { ttl: 0, ..claim }, buffer);
                });
                self.ask_server(index, Phase::Release, server, now, out);
            }
            NodeType::B | NodeType::M | NodeType::H => {
                self.begin_broadcast(index, Phase::ReleaseBroadcast, now, out);
            }
        }
    }

    /// The server kept silent about a release.
    pub(super) fn release_unanswered(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        self.release_answered(index, false, now, out);
    }

    /// The server took (`accepted`) or refused a release.
    pub(super) fn release_answered(
        &mut self,
        index: usize,
        accepted: bool,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let count = self.server_count();
        let held = &mut self.names[index];
        if accepted && !held.is_group() && usize::from(held.address) < self.more_addresses.len() {
            held.address += 1;
            let (server, turns) = (held.server, held.turns);
            self.ask_server(index, Phase::Release, server, now, out);
            self.names[index].turns = turns;
        } else if held.after_release == AfterRelease::ClaimAgain && held.turns + 1 < count {
            let (server, turns) = ((held.server + 1) % count, held.turns + 1);
            held.address = 0;
            self.ask_server(index, Phase::Release, server, now, out);
            self.names[index].turns = turns;
        } else if !accepted
            && held.after_release == AfterRelease::Remove
            && self.node_type() == NodeType::H
        {
            self.begin_broadcast(index, Phase::ReleaseBroadcast, now, out);
        } else {
            self.released(index, now, out);
        }
    }

    /// The name is given up: it goes, or is claimed again.
    pub(super) fn released(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        match self.names[index].after_release {
            AfterRelease::Remove => {
                self.set_state(index, NameState::Released, out);
                self.names.remove(index);
                self.set_refresh_timers();
            }
            AfterRelease::ClaimAgain => {
                self.names[index].after_release = AfterRelease::Remove;
                self.set_state(index, NameState::Registering, out);
                self.plan_claim(index, now);
            }
        }
    }

    /// Tells the servers, once and without waiting, that the address in use will not answer for its
    /// names any more.
    pub(super) fn release_old_address(&mut self, out: &mut Outbox<NbtOutput>) {
        for index in 0..self.names.len() {
            let held = &self.names[index];
            let NameState::Registered { by: Registrar::Wins(server) } = held.state else {
                continue;
            };
            if held.is_leaving() {
                continue;
            }
            self.names[index].id = self.new_id();
            let claim = self.claim_of(index, self.address, false);
            self.send(server, out, |buffer| compose::release(&Claim { ttl: 0, ..claim }, buffer));
            self.counters.releases_sent += 1;
        }
    }
}
