//! Addresses to subnets, and addresses to interfaces: arithmetic and dense tables.
//!
//! A subnet's hosts sit in pages of 256 addresses that exist once a host is in them, so a /8 with three
//! hosts costs a few kilobytes and a full /16 four bytes an address.

use super::topology::SubnetId;
use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 network and its prefix length.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    /// The network's address, all host bits zero.
    network: u32,
    /// Bits of the network part, 8 to 30.
    bits: u8,
}

impl Prefix {
    /// The network `address` lies in, if `bits` is 8 to 30.
    pub fn new(address: Ipv4Addr, bits: u8) -> Option<Prefix> {
        if !(8..=30).contains(&bits) {
            return None;
        }
        let prefix = Prefix { network: 0, bits };
        Some(Prefix { network: u32::from(address) & prefix.mask(), bits })
    }

    /// The network's address.
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    /// How many bits belong to the network.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The address that reaches every host of the subnet.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network | !self.mask())
    }

    /// Whether the address lies in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == self.network
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Prefix) -> bool {
        self.contains(other.network()) || other.contains(self.network())
    }

    /// Whether a host may have the address: inside, and neither the network's own nor its broadcast.
    pub fn is_host(self, address: Ipv4Addr) -> bool {
        self.contains(address) && address != self.network() && address != self.broadcast()
    }

    pub(super) fn mask(self) -> u32 {
        u32::MAX << (32 - self.bits)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.bits)
    }
}

/// Up to so many networks all are compared, several at a time, instead of searching.
const SCANNED_MAX: usize = 32;

/// All subnets' prefixes, sorted; they do not overlap.
#[derive(Clone, Default, Debug)]
pub(super) struct PrefixTable {
    /// Network addresses apart, so that a search reads one dense array.
    networks: Vec<u32>,
    entries: Vec<(u32, SubnetId)>,
}

impl PrefixTable {
    pub(super) fn insert(&mut self, prefix: Prefix, subnet: SubnetId) {
        let at = self.networks.partition_point(|&n| n < prefix.network);
        self.networks.insert(at, prefix.network);
        self.entries.insert(at, (prefix.mask(), subnet));
    }

    /// The subnet an address lies in.
    #[inline]
    pub(super) fn find(&self, address: u32) -> Option<SubnetId> {
        let networks = &self.networks[..];
        let before = if networks.len() <= SCANNED_MAX {
            networks.iter().map(|&n| u32::from(n <= address)).sum::<u32>() as usize
        } else {
            networks.partition_point(|&n| n <= address)
        };
        let at = before.checked_sub(1)?;
        let (mask, subnet) = self.entries[at];
        (address & mask == self.networks[at]).then_some(subnet)
    }
}

/// Who has which address in one subnet: offset from the network's address to an index.
#[derive(Clone, Default, Debug)]
pub(super) struct AddressTable {
    /// Page number plus one by `offset / 256`, zero for none.
    pages: Vec<u32>,
    /// The pages' slots: index plus one, zero for nobody.
    slots: Vec<u32>,
}

const PAGE: usize = 256;

impl AddressTable {
    #[inline]
    pub(super) fn get(&self, offset: u32) -> Option<u32> {
        let offset = offset as usize;
        let page = *self.pages.get(offset / PAGE)? as usize;
        if page == 0 {
            return None;
        }
        self.slots[(page - 1) * PAGE + offset % PAGE].checked_sub(1)
    }

    /// Sets or clears who has the address.
    pub(super) fn set(&mut self, offset: u32, index: Option<u32>) {
        let offset = offset as usize;
        if self.pages.len() <= offset / PAGE {
            self.pages.resize(offset / PAGE + 1, 0);
        }
        if self.pages[offset / PAGE] == 0 {
            self.slots.resize(self.slots.len() + PAGE, 0);
            self.pages[offset / PAGE] = (self.slots.len() / PAGE) as u32;
        }
        let page = self.pages[offset / PAGE] as usize - 1;
        self.slots[page * PAGE + offset % PAGE] = index.map_or(0, |i| i + 1);
    }

    /// Bytes it occupies.
    pub(super) fn bytes(&self) -> usize {
        (self.pages.capacity() + self.slots.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn prefixes_know_their_addresses() {
        let p = Prefix::new(Ipv4Addr::new(10, 1, 3, 9), 22).unwrap();
        assert_eq!(p.to_string(), "10.1.0.0/22");
        assert_eq!(p.broadcast(), Ipv4Addr::new(10, 1, 3, 255));
        assert!(
            p.contains(Ipv4Addr::new(10, 1, 3, 255)) && !p.contains(Ipv4Addr::new(10, 1, 4, 0))
        );
        assert!(!p.is_host(p.broadcast()) && !p.is_host(p.network()));
        assert!(Prefix::new(Ipv4Addr::LOCALHOST, 31).is_none());
        assert!(p.overlaps(Prefix::new(Ipv4Addr::new(10, 0, 0, 0), 8).unwrap()));
    }

    #[test]
    fn a_subnet_is_found_by_arithmetic() {
        let mut table = PrefixTable::default();
        for (i, net) in [[10, 2, 0, 0], [10, 1, 0, 0], [192, 168, 1, 0]].into_iter().enumerate() {
            table.insert(Prefix::new(net.into(), 24).unwrap(), SubnetId(i as u32));
        }
        let find = |a: [u8; 4]| table.find(u32::from(Ipv4Addr::from(a))).map(|s| s.0);
        assert_eq!(find([10, 1, 0, 255]), Some(1));
        assert_eq!(find([10, 2, 0, 7]), Some(0));
        assert_eq!(find([192, 168, 1, 1]), Some(2));
        assert_eq!(find([10, 1, 1, 0]), None);
        assert_eq!(find([9, 0, 0, 1]), None);
    }

    proptest::proptest! {
        #[test]
        fn the_address_table_is_a_map(changes in proptest::collection::vec(
            (0u32..100_000, proptest::option::of(0u32..1000)), 0..200)) {
            let (mut table, mut model) = (AddressTable::default(), BTreeMap::new());
            for (offset, index) in changes {
                table.set(offset, index);
                model.insert(offset, index);
                for (&o, &i) in &model {
                    assert_eq!(table.get(o), i);
                }
                assert_eq!(table.get(offset ^ 1), model.get(&(offset ^ 1)).copied().flatten());
            }
        }
    }
}
