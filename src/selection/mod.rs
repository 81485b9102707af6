//! Selection: the set of candidates that saves most within the user's limits.
//!
//! Pure and deterministic: costs come through the cost cache, time through `WhatIf::expired`.
//!
//! The search is made of moves on a `search::Configuration`: `share` finds what many statements could use, `peel` the candidates
//! worth moving, `greedy` adds, `improve` drops, `ruin` exchanges, `slim` takes smaller ones, `guard` drops what makes a statement slower, `attribution` says what each chosen index brings. `propose`
//! runs the moves on what is known and asks the planner only about what they find, `explore` asks for what is not known
//! yet: planner calls are what a run waits for. A further move is a further module beside them. The greedy step is that of
//! Extend (ICDE 2019) without its widening, which the candidates already hold. `certificate` then proves how far the
//! answer can be from the best, and what it asked for the search looks at once more, `keep` stays with an earlier answer that is nearly as good, and `frontier` keeps what
//! other amounts of storage would give. All of them see the problem in the order of `canonical`, so that what is asked
//! first or has the smaller number is no accident of who posed it.

mod attribution;
mod canonical;
pub mod certificate;
mod explore;
pub mod frontier;
mod greedy;
mod guard;
mod improve;
mod keep;
mod peel;
mod propose;
mod ruin;
mod search;
mod share;
mod slim;
#[cfg(test)]
mod tests;

use crate::cost::cache::Expired;
use crate::cost::{CandidateId, PlanCost, Reached, StatementId, WhatIf, in_memory};
use canonical::Canonical;
use certificate::Certificate;
use frontier::FrontierPoint;
use search::Search;
use serde::{Deserialize, Serialize};

/// What selection is asked: statements with weights, candidates with sizes and write costs, limits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Problem {
    pub statements: Vec<WeightedStatement>,
    pub candidates: Vec<CandidateCost>,
    pub limits: Limits,
    /// What was chosen the last time, as far as it does not exist yet; empty for a fresh start.
    #[serde(default)]
    pub previous: Vec<CandidateId>,
}

/// A statement that can be planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WeightedStatement {
    pub id: StatementId,
    /// Milliseconds a day that one planner cost unit of this statement stands for.
    pub weight: f64,
    /// Its cost with the existing indexes alone.
    pub before: PlanCost,
    /// How its cost in memory compares with its measured time (`in_memory::paces`).
    #[serde(default = "usual_pace")]
    pub pace: f64,
    /// Candidates that could change its plan, ascending. No other candidate is ever planned with it.
    pub relevant: Vec<CandidateId>,
}

/// A guard against calls without end. Fewer at once do not pay: on TPC-DS a statement takes 5 to 11 ms with all of its 870 to 1,070
/// candidates, 177 ms at worst, and 1 to 3 ms, 74 ms, with each 60 of them; and what is proved of parts is weak (within 500 MB a
/// gap of 16 % in place of 7 %, with 40 calls a statement both times).
const AT_ONCE: usize = 1000;

fn usual_pace() -> f64 {
    1.0
}

impl Problem {
    /// Whether the user accepts how much slower a plan makes a statement, by its position.
    pub fn accepts(&self, statement: usize, plan: &PlanCost) -> bool {
        self.limits.allow(self.statements[statement].slowdown(plan))
    }
}

impl WeightedStatement {
    /// What it takes as things are, milliseconds a day.
    pub fn time_before(&self) -> f64 {
        self.weight * self.before.total
    }

    /// How much longer it takes with a plan than as things are, as a share; 0 when it does not.
    pub fn slowdown(&self, plan: &PlanCost) -> f64 {
        in_memory::slowdown(&self.before, plan, self.pace)
    }
}

/// What a candidate takes: space, the time of writers, and a place in the order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CandidateCost {
    pub size_bytes: u64,
    /// What keeping the index costs the writers, milliseconds a day.
    pub write_ms: f64,
    /// Of candidates that are equally good, the one with the smaller number is chosen (`candidate::preferences`), ...
    #[serde(default)]
    pub preference: u32,
    /// ... then the smaller one, then the one whose definition's text comes first.
    pub tie_break: String,
    /// The table: candidates on the same one share a number.
    #[serde(default)]
    pub table: u32,
    /// Candidates that could do this one's work, in part or in whole: its key prefixes, and merges that contain it
    /// (`candidate::merge::relatives`). The planner names only the best index for one statement; these may serve
    /// several.
    #[serde(default)]
    pub relatives: Vec<CandidateId>,
    /// Candidates that differ in nothing but included columns share a number, and at most one of them is chosen: nobody
    /// wants the same keys stored twice. None shares with nobody.
    #[serde(default)]
    pub keys: Option<u32>,
}

/// What bounds the choice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes that all chosen indexes together may take; None for no limit.
    pub storage_bytes: Option<u64>,
    pub max_indexes: usize,
    /// Indexes chosen on one table, at most; None for no limit.
    #[serde(default)]
    pub max_indexes_per_table: Option<usize>,
    /// An index must save at least this share of the examined time (0 to 1), net of its write cost, ...
    pub min_gain: f64,
    /// ... and at least this many milliseconds a day.
    #[serde(default)]
    pub min_gain_ms: f64,
    /// The previous answer stays unless another saves this share of the examined time more.
    #[serde(default)]
    pub min_change: f64,
    /// A statement whose cost falls by less than this share counts as unchanged: the planner itself treats
    /// paths within 1 % as equal (`STD_FUZZ_FACTOR`, pathnode.c).
    pub noise: f64,
    /// Candidates that a statement is planned with at once; more are planned in parts whose winners meet in a final.
    pub at_once: usize,
    /// No statement may get slower by more than this share (0.05 for 5 %), by either cost (`in_memory::slowdown`); None
    /// to let the sum decide alone.
    pub slowdown: Option<f64>,
    /// Where it would cost more than so many times what the slower statements lose to keep to that, they may get slower after all
    /// (`guard::forgive`); infinite for never.
    #[serde(default = "any_price")]
    pub slowdown_price: f64,
}

