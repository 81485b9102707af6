//! History: what runs leave for later ones, in tables of the extension (`schema.sql`).
//!
//! Written as the owner of the tables, as part of the caller's transaction: a run that fails or is cancelled leaves nothing.

mod advice;
mod applied;
pub mod job_run;
pub mod jobs;
mod keep;
pub mod pg_cron;
mod retention;
mod snapshot;
mod sql;
mod tell;
mod verify;

pub use advice::{dismiss, dismissed, undismiss};
pub use keep::{Kept, report_of};
pub use verify::visible;

use crate::pg::identity::Identity;
use crate::pg::isolated::{PgError, reading_as, writing};
use crate::pg::session;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;

pgrx::extension_sql_file!("schema.sql", name = "history");

/// The tables that everything here rests on.
const TABLES: &str =
    "index_advisor.history_snapshot, index_advisor.history_statement, index_advisor.history_counter,
    index_advisor.history_table_counter, index_advisor.history_index, index_advisor.history_recommendation,
    index_advisor.history_run, index_advisor.history_advice, index_advisor.history_effect,
    index_advisor.history_verification";

/// The last of them that is created: where it is, all are.
const LAST_TABLE: &str = "index_advisor.history_verification";

/// The owner of our tables, as whom they are written.
struct Owner(Identity);

impl Owner {
    /// The owner of a table. On a standby, where nothing can be written, an error that says so in these words, with this hint.
    fn of(table: &str, lock_timeout_ms: i32, standby: &str, hint: &str) -> Result<Owner, PgError> {
        if session::is_standby() {
            return Err(PgError::new(ERRCODE_READ_ONLY_SQL_TRANSACTION, standby).with_hint(hint));
        }
        Identity::owner_of(table, lock_timeout_ms)?.map(Owner).ok_or_else(not_there)
    }

    /// Runs `work` as the owner; what it wrote is undone if it fails. Errors are said of the history.
    fn write<T>(&self, work: impl FnOnce() -> Result<T, PgError>) -> Result<T, PgError> {
        writing(&self.0, work).map_err(explained)
    }
}

/// The history of this database, open for writing.
pub struct History {
    owner: Owner,
}

impl History {
    /// Makes sure that the history can be written before any work is put into what would be written.
    ///
    /// # Errors
    /// A read-only transaction or a standby; tables that are locked, altered or from an older version.
    pub fn open(lock_timeout_ms: i32) -> Result<History, PgError> {
        let owner = Owner::of(
            LAST_TABLE,
            lock_timeout_ms,
            "a standby cannot keep a history of runs",
            "recommend() and report() give advice here and write nothing.",
        )?;
        owner.write(|| sql::execute(&format!("LOCK TABLE {TABLES} IN ROW EXCLUSIVE MODE"), &[]))?;
        Ok(History { owner })
    }
}

/// Reads as the owner of the history; None where there is none yet.
///
/// # Errors
/// Those of reading, said of the history.
pub fn reading<T>(
    lock_timeout_ms: i32,
    work: impl FnOnce() -> Result<T, PgError>,
) -> Result<Option<T>, PgError> {
    let Some(owner) = Identity::owner_of(LAST_TABLE, lock_timeout_ms)? else { return Ok(None) };
    reading_as(&owner, work).and_then(|outcome| outcome).map(Some).map_err(explained)
}

fn not_there() -> PgError {
    PgError::new(ERRCODE_UNDEFINED_TABLE, "this database has no tables for the history of runs").with_hint(
        "Run ALTER EXTENSION pg_index_advisor UPDATE; should that not help, create the extension anew.",
    )
}

/// Says of an error what it is about, and what to do.
fn explained(error: PgError) -> PgError {
    let what = match error.code {
        ERRCODE_LOCK_NOT_AVAILABLE => PgError::new(error.code, "the history of runs is locked by another session")
            .with_hint("Another run may be writing, or somebody altering the tables index_advisor.history_*; try again. pg_index_advisor.lock_timeout says how long to wait."),
        ERRCODE_READ_ONLY_SQL_TRANSACTION => PgError::new(error.code, "a run cannot be kept in a read-only transaction")
            .with_hint("recommend() and report() give the same advice and write nothing."),
        ERRCODE_UNDEFINED_COLUMN | ERRCODE_UNDEFINED_TABLE | ERRCODE_DATATYPE_MISMATCH | ERRCODE_NOT_NULL_VIOLATION
        | ERRCODE_CHECK_VIOLATION | ERRCODE_WRONG_OBJECT_TYPE | ERRCODE_UNDEFINED_FUNCTION => {
            PgError::new(error.code, format!("the history of runs cannot be used as it is: {}", error.message)).with_hint(
                "Its tables index_advisor.history_* seem to have been altered. Undo that, or drop and create the extension.",
            )
        }
        _ => return error,
    };
    PgError { detail: error.detail.or(Some(error.message)), ..what }
}
