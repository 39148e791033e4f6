//! The cluster service of one node: start, join, form, stop, and the way of notices between its parts.

use super::config::ClusterConfig;
use super::ids::NodeId;
use super::io::{ClusterInput, ClusterOutput};
use crate::base::{Machine, Now, Outbox, SimTime};
use std::sync::Arc;

/// The UDP port between nodes (cluster network driver).
pub const PORT: u16 = 3343;

/// The cluster service of one node.
#[derive(Debug)]
pub struct ClusterNode {
    config: Arc<ClusterConfig>,
    me: NodeId,
}

impl ClusterNode {
    /// The service, not started.
    pub fn new(config: Arc<ClusterConfig>, me: NodeId) -> ClusterNode {
        ClusterNode { config, me }
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        self.me
    }

    /// The cluster as set up.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }
}

impl Machine for ClusterNode {
    type Input<'a> = ClusterInput<'a>;
    type Output = ClusterOutput;

    fn handle(&mut self, input: ClusterInput<'_>, now: Now, out: &mut Outbox<ClusterOutput>) {
        let _ = (input, now, out);
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        let _ = (now, out);
    }

    fn next_deadline(&self) -> Option<SimTime> {
        None
    }
}
