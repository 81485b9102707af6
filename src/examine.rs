//! Examination: every statement of a workload becomes one that the planner has planned, or is left out with a reason.

use crate::candidate::facts::StatementFacts;
use crate::catalog::Catalog;
use crate::cost::model::{CostModel, Measured};
use crate::cost::{PlanCost, StatementId};
use crate::pg::analyze::{Analysed, analyse};
use crate::pg::identity::Identity;
use crate::pg::isolated::PgError;
use crate::pg::progress;
use crate::pg::storage::Storage;
use crate::report::{ExaminedStatement, Outcome};
use crate::selection::{CutShort, Problem, Selection};
use crate::settings::Settings;
use crate::source::pg_stat_statements::is_hidden;
use crate::statement::{self, LeftOut};
use crate::workload::{Role, Statement, Workload};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

/// A workload after examination.
pub struct Examination {
    /// The statements that can be planned, heaviest first; their positions are the run's statement ids.
    pub examined: Vec<Analysed>,
    /// For each statement of the workload, where it went.
    outcomes: Vec<Result<StatementId, LeftOut>>,
}

/// Examines the heaviest statements up to the cover and number that the settings ask for.
///
/// # Errors
/// Only what concerns the whole run: a cancel, or a catalog that cannot be read.
pub fn examine(
    workload: &Workload,
    settings: &Settings,
    deadline: Option<Instant>,
) -> Result<Examination, PgError> {
    let total: f64 = workload.statements.iter().map(|statement| statement.total_ms).sum();
    let mut identities = Identities { known: BTreeMap::new(), lock_timeout_ms: settings.lock_timeout_ms };
    let mut seen_ms = 0.0;
    let mut examined = Vec::new();
    let mut outcomes = Vec::with_capacity(workload.statements.len());
    for statement in &workload.statements {
        pgrx::check_for_interrupts!();
        progress::step();
        // What writers do to a table decides what an index on it costs, however little time they take themselves.
        let beyond_cover = seen_ms > settings.cover * total && !statement::begins_as_writer(&statement.text);
        let outcome = if beyond_cover {
            Err(LeftOut::BeyondCover { cover: (settings.cover * 100.0).round() as u32 })
        } else if examined.len() >= settings.max_statements {
            Err(LeftOut::BeyondCount { limit: settings.max_statements as u32 })
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Err(LeftOut::OutOfTime)
        } else {
            examine_one(statement, settings, &mut identities)?
        };
        seen_ms += statement.total_ms;
        outcomes.push(outcome.map(|analysed| {
            examined.push(analysed);
            examined.len() - 1
        }));
    }
    Ok(Examination { examined, outcomes })
}

fn examine_one(
    statement: &Statement,
    settings: &Settings,
    identities: &mut Identities,
) -> Result<Result<Analysed, LeftOut>, PgError> {
    if is_hidden(statement) {
        let role = statement.role.name.clone().unwrap_or_else(|| "the role that ran it".to_string());
        return Ok(Err(LeftOut::HiddenText { role }));
    }
    let reading = match statement::read(&statement.text, settings.max_statement_length) {
        Ok(reading) => reading,
        Err(reason) => return Ok(Err(reason)),
    };
    let identity = identities.of(&statement.role)?;
    Ok(analyse(&reading, &identity, statement.rows_per_call()))
}

impl Examination {
    /// The examined statements with what was measured of them, by statement id.
    pub fn measured<'a>(&'a self, workload: &'a Workload) -> Vec<Measured<'a>> {
        workload
            .statements
            .iter()
            .zip(&self.outcomes)
            .filter_map(|(statement, outcome)| {
                let analysed = &self.examined[*outcome.as_ref().ok()?];
                Some(Measured { statement, facts: &analysed.facts, before: analysed.before_cost() })
            })
            .collect()
    }

    /// Lets costs in memory rest on how rows lie in the tables; those of the statements that `until` leaves no time for stay as they are.
    pub fn see(&mut self, storage: Storage, until: Option<Instant>) {
        let storage = Rc::new(storage);
        for analysed in &mut self.examined {
            pgrx::check_for_interrupts!();
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            // What can no longer be planned is noticed, and said, when it is planned with an index.
            let _ = analysed.see(storage.clone());
        }
    }

    /// What each examined statement needs, weighted by its time.
    pub fn facts(&self, model: &CostModel) -> Vec<(StatementId, f64, &StatementFacts)> {
        let statements = self.examined.iter().enumerate();
        statements
            .map(|(id, analysed)| (id, model.weight(id) * analysed.before.total, &analysed.facts))
            .collect()
    }

    fn notes(&self, id: StatementId, selection: &Selection) -> Vec<String> {
        let cut_short = selection.search.cut_short.iter().filter(|cut| cut.statement == id);
        let notes = self.examined[id].notes.iter().cloned();
        notes.chain(cut_short.map(|_| CutShort::NOTE.to_string())).collect()
    }

    fn relations(&self, id: StatementId, catalog: &Catalog) -> Vec<String> {
        let facts = &self.examined[id].facts;
        let named: BTreeSet<&str> = facts
            .relations()
            .filter_map(|oid| Some(catalog.relations.get(&oid)?.sql_name.as_str()))
            .collect();
        named.into_iter().map(str::to_string).collect()
    }

    /// Every statement of the workload with its outcome, for the report.
    pub fn report(
        &self,
        workload: &Workload,
        problem: &Problem,
        selection: &Selection,
        catalog: &Catalog,
    ) -> Vec<ExaminedStatement> {
        let total: f64 = workload.statements.iter().map(|statement| statement.total_ms).sum();
        let after: BTreeMap<StatementId, (&PlanCost, f64)> = problem
            .statements
            .iter()
            .zip(&selection.after)
            .map(|(statement, plan)| (statement.id, (plan, statement.slowdown(plan))))
            .collect();
        let statements = workload.statements.iter().zip(&self.outcomes);
        statements
            .map(|(statement, outcome)| ExaminedStatement {
                query_id: statement.query_id,
                role: statement.role.name.clone(),
                text: statement.text.clone(),
                calls: statement.calls,
                total_ms: statement.total_ms,
                share: if total > 0.0 { statement.total_ms / total } else { 0.0 },
                relations: outcome.as_ref().map_or_else(|_| Vec::new(), |id| self.relations(*id, catalog)),
                notes: outcome.as_ref().map_or_else(|_| Vec::new(), |id| self.notes(*id, selection)),
                outcome: match outcome {
                    Ok(id) => {
                        let cost_before = self.examined[*id].before.total;
                        let (cost_after, slowdown) = after
                            .get(id)
                            .map_or((cost_before, 0.0), |(cost, slowdown)| (cost.total, *slowdown));
                        Outcome::Examined { id: *id, cost_before, cost_after, slowdown }
                    }
                    Err(reason) => Outcome::LeftOut { reason: reason.clone() },
                },
            })
            .collect()
    }
}

/// The identities of the workload's roles, each looked up once.
struct Identities {
    known: BTreeMap<Role, Identity>,
    lock_timeout_ms: i32,
}

impl Identities {
    fn of(&mut self, role: &Role) -> Result<Identity, PgError> {
        if let Some(identity) = self.known.get(role) {
            return Ok(identity.clone());
        }
        let identity = Identity::of(role, self.lock_timeout_ms)?;
        self.known.insert(role.clone(), identity.clone());
        Ok(identity)
    }
}
