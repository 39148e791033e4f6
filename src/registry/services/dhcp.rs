//! The DHCP server: `...\Services\DHCPServer\Parameters`, and where its scopes and options are (KB 173396).

use super::parameters;

/// The name of the service.
pub const SERVICE: &str = "DHCPServer";
/// Paths and intervals.
pub const PARAMETERS: &str = r"System\CurrentControlSet\Services\DHCPServer\Parameters";
/// Scopes and options under NT 4.0.
pub const CONFIGURATION_NT40: &str = r"System\CurrentControlSet\Services\DHCPServer\Configuration";
/// Scopes and options from Windows 2000 on.
pub const CONFIGURATION_W2K: &str = r"Software\Microsoft\DhcpServer\Configuration";
/// What a clustered DHCP server (Windows 2000 and later) carries from node to node. What its resource type
/// registers is not published; these are where its configuration lives.
pub const CHECKPOINT_KEYS: [&str; 2] = [PARAMETERS, CONFIGURATION_W2K];

parameters! {
    /// The values of `Parameters` (Windows NT 4.0 Resource Kit, DHCP Server parameters).
    DhcpParameters {
        /// The folder of the database.
        database_path: String = DATABASE_PATH "DatabasePath";
        /// The file in it.
        database_name: String = DATABASE_NAME "DatabaseName";
        /// The folder of backups.
        backup_path: String = BACKUP_PATH "BackupDatabasePath";
        /// Minutes between backups.
        backup_interval: u32 = BACKUP_INTERVAL "BackupInterval";
        /// Minutes between two runs that remove expired leases.
        cleanup_interval: u32 = CLEANUP_INTERVAL "DatabaseCleanupInterval";
        /// Whether the database writes logs.
        logging_on: bool = LOGGING_ON "DatabaseLoggingFlag";
        /// Whether the backup is loaded at the next start.
        restore: bool = RESTORE "RestoreFlag";
        /// Which ways of administration are offered.
        api_protocols: u32 = API_PROTOCOLS "APIProtocolSupport";
    }
}
