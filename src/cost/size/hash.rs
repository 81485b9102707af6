//! A hash index as CREATE INDEX would build it: buckets from the row count, overflow pages from rows of equal key.
//!
//! Replays `hashpage.c` and `hashinsert.c` in expectation: which bucket a value goes to is taken to be random.

use super::distribution::Groups;
use super::shape::Shape;
use super::{SizeEstimate, Storage, parameter};
use crate::candidate::definition::IndexDefinition;
use crate::catalog::Relation;
use std::collections::BTreeMap;

/// Estimates the index that `definition` would create on `relation`, of which the predicate keeps the share `kept`.
pub(super) fn estimate(
    definition: &IndexDefinition,
    relation: &Relation,
    kept: f64,
    storage: Storage,
) -> Option<SizeEstimate> {
    let shape = Shape::new(definition, relation, kept, storage);
    let pages = leaf_classes(relation)
        .into_iter()
        .map(|(leaves, tuples)| leaves * tree_pages(definition, &shape, tuples, kept, storage.block_size))
        .sum();
    Some(SizeEstimate {
        pages,
        tuples: (relation.tuples * kept).round(),
        tree_height: None,
        block_size: storage.block_size,
    })
}

/// Pages of the index on a table, or a leaf, of `heap_tuples` rows.
fn tree_pages(
    definition: &IndexDefinition,
    shape: &Shape,
    heap_tuples: f64,
    kept: f64,
    block_size: u32,
) -> f64 {
    let groups = present_groups(shape, (heap_tuples * kept).round());
    let table = Table::new(definition, block_size, heap_tuples, &groups);
    let overflow = table.overflow(&groups).round();
    // The first bit of each bitmap page is that page's own.
    let bitmaps = 1.0 + (overflow / (table.bits - 1.0)).floor();
    1.0 + table.allocated + bitmaps + overflow
}

/// Leaves of about the same size are taken as one: this many sizes in each doubling.
const LEAF_SIZES_PER_DOUBLING: f64 = 32.0;

/// `(number of leaves, rows of one)`: the size of a hash index goes up in large steps, so that a mean leaf stands for nothing.
fn leaf_classes(relation: &Relation) -> Vec<(f64, f64)> {
    let leaves = f64::from(relation.leaves.max(1));
    let known: f64 = relation.leaf_tuples.iter().sum();
    if relation.leaf_tuples.len() != relation.leaves as usize || known <= 0.0 {
        return vec![(leaves, (relation.tuples / leaves).ceil())];
    }
    let mut classes: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for tuples in &relation.leaf_tuples {
        let class =
            classes.entry((tuples.max(1.0).log2() * LEAF_SIZES_PER_DOUBLING).round() as i64).or_default();
        class.0 += 1.0;
        class.1 += tuples;
    }
    // The planner's number of rows, which may be newer.
    let scale = relation.tuples / known;
    classes.into_values().map(|(leaves, tuples)| (leaves, (tuples / leaves * scale).ceil())).collect()
}

/// The rows to be indexed, by equal key: NULL is not.
fn present_groups(shape: &Shape, rows: f64) -> Vec<Groups> {
    let Some(whole) = shape.prefixes.last() else { return Vec::new() };
    let groups = whole.groups(rows);
    let present = groups.into_iter().filter(|group| group.nulls == 0);
    if shape.unique {
        return present
            .map(|group| Groups { rows: 1.0, groups: group.rows * group.groups, ..group })
            .collect();
    }
    present.collect()
}

// Sizes and rules from PostgreSQL's hash.h, hashpage.c and hashutil.c.
/// `SizeOfPageHeaderData` and the aligned `HashPageOpaqueData`.
const PAGE_OVERHEAD: u32 = 24 + 16;
/// An index tuple of a 4-byte hash code, aligned, and its line pointer.
const ITEM: u32 = 8 + 8 + 4;
/// `HASH_DEFAULT_FILLFACTOR`.
const FILLFACTOR: u32 = 75;
/// `HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE` and `HASH_SPLITPOINT_PHASE_BITS`.
const GROUPS_WITH_ONE_PHASE: u32 = 10;
const PHASE_BITS: u32 = 2;
/// The most buckets that a build begins with (`_hash_init_metabuffer`).
const MOST_BUCKETS: f64 = 1_073_741_824.0;

/// The bucket pages of one index.
struct Table {
    /// Buckets in use.
    buckets: f64,
    /// Bucket pages, used or not: they come a splitpoint phase at a time.
    allocated: f64,
    /// Items in a page.
    capacity: f64,
    /// Bits in a bitmap page.
    bits: f64,
}

impl Table {
    fn new(definition: &IndexDefinition, block_size: u32, heap_tuples: f64, groups: &[Groups]) -> Table {
        let block_size = block_size.max(1024);
        let fillfactor = parameter(definition, "fillfactor").unwrap_or(FILLFACTOR);
        // `_hash_init`: at least 10 items in a bucket.
        let wanted = f64::from((block_size * fillfactor / 100 / ITEM).max(10));
        let initial = heap_tuples / wanted;
        let initial = match initial {
            few if few <= 2.0 => 2.0,
            many => with_phase(many.min(MOST_BUCKETS).floor()),
        };
        // More rows than the table's statistics promise, or just about as many: buckets are split on the way.
        let items: f64 = groups.iter().map(|group| group.rows * group.groups).sum();
        let buckets = initial.max((items / wanted).ceil());
        Table {
            buckets,
            allocated: with_phase(buckets).max(initial),
            capacity: f64::from((block_size - PAGE_OVERHEAD) / ITEM),
            bits: 8.0 * f64::from(1 << (block_size - PAGE_OVERHEAD).ilog2()),
        }
    }

