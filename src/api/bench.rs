//! The `_bench_` functions: how long what-if calls take and how selection does, for the benchmarks only.

use crate::pg::opclass;
use crate::pg::session::Quiet;
use crate::pg::what_if;
use crate::run::run;
use crate::settings::{Overrides, Settings};
use crate::workload::{Role, Statement, Workload};
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

/// What the planner says of each query as things are, and what its plan takes in memory.
#[pg_extern(
    volatile,
    parallel_unsafe,
    name = "_bench_costs",
    sql = r#"
CREATE FUNCTION _bench_costs(queries text[])
RETURNS TABLE (total double precision, in_memory double precision)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _bench_costs(text[])
IS 'for benchmarks: the planner''s cost of each query, and the cost with all pages in memory';
"#
)]
fn bench_costs(queries: Vec<String>) -> TableIterator<'static, (name!(total, f64), name!(in_memory, f64))> {
    let _quiet = Quiet::begin(1000);
    let costs = what_if::costs_before(&queries).unwrap_or_else(|error| error.raise());
    let rows: Vec<_> = costs.into_iter().map(|cost| (cost.total, cost.in_memory)).collect();
    TableIterator::new(rows)
}

/// A run over queries that count with their planner cost, as the report's JSON.
#[pg_extern(
    volatile,
    parallel_unsafe,
    name = "_bench_select",
    sql = r#"
CREATE FUNCTION _bench_select(queries text[], storage_bytes bigint, milliseconds double precision[] DEFAULT NULL)
RETURNS json
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _bench_select(text[], bigint, double precision[])
IS 'for benchmarks: a run over queries, each weighted by its planner cost; 0 bytes for no limit; with what each takes, if known';
"#
)]
fn bench_select(
    queries: Option<Vec<String>>,
    storage_bytes: Option<i64>,
    milliseconds: Option<Vec<f64>>,
) -> pgrx::Json {
    let queries = queries.unwrap_or_default();
    let overrides = Overrides { storage_budget: storage_bytes, ..Overrides::default() };
    let report = Settings::read(&overrides).and_then(|settings| {
        let costs = {
            let _quiet = Quiet::begin(settings.lock_timeout_ms);
            what_if::costs_before(&queries)?
        };
        let costs: Vec<f64> = costs.iter().map(|cost| cost.total).collect();
        // A time that is the cost makes every planner unit of every statement count the same; as many calls as make a call take
        // what it takes.
        let times = milliseconds.unwrap_or_else(|| costs.clone());
        let statements = queries.into_iter().zip(costs).zip(times).map(|((text, cost), ms)| Statement {
            query_id: None,
            text,
            role: Role { oid: 0, name: None },
            calls: if ms > 0.0 { cost / ms } else { 1.0 },
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

/// What a sample of rows shows of the index that a CREATE INDEX would make, as JSON.
#[pg_extern(
    volatile,
    parallel_unsafe,
    name = "_bench_sample",
    sql = r#"
CREATE FUNCTION _bench_sample(ddl text)
RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION _bench_sample(text)
IS 'for recording test cases: what a sample of rows shows of an index';
"#
)]
fn bench_sample(ddl: &str) -> Option<String> {
    let _quiet = Quiet::begin(1000);
    opclass::recorded(ddl, crate::settings::sample_pages()).unwrap_or_else(|error| error.raise())
}
