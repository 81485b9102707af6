//! `schedule()`, `unschedule()` and `run_job()`.

use super::arguments::Arguments;
use crate::history::job_run;
use crate::history::jobs::{Job, Jobs, Runner};
use crate::history::pg_cron::{self, Place};
use crate::pg::clock::{self, ServerZone};
use crate::pg::isolated::PgError;
use crate::pg::{board, process, scalar, session};
use crate::schedule::Timing;
use crate::schedule::cron::Schedule;
use crate::settings;
use pgrx::datum::Interval;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use pgrx::prelude::*;

/// The job that is meant where none is named.
const DEFAULT_NAME: &str = "advice";
/// As many as fit into the name of a process, which has room for NAMEDATALEN - 1 of them.
const LONGEST_NAME: usize = 63;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION schedule(
    schedule text,
    name text DEFAULT NULL,
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL,
    time_zone text DEFAULT NULL,
    runner text DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION schedule(text, text, text, integer, double precision, interval, text, text)
    IS 'has run() and verify() come by themselves at the times of a cron expression; says when next and by whom';
REVOKE ALL ON FUNCTION schedule(text, text, text, integer, double precision, interval, text, text) FROM PUBLIC;
"#
)]
#[allow(clippy::too_many_arguments)]
fn schedule(
    schedule: Option<&str>,
    name: Option<&str>,
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
    time_zone: Option<&str>,
    runner: Option<&str>,
) -> String {
    let arguments =
        Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, ..Arguments::default() };
    let wish = Wish { schedule, name, time_zone, runner };
    make(&wish, &arguments).unwrap_or_else(|error| error.raise())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION unschedule(name text DEFAULT NULL)
RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION unschedule(text) IS 'takes schedule() back; false if there is no such job. What it kept stays';
REVOKE ALL ON FUNCTION unschedule(text) FROM PUBLIC;
"#
)]
fn unschedule(name: Option<&str>) -> bool {
    unmake(name.unwrap_or(DEFAULT_NAME)).unwrap_or_else(|error| error.raise())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION run_job(name text DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION run_job(text) IS 'runs a job now: run() with its arguments, then verify(); how it ended is in the view jobs';
REVOKE ALL ON FUNCTION run_job(text) FROM PUBLIC;
"#
)]
fn run_job(name: Option<&str>) -> String {
    job_run::run_now(name.unwrap_or(DEFAULT_NAME), settings::lock_timeout_ms())
        .unwrap_or_else(|error| error.raise())
}

/// Tells the launcher that jobs changed, whoever changed them: a function here, or a restored dump.
#[pg_trigger(sql = r#"
CREATE FUNCTION _jobs_changed()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _jobs_changed() IS 'lets the background worker look at changed jobs';
"#)]
fn _jobs_changed<'a>(
    _trigger: &'a pgrx::PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, impl WhoAllocated>>, PgError> {
    process::tell_at_commit();
    Ok(None::<PgHeapTuple<'a, pgrx::AllocatedByRust>>)
}

pgrx::extension_sql!(
    "CREATE TRIGGER jobs_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON history_job
         FOR EACH STATEMENT EXECUTE FUNCTION _jobs_changed();",
    name = "jobs_changed",
    requires = ["jobs", _jobs_changed],
);

/// What the caller of `schedule()` asks for, beside the arguments of the run.
struct Wish<'a> {
    schedule: Option<&'a str>,
    name: Option<&'a str>,
    time_zone: Option<&'a str>,
    runner: Option<&'a str>,
}

/// Who will run a job.
struct Chosen {
    runner: Runner,
    time_zone: String,
    /// pg_cron's database where that is not this one.
    elsewhere: Option<String>,
}

