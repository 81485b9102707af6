//! Guard: no statement gets slower than the user allows.
//!
//! The search already counts a slowdown as a loss; what is left of them where others gain more is taken away here, with
//! the members that cause them. Only drops.

use super::search::{Configuration, Search};
use crate::cost::WhatIf;
use crate::cost::cache::Expired;

/// Drops members, those that save least first, until no statement is slower than allowed.
pub(super) fn run<W: WhatIf>(
    search: &mut Search<'_, W>,
    mut configuration: Configuration,
) -> Result<Configuration, Expired> {
    if search.limits().slowdown.is_none() {
        return Ok(configuration);
    }
    loop {
        let slower = slower(search, &configuration)?;
        if slower.is_empty() {
            return Ok(configuration);
        }
        // The fewest that stay slower, then the most that is saved.
        let mut best: Option<(usize, Configuration)> = None;
        for &member in &configuration.members {
            if !slower.iter().any(|statement| search.statements_of[member].binary_search(statement).is_ok()) {
                continue;
            }
            let without = search.moved(&configuration, configuration.without(member))?;
            let left = self::slower(search, &without)?.len();
            if best.as_ref().is_none_or(|(least, other)| (left, -without.net) < (*least, -other.net)) {
                best = Some((left, without));
            }
        }
        // Without a new index nothing is slower, so some member is to blame.
        let Some((_, without)) = best else { return Ok(configuration) };
        configuration = without;
    }
}

/// Statements that a configuration makes slower than allowed, ascending.
fn slower<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: &Configuration,
) -> Result<Vec<usize>, Expired> {
    let mut slower = Vec::new();
    for statement in search.touched(&configuration.members).into_owned() {
        // A slowdown is a loss; the others need not be looked at.
        if configuration.savings[statement] < 0.0 {
            let plan = search.cache.plan(statement, &configuration.members)?;
            let nearby = search.slowdown_nearby(statement, &configuration.members, &plan);
            let slowdown = search.problem.statements[statement].slowdown(&plan).max(nearby);
            if !search.limits().allow(slowdown) {
                slower.push(statement);
            }
        }
    }
    Ok(slower)
}
