//! What differs between WINS versions, as values: timers, limits, switches and documented bugs.
//!
//! A profile starts as the row of a version and service pack; every field can then be set alone. Where
//! sources disagree the field says which value was taken.

use super::events::WinsEvent;
use crate::base::SimDuration;
use std::net::Ipv4Addr;
use thiserror::Error;

/// A release of the WINS server.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WinsVersion {
    /// Windows NT Server 3.5.
    Nt35,
    /// Windows NT Server 3.51.
    Nt351,
    /// Windows NT Server 4.0.
    Nt40,
    /// Windows 2000 Server.
    W2k,
    /// Windows Server 2003.
    W2k3,
}

/// When a positive answer may leave.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum CommitMode {
    /// At once; the commit follows, so a power cut may lose what was answered last.
    Lazy,
    /// When what it promises is durable.
    Strict,
}

/// Multicast discovery of partners (Q135922).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MulticastSettings {
    /// `McastIntvl`: time between announcements.
    pub interval: SimDuration,
    /// `McastTtl`: 1 to 34.
    pub ttl: u8,
}

/// The backup of the database (Q160471, Q167806). Without it no backup path is set.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct BackupSettings {
    /// Time from the end of one backup to the next; zero makes none by itself.
    pub every: SimDuration,
    /// `DoBackupOnTerm`: one more when the service stops.
    pub at_stop: bool,
}

impl Default for BackupSettings {
    fn default() -> BackupSettings {
        BackupSettings { every: hours(24), at_stop: false }
    }
}

/// A special group mask (`SPEC_GRP_MASKS`, Q123171): 16 bytes, written as 32 hexadecimal digits. How Windows
/// compares is not public; here a name matches when it has every byte of the mask that is not zero.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GroupMask(pub [u8; 16]);

impl GroupMask {
    /// Reads 32 hexadecimal digits. `None` for anything else.
    pub fn parse(text: &str) -> Option<GroupMask> {
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
        let mut mask = [0; 16];
        if digits.len() != 2 * mask.len() {
            return None;
        }
        for (byte, pair) in mask.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(GroupMask(mask))
    }

    /// Whether a name of these 16 bytes is a special group by this mask.
    pub fn matches(&self, name: &[u8; 16]) -> bool {
        self.0.iter().zip(name).all(|(&mask, &byte)| mask == 0 || mask == byte)
    }
}

