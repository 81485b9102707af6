//! The points of a test build: every hook that PostgreSQL calls while it plans, and the start of the executor.
//!
//! Nothing is raised unless a test of this session has armed it.
//!
//! # Safety
//!
//! Its private unsafe functions are hooks: the server calls them with valid arguments, and what was there before is called
//! with the same ones.

use crate::catalog::Oid;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_int;

/// What happens at a point.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// An ERROR with this code.
    Error(PgSqlErrorCode),
    /// An ERROR that C code raises, on its way through C frames.
    ErrorInC,
    /// A Rust panic.
    Panic,
    /// A cancel that arrives and is taken right here.
    Cancel,
    /// A cancel that arrives here and is taken wherever the server next looks.
    CancelLater,
}

#[derive(Clone, Copy)]
struct Armed {
    /// Points still to pass; the one that finds 0 raises.
    left: u64,
    fault: Fault,
    /// Sub-transaction depth from which on points count.
    level: c_int,
    /// Points between one fault and the next; None for a single fault.
    again: Option<u64>,
}

thread_local! {
    static ARMED: Cell<Option<Armed>> = const { Cell::new(None) };
    static PASSED: Cell<u64> = const { Cell::new(0) };
    static RAISED: Cell<u64> = const { Cell::new(0) };
}

/// Lets the point after `left` others raise `fault`, and every `again` points once more. Only in sub-transactions of the
/// current one: their owner is to catch it.
pub fn arm(left: u64, fault: Fault, again: Option<u64>) {
    PASSED.set(0);
    RAISED.set(0);
    // SAFETY: reads a variable of the backend.
    let level = unsafe { pg_sys::GetCurrentTransactionNestLevel() } + 1;
    ARMED.set(Some(Armed { left, fault, level, again }));
}

/// Ends it; gives how many points were passed since `arm` and how many faults were raised.
pub fn disarm() -> (u64, u64) {
    ARMED.set(None);
    // SAFETY: as the server itself forgets a cancel that came too late (PostgresMain, postgres.c).
    unsafe { pg_sys::QueryCancelPending = 0 };
    (PASSED.get(), RAISED.get())
}

/// A place where a test may make an error happen.
pub fn point() {
    let Some(mut armed) = ARMED.get() else { return };
    // SAFETY: reads a variable of the backend.
    if unsafe { pg_sys::GetCurrentTransactionNestLevel() } < armed.level {
        return;
    }
    PASSED.set(PASSED.get() + 1);
    if armed.left > 0 {
        armed.left -= 1;
        ARMED.set(Some(armed));
        return;
    }
    ARMED.set(armed.again.map(|again| Armed { left: again, ..armed }));
    RAISED.set(RAISED.get() + 1);
    match armed.fault {
        Fault::Error(code) => super::super::isolated::PgError::new(code, "injected error").raise(),
        // SAFETY: raises "cache lookup failed" for a type that does not exist (lsyscache.c).
        Fault::ErrorInC => unsafe {
            let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(pg_sys::InvalidOid, &mut function, &mut parameter);
        },
        Fault::Panic => panic!("injected panic"),
        Fault::Cancel | Fault::CancelLater => {
            // SAFETY: what the handler of SIGINT does (StatementCancelHandler, postgres.c).
            unsafe {
                pg_sys::QueryCancelPending = 1;
                pg_sys::InterruptPending = 1;
            }
            if matches!(armed.fault, Fault::Cancel) {
                pgrx::check_for_interrupts!();
            }
        }
    }
}

/// What the server holds for the session between two statements, and must hold again after an error: depth of
/// sub-transactions, snapshots, holds on interrupts, owner of resources, memory context.
pub fn held() -> String {
    // SAFETY: reads variables of the backend.
    unsafe {
        let (level, snapshot) = (pg_sys::GetCurrentTransactionNestLevel(), pg_sys::ActiveSnapshotSet());
        let holds =
            [pg_sys::InterruptHoldoffCount, pg_sys::QueryCancelHoldoffCount, pg_sys::CritSectionCount];
        let (owner, context) = (pg_sys::CurrentResourceOwner, pg_sys::CurrentMemoryContext);
        format!("level {level}, snapshot {snapshot}, holds {holds:?}, owner {owner:p}, context {context:p}")
    }
}

