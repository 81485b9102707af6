//! `Certificate`: a proof of how far the chosen set can be from the best within the limits.
//!
//! Costs of a statement are bounded from below by cuts: its cost with nearly all candidates present, less what each of
//! the few absent ones would take off. A cut holds for every set of candidates (not only for those that the search moved)
//! if the planner's costs do not rise by more than its fuzz when indexes are added, and if the absent ones do not help
//! each other beyond what is known of them: every plan that the planner ever gave is held against every cut, pairs are
//! sampled, and a cut that claims too much is lowered. `relaxation` makes one bound of all cuts. Chooses nothing, but a
//! set that the relaxed program proposes and that turns out better is offered to the search.

mod knapsack;
mod relaxation;
mod saddle;
mod sketch;
#[cfg(test)]
mod tests;

use super::peel::by_weight;
use super::search::{FLOOR_SLACK, Search};
use super::{Limits, improve};
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

/// Rounds of asking about the set that the relaxed program would choose.
const ROUNDS: usize = 40;
/// Planner calls for each statement that a run comes to with its proof, ...
const CALLS_A_STATEMENT: u64 = 70;
/// ... for the proof alone at least, ...
const CALLS_FOR_PROOF: u64 = 12;
/// ... and what a run may come to however few statements it has: a second of them. With the search after it and the last look at the answer, 1,500.
const CALLS_ANYWAY: u64 = 1_340;
/// The proof is good enough at this share of the cost before: a third of the planner's own fuzz.
const GOAL: f64 = 0.003;
/// What is not known to this share of the cost before is worth a planner call.
const WORTH_ASKING: f64 = 0.0005;
/// Pairs of absent candidates asked about for a cut.
const PAIRS: usize = 1;
/// Before the relaxed program is solved again, this many statements get a further cut, at least, ...
const DESCRIBED: usize = 3;
/// ... and of what there is to ask, one in so many is asked. Few at a time spend the calls where the bound rests: measured on TPC-H,
/// a third of the calls for the same bound.
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
    /// By statement.
    sketches: Vec<Vec<Sketch>>,
    /// Statements with the candidates absent from a cut of theirs.
    described: BTreeSet<(usize, Vec<CandidateId>)>,
    /// Statements with the combinations that known plans were held against.
    checked: BTreeSet<(usize, Vec<CandidateId>)>,
    violations: BTreeSet<(usize, Vec<CandidateId>)>,
}

