//! The background worker: one launcher, which knows when to look into which database, and short-lived processes that look
//! for jobs that are due or run one. Entry points and little more: when a job is due is `schedule`'s to say, what a job
//! does is `run_job()`.

use crate::catalog::Oid;
use crate::history::jobs::{self, Ending, Jobs};
use crate::pg::board;
use crate::pg::clock;
use crate::pg::elsewhere;
use crate::pg::isolated::PgError;
use crate::pg::job_lock::{self, Until};
use crate::pg::process::{self, Started, Starts, Task};
use crate::pg::session;
use crate::schedule::agenda::{self, Agenda, Due, Found, earlier};
use crate::schedule::{Verdict, decide, next_start};
use crate::settings;
use pgrx::prelude::*;
use std::collections::BTreeMap;

/// While all background workers are in use, seconds until another attempt.
const WITHOUT_WORKERS: i64 = 5;
/// Longest wait for a lock on the table of jobs, milliseconds: the next attempt comes by itself.
const LOCK_TIMEOUT: i32 = 1000;

/// The launcher: stays while the server does.
// The attribute is what lets the postmaster find the function by its name; nothing here is unsafe to call.
#[pg_guard]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_index_advisor_launcher(_argument: pgrx::pg_sys::Datum) {
    process::connect_launcher();
    board::announce_launcher();
    let mut launcher = Launcher::default();
    loop {
        let next = launcher.step();
        if !process::wait_until(next) {
            break;
        }
    }
    process::end_launcher();
}

/// Looks into a database for jobs that are due.
#[pg_guard]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_index_advisor_look(database: pgrx::pg_sys::Datum) {
    let database = database.value() as Oid;
    process::connect_worker(database, None);
    process::show("pg_index_advisor", "looking for jobs");
    let found = process::transaction(false, look).unwrap_or_else(|error| {
        pgrx::log!("pg_index_advisor cannot read the jobs of this database: {}", described(&error));
        Found::Trouble
    });
    board::answer(database, &found);
}

/// Runs a job.
#[pg_guard]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_index_advisor_job(database: pgrx::pg_sys::Datum) {
    let Some((name, role)) = process::task() else { return };
    process::connect_worker(database.value() as Oid, Some(role));
    process::show(&format!("pg_index_advisor job {name}"), &jobs::command(&name));
    match process::transaction(false, || claim(&name)) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            pgrx::log!("pg_index_advisor cannot begin job \"{name}\": {}", described(&error));
            return;
        }
    }
    let run = process::transaction(true, || jobs::call(&name));
    // How a run ended is in the job's row already, unless what should have written it was undone: a cancel, a timeout.
    if let Err(error) = run {
        pgrx::log!("job \"{name}\" failed: {}", described(&error));
        let ending = Ending { error: Some(described(&error)), ..Ending::default() };
        let kept = process::transaction(false, || Jobs::open(LOCK_TIMEOUT)?.end(&name, None, &ending));
        if let Err(error) = kept {
            pgrx::log!("pg_index_advisor cannot keep how job \"{name}\" ended: {}", described(&error));
        }
    }
}

/// Runs a statement in another database than the one of the session that asked.
#[pg_guard]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_index_advisor_elsewhere(database: pgrx::pg_sys::Datum) {
    let Some((letter, role)) = process::task() else { return };
    let Ok(letter) = letter.parse() else { return };
    process::connect_worker(database.value() as Oid, Some(role));
    elsewhere::serve(letter);
}

/// What the launcher knows and has started.
#[derive(Default)]
struct Launcher {
    agenda: Agenda,
    looking: Option<(Oid, Started)>,
    running: BTreeMap<Oid, Started>,
    starts: Starts,
    /// The log has it that there are no background workers to be had.
    said_none_left: bool,
}

impl Launcher {
    /// Does what there is to do now; when there may be more, Unix seconds.
    fn step(&mut self) -> i64 {
        let now = clock::now();
        self.do_what_is_due(now);
        now + self.agenda.wait(now)
    }

