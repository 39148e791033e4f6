//! The world's half that only servers need: work waits for the processor, answers wait for the disk,
//! replication runs over streams.

use super::cpu::{NAME_CHANGES, Work};
use super::happening::What;
use super::host::{HostId, Life};
use super::service::ServiceStop;
use super::wins_keys;
use super::world::World;
use crate::base::{Machine, Outbox, Scheduler, SimTime};
use crate::net::{PacketHandle, PacketHeader, StreamEvent, StreamOutput, SubnetId, Transport};
use crate::registry::Registry;
use crate::registry::services::wins::WinsSettings;
use crate::wins::{Admission, BackupReason, Observation, OperatorAction, WinsInput, WinsOutput};
use crate::wire::Suffix;
use crate::wire::discovery::PORT as DISCOVERY_PORT;
use crate::wire::name_service::{NamePacket, Opcode, TYPE_NBSTAT, peek};
use std::net::SocketAddrV4;

/// Which of a server's machines a datagram is for, and what it costs.
enum Reader {
    /// The host's own NetBT: broadcasts, node status, answers to its requests.
    NetBt,
    /// Both: an answer carries the id of whoever asked, and only that machine knows it.
    Both,
    /// The WINS service, after waiting for the processor.
    Wins(Work),
}

/// Packets.
impl World {
    pub(super) fn server_receive<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) {
        let view = self.net.packet(packet);
        if matches!(view.header.transport, Transport::Tcp(_)) {
            let bytes = view.payload.len();
            return self.submit(h, Work::Replication, bytes, packet, sched);
        }
        let to = *view.header.destination.ip();
        let runs = self.hosts[h].server.as_ref().is_some_and(|s| {
            s.wins.is_some() && s.seat.as_ref().is_none_or(|seat| seat.address == to)
        });
        let reader = match runs {
            true => reader_of(view.payload),
            false => Reader::NetBt,
        };
        if matches!(reader, Reader::Wins(Work::Release)) && self.netbt_takes_release(h, packet) {
            self.nbt_datagram(h, packet, false, sched);
        }
        let view = self.net.packet(packet);
        match reader {
            Reader::Wins(work) => {
                let bytes = view.payload.len();
                self.submit(h, work, bytes, packet, sched);
            }
            Reader::NetBt => {
                self.any_nbt_datagram(h, packet, sched);
                self.net.release(packet);
            }
            Reader::Both => {
                self.any_nbt_datagram(h, packet, sched);
                self.wins_datagram(h, packet, None, sched);
                self.net.release(packet);
            }
        }
    }

    /// An announcement of a WINS server reaches those of its subnet. Returns whether it was one.
    pub(super) fn announcement<S: Scheduler>(
        &mut self,
        subnet: SubnetId,
        packet: PacketHandle,
        sched: &mut S,
    ) -> bool {
        let header = self.net.packet(packet).header;
        if header.transport != Transport::Udp || header.destination.port() != DISCOVERY_PORT {
            return false;
        }
        for h in 0..self.hosts.len() {
            let host = &self.hosts[h];
            let runs = host.life == Life::On && host.server.is_some() && host.subnet == subnet;
            if runs && self.net.hears(packet, host.interface, sched.now()) {
                let bytes = self.net.packet(packet).payload.to_vec();
                let input = WinsInput::Discovery { from: header.source, bytes: &bytes };
                self.wins_input(h, input, sched);
                self.rearm(h, sched);
            }
        }
        true
    }

    /// Whether a release is also taken by the host's own NetBT: the fault Q162696.
    fn netbt_takes_release(&self, h: usize, packet: PacketHandle) -> bool {
        let wins = self.hosts[h].server.as_ref().and_then(|s| s.wins.as_ref());
        wins.is_some_and(|wins| wins.core().profile.release_1d_reaches_netbt)
            && NamePacket::decode(self.net.packet(packet).payload).is_ok_and(|release| {
                let name = release.question.as_ref().map(|question| question.name);
                name.is_some_and(|name| name.suffix() == Suffix::LOCAL_MASTER)
            })
    }

    fn submit<S: Scheduler>(
        &mut self,
        h: usize,
        work: Work,
        bytes: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) {
        let Some(server) = &mut self.hosts[h].server else { return self.net.release(packet) };
        if work == Work::Registration
            && let Some(wins) = &server.wins
        {
            let waiting = server.cpu.waiting(NAME_CHANGES) as u32;
            match server.burst.admit(&wins.core().profile, waiting) {
                Admission::Queue => {}
                Admission::Early { queued, keep } => {
                    self.wins_datagram(h, packet, Some(queued), sched);
                    if !keep {
                        return self.net.release(packet);
                    }
                }
                Admission::Drop => {
                    self.net.release(packet);
                    return self.tell(h, What::QueueFull, sched);
                }
            }
        }
        let Some(server) = &mut self.hosts[h].server else { return };
        if let Err(packet) = server.cpu.submit(work, bytes, packet) {
            self.net.release(packet);
            return self.tell(h, What::QueueFull, sched);
        }
        self.start_work(h, sched);
    }

    fn start_work<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        if let Some(server) = &mut self.hosts[h].server
            && let Some(cost) = server.cpu.start()
        {
            sched.arm(server.cpu_timer, sched.now() + cost);
        }
    }

    pub(super) fn on_cpu<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(server) = &mut self.hosts[h].server else { return };
        if let Some((work, packet)) = server.cpu.finish() {
            match work {
                Work::Replication => self.segment(h, packet, sched),
                _ => self.wins_datagram(h, packet, None, sched),
            }
            self.net.release(packet);
        }
        self.start_work(h, sched);
        self.rearm(h, sched);
    }

    fn wins_datagram<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        overflow: Option<u32>,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let view = self.net.packet(packet);
        let (from, bytes) = (view.header.source, view.payload);
        let Some(wins) = self.hosts[h].server.as_mut().and_then(|s| s.wins.as_mut()) else {
            return;
        };
        let input = match overflow {
            None => WinsInput::Datagram { from, bytes },
            Some(queued) => WinsInput::Overflow { from, bytes, queued },
        };
        let mut out = std::mem::take(&mut self.wins_out);
        wins.handle(input, now, &mut out);
        self.wins_outputs(h, out, sched);
    }

    fn segment<S: Scheduler>(&mut self, h: usize, packet: PacketHandle, sched: &mut S) {
        let view = self.net.packet(packet);
        let Some(server) = &mut self.hosts[h].server else { return };
        let mut out = std::mem::take(&mut self.tcp_out);
        server.tcp.handle_segment(&view.header, view.payload, sched.now(), &mut out);
        self.tcp_outputs(h, out, sched);
    }
}

