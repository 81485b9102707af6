//! Predicates: the restrictions of one base relation that a partial index could have in its WHERE.
//!
//! A restriction is one where it says what kind of row is meant ("open", "not deleted", "late") rather than which row. Says
//! nothing of whether a partial index is worth it; that is for `candidate`.
//!
//! # Safety
//!
//! All unsafe functions take nodes of the planner call that the `Workbench` was made in, during that call only.

use super::clause::Workbench;
use super::compat;
use super::expression;
use super::node::{self, is_a, strip_relabel};
use crate::candidate::definition::Expression;
use crate::candidate::facts::{ClauseKind, PredicateClause};
use crate::catalog::AttrNumber;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;
use std::collections::BTreeSet;

/// Distinct values up to which a column is taken for a category: more states than this are rarely told apart in code.
const CATEGORIES: f64 = 20.0;
/// Restrictions that are combined with each other: with three there are four combinations.
const COMBINED: usize = 3;

/// The restrictions of a relation, one by one, until all have been seen.
#[derive(Default)]
pub(super) struct Predicates {
    /// The columns that each restriction reads.
    read: Vec<BTreeSet<AttrNumber>>,
    found: Vec<Found>,
}

/// One that could be a predicate.
struct Found {
    /// Its position among the restrictions.
    position: usize,
    clause: PredicateClause,
    /// Over the relation as range table entry 1.
    node: *mut pg_sys::Node,
    /// Whether it compares with no constant, so that it is the same in every call of the statement.
    lasting: bool,
}

impl Predicates {
    /// Takes note of a restriction.
    pub unsafe fn look(&mut self, bench: &Workbench, clause: *mut pg_sys::Node) {
        unsafe {
            let position = self.read.len();
            self.read.push(bench.columns_read(clause));
            if let Some((clause, node, lasting)) = bench.predicate(clause)
                && !self.found.iter().any(|known| known.clause.expression == clause.expression)
            {
                self.found.push(Found { position, clause, node, lasting });
            }
        }
    }

    /// What a partial index could have in its WHERE: each restriction that fits, and those together that hold for every call.
    /// `output` are the columns that must come out of the scan.
    pub unsafe fn finish(mut self, bench: &Workbench, output: &BTreeSet<AttrNumber>) -> Vec<PredicateClause> {
        let spared = |positions: &[usize]| -> BTreeSet<AttrNumber> {
            let others = self.read.iter().enumerate().filter(|(at, _)| !positions.contains(at));
            let kept: BTreeSet<AttrNumber> =
                others.flat_map(|(_, read)| read).chain(output).copied().collect();
            positions.iter().flat_map(|at| &self.read[*at]).filter(|c| !kept.contains(c)).copied().collect()
        };
        let mut clauses = Vec::new();
        for found in &self.found {
            clauses.push(PredicateClause { spared: spared(&[found.position]), ..found.clause.clone() });
        }
        self.found.retain(|found| found.lasting);
        self.found.sort_by(|a, b| a.clause.expression.cmp(&b.clause.expression));
        self.found.truncate(COMBINED);
        for mask in 1_usize..1 << self.found.len() {
            let members = self.found.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
            let members: Vec<&Found> = members.map(|(_, found)| found).collect();
            if members.len() < 2 {
                continue;
            }
            // SAFETY: nodes of this planner call.
            let Some(expression) = (unsafe { bench.conjunction(&members) }) else { continue };
            let positions: Vec<usize> = members.iter().map(|found| found.position).collect();
            clauses.push(PredicateClause {
                expression,
                selectivity: members.iter().map(|found| found.clause.selectivity).product(),
                decides: members.iter().flat_map(|found| &found.clause.decides).copied().collect(),
                spared: spared(&positions),
            });
        }
        clauses
    }
}

impl Workbench {
    /// A restriction that a partial index could have as its predicate, the same over range table entry 1, and whether it holds
    /// no constant.
    unsafe fn predicate(
        &self,
        clause: *mut pg_sys::Node,
    ) -> Option<(PredicateClause, *mut pg_sys::Node, bool)> {
        unsafe {
            let compares_columns = self.compares_columns(clause);
            let fitting = match node::tag(clause)? {
                T_NullTest | T_BooleanTest | T_Var => true,
                T_ScalarArrayOpExpr => self.is_categorical(clause),
                T_BoolExpr => (*clause.cast::<pg_sys::BoolExpr>()).boolop == pg_sys::BoolExprType::NOT_EXPR,
                // `=` and `<>` against a constant; ranges move with time.
                T_OpExpr => {
                    let operator = (*clause.cast::<pg_sys::OpExpr>()).opno;
                    let negated = pg_sys::get_negator(operator);
                    let compares = self.sides(clause).is_some_and(|sides| sides.kind == ClauseKind::Equality)
                        || (negated != pg_sys::InvalidOid
                            && pg_sys::op_mergejoinable(negated, pg_sys::InvalidOid));
                    compares_columns || (compares && self.is_categorical(clause))
                }
                _ => false,
            };
            let local = fitting.then(|| self.localised(clause))?;
            if compares_columns {
                order_sides(local.cast());
            }
            let expression = self.local_expression(clause, local)?;
            let selectivity = self.selectivity(clause);
            // Of how two columns go together the planner knows nothing.
            if expression.columns.len() > 1 || !self.operands_have_statistics(clause) {
                self.without_statistics.borrow_mut().insert(expression.node.clone());
            }
            let lasting = !node::any_of(clause, &[T_Const]);
            Some((PredicateClause::of(expression, selectivity), local, lasting))
        }
    }

