//! Joins on several columns that depend on each other: a line, and what its part costs at its supplier.
//!
//! The planner multiplies what each column leaves (clauselist_selectivity, clausesel.c), as if any part came from any supplier, and
//! expects hardly a row where each line has its own; without a foreign key that says so, nested loops that follow run thousands of
//! times as often as it thinks. Here the columns of either table have no more combinations than it has rows, or than a sample has
//! shown; and as of single columns (eqjoinsel, selfuncs.c), those of the table with fewer are all found in the other.
//!
//! # Safety
//!
//! As `page_work`.

use super::Walk;
use super::columns::{Column, compared_by, planned_selectivity};
use crate::catalog::AttrNumber;
use crate::pg::node;
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// Two columns that a clause of a join compares.
struct Compared {
    clause: *mut pg_sys::RestrictInfo,
    outer: Column,
    inner: Column,
}

impl Walk<'_> {
    /// The rows of a join as a multiple of those that the planner expects, 1 or more; `outer_rows` come from the outer side, and as things
    /// are, `rows` are expected.
    pub(super) unsafe fn excess_of_several_keys(
        &self,
        root: *mut pg_sys::PlannerInfo,
        join: *mut pg_sys::JoinPath,
        outer_rows: f64,
        rows: f64,
    ) -> f64 {
        unsafe {
            if (*join).jointype != pg_sys::JoinType::JOIN_INNER {
                return 1.0;
            }
            let outer = (*(*(*join).outerjoinpath).parent).relids;
            let mut by_pair: BTreeMap<(pg_sys::Index, pg_sys::Index), Vec<Compared>> = BTreeMap::new();
            for clause in node::join_clauses(join) {
                let Some((one, other)) = compared_by(root, clause) else { continue };
                let one_is_outer = pg_sys::bms_is_member((*one.relation).relid as i32, outer);
                let (outer, inner) = if one_is_outer { (one, other) } else { (other, one) };
                let pair = ((*outer.relation).relid, (*inner.relation).relid);
                let compared = Compared { clause, outer, inner };
                let known = by_pair.entry(pair).or_default();
                // What is compared twice leaves no more out than once.
                if known.iter().all(|known| {
                    known.outer.number != compared.outer.number && known.inner.number != compared.inner.number
                }) {
                    known.push(compared);
                }
            }
            let excess = |compared: &Vec<Compared>| {
                if compared.len() < 2 {
                    return None;
                }
                let planned = compared
                    .iter()
                    .map(|columns| planned_selectivity(root, columns.clause))
                    .product::<Option<f64>>()?;
                let of_outer = self.combinations(compared.iter().map(|columns| columns.outer))?;
                let of_inner = self.combinations(compared.iter().map(|columns| columns.inner))?;
                let alike = 1.0 / of_outer.max(of_inner);
                // Of each combination, the inner side has only so many rows.
                let most = outer_rows * (*compared[0].inner.relation).rows / of_inner;
                Some((alike / planned).min(most / rows).max(1.0))
            };
            by_pair.values().filter_map(excess).product()
        }
    }

    /// How many combinations of values columns of one table have; None where nothing is known of one of them.
    unsafe fn combinations(&self, columns: impl Iterator<Item = Column>) -> Option<f64> {
        unsafe {
            let columns: Vec<Column> = columns.collect();
            let first = columns.first()?;
            let tuples = (*first.relation).tuples.max(1.0);
            let independent = columns.iter().map(|column| column.distinct()).product::<Option<f64>>()?;
            let mut numbers: Vec<AttrNumber> = columns.iter().map(|column| column.number).collect();
            numbers.sort_unstable();
            let seen = self.configuration.storage;
            let seen = seen.and_then(|known| known.combinations(first.table.to_u32(), &numbers));
            Some(independent.min(tuples).min(seen.unwrap_or(f64::INFINITY)).max(1.0))
        }
    }
}
