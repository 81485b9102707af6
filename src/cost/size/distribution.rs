//! `Distribution`: how the rows of an index fall into groups of equal key, as far as column statistics tell.
//!
//! A list of cells (value combinations) with their share of the rows. Knows nothing of bytes or pages.

use std::collections::BTreeMap;

/// Which of the key columns are NULL: bit n for key n.
pub(super) type NullMask = u32;

/// Cells of about the same share and the same NULL columns.
#[derive(Clone, Copy, Debug)]
struct Class {
    nulls: NullMask,
    /// Expected share of the rows in one cell.
    share: f64,
    /// Number of cells; fractional, since it is an expectation.
    cells: f64,
}

/// Equal-key groups: `groups` of them, each of `rows` rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    pub nulls: NullMask,
    pub rows: f64,
    pub groups: f64,
}

/// The joint distribution of some key columns.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    classes: Vec<Class>,
}

/// What statistics say of one column's values; shares are of all rows of the relation.
pub(super) struct Values<'a> {
    /// Rows of the relation that the statistics describe.
    pub tuples: f64,
    pub null_fraction: f64,
    pub common: &'a [f64],
    /// Distinct non-NULL values among `tuples` rows.
    pub distinct: f64,
}

/// What the predicate of a partial index does to a column's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Restriction {
    None,
    OnlyNull,
    NotNull,
    /// Only this share of the non-NULL values is left, no NULLs.
    SomeValues(f64),
}

/// Parts of a cell that are as many as are ever asked for.
const MOST_PARTS: f64 = 1e9;
/// Rows per cell below which a mean of one row per value is not told apart from "all values differ".
const LEAST_MEAN: f64 = 1e-6;
/// Rows that ANALYZE samples at the default statistics target (`std_typanalyze`: 300 * 100).
const ANALYZE_SAMPLE: f64 = 30_000.0;
/// Above this number, classes within a quarter of an octave of share are merged.
const MOST_CLASSES: usize = 128;
const BUCKETS_PER_OCTAVE: f64 = 4.0;
/// Up to this mean, group sizes follow the Poisson distribution term by term; above, quantiles of the normal one.
const POISSON_LIMIT: f64 = 40.0;
/// Quantiles of the standard normal distribution at (i + 0.5) / 8.
pub(super) const NORMAL_OCTILES: [f64; 8] = [-1.534, -0.887, -0.489, -0.157, 0.157, 0.489, 0.887, 1.534];

impl Distribution {
    /// The distribution of no column: all rows are one group.
    pub fn unit() -> Distribution {
        Distribution { classes: vec![Class { nulls: 0, share: 1.0, cells: 1.0 }] }
    }

    /// Joins key column number `key`, taken to be independent of those before.
    ///
    /// Independence is what the planner assumes of clauses, too. It gives the most groups, so correlated columns make the
    /// estimate too large rather than too small.
    pub fn with(&self, key: usize, values: &Values<'_>, restriction: Restriction) -> Distribution {
        let bit = 1 << key.min(31);
        let column = column_classes(values, restriction);
        let mut classes = Vec::with_capacity(self.classes.len() * column.len());
        for class in &self.classes {
            classes.extend(column.iter().map(|(null, share, cells)| Class {
                nulls: class.nulls | if *null { bit } else { 0 },
                share: class.share * share,
                cells: class.cells * cells,
            }));
        }
        Distribution { classes: merged(classes) }
    }

    /// The same rows in `groups` non-empty groups among `rows` rows, if that is more: each cell is split into as many.
    pub fn split_into(self, groups: f64, rows: f64) -> Distribution {
        let count = |parts: f64, classes: &[Class]| -> f64 {
            classes.iter().map(|class| class.cells * parts * occupied(rows * class.share / parts)).sum()
        };
        let target = groups.min(rows);
        if count(1.0, &self.classes) >= target {
            return self;
        }
        let (mut low, mut high) = (1.0, MOST_PARTS);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if count(middle, &self.classes) < target { low = middle } else { high = middle }
        }
        self.split(high)
    }

    /// The same rows in cells each split into so many.
    pub fn split(mut self, parts: f64) -> Distribution {
        for class in &mut self.classes {
            class.cells *= parts;
            class.share /= parts;
        }
        self
    }

    /// The share of all pairs of rows that are in one cell.
    pub fn pairs_alike(&self) -> f64 {
        self.classes.iter().map(|class| class.cells * class.share * class.share).sum()
    }

    /// Expected number of non-empty groups among `rows` rows.
    pub fn group_count(&self, rows: f64) -> f64 {
        let count: f64 = self.classes.iter().map(|class| class.cells * occupied(rows * class.share)).sum();
        count.min(rows)
    }

    /// Share of the rows with each combination of NULL columns, ascending by mask.
    pub fn null_shares(&self) -> Vec<(NullMask, f64)> {
        let mut shares: Vec<(NullMask, f64)> = Vec::new();
        for class in &self.classes {
            let share = class.share * class.cells;
            match shares.binary_search_by_key(&class.nulls, |entry| entry.0) {
                Ok(at) => shares[at].1 += share,
                Err(at) => shares.insert(at, (class.nulls, share)),
            }
        }
        shares
    }

    /// The expected groups of `rows` rows by size. Rows fall into a cell at random (Poisson).
    pub fn groups(&self, rows: f64) -> Vec<Groups> {
        let mut groups = Vec::new();
        for class in &self.classes {
            let mean = rows * class.share;
            let mut push = |rows: f64, share: f64| {
                groups.push(Groups { nulls: class.nulls, rows, groups: class.cells * share });
            };
            if mean > POISSON_LIMIT {
                // A NULL or common value's frequency is known; only unknown values scatter.
                if class.cells <= 1.0 {
                    push(mean.round(), 1.0);
                } else {
                    for z in NORMAL_OCTILES {
                        push((mean + z * mean.sqrt()).round(), 1.0 / NORMAL_OCTILES.len() as f64);
                    }
                }
                continue;
            }
            let mut term = (-mean).exp();
            let mut rest = occupied(mean);
            let mut size = 0.0;
            while rest > 1e-9 * occupied(mean) && size < 4.0 * POISSON_LIMIT {
                size += 1.0;
                term *= mean / size;
                push(size, term);
                rest -= term;
            }
        }
        groups
    }
}

