//! The WINS server: `...\Services\Wins\Parameters` and `\Partners` (Q135922 unless said otherwise).
//!
//! A clustered WINS checkpoints these two keys. What its resource type registers is not published; these are
//! where its configuration lives.

use super::super::error::RegistryError;
use super::super::path::KeyPath;
use super::super::tree::Registry;
use super::{Parameter, Reader, Reading, TimeOfDay, parameters, put};
use crate::registry::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The name of the service.
pub const SERVICE: &str = "Wins";
/// Intervals, paths and switches.
pub const PARAMETERS: &str = r"System\CurrentControlSet\Services\Wins\Parameters";
/// Replication partners.
pub const PARTNERS: &str = r"System\CurrentControlSet\Services\Wins\Partners";
/// What a clustered WINS carries from node to node.
pub const CHECKPOINT_KEYS: [&str; 2] = [PARAMETERS, PARTNERS];
/// Below [`PARAMETERS`]: the consistency check; without the key there is none (Q154410).
pub const CONSISTENCY_CHECK: &str = "ConsistencyCheck";
/// Below [`PARAMETERS`]: files of static mappings, one value each, of whatever name.
pub const DATAFILES: &str = "Datafiles";
/// Below [`PARTNERS`]: the servers this one pulls from.
pub const PULL: &str = "Pull";
/// Below [`PARTNERS`]: the servers that pull from this one.
pub const PUSH: &str = "Push";
/// Where the database is if `DbFileNm` does not say.
pub const DB_FILE_DEFAULT: &str = r"%SystemRoot%\system32\wins\wins.mdb";

parameters! {
    /// The values of `Parameters`.
    WinsParameters {
        /// Renewal interval, in seconds.
        refresh_interval: u32 = REFRESH_INTERVAL "RefreshInterval";
        /// Extinction interval, in seconds.
        tombstone_interval: u32 = TOMBSTONE_INTERVAL "TombStoneInterval";
        /// Extinction time-out, in seconds.
        tombstone_timeout: u32 = TOMBSTONE_TIMEOUT "TombStoneTimeOut";
        /// Verification interval, in seconds.
        verify_interval: u32 = VERIFY_INTERVAL "VerifyInterval";
        /// The database, with its file name.
        db_file: String = DB_FILE "DbFileNm";
        /// Where backups go; without it there are none.
        backup_path: String = BACKUP_PATH "BackupDirPath";
        /// Whether a backup is made when the service stops (Q167806).
        backup_on_termination: bool = BACKUP_ON_TERMINATION "DoBackupOnTerm";
        /// Where the database writes its logs.
        log_file_path: String = LOG_FILE_PATH "LogFilePath";
        /// Whether the database writes logs.
        logging_on: bool = LOGGING_ON "LoggingOn";
        /// Whether everything goes to the event log.
        log_detailed_events: bool = LOG_DETAILED_EVENTS "LogDetailedEvents";
        /// Whether the files of `Datafiles` are read at start.
        static_data_init: bool = STATIC_DATA_INIT "DoStaticDataInit";
        /// Whether nothing is answered before the first replication.
        init_time_pause: bool = INIT_TIME_PAUSE "InitTimePause";
        /// Whether static unique names give way to dynamic ones.
        migrate_on: bool = MIGRATE_ON "MigrateOn";
        /// Seconds between announcements by multicast.
        multicast_interval: u32 = MULTICAST_INTERVAL "McastIntvl";
        /// How many routers an announcement crosses.
        multicast_ttl: u32 = MULTICAST_TTL "McastTtl";
        /// Whether partners found by multicast are used.
        use_self_found_partners: bool = USE_SELF_FOUND_PARTNERS "UseSelfFndPnrs";
        /// Whether only configured partners may replicate.
        only_configured_partners: bool = ONLY_CONFIGURED_PARTNERS "RplOnlyWCnfPnrs";
        /// Threads that answer queries.
        worker_threads: u32 = WORKER_THREADS "NoOfWrkThds";
        /// Whether the process has a high priority.
        priority_class_high: bool = PRIORITY_CLASS_HIGH "PriorityClassHigh";
        /// The port of replication, on both sides.
        port: u32 = PORT "PortNo";
        /// Whether registrations above the threshold are answered at once (Q154410, Q184693).
        burst_handling: bool = BURST_HANDLING "BurstHandling";
        /// That threshold (Q184693).
        burst_queue_size: u32 = BURST_QUEUE_SIZE "BurstQueSize";
        /// Whether the holder of 1B stands first in the answer for 1C.
        prepend_1b_to_1c: bool = PREPEND_1B_TO_1C "Prepend1BTo1CQueries";
        /// Whether the members of 1C are answered in a random order (Q231305).
        randomize_1c_list: bool = RANDOMIZE_1C_LIST "Randomize1cList";
    }
}

