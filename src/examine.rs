//! Examination: every statement of a workload becomes one that the planner has planned, or is left out with a reason.

use crate::pg::analyze::{Analysed, analyse};
use crate::pg::identity::Identity;
use crate::pg::isolated::PgError;
use crate::settings::Settings;
use crate::source::pg_stat_statements::is_hidden;
use crate::statement::{self, LeftOut};
use crate::workload::{Role, Statement, Workload};
use std::collections::BTreeMap;
use std::time::Instant;

/// What became of one statement of the workload, in its order.
pub type Examination = Result<Box<Analysed>, LeftOut>;

/// Examines the heaviest statements up to the cover and number that the settings ask for.
///
/// # Errors
/// Only what concerns the whole run: a cancel, or a catalog that cannot be read.
pub fn examine(
    workload: &Workload,
    settings: &Settings,
    deadline: Option<Instant>,
) -> Result<Vec<Examination>, PgError> {
    let total: f64 = workload.statements.iter().map(|statement| statement.total_ms).sum();
    let mut identities = Identities { known: BTreeMap::new(), lock_timeout_ms: settings.lock_timeout_ms };
    let (mut seen_ms, mut planned) = (0.0, 0);
    let mut outcomes = Vec::with_capacity(workload.statements.len());
    for statement in &workload.statements {
        pgrx::check_for_interrupts!();
        let outcome = if seen_ms > settings.cover * total && planned > 0 {
            Err(LeftOut::BeyondCover { cover: (settings.cover * 100.0) as u32 })
        } else if planned >= settings.max_statements {
            Err(LeftOut::BeyondCount { limit: settings.max_statements as u32 })
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Err(LeftOut::OutOfTime)
        } else {
            examine_one(statement, settings, &mut identities)?
        };
        seen_ms += statement.total_ms;
        planned += usize::from(outcome.is_ok());
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn examine_one(
    statement: &Statement,
    settings: &Settings,
    identities: &mut Identities,
) -> Result<Examination, PgError> {
    if is_hidden(statement) {
        let role = statement.role.name.clone().unwrap_or_else(|| "that ran it".to_string());
        return Ok(Err(LeftOut::HiddenText { role }));
    }
    let reading = match statement::read(&statement.text, settings.max_statement_length) {
        Ok(reading) => reading,
        Err(reason) => return Ok(Err(reason)),
    };
    let identity = identities.of(&statement.role)?;
    Ok(analyse(&reading, &identity, statement.rows_per_call()).map(Box::new))
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
