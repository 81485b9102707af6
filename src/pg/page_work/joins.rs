//! What joins have their two sides do: how often the inner side runs, and how much is read of each.
//!
//! Asks the catalog for nothing but the statistics of columns.
//!
//! # Safety
//!
//! As `page_work`.

use super::columns::planned_selectivity;
use super::index_scan::key_order;
use super::{Below, Outer, Runs, Stored, Walk, cost_of};
use crate::cost::in_memory::visits::{Remembered, out_of_near_caches};
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
            let merge = (tag == T_MergePath).then(|| join.cast::<pg_sys::MergePath>());
            let (of_outer, of_inner) = merge.map_or((1.0, 1.0), |merge| read_of(merge));
            let sorted = merge.map_or((false, false), |merge| {
                (!(*merge).outersortkeys.is_null(), !(*merge).innersortkeys.is_null())
            });
            let from_outer =
                self.path(root, outer, if sorted.0 { runs.whole() } else { runs.first(of_outer) });
            let batches = tag == T_HashPath && (*join.cast::<pg_sys::HashPath>()).num_batches > 1;
            let planned = (*outer).rows.max(1.0) * runs.planned * runs.share;
            let rows = (*outer).rows.max(1.0) * runs.times * runs.share * from_outer.excess;
            let from_inner = if tag == T_NestPath {
                // A scan that looks whether there is a match ends at the first (final_cost_nestloop, costsize.c).
                let share = if one_match { (2.0 / ((*inner).rows + 1.0)).min(1.0) } else { 1.0 };
                let Below { stored, excess } = from_outer;
                let outer = Outer { path: outer, stored, rows, excess };
                self.path(root, inner, Runs { times: rows, planned, share, outer: Some(&outer), ..runs })
            } else if tag == T_HashPath {
                // The table is built once where it is in memory (cost_rescan, costsize.c).
                let of_table = if batches { runs.whole() } else { runs.kept_by(inner) };
                let found = self.path(root, inner, of_table);
                let entries = (*inner).rows * found.excess;
                self.work.hashed_rows += of_table.times * entries;
                let keys = join_keys((*join.cast::<pg_sys::HashPath>()).path_hashclauses);
                let anew = anew(root, from_outer.stored, &keys);
                self.work.probes += rows;
                self.probe(rows * anew, inner, entries);
                found
            } else {
                self.path(root, inner, if sorted.1 { runs.whole() } else { runs.first(of_inner) })
            };
            if let Some(pricing) = self.configuration.pricing {
                self.work.charged += pricing.charged(join.cast());
            }
            let of_inner = if one_match { 1.0 } else { from_inner.excess };
            let excess = from_outer.excess * of_inner * self.range_excess(root, join);
            let of_a_row = expected_of_a_row(root, join);
            let excess = excess * of_a_row.unwrap_or(1.0);
            let (outer_rows, rows) = ((*outer).rows * from_outer.excess, (*join).path.rows * excess);
            let excess = excess * self.excess_of_several_keys(root, join, outer_rows, rows);
            // As the planner does, and after all that changes how many are expected.
            let excess = if of_a_row.is_some() { excess.max(1.0) } else { excess };
            self.work.more_rows += (*join).path.rows * runs.planned * runs.share * (excess - 1.0);
            self.walked.joined.borrow_mut().insert(join.cast(), (cost_of(join.cast()), excess));
            let stored = from_outer.stored.zip(passes_of_outer(join, tag));
            let stored = stored.map(|(stored, passes)| Stored { passes: stored.passes * passes, ..stored });
            Below { stored, excess }
        }
    }

    /// `rows`, none like the one before, looked up in a hash table of `entries`, each as wide as a row of `kept`.
    pub(super) unsafe fn probe(&mut self, rows: f64, kept: *mut pg_sys::Path, entries: f64) {
        let row = f64::from(unsafe { (*(*kept).pathtarget).width }) + HASH_OVERHEAD;
        self.work.scattered_probes += rows * out_of_near_caches(entries * row);
    }
}

