//! `CostCache`: what the planner said so far, and everything that follows from it without asking again.
//!
//! Pure bookkeeping over `WhatIf`: it weighs no statement against another and knows nothing of sizes or limits.
//! Sources: the index benefit graph (Schnaitter, Polyzotis, Getoor, VLDB 2009) for exact reuse; bounds by
//! monotonicity as in Wii (SIGMOD 2024); the tolerances come from `add_path`'s `STD_FUZZ_FACTOR` (pathnode.c).

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

use super::{CandidateId, PlanCost, Priced, Reached, StatementId, WhatIf, WhatIfError};
use rustc_hash::FxHashMap;

/// Two bounds this close are one cost: a tenth of the planner's own fuzz.
const MEETING: f64 = 1.001;
/// Entries looked at when a cost is derived, newest first: the search moves in small steps, so the useful ones are
/// young. Caps the work of one question at some microseconds.
const LOOK_BACK: usize = 1024;

/// The time limit passed before the planner could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

/// How the questions put to a cache were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    pub planner_calls: u64,
    /// The same configuration had been planned before.
    pub exact_hits: u64,
    /// The index-benefit-graph rule gave the cost.
    pub graph_hits: u64,
    /// Upper and lower bound met.
    pub bound_hits: u64,
}

/// Costs of statements (by position, 0 for the first one given to `new`) under configurations.
///
/// A configuration is an ascending list of candidates; those that are not relevant for the statement are ignored.
pub struct CostCache<'a, W: WhatIf> {
    what_if: &'a mut W,
    statements: Vec<KnownCosts>,
    counters: CacheCounters,
    failures: Vec<(StatementId, String)>,
    /// Positions of the statements that are spent, in the order in which that was noticed.
    spent: Vec<usize>,
    /// Planner calls after which questions are answered offline.
    allowance: u64,
    /// Time has run out already: what remains to be done without the planner is done.
    late: bool,
    /// By candidate: positions of the statements that have a known plan with it, ascending.
    users: Vec<Vec<usize>>,
}

/// All that is known of one statement. Entry 0 is the empty configuration.
struct KnownCosts {
    id: StatementId,
    relevant: Relevant,
    entries: Vec<Entry>,
    /// Positions of the entries, the cheapest first.
    by_cost: Vec<usize>,
    by_set: FxHashMap<Bits, usize>,
    /// What offline questions were answered with since the last plan came in.
    assumed: FxHashMap<Bits, usize>,
    /// The entry with most candidates: the best source of lower bounds, so never out of sight.
    widest: usize,
    /// It failed once; it stays at its cost before.
    frozen: bool,
    /// It has had its planning time; what is not known of it is answered offline.
    spent: bool,
}

struct Entry {
    set: Bits,
    used: Bits,
    plan: PlanCost,
}

/// The candidates that matter to a statement: by word of 64 candidates, those of them that do. Candidates of a relation stand
/// together, so there are few words.
struct Relevant(Box<[(usize, u64)]>);

impl Relevant {
    fn of(candidates: &[CandidateId]) -> Relevant {
        let mut words: Vec<(usize, u64)> = Vec::new();
        for candidate in candidates {
            let (word, bit) = (candidate / 64, 1 << (candidate % 64));
            match words.last_mut() {
                Some((last, mask)) if *last == word => *mask |= bit,
                _ => words.push((word, bit)),
            }
        }
        Relevant(words.into())
    }
}

/// A set of candidates that matter to a statement, in the words of `Relevant`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bits(Box<[u64]>);

impl Bits {
    /// The members of `configuration` (ascending) that are relevant.
    fn of(configuration: &[CandidateId], relevant: &Relevant) -> Bits {
        let mut words = vec![0_u64; relevant.0.len()].into_boxed_slice();
        let mut at = 0;
        for candidate in configuration {
            let word = candidate / 64;
            while at < words.len() && relevant.0[at].0 < word {
                at += 1;
            }
            let Some((here, mask)) = relevant.0.get(at) else { break };
            if *here == word {
                words[at] |= 1 << (candidate % 64) & mask;
            }
        }
        Bits(words)
    }

