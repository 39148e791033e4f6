//! Distributions with fixed memory, exact to three digits.

use super::result::Measure;
use crate::base::SimDuration;
use hdrhistogram::Histogram as Hdr;

/// How many quantiles stand for a distribution in a chart.
const CHART_QUANTILES: u64 = 400;

/// A distribution of whole numbers (nanoseconds, counts).
#[derive(Clone, Debug)]
pub struct Distribution {
    values: Hdr<u64>,
    /// What one of the recorded numbers is worth in the unit shown.
    scale: f64,
    unit: &'static str,
}

impl Distribution {
    /// Durations, recorded in nanoseconds at microsecond grain, shown in seconds.
    pub fn of_durations() -> Distribution {
        Distribution { values: new_hdr(), scale: 1e-6, unit: "s" }
    }

    /// Counts of something.
    pub fn of_counts(unit: &'static str) -> Distribution {
        Distribution { values: new_hdr(), scale: 1.0, unit }
    }

    /// Adds a duration.
    pub fn record_duration(&mut self, d: SimDuration) {
        self.add(d.0 / 1000);
    }

    /// Adds a count.
    pub fn record_count(&mut self, n: u64) {
        self.add(n);
    }

    fn add(&mut self, value: u64) {
        // It grows to whatever comes; only a number beyond 2^63 is cut to that.
        let grown = self.values.record(value.min(u64::MAX >> 1));
        debug_assert!(grown.is_ok(), "an auto-resizing histogram takes every value");
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value below which `per_mille` thousandths of all values lie, in the unit shown.
    pub fn quantile(&self, per_mille: u32) -> f64 {
        self.values.value_at_quantile(f64::from(per_mille) / 1000.0) as f64 * self.scale
    }

    /// The largest value, in the unit shown.
    pub fn max(&self) -> f64 {
        self.values.max() as f64 * self.scale
    }

    /// The summary under this name; `None` without values.
    pub fn measure(&self, name: impl Into<String>) -> Option<Measure> {
        (!self.is_empty()).then(|| Measure {
            name: name.into(),
            unit: self.unit.to_string(),
            n: self.len(),
            min: self.values.min() as f64 * self.scale,
            p50: self.quantile(500).min(self.max()),
            p90: self.quantile(900).min(self.max()),
            p99: self.quantile(990).min(self.max()),
            max: self.max(),
        })
    }

    /// The values a chart draws, ascending: all of them if few, quantiles if many.
    pub fn chart_values(&self) -> Vec<f64> {
        let n = self.len().min(CHART_QUANTILES);
        (1..=n)
            .map(|i| {
                let at = self.values.value_at_quantile(i as f64 / n as f64);
                at.min(self.values.max()) as f64 * self.scale
            })
            .collect()
    }
}

fn new_hdr() -> Hdr<u64> {
    let mut hdr = Hdr::new(3).expect("three significant digits are allowed");
    hdr.auto(true);
    hdr
}

/// A measure that is one plain number.
pub fn count(name: impl Into<String>, unit: &str, value: f64) -> Measure {
    Measure {
        name: name.into(),
        unit: unit.to_string(),
        n: 1,
        min: value,
        p50: value,
        p90: value,
        p99: value,
        max: value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_three_digits() {
        let mut d = Distribution::of_durations();
        assert_eq!(d.measure("x"), None);
        (1..=1000).for_each(|ms| d.record_duration(SimDuration::from_millis(ms)));
        let m = d.measure("x").unwrap();
        assert_eq!((m.n, m.unit.as_str()), (1000, "s"));
        assert!((m.p50 - 0.5).abs() < 0.001 && (m.p99 - 0.99).abs() < 0.001, "{m:?}");
        assert!((m.max - 1.0).abs() < 0.001 && m.p99 <= m.max);
        d.record_duration(SimDuration::from_days(400));
        assert!(d.max() > 34_000_000.0, "values far above the others count too");
        assert_eq!(d.chart_values().len(), 400);
        assert!(d.chart_values().is_sorted());
    }
}
