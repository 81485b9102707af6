//! `Job`: a run that comes by itself, as `history_job` keeps it. Reads and writes its row; decides nothing.

use super::Owner;
use super::sql::{execute, rows, value};
use crate::pg::clock::ServerZone;
use crate::pg::isolated::PgError;
use crate::pg::scalar::{self, Fields};
use crate::schedule::Timing;
use crate::schedule::cron::Schedule;
use pgrx::datum::{DatumWithOid, Interval, TimestampWithTimeZone};
use pgrx::spi::{SpiHeapTupleData, SpiResult};

pgrx::extension_sql_file!("jobs.sql", name = "jobs", requires = ["history"]);

const TABLE: &str = "index_advisor.history_job";

/// Who starts a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    PgCron,
    /// The extension's own background worker.
    Worker,
}

impl Runner {
    /// As the table and the users know it.
    pub fn name(self) -> &'static str {
        match self {
            Runner::PgCron => "pg_cron",
            Runner::Worker => "worker",
        }
    }

    /// The runner of this name.
    pub fn of(name: &str) -> Option<Runner> {
        [Runner::PgCron, Runner::Worker].into_iter().find(|runner| runner.name() == name)
    }
}

/// A scheduled run.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    /// A cron expression and the time zone that it is of.
    pub schedule: String,
    pub time_zone: String,
    pub runner: Runner,
    /// The role that it runs as; by name, as a dump keeps it.
    pub owner: String,
    pub storage_budget: Option<String>,
    pub max_indexes: Option<i32>,
    pub min_saving_percent: Option<f64>,
    pub time_limit: Option<Interval>,
    pub timing: Timing,
}

impl Job {
    /// What its row says of its times, or why it cannot be understood: it was altered, or restored on another server.
    ///
    /// # Errors
    /// A schedule that cannot be read, a time zone that this server does not know; in words.
    pub fn times(&self) -> Result<(Schedule, ServerZone), String> {
        let schedule = Schedule::read(&self.schedule)
            .map_err(|why| format!("the schedule \"{}\": {why}", self.schedule))?;
        let zone = ServerZone::named(&self.time_zone)
            .ok_or_else(|| format!("this server knows no time zone \"{}\"", self.time_zone))?;
        Ok((schedule, zone))
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// None where it ended well.
    pub error: Option<String>,
    /// The kept run, of the view `runs`; there may be one although what came after it failed.
    pub run: Option<i64>,
    pub summary: Option<String>,
}

/// When a run began, where that was not kept then: not to lock the job's row while it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    pub at: TimestampWithTimeZone,
    /// When the next will begin, Unix seconds, where that is not kept yet.
    pub next: Option<i64>,
}

/// The jobs of this database.
pub struct Jobs {
    owner: Owner,
}

