//! `Search`: the state that all moves share, and `Configuration`, the set of indexes they move.
//!
//! Knows what a configuration saves and whether it fits; does not decide where to go next.

use super::frontier::Seen;
use super::keep::Previous;
use super::ruin::Begun;
use super::{Limits, Problem, explore};
use crate::catalog::Oid;
use crate::cost::cache::{CostCache, Expired};
use crate::cost::{CandidateId, PlanCost, Reached, WhatIf};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A statement within this factor of its floor has nothing more to gain: a tenth of the planner's own 1 % fuzz.
const SATURATED: f64 = 1.001;
/// How far below the cost measured with every candidate another configuration may get (see `cost::cache`).
pub(super) const FLOOR_SLACK: f64 = 1.015;
/// Plans whose costs are within this factor may change places when indexes are built: the planner's fuzz (1 %, pathnode.c) and as much
/// again for sizes that are estimates.
pub(super) const NEARLY: f64 = 1.02;
/// Net savings below this share of the examined time are rounding errors, whatever the user's minimum.
const NOTHING: f64 = 1e-9;

pub(super) struct Search<'a, W: WhatIf> {
    pub problem: &'a Problem,
    pub cache: CostCache<'a, W>,
    /// By candidate: positions of the statements that it could help, ascending.
    pub statements_of: Vec<Vec<usize>>,
    /// Candidates that moves may add, ascending. Only grows.
    pub pool: Vec<CandidateId>,
    /// By statement: the lowest cost seen with all of the pool; the cost before until it is known.
    pub floor: Vec<f64>,
    /// Sets of two and more candidates that save more together than one by one, each ascending. Only grows.
    pub bundles: Vec<Vec<CandidateId>>,
    /// What `items` gave last, with the sizes that pool and bundles had then.
    items: (usize, usize, Items),
    /// The best configuration so far; always within the limits.
    pub best: Configuration,
    /// None until its costs are known, and where none of it is worth having.
    pub previous: Option<Previous>,
    /// The best configurations of other sizes.
    pub seen: Seen,
    /// Net milliseconds a day that an index has to save.
    pub least_gain: f64,
    /// Milliseconds a day of all statements as they are.
    pub total_before: f64,
    /// Whether slowdowns count as the limits say; else they count for nothing, as where the user accepts any.
    heeds_slowdowns: bool,
    /// What ruin and recreate began with when it last ran to its end: as long as that is all the same, so would be what it finds.
    pub ruined: Option<Begun>,
    /// Planner calls that are left for what could take the place of members.
    pub calls_in_place: u64,
    /// By statement.
    slow: Vec<SlowPlans>,
    /// Statements that may get slower than the user allows: all others would lose too much else.
    pub forgiven: BTreeSet<usize>,
}

/// The known plans of a statement that are slower than the user allows.
#[derive(Clone, Debug, Default)]
struct SlowPlans {
    /// Of the known plans.
    looked_at: usize,
    /// Among them.
    positions: Vec<usize>,
}

/// Sets of candidates that are added together.
pub(super) type Items = Rc<[Rc<[CandidateId]>]>;

/// A set of candidates with what it saves.
#[derive(Clone, Debug, Default)]
pub(super) struct Configuration {
    /// Ascending.
    pub members: Vec<CandidateId>,
    /// Milliseconds a day saved, by statement.
    pub savings: Vec<f64>,
    /// Savings of all statements minus the members' write costs, milliseconds a day.
    pub net: f64,
    pub bytes: u64,
}

/// What is known of a net gain, milliseconds a day.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gain {
    Exactly(f64),
    AtMost(f64),
}

impl Configuration {
    pub fn contains(&self, candidate: CandidateId) -> bool {
        self.members.binary_search(&candidate).is_ok()
    }

    /// The members and `added` together, ascending.
    pub fn with(&self, added: &[CandidateId]) -> Vec<CandidateId> {
        let mut members = self.members.clone();
        members.extend(added.iter().filter(|candidate| !self.contains(**candidate)));
        members.sort_unstable();
        members
    }

    pub fn without(&self, removed: CandidateId) -> Vec<CandidateId> {
        self.members.iter().copied().filter(|candidate| *candidate != removed).collect()
    }
}

