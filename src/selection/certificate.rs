//! `Certificate`: a proof of how far the chosen set can be from the best within the limits.
//!
//! Costs of a statement are bounded from below by cuts: its cost with nearly all candidates present, less what each of
//! the few absent ones would take off. A cut holds for every set of candidates (not only for those that the search moved)
//! if the planner's costs do not rise by more than its fuzz when indexes are added, and if the absent ones do not help
//! each other beyond what is known of them; sets under which a statement gets slower than the user allows do not count.
//! Every plan that the planner ever gave is held against every cut, pairs are sampled, and a cut that claims too much is
//! lowered. `relaxation` makes one bound of all cuts. Chooses nothing, but a
//! set that the relaxed program proposes and that turns out better is offered to the search.

mod admissible;
mod describe;
mod knapsack;
mod relaxation;
mod saddle;
mod sketch;
#[cfg(test)]
mod tests;

use super::peel::by_weight;
use super::search::{FLOOR_SLACK, Search};
use super::{Limits, improve, propose};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, PlanCost, WhatIf};
use knapsack::Room;
use relaxation::{Bound, Cut, Relaxation, Taken};
use serde::{Deserialize, Serialize};
use sketch::Sketch;
use std::collections::BTreeSet;

/// How far the answer can be from the best set of the candidates considered, in planner cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Certificate {
    /// No set of the candidates within the limits brings the workload, with the write costs of the set, below this many
    /// milliseconds a day.
    pub bound_ms: f64,
    /// The workload as it is, milliseconds a day.
    pub total_before_ms: f64,
    /// The workload with the answer, its write costs included, milliseconds a day.
    pub total_after_ms: f64,
    /// What the best set could save on top of the answer at most, as a share of the cost before.
    pub gap: f64,
    /// Combinations of two and more candidates in known plans that were held against the assumption that candidates do
    /// not help each other, ...
    pub checked: u64,
    /// ... and those that contradicted it. The bound allows for them.
    pub violations: u64,
    /// False when time ran out: the bound holds, but a longer time limit would make it tighter.
    pub complete: bool,
}

/// What the proof came to, before the answer is final.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    bound_ms: f64,
    checked: u64,
    violations: u64,
    complete: bool,
}

/// Rounds of asking where the relaxed program hovers.
const ROUNDS: usize = 60;
/// Planner calls for each statement that a run comes to with its proof, ...
const CALLS_A_STATEMENT: u64 = 40;
/// ... for the proof alone at least, ...
const CALLS_FOR_PROOF: u64 = 12;
/// ... and what a run may come to however few statements it has: a second of them. With the search after it and the last look at the answer, 1,500.
const CALLS_ANYWAY: u64 = 1_280;
/// Of the calls that a proof has, the shares after which the search looks at what it has learnt.
const SEARCHED_AGAIN: [f64; 2] = [0.8, 0.4];
/// The proof is good enough at this share of the cost before: a third of the planner's own fuzz.
const GOAL: f64 = 0.003;
/// What is not known to this share of the cost before is worth a planner call.
const WORTH_ASKING: f64 = 0.0005;
/// Of what there is to ask before the relaxed program is solved again, one in so many is asked. Few at a time spend the calls where the
/// bound rests: measured on TPC-H, a third of the calls for the same bound.
const PARTS: usize = 20;
/// Looks at the clock that the relaxation gets when time has run out already: some milliseconds.
const LATE_STEPS: usize = 8;
/// Larger sets that help each other are bounded by pairs: as many variants of a cut as a pair has members.
const LARGEST_SPLIT: usize = 2;
/// Cuts kept of a statement: a handful matters, the cap guards against interactions without end.
const CUTS: usize = 120;

impl Certificate {
    pub(super) fn of<W: WhatIf>(
        evidence: &Evidence,
        search: &Search<'_, W>,
        chosen: &[CandidateId],
        after: &[PlanCost],
    ) -> Certificate {
        let statements = search.problem.statements.iter().zip(after);
        let plans: f64 = statements.map(|(statement, plan)| statement.weight * plan.total).sum();
        let total_after_ms = plans + search.write_ms(chosen);
        let gap = (total_after_ms - evidence.bound_ms).max(0.0) / search.total_before.max(f64::MIN_POSITIVE);
        Certificate {
            bound_ms: evidence.bound_ms,
            total_before_ms: search.total_before,
            total_after_ms,
            gap,
            checked: evidence.checked,
            violations: evidence.violations,
            complete: evidence.complete,
        }
    }
}

