//! Ruin and recreate: takes several members out at once and fills what that frees, again and again, on the known plans alone.
//!
//! Exchanges of one member end where several have to give way together. Here a cheaper plan of a statement is put in, some members
//! are taken out by lot, and the room is filled with the plans that save most (Schrimpf et al., J. Comput. Phys. 159, 2000; large
//! neighbourhoods: Shaw 1998). What is a little worse is gone on from, the less the longer it lasts. The lots come from a fixed seed,
//! so that the same question has the same answer. Asks no planner.

mod ground;
mod offers;
mod plan;
mod standing;
#[cfg(test)]
mod tests;

use super::search::Search;
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};
use fastrand::Rng;
use ground::Ground;
use standing::Standing;

/// Plans looked at in a run, after which it ends: some hundredths of a second.
const LOOKS: u64 = 2_000_000;
/// More statements than `A_FEW` need so many times as many, `MOST_TIMES` at most: where there are ten variants of each of TPC-H's, five times
/// the looks left a gap of 4 to 6 % in place of 7. Of `MANY`, no run looks at more: there two and a half times the looks took 7 seconds more
/// and left the gap as it was.
const A_FEW: f64 = 20.0;
const MANY: f64 = 500.0;
const MOST_TIMES: f64 = 5.0;
/// Tries for each candidate that known plans use, after which a run ends too: few candidates are soon through.
const TRIES: usize = 24;
/// Plans that are looked at for what to fill the room with, at least: all of a small workload's. Of a larger one, those of the statements
/// that lost something, and of others by lot.
const IN_VIEW: usize = 400;
/// What is worse by this share of the cost before is gone on from at first as often as not, later by less.
const WARMTH: f64 = 0.0005;
/// Tries without a better set, after which it begins anew, ...
const PATIENCE: usize = 60;
/// ... so often from nothing, else from the best without half of its members, ...
const FROM_NOTHING: f64 = 0.25;
/// ... filled with far more left to the lot.
const NEW_NOISE: f64 = 2.0;
/// How often it begins with a plan that is put in and stays until it begins anew again.
const PINNED: f64 = 0.7;
/// How often a cheaper plan is put in; else members are only taken out.
const PUT_IN: f64 = 0.6;
/// Members taken out in a try, fewer than: with a plan put in, and without.
const OUT: (usize, usize) = (3, 5);
/// How far lots may lift one plan's gain over another's while the room is filled.
const NOISE: f64 = 0.4;
/// How often members taken out may come back at once.
const BACK: f64 = 0.5;
/// How often the room is filled by what is saved, and by what is saved a byte; else by what is saved a byte that falls to a statement.
const BY_GAIN: f64 = 0.2;
const BY_BYTES: f64 = 0.4;

/// What the plan has most of that is put in next: none is right alone. By bytes the plan of one statement comes first that has small indexes to
/// itself, by bytes each the one whose indexes serve many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Gain,
    Bytes,
    BytesEach,
}

const EACH_WAY: [By; 3] = [By::Bytes, By::BytesEach, By::Gain];

/// What the outcome of a run depends on.
#[derive(Debug, PartialEq)]
pub(super) struct Begun {
    /// All that is known comes of them.
    planner_calls: u64,
    /// Of the best configuration.
    members: Vec<CandidateId>,
}

