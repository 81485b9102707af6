//! Reads `PageWork` off the paths of a finished planner call.
//!
//! Paths tell what plans no longer do: how many rows an index finds before they are filtered, and in which order. Only
//! looks; asks the catalog for nothing but the correlation of columns.
//!
//! # Safety
//!
//! The private functions take valid paths of one `PlannerInfo`, which only they look at meanwhile.

mod columns;
mod index_scan;
mod joins;
mod nearness;
mod ordering;
mod ranges;
mod scans;
mod several_keys;

use super::hook::Configuration;
use super::{compat, node};
use crate::cost::in_memory::PageWork;
use joins::remembered;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::{self, *};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How often the planner thinks that a recursion goes round (cost_recursive_union, costsize.c).
const ROUNDS: f64 = 10.0;

/// What the plan chosen by the planner call of `root`, its top level, does with pages. `configuration` was in force in that call.
///
/// What a sub-query does that hangs on an expression (a SubPlan: run again for each row, or hashed) is left as the planner
/// charges it.
///
/// # Safety
/// `root` must be NULL or the top of a planner call of this backend that is over, and its memory still there.
pub unsafe fn of(root: *mut pg_sys::PlannerInfo, configuration: &Configuration<'_>) -> PageWork {
    let found = Walked::default();
    let mut walk = Walk::new(configuration, &found);
    if !root.is_null() {
        unsafe { walk.query(root) };
    }
    if let Some(pricing) = configuration.pricing {
        walk.used.iter().for_each(|index| unsafe { pricing.note(*index) });
    }
    walk.work
}

/// What `path` costs when all pages are in memory, planner units, if it runs once; what having its indexes costs does not count. What is
/// found out is kept in `walked`.
///
/// # Safety
/// `path` must be a valid path of the planner call of `root` under `configuration`.
pub unsafe fn in_memory(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::Path,
    configuration: &Configuration<'_>,
    walked: &Walked,
) -> f64 {
    let mut walk = Walk { remembers: true, ..Walk::new(configuration, walked) };
    unsafe {
        walk.path(root, path, Runs::once());
        walk.work.cost((*path).total_cost, pg_sys::cpu_tuple_cost, configuration.buffers())
    }
}

struct Walk<'c> {
    work: PageWork,
    configuration: &'c Configuration<'c>,
    /// Indexes that were met.
    used: Vec<*const pg_sys::IndexOptInfo>,
    /// What was found out before in this planner call.
    walked: &'c Walked,
    /// Whether what paths do is kept there.
    remembers: bool,
}

/// What was found out in a planner call.
#[derive(Default)]
pub struct Walked {
    /// The work of paths that run once, for those that are looked at again as parts of others.
    works: RefCell<FxHashMap<*mut pg_sys::Path, Memory>>,
    /// What was sampled of the conditions on a relation, by its place in the range table and what was sampled.
    shares: RefCell<BTreeMap<(pg_sys::Index, usize), Rc<Shares>>>,
    /// By relation, and by the index that answers a part of the conditions: how many more rows there are than expected.
    excesses: RefCell<FxHashMap<(*mut pg_sys::RelOptInfo, *mut pg_sys::IndexOptInfo), f64>>,
    /// The same of joins, by the clause.
    ranges: RefCell<FxHashMap<*const pg_sys::RestrictInfo, f64>>,
    /// How many more rows joins have than expected.
    joined: RefCell<FxHashMap<*mut pg_sys::Path, (Cost, f64)>>,
}

/// At the start and in all. Of a path that was thrown away, another may have the address by now; hardly one at the same cost.
type Cost = (f64, f64);

unsafe fn cost_of(path: *mut pg_sys::Path) -> Cost {
    unsafe { ((*path).startup_cost, (*path).total_cost) }
}

#[derive(Clone, Copy)]
struct Memory {
    cost: Cost,
    work: PageWork,
    below: Below,
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
    /// How often they go through that order, with a part of the rows each time.
    passes: f64,
}

impl Stored {
    /// Of a relation that is gone through once, `strictly` so far in its order.
    unsafe fn once(rel: *const pg_sys::RelOptInfo, strictly: f64) -> Stored {
        Stored { relation: unsafe { (*rel).relid }, strictly, passes: 1.0 }
    }
}