/// Proves a bound for the problem of `search`, whose best configuration is the answer to beat. Where time has run out
/// (`in_time` is false), with what is known.
pub(super) fn certify<W: WhatIf>(search: &mut Search<'_, W>, in_time: bool) -> Evidence {
    let mut proof = Proof::new(search, in_time);
    let bound = proof.run();
    Evidence {
        bound_ms: bound.least.max(0.0),
        checked: proof.checked.len() as u64,
        violations: proof.violations.len() as u64,
        complete: proof.in_time,
    }
}

struct Proof<'s, 'a, W: WhatIf> {
    search: &'s mut Search<'a, W>,
    program: Relaxation,
    /// By statement: the candidates that could change its plan and fit into the limits, ascending.
    fields: Vec<Vec<CandidateId>>,
    /// By statement: what it costs at least with any of them, milliseconds a day.
    floors: Vec<f64>,
    in_time: bool,
    /// The number of planner calls in all beyond which nothing more is asked.
    last_call: u64,
    /// The numbers of planner calls in all at which the search looks at what has been learnt, descending.
    searches: Vec<u64>,
    /// By statement.
    sketches: Vec<Vec<Sketch>>,
    /// By statement: the known plans and the sketches that its cuts are drawn from.
    drawn_from: Vec<(usize, usize)>,
    /// Statements with the candidates absent from a cut of theirs.
    described: BTreeSet<(usize, Vec<CandidateId>)>,
    /// Statements with the combinations that known plans were held against.
    checked: BTreeSet<(usize, Vec<CandidateId>)>,
    violations: BTreeSet<(usize, Vec<CandidateId>)>,
}

impl<'s, 'a, W: WhatIf> Proof<'s, 'a, W> {
    fn new(search: &'s mut Search<'a, W>, in_time: bool) -> Proof<'s, 'a, W> {
        let problem = search.problem;
        let Limits { storage_bytes: room, max_indexes: count, max_indexes_per_table: per_table, .. } =
            problem.limits;
        let possible =
            |c: &CandidateId| count > 0 && room.is_none_or(|room| problem.candidates[*c].size_bytes <= room);
        let fields: Vec<Vec<CandidateId>> = problem
            .statements
            .iter()
            .map(|s| s.relevant.iter().copied().filter(possible).collect())
            .collect();
        let floors: Vec<f64> = problem
            .statements
            .iter()
            .zip(&fields)
            .map(|(s, field)| if field.is_empty() { s.weight * s.before.total } else { 0.0 })
            .collect();
        let candidates = problem.candidates.iter().map(|c| Taken {
            bytes: c.size_bytes,
            write_ms: c.write_ms,
            keys: c.keys,
            table: c.table,
        });
        let program = Relaxation::new(candidates.collect(), Room { bytes: room, count, per_table }, &floors);
        let statements = problem.statements.len() as u64;
        let calls = search.cache.counters().planner_calls;
        let least = calls + CALLS_FOR_PROOF * statements;
        let last_call = least.max(CALLS_A_STATEMENT * statements).max(CALLS_ANYWAY);
        let left = last_call.saturating_sub(calls) as f64;
        let searches = SEARCHED_AGAIN.iter().map(|share| calls + (share * left) as u64).collect();
        let (described, checked, violations) = Default::default();
        let sketches = fields.iter().map(|_| Vec::new()).collect();
        Proof {
            search,
            program,
            fields,
            floors,
            in_time,
            last_call,
            searches,
            sketches,
            drawn_from: vec![(0, 0); statements as usize],
            described,
            checked,
            violations,
        }
    }

    fn run(&mut self) -> Bound {
        let order = by_weight(self.search);
        let answer = shares(&self.search.best.members, self.search.problem.candidates.len());
        for &statement in &order {
            self.floor(statement);
        }
        for &statement in &order {
            self.describe(statement, &answer);
        }
        let mut bound = self.tighten();
        for _ in 0..ROUNDS {
            let gap = self.best_ms() - bound.least;
            if gap <= GOAL * self.search.total_before || !self.may_ask() {
                break;
            }
            if !self.ask_about(&bound.mean) {
                // Between several sets there is nothing left to learn; of one of them there may be.
                let set = shares(&bound.set, bound.mean.len());
                if !self.ask_about(&set) {
                    break;
                }
            }
            self.offer(&bound.set);
            self.search_again();
            bound = self.tighten();
        }
        bound
    }

