//! Texts with units become values: durations, times of day, odds, bandwidths, sizes, addresses.
//!
//! Everything is integers. An error says what was expected, and a correction where one is evident.

use super::expectation::{Amount, Value as Limited};
use super::plan::DurationRange;
use crate::base::{Odds, SimDuration, SimTime};
use std::net::Ipv4Addr;

/// Why a text is not the value wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    /// What is wrong, if more than "not that".
    pub why: String,
    /// What was probably meant.
    pub meant: Option<String>,
}

type Parsed<T> = Result<T, Unfit>;

fn unfit<T>(why: impl Into<String>) -> Parsed<T> {
    Err(Unfit { why: why.into(), meant: None })
}

/// The longest duration a scenario may name: 100 years, far below the end of `SimTime`.
const DURATION_MAX_NS: u128 = 36_525 * 86_400_000_000_000;
/// The units of durations.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
/// What people write for them.
const MISNOMERS: [(&str, &str); 16] = [
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("msec", "ms"),
    ("usec", "us"),
];

/// A decimal number as a mantissa and a power of ten to divide by. At most nine decimals.
fn decimal(text: &str) -> Option<(u128, u128)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 9 || !digits(whole) {
        return None;
    }
    if !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let mantissa = format!("{whole}{fraction}").parse::<u128>().ok()?;
    Some((mantissa, 10u128.pow(fraction.len() as u32)))
}

fn split_unit(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..at], text[at..].trim())
}

