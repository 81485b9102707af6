//! The frontier: what the workload costs at every amount of storage that the search came by.
//!
//! Records what the search sees anyway; moves nothing, and asks the planner nothing.

use super::search::{Configuration, Search};
use crate::cost::{CandidateId, WhatIf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A set of candidates that no smaller set seen was better than.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontierPoint {
    pub bytes: u64,
    pub indexes: usize,
    /// Milliseconds a day of the whole workload with these indexes, their write costs included; no less than it will
    /// be, by the planner's costs.
    pub cost_ms: f64,
    /// The candidates, ascending.
    pub members: Vec<CandidateId>,
    /// The candidate that this set has and the point before lacks, when that is the whole difference.
    pub added: Option<CandidateId>,
}

/// The configurations seen that no other one seen beats in both bytes and saving.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By bytes: net saving (it rises with the bytes) and members.
    best: BTreeMap<u64, (f64, Vec<CandidateId>)>,
}

impl Seen {
    /// Whether everything seen that is no larger saves less than `net`.
    pub fn is_news(&self, bytes: u64, net: f64) -> bool {
        let smaller = self.best.range(..=bytes).next_back();
        net > smaller.map_or(0.0, |(_, (net, _))| *net)
    }

    /// Puts a set that is news in the place of those that it beats.
    pub fn keep(&mut self, bytes: u64, net: f64, members: &[CandidateId]) {
        let beaten = |(_, (other, _)): &(&u64, &(f64, Vec<CandidateId>))| *other <= net;
        let beaten: Vec<u64> = self.best.range(bytes..).take_while(beaten).map(|(bytes, _)| *bytes).collect();
        for bytes in beaten {
            self.best.remove(&bytes);
        }
        self.best.insert(bytes, (net, members.to_vec()));
    }
}

/// The curve, smallest first: from no index at all to `answer`, each point at least the saving of one index below the one
/// before.
///
/// What is smaller than the answer and saves no less is left out: it was within the limits, and by too little to have
/// become the answer. So are larger sets, which hold indexes that are not worth their place.
pub(super) fn curve<W: WhatIf>(search: &mut Search<'_, W>, answer: &Configuration) -> Vec<FrontierPoint> {
    let mut seen = std::mem::take(&mut search.seen).best;
    seen.retain(|bytes, (net, _)| *bytes < answer.bytes && *net < answer.net);
    let point = |bytes: u64, net: f64, members: Vec<CandidateId>| FrontierPoint {
        bytes,
        indexes: members.len(),
        cost_ms: search.total_before - net,
        members,
        added: None,
    };
    let mut points = vec![point(0, 0.0, Vec::new())];
    for (bytes, (net, members)) in seen.into_iter().filter(|(bytes, _)| *bytes > 0) {
        let point = point(bytes, net, members);
        // The list is never empty: it starts with no index.
        if points.last().is_none_or(|last| point.cost_ms <= last.cost_ms - search.least_gain) {
            points.push(point);
        }
    }
    if !answer.members.is_empty() {
        points.push(point(answer.bytes, answer.net, answer.members.clone()));
    }
    for at in 1..points.len() {
        let (before, point) = (&points[at - 1].members, &points[at].members);
        let new: Vec<CandidateId> = point.iter().copied().filter(|c| !before.contains(c)).collect();
        if let ([added], true) = (new.as_slice(), point.len() == before.len() + 1) {
            points[at].added = Some(*added);
        }
    }
    points
}