fn make(wish: &Wish<'_>, arguments: &Arguments<'_>) -> Result<String, PgError> {
    let text = wish.schedule.unwrap_or_default().trim();
    let schedule = Schedule::read(text).map_err(|why| unreadable(text, &why.to_string()))?;
    let name = wish.name.unwrap_or(DEFAULT_NAME);
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(invalid(
            format!("\"{name}\" cannot be the name of a job"),
            format!("It takes 1 to {LONGEST_NAME} bytes without line breaks."),
        ));
    }
    arguments.check()?;
    let chosen = choose(wish, &schedule)?;
    let zone = zone(&chosen.time_zone)?;
    let jobs = Jobs::open(settings::lock_timeout_ms())?;
    let owner = session::user_name();
    let before = jobs.find(name)?;
    if let Some(before) = before.as_ref().filter(|before| before.owner != owner) {
        return Err(not_yours(before));
    }
    let next = schedule.next_after(&zone, clock::now());
    let job = Job {
        name: name.to_string(),
        schedule: text.to_string(),
        time_zone: chosen.time_zone.clone(),
        runner: chosen.runner,
        owner,
        storage_budget: arguments.storage_budget.map(str::to_string),
        max_indexes: arguments.max_indexes,
        min_saving_percent: arguments.min_saving_percent,
        time_limit: arguments.time_limit,
        timing: Timing { next_start: next, ..Timing::default() },
    };
    if let Some(before) =
        before.filter(|before| before.runner == Runner::PgCron && chosen.runner == Runner::Worker)
    {
        take_from_pg_cron(&before)?;
    }
    jobs.put(&job)?;
    let by = match (&chosen.elsewhere, chosen.runner) {
        (Some(database), _) => match pg_cron::schedule_from_elsewhere(&job, database) {
            Ok(()) => format!("by pg_cron, which keeps it in database \"{database}\""),
            Err(error) => {
                tell_there(database, &error, &pg_cron::statement_elsewhere(&job));
                format!("by pg_cron, once it is told in database \"{database}\"")
            }
        },
        (None, Runner::PgCron) => {
            pg_cron::schedule(&job)?;
            "by pg_cron".to_string()
        }
        (None, Runner::Worker) => "by the background worker".to_string(),
    };
    Ok(format!(
        "Job \"{name}\" runs as {} at {text} ({}), {by}; next at {}.",
        job.owner,
        job.time_zone,
        next.map_or("no time".to_string(), |next| in_zone(next, &job.time_zone)),
    ))
}

fn unmake(name: &str) -> Result<bool, PgError> {
    let jobs = Jobs::open(settings::lock_timeout_ms())?;
    let Some(job) = jobs.find(name)? else { return Ok(false) };
    if job.owner != session::user_name() && !session::is_superuser() {
        return Err(not_yours(&job));
    }
    if job.runner == Runner::PgCron {
        take_from_pg_cron(&job)?;
    }
    jobs.remove(name)?;
    Ok(true)
}

fn take_from_pg_cron(job: &Job) -> Result<(), PgError> {
    match pg_cron::place()? {
        Some(Place::Here) => pg_cron::unschedule(job)?,
        Some(Place::There(database)) => {
            if let Err(error) = pg_cron::unschedule_from_elsewhere(job, &database) {
                tell_there(&database, &error, &pg_cron::removal_elsewhere(job));
            }
        }
        // What is not there starts nothing.
        Some(Place::NotCreated) | None => {}
    }
    Ok(())
}

/// pg_cron could not be told what to do.
fn tell_there(database: &str, why: &PgError, statement: &str) {
    pgrx::notice!(
        "pg_cron keeps its jobs in database \"{database}\" and could not be told: {}. Run this there, as a superuser: {statement};",
        why.message
    );
}

/// Who is to run the job: pg_cron where it can, else the worker, else nobody and why.
fn choose(wish: &Wish<'_>, schedule: &Schedule) -> Result<Chosen, PgError> {
    let wanted = match wish.runner {
        None => None,
        Some(name) => Some(Runner::of(name).ok_or_else(|| {
            invalid(
                format!("runner \"{name}\" does not exist"),
                "There are 'pg_cron' and 'worker'; leave it out to take what is there.",
            )
        })?),
    };
    let place = pg_cron::place()?;
    let worker = worker_is_ready()?;
    let cron_zone = pg_cron::time_zone();
    let other_zone = wish.time_zone.filter(|zone| !same_zone(zone, &cron_zone));
    // What pg_cron cannot do, wherever it is.
    let beyond = if schedule.seconds {
        Some("pg_cron starts jobs on whole minutes: it reads five fields".to_string())
    } else if schedule.extended {
        Some("pg_cron does not read L, W, #, + and ?".to_string())
    } else {
        other_zone.map(|zone| format!("pg_cron's schedules are in {cron_zone}, not in {zone}"))
    };
    let by_cron = |elsewhere| Chosen { runner: Runner::PgCron, time_zone: cron_zone.clone(), elsewhere };
    let zone = || match wish.time_zone {
        Some(zone) => zone.to_string(),
        None => scalar::setting("TimeZone").unwrap_or_else(|| "GMT".to_string()),
    };
    let by_worker = || Chosen { runner: Runner::Worker, time_zone: zone(), elsewhere: None };
    match (wanted, &place, &beyond, &worker) {
        (None | Some(Runner::PgCron), Some(Place::Here), None, _) => Ok(by_cron(None)),
        (Some(Runner::PgCron), Some(Place::There(database)), None, _) => Ok(by_cron(Some(database.clone()))),
        (Some(Runner::PgCron), None, ..) => {
            Err(no_runner("pg_cron is not installed in this server".to_string()))
        }
        (Some(Runner::PgCron), Some(Place::NotCreated), ..) => {
            Err(no_runner("pg_cron is not created in this database".to_string()))
        }
        (Some(Runner::PgCron), _, Some(beyond), _) => Err(invalid(beyond.clone(), BEYOND_HINT)),
        (None | Some(Runner::Worker), _, _, Ok(())) => {
            may_log_in()?;
            only_ours()?;
            Ok(by_worker())
        }
        (Some(Runner::Worker), _, _, Err(why)) => Err(no_runner(why.clone())),
        (None, Some(Place::There(database)), None, Err(_)) => Ok(by_cron(Some(database.clone()))),
        (None, Some(_), Some(beyond), Err(_)) => Err(invalid(beyond.clone(), BEYOND_HINT)),
        (None, Some(Place::NotCreated), None, Err(why)) => {
            Err(no_runner(format!("pg_cron is not created in this database, and {why}")))
        }
        (None, None, _, Err(why)) => {
            Err(no_runner(format!("pg_cron is not installed in this server, and {why}")))
        }
    }
}

