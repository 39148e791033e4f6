//! Life and death of hosts: boots, shutdowns, crashes, pauses, moves.

use super::happening::{RecordLook, What};
use super::host::{BootTime, Death, HostId, Life};
use super::world::World;
use crate::base::{Scheduler, SimDuration, SimTime};
use crate::nbt::{NbtClient, NbtInput};
use crate::net::{PacketHeader, SubnetId, TopologyError};
use crate::wire::NetbiosName;
use crate::wire::name_service::PORT;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Life and death.
impl World {
    /// Switches a host on; its services run after the boot time, drawn from the host's own stream. Nothing
    /// if it is on already.
    pub fn boot<S: Scheduler>(&mut self, id: HostId, takes: SimDuration, sched: &mut S) {
        let host = &mut self.hosts[id.0 as usize];
        if host.life != Life::Off {
            return;
        }
        host.life = Life::Booting;
        host.boots += 1;
        host.armed = sched.now() + takes;
        sched.arm(host.timer, host.armed);
    }

    /// A boot time between the two ends, the same for the same boot of the same host in every run.
    pub fn boot_time(&self, name: &str, id: HostId, range: BootTime) -> SimDuration {
        let path = format!("host/{name}/boot/{}", self.hosts[id.0 as usize].boots);
        self.streams.stream(&path).duration(range.low, range.high)
    }

