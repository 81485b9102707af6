//! How many combinations of values some columns have, from how often rows of a sample share one.
//!
//! Columns depend on each other: the lines of an order have one customer and one date, a part has four suppliers. Taken to be
//! independent they would make an index twice as large as it gets, whose equal keys share tuples. Only arithmetic:
//! `pg::neighbours` looks at the rows.

use super::distribution::Distribution;
use super::neighbours::{FEW_ROWS, Neighbours, WORTH_IT, tells_of_size};
use super::shape::{distribution_of_keys, rows_differ};
use crate::candidate::definition::{IndexDefinition, KeyTarget};
use crate::catalog::{AttrNumber, ColumnGroup, Relation};

/// Columns of which the number of combinations is in doubt, and what is thought of it.
pub struct InDoubt {
    columns: Vec<AttrNumber>,
    /// Of the column with the most values.
    widest: Distribution,
    /// Combinations, where the columns are independent of each other.
    independent: f64,
}

/// The key columns of an index, ascending, if its size may hang on how many combinations they have.
pub fn combined(definition: &IndexDefinition, relation: &Relation) -> Option<Vec<AttrNumber>> {
    if !tells_of_size(definition, relation) {
        return None;
    }
    let mut columns = Vec::new();
    for key in &definition.keys {
        match key.part.target {
            KeyTarget::Column(number) => columns.push(number),
            KeyTarget::Expression(_) => return None,
        }
    }
    columns.sort_unstable();
    columns.dedup();
    let known = relation.column_groups.iter().any(|group| group.columns == columns);
    (columns.len() > 1 && !known && !rows_differ(definition, relation)).then_some(columns)
}

impl InDoubt {
    /// What is in doubt of an index on nothing but columns; None where more rows of a combination would change little.
    pub fn of(definition: &IndexDefinition, relation: &Relation) -> Option<InDoubt> {
        let columns = combined(definition, relation)?;
        let rows = relation.tuples;
        let independent =
            distribution_of_keys(definition, relation, 0..definition.keys.len()).group_count(rows);
        let each =
            (0..definition.keys.len()).map(|key| distribution_of_keys(definition, relation, key..key + 1));
        let widest = each.max_by(|a, b| a.group_count(rows).total_cmp(&b.group_count(rows)))?;
        (rows / independent < FEW_ROWS).then_some(InDoubt { columns, widest, independent })
    }

    /// The combinations among so many rows, where a sample has shown that there are far fewer than of independent columns.
    ///
    /// Rows that lie together count as one. Such runs of rows are spread as the values of the widest column are, each of which is taken
    /// to have as many combinations.
    pub fn found(self, seen: &Neighbours, rows: f64) -> Option<ColumnGroup> {
        let runs = rows / seen.together()?.max(1.0);
        // One standard deviation (Poisson) fewer than were seen, so that a few that met by accident do not make an index small.
        let alike = (seen.alike - seen.alike.sqrt()).max(0.0) / seen.apart.max(1.0);
        let distinct = if alike > 0.0 {
            let parts = self.widest.pairs_alike() / alike;
            self.widest.split(parts.max(1.0)).group_count(runs)
        } else {
            runs
        };
        (WORTH_IT * distinct < self.independent)
            .then_some(ColumnGroup { columns: self.columns, distinct: distinct.round().max(1.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::distribution::{Restriction, Values};
    use super::*;
    use std::collections::BTreeMap;

    const ROWS: f64 = 6e6;

    /// As many values as told, the first of them in `common` of the rows.
    fn values(distinct: f64, common: f64) -> Distribution {
        let common: &[f64] = if common > 0.0 { &[common] } else { &[] };
        let values = Values { tuples: ROWS, null_fraction: 0.0, common, distinct };
        Distribution::unit().with(0, &values, Restriction::None)
    }

    fn in_doubt(widest: Distribution) -> InDoubt {
        InDoubt { columns: vec![1, 2], widest, independent: ROWS }
    }

    /// A hundred pages of sixty rows, each of a combination that `of` draws.
    fn sample(of: impl Fn(u32) -> [u32; 2]) -> Neighbours {
        let mut numbers: BTreeMap<[u32; 2], u32> = BTreeMap::new();
        let pages = (0..100).map(|page| {
            let rows = (page * 6007..page * 6007 + 60).map(&of);
            rows.map(|combination| {
                let next = numbers.len() as u32;
                *numbers.entry(combination).or_insert(next)
            })
            .collect()
        });
        Neighbours::count(pages)
    }

    /// A number below `limit`, the same each time.
    fn drawn(row: u32, limit: u32) -> u32 {
        let mixed = (u64::from(row) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) % u64::from(limit)) as u32
    }

    #[test]
    fn scattered_combinations_are_counted_and_rather_too_many() {
        // TPC-H's parts and suppliers: 200,000 parts with four suppliers each.
        for (parts, each) in [(200_000, 4), (50_000, 10), (20_000, 3)] {
            let seen = sample(|row| [drawn(row, parts), drawn(row + 7_777_777, each)]);
            let found =
                in_doubt(values(f64::from(parts), 0.0)).found(&seen, ROWS).expect("they depend").distinct;
            let truth = f64::from(parts * each);
            assert!((0.9 * truth..1.8 * truth).contains(&found), "{found} of {truth}");
        }
    }

    #[test]
    fn combinations_of_rows_that_lie_together_are_counted() {
        // Twelve rows to a ticket, which has a customer and a date.
        let seen = sample(|row| [row / 12, 1]);
        let found = in_doubt(values(100_000.0, 0.0)).found(&seen, ROWS).expect("they depend").distinct;
        assert!((0.9 * ROWS / 12.0..1.2 * ROWS / 12.0).contains(&found), "{found}");
    }

    #[test]
    fn a_common_value_does_not_hide_the_others() {
        // Half of the rows have one value, the others one of 100,000, of which ANALYZE finds 24,360; and each value goes with three others.
        let seen = sample(|row| [drawn(row, 2) * drawn(row + 99, 100_000), drawn(row + 5_000_000, 3)]);
        let found = in_doubt(values(24_361.0, 0.5)).found(&seen, ROWS).expect("they depend").distinct;
        assert!((200_000.0..450_000.0).contains(&found), "{found}");
    }

    #[test]
    fn nothing_is_said_where_nothing_was_seen() {
        // No two rows are alike, or all of them.
        let widest = || in_doubt(values(200_000.0, 0.0));
        assert_eq!(widest().found(&sample(|row| [row, 0]), ROWS), None);
        assert_eq!(widest().found(&sample(|_| [0, 0]), ROWS), None);
        assert_eq!(widest().found(&Neighbours::default(), ROWS), None);
        // A pair that met by accident.
        assert_eq!(widest().found(&sample(|row| [if row == 6007 { 0 } else { row }, 0]), ROWS), None);
    }
}