const BEYOND_HINT: &str = "The extension's own background worker can: add pg_index_advisor to shared_preload_libraries and restart the server.";

/// Whether the background worker will start jobs, or why not.
fn worker_is_ready() -> Result<Result<(), String>, PgError> {
    if !board::is_preloaded() {
        return Ok(Err("this extension's background worker is not preloaded".to_string()));
    }
    Ok(match settings::worker() {
        true => Ok(()),
        false => {
            Err("this extension's background worker is switched off (pg_index_advisor.worker)".to_string())
        }
    })
}

fn no_runner(why: String) -> PgError {
    let mut error = PgError::new(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "there is nobody in this server who could start the job",
    );
    error.detail = Some(format!("{}.", capitalised(&why)));
    error.with_hint(
        "Either install pg_cron (in shared_preload_libraries, and CREATE EXTENSION pg_cron in the database that cron.database_name says), or add pg_index_advisor to shared_preload_libraries; both take a restart. Or let cron on some machine call psql: SELECT index_advisor.run().",
    )
}

fn capitalised(text: &str) -> String {
    // pg_cron keeps its small letter.
    if text.starts_with("pg_") {
        return text.to_string();
    }
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The worker connects as the owner, which has to be allowed.
fn may_log_in() -> Result<(), PgError> {
    let name = session::user_name();
    match session::login_role(&name)? {
        Some(_) => Ok(()),
        None => Err(PgError::new(
            ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
            format!("role \"{name}\" may not log in, so the background worker cannot run a job as it"),
        )
        .with_hint("Schedule the job as a role with LOGIN.")),
    }
}

/// The worker starts what stands in the extension's schema, so nobody else may put anything there.
fn only_ours() -> Result<(), PgError> {
    match Jobs::can_be_trusted()? {
        true => Ok(()),
        false => Err(PgError::new(
            ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the background worker does not trust the schema index_advisor",
        )
        .with_hint(
            "The schema has to belong to the owner of the extension, a superuser, and nobody else may have CREATE on it: ALTER SCHEMA index_advisor OWNER TO ..., REVOKE CREATE ON SCHEMA index_advisor FROM ....",
        )),
    }
}

fn zone(name: &str) -> Result<ServerZone, PgError> {
    ServerZone::named(name).ok_or_else(|| {
        invalid(
            format!("time zone \"{name}\" is not known"),
            "The view pg_timezone_names has the names, such as Europe/Berlin.",
        )
    })
}

/// Whether two names stand for one zone, as far as names tell.
fn same_zone(a: &str, b: &str) -> bool {
    let universal = ["gmt", "utc", "etc/utc", "etc/gmt", "etc/uct", "uct", "zulu", "universal"];
    let one = |name: &str| universal.contains(&name.to_ascii_lowercase().as_str());
    a.eq_ignore_ascii_case(b) || (one(a) && one(b))
}

/// A time in a zone, with its name.
fn in_zone(instant: i64, zone: &str) -> String {
    let words = scalar::look_up::<String>(
        "SELECT pg_catalog.to_char(pg_catalog.timezone($2, pg_catalog.to_timestamp($1)), 'YYYY-MM-DD HH24:MI:SS')",
        &[(instant as f64).into(), zone.into()],
    );
    match words {
        Ok(Some(words)) => format!("{words} {zone}"),
        _ => format!("{instant} s after 1970"),
    }
}

fn unreadable(text: &str, why: &str) -> PgError {
    let mut error = PgError::new(
        ERRCODE_INVALID_PARAMETER_VALUE,
        format!("the schedule \"{}\" cannot be read", text.chars().take(100).collect::<String>()),
    );
    error.detail = Some(format!("{}.", capitalised(why)));
    error.with_hint(
        "A cron expression has minute, hour, day of month, month and day of week, such as '0 3 * * *' for every night at three.",
    )
}

fn not_yours(job: &Job) -> PgError {
    PgError::new(
        ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("job \"{}\" belongs to role \"{}\"", job.name, job.owner),
    )
    .with_hint("Give the job another name, or act as its owner: SET ROLE.")
}

fn invalid(message: String, hint: impl Into<String>) -> PgError {
    PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, message).with_hint(hint)
}