/// Machines.
impl World {
    pub(super) fn server_deadlines<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let now = self.now(h, sched);
        let Some(server) = &mut self.hosts[h].server else { return };
        let due = |at: Option<SimTime>| at.is_some_and(|at| at <= now.time);
        if due(server.tcp.next_deadline()) {
            let mut out = std::mem::take(&mut self.tcp_out);
            server.tcp.on_deadline(now, &mut out);
            self.tcp_outputs(h, out, sched);
        }
        let Some(server) = &mut self.hosts[h].server else { return };
        if let Some(wins) = &mut server.wins
            && due(wins.next_deadline())
        {
            let mut out = std::mem::take(&mut self.wins_out);
            wins.on_deadline(now, &mut out);
            self.wins_outputs(h, out, sched);
        }
    }

    pub(super) fn wins_input<S: Scheduler>(
        &mut self,
        h: usize,
        input: WinsInput<'_>,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let Some(wins) = self.hosts[h].server.as_mut().and_then(|s| s.wins.as_mut()) else {
            return;
        };
        let mut out = std::mem::take(&mut self.wins_out);
        wins.handle(input, now, &mut out);
        self.wins_outputs(h, out, sched);
    }

    /// An administrator does something at a server. Nothing if the service does not run.
    pub fn operate<S: Scheduler>(&mut self, id: HostId, action: OperatorAction, sched: &mut S) {
        // Partners are configuration: they outlive the service, in the registry, from which a cluster's
        // checkpoints take them to the other nodes.
        if let (OperatorAction::SetPartners(partners), Some(server)) =
            (&action, &mut self.hosts[id.0 as usize].server)
        {
            server.install.config.partners.clone_from(partners);
            let now = wins_keys::settings_of(&server.install.config);
            let change = |registry: &mut Registry| {
                let mut settings = WinsSettings::read(registry).is;
                (settings.pull_from, settings.push_to) = (now.pull_from, now.push_to);
                // A registry without room keeps the old ones.
                let _ = settings.write(registry);
            };
            self.edit_registry(id, change, sched);
        }
        if self.hosts[id.0 as usize].life == Life::On {
            self.wins_input(id.0 as usize, WinsInput::Operator(action), sched);
            self.rearm(id.0 as usize, sched);
        }
    }

    fn wins_outputs<S: Scheduler>(&mut self, h: usize, mut out: Outbox<WinsOutput>, sched: &mut S) {
        let (mut backed_up, mut failed) = (false, false);
        for i in 0..out.items.len() {
            match out.items[i] {
                WinsOutput::Send { to, bytes, after_commit } => {
                    self.answer(h, to, out.bytes(bytes), after_commit, sched);
                }
                WinsOutput::Multicast { to, ttl, bytes } => {
                    // Routers here know no multicast groups: it stays in its subnet, as a broadcast.
                    let on = self.net.subnet(self.hosts[h].subnet).1.broadcast();
                    let (interface, address) = self.wins_place(h);
                    let source = SocketAddrV4::new(address, to.port());
                    let header = PacketHeader::udp(source, SocketAddrV4::new(on, to.port()));
                    self.send(interface, &PacketHeader { ttl, ..header }, out.bytes(bytes), sched);
                }
                WinsOutput::Store(op) => {
                    let Some(server) = &mut self.hosts[h].server else { continue };
                    server.handed += 1;
                    if let Some(store) = &mut server.store {
                        store.apply(&op, &out);
                    }
                }
                WinsOutput::Backup(reason) => backed_up |= reason != BackupReason::AtStop,
                WinsOutput::Failed => failed = true,
                WinsOutput::Observe(observation) => {
                    if let Some(name) = subject(&observation) {
                        self.touched.push(name);
                    }
                    if let Observation::Logged(event) = observation {
                        self.log(h, event, sched);
                    }
                    self.tell(h, What::Wins(observation), sched);
                }
                WinsOutput::Connect { stream, to } => {
                    let local = self.wins_place(h).1;
                    let Some(server) = &mut self.hosts[h].server else { continue };
                    let mut tcp_out = std::mem::take(&mut self.tcp_out);
                    let opened = server.tcp.connect(local, to, sched.now(), &mut tcp_out);
                    match opened {
                        Ok(tcp) => {
                            server.outgoing.insert(stream, tcp);
                            self.tcp_outputs(h, tcp_out, sched);
                        }
                        Err(_) => {
                            self.tcp_out = tcp_out;
                            self.wins_input(h, WinsInput::StreamRefused { stream }, sched);
                        }
                    }
                }
                WinsOutput::StreamSend { stream, bytes } => {
                    let Some(server) = &mut self.hosts[h].server else { continue };
                    let Some(tcp) = server.tcp_number(stream) else { continue };
                    let mut tcp_out = std::mem::take(&mut self.tcp_out);
                    let sent = server.tcp.send(tcp, out.bytes(bytes), sched.now(), &mut tcp_out);
                    if sent.is_err() {
                        // The peer has gone, or takes nothing any more: the stream is of no use.
                        server.tcp.abort(tcp, &mut tcp_out);
                        server.outgoing.remove(&stream);
                    }
                    self.tcp_outputs(h, tcp_out, sched);
                    if sent.is_err() {
                        self.wins_input(h, WinsInput::StreamClosed { stream }, sched);
                    }
                }
                WinsOutput::StreamClose { stream } => {
                    let Some(server) = &mut self.hosts[h].server else { continue };
                    let Some(tcp) = server.tcp_number(stream) else { continue };
                    server.outgoing.remove(&stream);
                    let mut tcp_out = std::mem::take(&mut self.tcp_out);
                    server.tcp.close(tcp, sched.now(), &mut tcp_out);
                    self.tcp_outputs(h, tcp_out, sched);
                }
            }
        }
        out.clear();
        self.wins_out = out;
        // Copying the files takes no time here.
        if backed_up {
            self.wins_input(h, WinsInput::BackupDone { ok: true }, sched);
        }
        if failed {
            return self.wins_fell(h, ServiceStop::Fault, sched);
        }
        self.tell_records(h, sched);
        self.commit_soon(h, sched);
    }

    pub(super) fn log<S: Scheduler>(&mut self, h: usize, event: crate::wins::WinsEvent, sched: &S) {
        let wins = self.hosts[h].server.as_ref().and_then(|s| s.wins.as_ref());
        let version = wins.map(|w| w.core().profile.version);
        if let Some(id) = version.and_then(|version| event.number(version)) {
            self.tell(h, What::Logged { id, name: None }, sched);
        }
    }

    fn tcp_outputs<S: Scheduler>(
        &mut self,
        h: usize,
        mut out: Outbox<StreamOutput>,
        sched: &mut S,
    ) {
        for i in 0..out.items.len() {
            match out.items[i] {
                StreamOutput::Segment { header, payload } => {
                    let interface = self.wins_place(h).0;
                    self.send(interface, &header, out.bytes(payload), sched);
                }
                StreamOutput::Event(event) => {
                    let Some(server) = &mut self.hosts[h].server else { continue };
                    let number = |tcp| server.stream_number(tcp);
                    let (input, over) = match event {
                        StreamEvent::Connected { stream } => {
                            (WinsInput::StreamConnected { stream: number(stream) }, None)
                        }
                        StreamEvent::Refused { stream } => {
                            let number = number(stream);
                            (WinsInput::StreamRefused { stream: number }, Some(number))
                        }
                        StreamEvent::Opened { stream, peer, .. } => {
                            let stream = crate::wins::StreamId(stream.0);
                            (WinsInput::StreamOpened { stream, peer: *peer.ip() }, None)
                        }
                        StreamEvent::Data { stream, bytes } => {
                            let stream = number(stream);
                            (WinsInput::StreamData { stream, bytes: out.bytes(bytes) }, None)
                        }
                        StreamEvent::Closed { stream }
                        | StreamEvent::Reset { stream }
                        | StreamEvent::TimedOut { stream } => {
                            let number = number(stream);
                            (WinsInput::StreamClosed { stream: number }, Some(number))
                        }
                    };
                    if let Some(number) = over {
                        server.outgoing.remove(&number);
                    }
                    self.wins_input(h, input, sched);
                }
            }
        }
        out.clear();
        self.tcp_out = out;
    }
}

