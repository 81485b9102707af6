//! Which relations the user wants left alone, out of the names in settings.

use super::identity::Identity;
use super::isolated::{PgError, isolated, reading};
use super::scalar::{self, Fields, read_rows};
use crate::catalog::{Catalog, Oid};
use crate::settings::names::Name;
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// What the names stand for.
#[derive(Clone, Debug, Default)]
pub struct LeftAlone {
    /// Those of the relations asked about that are named, lie in a named schema, or are a partition or a partitioned parent
    /// of one that is: an index on a parent is one on each of its partitions.
    pub relations: BTreeSet<Oid>,
    /// Those among them that are left alone only for a partition's sake.
    pub for_a_partition: BTreeSet<Oid>,
    /// Names, as they were given, that stand for nothing.
    pub unknown_tables: Vec<Name>,
    pub unknown_schemas: Vec<String>,
}

impl LeftAlone {
    /// What the user may not have meant, for people.
    pub fn notes(&self, catalog: &Catalog) -> Vec<String> {
        let quote = |name: &str| scalar::quote_identifier(name);
        let tables = self.unknown_tables.iter().map(|table| {
            let schema = table.schema.as_ref().map_or_else(String::new, |schema| quote(schema) + ".");
            format!("pg_index_advisor.exclude_tables: there is no table {schema}{}", quote(&table.name))
        });
        let schemas = self.unknown_schemas.iter();
        let schemas = schemas
            .map(|schema| format!("pg_index_advisor.exclude_schemas: there is no schema \"{schema}\""));
        let parents = self.for_a_partition.iter().filter_map(|oid| catalog.relations.get(oid));
        let parents = parents
            .map(|parent| format!("{} is left alone because one of its partitions is", parent.sql_name));
        tables.chain(schemas).chain(parents).collect()
    }
}

/// Looks up which of `relations` are to be left alone. A table without a schema is looked for on the caller's search path; in the
/// name of a schema, `*` stands for any characters.
///
/// # Errors
/// Those of the catalog queries.
pub fn among(
    relations: &[Oid],
    tables: &[Name],
    schemas: &[String],
    lock_timeout_ms: i32,
) -> Result<LeftAlone, PgError> {
    if tables.is_empty() && schemas.is_empty() {
        return Ok(LeftAlone::default());
    }
    let path = isolated(Some(&Identity::caller(lock_timeout_ms)), || {
        scalar::first::<Vec<String>>("SELECT pg_catalog.current_schemas(true)::pg_catalog.text[]", &[])
    })??
    .unwrap_or_default();
    let patterns: Vec<String> = schemas.iter().map(|schema| like(schema)).collect();
    reading(|| -> Result<LeftAlone, PgError> {
        let found = named(tables, &path)?;
        let unknown_tables = tables.iter().zip(&found).filter(|(_, oid)| oid.is_none());
        let unknown_tables = unknown_tables.map(|(name, _)| name.clone()).collect();
        let mut unknown_schemas = Vec::new();
        for (schema, pattern) in schemas.iter().zip(&patterns) {
            let exists = scalar::first::<bool>(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname LIKE $1)",
                &[pattern.as_str().into()],
            )?;
            if exists != Some(true) {
                unknown_schemas.push(schema.clone());
            }
        }
        let named: Vec<pg_sys::Oid> = found.into_iter().flatten().collect();
        let (relations, for_a_partition) = spread(relations, &named, &patterns)?;
        Ok(LeftAlone { relations, for_a_partition, unknown_tables, unknown_schemas })
    })?
}

/// By name, the relation that it stands for.
fn named(tables: &[Name], path: &[String]) -> Result<Vec<Option<pg_sys::Oid>>, PgError> {
    const QUERY: &str = "
        SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relname = $1 AND n.nspname = ANY ($2) AND c.relkind IN ('r', 'p', 'm', 'f')
         ORDER BY pg_catalog.array_position($2, n.nspname::text) LIMIT 1";
    let find = |table: &Name| {
        let schemas = table.schema.as_ref().map_or_else(|| path.to_vec(), |schema| vec![schema.clone()]);
        scalar::first::<pg_sys::Oid>(QUERY, &[table.name.as_str().into(), schemas.into()])
    };
    tables.iter().map(find).collect()
}

/// Those of `relations` that are left alone, and those for a partition's sake only.
fn spread(
    relations: &[Oid],
    named: &[pg_sys::Oid],
    patterns: &[String],
) -> Result<(BTreeSet<Oid>, BTreeSet<Oid>), PgError> {
    const QUERY: &str = "
        WITH RECURSIVE meant AS (
            SELECT pg_catalog.unnest($2::oid[]) AS oid
             UNION
            SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname LIKE ANY ($3::text[]) AND c.relkind IN ('r', 'p', 'm')
        ), down AS (
            SELECT oid FROM meant
             UNION
            SELECT i.inhrelid FROM down JOIN pg_catalog.pg_inherits AS i ON i.inhparent = down.oid
              JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
        ), up AS (
            SELECT oid FROM meant
             UNION
            SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = up.oid
              JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
        )
        SELECT r.oid, r.oid NOT IN (SELECT oid FROM down) AS for_a_partition
          FROM pg_catalog.unnest($1::oid[]) AS r(oid)
         WHERE r.oid IN (SELECT oid FROM down UNION SELECT oid FROM up)";
    let oids: Vec<pg_sys::Oid> = relations.iter().map(|oid| pg_sys::Oid::from(*oid)).collect();
    let arguments = [oids.into(), named.to_vec().into(), patterns.to_vec().into()];
    let found = read_rows(QUERY, &arguments, |row| Ok((row.oid("oid")?, row.flag("for_a_partition")?)))?;
    let for_a_partition = found.iter().filter(|(_, for_a_partition)| *for_a_partition).map(|(oid, _)| *oid);
    Ok((found.iter().map(|(oid, _)| *oid).collect(), for_a_partition.collect()))
}

/// A name with `*` as a pattern of LIKE.
fn like(name: &str) -> String {
    name.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace('*', "%")
}