impl Jobs {
    /// Whether this database has the extension, in a version that knows jobs, and nobody but its owner, a superuser, can have
    /// put anything into its schema: what is found there is started as whoever the table says.
    ///
    /// # Errors
    /// Those of a catalog query.
    pub fn can_be_trusted() -> Result<bool, PgError> {
        let found = scalar::look_up::<bool>(
            "SELECT EXISTS (
                 SELECT FROM pg_catalog.pg_extension AS e
                   JOIN pg_catalog.pg_roles AS r ON r.oid = e.extowner AND r.rolsuper
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace AND n.nspowner = e.extowner
                   JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
                    AND d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = pg_catalog.to_regclass($1)
                  WHERE e.extname = 'pg_index_advisor'
                    AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) AS a
                                     WHERE a.privilege_type = 'CREATE' AND a.grantee <> e.extowner))",
            &[TABLE.into()],
        )?;
        Ok(found == Some(true))
    }

    /// # Errors
    /// If the table is not there; on a standby.
    pub fn open(lock_timeout_ms: i32) -> Result<Jobs, PgError> {
        let owner = Owner::of(
            TABLE,
            lock_timeout_ms,
            "a standby has no jobs of its own",
            "Schedule them on the primary; recommend() and report() give advice here and write nothing.",
        )?;
        Ok(Jobs { owner })
    }

    /// Runs a statement on the table as its owner.
    fn change(&self, statement: &str, arguments: &[DatumWithOid<'_>]) -> Result<(), PgError> {
        self.owner.write(|| execute(statement, arguments).map(drop))
    }

    /// The job of this name.
    ///
    /// # Errors
    /// As those of every function here: a table that is locked, altered or read-only.
    pub fn find(&self, name: &str) -> Result<Option<Job>, PgError> {
        let found = self.owner.write(|| rows(&select("WHERE name = $1"), &[name.into()], read))?;
        Ok(found.into_iter().next())
    }

    /// The jobs that the background worker is to start, by name.
    ///
    /// # Errors
    /// As `find`.
    pub fn of_worker(&self) -> Result<Vec<Job>, PgError> {
        self.owner.write(|| rows(&select("WHERE runner = 'worker' ORDER BY name"), &[], read))
    }

    /// Adds a job, or takes the place of the one of that name; how the last run of that ended is kept.
    ///
    /// # Errors
    /// As `find`.
    pub fn put(&self, job: &Job) -> Result<(), PgError> {
        let arguments: [DatumWithOid<'_>; 10] = [
            job.name.as_str().into(),
            job.schedule.as_str().into(),
            job.time_zone.as_str().into(),
            job.runner.name().into(),
            job.owner.as_str().into(),
            job.storage_budget.as_deref().into(),
            job.max_indexes.into(),
            job.min_saving_percent.into(),
            job.time_limit.into(),
            job.timing.next_start.map(|at| at as f64).into(),
        ];
        self.change(
            "INSERT INTO index_advisor.history_job AS j (name, schedule, time_zone, runner, owner, storage_budget,
                 max_indexes, min_saving_percent, time_limit, next_start, scheduled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, pg_catalog.to_timestamp($10), pg_catalog.clock_timestamp())
             ON CONFLICT (name) DO UPDATE
             SET (schedule, time_zone, runner, owner, storage_budget, max_indexes, min_saving_percent, time_limit,
                  next_start, scheduled_at, interruptions)
               = ROW ($2, $3, $4, $5, $6, $7, $8, $9, pg_catalog.to_timestamp($10), pg_catalog.clock_timestamp(), 0)",
            &arguments,
        )
    }

    /// Forgets a job; its runs are kept.
    ///
    /// # Errors
    /// As `find`.
    pub fn remove(&self, name: &str) -> Result<(), PgError> {
        self.change("DELETE FROM index_advisor.history_job WHERE name = $1", &[name.into()])
    }

    /// A run begins that was due at `due`; the next is at `next`. Unix seconds.
    ///
    /// # Errors
    /// As `find`.
    pub fn begin(&self, name: &str, due: i64, next: Option<i64>) -> Result<(), PgError> {
        self.change(
            "UPDATE index_advisor.history_job
                SET last_status = 'running', last_start = pg_catalog.clock_timestamp(), last_end = NULL,
                    last_error = NULL, last_run = NULL, last_summary = NULL,
                    last_due = pg_catalog.to_timestamp($2), next_start = pg_catalog.to_timestamp($3)
              WHERE name = $1",
            &[name.into(), (due as f64).into(), next.map(|at| at as f64).into()],
        )
    }

    /// A run ended that had begun at `started`; None where its beginning is kept already.
    ///
    /// # Errors
    /// As `find`.
    pub fn end(&self, name: &str, started: Option<Started>, ending: &Ending) -> Result<(), PgError> {
        let status = if ending.error.is_none() { "succeeded" } else { "failed" };
        self.change(
            "UPDATE index_advisor.history_job
                SET last_status = $2, last_end = pg_catalog.clock_timestamp(), last_error = $3, last_run = $4,
                    last_summary = $5, interruptions = 0, last_start = coalesce($6, last_start),
                    next_start = CASE WHEN $7 THEN pg_catalog.to_timestamp($8) ELSE next_start END
              WHERE name = $1",
            &[
                name.into(),
                status.into(),
                ending.error.as_deref().into(),
                ending.run.into(),
                ending.summary.as_deref().into(),
                started.map(|started| started.at).into(),
                started.is_some_and(|started| started.next.is_some()).into(),
                started.and_then(|started| started.next).map(|at| at as f64).into(),
            ],
        )
    }

    /// A run ended without saying how; it comes again at `next`.
    ///
    /// # Errors
    /// As `find`.
    pub fn interrupted(&self, name: &str, next: Option<i64>) -> Result<(), PgError> {
        self.change(
            "UPDATE index_advisor.history_job
                SET last_status = 'interrupted', interruptions = interruptions + 1,
                    last_error = 'the process or the server ended in mid-run',
                    next_start = pg_catalog.to_timestamp($2)
              WHERE name = $1",
            &[name.into(), next.map(|at| at as f64).into()],
        )
    }

    /// A run cannot begin; the next is at `next`.
    ///
    /// # Errors
    /// As `find`.
    pub fn fail(&self, name: &str, why: &str, next: Option<i64>) -> Result<(), PgError> {
        self.change(
            "UPDATE index_advisor.history_job
                SET last_status = 'failed', last_start = pg_catalog.clock_timestamp(),
                    last_end = pg_catalog.clock_timestamp(), last_error = $2, last_run = NULL, last_summary = NULL,
                    next_start = pg_catalog.to_timestamp($3)
              WHERE name = $1",
            &[name.into(), why.into(), next.map(|at| at as f64).into()],
        )
    }

    /// The next run is at `next`.
    ///
    /// # Errors
    /// As `find`.
    pub fn set_next(&self, name: &str, next: Option<i64>) -> Result<(), PgError> {
        self.change(
            "UPDATE index_advisor.history_job SET next_start = pg_catalog.to_timestamp($2) WHERE name = $1",
            &[name.into(), next.map(|at| at as f64).into()],
        )
    }

    /// The table that a job's lock is one of, and its name's number among them, as the view `jobs` reckons it.
    ///
    /// # Errors
    /// As `find`.
    pub fn lock_numbers(&self, name: &str) -> Result<(u32, u32), PgError> {
        let numbers = self.owner.write(|| {
            rows(
                "SELECT $1::pg_catalog.regclass::pg_catalog.oid AS relation, pg_catalog.hashtext($2) AS number",
                &[TABLE.into(), name.into()],
                |row| Ok((row.oid("relation")?, row["number"].value::<i32>()?.unwrap_or_default() as u32)),
            )
        })?;
        numbers.into_iter().next().ok_or_else(super::not_there)
    }
}

