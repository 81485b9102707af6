//! `Asking`: the asks of one relation use in the making, with the variants that every ask has (partial, covering).
//!
//! Refuses what cannot or need not be built; which clauses to combine is `generate`'s business.

use super::ask::Ask;
use super::definition::{Key, KeyPart, KeyTarget};
use super::facts::{Clause, ClauseKind, PredicateClause, RelationUse};
use super::generate::Options;
use super::width::{column_width, copies_the_table, key_width};
use crate::catalog::{AttrNumber, Relation};
use std::collections::BTreeSet;

/// A btree entry must fit a third of a page (`BTMaxItemSize`, 2704 bytes of 8 kB), and values vary: a key whose
/// average is a fifth of that risks failing inserts and is a poor index in any case.
const WIDEST_KEY: f64 = 500.0;
/// A single included column above this width makes the index a copy of the table.
const WIDEST_INCLUDED: f64 = 128.0;
/// A scan of this share of a table's rows is limited by what it reads, not by how it finds it: from about here on the
/// planner itself prefers reading the whole table to an index with table fetches.
const LARGE_PART: f64 = 0.1;
/// A partial index has to leave out two rows of three; ...
const PARTIAL_SELECTIVITY: f64 = 1.0 / 3.0;
/// ... one that stands for a comparison of columns spares storing them, too, and is the same in every call; ...
const PARTIAL_JOINT_SELECTIVITY: f64 = 0.7;
/// ... but NULL tests (soft deletion, optional references) are stable properties of a schema and pay sooner.
const PARTIAL_NULL_SELECTIVITY: f64 = 0.98;
/// Partial variants of every ask, at most, by the most selective predicates.
const PREDICATES: usize = 3;
/// Several restrictions together are a predicate where they keep clearly fewer rows than any of them.
const CLEARLY_FEWER: f64 = 0.8;

/// A key that a restriction binds, with the share of rows that it keeps.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub part: KeyPart,
    pub kind: ClauseKind,
    pub selectivity: f64,
}

impl Bound {
    /// Whether the key has one value throughout a scan, so that the keys after it stay in order.
    pub fn is_single(&self) -> bool {
        matches!(self.kind, ClauseKind::Equality | ClauseKind::IsNull)
    }
}

/// Which variants of an ask are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forms {
    All,
    /// Only those that answer without the table.
    Covering,
    /// Only those over the rows of a predicate.
    Partial,
}

pub(super) struct Asking<'a> {
    pub usage: &'a RelationUse,
    pub relation: &'a Relation,
    options: &'a Options,
    /// Equality, IS NULL and IN, the most selective first.
    pub equal: Vec<Bound>,
    /// Ranges and prefixes, the most selective first.
    pub ranges: Vec<Bound>,
    predicates: Vec<&'a PredicateClause>,
    pub asks: Vec<Ask>,
}

impl<'a> Asking<'a> {
    /// Sorts the restrictions of one relation use; asks for nothing yet.
    pub fn new(usage: &'a RelationUse, relation: &'a Relation, options: &'a Options) -> Asking<'a> {
        let predicates = Vec::new();
        let (equal, ranges) = (Vec::new(), Vec::new());
        let mut asking = Asking { usage, relation, options, equal, ranges, predicates, asks: Vec::new() };
        (asking.equal, asking.ranges) = asking.bounds(&usage.restrictions);
        asking.predicates =
            usage.predicates.iter().filter(|clause| worth_a_predicate(clause, &usage.predicates)).collect();
        asking.predicates.sort_by(|a, b| {
            a.selectivity.total_cmp(&b.selectivity).then_with(|| a.expression.cmp(&b.expression))
        });
        asking.predicates.truncate(PREDICATES);
        asking
    }

    /// The clauses as (equalities and lists, ranges and prefixes), one for each key, the most selective first.
    pub fn bounds(&self, clauses: &[Clause]) -> (Vec<Bound>, Vec<Bound>) {
        let mut bounds: Vec<Bound> = clauses
            .iter()
            .filter(|clause| self.admits(&clause.key))
            .map(|clause| Bound {
                part: clause.key.clone(),
                kind: clause.kind,
                selectivity: clause.selectivity,
            })
            .collect();
        bounds.sort_by(|a, b| a.selectivity.total_cmp(&b.selectivity).then_with(|| a.part.cmp(&b.part)));
        let (equal, mut ranges): (Vec<Bound>, Vec<Bound>) = bounds
            .into_iter()
            .partition(|bound| !matches!(bound.kind, ClauseKind::Range | ClauseKind::Prefix));
        let equal = first_of_each(equal);
        ranges = first_of_each(ranges);
        ranges.retain(|range| equal.iter().all(|bound| bound.part.target != range.part.target));
        (equal, ranges)
    }

    /// Whether a key is narrow enough for a btree.
    pub fn admits(&self, part: &KeyPart) -> bool {
        key_width(self.relation, part) <= WIDEST_KEY
    }

    /// Asks for an index with these keys, and for its partial and covering variants.
    pub fn ask(&mut self, equal: Vec<KeyPart>, tail: Vec<Key>, directed: bool, words: &[String]) {
        self.ask_in(Forms::All, equal, tail, directed, words);
    }

    /// As `ask`, for some of the variants.
    pub fn ask_in(
        &mut self,
        forms: Forms,
        equal: Vec<KeyPart>,
        tail: Vec<Key>,
        directed: bool,
        words: &[String],
    ) {
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|words| !words.is_empty()).collect();
        let Some(ask) = self.shaped(equal, tail, directed, words.join(", then ")) else { return };
        let partial = self.predicates.iter().map(|clause| (partial(self, &ask, clause), Some(*clause)));
        let mut asks: Vec<(Ask, Option<&PredicateClause>)> = partial.collect();
        if forms != Forms::Partial {
            asks.insert(0, (ask, None));
        }
        for (ask, predicate) in asks {
            let needed = self.needed(predicate);
            let covering = self.covering(&ask, needed.as_ref());
            let plain = (forms != Forms::Covering || self.keys_cover(&ask, needed.as_ref())).then_some(ask);
            let wanted = plain.into_iter().chain(covering).filter(|ask| !self.is_served(ask));
            self.asks.extend(wanted.collect::<Vec<Ask>>());
        }
    }

