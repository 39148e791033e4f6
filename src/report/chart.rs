//! Charts.
use crate::measure::RunResult;

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    name: String,
}

impl Chart {
    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// SVG.
    pub fn svg(&self) -> String {
        String::new()
    }
    /// PNG.
    pub fn png(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Charts of a run.
pub fn charts(_result: &RunResult) -> Vec<Chart> {
    Vec::new()
}

/// Overlays.
pub fn compare(_runs: &[RunResult]) -> Vec<Chart> {
    Vec::new()
}
