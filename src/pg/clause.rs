//! `Workbench`: reads single clauses of one base relation: which key could serve them, and how.
//!
//! Follows match_clause_to_indexcol (indxpath.c), without an index: asks for the key that an index would need.
//!
//! # Safety
//!
//! All unsafe functions take nodes of the planner call that the `Workbench` was made in, during that call only: what
//! set_rel_pathlist_hook promises of its arguments.

use super::compat;
use super::expression;
use super::facts::collation;
use super::node::{self, is_a, strip_relabel};
use super::parameters::{self, Comparison, ParameterUse};
use super::scalar::owned;
use crate::candidate::definition::{Expression, KeyPart, KeyTarget, OperatorClass};
use crate::candidate::facts::{Clause, ClauseKind, StatementFacts};
use crate::catalog::{AttrNumber, Oid};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// One base relation of a running planner call.
pub(super) struct Workbench {
    pub root: *mut pg_sys::PlannerInfo,
    pub rel: *mut pg_sys::RelOptInfo,
    rti: pg_sys::Index,
    relation: pg_sys::Oid,
    /// For deparsing expressions over this relation as range table entry 1.
    context: *mut pg_sys::List,
    /// Node texts of the expressions met of which the planner has no statistics.
    pub without_statistics: RefCell<BTreeSet<String>>,
}

/// A comparison taken apart: an indexable key on one side, something independent of the relation on the other.
pub(super) struct Sides {
    pub key: KeyPart,
    pub value: *mut pg_sys::Node,
    pub kind: ClauseKind,
    comparison: Comparison,
}

impl Workbench {
    /// # Safety
    /// Within set_rel_pathlist_hook, with its arguments; not to be kept longer.
    pub unsafe fn new(
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        rti: pg_sys::Index,
        relation: pg_sys::Oid,
    ) -> Workbench {
        unsafe {
            let context = expression::deparse_context(relation);
            Workbench { root, rel, rti, relation, context, without_statistics: RefCell::default() }
        }
    }

    /// The keys that could serve a clause, each with the way it serves it. Usually none or one.
    pub unsafe fn clauses(&self, clause: *mut pg_sys::Node) -> Vec<Clause> {
        unsafe {
            let Some((key, kind)) = self.served(clause) else { return Vec::new() };
            let selectivity = self.selectivity(clause);
            vec![Clause { key, kind, selectivity, sql: self.deparse(clause) }]
        }
    }

    /// The share of the relation's rows that the planner expects a clause to keep, 0 to 1.
    pub unsafe fn selectivity(&self, clause: *mut pg_sys::Node) -> f64 {
        let (inner, no_join) = (pg_sys::JoinType::JOIN_INNER, std::ptr::null_mut());
        unsafe { pg_sys::clause_selectivity(self.root, clause, 0, inner, no_join).clamp(0.0, 1.0) }
    }

    unsafe fn served(&self, clause: *mut pg_sys::Node) -> Option<(KeyPart, ClauseKind)> {
        unsafe {
            match node::tag(clause)? {
                T_OpExpr | T_ScalarArrayOpExpr | T_RowCompareExpr => {
                    self.sides(clause).map(|sides| (sides.key, sides.kind))
                }
                T_NullTest => {
                    let test = clause.cast::<pg_sys::NullTest>();
                    let is_null = (*test).nulltesttype == pg_sys::NullTestType::IS_NULL;
                    if !is_null || (*test).argisrow {
                        return None;
                    }
                    let key = self.key_part((*test).arg.cast(), pg_sys::exprCollation((*test).arg.cast()))?;
                    Some((key, ClauseKind::IsNull))
                }
                // A boolean column, plain, negated or tested, is an equality on it.
                T_Var => self.boolean(clause),
                T_BoolExpr => {
                    let not = clause.cast::<pg_sys::BoolExpr>();
                    if (*not).boolop != pg_sys::BoolExprType::NOT_EXPR {
                        return None;
                    }
                    self.boolean(node::list::<pg_sys::Node>((*not).args).next()?)
                }
                T_BooleanTest => {
                    let test = clause.cast::<pg_sys::BooleanTest>();
                    let kind = (*test).booltesttype;
                    let definite =
                        kind == pg_sys::BoolTestType::IS_TRUE || kind == pg_sys::BoolTestType::IS_FALSE;
                    definite.then(|| self.boolean((*test).arg.cast())).flatten()
                }
                _ => None,
            }
        }
    }

