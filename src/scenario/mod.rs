//! Scenario files: a strict TOML language, pointed errors, and expansion into a [`Plan`].
//!
//! A file becomes a plan in one step: every name is resolved to an index, every default is filled in,
//! every template expanded, every mistake found. What comes out is plain data the world is built from;
//! what does not hold together never comes out at all.

mod check;
mod cluster;
mod diagnose;
mod document;
mod expand;
mod expectation;
mod explain;
mod kb;
mod language;
mod load;
mod lower;
mod plan;
mod program;
mod schema;
mod story;
mod values;
mod vary;

pub use cluster::{
    ClusterAction, ClusterCondition, ClusterFault, ClusterFile, ClusterObject, ClusterPlan,
    ClusterRef, CutWay, FileChange, PropertyValue, SharedDiskPlan,
};
pub use diagnose::{Mistake, Mistakes, closing_line};
pub use document::Span;
pub use expectation::{
    Amount, Condition, CountRange, ExpectKind, ExpectPlan, Figure, Limit, Moment, Period,
    RecordMatch, RecordStateWord, RegistryData, Value,
};
pub use explain::explain;
pub use kb::KbPlan;
pub use load::{SweepPlan, load, load_file, load_sweep};
pub use plan::{
    Boot, Changed, ClockPlan, DomainPlan, DomainRef, DurationRange, GroupPlan, GroupRef, HostPlan,
    HostProfile, HostRef, InterfacePlan, LinkPlan, LinkRef, MediumPlan, NbtPlan, NbtRole, OwnName,
    Plan, PullPlan, PushPlan, RouterPlan, RouterRef, StaticFile, StaticKind, StaticPlan,
    SubnetPlan, SubnetRef, WinsPlan,
};
pub use program::{NeedPlan, ProgramPlan, RegistryEdit, RegistryFile, WriteData, WritePlan};
pub use schema::schema;
pub use story::{
    ArrivalLaw, Choose, ClaimKind, FaultKind, FaultPlan, FaultRef, FaultSchedule, GapLaw,
    HostTarget, LookupTarget, LookupsPlan, PacketScope, ProbeKind, ProbePlan, RecordPlan,
    ReplicateDirection, Side, StepKind, StepPlan, StepRef, VaryPlan, VaryValue, WorkloadKind,
    WorkloadPlan, WorkloadRef,
};

/// A moment as scenario files write it: `09:00`, `1d 09:00`, or a time from the start such as `9h 30min`.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn parse_moment(text: &str) -> Result<crate::base::SimTime, String> {
    values::time(text).map_err(|unfit| unfit.why)
}

/// A duration as scenario files write it, `1.5s` or `1min 30s`, longer than nothing.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn parse_interval(text: &str) -> Result<crate::base::SimDuration, String> {
    values::interval(text).map_err(|unfit| unfit.why)
}

/// A duration as scenario files write it: `30min`, `1h 5min`, `1.5s`.
///
/// # Errors
/// What is wrong with it, in a few words, with what was probably meant.
pub fn parse_duration(text: &str) -> Result<crate::base::SimDuration, String> {
    values::duration(text).map_err(|unfit| match unfit.meant {
        Some(meant) => format!("{} (did you mean `{meant}`?)", unfit.why),
        None => unfit.why,
    })
}
