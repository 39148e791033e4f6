//! What callers of the shared bus say and are told.

use crate::base::SimTime;
use std::fmt;

/// A node on the bus, by the order in which it was attached.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Initiator(pub u8);

/// The 32-bit number written on a disk, by which a cluster knows it wherever it stands (Q243195).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub u32);

/// The outcome of a call, and when the caller is told: it schedules that.
///
/// What the call does to the bus it has done at once; only the program that waits for it learns it later.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T, E = ScsiError> {
    /// When it arrives.
    pub at: SimTime,
    /// What arrives.
    pub result: Result<T, E>,
}

/// Why a disk did not do what it was told.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum ScsiError {
    /// Another node has reserved the disk.
    #[error("reservation conflict")]
    Conflict,
    /// No disk with this signature is seen from here (event 1034).
    #[error("no disk with this signature")]
    NoSuchDisk,
    /// The bus is not terminated, or this node's cable is out: no disk answers.
    #[error("the bus does not work")]
    BusDown,
    /// The disk answers, with errors.
    #[error("the disk has failed")]
    Failed,
    /// The node itself is off or stopped: a call that came too late.
    #[error("the node is down")]
    NodeDown,
}

/// Why an operation on a file or volume failed.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum FileError {
    /// The volume is not online on this node.
    #[error("the volume is not mounted here")]
    NotMounted,
    /// The node had it mounted until now and has just found that another holds the disk, or that the disk
    /// cannot be reached; the volume is not mounted any more.
    #[error("the volume is lost: {0}")]
    Lost(ScsiError),
    /// There is no such file. A file without bytes does not exist.
    #[error("no such file")]
    NotFound,
    /// No room.
    #[error("the disk is full")]
    Full,
    /// A sector of the file cannot be read.
    #[error("a sector cannot be read")]
    Damaged,
}

/// Why a volume did not come online.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum MountError {
    /// The disk does not answer, or another node holds it.
    #[error("{0}")]
    Scsi(ScsiError),
    /// This node has not reserved the disk: its driver blocks access (step 4 of KB 309186).
    #[error("the disk is not reserved")]
    NotReserved,
    /// There is no file system on it (event 1035): a new disk.
    #[error("no file system")]
    NotFormatted,
    /// The check did not leave a clean volume, and a dirty one is not wanted (event 1066).
    #[error("the check ended with {0:?}")]
    CheckFailed(Chkdsk),
    /// It is mounted here already, or is being mounted.
    #[error("mounted already")]
    Already,
    /// Nothing is being mounted here: the disk was lost or given up meanwhile.
    #[error("given up meanwhile")]
    GivenUp,
    /// It is too early to ask.
    #[error("not done yet")]
    NotYet,
}

/// How a check of a volume ended; the numbers are those in the cluster's log (Q265533).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Chkdsk {
    /// 0: nothing to repair.
    Clean,
    /// 1: major errors, repaired.
    MajorFixed,
    /// 2: minor errors, repaired.
    MinorFixed,
    /// 3: it could not complete.
    Incomplete,
    /// 3221225786: stopped by somebody.
    Aborted,
}

/// What a mount does about a volume that needs a check (SDK: SkipChkdsk, ConditionalMount).
///
/// | skip | conditional | |
/// |---|---|---|
/// | no | yes | the default: check, and mount only if the check leaves a clean volume |
/// | no | no | check, and mount whatever comes of it |
/// | yes | either | mount without a check |
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MountRule {
    /// SkipChkdsk.
    pub skip_chkdsk: bool,
    /// ConditionalMount.
    pub conditional_mount: bool,
}

/// What a node's volume is doing.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Not mounted on this node.
    Offline,
    /// Being mounted.
    Mounting,
    /// A check runs.
    Checking,
    /// The check or mount is over; [`super::SharedBus::mounted`] has not been called yet.
    Mounted,
    /// Programs may use it.
    Online,
}

/// A volume that came online.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Mounted {
    /// How the check ended, if there was one.
    pub check: Option<Chkdsk>,
    /// Whether it still needs one.
    pub dirty: bool,
}

