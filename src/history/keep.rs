//! `Kept`: a run as the history keeps it, and what it changed.

use super::History;
use super::sql::{HERE, execute, json, rows, value};
use crate::pg::isolated::PgError;
use crate::pg::scalar::{self, Fields, read_rows};
use crate::report::past::{Changes, Past, WhyWithdrawn, Withdrawn};
use crate::report::{self, Report};
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use serde::Serialize;
use std::collections::BTreeSet;

/// A kept run.
pub struct Kept {
    pub run: i64,
    /// With what earlier runs add to it.
    pub report: Report,
}

/// A recommendation as the tables take it.
#[derive(Serialize)]
struct Advice<'a> {
    definition: String,
    relation: &'a str,
    rank: u32,
    ddl: &'a str,
    size_bytes: u64,
    saving: f64,
    saving_alone: f64,
    saving_ms_per_day: Option<f64>,
    write_ms_per_day: Option<f64>,
    reason: &'a str,
    effects: Vec<Effect>,
}

/// What a recommendation promises to a statement.
#[derive(Serialize)]
struct Effect {
    query_id: i64,
    cost_before: f64,
    cost_after: f64,
}

/// The relations of a statement, as a run found out.
#[derive(Serialize)]
struct Reads<'a> {
    query_id: i64,
    relations: &'a [String],
}

/// A recommendation of the run before.
struct Earlier {
    definition: String,
    ddl: String,
    why: WhyWithdrawn,
}

impl History {
    /// Keeps a run that `made_by` made, with the counters of `snapshot`.
    ///
    /// # Errors
    /// If the history cannot be written; then nothing of the run is kept.
    pub fn keep(
        &self,
        mut report: Report,
        snapshot: i64,
        made_by: &str,
        job: Option<&str>,
        settings: &serde_json::Value,
    ) -> Result<Kept, PgError> {
        let (verdicts, record) = self.verdicts()?;
        let verifications = super::visible(verdicts)?;
        self.owner.write(|| {
            let changes = changes(&report)?;
            let run = value::<i64>("SELECT pg_catalog.nextval('index_advisor.history_run_id_seq')", &[])?
                .unwrap_or_default();
            report.past = Some(Past { run, changes, verifications, record });
            insert_run(run, &report, snapshot, made_by, job, settings)?;
            insert_advice(run, &report)?;
            note_relations(&report, snapshot)?;
            Ok(Kept { run, report })
        })
    }
}

/// A kept run as it was reported, if the caller may see it: it is the caller's own, or the caller may read all statistics.
///
/// # Errors
/// If there is no such run, or none that the caller may see; if the history cannot be read.
pub fn report_of(run: i64, lock_timeout_ms: i32) -> Result<Report, PgError> {
    let missing = || {
        PgError::new(ERRCODE_NO_DATA_FOUND, format!("there is no run {run} that you may see"))
            .with_hint("The view index_advisor.runs has those that you may see.")
    };
    let kept = super::reading(lock_timeout_ms, || {
        read_rows(
            "SELECT made_by, report::text AS report FROM index_advisor.history_run WHERE id = $1",
            &[run.into()],
            |row| Ok((row["made_by"].value::<String>()?, row["report"].value::<String>()?)),
        )
    })?;
    let (made_by, report) = kept.and_then(|found| found.into_iter().next()).ok_or_else(missing)?;
    // Asked as the caller.
    let visible = scalar::look_up::<bool>(
        "SELECT index_advisor._may_see_runs_of($1)",
        &[made_by.unwrap_or_default().into()],
    )?;
    if visible != Some(true) {
        return Err(missing());
    }
    report::json::read(&report.unwrap_or_default()).map_err(|error| {
        PgError::new(ERRCODE_DATA_EXCEPTION, format!("the report of run {run} cannot be read: {error}"))
            .with_hint("It may have been altered, or kept by another version of the extension.")
    })
}

/// What differs from the run before; None for the first.
fn changes(report: &Report) -> Result<Option<Changes>, PgError> {
    let before = rows(
        "SELECT id, report ->> 'made_at' AS made_at FROM index_advisor.history_run ORDER BY id DESC LIMIT 1",
        &[],
        |row| Ok((row.id("id")?, row["made_at"].value::<String>()?)),
    )?;
    let Some((since_run, since)) = before.into_iter().next() else { return Ok(None) };
    let earlier = rows(
        "SELECT r.definition, a.ddl, i.id IS NOT NULL AND i.gone_seen IS NULL AS applied,
                r.dismissed_at IS NOT NULL AS dismissed
           FROM index_advisor.history_advice AS a
           JOIN index_advisor.history_recommendation AS r ON r.id = a.recommendation
           LEFT JOIN index_advisor.history_index AS i ON i.id = r.index
          WHERE a.run = $1 ORDER BY a.rank",
        &[since_run.into()],
        |row| {
            let why = match (row.flag("applied")?, row.flag("dismissed")?) {
                (true, _) => WhyWithdrawn::Applied,
                (false, true) => WhyWithdrawn::Dismissed,
                (false, false) => WhyWithdrawn::NoLongerPays,
            };
            Ok(Earlier { definition: row.text("definition")?, ddl: row.text("ddl")?, why })
        },
    )?;
    let then: BTreeSet<&str> = earlier.iter().map(|earlier| earlier.definition.as_str()).collect();
    let now: BTreeSet<String> = report.recommendations.iter().map(|advice| advice.identity()).collect();
    let new = report.recommendations.iter().filter(|advice| !then.contains(advice.identity().as_str()));
    let new: Vec<String> = new.map(|advice| advice.ddl.clone()).collect();
    let unchanged = now.len() - new.len();
    let withdrawn = earlier.into_iter().filter(|earlier| !now.contains(&earlier.definition));
    let withdrawn = withdrawn.map(|earlier| Withdrawn { ddl: earlier.ddl, why: earlier.why }).collect();
    Ok(Some(Changes { since_run, since: since.unwrap_or_default(), new, withdrawn, unchanged }))
}

