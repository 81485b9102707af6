//! An SP-GiST index as CREATE INDEX would build it: leaf tuples as large as those of sampled rows, on pages as full as they are found to be.

use super::sample::Entries;
use super::{Sample, SizeEstimate, Storage};
use crate::candidate::definition::IndexDefinition;
use crate::catalog::Relation;

/// `SizeOfPageHeaderData` and the aligned `SpGistPageOpaqueData`.
const PAGE_OVERHEAD: f64 = 24.0 + 8.0;
/// The metapage, the roots of the tree and of the NULLs' tree, and two of the three kinds of inner pages (`GBUF_INNER_PARITY`), barely filled.
const FIXED_PAGES: f64 = 5.0;
/// How full pages are. Measured on points, boxes, ranges, network addresses and texts, PostgreSQL 15 and 18: 0.62 to 0.84.
const FILL: f64 = 0.74;

pub(super) fn estimate(
    _definition: &IndexDefinition,
    relation: &Relation,
    _kept: f64,
    storage: Storage,
    sample: &Sample,
) -> Option<SizeEstimate> {
    let Entries::Spgist(sizes) = &sample.entries else { return None };
    let rows = sample.indexed_rows();
    let trees = f64::from(relation.leaves.max(1));
    let room = (f64::from(storage.block_size) - PAGE_OVERHEAD) * FILL;
    let leaf_bytes = if sizes.rows > 0.0 { sizes.leaf_bytes / sizes.rows * rows } else { 0.0 };
    let pages = (leaf_bytes / room).ceil() + (sizes.inner_bytes_per_row * rows / room).ceil();
    let pages = trees * FIXED_PAGES + pages;
    Some(SizeEstimate { pages, tuples: rows, tree_height: None, block_size: storage.block_size })
}
