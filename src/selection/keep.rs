//! Keeping: advice that changes from run to run is not followed, so the previous answer stays while it is nearly as good.
//!
//! Weighs the answers of two runs only; what the best answer is, the moves have found.

use super::greedy::{KEYS, fill};
use super::improve;
use super::search::{Configuration, Search};
use crate::cost::WhatIf;
use crate::cost::cache::Expired;
use std::collections::BTreeSet;

/// The previous answer, once its costs are known.
pub(super) struct Previous {
    /// As far as it is still worth having.
    worthwhile: Configuration,
    /// What others have to better, net milliseconds a day: what all of it saves that the limits allow, or what is left if
    /// that is more.
    to_better: f64,
}

/// Begins with the previous answer, less what is no longer worth its place and, where limits are tighter now, what is worth
/// least: so it is costed before time runs out, and the search looks around it.
pub(super) fn start<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let mut previous = search.problem.previous.clone();
    previous.dedup();
    if previous.is_empty() || search.has_rivals_within(&previous) {
        return Ok(());
    }
    search.pool.extend(previous.iter().filter(|candidate| !search.statements_of[**candidate].is_empty()));
    let mut previous = search.counted(previous)?;
    while !search.fits(&previous.members) {
        let Some(out) = improve::cheapest_room(search, &previous)? else { return Ok(()) };
        previous = search.moved(&previous, previous.without(out))?;
    }
    let whole_net = previous.net;
    let (worthwhile, _) = improve::prune(search, previous)?;
    search.consider(&worthwhile);
    let to_better = worthwhile.net.max(whole_net);
    search.previous = (!worthwhile.members.is_empty()).then_some(Previous { worthwhile, to_better });
    Ok(())
}

/// Goes back to the previous answer unless the best one found saves enough more, and tells how much more, as a share of the
/// examined time. Where it does, an answer that only adds to the previous one is preferred if it is as good.
pub(super) fn decide<W: WhatIf>(search: &mut Search<'_, W>) -> Option<f64> {
    let Previous { worthwhile: previous, to_better } = search.previous.take()?;
    let enough = search.limits().min_change * search.total_before;
    let more = search.best.net - to_better;
    if more < enough || search.best.members == previous.members {
        search.best = previous;
        return Some(more.max(0.0) / search.total_before.max(f64::MIN_POSITIVE));
    }
    // On expiry the best answer stands.
    if let Ok(wider) = widened(search, &previous)
        && wider.net - to_better >= enough
        && search.best.net - wider.net < enough
    {
        search.best = wider;
    }
    None
}

/// The previous answer with what is worth adding to it.
fn widened<W: WhatIf>(
    search: &mut Search<'_, W>,
    previous: &Configuration,
) -> Result<Configuration, Expired> {
    let mut best = previous.clone();
    for key in KEYS {
        let filled = fill(search, previous, key, &BTreeSet::new())?;
        let (pruned, _) = improve::prune(search, filled)?;
        if pruned.net > best.net {
            best = pruned;
        }
    }
    Ok(best)
}
