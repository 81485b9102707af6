//! Covers: what has to be there beside indexes that make a statement slower than the user accepts.
//!
//! Where all indexes of a plan are there, the planner has it or a cheaper one. If the user does not accept it, a set that he accepts
//! holds an index of each plan that is as cheap: a cover inequality. The market breaks those that it does not know. What each known
//! plan shares with a set (a greedy hitting set; Chvátal 1979) is a guess, which holds if the planner knows no other plan as cheap.

use super::Proof;
use super::market::Rule;
use super::relaxation::Cut;
use crate::cost::{CandidateId, PlanCost, WhatIf};
use crate::selection::CandidateCost;
use crate::selection::search::{FLOOR_SLACK, is_within};
use std::collections::{BTreeMap, BTreeSet};

/// A cover that shares of candidates break by less is as good as kept.
const BROKEN: f64 = 0.05;
/// Covers that the planner is asked about in a round, and of these for one statement.
const AT_A_TIME: usize = 6;
const OF_A_STATEMENT: usize = 2;
/// Guesses about the same slow indexes that the planner may refuse before there are no more, ...
const GUESSES: usize = 12;
/// ... and how often one is mended at once by the plan that refuted it.
const MENDED: usize = 5;
/// Plans that the user does not accept before a guess is given up.
const PATIENCE: usize = 3;
/// What an index counts beside its share: of those that the market does not want, few.
const EACH: f64 = 1e-3;

/// Where all of `slow` are there, one of `cures` has to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cover {
    pub statement: usize,
    /// What the planner may choose is no dearer, milliseconds a day.
    most: f64,
    /// Ascending.
    slow: Vec<CandidateId>,
    /// Ascending; none where nothing helps.
    cures: Vec<CandidateId>,
}

/// A plan that the user does not accept.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// Milliseconds a day.
    cost: f64,
    /// Ascending.
    used: Vec<CandidateId>,
}

impl Cover {
    /// No allowed set breaks it.
    pub fn rule(&self) -> Rule {
        let slow = self.slow.iter().map(|candidate| (*candidate, 1.0));
        let terms = slow.chain(self.cures.iter().map(|candidate| (*candidate, -1.0)));
        Rule { terms: terms.collect(), most: self.slow.len() as f64 - 1.0 }
    }

    /// What breaking it costs at a toll, milliseconds a day, as a cut of its own.
    pub fn cut(&self, toll: f64) -> Cut {
        let Rule { terms, most } = self.rule();
        let mut reliefs: Vec<(CandidateId, f64)> =
            terms.into_iter().map(|(candidate, term)| (candidate, -toll * term)).collect();
        reliefs.sort_by_key(|(candidate, _)| *candidate);
        Cut { level: -toll * most, reliefs }
    }

    /// Whether a plan of its statement, by cost in milliseconds a day, is one that it forgot.
    fn forgot(&self, cost: f64, used: &[CandidateId]) -> bool {
        cost <= self.most && !used.iter().any(|candidate| self.cures.binary_search(candidate).is_ok())
    }
}

impl<W: WhatIf> Proof<'_, '_, W> {
    /// Keeps a plan that the user does not accept, unless another is as cheap with less.
    pub(super) fn refuse(&mut self, statement: usize, plan: &PlanCost) {
        let cost = self.search.problem.statements[statement].weight * plan.total;
        let known = &mut self.refused[statement];
        if !known.iter().any(|other| other.cost <= cost && is_within(&other.used, &plan.used)) {
            known.retain(|other| !(cost <= other.cost && is_within(&plan.used, &other.used)));
            known.push(Refused { cost, used: plan.used.clone() });
        }
    }

    /// Holds the covers of a statement against a plan that the user accepts: one that a cover forgot cures too.
    pub(super) fn mend_covers(&mut self, statement: usize, plan: &PlanCost) {
        let cost = self.search.problem.statements[statement].weight * plan.total;
        for cover in self.covers.iter_mut().filter(|cover| cover.statement == statement) {
            if cover.forgot(cost, &plan.used) {
                self.violations.insert((statement, plan.used.clone()));
                let others = plan.used.iter().filter(|candidate| !cover.slow.contains(candidate));
                let others: Vec<CandidateId> = others.copied().collect();
                // Where the slow ones cure themselves it has nothing to say any more.
                cover.cures.extend(if others.is_empty() { &plan.used } else { &others });
                cover.cures.sort_unstable();
            }
        }
    }