    /// Asks what the bound at `shares` rests on. Returns whether anything was learnt.
    fn ask_about(&mut self, shares: &[f64]) -> bool {
        let refined = self.refine(shares);
        self.describe_doubtful(shares) || refined
    }

    fn may_ask(&self) -> bool {
        self.in_time && self.search.cache.counters().planner_calls < self.last_call
    }

    /// What the best configuration so far costs with its writes, milliseconds a day.
    fn best_ms(&self) -> f64 {
        self.search.total_before - self.search.best.net
    }

    fn tighten(&mut self) -> Bound {
        for statement in 0..self.fields.len() {
            let known = (self.search.cache.plans(statement).count(), self.sketches[statement].len());
            if self.drawn_from[statement] != known {
                self.draw(statement);
                self.reconcile(statement);
                self.drawn_from[statement] = known;
            }
        }
        let target = self.best_ms();
        let (cache, in_time) = (&mut self.search.cache, &mut self.in_time);
        let mut late_steps = LATE_STEPS;
        self.program.tighten(target, &mut || {
            // When late, nothing expires, and the steps are few.
            *in_time &= cache.check_time().is_ok() && !cache.is_offline();
            late_steps -= usize::from(!*in_time && late_steps > 0);
            late_steps > 0
        })
    }

    /// What the planner says of a statement under a set, if that is known or may be asked.
    fn look(&mut self, statement: usize, set: &[CandidateId]) -> Option<PlanCost> {
        // Of a spent statement the cache would say what its cost is at most, which bounds nothing from below.
        if self.may_ask() && !self.search.cache.is_spent(statement) {
            match self.search.cache.plan(statement, set) {
                Ok(plan) => return Some(plan),
                Err(Expired) => self.in_time = false,
            }
        }
        self.search.cache.known(statement, set)
    }

    /// A planner unit of a statement in milliseconds a day, as far as costs can be trusted not to fall below a bound.
    fn scale(&self, statement: usize) -> f64 {
        self.search.problem.statements[statement].weight / FLOOR_SLACK
    }

    /// No set makes a statement cheaper than all candidates together.
    fn floor(&mut self, statement: usize) {
        if self.fields[statement].is_empty() {
            return;
        }
        if let Some(floor) = self.cheapest_accepted(statement) {
            self.floors[statement] = self.scale(statement) * floor;
            self.program.fix(statement, self.floors[statement]);
        }
    }

    /// A cut, from planner units.
    fn cut(&self, statement: usize, level: f64, mut reliefs: Vec<(CandidateId, f64)>) -> Cut {
        let scale = self.scale(statement);
        reliefs.iter_mut().for_each(|(_, relief)| *relief *= scale);
        reliefs.retain(|(_, relief)| *relief > 0.0);
        reliefs.sort_by_key(|(candidate, _)| *candidate);
        Cut { level: scale * level, reliefs }
    }

    /// Lowers the cuts of a statement until none claims more than a known plan costs.
    fn reconcile(&mut self, statement: usize) {
        let s = &self.search.problem.statements[statement];
        if self.search.cache.is_frozen(statement) {
            self.program.fix(statement, s.weight * s.before.total);
            return;
        }
        // What its indexes do together could not be asked, so a cut may claim too much.
        if self.search.cache.is_spent(statement) {
            self.program.fix(statement, self.floors[statement]);
            return;
        }
        let field = &self.fields[statement];
        let possible = |plan: &&PlanCost| {
            plan.used.iter().all(|used| field.binary_search(used).is_ok())
                && self.is_accepted(statement, plan)
        };
        let plans: Vec<PlanCost> = self.search.cache.plans(statement).filter(possible).cloned().collect();
        let mut done = Vec::new();
        let old = std::mem::take(&mut self.program.cuts[statement]);
        let mut open: Vec<Cut> = old.iter().rev().cloned().collect();
        while let Some(cut) = open.pop() {
            match self.contradicted(statement, &cut, s.weight, &plans) {
                Some((together, missing)) => {
                    open.extend(lowered(&cut, &together, missing, open.len() + done.len()))
                }
                None if done.contains(&cut) => {}
                None => done.push(cut),
            }
        }
        self.program.replace(statement, &old, done);
    }

