//! Merging: indexes that serve two statements at once, and which candidates can stand in for which.
//!
//! Makes definitions only; whether a merge pays is for selection to say.

use super::definition::{IndexDefinition, Key};
use super::generate::Options;
use super::pool::Candidate;
use super::width::{column_width, copies_the_table};
use crate::catalog::{AttrNumber, Relation};
use crate::cost::CandidateId;
use std::collections::BTreeSet;

/// The indexes that do the work of both `a` and `b`: the keys of one followed by those that the other adds, with the
/// included columns of both.
///
/// Only indexes of one relation with the same predicate that begin alike are merged; with nothing in common the
/// second would only ride along as a filter. Merges that break a limit are left out.
pub fn merge(
    a: &IndexDefinition,
    b: &IndexDefinition,
    relation: &Relation,
    options: &Options,
) -> Vec<IndexDefinition> {
    let alike = a.relation == b.relation && a.access_method == b.access_method && a.predicate == b.predicate;
    let common = a.keys.iter().zip(&b.keys).take_while(|(a, b)| a.sorts_like(b)).count();
    if !alike || common == 0 {
        return Vec::new();
    }
    let mut merges: Vec<IndexDefinition> =
        [(a, b), (b, a)].into_iter().map(|(first, second)| joined(first, second)).collect();
    merges.dedup();
    let known_copy = |merge: &IndexDefinition| merge.include == a.include || merge.include == b.include;
    merges.retain(|merge| {
        merge != a
            && merge != b
            && within_limits(merge, relation, options)
            && (known_copy(merge) || !copies(merge, relation))
    });
    merges
}

fn joined(first: &IndexDefinition, second: &IndexDefinition) -> IndexDefinition {
    let absent = |key: &&Key| first.keys.iter().all(|known| known.part.target != key.part.target);
    let keys: Vec<Key> = first.keys.iter().chain(second.keys.iter().filter(absent)).cloned().collect();
    let mut merge = IndexDefinition {
        relation: first.relation,
        access_method: first.access_method,
        keys,
        include: Vec::new(),
        predicate: first.predicate.clone(),
        parameters: first.parameters.clone(),
    };
    let include: BTreeSet<AttrNumber> = first.include.iter().chain(&second.include).copied().collect();
    merge.include = include.into_iter().filter(|column| !merge.stores(*column)).collect();
    merge
}

fn copies(merge: &IndexDefinition, relation: &Relation) -> bool {
    let keys: Vec<AttrNumber> =
        merge.stored_columns().filter(|column| !merge.include.contains(column)).collect();
    copies_the_table(relation, &keys, &merge.include)
}

fn within_limits(merge: &IndexDefinition, relation: &Relation, options: &Options) -> bool {
    let width: f64 = merge.include.iter().map(|number| column_width(relation, *number)).sum();
    merge.keys.len() <= options.max_key_columns
        && merge.include.len() <= options.max_include_columns
        && width <= options.max_include_width
}

/// For each candidate of a pool, those that could do its work in part or in whole: its prefixes, its narrower forms,
/// and those that contain it. The pool is in the order of `pool`: candidates of one relation stand together.
pub fn relatives(pool: &[Candidate]) -> Vec<Vec<CandidateId>> {
    let mut relatives = vec![Vec::new(); pool.len()];
    for (a, candidate) in pool.iter().enumerate() {
        let same_relation = pool.iter().enumerate().skip(a + 1);
        let same_relation =
            same_relation.take_while(|(_, other)| other.definition.relation == candidate.definition.relation);
        for (b, other) in same_relation {
            let (one, two) = (&candidate.definition, &other.definition);
            if one.is_served_by(two) || two.is_served_by(one) {
                relatives[a].push(b);
                relatives[b].push(a);
            }
        }
    }
    relatives
}
