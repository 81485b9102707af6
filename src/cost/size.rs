//! `SizeEstimate`: the pages and height of the btree that CREATE INDEX would build, from column statistics.
//!
//! Replays PostgreSQL's bulk load (`nbtsort.c`) with index tuples drawn from the statistics. Says nothing of bloat: an
//! index that lives under writes grows beyond this. Never looks at an existing index's size.

mod distribution;
#[cfg(test)]
mod tests;

use crate::candidate::definition::{IndexDefinition, Key, KeyTarget};
use crate::catalog::{AttrNumber, Column, Oid, Relation};
use distribution::{Distribution, NullMask, Restriction, Values};

/// What a btree takes on disk just after CREATE INDEX; the sum of its trees for a partitioned table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeEstimate {
    /// Pages, with the metapage.
    pub pages: f64,
    /// Heap rows indexed.
    pub tuples: f64,
    /// Level of the root: 0 when the root is a leaf (as `_bt_getrootheight`); of one tree for a partitioned table.
    pub tree_height: u32,
    /// Bytes in a page.
    pub block_size: u32,
}

impl SizeEstimate {
    /// Bytes on disk.
    pub fn bytes(&self) -> f64 {
        self.pages * f64::from(self.block_size)
    }
}

/// Estimates the index that `definition` would create on `relation`.
///
/// `predicate_selectivity` is the share of the rows that the predicate of a partial index keeps (1 without predicate);
/// `block_size` is the server's `BLCKSZ`.
///
/// What statistics cannot tell is assumed as follows. Key columns are independent of each other, unless a unique index says
/// that rows differ. An expression has as many distinct values as the columns it reads (an upper bound). A column without
/// statistics holds no value twice. Each of these errs towards a larger index. Every collation is taken to be deterministic.
pub fn btree(
    definition: &IndexDefinition,
    relation: &Relation,
    predicate_selectivity: f64,
    block_size: u32,
) -> SizeEstimate {
    let trees = f64::from(relation.leaves.max(1));
    let kept = if definition.predicate.is_some() { predicate_selectivity.clamp(0.0, 1.0) } else { 1.0 };
    let tuples = (relation.tuples.max(0.0) * kept).round();
    let shape = Shape::new(definition, relation, kept);
    let load = Load { shape: &shape, page: Page::new(block_size), tuples: (tuples / trees).ceil() };
    let (pages, tree_height) = load.run();
    SizeEstimate { pages: pages * trees, tuples, tree_height, block_size }
}

// Sizes from PostgreSQL's headers (8-byte MAXALIGN, as on every 64-bit platform).
const MAXALIGN: u32 = 8;
/// `SizeOfPageHeaderData` and the aligned `BTPageOpaqueData`.
const PAGE_OVERHEAD: u32 = 24 + 16;
const LINE_POINTER: u32 = 4;
/// `sizeof(IndexTupleData)`.
const TUPLE_HEADER: u32 = 8;
/// `IndexInfoFindDataOffset` with a null bitmap, which is always of `INDEX_MAX_KEYS` (32) bits.
const TUPLE_HEADER_WITH_NULLS: u32 = 16;
/// `sizeof(ItemPointerData)`, one heap TID.
const HEAP_TID: u32 = 6;
/// `BTREE_DEFAULT_FILLFACTOR` and `BTREE_NONLEAF_FILLFACTOR`.
const LEAF_FILLFACTOR: u32 = 90;
const INTERNAL_FILLFACTOR: u32 = 70;
/// `get_typavgwidth`'s guess for a variable-width type.
const UNKNOWN_WIDTH: f64 = 32.0;
/// Most items loaded in a replay; a larger level is extrapolated from its full pages.
const REPLAY_LIMIT: f64 = 20_000.0;

/// `MAXALIGN()` for any power of two.
fn align(size: u32, alignment: u32) -> u32 {
    let alignment = alignment.max(1);
    size.div_ceil(alignment) * alignment
}

/// Page geometry of one `BLCKSZ`.
#[derive(Clone, Copy, Debug)]
struct Page {
    size: u32,
}

impl Page {
    fn new(size: u32) -> Page {
        Page { size: size.max(1024) }
    }