/// Probability that a cell with this expected number of rows has any.
fn occupied(mean: f64) -> f64 {
    -(-mean).exp_m1()
}

/// `(is NULL, share of a cell, cells)` of one column, shares adding up to 1.
fn column_classes(values: &Values<'_>, restriction: Restriction) -> Vec<(bool, f64, f64)> {
    if restriction == Restriction::OnlyNull {
        return vec![(true, 1.0, 1.0)];
    }
    let nulls = values.null_fraction.clamp(0.0, 1.0);
    let common: f64 = values.common.iter().sum();
    let others = (values.distinct - values.common.len() as f64).max(0.0);
    let other_share = (1.0 - nulls - common).max(0.0);
    let mut classes: Vec<(bool, f64, f64)> =
        values.common.iter().filter(|share| **share > 0.0).map(|share| (false, *share, 1.0)).collect();
    if other_share * values.tuples >= 0.5 && (others >= 0.5 || classes.is_empty()) {
        let rows = other_share * values.tuples;
        let (present, sampled) = ((1.0 - nulls) * values.tuples, (ANALYZE_SAMPLE / values.tuples).min(1.0));
        let mean = cell_mean(rows, others.max(1.0), values.common.len() as f64, present, sampled);
        classes.push((false, mean / values.tuples, rows / mean));
    }
    let mut present: f64 = classes.iter().map(|class| class.1 * class.2).sum();
    if let Restriction::SomeValues(share) = restriction {
        let cells: f64 = classes.iter().map(|class| class.2).sum();
        let kept = share.clamp(1.0 / cells.max(1.0), 1.0);
        classes.iter_mut().for_each(|class| class.2 *= kept);
        present *= kept;
    }
    let with_nulls = restriction == Restriction::None && nulls > 0.0;
    // Statistics of a sample rarely add up exactly.
    let target = if with_nulls { 1.0 - nulls } else { 1.0 };
    if present > 0.0 {
        classes.iter_mut().for_each(|class| class.1 *= target / present);
    }
    if with_nulls {
        classes.push((true, if present > 0.0 { nulls } else { 1.0 }, 1.0));
    }
    if classes.is_empty() {
        classes.push((false, 1.0, 1.0));
    }
    classes
}

/// The Poisson mean m of the rows in a cell, `rows` in all, for which ANALYZE finds so many `others` beside `common` values in a sample of
/// the share `sampled` of `present` rows.
///
/// ANALYZE's estimator (Haas and Stokes, in `compute_scalar_stats` of `analyze.c`) is exact where every value has the same
/// number of rows, and finds too few values where the numbers vary: where half of the rows have a few values and each of the others
/// one of its own, hardly any of those. What it finds of a mean is known, and is solved for m here.
fn cell_mean(rows: f64, others: f64, common: f64, present: f64, sampled: f64) -> f64 {
    let found = |mean: f64| {
        let once = sampled * rows * (-mean * sampled).exp();
        let distinct = common + rows / mean * occupied(mean * sampled);
        let all = sampled * present;
        all * distinct / (all - once + once * sampled) - common
    };
    let (mut low, mut high) = (LEAST_MEAN, (rows / others).max(1.0));
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if found(middle) > others { low = middle } else { high = middle }
    }
    high
}

/// Joins classes of about the same share; row and cell totals are kept.
fn merged(mut classes: Vec<Class>) -> Vec<Class> {
    classes.retain(|class| class.share > 0.0 && class.cells > 0.0);
    if classes.len() <= MOST_CLASSES {
        return classes;
    }
    let mut buckets: BTreeMap<(NullMask, i64), Class> = BTreeMap::new();
    for class in classes {
        let bucket = (class.share.log2() * BUCKETS_PER_OCTAVE).floor() as i64;
        buckets
            .entry((class.nulls, bucket))
            .and_modify(|joined| {
                let cells = joined.cells + class.cells;
                joined.share = (joined.share * joined.cells + class.share * class.cells) / cells;
                joined.cells = cells;
            })
            .or_insert(class);
    }
    buckets.into_values().collect()
}