/// A plan with all of a statement's candidates but some.
struct Widest {
    /// What the planner was given: all of them, or those that mattered in parts.
    field: Vec<CandidateId>,
    plan: PlanCost,
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
        let least = search.cache.counters().planner_calls + CALLS_FOR_PROOF * statements;
        let last_call = least.max(CALLS_A_STATEMENT * statements).max(CALLS_ANYWAY);
        let (described, checked, violations) = Default::default();
        let sketches = fields.iter().map(|_| Vec::new()).collect();
        Proof {
            search,
            program,
            fields,
            floors,
            in_time,
            last_call,
            sketches,
            described,
            checked,
            violations,
        }
    }

    fn run(&mut self) -> Bound {
        let order = by_weight(self.search);
        let nothing = vec![false; self.search.problem.candidates.len()];
        let mut answer = nothing.clone();
        for member in self.search.best.members.clone() {
            answer[member] = true;
        }
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
            let typical = bound.mean.iter().map(|share| *share >= 0.5).collect();
            let mut proposed = nothing.clone();
            for &candidate in &bound.set {
                proposed[candidate] = true;
            }
            // One does not stand for the other: the relaxed program may hover between several sets.
            let mut news = self.refine(&bound.mean);
            for target in [proposed, typical] {
                news |= self.refine(&shares(&target));
                news |= self.describe_doubtful(&target);
            }
            if !news {
                break;
            }
            self.offer(&bound.set);
            bound = self.tighten();
        }
        bound
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
            self.draw(statement);
            self.reconcile(statement);
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

    /// The plan with all candidates of a statement but `absent`. Of very many, in parts whose winners meet in a final: an
    /// index that is of no use among a part of the others is of none among all, unless they help each other.
    fn widest(&mut self, statement: usize, absent: &[CandidateId]) -> Option<Widest> {
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
        Some(Widest { field, plan })
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
        if let Some(widest) = self.widest(statement, &[]) {
            self.floors[statement] = self.scale(statement) * widest.plan.total;
            self.program.fix(statement, self.floors[statement]);
        }
    }

    /// Cuts for `target` of the statements of which the cuts so far say much less than the known plans.
    fn describe_doubtful(&mut self, target: &[bool]) -> bool {
        let shares = shares(target);
        let set: Vec<CandidateId> = (0..target.len()).filter(|c| target[*c]).collect();
        let mut doubts: Vec<(f64, usize)> = Vec::new();
        for (statement, s) in self.search.problem.statements.iter().enumerate() {
            let most = s.weight * self.search.cache.cheapest_known(statement, &set);
            let doubt = most - FLOOR_SLACK * self.program.statement_at(statement, &shares);
            if doubt > WORTH_ASKING * self.search.total_before {
                doubts.push((doubt, statement));
            }
        }
        doubts.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut news = false;
        for (_, statement) in doubts.into_iter().take(self.fields.len().div_ceil(PARTS).max(DESCRIBED)) {
            news |= self.describe(statement, target);
        }
        news
    }

    /// Adds a cut that is exact at `target`: takes away what the plans use and the target lacks, until they use nothing
    /// else. Returns whether anything was learnt.
    fn describe(&mut self, statement: usize, target: &[bool]) -> bool {
        let (mut absent, mut dearest) = (Vec::new(), Vec::new());
        let Some(mut widest) = self.widest(statement, &[]) else { return false };
        let floor = widest.plan.total;
        let set: Vec<CandidateId> = self.fields[statement].iter().copied().filter(|c| target[*c]).collect();
        let weight = self.search.problem.statements[statement].weight;
        let worth = WORTH_ASKING * self.search.total_before;
        loop {
            let most = self.search.cache.cheapest_known(statement, &set);
            if weight * (most - widest.plan.total) <= worth {
                break;
            }
            let outside: Vec<CandidateId> =
                widest.plan.used.iter().copied().filter(|c| !target[*c]).collect();
            if outside.is_empty() {
                break;
            }
            let wider = absent.len();
            absent.extend(outside);
            let Some(narrower) = self.widest(statement, &absent) else {
                absent.truncate(wider);
                break;
            };
            // With an absent one back, it costs at least what it did before that one was taken away.
            dearest.resize(absent.len(), widest.plan.total);
            widest = narrower;
        }
        let mut key = absent.clone();
        key.sort_unstable();
        if widest.plan.total <= floor || !self.described.insert((statement, key)) {
            return false;
        }
        let absent = absent.into_iter().zip(dearest).collect();
        let sketch = Sketch { field: widest.field, level: widest.plan.total, absent };
        self.ask_about_pairs(statement, &sketch);
        self.sketches[statement].push(sketch);
        true
    }

    /// A cut, from planner units.
    fn cut(&self, statement: usize, level: f64, mut reliefs: Vec<(CandidateId, f64)>) -> Cut {
        let scale = self.scale(statement);
        reliefs.iter_mut().for_each(|(_, relief)| *relief *= scale);
        reliefs.retain(|(_, relief)| *relief > 0.0);
        reliefs.sort_by_key(|(candidate, _)| *candidate);
        Cut { level: scale * level, reliefs }
    }

    /// Asks for the pairs of absent candidates that could help each other most, those that are known to do so
    /// elsewhere first; what the planner says is held against the cut by `reconcile`.
    fn ask_about_pairs(&mut self, statement: usize, sketch: &Sketch) {
        let absent = sketch.absent.iter().map(|(candidate, _)| *candidate);
        let reliefs: Vec<(CandidateId, f64)> =
            absent.map(|candidate| (candidate, self.relief(statement, sketch, candidate))).collect();
        let mut pairs: Vec<(bool, f64, Vec<CandidateId>)> = Vec::new();
        for (i, (a, of_a)) in reliefs.iter().enumerate() {
            for (b, of_b) in &reliefs[i + 1..] {
                let back = united(&sketch.field, &[*a, *b]);
                let least = self.search.cache.dearest_superset(statement, &back);
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
        let possible = |plan: &&PlanCost| plan.used.iter().all(|used| field.binary_search(used).is_ok());
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

/// A set as shares of its members.
fn shares(set: &[bool]) -> Vec<f64> {
    set.iter().map(|there| f64::from(u8::from(*there))).collect()
}

/// Both together, ascending.
fn united(some: &[CandidateId], others: &[CandidateId]) -> Vec<CandidateId> {
    let all: BTreeSet<CandidateId> = some.iter().chain(others).copied().collect();
    all.into_iter().collect()
}
