//! Canonical order: a problem with its candidates and statements numbered by what they are.
//!
//! The moves break ties by number. Here the numbers get their meaning: of two candidates, the one preferred when both are
//! equally good comes first; of two statements, the one with more time. So the answer depends on nothing but the
//! question. Changes numbers only.

use super::{CandidateCost, Problem, Selection, WeightedStatement};
use crate::cost::{CandidateId, PlanCost, Priced, Reached, StatementId, WhatIf, WhatIfError};

/// Which candidate and which statement of a problem stands where.
pub(super) struct Canonical {
    /// By number here, the candidate of the problem, ...
    candidates: Vec<CandidateId>,
    /// ... and the other way round.
    places: Vec<CandidateId>,
    /// By position here, the position in the problem.
    statements: Vec<usize>,
}

/// The planner, asked in canonical numbers.
pub(super) struct View<'v, W> {
    order: &'v Canonical,
    what_if: &'v mut W,
}

impl Canonical {
    /// The order of a problem's candidates and statements.
    pub fn of(problem: &Problem) -> Canonical {
        let mut candidates: Vec<CandidateId> = (0..problem.candidates.len()).collect();
        let standing = |id: &CandidateId| {
            let candidate = &problem.candidates[*id];
            (candidate.preference, candidate.size_bytes, &candidate.tie_break)
        };
        candidates.sort_by(|a, b| standing(a).cmp(&standing(b)).then(a.cmp(b)));
        let mut places = vec![0; candidates.len()];
        for (place, candidate) in candidates.iter().enumerate() {
            places[*candidate] = place;
        }
        let mut statements: Vec<usize> = (0..problem.statements.len()).collect();
        let time = |position: &usize| problem.statements[*position].time_before();
        let id = |position: &usize| problem.statements[*position].id;
        statements.sort_by(|a, b| time(b).total_cmp(&time(a)).then_with(|| id(a).cmp(&id(b))));
        Canonical { candidates, places, statements }
    }

    /// The problem in this order.
    pub fn problem(&self, problem: &Problem) -> Problem {
        let statement = |position: &usize| {
            let statement = &problem.statements[*position];
            WeightedStatement {
                relevant: placed(&statement.relevant, &self.places),
                before: self.plan(statement.before.clone()),
                ..*statement
            }
        };
        let candidate = |id: &CandidateId| {
            let candidate = &problem.candidates[*id];
            CandidateCost { relatives: placed(&candidate.relatives, &self.places), ..candidate.clone() }
        };
        Problem {
            statements: self.statements.iter().map(statement).collect(),
            candidates: self.candidates.iter().map(candidate).collect(),
            limits: problem.limits.clone(),
            previous: placed(&problem.previous, &self.places),
        }
    }

    /// The planner for the problem in this order.
    pub fn view<'v, W: WhatIf>(&'v self, what_if: &'v mut W) -> View<'v, W> {
        View { order: self, what_if }
    }

    /// The selection in the order of the problem as it was posed.
    pub fn restored(&self, mut selection: Selection) -> Selection {
        let restored = |plan: &mut PlanCost| plan.used = placed(&plan.used, &self.candidates);
        for choice in &mut selection.chosen {
            choice.candidate = self.candidates[choice.candidate];
            for effect in &mut choice.effects {
                restored(&mut effect.before);
                restored(&mut effect.after);
            }
        }
        let mut after: Vec<(usize, PlanCost)> = Vec::with_capacity(self.statements.len());
        for (position, mut plan) in self.statements.iter().zip(selection.after) {
            restored(&mut plan);
            after.push((*position, plan));
        }
        after.sort_by_key(|(position, _)| *position);
        selection.after = after.into_iter().map(|(_, plan)| plan).collect();
        for point in &mut selection.frontier {
            point.members = placed(&point.members, &self.candidates);
            point.added = point.added.map(|candidate| self.candidates[candidate]);
        }
        selection
    }

    fn plan(&self, plan: PlanCost) -> PlanCost {
        PlanCost { used: placed(&plan.used, &self.places), ..plan }
    }
}

impl<W: WhatIf> WhatIf for View<'_, W> {
    fn cost(
        &mut self,
        statement: StatementId,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, WhatIfError> {
        let plan = self.what_if.cost(statement, &placed(configuration, &self.order.candidates))?;
        Ok(self.order.plan(plan))
    }

    fn cost_at_prices(
        &mut self,
        statement: StatementId,
        priced: &[(CandidateId, f64)],
        most_in_memory: f64,
    ) -> Result<Option<Priced>, WhatIfError> {
        let there = |(candidate, price): &(CandidateId, f64)| (self.order.candidates[*candidate], *price);
        let mut priced: Vec<(CandidateId, f64)> = priced.iter().map(there).collect();
        priced.sort_by_key(|(candidate, _)| *candidate);
        let found = self.what_if.cost_at_prices(statement, &priced, most_in_memory)?;
        Ok(found.map(|found| Priced { used: placed(&found.used, &self.order.places), ..found }))
    }

    fn is_spent(&mut self, statement: StatementId) -> bool {
        self.what_if.is_spent(statement)
    }

    fn is_by_lot(&self, statement: StatementId) -> bool {
        self.what_if.is_by_lot(statement)
    }

    fn expired(&mut self) -> bool {
        self.what_if.expired()
    }

    fn reached(&mut self, where_to: Reached) {
        self.what_if.reached(where_to);
    }
}

/// Candidates by their numbers in another order, ascending.
fn placed(candidates: &[CandidateId], numbers: &[CandidateId]) -> Vec<CandidateId> {
    let mut placed: Vec<CandidateId> = candidates.iter().map(|candidate| numbers[*candidate]).collect();
    placed.sort_unstable();
    placed
}