/// Every timer, limit and switch of a WINS server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WinsProfile {
    /// The release this row describes.
    pub version: WinsVersion,
    /// Its service pack.
    pub service_pack: u8,

    /// `RefreshInterval`: a record not refreshed for this long is released; also the TTL of positive
    /// registration answers. 3.5: 96 h (Q132740), not the printed 5 h.
    pub renewal_interval: SimDuration,
    /// `TombStoneInterval`: from released to tombstone. W2K on: min(renewal, 4 d) (MS-WINSRA <9>).
    pub extinction_interval: SimDuration,
    /// `TombStoneTimeOut`: from tombstone to deleted.
    pub extinction_timeout: SimDuration,
    /// `VerifyInterval`: an active replica not heard of for this long is verified with its owner.
    pub verification_interval: SimDuration,
    /// Time between scavenging passes; `None` is half the renewal interval (Q138272).
    pub scavenge_every: Option<SimDuration>,
    /// Records one scavenging step handles before it lets other work pass.
    pub scavenge_chunk: u32,
    /// Pause between two steps of a pass.
    pub scavenge_pause: SimDuration,
    /// Uptime before tombstones of other owners are deleted: 3 d from W2K on (RAIW 3.1.4.3).
    pub replica_tombstones_wait: SimDuration,
    /// Whether own tombstones wait as long (Samba does, Windows is not documented to).
    pub own_tombstones_wait: bool,
    /// A pulled tombstone lives for the verification interval, not the extinction timeout (Q162766).
    pub tombstone_replicas_stay_long: bool,
    /// A pass begins at the version at which the one before it ended, so that older records of its own
    /// stay as they are (Q149318: the start was wrong at random in 3.51; off in every row).
    pub scavenger_starts_wrong: bool,
    /// A pass deletes static replicas beyond [`statics_dropped_above`](Self::statics_dropped_above)
    /// (Q164631, 4.0 until SP3).
    pub scavenge_drops_statics: bool,
    /// How many static replicas survive that. About 5,000 in the article.
    pub statics_dropped_above: u32,

    /// `ChlMaxNoOfRetries`: queries a stored address gets in a challenge.
    pub challenge_tries: u8,
    /// `InitChlRetryInterval`: wait after the first query of a challenge.
    pub challenge_interval: SimDuration,
    /// Whether each further wait doubles (the hotfix of Q173519, in 4.0 SP4) or stays.
    pub challenge_doubles: bool,
    /// A positive answer that lists the requested address too joins both into a multihomed record,
    /// as observed on W2K3; off keeps the record as it is.
    pub challenge_joins: bool,
    /// Challenges that may be under way; a request needing one more is dropped and the client repeats.
    pub challenges_max: usize,
    /// TTL of a WACK: this much...
    pub wack_ttl: u32,
    /// ...and this much per stored address, seconds. Windows' values are not established.
    pub wack_ttl_per_address: u32,

    /// TTL in positive query answers, seconds. Windows' value is not established.
    pub query_ttl: u32,
    /// `Prepend1BTo1CQueries`: the answer to a 1C query starts with the holder of the 1B name.
    pub prepend_1b: bool,
    /// `Randomize1cList`: rotates a 1C list by a random amount per query (Q231305).
    pub randomize_1c: bool,
    /// Addresses in a group or multihomed record.
    pub members_max: usize,

    /// `MigrateOn`: static unique and multihomed records give way like dynamic ones. Default off.
    pub migrate_on: bool,
    /// Whether `migrate_on` reaches static 1C records too (4.0 SP4, Q171794).
    pub migrate_on_1c: bool,
    /// A group registration turns a static unique record into a group of both addresses (Q161432,
    /// until 4.0 SP3).
    pub group_overruns_static: bool,

    /// A group registration gives a static unique record its own address; the record stays static
    /// (Q166502).
    pub group_overwrites_static: bool,
    /// One address of a static multihomed record cannot be deleted (3.51 SP4 on, Q150731).
    pub static_members_stay: bool,
    /// `SPEC_GRP_MASKS`: group names that are special groups by the administrator's will.
    pub special_group_masks: Vec<GroupMask>,
    /// A malformed packet stops the service (Q155701, until 4.0 SP3).
    pub malformed_stops: bool,

    /// `BurstHandling`: requests beyond the burst queue get an early answer with a short TTL.
    pub burst_handling: bool,
    /// `BurstQueSize`: queued registrations from which on answers come early, 50 to 5000.
    pub burst_queue_size: u32,
    /// Queued registrations beyond which requests are dropped (Q184693).
    pub registration_queue_max: u32,
    /// Before 4.0 SP4: with burst handling on, what exceeds the queue gets a full success and is not
    /// stored (Q154410). Later: the ladder of short TTLs.
    pub burst_answers_in_full: bool,
    /// An early answered request stays queued and is entered when its turn comes. Q184693 can be read so,
    /// Q154410 says no; off.
    pub burst_enters_later: bool,
    /// First TTL of the burst ladder and its step per rung, seconds.
    pub burst_ttl_step: u32,
    /// Requests per rung.
    pub burst_rung: u32,
    /// Rungs before the ladder starts again.
    pub burst_rungs: u32,

    /// When positive answers leave.
    pub commit: CommitMode,
    /// `VersCounterStartVal`: the version counter starts at least here (Q135405).
    pub version_start: u64,

    /// `RplOnlyWCnfPnrs`: peers that are not configured are refused.
    pub only_configured_partners: bool,
    /// Whether an unlisted puller gets static records (MS-WINSRA <7>: until W2K).
    pub statics_to_strangers: bool,
    /// Whether associations can stay open (W2K on, MS-WINSRA 3.1.5.1).
    pub persistent_associations: bool,
    /// An own active record gives way to an active replica unasked (3.5x, Q136571); otherwise its
    /// holder is challenged.
    pub replica_beats_own: bool,
    /// An active multihomed replica yields to no other owner's (Q135277, until 3.51 SP2).
    pub multihomed_replicas_stick: bool,
    /// A static and a dynamic 1C meeting in replication are joined (3.5x; Q219295 of 4.0 SP4).
    pub static_1c_merges: bool,
    /// A holder that stays silent when a replica claims its name is also told to release it
    /// (MS-WINSRA); Windows Server 2003 was seen not to.
    pub demand_after_silence: bool,
    /// Whether merging a special group can move its ownership (4.0 SP4, Q168076).
    pub merge_takes_ownership: bool,
    /// An own active 1C meeting a foreign tombstone is pushed on with propagate (4.0 SP5, Q216585).
    pub push_on_1c_tombstone: bool,
    /// A special group's list that grew by a replica keeps its version and so does not travel, even if
    /// the record is our own (Q140978, until 3.51 SP4).
    pub merge_keeps_version: bool,
    /// The merging server takes the list over, with a new version, even if it did not grow (fault Q190506
    /// of the first fix for Q168076; no row has it).
    pub merge_always_takes_ownership: bool,
    /// The scavenger gives replicas it verifies a version of this server, under their owner's name
    /// (Q187555, 4.0 until SP4).
    pub scavenge_raises_replicas: bool,
    /// A release of a 1D name is also taken by the NetBT of the server's own host (Q162696; the service
    /// pack of the fix is not listed, SP4 is taken).
    pub release_1d_reaches_netbt: bool,
    /// Whether an owner's answer to the challenge of a replica can make one multihomed record of both, as
    /// Windows Server 2003 was seen to do; before, an answered challenge keeps the record (MS-WINSRA 3.2.5).
    pub replica_challenge_joins: bool,
    /// Smallest `UpdateCount`.
    pub update_count_min: u32,
    /// A notification follows every registration whatever `UpdateCount` says (Q126132, 3.5).
    pub update_count_ignored: bool,
    /// A notification passed on announces every owner and does not name where it began, so that it can run
    /// round a ring for ever (Q129816, 3.5).
    pub propagation_circulates: bool,
    /// A partner that asks for a range without records is turned away (Q129113, 3.5).
    pub empty_range_is_error: bool,
    /// Partners that are used; further ones never replicate (Q191428, 30 until 4.0 SP3).
    pub partners_max: usize,
    /// `ReplicationType` 1 for all partners: only 1B names and special groups travel (Q251221).
    pub only_domain_names: bool,
    /// `ReplicationType` is known (4.0 on, Q251221).
    pub knows_replication_type: bool,
    /// A start time that is past today counts for nothing: pulls follow from the service's start, interval
    /// by interval (Q171997, until 4.0 SP3); later they keep to the phase of the start time.
    pub past_start_time_ignored: bool,
    /// The next pull by interval counts from the end of the last one (Q196209, 4.0 SP4).
    pub pulls_drift: bool,
    /// A pull partner without a start time is an error in the log (Q194339, 4.0 until SP3).
    pub blank_start_time_is_error: bool,
    /// A pull ends at the first record in a state no replica may have (Q190506, until 4.0 SP3).
    pub bad_replica_stops_pull: bool,
    /// A merged special group never ages (Q190506, until 4.0 SP3).
    pub merged_groups_never_age: bool,
    /// A response with a name field over 255 bytes is thrown away (W2K on, MS-WINSRA <8>).
    pub long_names_refused: bool,
    /// A message without the bits that mark one of WINS is answered as a name query for nothing
    /// (seen of W2K); before, it is logged and dropped (event 4196 of 3.5).
    pub answers_strange_messages: bool,
    /// `PersonaNonGrata`: owners whose records are never pulled (Q135922).
    pub persona_non_grata: Vec<Ipv4Addr>,
    /// `PersonaGrata` with `PersonaMode` (W2K SP1 on, Q312964): the only owners whose records are pulled.
    pub persona_grata: Option<Vec<Ipv4Addr>>,
    /// Entries of the list with which the service still starts (Q191775, 99 until 4.0 SP3).
    pub persona_max: usize,
    /// The service does not start when a longer list holds an entry twice (Q191775, also after SP4).
    pub persona_twice_fails: bool,
    /// The list is searched as if sorted, which it is not: look-ups miss (Q281445, 4.0).
    pub persona_unsorted: bool,
    /// Only the owner of a record is looked up, not the owners of its members (Q312141, 4.0).
    pub persona_members_pass: bool,
    /// `CommRetryCount`: retries of a failed pull.
    pub pull_retries: u32,
    /// `LogDetailedEvents`: notifications accepted and records pulled are logged too (Q176498).
    pub detailed_events: bool,
    /// Owners a server can know; more are refused (Q219315).
    pub owners_max: usize,
    /// Consistency check (Q154410): time between runs, `None` is off.
    pub consistency_check: Option<SimDuration>,
    /// Its `SpTime`: time of day of the first one.
    pub consistency_check_at: SimDuration,
    /// The next check counts from the end of the last one (Q159599, until 4.0 SP3).
    pub checks_drift: bool,
    /// A replica found true gets a version of ours under its own owner (Q187555, 4.0 until SP3).
    pub checks_renumber: bool,
    /// Records verified in one run (Q154410).
    pub verify_records_max: u32,
    /// `UseRplPnrs`: verify with a pull partner instead of the owner.
    pub verify_with_partners: bool,
    /// Multicast announcements (3.51 on). Windows always sends them; here they are off until asked for,
    /// since nothing depends on them where no server takes up partners it found.
    pub multicast: Option<MulticastSettings>,
    /// `UseSelfFndPnrs`: announced servers become push and pull partners.
    pub use_found_partners: bool,
    /// `InitTimePause`: nothing is answered before the first pull (Q193887).
    pub pause_until_replicated: bool,
    /// `BackupDirPath` with what belongs to it; `None`: no path is set.
    pub backup: Option<BackupSettings>,
    /// `LoggingOn`: without it no backup can be made (Q155040).
    pub logging: bool,
}

