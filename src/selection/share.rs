//! Sharing: what statements would use if all who could use an index paid for it together.
//!
//! Left alone, the planner names what is best for one statement, and where ten tables are joined hardly two statements name the same. With
//! a price on every candidate, split among the statements that it could help by their time, it names what serves many. Only asks; what
//! it learns stays in the cost cache, for the search on known plans.

use super::Problem;
use super::peel::{admit, by_weight, keep_bundle};
use super::search::Search;
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};

/// What all that the limits allow is worth, as shares of what everything costs before: at the dearer price less is named.
const WORTH_OF_ALL: [f64; 2] = [0.5, 0.1];

/// What candidates take, and from whom.
struct Shares<'p> {
    problem: &'p Problem,
    total_before: f64,
    /// By candidate: milliseconds a day of all statements that it could help.
    time_of: Vec<f64>,
}

/// Asks the planner about each statement at shared prices.
pub(super) fn run<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let shares = Shares::of(search);
    for worth in WORTH_OF_ALL {
        for statement in by_weight(search) {
            let field = shares.field(statement, worth);
            // Where nothing is scarce, nothing has to be shared.
            if field.iter().all(|(_, price)| *price == 0.0) || search.cache.is_spent(statement) {
                continue;
            }
            let most = search.most_in_memory(statement);
            let Some(found) = search.cache.at_prices(statement, &field, most)? else { continue };
            if found.used.is_empty() {
                continue;
            }
            let plan = search.cache.plan(statement, &found.used)?;
            admit(search, &plan.used);
            keep_bundle(search, plan.used);
        }
    }
    Ok(())
}

impl<'p> Shares<'p> {
    fn of<W: WhatIf>(search: &Search<'p, W>) -> Shares<'p> {
        let problem = search.problem;
        let time = |statement: &usize| problem.statements[*statement].time_before();
        let time_of = search.statements_of.iter().map(|statements| statements.iter().map(time).sum());
        Shares { problem, total_before: search.total_before, time_of: time_of.collect() }
    }

    /// The share that a candidate takes of the limit of which it takes most; more than 1 where it does not fit.
    fn of_limits(&self, candidate: CandidateId) -> f64 {
        let limits = &self.problem.limits;
        let is_scarce = limits.max_indexes < self.problem.candidates.len();
        let of_number = if is_scarce { 1.0 / limits.max_indexes.max(1) as f64 } else { 0.0 };
        let bytes = self.problem.candidates[candidate].size_bytes as f64;
        limits.storage_bytes.map_or(of_number, |room| of_number.max(bytes / room.max(1) as f64))
    }

    /// What a statement pays of a candidate, planner units, where all that the limits allow is `worth` a share of what everything costs.
    fn price(&self, statement: usize, candidate: CandidateId, worth: f64) -> f64 {
        let price = worth * self.total_before * self.of_limits(candidate);
        let all = price + self.problem.candidates[candidate].write_ms;
        all * self.problem.statements[statement].before.total / self.time_of[candidate].max(f64::MIN_POSITIVE)
    }

    /// Candidates with their prices, ascending. What a cheaper relative may do is left out: a call takes several times as long with all
    /// candidates as with a few of them.
    fn field(&self, statement: usize, worth: f64) -> Vec<(CandidateId, f64)> {
        let relevant = self.problem.statements[statement].relevant.iter().copied();
        let fitting = relevant.filter(|candidate| self.of_limits(*candidate) <= 1.0);
        let priced: Vec<(CandidateId, f64)> =
            fitting.map(|candidate| (candidate, self.price(statement, candidate, worth))).collect();
        let price_of = |candidate: &CandidateId| {
            let at = priced.binary_search_by_key(candidate, |(other, _)| *other).ok()?;
            Some(priced[at].1)
        };
        let stands = |(candidate, price): &&(CandidateId, f64)| {
            let relatives = &self.problem.candidates[*candidate].relatives;
            !relatives.iter().filter_map(price_of).any(|cheaper| cheaper < *price)
        };
        let mut field: Vec<(CandidateId, f64)> = priced.iter().filter(stands).copied().collect();
        field.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        field.truncate(self.problem.limits.at_once);
        field.sort_unstable_by_key(|(candidate, _)| *candidate);
        field
    }
}