impl<'a, W: WhatIf> Search<'a, W> {
    /// Starts with nothing chosen and nothing known but the costs as things are.
    pub fn new(problem: &'a Problem, what_if: &'a mut W) -> Search<'a, W> {
        let mut statements_of = vec![Vec::new(); problem.candidates.len()];
        for (position, statement) in problem.statements.iter().enumerate() {
            for candidate in &statement.relevant {
                statements_of[*candidate].push(position);
            }
        }
        let known = problem.statements.iter().map(|s| (s.id, &s.before, s.relevant.as_slice()));
        let total_before: f64 = problem.statements.iter().map(|s| s.time_before()).sum();
        let savings = vec![0.0; problem.statements.len()];
        Search {
            problem,
            cache: CostCache::new(what_if, known),
            statements_of,
            pool: Vec::new(),
            floor: problem.statements.iter().map(|s| s.before.total).collect(),
            bundles: Vec::new(),
            items: (0, 0, Rc::new([])),
            best: Configuration { members: Vec::new(), savings, net: 0.0, bytes: 0 },
            previous: None,
            seen: Seen::default(),
            least_gain: (problem.limits.min_gain * total_before)
                .max(problem.limits.min_gain_ms)
                .max(NOTHING * total_before),
            total_before,
            heeds_slowdowns: true,
            ruined: None,
            calls_in_place: explore::calls_in_place(problem.statements.len()),
            slow: vec![SlowPlans::default(); problem.statements.len()],
            forgiven: BTreeSet::new(),
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.problem.limits
    }

    /// Lets `moves` go on as where the user accepts any slowdown.
    pub fn ignoring_slowdowns<T>(&mut self, moves: impl FnOnce(&mut Self) -> T) -> T {
        let heeded = std::mem::replace(&mut self.heeds_slowdowns, false);
        let done = moves(self);
        self.heeds_slowdowns = heeded;
        done
    }

    /// Whether the answer may give a statement this plan. How much slower it is than the user allows counts all the same.
    pub fn accepts(&self, statement: usize, plan: &PlanCost) -> bool {
        self.forgiven.contains(&statement) || self.problem.accepts(statement, plan)
    }

    /// The cost in memory beyond which the answer may not give a statement a plan, planner units.
    pub fn most_in_memory(&self, statement: usize) -> f64 {
        if self.forgiven.contains(&statement) {
            return f64::INFINITY;
        }
        self.limits().most_in_memory(&self.problem.statements[statement])
    }

    /// The configuration without a new index.
    pub fn empty(&self) -> Configuration {
        let savings = vec![0.0; self.problem.statements.len()];
        Configuration { members: Vec::new(), savings, net: 0.0, bytes: 0 }
    }

    pub fn bytes(&self, candidates: &[CandidateId]) -> u64 {
        candidates.iter().map(|c| self.problem.candidates[*c].size_bytes).sum()
    }

    pub fn write_ms(&self, candidates: &[CandidateId]) -> f64 {
        candidates.iter().map(|c| self.problem.candidates[*c].write_ms).sum()
    }

    /// The members that have the same keys as one of `candidates` and are not among them.
    pub fn rivals(&self, members: &[CandidateId], candidates: &[CandidateId]) -> Vec<CandidateId> {
        let keys = |candidate: &CandidateId| self.problem.candidates[*candidate].keys;
        let rival = |member: &CandidateId| {
            keys(member).is_some()
                && !candidates.contains(member)
                && candidates.iter().any(|candidate| keys(candidate) == keys(member))
        };
        members.iter().copied().filter(rival).collect()
    }

