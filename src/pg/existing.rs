//! An existing index of any access method as an `IndexDefinition`, so that an estimate can be held against the truth.

use super::catalog;
use super::isolated::{PgError, reading};
use super::scalar::{self, Fields, spi_error};
use crate::candidate::definition::*;
use crate::catalog::{Catalog, Oid};
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use pgrx::prelude::*;

/// The definition of an index, with the catalog of its table.
///
/// # Errors
/// It is no index, or of an access method that is not known; those of the catalog queries.
pub fn definition_of(index: Oid) -> Result<(Catalog, IndexDefinition), PgError> {
    let definition = reading(|| read(index))??;
    Ok((catalog::read(&[definition.relation])?, definition))
}

fn read(index: Oid) -> Result<IndexDefinition, PgError> {
    const COLUMNS: &str = "
        SELECT k.n <= i.indnkeyatts AS is_key, i.indkey[k.n - 1] AS number,
               pg_catalog.pg_get_indexdef(i.indexrelid, k.n, false) AS sql, o.oid AS class, o.opcfamily AS family,
               o.opcintype AS input, coalesce(i.indcollation[k.n - 1], 0::oid) AS collation,
               a.attoptions AS options
          FROM pg_catalog.pg_index AS i
         CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnatts) AS k(n)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indexrelid AND a.attnum = k.n
          LEFT JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[k.n - 1]
         WHERE i.indexrelid = $1
         ORDER BY k.n";
    let oid = pg_sys::Oid::from(index);
    let whole = "
        SELECT i.indrelid, m.amname::text AS method, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
               c.reloptions
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
         WHERE i.indexrelid = $1";
    let found = Spi::connect(|client| {
        let mut found = None;
        for row in client.select(whole, Some(1), &[oid.into()])? {
            found = Some((
                row.oid("indrelid")?,
                row.text("method")?,
                row["predicate"].value::<String>()?,
                row["reloptions"].value::<Vec<String>>()?.unwrap_or_default(),
            ));
        }
        Ok::<_, pgrx::spi::Error>(found)
    });
    let Some((relation, method, predicate, parameters)) = found.map_err(spi_error)? else {
        return Err(PgError::new(ERRCODE_UNDEFINED_OBJECT, "there is no such index"));
    };
    let access_method = AccessMethod::named(&method).ok_or_else(|| {
        PgError::new(ERRCODE_FEATURE_NOT_SUPPORTED, format!("access method \"{method}\" is not known"))
    })?;
    let split = |option: &String| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        (name.to_string(), value.to_string())
    };
    let mut definition = IndexDefinition {
        relation,
        access_method,
        keys: Vec::new(),
        include: Vec::new(),
        predicate: predicate.as_deref().map(expression),
        parameters: parameters.iter().map(split).collect(),
    };
    let columns = Spi::connect(|client| {
        client
            .select(COLUMNS, None, &[oid.into()])?
            .map(|row| {
                let number = row["number"].value::<i16>()?.unwrap_or(0);
                let target = match number {
                    0 => KeyTarget::Expression(expression(&row.text("sql")?)),
                    number => KeyTarget::Column(number),
                };
                let options = row["options"].value::<Vec<String>>()?.unwrap_or_default();
                let part = KeyPart {
                    target,
                    operator_class: OperatorClass {
                        oid: row.oid("class")?,
                        family: row.oid("family")?,
                        input_type: row.oid("input")?,
                        sql_name: None,
                        options: options.iter().map(split).collect(),
                    },
                    collation: Collation { oid: row.oid("collation")?, sql_name: None },
                };
                Ok((row["is_key"].value::<bool>()?.unwrap_or(true), number, Key::ascending(part)))
            })
            .collect::<Result<Vec<_>, pgrx::spi::Error>>()
    });
    for (is_key, number, key) in columns.map_err(spi_error)? {
        if is_key {
            definition.keys.push(key);
        } else {
            definition.include.push(number);
        }
    }
    Ok(definition)
}

/// An expression by its text alone.
fn expression(sql: &str) -> Expression {
    Expression {
        sql: sql.to_string(),
        node: String::new(),
        columns: Vec::new(),
        type_oid: 0,
        type_length: -1,
        alignment: 4,
        average_width: 0.0,
    }
}

/// Pages that an index has on disk.
///
/// # Errors
/// Those of the query.
pub fn pages_of(index: Oid) -> Result<f64, PgError> {
    let query = "SELECT pg_catalog.pg_relation_size($1) / pg_catalog.current_setting('block_size')::bigint";
    let pages = reading(|| scalar::first::<i64>(query, &[pg_sys::Oid::from(index).into()]))?;
    Ok(pages.map_err(spi_error)?.unwrap_or(0) as f64)
}
