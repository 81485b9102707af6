//! Preference: which of two candidates that save the same is the better advice.
//!
//! An order only; that they save the same is for selection to say.

use super::definition::{IndexDefinition, KeyTarget};
use super::pool::Candidate;
use crate::catalog::{AttrNumber, Catalog};

/// Makes an index plainer, or easier to live with, than another; what comes first counts most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plainness<'a> {
    /// Columns stored, key or included.
    columns: usize,
    includes: bool,
    partial: bool,
    /// Begins as no existing index of the table does: one that extends an existing index may replace it later.
    apart: bool,
    size_bytes: u64,
    table: &'a str,
    /// Column numbers of the keys, 0 for an expression.
    numbers: Vec<AttrNumber>,
}

/// By candidate, its place in the order of preference, from 0. `sizes` are bytes, by candidate.
pub fn preferences(pool: &[Candidate], sizes: &[u64], catalog: &Catalog) -> Vec<u32> {
    let plain: Vec<Plainness<'_>> = pool
        .iter()
        .zip(sizes)
        .map(|(candidate, size)| plainness(&candidate.definition, *size, catalog))
        .collect();
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.sort_by(|a, b| {
        plain[*a].cmp(&plain[*b]).then_with(|| pool[*a].definition.cmp(&pool[*b].definition))
    });
    let mut places = vec![0; pool.len()];
    for (place, candidate) in order.into_iter().enumerate() {
        places[candidate] = place as u32;
    }
    places
}

fn plainness<'a>(definition: &IndexDefinition, size_bytes: u64, catalog: &'a Catalog) -> Plainness<'a> {
    let relation = catalog.relations.get(&definition.relation);
    // What keeps a constraint stays whatever else is there.
    let mut existing = relation
        .into_iter()
        .flat_map(|relation| &relation.indexes)
        .filter(|index| !(index.unique || index.primary || index.constraint));
    Plainness {
        columns: definition.keys.len() + definition.include.len(),
        includes: !definition.include.is_empty(),
        partial: definition.predicate.is_some(),
        apart: !existing.any(|index| index.definition.as_ref().is_some_and(|old| extends(definition, old))),
        size_bytes,
        table: relation.map_or("", |relation| relation.sql_name.as_str()),
        numbers: definition
            .keys
            .iter()
            .map(|key| match key.part.target {
                KeyTarget::Column(number) => number,
                KeyTarget::Expression(_) => 0,
            })
            .collect(),
    }
}

/// Whether an index begins with all that another one holds.
fn extends(new: &IndexDefinition, old: &IndexDefinition) -> bool {
    old.keys.len() < new.keys.len() && old.is_served_by(new)
}
