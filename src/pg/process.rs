//! Background processes: the launcher, and the short-lived workers that it starts; their connections and transactions.
//!
//! What they do is `worker.rs`'s.

use super::compat;
use super::identity::set_setting;
use super::isolated::{PgError, in_transaction};
use crate::catalog::Oid;
use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, DynamicBackgroundWorker,
    SignalWakeFlags,
};
use pgrx::{PgMemoryContexts, pg_sys};
use std::ffi::CString;
use std::time::Duration;

const LIBRARY: &str = "pg_index_advisor";
/// Seconds until the postmaster starts the launcher anew after it ended with an error.
const RESTART: Duration = Duration::from_secs(10);

/// A bound for what a time that has passed already could do.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// What a short-lived worker is for.
#[derive(Clone, Debug)]
pub enum Task {
    /// To look into a database for jobs that are due.
    Look,
    /// To run the job of this name, as a role.
    Run { name: String, role: Oid },
}

/// Registers the launcher; once, by `_PG_init`, while libraries are preloaded.
pub fn register_launcher() {
    BackgroundWorkerBuilder::new("pg_index_advisor launcher")
        .set_library(LIBRARY)
        .set_function("pg_index_advisor_launcher")
        // Not before the server can write: a standby has no use for it until it is promoted.
        .enable_spi_access()
        .set_restart_time(Some(RESTART))
        .load();
}

/// The launcher's connection: to no database, so that none is kept from being dropped or copied.
pub fn connect_launcher() {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(None, None);
}

/// Ends the launcher in a way that has it started anew, unless the server is being stopped.
pub fn end_launcher() {
    // SAFETY: outside of any transaction; the process ends here. A worker that ends with 0 is not started again (bgworker.c).
    unsafe { pg_sys::proc_exit(1) };
}

/// Waits for news or for a time, Unix seconds; false when the launcher is to end.
pub fn wait_until(time: i64) -> bool {
    let go_on = BackgroundWorker::wait_latch(Some(super::clock::until(time).max(SHORTEST_WAIT)));
    if BackgroundWorker::sighup_received() {
        // SAFETY: between transactions, as the main loops of the server's own processes do.
        unsafe {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
    go_on
}

/// A worker that was started.
pub struct Started(DynamicBackgroundWorker);

impl Started {
    /// Whether it has ended, or never came to be.
    pub fn has_ended(&self) -> bool {
        matches!(self.0.pid(), Err(BackgroundWorkerStatus::Stopped | BackgroundWorkerStatus::PostmasterDied))
    }
}

/// The memory of what tells started workers apart, which is to be given back while the launcher lives on.
pub struct Starts {
    memory: PgMemoryContexts,
}

impl Default for Starts {
    fn default() -> Starts {
        Starts { memory: PgMemoryContexts::new("pg_index_advisor workers") }
    }
}

impl Starts {
    /// Starts a worker in a database; None while all `max_worker_processes` are in use.
    pub fn start(&mut self, database: Oid, task: &Task) -> Option<Started> {
        // SAFETY: only the worker's handle is allocated within, which `forget` knows of.
        unsafe { self.memory.switch_to(|_| start(database, task)) }
    }

    /// Gives the memory back. Nothing that was started may be asked for after this.
    pub fn forget(&mut self) {
        // SAFETY: the caller's promise; the handles are plain memory (bgworker.c).
        unsafe { self.memory.reset() };
    }
}

fn start(database: Oid, task: &Task) -> Option<Started> {
    let (name, kind, function, extra) = match task {
        Task::Look => (
            "pg_index_advisor looking for jobs".to_string(),
            "pg_index_advisor look",
            "pg_index_advisor_look",
            String::new(),
        ),
        Task::Run { name, role } => (
            format!("pg_index_advisor job {name}"),
            "pg_index_advisor job",
            "pg_index_advisor_job",
            format!("{role} {name}"),
        ),
    };
    // SAFETY: reads a variable of the process.
    let me = unsafe { pg_sys::MyProcPid };
    let builder = BackgroundWorkerBuilder::new(&name)
        .set_type(kind)
        .set_library(LIBRARY)
        .set_function(function)
        .set_argument(Some(pg_sys::Datum::from(database)))
        .set_extra(&extra)
        .set_notify_pid(me)
        .set_restart_time(None)
        .enable_spi_access();
    builder.load_dynamic().ok().map(Started)
}

/// Starts a process that connects to a database as a role and serves a letter (`elsewhere`), and waits for its end; false while all
/// `max_worker_processes` are in use. A cancel of the caller's is heeded meanwhile.
pub fn run_elsewhere(database: Oid, role: Oid, letter: u32) -> bool {
    // SAFETY: reads a variable of the process.
    let me = unsafe { pg_sys::MyProcPid };
    let builder = BackgroundWorkerBuilder::new("pg_index_advisor elsewhere")
        .set_library(LIBRARY)
        .set_function("pg_index_advisor_elsewhere")
        .set_argument(Some(pg_sys::Datum::from(database)))
        .set_extra(&format!("{role} {letter}"))
        .set_notify_pid(me)
        .set_restart_time(None)
        .enable_spi_access();
    let Ok(started) = builder.load_dynamic() else { return false };
    // Where it ended before it was seen to start, there is nothing to wait for.
    let _ = started.wait_for_startup();
    let _ = started.wait_for_shutdown();
    true
}

/// The name and the role that a worker was given to run.
pub fn task() -> Option<(String, Oid)> {
    let (role, name) = BackgroundWorker::get_extra().split_once(' ')?;
    Some((name.to_string(), role.parse().ok()?))
}

/// Connects a worker to its database, as a role or, without one, as the superuser that no one can drop. Ends the process if
/// the database or the role is gone, or may not be connected to.
pub fn connect_worker(database: Oid, role: Option<Oid>) {
    // SAFETY: workers start with signals blocked. The handler that they have by default would end the process wherever it is.
    unsafe {
        compat::end_when_interruptible();
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database.into()), role.map(Into::into));
}

/// What this process is doing, for pg_stat_activity: `application` names it, `activity` is its statement.
pub fn show(application: &str, activity: &str) {
    let (Ok(application), Ok(activity)) = (CString::new(application), CString::new(activity)) else { return };
    // SAFETY: both functions copy the strings.
    unsafe {
        pg_sys::pgstat_report_appname(application.as_ptr());
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, activity.as_ptr());
    }
}

