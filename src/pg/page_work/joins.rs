//! What joins have their two sides do: how often the inner side runs, and how much is read of each.
//!
//! Asks the catalog for nothing but the statistics of columns.
//!
//! # Safety
//!
//! As `page_work`.

use super::index_scan::key_order;
use super::{Below, Outer, Runs, Stored, Walk};
use crate::cost::in_memory::visits::out_of_near_caches;
use crate::pg::{compat, node};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::{self, *};

/// Bytes that a row takes in a hash table beside its columns (HashJoinTupleData and MinimalTuple's header, hashjoin.h).
const HASH_OVERHEAD: f64 = 32.0;

impl Walk<'_> {
    pub(super) unsafe fn join(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        join: *mut pg_sys::JoinPath,
        tag: NodeTag,
        runs: Runs<'_>,
    ) -> Below {
        use pg_sys::JoinType::{JOIN_ANTI, JOIN_SEMI};
        unsafe {
            let (outer, inner) = ((*join).outerjoinpath, (*join).innerjoinpath);
            let one_match = matches!((*join).jointype, JOIN_SEMI | JOIN_ANTI);
            let from_outer = self.path(root, outer, runs);
            let planned = (*outer).rows.max(1.0) * runs.planned * runs.share;
            let rows = (*outer).rows.max(1.0) * runs.times * runs.share * from_outer.excess;
            let from_inner = if tag == T_NestPath {
                // A scan that looks whether there is a match ends at the first (final_cost_nestloop, costsize.c).
                let share = if one_match { (2.0 / ((*inner).rows + 1.0)).min(1.0) } else { 1.0 };
                let outer = Outer { path: outer, stored: from_outer.stored, rows };
                self.path(root, inner, Runs { times: rows, planned, share, outer: Some(&outer) })
            } else {
                let found = self.path(root, inner, runs.whole());
                if tag == T_HashPath {
                    let entries = (*inner).rows * found.excess;
                    let keys = join_keys((*join.cast::<pg_sys::HashPath>()).path_hashclauses);
                    let anew = anew(root, from_outer.stored, &keys);
                    self.probe(rows * anew, inner, entries);
                }
                found
            };
            // With more than one batch, rows come batch by batch.
            let batches = tag == T_HashPath && (*join.cast::<pg_sys::HashPath>()).num_batches > 1;
            let excess = from_outer.excess * if one_match { 1.0 } else { from_inner.excess };
            self.work.more_rows += (*join).path.rows * runs.planned * runs.share * (excess - 1.0);
            Below { stored: from_outer.stored.filter(|_| !batches), excess }
        }
    }

    /// `rows`, none like the one before, looked up in a hash table of `entries`, each as wide as a row of `kept`.
    pub(super) unsafe fn probe(&mut self, rows: f64, kept: *mut pg_sys::Path, entries: f64) {
        let row = f64::from(unsafe { (*(*kept).pathtarget).width }) + HASH_OVERHEAD;
        self.work.probes += rows * out_of_near_caches(entries * row);
    }
}

/// The share of rows that look up something else in a hash table than the row before: where they come in the stored order of a key,
/// only as many as there are keys.
pub(super) unsafe fn anew(
    root: *mut pg_sys::PlannerInfo,
    stored: Option<Stored>,
    keys: &[*mut pg_sys::Node],
) -> f64 {
    let Some(stored) = stored else { return 1.0 };
    let of_key = |key: &*mut pg_sys::Node| {
        let (order, keys_a_row) = unsafe { key_order(root, &stored, *key) };
        1.0 - order * stored.strictly * (1.0 - keys_a_row)
    };
    keys.iter().map(of_key).fold(1.0, f64::min)
}

/// Both sides of the clauses of a hash join.
unsafe fn join_keys(clauses: *mut pg_sys::List) -> Vec<*mut pg_sys::Node> {
    unsafe {
        node::list::<pg_sys::RestrictInfo>(clauses)
            .map(|info| (*info).clause.cast::<pg_sys::Node>())
            .filter(|clause| node::is_a(*clause, T_OpExpr))
            .flat_map(|clause| node::list::<pg_sys::Node>((*clause.cast::<pg_sys::OpExpr>()).args))
            .collect()
    }
}
