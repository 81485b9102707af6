//! The relations a statement names and the parameters of its LIMIT and OFFSET. Best effort, by tokens: never a
//! reason to refuse a statement.

use super::RelationName;
use super::tokens::{Kind, Tokens};
use super::unwrap::relation_name;
use std::collections::BTreeMap;

/// A relation as a statement names it.
#[derive(Clone, Debug)]
pub(super) struct Mention {
    pub relation: RelationName,
    pub alias: Option<String>,
    /// Whether it is what an INSERT, UPDATE, DELETE or MERGE changes.
    pub target: bool,
    /// Whether the name is that of a WITH query and so no relation.
    pub cte: bool,
}

/// Words that may follow a relation and so are no alias of it.
const AFTER_RELATION: [&str; 49] = [
    "as",
    "only",
    "where",
    "on",
    "using",
    "join",
    "inner",
    "left",
    "right",
    "full",
    "cross",
    "natural",
    "group",
    "order",
    "having",
    "limit",
    "offset",
    "fetch",
    "for",
    "union",
    "intersect",
    "except",
    "window",
    "set",
    "values",
    "select",
    "returning",
    "when",
    "default",
    "overriding",
    "tablesample",
    "with",
    "and",
    "or",
    "not",
    "from",
    "table",
    "into",
    "then",
    "else",
    "end",
    "case",
    "in",
    "is",
    "do",
    "lateral",
    "create",
    "to",
    "end",
];

/// Relations in order of appearance, WITH queries among them.
pub(super) fn mentions(tokens: &Tokens) -> Vec<Mention> {
    let ctes = cte_names(tokens);
    let mut found = Vec::new();
    // For every open bracket, whether a query or a FROM list is inside, and whether we are between FROM and its end.
    let mut levels = vec![Level { query: true, list: false }];
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.kind == Kind::Symbol && token.raw == "(" {
            // A bracket in a FROM list holds a sub-select or a join.
            let opened_in_list = levels.last().is_some_and(|level| level.list)
                && at > 0
                && tokens.is_any(at - 1, &["from", "join", ",", "(", "lateral"]);
            let query = tokens.is_any(
                at + 1,
                &["select", "with", "values", "insert", "update", "delete", "merge", "table"],
            );
            let nested = tokens.is(at + 1, "(");
            levels.push(Level { query: query || nested, list: opened_in_list && !query });
            if opened_in_list && !query && !nested {
                at = mention(tokens, at + 1, false, &ctes, &mut found).max(at + 1);
                continue;
            }
            at += 1;
            continue;
        }
        if token.kind == Kind::Symbol && token.raw == ")" {
            if levels.len() > 1 {
                levels.pop();
            }
            at += 1;
            continue;
        }
        let Some(level) = levels.last_mut() else { break };
        let after_dot = at > 0 && tokens.is(at - 1, ".");
        if token.kind == Kind::Symbol && token.raw == "," && level.list {
            at = mention(tokens, at + 1, false, &ctes, &mut found).max(at + 1);
            continue;
        }
        if token.kind != Kind::Word || after_dot || !(level.query || level.list) {
            at += 1;
            continue;
        }
        let target = starts_target(tokens, at);
        let source = token.is("from")
            && !(at > 0 && tokens.is(at - 1, "distinct") && is_distinct_test(tokens, at - 1));
        let joins = token.is("join") || (token.is("using") && !tokens.is(at + 1, "(")) || token.is("table");
        if target || source || joins {
            level.list = source || (joins && level.list) || (token.is("using") && !tokens.is(at + 1, "("));
            at = mention(tokens, at + 1, target, &ctes, &mut found).max(at + 1);
            continue;
        }
        if token.is_any(&[
            "where",
            "group",
            "order",
            "having",
            "limit",
            "select",
            "set",
            "returning",
            "union",
            "except",
        ]) || token.is_any(&["intersect", "window", "offset", "fetch", "for", "when"])
        {
            level.list = false;
        }
        at += 1;
    }
    found
}

#[derive(Debug)]
struct Level {
    query: bool,
    list: bool,
}

/// `a IS [NOT] DISTINCT FROM b`: DISTINCT at `at` is a comparison, not `SELECT DISTINCT FROM`.
fn is_distinct_test(tokens: &Tokens, at: usize) -> bool {
    at > 0 && tokens.is_any(at - 1, &["is", "not"])
}

