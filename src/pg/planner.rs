//! One call of `standard_planner` and what its plan says: costs, rows, indexes.
//!
//! Never `planner()`, so other extensions' planner hooks stay out; the plan is read and dropped, never executed.
//!
//! # Safety
//!
//! `collect_indexes` takes NULL or a valid plan tree, which it only reads.

use super::compat;
use super::facts::Collector;
use super::hook::{Configuration, InForce};
use super::{node, page_work};
use crate::catalog::Oid;
use crate::cost::in_memory::PageWork;
use crate::cost::in_memory::buffers::Buffers;
use pgrx::pg_sys;
use std::collections::BTreeSet;
use std::ffi::CStr;

/// A plan, as numbers.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub startup: f64,
    pub total: f64,
    /// What it takes when all pages are in memory, planner units.
    pub in_memory: f64,
    /// Where that comes from.
    pub work: PageWork,
    pub rows: f64,
    /// OIDs of all indexes in the plan, hypothetical ones by their fake OID.
    pub indexes: BTreeSet<Oid>,
}

impl Planned {
    /// Adds the plan of another query that the same statement is rewritten to.
    pub fn add(&mut self, other: Planned) {
        self.startup += other.startup;
        self.total += other.total;
        self.in_memory += other.in_memory;
        self.work = self.work.plus(other.work, 1.0);
        self.rows += other.rows;
        self.indexes.extend(other.indexes);
    }

    /// Takes another view of what shared buffers hold.
    pub fn count_reads(&mut self, buffers: Buffers) {
        // SAFETY: reads a setting's variable.
        self.in_memory = self.work.cost(self.total, unsafe { pg_sys::cpu_tuple_cost }, buffers);
    }
}

/// Plans a copy of `query` (the planner scribbles on its input) under `configuration`.
///
/// # Safety
/// `query` must be an analysed and rewritten plannable query whose relations are locked; `bound` NULL or a valid
/// parameter list. To be called within `isolated`, in a context that is thrown away afterwards.
pub unsafe fn plan(
    query: *mut pg_sys::Query,
    source: &CStr,
    bound: pg_sys::ParamListInfo,
    configuration: &Configuration<'_>,
    collector: Option<&mut Collector>,
    check_rights: bool,
) -> Planned {
    unsafe {
        let (plan, work) = finished(query, source, bound, configuration, collector);
        if check_rights {
            compat::check_permissions(plan);
        }
        let mut planned = Planned { work, ..read(plan) };
        planned.count_reads(configuration.buffers());
        planned
    }
}

/// The plan itself, to be shown.
///
/// # Safety
/// As `plan`; never to be executed.
pub unsafe fn finished_plan(
    query: *mut pg_sys::Query,
    source: &CStr,
    bound: pg_sys::ParamListInfo,
    configuration: &Configuration<'_>,
    collector: Option<&mut Collector>,
) -> *mut pg_sys::PlannedStmt {
    unsafe { finished(query, source, bound, configuration, collector).0 }
}

/// The plan and its work with pages.
unsafe fn finished(
    query: *mut pg_sys::Query,
    source: &CStr,
    bound: pg_sys::ParamListInfo,
    configuration: &Configuration<'_>,
    collector: Option<&mut Collector>,
) -> (*mut pg_sys::PlannedStmt, PageWork) {
    unsafe {
        let copy = pg_sys::copyObjectImpl(query.cast()).cast::<pg_sys::Query>();
        let options = pg_sys::CURSOR_OPT_PARALLEL_OK as i32;
        let in_force = InForce::begin(configuration, collector);
        let plan = pg_sys::standard_planner(copy, source.as_ptr(), options, bound);
        (plan, page_work::of(in_force.root(), configuration))
    }
}

/// A plan as numbers.
///
/// # Safety
/// `planned` must be a valid finished plan.
pub unsafe fn read(planned: *mut pg_sys::PlannedStmt) -> Planned {
    unsafe {
        let top = (*planned).planTree;
        let mut indexes = BTreeSet::new();
        collect_indexes(top, &mut indexes);
        // Init plans and sub-plans hang on the statement; those of CTEs do too.
        for subplan in node::list::<pg_sys::Plan>((*planned).subplans) {
            collect_indexes(subplan, &mut indexes);
        }
        Planned {
            startup: (*top).startup_cost,
            total: (*top).total_cost,
            in_memory: (*top).total_cost,
            work: PageWork::default(),
            rows: (*top).plan_rows,
            indexes,
        }
    }
}

/// Adds the indexes of a plan tree, whatever node they hang on (the children that plannodes.h defines).
unsafe fn collect_indexes(plan: *mut pg_sys::Plan, indexes: &mut BTreeSet<Oid>) {
    use pg_sys::NodeTag::*;
    unsafe {
        let Some(tag) = node::tag(plan) else { return };
        pg_sys::check_stack_depth();
        let children = match tag {
            T_IndexScan => {
                indexes.insert((*plan.cast::<pg_sys::IndexScan>()).indexid.to_u32());
                std::ptr::null_mut()
            }
            T_IndexOnlyScan => {
                indexes.insert((*plan.cast::<pg_sys::IndexOnlyScan>()).indexid.to_u32());
                std::ptr::null_mut()
            }
            T_BitmapIndexScan => {
                indexes.insert((*plan.cast::<pg_sys::BitmapIndexScan>()).indexid.to_u32());
                std::ptr::null_mut()
            }
            T_Append => (*plan.cast::<pg_sys::Append>()).appendplans,
            T_MergeAppend => (*plan.cast::<pg_sys::MergeAppend>()).mergeplans,
            T_BitmapAnd => (*plan.cast::<pg_sys::BitmapAnd>()).bitmapplans,
            T_BitmapOr => (*plan.cast::<pg_sys::BitmapOr>()).bitmapplans,
            T_CustomScan => (*plan.cast::<pg_sys::CustomScan>()).custom_plans,
            T_SubqueryScan => {
                collect_indexes((*plan.cast::<pg_sys::SubqueryScan>()).subplan, indexes);
                std::ptr::null_mut()
            }
            _ => std::ptr::null_mut(),
        };
        for child in node::list::<pg_sys::Plan>(children) {
            collect_indexes(child, indexes);
        }
        collect_indexes((*plan).lefttree, indexes);
        collect_indexes((*plan).righttree, indexes);
    }
}
