//! `run()`, `dismiss()`, `undismiss()` and `report()` of a kept run.

use super::arguments::{Arguments, noted, run_and_keep};
use super::report::form;
use crate::history::{self, History};
use crate::pg::session;
use crate::report::summary::Summary;
use crate::settings;
use pgrx::datum::Interval;
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION run(
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL,
    job text DEFAULT NULL)
RETURNS TABLE (
    run bigint, recommendations integer, new integer, withdrawn integer,
    saving_percent double precision, size_bytes bigint, summary text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION run(text, integer, double precision, interval, text)
    IS 'a run over the recorded workload that is kept: see runs, recommendations and report(run)';
REVOKE ALL ON FUNCTION run(text, integer, double precision, interval, text) FROM PUBLIC;
"#
)]
fn run(
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
    job: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(run, i64),
        name!(recommendations, i32),
        name!(new, i32),
        name!(withdrawn, i32),
        name!(saving_percent, f64),
        name!(size_bytes, i64),
        name!(summary, String),
    ),
> {
    let arguments =
        Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, ..Arguments::default() };
    let kept = run_and_keep(&arguments, job).unwrap_or_else(|error| error.raise());
    let (new, withdrawn) = kept.changed();
    let run = kept.run;
    let report = noted(kept.report);
    TableIterator::once((
        run,
        report.recommendations.len() as i32,
        new as i32,
        withdrawn as i32,
        report.saving() * 100.0,
        report.size_bytes() as i64,
        Summary::of(&report).what_to_do,
    ))
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION dismiss(recommendation bigint, why text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION dismiss(bigint, text) IS 'advice not to be given again, by its number in the view recommendations';
REVOKE ALL ON FUNCTION dismiss(bigint, text) FROM PUBLIC;
"#
)]
fn dismiss(recommendation: Option<i64>, why: Option<&str>) {
    let outcome = History::open(settings::lock_timeout_ms()).and_then(|history| {
        history::dismiss(&history, recommendation.unwrap_or_default(), why, &session::user_name())
    });
    outcome.unwrap_or_else(|error| error.raise())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION undismiss(recommendation bigint)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION undismiss(bigint) IS 'takes dismiss() back';
REVOKE ALL ON FUNCTION undismiss(bigint) FROM PUBLIC;
"#
)]
fn undismiss(recommendation: Option<i64>) {
    let outcome = History::open(settings::lock_timeout_ms())
        .and_then(|history| history::undismiss(&history, recommendation.unwrap_or_default()));
    outcome.unwrap_or_else(|error| error.raise())
}

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION report(run bigint, format text DEFAULT 'text')
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION report(bigint, text) IS 'the report of a kept run, in any format of report()';
"#
)]
fn report_of_run(run: Option<i64>, format: Option<&str>) -> String {
    let form = form(format);
    let report = history::report_of(run.unwrap_or_default(), settings::lock_timeout_ms());
    form.render(&report.unwrap_or_else(|error| error.raise()))
}
