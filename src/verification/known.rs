//! What verification starts from: moments at which counters were noted, statements, indexes and promises, as plain values.
//!
//! Judges nothing. Counters themselves are many and asked for as they are needed, through `Archive`.

use super::Verification;
use crate::catalog::Oid;
use std::collections::{BTreeMap, BTreeSet};

/// A moment at which all counters of this server were noted. Moments are in the order in which they were taken, whatever the
/// clock said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// `history_snapshot.id`.
    pub id: i64,
    /// Seconds since 1970 by the server's clock.
    pub at: f64,
    /// When the counters of all statements were last reset, if known; same unit.
    pub statements_reset: Option<f64>,
    /// The same of the counters of tables and indexes.
    pub tables_reset: Option<f64>,
}

/// What had been counted of a statement at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counter {
    pub calls: f64,
    /// Planning and execution, milliseconds.
    pub total_ms: f64,
    pub exec_ms: f64,
    /// Sum over the calls of the square of their execution time, ms^2.
    pub squares: f64,
    pub rows: f64,
    pub blocks_hit: f64,
    pub blocks_read: f64,
    /// When counting began for this statement, if the server says (pg_stat_statements 1.11 and later).
    pub since: Option<f64>,
}

/// Rows that had been written to a table at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TableCounter {
    pub inserted: f64,
    pub updated: f64,
    pub hot_updated: f64,
    pub deleted: f64,
}

/// A normalised statement.
#[derive(Clone, Debug)]
pub struct KnownStatement {
    /// `history_statement.id`.
    pub id: i64,
    pub query_id: i64,
    /// Who ran it most; None for a role that no longer exists.
    pub role: Option<String>,
    pub text: String,
    /// Qualified and quoted; empty where no run has examined it.
    pub relations: Vec<String>,
    /// Its time at the last moment, to find the heaviest.
    pub recent_ms: f64,
}

/// An index that was seen at some moment.
#[derive(Clone, Debug)]
pub struct KnownIndex {
    /// `history_index.id`.
    pub id: i64,
    /// Qualified and quoted, as is `name`.
    pub relation: String,
    pub name: String,
    /// As pg_get_indexdef writes it.
    pub definition: String,
    /// What the server knows it by now; of a partitioned one, its parts.
    pub oids: Vec<Oid>,
    pub backs_constraint: bool,
    /// The last moment without it; None if it was there from the start, or that is forgotten.
    pub absent: Option<i64>,
    /// The first moment with it.
    pub first: Option<i64>,
    /// The first moment without it again.
    pub gone: Option<i64>,
    /// Whether it was there when last looked for.
    pub is_gone: bool,
    /// Seconds since 1970, where the server tells.
    pub created_at: Option<f64>,
    /// What the server says of it now; None if it is gone.
    pub now: Option<Present>,
    /// Whether its table is still there.
    pub has_table: bool,
    /// The newest verdict on it, if there was one.
    pub last: Option<Box<Verification>>,
}

/// An index as it is now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Present {
    pub valid: bool,
    /// Some session is building it.
    pub building: bool,
    /// Scans since the counters of tables and indexes were reset; of a partitioned one, of all its parts.
    pub scans: f64,
    pub partitioned: bool,
    /// It holds expressions that ANALYZE has not looked at yet.
    pub needs_analyze: bool,
    pub size_bytes: u64,
}

/// A recommendation that was followed, with what it promised.
#[derive(Clone, Debug)]
pub struct Promise {
    /// `history_recommendation.id`.
    pub recommendation: i64,
    /// `KnownIndex::id` of the index that follows it.
    pub index: i64,
    /// As it was advised.
    pub ddl: String,
    /// By query id, the cost with the index as a share of the cost without it, above 0.
    pub ratios: BTreeMap<i64, f64>,
}

/// Everything but the counters.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Those of this server, oldest first; the last is now.
    pub moments: Vec<Moment>,
    pub statements: Vec<KnownStatement>,
    pub indexes: Vec<KnownIndex>,
    pub promises: Vec<Promise>,
    /// By query id, the indexes (`KnownIndex::id`) in the plan that the planner makes for it now; only of statements that could be planned.
    pub plans: BTreeMap<i64, BTreeSet<i64>>,
}

/// Counters of statements by moment and statement.
pub type Counters = BTreeMap<(i64, i64), Counter>;

/// Where counters are kept.
pub trait Archive {
    type Error;

    /// Counters of these statements at these moments, as far as there are any.
    ///
    /// # Errors
    /// Those of reading.
    fn counters(&mut self, moments: &[i64], statements: &[i64]) -> Result<Counters, Self::Error>;

    /// Counters of a table at these moments, as far as there are any.
    ///
    /// # Errors
    /// Those of reading.
    fn table_counters(
        &mut self,
        moments: &[i64],
        relation: &str,
    ) -> Result<BTreeMap<i64, TableCounter>, Self::Error>;
}

impl Known {
    /// Where a moment stands among the others.
    pub fn position(&self, moment: Option<i64>) -> Option<usize> {
        let moment = moment?;
        self.moments.binary_search_by_key(&moment, |known| known.id).ok()
    }

    pub fn index(&self, id: i64) -> Option<&KnownIndex> {
        self.indexes.iter().find(|index| index.id == id)
    }

    pub fn promise_of(&self, index: i64) -> Option<&Promise> {
        self.promises.iter().find(|promise| promise.index == index)
    }
}
