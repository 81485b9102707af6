//! `Neighbours`: how many values a column has, from how often rows of one page share one.
//!
//! ANALYZE samples single rows of a large table. Where equal values lie together, as the lines of one order do, it sees few of
//! them twice or many, by accident, and counts them wrong by a factor of three and more; so would be the size of an index whose equal
//! keys share a tuple. Neighbours tell. Only arithmetic: `pg::neighbours` looks at the rows.

use crate::candidate::definition::{AccessMethod, IndexDefinition, KeyTarget};
use crate::catalog::{AttrNumber, Column, Relation};

/// What the rows of some pages had in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neighbours {
    /// Rows that are not NULL.
    pub rows: f64,
    /// Values of each page but its first, together: the first may have begun on the page before.
    pub begun: f64,
    pub pages: f64,
}

/// ANALYZE reads 300 rows for each unit of its target, 100 as it comes (`std_typanalyze`, analyze.c); of fewer rows it saw
/// all.
const SEEN_BY_ANALYZE: f64 = 30_000.0;
/// Rows of one value beyond which an index is not much smaller with more of them, and a page shows too few values to count.
const FEW_ROWS: f64 = 100.0;
/// Rows of one value on a page, as a multiple of what chance would bring there, from which equal ones lie together, ...
const TOGETHER: f64 = 1.3;
/// ... and what a second count has to differ by to be the better one: a few dozen pages are within a tenth.
const WORTH_IT: f64 = 1.2;

/// The key columns of an index on which its size hangs and whose number of values is in doubt.
pub fn in_doubt(definition: &IndexDefinition, relation: &Relation) -> Vec<AttrNumber> {
    let shares_tuples = definition.access_method == AccessMethod::Btree
        && definition.include.is_empty()
        && relation.leaves == 1;
    if !shares_tuples || relation.tuples <= SEEN_BY_ANALYZE {
        return Vec::new();
    }
    let doubtful = |column: &&Column| {
        column.statistics.as_ref().is_some_and(|statistics| {
            // A negative number is a share of the rows: hardly any value was seen twice.
            let rows = relation.tuples * (1.0 - statistics.null_fraction) / statistics.distinct;
            rows > TOGETHER && rows < FEW_ROWS
        })
    };
    let columns = definition.keys.iter().filter_map(|key| match key.part.target {
        KeyTarget::Column(number) => relation.column(number),
        KeyTarget::Expression(_) => None,
    });
    columns.filter(doubtful).map(|column| column.number).collect()
}

impl Neighbours {
    /// Adds a page: its rows that are not NULL, and the values among them.
    pub fn add(&mut self, rows: usize, values: usize) {
        self.rows += rows as f64;
        self.begun += values.saturating_sub(1) as f64;
        self.pages += 1.0;
    }

    /// Rows of one value on a page where it occurs.
    pub fn on_a_page(&self) -> f64 {
        let values = self.begun + self.pages;
        if values > 0.0 { (self.rows / values).max(1.0) } else { 1.0 }
    }

    /// Number of values among `present` rows, where equal ones lie together; None where they do not, or that cannot be told. `known` is
    /// the number by other means.
    pub fn values(&self, present: f64, known: f64) -> Option<f64> {
        let rows_of_one = self.rows / self.begun;
        // Of as many rows as a page has, drawn from so many values.
        let on_page = self.rows / self.pages;
        let by_chance = on_page / (known * -(-on_page / known).exp_m1());
        (rows_of_one.is_finite() && rows_of_one >= TOGETHER * by_chance).then(|| present / rows_of_one)
    }

    /// Corrects what a relation's statistics say of a column if they have overlooked values.
    pub fn correct(&self, relation: &mut Relation, column: AttrNumber) {
        let Some((_, values)) = self.overlooked(relation, column) else { return };
        let column = relation.columns.get_mut(&column);
        if let Some(statistics) = column.and_then(|column| column.statistics.as_mut()) {
            statistics.distinct = values.round();
        }
    }

    /// How many rows a value has, as a multiple of what the relation's statistics make of them: 1 unless they have overlooked values.
    pub fn rows_of_a_value(&self, relation: &Relation, column: AttrNumber) -> f64 {
        self.overlooked(relation, column).map_or(1.0, |(known, values)| known / values)
    }

    /// The number of values by the statistics of a column, and the larger one that was found.
    fn overlooked(&self, relation: &Relation, column: AttrNumber) -> Option<(f64, f64)> {
        let tuples = relation.tuples;
        let statistics = relation.column(column)?.statistics.as_ref()?;
        let known = statistics.distinct_values(tuples)?;
        let values = self.values(tuples * (1.0 - statistics.null_fraction), known)?;
        (values > WORTH_IT * known).then_some((known, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of `rows` rows, value after value, each `of_one` times.
    fn pages(of_one: usize, rows: usize, number: usize) -> Neighbours {
        let mut seen = Neighbours::default();
        for page in 0..number {
            // Not one after the other: a sample's pages lie far apart.
            let first = page * 7919;
            let values: std::collections::BTreeSet<usize> =
                (first..first + rows).map(|row| row / of_one).collect();
            seen.add(rows, values.len());
        }
        seen
    }

    #[test]
    fn rows_that_lie_together_are_counted_within_a_tenth() {
        for of_one in [2, 3, 4, 7, 15, 40] {
            let truth = 6e6 / of_one as f64;
            let values = pages(of_one, 60, 50).values(6e6, truth / 3.0).expect("told");
            assert!((values / truth - 1.0).abs() < 0.1, "{of_one}: {values} of {truth}");
        }
        // Each value once, or one value on a page: neighbours tell nothing.
        assert_eq!(pages(1, 60, 50).values(6e6, 1e5), None);
        assert_eq!(pages(100_000, 60, 50).values(6e6, 1e5), None);
        assert_eq!(Neighbours::default().values(6e6, 1e5), None);
        // Two hundred rows of four hundred values have many in common wherever they lie.
        let mut scattered = Neighbours::default();
        (0..50).for_each(|_| scattered.add(200, 157));
        assert_eq!(scattered.values(4e4, 400.0), None);
        let mut together = Neighbours::default();
        (0..50).for_each(|_| together.add(200, 51));
        assert_eq!(together.values(4e4, 400.0), Some(1e4));
    }
}
