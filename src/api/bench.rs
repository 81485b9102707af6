//! `_bench_what_if()`: how long one what-if call takes, for the benchmarks only.

use crate::pg::session::Quiet;
use crate::pg::what_if;
use pgrx::prelude::*;

/// For each query: candidates in view and the median time of a what-if call.
#[pg_extern(
    volatile,
    parallel_unsafe,
    name = "_bench_what_if",
    sql = r#"
CREATE FUNCTION _bench_what_if(queries text[], indexes integer, rounds integer)
RETURNS TABLE (query integer, in_view integer, median_ms double precision)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _bench_what_if(text[], integer, integer)
IS 'for benchmarks: how long the planner takes for each query with hypothetical indexes in view';
"#
)]
fn bench_what_if(
    queries: Vec<String>,
    indexes: i32,
    rounds: i32,
) -> TableIterator<'static, (name!(query, i32), name!(in_view, i32), name!(median_ms, f64))> {
    let _quiet = Quiet::begin(1000);
    let times = what_if::time_calls(&queries, indexes.max(0) as usize, rounds.clamp(1, 100_000) as usize)
        .unwrap_or_else(|error| error.raise());
    let rows: Vec<_> =
        times.into_iter().enumerate().map(|(i, (in_view, ms))| (i as i32 + 1, in_view as i32, ms)).collect();
    TableIterator::new(rows)
}
