//! Settings `pg_index_advisor.*`, and `Settings`: their values, read once per run and checked.

use crate::candidate;
use crate::pg::isolated::PgError;
use crate::report::ReportLimits;
use crate::selection::Limits;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::time::Duration;

static STORAGE_BUDGET: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_INDEXES: GucSetting<i32> = GucSetting::<i32>::new(20);
static MIN_SAVING: GucSetting<f64> = GucSetting::<f64>::new(1.0);
static TIME_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static STATEMENT_TIME_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(2_000);
static LOCK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(1_000);
static COVER: GucSetting<f64> = GucSetting::<f64>::new(99.0);
static MAX_STATEMENTS: GucSetting<i32> = GucSetting::<i32>::new(1_000);
static MAX_STATEMENT_LENGTH: GucSetting<i32> = GucSetting::<i32>::new(256 * 1024);
static MAX_KEY_COLUMNS: GucSetting<i32> = GucSetting::<i32>::new(4);
static SAMPLE_PAGES: GucSetting<i32> = GucSetting::<i32>::new(300);
static HYPOTHETICAL_INDEXES: GucSetting<bool> = GucSetting::<bool>::new(true);

/// A statement whose cost falls by less than this share counts as unchanged: add_path (pathnode.c) treats paths within
/// 1 % (`STD_FUZZ_FACTOR`) as equal, so smaller differences may be chance.
const NOISE: f64 = 0.015;

/// Whether EXPLAIN sees the indexes made and hidden by hand; asked at each EXPLAIN.
pub fn hypothetical_indexes() -> bool {
    HYPOTHETICAL_INDEXES.get()
}

/// Longest wait for a lock, milliseconds.
pub fn lock_timeout_ms() -> i32 {
    LOCK_TIMEOUT.get()
}

/// What the planner may take for one statement in a run; None for no limit.
pub fn statement_time_limit() -> Option<Duration> {
    let milliseconds = STATEMENT_TIME_LIMIT.get().max(0) as u64;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

/// What limits a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes that the recommended indexes may take together; None for no limit.
    pub storage_budget: Option<u64>,
    pub max_indexes: usize,
    /// Least saving of an index, share of the examined time (0 to 1).
    pub min_saving: f64,
    /// Cost reductions below this share are taken for none.
    pub noise: f64,
    pub time_limit: Option<Duration>,
    /// What the planner may take for one statement in all.
    pub statement_time_limit: Option<Duration>,
    pub lock_timeout_ms: i32,
    /// Share of total time to examine, 0 to 1.
    pub cover: f64,
    pub max_statements: usize,
    pub max_statement_length: usize,
    pub max_key_columns: usize,
}

/// Most pages of a table that a sample of its rows reads; 0 for no sample.
pub fn sample_pages() -> u32 {
    SAMPLE_PAGES.get().max(0) as u32
}

/// What a call says in place of the settings; None keeps the setting.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Bytes; 0 for no limit.
    pub storage_budget: Option<i64>,
    pub max_indexes: Option<i32>,
    pub min_saving_percent: Option<f64>,
    /// Seconds; 0 for no limit.
    pub time_limit_seconds: Option<f64>,
}

impl Settings {
    /// The settings in force, with a call's own values in place of theirs.
    ///
    /// # Errors
    /// A value out of range, named.
    pub fn read(overrides: &Overrides) -> Result<Settings, PgError> {
        let budget = match overrides.storage_budget {
            Some(bytes) if bytes < 0 => {
                return Err(invalid(
                    "storage_budget must not be negative",
                    "Give a size such as '500MB'; '0' means no limit.",
                ));
            }
            Some(bytes) => bytes as u64,
            None => STORAGE_BUDGET.get() as u64 * 1024 * 1024,
        };
        let max_indexes = overrides.max_indexes.unwrap_or(MAX_INDEXES.get());
        if max_indexes < 1 {
            return Err(invalid(
                "max_indexes must be at least 1",
                "Leave it out for the setting pg_index_advisor.max_indexes.",
            ));
        }
        let min_saving = overrides.min_saving_percent.unwrap_or(MIN_SAVING.get());
        if !(0.0..=100.0).contains(&min_saving) {
            return Err(invalid(
                "min_saving_percent must be between 0 and 100",
                "It is a share of the examined time in per cent.",
            ));
        }
        let seconds = overrides.time_limit_seconds.unwrap_or(f64::from(TIME_LIMIT.get()) / 1000.0);
        if !(0.0..=1e9).contains(&seconds) {
            return Err(invalid(
                "time_limit must not be negative",
                "Give an interval such as '30 s'; '0' means no limit.",
            ));
        }
        Ok(Settings {
            storage_budget: (budget > 0).then_some(budget),
            max_indexes: max_indexes as usize,
            min_saving: min_saving / 100.0,
            noise: NOISE,
            time_limit: (seconds > 0.0).then(|| Duration::from_secs_f64(seconds)),
            statement_time_limit: statement_time_limit(),
            lock_timeout_ms: LOCK_TIMEOUT.get(),
            cover: COVER.get() / 100.0,
            max_statements: MAX_STATEMENTS.get() as usize,
            max_statement_length: MAX_STATEMENT_LENGTH.get() as usize,
            max_key_columns: MAX_KEY_COLUMNS.get() as usize,
        })
    }
}

