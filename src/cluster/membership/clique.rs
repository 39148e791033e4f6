//! The largest set of nodes that all hear each other: who survives the pruning (FTCS-28 1998).
//!
//! Of several largest sets the one that comes first in the order of its nodes' numbers is taken, so that
//! everyone who looks at the same matrix finds the same set.

use super::super::ids::{NodeId, NodeSet};

/// Branches of the search; beyond them the best set so far is taken. Matrices of real clusters, where nearly
/// everyone hears everyone, need a handful; only one made up to be hard comes here.
const BRANCHES_MAX: u32 = 100_000;

/// The largest clique of the graph with these rows (of both directions: see [`symmetric`]) among `nodes`
/// that holds all of `needed`.
pub(super) fn largest(rows: &[NodeSet], nodes: NodeSet, needed: NodeSet) -> NodeSet {
    let within = needed.iter().fold(nodes, |left, node| left.and(row(rows, node)).or(needed));
    let mut search = Search { rows, best: NodeSet::EMPTY, branches: 0 };
    search.expand(needed, within.without(needed));
    search.best
}

/// Row i, column j: i hears j and j hears i. Everyone hears himself.
pub(super) fn symmetric(rows: &[NodeSet]) -> Vec<NodeSet> {
    let both = |i: usize| {
        let me = NodeId(i as u8 + 1);
        let heard = rows[i].iter().filter(|&other| row(rows, other).contains(me));
        heard.chain([me]).collect()
    };
    (0..rows.len()).map(both).collect()
}

/// All nodes that can be reached from one over these rows.
pub(super) fn component(rows: &[NodeSet], from: NodeId) -> NodeSet {
    let mut found = NodeSet::only(from);
    loop {
        let next = found.iter().fold(found, |sum, node| sum.or(row(rows, node)));
        if next == found {
            return found;
        }
        found = next;
    }
}

fn row(rows: &[NodeSet], node: NodeId) -> NodeSet {
    rows.get((node.0 as usize).wrapping_sub(1)).copied().unwrap_or_default()
}

struct Search<'a> {
    rows: &'a [NodeSet],
    best: NodeSet,
    branches: u32,
}

impl Search<'_> {
    /// Looks for the best clique that holds `chosen` and some of `open`, all of whom hear all of `chosen`.
    fn expand(&mut self, chosen: NodeSet, open: NodeSet) {
        let (mut chosen, mut open) = (chosen, open);
        // Whoever hears all the others belongs to every largest clique.
        for node in open.iter() {
            let mut heard = row(self.rows, node);
            heard.insert(node);
            if heard.covers(open) {
                chosen.insert(node);
            }
        }
        open = open.without(chosen);
        self.branches += 1;
        if chosen.len() > self.best.len() {
            self.best = chosen;
        }
        let Some(first) = open.lowest() else { return };
        if chosen.len() + open.len() <= self.best.len() || self.branches > BRANCHES_MAX {
            return;
        }
        open.remove(first);
        let mut with = chosen;
        with.insert(first);
        self.expand(with, open.and(row(self.rows, first)));
        self.expand(chosen, open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every set tried: the largest, the first of those in the order of numbers.
    fn by_force(rows: &[NodeSet], nodes: NodeSet, needed: NodeSet) -> NodeSet {
        let is_clique = |set: NodeSet| {
            set.iter()
                .all(|a| set.without(NodeSet::only(a)).iter().all(|b| row(rows, a).contains(b)))
        };
        (0..1u64 << rows.len())
            .map(NodeSet::from_bits)
            .filter(|&set| nodes.or(needed).covers(set) && set.covers(needed) && is_clique(set))
            .max_by_key(|set| (set.len(), set.bits().reverse_bits()))
            .unwrap_or_default()
    }

    fn matrix(n: usize, bits: &[bool]) -> Vec<NodeSet> {
        let row = |i: usize| {
            (0..n).filter(|&j| i != j && bits[i * n + j]).map(|j| NodeId(j as u8 + 1)).collect()
        };
        (0..n).map(row).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn it_is_the_one_found_by_force(
            n in 1usize..=9,
            bits in prop::collection::vec(prop::bool::weighted(0.8), 81),
            nodes in any::<u64>(),
            must in 0u8..12,
        ) {
            let rows = symmetric(&matrix(n, &bits));
            let all = NodeSet::from_bits((1 << n) - 1);
            let nodes = NodeSet::from_bits(nodes).or(NodeSet::from_bits(nodes >> 20)).and(all);
            let must = NodeSet::only(NodeId(must)).and(nodes);
            prop_assert_eq!(largest(&rows, nodes, must), by_force(&rows, nodes, must));
        }
    }

    #[test]
    fn a_full_matrix_of_64_needs_one_branch_and_a_hard_one_ends() {
        let all = NodeSet::from_bits(u64::MAX);
        assert_eq!(largest(&symmetric(&[all; 64]), all, NodeSet::EMPTY), all);
        // 32 pairs that do not hear each other: 2^32 largest cliques.
        let pairs: Vec<NodeSet> =
            (0..64).map(|i: u8| all.without(NodeSet::only(NodeId((i ^ 1) + 1)))).collect();
        let found = largest(&symmetric(&pairs), all, NodeSet::EMPTY);
        assert_eq!(found.bits(), 0x5555_5555_5555_5555, "the lower of each pair");
    }

    #[test]
    fn one_direction_is_not_enough() {
        let rows: Vec<NodeSet> = [0b110, 0b101, 0b010].map(NodeSet::from_bits).to_vec();
        let both = symmetric(&rows);
        assert_eq!(both.iter().map(|r| r.bits()).collect::<Vec<_>>(), [0b011, 0b111, 0b110]);
        assert_eq!(component(&both, NodeId(1)).bits(), 0b111);
        assert_eq!(largest(&both, NodeSet::from_bits(7), NodeSet::EMPTY).bits(), 0b011);
        assert_eq!(largest(&both, NodeSet::from_bits(7), NodeSet::only(NodeId(3))).bits(), 0b110);
    }
}
