//! Who may form a majority node set, and keep it (Windows Server 2003).
//!
//! Every node's host shares a folder for the quorum; whoever opens the same file of more than half of them
//! for itself alone has the quorum. A running cluster's coordinator keeps them open, so that a node that
//! cannot see the cluster cannot form a second one; what a dead coordinator left open its successor asks for
//! until it is free. Which nodes survive in a running cluster is decided by
//! the regroup, which counts members. A node that has formed with folders of hosts whose services do not run
//! has no such regroup: it stops when it reaches no majority of folders any more (KB 258078). (The product's
//! own way was not published; KB 258750 and KB 947713 give the shares and the majority.)

use super::volume::TICKETS_MAX;
use crate::base::{SimDuration, SimTime};
use crate::cluster::ids::{NodeId, NodeSet};
use crate::cluster::io::{FileOperation, FileResult, HaltReason, Part, Place, Ticket};
use crate::cluster::step::{Notice, Step};
use std::collections::BTreeMap;

/// The file that is opened.
const FILE: &str = r"MSCS\owner";

/// How often the coordinator opens again what it may have lost when a host started or a network failed.
const ROUND: SimDuration = SimDuration::from_secs(30);

/// The same while it has not got more than half, because the last coordinator still has them.
const SHORT_ROUND: SimDuration = SimDuration::from_secs(5);

/// Votes for this node.
#[derive(Debug, Default)]
pub(super) struct Votes {
    voters: NodeSet,
    /// Requests sent: the number of the latest.
    count: u32,
    asked: BTreeMap<u32, NodeId>,
    yes: NodeSet,
    /// Hosts that answered, be it that another node has the file.
    reached: NodeSet,
    phase: Phase,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Phase {
    #[default]
    Idle,
    /// It wants to form.
    Voting { earliest: SimTime, latest: SimTime },
    /// It has the quorum, and opens all again then.
    Holding { next: SimTime },
}

impl Votes {
    /// This node wants to form: ends in `Arbitrated`.
    pub fn begin(&mut self, voters: NodeSet, step: &mut Step<'_>) {
        let (now, profile) = (step.now.time, &step.config.profile);
        self.phase = Phase::Voting {
            earliest: now + profile.arbitration_min,
            latest: now + profile.arbitration_max,
        };
        self.voters = voters;
        self.ask(step);
    }

    /// This node coordinates a running cluster.
    pub fn hold(&mut self, voters: NodeSet, step: &mut Step<'_>) {
        self.voters = voters;
        self.phase = Phase::Holding { next: step.now.time + ROUND };
        self.ask(step);
    }

    /// Another node does.
    pub fn release(&mut self, step: &mut Step<'_>) {
        if self.phase != Phase::Idle {
            self.phase = Phase::Idle;
            for node in self.yes.iter() {
                self.request(node, FileOperation::Unlock, step);
            }
            (self.yes, self.asked) = (NodeSet::EMPTY, BTreeMap::new());
        }
    }

    fn ask(&mut self, step: &mut Step<'_>) {
        (self.yes, self.reached) = (NodeSet::EMPTY, NodeSet::EMPTY);
        self.asked.clear();
        for node in self.voters.iter() {
            let number = self.request(node, FileOperation::Lock, step);
            self.asked.insert(number, node);
        }
    }

    fn request(&mut self, node: NodeId, operation: FileOperation, step: &mut Step<'_>) -> u32 {
        self.count = (self.count + 1) & TICKETS_MAX;
        let number = self.count | !TICKETS_MAX;
        let ticket = Ticket { part: Part::Quorum, number };
        step.file(ticket, Place::Replica(node), FILE.into(), operation);
        number
    }

    fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// A folder could not be reached: what was open there may be open no more.
    pub fn doubt(&mut self, step: &Step<'_>) {
        if let Phase::Holding { next } = &mut self.phase {
            *next = (*next).min(step.now.time + SHORT_ROUND);
        }
    }

    /// A majority of folders could not be reached for a file. Another node can have the quorum as soon as the
    /// shortest arbitration is over, which is too early to ask first.
    pub fn failed(&self, members: NodeSet, step: &mut Step<'_>) {
        let is_holding = matches!(self.phase, Phase::Holding { .. });
        if is_holding && members.and(self.voters).len() < self.majority() {
            step.notice(Notice::Halt(HaltReason::LostQuorum));
        }
    }

    /// A request has ended; the cluster has these members.
    pub fn ended(
        &mut self,
        ticket: Ticket,
        result: FileResult<'_>,
        members: NodeSet,
        step: &mut Step<'_>,
    ) {
        let Some(node) = self.asked.remove(&ticket.number) else { return };
        if matches!(result, FileResult::Done | FileResult::Locked) {
            self.reached.insert(node);
        }
        if result == FileResult::Done {
            self.yes.insert(node);
        }
        let has_majority = self.yes.len() >= self.majority();
        let is_lost = self.yes.len() + self.asked.len() < self.majority();
        let majority = self.majority();
        let may_be_two = self.reached.len() < majority && members.and(self.voters).len() < majority;
        match &mut self.phase {
            Phase::Voting { earliest, .. } if has_majority && step.now.time >= *earliest => {
                self.decide(true, step);
            }
            Phase::Voting { .. } if is_lost => self.decide(false, step),
            Phase::Holding { .. } if self.asked.is_empty() && may_be_two => {
                step.notice(Notice::Halt(HaltReason::LostQuorum));
            }
            Phase::Holding { next } if self.asked.is_empty() && !has_majority => {
                *next = step.now.time + SHORT_ROUND;
            }
            Phase::Voting { .. } | Phase::Holding { .. } | Phase::Idle => {}
        }
    }

    fn decide(&mut self, won: bool, step: &mut Step<'_>) {
        if won {
            self.phase = Phase::Holding { next: step.now.time + ROUND };
        } else {
            self.release(step);
        }
        step.notice(Notice::Arbitrated { won });
    }

    /// Acts on what is due.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let now = step.now.time;
        match self.phase {
            Phase::Voting { earliest, .. }
                if earliest <= now && self.yes.len() >= self.majority() =>
            {
                self.decide(true, step);
            }
            Phase::Voting { latest, .. } if latest <= now => self.decide(false, step),
            Phase::Holding { next } if next <= now => self.hold(self.voters, step),
            Phase::Voting { .. } | Phase::Holding { .. } | Phase::Idle => {}
        }
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        match self.phase {
            Phase::Idle => None,
            Phase::Voting { earliest, .. } if self.yes.len() >= self.majority() => Some(earliest),
            Phase::Voting { latest, .. } => Some(latest),
            Phase::Holding { next } => Some(next),
        }
    }
}
