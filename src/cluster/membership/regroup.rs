//! The regroup: who is still there, and who goes on (FTCS-28 1998; stages after the Tandem patents).
//!
//! | stage | left when | then |
//! | --- | --- | --- |
//! | activate | every candidate was heard, after one own tick at least, or time is up | this node's row is final |
//! | closing | all rows are final; the tie-breaker has proposed; the arbitration, if one is needed, is won | this node accepts |
//! | pruning | every node of the proposal has accepted it | the new membership is installed here |
//! | clean-up 1 | every node of it has installed it | the other parts are told |
//! | clean-up 2 | every node of it has told its parts | done |
//!
//! At every tick a node sends its stage, its row and all it has heard of the others' to all candidates. The
//! tie-breaker, the lowest numbered node of those that can reach each other, proposes the largest set whose
//! nodes all hear each other, with the quorum's owner in it if he is there. Whoever is outside halts.
//!
//! A node accepts one proposal in an epoch, and installs a membership only when all nodes of it have
//! accepted it: so two memberships installed in one epoch are the same or have no node in common, and of
//! the latter the quorum lets one live. When anything else fails meanwhile, a regroup with a higher epoch
//! begins, and overrules this one everywhere.

use super::super::config::QuorumKind;
use super::super::events::ClusterEvent;
use super::super::ids::{NetworkId, NodeId, NodeSet};
use super::super::io::{HaltReason, Observation};
use super::super::profile::Survival;
use super::super::step::{Notice, Step};
use super::{Membership, Mode, clique, index, join};
use crate::base::{SimDuration, SimTime};
use crate::wire::cluster::{Body, Header, Proposal, Regroup, Stage};

/// A regroup while it runs.
#[derive(Debug)]
pub(super) struct RegroupState {
    pub epoch: u64,
    stage: Stage,
    /// Since when it is in this stage.
    since: SimTime,
    pub next_tick: SimTime,
    /// Whom each node hears.
    rows: Vec<NodeSet>,
    frozen: NodeSet,
    owners: NodeSet,
    won: NodeSet,
    /// Members before, as anyone of those heard knows them.
    previous: NodeSet,
    left: NodeSet,
    /// Nodes that others know as members already, and this node does not yet.
    extra: NodeSet,
    proposal: Option<Proposal>,
    /// What each node said last.
    reports: Vec<Report>,
}

#[derive(Copy, Clone, Debug)]
struct Report {
    at: SimTime,
    stage: Stage,
    set: u64,
}

/// Whether this node has to win, or has won, the quorum in the regroup that runs.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Arbitration {
    #[default]
    None,
    Pending,
    Won,
}

/// What follows from a look at a stage.
enum Outcome {
    Stay,
    Enter(Stage),
    Halt(HaltReason),
    Restart,
}

/// What the survival rules say.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Survives,
    Arbitrates,
    Halts,
}

impl Membership {
    /// The arbitration it asked for has ended.
    pub fn arbitrated(&mut self, won: bool, step: &mut Step<'_>) {
        if self.arbitration != Arbitration::Pending {
            return;
        }
        self.arbitration = if won { Arbitration::Won } else { Arbitration::None };
        let Some(regroup) = &mut self.regroup else { return };
        if won {
            self.quorum_owner = Some(step.me);
            regroup.won.insert(step.me);
            regroup.owners.insert(step.me);
        } else if regroup.proposal.is_some_and(|proposal| proposal.arbiter == step.me.0) {
            // Others of this partition may reach the disk: they go on without this node.
            for node in self.members.without(NodeSet::only(step.me)).iter() {
                self.send_everywhere(node, Body::Leave { epoch: self.epoch }, step);
            }
            self.halt(HaltReason::LostArbitration, step);
        }
    }

    /// The members that a regroup which runs is about to keep; otherwise all.
    pub fn partition(&self) -> NodeSet {
        let proposal = self.regroup.as_ref().and_then(|regroup| regroup.proposal);
        proposal.map_or(self.members, |proposal| NodeSet::from_bits(proposal.set))
    }