/// Of a join that the planner takes for one row because it expects less (`clamp_row_est`, costsize.c), how much of a row it expects, 0 to 1;
/// None for any other, and where that is not known.
///
/// What makes a thousandth of a row forty times as many makes no forty rows of it: with several such joins, TPC-DS 25 was held to take
/// nine thousand times what the planner says.
unsafe fn expected_of_a_row(root: *mut pg_sys::PlannerInfo, join: *mut pg_sys::JoinPath) -> Option<f64> {
    unsafe {
        let path = &(*join).path;
        if path.rows > 1.0 || !path.param_info.is_null() || (*join).jointype != pg_sys::JoinType::JOIN_INNER {
            return None;
        }
        let (outer, inner) = ((*join).outerjoinpath, (*join).innerjoinpath);
        let pairs = (*outer).rows * (*(*inner).parent).rows;
        let equal = node::join_clauses(join).map(|clause| planned_selectivity(root, clause));
        Some((pairs * equal.product::<Option<f64>>()?).min(1.0))
    }
}

/// In how many passes through its order a join gives the rows of its outer side, each with all that it goes with; None where in an order
/// of its own.
///
/// With more than one batch, rows come batch by batch, and keep their order in each (ExecHashJoinSaveTuple, nodeHashjoin.c): on TPC-H 9 at
/// scale 10, with four, looking up an order takes 2 microseconds, and 9 where lines come by their parts.
unsafe fn passes_of_outer(join: *mut pg_sys::JoinPath, tag: NodeTag) -> Option<f64> {
    unsafe {
        match tag {
            T_NestPath => Some(1.0),
            T_HashPath => Some(f64::from((*join.cast::<pg_sys::HashPath>()).num_batches.max(1))),
            T_MergePath => (*join.cast::<pg_sys::MergePath>()).outersortkeys.is_null().then_some(1.0),
            _ => None,
        }
    }
}

/// Whether a join gives the rows of its outer side one after the other as that has them, each with all that it goes with.
pub(super) unsafe fn keeps_outer_order(join: *mut pg_sys::JoinPath, tag: NodeTag) -> bool {
    unsafe { passes_of_outer(join, tag) == Some(1.0) }
}

/// How much of its outer and of its inner side a merge join reads until one of them ends (`initial_cost_mergejoin`, costsize.c, which keeps
/// what it has found out of the first clause with it).
unsafe fn read_of(merge: *mut pg_sys::MergePath) -> (f64, f64) {
    use pg_sys::JoinType::{JOIN_ANTI, JOIN_FULL, JOIN_LEFT};
    unsafe {
        let join = &raw const (*merge).jpath;
        let first = node::list::<pg_sys::RestrictInfo>((*merge).path_mergeclauses).next();
        let order = match (*merge).outersortkeys {
            keys if keys.is_null() => (*(*join).outerjoinpath).pathkeys,
            keys => keys,
        };
        let (Some(clause), Some(order)) = (first, node::list::<pg_sys::PathKey>(order).next()) else {
            return (1.0, 1.0);
        };
        let found = node::list::<pg_sys::MergeScanSelCache>((*clause).scansel_cache)
            .find(|found| compat::is_of_order(*found, order));
        let Some(found) = found else { return (1.0, 1.0) };
        let (left, right) = ((*found).leftendsel, (*found).rightendsel);
        let outer_is_left =
            pg_sys::bms_is_subset((*clause).left_relids, (*(*(*join).outerjoinpath).parent).relids);
        let (outer, inner) = if outer_is_left { (left, right) } else { (right, left) };
        let whole_outer = matches!((*join).jointype, JOIN_LEFT | JOIN_ANTI | JOIN_FULL);
        let whole_inner = compat::gives_unmatched_inner((*join).jointype);
        (if whole_outer { 1.0 } else { outer }, if whole_inner { 1.0 } else { inner })
    }
}

/// Which look-ups a Memoize node does not answer: `cost_memoize_rescan` (costsize.c), whose number of keys is not kept in the path.
pub(super) unsafe fn remembered(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::MemoizePath,
) -> Remembered {
    unsafe {
        let mut about = pg_sys::EstimationInfo::default();
        let (params, calls) = ((*path).param_exprs, (*path).calls);
        let keys = pg_sys::estimate_num_groups(root, params, calls, std::ptr::null_mut(), &mut about);
        let guessed = about.flags & pg_sys::SELFLAG_USED_DEFAULT != 0;
        Remembered { keys: if guessed { calls } else { keys }, kept: f64::from((*path).est_entries) }
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
        1.0 - order * stored.strictly * (1.0 - keys_a_row * stored.passes).max(0.0)
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
