//! `Shape`: the index tuples that a definition makes, as far as the catalog's statistics tell.
//!
//! Attribute lengths, alignment, NULLs, how often keys are equal, and whether equal keys share a tuple. Knows no pages.

use super::Storage;
use super::distribution::{Distribution, NullMask, Restriction, Values};
use crate::candidate::definition::{Expression, IndexDefinition, Key, KeyTarget};
use crate::catalog::{AttrNumber, Column, ColumnGroup, Oid, Relation};
use std::ops::Range;

/// `MAXALIGN` of every 64-bit platform.
pub(super) const MAXALIGN: u32 = 8;
/// `sizeof(IndexTupleData)`.
pub(super) const TUPLE_HEADER: u32 = 8;
/// `IndexInfoFindDataOffset` with a null bitmap, which is always of `INDEX_MAX_KEYS` (32) bits.
const TUPLE_HEADER_WITH_NULLS: u32 = 16;
/// `get_typavgwidth`'s guess for a variable-width type.
const UNKNOWN_WIDTH: f64 = 32.0;

/// `MAXALIGN()` for any power of two.
pub(super) fn align(size: u32, alignment: u32) -> u32 {
    let mask = alignment.max(1) - 1;
    (size + mask) & !mask
}

/// How the stored length of an attribute varies between rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    Fixed(u32),
    /// One of two lengths, two bytes apart; the longer one in this share of the rows.
    Either {
        shorter: u32,
        longer_share: f64,
    },
    /// Varlena (header included): evenly spaced quantiles of what is known of the values.
    Known([u32; QUANTILES]),
    /// Varlena (header included) or cstring, evenly spread between two lengths.
    Spread {
        least: f64,
        most: f64,
    },
}

/// One attribute of the index tuple.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    length: Length,
    alignment: u32,
    pub null_fraction: f64,
}

/// A length that fewer rows than one in so many have makes no difference.
const QUANTILES: usize = 32;
/// Lengths of text are taken to lie within this share of their average.
const SPREAD: f64 = 0.25;
/// Longest varlena with a 1-byte header, which is stored unaligned (`VARATT_SHORT_MAX`).
const SHORT_VARLENA: u32 = 127;

impl Attribute {
    /// Where the attribute ends if the one before ended at `offset`. `draw` in [0, 1) chooses among the lengths.
    pub fn end(&self, offset: u32, draw: f64) -> u32 {
        let length = match self.length {
            Length::Fixed(length) => return align(offset, self.alignment) + length,
            Length::Known(quantiles) => quantiles[((draw * QUANTILES as f64) as usize).min(QUANTILES - 1)],
            Length::Either { shorter, longer_share } => shorter + if draw < longer_share { 2 } else { 0 },
            Length::Spread { least, most } => ((least + draw * (most - least) + 0.5) as u32).max(1),
        };
        length + if length <= SHORT_VARLENA { offset } else { align(offset, self.alignment) }
    }
}

/// The index tuples of a definition: attributes, distributions of every key prefix, and whether equal keys share a tuple.
pub(super) struct Shape {
    pub keys: Vec<Attribute>,
    include: Vec<Attribute>,
    /// Of the first n + 1 keys.
    pub prefixes: Vec<Distribution>,
    /// A unique index tells that no two rows have the same key.
    pub unique: bool,
    pub deduplicates: bool,
}

impl Shape {
    /// `kept` is the share of rows that the predicate keeps, 0 to 1.
    pub fn new(definition: &IndexDefinition, relation: &Relation, kept: f64, storage: Storage) -> Shape {
        let keys: Vec<Attribute> = definition.keys.iter().map(|key| key_attribute(key, relation)).collect();
        let include: Vec<Attribute> = definition
            .include
            .iter()
            .filter_map(|number| relation.column(*number))
            .map(column_attribute)
            .collect();
        let joint = Joint { definition, relation, kept, attributes: &keys };
        let prefixes = (1..=keys.len()).map(|length| joint.distribution(length)).collect();
        Shape {
            unique: rows_differ(definition, relation),
            deduplicates: include.is_empty()
                && allows_deduplication(definition)
                && definition.keys.iter().all(|key| deduplicates(key, storage)),
            keys,
            include,
            prefixes,
        }
    }