/// How often a path runs, and how much of it.
#[derive(Clone, Copy)]
struct Runs<'a> {
    times: f64,
    /// How often the planner thinks it does.
    planned: f64,
    /// The same of the query that it is in: what is kept from one run to the next is kept as long as that runs.
    query: (f64, f64),
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
    /// Rows as a multiple of those that the planner expects.
    excess: f64,
}

/// A path with the one below it.
#[derive(Clone, Copy)]
struct Step {
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::Path,
    below: *mut pg_sys::Path,
}

impl Step {
    /// The share of what is below that is read until that has cost `cost`; all where reading costs nothing.
    unsafe fn read_for(&self, cost: f64) -> f64 {
        let (start, end) = unsafe { ((*self.below).startup_cost, (*self.below).total_cost) };
        if end > start { ((cost - start) / (end - start)).clamp(0.0, 1.0) } else { 1.0 }
    }
}

impl Runs<'_> {
    fn once() -> Self {
        Runs { times: 1.0, planned: 1.0, query: (1.0, 1.0), share: 1.0, outer: None }
    }

    fn is_once(&self) -> bool {
        self.times == 1.0
            && self.planned == 1.0
            && self.query == (1.0, 1.0)
            && self.share == 1.0
            && self.outer.is_none()
    }

    /// Of what `path` keeps all rows of, to be read again instead: all of it, and once in a run of the query unless it hangs on a row from
    /// elsewhere.
    unsafe fn kept_by(self, path: *mut pg_sys::Path) -> Self {
        let whole = self.whole();
        match unsafe { (*path).param_info.is_null() } {
            true => Runs {
                times: whole.times.min(whole.query.0),
                planned: whole.planned.min(whole.query.1),
                ..whole
            },
            false => whole,
        }
    }

    /// Of the first rows, `share` of them.
    fn first(self, share: f64) -> Self {
        Runs { share: self.share * share, ..self }
    }

    fn whole(self) -> Self {
        Runs { share: 1.0, ..self }
    }
}

impl<'c> Walk<'c> {
    fn new(configuration: &'c Configuration<'c>, walked: &'c Walked) -> Walk<'c> {
        Walk { work: PageWork::default(), configuration, used: Vec::new(), walked, remembers: false }
    }
}

impl Walk<'_> {
    /// The path that a query at the top was planned with, and those that run before it.
    unsafe fn query(&mut self, root: *mut pg_sys::PlannerInfo) {
        unsafe {
            self.before(root);
            if let Some(rel) = final_rel(root) {
                self.path(root, (*rel).cheapest_total_path, Runs::once());
            }
        }
    }

