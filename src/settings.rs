//! Settings `pg_index_advisor.*`, and `Settings`: their values, read once per run and checked.

pub mod names;

use crate::candidate;
use crate::candidate::definition::AccessMethod;
use crate::catalog::{Catalog, Oid};
use crate::pg::isolated::PgError;
use crate::pg::left_alone::{self, LeftAlone};
use crate::pg::list_setting::{self, Kind};
use crate::report::ReportLimits;
use crate::selection::Limits;
use names::Name;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::time::Duration;

static STORAGE_BUDGET: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_INDEXES: GucSetting<i32> = GucSetting::<i32>::new(50);
static MAX_INDEXES_PER_TABLE: GucSetting<i32> = GucSetting::<i32>::new(0);
static MIN_SAVING: GucSetting<f64> = GucSetting::<f64>::new(0.1);
static MIN_SAVING_PER_DAY: GucSetting<i32> = GucSetting::<i32>::new(0);
static MIN_SAVING_TO_CHANGE: GucSetting<f64> = GucSetting::<f64>::new(2.0);
static EXCLUDE_TABLES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EXCLUDE_SCHEMAS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static ACCESS_METHODS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static MAX_SLOWDOWN: GucSetting<f64> = GucSetting::<f64>::new(20.0);
static MAX_SLOWDOWN_PRICE: GucSetting<f64> = GucSetting::<f64>::new(5.0);
static TIME_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static STATEMENT_TIME_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(2_000);
static LOCK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(1_000);
static COVER: GucSetting<f64> = GucSetting::<f64>::new(99.0);
static MAX_STATEMENTS: GucSetting<i32> = GucSetting::<i32>::new(1_000);
static MAX_STATEMENT_LENGTH: GucSetting<i32> = GucSetting::<i32>::new(256 * 1024);
static MAX_KEY_COLUMNS: GucSetting<i32> = GucSetting::<i32>::new(4);
static SAMPLE_PAGES: GucSetting<i32> = GucSetting::<i32>::new(300);
static HISTORY_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(129_600);
static HYPOTHETICAL_INDEXES: GucSetting<bool> = GucSetting::<bool>::new(true);
static PROGRESS: GucSetting<bool> = GucSetting::<bool>::new(false);
static WORKER: GucSetting<bool> = GucSetting::<bool>::new(true);
static MAX_JOBS: GucSetting<i32> = GucSetting::<i32>::new(2);

/// A statement whose cost falls by less than this share counts as unchanged: add_path (pathnode.c) treats paths within
/// 1 % (`STD_FUZZ_FACTOR`) as equal, so smaller differences may be chance.
const NOISE: f64 = 0.015;

/// Whether EXPLAIN sees the indexes made and hidden by hand; asked at each EXPLAIN.
pub fn hypothetical_indexes() -> bool {
    HYPOTHETICAL_INDEXES.get()
}

/// How long runs are kept, minutes; 0 keeps the newest only, None all.
pub fn history_retention() -> Option<i32> {
    Some(HISTORY_RETENTION.get()).filter(|minutes| *minutes >= 0)
}

/// Whether a run tells its caller in notices where it is.
pub fn progress_notices() -> bool {
    PROGRESS.get()
}

/// Whether the background worker starts jobs.
pub fn worker() -> bool {
    WORKER.get()
}

