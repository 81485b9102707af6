//! Reads `PageWork` off the paths of a finished planner call.
//!
//! Paths tell what plans no longer do: how many rows an index finds before they are filtered, and in which order. Only
//! looks; asks the catalog for nothing but the correlation of columns.
//!
//! # Safety
//!
//! The private functions take valid paths of one `PlannerInfo`, which only they look at meanwhile.

mod index_scan;
mod joins;
mod scans;

use super::hook::Configuration;
use super::node;
use crate::cost::in_memory::PageWork;
use joins::anew;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::{self, *};
use std::collections::BTreeMap;
use std::rc::Rc;

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