/// A timer or limit outside its documented range.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProfileError {
    /// Shorter than the documented minimum.
    #[error("{field} is {value}, below its minimum of {minimum}")]
    TooShort {
        /// The field.
        field: &'static str,
        /// What it was set to.
        value: SimDuration,
        /// The least it may be.
        minimum: SimDuration,
    },
    /// Longer than the documented maximum.
    #[error("{field} is {value}, above its maximum of {maximum}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// What it was set to.
        value: SimDuration,
        /// The most it may be.
        maximum: SimDuration,
    },
    /// A count outside its range.
    #[error("{field} is {value}, allowed are {low} to {high}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it was set to.
        value: u64,
        /// The least it may be.
        low: u64,
        /// The most it may be.
        high: u64,
    },
}

/// Twice the least renewal interval (Q135922).
const EXTINCTION_MIN: SimDuration = SimDuration::from_secs(4800);

const fn hours(n: u64) -> SimDuration {
    SimDuration::from_hours(n)
}

impl WinsProfile {
    /// The row of this release and service pack.
    pub fn new(version: WinsVersion, service_pack: u8) -> WinsProfile {
        use WinsVersion::*;
        let from = |first: WinsVersion, pack: u8| (version, service_pack) >= (first, pack);
        let (renewal, extinction_interval, extinction_timeout) = match version {
            Nt35 | Nt351 => (hours(96), hours(96), hours(96)),
            Nt40 => (hours(144), hours(144), hours(144)),
            W2k | W2k3 => (hours(144), hours(96), hours(144)),
        };
        let none = SimDuration::ZERO;
        WinsProfile {
            version,
            service_pack,
            renewal_interval: renewal,
            extinction_interval,
            extinction_timeout,
            verification_interval: hours(576),
            scavenge_every: None,
            scavenge_chunk: 500,
            scavenge_pause: SimDuration::from_millis(50),
            replica_tombstones_wait: if from(W2k, 0) { SimDuration::from_days(3) } else { none },
            own_tombstones_wait: false,
            // The service pack of the fix is not listed; SP3 is taken.
            tombstone_replicas_stay_long: !from(Nt40, 3),
            scavenger_starts_wrong: false,
            scavenge_drops_statics: version == Nt40 && service_pack < 3,
            statics_dropped_above: 5000,
            challenge_tries: 3,
            challenge_interval: SimDuration::from_millis(500),
            challenge_doubles: from(Nt40, 4),
            challenge_joins: true,
            challenges_max: 1024,
            wack_ttl: 5,
            wack_ttl_per_address: 4,
            query_ttl: 0,
            prepend_1b: true,
            randomize_1c: false,
            members_max: super::MEMBERS_MAX,
            migrate_on: false,
            migrate_on_1c: from(Nt40, 4),
            group_overruns_static: !from(Nt40, 3),
            group_overwrites_static: false,
            static_members_stay: from(Nt351, 4),
            special_group_masks: Vec::new(),
            malformed_stops: version == Nt40 && !from(Nt40, 4),
            burst_handling: from(Nt40, 4),
            burst_queue_size: 500,
            registration_queue_max: 25_000,
            burst_answers_in_full: !from(Nt40, 4),
            burst_enters_later: false,
            burst_ttl_step: 300,
            burst_rung: 100,
            burst_rungs: 10,
            commit: CommitMode::Lazy,
            version_start: 0,
            only_configured_partners: true,
            statics_to_strangers: !from(W2k3, 0),
            persistent_associations: from(W2k, 0),
            replica_beats_own: !from(Nt40, 0),
            multihomed_replicas_stick: !from(Nt351, 2),
            static_1c_merges: !from(Nt40, 0) || (version == Nt40 && service_pack == 4),
            demand_after_silence: !from(W2k3, 0),
            merge_takes_ownership: from(Nt40, 4),
            push_on_1c_tombstone: from(Nt40, 5),
            merge_keeps_version: !from(Nt351, 4),
            merge_always_takes_ownership: false,
            scavenge_raises_replicas: from(Nt40, 0) && !from(Nt40, 4),
            release_1d_reaches_netbt: from(Nt351, 0) && !from(Nt40, 4),
            replica_challenge_joins: from(W2k3, 0),
            update_count_min: 20,
            update_count_ignored: !from(Nt351, 0),
            propagation_circulates: !from(Nt351, 0),
            empty_range_is_error: !from(Nt351, 0),
            partners_max: if from(Nt40, 4) { usize::MAX } else { 30 },
            only_domain_names: false,
            knows_replication_type: from(Nt40, 0),
            past_start_time_ignored: !from(Nt40, 4),
            pulls_drift: version == Nt40 && service_pack == 4,
            blank_start_time_is_error: version == Nt40 && service_pack < 4,
            bad_replica_stops_pull: !from(Nt40, 4),
            merged_groups_never_age: !from(Nt40, 4),
            long_names_refused: from(W2k, 0),
            answers_strange_messages: from(W2k, 0),
            persona_non_grata: Vec::new(),
            persona_grata: None,
            persona_max: if from(Nt40, 4) { usize::MAX } else { 99 },
            persona_twice_fails: !from(W2k, 0),
            persona_unsorted: version == Nt40,
            persona_members_pass: version == Nt40,
            pull_retries: 3,
            detailed_events: false,
            owners_max: match version {
                Nt35 if service_pack < 2 => 25,
                Nt35 | Nt351 => 100,
                Nt40 if service_pack == 0 => 100,
                Nt40 if service_pack <= 4 => 255,
                _ => usize::MAX,
            },
            consistency_check: None,
            consistency_check_at: hours(2),
            checks_drift: !from(Nt40, 4),
            checks_renumber: version == Nt40 && service_pack < 4,
            verify_records_max: 30_000,
            verify_with_partners: false,
            multicast: None,
            use_found_partners: false,
            pause_until_replicated: false,
            backup: None,
            logging: true,
        }
    }