    unsafe fn boolean(&self, expr: *mut pg_sys::Node) -> Option<(KeyPart, ClauseKind)> {
        unsafe {
            let is_column = is_a(expr, T_Var) && pg_sys::exprType(expr) == pg_sys::BOOLOID;
            let key = is_column.then(|| self.key_part(expr, pg_sys::InvalidOid)).flatten()?;
            Some((key, ClauseKind::Equality))
        }
    }

    /// Takes a comparison apart; None if no btree serves it.
    pub unsafe fn sides(&self, clause: *mut pg_sys::Node) -> Option<Sides> {
        unsafe {
            match node::tag(clause)? {
                T_OpExpr => {
                    let op = clause.cast::<pg_sys::OpExpr>();
                    let args: Vec<*mut pg_sys::Node> = node::list((*op).args).collect();
                    let [left, right] = args[..] else { return None };
                    self.comparison(left, right, (*op).opno, (*op).inputcollid).or_else(|| {
                        let commuted = pg_sys::get_commutator((*op).opno);
                        (commuted != pg_sys::InvalidOid)
                            .then(|| self.comparison(right, left, commuted, (*op).inputcollid))
                            .flatten()
                    })
                }
                T_ScalarArrayOpExpr => {
                    let op = clause.cast::<pg_sys::ScalarArrayOpExpr>();
                    let args: Vec<*mut pg_sys::Node> = node::list((*op).args).collect();
                    let [left, right] = args[..] else { return None };
                    if !(*op).useOr {
                        return None;
                    }
                    let mut sides = self.comparison(left, right, (*op).opno, (*op).inputcollid)?;
                    if sides.kind == ClauseKind::Equality {
                        sides.kind = ClauseKind::AnyOf;
                        sides.comparison = Comparison::AnyOf;
                    }
                    Some(sides)
                }
                T_RowCompareExpr => {
                    let row = clause.cast::<pg_sys::RowCompareExpr>();
                    let left = node::list::<pg_sys::Node>((*row).largs).next()?;
                    let right = node::list::<pg_sys::Node>((*row).rargs).next()?;
                    let first = |oids: *mut pg_sys::List| (*(*oids).elements).oid_value;
                    self.comparison(left, right, first((*row).opnos), first((*row).inputcollids))
                }
                _ => None,
            }
        }
    }

    unsafe fn comparison(
        &self,
        left: *mut pg_sys::Node,
        right: *mut pg_sys::Node,
        operator: pg_sys::Oid,
        input_collation: pg_sys::Oid,
    ) -> Option<Sides> {
        unsafe {
            if self.reads_relation(right) || pg_sys::contain_volatile_functions(right) {
                return None;
            }
            let key = self.key_part(left, input_collation)?;
            let strategy = pg_sys::get_op_opfamily_strategy(operator, key.operator_class.family.into());
            let (kind, comparison) = match strategy as u32 {
                pg_sys::BTLessStrategyNumber | pg_sys::BTLessEqualStrategyNumber => {
                    (ClauseKind::Range, Comparison::Below)
                }
                pg_sys::BTEqualStrategyNumber => (ClauseKind::Equality, Comparison::Equal),
                pg_sys::BTGreaterStrategyNumber | pg_sys::BTGreaterEqualStrategyNumber => {
                    (ClauseKind::Range, Comparison::Above)
                }
                _ => return self.prefix(key, right, operator, input_collation),
            };
            Some(Sides { key, value: right, kind, comparison })
        }
    }

    /// `LIKE 'abc%'`, `~ '^abc'` and `^@ 'abc'` with a constant that begins with literal characters.
    unsafe fn prefix(
        &self,
        mut key: KeyPart,
        pattern: *mut pg_sys::Node,
        operator: pg_sys::Oid,
        input_collation: pg_sys::Oid,
    ) -> Option<Sides> {
        unsafe {
            let text = constant_text(pattern)?;
            let literal_start = match operator.to_u32() {
                pg_sys::OID_TEXT_LIKE_OP | pg_sys::OID_BPCHAR_LIKE_OP => {
                    !matches!(text.chars().next(), None | Some('%' | '_'))
                }
                pg_sys::OID_TEXT_REGEXEQ_OP | pg_sys::OID_BPCHAR_REGEXEQ_OP => {
                    text.strip_prefix('^').is_some_and(|rest| rest.starts_with(char::is_alphanumeric))
                }
                TEXT_STARTS_WITH_OPERATOR => !text.is_empty(),
                _ => false,
            };
            if !literal_start {
                return None;
            }
            if !sorts_by_bytes(input_collation) {
                let (class, name) = match key.operator_class.input_type {
                    t if t == pg_sys::BPCHAROID.to_u32() => {
                        (pg_sys::BPCHAR_BTREE_PATTERN_OPS_OID, "bpchar_pattern_ops")
                    }
                    _ => (pg_sys::TEXT_BTREE_PATTERN_OPS_OID, "text_pattern_ops"),
                };
                key.operator_class = operator_class(class, Some(name.to_string()));
            }
            Some(Sides { key, value: pattern, kind: ClauseKind::Prefix, comparison: Comparison::Pattern })
        }
    }