/// `30min`, `1h 5min`, `1.5s`.
pub fn duration(text: &str) -> Parsed<SimDuration> {
    let mut total: u128 = 0;
    let mut parts = text.split_whitespace().peekable();
    if parts.peek().is_none() {
        return unfit("it is empty");
    }
    while let Some(part) = parts.next() {
        let (number, mut unit) = split_unit(part);
        if unit.is_empty() && parts.peek().is_some_and(|p| p.chars().all(char::is_alphabetic)) {
            unit = parts.next().unwrap_or_default();
        }
        let Some((mantissa, scale)) = decimal(number) else {
            return unfit(format!("`{part}` has no number in front"));
        };
        if unit.is_empty() {
            let meant = (mantissa > 0).then(|| format!("{number}s"));
            return Err(Unfit { why: format!("`{part}` has no unit"), meant });
        }
        let Some(&(_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let lower = unit.to_lowercase();
            let right = MISNOMERS.iter().find(|(wrong, _)| *wrong == lower).map(|(_, right)| right);
            let wrong = if part.ends_with(unit) { part } else { text };
            let meant = right.map(|right| text.replace(wrong, &format!("{number}{right}")));
            return Err(Unfit { why: format!("`{unit}` is no unit of time"), meant });
        };
        total += mantissa * u128::from(size) / scale;
        if total > DURATION_MAX_NS {
            return unfit("longer than 100 years");
        }
    }
    Ok(SimDuration(total as u64))
}

/// A duration that is not zero.
pub fn interval(text: &str) -> Parsed<SimDuration> {
    let d = duration(text)?;
    if d.is_zero() { unfit("it must be longer than 0") } else { Ok(d) }
}

/// `20ms..40ms`, or one duration.
pub fn range(text: &str) -> Parsed<DurationRange> {
    let Some((low, high)) = text.split_once("..") else {
        return Ok(DurationRange::fixed(duration(text)?));
    };
    let (low, high) = (duration(low)?, duration(high)?);
    if low > high {
        let meant = Some(format!("{high}..{low}"));
        return Err(Unfit { why: "the range runs backwards".to_string(), meant });
    }
    Ok(DurationRange { low, high })
}

/// `+2h`, `-30min`: nanoseconds.
pub fn signed(text: &str) -> Parsed<i64> {
    let (negative, rest) = match text.trim().as_bytes().first() {
        Some(b'-') => (true, &text.trim()[1..]),
        Some(b'+') => (false, &text.trim()[1..]),
        _ => (false, text),
    };
    let ns = duration(rest)?.0 as i64; // at most 100 years, well within an i64
    Ok(if negative { -ns } else { ns })
}

/// `-2s..+2s`, or one signed duration.
pub fn signed_range(text: &str) -> Parsed<(i64, i64)> {
    pair(text, signed)
}

/// `+50ppm`, `-20ppm..20ppm`: parts per billion.
pub fn drift_range(text: &str) -> Parsed<(i64, i64)> {
    pair(text, |text| {
        let text = text.trim();
        let Some(number) = text.strip_suffix("ppm") else { return unfit("the unit is `ppm`") };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        match decimal(digits.trim()) {
            Some((mantissa, scale)) if mantissa / scale <= 100_000 => {
                let ppb = (mantissa * 1000 / scale) as i64;
                Ok(if negative { -ppb } else { ppb })
            }
            Some(_) => unfit("a clock is off by 100000ppm at most"),
            None => unfit(format!("`{digits}` is no number")),
        }
    })
}

fn pair(text: &str, one: impl Fn(&str) -> Parsed<i64>) -> Parsed<(i64, i64)> {
    let Some((low, high)) = text.split_once("..") else {
        let value = one(text)?;
        return Ok((value, value));
    };
    let (low, high) = (one(low)?, one(high)?);
    if low > high { unfit("the range runs backwards") } else { Ok((low, high)) }
}

/// `09:00`, `09:00:30`, `2d 09:00`, or a duration from the start of the run.
pub fn time(text: &str) -> Parsed<SimTime> {
    let text = text.trim();
    if !text.contains(':') {
        return Ok(SimTime::ZERO + duration(text)?);
    }
    let (days, clock) = match text.rsplit_once(' ') {
        None => (SimDuration::ZERO, text),
        Some((days, clock)) => match days.trim().strip_suffix('d').map(|n| n.trim().parse::<u64>())
        {
            Some(Ok(n)) if n < 36_525 => (SimDuration::from_days(n), clock),
            _ => return unfit(format!("`{days}` is no number of days such as `2d`")),
        },
    };
    Ok(SimTime::ZERO + days + time_of_day(clock)?)
}

/// `09:00..10:00`, or one time.
pub fn time_range(text: &str) -> Parsed<(SimTime, SimTime)> {
    let Some((low, high)) = text.split_once("..") else {
        let at = time(text)?;
        return Ok((at, at));
    };
    let (low, high) = (time(low)?, time(high)?);
    if low > high { unfit("it ends before it starts") } else { Ok((low, high)) }
}

/// `02:00` or `02:00:30`.
pub fn time_of_day(text: &str) -> Parsed<SimDuration> {
    let mut parts = text.trim().splitn(3, ':');
    let mut field = |name: &str, limit: u128| -> Parsed<u128> {
        let part = parts.next().unwrap_or("0");
        match decimal(part) {
            Some((n, 1)) if n < limit => Ok(n),
            Some((n, 1)) => unfit(format!("there is no {name} {n}")),
            _ => unfit(format!("`{part}` is no {name}")),
        }
    };
    let (hours, minutes) = (field("hour", 24)?, field("minute", 60)?);
    let seconds = parts.next().unwrap_or("0");
    match decimal(seconds) {
        Some((n, scale)) if n < 60 * scale => {
            let ns = n * 1_000_000_000 / scale;
            Ok(SimDuration(((hours * 60 + minutes) * 60_000_000_000 + ns) as u64))
        }
        _ => unfit(format!("`{seconds}` is no second")),
    }
}

/// `1/200` or `0.5%`.
pub fn odds(text: &str) -> Parsed<Odds> {
    let text = text.trim();
    if let Some(number) = text.strip_suffix('%') {
        let Some((mantissa, scale)) = decimal(number.trim()) else {
            return unfit(format!("`{number}` is no number"));
        };
        return ratio(mantissa, scale * 100, "more than 100%");
    }
    let Some((up, down)) = text.split_once('/') else {
        let meant = decimal(text).filter(|&(m, s)| m <= s && s > 1).map(|(m, s)| {
            let thousandths = m * 100_000 / s;
            let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
            format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
        });
        return Err(Unfit { why: "a bare number says neither ratio nor percentage".into(), meant });
    };
    match (up.trim().parse::<u32>(), down.trim().parse::<u32>()) {
        (Ok(_), Ok(0)) => unfit("nothing is divided by 0"),
        (Ok(up), Ok(down)) => ratio(up.into(), down.into(), "more often than always"),
        _ => unfit(format!("`{text}` is no ratio")),
    }
}

fn ratio(up: u128, down: u128, too_much: &str) -> Parsed<Odds> {
    if up > down {
        return unfit(too_much);
    }
    let (mut a, mut b) = (up, down);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    match (u32::try_from(up / a), u32::try_from(down / a)) {
        (Ok(numerator), Ok(denominator)) => Ok(Odds { numerator, denominator }),
        _ => unfit("too many digits"),
    }
}

/// A share, or a plain number written as text.
pub fn amount(text: &str) -> Parsed<Amount> {
    match text.trim().parse::<u64>() {
        Ok(n) => Ok(Amount::Count(n)),
        Err(_) => Ok(Amount::Share(odds(text)?)),
    }
}

/// A duration, a percentage or a number.
pub fn limit(text: &str) -> Parsed<Limited> {
    if text.trim().ends_with('%') {
        return Ok(Limited::Share(odds(text)?));
    }
    match text.trim().parse::<u64>() {
        Ok(n) => Ok(Limited::Count(n)),
        Err(_) => Ok(Limited::Duration(duration(text)?)),
    }
}

/// `64kbit/s`.
pub fn bandwidth(text: &str) -> Parsed<u64> {
    let (number, unit) = split_unit(text.trim());
    let scale: u128 = match unit {
        "bit/s" => 1,
        "kbit/s" => 1_000,
        "Mbit/s" => 1_000_000,
        "Gbit/s" => 1_000_000_000,
        _ => {
            let lower = unit.to_lowercase();
            let right = match lower.as_str() {
                "k" | "kbit" | "kbps" | "kb/s" | "kbit/s" => Some("kbit/s"),
                "m" | "mbit" | "mbps" | "mb/s" | "mbit/s" => Some("Mbit/s"),
                "g" | "gbit" | "gbps" | "gb/s" | "gbit/s" => Some("Gbit/s"),
                "bps" | "bit" => Some("bit/s"),
                _ => None,
            };
            let meant = right.map(|right| format!("{number}{right}"));
            return Err(Unfit { why: format!("`{unit}` is no unit of bandwidth"), meant });
        }
    };
    match decimal(number).map(|(m, s)| m * scale / s) {
        Some(0) => unfit("a line must carry something"),
        Some(bits) if bits <= 1_000_000_000_000 => Ok(bits as u64),
        Some(_) => unfit("faster than 1000 Gbit/s"),
        None => unfit(format!("`{number}` is no number")),
    }
}

/// `64KB`, `2GB`: bytes.
pub fn size(text: &str) -> Parsed<u64> {
    let (number, unit) = split_unit(text.trim());
    let shift = match unit {
        "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        _ => {
            let upper = unit.to_uppercase();
            let right = ["B", "KB", "MB", "GB"]
                .into_iter()
                .find(|u| *u == upper || u.trim_end_matches('B') == upper && !upper.is_empty());
            let meant = right.map(|right| format!("{number}{right}"));
            return Err(Unfit { why: format!("`{unit}` is no unit of size"), meant });
        }
    };
    match decimal(number).map(|(m, s)| (m << shift) / s) {
        Some(bytes) if bytes <= 1 << 50 => Ok(bytes as u64),
        Some(_) => unfit("larger than any disk"),
        None => unfit(format!("`{number}` is no number")),
    }
}

