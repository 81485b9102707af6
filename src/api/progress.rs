//! The view `progress`.

use crate::pg::progress;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(
    name = "_progress",
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION _progress()
RETURNS TABLE (
    pid integer, database oid, role oid, phase text, done bigint, total bigint,
    best_saving_percent double precision, started_at timestamptz)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _progress() IS 'what the view progress shows';
CREATE VIEW progress AS
SELECT p.pid, d.datname AS database, pg_catalog.pg_get_userbyid(p.role) AS role, p.phase, p.done, p.total,
       p.best_saving_percent, p.started_at
  FROM _progress() AS p LEFT JOIN pg_catalog.pg_database AS d ON d.oid = p.database;
COMMENT ON VIEW progress
    IS 'runs that go on now and where they are, where the library is preloaded: those of the caller or all for pg_read_all_stats';
GRANT SELECT ON progress TO PUBLIC;
"#
)]
fn progress_rows() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(database, pg_sys::Oid),
        name!(role, pg_sys::Oid),
        name!(phase, String),
        name!(done, i64),
        name!(total, Option<i64>),
        name!(best_saving_percent, Option<f64>),
        name!(started_at, TimestampWithTimeZone),
    ),
> {
    let rows = progress::runs().into_iter().filter_map(|run| {
        Some((
            run.process,
            run.database.into(),
            run.role.into(),
            run.phase.to_string(),
            run.done as i64,
            run.total.map(|total| total as i64),
            run.best.map(|share| share * 100.0),
            TimestampWithTimeZone::try_from(run.started).ok()?,
        ))
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}
