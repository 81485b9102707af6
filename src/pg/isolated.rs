//! `isolated`: the one place that catches PostgreSQL errors.
//!
//! Work runs in an internal sub-transaction that is always rolled back, whether it succeeded or not: locks, settings,
//! role, snapshots, relcache references and memory are as before on return. Only `writing` keeps what was done.

use super::compat;
use super::identity::Identity;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::{PgLogLevel, PgTryBuilder};
use std::panic::AssertUnwindSafe;

/// A PostgreSQL error as a value.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct PgError {
    pub code: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl PgError {
    /// An error of our own, found while talking to the server.
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>) -> PgError {
        PgError { code, message: message.into(), detail: None, hint: None }
    }

    /// The same with what to do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> PgError {
        self.hint = Some(hint.into());
        self
    }

    /// Raises this as a PostgreSQL ERROR; does not return.
    pub fn raise(self) -> ! {
        let mut report = pgrx::pg_sys::panic::ErrorReport::new(self.code, self.message, "index_advisor");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR report does not return")
    }

    /// Whether the session was asked to stop: no statement's fault, so it must not become a statement's reason.
    fn ends_the_call(&self) -> bool {
        use PgSqlErrorCode::*;
        matches!(
            self.code,
            ERRCODE_QUERY_CANCELED
                | ERRCODE_ADMIN_SHUTDOWN
                | ERRCODE_CRASH_SHUTDOWN
                | ERRCODE_DATABASE_DROPPED
                | ERRCODE_CANNOT_CONNECT_NOW
        )
    }
}

impl From<ErrorReportWithLevel> for PgError {
    fn from(report: ErrorReportWithLevel) -> PgError {
        PgError {
            code: report.sql_error_code(),
            message: report.message().to_string(),
            detail: report.detail().map(str::to_string),
            hint: report.hint().map(str::to_string),
        }
    }
}

impl From<CaughtError> for PgError {
    fn from(caught: CaughtError) -> PgError {
        match caught {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report.into(),
            CaughtError::RustPanic { ereport, .. } => ereport.into(),
        }
    }
}

/// Runs catalog queries of ours; the same as `isolated` with `Identity::reader`.
///
/// # Errors
/// As `isolated`.
pub fn reading<T>(work: impl FnOnce() -> T) -> Result<T, PgError> {
    reading_as(&Identity::reader(), work)
}

/// The same as another than the caller.
///
/// # Errors
/// As `isolated`.
pub fn reading_as<T>(identity: &Identity, work: impl FnOnce() -> T) -> Result<T, PgError> {
    isolated(Some(identity), || {
        // As the queries of a volatile function do: see what this session did up to now.
        // SAFETY: the sub-transaction's abort pops the snapshot (AtSubAbort_Snapshot, snapmgr.c).
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        work()
    })
}

/// Runs `work` as `identity` (as the caller if None), catching any error it raises.
///
/// Everything PostgreSQL-side that `work` did is undone on return; only its Rust value survives, which therefore must
/// hold no pointer into server memory allocated within, unless that was allocated in a context of the caller's.
///
/// # Errors
/// The error that `work` raised. A cancel, a statement timeout or a shutdown is raised again instead: it is meant for
/// the whole call.
pub fn isolated<T>(identity: Option<&Identity>, work: impl FnOnce() -> T) -> Result<T, PgError> {
    contained(identity, work, |_| false)
}

/// Runs writes of ours as `identity`: what they wrote stays, as part of the caller's transaction, if they end well, and is
/// undone if not. Role and settings are as before in either case.
///
/// # Errors
/// As `isolated`, and those that `work` gives.
pub fn writing<T>(identity: &Identity, work: impl FnOnce() -> Result<T, PgError>) -> Result<T, PgError> {
    contained(Some(identity), work, Result::is_ok)?
}

/// Runs `work` as the caller, in a sub-transaction: what it did stays, as part of the caller's transaction, if it ends well, and is
/// undone if not.
///
/// # Errors
/// As `isolated`, and those that `work` gives.
pub fn attempting<T>(work: impl FnOnce() -> Result<T, PgError>) -> Result<T, PgError> {
    contained(None, work, Result::is_ok)?
}

/// Runs `work` in a transaction of its own, in a background process that has none; it is committed if `work` ends well.
/// `statement_timeout` in milliseconds cancels it; 0 for no limit.
///
/// # Errors
/// Those that `work` gives, and any error raised in it or on commit, a cancel too: here nothing is left that it could be
/// raised to. Only what ends the process ends it.
pub fn in_transaction<T>(
    statement_timeout: i32,
    work: impl FnOnce() -> Result<T, PgError>,
) -> Result<T, PgError> {
    PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: the protocol of background processes (logical/worker.c and launcher.c): no transaction is open. A commit that fails is
        // caught as well.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let limit = (statement_timeout > 0).then(|| StatementTimeout::start(statement_timeout));
        let value = work()?;
        drop(limit);
        // SAFETY: as above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(value)
    }))
    .catch_others(|caught| Err(PgError::from(caught)))
    .finally(|| {
        // SAFETY: ends what is left of the transaction, in any state; nothing after a commit.
        unsafe { pg_sys::AbortOutOfAnyTransaction() };
    })
    .execute()
}

/// While it lives, the server cancels what this process does after a time.
struct StatementTimeout;

impl StatementTimeout {
    fn start(milliseconds: i32) -> StatementTimeout {
        // SAFETY: registered by InitPostgres for every process that is connected to a database.
        unsafe { compat::enable_statement_timeout(milliseconds) };
        StatementTimeout
    }
}

impl Drop for StatementTimeout {
    fn drop(&mut self) {
        // SAFETY: as above; nothing if it is not running.
        unsafe { compat::disable_statement_timeout() };
    }
}

/// Runs `work` in a sub-transaction that is kept where `keeps` says so of its outcome.
fn contained<T>(
    identity: Option<&Identity>,
    work: impl FnOnce() -> T,
    keeps: impl FnOnce(&T) -> bool,
) -> Result<T, PgError> {
    // SAFETY: the calls follow the protocol that PL handlers use for internal sub-transactions (plpgsql's
    // exec_stmt_block): context and owner are saved first and restored after; AbortSubTransaction (xact.c) releases
    // locks and references by resource owner and puts back role, security context and settings. CommitSubTransaction puts
    // back the settings alone, so the role is put back here.
    let outcome = unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let (mut user, mut security) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut user, &mut security);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        let scratch = pg_sys::AllocSetContextCreateInternal(
            context,
            c"pg_index_advisor isolated".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::MemoryContextSwitchTo(scratch);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
            if let Some(identity) = identity {
                identity.assume();
            }
            let value = work();
            if keeps(&value) {
                pg_sys::SetUserIdAndSecContext(user, security);
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::ReleaseCurrentSubTransaction();
                return Ok((value, true));
            }
            Ok((value, false))
        }))
        .catch_others(|caught| Err(PgError::from(caught)))
        .execute();
        pg_sys::MemoryContextSwitchTo(context);
        if !matches!(outcome, Ok((_, true))) {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        pg_sys::MemoryContextDelete(scratch);
        outcome.map(|(value, _)| value)
    };
    match outcome {
        Err(error) if error.ends_the_call() => error.raise(),
        other => other,
    }
}
