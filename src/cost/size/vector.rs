//! pgvector's hnsw and ivfflat indexes as CREATE INDEX would build them.
//!
//! Their tuples are as long as the vectors, so the dimensions of the column say nearly all; a graph or centres are not built.

use super::distribution::NORMAL_OCTILES;
use super::shape::{Draws, MAXALIGN, Shape, align};
use super::{SizeEstimate, Storage, parameter};
use crate::candidate::definition::{AccessMethod, IndexDefinition, Key, KeyTarget};
use crate::catalog::Relation;

/// pgvector's `HNSW_DEFAULT_M`.
const HNSW_M: u32 = 16;
/// pgvector's `IVFFLAT_DEFAULT_LISTS`.
const IVFFLAT_LISTS: u32 = 100;

/// `m` of a hnsw index: the links of an element on each level but the lowest.
pub fn hnsw_m(definition: &IndexDefinition) -> u32 {
    parameter(definition, "m").unwrap_or(HNSW_M).max(2)
}

/// `lists` of an ivfflat index.
pub fn ivfflat_lists(definition: &IndexDefinition) -> u32 {
    parameter(definition, "lists").unwrap_or(IVFFLAT_LISTS).max(1)
}

/// Estimates the index that `definition` would create on `relation`, of which the predicate keeps the share `kept`.
pub(super) fn estimate(
    definition: &IndexDefinition,
    relation: &Relation,
    kept: f64,
    storage: Storage,
) -> Option<SizeEstimate> {
    let trees = f64::from(relation.leaves.max(1));
    let block_size = storage.block_size.max(1024);
    let rows = (relation.tuples * kept / trees).round();
    let shape = Shape::new(definition, relation, kept, storage);
    let value = value_size(definition.keys.first()?, relation);
    let pages = match definition.access_method {
        AccessMethod::Hnsw => hnsw_pages(&shape, rows, value, hnsw_m(definition), block_size),
        _ => ivfflat_pages(&shape, rows, value, ivfflat_lists(definition), block_size),
    };
    Some(SizeEstimate {
        pages: (1.0 + pages) * trees,
        tuples: (relation.tuples * kept).round(),
        tree_height: None,
        block_size: storage.block_size,
    })
}

// From pgvector's vector.h, halfvec.h, hnsw.h and ivfflat.h.
/// `SizeOfPageHeaderData` and the aligned opaque data of either kind of page.
const PAGE_OVERHEAD: u32 = 24 + 8;
const LINE_POINTER: u32 = 4;
/// varlena header, dimensions and padding of a `vector` or `halfvec`; varlena header and length of a `bit`.
const VALUE_HEADER: u32 = 8;
/// `HnswElementTupleData` before the value.
const HNSW_ELEMENT: u32 = 72;
/// `HNSW_HEAPTIDS`: rows of the same value that share an element.
const HNSW_HEAP_TIDS: f64 = 10.0;
/// `HnswNeighborTupleData` before the links, and the size of a link.
const HNSW_NEIGHBORS: u32 = 4;
const LINK: u32 = 6;
/// `IvfflatListData` before the centre; `sizeof(IndexTupleData)`.
const IVFFLAT_LIST: u32 = 8;
const INDEX_TUPLE: u32 = 8;
/// Most elements placed in a replay.
const REPLAY_LIMIT: f64 = 10_000.0;
/// Longest varlena with a 1-byte header (`VARATT_SHORT_MAX`).
const SHORT_VARLENA: u32 = 127;

/// Bytes of a value, detoasted: by the dimensions where they are known (statistics see only what is left in the heap of a
/// value that is stored out of line).
fn value_size(key: &Key, relation: &Relation) -> u32 {
    let class = key.part.operator_class.sql_name.as_deref().unwrap_or_default();
    let (dimensions, width) = match &key.part.target {
        KeyTarget::Column(number) => {
            let column = relation.column(*number);
            let width = column.and_then(|c| c.statistics.as_ref()).map(|s| s.average_width);
            (column.and_then(|c| u32::try_from(c.type_modifier).ok()), width)
        }
        KeyTarget::Expression(expression) => {
            (cast_dimensions(&expression.sql), Some(expression.average_width))
        }
    };
    let dimensions = dimensions.filter(|_| !class.contains("sparsevec"));
    match dimensions {
        Some(bits) if class.contains("bit_") => VALUE_HEADER + bits.div_ceil(8),
        Some(halves) if class.contains("halfvec") => VALUE_HEADER + 2 * halves,
        Some(floats) => VALUE_HEADER + 4 * floats,
        None => width.filter(|width| *width > 0.0).map_or(VALUE_HEADER + 4, |width| width as u32),
    }
}

