//! Tables that a statement makes of parameters, `(VALUES ($1, $2)) x(k, v)`, and the columns of real tables that theirs
//! meet: a constant there took the other side's type, a parameter becomes text. Gives types only.

use super::relations::Mention;
use super::scope::{COMPARISONS, Scope};
use super::tokens::Tokens;
use super::{ParameterType, RelationName};
use std::collections::BTreeMap;

type Types = BTreeMap<u32, ParameterType>;

/// Derived tables that are followed up, and the tokens looked at for each: a text of a megabyte stays quick.
const MOST_TABLES: usize = 20;

/// A table made of parameters: `(VALUES ($1, $2), ...) x(k, v)`, `x(k, v) AS (VALUES ...)`, `(SELECT $1 AS k) x`.
#[derive(Debug)]
pub(super) struct Derived {
    /// Its name and its aliases.
    names: Vec<String>,
    /// Each column's name and the parameters that stand in it.
    columns: Vec<(String, Vec<u32>)>,
}

/// The derived tables of a statement, at most `MOST_TABLES`.
pub(super) fn derived_tables(tokens: &Tokens, mentions: &[Mention]) -> Vec<Derived> {
    let mut found = Vec::new();
    for open in 0..tokens.len() {
        let values = tokens.is(open + 1, "values");
        if !tokens.is(open, "(") || !(values || tokens.is(open + 1, "select")) {
            continue;
        }
        let Some(close) = tokens.mate(open) else { continue };
        let mut columns =
            if values { value_columns(tokens, open, close) } else { select_columns(tokens, open, close) };
        if found.len() == MOST_TABLES || columns.iter().all(|(_, parameters)| parameters.is_empty()) {
            continue;
        }
        let Some((name, given)) = name_after(tokens, close + 1).or_else(|| name_before(tokens, open)) else {
            continue;
        };
        for (column, given) in columns.iter_mut().zip(given) {
            column.0 = given;
        }
        let meant = mentions.iter().filter(|mention| mention.cte && mention.relation.name == name);
        let mut names: Vec<String> = meant.filter_map(|mention| mention.alias.clone()).collect();
        names.push(name);
        found.push(Derived { names, columns });
    }
    found
}

/// The columns of `VALUES (..), (..)`, named as PostgreSQL names them.
fn value_columns(tokens: &Tokens, open: usize, close: usize) -> Vec<(String, Vec<u32>)> {
    let mut columns: Vec<(String, Vec<u32>)> = Vec::new();
    for (from, to) in tokens.split(open + 2, close) {
        if !(tokens.is(from, "(") && tokens.step(from) == to) {
            return Vec::new();
        }
        for (index, (first, last)) in tokens.split(from + 1, to - 1).into_iter().enumerate() {
            if columns.len() <= index {
                columns.push((format!("column{}", index + 1), Vec::new()));
            }
            if last == first + 1 {
                columns[index].1.extend(tokens.parameter(first));
            }
        }
    }
    columns
}

const SELECT_ENDS: [&str; 8] = ["from", "where", "union", "intersect", "except", "order", "group", "limit"];

/// The columns of a sub-select that are a parameter and nothing else.
fn select_columns(tokens: &Tokens, open: usize, close: usize) -> Vec<(String, Vec<u32>)> {
    let mut end = open + 2;
    while end < close && !tokens.is_any(end, &SELECT_ENDS) {
        end = tokens.step(end);
    }
    let mut columns = Vec::new();
    for (from, to) in tokens.split((open + 2).min(end), end) {
        let named = to.checked_sub(1).and_then(|last| tokens.identifier(last)).unwrap_or_default();
        let bare = tokens
            .parameter(from)
            .filter(|_| to == from + 1 || to == from + 2 || (to == from + 3 && tokens.is(from + 1, "as")));
        columns.push((named, bare.into_iter().collect::<Vec<u32>>()));
    }
    // The other arms of a UNION fill the same columns.
    while tokens.is_any(end, &["union", "intersect", "except"]) && end < close {
        let first = if tokens.is_any(end + 1, &["all", "distinct"]) { end + 3 } else { end + 2 };
        end = first;
        while end < close && !tokens.is_any(end, &SELECT_ENDS) {
            end = tokens.step(end);
        }
        for ((_, numbers), (from, to)) in columns.iter_mut().zip(tokens.split(first.min(end), end)) {
            numbers.extend(tokens.parameter(from).filter(|_| to == from + 1));
        }
    }
    columns
}

