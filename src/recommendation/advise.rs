//! Makes ranked advice of a selection: effects on each statement, DDL, and the reason in plain words.

use super::{Action, Recommendation, StatementEffect};
use crate::candidate::Candidate;
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::cost::model::Price;
use crate::cost::{CandidateId, WhatIf};
use crate::report::format::thousands;
use crate::selection::{Choice, Problem, Selection};

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
    let mut advice = Vec::new();
    for choice in &selection.chosen {
        let candidate = &pool[choice.candidate];
        let Some(relation) = catalog.relations.get(&candidate.definition.relation) else { continue };
        let mut statements = effects(problem, &previous, choice.candidate, what_if);
        statements.iter_mut().for_each(|effect| effect.saving = share(effect.saving));
        statements.sort_by(|a, b| b.saving.total_cmp(&a.saving).then(a.statement.cmp(&b.statement)));
        let price = &prices[choice.candidate];
        advice.push(Recommendation {
            rank: advice.len() as u32 + 1,
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
            reason: reason(candidate, relation, price, choice, &statements, &selection.chosen, pool),
            statements,
        });
        previous.push(choice.candidate);
        previous.sort_unstable();
    }
    advice
}

/// Costs of the statements that a candidate makes cheaper, with the previously chosen ones in place; savings in
/// milliseconds a day.
fn effects<W: WhatIf>(
    problem: &Problem,
    previous: &[CandidateId],
    candidate: CandidateId,
    what_if: &mut W,
) -> Vec<StatementEffect> {
    let mut effects = Vec::new();
    for statement in problem.statements.iter().filter(|statement| statement.relevant.contains(&candidate)) {
        let mut configuration: Vec<CandidateId> =
            previous.iter().copied().filter(|id| statement.relevant.contains(id)).collect();
        let before = match configuration.is_empty() {
            true => Ok(statement.before.clone()),
            false => what_if.cost(statement.id, &configuration),
        };
        configuration.push(candidate);
        configuration.sort_unstable();
        // A statement that can no longer be planned is named in the selection's failures.
        let (Ok(before), Ok(after)) = (before, what_if.cost(statement.id, &configuration)) else { continue };
        if after.total < before.total * (1.0 - problem.limits.noise) {
            effects.push(StatementEffect {
                statement: statement.id,
                cost_before: before.total,
                cost_after: after.total,
                saving: statement.weight * (before.total - after.total),
            });
        }
    }
    effects
}

fn reason(
    candidate: &Candidate,
    relation: &Relation,
    price: &Price,
    choice: &Choice,
    statements: &[StatementEffect],
    chosen: &[Choice],
    pool: &[Candidate],
) -> String {
    let mut sentences = Vec::new();
    let asked = statements
        .iter()
        .find_map(|effect| candidate.origins.iter().find(|origin| origin.statement == effect.statement))
        .or(candidate.origins.first());
    if let Some(origin) = asked {
        sentences.push(format!("Serves {}.", origin.asked_by));
    }
    match statements {
        [] => {}
        [only] => sentences.push(format!("One statement gets cheaper: {}.", change(only))),
        [first, ..] => sentences.push(format!(
            "{} statements get cheaper, most of all one from {}.",
            statements.len(),
            change(first)
        )),
    }
    if choice.gain_after_previous < 0.8 * choice.gain_alone
        && chosen.iter().any(|other| {
            other.candidate != choice.candidate
                && pool[other.candidate].definition.relation == candidate.definition.relation
        })
    {
        sentences.push("Indexes ranked above do part of its work.".to_string());
    }
    if price.hot_loss > 0.01 {
        sentences.push(format!(
            "{:.0} % of the updates of {} would stop being HOT, because no index has the column they set.",
            price.hot_loss * 100.0,
            relation.name
        ));
    }
    if relation.kind == RelationKind::PartitionedTable {
        sentences.push(
            "A partitioned table cannot be indexed CONCURRENTLY: writes wait while it is built, unless it is created \
             partition by partition and attached."
                .to_string(),
        );
    }
    if candidate
        .definition
        .keys
        .iter()
        .any(|key| matches!(key.part.target, crate::candidate::definition::KeyTarget::Expression(_)))
    {
        sentences.push(
            "The expression has no statistics yet, so the estimate is rough; run ANALYZE after creating it."
                .to_string(),
        );
    }
    sentences.join(" ")
}

fn change(effect: &StatementEffect) -> String {
    format!(
        "cost {} to {} (-{:.0} %)",
        thousands(effect.cost_before),
        thousands(effect.cost_after),
        (1.0 - effect.cost_after / effect.cost_before.max(f64::MIN_POSITIVE)) * 100.0
    )
}
