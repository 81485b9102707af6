//! Looks at neighbouring rows of columns whose number of values is in doubt (`cost::size::Neighbours`).
//!
//! Reads a few pages of a table for each column, and nothing where no size hangs on it. What cannot be read leaves the statistics
//! as they are.

use super::sample::{SampledRows, Sampler, Value};
use crate::candidate::definition::IndexDefinition;
use crate::catalog::{AttrNumber, Catalog, Oid, Relation};
use crate::cost::size::{Neighbours, in_doubt};
use std::collections::{BTreeMap, BTreeSet};

/// Pages of a table that are looked at: some thousand rows, which tell how many share a value within a tenth.
const PAGES: u32 = 50;
/// Tables that a run looks at: a few milliseconds each.
const MAX_RELATIONS: usize = 50;

/// Corrects the number of values of columns on which the sizes of `definitions` hang.
pub fn count_all<'d>(
    definitions: impl Iterator<Item = &'d IndexDefinition>,
    catalog: &mut Catalog,
    sampler: Sampler,
) {
    let mut doubts: BTreeMap<Oid, BTreeSet<AttrNumber>> = BTreeMap::new();
    for definition in definitions {
        if let Some(relation) = catalog.relations.get(&definition.relation) {
            let columns = in_doubt(definition, relation);
            if !columns.is_empty() {
                doubts.entry(definition.relation).or_default().extend(columns);
            }
        }
    }
    for (oid, columns) in doubts.into_iter().take(MAX_RELATIONS) {
        pgrx::check_for_interrupts!();
        if let Some(relation) = catalog.relations.get_mut(&oid) {
            count(relation, &columns, sampler);
        }
    }
}

/// Corrects the number of values of columns on which the size of one index hangs.
pub fn count_for(definition: &IndexDefinition, relation: &mut Relation, sampler: Sampler) {
    let columns: BTreeSet<AttrNumber> = in_doubt(definition, relation).into_iter().collect();
    if !columns.is_empty() {
        count(relation, &columns, sampler);
    }
}

fn count(relation: &mut Relation, columns: &BTreeSet<AttrNumber>, sampler: Sampler) {
    let named = columns.iter().filter_map(|number| relation.column(*number));
    let names: Vec<String> = named.map(|column| column.sql_name.clone()).collect();
    let sampler = Sampler { max_pages: sampler.max_pages.min(PAGES) };
    // Without rows, what ANALYZE says has to do.
    let Ok(rows) = sampler.read(relation, &names, None) else { return };
    for (at, number) in columns.iter().enumerate() {
        neighbours(&rows, at).correct(relation, *number);
    }
}

fn neighbours(rows: &SampledRows, column: usize) -> Neighbours {
    let mut seen = Neighbours::default();
    for page in rows.pages() {
        let mut values: Vec<(Value, usize)> = Vec::new();
        for row in page {
            let value = rows.row(row)[column];
            if matches!(value, Value::Null) {
                continue;
            }
            // Equal ones lie together, so the last is the likeliest.
            let known = values.iter_mut().rev().find(|(other, _)| rows.is_same(column, value, *other));
            match known {
                Some((_, count)) => *count += 1,
                None => values.push((value, 1)),
            }
        }
        seen.add(&values.iter().map(|(_, count)| *count).collect::<Vec<_>>());
    }
    seen
}
