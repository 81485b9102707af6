//! The planner hooks: hypothetical indexes go in by one, the statistics of their expressions by another, and what a
//! statement needs comes out by the third.
//!
//! They do nothing unless a planner call of ours is running: `planner` puts a `Configuration` or a `Collector` in
//! force for the time of one call and takes it away whatever happens (invariant 1).
//!
//! Every planner call of every session passes here, so a hook that has nothing to do is a plain frame: no guard, no destructor, and
//! an error of the server goes through it as if it were not there, with all its fields.
//!
//! # Safety
//!
//! Its private unsafe functions are the server's hooks or run within them, on their arguments.

use super::compat;
use super::explain_hook;
use super::expression_statistics::{self, ExpressionStatistics};
use super::facts::Collector;
use super::hypothetical::Hypothetical;
use super::index_cost::Costing;
use super::pricing::{self, Join, Pricing};
use super::storage::Storage;
use crate::catalog::Oid;
use crate::cost::in_memory::buffers::Buffers;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_char, c_int};
use std::rc::Rc;

/// What one planner call sees of things that are not there.
#[derive(Clone, Copy, Default)]
pub struct Configuration<'a> {
    /// Hypothetical indexes.
    pub indexes: &'a [&'a Hypothetical],
    /// Real indexes that it does not see.
    pub hidden: &'a [Oid],
    /// Statistics of expressions in hypothetical indexes.
    pub statistics: &'a [Rc<ExpressionStatistics>],
    /// Whether the statistics count also where no index on the expression is in view: so that plans with and without it
    /// are estimated alike, and differ by the index alone.
    pub statistics_without_index: bool,
    /// How rows lie in the tables, and how large these are, for the cost in memory.
    pub storage: Option<&'a Storage>,
    /// What the hypothetical indexes cost to have.
    pub pricing: Option<&'a Pricing>,
}

impl<'a> Configuration<'a> {
    /// Of a statement whose plans rest on `statistics`, with an index on the expressions and without.
    pub fn resting_on(
        indexes: &'a [&'a Hypothetical],
        hidden: &'a [Oid],
        statistics: &'a [Rc<ExpressionStatistics>],
        storage: Option<&'a Storage>,
    ) -> Configuration<'a> {
        Configuration { indexes, hidden, statistics, statistics_without_index: true, storage, pricing: None }
    }

    /// What finds room in shared buffers, as far as it is known how much there is.
    pub fn buffers(&self) -> Buffers {
        self.storage.map_or(Buffers::AMPLE, Storage::buffers)
    }
}

thread_local! {
    static CONFIGURATION: Cell<*const Configuration<'static>> = const { Cell::new(std::ptr::null()) };
    /// The top level of the planner call under way.
    static ROOT: Cell<*mut pg_sys::PlannerInfo> = const { Cell::new(std::ptr::null_mut()) };
    static COLLECTOR: Cell<*mut Collector> = const { Cell::new(std::ptr::null_mut()) };
}

/// A hook that was there before ours; a backend is one thread.
pub struct Previous<T>(UnsafeCell<Option<T>>);
// SAFETY: written once in _PG_init, read by the backend's only thread.
unsafe impl<T> Sync for Previous<T> {}

impl<T: Copy> Previous<T> {
    pub const fn none() -> Previous<T> {
        Previous(UnsafeCell::new(None))
    }

    /// Keeps `hook`.
    ///
    /// # Safety
    /// Only in _PG_init.
    pub unsafe fn keep(&self, hook: Option<T>) {
        // SAFETY: nothing else runs then.
        unsafe { *self.0.get() = hook };
    }

    /// The hook that was there, if any.
    pub fn get(&self) -> Option<T> {
        // SAFETY: never written after _PG_init.
        unsafe { *self.0.get() }
    }
}

type RelationInfoHook =
    unsafe extern "C-unwind" fn(*mut pg_sys::PlannerInfo, pg_sys::Oid, bool, *mut pg_sys::RelOptInfo);
type PathlistHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    *mut pg_sys::RelOptInfo,
    pg_sys::Index,
    *mut pg_sys::RangeTblEntry,
);

type JoinPathlistHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    *mut pg_sys::RelOptInfo,
    *mut pg_sys::RelOptInfo,
    *mut pg_sys::RelOptInfo,
    pg_sys::JoinType::Type,
    *mut pg_sys::JoinPathExtraData,
);
type IndexStatisticsHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    pg_sys::Oid,
    pg_sys::AttrNumber,
    *mut pg_sys::VariableStatData,
) -> bool;
type PlannerHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::Query,
    *const c_char,
    c_int,
    pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt;

static PREVIOUS_RELATION_INFO: Previous<RelationInfoHook> = Previous::none();
static PREVIOUS_PATHLIST: Previous<PathlistHook> = Previous::none();
static PREVIOUS_JOIN_PATHLIST: Previous<JoinPathlistHook> = Previous::none();
static PREVIOUS_PLANNER: Previous<PlannerHook> = Previous::none();
static PREVIOUS_INDEX_STATISTICS: Previous<IndexStatisticsHook> = Previous::none();

/// Installs the hooks; called once, by `_PG_init`.
pub fn init() {
    // SAFETY: the documented way: keep the old pointer, put ours in its place, while the library is loaded.
    unsafe {
        PREVIOUS_RELATION_INFO.keep(pg_sys::get_relation_info_hook);
        pg_sys::get_relation_info_hook = Some(relation_info);
        PREVIOUS_PATHLIST.keep(pg_sys::set_rel_pathlist_hook);
        pg_sys::set_rel_pathlist_hook = Some(pathlist);
        PREVIOUS_JOIN_PATHLIST.keep(pg_sys::set_join_pathlist_hook);
        pg_sys::set_join_pathlist_hook = Some(join_pathlist);
        PREVIOUS_PLANNER.keep(pg_sys::planner_hook);
        pg_sys::planner_hook = Some(planner);
        PREVIOUS_INDEX_STATISTICS.keep(pg_sys::get_index_stats_hook);
        pg_sys::get_index_stats_hook = Some(index_statistics);
    }
}

/// Takes the state of a planner call away again, also when an error unwinds through it.
pub struct InForce {
    configuration: *const Configuration<'static>,
    collector: *mut Collector,
    root: *mut pg_sys::PlannerInfo,
}

impl InForce {
    /// Puts `configuration` and, to look instead of to cost, `collector` in force until the result is dropped.
    ///
    /// # Safety
    /// Both must outlive the result, and nothing else may use `collector` meanwhile.
    pub unsafe fn begin(configuration: &Configuration<'_>, collector: Option<&mut Collector>) -> InForce {
        let configuration: *const Configuration<'_> = configuration;
        InForce {
            configuration: CONFIGURATION.replace(configuration.cast()),
            collector: COLLECTOR.replace(collector.map_or(std::ptr::null_mut(), |c| c as *mut Collector)),
            root: ROOT.replace(std::ptr::null_mut()),
        }
    }

    /// The top level of the planner call that was made meanwhile; NULL if it planned no relation. Valid as long as the
    /// memory that was current then.
    pub fn root(&self) -> *mut pg_sys::PlannerInfo {
        ROOT.get()
    }

    /// Puts nothing in force until the result is dropped.
    fn suspend() -> InForce {
        InForce {
            configuration: CONFIGURATION.replace(std::ptr::null()),
            collector: COLLECTOR.replace(std::ptr::null_mut()),
            root: ROOT.replace(std::ptr::null_mut()),
        }
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        CONFIGURATION.set(self.configuration);
        COLLECTOR.set(self.collector);
        ROOT.set(self.root);
    }
}

/// How the hypothetical index of this OID is to be costed; None unless it is in force.
pub(super) fn costing(index: Oid) -> Option<Costing> {
    // SAFETY: what is in force outlives the planner call (InForce::begin), within which cost functions run.
    let configuration = unsafe { CONFIGURATION.get().as_ref() }?;
    configuration.indexes.iter().find(|found| found.fake_oid == index).map(|found| found.costing)
}