    fn within(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn candidates(&self, relevant: &Relevant) -> Vec<CandidateId> {
        let words = self.0.iter().zip(&relevant.0);
        let members = |(bits, (word, _)): (&u64, &(usize, u64))| {
            let (bits, first) = (*bits, 64 * word);
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| first + bit)
        };
        words.flat_map(members).collect()
    }
}

impl KnownCosts {
    fn new(id: StatementId, before: &PlanCost, relevant: &[CandidateId]) -> KnownCosts {
        let relevant = Relevant::of(relevant);
        let empty = Bits::of(&[], &relevant);
        let entry = Entry { set: empty.clone(), used: empty.clone(), plan: before.clone() };
        KnownCosts {
            id,
            relevant,
            entries: vec![entry],
            by_cost: vec![0],
            by_set: FxHashMap::from_iter([(empty, 0)]),
            assumed: FxHashMap::default(),
            widest: 0,
            frozen: false,
            spent: false,
        }
    }

    /// The entries worth looking at: the two that are always of use, then the newest.
    fn in_sight(&self) -> impl Iterator<Item = usize> + '_ {
        let newest = (1..self.entries.len()).rev().take(LOOK_BACK);
        [self.widest, 0].into_iter().chain(newest)
    }

    /// An entry Y with used(Y) within X within Y: the planner's choice among Y's indexes is open to X and still best.
    fn by_graph(&self, set: &Bits) -> Option<usize> {
        self.in_sight().find(|&at| {
            let entry = &self.entries[at];
            entry.used.within(set) && set.within(&entry.set)
        })
    }

    /// The entry that says what a configuration costs exactly, as far as that follows from what is known.
    fn exact(&self, set: &Bits) -> Option<usize> {
        if self.frozen { Some(0) } else { self.by_set.get(set).copied().or_else(|| self.by_graph(set)) }
    }

    /// The cheapest known plan that a configuration allows: one that uses nothing outside it.
    fn cheapest_allowed(&self, set: &Bits) -> usize {
        let allowed = |at: &usize| self.entries[*at].used.within(set);
        self.by_cost.iter().copied().find(allowed).unwrap_or(0)
    }

    /// The dearest plan of any configuration around `set`; 0 when none is known.
    fn dearest_superset(&self, set: &Bits) -> f64 {
        let around = self.in_sight().filter(|&at| set.within(&self.entries[at].set));
        around.map(|at| self.entries[at].plan.total).fold(0.0, f64::max)
    }

    fn insert(&mut self, set: Bits, plan: PlanCost) -> usize {
        let used = Bits::of(&plan.used, &self.relevant);
        let at = self.entries.len();
        if set.len() > self.entries[self.widest].set.len() {
            self.widest = at;
        }
        self.by_set.insert(set.clone(), at);
        self.assumed.clear();
        let cheaper = |other: &usize| self.entries[*other].plan.total <= plan.total;
        self.by_cost.insert(self.by_cost.partition_point(cheaper), at);
        self.entries.push(Entry { set, used, plan });
        at
    }
}