/// `10.1.0.7`.
pub fn address(text: &str) -> Parsed<Ipv4Addr> {
    match text.trim().parse::<Ipv4Addr>() {
        Ok(address) => Ok(address),
        Err(_) => unfit(format!("`{text}` is no IPv4 address")),
    }
}

/// `10.1.0.0/24`: network address and prefix length.
pub fn cidr(text: &str) -> Parsed<(Ipv4Addr, u8)> {
    let Some((network, prefix)) = text.trim().split_once('/') else {
        return Err(Unfit {
            why: "the length of the network prefix is missing".to_string(),
            meant: address(text).ok().map(|a| format!("{a}/24")),
        });
    };
    let network = address(network)?;
    let prefix = match prefix.parse::<u8>() {
        Ok(n @ 8..=30) => n,
        _ => return unfit("the prefix is a number from 8 to 30"),
    };
    let mask = u32::MAX << (32 - u32::from(prefix));
    let base = Ipv4Addr::from_bits(network.to_bits() & mask);
    if base != network {
        let meant = Some(format!("{base}/{prefix}"));
        return Err(Unfit { why: "bits are set beyond the prefix".to_string(), meant });
    }
    Ok((network, prefix))
}

/// `1998-03-02` or `1998-03-02 08:00`: seconds since 1970 (UTC).
pub fn calendar(text: &str) -> Parsed<u64> {
    let (date, clock) = text.trim().split_once([' ', 'T']).unwrap_or((text.trim(), "00:00"));
    let fields: Vec<i64> = date.split('-').filter_map(|f| f.parse().ok()).collect();
    let &[year, month, day] = fields.as_slice() else {
        return unfit(format!("`{date}` is no date such as 1998-03-02"));
    };
    if !(1980..=2100).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return unfit("a date from 1980 to 2100 is wanted");
    }
    // Days from the civil calendar, years counted from March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era_days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Ok(era_days as u64 * 86_400 + time_of_day(clock)?.secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_read_as_people_write_them() {
        assert_eq!(duration("1h 5min"), Ok(SimDuration::from_mins(65)));
        assert_eq!(duration("1.5s"), Ok(SimDuration::from_millis(1500)));
        assert_eq!(duration("2 d"), Ok(SimDuration::from_days(2)));
        assert_eq!(duration("30m").unwrap_err().meant.as_deref(), Some("30min"));
        assert_eq!(duration("30").unwrap_err().meant.as_deref(), Some("30s"));
        assert!(duration("").is_err() && duration("min").is_err() && duration("9999999d").is_err());
        assert_eq!(time("09:00:30").map(|t| t.to_string()), Ok("09:00:30.000".to_string()));
        assert_eq!(time("2d 09:00").map(|t| t.to_string()), Ok("2d 09:00:00.000".to_string()));
        assert!(time("24:00").is_err() && time("09:61").is_err());
        assert_eq!(range("20ms..40ms").map(|r| r.high), Ok(SimDuration::from_millis(40)));
        assert_eq!(range("40ms..20ms").unwrap_err().meant.as_deref(), Some("20ms..40ms"));
        assert_eq!(signed("-30min"), Ok(-1_800_000_000_000));
        assert_eq!(drift_range("-20ppm..+50ppm"), Ok((-20_000, 50_000)));
        assert_eq!(calendar("1998-03-02 08:00"), Ok(888_825_600));
    }

    #[test]
    fn odds_sizes_and_addresses_are_exact() {
        assert_eq!(odds("0.5%"), Ok(Odds { numerator: 1, denominator: 200 }));
        assert_eq!(odds("2/400"), Ok(Odds { numerator: 1, denominator: 200 }));
        assert_eq!(odds("0%"), Ok(Odds { numerator: 0, denominator: 1 }));
        assert_eq!(odds("0.005").unwrap_err().meant.as_deref(), Some("0.5%"));
        assert!(odds("3/2").is_err() && odds("1/0").is_err() && odds("101%").is_err());
        assert_eq!(bandwidth("1.5Mbit/s"), Ok(1_500_000));
        assert_eq!(bandwidth("64k").unwrap_err().meant.as_deref(), Some("64kbit/s"));
        assert_eq!(size("64KB"), Ok(65_536));
        assert_eq!(cidr("10.1.0.7/24").unwrap_err().meant.as_deref(), Some("10.1.0.0/24"));
        assert!(cidr("10.1.0.0/31").is_err() && cidr("10.1.0/24").is_err());
    }
}
