//! `Expression`s read from node trees over one relation: text, nodes and type.
//!
//! # Safety
//!
//! All of it takes valid expression trees of this backend.

use super::node;
use super::scalar::owned;
use crate::candidate::definition::Expression;
use crate::catalog::AttrNumber;
use pgrx::pg_sys;
use std::ffi::{CString, c_char};

/// For deparsing expressions over `relation` as range table entry 1.
///
/// # Safety
/// `relation` must exist; otherwise a look-up raises.
pub unsafe fn deparse_context(relation: pg_sys::Oid) -> *mut pg_sys::List {
    unsafe { pg_sys::deparse_context_for(pg_sys::get_rel_name(relation), relation) }
}

/// Reads `expr`, whose columns are of range table entry 1 and are `columns`. None if it is too large to be written down.
///
/// # Safety
/// See above; `context` must come from `deparse_context`.
pub unsafe fn read(
    expr: *mut pg_sys::Node,
    columns: impl IntoIterator<Item = AttrNumber>,
    context: *mut pg_sys::List,
) -> Option<Expression> {
    unsafe {
        let type_oid = pg_sys::exprType(expr);
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(type_oid, &mut length, &mut by_value, &mut align);
        Some(Expression {
            sql: deparse(expr, context),
            node: without_locations(&owned(pg_sys::nodeToString(expr.cast()))?),
            columns: columns.into_iter().collect(),
            type_oid: type_oid.to_u32(),
            type_length: length,
            alignment: alignment(align),
            average_width: f64::from(pg_sys::get_typavgwidth(type_oid, pg_sys::exprTypmod(expr))),
        })
    }
}

/// The text of an expression that has its type: an implicit cast at its top is written down too.
///
/// # Safety
/// As `read`.
pub unsafe fn deparse(expr: *mut pg_sys::Node, context: *mut pg_sys::List) -> String {
    unsafe { owned(pg_sys::deparse_expression(expr, context, false, true)).unwrap_or_default() }
}

/// Writes the expression out again with every name as the search path in force asks: in full, within `reading`.
///
/// # Safety
/// The relation must exist, and the expression must have been read in this server.
pub unsafe fn qualify(expression: &mut Expression, relation: pg_sys::Oid) {
    let Ok(text) = CString::new(expression.node.as_str()) else { return };
    unsafe {
        let sql = deparse(pg_sys::stringToNode(text.as_ptr()).cast(), deparse_context(relation));
        if !sql.is_empty() {
            expression.sql = sql;
        }
    }
}

/// The columns of range table entry 1 in an expression, ascending; None if it reads system columns or whole rows.
///
/// # Safety
/// See above.
pub unsafe fn columns(expr: *mut pg_sys::Node) -> Option<std::collections::BTreeSet<AttrNumber>> {
    unsafe {
        let vars = pg_sys::pull_var_clause(expr, 0);
        node::list::<pg_sys::Var>(vars).map(|var| ((*var).varattno > 0).then_some((*var).varattno)).collect()
    }
}

/// Alignment in bytes of a `typalign` letter (pg_type.h).
pub fn alignment(letter: c_char) -> u8 {
    match letter as u8 {
        b'c' => 1,
        b's' => 2,
        b'i' => 4,
        _ => 8,
    }
}

/// Parse locations differ between texts of the same expression.
fn without_locations(node: &str) -> String {
    let mut result = String::with_capacity(node.len());
    let mut rest = node;
    while let Some(position) = rest.find(":location ") {
        let (before, after) = rest.split_at(position + ":location ".len());
        result.push_str(before);
        result.push_str("-1");
        rest = after.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
    }
    result + rest
}
