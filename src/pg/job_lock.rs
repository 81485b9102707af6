//! `JobLock`: what the process that runs a job holds, so that nobody else runs it.
//!
//! An object lock on a row's number of the table of jobs: unlike an advisory lock, no user can take it, and like one it goes
//! with its holder, whatever becomes of that.

use super::isolated::PgError;
use super::scalar;
use crate::history::jobs::Jobs;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// How long a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    EndOfTransaction,
    EndOfProcess,
}

/// Takes the lock of a job; false if somebody else has it.
///
/// # Errors
/// If the table of jobs cannot be read; on a standby.
pub fn take(jobs: &Jobs, name: &str, until: Until) -> Result<bool, PgError> {
    let (table, number) = jobs.lock_numbers(name)?;
    let tag = pg_sys::LOCKTAG {
        // SAFETY: reads a backend variable.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: table,
        locktag_field3: number,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        // The method of advisory locks: one held by a process outlives its transactions, also those that fail, and ends with it
        // (ShutdownPostgres, postinit.c), which the other method's does not.
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    let session = until == Until::EndOfProcess;
    // SAFETY: a well-formed tag (SET_LOCKTAG_OBJECT, lock.h), within a transaction, without waiting.
    let outcome = unsafe { pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as i32, session, true) };
    Ok(outcome != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL)
}

/// The process that runs a job.
///
/// # Errors
/// If the table of jobs cannot be read.
pub fn holder(jobs: &Jobs, name: &str) -> Result<Option<i32>, PgError> {
    let (table, number) = jobs.lock_numbers(name)?;
    let arguments: [DatumWithOid<'_>; 2] =
        [pg_sys::Oid::from(table).into(), pg_sys::Oid::from(number).into()];
    scalar::look_up::<i32>(
        "SELECT l.pid FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_database AS d ON d.oid = l.database
          WHERE d.datname = pg_catalog.current_database() AND l.locktype = 'object' AND l.granted
            AND l.classid = $1 AND l.objid = $2",
        &arguments,
    )
}