impl<'a, W: WhatIf> CostCache<'a, W> {
    /// A cache over `what_if` for statements given as (id, cost without candidates, relevant candidates ascending).
    pub fn new<'s>(
        what_if: &'a mut W,
        statements: impl IntoIterator<Item = (StatementId, &'s PlanCost, &'s [CandidateId])>,
    ) -> CostCache<'a, W> {
        let statements =
            statements.into_iter().map(|(id, before, relevant)| KnownCosts::new(id, before, relevant));
        CostCache {
            what_if,
            statements: statements.collect(),
            counters: CacheCounters::default(),
            failures: Vec::new(),
            spent: Vec::new(),
            allowance: u64::MAX,
            late: false,
            users: Vec::new(),
        }
    }

    /// The statements that have a known plan with a candidate, ascending. Offline, the others cost the same with it and without.
    pub fn users(&self, candidate: CandidateId) -> &[usize] {
        self.users.get(candidate).map_or(&[], Vec::as_slice)
    }

    /// What a statement costs, at most 0.1 % above the planner's own total: bounds that meet are taken for the cost.
    pub fn cost(&mut self, statement: usize, configuration: &[CandidateId]) -> Result<&PlanCost, Expired> {
        let at = self.find(statement, configuration, true)?;
        Ok(&self.statements[statement].entries[at].plan)
    }

    /// What the planner says of a statement, exactly.
    pub fn plan(&mut self, statement: usize, configuration: &[CandidateId]) -> Result<PlanCost, Expired> {
        let at = self.find(statement, configuration, false)?;
        Ok(self.statements[statement].entries[at].plan.clone())
    }

    /// The same, and also of a statement that is spent, or of which nothing follows from other plans: for the answer, which should be no
    /// guess.
    pub fn final_plan(
        &mut self,
        statement: usize,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, Expired> {
        let known = &self.statements[statement];
        let set = Bits::of(configuration, &known.relevant);
        let may_follow = known.frozen || !self.what_if.is_by_lot(known.id);
        let is_known = known.exact(&set).is_some_and(|at| may_follow || known.entries[at].set == set);
        let at = if is_known || self.is_offline() {
            self.find(statement, configuration, false)?
        } else {
            self.ask(statement, set)?
        };
        Ok(self.statements[statement].entries[at].plan.clone())
    }

    /// The least of what a statement costs with the prices of what its plan uses (`WhatIf::cost_at_prices`); None where that cannot be
    /// asked.
    pub fn at_prices(
        &mut self,
        statement: usize,
        priced: &[(CandidateId, f64)],
        most_in_memory: f64,
    ) -> Result<Option<Priced>, Expired> {
        self.check_time()?;
        let known = &mut self.statements[statement];
        if known.frozen {
            return Ok(None);
        }
        match self.what_if.cost_at_prices(known.id, priced, most_in_memory) {
            Ok(found) => {
                self.counters.planner_calls += found.as_ref().map_or(0, |found| found.calls);
                Ok(found)
            }
            Err(WhatIfError::Statement(reason)) => {
                self.freeze(statement, reason);
                Ok(None)
            }
        }
    }

    /// Leaves a statement that cannot be planned any more at its cost before.
    fn freeze(&mut self, statement: usize, reason: String) {
        let known = &mut self.statements[statement];
        known.frozen = true;
        self.failures.push((known.id, reason));
    }

    /// The dearest known plan of any configuration that contains this one; 0 when none is known.
    pub fn dearest_superset(&self, statement: usize, configuration: &[CandidateId]) -> f64 {
        let known = &self.statements[statement];
        known.dearest_superset(&Bits::of(configuration, &known.relevant))
    }

    /// What the planner says of a statement, exactly, as far as that follows from what it said already.
    pub fn known(&self, statement: usize, configuration: &[CandidateId]) -> Option<PlanCost> {
        let known = &self.statements[statement];
        let set = Bits::of(configuration, &known.relevant);
        known.exact(&set).map(|at| known.entries[at].plan.clone())
    }

    /// Those of the plans at `positions` (in `plans`) of a statement that a configuration allows and that cost no more than `most`: what
    /// the planner may choose there if costs turn out a little different.
    pub fn allowed_plans(
        &self,
        statement: usize,
        positions: &[usize],
        configuration: &[CandidateId],
        most: f64,
    ) -> impl Iterator<Item = &PlanCost> {
        let known = &self.statements[statement];
        let mut cheap =
            positions.iter().map(|at| &known.entries[*at]).filter(move |e| e.plan.total <= most).peekable();
        // Mostly there is none, and then nobody needs the set.
        let set = cheap.peek().map(|_| Bits::of(configuration, &known.relevant));
        cheap
            .filter(move |entry| set.as_ref().is_some_and(|set| entry.used.within(set)))
            .map(|entry| &entry.plan)
    }

    /// Every plan of a statement that the planner gave, in the order in which it did, the one without candidates first.
    pub fn plans(&self, statement: usize) -> impl Iterator<Item = &PlanCost> {
        self.statements[statement].entries.iter().map(|entry| &entry.plan)
    }

    /// Whether a statement failed, and so stays at its cost before.
    pub fn is_frozen(&self, statement: usize) -> bool {
        self.statements[statement].frozen
    }

    /// Whether a statement has had its planning time: what is not known of it is answered as if offline.
    pub fn is_spent(&mut self, statement: usize) -> bool {
        let known = &mut self.statements[statement];
        if !known.spent && self.what_if.is_spent(known.id) {
            known.spent = true;
            self.spent.push(statement);
        }
        known.spent
    }

    /// The statements that are spent, with the planner calls that each had.
    pub fn cut_short(&self) -> impl Iterator<Item = (StatementId, u64)> + '_ {
        let known = self.spent.iter().map(|at| &self.statements[*at]);
        known.map(|known| (known.id, known.entries.len() as u64 - 1))
    }

    /// From now on no question reaches the planner: what is unknown is answered by the cheapest known plan that the
    /// configuration allows, an upper bound. For after the time limit, which is no longer heeded.
    pub fn go_offline(&mut self) {
        self.allowance = 0;
        self.late = true;
    }

    /// No question reaches the planner once it has been asked `calls` times in all; the time limit stays in force.
    pub fn go_offline_after(&mut self, calls: u64) {
        self.allowance = calls;
    }

    /// Questions reach the planner once more, for what the answer costs, within the time that is left for that.
    pub fn go_online_for_the_answer(&mut self) {
        self.what_if.reached(Reached::Answer);
        self.allowance = u64::MAX;
        self.late = false;
    }

    /// Questions reach the planner again.
    pub fn go_online(&mut self) {
        self.allowance = u64::MAX;
    }

    /// Whether questions are answered without the planner.
    pub fn is_offline(&self) -> bool {
        self.counters.planner_calls >= self.allowance
    }

    /// Looks at the clock, for stretches of work that the cache answers without the planner.
    pub fn check_time(&mut self) -> Result<(), Expired> {
        // Also asked when late: that serves interrupts.
        let expired = self.what_if.expired();
        if expired && !self.late { Err(Expired) } else { Ok(()) }
    }

    /// Says where the search is.
    pub fn reached(&mut self, where_to: Reached) {
        self.what_if.reached(where_to);
    }

    pub fn counters(&self) -> CacheCounters {
        self.counters
    }

    /// Statements that stopped being plannable, in the order in which that was noticed.
    pub fn failures(&self) -> &[(StatementId, String)] {
        &self.failures
    }

    /// The entry that answers; `approximate` allows the one that is within `MEETING` of the lower bound.
    fn find(
        &mut self,
        statement: usize,
        configuration: &[CandidateId],
        approximate: bool,
    ) -> Result<usize, Expired> {
        let offline = self.is_offline() || self.statements[statement].spent;
        let known = &mut self.statements[statement];
        if known.frozen {
            return Ok(0);
        }
        let set = Bits::of(configuration, &known.relevant);
        if let Some(&at) = known.by_set.get(&set) {
            self.counters.exact_hits += 1;
            return Ok(at);
        }
        if offline {
            if let Some(&at) = known.assumed.get(&set) {
                return Ok(at);
            }
            let cheapest = known.cheapest_allowed(&set);
            known.assumed.insert(set, cheapest);
            return Ok(cheapest);
        }
        if let Some(at) = known.by_graph(&set) {
            self.counters.graph_hits += 1;
            known.by_set.insert(set, at);
            return Ok(at);
        }
        let offline = offline || self.is_spent(statement);
        let known = &mut self.statements[statement];
        if approximate || offline {
            let cheapest = known.cheapest_allowed(&set);
            let met = known.entries[cheapest].plan.total <= MEETING * known.dearest_superset(&set);
            self.counters.bound_hits += u64::from(met);
            if offline {
                known.assumed.insert(set, cheapest);
                return Ok(cheapest);
            }
            if met {
                return Ok(cheapest);
            }
        }
        self.ask(statement, set)
    }

    fn ask(&mut self, statement: usize, set: Bits) -> Result<usize, Expired> {
        self.check_time()?;
        let known = &mut self.statements[statement];
        self.counters.planner_calls += 1;
        match self.what_if.cost(known.id, &set.candidates(&known.relevant)) {
            Ok(plan) => {
                for candidate in &plan.used {
                    if self.users.len() <= *candidate {
                        self.users.resize(*candidate + 1, Vec::new());
                    }
                    if let Err(at) = self.users[*candidate].binary_search(&statement) {
                        self.users[*candidate].insert(at, statement);
                    }
                }
                Ok(known.insert(set, plan))
            }
            Err(WhatIfError::Statement(reason)) => {
                self.freeze(statement, reason);
                Ok(0)
            }
        }
    }
}
