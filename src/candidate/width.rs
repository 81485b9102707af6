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

/// Average bytes of a heap row with its share of page overhead; None for an empty relation.
pub fn row_width(relation: &Relation, block_size: u32) -> Option<f64> {
    (relation.tuples >= 1.0).then(|| relation.pages * f64::from(block_size) / relation.tuples)
}