/// The statement that runs a job, as pg_cron is given it and as the worker is seen to run it.
pub fn command(name: &str) -> String {
    format!("SELECT index_advisor.run_job({})", scalar::quote_literal(name))
}

/// Runs a job of the caller's; what came of it, in words.
///
/// # Errors
/// If it cannot be run at all.
pub fn call(name: &str) -> Result<String, PgError> {
    Ok(value("SELECT index_advisor.run_job($1)", &[name.into()])?.unwrap_or_default())
}

fn select(condition: &str) -> String {
    format!(
        "SELECT name, schedule, time_zone, runner, owner, storage_budget, max_indexes, min_saving_percent, time_limit,
                pg_catalog.floor(extract(epoch FROM next_start))::bigint AS next_start,
                pg_catalog.floor(extract(epoch FROM last_due))::bigint AS last_due,
                last_status = 'running' AS begun, interruptions
           FROM index_advisor.history_job {condition}"
    )
}

fn read(row: &SpiHeapTupleData<'_>) -> SpiResult<Job> {
    Ok(Job {
        name: row.text("name")?,
        schedule: row.text("schedule")?,
        time_zone: row.text("time_zone")?,
        runner: Runner::of(&row.text("runner")?).unwrap_or(Runner::Worker),
        owner: row.text("owner")?,
        storage_budget: row["storage_budget"].value()?,
        max_indexes: row["max_indexes"].value()?,
        min_saving_percent: row["min_saving_percent"].value()?,
        time_limit: row["time_limit"].value()?,
        timing: Timing {
            next_start: row["next_start"].value()?,
            last_due: row["last_due"].value()?,
            begun: row.flag("begun")?,
            interruptions: row["interruptions"].value::<i32>()?.unwrap_or(0).max(0) as u32,
        },
    })
}