/// INSERT INTO, MERGE INTO, UPDATE (not FOR UPDATE or DO UPDATE), DELETE FROM.
fn starts_target(tokens: &Tokens, at: usize) -> bool {
    let previous = |words: &[&str]| at > 0 && tokens.is_any(at - 1, words);
    if tokens.is(at, "into") {
        return previous(&["insert", "merge"]);
    }
    if tokens.is(at, "update") {
        return !previous(&["for", "do", "key", "then"]) && !tokens.is(at + 1, "set");
    }
    tokens.is(at, "from") && previous(&["delete"])
}

/// Records the relation at `at`, if one is named there; the index after it and its alias, or `at`.
fn mention(tokens: &Tokens, mut at: usize, target: bool, ctes: &[String], found: &mut Vec<Mention>) -> usize {
    while tokens.is_any(at, &["only", "lateral"]) {
        at += 1;
    }
    let reserved =
        tokens.is_any(at, &AFTER_RELATION) || tokens.is_any(at, &["select", "values", "rows", "unnest"]);
    let Some((relation, mut after)) = relation_name(tokens, at).filter(|_| !reserved) else { return at };
    if tokens.is(after, "*") {
        after += 1;
    }
    // A bracket after the name makes it a function's, except where INSERT lists columns.
    if tokens.is(after, "(") && !target {
        return after;
    }
    let mut alias = None;
    if tokens.is(after, "as") {
        alias = tokens.identifier(after + 1);
        after += 1 + usize::from(alias.is_some());
    } else if !tokens.is_any(after, &AFTER_RELATION)
        && let Some(name) = tokens.identifier(after)
    {
        alias = Some(name);
        after += 1;
    }
    let cte = relation.schema.is_none() && ctes.contains(&relation.name);
    found.push(Mention { relation, alias, target, cte });
    after
}

/// Names that WITH defines: `name [(columns)] AS [[NOT] MATERIALIZED] (`.
fn cte_names(tokens: &Tokens) -> Vec<String> {
    if !tokens.list.iter().any(|token| token.is("with")) {
        return Vec::new();
    }
    let mut names = Vec::new();
    for at in 1..tokens.len() {
        if !tokens.is_any(at - 1, &["with", "recursive", ","]) {
            continue;
        }
        let after = tokens.step(at + 1);
        let after = if tokens.is(at + 1, "(") { after } else { at + 1 };
        let opens = (1..4).any(|skip| {
            tokens.is(after + skip, "(")
                && (1..skip).all(|word| tokens.is_any(after + word, &["not", "materialized"]))
        });
        if tokens.is(after, "as")
            && opens
            && let Some(name) = tokens.identifier(at)
        {
            names.push(name);
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Relations without repeats, in order of appearance.
pub(super) fn names(mentions: &[Mention]) -> Vec<RelationName> {
    let mut seen = std::collections::BTreeSet::new();
    mentions
        .iter()
        .filter(|mention| !mention.cte)
        .map(|mention| &mention.relation)
        .filter(|name| seen.insert(*name))
        .cloned()
        .collect()
}

/// What each alias or bare name stands for; names that stand for two relations are left out.
pub(super) fn aliases(mentions: &[Mention]) -> BTreeMap<String, RelationName> {
    let mut map: BTreeMap<String, Option<RelationName>> = BTreeMap::new();
    for mention in mentions.iter().filter(|mention| !mention.cte) {
        let name = mention.alias.clone().unwrap_or_else(|| mention.relation.name.clone());
        let entry = map.entry(name).or_insert_with(|| Some(mention.relation.clone()));
        if entry.as_ref().is_some_and(|known| *known != mention.relation) {
            *entry = None;
        }
    }
    map.into_iter().filter_map(|(name, relation)| Some((name, relation?))).collect()
}

/// Parameters that stand in LIMIT or FETCH FIRST, and those that stand in OFFSET.
pub(super) fn bounds(tokens: &Tokens) -> (Vec<u32>, Vec<u32>) {
    let (mut limits, mut offsets) = (Vec::new(), Vec::new());
    for at in 1..tokens.len() {
        let Some(number) = tokens.parameter(at) else { continue };
        let mut before = at - 1;
        while before > 0 && tokens.is(before, "(") {
            before -= 1;
        }
        let fetched =
            before > 0 && tokens.is_any(before, &["first", "next"]) && tokens.is(before - 1, "fetch");
        if tokens.is(before, "limit") || fetched {
            limits.push(number);
        } else if tokens.is(before, "offset") {
            offsets.push(number);
        }
    }
    (limits, offsets)
}
