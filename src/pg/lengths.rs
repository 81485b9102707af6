//! Reads how long the values of variable-length columns are, from the values that ANALYZE kept.
//!
//! Their average, of which statistics keep the whole bytes, is not enough: index tuples are as long as multiples of 8 bytes, and a
//! number of 7 bytes in 19 rows of 20 has an average of 6. Reads statistics as the caller and no table.

use super::isolated::{PgError, reading};
use super::scalar::{Fields, read_rows};
use crate::candidate::definition::{AccessMethod, IndexDefinition};
use crate::catalog::{AttrNumber, Catalog, Column, Oid, Relation};
use pgrx::pg_sys;
use std::collections::{BTreeMap, BTreeSet};

/// Learns the lengths in the columns that `definitions` store. What cannot be read leaves the averages as they are.
pub fn read_all<'d>(definitions: impl Iterator<Item = &'d IndexDefinition>, catalog: &mut Catalog) {
    let mut wanted: BTreeSet<(Oid, AttrNumber)> = BTreeSet::new();
    for definition in definitions {
        if let Some(relation) = catalog.relations.get(&definition.relation) {
            wanted.extend(varying(definition, relation));
        }
    }
    for ((oid, column), lengths) in read(&wanted).unwrap_or_default() {
        if let Some(relation) = catalog.relations.get_mut(&oid) {
            learn(relation, column, &lengths);
        }
    }
}

/// Learns the lengths in the columns that one index stores.
pub fn read_for(definition: &IndexDefinition, relation: &mut Relation) {
    let wanted = varying(definition, relation).collect();
    for ((_, column), lengths) in read(&wanted).unwrap_or_default() {
        learn(relation, column, &lengths);
    }
}

/// Stored lengths of a column's most common values and of its histogram's bounds.
#[derive(Default)]
struct Lengths {
    common: Vec<u32>,
    bounds: Vec<u32>,
}

fn learn(relation: &mut Relation, column: AttrNumber, lengths: &Lengths) {
    let statistics = relation.columns.get_mut(&column).and_then(|column| column.statistics.as_mut());
    if let Some(statistics) = statistics {
        statistics.measure(&lengths.common, &lengths.bounds);
    }
}

/// Columns of a btree whose values are numbers or text, with statistics.
fn varying<'a>(
    definition: &'a IndexDefinition,
    relation: &'a Relation,
) -> impl Iterator<Item = (Oid, AttrNumber)> + 'a {
    const TYPES: [pg_sys::Oid; 3] = [pg_sys::NUMERICOID, pg_sys::TEXTOID, pg_sys::VARCHAROID];
    let is_varying = |column: &&Column| TYPES.iter().any(|oid| oid.to_u32() == column.type_oid);
    definition
        .stored_columns()
        .filter(|_| definition.access_method == AccessMethod::Btree)
        .filter_map(|number| relation.column(number))
        .filter(is_varying)
        .filter(|column| column.statistics.is_some())
        .map(|column| (relation.oid, column.number))
}

fn read(wanted: &BTreeSet<(Oid, AttrNumber)>) -> Result<BTreeMap<(Oid, AttrNumber), Lengths>, PgError> {
    // pg_stats shows only what the caller may read. The rows of a function in FROM are kept as tuples (nodeFunctionscan.c), whose values
    // have the length that they have in an index: heap_fill_tuple (heaptuple.c) shortens headers as index_form_tuple does.
    const QUERY: &str = "
        SELECT w.relation, w.number, k.common,
               ARRAY (SELECT pg_catalog.pg_column_size(v)
                        FROM pg_catalog.unnest(CASE WHEN t.is_numeric THEN k.kept::numeric[] END) AS v
                      UNION ALL
                      SELECT pg_catalog.pg_column_size(v)
                        FROM pg_catalog.unnest(CASE WHEN NOT t.is_numeric THEN k.kept::text[] END) AS v) AS lengths
          FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(relation, number)
          JOIN pg_catalog.pg_class AS c ON c.oid = w.relation
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = w.relation AND a.attnum = w.number
         CROSS JOIN LATERAL (SELECT a.atttypid = 'pg_catalog.numeric'::pg_catalog.regtype AS is_numeric) AS t
          JOIN pg_catalog.pg_stats AS s
            ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
           AND s.inherited = (c.relkind = 'p')
         CROSS JOIN LATERAL (VALUES (true, s.most_common_vals::text), (false, s.histogram_bounds::text)) AS k(common, kept)";
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let relations: Vec<pg_sys::Oid> = wanted.iter().map(|(oid, _)| pg_sys::Oid::from(*oid)).collect();
    let numbers: Vec<i16> = wanted.iter().map(|(_, number)| *number).collect();
    let rows = reading(|| {
        read_rows(QUERY, &[relations.into(), numbers.into()], |row| {
            let column = (row.oid("relation")?, row["number"].value::<i16>()?.unwrap_or(0));
            let lengths = row.list::<i32>("lengths")?;
            let lengths: Vec<u32> = lengths.into_iter().filter_map(|length| length.try_into().ok()).collect();
            Ok((column, row.flag("common")?, lengths))
        })
    })??;
    let mut found: BTreeMap<(Oid, AttrNumber), Lengths> = BTreeMap::new();
    for (column, common, lengths) in rows {
        let of_column = found.entry(column).or_default();
        *(if common { &mut of_column.common } else { &mut of_column.bounds }) = lengths;
    }
    Ok(found)
}
