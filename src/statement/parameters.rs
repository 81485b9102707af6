//! Types for parameters that PostgreSQL cannot infer, or infers wrongly, from where they stand: a constant said more
//! than a parameter does. Gives types only; does not change the text.

use super::relations::Mention;
use super::repair::Mended;
use super::tokens::{Kind, Tokens};
use super::{ParameterType, RelationName};
use std::collections::BTreeMap;

type Types = BTreeMap<u32, ParameterType>;

/// The types of a statement's parameters: those the text shows, and others to try in turn.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// Declared by PREPARE, or shown by the column that a parameter is compared with.
    pub certain: Types,
    /// Shown by a column, but not where the column may be another's.
    pub likely: Types,
    /// For each alternative, the types of the parameters that are ambiguous.
    pub alternatives: Vec<Types>,
}

impl Choices {
    /// The sets of types to try, in order.
    pub fn assignments(&self) -> Vec<Types> {
        let with = |more: &[&Types]| {
            let mut all = self.certain.clone();
            for types in more {
                for (number, kind) in *types {
                    all.entry(*number).or_insert_with(|| kind.clone());
                }
            }
            all
        };
        let mut sets = vec![with(&[&self.likely])];
        sets.extend(self.alternatives.iter().map(|types| with(&[&self.likely, types])));
        if !self.likely.is_empty() {
            sets.push(with(&[]));
        }
        sets
    }
}

/// What a group of ambiguous parameters may be; the types are tried in this order.
const NUMBERS: [&str; 4] = ["integer", "numeric", "double precision", "timestamptz"];
const SERIES: [&str; 5] = ["integer", "timestamptz", "bigint", "numeric", "timestamp"];
const SHIFTS: [&str; 3] = ["interval", "integer", "numeric"];
const ARRAYS: [&str; 5] = ["integer[]", "text[]", "bigint[]", "uuid[]", "timestamptz[]"];
const TIMES: [&str; 2] = ["timestamptz", "date"];
const ELEMENTS: [&str; 4] = ["integer", "bigint", "uuid", "timestamptz"];

/// Functions that PostgreSQL cannot choose among when every argument is an untyped parameter.
const AMBIGUOUS: [(&str, &[&str]); 34] = [
    ("generate_series", &SERIES),
    ("unnest", &ARRAYS),
    ("cardinality", &ARRAYS),
    ("array_length", &ARRAYS),
    ("array_upper", &ARRAYS),
    ("array_lower", &ARRAYS),
    ("array_to_string", &ARRAYS),
    ("array_ndims", &ARRAYS),
    ("sum", &NUMBERS),
    ("avg", &NUMBERS),
    ("abs", &NUMBERS),
    ("round", &NUMBERS),
    ("ceil", &NUMBERS),
    ("ceiling", &NUMBERS),
    ("floor", &NUMBERS),
    ("sqrt", &NUMBERS),
    ("power", &NUMBERS),
    ("pow", &NUMBERS),
    ("mod", &NUMBERS),
    ("sign", &NUMBERS),
    ("exp", &NUMBERS),
    ("ln", &NUMBERS),
    ("log", &NUMBERS),
    ("trunc", &NUMBERS),
    ("div", &NUMBERS),
    ("stddev", &NUMBERS),
    ("variance", &NUMBERS),
    ("date_trunc", &TIMES),
    ("date_part", &TIMES),
    ("to_char", &TIMES),
    ("age", &TIMES),
    ("extract", &TIMES),
    ("random", &NUMBERS),
    ("isfinite", &TIMES),
];

/// Finds what can be said of a statement's parameters.
pub(super) fn choices(
    tokens: &Tokens,
    mentions: &[Mention],
    aliases: &BTreeMap<String, RelationName>,
    mended: &Mended,
) -> Choices {
    let scope = Scope { tokens, mentions, aliases };
    let mut choices = Choices::default();
    for table in derived_tables(tokens) {
        scope.compare_columns(&table, &mut choices.likely);
    }
    let mut groups: Vec<(u32, &[&str])> = Vec::new();
    for at in 0..tokens.len() {
        scope.array(at, mended, &mut choices.likely, &mut groups);
        scope.sub_values(at, &mut choices.likely);
        if tokens.parameter(at).is_some() && is_bare(tokens, at) && !mended.typed.contains(&at) {
            ambiguous_call(tokens, at, mended, &mut groups);
            ambiguous_operator(tokens, at, mended, &mut groups);
        }
    }
    groups.retain(|(number, _)| !choices.likely.contains_key(number));
    let most = groups.iter().map(|(_, types)| types.len()).max().unwrap_or(0);
    for round in 0..most {
        let mut types = Types::new();
        for (number, names) in &groups {
            // A shorter list stays at its end while a longer one goes on.
            if let Some(name) = names.get(round).or(names.last()) {
                types.entry(*number).or_insert_with(|| ParameterType::Named((*name).to_owned()));
            }
        }
        choices.alternatives.push(types);
    }
    choices
}