    /// The key that indexes an expression, with the default btree operator class of its type; None where there is
    /// none or the expression cannot be indexed (other relations, parameters, not immutable).
    pub unsafe fn key_part(&self, expr: *mut pg_sys::Node, wanted: pg_sys::Oid) -> Option<KeyPart> {
        unsafe {
            let expr = strip_relabel(expr);
            let key_type = pg_sys::exprType(expr);
            let class = pg_sys::GetDefaultOpClass(key_type, pg_sys::BTREE_AM_OID);
            if class == pg_sys::InvalidOid {
                return None;
            }
            let target = if is_a(expr, T_Var) {
                let var = expr.cast::<pg_sys::Var>();
                if (*var).varno as pg_sys::Index != self.rti
                    || (*var).varattno <= 0
                    || (*var).varlevelsup != 0
                    || compat::is_nulled(var)
                {
                    return None;
                }
                KeyTarget::Column((*var).varattno)
            } else {
                let expression = self.expression(expr)?;
                if !self.has_statistics(expr) {
                    self.without_statistics.borrow_mut().insert(expression.node.clone());
                }
                KeyTarget::Expression(expression)
            };
            let collation = collation(wanted, pg_sys::exprCollation(expr));
            Some(KeyPart { target, operator_class: operator_class(class, None), collation })
        }
    }

    /// An immutable expression over this relation's columns alone; None for anything else.
    unsafe fn expression(&self, expr: *mut pg_sys::Node) -> Option<Expression> {
        unsafe { self.local_expression(expr, std::ptr::null_mut()) }
    }

    /// The same of `local`, which means the same with this relation as range table entry 1; made here where it is NULL.
    pub unsafe fn local_expression(
        &self,
        expr: *mut pg_sys::Node,
        mut local: *mut pg_sys::Node,
    ) -> Option<Expression> {
        unsafe {
            if !is_scalar(expr) || contains_parameter(expr) {
                return None;
            }
            let columns = self.own_columns(expr)?;
            if columns.is_empty() || pg_sys::contain_mutable_functions(expr) {
                return None;
            }
            if local.is_null() {
                local = self.localised(expr);
            }
            let type_oid = pg_sys::exprType(local);
            // CREATE INDEX refuses both (CheckAttributeType in heap.c, ComputeIndexAttrs in indexcmds.c).
            let pseudo_type = pg_sys::get_typtype(type_oid) as u8 == pg_sys::TYPTYPE_PSEUDO;
            let collation = pg_sys::exprCollation(local);
            if pseudo_type || (pg_sys::type_is_collatable(type_oid) && collation == pg_sys::InvalidOid) {
                return None;
            }
            expression::read(local, columns, self.context)
        }
    }

    /// Whether the planner has statistics of an expression: from an index on it or extended ones.
    pub unsafe fn has_statistics(&self, expr: *mut pg_sys::Node) -> bool {
        unsafe {
            let mut variable = pg_sys::VariableStatData::default();
            pg_sys::examine_variable(self.root, expr, 0, &mut variable);
            compat::release_statistics(&variable);
            !variable.statsTuple.is_null()
        }
    }

    /// Where `$n` is compared with a column of this relation.
    pub unsafe fn parameter_uses(&self, clause: *mut pg_sys::Node) -> Vec<ParameterUse> {
        unsafe {
            if node::extern_params(clause).is_empty() {
                return Vec::new();
            }
            let Some(sides) = self.sides(clause) else { return Vec::new() };
            let KeyTarget::Column(column) = sides.key.target else { return Vec::new() };
            let values = parameters::column_values(self.relation, column);
            let direct = is_a(strip_coercion(sides.value), T_Param);
            node::extern_params(sides.value)
                .into_iter()
                .map(|param| ParameterUse {
                    number: (*param).paramid as u32,
                    relation: self.relation.to_u32(),
                    column,
                    comparison: sides.comparison,
                    direct,
                    values: values.clone(),
                })
                .collect()
        }
    }