    /// Expected number of overflow pages.
    fn overflow(&self, groups: &[Groups]) -> f64 {
        // A hash code picks its bucket by the bits of the current doubling; where that bucket is still to come, by one
        // bit less (`_hash_hashkey2bucket`). So the buckets that are not split yet get twice the rows.
        let doubling = 2f64.powf(self.buckets.log2().floor());
        let unsplit = 2.0 * doubling - self.buckets;
        let split = 2.0 * (self.buckets - doubling);
        let of_kind = |buckets: f64, share: f64| match buckets > 0.0 {
            true => self.overflow_of_kind(buckets, share, groups),
            false => 0.0,
        };
        of_kind(unsplit, 1.0 / doubling) + of_kind(split, 0.5 / doubling)
    }

    /// Overflow pages of `buckets` buckets that get this share of the distinct keys each.
    fn overflow_of_kind(&self, buckets: f64, share: f64, groups: &[Groups]) -> f64 {
        let (large, small): (Vec<Groups>, Vec<Groups>) =
            groups.iter().partition(|group| group.rows > LARGE_PAGES * self.capacity);
        let load = Load::new(&small, share, LARGE_PAGES * self.capacity);
        let alone = load.expected(|rows| self.chained(rows));
        // Groups of many pages rarely share a bucket: each adds to what the bucket has of the others.
        let added: f64 = large
            .iter()
            .map(|group| {
                group.groups * share * (load.expected(|rows| self.chained(rows + group.rows)) - alone)
            })
            .sum();
        buckets * (alone + added)
    }

    /// Overflow pages of a bucket of that many rows.
    fn chained(&self, rows: f64) -> f64 {
        ((rows / self.capacity).ceil() - 1.0).max(0.0)
    }
}

/// Keys of more rows than this many pages hold are placed one by one.
const LARGE_PAGES: f64 = 4.0;

/// `_hash_get_totalbuckets(_hash_spareindex(buckets))`: the buckets of all splitpoint phases begun. A doubling beyond the
/// tenth comes in four phases.
fn with_phase(buckets: f64) -> f64 {
    let group = buckets.max(1.0).log2().ceil();
    let whole = 2f64.powf(group);
    if group < f64::from(GROUPS_WITH_ONE_PHASE) {
        return whole;
    }
    let phase = 0.5 * whole / f64::from(1 << PHASE_BITS);
    0.5 * whole + ((buckets - 0.5 * whole) / phase).ceil() * phase
}

/// How many rows a bucket has: the probability of each number.
struct Load {
    probabilities: Vec<f64>,
}

/// Group sizes beyond this are joined with their neighbours, in steps of `SIZE_STEP`.
const EXACT_SIZES: f64 = 32.0;
const SIZE_STEP: f64 = 1.06;

impl Load {
    /// Of a bucket into which each key falls with probability `share`: a compound Poisson distribution, by Panjer's
    /// recursion. No group is larger than `largest`.
    fn new(groups: &[Groups], share: f64, largest: f64) -> Load {
        let mut sizes: BTreeMap<usize, f64> = Default::default();
        for group in groups.iter().filter(|group| group.rows >= 1.0) {
            let size = match group.rows {
                exact if exact <= EXACT_SIZES => exact,
                rows => EXACT_SIZES * SIZE_STEP.powf((rows / EXACT_SIZES).log(SIZE_STEP).round()),
            };
            // A rounded size stands for as many rows, in more or fewer groups.
            *sizes.entry(size.round() as usize).or_default() +=
                group.groups * share * group.rows / size.round();
        }
        let mean: f64 = sizes.iter().map(|(size, count)| *size as f64 * count).sum();
        let variance: f64 = sizes.iter().map(|(size, count)| (*size as f64).powi(2) * count).sum();
        let end = (mean + 8.0 * variance.sqrt() + 2.0 * largest) as usize;
        let mut probabilities = vec![0.0; end + 1];
        probabilities[0] = 1.0;
        for rows in 1..=end {
            let sum: f64 = sizes
                .range(..=rows)
                .map(|(size, count)| *size as f64 * count * probabilities[rows - size])
                .sum();
            probabilities[rows] = sum / rows as f64;
            // The recursion is linear: only proportions matter until the end.
            if probabilities[rows] > 1e200 {
                probabilities[..=rows].iter_mut().for_each(|probability| *probability *= 1e-200);
            }
        }
        let total: f64 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|probability| *probability /= total);
        Load { probabilities }
    }

    fn expected(&self, pages: impl Fn(f64) -> f64) -> f64 {
        self.probabilities
            .iter()
            .enumerate()
            .map(|(rows, probability)| probability * pages(rows as f64))
            .sum()
    }
}