    /// Time between scavenging passes.
    pub fn scavenge_period(&self) -> SimDuration {
        self.scavenge_every.unwrap_or(self.renewal_interval / 2).max(SimDuration::from_secs(1))
    }

    /// How long a pulled tombstone is kept.
    pub fn replica_tombstone_life(&self) -> SimDuration {
        if self.tombstone_replicas_stay_long {
            self.verification_interval
        } else {
            self.extinction_timeout
        }
    }

    /// The profile with its intervals fitted to each other and to the longest interval of the pulls, and the
    /// events that say so (3.5: 4137 and 4138, later 4150 and 4151).
    ///
    /// Documented is that NT keeps the extinction interval at least at the renewal interval (Q142305), that
    /// Windows 2000 replaces values that are too small (MS-WINSRA <9>), and that the longest replication
    /// interval counts (Q123170); the exact formula is not public. Here neither the interval nor the timeout
    /// stays below that longest interval.
    pub fn fitted(mut self, longest_pull: SimDuration) -> (WinsProfile, Vec<WinsEvent>) {
        let nt = self.version < WinsVersion::W2k;
        let interval = match (nt, self.extinction_interval < EXTINCTION_MIN) {
            (true, _) => self.extinction_interval.max(self.renewal_interval),
            (false, true) => self.renewal_interval.min(hours(96)),
            (false, false) => self.extinction_interval,
        };
        let timeout = match nt {
            true => self.extinction_timeout,
            false => self.extinction_timeout.max(self.renewal_interval),
        };
        let mut events = Vec::new();
        let interval = interval.max(longest_pull);
        if interval != self.extinction_interval {
            events.push(WinsEvent::ExtinctionIntervalAdjusted);
            self.extinction_interval = interval;
        }
        let timeout = timeout.max(longest_pull);
        if timeout != self.extinction_timeout {
            events.push(WinsEvent::ExtinctionTimeoutAdjusted);
            self.extinction_timeout = timeout;
        }
        (self, events)
    }

