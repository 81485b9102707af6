//! `report()`: a run for people.

use super::arguments::{Arguments, run_on_recorded};
use crate::pg::isolated::PgError;
use crate::report::{Report, text};
use pgrx::datum::Interval;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION report(
    format text DEFAULT 'text',
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL,
    previous text[] DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION report(text, text, integer, double precision, interval, text[])
    IS 'a run over the recorded workload for people, as text or json';
"#
)]
fn report(
    format: Option<&str>,
    storage_budget: Option<&str>,
    max_indexes: Option<i32>,
    min_saving_percent: Option<f64>,
    time_limit: Option<Interval>,
    previous: Option<Vec<Option<String>>>,
) -> String {
    // Before the run: a wrong word should not cost its time.
    let render = renderer(format);
    let arguments = Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, previous };
    render(&run_on_recorded(&arguments))
}

/// What writes a report in a format; raises where there is no such format.
pub(super) fn renderer(format: Option<&str>) -> fn(&Report) -> String {
    match format.unwrap_or("text") {
        "text" => text::render,
        "json" => |report| serde_json::to_string_pretty(report).unwrap_or_default(),
        other => {
            PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, format!("report format \"{other}\" does not exist"))
                .with_hint("Formats are 'text' and 'json'.")
                .raise()
        }
    }
}