impl Settings {
    /// How far candidate generation goes.
    pub fn candidate_options(&self) -> candidate::Options {
        candidate::Options { max_key_columns: self.max_key_columns, ..candidate::Options::default() }
    }

    /// The limits of selection.
    pub fn limits(&self) -> Limits {
        Limits {
            storage_bytes: self.storage_budget,
            max_indexes: self.max_indexes,
            min_gain: self.min_saving,
            noise: self.noise,
        }
    }

    /// The limits as the report shows them.
    pub fn report_limits(&self) -> ReportLimits {
        ReportLimits {
            storage_bytes: self.storage_budget,
            max_indexes: self.max_indexes,
            min_saving: self.min_saving,
        }
    }
}

fn invalid(message: &str, hint: &str) -> PgError {
    PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, message).with_hint(hint)
}

/// Defines the settings; once, by `_PG_init`.
pub fn define() {
    GucRegistry::define_int_guc(
        c"pg_index_advisor.storage_budget",
        c"Space that the recommended indexes may take together.",
        c"0 means no limit.",
        &STORAGE_BUDGET,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.max_indexes",
        c"Most indexes to recommend at once.",
        c"",
        &MAX_INDEXES,
        1,
        1000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"pg_index_advisor.min_saving",
        c"Least saving that makes an index worth recommending, in per cent of the examined time.",
        c"The saving counts net of what the index costs when rows are written.",
        &MIN_SAVING,
        0.0,
        100.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.time_limit",
        c"Time after which a run answers with the best it has found.",
        c"0 means no limit.",
        &TIME_LIMIT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.statement_time_limit",
        c"Time that the planner may take for one statement in a run.",
        c"A statement that has had it is planned once more, with the indexes recommended. 0 means no limit.",
        &STATEMENT_TIME_LIMIT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.lock_timeout",
        c"Longest wait for a lock on a table of the workload.",
        c"A statement whose table stays locked is left out. A shorter lock_timeout of the session wins.",
        &LOCK_TIMEOUT,
        1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_float_guc(
        c"pg_index_advisor.cover",
        c"Share of the workload's total time to examine, in per cent, heaviest statements first.",
        c"Statements that write are examined in any case: they decide what an index costs.",
        &COVER,
        1.0,
        100.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.max_statements",
        c"Most statements to examine in a run.",
        c"",
        &MAX_STATEMENTS,
        1,
        100_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.max_statement_length",
        c"Longer statements are left out.",
        c"",
        &MAX_STATEMENT_LENGTH,
        100,
        16 * 1024 * 1024,
        GucContext::Userset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.max_key_columns",
        c"Most key columns of a recommended index.",
        c"",
        &MAX_KEY_COLUMNS,
        1,
        16,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.sample_pages",
        c"Most pages of a table to read for sizes and statistics of expressions that only rows can tell.",
        c"0 means that no row is read.",
        &SAMPLE_PAGES,
        0,
        1_000_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"pg_index_advisor.hypothetical_indexes",
        c"Whether EXPLAIN in this session sees the indexes made by create_hypothetical_index().",
        c"Off, it also sees the indexes hidden by hide_index(). Definitions are kept.",
        &HYPOTHETICAL_INDEXES,
        GucContext::Userset,
        GucFlags::default(),
    );
    crate::pg::reserve_settings_prefix();
}
