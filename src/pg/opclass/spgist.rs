//! stub
use crate::candidate::definition::IndexDefinition;
use crate::cost::size::{Storage, TreeReplay};
use crate::pg::sample::SampledRows;
pub(super) unsafe fn look_at(_d: &IndexDefinition, _r: &SampledRows, _s: Storage) -> Option<TreeReplay> {
    None
}
