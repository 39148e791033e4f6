//! The cluster database: the hive behind `HKLM\Cluster`, and its typed view.

use super::config::ClusterConfig;
use super::update::DbChange;

/// A node's copy of the cluster database.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Database {
    /// The number of the last global update applied to it.
    pub sequence: u64,
}

impl Database {
    /// As setup left it.
    pub fn initial(config: &ClusterConfig) -> Database {
        let _ = config;
        Database::default()
    }

    /// Reads a hive: CLUSDB, a checkpoint of it, or a sponsor's copy.
    ///
    /// # Errors
    /// The bytes are no cluster hive, or a damaged one.
    pub fn load(bytes: &[u8]) -> Result<Database, crate::registry::RegistryError> {
        let _ = bytes;
        Ok(Database::default())
    }

    /// The hive's bytes.
    pub fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Applies the changes of one update, all or none.
    ///
    /// # Errors
    /// A key to change does not exist.
    pub fn apply(&mut self, changes: &[DbChange]) -> Result<(), crate::registry::RegistryError> {
        let _ = changes;
        Ok(())
    }
}
