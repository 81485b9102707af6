//! `About`: what a report rests on and what to do with it, as every renderer says it.
//!
//! Sentences; lays nothing out.

use super::Report;
use super::format::{duration, number};
use super::limits::in_words;

/// Sentences about the run.
pub struct About {
    /// Where and when, of what, with how much work.
    pub run: String,
    pub limits: String,
    pub notes: Vec<String>,
    /// How to go on, and the command for it in psql; None where there is nothing to create.
    pub next: Option<(&'static str, &'static str)>,
}

/// The heading of what is said here.
pub const TITLE: &str = "About this report";

/// What there is to say about a run.
pub fn about(report: &Report) -> About {
    let window = match report.window_seconds {
        Some(seconds) => format!(", observed for {}", duration(seconds * 1000.0)),
        None => String::new(),
    };
    let kept = report.past.as_ref().map_or_else(String::new, |past| format!(" This is run {}.", past.run));
    let run = format!(
        "Database {} on PostgreSQL {}, {}. Workload: {}{window}. {} considered with {} in {}.{kept}",
        report.database,
        report.server_version,
        report.made_at,
        report.source,
        number(report.candidates, "candidate index", "candidate indexes"),
        number(report.search.planner_calls as usize, "planner call", "planner calls"),
        duration(report.elapsed_ms)
    );
    let next = (
        "Nothing has been created. Create one index, measure, then ask again; in psql, with the arguments of this \
         report if it had any, and outside a transaction block because of CONCURRENTLY:",
        "SELECT ddl FROM index_advisor.recommend() WHERE rank = 1 \\gexec",
    );
    About {
        run,
        limits: in_words(&report.limits),
        notes: report.notes.iter().map(|note| format!("Note: {note}.")).collect(),
        next: (!report.recommendations.is_empty()).then_some(next),
    }
}

/// The title of the whole.
pub fn title(report: &Report) -> String {
    format!("Index advice for database {}", report.database)
}