    /// The epoch of the regroup that runs, or ran last.
    pub(super) fn epoch_now(&self) -> u64 {
        self.regroup.as_ref().map_or(self.epoch, |regroup| regroup.epoch)
    }

    /// Begins a regroup, in the place of one that runs.
    pub(super) fn start_regroup(&mut self, epoch: u64, step: &mut Step<'_>) {
        if self.mode != Mode::Member || self.silenced {
            return;
        }
        if self.regroup.is_none() {
            step.observe(Observation::RegroupBegan);
        }
        let me = NodeSet::only(step.me);
        let if_me = |yes: bool| if yes { me } else { NodeSet::EMPTY };
        let now = step.now.time;
        let nodes = step.config.nodes.len();
        let won = if_me(self.arbitration == Arbitration::Won);
        self.regroup = Some(Box::new(RegroupState {
            epoch,
            stage: Stage::Activate,
            since: now,
            next_tick: now + step.config.profile.regroup_tick,
            rows: vec![NodeSet::EMPTY; nodes],
            frozen: NodeSet::EMPTY,
            owners: won.or(if_me(self.quorum_owner == Some(step.me))),
            won,
            previous: self.members,
            left: self.left,
            extra: NodeSet::EMPTY,
            proposal: None,
            reports: vec![Report { at: now, stage: Stage::Activate, set: 0 }; nodes],
        }));
        self.abort_join(join::ERROR_ABORTED, step);
    }

    pub(super) fn on_regroup(
        &mut self,
        header: &Header,
        network: NetworkId,
        packet: &Regroup,
        step: &mut Step<'_>,
    ) {
        if self.mode != Mode::Member || self.silenced || matches!(packet.stage, Stage::Unknown(_)) {
            return;
        }
        let from = NodeId(header.from);
        if !self.is_current(header) {
            return self.poison(header, step);
        }
        self.hear(from, network, step);
        let told = NodeSet::from_bits(packet.members);
        let joins = told.contains(step.me) && told.contains(from);
        if !self.members.contains(from) && !joins {
            return;
        }
        if packet.epoch > self.epoch_now() {
            // Whoever is beyond closing has done without this node's row: once more, for all.
            let opening = packet.stage < Stage::Pruning;
            self.start_regroup(packet.epoch + u64::from(!opening), step);
        }
        let member = self.members.contains(from);
        match &mut self.regroup {
            Some(regroup) if regroup.epoch == packet.epoch => {
                if !member {
                    regroup.extra.insert(from);
                }
                let hears = !self.dead.contains(from);
                regroup.merge(from, packet, hears, step);
            }
            None if packet.stage != Stage::Stabilized => {
                let status = self.status();
                self.send_on(network, from, Body::Regroup(status), step);
            }
            _ => {}
        }
    }

    /// What a node says of the regroup that it has been through last.
    fn status(&self) -> Regroup {
        Regroup {
            epoch: self.epoch,
            stage: Stage::Stabilized,
            members: self.members.bits(),
            left: 0,
            owners: 0,
            frozen: 0,
            won: 0,
            proposal: Proposal { set: self.members.bits(), ..Proposal::default() },
            row_nodes: 0,
            rows: Vec::new(),
        }
    }

    /// The regroup's clock has ticked.
    pub(super) fn regroup_tick(&mut self, step: &mut Step<'_>) {
        while let Some(mut regroup) = self.regroup.take() {
            let outcome = self.look(&mut regroup, step);
            let epoch = regroup.epoch;
            self.regroup = Some(regroup);
            match outcome {
                Outcome::Stay => break,
                Outcome::Enter(stage) => self.enter(stage, step),
                Outcome::Halt(reason) => return self.halt(reason, step),
                Outcome::Restart => {
                    self.start_regroup(epoch + 1, step);
                    break;
                }
            }
        }
        let Some(regroup) = &mut self.regroup else { return };
        regroup.next_tick = step.now.time + step.config.profile.regroup_tick;
        let packet = regroup.packet();
        self.send_to_candidates(packet, step);
    }

