//! The planner hooks: hypothetical indexes go in by one, the statistics of their expressions by another, and what a
//! statement needs comes out by the third.
//!
//! All do nothing unless a planner call of ours is running: `planner` puts a `Configuration` or a `Collector` in
//! force for the time of one call and takes it away whatever happens (invariant 1).
//!
//! # Safety
//!
//! Its private unsafe functions run within a hook, on its arguments.

use super::expression_statistics::{self, ExpressionStatistics};
use super::facts::Collector;
use super::hypothetical::Hypothetical;
use crate::catalog::Oid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::{Cell, UnsafeCell};
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
}

thread_local! {
    static CONFIGURATION: Cell<*const Configuration<'static>> = const { Cell::new(std::ptr::null()) };
    static COLLECTOR: Cell<*mut Collector> = const { Cell::new(std::ptr::null_mut()) };
}

/// A hook that was there before ours; a backend is one thread.
struct Previous<T>(UnsafeCell<Option<T>>);
// SAFETY: written once in _PG_init, read by the backend's only thread.
unsafe impl<T> Sync for Previous<T> {}

type RelationInfoHook =
    unsafe extern "C-unwind" fn(*mut pg_sys::PlannerInfo, pg_sys::Oid, bool, *mut pg_sys::RelOptInfo);
type PathlistHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    *mut pg_sys::RelOptInfo,
    pg_sys::Index,
    *mut pg_sys::RangeTblEntry,
);

type IndexStatisticsHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    pg_sys::Oid,
    pg_sys::AttrNumber,
    *mut pg_sys::VariableStatData,
) -> bool;

static PREVIOUS_RELATION_INFO: Previous<RelationInfoHook> = Previous(UnsafeCell::new(None));
static PREVIOUS_PATHLIST: Previous<PathlistHook> = Previous(UnsafeCell::new(None));
static PREVIOUS_INDEX_STATISTICS: Previous<IndexStatisticsHook> = Previous(UnsafeCell::new(None));

/// Installs the hooks; called once, by `_PG_init`.
pub fn init() {
    // SAFETY: the documented way: keep the old pointer, put ours in its place, while the library is loaded.
    unsafe {
        *PREVIOUS_RELATION_INFO.0.get() = pg_sys::get_relation_info_hook;
        pg_sys::get_relation_info_hook = Some(relation_info);
        *PREVIOUS_PATHLIST.0.get() = pg_sys::set_rel_pathlist_hook;
        pg_sys::set_rel_pathlist_hook = Some(pathlist);
        *PREVIOUS_INDEX_STATISTICS.0.get() = pg_sys::get_index_stats_hook;
        pg_sys::get_index_stats_hook = Some(index_statistics);
    }
}

/// Takes the state of a planner call away again, also when an error unwinds through it.
pub struct InForce {
    configuration: *const Configuration<'static>,
    collector: *mut Collector,
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
        }
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        CONFIGURATION.set(self.configuration);
        COLLECTOR.set(self.collector);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_info(
    root: *mut pg_sys::PlannerInfo,
    oid: pg_sys::Oid,
    inhparent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: called by get_relation_info (plancat.c) with valid arguments; the previous hook is a bare pointer, so
    // its errors need the guard.
    unsafe {
        if let Some(previous) = *PREVIOUS_RELATION_INFO.0.get() {
            #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous(root, oid, inhparent, rel));
        }
        let Some(configuration) = CONFIGURATION.get().as_ref() else { return };
        // The parent of an inheritance tree is scanned through its children only.
        if inhparent {
            return;
        }
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
        inject(oid, rel, configuration.indexes, &mut lineage);
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
    indexes: &[&Hypothetical],
    lineage: &mut Lineage,
) {
    unsafe {
        let mut relation: pg_sys::Relation = std::ptr::null_mut();
        for index in indexes {
            if !lineage.contains(index.relation) {
                continue;
            }
            if relation.is_null() {
                // The planner's caller holds the lock.
                relation = pg_sys::table_open(oid, pg_sys::NoLock as i32);
            }
            let info = index.build(rel, relation);
            if !info.is_null() {
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

#[pg_guard]
unsafe extern "C-unwind" fn index_statistics(
    root: *mut pg_sys::PlannerInfo,
    index: pg_sys::Oid,
    column: pg_sys::AttrNumber,
    variable: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: called by examine_variable and the cost functions (selfuncs.c) with valid arguments.
    unsafe {
        if let Some(previous) = *PREVIOUS_INDEX_STATISTICS.0.get() {
            #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
            let answered = pg_sys::ffi::pg_guard_ffi_boundary(|| previous(root, index, column, variable));
            if answered {
                return true;
            }
        }
        let Some(configuration) = CONFIGURATION.get().as_ref() else { return false };
        expression_statistics::serve(configuration, root, index.to_u32(), column, variable)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn pathlist(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    rti: pg_sys::Index,
    rte: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: called by set_rel_pathlist (allpaths.c) with valid arguments.
    unsafe {
        if let Some(previous) = *PREVIOUS_PATHLIST.0.get() {
            #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous(root, rel, rti, rte));
        }
        if let Some(collector) = COLLECTOR.get().as_mut() {
            collector.look(root, rel, rti, rte);
        }
    }
}
