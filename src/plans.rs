//! Plans for the report: what EXPLAIN prints of the statements that the recommendations help most, before and after.
//!
//! Decides nothing: which statements, and how much of a plan is kept, `report::plans` says. A statement whose plan cannot
//! be printed has none.

use crate::candidate::Candidate;
use crate::cost::{CandidateId, StatementId, WhatIf};
use crate::pg::what_if::ServerWhatIf;
use crate::recommendation::Recommendation;
use crate::report::plans::{StatementPlans, index_name, shortened, worth_printing};
use crate::selection::{Problem, Selection};
use std::time::{Duration, Instant};

/// Where the search took all the time there was, plans get this share of the limit on top: what was found is worth
/// showing, and a plan takes two planner calls.
const SHARE_OF_LIMIT: u32 = 20;

/// The plans of the statements that are worth it, as far as time allows.
pub fn print(
    problem: &Problem,
    selection: &Selection,
    pool: &[Candidate],
    recommendations: &[Recommendation],
    what_if: &mut ServerWhatIf<'_>,
    time_limit: Option<Duration>,
) -> Vec<StatementPlans> {
    let started = Instant::now();
    let allowed = time_limit.map(|limit| limit / SHARE_OF_LIMIT);
    let named = named(selection, pool, recommendations);
    let mut plans = Vec::new();
    for statement in worth_printing(recommendations) {
        if what_if.expired() && allowed.is_some_and(|allowed| started.elapsed() >= allowed) {
            break;
        }
        // What takes long to plan takes long to show, twice.
        if what_if.is_spent(statement) {
            continue;
        }
        let relevant = relevant(problem, statement, &named);
        if let Ok((before, after)) = what_if.explain(statement, &relevant) {
            plans.push(StatementPlans { statement, before: shortened(&before), after: shortened(&after) });
        }
    }
    plans
}

/// The recommended candidates with what plans call them.
fn named(
    selection: &Selection,
    pool: &[Candidate],
    recommendations: &[Recommendation],
) -> Vec<(CandidateId, String)> {
    let name = |candidate: CandidateId| {
        let definition = &pool[candidate].definition;
        let advice = recommendations.iter().find(|advice| advice.definition == *definition)?;
        Some((candidate, index_name(advice.rank)))
    };
    selection.chosen.iter().filter_map(|choice| name(choice.candidate)).collect()
}

/// Those of them that a statement was planned with.
fn relevant(
    problem: &Problem,
    statement: StatementId,
    named: &[(CandidateId, String)],
) -> Vec<(CandidateId, String)> {
    let this = problem.statements.iter().find(|other| other.id == statement);
    let is_relevant = |id: &CandidateId| this.is_some_and(|this| this.relevant.contains(id));
    named.iter().filter(|(id, _)| is_relevant(id)).cloned().collect()
}
