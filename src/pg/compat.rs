//! What differs between PostgreSQL's versions, and server functions that pgrx does not bind. No other file has a cfg
//! on the version.

use pgrx::pg_sys;
use std::ffi::{CStr, c_char, c_int};

unsafe extern "C-unwind" {
    // parser/parse_param.h
    fn setup_parse_variable_parameters(
        pstate: *mut pg_sys::ParseState,
        types: *mut *mut pg_sys::Oid,
        count: *mut c_int,
    );
    // rewrite/rewriteManip.h
    fn ChangeVarNodes(node: *mut pg_sys::Node, from: c_int, to: c_int, sublevels_up: c_int);
    // parser/parse_utilcmd.h
    fn transformIndexStmt(
        relation: pg_sys::Oid,
        statement: *mut pg_sys::IndexStmt,
        source: *const c_char,
    ) -> *mut pg_sys::IndexStmt;
    // catalog/pg_inherits.h
    fn find_all_inheritors(
        parent: pg_sys::Oid,
        lock: pg_sys::LOCKMODE,
        parents: *mut *mut pg_sys::List,
    ) -> *mut pg_sys::List;
    // catalog/partition.h
    fn get_partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List;
    // tcop/tcopprot.h
    fn die(signal: c_int);
    // utils/timeout.h
    fn enable_timeout_after(timeout: c_int, milliseconds: c_int);
    fn disable_timeout(timeout: c_int, keep_indicator: bool);
}

/// `STATEMENT_TIMEOUT` of utils/timeout.h, the same in all versions.
const STATEMENT_TIMEOUT: c_int = 3;

/// Lets the server cancel what this process does after a time.
///
/// # Safety
/// The process must be connected to a database.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn enable_statement_timeout(milliseconds: c_int) {
    // SAFETY: the caller's promise; errors cross no Rust frame with a destructor.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| enable_timeout_after(STATEMENT_TIMEOUT, milliseconds)) };
}

/// Takes that back.
///
/// # Safety
/// As `enable_statement_timeout`.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn disable_statement_timeout() {
    // SAFETY: as above.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| disable_timeout(STATEMENT_TIMEOUT, false)) };
}

/// Lets SIGTERM end this process at the next point where it can be interrupted, as clients' processes do.
///
/// # Safety
/// Signals must be blocked.
pub unsafe fn end_when_interruptible() {
    // signal.h; the same number on every system that PostgreSQL runs on.
    const SIGTERM: c_int = 15;
    // SAFETY: `die` only sets flags.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(SIGTERM, Some(die));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(SIGTERM, Some(die));
    }
}

/// Renumbers the range table entry that an expression's columns refer to.
///
/// # Safety
/// `node` must be NULL or a valid expression tree that nothing else shares.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn change_varno(node: *mut pg_sys::Node, from: pg_sys::Index, to: pg_sys::Index) {
    if from != to {
        // SAFETY: the caller's promise; errors cross no Rust frame with a destructor.
        unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| ChangeVarNodes(node, from as c_int, to as c_int, 0)) };
    }
}

/// Lets `$n` of any type stand in the text; inferred types appear in `types` as analysis goes on.
///
/// # Safety
/// `types` and `count` must stay valid as long as `pstate` is used; `*types` must be palloc'd with `*count` entries.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn accept_parameters(
    pstate: *mut pg_sys::ParseState,
    types: *mut *mut pg_sys::Oid,
    count: *mut c_int,
) {
    // SAFETY: as above.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| setup_parse_variable_parameters(pstate, types, count));
    }
}

/// Analyses the expressions of a raw CREATE INDEX.
///
/// # Safety
/// `relation` must be locked, `statement` a raw parse tree of `source`.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn transform_index_statement(
    relation: pg_sys::Oid,
    statement: *mut pg_sys::IndexStmt,
    source: &CStr,
) -> *mut pg_sys::IndexStmt {
    let source = source.as_ptr();
    // SAFETY: the caller's promise; errors cross no Rust frame with a destructor.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| transformIndexStmt(relation, statement, source)) }
}

