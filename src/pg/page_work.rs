//! Reads `PageWork` off the paths of a finished planner call.
//!
//! Paths tell what plans no longer do: how many rows an index finds before they are filtered, and in which order. Only
//! looks; asks the catalog for nothing but the correlation of columns.
//!
//! # Safety
//!
//! The private functions take valid paths of one `PlannerInfo`, which only they look at meanwhile.

mod index_scan;

use super::hook::Configuration;
use super::node;
use crate::cost::in_memory::PageWork;
use crate::cost::in_memory::visits::{Visits, out_of_caches, out_of_near_caches};
use index_scan::{
    correlation, filter_cost, index_rows, key_order, looks_up, met_together, nearness, one_key, rows_of_a_key,
};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::{self, *};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Bytes that a row takes in a hash table beside its columns (HashJoinTupleData and MinimalTuple's header, hashjoin.h).
const HASH_OVERHEAD: f64 = 32.0;

/// What the plan chosen by the planner call of `root`, its top level, does with pages. `configuration` was in force in that call.
///
/// What a sub-query does that is planned for itself and run again for each row (a correlated SubPlan) is left as the
/// planner charges it.
///
/// # Safety
/// `root` must be NULL or the top of a planner call of this backend that is over, and its memory still there.
pub unsafe fn of(root: *mut pg_sys::PlannerInfo, configuration: &Configuration<'_>) -> PageWork {
    let mut walk = Walk { work: PageWork::default(), configuration, shares: BTreeMap::new() };
    if !root.is_null() {
        unsafe { walk.query(root, Runs::once()) };
    }
    walk.work
}

struct Walk<'c> {
    work: PageWork,
    configuration: &'c Configuration<'c>,
    /// What was sampled of the conditions on a relation, by its place in the range table and what was sampled.
    shares: BTreeMap<(pg_sys::Index, usize), Rc<Shares>>,
}

/// Conditions that hold together, and for which share of the rows they do.
type Shares = Vec<(Vec<*mut pg_sys::Node>, f64)>;

/// What a path gives to those above it.
#[derive(Clone, Copy)]
struct Below {
    stored: Option<Stored>,
    /// Its rows, as a multiple of those that the planner expects.
    excess: f64,
}

impl Below {
    /// As many rows as expected, in an order of their own.
    const ANEW: Below = Below { stored: None, excess: 1.0 };
}

/// Rows that come in the order in which a relation is stored, more or less.
#[derive(Clone, Copy)]
struct Stored {
    /// Its place in the range table.
    relation: pg_sys::Index,
    /// 0 for no order to 1.
    strictly: f64,
}

/// How often a path runs, and how much of it.
#[derive(Clone, Copy)]
struct Runs<'a> {
    times: f64,
    /// How often the planner thinks it does.
    planned: f64,
    /// Share of its rows that are asked for.
    share: f64,
    /// For the inner side of a nested loop: what its parameters come from.
    outer: Option<&'a Outer>,
}

/// The outer side of a nested loop.
struct Outer {
    path: *mut pg_sys::Path,
    stored: Option<Stored>,
    /// Over all loops.
    rows: f64,
}

impl Runs<'_> {
    fn once() -> Self {
        Runs { times: 1.0, planned: 1.0, share: 1.0, outer: None }
    }

    /// No more often than once for each of so many.
    fn at_most(self, most: f64) -> Self {
        Runs { times: self.times.min(most), planned: self.planned.min(most), ..self }
    }

    fn whole(self) -> Self {
        Runs { share: 1.0, ..self }
    }
}

