//! The pool: the candidates of a whole workload, each once, with the statements that ask for it.
//!
//! Settles what one statement alone cannot: the order of equality columns, merges, and which candidates to keep when
//! there are too many. The order of the pool is that of the definitions.

use super::ask::Ask;
use super::definition::{IndexDefinition, Key, KeyPart, KeyTarget};
use super::facts::StatementFacts;
use super::generate::{Options, generate};
use super::merge::merge;
use crate::catalog::{AttrNumber, Catalog, Oid, Relation};
use crate::cost::{CandidateId, StatementId};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

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

/// Times as many candidates as are wanted in the end, that may be there at once.
const ROOM: usize = 4;

/// What is known of a candidate while the pool is being made.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// By statement: how directly it asks (0 for its first ask), and in which words.
    origins: BTreeMap<StatementId, (usize, Rc<str>)>,
    /// Its first keys that may stand in any order, for some statement.
    equal: usize,
}

type Standings = BTreeMap<IndexDefinition, Standing>;
/// Statements with the words in which they ask.
type AskedBy = Vec<(StatementId, Rc<str>)>;

/// The candidates for a workload of (statement, weight, facts). Weights are times or shares of time: only their
/// ratios matter. Nothing that a valid index of the catalog already gives is in it.
pub fn pool<F: Borrow<StatementFacts>>(
    workload: &[(StatementId, f64, F)],
    catalog: &Catalog,
    options: &Options,
) -> Vec<Candidate> {
    // Twice the same, rather than all asks of all statements at once: they take many times the room of what is kept.
    let mut order = CanonicalOrder { weights: BTreeMap::new(), catalog };
    for (_, weight, facts) in workload {
        order.count(*weight, &generate(facts.borrow(), catalog, options));
    }
    let mut by_relation: BTreeMap<Oid, Standings> = BTreeMap::new();
    let mut compared = Compared::new();
    for (statement, _, facts) in workload {
        note_compared(&mut compared, facts.borrow());
        for (tier, ask) in generate(facts.borrow(), catalog, options).into_iter().enumerate() {
            let definition = ask.index(|a, b| order.compare(ask.relation, a, b));
            let standings = by_relation.entry(ask.relation).or_default();
            let standing = note(standings, definition, *statement, tier, || ask.because.as_str().into());
            standing.equal = standing.equal.max(ask.equal.len());
        }
    }
    let weights: BTreeMap<StatementId, f64> = workload.iter().map(|(id, weight, _)| (*id, *weight)).collect();
    let mut kept: Vec<(IndexDefinition, Standing)> = Vec::new();
    for (relation, mut standings) in by_relation {
        add_turned(&mut standings);
        add_derived(&mut standings, catalog.relations.get(&relation), &weights, options);
        let keyed = |definition: &IndexDefinition| keyed(definition, &compared, &order);
        let standings = with_keys_for_included(standings, keyed, options);
        kept.extend(
            standings
                .into_iter()
                .filter(|(definition, _)| options.allow(definition) && !exists(definition, catalog)),
        );
        // The best of all are among the best of those so far.
        if kept.len() > ROOM * options.max_candidates {
            cap(&mut kept, &weights, options.max_candidates);
        }
    }
    cap(&mut kept, &weights, options.max_candidates);
    let candidates = kept.into_iter().map(|(definition, standing)| {
        let origins = standing.origins.into_iter();
        let origins =
            origins.map(|(statement, (_, words))| Origin { statement, asked_by: words.to_string() });
        Candidate { definition, origins: origins.collect() }
    });
    candidates.collect()
}

/// The candidates on relations that a statement reads, ascending: in the order of definitions, those of one relation stand together.
pub fn on_relations_of<'p>(
    pool: &'p [Candidate],
    facts: &StatementFacts,
) -> impl Iterator<Item = CandidateId> + use<'p> {
    let relations: BTreeSet<Oid> = facts.relations.iter().map(|usage| usage.relation).collect();
    relations.into_iter().flat_map(|relation| {
        let begin = pool.partition_point(|candidate| candidate.definition.relation < relation);
        let end = pool.partition_point(|candidate| candidate.definition.relation <= relation);
        begin..end
    })
}

fn note(
    standings: &mut Standings,
    definition: IndexDefinition,
    statement: StatementId,
    tier: usize,
    words: impl FnOnce() -> Rc<str>,
) -> &mut Standing {
    let standing = standings.entry(definition).or_default();
    note_origin(standing, statement, tier, words);
    standing
}

