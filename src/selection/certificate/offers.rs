//! Offers: what the planner says of a statement when each of its candidates costs something to have.
//!
//! One call gives a cut that holds by itself: under any set, the statement costs at least the least total, less the prices of the set.
//! Where the plan is slower than the user accepts, no set that he accepts holds all of what makes it slow, and the least of
//! what is left without one or the other is the bound.

use super::Proof;
use crate::cost::{CandidateId, PlanCost, Priced, WhatIf};
use crate::selection::search::FLOOR_SLACK;

/// Planner calls in search of a plan that the user accepts; after that, the cheapest one left bounds, accepted or not.
pub(super) const REFUSED: usize = 8;

/// A bound of a statement at prices: milliseconds a day, prices included.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// By position in the field, milliseconds a day.
    pub prices: Vec<f64>,
    pub least: f64,
}

/// A plan that is the cheapest without some candidates.
struct Open {
    least: f64,
    absent: Vec<CandidateId>,
    used: Vec<CandidateId>,
}

impl Offer {
    /// What this says of the least at other prices: a plan has become cheaper by no more than the prices have.
    pub fn at(&self, prices: &[f64]) -> f64 {
        let cheaper = self.prices.iter().zip(prices).map(|(before, now)| (before - now).max(0.0));
        self.least - cheaper.sum::<f64>()
    }
}

impl<W: WhatIf> Proof<'_, '_, W> {
    /// Whether the user accepts the slowdown that a plan means for its statement.
    pub(super) fn is_accepted(&self, statement: usize, plan: &PlanCost) -> bool {
        plan.used.is_empty() || self.search.accepts(statement, plan)
    }

    /// The least of what a statement costs with the prices of what it uses, milliseconds a day, of the plans that the user accepts; None
    /// where that cannot be asked. Closer than `worth` to what is known to be possible is close enough.
    pub(super) fn least_at(
        &mut self,
        statement: usize,
        prices: &[f64],
        worth: f64,
        patience: usize,
    ) -> Option<f64> {
        let mut open = vec![self.cheapest_without(statement, prices, Vec::new())?];
        let mut asked = 1;
        loop {
            let at = (0..open.len()).min_by(|a, b| open[*a].least.total_cmp(&open[*b].least)).unwrap_or(0);
            let (least, used) = (open[at].least, open[at].used.clone());
            // Whatever it is, what the planner says of these indexes is known from now on.
            let plan = if least < self.possible(statement, prices) - worth {
                self.look(statement, &used)
            } else {
                None
            };
            let possible = self.possible(statement, prices);
            let refused = plan.is_some_and(|plan| !self.is_accepted(statement, &plan));
            if !refused || least >= possible - worth || asked >= patience {
                return Some(least.min(possible));
            }
            let refused = open.swap_remove(at);
            let culprits = self.culprits(statement, &refused.used);
            if let [alone] = culprits[..] {
                self.slow_alone[statement].insert(alone);
            }
            for culprit in culprits {
                let mut absent = [refused.absent.as_slice(), &[culprit]].concat();
                // One that is slow by itself would be refused next.
                if self.slow_alone[statement].contains(&culprit) {
                    let others = self.slow_alone[statement].iter().copied();
                    absent.extend(others.filter(|other| *other != culprit));
                }
                let Some(without) = self.cheapest_without(statement, prices, absent) else {
                    return Some(least.min(possible));
                };
                open.push(Open { least: without.least.max(least), ..without });
                asked += 1;
            }
        }
    }

    /// What a statement is known to cost at most with the prices of what it uses.
    fn possible(&mut self, statement: usize, prices: &[f64]) -> f64 {
        self.learn(statement);
        self.market.cheapest(statement, prices)
    }

    /// Those of the indexes of a plan that the user does not accept that make it so: without one of them, what is left is accepted.
    fn culprits(&mut self, statement: usize, used: &[CandidateId]) -> Vec<CandidateId> {
        let mut culprits = used.to_vec();
        let mut smallest_first = used.to_vec();
        smallest_first.sort_by_key(|candidate| self.search.problem.candidates[*candidate].size_bytes);
        for candidate in smallest_first {
            let rest: Vec<CandidateId> = culprits.iter().copied().filter(|c| *c != candidate).collect();
            if rest.is_empty() {
                break;
            }
            let plan = self.look(statement, &rest);
            if plan.is_some_and(|plan| !self.is_accepted(statement, &plan)) {
                culprits = rest;
            }
        }
        culprits
    }

    /// The cheapest plan at prices without some candidates. Of very many, in parts whose winners meet in a final.
    fn cheapest_without(
        &mut self,
        statement: usize,
        prices: &[f64],
        absent: Vec<CandidateId>,
    ) -> Option<Open> {
        let s = &self.search.problem.statements[statement];
        let (weight, most) = (s.weight.max(f64::MIN_POSITIVE), self.search.most_in_memory(statement));
        let at_once = 2 * self.search.problem.limits.at_once;
        let all = self.fields[statement].iter().copied().zip(prices.iter().map(|price| price / weight));
        let mut field: Vec<(CandidateId, f64)> = all.filter(|(c, _)| !absent.contains(c)).collect();
        while field.len() > at_once {
            let mut winners = Vec::new();
            for part in field.chunks(at_once) {
                let used = self.priced(statement, part, most)?.used;
                winners.extend(part.iter().copied().filter(|(candidate, _)| used.contains(candidate)));
            }
            if winners.len() >= field.len() {
                break;
            }
            field = winners;
        }
        let found = self.priced(statement, &field, most)?;
        Some(Open { least: weight * found.total, absent, used: found.used })
    }

    fn priced(
        &mut self,
        statement: usize,
        priced: &[(CandidateId, f64)],
        most_in_memory: f64,
    ) -> Option<Priced> {
        if !self.may_ask() || self.search.cache.is_spent(statement) {
            return None;
        }
        match self.search.cache.at_prices(statement, priced, most_in_memory) {
            Ok(found) => found,
            Err(_) => {
                self.in_time = false;
                None
            }
        }
    }

    /// The cut that an offer is.
    pub(super) fn cut_of(&self, statement: usize, offer: &Offer) -> super::Cut {
        let field = self.fields[statement].iter().copied();
        let reliefs = field.zip(offer.prices.iter().map(|price| price / FLOOR_SLACK));
        super::Cut {
            level: offer.least / FLOOR_SLACK,
            reliefs: reliefs.filter(|(_, relief)| *relief > 0.0).collect(),
        }
    }
}
