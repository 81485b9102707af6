//! `Sample`: what the rows of a bounded sample look like to an operator class.

/// What an operator class made of sampled rows.
#[derive(Clone, Debug, Default)]
pub struct Sample {}
