//! Numbers of the things a cluster is made of. Each points into the cluster database, where the thing's
//! key is named after it.

use std::fmt;

/// A node, numbered from 1 as `HKLM\Cluster\Nodes` numbers them.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u8);

/// A cluster network.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NetworkId(pub u8);

/// A resource group.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u16);

/// A resource.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceId(pub u16);

/// A disk of the shared bus, in the order in which the scenario names them.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DiskId(pub u16);

/// A set of nodes.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeSet(u64);

impl NodeId {
    /// The highest number a node can have: beyond every product, for studies of larger clusters.
    pub const MAX: NodeId = NodeId(64);
}

impl NodeSet {
    /// No node.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// The set with these bits; bit 0 is node 1.
    pub const fn from_bits(bits: u64) -> NodeSet {
        NodeSet(bits)
    }

    /// Bit 0 is node 1.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// One node.
    pub fn only(node: NodeId) -> NodeSet {
        let mut set = NodeSet::EMPTY;
        set.insert(node);
        set
    }

    /// Adds a node. Numbers outside 1 to 64 are left out.
    pub fn insert(&mut self, node: NodeId) {
        self.0 |= mask(node);
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeId) {
        self.0 &= !mask(node);
    }

    /// Whether a node is in it.
    pub fn contains(self, node: NodeId) -> bool {
        self.0 & mask(node) != 0
    }

    /// How many nodes are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no node is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The node with the lowest number.
    pub fn lowest(self) -> Option<NodeId> {
        self.iter().next()
    }

    /// Nodes of both.
    pub const fn and(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    /// Nodes of either.
    pub const fn or(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 | other.0)
    }

    /// Nodes of this one that are not in the other.
    pub const fn without(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & !other.0)
    }

    /// Whether every node of the other is in this one.
    pub const fn covers(self, other: NodeSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// The nodes by number.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros();
            (bit < 64).then(|| {
                left &= left - 1;
                NodeId(bit as u8 + 1)
            })
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        let mut set = NodeSet::EMPTY;
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|node| node.0)).finish()
    }
}

fn mask(node: NodeId) -> u64 {
    match node.0 {
        1..=64 => 1 << (node.0 - 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_its_nodes_in_order() {
        let set: NodeSet = [NodeId(64), NodeId(1), NodeId(3), NodeId(0)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [NodeId(1), NodeId(3), NodeId(64)]);
        assert_eq!((set.len(), set.lowest()), (3, Some(NodeId(1))));
        assert!(set.covers(NodeSet::only(NodeId(3))) && !set.covers(NodeSet::only(NodeId(2))));
    }
}
