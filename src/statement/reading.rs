//! Reading a statement's text from end to end: whole, plannable, unwrapped, mended, and the variants to try. Holds
//! no rule of its own about SQL: those are in the modules beside it.

use super::classify::{check_plannable, check_whole};
use super::grouping::regroup;
use super::parameters::{self, Choices};
use super::relations::{aliases, bounds, mentions, names};
use super::repair::{Edit, apply, mend};
use super::tokens::{Token, Tokens};
use super::unwrap::unwrap;
use super::{LeftOut, ParameterType, Reading, Repair, Variant};
use std::collections::BTreeSet;

/// Texts that one statement may become.
const MAX_VARIANTS: usize = 12;

/// Wrappers around wrappers: EXPLAIN CREATE TABLE AS SELECT ... INTO is three already.
const MAX_WRAPPERS: usize = 4;

/// Reads a statement as pg_stat_statements stores it, or as a person types it. `max_length` is in bytes.
///
/// The texts in the answer differ from the given one only where a repair is named. Whether PostgreSQL can analyse
/// them is for the server to say; the first that it can is the one to use.
///
/// # Errors
/// Why the statement is to be left out: `TooLong`, `Empty`, `Truncated`, `SeveralStatements`, `OwnStatement`,
/// `Utility` or `NotPlannable`.
pub fn read(text: &str, max_length: usize) -> Result<Reading, LeftOut> {
    if text.len() > max_length {
        return Err(LeftOut::TooLong { limit: max_length });
    }
    if text.contains('\0') {
        return Err(LeftOut::NotPlannable("it holds a zero byte".to_owned()));
    }
    let tokens = Tokens::of(text);
    check_whole(&tokens)?;
    let mut sql = trim(&tokens);
    let mut wrapper = None;
    let mut declared = Vec::new();
    for _ in 0..MAX_WRAPPERS {
        let tokens = Tokens::of(&sql);
        let Some(inner) = unwrap(&tokens) else { break };
        wrapper.get_or_insert(inner.wrapper);
        if !inner.types.is_empty() {
            declared = inner.types;
        }
        sql = inner.sql;
    }
    let tokens = Tokens::of(&sql);
    check_plannable(&tokens)?;
    let mended = mend(&tokens);
    let mentions = mentions(&tokens);
    let (limit_parameters, offset_parameters) = bounds(&tokens);
    let mut choices = parameters::choices(&tokens, &mentions, &aliases(&mentions), &mended);
    for (number, name) in (1..).zip(declared) {
        choices.certain.insert(number, ParameterType::Named(name));
    }
    let variants = variants(&sql, &mended.edits, &regroup(&tokens), &choices);
    Ok(Reading {
        variants,
        wrapper,
        relations: names(&mentions),
        limit_parameters,
        offset_parameters,
        squashed_lists: mended.squashed_lists,
    })
}

/// The statement without comments and blanks around it and without a semicolon at its end. Where the tokenizer
/// stumbled nothing is cut off at the end.
fn trim(tokens: &Tokens) -> String {
    let start = tokens.get(0).map_or(0, |token| token.start);
    let end = match tokens.list.last() {
        Some(last) if tokens.fault.is_none() && last.is(";") => last.start,
        Some(last) if tokens.fault.is_none() => last.end,
        _ => tokens.text.len(),
    };
    tokens.text.get(start..end).unwrap_or("").trim_end().to_owned()
}

/// The texts to try: with the certain repairs first, then with the types that may be meant, then with grouped
/// expressions made equal.
fn variants(sql: &str, certain: &[Edit], grouped: &[Edit], choices: &Choices) -> Vec<Variant> {
    let mut texts = vec![apply(sql, certain)];
    if !grouped.is_empty() {
        let replaced = |edit: &&Edit| {
            // A field put back into EXTRACT, or a keyword that is no longer wanted, needs no other repair.
            !grouped.iter().any(|group| {
                group.about == edit.about
                    && matches!(edit.repair, Repair::ExtractField)
                    && !group.with.starts_with(['$', '\''])
            })
        };
        let mut edits: Vec<Edit> = certain.iter().filter(replaced).cloned().collect();
        edits.extend_from_slice(grouped);
        texts.push(apply(sql, &edits));
    }
    let used: Vec<BTreeSet<u32>> = texts
        .iter()
        .map(|(text, _)| Tokens::of(text).list.iter().filter_map(Token::parameter).collect())
        .collect();
    let mut variants: Vec<Variant> = Vec::new();
    for types in choices.assignments() {
        for ((text, repairs), used) in texts.iter().zip(&used) {
            let mut parameter_types = types.clone();
            parameter_types.retain(|number, _| used.contains(number));
            let mut repairs = repairs.clone();
            if parameter_types.keys().any(|number| !choices.certain.contains_key(number)) {
                repairs.push(Repair::ParameterType);
            }
            let variant = Variant { sql: text.clone(), parameter_types, repairs };
            if !variants.contains(&variant) {
                variants.push(variant);
            }
        }
    }
    variants.truncate(MAX_VARIANTS);
    variants
}
