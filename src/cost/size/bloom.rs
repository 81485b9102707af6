//! A bloom index (contrib) as CREATE INDEX would build it: signatures of one length, page after page.
//!
//! Exact where the number of rows is: signatures do not depend on the values, and NULLs have one too.

use super::{SizeEstimate, Storage, parameter};
use crate::candidate::definition::IndexDefinition;
use crate::catalog::Relation;

// From contrib/bloom's bloom.h and blutils.c.
/// `SizeOfPageHeaderData` and the aligned `BloomPageOpaqueData`.
const PAGE_OVERHEAD: u32 = 24 + 8;
/// `BLOOMTUPLEHDRSZ`: the heap TID before the signature.
const HEADER: u32 = 6;
/// `SIGNWORDBITS`: a signature is a whole number of 2-byte words.
const WORD_BITS: u32 = 16;
/// `DEFAULT_BLOOM_LENGTH`, bits.
const LENGTH: u32 = 5 * WORD_BITS;

/// Estimates the index that `definition` would create on `relation`, of which the predicate keeps the share `kept`.
pub(super) fn estimate(
    definition: &IndexDefinition,
    relation: &Relation,
    kept: f64,
    storage: Storage,
) -> Option<SizeEstimate> {
    let trees = f64::from(relation.leaves.max(1));
    let tuples = (relation.tuples * kept).round();
    let length: u32 = parameter(definition, "length").unwrap_or(LENGTH);
    let tuple = HEADER + 2 * length.div_ceil(WORD_BITS);
    let on_page = ((storage.block_size.max(1024) - PAGE_OVERHEAD) / tuple).max(1);
    let data = (tuples / trees / f64::from(on_page)).ceil();
    Some(SizeEstimate {
        pages: (1.0 + data) * trees,
        tuples,
        tree_height: None,
        block_size: storage.block_size,
    })
}