/// Requests that wait for WINS, and everything else. A packet that does not decode is WINS's to log.
fn reader_of(payload: &[u8]) -> Reader {
    let Some((_, flags)) = peek(payload) else { return Reader::Wins(Work::Query) };
    if flags.is_response() {
        return Reader::Both;
    }
    if flags.broadcast() {
        return Reader::NetBt;
    }
    match flags.opcode() {
        Opcode::Query => {
            let asked = NamePacket::decode(payload).ok().and_then(|packet| packet.question);
            match asked.is_some_and(|question| question.rr_type == TYPE_NBSTAT) {
                true => Reader::NetBt,
                false => Reader::Wins(Work::Query),
            }
        }
        Opcode::Release => Reader::Wins(Work::Release),
        Opcode::Registration
        | Opcode::Refresh
        | Opcode::RefreshAlternate
        | Opcode::MultihomedRegistration => Reader::Wins(Work::Registration),
        Opcode::Wack | Opcode::Unknown(_) => Reader::Wins(Work::Query),
    }
}

/// The name whose record an observation may have changed.
fn subject(observation: &Observation) -> Option<crate::wire::NetbiosName> {
    match observation {
        Observation::State { name, .. }
        | Observation::MembersChanged { name }
        | Observation::VersionAssigned { name, .. }
        | Observation::ReplicaApplied { name, .. } => Some(*name),
        _ => None,
    }
}
