//! Verdicts as the history keeps them: what verification starts from is read here, and what it finds is written.
//!
//! Judges nothing, which is `verification`'s.

use super::History;
use super::sql::{HERE, execute, json, rows, value};
use crate::catalog::Oid;
use crate::examine::examine;
use crate::pg::isolated::{PgError, reading};
use crate::pg::scalar::{Fields, read_rows};
use crate::settings::Settings;
use crate::source::pg_stat_statements;
use crate::verification::known::{
    Archive, Counter, Counters, Known, KnownIndex, KnownStatement, Moment, Present, Promise, TableCounter,
};
use crate::verification::{Record, Verification, verify};
use crate::workload::{Role, Statement, Workload};
use pgrx::pg_sys;
use pgrx::spi::{SpiHeapTupleData, SpiResult};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

impl History {
    /// Takes a snapshot, judges every index that was created as advised, or dropped, and keeps the verdicts.
    ///
    /// # Errors
    /// As `take_snapshot`.
    pub fn verify(&self, settings: &Settings) -> Result<Vec<Verification>, PgError> {
        let snapshot = self.take_snapshot()?;
        let (mut known, workload) = self.owner.write(|| {
            let known = known(snapshot)?;
            let workload = promised_statements(snapshot, &known)?;
            Ok((known, workload))
        })?;
        known.plans = plans(&workload, &known, settings)?;
        self.owner.write(|| {
            let verdicts = verify(&known, &mut Tables)?;
            for (index, verification) in &verdicts {
                keep(snapshot, *index, verification)?;
            }
            Ok(verdicts.into_iter().map(|(_, verification)| verification).collect())
        })
    }

    /// The newest verdict on each recommendation that was followed and on each dropped index, and how followed advice
    /// turned out in all.
    ///
    /// # Errors
    /// Those of reading the history.
    pub fn verdicts(&self) -> Result<(Vec<Verification>, Record), PgError> {
        self.owner.write(|| {
            let newest = rows(
                "SELECT DISTINCT ON (recommendation, CASE WHEN recommendation IS NULL THEN index END)
                        verification::text AS verification
                   FROM index_advisor.history_verification
                  ORDER BY recommendation, CASE WHEN recommendation IS NULL THEN index END, id DESC",
                &[],
                |row| row.text("verification"),
            )?;
            let newest: Vec<Verification> =
                newest.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
            let applied = value::<i64>(
                "SELECT count(*) FROM index_advisor.history_recommendation WHERE applied_at IS NOT NULL",
                &[],
            )?;
            let record = Record::of(applied.unwrap_or_default().max(0) as usize, &newest);
            Ok((with_texts(newest)?, record))
        })
    }
}

/// Which of the known indexes the planner uses for statements now, by query id: planned as a run plans them, for as long as a run may
/// take.
fn plans(
    workload: &Workload,
    known: &Known,
    settings: &Settings,
) -> Result<BTreeMap<i64, BTreeSet<i64>>, PgError> {
    let deadline = settings.time_limit.map(|limit| Instant::now() + limit);
    let settings = Settings { cover: 1.0, ..settings.clone() };
    let examination = examine(workload, &settings, deadline)?;
    let ids: BTreeMap<Oid, i64> =
        known.indexes.iter().flat_map(|index| index.oids.iter().map(|oid| (*oid, index.id))).collect();
    let planned = examination.measured(workload);
    let plans = planned.iter().filter_map(|planned| {
        let used = planned.before.used_existing.iter().filter_map(|oid| ids.get(oid).copied());
        Some((planned.statement.query_id?, used.collect()))
    });
    Ok(plans.collect())
}

/// The statements that something was promised to, as they were recorded last.
fn promised_statements(snapshot: i64, known: &Known) -> Result<Workload, PgError> {
    let ids: BTreeSet<i64> =
        known.promises.iter().flat_map(|promise| promise.ratios.keys().copied()).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let statements = rows(
        &format!(
            "SELECT h.query_id, h.text, h.role, r.oid, c.calls, c.total_ms, c.rows, c.blocks_hit, c.blocks_read
               FROM index_advisor.history_statement AS h
               JOIN index_advisor.history_counter AS c ON c.snapshot = $1 AND c.statement = h.id
               LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = h.role
              WHERE h.server = {HERE} AND h.query_id = ANY ($2)
              ORDER BY c.total_ms DESC, h.query_id"
        ),
        &[snapshot.into(), ids.into()],
        |row| {
            Ok(Statement {
                query_id: row["query_id"].value::<i64>()?,
                text: row.text("text")?,
                role: Role { oid: row.oid("oid")?, name: row["role"].value::<String>()? },
                calls: row.number("calls")?,
                total_ms: row.number("total_ms")?,
                rows: Some(row.number("rows")?),
                blocks_hit: row.number("blocks_hit")?,
                blocks_read: row.number("blocks_read")?,
            })
        },
    )?;
    Ok(Workload { source: "history".to_string(), window_seconds: None, evicted: 0, statements })
}

