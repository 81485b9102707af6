//! Guard: no statement gets slower than the user allows.
//!
//! The search already counts a slowdown as a loss; what is left of them where others gain more is taken away here, with
//! the members that cause them. Only drops.

use super::search::{Configuration, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};

/// Drops members, those that save least first, until no statement is slower than it may get.
pub(super) fn run<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: Configuration,
) -> Result<Configuration, Expired> {
    let forgiven = search.forgiven.clone();
    keep_to(search, configuration, &|statement| !forgiven.contains(&statement))
}

/// The same of the best set so far, which stays what it is.
pub(super) fn of_best<W: WhatIf>(search: &mut Search<'_, W>) -> Result<Configuration, Expired> {
    let best = search.best.clone();
    run(search, best)
}

/// The same for those statements that are `heeded`.
fn keep_to<W: WhatIf>(
    search: &mut Search<'_, W>,
    mut configuration: Configuration,
    heeded: &dyn Fn(usize) -> bool,
) -> Result<Configuration, Expired> {
    if search.limits().slowdown.is_none() {
        return Ok(configuration);
    }
    loop {
        let mut slower = self::slower(search, &configuration)?;
        slower.retain(|slow| heeded(slow.statement));
        if slower.is_empty() {
            return Ok(configuration);
        }
        // The fewest that stay slower, then the most that is saved.
        let mut best: Option<(usize, Configuration)> = None;
        for &member in &configuration.members {
            if !slower.iter().any(|slow| slow.suspects.binary_search(&member).is_ok()) {
                continue;
            }
            let without = search.moved(&configuration, configuration.without(member))?;
            let left = self::slower(search, &without)?;
            let left = left.iter().filter(|slow| heeded(slow.statement)).count();
            if best.as_ref().is_none_or(|(least, other)| (left, -without.net) < (*least, -other.net)) {
                best = Some((left, without));
            }
        }
        // Without a new index nothing is slower, so some member is to blame.
        let Some((_, without)) = best else { return Ok(configuration) };
        configuration = without;
    }
}

/// Lets those statements get slower than the user allows for whose sake others would lose too much by his measure
/// (`Limits::slowdown_price`): for one statement in fifty, an index that forty need is not withheld. A search weighs the loss at the same price (`Limits::regret`).
///
/// What the best set loses without its guilty members is what keeping to the limit costs, one statement after the other, the one that loses
/// least first.
pub(super) fn forgive<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let price = search.limits().slowdown_price;
    if search.limits().slowdown.is_none() || price.is_infinite() {
        return Ok(());
    }
    let best = search.best.clone();
    let mut slow = slower(search, &best)?;
    slow.retain(|slow| !search.forgiven.contains(&slow.statement));
    slow.sort_by(|a, b| a.lost.total_cmp(&b.lost).then(a.statement.cmp(&b.statement)));
    for Slower { statement, lost, .. } in slow {
        let kept_to = keep_to(search, best.clone(), &|other| other == statement)?;
        let saved = |configuration: &Configuration| configuration.net - configuration.savings[statement];
        if saved(&best) - saved(&kept_to) > price * lost {
            search.forgiven.insert(statement);
        }
    }
    Ok(())
}

/// A statement that is slower than the user allows.
struct Slower {
    statement: usize,
    /// Milliseconds a day that it takes longer than as things are.
    lost: f64,
    /// Members that the plans which make it so use, ascending.
    suspects: Vec<CandidateId>,
}

/// Statements that a configuration makes slower than allowed, ascending.
fn slower<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: &Configuration,
) -> Result<Vec<Slower>, Expired> {
    let mut slower = Vec::new();
    for statement in search.touched(&configuration.members).into_owned() {
        // A slowdown is a loss; the others need not be looked at.
        if configuration.savings[statement] < 0.0 {
            let plan = search.cache.plan(statement, &configuration.members)?;
            let (nearby, mut suspects) = search.slow_nearby(statement, &configuration.members, &plan);
            let s = &search.problem.statements[statement];
            let slowdown = s.slowdown(&plan).max(nearby);
            if !search.limits().allow(slowdown) {
                suspects.extend(&plan.used);
                suspects.sort_unstable();
                suspects.dedup();
                slower.push(Slower { statement, lost: s.time_before() * slowdown, suspects });
            }
        }
    }
    Ok(slower)
}
