//! EXPLAIN's output for plans that are only looked at, as the server itself prints it.
//!
//! # Safety
//!
//! Its private unsafe functions run within `isolated`, on finished plans of this backend.

use super::analyze::{Analysed, analyse};
use super::compat;
use super::hypothetical::Hypothetical;
use super::identity::Identity;
use super::isolated::PgError;
use super::planner::Planned;
use super::session_indexes::{self, Entry, Named};
use super::without_values::{readable, without_values};
use crate::catalog::Oid;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
use std::ffi::CStr;
use std::rc::Rc;

/// How EXPLAIN prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Xml,
    Yaml,
}

/// Whether values that were assumed for parameters show in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// For the caller alone, who may read the statistics that they come from.
    Shown,
    Hidden,
}

/// One plan and what it was made of.
pub(super) struct Plan<'a> {
    pub plan: *mut pg_sys::PlannedStmt,
    pub source: &'a CStr,
    pub bound: pg_sys::ParamListInfo,
}

/// A statement's plan, shown.
pub struct Shown {
    /// What EXPLAIN prints.
    pub text: String,
    pub planned: Planned,
}

/// A statement's plan as things are, and with the indexes made by hand in this session and these.
pub struct Comparison {
    pub before: Shown,
    pub after: Shown,
    /// The hypothetical indexes that `after` could use.
    pub indexes: Vec<Rc<Entry>>,
}

/// Explains a statement before and after `ddl`, statements that would create indexes, and without the `hidden` real ones.
///
/// # Errors
/// Why the statement cannot be planned, or an index not be simulated.
pub fn compare(
    query: &str,
    ddl: &[String],
    hidden: &[Oid],
    format: Format,
    lock_timeout_ms: i32,
) -> Result<Comparison, PgError> {
    let in_session = session_indexes::in_session();
    let mut indexes = in_session.as_ref().map_or_else(Vec::new, |session| session.seen.clone());
    let mut hidden = hidden.to_vec();
    hidden.extend(in_session.iter().flat_map(|session| &session.hidden));
    for text in ddl {
        indexes.extend(session_indexes::prepare_all(text, lock_timeout_ms)?.0.into_iter().map(Rc::new));
    }
    let refused =
        |reason: crate::statement::LeftOut| PgError::new(ERRCODE_FEATURE_NOT_SUPPORTED, reason.to_string());
    let reading = crate::statement::read(query, usize::MAX).map_err(refused)?;
    let mut analysed = analyse(&reading, &Identity::caller(lock_timeout_ms), None).map_err(refused)?;
    // Both plans rest on the same statistics, or they would differ by more than the indexes.
    let statistics: Vec<_> =
        indexes.iter().filter_map(|entry| entry.hypothetical.statistics().cloned()).collect();
    if !statistics.is_empty() {
        analysed.estimate_with(statistics)?;
    }
    let _named = Named::begin(&indexes);
    let before = shown(&mut analysed, &[], &[], format)?;
    let seen: Vec<&Hypothetical> = indexes.iter().map(|entry| &entry.hypothetical).collect();
    let after = shown(&mut analysed, &seen, &hidden, format)?;
    Ok(Comparison { before, after, indexes })
}

fn shown(
    analysed: &mut Analysed,
    indexes: &[&Hypothetical],
    hidden: &[Oid],
    format: Format,
) -> Result<Shown, PgError> {
    let (text, planned) = analysed.explain(indexes, hidden, format, Values::Shown)?;
    Ok(Shown { text, planned })
}

/// Prints plans one after the other; None where one cannot be shown as `values` asks. Within `isolated`, with an active
/// snapshot.
pub(super) fn print<'a>(
    format: Format,
    values: Values,
    plans: impl FnOnce() -> Vec<Plan<'a>>,
) -> Option<String> {
    let plans: Option<Vec<Plan<'a>>> = plans().into_iter().map(|plan| as_asked(plan, values)).collect();
    let plans = plans?;
    // SAFETY: the sequence of ExplainQuery (explain.c); all of it lives in the current context.
    unsafe {
        let state = pg_sys::NewExplainState();
        (*state).costs = true;
        (*state).format = match format {
            Format::Text => pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT,
            Format::Json => pg_sys::ExplainFormat::EXPLAIN_FORMAT_JSON,
            Format::Xml => pg_sys::ExplainFormat::EXPLAIN_FORMAT_XML,
            Format::Yaml => pg_sys::ExplainFormat::EXPLAIN_FORMAT_YAML,
        };
        compat::explain_generic(state);
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        pg_sys::ExplainBeginOutput(state);
        for Plan { plan, source, bound } in plans {
            compat::explain_plan(plan, state, source, bound);
        }
        pg_sys::ExplainEndOutput(state);
        pg_sys::PopActiveSnapshot();
        let text = super::scalar::owned((*(*state).str_).data).unwrap_or_default();
        let text = text.trim_end();
        Some(match values {
            Values::Shown => text.to_string(),
            Values::Hidden => readable(text),
        })
    }
}

/// The plan to be printed.
fn as_asked(plan: Plan<'_>, values: Values) -> Option<Plan<'_>> {
    if values == Values::Shown || plan.bound.is_null() {
        return Some(plan);
    }
    // SAFETY: a finished plan of `source` that nothing else holds; the current context is that of printing.
    Some(Plan { plan: unsafe { without_values(plan.plan, plan.source) }?, ..plan })
}

/// Why a plan is not printed with its values hidden.
pub(super) fn not_without_values() -> PgError {
    let why = "its plan cannot be shown without the values that were assumed for its parameters";
    PgError::new(ERRCODE_FEATURE_NOT_SUPPORTED, why)
}
