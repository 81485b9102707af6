//! The plannable statement inside a utility statement: EXPLAIN, DECLARE CURSOR, COPY, CREATE TABLE AS, SELECT INTO,
//! CREATE MATERIALIZED VIEW, PREPARE, REFRESH MATERIALIZED VIEW. Does not look into the statement it finds.

use super::tokens::{Kind, Tokens};
use super::{RelationName, Wrapper};

/// What was inside.
#[derive(Debug)]
pub(super) struct Inner {
    pub wrapper: Wrapper,
    pub sql: String,
    /// The parameter types that PREPARE declares, in order.
    pub types: Vec<String>,
}

impl Inner {
    fn new(wrapper: Wrapper, sql: &str) -> Option<Self> {
        let sql = sql.trim();
        (!sql.is_empty()).then(|| Inner { wrapper, sql: sql.to_owned(), types: Vec::new() })
    }
}

/// Takes one wrapper off, if there is one.
pub(super) fn unwrap(tokens: &Tokens) -> Option<Inner> {
    match tokens.get(0)?.raw.to_ascii_lowercase().as_str() {
        "explain" => explain(tokens),
        "declare" => declare(tokens),
        "copy" => copy(tokens),
        "create" => create(tokens),
        "prepare" => prepare(tokens),
        "refresh" => refresh(tokens),
        "select" | "with" | "(" => select_into(tokens),
        _ => None,
    }
}

fn rest<'a>(tokens: &Tokens<'a>, from: usize) -> &'a str {
    tokens.slice(from, tokens.len())
}

fn explain(tokens: &Tokens) -> Option<Inner> {
    let mut at = 1;
    // EXPLAIN (SELECT 1) is legal too: an option list never starts with these.
    let query = ["select", "with", "values", "table", "("];
    if tokens.is(at, "(") && !tokens.is_any(at + 1, &query) {
        at = tokens.step(at);
    } else {
        while tokens.is_any(at, &["analyze", "analyse", "verbose"]) {
            at += 1;
        }
    }
    Inner::new(Wrapper::Explain, rest(tokens, at))
}

fn declare(tokens: &Tokens) -> Option<Inner> {
    let cursor = find(tokens, 2, "cursor")?;
    let start = find(tokens, cursor, "for")? + 1;
    Inner::new(Wrapper::DeclareCursor, rest(tokens, start))
}

fn copy(tokens: &Tokens) -> Option<Inner> {
    let close = tokens.is(1, "(").then(|| tokens.mate(1)).flatten()?;
    Inner::new(Wrapper::Copy, tokens.slice(2, close))
}

fn create(tokens: &Tokens) -> Option<Inner> {
    let mut at = 1;
    while tokens.is_any(at, &["global", "local", "temporary", "temp", "unlogged"]) {
        at += 1;
    }
    let wrapper = if tokens.is(at, "table") {
        Wrapper::CreateTableAs
    } else if tokens.are(at, &["materialized", "view"]) {
        Wrapper::CreateMaterializedView
    } else {
        return None;
    };
    // The query follows the first AS outside brackets; column definitions stand inside.
    let start = find(tokens, at, "as")? + 1;
    let mut end = tokens.len();
    for (length, tail) in [(3, &["with", "no", "data"][..]), (2, &["with", "data"][..])] {
        if end > start + length && tokens.are(end - length, tail) {
            end -= length;
            break;
        }
    }
    Inner::new(wrapper, tokens.slice(start, end))
}

fn prepare(tokens: &Tokens) -> Option<Inner> {
    if tokens.is(1, "transaction") && !tokens.is_any(2, &["as", "("]) {
        return None;
    }
    let mut at = 2;
    let mut types = Vec::new();
    if tokens.is(at, "(") {
        let close = tokens.mate(at)?;
        let parts = tokens.split(at + 1, close);
        types = parts.iter().map(|&(from, to)| tokens.slice(from, to).to_owned()).collect();
        at = close + 1;
    }
    if !tokens.is(at, "as") {
        return None;
    }
    let inner = Inner::new(Wrapper::Prepare, rest(tokens, at + 1))?;
    Some(Inner { types, ..inner })
}

fn refresh(tokens: &Tokens) -> Option<Inner> {
    if !tokens.are(1, &["materialized", "view"]) {
        return None;
    }
    let mut at = 3;
    if tokens.is(at, "concurrently") {
        at += 1;
    }
    let (name, after) = relation_name(tokens, at)?;
    let sql = format!("TABLE {}", tokens.slice(at, after));
    Inner::new(Wrapper::RefreshMaterializedView(name), &sql)
}

/// `SELECT a INTO [TEMP] [TABLE] t FROM ...`: the clause is cut out of the outermost SELECT.
fn select_into(tokens: &Tokens) -> Option<Inner> {
    // (SELECT 1 INTO t) is legal; an INTO deeper than the outer brackets is an INSERT's or a call's.
    let mut level = 0;
    while tokens.is(level, "(") && tokens.mate(level) == Some(tokens.len().checked_sub(1 + level)?) {
        level += 1;
    }
    let end = tokens.len() - level;
    let select = (level..end).scan(level, |at, _| {
        let here = *at;
        *at = tokens.step(here);
        (here < end).then_some(here)
    });
    let mut selected = false;
    for at in select {
        if tokens.is_any(at, &["insert", "update", "delete", "merge"]) {
            return None;
        }
        selected |= tokens.is(at, "select");
        if selected && tokens.is_any(at, &["from", "union", "intersect", "except"]) {
            return None;
        }
        if selected && tokens.is(at, "into") {
            let mut after = at + 1;
            while tokens.is_any(after, &["temporary", "temp", "local", "global", "unlogged", "table"]) {
                after += 1;
            }
            let (_, after) = relation_name(tokens, after)?;
            let before = tokens.slice(0, at);
            return Inner::new(Wrapper::SelectInto, &format!("{before} {}", rest(tokens, after)));
        }
    }
    None
}

/// The first such word outside brackets, from `from` on.
fn find(tokens: &Tokens, from: usize, word: &str) -> Option<usize> {
    let mut at = from;
    while at < tokens.len() {
        if tokens.is(at, word) {
            return Some(at);
        }
        at = tokens.step(at);
    }
    None
}

/// A name of one to three parts at `at`, and the index after it.
pub(super) fn relation_name(tokens: &Tokens, at: usize) -> Option<(RelationName, usize)> {
    let mut parts = vec![tokens.identifier(at)?];
    let mut after = at + 1;
    while tokens.get(after).is_some_and(|token| token.kind == Kind::Symbol && token.raw == ".") {
        let Some(part) = tokens.identifier(after + 1) else { break };
        parts.push(part);
        after += 2;
    }
    let name = parts.pop()?;
    Some((RelationName { schema: parts.pop(), name }, after))
}
