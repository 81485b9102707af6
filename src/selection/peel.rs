//! Peeling: the planner itself names the candidates worth searching among.
//!
//! Each statement is planned with all its candidates; those in the plan are kept and taken away, and it is planned
//! again. DB2Advis' one call per statement (ICDE 2000) used as a generator only. Chooses nothing.

use super::search::Search;
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, PlanCost, WhatIf};
use std::collections::BTreeSet;

/// Times a statement is planned with what the earlier plans left over. The later levels find the second- and third-best
/// indexes, which matter when the best do not fit; `explore` goes on by size.
const LEVELS: usize = 3;
/// Up to this many candidates in all, every one is searched: peeling would save nothing.
const SMALL_POOL: usize = 48;
/// A plan that is no cheaper than this share of the cost before has nothing further to peel.
const WORTH_PEELING: f64 = 0.997;
/// Plans with more candidates than this are taken for sets that save more together, and not searched for parts: pairs grow with the square,
/// and a proof makes more of the calls. On TPC-H five took a hundred calls more, and with the same number in all the bound was 0.3 to 2 % lower;
/// where ten tables are joined, to ask what each candidate saves alone took all of the time.
const MAX_INTERACTING: usize = 3;

/// Candidates that stood in one plan of a statement together.
type UsedTogether = BTreeSet<(usize, Vec<CandidateId>)>;

/// Fills the pool, the floors and the bundles of `search`.
pub(super) fn run<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let mut used_together = UsedTogether::new();
    let order = by_weight(search);
    let examined = name_candidates(search, &order, &mut used_together)
        .and_then(|()| lower_floors(search, &order))
        .and_then(|()| used_together.iter().try_for_each(|(at, used)| find_bundles(search, *at, used)));
    if examined.is_err() {
        // Too late to tell which parts of a plan matter: each plan's candidates stand or fall together.
        used_together.into_iter().for_each(|(_, used)| keep_bundle(search, used));
    }
    examined
}

/// Plans every statement with all its candidates, then with those left over.
fn name_candidates<W: WhatIf>(
    search: &mut Search<'_, W>,
    order: &[usize],
    used_together: &mut UsedTogether,
) -> Result<(), Expired> {
    let mut left: Vec<Vec<CandidateId>> =
        search.problem.statements.iter().map(|statement| statement.relevant.clone()).collect();
    for level in 0..LEVELS {
        for &statement in order {
            if left[statement].is_empty() {
                continue;
            }
            let plan = widest(search, statement, &left[statement])?;
            if level == 0 {
                search.floor[statement] = search.floor[statement].min(plan.total);
            }
            let before = search.problem.statements[statement].before.total;
            if plan.used.is_empty() || plan.total > WORTH_PEELING * before {
                left[statement].clear();
                continue;
            }
            left[statement].retain(|candidate| !plan.used.contains(candidate));
            admit(search, &plan.used);
            if plan.used.len() > 1 {
                used_together.insert((statement, plan.used));
            }
        }
    }
    if search.problem.candidates.len() <= SMALL_POOL {
        let helpful = |candidate: &CandidateId| !search.statements_of[*candidate].is_empty();
        search.pool = (0..search.problem.candidates.len()).filter(helpful).collect();
    }
    Ok(())
}

/// Statements by their share of the time, most first.
pub(super) fn by_weight<W: WhatIf>(search: &Search<'_, W>) -> Vec<usize> {
    let time = |statement: usize| search.problem.statements[statement].time_before();
    let mut order: Vec<usize> = (0..search.problem.statements.len()).collect();
    order.sort_by(|a, b| time(*b).total_cmp(&time(*a)).then(a.cmp(b)));
    order
}

/// The plan with all of `candidates` present.
pub(super) fn widest<W: WhatIf>(
    search: &mut Search<'_, W>,
    statement: usize,
    candidates: &[CandidateId],
) -> Result<PlanCost, Expired> {
    let mut field = candidates.to_vec();
    let at_once = search.problem.limits.at_once;
    while field.len() > at_once {
        let mut winners = BTreeSet::new();
        for part in field.chunks(at_once) {
            winners.extend(search.cache.plan(statement, part)?.used);
        }
        if winners.len() >= field.len() {
            break;
        }
        field = winners.into_iter().collect();
    }
    search.cache.plan(statement, &field)
}

/// Adds candidates and their relatives to the pool.
pub(super) fn admit<W: WhatIf>(search: &mut Search<'_, W>, candidates: &[CandidateId]) {
    for &candidate in candidates {
        for member in search.problem.candidates[candidate].relatives.iter().copied().chain([candidate]) {
            let helpful = !search.statements_of[member].is_empty();
            if let (true, Err(at)) = (helpful, search.pool.binary_search(&member)) {
                search.pool.insert(at, member);
            }
        }
    }
}

/// Plans every statement once with the pool as it came out: the cost that no configuration of it can beat.
fn lower_floors<W: WhatIf>(search: &mut Search<'_, W>, order: &[usize]) -> Result<(), Expired> {
    for &statement in order {
        let relevant = &search.problem.statements[statement].relevant;
        let pool: Vec<CandidateId> =
            relevant.iter().copied().filter(|c| search.pool.binary_search(c).is_ok()).collect();
        if !pool.is_empty() {
            let floor = widest(search, statement, &pool)?.total;
            search.floor[statement] = search.floor[statement].min(floor);
        }
    }
    Ok(())
}

/// Looks among candidates that stood in one plan for sets that save more together than one by one: a merge join over
/// two indexes, a BitmapAnd, a nested loop whose both sides need one. Greedy steps of one index would never find
/// these.
fn find_bundles<W: WhatIf>(
    search: &mut Search<'_, W>,
    statement: usize,
    used: &[CandidateId],
) -> Result<(), Expired> {
    if used.len() > MAX_INTERACTING {
        keep_bundle(search, used.to_vec());
        return Ok(());
    }
    let s = &search.problem.statements[statement];
    let margin = s.time_before() * search.limits().noise.max(0.01);
    let mut alone = Vec::with_capacity(used.len());
    for candidate in used {
        alone.push(search.saving(statement, &[*candidate])?);
    }
    let together = search.saving(statement, used)?;
    if together > alone.iter().sum::<f64>() + margin {
        keep_bundle(search, used.to_vec());
    }
    for (i, a) in used.iter().enumerate() {
        for (j, b) in used.iter().enumerate().skip(i + 1) {
            let pair = search.saving(statement, &[*a, *b])?;
            if pair > alone[i] + alone[j] + margin {
                keep_bundle(search, vec![*a, *b]);
            }
        }
    }
    Ok(())
}

/// Lets moves add a set at once; one candidate is moved by itself anyway.
pub(super) fn keep_bundle<W: WhatIf>(search: &mut Search<'_, W>, bundle: Vec<CandidateId>) {
    if let (2.., Err(at)) = (bundle.len(), search.bundles.binary_search(&bundle)) {
        search.bundles.insert(at, bundle);
    }
}
