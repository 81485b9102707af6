//! What is remembered of recommendations between runs: what the last run said, and what somebody does not want to hear again.

use super::sql::{execute, rows};
use super::{History, reading};
use crate::pg::isolated::PgError;
use crate::pg::scalar::{Fields, read_rows};
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use std::collections::BTreeSet;

/// Definitions of the recommendations that were dismissed; empty where there is no history.
///
/// # Errors
/// Those of reading the history.
pub fn dismissed(lock_timeout_ms: i32) -> Result<BTreeSet<String>, PgError> {
    let definitions = reading(lock_timeout_ms, || {
        read_rows(
            "SELECT definition FROM index_advisor.history_recommendation WHERE dismissed_at IS NOT NULL",
            &[],
            |row| row.text("definition"),
        )
    })?;
    Ok(definitions.into_iter().flatten().collect())
}

/// Advice is not given any more that is dismissed.
///
/// # Errors
/// If there is no such recommendation, or the history cannot be written.
pub fn dismiss(history: &History, recommendation: i64, why: Option<&str>, who: &str) -> Result<(), PgError> {
    let changed = history.owner.write(|| {
        execute(
            "UPDATE index_advisor.history_recommendation
                SET dismissed_at = pg_catalog.clock_timestamp(), dismissed_by = $2, dismissed_why = $3
              WHERE id = $1",
            &[recommendation.into(), who.into(), why.into()],
        )
    })?;
    found(changed, recommendation)
}

/// Takes `dismiss` back.
///
/// # Errors
/// As `dismiss`.
pub fn undismiss(history: &History, recommendation: i64) -> Result<(), PgError> {
    let changed = history.owner.write(|| {
        execute(
            "UPDATE index_advisor.history_recommendation
                SET dismissed_at = NULL, dismissed_by = NULL, dismissed_why = NULL
              WHERE id = $1",
            &[recommendation.into()],
        )
    })?;
    found(changed, recommendation)
}

fn found(changed: usize, recommendation: i64) -> Result<(), PgError> {
    match changed {
        0 => Err(PgError::new(ERRCODE_NO_DATA_FOUND, format!("there is no recommendation {recommendation}"))
            .with_hint("The view index_advisor.recommendations has their numbers.")),
        _ => Ok(()),
    }
}

impl History {
    /// DDL of what the last run recommended and nobody has created or dismissed since.
    ///
    /// # Errors
    /// Those of reading the history.
    pub fn standing(&self) -> Result<Vec<String>, PgError> {
        self.owner.write(|| {
            rows(
                "SELECT a.ddl
                   FROM index_advisor.history_advice AS a
                   JOIN index_advisor.history_recommendation AS r ON r.id = a.recommendation
                   LEFT JOIN index_advisor.history_index AS i ON i.id = r.index
                  WHERE a.run = (SELECT max(id) FROM index_advisor.history_run)
                    AND r.dismissed_at IS NULL AND (i.id IS NULL OR i.gone_seen IS NOT NULL)
                  ORDER BY a.rank",
                &[],
                |row| row.text("ddl"),
            )
        })
    }
}
