//! The pool: the candidates of a whole workload, each once, with the statements that ask for it.
//!
//! Settles what one statement alone cannot: the order of equality columns, merges, and which candidates to keep when
//! there are too many. The order of the pool is that of the definitions.

use super::ask::Ask;
use super::definition::{IndexDefinition, KeyPart, KeyTarget};
use super::facts::StatementFacts;
use super::generate::{Options, generate};
use super::merge::merge;
use crate::catalog::{Catalog, Oid};
use crate::cost::StatementId;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// An index worth asking the planner about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub definition: IndexDefinition,
    /// By statement, ascending; at least one.
    pub origins: Vec<Origin>,
}

/// A statement that asks for a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub statement: StatementId,
    /// The clauses in plain words: "equality on o_custkey, then range on o_orderdate".
    pub asked_by: String,
}

/// Merges are tried among this many candidates of a relation, those of the weightiest statements: pairs grow with the
/// square, and a merge pays only where both sides matter.
const MERGED: usize = 24;

/// What is known of a candidate while the pool is being made.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// By statement: how directly it asks (0 for its first ask), and in which words.
    origins: BTreeMap<StatementId, (usize, String)>,
}

type Standings = BTreeMap<IndexDefinition, Standing>;

/// The candidates for a workload of (statement, weight, facts). Weights are times or shares of time: only their
/// ratios matter. Nothing that a valid index of the catalog already gives is in it.
pub fn pool(
    workload: &[(StatementId, f64, StatementFacts)],
    catalog: &Catalog,
    options: &Options,
) -> Vec<Candidate> {
    let asks: Vec<(StatementId, f64, Vec<Ask>)> = workload
        .iter()
        .map(|(statement, weight, facts)| (*statement, *weight, generate(facts, catalog, options)))
        .collect();
    let order = CanonicalOrder::of(&asks, catalog);
    let mut standings = Standings::new();
    for (statement, _, asks) in &asks {
        for (tier, ask) in asks.iter().enumerate() {
            let definition = ask.index(|a, b| order.compare(ask.relation, a, b));
            note(&mut standings, definition, *statement, tier, ask.because.clone());
        }
    }
    let weights: BTreeMap<StatementId, f64> = workload.iter().map(|(id, weight, _)| (*id, *weight)).collect();
    let merges = merges(&standings, &weights, catalog, options);
    add_prefixes(&mut standings);
    for (definition, statement, words) in merges {
        if !definition.include.is_empty() {
            let bare = IndexDefinition { include: Vec::new(), ..definition.clone() };
            note(&mut standings, bare, statement, 2 * LATER, words.clone());
        }
        note(&mut standings, definition, statement, 2 * LATER, words);
    }
    standings.retain(|definition, _| options.allow(definition) && !exists(definition, catalog));
    cap(&mut standings, &weights, options.max_candidates);
    let candidates = standings.into_iter().map(|(definition, standing)| {
        let origins = standing.origins.into_iter();
        let origins = origins.map(|(statement, (_, asked_by))| Origin { statement, asked_by }).collect();
        Candidate { definition, origins }
    });
    candidates.collect()
}

fn note(
    standings: &mut Standings,
    definition: IndexDefinition,
    statement: StatementId,
    tier: usize,
    words: String,
) {
    let origins = &mut standings.entry(definition).or_default().origins;
    if origins.get(&statement).is_none_or(|(known, _)| tier < *known) {
        origins.insert(statement, (tier, words));
    }
}

/// Whether a valid index gives all that a candidate would.
pub fn exists(definition: &IndexDefinition, catalog: &Catalog) -> bool {
    let Some(relation) = catalog.relations.get(&definition.relation) else { return false };
    let mut valid = relation.indexes.iter().filter(|index| index.valid);
    valid.any(|index| index.definition.as_ref().is_some_and(|other| definition.is_served_by(other)))
}

/// The order in which equality columns stand, the same for all statements so that they share indexes: columns that
/// statements of most weight bind first, then those with more distinct values, then by column number.
struct CanonicalOrder<'a> {
    weights: BTreeMap<(Oid, KeyPart), f64>,
    catalog: &'a Catalog,
}

