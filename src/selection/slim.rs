//! Slimming: an index is no larger than its work needs.
//!
//! Runs last. Greedy and exchanges take a wider index for any gain at all; a person would not store a copy of the table
//! to save the last per cent of one statement.

use super::greedy::{KEYS, fill};
use super::search::{Gain, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};
use std::collections::BTreeSet;

/// Share of an index's own saving that a smaller relative may lose and still take its place: about the planner's own
/// fuzz (1 %, pathnode.c), twice.
const TOLERATED_LOSS: f64 = 0.02;

/// Planner calls for each statement, after which known plans alone tell what a smaller relative would do.
const CALLS_A_STATEMENT: u64 = 3;

/// Replaces members of the best configuration by smaller relatives that save nearly as much, the largest first, and
/// spends what that frees.
pub(super) fn run<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let calls = CALLS_A_STATEMENT * search.problem.statements.len() as u64;
    search.cache.go_offline_after(search.cache.counters().planner_calls + calls);
    let slimmed = make_do_with_less(search);
    search.cache.go_online();
    slimmed
}

fn make_do_with_less<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let mut slim = search.best.clone();
    let bytes =
        |search: &Search<'_, W>, candidate: CandidateId| search.problem.candidates[candidate].size_bytes;
    let mut members = slim.members.clone();
    members.sort_by_key(|member| (std::cmp::Reverse(bytes(search, *member)), *member));
    for member in members {
        let without = search.moved(&slim, slim.without(member))?;
        let worth = slim.net - without.net;
        let tolerated = (TOLERATED_LOSS * worth).min(search.least_gain);
        let mut smaller: Vec<_> = search.problem.candidates[member]
            .relatives
            .iter()
            .copied()
            .filter(|relative| bytes(search, *relative) < bytes(search, member) && !slim.contains(*relative))
            .collect();
        smaller.sort_by_key(|relative| (bytes(search, *relative), *relative));
        for relative in smaller {
            if !search.rivals(&without.members, &[relative]).is_empty() {
                continue;
            }
            let enough = worth - tolerated;
            if !search.fits_beside(&without.members, without.bytes, &[relative]) {
                continue;
            }
            // Most fall short at the first statement.
            if matches!(search.gain_if_enough(&without, &[relative], enough)?, Gain::Exactly(gain) if gain >= enough)
            {
                slim = search.moved(&without, without.with(&[relative]))?;
                break;
            }
        }
    }
    if slim.bytes == search.best.bytes {
        return Ok(());
    }
    let spared: BTreeSet<_> = search.best.members.iter().copied().filter(|m| !slim.contains(*m)).collect();
    // The best slim answer replaces the best answer, though it saves a little less.
    let mut best = slim.clone();
    for key in KEYS {
        let filled = fill(search, &slim, key, &spared)?;
        if filled.net > best.net {
            best = filled;
        }
    }
    search.best = best;
    Ok(())
}
