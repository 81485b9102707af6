//! `CostModel`: what planner units, rows written and bytes stand for in this workload, in milliseconds a day.
//!
//! Pure arithmetic over what was measured; asks no planner.

use super::in_memory::paces;
use super::size::{self, SizeEstimate, Storage};
use super::write::{CostUnits, UpdateRate, WriteRate, write_cost};
use super::{CandidateId, PlanCost};
use crate::candidate::definition::IndexDefinition;
use crate::candidate::facts::{StatementFacts, WriteKind};
use crate::candidate::{Candidate, on_relations_of, preferences, relatives, relevant};
use crate::catalog::{Catalog, Oid, Relation};
use crate::numbering::numbering;
use crate::selection::{CandidateCost, Limits, Problem, WeightedStatement};
use crate::workload::Statement;
use std::collections::BTreeMap;

const SECONDS_A_DAY: f64 = 86_400.0;

/// A statement that was examined, with what the server measured and the planner said of it.
pub struct Measured<'a> {
    pub statement: &'a Statement,
    pub facts: &'a StatementFacts,
    pub before: PlanCost,
}

/// How a workload turns planner units into milliseconds a day.
pub struct CostModel {
    weights: Vec<f64>,
    /// Milliseconds that a planner unit took on average over the workload.
    ms_per_unit: f64,
    writes: BTreeMap<Oid, WriteRate>,
    /// Selectivity of each predicate that a partial index could have, by relation and text.
    predicates: BTreeMap<(Oid, String), f64>,
    units: CostUnits,
}

/// What a candidate takes.
#[derive(Clone, Debug)]
pub struct Price {
    pub size: SizeEstimate,
    /// Milliseconds a day for keeping it up to date.
    pub write_ms: f64,
    /// Share of the relation's updated rows that would stop being HOT updates, 0 to 1.
    pub hot_loss: f64,
}