/// What of verdicts the caller may see: nothing of tables that the caller may not read, and no text of another role's statements.
///
/// # Errors
/// Those of a catalog query.
pub fn visible(verdicts: Vec<Verification>) -> Result<Vec<Verification>, PgError> {
    let relations: BTreeSet<&str> = verdicts.iter().map(|verdict| verdict.relation.as_str()).collect();
    let roles: BTreeSet<&str> = verdicts
        .iter()
        .flat_map(|verdict| &verdict.statements)
        .filter_map(|one| one.role.as_deref())
        .collect();
    let readable = allowed("index_advisor._may_read(name)", &relations)?;
    let seen = allowed("index_advisor._may_see_runs_of(name)", &roles)?;
    let everything =
        allowed("pg_catalog.pg_has_role(name, 'USAGE')", &BTreeSet::from(["pg_read_all_stats"]))?;
    let mut visible = verdicts;
    visible.retain(|verdict| readable.contains(&verdict.relation));
    for statement in visible.iter_mut().flat_map(|verdict| &mut verdict.statements) {
        let may = match &statement.role {
            Some(role) => seen.contains(role),
            None => !everything.is_empty(),
        };
        if !may {
            statement.text = pg_stat_statements::HIDDEN.to_string();
        }
    }
    Ok(visible)
}

/// Those of the names for which a condition on `name` holds, asked as the caller.
fn allowed(condition: &str, names: &BTreeSet<&str>) -> Result<BTreeSet<String>, PgError> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let query = format!("SELECT name FROM pg_catalog.unnest($1) AS name WHERE {condition}");
    let found = reading(|| read_rows(&query, &[names.into()], |row| row.text("name")))??;
    Ok(found.into_iter().collect())
}

/// Fills in the texts and roles of statements, which are kept once for all verdicts.
fn with_texts(mut verdicts: Vec<Verification>) -> Result<Vec<Verification>, PgError> {
    let ids: BTreeSet<i64> =
        verdicts.iter().flat_map(|verdict| &verdict.statements).map(|statement| statement.query_id).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let found = rows(
        "SELECT DISTINCT ON (query_id) query_id, role, text FROM index_advisor.history_statement
          WHERE query_id = ANY ($1) ORDER BY query_id, id DESC",
        &[ids.into()],
        |row| Ok((row.id("query_id")?, (row["role"].value::<String>()?, row.text("text")?))),
    )?;
    let found: BTreeMap<i64, (Option<String>, String)> = found.into_iter().collect();
    for statement in verdicts.iter_mut().flat_map(|verdict| &mut verdict.statements) {
        if let Some((role, text)) = found.get(&statement.query_id) {
            (statement.role, statement.text) = (role.clone(), text.clone());
        }
    }
    Ok(verdicts)
}

/// Keeps a verdict: in the place of the one before if it is the same verdict with newer numbers.
fn keep(snapshot: i64, index: i64, verification: &Verification) -> Result<(), PgError> {
    let mut kept = verification.clone();
    for statement in &mut kept.statements {
        (statement.text, statement.role) = (String::new(), None);
    }
    let arguments = [
        verification.recommendation.into(),
        index.into(),
        snapshot.into(),
        verification.verdict.name().into(),
        verification.estimated_saving.into(),
        verification.measured_saving.into(),
        json(&kept).into(),
    ];
    let again = execute(
        "UPDATE index_advisor.history_verification AS v
            SET verified_at = pg_catalog.clock_timestamp(), snapshot = $3, estimated_saving = $5, measured_saving = $6,
                verification = $7::pg_catalog.jsonb
          WHERE v.verdict = $4
            AND v.id = (SELECT max(n.id) FROM index_advisor.history_verification AS n
                         WHERE n.index = $2 AND n.recommendation IS NOT DISTINCT FROM $1)",
        &arguments,
    )?;
    if again == 0 {
        execute(
            "INSERT INTO index_advisor.history_verification
                 (recommendation, index, snapshot, verified_at, verdict, estimated_saving, measured_saving, verification)
             VALUES ($1, $2, $3, pg_catalog.clock_timestamp(), $4, $5, $6, $7::pg_catalog.jsonb)",
            &arguments,
        )?;
    }
    Ok(())
}

fn known(snapshot: i64) -> Result<Known, PgError> {
    let promises = promises(snapshot)?;
    let promised: BTreeSet<i64> =
        promises.iter().flat_map(|promise| promise.ratios.keys().copied()).collect();
    Ok(Known {
        moments: moments(snapshot)?,
        statements: statements(snapshot, promised.into_iter().collect())?,
        indexes: indexes(snapshot)?,
        promises,
        plans: BTreeMap::new(),
    })
}