    /// Whether all rows with the same NULL keys make index tuples of the same size.
    pub fn is_even(&self) -> bool {
        let is_fixed = |attribute: &Attribute| matches!(attribute.length, Length::Fixed(_));
        let is_there = |attribute: &Attribute| attribute.null_fraction == 0.0;
        self.keys.iter().all(is_fixed)
            && self.include.iter().all(|attribute| is_fixed(attribute) && is_there(attribute))
    }

    /// Size of an index tuple of the first `keys` keys (and the included columns where asked) without posting list.
    ///
    /// `draws` are this tuple's random choices; the null bits of the keys come from `nulls`.
    pub fn tuple_size(&self, keys: usize, with_include: bool, nulls: NullMask, draws: &Draws) -> u32 {
        let mut offset = 0;
        let mut has_null = false;
        let include = if with_include { self.include.as_slice() } else { &[] };
        for (index, attribute) in self.keys[..keys].iter().chain(include).enumerate() {
            let null = match index < keys {
                true => nulls >> index.min(31) & 1 == 1,
                false => attribute.null_fraction > 0.0 && draws.nth(2 * index + 1) < attribute.null_fraction,
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
pub(super) struct Draws(pub u64);

impl Draws {
    /// In [0, 1), one for each dimension.
    pub fn nth(&self, dimension: usize) -> f64 {
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
        // Half a step, in parts of 2^64: an overflow drops the whole steps. A replay draws millions.
        const HALF_STEPS: [u64; 12] = {
            let mut halves = [0; 12];
            let mut at = 0;
            while at < halves.len() {
                halves[at] = (STEPS[at] * (1_u64 << 63) as f64) as u64;
                at += 1;
            }
            halves
        };
        let part = (2 * self.0 + 1).wrapping_mul(HALF_STEPS[dimension % HALF_STEPS.len()]);
        (part >> 11) as i64 as f64 / (1_u64 << 53) as f64
    }
}

/// Types from `pg_type.dat` that are treated apart.
const BOOL: Oid = 16;
const NAME: Oid = 19;
const BYTEA: Oid = 17;
const INET: Oid = 869;
const BPCHAR: Oid = 1042;
const TEXT_TYPES: [Oid; 3] = [25, BPCHAR, 1043];
const NUMERIC: Oid = 1700;
/// int4range, tsrange, tstzrange, daterange, int8range: bounds of one length each.
const FIXED_RANGES: [Oid; 5] = [3904, 3908, 3910, 3912, 3926];
/// First OID of objects that are not built in (`FirstNormalObjectId`).
const FIRST_USER_OID: Oid = 16384;

/// Input types whose built-in btree operator class has an `equalimage` support function (`pg_amproc.dat`, procedure 4):
/// bool, bytea, "char", name, int8, int2, int4, text, oid, tid, oidvector, macaddr8, money, macaddr, inet, date, time,
/// timestamp, timestamptz, timetz, bit, varbit, uuid, pg_lsn, anyenum, xid8. bpchar depends on the server, see `Storage`.
const EQUAL_IMAGE_TYPES: [Oid; 26] = [
    16, 17, 18, 19, 20, 21, 23, 25, 26, 27, 30, 774, 790, 829, 869, 1082, 1083, 1114, 1184, 1266, 1560, 1562,
    2950, 3220, 3500, 5069,
];

/// The storage parameter `deduplicate_items` of a btree.
fn allows_deduplication(definition: &IndexDefinition) -> bool {
    let value = definition.parameters.get("deduplicate_items").map(String::as_str);
    !matches!(value, Some("off" | "false" | "no" | "0"))
}

/// Whether equal values of a key may share an index tuple (`_bt_allequalimage`).
fn deduplicates(key: &Key, storage: Storage) -> bool {
    let class = &key.part.operator_class;
    class.oid < FIRST_USER_OID
        && (EQUAL_IMAGE_TYPES.contains(&class.input_type)
            || class.input_type == BPCHAR && storage.bpchar_deduplicates)
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
    let known = column.statistics.as_ref().and_then(|statistics| quantiles(&statistics.lengths));
    Attribute {
        length: known.unwrap_or_else(|| length(column.type_oid, column.type_length, width, all_differ)),
        alignment: u32::from(column.alignment),
        null_fraction: nulls,
    }
}

/// Lengths with their shares, ascending, as quantiles; None without any.
fn quantiles(lengths: &[(u32, f64)]) -> Option<Length> {
    let (longest, _) = lengths.last()?;
    let mut quantiles = [*longest; QUANTILES];
    let (mut at, mut passed) = (0, 0.0);
    for (position, quantile) in quantiles.iter_mut().enumerate() {
        let middle = (position as f64 + 0.5) / QUANTILES as f64;
        while at + 1 < lengths.len() && passed + lengths[at].1 < middle {
            passed += lengths[at].1;
            at += 1;
        }
        *quantile = lengths[at].0;
    }
    Some(Length::Known(quantiles))
}

fn key_attribute(key: &Key, relation: &Relation) -> Attribute {
    let missing = Attribute { length: length(0, -1, None, true), alignment: 4, null_fraction: 0.0 };
    match &key.part.target {
        KeyTarget::Column(number) => relation.column(*number).map_or(missing, column_attribute),
        KeyTarget::Expression(expression) => {
            if let Some(known) = relation.expression_statistics.get(&expression.sql) {
                let width = Some(stored_width(expression, known.average_width)).filter(|width| *width > 0.0);
                return Attribute {
                    length: length(
                        expression.type_oid,
                        expression.type_length,
                        width,
                        known.distinct <= -0.9,
                    ),
                    alignment: u32::from(expression.alignment),
                    null_fraction: known.null_fraction,
                };
            }
            // A strict expression is NULL where any of its columns is.
            let present: f64 = statistics_of(&expression.columns, relation)
                .map(|column| column.statistics.as_ref().map_or(1.0, |s| 1.0 - s.null_fraction))
                .product();
            let width = text_width(expression, relation)
                .or(Some(expression.average_width))
                .filter(|width| *width > 0.0);
            Attribute {
                length: length(expression.type_oid, expression.type_length, width, true),
                alignment: u32::from(expression.alignment),
                null_fraction: 1.0 - present,
            }
        }
    }
}

/// The width in an index tuple of a computed value: its statistics count a varlena's 4-byte header, and index_form_tuple (indextuple.c)
/// gives a short one the 1-byte header (`VARATT_CAN_MAKE_SHORT`).
fn stored_width(expression: &Expression, width: f64) -> f64 {
    let saved = 3.0;
    let short = expression.type_length == -1 && width - saved <= f64::from(SHORT_VARLENA) && width > saved;
    if short { width - saved } else { width }
}

/// The average width of the text that a text expression is made of: `lower(email)` is as long as `email`.
fn text_width(expression: &Expression, relation: &Relation) -> Option<f64> {
    let is_text = |oid: Oid| TEXT_TYPES.contains(&oid);
    match expression.columns.as_slice() {
        [number] if is_text(expression.type_oid) => {
            let column = relation.column(*number).filter(|column| is_text(column.type_oid))?;
            column.statistics.as_ref().map(|statistics| statistics.average_width)
        }
        _ => None,
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
    // Values that have the same length in every row. Hashes and UUIDs: a 1-byte header and 16, 20 or 32 bytes, or 32, 36,
    // 40 or 64 characters. Addresses: a header, family and prefix length, and 4 or 16 bytes.
    let constant: &[f64] = match type_oid {
        BYTEA if all_differ => &[17.0, 21.0, 33.0],
        INET => &[7.0, 19.0],
        _ if all_differ => &[33.0, 37.0, 41.0, 65.0],
        _ => &[],
    };
    match type_oid {
        BPCHAR => Length::Spread { least: whole, most: whole },
        _ if FIXED_RANGES.contains(&type_oid) => Length::Spread { least: whole, most: whole },
        NUMERIC => {
            // 3 bytes of headers and 2 for each four digits, so an even average is one of different lengths.
            let even = (whole as u32).is_multiple_of(2);
            let shorter = (whole as u32 - u32::from(even && whole > 3.0)).max(3);
            Length::Either { shorter, longer_share: if even { 0.75 } else { 0.0 } }
        }
        _ if whole <= 2.0 || constant.contains(&whole) => Length::Spread { least: whole, most: whole },
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
    if let KeyTarget::Expression(expression) = &key.part.target
        && let Some(known) = relation.expression_statistics.get(&expression.sql)
    {
        let present = tuples * (1.0 - null_fraction);
        let distinct = known.distinct_values(tuples).unwrap_or(present).min(present.max(1.0));
        return use_values(Values { tuples, null_fraction, common: &known.common_frequencies, distinct });
    }
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

/// What is known of the keys together.
struct Joint<'a> {
    definition: &'a IndexDefinition,
    relation: &'a Relation,
    kept: f64,
    attributes: &'a [Attribute],
}

impl Joint<'_> {
    /// The distribution of the first `length` keys: independent of each other, but for the largest group of columns among them
    /// of which the number of combinations is known. That one is distributed like its column of most values, each of which
    /// occurs with as many combinations of the others as that number says.
    fn distribution(&self, length: usize) -> Distribution {
        let group = self.known_group(length);
        let (mut members, mut others) = (Vec::new(), Vec::new());
        for (index, key) in self.definition.keys[..length].iter().enumerate() {
            let known = matches!(key.part.target, KeyTarget::Column(number)
                if group.is_some_and(|group| group.columns.contains(&number)));
            if known { members.push(index) } else { others.push(index) }
        }
        let mut joint = Distribution::unit();
        if let Some(group) = group {
            let rows = self.relation.tuples.max(1.0);
            let count = |index: &usize| self.with(Distribution::unit(), *index).group_count(rows);
            let widest = members.iter().copied().max_by(|a, b| count(a).total_cmp(&count(b)));
            for index in &members {
                joint = if Some(*index) == widest {
                    self.with(joint, *index)
                } else {
                    let values = Values {
                        tuples: rows,
                        null_fraction: self.attributes[*index].null_fraction,
                        common: &[],
                        distinct: 1.0,
                    };
                    joint.with(*index, &values, self.restriction(*index))
                };
            }
            joint = joint.split_into(group.distinct, rows);
        }
        others.into_iter().fold(joint, |joint, index| self.with(joint, index))
    }

    /// The largest known group of columns, two at least, that are all among the first `length` keys.
    fn known_group(&self, length: usize) -> Option<&ColumnGroup> {
        let is_key = |column: &AttrNumber| {
            self.definition.keys[..length].iter().any(|key| key.part.target == KeyTarget::Column(*column))
        };
        let groups = self.relation.column_groups.iter();
        groups
            .filter(|group| group.columns.len() > 1 && group.columns.iter().all(is_key))
            .max_by_key(|group| group.columns.len())
    }

    fn with(&self, joint: Distribution, index: usize) -> Distribution {
        let (key, attribute) = (&self.definition.keys[index], &self.attributes[index]);
        key_values(key, self.relation, attribute, |values| {
            joint.with(index, &values, self.restriction(index))
        })
    }

    fn restriction(&self, index: usize) -> Restriction {
        let null_fraction = self.attributes[index].null_fraction;
        restriction(self.definition, &self.definition.keys[index], self.relation, self.kept, null_fraction)
    }
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

/// Some keys of a definition without predicate, taken to be independent of each other.
pub(super) fn distribution_of_keys(
    definition: &IndexDefinition,
    relation: &Relation,
    keys: Range<usize>,
) -> Distribution {
    let attributes: Vec<Attribute> = definition.keys.iter().map(|key| key_attribute(key, relation)).collect();
    let joint = Joint { definition, relation, kept: 1.0, attributes: &attributes };
    keys.fold(Distribution::unit(), |distribution, key| joint.with(distribution, key))
}

/// Whether an existing unique index on some of the key columns proves that no two rows have the same key.
pub(super) fn rows_differ(definition: &IndexDefinition, relation: &Relation) -> bool {
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
                    KeyTarget::Column(number) => {
                        keys.contains(number) && (index.primary || never_null(number))
                    }
                    KeyTarget::Expression(_) => false,
                })
        })
    })
}
