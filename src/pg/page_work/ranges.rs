//! Joins of keys that lie in a part of the other side's range: sales of five years with the days of two centuries.
//!
//! The planner takes the days that a condition leaves for any of the two centuries, and expects of the sales of a month one in forty
//! (eqjoinsel, selfuncs.c); in most plans that follow, a nested loop runs forty times as often. Whoever asks for a month asks for one
//! of which there are sales. So it is where the condition is on a column in whose order the keys are, as a year is and a weekday is not.
//!
//! # Safety
//!
//! As `page_work`.

use super::Walk;
use super::index_scan::correlation;
use crate::pg::{compat, node};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;

/// From this correlation with the order of storage on, a column is in it, and two such columns are in the order of each other.
const IN_ORDER: f64 = 0.9;

impl Walk<'_> {
    /// The rows of a join as a multiple of those that the planner expects, 1 or more.
    pub(super) unsafe fn range_excess(
        &self,
        root: *mut pg_sys::PlannerInfo,
        join: *mut pg_sys::JoinPath,
    ) -> f64 {
        unsafe {
            if (*join).jointype != pg_sys::JoinType::JOIN_INNER {
                return 1.0;
            }
            node::join_clauses(join).map(|clause| self.of_clause(root, clause)).product()
        }
    }

    unsafe fn of_clause(&self, root: *mut pg_sys::PlannerInfo, clause: *mut pg_sys::RestrictInfo) -> f64 {
        if let Some(excess) = self.walked.ranges.borrow().get(&clause.cast_const()) {
            return *excess;
        }
        let excess = unsafe { excess_of(root, clause) }.unwrap_or(1.0);
        self.walked.ranges.borrow_mut().insert(clause, excess);
        excess
    }
}

/// None where the clause does not compare two columns that have an order.
unsafe fn excess_of(root: *mut pg_sys::PlannerInfo, clause: *mut pg_sys::RestrictInfo) -> Option<f64> {
    unsafe {
        let comparison = (*clause).clause.cast::<pg_sys::Node>();
        if !node::is_a(comparison, T_OpExpr) {
            return None;
        }
        let sides: Vec<*mut pg_sys::Node> = node::list((*comparison.cast::<pg_sys::OpExpr>()).args).collect();
        let [left, right] = sides.try_into().ok()?;
        let (left, right) = (left_by_order(root, left)?, left_by_order(root, right)?);
        if left >= 1.0 && right >= 1.0 {
            return None;
        }
        let (in_right, in_left) = compat::shares_in_range(root, comparison, (*clause).mergeopfamilies)?;
        let excess =
            |kept: f64, in_range: f64| if in_range > 0.0 { (1.0 / in_range).min(1.0 / kept) } else { 1.0 };
        Some(excess(left, in_right).max(excess(right, in_left)).max(1.0))
    }
}

/// Of the conditions on columns in whose order a column of a table is, itself among them, the share of the rows that they leave, more
/// than 0 to 1; None for anything else.
unsafe fn left_by_order(root: *mut pg_sys::PlannerInfo, side: *mut pg_sys::Node) -> Option<f64> {
    unsafe {
        let var = node::own_column(root, side)?;
        let rel = *(*root).simple_rel_array.add((*var).varno as usize);
        let in_order = |column: i32| correlation(root, rel, column).abs() >= IN_ORDER;
        if !in_order((*var).varattno.into()) {
            return Some(1.0);
        }
        let mut ordered = std::ptr::null_mut();
        for condition in node::list::<pg_sys::RestrictInfo>((*rel).baserestrictinfo) {
            let mut columns = std::ptr::null_mut();
            pg_sys::pull_varattnos((*condition).clause.cast(), (*rel).relid, &mut columns);
            let columns: Vec<i32> = node::members(columns)
                .map(|member| member + pg_sys::FirstLowInvalidHeapAttributeNumber)
                .collect();
            if !columns.is_empty() && columns.into_iter().all(in_order) {
                ordered = pg_sys::lappend(ordered, condition.cast());
            }
        }
        crate::pg::inject::point();
        // Both ends of a range together.
        let join = pg_sys::JoinType::JOIN_INNER;
        let left = pg_sys::clauselist_selectivity(root, ordered, 0, join, std::ptr::null_mut());
        Some(if left > 0.0 { left } else { 1.0 })
    }
}