fn moments(snapshot: i64) -> Result<Vec<Moment>, PgError> {
    rows(
        &format!(
            "SELECT id, extract(epoch FROM taken_at)::float8 AS at, extract(epoch FROM statements_reset)::float8 AS statements_reset,
                    extract(epoch FROM tables_reset)::float8 AS tables_reset
               FROM index_advisor.history_snapshot WHERE server = {HERE} ORDER BY id"
        ),
        &[snapshot.into()],
        |row| {
            Ok(Moment {
                id: row.id("id")?,
                at: row.number("at")?,
                statements_reset: row["statements_reset"].value::<f64>()?,
                tables_reset: row["tables_reset"].value::<f64>()?,
            })
        },
    )
}

/// Statements whose relations are known, and those that something was promised to.
fn statements(snapshot: i64, promised: Vec<i64>) -> Result<Vec<KnownStatement>, PgError> {
    rows(
        &format!(
            "SELECT h.id, h.query_id, h.role, h.text, h.relations, c.total_ms
               FROM index_advisor.history_statement AS h
               LEFT JOIN index_advisor.history_counter AS c ON c.snapshot = $1 AND c.statement = h.id
              WHERE h.server = {HERE} AND (h.relations <> '{{}}' OR h.query_id = ANY ($2))
              ORDER BY h.id"
        ),
        &[snapshot.into(), promised.into()],
        |row| {
            Ok(KnownStatement {
                id: row.id("id")?,
                query_id: row.id("query_id")?,
                role: row["role"].value::<String>()?,
                text: row.text("text")?,
                relations: row.list("relations")?,
                recent_ms: row.number("total_ms")?,
            })
        },
    )
}

/// What the newest run that gave a followed recommendation promised; the run's advice may be forgotten by now.
fn promises(snapshot: i64) -> Result<Vec<Promise>, PgError> {
    let effects = rows(
        &format!(
            "SELECT r.id, r.index, coalesce(a.ddl, r.definition) AS ddl, e.query_id, e.cost_after / e.cost_before AS ratio
               FROM index_advisor.history_recommendation AS r
               JOIN index_advisor.history_index AS i ON i.id = r.index AND i.gone_seen IS NULL AND i.server = {HERE}
               LEFT JOIN LATERAL (SELECT * FROM index_advisor.history_advice AS a
                                   WHERE a.recommendation = r.id ORDER BY a.run DESC LIMIT 1) AS a ON true
               LEFT JOIN index_advisor.history_effect AS e
                      ON e.run = a.run AND e.recommendation = r.id AND e.cost_after < e.cost_before
              ORDER BY r.id, e.query_id"
        ),
        &[snapshot.into()],
        |row| {
            let effect = row["query_id"].value::<i64>()?.zip(row["ratio"].value::<f64>()?);
            Ok((row.id("id")?, row.id("index")?, row.text("ddl")?, effect))
        },
    )?;
    let mut promises: Vec<Promise> = Vec::new();
    for (recommendation, index, ddl, effect) in effects {
        if promises.last().is_none_or(|last| last.recommendation != recommendation) {
            promises.push(Promise { recommendation, index, ddl, ratios: BTreeMap::new() });
        }
        if let Some(promise) = promises.last_mut() {
            promise.ratios.extend(effect);
        }
    }
    Ok(promises)
}