impl Walk<'_> {
    /// The paths of a query, and of those that run once before it.
    unsafe fn query(&mut self, root: *mut pg_sys::PlannerInfo, runs: Runs<'_>) -> Below {
        unsafe {
            for plan in node::list::<pg_sys::SubPlan>((*root).init_plans) {
                let at = (*plan).plan_id as usize;
                if let Some(of_plan) = node::list::<pg_sys::PlannerInfo>((*(*root).glob).subroots).nth(at - 1)
                {
                    self.query(of_plan, Runs::once());
                }
            }
            let last = (*root).upper_rels[pg_sys::UpperRelationKind::UPPERREL_FINAL as usize];
            match node::list::<pg_sys::RelOptInfo>(last).next() {
                Some(rel) => self.path(root, (*rel).cheapest_total_path, Runs { outer: None, ..runs }),
                None => Below::ANEW,
            }
        }
    }

    /// A path with all below it.
    unsafe fn path(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let Some(tag) = node::tag(path) else { return Below::ANEW };
            pg_sys::check_stack_depth();
            match tag {
                T_Path if (*path).pathtype == T_SeqScan => self.sequential(root, path, runs),
                T_IndexPath => self.index(root, path.cast(), runs),
                T_BitmapHeapPath => self.bitmap(root, path.cast(), runs),
                T_NestPath | T_HashPath | T_MergePath => self.join(root, path.cast(), tag, runs),
                T_AppendPath => self.all(root, (*path.cast::<pg_sys::AppendPath>()).subpaths, runs),
                T_MergeAppendPath => self.all(root, (*path.cast::<pg_sys::MergeAppendPath>()).subpaths, runs),
                T_SubqueryScanPath => {
                    let below = self.query((*(*path).parent).subroot, runs);
                    Below { stored: None, ..below }
                }
                T_ModifyTablePath => {
                    let below = (*path.cast::<pg_sys::ModifyTablePath>()).subpath;
                    self.path(root, below, Runs { outer: None, ..runs });
                    Below::ANEW
                }
                T_RecursiveUnionPath => {
                    let union = path.cast::<pg_sys::RecursiveUnionPath>();
                    self.path(root, (*union).leftpath, runs.whole());
                    self.path(root, (*union).rightpath, runs.whole());
                    Below::ANEW
                }
                _ => self.one_below(root, path, tag, runs),
            }
        }
    }

    unsafe fn all(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        paths: *mut pg_sys::List,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            for path in node::list::<pg_sys::Path>(paths) {
                self.path(root, path, runs);
            }
        }
        Below::ANEW
    }

    /// Paths with one other below them, which begin alike (pathnodes.h).
    unsafe fn one_below(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        tag: NodeTag,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let below = match tag {
                T_MaterialPath
                | T_MemoizePath
                | T_LimitPath
                | T_SortPath
                | T_IncrementalSortPath
                | T_UniquePath
                | T_UpperUniquePath
                | T_GroupPath
                | T_AggPath
                | T_GroupingSetsPath
                | T_WindowAggPath
                | T_GatherPath
                | T_GatherMergePath
                | T_ProjectionPath
                | T_ProjectSetPath
                | T_LockRowsPath => (*path.cast::<pg_sys::MaterialPath>()).subpath,
                _ => return Below::ANEW,
            };
            match tag {
                // Kept for the next loop.
                T_MaterialPath => self.path(root, below, runs.whole().at_most(1.0)),
                T_MemoizePath => {
                    let entries = f64::from((*path.cast::<pg_sys::MemoizePath>()).est_entries).max(1.0);
                    Below { stored: None, ..self.path(root, below, runs.at_most(entries)) }
                }
                T_LimitPath => {
                    let share = ((*path).rows / (*below).rows.max(1.0)).min(1.0);
                    let below = self.path(root, below, Runs { share: runs.share * share, ..runs });
                    Below { excess: 1.0, ..below }
                }
                // They read everything before they give the first row, and give rows in an order of their own.
                T_SortPath | T_IncrementalSortPath => {
                    Below { stored: None, ..self.path(root, below, runs.whole()) }
                }
                T_UniquePath | T_AggPath | T_GroupingSetsPath => {
                    let found = self.path(root, below, runs.whole());
                    let aggregate = path.cast::<pg_sys::AggPath>();
                    if tag == T_AggPath && (*aggregate).aggstrategy == pg_sys::AggStrategy::AGG_HASHED {
                        let rows = (*below).rows * runs.times * found.excess;
                        let groups = (*aggregate).numGroups;
                        let keys = group_keys(below, (*aggregate).groupClause);
                        let anew = anew(root, found.stored, &keys);
                        self.probe(rows * anew, path, groups);
                    }
                    Below::ANEW
                }
                _ => self.path(root, below, runs),
            }
        }
    }

    unsafe fn join(
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
    unsafe fn probe(&mut self, rows: f64, kept: *mut pg_sys::Path, entries: f64) {
        let row = f64::from(unsafe { (*(*kept).pathtarget).width }) + HASH_OVERHEAD;
        self.work.probes += rows * out_of_near_caches(entries * row);
    }

    unsafe fn sequential(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let rel = (*path).parent;
            let pages = f64::from((*rel).pages) * runs.share;
            self.work.charged += pages * runs.planned * page_costs(rel).1;
            self.work.sequential += pages * runs.times / workers(path);
            let stored = Some(Stored { relation: (*rel).relid, strictly: 1.0 });
            Below { stored, excess: self.excess(root, rel, None) }
        }
    }

    unsafe fn bitmap(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::BitmapHeapPath,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let rel = (*path).path.parent;
            let (mut index_cost, mut selectivity) = (0.0, 0.0);
            pg_sys::cost_bitmap_tree_node((*path).bitmapqual, &mut index_cost, &mut selectivity);
            let tuples = selectivity * (*rel).tuples / workers(&raw mut (*path).path);
            let charged = (*path).path.total_cost - index_cost - tuples * tuple_cost(rel);
            self.work.charged += charged.max(0.0) * runs.planned * runs.share;
            // Mackert and Lohman's formula (index_pages_fetched, costsize.c) for each run by itself: what an earlier one read
            // has to be visited again.
            let pages = f64::from((*rel).pages).max(1.0);
            let index = (*path).bitmapqual.cast::<pg_sys::IndexPath>();
            let index = node::is_a(index, T_IndexPath).then(|| (*index).indexinfo);
            let found = tuples * index.map_or(1.0, |index| self.excess(root, rel, Some(index)));
            self.work.more_rows += (found - tuples) * runs.times * runs.share;
            let visited = (2.0 * pages * found / (2.0 * pages + found)).min(pages);
            self.work.bitmap += visited * runs.times * runs.share;
            self.work.bitmap_rows += found * runs.times * runs.share;
            self.work.table_rows += found * runs.times * runs.share;
            let stored = Some(Stored { relation: (*rel).relid, strictly: 1.0 });
            Below { stored, excess: self.excess(root, rel, None) }
        }
    }

    /// The rows of a base relation as a multiple of those expected: of the restrictions, the share of the rows that a sample has shown is
    /// put in place of the planner's guess. With a partial index, only of those that its predicate answers.
    unsafe fn excess(
        &mut self,
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
                let varno = (*rel).relid;
                let shares =
                    self.shares.entry((varno, which)).or_insert_with(|| Rc::new(statistics.shares(varno)));
                for (conditions, share) in shares.clone().iter() {
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
            excess
        }
    }

    /// An index scan: what `cost_index` (costsize.c) charges for pages, and what they take.
    unsafe fn index(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::IndexPath,
        runs: Runs<'_>,
    ) -> Below {
        unsafe {
            let index = (*path).indexinfo;
            let rel = (*index).rel;
            let excess = self.excess(root, rel, None);
            // Of the others, not enough is known of order and descents.
            if (*index).relam.to_u32() != pg_sys::BTREE_AM_OID.to_u32() {
                return Below { stored: None, excess };
            }
            let outer = runs.outer.filter(|_| !(*path).path.param_info.is_null());
            let (pages, leaves) = (f64::from((*rel).pages).max(1.0), f64::from((*index).pages).max(1.0));
            let selectivity = (*path).indexselectivity / workers(&raw mut (*path).path);
            let expected = (selectivity * (*rel).tuples).max(1.0);
            let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
            let first = *(*index).indexkeys as pg_sys::AttrNumber;
            let known =
                self.configuration.side_by_side.and_then(|known| known.of((*entry).relid.to_u32(), first));
            let mut more = self.excess(root, rel, Some(index));
            // What is looked up in a column has as many rows as ANALYZE thinks its values have.
            if let Some(known) = known.filter(|_| outer.is_some() && looks_up(path, 0)) {
                more *= known.rows_of_a_value;
            }
            let tuples = (expected * more).max(1.0);
            let correlation = correlation(root, rel, *(*index).indexkeys);
            let ordered = correlation * correlation;
            let only = (*path).path.pathtype == T_IndexOnlyScan;
            let fetched = if only { 1.0 - (*rel).allvisfrac } else { 1.0 };

            // What is stored in the order of the index is visited going forward, page by page; of the rest, only the rows of
            // one key are, which lie in the index by their place in the table.
            let scanned = tuples.max(index_rows(path, page_costs(rel).0)).min((*index).tuples.max(1.0));
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
                let nearness = nearness(root, path, outer);
                visits = visits.repeated(nearness, ordered, pages / (outer.rows * together.all()).max(1.0));
                far_leaf = nearness.elsewhere(leaves, outer.rows);
            }

            let rows = runs.times * runs.share * tuples;
            let kept =
                expected * filter_cost(path) + (*path).path.rows * (*(*path).path.pathtarget).cost.per_tuple;
            let bytes = f64::from(pg_sys::BLCKSZ);
            let far = runs.times * runs.share * fetched * out_of_caches(pages * bytes);
            let in_index = passed * leaves;
            self.work.charged += runs.planned * runs.share * ((*path).path.total_cost - kept).max(0.0);
            self.work.forward += far * visits.forward + runs.times * runs.share * in_index;
            self.work.scattered += far * visits.scattered;
            self.work.index_rows += runs.times * runs.share * scanned;
            self.work.table_rows += rows * fetched;
            self.work.descents += runs.times;
            self.work.scattered_descents += runs.times * far_leaf * out_of_caches(leaves * bytes);
            let in_order = if one_key(path) { 1.0 } else { ordered };
            let stored = Some(Stored { relation: (*rel).relid, strictly: in_order });
            Below { stored, excess }
        }
    }
}

