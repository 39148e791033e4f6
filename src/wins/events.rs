//! The event log: what WINS writes there, and under which number in which version.
//!
//! Numbers were given anew between 3.5 and 3.51, and some mean several things (4137, 4141, 4142, 4288, 4294).

use super::profile::WinsVersion;

/// Entries of the event log whose numbers are public (Q123168-Q123171, RAIW 3.1.4).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WinsEvent {
    /// The remote WINS aborted the connection: typically we are no partner there.
    ConnectionAborted,
    /// A malformed name packet came.
    MalformedPacket,
    /// A pull of an owner's range brought no records.
    NoRecordsInRange,
    /// The list of a group is full.
    ListFull,
    /// The list of a multihomed name is full.
    MultihomedListFull,
    /// A notification from a stranger was refused.
    NotificationRefused,
    /// A notification was accepted.
    NotificationAccepted,
    /// A pull request from a stranger was refused.
    PullRefused,
    /// The remote owner was asked to raise a record's version.
    AskedToRaise,
    /// This server was asked to raise a record's version.
    WasAskedToRaise,
    /// The record whose version should be raised is not here.
    RaiseNotFound,
    /// Two names under one version of one owner.
    SameVersionOtherName,
    /// The configuration changed.
    ConfigurationChanged,
    /// The extinction interval was adjusted.
    ExtinctionIntervalAdjusted,
    /// The extinction timeout was adjusted.
    ExtinctionTimeoutAdjusted,
    /// A registration carried more than 25 addresses.
    TooManyAddresses,
    /// A notification was not attempted: communication with the partner failed too often just now.
    NotificationSkipped,
    /// Records were pulled.
    RecordsPulled,
    /// A consistency check ended.
    ConsistencyChecked,
    /// A replica could not be verified.
    NotVerified,
    /// A replica clashes with a static record.
    StaticClash,
    /// Own records were scavenged; 4137 in 3.51 (Q149318).
    OwnScavenged,
    /// Replica tombstones were scavenged.
    TombstonesScavenged,
    /// Only part of the records is pulled from a partner (`ReplicationType`).
    PartialReplication,
    /// Only part of the records is sent to a partner.
    PartialReplicationPush,
    /// The maximum of a consistency check was raised to its least.
    CheckMaximumAdjusted,
    /// Replica tombstones were deleted by force.
    TombstonesForced,
    /// The server stops.
    ShuttingDown,
    /// A start time (`SpTime`) cannot be read.
    BadStartTime,
    /// A replication message lacks the bits that mark it as one.
    NotWinsMessage,
    /// The port is taken already.
    PortTaken,
    /// The database failed.
    DatabaseError,
    /// A partner asked for a range in which nothing is held here.
    RangeEmpty,
    /// A pull failed after all retries.
    PullFailed,
    /// A challenge answer matched nothing and was thrown away.
    StrayChallengeAnswer,
    /// The owner table does not agree with the records.
    OwnerTableInconsistent,
    /// A group replica could not be stored.
    GroupReplicaFailed,
    /// A group replica could not be stored: a second entry of the kind.
    ListReplicaFailed,
    /// A unique replica could not be stored.
    UniqueReplicaFailed,
    /// A replica came in a state no replica may have.
    BadReplica,
    /// A release named a record of another type.
    ReleaseTypeMismatch,
    /// A release came from an address the record does not hold.
    ReleaseAddressMismatch,
    /// As many connections are open as can be.
    ConnectionLimit,
    /// The same, met by a peer's connection.
    AcceptLimit,
    /// An owner without records was forgotten.
    OwnerRemoved,
    /// A record is not owned here.
    NotOwnedHere,
    /// A caller of the administration interface lacks permission.
    NoPermission,
    /// The version counter was raised above a partner's knowledge.
    CounterRaised,
    /// An LMHOSTS name was skipped.
    LmhostsNameSkipped,
    /// An LMHOSTS address was skipped.
    LmhostsAddressSkipped,
    /// This server's own address is none it can be reached at (Q156204).
    WrongOwnAddress,
    /// A backup failed (Q155040).
    BackupFailed,
    /// A message was too long; the connection was dropped.
    MessageTooLong,
    /// The database is missing or damaged; 4294 in 3.51.
    DatabaseDamaged,
    /// A part of the service did not stop in time.
    StopHangs,
    /// A scavenging pass began.
    ScavengeStarted,
    /// Progress of a pass: a chunk of own records is done.
    ScavengeOwnProgress,
    /// Progress of a pass: a chunk of replicas is done.
    ScavengeReplicaProgress,
    /// The version range that a pass goes through is known.
    RangeToScavenge,
    /// A chunk of the version range was scavenged.
    RangeScavenged,
}

