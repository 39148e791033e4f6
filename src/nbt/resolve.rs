//! Looking names up: local names, cache, servers and subnet in the order of the node type
//! (MS-NBTE 3.1.4.2, Q137780, Q222840).

use super::cache::CacheEntry;
use super::client::NbtClient;
use super::servers::{Standing, at_least};
use super::types::{Answered, NbtOutput, Resolution};
use crate::base::{Outbox, SimTime};
use crate::wire::NetbiosName;
use crate::wire::name_service::compose;
use crate::wire::name_service::{NodeType, Record};
use std::net::Ipv4Addr;

/// Look-ups outstanding at most. Chosen: programs of one host wait for far fewer at a time.
pub const QUERIES_MAX: usize = 256;

/// Addresses an answer can hold: what WINS keeps for a name.
pub const ADDRESSES_MAX: usize = 25;

/// Where a query stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum QueryPhase {
    /// A request is at a server.
    Ask,
    /// A server said no; the query waits before it goes on (Q219357).
    Wait,
    /// A request has been broadcast.
    Broadcast,
    /// Another query for the same name is on its way; its answer serves.
    Follow,
}

/// A look-up on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    pub request: u32,
    pub name: NetbiosName,
    pub phase: QueryPhase,
    /// The server in use was silent in this query.
    current_failed: bool,
    /// Some server has answered this query, if only with no.
    heard: bool,
    /// A server has been asked.
    asked: bool,
    pub id: u16,
    pub server: u8,
    turns: u8,
    tries: u16,
    pub timer: SimTime,
    started: SimTime,
}

impl Query {
    /// The output that ends this query.
    pub fn answer(&self, resolution: Resolution, source: Answered) -> NbtOutput {
        let Query { request, name, started, .. } = *self;
        NbtOutput::Resolved { request, name, resolution, source, started }
    }
}

impl NbtClient {
    /// Begins a look-up, and ends it at once where no packet is needed.
    pub(super) fn resolve(
        &mut self,
        request: u32,
        name: NetbiosName,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let mut query = Query {
            request,
            name,
            phase: QueryPhase::Follow,
            current_failed: false,
            heard: false,
            asked: false,
            id: 0,
            server: 0,
            turns: 0,
            tries: 0,
            timer: SimTime::MAX,
            started: now,
        };
        if !self.is_running() {
            out.push(query.answer(Resolution::NotFound, Answered::Nobody));
            return;
        }
        if let Some((resolution, source)) = self.known(&name, now, out) {
            out.push(query.answer(resolution, source));
            return;
        }
        if self.queries.len() >= QUERIES_MAX {
            self.counters.turned_away += 1;
            out.push(query.answer(Resolution::NotFound, Answered::Nobody));
            return;
        }
        let leads = !self.queries.iter().any(|other| other.name == name);
        if leads {
            query.id = self.new_id();
        }
        self.queries.push(query);
        if leads {
            self.start_query(self.queries.len() - 1, now, out);
        }
    }

    /// What the host knows by itself.
    fn known(
        &mut self,
        name: &NetbiosName,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) -> Option<(Resolution, Answered)> {
        let own = |index: &usize| self.names[*index].is_held() && !self.names[*index].is_group();
        if self.find(name).filter(own).is_some() {
            let (first, more) = (self.address, &self.more_addresses);
            let count = (1 + more.len()).min(ADDRESSES_MAX) as u8;
            let addresses = out.write(|buffer| write_addresses(first, more, buffer));
            let found = Resolution::Found { first, count, addresses, group: false };
            return Some((found, Answered::Local));
        }
        let entry = self.cache.get(name, now)?;
        self.counters.cache_hits += 1;
        let more = entry.more.as_deref().unwrap_or_default();
        let (first, group, count) = (entry.first, entry.group, (1 + more.len()) as u8);
        let addresses = out.write(|buffer| write_addresses(first, more, buffer));
        Some((Resolution::Found { first, count, addresses, group }, Answered::Cache))
    }

