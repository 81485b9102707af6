//! Equal expressions that normalisation made different: `SELECT date_trunc($1, c) ... GROUP BY date_trunc('day', c)`.
//! PostgreSQL stores one of two equal expressions in the query tree and so normalises only its constants; where it
//! keeps both, their constants become parameters of different numbers. Either way the text no longer groups by what it
//! selects. Finds the edits that make such expressions equal again; does not judge whether the text needs them.

use super::Repair;
use super::repair::Edit;
use super::tokens::{Kind, Tokens};
use std::collections::{BTreeMap, BTreeSet};

/// Tokens that one text may spend on comparing expressions, so that a text of a megabyte stays quick.
const COMPARISONS: usize = 2_000_000;

/// One query level: `SELECT` to the end of its brackets or to the next UNION.
#[derive(Debug, Default)]
struct Clauses {
    distinct: bool,
    /// Ranges of tokens.
    keys: Vec<(usize, usize)>,
    places: Vec<(usize, usize)>,
}

/// The edits that make grouped expressions equal again; empty when there is nothing to do.
pub(super) fn regroup(tokens: &Tokens) -> Vec<Edit> {
    let mut edits = BTreeMap::new();
    let mut budget = COMPARISONS;
    for at in 0..tokens.len() {
        if tokens.is(at, "select") && !(at > 0 && tokens.is(at - 1, ".")) {
            let clauses = clauses(tokens, at, &mut budget);
            for &key in &clauses.keys {
                if budget == 0 {
                    return Vec::new();
                }
                unify(tokens, key, &clauses.places, &mut edits, &mut budget);
            }
        }
    }
    edits.into_values().collect()
}

/// The clauses of the SELECT at `select` in which a grouped expression may be repeated.
fn clauses(tokens: &Tokens, select: usize, budget: &mut usize) -> Clauses {
    let mut found = Clauses::default();
    let mut first = select + 1;
    if tokens.is(first, "distinct") {
        found.distinct = true;
        first += 1;
        if tokens.is(first, "on") && tokens.is(first + 1, "(") {
            let close = tokens.step(first + 1);
            found.keys = tokens.split(first + 2, close.saturating_sub(1));
            found.distinct = false;
            first = close;
        }
    }
    let mut starts = vec![(first, "select")];
    let mut at = first;
    while at < tokens.len() && *budget > 0 && !tokens.is_any(at, &[")", ";", "union", "intersect", "except"])
    {
        let clause = match tokens.get(at) {
            Some(token) if token.kind == Kind::Word => ENDS.iter().find(|word| token.is(word)),
            _ => None,
        };
        match clause {
            // GROUP in WITHIN GROUP, FROM in IS DISTINCT FROM do not end a clause.
            Some(&"group") if !tokens.is(at + 1, "by") => {}
            Some(&"order") if !tokens.is(at + 1, "by") => {}
            Some(&"from") if tokens.is_any(at.wrapping_sub(1), &["distinct"]) && at > first => {}
            Some(&clause) => starts.push((at, clause)),
            None => {}
        }
        at = tokens.step(at);
        *budget -= 1;
    }
    starts.push((at, "end"));
    for pair in starts.windows(2) {
        let ((from, clause), (to, _)) = (pair[0], pair[1]);
        match clause {
            "select" => {
                found.places.push((from, to));
                if found.distinct {
                    found.keys.extend(tokens.split(from, to).iter().map(|&item| without_alias(tokens, item)));
                }
            }
            "group" => {
                for item in tokens.split((from + 2).min(to), to) {
                    flatten(tokens, item, &mut found.keys, 0);
                }
            }
            "having" => found.places.push((from + 1, to)),
            "order" => found.places.push(((from + 2).min(to), to)),
            _ => {}
        }
    }
    let groups = found.keys.clone();
    if !groups.is_empty() {
        // GROUP BY's own items may be compared too: the literal may stand in any of the places.
        found.places.extend(groups);
    }
    found
}

const ENDS: [&str; 10] =
    ["from", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "for"];

/// `ROLLUP (a, b)`, `GROUPING SETS ((a), (b))`, `(a, b)`: what is inside.
fn flatten(tokens: &Tokens, item: (usize, usize), keys: &mut Vec<(usize, usize)>, depth: usize) {
    let (mut from, to) = item;
    while from < to && tokens.is_any(from, &["rollup", "cube", "grouping", "sets", "distinct", "all"]) {
        from += 1;
    }
    if depth < 4 && tokens.is(from, "(") && tokens.step(from) == to {
        for inner in tokens.split(from + 1, to - 1) {
            flatten(tokens, inner, keys, depth + 1);
        }
    } else if from < to {
        keys.push((from, to));
    }
}

