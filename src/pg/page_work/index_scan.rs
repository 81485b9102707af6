//! What the path of an index scan says of its work: which rows it looks at, in which order, and what it is charged for.
//!
//! Reads one path at a time; `page_work` puts it together. Asks the catalog for nothing but the statistics of columns.
//!
//! # Safety
//!
//! All functions take valid paths of one `PlannerInfo`, which only they look at meanwhile.

use super::Stored;
use super::columns::Column;
use crate::cost::in_memory::visits::out_of_near_caches;
use crate::pg::{index_cost, node};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;

/// How many rows of the index a scan looks at, to judge by what the planner charges for it (genericcostestimate and
/// btcostestimate, selfuncs.c): with conditions on keys behind the first alone, far more than it finds.
pub(super) unsafe fn index_rows(path: *mut pg_sys::IndexPath, page_cost: f64) -> f64 {
    unsafe {
        let index = (*path).indexinfo;
        let clauses = (*path).indexclauses.as_ref().map_or(0, |list| list.length);
        let in_all = (*index).tuples.max(1.0);
        let descent =
            (in_all.log2().ceil() + 50.0 * f64::from((*index).tree_height + 1)) * pg_sys::cpu_operator_cost;
        let a_row = pg_sys::cpu_index_tuple_cost
            + f64::from(clauses) * pg_sys::cpu_operator_cost
            + page_cost * f64::from((*index).pages) / in_all;
        // The first page is there in any case.
        ((*path).indextotalcost - descent - page_cost).max(0.0) / a_row
    }
}

/// What the planner charges for the clauses that the index of a scan does not answer (`extract_nonindex_conditions`, costsize.c): for each
/// row that it finds there, and once.
pub(super) unsafe fn filter_cost(path: *mut pg_sys::IndexPath) -> pg_sys::QualCost {
    unsafe {
        let own = node::list::<pg_sys::RestrictInfo>((*(*path).indexinfo).indrestrictinfo);
        let filters = own.chain(join_clauses(&raw mut (*path).path)).filter(|info| {
            !(**info).pseudoconstant && !pg_sys::is_redundant_with_indexclauses(*info, (*path).indexclauses)
        });
        filters.fold(pg_sys::QualCost::default(), |sum, info| both(sum, (*info).eval_cost))
    }
}

/// The same of a bitmap scan, for each row that it looks at (`get_restriction_qual_cost`, costsize.c).
pub(super) unsafe fn bitmap_filter_cost(path: *mut pg_sys::Path) -> pg_sys::QualCost {
    unsafe {
        let own = (*(*path).parent).baserestrictcost;
        join_clauses(path).fold(own, |sum, info| both(sum, (*info).eval_cost))
    }
}

/// The clauses of a path that compare with rows from elsewhere.
unsafe fn join_clauses(path: *mut pg_sys::Path) -> impl Iterator<Item = *mut pg_sys::RestrictInfo> {
    unsafe {
        let param = (*path).param_info;
        node::list(if param.is_null() { std::ptr::null_mut() } else { (*param).ppi_clauses })
    }
}

/// The sum; what was not computed (below 0) counts for nothing.
fn both(sum: pg_sys::QualCost, more: pg_sys::QualCost) -> pg_sys::QualCost {
    pg_sys::QualCost {
        startup: sum.startup + more.startup.max(0.0),
        per_tuple: sum.per_tuple + more.per_tuple.max(0.0),
    }
}

/// Whether all keys of a B-tree are given, so that the rows come in the order of the table.
pub(super) unsafe fn one_key(path: *mut pg_sys::IndexPath) -> bool {
    unsafe { (0..(*(*path).indexinfo).nkeycolumns).all(|column| looks_up(path, column)) }
}

/// Whether a key of a B-tree is given.
pub(super) unsafe fn looks_up(path: *mut pg_sys::IndexPath, column: i32) -> bool {
    unsafe {
        let family = *(*(*path).indexinfo).opfamily.add(column as usize);
        node::list::<pg_sys::IndexClause>((*path).indexclauses)
            .filter(|clause| i32::from((**clause).indexcol) == column)
            .flat_map(|clause| node::list::<pg_sys::RestrictInfo>((*clause).indexquals))
            .map(|qual| (*qual).clause.cast::<pg_sys::Node>())
            .filter(|clause| node::is_a(*clause, T_OpExpr))
            .any(|clause| {
                let operator = (*clause.cast::<pg_sys::OpExpr>()).opno;
                pg_sys::get_op_opfamily_strategy(operator, family) == pg_sys::BTEqualStrategyNumber as i32
            })
    }
}

/// How many rows of a B-tree have the same key, in the order of the table.
pub(super) unsafe fn rows_of_a_key(root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::IndexPath) -> f64 {
    unsafe {
        match (*(*path).indexinfo).nkeycolumns {
            _ if one_key(path) => f64::INFINITY,
            1 => rows_of_first_key(root, path),
            _ => 1.0,
        }
    }
}

/// How many rows of a B-tree have the same first key; 1 if unknown.
unsafe fn rows_of_first_key(root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::IndexPath) -> f64 {
    unsafe {
        let index = (*path).indexinfo;
        let first = Column::at(root, (*index).rel, *(*index).indexkeys);
        // Unknown is taken for all different.
        let distinct = first.and_then(|column| column.distinct());
        distinct.map_or(1.0, |distinct| (*index).tuples / distinct.max(1.0))
    }
}

/// How many rows that lie on a page with the same first key, `beside`, a scan of the index meets there while the page is at hand: all
/// of them where they follow each other in the index; where other keys come between, as many as the caches keep pages of one first
/// key.
pub(super) unsafe fn met_together(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    beside: f64,
) -> f64 {
    unsafe {
        if (*(*path).indexinfo).nkeycolumns == 1 || one_key(path) {
            return beside;
        }
        let pages = rows_of_first_key(root, path) / beside;
        1.0 + (beside - 1.0) * (1.0 - out_of_near_caches(pages * f64::from(pg_sys::BLCKSZ)))
    }
}

/// How far a relation is stored in the order of a column, 0 to 1; 0 for an expression (`column` 0).
pub(super) unsafe fn correlation(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    column: i32,
) -> f64 {
    if column <= 0 {
        return 0.0;
    }
    unsafe {
        let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
        index_cost::stored_correlation((*entry).relid, column as pg_sys::AttrNumber)
    }
}

/// How far the order in which a relation is stored is that of a key, 0 to 1, and how many keys there are to a row of it, 0 to 1; 0 and 1
/// for what is no column of it.
pub(super) unsafe fn key_order(
    root: *mut pg_sys::PlannerInfo,
    stored: &Stored,
    key: *mut pg_sys::Node,
) -> (f64, f64) {
    unsafe {
        let Some(column) = Column::of(root, key) else { return (0.0, 1.0) };
        if (*column.relation).relid != stored.relation {
            return (0.0, 1.0);
        }
        let keys = column.distinct().unwrap_or(f64::INFINITY);
        let correlation = correlation(root, column.relation, column.number.into());
        (correlation * correlation, (keys / (*column.relation).rows.max(1.0)).min(1.0))
    }
}
