//! What earlier runs add, in words: what changed since the last report, and how followed advice turned out.
//!
//! Sentences and cells; lays nothing out and judges nothing.

use super::format::{change, count, duration, listed, number, per_day, percent};
use super::past::{Changes, Past, WhyWithdrawn};
use crate::verification::{Mean, Record, StatementChange, Verification, WriteChange};

/// Headings.
pub const CHANGES: &str = "What changed since the last report";
pub const FOLLOWED: &str = "How earlier advice turned out";
/// Names of the columns of verified indexes and of their statements.
pub const VERIFIED: [&str; 4] = ["Index", "Verdict", "Estimated", "Measured"];
pub const MEASURED: [&str; 4] = ["Statement", "Before", "After", "Change"];
/// Labels.
pub const NEW: &str = "New";
pub const WITHDRAWN: &str = "Not advised any more";
pub const WRITES: &str = "Writes";
pub const NEXT: &str = "Next";
/// From here on a window says something about a day: a load that takes a minute does not go on for one.
const LONG_SECONDS: f64 = 3600.0;
/// Statements shown with a verified index, those that changed most first.
pub const STATEMENTS: usize = 5;

/// What changed, in one or two sentences.
pub fn changes(past: &Past) -> String {
    let Some(Changes { since_run, since, new, withdrawn, unchanged }) = &past.changes else {
        return "This is the first report of this database that is kept, so there is nothing to compare it with."
            .to_string();
    };
    let mut parts = Vec::new();
    if !new.is_empty() {
        parts.push(format!("{} new", count(new.len() as f64)));
    }
    if !withdrawn.is_empty() {
        parts.push(format!("{} not advised any more", count(withdrawn.len() as f64)));
    }
    parts.push(format!("{} as before", count(*unchanged as f64)));
    if new.is_empty() && withdrawn.is_empty() {
        parts = vec![match unchanged {
            0 => "nothing was advised then, and nothing is now".to_string(),
            1 => "the one recommendation is the same".to_string(),
            n => format!("the {} recommendations are the same", count(*n as f64)),
        }];
    }
    format!("Since run {since_run} of {since}: {}.", listed(&parts))
}

/// Why a recommendation is not made any more.
pub fn why(why: WhyWithdrawn) -> &'static str {
    match why {
        WhyWithdrawn::Applied => "the index exists now",
        WhyWithdrawn::Dismissed => "dismissed",
        WhyWithdrawn::NoLongerPays => "it no longer pays, or another index does its work",
    }
}

/// The advisor's own record, in a sentence.
pub fn record(record: &Record) -> String {
    let Record { applied, judged, paid, median_error } = record;
    if *applied == 0 {
        return "No recommendation has been followed yet, so nothing has been measured.".to_string();
    }
    let followed = number(*applied, "recommendation was", "recommendations were");
    let mut text = match judged {
        0 => format!("{followed} followed; none can be judged yet."),
        _ => {
            let judged = if judged == applied { "all".to_string() } else { count(*judged as f64) };
            format!("{followed} followed, {judged} can be judged, {} paid.", count(*paid as f64))
        }
    };
    if let Some(error) = median_error {
        text.push_str(&format!(
            " Estimated and measured savings differ by {} of the time concerned in the median.",
            percent(error.abs())
        ));
    }
    text
}

/// A verified index as cells and sentences.
pub struct Verified<'a> {
    /// Its name, or where it has none, how it is made.
    pub index: &'a str,
    /// The verdict: `kept its promise`.
    pub verdict: &'static str,
    pub estimated: String,
    pub measured: String,
    /// How writing changed, in a sentence.
    pub writes: Option<String>,
    pub statements: Vec<Measured<'a>>,
    pub verification: &'a Verification,
}

/// A statement in the windows before and after, as cells.
pub struct Measured<'a> {
    pub text: &'a str,
    /// `8.1 ms in 12,345 calls`.
    pub before: String,
    pub after: String,
    /// `-62 %`, with a word where the noise could explain it.
    pub change: String,
}

/// The verified indexes in the order of the report.
pub fn verified(past: &Past) -> Vec<Verified<'_>> {
    past.verifications.iter().map(verification).collect()
}

fn verification(verification: &Verification) -> Verified<'_> {
    let saving = |share: Option<f64>, daily: Option<f64>| {
        let Some(share) = share else { return "unknown".to_string() };
        let daily = daily.map_or_else(String::new, |ms| format!(", {}", per_day(ms)));
        format!("{}{daily}", percent(share))
    };
    Verified {
        index: verification.index.as_deref().unwrap_or(&verification.ddl),
        verdict: verification.verdict.name(),
        estimated: saving(verification.estimated_saving, verification.estimated_ms_per_day),
        measured: saving(verification.measured_saving, verification.measured_ms_per_day),
        writes: verification.writes.as_ref().filter(|_| is_long(verification)).map(writes),
        statements: verification.statements.iter().take(STATEMENTS).map(measured).collect(),
        verification,
    }
}

fn measured(statement: &StatementChange) -> Measured<'_> {
    let mean = |mean: &Mean| {
        format!("{} in {}", duration(mean.ms), number(mean.calls.max(0.0) as usize, "call", "calls"))
    };
    let certain = if statement.certain { "" } else { ", within the noise" };
    Measured {
        text: &statement.text,
        before: mean(&statement.before),
        after: mean(&statement.after),
        change: format!("{}{certain}", change(statement.before.ms, statement.after.ms)),
    }
}

/// Whether both windows are long enough to speak of rows a day.
fn is_long(verification: &Verification) -> bool {
    let long = |seconds: Option<f64>| seconds.is_some_and(|seconds| seconds >= LONG_SECONDS);
    verification.windows.is_some_and(|windows| long(windows.before_seconds) && long(windows.after_seconds))
}

fn writes(change: &WriteChange) -> String {
    let rows = |rows: f64| count(rows.max(0.0));
    format!(
        "{} rows a day before, {} after; {} of the updates were HOT before, {} after.",
        rows(change.rows_per_day_before),
        rows(change.rows_per_day_after),
        percent(change.hot_before),
        percent(change.hot_after)
    )
}