    /// Sends a query on its way from the beginning.
    fn start_query(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        match self.node_type() {
            NodeType::B | NodeType::M => self.broadcast_query(index, now, out),
            NodeType::P | NodeType::H => self.query_servers(index, now, out),
        }
    }

    fn query_servers(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        if self.can_ask(now) {
            self.queries[index].turns = 0;
            self.queries[index].asked = true;
            self.query_server(index, self.choice.current, now, out);
        } else {
            self.servers_are_through(index, now, out);
        }
    }

    fn query_server(
        &mut self,
        index: usize,
        server: u8,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let id = self.new_id();
        let query = &mut self.queries[index];
        query.phase = QueryPhase::Ask;
        query.id = id;
        query.server = server;
        query.tries = 0;
        self.send_query(index, now, out);
    }

    fn send_query(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let wait = at_least(self.config.profile.server_timeout);
        let query = &mut self.queries[index];
        query.tries += 1;
        query.timer = now + wait;
        let (id, name, server) = (query.id, query.name, usize::from(query.server));
        self.counters.queries_sent += 1;
        let (to, scope) = (self.server_list()[server], &self.config.scope);
        self.send(to, out, |buffer| compose::query(id, &name, scope, false, buffer));
    }

    fn broadcast_query(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let id = self.new_id();
        let query = &mut self.queries[index];
        query.phase = QueryPhase::Broadcast;
        query.id = id;
        query.tries = 0;
        self.send_broadcast_query(index, now, out);
    }

    fn send_broadcast_query(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let wait = at_least(self.config.profile.broadcast_timeout);
        let query = &mut self.queries[index];
        query.tries += 1;
        query.timer = now + wait;
        let (id, name) = (query.id, query.name);
        self.broadcast(out, |client, buffer| {
            compose::query(id, &name, &client.config.scope, true, buffer);
        });
    }

    /// The wait of a query ended.
    pub(super) fn query_due(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let profile = &self.config.profile;
        let query = &self.queries[index];
        match query.phase {
            QueryPhase::Ask => {
                self.counters.timeouts += 1;
                if query.tries < u16::from(profile.server_tries) {
                    self.send_query(index, now, out);
                } else {
                    self.query_unanswered(index, now, out);
                }
            }
            QueryPhase::Wait => self.query_next(index, now, out),
            QueryPhase::Broadcast if query.tries < u16::from(profile.broadcast_tries) => {
                self.send_broadcast_query(index, now, out);
            }
            QueryPhase::Broadcast => self.subnet_is_through(index, now, out),
            QueryPhase::Follow => self.queries[index].timer = SimTime::MAX,
        }
    }

    /// A server stayed silent through all tries.
    fn query_unanswered(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let count = self.server_count();
        let query = &mut self.queries[index];
        if query.server == self.choice.current {
            query.current_failed = true;
            if self.choice.current != 0 && count > 1 {
                // Q247559: the server in use stops answering queries, so the roles go back at once.
                let down_until = self.choice.down_until;
                self.use_server(0, now, out);
                self.choice.down_until = down_until;
            }
        }
        self.query_next(index, now, out);
    }

    /// Goes on to the next server, or past the servers.
    fn query_next(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let count = self.server_count();
        let query = &mut self.queries[index];
        if query.turns + 1 < count {
            query.turns += 1;
            let next = (query.server + 1) % count;
            self.query_server(index, next, now, out);
            return;
        }
        if !query.heard {
            self.choice.all_silent(now, self.config.profile.wins_down);
        }
        self.servers_are_through(index, now, out);
    }

    fn servers_are_through(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        if self.node_type() == NodeType::H {
            self.broadcast_query(index, now, out);
        } else {
            self.not_found(index, out);
        }
    }

    fn subnet_is_through(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        if self.node_type() == NodeType::M {
            self.query_servers(index, now, out);
        } else {
            self.not_found(index, out);
        }
    }

