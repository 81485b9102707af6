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

/// What the planner is to see of the session's indexes if this query is the one that EXPLAIN shows; asked once for each.
pub fn asked_for(query: *const pg_sys::Query) -> Option<InSession> {
    if query.is_null() || EXPLAINED.get() != query {
        return None;
    }
    EXPLAINED.set(std::ptr::null());
    session_indexes::in_session()
}

#[pg_guard]
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
    // SAFETY: called by ProcessUtility (utility.c) with valid arguments; the previous hook is a bare pointer.
    unsafe {
        let utility = (*statement).utilityStmt;
        let _restore = node::is_a(utility, pg_sys::NodeTag::T_ExplainStmt)
            .then(|| Restore::after(&ANALYZES, names_analyze(utility.cast())));
        #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
        pg_sys::ffi::pg_guard_ffi_boundary(|| match PREVIOUS_UTILITY.get() {
            Some(previous) => {
                previous(statement, source, read_only, context, bound, environment, destination, completion)
            }
            None => pg_sys::standard_ProcessUtility(
                statement,
                source,
                read_only,
                context,
                bound,
                environment,
                destination,
                completion,
            ),
        });
    }
}

unsafe fn names_analyze(statement: *mut pg_sys::ExplainStmt) -> bool {
    unsafe {
        node::list::<pg_sys::DefElem>((*statement).options)
            .any(|option| owned((*option).defname).is_some_and(|name| name == "analyze"))
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn explain_one_query(
    query: *mut pg_sys::Query,
    options: c_int,
    into: *mut pg_sys::IntoClause,
    state: *mut pg_sys::ExplainState,
    source: *const c_char,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
) {
    // SAFETY: called by ExplainOneQuery (explain.c) with valid arguments; the previous hook is a bare pointer.
    unsafe {
        let simulates = !(*state).analyze && !ANALYZES.get() && session_indexes::any();
        let _restore = simulates.then(|| Restore::after(&EXPLAINED, query.cast_const()));
        match PREVIOUS_EXPLAIN.get() {
            Some(previous) =>
            {
                #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
                pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    previous(query, options, into, state, source, bound, environment)
                })
            }
            None => compat::explain_one_query(query, options, into, state, source, bound, environment),
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn index_name(index: pg_sys::Oid) -> *const c_char {
    if let Some(name) = session_indexes::name(index.to_u32())
        && let Ok(name) = CString::new(name)
    {
        // SAFETY: a copy in the context that EXPLAIN works in.
        return unsafe { pg_sys::pstrdup(name.as_ptr()) };
    }
    match PREVIOUS_NAME.get() {
        // SAFETY: a bare pointer, hence guarded.
        Some(previous) => unsafe {
            #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous(index))
        },
        None => std::ptr::null(),
    }
}