/// `[AS] name [(columns)]` after a derived table.
fn name_after(tokens: &Tokens, at: usize) -> Option<(String, Vec<String>)> {
    let at = at + usize::from(tokens.is(at, "as"));
    let name = tokens.identifier(at)?;
    let taken = [
        "where",
        "on",
        "join",
        "order",
        "group",
        "limit",
        "union",
        "and",
        "or",
        "set",
        "from",
        "select",
        "as",
        "returning",
    ];
    (!tokens.is_any(at, &taken)).then(|| (name, column_names(tokens, at + 1)))
}

/// `name [(columns)] AS [[NOT] MATERIALIZED]` before a CTE's bracket.
fn name_before(tokens: &Tokens, open: usize) -> Option<(String, Vec<String>)> {
    let mut at = open.checked_sub(1)?;
    while at > 0 && tokens.is_any(at, &["materialized", "not"]) {
        at -= 1;
    }
    if !tokens.is(at, "as") {
        return None;
    }
    at = at.checked_sub(1)?;
    let columns = if tokens.is(at, ")") { tokens.mate(at)? } else { at + 1 };
    let name = tokens.identifier(columns.checked_sub(1)?)?;
    Some((name, column_names(tokens, columns)))
}

fn column_names(tokens: &Tokens, open: usize) -> Vec<String> {
    let Some(close) = tokens.is(open, "(").then(|| tokens.mate(open)).flatten() else { return Vec::new() };
    tokens.split(open + 1, close).iter().filter_map(|&(from, _)| tokens.identifier(from)).collect()
}

