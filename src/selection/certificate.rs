//! `Certificate`: a proof of how far the chosen set can be from the best within the limits.
//!
//! The planner is asked what each statement costs at least when every candidate has a price (`offers`): what it says is a cut, which
//! holds for every set of candidates, helped by each other or not, as far as the planner finds its cheapest plan. The prices
//! are those at which the known plans would make the most of the room (`market`); where the planner knows a better
//! plan at these prices, that is known from then on. Sets under which a statement gets slower than the user allows do not count, and what
//! these sets must hold beside an index that makes it slow is a cut of its own (`covers`). `relaxation` makes one bound of all cuts. Every plan that the planner ever gave is held against every cut, and a cut that claims too much is
//! lowered. Chooses nothing, but what is learnt is offered to the search.

mod answer;
mod covers;
mod knapsack;
mod market;
mod offers;
mod relaxation;
mod saddle;
#[cfg(test)]
mod tests;

use super::peel::{admit, by_weight, widest};
use super::search::{FLOOR_SLACK, Search, is_within};
use super::{Limits, propose};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, PlanCost, WhatIf};
use covers::{Cover, Refused};
use knapsack::Room;
use market::Market;
use offers::{Offer, REFUSED};
use relaxation::{Bound, Cut, Relaxation, Taken};
use serde::{Deserialize, Serialize};
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
    /// Combinations of two and more candidates in known plans that were held against what the bound says of them, ...
    pub checked: u64,
    /// ... and those, of one too, that contradicted it. The bound allows for them.
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
    /// False when time ran out.
    pub(super) complete: bool,
}

/// Rounds of prices, and how many without a better bound end them.
const ROUNDS: usize = 80;
const IDLE_ROUNDS: usize = 10;
/// Planner calls for each statement that a run comes to with its proof, ...
const CALLS_A_STATEMENT: u64 = 40;
/// ... for the proof alone at least, ...
const CALLS_FOR_PROOF: u64 = 24;
/// ... and what a run may come to however few statements it has: a second of them. With the search after it and the last look at the answer, 1,500.
const CALLS_ANYWAY: u64 = 1_100;
/// Where a proof leaves a gap wider than this share of the cost before, it and the search have so many more, as a share of those.
const WIDE_GAP: f64 = 0.03;
const MORE_CALLS: f64 = 0.25;
/// Of the calls that a proof has, the shares after which the search looks at what it has learnt.
const SEARCHED_AGAIN: [f64; 3] = [0.85, 0.5, 0.2];
/// The proof is good enough at this share of the cost before: a third of the planner's own fuzz.
const GOAL: f64 = 0.003;
/// What is not known to this share of the cost before is worth a planner call.
const WORTH_ASKING: f64 = 0.0005;
/// Statements asked about in a round at least; of many, one in `PARTS`.
pub(super) const AT_A_TIME: usize = 30;
const PARTS: usize = 20;
/// What is left open of a statement is less than one in so many parts of its share of the gap.
const PARTS_OF_GAP: usize = 5;
/// How far the next prices go from the best so far towards those of the market, which leap from one extreme to the other (smoothing;
/// Wentges 1997).
const STRIDE: f64 = 0.6;
/// The toll of a cover that the program may go to at least, as a share of the cost before.
const LEAST_TOLL: f64 = 0.01;
/// Looks at the clock that the relaxation gets when time has run out already: some milliseconds.
const LATE_STEPS: usize = 8;
/// Larger sets that help each other are bounded by pairs: as many variants of a cut as a pair has members.
const LARGEST_SPLIT: usize = 2;
/// Offers kept of a statement, the newest, beside those that the best bound rests on: a handful matters.
const OFFERS: usize = 12;
/// Cuts that one may be taken apart to: a guard against interactions without end.
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

/// What is charged for what the program takes, milliseconds a day.
#[derive(Clone, Debug)]
struct Charges {
    /// By statement and position in its field.
    prices: Vec<Vec<f64>>,
    /// By cover, for breaking it; none for the newest.
    tolls: Vec<f64>,
}

