//! Looks at neighbouring rows: of columns whose number of values (`cost::size::Neighbours`) or of combinations (`InDoubt`) is in
//! doubt, and of the first keys of indexes on larger tables, where it matters whether rows of one value lie together (`storage`).
//!
//! Reads a few pages of a table, and nothing where neither a size nor a visit hangs on it. What cannot be read leaves the
//! statistics as they are.

use super::sample::{NULL, SampledRows, Sampler};
use super::storage::{Seen, Storage};
use crate::candidate::definition::{AccessMethod, IndexDefinition, KeyTarget};
use crate::catalog::{AttrNumber, Catalog, ColumnGroup, Oid, Relation, RelationKind};
use crate::cost::size::{InDoubt, Neighbours, combined, in_doubt};
use crate::numbering::numbering;
use pgrx::pg_sys;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Pages of a table that are looked at: some thousand rows, which tell how many share a value within a tenth.
const PAGES: u32 = 50;
/// The same where columns are combined: 18,000 rows of 60 to a page have 200 pairs in common if there are 800,000 combinations, which
/// tells of them within a tenth.
const PAGES_FOR_COMBINATIONS: u32 = 300;
/// Tables that a run looks at: a few milliseconds each.
const MAX_RELATIONS: usize = 50;
/// Rows of a table of this many pages and fewer are at hand wherever they lie.
const SMALL: f64 = 1000.0;
/// Columns of a table that are looked at.
const MAX_COLUMNS: usize = 40;

/// What there is to be found out of a table's rows.
#[derive(Default)]
struct Questions {
    /// Columns that are looked at.
    columns: BTreeSet<AttrNumber>,
    /// Those whose number of values is in doubt.
    doubtful: BTreeSet<AttrNumber>,
    /// Columns whose number of combinations may be in doubt, with an index on them.
    combined: BTreeMap<Vec<AttrNumber>, IndexDefinition>,
}

impl Questions {
    /// What the size of an index hangs on.
    fn of_size(&mut self, definition: &IndexDefinition, relation: &Relation) {
        let doubtful = in_doubt(definition, relation);
        self.columns.extend(&doubtful);
        self.doubtful.extend(doubtful);
        self.of_keys(definition, relation);
    }

    /// What the number of combinations of its keys hangs on: also joins that compare them do.
    fn of_keys(&mut self, definition: &IndexDefinition, relation: &Relation) {
        if let Some(columns) = combined(definition, relation) {
            self.columns.extend(&columns);
            self.combined.entry(columns).or_insert_with(|| definition.clone());
        }
    }
}

/// Corrects the number of values of columns, and of their combinations, on which the sizes of `definitions` hang; says of these and of
/// the indexes there are how the rows lie in the tables by their first keys, and how many combinations their keys have. What `until`
/// leaves no time for stays as ANALYZE has it.
pub fn count_all<'d>(
    definitions: impl Iterator<Item = &'d IndexDefinition>,
    catalog: &mut Catalog,
    sampler: Sampler,
    until: Option<Instant>,
) -> Storage {
    let mut questions: BTreeMap<Oid, Questions> = BTreeMap::new();
    for definition in definitions {
        if let Some(relation) = catalog.relations.get(&definition.relation) {
            let of_relation = questions.entry(relation.oid).or_default();
            of_relation.of_size(definition, relation);
            of_relation.columns.extend(first_key(definition, relation));
        }
    }
    for relation in catalog.relations.values() {
        let of_relation = questions.entry(relation.oid).or_default();
        for existing in relation.indexes.iter().filter_map(|index| index.definition.as_ref()) {
            of_relation.columns.extend(first_key(existing, relation));
            of_relation.of_keys(existing, relation);
        }
    }
    questions.retain(|_, asked| !asked.columns.is_empty());
    // The largest first, where most hangs on it.
    let mut questions: Vec<(Oid, Questions)> = questions.into_iter().collect();
    let pages = |oid: &Oid| catalog.relations.get(oid).map_or(0.0, |relation| relation.pages);
    questions.sort_by(|(a, _), (b, _)| pages(b).total_cmp(&pages(a)));
    let mut storage = Storage::of_size(catalog.relations.values().map(pages_with_indexes).sum());
    for (oid, asked) in questions.into_iter().take(MAX_RELATIONS) {
        pgrx::check_for_interrupts!();
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        if let Some(relation) = catalog.relations.get_mut(&oid) {
            for (column, seen) in count(relation, &asked, sampler) {
                storage.insert(oid, column, seen);
            }
            for group in &relation.column_groups {
                storage.insert_combinations(oid, group.columns.clone(), group.distinct);
            }
        }
    }
    storage
}

