//! Expressions that candidates would index but that the planner knows nothing of: their values are sampled, so that plans with
//! the index and without it are estimated from the same statistics. And conditions at which it guesses, so that the cost in memory rests on
//! the rows that there are.
//!
//! Decides what is sampled within which bounds; `pg::expression_statistics` does it. Where nothing is missing, nothing is read.

use crate::candidate::definition::{Expression, IndexDefinition};
use crate::candidate::{self, Candidate, Options};
use crate::catalog::{Catalog, Oid};
use crate::cost::model::CostModel;
use crate::examine::Examination;
use crate::pg::analyze::Analysed;
use crate::pg::expression_statistics::ExpressionStatistics;
use crate::pg::sample::Sampler;
use crate::pg::session;
use crate::workload::Workload;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

/// Relations that a run samples for expressions, those of the heaviest statements.
const MAX_RELATIONS: usize = 50;
/// Expressions of a relation that a run samples, those of the heaviest statements.
const MAX_EXPRESSIONS: usize = 20;
/// The search for indexes needs most of a run's time.
const SHARE_OF_TIME: u32 = 4;

/// What sampling a relation gave: statistics, or why there are none.
type Sampled = Result<Rc<ExpressionStatistics>, String>;

/// Expressions that raise an error for a row that is there, by relation: no index on them can be built.
pub type Raising = BTreeSet<(Oid, Expression)>;

/// When sampling that begins now has to end, for a run that ends at `deadline`.
pub fn sampling_ends(deadline: Option<Instant>) -> Option<Instant> {
    let now = Instant::now();
    deadline.map(|deadline| now + deadline.saturating_duration_since(now) / SHARE_OF_TIME)
}

/// Samples the expressions of candidates that have no statistics, and lets the statements that use them be planned by what was
/// found. What could not be had is a note of the statement.
pub fn sample(
    examination: &mut Examination,
    workload: &Workload,
    catalog: &mut Catalog,
    options: &Options,
    deadline: Option<Instant>,
) -> Raising {
    let lacks_nothing =
        |analysed: &Analysed| analysed.without_statistics.is_empty() && analysed.guessed.is_empty();
    if examination.examined.iter().all(lacks_nothing) {
        return Raising::new();
    }
    let until = sampling_ends(deadline);
    let wanted = wanted(examination, workload, catalog, options);
    let mut sampled: BTreeMap<Oid, Sampled> = BTreeMap::new();
    for (relation, expressions) in wanted {
        pgrx::check_for_interrupts!();
        crate::pg::progress::step();
        let result = if sampled.len() >= MAX_RELATIONS {
            Err(format!("a run samples no more than {MAX_RELATIONS} tables"))
        } else if until.is_some_and(|until| Instant::now() >= until) {
            Err("the run's time limit leaves no time".to_string())
        } else {
            sample_relation(relation, &expressions, catalog)
        };
        sampled.insert(relation, result);
    }
    for analysed in &mut examination.examined {
        apply(analysed, &sampled, catalog);
    }
    let missing = sampled
        .values()
        .flatten()
        .flat_map(|statistics| statistics.missing.iter().map(|missing| (statistics.relation(), missing)));
    missing
        .filter(|(_, missing)| missing.raises)
        .map(|(relation, missing)| (relation, missing.expression.clone()))
        .collect()
}

/// The candidates that can be built.
pub fn buildable(pool: Vec<Candidate>, raising: &Raising) -> Vec<Candidate> {
    let raises = |candidate: &Candidate| {
        expressions(&candidate.definition)
            .any(|expression| raising.contains(&(candidate.definition.relation, expression.clone())))
    };
    pool.into_iter().filter(|candidate| raising.is_empty() || !raises(candidate)).collect()
}

/// The expressions among the keys of a definition, and its predicate.
fn expressions(definition: &IndexDefinition) -> impl Iterator<Item = &Expression> {
    definition.key_expressions().chain(&definition.predicate)
}