    /// `PageGetFreeSpace` of an empty page of a build, which reserves the high key's line pointer.
    fn free(self) -> i64 {
        i64::from(self.size - PAGE_OVERHEAD - 2 * LINE_POINTER)
    }

    /// `btps_full`: a page is finished once less than this is free.
    fn reserve(self, leaf: bool) -> i64 {
        let fillfactor = if leaf { LEAF_FILLFACTOR } else { INTERNAL_FILLFACTOR };
        i64::from(self.size * (100 - fillfactor) / 100)
    }

    /// `BTMaxItemSize`.
    fn item_limit(self) -> u32 {
        let header = align(24 + 3 * LINE_POINTER + 3 * HEAP_TID, MAXALIGN);
        (self.size - header - 16) / 3 / MAXALIGN * MAXALIGN
    }

    /// `maxpostingsize` of `_bt_load`: a posting list tuple takes a tenth of a page at most.
    fn posting_limit(self) -> u32 {
        self.size * 10 / 100 / MAXALIGN * MAXALIGN - LINE_POINTER
    }
}

/// How the stored length of an attribute varies between rows.
#[derive(Clone, Copy, Debug)]
enum Length {
    Fixed(u32),
    /// One of two lengths, two bytes apart; the longer one in this share of the rows.
    Either {
        shorter: u32,
        longer_share: f64,
    },
    /// Varlena (header included) or cstring, evenly spread between two lengths.
    Spread {
        least: f64,
        most: f64,
    },
}

/// One attribute of the index tuple.
#[derive(Clone, Copy, Debug)]
struct Attribute {
    length: Length,
    alignment: u32,
    null_fraction: f64,
}

/// Lengths of text are taken to lie within this share of their average.
const SPREAD: f64 = 0.25;
/// Longest varlena with a 1-byte header, which is stored unaligned (`VARATT_SHORT_MAX`).
const SHORT_VARLENA: u32 = 127;

impl Attribute {
    /// Where the attribute ends if the one before ended at `offset`. `draw` in [0, 1) chooses among the lengths.
    fn end(&self, offset: u32, draw: f64) -> u32 {
        let length = match self.length {
            Length::Fixed(length) => return align(offset, self.alignment) + length,
            Length::Either { shorter, longer_share } => shorter + if draw < longer_share { 2 } else { 0 },
            Length::Spread { least, most } => (least + draw * (most - least)).round().max(1.0) as u32,
        };
        length + if length <= SHORT_VARLENA { offset } else { align(offset, self.alignment) }
    }
}

/// The index tuples of a definition: attributes, distributions of every key prefix, and whether equal keys share a tuple.
struct Shape {
    keys: Vec<Attribute>,
    include: Vec<Attribute>,
    /// Of the first n + 1 keys.
    prefixes: Vec<Distribution>,
    /// A unique index tells that no two rows have the same key.
    unique: bool,
    deduplicates: bool,
}

impl Shape {
    fn new(definition: &IndexDefinition, relation: &Relation, kept: f64) -> Shape {
        let keys: Vec<Attribute> = definition.keys.iter().map(|key| key_attribute(key, relation)).collect();
        let include: Vec<Attribute> = definition
            .include
            .iter()
            .filter_map(|number| relation.column(*number))
            .map(column_attribute)
            .collect();
        let mut prefixes = Vec::new();
        let mut joint = Distribution::unit();
        for (key, attribute) in definition.keys.iter().zip(&keys) {
            let restriction = restriction(definition, key, relation, kept, attribute.null_fraction);
            joint = key_values(key, relation, attribute, |values| joint.with(&values, restriction));
            prefixes.push(joint.clone());
        }
        Shape {
            unique: rows_differ(definition, relation),
            deduplicates: include.is_empty() && definition.keys.iter().all(deduplicates),
            keys,
            include,
            prefixes,
        }
    }

