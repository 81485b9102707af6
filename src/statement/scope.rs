//! What the names in one statement mean: which column an expression is compared with or assigned to. Best effort, from
//! the text alone; knows nothing of the catalog.

use super::relations::Mention;
use super::tokens::Tokens;
use super::{ParameterType, RelationName};
use std::collections::BTreeMap;

/// What names mean in one statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub tokens: &'a Tokens<'a>,
    pub mentions: &'a [Mention],
    pub aliases: &'a BTreeMap<String, RelationName>,
}

/// Operators whose two sides have one type.
pub(super) const COMPARISONS: [&str; 6] = ["=", "<", ">", "<=", ">=", "<>"];

impl Scope<'_> {
    /// The column named by the tokens that end before `end`.
    pub fn column_before(&self, end: usize) -> Option<ParameterType> {
        let last = end.checked_sub(1)?;
        if last >= 2 && self.tokens.is(last - 1, ".") { self.column(last - 2) } else { self.column(last) }
    }

    /// The column `[relation.]column` named at `at`.
    pub fn column(&self, at: usize) -> Option<ParameterType> {
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
        let mut relations =
            self.mentions.iter().filter(|mention| !mention.cte).map(|mention| &mention.relation);
        let relation = match (target, relations.next(), relations.next()) {
            (Some(target), ..) => target.relation.clone(),
            (None, Some(only), None) => only.clone(),
            _ => return None,
        };
        Some(ParameterType::OfColumn { relation, column: first })
    }

    /// The column that the expression in the tokens `from..to` is compared with or assigned to, through brackets,
    /// `ANY` and `ARRAY`.
    pub fn compared_with(&self, from: usize, to: usize) -> Option<ParameterType> {
        let (from, to) = self.widen(from, to);
        let before = from.checked_sub(1)?;
        if self.tokens.is_any(before, &COMPARISONS) || self.tokens.is(before, "between") {
            return self.column_before(before);
        }
        if self.tokens.is(before, "in") {
            let not = before > 0 && self.tokens.is(before - 1, "not");
            return self.column_before(before - usize::from(not));
        }
        if self.tokens.is_any(to, &COMPARISONS) {
            return self.column(to + 1);
        }
        None
    }

    /// The expression with the brackets around it and with `ANY`, `SOME`, `ALL`, `ARRAY` before them.
    pub fn widen(&self, mut from: usize, mut to: usize) -> (usize, usize) {
        let quantifiers = ["any", "some", "all", "array"];
        loop {
            if from > 0 && self.tokens.is_any(from - 1, &quantifiers) && self.tokens.is_any(from, &["(", "["])
            {
                from -= 1;
            } else if from > 0 && self.tokens.is(from - 1, "(") && self.tokens.mate(from - 1) == Some(to) {
                let called = from > 1
                    && !self.tokens.is_any(from - 2, &quantifiers)
                    && self.tokens.identifier(from - 2).is_some()
                    && !self.tokens.is_any(
                        from - 2,
                        &[
                            "where", "and", "or", "not", "on", "in", "select", "between", "when", "then",
                            "else",
                        ],
                    );
                if called {
                    return (from, to);
                }
                from -= 1;
                to += 1;
            } else {
                return (from, to);
            }
        }
    }
}