/// A relation and all that inherit from it, locked; a list of OIDs.
///
/// # Safety
/// Needs a transaction.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn inheritors(relation: pg_sys::Oid, lock: pg_sys::LOCKMODE) -> *mut pg_sys::List {
    let parents = std::ptr::null_mut();
    // SAFETY: catalog look-ups and locks; errors cross no Rust frame with a destructor.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| find_all_inheritors(relation, lock, parents)) }
}

/// The parents of a partition, nearest first; NIL for anything else.
///
/// # Safety
/// Needs a transaction; `relation` must be a partition.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List {
    // SAFETY: catalog look-up; raises only for a relation that is no partition.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| get_partition_ancestors(relation)) }
}

/// Whether a relation has no path yet that makes this one pointless (`add_path_precheck`, pathnode.c).
///
/// # Safety
/// Both must be valid and of one planner call.
pub unsafe fn is_worth_adding(rel: *mut pg_sys::RelOptInfo, path: *mut pg_sys::Path) -> bool {
    unsafe {
        let param = (*path).param_info;
        let required = if param.is_null() { std::ptr::null_mut() } else { (*param).ppi_req_outer };
        #[cfg(not(feature = "pg18"))]
        {
            pg_sys::add_path_precheck(
                rel,
                (*path).startup_cost,
                (*path).total_cost,
                (*path).pathkeys,
                required,
            )
        }
        #[cfg(feature = "pg18")]
        {
            pg_sys::add_path_precheck(
                rel,
                (*path).disabled_nodes,
                (*path).startup_cost,
                (*path).total_cost,
                (*path).pathkeys,
                required,
            )
        }
    }
}

/// Raises "permission denied" unless the current role may run the plan, as the executor would check on start.
///
/// # Safety
/// `plan` must be a valid finished plan.
pub unsafe fn check_permissions(plan: *mut pg_sys::PlannedStmt) {
    // SAFETY: as above.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::ExecCheckRTPerms((*plan).rtable, true);
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        pg_sys::ExecCheckPermissions((*plan).rtable, (*plan).permInfos, true);
    }
}

/// The members of an equivalence class that speak of `rel` alone. Of a relation that is read as part of another (an arm of UNION ALL,
/// a child table) those are the copies of the parent's members (`add_child_rel_equivalences`, equivclass.c).
///
/// # Safety
/// Both must be of one planner call that is under way.
pub unsafe fn members_of(
    class: *const pg_sys::EquivalenceClass,
    rel: *const pg_sys::RelOptInfo,
) -> Vec<*mut pg_sys::EquivalenceMember> {
    // SAFETY: as promised by the caller; the array has ec_childmembers_size elements.
    unsafe {
        let is_own =
            |member: &*mut pg_sys::EquivalenceMember| pg_sys::bms_equal((**member).em_relids, (*rel).relids);
        let members = super::node::list::<pg_sys::EquivalenceMember>((*class).ec_members).filter(is_own);
        #[cfg(not(feature = "pg18"))]
        return members.collect();
        #[cfg(feature = "pg18")]
        {
            let at = (*rel).relid as usize;
            let of_child = !(*class).ec_childmembers.is_null() && at < (*class).ec_childmembers_size as usize;
            let children = if of_child { *(*class).ec_childmembers.add(at) } else { std::ptr::null_mut() };
            members.chain(super::node::list(children).filter(is_own)).collect()
        }
    }
}

/// Whether a pathkey asks for descending order; None for an ordering that is neither.
///
/// # Safety
/// `pathkey` must be valid.
pub unsafe fn pathkey_descending(pathkey: *const pg_sys::PathKey) -> Option<bool> {
    #[cfg(not(feature = "pg18"))]
    let (order, less, greater) = (
        unsafe { (*pathkey).pk_strategy },
        pg_sys::BTLessStrategyNumber as c_int,
        pg_sys::BTGreaterStrategyNumber as c_int,
    );
    #[cfg(feature = "pg18")]
    let (order, less, greater) =
        (unsafe { (*pathkey).pk_cmptype }, pg_sys::CompareType::COMPARE_LT, pg_sys::CompareType::COMPARE_GT);
    match order {
        o if o == less => Some(false),
        o if o == greater => Some(true),
        _ => None,
    }
}

