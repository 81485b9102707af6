//! `WriteCost`: what an index costs the statements that write its table, in planner cost units a day.
//!
//! PostgreSQL's planner does not cost index maintenance; this is a model of it in the planner's currency. It charges an index
//! with the work that exists because of that index only, never with the write itself.

use super::size::SizeEstimate;
use crate::candidate::definition::{IndexDefinition, KeyTarget};
use crate::catalog::{AttrNumber, Relation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

/// How often the rows of one relation are written, rows a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WriteRate {
    pub inserts: f64,
    pub updates: f64,
    pub deletes: f64,
    /// What is known of the updates by statement; updates beyond their sum are of unknown columns.
    pub statements: Vec<UpdateRate>,
}

/// One UPDATE statement of the workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdateRate {
    /// Rows updated a day.
    pub rows: f64,
    /// Columns it assigns.
    pub columns: BTreeSet<AttrNumber>,
}

/// The server's planner cost constants, by their settings' names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostUnits {
    pub cpu_operator_cost: f64,
    pub cpu_index_tuple_cost: f64,
    pub random_page_cost: f64,
    pub seq_page_cost: f64,
    /// `effective_cache_size`, bytes.
    pub cache_bytes: f64,
}

impl Default for CostUnits {
    /// PostgreSQL's defaults (`cost.h`).
    fn default() -> Self {
        CostUnits {
            cpu_operator_cost: 0.0025,
            cpu_index_tuple_cost: 0.005,
            random_page_cost: 4.0,
            seq_page_cost: 1.0,
            cache_bytes: 4.0 * 1024.0 * 1024.0 * 1024.0,
        }
    }
}

/// What an index costs the writers of its relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WriteCost {
    /// Planner cost units a day, with what `hot_loss` adds to the other indexes.
    pub per_day: f64,
    /// Share of all updated rows that would stop being HOT updates, 0 to 1.
    pub hot_loss: f64,
}

/// CPU charge for visiting a btree page, in operators (`DEFAULT_PAGE_CPU_MULTIPLIER` of `selfuncs.c`).
const PAGE_CPU_MULTIPLIER: f64 = 50.0;
/// Checkpoints a day at the default `checkpoint_timeout` of five minutes.
const CHECKPOINTS: f64 = 288.0;
/// Defaults of `autovacuum_vacuum_threshold` and `autovacuum_vacuum_scale_factor`.
const VACUUM_THRESHOLD: f64 = 50.0;
const VACUUM_SCALE: f64 = 0.2;
/// From this correlation of a column with the physical order on, its new values are taken to come in key order.
const APPENDING_CORRELATION: f64 = 0.95;
/// Downlinks in an internal page of a narrow key, to guess the height of an existing index from its size.
const FANOUT: f64 = 285.0;

/// The write cost of the index that `definition` describes and `size` measures.
///
/// The sum of three parts, each 0 when nothing is written:
///
/// 1. *New entries*: rows inserted, and row versions of updates that are not HOT, times the share of rows in the index. An
///    entry costs the descent, `ceil(log2 N) * cpu_operator_cost + 50 * (height + 1) * cpu_operator_cost` (as
///    `btcostestimate`), `cpu_index_tuple_cost`, and `random_page_cost` for the share of leaf pages out of cache (cache shared
///    among heap and indexes by size, as `index_pages_fetched` in `costsize.c`). A leaf page first changed after a checkpoint
///    is logged whole and written back: `2 * seq_page_cost`. New entries in key order share pages and find them cached.
/// 2. *Vacuum*: each 50 + 20 % dead rows, all pages are read and all entries checked (`lazy_vacuum`, `btvacuumscan`).
/// 3. *Lost HOT updates*: an update that sets a column of this index and of no existing one was HOT at the measured ratio; it
///    now also adds an entry to every existing index, and a dead row that vacuum must look for in each.
pub fn write_cost(
    definition: &IndexDefinition,
    size: &SizeEstimate,
    relation: &Relation,
    rate: &WriteRate,
    units: &CostUnits,
) -> WriteCost {
    let updates = Updates::of(definition, relation, rate);
    let block = f64::from(size.block_size);
    let existing: f64 = relation.indexes.iter().map(|index| index.size_bytes as f64).sum();
    let all_bytes = relation.pages * block + existing + size.bytes();
    let missing = (1.0 - units.cache_bytes / all_bytes.max(1.0)).clamp(0.0, 1.0);
    let share = (size.tuples / relation.tuples.max(1.0)).clamp(0.0, 1.0);

    let tree = Tree {
        pages: size.pages,
        tuples: size.tuples,
        height: f64::from(size.tree_height.unwrap_or(0)),
        appending: appends(definition, relation),
    };
    let dead = rate.deletes.max(0.0) + updates.not_hot;
    let mut per_day = tree.entries((rate.inserts.max(0.0) + updates.not_hot) * share, missing, units)
        + tree.vacuums(dead, relation.tuples, units);
    if updates.lost > 0.0 {
        for index in &relation.indexes {
            let tree = Tree::existing(index.size_bytes as f64 / block, relation.tuples);
            per_day += tree.entries(updates.lost, missing, units)
                + tree.vacuums(updates.lost, relation.tuples, units);
        }
    }
    WriteCost { per_day, hot_loss: if updates.all > 0.0 { updates.lost / updates.all } else { 0.0 } }
}