    fn not_found(&mut self, index: usize, out: &mut Outbox<NbtOutput>) {
        let query = &self.queries[index];
        let source = match query.phase {
            QueryPhase::Broadcast => Answered::Broadcast,
            _ if query.asked => Answered::Wins(self.server_list()[usize::from(query.server)]),
            _ => Answered::Nobody,
        };
        self.finish(index, Resolution::NotFound, source, out);
    }

    /// Ends all queries for the name of this one.
    fn finish(
        &mut self,
        index: usize,
        resolution: Resolution,
        source: Answered,
        out: &mut Outbox<NbtOutput>,
    ) {
        let name = self.queries[index].name;
        self.queries.retain(|query| {
            let ends = query.name == name;
            if ends {
                out.push(query.answer(resolution, source));
            }
            !ends
        });
        if self.queries.is_empty() {
            self.queries = Vec::new(); // a client at rest is small
        }
    }

    /// The servers have changed: queries begin again.
    pub(super) fn restart_queries(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        // By name, because a query that nobody can be asked about ends at once and takes others along.
        let leads = self.queries.iter().filter(|query| query.phase != QueryPhase::Follow);
        let names: Vec<NetbiosName> = leads.map(|query| query.name).collect();
        for name in names {
            let Some(index) = self.queries.iter().position(|query| query.name == name) else {
                continue;
            };
            let query = &mut self.queries[index];
            (query.current_failed, query.heard, query.asked) = (false, false, false);
            self.start_query(index, now, out);
        }
    }

    /// A query's server said yes, or in a broadcast some host did.
    pub(super) fn query_positive(
        &mut self,
        index: usize,
        record: &Record<'_>,
        from: Ipv4Addr,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        let by_server = self.queries[index].phase == QueryPhase::Ask;
        let mut entries = record.entries().take(ADDRESSES_MAX);
        let Some(first) = entries.next() else {
            self.counters.malformed += 1;
            return;
        };
        if by_server {
            self.query_heard(index, now, out);
        }
        let more: Box<[Ipv4Addr]> = entries.map(|entry| entry.address).collect();
        let count = (1 + more.len()) as u8;
        let addresses = out.write(|buffer| write_addresses(first.address, &more, buffer));
        let entry = CacheEntry {
            name: self.queries[index].name,
            expires: now + self.config.profile.cache_life,
            group: first.flags.is_group(),
            first: first.address,
            more: (!more.is_empty()).then_some(more),
        };
        let (first, group) = (entry.first, entry.group);
        self.cache.put(entry, self.config.profile.cache_capacity);
        let source = if by_server { Answered::Wins(from) } else { Answered::Broadcast };
        self.finish(index, Resolution::Found { first, count, addresses, group }, source, out);
    }

    /// A query's server said no.
    pub(super) fn query_negative(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        self.query_heard(index, now, out);
        let profile = &self.config.profile;
        let more_than_one = self.server_count() > 1;
        if !profile.asks_next_on_negative {
            self.servers_are_through(index, now, out);
        } else if !profile.negative_wait.is_zero() && more_than_one {
            let wait = profile.negative_wait;
            let query = &mut self.queries[index];
            query.phase = QueryPhase::Wait;
            query.timer = now + wait;
        } else {
            self.query_next(index, now, out);
        }
    }

    /// A server answered a query. It becomes the server in use if that one was silent.
    fn query_heard(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let query = &mut self.queries[index];
        query.heard = true;
        let (failed, server) = (std::mem::take(&mut query.current_failed), query.server);
        self.choice.down_until = SimTime::ZERO;
        if failed && server != self.choice.current && self.choice.standing == Standing::Primary {
            self.use_server(server, now, out);
        }
    }
}

fn write_addresses(first: Ipv4Addr, more: &[Ipv4Addr], buffer: &mut Vec<u8>) {
    for address in std::iter::once(&first).chain(more).take(ADDRESSES_MAX) {
        buffer.extend_from_slice(&address.octets());
    }
}
