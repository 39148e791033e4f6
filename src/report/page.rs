//! Page.
use super::Chart;
use crate::measure::RunResult;

/// The page.
pub fn page(_result: &RunResult, _charts: &[Chart]) -> String {
    String::new()
}
