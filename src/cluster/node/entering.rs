//! How a node comes into a cluster, by joining or by forming one, and how members come and go after that.

use super::super::database::Database;
use super::super::ids::{NodeId, NodeSet};
use super::super::io::{ClusterOutput, HaltReason, Observation};
use super::super::step::Step;
use super::snapshot::Snapshot;
use super::{ClusterNode, Phase, step};
use crate::base::{Now, Outbox};

impl ClusterNode {
    /// Nobody is there to join.
    pub(super) fn form(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        if self.phase != Phase::Joining {
            return;
        }
        if self.switches.fix_quorum {
            let hive = self.parts.database.save();
            let sequence = self.parts.database.sequence;
            self.phase = Phase::Forming;
            return self.formed(0, sequence, &hive, now, out);
        }
        self.phase = Phase::Arbitrating;
        let disks = &mut self.parts.disks;
        self.parts.quorum.arbitrate((NodeSet::only(self.me), 0), disks, step!(self, now, out));
    }

    pub(super) fn arbitrated(&mut self, won: bool, now: Now, out: &mut Outbox<ClusterOutput>) {
        let parts = &mut self.parts;
        match self.phase {
            Phase::Arbitrating if won => {
                self.phase = Phase::Forming;
                let (database, disks) = (&parts.database, &mut parts.disks);
                parts.quorum.form(database, disks, step!(self, now, out));
            }
            // Whoever won forms a cluster now, which can be joined.
            Phase::Arbitrating if self.starts < self.config.profile.start_tries => {
                self.starts += 1;
                self.phase = Phase::Joining;
                parts.membership.join(step!(self, now, out));
            }
            Phase::Arbitrating => self.halt(HaltReason::CannotStart, now, out),
            Phase::Member | Phase::Leaving => {
                parts.membership.arbitrated(won, step!(self, now, out));
            }
            Phase::Stopped | Phase::Joining | Phase::Forming => {}
        }
    }

    /// This node has the quorum and the newest database: it is the cluster.
    pub(super) fn formed(
        &mut self,
        epoch: u64,
        sequence: u64,
        hive: &[u8],
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        if self.phase != Phase::Forming {
            return;
        }
        let Ok(database) = Database::load(hive) else {
            return self.halt(HaltReason::CannotStart, now, out);
        };
        self.phase = Phase::Member;
        self.parts.database = database;
        self.parts.database.sequence = sequence;
        self.load_hive(now, out);
        let me = Some(self.me);
        let parts = &mut self.parts;
        parts.membership.formed(epoch, step!(self, now, out));
        parts.updates.formed(sequence, step!(self, now, out));
        self.set_quorum_owner(me, now, out);
        let parts = &mut self.parts;
        let all = (parts.membership.members(), parts.membership.epoch());
        parts.quorum.members_changed(all, &parts.database, step!(self, now, out));
        out.push(ClusterOutput::Observe(Observation::Formed));
        self.reload(now, out);
        self.parts.failover.formed(step!(self, now, out));
    }

    /// What the sponsor sent: the database is taken over at once, the rest when this node is a member.
    pub(super) fn load_snapshot(
        &mut self,
        members: NodeSet,
        sequence: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        if self.phase != Phase::Joining {
            return;
        }
        let loaded = Snapshot::decode(bytes).and_then(|snapshot| {
            let database = Database::load(&snapshot.hive).ok()?;
            self.parts.updates.load(members, &snapshot.updates).ok()?;
            Some((snapshot, database))
        });
        let Some((snapshot, mut database)) = loaded else {
            // Damaged on the way: no answer, and the join begins anew.
            return;
        };
        database.sequence = sequence;
        self.parts.database = database;
        self.snapshot = Some(snapshot);
        self.load_hive(now, out);
        self.parts.membership.loaded(sequence, step!(self, now, out));
    }

    /// The update that makes a node a member was applied.
    pub(super) fn node_up(&mut self, node: NodeId, now: Now, out: &mut Outbox<ClusterOutput>) {
        self.parts.membership.admit(node, step!(self, now, out));
        let members = self.parts.membership.members();
        let all = (members, self.parts.membership.epoch());
        if !members.contains(node) {
            // A regroup has ended this join meanwhile.
            return;
        }
        if node != self.me {
            let parts = &mut self.parts;
            parts.quorum.members_changed(all, &parts.database, step!(self, now, out));
            return parts.failover.node_up(node, step!(self, now, out));
        }
        let Some(snapshot) = self.snapshot.take() else { return };
        self.phase = Phase::Member;
        out.push(ClusterOutput::Observe(Observation::Joined));
        self.set_quorum_owner(snapshot.quorum_owner, now, out);
        let parts = &mut self.parts;
        parts.quorum.members_changed(all, &parts.database, step!(self, now, out));
        self.reload(now, out);
        self.parts.failover.joined(&snapshot.failover, step!(self, now, out));
    }

    pub(super) fn members_changed(
        &mut self,
        (members, epoch): (NodeSet, u64),
        left: NodeSet,
        quorum_owner: Option<NodeId>,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        self.set_quorum_owner(quorum_owner, now, out);
        let parts = &mut self.parts;
        let all = (members, epoch);
        parts.quorum.members_changed(all, &parts.database, step!(self, now, out));
        parts.failover.members_changed(members, left, quorum_owner, step!(self, now, out));
        self.quorum_follows_its_group(quorum_owner, now, out);
    }
}
