//! `Sample`: what an operator class makes of a bounded sample of rows, as numbers.
//!
//! Made by `pg::opclass`, which alone can call operator classes; holds no value of any row.

use serde::{Deserialize, Serialize};

/// What an operator class made of sampled rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Rows of the relation as the sampled pages have it, indexed or not.
    pub relation_rows: f64,
    /// Sampled rows that the index would hold.
    pub rows: f64,
    /// Pages of the relation.
    pub total_pages: f64,
    /// Pages of it that were read.
    pub sampled_pages: f64,
    pub entries: Entries,
}

/// What the index would store of the sampled rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub enum Entries {
    /// Nothing that is known.
    #[default]
    None,
    Gin(GinKeys),
    Gist(TreeReplay),
    Spgist(LeafSizes),
}

/// The keys that GIN's extractValue gave, by how many sampled pages have rows with the key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GinKeys {
    /// Ascending by `pages`.
    pub groups: Vec<KeyGroup>,
    /// Bytes that CREATE INDEX collects keys in before it writes them out (`maintenance_work_mem`).
    pub build_memory: f64,
    /// Whether CREATE INDEX sorts all keys before it writes any, as a parallel build does.
    pub sorted: bool,
}

/// Distinct keys that were seen on the same number of pages. Keys of different columns or partitions are different.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyGroup {
    /// Sampled pages that each of the keys was seen on.
    pub pages: u32,
    pub keys: f64,
    /// Rows with one of the keys, together.
    pub items: f64,
    /// Bytes of the keys' index tuples without posting lists, together.
    pub bytes: f64,
}

/// A tree that was built of sampled rows in memory, by the operator class's own choices.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TreeReplay {
    /// Rows that were put into it.
    pub rows: f64,
    /// Pages of the lowest level, or all where the tree's levels share pages; averaged over the tree's growth.
    pub leaf_pages: f64,
    /// Pages above, at the end.
    pub inner_pages: f64,
    /// Bytes of leaf tuples with line pointers, together.
    pub leaf_bytes: f64,
    /// Average bytes of a downlink with its line pointer.
    pub downlink_bytes: f64,
}

/// Sizes of SP-GiST tuples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeafSizes {
    /// Rows looked at, with those whose key is NULL.
    pub rows: f64,
    /// Bytes of their leaf tuples with line pointers, together.
    pub leaf_bytes: f64,
    /// Bytes of the inner tuples that a tree of the whole relation has per row.
    pub inner_bytes_per_row: f64,
}

impl Sample {
    /// Share of the relation's pages that was read.
    pub fn fraction(&self) -> f64 {
        if self.total_pages > 0.0 { (self.sampled_pages / self.total_pages).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Rows that the index would hold.
    pub fn indexed_rows(&self) -> f64 {
        let fraction = self.fraction();
        if fraction > 0.0 { (self.rows / fraction).round() } else { 0.0 }
    }
}
