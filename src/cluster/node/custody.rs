//! The quorum's disk on this node: who holds it, what is logged on it, when it may be given back.

use super::super::config::QuorumKind;
use super::super::ids::{DiskId, GroupId, NodeId};
use super::super::io::{ClusterError, ClusterOutput};
use super::super::quorum::NOT_ONLINE;
use super::super::step::Step;
use super::{ClusterNode, Phase, step};
use crate::base::{Now, Outbox};

impl ClusterNode {
    /// Another node holds the quorum from now on, or this one, or nobody.
    pub(super) fn set_quorum_owner(
        &mut self,
        owner: Option<NodeId>,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        self.quorum_given &= owner == Some(self.me);
        self.parts.membership.quorum_owner(owner);
        self.parts.quorum.set_owner(owner, step!(self, now, out));
        self.write_held_logs(now, out);
        self.parts.updates.set_quorum_owner(owner, step!(self, now, out));
    }

    /// Whoever owns the group of the quorum resource holds the quorum.
    pub(super) fn group_moved(
        &mut self,
        group: GroupId,
        to: NodeId,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        let its_group = self.config.quorum_resource().map(|resource| resource.group);
        // One that died meanwhile never gets it: the regroup has named who holds the quorum until somebody
        // claims the group.
        if its_group != Some(group) || !self.parts.membership.members().contains(to) {
            return;
        }
        self.set_quorum_owner(Some(to), now, out);
        // It may have won the disk back, in a regroup, while its group was on the way to another node.
        if let Some(disk) = self.quorum_disk()
            && to != self.me
            && self.parts.disks.is_held(disk)
        {
            self.parts.disks.give(disk, true, step!(self, now, out));
        }
    }

    /// A regroup has ended, and `holder` has won the quorum. If its group was given to another node by an
    /// update that was applied before, the quorum goes where its group is.
    pub(super) fn quorum_follows_its_group(
        &mut self,
        holder: Option<NodeId>,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        let QuorumKind::Disk(resource) = self.config.quorum else { return };
        let owner = self.parts.failover.owner_of_resource(resource);
        if let Some(owner) = owner.filter(|owner| Some(*owner) != holder)
            && let Some(group) = self.config.quorum_resource().map(|resource| resource.group)
        {
            self.group_moved(group, owner, now, out);
        }
    }

    /// A disk is to be given up. The quorum's stays while a regroup runs: the regroup may rest on this node
    /// having won it, and whoever challenges for it next would win too.
    pub(super) fn give_disk(
        &mut self,
        disk: DiskId,
        orderly: bool,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        if Some(disk) == self.quorum_disk() && self.parts.membership.is_in_regroup() {
            self.quorum_give = Some(orderly);
            return;
        }
        let parts = &mut self.parts;
        if parts.quorum.before_give(disk, orderly, &parts.database, step!(self, now, out)) {
            parts.disks.give(disk, orderly, step!(self, now, out));
        }
    }

    /// Gives up the quorum's disk if that had to wait for a regroup, and it is over.
    pub(super) fn give_quorum_at_last(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        if self.quorum_give.is_some()
            && !self.parts.membership.is_in_regroup()
            && let (Some(orderly), Some(disk)) = (self.quorum_give.take(), self.quorum_disk())
        {
            self.give_disk(disk, orderly, now, out);
        }
    }

    /// A disk has been given back.
    pub(super) fn disk_offline(&mut self, disk: DiskId, now: Now, out: &mut Outbox<ClusterOutput>) {
        let is_quorum = Some(disk) == self.quorum_disk();
        self.quorum_given |= is_quorum && self.parts.quorum.owner() == Some(self.me);
        self.parts.failover.disk_offline(disk, step!(self, now, out));
        if is_quorum {
            self.write_held_logs(now, out);
        }
        if is_quorum && self.giving_quorum {
            self.left(now, out);
        }
    }

    /// Changes go into the log once this node, if it is the one that holds the quorum, has opened it: a
    /// change that is applied before it is logged could be lost. One that has given the disk back, and has
    /// not yet brought the news to the others, refuses them: its successor is to be named by the next update.
    pub(super) fn write_held_logs(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        let mounted = self.quorum_disk().is_none_or(|disk| self.parts.disks.is_mounted(disk));
        let is_owner = self.parts.quorum.owner() == Some(self.me);
        if is_owner && !mounted && !self.switches.fix_quorum {
            while self.quorum_given
                && let Some((sequence, _)) = self.held_logs.pop_front()
            {
                let refused = Err(ClusterError(NOT_ONLINE));
                self.parts.updates.logged(sequence, refused, step!(self, now, out));
            }
            return;
        }
        while let Some((sequence, changes)) = self.held_logs.pop_front() {
            let parts = &mut self.parts;
            parts.quorum.log(sequence, &changes, &parts.database, step!(self, now, out));
        }
    }

    /// The log is closed: the last step of an orderly stop gives the disk back.
    pub(super) fn quorum_closed(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        if self.phase != Phase::Leaving {
            return;
        }
        match self.quorum_disk() {
            Some(disk) if self.parts.disks.is_mounted(disk) => {
                self.giving_quorum = true;
                self.parts.disks.give(disk, true, step!(self, now, out));
            }
            _ => self.left(now, out),
        }
    }

    pub(super) fn left(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        self.write_database(now, out);
        self.parts.membership.leave(step!(self, now, out));
        self.stopped(out);
    }
}
