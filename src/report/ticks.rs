//! Where an axis has its marks, and what stands at them.

use super::format::{duration, number, seconds_per};

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

/// Steps in which people count time, in seconds; longer ones are multiples of a day.
const TIME_STEPS: [f64; 23] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    10800.0,
    14400.0,
    21600.0,
    43200.0,
    86400.0,
    172_800.0,
    432_000.0,
    864_000.0,
    2_592_000.0,
];

/// A mark: its value on the axis and its text.
pub(super) type Tick = (f64, String);

/// The smallest of 1, 2, 5 times a power of ten that is no smaller than `rough`.
fn round_up(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    // A hair of tolerance: 0.3 / 3 is not quite 0.1.
    power * steps.into_iter().find(|s| s * power >= rough * 0.999_999).unwrap_or(10.0)
}

fn time_step(rough: f64) -> f64 {
    if rough <= 0.5 {
        return round_up(rough);
    }
    TIME_STEPS
        .into_iter()
        .find(|&s| s >= rough * 0.999_999)
        .unwrap_or_else(|| round_up(rough / DAY) * DAY)
}

/// Multiples of `step` within the range.
fn multiples(from: f64, until: f64, step: f64) -> Vec<f64> {
    let first = (from / step - 1e-6).ceil() as i64;
    let last = (until / step + 1e-6).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Marks of a clock axis from `from` to `until` seconds, at most `count` steps: `09:00`, `24:00`, or
/// `day 3` at the midnights of a long run.
pub(super) fn clock(from: f64, until: f64, count: usize) -> Vec<Tick> {
    let step = time_step((until - from).max(1e-9) / count.max(1) as f64);
    multiples(from, until, step).into_iter().map(|t| (t, clock_label(t, step, until))).collect()
}

fn clock_label(t: f64, step: f64, until: f64) -> String {
    if step < 1.0 {
        return duration(t);
    }
    let whole = t.round() as u64;
    let (days, rest) = (whole / 86_400, whole % 86_400);
    if until > DAY + 1.0 && rest == 0 {
        return format!("day {}", days + 1);
    }
    let hours = if until > DAY + 1.0 { rest / 3600 } else { whole / 3600 };
    let minutes = rest / 60 % 60;
    if step < MINUTE {
        format!("{hours:02}:{minutes:02}:{:02}", rest % 60)
    } else {
        format!("{hours:02}:{minutes:02}")
    }
}

/// The top of a vertical axis that holds `max`, and its marks from zero; `whole` keeps to whole numbers.
pub(super) fn value(max: f64, unit: &str, whole: bool) -> (f64, Vec<Tick>) {
    if unit == "%" && max <= 100.0 {
        return (100.0, (0..=5).map(|i| (f64::from(i) * 20.0, format!("{} %", i * 20))).collect());
    }
    let max = if max > 0.0 && max.is_finite() { max } else { 1.0 };
    let step = match seconds_per(unit) {
        Some(scale) => time_step(max * scale / 5.0) / scale,
        None if whole => round_up(max / 5.0).max(1.0),
        None => round_up(max / 5.0),
    };
    let top = (max / step - 1e-6).ceil() * step;
    let label = |v: f64| match seconds_per(unit) {
        Some(scale) => duration(v * scale),
        None if unit == "%" => format!("{} %", number(v)),
        None => number(v),
    };
    (top, multiples(0.0, top, step).into_iter().map(|v| (v, label(v))).collect())
}

/// The ends of an axis that holds `min` to `max`, and its marks: from zero, unless the values lie close
/// together far from it.
pub(super) fn span(min: f64, max: f64, unit: &str, whole: bool) -> (f64, f64, Vec<Tick>) {
    if min > 0.0 && max - min < max * 0.3 && max.is_finite() {
        let near = near(min, max, unit, whole);
        let distinct: std::collections::BTreeSet<&str> =
            near.2.iter().map(|(_, label)| label.as_str()).collect();
        // Marks that read the same would mislead: so close together nothing differs that matters.
        if distinct.len() == near.2.len() {
            return near;
        }
    }
    let (top, ticks) = value(if unit == "%" { max.max(20.0) } else { max }, unit, whole);
    (0.0, top, ticks)
}

/// An axis that shows little more than the values.
fn near(min: f64, max: f64, unit: &str, whole: bool) -> (f64, f64, Vec<Tick>) {
    let room = if max > min { (max - min) * 1.1 } else { max * 0.1 };
    let scale = seconds_per(unit);
    let step = match scale {
        Some(scale) => time_step(room * scale / 5.0) / scale,
        None if whole => round_up(room / 5.0).max(1.0),
        None => round_up(room / 5.0),
    };
    let mut low = ((min / step + 1e-6).floor() * step).max(0.0);
    let mut high = (max / step - 1e-6).ceil() * step;
    if unit == "%" && max <= 100.0 {
        high = high.min(100.0);
    } else if high - low < step * 1.5 {
        high += step;
    }
    if high - low < step * 1.5 {
        low = (low - step).max(0.0);
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let label = |v: f64| match scale {
        Some(scale) => duration(v * scale),
        None if unit == "%" => format!("{v:.decimals$} %"),
        None if step < 1.0 => format!("{v:.decimals$}"),
        None => number(v),
    };
    (low, high, multiples(low, high, step).into_iter().map(|v| (v, label(v))).collect())
}

/// Marks of a logarithmic axis that holds `min` to `max` (both positive), and its ends: steps of one, two,
/// five while there is room, else powers of ten; for units of time at the times people name.
pub(super) fn log(min: f64, max: f64, unit: &str) -> (f64, f64, Vec<Tick>) {
    const ROOM: usize = 12;
    let scale = seconds_per(unit);
    let (low, high) = (min * scale.unwrap_or(1.0), max * scale.unwrap_or(1.0));
    let fits = |all: &[f64]| {
        let from = all.iter().rposition(|&v| v <= low * 1.000_001).unwrap_or(0);
        let until = all.iter().position(|&v| v >= high * 0.999_999).unwrap_or(all.len() - 1);
        let until = until.max((from + 1).min(all.len() - 1));
        (from, until)
    };
    let (mut all, mut ends) = (Vec::new(), (0, 0));
    for fine in [true, false] {
        all = log_candidates(fine, scale.is_some());
        ends = fits(&all);
        if ends.1 - ends.0 < ROOM {
            break;
        }
    }
    let back = |v: f64| v / scale.unwrap_or(1.0);
    let label = |v: f64| if scale.is_some() { duration(v) } else { number(v) };
    let every = (ends.1 - ends.0) / ROOM + 1;
    let ticks = (ends.0..=ends.1).step_by(every).map(|i| (back(all[i]), label(all[i]))).collect();
    (back(all[ends.0]), back(all[ends.1]), ticks)
}

fn log_candidates(fine: bool, time: bool) -> Vec<f64> {
    let decades = |from: i32, until: i32| {
        let steps: &[f64] = if fine { &[1.0, 2.0, 5.0] } else { &[1.0] };
        (from..until).flat_map(move |e| steps.iter().map(move |s| s * 10f64.powi(e)))
    };
    if !time {
        return decades(-12, 16).collect();
    }
    let mut all: Vec<f64> = decades(-9, 1).collect();
    if fine {
        all.extend([10.0, 20.0, 30.0]);
        all.extend([1.0, 2.0, 5.0, 10.0, 20.0, 30.0].map(|m| m * MINUTE));
        all.extend([1.0, 2.0, 5.0, 12.0].map(|h| h * HOUR));
        all.extend([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0].map(|d| d * DAY));
    } else {
        all.extend([10.0, MINUTE, 10.0 * MINUTE, HOUR, 10.0 * HOUR]);
        all.extend([2.0, 10.0, 100.0, 1000.0].map(|d| d * DAY));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_day_has_marks_every_two_hours_and_ends_at_24() {
        let ticks = clock(0.0, DAY, 12);
        assert_eq!(ticks.len(), 13);
        assert_eq!(labels(&ticks)[..3], ["00:00", "02:00", "04:00"]);
        assert_eq!(labels(&ticks)[12], "24:00");
    }

    #[test]
    fn clock_marks_suit_short_and_long_runs() {
        assert_eq!(
            labels(&clock(0.0, 30.0, 6)),
            ["00:00:00", "00:00:05", "00:00:10", "00:00:15", "00:00:20", "00:00:25", "00:00:30"]
        );
        assert_eq!(
            labels(&clock(31_800.0, 34_200.0, 8)),
            ["08:50", "08:55", "09:00", "09:05", "09:10", "09:15", "09:20", "09:25", "09:30"]
        );
        assert_eq!(
            labels(&clock(0.0, 3.0 * DAY, 6)),
            ["day 1", "12:00", "day 2", "12:00", "day 3", "12:00", "day 4"]
        );
    }

    #[test]
    fn value_axes_start_at_zero_and_hold_the_largest() {
        assert_eq!(value(99.9, "%", false).0, 100.0);
        let (top, ticks) = value(1234.0, "records", true);
        assert_eq!(top, 1500.0);
        assert_eq!(labels(&ticks), ["0", "500", "1,000", "1,500"]);
        assert_eq!(value(0.0, "1", true).0, 1.0);
        assert_eq!(labels(&value(95.0, "s", false).1)[..3], ["0 s", "30 s", "1 min"]);
        assert_eq!(value(f64::NAN, "1", true).0, 1.0);
    }

    #[test]
    fn an_axis_of_dots_goes_close_to_values_that_lie_close_together() {
        let (low, high, ticks) = span(99.82, 99.97, "%", false);
        assert!(low <= 99.82 && high >= 99.97 && low > 99.0 && high <= 100.0, "{low} {high}");
        assert!((3..=8).contains(&ticks.len()), "{ticks:?}");
        let distinct: std::collections::BTreeSet<&str> = labels(&ticks).into_iter().collect();
        assert_eq!(distinct.len(), ticks.len(), "{ticks:?}");
        assert_eq!(span(3.0, 90.0, "s", false).0, 0.0);
        for (min, max, unit) in
            [(5.0, 5.0, "s"), (0.0, 0.0, "1"), (100.0, 100.0, "%"), (41.0, 42.0, "1")]
        {
            let (low, high, ticks) = span(min, max, unit, true);
            assert!(
                low < high && low <= min && high >= max && ticks.len() > 1,
                "{min} {max} {ticks:?}"
            );
        }
    }

    #[test]
    fn log_axes_hold_their_range_at_times_people_name() {
        for (min, max) in [(0.001, 0.002), (0.02, 1900.0), (1e-6, 1e6), (5.0, 5.0)] {
            let (low, high, ticks) = log(min, max, "s");
            assert!(low <= min && high >= max && low < high, "{low} {high}");
            assert!((2..=14).contains(&ticks.len()), "{ticks:?}");
        }
        assert_eq!(
            labels(&log(60.0, 1900.0, "s").2),
            ["1 min", "2 min", "5 min", "10 min", "20 min", "30 min", "1 h"]
        );
    }
}
