//! `statements()`: the workload as examined, one row a statement.

use super::arguments::{Arguments, noted, run_on_recorded};
use crate::report::Outcome;
use crate::report::format::percent;
use pgrx::datum::Interval;
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION statements(
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL)
RETURNS TABLE (
    rank integer, query_id bigint, role text, query text, calls double precision,
    total_ms double precision, share_percent double precision, status text,
    cost_before double precision, cost_after double precision, reason text, notes text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION statements(text, integer, double precision, interval)
    IS 'the recorded workload, heaviest statement first: costs before and after, or why a statement was left out';
"#
)]
fn statements(
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
) -> TableIterator<
    'static,
    (
        name!(rank, i32),
        name!(query_id, Option<i64>),
        name!(role, Option<String>),
        name!(query, String),
        name!(calls, f64),
        name!(total_ms, f64),
        name!(share_percent, f64),
        name!(status, String),
        name!(cost_before, Option<f64>),
        name!(cost_after, Option<f64>),
        name!(reason, Option<String>),
        name!(notes, Option<String>),
    ),
> {
    let arguments =
        Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, ..Arguments::default() };
    let report = noted(run_on_recorded(&arguments));
    let rows: Vec<_> = report
        .statements
        .into_iter()
        .enumerate()
        .map(|(i, statement)| {
            let slower = statement.outcome.notable_slowdown().map(|share| {
                format!("may take up to {} longer with the recommended indexes", percent(share))
            });
            let (status, before, after, reason) = match statement.outcome {
                Outcome::Examined { cost_before, cost_after, .. } => {
                    ("examined", Some(cost_before), Some(cost_after), slower)
                }
                Outcome::LeftOut { reason } => ("left out", None, None, Some(reason.to_string())),
            };
            let notes = (!statement.notes.is_empty()).then(|| statement.notes.join("; "));
            (
                i as i32 + 1,
                statement.query_id,
                statement.role,
                statement.text,
                statement.calls,
                statement.total_ms,
                statement.share * 100.0,
                status.to_string(),
                before,
                after,
                reason,
                notes,
            )
        })
        .collect();
    TableIterator::new(rows)
}
