//! Attribution: the chosen indexes in the order of their worth, with what each brings alone and after the others, and to whom.
//!
//! The last step: changes the configuration only to drop what turned out not to be worth its place.

use super::certificate::{Certificate, Evidence};
use super::peel::by_weight;
use super::search::{Configuration, Gain, Search};
use super::{Choice, CutShort, Effect, SearchRecord, Selection, frontier, guard, improve};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, PlanCost, WhatIf};

/// Times that the planner is asked about an answer when time has run out: what it says may show a member to be of no use, or a
/// statement to be slower, and then the answer is another.
const CONFIRMATIONS: usize = 3;

/// Turns the best configuration into the answer. Where time has run out, what is known stands in for what is not.
pub(super) fn conclude<W: WhatIf>(
    mut search: Search<'_, W>,
    complete: bool,
    evidence: &Evidence,
) -> Selection {
    let attributed = if complete { attribute(&mut search) } else { Err(Expired) };
    let complete = attributed.is_ok();
    let (mut chosen, after, answer) = attributed.unwrap_or_else(|Expired| attribute_late(&mut search));
    let order: Vec<usize> = chosen.iter().map(|choice| choice.candidate).collect();
    let mut certificate = Certificate::of(evidence, &search, &order, &after);
    // The answer that the bound is held against is not what it would have been with more time.
    certificate.complete &= complete;
    let frontier = frontier::curve(&mut search, &answer);
    search.cache.go_online_for_the_answer();
    if find_effects(&mut search, &mut chosen, &after).is_err() {
        search.cache.go_offline();
        let _ = find_effects(&mut search, &mut chosen, &after);
    }
    let counters = search.cache.counters();
    let record = SearchRecord {
        complete,
        planner_calls: counters.planner_calls,
        exact_hits: counters.exact_hits,
        graph_hits: counters.graph_hits,
        bound_hits: counters.bound_hits,
        failures: search.cache.failures().to_vec(),
        cut_short: search
            .cache
            .cut_short()
            .map(|(statement, planner_calls)| CutShort { statement, planner_calls })
            .collect(),
    };
    Selection { chosen, after, certificate, frontier, kept: None, search: record }
}

/// The choices in order, each statement's plan with all of them, and the set.
type Attributed = (Vec<Choice>, Vec<PlanCost>, Configuration);

fn attribute<W: WhatIf>(search: &mut Search<'_, W>) -> Result<Attributed, Expired> {
    let mut best = search.counted(search.best.members.clone())?;
    // What the guard takes away may have been all that another member was there for.
    loop {
        let (pruned, _) = improve::prune(search, best)?;
        let left = pruned.members.len();
        best = guard::run(search, pruned)?;
        if best.members.len() == left {
            break;
        }
    }
    // Nothing is slower than allowed with all of them; on the way there, what is said to be saved is what the planner says.
    let ranked = search.ignoring_slowdowns(|search| rank(search, &best))?;
    let statements = 0..search.problem.statements.len();
    let after: Result<Vec<PlanCost>, Expired> =
        statements.map(|statement| search.cache.final_plan(statement, &best.members)).collect();
    Ok((ranked, after?, best))
}

/// The answer when time has run out. Its known plans are upper bounds, far too high where an index came to serve statements that
/// nobody asked about with it, so the planner is asked what they cost with the answer while the little time for that lasts.
fn attribute_late<W: WhatIf>(search: &mut Search<'_, W>) -> Attributed {
    let mut attributed = None;
    for _ in 0..CONFIRMATIONS {
        let members = search.best.members.clone();
        search.cache.go_online_for_the_answer();
        let confirmed = confirm(search, &members);
        search.cache.go_offline();
        // Offline, nothing expires.
        let answer = attribute(search).unwrap_or_default();
        let (stands, late) = (answer.2.members == members, confirmed.is_err());
        search.best = answer.2.clone();
        attributed = Some(answer);
        if stands || late {
            break;
        }
    }
    attributed.unwrap_or_default()
}

/// Asks the planner about every statement that a set could help, those with most time first.
fn confirm<W: WhatIf>(search: &mut Search<'_, W>, members: &[CandidateId]) -> Result<(), Expired> {
    let touched = search.touched(members).into_owned();
    let by_weight =
        by_weight(search).into_iter().filter(|statement| touched.binary_search(statement).is_ok());
    for statement in by_weight {
        search.cache.final_plan(statement, members)?;
    }
    Ok(())
}

