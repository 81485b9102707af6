//! A BRIN index as CREATE INDEX would build it: one summary tuple for each range of heap pages.
//!
//! Replays `brin_form_tuple` (brin_tuple.c) and the filling of pages on summaries drawn from column statistics. What a
//! summary holds is the operator class' affair; the classes of the server itself are known here, others are taken to be
//! like the one that their name says.

use super::shape::{Attribute, Draws, MAXALIGN, Shape, align};
use super::{Sample, SizeEstimate, Storage, parameter};
use crate::candidate::definition::{IndexDefinition, Key, KeyTarget, OperatorClass};
use crate::catalog::{Oid, Relation};

/// Estimates the index that `definition` would create on `relation`, of which the predicate keeps the share `kept`.
pub(super) fn estimate(
    definition: &IndexDefinition,
    relation: &Relation,
    kept: f64,
    storage: Storage,
    _sample: Option<&Sample>,
) -> Option<SizeEstimate> {
    let trees = f64::from(relation.leaves.max(1));
    let block_size = storage.block_size.max(1024);
    let ranges = ranges(definition, relation.pages / trees);
    let rows = relation.tuples / trees / ranges * kept;
    let columns: Vec<Column> = definition
        .keys
        .iter()
        .map(|key| Column::new(key, definition, relation, kept, rows, storage))
        .collect();
    let data = data_pages(&columns, rows, ranges, block_size);
    Some(SizeEstimate {
        pages: (1.0 + range_map_pages(ranges, block_size) + data) * trees,
        tuples: (relation.tuples * kept).round(),
        tree_height: None,
        block_size: storage.block_size,
    })
}

// From PostgreSQL's brin.h, brin_page.h and brin_tuple.h.
/// `BRIN_DEFAULT_PAGES_PER_RANGE`.
const PAGES_PER_RANGE: f64 = 128.0;
/// `SizeOfPageHeaderData` and the aligned `BrinSpecialSpace`.
const PAGE_OVERHEAD: u32 = 24 + 8;
const LINE_POINTER: u32 = 4;
/// `sizeof(ItemPointerData)`, an entry of the range map.
const RANGE_MAP_ENTRY: u32 = 6;
/// `SizeOfBrinTuple`.
const TUPLE_HEADER: u32 = 5;
/// `TOAST_INDEX_TARGET` as a share of the page (`MaxHeapTupleSize / 16`, heaptoast.h): larger values are compressed if they
/// can be.
const COMPRESSED_ABOVE: u32 = 16;
/// `MaxHeapTuplesPerPage` at 8192 bytes: aligned tuple headers of 24 bytes with line pointers.
const LEAST_HEAP_TUPLE: u32 = 24 + 4;
/// Most tuples placed in a replay; more ranges are extrapolated from the full pages.
const REPLAY_LIMIT: f64 = 4_000.0;

/// Ranges of a heap of `pages` pages: one at least.
fn ranges(definition: &IndexDefinition, pages: f64) -> f64 {
    (pages / pages_per_range(definition)).ceil().max(1.0)
}

/// Heap pages in a range, as the definition says or the server's default.
pub fn pages_per_range(definition: &IndexDefinition) -> f64 {
    parameter::<f64>(definition, "pages_per_range").unwrap_or(PAGES_PER_RANGE).max(1.0)
}

/// Pages of the map from ranges to their summaries (`REVMAP_PAGE_MAXITEMS` entries each).
pub fn range_map_pages(ranges: f64, block_size: u32) -> f64 {
    (ranges / f64::from((block_size - PAGE_OVERHEAD) / RANGE_MAP_ENTRY)).ceil().max(1.0)
}

/// Regular pages.
fn data_pages(columns: &[Column], rows: f64, ranges: f64, block_size: u32) -> f64 {
    let empty = block_size - PAGE_OVERHEAD;
    let (mut free, mut pages, mut before) = (empty, 1.0, 0.0);
    let mut placed = 0.0;
    while placed < ranges.min(REPLAY_LIMIT) {
        let size = tuple_size(columns, rows, &Draws(placed as u64)).min(empty - LINE_POINTER);
        if free < size + LINE_POINTER {
            (free, pages, before) = (empty, pages + 1.0, placed);
        }
        free -= size + LINE_POINTER;
        placed += 1.0;
    }
    if placed >= ranges || before == 0.0 {
        return pages;
    }
    (ranges * (pages - 1.0) / before).ceil()
}

/// Aligned size of one summary tuple.
fn tuple_size(columns: &[Column], rows: f64, draws: &Draws) -> u32 {
    let mut offset = 0;
    let mut any_null = false;
    for (index, column) in columns.iter().enumerate() {
        let nulls = column.attribute.null_fraction;
        // Rows of a range are NULL independently of each other.
        let all_null = if nulls >= 1.0 { 1.0 } else { nulls.powf(rows).max((-rows).exp()) };
        if draws.nth(3 * index) < all_null {
            any_null = true;
            continue;
        }
        any_null |= nulls > 0.0;
        offset = column.end(offset, index, draws);
    }
    // Two bits for each key where any has a NULL in the range.
    let bitmap = if any_null { (2 * columns.len() as u32).div_ceil(8) } else { 0 };
    align(align(TUPLE_HEADER + bitmap, MAXALIGN) + offset, MAXALIGN)
}

