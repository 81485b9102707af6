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
    /// Rows that were looked at: for a column, those that are not NULL.
    pub(super) rows: f64,
    pub(super) pages: f64,
    /// Values of each page but its first, together: the first may have begun on the page before.
    pub(super) begun: f64,
    /// Values of each page, together.
    met: f64,
    /// Pairs of rows of one page with the same value.
    pairs: f64,
    /// Values that a page would have if the rows were dealt to the pages by chance.
    met_by_chance: f64,
    /// Pairs of rows of different pages, ...
    pub(super) apart: f64,
    /// ... and those of them with the same value.
    pub(super) alike: f64,
}

/// A value that is being counted.
#[derive(Clone, Copy, Default)]
struct Met {
    rows: u32,
    /// The number of the page where it was met last, from 1 on, and its rows there.
    page: u32,
    on_page: u32,
}

/// ANALYZE reads 300 rows for each unit of its target, 100 as it comes (`std_typanalyze`, analyze.c); of fewer rows it saw
/// all.
const SEEN_BY_ANALYZE: f64 = 30_000.0;
/// Rows of one value beyond which an index is not much smaller with more of them, and a page shows too few values to count.
pub(super) const FEW_ROWS: f64 = 100.0;
/// Times that ANALYZE saw each value on average, from which it has overlooked hardly any. Of few values of many rows it sees all; of TPC-H's
/// order keys at scale 10, four lines each, it knows 416,811 of 15 million, a value for 144 rows.
const OFTEN_SEEN: f64 = 10.0;
/// Rows of one value on a page, as a multiple of what chance would bring there, from which equal ones lie together, ...
const TOGETHER: f64 = 1.3;
/// ANALYZE saw more pairs of equal rows than lie together where the others are more than this share of those: more than on TPC-H's
/// lineitem (0.23 for l_orderkey, each of whose values is in one place), less than where values of six rows lie in two places (0.36).
const ELSEWHERE: f64 = 0.3;
/// ... and what a second count has to differ by to be the better one: a few dozen pages are within a tenth.
pub(super) const WORTH_IT: f64 = 1.2;

/// Whether the size of an index hangs on how many rows have the same key, and ANALYZE saw but some of them.
pub(super) fn tells_of_size(definition: &IndexDefinition, relation: &Relation) -> bool {
    definition.access_method == AccessMethod::Btree
        && definition.include.is_empty()
        && relation.leaves == 1
        && relation.tuples > SEEN_BY_ANALYZE
}

/// The key columns of an index on which its size hangs and whose number of values is in doubt.
pub fn in_doubt(definition: &IndexDefinition, relation: &Relation) -> Vec<AttrNumber> {
    if !tells_of_size(definition, relation) {
        return Vec::new();
    }
    let doubtful = |column: &&Column| {
        column.statistics.as_ref().is_some_and(|statistics| {
            // A negative number is a share of the rows: hardly any value was seen twice.
            let of_a_value = |rows: f64| rows * (1.0 - statistics.null_fraction) / statistics.distinct;
            let (rows, seen) = (of_a_value(relation.tuples), of_a_value(SEEN_BY_ANALYZE));
            rows > TOGETHER && (rows < FEW_ROWS || seen < OFTEN_SEEN)
        })
    };
    let columns = definition.keys.iter().filter_map(|key| match key.part.target {
        KeyTarget::Column(number) => relation.column(number),
        KeyTarget::Expression(_) => None,
    });
    columns.filter(doubtful).map(|column| column.number).collect()
}

impl Neighbours {
    /// Counts the values of rows by page. Values are numbers, of which there are not many more than rows.
    pub fn count(pages: impl Iterator<Item = Vec<u32>>) -> Neighbours {
        let pairs = |rows: f64| rows * (rows - 1.0) / 2.0;
        let mut seen = Neighbours::default();
        let mut values: Vec<Met> = Vec::new();
        let mut on_one_page = 0.0;
        for (number, page) in (1..).zip(pages) {
            let met_before = seen.met;
            for value in &page {
                let at = *value as usize;
                values.resize(values.len().max(at + 1), Met::default());
                let value = &mut values[at];
                if value.page != number {
                    (value.page, value.on_page) = (number, 0);
                    seen.met += 1.0;
                }
                seen.pairs += f64::from(value.on_page);
                value.on_page += 1;
                value.rows += 1;
            }
            seen.pages += 1.0;
            seen.rows += page.len() as f64;
            seen.begun += (seen.met - met_before - 1.0).max(0.0);
            on_one_page += pairs(page.len() as f64);
        }
        let mut rows: Vec<u32> = values.iter().map(|value| value.rows).filter(|rows| *rows > 0).collect();
        rows.sort_unstable();
        let alike = rows.chunk_by(|a, b| a == b).map(|alike| (f64::from(alike[0]), alike.len() as f64));
        let on_page = seen.rows / seen.pages.max(1.0);
        for (rows, values) in alike {
            seen.alike += values * pairs(rows);
            seen.met_by_chance += values * (1.0 - (1.0 - rows / seen.rows).powf(on_page));
        }
        seen.alike -= seen.pairs;
        seen.apart = pairs(seen.rows) - on_one_page;
        seen
    }

