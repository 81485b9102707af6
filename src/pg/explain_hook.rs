//! EXPLAIN in a session with hypothetical indexes: whether it may see them, and what they are called in its output.
//!
//! Only the plan of a statement that EXPLAIN itself plans, and does not run, is simulated: not that of EXPLAIN (ANALYZE ...), not that of
//! EXPLAIN EXECUTE, whose plan stays in the plan cache, and nothing else that the server plans meanwhile.
//!
//! # Safety
//!
//! Its private unsafe functions are the server's hooks, called with valid arguments.

use super::compat;
use super::hook::Previous;
use super::node;
use super::scalar::owned;
use super::session_indexes::{self, InSession};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_int};

type ExplainHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::Query,
    c_int,
    *mut pg_sys::IntoClause,
    *mut pg_sys::ExplainState,
    *const c_char,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
);
type UtilityHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannedStmt,
    *const c_char,
    bool,
    pg_sys::ProcessUtilityContext::Type,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
    *mut pg_sys::DestReceiver,
    *mut pg_sys::QueryCompletion,
);
type NameHook = unsafe extern "C-unwind" fn(pg_sys::Oid) -> *const c_char;

static PREVIOUS_EXPLAIN: Previous<ExplainHook> = Previous::none();
static PREVIOUS_UTILITY: Previous<UtilityHook> = Previous::none();
static PREVIOUS_NAME: Previous<NameHook> = Previous::none();

thread_local! {
    /// The query that EXPLAIN is about to have planned for showing only.
    static EXPLAINED: Cell<*const pg_sys::Query> = const { Cell::new(std::ptr::null()) };
    /// Whether the EXPLAIN being executed names an analyze option, be it off.
    static ANALYZES: Cell<bool> = const { Cell::new(false) };
}

/// Puts a thread-local back when the block ends, also by an error.
struct Restore<T: Copy + 'static>(&'static std::thread::LocalKey<Cell<T>>, T);

impl<T: Copy> Restore<T> {
    fn after(cell: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Restore<T> {
        Restore(cell, cell.replace(value))
    }
}

impl<T: Copy> Drop for Restore<T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// Installs the hooks; called once, by `_PG_init`.
pub fn init() {
    // SAFETY: the documented way, while the library is loaded.
    unsafe {
        PREVIOUS_EXPLAIN.keep(pg_sys::ExplainOneQuery_hook);
        pg_sys::ExplainOneQuery_hook = Some(explain_one_query);
        PREVIOUS_UTILITY.keep(pg_sys::ProcessUtility_hook);
        pg_sys::ProcessUtility_hook = Some(process_utility);
        PREVIOUS_NAME.keep(pg_sys::explain_get_index_name_hook);
        pg_sys::explain_get_index_name_hook = Some(index_name);
    }
}

/// Whether this query is the one that EXPLAIN is about to show.
pub fn explains(query: *const pg_sys::Query) -> bool {
    !query.is_null() && EXPLAINED.get() == query
}

/// What the planner is to see of the session's indexes if this query is the one that EXPLAIN shows; asked once for each.
pub fn asked_for(query: *const pg_sys::Query) -> Option<InSession> {
    if !explains(query) {
        return None;
    }
    EXPLAINED.set(std::ptr::null());
    session_indexes::in_session()
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
#[allow(clippy::too_many_arguments, reason = "the hook's signature")]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    source: *const c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: called by ProcessUtility (utility.c) with valid arguments.
    unsafe {
        let next = if node::is_a((*statement).utilityStmt, pg_sys::NodeTag::T_ExplainStmt)
            && session_indexes::any()
        {
            execute_explain
        } else {
            next_utility
        };
        next(statement, source, read_only, context, bound, environment, destination, completion);
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
#[allow(clippy::too_many_arguments, reason = "the hook's signature")]
unsafe extern "C-unwind" fn next_utility(
    statement: *mut pg_sys::PlannedStmt,
    source: *const c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    let next = PREVIOUS_UTILITY.get().unwrap_or(compat::unguarded::standard_ProcessUtility);
    // SAFETY: the hook's own arguments.
    unsafe { next(statement, source, read_only, context, bound, environment, destination, completion) }
}

/// EXPLAIN in a session with hypothetical indexes: notes whether it has an analyze option.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "the hook's signature")]
unsafe extern "C-unwind" fn execute_explain(
    statement: *mut pg_sys::PlannedStmt,
    source: *const c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the hook's own arguments; guarded, as what is noted is taken back by a destructor.
    unsafe {
        let _restore = Restore::after(&ANALYZES, names_analyze((*statement).utilityStmt.cast()));
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            next_utility(statement, source, read_only, context, bound, environment, destination, completion);
        });
    }
}

unsafe fn names_analyze(statement: *mut pg_sys::ExplainStmt) -> bool {
    unsafe {
        node::list::<pg_sys::DefElem>((*statement).options)
            .any(|option| owned((*option).defname).is_some_and(|name| name == "analyze"))
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn explain_one_query(
    query: *mut pg_sys::Query,
    options: c_int,
    into: *mut pg_sys::IntoClause,
    state: *mut pg_sys::ExplainState,
    source: *const c_char,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
) {
    // SAFETY: called by ExplainOneQuery (explain.c) with valid arguments.
    unsafe {
        let simulates = !(*state).analyze && !ANALYZES.get() && session_indexes::any();
        let next = if simulates { simulate } else { next_explain };
        next(query, options, into, state, source, bound, environment);
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn next_explain(
    query: *mut pg_sys::Query,
    options: c_int,
    into: *mut pg_sys::IntoClause,
    state: *mut pg_sys::ExplainState,
    source: *const c_char,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
) {
    // SAFETY: the hook's own arguments.
    unsafe {
        match PREVIOUS_EXPLAIN.get() {
            Some(previous) => previous(query, options, into, state, source, bound, environment),
            None => compat::explain_one_query(query, options, into, state, source, bound, environment),
        }
    }
}

/// Explains a query whose plan is only shown.
#[pg_guard]
unsafe extern "C-unwind" fn simulate(
    query: *mut pg_sys::Query,
    options: c_int,
    into: *mut pg_sys::IntoClause,
    state: *mut pg_sys::ExplainState,
    source: *const c_char,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
) {
    // SAFETY: the hook's own arguments; guarded, as what is noted is taken back by a destructor.
    unsafe {
        let _restore = Restore::after(&EXPLAINED, query.cast_const());
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            next_explain(query, options, into, state, source, bound, environment);
        });
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn index_name(index: pg_sys::Oid) -> *const c_char {
    // SAFETY: called by explain_get_index_name (explain.c).
    unsafe {
        let ours = own_name(index);
        match PREVIOUS_NAME.get() {
            Some(previous) if ours.is_null() => previous(index),
            _ => ours,
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn own_name(index: pg_sys::Oid) -> *const c_char {
    let name = session_indexes::name(index.to_u32()).and_then(|name| CString::new(name).ok());
    // SAFETY: a copy in the context that EXPLAIN works in.
    name.map_or(std::ptr::null(), |name| unsafe { pg_sys::pstrdup(name.as_ptr()).cast_const() })
}