    pub(super) fn start_services<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let host = &mut self.hosts[h];
        host.life = Life::On;
        self.net.set_interface_up(host.interface, true);
        if let Some(install) = &host.install {
            // Transaction ids start anywhere: two boots of a host must not repeat each other's.
            let ids = (h as u16)
                .wrapping_mul(0x9E37)
                .wrapping_add((host.boots as u16).wrapping_mul(0x3D4D));
            host.nbt = Some(Box::new(NbtClient::new(
                install.config.clone(),
                &install.identity,
                &[host.address],
                install.servers.clone(),
                ids,
            )));
        }
        self.tell(h, What::Up, sched);
        self.start_wins_in_time(h, sched);
        self.nbt_input(h, NbtInput::Boot, sched);
        self.system_boots(h, sched);
        self.rearm(h, sched);
    }

    /// Shuts a host down in order: names are released, then the services stop.
    pub fn shut_down<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        match self.hosts[h].life {
            Life::Booting => self.gone(h, Death::ShutDown, sched),
            Life::On => {
                self.hosts[h].life = Life::ShuttingDown;
                if self.cluster_shuts_down(h, sched) {
                    return self.rearm(h, sched);
                }
                self.shut_down_net_bt(h, sched);
            }
            Life::Off | Life::Paused | Life::ShuttingDown => {}
        }
    }

    /// The shutdown goes on: no cluster service runs any more.
    pub(super) fn shut_down_net_bt<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        if self.hosts[h].life != Life::ShuttingDown {
            return;
        }
        if self.hosts[h].nbt.is_some() {
            self.nbt_input(h, NbtInput::ShutDown, sched);
            self.rearm(h, sched);
        } else {
            self.stop_services(h, sched);
        }
    }

    pub(super) fn stop_services<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        self.stop_wins(h, sched);
        self.system_stops(h, sched);
        self.gone(h, Death::ShutDown, sched);
    }

    /// Ends a host without a word: crash, power cut or wipe.
    pub fn kill<S: Scheduler>(&mut self, id: HostId, how: Death, sched: &mut S) {
        if self.hosts[id.0 as usize].life != Life::Off || how == Death::Wipe {
            self.gone(id.0 as usize, how, sched);
        }
    }

    pub(super) fn gone<S: Scheduler>(&mut self, h: usize, how: Death, sched: &mut S) {
        let was_up = self.hosts[h].is_up();
        self.stop_listening(h);
        let host = &mut self.hosts[h];
        host.life = Life::Off;
        host.nbt = None;
        host.armed = SimTime::MAX;
        sched.cancel(host.timer);
        self.net.set_interface_up(host.interface, false);
        let parked = std::mem::take(&mut host.parked);
        parked.into_iter().for_each(|packet| self.net.release(packet));
        self.server_gone(h, how, sched);
        self.system_gone(h, how, sched);
        if was_up {
            self.tell(h, What::Down(how), sched);
        }
    }

    /// A host stands still: what arrives waits in its sockets, as far as they hold it.
    pub fn pause<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let host = &mut self.hosts[id.0 as usize];
        if host.life == Life::On {
            host.life = Life::Paused;
            host.armed = SimTime::MAX;
            sched.cancel(host.timer);
            self.server_paused(id.0 as usize, sched);
            self.cluster_paused(id.0 as usize, sched);
        }
    }

    /// A paused host goes on: first what waited, then what is overdue.
    pub fn resume<S: Scheduler>(&mut self, id: HostId, sched: &mut S) {
        let h = id.0 as usize;
        if self.hosts[h].life != Life::Paused {
            return;
        }
        self.hosts[h].life = Life::On;
        self.server_resumed(h, sched);
        self.cluster_resumed(h, sched);
        self.learn_address(h, sched);
        for packet in std::mem::take(&mut self.hosts[h].parked) {
            self.receive(h, packet, false, sched);
        }
        self.system_resumed(h, sched);
        self.on_timer(h, sched);
    }

    /// Moves a host to another subnet. A host that is on learns its new address and name servers at once,
    /// as from DHCP.
    ///
    /// # Errors
    /// The address is taken or does not belong to the subnet.
    pub fn roam<S: Scheduler>(
        &mut self,
        id: HostId,
        subnet: SubnetId,
        address: Ipv4Addr,
        sched: &mut S,
    ) -> Result<(), TopologyError> {
        let h = id.0 as usize;
        self.net.move_interface(self.hosts[h].interface, subnet, address)?;
        let held: Vec<NetbiosName> = match &self.hosts[h].nbt {
            Some(nbt) => nbt.owned_names().map(|owned| owned.name).collect(),
            None => Vec::new(),
        };
        self.stop_listening(h);
        (self.hosts[h].subnet, self.hosts[h].address) = (subnet, address);
        held.into_iter().for_each(|name| self.listen(h, name, true));
        self.tell(h, What::Moved, sched);
        if matches!(self.hosts[h].life, Life::On | Life::ShuttingDown) {
            self.learn_address(h, sched);
            self.rearm(h, sched);
        }
        Ok(())
    }

    /// NetBT learns that its host has another address; one that stands still learns it when it goes on.
    pub(super) fn learn_address<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let address = self.hosts[h].address;
        let knows = self.hosts[h].nbt.as_ref().is_none_or(|nbt| nbt.address() == address);
        if let Some(install) = &self.hosts[h].install
            && !knows
        {
            let servers = install.servers.clone();
            self.nbt_input(h, NbtInput::AddressChanged { address, servers: &servers }, sched);
        }
    }

    /// Turns the hands of a host's clock.
    pub fn clock_jump<S: Scheduler>(&mut self, id: HostId, nanos: i64, sched: &mut S) {
        self.hosts[id.0 as usize].clock.jump(sched.now(), nanos);
        self.rearm(id.0 as usize, sched);
    }

    /// Makes a host's clock gain so many nanoseconds a second more than now.
    pub fn clock_drift<S: Scheduler>(&mut self, id: HostId, more: i64, sched: &mut S) {
        let clock = &mut self.hosts[id.0 as usize].clock;
        let drift = i64::from(clock.drift()).saturating_add(more);
        clock.set_drift(sched.now(), drift.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32);
    }

    /// A program, service or user on a host asks something of its NetBT. Nothing if the host is not on.
    pub fn ask<S: Scheduler>(&mut self, id: HostId, input: NbtInput<'_>, sched: &mut S) {
        if self.hosts[id.0 as usize].life == Life::On {
            self.nbt_input(id.0 as usize, input, sched);
            self.rearm(id.0 as usize, sched);
        }
    }

    /// A program on a host sends a datagram of its own from port 137 to port 137. Nothing if the host is
    /// not on.
    pub fn send_name_service<S: Scheduler>(
        &mut self,
        id: HostId,
        to: Ipv4Addr,
        bytes: &[u8],
        sched: &mut S,
    ) {
        let host = &self.hosts[id.0 as usize];
        if host.life == Life::On {
            let source = SocketAddrV4::new(host.address, PORT);
            let header = PacketHeader::udp(source, SocketAddrV4::new(to, PORT));
            self.send(host.interface, &header, bytes, sched);
        }
    }

    /// Tells those who watch how the records touched since the last call look now.
    pub(super) fn tell_records<S: Scheduler>(&mut self, h: usize, sched: &S) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for &name in &touched {
            let Some(wins) = self.hosts[h].server.as_ref().and_then(|s| s.wins.as_ref()) else {
                break;
            };
            let looks = RecordLook::of(wins.core().names.get(&name, &Default::default()));
            self.tell(h, What::Record { name, looks }, sched);
        }
        touched.clear();
        self.touched = touched;
    }
}
