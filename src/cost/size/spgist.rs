//! An SP-GiST index as CREATE INDEX would build it: leaf tuples as large as those of sampled rows, on pages as full as they are found to be.

use super::sample::Entries;
use super::{Sample, SizeEstimate, Storage};

/// `SizeOfPageHeaderData` and the aligned `SpGistPageOpaqueData`.
const PAGE_OVERHEAD: f64 = 24.0 + 8.0;
/// The metapage and the roots of the tree and of the NULLs' tree.
const FIXED_PAGES: f64 = 3.0;
/// Of the three kinds of inner pages (`GBUF_INNER_PARITY`), those that are barely filled.
const INNER_PAGES: f64 = 2.0;
/// How full pages are. Measured on points, boxes, ranges, network addresses and texts, PostgreSQL 15 and 18: 0.62 to 0.84.
const FILL: f64 = 0.74;

/// Estimates an index of `trees` trees, one for each partition; None where the sample is of another access method.
pub(super) fn estimate(sample: &Sample, trees: u32, storage: Storage) -> Option<SizeEstimate> {
    let Entries::Spgist(sizes) = &sample.entries else { return None };
    let rows = sample.indexed_rows();
    let trees = f64::from(trees.max(1));
    let page = f64::from(storage.block_size) - PAGE_OVERHEAD;
    let leaf_bytes = if sizes.rows > 0.0 { sizes.leaf_bytes / sizes.rows * rows } else { 0.0 };
    // What fits on one page stays in the root.
    let more = if leaf_bytes / trees > page {
        let room = page * FILL;
        trees * INNER_PAGES + (leaf_bytes / room).ceil() + (sizes.inner_bytes_per_row * rows / room).ceil()
    } else {
        0.0
    };
    let pages = trees * FIXED_PAGES + more;
    Some(SizeEstimate { pages, tuples: rows, tree_height: None, block_size: storage.block_size })
}