    pub fn has_predicates(&self) -> bool {
        !self.predicates.is_empty()
    }

    /// An ask without repeated columns and with at most as many as allowed; None without any.
    fn shaped(&self, equal: Vec<KeyPart>, tail: Vec<Key>, directed: bool, because: String) -> Option<Ask> {
        let mut targets: Vec<KeyTarget> = Vec::new();
        let mut fresh = |part: &KeyPart| {
            let fresh = targets.len() < self.options.max_key_columns && !targets.contains(&part.target);
            if fresh {
                targets.push(part.target.clone());
            }
            fresh
        };
        let equal: Vec<KeyPart> = equal.into_iter().filter(|part| fresh(part)).collect();
        let tail: Vec<Key> = tail.into_iter().filter(|key| fresh(&key.part)).collect();
        let empty = equal.is_empty() && tail.is_empty();
        let (relation, predicate) = (self.relation.oid, None);
        (!empty).then_some(Ask { relation, equal, tail, directed, include: Vec::new(), predicate, because })
    }

    /// The columns that an index with this predicate must store to answer without the table; None where none can.
    fn needed(&self, predicate: Option<&PredicateClause>) -> Option<BTreeSet<AttrNumber>> {
        let spared = |number: &AttrNumber| predicate.is_some_and(|clause| clause.spared.contains(number));
        let needed = self.usage.needed.as_ref()?;
        Some(needed.iter().copied().filter(|number| !spared(number)).collect())
    }

    /// Whether the keys alone are all that the statement reads.
    fn keys_cover(&self, ask: &Ask, needed: Option<&BTreeSet<AttrNumber>>) -> bool {
        let keys: Vec<AttrNumber> = ask.key_columns().collect();
        let visible = self.relation.all_visible_fraction > 0.0;
        visible && needed.is_some_and(|needed| needed.iter().all(|n| keys.contains(n)))
    }

    /// The ask with all other columns that the statement reads; None when it reads too many, or too wide ones, or
    /// when the visibility map would send every row to the table anyway.
    fn covering(&self, ask: &Ask, needed: Option<&BTreeSet<AttrNumber>>) -> Option<Ask> {
        let needed = needed?;
        let keys: Vec<AttrNumber> = ask.key_columns().collect();
        let include: Vec<AttrNumber> =
            needed.iter().copied().filter(|number| !keys.contains(number)).collect();
        let widths = || include.iter().map(|number| column_width(self.relation, *number));
        let fits = include.len() <= self.options.max_include_columns
            && widths().sum::<f64>() <= self.options.max_include_width
            && widths().all(|width| width <= WIDEST_INCLUDED);
        if include.is_empty() || !fits || self.relation.all_visible_fraction <= 0.0 {
            return None;
        }
        if copies_the_table(self.relation, &keys, &include) && !self.reads_much() {
            return None;
        }
        let because = format!("{}, with all columns read", ask.because);
        Some(Ask { include, because, ..ask.clone() })
    }

    /// Whether a unique index on columns compared with single values leaves at most one row to read. A covering copy of that
    /// index would spare one page, which the planner prices as half of such a statement and which is nearly always cached.
    pub fn reads_one_row(&self) -> bool {
        let compared = |key: &Key| {
            let mut equal = self.equal.iter().filter(|bound| bound.kind == ClauseKind::Equality);
            equal.any(|bound| bound.part.compares_like(&key.part))
        };
        self.relation.indexes.iter().filter(|index| index.valid && index.unique).any(|index| {
            let definition = index.definition.as_ref();
            definition.is_some_and(|it| it.predicate.is_none() && it.keys.iter().all(compared))
        })
    }