fn note_origin(
    standing: &mut Standing,
    statement: StatementId,
    tier: usize,
    words: impl FnOnce() -> Rc<str>,
) {
    if standing.origins.get(&statement).is_none_or(|(known, _)| tier < *known) {
        standing.origins.insert(statement, (tier, words()));
    }
}

/// Adds keys turned to begin with another of their equality columns, on which other statements want an index: one index then serves
/// them all.
fn add_turned(standings: &mut Standings) {
    let plain = |definition: &IndexDefinition| definition.predicate.is_none();
    let mut asked: BTreeMap<&KeyPart, BTreeSet<StatementId>> = BTreeMap::new();
    for (definition, standing) in standings.iter().filter(|(it, _)| it.keys.len() == 1 && plain(it)) {
        asked.entry(&definition.keys[0].part).or_default().extend(standing.origins.keys());
    }
    let mut turned = Vec::new();
    for (definition, standing) in standings.iter().filter(|(it, _)| it.include.is_empty() && plain(it)) {
        for at in 1..standing.equal {
            let others = asked.get(&definition.keys[at].part).into_iter().flatten();
            if others.into_iter().any(|statement| !standing.origins.contains_key(statement)) {
                let mut other = definition.clone();
                other.keys[..=at].rotate_right(1);
                turned.push((other, standing.origins.clone()));
            }
        }
    }
    for (definition, origins) in turned {
        for (statement, (tier, words)) in origins {
            note(standings, definition.clone(), statement, 2 * LATER + tier, || words);
        }
    }
}

/// Adds what follows from the asks on one relation: prefixes, and merges of the asks themselves.
fn add_derived(
    standings: &mut Standings,
    relation: Option<&Relation>,
    weights: &BTreeMap<StatementId, f64>,
    options: &Options,
) {
    let merges = relation.map_or_else(Vec::new, |relation| merges(standings, weights, relation, options));
    add_prefixes(standings);
    for (definition, origins) in merges {
        for (statement, words) in origins {
            if !definition.include.is_empty() {
                let bare = IndexDefinition { include: Vec::new(), ..definition.clone() };
                note(standings, bare, statement, 2 * LATER, || words.clone());
            }
            note(standings, definition.clone(), statement, 2 * LATER, || words);
        }
    }
}

/// Columns by how statements compare them.
type Compared = BTreeMap<(Oid, AttrNumber), KeyPart>;

fn note_compared(compared: &mut Compared, facts: &StatementFacts) {
    for usage in &facts.relations {
        for part in usage.keys_compared().chain(usage.keys_ordered()) {
            if let KeyTarget::Column(number) = part.target {
                let known = compared.entry((usage.relation, number)).or_insert_with(|| part.clone());
                // Of several ways to compare one column the same whatever the order of the statements.
                if *part < *known {
                    known.clone_from(part);
                }
            }
        }
    }
}

/// An index with its included columns as further keys; None where it has none, or some are not known to be comparable.
fn keyed(
    definition: &IndexDefinition,
    compared: &Compared,
    order: &CanonicalOrder<'_>,
) -> Option<IndexDefinition> {
    let part = |number: &AttrNumber| compared.get(&(definition.relation, *number)).cloned();
    let mut parts = definition.include.iter().map(part).collect::<Option<Vec<KeyPart>>>()?;
    parts.sort_by(|a, b| order.compare(definition.relation, a, b));
    let keys = definition.keys.iter().cloned().chain(parts.into_iter().map(Key::ascending)).collect();
    (!definition.include.is_empty()).then(|| IndexDefinition {
        keys,
        include: Vec::new(),
        ..definition.clone()
    })
}

/// Adds to indexes with included columns those with these as further keys, which do as much, and store equal entries once: they may take
/// a third of the room (`_bt_allequalimage`, nbtutils.c). Where there are several keys anyway they take their place; one key alone has rows
/// come in its order more than several have (`btcostestimate`, selfuncs.c).
fn with_keys_for_included(
    standings: Standings,
    keyed: impl Fn(&IndexDefinition) -> Option<IndexDefinition>,
    options: &Options,
) -> Standings {
    let mut all = Standings::new();
    for (definition, standing) in standings {
        let keyed = keyed(&definition).filter(|keyed| keyed.keys.len() <= options.max_key_columns);
        let stays = keyed.is_none() || definition.keys.len() == 1;
        for definition in keyed.into_iter().chain(stays.then_some(definition)) {
            let into = all.entry(definition).or_default();
            into.equal = into.equal.max(standing.equal);
            for (statement, (tier, words)) in &standing.origins {
                note_origin(into, *statement, *tier, || words.clone());
            }
        }
    }
    all
}