    /// The relation of a singleton set of range table entries; 0 for anything else.
    pub unsafe fn single_relation(&self, relids: pg_sys::Relids) -> Oid {
        unsafe {
            let mut rti = 0;
            if !pg_sys::bms_get_singleton_member(relids, &mut rti)
                || rti >= (*self.root).simple_rel_array_size
            {
                return 0;
            }
            let entry = *(*self.root).simple_rte_array.add(rti as usize);
            if entry.is_null() || (*entry).rtekind != pg_sys::RTEKind::RTE_RELATION {
                return 0;
            }
            (*entry).relid.to_u32()
        }
    }

    /// A key as text: the column's name or the expression.
    pub unsafe fn key_sql(&self, key: &KeyPart) -> String {
        match &key.target {
            KeyTarget::Column(number) => {
                // SAFETY: a live column of an open relation.
                let name = unsafe { pg_sys::get_attname(self.relation, *number, true) };
                super::scalar::quote_identifier(&owned(name).unwrap_or_default())
            }
            KeyTarget::Expression(expression) => expression.sql.clone(),
        }
    }

    /// The other side of a join, as text: `table.column` where it is that simple.
    pub unsafe fn other_sql(&self, expr: *mut pg_sys::Node) -> String {
        unsafe {
            let expr = strip_relabel(expr);
            if is_a(expr, T_Var) {
                let var = expr.cast::<pg_sys::Var>();
                let singleton = pg_sys::bms_make_singleton((*var).varno);
                let relation = self.single_relation(singleton);
                if relation != 0 && (*var).varattno > 0 {
                    let name = owned(pg_sys::get_attname(relation.into(), (*var).varattno, true));
                    let table = owned(pg_sys::get_rel_name(relation.into()));
                    if let (Some(table), Some(name)) = (table, name) {
                        return format!("{table}.{name}");
                    }
                }
            }
            "a computed value".to_string()
        }
    }

    /// For deparsing expressions over this relation as range table entry 1.
    pub fn deparse_context(&self) -> *mut pg_sys::List {
        self.context
    }

    /// The user columns of this relation that a clause reads.
    pub unsafe fn columns_read(&self, clause: *mut pg_sys::Node) -> BTreeSet<AttrNumber> {
        unsafe {
            let mut found = std::ptr::null_mut();
            pg_sys::pull_varattnos(clause, self.rti, &mut found);
            let offset = pg_sys::FirstLowInvalidHeapAttributeNumber;
            let numbers = node::members(found).map(|member| member + offset);
            numbers.filter(|number| *number > 0).map(|number| number as AttrNumber).collect()
        }
    }

    /// Whether an expression reads anything of this relation.
    pub unsafe fn reads_relation(&self, expr: *mut pg_sys::Node) -> bool {
        unsafe {
            let mut found = std::ptr::null_mut();
            pg_sys::pull_varattnos(expr, self.rti, &mut found);
            !found.is_null()
        }
    }

    /// Columns of this relation in an expression; None if it reads other relations, system columns or whole rows.
    unsafe fn own_columns(&self, expr: *mut pg_sys::Node) -> Option<BTreeSet<AttrNumber>> {
        unsafe {
            let flags = pg_sys::PVC_RECURSE_PLACEHOLDERS | pg_sys::PVC_RECURSE_AGGREGATES;
            node::list::<pg_sys::Var>(pg_sys::pull_var_clause(expr, flags as i32))
                .map(|var| {
                    ((*var).varno as pg_sys::Index == self.rti
                        && (*var).varattno > 0
                        && !compat::is_nulled(var))
                    .then_some((*var).varattno)
                })
                .collect()
        }
    }

    /// A copy with this relation as range table entry 1.
    pub unsafe fn localised(&self, expr: *mut pg_sys::Node) -> *mut pg_sys::Node {
        unsafe {
            let copy = pg_sys::copyObjectImpl(expr.cast()).cast::<pg_sys::Node>();
            compat::change_varno(copy, self.rti, 1);
            copy
        }
    }

    /// A clause on this relation as text, columns unqualified; "" where anything else takes part.
    ///
    /// A value that the outer query hands down (PARAM_EXEC) must not be deparsed: ruleutils.c (find_param_generator)
    /// looks for its origin in the plan, and from version 17 on crashes where there is none yet.
    unsafe fn deparse(&self, clause: *mut pg_sys::Node) -> String {
        unsafe {
            let extern_only =
                node::find::<pg_sys::Param>(clause, &[T_Param]).len() == node::extern_params(clause).len();
            if !extern_only || !is_scalar(clause) || self.own_columns(clause).is_none() {
                return String::new();
            }
            expression::deparse(self.localised(clause), self.context)
        }
    }
}