/// The expressions that candidates are made of and that have no statistics, and conditions at which the planner guesses, by relation,
/// those of the heaviest statements first.
fn wanted(
    examination: &Examination,
    workload: &Workload,
    catalog: &Catalog,
    options: &Options,
) -> Vec<(Oid, Vec<Expression>)> {
    let units = session::cost_units();
    let model = CostModel::new(&examination.measured(workload), workload.window_seconds, units);
    let pool = candidate::pool(&examination.facts(&model), catalog, options);
    let mut asked: BTreeSet<(Oid, &Expression)> = BTreeSet::new();
    for definition in pool.iter().map(|candidate| &candidate.definition) {
        asked.extend(expressions(definition).map(|expression| (definition.relation, expression)));
    }
    let mut wanted: Vec<(Oid, Vec<Expression>)> = Vec::new();
    let without = examination.examined.iter().flat_map(|analysed| &analysed.without_statistics);
    let without = without.filter(|(relation, expression)| asked.contains(&(*relation, expression)));
    let guessed = examination.examined.iter().flat_map(|analysed| &analysed.guessed);
    for (relation, expression) in without.chain(guessed) {
        let position = wanted.iter().position(|(known, _)| known == relation).unwrap_or_else(|| {
            wanted.push((*relation, Vec::new()));
            wanted.len() - 1
        });
        let expressions = &mut wanted[position].1;
        if expressions.len() < MAX_EXPRESSIONS && !expressions.contains(expression) {
            expressions.push(expression.clone());
        }
    }
    wanted
}

fn sample_relation(oid: Oid, expressions: &[Expression], catalog: &mut Catalog) -> Sampled {
    let relation = catalog.relations.get_mut(&oid).ok_or("it is gone")?;
    let sampler = Sampler::as_set();
    let statistics = ExpressionStatistics::sample(&sampler, relation, expressions)
        .map_err(|reason| format!("{}: {reason}", relation.sql_name))?;
    statistics.record(relation);
    Ok(Rc::new(statistics))
}

/// Lets a statement be planned by what was found of its expressions, and notes what was not.
fn apply(analysed: &mut Analysed, sampled: &BTreeMap<Oid, Sampled>, catalog: &Catalog) {
    let mut used: Vec<Rc<ExpressionStatistics>> = Vec::new();
    let mut notes: BTreeSet<String> = BTreeSet::new();
    for (relation, expression) in &analysed.without_statistics {
        match sampled.get(relation) {
            None => {}
            Some(Err(reason)) => {
                notes.insert(format!("no statistics of expressions: {reason}"));
            }
            Some(Ok(statistics)) => {
                if statistics.known().any(|(known, _)| known == expression) {
                    if used.iter().all(|other| other.relation() != *relation) {
                        used.push(statistics.clone());
                    }
                    let table = catalog.relations.get(relation).map_or("", |relation| &relation.sql_name);
                    let pages = statistics.pages;
                    notes.insert(format!(
                        "expression statistics from a sample of {pages} {} of {table}",
                        if pages == 1 { "page" } else { "pages" }
                    ));
                } else if let Some(missing) =
                    statistics.missing.iter().find(|missing| missing.expression == *expression)
                {
                    let what = if missing.raises { "index can be built on" } else { "statistics of" };
                    notes.insert(format!("no {what} {}: {}", expression.sql, missing.reason));
                }
            }
        }
    }
    for (relation, condition) in &analysed.guessed {
        if let Some(Ok(statistics)) = sampled.get(relation)
            && statistics.share(condition).is_some()
            && used.iter().all(|other| other.relation() != *relation)
        {
            used.push(statistics.clone());
        }
    }
    if !used.is_empty()
        && let Err(error) = analysed.estimate_with(used.clone())
    {
        notes = BTreeSet::from([format!("planned without statistics of expressions: {error}")]);
    }
    // How many rows a partial index would hold is counted, not estimated.
    for usage in &mut analysed.facts.relations {
        for predicate in &mut usage.predicates {
            let counted = used.iter().filter(|statistics| statistics.relation() == usage.relation);
            let mut counted = counted.filter_map(|statistics| statistics.share(&predicate.expression));
            if let Some(share) = counted.next() {
                predicate.selectivity = share;
            }
        }
        // Nothing else tells how large an index on rows of which some columns go together would be.
        let relation = usage.relation;
        usage.predicates.retain(|predicate| {
            let mut known = used.iter().filter(|statistics| statistics.relation() == relation);
            !predicate.is_joint() || known.any(|statistics| statistics.share(&predicate.expression).is_some())
        });
    }
    analysed.notes.extend(notes);
}