    /// Size of an index tuple of the first `keys` keys (and the included columns where asked) without posting list.
    ///
    /// `draws` are this tuple's random choices; the null bits of the keys come from `nulls`.
    fn tuple_size(&self, keys: usize, with_include: bool, nulls: NullMask, draws: &Draws) -> u32 {
        let mut offset = 0;
        let mut has_null = false;
        let include = if with_include { self.include.as_slice() } else { &[] };
        for (index, attribute) in self.keys[..keys].iter().chain(include).enumerate() {
            let null = match index < keys {
                true => nulls >> index.min(31) & 1 == 1,
                false => draws.nth(2 * index + 1) < attribute.null_fraction,
            };
            if null {
                has_null = true;
            } else {
                offset = attribute.end(offset, draws.nth(2 * index));
            }
        }
        align(if has_null { TUPLE_HEADER_WITH_NULLS } else { TUPLE_HEADER } + offset, MAXALIGN)
    }
}

/// Evenly scattered numbers for the n-th tuple of a replay (Kronecker's additive sequence), the same each time.
struct Draws(f64);

impl Draws {
    /// In [0, 1), one for each dimension.
    fn nth(&self, dimension: usize) -> f64 {
        // Fractional parts of square roots of primes: linearly independent over the rationals.
        const STEPS: [f64; 12] = [
            0.414_213_562,
            0.732_050_807,
            0.236_067_977,
            0.645_751_311,
            0.316_624_790,
            0.605_551_275,
            0.123_105_625,
            0.358_898_943,
            0.795_831_523,
            0.385_164_807,
            0.567_764_362,
            0.082_762_530,
        ];
        ((self.0 + 0.5) * STEPS[dimension % STEPS.len()]).fract()
    }
}

/// One item to be loaded: its size without and with posting list.
#[derive(Clone, Copy)]
struct Item {
    base: u32,
    size: u32,
}

/// Items of one kind: `count` tuples with these NULL keys and this many heap TIDs.
struct Kind {
    nulls: NullMask,
    tids: u32,
    count: f64,
}

/// A bulk load of one tree.
struct Load<'a> {
    shape: &'a Shape,
    page: Page,
    tuples: f64,
}