impl Scope<'_> {
    /// Gives a derived table's parameters the type of the column that theirs is compared with or assigned to.
    pub fn compare_columns(&self, table: &Derived, types: &mut Types) {
        for at in 0..self.tokens.len() {
            let Some(name) = self.tokens.identifier(at) else { continue };
            let qualified = table.names.contains(&name) && self.tokens.is(at + 1, ".");
            let column = if qualified { at + 2 } else { at };
            let Some(name) = (if qualified { self.tokens.identifier(column) } else { Some(name) }) else {
                continue;
            };
            let Some((_, parameters)) = table.columns.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            if !qualified && (self.tokens.is(at + 1, ".") || (at > 0 && self.tokens.is(at - 1, "."))) {
                continue;
            }
            if qualified && (self.is_arithmetic(column + 1) || (at > 0 && self.is_arithmetic(at - 1))) {
                for &number in parameters {
                    types.entry(number).or_insert_with(|| ParameterType::Named("integer".to_owned()));
                }
            }
            let other = if self.tokens.is_any(column + 1, &COMPARISONS) {
                self.column(column + 2)
            } else if at > 0 && self.tokens.is_any(at - 1, &COMPARISONS) {
                self.column_before(at - 1)
            } else {
                None
            };
            // `where x.k = v.k` says nothing of a table that is itself derived.
            let Some(other) = other else { continue };
            for &number in parameters {
                types.entry(number).or_insert_with(|| other.clone());
            }
        }
    }

    /// `c IN (VALUES ($1), ($2))` and `c = ANY (VALUES ...)`.
    pub fn sub_values(&self, at: usize, likely: &mut Types) {
        let tokens = self.tokens;
        if !(at > 1 && tokens.is(at, "(") && tokens.is(at + 1, "values")) {
            return;
        }
        let Some(close) = tokens.mate(at) else { return };
        let mut end = at - 1;
        if tokens.is(end, "in") {
            end -= usize::from(tokens.is(end - 1, "not"));
        } else if tokens.is_any(end, &["any", "some", "all"]) && tokens.is_any(end - 1, &COMPARISONS) {
            end -= 1;
        } else {
            return;
        }
        let columns = value_columns(tokens, at, close);
        let mut types = vec![self.column_before(end)];
        if let Some(open) =
            end.checked_sub(1).filter(|&last| tokens.is(last, ")")).and_then(|last| tokens.mate(last))
        {
            types = tokens.split(open + 1, end - 1).iter().map(|&(_, to)| self.column_before(to)).collect();
        }
        for ((_, numbers), column) in columns.iter().zip(types) {
            let Some(column) = column else { continue };
            for &number in numbers {
                likely.entry(number).or_insert_with(|| column.clone());
            }
        }
    }

    fn is_arithmetic(&self, at: usize) -> bool {
        self.tokens.is_any(at, &["+", "-", "*", "/", "%"])
    }

    /// `... JOIN (VALUES ($1)) v(id) USING (id)`.
    pub fn join_using(&self, table: &Derived, types: &mut Types) {
        let Some(relation) =
            self.mentions.iter().find(|mention| !mention.cte).map(|mention| &mention.relation)
        else {
            return;
        };
        let usings = (0..self.tokens.len()).filter(|&at| self.tokens.are(at, &["using", "("]));
        for at in usings {
            let Some(close) = self.tokens.mate(at + 1) else { continue };
            for (from, _) in self.tokens.split(at + 2, close) {
                let Some(name) = self.tokens.identifier(from) else { continue };
                let Some((column, numbers)) = table.columns.iter().find(|(known, _)| *known == name) else {
                    continue;
                };
                for &number in numbers {
                    types.entry(number).or_insert_with(|| of_column(relation, column));
                }
            }
        }
    }

    /// `INSERT INTO t (a, b) SELECT v.a, $2 ...`: what is selected takes the type of the column it goes to.
    pub fn insert_select(&self, tables: &[Derived], types: &mut Types) {
        let tokens = self.tokens;
        let Some(into) = (1..tokens.len()).find(|&at| tokens.is(at, "into") && tokens.is(at - 1, "insert"))
        else {
            return;
        };
        let Some((relation, mut at)) = super::unwrap::relation_name(tokens, into + 1) else { return };
        if tokens.is(at, "as") {
            at += 2;
        }
        let Some(close) = tokens.is(at, "(").then(|| tokens.mate(at)).flatten() else { return };
        let columns: Vec<Option<String>> =
            tokens.split(at + 1, close).iter().map(|&(from, _)| tokens.identifier(from)).collect();
        if !tokens.is(close + 1, "select") {
            return;
        }
        // One SELECT alone coerces its parameters; the arms of a UNION do not.
        let selected = select_columns(tokens, close, tokens.len());
        for (column, (_, numbers)) in columns.iter().zip(&selected) {
            for &number in numbers.iter().filter(|_| numbers.len() > 1) {
                if let Some(column) = column {
                    types.entry(number).or_insert_with(|| of_column(&relation, column));
                }
            }
        }
        let mut end = close + 2;
        while end < tokens.len() && !tokens.is_any(end, &SELECT_ENDS) {
            end = tokens.step(end);
        }
        for (column, (_, to)) in columns.iter().zip(tokens.split((close + 2).min(end), end)) {
            let (Some(column), Some(name)) =
                (column, to.checked_sub(1).and_then(|last| tokens.identifier(last)))
            else {
                continue;
            };
            for table in tables {
                let Some((_, numbers)) = table.columns.iter().find(|(known, _)| *known == name) else {
                    continue;
                };
                for &number in numbers {
                    types.entry(number).or_insert_with(|| of_column(&relation, column));
                }
            }
        }
    }
}

fn of_column(relation: &RelationName, column: &str) -> ParameterType {
    ParameterType::OfColumn { relation: relation.clone(), column: column.to_owned() }
}
