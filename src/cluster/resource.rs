//! The states of a resource and of a group (ClusAPI CLUSTER_RESOURCE_STATE, CLUSTER_GROUP_STATE).

/// The state of a resource.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum ResourceState {
    /// Not running, as somebody wished or because something it depends on is not there.
    #[default]
    Offline,
    /// On its way online.
    OnlinePending,
    /// Running.
    Online,
    /// On its way offline.
    OfflinePending,
    /// It failed, and is not tried again by itself for now.
    Failed,
}

/// The state of a group, as it follows from its resources.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GroupState {
    /// Every resource is online.
    Online,
    /// Every resource is offline.
    Offline,
    /// A resource has failed, and none is online.
    Failed,
    /// Some are online.
    PartialOnline,
    /// Some are on their way.
    Pending,
}