/// The members of `best` in the order of what they save on top of those before; the preferred one of equals first.
fn rank<W: WhatIf>(search: &mut Search<'_, W>, best: &Configuration) -> Result<Vec<Choice>, Expired> {
    let empty = search.empty();
    let mut placed = empty.clone();
    let mut chosen = Vec::with_capacity(best.members.len());
    // With what each saved when that was last asked, the most first: where returns diminish, few are asked again.
    let mut left: Vec<(f64, CandidateId)> = Vec::with_capacity(best.members.len());
    for &member in &best.members {
        left.push((search.gain(&empty, &[member])?, member));
    }
    while !left.is_empty() {
        left.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let at = first_in_order(search, &placed, &mut left)?;
        let (gain, next) = left.remove(at);
        let write_ms = search.write_ms(&[next]);
        let alone = search.gain(&empty, &[next])? + write_ms;
        chosen.push(Choice {
            candidate: next,
            gain_alone: alone,
            gain_after_previous: gain + write_ms,
            effects: Vec::new(),
        });
        placed = search.moved(&placed, placed.with(&[next]))?;
    }
    Ok(chosen)
}

/// Which of those left saves most on top of those placed. Of those that cannot be it, what they save is not asked.
fn first_in_order<W: WhatIf>(
    search: &mut Search<'_, W>,
    placed: &Configuration,
    left: &mut [(f64, CandidateId)],
) -> Result<usize, Expired> {
    let mut first: Option<usize> = None;
    for at in 0..left.len() {
        let member = left[at].1;
        let enough = first.map_or(f64::NEG_INFINITY, |first| left[first].0);
        if let Gain::AtMost(_) = search.gain_if_enough(placed, &[member], enough)? {
            continue;
        }
        left[at].0 = search.gain(placed, &[member])?;
        let ahead =
            |first: usize| left[at].0.total_cmp(&left[first].0).then(left[first].1.cmp(&member)).is_gt();
        if first.is_none_or(ahead) {
            first = Some(at);
        }
    }
    Ok(first.unwrap_or(0))
}

/// Says of every choice which statements it makes cheaper, with those before it in place. `after` are the plans with all of them.
/// Most of it the ranking has asked already.
fn find_effects<W: WhatIf>(
    search: &mut Search<'_, W>,
    chosen: &mut [Choice],
    after: &[PlanCost],
) -> Result<(), Expired> {
    let problem = search.problem;
    let noticeable = |total: f64| total * (1.0 - problem.limits.noise);
    let mut plans: Vec<PlanCost> = problem.statements.iter().map(|s| s.before.clone()).collect();
    let mut placed: Vec<CandidateId> = Vec::with_capacity(chosen.len());
    let mut last = vec![None; problem.statements.len()];
    for choice in chosen.iter() {
        search.statements_of[choice.candidate].iter().for_each(|at| last[*at] = Some(choice.candidate));
    }
    for choice in chosen {
        choice.effects.clear();
        placed.insert(placed.partition_point(|other| *other < choice.candidate), choice.candidate);
        for statement in search.statements_of[choice.candidate].clone() {
            // Where it has come to what it comes to at last, nothing else helps it.
            if noticeable(plans[statement].total) <= after[statement].total {
                continue;
            }
            // With all that could help it, it comes to what was said of it, whatever has become known since.
            let found = match last[statement] == Some(choice.candidate) {
                true => after[statement].clone(),
                false => search.cache.plan(statement, &placed)?,
            };
            // By the planner's fuzz, and where joins are searched by lot (GEQO), one index more may cost more, and a few less than all:
            // neither is an effect of the index.
            if found.total >= plans[statement].total {
                continue;
            }
            let plan = if found.total < after[statement].total { after[statement].clone() } else { found };
            let before = std::mem::replace(&mut plans[statement], plan);
            let (s, after) = (&problem.statements[statement], &plans[statement]);
            if after.total < noticeable(before.total) {
                let saving = s.weight * (before.total - after.total);
                choice.effects.push(Effect { statement: s.id, saving, before, after: after.clone() });
            }
        }
    }
    Ok(())
}
