//! The workload of this database as pg_stat_statements recorded it.
//!
//! Found wherever the extension is installed; versions 1.9 (PostgreSQL 14) and later.

use crate::pg::isolated::{PgError, reading};
use crate::pg::scalar::{self, Fields, read_rows};
use crate::statement::is_own_statement;
use crate::workload::{Role, Statement, Workload};
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;

/// What pg_stat_statements shows instead of a text that the caller may not read.
pub const HIDDEN: &str = "<insufficient privilege>";

/// Reads the workload, heaviest statement first; entries of one query id are merged over roles and nesting levels.
///
/// # Errors
/// If pg_stat_statements is not installed, not loaded, too old, unreadable or empty; each with what to do.
pub fn read() -> Result<Workload, PgError> {
    let schema = installed_schema()?;
    let mut entries = reading(|| select(&schema)).map_err(|error| explain(error, &schema))??;
    // The advisor's own calls are no part of what the database has to do.
    entries.retain(|entry| !is_own_statement(&entry.text));
    if entries.is_empty() {
        return Err(PgError::new(
            ERRCODE_NO_DATA,
            "pg_stat_statements has recorded no statement in this database yet",
        )
        .with_hint("Let the application run for a while, then ask again; recommend_for() examines one statement at once."));
    }
    let (window_seconds, evicted) =
        reading(|| window(&schema)).map_err(|error| explain(error, &schema))??;
    Ok(Workload { source: "pg_stat_statements".to_string(), window_seconds, evicted, statements: entries })
}

/// The quoted schema of the extension, after making sure that its views can be read.
///
/// # Errors
/// As `read`.
pub fn readable() -> Result<String, PgError> {
    let schema = installed_schema()?;
    reading(|| window(&schema)).map_err(|error| explain(error, &schema))??;
    Ok(schema)
}

/// The quoted schema of the extension.
fn installed_schema() -> Result<String, PgError> {
    let found = scalar::look_up::<String>(
        "SELECT pg_catalog.quote_ident(n.nspname)
           FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
          WHERE e.extname = 'pg_stat_statements'",
        &[],
    )?;
    found.ok_or_else(|| {
        PgError::new(ERRCODE_UNDEFINED_OBJECT, "pg_stat_statements is not installed in this database")
            .with_hint("Run CREATE EXTENSION pg_stat_statements; the library must be in shared_preload_libraries too.")
    })
}

fn select(schema: &str) -> Result<Vec<Statement>, PgError> {
    let query = format!(
        "WITH entries AS (
             SELECT s.queryid, s.userid, s.query, s.calls, s.rows,
                    s.total_exec_time + s.total_plan_time AS total_ms,
                    s.shared_blks_hit + s.local_blks_hit AS hit, s.shared_blks_read + s.local_blks_read AS read
               FROM {schema}.pg_stat_statements AS s
              WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())),
         merged AS (
             SELECT queryid,
                    (pg_catalog.array_agg(userid ORDER BY total_ms DESC, userid))[1] AS userid,
                    (pg_catalog.array_agg(query ORDER BY total_ms DESC, userid))[1] AS query,
                    pg_catalog.sum(calls)::float8 AS calls, pg_catalog.sum(rows)::float8 AS rows,
                    pg_catalog.sum(total_ms)::float8 AS total_ms,
                    pg_catalog.sum(hit)::float8 AS hit, pg_catalog.sum(read)::float8 AS read
               FROM entries
              GROUP BY queryid, CASE WHEN queryid IS NULL THEN userid END)
         SELECT m.*, r.rolname::text AS role
           FROM merged AS m LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = m.userid
          ORDER BY m.total_ms DESC, m.queryid, m.userid"
    );
    read_rows(&query, &[], |row| {
        Ok(Statement {
            query_id: row["queryid"].value::<i64>()?,
            text: row.text("query")?,
            role: Role { oid: row.oid("userid")?, name: row["role"].value::<String>()? },
            calls: row.number("calls")?,
            total_ms: row.number("total_ms")?,
            rows: Some(row.number("rows")?),
            blocks_hit: row.number("hit")?,
            blocks_read: row.number("read")?,
        })
    })
}

/// Seconds since the statistics were reset, and entries evicted since.
fn window(schema: &str) -> Result<(Option<f64>, u64), PgError> {
    let query = format!(
        "SELECT extract(epoch FROM pg_catalog.clock_timestamp() - stats_reset)::float8 AS seconds, dealloc
           FROM {schema}.pg_stat_statements_info"
    );
    let window = read_rows(&query, &[], |row| {
        let seconds = row["seconds"].value::<f64>()?.filter(|seconds| *seconds > 0.0);
        Ok((seconds, row["dealloc"].value::<i64>()?.unwrap_or(0).max(0) as u64))
    })?;
    Ok(window.into_iter().next().unwrap_or_default())
}

/// Makes the server's refusal say how to mend it.
fn explain(error: PgError, schema: &str) -> PgError {
    match error.code {
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE => {
            let loaded = scalar::setting("shared_preload_libraries").unwrap_or_default();
            PgError::new(error.code, "pg_stat_statements is installed but its library is not loaded").with_hint(format!(
                "Add pg_stat_statements to shared_preload_libraries (now '{loaded}') and restart the server."
            ))
        }
        ERRCODE_INSUFFICIENT_PRIVILEGE => PgError::new(
            error.code,
            format!("you may not read {schema}.pg_stat_statements: {}", error.message),
        )
        .with_hint(format!("A superuser can run: GRANT SELECT ON {schema}.pg_stat_statements, {schema}.pg_stat_statements_info TO you; and GRANT USAGE ON SCHEMA {schema}.")),
        ERRCODE_UNDEFINED_COLUMN | ERRCODE_UNDEFINED_TABLE => PgError::new(
            error.code,
            "pg_stat_statements is too old; version 1.9 or later is needed",
        )
        .with_hint("Run ALTER EXTENSION pg_stat_statements UPDATE."),
        _ => error,
    }
}

/// Whether the source hid the statement's text from the caller.
pub fn is_hidden(statement: &Statement) -> bool {
    statement.query_id.is_none() && statement.text == HIDDEN
}
