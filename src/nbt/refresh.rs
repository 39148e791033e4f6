//! Keeping names: the refresh sweep, and the probes of the configured primary (Q164308, Q247559).
//!
//! The smallest time to live granted to any name rules all of them; half of it after a name's last grant
//! the name is due. The first due name takes along all that would be due within an eighth of the time to
//! live or within the sweep, so an idle client wakes once a round.

use super::client::NbtClient;
use super::name_table::{LocalName, Phase, TTL_FOREVER};
use super::profile::ReturnRule;
use super::servers::at_least;
use super::types::{NameState, NbtOutput};
use crate::base::{Outbox, SimDuration, SimTime};

impl NbtClient {
    /// The smallest time to live any name has, `None` if none ends.
    fn lowest_ttl(&self) -> Option<SimDuration> {
        let granted = self.names.iter().filter(|held| held.is_at_server());
        let lowest = granted.map(|held| held.ttl).min()?;
        (lowest != TTL_FOREVER).then(|| SimDuration::from_secs(u64::from(lowest)))
    }

    /// Sets the timers of all names that wait for a refresh.
    pub(super) fn set_refresh_timers(&mut self) {
        let wait = self.refresh_wait();
        for held in &mut self.names {
            let waits = held.phase == Phase::Idle && held.is_at_server();
            if waits && !held.failed && !held.claim_again {
                held.timer = wait.map_or(SimTime::MAX, |wait| held.granted_at + at_least(wait));
            }
        }
    }

    /// From a grant to the refresh; `None` if there is none.
    fn refresh_wait(&self) -> Option<SimDuration> {
        let profile = &self.config.profile;
        let usual = profile.refresh_every.or_else(|| self.lowest_ttl().map(|ttl| ttl / 2));
        // Q164308: one name that failed puts all of them into the retry.
        let failed = |held: &LocalName| held.state == NameState::Conflict || held.is_by_broadcast();
        match profile.failure_refreshes_all && self.names.iter().any(failed) {
            true => Some(usual.map_or(profile.sweep, |usual| usual.min(profile.sweep))),
            false => usual,
        }
    }

    /// The server the refresh of a name begins with. Q164309: the next one, when nothing was wrong.
    fn refresh_server(&self, failed: bool) -> u8 {
        let count = self.server_count().max(1);
        let server = self.choice.refresh_start(self.config.profile.return_rule, count);
        match self.config.profile.swaps_at_refresh && !failed {
            true => (server + 1) % count,
            false => server,
        }
    }

    /// Puts one name back to waiting for its refresh.
    pub(super) fn set_refresh_timer(&mut self, index: usize) {
        self.names[index].phase = Phase::Idle;
        self.names[index].address = 0;
        self.set_refresh_timers();
    }

    /// Refreshes all names that are due, or soon will be.
    pub(super) fn sweep(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        let sweep = self.config.profile.sweep;
        let until = now + self.lowest_ttl().map_or(sweep, |ttl| sweep.min(ttl / 8));
        let rule = self.config.profile.return_rule;
        let can_ask = self.can_ask(now);
        let servers = [false, true].map(|failed| self.refresh_server(failed));
        if can_ask && let ReturnRule::Cycle { tries, .. } = rule {
            let round = u16::from(tries.max(1)) * u16::from(self.server_count().max(1));
            let attempts = u16::from(self.choice.attempts) + 1;
            self.choice.attempts = (attempts % round.min(u16::from(u8::MAX))) as u8;
        }
        for index in 0..self.names.len() {
            let held = &self.names[index];
            let waits = held.phase == Phase::Idle && held.is_at_server() && !held.claim_again;
            if !waits || held.timer > until {
                continue;
            }
            if self.has_expired(index, now) {
                self.set_state(index, NameState::Registering, out);
                self.plan_claim(index, now);
            } else if can_ask {
                let server = servers[usize::from(held.failed)];
                self.names[index].address = 0;
                self.ask_server(index, Phase::Refresh, server, now, out);
            } else {
                self.refresh_failed(index, now, out);
            }
        }
    }

    /// No server took the refresh: again after the sweep. The name stays registered; Windows 2000 gives
    /// it up at the end of its time to live and claims it afresh.
    pub(super) fn refresh_failed(
        &mut self,
        index: usize,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        if self.has_expired(index, now) {
            self.set_state(index, NameState::Registering, out);
            self.plan_claim(index, now);
            return;
        }
        let profile = &self.config.profile;
        let wait = match profile.return_rule {
            ReturnRule::Cycle { interval, .. } => interval,
            _ => profile.sweep,
        };
        let reclaims = profile.reclaims_after_ttl;
        let asks = self.will_ask();
        let held = &mut self.names[index];
        held.phase = Phase::Idle;
        held.address = 0;
        held.failed = true;
        held.timer = if asks { now + at_least(wait) } else { SimTime::MAX };
        if reclaims && held.ttl != TTL_FOREVER {
            let end = held.granted_at + SimDuration::from_secs(u64::from(held.ttl));
            held.timer = held.timer.min(end);
        }
    }

    fn has_expired(&self, index: usize, now: SimTime) -> bool {
        let held = &self.names[index];
        self.config.profile.reclaims_after_ttl
            && held.ttl != TTL_FOREVER
            && now >= held.granted_at + SimDuration::from_secs(u64::from(held.ttl))
    }

    /// Time to see whether the configured primary is back: refreshes one name there.
    pub(super) fn probe_due(&mut self, now: SimTime, out: &mut Outbox<NbtOutput>) {
        self.choice.spend_probe(self.config.profile.return_rule, now);
        if !self.can_ask(now) {
            return;
        }
        let idle = |index: &usize| {
            let held = &self.names[*index];
            held.phase == Phase::Idle && held.is_at_server()
        };
        if let Some(index) = (0..self.names.len()).find(idle) {
            self.names[index].address = 0;
            self.ask_server(index, Phase::Probe, 0, now, out);
        }
    }
}
