//! Reads `PageWork` off the paths of a finished planner call.
//!
//! Paths tell what plans no longer do: how many rows an index finds before they are filtered, and in which order. Only
//! looks; asks the catalog for nothing but the correlation of columns.
//!
//! # Safety
//!
//! The private functions take valid paths of one `PlannerInfo`, which only they look at meanwhile.

use super::{index_cost, node};
use crate::cost::in_memory::PageWork;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::{self, *};

/// Bytes that stay in the processor's cache while something else is visited between two visits: a relation that is not much
/// larger is visited without waiting for memory. The last-level caches of servers have 16 MB and more, which others
/// use too.
const CACHE: f64 = 16e6;
/// ... and what stays of a hash table: every probe goes somewhere else, and first into the smaller caches (1 or 2 MB).
const NEAR_CACHE: f64 = 2e6;
/// Bytes that a row takes in a hash table beside its columns (HashJoinTupleData and MinimalTuple's header, hashjoin.h).
const HASH_OVERHEAD: f64 = 32.0;
/// A scan that looks whether there is a match stops halfway through the matches, on average.
const UNTIL_MATCH: f64 = 0.5;

/// What the plan chosen by the planner call of `root`, its top level, does with pages.
///
/// What a sub-query does that is planned for itself and run again for each row (a correlated SubPlan) is left as the
/// planner charges it.
///
/// # Safety
/// `root` must be NULL or the top of a planner call of this backend that is over, and its memory still there.
pub unsafe fn of(root: *mut pg_sys::PlannerInfo) -> PageWork {
    let mut walk = Walk::default();
    if !root.is_null() {
        unsafe { walk.query(root, 1.0, 1.0) };
    }
    walk.work
}

#[derive(Default)]
struct Walk {
    work: PageWork,
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

/// What successive runs of an index scan have in common.
#[derive(Clone, Copy)]
struct Nearness {
    /// How far they look up neighbouring keys, 0 to 1.
    near: f64,
    /// Share of the runs whose key is not that of the run before, where they are near, 0 to 1.
    new: f64,
}

impl Nearness {
    const NONE: Nearness = Nearness { near: 0.0, new: 1.0 };

    /// Share of the runs that go where the run before was not, as they go from one to the next of `places`, which lie in the order of
    /// the keys as far as `ordered` says.
    fn elsewhere(self, ordered: f64, places: f64, runs: f64) -> f64 {
        // Neighbouring visits that are fewer than there are places go to another one each.
        let in_order = self.near * ordered;
        let another = 1.0 - in_order + in_order * (places / runs.max(1.0)).min(1.0);
        another * (1.0 - self.near + self.near * self.new)
    }
}

impl Runs<'_> {
    fn whole(self) -> Self {
        Runs { share: 1.0, ..self }
    }
}

impl Walk {
    /// The paths of a query, and of those that run once before it.
    unsafe fn query(&mut self, root: *mut pg_sys::PlannerInfo, times: f64, share: f64) {
        unsafe {
            for plan in node::list::<pg_sys::SubPlan>((*root).init_plans) {
                let at = (*plan).plan_id as usize;
                if let Some(of_plan) = node::list::<pg_sys::PlannerInfo>((*(*root).glob).subroots).nth(at - 1)
                {
                    self.query(of_plan, 1.0, 1.0);
                }
            }
            let last = (*root).upper_rels[pg_sys::UpperRelationKind::UPPERREL_FINAL as usize];
            if let Some(rel) = node::list::<pg_sys::RelOptInfo>(last).next() {
                self.path(root, (*rel).cheapest_total_path, Runs { times, share, outer: None });
            }
        }
    }

