//! Exploration: what the planner would make of a configuration with more indexes beside it.
//!
//! One call with many candidates present names the best of them and bounds all others, where asking for each would take
//! as many calls as there are candidates. Only asks; what it learns stays in the cost cache, and sets that the planner
//! used together become bundles.

use super::Limits;
use super::peel::{admit, by_weight, keep_bundle, widest};
use super::search::{Configuration, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};

/// A statement is asked about as long as it could bring this share of what an index has to save: twenty statements make
/// an index together.
const WORTH_ASKING: f64 = 0.05;
/// Plans of one statement with smaller and smaller candidates. Each is a little worse than the one before, so a few
/// span the trade of size against saving.
const SIZES: usize = 6;
/// What all that the limits allow is worth, as shares of what everything costs before.
const WORTH_OF_ALL: [f64; 2] = [0.5, 0.1];

/// Asks what each statement would use if all who could use an index shared what it takes: the planner, left alone, names what is best for
/// one statement, and where ten tables are joined hardly two name the same.
///
/// All that the limits allow is taken to be worth a share of what everything costs, `WORTH_OF_ALL`. What a cheaper relative may do is not
/// asked about: a call takes several times as long with all candidates as with a few of them.
pub(super) fn shared<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let problem = search.problem;
    // Of the limit that it takes most of.
    let of_all = |candidate: CandidateId| {
        let Limits { storage_bytes, max_indexes, .. } = problem.limits;
        let bytes = |room: u64| problem.candidates[candidate].size_bytes as f64 / room.max(1) as f64;
        let number =
            if max_indexes < problem.candidates.len() { 1.0 / max_indexes.max(1) as f64 } else { 0.0 };
        storage_bytes.map_or(number, |room| number.max(bytes(room)))
    };
    let time = |statement: usize| {
        let s = &problem.statements[statement];
        s.weight * s.before.total
    };
    let sum_of_times = |statements: &Vec<usize>| statements.iter().copied().map(time).sum();
    let time_of: Vec<f64> = search.statements_of.iter().map(sum_of_times).collect();
    for worth in WORTH_OF_ALL {
        for statement in by_weight(search) {
            let s = &problem.statements[statement];
            // In units of the planner, of the part that falls to this statement.
            let price = |candidate: CandidateId| {
                let charge = worth * search.total_before * of_all(candidate);
                (charge + problem.candidates[candidate].write_ms) * s.before.total / time_of[candidate]
            };
            let mut field: Vec<(CandidateId, f64)> = s
                .relevant
                .iter()
                .copied()
                .filter(|candidate| (0.0..=1.0).contains(&of_all(*candidate)))
                .map(|candidate| (candidate, price(candidate)))
                .collect();
            let priced = field.clone();
            let price_of = |relative: &CandidateId| {
                let at = priced.binary_search_by_key(relative, |(candidate, _)| *candidate).ok()?;
                Some(priced[at].1)
            };
            field.retain(|(candidate, price)| {
                let relatives = &problem.candidates[*candidate].relatives;
                !relatives.iter().filter_map(price_of).any(|cheaper| cheaper < *price)
            });
            if field.len() > problem.limits.at_once {
                field.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
                field.truncate(problem.limits.at_once);
                field.sort_by_key(|(candidate, _)| *candidate);
            }
            if field.iter().all(|(_, price)| *price == 0.0) || search.cache.is_spent(statement) {
                continue;
            }
            let most = search.most_in_memory(statement);
            let Some(found) = search.cache.at_prices(statement, &field, most)? else { continue };
            if found.used.is_empty() {
                continue;
            }
            let plan = search.cache.plan(statement, &found.used)?;
            admit(search, &plan.used);
            if plan.used.len() > 1 {
                keep_bundle(search, plan.used);
            }
        }
    }
    Ok(())
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
            if plan.used.len() > 1 {
                keep_bundle(search, plan.used);
            }
        }
    }
    Ok(())
}