/// The paths that a set operation reads: until version 17 one, of both sides together.
///
/// # Safety
/// `path` must be valid.
pub unsafe fn inputs(path: *const pg_sys::SetOpPath) -> Vec<*mut pg_sys::Path> {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        return vec![(*path).subpath];
        #[cfg(feature = "pg18")]
        vec![(*path).leftpath, (*path).rightpath]
    }
}

/// Whether what was found out of a merge clause was found out for the order of this pathkey.
///
/// # Safety
/// Both must be valid and of one planner call.
pub unsafe fn is_of_order(
    selectivity: *const pg_sys::MergeScanSelCache,
    pathkey: *const pg_sys::PathKey,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        let same_direction = (*selectivity).strategy == (*pathkey).pk_strategy;
        #[cfg(feature = "pg18")]
        let same_direction = (*selectivity).cmptype == (*pathkey).pk_cmptype;
        same_direction
            && (*selectivity).opfamily == (*pathkey).pk_opfamily
            && (*selectivity).nulls_first == (*pathkey).pk_nulls_first
            && (*selectivity).collation == (*(*pathkey).pk_eclass).ec_collation
    }
}

/// Ascending order, as mergejoinscansel (selfuncs.c) is told of it.
#[cfg(not(feature = "pg18"))]
pub const ASCENDING: c_int = pg_sys::BTLessStrategyNumber as c_int;
#[cfg(feature = "pg18")]
pub const ASCENDING: pg_sys::CompareType::Type = pg_sys::CompareType::COMPARE_LT;

/// Whether a merge join reads its inner side to the end because it gives rows that match nothing (`initial_cost_mergejoin`,
/// costsize.c); version 15 knows fewer such joins.
pub fn gives_unmatched_inner(join: pg_sys::JoinType::Type) -> bool {
    use pg_sys::JoinType;
    #[cfg(not(feature = "pg15"))]
    if join == JoinType::JOIN_RIGHT_ANTI {
        return true;
    }
    matches!(join, JoinType::JOIN_RIGHT | JoinType::JOIN_FULL)
}

/// Sets the cost function of an index, whose field is typed from version 16 on only.
///
/// # Safety
/// `info` must be valid.
pub unsafe fn set_cost_function(info: *mut pg_sys::IndexOptInfo, cost: pg_sys::amcostestimate_function) {
    unsafe {
        #[cfg(feature = "pg15")]
        {
            // SAFETY: plancat.c stores the same pointer in the same untyped field.
            (*info).amcostestimate = std::mem::transmute::<
                pg_sys::amcostestimate_function,
                Option<unsafe extern "C-unwind" fn()>,
            >(cost);
        }
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        {
            (*info).amcostestimate = cost;
        }
    }
}

/// Says that a unique index takes NULLs for equal, which the planner asks from version 18 on.
///
/// # Safety
/// `info` must be valid.
pub unsafe fn set_nulls_not_distinct(info: *mut pg_sys::IndexOptInfo, nulls_not_distinct: bool) {
    #[cfg(not(feature = "pg18"))]
    let _ = (info, nulls_not_distinct);
    #[cfg(feature = "pg18")]
    // SAFETY: the caller's promise.
    unsafe {
        (*info).nullsnotdistinct = nulls_not_distinct;
    }
}

/// Marks a path as one that the planner takes only where there is no other (known from version 18 on, which no longer goes by
/// infinite costs alone; twice, as pgvector does, to lose against paths that a setting disables).
///
/// # Safety
/// `path` must be valid.
pub unsafe fn disable(path: *mut pg_sys::IndexPath) {
    #[cfg(not(feature = "pg18"))]
    let _ = path;
    #[cfg(feature = "pg18")]
    // SAFETY: as above.
    unsafe {
        (*path).path.disabled_nodes = 2;
    }
}

/// Whether an outer join may have replaced the column by NULL at this point (known from version 16 on).
///
/// # Safety
/// `var` must be valid.
pub unsafe fn is_nulled(var: *const pg_sys::Var) -> bool {
    #[cfg(feature = "pg15")]
    {
        let _ = var;
        false
    }
    #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
    unsafe {
        !(*var).varnullingrels.is_null()
    }
}