/// Whether a collation certainly sorts by byte value ("C" and "POSIX" of pg_collation.dat), so that a plain text btree
/// serves prefix searches. A false "no" is harmless: the pattern operator class serves prefixes under any collation.
fn sorts_by_bytes(collation: pg_sys::Oid) -> bool {
    matches!(collation.to_u32(), 950 | 951)
}

/// Writes expressions and collations out again with every name in full, so that DDL means the same in any session and
/// an expression equals that of an existing index. Within `reading`, whose search path makes it so.
pub(super) fn qualify(facts: &mut StatementFacts) {
    for usage in &mut facts.relations {
        let relation = pg_sys::Oid::from(usage.relation);
        // SAFETY: the relation was read by the statement; if it is gone since, the look-ups raise.
        unsafe {
            for predicate in &mut usage.predicates {
                expression::qualify(&mut predicate.expression, relation);
            }
            for key in usage.key_parts_mut() {
                if key.collation.sql_name.is_some() {
                    key.collation.sql_name = owned(pg_sys::generate_collation_name(key.collation.oid.into()));
                }
                if let KeyTarget::Expression(expression) = &mut key.target {
                    expression::qualify(expression, relation);
                }
            }
        }
    }
}

/// `text ^@ text` (pg_operator.dat), which has no symbol.
const TEXT_STARTS_WITH_OPERATOR: u32 = 3877;

unsafe fn operator_class(oid: pg_sys::Oid, sql_name: Option<String>) -> OperatorClass {
    unsafe {
        OperatorClass {
            oid: oid.to_u32(),
            family: pg_sys::get_opclass_family(oid).to_u32(),
            input_type: pg_sys::get_opclass_input_type(oid).to_u32(),
            sql_name,
            options: Default::default(),
        }
    }
}

/// Binary-compatible and function casts around a parameter.
unsafe fn strip_coercion(mut expr: *mut pg_sys::Node) -> *mut pg_sys::Node {
    unsafe {
        loop {
            expr = strip_relabel(expr);
            match node::tag(expr) {
                Some(T_FuncExpr)
                    if (*expr.cast::<pg_sys::FuncExpr>()).funcformat
                        != pg_sys::CoercionForm::COERCE_EXPLICIT_CALL =>
                {
                    match node::list::<pg_sys::Node>((*expr.cast::<pg_sys::FuncExpr>()).args).next() {
                        Some(argument) => expr = argument,
                        None => return expr,
                    }
                }
                Some(T_CoerceViaIO) => expr = (*expr.cast::<pg_sys::CoerceViaIO>()).arg.cast(),
                _ => return expr,
            }
        }
    }
}

/// Whether an expression is computed from one row alone, as an index would compute it: no aggregate or window function
/// (sort keys of a grouped query have them), no set, no sub-query. ruleutils.c cannot deparse a PlaceHolderVar, and
/// pull_var_clause (var.c) raises an error at a WindowFunc.
unsafe fn is_scalar(expr: *mut pg_sys::Node) -> bool {
    const OTHERS: [pg_sys::NodeTag; 8] = [
        T_Aggref,
        T_WindowFunc,
        T_GroupingFunc,
        T_PlaceHolderVar,
        T_SubLink,
        T_SubPlan,
        T_AlternativeSubPlan,
        T_CurrentOfExpr,
    ];
    unsafe { !node::any_of(expr, &OTHERS) && !pg_sys::expression_returns_set(expr) }
}

/// Whether any Param, of whatever kind, stands in the expression.
unsafe fn contains_parameter(expr: *mut pg_sys::Node) -> bool {
    unsafe { node::any_of(expr, &[T_Param]) }
}

/// The text of a text-like constant.
unsafe fn constant_text(expr: *mut pg_sys::Node) -> Option<String> {
    unsafe {
        let expr = strip_relabel(expr);
        if !is_a(expr, T_Const) {
            return None;
        }
        let constant = expr.cast::<pg_sys::Const>();
        if (*constant).constisnull
            || ![pg_sys::TEXTOID, pg_sys::VARCHAROID, pg_sys::BPCHAROID].contains(&(*constant).consttype)
        {
            return None;
        }
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo((*constant).consttype, &mut output, &mut is_varlena);
        owned(pg_sys::OidOutputFunctionCall(output, (*constant).constvalue))
    }
}