/// The dimensions that an expression is cast to: 384 of `(embedding)::halfvec(384)`.
fn cast_dimensions(sql: &str) -> Option<u32> {
    let (_, cast) = sql.rsplit_once("::")?;
    let (_, number) = cast.split_once('(')?;
    number.trim_end_matches(')').trim().parse().ok()
}

/// Elements with their links, in the order of insertion (hnswbuild.c).
fn hnsw_pages(shape: &Shape, rows: f64, value: u32, m: u32, block_size: u32) -> f64 {
    let groups = shape.prefixes.first().map(|prefix| prefix.groups(rows)).unwrap_or_default();
    let elements: f64 = groups
        .iter()
        .filter(|group| group.nulls == 0)
        .map(|group| group.groups * (group.rows / HNSW_HEAP_TIDS).ceil())
        .sum::<f64>()
        .round();
    let empty = block_size - PAGE_OVERHEAD;
    // The level of an element is a geometric draw, cut off where its links would not fit on a page.
    let most_levels = ((empty - HNSW_NEIGHBORS - LINE_POINTER) / LINK / m).saturating_sub(2);
    let element = align(HNSW_ELEMENT + value, MAXALIGN).min(empty - LINE_POINTER);
    let (mut free, mut pages, mut before) = (empty, 1.0, 0.0);
    let mut placed = 0.0;
    while placed < elements.min(REPLAY_LIMIT) {
        let draw = 1.0 - Draws(placed as u64).nth(0);
        let level = ((-draw.ln() / f64::from(m).ln()) as u32).min(most_levels);
        let neighbors = align(HNSW_NEIGHBORS + (level + 2) * m * LINK, MAXALIGN);
        let both = element + neighbors + LINE_POINTER;
        let together = both <= empty - LINE_POINTER;
        if free < element + LINE_POINTER || (together && free < both + LINE_POINTER) {
            (free, pages, before) = (empty, pages + 1.0, placed);
        }
        free -= element + LINE_POINTER;
        if free < neighbors + LINE_POINTER {
            (free, pages) = (empty, pages + 1.0);
        }
        free -= neighbors + LINE_POINTER;
        placed += 1.0;
    }
    if placed >= elements || before == 0.0 {
        return pages;
    }
    (elements * (pages - 1.0) / before).ceil()
}

/// Standard deviation of the rows in a list as a share of their mean: k-means leaves lists uneven, and more so in many
/// dimensions. Measured on uniformly distributed vectors of 3 and of 128 dimensions.
const FEW_DIMENSIONS: (u32, f64) = (VALUE_HEADER + 4 * 10, 0.15);
const UNEVENNESS: f64 = 0.65;

/// Centres, then every list on pages of its own (ivfbuild.c).
fn ivfflat_pages(shape: &Shape, rows: f64, value: u32, lists: u32, block_size: u32) -> f64 {
    let present = shape.keys.first().map_or(1.0, |key| 1.0 - key.null_fraction);
    let fitting = |size: u32| f64::from(((block_size - PAGE_OVERHEAD) / (size + LINE_POINTER)).max(1));
    let lists = f64::from(lists);
    let centres = (lists / fitting(align(IVFFLAT_LIST + value, MAXALIGN))).ceil();
    let short = value.saturating_sub(3);
    let stored = if short <= SHORT_VARLENA { short } else { value };
    let pages_for = |size: f64| (size / fitting(align(INDEX_TUPLE + stored, MAXALIGN))).ceil().max(1.0);
    let mean = rows * present / lists;
    let unevenness = if value <= FEW_DIMENSIONS.0 { FEW_DIMENSIONS.1 } else { UNEVENNESS };
    let in_list: f64 =
        NORMAL_OCTILES.iter().map(|z| pages_for((mean * (1.0 + unevenness * z)).round())).sum();
    centres + (lists * in_list / NORMAL_OCTILES.len() as f64).round()
}