/// Not cast, not subscripted, not typed.
fn is_bare(tokens: &Tokens, at: usize) -> bool {
    !tokens.is_any(at + 1, &["::", "[", "."])
}

fn is_operand(tokens: &Tokens, at: usize, mended: &Mended) -> bool {
    tokens.parameter(at).is_some() && is_bare(tokens, at) && !mended.typed.contains(&at)
}

/// `f($1, $2)` where only the types of the arguments tell which `f`.
fn ambiguous_call(tokens: &Tokens, at: usize, mended: &Mended, groups: &mut Vec<(u32, &[&str])>) {
    let Some(open) = at.checked_sub(1).filter(|&open| tokens.is(open, "(")) else { return };
    let (Some(close), Some(name)) = (tokens.mate(open), open.checked_sub(1)) else { return };
    let Some(&(function, types)) = AMBIGUOUS.iter().find(|(function, _)| tokens.is(name, function)) else {
        return;
    };
    let mut arguments = Vec::new();
    let mut argument = at;
    while argument < close {
        if !is_operand(tokens, argument, mended) {
            return;
        }
        arguments.extend(tokens.parameter(argument));
        argument += 2;
    }
    let leading = ["date_trunc", "date_part", "extract"].contains(&function);
    for (index, &number) in arguments.iter().enumerate() {
        match (function, index) {
            // The step of a series of times is an interval: see the rounds in `SERIES`.
            ("generate_series", 2) => {
                groups.push((number, &["integer", "interval", "bigint", "numeric", "interval"]))
            }
            ("array_length" | "array_upper" | "array_lower", 1) => groups.push((number, &["integer"])),
            ("array_to_string" | "to_char", 1) => groups.push((number, &["text"])),
            _ if leading && index == 0 => groups.push((number, &["text"])),
            _ => groups.push((number, types)),
        }
    }
}

/// `$1 + $2`, `- $1`, and `x - $1` where the parameter was an interval and would be taken for a time.
fn ambiguous_operator(tokens: &Tokens, at: usize, mended: &Mended, groups: &mut Vec<(u32, &[&str])>) {
    let Some(number) = tokens.parameter(at) else { return };
    const ARITHMETIC: [&str; 6] = ["+", "-", "*", "/", "%", "^"];
    if tokens.is_any(at + 1, &ARITHMETIC) && is_operand(tokens, at + 2, mended) {
        groups.push((number, &NUMBERS));
        if let Some(other) = tokens.parameter(at + 2) {
            // A time less a time, or a time and an interval: the right side is taken as the former.
            groups.push((other, &["integer", "numeric", "double precision", "interval"]));
        }
        return;
    }
    let Some(sign) = at.checked_sub(1).filter(|&sign| tokens.is_any(sign, &["-", "+"])) else { return };
    let Some(left) = sign.checked_sub(1) else { return };
    if is_operand(tokens, left, mended) {
        return;
    }
    let dated = tokens.is_any(left, &["current_date", "date", "timestamp", "timestamptz"]);
    let operand =
        tokens.is_any(left, &[")", "]"]) || tokens.get(left).is_some_and(|token| token.kind != Kind::Symbol);
    if operand && (tokens.is(sign, "-") || dated) {
        groups.push((number, &SHIFTS));
    } else if !operand {
        groups.push((number, &NUMBERS));
    }
}

/// A table made of parameters: `(VALUES ($1, $2), ...) x(k, v)`, `x(k, v) AS (VALUES ...)`, `(SELECT $1 AS k) x`.
#[derive(Debug)]
struct Derived {
    name: String,
    /// Each column's name and the parameters that stand in it.
    columns: Vec<(String, Vec<u32>)>,
}