    fn send_to_candidates(&self, packet: Regroup, step: &mut Step<'_>) {
        let extra = self.regroup.as_ref().map_or(NodeSet::EMPTY, |regroup| regroup.extra);
        let candidates = self.members.or(extra).without(self.left).without(NodeSet::only(step.me));
        for node in candidates.iter() {
            self.send_everywhere(node, Body::Regroup(packet.clone()), step);
        }
    }

    /// What follows in the stage this regroup is in.
    fn look(&mut self, regroup: &mut RegroupState, step: &mut Step<'_>) -> Outcome {
        let waited = step.now.time.since(regroup.since);
        let timeout = step.config.profile.regroup_stage_timeout;
        match regroup.stage {
            Stage::Activate => {
                let expected = self.members.or(regroup.extra).without(regroup.left);
                let expected = expected.without(self.dead).without(NodeSet::only(step.me));
                if regroup.rows[index(step.me)].covers(expected) || waited >= timeout {
                    regroup.frozen.insert(step.me);
                    return Outcome::Enter(Stage::Closing);
                }
                Outcome::Stay
            }
            Stage::Closing => self.closing(regroup, waited, step),
            stage => {
                if regroup.all_at(stage, step.me) {
                    return Outcome::Enter(match stage {
                        Stage::Pruning => Stage::Cleanup1,
                        Stage::Cleanup1 => Stage::Cleanup2,
                        _ => Stage::Stabilized,
                    });
                }
                match waited >= timeout || regroup.is_someone_silent(step) {
                    true => Outcome::Restart,
                    false => Outcome::Stay,
                }
            }
        }
    }

    fn closing(
        &mut self,
        regroup: &mut RegroupState,
        waited: SimDuration,
        step: &mut Step<'_>,
    ) -> Outcome {
        let profile = &step.config.profile;
        let timeout = profile.regroup_stage_timeout;
        let Some(proposal) = regroup.proposal else {
            let ready = regroup.is_matrix_final(step.me) || waited >= timeout;
            if ready && let Some(proposal) = self.propose(regroup, step) {
                let halts = proposal.set == 0;
                regroup.proposal = Some(proposal);
                // The others hear of the end before this node halts.
                return if halts { Outcome::Stay } else { self.closing(regroup, waited, step) };
            }
            return match waited >= timeout * 2 {
                true => Outcome::Restart,
                false => Outcome::Stay,
            };
        };
        let set = NodeSet::from_bits(proposal.set);
        if set.is_empty() {
            return Outcome::Halt(HaltReason::LostRegroup);
        }
        let too_long = waited >= timeout * 2 + profile.arbitration_max;
        if !set.contains(step.me) {
            if set.iter().any(|node| regroup.has_accepted(node, proposal.set)) {
                return Outcome::Halt(HaltReason::Pruned);
            }
            return if too_long { Outcome::Restart } else { Outcome::Stay };
        }
        if too_long || regroup.is_someone_silent(step) {
            return Outcome::Restart;
        }
        let arbiter = NodeId(proposal.arbiter);
        if proposal.arbiter == 0 || regroup.won.contains(arbiter) {
            return Outcome::Enter(Stage::Pruning);
        }
        if arbiter == step.me && self.arbitration == Arbitration::None {
            self.arbitration = Arbitration::Pending;
            step.notice(Notice::Arbitrate);
        }
        Outcome::Stay
    }

