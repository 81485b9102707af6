//! Exploration: what the planner would make of a configuration with more indexes beside it.
//!
//! One call with many candidates present names the best of them and bounds all others, where asking for each would take
//! as many calls as there are candidates. Only asks; what it learns stays in the cost cache, and sets that the planner
//! used together become bundles.

use super::peel::{by_weight, keep_bundle, widest};
use super::search::{Configuration, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};

/// A statement is asked about as long as it could bring this share of what an index has to save: twenty statements make
/// an index together.
const WORTH_ASKING: f64 = 0.05;
/// Plans of one statement with smaller and smaller candidates. Each is a little worse than the one before, so a few
/// span the trade of size against saving.
const SIZES: usize = 6;

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
            keep_bundle(search, plan.used);
        }
    }
    Ok(())
}
