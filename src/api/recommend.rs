//! `recommend()` and `recommend_for()`.

use super::arguments::{Arguments, noted, run_on_recorded, run_on_text};
use crate::pg::isolated::PgError;
use crate::report::{Outcome, Report};
use crate::statement::LeftOut;
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::{self, *};
use pgrx::prelude::*;

/// One row of advice.
type Row = (i32, String, String, pg_sys::Oid, i64, f64, f64, Option<f64>, Option<f64>, i32, Vec<i64>, String);

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION recommend(
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL,
    previous text[] DEFAULT NULL)
RETURNS TABLE (
    rank integer, action text, ddl text, relation regclass, size_bytes bigint,
    saving_percent double precision, saving_alone_percent double precision,
    saving_ms_per_day double precision, write_cost_ms_per_day double precision,
    statements integer, query_ids bigint[], reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION recommend(text, integer, double precision, interval, text[])
    IS 'indexes worth creating for the workload that pg_stat_statements recorded, best first';
"#
)]
fn recommend(
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
    previous: Option<Vec<Option<String>>>,
) -> TableIterator<
    'static,
    (
        name!(rank, i32),
        name!(action, String),
        name!(ddl, String),
        name!(relation, pg_sys::Oid),
        name!(size_bytes, i64),
        name!(saving_percent, f64),
        name!(saving_alone_percent, f64),
        name!(saving_ms_per_day, Option<f64>),
        name!(write_cost_ms_per_day, Option<f64>),
        name!(statements, i32),
        name!(query_ids, Vec<i64>),
        name!(reason, String),
    ),
> {
    let arguments = Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, previous };
    TableIterator::new(rows(&noted(run_on_recorded(&arguments))))
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION recommend_for(
    query text,
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL)
RETURNS TABLE (
    rank integer, action text, ddl text, relation regclass, size_bytes bigint,
    saving_percent double precision, saving_alone_percent double precision,
    cost_before double precision, cost_after double precision, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION recommend_for(text, text, integer, double precision, interval)
    IS 'indexes worth creating for one statement, which is planned but not run';
"#
)]
fn recommend_for(
    query: Option<&str>,
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
) -> TableIterator<
    'static,
    (
        name!(rank, i32),
        name!(action, String),
        name!(ddl, String),
        name!(relation, pg_sys::Oid),
        name!(size_bytes, i64),
        name!(saving_percent, f64),
        name!(saving_alone_percent, f64),
        name!(cost_before, f64),
        name!(cost_after, f64),
        name!(reason, String),
    ),
> {
    let Some(query) = query else {
        PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, "query must not be NULL").raise()
    };
    let arguments =
        Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, ..Arguments::default() };
    let report = noted(run_on_text(query, &arguments));
    // One statement that cannot be examined is the call's own trouble.
    if let Some(Outcome::LeftOut { reason }) = report.statements.first().map(|statement| &statement.outcome) {
        PgError::new(code(reason), format!("the statement cannot be examined: {reason}")).raise()
    }
    let mut cost = match report.statements.first().map(|statement| &statement.outcome) {
        Some(Outcome::Examined { cost_before, .. }) => *cost_before,
        _ => 0.0,
    };
    let rows: Vec<_> = report
        .recommendations
        .iter()
        .zip(rows(&report))
        .map(|(advice, row)| {
            let (rank, action, ddl, relation, size, saving, alone, .., reason) = row;
            // One that helps only together with those below changes nothing by itself.
            let cost_before = cost;
            cost = advice.statements.first().map_or(cost, |effect| effect.cost_after);
            let cost_after = cost;
            (rank, action, ddl, relation, size, saving, alone, cost_before, cost_after, reason)
        })
        .collect();
    TableIterator::new(rows)
}

fn rows(report: &Report) -> Vec<Row> {
    report
        .recommendations
        .iter()
        .map(|advice| {
            let query_ids = advice
                .statements
                .iter()
                .filter_map(|effect| report.examined(effect.statement)?.query_id)
                .collect();
            (
                advice.rank as i32,
                advice.action.name().to_string(),
                advice.ddl.clone(),
                advice.relation.into(),
                advice.size_bytes as i64,
                advice.saving * 100.0,
                advice.saving_alone * 100.0,
                advice.saving_ms_per_day,
                advice.write_ms_per_day,
                advice.statements.len() as i32,
                query_ids,
                advice.reason.clone(),
            )
        })
        .collect()
}

/// The SQLSTATE that fits a reason, so that programs need not read it.
fn code(reason: &LeftOut) -> PgSqlErrorCode {
    match reason {
        LeftOut::Empty | LeftOut::Truncated(_) | LeftOut::SeveralStatements => ERRCODE_SYNTAX_ERROR,
        LeftOut::TooLong { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        LeftOut::NoRights { .. } | LeftOut::HiddenText { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
        LeftOut::Locked => ERRCODE_LOCK_NOT_AVAILABLE,
        LeftOut::OutOfTime => ERRCODE_QUERY_CANCELED,
        _ => ERRCODE_FEATURE_NOT_SUPPORTED,
    }
}
