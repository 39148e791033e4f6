//! One resource as its group's owner sees it.

use super::super::config::{ResourceConfig, ResourceKind};
use super::super::ids::{DiskId, NodeId, ResourceId};
use super::super::resource::ResourceState;
use crate::base::SimTime;
use std::collections::VecDeque;

/// Where a resource stands on this node.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Phase {
    /// Nothing of it runs here.
    #[default]
    Idle,
    /// Its registry keys are being restored.
    Restoring,
    /// Online was called, or its disk is being taken.
    Starting,
    /// It runs.
    Online,
    /// Offline was called.
    Stopping,
    /// Its registry keys are being saved.
    Saving,
    /// Its disk is being given back.
    Giving,
}

/// Why a resource that should be online is not started.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Hold {
    /// Nothing holds it.
    #[default]
    Free,
    /// The pause before its restart.
    Delay,
    /// It failed too often, or is not restarted at all.
    GivenUp,
}

/// A resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub config: ResourceConfig,
    /// Its key in the database, below `Resources`.
    pub guid: String,
    /// The wish kept in the database; `None` if it goes with its group.
    pub wished: Option<bool>,
    /// Whether it is the quorum: its keys are not checkpointed, it starts first and stops last.
    pub is_quorum: bool,
    /// What must be online before it, in its group.
    pub needs: Vec<ResourceId>,
    /// What needs it.
    pub needed_by: Vec<ResourceId>,
    pub phase: Phase,
    /// It failed, and was not started since.
    pub failed: bool,
    /// It was started, and is to stop as soon as the step it is in ends.
    pub abort: bool,
    pub hold: Hold,
    /// The state those who watch were told last.
    pub told: ResourceState,
    /// When it was restarted, within its period.
    pub restarts: VecDeque<SimTime>,
    /// What the next LooksAlive and IsAlive will find.
    pub health: (bool, bool),
    /// Since when it is online: its polls are counted from here.
    pub online_at: SimTime,
}

impl Resource {
    pub fn new(config: ResourceConfig) -> Resource {
        Resource {
            config,
            guid: String::new(),
            wished: None,
            is_quorum: false,
            needs: Vec::new(),
            needed_by: Vec::new(),
            phase: Phase::Idle,
            failed: false,
            abort: false,
            hold: Hold::Free,
            told: ResourceState::Offline,
            restarts: VecDeque::new(),
            health: (true, true),
            online_at: SimTime::ZERO,
        }
    }

    /// The state that is shown.
    pub fn state(&self) -> ResourceState {
        match self.phase {
            Phase::Restoring | Phase::Starting => ResourceState::OnlinePending,
            Phase::Online => ResourceState::Online,
            _ if self.failed => ResourceState::Failed,
            Phase::Idle => ResourceState::Offline,
            Phase::Stopping | Phase::Saving | Phase::Giving => ResourceState::OfflinePending,
        }
    }

    /// Whether it is on its way somewhere.
    pub fn is_pending(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Online)
    }

    /// The disk, if it is one.
    pub fn disk(&self) -> Option<DiskId> {
        match self.config.kind {
            ResourceKind::PhysicalDisk { disk, .. } => Some(disk),
            _ => None,
        }
    }

    /// Whether a node can run it.
    pub fn can_run_on(&self, node: NodeId) -> bool {
        let owners = &self.config.possible_owners;
        owners.is_empty() || owners.contains(&node)
    }
}
