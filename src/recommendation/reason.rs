//! The reason: why an index is recommended and what to watch, in plain words.
//!
//! Sentences over the run's values. They stand alone in a row of `recommend()`, so they name no place in a report.

use super::StatementEffect;
use crate::candidate::Candidate;
use crate::candidate::definition::{IndexDefinition, KeyTarget};
use crate::catalog::{ExistingIndex, Relation, RelationKind};
use crate::cost::{CandidateId, PlanCost};
use crate::report::format::{change, count, listed, percent, size, thousands};
use crate::selection::Choice;

/// What is known of a recommended index.
pub(super) struct Evidence<'a> {
    pub candidate: &'a Candidate,
    pub relation: &'a Relation,
    pub choice: &'a Choice,
    /// Share of the relation's updated rows that would stop being HOT updates, 0 to 1.
    pub hot_loss: f64,
    /// The statements that get cheaper, most saved first.
    pub effects: &'a [StatementEffect],
    /// The plan of the first of them with the indexes ranked above, without this one.
    pub before: Option<&'a PlanCost>,
    /// The indexes ranked above on the same relation, with their ranks.
    pub above: &'a [(u32, CandidateId)],
}

/// Below this share of what it saves alone, the indexes above are said to do part of the work; above its inverse, to
/// help.
const OVERLAP: f64 = 0.8;
/// Below this share of all-visible pages, index-only scans are said to need a vacuum first: one row in five or more is
/// looked up in the table all the same.
const VACUUMED: f64 = 0.8;
/// Less HOT loss is not worth a sentence.
const HOT_LOSS: f64 = 0.01;
/// Statements whose own wish for the index is told.
const ASKING: usize = 2;