/// What an operator class stores for a range.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Summary {
    /// Least and greatest value.
    MinMax,
    /// The union of all values and two flags (brin_inclusion.c).
    Inclusion,
    /// One value of this many bytes, its varlena header of 4 bytes included.
    Serialized(u32),
}

/// One key column.
struct Column {
    attribute: Attribute,
    summary: Summary,
}

// Operator families of pg_opfamily.dat; all other built-in ones of BRIN are minmax.
const MINMAX_MULTI: std::ops::RangeInclusive<Oid> = 4602..=4615;
const BLOOM: std::ops::RangeInclusive<Oid> = 4572..=4590;
const INCLUSION: std::ops::RangeInclusive<Oid> = 4102..=4104;

impl Column {
    /// `rows` is the number of rows of a range that are summarised.
    fn new(
        key: &Key,
        definition: &IndexDefinition,
        relation: &Relation,
        kept: f64,
        rows: f64,
        storage: Storage,
    ) -> Column {
        let alone = IndexDefinition { keys: vec![key.clone()], ..definition.clone() };
        let shape = Shape::new(&alone, relation, kept, storage);
        let attribute = shape.keys[0];
        let class = &key.part.operator_class;
        let named = |word: &str| class.sql_name.as_ref().is_some_and(|name| name.contains(word));
        let block_size = storage.block_size.max(1024);
        let summary = if MINMAX_MULTI.contains(&class.family) || named("minmax_multi") {
            let distinct = distinct_in_range(&shape, key, relation, rows);
            let even = is_even_sequence(key, relation);
            Summary::Serialized(minmax_multi_size(class, &attribute, distinct, even, block_size))
        } else if BLOOM.contains(&class.family) || named("bloom") {
            let distinct = distinct_in_range(&shape, key, relation, rows);
            let most_rows = f64::from((block_size - 24) / LEAST_HEAP_TUPLE) * pages_per_range(definition);
            Summary::Serialized(bloom_size(class, most_rows, distinct, block_size))
        } else if INCLUSION.contains(&class.family) || named("inclusion") {
            Summary::Inclusion
        } else {
            Summary::MinMax
        };
        Column { attribute, summary }
    }

    /// Where the stored values end if those before ended at `offset`.
    fn end(&self, offset: u32, index: usize, draws: &Draws) -> u32 {
        match self.summary {
            Summary::MinMax => {
                let least = self.attribute.end(offset, draws.nth(3 * index + 1));
                self.attribute.end(least, draws.nth(3 * index + 2))
            }
            Summary::Inclusion => self.attribute.end(offset, draws.nth(3 * index + 1)) + 2,
            // A short header takes a byte and no alignment (VARATT_CAN_MAKE_SHORT).
            Summary::Serialized(size) if size - 3 <= 127 => offset + size - 3,
            Summary::Serialized(size) => align(offset, 4) + size,
        }
    }
}

/// Distinct values among the `rows` rows of one range.
///
/// Between the two cases where the answer is known: values in no order, and values in order, of which a range has its share.
fn distinct_in_range(shape: &Shape, key: &Key, relation: &Relation, rows: f64) -> f64 {
    let KeyTarget::Column(number) = key.part.target else { return shape.prefixes[0].group_count(rows) };
    let statistics = relation.column(number).and_then(|column| column.statistics.as_ref());
    let correlation = statistics.map_or(0.0, |statistics| statistics.correlation.abs().min(1.0));
    let scattered = shape.prefixes[0].group_count(rows);
    let total = shape.prefixes[0].group_count(relation.tuples);
    let ordered = (total * rows / relation.tuples.max(1.0)).max(1.0);
    scattered + correlation.powi(2) * (ordered - scattered).min(0.0)
}

/// An option of the operator class.
fn option(class: &OperatorClass, name: &str) -> Option<f64> {
    class.options.get(name)?.parse().ok()
}

/// Bytes of `SerializedRanges` (brin_minmax_multi.c) before its values.
const MULTI_HEADER: f64 = 20.0;
/// `MINMAX_MULTI_DEFAULT_VALUES_PER_PAGE`.
const MULTI_VALUES: f64 = 32.0;

/// Share of the allowed values that a summary has where more values were to be summarised: some of its intervals are single
/// values, which are stored once. Measured with random values.
const MULTI_FILLED: f64 = 0.96;
/// The same where all values are equally far from each other: of equal gaps it keeps neighbours, so that most of its
/// intervals are single values (`reduce_expanded_ranges` keeps half as many gaps as values). Measured with timestamps.
const MULTI_FILLED_EVENLY: f64 = 0.57;
/// What pglz leaves of sorted 8-byte integers, measured with 128 of them.
const INTEGERS_COMPRESSED: f64 = 0.76;
/// int8, timestamp, timestamptz.
const WIDE_INTEGERS: [Oid; 3] = [20, 1114, 1184];

