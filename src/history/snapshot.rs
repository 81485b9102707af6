//! Snapshots: the counters of statements and tables, and which indexes there are, as they stand at a moment.
//!
//! Taken whole by one who may see everything, whoever asks; only views and functions decide what is shown of it.

use super::sql::{HERE, execute, value};
use super::{History, applied};
use crate::pg::isolated::PgError;
use crate::pg::scalar;
use crate::source::pg_stat_statements;

/// Statements kept of a snapshot, the heaviest: what is beyond them is a share of the time that no advice rests on.
const MOST_STATEMENTS: i32 = 5000;

/// The indexes of user tables as they are. Our own tables are no part of anybody's workload.
const PRESENT: &str = "
    SELECT i.indexrelid AS oid, i.indisvalid AND i.indisready AS valid, i.xmin AS written,
           pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS relation,
           pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
      FROM pg_catalog.pg_index AS i
      JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.relnamespace
      JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
      JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
     WHERE tn.nspname NOT IN ('pg_catalog', 'information_schema', 'index_advisor')
       AND tn.nspname !~ '^pg_toast' AND c.relpersistence <> 't'
       -- A part of a partitioned index comes and goes with it.
       AND NOT c.relispartition";

impl History {
    /// Takes a snapshot and says which recommendations have been followed; gives its number.
    ///
    /// # Errors
    /// If pg_stat_statements is not there, or the history cannot be written.
    pub fn take_snapshot(&self) -> Result<i64, PgError> {
        let schema = pg_stat_statements::readable()?;
        let snapshot = self.owner.write(|| {
            // One writer at a time from here on: two would find the same new indexes.
            execute("LOCK TABLE index_advisor.history_snapshot IN SHARE UPDATE EXCLUSIVE MODE", &[])?;
            let snapshot = begin(&schema)?;
            statements(&schema, snapshot)?;
            tables(snapshot)?;
            indexes(snapshot)?;
            Ok(snapshot)
        })?;
        applied::note(self)?;
        Ok(snapshot)
    }
}

fn begin(schema: &str) -> Result<i64, PgError> {
    let statement = format!(
        "INSERT INTO index_advisor.history_snapshot (taken_at, server, statements_reset, tables_reset)
         SELECT pg_catalog.clock_timestamp(),
                (SELECT system_identifier FROM pg_catalog.pg_control_system()) || '/' || d.oid,
                (SELECT stats_reset FROM {schema}.pg_stat_statements_info),
                (SELECT stats_reset FROM pg_catalog.pg_stat_database AS s WHERE s.datid = d.oid)
           FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
         RETURNING id"
    );
    Ok(value::<i64>(&statement, &[])?.unwrap_or_default())
}

/// Counters of one query id are added up over roles and nesting levels, as a run does.
fn statements(schema: &str, snapshot: i64) -> Result<(), PgError> {
    // stats_since came with pg_stat_statements 1.11.
    let since = value::<bool>(
        "SELECT true FROM pg_catalog.pg_attribute
          WHERE attrelid = pg_catalog.to_regclass($1) AND attname = 'stats_since' AND NOT attisdropped",
        &[format!("{schema}.pg_stat_statements").into()],
    )?;
    let since = if since.is_some() { "stats_since" } else { "NULL::pg_catalog.timestamptz" };
    let statement = format!(
        "WITH entries AS (
             SELECT s.queryid, s.userid, s.query, s.calls, s.rows, s.total_exec_time AS exec_ms,
                    s.total_exec_time + s.total_plan_time AS total_ms,
                    s.calls * (s.stddev_exec_time ^ 2 + s.mean_exec_time ^ 2) AS squares,
                    s.shared_blks_hit + s.local_blks_hit AS hit, s.shared_blks_read + s.local_blks_read AS read,
                    {since} AS since
               FROM {schema}.pg_stat_statements AS s
              WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
                AND s.queryid IS NOT NULL AND s.calls > 0
                -- Calls of ours, and few others.
                AND pg_catalog.lower(s.query) NOT LIKE '%index_advisor.%'),
         merged AS (
             SELECT queryid, (pg_catalog.array_agg(userid ORDER BY total_ms DESC, userid))[1] AS userid,
                    (pg_catalog.array_agg(query ORDER BY total_ms DESC, userid))[1] AS query,
                    sum(calls)::float8 AS calls, sum(rows)::float8 AS rows, sum(total_ms) AS total_ms,
                    sum(exec_ms) AS exec_ms, sum(squares) AS squares, sum(hit)::float8 AS hit,
                    sum(read)::float8 AS read, min(since) AS since
               FROM entries GROUP BY queryid ORDER BY total_ms DESC, queryid LIMIT {MOST_STATEMENTS}),
         noted AS (
             INSERT INTO index_advisor.history_statement (server, query_id, role, text)
             SELECT {HERE}, m.queryid, r.rolname, m.query
               FROM merged AS m LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = m.userid
             ON CONFLICT (server, query_id) DO UPDATE SET role = excluded.role
              WHERE history_statement.role IS DISTINCT FROM excluded.role
             RETURNING id, query_id),
         -- What was just noted is not in the table yet as this statement sees it.
         known AS (
             SELECT id, query_id FROM noted
             UNION SELECT id, query_id FROM index_advisor.history_statement WHERE server = {HERE})
         INSERT INTO index_advisor.history_counter
             (snapshot, statement, calls, total_ms, exec_ms, squares, rows, blocks_hit, blocks_read, since)
         SELECT $1, k.id, m.calls, m.total_ms, m.exec_ms, m.squares, m.rows, m.hit, m.read, m.since
           FROM merged AS m JOIN known AS k ON k.query_id = m.queryid"
    );
    execute(&statement, &[snapshot.into()])?;
    Ok(())
}

