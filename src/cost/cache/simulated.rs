//! A planner of a few lines for tests: every statement has some plans, each needing some indexes; the cheapest
//! possible wins.
//!
//! Monotone by construction, with every interaction that plans can have: rivals, and indexes that only help together.

use crate::cost::{CandidateId, PlanCost, Priced, Reached, StatementId, WhatIf, WhatIfError};
use std::collections::{BTreeMap, BTreeSet};

/// A plan: the candidates that it needs, ascending, and its cost.
pub(crate) type Plan = (Vec<CandidateId>, f64);

#[derive(Clone, Debug, Default)]
pub(crate) struct Simulated {
    /// By statement; the first plan needs nothing.
    pub plans: Vec<Vec<Plan>>,
    pub calls: u64,
    /// Expires after this many calls.
    pub patience: Option<u64>,
    /// Calls that are left for the proof once the search has ended, ...
    pub left_for_the_proof: u64,
    /// ... and for the answer once that has.
    pub left_for_the_answer: u64,
    /// Statements that fail from this call on.
    pub failing: Option<(StatementId, u64)>,
    /// A statement that has had its planning time after so many calls of its own.
    pub spent_after: Option<(StatementId, u64)>,
    /// Whether nothing is said to follow from plans with other candidates.
    pub by_lot: bool,
    /// By statement, its calls.
    pub calls_of: BTreeMap<StatementId, u64>,
    pub largest_configuration: usize,
    /// Candidates whose plans visit pages in no order, and how many times dearer they are in memory.
    pub scattered: Vec<(CandidateId, f64)>,
    /// Costs are too high by up to this share, differently for every configuration, as `add_path`'s fuzz makes them.
    pub fuzz: f64,
}

impl Simulated {
    pub fn plan(&self, statement: StatementId, configuration: &[CandidateId]) -> PlanCost {
        let possible = |plan: &&Plan| plan.0.iter().all(|needed| configuration.contains(needed));
        let (used, total) = self.plans[statement]
            .iter()
            .filter(possible)
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("the first plan needs nothing");
        PlanCost {
            startup: 0.0,
            total: *total,
            in_memory: self.in_memory(used, *total),
            rows: 1.0,
            used: used.clone(),
            used_existing: Vec::new(),
        }
    }

    fn in_memory(&self, used: &[CandidateId], total: f64) -> f64 {
        let scattered = self.scattered.iter().filter(|(candidate, _)| used.contains(candidate));
        scattered.fold(total, |cost, (_, times)| cost * times)
    }

    pub fn relevant(&self, statement: StatementId) -> Vec<CandidateId> {
        let all: BTreeSet<CandidateId> =
            self.plans[statement].iter().flat_map(|plan| plan.0.iter().copied()).collect();
        all.into_iter().collect()
    }
}