/// Gives back what examine_variable took (the macro ReleaseVariableStats, selfuncs.h).
///
/// # Safety
/// `variable` must have been filled by examine_variable, and not been released.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe fn release_statistics(variable: &pg_sys::VariableStatData) {
    if let Some(free) = variable.freefunc
        && !variable.statsTuple.is_null()
    {
        let tuple = variable.statsTuple;
        // SAFETY: the function that whoever supplied the tuple named for it.
        unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| free(tuple)) };
    }
}

/// A column's attribute; `index` counts from 0.
///
/// # Safety
/// `index` must lie within the descriptor.
pub unsafe fn attribute(descriptor: pg_sys::TupleDesc, index: usize) -> pg_sys::Form_pg_attribute {
    unsafe {
        #[cfg(not(feature = "pg18"))]
        {
            (&raw mut (*descriptor).attrs).cast::<pg_sys::FormData_pg_attribute>().add(index)
        }
        #[cfg(feature = "pg18")]
        {
            // TupleDescAttr (tupdesc.h): the full attributes follow the compact ones.
            (&raw mut (*descriptor).compact_attrs)
                .cast::<pg_sys::CompactAttribute>()
                .add((*descriptor).natts as usize)
                .cast::<pg_sys::FormData_pg_attribute>()
                .add(index)
        }
    }
}

/// Whether a GIN index is built by several processes, which sort the keys before any is inserted.
pub const GIN_BUILDS_IN_PARALLEL: bool = cfg!(feature = "pg18");

/// Server functions as they are, for hooks that hand a call on without being in the way: an error goes through the caller's frame.
pub mod unguarded {
    use pgrx::pg_sys;
    use std::ffi::{c_char, c_int};

    unsafe extern "C-unwind" {
        /// optimizer/planner.h
        pub fn standard_planner(
            query: *mut pg_sys::Query,
            source: *const c_char,
            options: c_int,
            bound: pg_sys::ParamListInfo,
        ) -> *mut pg_sys::PlannedStmt;
        /// tcop/utility.h
        pub fn standard_ProcessUtility(
            statement: *mut pg_sys::PlannedStmt,
            source: *const c_char,
            read_only: bool,
            context: pg_sys::ProcessUtilityContext::Type,
            bound: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            destination: *mut pg_sys::DestReceiver,
            completion: *mut pg_sys::QueryCompletion,
        );
        /// commands/explain.h
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        pub fn standard_ExplainOneQuery(
            query: *mut pg_sys::Query,
            options: c_int,
            into: *mut pg_sys::IntoClause,
            state: *mut pg_sys::ExplainState,
            source: *const c_char,
            bound: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
        );
        /// tcop/tcopprot.h
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        pub fn pg_plan_query(
            query: *mut pg_sys::Query,
            source: *const c_char,
            options: c_int,
            bound: pg_sys::ParamListInfo,
        ) -> *mut pg_sys::PlannedStmt;
        /// commands/explain.h
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        pub fn ExplainOnePlan(
            plan: *mut pg_sys::PlannedStmt,
            into: *mut pg_sys::IntoClause,
            state: *mut pg_sys::ExplainState,
            source: *const c_char,
            bound: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            duration: *const pg_sys::instr_time,
            used: *const pg_sys::BufferUsage,
        );
    }
}

/// EXPLAIN of one query as the server does it where no hook is in the way (explain.c): a function of its own from version 17 on.
/// A plain frame, which errors may pass.
///
/// # Safety
/// The arguments must be those of ExplainOneQuery_hook.
#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
#[allow(clippy::too_many_arguments, reason = "the hook's signature")]
pub unsafe fn explain_one_query(
    query: *mut pg_sys::Query,
    options: c_int,
    into: *mut pg_sys::IntoClause,
    state: *mut pg_sys::ExplainState,
    source: *const c_char,
    bound: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
) {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        unguarded::standard_ExplainOneQuery(query, options, into, state, source, bound, environment);
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            let used_before = pg_sys::pgBufferUsage;
            let started = std::time::Instant::now();
            let plan = unguarded::pg_plan_query(query, source, options, bound);
            let duration = instr_time(started.elapsed());
            let mut used = pg_sys::BufferUsage::default();
            let buffers = (*state).buffers;
            if buffers {
                pg_sys::BufferUsageAccumDiff(&mut used, &raw const pg_sys::pgBufferUsage, &used_before);
            }
            let used = if buffers { &raw const used } else { std::ptr::null() };
            unguarded::ExplainOnePlan(plan, into, state, source, bound, environment, &duration, used);
        }
    }
}

