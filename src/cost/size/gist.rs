//! A GiST index as CREATE INDEX would build it: scaled up from a tree of sampled rows that the operator class's own functions shaped.

use super::sample::{Entries, TreeReplay};
use super::{Sample, SizeEstimate, Storage};

/// `SizeOfPageHeaderData` and the aligned `GISTPageOpaqueData`.
const PAGE_OVERHEAD: f64 = 24.0 + 16.0;

/// Estimates an index of `trees` trees, one for each partition; None where the sample is of another access method.
pub(super) fn estimate(sample: &Sample, trees: u32, storage: Storage) -> Option<SizeEstimate> {
    let Entries::Gist(replay) = &sample.entries else { return None };
    let rows = sample.indexed_rows();
    let trees = f64::from(trees.max(1));
    let room = f64::from(storage.block_size) - PAGE_OVERHEAD;
    let pages = if replay.rows >= rows && trees == 1.0 {
        replay.leaf_pages + replay.inner_pages
    } else {
        trees * tree(replay, rows / trees, room)
    };
    Some(SizeEstimate {
        pages: pages.max(trees).round(),
        tuples: rows,
        tree_height: None,
        block_size: storage.block_size,
    })
}

/// Pages of a tree of `rows` rows whose pages are as full as those of the replay.
fn tree(replay: &TreeReplay, rows: f64, room: f64) -> f64 {
    if replay.rows <= 0.0 {
        return 1.0;
    }
    let leaves = (replay.leaf_pages * rows / replay.rows).ceil().max(1.0);
    let fill = (replay.leaf_bytes / replay.leaf_pages / room).clamp(0.3, 1.0);
    let fanout = (room * fill / replay.downlink_bytes.max(1.0)).max(2.0);
    let mut pages = leaves;
    let mut level = leaves;
    while level > 1.0 {
        level = (level / fanout).ceil();
        pages += level;
    }
    pages
}