/// Runs `work` in a transaction that is committed if it ends well. `limited`: under the `statement_timeout` that the role
/// or the database has; the server starts that clock for the statements of clients only (start_xact_command, postgres.c).
///
/// # Errors
/// Those of `work`, and every error raised in it; then nothing of it is kept.
pub fn transaction<T>(limited: bool, work: impl FnOnce() -> Result<T, PgError>) -> Result<T, PgError> {
    // SAFETY: reads a setting's variable.
    let limit = if limited { unsafe { pg_sys::StatementTimeout } } else { 0 };
    in_transaction(limit, || {
        if super::scalar::setting("pg_stat_statements.track").is_some() {
            // Our own statements never enter the workload.
            set_setting("pg_stat_statements.track", "none");
        }
        work()
    })
}

/// The databases that can have jobs: no templates, and connections are allowed. Reads the shared catalog, for which no
/// database is needed (as get_database_list in autovacuum.c does).
///
/// # Errors
/// If the catalog cannot be read.
pub fn databases() -> Result<Vec<Oid>, PgError> {
    in_transaction(0, || {
        // Whoever locks the catalog shall not keep the launcher from ending.
        set_setting("lock_timeout", "1s");
        let mut found = Vec::new();
        // SAFETY: a catalog scan within a transaction; a tuple is read before the next one is asked for, and its
        // fixed part is FormData_pg_database, whose fields used here are NOT NULL.
        unsafe {
            let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
            let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
            loop {
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                let data = (*tuple).t_data;
                let form = data.byte_add(usize::from((*data).t_hoff)).cast::<pg_sys::FormData_pg_database>();
                // -2 marks a database whose DROP was interrupted (DATCONNLIMIT_INVALID_DB, pg_database.h).
                if (*form).datallowconn && !(*form).datistemplate && (*form).datconnlimit != -2 {
                    found.push((*form).oid.to_u32());
                }
            }
            pg_sys::heap_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        }
        Ok(found)
    })
}

/// Calls `tell` with this database when the current transaction has committed, and not if it does not.
pub fn tell_at_commit() {
    // SAFETY: reads a backend variable.
    let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
    pgrx::register_xact_callback(pgrx::PgXactCallbackEvent::Commit, move || super::board::tell(database));
}
