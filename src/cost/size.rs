//! `SizeEstimate`: the pages and height of the index that CREATE INDEX would build.
//!
//! One model per access method, from column statistics and, where only the operator class knows, a `Sample` of rows.
//! Says nothing of bloat: an index that lives under writes grows beyond this.

mod bloom;
mod brin;
mod btree;
mod combinations;
mod distribution;
mod gin;
mod gist;
mod hash;
mod neighbours;
mod sample;
mod shape;
mod spgist;
#[cfg(test)]
mod tests;
mod vector;

use crate::candidate::definition::{AccessMethod, IndexDefinition};
use crate::catalog::Relation;
pub use brin::{pages_per_range, range_map_pages};
pub use combinations::{InDoubt, combined};
pub use neighbours::{Neighbours, in_doubt};
pub use sample::{Entries, GinKeys, KeyGroup, LeafSizes, Sample, TreeReplay};
use serde::{Deserialize, Serialize};
pub use vector::{hnsw_m, ivfflat_lists};

/// What an index takes on disk just after CREATE INDEX; the sum of its parts for a partitioned table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeEstimate {
    /// Pages, with the metapage.
    pub pages: f64,
    /// Heap rows indexed.
    pub tuples: f64,
    /// Level of a btree's root: 0 when the root is a leaf (as `_bt_getrootheight`); of one tree for a partitioned table.
    /// None for other access methods, whose height the planner derives from the pages.
    pub tree_height: Option<u32>,
    /// Bytes in a page.
    pub block_size: u32,
}

impl SizeEstimate {
    /// Bytes on disk.
    pub fn bytes(&self) -> f64 {
        self.pages * f64::from(self.block_size)
    }
}

/// What a server decides about the storage of a btree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// `BLCKSZ`.
    pub block_size: u32,
    /// Whether equal `char(n)` values share an index tuple: `SELECT btequalimage('bpchar'::regtype)`. True up to 15.18 and
    /// 18.6, false in 15.20; it changes the size of such an index several times over.
    pub bpchar_deduplicates: bool,
}

impl From<u32> for Storage {
    /// With this block size and the larger choice where servers differ.
    fn from(block_size: u32) -> Self {
        Storage { block_size, bpchar_deduplicates: false }
    }
}

/// Estimates the index that `definition` would create on `relation`; None where its access method cannot be judged from what
/// is known: without a sample of rows, the opclass alone knows what it stores.
///
/// `predicate_selectivity` is the share of the rows that the predicate of a partial index keeps (1 without predicate).
pub fn estimate(
    definition: &IndexDefinition,
    relation: &Relation,
    predicate_selectivity: f64,
    storage: Storage,
    sample: Option<&Sample>,
) -> Option<SizeEstimate> {
    let kept = if definition.predicate.is_some() { predicate_selectivity.clamp(0.0, 1.0) } else { 1.0 };
    match definition.access_method {
        AccessMethod::Btree => Some(btree::estimate(definition, relation, kept, storage)),
        AccessMethod::Hash => hash::estimate(definition, relation, kept, storage),
        AccessMethod::Brin => brin::estimate(definition, relation, kept, storage, sample),
        AccessMethod::Gin => gin::estimate(sample?, relation.leaves, storage),
        AccessMethod::Gist => gist::estimate(sample?, relation.leaves, storage),
        AccessMethod::Spgist => spgist::estimate(sample?, relation.leaves, storage),
        AccessMethod::Bloom => bloom::estimate(definition, relation, kept, storage),
        AccessMethod::Hnsw | AccessMethod::Ivfflat => vector::estimate(definition, relation, kept, storage),
    }
}

/// A storage parameter of the index, None where it is not given or not of that type.
fn parameter<T: std::str::FromStr>(definition: &IndexDefinition, name: &str) -> Option<T> {
    definition.parameters.get(name)?.trim().parse().ok()
}
