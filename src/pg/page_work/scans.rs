//! What scans of tables do with pages, and how many rows they find.
//!
//! Asks the catalog for nothing but the statistics of columns.
//!
//! # Safety
//!
//! As `page_work`.

use super::index_scan::{
    bitmap_filter_cost, correlation, filter_cost, index_rows, looks_up, met_together, one_key, rows_of_a_key,
};
use super::{Below, Outer, Runs, Shares, Stored, Walk};
use crate::cost::in_memory::buffers::Touched;
use crate::cost::in_memory::visits::{Visits, out_of_caches};
use crate::pg::node;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;
use std::rc::Rc;

impl Walk<'_> {
    pub(super) unsafe fn sequential(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let rel = (*path).parent;
            let pages = f64::from((*rel).pages) * runs.share;
            self.work.charged += pages * runs.planned * page_costs((*rel).reltablespace).1;
            self.work.sequential += pages * runs.times / workers(path);
            Below { stored: Some(Stored::once(rel, 1.0)), excess: self.excess(root, rel, None) }
        }
    }

    pub(super) unsafe fn bitmap(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::BitmapHeapPath,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let rel = (*path).path.parent;
            let scans = node::index_paths((*path).bitmapqual);
            self.used.extend(scans.into_iter().map(|scan| (*scan).indexinfo.cast_const()));
            let (mut index_cost, mut selectivity, mut looked_at) = (0.0, 0.0, 0.0);
            pg_sys::cost_bitmap_tree_node((*path).bitmapqual, &mut index_cost, &mut selectivity);
            // With the others on those pages of which the bitmap, where it is short of memory, knows no more than that there is something.
            pg_sys::compute_bitmap_pages(
                root,
                rel,
                (*path).bitmapqual,
                1_u8.into(),
                std::ptr::null_mut(),
                &mut looked_at,
            );
            let workers = workers(&raw mut (*path).path);
            let tuples = selectivity * (*rel).tuples / workers;
            let filter = bitmap_filter_cost(&raw mut (*path).path);
            let a_row = pg_sys::cpu_tuple_cost + filter.per_tuple;
            let kept = index_cost + rest(&raw mut (*path).path, looked_at / workers * a_row + filter.startup);
            let charged = (*path).path.total_cost - kept;
            self.work.charged += charged.max(0.0) * runs.planned * runs.share;
            // Mackert and Lohman's formula (index_pages_fetched, costsize.c) for each run by itself: what an earlier one read
            // has to be visited again.
            let pages = f64::from((*rel).pages).max(1.0);
            let index = (*path).bitmapqual.cast::<pg_sys::IndexPath>();
            let index = node::is_a(index, T_IndexPath).then(|| (*index).indexinfo);
            let found = tuples * index.map_or(1.0, |index| self.excess(root, rel, Some(index)));
            let found = found.min((*rel).tuples / workers);
            self.work.more_rows += (found - tuples) * runs.times * runs.share;
            let visited = (2.0 * pages * found / (2.0 * pages + found)).min(pages);
            self.work.bitmap += visited * runs.times * runs.share;
            self.work.bitmap_rows += found * runs.times * runs.share;
            self.work.table_rows += found * runs.times * runs.share;
            Below { stored: Some(Stored::once(rel, 1.0)), excess: self.excess(root, rel, None) }
        }
    }

    /// The rows of a base relation as a multiple of those expected: of the restrictions, the share of the rows that a sample has shown is
    /// put in place of the planner's guess. With a partial index, only of those that its predicate answers.
    pub(super) unsafe fn excess(
        &self,
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        answered_by: Option<*mut pg_sys::IndexOptInfo>,
    ) -> f64 {
        let known = (rel, answered_by.unwrap_or(std::ptr::null_mut()));
        if let Some(excess) = self.walked.excesses.borrow().get(&known) {
            return *excess;
        }
        let excess = unsafe { self.excess_of(root, rel, answered_by) };
        self.walked.excesses.borrow_mut().insert(known, excess);
        excess
    }

    unsafe fn excess_of(
        &self,
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        answered_by: Option<*mut pg_sys::IndexOptInfo>,
    ) -> f64 {
        unsafe {
            let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
            let mut open: Vec<*mut pg_sys::RestrictInfo> = node::list((*rel).baserestrictinfo).collect();
            if let Some(index) = answered_by {
                let left: Vec<*mut pg_sys::RestrictInfo> = node::list((*index).indrestrictinfo).collect();
                open.retain(|info| !left.contains(info));
            }
            let mut excess = 1.0;
            for (which, statistics) in self.configuration.statistics.iter().enumerate() {
                if open.is_empty() || pg_sys::Oid::from(statistics.relation()) != (*entry).relid {
                    continue;
                }
                for (conditions, share) in self.shares(root, (*rel).relid, which).iter() {
                    let same = |condition: *mut pg_sys::Node| {
                        let alike =
                            |info: &*mut pg_sys::RestrictInfo| is_same(condition, (**info).clause.cast());
                        open.iter().position(alike)
                    };
                    let Some(at) = conditions.iter().copied().map(same).collect::<Option<Vec<_>>>() else {
                        continue;
                    };
                    let guessed: f64 = at.iter().map(|at| (*open[*at]).norm_selec).product();
                    if guessed > 0.0 && at.iter().all(|at| (*open[*at]).norm_selec > 0.0) {
                        excess *= share / guessed;
                        let mut position = 0;
                        open.retain(|_| {
                            position += 1;
                            !at.contains(&(position - 1))
                        });
                    }
                }
            }
            match answered_by {
                Some(_) => excess,
                // However few rows the planner expects, at least one, there are no more than there are.
                None => excess.min(((*rel).tuples / (*rel).rows.max(1.0)).max(1.0)),
            }
        }
    }

    /// What was sampled of the conditions on a relation.
    unsafe fn shares(
        &self,
        root: *mut pg_sys::PlannerInfo,
        varno: pg_sys::Index,
        which: usize,
    ) -> Rc<Shares> {
        let shares = || unsafe {
            // The genetic search works in a context of its own and empties it (geqo_eval, geqo_eval.c).
            let previous = pg_sys::MemoryContextSwitchTo((*root).planner_cxt);
            let shares = self.configuration.statistics[which].shares(varno);
            pg_sys::MemoryContextSwitchTo(previous);
            Rc::new(shares)
        };
        self.walked.shares.borrow_mut().entry((varno, which)).or_insert_with(shares).clone()
    }

    /// An index scan: what `cost_index` (costsize.c) charges for pages, and what they take.
    pub(super) unsafe fn index(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::IndexPath,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let index = (*path).indexinfo;
            self.used.push(index);
            let rel = (*index).rel;
            let excess = self.excess(root, rel, None);
            // Of the others, not enough is known of order and descents.
            if (*index).relam.to_u32() != pg_sys::BTREE_AM_OID.to_u32() {
                return Below { stored: None, excess };
            }
            let outer = runs.outer.filter(|_| !(*path).path.param_info.is_null());
            let (pages, leaves) = (f64::from((*rel).pages).max(1.0), f64::from((*index).pages).max(1.0));
            let selectivity = (*path).indexselectivity / workers(&raw mut (*path).path);
            let expected = selectivity * (*rel).tuples;
            let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
            let first = *(*index).indexkeys as pg_sys::AttrNumber;
            let known = self.configuration.storage.and_then(|known| known.of((*entry).relid.to_u32(), first));
            let mut more = self.excess(root, rel, Some(index));
            // What is looked up in a column has as many rows as ANALYZE thinks its values have.
            if let Some(known) = known.filter(|_| outer.is_some() && looks_up(path, 0)) {
                more *= known.rows_of_a_value;
            }
            let tuples = (expected * more).min((*rel).tuples).max(1.0);
            let correlation = correlation(root, rel, *(*index).indexkeys);
            let ordered = correlation * correlation;
            let only = (*path).path.pathtype == T_IndexOnlyScan;
            let fetched = if only { 1.0 - (*rel).allvisfrac } else { 1.0 };

            // What is stored in the order of the index is visited going forward, page by page; of the rest, only the rows of
            // one key are, which lie in the index by their place in the table.
            let scanned = tuples
                .max(index_rows(path, page_costs((*index).reltablespace).0))
                .min((*index).tuples.max(1.0));
            let passed = scanned / (*index).tuples.max(1.0);
            let together = Visits::of(tuples, (passed * pages).max(1.0) / tuples);
            let beside = known.map_or(1.0, |known| met_together(root, path, known.beside));
            let apart = Visits::of_keys(tuples, rows_of_a_key(root, path), beside, pages, (*rel).tuples);
            let mut visits = Visits {
                forward: ordered * together.forward + (1.0 - ordered) * apart.forward,
                scattered: ordered * together.scattered + (1.0 - ordered) * apart.scattered,
            };
            let mut far_leaf = 1.0;
            if let Some(outer) = outer {
                let nearness = self.nearness(root, path, outer);
                let visited = outer.rows * nearness.new_rows * together.all();
                visits = visits.repeated(nearness, ordered, pages / visited.max(1.0));
                far_leaf = nearness.elsewhere(leaves, outer.rows);
            }

            let rows = runs.times * runs.share * tuples;
            let filter = filter_cost(path);
            let kept = rest(&raw mut (*path).path, expected.max(1.0) * filter.per_tuple + filter.startup);
            let bytes = f64::from(pg_sys::BLCKSZ);
            let far = runs.times * runs.share * fetched * out_of_caches(pages * bytes);
            let in_index = passed * leaves;
            let of_table = touched(runs, fetched * visits.all(), pages, outer);
            let of_both = of_table.beside(touched(runs, in_index + far_leaf, leaves, outer));
            self.work.touched = self.work.touched.plus(of_both, 1.0);
            self.work.charged += runs.planned * runs.share * ((*path).path.total_cost - kept).max(0.0);
            self.work.forward += far * visits.forward + runs.times * runs.share * in_index;
            self.work.scattered += far * visits.scattered;
            self.work.index_rows += runs.times * runs.share * scanned;
            self.work.table_rows += rows * fetched;
            if outer.is_none() {
                let apart = together.rows_apart(tuples, (*rel).tuples / pages);
                self.work.rows_apart += far * ordered * apart;
            }
            self.work.descents += runs.times;
            self.work.scattered_descents += runs.times * far_leaf * out_of_caches(leaves * bytes);
            let in_order = if one_key(path) { 1.0 } else { ordered };
            Below { stored: Some(Stored::once(rel, in_order)), excess }
        }
    }
}