    /// Whether two of `candidates` have the same keys.
    pub fn has_rivals_within(&self, candidates: &[CandidateId]) -> bool {
        if candidates.len() < 2 {
            return false;
        }
        let mut keys: Vec<u32> = candidates.iter().filter_map(|c| self.problem.candidates[*c].keys).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Every candidate of the pool and every bundle: the smaller sets first, then by preference.
    pub fn items(&mut self) -> Items {
        if (self.items.0, self.items.1) != (self.pool.len(), self.bundles.len()) {
            let singles = self.pool.iter().map(|candidate| Rc::from([*candidate]));
            let bundles = self.bundles.iter().map(|bundle| Rc::from(bundle.as_slice()));
            let mut sets: Vec<Rc<[CandidateId]>> = singles.chain(bundles).collect();
            sets.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
            self.items = (self.pool.len(), self.bundles.len(), sets.into());
        }
        self.items.2.clone()
    }

    /// Whether a set keeps to every limit.
    pub fn fits(&self, members: &[CandidateId]) -> bool {
        self.fits_beside(&[], 0, members)
    }

    /// Whether `members`, which take `bytes` and keep to the limits, still do with `added`, none of them a member.
    pub fn fits_beside(&self, members: &[CandidateId], bytes: u64, added: &[CandidateId]) -> bool {
        let bytes = bytes.saturating_add(self.bytes(added));
        members.len() + added.len() <= self.limits().max_indexes
            && self.limits().storage_bytes.is_none_or(|limit| bytes <= limit)
            && !added.iter().any(|candidate| self.is_crowded(*candidate, members.iter().chain(added)))
    }

    /// Whether more of `members` are on the table of `candidate` than may be.
    pub fn is_crowded<'c>(
        &self,
        candidate: CandidateId,
        members: impl Iterator<Item = &'c CandidateId>,
    ) -> bool {
        let table = |candidate: CandidateId| self.problem.candidates[candidate].table;
        let on_it = |member: &&CandidateId| table(**member) == table(candidate);
        self.limits().max_indexes_per_table.is_some_and(|most| members.filter(on_it).count() > most)
    }

    /// What a statement saves at cost `total`, milliseconds a day; nothing when the change is within the noise.
    pub fn saving_at(&self, statement: usize, total: f64) -> f64 {
        saving_at(self.problem, statement, total)
    }

    /// What a statement saves with a plan, milliseconds a day; less than nothing where the user does not accept it.
    pub fn saving_by(&self, statement: usize, plan: &PlanCost) -> f64 {
        saving_of(self.problem, statement, plan)
    }

    /// What a statement saves with these indexes, milliseconds a day.
    pub fn saving(&mut self, statement: usize, members: &[CandidateId]) -> Result<f64, Expired> {
        let problem = self.problem;
        let plan = self.cache.cost(statement, members)?;
        if !self.heeds_slowdowns {
            return Ok(saving_at(problem, statement, plan.total));
        }
        let saving = saving_of(problem, statement, plan);
        if problem.limits.slowdown.is_none() || saving <= 0.0 {
            return Ok(saving);
        }
        let plan = plan.clone();
        let (nearby, _) = self.slow_nearby(statement, members, &plan);
        Ok(loss_of(problem, statement, nearby).unwrap_or(saving))
    }

    /// The worst slowdown, beyond what is allowed, of the known plans that cost little more than the `chosen` one: one of them may
    /// be chosen in its place once the indexes are there. 0 where there is none. With the members that these plans use.
    pub fn slow_nearby(
        &mut self,
        statement: usize,
        members: &[CandidateId],
        chosen: &PlanCost,
    ) -> (f64, Vec<CandidateId>) {
        if self.problem.limits.slowdown.is_none() {
            return (0.0, Vec::new());
        }
        let s = &self.problem.statements[statement];
        let slow = &mut self.slow[statement];
        for (at, plan) in self.cache.plans(statement).enumerate().skip(slow.looked_at) {
            slow.looked_at = at + 1;
            if !self.problem.accepts(statement, plan) {
                slow.positions.push(at);
            }
        }
        let near = self.cache.allowed_plans(statement, &slow.positions, members, NEARLY * chosen.total);
        let near = near.filter(|plan| !Indexes::of(plan).stand_in_for(Indexes::of(chosen)));
        near.fold((0.0, Vec::new()), |(worst, mut used), plan| {
            used.extend(&plan.used);
            (f64::max(worst, s.slowdown(plan)), used)
        })
    }

