//! Recommendations: the chosen indexes as ranked advice, with what each saves, costs and why.
//!
//! Pure: everything a user reads of a recommendation is made here, from the run's values.

mod advise;
mod reason;
#[cfg(test)]
mod tests;

pub use advise::advise;

use crate::candidate::definition::IndexDefinition;
use crate::catalog::Oid;
use crate::cost::StatementId;
use serde::{Deserialize, Serialize};

/// What to do with the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
}

impl Action {
    /// The word that users read.
    pub fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
        }
    }
}

/// One piece of advice. Shares are of the examined time, 0 to 1; times are milliseconds a day at the observed rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recommendation {
    /// 1 for the best.
    pub rank: u32,
    pub action: Action,
    pub definition: IndexDefinition,
    /// Ready to run, without a closing semicolon.
    pub ddl: String,
    pub relation: Oid,
    /// The relation's qualified name, quoted as PostgreSQL quotes.
    pub relation_name: String,
    pub size_bytes: u64,
    /// Saving if it were the only new index.
    pub saving_alone: f64,
    /// Saving on top of the ones ranked above.
    pub saving: f64,
    /// `saving` in milliseconds a day; None when the window's length is unknown.
    pub saving_ms_per_day: Option<f64>,
    /// What keeping it costs the writers, milliseconds a day; None when the window's length is unknown.
    pub write_ms_per_day: Option<f64>,
    /// Share of the relation's updated rows that would stop being HOT updates, 0 to 1.
    pub hot_loss: f64,
    /// Statements that get cheaper by it, most saved first.
    pub statements: Vec<StatementEffect>,
    /// In plain words: who asks for it, what changes, what to watch.
    pub reason: String,
}

impl Recommendation {
    /// What tells it from others over all runs: its DDL without CONCURRENTLY, as `IndexDefinition::create_statement` writes it.
    pub fn identity(&self) -> String {
        self.ddl.replacen("CREATE INDEX CONCURRENTLY ", "CREATE INDEX ", 1)
    }
}

/// What the index does for one statement, on top of the ones ranked above.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatementEffect {
    pub statement: StatementId,
    pub cost_before: f64,
    pub cost_after: f64,
    /// Share of the examined time that it saves.
    pub saving: f64,
}