impl WinsEvent {
    /// Every entry there is.
    pub const ALL: [WinsEvent; 60] = {
        use WinsEvent::*;
        [
            ConnectionAborted,
            MalformedPacket,
            NoRecordsInRange,
            ListFull,
            MultihomedListFull,
            NotificationRefused,
            NotificationAccepted,
            PullRefused,
            AskedToRaise,
            WasAskedToRaise,
            RaiseNotFound,
            SameVersionOtherName,
            ConfigurationChanged,
            ExtinctionIntervalAdjusted,
            ExtinctionTimeoutAdjusted,
            TooManyAddresses,
            NotificationSkipped,
            RecordsPulled,
            ConsistencyChecked,
            NotVerified,
            StaticClash,
            OwnScavenged,
            TombstonesScavenged,
            PartialReplication,
            PartialReplicationPush,
            CheckMaximumAdjusted,
            TombstonesForced,
            ShuttingDown,
            BadStartTime,
            NotWinsMessage,
            PortTaken,
            DatabaseError,
            RangeEmpty,
            PullFailed,
            StrayChallengeAnswer,
            OwnerTableInconsistent,
            GroupReplicaFailed,
            ListReplicaFailed,
            UniqueReplicaFailed,
            BadReplica,
            ReleaseTypeMismatch,
            ReleaseAddressMismatch,
            ConnectionLimit,
            AcceptLimit,
            OwnerRemoved,
            NotOwnedHere,
            NoPermission,
            CounterRaised,
            LmhostsNameSkipped,
            LmhostsAddressSkipped,
            WrongOwnAddress,
            BackupFailed,
            MessageTooLong,
            DatabaseDamaged,
            StopHangs,
            ScavengeStarted,
            ScavengeOwnProgress,
            ScavengeReplicaProgress,
            RangeToScavenge,
            RangeScavenged,
        ]
    };

    /// The event's numbers: in 3.5, and in later versions, where they are public.
    pub const fn numbers(self) -> (Option<u16>, Option<u16>) {
        use WinsEvent::*;
        match self {
            ConnectionAborted => (Some(4102), Some(4102)),
            MalformedPacket => (Some(4114), Some(4119)),
            NoRecordsInRange => (Some(4116), Some(4121)),
            ListFull => (Some(4117), None),
            MultihomedListFull => (Some(4118), None),
            NotificationRefused => (Some(4119), Some(4124)),
            NotificationAccepted => (Some(4120), Some(4125)),
            PullRefused => (Some(4121), Some(4126)),
            AskedToRaise => (Some(4129), Some(4134)),
            WasAskedToRaise => (Some(4130), Some(4135)),
            RaiseNotFound => (Some(4131), None),
            SameVersionOtherName => (Some(4132), Some(4137)),
            ConfigurationChanged => (Some(4134), Some(4139)),
            ExtinctionIntervalAdjusted => (Some(4137), Some(4150)),
            ExtinctionTimeoutAdjusted => (Some(4138), Some(4151)),
            TooManyAddresses => (Some(4141), None),
            NotificationSkipped => (Some(4144), None),
            RecordsPulled => (None, Some(4141)),
            ConsistencyChecked => (None, Some(4142)),
            NotVerified => (Some(4140), Some(4153)),
            StaticClash => (Some(4142), Some(4155)),
            OwnScavenged => (None, Some(4143)),
            TombstonesScavenged => (None, Some(4144)),
            PartialReplication => (None, Some(4161)),
            PartialReplicationPush => (None, Some(4162)),
            CheckMaximumAdjusted => (None, Some(4163)),
            TombstonesForced => (None, Some(4164)),
            ShuttingDown => (Some(4145), Some(4165)),
            BadStartTime => (Some(4162), Some(4183)),
            NotWinsMessage => (Some(4196), None),
            PortTaken => (Some(4197), None),
            DatabaseError => (Some(4203), Some(4224)),
            RangeEmpty => (Some(4206), Some(4227)),
            PullFailed => (Some(4230), Some(4251)),
            StrayChallengeAnswer => (Some(4236), None),
            OwnerTableInconsistent => (Some(4237), None),
            GroupReplicaFailed => (Some(4239), Some(4260)),
            ListReplicaFailed => (Some(4240), Some(4261)),
            UniqueReplicaFailed => (Some(4241), Some(4262)),
            BadReplica => (Some(4247), Some(4268)),
            ReleaseTypeMismatch => (Some(4249), None),
            ReleaseAddressMismatch => (Some(4250), None),
            ConnectionLimit => (Some(4265), None),
            AcceptLimit => (Some(4266), None),
            OwnerRemoved => (Some(4267), Some(4288)),
            NotOwnedHere => (Some(4268), Some(4289)),
            NoPermission => (Some(4273), Some(4294)),
            CounterRaised => (Some(4274), Some(4295)),
            LmhostsNameSkipped => (Some(4278), None),
            LmhostsAddressSkipped => (Some(4279), None),
            WrongOwnAddress => (None, Some(4280)),
            BackupFailed => (Some(4281), Some(4288)),
            MessageTooLong => (Some(4285), None),
            DatabaseDamaged => (Some(4290), Some(4318)),
            StopHangs => (None, Some(4312)),
            ScavengeStarted => (None, Some(4328)),
            ScavengeOwnProgress => (None, Some(4329)),
            ScavengeReplicaProgress => (None, Some(4330)),
            RangeToScavenge => (None, Some(5001)),
            RangeScavenged => (None, Some(5002)),
        }
    }