impl Load<'_> {
    /// Pages with the metapage, and the level of the root.
    fn run(&self) -> (f64, u32) {
        if self.tuples < 1.0 {
            return (1.0, 0);
        }
        let kinds = self.leaf_kinds();
        let items: f64 = kinds.iter().map(|kind| kind.count).sum();
        let mut level_pages = self.level(true, items, &self.leaf_items(&kinds, items));
        let mut pages = 1.0 + level_pages;
        let mut height = 0;
        let pivots = if level_pages > 1.0 { self.pivots(level_pages, items) } else { Vec::new() };
        while level_pages > 1.0 {
            level_pages = self.level(false, level_pages, &pivots[..pivots.len().min(level_pages as usize)]);
            pages += level_pages;
            height += 1;
        }
        (pages, height)
    }

    /// What the leaf level holds.
    fn leaf_kinds(&self) -> Vec<Kind> {
        let whole = self.shape.prefixes.last().expect("an index has a key");
        if self.shape.unique || !self.shape.deduplicates {
            let shares = whole.null_shares();
            return shares
                .into_iter()
                .map(|(nulls, share)| Kind { nulls, tids: 1, count: share * self.tuples })
                .collect();
        }
        let mut kinds = Vec::new();
        for group in whole.groups(self.tuples) {
            let base = self.shape.tuple_size(self.shape.keys.len(), false, group.nulls, &Draws(0.0));
            // `_bt_dedup_save_htid` refuses a TID that would make the tuple larger than the limit.
            let most = self.page.posting_limit() / MAXALIGN * MAXALIGN;
            let capacity = f64::from((most.saturating_sub(base) / HEAP_TID).max(1));
            let full = (group.rows / capacity).floor();
            let rest = group.rows - full * capacity;
            if full > 0.0 {
                kinds.push(Kind { nulls: group.nulls, tids: capacity as u32, count: full * group.groups });
            }
            if rest >= 1.0 {
                kinds.push(Kind { nulls: group.nulls, tids: rest as u32, count: group.groups });
            }
        }
        kinds
    }

    /// The leaf items in a well-mixed order, or an even sample of at most `REPLAY_LIMIT`.
    fn leaf_items(&self, kinds: &[Kind], items: f64) -> Vec<Item> {
        let scale = (REPLAY_LIMIT / items).min(1.0);
        let mut drawn: Vec<(NullMask, u32)> = Vec::new();
        let mut sum = 0.0;
        for kind in kinds {
            sum += kind.count * scale;
            drawn.resize((sum.round() as usize).max(drawn.len()), (kind.nulls, kind.tids));
        }
        if drawn.is_empty() {
            drawn.extend(kinds.first().map(|kind| (kind.nulls, kind.tids)));
        }
        let keys = self.shape.keys.len();
        mixed(&drawn)
            .enumerate()
            .map(|(index, (nulls, tids))| {
                let base = self.shape.tuple_size(keys, true, nulls, &Draws(index as f64));
                let base = base.min(self.page.item_limit());
                let size = if tids > 1 { align(base + tids * HEAP_TID, MAXALIGN) } else { base };
                Item { base, size }
            })
            .collect()
    }

    /// The pivot tuples of the internal levels: high keys of leaf pages, truncated as `_bt_truncate` does.
    ///
    /// A pivot keeps the keys up to the first that differs between its two neighbours in the leaf level, which is as likely
    /// as the distinct prefixes are many; if none differs, all keys and a heap TID.
    fn pivots(&self, count: f64, items: f64) -> Vec<Item> {
        let keys = self.shape.keys.len();
        let mut differ: Vec<f64> =
            self.shape.prefixes.iter().map(|prefix| prefix.group_count(self.tuples) / items).collect();
        if self.shape.unique {
            differ[keys - 1] = 1.0;
        }
        let shares = self.shape.prefixes[keys - 1].null_shares();
        (0..count.min(REPLAY_LIMIT) as usize)
            .map(|index| {
                let draws = Draws(index as f64);
                let choice = draws.nth(11);
                let kept =
                    differ.iter().position(|share| choice < *share).map_or(keys, |position| position + 1);
                let tie = choice >= differ[keys - 1];
                let mut nulls = draws.nth(10);
                let mask = shares.iter().find(|(_, share)| {
                    nulls -= share;
                    nulls < 0.0
                });
                let mask = mask.map_or(0, |(mask, _)| *mask);
                let size = self.shape.tuple_size(kept, false, mask, &draws);
                let size = size + if tie { align(HEAP_TID, MAXALIGN) } else { 0 };
                Item { base: size, size }
            })
            .collect()
    }

    /// Pages of a level of `count` items of which `sample` is typical (the items themselves if it has them all).
    fn level(&self, leaf: bool, count: f64, sample: &[Item]) -> f64 {
        let reserve = self.page.reserve(leaf);
        let tid = if leaf { i64::from(align(HEAP_TID, MAXALIGN)) } else { 0 };
        let (mut free, mut on_page) = (self.page.free(), 0);
        let (mut finished, mut loaded) = (0.0, 0.0);
        let mut last = Item { base: 0, size: 0 };
        for item in sample {
            // The condition of `_bt_buildadd`; the posting list of the last item counts as free, for it is cut off
            // when that item becomes the high key.
            let posting = if leaf { i64::from(last.size - last.base) } else { 0 };
            if on_page > 0 && (free < i64::from(item.size) + tid || (free + posting < reserve && on_page > 1))
            {
                finished += 1.0;
                loaded += f64::from(on_page - 1);
                // The last item moves to the new page. First items of internal pages have no key.
                let moved = if leaf { last.size } else { TUPLE_HEADER };
                free = self.page.free() - i64::from(moved + LINE_POINTER);
                on_page = 1;
            }
            let size = if leaf || on_page > 0 { item.size } else { TUPLE_HEADER };
            free -= i64::from(size + LINE_POINTER);
            on_page += 1;
            last = *item;
        }
        if count <= sample.len() as f64 + 0.5 || finished == 0.0 {
            return finished + 1.0;
        }
        (count * finished / loaded).ceil()
    }
}

/// All of `items`, each once, far from their neighbours (steps near the golden section).
fn mixed<T: Copy>(items: &[T]) -> impl Iterator<Item = T> + '_ {
    let length = items.len();
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let mut step = ((length as f64 * 0.618_033_988_75) as usize).max(1);
    while gcd(step, length) > 1 {
        step += 1;
    }
    (0..length).map(move |index| items[index * step % length])
}

// --- what the catalog says of a key -----------------------------------------------------------------------------------

