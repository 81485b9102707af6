//! `Hypothetical`: an index definition made ready to be put before the planner, many times.
//!
//! Holds no catalog entry and no storage; what the planner sees of it is built anew in each planner call.
//!
//! # Safety
//!
//! Its private unsafe functions run within `build`, under the same promises.

use super::access_method::Traits;
use super::compat;
use super::expression_statistics::ExpressionStatistics;
use super::index_cost::Costing;
use super::node;
use super::opclass_options;
use crate::candidate::definition::{IndexDefinition, KeyTarget};
use crate::catalog::Oid;
use crate::cost::size::SizeEstimate;
use pgrx::pg_sys;
use std::ffi::{CString, c_int};
use std::rc::Rc;

/// Everything of an `IndexOptInfo` that does not depend on the planner call.
///
/// The planner reads the arrays through pointers into these vectors, so a `Hypothetical` must not change or move its
/// vectors while a planner call that sees it runs; `Configuration` borrows it for that time.
pub struct Hypothetical {
    /// The table it is defined on; the topmost parent for partitions.
    pub relation: Oid,
    /// An OID that no catalog row has.
    pub fake_oid: Oid,
    /// What our cost function must know of it, where the access method's own will not do.
    pub costing: Costing,
    indexkeys: Vec<c_int>,
    collations: Vec<pg_sys::Oid>,
    families: Vec<pg_sys::Oid>,
    input_types: Vec<pg_sys::Oid>,
    reverse_sort: Vec<bool>,
    nulls_first: Vec<bool>,
    can_return: Vec<bool>,
    /// Parsed operator class parameters, one for each column, NULL for none: gincost_pattern (selfuncs.c) reads the array unguarded.
    options: Vec<*mut pg_sys::bytea>,
    /// What they point into.
    _option_bytes: Vec<Vec<u64>>,
    /// Types of the plain columns when the definition was made; a relation altered since then is not matched.
    column_types: Vec<pg_sys::Oid>,
    expressions: Vec<CString>,
    /// The same as `Expression::sql`, by which their statistics are known.
    expression_texts: Vec<String>,
    predicate: Option<CString>,
    size: SizeEstimate,
    /// Rows of `relation` when the size was estimated; leaves get their share by it.
    relation_tuples: f64,
    /// Whether it is to be taken as unique: only where the user says so by hand, never for a candidate.
    unique: bool,
    nulls_not_distinct: bool,
    traits: Traits,
    /// Of its expressions, where it brings them along.
    statistics: Option<Rc<ExpressionStatistics>>,
}

impl Hypothetical {
    /// `column_type` gives the type of a column of the relation. Raises where an operator class refuses its parameters, as it does
    /// for those that a user made up.
    pub fn new(
        definition: &IndexDefinition,
        size: SizeEstimate,
        relation_tuples: f64,
        fake_oid: Oid,
        traits: Traits,
        column_type: impl Fn(i16) -> Oid,
    ) -> Hypothetical {
        let mut indexkeys = Vec::new();
        let mut expressions = Vec::new();
        let mut expression_texts = Vec::new();
        for key in &definition.keys {
            match &key.part.target {
                KeyTarget::Column(number) => indexkeys.push(c_int::from(*number)),
                KeyTarget::Expression(expression) => {
                    indexkeys.push(0);
                    expressions.push(c_string(&expression.node));
                    expression_texts.push(expression.sql.clone());
                }
            }
        }
        indexkeys.extend(definition.include.iter().map(|number| c_int::from(*number)));
        let columns = indexkeys.len();
        let oid = |oid: Oid| pg_sys::Oid::from(oid);
        let parts = || definition.keys.iter().map(|key| &key.part);
        // SAFETY: within a transaction, which every use of the server is.
        let parsed: Vec<Option<Vec<u64>>> =
            parts().map(|part| unsafe { opclass_options::stored(part, &traits) }).collect();
        let mut options: Vec<*mut pg_sys::bytea> = parsed
            .iter()
            .map(|bytes| {
                bytes.as_ref().map_or(std::ptr::null_mut(), |bytes| bytes.as_ptr().cast_mut().cast())
            })
            .collect();
        options.resize(columns, std::ptr::null_mut());
        Hypothetical {
            relation: definition.relation,
            fake_oid,
            costing: Costing::of(definition),
            collations: parts().map(|part| oid(part.collation.oid)).collect(),
            families: parts().map(|part| oid(part.operator_class.family)).collect(),
            input_types: parts().map(|part| oid(part.operator_class.input_type)).collect(),
            reverse_sort: definition.keys.iter().map(|key| key.descending).collect(),
            nulls_first: definition.keys.iter().map(|key| key.nulls_first).collect(),
            can_return: traits.can_return(&definition.keys, definition.include.len()),
            options,
            _option_bytes: parsed.into_iter().flatten().collect(),
            column_types: indexkeys
                .iter()
                .map(
                    |number| if *number == 0 { pg_sys::InvalidOid } else { oid(column_type(*number as i16)) },
                )
                .collect(),
            indexkeys,
            expressions,
            expression_texts,
            predicate: definition.predicate.as_ref().map(|predicate| c_string(&predicate.node)),
            size,
            relation_tuples,
            unique: false,
            nulls_not_distinct: false,
            traits,
            statistics: None,
        }
    }

