//! The keys of `[kb]`: which documented failure a scenario reproduces, and what tells its two sides apart.

use super::Kind::*;
use super::{Spec, key, must, spec};

pub(super) static KB: Spec = spec(
    "a reproduced failure",
    &[
        must("article", Text, "The article that reports it: Q216585."),
        key("also", List(&Text), "More articles about the same failure."),
        must("affected", Text, "Versions that have it."),
        must("cured", Text, "The version or the workaround that has not."),
        must("symptom", Text, "What people see."),
        must("cure", List(&Text), "Settings path=value that cure the affected side."),
        must("harm", List(&Text), "Settings path=value that give the failure to the other side."),
    ],
);