/// Types from `pg_type.dat` that are treated apart.
const BOOL: Oid = 16;
const NAME: Oid = 19;
const BYTEA: Oid = 17;
const BPCHAR: Oid = 1042;
const NUMERIC: Oid = 1700;
/// First OID of objects that are not built in (`FirstNormalObjectId`).
const FIRST_USER_OID: Oid = 16384;

/// Input types whose built-in btree operator class has an `equalimage` support function (`pg_amproc.dat`, procedure 4):
/// bool, bytea, "char", name, int8, int2, int4, text, oid, tid, oidvector, macaddr8, money, macaddr, inet, date, time,
/// timestamp, timestamptz, timetz, bit, varbit, uuid, pg_lsn, anyenum, xid8. Not bpchar, which has one, too: minor releases of November 2026 (15.20) stopped sharing its tuples.
const EQUAL_IMAGE_TYPES: [Oid; 26] = [
    16, 17, 18, 19, 20, 21, 23, 25, 26, 27, 30, 774, 790, 829, 869, 1082, 1083, 1114, 1184, 1266, 1560, 1562,
    2950, 3220, 3500, 5069,
];

/// Whether equal values of a key may share an index tuple (`_bt_allequalimage`).
fn deduplicates(key: &Key) -> bool {
    let class = &key.part.operator_class;
    class.oid < FIRST_USER_OID && EQUAL_IMAGE_TYPES.contains(&class.input_type)
}

fn column_attribute(column: &Column) -> Attribute {
    let (width, nulls, all_differ) = match &column.statistics {
        // ANALYZE stores 0 where it saw only NULLs.
        Some(statistics) => (
            Some(statistics.average_width).filter(|width| *width > 0.0),
            statistics.null_fraction,
            statistics.distinct <= -0.9,
        ),
        None => (None, 0.0, true),
    };
    Attribute {
        length: length(column.type_oid, column.type_length, width, all_differ),
        alignment: u32::from(column.alignment),
        null_fraction: nulls,
    }
}

fn key_attribute(key: &Key, relation: &Relation) -> Attribute {
    let missing = Attribute { length: length(0, -1, None, true), alignment: 4, null_fraction: 0.0 };
    match &key.part.target {
        KeyTarget::Column(number) => relation.column(*number).map_or(missing, column_attribute),
        KeyTarget::Expression(expression) => {
            // A strict expression is NULL where any of its columns is.
            let present: f64 = statistics_of(&expression.columns, relation)
                .map(|column| column.statistics.as_ref().map_or(1.0, |s| 1.0 - s.null_fraction))
                .product();
            let width = Some(expression.average_width).filter(|width| *width > 0.0);
            Attribute {
                length: length(expression.type_oid, expression.type_length, width, true),
                alignment: u32::from(expression.alignment),
                null_fraction: 1.0 - present,
            }
        }
    }
}

fn statistics_of<'a>(columns: &'a [AttrNumber], relation: &'a Relation) -> impl Iterator<Item = &'a Column> {
    columns.iter().filter_map(|number| relation.column(*number))
}

/// The spread of lengths around an average of which statistics keep only the integer part.
fn length(type_oid: Oid, type_length: i16, width: Option<f64>, all_differ: bool) -> Length {
    match type_oid {
        // The opclass stores a `name` as a C string, but its statistics say 64.
        NAME => return Length::Spread { least: 5.0, most: 25.0 },
        _ if type_length > 0 => return Length::Fixed(type_length as u32),
        _ => {}
    }
    let width = width.unwrap_or(UNKNOWN_WIDTH).max(1.0);
    let whole = width.floor();
    // Hashes and UUIDs: a 1-byte header and 16, 20 or 32 bytes, or 32, 36, 40 or 64 characters, in every row.
    let hashes: &[f64] = if type_oid == BYTEA { &[17.0, 21.0, 33.0] } else { &[33.0, 37.0, 41.0, 65.0] };
    match type_oid {
        BPCHAR => Length::Spread { least: whole, most: whole },
        NUMERIC => {
            // 3 bytes of headers and 2 for each four digits, so an even average is one of different lengths.
            let even = whole as u32 % 2 == 0;
            let shorter = (whole as u32 - u32::from(even && whole > 3.0)).max(3);
            Length::Either { shorter, longer_share: if even { 0.75 } else { 0.0 } }
        }
        _ if whole <= 2.0 || all_differ && hashes.contains(&whole) => {
            Length::Spread { least: whole, most: whole }
        }
        _ => {
            let spread = SPREAD * whole;
            Length::Spread { least: whole + 0.5 - spread, most: whole + 0.5 + spread }
        }
    }
}

