//! `Service`: what an index can do for one statement.
//!
//! Of two that do the same, a plan with the smaller never costs more. Knows neither sizes nor prices.

use super::definition::{AccessMethod, Expression, IndexDefinition, Key, KeyTarget};
use super::facts::{RelationUse, StatementFacts};
use crate::catalog::{AttrNumber, Oid};

/// What the planner can make of a B-tree for a statement, but for its size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service<'d> {
    relation: Oid,
    predicate: Option<&'d Expression>,
    /// Up to the last that the statement compares or orders by.
    keys: &'d [Key],
    /// Where the statement reads the relation: what of an index-only scan.
    returned: Vec<Returned>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Returned {
    /// All that it reads there.
    All,
    /// These columns of what it reads there, some of which the predicate may spare.
    Some(Vec<AttrNumber>),
    /// Too little.
    Nothing,
}

/// What an index does for a statement; None where it is no B-tree, of which nothing is known here, or on no table of the statement.
pub fn service<'d>(definition: &'d IndexDefinition, facts: &StatementFacts) -> Option<Service<'d>> {
    if definition.access_method != AccessMethod::Btree {
        return None;
    }
    let uses: Vec<&RelationUse> =
        facts.relations.iter().filter(|usage| usage.relation == definition.relation).collect();
    if uses.is_empty() {
        return None;
    }
    let helps = |key: &Key| match key.part.target {
        KeyTarget::Column(number) => uses.iter().any(|usage| usage.compared.contains(&number)),
        KeyTarget::Expression(_) => true,
    };
    let last = definition.keys.iter().rposition(helps).map_or(0, |last| last + 1);
    Some(Service {
        relation: definition.relation,
        predicate: definition.predicate.as_ref(),
        keys: &definition.keys[..last],
        returned: uses.iter().map(|usage| returned(definition, usage)).collect(),
    })
}

fn returned(definition: &IndexDefinition, usage: &RelationUse) -> Returned {
    let Some(needed) = &usage.needed else { return Returned::Nothing };
    let stored: Vec<AttrNumber> =
        needed.iter().copied().filter(|column| definition.stores(*column)).collect();
    if stored.len() == needed.len() {
        Returned::All
    } else if definition.predicate.is_some() {
        Returned::Some(stored)
    } else {
        Returned::Nothing
    }
}