    /// Whether no scan of this index costs more than one of `other`, which holds the same rows under the same keys as far as they matter:
    /// with more keys than one, rows are taken to come less in the order of the first (btcostestimate, selfuncs.c).
    pub fn is_as_good_as(&self, other: &Hypothetical) -> bool {
        let keys = |index: &Hypothetical| index.collations.len();
        self.size.pages <= other.size.pages
            && self.size.tree_height <= other.size.tree_height
            && (keys(self) == 1 || keys(other) > 1)
    }

    /// The same with statistics of its expressions, which it takes wherever it is seen.
    pub fn with_statistics(self, statistics: Rc<ExpressionStatistics>) -> Hypothetical {
        Hypothetical { statistics: Some(statistics), ..self }
    }

    /// The statistics that it brought along.
    pub fn statistics(&self) -> Option<&Rc<ExpressionStatistics>> {
        self.statistics.as_ref()
    }

    /// The part of it that lies on the relation of what `build` gave.
    ///
    /// # Safety
    /// `info` must be valid.
    pub unsafe fn share_of(&self, info: *const pg_sys::IndexOptInfo) -> f64 {
        unsafe { (*info).tuples / self.size.tuples.max(1.0) }
    }

    /// How it is costed.
    pub fn cost_function(&self) -> Option<super::pricing::CostFunction> {
        self.costing.function().or(self.traits.cost())
    }

    /// Whether it holds only some of the rows.
    pub fn is_partial(&self) -> bool {
        self.predicate.is_some()
    }

    /// The expression in a column, counted from 1; None for a plain column.
    pub fn expression(&self, column: i16) -> Option<&str> {
        let position = usize::try_from(column).ok()?.checked_sub(1)?;
        let before = self.indexkeys.get(..position)?.iter().filter(|number| **number == 0).count();
        (self.indexkeys.get(position) == Some(&0))
            .then(|| self.expression_texts.get(before))?
            .map(String::as_str)
    }

    /// The same taken as unique: where the user vouches for it, never for a candidate (invariant 4).
    pub fn taken_as_unique(self, nulls_not_distinct: bool) -> Hypothetical {
        Hypothetical { unique: true, nulls_not_distinct, ..self }
    }

    /// Builds the planner's view of this index on `relation`, as get_relation_info (plancat.c) does for a real one.
    /// NULL if the relation no longer has the columns.
    ///
    /// # Safety
    /// Only inside a planner call, in its memory context; `rel` must be the relation's RelOptInfo, `relation` open, and
    /// `self` must outlive the planner call.
    pub unsafe fn build(
        &self,
        rel: *mut pg_sys::RelOptInfo,
        relation: pg_sys::Relation,
    ) -> *mut pg_sys::IndexOptInfo {
        unsafe {
            let varno = (*rel).relid;
            let nodes = |texts: &[CString]| node_list(texts, varno, self.relation, (*relation).rd_id);
            let (Some(indexkeys), Some(expressions), Some(predicate)) =
                (self.column_numbers(relation), nodes(&self.expressions), nodes(self.predicate.as_slice()))
            else {
                return std::ptr::null_mut();
            };
            let info = pg_sys::palloc0(size_of::<pg_sys::IndexOptInfo>()).cast::<pg_sys::IndexOptInfo>();
            super::inject::point();
            // The share of the index that lies on this leaf; the whole for a plain table.
            let share =
                if pg_sys::Oid::from(self.relation) == (*relation).rd_id || self.relation_tuples <= 0.0 {
                    1.0
                } else {
                    ((*rel).tuples / self.relation_tuples).clamp(0.0, 1.0)
                };
            (*info).type_ = pg_sys::NodeTag::T_IndexOptInfo;
            (*info).indexoid = self.fake_oid.into();
            (*info).reltablespace = pg_sys::InvalidOid;
            (*info).rel = rel;
            (*info).pages = (self.size.pages * share).round().max(1.0) as pg_sys::BlockNumber;
            (*info).tuples = (self.size.tuples * share).min((*rel).tuples).max(1.0);
            (*info).tree_height = self.size.tree_height.map_or(-1, |height| height as c_int);
            (*info).ncolumns = self.indexkeys.len() as c_int;
            (*info).nkeycolumns = self.families.len() as c_int;
            (*info).indexkeys = indexkeys;
            (*info).indexcollations = self.collations.as_ptr().cast_mut();
            (*info).opfamily = self.families.as_ptr().cast_mut();
            (*info).opcintype = self.input_types.as_ptr().cast_mut();
            // Left NULL for access methods without order, as plancat.c does.
            if self.traits.can_order {
                (*info).sortopfamily = self.families.as_ptr().cast_mut();
                (*info).reverse_sort = self.reverse_sort.as_ptr().cast_mut();
                (*info).nulls_first = self.nulls_first.as_ptr().cast_mut();
            }
            (*info).opclassoptions = self.options.as_ptr().cast_mut();
            (*info).canreturn = self.can_return.as_ptr().cast_mut();
            (*info).indexprs = expressions;
            // A predicate is kept as the server keeps it: an implicit AND.
            let predicate = node::list::<pg_sys::Expr>(predicate).next();
            (*info).indpred =
                predicate.map_or(std::ptr::null_mut(), |clause| pg_sys::make_ands_implicit(clause));
            (*info).unique = self.unique;
            compat::set_nulls_not_distinct(info, self.nulls_not_distinct);
            (*info).immediate = true;
            (*info).hypothetical = true;
            self.traits.apply(info);
            if let Some(function) = self.costing.function() {
                compat::set_cost_function(info, Some(function));
            }
            (*info).indextlist = self.target_list(indexkeys, (*info).indexprs, varno, relation);
            info
        }
    }