/// The columns whose change makes an index need a new entry: key, included, in an expression or the predicate.
pub fn indexed_columns(definition: &IndexDefinition) -> BTreeSet<AttrNumber> {
    let keys = definition.keys.iter().flat_map(|key| key.part.target.columns());
    let predicate = definition.predicate.iter().flat_map(|expression| expression.columns.iter());
    keys.chain(&definition.include).chain(predicate).copied().collect()
}

/// Updated rows a day, with the new index in place.
struct Updates {
    all: f64,
    /// Not HOT: a new entry in the new index, if its predicate holds.
    not_hot: f64,
    /// Not HOT because of the new index only.
    lost: f64,
}

impl Updates {
    fn of(definition: &IndexDefinition, relation: &Relation, rate: &WriteRate) -> Updates {
        let indexed_now: BTreeSet<AttrNumber> = relation
            .indexes
            .iter()
            .filter_map(|index| index.definition.as_ref())
            .flat_map(indexed_columns)
            .collect();
        let indexed_new = indexed_columns(definition);
        let known: f64 = rate.statements.iter().map(|statement| statement.rows.max(0.0)).sum();
        let unknown = (rate.updates - known).max(0.0);
        let eligible: f64 = rate
            .statements
            .iter()
            .filter(|statement| statement.columns.is_disjoint(&indexed_now))
            .map(|statement| statement.rows.max(0.0))
            .sum();

        // Without counters, an update that may be HOT is taken to be.
        let activity = &relation.activity;
        let hot_ratio = if activity.updated > 0.0 {
            (activity.hot_updated / activity.updated).clamp(0.0, 1.0)
        } else {
            1.0
        };
        // The table's HOT updates are all among the eligible ones.
        let hot_eligible = if eligible > 0.0 { (hot_ratio * known / eligible).min(1.0) } else { 0.0 };

        let mut updates = Updates { all: known + unknown, not_hot: (1.0 - hot_ratio) * unknown, lost: 0.0 };
        for UpdateRate { rows, columns } in &rate.statements {
            let rows = rows.max(0.0);
            if !columns.is_disjoint(&indexed_now) {
                updates.not_hot += rows;
            } else if !columns.is_disjoint(&indexed_new) {
                updates.not_hot += rows;
                updates.lost += rows * hot_eligible;
            } else {
                updates.not_hot += rows * (1.0 - hot_eligible);
            }
        }
        updates
    }
}

/// An index as far as its maintenance is concerned.
struct Tree {
    pages: f64,
    tuples: f64,
    height: f64,
    /// New entries come in key order.
    appending: bool,
}

impl Tree {
    fn existing(pages: f64, tuples: f64) -> Tree {
        let height = (pages.max(1.0).ln() / FANOUT.ln()).ceil();
        Tree { pages, tuples, height, appending: false }
    }

    /// Cost of adding `count` entries a day.
    fn entries(&self, count: f64, missing: f64, units: &CostUnits) -> f64 {
        let comparisons = self.tuples.max(1.0).log2().ceil();
        let descent = (comparisons + PAGE_CPU_MULTIPLIER * (self.height + 1.0)) * units.cpu_operator_cost;
        let read = if self.appending { 0.0 } else { missing * units.random_page_cost };
        let pages = self.pages.max(1.0);
        let at_once = count / CHECKPOINTS;
        let changed = if self.appending {
            at_once * pages / self.tuples.max(pages)
        } else {
            // Entries spread over the pages at random; some meet on one page.
            pages * -(-at_once / pages).exp_m1()
        };
        count * (descent + units.cpu_index_tuple_cost + read)
            + CHECKPOINTS * changed * 2.0 * units.seq_page_cost
    }

    /// Cost of the vacuums that `dead` rows a day bring about in a table of `rows` rows.
    fn vacuums(&self, dead: f64, rows: f64, units: &CostUnits) -> f64 {
        let vacuums = dead / (VACUUM_THRESHOLD + VACUUM_SCALE * rows.max(0.0));
        vacuums * (self.pages * units.seq_page_cost + self.tuples * units.cpu_operator_cost)
    }
}

/// Whether new rows come in the order of the first key.
fn appends(definition: &IndexDefinition, relation: &Relation) -> bool {
    let Some(KeyTarget::Column(number)) = definition.keys.first().map(|key| &key.part.target) else {
        return false;
    };
    let statistics = relation.column(*number).and_then(|column| column.statistics.as_ref());
    statistics.is_some_and(|statistics| statistics.correlation.abs() >= APPENDING_CORRELATION)
}