    /// Adds covers that the market breaks and the planner confirms; whether there were any.
    pub(super) fn cover(&mut self) -> bool {
        let mut broken: Vec<(usize, f64, Cover)> =
            (0..self.fields.len()).flat_map(|statement| self.broken(statement)).collect();
        // Those that were guessed at in vain come later.
        broken
            .sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.statement.cmp(&b.2.statement)));
        let mut of_statement: BTreeMap<usize, usize> = BTreeMap::new();
        broken.retain(|(_, _, cover)| {
            let of_statement = of_statement.entry(cover.statement).or_default();
            *of_statement += 1;
            *of_statement <= OF_A_STATEMENT
        });
        broken.truncate(AT_A_TIME);
        let mut any = false;
        for (_, _, cover) in broken {
            if !self.may_ask() {
                break;
            }
            any |= self.settle(cover);
        }
        any
    }

    /// Adds a cover, or what is left of it when the plans that refute it are heard; whether there is any.
    fn settle(&mut self, mut cover: Cover) -> bool {
        for _ in 0..MENDED {
            if self.holds(&cover) {
                self.covers.push(cover);
                return true;
            }
            let next = self.guess(cover.statement, &cover.slow, cover.most);
            self.doubted.push(cover);
            match next {
                Some(next) if self.is_broken(&next) && self.may_ask() => cover = next,
                _ => break,
            }
        }
        false
    }

    /// Whether the market breaks a cover that is not known yet.
    fn is_broken(&self, cover: &Cover) -> bool {
        let is_new = !self.covers.contains(cover) && !self.doubted.contains(cover);
        is_new && cover.rule().excess(&self.market.shares) > BROKEN
    }

    /// Covers of a statement that the market breaks, with how often the planner has refused such a guess and by how much.
    fn broken(&self, statement: usize) -> Vec<(usize, f64, Cover)> {
        let shares = &self.market.shares;
        let mut broken = Vec::new();
        for refused in &self.refused[statement] {
            let missing: f64 = refused.used.iter().map(|candidate| 1.0 - shares[*candidate]).sum();
            let guesses = self.guesses(statement, &refused.used);
            if 1.0 - missing < BROKEN || guesses >= GUESSES {
                continue;
            }
            // The planner may miss its cheapest plan by the slack, here and when it is asked.
            let most = refused.cost * FLOOR_SLACK * FLOOR_SLACK;
            let Some(cover) = self.guess(statement, &refused.used, most) else { continue };
            if self.is_broken(&cover) {
                broken.push((guesses, cover.rule().excess(shares), cover));
            }
        }
        broken
    }

    /// How often the planner has refused a guess about slow indexes.
    fn guesses(&self, statement: usize, slow: &[CandidateId]) -> usize {
        let in_vain = |doubted: &&Cover| doubted.statement == statement && doubted.slow == slow;
        self.doubted.iter().filter(in_vain).count()
    }

    /// The cheapest cover, by the market's shares, of what the known plans say; None where the slow indexes cure themselves or one of
    /// them cannot be had.
    fn guess(&self, statement: usize, slow: &[CandidateId], most: f64) -> Option<Cover> {
        let field = &self.fields[statement];
        if slow.iter().any(|candidate| field.binary_search(candidate).is_err()) {
            return None;
        }
        let cheap: Vec<Vec<CandidateId>> = self
            .market
            .plans_within(statement, most)
            .map(|used| {
                used.iter().map(|at| field[*at]).filter(|candidate| !slow.contains(candidate)).collect()
            })
            .collect();
        let mut cures = hitting_set(&cheap, &self.market.shares)?;
        if self.guesses(statement, slow) > 0 {
            // What an index cures, one like it is likely to cure too: where the market has none of it, the cover is as good with it.
            let kin: BTreeSet<CandidateId> = cures.iter().flat_map(|cure| self.kin(*cure)).collect();
            let unwanted = |candidate: &CandidateId| self.market.shares[*candidate] < EACH;
            let new = kin.into_iter().filter(|c| field.binary_search(c).is_ok() && !slow.contains(c));
            cures.extend(new.filter(unwanted));
            cures.sort_unstable();
            cures.dedup();
        }
        Some(Cover { statement, most, slow: slow.to_vec(), cures })
    }

    /// Candidates that do the work of one, in part or in whole, or whose work it does.
    fn kin(&self, candidate: CandidateId) -> Vec<CandidateId> {
        let candidates = &self.search.problem.candidates;
        let own = &candidates[candidate];
        let is_kin = |(other, of): &(CandidateId, &CandidateCost)| {
            own.relatives.contains(other)
                || of.relatives.contains(&candidate)
                || own.keys.is_some() && own.keys == of.keys
        };
        candidates.iter().enumerate().filter(is_kin).map(|(other, _)| other).collect()
    }

    /// Whether the planner knows no plan without all cures that is as cheap as the slow one.
    fn holds(&mut self, cover: &Cover) -> bool {
        let price = |candidate: &CandidateId| {
            if cover.cures.binary_search(candidate).is_ok() { cover.most } else { 0.0 }
        };
        let prices: Vec<f64> = self.fields[cover.statement].iter().map(price).collect();
        // Dearer than that is dear enough.
        let worth = self.market.cheapest(cover.statement, &prices) - cover.most;
        self.least_at(cover.statement, &prices, worth, PATIENCE).is_some_and(|least| least >= cover.most)
    }
}