fn derived_tables(tokens: &Tokens) -> Vec<Derived> {
    let mut found = Vec::new();
    for open in 0..tokens.len() {
        let values = tokens.is(open + 1, "values");
        if !tokens.is(open, "(") || !(values || tokens.is(open + 1, "select")) {
            continue;
        }
        let Some(close) = tokens.mate(open) else { continue };
        let mut columns =
            if values { value_columns(tokens, open, close) } else { select_columns(tokens, open, close) };
        if columns.iter().all(|(_, parameters)| parameters.is_empty()) {
            continue;
        }
        let Some((name, given)) = name_after(tokens, close + 1).or_else(|| name_before(tokens, open)) else {
            continue;
        };
        for (column, given) in columns.iter_mut().zip(given) {
            column.0 = given;
        }
        found.push(Derived { name, columns });
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

/// The columns of a sub-select that are a parameter and nothing else.
fn select_columns(tokens: &Tokens, open: usize, close: usize) -> Vec<(String, Vec<u32>)> {
    let mut end = open + 2;
    while end < close && !tokens.is_any(end, &["from", "where", "union", "order", "group", "limit"]) {
        end = tokens.step(end);
    }
    let mut columns = Vec::new();
    for (from, to) in tokens.split(open + 2, end) {
        let named = to.checked_sub(1).and_then(|last| tokens.identifier(last)).unwrap_or_default();
        let bare = tokens
            .parameter(from)
            .filter(|_| to == from + 1 || to == from + 2 || (to == from + 3 && tokens.is(from + 1, "as")));
        columns.push((named, bare.into_iter().collect()));
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

/// What names mean in one statement.
#[derive(Clone, Copy, Debug)]
struct Scope<'a> {
    tokens: &'a Tokens<'a>,
    mentions: &'a [Mention],
    aliases: &'a BTreeMap<String, RelationName>,
}

const COMPARISONS: [&str; 6] = ["=", "<", ">", "<=", ">=", "<>"];

impl Scope<'_> {
    /// The column named by the tokens that end before `end`.
    fn column_before(&self, end: usize) -> Option<ParameterType> {
        let last = end.checked_sub(1)?;
        if last >= 2 && self.tokens.is(last - 1, ".") { self.column(last - 2) } else { self.column(last) }
    }

    /// The column `[relation.]column` named at `at`.
    fn column(&self, at: usize) -> Option<ParameterType> {
        let first = self.tokens.identifier(at)?;
        if self.tokens.is(at + 1, ".") {
            let relation = self.aliases.get(&first)?.clone();
            let column = self.tokens.identifier(at + 2)?;
            let plain = !self.tokens.is_any(at + 3, &["(", "."]);
            return plain.then_some(ParameterType::OfColumn { relation, column });
        }
        if self.tokens.is(at + 1, "(") || (at > 0 && self.tokens.is(at - 1, ".")) {
            return None;
        }
        // An unqualified name can be the target's, or the only relation's.
        let target = self.mentions.iter().find(|mention| mention.target);
        let relation = match (self.mentions, target) {
            (_, Some(target)) => target.relation.clone(),
            ([only], None) => only.relation.clone(),
            _ => return None,
        };
        Some(ParameterType::OfColumn { relation, column: first })
    }

    /// Gives a derived table's parameters the type of the column that theirs is compared with or assigned to.
    fn compare_columns(&self, table: &Derived, types: &mut Types) {
        for at in 0..self.tokens.len() {
            let Some(name) = self.tokens.identifier(at) else { continue };
            let qualified = name == table.name && self.tokens.is(at + 1, ".");
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

    /// `c = ANY (ARRAY[$1, $2])`: an array of untyped parameters is one of text.
    fn array(&self, at: usize, mended: &Mended, likely: &mut Types, groups: &mut Vec<(u32, &[&str])>) {
        let tokens = self.tokens;
        if !(tokens.is(at, "array") && tokens.is(at + 1, "[")) {
            return;
        }
        let Some(close) = tokens.mate(at + 1).filter(|&close| !tokens.is(close + 1, "::")) else { return };
        let mut numbers: Vec<u32> = Vec::new();
        for (from, to) in tokens.split(at + 2, close) {
            let squashed =
                to == from + 2 && tokens.get(from + 1).is_some_and(|token| token.kind == Kind::Squashed);
            if !(to == from + 1 || squashed) || !is_operand(tokens, from, mended) {
                return;
            }
            numbers.extend(tokens.parameter(from));
        }
        for list in &mended.squashed_lists {
            if list.first().is_some_and(|first| numbers.contains(first)) {
                numbers.extend(list.iter().skip(1));
            }
        }
        let mut before = at;
        while before > 0 && tokens.is(before - 1, "(") {
            before -= 1;
        }
        let any = before > 1
            && tokens.is_any(before - 1, &["any", "some", "all"])
            && tokens.is_any(before - 2, &COMPARISONS);
        let other = if any { self.column_before(before - 2) } else { None };
        for number in numbers {
            match &other {
                Some(column) => {
                    likely.entry(number).or_insert_with(|| column.clone());
                }
                None => groups.push((number, &ELEMENTS)),
            }
        }
    }

    /// `c IN (VALUES ($1), ($2))` and `c = ANY (VALUES ...)`.
    fn sub_values(&self, at: usize, likely: &mut Types) {
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
        if let ([(_, numbers)], Some(column)) = (columns.as_slice(), self.column_before(end)) {
            for &number in numbers {
                likely.entry(number).or_insert_with(|| column.clone());
            }
        }
    }
}
