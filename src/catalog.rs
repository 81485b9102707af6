//! What the schema looks like: relations, their columns with statistics, and the indexes they have.
//!
//! Plain values read once per run by `pg::catalog`; nothing here talks to a server.

use crate::candidate::definition::IndexDefinition;
use crate::cost::size::Storage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A PostgreSQL object identifier.
pub type Oid = u32;
/// A column's number within its relation; user columns start at 1.
pub type AttrNumber = i16;

/// Everything a run knows about the relations its statements read or write.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Catalog {
    pub relations: BTreeMap<Oid, Relation>,
    /// How the server stores indexes.
    pub storage: Storage,
}

/// What can have indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationKind {
    Table,
    /// The parent of partitions; an index on it is an index on every leaf.
    PartitionedTable,
    MaterializedView,
}

/// A table, or what is indexed like one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Relation {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// `schema.name`, quoted as PostgreSQL quotes, ready to stand in DDL.
    pub sql_name: String,
    pub kind: RelationKind,
    /// Live rows as the planner sees them; the sum over the leaves for a partitioned table.
    pub tuples: f64,
    /// Heap pages as the planner sees them; the sum over the leaves for a partitioned table.
    pub pages: f64,
    /// Share of heap pages marked all-visible, 0 to 1.
    pub all_visible_fraction: f64,
    /// Leaf partitions (1 for anything but a partitioned table): an index is that many trees.
    pub leaves: u32,
    /// Live rows of each leaf partition, in no order; empty where there is none or they are not known, which stands for leaves
    /// of one size.
    #[serde(default)]
    pub leaf_tuples: Vec<f64>,
    /// Live columns by number.
    pub columns: BTreeMap<AttrNumber, Column>,
    pub indexes: Vec<ExistingIndex>,
    pub activity: WriteActivity,
    /// How many combinations of values some groups of columns have, where that is known; each group once.
    #[serde(default)]
    pub column_groups: Vec<ColumnGroup>,
    /// What is known of the values of expressions, by `Expression::sql`.
    #[serde(default)]
    pub expression_statistics: BTreeMap<String, ColumnStatistics>,
}

/// The number of distinct combinations of two or more columns, NULL counted as a value: from extended statistics
/// (`CREATE STATISTICS ... (ndistinct)`) or from a sample of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnGroup {
    /// Ascending.
    pub columns: Vec<AttrNumber>,
    /// Combinations among the rows of the whole relation.
    pub distinct: f64,
}

/// A column, with what ANALYZE found out about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Column {
    pub number: AttrNumber,
    pub name: String,
    /// The name quoted as PostgreSQL quotes.
    pub sql_name: String,
    pub type_oid: Oid,
    /// `pg_type.typlen`: bytes when positive, -1 for varlena, -2 for cstring.
    pub type_length: i16,
    /// Alignment in bytes (1, 2, 4 or 8), from `pg_type.typalign`.
    pub alignment: u8,
    /// `pg_attribute.atttypmod`, -1 for none; the dimensions of a pgvector column.
    #[serde(default = "no_modifier")]
    pub type_modifier: i32,
    pub statistics: Option<ColumnStatistics>,
}

fn no_modifier() -> i32 {
    -1
}

/// The part of `pg_statistic` that the pure modules need.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// Share of rows that are NULL, 0 to 1.
    pub null_fraction: f64,
    /// Average stored width of non-NULL values, bytes (`stawidth`).
    pub average_width: f64,
    /// `stadistinct`: a count when positive, minus a share of the rows when negative, 0 unknown.
    pub distinct: f64,
    /// Frequencies of the most common values, descending, each a share of all rows.
    pub common_frequencies: Vec<f64>,
    /// Correlation of the physical order with the sort order, -1 to 1.
    pub correlation: f64,
    /// Lengths of non-NULL values as an index stores them, bytes, ascending, each with its share; empty where it is not known or the same
    /// for all (`pg::lengths`).
    #[serde(default)]
    pub lengths: Vec<(u32, f64)>,
}

/// Tuple counters of `pg_stat_user_tables`, since that view's statistics were reset.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct WriteActivity {
    pub inserted: f64,
    pub updated: f64,
    pub hot_updated: f64,
    pub deleted: f64,
}

