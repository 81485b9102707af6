//! Sorts and groups: what they take with the rows that come, which may be many more than the planner charges for.
//!
//! # Safety
//!
//! As `page_work`.

use super::joins::anew;
use super::{Below, Runs, Step, Walk, final_rel};
use crate::pg::node;
use pgrx::pg_sys;

impl Walk<'_> {
    /// It reads everything before it gives the first row, and gives rows in an order of its own.
    pub(super) unsafe fn sort(&mut self, step: Step, runs: Runs<'_>) -> Below {
        unsafe {
            let runs = runs.kept_by(step.path);
            let found = self.path(step.root, step.below, runs);
            // Each row is compared as often as the rows can be halved (cost_tuplesort, costsize.c).
            let compared = 1.0 + found.excess.log2() / (*step.below).rows.max(2.0).log2();
            self.charge(step, runs, found.excess * compared.max(0.0));
            Below { stored: None, ..found }
        }
    }

    /// It reads group by group; the first is read before the first row (cost_incremental_sort, costsize.c).
    pub(super) unsafe fn incremental_sort(&mut self, step: Step, runs: Runs<'_>) -> Below {
        unsafe {
            let group = step.read_for((*step.path).startup_cost);
            let share = group + runs.share * (1.0 - group);
            Below { stored: None, ..self.ordered(step, runs.whole().first(share)) }
        }
    }

    pub(super) unsafe fn aggregate(&mut self, step: Step, runs: Runs<'_>) -> Below {
        unsafe {
            let path = step.path.cast::<pg_sys::AggPath>();
            // Groups that come in order are given one by one; the others when everything is read.
            let sorted = (*path).aggstrategy == pg_sys::AggStrategy::AGG_SORTED;
            let runs = if sorted { runs } else { runs.whole() };
            let found = self.ordered(step, runs);
            if (*path).aggstrategy == pg_sys::AggStrategy::AGG_HASHED {
                let rows = (*step.below).rows * runs.times * found.excess;
                let anew = anew(step.root, found.stored, &group_keys(step.below, (*path).groupClause));
                self.probe(rows * anew, step.path, (*path).numGroups);
            }
            Below::ANEW
        }
    }

    /// What looks at each row below once, in its order.
    pub(super) unsafe fn ordered(&mut self, step: Step, runs: Runs<'_>) -> Below {
        unsafe {
            let found = self.path(step.root, step.below, runs);
            self.charge(step, runs, found.excess);
            found
        }
    }

    /// `work` times what the planner charges for the step by itself.
    unsafe fn charge(&mut self, step: Step, runs: Runs<'_>, work: f64) {
        let Step { root, path, below } = step;
        let charged = unsafe { (*path).total_cost - (*below).total_cost - of_init_plans(root, path) };
        self.work.charged += runs.planned * runs.share * charged.max(0.0);
        self.work.ordered += runs.times * runs.share * charged.max(0.0) * work;
    }
}

/// What the path of a whole query is charged for what runs before it (SS_charge_for_initplans, subselect.c).
unsafe fn of_init_plans(root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::Path) -> f64 {
    unsafe {
        if final_rel(root).is_none_or(|rel| (*rel).cheapest_total_path != path) {
            return 0.0;
        }
        let plans = node::list::<pg_sys::SubPlan>((*root).init_plans);
        plans.map(|plan| (*plan).startup_cost + (*plan).per_call_cost).sum()
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