/// What is known at some charges.
struct Charged {
    /// By statement.
    offers: Vec<Offer>,
    tolls: Vec<f64>,
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
    /// How many more than that there may be where the gap is wide; none once they were granted.
    more_calls: u64,
    /// The numbers of planner calls in all at which the search looks at what has been learnt, descending.
    searches: Vec<u64>,
    /// The number of planner calls in all when the search last looked.
    searched: u64,
    market: Market,
    /// By statement: its known plans that the market knows of.
    learnt: Vec<usize>,
    /// By statement.
    offers: Vec<Vec<Offer>>,
    /// By statement: candidates that make it slower than the user accepts when they are there alone.
    slow_alone: Vec<BTreeSet<CandidateId>>,
    /// By statement: known plans that are slower than the user accepts.
    refused: Vec<Vec<Refused>>,
    covers: Vec<Cover>,
    /// Covers that the planner did not confirm.
    doubted: Vec<Cover>,
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
            .map(|(s, field)| if field.is_empty() { s.time_before() } else { 0.0 })
            .collect();
        let candidates = problem.candidates.iter().map(|c| Taken {
            bytes: c.size_bytes,
            write_ms: c.write_ms,
            keys: c.keys,
            table: c.table,
        });
        let limits = Room { bytes: room, count, per_table };
        let program = Relaxation::new(candidates.collect(), limits, &floors);
        let market = Market::new(&program.candidates, limits, &fields, search.total_before);
        let statements = problem.statements.len() as u64;
        let calls = search.cache.counters().planner_calls;
        let least = calls + CALLS_FOR_PROOF * statements;
        let last_call = least.max(CALLS_A_STATEMENT * statements).max(CALLS_ANYWAY);
        let left = last_call.saturating_sub(calls) as f64;
        let searches = SEARCHED_AGAIN.iter().map(|share| calls + (share * left) as u64).collect();
        let (checked, violations) = Default::default();
        Proof {
            learnt: vec![0; fields.len()],
            offers: vec![Vec::new(); fields.len()],
            slow_alone: vec![BTreeSet::new(); fields.len()],
            refused: vec![Vec::new(); fields.len()],
            covers: Vec::new(),
            doubted: Vec::new(),
            market,
            search,
            program,
            fields,
            floors,
            in_time,
            last_call,
            more_calls: (MORE_CALLS * last_call as f64) as u64,
            searches,
            searched: 0,
            checked,
            violations,
        }
    }

    fn run(&mut self) -> Bound {
        for statement in by_weight(self.search) {
            self.floor(statement);
        }
        let worth = WORTH_ASKING * self.search.total_before;
        let free = |field: &Vec<CandidateId>| vec![0.0; field.len()];
        let prices = self.fields.iter().map(free).collect();
        let mut kept = self.known_at(Charges { prices, tolls: Vec::new() });
        let mut best = self.bound_of(&kept);
        let mut idle = 0;
        for _ in 0..ROUNDS {
            let open = self.best_ms() - best;
            if open <= GOAL * self.search.total_before || idle >= IDLE_ROUNDS || !self.may_go_on(open) {
                break;
            }
            let charges = self.next_charges(&kept);
            // What all statements leave open together should be a part of the gap.
            let part = open / (PARTS_OF_GAP * self.fields.len()) as f64;
            self.ask_at(&charges.prices, worth.min(part));
            let known = self.known_at(charges);
            let bound = self.bound_of(&known);
            idle = if bound > best + worth || self.cover() { 0 } else { idle + 1 };
            if bound > best {
                (best, kept) = (bound, known);
            }
            if self.is_time_to_search() && self.search_again(&mut kept) {
                best = self.bound_of(&kept);
            }
        }
        let before = self.guarded();
        if self.in_time && self.has_learnt() {
            self.search_again(&mut kept);
        }
        let bound = self.conclude(kept);
        self.end(before);
        bound
    }

    /// Charges to ask at: on the way from those of the best bound so far to those of the market.
    fn next_charges(&mut self, kept: &Charged) -> Charges {
        for statement in 0..self.fields.len() {
            self.learn(statement);
        }
        let (cache, in_time) = (&mut self.search.cache, &mut self.in_time);
        self.market.keep_to(&self.covers);
        let mut charges = self.market.solve(&self.floors, &mut || {
            *in_time &= cache.check_time().is_ok();
            *in_time
        });
        // The first are free, and no place to start from.
        let start = kept.offers.iter().any(|kept| kept.prices.iter().any(|price| *price > 0.0));
        let towards = |charge: &mut f64, kept: f64| *charge = STRIDE * *charge + (1.0 - STRIDE) * kept;
        for (prices, kept) in charges.prices.iter_mut().zip(&kept.offers).filter(|_| start) {
            prices.iter_mut().zip(&kept.prices).for_each(|(price, kept)| towards(price, *kept));
        }
        for (at, toll) in charges.tolls.iter_mut().enumerate().filter(|_| start) {
            towards(toll, kept.tolls.get(at).copied().unwrap_or(0.0));
        }
        charges
    }

    /// Asks about the statements of which least is known at these prices.
    fn ask_at(&mut self, prices: &[Vec<f64>], worth: f64) {
        let mut doubts: Vec<(f64, usize)> = (0..self.fields.len())
            .filter(|statement| !self.fields[*statement].is_empty())
            .map(|s| (self.market.cheapest(s, &prices[s]) - self.at_least(s, &prices[s]), s))
            .filter(|(doubt, _)| *doubt > worth / 2.0)
            .collect();
        doubts.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let most = self.fields.len().div_ceil(PARTS).max(AT_A_TIME);
        for (_, statement) in doubts.into_iter().take(most) {
            if let Some(least) = self.least_at(statement, &prices[statement], worth, REFUSED) {
                let offers = &mut self.offers[statement];
                offers.push(Offer { prices: prices[statement].clone(), least });
                if offers.len() > OFFERS {
                    offers.remove(0);
                }
            }
        }
    }

    /// What a statement costs at least with the prices of what it uses, by what is known, milliseconds a day.
    fn at_least(&self, statement: usize, prices: &[f64]) -> f64 {
        let floor = FLOOR_SLACK * self.floors[statement];
        self.offers[statement].iter().map(|offer| offer.at(prices)).fold(floor, f64::max)
    }

    /// What is known of every statement at prices.
    fn known_at(&self, charges: Charges) -> Charged {
        let known = |(s, prices): (usize, Vec<f64>)| Offer { least: self.at_least(s, &prices), prices };
        Charged { offers: charges.prices.into_iter().enumerate().map(known).collect(), tolls: charges.tolls }
    }

    /// What one offer of each statement and the tolls bound, milliseconds a day.
    fn bound_of(&self, known: &Charged) -> f64 {
        let offers = known.offers.iter().enumerate().map(|(s, offer)| self.cut_of(s, offer));
        let covers = self.covers.iter().zip(&known.tolls).map(|(cover, toll)| cover.cut(*toll));
        let cuts: Vec<Cut> = offers.chain(covers).collect();
        self.program.bound_of(&cuts)
    }

    /// The market hears of plans that it does not know of yet.
    fn learn(&mut self, statement: usize) {
        let new: Vec<PlanCost> =
            self.search.cache.plans(statement).skip(self.learnt[statement]).cloned().collect();
        self.learnt[statement] += new.len();
        for plan in &new {
            admit(self.search, &plan.used);
            if !self.is_accepted(statement, plan) {
                self.refuse(statement, plan);
                continue;
            }
            self.tell(statement, plan);
        }
    }

    /// The market and the covers hear of a plan that the user accepts.
    fn tell(&mut self, statement: usize, plan: &PlanCost) {
        let field = &self.fields[statement];
        let used: Option<Vec<usize>> = plan.used.iter().map(|c| field.binary_search(c).ok()).collect();
        if let Some(used) = used {
            self.mend_covers(statement, plan);
            let weight = self.search.problem.statements[statement].weight;
            self.market.learn(statement, weight * plan.total, used);
        }
    }

    /// One bound of all that was learnt, beginning with the best so far.
    fn conclude(&mut self, kept: Charged) -> Bound {
        for (statement, best) in kept.offers.iter().enumerate() {
            if self.fields[statement].is_empty() {
                continue;
            }
            let mut cuts: Vec<Cut> = vec![self.cut_of(statement, best)];
            cuts.extend(self.offers[statement].iter().map(|offer| self.cut_of(statement, offer)));
            self.program.replace(statement, &[], cuts);
            self.program.begin_with(statement, 0);
        }
        for statement in 0..self.fields.len() {
            self.learn(statement);
            self.reconcile(statement);
        }
        for (at, cover) in self.covers.iter().enumerate() {
            // Of a statement that can no longer be planned no plan counts.
            if self.search.cache.is_frozen(cover.statement) {
                continue;
            }
            let toll = kept.tolls.get(at).copied().unwrap_or(0.0);
            let most = (2.0 * toll).max(LEAST_TOLL * self.search.total_before);
            self.program.require(cover.cut(most), toll / most);
        }
        let bound = self.tighten();
        self.offer(&bound.set);
        let set = self.rounded();
        self.in_time &= !self.in_time || propose::from(self.search, set).is_ok();
        bound
    }

    fn may_ask(&self) -> bool {
        self.in_time && self.search.cache.counters().planner_calls < self.last_call
    }

    /// As `may_ask`, where a gap of so many milliseconds a day is left: once, that may be worth more calls.
    fn may_go_on(&mut self, open: f64) -> bool {
        if !self.may_ask() && open > WIDE_GAP * self.search.total_before {
            self.last_call += std::mem::take(&mut self.more_calls);
        }
        self.may_ask()
    }

    /// What the best configuration so far costs with its writes, milliseconds a day.
    fn best_ms(&self) -> f64 {
        self.search.total_before - self.search.best.net
    }

    fn tighten(&mut self) -> Bound {
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

    /// No set that the user accepts makes a statement cheaper than all candidates together.
    fn floor(&mut self, statement: usize) {
        let field = self.fields[statement].clone();
        if field.is_empty() {
            return;
        }
        let weight = self.search.problem.statements[statement].weight;
        let mut least = self.search.cache.dearest_superset(statement, &field);
        if self.may_ask() && !self.search.cache.is_spent(statement) {
            match widest(self.search, statement, &field) {
                Ok(plan) if self.is_accepted(statement, &plan) => least = plan.total,
                Ok(plan) => {
                    let (free, worth) = (vec![0.0; field.len()], WORTH_ASKING * self.search.total_before);
                    self.learn(statement);
                    let accepted = self.least_at(statement, &free, worth, REFUSED);
                    least = accepted.map_or(plan.total, |ms| plan.total.max(ms / weight));
                }
                Err(Expired) => self.in_time = false,
            }
        }
        self.floors[statement] = self.scale(statement) * least;
        self.program.fix(statement, self.floors[statement]);
    }

    /// Lowers the cuts of a statement until none claims more than a known plan costs.
    fn reconcile(&mut self, statement: usize) {
        let s = &self.search.problem.statements[statement];
        if self.search.cache.is_frozen(statement) {
            self.program.fix(statement, s.time_before());
            return;
        }
        let field = &self.fields[statement];
        let possible = |plan: &&PlanCost| is_within(&plan.used, field) && self.is_accepted(statement, plan);
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
        if done != old {
            self.program.replace(statement, &old, done);
        } else {
            self.program.cuts[statement] = done;
        }
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
