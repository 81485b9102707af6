//! `Services`: what candidates do for statements, and which of them are worth showing to the planner.

use super::hypothetical::Hypothetical;
use crate::candidate::facts::StatementFacts;
use crate::candidate::{self, Candidate};
use crate::cost::{CandidateId, StatementId};
use crate::numbering::numbering;
use rustc_hash::FxHashMap;

/// What the candidates of a pool do for each statement, as far as it was asked.
pub struct Services<'a> {
    pool: &'a [Candidate],
    known: FxHashMap<StatementId, Known>,
}

/// A number for each candidate of which is known what it does for a statement, the same for those that do the same: of thousands of
/// candidates, the few on its tables.
type Known = FxHashMap<CandidateId, u32>;

impl<'a> Services<'a> {
    /// Nothing known yet.
    pub fn of(pool: &'a [Candidate]) -> Services<'a> {
        Services { pool, known: FxHashMap::default() }
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
        let services = self.known.entry(statement).or_insert_with(|| known_of(self.pool, facts));
        let mut rivals: FxHashMap<u32, Vec<(CandidateId, f64)>> = FxHashMap::default();
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

fn known_of(pool: &[Candidate], facts: &StatementFacts) -> Known {
    let on_relations = candidate::on_relations_of(pool, facts);
    let known = on_relations.filter_map(|id| Some((id, candidate::service(&pool[id].definition, facts)?)));
    let mut number = numbering();
    known.map(|(id, service)| (id, number(service))).collect()
}
