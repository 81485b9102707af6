//! Types for parameters that PostgreSQL cannot infer, or infers wrongly, from where they stand: a constant said more
//! than a parameter does. Gives types only; does not change the text.

use super::derived::derived_tables;
use super::relations::Mention;
use super::repair::Mended;
use super::scope::Scope;
use super::tokens::{Kind, Tokens};
use super::{ParameterType, RelationName};
use std::collections::{BTreeMap, BTreeSet};

type Types = BTreeMap<u32, ParameterType>;

/// The types of a statement's parameters: those the text shows, and others to try in turn.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// Declared by PREPARE.
    pub certain: Types,
    /// Shown by a column that the parameter meets.
    pub likely: Types,
    /// For each alternative, types of the parameters that are ambiguous.
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

/// Parameters and the types that each may have, by round.
#[derive(Debug, Default)]
struct Groups {
    /// The server cannot choose by itself.
    must: Vec<(u32, &'static [&'static str])>,
    /// The server would take text, which may be right.
    may: Vec<(u32, &'static [&'static str])>,
}

impl Groups {
    /// The rounds: first what must be chosen, then what may be as well.
    fn alternatives(mut self, likely: &Types) -> Vec<Types> {
        self.must.retain(|(number, _)| !likely.contains_key(number));
        self.may.retain(|(number, _)| !likely.contains_key(number));
        let mut rounds = Groups::rounds(&self.must);
        if !self.may.is_empty() {
            self.must.extend(self.may);
            rounds.extend(Groups::rounds(&self.must));
        }
        rounds
    }

    fn rounds(groups: &[(u32, &'static [&'static str])]) -> Vec<Types> {
        let most = groups.iter().map(|(_, types)| types.len()).max().unwrap_or(0);
        let named = |name: &str| ParameterType::Named(name.to_owned());
        let mut rounds = Vec::new();
        for round in 0..most {
            let mut types = Types::new();
            for (number, names) in groups {
                // A shorter list stays at its end while a longer one goes on.
                if let Some(name) = names.get(round).or(names.last()) {
                    types.entry(*number).or_insert_with(|| named(name));
                }
            }
            rounds.push(types);
        }
        rounds
    }
}

/// What a group of ambiguous parameters may be; the types are tried in this order.
const NUMBERS: [&str; 4] = ["integer", "numeric", "double precision", "timestamptz"];
const SERIES: [&str; 5] = ["integer", "timestamptz", "bigint", "numeric", "timestamp"];
const SHIFTS: [&str; 3] = ["interval", "integer", "numeric"];
const ARRAYS: [&str; 5] = ["integer[]", "text[]", "bigint[]", "uuid[]", "timestamptz[]"];
const TEXT: [&str; 1] = ["text"];
const RIGHT_NUMBERS: [&str; 4] = ["integer", "numeric", "double precision", "interval"];
const ARITHMETIC: [&str; 6] = ["+", "-", "*", "/", "%", "^"];
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
    let mut likely = Types::new();
    let mut groups = Groups::default();
    let tables = derived_tables(tokens, mentions);
    for table in &tables {
        scope.compare_columns(table, &mut likely);
        scope.join_using(table, &mut likely);
    }
    scope.insert_select(&tables, &mut likely);
    let typed: BTreeSet<usize> = mended.typed.iter().copied().collect();
    let squashed: BTreeMap<u32, &[u32]> =
        mended.squashed_lists.iter().filter_map(|list| Some((*list.first()?, list.get(1..)?))).collect();
    for at in 0..tokens.len() {
        array(&scope, at, &squashed, &mut likely, &mut groups);
        scope.sub_values(at, &mut likely);
        if is_operand(tokens, at, &typed) {
            ambiguous_call(tokens, at, &typed, &mut groups);
            ambiguous_operator(&scope, at, &typed, &mut groups);
        }
    }
    for uniform in uniforms(tokens) {
        place_uniform(&scope, &uniform, &mut likely, &mut groups);
    }
    let alternatives = groups.alternatives(&likely);
    Choices { certain: Types::new(), likely, alternatives }
}

/// A parameter, not cast, not subscripted, not typed.
fn is_operand(tokens: &Tokens, at: usize, typed: &BTreeSet<usize>) -> bool {
    tokens.parameter(at).is_some() && !tokens.is_any(at + 1, &["::", "[", "."]) && !typed.contains(&at)
}

