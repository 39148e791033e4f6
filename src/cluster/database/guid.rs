//! Names of keys: GUIDs made from the cluster's identity and a number, and read back.

use super::super::ids::{GroupId, NetworkId, ResourceId};
use crate::base::hash_path;

/// What a GUID names.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Cluster,
    Group,
    Resource,
    Network,
    Interface,
}

/// The GUID of a thing of the cluster with this identity. Its last four digits are the thing's number.
pub(super) fn guid(instance: &str, kind: Kind, number: u16) -> String {
    let high = hash_path(&format!("{instance}/{kind:?}/{number}"));
    let low = hash_path(&format!("{number}/{kind:?}/{instance}"));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:08x}{number:04x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFFF,
        low & 0xFFFF,
        low >> 32,
    )
}

/// The number of the thing a GUID names, if it is one of this cluster.
fn number(instance: &str, kind: Kind, text: &str) -> Option<u16> {
    let digits = text.get(text.len().checked_sub(4)?..)?;
    let number = u16::from_str_radix(digits, 16).ok()?;
    guid(instance, kind, number).eq_ignore_ascii_case(text).then_some(number)
}

pub(super) fn group(instance: &str, text: &str) -> Option<GroupId> {
    number(instance, Kind::Group, text).map(GroupId)
}

pub(super) fn resource(instance: &str, text: &str) -> Option<ResourceId> {
    number(instance, Kind::Resource, text).map(ResourceId)
}

pub(super) fn network(instance: &str, text: &str) -> Option<NetworkId> {
    u8::try_from(number(instance, Kind::Network, text)?).ok().map(NetworkId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_read_back_in_its_own_cluster_only() {
        let text = guid("alpha", Kind::Resource, 0x1F);
        assert_eq!(text.len(), 36);
        assert_eq!(resource("alpha", &text), Some(ResourceId(0x1F)));
        assert_eq!(resource("alpha", &text.to_uppercase()), Some(ResourceId(0x1F)));
        assert_eq!(resource("beta", &text), None);
        assert_eq!(group("alpha", &text), None);
        assert_eq!(resource("alpha", "äöü"), None);
        assert_eq!(resource("alpha", ""), None);
    }
}
