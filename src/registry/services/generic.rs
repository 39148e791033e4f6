//! What the service controller knows of every service: `System\CurrentControlSet\Services\<name>`.
//!
//! This is the key whose checkpoint is a trap: it carries `Start`, so a service that was disabled while
//! online can never start again (Q290651). Checkpoints belong on its subkeys.

use super::super::path::{KeyPath, PathError};
use super::{Parameter, parameters};
use crate::registry::Value;

/// The key above those of the services.
pub const SERVICES: &str = r"System\CurrentControlSet\Services";

/// The key of a service.
pub fn service_key(name: &str) -> Result<KeyPath, PathError> {
    KeyPath::parse(SERVICES)?.join(name)
}

/// When a service starts: the value `Start`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StartType {
    /// 0: by the boot loader.
    Boot,
    /// 1: while the kernel starts.
    System,
    /// 2: when the host has booted.
    Automatic,
    /// 3: when it is asked to; what a clustered service should be.
    Manual,
    /// 4: never.
    Disabled,
}

impl StartType {
    const ALL: [StartType; 5] = [
        StartType::Boot,
        StartType::System,
        StartType::Automatic,
        StartType::Manual,
        StartType::Disabled,
    ];

    /// The number in the registry.
    pub fn number(self) -> u32 {
        match self {
            StartType::Boot => 0,
            StartType::System => 1,
            StartType::Automatic => 2,
            StartType::Manual => 3,
            StartType::Disabled => 4,
        }
    }
}

impl Parameter for StartType {
    fn from_value(value: &Value) -> Result<StartType, &'static str> {
        let number = value.as_dword();
        let known = StartType::ALL.into_iter().find(|start| Some(start.number()) == number);
        known.ok_or("a REG_DWORD from 0 to 4")
    }
    fn to_value(&self) -> Value {
        Value::Dword(self.number())
    }
}

parameters! {
    /// The key of one service.
    ServiceEntry {
        /// When it starts.
        start: StartType = START "Start";
        /// Its program.
        image_path: String = IMAGE_PATH "ImagePath";
        /// The name people see.
        display_name: String = DISPLAY_NAME "DisplayName";
        /// The account it runs under.
        object_name: String = OBJECT_NAME "ObjectName";
        /// 0x10 a program of its own, 0x20 a part of one that is shared.
        kind: u32 = KIND "Type";
        /// What happens if it does not start: 0 nothing, 1 a message, 2 and 3 another configuration.
        error_control: u32 = ERROR_CONTROL "ErrorControl";
        /// Services that must run first.
        depend_on_service: Vec<String> = DEPEND_ON_SERVICE "DependOnService";
    }
}