/// Which of `pages` all runs of an index scan come to, `visits` in each.
fn touched(runs: Runs<'_>, visits: f64, pages: f64, outer: Option<&Outer>) -> Touched {
    let visits = runs.times * runs.share * visits;
    match outer {
        Some(_) => Touched::at_random(visits, pages),
        None => Touched::in_turn(visits, pages),
    }
}

/// Whether two conditions are the same, whatever side is written first.
unsafe fn is_same(condition: *mut pg_sys::Node, other: *mut pg_sys::Node) -> bool {
    unsafe {
        if pg_sys::equal(condition.cast(), other.cast()) {
            return true;
        }
        if !node::is_a(condition, T_OpExpr)
            || !node::is_a(other, T_OpExpr)
            || pg_sys::get_commutator((*condition.cast::<pg_sys::OpExpr>()).opno)
                != (*other.cast::<pg_sys::OpExpr>()).opno
            || (*condition.cast::<pg_sys::OpExpr>()).args.as_ref().is_none_or(|args| args.length != 2)
        {
            return false;
        }
        let turned = pg_sys::copyObjectImpl(condition.cast()).cast::<pg_sys::OpExpr>();
        pg_sys::CommuteOpExpr(turned);
        pg_sys::equal(turned.cast(), other.cast())
    }
}

/// Processors that share a partial path's rows (`get_parallel_divisor`, costsize.c, with the leader taking part).
unsafe fn workers(path: *mut pg_sys::Path) -> f64 {
    let workers = f64::from(unsafe { (*path).parallel_workers });
    if workers > 0.0 { workers + (1.0 - 0.3 * workers).max(0.0) } else { 1.0 }
}

/// What the planner charges for a scan's filters, given as `filters`, and for what it computes of its rows.
unsafe fn rest(path: *mut pg_sys::Path, filters: f64) -> f64 {
    unsafe {
        let computed = (*(*path).pathtarget).cost;
        filters + computed.startup + computed.per_tuple * (*path).rows
    }
}

/// Cost of a page out of order and in order.
unsafe fn page_costs(tablespace: pg_sys::Oid) -> (f64, f64) {
    let (mut random, mut sequential) = (0.0, 0.0);
    unsafe { pg_sys::get_tablespace_page_costs(tablespace, &mut random, &mut sequential) };
    (random, sequential)
}
