//! When partners are pulled from: `TimeInterval`, `SpTime`, retries (Q135922).
//!
//! | start time | first pull |
//! | --- | --- |
//! | still ahead today | then, and every interval after |
//! | past | the next of start time + n intervals (4.0 SP4 on); an interval from now before (Q171997) |
//! | none | an interval from now |
//!
//! No interval, or one of zero, means no pull but at start and on notification (Q147356). The next pull
//! counts
//! from when this one was due, except in 4.0 SP4, where it counts from this one's end (Q196209).

use super::{Ctx, Job, JobKind, Replication};
use crate::base::SimDuration;
use crate::wins::io::WinsEvent;
use crate::wins::partners::{PullPartner, ReplicationScope};
use crate::wins::profile::WinsProfile;
use std::net::Ipv4Addr;

/// How long after `time_of_day` the first pull by interval or start time is due.
pub(super) fn first_pull(
    pull: &PullPartner,
    profile: &WinsProfile,
    time_of_day: SimDuration,
) -> Option<SimDuration> {
    let every = pull.interval.filter(|every| !every.is_zero());
    match pull.first_at {
        Some(at) if at > time_of_day => Some(at - time_of_day),
        Some(at) if !profile.past_start_time_ignored => {
            let every = every?;
            Some(every - SimDuration((time_of_day - at).0 % every.0))
        }
        _ => every,
    }
}

impl Replication {
    /// Sets when each partner is first pulled from, and queues the pulls at start.
    pub(super) fn schedule_pulls(&mut self, ctx: &mut Ctx<'_>) {
        let mut at_start = Vec::new();
        let time_of_day = ctx.time_of_day();
        let used = self.used(ctx);
        let mut partial = false;
        for (partner, state) in self.partners.iter().zip(&mut self.states).take(used) {
            partial |= ctx.scope(Some(partner)) != ReplicationScope::All;
            let Some(pull) = &partner.pull else { continue };
            if pull.at_start {
                at_start.push(partner.address);
            }
            if pull.first_at.is_none() && ctx.core.profile.blank_start_time_is_error {
                ctx.core.log(WinsEvent::BadStartTime, ctx.out);
            }
            let wait = first_pull(pull, &ctx.core.profile, time_of_day);
            state.next_pull = wait.map(|wait| ctx.now.time + wait);
        }
        if partial {
            ctx.core.log(WinsEvent::PartialReplication, ctx.out);
        }
        self.enqueue_standard(at_start);
    }

    /// Queues the pulls whose interval has passed.
    pub(super) fn pulls_by_interval(&mut self, ctx: &mut Ctx<'_>) {
        let mut due = Vec::new();
        for (partner, state) in self.partners.iter().zip(&mut self.states) {
            let Some(at) = state.next_pull.filter(|&at| at <= ctx.now.time) else { continue };
            let every = partner.pull.as_ref().and_then(|pull| pull.interval);
            let every = every.filter(|every| !every.is_zero());
            let rests = state.rest > 0;
            state.drifts = ctx.core.profile.pulls_drift && !rests;
            state.next_pull = every.filter(|_| !state.drifts).map(|every| {
                let missed = ctx.now.time.since(at).nanos() / every.nanos();
                at + every * (missed + 1)
            });
            if rests {
                state.rest -= 1;
            } else {
                due.push(partner.address);
            }
        }
        if !due.is_empty() {
            ctx.core.counters.last.replication_periodic = Some(ctx.now.wall);
        }
        self.enqueue_standard(due);
    }

    /// A standard pull is through: what counts from its end is set now.
    pub(super) fn reschedule_drifting(&mut self, ctx: &mut Ctx<'_>) {
        for (partner, state) in self.partners.iter().zip(&mut self.states) {
            if std::mem::take(&mut state.drifts) {
                let every = partner.pull.as_ref().and_then(|pull| pull.interval);
                state.next_pull = every.map(|every| ctx.now.time + every);
            }
        }
    }

    /// Queues a standard pull, or adds to the one that waits.
    pub(super) fn enqueue_standard(&mut self, from: Vec<Ipv4Addr>) {
        if from.is_empty() {
            return;
        }
        let waiting = self.jobs.iter_mut().find(|job| job.kind == JobKind::Standard);
        match waiting {
            None => self.jobs.push_back(Job::new(JobKind::Standard, from)),
            Some(job) => {
                for partner in from {
                    if !job.to_ask.contains(&partner) {
                        job.to_ask.push_back(partner);
                    }
                }
            }
        }
    }

    /// When the next pull by interval from this partner is due.
    pub fn next_pull(&self, partner: Ipv4Addr) -> Option<crate::base::SimTime> {
        self.partner(partner).and_then(|index| self.states[index].next_pull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wins::profile::WinsVersion;

    fn hours(n: u64) -> SimDuration {
        SimDuration::from_hours(n)
    }

    fn wait(sp: u8, first_at: Option<u64>, interval: Option<u64>, now: u64) -> Option<SimDuration> {
        let pull = PullPartner {
            interval: interval.map(hours),
            first_at: first_at.map(hours),
            at_start: true,
            members_first: false,
        };
        first_pull(&pull, &WinsProfile::new(WinsVersion::Nt40, sp), hours(now))
    }

    // rule: partner/start-time
    #[test]
    fn a_start_time_ahead_counts_and_a_past_one_sets_the_phase_from_sp4_on() {
        for sp in [3, 4] {
            assert_eq!(wait(sp, Some(12), Some(24), 10), Some(hours(2)));
            assert_eq!(wait(sp, Some(12), None, 10), Some(hours(2)), "once, then never");
            assert_eq!(wait(sp, None, Some(24), 10), Some(hours(24)));
        }
        // Q171997: the service started after the start time.
        assert_eq!(wait(3, Some(2), Some(24), 10), Some(hours(24)));
        assert_eq!(wait(4, Some(2), Some(24), 10), Some(hours(16)));
        assert_eq!(wait(4, Some(2), Some(3), 10), Some(hours(1)));
        assert_eq!(wait(4, Some(2), None, 10), None);
    }

    // rule: partner/pull-interval
    #[test]
    fn a_blank_interval_or_one_of_zero_pulls_only_at_start() {
        for interval in [None, Some(0)] {
            assert_eq!(wait(6, None, interval, 10), None);
        }
    }
}
