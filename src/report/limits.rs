//! The limits of a run in words.
//!
//! Says what was asked for; whether it was reached, `summary` says.

use super::ReportLimits;
use super::format::{count, listed, number, per_day, percent, size};

/// Tables named; of more, the number.
const NAMED: usize = 5;

/// What the run kept to, as one or two sentences.
pub fn in_words(limits: &ReportLimits) -> String {
    let budget = limits.storage_bytes.map_or_else(String::new, |bytes| format!("{} in all, ", size(bytes)));
    let table = limits
        .max_indexes_per_table
        .map_or_else(String::new, |most| format!(", {} of them on one table", count(most as f64)));
    let methods = match &limits.access_methods {
        Some(methods) => format!(", {} only", listed(methods)),
        None => String::new(),
    };
    let mut text = format!(
        "Limits: {budget}{} at most{table}{methods}; each saves at least {}.",
        number(limits.max_indexes, "index", "indexes"),
        least_saving(limits)
    );
    if !limits.left_alone.is_empty() {
        let named = &limits.left_alone[..limits.left_alone.len().min(NAMED)];
        let more = match limits.left_alone.len() - named.len() {
            0 => String::new(),
            more => format!(" and {} more", count(more as f64)),
        };
        let names = if more.is_empty() { listed(named) } else { named.join(", ") };
        text.push_str(&format!(" Left alone, as asked: {names}{more}."));
    }
    text
}

/// The least saving of an index: "1 % of the examined time and 10 s a day".
pub fn least_saving(limits: &ReportLimits) -> String {
    let share = format!("{} of the examined time", percent(limits.min_saving));
    match limits.min_saving_ms_per_day {
        Some(ms) => format!("{share} and {}", per_day(ms)),
        None => share,
    }
}