    /// The column numbers on this very relation, palloc'd: a partition may number them differently.
    unsafe fn column_numbers(&self, relation: pg_sys::Relation) -> Option<*mut c_int> {
        unsafe {
            let numbers = pg_sys::palloc(size_of::<c_int>() * self.indexkeys.len()).cast::<c_int>();
            let partition = (*relation).rd_id != pg_sys::Oid::from(self.relation);
            for (i, number) in self.indexkeys.iter().enumerate() {
                let mut here = *number;
                if partition && here != 0 {
                    let name = pg_sys::get_attname(self.relation.into(), here as i16, true);
                    if name.is_null() {
                        return None;
                    }
                    here = c_int::from(pg_sys::get_attnum((*relation).rd_id, name));
                }
                if here != 0 {
                    let attribute = attribute((*relation).rd_att, here)?;
                    if (*attribute).atttypid != self.column_types[i] {
                        return None;
                    }
                }
                *numbers.add(i) = here;
            }
            Some(numbers)
        }
    }

    /// The index's columns as a target list, as build_index_tlist (plancat.c) makes it.
    unsafe fn target_list(
        &self,
        indexkeys: *const c_int,
        expressions: *mut pg_sys::List,
        varno: pg_sys::Index,
        relation: pg_sys::Relation,
    ) -> *mut pg_sys::List {
        unsafe {
            let mut targets = std::ptr::null_mut();
            let mut expressions = node::list::<pg_sys::Expr>(expressions);
            for i in 0..self.indexkeys.len() {
                let number = *indexkeys.add(i);
                let expr: *mut pg_sys::Expr = match attribute((*relation).rd_att, number) {
                    Some(column) => pg_sys::makeVar(
                        varno as _,
                        number as i16,
                        (*column).atttypid,
                        (*column).atttypmod,
                        (*column).attcollation,
                        0,
                    )
                    .cast(),
                    None => expressions.next().unwrap_or(std::ptr::null_mut()),
                };
                let entry = pg_sys::makeTargetEntry(expr, (i + 1) as i16, std::ptr::null_mut(), false);
                targets = pg_sys::lappend(targets, entry.cast());
            }
            targets
        }
    }
}

/// A live user column's attribute; None for 0, out of range and dropped ones.
unsafe fn attribute(descriptor: pg_sys::TupleDesc, number: c_int) -> Option<pg_sys::Form_pg_attribute> {
    unsafe {
        if number < 1 || number > (*descriptor).natts {
            return None;
        }
        let attribute = compat::attribute(descriptor, (number - 1) as usize);
        (!(*attribute).attisdropped).then_some(attribute)
    }
}

/// Fresh copies of expressions stored for the relation `home`, with their columns as this range table entry and the relation `here`, home
/// itself or a partition of it, number them. None if a column is not there any more.
pub(super) unsafe fn node_list(
    texts: &[CString],
    varno: pg_sys::Index,
    home: Oid,
    here: pg_sys::Oid,
) -> Option<*mut pg_sys::List> {
    unsafe {
        let mut list = std::ptr::null_mut();
        for text in texts {
            let expr = pg_sys::stringToNode(text.as_ptr()).cast::<pg_sys::Node>();
            compat::change_varno(expr, 1, varno);
            if here != pg_sys::Oid::from(home) {
                for var in node::find::<pg_sys::Var>(expr, &[pg_sys::NodeTag::T_Var]) {
                    let name = pg_sys::get_attname(home.into(), (*var).varattno, true);
                    if name.is_null() {
                        return None;
                    }
                    (*var).varattno = pg_sys::get_attnum(here, name);
                    (*var).varattnosyn = (*var).varattno;
                    if (*var).varattno == 0 {
                        return None;
                    }
                }
            }
            // Not read back from text; RelationGetIndexExpressions (relcache.c) does the same.
            pg_sys::fix_opfuncids(expr);
            list = pg_sys::lappend(list, expr.cast());
        }
        Some(list)
    }
}

pub(super) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
