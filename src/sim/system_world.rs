//! The world's half of registries and programs.

use super::disk::DiskLoss;
use super::happening::{KeyEvent, What};
use super::host::{Death, HostId, Life};
use super::system::{ProgramState, SystemPart, SystemSpec};
use super::waiting::{ProgramStep, Waiting};
use super::world::{World, kind};
use crate::base::{ActorId, Scheduler, SimDuration, SimTime, Stream};
use crate::cluster::{DbChange, DbData, ResourceEvent};
use crate::net::TopologyError;
use crate::registry::{KeyPath, Registry, Value};

/// Building and looking.
impl World {
    /// Gives a host adapters, a registry, a disk of its own, and programs. Once, before its first boot.
    ///
    /// # Errors
    /// An adapter's address is taken or does not belong to its subnet.
    pub fn install(
        &mut self,
        id: HostId,
        spec: SystemSpec,
        name: &str,
    ) -> Result<(), TopologyError> {
        let mut interfaces = Vec::new();
        for &(subnet, address) in &spec.interfaces {
            let interface = self.net.attach_host(subnet, address, ActorId(id.0))?;
            self.net.set_interface_up(interface, false);
            interfaces.push(interface);
        }
        let system = SystemPart::new(spec, interfaces, name);
        self.hosts[id.0 as usize].system = Some(Box::new(system));
        self.write_wins_keys(id.0 as usize);
        Ok(())
    }

    /// Somebody edits the registry of a host that is on. Nothing if it is not, or has none.
    pub fn edit_registry<S: Scheduler>(
        &mut self,
        id: HostId,
        edit: impl FnOnce(&mut Registry),
        sched: &mut S,
    ) {
        let h = id.0 as usize;
        if matches!(self.hosts[h].life, Life::On | Life::ShuttingDown)
            && let Some(system) = &mut self.hosts[h].system
        {
            edit(&mut system.hives.registry);
            self.registry_changed(h, None, sched);
            self.cluster_drain(h, sched);
            self.rearm(h, sched);
        }
    }

    /// Plans the write of dirty hives, and passes on what watches have to tell. `key` is what was changed,
    /// if it is known.
    pub(super) fn registry_changed<S: Scheduler>(
        &mut self,
        h: usize,
        key: Option<&KeyPath>,
        sched: &mut S,
    ) {
        let Some(system) = &mut self.hosts[h].system else { return };
        system.hives.changed(sched.now());
        self.tell(h, What::Registry, sched);
        self.tell_watched_keys(h, key, KeyEvent::Changed, sched);
        self.cluster_signals(h);
    }
}

/// Life and death.
impl World {
    pub(super) fn system_boots<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        system.hives.load();
        for interface in system.interfaces.clone() {
            self.net.set_interface_up(interface, true);
        }
        self.cluster_boots(h, sched);
        let Some(system) = &self.hosts[h].system else { return };
        let automatic: Vec<usize> =
            (0..system.programs.len()).filter(|&p| system.programs[p].spec.automatic).collect();
        automatic.into_iter().for_each(|p| self.start_program(h, p, sched));
    }

    /// Shut down in order: programs end, hives are written.
    pub(super) fn system_stops<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(system) = &self.hosts[h].system else { return };
        (0..system.programs.len()).for_each(|p| self.kill_program(h, p, sched));
        if let Some(system) = &mut self.hosts[h].system {
            system.hives.flush(sched.now());
        }
    }

    pub(super) fn system_gone<S: Scheduler>(&mut self, h: usize, how: Death, sched: &mut S) {
        self.cluster_gone(h, how, sched);
        let Some(system) = &mut self.hosts[h].system else { return };
        system.waiting.clear();
        system.hives.flush_at = SimTime::MAX;
        let loss = match how {
            Death::ShutDown => None,
            Death::Crash => Some(DiskLoss::Crash),
            Death::PowerCut => Some(DiskLoss::PowerCut),
            Death::Wipe => Some(DiskLoss::Wipe),
        };
        if let Some(loss) = loss {
            let mut chance = self.streams.resume(system.disk_chance);
            system.hives.disk.lose(loss, sched.now(), &mut chance);
            system.disk_chance = chance.rest();
        }
        for interface in system.interfaces.clone() {
            self.net.set_interface_up(interface, false);
        }
        let Some(system) = &mut self.hosts[h].system else { return };
        for p in 0..system.programs.len() {
            if let Some(system) = &mut self.hosts[h].system
                && system.programs[p].state != ProgramState::Stopped
            {
                system.programs[p].state = ProgramState::Stopped;
                system.programs[p].life += 1;
                self.tell(h, What::Program { program: p as u16, runs: false }, sched);
            }
        }
    }

    /// What came due while the host stood still is done now.
    pub(super) fn system_resumed<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        for number in system.waiting.overdue() {
            self.on_waiting(h, number, sched);
        }
    }

    pub(super) fn system_deadlines<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let now = sched.now();
        if let Some(system) = &mut self.hosts[h].system
            && system.hives.flush_at <= now
        {
            system.hives.flush(now);
        }
        self.cluster_deadlines(h, sched);
    }

    /// Something is to happen to this host at a time, unless the host dies before.
    pub(super) fn wait<S: Scheduler>(
        &mut self,
        h: usize,
        at: SimTime,
        what: Waiting,
        sched: &mut S,
    ) {
        if let Some(system) = &mut self.hosts[h].system {
            let number = system.waiting.add(what);
            sched.schedule(at, ActorId(h as u32), kind::WAITING | number);
        }
    }

    pub(super) fn on_waiting<S: Scheduler>(&mut self, h: usize, number: u32, sched: &mut S) {
        let life = self.hosts[h].life;
        let Some(system) = &mut self.hosts[h].system else { return };
        if life == Life::Paused {
            return system.waiting.keep_for_later(number);
        }
        let Some(what) = system.waiting.take(number) else { return };
        match what {
            Waiting::Program { program, life, step } => {
                self.program_step(h, program.into(), life, step, sched);
            }
            what => self.cluster_waiting(h, what, sched),
        }
        self.cluster_drain(h, sched);
        self.rearm(h, sched);
    }
}