    /// Statements that any of `candidates` could help, ascending.
    pub fn touched(&self, candidates: &[CandidateId]) -> Cow<'_, [usize]> {
        // Offline only those change that have a known plan with one of them: of many statements that look alike, a few.
        let offline = self.cache.is_offline();
        let helped = |candidate: &CandidateId| -> &[usize] {
            if offline { self.cache.users(*candidate) } else { &self.statements_of[*candidate] }
        };
        if let [candidate] = candidates {
            return Cow::Borrowed(helped(candidate));
        }
        let mut statements: Vec<usize> =
            candidates.iter().flat_map(|candidate| helped(candidate).iter().copied()).collect();
        statements.sort_unstable();
        statements.dedup();
        Cow::Owned(statements)
    }

    /// What adding `added` (none of them a member) saves, net of their write cost, milliseconds a day.
    pub fn gain(&mut self, base: &Configuration, added: &[CandidateId]) -> Result<f64, Expired> {
        let members = base.with(added);
        let mut gain = -self.write_ms(added);
        for statement in self.touched(added).into_owned() {
            gain += self.saving(statement, &members)? - base.savings[statement];
        }
        Ok(gain)
    }

    /// What adding `added` can save at most, by what is known; asks nothing.
    pub fn potential(&self, base: &Configuration, added: &[CandidateId]) -> f64 {
        let touched = self.touched(added);
        let members = if self.cache.is_offline() { Vec::new() } else { base.with(added) };
        touched.iter().map(|statement| self.prospect(base, &members, *statement)).sum::<f64>()
            - self.write_ms(added)
    }

    /// By touched statement, what adding `added` can save at most: (milliseconds a day, statement), the most first.
    fn prospects(&self, base: &Configuration, added: &[CandidateId]) -> Vec<(f64, usize)> {
        let members = base.with(added);
        let most = |statement: &usize| (self.prospect(base, &members, *statement), *statement);
        let mut prospects: Vec<(f64, usize)> = self.touched(added).iter().map(most).collect();
        prospects.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        prospects
    }

    /// What a statement can save at most beside what it saves with `base`, if these are the `members` then.
    fn prospect(&self, base: &Configuration, members: &[CandidateId], statement: usize) -> f64 {
        let s = &self.problem.statements[statement];
        let now = s.before.total - base.savings[statement] / s.weight.max(f64::MIN_POSITIVE);
        if now <= SATURATED * self.floor[statement] {
            return 0.0;
        }
        // Offline a bound would cost as much as the answer.
        let offline = self.cache.is_offline();
        let superset = if offline { 0.0 } else { self.cache.dearest_superset(statement, members) };
        s.weight * (now - self.floor[statement].max(superset) / FLOOR_SLACK)
    }

    /// What adding `added` saves net, as far as it takes to know whether that is `enough`: the gain, or an upper bound
    /// of it that is below `enough`. Statements with most to save are asked first.
    pub fn gain_if_enough(
        &mut self,
        base: &Configuration,
        added: &[CandidateId],
        enough: f64,
    ) -> Result<Gain, Expired> {
        let members = base.with(added);
        let prospects = self.prospects(base, added);
        let mut bound = prospects.iter().map(|(most, _)| most).sum::<f64>() - self.write_ms(added);
        for (most, statement) in prospects {
            if bound < enough {
                return Ok(Gain::AtMost(bound));
            }
            bound += self.saving(statement, &members)? - base.savings[statement] - most;
        }
        Ok(Gain::Exactly(bound))
    }

    /// The configuration of `members` (ascending).
    pub fn counted(&mut self, members: Vec<CandidateId>) -> Result<Configuration, Expired> {
        let empty = self.empty();
        self.moved(&empty, members)
    }

    /// The same, starting from what is known of `base`.
    pub fn moved(
        &mut self,
        base: &Configuration,
        members: Vec<CandidateId>,
    ) -> Result<Configuration, Expired> {
        let differs = |candidate: &CandidateId| base.contains(*candidate) != members.contains(candidate);
        let changed: Vec<CandidateId> =
            base.members.iter().chain(&members).copied().filter(differs).collect();
        let mut savings = base.savings.clone();
        for statement in self.touched(&changed).into_owned() {
            savings[statement] = self.saving(statement, &members)?;
        }
        let net = savings.iter().sum::<f64>() - self.write_ms(&members);
        let bytes = self.bytes(&members);
        self.note(bytes, net, &members);
        Ok(Configuration { members, savings, net, bytes })
    }

    /// What the configuration would lose without one of its members, net of its write cost, milliseconds a day.
    pub fn loss(&mut self, configuration: &Configuration, member: CandidateId) -> Result<f64, Expired> {
        let members = configuration.without(member);
        let mut loss = -self.write_ms(&[member]);
        for statement in self.touched(&[member]).into_owned() {
            loss += configuration.savings[statement] - self.saving(statement, &members)?;
        }
        let bytes = configuration.bytes - self.bytes(&[member]);
        self.note(bytes, configuration.net - loss, &members);
        Ok(loss)
    }

    /// Keeps for the frontier what an allowed set saves.
    fn note(&mut self, bytes: u64, net: f64, members: &[CandidateId]) {
        if self.heeds_slowdowns
            && self.seen.is_news(bytes, net)
            && self.fits(members)
            && !self.has_rivals_within(members)
        {
            self.seen.keep(bytes, net, members);
        }
    }

    /// Keeps `configuration` if it is better than the best so far. One that takes more space has to save as much more
    /// as an index has to: half a per mille is not worth a gigabyte.
    pub fn consider(&mut self, configuration: &Configuration) {
        let better = configuration.net - self.best.net;
        let rounding = NOTHING * self.total_before;
        let enough = match configuration.bytes.cmp(&self.best.bytes) {
            Ordering::Greater => better >= self.least_gain,
            Ordering::Equal => better > rounding,
            Ordering::Less => better >= -rounding,
        };
        if enough && self.fits(&configuration.members) {
            self.best = configuration.clone();
            if self.heeds_slowdowns && self.total_before > 0.0 {
                self.cache.reached(Reached::Saving(self.best.net / self.total_before));
            }
        }
    }
}

