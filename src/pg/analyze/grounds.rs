//! What the estimates of a statement rest on beside the catalog: statistics from a sample of rows, and how the rows lie.
//!
//! Only lets the statement be planned anew; samples nothing.

use super::Analysed;
use crate::catalog::Oid;
use crate::pg::clause;
use crate::pg::expression_statistics::ExpressionStatistics;
use crate::pg::facts::Collector;
use crate::pg::hook::Configuration;
use crate::pg::identity::Identity;
use crate::pg::isolated::{PgError, isolated};
use crate::pg::storage::Storage;
use std::rc::Rc;
use std::time::Instant;

impl Analysed {
    /// Lets every plan from now on rest on `statistics`, with an index on the expressions and without; facts and plan are
    /// made anew.
    ///
    /// # Errors
    /// Why it can no longer be planned; then nothing is changed.
    pub fn estimate_with(&mut self, statistics: Vec<Rc<ExpressionStatistics>>) -> Result<(), PgError> {
        let storage = self.storage.clone();
        let configuration = Configuration::resting_on(&[], &[], &statistics, Some(&*storage));
        let started = Instant::now();
        let planned = self.on_locked_trees(|trees, made_anew| {
            let mut collector = Collector::default();
            // As the first time, facts come from the generic plan.
            trees.plan(std::ptr::null_mut(), &configuration, Some(&mut collector), made_anew);
            (collector, trees.plan(trees.bound, &configuration, None, false))
        });
        self.planner_time += started.elapsed();
        let (mut collector, before) = planned?;
        isolated(Some(&Identity::reader()), || clause::qualify(&mut collector.facts))?;
        self.facts = collector.facts;
        self.before = before;
        self.statistics = statistics;
        Ok(())
    }

    /// Lets every cost in memory from now on rest on how rows lie in the tables, and on how much of them shared buffers hold.
    ///
    /// # Errors
    /// Why it can no longer be planned; then nothing is changed.
    pub fn see(&mut self, storage: Rc<Storage>) -> Result<(), PgError> {
        let before = std::mem::replace(&mut self.storage, storage);
        let told = |relation: &Oid| self.storage.tells_of(*relation);
        // Without an index, nothing is visited row by row.
        if self.before.indexes.is_empty() || !self.facts.relations().any(|relation| told(&relation)) {
            self.before.count_reads(self.storage.buffers());
            return Ok(());
        }
        match self.plan(&[], &[]) {
            Ok(planned) => {
                self.before = planned;
                Ok(())
            }
            Err(error) => {
                self.storage = before;
                Err(error)
            }
        }
    }
}
