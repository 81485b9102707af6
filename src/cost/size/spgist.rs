//! An SP-GiST index as CREATE INDEX would build it.

use super::{Sample, SizeEstimate, Storage};
use crate::candidate::definition::IndexDefinition;
use crate::catalog::Relation;

pub(super) fn estimate(
    _definition: &IndexDefinition,
    _relation: &Relation,
    _kept: f64,
    _storage: Storage,
    _sample: &Sample,
) -> Option<SizeEstimate> {
    None
}
