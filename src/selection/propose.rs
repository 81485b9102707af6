//! Proposals: the search on what is known, and the planner to confirm what it finds.
//!
//! A configuration's cost is at most that of the cheapest known plan that it allows, so greedy and ruin can run
//! on the known plans alone: thousands of configurations a second, and none is promised more than it gives. The planner
//! is then asked for the one proposed and for what it lacks (`explore`), which makes better known plans for the next
//! round. Plans stand in for CoPhy's atomic configurations (VLDB 2011), made when they are wanted as in column generation.

use super::search::Search;
use super::{explore, greedy, guard, improve, ruin, share};
use crate::cost::cache::{CostCache, Expired};
use crate::cost::{CandidateId, PlanCost, WhatIf};
use std::collections::BTreeSet;

/// Rounds of a first answer, at most.
const ROUNDS_OF_FIRST: usize = 3;
/// Rounds of proposal and confirmation, at most; they end earlier when the planner has nothing new to say.
const ROUNDS: usize = 6;
/// Proposals of a round, where the planner refutes all but the last.
const REFUTED: usize = 5;
/// Rounds with what the proof has learnt, at most, ...
const ROUNDS_AGAIN: usize = 6;
/// ... and planner calls for each statement after which no further one begins.
const CALLS_AGAIN_A_STATEMENT: u64 = 3;
/// Planner calls for each statement, in all, after which nothing more is asked but to confirm, ...
const MOST_CALLS_A_STATEMENT: u64 = 20;
/// ... and what a search may come to however few statements there are: a third of a second of them. A proof takes what is left of
/// `certificate`'s and finds more with it: on TPC-H, with 500, answers were no better and gaps 0.1 to 0.2 % wider.
const MOST_CALLS_ANYWAY: u64 = 300;

/// Finds a first configuration among what statements could share.
pub(super) fn begin<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    share::run(search)?;
    for _ in 0..ROUNDS_OF_FIRST {
        let calls = search.cache.counters().planner_calls;
        search.cache.go_offline_after(0);
        ruin::run(search)?;
        search.cache.go_online();
        recount(search)?;
        if search.cache.counters().planner_calls == calls {
            break;
        }
    }
    guard::forgive(search)
}

/// Finds the best of what is known when the search's time has run out, in the time of the proof. If that has run out too, it is the best
/// of what is known still, and the error says so: no more planner calls.
pub(super) fn when_cut_short<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    search.cache.go_offline_after(0);
    let in_time = of_the_known(search, CostCache::go_online);
    if in_time.is_err() {
        search.cache.go_offline();
        let _ = of_the_known(search, CostCache::go_online_for_the_answer);
        search.cache.go_offline();
    }
    in_time
}

/// The best of what is known. What it really costs, and whether it makes a statement slower, is asked while the little time for that
/// lasts: after that nothing would be known of the sets without what is to blame.
fn of_the_known<'a, W: WhatIf>(
    search: &mut Search<'a, W>,
    go_online: impl Fn(&mut CostCache<'a, W>),
) -> Result<(), Expired> {
    let before = search.best.clone();
    ruin::run(search)?;
    let found = std::mem::replace(&mut search.best, before);
    go_online(&mut search.cache);
    // Two that are not known to cost what they cost are better compared by the same measure.
    let recounted = recount(search).and_then(|()| search.counted(found.members.clone()));
    search.consider(recounted.as_ref().unwrap_or(&found));
    recounted?;
    guard::forgive(search)?;
    search.best = guard::of_best(search)?;
    Ok(())
}

/// Finds a good configuration by rounds, then betters it by moves that the planner judges.
pub(super) fn run<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let statements = search.problem.statements.len() as u64;
    let most = MOST_CALLS_ANYWAY.max(MOST_CALLS_A_STATEMENT * statements);
    explore::from_nothing(search)?;
    for _ in 0..ROUNDS {
        let calls = search.cache.counters().planner_calls;
        propose(search, most)?;
        search.cache.go_offline_after(most);
        explore::around_best(search)?;
        if search.cache.counters().planner_calls == calls {
            break;
        }
    }
    search.cache.go_offline_after(most);
    polish(search)?;
    search.cache.go_online();
    let best = search.best.clone();
    (search.best, _) = improve::prune(search, best)?;
    guard::forgive(search)
}

