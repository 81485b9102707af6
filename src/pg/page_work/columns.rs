//! `Column`: what a join compares, and how many values that has.
//!
//! Asks the catalog for nothing but the statistics of columns.
//!
//! # Safety
//!
//! As `page_work`.

use crate::catalog::AttrNumber;
use crate::pg::{index_cost, node};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;

/// A column of a table of the query.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub relation: *mut pg_sys::RelOptInfo,
    pub table: pg_sys::Oid,
    pub number: AttrNumber,
}

impl Column {
    /// How many values it has; None if unknown.
    pub unsafe fn distinct(&self) -> Option<f64> {
        match unsafe { index_cost::stored_distinct(self.table, self.number) } {
            distinct if distinct > 0.0 => Some(distinct),
            // As a share of the rows.
            distinct if distinct < 0.0 => Some(-distinct * unsafe { (*self.relation).tuples.max(1.0) }),
            _ => None,
        }
    }

    /// Beneath changes of its type that change no value; None for anything else.
    pub(super) unsafe fn of(root: *mut pg_sys::PlannerInfo, expr: *mut pg_sys::Node) -> Option<Column> {
        unsafe {
            let var = node::strip_relabel(expr).cast::<pg_sys::Var>();
            if !node::is_a(var, T_Var)
                || (*var).varlevelsup != 0
                || (*var).varno <= 0
                || (*var).varno >= (*root).simple_rel_array_size
            {
                return None;
            }
            let relation = *(*root).simple_rel_array.add((*var).varno as usize);
            Column::at(root, relation, (*var).varattno.into())
        }
    }

    /// Of a relation; None where that is no table, and for an expression (`number` 0) or a system column.
    pub(super) unsafe fn at(
        root: *mut pg_sys::PlannerInfo,
        relation: *mut pg_sys::RelOptInfo,
        number: i32,
    ) -> Option<Column> {
        unsafe {
            if number <= 0 || relation.is_null() || (*relation).rtekind != pg_sys::RTEKind::RTE_RELATION {
                return None;
            }
            let entry = *(*root).simple_rte_array.add((*relation).relid as usize);
            Some(Column { relation, table: (*entry).relid, number: number as AttrNumber })
        }
    }
}

/// Both sides, left and right, of an equality of two columns that have an order; None for any other clause.
pub(super) unsafe fn compared_by(
    root: *mut pg_sys::PlannerInfo,
    clause: *mut pg_sys::RestrictInfo,
) -> Option<(Column, Column)> {
    unsafe {
        let comparison = (*clause).clause.cast::<pg_sys::Node>();
        if (*clause).mergeopfamilies.is_null() || !node::is_a(comparison, T_OpExpr) {
            return None;
        }
        let sides = node::list::<pg_sys::Node>((*comparison.cast::<pg_sys::OpExpr>()).args);
        let columns: Option<Vec<Column>> = sides.map(|side| Column::of(root, side)).collect();
        let [left, right] = columns?.try_into().ok()?;
        Some((left, right))
    }
}

/// The share of pairs of rows for which the planner expects a join's clause to hold: what it has kept, which it does for one of the two
/// ways to write a clause, or as eqjoinsel (selfuncs.c) without common values; None where neither is known.
pub(super) unsafe fn planned_selectivity(
    root: *mut pg_sys::PlannerInfo,
    clause: *mut pg_sys::RestrictInfo,
) -> Option<f64> {
    unsafe {
        if (*clause).norm_selec > 0.0 {
            return Some((*clause).norm_selec);
        }
        let (left, right) = compared_by(root, clause)?;
        Some(1.0 / left.distinct()?.max(right.distinct()?).max(1.0))
    }
}
