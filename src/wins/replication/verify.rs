//! Verification: are replicas still what their owner holds (MS-WINSRA 3.2.5.3, Q167704, Q154410)?
//!
//! A run goes through owners one after another: those whose replicas passed their stamp when the scavenger
//! calls, all of them in a consistency check. Each owner costs one pull of everything it holds, on an
//! association of its own that is never kept. Once an owner is done and more records than the limit have been
//! compared, the run ends; a consistency check goes on with the next owner next time. A run that an
//! administrator starts has no limit.
//!
//! The server to ask is the owner if we pull from it anyway; else the owner itself all the same, or with
//! `UseRplPnrs` a server we do pull from. Windows picks that one at random; here they take turns.

use super::pull::Fetch;
use super::{Ctx, Job, JobKind, Replication};
use crate::base::{SimDuration, SimTime};
use crate::wins::io::WinsEvent;
use crate::wins::record::{NameRecord, Owner, RecordState, VersionId};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

/// Owners being verified.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Run {
    /// Those still to come.
    owners: VecDeque<Owner>,
    /// Records compared so far.
    compared: usize,
    /// After how many the run ends; `None` for all.
    limit: Option<usize>,
    /// A consistency check, not the scavenger's call.
    is_check: bool,
}

/// The run under way and when checks happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Verification {
    run: Option<Run>,
    next_check: Option<SimTime>,
    /// The last owner of a check that ended early.
    resume_after: Option<Owner>,
    /// Whose turn it is to be asked about owners we do not pull from.
    turn: usize,
}

impl Verification {
    /// When the next consistency check is due.
    pub(super) fn next_check(&self) -> Option<SimTime> {
        self.next_check
    }

    /// Whether the run under way is a consistency check, which looks at static replicas too.
    pub(super) fn is_check(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_check)
    }
}

impl Replication {
    /// Sets the first consistency check: the next time the clock shows its `SpTime`.
    pub(super) fn schedule_check(&mut self, ctx: &mut Ctx<'_>) {
        let profile = &ctx.core.profile;
        let day = SimDuration::from_days(1);
        let ahead = |at: SimDuration| SimDuration((at.0 + day.0 - ctx.time_of_day().0) % day.0);
        let wait = profile.consistency_check.map(|_| ahead(profile.consistency_check_at));
        self.verification.next_check = wait.map(|wait| ctx.now.time + wait);
    }

    /// Begins the consistency check that is due.
    pub(super) fn check_by_schedule(&mut self, ctx: &mut Ctx<'_>) {
        let Some(at) = self.verification.next_check.filter(|&at| at <= ctx.now.time) else {
            return;
        };
        let every = ctx.core.profile.consistency_check.filter(|every| !every.is_zero());
        self.verification.next_check =
            every.filter(|_| !ctx.core.profile.checks_drift).map(|every| {
                let missed = ctx.now.time.since(at).nanos() / every.nanos();
                at + every * (missed + 1)
            });
        self.begin_check(Some(ctx.core.profile.verify_records_max as usize), ctx);
    }

    /// Begins a consistency check, unless a run is under way: that one then becomes it.
    pub(super) fn begin_check(&mut self, limit: Option<usize>, ctx: &mut Ctx<'_>) {
        let own = ctx.core.own;
        let owners = ctx.core.names.owners().map(|(owner, _)| owner).filter(|&o| o != own);
        let mut owners: VecDeque<Owner> = owners.collect();
        if let Some(last) = self.verification.resume_after.take() {
            let done = owners.iter().filter(|&&owner| owner <= last).count();
            owners.rotate_left(done);
        }
        self.verification.run = Some(Run { owners, compared: 0, limit, is_check: true });
        if !self.jobs.iter().chain(&self.current).any(Job::verifies) {
            self.next_owner(ctx);
        }
    }

    /// The scavenger found replicas of these owners past their stamp.
    pub(super) fn begin_verification(&mut self, owners: Vec<Owner>, ctx: &mut Ctx<'_>) {
        if owners.is_empty() {
            return;
        }
        if let Some(run) = &mut self.verification.run {
            // A check asks everybody anyway.
            for owner in owners {
                if !run.is_check && !run.owners.contains(&owner) {
                    run.owners.push_back(owner);
                }
            }
            return;
        }
        let limit = Some(ctx.core.profile.verify_records_max as usize);
        let run = Run { owners: owners.into(), compared: 0, limit, is_check: false };
        self.verification.run = Some(run);
        self.next_owner(ctx);
    }

