//! `SideBySide`: how many rows with the same value of a column lie on a page of a table, where a look at some pages has shown it.
//!
//! A correlation does not tell: rows that were loaded customer by customer lie together, though the customers are in no order.
//! Only keeps what `neighbours` has counted.

use crate::catalog::{AttrNumber, Oid};
use std::collections::BTreeMap;

/// By table and column, rows of a value on a page where it occurs, 1 or more.
#[derive(Clone, Debug, Default)]
pub struct SideBySide {
    rows: BTreeMap<(Oid, AttrNumber), f64>,
}

impl SideBySide {
    /// Keeps what was counted of a column.
    pub fn insert(&mut self, relation: Oid, column: AttrNumber, rows: f64) {
        self.rows.insert((relation, column), rows.max(1.0));
    }

    /// Rows of one value on a page where it occurs; 1 where nobody has looked.
    pub fn rows(&self, relation: Oid, column: AttrNumber) -> f64 {
        self.rows.get(&(relation, column)).copied().unwrap_or(1.0)
    }

    /// Whether rows of a value lie together in the relation, so that costs are not what the catalog makes them.
    pub fn tells_of(&self, relation: Oid) -> bool {
        self.rows
            .range((relation, AttrNumber::MIN)..=(relation, AttrNumber::MAX))
            .any(|(_, rows)| *rows > 1.5)
    }
}