    /// A path with all below it; in which stored order its rows come.
    unsafe fn path(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        runs: Runs<'_>,
    ) -> Option<Stored> {
        unsafe {
            let tag = node::tag(path)?;
            pg_sys::check_stack_depth();
            match tag {
                T_Path if (*path).pathtype == T_SeqScan => Some(self.sequential(path, runs)),
                T_IndexPath => self.index(root, path.cast(), runs),
                T_BitmapHeapPath => Some(self.bitmap(path.cast(), runs)),
                T_NestPath | T_HashPath | T_MergePath => self.join(root, path.cast(), tag, runs),
                T_AppendPath => self.all(root, (*path.cast::<pg_sys::AppendPath>()).subpaths, runs),
                T_MergeAppendPath => self.all(root, (*path.cast::<pg_sys::MergeAppendPath>()).subpaths, runs),
                T_SubqueryScanPath => {
                    self.query((*(*path).parent).subroot, runs.times, runs.share);
                    None
                }
                T_ModifyTablePath => {
                    let below = (*path.cast::<pg_sys::ModifyTablePath>()).subpath;
                    self.path(root, below, Runs { outer: None, ..runs });
                    None
                }
                T_RecursiveUnionPath => {
                    let union = path.cast::<pg_sys::RecursiveUnionPath>();
                    self.path(root, (*union).leftpath, runs.whole());
                    self.path(root, (*union).rightpath, runs.whole());
                    None
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
    ) -> Option<Stored> {
        unsafe {
            for path in node::list::<pg_sys::Path>(paths) {
                self.path(root, path, runs);
            }
        }
        None
    }

    /// Paths with one other below them, which begin alike (pathnodes.h).
    unsafe fn one_below(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        tag: NodeTag,
        runs: Runs<'_>,
    ) -> Option<Stored> {
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
                _ => return None,
            };
            match tag {
                // Kept for the next loop.
                T_MaterialPath => self.path(root, below, Runs { times: runs.times.min(1.0), ..runs.whole() }),
                T_MemoizePath => {
                    let entries = f64::from((*path.cast::<pg_sys::MemoizePath>()).est_entries).max(1.0);
                    self.path(root, below, Runs { times: runs.times.min(entries), ..runs });
                    None
                }
                T_LimitPath => {
                    let share = ((*path).rows / (*below).rows.max(1.0)).min(1.0);
                    self.path(root, below, Runs { share: runs.share * share, ..runs })
                }
                // They read everything before they give the first row, and give rows in an order of their own.
                T_SortPath | T_IncrementalSortPath | T_UniquePath | T_AggPath | T_GroupingSetsPath => {
                    let aggregate = path.cast::<pg_sys::AggPath>();
                    if tag == T_AggPath && (*aggregate).aggstrategy == pg_sys::AggStrategy::AGG_HASHED {
                        self.probe((*below).rows * runs.times, path, (*aggregate).numGroups);
                    }
                    self.path(root, below, runs.whole());
                    None
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
    ) -> Option<Stored> {
        use pg_sys::JoinType::{JOIN_ANTI, JOIN_SEMI};
        unsafe {
            let (outer, inner) = ((*join).outerjoinpath, (*join).innerjoinpath);
            let stored = self.path(root, outer, runs);
            let rows = (*outer).rows.max(1.0) * runs.times;
            if tag == T_NestPath {
                let one_match = matches!((*join).jointype, JOIN_SEMI | JOIN_ANTI);
                let outer = Outer { path: outer, stored, rows };
                let share = if one_match { UNTIL_MATCH } else { 1.0 };
                self.path(root, inner, Runs { times: rows * runs.share, share, outer: Some(&outer) });
                return stored;
            }
            self.path(root, inner, runs.whole());
            if tag == T_HashPath {
                self.probe(rows * runs.share, inner, (*inner).rows);
                // With more than one batch, rows come batch by batch.
                return stored.filter(|_| (*join.cast::<pg_sys::HashPath>()).num_batches <= 1);
            }
            stored
        }
    }

    /// `rows` looked up in a hash table of `entries`, each as wide as a row of `kept`.
    unsafe fn probe(&mut self, rows: f64, kept: *mut pg_sys::Path, entries: f64) {
        let row = f64::from(unsafe { (*(*kept).pathtarget).width }) + HASH_OVERHEAD;
        self.work.probes += rows * outside(NEAR_CACHE, entries * row);
    }

    unsafe fn sequential(&mut self, path: *mut pg_sys::Path, runs: Runs<'_>) -> Stored {
        unsafe {
            let rel = (*path).parent;
            let pages = f64::from((*rel).pages) * runs.times * runs.share;
            self.work.charged += pages * page_costs(rel).1;
            self.work.sequential += pages / workers(path);
            Stored { relation: (*rel).relid, strictly: 1.0 }
        }
    }

    unsafe fn bitmap(&mut self, path: *mut pg_sys::BitmapHeapPath, runs: Runs<'_>) -> Stored {
        unsafe {
            let rel = (*path).path.parent;
            let (mut index_cost, mut selectivity) = (0.0, 0.0);
            pg_sys::cost_bitmap_tree_node((*path).bitmapqual, &mut index_cost, &mut selectivity);
            let tuples = selectivity * (*rel).tuples / workers(&raw mut (*path).path);
            let charged = (*path).path.total_cost - index_cost - tuples * tuple_cost(rel);
            let charged = charged.max(0.0) * runs.times * runs.share;
            self.work.charged += charged;
            // Mackert and Lohman's formula (index_pages_fetched, costsize.c) for each run by itself: what an earlier one read
            // has to be visited again.
            let pages = f64::from((*rel).pages).max(1.0);
            let visited = (2.0 * pages * tuples / (2.0 * pages + tuples)).min(pages);
            self.work.bitmap += visited * runs.times * runs.share;
            Stored { relation: (*rel).relid, strictly: 1.0 }
        }
    }

    /// An index scan: what `cost_index` (costsize.c) charges for pages, and what they take.
    unsafe fn index(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::IndexPath,
        runs: Runs<'_>,
    ) -> Option<Stored> {
        unsafe {
            let index = (*path).indexinfo;
            let rel = (*index).rel;
            // Of the others, not enough is known of order and descents.
            if (*index).relam.to_u32() != pg_sys::BTREE_AM_OID.to_u32() {
                return None;
            }
            let outer = runs.outer.filter(|_| !(*path).path.param_info.is_null());
            let (pages, leaves) = (f64::from((*rel).pages).max(1.0), f64::from((*index).pages).max(1.0));
            let selectivity = (*path).indexselectivity / workers(&raw mut (*path).path);
            let tuples = (selectivity * (*rel).tuples).max(1.0);
            let correlation = correlation(root, rel, *(*index).indexkeys);
            let ordered = correlation * correlation;
            let only = (*path).path.pathtype == T_IndexOnlyScan;
            let fetched = if only { 1.0 - (*rel).allvisfrac } else { 1.0 };

            // Rows of one key are stored in the index by their place in the table.
            let unordered = if outer.is_some() { tuples.min(pages) } else { tuples };
            let in_order = (selectivity * pages).ceil().max(1.0);
            let visits = (ordered * in_order + (1.0 - ordered) * unordered) * fetched * runs.share;
            let (mut far_page, mut far_leaf) = (1.0, 1.0);
            if let Some(outer) = outer {
                let nearness = nearness(root, path, outer);
                far_page = nearness.elsewhere(ordered, pages, outer.rows);
                far_leaf = nearness.elsewhere(1.0, leaves, outer.rows);
            }

            let per_tuple = if only { fetched * pg_sys::cpu_tuple_cost } else { tuple_cost(rel) };
            let for_pages = (*path).path.total_cost - (*path).indextotalcost - tuples * per_tuple;
            let clauses = (*path).indexclauses.as_ref().map_or(0, |list| list.length);
            // As genericcostestimate and btcostestimate (selfuncs.c) charge for them.
            let index_cpu = tuples
                * (pg_sys::cpu_index_tuple_cost + f64::from(clauses) * pg_sys::cpu_operator_cost)
                + ((*index).tuples.max(1.0).log2().ceil() + 50.0 * f64::from((*index).tree_height + 1))
                    * pg_sys::cpu_operator_cost;
            let for_leaves = (*path).indextotalcost - index_cpu;
            let bytes = f64::from(pg_sys::BLCKSZ);
            self.work.charged += runs.times * (for_pages.max(0.0) * runs.share + for_leaves.max(0.0));
            self.work.scattered += runs.times * visits * far_page * outside(CACHE, pages * bytes);
            self.work.index_rows += runs.times * tuples * runs.share;
            self.work.descents += runs.times * far_leaf * outside(CACHE, leaves * bytes);
            Some(Stored { relation: (*rel).relid, strictly: ordered })
        }
    }
}

/// The share of visits to something of this size that the processor's cache does not answer.
fn outside(cache: f64, bytes: f64) -> f64 {
    (1.0 - cache / bytes.max(1.0)).max(0.0)
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

/// How far a relation is stored in the order of a column, 0 to 1; 0 for an expression (`column` 0).
unsafe fn correlation(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo, column: i32) -> f64 {
    if column <= 0 {
        return 0.0;
    }
    unsafe {
        let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
        index_cost::stored_correlation((*entry).relid, column as pg_sys::AttrNumber)
    }
}

/// How near successive runs of an index scan are: the outer rows come sorted by what is looked up, or in the order of a table that
/// is stored so; of which each row may be there several times, joined to others, and looks up the same each time.
unsafe fn nearness(root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::IndexPath, outer: &Outer) -> Nearness {
    unsafe {
        let leading =
            node::list::<pg_sys::IndexClause>((*path).indexclauses).find(|clause| (**clause).indexcol == 0);
        let Some(leading) = leading else { return Nearness::NONE };
        let class = (*leading).rinfo.as_ref().map_or(std::ptr::null_mut(), |info| info.parent_ec);
        let sorted = node::list::<pg_sys::PathKey>((*outer.path).pathkeys).next();
        if !class.is_null() && sorted.is_some_and(|key| (*key).pk_eclass == class) {
            return Nearness { near: 1.0, new: 1.0 };
        }
        let Some(stored) = outer.stored else { return Nearness::NONE };
        let mut sources: Vec<*mut pg_sys::Node> = Vec::new();
        if !class.is_null() {
            let members = node::list::<pg_sys::EquivalenceMember>((*class).ec_members);
            sources.extend(members.map(|member| (*member).em_expr.cast::<pg_sys::Node>()));
        }
        for qual in node::list::<pg_sys::RestrictInfo>((*leading).indexquals) {
            let clause = (*qual).clause.cast::<pg_sys::Node>();
            if node::is_a(clause, T_OpExpr) {
                sources.extend(node::list::<pg_sys::Node>((*clause.cast::<pg_sys::OpExpr>()).args));
            }
        }
        let columns = sources
            .into_iter()
            .map(|source| node::strip_relabel(source))
            .filter(|source| node::is_a(*source, T_Var));
        let found = columns
            .map(|source| source.cast::<pg_sys::Var>())
            .find(|var| (**var).varno as pg_sys::Index == stored.relation);
        let Some(found) = found else { return Nearness::NONE };
        let relation = *(*root).simple_rel_array.add(stored.relation as usize);
        let correlation = correlation(root, relation, (*found).varattno.into());
        let loops = outer.rows / (*outer.path).rows.max(1.0);
        let keys = (*relation).rows * loops.max(1.0);
        Nearness {
            near: correlation * correlation * stored.strictly,
            new: (keys / outer.rows.max(1.0)).min(1.0),
        }
    }
}