    /// The tie-breaker's proposal, if this node is the tie-breaker.
    fn propose(&self, regroup: &RegroupState, step: &Step<'_>) -> Option<Proposal> {
        let both = clique::symmetric(&regroup.rows);
        let reached = clique::component(&both, step.me);
        if reached.lowest() != Some(step.me) {
            return None;
        }
        let open = reached.without(regroup.left);
        let holders = [regroup.won.and(open), regroup.owners.and(open)];
        let holder = holders.into_iter().find_map(NodeSet::lowest);
        let set = clique::largest(&both, open, holder.into_iter().collect());
        let by = step.me.0;
        let first = holder.or(set.lowest())?.0;
        let (arbiter, owner) = match self.verdict(regroup, set, holder.is_some(), step) {
            Verdict::Halts => return Some(Proposal { by, ..Proposal::default() }),
            Verdict::Arbitrates => (first, first),
            // Every node of a majority can coordinate its replicas.
            Verdict::Survives if step.config.quorum == QuorumKind::MajorityNodeSet => (0, first),
            Verdict::Survives => (0, holder.map_or(0, |owner| owner.0)),
        };
        Some(Proposal { by, arbiter, owner, set: set.bits() })
    }

    fn verdict(
        &self,
        regroup: &RegroupState,
        set: NodeSet,
        holder: bool,
        step: &Step<'_>,
    ) -> Verdict {
        let lost = regroup.previous.without(set).without(regroup.left);
        if step.config.quorum == QuorumKind::MajorityNodeSet {
            let all = step.config.node_ids().collect::<NodeSet>().without(self.evicted);
            let voters = self.voters.unwrap_or(all);
            let majority = set.and(voters).len() > voters.len() / 2;
            // A set that loses nobody cannot have become two.
            let whole = set.covers(regroup.previous);
            return if majority || whole { Verdict::Survives } else { Verdict::Halts };
        }
        match step.config.profile.survival {
            // Nobody has left without a word, and the owner is here.
            Survival::QuorumOwner if lost.is_empty() && holder => Verdict::Survives,
            Survival::QuorumOwner => Verdict::Arbitrates,
            Survival::PreviousMajority => {
                majority_of_previous(regroup.previous.without(regroup.left), set)
            }
        }
    }

    /// What a stage begins with.
    fn enter(&mut self, stage: Stage, step: &mut Step<'_>) {
        let Some(regroup) = &mut self.regroup else { return };
        regroup.stage = stage;
        regroup.since = step.now.time;
        let epoch = regroup.epoch;
        let set = regroup.proposal.map_or(NodeSet::EMPTY, |p| NodeSet::from_bits(p.set));
        match stage {
            Stage::Cleanup1 => self.install(epoch, set, step),
            Stage::Cleanup2 => {
                let left = self.noticed.without(set);
                self.noticed = set;
                let owner = regroup.proposal.map_or(0, |proposal| proposal.owner);
                let quorum_owner = (owner != 0).then_some(NodeId(owner));
                self.quorum_owner = quorum_owner;
                step.notice(Notice::MembersChanged { members: set, left, quorum_owner, epoch });
            }
            Stage::Stabilized => {
                let packet = regroup.packet();
                self.send_to_candidates(packet, step);
                self.regroup = None;
                self.arbitration = Arbitration::None;
            }
            _ => {}
        }
    }

    fn install(&mut self, epoch: u64, set: NodeSet, step: &mut Step<'_>) {
        self.epoch = epoch;
        for node in self.members.without(set).iter() {
            if !self.left.contains(node) {
                for network in step.config.internal_networks() {
                    step.log(ClusterEvent::InterfaceUnreachable { node, network });
                }
            }
            step.log(ClusterEvent::NodeRemoved { node });
            self.forget(node);
        }
        for node in set.without(self.members).iter() {
            self.expect(node, step);
        }
        self.members = set;
        self.left = NodeSet::EMPTY;
        self.dead = NodeSet::EMPTY;
        self.forget_joiner(step);
        self.schedule_heartbeat(step);
        step.observe(Observation::Members(set));
    }
}

