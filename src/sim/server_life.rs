//! The WINS server's database on its disk, and how the service begins and ends.

use super::disk::DiskLoss;
use super::happening::What;
use super::host::{Death, HostId, Life};
use super::service::{HeldAnswer, LAZY_COMMIT_INTERVAL, ServiceStop};
use super::wins_keys;
use super::world::{World, kind};
use crate::base::{ActorId, Scheduler};
use crate::net::{InterfaceId, PacketHandle, PacketHeader, TcpStack};
use crate::registry::services::wins::WinsSettings;
use crate::wins::{BurstGate, CommitMode, WinsInput, WinsServer, WinsStore};
use crate::wire::name_service::PORT;
use crate::wire::replication::PORT as REPLICATION_PORT;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Database.
impl World {
    pub(super) fn answer<S: Scheduler>(
        &mut self,
        h: usize,
        to: SocketAddrV4,
        bytes: &[u8],
        after_commit: bool,
        sched: &mut S,
    ) {
        let (interface, address) = self.wins_place(h);
        let Some(server) = &mut self.hosts[h].server else { return };
        if after_commit && server.handed > server.durable {
            let ticket = server.handed;
            return server.held.push_back(HeldAnswer { ticket, to, bytes: bytes.into() });
        }
        let header = PacketHeader::udp(SocketAddrV4::new(address, PORT), to);
        self.send(interface, &header, bytes, sched);
    }

    /// Something was handed to the store: commit at once (strict, and the first reserve of version ids,
    /// without which nothing can be registered) or together with what follows (lazy).
    pub(super) fn commit_soon<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        let Some(wins) = &server.wins else { return };
        if !server.is_dirty() || server.in_flight.is_some() {
            return;
        }
        let core = wins.core();
        if core.profile.commit == CommitMode::Strict || core.versions_available() == 0 {
            self.commit(h, sched);
        } else if !server.commit_armed {
            server.commit_armed = true;
            sched.arm(server.commit_timer, sched.now() + LAZY_COMMIT_INTERVAL);
        }
    }

    pub(super) fn on_commit_due<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        server.commit_armed = false;
        server.burst = BurstGate::new();
        if server.is_dirty() && server.in_flight.is_none() {
            self.commit(h, sched);
        }
    }

    pub(super) fn commit<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        let Some(store) = &mut server.store else { return };
        match store.commit() {
            Ok(_) => {
                server.in_flight = Some(server.handed);
                server.disk_done = server.submit(sched.now()).unwrap_or(sched.now());
                sched.arm(server.disk_timer, server.disk_done);
            }
            Err(error) => self.wins_failed(h, &error.to_string(), sched),
        }
    }

    pub(super) fn on_disk<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        let Some(ticket) = server.in_flight.take() else { return };
        server.durable = ticket;
        server.settle(sched.now());
        self.tell(h, What::Committed, sched);
        self.wins_input(h, WinsInput::Durable { ticket }, sched);
        self.release_held(h, sched);
        self.commit_soon(h, sched);
        self.rearm(h, sched);
    }

    pub(super) fn release_held<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        loop {
            let Some(server) = &mut self.hosts[h].server else { return };
            let durable = server.durable;
            let Some(held) = server.held.pop_front_if(|held| held.ticket <= durable) else {
                return;
            };
            self.answer(h, held.to, &held.bytes, false, sched);
        }
    }

    /// A database that cannot be written stops the service (Q134958); the host stays up.
    pub(super) fn wins_failed<S: Scheduler>(&mut self, h: usize, why: &str, sched: &mut S) {
        self.log(h, crate::wins::WinsEvent::DatabaseError, sched);
        self.wins_fell(h, ServiceStop::Database(why.to_string()), sched);
    }

    /// The service has ended by itself; the host stays up.
    pub(super) fn wins_fell<S: Scheduler>(&mut self, h: usize, why: ServiceStop, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        server.stopped = Some(why);
        self.wins_gone(h, sched);
        self.tell(h, What::WinsDown, sched);
        self.clustered_wins_fell(h);
    }

    /// The service's process ends; nothing more reaches its database.
    pub(super) fn wins_killed<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        if server.wins.is_some() {
            server.close_files();
            self.wins_gone(h, sched);
            self.tell(h, What::WinsDown, sched);
        }
    }

    /// The adapter and address the WINS service speaks from.
    pub(super) fn wins_place(&self, h: usize) -> (InterfaceId, Ipv4Addr) {
        let host = &self.hosts[h];
        match host.server.as_ref().and_then(|server| server.seat.as_ref()) {
            Some(seat) => (seat.interface, seat.address),
            None => (host.interface, host.address),
        }
    }

    /// A datagram for whichever NetBT of the host has the address it was sent to.
    pub(super) fn any_nbt_datagram<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) {
        if !self.address_takes(h, packet, sched) {
            self.nbt_datagram(h, packet, false, sched);
        }
    }

    /// Forgets everything the service held in memory.
    pub(super) fn wins_gone<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        server.wins = None;
        server.store = None;
        server.held.clear();
        server.outgoing.clear();
        server.in_flight = None;
        (server.handed, server.durable) = (0, 0);
        server.commit_armed = false;
        server.burst = BurstGate::new();
        server.tcp = TcpStack::new(server.install.tcp);
        for timer in [server.cpu_timer, server.disk_timer, server.commit_timer] {
            sched.cancel(timer);
        }
        let waiting: Vec<PacketHandle> = server.cpu.drain().collect();
        waiting.into_iter().for_each(|packet| self.net.release(packet));
    }
}