/// Candidates of which every one of `sets` has one, with small shares in all, ascending; None where a set is empty.
fn hitting_set(sets: &[Vec<CandidateId>], shares: &[f64]) -> Option<Vec<CandidateId>> {
    let mut open: Vec<&Vec<CandidateId>> = sets.iter().collect();
    let mut hit = Vec::new();
    while !open.is_empty() {
        let mut hits: BTreeMap<CandidateId, f64> = BTreeMap::new();
        open.iter().copied().flatten().for_each(|candidate| *hits.entry(*candidate).or_default() += 1.0);
        let price = |(candidate, hits): &(CandidateId, f64)| (shares[*candidate] + EACH) / hits;
        let (best, _) = hits.into_iter().min_by(|a, b| price(a).total_cmp(&price(b)))?;
        hit.push(best);
        let before = open.len();
        open.retain(|set| !set.contains(&best));
        if open.len() == before {
            return None;
        }
    }
    // Later ones may have hit all that an earlier one did.
    hit.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]).then(a.cmp(b)));
    for candidate in hit.clone() {
        let is_spare = |set: &Vec<CandidateId>| set.iter().any(|c| *c != candidate && hit.contains(c));
        if sets.iter().all(is_spare) {
            hit.retain(|c| *c != candidate);
        }
    }
    hit.sort_unstable();
    Some(hit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hitting_set_has_one_of_each_and_none_to_spare() {
        let shares = [0.5, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(hitting_set(&[], &shares), Some(vec![]));
        assert_eq!(hitting_set(&[vec![0], vec![]], &shares), None);
        // 4 would do alone, but is taken already; 1 hits two of three.
        let sets = [vec![1, 4], vec![1, 2, 4], vec![3, 4]];
        assert_eq!(hitting_set(&sets, &shares), Some(vec![1, 3]));
        assert_eq!(hitting_set(&[vec![0, 4], vec![0]], &shares), Some(vec![0]));
    }

    #[test]
    fn a_cover_is_broken_where_the_slow_are_there_without_a_cure() {
        let cover = Cover { statement: 0, most: 10.0, slow: vec![0, 2], cures: vec![1] };
        let excess = |shares: &[f64]| cover.rule().excess(shares);
        assert_eq!(excess(&[1.0, 0.0, 1.0]), 1.0);
        assert_eq!(excess(&[1.0, 1.0, 1.0]), 0.0);
        assert_eq!(excess(&[1.0, 0.0, 0.0]), 0.0);
        for shares in [[1.0, 0.0, 1.0], [0.5, 0.25, 1.0], [0.0, 1.0, 0.0]] {
            assert!((cover.cut(3.0).at(&shares) - 3.0 * excess(&shares)).abs() < 1e-12);
        }
        assert!(cover.forgot(9.0, &[0, 3]) && !cover.forgot(11.0, &[0, 3]) && !cover.forgot(9.0, &[1, 3]));
    }
}
