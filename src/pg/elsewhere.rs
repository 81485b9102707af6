//! One statement in another database of this server, as the caller: in a background process that is connected there.
//!
//! The server has no other way without dblink. What the statement did stays done whatever becomes of the caller's transaction.

use super::identity::set_setting;
use super::isolated::PgError;
use super::process;
use crate::catalog::Oid;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};

/// Longest statement, and longest message of an error, bytes.
const ROOM: usize = 8192;

const WAITING: u32 = 0;
const DONE: u32 = 1;
const FAILED: u32 = 2;

/// What the two processes share.
#[repr(C)]
struct Letter {
    state: AtomicU32,
    /// What the statement returned.
    rows: usize,
    length: usize,
    /// The statement, then the message of its error.
    text: [u8; ROOM],
}

impl Letter {
    fn write(&mut self, text: &str) {
        let mut length = text.len().min(ROOM);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.text[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length = length;
    }

    fn read(&self) -> String {
        String::from_utf8_lossy(&self.text[..self.length.min(ROOM)]).into_owned()
    }
}

/// Runs a statement in the database of this name, as the caller, with no schema but the system's on the search path, and
/// commits it there; the number of rows that it returned.
///
/// # Errors
/// If there is no such database, or the caller may not connect to it; the error of the statement.
pub fn execute(database: &str, statement: &str) -> Result<usize, PgError> {
    if statement.len() > ROOM {
        return Err(PgError::new(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the statement is too long"));
    }
    let oid = oid_of(database)?;
    // SAFETY: reads a backend variable.
    let role = unsafe { pg_sys::GetUserId() }.to_u32();
    // SAFETY: the segment lives until it is detached below or, on an error, until the transaction ends; it is as large as a
    // Letter and aligned for it (dsm.c gives whole pages), and is filled before anybody else knows of it.
    let (segment, letter, handle) = unsafe {
        let segment = pg_sys::dsm_create(size_of::<Letter>(), 0);
        let letter = pg_sys::dsm_segment_address(segment).cast::<Letter>();
        (*letter).state = AtomicU32::new(WAITING);
        (*letter).rows = 0;
        (*letter).write(statement);
        (segment, letter, pg_sys::dsm_segment_handle(segment))
    };
    let ended = process::run_elsewhere(oid, role, handle);
    // SAFETY: still attached, and the other process has ended.
    let (state, rows, text) = unsafe {
        let outcome = ((*letter).state.load(Ordering::Acquire), (*letter).rows, (*letter).read());
        pg_sys::dsm_detach(segment);
        outcome
    };
    match (ended, state) {
        (false, _) => Err(PgError::new(ERRCODE_INSUFFICIENT_RESOURCES, "all background workers are in use")
            .with_hint("max_worker_processes may be too small.")),
        (true, DONE) => Ok(rows),
        (true, FAILED) => Err(PgError::new(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, text)),
        (true, _) => Err(PgError::new(
            ERRCODE_CONNECTION_EXCEPTION,
            format!("database \"{database}\" could not be connected to; the server's log says why"),
        )),
    }
}

fn oid_of(database: &str) -> Result<Oid, PgError> {
    let name = CString::new(database).unwrap_or_default();
    // SAFETY: missing_ok: gives InvalidOid for an unknown name.
    let oid = unsafe { pg_sys::get_database_oid(name.as_ptr(), true) };
    match oid == pg_sys::InvalidOid {
        true => {
            Err(PgError::new(ERRCODE_INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist")))
        }
        false => Ok(oid.to_u32()),
    }
}

/// In the other process, which is connected already: runs the statement that lies in a segment, and leaves there how it went.
pub fn serve(handle: u32) {
    // SAFETY: gives NULL if the one who asked is gone; else the segment stays mapped until this process ends, and the other only
    // reads it after this process has ended.
    let letter = unsafe {
        let segment = pg_sys::dsm_attach(handle);
        if segment.is_null() {
            return;
        }
        &mut *pg_sys::dsm_segment_address(segment).cast::<Letter>()
    };
    let statement = letter.read();
    process::show("pg_index_advisor", &statement);
    let outcome = process::transaction(true, || {
        set_setting("search_path", "pg_catalog, pg_temp");
        pgrx::Spi::connect_mut(|client| client.update(&statement, None, &[]).map(|rows| rows.len()))
            .map_err(super::scalar::spi_error)
    });
    let state = match outcome {
        Ok(rows) => {
            letter.rows = rows;
            DONE
        }
        Err(error) => {
            letter.write(&error.message);
            FAILED
        }
    };
    letter.state.store(state, Ordering::Release);
}
