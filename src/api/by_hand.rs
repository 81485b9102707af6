//! The what-if engine by hand: hypothetical indexes that EXPLAIN in this session sees.

use crate::pg::session::Quiet;
use crate::pg::session_indexes::{self, Entry};
use crate::settings;
use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION create_hypothetical_index(ddl text)
RETURNS TABLE (indexrelid oid, indexname text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION create_hypothetical_index(text)
    IS 'makes the indexes of CREATE INDEX statements visible to EXPLAIN in this session, without creating them';
"#
)]
fn create_hypothetical_index(
    ddl: &str,
) -> TableIterator<'static, (name!(indexrelid, pg_sys::Oid), name!(indexname, String))> {
    let lock_timeout = settings::lock_timeout_ms();
    let _quiet = Quiet::begin(lock_timeout);
    let (entries, others) = session_indexes::create(ddl, lock_timeout).unwrap_or_else(|error| error.raise());
    for number in others {
        warning!("statement {number} is no CREATE INDEX and was skipped");
    }
    let rows: Vec<_> =
        entries.iter().map(|entry| (pg_sys::Oid::from(entry.oid), entry.name.clone())).collect();
    TableIterator::new(rows)
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION drop_hypothetical_index(indexrelid oid)
RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION drop_hypothetical_index(oid)
    IS 'forgets a hypothetical index of this session; false if there is none of this OID';
"#
)]
fn drop_hypothetical_index(indexrelid: pg_sys::Oid) -> bool {
    session_indexes::drop(indexrelid.to_u32())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION reset_hypothetical_indexes()
RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION reset_hypothetical_indexes()
    IS 'forgets all hypothetical indexes of this session and shows all hidden indexes again';
"#
)]
fn reset_hypothetical_indexes() {
    session_indexes::reset();
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION hide_index(indexrelid oid)
RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION hide_index(oid)
    IS 'hides an index, real or hypothetical, from EXPLAIN in this session; false if it was hidden already';
"#
)]
fn hide_index(indexrelid: pg_sys::Oid) -> bool {
    session_indexes::hide(indexrelid.to_u32()).unwrap_or_else(|error| error.raise())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION unhide_index(indexrelid oid)
RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION unhide_index(oid)
    IS 'shows a hidden index to EXPLAIN again; false if it was not hidden';
"#
)]
fn unhide_index(indexrelid: pg_sys::Oid) -> bool {
    session_indexes::unhide(indexrelid.to_u32())
}

/// One row of the view `hypothetical_indexes`, but for the names of schema and table.
type Row = (pg_sys::Oid, String, pg_sys::Oid, String, bool, String, i64, f64, bool);

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION _hypothetical_indexes()
RETURNS TABLE (
    indexrelid oid, indexname text, relation oid, access_method text, is_unique boolean, ddl text,
    size_bytes bigint, tuples double precision, hidden boolean)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _hypothetical_indexes() IS 'what the view hypothetical_indexes shows';
"#
)]
fn _hypothetical_indexes() -> TableIterator<
    'static,
    (
        name!(indexrelid, pg_sys::Oid),
        name!(indexname, String),
        name!(relation, pg_sys::Oid),
        name!(access_method, String),
        name!(is_unique, bool),
        name!(ddl, String),
        name!(size_bytes, i64),
        name!(tuples, f64),
        name!(hidden, bool),
    ),
> {
    let row = |(entry, hidden): (std::rc::Rc<Entry>, bool)| -> Row {
        (
            entry.oid.into(),
            entry.name.clone(),
            entry.definition.relation.into(),
            entry.definition.access_method.name().to_string(),
            entry.unique,
            entry.ddl.clone(),
            entry.size.bytes() as i64,
            entry.size.tuples,
            hidden,
        )
    };
    TableIterator::new(session_indexes::list().into_iter().map(row).collect::<Vec<_>>())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION _hidden_indexes()
RETURNS SETOF oid
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _hidden_indexes() IS 'what the view hidden_indexes shows';
"#
)]
fn _hidden_indexes() -> SetOfIterator<'static, pg_sys::Oid> {
    SetOfIterator::new(session_indexes::hidden().into_iter().map(pg_sys::Oid::from).collect::<Vec<_>>())
}

extension_sql!(
    r#"
CREATE VIEW hypothetical_indexes AS
SELECT h.indexrelid, h.indexname, n.nspname AS schema_name, c.relname AS table_name, h.access_method, h.is_unique,
       h.ddl, h.size_bytes, h.tuples, h.hidden
  FROM index_advisor._hypothetical_indexes() AS h
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = h.relation
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace;
COMMENT ON VIEW hypothetical_indexes IS 'the hypothetical indexes of this session';

CREATE VIEW hidden_indexes AS
SELECT h.indexrelid, coalesce(y.indexname, c.relname::text) AS indexname, y.indexrelid IS NOT NULL AS is_hypothetical
  FROM index_advisor._hidden_indexes() AS h(indexrelid)
  LEFT JOIN index_advisor._hypothetical_indexes() AS y ON y.indexrelid = h.indexrelid
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = h.indexrelid;
COMMENT ON VIEW hidden_indexes IS 'the indexes that EXPLAIN in this session does not see';

GRANT SELECT ON hypothetical_indexes, hidden_indexes TO PUBLIC;
"#,
    name = "by_hand_views",
    requires = [_hypothetical_indexes, _hidden_indexes]
);
