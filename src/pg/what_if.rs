//! `ServerWhatIf`: the planner of this server as a `WhatIf`.

use super::access_method::Traits;
use super::analyze::{Analysed, analyse};
use super::explain::{Format, Values};
use super::expression_statistics::ExpressionStatistics;
use super::hypothetical::Hypothetical;
use super::identity::Identity;
use super::isolated::PgError;
use super::neighbours;
use super::planner::Planned;
use super::progress::{self, Phase};
use super::sample::Sampler;
use super::services::Services;
use super::session_indexes::Named;
use crate::candidate::definition::{AccessMethod, IndexDefinition};
use crate::candidate::{self, Candidate};
use crate::catalog::{Catalog, Oid};
use crate::cost::model::{CostModel, Price};
use crate::cost::parting::{Parting, Seen, Ware};
use crate::cost::{CandidateId, PlanCost, Priced, Reached, StatementId, WhatIf, WhatIfError};
use crate::numbering::numbering;
use crate::statement::LeftOut;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Of the time that a run has, the part that is kept at most to plan each statement with its answer: a sixth; ...
const FOR_THE_ANSWER: u32 = 6;
/// ... and what the search leaves to the proof: a quarter. The search goes on from what a proof has learnt, so little of it is lost.
const FOR_THE_PROOF: u32 = 4;
/// Planner calls for each statement that the answer may take: itself, one that it is compared with, and what it would be without an index
/// that makes a statement slower, twice.
const CALLS_FOR_THE_ANSWER: u32 = 4;

/// A plan that uses an index in fewer places than its price was divided among has been charged too little: it is asked again with other
/// parts, so many times at most, ...
const MOST_PARTINGS: u64 = 3;
/// ... as long as what was not charged is more than this share of the total: a fifth of the planner's fuzz.
const WORTH_PARTING: f64 = 0.002;

/// Of more candidates than this, the planner is shown those only that do what no smaller one does: TPC-DS' statements are planned with 620 at
/// first, of which 140 are left, in 10 ms in place of 26.
pub(crate) const A_FEW: usize = 12;

/// What a run is at. Each stage has the time that the later ones do not need.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Search,
    Proof,
    Answer,
}

/// Analysed statements and prepared candidates, both by their position.
pub struct ServerWhatIf<'a> {
    statements: &'a mut [Analysed],
    candidates: Vec<Hypothetical>,
    /// OID of candidate 0.
    first_oid: Oid,
    deadline: Option<Instant>,
    planner_time: Duration,
    planner_calls: u32,
    /// From the beginning to the deadline.
    time: Duration,
    stage: Stage,
    /// What the planner may take for one statement in all.
    statement_time: Option<Duration>,
    /// How prices are divided among the places of a statement.
    partings: BTreeMap<StatementId, Parting>,
    /// By candidate: those that can serve the same places share a number.
    kinds: Vec<u32>,
    services: Services<'a>,
}

