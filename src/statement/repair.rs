//! Repairs of what normalisation broke in the syntax: constants that the grammar wants in a special place, where
//! pg_stat_statements put a parameter that no parser accepts. Each repair is an edit of the text at a token's place.
//! Does not touch the types of parameters, nor anything that PostgreSQL can parse as it stands.

use super::Repair;
use super::tokens::{Kind, Tokens};
use lazy_static::lazy_static;
use std::collections::BTreeSet;

/// Elements that a squashed list is given: PostgreSQL squashes lists of two and more, and does not say how many.
/// Ten is what the planner itself takes for an array of unknown length (estimate_array_length in selfuncs.c).
const SQUASHED_ELEMENTS: u32 = 10;

/// Replaces bytes `start..end` by `with`; an insertion when they are equal.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: String,
    pub repair: Repair,
    /// The parameter token whose repair this is.
    pub about: usize,
}

/// The edits that make a text one that PostgreSQL can parse, and the lists that were squashed.
#[derive(Debug, Default)]
pub(super) struct Mended {
    pub edits: Vec<Edit>,
    pub squashed_lists: Vec<Vec<u32>>,
    /// Token indexes of parameters that have a type now.
    pub typed: Vec<usize>,
}

/// Finds every repair that is certain.
pub(super) fn mend(tokens: &Tokens) -> Mended {
    let mut mended = Mended::default();
    let mut next_parameter = tokens.highest_parameter().saturating_add(1);
    for at in 0..tokens.len() {
        if tokens.get(at).is_some_and(|token| token.kind == Kind::Squashed) {
            mended.unsquash(tokens, at, &mut next_parameter);
        }
        if tokens.parameter(at).is_none() {
            continue;
        }
        let _ = mended.extract(tokens, at) || mended.normalize(tokens, at) || mended.json_table(tokens, at);
        let (first, last) = mended.typed_constant(tokens, at).unwrap_or((at, at));
        mended.space(tokens, at, first == at, last == at);
        mended.escape(tokens, at);
    }
    mended
}

/// Applies edits; of two that overlap the first in the text wins. Returns the text and the repairs made, in order.
pub(super) fn apply(text: &str, edits: &[Edit]) -> (String, Vec<Repair>) {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.start, edit.end));
    let mut sql = String::with_capacity(text.len() + 16 * edits.len());
    let mut repairs = Vec::new();
    let mut done = 0;
    for edit in order {
        let Some(kept) = text.get(done..edit.start) else { continue };
        sql.push_str(kept);
        sql.push_str(&edit.with);
        done = edit.end.max(done);
        if !repairs.contains(&edit.repair) {
            repairs.push(edit.repair);
        }
    }
    sql.push_str(text.get(done..).unwrap_or(""));
    (sql, repairs)
}

impl Mended {
    fn edit(&mut self, about: usize, start: usize, end: usize, with: &str, repair: Repair) {
        self.edits.push(Edit { start, end, with: with.to_owned(), repair, about });
    }

    /// `t like'x%'and` is stored as `t like$1and`.
    fn space(&mut self, tokens: &Tokens, at: usize, before: bool, after: bool) {
        let Some(token) = tokens.get(at) else { return };
        let word = |index: usize| tokens.get(index).filter(|token| token.kind == Kind::Word);
        if before && at > 0 && word(at - 1).is_some_and(|left| left.end == token.start) {
            self.edit(at, token.start, token.start, " ", Repair::Spacing);
        }
        if after && word(at + 1).is_some_and(|right| right.start == token.end) {
            self.edit(at, token.end, token.end, " ", Repair::Spacing);
        }
    }

    /// `extract($1 from x)`: the grammar wants a name or a string there; since PostgreSQL 14 it is only another way
    /// to write `pg_catalog.extract('year', x)`.
    fn extract(&mut self, tokens: &Tokens, at: usize) -> bool {
        if !(at >= 2 && tokens.are(at - 2, &["extract", "("]) && tokens.is(at + 1, "from")) {
            return false;
        }
        if at >= 3 && tokens.is(at - 3, ".") {
            return false;
        }
        if let (Some(name), Some(field), Some(from)) =
            (tokens.get(at - 2), tokens.get(at), tokens.get(at + 1))
        {
            self.edit(at, name.start, name.end, "pg_catalog.extract", Repair::ExtractField);
            self.edit(at, field.end, from.end, ",", Repair::ExtractField);
        }
        self.typed.push(at);
        true
    }

