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
use super::columns::{Column, compared_by};
use super::index_scan::correlation;
use crate::pg::{compat, inject, node};
use pgrx::pg_sys;

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
        let (left, right) = compared_by(root, clause)?;
        let (left, right) = (left_by_order(root, left), left_by_order(root, right));
        if left >= 1.0 && right >= 1.0 {
            return None;
        }
        let (in_right, in_left) = shares_in_range(root, clause)?;
        let excess =
            |kept: f64, in_range: f64| if in_range > 0.0 { (1.0 / in_range).min(1.0 / kept) } else { 1.0 };
        Some(excess(left, in_right).max(excess(right, in_left)).max(1.0))
    }
}

/// Of an equality of two columns, the share of the left one's values that lie in the range of the right one's, and the other way round;
/// None where they have no order.
unsafe fn shares_in_range(
    root: *mut pg_sys::PlannerInfo,
    clause: *mut pg_sys::RestrictInfo,
) -> Option<(f64, f64)> {
    unsafe {
        let family = (*(*clause).mergeopfamilies.as_ref()?.elements).oid_value;
        let comparison = (*clause).clause.cast();
        let (mut left, mut right) = ((0.0, 1.0), (0.0, 1.0));
        inject::point();
        pg_sys::mergejoinscansel(
            root,
            comparison,
            family,
            compat::ASCENDING,
            false,
            &mut left.0,
            &mut left.1,
            &mut right.0,
            &mut right.1,
        );
        Some((left.1 - left.0, right.1 - right.0))
    }
}

/// Of the conditions on columns in whose order a column is, itself among them, the share of the rows that they leave, more than 0 to 1.
unsafe fn left_by_order(root: *mut pg_sys::PlannerInfo, column: Column) -> f64 {
    unsafe {
        let rel = column.relation;
        let in_order = |column: i32| correlation(root, rel, column).abs() >= IN_ORDER;
        if !in_order(column.number.into()) {
            return 1.0;
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
        inject::point();
        // Both ends of a range together.
        let join = pg_sys::JoinType::JOIN_INNER;
        let left = pg_sys::clauselist_selectivity(root, ordered, 0, join, std::ptr::null_mut());
        if left > 0.0 { left } else { 1.0 }
    }
}
