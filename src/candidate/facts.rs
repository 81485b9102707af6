//! `StatementFacts`: what one statement needs from each relation it reads, as the planner's own structures say.
//!
//! Made by `pg::facts` from one planning pass; read by candidate generation. Holds no pointer and no parameter value.

use super::definition::{Expression, KeyPart};
use super::relevance::is_not_null_test;
use crate::catalog::{AttrNumber, Oid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What one statement reads and writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StatementFacts {
    /// One entry for each range table entry that is a plain relation, in planning order.
    pub relations: Vec<RelationUse>,
    /// The relation written, if any.
    pub write: Option<WriteTarget>,
}

impl StatementFacts {
    /// The relations that it reads or writes; one may come several times.
    pub fn relations(&self) -> impl Iterator<Item = Oid> {
        let read = self.relations.iter().map(|usage| usage.relation);
        read.chain(self.write.iter().map(|write| write.relation))
    }
}

/// One base relation of a statement: how it is restricted, joined, ordered and read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelationUse {
    /// The relation that an index would be created on: the one the statement names, so the parent of the partitions.
    pub relation: Oid,
    /// The planner's estimate of the relation's rows before restriction.
    pub tuples: f64,
    /// The planner's estimate of the rows left by the restrictions.
    pub rows: f64,
    /// Restrictions that all hold (the top-level AND), indexable ones only.
    pub restrictions: Vec<Clause>,
    /// For each OR among the restrictions, its arms, each a conjunction of indexable clauses.
    /// An OR is listed only when every arm has at least one.
    pub alternatives: Vec<Vec<Vec<Clause>>>,
    /// Equality joins to other relations, from equivalence classes and from outer-join clauses.
    pub joins: Vec<JoinClause>,
    /// Sort orders that would save a sort, grouping or de-duplication step above, longest first.
    pub orders: Vec<Order>,
    /// Columns that any condition, join or order speaks of, whether an index can serve it or not: of a key on another column there is
    /// nothing to be had but its value.
    pub compared: BTreeSet<AttrNumber>,
    /// Columns that must come out of the scan or be checked in it; None when an index cannot supply them all
    /// (whole-row reference, system column).
    pub needed: Option<BTreeSet<AttrNumber>>,
    /// Restrictions on known constants that a partial index could take as its predicate.
    pub predicates: Vec<PredicateClause>,
}

impl RelationUse {
    /// Every key that a restriction, an arm of an OR, or a join compares.
    pub fn keys_compared(&self) -> impl Iterator<Item = &KeyPart> {
        let arms = self.alternatives.iter().flatten().flatten();
        let clauses = self.restrictions.iter().chain(arms).map(|clause| &clause.key);
        clauses.chain(self.joins.iter().map(|join| &join.key))
    }

    /// Every key of the orders.
    pub fn keys_ordered(&self) -> impl Iterator<Item = &KeyPart> {
        self.orders.iter().flat_map(|order| &order.keys).map(|key| &key.part)
    }

    /// Every key that is compared or ordered, to be changed.
    pub fn key_parts_mut(&mut self) -> impl Iterator<Item = &mut KeyPart> {
        let arms = self.alternatives.iter_mut().flatten().flatten();
        let clauses = self.restrictions.iter_mut().chain(arms).map(|clause| &mut clause.key);
        let orders = self.orders.iter_mut().flat_map(|order| &mut order.keys).map(|key| &mut key.part);
        clauses.chain(self.joins.iter_mut().map(|join| &mut join.key)).chain(orders)
    }
}

/// How an index on the key would serve a restriction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClauseKind {
    /// `key = value`, a boolean column, or `key IS NOT DISTINCT FROM` where indexable.
    Equality,
    /// `key = ANY (array)` or `key IN (list)`.
    AnyOf,
    IsNull,
    /// `<`, `<=`, `>`, `>=`, and the first column of a row comparison.
    Range,
    /// `LIKE 'constant%'`, an anchored regular expression, `starts_with`.
    Prefix,
}

/// A restriction that an index on `key` can serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clause {
    pub key: KeyPart,
    pub kind: ClauseKind,
    /// The planner's selectivity estimate, 0 to 1.
    pub selectivity: f64,
    /// The clause deparsed, for explanations; parameters as `$n`.
    pub sql: String,
}

/// `key = something of other relations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinClause {
    pub key: KeyPart,
    /// The relation on the other side; 0 if it is not one plain relation.
    pub other: Oid,
    /// Clauses with the same class hold or fail together (one equivalence class), so one of them suffices.
    pub class: u32,
    pub sql: String,
}

/// What a sorted input would be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPurpose {
    Sort,
    Group,
    Distinct,
    Window,
    /// The first or last value for a `min()` or `max()`.
    Extremum,
}

/// An order of one relation's rows that would spare a sort.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub purpose: OrderPurpose,
    pub keys: Vec<OrderKey>,
    /// Whether the keys give the whole order asked for, not only its first part.
    pub complete: bool,
    /// Whether a LIMIT stands above, so that reading in order can stop early.
    pub limited: bool,
}

/// One key of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderKey {
    pub part: KeyPart,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A restriction whose every value is written in the statement (or its view or function), fit for a predicate; or several of
/// them together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PredicateClause {
    pub expression: Expression,
    /// The share of the rows that it keeps, 0 to 1: the planner's estimate, or counted in a sample.
    pub selectivity: f64,
    /// Columns of which it alone says what there is to say: no key is needed for them where it holds.
    pub decides: BTreeSet<AttrNumber>,
    /// Columns that the statement needs for nothing else: an index with this predicate answers without them.
    pub spared: BTreeSet<AttrNumber>,
}

impl PredicateClause {
    /// A single restriction, before it is known which columns it spares.
    pub fn of(expression: Expression, selectivity: f64) -> PredicateClause {
        let decided = expression.columns.len() == 1 && !is_not_null_test(&expression);
        let decides = expression.columns.iter().copied().filter(|_| decided).collect();
        PredicateClause { expression, selectivity, decides, spared: BTreeSet::new() }
    }

    /// Whether it speaks of columns together, which the planner knows nothing of: sampled or not at all.
    pub fn is_joint(&self) -> bool {
        self.expression.columns.len() > 1
    }
}

/// What a statement does to the relation that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    Insert,
    Update,
    Delete,
    /// INSERT ... ON CONFLICT DO UPDATE, and MERGE: any of the three may happen.
    Merge,
}

/// The relation that a statement writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WriteTarget {
    /// The topmost parent for a partition.
    pub relation: Oid,
    pub kind: WriteKind,
    /// Columns assigned by an UPDATE (or the UPDATE action of a MERGE or ON CONFLICT).
    pub updated: BTreeSet<AttrNumber>,
}