    /// The first known plan that costs less than a cut claims: the absent candidates in it, and how much the cut is too
    /// high, milliseconds a day.
    fn contradicted(
        &mut self,
        statement: usize,
        cut: &Cut,
        weight: f64,
        plans: &[PlanCost],
    ) -> Option<(Vec<CandidateId>, f64)> {
        for plan in plans {
            let there =
                cut.reliefs.iter().filter(|(candidate, _)| plan.used.binary_search(candidate).is_ok());
            let (mut together, mut least) = (Vec::new(), cut.level);
            for (candidate, relief) in there {
                together.push(*candidate);
                least -= relief;
            }
            let missing = least - weight * plan.total;
            let contradicts = missing > 1e-9 * cut.level;
            if together.len() > 1 || contradicts {
                self.checked.insert((statement, together.clone()));
            }
            if contradicts {
                self.violations.insert((statement, together.clone()));
                return Some((together, missing));
            }
        }
        None
    }

    /// Lets the search look at what the proof has learnt, now and then: a better answer is nearer to the bound, and the bound
    /// is asked about where it matters for that answer.
    fn search_again(&mut self) {
        let calls = self.search.cache.counters().planner_calls;
        if self.may_ask() && self.searches.pop_if(|next| *next <= calls).is_some() {
            self.in_time &= propose::again(self.search).is_ok();
        }
    }

    /// Offers the set of the relaxed program to the search: now and then it is the better answer.
    fn offer(&mut self, set: &[CandidateId]) {
        let search = &mut *self.search;
        if !search.fits(set) || search.has_rivals_within(set) {
            return;
        }
        let empty = search.empty();
        search.cache.go_offline_after(0);
        let known = search.moved(&empty, set.to_vec());
        search.cache.go_online();
        if known.is_ok_and(|known| known.net > search.best.net) {
            let exact = search.moved(&empty, set.to_vec());
            match exact.and_then(|exact| improve::prune(search, exact)) {
                Ok((pruned, _)) => search.consider(&pruned),
                Err(Expired) => self.in_time = false,
            }
        }
    }
}

/// Cuts that claim `missing` less where all of `together` are there. One alone takes it all. Of two, either may; the
/// program mixes both, which is as good as an alternative that needs both. In a larger set any two may be the
/// cause, so each takes half; and where none is to blame, the level itself was too high.
fn lowered(cut: &Cut, together: &[CandidateId], missing: f64, cuts: usize) -> Vec<Cut> {
    let with = |more: &dyn Fn(CandidateId, f64) -> f64| {
        let reliefs = cut.reliefs.iter().map(|(candidate, relief)| (*candidate, more(*candidate, *relief)));
        Cut { level: cut.level, reliefs: reliefs.collect() }
    };
    match together {
        [] => vec![Cut { level: cut.level - missing, reliefs: cut.reliefs.clone() }],
        few if few.len() <= LARGEST_SPLIT => {
            let leads = if cuts < CUTS { few } else { &few[..1] };
            let lead = |lead: &CandidateId| {
                with(&|candidate, relief| if candidate == *lead { relief + missing } else { relief })
            };
            leads.iter().map(lead).collect()
        }
        many => {
            let total: f64 =
                cut.reliefs.iter().filter(|(c, _)| many.contains(c)).map(|(_, relief)| relief).sum();
            let half = (total + missing) / 2.0;
            vec![with(&|candidate, relief| if many.contains(&candidate) { relief.max(half) } else { relief })]
        }
    }
}

/// A set of candidates as shares of all there are.
fn shares(set: &[CandidateId], candidates: usize) -> Vec<f64> {
    let mut shares = vec![0.0; candidates];
    set.iter().for_each(|candidate| shares[*candidate] = 1.0);
    shares
}

/// Both together, ascending.
fn united(some: &[CandidateId], others: &[CandidateId]) -> Vec<CandidateId> {
    let all: BTreeSet<CandidateId> = some.iter().chain(others).copied().collect();
    all.into_iter().collect()
}