    fn do_what_is_due(&mut self, now: i64) {
        self.agenda.clock(now);
        match board::take_news() {
            Some(databases) => databases.into_iter().for_each(|database| self.agenda.told(now, database)),
            None => self.agenda.look_everywhere(now),
        }
        let ended: Vec<Oid> =
            self.running.iter().filter(|(_, job)| job.has_ended()).map(|(database, _)| *database).collect();
        for database in ended {
            self.running.remove(&database);
            self.agenda.ended(now, database);
        }
        if let Some((database, worker)) = self.looking.take() {
            if !worker.has_ended() {
                self.looking = Some((database, worker));
                return;
            }
            let found = board::take_answer();
            if let Some(due) = self.agenda.looked(now, database, found, settings::max_jobs()) {
                self.run(now, database, due);
            }
        }
        if self.looking.is_none() && self.running.is_empty() {
            self.starts.forget();
        }
        if !settings::worker() {
            return;
        }
        match process::databases() {
            Ok(databases) => self.agenda.databases(now, &databases),
            Err(error) => pgrx::log!("pg_index_advisor cannot list the databases: {}", described(&error)),
        }
        if let Some(database) = self.agenda.next_look(now) {
            self.agenda.begin_look(database);
            board::expect_answer(database);
            match self.start(database, &Task::Look) {
                Some(worker) => self.looking = Some((database, worker)),
                None => self.agenda.postpone(now, database, WITHOUT_WORKERS),
            }
        }
    }

    fn run(&mut self, now: i64, database: Oid, due: Due) {
        match self.start(database, &Task::Run { name: due.name, role: due.role }) {
            Some(worker) => {
                self.running.insert(database, worker);
            }
            None => self.agenda.postpone(now, database, WITHOUT_WORKERS),
        }
    }

    fn start(&mut self, database: Oid, task: &Task) -> Option<Started> {
        let started = self.starts.start(database, task);
        if started.is_none() && !self.said_none_left {
            pgrx::log!(
                "pg_index_advisor cannot start jobs while all background workers are in use; max_worker_processes may be too small"
            );
        }
        self.said_none_left = started.is_none();
        started
    }
}

/// Looks at the jobs of this database; keeps what their times have become, and names one that is due.
fn look() -> Result<Found, PgError> {
    if !Jobs::can_be_trusted()? {
        return Ok(Found::Nothing(None));
    }
    let jobs = Jobs::open(LOCK_TIMEOUT)?;
    let now = clock::now();
    let mut wake = None;
    let mut due: Option<(i64, Due)> = None;
    for job in jobs.of_worker()? {
        let (schedule, zone) = match job.times() {
            Ok(times) => times,
            Err(why) => {
                if job.timing.next_start.is_some() {
                    jobs.fail(&job.name, &why, None)?;
                }
                continue;
            }
        };
        let running = job_lock::holder(&jobs, &job.name)?.is_some();
        let mut next = match decide(&job.timing, running, &schedule, &zone, now) {
            // Its end is told of, unless the process is killed.
            Verdict::Busy => {
                wake = earlier(wake, Some(now + agenda::LONGEST_WAIT));
                continue;
            }
            Verdict::Due => job.timing.next_start,
            Verdict::Wait(next) => {
                if next != job.timing.next_start {
                    jobs.set_next(&job.name, next)?;
                }
                next
            }
            Verdict::Interrupted(next) => {
                jobs.interrupted(&job.name, next)?;
                next
            }
        };
        if let Some(since) = next.filter(|at| *at <= now) {
            let owner = &job.owner;
            match session::login_role(owner)? {
                Some(role) if due.as_ref().is_none_or(|(earliest, _)| since < *earliest) => {
                    due = Some((since, Due { name: job.name.clone(), role }));
                }
                Some(_) => {}
                None => {
                    let why =
                        format!("role \"{owner}\", which owns the job, does not exist or may not log in");
                    next = next_start(&schedule, &zone, now, job.timing.last_due);
                    jobs.fail(&job.name, &why, next)?;
                }
            }
        }
        wake = earlier(wake, next);
    }
    Ok(due.map_or(Found::Nothing(wake), |(_, due)| Found::Due(due)))
}

/// Marks a job as begun, if it is still due and nobody runs it.
fn claim(name: &str) -> Result<bool, PgError> {
    let jobs = Jobs::open(LOCK_TIMEOUT)?;
    if !job_lock::take(&jobs, name, Until::EndOfProcess)? {
        return Ok(false);
    }
    let now = clock::now();
    let Some(job) = jobs.find(name)? else { return Ok(false) };
    let (Ok((schedule, zone)), Some(due)) = (job.times(), job.timing.next_start) else {
        return Ok(false);
    };
    if due > now {
        return Ok(false);
    }
    jobs.begin(name, due, next_start(&schedule, &zone, now, Some(due)))?;
    Ok(true)
}

fn described(error: &PgError) -> String {
    match &error.detail {
        Some(detail) => format!("{} ({detail})", error.message),
        None => error.message.clone(),
    }
}
