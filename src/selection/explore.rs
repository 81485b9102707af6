//! Exploration: what the planner would make of a configuration with more indexes beside it.
//!
//! One call with many candidates present names the best of them and bounds all others, where asking for each would take
//! as many calls as there are candidates. Only asks; what it learns stays in the cost cache, and sets that the planner
//! used together become bundles.

use super::certificate;
use super::peel::{admit, by_weight, keep_bundle, widest};
use super::search::{Configuration, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A statement is asked about as long as it could bring this share of what an index has to save: twenty statements make
/// an index together.
const WORTH_ASKING: f64 = 0.05;
/// Plans of one statement with smaller and smaller candidates. Each is a little worse than the one before, so a few
/// span the trade of size against saving.
const SIZES: usize = 6;
/// How many times as large as a member may be what takes its place: what that lacks of room others can give. On TPC-DS within 100 MB 1.5 times,
/// and 2.5, left 0.565 of the cost, no larger than there was room for 0.592.
const LARGER: f64 = 1.5;
/// Candidates in place of a member of which is asked what all would have of them.
const WANTED: usize = 3;
/// Of no more statements the proof asks about all at the same prices, which tells by itself what they could share: on TPC-H it made the
/// answers no better to ask what could take the place of members, and the gaps up to 1 % wider; on TPC-DS it made 0.565 of 0.605 to 0.635.
const FEW_STATEMENTS: usize = certificate::AT_A_TIME;
/// Of so many a look at what was learnt takes seconds, and the gap is small.
const MANY_STATEMENTS: usize = 1_000;
/// Planner calls for each statement that may be spent in a run on what could take the place of members, and what they come to at
/// most: some seconds.
const CALLS_IN_PLACE_A_STATEMENT: usize = 16;
const MOST_CALLS_IN_PLACE: usize = 2_000;

/// Planner calls that a whole search may spend on what could take the place of members.
pub(super) fn calls_in_place(statements: usize) -> u64 {
    if statements <= FEW_STATEMENTS || statements >= MANY_STATEMENTS {
        return 0;
    }
    (CALLS_IN_PLACE_A_STATEMENT * statements).min(MOST_CALLS_IN_PLACE) as u64
}

/// Asks what the pool offers to the existing indexes alone.
pub(super) fn from_nothing<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let (all, empty) = (by_weight(search), search.empty());
    explore(search, &empty, &all)
}

/// Asks what the pool offers beside the best configuration, and in place of each of its members.
pub(super) fn around_best<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let (all, best) = (by_weight(search), search.best.clone());
    explore(search, &best, &all)?;
    for &member in &best.members {
        let rest = search.moved(&best, best.without(member))?;
        let touched = search.touched(&[member]).into_owned();
        explore(search, &rest, &touched)?;
    }
    Ok(())
}

/// Asks what could take the place of each member, the largest first, with the planner calls that are left for that: which of the
/// others on its table each statement would take that loses by its going, and what all statements would have of those that are wanted
/// most.
///
/// One that serves many a little less than their own favourites do is named by none of them, and known plans with the favourites say
/// nothing of it.
pub(super) fn in_place_of_members<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let best = search.best.clone();
    let mut members = best.members.clone();
    members.sort_by_key(|member| (Reverse(search.bytes(&[*member])), *member));
    for member in members {
        if search.calls_in_place == 0 {
            break;
        }
        let before = search.cache.counters().planner_calls;
        let rest = search.moved(&best, best.without(member))?;
        for candidate in wanted_in_place(search, &best, &rest, member)? {
            // Whatever it comes to: it may be worth its room beside others that are not yet there.
            search.gain(&rest, &[candidate])?;
        }
        let calls = search.cache.counters().planner_calls - before;
        search.calls_in_place = search.calls_in_place.saturating_sub(calls);
    }
    Ok(())
}

/// The candidates that statements which lose by the going of a member from `best`, of which `rest` is left, would take most of, by what
/// they save then.
fn wanted_in_place<W: WhatIf>(
    search: &mut Search<'_, W>,
    best: &Configuration,
    rest: &Configuration,
    member: CandidateId,
) -> Result<Vec<CandidateId>, Expired> {
    let problem = search.problem;
    let size = |candidate: CandidateId| problem.candidates[candidate].size_bytes as f64;
    let largest = problem.limits.storage_bytes.map_or(f64::INFINITY, |room| room as f64);
    let largest = largest.min(LARGER * size(member));
    let may_stand_in = |search: &Search<'_, W>, candidate: CandidateId| {
        candidate != member
            && problem.candidates[candidate].table == problem.candidates[member].table
            && size(candidate) <= largest
            && search.rivals(&rest.members, &[candidate]).is_empty()
    };
    let mut wanted: BTreeMap<CandidateId, f64> = BTreeMap::new();
    for statement in search.touched(&[member]).into_owned() {
        if best.savings[statement] <= rest.savings[statement] || search.cache.is_spent(statement) {
            continue;
        }
        let relevant = problem.statements[statement].relevant.iter().copied();
        let field: Vec<CandidateId> =
            relevant.filter(|c| rest.contains(*c) || may_stand_in(search, *c)).collect();
        let plan = widest(search, statement, &field)?;
        admit(search, &plan.used);
        let saved = search.saving_by(statement, &plan) - rest.savings[statement];
        for used in plan.used.iter().filter(|used| !rest.contains(**used)) {
            *wanted.entry(*used).or_default() += saved.max(0.0);
        }
    }
    let mut wanted: Vec<(CandidateId, f64)> = wanted.into_iter().collect();
    wanted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(wanted.into_iter().take(WANTED).map(|(candidate, _)| candidate).collect())
}

/// Plans each statement with `base` and all candidates that there is room for, then with smaller ones than it used,
/// until they bring nothing.
fn explore<W: WhatIf>(
    search: &mut Search<'_, W>,
    base: &Configuration,
    statements: &[usize],
) -> Result<(), Expired> {
    let margin = WORTH_ASKING * search.least_gain;
    let room = search.limits().storage_bytes.map_or(u64::MAX, |limit| limit.saturating_sub(base.bytes));
    for &statement in statements {
        let least = base.savings[statement] + margin;
        if search.saving_at(statement, search.floor[statement]) < least {
            continue;
        }
        let problem = search.problem;
        let size = |candidate: CandidateId| problem.candidates[candidate].size_bytes;
        let available = |candidate: &CandidateId| {
            base.contains(*candidate)
                || size(*candidate) <= room && search.pool.binary_search(candidate).is_ok()
        };
        let mut field: Vec<CandidateId> =
            problem.statements[statement].relevant.iter().copied().filter(available).collect();
        for _ in 0..SIZES {
            let plan = widest(search, statement, &field)?;
            if search.saving_at(statement, plan.total) < least {
                break;
            }
            let added = plan.used.iter().filter(|candidate| !base.contains(**candidate));
            let Some(largest) = added.map(|candidate| size(*candidate)).max() else { break };
            field.retain(|candidate| base.contains(*candidate) || size(*candidate) < largest);
            keep_bundle(search, plan.used);
        }
    }
    Ok(())
}