/// Whether a valid index gives all that a candidate would.
pub fn exists(definition: &IndexDefinition, catalog: &Catalog) -> bool {
    let Some(relation) = catalog.relations.get(&definition.relation) else { return false };
    let mut valid = relation.indexes.iter().filter(|index| index.valid);
    valid.any(|index| index.definition.as_ref().is_some_and(|other| definition.is_served_by(other)))
}

/// The pool without the candidates that `unwanted` has, as CREATE INDEX without CONCURRENTLY, and without those that only include
/// columns on top of one of them; and what of `unwanted` that was.
pub fn without(
    pool: Vec<Candidate>,
    unwanted: &BTreeSet<String>,
    catalog: &Catalog,
) -> (Vec<Candidate>, Vec<String>) {
    if unwanted.is_empty() {
        return (pool, Vec::new());
    }
    let mut left_out = BTreeSet::new();
    let kept = pool.into_iter().filter(|candidate| {
        let keys_alone = IndexDefinition { include: Default::default(), ..candidate.definition.clone() };
        let ddl = [&candidate.definition, &keys_alone].map(|it| catalog.create_statement(it, false));
        let found = ddl.into_iter().flatten().find(|ddl| unwanted.contains(ddl));
        let keeps = found.is_none();
        left_out.extend(found);
        keeps
    });
    let kept = kept.collect();
    (kept, left_out.into_iter().collect())
}

/// The order in which equality columns stand, the same for all statements so that they share indexes: columns that
/// statements of most weight bind first, then those with more distinct values, then by column number.
struct CanonicalOrder<'a> {
    weights: BTreeMap<(Oid, KeyPart), f64>,
    catalog: &'a Catalog,
}

impl CanonicalOrder<'_> {
    /// Counts the asks of a statement of this weight.
    fn count(&mut self, weight: f64, asks: &[Ask]) {
        let mut counted: Vec<(Oid, KeyPart)> = Vec::new();
        for ask in asks {
            for part in &ask.equal {
                let key = (ask.relation, part.clone());
                if !counted.contains(&key) {
                    *self.weights.entry(key.clone()).or_default() += weight;
                    counted.push(key);
                }
            }
        }
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
            let words = || format!("first {} of: {words}", columns(definition.keys.len())).into();
            note(standings, definition.clone(), statement, LATER + tier, words);
        }
    }
}

/// Tiers of derived candidates stand behind all direct ones.
const LATER: usize = 1_000;

fn columns(count: usize) -> String {
    if count == 1 { "column".to_string() } else { format!("{count} columns") }
}

/// Indexes of one relation that serve two statements at once, for each of the statements that asked for their parts.
fn merges(
    standings: &Standings,
    weights: &BTreeMap<StatementId, f64>,
    relation: &Relation,
    options: &Options,
) -> Vec<(IndexDefinition, AskedBy)> {
    let mut members: Vec<(f64, &IndexDefinition, &Standing)> = standings
        .iter()
        .map(|(definition, standing)| (weight_of(standing, weights), definition, standing))
        .collect();
    members.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    members.truncate(MERGED);
    let mut merges = Vec::new();
    for (i, (_, a, for_a)) in members.iter().enumerate() {
        for (_, b, for_b) in members.iter().skip(i + 1) {
            // Of one statement's own asks, the wider ones are there already.
            if for_a.origins.keys().eq(for_b.origins.keys()) {
                continue;
            }
            for merged in merge(a, b, relation, options) {
                let origins = for_a.origins.iter().chain(&for_b.origins);
                merges.push((merged, origins.map(|(id, (_, words))| (*id, words.clone())).collect()));
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
fn cap(standings: &mut Vec<(IndexDefinition, Standing)>, weights: &BTreeMap<StatementId, f64>, limit: usize) {
    if standings.len() <= limit {
        return;
    }
    // Definitions are in their order, so that positions settle ties as they would.
    let mut ranked: Vec<(usize, f64, usize)> = standings
        .iter()
        .enumerate()
        .map(|(at, (_, standing))| {
            let tier = standing.origins.values().map(|(tier, _)| *tier).min().unwrap_or(usize::MAX);
            (tier, weight_of(standing, weights), at)
        })
        .collect();
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1)).then_with(|| a.2.cmp(&b.2)));
    let mut wanted = vec![false; standings.len()];
    ranked[..limit].iter().for_each(|(_, _, at)| wanted[*at] = true);
    let mut wanted = wanted.into_iter();
    standings.retain(|_| wanted.next().unwrap_or(false));
}