/// Calls `use_values` with what is known of the values of a key.
fn key_values<T>(
    key: &Key,
    relation: &Relation,
    attribute: &Attribute,
    use_values: impl FnOnce(Values<'_>) -> T,
) -> T {
    let tuples = relation.tuples.max(1.0);
    let null_fraction = attribute.null_fraction;
    let columns = key.part.target.columns();
    let (type_oid, plain) = match &key.part.target {
        KeyTarget::Column(number) => (relation.column(*number).map_or(0, |column| column.type_oid), true),
        KeyTarget::Expression(expression) => (expression.type_oid, false),
    };
    if type_oid == BOOL && !plain {
        return use_values(Values { tuples, null_fraction, common: &[], distinct: 2.0 });
    }
    // Of one column: its own common values, which a function of it can only join.
    let single = match columns {
        [number] => relation.column(*number).and_then(|column| column.statistics.as_ref()),
        _ => None,
    };
    let present = tuples * (1.0 - null_fraction);
    let distinct = |number: &AttrNumber| {
        let column = relation.column(*number)?;
        match &column.statistics {
            Some(statistics) => statistics.distinct_values(tuples),
            None if column.type_oid == BOOL => Some(2.0),
            None => None,
        }
    };
    let product: f64 = columns.iter().map(|number| distinct(number).unwrap_or(present)).product();
    use_values(Values {
        tuples,
        null_fraction,
        common: single.map_or(&[], |statistics| statistics.common_frequencies.as_slice()),
        distinct: if columns.is_empty() { 1.0 } else { product.min(present.max(1.0)) },
    })
}

/// What the definition's predicate leaves of a key's values.
///
/// Only a predicate on nothing but this column, or a plain conjunction with a NULL test of it, says anything; all other
/// predicates are taken to be independent of the column.
fn restriction(
    definition: &IndexDefinition,
    key: &Key,
    relation: &Relation,
    kept: f64,
    null_fraction: f64,
) -> Restriction {
    let (Some(predicate), KeyTarget::Column(number)) = (&definition.predicate, &key.part.target) else {
        return Restriction::None;
    };
    let (Some(column), true) = (relation.column(*number), predicate.columns.contains(number)) else {
        return Restriction::None;
    };
    let plain = !["OR ", "NOT (", "CASE "].iter().any(|word| predicate.sql.contains(word));
    let tests = |test: &str| {
        let text = format!("{} {test}", column.sql_name);
        plain && (predicate.sql == text || predicate.sql.contains(&format!("({text})")))
    };
    if tests("IS NULL") {
        Restriction::OnlyNull
    } else if tests("IS NOT NULL") {
        Restriction::NotNull
    } else if predicate.columns == [*number] && plain {
        Restriction::SomeValues((kept / (1.0 - null_fraction).max(f64::EPSILON)).min(1.0))
    } else {
        Restriction::None
    }
}

/// Whether an existing unique index on some of the key columns proves that no two rows have the same key.
fn rows_differ(definition: &IndexDefinition, relation: &Relation) -> bool {
    let keys: Vec<AttrNumber> = definition
        .keys
        .iter()
        .filter_map(|key| match key.part.target {
            KeyTarget::Column(number) => Some(number),
            KeyTarget::Expression(_) => None,
        })
        .collect();
    let never_null = |number: &AttrNumber| {
        let statistics = relation.column(*number).and_then(|column| column.statistics.as_ref());
        statistics.is_some_and(|statistics| statistics.null_fraction == 0.0)
    };
    relation.indexes.iter().filter(|index| index.unique && index.valid).any(|index| {
        index.definition.as_ref().is_some_and(|existing| {
            existing.predicate.is_none()
                && existing.keys.iter().all(|key| match &key.part.target {
                    KeyTarget::Column(number) => keys.contains(number) && never_null(number),
                    KeyTarget::Expression(_) => false,
                })
        })
    })
}
