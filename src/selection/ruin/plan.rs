//! `Plan`: a known plan of a statement, as far as it matters which items are there.

use crate::catalog::Oid;
use crate::selection::search::{Indexes, is_within};

/// A known plan of a statement.
#[derive(Clone)]
pub(super) struct Plan {
    pub total: f64,
    /// Milliseconds a day; less than 0 where the plan is slower than the user allows.
    pub saving: f64,
    pub is_slow: bool,
    /// Positions among the items, ascending.
    pub used: Vec<usize>,
    /// Of what it uses, among what all ranked plans use: the preferred items have the lower one.
    pub rank: u32,
    /// Existing indexes, ascending.
    pub existing: Vec<Oid>,
}

impl Plan {
    pub fn indexes(&self) -> Indexes<'_> {
        Indexes { used: &self.used, existing: &self.existing }
    }

    pub fn uses(&self, item: usize) -> bool {
        self.used.contains(&item)
    }

    /// Whether `other` uses all that this one does.
    pub fn is_within(&self, other: &Plan) -> bool {
        is_within(&self.used, &other.used)
    }
}