    /// `normalize(t, $1)` and `t is $1 normalized` were `nfc` or its like; which of them changes no plan.
    fn normalize(&mut self, tokens: &Tokens, at: usize) -> bool {
        let Some(token) = tokens.get(at) else { return false };
        let tested = at > 0 && tokens.is(at + 1, "normalized") && tokens.is_any(at - 1, &["is", "not"]);
        let called = at > 0 && tokens.is(at - 1, ",") && tokens.is(at + 1, ")") && {
            let open = tokens.mate(at + 1).unwrap_or(0);
            open > 0
                && tokens.is(open - 1, "normalize")
                && !(open > 1 && tokens.is(open - 2, "."))
                && tokens.split(open + 1, at + 1).len() == 2
        };
        if tested || called {
            self.edit(at, token.start, token.end, "NFC", Repair::Keyword);
        }
        tested || called
    }

    /// `json_table(j, $1 columns ...)`: the path must be a string, and the root is one that every document has.
    fn json_table(&mut self, tokens: &Tokens, at: usize) -> bool {
        let Some(token) = tokens.get(at) else { return false };
        let pathlike =
            at > 0 && tokens.is(at - 1, ",") && tokens.is_any(at + 1, &["columns", "as", "passing"]);
        if !pathlike || !enclosing_call(tokens, at).is_some_and(|name| tokens.is(name, "json_table")) {
            return false;
        }
        self.edit(at, token.start, token.end, "'$[*]'", Repair::Keyword);
        true
    }

    /// `$1 uescape '!'` was a string with an escape of its own, which went into the parameter.
    fn escape(&mut self, tokens: &Tokens, at: usize) {
        let after = tokens.get(at + 2).is_some_and(|token| token.kind == Kind::Literal);
        if let (true, true, Some(token), Some(last)) =
            (tokens.is(at + 1, "uescape"), after, tokens.get(at), tokens.get(at + 2))
        {
            self.edit(at, token.end, last.end, "", Repair::Keyword);
        }
    }

    /// `interval $1 day`, `numeric(10,2) $1`, `s.t $1` become `$1::interval day`, `$1::numeric(10,2)`, `$1::s.t`.
    /// Returns the first and the last token of the constant.
    fn typed_constant(&mut self, tokens: &Tokens, at: usize) -> Option<(usize, usize)> {
        let first = type_before(tokens, at)?;
        let (start, parameter) = (tokens.get(first)?.start, *tokens.get(at)?);
        let name = tokens.slice(first, at);
        let plain_interval = tokens.is(first, "interval") && !tokens.is(at - 1, ")");
        let last = if plain_interval { interval_fields(tokens, at) } else { at };
        let fields = tokens.slice(at + 1, last + 1);
        // FETCH FIRST and XMLTABLE's PASSING take no bare cast.
        let wrapped = first > 0 && tokens.is_any(first - 1, &["first", "next", "passing"]);
        let (open, close) = if wrapped { ("(", ")") } else { ("", "") };
        let blank = if fields.is_empty() { "" } else { " " };
        self.edit(at, start, parameter.start, open, Repair::TypedConstant);
        let cast = format!("::{name}{blank}{fields}{close}");
        self.edit(at, parameter.end, tokens.get(last)?.end, &cast, Repair::TypedConstant);
        self.typed.push(at);
        Some((first, last))
    }

    fn unsquash(&mut self, tokens: &Tokens, at: usize, next_parameter: &mut u32) {
        let (Some(first), Some(comment)) = (at.checked_sub(1), tokens.get(at)) else { return };
        let Some(number) = tokens.parameter(first) else { return };
        let Some(end) = next_parameter.checked_add(SQUASHED_ELEMENTS - 1) else { return };
        let added: Vec<u32> = (*next_parameter..end).collect();
        *next_parameter = end;
        let with: String = added.iter().map(|number| format!(", ${number}")).collect();
        let start = tokens.get(first).map_or(comment.start, |token| token.end);
        self.edit(first, start, comment.end, &with, Repair::SquashedList);
        self.squashed_lists.push(std::iter::once(number).chain(added).collect());
    }
}

/// The function name before the innermost open bracket around `at`. Looks back at most 64 tokens.
fn enclosing_call(tokens: &Tokens, at: usize) -> Option<usize> {
    let mut index = at;
    for _ in 0..64 {
        index = index.checked_sub(1)?;
        match tokens.mate(index) {
            Some(mate) if mate < index => index = mate,
            Some(_) => return index.checked_sub(1),
            None => {}
        }
    }
    None
}