fn minmax_multi_size(
    class: &OperatorClass,
    attribute: &Attribute,
    distinct: f64,
    even: bool,
    block_size: u32,
) -> u32 {
    let most = option(class, "values_per_range").unwrap_or(MULTI_VALUES);
    let filled = if even { MULTI_FILLED_EVENLY } else { MULTI_FILLED };
    let values = if distinct > most { most * filled } else { distinct.max(1.0) };
    let size = MULTI_HEADER + values.round() * f64::from(attribute.end(0, 0.5));
    let compressible = WIDE_INTEGERS.contains(&class.input_type);
    match size > f64::from(block_size / COMPRESSED_ABOVE) && compressible {
        true => (size * INTEGERS_COMPRESSED) as u32,
        false => size as u32,
    }
}

/// Whether a column looks like a counter or a clock: no value twice, in the order of the heap.
fn is_even_sequence(key: &Key, relation: &Relation) -> bool {
    let KeyTarget::Column(number) = key.part.target else { return false };
    let statistics = relation.column(number).and_then(|column| column.statistics.as_ref());
    statistics.is_some_and(|found| found.distinct <= -0.99 && found.correlation.abs() >= 0.99)
}

/// Bytes of `BloomFilter` (brin_bloom.c) before its bits.
const BLOOM_HEADER: f64 = 16.0;
/// `BLOOM_DEFAULT_NDISTINCT_PER_RANGE`, a share of the most rows that a range can have.
const BLOOM_DISTINCT: f64 = -0.1;
/// `BLOOM_MIN_NDISTINCT_PER_RANGE`.
const BLOOM_LEAST_DISTINCT: f64 = 16.0;
/// `BLOOM_DEFAULT_FALSE_POSITIVE_RATE`.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// The filter of one range, sized by `brin_bloom_get_ndistinct` and `bloom_init` for the most rows that a range can have, and
/// compressed where few of its bits are set.
fn bloom_size(class: &OperatorClass, most_rows: f64, distinct: f64, block_size: u32) -> u32 {
    let expected = match option(class, "n_distinct_per_range").unwrap_or(BLOOM_DISTINCT) {
        share if share < 0.0 => -share * most_rows,
        // 0 stands for the default.
        0.0 => -BLOOM_DISTINCT * most_rows,
        count => count,
    };
    let expected = expected.max(BLOOM_LEAST_DISTINCT).min(most_rows).floor();
    let rate = option(class, "false_positive_rate").unwrap_or(BLOOM_FALSE_POSITIVES).clamp(0.0001, 0.25);
    let ln_2 = std::f64::consts::LN_2;
    let bytes = ((-(expected * rate.ln()) / ln_2.powi(2)).ceil() / 8.0).ceil();
    let bits = 8.0 * bytes;
    let hashes = (ln_2 * bits / expected).round();
    let set = 1.0 - (-hashes * distinct / bits).exp();
    let size = BLOOM_HEADER + bytes;
    let size =
        if size > f64::from(block_size / COMPRESSED_ABOVE) { size * compressed(set, bytes) } else { size };
    size as u32
}

/// What share of a bit array of `bytes` is left by pglz (common/pg_lzcompress.c) if this share of its bits is set at random;
/// it gives up where less than a quarter is saved.
fn compressed(set: f64, bytes: f64) -> f64 {
    /// Share of the bits set, and what was left of arrays of 1132 and of 4463 bytes: measured with PostgreSQL 15.
    const MEASURED: [(f64, f64, f64); 13] = [
        (0.0, 0.022, 0.016),
        (0.0005, 0.032, 0.03),
        (0.001, 0.055, 0.039),
        (0.002, 0.09, 0.062),
        (0.004, 0.129, 0.099),
        (0.008, 0.184, 0.16),
        (0.012, 0.231, 0.201),
        (0.016, 0.262, 0.238),
        (0.024, 0.36, 0.302),
        (0.032, 0.445, 0.37),
        (0.05, 0.578, 0.498),
        (0.065, 0.75, 0.598),
        (0.088, 1.0, 0.75),
    ];
    let long = ((bytes - 1132.0) / (4463.0 - 1132.0)).clamp(0.0, 1.0);
    let sparse = set.min(1.0 - set).max(0.0);
    MEASURED.windows(2).find(|pair| sparse <= pair[1].0).map_or(1.0, |pair| {
        let at = |point: (f64, f64, f64)| point.1 + long * (point.2 - point.1);
        let (low, high) = (at(pair[0]), at(pair[1]));
        let left = low + (high - low) * (sparse - pair[0].0) / (pair[1].0 - pair[0].0);
        if left > 0.75 { 1.0 } else { left }
    })
}
