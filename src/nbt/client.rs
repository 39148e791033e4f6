//! The client itself: its parts, its inputs, its deadlines.

use super::cache::Cache;
use super::identity::{Identity, StartupName};
use super::name_table::{AfterRelease, LocalName, Phase};
use super::resolve::Query;
use super::servers::{ServerChoice, at_least};
use super::types::{
    Answered, Counters, NameKind, NameState, NbtConfig, NbtInput, NbtOutput, OwnedName, Registrar,
    Resolution,
};
use crate::base::{Machine, Now, Outbox, SimTime};
use crate::wire::name_service::{NodeType, PORT};
use crate::wire::{NetbiosName, Suffix};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

/// Names a host holds at most (NetBIOS numbers them in one byte, 0 and 255 excepted).
pub const NAMES_MAX: usize = 254;

/// A NetBT client. Power loss is dropping it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NbtClient {
    pub(super) config: Arc<NbtConfig>,
    pub(super) servers: Arc<[Ipv4Addr]>,
    pub(super) names: Vec<LocalName>,
    pub(super) queries: Vec<Query>,
    pub(super) cache: Cache,
    /// Addresses behind the first, on a multihomed host.
    pub(super) more_addresses: Box<[Ipv4Addr]>,
    pub(super) choice: ServerChoice,
    pub(super) counters: Counters,
    /// `nbtstat -RR` is refused before this time.
    release_refresh_at: SimTime,
    pub(super) address: Ipv4Addr,
    next_id: u16,
    life: Life,
    /// Some server has granted a time to live since the start.
    pub(super) granted: bool,
    /// The Server service has stopped once, and its name is not registered again (Q139932).
    server_name_lost: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Life {
    Off,
    Running,
    Stopping,
    Stopped,
}

/// What is due next.
enum Due {
    Name(usize),
    Query(usize),
    Probe,
}

impl NbtClient {
    /// A client that has not started. `addresses` are the host's, the first one in use for everything a
    /// host with one adapter does; `servers` the configured name servers in order; `first_id` the first
    /// transaction id, which any two hosts should have different.
    pub fn new(
        config: Arc<NbtConfig>,
        identity: &Identity,
        addresses: &[Ipv4Addr],
        servers: Arc<[Ipv4Addr]>,
        first_id: u16,
    ) -> NbtClient {
        let startup = identity.startup_names();
        let mut names = Vec::with_capacity(startup.len().min(NAMES_MAX));
        names.extend(startup.into_iter().take(NAMES_MAX).map(LocalName::new));
        NbtClient { names, ..NbtClient::without_names(config, addresses, servers, first_id) }
    }

    /// The client of a further address of a host, such as one that moves with a cluster's group: it claims
    /// no names at its start.
    pub fn for_address(
        config: Arc<NbtConfig>,
        address: Ipv4Addr,
        servers: Arc<[Ipv4Addr]>,
        first_id: u16,
    ) -> NbtClient {
        NbtClient::without_names(config, &[address], servers, first_id)
    }

    fn without_names(
        config: Arc<NbtConfig>,
        addresses: &[Ipv4Addr],
        servers: Arc<[Ipv4Addr]>,
        first_id: u16,
    ) -> NbtClient {
        let (&address, more) = addresses.split_first().unwrap_or((&Ipv4Addr::UNSPECIFIED, &[]));
        NbtClient {
            config,
            servers,
            names: Vec::new(),
            queries: Vec::new(),
            cache: Cache::default(),
            more_addresses: more.into(),
            choice: ServerChoice::new(),
            counters: Counters::default(),
            release_refresh_at: SimTime::ZERO,
            address,
            next_id: first_id,
            life: Life::Off,
            granted: false,
            server_name_lost: false,
        }
    }

