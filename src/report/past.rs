//! `Past`: what earlier runs add to a report: what changed since the last one, and how followed advice turned out.
//!
//! Values only; who remembers earlier runs is `history`.

use crate::verification::{Record, Verification};
use serde::{Deserialize, Serialize};

/// What is known from earlier runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Past {
    /// The number of this run.
    pub run: i64,
    /// None for the first run.
    pub changes: Option<Changes>,
    /// The newest verdict on each index that was created as advised, or dropped.
    pub verifications: Vec<Verification>,
    pub record: Record,
}

/// What differs from the run before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Changes {
    pub since_run: i64,
    /// When that was, as `Report::made_at`.
    pub since: String,
    /// DDL of what is advised for the first time, or again.
    pub new: Vec<String>,
    /// What was advised then and is not now.
    pub withdrawn: Vec<Withdrawn>,
    /// How many recommendations are the same.
    pub unchanged: usize,
}

/// A recommendation that a run no longer makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Withdrawn {
    pub ddl: String,
    pub why: WhyWithdrawn,
}

/// Why advice is not given any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhyWithdrawn {
    /// The index exists now.
    Applied,
    /// Somebody dismissed it.
    Dismissed,
    /// The workload, the limits or other indexes changed.
    NoLongerPays,
}
