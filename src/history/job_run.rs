//! Running a job: a run that is kept, then the verification of what was advised before; how it ended stands in the job's row.

use super::jobs::{Ending, Job, Jobs, Runner, Started};
use super::sql::{rows, value};
use crate::pg::clock;
use crate::pg::isolated::{PgError, attempting};
use crate::pg::job_lock::{self, Until};
use crate::pg::session;
use crate::schedule::next_start;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;

/// Runs a job of the caller's now, as part of the caller's transaction; says what came of it.
///
/// That the run itself fails is no error: it is kept in the job's row, and a warning.
///
/// # Errors
/// If there is no such job, if it is somebody else's or is being run, if its row cannot be written. A cancel ends all of it.
pub fn run_now(name: &str, lock_timeout_ms: i32) -> Result<String, PgError> {
    let jobs = Jobs::open(lock_timeout_ms)?;
    let job = jobs.find(name)?.ok_or_else(|| unknown(name))?;
    let caller = session::user_name();
    if job.owner != caller {
        return Err(PgError::new(
            ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("job \"{name}\" belongs to role \"{}\"", job.owner),
        )
        .with_hint("A job is run as its owner: use SET ROLE."));
    }
    if !job_lock::take(&jobs, name, Until::EndOfTransaction)? {
        let by = job_lock::holder(&jobs, name)?.map(|pid| format!(" by process {pid}")).unwrap_or_default();
        return Err(PgError::new(ERRCODE_OBJECT_IN_USE, format!("job \"{name}\" is being run{by}"))
            .with_hint("The view index_advisor.progress shows where it is."));
    }
    let next = if job.runner == Runner::PgCron { next_of(&job) } else { None };
    let started = Started { at: clock::timestamp(), next };
    let ending = run_and_verify(&job);
    jobs.end(name, Some(started), &ending)?;
    let summary = ending.summary.unwrap_or_default();
    let Some(error) = ending.error else {
        return Ok(format!("run {}: {summary}", ending.run.unwrap_or_default()));
    };
    pgrx::warning!("job \"{name}\" failed: {error}");
    Ok(format!("failed: {error}"))
}

fn run_and_verify(job: &Job) -> Ending {
    let mut ending = Ending::default();
    let run = attempting(|| {
        rows(
            "SELECT run, summary FROM index_advisor.run(storage_budget => $1, max_indexes => $2, min_saving_percent => $3,
                                                        time_limit => $4, job => $5)",
            &[
                job.storage_budget.as_deref().into(),
                job.max_indexes.into(),
                job.min_saving_percent.into(),
                job.time_limit.into(),
                job.name.as_str().into(),
            ],
            |row| Ok((row["run"].value::<i64>()?, row["summary"].value::<String>()?)),
        )
    });
    match run {
        Ok(rows) => (ending.run, ending.summary) = rows.into_iter().next().unwrap_or_default(),
        Err(error) => ending.error = Some(in_words(&error)),
    }
    // What was advised before can be looked at whether or not there is new advice.
    let verified = attempting(|| value::<i64>("SELECT pg_catalog.count(*) FROM index_advisor.verify()", &[]));
    if let Err(error) = verified {
        let verify = format!("verify(): {}", in_words(&error));
        ending.error = Some(ending.error.map_or(verify.clone(), |run| format!("{run}; {verify}")));
    }
    ending
}

fn in_words(error: &PgError) -> String {
    let more = [&error.detail, &error.hint].into_iter().flatten();
    more.fold(error.message.clone(), |words, more| format!("{words}. {}", more.trim_end_matches('.')))
}

/// When pg_cron will start a job next, as far as can be reckoned here.
fn next_of(job: &Job) -> Option<i64> {
    let (schedule, zone) = job.times().ok()?;
    next_start(&schedule, &zone, clock::now(), None)
}

/// There is no job of this name.
fn unknown(name: &str) -> PgError {
    PgError::new(ERRCODE_UNDEFINED_OBJECT, format!("there is no job \"{name}\" in this database"))
        .with_hint("The view index_advisor.jobs has those that you may see.")
}