impl RegroupState {
    /// What another node says in the same regroup. `hears`: its datagrams count.
    fn merge(&mut self, from: NodeId, packet: &Regroup, hears: bool, step: &Step<'_>) {
        let told = NodeSet::from_bits(packet.row_nodes).iter().zip(&packet.rows);
        for (node, &row) in told {
            if node != step.me
                && let Some(known) = self.rows.get_mut(index(node))
            {
                *known = known.or(NodeSet::from_bits(row));
            }
        }
        self.frozen = self.frozen.or(NodeSet::from_bits(packet.frozen));
        self.won = self.won.or(NodeSet::from_bits(packet.won));
        self.owners = self.owners.or(NodeSet::from_bits(packet.owners));
        self.previous = self.previous.or(NodeSet::from_bits(packet.members));
        self.left = self.left.or(NodeSet::from_bits(packet.left));
        if hears && self.stage == Stage::Activate {
            self.rows[index(step.me)].insert(from);
        }
        let theirs = packet.proposal;
        let better = self.proposal.is_none_or(|mine| theirs.by < mine.by);
        if theirs.by != 0 && better && self.stage <= Stage::Closing {
            self.proposal = Some(theirs);
        }
        let set = if packet.stage >= Stage::Pruning { theirs.set } else { 0 };
        self.reports[index(from)] = Report { at: step.now.time, stage: packet.stage, set };
    }

    /// What this node tells the candidates.
    fn packet(&self) -> Regroup {
        let told = (1u8..).map(NodeId).zip(&self.rows).filter(|(_, row)| !row.is_empty());
        Regroup {
            epoch: self.epoch,
            stage: self.stage,
            members: self.previous.bits(),
            left: self.left.bits(),
            owners: self.owners.bits(),
            frozen: self.frozen.bits(),
            won: self.won.bits(),
            proposal: self.proposal.unwrap_or_default(),
            row_nodes: told.clone().map(|(node, _)| node).collect::<NodeSet>().bits(),
            rows: told.map(|(_, row)| row.bits()).collect(),
        }
    }

    /// Whether the rows of all who hear, or are heard by, anyone of this partition will not change any more.
    fn is_matrix_final(&self, me: NodeId) -> bool {
        let mut either = self.rows.clone();
        for (node, row) in (1u8..).map(NodeId).zip(&self.rows) {
            for heard in row.iter() {
                if let Some(back) = either.get_mut(index(heard)) {
                    back.insert(node);
                }
            }
        }
        self.frozen.or(self.left).covers(clique::component(&either, me))
    }

    fn has_accepted(&self, node: NodeId, set: u64) -> bool {
        let report = self.reports.get(index(node));
        report.is_some_and(|report| report.stage >= Stage::Pruning && report.set == set)
    }

    /// Whether all others of the new membership have come to this stage with it.
    fn all_at(&self, stage: Stage, me: NodeId) -> bool {
        let Some(proposal) = self.proposal else { return false };
        let others = NodeSet::from_bits(proposal.set).without(NodeSet::only(me));
        others.iter().all(|node| {
            let there = self.reports.get(index(node)).is_some_and(|report| report.stage >= stage);
            there && self.has_accepted(node, proposal.set)
        })
    }

    /// Whether a node of the new membership has said nothing for too long.
    fn is_someone_silent(&self, step: &Step<'_>) -> bool {
        let set = self.proposal.map_or(NodeSet::EMPTY, |p| NodeSet::from_bits(p.set));
        let limit = step.config.profile.regroup_silence;
        let silent = |report: &Report| step.now.time.since(report.at) >= limit;
        set.without(NodeSet::only(step.me))
            .iter()
            .any(|node| self.reports.get(index(node)).is_none_or(silent))
    }
}

/// The rules of the research system, which counts nodes (FTCS-28 1998): nothing lost; more than half; half
/// with the tie-breaker; of two nodes one, if it wins the quorum.
pub(super) fn majority_of_previous(previous: NodeSet, set: NodeSet) -> Verdict {
    let stayed = set.and(previous);
    let half = stayed.len() * 2 == previous.len();
    let tie_breaker = previous.lowest().is_some_and(|node| set.contains(node));
    let most = set.covers(previous) || stayed.len() * 2 > previous.len();
    if most || (half && stayed.len() >= 2 && tie_breaker) {
        Verdict::Survives
    } else if previous.len() == 2 && stayed.len() == 1 {
        Verdict::Arbitrates
    } else {
        Verdict::Halts
    }
}
