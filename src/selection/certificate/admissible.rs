//! `Widest`: what a statement costs at least with all of its candidates but some, under a set that the user accepts.
//!
//! With every index there, the planner may choose a plan that is slower than the user allows. No set that he accepts holds all
//! the indexes of that plan, so one of them is missing, whichever: the least of what is left then is a bound. Bounds
//! only; which candidates to leave out is `describe`'s.

use super::Proof;
use crate::cost::{CandidateId, PlanCost, WhatIf};
use std::collections::BTreeSet;

/// Plans refused in search of one that the user accepts, when the planner is asked and when it is not. After that, the
/// cheapest one left bounds, accepted or not.
const REFUSED: usize = 6;
const REFUSED_IN_TURN: usize = 3;

/// A bound with all of a statement's candidates but some.
pub(super) struct Widest {
    /// All of them, or those that mattered in parts.
    pub field: Vec<CandidateId>,
    /// What the statement costs at least, planner units.
    pub level: f64,
    /// What its plan uses, ascending: to cost more, a set has to lack some of it.
    pub used: Vec<CandidateId>,
}

impl<W: WhatIf> Proof<'_, '_, W> {
    /// Whether the user accepts the slowdown that a plan means for its statement.
    pub(super) fn is_accepted(&self, statement: usize, plan: &PlanCost) -> bool {
        let s = &self.search.problem.statements[statement];
        plan.used.is_empty() || self.search.limits().allow(s.slowdown(plan))
    }

    /// What is known with all candidates of a statement but `absent`; None where that cannot be asked.
    pub(super) fn widest(&mut self, statement: usize, absent: &[CandidateId]) -> Option<Widest> {
        let (field, plan) = self.planned(statement, absent)?;
        let level = self.at_least(statement, &field);
        Some(Widest { field, level, used: plan.used })
    }

    /// What a statement costs at least with any of its candidates, planner units: asks until the cheapest plan left is one that
    /// the user accepts.
    pub(super) fn cheapest_accepted(&mut self, statement: usize) -> Option<f64> {
        let mut open = vec![(self.planned(statement, &[])?.1, Vec::new())];
        for _ in 0..REFUSED {
            let at = cheapest(&open);
            if self.is_accepted(statement, &open[at].0) {
                break;
            }
            let (refused, absent) = open.swap_remove(at);
            for missing in refused.used {
                let without = [absent.as_slice(), &[missing]].concat();
                let (_, plan) = self.planned(statement, &without)?;
                open.push((plan, without));
            }
        }
        Some(open[cheapest(&open)].0.total)
    }

    /// The plan with all candidates of a statement but `absent`. Of very many, in parts whose winners meet in a final: an
    /// index that is of no use among a part of the others is of none among all, unless they help each other.
    fn planned(&mut self, statement: usize, absent: &[CandidateId]) -> Option<(Vec<CandidateId>, PlanCost)> {
        let all = self.fields[statement].clone();
        let at_once = self.search.problem.statements[statement].at_once;
        let mut field: Vec<CandidateId> = all.iter().copied().filter(|c| !absent.contains(c)).collect();
        let mut parts: Vec<Vec<CandidateId>> = all
            .chunks(at_once)
            .map(|part| part.iter().copied().filter(|c| !absent.contains(c)).collect())
            .collect();
        while field.len() > at_once {
            let mut winners = BTreeSet::new();
            for part in &parts {
                winners.extend(self.look(statement, part)?.used);
            }
            if winners.len() >= field.len() {
                break;
            }
            field = winners.into_iter().collect();
            parts = field.chunks(at_once).map(<[CandidateId]>::to_vec).collect();
        }
        let plan = self.look(statement, &field)?;
        Some((field, plan))
    }

    /// What a statement costs at least with any part of `set` that the user accepts, by what is known; planner units.
    pub(super) fn at_least(&self, statement: usize, set: &[CandidateId]) -> f64 {
        // Of candidates planned in parts only the winners are in the set, and what takes a refused plan's place may be another.
        let in_parts = self.fields[statement].len() > self.search.problem.statements[statement].at_once;
        self.at_least_beyond(statement, set, if in_parts { 0 } else { REFUSED_IN_TURN })
    }

    fn at_least_beyond(&self, statement: usize, set: &[CandidateId], refusable: usize) -> f64 {
        let Some(plan) = self.search.cache.known(statement, set) else {
            return self.search.cache.dearest_superset(statement, set);
        };
        if refusable == 0 || self.is_accepted(statement, &plan) {
            return plan.total;
        }
        let without = |missing: &CandidateId| {
            let rest: Vec<CandidateId> = set.iter().copied().filter(|c| c != missing).collect();
            self.at_least_beyond(statement, &rest, refusable - 1)
        };
        plan.used.iter().map(without).fold(f64::INFINITY, f64::min).max(plan.total)
    }
}

fn cheapest(open: &[(PlanCost, Vec<CandidateId>)]) -> usize {
    let by_cost = |a: &usize, b: &usize| open[*a].0.total.total_cmp(&open[*b].0.total).then(a.cmp(b));
    (0..open.len()).min_by(by_cost).unwrap_or(0)
}
