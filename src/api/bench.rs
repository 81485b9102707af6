//! `_bench_what_if()` and `_sampled_size()`: how long a what-if call takes, how good a size estimate is; for benchmarks and tests only.

use crate::pg::sample::Sampler;
use crate::pg::session::Quiet;
use crate::pg::{existing, opclass, what_if};
use crate::settings;
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

/// Pages of an existing index, as they are and as they would be estimated if it did not exist, and what was seen of the rows.
#[pg_extern(
    volatile,
    parallel_unsafe,
    name = "_sampled_size",
    sql = r#"
CREATE FUNCTION _sampled_size(index regclass)
RETURNS TABLE (pages double precision, estimated_pages double precision, milliseconds double precision, refusal text, sample text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _sampled_size(regclass)
IS 'for benchmarks: pages of an existing index, and what would be estimated if it did not exist';
"#
)]
fn sampled_size(
    index: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(pages, f64),
        name!(estimated_pages, Option<f64>),
        name!(milliseconds, f64),
        name!(refusal, Option<String>),
        name!(sample, Option<String>),
    ),
> {
    let _quiet = Quiet::begin(1000);
    let started = std::time::Instant::now();
    let (catalog, definition) = existing::definition_of(index.to_u32()).unwrap_or_else(|error| error.raise());
    let sampler = Sampler { max_pages: settings::sample_pages() };
    let size = catalog
        .relations
        .get(&definition.relation)
        .map(|relation| opclass::size_of(&definition, relation, catalog.storage, None, sampler));
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    let real = existing::pages_of(index.to_u32()).unwrap_or_else(|error| error.raise());
    let (estimated, refusal) = match size {
        Some(Ok(size)) => (Some(size.pages), None),
        Some(Err(reason)) => (None, Some(reason.to_string())),
        None => (None, Some("it is not on a table".to_string())),
    };
    let sample = catalog.relations.get(&definition.relation).and_then(|relation| {
        opclass::recorded(&definition, relation, catalog.storage, sampler).ok().flatten()
    });
    TableIterator::once((real, estimated, milliseconds, refusal, sample))
}
