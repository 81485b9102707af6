//! `report()`: a run for people.

use super::arguments::{Arguments, run_on_recorded};
use crate::pg::isolated::PgError;
use crate::report::Form;
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
    IS 'a run over the recorded workload for people, as text, markdown or html, or for programs, as json';
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
    let form = form(format);
    let arguments = Arguments { storage_budget, max_indexes, min_saving_percent, time_limit, previous };
    form.render(&run_on_recorded(&arguments))
}

/// The form of that name; raises where there is none.
pub(super) fn form(format: Option<&str>) -> Form {
    let format = format.unwrap_or("text");
    Form::named(format).unwrap_or_else(|| {
        PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, format!("report format \"{format}\" does not exist"))
            .with_hint(format!("Formats are {}.", Form::NAMES))
            .raise()
    })
}
