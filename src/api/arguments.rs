//! What the functions have in common: reading arguments, running, and raising errors.

use crate::pg::isolated::PgError;
use crate::report::Report;
use crate::run::run;
use crate::settings::{Overrides, Settings};
use crate::source::pg_stat_statements;
use crate::workload::{Role, Statement, Workload};
use pgrx::datum::Interval;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;

/// The arguments that every advising function takes; NULL means the setting.
#[derive(Default)]
pub struct Arguments<'a> {
    pub storage_budget: Option<&'a str>,
    pub max_indexes: Option<i32>,
    pub min_saving_percent: Option<f64>,
    pub time_limit: Option<Interval>,
    pub previous: Option<Vec<Option<String>>>,
}

impl Arguments<'_> {
    fn settings(&self) -> Result<Settings, PgError> {
        let overrides = Overrides {
            storage_budget: self.storage_budget.map(bytes).transpose()?,
            max_indexes: self.max_indexes,
            min_saving_percent: self.min_saving_percent,
            time_limit_seconds: self.time_limit.map(seconds),
            previous: self.previous.iter().flatten().flatten().cloned().collect(),
        };
        Settings::read(&overrides)
    }
}

/// A size as pg_size_bytes reads it.
fn bytes(text: &str) -> Result<i64, PgError> {
    let bytes = crate::pg::isolated::reading(|| {
        crate::pg::scalar::first::<i64>("SELECT pg_catalog.pg_size_bytes($1)", &[text.into()])
    });
    match bytes {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(_) => Err(budget_error(text)),
        Err(error) if error.code == pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_QUERY_CANCELED => {
            Err(error)
        }
        Err(_) => Err(budget_error(text)),
    }
}

fn budget_error(text: &str) -> PgError {
    PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, format!("storage_budget \"{text}\" is not a size"))
        .with_hint("Give a number with a unit, such as '500MB' or '2 GB'; '0' means no limit.")
}

fn seconds(interval: Interval) -> f64 {
    // A month as the server counts it for an interval's epoch, near enough for a time limit.
    f64::from(interval.months()) * 30.0 * 86_400.0
        + f64::from(interval.days()) * 86_400.0
        + interval.micros() as f64 / 1e6
}

/// A run over what pg_stat_statements recorded; raises what concerns the whole run.
pub fn run_on_recorded(arguments: &Arguments<'_>) -> Report {
    let report = arguments.settings().and_then(|settings| {
        let workload = {
            let _quiet = crate::pg::session::Quiet::begin(settings.lock_timeout_ms);
            pg_stat_statements::read()?
        };
        run(&workload, &settings)
    });
    report.unwrap_or_else(|error| error.raise())
}

/// Tells the caller what a table of rows has no place for.
pub fn noted(report: Report) -> Report {
    for note in &report.notes {
        pgrx::notice!("{note}");
    }
    report
}

/// A run over one statement of the caller's.
pub fn run_on_text(text: &str, arguments: &Arguments<'_>) -> Report {
    let report = arguments.settings().and_then(|settings| {
        let workload = Workload {
            source: "one statement".to_string(),
            window_seconds: None,
            evicted: 0,
            statements: vec![Statement {
                query_id: None,
                text: text.to_string(),
                role: Role { oid: 0, name: None },
                calls: 1.0,
                total_ms: 1.0,
                rows: None,
                blocks_hit: 0.0,
                blocks_read: 0.0,
            }],
        };
        run(&workload, &settings)
    });
    report.unwrap_or_else(|error| error.raise())
}
