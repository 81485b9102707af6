//! Local search: drops what no longer earns its place, and exchanges where greedy's early choices stand in the way.
//!
//! Starts from the best configuration and accepts only what is better; ends when a round changes nothing.

use super::greedy::{self, KEYS, Key, fill};
use super::search::{Configuration, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Rounds of exchanges; the second rarely finds anything, the cap only guards against a crawl.
const ROUNDS: usize = 6;
/// A round has to better the net saving by this share to be followed by another: a tenth of the planner's fuzz.
const WORTH_A_ROUND: f64 = 0.001;
/// Candidates and bundles outside the configuration that are forced in, at most, in a round. With 24, TPC-DS within 1 GB was left
/// 0.026 of the cost dearer, and TPC-H within 1050 MB 0.011.
const FORCED: usize = 60;
/// Statements looked at in a run, after which no further exchange is begun: for each statement of the problem, ...
const LOOKS_A_STATEMENT: u64 = 12_500;
/// ... at least and at most: a fortieth of a second, and a fifth of one. Of TPC-H's 19 statements eight times as many looks
/// made no answer better by 0.005 of the cost; TPC-DS's 89 need theirs; of five hundred, exchanges that were not tried matter little beside what
/// greedy found.
const LOOKS: RangeInclusive<u64> = 250_000..=2_000_000;

/// Looks that a run over so many statements is worth.
fn looks_over(statements: usize) -> u64 {
    (LOOKS_A_STATEMENT * statements as u64).clamp(*LOOKS.start(), *LOOKS.end())
}

/// Exchanges until a round changes nothing or enough was looked at.
pub(super) fn run<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let end = search.looked_at.get() + looks_over(search.problem.statements.len());
    for _ in 0..ROUNDS {
        let start = search.best.net;
        let lacking = lacking(search);
        force_in(search, lacking, end)?;
        leave_one_out(search, end)?;
        let promising = promising(search);
        force_in(search, promising, end)?;
        if search.looked_at.get() >= end || search.best.net <= start * (1.0 + WORTH_A_ROUND) {
            break;
        }
    }
    Ok(())
}

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

/// Takes each member out in turn and refills without it: finds every exchange of one for one, or for several.
fn leave_one_out<W: WhatIf>(search: &mut Search<'_, W>, end: u64) -> Result<(), Expired> {
    let base = search.best.clone();
    for (_, member) in losses(search, &base)? {
        if search.looked_at.get() >= end {
            break;
        }
        let rest = search.moved(&base, base.without(member))?;
        for key in KEYS {
            let refilled = fill(search, &rest, key, &BTreeSet::from([member]))?;
            let topped_up = fill(search, &refilled, key, &BTreeSet::new())?;
            settle(search, topped_up, key)?;
        }
    }
    Ok(())
}

/// The outsiders (or bundles of them) that promise most, the most first.
fn promising<W: WhatIf>(search: &Search<'_, W>) -> Vec<Vec<CandidateId>> {
    let empty = search.empty();
    let sets = search.pool.iter().map(|candidate| vec![*candidate]).chain(search.bundles.iter().cloned());
    let mut outsiders: Vec<(f64, Vec<CandidateId>)> = sets
        .filter(|set| is_outside(search, &search.best, set))
        .map(|set| (search.potential(&empty, &set), set))
        .filter(|(promise, _)| *promise >= search.least_gain)
        .collect();
    outsiders.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    outsiders.into_iter().take(FORCED).map(|(_, set)| set).collect()
}

/// What the best configuration lacks for known plans of its statements that are cheaper, by what they save a byte.
fn lacking<W: WhatIf>(search: &Search<'_, W>) -> Vec<Vec<CandidateId>> {
    let mut sets: BTreeMap<Vec<CandidateId>, f64> = BTreeMap::new();
    for (statement, saving) in search.best.savings.iter().enumerate() {
        for plan in search.cache.plans(statement) {
            let more = search.saving_by(statement, plan) - saving;
            if more >= search.least_gain {
                let lacking = plan.used.iter().copied().filter(|c| !search.best.contains(*c)).collect();
                *sets.entry(lacking).or_default() += more;
            }
        }
    }
    let size = |set: &[CandidateId]| search.bytes(set).max(1) as f64;
    let mut sets: Vec<(f64, Vec<CandidateId>)> =
        sets.into_iter().map(|(set, more)| (more / size(&set), set)).collect();
    sets.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let sets = sets.into_iter().map(|(_, set)| set);
    sets.filter(|set| is_outside(search, &search.best, set)).take(FORCED).collect()
}

/// Whether a set could be added to what is not all of it there.
fn is_outside<W: WhatIf>(search: &Search<'_, W>, base: &Configuration, set: &[CandidateId]) -> bool {
    set.iter().any(|candidate| !base.contains(*candidate))
        && search.fits(set)
        && !search.has_rivals_within(set)
}

/// Puts each of the `outsiders` in, makes room for it, and refills: finds the large index
/// that greedy passed over for small ones, the one that replaces several, and the pair whose halves are worth nothing
/// alone.
fn force_in<W: WhatIf>(
    search: &mut Search<'_, W>,
    outsiders: Vec<Vec<CandidateId>>,
    end: u64,
) -> Result<(), Expired> {
    let base = search.best.clone();
    for outsiders in outsiders {
        if search.looked_at.get() >= end {
            break;
        }
        if !is_outside(search, &base, &outsiders) {
            continue;
        }
        let mut room = base.clone();
        for rival in search.rivals(&base.members, &outsiders) {
            room = search.moved(&room, room.without(rival))?;
        }
        let mut forced = search.moved(&room, room.with(&outsiders))?;
        while !search.fits(&forced.members) {
            let Some(out) = cheapest_room(search, &forced, &outsiders)? else { break };
            forced = search.moved(&forced, forced.without(out))?;
        }
        greedy::run_from(search, &forced)?;
    }
    Ok(())
}

/// The member whose room costs least (per byte, where bytes are limited); none of `keep`. On a table with too many
/// indexes, if there is one.
pub(super) fn cheapest_room<W: WhatIf>(
    search: &mut Search<'_, W>,
    configuration: &Configuration,
    keep: &[CandidateId],
) -> Result<Option<CandidateId>, Expired> {
    let price = |(loss, member): &(f64, CandidateId), search: &Search<'_, W>| {
        let bytes = if search.limits().storage_bytes.is_some() { search.bytes(&[*member]) } else { 1 };
        loss / bytes.max(1) as f64
    };
    let losses = losses(search, configuration)?;
    let crowded = |member: CandidateId| search.is_crowded(member, configuration.members.iter());
    let anywhere = !configuration.members.iter().any(|member| crowded(*member));
    let others = losses.iter().filter(|(_, member)| !keep.contains(member) && (anywhere || crowded(*member)));
    let cheapest = others.min_by(|a, b| price(a, search).total_cmp(&price(b, search)).then(b.1.cmp(&a.1)));
    Ok(cheapest.map(|(_, member)| *member))
}
