//! One group as every member sees it, and what its owner is doing with it.

use super::super::config::GroupConfig;
use super::super::ids::{NodeId, ResourceId};
use super::super::update::OwnerChange;
use crate::base::SimTime;
use std::collections::VecDeque;

/// What the owner is doing with a group.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Activity {
    /// Its resources are where they should be, or on their way there.
    #[default]
    Steady,
    /// Its resources go offline here, then it goes to another node.
    Leaving { to: NodeId, reason: OwnerChange },
    /// Everything is offline; the update that gives it away, with this number, is on its way.
    Handing { number: u32 },
    /// The node stops, and nobody can take it: its resources go offline.
    Closing,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub config: GroupConfig,
    /// Its key in the database, below `Groups`.
    pub guid: String,
    /// Its resources, each after all it depends on.
    pub resources: Vec<ResourceId>,
    /// Whether it holds the quorum resource, or is the Cluster Group: it goes where the quorum goes.
    pub follows_quorum: bool,
    pub holds_quorum: bool,

    // The same on every member after the same update.
    /// Who owns it, unless it is vacant or that node is gone.
    pub owner: Option<NodeId>,
    /// How often it has changed its owner.
    pub generation: u32,
    /// Its owner died and came back before anyone claimed the group.
    pub vacant: bool,
    /// When resources made it fail over, within its period.
    pub failovers: VecDeque<SimTime>,

    // The owner's own.
    pub activity: Activity,
    /// A better node has come up: the group goes back when it may.
    pub failback_due: bool,
    /// It failed over too often: everything is offline until the next retry.
    pub given_up: bool,
}

impl Group {
    pub fn new(config: GroupConfig) -> Group {
        Group {
            config,
            guid: String::new(),
            resources: Vec::new(),
            follows_quorum: false,
            holds_quorum: false,
            owner: None,
            generation: 0,
            vacant: false,
            failovers: VecDeque::new(),
            activity: Activity::Steady,
            failback_due: false,
            given_up: false,
        }
    }
}