/// The cost function of an index of the configuration in force, and what `path` is charged on top; None unless it has a price.
pub(super) unsafe fn priced(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
) -> Option<(pricing::CostFunction, f64)> {
    // SAFETY: what is in force outlives the planner call (InForce::begin), within which cost functions run.
    unsafe { CONFIGURATION.get().as_ref()?.pricing?.costing(root, path) }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn relation_info(
    root: *mut pg_sys::PlannerInfo,
    oid: pg_sys::Oid,
    inhparent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: called by get_relation_info (plancat.c) with valid arguments.
    unsafe {
        if let Some(previous) = PREVIOUS_RELATION_INFO.get() {
            previous(root, oid, inhparent, rel);
        }
        if !CONFIGURATION.get().is_null() {
            let mut top = root;
            while !(*top).parent_root.is_null() {
                top = (*top).parent_root;
            }
            ROOT.set(top);
        }
        // The parent of an inheritance tree is scanned through its children only.
        if !CONFIGURATION.get().is_null() && !inhparent {
            apply_configuration(oid, rel);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn apply_configuration(oid: pg_sys::Oid, rel: *mut pg_sys::RelOptInfo) {
    // SAFETY: a configuration outlives the time that it is in force.
    unsafe {
        let Some(configuration) = CONFIGURATION.get().as_ref() else { return };
        if !configuration.hidden.is_empty() {
            hide(rel, configuration.hidden);
        }
        let mut lineage = Lineage { relations: vec![oid.to_u32()], complete: false };
        if configuration.statistics_without_index {
            for statistics in configuration.statistics {
                if lineage.contains(statistics.relation()) {
                    let info = statistics.build(rel, oid);
                    if !info.is_null() {
                        (*rel).indexlist = pg_sys::lcons(info.cast(), (*rel).indexlist);
                    }
                }
            }
        }
        inject(oid, rel, configuration, &mut lineage);
    }
}

/// A relation and, for a partition, its parents; these are looked up when first asked for.
struct Lineage {
    relations: Vec<Oid>,
    complete: bool,
}

impl Lineage {
    fn contains(&mut self, relation: Oid) -> bool {
        if relation != self.relations[0] && !self.complete {
            self.complete = true;
            self.relations.extend(super::facts::ancestors(self.relations[0].into()));
        }
        self.relations.contains(&relation)
    }
}

/// Adds the hypothetical indexes defined on the relation or, for a partition, on one of its parents.
unsafe fn inject(
    oid: pg_sys::Oid,
    rel: *mut pg_sys::RelOptInfo,
    configuration: &Configuration<'_>,
    lineage: &mut Lineage,
) {
    unsafe {
        let mut relation: pg_sys::Relation = std::ptr::null_mut();
        let place = configuration.pricing.map(|pricing| pricing.next_place(oid.to_u32()));
        for index in configuration.indexes {
            if !lineage.contains(index.relation) {
                continue;
            }
            if relation.is_null() {
                // The planner's caller holds the lock.
                relation = pg_sys::table_open(oid, pg_sys::NoLock as i32);
            }
            let info = index.build(rel, relation);
            if !info.is_null() {
                if let (Some(pricing), Some(place)) = (configuration.pricing, place) {
                    pricing.put_on(info, place, index.share_of(info), index.cost_function());
                }
                (*rel).indexlist = pg_sys::lcons(info.cast(), (*rel).indexlist);
            }
        }
        if !relation.is_null() {
            pg_sys::table_close(relation, pg_sys::NoLock as i32);
        }
    }
}

unsafe fn hide(rel: *mut pg_sys::RelOptInfo, hidden: &[Oid]) {
    unsafe {
        let mut kept = std::ptr::null_mut();
        for info in super::node::list::<pg_sys::IndexOptInfo>((*rel).indexlist) {
            if !hidden.contains(&(*info).indexoid.to_u32()) {
                kept = pg_sys::lappend(kept, info.cast());
            }
        }
        (*rel).indexlist = kept;
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn index_statistics(
    root: *mut pg_sys::PlannerInfo,
    index: pg_sys::Oid,
    column: pg_sys::AttrNumber,
    variable: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: called by examine_variable and the cost functions (selfuncs.c) with valid arguments.
    unsafe {
        if let Some(previous) = PREVIOUS_INDEX_STATISTICS.get()
            && previous(root, index, column, variable)
        {
            return true;
        }
        !CONFIGURATION.get().is_null() && serve_statistics(root, index, column, variable)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn serve_statistics(
    root: *mut pg_sys::PlannerInfo,
    index: pg_sys::Oid,
    column: pg_sys::AttrNumber,
    variable: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: a configuration outlives the time that it is in force.
    unsafe {
        let Some(configuration) = CONFIGURATION.get().as_ref() else { return false };
        expression_statistics::serve(configuration, root, index.to_u32(), column, variable)
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn pathlist(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    rti: pg_sys::Index,
    rte: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: called by set_rel_pathlist (allpaths.c) with valid arguments.
    unsafe {
        if let Some(previous) = PREVIOUS_PATHLIST.get() {
            previous(root, rel, rti, rte);
        }
        if !COLLECTOR.get().is_null() {
            collect(root, rel, rti, rte);
        }
        if !CONFIGURATION.get().is_null() {
            put_aside(root, rel, rte);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn put_aside(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    entry: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: a configuration outlives the time that it is in force.
    unsafe {
        if let Some(pricing) = CONFIGURATION.get().as_ref().and_then(|configuration| configuration.pricing) {
            pricing.put_aside(root, rel, entry);
        }
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn join_pathlist(
    root: *mut pg_sys::PlannerInfo,
    joinrel: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    jointype: pg_sys::JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
) {
    // SAFETY: called by add_paths_to_joinrel (joinpath.c) with valid arguments.
    unsafe {
        if let Some(previous) = PREVIOUS_JOIN_PATHLIST.get() {
            previous(root, joinrel, outer, inner, jointype, extra);
        }
        if !CONFIGURATION.get().is_null() {
            join(root, &Join { joinrel, outer, inner, jointype, extra });
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn join(root: *mut pg_sys::PlannerInfo, join: *const Join) {
    // SAFETY: a configuration outlives the time that it is in force.
    unsafe {
        if let Some(configuration) = CONFIGURATION.get().as_ref()
            && let Some(pricing) = configuration.pricing
        {
            pricing.join(root, &*join, configuration);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn collect(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    rti: pg_sys::Index,
    rte: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: a collector outlives the time that it is in force, and nothing else uses it then.
    unsafe {
        if let Some(collector) = COLLECTOR.get().as_mut() {
            collector.look(root, rel, rti, rte);
        }
    }
}

/// Every call of the server's `planner()`: not one of ours, which go to `standard_planner`.
///
/// Within one of ours it plans a query that a function runs while it is folded, and that plan is executed: it must not see what
/// does not exist. EXPLAIN's own call sees the session's hypothetical indexes.
#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe extern "C-unwind" fn planner(
    query: *mut pg_sys::Query,
    source: *const c_char,
    options: c_int,
    bound: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: called by planner() (planner.c) with valid arguments.
    unsafe {
        if explain_hook::explains(query) || !CONFIGURATION.get().is_null() || !COLLECTOR.get().is_null() {
            planner_under_configuration(query, source, options, bound)
        } else {
            next_planner(query, source, options, bound)
        }
    }
}

#[allow(ffi_unwind_calls, reason = "a plain frame: nothing in it needs to be dropped")]
unsafe fn next_planner(
    query: *mut pg_sys::Query,
    source: *const c_char,
    options: c_int,
    bound: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the hook's own arguments.
    unsafe {
        match PREVIOUS_PLANNER.get() {
            Some(previous) => previous(query, source, options, bound),
            None => compat::unguarded::standard_planner(query, source, options, bound),
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn planner_under_configuration(
    query: *mut pg_sys::Query,
    source: *const c_char,
    options: c_int,
    bound: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the hook's own arguments; guarded, as the state put in force is taken away by destructors.
    let plan = |options: c_int| unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| next_planner(query, source, options, bound))
    };
    match explain_hook::asked_for(query) {
        Some(indexes) => {
            let seen: Vec<&Hypothetical> = indexes.seen.iter().map(|entry| &entry.hypothetical).collect();
            let configuration =
                Configuration { indexes: &seen, hidden: &indexes.hidden, ..Configuration::default() };
            // SAFETY: both outlive the call.
            let _in_force = unsafe { InForce::begin(&configuration, None) };
            // For a scrollable cursor the planner asks the catalog whether an index can be read backwards
            // (IndexSupportsBackwardScan, execAmi.c); a plan that is only shown can do without.
            plan(options & !(pg_sys::CURSOR_OPT_SCROLL as c_int))
        }
        None => {
            let _suspended = InForce::suspend();
            plan(options)
        }
    }
}
