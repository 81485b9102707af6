//! What the functions have in common: reading arguments, running, and raising errors.

use crate::history::{self, History, Kept};
use crate::pg::isolated::PgError;
use crate::pg::session::{self, Quiet};
use crate::report::Report;
use crate::run::run;
use crate::settings::{self, Overrides, Settings};
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
    /// Whether the values can be used.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), PgError> {
        self.settings().map(drop)
    }

    /// The settings with these arguments in place of theirs.
    ///
    /// # Errors
    /// An argument or a setting that makes no sense.
    pub fn settings(&self) -> Result<Settings, PgError> {
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
    match crate::pg::scalar::look_up::<i64>("SELECT pg_catalog.pg_size_bytes($1)", &[text.into()]) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(budget_error(text)),
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

impl Arguments<'_> {
    /// What was given, by the names of the settings that it takes the place of.
    fn given(&self) -> Vec<(&'static str, String)> {
        [
            ("storage_budget", self.storage_budget.map(str::to_string)),
            ("max_indexes", self.max_indexes.map(|number| number.to_string())),
            ("min_saving", self.min_saving_percent.map(|percent| percent.to_string())),
            ("time_limit", self.time_limit.map(|limit| format!("{} s", seconds(limit)))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

fn seconds(interval: Interval) -> f64 {
    // A month as the server counts it for an interval's epoch, near enough for a time limit.
    f64::from(interval.months()) * 30.0 * 86_400.0
        + f64::from(interval.days()) * 86_400.0
        + interval.micros() as f64 / 1e6
}

/// A run over what pg_stat_statements recorded; raises what concerns the whole run.
pub fn run_on_recorded(arguments: &Arguments<'_>) -> Report {
    let report = arguments.settings().and_then(|mut settings| {
        let _quiet = Quiet::begin(settings.lock_timeout_ms);
        let workload = pg_stat_statements::read()?;
        // A history that cannot be read is no reason to give no advice.
        let unread = match history::dismissed(settings.lock_timeout_ms) {
            Ok(dismissed) => {
                settings.dismissed = dismissed;
                None
            }
            Err(error) => Some(format!("what was dismissed is not known: {}", error.message)),
        };
        let mut report = run(&workload, &settings)?;
        report.notes.extend(unread);
        Ok(report)
    });
    report.unwrap_or_else(|error| error.raise())
}

/// A run over what pg_stat_statements recorded that is kept, and told of where it has news. It stays with what the run before said
/// unless other indexes save `min_saving_to_change` more.
///
/// # Errors
/// What concerns the whole run; then nothing of it is kept.
pub fn run_and_keep(arguments: &Arguments<'_>, job: Option<&str>) -> Result<Kept, PgError> {
    let mut settings = arguments.settings()?;
    let _quiet = Quiet::begin(settings.lock_timeout_ms);
    let history = History::open(settings.lock_timeout_ms)?;
    let workload = pg_stat_statements::read()?;
    let snapshot = history.take_snapshot()?;
    settings.dismissed = history::dismissed(settings.lock_timeout_ms)?;
    settings.previous = history.standing()?;
    let report = run(&workload, &settings)?;
    let in_force = session::settings_in_force(&arguments.given())?;
    let kept = history.keep(report, snapshot, &session::user_name(), job, &in_force)?;
    if let Some(minutes) = settings::history_retention() {
        history.forget(minutes)?;
    }
    history.tell(&kept)?;
    Ok(kept)
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