/// How many references the session holds on a relation's cache entry, apart from the one that looking takes.
pub fn references(relation: Oid) -> i32 {
    // SAFETY: a relation cache look-up whose reference is given back at once.
    unsafe {
        let entry = pg_sys::RelationIdGetRelation(relation.into());
        let Some(held) = entry.as_ref() else { return 0 };
        let count = held.rd_refcnt - 1;
        pg_sys::RelationClose(entry);
        count
    }
}

/// A hook that was there before; a backend is one thread.
struct Previous<T>(UnsafeCell<Option<T>>);
// SAFETY: written once in _PG_init, read by the backend's only thread.
unsafe impl<T> Sync for Previous<T> {}

/// Puts a function of this file into a hook of the server; each passes a point, then calls what was there before, and
/// passes a point again.
macro_rules! hooked {
    ($name:ident, $hook:ident, ($($argument:ident: $kind:ty),*) $(-> $result:ty)?, $default:expr) => {
        mod $name {
            use super::*;

            type Hook = unsafe extern "C-unwind" fn($($kind),*) $(-> $result)?;
            static PREVIOUS: Previous<Hook> = Previous(UnsafeCell::new(None));

            pub(super) fn install() {
                // SAFETY: the documented way, while the library is loaded.
                unsafe {
                    *PREVIOUS.0.get() = pg_sys::$hook;
                    pg_sys::$hook = Some(hook);
                }
            }

            // What #[pg_guard] makes, which loses the arguments' names inside a macro.
            unsafe extern "C-unwind" fn hook($($argument: $kind),*) $(-> $result)? {
                let body = move || {
                    point();
                    // SAFETY: the server's arguments, handed on.
                    let answer = unsafe {
                        let otherwise = $default;
                        match *PREVIOUS.0.get() {
                            #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
                            Some(previous) => pg_sys::ffi::pg_guard_ffi_boundary(|| previous($($argument),*)),
                            None => otherwise($($argument),*),
                        }
                    };
                    point();
                    answer
                };
                // SAFETY: turns a panic into an ERROR, as the server expects of a function it calls.
                unsafe { pg_sys::panic::pgrx_extern_c_guard(body) }
            }
        }
    };
}

hooked!(relation_info, get_relation_info_hook, (
    root: *mut pg_sys::PlannerInfo, oid: pg_sys::Oid, inhparent: bool, rel: *mut pg_sys::RelOptInfo),
    |_, _, _, _| ());
hooked!(pathlist, set_rel_pathlist_hook, (
    root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo, rti: pg_sys::Index, rte: *mut pg_sys::RangeTblEntry),
    |_, _, _, _| ());
hooked!(join_pathlist, set_join_pathlist_hook, (
    root: *mut pg_sys::PlannerInfo, joined: *mut pg_sys::RelOptInfo, outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo, kind: pg_sys::JoinType::Type, extra: *mut pg_sys::JoinPathExtraData),
    |_, _, _, _, _, _| ());
hooked!(upper_paths, create_upper_paths_hook, (
    root: *mut pg_sys::PlannerInfo, stage: pg_sys::UpperRelationKind::Type, input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo, extra: *mut std::ffi::c_void),
    |_, _, _, _, _| ());
hooked!(relation_statistics, get_relation_stats_hook, (
    root: *mut pg_sys::PlannerInfo, entry: *mut pg_sys::RangeTblEntry, column: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData) -> bool,
    |_, _, _, _| false);
hooked!(index_statistics, get_index_stats_hook, (
    root: *mut pg_sys::PlannerInfo, index: pg_sys::Oid, column: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData) -> bool,
    |_, _, _, _| false);
hooked!(average_width, get_attavgwidth_hook, (relation: pg_sys::Oid, column: pg_sys::AttrNumber) -> i32,
    |_, _| 0);
hooked!(executor_start, ExecutorStart_hook, (query: *mut pg_sys::QueryDesc, flags: c_int),
    |query, flags| pg_sys::standard_ExecutorStart(query, flags));

/// Installs the points; once, by `_PG_init`, after the hooks that a release build has.
pub fn init() {
    relation_info::install();
    pathlist::install();
    join_pathlist::install();
    upper_paths::install();
    relation_statistics::install();
    index_statistics::install();
    average_width::install();
    executor_start::install();
}
