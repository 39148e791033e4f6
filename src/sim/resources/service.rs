//! Generic Service and Generic Application: a program of the host behind a resource.
//!
//! Alive is a service that the service control manager says is running, and a process that exists. The end
//! of a process is seen at once, that of a service by the next poll.

use super::super::system::ProgramState;
use super::super::waiting::ResourceStep;
use super::super::world::World;
use super::{Code, Failure, MOMENT, Phase};
use crate::base::Scheduler;
use crate::cluster::{ResourceEvent, ResourceId};

/// ERROR_RESOURCE_NOT_FOUND: no disk, no address or no name to run on.
const NO_PLACE: Failure = Failure::number(5007);
/// The program ended: what follows says which type it is (event 1042).
const ENDED: Failure = Failure::number(0);

/// The program's own file, out of a command line: `notes.exe` of `d:\app\notes.exe /quiet`.
pub(super) fn file_name(command_line: &str) -> String {
    let program = match command_line.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or(quoted),
        None => command_line.split_whitespace().next().unwrap_or(command_line),
    };
    program.rsplit(['\\', '/']).next().unwrap_or(program).to_owned()
}

impl World {
    /// The program behind a resource, if the host has it.
    fn program_of(&self, h: usize, resource: ResourceId) -> Option<usize> {
        let host = &self.hosts[h];
        let dll = host.cluster.as_ref()?.dlls.get(usize::from(resource.0))?;
        let Code::Program { name, .. } = &dll.code else { return None };
        let system = host.system.as_ref()?;
        let bare = name.strip_suffix(".exe").unwrap_or(name);
        system.program(name).or_else(|| system.program(bare))
    }

    pub(super) fn service_online<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        if !self.dhcp_has_place(h, resource, sched) {
            return self.resource_failed(h, resource, NO_PLACE, sched);
        }
        let Some(p) = self.program_of(h, resource) else {
            return self.step_later(h, resource, MOMENT, ResourceStep::Online, sched);
        };
        let system = self.hosts[h].system.as_ref();
        if system.is_some_and(|system| system.programs[p].state == ProgramState::Running) {
            // Somebody has started it outside the cluster.
            return self.resource_online(h, resource);
        }
        self.start_program(h, p, sched);
    }

    pub(super) fn service_offline<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        match self.program_of(h, resource) {
            Some(p) => self.stop_program(h, p, sched),
            None => self.step_later(h, resource, MOMENT, ResourceStep::Offline, sched),
        }
    }

    pub(super) fn kill_service<S: Scheduler>(
        &mut self,
        h: usize,
        resource: ResourceId,
        sched: &mut S,
    ) {
        if let Some(p) = self.program_of(h, resource) {
            self.kill_program(h, p, sched);
        }
    }

    /// Resources with this program behind them, while their code runs.
    fn resources_of(&self, h: usize, p: usize) -> Vec<ResourceId> {
        let Some(part) = &self.hosts[h].cluster else { return Vec::new() };
        (0..part.dlls.len() as u16)
            .map(ResourceId)
            .filter(|&r| part.dlls[usize::from(r.0)].runs() && self.program_of(h, r) == Some(p))
            .collect()
    }

    /// A program is ready.
    pub(in crate::sim) fn program_ready(&mut self, h: usize, p: usize) {
        for resource in self.resources_of(h, p) {
            if self.dll(h, resource).is_some_and(|dll| dll.phase == Phase::Starting) {
                self.resource_online(h, resource);
            }
        }
    }

    /// A program is no more, or could not be started.
    pub(in crate::sim) fn program_ended<S: Scheduler>(
        &mut self,
        h: usize,
        p: usize,
        event: ResourceEvent,
        sched: &mut S,
    ) {
        for resource in self.resources_of(h, p) {
            let Some(dll) = self.dll(h, resource) else { continue };
            let watched = matches!(dll.code, Code::Program { watched: true, .. });
            match dll.phase {
                Phase::Stopping => self.resource_offline(h, resource, sched),
                Phase::Running if watched => self.resource_failed(h, resource, ENDED, sched),
                Phase::Running => {
                    let event = ResourceEvent::Health { looks_alive: false, is_alive: false };
                    self.tell_service(h, resource, event);
                }
                Phase::Starting if event == ResourceEvent::Failed => {
                    self.resource_failed(h, resource, ENDED, sched);
                }
                Phase::Starting | Phase::Stopped => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_names_its_program() {
        assert_eq!(file_name(r"d:\app\notes.exe /quiet"), "notes.exe");
        assert_eq!(file_name("\"d:\\my app\\notes.exe\" /quiet"), "notes.exe");
        assert_eq!(file_name("notes"), "notes");
    }
}