impl<'a> CanonicalOrder<'a> {
    fn of(asks: &[(StatementId, f64, Vec<Ask>)], catalog: &'a Catalog) -> CanonicalOrder<'a> {
        let mut weights: BTreeMap<(Oid, KeyPart), f64> = BTreeMap::new();
        for (_, weight, asks) in asks {
            let mut counted: Vec<(Oid, KeyPart)> = Vec::new();
            for ask in asks {
                for part in &ask.equal {
                    let key = (ask.relation, part.clone());
                    if !counted.contains(&key) {
                        *weights.entry(key.clone()).or_default() += weight;
                        counted.push(key);
                    }
                }
            }
        }
        CanonicalOrder { weights, catalog }
    }

    fn compare(&self, relation: Oid, a: &KeyPart, b: &KeyPart) -> Ordering {
        let weight = |part: &KeyPart| self.weights.get(&(relation, part.clone())).copied().unwrap_or(0.0);
        let by_weight = weight(b).total_cmp(&weight(a));
        let by_distinct = || self.distinct(relation, b).total_cmp(&self.distinct(relation, a));
        by_weight.then_with(by_distinct).then_with(|| a.cmp(b))
    }

    fn distinct(&self, relation: Oid, part: &KeyPart) -> f64 {
        let KeyTarget::Column(number) = part.target else { return 0.0 };
        let Some(relation) = self.catalog.relations.get(&relation) else { return 0.0 };
        let statistics = relation.column(number).and_then(|column| column.statistics.as_ref());
        statistics.and_then(|statistics| statistics.distinct_values(relation.tuples)).unwrap_or(0.0)
    }
}

/// Every shorter form of a candidate: its keys without the included columns, and each prefix of them. What one statement
/// wants in full may serve others in part, at less size.
fn add_prefixes(standings: &mut Standings) {
    let shorter: Vec<(IndexDefinition, Standing)> = standings
        .iter()
        .flat_map(|(definition, standing)| {
            let longest = definition.keys.len() - usize::from(definition.include.is_empty());
            (1..=longest).map(move |length| {
                let keys = definition.keys[..length].to_vec();
                (IndexDefinition { keys, include: Vec::new(), ..definition.clone() }, standing.clone())
            })
        })
        .collect();
    for (definition, standing) in shorter {
        for (statement, (tier, words)) in standing.origins {
            // Words ask for the whole; a prefix asks for less and comes later.
            let words = format!("first {} of: {words}", columns(definition.keys.len()));
            note(standings, definition.clone(), statement, LATER + tier, words);
        }
    }
}

/// Tiers of derived candidates stand behind all direct ones.
const LATER: usize = 1_000;

fn columns(count: usize) -> String {
    if count == 1 { "column".to_string() } else { format!("{count} columns") }
}

/// Indexes that serve two statements at once, for each of the statements that asked for their parts.
fn merges(
    standings: &Standings,
    weights: &BTreeMap<StatementId, f64>,
    catalog: &Catalog,
    options: &Options,
) -> Vec<(IndexDefinition, StatementId, String)> {
    let mut by_relation: BTreeMap<Oid, Vec<(f64, &IndexDefinition, &Standing)>> = BTreeMap::new();
    for (definition, standing) in standings {
        let entry = (weight_of(standing, weights), definition, standing);
        by_relation.entry(definition.relation).or_default().push(entry);
    }
    let mut merges: Vec<(IndexDefinition, StatementId, String)> = Vec::new();
    for (relation, mut members) in by_relation {
        let Some(relation) = catalog.relations.get(&relation) else { continue };
        members.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        members.truncate(MERGED);
        for (i, (_, a, for_a)) in members.iter().enumerate() {
            for (_, b, for_b) in members.iter().skip(i + 1) {
                // Of one statement's own asks, the wider ones are there already.
                if for_a.origins.keys().eq(for_b.origins.keys()) {
                    continue;
                }
                for merged in merge(a, b, relation, options) {
                    for (statement, (_, words)) in for_a.origins.iter().chain(&for_b.origins) {
                        merges.push((merged.clone(), *statement, words.clone()));
                    }
                }
            }
        }
    }
    merges
}

fn weight_of(standing: &Standing, weights: &BTreeMap<StatementId, f64>) -> f64 {
    standing.origins.keys().filter_map(|statement| weights.get(statement)).sum()
}

/// Keeps at most `limit` candidates: those that a statement asks for most directly (so that every statement keeps its
/// best), and of equally direct ones those of the weightiest statements.
fn cap(standings: &mut Standings, weights: &BTreeMap<StatementId, f64>, limit: usize) {
    if standings.len() <= limit {
        return;
    }
    let mut ranked: Vec<(usize, f64, IndexDefinition)> = standings
        .iter()
        .map(|(definition, standing)| {
            let tier = standing.origins.values().map(|(tier, _)| *tier).min().unwrap_or(usize::MAX);
            (tier, weight_of(standing, weights), definition.clone())
        })
        .collect();
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1)).then_with(|| a.2.cmp(&b.2)));
    for (_, _, definition) in ranked.drain(limit..) {
        standings.remove(&definition);
    }
}
