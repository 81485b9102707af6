//! Widths of what an index would store, for refusing what is too wide; not a size model (that is `cost`).

use super::definition::{KeyPart, KeyTarget};
use crate::catalog::{AttrNumber, Relation};

/// The width PostgreSQL assumes for a variable-length type it knows nothing of (`get_typavgwidth`, lsyscache.c).
const UNKNOWN_WIDTH: f64 = 32.0;

/// Average bytes of a column's value.
pub fn column_width(relation: &Relation, number: AttrNumber) -> f64 {
    let Some(column) = relation.column(number) else { return UNKNOWN_WIDTH };
    match (&column.statistics, column.type_length) {
        (_, fixed) if fixed > 0 => f64::from(fixed),
        (Some(statistics), _) if statistics.average_width > 0.0 => statistics.average_width,
        _ => UNKNOWN_WIDTH,
    }
}

/// Average bytes of a key's value.
pub fn key_width(relation: &Relation, part: &KeyPart) -> f64 {
    match &part.target {
        KeyTarget::Column(number) => column_width(relation, *number),
        KeyTarget::Expression(expression) if expression.type_length > 0 => f64::from(expression.type_length),
        KeyTarget::Expression(expression) => expression.average_width,
    }
}

/// Included columns that hold more of a row than this make an index a second copy of the table: as much to store, to
/// write and to keep in memory, for the sake of one fetch.
const COPY: f64 = 0.5;

/// Whether an index with these key and included columns would copy the table, or more than half of it.
pub fn copies_the_table(relation: &Relation, keys: &[AttrNumber], include: &[AttrNumber]) -> bool {
    let width = |columns: &mut dyn Iterator<Item = AttrNumber>| -> f64 {
        columns.map(|number| column_width(relation, number)).sum()
    };
    let stored = |number: &AttrNumber| keys.contains(number) || include.contains(number);
    let all = relation.columns.len() > 2 && relation.columns.keys().all(stored);
    let row = width(&mut relation.columns.keys().copied());
    !include.is_empty() && (all || width(&mut include.iter().copied()) > COPY * row)
}

/// Average bytes of a heap row with its share of page overhead; None for an empty relation.
pub fn row_width(relation: &Relation, block_size: u32) -> Option<f64> {
    (relation.tuples >= 1.0).then(|| relation.pages * f64::from(block_size) / relation.tuples)
}
