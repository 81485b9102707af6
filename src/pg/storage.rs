//! `Storage`: how the rows with the same value of a column lie in a table, and how many combinations of values columns have, where a
//! look at some pages has shown it; and how large all of it is.
//!
//! A correlation does not tell: rows that were loaded customer by customer lie together, though the customers are in no order.
//! Only keeps what `neighbours` has counted.

use crate::catalog::{AttrNumber, Oid};
use crate::cost::in_memory::buffers::Buffers;
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// What is known of the tables of a workload.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// By table and column.
    columns: BTreeMap<(Oid, AttrNumber), Seen>,
    /// How many combinations of values columns (ascending) have.
    combinations: BTreeMap<(Oid, Vec<AttrNumber>), f64>,
    /// Of all tables and their indexes.
    pages: f64,
}

/// What is known of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Rows of one value on a page where it occurs, 1 or more.
    pub beside: f64,
    /// Rows of a value, as a multiple of what ANALYZE makes of them.
    pub rows_of_a_value: f64,
}

impl Storage {
    /// Of tables that take so many pages with all their indexes.
    pub fn of_size(pages: f64) -> Storage {
        Storage { pages, ..Storage::default() }
    }

    /// How much of it this server's shared buffers hold.
    pub fn buffers(&self) -> Buffers {
        // SAFETY: reads a setting's variable, in pages, which is the same as long as the server runs.
        Buffers { pages: f64::from(unsafe { pg_sys::NBuffers }), stored: self.pages }
    }

    /// Keeps what was counted of a column.
    pub fn insert(&mut self, relation: Oid, column: AttrNumber, seen: Seen) {
        self.columns.insert((relation, column), seen);
    }

    /// Keeps how many combinations of values columns (ascending) have.
    pub fn insert_combinations(&mut self, relation: Oid, columns: Vec<AttrNumber>, distinct: f64) {
        self.combinations.insert((relation, columns), distinct);
    }

    /// How many combinations of values columns (ascending) have; None where that is not known.
    pub fn combinations(&self, relation: Oid, columns: &[AttrNumber]) -> Option<f64> {
        self.combinations.get(&(relation, columns.to_vec())).copied()
    }

    /// What was counted of a column; None where nobody has looked.
    pub fn of(&self, relation: Oid, column: AttrNumber) -> Option<Seen> {
        self.columns.get(&(relation, column)).copied()
    }

    /// Whether anything is known of the relation.
    pub fn tells_of(&self, relation: Oid) -> bool {
        self.columns.range((relation, AttrNumber::MIN)..=(relation, AttrNumber::MAX)).next().is_some()
    }
}