/// The share of rows that look up something else in a hash table than the row before: where they come in the stored order of a key,
/// only as many as there are keys.
unsafe fn anew(root: *mut pg_sys::PlannerInfo, stored: Option<Stored>, keys: &[*mut pg_sys::Node]) -> f64 {
    let Some(stored) = stored else { return 1.0 };
    let of_key = |key: &*mut pg_sys::Node| {
        let (order, keys_a_row) = unsafe { key_order(root, &stored, *key) };
        1.0 - order * stored.strictly * (1.0 - keys_a_row)
    };
    keys.iter().map(of_key).fold(1.0, f64::min)
}

/// What rows are grouped by.
unsafe fn group_keys(below: *mut pg_sys::Path, clauses: *mut pg_sys::List) -> Vec<*mut pg_sys::Node> {
    unsafe {
        let target = (*below).pathtarget;
        if (*target).sortgrouprefs.is_null() {
            return Vec::new();
        }
        let keys = node::list::<pg_sys::Node>((*target).exprs).enumerate();
        keys.filter(|(at, _)| {
            let reference = *(*target).sortgrouprefs.add(*at);
            node::list::<pg_sys::SortGroupClause>(clauses)
                .any(|clause| (*clause).tleSortGroupRef == reference)
        })
        .map(|(_, key)| key)
        .collect()
    }
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

/// Whether two conditions are the same, whatever side is written first.
unsafe fn is_same(condition: *mut pg_sys::Node, other: *mut pg_sys::Node) -> bool {
    unsafe {
        if pg_sys::equal(condition.cast(), other.cast()) {
            return true;
        }
        if !node::is_a(condition, T_OpExpr)
            || !node::is_a(other, T_OpExpr)
            || pg_sys::get_commutator((*other.cast::<pg_sys::OpExpr>()).opno)
                != (*condition.cast::<pg_sys::OpExpr>()).opno
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

unsafe fn tuple_cost(rel: *mut pg_sys::RelOptInfo) -> f64 {
    unsafe { pg_sys::cpu_tuple_cost + (*rel).baserestrictcost.per_tuple }
}

/// Cost of a page out of order and in order.
unsafe fn page_costs(rel: *mut pg_sys::RelOptInfo) -> (f64, f64) {
    let (mut random, mut sequential) = (0.0, 0.0);
    unsafe { pg_sys::get_tablespace_page_costs((*rel).reltablespace, &mut random, &mut sequential) };
    (random, sequential)
}
