//! `Services`: what candidates do for statements, and which of them are worth showing to the planner.

use super::hypothetical::Hypothetical;
use crate::candidate::facts::StatementFacts;
use crate::candidate::{self, Candidate};
use crate::catalog::Oid;
use crate::cost::{CandidateId, StatementId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What the candidates of a pool do for each statement, as far as it was asked.
pub struct Services<'a> {
    pool: &'a [Candidate],
    of_table: FxHashMap<Oid, Vec<CandidateId>>,
    known: FxHashMap<StatementId, Known>,
}

/// By candidate on a table of a statement: a number, the same for those that do the same for it. None for those of which is not known
/// what they do.
type Known = FxHashMap<CandidateId, usize>;

impl<'a> Services<'a> {
    /// Nothing known yet.
    pub fn of(pool: &'a [Candidate]) -> Services<'a> {
        let mut of_table: FxHashMap<Oid, Vec<CandidateId>> = FxHashMap::default();
        for (id, candidate) in pool.iter().enumerate() {
            of_table.entry(candidate.definition.relation).or_default().push(id);
        }
        Services { pool, of_table, known: FxHashMap::default() }
    }

    /// Those of `priced` that do something for the statement which no smaller one does at the same price or less: the others are in no
    /// plan that is the cheapest. `indexes` are those of the pool.
    pub fn worth_showing(
        &mut self,
        statement: StatementId,
        facts: &StatementFacts,
        indexes: &[Hypothetical],
        priced: &[(CandidateId, f64)],
    ) -> Vec<(CandidateId, f64)> {
        let Services { pool, of_table, known } = self;
        let services = known.entry(statement).or_insert_with(|| known_of(pool, of_table, facts));
        let mut rivals: FxHashMap<usize, Vec<(CandidateId, f64)>> = FxHashMap::default();
        for (candidate, price) in priced {
            if let Some(service) = services.get(candidate) {
                rivals.entry(*service).or_default().push((*candidate, *price));
            }
        }
        let is_beaten = |candidate: CandidateId, price: f64| {
            let of_service = services.get(&candidate).and_then(|service| rivals.get(service));
            of_service.into_iter().flatten().any(|(other, asked)| {
                let (mine, its) = (&indexes[candidate], &indexes[*other]);
                *asked <= price
                    && its.is_as_good_as(mine)
                    // Of two alike, the first.
                    && (*asked < price || !mine.is_as_good_as(its) || *other < candidate)
            })
        };
        priced.iter().copied().filter(|(candidate, price)| !is_beaten(*candidate, *price)).collect()
    }
}

fn known_of(
    pool: &[Candidate],
    of_table: &FxHashMap<Oid, Vec<CandidateId>>,
    facts: &StatementFacts,
) -> Known {
    let mut tables: Vec<Oid> = facts.relations.iter().map(|usage| usage.relation).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut numbers = BTreeMap::new();
    let on_tables = tables.iter().filter_map(|table| of_table.get(table)).flatten();
    let known = on_tables.filter_map(|id| {
        let service = candidate::service(&pool[*id].definition, facts)?;
        let next = numbers.len();
        Some((*id, *numbers.entry(service).or_insert(next)))
    });
    known.collect()
}