pub(super) fn reason(evidence: &Evidence<'_>) -> String {
    let sentences = [
        asked_by(evidence),
        helped(evidence.effects),
        plan_now(evidence),
        overlap(evidence),
        index_only(evidence.candidate, evidence.relation),
        hot(evidence),
        made_redundant(&evidence.candidate.definition, evidence.relation),
        left_invalid(&evidence.candidate.definition, evidence.relation),
        partitioned(evidence.relation),
        expression(evidence.candidate, evidence.relation),
    ];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The clauses that the index serves, in the words of the statements that gain most.
fn asked_by(evidence: &Evidence<'_>) -> Option<String> {
    let origins = &evidence.candidate.origins;
    let mut words: Vec<&str> = Vec::new();
    for effect in evidence.effects {
        let origin = origins.iter().find(|origin| origin.statement == effect.statement);
        match origin.map(|origin| origin.asked_by.as_str()) {
            Some(asked_by) if !words.contains(&asked_by) && words.len() < ASKING => words.push(asked_by),
            _ => {}
        }
    }
    // Statements can gain from an index that only others asked for.
    if words.is_empty() {
        words.extend(origins.first().map(|origin| origin.asked_by.as_str()));
    }
    (!words.is_empty()).then(|| format!("Serves {}.", words.join("; also ")))
}

fn helped(effects: &[StatementEffect]) -> Option<String> {
    let costs = |effect: &StatementEffect| {
        let (before, after) = (effect.cost_before, effect.cost_after);
        format!("cost {} to {} ({})", thousands(before), thousands(after), change(before, after))
    };
    match effects {
        [] => None,
        [only] => Some(format!("One statement gets cheaper: {}.", costs(only))),
        [first, ..] => {
            Some(format!("{} statements get cheaper, most of all one from {}.", effects.len(), costs(first)))
        }
    }
}

/// How the statement that gains most reaches the relation without the index.
fn plan_now(evidence: &Evidence<'_>) -> Option<String> {
    let (relation, before) = (evidence.relation, evidence.before?);
    let new = evidence.above.iter().filter(|(_, candidate)| before.used.contains(candidate));
    let new = new.map(|(rank, _)| format!("the recommended index {rank}"));
    let existing = relation.indexes.iter().filter(|index| before.used_existing.contains(&index.oid));
    let used: Vec<String> = new.chain(existing.map(|index| index.name.clone())).collect();
    let which = if evidence.effects.len() == 1 { "It" } else { "That one" };
    match used.as_slice() {
        // The plan names the indexes of the partitions, which the catalog of a run does not hold.
        [] if relation.kind == RelationKind::PartitionedTable => None,
        [] => Some(format!(
            "{which} now reads {} ({} rows) without an index.",
            relation.sql_name,
            count(relation.tuples.max(0.0))
        )),
        _ => Some(format!("{which} now reads {} by {}.", relation.sql_name, listed(&used))),
    }
}

fn overlap(evidence: &Evidence<'_>) -> Option<String> {
    let Choice { gain_alone, gain_after_previous, .. } = evidence.choice;
    let ranks: Vec<String> = evidence.above.iter().map(|(rank, _)| rank.to_string()).collect();
    let (above, one) = match ranks.as_slice() {
        // They can meet in one statement without sharing a table.
        [] => ("the indexes ranked above".to_string(), false),
        [only] => (format!("index {only} above"), true),
        _ => (format!("indexes {} above", listed(&ranks)), false),
    };
    if *gain_after_previous < OVERLAP * gain_alone {
        let kept = percent(gain_after_previous / gain_alone);
        let verb = if one { "does" } else { "do" };
        return Some(format!(
            "Part of its work {above} {verb} already: {kept} of what it saves alone is left."
        ));
    }
    (*gain_alone < OVERLAP * gain_after_previous).then(|| format!("It pays most together with {above}."))
}

fn index_only(candidate: &Candidate, relation: &Relation) -> Option<String> {
    if candidate.definition.include.is_empty() {
        return None;
    }
    let visible = percent(relation.all_visible_fraction);
    Some(if relation.all_visible_fraction < VACUUMED {
        format!(
            "The included columns spare reading the table only where vacuum has been: {visible} of its pages are \
             marked all-visible now, so VACUUM {} first, and often.",
            relation.sql_name
        )
    } else {
        format!(
            "The included columns spare reading the table as long as vacuum keeps up ({visible} of its pages are \
             all-visible now)."
        )
    })
}

fn hot(evidence: &Evidence<'_>) -> Option<String> {
    (evidence.hot_loss > HOT_LOSS).then(|| {
        format!(
            "{} of the updates of {} would stop being HOT, because they set a column that no index has yet: each then \
             writes to every index.",
            percent(evidence.hot_loss),
            evidence.relation.sql_name
        )
    })
}

/// Existing indexes that give nothing more once the new one is there. What enforces uniqueness has its own purpose.
fn made_redundant(new: &IndexDefinition, relation: &Relation) -> Option<String> {
    let redundant: Vec<&ExistingIndex> = relation
        .indexes
        .iter()
        .filter(|index| index.valid && !(index.unique || index.primary || index.constraint))
        .filter(|index| index.definition.as_ref().is_some_and(|old| old.is_served_by(new)))
        .collect();
    let names: Vec<String> =
        redundant.iter().map(|index| format!("{} ({})", index.name, size(index.size_bytes))).collect();
    match names.as_slice() {
        [] => None,
        [only] => {
            Some(format!("Once it is there, index {only} gives nothing more: watch its scans, then drop it."))
        }
        _ => Some(format!(
            "Once it is there, indexes {} give nothing more: watch their scans, then drop them.",
            listed(&names)
        )),
    }
}

fn left_invalid(new: &IndexDefinition, relation: &Relation) -> Option<String> {
    let mut indexes = relation.indexes.iter().filter(|index| !index.valid);
    let same = indexes.find(|index| index.definition.as_ref().is_some_and(|old| new.is_served_by(old)))?;
    Some(format!(
        "Index {} would serve, but is invalid, as a failed CREATE INDEX CONCURRENTLY leaves it: drop it, or REINDEX \
         INDEX CONCURRENTLY it in place of this.",
        same.name
    ))
}

fn partitioned(relation: &Relation) -> Option<String> {
    (relation.kind == RelationKind::PartitionedTable).then(|| {
        "A partitioned table cannot be indexed CONCURRENTLY: writes wait while it is built. To avoid that, create it \
         ON ONLY the parent, CONCURRENTLY on each partition, and attach these."
            .to_string()
    })
}

fn expression(candidate: &Candidate, relation: &Relation) -> Option<String> {
    let mut expressions = candidate.definition.keys.iter().filter_map(|key| match &key.part.target {
        KeyTarget::Expression(expression) => Some(&expression.sql),
        KeyTarget::Column(_) => None,
    });
    let sampled = |sql: &String| relation.expression_statistics.contains_key(sql);
    let all_sampled = expressions.clone().all(sampled);
    expressions.next().map(|_| match all_sampled {
        true => format!(
            "The estimate rests on a sample of the expression's values; the planner has none of its own yet, so run \
             ANALYZE {} after creating the index.",
            relation.sql_name
        ),
        false => format!(
            "The expression has no statistics yet, so the estimate is rough: run ANALYZE {} after creating the index.",
            relation.sql_name
        ),
    })
}