fn tables(snapshot: i64) -> Result<(), PgError> {
    execute(
        "INSERT INTO index_advisor.history_table_counter (snapshot, relation, inserted, updated, hot_updated, deleted)
         SELECT $1, pg_catalog.quote_ident(schemaname) || '.' || pg_catalog.quote_ident(relname),
                n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del
           FROM pg_catalog.pg_stat_user_tables
          WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname <> 'index_advisor'
            AND schemaname !~ '^pg_(temp|toast)'",
        &[snapshot.into()],
    )?;
    Ok(())
}

/// Notes which indexes came and went since the last snapshot. An index that was rebuilt, or restored elsewhere from a dump, has
/// another OID and is the same.
fn indexes(snapshot: i64) -> Result<(), PgError> {
    // pg_xact_commit_timestamp is an error where commits are not timed.
    let created = match scalar::setting("track_commit_timestamp").as_deref() {
        Some("on") => "pg_catalog.pg_xact_commit_timestamp(p.written)",
        _ => "NULL",
    };
    let before =
        format!("(SELECT max(id) FROM index_advisor.history_snapshot WHERE server = {HERE} AND id < $1)");
    let known = format!(
        "SELECT 1 FROM index_advisor.history_index AS k WHERE k.server = {HERE} AND k.oid = p.oid AND k.gone_seen IS NULL"
    );
    let backs = "EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE conindid = p.oid AND contype IN ('p', 'u', 'x'))";
    for statement in [
        format!(
            "UPDATE index_advisor.history_index AS h SET server = {HERE}, oid = p.oid
               FROM ({PRESENT}) AS p
              WHERE h.gone_seen IS NULL AND h.relation = p.relation AND h.name = p.name AND NOT EXISTS ({known})
                AND NOT (h.server = {HERE} AND EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c WHERE c.oid = h.oid))
                AND h.definition = pg_catalog.pg_get_indexdef(p.oid)"
        ),
        format!(
            "UPDATE index_advisor.history_index AS h
                SET relation = p.relation, name = p.name, definition = pg_catalog.pg_get_indexdef(p.oid)
               FROM ({PRESENT}) AS p
              WHERE h.gone_seen IS NULL AND h.server = {HERE} AND h.oid = p.oid
                AND (h.relation, h.name) IS DISTINCT FROM (p.relation, p.name)"
        ),
        // What a build has finished counts from now on.
        format!(
            "UPDATE index_advisor.history_index AS h
                SET valid = p.valid,
                    first_snapshot = CASE WHEN p.valid THEN $1 ELSE h.first_snapshot END,
                    first_seen = CASE WHEN p.valid THEN pg_catalog.clock_timestamp() ELSE h.first_seen END,
                    absent_snapshot = CASE WHEN p.valid THEN {before} ELSE h.absent_snapshot END,
                    created_at = {created}
               FROM ({PRESENT}) AS p
              WHERE h.gone_seen IS NULL AND h.server = {HERE} AND h.oid = p.oid AND h.valid <> p.valid"
        ),
        format!(
            "INSERT INTO index_advisor.history_index
                 (server, oid, relation, name, definition, backs_constraint, valid, first_snapshot, first_seen, created_at,
                  absent_snapshot)
             SELECT {HERE}, p.oid, p.relation, p.name, pg_catalog.pg_get_indexdef(p.oid), {backs}, p.valid, $1,
                    pg_catalog.clock_timestamp(), {created}, {before}
               FROM ({PRESENT}) AS p
              WHERE NOT EXISTS ({known}) AND pg_catalog.pg_get_indexdef(p.oid) IS NOT NULL"
        ),
        format!(
            "UPDATE index_advisor.history_index AS h
                SET gone_snapshot = $1, gone_seen = pg_catalog.clock_timestamp()
              WHERE h.gone_seen IS NULL AND h.server = {HERE}
                AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index AS i WHERE i.indexrelid = h.oid)"
        ),
    ] {
        execute(&statement, &[snapshot.into()])?;
    }
    Ok(())
}
