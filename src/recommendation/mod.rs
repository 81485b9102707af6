//! Recommendations: the chosen indexes as ranked advice, with what each saves, costs and why.
//!
//! Pure: everything a user reads of a recommendation is made here, from the run's values.

use crate::candidate::definition::IndexDefinition;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
}

/// One piece of advice. Shares are of the examined time, 0 to 1; times are milliseconds a day at the observed rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recommendation {
    /// 1 for the best.
    pub rank: u32,
    pub action: Action,
    pub definition: IndexDefinition,
    /// Ready to run, without a closing semicolon.
    pub ddl: String,
    /// The relation's qualified name, quoted as PostgreSQL quotes.
    pub relation: String,
    pub size_bytes: u64,
    /// Saving if it were the only new index.
    pub saving_alone: f64,
    /// Saving on top of the ones ranked above.
    pub saving: f64,
    /// The same in milliseconds a day; None when the window's length is unknown.
    pub saving_ms_per_day: Option<f64>,
    pub write_ms_per_day: Option<f64>,
    /// Statements that get cheaper by it, most saved first.
    pub statements: Vec<StatementEffect>,
    /// In plain words: who asks for it, what changes, what to watch.
    pub reason: String,
}

/// What the index does for one statement, on top of the ones ranked above.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatementEffect {
    /// Position in the run's statement list.
    pub statement: usize,
    pub query_id: Option<i64>,
    pub cost_before: f64,
    pub cost_after: f64,
    /// Share of the examined time that it saves.
    pub saving: f64,
}