    /// Raises the maximum of the consistency check to its least of 1000 (event 4163). Returns whether it was
    /// below.
    pub fn fit_check_maximum(&mut self) -> bool {
        let raised = self.consistency_check.is_some() && self.verify_records_max < 1000;
        if raised {
            self.verify_records_max = 1000;
        }
        raised
    }

    /// Everything outside the ranges that the administration tools and the registry reference give
    /// (Q135922, Q142305, Q176505, Q184693). A simulation may ignore it; a server should not start.
    pub fn validate(&self) -> Result<(), Vec<ProfileError>> {
        let mut errors = Vec::new();
        self.check_times(&mut errors);
        self.check_counts(&mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn check_times(&self, errors: &mut Vec<ProfileError>) {
        let mut within = |field, value: SimDuration, minimum: SimDuration, maximum: SimDuration| {
            if value < minimum {
                errors.push(ProfileError::TooShort { field, value, minimum });
            } else if value > maximum {
                errors.push(ProfileError::TooLong { field, value, maximum });
            }
        };
        let nt = self.version < WinsVersion::W2k;
        // 0x7FFFFFFF seconds in the registry; 999 h in the user interface of NT.
        let longest = SimDuration::from_secs(0x7FFF_FFFF);
        let longest_nt = if nt { hours(999) } else { longest };
        within("renewal_interval", self.renewal_interval, SimDuration::from_mins(40), longest);
        // Never below renewal in NT (Q142305); twice the least renewal in any case (Q135922).
        let least = if nt { self.renewal_interval.max(EXTINCTION_MIN) } else { EXTINCTION_MIN };
        within("extinction_interval", self.extinction_interval, least, longest_nt);
        within("extinction_timeout", self.extinction_timeout, hours(24), longest_nt);
        let verify_min = hours(576).max(self.extinction_interval * 3);
        let verify_max = SimDuration::from_secs(9999 * 3600 + 59 * 60 + 59);
        within("verification_interval", self.verification_interval, verify_min, verify_max);
        // Where time must pass an interval of zero would be a busy loop (Q253343).
        let tick = SimDuration::from_millis(1);
        if let Some(every) = self.scavenge_every {
            within("scavenge_every", every, SimDuration::from_secs(1), longest);
        }
        within("scavenge_pause", self.scavenge_pause, tick, longest);
        within("challenge_interval", self.challenge_interval, tick, hours(1));
        if let Some(every) = self.consistency_check {
            within("consistency_check", every, SimDuration::from_secs(21_600), longest);
        }
        let day = SimDuration::from_days(1) - SimDuration::from_secs(1);
        within("consistency_check_at", self.consistency_check_at, SimDuration::ZERO, day);
        if let Some(multicast) = self.multicast {
            within("multicast.interval", multicast.interval, SimDuration::from_secs(2400), longest);
        }
        if let Some(backup) = self.backup.filter(|backup| !backup.every.is_zero()) {
            within("backup.every", backup.every, SimDuration::from_mins(1), longest);
        }
    }

    fn check_counts(&self, errors: &mut Vec<ProfileError>) {
        let mut within = |field, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                errors.push(ProfileError::OutOfRange { field, value, low, high });
            }
        };
        let all = u64::from(u32::MAX);
        within("burst_queue_size", u64::from(self.burst_queue_size), 50, 5000);
        within("registration_queue_max", u64::from(self.registration_queue_max), 1, all);
        within("burst_ttl_step", u64::from(self.burst_ttl_step), 1, all);
        within("burst_rung", u64::from(self.burst_rung), 1, all);
        within("burst_rungs", u64::from(self.burst_rungs), 1, all);
        within("challenge_tries", u64::from(self.challenge_tries), 1, 255);
        within("members_max", self.members_max as u64, 1, super::MEMBERS_MAX as u64);
        within("scavenge_chunk", u64::from(self.scavenge_chunk), 1, all);
        within("challenges_max", self.challenges_max as u64, 1, u64::from(u16::MAX));
        within("version_start", self.version_start, 0, 0x7FFF_FFFF);
        within("owners_max", self.owners_max as u64, 1, u64::MAX);
        if self.consistency_check.is_some() {
            within("verify_records_max", u64::from(self.verify_records_max), 1000, all);
        }
        if let Some(multicast) = self.multicast {
            within("multicast.ttl", u64::from(multicast.ttl), 1, 34);
        }
    }
}