fn insert_run(
    run: i64,
    report: &Report,
    snapshot: i64,
    made_by: &str,
    job: Option<&str>,
    settings: &serde_json::Value,
) -> Result<(), PgError> {
    let proven = report.certificate.total_before_ms > 0.0 && report.certificate.gap.is_finite();
    execute(
        "INSERT INTO index_advisor.history_run (id, snapshot, made_at, made_by, job, settings, window_seconds, coverage,
             statements, candidates, planner_calls, saving, size_bytes, gap, elapsed_ms, report)
         OVERRIDING SYSTEM VALUE
         VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4, $5::pg_catalog.jsonb, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                 $15::pg_catalog.jsonb)",
        &[
            run.into(),
            snapshot.into(),
            made_by.into(),
            job.into(),
            settings.to_string().into(),
            report.window_seconds.into(),
            report.coverage().into(),
            (report.statements.len() as i32).into(),
            (report.candidates as i32).into(),
            (report.search.planner_calls as i64).into(),
            report.saving().into(),
            (report.size_bytes() as i64).into(),
            proven.then_some(report.certificate.gap).into(),
            report.elapsed_ms.into(),
            json(report).into(),
        ],
    )?;
    Ok(())
}

fn insert_advice(run: i64, report: &Report) -> Result<(), PgError> {
    let advice: Vec<Advice<'_>> = report
        .recommendations
        .iter()
        .map(|advice| {
            let effects = advice.statements.iter().filter_map(|effect| {
                let query_id = report.examined(effect.statement)?.query_id?;
                Some(Effect { query_id, cost_before: effect.cost_before, cost_after: effect.cost_after })
            });
            Advice {
                definition: advice.identity(),
                relation: &advice.relation_name,
                rank: advice.rank,
                ddl: &advice.ddl,
                size_bytes: advice.size_bytes,
                saving: advice.saving,
                saving_alone: advice.saving_alone,
                saving_ms_per_day: advice.saving_ms_per_day,
                write_ms_per_day: advice.write_ms_per_day,
                reason: &advice.reason,
                effects: effects.collect(),
            }
        })
        .collect();
    let advice = json(&advice);
    let each = "pg_catalog.jsonb_to_recordset($2::pg_catalog.jsonb) AS a(definition text, relation text, rank integer, ddl text,
        size_bytes bigint, saving float8, saving_alone float8, saving_ms_per_day float8, write_ms_per_day float8,
        reason text, effects jsonb)";
    for statement in [
        format!(
            "INSERT INTO index_advisor.history_recommendation (definition, relation, first_run, first_seen, last_run, last_seen)
             SELECT a.definition, a.relation, $1, n.now, $1, n.now
               FROM {each} CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS now) AS n
              ORDER BY a.rank
             ON CONFLICT (definition) DO UPDATE SET last_run = excluded.last_run, last_seen = excluded.last_seen"
        ),
        format!(
            "INSERT INTO index_advisor.history_advice (run, recommendation, rank, ddl, size_bytes, saving, saving_alone,
                 saving_ms_per_day, write_ms_per_day, reason)
             SELECT $1, r.id, a.rank, a.ddl, a.size_bytes, a.saving, a.saving_alone, a.saving_ms_per_day,
                    a.write_ms_per_day, a.reason
               FROM {each} JOIN index_advisor.history_recommendation AS r ON r.definition = a.definition"
        ),
        // One query id may stand for statements of several roles; what is promised to it is promised to all.
        format!(
            "INSERT INTO index_advisor.history_effect (run, recommendation, query_id, cost_before, cost_after)
             SELECT $1, r.id, e.query_id, e.cost_before, e.cost_after
               FROM {each} JOIN index_advisor.history_recommendation AS r ON r.definition = a.definition
              CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(a.effects)
                    AS e(query_id bigint, cost_before float8, cost_after float8)
             ON CONFLICT DO NOTHING"
        ),
    ] {
        execute(&statement, &[run.into(), advice.as_str().into()])?;
    }
    Ok(())
}

/// Which relations statements read and write, for whoever looks for what an index concerns.
fn note_relations(report: &Report, snapshot: i64) -> Result<(), PgError> {
    let reads: Vec<Reads<'_>> = report
        .statements
        .iter()
        .filter(|statement| !statement.relations.is_empty())
        .filter_map(|statement| {
            Some(Reads { query_id: statement.query_id?, relations: &statement.relations })
        })
        .collect();
    execute(
        &format!(
            "UPDATE index_advisor.history_statement AS h SET relations = r.relations
               FROM pg_catalog.jsonb_to_recordset($2::pg_catalog.jsonb) AS r(query_id bigint, relations text[])
              WHERE h.query_id = r.query_id AND h.relations <> r.relations AND h.server = {HERE}"
        ),
        &[snapshot.into(), json(&reads).into()],
    )?;
    Ok(())
}
