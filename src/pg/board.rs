//! `Board`: the shared memory through which sessions tell the launcher that jobs changed, and a short-lived worker tells it
//! what it found. There only where the library is preloaded.

use crate::catalog::Oid;
use crate::schedule::agenda::{Due, Found};
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init, pg_sys};
use std::sync::atomic::{AtomicBool, Ordering};

/// Databases whose jobs changed and that the launcher has not heard of yet; with more, it looks into all.
const MOST_NEWS: usize = 64;
/// NAMEDATALEN: longer names of jobs there are none.
const NAME_BYTES: usize = 64;

/// What sessions and workers tell the launcher.
#[derive(Clone, Copy)]
struct Board {
    /// The launcher's process; 0 while there is none.
    launcher: i32,
    news: [Oid; MOST_NEWS],
    /// More than `MOST_NEWS` of them stand for all databases.
    count: usize,
    /// The database that is being looked into; 0 for none.
    looked_into: Oid,
    answer: Answer,
}

/// What was found there.
#[derive(Clone, Copy)]
enum Answer {
    None,
    Nothing { next: Option<i64> },
    Due { role: Oid, name: [u8; NAME_BYTES], length: usize },
    Trouble,
}

impl Default for Board {
    fn default() -> Board {
        Board { launcher: 0, news: [0; MOST_NEWS], count: 0, looked_into: 0, answer: Answer::None }
    }
}

// SAFETY: plain numbers, no pointers, behind a lock.
unsafe impl PGRXSharedMemory for Board {}

// SAFETY: the name is the extension's own.
static BOARD: PgLwLock<Board> = unsafe { PgLwLock::new(c"pg_index_advisor board") };
static PRELOADED: AtomicBool = AtomicBool::new(false);

/// Asks for the shared memory; once, by `_PG_init`, and only while libraries are preloaded.
#[allow(unexpected_cfgs, reason = "the macro asks for versions that this crate does not build for")]
pub fn init() {
    pg_shmem_init!(BOARD);
    PRELOADED.store(true, Ordering::Relaxed);
}

/// Whether the library was preloaded, so that there is shared memory and a launcher.
pub fn is_preloaded() -> bool {
    PRELOADED.load(Ordering::Relaxed)
}

/// Whether libraries are being preloaded now, by a server for use: while pg_upgrade has it, nothing shall come by itself.
pub fn is_preloading() -> bool {
    // SAFETY: reads variables of the postmaster.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress && !pg_sys::IsBinaryUpgrade }
}

/// The launcher's process; None where none is running.
pub fn launcher() -> Option<i32> {
    let launcher = if is_preloaded() { BOARD.share().launcher } else { 0 };
    // SAFETY: looks the number up among the processes that are there.
    (launcher != 0 && unsafe { !pg_sys::BackendPidGetProc(launcher).is_null() }).then_some(launcher)
}

/// This process is the launcher.
pub fn announce_launcher() {
    // SAFETY: reads a variable of the process.
    BOARD.exclusive().launcher = unsafe { pg_sys::MyProcPid };
}

/// Tells the launcher that the jobs of a database changed. Nothing where there is no launcher: it looks into every database
/// when it starts.
pub fn tell(database: Oid) {
    if !is_preloaded() {
        return;
    }
    {
        let mut board = BOARD.exclusive();
        let count = board.count.min(MOST_NEWS);
        if !board.news[..count].contains(&database) {
            if count < MOST_NEWS {
                board.news[count] = database;
            }
            board.count = count + 1;
        }
    }
    if let Some(launcher) = launcher() {
        wake(launcher);
    }
}

fn wake(process: i32) {
    // SAFETY: a slot of the process array stays memory of the server even if its process ends meanwhile; to set a latch of whoever has
    // it then is harmless (SetLatch, latch.c; as ProcWakeup's callers do).
    unsafe {
        let slot = pg_sys::BackendPidGetProc(process);
        if !slot.is_null() {
            pg_sys::SetLatch(&raw mut (*slot).procLatch);
        }
    }
}

/// Takes the news: databases whose jobs changed; None for possibly all.
pub fn take_news() -> Option<Vec<Oid>> {
    let mut board = BOARD.exclusive();
    let count = std::mem::take(&mut board.count);
    (count <= MOST_NEWS).then(|| board.news[..count].to_vec())
}

/// A worker is going to look into a database.
pub fn expect_answer(database: Oid) {
    let mut board = BOARD.exclusive();
    board.looked_into = database;
    board.answer = Answer::None;
}

/// The worker's answer.
pub fn answer(database: Oid, found: &Found) {
    let mut board = BOARD.exclusive();
    if board.looked_into != database {
        return;
    }
    board.answer = match found {
        Found::Nothing(next) => Answer::Nothing { next: *next },
        Found::Trouble => Answer::Trouble,
        Found::Due(due) => {
            let mut name = [0; NAME_BYTES];
            let length = due.name.len().min(NAME_BYTES);
            name[..length].copy_from_slice(&due.name.as_bytes()[..length]);
            Answer::Due { role: due.role, name, length }
        }
    };
}

/// Takes what the worker that looked into a database found; trouble where it ended without an answer.
pub fn take_answer() -> Found {
    let mut board = BOARD.exclusive();
    board.looked_into = 0;
    match std::mem::replace(&mut board.answer, Answer::None) {
        Answer::Nothing { next } => Found::Nothing(next),
        Answer::Due { role, name, length } => {
            Found::Due(Due { name: String::from_utf8_lossy(&name[..length]).into_owned(), role })
        }
        Answer::None | Answer::Trouble => Found::Trouble,
    }
}
