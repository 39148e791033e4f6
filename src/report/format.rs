//! Figures as a person reads them: durations with the unit that fits, counts with separators, clock times.
//!
//! Measures carry their unit as a word; only `s`, `ms`, `us` and `min` are durations, which are shown in
//! the unit that fits their size whatever unit they came in.

/// How many seconds one of this unit is, if it is a unit of time.
pub(super) fn seconds_per(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

/// A value with its unit: `4.5 s`, `99.98 %`, `12,345 names`, `3`; `-` for what was never measured.
pub(super) fn value(v: f64, unit: &str) -> String {
    if !v.is_finite() {
        return "-".to_string();
    }
    if let Some(scale) = seconds_per(unit) {
        return duration(v * scale);
    }
    match unit {
        "%" => format!("{} %", percent(v)),
        "1" | "" => number(v),
        _ => format!("{} {unit}", number(v)),
    }
}

/// Seconds as `750 ms`, `4.5 s`, `31 min`, `1 h 15 min`, `3 d 4 h`: the two largest units that matter.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-".to_string();
    }
    if seconds < 0.0 {
        return format!("-{}", duration(-seconds));
    }
    let exact = seconds;
    if exact == 0.0 {
        return "0 s".to_string();
    }
    if exact < 0.999_5e-6 {
        return format!("{} ns", significant(exact * 1e9));
    }
    if exact < 0.999_5e-3 {
        return format!("{} µs", significant(exact * 1e6));
    }
    if exact < 0.999_5 {
        return format!("{} ms", significant(exact * 1e3));
    }
    if exact < 59.95 {
        return format!("{} s", significant(exact));
    }
    let whole = exact.round() as u64;
    if whole < 3600 {
        return two(whole / 60, "min", whole % 60, "s");
    }
    let minutes = (exact / 60.0).round() as u64;
    if minutes < 48 * 60 {
        return two(minutes / 60, "h", minutes % 60, "min");
    }
    let hours = (exact / 3600.0).round() as u64;
    two(hours / 24, "d", hours % 24, "h")
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// Three significant digits without trailing zeros: `4.5`, `12.3`, `750`.
fn significant(v: f64) -> String {
    let text = match v {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        _ => format!("{v:.2}"),
    };
    trim_zeros(&text).to_string()
}

/// A percentage that never rounds up to 100: `99.98` must not read as a success of everything.
fn percent(v: f64) -> String {
    let shown = if v < 100.0 { ((v * 100.0).floor() / 100.0).max(0.0) } else { v };
    if v > 0.0 && shown == 0.0 {
        return "< 0.01".to_string();
    }
    trim_zeros(&format!("{shown:.2}")).to_string()
}

/// A plain number with thousands separated; decimals only below a thousand, at most three digits that matter.
pub(super) fn number(v: f64) -> String {
    if !v.is_finite() {
        return "-".to_string();
    }
    if v < 0.0 {
        return format!("-{}", number(-v));
    }
    if v.fract() == 0.0 && v < 1e15 {
        return grouped(v as u64);
    }
    if v >= 1000.0 {
        return if v < 1e15 { grouped(v.round() as u64) } else { format!("{v:.3e}") };
    }
    if v < 0.001 { format!("{v:.1e}") } else { decimals(v) }
}

fn decimals(v: f64) -> String {
    if v < 1.0 { trim_zeros(&format!("{v:.3}")).to_string() } else { significant(v) }
}

/// `12,345,678`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Seconds since the start of the run as the clock shows them: `09:00:00`, `2d 09:00:00`, and with
/// milliseconds only where there are any: `09:00:04.500`.
pub(super) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-".to_string();
    }
    let millis = (seconds.max(0.0) * 1000.0).round() as u64;
    let (total, millis) = (millis / 1000, millis % 1000);
    let (days, rest) = (total / 86_400, total % 86_400);
    let mut out = String::new();
    if days > 0 {
        out.push_str(&format!("{days}d "));
    }
    out.push_str(&format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60));
    if millis > 0 {
        out.push_str(&format!(".{millis:03}"));
    }
    out
}

/// What a person calls a dotted or dashed name: `lookup.stale_answers` reads `lookup stale answers`.
pub(super) fn words(name: &str) -> String {
    name.replace(['.', '_', '-'], " ")
}

/// The text for HTML and XML, with everything that could be markup escaped.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_use_the_unit_that_fits() {
        let cases = [
            (0.0, "0 s"),
            (2e-7, "200 ns"),
            (0.000_02, "20 µs"),
            (0.75, "750 ms"),
            (0.9999, "1 s"),
            (4.5, "4.5 s"),
            (12.34, "12.3 s"),
            (59.97, "1 min"),
            (1860.0, "31 min"),
            (1861.0, "31 min 1 s"),
            (3599.7, "1 h"),
            (4500.0, "1 h 15 min"),
            (86_400.0, "24 h"),
            (2.0 * 86_400.0 + 7200.0, "2 d 2 h"),
            (f64::NAN, "-"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text, "{seconds} s");
        }
    }

    #[test]
    fn a_percentage_below_a_hundred_never_reads_as_a_hundred() {
        assert_eq!(value(99.9999, "%"), "99.99 %");
        assert_eq!(value(100.0, "%"), "100 %");
        assert_eq!(value(0.0001, "%"), "< 0.01 %");
        assert_eq!(value(0.0, "%"), "0 %");
    }

    #[test]
    fn values_carry_their_unit() {
        assert_eq!(value(4500.0, "ms"), "4.5 s");
        assert_eq!(value(1_234_567.0, "1"), "1,234,567");
        assert_eq!(value(12.5, "names"), "12.5 names");
        assert_eq!(value(f64::NAN, "s"), "-");
        assert_eq!(number(0.25), "0.25");
        assert_eq!(number(1234.5), "1,235");
    }

    #[test]
    fn clocks_show_days_and_milliseconds_only_where_there_are_any() {
        assert_eq!(clock(32_400.0), "09:00:00");
        assert_eq!(clock(32_404.5), "09:00:04.500");
        assert_eq!(clock(2.0 * 86_400.0 + 32_400.0), "2d 09:00:00");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<b a='1'>&\"\u{1}"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\u{FFFD}");
    }
}
