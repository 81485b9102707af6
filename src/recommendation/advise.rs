//! Makes ranked advice of a selection: what each index costs and does for every statement.
//!
//! The words are `reason`'s.

use super::reason::{Evidence, reason};
use super::{Action, Recommendation, StatementEffect};
use crate::candidate::Candidate;
use crate::catalog::Catalog;
use crate::cost::CandidateId;
use crate::cost::model::Price;
use crate::selection::{Effect, Problem, Selection};

/// The chosen candidates as recommendations, best first.
///
/// `window_seconds` is the observed window; without it nothing is said of time a day.
pub fn advise(
    problem: &Problem,
    selection: &Selection,
    pool: &[Candidate],
    prices: &[Price],
    catalog: &Catalog,
    window_seconds: Option<f64>,
) -> Vec<Recommendation> {
    let total: f64 =
        problem.statements.iter().map(|statement| statement.weight * statement.before.total).sum();
    let share = |ms: f64| if total > 0.0 { ms / total } else { 0.0 };
    let mut advice: Vec<Recommendation> = Vec::new();
    let mut ranked: Vec<(u32, CandidateId)> = Vec::new();
    for choice in &selection.chosen {
        let candidate = &pool[choice.candidate];
        let Some(relation) = catalog.relations.get(&candidate.definition.relation) else { continue };
        let mut effects: Vec<&Effect> = choice.effects.iter().collect();
        effects.sort_by(|a, b| b.saving.total_cmp(&a.saving).then(a.statement.cmp(&b.statement)));
        let statements: Vec<StatementEffect> = effects
            .iter()
            .map(|effect| StatementEffect {
                statement: effect.statement,
                cost_before: effect.before.total,
                cost_after: effect.after.total,
                saving: share(effect.saving),
            })
            .collect();
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
            before: effects.first().map(|effect| &effect.before),
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
    }
    advice
}