/// Life and death.
impl World {
    pub(super) fn start_wins<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let address = self.wins_place(h).1;
        let chance = self.wins_chance(h);
        let host = &mut self.hosts[h];
        let Some(server) =
            host.server.as_mut().filter(|s| !s.install.clustered || s.seat.is_some())
        else {
            return;
        };
        server.stopped = None;
        let opened = WinsStore::open(server.open_file())
            .and_then(|store| store.load().map(|loaded| (store, loaded)));
        let (store, loaded) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                server.stopped = Some(ServiceStop::Database(error.to_string()));
                return;
            }
        };
        // What opening wrote (a new file, a repair) goes into the disk's queue before everything the service
        // will write.
        server.submit(sched.now());
        let is_new = loaded.records.is_empty();
        let mut config = server.install.config.clone();
        config.address = address;
        if let Some(system) = &host.system {
            wins_keys::take_over(&mut config, &WinsSettings::read(system.registry()).is);
        }
        let mut wins = WinsServer::new(config, chance);
        wins.load(loaded);
        server.wins = Some(wins);
        server.store = Some(store);
        server.tcp.listen(REPLICATION_PORT);
        self.tell(h, What::WinsUp, sched);
        self.wins_input(h, WinsInput::Start, sched);
        if is_new && let Some(server) = &self.hosts[h].server {
            for action in server.install.first_start.clone() {
                self.wins_input(h, WinsInput::Operator(action), sched);
            }
        }
    }

    /// Starts the WINS service of a host whose services start now: at once, or later as installed.
    pub(super) fn start_wins_in_time<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let host = &self.hosts[h];
        match host.server.as_ref().map(|server| server.install.starts_after) {
            Some(after) if !after.is_zero() => {
                let payload = kind::SERVICE | (host.boots & kind::INDEX);
                sched.schedule(sched.now() + after, ActorId(h as u32), payload);
            }
            _ => self.start_wins(h, sched),
        }
    }

    /// It is time for a service that starts late, unless its host was switched off since, or an
    /// administrator was quicker.
    pub(super) fn on_service_due<S: Scheduler>(&mut self, h: usize, boots: u32, sched: &mut S) {
        let host = &self.hosts[h];
        let waits = host.server.as_ref().is_some_and(|s| s.wins.is_none() && s.stopped.is_none());
        let same_boot = host.boots & kind::INDEX == boots;
        if waits && same_boot && matches!(host.life, Life::On | Life::Paused) {
            self.start_wins(h, sched);
            self.rearm(h, sched);
        }
    }

    /// Starts a WINS service that a full or failed disk has stopped.
    pub fn restart_service<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        let stopped = self.hosts[h].server.as_ref().is_some_and(|s| s.stopped.is_some());
        if stopped && self.hosts[h].life == Life::On {
            self.start_wins(h, sched);
            self.rearm(h, sched);
        }
    }

    /// An administrator stops the WINS service; the host stays on. Nothing if it does not run.
    pub fn stop_service<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        let runs = self.hosts[h].server.as_ref().is_some_and(|s| s.wins.is_some());
        if runs && self.hosts[h].life == Life::On {
            self.stop_wins(h, sched);
            self.rearm(h, sched);
        }
    }

    /// An administrator starts the WINS service. Nothing if it runs, or the host is not on.
    pub fn start_service<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        let stopped = self.hosts[h].server.as_ref().is_some_and(|s| s.wins.is_none());
        if stopped && self.hosts[h].life == Life::On {
            self.start_wins(h, sched);
            self.rearm(h, sched);
        }
    }

    /// The service stops in order: what it holds in memory reaches the disk.
    pub(super) fn stop_wins<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        self.wins_input(h, WinsInput::Stop, sched);
        let Some(server) = &mut self.hosts[h].server else { return };
        if server.wins.is_none() {
            return;
        }
        if let Some(store) = &mut server.store
            && let Err(error) = store.commit()
        {
            return self.wins_failed(h, &error.to_string(), sched);
        }
        self.wins_gone(h, sched);
        if let Some(server) = &mut self.hosts[h].server {
            server.submit(sched.now());
            server.close_files();
        }
        self.tell(h, What::WinsDown, sched);
    }

    pub(super) fn server_gone<S: Scheduler>(&mut self, h: usize, how: Death, sched: &mut S) {
        let ran = self.hosts[h].server.as_ref().is_some_and(|s| s.wins.is_some());
        let loss = match how {
            Death::ShutDown => None,
            Death::Crash => Some(DiskLoss::Crash),
            Death::PowerCut => Some(DiskLoss::PowerCut),
            Death::Wipe => Some(DiskLoss::Wipe),
        };
        // The disk first: closing the database would write to it, which a dead machine does not.
        if let (Some(loss), Some(server)) = (loss, &mut self.hosts[h].server) {
            let mut chance = self.streams.resume(server.disk_chance);
            server.disk.lose(loss, sched.now(), &mut chance);
            server.disk_chance = chance.rest();
            if let Some(seat) = server.seat.take() {
                seat.lease.give_up();
            }
        }
        self.wins_gone(h, sched);
        if ran {
            self.tell(h, What::WinsDown, sched);
        }
    }

    /// The processor of a paused host stands still, and so do its commits.
    pub(super) fn server_paused<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        if let Some(server) = &mut self.hosts[h].server {
            for timer in [server.cpu_timer, server.disk_timer, server.commit_timer] {
                sched.cancel(timer);
            }
        }
    }

    /// What stood still goes on: work in hand is finished now, a commit that the disk has long done is seen.
    pub(super) fn server_resumed<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let now = sched.now();
        if let Some(server) = &mut self.hosts[h].server {
            if server.cpu.is_busy() {
                sched.arm(server.cpu_timer, now);
            }
            if server.in_flight.is_some() {
                // The disk went on meanwhile, and may not be done yet.
                sched.arm(server.disk_timer, server.disk_done.max(now));
            }
            if server.commit_armed {
                sched.arm(server.commit_timer, now);
            }
        }
    }
}
