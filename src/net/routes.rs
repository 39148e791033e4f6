//! Routes: the next hop of every (router, subnet), and the first router of every (subnet, subnet).
//!
//! Shortest paths by delay over the routers, subnets and links that are up (petgraph's Dijkstra from each
//! subnet), ties to the lower number. Recomputed when something goes down or up; nothing is kept per pair
//! of hosts. Hosts are assumed to know the right router of their subnet, as ICMP redirects and dead
//! gateway detection would teach them.

use super::medium::Medium;
use super::topology::{Link, Router, RouterId, Subnet, SubnetId};
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};

/// Where a router sends a packet next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Hop {
    /// Nowhere.
    Unreachable,
    /// Onto the destination's subnet.
    Deliver,
    /// Over a medium of a link to the router at its other end.
    Link { medium: u32, router: RouterId },
    /// Over a subnet to another router on it.
    Via { subnet: SubnetId, router: RouterId },
}

/// All routes.
#[derive(Clone, Default, Debug)]
pub(super) struct Routes {
    subnets: usize,
    /// By router, then destination subnet.
    next: Vec<Hop>,
    /// By the sender's subnet, then destination subnet.
    first: Vec<Option<RouterId>>,
}

impl Routes {
    /// Computes all routes.
    pub(super) fn compute(
        subnets: &[Subnet],
        routers: &[Router],
        links: &[Link],
        media: &[Medium],
    ) -> Routes {
        let count = subnets.len();
        let mut graph = UnGraph::<(), u64>::new_undirected();
        for _ in 0..count + routers.len() {
            graph.add_node(());
        }
        let node = NodeIndex::<u32>::new;
        // Every hop weighs at least one, so that a next hop is always nearer.
        let weight = |medium: u32| media[medium as usize].config.delay.0.0.max(1);
        let is_up = |medium: u32| media[medium as usize].up;
        for (r, router) in routers.iter().enumerate().filter(|(_, router)| router.up) {
            for &(s, _) in &router.attached {
                let medium = subnets[s.0 as usize].medium;
                if is_up(medium) {
                    graph.add_edge(node(s.0 as usize), node(count + r), weight(medium));
                }
            }
        }
        for link in links.iter().filter(|link| is_up(link.media[0])) {
            let [a, b] = link.ends.map(|r| r.0 as usize);
            if routers[a].up && routers[b].up {
                graph.add_edge(node(count + a), node(count + b), weight(link.media[0]));
            }
        }
        let mut routes = Routes {
            subnets: count,
            next: vec![Hop::Unreachable; routers.len() * count],
            first: vec![None; count * count],
        };
        for t in 0..count {
            let distances = dijkstra(&graph, node(t), None, |edge| *edge.weight());
            let distance = |n: usize| distances.get(&node(n)).copied();
            for (s, on) in subnets.iter().enumerate().filter(|(_, on)| is_up(on.medium)) {
                routes.first[s * count + t] = on
                    .routers
                    .iter()
                    .filter(|r| routers[r.0 as usize].up)
                    .filter_map(|&r| distance(count + r.0 as usize).map(|d| (d, r)))
                    .min()
                    .map(|(_, r)| r);
            }
            for (r, router) in routers.iter().enumerate().filter(|(_, router)| router.up) {
                let hop =
                    routes.hop(r, router, t, (subnets, routers, links), &is_up, &weight, &distance);
                routes.next[r * count + t] = hop;
            }
        }
        routes
    }

    /// The best next hop of one router: over an attached subnet or over a link.
    #[allow(clippy::too_many_arguments)]
    fn hop(
        &self,
        r: usize,
        router: &Router,
        t: usize,
        (subnets, routers, links): (&[Subnet], &[Router], &[Link]),
        is_up: &dyn Fn(u32) -> bool,
        weight: &dyn Fn(u32) -> u64,
        distance: &dyn Fn(usize) -> Option<u64>,
    ) -> Hop {
        let mut best = (u64::MAX, Hop::Unreachable);
        for &(s, _) in &router.attached {
            let medium = subnets[s.0 as usize].medium;
            let Some(d) = distance(s.0 as usize).filter(|_| is_up(medium)) else { continue };
            let hop = if s.0 as usize == t {
                Hop::Deliver
            } else {
                match self.first[s.0 as usize * self.subnets + t] {
                    // Back to ourselves: the way over this subnet is no shorter.
                    Some(next) if next.0 as usize != r => Hop::Via { subnet: s, router: next },
                    _ => continue,
                }
            };
            if d + weight(medium) < best.0 {
                best = (d + weight(medium), hop);
            }
        }
        for &l in &router.links {
            let link = &links[l.0 as usize];
            let side = usize::from(link.ends[0].0 as usize != r);
            let other = link.ends[1 - side];
            let usable = is_up(link.media[side]) && routers[other.0 as usize].up;
            let reached = distance(self.subnets + other.0 as usize).filter(|_| usable);
            let Some(d) = reached else { continue };
            if d + weight(link.media[side]) < best.0 {
                let medium = link.media[side];
                best = (d + weight(medium), Hop::Link { medium, router: other });
            }
        }
        best.1
    }

    /// Where a router sends packets for a subnet.
    #[inline]
    pub(super) fn next(&self, router: u32, subnet: u32) -> Hop {
        self.next[router as usize * self.subnets + subnet as usize]
    }

    /// Which router of `from` hosts use for `to`.
    #[inline]
    pub(super) fn first(&self, from: u32, to: u32) -> Option<RouterId> {
        self.first[from as usize * self.subnets + to as usize]
    }

    /// Bytes the tables occupy.
    pub(super) fn bytes(&self) -> usize {
        self.next.capacity() * size_of::<Hop>()
            + self.first.capacity() * size_of::<Option<RouterId>>()
    }
}