impl<'a> ServerWhatIf<'a> {
    /// Prepares the candidates for the planner.
    ///
    /// # Errors
    /// Those of looking for unused OIDs.
    pub fn new(
        statements: &'a mut [Analysed],
        pool: &'a [Candidate],
        prices: &[Price],
        catalog: &Catalog,
        deadline: Option<Instant>,
        statement_time: Option<Duration>,
    ) -> Result<ServerWhatIf<'a>, PgError> {
        let first_oid = super::catalog::free_oids(pool.len())?;
        let mut traits: BTreeMap<AccessMethod, Traits> = BTreeMap::new();
        for Candidate { definition, .. } in pool {
            if let Entry::Vacant(entry) = traits.entry(definition.access_method) {
                entry.insert(Traits::of(definition.access_method)?);
            }
        }
        let candidates = pool
            .iter()
            .zip(prices)
            .enumerate()
            .map(|(i, (Candidate { definition, .. }, price))| {
                let relation = catalog.relations.get(&definition.relation);
                Hypothetical::new(
                    definition,
                    price.size,
                    relation.map_or(0.0, |relation| relation.tuples),
                    first_oid + i as Oid,
                    traits[&definition.access_method],
                    |number| relation.and_then(|r| r.column(number)).map_or(0, |column| column.type_oid),
                )
            })
            .collect();
        let time = deadline.map_or(Duration::ZERO, |it| it.saturating_duration_since(Instant::now()));
        Ok(ServerWhatIf {
            statements,
            candidates,
            first_oid,
            deadline,
            planner_time: Duration::ZERO,
            planner_calls: 0,
            time,
            stage: Stage::Search,
            statement_time,
            partings: BTreeMap::new(),
            kinds: kinds(pool),
            services: Services::of(pool),
        })
    }

    /// What it takes to plan each statement with the answer, and with another.
    fn for_the_answer(&self) -> Duration {
        let call = self.planner_time / self.planner_calls.max(1);
        let statements = u32::try_from(self.statements.len()).unwrap_or(u32::MAX);
        let all = call.saturating_mul(CALLS_FOR_THE_ANSWER.saturating_mul(statements));
        all.min(self.time / FOR_THE_ANSWER)
    }

    /// What all calls so far took together.
    pub fn planner_time(&self) -> Duration {
        self.planner_time
    }

    /// What EXPLAIN prints of a statement as things are, and with candidates under the names given. Values that were assumed for
    /// its parameters do not show.
    ///
    /// # Errors
    /// Why it can no longer be planned, or its plan not be shown.
    pub fn explain(
        &mut self,
        statement: StatementId,
        named: &[(CandidateId, String)],
    ) -> Result<(String, String), PgError> {
        let names = named.iter().map(|(id, name)| (self.first_oid + *id as Oid, name.clone())).collect();
        let _named = Named::all(names);
        let indexes: Vec<&Hypothetical> = named.iter().map(|(id, _)| &self.candidates[*id]).collect();
        let analysed = &mut self.statements[statement];
        let (before, _) = analysed.explain(&[], &[], Format::Text, Values::Hidden)?;
        let (after, _) = analysed.explain(&indexes, &[], Format::Text, Values::Hidden)?;
        Ok((before, after))
    }
}

/// A plan by the numbers of the `count` candidates whose OIDs begin with `first`.
fn plan_cost(planned: Planned, first: Oid, count: usize) -> PlanCost {
    let candidates = first..first + count as Oid;
    let (used, used_existing): (Vec<Oid>, Vec<Oid>) =
        planned.indexes.into_iter().partition(|oid| candidates.contains(oid));
    PlanCost {
        startup: planned.startup,
        total: planned.total,
        in_memory: planned.in_memory,
        rows: planned.rows,
        used: used.into_iter().map(|oid| (oid - first) as CandidateId).collect(),
        used_existing,
    }
}

/// A number for each candidate, the same for those of a table that begin with the same key and hold the same rows.
fn kinds(pool: &[Candidate]) -> Vec<u32> {
    let kind = |candidate: &Candidate| {
        let IndexDefinition { relation, access_method, keys, predicate, .. } = &candidate.definition;
        (*relation, *access_method, keys.first().map(|key| key.part.clone()), predicate.clone())
    };
    let mut number = numbering();
    pool.iter().map(|candidate| number(kind(candidate))).collect()
}

/// Analyses queries as the caller.
fn analyse_all(queries: &[String]) -> Result<Vec<Analysed>, PgError> {
    use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
    let refused = |reason: LeftOut| PgError::new(ERRCODE_FEATURE_NOT_SUPPORTED, reason.to_string());
    let caller = Identity::caller(1000);
    let analysed = |query: &String| {
        let reading = crate::statement::read(query, usize::MAX).map_err(refused)?;
        analyse(&reading, &caller, None).map_err(refused)
    };
    queries.iter().map(analysed).collect()
}

/// What the planner says of each query as things are.
///
/// # Errors
/// What keeps a query from being examined.
pub fn costs_before(queries: &[String]) -> Result<Vec<PlanCost>, PgError> {
    let mut statements = analyse_all(queries)?;
    let mut catalog = super::catalog::read_for(&statements)?;
    let facts: Vec<_> =
        statements.iter().enumerate().map(|(id, analysed)| (id, 1.0, analysed.facts.clone())).collect();
    let pool = candidate::pool(&facts, &catalog, &candidate::Options::default());
    let sampler = Sampler::as_set();
    let definitions = pool.iter().map(|c| &c.definition);
    let storage = Rc::new(neighbours::count_all(definitions, &mut catalog, sampler, None));
    for analysed in &mut statements {
        let mut sampled = Vec::new();
        for relation in catalog.relations.values() {
            let expressions: Vec<_> = analysed
                .without_statistics
                .iter()
                .chain(&analysed.guessed)
                .filter(|(oid, _)| *oid == relation.oid)
                .map(|(_, expression)| expression.clone())
                .collect();
            if !expressions.is_empty()
                && let Ok(found) = ExpressionStatistics::sample(&sampler, relation, &expressions)
            {
                sampled.push(Rc::new(found));
            }
        }
        analysed.estimate_with(sampled)?;
        analysed.see(storage.clone())?;
    }
    Ok(statements.iter().map(Analysed::before_cost).collect())
}