/// An index that the relation has already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExistingIndex {
    pub oid: Oid,
    pub name: String,
    /// None where the index is of a kind that candidates cannot equal (an exotic access method, say).
    pub definition: Option<IndexDefinition>,
    pub unique: bool,
    pub primary: bool,
    /// Backs a primary key, unique or exclusion constraint.
    pub constraint: bool,
    pub valid: bool,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// `pg_stat_user_indexes.idx_scan`.
    pub scans: u64,
}

impl ColumnGroup {
    /// Reads a `pg_ndistinct` value of a server up to version 18, `{"1, 2": 100, "1, 2, 3": 700}`: column numbers and counts.
    /// Groups with an expression, which has a negative number, are left out; of any other text nothing is read.
    pub fn parse(text: &str) -> Vec<ColumnGroup> {
        let groups: BTreeMap<String, f64> = serde_json::from_str(text).unwrap_or_default();
        groups
            .into_iter()
            .filter_map(|(numbers, distinct)| {
                let numbers = numbers.split(',').map(|number| number.trim().parse::<AttrNumber>().ok());
                let mut columns: Vec<AttrNumber> = numbers.collect::<Option<_>>()?;
                columns.sort_unstable();
                (columns.iter().all(|number| *number > 0)).then_some(ColumnGroup { columns, distinct })
            })
            .collect()
    }
}

impl ColumnStatistics {
    /// Number of distinct non-NULL values in a relation of `tuples` rows; None when unknown.
    pub fn distinct_values(&self, tuples: f64) -> Option<f64> {
        match self.distinct {
            d if d > 0.0 => Some(d.min(tuples.max(1.0))),
            d if d < 0.0 => Some((-d * tuples).max(1.0)),
            _ => None,
        }
    }

    /// Takes in the lengths of the most common values, in their order, and of the histogram's bounds, between which there are as many
    /// values each.
    pub fn measure(&mut self, common: &[u32], bounds: &[u32]) {
        let frequencies = &self.common_frequencies;
        let rest = (1.0 - self.null_fraction - frequencies.iter().sum::<f64>()).max(0.0);
        let each = rest / bounds.len().max(1) as f64;
        let weighed = common.iter().zip(frequencies).map(|(length, share)| (*length, *share));
        let mut shares: BTreeMap<u32, f64> = BTreeMap::new();
        for (length, share) in weighed.chain(bounds.iter().map(|length| (*length, each))) {
            *shares.entry(length).or_default() += share;
        }
        let whole: f64 = shares.values().sum();
        self.lengths = if whole > 0.0 {
            shares.into_iter().map(|(length, share)| (length, share / whole)).collect()
        } else {
            Vec::new()
        };
    }
}

impl Catalog {
    /// `CREATE INDEX` for a definition; None where its relation is not in the catalog.
    pub fn create_statement(&self, definition: &IndexDefinition, concurrently: bool) -> Option<String> {
        let relation = self.relations.get(&definition.relation)?;
        Some(definition.create_statement(relation, concurrently))
    }
}

impl Relation {
    pub fn column(&self, number: AttrNumber) -> Option<&Column> {
        self.columns.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_by_how_many_rows_have_them() {
        let mut statistics = ColumnStatistics {
            null_fraction: 0.2,
            average_width: 6.0,
            distinct: 100.0,
            common_frequencies: vec![0.3, 0.1],
            correlation: 0.0,
            lengths: Vec::new(),
        };
        statistics.measure(&[7, 5], &[5, 7, 7, 9]);
        let expected = [(5, 0.25), (7, 0.625), (9, 0.125)];
        assert_eq!(statistics.lengths.len(), expected.len());
        for ((length, share), (known, of_all)) in statistics.lengths.iter().zip(expected) {
            assert!(*length == known && (share - of_all).abs() < 1e-9, "{:?}", statistics.lengths);
        }
        statistics.measure(&[], &[]);
        assert!(statistics.lengths.is_empty());
    }

    #[test]
    fn groups_of_columns_are_read_as_the_server_writes_them() {
        let group = |columns: &[AttrNumber], distinct| ColumnGroup { columns: columns.to_vec(), distinct };
        let text = r#"{"1, 2": 100, "3, 1": 700, "2, -1": 5, "1, 2, 3": 800}"#;
        assert_eq!(
            ColumnGroup::parse(text),
            [group(&[1, 2], 100.0), group(&[1, 2, 3], 800.0), group(&[1, 3], 700.0)]
        );
        for other in ["", "[]", "{\"a\": 1}", r#"[{"attributes": [1, 2], "ndistinct": 3}]"#] {
            assert_eq!(ColumnGroup::parse(other), []);
        }
    }
}