/// Searches once more with the plans that the proof asked for: they may show the best set to be slower than it looked, or another
/// to be better.
pub(super) fn again<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let began = search.cache.counters().planner_calls;
    let most = began + CALLS_AGAIN_A_STATEMENT * search.problem.statements.len() as u64;
    for _ in 0..ROUNDS_AGAIN {
        let calls = search.cache.counters().planner_calls;
        propose(search, most)?;
        if search.calls_in_place > 0 {
            explore::in_place_of_members(search)?;
            propose(search, most)?;
        }
        // Where the planner has nothing new to say, the next proposal would be the same.
        let after = search.cache.counters().planner_calls;
        if after == calls || after >= most {
            break;
        }
    }
    Ok(())
}

/// Searches once more on what is known, beginning with a set that a proof thinks much of.
pub(super) fn from<W: WhatIf>(search: &mut Search<'_, W>, members: Vec<CandidateId>) -> Result<(), Expired> {
    search.cache.go_offline_after(0);
    confirm(search, |search| {
        let best = search.best.clone();
        search.best = search.empty();
        let counted = search.counted(members.clone())?;
        let found = guard::run(search, counted).and_then(|guarded| {
            search.consider(&guarded);
            ruin::run(search)
        });
        search.consider(&best);
        found
    })?;
    Ok(())
}

/// Searches offline, and keeps what is found if the planner confirms that it is better; what it refutes is followed by other proposals,
/// until it has been called `most` times in all.
fn propose<W: WhatIf>(search: &mut Search<'_, W>, most: u64) -> Result<(), Expired> {
    recount(search)?;
    for _ in 0..REFUTED {
        search.cache.go_offline_after(0);
        let stands = confirm(search, ruin::run)?;
        if stands || search.cache.counters().planner_calls >= most {
            break;
        }
    }
    Ok(())
}

/// Adds what the planner says is worth adding, and goes on from there on what is known.
fn polish<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    recount(search)?;
    for key in greedy::KEYS {
        let best = search.best.clone();
        let filled = greedy::fill(search, &best, key, &BTreeSet::new())?;
        improve::settle(search, filled, key)?;
    }
    propose(search, 0)
}

/// Lets `moves` better the best configuration with as few planner calls as the cache was told, and keeps what they find if the
/// planner confirms it; whether it does.
fn confirm<'a, W: WhatIf>(
    search: &mut Search<'a, W>,
    moves: impl Fn(&mut Search<'a, W>) -> Result<(), Expired>,
) -> Result<bool, Expired> {
    let confirmed = search.best.clone();
    let proposed = moves(search);
    search.cache.go_online();
    let found = std::mem::replace(&mut search.best, confirmed);
    proposed?;
    let exact = search.counted(found.members.clone())?;
    for (statement, saving) in found.savings.iter().enumerate() {
        if exact.savings[statement] < saving.min(0.0) {
            find_culprits(search, statement, &exact.members)?;
        }
    }
    improve::consider(search, exact)?;
    // What was asked meanwhile may show it to be slower than it looked.
    recount(search)?;
    Ok(search.best.net > found.net - search.least_gain)
}

/// What has become known since the best configuration was found may show it to be slower than it looked.
fn recount<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    search.best = search.counted(search.best.members.clone())?;
    Ok(())
}

/// Asks which of the members that a statement uses make it slower than the user accepts by themselves: else the next proposal
/// would have them beside others, and the one after it beside others again.
fn find_culprits<W: WhatIf>(
    search: &mut Search<'_, W>,
    statement: usize,
    members: &[CandidateId],
) -> Result<(), Expired> {
    let problem = search.problem;
    let is_slow = |plan: &PlanCost| !problem.accepts(statement, plan);
    let mut slow = search.cache.plan(statement, members)?;
    for candidate in slow.used.clone() {
        if is_slow(&slow) && slow.used.contains(&candidate) {
            let others: Vec<CandidateId> =
                slow.used.iter().copied().filter(|other| *other != candidate).collect();
            let plan = search.cache.plan(statement, &others)?;
            if is_slow(&plan) {
                slow = plan;
            }
        }
    }
    Ok(())
}