impl WhatIf for Simulated {
    fn cost(
        &mut self,
        statement: StatementId,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, WhatIfError> {
        assert!(configuration.is_sorted_by(|a, b| a < b), "{configuration:?} is not ascending");
        self.calls += 1;
        *self.calls_of.entry(statement).or_default() += 1;
        self.largest_configuration = self.largest_configuration.max(configuration.len());
        match self.failing {
            Some((failing, from)) if failing == statement && self.calls >= from => {
                Err(WhatIfError::Statement("relation gone".to_string()))
            }
            _ => {
                let mut plan = self.plan(statement, configuration);
                let seed =
                    configuration.iter().fold(statement as u64, |seed, c| Numbers(seed ^ *c as u64).next());
                let dearer = 1.0 + self.fuzz * Numbers(seed).share();
                plan.total *= dearer;
                plan.in_memory *= dearer;
                Ok(plan)
            }
        }
    }

    fn cost_at_prices(
        &mut self,
        statement: StatementId,
        priced: &[(CandidateId, f64)],
        most_in_memory: f64,
    ) -> Result<Option<Priced>, WhatIfError> {
        let configuration: Vec<CandidateId> = priced.iter().map(|(candidate, _)| *candidate).collect();
        // Counts the call, and fails where it would.
        self.cost(statement, &configuration)?;
        let price = |candidate: &CandidateId| {
            priced.binary_search_by_key(candidate, |(candidate, _)| *candidate).map(|at| priced[at].1).ok()
        };
        let possible = self.plans[statement].iter().filter_map(|(needed, total)| {
            let prices: Option<Vec<f64>> = needed.iter().map(price).collect();
            // The same sum, however the candidates are numbered.
            let prices = prices.map(|mut prices| {
                prices.sort_by(f64::total_cmp);
                prices
            });
            let slow = self.in_memory(needed, *total) > most_in_memory;
            prices.filter(|_| !slow).map(|prices| (total + prices.iter().sum::<f64>(), needed))
        });
        let (total, used) =
            possible.min_by(|a, b| a.0.total_cmp(&b.0)).expect("the first plan needs nothing");
        Ok(Some(Priced { total, used: used.clone(), calls: 1 }))
    }

    fn is_spent(&mut self, statement: StatementId) -> bool {
        let calls = self.calls_of.get(&statement).copied().unwrap_or(0);
        self.spent_after.is_some_and(|(spent, after)| spent == statement && calls >= after)
    }

    fn is_by_lot(&self, _: StatementId) -> bool {
        self.by_lot
    }

    fn expired(&mut self) -> bool {
        self.patience.is_some_and(|patience| self.calls >= patience)
    }

    fn reached(&mut self, where_to: Reached) {
        let left = match where_to {
            Reached::Saving(_) => return,
            Reached::Proof => self.left_for_the_proof,
            Reached::Answer => self.left_for_the_answer,
        };
        self.patience = self.patience.map(|patience| patience.max(self.calls + left));
    }
}

/// A small deterministic generator of numbers (splitmix64, Steele, Lea, Flood 2014).
pub(crate) struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Between 0 and 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Statements with plans of one to three indexes at random costs: rivals and complements in any mixture.
pub(crate) fn arbitrary(numbers: &mut Numbers, statements: usize, candidates: usize) -> Simulated {
    let plans = (0..statements).map(|_| {
        let before = 100.0 * (1.0 + 9.0 * numbers.share());
        let mut plans = vec![(Vec::new(), before)];
        for _ in 0..1 + numbers.below(5) {
            let size = [1, 1, 1, 2, 2, 3][numbers.below(6)];
            let needed: BTreeSet<CandidateId> = (0..size).map(|_| numbers.below(candidates)).collect();
            plans.push((needed.into_iter().collect(), before * (0.05 + 0.95 * numbers.share())));
        }
        plans
    });
    Simulated { plans: plans.collect(), ..Simulated::default() }
}

/// Joins of up to three relations: each is read whole or by one of its indexes (candidates are dealt out to
/// relations), and two neighbours read in order by their first indexes save the sort of a merge join.
pub(crate) fn relational(numbers: &mut Numbers, statements: usize, candidates: usize) -> Simulated {
    let relations = candidates.div_ceil(3);
    let plans = (0..statements).map(|_| {
        let joined: BTreeSet<usize> = (0..1 + numbers.below(3)).map(|_| numbers.below(relations)).collect();
        let mut plans: Vec<Plan> = vec![(Vec::new(), 0.0)];
        for relation in joined {
            let scan = 50.0 + 500.0 * numbers.share();
            let sort = 0.4 * scan;
            let own = (0..candidates).filter(|candidate| candidate % relations == relation);
            let mut ways: Vec<Plan> = vec![(Vec::new(), scan + sort)];
            ways.extend(own.map(|candidate| (vec![candidate], sort + scan * (0.02 + 0.9 * numbers.share()))));
            let combined = |(left, cost): &Plan, (right, more): &Plan| {
                // Both sides in order: no sort of this one, and less of the other's.
                let ordered = left.last().is_some_and(|last| *last < relations)
                    && right.first().is_some_and(|first| *first < relations);
                let mut needed = [left.as_slice(), right.as_slice()].concat();
                needed.sort_unstable();
                (needed, cost + more - if ordered { sort + 0.3 * cost } else { 0.0 })
            };
            let previous = std::mem::take(&mut plans);
            for plan in &previous {
                plans.extend(ways.iter().map(|way| combined(plan, way)));
            }
        }
        plans
    });
    Simulated { plans: plans.collect(), ..Simulated::default() }
}