parameters! {
    /// The values of `Parameters\ConsistencyCheck` (Q154410).
    ConsistencyCheck {
        /// Seconds between two checks.
        time_interval: u32 = TIME_INTERVAL "TimeInterval";
        /// When the first is.
        start_time: TimeOfDay = START_TIME "SpTime";
        /// Records after which a check stops.
        records_max: u32 = RECORDS_MAX "MaxRecsAtATime";
        /// Whether a partner is asked in place of the owner. Q187555 has it in `Parameters`.
        use_partners: bool = USE_PARTNERS "UseRplPnrs";
    }
}

parameters! {
    /// The values of `Partners` itself.
    PartnerRules {
        /// Owners never to be pulled.
        persona_non_grata: Vec<String> = PERSONA_NON_GRATA "PersonaNonGrata";
        /// The only owners that are accepted, if [`PartnerRules::persona_mode`] says so (Q312964).
        persona_grata: Vec<String> = PERSONA_GRATA "PersonaGrata";
        /// Which of the two lists counts.
        persona_mode: u32 = PERSONA_MODE "PersonaMode";
        /// Which records are sent: 0 all, 1 those of domains (Q251221).
        replication_type: u32 = REPLICATION_TYPE "ReplicationType";
    }
}

parameters! {
    /// The values of `Partners\Pull` itself.
    PullRules {
        /// Whether it pulls at start.
        init_time_replication: bool = INIT_TIME_REPLICATION "InitTimeReplication";
        /// Retries after a failed pull.
        retries: u32 = RETRIES "CommRetryCount";
        /// As in [`PartnerRules`], for all of these.
        replication_type: u32 = REPLICATION_TYPE "ReplicationType";
    }
}

parameters! {
    /// The values of `Partners\Pull\<address>`.
    PullPartner {
        /// Seconds between pulls; zero is only at start.
        time_interval: u32 = TIME_INTERVAL "TimeInterval";
        /// When the first is.
        start_time: TimeOfDay = START_TIME "SpTime";
        /// Whether it pulls at start.
        init_time_replication: bool = INIT_TIME_REPLICATION "InitTimeReplication";
        /// 1: members of 1C that come from here stand before those of other partners.
        member_precedence: u32 = MEMBER_PRECEDENCE "MemberPrec";
        /// Whether static records are kept back; Q229897 has it at the push partner.
        only_dynamic_records: bool = ONLY_DYNAMIC_RECORDS "OnlyDynRecs";
        /// As in [`PartnerRules`], for this one.
        replication_type: u32 = REPLICATION_TYPE "ReplicationType";
    }
}

parameters! {
    /// The values of `Partners\Push` itself.
    PushRules {
        /// Whether partners are notified at start.
        init_time_replication: bool = INIT_TIME_REPLICATION "InitTimeReplication";
        /// Whether partners are notified when an owned name changes its address.
        on_address_change: bool = ON_ADDRESS_CHANGE "RplOnAddressChg";
        /// As in [`PartnerRules`], for all of these.
        replication_type: u32 = REPLICATION_TYPE "ReplicationType";
    }
}

parameters! {
    /// The values of `Partners\Push\<address>`.
    PushPartner {
        /// Changes after which the partner is notified.
        update_count: u32 = UPDATE_COUNT "UpdateCount";
        /// Whether it is notified at start.
        init_time_replication: bool = INIT_TIME_REPLICATION "InitTimeReplication";
        /// Whether static records are kept back (Q229897).
        only_dynamic_records: bool = ONLY_DYNAMIC_RECORDS "OnlyDynRecs";
        /// As in [`PartnerRules`], for this one.
        replication_type: u32 = REPLICATION_TYPE "ReplicationType";
    }
}

/// The whole configuration of a WINS server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WinsSettings {
    /// `Parameters`.
    pub parameters: WinsParameters,
    /// `Parameters\ConsistencyCheck`, if there is that key.
    pub consistency_check: Option<ConsistencyCheck>,
    /// The files of `Parameters\Datafiles`, in the order of their values' names.
    pub datafiles: Vec<String>,
    /// `Partners`.
    pub partners: PartnerRules,
    /// `Partners\Pull`.
    pub pull: PullRules,
    /// `Partners\Pull\<address>`.
    pub pull_from: BTreeMap<Ipv4Addr, PullPartner>,
    /// `Partners\Push`.
    pub push: PushRules,
    /// `Partners\Push\<address>`.
    pub push_to: BTreeMap<Ipv4Addr, PushPartner>,
}

/// The paths of the keys above.
struct Paths {
    parameters: KeyPath,
    consistency_check: KeyPath,
    datafiles: KeyPath,
    partners: KeyPath,
    pull: KeyPath,
    push: KeyPath,
}