impl CostModel {
    /// `window_seconds` is the length of the observed window, if known.
    pub fn new(examined: &[Measured<'_>], window_seconds: Option<f64>, units: CostUnits) -> CostModel {
        let days = window_seconds.map_or(1.0, |seconds| SECONDS_A_DAY / seconds.max(1.0));
        let weights = examined
            .iter()
            .map(|measured| match measured.before.total {
                cost if cost > 0.0 => measured.statement.total_ms * days / cost,
                _ => 0.0,
            })
            .collect();
        let (ms, cost) = examined.iter().fold((0.0, 0.0), |(ms, cost), measured| {
            (ms + measured.statement.total_ms, cost + measured.statement.calls * measured.before.total)
        });
        CostModel {
            weights,
            ms_per_unit: if cost > 0.0 { ms / cost } else { 0.0 },
            writes: writes(examined, days),
            predicates: predicates(examined),
            units,
        }
    }

    /// Milliseconds a day that one planner unit of a statement stands for.
    pub fn weight(&self, statement: usize) -> f64 {
        self.weights[statement]
    }

    /// The candidates whose size can be told, and what each takes, by candidate id.
    pub fn priced(&self, pool: Vec<Candidate>, catalog: &Catalog) -> (Vec<Candidate>, Vec<Price>) {
        let priced = pool.into_iter().filter_map(|candidate| {
            // The pool is made from the same catalog, so the relation is there.
            let relation = catalog.relations.get(&candidate.definition.relation)?;
            let price = self.price(&candidate.definition, relation, catalog.storage)?;
            Some((candidate, price))
        });
        priced.unzip()
    }

    /// The selection problem that the workload and the candidates pose.
    pub fn problem(
        &self,
        examined: &[Measured<'_>],
        pool: &[Candidate],
        prices: &[Price],
        catalog: &Catalog,
        limits: Limits,
    ) -> Problem {
        let times: Vec<(f64, f64)> = examined
            .iter()
            .map(|measured| {
                let statement = measured.statement;
                let ms = if statement.calls > 0.0 { statement.total_ms / statement.calls } else { 0.0 };
                (ms, measured.before.in_memory)
            })
            .collect();
        // By the costs that slowdowns will be measured from: how rows lie was not known yet when the model was made.
        let paces = paces(&times);
        let statements = examined.iter().enumerate().map(|(id, measured)| WeightedStatement {
            id,
            weight: self.weight(id),
            before: measured.before.clone(),
            pace: paces[id],
            relevant: relevant_of(pool, measured.facts),
        });
        let ddl =
            |definition: &IndexDefinition| catalog.create_statement(definition, false).unwrap_or_default();
        let mut keys = numbering();
        let sizes: Vec<u64> = prices.iter().map(|price| price.size.bytes() as u64).collect();
        let derived = relatives(pool).into_iter().zip(preferences(pool, &sizes, catalog));
        let candidates =
            prices.iter().zip(pool).zip(derived).map(|((price, candidate), (relatives, preference))| {
                let without_include = IndexDefinition { include: Vec::new(), ..candidate.definition.clone() };
                CandidateCost {
                    size_bytes: price.size.bytes() as u64,
                    write_ms: price.write_ms,
                    tie_break: ddl(&candidate.definition),
                    relatives,
                    preference,
                    table: candidate.definition.relation,
                    keys: Some(keys(without_include)),
                }
            });
        Problem {
            statements: statements.collect(),
            candidates: candidates.collect(),
            limits,
            ..Problem::default()
        }
    }

    /// Size and write cost of an index.
    fn price(&self, definition: &IndexDefinition, relation: &Relation, storage: Storage) -> Option<Price> {
        let selectivity = definition.predicate.as_ref().map_or(1.0, |predicate| {
            self.predicates.get(&(definition.relation, predicate.sql.clone())).copied().unwrap_or(1.0)
        });
        let size = size::estimate(definition, relation, selectivity, storage, None)?;
        let none = WriteRate::default();
        let rate = self.writes.get(&definition.relation).unwrap_or(&none);
        let write = write_cost(definition, &size, relation, rate, &self.units);
        Some(Price { size, write_ms: write.per_day * self.ms_per_unit, hot_loss: write.hot_loss })
    }
}

/// The candidates that could matter to a statement, ascending.
fn relevant_of(pool: &[Candidate], facts: &StatementFacts) -> Vec<CandidateId> {
    on_relations_of(pool, facts).filter(|candidate| relevant(&pool[*candidate].definition, facts)).collect()
}

/// Rows written a day, by relation, as the workload's own statements say: the same window as their times.
fn writes(examined: &[Measured<'_>], days: f64) -> BTreeMap<Oid, WriteRate> {
    let mut writes: BTreeMap<Oid, WriteRate> = BTreeMap::new();
    for measured in examined {
        let Some(write) = &measured.facts.write else { continue };
        let rate = writes.entry(write.relation).or_default();
        let rows = measured.statement.rows.unwrap_or(0.0) * days;
        match write.kind {
            WriteKind::Insert => rate.inserts += rows,
            WriteKind::Delete => rate.deletes += rows,
            // Which it was is not recorded; an insert is what costs every new index an entry.
            WriteKind::Merge => rate.inserts += rows,
            WriteKind::Update => {
                rate.updates += rows;
                rate.statements.push(UpdateRate { rows, columns: write.updated.clone() });
            }
        }
    }
    writes
}

fn predicates(examined: &[Measured<'_>]) -> BTreeMap<(Oid, String), f64> {
    let mut predicates = BTreeMap::new();
    for usage in examined.iter().flat_map(|measured| &measured.facts.relations) {
        for predicate in &usage.predicates {
            predicates
                .entry((usage.relation, predicate.expression.sql.clone()))
                .and_modify(|known: &mut f64| *known = known.max(predicate.selectivity))
                .or_insert(predicate.selectivity);
        }
    }
    predicates
}