/// `f($1, $2)` where only the types of the arguments tell which `f`.
fn ambiguous_call(tokens: &Tokens, at: usize, typed: &BTreeSet<usize>, groups: &mut Groups) {
    let Some(before) = at.checked_sub(1) else { return };
    // extract($1 from $2): the field is typed by its repair, so the search starts at the source.
    if at >= 4 && tokens.is(before, "from") && tokens.is(at - 4, "extract") && tokens.is(at + 1, ")") {
        groups.must.extend(tokens.parameter(at - 2).map(|number| (number, &TEXT[..])));
        groups.must.extend(tokens.parameter(at).map(|number| (number, &TIMES[..])));
        return;
    }
    if !tokens.is(before, "(") {
        return;
    }
    let (Some(close), Some(name)) = (tokens.mate(before), before.checked_sub(1)) else { return };
    let Some(&(function, types)) = AMBIGUOUS.iter().find(|(function, _)| tokens.is(name, function)) else {
        return;
    };
    let mut arguments = Vec::new();
    let mut argument = at;
    while argument < close {
        if !is_operand(tokens, argument, typed) || !tokens.is_any(argument + 1, &[",", ")"]) {
            return;
        }
        arguments.extend(tokens.parameter(argument));
        argument += 2;
    }
    for (index, &number) in arguments.iter().enumerate() {
        let types = match (function, index) {
            // The step of a series of times is an interval: the rounds are those of `SERIES`.
            ("generate_series", 2) => &["integer", "interval", "bigint", "numeric", "interval"][..],
            ("array_length" | "array_upper" | "array_lower", 1) => &["integer"],
            ("array_to_string" | "to_char", 1) => &TEXT,
            ("date_trunc" | "date_part", 0) => &TEXT,
            _ => types,
        };
        groups.must.push((number, types));
    }
}

/// `$1 + $2`, `- $1`, `$1 + interval '1 day'`, and `x - $1` where the parameter was an interval and would be taken
/// for a time.
fn ambiguous_operator(scope: &Scope, at: usize, typed: &BTreeSet<usize>, groups: &mut Groups) {
    let tokens = scope.tokens;
    let Some(number) = tokens.parameter(at) else { return };
    let (from, to) = scope.widen(at, at + 1);
    let interval = |at: usize| tokens.is(at, "interval") || tokens.are(at + 1, &["::", "interval"]);
    if tokens.is_any(to, &["+", "-"]) && interval(to + 1) {
        groups.must.push((number, &TIMES));
        return;
    }
    if tokens.is_any(to, &ARITHMETIC) && is_operand(tokens, to + 1, typed) {
        groups.must.push((number, &NUMBERS));
        // A time less a time, or a time and an interval: the right side is taken as the latter.
        groups.must.extend(tokens.parameter(to + 1).map(|other| (other, &RIGHT_NUMBERS[..])));
        return;
    }
    let Some(sign) = from.checked_sub(1).filter(|&sign| tokens.is_any(sign, &["-", "+"])) else { return };
    let Some(left) = sign.checked_sub(1) else { return };
    if is_operand(tokens, left, typed) {
        return;
    }
    let word = tokens.get(left).is_some_and(|token| token.kind != Kind::Symbol);
    let prefix = [
        "select", "where", "and", "or", "then", "else", "when", "by", "on", "limit", "offset", "between",
        "in",
    ];
    let operand = tokens.is_any(left, &[")", "]"]) || (word && !tokens.is_any(left, &prefix));
    // `n = n + $1` counts; the server infers it.
    let counts = left >= 2
        && tokens.is(left - 1, "=")
        && tokens.get(left).map(|token| token.raw) == tokens.get(left - 2).map(|token| token.raw);
    if !operand {
        groups.must.push((number, &NUMBERS));
    } else if !counts {
        groups.may.push((number, &SHIFTS));
    }
}