/// Lets `work` ask about the first of some queries with candidates taken evenly from the pool of all, at most so many. For tests.
///
/// # Errors
/// What keeps a query from being examined.
#[cfg(feature = "pg_test")]
pub fn with_some_candidates<T>(
    queries: &[&str],
    most: usize,
    work: impl FnOnce(&mut ServerWhatIf<'_>, &[CandidateId]) -> T,
) -> Result<T, PgError> {
    let queries: Vec<String> = queries.iter().map(|query| query.to_string()).collect();
    let mut statements = analyse_all(&queries)?;
    let catalog = super::catalog::read_for(&statements)?;
    let facts: Vec<_> =
        statements.iter().enumerate().map(|(id, analysed)| (id, 1.0, analysed.facts.clone())).collect();
    let all = candidate::pool(&facts, &catalog, &candidate::Options::default());
    let taken = most.min(all.len());
    let pool: Vec<Candidate> = (0..taken).map(|i| all[i * all.len() / taken].clone()).collect();
    let (pool, prices) = CostModel::new(&[], None, super::session::cost_units()).priced(pool, &catalog);
    let candidates: Vec<CandidateId> = (0..pool.len()).collect();
    let mut what_if = ServerWhatIf::new(&mut statements, &pool, &prices, &catalog, None, None)?;
    Ok(work(&mut what_if, &candidates))
}

/// For each query, the candidates in view and the median time of a what-if call, milliseconds. `indexes` candidates are
/// taken evenly from the pool of all the queries; of these a query sees the ones that are relevant to it, as in a run.
/// For the benchmarks.
///
/// # Errors
/// What keeps a query from being examined.
pub fn time_calls(queries: &[String], indexes: usize, rounds: usize) -> Result<Vec<(usize, f64)>, PgError> {
    let mut statements = analyse_all(queries)?;
    let catalog = super::catalog::read_for(&statements)?;
    let facts: Vec<_> =
        statements.iter().enumerate().map(|(id, analysed)| (id, 1.0, analysed.facts.clone())).collect();
    let all = candidate::pool(&facts, &catalog, &candidate::Options::default());
    let taken = indexes.min(all.len());
    let pool: Vec<Candidate> = (0..taken).map(|i| all[i * all.len() / taken].clone()).collect();
    let model = CostModel::new(&[], None, super::session::cost_units());
    let (pool, prices) = model.priced(pool, &catalog);
    let taken = pool.len();
    let mut what_if = ServerWhatIf::new(&mut statements, &pool, &prices, &catalog, None, None)?;
    let mut results = Vec::new();
    for (id, _, facts) in &facts {
        let relevant: Vec<CandidateId> =
            (0..taken).filter(|c| candidate::relevant(&pool[*c].definition, facts)).collect();
        let mut times: Vec<f64> = (0..rounds)
            .map(|_| {
                let started = Instant::now();
                let _ = what_if.cost(*id, &relevant);
                started.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        results.push((relevant.len(), times[times.len() / 2]));
    }
    Ok(results)
}

impl WhatIf for ServerWhatIf<'_> {
    fn cost(
        &mut self,
        statement: StatementId,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, WhatIfError> {
        pgrx::check_for_interrupts!();
        let free: Vec<(CandidateId, f64)> = configuration.iter().map(|id| (*id, 0.0)).collect();
        let analysed = &mut self.statements[statement];
        let shown = if free.len() > A_FEW {
            self.services.worth_showing(statement, &analysed.facts, &self.candidates, &free)
        } else {
            free
        };
        let indexes: Vec<&Hypothetical> = shown.iter().map(|(id, _)| &self.candidates[*id]).collect();
        let started = Instant::now();
        let planned = analysed.plan(&indexes, &[]);
        self.planner_time += started.elapsed();
        self.planner_calls += 1;
        progress::step();
        let planned = planned.map_err(|error| WhatIfError::Statement(error.message))?;
        Ok(plan_cost(planned, self.first_oid, self.candidates.len()))
    }

    fn cost_at_prices(
        &mut self,
        statement: StatementId,
        priced: &[(CandidateId, f64)],
        most_in_memory: f64,
    ) -> Result<Option<Priced>, WhatIfError> {
        let analysed = &mut self.statements[statement];
        let priced = self.services.worth_showing(statement, &analysed.facts, &self.candidates, priced);
        let indexes: Vec<&Hypothetical> = priced.iter().map(|(id, _)| &self.candidates[*id]).collect();
        let of_table =
            |table| analysed.facts.relations.iter().filter(|usage| usage.relation == table).count();
        let ware = |((candidate, price), index): (&(CandidateId, f64), &&Hypothetical)| Ware {
            candidate: *candidate,
            price: *price,
            table: index.relation,
            kind: self.kinds[*candidate],
            places: of_table(index.relation),
        };
        let wares: Vec<Ware> = priced.iter().zip(&indexes).map(ware).collect();
        let parting = self.partings.entry(statement).or_default();
        let mut best: Option<Priced> = None;
        for calls in 1..=MOST_PARTINGS {
            pgrx::check_for_interrupts!();
            let mut parts = parting.divide(&wares);
            for (parts, ware) in parts.iter_mut().zip(&wares) {
                parts.iter_mut().for_each(|part| *part *= ware.price);
            }
            let started = Instant::now();
            let planned = analysed.plan_at_prices(&indexes, &parts, most_in_memory);
            self.planner_time += started.elapsed();
            self.planner_calls += 1;
            progress::step();
            let (planned, places) = planned.map_err(|error| WhatIfError::Statement(error.message))?;
            let mut seen = Seen { cost: planned.total, used: Vec::new() };
            let mut uncharged = 0.0;
            for (oid, places) in places {
                let candidate = (oid - self.first_oid) as CandidateId;
                let Ok(at) = wares.binary_search_by_key(&candidate, |ware| ware.candidate) else { continue };
                let charged: f64 = places.iter().filter_map(|place| parts[at].get(*place)).sum();
                uncharged += wares[at].price - charged;
                seen.cost -= charged;
                seen.used.push((candidate, places.into_iter().collect()));
            }
            let is_new = parting.learn(seen, &wares);
            let plan = plan_cost(planned, self.first_oid, self.candidates.len());
            if best.as_ref().is_none_or(|best| plan.total > best.total) {
                best = Some(Priced { total: plan.total, used: plan.used, calls });
            }
            best.iter_mut().for_each(|best| best.calls = calls);
            // The parts are the best against all known plans.
            if !is_new || uncharged <= WORTH_PARTING * best.as_ref().map_or(0.0, |best| best.total) {
                break;
            }
        }
        Ok(best)
    }

    fn is_spent(&mut self, statement: StatementId) -> bool {
        let taken = self.statements[statement].planner_time();
        self.statement_time.is_some_and(|most| taken >= most)
    }

    fn is_by_lot(&self, statement: StatementId) -> bool {
        self.statements[statement].is_searched_by_lot()
    }

    fn expired(&mut self) -> bool {
        pgrx::check_for_interrupts!();
        let kept = match self.stage {
            Stage::Search => self.for_the_answer() + self.time / FOR_THE_PROOF,
            Stage::Proof => self.for_the_answer(),
            Stage::Answer => Duration::ZERO,
        };
        self.deadline.is_some_and(|deadline| Instant::now() + kept >= deadline)
    }

    fn reached(&mut self, where_to: Reached) {
        match where_to {
            Reached::Saving(share) => progress::found(share),
            Reached::Proof => {
                progress::enter(Phase::Proof, None);
                self.stage = Stage::Proof;
            }
            Reached::Answer if self.stage == Stage::Answer => {}
            Reached::Answer => {
                // What was begun before the search's end may have taken the time that was kept.
                let least = Instant::now() + self.for_the_answer();
                self.deadline = self.deadline.map(|deadline| deadline.max(least));
                self.stage = Stage::Answer;
            }
        }
    }
}