/// The index of the first token of the type name that stands right before the parameter at `at`, if one does.
fn type_before(tokens: &Tokens, at: usize) -> Option<usize> {
    let mut last = at.checked_sub(1)?;
    // timestamp(3) with time zone $1, but not `x at time zone $1`
    if last >= 3 && tokens.are(last - 1, &["time", "zone"]) && tokens.is_any(last - 2, &["with", "without"]) {
        last -= 3;
        let name = if tokens.is(last, ")") { tokens.mate(last)?.checked_sub(1)? } else { last };
        return tokens.is_any(name, &["timestamp", "time"]).then_some(name);
    }
    if tokens.is(last, ")") {
        last = tokens.mate(last)?.checked_sub(1)?;
        let bracketed = tokens.get(last).is_some_and(|token| token.kind == Kind::Word);
        if !bracketed {
            return None;
        }
    }
    if last >= 1 && (tokens.are(last - 1, &["double", "precision"]) || tokens.is(last, "varying")) {
        let mut first = last - 1;
        if first >= 1 && tokens.is_any(first, &["character", "char"]) && tokens.is(first - 1, "national") {
            first -= 1;
        }
        return tokens
            .is_any(first, &["double", "character", "char", "bit", "nchar", "national"])
            .then_some(first);
    }
    if last >= 1 && tokens.is_any(last, &["character", "char"]) && tokens.is(last - 1, "national") {
        return Some(last - 1);
    }
    let word = tokens.get(last)?;
    let named = match word.kind {
        Kind::Quoted => true,
        Kind::Word => !BEFORE_EXPRESSION.contains(&word.raw.to_ascii_lowercase().as_str()),
        _ => false,
    };
    let mut first = last;
    while first >= 2 && tokens.is(first - 1, ".") && tokens.identifier(first - 2).is_some() {
        first -= 2;
    }
    // OPERATOR(pg_catalog.=) ends in a symbol, so it does not come here; `t. $1` does.
    (named && !(first >= 1 && tokens.is(first - 1, "."))).then_some(first)
}

/// The last token of `year to month`, `second(3)` and so on after an interval's parameter, or `at` itself.
fn interval_fields(tokens: &Tokens, at: usize) -> usize {
    const FIELDS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
    let mut last = at;
    if !tokens.is_any(at + 1, &FIELDS) {
        return last;
    }
    last += 1;
    if tokens.is(last + 1, "to") && tokens.is_any(last + 2, &FIELDS) {
        last += 2;
    }
    if tokens.is(last, "second") && tokens.is(last + 1, "(") {
        last = tokens.mate(last + 1).unwrap_or(last);
    }
    last
}

lazy_static! {
    /// Words that an expression may follow, so that a parameter after them is no typed constant: PostgreSQL's reserved
    /// keywords (src/include/parser/kwlist.h) and those others that the grammar (gram.y) puts before an expression.
    static ref BEFORE_EXPRESSION: BTreeSet<&'static str> = BTreeSet::from([
    "absent",
    "absolute",
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "at",
    "backward",
    "begin",
    "between",
    "both",
    "breadth",
    "by",
    "call",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "conditional",
    "conflict",
    "constraint",
    "content",
    "create",
    "cross",
    "cube",
    "current",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "depth",
    "desc",
    "distinct",
    "do",
    "document",
    "else",
    "empty",
    "end",
    "error",
    "escape",
    "except",
    "exclude",
    "execute",
    "exists",
    "false",
    "fetch",
    "filter",
    "first",
    "following",
    "for",
    "foreign",
    "forward",
    "from",
    "full",
    "grant",
    "group",
    "groups",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "key",
    "last",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "matched",
    "natural",
    "next",
    "not",
    "notnull",
    "nothing",
    "null",
    "nulls",
    "of",
    "off",
    "offset",
    "on",
    "only",
    "operator",
    "or",
    "order",
    "over",
    "overlaps",
    "passing",
    "path",
    "placing",
    "preceding",
    "primary",
    "prior",
    "quotes",
    "range",
    "references",
    "relative",
    "returning",
    "right",
    "row",
    "rows",
    "select",
    "set",
    "sets",
    "similar",
    "some",
    "symmetric",
    "table",
    "then",
    "ties",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "value",
    "values",
    "variadic",
    "version",
    "when",
    "where",
    "window",
    "with",
    "zone",
]);
}