/// `c = ANY (ARRAY[$1, $2])`: an array of untyped parameters is one of text.
fn array(
    scope: &Scope,
    at: usize,
    squashed: &BTreeMap<u32, &[u32]>,
    likely: &mut Types,
    groups: &mut Groups,
) {
    let tokens = scope.tokens;
    if !tokens.are(at, &["array", "["]) {
        return;
    }
    let Some(close) = tokens.mate(at + 1).filter(|&close| !tokens.is(close + 1, "::")) else { return };
    let mut numbers: Vec<u32> = Vec::new();
    for (from, to) in tokens.split(at + 2, close) {
        let marked = to == from + 2 && tokens.get(from + 1).is_some_and(|token| token.kind == Kind::Squashed);
        let Some(number) = tokens.parameter(from).filter(|_| to == from + 1 || marked) else { return };
        numbers.push(number);
        numbers.extend(squashed.get(&number).copied().unwrap_or_default());
    }
    match scope.compared_with(at, close + 1) {
        // `tags = ARRAY[$1]` compares arrays; only through ANY is the column of the elements' type.
        Some(column) if at > 1 && tokens.is_any(at - 2, &["any", "some", "all"]) => {
            for number in numbers {
                likely.entry(number).or_insert_with(|| column.clone());
            }
        }
        _ => groups.may.extend(numbers.into_iter().map(|number| (number, &ELEMENTS[..]))),
    }
}

/// An expression whose value is one of several parameters and nothing else, so that the server takes it for text:
/// `CASE WHEN a THEN $1 ELSE $2 END`, `coalesce($1, $2)`, `(SELECT $1 UNION SELECT $2)`.
#[derive(Debug)]
struct Uniform {
    from: usize,
    to: usize,
    numbers: Vec<u32>,
}

fn uniforms(tokens: &Tokens) -> Vec<Uniform> {
    let mut found = Vec::new();
    // Open CASEs: where each began, its parameters so far, whether all of its results are parameters.
    let mut cases: Vec<(usize, Vec<u32>, bool)> = Vec::new();
    for at in 0..tokens.len() {
        if tokens.is(at, "case") {
            cases.push((at, Vec::new(), true));
        } else if tokens.is_any(at, &["then", "else"]) {
            if let Some((_, numbers, uniform)) = cases.last_mut() {
                let ends = tokens.is_any(at + 2, &["when", "else", "end"]);
                match tokens.parameter(at + 1).filter(|_| ends) {
                    Some(number) => numbers.push(number),
                    None => *uniform &= ends && tokens.is(at + 1, "null"),
                }
            }
        } else if tokens.is(at, "end") {
            if let Some((from, numbers, true)) = cases.pop() {
                found.push(Uniform { from, to: at + 1, numbers });
            }
        } else if tokens.is_any(at, &["coalesce", "greatest", "least", "nullif"]) && tokens.is(at + 1, "(") {
            let Some(close) = tokens.mate(at + 1) else { continue };
            let parts = tokens.split(at + 2, close);
            let numbers: Vec<u32> = parts
                .iter()
                .filter(|(from, to)| *to == from + 1)
                .filter_map(|&(from, _)| tokens.parameter(from))
                .collect();
            if numbers.len() == parts.len() {
                found.push(Uniform { from: at, to: close + 1, numbers });
            }
        } else if tokens.are(at, &["(", "select"]) && tokens.parameter(at + 2).is_some() {
            let Some(close) = tokens.mate(at) else { continue };
            let mut numbers = Vec::new();
            let mut part = at + 1;
            while let Some(number) = tokens.parameter(part + 1).filter(|_| tokens.is(part, "select")) {
                numbers.push(number);
                part += 2;
                part += usize::from(tokens.is(part, "union")) + usize::from(tokens.is(part + 1, "all"));
            }
            if part == close {
                found.push(Uniform { from: at, to: close + 1, numbers });
            }
        }
    }
    found.retain(|uniform| !uniform.numbers.is_empty());
    found
}

fn place_uniform(scope: &Scope, uniform: &Uniform, likely: &mut Types, groups: &mut Groups) {
    let tokens = scope.tokens;
    if let Some(column) = scope.compared_with(uniform.from, uniform.to) {
        for &number in &uniform.numbers {
            likely.entry(number).or_insert_with(|| column.clone());
        }
        return;
    }
    let (from, to) = scope.widen(uniform.from, uniform.to);
    let summed = from >= 2 && tokens.is(from - 1, "(") && tokens.is_any(from - 2, &["sum", "avg"]);
    let computed = tokens.is_any(to, &ARITHMETIC) || (from > 0 && tokens.is_any(from - 1, &ARITHMETIC));
    let list = if summed || computed { &mut groups.must } else { &mut groups.may };
    list.extend(uniform.numbers.iter().map(|&number| (number, &NUMBERS[..])));
}