    /// The local names with their states.
    pub fn owned_names(&self) -> impl Iterator<Item = OwnedName> + '_ {
        self.names.iter().map(|held| OwnedName {
            name: held.name,
            kind: held.kind,
            state: held.state,
        })
    }

    /// Whether a broadcast about `name` can mean anything to this client. For all others it is exact:
    /// handling the broadcast would leave the client as it was and put nothing out.
    pub fn wants_broadcast_for(&self, name: &NetbiosName) -> bool {
        self.is_up() && self.node_type() != NodeType::P && self.find(name).is_some()
    }

    /// The server in use, if any is configured.
    pub fn current_server(&self) -> Option<Ipv4Addr> {
        self.server_list().get(usize::from(self.choice.current)).copied()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The address in use.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The node type in force: as configured, or else H with at least one server and B without
    /// (MS-NBTE 3.1.3).
    pub fn node_type(&self) -> NodeType {
        let default = if self.servers.is_empty() { NodeType::B } else { NodeType::H };
        self.config.node_type.unwrap_or(default)
    }

    /// How many remote names the cache holds, expired ones included.
    pub fn cached_names(&self) -> usize {
        self.cache.len()
    }

    /// Memory in bytes, heap included, what it shares with other hosts excluded.
    pub fn memory_bytes(&self) -> usize {
        size_of::<NbtClient>()
            + self.names.capacity() * size_of::<LocalName>()
            + self.queries.capacity() * size_of::<Query>()
            + size_of_val(&*self.more_addresses)
            + self.cache.heap_bytes()
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.life, Life::Running | Life::Stopping)
    }

    pub(super) fn is_running(&self) -> bool {
        self.life == Life::Running
    }

    /// The servers the version uses at all.
    pub(super) fn server_list(&self) -> &[Ipv4Addr] {
        &self.servers[..self.server_count().into()]
    }

    pub(super) fn server_count(&self) -> u8 {
        self.servers.len().min(self.config.profile.servers_max.into()) as u8
    }

    /// Whether the node asks servers at all, and may do so now.
    pub(super) fn can_ask(&self, now: SimTime) -> bool {
        self.node_type() != NodeType::B && self.server_count() > 0 && self.choice.is_usable(now)
    }

    /// Whether the node will ask servers, now or later.
    pub(super) fn will_ask(&self) -> bool {
        self.node_type() != NodeType::B && self.server_count() > 0 && !self.choice.given_up
    }

    pub(super) fn find(&self, name: &NetbiosName) -> Option<usize> {
        self.names.iter().position(|held| held.name == *name)
    }

    pub(super) fn has_address(&self, address: Ipv4Addr) -> bool {
        self.address == address || self.more_addresses.contains(&address)
    }

    pub(super) fn new_id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    pub(super) fn send(
        &self,
        to: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let bytes = out.write(write);
        out.push(NbtOutput::Send { to: SocketAddrV4::new(to, PORT), bytes });
    }

    pub(super) fn broadcast(
        &mut self,
        out: &mut Outbox<NbtOutput>,
        write: impl FnOnce(&Self, &mut Vec<u8>),
    ) {
        self.counters.broadcasts_sent += 1;
        let bytes = out.write(|buffer| write(self, buffer));
        out.push(NbtOutput::Broadcast { bytes });
    }

    pub(super) fn set_state(
        &mut self,
        index: usize,
        state: NameState,
        out: &mut Outbox<NbtOutput>,
    ) {
        let held = &mut self.names[index];
        if held.state != state {
            held.state = state;
            out.push(NbtOutput::NameState { name: held.name, state });
        }
    }

    /// Puts another server in use, if it is not already.
    pub(super) fn use_server(&mut self, server: u8, now: SimTime, out: &mut Outbox<NbtOutput>) {
        self.choice.down_until = SimTime::ZERO;
        let from = self.choice.current;
        if from == server {
            return;
        }
        self.choice.switch_to(server, self.config.profile.return_rule, now);
        let list = self.server_list();
        let (from, to) = (list[usize::from(from)], list[usize::from(server)]);
        out.push(NbtOutput::ServerSwitched { from, to });
    }

    fn boot(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        if self.life != Life::Off {
            return;
        }
        self.life = Life::Running;
        for held in &mut self.names {
            held.timer = now + self.config.profile.service_spacing * u64::from(held.service);
            out.push(NbtOutput::NameState { name: held.name, state: NameState::Registering });
        }
    }

    fn shut_down(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        if !self.is_running() {
            if self.life == Life::Off {
                self.life = Life::Stopping;
                self.names.clear();
            }
            return;
        }
        self.life = Life::Stopping;
        self.choice.probe_at = SimTime::MAX;
        for query in std::mem::take(&mut self.queries) {
            out.push(query.answer(Resolution::NotFound, Answered::Nobody));
        }
        let releases_all = self.config.profile.releases_all_at_shutdown;
        let stays = |suffix| {
            matches!(suffix, Suffix::WORKSTATION | Suffix::MESSENGER | Suffix::DOMAIN_CONTROLLERS)
        };
        self.names.retain(|held| releases_all || held.is_leaving() || !stays(held.name.suffix()));
        self.release_where(now, out, |_| true);
    }

    /// Begins the release of all names that `applies` to.
    fn release_where(
        &mut self,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
        applies: impl Fn(&LocalName) -> bool,
    ) {
        // Backwards, because a release that has nothing to send removes its name at once.
        for index in (0..self.names.len()).rev() {
            if applies(&self.names[index]) {
                self.begin_release(index, AfterRelease::Remove, now, out);
            }
        }
    }

    fn add_name(&mut self, startup: StartupName, now: SimTime, out: &mut Outbox<NbtOutput>) {
        if matches!(self.life, Life::Stopping | Life::Stopped) {
            return;
        }
        if self.server_name_lost && startup.name.suffix() == Suffix::SERVER {
            return;
        }
        if let Some(index) = self.find(&startup.name) {
            let held = &mut self.names[index];
            held.users = held.users.saturating_add(1);
            if held.is_leaving() {
                held.after_release = AfterRelease::ClaimAgain;
                held.users = 1;
            } else if held.state == NameState::Conflict {
                // MS-NBTE 3.1.4.1: fails at once.
                out.push(NbtOutput::NameState { name: held.name, state: held.state });
            }
            return;
        }
        if self.names.len() >= NAMES_MAX {
            self.counters.turned_away += 1;
            return;
        }
        let mut held = LocalName::new(startup);
        held.service = self.names.last().map_or(0, |last| last.service.saturating_add(1));
        if self.is_running() {
            held.timer = now;
            out.push(NbtOutput::NameState { name: held.name, state: NameState::Registering });
        }
        self.names.push(held);
    }

    fn remove_name(&mut self, name: &NetbiosName, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let Some(index) = self.find(name) else { return };
        let held = &mut self.names[index];
        held.users = held.users.saturating_sub(1);
        if held.users == 0 {
            let server_stops = held.name.suffix() == Suffix::SERVER;
            self.server_name_lost |= server_stops && self.config.profile.forgets_server_name;
            self.begin_release(index, AfterRelease::Remove, now, out);
        }
    }

    fn change_address(
        &mut self,
        address: Ipv4Addr,
        servers: &[Ipv4Addr],
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        if self.is_up() && self.config.profile.releases_on_address_change {
            self.release_old_address(out);
        }
        self.address = address;
        self.replace_servers(servers);
        if !self.is_up() {
            return;
        }
        for index in (0..self.names.len()).rev() {
            if self.names[index].is_leaving() {
                self.restart_release(index, now, out);
            } else {
                // A name in conflict is tried again too (MS-NBTE 3.1.7).
                self.set_state(index, NameState::Registering, out);
                self.plan_claim(index, now);
            }
        }
        self.restart_queries(now, out);
    }

    fn set_servers(&mut self, servers: &[Ipv4Addr], now: SimTime, out: &mut Outbox<NbtOutput>) {
        if *self.servers == *servers {
            return;
        }
        self.replace_servers(servers);
        if !self.is_up() {
            return;
        }
        for index in (0..self.names.len()).rev() {
            if self.names[index].is_leaving() {
                self.restart_release(index, now, out);
            } else if self.names[index].state != NameState::Conflict {
                let waits_for_its_service = self.names[index].phase == Phase::Idle
                    && self.names[index].state == NameState::Registering
                    && self.names[index].timer != SimTime::MAX;
                if !waits_for_its_service {
                    self.plan_claim(index, now);
                }
            }
        }
        self.restart_queries(now, out);
    }

    fn replace_servers(&mut self, servers: &[Ipv4Addr]) {
        if *self.servers != *servers {
            self.servers = servers.into();
        }
        self.choice = ServerChoice::new();
    }

    fn release_refresh(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let Some(pause) = self.config.profile.release_refresh else { return };
        if !self.is_running() || now < self.release_refresh_at {
            return;
        }
        self.release_refresh_at = now + pause;
        if self.server_count() > 0 {
            self.use_server(0, now, out);
        }
        self.choice = ServerChoice::new();
        self.granted = false;
        for index in (0..self.names.len()).rev() {
            if self.names[index].state == NameState::Conflict {
                self.set_state(index, NameState::Registering, out);
                self.plan_claim(index, now);
            } else if !self.names[index].is_leaving() {
                self.begin_release(index, AfterRelease::ClaimAgain, now, out);
            }
        }
    }

    /// The earliest thing to do. Of several at one time: names in their order, queries, the probe.
    fn first_due(&self) -> Option<(SimTime, Due)> {
        if !self.is_up() {
            return None;
        }
        let mut first = (self.choice.probe_at, Due::Probe);
        for (index, query) in self.queries.iter().enumerate().rev() {
            if query.timer <= first.0 {
                first = (query.timer, Due::Query(index));
            }
        }
        for (index, held) in self.names.iter().enumerate().rev() {
            if held.timer <= first.0 {
                first = (held.timer, Due::Name(index));
            }
        }
        (first.0 != SimTime::MAX).then_some(first)
    }

    /// Does everything that is due. Every step moves the deadline it served past `now`, or removes it.
    fn act(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        while let Some((at, due)) = self.first_due() {
            if at > now {
                break;
            }
            match due {
                Due::Name(index) => self.name_due(index, now, out),
                Due::Query(index) => self.query_due(index, now, out),
                Due::Probe => self.probe_due(now, out),
            }
        }
        if self.life == Life::Stopping && self.names.is_empty() {
            self.life = Life::Stopped;
            out.push(NbtOutput::Stopped);
        }
    }

    /// The wait of a name for its phase ended.
    fn name_due(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let profile = &self.config.profile;
        let (server_tries, broadcast_tries) = (profile.server_tries, profile.broadcast_tries);
        let held = &self.names[index];
        match held.phase {
            Phase::Idle => self.begin_due(index, now, out),
            Phase::Claim | Phase::Refresh | Phase::Probe | Phase::Release => {
                self.counters.timeouts += 1;
                if held.tries < u16::from(server_tries) {
                    self.send_to_server(index, now, out);
                } else {
                    self.server_failed(index, now, out);
                }
            }
            Phase::ClaimBroadcast | Phase::ReleaseBroadcast => {
                if held.tries < u16::from(broadcast_tries) {
                    self.send_broadcast(index, now, out);
                } else if held.phase == Phase::ClaimBroadcast {
                    self.claimed_by_broadcast(index, now, out);
                } else {
                    self.released(index, now, out);
                }
            }
        }
    }

    /// Begins what an idle name waits for.
    fn begin_due(&mut self, index: usize, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let held = &self.names[index];
        match held.state {
            NameState::Registered { by: Registrar::Wins(_) } if !held.claim_again => {
                self.sweep(now, out);
            }
            NameState::Registered { by: Registrar::Broadcast } => self.claim_group(now, out),
            NameState::Registered { .. } | NameState::Registering => {
                self.begin_claim(index, now, out);
            }
            NameState::Conflict | NameState::Released => {
                self.names[index].timer = SimTime::MAX;
            }
        }
    }

    /// Sets the retry wait of a name that no server has accepted.
    pub(super) fn retry_later(&mut self, index: usize, now: SimTime) {
        let wait = self.config.profile.retry_wait(self.granted);
        let asks = self.will_ask();
        let held = &mut self.names[index];
        held.phase = Phase::Idle;
        held.timer = if asks { now + at_least(wait) } else { SimTime::MAX };
    }
}

