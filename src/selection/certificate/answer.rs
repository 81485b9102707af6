//! The answer while it is being proven: the search looks at what the proof has learnt, and may let a statement get slower that the proof
//! has not allowed for.

use super::offers::Offer;
use super::{Charged, Proof};
use crate::cost::{CandidateId, PlanCost, WhatIf};
use crate::selection::search::Configuration;
use crate::selection::{guard, improve, propose};

/// Of a candidate, the share that the market holds of it by rounding.
const HARDLY: f64 = 0.05;
/// Its floor, an offer at the best prices, and what these name.
const CALLS_OF_A_PARDON: u64 = 4;

impl<W: WhatIf> Proof<'_, '_, W> {
    /// Whether the search has not looked at what was learnt for long enough.
    pub(super) fn is_time_to_search(&mut self) -> bool {
        let calls = self.search.cache.counters().planner_calls;
        self.may_ask() && self.searches.pop_if(|next| *next <= calls).is_some()
    }

    /// Whether the planner has said anything that the search has not looked at.
    pub(super) fn has_learnt(&self) -> bool {
        self.search.cache.counters().planner_calls > self.searched
    }

    /// Lets the search look at what the proof has learnt, also from where the market is: a better answer is nearer to the bound. Whether it
    /// lets further statements get slower.
    pub(super) fn search_again(&mut self, kept: &mut Charged) -> bool {
        let forgiven = self.search.forgiven.clone();
        let set = self.rounded();
        self.in_time &= propose::again(self.search)
            .and_then(|()| propose::from(self.search, set))
            .and_then(|()| guard::forgive(self.search))
            .is_ok();
        let pardoned: Vec<usize> = self.search.forgiven.difference(&forgiven).copied().collect();
        self.searched = self.search.cache.counters().planner_calls;
        for statement in &pardoned {
            self.pardon(*statement, kept);
        }
        !pardoned.is_empty()
    }

    /// The best set without what makes statements slower than they may get; None where time has run out.
    pub(super) fn guarded(&mut self) -> Option<Configuration> {
        let guarded = self.in_time.then(|| guard::of_best(self.search).ok()).flatten();
        self.in_time = guarded.is_some();
        guarded
    }

    /// Ends the search. Where no price pays for what the best set makes slower, it is held without that against the best of before.
    pub(super) fn end(&mut self, before: Option<Configuration>) {
        let Some(guarded) = self.guarded() else { return };
        self.search.best = guarded;
        if let Some(before) = before {
            self.search.consider(&before);
        }
    }

    /// A statement may get slower after all: what was asked of it and built on that without its slow plans holds no longer.
    fn pardon(&mut self, statement: usize, kept: &mut Charged) {
        let problem = self.search.problem;
        let slow = |plan: &&PlanCost| !plan.used.is_empty() && !problem.accepts(statement, plan);
        let learnt = self.search.cache.plans(statement).take(self.learnt[statement]);
        let plans: Vec<PlanCost> = learnt.filter(slow).cloned().collect();
        for plan in plans {
            self.tell(statement, &plan);
        }
        self.offers[statement].clear();
        self.refused[statement].clear();
        self.slow_alone[statement].clear();
        self.doubted.retain(|cover| cover.statement != statement);
        let mut of_others = self.covers.iter().map(|cover| cover.statement != statement);
        kept.tolls.retain(|_| of_others.next().unwrap_or(true));
        self.covers.retain(|cover| cover.statement != statement);
        self.floor(statement);
        let prices = std::mem::take(&mut kept.offers[statement].prices);
        // None is refused any more, so one call tells.
        self.last_call += CALLS_OF_A_PARDON;
        if let Some(least) = self.least_at(statement, &prices, 0.0, 1) {
            self.offers[statement].push(Offer { prices: prices.clone(), least });
        }
        kept.offers[statement] = Offer { least: self.at_least(statement, &prices), prices };
    }

    /// The candidates that the market would have most of, as many as fit.
    pub(super) fn rounded(&self) -> Vec<CandidateId> {
        let shares = &self.market.shares;
        let mut wanted: Vec<CandidateId> = (0..shares.len()).filter(|c| shares[*c] > HARDLY).collect();
        wanted.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]).then(a.cmp(b)));
        let mut set: Vec<CandidateId> = Vec::new();
        for candidate in wanted {
            let more = [set.as_slice(), &[candidate]].concat();
            if self.search.fits(&more) && !self.search.has_rivals_within(&more) {
                set = more;
            }
        }
        set.sort_unstable();
        set
    }

    /// Offers the set of the relaxed program to the search: now and then it is the better answer.
    pub(super) fn offer(&mut self, set: &[CandidateId]) {
        let search = &mut *self.search;
        if !search.fits(set) || search.has_rivals_within(set) {
            return;
        }
        search.cache.go_offline_after(0);
        let known = search.counted(set.to_vec());
        search.cache.go_online();
        if known.is_ok_and(|known| known.net > search.best.net) {
            let exact = search.counted(set.to_vec());
            self.in_time &= exact.and_then(|exact| improve::consider(search, exact)).is_ok();
        }
    }
}
