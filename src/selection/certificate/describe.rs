//! Describing a statement: which candidates to leave out for a cut that is high where the relaxed program hovers.
//!
//! A cut falls by the share of each candidate it leaves out. As long as these add up to less than one, leaving out more raises it: the
//! program would have to hold a whole plan's worth of them to come below. Asks and makes sketches; `sketch` draws
//! the cuts from them.

use super::sketch::Sketch;
use super::{PARTS, Proof, WORTH_ASKING, united};
use crate::cost::{CandidateId, PlanCost, WhatIf};
use crate::selection::search::FLOOR_SLACK;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Statements that get a further cut before the relaxed program is solved again, at least; of many, one in `PARTS`.
const DESCRIBED: usize = 3;
/// A candidate of which the program holds no more is left out together with all that are akin to it.
const HARDLY: f64 = 0.02;
/// Pairs of absent candidates asked about for a cut.
const PAIRS: usize = 1;

impl<W: WhatIf> Proof<'_, '_, W> {
    /// Cuts for `shares` of the statements of which the cuts so far say much less than the known plans. Returns whether
    /// anything was learnt.
    pub(super) fn describe_doubtful(&mut self, shares: &[f64]) -> bool {
        let worth = WORTH_ASKING * self.search.total_before;
        let doubt = |statement: usize| {
            self.mixed(statement, shares) - FLOOR_SLACK * self.program.statement_at(statement, shares)
        };
        let mut doubts: Vec<(f64, usize)> = (0..self.fields.len()).map(|s| (doubt(s), s)).collect();
        doubts.retain(|(doubt, _)| *doubt > worth);
        doubts.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let most = self.fields.len().div_ceil(PARTS).max(DESCRIBED);
        let mut described = 0;
        for (_, statement) in doubts {
            if described == most {
                break;
            }
            described += usize::from(self.describe(statement, shares));
        }
        described > 0
    }

    /// What a statement costs at most under `shares`, by its known plans: each as far as there is enough of what it uses,
    /// the cheapest first. Milliseconds a day.
    fn mixed(&self, statement: usize, shares: &[f64]) -> f64 {
        let mut plans: Vec<&PlanCost> =
            self.search.cache.plans(statement).filter(|plan| self.is_accepted(statement, plan)).collect();
        plans.sort_by(|a, b| a.total.total_cmp(&b.total));
        let mut taken: BTreeMap<CandidateId, f64> = BTreeMap::new();
        let (mut open, mut cost) = (1.0, 0.0);
        for plan in plans {
            let left = |used: &CandidateId| shares[*used] - taken.get(used).unwrap_or(&0.0);
            let share = plan.used.iter().map(left).fold(open, f64::min);
            if share > 0.0 {
                plan.used.iter().for_each(|used| *taken.entry(*used).or_default() += share);
                cost += share * plan.total;
                open -= share;
            }
        }
        self.search.problem.statements[statement].weight * cost
    }

    /// Adds a cut that is high at `shares`. Returns whether anything was learnt.
    pub(super) fn describe(&mut self, statement: usize, shares: &[f64]) -> bool {
        let Some(mut widest) = self.widest(statement, &[]) else { return false };
        let floor = widest.level;
        let s = &self.search.problem.statements[statement];
        let (weight, before) = (s.weight, s.before.total);
        let worth = WORTH_ASKING * self.search.total_before;
        let most = self.mixed(statement, shares);
        let (mut absent, mut wider_fields, mut held) = (Vec::new(), Vec::new(), 0.0);
        while (1.0 - held) * weight * (before - widest.level) > worth
            && (held > 0.0 || most - weight * widest.level > worth)
        {
            let next = self.to_leave_out(&widest.field, &widest.used, shares);
            held += next.iter().map(|candidate| shares[*candidate]).sum::<f64>();
            if next.is_empty() || held >= 1.0 {
                break;
            }
            let wider = absent.len();
            absent.extend(next);
            let Some(narrower) = self.widest(statement, &absent) else {
                absent.truncate(wider);
                break;
            };
            wider_fields.resize(absent.len(), Rc::new(widest.field));
            widest = narrower;
        }
        let mut key: Vec<CandidateId> = absent.clone();
        key.sort_unstable();
        if widest.level <= floor || !self.described.insert((statement, key)) {
            return false;
        }
        // With an absent one back, it costs at least what it did before that one was left out.
        let dearest = wider_fields.iter().map(|field| self.at_least(statement, field));
        let absent = absent.into_iter().zip(dearest).collect();
        let sketch = Sketch { field: widest.field, level: widest.level, absent };
        self.ask_about_pairs(statement, &sketch);
        self.sketches[statement].push(sketch);
        true
    }

    /// What to leave out so that a plan of `used` is no longer possible: whatever the program hardly holds, with its kin in the
    /// `field`, or else what it holds least of.
    fn to_leave_out(&self, field: &[CandidateId], used: &[CandidateId], shares: &[f64]) -> Vec<CandidateId> {
        let hardly: Vec<CandidateId> = used.iter().copied().filter(|c| shares[*c] <= HARDLY).collect();
        if hardly.is_empty() {
            let least = used.iter().copied().min_by(|a, b| shares[*a].total_cmp(&shares[*b]));
            return least.into_iter().collect();
        }
        let goes = |c: &CandidateId| {
            hardly.contains(c) || shares[*c] == 0.0 && hardly.iter().any(|other| self.are_akin(*c, *other))
        };
        field.iter().copied().filter(goes).collect()
    }

    /// Whether one can do the other's work, in part or in whole, so that what is true of one is nearly true of the other.
    fn are_akin(&self, a: CandidateId, b: CandidateId) -> bool {
        let candidates = &self.search.problem.candidates;
        candidates[a].keys.is_some() && candidates[a].keys == candidates[b].keys
            || candidates[a].relatives.contains(&b)
            || candidates[b].relatives.contains(&a)
    }

    /// Asks for the pairs of absent candidates that could help each other most, those that are known to do so
    /// elsewhere first; what the planner says is held against the cut by `reconcile`.
    pub(super) fn ask_about_pairs(&mut self, statement: usize, sketch: &Sketch) {
        let absent = sketch.absent.iter().map(|(candidate, _)| *candidate);
        let reliefs: Vec<(CandidateId, f64)> =
            absent.map(|candidate| (candidate, self.relief(statement, sketch, candidate))).collect();
        let mut pairs: Vec<(bool, f64, Vec<CandidateId>)> = Vec::new();
        for (i, (a, of_a)) in reliefs.iter().enumerate() {
            for (b, of_b) in &reliefs[i + 1..] {
                let back = united(&sketch.field, &[*a, *b]);
                let least = self.at_least(statement, &back);
                let open = sketch.level - of_a - of_b - least;
                let weight = self.search.problem.statements[statement].weight;
                if weight * open > WORTH_ASKING * self.search.total_before {
                    let bundled = |bundle: &Vec<CandidateId>| bundle.contains(a) && bundle.contains(b);
                    pairs.push((!self.search.bundles.iter().any(bundled), open, back));
                }
            }
        }
        pairs.sort_by(|x, y| x.0.cmp(&y.0).then(y.1.total_cmp(&x.1)).then_with(|| x.2.cmp(&y.2)));
        for (_, _, back) in pairs.into_iter().take(PAIRS) {
            self.look(statement, &back);
        }
    }
}