    /// Whether the restrictions leave so many rows that the table's width matters more than finding them. A join's rows
    /// are unknown here, so a relation that is joined and not restricted may well be read row by row.
    fn reads_much(&self) -> bool {
        let usage = self.usage;
        let looked_up = usage.restrictions.is_empty() && !usage.joins.is_empty();
        !looked_up && usage.rows >= LARGE_PART * usage.tuples
    }

    /// Whether an existing index gives all this: it has the same shape, or it is unique on columns bound to single
    /// values, so that at most one row is left to find.
    fn is_served(&self, ask: &Ask) -> bool {
        let single = |part: &KeyPart| {
            let bound = self.equal.iter().find(|bound| bound.part.compares_like(part));
            bound.is_none_or(|bound| bound.kind == ClauseKind::Equality)
        };
        self.relation.indexes.iter().filter(|index| index.valid).any(|index| {
            let Some(definition) = &index.definition else { return false };
            let one_row = index.unique
                && definition.predicate.is_none()
                && ask.include.is_empty()
                && definition
                    .keys
                    .iter()
                    .all(|key| ask.equal.iter().any(|part| part.compares_like(&key.part) && single(part)));
            one_row || ask.is_served_by(definition)
        })
    }

    /// `what a, b`; empty without keys.
    pub fn words(&self, what: &str, parts: &[KeyPart]) -> String {
        let names: Vec<&str> = parts.iter().map(|part| self.name(part)).collect();
        match names.split_last() {
            None => String::new(),
            Some((only, [])) => format!("{what} {only}"),
            Some((last, others)) => format!("{what} {} and {last}", others.join(", ")),
        }
    }

    fn name<'p>(&'p self, part: &'p KeyPart) -> &'p str {
        match &part.target {
            KeyTarget::Column(number) => {
                self.relation.column(*number).map_or("?", |column| column.sql_name.as_str())
            }
            KeyTarget::Expression(expression) => &expression.sql,
        }
    }
}

/// The ask for the rows of a predicate only. A key that the predicate holds to one value is left out.
fn partial(asking: &Asking<'_>, ask: &Ask, clause: &PredicateClause) -> Ask {
    let predicate = &clause.expression;
    let fixed = |part: &KeyPart| match part.target {
        KeyTarget::Column(number) => {
            let restricted =
                asking.equal.iter().any(|bound| bound.is_single() && bound.part.compares_like(part));
            restricted && clause.decides.contains(&number)
        }
        KeyTarget::Expression(_) => false,
    };
    let mut partial = ask.clone();
    partial.equal.retain(|part| !fixed(part));
    if partial.equal.is_empty() && partial.tail.is_empty() {
        partial.equal = ask.equal.clone();
    }
    partial.because = format!("{}, in rows where {}", ask.because, bare(&predicate.sql));
    partial.predicate = Some(predicate.clone());
    partial
}

pub(super) fn parts(bounds: &[Bound]) -> Vec<KeyPart> {
    bounds.iter().map(|bound| bound.part.clone()).collect()
}

fn first_of_each(bounds: Vec<Bound>) -> Vec<Bound> {
    let mut kept: Vec<Bound> = Vec::new();
    for bound in bounds {
        if !kept.iter().any(|other| other.part.compares_like(&bound.part)) {
            kept.push(bound);
        }
    }
    kept
}

fn worth_a_predicate(clause: &PredicateClause, all: &[PredicateClause]) -> bool {
    let sql = clause.expression.sql.trim_end_matches(')');
    let null_test = sql.ends_with(" IS NULL") || sql.ends_with(" IS NOT NULL");
    let part = |other: &&PredicateClause| {
        let (whole, part) = (&clause.expression.columns, &other.expression.columns);
        other.expression != clause.expression
            && clause.expression.sql.contains(&other.expression.sql)
            && part.iter().all(|column| whole.contains(column))
    };
    let fewest = all.iter().filter(part).map(|part| CLEARLY_FEWER * part.selectivity).fold(1.0, f64::min);
    let most = match null_test {
        _ if clause.is_joint() => PARTIAL_JOINT_SELECTIVITY,
        true => PARTIAL_NULL_SELECTIVITY,
        false => PARTIAL_SELECTIVITY,
    };
    clause.selectivity < most.min(fewest)
}

/// An expression without the parentheses around the whole of it.
fn bare(sql: &str) -> &str {
    let inner = sql.strip_prefix('(').and_then(|sql| sql.strip_suffix(')'));
    inner.filter(|inner| balanced(inner)).unwrap_or(sql)
}

/// Whether no parenthesis closes before it was opened.
fn balanced(sql: &str) -> bool {
    let mut depth = 0_i32;
    sql.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    })
}
