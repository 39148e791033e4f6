//! Which server is in use, and the way back to the configured primary.
//!
//! States: at the configured primary; at another server, probing the primary; at another server, waiting
//! for the next refresh (Q247559, Q155501). Promised: the choice changes only when a server answers, or
//! when the server in use falls silent on a query.

use super::profile::ReturnRule;
use crate::base::{SimDuration, SimTime};

/// Where the client stands with its servers.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// The configured primary is in use, or there is nothing to go back to.
    Primary,
    /// Another server is in use; the primary is probed this many times more.
    Grace(u8),
    /// Another server is in use; the primary is asked at the next refresh.
    Hold,
}

/// The choice among the configured servers. Servers are numbers: positions in the configured list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ServerChoice {
    /// The server in use.
    pub current: u8,
    /// The way back.
    pub standing: Standing,
    /// No server is ever asked again (Q155501).
    pub given_up: bool,
    /// Refresh attempts since the last answer, for [`ReturnRule::Cycle`].
    pub attempts: u8,
    /// When the primary is probed next.
    pub probe_at: SimTime,
    /// No server is asked before this time.
    pub down_until: SimTime,
}

impl ServerChoice {
    /// At the configured primary.
    pub fn new() -> ServerChoice {
        ServerChoice {
            current: 0,
            standing: Standing::Primary,
            given_up: false,
            attempts: 0,
            probe_at: SimTime::MAX,
            down_until: SimTime::ZERO,
        }
    }

    /// Whether servers may be asked now.
    pub fn is_usable(&self, now: SimTime) -> bool {
        !self.given_up && now >= self.down_until
    }

    /// Every server has been silent.
    pub fn all_silent(&mut self, now: SimTime, wins_down: SimDuration) {
        self.down_until = now + wins_down;
    }

    /// Puts another server in use.
    pub fn switch_to(&mut self, server: u8, rule: ReturnRule, now: SimTime) {
        self.current = server;
        if server == 0 {
            self.standing = Standing::Primary;
            self.probe_at = SimTime::MAX;
        } else {
            self.begin_grace(rule, now);
        }
    }

    /// Begins a row of probes, if the version probes at all.
    pub fn begin_grace(&mut self, rule: ReturnRule, now: SimTime) {
        match rule {
            ReturnRule::Probe { interval, tries } if tries > 0 => {
                self.standing = Standing::Grace(tries);
                self.probe_at = now + at_least(interval);
            }
            ReturnRule::Probe { .. } => self.hold(),
            ReturnRule::Never | ReturnRule::Cycle { .. } => {
                self.standing = Standing::Primary;
                self.probe_at = SimTime::MAX;
            }
        }
    }

    /// A probe is being sent: reckons it off and sets the next one. The last one is followed by waiting.
    pub fn spend_probe(&mut self, rule: ReturnRule, now: SimTime) {
        match (self.standing, rule) {
            (Standing::Grace(left @ 2..), ReturnRule::Probe { interval, .. }) => {
                self.standing = Standing::Grace(left - 1);
                self.probe_at = now + at_least(interval);
            }
            _ => self.hold(),
        }
    }

    /// The server a refresh starts with, of `count`.
    pub fn refresh_start(&self, rule: ReturnRule, count: u8) -> u8 {
        match rule {
            ReturnRule::Cycle { tries, .. } => {
                (self.attempts / tries.max(1)).checked_rem(count).unwrap_or(0)
            }
            _ if self.standing == Standing::Hold => 0,
            _ => self.current,
        }
    }

    fn hold(&mut self) {
        self.standing = Standing::Hold;
        self.probe_at = SimTime::MAX;
    }
}

/// The shortest wait of any kind: parameters of zero must not make a deadline come again and again.
pub(super) fn at_least(wait: SimDuration) -> SimDuration {
    wait.max(SimDuration::from_millis(1))
}