/// Programs.
impl World {
    /// Draws from the stream of a program.
    fn draw<T>(&mut self, h: usize, p: usize, draw: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        let streams = self.streams;
        let program = &mut self.hosts[h].system.as_mut()?.programs[p];
        let mut stream = streams.resume(program.chance);
        let drawn = draw(&mut stream);
        program.chance = stream.rest();
        Some(drawn)
    }

    fn plan_step<S: Scheduler>(
        &mut self,
        h: usize,
        p: usize,
        after: SimDuration,
        step: ProgramStep,
        sched: &mut S,
    ) {
        let Some(system) = &self.hosts[h].system else { return };
        let life = system.programs[p].life;
        let what = Waiting::Program { program: p as u16, life, step };
        self.wait(h, sched.now() + after, what, sched);
    }

    /// Starts a program that is stopped.
    pub(super) fn start_program<S: Scheduler>(&mut self, h: usize, p: usize, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        let program = &mut system.programs[p];
        if program.state != ProgramState::Stopped {
            return;
        }
        program.state = ProgramState::Starting;
        program.life += 1;
        let ((low, high), odds) = (program.spec.starts_in, program.spec.start_fails);
        let drawn = self.draw(h, p, |s| (s.duration(low, high), !s.chance(odds)));
        if let Some((takes, well)) = drawn {
            self.plan_step(h, p, takes, ProgramStep::Started { well }, sched);
        }
    }

    /// Tells a program to stop.
    pub(super) fn stop_program<S: Scheduler>(&mut self, h: usize, p: usize, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        let program = &mut system.programs[p];
        match program.state {
            ProgramState::Stopped => self.program_ended(h, p, ResourceEvent::Offline, sched),
            ProgramState::Stopping => {}
            ProgramState::Starting | ProgramState::Running => {
                program.state = ProgramState::Stopping;
                program.life += 1;
                let (low, high) = program.spec.stops_in;
                let (values, files) = (program.spec.writes.len(), program.spec.files.len());
                if let Some(takes) = self.draw(h, p, |s| s.duration(low, high)) {
                    self.plan_step(h, p, takes, ProgramStep::Stopped, sched);
                }
                // One that is slow to stop has work to bring to its end: it goes on with its files.
                (values..values + files).for_each(|w| self.plan_write(h, p, w as u16, sched));
            }
        }
    }

    /// Ends a program at once; nobody is told.
    pub(super) fn kill_program<S: Scheduler>(&mut self, h: usize, p: usize, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        let program = &mut system.programs[p];
        if program.state == ProgramState::Stopped {
            return;
        }
        program.state = ProgramState::Stopped;
        program.life += 1;
        system.hives.registry.close_all(&program.spec.name);
        self.tell(h, What::Program { program: p as u16, runs: false }, sched);
    }

    /// A program of a host ends without a word. Nothing if it does not run.
    pub fn crash_program<S: Scheduler>(&mut self, id: HostId, name: &str, sched: &mut S) {
        let h = id.0 as usize;
        let system = self.hosts[h].system.as_ref();
        let Some(p) = system.and_then(|system| system.program(name)) else { return };
        self.program_crashes(h, p, sched);
        self.cluster_drain(h, sched);
        self.rearm(h, sched);
    }