fn without_alias(tokens: &Tokens, (from, to): (usize, usize)) -> (usize, usize) {
    if to >= from + 3 && tokens.is(to - 2, "as") { (from, to - 2) } else { (from, to) }
}

/// Makes every repetition of the key in the places equal to it.
fn unify(
    tokens: &Tokens,
    key: (usize, usize),
    places: &[(usize, usize)],
    edits: &mut BTreeMap<usize, Edit>,
    budget: &mut usize,
) {
    let constants = (key.0..key.1).filter(|&at| is_constant(tokens, at)).count();
    let others = (key.0..key.1)
        .any(|at| tokens.get(at).is_some_and(|token| !is_constant(tokens, at) && token.kind != Kind::Symbol));
    if constants == 0 || !others {
        return;
    }
    // Every occurrence as the list of its constants' token ranges.
    let mut occurrences: BTreeSet<Vec<(usize, usize)>> = BTreeSet::new();
    for &(from, to) in places {
        let mut at = from;
        while at < to {
            match compare(tokens, key, (at, to), budget) {
                Some((found, end)) => {
                    occurrences.insert(found);
                    at = end.max(at + 1);
                }
                None => at += 1,
            }
            if *budget == 0 {
                return;
            }
        }
    }
    for constant in 0..constants {
        let ranges: Vec<(usize, usize)> =
            occurrences.iter().filter_map(|found| found.get(constant).copied()).collect();
        let literal = ranges.iter().find(|range| tokens.parameter(range.0).is_none());
        let lowest = ranges
            .iter()
            .filter(|range| tokens.parameter(range.0).is_some())
            .min_by_key(|range| tokens.parameter(range.0));
        let Some(&model) = literal.or(lowest) else { continue };
        let with = tokens.slice(model.0, model.1);
        for &(at, _) in &ranges {
            let Some(token) = tokens.get(at) else { continue };

            if token.parameter().is_some() && token.raw != with && !edits.contains_key(&at) {
                let edit = Edit {
                    start: token.start,
                    end: token.end,
                    with: with.to_owned(),
                    repair: Repair::GroupedParameter,
                    about: at,
                };
                edits.insert(at, edit);
            }
        }
    }
}

/// Whether normalisation could have put, or has put, a parameter here.
fn is_constant(tokens: &Tokens, at: usize) -> bool {
    tokens.get(at).is_some_and(|token| {
        matches!(token.kind, Kind::Parameter(_) | Kind::Literal | Kind::Number)
            || token.is_any(&["null", "true", "false"])
            || is_field(tokens, at)
    })
}

/// The field of EXTRACT.
fn is_field(tokens: &Tokens, at: usize) -> bool {
    at >= 2 && tokens.is(at + 1, "from") && tokens.are(at - 2, &["extract", "("])
}

/// Whether the tokens at `place` repeat the key but for constants; then the constants' ranges there, and the end.
fn compare(
    tokens: &Tokens,
    key: (usize, usize),
    place: (usize, usize),
    budget: &mut usize,
) -> Option<(Vec<(usize, usize)>, usize)> {
    let (mut left, mut right) = (key.0, place.0);
    let mut constants = Vec::new();
    while left < key.1 {
        *budget = budget.saturating_sub(1);
        if right >= place.1 || *budget == 0 {
            return None;
        }
        if is_constant(tokens, left) || (signed(tokens, left) && !tokens.is(right, "-")) {
            let start = right;
            right += usize::from(signed(tokens, right));
            left += usize::from(signed(tokens, left));
            if right >= place.1 || !is_constant(tokens, right) {
                return None;
            }
            constants.push((start, right + 1));
        } else if is_constant(tokens, right) {
            return None;
        } else {
            let (key, here) = (tokens.get(left)?, tokens.get(right)?);
            let same = match (key.kind, here.kind) {
                (Kind::Word, Kind::Word) => key.raw.eq_ignore_ascii_case(here.raw),
                (a, b) if a == b => key.raw == here.raw,
                _ => false,
            };
            if !same {
                return None;
            }
        }
        left += 1;
        right += 1;
    }
    Some((constants, right))
}

/// A sign that belongs to the number after it: `-1` as a whole becomes one parameter.
fn signed(tokens: &Tokens, at: usize) -> bool {
    let operand = at > 0
        && (tokens.is_any(at - 1, &[")", "]"])
            || tokens.get(at - 1).is_some_and(|token| !matches!(token.kind, Kind::Symbol | Kind::Squashed)));
    tokens.is(at, "-") && !operand && tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Number)
}
