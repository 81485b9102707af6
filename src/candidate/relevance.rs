//! Relevance: whether the planner could possibly build a path with an index for a statement.
//!
//! Decides which what-if calls can be spared, so it may say yes too often but never no wrongly.

use super::definition::{Expression, IndexDefinition, KeyPart, KeyTarget};
use super::facts::{ClauseKind, RelationUse, StatementFacts};
use crate::catalog::AttrNumber;

/// Whether an index with this definition could change the statement's plan.
///
/// Some relation use must allow its predicate, and then either have one (an allowed predicate alone makes a scan of
/// the whole index worth a path: `useful_predicate` in `build_index_paths`, indxpath.c), or test one of its keys (at
/// any position: a btree may be scanned whole and filtered by a later key), want the order that its first key begins,
/// or find every column it needs in the index. The operator family and the collation must be the clause's own.
pub fn relevant(definition: &IndexDefinition, facts: &StatementFacts) -> bool {
    facts.relations.iter().filter(|usage| usage.relation == definition.relation).any(
        |usage| match &definition.predicate {
            Some(predicate) => allows(usage, predicate),
            None => {
                tests_a_key(definition, usage) || gives_order(definition, usage) || covers(definition, usage)
            }
        },
    )
}

fn tests_a_key(definition: &IndexDefinition, usage: &RelationUse) -> bool {
    definition.keys.iter().any(|key| usage.keys_compared().any(|part| part.compares_like(&key.part)))
}

fn gives_order(definition: &IndexDefinition, usage: &RelationUse) -> bool {
    definition.keys.first().is_some_and(|key| usage.keys_ordered().any(|part| part.compares_like(&key.part)))
}

/// An index-only scan of the whole index stands in for one of the table.
fn covers(definition: &IndexDefinition, usage: &RelationUse) -> bool {
    let Some(needed) = &usage.needed else { return false };
    needed.iter().all(|column| definition.stores(*column))
}

/// Whether the restrictions imply a predicate. Only those on constants that the statement itself spells out are among
/// `predicates`; a value bound to a parameter by guess proves nothing. IS NOT NULL follows from any strict comparison
/// (`predicate_implied_by`, predtest.c).
fn allows(usage: &RelationUse, predicate: &Expression) -> bool {
    if usage.predicates.iter().any(|clause| clause.expression == *predicate) {
        return true;
    }
    let strict = usage.restrictions.iter().filter(|clause| clause.kind != ClauseKind::IsNull);
    let mut compared = strict.map(|clause| &clause.key).chain(usage.joins.iter().map(|join| &join.key));
    is_not_null_test(predicate) && compared.any(|part| reads(part, &predicate.columns))
}

/// Whether an expression is `... IS NOT NULL`, as the server deparses it.
pub(super) fn is_not_null_test(expression: &Expression) -> bool {
    expression.sql.trim_end_matches(')').ends_with(" IS NOT NULL") && !expression.sql.contains(" AND ")
}

fn reads(part: &KeyPart, columns: &[AttrNumber]) -> bool {
    match &part.target {
        KeyTarget::Column(number) => columns.contains(number),
        KeyTarget::Expression(expression) => columns.iter().all(|c| expression.columns.contains(c)),
    }
}
