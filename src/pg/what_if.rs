//! `ServerWhatIf`: the planner of this server as a `WhatIf`.

use super::analyze::Analysed;
use super::hypothetical::{AccessMethodTraits, Hypothetical};
use super::isolated::PgError;
use super::planner::Planned;
use crate::candidate::Candidate;
use crate::catalog::{Catalog, Oid};
use crate::cost::model::Price;
use crate::cost::{CandidateId, PlanCost, StatementId, WhatIf, WhatIfError};
use std::time::Instant;

/// Analysed statements and prepared candidates, both by their position.
pub struct ServerWhatIf<'a> {
    statements: &'a mut [Analysed],
    candidates: Vec<Hypothetical>,
    /// OID of candidate 0.
    first_oid: Oid,
    deadline: Option<Instant>,
}

impl<'a> ServerWhatIf<'a> {
    /// Prepares the candidates for the planner.
    ///
    /// # Errors
    /// Those of looking for unused OIDs.
    pub fn new(
        statements: &'a mut [Analysed],
        pool: &[Candidate],
        prices: &[Price],
        catalog: &Catalog,
        deadline: Option<Instant>,
    ) -> Result<ServerWhatIf<'a>, PgError> {
        let first_oid = super::catalog::free_oids(pool.len())?;
        let btree = AccessMethodTraits::btree();
        let candidates = pool
            .iter()
            .zip(prices)
            .enumerate()
            .map(|(i, (Candidate { definition, .. }, price))| {
                let relation = catalog.relations.get(&definition.relation);
                Hypothetical::new(
                    definition,
                    price.size.clone(),
                    relation.map_or(0.0, |relation| relation.tuples),
                    first_oid + i as Oid,
                    btree,
                    |number| relation.and_then(|r| r.column(number)).map_or(0, |column| column.type_oid),
                )
            })
            .collect();
        Ok(ServerWhatIf { statements, candidates, first_oid, deadline })
    }

    fn plan_cost(&self, planned: Planned) -> PlanCost {
        let last = self.first_oid + self.candidates.len() as Oid;
        let (used, used_existing): (Vec<Oid>, Vec<Oid>) =
            planned.indexes.into_iter().partition(|oid| (self.first_oid..last).contains(oid));
        PlanCost {
            startup: planned.startup,
            total: planned.total,
            rows: planned.rows,
            used: used.into_iter().map(|oid| (oid - self.first_oid) as CandidateId).collect(),
            used_existing,
        }
    }
}

impl WhatIf for ServerWhatIf<'_> {
    fn cost(
        &mut self,
        statement: StatementId,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, WhatIfError> {
        pgrx::check_for_interrupts!();
        let indexes: Vec<&Hypothetical> = configuration.iter().map(|id| &self.candidates[*id]).collect();
        let planned = self.statements[statement]
            .plan(&indexes, &[])
            .map_err(|error| WhatIfError::Statement(error.message))?;
        Ok(self.plan_cost(planned))
    }

    fn expired(&mut self) -> bool {
        pgrx::check_for_interrupts!();
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