/// The indexes of a plan, each ascending.
#[derive(Clone, Copy)]
pub(super) struct Indexes<'p> {
    /// Candidates, or numbers that stand for them.
    pub used: &'p [usize],
    pub existing: &'p [Oid],
}

impl<'p> Indexes<'p> {
    pub fn of(plan: &'p PlanCost) -> Indexes<'p> {
        Indexes { used: &plan.used, existing: &plan.used_existing }
    }

    /// Whether these are `others` with existing indexes in the place of some new ones. Then it is not the fuzz that decides between the two
    /// plans, however little lies between them in all: the planner compares the ways to read one table by themselves, and takes the
    /// cheaper (add_path, pathnode.c).
    pub fn stand_in_for(self, others: Indexes<'_>) -> bool {
        self.used.len() < others.used.len()
            && self.used.len() + self.existing.len() == others.used.len() + others.existing.len()
            && is_within(self.used, others.used)
            && is_within(others.existing, self.existing)
    }
}

/// Whether `all`, ascending, has each of `some`: what a plan with `all` can use, one with `some` does without the rest.
pub(super) fn is_within<T: Ord>(some: &[T], all: &[T]) -> bool {
    some.iter().all(|one| all.binary_search(one).is_ok())
}

/// What a statement saves with a plan, milliseconds a day. A plan that makes it slower than the user allows is a loss,
/// however cheap the planner holds it.
fn saving_of(problem: &Problem, statement: usize, plan: &PlanCost) -> f64 {
    let slowdown = problem.statements[statement].slowdown(plan);
    loss_of(problem, statement, slowdown).unwrap_or_else(|| saving_at(problem, statement, plan.total))
}

/// What a slowdown counts as, a saving below zero; None where the user allows it.
fn loss_of(problem: &Problem, statement: usize, slowdown: f64) -> Option<f64> {
    let s = &problem.statements[statement];
    (!problem.limits.allow(slowdown)).then_some(-problem.limits.regret() * s.time_before() * slowdown)
}

fn saving_at(problem: &Problem, statement: usize, total: f64) -> f64 {
    let s = &problem.statements[statement];
    let change = s.before.total - total;
    if change.abs() > problem.limits.noise * s.before.total { s.weight * change } else { 0.0 }
}
