//! The workload: statements with what the server measured of them.
//!
//! Pure nouns and arithmetic; where statements come from is `source/`, what they need is `candidate::facts`.

use crate::catalog::Oid;
use serde::{Deserialize, Serialize};

/// Statements measured over one window of time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Workload {
    /// Where it came from, for reports: `pg_stat_statements`, a file's name, ...
    pub source: String,
    /// Length of the observed window in seconds, if the source knows it.
    pub window_seconds: Option<f64>,
    /// Times that the source evicted entries within the window (`pg_stat_statements_info.dealloc`).
    pub evicted: u64,
    pub statements: Vec<Statement>,
}

/// One normalised statement of one role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// `queryid` of the source; None for a statement given by hand, or hidden from the caller.
    pub query_id: Option<i64>,
    pub text: String,
    pub role: Role,
    /// Executions within the window.
    pub calls: f64,
    /// Planning plus execution, milliseconds over all calls.
    pub total_ms: f64,
    /// Rows returned or affected over all calls; None for a statement that was not measured.
    pub rows: Option<f64>,
    /// Shared and local blocks found in cache, over all calls.
    pub blocks_hit: f64,
    /// Shared and local blocks read from outside the cache, over all calls.
    pub blocks_read: f64,
}

/// The role that ran a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Role {
    pub oid: Oid,
    /// None when the role no longer exists.
    pub name: Option<String>,
}

impl Statement {
    /// Rows returned or affected by a call, if it was called and measured.
    pub fn rows_per_call(&self) -> Option<f64> {
        self.rows.filter(|_| self.calls > 0.0).map(|rows| rows / self.calls)
    }
}