    /// The number this version logs it under, if that is public. 3.51 counts as later, except where an
    /// article gives its number (Q149318, Q185815).
    pub const fn number(self, version: WinsVersion) -> Option<u16> {
        match (version, self) {
            (WinsVersion::Nt35, _) => self.numbers().0,
            (WinsVersion::Nt351, WinsEvent::OwnScavenged) => Some(4137),
            (WinsVersion::Nt351, WinsEvent::DatabaseDamaged) => Some(4294),
            _ => self.numbers().1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers as the articles and the administration protocol list them, typed apart from the code.
    const LISTED: &str = "4102-4102 4114-4119 4116-4121 4117-none 4118-none 4119-4124 4120-4125 4121-4126 \
        4129-4134 4130-4135 4131-none 4132-4137 4134-4139 4137-4150 4138-4151 4141-none 4144-none none-4141 \
        none-4142 4140-4153 4142-4155 none-4143 none-4144 none-4161 none-4162 none-4163 none-4164 \
        4145-4165 4162-4183 4196-none 4197-none 4203-4224 4206-4227 4230-4251 4236-none 4237-none \
        4239-4260 4240-4261 4241-4262 4247-4268 4249-none 4250-none 4265-none 4266-none 4267-4288 \
        4268-4289 4273-4294 4274-4295 4278-none 4279-none none-4280 4281-4288 4285-none 4290-4318 \
        none-4312 none-4328 none-4329 none-4330 none-5001 none-5002";

    // rule: event/*
    #[test]
    fn every_event_has_its_number_in_every_version() {
        use WinsVersion::*;
        let shown = |number: Option<u16>| number.map_or("none".to_string(), |n| n.to_string());
        let listed: Vec<&str> = LISTED.split_whitespace().collect();
        let ours: Vec<String> = WinsEvent::ALL
            .iter()
            .map(|event| format!("{}-{}", shown(event.number(Nt35)), shown(event.number(Nt40))))
            .collect();
        assert_eq!(ours, listed);
        // Every rule about an event is one of them: 4281 and 4288 stand on two lines there.
        let rules = include_str!("../../tests/wins_rules.txt");
        let ids = rules.lines().filter_map(|line| line.strip_prefix("event/"));
        for id in ids.filter_map(|rest| rest.split(' ').next()) {
            let apart = matches!(id, "none-4288" | "4281-none");
            assert!(apart || listed.contains(&id), "event/{id} is not logged");
        }
        for event in WinsEvent::ALL {
            for later in [W2k, W2k3] {
                assert_eq!(event.number(later), event.number(Nt40), "{event:?}");
            }
        }
        assert_eq!(WinsEvent::OwnScavenged.number(Nt351), Some(4137));
        assert_eq!(WinsEvent::DatabaseDamaged.number(Nt351), Some(4294));
        assert_eq!(WinsEvent::CounterRaised.number(Nt351), Some(4295));
    }
}
