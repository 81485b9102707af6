//! `frontier()`: what less storage would give than what is recommended.

use super::arguments::{Arguments, noted, run_on_recorded};
use pgrx::datum::Interval;
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION frontier(
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL)
RETURNS TABLE (
    size_bytes bigint, indexes integer, cost_percent double precision, saving_percent double precision,
    saving_ms_per_day double precision, added text, ddl text[], recommended boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION frontier(text, integer, double precision, interval)
    IS 'what the recorded workload would cost with more and more storage for indexes, up to what is recommended';
"#
)]
fn frontier(
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
) -> TableIterator<
    'static,
    (
        name!(size_bytes, i64),
        name!(indexes, i32),
        name!(cost_percent, f64),
        name!(saving_percent, f64),
        name!(saving_ms_per_day, Option<f64>),
        name!(added, Option<String>),
        name!(ddl, Vec<String>),
        name!(recommended, bool),
    ),
> {
    let arguments =
        Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, ..Arguments::default() };
    let report = noted(run_on_recorded(&arguments));
    let total = report.certificate.total_before_ms;
    let window = report.window_seconds;
    let rows = report.frontier.into_iter().map(move |point| {
        let saving = total - point.cost_ms;
        let percent = if total > 0.0 { 100.0 * saving / total } else { 0.0 };
        (
            point.bytes as i64,
            point.indexes.len() as i32,
            100.0 - percent,
            percent,
            window.map(|_| saving),
            point.added,
            point.indexes,
            point.recommended,
        )
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}