/// The server's kind of duration.
#[cfg(any(feature = "pg15", feature = "pg16"))]
fn instr_time(duration: std::time::Duration) -> pg_sys::instr_time {
    #[cfg(feature = "pg15")]
    {
        pg_sys::instr_time { tv_sec: duration.as_secs() as _, tv_nsec: duration.subsec_nanos() as _ }
    }
    #[cfg(feature = "pg16")]
    {
        pg_sys::instr_time { ticks: duration.as_nanos() as i64 }
    }
}

/// Prints a plan that is not to be executed, as EXPLAIN does.
///
/// # Safety
/// `plan` must be a valid finished plan of `source`, `state` begun.
pub unsafe fn explain_plan(
    plan: *mut pg_sys::PlannedStmt,
    state: *mut pg_sys::ExplainState,
    source: &CStr,
    bound: pg_sys::ParamListInfo,
) {
    let (no_into, no_environment) = (std::ptr::null_mut(), std::ptr::null_mut());
    let (no_duration, no_usage) = (std::ptr::null(), std::ptr::null());
    let source = source.as_ptr();
    // SAFETY: the caller's promise; NULL where EXPLAIN would have nothing to report.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        pg_sys::ExplainOnePlan(plan, no_into, state, source, bound, no_environment, no_duration, no_usage);
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        pg_sys::ExplainOnePlan(
            plan,
            no_into,
            state,
            source,
            bound,
            no_environment,
            no_duration,
            no_usage,
            std::ptr::null(),
        );
    }
}

/// A node as text, with the places in the source that its parts come from: a function of its own from version 17 on, before
/// that what `nodeToString` does.
///
/// # Safety
/// `node` must be a valid node; the text lives in the current memory context.
pub unsafe fn node_to_string(node: *const pg_sys::Node) -> *mut std::ffi::c_char {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        return pg_sys::nodeToString(node.cast());
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        return pg_sys::nodeToStringWithLocations(node.cast());
    }
}

/// Lets EXPLAIN print a plan with parameters that have no value (GENERIC_PLAN, from version 16 on).
///
/// # Safety
/// `state` must be valid.
pub unsafe fn explain_generic(state: *mut pg_sys::ExplainState) {
    #[cfg(feature = "pg15")]
    let _ = state;
    #[cfg(not(feature = "pg15"))]
    // SAFETY: the caller's promise.
    unsafe {
        (*state).generic = true;
    }
}

/// Says how detailed the statistics of a column that is being analysed shall be, -1 for the server's default.
///
/// # Safety
/// `stats` must be valid; the current memory context must outlive it.
pub unsafe fn set_statistics_target(stats: *mut pg_sys::VacAttrStats, target: i16) {
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            // A made-up column, of which the analyze functions read the target alone (as examine_expression in
            // statistics/extended_stats.c does).
            let attribute = pg_sys::palloc0(size_of::<pg_sys::FormData_pg_attribute>())
                .cast::<pg_sys::FormData_pg_attribute>();
            (*attribute).attstattarget = c_int::from(target) as _;
            (*stats).attr = attribute;
        }
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        {
            (*stats).attstattarget = c_int::from(target);
        }
    }
}

/// As whom the rows of a range table entry are read where that is not the current user: the owner of the view that it
/// stands in; InvalidOid otherwise.
///
/// # Safety
/// `rel` and `entry` must be the valid ones of one range table entry.
pub unsafe fn read_as(rel: *const pg_sys::RelOptInfo, entry: *const pg_sys::RangeTblEntry) -> pg_sys::Oid {
    unsafe {
        #[cfg(feature = "pg15")]
        {
            let _ = rel;
            (*entry).checkAsUser
        }
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        {
            let _ = entry;
            (*rel).userid
        }
    }
}