    /// All of them together, of which the planner has no statistics.
    unsafe fn conjunction(&self, members: &[&Found]) -> Option<Expression> {
        unsafe {
            let mut list = std::ptr::null_mut();
            for member in members {
                list = pg_sys::lappend(list, pg_sys::copyObjectImpl(member.node.cast()));
            }
            let both = pg_sys::make_andclause(list).cast::<pg_sys::Node>();
            let columns: BTreeSet<AttrNumber> =
                members.iter().flat_map(|member| &member.clause.expression.columns).copied().collect();
            let expression = expression::read(both, columns, self.deparse_context())?;
            self.without_statistics.borrow_mut().insert(expression.node.clone());
            Some(expression)
        }
    }

    /// Whether a clause compares columns of a row with others of the same row and with nothing else: `shipped > due`.
    unsafe fn compares_columns(&self, clause: *mut pg_sys::Node) -> bool {
        unsafe {
            if !is_a(clause, T_OpExpr) || node::any_of(clause, &[T_Const]) {
                return false;
            }
            let sides: Vec<*mut pg_sys::Node> = node::list((*clause.cast::<pg_sys::OpExpr>()).args).collect();
            sides.len() == 2 && sides.into_iter().all(|side| self.reads_relation(side))
        }
    }

    /// Whether the planner has statistics of what a predicate's clause compares: a column has them, or ANALYZE makes them.
    unsafe fn operands_have_statistics(&self, clause: *mut pg_sys::Node) -> bool {
        unsafe {
            let operands: Vec<*mut pg_sys::Node> = match node::tag(clause) {
                Some(T_OpExpr) => node::list((*clause.cast::<pg_sys::OpExpr>()).args).collect(),
                Some(T_ScalarArrayOpExpr) => {
                    node::list((*clause.cast::<pg_sys::ScalarArrayOpExpr>()).args).collect()
                }
                Some(T_NullTest) => vec![(*clause.cast::<pg_sys::NullTest>()).arg.cast()],
                Some(T_BooleanTest) => vec![(*clause.cast::<pg_sys::BooleanTest>()).arg.cast()],
                Some(T_BoolExpr) => {
                    let arguments = node::list::<pg_sys::Node>((*clause.cast::<pg_sys::BoolExpr>()).args);
                    return arguments.into_iter().all(|argument| self.operands_have_statistics(argument));
                }
                _ => vec![clause],
            };
            operands.into_iter().all(|operand| {
                let operand = strip_relabel(operand);
                is_a(operand, T_Var) || !self.reads_relation(operand) || self.has_statistics(operand)
            })
        }
    }

    /// Whether the columns of a clause take few values each, so that a constant compared with them names a state ("new",
    /// "failed") and not one row among many, which the next call would not ask for again.
    unsafe fn is_categorical(&self, clause: *mut pg_sys::Node) -> bool {
        unsafe {
            let columns: Vec<*mut pg_sys::Node> = node::list(pg_sys::pull_var_clause(clause, 0)).collect();
            !columns.is_empty()
                && columns.iter().all(|column| {
                    let mut variable = pg_sys::VariableStatData::default();
                    let mut is_default = false;
                    pg_sys::examine_variable(self.root, *column, 0, &mut variable);
                    let distinct = pg_sys::get_variable_numdistinct(&mut variable, &mut is_default);
                    compat::release_statistics(&variable);
                    !is_default && distinct <= CATEGORIES
                })
        }
    }
}

/// `b > a` and `a < b` are one predicate: the column of the lower number comes first where the operator has a commutator.
/// The planner proves either from the other (operator_predicate_proof, predtest.c).
unsafe fn order_sides(clause: *mut pg_sys::OpExpr) {
    unsafe {
        let sides: Vec<*mut pg_sys::Node> = node::list((*clause).args).collect();
        let columns: Vec<_> = sides.into_iter().map(|side| expression::columns(side)).collect();
        if let [Some(left), Some(right)] = &columns[..]
            && right < left
            && pg_sys::get_commutator((*clause).opno) != pg_sys::InvalidOid
        {
            pg_sys::CommuteOpExpr(clause);
        }
    }
}
