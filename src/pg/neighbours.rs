//! Looks at neighbouring rows: of columns whose number of values is in doubt (`cost::size::Neighbours`), and of the first keys of indexes
//! on larger tables, where it matters whether rows of one value lie together (`side_by_side`).
//!
//! Reads a few pages of a table, and nothing where neither a size nor a visit hangs on it. What cannot be read leaves the
//! statistics as they are.

use super::sample::{SampledRows, Sampler, Value};
use super::side_by_side::{Seen, SideBySide};
use crate::candidate::definition::{AccessMethod, IndexDefinition, KeyTarget};
use crate::catalog::{AttrNumber, Catalog, Oid, Relation, RelationKind};
use crate::cost::size::{Neighbours, in_doubt};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Pages of a table that are looked at: some thousand rows, which tell how many share a value within a tenth.
const PAGES: u32 = 50;
/// Tables that a run looks at: a few milliseconds each.
const MAX_RELATIONS: usize = 50;
/// Rows of a table of this many pages and fewer are at hand wherever they lie.
const SMALL: f64 = 1000.0;
/// Columns of a table that are looked at.
const MAX_COLUMNS: usize = 20;

/// Corrects the number of values of columns on which the sizes of `definitions` hang; says how the rows lie in the tables by the first
/// keys of these and of the indexes there are. What `until` leaves no time for stays as ANALYZE has it.
pub fn count_all<'d>(
    definitions: impl Iterator<Item = &'d IndexDefinition>,
    catalog: &mut Catalog,
    sampler: Sampler,
    until: Option<Instant>,
) -> SideBySide {
    let mut doubts: BTreeMap<Oid, BTreeSet<AttrNumber>> = BTreeMap::new();
    let mut doubtful: BTreeMap<Oid, BTreeSet<AttrNumber>> = BTreeMap::new();
    for definition in definitions {
        if let Some(relation) = catalog.relations.get(&definition.relation) {
            let mut columns = in_doubt(definition, relation);
            doubtful.entry(definition.relation).or_default().extend(&columns);
            columns.extend(first_key(definition, relation));
            if !columns.is_empty() {
                doubts.entry(definition.relation).or_default().extend(columns);
            }
        }
    }
    for relation in catalog.relations.values() {
        let existing = relation.indexes.iter().filter_map(|index| index.definition.as_ref());
        let columns: Vec<_> = existing.filter_map(|existing| first_key(existing, relation)).collect();
        if !columns.is_empty() {
            doubts.entry(relation.oid).or_default().extend(columns);
        }
    }
    // The largest first, where most hangs on it.
    let mut doubts: Vec<(Oid, BTreeSet<AttrNumber>)> = doubts.into_iter().collect();
    let pages = |oid: &Oid| catalog.relations.get(oid).map_or(0.0, |relation| relation.pages);
    doubts.sort_by(|(a, _), (b, _)| pages(b).total_cmp(&pages(a)));
    let mut side_by_side = SideBySide::default();
    for (oid, columns) in doubts.into_iter().take(MAX_RELATIONS) {
        pgrx::check_for_interrupts!();
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        if let Some(relation) = catalog.relations.get_mut(&oid) {
            let columns: BTreeSet<AttrNumber> = columns.into_iter().take(MAX_COLUMNS).collect();
            for (column, seen) in
                count(relation, &columns, &doubtful.remove(&oid).unwrap_or_default(), sampler)
            {
                side_by_side.insert(oid, column, seen);
            }
        }
    }
    side_by_side
}

/// The first key of a B-tree on a table that is visited page by page, if some rows have it in common.
fn first_key(definition: &IndexDefinition, relation: &Relation) -> Option<AttrNumber> {
    let KeyTarget::Column(number) = definition.keys.first()?.part.target else { return None };
    let statistics = relation.column(number)?.statistics.as_ref()?;
    let shared = statistics.distinct_values(relation.tuples).is_some_and(|values| values < relation.tuples);
    let visited = definition.access_method == AccessMethod::Btree
        && relation.kind != RelationKind::PartitionedTable
        && relation.pages > SMALL;
    (shared && visited).then_some(number)
}

/// Corrects the number of values of columns on which the size of one index hangs.
pub fn count_for(definition: &IndexDefinition, relation: &mut Relation, sampler: Sampler) {
    let columns: BTreeSet<AttrNumber> = in_doubt(definition, relation).into_iter().collect();
    if !columns.is_empty() {
        count(relation, &columns, &columns, sampler);
    }
}

/// What was seen of each column.
fn count(
    relation: &mut Relation,
    columns: &BTreeSet<AttrNumber>,
    doubtful: &BTreeSet<AttrNumber>,
    sampler: Sampler,
) -> Vec<(AttrNumber, Seen)> {
    let named = columns.iter().filter_map(|number| relation.column(*number));
    let (numbers, names): (Vec<AttrNumber>, Vec<String>) =
        named.map(|column| (column.number, column.sql_name.clone())).unzip();
    let sampler = Sampler { max_pages: sampler.max_pages.min(PAGES) };
    // Without rows, what ANALYZE says has to do.
    let Ok(rows) = sampler.read(relation, &names, None) else { return Vec::new() };
    let mut beside = Vec::new();
    for (at, number) in numbers.into_iter().enumerate() {
        let seen = neighbours(&rows, at);
        let rows_of_a_value = seen.rows_of_a_value(relation, number);
        beside.push((number, Seen { beside: seen.on_a_page(), rows_of_a_value }));
        if doubtful.contains(&number) {
            seen.correct(relation, number);
        }
    }
    beside
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
