//! Which recommendations have been followed: an index of the same definition, whatever its name, exists now.

use super::History;
use super::sql::{execute, json, rows};
use crate::catalog::{Catalog, Oid};
use crate::pg::catalog;
use crate::pg::isolated::PgError;
use crate::pg::scalar::Fields;
use serde::Serialize;

/// A recommendation without an index that follows it.
struct Open {
    id: i64,
    definition: String,
    relation: Oid,
}

/// A recommendation with the index that follows it.
#[derive(Serialize)]
struct Applied {
    recommendation: i64,
    index: Oid,
}

/// Looks for indexes that follow open recommendations, and notes them.
pub(super) fn note(history: &History) -> Result<(), PgError> {
    let open = history.owner.write(|| {
        rows(
            "SELECT r.id, r.definition, pg_catalog.to_regclass(r.relation)::pg_catalog.oid AS relation
               FROM index_advisor.history_recommendation AS r
               LEFT JOIN index_advisor.history_index AS i ON i.id = r.index
              WHERE pg_catalog.to_regclass(r.relation) IS NOT NULL AND (i.id IS NULL OR i.gone_seen IS NOT NULL)
              ORDER BY r.id",
            &[],
            |row| {
                Ok(Open {
                    id: row.id("id")?,
                    definition: row.text("definition")?,
                    relation: row.oid("relation")?,
                })
            },
        )
    })?;
    if open.is_empty() {
        return Ok(());
    }
    let mut relations: Vec<Oid> = open.iter().map(|open| open.relation).collect();
    relations.sort_unstable();
    relations.dedup();
    let catalog = catalog::read(&relations)?;
    let applied: Vec<Applied> = open.iter().filter_map(|open| followed_by(open, &catalog)).collect();
    history.owner.write(|| {
        execute(
            "UPDATE index_advisor.history_recommendation AS r
                SET index = i.id, applied_at = coalesce(i.created_at, i.first_seen)
               FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb) AS a(recommendation bigint, index oid)
               JOIN index_advisor.history_index AS i ON i.oid = a.index AND i.gone_seen IS NULL
              WHERE r.id = a.recommendation
                AND i.server = (SELECT server FROM index_advisor.history_snapshot ORDER BY id DESC LIMIT 1)",
            &[json(&applied).into()],
        )
    })?;
    Ok(())
}

/// An index that is written as the recommendation is.
fn followed_by(open: &Open, catalog: &Catalog) -> Option<Applied> {
    let relation = catalog.relations.get(&open.relation)?;
    let same = |definition: &crate::candidate::definition::IndexDefinition| {
        definition.create_statement(relation, false) == open.definition
    };
    let index = relation.indexes.iter().find(|index| index.definition.as_ref().is_some_and(same))?;
    Some(Applied { recommendation: open.id, index: index.oid })
}