    /// Queues the pull of the run's next owner, or ends the run.
    fn next_owner(&mut self, ctx: &mut Ctx<'_>) {
        let Some(run) = &mut self.verification.run else { return };
        match run.owners.pop_front() {
            Some(owner) => self.jobs.push_back(Job::new(JobKind::Verify { owner }, Vec::new())),
            None => self.end_run(ctx),
        }
    }

    fn end_run(&mut self, ctx: &mut Ctx<'_>) {
        let Some(run) = self.verification.run.take().filter(|run| run.is_check) else { return };
        drop(run);
        ctx.core.log(WinsEvent::ConsistencyChecked, ctx.out);
        if ctx.core.profile.checks_drift {
            let every = ctx.core.profile.consistency_check;
            self.verification.next_check = every.map(|every| ctx.now.time + every);
        }
    }

    /// An owner is through, whether it answered or not.
    pub(super) fn owner_verified(&mut self, owner: Owner, compared: usize, ctx: &mut Ctx<'_>) {
        let Some(run) = &mut self.verification.run else { return };
        run.compared += compared;
        if run.limit.is_some_and(|limit| run.compared > limit) && !run.owners.is_empty() {
            if run.is_check {
                self.verification.resume_after = Some(owner);
            }
            self.end_run(ctx);
        } else {
            self.next_owner(ctx);
        }
    }

    /// Whom to ask about the replicas of this owner, and for which versions: from the first up to the highest
    /// among its active replicas here.
    pub(super) fn plan_verification(&mut self, owner: Owner, ctx: &mut Ctx<'_>) -> Option<Fetch> {
        let all = VersionId::ZERO..=VersionId(u64::MAX);
        let newest = ctx.core.names.of_owner(owner, all).rev().find(|record| record.is_active());
        let max = newest?.version;
        let sources: Vec<Ipv4Addr> =
            self.partners.iter().filter(|p| p.pull.is_some()).map(|p| p.address).collect();
        let mut from = owner.address();
        if ctx.core.profile.verify_with_partners && !sources.contains(&from) {
            from = *sources.get(self.verification.turn % sources.len().max(1))?;
            self.verification.turn = self.verification.turn.wrapping_add(1);
        }
        Some(Fetch { from, owner, min: VersionId::FIRST, max, refill: false })
    }
}

/// What becomes of one replica here.
enum Verdict<'a> {
    /// The owner holds the same: a new stamp.
    True(&'a NameRecord),
    /// The owner holds another version: it is stored instead.
    Changed(&'a NameRecord),
    /// The owner does not hold it: deleted. What it holds under that version is stored.
    Gone(Option<&'a NameRecord>),
}

/// Compares the active replicas of `owner` within the versions with what it holds there, static ones only
/// when
/// told. Returns how many.
pub(super) fn compare(
    owner: Owner,
    versions: std::ops::RangeInclusive<VersionId>,
    held: &[NameRecord],
    statics: bool,
    ctx: &mut Ctx<'_>,
) -> usize {
    let by_name: BTreeMap<_, _> =
        held.iter().map(|record| ((record.name, &record.scope), record)).collect();
    let by_version: BTreeMap<_, _> = held.iter().map(|record| (record.version, record)).collect();
    let due = |record: &&NameRecord| {
        record.state == RecordState::Active && (statics || !record.is_static())
    };
    let local: Vec<NameRecord> =
        ctx.core.names.of_owner(owner, versions).filter(due).cloned().collect();
    let count = local.len();
    for record in local {
        let verdict = match by_name.get(&(record.name, &record.scope)) {
            Some(&found) if found.version == record.version => Verdict::True(found),
            Some(&found) => Verdict::Changed(found),
            None => Verdict::Gone(by_version.get(&record.version).copied()),
        };
        match verdict {
            Verdict::True(found) => {
                let mut kept = NameRecord { stamp: found.stamp, ..record };
                // Q187555: a version of ours under the owner's name; the owner seems to be behind.
                if ctx.core.profile.checks_renumber
                    && let Some(version) = ctx.core.assign_version(kept.name, ctx.out)
                {
                    kept.version = version;
                }
                ctx.core.put(kept, ctx.out);
            }
            Verdict::Changed(found) => ctx.core.put(found.clone(), ctx.out),
            Verdict::Gone(other) => {
                ctx.core.delete(&record.name, &record.scope, ctx.out);
                if let Some(other) = other {
                    ctx.core.log(WinsEvent::SameVersionOtherName, ctx.out);
                    super::apply::apply(ctx.core, other.clone(), false, ctx.now, ctx.out);
                }
            }
        }
    }
    count
}
