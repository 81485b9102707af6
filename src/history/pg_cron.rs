//! pg_cron as a runner of jobs: whether this server has it and where, and its own row for a job of ours.
//!
//! Facts are those of pg_cron 1.4 to 1.6: there is one database with its tables (`cron.database_name`), where alone jobs can be
//! scheduled, also for other databases; its times are those of GMT or, from 1.5 on, of `cron.timezone`.

use super::jobs::{Job, command};
use super::sql::{execute, rows, value};
use crate::pg::elsewhere;
use crate::pg::identity::Identity;
use crate::pg::isolated::{PgError, writing};
use crate::pg::scalar;
use crate::pg::session;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT;

/// Where pg_cron is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this database.
    Here,
    /// Its tables are to be in this database, but nobody has created the extension.
    NotCreated,
    /// In the database of this name.
    There(String),
}

/// pg_cron in this server; None where it is not loaded.
///
/// # Errors
/// Those of a catalog query.
pub fn place() -> Result<Option<Place>, PgError> {
    let Some(database) = scalar::setting("cron.database_name") else { return Ok(None) };
    if database != session::database_name() {
        return Ok(Some(Place::There(database)));
    }
    let created = scalar::look_up::<bool>(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron')",
        &[],
    )?;
    Ok(Some(if created == Some(true) { Place::Here } else { Place::NotCreated }))
}

/// The time zone of its schedules.
pub fn time_zone() -> String {
    scalar::setting("cron.timezone").filter(|zone| !zone.is_empty()).unwrap_or_else(|| "GMT".to_string())
}

/// What pg_cron calls a job of this database.
fn title(job: &str) -> String {
    format!("index_advisor {} {job}", session::database_name())
}

/// Schedules a job as the caller, in place of one of the same name.
///
/// # Errors
/// Those of pg_cron: no USAGE on its schema, an expression that it does not read.
pub fn schedule(job: &Job) -> Result<(), PgError> {
    writing(&Identity::reader(), || {
        execute(
            "SELECT cron.schedule($1::text, $2::text, $3::text)",
            &[title(&job.name).into(), job.schedule.as_str().into(), command(&job.name).into()],
        )
        .map(drop)
    })
}

/// Schedules a job from another database than pg_cron's, as the caller.
///
/// # Errors
/// If that database cannot be reached, or the caller may not call `cron.schedule_in_database`.
pub fn schedule_from_elsewhere(job: &Job, database: &str) -> Result<(), PgError> {
    execute_there(database, &statement_elsewhere(job))
}

/// Takes a job from pg_cron's list from another database.
///
/// # Errors
/// As `schedule_from_elsewhere`.
pub fn unschedule_from_elsewhere(job: &Job, database: &str) -> Result<(), PgError> {
    execute_there(database, &removal_elsewhere(job))
}

fn execute_there(database: &str, statement: &str) -> Result<(), PgError> {
    // The schema `cron` is the extension's only where the extension is: else anybody's functions could be in it.
    match elsewhere::execute(database, "SELECT FROM pg_extension WHERE extname = 'pg_cron'")? {
        0 => Err(PgError::new(ERRCODE_UNDEFINED_OBJECT, "pg_cron is not created there")),
        _ => elsewhere::execute(database, statement).map(drop),
    }
}

/// The statement that schedules a job from pg_cron's own database.
pub fn statement_elsewhere(job: &Job) -> String {
    let literal = scalar::quote_literal;
    format!(
        "SELECT cron.schedule_in_database({}, {}, {}, {}, {})",
        literal(&title(&job.name)),
        literal(&job.schedule),
        literal(&command(&job.name)),
        literal(&session::database_name()),
        literal(&job.owner)
    )
}

/// The statement that takes that back.
pub fn removal_elsewhere(job: &Job) -> String {
    format!(
        "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = {}",
        scalar::quote_literal(&title(&job.name))
    )
}

/// Takes a job from pg_cron's list; nothing if it is not there.
///
/// # Errors
/// Those of pg_cron.
pub fn unschedule(job: &Job) -> Result<(), PgError> {
    writing(&Identity::reader(), || {
        let known = rows(
            "SELECT jobid FROM cron.job WHERE jobname = $1 AND username = $2",
            &[title(&job.name).into(), job.owner.as_str().into()],
            |row| row["jobid"].value::<i64>(),
        )?;
        for id in known.into_iter().flatten() {
            value::<bool>("SELECT cron.unschedule($1::bigint)", &[id.into()])?;
        }
        Ok(())
    })
}