    /// Rows of one value that lie together, as a multiple of those that would by chance; None where no page shows where they end.
    pub(super) fn together(&self) -> Option<f64> {
        let by_chance = self.rows / self.pages / self.met_by_chance;
        let together = self.rows / self.begun / by_chance;
        together.is_finite().then_some(together)
    }

    /// Whether so many rows were equal that it may be no accident.
    pub fn has_equal_rows(&self) -> bool {
        self.alike > 1.0 || self.together().is_some_and(|together| together >= WORTH_IT)
    }

    /// Rows of one value on a page where it occurs.
    pub fn on_a_page(&self) -> f64 {
        if self.met > 0.0 { self.rows / self.met } else { 1.0 }
    }

    /// Number of values among `present` rows on `pages` pages, where equal ones lie together; None where they do not, or that cannot be
    /// told. `known` is the number that ANALYZE has.
    pub fn values(&self, present: f64, pages: f64, known: f64) -> Option<f64> {
        let rows_of_one = self.rows / self.begun;
        let lie_together = self.together()? >= TOGETHER;
        lie_together.then(|| 1.0 / (rows_of_one / present + self.pairs_elsewhere(present, pages, known)))
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
        // Not one after the other: a sample's pages lie far apart.
        let page = |page: usize| (page * 7919..page * 7919 + rows).map(|row| (row / of_one) as u32).collect();
        Neighbours::count((0..number).map(page))
    }

    /// Pages of values that are each there as often as told, other values on each page.
    fn pages_of(counts: &[usize], number: usize) -> Neighbours {
        let page = |page: usize| {
            let values = counts.iter().enumerate();
            values
                .flat_map(|(value, rows)| std::iter::repeat_n((page * 1000 + value) as u32, *rows))
                .collect()
        };
        Neighbours::count((0..number).map(page))
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
        // Two hundred rows of four hundred values have many in common wherever they lie, and so have rows of which half have one value.
        let drawn = |limit: u32| {
            move |row: u32| {
                (row.wrapping_mul(2_654_435_769) >> 7 ^ row.wrapping_mul(0x85eb_ca6b) >> 11) % limit
            }
        };
        let scattered = |of: &dyn Fn(u32) -> u32| {
            Neighbours::count((0..50).map(|page| (page * 200..page * 200 + 200).map(of).collect()))
        };
        assert_eq!(scattered(&drawn(400)).values(4e4, 200.0, 400.0), None);
        let half = |row: u32| drawn(2)(row) * drawn(5000)(row + 77_777);
        assert_eq!(scattered(&half).values(4e4, 200.0, 4e3), None);
        let together = pages_of(&[[3; 1].as_slice(), &[4; 49], &[1; 1]].concat(), 50);
        let values = together.values(4e4, 200.0, 4e3).expect("told");
        assert!((3e3..=1.1e4).contains(&values), "{values}");
    }

    #[test]
    fn pages_without_a_value_do_not_count() {
        assert_eq!(Neighbours::default().on_a_page(), 1.0);
        // A batch of fifty rows was given a number, and nothing else was.
        let mut pages = vec![vec![1; 50]];
        pages.resize(50, Vec::new());
        assert_eq!(Neighbours::count(pages.iter().cloned()).on_a_page(), 50.0);
        pages.push([[2; 20].as_slice(), &[3; 10]].concat());
        assert_eq!(Neighbours::count(pages.into_iter()).on_a_page(), 80.0 / 3.0);
    }

    #[test]
    fn values_that_lie_together_in_several_places_are_not_counted_in_each() {
        // TPC-DS at scale 1: twelve rows of a ticket have one address, 49,600 addresses have tickets. ANALYZE says 39,743.
        let tickets = pages_of(&[6, 12, 12, 12, 12], 50);
        let values = tickets.values(2.88e6, 53_328.0, 39_743.0).expect("told");
        assert!((40e3..60e3).contains(&values), "{values}");
        for places in [2.0, 5.0, 20.0] {
            let (seen, truth) = (pages(6, 60, 50), ROWS / 6.0 / places);
            let values = seen.values(ROWS, PAGES, analysed(&seen, 6, places)).expect("told");
            assert!((values / truth - 1.0).abs() < 0.15, "{places}: {values} of {truth}");
        }
    }
}