    fn program_crashes<S: Scheduler>(&mut self, h: usize, p: usize, sched: &mut S) {
        let system = self.hosts[h].system.as_ref();
        if system.is_some_and(|system| system.programs[p].state != ProgramState::Stopped) {
            self.kill_program(h, p, sched);
            self.program_ended(h, p, ResourceEvent::Failed, sched);
        }
    }

    fn program_step<S: Scheduler>(
        &mut self,
        h: usize,
        p: usize,
        life: u32,
        step: ProgramStep,
        sched: &mut S,
    ) {
        let Some(system) = &mut self.hosts[h].system else { return };
        if system.programs[p].life != life {
            return;
        }
        match step {
            ProgramStep::Started { well } => self.program_started(h, p, well, sched),
            ProgramStep::Stopped => {
                let program = &mut system.programs[p];
                program.state = ProgramState::Stopped;
                program.life += 1;
                if !program.spec.leaks_handles {
                    system.hives.registry.close_all(&program.spec.name);
                }
                self.tell(h, What::Program { program: p as u16, runs: false }, sched);
                self.program_ended(h, p, ResourceEvent::Offline, sched);
            }
            ProgramStep::Crash => self.program_crashes(h, p, sched),
            ProgramStep::Write(write) => {
                self.program_writes(h, p, write.into(), sched);
                self.plan_write(h, p, write, sched);
            }
        }
    }

    /// A program has come so far as to look at its parameters.
    fn program_started<S: Scheduler>(&mut self, h: usize, p: usize, well: bool, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        let program = &mut system.programs[p];
        let registry = &mut system.hives.registry;
        let found = program.spec.needs.iter().all(|(key, name, data)| {
            let there = registry.get(key, name);
            there.is_some_and(|there| data.as_ref().is_none_or(|data| data == there))
        });
        if !well || !found {
            program.state = ProgramState::Stopped;
            program.life += 1;
            return self.program_ended(h, p, ResourceEvent::Failed, sched);
        }
        program.state = ProgramState::Running;
        for key in &program.spec.keeps_open {
            // A key that is not there cannot be kept open: the program does without.
            let _ = registry.open(key, &program.spec.name);
        }
        let writes = program.spec.writes.len() + program.spec.files.len();
        let crashes = program.spec.crashes_every;
        self.tell(h, What::Program { program: p as u16, runs: true }, sched);
        (0..writes).for_each(|write| self.plan_write(h, p, write as u16, sched));
        if let Some(mean) = crashes
            && let Some(after) = self.draw(h, p, |s| s.exponential(mean))
        {
            self.plan_step(h, p, after, ProgramStep::Crash, sched);
        }
        self.program_ready(h, p);
    }

    fn plan_write<S: Scheduler>(&mut self, h: usize, p: usize, write: u16, sched: &mut S) {
        let Some(system) = &self.hosts[h].system else { return };
        let spec = &system.programs[p].spec;
        let (low, high) = match usize::from(write).checked_sub(spec.writes.len()) {
            Some(file) => spec.files[file].every,
            None => spec.writes[usize::from(write)].every,
        };
        if let Some(after) = self.draw(h, p, |s| s.duration(low, high)) {
            // A gap of zero would never get anywhere.
            let after = after.max(SimDuration(1));
            self.plan_step(h, p, after, ProgramStep::Write(write), sched);
        }
    }

    fn program_writes<S: Scheduler>(&mut self, h: usize, p: usize, write: usize, sched: &mut S) {
        let Some(system) = &mut self.hosts[h].system else { return };
        let spec = &system.programs[p].spec;
        if let Some(file) = write.checked_sub(spec.writes.len()) {
            let file = spec.files[file].clone();
            return self.write_shared_file(h, &file.path, file.flush, sched);
        }
        let (write, aware) = (spec.writes[write].clone(), spec.cluster_aware);
        let registry = &mut system.hives.registry;
        let key = match aware {
            true => KeyPath::parse("Cluster").and_then(|cluster| cluster.join(write.key.as_str())),
            false => Ok(write.key.clone()),
        };
        let Ok(key) = key else { return };
        let found = registry.get(&key, &write.value).and_then(Value::as_dword);
        let count = Value::Dword(found.map_or(1, |found| found.wrapping_add(1)));
        let data = write.data.unwrap_or(count);
        if aware {
            let data = match data {
                Value::Dword(number) => DbData::Number(number),
                other => match other.as_text() {
                    Some(text) => DbData::Text(text.to_owned()),
                    None => DbData::Bytes(other.data()),
                },
            };
            let key = write.key.as_str().to_owned();
            let change = DbChange::SetValue { key, name: write.value, data };
            return self.ask_own_cluster(h, vec![change], sched);
        }
        // A full or corrupt hive refuses: the program goes on without.
        let _ = registry.set(&key, &write.value, data);
        self.registry_changed(h, Some(&key), sched);
    }
}