    /// What runs once before a query, for values of it and for WITH.
    unsafe fn before(&mut self, root: *mut pg_sys::PlannerInfo) {
        unsafe {
            for plan in node::list::<pg_sys::SubPlan>((*root).init_plans) {
                // Numbered from 1 (build_subplan, subselect.c).
                let at = ((*plan).plan_id as usize).wrapping_sub(1);
                let of_plan = node::list::<pg_sys::PlannerInfo>((*(*root).glob).subroots).nth(at);
                let Some(of_plan) = of_plan else { continue };
                // That of a least value (T_MinMaxAggPath) has none.
                let Some(rel) = final_rel(of_plan) else { continue };
                self.before(of_plan);
                if (*plan).subLinkType == pg_sys::SubLinkType::EXISTS_SUBLINK {
                    // The first row tells (make_subplan, subselect.c; cost_subplan, costsize.c).
                    let path = pg_sys::get_cheapest_fractional_path(rel, 1.0);
                    self.path(of_plan, path, Runs::once().first(1.0 / (*path).rows.max(1.0)));
                } else {
                    self.path(of_plan, (*rel).cheapest_total_path, Runs::once());
                }
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
            if !self.remembers || path.is_null() || !runs.is_once() {
                return self.looked_at(root, path, runs);
            }
            let works = &self.walked.works;
            let cost = cost_of(path);
            if let Some(memory) = works.borrow().get(&path).filter(|memory| memory.cost == cost) {
                self.work = self.work.plus(memory.work, 1.0);
                return memory.below;
            }
            let before = self.work;
            let below = self.looked_at(root, path, runs);
            let work = self.work.plus(before, -1.0);
            works.borrow_mut().insert(path, Memory { cost, work, below });
            below
        }
    }

    unsafe fn looked_at(
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
                T_AppendPath => {
                    for below in node::list((*path.cast::<pg_sys::AppendPath>()).subpaths) {
                        self.path(root, below, runs);
                    }
                    Below::ANEW
                }
                T_MergeAppendPath => {
                    for below in
                        node::list::<pg_sys::Path>((*path.cast::<pg_sys::MergeAppendPath>()).subpaths)
                    {
                        // Those in another order are sorted (create_merge_append_plan, createplan.c).
                        let ordered = pg_sys::pathkeys_contained_in((*path).pathkeys, (*below).pathkeys);
                        self.path(root, below, if ordered { runs } else { runs.whole() });
                    }
                    Below::ANEW
                }
                T_SubqueryScanPath => {
                    let within = (*(*path).parent).subroot;
                    self.before(within);
                    let query = match (*path).param_info.is_null() {
                        true => runs.query,
                        false => (runs.times, runs.planned),
                    };
                    let below = (*path.cast::<pg_sys::SubqueryScanPath>()).subpath;
                    let below = self.path(within, below, Runs { query, outer: None, ..runs });
                    Below { stored: None, ..below }
                }
                T_MinMaxAggPath => {
                    let found = (*path.cast::<pg_sys::MinMaxAggPath>()).mmaggregates;
                    for found in node::list::<pg_sys::MinMaxAggInfo>(found) {
                        // The first row in their order (build_minmax_path, planagg.c).
                        let first = runs.whole().first(1.0 / (*(*found).path).rows.max(1.0));
                        self.before((*found).subroot);
                        self.path((*found).subroot, (*found).path, Runs { outer: None, ..first });
                    }
                    Below::ANEW
                }
                T_SetOpPath => {
                    let operation = path.cast::<pg_sys::SetOpPath>();
                    let sorted = (*operation).strategy == pg_sys::SetOpStrategy::SETOP_SORTED;
                    let runs = if sorted { runs } else { runs.whole() };
                    for below in compat::inputs(operation) {
                        self.path(root, below, runs);
                    }
                    Below::ANEW
                }
                T_ModifyTablePath => {
                    let below = (*path.cast::<pg_sys::ModifyTablePath>()).subpath;
                    self.path(root, below, Runs { outer: None, ..runs });
                    Below::ANEW
                }
                T_RecursiveUnionPath => {
                    let union = path.cast::<pg_sys::RecursiveUnionPath>();
                    self.path(root, (*union).leftpath, runs.whole());
                    let rounds =
                        Runs { times: runs.times * ROUNDS, planned: runs.planned * ROUNDS, ..runs.whole() };
                    self.path(root, (*union).rightpath, rounds);
                    Below::ANEW
                }
                _ => self.one_below(root, path, tag, runs),
            }
        }
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
            let step = Step { root, path, below };
            match tag {
                T_MaterialPath => self.path(root, below, runs.kept_by(path)),
                T_MemoizePath => {
                    let remembered = remembered(root, path.cast());
                    let (times, planned) = (remembered.missed(runs.times), remembered.missed(runs.planned));
                    let runs = Runs { times, planned, ..runs };
                    Below { stored: None, ..self.path(root, below, runs) }
                }
                T_LimitPath => {
                    // What is charged tells of the rows that an offset skips too (adjust_limit_rows_costs, pathnode.c).
                    let share = step.read_for((*path).total_cost);
                    let below = self.path(root, below, runs.first(share));
                    Below { excess: 1.0, ..below }
                }
                T_SortPath => self.sort(step, runs),
                T_IncrementalSortPath => self.incremental_sort(step, runs),
                T_AggPath => self.aggregate(step, runs),
                T_UniquePath | T_GroupingSetsPath => {
                    self.ordered(step, runs.whole());
                    Below::ANEW
                }
                T_GroupPath | T_WindowAggPath => self.ordered(step, runs),
                _ => self.path(root, below, runs),
            }
        }
    }
}

/// Where the paths of a whole query are.
unsafe fn final_rel(root: *mut pg_sys::PlannerInfo) -> Option<*mut pg_sys::RelOptInfo> {
    unsafe { node::list((*root).upper_rels[pg_sys::UpperRelationKind::UPPERREL_FINAL as usize]).next() }
}