/// Whether a write waits for the disk.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Flush {
    /// The answer comes when it is on the platter.
    Through,
    /// The answer comes at once; the node's cache writes it within [`super::BusParams::lazy_write`], if the
    /// node still has the disk then.
    Behind,
}

/// What a reset reaches.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ResetScope {
    /// Every disk on the bus.
    Bus,
    /// One disk (a target reset, with the Storport driver: KB 309186).
    Target(Signature),
}

/// How a node stops.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NodeStop {
    /// In order, and switched off: what is in the caches is written first.
    ShutDown,
    /// The system stops; power stays on.
    Crash,
    /// Power fails.
    PowerCut,
}

/// What a node's boot did to the bus.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BootReport {
    /// Its adapter's BIOS has reset the bus (Q174795).
    pub reset: bool,
    /// Disks it lost for good, having met another's reservation once too often (Q195636).
    pub arrays_lost: Vec<Signature>,
}

/// Something a bus shows those who watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusEvent {
    /// When.
    pub at: SimTime,
    /// The disk, unless it is about the bus.
    pub disk: Option<Signature>,
    /// What.
    pub what: BusHappening,
}

/// What happened on a bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusHappening {
    /// A reset dropped so many reservations.
    Reset {
        /// Who sent it.
        by: Initiator,
        /// Reservations it dropped.
        dropped: u32,
    },
    /// A node could not renew its reservation ("did not respond to a SCSI maintenance command").
    ReservationLost {
        /// The node.
        node: Initiator,
        /// Why.
        why: ScsiError,
    },
    /// Event 26, "lost delayed write": what a program had been told is written is not.
    LostDelayedWrite {
        /// The node whose cache it was in.
        node: Initiator,
        /// The file; empty if a database wrote through its own handles.
        file: String,
        /// Bytes lost.
        bytes: u32,
    },
    /// A check ended.
    Checked {
        /// The node that ran it.
        node: Initiator,
        /// How.
        status: Chkdsk,
    },
    /// What must never happen, happened.
    Violated(Violation),
}

/// An invariant that was broken.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Violation {
    /// A node wrote on a disk that another had mounted after it.
    TwoWriters {
        /// The disk.
        disk: Signature,
        /// The node that mounted it last, and the one that wrote.
        nodes: [Initiator; 2],
    },
}

/// What a node has met on the bus.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeCounters {
    /// Reservations made or renewed by a command.
    pub reserves: u64,
    /// Commands that met another's reservation.
    pub conflicts: u64,
    /// Resets it sent.
    pub resets: u64,
}

impl<T, E> Answer<T, E> {
    /// The same time with another content.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U, E> {
        Answer { at: self.at, result: self.result.map(change) }
    }
}

impl ScsiError {
    /// The system's error number that a cluster shows: 170 for a conflict, 2 for a missing disk, 21 for one
    /// that is not ready.
    pub fn code(self) -> u32 {
        match self {
            ScsiError::Conflict => 170,
            ScsiError::NoSuchDisk => 2,
            ScsiError::BusDown | ScsiError::Failed | ScsiError::NodeDown => 21,
        }
    }
}

impl FileError {
    /// The system's error number.
    pub fn code(self) -> u32 {
        match self {
            FileError::NotMounted => 21,
            FileError::Lost(why) => why.code(),
            FileError::NotFound => 2,
            FileError::Full => 112,
            FileError::Damaged => 23,
        }
    }
}

impl Chkdsk {
    /// The number in the log.
    pub fn code(self) -> u32 {
        match self {
            Chkdsk::Clean => 0,
            Chkdsk::MajorFixed => 1,
            Chkdsk::MinorFixed => 2,
            Chkdsk::Incomplete => 3,
            Chkdsk::Aborted => 3_221_225_786,
        }
    }

    /// Whether the volume is clean after it.
    pub fn leaves_clean(self) -> bool {
        matches!(self, Chkdsk::Clean | Chkdsk::MajorFixed | Chkdsk::MinorFixed)
    }
}

impl Default for MountRule {
    fn default() -> MountRule {
        MountRule { skip_chkdsk: false, conditional_mount: true }
    }
}

impl fmt::Display for Signature {
    /// Eight hexadecimal digits, as event 1034 shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
