//! `winstorm schema`: the JSON schema of the scenario language.

use super::exit::{Exit, print};
use crate::scenario::schema;

pub(super) fn main() -> Exit {
    print(&schema()).err().unwrap_or(Exit::Success)
}