/// How many times a slowdown that no price pays for weighs in the sum: it is to be avoided, and still the search must be able to pass
/// through it on the way to a set that cures it.
const REGRET: f64 = 30.0;

fn any_price() -> f64 {
    f64::INFINITY
}

impl Limits {
    /// Whether a statement may get slower by this share.
    pub fn allow(&self, slowdown: f64) -> bool {
        self.slowdown.is_none_or(|most| slowdown <= most)
    }

    /// How many times a slowdown beyond what the user allows weighs in the sum: what he would give to avoid it.
    pub fn regret(&self) -> f64 {
        if self.slowdown_price.is_finite() { self.slowdown_price.max(1.0) } else { REGRET }
    }

    /// The cost in memory beyond which a statement is slower than it may get, planner units.
    pub fn most_in_memory(&self, statement: &WeightedStatement) -> f64 {
        let most = |allowed| in_memory::most(&statement.before, allowed, statement.pace);
        self.slowdown.map_or(f64::INFINITY, most)
    }
}

impl Default for Limits {
    /// No limit, and no difference too small.
    fn default() -> Limits {
        Limits {
            storage_bytes: None,
            max_indexes: usize::MAX,
            max_indexes_per_table: None,
            min_gain: 0.0,
            min_gain_ms: 0.0,
            min_change: 0.0,
            noise: 0.0,
            at_once: AT_ONCE,
            slowdown: None,
            slowdown_price: any_price(),
        }
    }
}

/// The answer: candidates in the order of choice, best first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Selection {
    pub chosen: Vec<Choice>,
    /// Cost of every statement of the problem (same order) with all chosen candidates.
    pub after: Vec<PlanCost>,
    /// How far the answer can be from the best possible.
    pub certificate: Certificate,
    /// What less storage would give; the last point is the answer.
    pub frontier: Vec<FrontierPoint>,
    /// Where the answer is the previous one: what the best set found would save on top of it, as a share of the examined
    /// time.
    #[serde(default)]
    pub kept: Option<f64>,
    pub search: SearchRecord,
}

/// One chosen candidate and what it brings, milliseconds a day, before its own write cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Choice {
    pub candidate: CandidateId,
    /// Saving if it were the only new index.
    pub gain_alone: f64,
    /// Saving on top of the ones chosen before it.
    pub gain_after_previous: f64,
    /// The statements that it makes cheaper on top of them.
    #[serde(default)]
    pub effects: Vec<Effect>,
}

/// What a chosen candidate does for one statement, with the ones chosen before it in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub statement: StatementId,
    /// Milliseconds a day.
    pub saving: f64,
    /// Its plan with the ones before, ...
    pub before: PlanCost,
    /// ... and with this one too. Where time ran out, the cheapest known one, which the planner may better.
    pub after: PlanCost,
}

/// How the search went, for the report and the benchmarks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SearchRecord {
    /// False when the time limit ended the search: the answer is the best found so far.
    pub complete: bool,
    pub planner_calls: u64,
    /// Costs answered without the planner: the same configuration was planned before.
    pub exact_hits: u64,
    /// ... the index-benefit-graph rule gave the cost.
    pub graph_hits: u64,
    /// ... upper and lower bound met.
    pub bound_hits: u64,
    /// Statements that stopped being plannable during the search, with the reason.
    pub failures: Vec<(StatementId, String)>,
    /// Statements that were asked about less than the search wanted to.
    #[serde(default)]
    pub cut_short: Vec<CutShort>,
}

/// A statement whose plans took so long that it had its planning time before the search was done with it. What it costs
/// with other indexes than those of its known plans is not known; indexes may save it more than is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CutShort {
    pub statement: StatementId,
    /// Planner calls within the search.
    pub planner_calls: u64,
}

impl CutShort {
    /// What users read beside the statement.
    pub const NOTE: &'static str = "its plans take long, so it was planned less often than the search wanted and indexes may help it more \
         than is said (pg_index_advisor.statement_time_limit)";
}

/// Chooses the candidates that save most within the limits.
///
/// The answer never breaks a limit. When `what_if` expires, what is known by then decides and `search.complete` is
/// false.
///
/// Neither the order of the statements nor that of the candidates matters.
pub fn select<W: WhatIf>(problem: &Problem, what_if: &mut W) -> Selection {
    let canonical = Canonical::of(problem);
    let ordered = canonical.problem(problem);
    let selection = select_in_order(&ordered, &mut canonical.view(what_if));
    canonical.restored(selection)
}

fn select_in_order<W: WhatIf>(problem: &Problem, what_if: &mut W) -> Selection {
    let mut search = Search::new(problem, what_if);
    let searched = examine(&mut search).is_ok();
    search.cache.reached(Reached::Proof);
    // Peeling may have been cut short in the middle, and alone already tells which index sets serve which statement.
    let in_time = searched || propose::when_cut_short(&mut search).is_ok();
    let evidence = certificate::certify(&mut search, in_time);
    let complete = searched && evidence.complete;
    let kept = keep::decide(&mut search);
    Selection { kept, ..attribution::conclude(search, complete, &evidence) }
}

fn examine<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    keep::start(search)?;
    propose::begin(search)?;
    peel::run(search)?;
    propose::run(search)?;
    slim::run(search)
}
