//! `_bench_what_if()`, `_bench_select()` and `_sampled_size()`: how long what-if calls take, how selection does and how good
//! sizes are, for benchmarks and recorded test cases only.

use crate::pg::sample::Sampler;
use crate::pg::session::Quiet;
use crate::pg::{beside_real, what_if};
use crate::run::run;
use crate::settings::{self, Overrides, Settings};
use crate::workload::{Role, Statement, Workload};
use pgrx::pg_sys;
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

/// A run over queries that count with their planner cost, as the report's JSON.
#[pg_extern(
    volatile,
    parallel_unsafe,
    name = "_bench_select",
    sql = r#"
CREATE FUNCTION _bench_select(queries text[], storage_bytes bigint)
RETURNS json
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _bench_select(text[], bigint)
IS 'for benchmarks: a run over queries, each weighted by its planner cost; 0 bytes for no limit';
"#
)]
fn bench_select(queries: Vec<String>, storage_bytes: i64) -> pgrx::Json {
    let overrides = Overrides { storage_budget: Some(storage_bytes), ..Overrides::default() };
    let report = Settings::read(&overrides).and_then(|settings| {
        let costs = {
            let _quiet = Quiet::begin(settings.lock_timeout_ms);
            what_if::costs_before(&queries)?
        };
        // A time that is the cost makes every planner unit of every statement count the same.
        let statements = queries.into_iter().zip(costs).map(|(text, cost)| Statement {
            query_id: None,
            text,
            role: Role { oid: 0, name: None },
            calls: 1.0,
            total_ms: cost,
            rows: None,
            blocks_hit: 0.0,
            blocks_read: 0.0,
        });
        let mut statements: Vec<Statement> = statements.collect();
        statements.sort_by(|a, b| b.total_ms.total_cmp(&a.total_ms));
        let workload =
            Workload { source: "queries".to_string(), window_seconds: None, evicted: 0, statements };
        run(&workload, &settings)
    });
    let report = report.unwrap_or_else(|error| error.raise());
    pgrx::Json(serde_json::to_value(&report).unwrap_or_default())
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
    let sampler = Sampler { max_pages: settings::sample_pages() };
    let seen = beside_real::estimate(index.to_u32(), sampler).unwrap_or_else(|error| error.raise());
    let (estimated, refusal) = match seen.estimate {
        Ok(size) => (Some(size.pages), None),
        Err(reason) => (None, Some(reason.to_string())),
    };
    TableIterator::once((seen.pages, estimated, seen.milliseconds, refusal, seen.sample))
}
