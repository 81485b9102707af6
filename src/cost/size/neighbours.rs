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
    /// Values of each page, together.
    pub met: f64,
    /// Pairs of rows of one page with the same value.
    pub pairs: f64,
    pub pages: f64,
}

/// ANALYZE reads 300 rows for each unit of its target, 100 as it comes (`std_typanalyze`, analyze.c); of fewer rows it saw
/// all.
const SEEN_BY_ANALYZE: f64 = 30_000.0;
/// Rows of one value beyond which an index is not much smaller with more of them, and a page shows too few values to count.
const FEW_ROWS: f64 = 100.0;
/// Rows of one value on a page, as a multiple of what chance would bring there, from which equal ones lie together, ...
const TOGETHER: f64 = 1.3;
/// ANALYZE saw more pairs of equal rows than lie together where the others are more than this share of those: more than on TPC-H's
/// lineitem (0.23 for l_orderkey, each of whose values is in one place), less than where values of six rows lie in two places (0.36).
const ELSEWHERE: f64 = 0.3;
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
    /// Adds a page: for each value on it, how many rows have it.
    pub fn add(&mut self, counts: &[usize]) {
        self.rows += counts.iter().sum::<usize>() as f64;
        self.begun += counts.len().saturating_sub(1) as f64;
        self.met += counts.len() as f64;
        self.pairs += counts.iter().map(|rows| rows * rows.saturating_sub(1) / 2).sum::<usize>() as f64;
        self.pages += 1.0;
    }

    /// Rows of one value on a page where it occurs.
    pub fn on_a_page(&self) -> f64 {
        if self.met > 0.0 { self.rows / self.met } else { 1.0 }
    }

    /// Number of values among `present` rows on `pages` pages, where equal ones lie together; None where they do not, or that cannot be
    /// told. `known` is the number that ANALYZE has.
    pub fn values(&self, present: f64, pages: f64, known: f64) -> Option<f64> {
        let rows_of_one = self.rows / self.begun;
        // Of as many rows as a page has, drawn from so many values.
        let on_page = self.rows / self.pages;
        let by_chance = on_page / (known * -(-on_page / known).exp_m1());
        (rows_of_one.is_finite() && rows_of_one >= TOGETHER * by_chance)
            .then(|| 1.0 / (rows_of_one / present + self.pairs_elsewhere(present, pages, known)))
    }

    /// The share of all pairs of rows that are equal and lie in different places, as the rows of one customer's orders do; 0 where
    /// ANALYZE saw hardly more equal rows than lie side by side, so that each value is in one place.
    fn pairs_elsewhere(&self, present: f64, pages: f64, known: f64) -> f64 {
        let sampled = SEEN_BY_ANALYZE.min(present);
        // What compute_scalar_stats (analyze.c) makes of the values that it saw more than once (Haas and Stokes 1998), where most were
        // seen once or twice: a value more for each row, less one for each pair.
        let seen = sampled * sampled / 2.0 * (1.0 / known - 1.0 / present).max(0.0);
        // acquire_sample_rows reads as many pages as it wants rows, and takes rows of them evenly.
        let read = pages.max(1.0).min(sampled);
        let taken = (sampled * self.pages / (read * self.rows)).min(1.0);
        let side_by_side = read * self.pairs / self.pages * taken * taken;
        let elsewhere = seen - side_by_side;
        if elsewhere > ELSEWHERE * side_by_side { elsewhere / (sampled * sampled / 2.0) } else { 0.0 }
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
        let values = self.values(tuples * (1.0 - statistics.null_fraction), relation.pages, known)?;
        (values > WORTH_IT * known).then_some((known, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: f64 = 1e5;
    const ROWS: f64 = 60.0 * PAGES;

    /// Pages of `rows` rows, value after value, each `of_one` times.
    fn pages(of_one: usize, rows: usize, number: usize) -> Neighbours {
        let mut seen = Neighbours::default();
        for page in 0..number {
            // Not one after the other: a sample's pages lie far apart.
            let first = page * 7919;
            let mut counts = std::collections::BTreeMap::new();
            (first..first + rows).for_each(|row| *counts.entry(row / of_one).or_insert(0) += 1);
            seen.add(&counts.into_values().collect::<Vec<_>>());
        }
        seen
    }

    /// How many values ANALYZE finds among rows that lie together by `of_one` on such pages, each value in `places` places: its sample
    /// takes a row here and there of 30,000 pages (`acquire_sample_rows`), and its estimate goes by the rows that it saw twice.
    fn analysed(seen: &Neighbours, of_one: usize, places: f64) -> f64 {
        let sampled = SEEN_BY_ANALYZE;
        let together = sampled * seen.pairs / seen.pages / 60.0 / 60.0;
        let elsewhere = sampled * sampled / 2.0 * (of_one as f64 * places / ROWS) * ((places - 1.0) / places);
        sampled * sampled / 2.0 / (together + elsewhere)
    }

    #[test]
    fn rows_that_lie_together_are_counted_within_a_tenth() {
        for of_one in [2, 3, 4, 7, 15, 40] {
            let truth = ROWS / of_one as f64;
            let seen = pages(of_one, 60, 50);
            let known = analysed(&seen, of_one, 1.0);
            let values = seen.values(ROWS, PAGES, known).expect("told");
            assert!((values / truth - 1.0).abs() < 0.1, "{of_one}: {values} of {truth}, {known} before");
        }
        // Each value once, or one value on a page: neighbours tell nothing.
        assert_eq!(pages(1, 60, 50).values(ROWS, PAGES, 1e5), None);
        assert_eq!(pages(100_000, 60, 50).values(ROWS, PAGES, 1e5), None);
        assert_eq!(Neighbours::default().values(ROWS, PAGES, 1e5), None);
        // Two hundred rows of four hundred values have many in common wherever they lie.
        let mut scattered = Neighbours::default();
        (0..50).for_each(|_| scattered.add(&[[1; 114].as_slice(), &[2; 43]].concat()));
        assert_eq!(scattered.values(4e4, 200.0, 400.0), None);
        let mut together = Neighbours::default();
        (0..50).for_each(|_| together.add(&[[3; 1].as_slice(), &[4; 49], &[1; 1]].concat()));
        let values = together.values(4e4, 200.0, 4e3).expect("told");
        assert!((3e3..=1.1e4).contains(&values), "{values}");
    }

    #[test]
    fn pages_without_a_value_do_not_count() {
        let mut seen = Neighbours::default();
        assert_eq!(seen.on_a_page(), 1.0);
        // A batch of fifty rows was given a number, and nothing else was.
        seen.add(&[50]);
        (0..49).for_each(|_| seen.add(&[]));
        assert_eq!(seen.on_a_page(), 50.0);
        seen.add(&[20, 10]);
        assert_eq!(seen.on_a_page(), 80.0 / 3.0);
    }

    #[test]
    fn values_that_lie_together_in_several_places_are_not_counted_in_each() {
        // TPC-DS at scale 1: twelve rows of a ticket have one address, 49,600 addresses have tickets. ANALYZE says 39,743.
        let page: Vec<usize> = vec![6, 12, 12, 12, 12];
        let mut tickets = Neighbours::default();
        (0..50).for_each(|_| tickets.add(&page));
        let values = tickets.values(2.88e6, 53_328.0, 39_743.0).expect("told");
        assert!((40e3..60e3).contains(&values), "{values}");
        for places in [2.0, 5.0, 20.0] {
            let (seen, truth) = (pages(6, 60, 50), ROWS / 6.0 / places);
            let values = seen.values(ROWS, PAGES, analysed(&seen, 6, places)).expect("told");
            assert!((values / truth - 1.0).abs() < 0.15, "{places}: {values} of {truth}");
        }
    }
}
