//! The previous recommendation, as the caller brings it along: CREATE INDEX statements that selection may stay with.
//!
//! What of it can no longer be followed is left out with a note; only a text that is no CREATE INDEX is an error.

use crate::candidate::definition::IndexDefinition;
use crate::candidate::pool::exists;
use crate::candidate::{Candidate, Options};
use crate::catalog::Catalog;
use crate::cost::CandidateId;
use crate::pg::create_index;
use crate::pg::isolated::PgError;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use std::collections::BTreeSet;

/// What of a previous recommendation still stands.
#[derive(Clone, Debug, Default)]
pub struct Previous {
    /// What its indexes are, each once.
    definitions: BTreeSet<IndexDefinition>,
    /// What was left out, and why, for people.
    pub notes: Vec<String>,
}

impl Previous {
    /// Reads statements as `recommend()` gives them in its column `ddl`.
    ///
    /// # Errors
    /// A text that is no CREATE INDEX.
    pub fn read(
        statements: &[String],
        catalog: &Catalog,
        options: &Options,
        lock_timeout_ms: i32,
    ) -> Result<Previous, PgError> {
        let mut previous = Previous::default();
        for statement in statements {
            pgrx::check_for_interrupts!();
            let script = match create_index::read(statement, lock_timeout_ms) {
                Ok(script) => script,
                Err(error) if error.code == ERRCODE_SYNTAX_ERROR => return Err(error),
                // The table, a column or an operator class is gone, or not for the caller any more.
                Err(error) => {
                    previous.leave_out(statement, &error.message);
                    continue;
                }
            };
            if script.indexes.is_empty() || !script.others.is_empty() {
                let message = format!("previous holds a statement that is no CREATE INDEX: {statement}");
                return Err(PgError::new(ERRCODE_INVALID_PARAMETER_VALUE, message)
                    .with_hint("Give the column ddl of an earlier recommend()."));
            }
            for index in script.indexes {
                let obstacle = if index.unique {
                    Some("a unique index is never recommended")
                } else if !catalog.relations.contains_key(&index.definition.relation) {
                    Some("no examined statement uses its table")
                } else if exists(&index.definition, catalog) {
                    Some("an index that does its work exists")
                } else if !options.allow(&index.definition) {
                    Some("the settings do not allow it")
                } else {
                    None
                };
                match obstacle {
                    Some(obstacle) => previous.leave_out(statement, obstacle),
                    None => {
                        previous.definitions.insert(index.definition);
                    }
                }
            }
        }
        Ok(previous)
    }

    fn leave_out(&mut self, statement: &str, why: &str) {
        self.notes.push(format!("previous index left out: {statement}: {why}"));
    }

    /// The pool with those that nothing asks for now, in the pool's order.
    pub fn added_to(&mut self, mut pool: Vec<Candidate>, catalog: &Catalog) -> Vec<Candidate> {
        let ddl = |definition: &IndexDefinition| catalog.create_statement(definition, false);
        let mut known = BTreeSet::new();
        for definition in &self.definitions {
            // What reads alike is alike, whatever the parser made of it.
            let same = |candidate: &&Candidate| {
                candidate.definition.relation == definition.relation
                    && (candidate.definition == *definition || ddl(&candidate.definition) == ddl(definition))
            };
            known.insert(match pool.iter().find(same) {
                Some(candidate) => candidate.definition.clone(),
                None => {
                    pool.push(Candidate { definition: definition.clone(), origins: Vec::new() });
                    definition.clone()
                }
            });
        }
        self.definitions = known;
        pool.sort_by(|a, b| a.definition.cmp(&b.definition));
        pool
    }

    /// Its candidates, ascending. What no size could be told for is not among them.
    pub fn candidates(&self, pool: &[Candidate]) -> Vec<CandidateId> {
        (0..pool.len()).filter(|id| self.definitions.contains(&pool[*id].definition)).collect()
    }
}
