//! Tests that need a server, by subject. Each runs in a transaction that is rolled back.

mod advice;
mod catalog;
mod expression_statistics;
mod injection;
mod isolation;
mod limits;
mod long_planning;
mod nested;
mod odd_statements;
mod page_work;
mod page_work_paths;
mod pricing;
mod sampled_sizes;
mod schedule;
mod statements;
mod traps;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};

/// Runs SQL for its effect.
pub(crate) fn run(sql: &str) {
    Spi::run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The one value that a query gives.
pub(crate) fn value<T: FromDatum + IntoDatum>(sql: &str) -> T {
    match Spi::get_one::<T>(sql) {
        Ok(Some(value)) => value,
        other => panic!("{sql} gave no value: {:?}", other.err()),
    }
}

/// The DDL that the advisor gives for a statement, best first.
fn advised(query: &str) -> Vec<String> {
    value::<Vec<String>>(&format!(
        "SELECT coalesce(array_agg(ddl ORDER BY rank), '{{}}') FROM index_advisor.recommend_for({})",
        quoted(query)
    ))
}

/// The error message of a statement, None if it succeeds. Runs in a sub-transaction of PL/pgSQL's.
fn error_of(sql: &str) -> Option<String> {
    run(
        "CREATE OR REPLACE FUNCTION pg_temp.error_of(sql text) RETURNS text LANGUAGE plpgsql AS $$
         BEGIN EXECUTE sql; RETURN NULL; EXCEPTION WHEN query_canceled OR others THEN RETURN SQLERRM; END $$",
    );
    Spi::get_one::<String>(&format!("SELECT pg_temp.error_of({})", quoted(sql))).unwrap_or(None)
}

/// The error message of `recommend_for`, None if it succeeds.
fn refusal_of(query: &str) -> Option<String> {
    error_of(&format!("SELECT * FROM index_advisor.recommend_for({})", quoted(query)))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What a call of ours must leave as it was.
fn session_state() -> String {
    value::<String>(
        "SELECT concat_ws('|', current_setting('search_path'), current_user, current_setting('lock_timeout'),
                          current_setting('pg_stat_statements.track', true), current_setting('work_mem'),
                          (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()))",
    )
}
