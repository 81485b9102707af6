//! Drops what no longer earns its place.
//!
//! The planner may be asked. Exchanges are `ruin`'s.

use super::greedy::{Key, fill};
use super::search::{Configuration, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};
use std::collections::BTreeSet;

/// Drops the members that save too little beside the others, refills what that frees, and considers the result.
pub(super) fn settle<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: Configuration,
    key: Key,
) -> Result<(), Expired> {
    let (pruned, dropped) = prune(search, configuration)?;
    search.consider(&pruned);
    if !dropped.is_empty() {
        let refilled = fill(search, &pruned, key, &dropped)?;
        let (settled, _) = prune(search, refilled)?;
        search.consider(&settled);
    }
    Ok(())
}

/// Considers a configuration without the members that are not worth their place. One that could not be better so is not looked at closer.
pub(super) fn consider<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: Configuration,
) -> Result<(), Expired> {
    // A member that goes takes its writes with it, and may take what slows a statement.
    let slower: f64 = configuration.savings.iter().filter(|saving| **saving < 0.0).sum();
    let most = configuration.net + search.write_ms(&configuration.members) - slower;
    if most >= search.best.net {
        let (pruned, _) = prune(search, configuration)?;
        search.consider(&pruned);
    }
    Ok(())
}

/// Removes members, the least useful first, until each is worth its place; also returns those removed.
pub(super) fn prune<W: WhatIf>(
    search: &mut Search<'_, W>,
    mut configuration: Configuration,
) -> Result<(Configuration, BTreeSet<CandidateId>), Expired> {
    let mut dropped = BTreeSet::new();
    loop {
        let losses = losses(search, &configuration)?;
        let Some(&(loss, weakest)) = losses.first() else { break };
        if loss >= search.least_gain {
            break;
        }
        configuration = search.moved(&configuration, configuration.without(weakest))?;
        dropped.insert(weakest);
    }
    Ok((configuration, dropped))
}

/// What the configuration would lose without each of its members, net, the least first.
fn losses<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: &Configuration,
) -> Result<Vec<(f64, CandidateId)>, Expired> {
    let mut losses = Vec::with_capacity(configuration.members.len());
    for &member in &configuration.members {
        losses.push((search.loss(configuration, member)?, member));
    }
    // Of two equally useless ones the less preferred goes first.
    losses.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    Ok(losses)
}

/// The member whose room costs least (per byte, where bytes are limited). On a table with too many
/// indexes, if there is one.
pub(super) fn cheapest_room<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: &Configuration,
) -> Result<Option<CandidateId>, Expired> {
    let price = |(loss, member): &(f64, CandidateId), search: &Search<'_, W>| {
        let bytes = if search.limits().storage_bytes.is_some() { search.bytes(&[*member]) } else { 1 };
        loss / bytes.max(1) as f64
    };
    let losses = losses(search, configuration)?;
    let crowded = |member: CandidateId| search.is_crowded(member, configuration.members.iter());
    let anywhere = !configuration.members.iter().any(|member| crowded(*member));
    let others = losses.iter().filter(|(_, member)| anywhere || crowded(*member));
    let cheapest = others.min_by(|a, b| price(a, search).total_cmp(&price(b, search)).then(b.1.cmp(&a.1)));
    Ok(cheapest.map(|(_, member)| *member))
}