/// Indexes of the tables on which any came or went, or follows a recommendation.
fn indexes(snapshot: i64) -> Result<Vec<KnownIndex>, PgError> {
    rows(
        &format!(
            "WITH concerned AS (
                 SELECT relation FROM index_advisor.history_index
                  WHERE server = {HERE}
                    AND (absent_snapshot IS NOT NULL OR gone_snapshot IS NOT NULL
                         OR id IN (SELECT r.index FROM index_advisor.history_recommendation AS r)))
             SELECT h.id, h.relation, h.name, h.definition, h.backs_constraint, h.absent_snapshot, h.first_snapshot,
                    h.gone_snapshot, h.gone_seen IS NOT NULL AS is_gone,
                    extract(epoch FROM h.created_at)::float8 AS created_at,
                    pg_catalog.to_regclass(h.relation) IS NOT NULL AS has_table,
                    x.indexrelid IS NOT NULL AS is_present,
                    x.indisvalid AND x.indisready AND x.indislive AS valid,
                    EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index AS p
                             WHERE p.index_relid = x.indexrelid) AS building,
                    c.relkind = 'I' AS partitioned,
                    x.indexprs IS NOT NULL AND c.relkind = 'i'
                        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stats AS s
                                         WHERE s.schemaname = n.nspname AND s.tablename = c.relname) AS needs_analyze,
                    parts.scans, parts.bytes, parts.oids, v.verification::text AS verification
               FROM index_advisor.history_index AS h
               LEFT JOIN pg_catalog.pg_index AS x ON x.indexrelid = h.oid AND h.gone_seen IS NULL
               LEFT JOIN pg_catalog.pg_class AS c ON c.oid = x.indexrelid
               LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
               LEFT JOIN LATERAL (
                     SELECT sum(pg_catalog.pg_stat_get_numscans(part.oid))::float8 AS scans,
                            sum(pg_catalog.pg_relation_size(part.oid))::float8 AS bytes,
                            pg_catalog.array_agg(part.oid) AS oids
                       FROM (SELECT x.indexrelid AS oid WHERE c.relkind = 'i'
                             UNION ALL
                             SELECT t.relid FROM pg_catalog.pg_partition_tree(x.indexrelid) AS t
                              WHERE c.relkind = 'I' AND t.isleaf) AS part) AS parts ON true
               LEFT JOIN LATERAL (SELECT * FROM index_advisor.history_verification AS v
                                   WHERE v.index = h.id ORDER BY v.id DESC LIMIT 1) AS v ON true
              WHERE h.server = {HERE} AND h.relation IN (SELECT relation FROM concerned)
              ORDER BY h.id"
        ),
        &[snapshot.into()],
        index,
    )
}

fn index(row: &SpiHeapTupleData<'_>) -> SpiResult<KnownIndex> {
    let now = Present {
        valid: row.flag("valid")?,
        building: row.flag("building")?,
        scans: row.number("scans")?,
        partitioned: row.flag("partitioned")?,
        needs_analyze: row.flag("needs_analyze")?,
        size_bytes: row.number("bytes")? as u64,
    };
    let last = row["verification"].value::<String>()?;
    let oids: Vec<pg_sys::Oid> = row.list("oids")?;
    Ok(KnownIndex {
        id: row.id("id")?,
        relation: row.text("relation")?,
        name: row.text("name")?,
        definition: row.text("definition")?,
        oids: oids.into_iter().map(|oid| oid.to_u32()).collect(),
        backs_constraint: row.flag("backs_constraint")?,
        absent: row["absent_snapshot"].value::<i64>()?,
        first: row["first_snapshot"].value::<i64>()?,
        gone: row["gone_snapshot"].value::<i64>()?,
        is_gone: row.flag("is_gone")?,
        created_at: row["created_at"].value::<f64>()?,
        now: row.flag("is_present")?.then_some(now),
        has_table: row.flag("has_table")?,
        // One that cannot be read any more is as good as none: it is only ever repeated.
        last: last.and_then(|text| serde_json::from_str(&text).ok()).map(Box::new),
    })
}

/// The counters in the history's tables.
struct Tables;

impl Archive for Tables {
    type Error = PgError;

    fn counters(&mut self, moments: &[i64], statements: &[i64]) -> Result<Counters, PgError> {
        let found = rows(
            "SELECT snapshot, statement, calls, total_ms, exec_ms, squares, rows, blocks_hit, blocks_read,
                    extract(epoch FROM since)::float8 AS since
               FROM index_advisor.history_counter WHERE snapshot = ANY ($1) AND statement = ANY ($2)",
            &[moments.to_vec().into(), statements.to_vec().into()],
            |row| {
                let counter = Counter {
                    calls: row.number("calls")?,
                    total_ms: row.number("total_ms")?,
                    exec_ms: row.number("exec_ms")?,
                    squares: row.number("squares")?,
                    rows: row.number("rows")?,
                    blocks_hit: row.number("blocks_hit")?,
                    blocks_read: row.number("blocks_read")?,
                    since: row["since"].value::<f64>()?,
                };
                Ok(((row.id("snapshot")?, row.id("statement")?), counter))
            },
        )?;
        Ok(found.into_iter().collect())
    }

    fn table_counters(
        &mut self,
        moments: &[i64],
        relation: &str,
    ) -> Result<BTreeMap<i64, TableCounter>, PgError> {
        let found = rows(
            "SELECT snapshot, inserted, updated, hot_updated, deleted
               FROM index_advisor.history_table_counter WHERE snapshot = ANY ($1) AND relation = $2",
            &[moments.to_vec().into(), relation.into()],
            |row| {
                let counter = TableCounter {
                    inserted: row.number("inserted")?,
                    updated: row.number("updated")?,
                    hot_updated: row.number("hot_updated")?,
                    deleted: row.number("deleted")?,
                };
                Ok((row.id("snapshot")?, counter))
            },
        )?;
        Ok(found.into_iter().collect())
    }
}
