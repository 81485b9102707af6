//! Makes ranked advice of a selection: what each index costs and does for every statement.
//!
//! The words are `reason`'s.

use super::reason::{Evidence, reason};
use super::{Action, Recommendation, StatementEffect};
use crate::candidate::Candidate;
use crate::catalog::Catalog;
use crate::cost::model::Price;
use crate::cost::{CandidateId, PlanCost, WhatIf};
use crate::selection::{Problem, Selection};
use std::borrow::Cow;

/// The chosen candidates as recommendations, best first.
///
/// `window_seconds` is the observed window; without it nothing is said of time a day.
pub fn advise<W: WhatIf>(
    problem: &Problem,
    selection: &Selection,
    pool: &[Candidate],
    prices: &[Price],
    catalog: &Catalog,
    window_seconds: Option<f64>,
    what_if: &mut W,
) -> Vec<Recommendation> {
    let total: f64 =
        problem.statements.iter().map(|statement| statement.weight * statement.before.total).sum();
    let share = |ms: f64| if total > 0.0 { ms / total } else { 0.0 };
    let mut previous: Vec<CandidateId> = Vec::new();
    // With the previous ones in place.
    let mut plans: Vec<Cow<'_, PlanCost>> =
        problem.statements.iter().map(|statement| Cow::Borrowed(&statement.before)).collect();
    let mut advice: Vec<Recommendation> = Vec::new();
    let mut ranked: Vec<(u32, CandidateId)> = Vec::new();
    for choice in &selection.chosen {
        let candidate = &pool[choice.candidate];
        let Some(relation) = catalog.relations.get(&candidate.definition.relation) else { continue };
        let mut effects =
            effects(problem, &selection.after, &previous, choice.candidate, &mut plans, what_if);
        effects.iter_mut().for_each(|(effect, _)| effect.saving = share(effect.saving));
        effects.sort_by(|(a, _), (b, _)| b.saving.total_cmp(&a.saving).then(a.statement.cmp(&b.statement)));
        let (statements, before): (Vec<StatementEffect>, Vec<PlanCost>) = effects.into_iter().unzip();
        let price = &prices[choice.candidate];
        let above: Vec<(u32, CandidateId)> = ranked
            .iter()
            .copied()
            .filter(|(_, other)| pool[*other].definition.relation == candidate.definition.relation)
            .collect();
        let reason = reason(&Evidence {
            candidate,
            relation,
            choice,
            hot_loss: price.hot_loss,
            effects: &statements,
            before: before.first(),
            above: &above,
        });
        let rank = advice.len() as u32 + 1;
        advice.push(Recommendation {
            rank,
            action: Action::Create,
            definition: candidate.definition.clone(),
            ddl: candidate.definition.create_statement(relation, true),
            relation: relation.oid,
            relation_name: relation.sql_name.clone(),
            size_bytes: price.size.bytes() as u64,
            saving_alone: share(choice.gain_alone),
            saving: share(choice.gain_after_previous),
            saving_ms_per_day: window_seconds.map(|_| choice.gain_after_previous),
            write_ms_per_day: window_seconds.map(|_| price.write_ms),
            hot_loss: price.hot_loss,
            reason,
            statements,
        });
        ranked.push((rank, choice.candidate));
        previous.push(choice.candidate);
        previous.sort_unstable();
    }
    advice
}

/// Costs of the statements that a candidate makes cheaper, with the previously chosen ones in place; savings in
/// milliseconds a day. With each, the statement's plan before.
///
/// `at_last` are the plans with all of them; `plans` those with the previously chosen ones, which become those with this one too.
pub(super) fn effects<'a, W: WhatIf>(
    problem: &Problem,
    at_last: &[PlanCost],
    previous: &[CandidateId],
    candidate: CandidateId,
    plans: &mut [Cow<'a, PlanCost>],
    what_if: &mut W,
) -> Vec<(StatementEffect, PlanCost)> {
    let mut effects = Vec::new();
    let statements = problem.statements.iter().zip(at_last).zip(plans);
    for ((statement, at_last), plan) in statements.filter(|((it, _), _)| it.relevant.contains(&candidate)) {
        // Where it has come to what it comes to at last, nothing else helps it.
        if plan.total * (1.0 - problem.limits.noise) <= at_last.total {
            continue;
        }
        let mut configuration: Vec<CandidateId> =
            previous.iter().copied().filter(|id| statement.relevant.contains(id)).collect();
        configuration.push(candidate);
        configuration.sort_unstable();
        // A statement that can no longer be planned is named in the selection's failures.
        let Ok(after) = what_if.cost(statement.id, &configuration) else { continue };
        let before = std::mem::replace(plan, Cow::Owned(after));
        if plan.total < before.total * (1.0 - problem.limits.noise) {
            let effect = StatementEffect {
                statement: statement.id,
                cost_before: before.total,
                cost_after: plan.total,
                saving: statement.weight * (before.total - plan.total),
            };
            effects.push((effect, before.into_owned()));
        }
    }
    effects
}
