//! Numbers as people read them: sizes, durations, costs, counts and shares. Every renderer uses these, so that two
//! reports of one run never differ in a digit.
//!
//! Pure text; knows nothing of the report. Whatever the number, also one that is none, the text is short and plain
//! ASCII.

const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// A size in bytes as `pg_size_pretty` (dbsize.c) writes it: whole numbers, and the next unit from 10 of it on.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value.round() >= 10.0 * 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.0} {}", UNITS[unit])
}

/// A length of time given in milliseconds: `41 ms`, `3.2 s`, `2 h 10 min`, `12 days`.
pub fn duration(ms: f64) -> String {
    if ms < 2.0 * DAY || !ms.is_finite() { hours(ms) } else { format!("{} days", count(ms / DAY)) }
}

/// Milliseconds a day: `2 h 10 min a day`. Stays with hours however many they are, since several sessions together can
/// spend more than a day a day.
pub fn per_day(ms: f64) -> String {
    format!("{} a day", hours(ms))
}

fn hours(ms: f64) -> String {
    if !ms.is_finite() {
        return "an unknown time".to_string();
    }
    if ms < 0.0 {
        return format!("-{}", hours(-ms));
    }
    // Each limit is where the rounded number would reach the next unit.
    match ms {
        0.0 => "0 ms".to_string(),
        _ if ms < 0.0005 => "under 0.001 ms".to_string(),
        _ if ms < 0.0995 => format!("{ms:.3} ms"),
        _ if ms < 0.995 => format!("{ms:.2} ms"),
        _ if ms < 9.95 => format!("{ms:.1} ms"),
        _ if ms < 999.5 => format!("{ms:.0} ms"),
        _ if ms < 9.95 * SECOND => format!("{:.1} s", ms / SECOND),
        _ if ms < 59.5 * SECOND => format!("{:.0} s", ms / SECOND),
        _ if ms < 59.5 * MINUTE => parts(ms, MINUTE, "min", SECOND, "s", 10.0),
        _ => parts(ms, HOUR, "h", MINUTE, "min", 48.0),
    }
}

/// `2 h 10 min`; from `coarse` large units on, the small one is not told.
fn parts(ms: f64, large: f64, large_name: &str, small: f64, small_name: &str, coarse: f64) -> String {
    if ms >= coarse * large {
        return format!("{} {large_name}", count(ms / large));
    }
    let smalls = (ms / small).round();
    let per_large = large / small;
    match smalls % per_large {
        0.0 => format!("{:.0} {large_name}", smalls / per_large),
        rest => format!("{:.0} {large_name} {rest:.0} {small_name}", (smalls / per_large).floor()),
    }
}

/// A planner cost: whole, with thousands separated; two digits below 10.
pub fn thousands(cost: f64) -> String {
    if cost.abs() < 9.995 { format!("{cost:.2}") } else { count(cost) }
}

/// A whole number with thousands separated: `12,345`.
pub fn count(number: f64) -> String {
    // Beyond this, digits say nothing, and a column of them breaks every table.
    if !number.is_finite() || number.abs() >= 1e15 {
        return format!("{number:.1e}");
    }
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    if number < 0.0 && digits != "0" {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share (0 to 1) in per cent, with digits only where they tell something: `62 %`, `4.1 %`, `0.52 %`. Says 100 only
/// of the whole and 0 only of nothing.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if !percent.is_finite() {
        return "? %".to_string();
    }
    match percent.abs() {
        0.0 => "0 %".to_string(),
        x if x < 0.01 => "under 0.01 %".to_string(),
        x if x < 0.995 => format!("{} %", format!("{percent:.2}").trim_end_matches('0')),
        x if x < 9.95 => format!("{percent:.1} %"),
        x if x < 99.5 => format!("{percent:.0} %"),
        // Adding shares leaves a trace of rounding; less than that is the whole.
        x if x < 99.9999 => format!("{:.1} %", percent.clamp(-99.9, 99.9)),
        x if x < 1000.0 => format!("{percent:.0} %"),
        _ => format!("{} %", count(percent)),
    }
}

/// How much a cost falls: `-99 %`, `+3 %`, `unchanged` below a per mille.
pub fn change(before: f64, after: f64) -> String {
    let share = after / before - 1.0;
    if !share.is_finite() {
        return "?".to_string();
    }
    match share {
        s if s.abs() < 0.001 => "unchanged".to_string(),
        s if s > 0.0 => format!("+{}", percent(s)),
        s => format!("-{}", percent(-s)),
    }
}

/// `1 index`, `3 indexes`: a number with its noun.
pub fn number(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n as f64), if n == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_pg_size_pretty() {
        // Measured: SELECT pg_size_pretty(n) for each.
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (8192 * 100, "800 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (412 * 1024 * 1024, "412 MB"),
            (20 << 30, "20 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert!(size(u64::MAX).ends_with(" PB"));
    }

    #[test]
    fn durations_take_the_unit_that_people_would() {
        for (ms, text) in [
            (0.0, "0 ms"),
            (0.0001, "under 0.001 ms"),
            (0.0123, "0.012 ms"),
            (0.41, "0.41 ms"),
            (3.21, "3.2 ms"),
            (41.4, "41 ms"),
            (999.4, "999 ms"),
            (999.9, "1.0 s"),
            (3_200.0, "3.2 s"),
            (59_400.0, "59 s"),
            (59_900.0, "1 min"),
            (90_000.0, "1 min 30 s"),
            (12.0 * 60_000.0 + 20_000.0, "12 min"),
            (3_599_000.0, "1 h"),
            (7_800_000.0, "2 h 10 min"),
            (-7_800_000.0, "-2 h 10 min"),
        ] {
            assert_eq!(hours(ms), text, "{ms}");
        }
        assert_eq!(per_day(7_800_000.0), "2 h 10 min a day");
        assert_eq!(per_day(60.0 * HOUR), "60 h a day");
        assert_eq!(duration(12.0 * DAY), "12 days");
        assert_eq!(duration(f64::NAN), "an unknown time");
    }

    #[test]
    fn costs_and_counts_have_their_thousands_separated() {
        for (cost, text) in [
            (0.29, "0.29"),
            (9.999, "10"),
            (999.6, "1,000"),
            (1_234_567.8, "1,234,568"),
            (-1234.0, "-1,234"),
            (1e300, "1.0e300"),
        ] {
            assert_eq!(thousands(cost), text);
        }
        assert_eq!(count(-0.2), "0");
    }

    #[test]
    fn shares_say_all_and_nothing_only_where_it_is_so() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.000_01, "under 0.01 %"),
            (0.0052, "0.52 %"),
            (0.005, "0.5 %"),
            (0.994_9, "99 %"),
            (0.041, "4.1 %"),
            (0.6249, "62 %"),
            (0.999_6, "99.9 %"),
            (0.999_999_999_99, "100 %"),
            (1.0, "100 %"),
            (f64::NAN, "? %"),
        ] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(change(200.0, 2.0), "-99 %");
        assert_eq!(change(100.0, 100.0), "unchanged");
        assert_eq!(change(0.0, 0.0), "?");
        assert_eq!(change(100.0, 103.0), "+3.0 %");
    }

    #[test]
    fn lists_read_like_sentences() {
        let items = ["a", "b", "c"].map(String::from);
        assert_eq!(listed(&items), "a, b and c");
        assert_eq!(listed(&items[..2]), "a and b");
        assert_eq!(number(1, "index", "indexes"), "1 index");
        assert_eq!(number(2_000, "index", "indexes"), "2,000 indexes");
    }
}