/// Pages of a table and of its indexes.
fn pages_with_indexes(relation: &Relation) -> f64 {
    let indexes: u64 = relation.indexes.iter().map(|index| index.size_bytes).sum();
    relation.pages + indexes as f64 / f64::from(pg_sys::BLCKSZ)
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

/// Corrects the number of values of columns, and of their combinations, on which the size of one index hangs.
pub fn count_for(definition: &IndexDefinition, relation: &mut Relation, sampler: Sampler) {
    let mut asked = Questions::default();
    asked.of_size(definition, relation);
    if !asked.columns.is_empty() {
        count(relation, &asked, sampler);
    }
}

/// What was seen of each column.
fn count(relation: &mut Relation, asked: &Questions, sampler: Sampler) -> Vec<(AttrNumber, Seen)> {
    let named = asked.columns.iter().take(MAX_COLUMNS).filter_map(|number| relation.column(*number));
    let (numbers, names): (Vec<AttrNumber>, Vec<String>) =
        named.map(|column| (column.number, column.sql_name.clone())).unzip();
    let most = if asked.combined.is_empty() { PAGES } else { PAGES_FOR_COMBINATIONS };
    let sampler = Sampler { max_pages: sampler.max_pages.min(most), scattered: true };
    // Without rows, what ANALYZE says has to do.
    let Ok(rows) = sampler.read(relation, &names, None) else { return Vec::new() };
    let identities: BTreeMap<AttrNumber, Vec<u32>> =
        numbers.iter().enumerate().map(|(at, number)| (*number, rows.identities(at))).collect();
    let mut beside = Vec::new();
    for (number, identities) in &identities {
        let seen = Neighbours::count(values(&rows, identities));
        let rows_of_a_value = seen.rows_of_a_value(relation, *number);
        beside.push((*number, Seen { beside: seen.on_a_page(), rows_of_a_value }));
        if asked.doubtful.contains(number) {
            seen.correct(relation, *number);
        }
    }
    let together = |columns: &[AttrNumber]| -> Option<Vec<u32>> {
        let of_columns: Vec<&[u32]> =
            columns.iter().map(|number| identities.get(number).map(Vec::as_slice)).collect::<Option<_>>()?;
        Some(combined_identities(&of_columns, rows.places().len()))
    };
    let groups: Vec<ColumnGroup> = asked
        .combined
        .iter()
        .filter_map(|(columns, definition)| {
            let identities = together(columns)?;
            let seen = Neighbours::count(rows.pages().map(|page| identities[page].to_vec()));
            seen.has_equal_rows().then(|| InDoubt::of(definition, relation))??.found(&seen, relation.tuples)
        })
        .collect();
    relation.column_groups.extend(groups);
    beside
}

/// The values of a column by page, without NULLs.
fn values<'r>(rows: &'r SampledRows, identities: &'r [u32]) -> impl Iterator<Item = Vec<u32>> + 'r {
    rows.pages().map(|page| identities[page].iter().copied().filter(|value| *value != NULL).collect())
}

/// A number for each row, the same where it is the same for each column.
fn combined_identities(columns: &[&[u32]], rows: usize) -> Vec<u32> {
    columns.iter().fold(vec![NULL; rows], |combined, identities| {
        combined.into_iter().zip(identities.iter().copied()).map(numbering()).collect()
    })
}