/// Betters the best configuration as far as known plans tell.
pub(super) fn run<W: WhatIf>(search: &mut Search<'_, W>) -> Result<(), Expired> {
    let statements = search.problem.statements.len() as f64;
    let times = (statements / A_FEW).min(MANY / statements).clamp(1.0, MOST_TIMES);
    let looks = (LOOKS as f64 * times) as u64;
    let planner_calls = search.cache.counters().planner_calls;
    let begun = Begun { planner_calls, members: search.best.members.clone() };
    if search.ruined.as_ref() == Some(&begun) {
        return Ok(());
    }
    let ground = Ground::of(search);
    let mut lots = Rng::with_seed(planner_calls);
    let mut best = begin(&ground, &search.best.members, search.least_gain, &mut lots);
    let (nothing, mut current, mut next) = (ground.standing(&[]), best.clone(), best.clone());
    let mut idle = 0;
    let mut pinned = Vec::new();
    let tries = TRIES * ground.size();
    for tried in 0..tries {
        let left = 1.0 - (ground.looks() as f64 / looks as f64).max(tried as f64 / tries as f64);
        if left <= 0.0 {
            break;
        }
        search.cache.check_time()?;
        attempt(&ground, &mut next, &current, &pinned, &mut lots);
        idle += 1;
        let warmth = WARMTH * search.total_before * left;
        let worse = current.net - next.net;
        if worse <= 0.0 || lots.f64() < (-worse / warmth).exp() {
            std::mem::swap(&mut current, &mut next);
        }
        if current.net > best.net + search.least_gain {
            best.clone_from(&current);
            idle = 0;
        } else if idle >= PATIENCE {
            let from = if lots.f64() < FROM_NOTHING { &nothing } else { &best };
            (current, pinned) = anew(&ground, from, &mut lots);
            idle = 0;
        }
    }
    let found = search.counted(ground.members(&best))?;
    search.consider(&found);
    search.ruined = Some(begun);
    Ok(())
}

/// A set, or what greedy makes of it or of nothing by each measure, where that is enough better.
fn begin(ground: &Ground, members: &[CandidateId], enough: f64, lots: &mut Rng) -> Standing {
    let mut best = ground.standing(members);
    for start in [best.clone(), ground.standing(&[])] {
        for by in EACH_WAY {
            let mut filled = start.clone();
            ground.fill_of_all(&mut filled, by, lots);
            ground.prune(&mut filled, &start, &[]);
            if filled.net >= best.net + enough {
                best = filled;
            }
        }
    }
    best
}

/// What comes of the best set, or of none, without half of its members, left to the lot; now and then with a plan that is to stay.
fn anew(ground: &Ground, from: &Standing, lots: &mut Rng) -> (Standing, Vec<usize>) {
    let mut next = from.clone();
    if lots.f64() < PINNED {
        let pinned = ground.put_in(&mut next, lots);
        if ground.make_room(&mut next, &pinned, lots) {
            ground.fill(&mut next, by_lot(lots), NOISE, &[], lots);
            ground.prune(&mut next, from, &pinned);
            return (next, pinned);
        }
        next = from.clone();
    }
    for member in &from.members {
        if lots.bool() {
            ground.remove(&mut next, *member);
        }
    }
    ground.fill(&mut next, by_lot(lots), NEW_NOISE, &[], lots);
    ground.prune(&mut next, from, &[]);
    (next, Vec::new())
}

fn by_lot(lots: &mut Rng) -> By {
    match lots.f64() {
        lot if lot < BY_GAIN => By::Gain,
        lot if lot < BY_GAIN + BY_BYTES => By::Bytes,
        _ => By::BytesEach,
    }
}

/// Makes `next` what comes of one ruin of `current`, within the limits, whatever it was before.
fn attempt(ground: &Ground, next: &mut Standing, current: &Standing, pinned: &[usize], lots: &mut Rng) {
    next.clone_from(current);
    let mut kept = if lots.f64() < PUT_IN { ground.put_in(next, lots) } else { Vec::new() };
    let bare = kept.is_empty();
    kept.extend(pinned);
    let mut out = Vec::new();
    for _ in 0..if bare { lots.usize(1..OUT.1) } else { lots.usize(0..OUT.0) } {
        let others: Vec<usize> = next.members.iter().copied().filter(|m| !kept.contains(m)).collect();
        let Some(member) = lots.choice(others) else { break };
        ground.remove(next, member);
        out.push(member);
    }
    if !ground.make_room(next, &kept, lots) {
        return next.clone_from(current);
    }
    if lots.f64() < BACK {
        out.clear();
    }
    let by = by_lot(lots);
    ground.fill(next, by, NOISE, &out, lots);
    if ground.prune(next, current, pinned) || !out.is_empty() {
        ground.fill(next, by, 0.0, &[], lots);
    }
}
