//! `Ask`: what one statement wants of an index, before the free order of its equality columns is settled.
//!
//! Equality columns may stand in any order, so that statements can share indexes (AIM's partial orders, ICDE 2023);
//! the columns after them may not. Knows nothing of statements or weights.

use super::definition::{AccessMethod, Expression, IndexDefinition, Key, KeyPart, KeyTarget};
use crate::catalog::{AttrNumber, Oid};
use std::collections::BTreeMap;

/// An index wanted, but for the order of its equality columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub relation: Oid,
    /// Keys bound to single values or lists; in any order, before the tail.
    pub equal: Vec<KeyPart>,
    /// The keys after them: a range, an order.
    pub tail: Vec<Key>,
    /// Whether the directions of the tail matter (for a sort order), not only its columns.
    pub directed: bool,
    /// Included columns, ascending.
    pub include: Vec<AttrNumber>,
    pub predicate: Option<Expression>,
    /// The clauses that ask for it, in plain words.
    pub because: String,
}

impl Ask {
    /// The index for this ask with its equality columns in the order that `order` sorts them in.
    pub fn index(&self, order: impl Fn(&KeyPart, &KeyPart) -> std::cmp::Ordering) -> IndexDefinition {
        let mut equal = self.equal.clone();
        equal.sort_by(order);
        let tail = if self.directed { canonical_direction(&self.tail) } else { self.tail.clone() };
        IndexDefinition {
            relation: self.relation,
            access_method: AccessMethod::Btree,
            keys: equal.into_iter().map(Key::ascending).chain(tail).collect(),
            include: self.include.clone(),
            predicate: self.predicate.clone(),
            parameters: BTreeMap::new(),
        }
    }

    /// Whether an index gives all that is asked: the equality columns first in whatever order, then the tail.
    pub fn is_served_by(&self, index: &IndexDefinition) -> bool {
        let leading = self.equal.len();
        if self.relation != index.relation || index.keys.len() < leading + self.tail.len() {
            return false;
        }
        let (first, rest) = index.keys.split_at(leading);
        let bound = self.equal.iter().all(|part| first.iter().any(|key| key.part.compares_like(part)));
        let pairs = || self.tail.iter().zip(rest);
        let in_order = if self.directed {
            pairs().all(|(a, b)| a.sorts_like(b)) || pairs().all(|(a, b)| a.sorts_like(&b.reversed()))
        } else {
            pairs().all(|(a, b)| a.part.compares_like(&b.part))
        };
        let own = self.index(KeyPart::cmp);
        bound
            && in_order
            && self.include.iter().all(|column| index.stores(*column))
            && own.predicate_is_served_by(index)
    }

    /// Whether two asks differ in nothing but their words and the order of their equality columns.
    pub fn wants_the_same(&self, other: &Ask) -> bool {
        let sorted = |ask: &Ask| ask.index(KeyPart::cmp);
        self.equal.len() == other.equal.len()
            && self.directed == other.directed
            && sorted(self) == sorted(other)
    }

    /// Columns whose plain value the index would store as a key.
    pub fn key_columns(&self) -> impl Iterator<Item = AttrNumber> + '_ {
        self.parts().filter_map(|part| match part.target {
            KeyTarget::Column(number) => Some(number),
            KeyTarget::Expression(_) => None,
        })
    }

    pub fn parts(&self) -> impl Iterator<Item = &KeyPart> {
        self.equal.iter().chain(self.tail.iter().map(|key| &key.part))
    }
}

/// An order and its reverse are one index; the one with fewer departures from ASC NULLS LAST is written, or, of equal
/// ones, the one whose first key ascends.
pub(super) fn canonical_direction(keys: &[Key]) -> Vec<Key> {
    let reversed: Vec<Key> = keys.iter().map(Key::reversed).collect();
    // DESC NULLS FIRST is what plain DESC means: one departure; NULLS against the default is one more.
    let departures = |keys: &[Key]| -> usize {
        let of = |key: &Key| usize::from(key.descending) + usize::from(key.descending != key.nulls_first);
        keys.iter().map(of).sum()
    };
    let descends = |keys: &[Key]| keys.first().is_some_and(|key| key.descending);
    if (departures(&reversed), descends(&reversed)) < (departures(keys), descends(keys)) {
        reversed
    } else {
        keys.to_vec()
    }
}