/// Jobs that the background worker runs at once, on the whole server.
pub fn max_jobs() -> usize {
    MAX_JOBS.get().max(1) as usize
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
    /// None for no limit.
    pub max_indexes_per_table: Option<usize>,
    /// Least saving of an index, share of the examined time (0 to 1).
    pub min_saving: f64,
    /// The same in milliseconds a day; 0 for none.
    pub min_saving_per_day: f64,
    /// What a recommendation has to save more than the previous one to take its place, share of the examined time.
    pub min_saving_to_change: f64,
    /// Tables, and schemas with all their tables, that get no index.
    pub exclude_tables: Vec<Name>,
    pub exclude_schemas: Vec<String>,
    pub access_methods: BTreeSet<AccessMethod>,
    /// CREATE INDEX statements of the previous recommendation.
    pub previous: Vec<String>,
    /// CREATE INDEX statements, without CONCURRENTLY, that are not to be recommended again.
    pub dismissed: BTreeSet<String>,
    /// Most that a statement may get slower, as a share; None to accept any and show it.
    pub slowdown: Option<f64>,
    /// How many times what such statements lose may be given up to keep to that; infinite for any.
    pub slowdown_price: f64,
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
    /// CREATE INDEX statements of the previous recommendation.
    pub previous: Vec<String>,
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
        let per_table = MAX_INDEXES_PER_TABLE.get() as usize;
        Ok(Settings {
            storage_budget: (budget > 0).then_some(budget),
            max_indexes: max_indexes as usize,
            max_indexes_per_table: (per_table > 0).then_some(per_table),
            min_saving: min_saving / 100.0,
            min_saving_per_day: f64::from(MIN_SAVING_PER_DAY.get()),
            min_saving_to_change: MIN_SAVING_TO_CHANGE.get() / 100.0,
            exclude_tables: list("exclude_tables", &EXCLUDE_TABLES, names::tables)?,
            exclude_schemas: list("exclude_schemas", &EXCLUDE_SCHEMAS, names::schemas)?,
            access_methods: list("access_methods", &ACCESS_METHODS, names::access_methods)?,
            previous: overrides.previous.clone(),
            dismissed: BTreeSet::new(),
            slowdown: (MAX_SLOWDOWN.get() >= 0.0).then(|| MAX_SLOWDOWN.get() / 100.0),
            slowdown_price: Some(MAX_SLOWDOWN_PRICE.get())
                .filter(|price| *price >= 0.0)
                .unwrap_or(f64::INFINITY),
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
    /// Which relations of a catalog get no index.
    ///
    /// # Errors
    /// Those of the catalog queries.
    pub fn left_alone(&self, catalog: &Catalog) -> Result<LeftAlone, PgError> {
        let relations: Vec<Oid> = catalog.relations.keys().copied().collect();
        left_alone::among(&relations, &self.exclude_tables, &self.exclude_schemas, self.lock_timeout_ms)
    }

    /// How far candidate generation goes.
    pub fn candidate_options(&self, left_alone: &LeftAlone) -> candidate::Options {
        candidate::Options {
            max_key_columns: self.max_key_columns,
            access_methods: self.access_methods.clone(),
            left_alone: left_alone.relations.clone(),
            ..candidate::Options::default()
        }
    }

    /// The limits of selection. A saving a day counts only where the length of the observed window is known.
    pub fn limits(&self, window_seconds: Option<f64>) -> Limits {
        Limits {
            storage_bytes: self.storage_budget,
            max_indexes: self.max_indexes,
            max_indexes_per_table: self.max_indexes_per_table,
            min_gain: self.min_saving,
            min_gain_ms: window_seconds.map_or(0.0, |_| self.min_saving_per_day),
            min_change: self.min_saving_to_change,
            noise: self.noise,
            slowdown: self.slowdown,
            slowdown_price: self.slowdown_price,
            ..Limits::default()
        }
    }

    /// The limits as the report shows them.
    pub fn report_limits(&self, limits: &Limits, catalog: &Catalog, left_alone: &LeftAlone) -> ReportLimits {
        let left_alone = left_alone.relations.iter().filter_map(|oid| catalog.relations.get(oid));
        let mut left_alone: Vec<String> = left_alone.map(|relation| relation.sql_name.clone()).collect();
        left_alone.sort();
        let all = self.access_methods.len() == AccessMethod::ALL.len();
        let methods = || self.access_methods.iter().map(|method| method.name().to_string()).collect();
        ReportLimits {
            storage_bytes: limits.storage_bytes,
            max_indexes: limits.max_indexes,
            max_indexes_per_table: limits.max_indexes_per_table,
            min_saving: limits.min_gain,
            min_saving_ms_per_day: (limits.min_gain_ms > 0.0).then_some(limits.min_gain_ms),
            access_methods: (!all).then(methods),
            left_alone,
            slowdown: limits.slowdown,
        }
    }
}

/// A list of names that was checked when it was set; one set before the library was loaded is checked then.
fn list<T>(
    name: &str,
    setting: &GucSetting<Option<CString>>,
    read: fn(&str) -> Result<T, String>,
) -> Result<T, PgError> {
    let text = setting.get().unwrap_or_default();
    read(&text.to_string_lossy()).map_err(|refusal| {
        let mut error = invalid(&format!("pg_index_advisor.{name} cannot be read"), "See its description.");
        error.detail = Some(refusal);
        error
    })
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
    GucRegistry::define_int_guc(
        c"pg_index_advisor.max_indexes_per_table",
        c"Most indexes to recommend on one table at once.",
        c"0 means no limit. Existing indexes do not count; a partition is a table of its own.",
        &MAX_INDEXES_PER_TABLE,
        0,
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
    GucRegistry::define_float_guc(
        c"pg_index_advisor.max_slowdown",
        c"Most that recommended indexes may slow a statement down, in per cent of its cost.",
        c"By the planner's cost and by the cost with all pages in memory. -1 means that any slowdown is accepted and shown.",
        &MAX_SLOWDOWN,
        -1.0,
        10_000.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"pg_index_advisor.max_slowdown_price",
        c"How many times what slower statements lose may be given up to keep to max_slowdown.",
        c"Where it would cost the others more, the statements may get slower and the report says so. -1 means that max_slowdown is always kept to.",
        &MAX_SLOWDOWN_PRICE,
        -1.0,
        1_000_000.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.min_saving_per_day",
        c"Least saving that makes an index worth recommending, in time a day.",
        c"0 means that min_saving alone decides; otherwise an index must save both.",
        &MIN_SAVING_PER_DAY,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_float_guc(
        c"pg_index_advisor.min_saving_to_change",
        c"What other indexes must save more than the previous recommendation to take its place, in per cent of the \
          examined time.",
        c"Counts only where a previous recommendation is given.",
        &MIN_SAVING_TO_CHANGE,
        0.0,
        100.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    list_setting::define(
        c"pg_index_advisor.exclude_tables",
        c"Tables that get no index.",
        c"Their statements count all the same. Names without a schema are looked for on the search path.",
        &EXCLUDE_TABLES,
        Kind::Tables,
    );
    list_setting::define(
        c"pg_index_advisor.exclude_schemas",
        c"Schemas whose tables get no index.",
        c"* stands for any characters.",
        &EXCLUDE_SCHEMAS,
        Kind::Schemas,
    );
    list_setting::define(
        c"pg_index_advisor.access_methods",
        c"Access methods that a recommended index may have.",
        c"Empty means all.",
        &ACCESS_METHODS,
        Kind::AccessMethods,
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
    GucRegistry::define_int_guc(
        c"pg_index_advisor.history_retention",
        c"How long runs and counters are kept.",
        c"0 keeps the newest run only, -1 all. Recommendations and verdicts stay.",
        &HISTORY_RETENTION,
        -1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_bool_guc(
        c"pg_index_advisor.hypothetical_indexes",
        c"Whether EXPLAIN in this session sees the indexes made by create_hypothetical_index().",
        c"Off, it also sees the indexes hidden by hide_index(). Definitions are kept.",
        &HYPOTHETICAL_INDEXES,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"pg_index_advisor.progress",
        c"Whether a run tells in notices where it is.",
        c"Other sessions see it in the view index_advisor.progress, where the library is preloaded.",
        &PROGRESS,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"pg_index_advisor.worker",
        c"Whether the background worker starts jobs.",
        c"There is one where the library is in shared_preload_libraries.",
        &WORKER,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_index_advisor.max_jobs",
        c"Most jobs that the background worker runs at once.",
        c"One in a database at a time. Each takes one of max_worker_processes, and one more is needed to look for jobs.",
        &MAX_JOBS,
        1,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
    crate::pg::reserve_settings_prefix();
}