impl Machine for NbtClient {
    type Input<'a> = NbtInput<'a>;
    type Output = NbtOutput;

    fn handle(&mut self, input: NbtInput<'_>, now: Now, out: &mut Outbox<NbtOutput>) {
        let now = now.time;
        match input {
            NbtInput::Boot => self.boot(now, out),
            NbtInput::ShutDown => self.shut_down(now, out),
            NbtInput::Datagram { from, broadcast, bytes } => {
                self.receive(*from.ip(), broadcast, bytes, now, out);
            }
            NbtInput::Resolve { request, name } => self.resolve(request, name, now, out),
            NbtInput::AddName { name, kind } => {
                self.add_name(StartupName { name, kind, service: 0, user: false }, now, out);
            }
            NbtInput::RemoveName { name } => self.remove_name(&name, now, out),
            NbtInput::LogOn { user } => {
                let name = user.with_suffix(Suffix::MESSENGER);
                let kind = NameKind::Unique;
                self.add_name(StartupName { name, kind, service: 0, user: true }, now, out);
            }
            NbtInput::LogOff => self.release_where(now, out, |held| held.of_user),
            NbtInput::AddressChanged { address, servers } => {
                self.change_address(address, servers, now, out);
            }
            NbtInput::SetServers { servers } => self.set_servers(servers, now, out),
            NbtInput::Purge => self.cache.purge(),
            NbtInput::ReleaseRefresh => self.release_refresh(now, out),
        }
        self.act(now, out);
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox<NbtOutput>) {
        self.act(now.time, out);
    }

    fn next_deadline(&self) -> Option<SimTime> {
        self.first_due().map(|(at, _)| at)
    }
}
