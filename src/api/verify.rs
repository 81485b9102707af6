//! `verify()`: whether followed advice did what was expected of it.

use super::arguments::Arguments;
use crate::history::{self, History};
use crate::pg::session::Quiet;
use crate::verification::{StatementChange, Verification};
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION verify()
RETURNS TABLE (
    recommendation bigint, verdict text, index text, relation text, ddl text,
    estimated_saving_percent double precision, measured_saving_percent double precision, noise_percent double precision,
    estimated_ms_per_day double precision, measured_ms_per_day double precision, others_lost_ms_per_day double precision,
    statements integer, calls_before double precision, calls_after double precision,
    explanation text, next_step text, next_ddl text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION verify()
    IS 'measured effect of indexes that were created as run() advised, and of those that were dropped';
REVOKE ALL ON FUNCTION verify() FROM PUBLIC;
"#
)]
fn verify() -> TableIterator<
    'static,
    (
        name!(recommendation, Option<i64>),
        name!(verdict, String),
        name!(index, Option<String>),
        name!(relation, String),
        name!(ddl, String),
        name!(estimated_saving_percent, Option<f64>),
        name!(measured_saving_percent, Option<f64>),
        name!(noise_percent, Option<f64>),
        name!(estimated_ms_per_day, Option<f64>),
        name!(measured_ms_per_day, Option<f64>),
        name!(others_lost_ms_per_day, Option<f64>),
        name!(statements, i32),
        name!(calls_before, f64),
        name!(calls_after, f64),
        name!(explanation, String),
        name!(next_step, String),
        name!(next_ddl, Option<String>),
    ),
> {
    let verdicts = Arguments::default().settings().and_then(|settings| {
        let _quiet = Quiet::begin(settings.lock_timeout_ms);
        let history = History::open(settings.lock_timeout_ms)?;
        history::visible(history.verify(&settings)?)
    });
    let verdicts = verdicts.unwrap_or_else(|error| error.raise());
    TableIterator::new(verdicts.into_iter().map(|verdict| {
        let statements = meant_for(&verdict);
        let percent = |share: Option<f64>| share.map(|share| share * 100.0);
        (
            verdict.recommendation,
            verdict.verdict.name().to_string(),
            verdict.index.clone(),
            verdict.relation.clone(),
            verdict.ddl.clone(),
            percent(verdict.estimated_saving),
            percent(verdict.measured_saving),
            percent(verdict.noise),
            verdict.estimated_ms_per_day,
            verdict.measured_ms_per_day,
            verdict.others_lost_ms_per_day,
            statements.len() as i32,
            statements.iter().map(|statement| statement.before.calls).sum(),
            statements.iter().map(|statement| statement.after.calls).sum(),
            verdict.explanation,
            verdict.next_step,
            verdict.next_ddl,
        )
    }))
}

/// The statements that an index was meant for; of a dropped one, those that changed.
fn meant_for(verdict: &Verification) -> Vec<&StatementChange> {
    let meant = |statement: &&StatementChange| {
        verdict.recommendation.is_none() || statement.estimated_saving.is_some()
    };
    verdict.statements.iter().filter(meant).collect()
}