impl Paths {
    fn new() -> Paths {
        let path = |text: &str| KeyPath::parse(text).expect("a constant of this file");
        let (parameters, partners) = (path(PARAMETERS), path(PARTNERS));
        Paths {
            consistency_check: parameters.child(CONSISTENCY_CHECK),
            datafiles: parameters.child(DATAFILES),
            pull: partners.child(PULL),
            push: partners.child(PUSH),
            parameters,
            partners,
        }
    }
}

impl WinsSettings {
    /// Reads everything; what is missing is none, or empty.
    pub fn read(registry: &Registry) -> Reading<WinsSettings> {
        let paths = Paths::new();
        let mut reader = Reader::new(registry);
        let parameters = WinsParameters::read_with(&mut reader, &paths.parameters);
        let consistency_check = registry.exists(&paths.consistency_check).then(|| {
            let mut check = ConsistencyCheck::read_with(&mut reader, &paths.consistency_check);
            let elsewhere = || reader.get(&paths.parameters, ConsistencyCheck::USE_PARTNERS);
            check.use_partners = check.use_partners.or_else(elsewhere);
            check
        });
        let settings = WinsSettings {
            parameters,
            consistency_check,
            datafiles: read_datafiles(&mut reader, &paths.datafiles),
            partners: PartnerRules::read_with(&mut reader, &paths.partners),
            pull: PullRules::read_with(&mut reader, &paths.pull),
            pull_from: addresses(&mut reader, &paths.pull, PullPartner::read_with),
            push: PushRules::read_with(&mut reader, &paths.push),
            push_to: addresses(&mut reader, &paths.push, PushPartner::read_with),
        };
        reader.done(settings)
    }

    /// Writes everything; partners that are not among these are deleted.
    pub fn write(&self, registry: &mut Registry) -> Result<(), RegistryError> {
        let paths = Paths::new();
        self.parameters.write(registry, &paths.parameters)?;
        match &self.consistency_check {
            Some(check) => check.write(registry, &paths.consistency_check)?,
            None if registry.exists(&paths.consistency_check) => {
                registry.delete_tree(&paths.consistency_check)?;
            }
            None => {}
        }
        write_datafiles(registry, &paths.datafiles, &self.datafiles)?;
        self.partners.write(registry, &paths.partners)?;
        self.pull.write(registry, &paths.pull)?;
        drop_others(registry, &paths.pull, |address| self.pull_from.contains_key(&address))?;
        for (address, partner) in &self.pull_from {
            partner.write(registry, &paths.pull.child(&address.to_string()))?;
        }
        self.push.write(registry, &paths.push)?;
        drop_others(registry, &paths.push, |address| self.push_to.contains_key(&address))?;
        for (address, partner) in &self.push_to {
            partner.write(registry, &paths.push.child(&address.to_string()))?;
        }
        Ok(())
    }
}

/// What the subkeys named after addresses say.
fn addresses<T>(
    reader: &mut Reader<'_>,
    path: &KeyPath,
    read: impl Fn(&mut Reader<'_>, &KeyPath) -> T,
) -> BTreeMap<Ipv4Addr, T> {
    let mut partners = BTreeMap::new();
    let registry = reader.registry;
    for (name, _) in registry.key(path).into_iter().flat_map(|key| key.keys()) {
        match name.parse() {
            Ok(address) => {
                let partner = read(reader, &path.child(name));
                partners.insert(address, partner);
            }
            Err(_) => {
                reader.mistake(path, name, "a key named after an address", "no address".into());
            }
        }
    }
    partners
}

/// Deletes the subkeys of addresses that are not wanted.
fn drop_others(
    registry: &mut Registry,
    path: &KeyPath,
    wanted: impl Fn(Ipv4Addr) -> bool,
) -> Result<(), RegistryError> {
    let keys = registry.key(path).into_iter().flat_map(|key| key.keys());
    let gone = keys.filter(|(name, _)| name.parse().is_ok_and(|address| !wanted(address)));
    let gone: Vec<KeyPath> = gone.map(|(name, _)| path.child(name)).collect();
    gone.iter().try_for_each(|path| registry.delete_tree(path))
}

fn read_datafiles(reader: &mut Reader<'_>, path: &KeyPath) -> Vec<String> {
    let registry = reader.registry;
    let names = registry.key(path).into_iter().flat_map(|key| key.values());
    names.filter_map(|(name, _)| reader.get(path, name)).collect()
}

/// Values named so that their order is that of the files.
fn write_datafiles(
    registry: &mut Registry,
    path: &KeyPath,
    files: &[String],
) -> Result<(), RegistryError> {
    let there = registry.key(path).map(|key| key.values());
    let texts = there.into_iter().flatten().map(|(_, value)| value.clone());
    let wanted: Vec<Value> = files.iter().map(String::to_value).collect();
    if texts.eq(wanted) {
        return Ok(());
    }
    if registry.exists(path) {
        registry.delete_tree(path)?;
    }
    for (index, file) in files.iter().enumerate() {
        put(registry, path, &format!("DFile{:04}", index + 1), Some(file))?;
    }
    Ok(())
}
