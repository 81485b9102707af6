//! What an index saves and costs: the `WhatIf` seam to the planner, the cost cache, sizes and write costs.
//!
//! Pure: the planner is behind `trait WhatIf`, which tests replace by a formula.

pub mod cache;
pub mod in_memory;
pub mod model;
pub mod parting;
pub mod size;
pub mod write;

use crate::catalog::Oid;
use serde::{Deserialize, Serialize};

/// A statement's position in the examined workload of a run.
pub type StatementId = usize;
/// A candidate's position in the pool of a run.
pub type CandidateId = usize;

/// What the planner said of one statement under one configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanCost {
    /// Cost until the first row, planner units.
    pub startup: f64,
    /// Cost of the whole plan, planner units.
    pub total: f64,
    /// Cost of the whole plan when all pages are in memory (`in_memory`), planner units: how the plan that the planner
    /// chooses by `total` will fare on a server that reads nothing.
    pub in_memory: f64,
    /// Rows the planner expects.
    pub rows: f64,
    /// The candidates that stand anywhere in the plan, ascending.
    pub used: Vec<CandidateId>,
    /// The existing indexes that stand anywhere in the plan, ascending.
    pub used_existing: Vec<Oid>,
}

/// What the planner said of one statement when each of some candidates had a price.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// The least of what a plan costs with the prices of what it uses, planner units.
    pub total: f64,
    /// The candidates of that plan, ascending.
    pub used: Vec<CandidateId>,
    /// Planner calls that it took.
    pub calls: u64,
}

/// Why a what-if call gave no cost.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WhatIfError {
    /// This statement cannot be planned (any more); others can. The text is for people.
    #[error("{0}")]
    Statement(String),
}

/// Where a search has got to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reached {
    /// The best set so far saves this share of the examined time, 0 to 1.
    Saving(f64),
    /// The search has ended; how far its answer can be from the best is being proven, also where the search's time limit ended it. There
    /// should be time left for that.
    Proof,
    /// The answer stands; what it costs is being asked for, also where the time limit ended the search. The planner should have time
    /// for one more call a statement.
    Answer,
}

/// The planner, asked what a statement would cost if some candidates existed.
pub trait WhatIf {
    /// Cost of `statement` with the existing indexes and those of `configuration` (ascending, no duplicates).
    fn cost(
        &mut self,
        statement: StatementId,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, WhatIfError>;

    /// The least of what `statement` costs with the prices of the indexes that its plan uses; each candidate of `priced` (ascending, no
    /// duplicates) is given with its price, planner units. Never more than any part of them would come to; where a plan could use an
    /// index in several places, it may count for less than its price. None if the planner cannot be asked that.
    ///
    /// Plans that cost more than `most_in_memory` when all pages are in memory may be left out.
    fn cost_at_prices(
        &mut self,
        _statement: StatementId,
        _priced: &[(CandidateId, f64)],
        _most_in_memory: f64,
    ) -> Result<Option<Priced>, WhatIfError> {
        Ok(None)
    }

    /// True once a statement has had all the planning time that one may take: it is asked about no more, but for its plan
    /// with the answer.
    fn is_spent(&mut self, _statement: StatementId) -> bool {
        false
    }

    /// Whether its joins are searched by lot, so that nothing follows of a plan with other indexes: a set may cost more than a
    /// larger one whose plan it allows.
    fn is_by_lot(&self, _statement: StatementId) -> bool {
        false
    }

    /// True once the search's time has passed, after `Reached::Proof` the proof's, and after `Reached::Answer` the answer's. Called often; also serves pending
    /// interrupts, so it may not return.
    fn expired(&mut self) -> bool;

    /// Hears where the search is, for those who watch it.
    fn reached(&mut self, _where_to: Reached) {}
}