impl MulticastSettings {
    /// Every 40 minutes, across at most six routers (Q135922).
    pub const USUAL: MulticastSettings =
        MulticastSettings { interval: SimDuration::from_secs(2400), ttl: 6 };
}

impl Default for WinsProfile {
    /// NT 4.0 SP6.
    fn default() -> WinsProfile {
        WinsProfile::new(WinsVersion::Nt40, 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_within_its_own_limits() {
        use WinsVersion::*;
        for version in [Nt35, Nt351, Nt40, W2k, W2k3] {
            for pack in 0..=6 {
                assert_eq!(
                    WinsProfile::new(version, pack).validate(),
                    Ok(()),
                    "{version:?} {pack}"
                );
            }
        }
    }

    #[test]
    fn service_packs_switch_what_they_fixed() {
        let nt40 = |pack| WinsProfile::new(WinsVersion::Nt40, pack);
        assert!(!nt40(3).burst_handling && nt40(4).burst_handling);
        assert!(!nt40(3).challenge_doubles && nt40(4).challenge_doubles);
        assert!(nt40(2).group_overruns_static && !nt40(3).group_overruns_static);
        assert!(!nt40(4).push_on_1c_tombstone && nt40(5).push_on_1c_tombstone);
        assert!(nt40(2).scavenge_drops_statics && !nt40(3).scavenge_drops_statics);
        assert_eq!(nt40(0).scavenge_period(), hours(72));
    }

    #[test]
    fn values_out_of_range_are_all_named() {
        let profile = WinsProfile {
            renewal_interval: SimDuration::from_mins(39),
            extinction_timeout: hours(23),
            verification_interval: hours(10_000),
            burst_queue_size: 49,
            ..WinsProfile::default()
        };
        let errors: Vec<String> =
            profile.validate().unwrap_err().iter().map(|error| error.to_string()).collect();
        assert_eq!(
            errors,
            [
                "renewal_interval is 39min, below its minimum of 40min",
                "extinction_timeout is 23h, below its minimum of 1d",
                "verification_interval is 416d 16h, above its maximum of 416d 15h",
                "burst_queue_size is 49, allowed are 50 to 5000",
            ]
        );
    }

    // rule: timer/renewal/defaults, timer/extinction/defaults, timer/timeout/defaults
    // rule: timer/verify/default, timer/extinction/w2k
    #[test]
    fn timers_of_every_version() {
        use WinsVersion::*;
        for (version, renewal, interval, timeout) in [
            (Nt35, 96, 96, 96),
            (Nt351, 96, 96, 96),
            (Nt40, 144, 144, 144),
            (W2k, 144, 96, 144),
            (W2k3, 144, 96, 144),
        ] {
            let profile = WinsProfile::new(version, 0);
            assert_eq!(profile.renewal_interval, hours(renewal), "{version:?}");
            assert_eq!(profile.extinction_interval, hours(interval), "{version:?}");
            assert_eq!(profile.extinction_timeout, hours(timeout), "{version:?}");
            assert_eq!(profile.verification_interval, hours(576), "{version:?}");
        }
        // Windows 2000 replaces what is too small; the timeout is never below renewal there.
        let small = WinsProfile {
            renewal_interval: hours(48),
            extinction_interval: SimDuration::ZERO,
            extinction_timeout: hours(30),
            ..WinsProfile::new(W2k, 0)
        };
        let (fitted, events) = small.fitted(SimDuration::ZERO);
        assert_eq!((fitted.extinction_interval, fitted.extinction_timeout), (hours(48), hours(48)));
        let interval = WinsEvent::ExtinctionIntervalAdjusted;
        assert_eq!(events, [interval, WinsEvent::ExtinctionTimeoutAdjusted]);
        let numbers = [Nt35, Nt40].map(|version| events[0].number(version));
        assert_eq!(numbers, [Some(4137), Some(4150)]);
        // In NT the extinction interval is never below renewal.
        let small = WinsProfile { extinction_interval: hours(100), ..WinsProfile::default() };
        let (fitted, events) = small.fitted(SimDuration::ZERO);
        assert_eq!((fitted.extinction_interval, events), (hours(144), vec![interval]));
    }

    /// Whether a profile of NT 4.0 with this change is accepted.
    fn valid(change: impl Fn(&mut WinsProfile)) -> bool {
        let mut profile = WinsProfile::default();
        change(&mut profile);
        profile.validate().is_ok()
    }

    // rule: timer/renewal/limits, timer/extinction/limits, timer/timeout/limits
    // rule: timer/verify/limits, timer/check/limits, check/max-records
    #[test]
    fn every_timer_has_its_limits() {
        let secs = SimDuration::from_secs;
        let renewal = |value| {
            valid(|p| {
                p.version = WinsVersion::W2k;
                p.renewal_interval = value;
            })
        };
        assert_eq!(
            [2399, 2400, 0x7FFF_FFFF, 0x8000_0000].map(|s| renewal(secs(s))),
            [false, true, true, false]
        );
        let interval = |renewal, value| {
            valid(|p| {
                p.renewal_interval = renewal;
                p.extinction_interval = value;
                p.verification_interval = hours(3000);
            })
        };
        let short = SimDuration::from_mins(40);
        assert!(!interval(short, secs(4799)) && interval(short, secs(4800)));
        assert!(!interval(hours(144), hours(143)) && interval(hours(144), hours(999)));
        assert!(!interval(hours(144), hours(1000)));
        let timeout = |value| valid(|p| p.extinction_timeout = value);
        assert_eq!([23, 24, 999, 1000].map(|h| timeout(hours(h))), [false, true, true, false]);
        let verify = |value| valid(|p| p.verification_interval = value);
        let most = secs(9999 * 3600 + 59 * 60 + 59);
        assert!(!verify(hours(575)) && verify(hours(576)));
        assert!(verify(most) && !verify(most + secs(1)));
        // Three extinction intervals, where that is more.
        let three = |value| {
            valid(|p| {
                p.extinction_interval = hours(200);
                p.verification_interval = value;
            })
        };
        assert!(!three(hours(599)) && three(hours(600)));
        let check = |every, records| {
            valid(|p| {
                p.consistency_check = Some(every);
                p.verify_records_max = records;
            })
        };
        assert!(!check(secs(21_599), 30_000) && check(secs(21_600), 30_000));
        assert!(!check(hours(24), 999) && check(hours(24), 1000));
        let mut fitted = WinsProfile {
            consistency_check: Some(hours(24)),
            verify_records_max: 10,
            ..WinsProfile::default()
        };
        assert!(fitted.fit_check_maximum() && fitted.verify_records_max == 1000);
        assert!(!fitted.fit_check_maximum());
    }

    // rule: timer/multicast, partner/multicast-interval, partner/multicast-ttl
    #[test]
    fn multicast_announcements_have_their_limits() {
        let multicast = |interval, ttl| {
            let interval = SimDuration::from_secs(interval);
            valid(|p| p.multicast = Some(MulticastSettings { interval, ttl }))
        };
        assert!(multicast(2400, 6) && !multicast(2399, 6));
        assert_eq!([0, 1, 34, 35].map(|ttl| multicast(2400, ttl)), [false, true, true, false]);
    }

    // rule: timer/zero
    #[test]
    fn an_interval_of_zero_is_refused_where_time_must_pass() {
        let zero = SimDuration::ZERO;
        let profile = WinsProfile {
            renewal_interval: zero,
            extinction_interval: zero,
            extinction_timeout: zero,
            verification_interval: zero,
            scavenge_every: Some(zero),
            scavenge_pause: zero,
            challenge_interval: zero,
            consistency_check: Some(zero),
            scavenge_chunk: 0,
            challenge_tries: 0,
            burst_rung: 0,
            ..WinsProfile::default()
        };
        let errors = profile.validate().unwrap_err();
        let fields: Vec<String> =
            errors.iter().map(|e| e.to_string().split(' ').next().unwrap().to_string()).collect();
        assert_eq!(
            fields,
            [
                "renewal_interval",
                "extinction_interval",
                "extinction_timeout",
                "verification_interval",
                "scavenge_every",
                "scavenge_pause",
                "challenge_interval",
                "consistency_check",
                "burst_rung",
                "challenge_tries",
                "scavenge_chunk",
            ]
        );
    }

    // rule: version/owner-limit
    #[test]
    fn owners_known_at_most_by_version() {
        use WinsVersion::*;
        let limit = |version, pack| WinsProfile::new(version, pack).owners_max;
        assert_eq!([limit(Nt35, 0), limit(Nt35, 2), limit(Nt351, 0)], [25, 100, 100]);
        assert_eq!([limit(Nt40, 0), limit(Nt40, 1), limit(Nt40, 4)], [100, 255, 255]);
        assert_eq!([limit(Nt40, 5), limit(W2k, 0), limit(W2k3, 0)], [usize::MAX; 3]);
    }
}
