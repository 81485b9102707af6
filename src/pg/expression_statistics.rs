//! `ExpressionStatistics`: statistics of expressions over one relation, from a sample of its rows, as ANALYZE would keep
//! them if the expressions were indexed.
//!
//! They are given to the planner by the hooks of `hook` and are stored nowhere. Where the planner has statistics of its own
//! (of a real index on the expression, or extended ones), those count.
//!
//! # Safety
//!
//! Its private unsafe functions run within a planner hook, on its arguments.

use super::column_analysis::{self, Values};
use super::compat;
use super::hook::Configuration;
use super::hypothetical::{c_string, node_list};
use super::isolated::{PgError, isolated};
use super::node;
use super::sample::{NotSampled, SampledRows, Sampler, Value};
use crate::candidate::definition::Expression;
use crate::catalog::{ColumnStatistics, Oid, Relation};
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
use std::cell::Cell;
use std::ffi::{CString, c_int};

/// The statistics of some expressions over a relation.
///
/// They lie in a memory context of their own, under the session's, until the value is dropped.
pub struct ExpressionStatistics {
    relation: Oid,
    /// The OID of an index that never is: the planner finds the statistics by it where no other index leads to them.
    fake_oid: Oid,
    context: pg_sys::MemoryContext,
    entries: Vec<Entry>,
    /// Expressions without statistics.
    pub missing: Vec<Missing>,
    /// Pages that were read.
    pub pages: u32,
}

/// An expression without statistics.
pub struct Missing {
    pub expression: Expression,
    pub reason: String,
    /// Whether it raised an error for a row, as it would while an index on it is built.
    pub raises: bool,
}

/// One expression.
struct Entry {
    expression: Expression,
    node: CString,
    /// As in `pg_statistic`; lies in the context.
    row: pg_sys::HeapTuple,
    statistics: ColumnStatistics,
    /// Of a condition: the share of the rows for which it holds, 0 to 1.
    share: Option<f64>,
}

impl Drop for ExpressionStatistics {
    fn drop(&mut self) {
        // SAFETY: made by `sample`, deleted only here; no planner call that borrows the value is running. What a session keeps
        // goes with the process.
        unsafe {
            if !pg_sys::proc_exit_inprogress {
                pg_sys::MemoryContextDelete(self.context);
            }
        }
    }
}

/// Distance of the statistics' OIDs from those of hypothetical indexes, which start at the same free range.
const ABOVE_INDEXES: u32 = 10_000_000;
/// `STATS_EXT_EXPRESSIONS` (catalog/pg_statistic_ext.h), which not every version's bindings have.
const STATISTICS_OF_EXPRESSIONS: u8 = b'e';
/// The OIDs are handed out anew after so many.
const OIDS: u32 = 1_000_000;

thread_local! {
    static HANDED_OUT: Cell<u32> = const { Cell::new(0) };
}

impl ExpressionStatistics {
    /// Computes the statistics of `expressions` over a sample of the relation's rows. Expressions that cannot be computed for
    /// every row of it, or whose type has no statistics, are `missing`.
    ///
    /// # Errors
    /// Why no sample may or can be had.
    pub fn sample(
        sampler: &Sampler,
        relation: &Relation,
        expressions: &[Expression],
    ) -> Result<ExpressionStatistics, NotSampled> {
        let first = super::catalog::free_oids((ABOVE_INDEXES + OIDS) as usize)? + ABOVE_INDEXES;
        let number = HANDED_OUT.replace((HANDED_OUT.get() + 1) % OIDS);
        // SAFETY: a child of the session's context; the value deletes it.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::TopMemoryContext,
                c"pg_index_advisor expression statistics".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        let mut statistics = ExpressionStatistics {
            relation: relation.oid,
            fake_oid: first + number,
            context,
            entries: Vec::new(),
            missing: Vec::new(),
            pages: 0,
        };
        statistics.read(sampler, relation, expressions)?;
        Ok(statistics)
    }

    /// All expressions at once or, where that fails, each for itself: to see which of them it is.
    fn read(
        &mut self,
        sampler: &Sampler,
        relation: &Relation,
        expressions: &[Expression],
    ) -> Result<(), NotSampled> {
        let texts: Vec<String> = expressions.iter().map(|expression| expression.sql.clone()).collect();
        match sampler.read(relation, &texts, None) {
            Ok(rows) => {
                self.pages += rows.pages_read;
                for (column, expression) in expressions.iter().enumerate() {
                    match self.compute(&rows, column, expression) {
                        Ok(true) => {}
                        Ok(false) => self.miss(expression, "it has no statistics".to_string(), false),
                        Err(error) => self.miss(expression, error.message, false),
                    }
                }
                Ok(())
            }
            Err(NotSampled::Failed(error)) if error.code != ERRCODE_LOCK_NOT_AVAILABLE => {
                match expressions {
                    [only] => self.miss(only, error.message, true),
                    _ => {
                        for expression in expressions {
                            self.read(sampler, relation, std::slice::from_ref(expression))?;
                        }
                    }
                }
                Ok(())
            }
            Err(reason) => Err(reason),
        }
    }

    fn miss(&mut self, expression: &Expression, reason: String, raises: bool) {
        self.missing.push(Missing { expression: expression.clone(), reason, raises });
    }

    /// Whether there are statistics of the expression whose values stand in `column` of the sample.
    fn compute(
        &mut self,
        rows: &SampledRows,
        column: usize,
        expression: &Expression,
    ) -> Result<bool, PgError> {
        // The values are taken for what the node says they are; the text that gave them has to agree.
        if rows.columns()[column].type_oid.to_u32() != expression.type_oid {
            return Ok(false);
        }
        // Values that the sample knows by their size alone count neither way.
        let known = (0..rows.places().len()).filter_map(|row| match rows.row(row)[column] {
            Value::Null => Some((pg_sys::Datum::from(0), true)),
            Value::Datum(datum) => Some((datum, false)),
            Value::Wide(_) => None,
        });
        let (mut values, mut nulls): (Vec<pg_sys::Datum>, Vec<bool>) = known.unzip();
        if values.is_empty() {
            return Ok(false);
        }
        let is_condition = expression.type_oid == pg_sys::BOOLOID.to_u32();
        let holds = values.iter().zip(&nulls).filter(|(value, null)| !**null && value.value() != 0).count();
        let share = is_condition.then(|| match holds {
            // Not one in n sampled rows: fewer than 3 in n, with 95 % confidence.
            0 if rows.fraction() < 1.0 => (3.0 / values.len() as f64).min(1.0),
            holds => holds as f64 / values.len() as f64,
        });
        let total_rows = rows.estimated_rows();
        let text = c_string(&expression.node);
        let context = self.context;
        let computed = isolated(rows.identity(), || {
            // SAFETY: the sub-transaction's abort pops the snapshot (AtSubAbort_Snapshot, snapmgr.c); the node text was
            // written by this server; the values belong to `rows`.
            unsafe {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                let expr = pg_sys::stringToNode(text.as_ptr()).cast::<pg_sys::Node>();
                let values = Values { values: &mut values, nulls: &mut nulls, total_rows };
                let (row, statistics) = column_analysis::analyze(expr, values)?;
                let scratch = pg_sys::MemoryContextSwitchTo(context);
                let row = pg_sys::heap_copytuple(row);
                pg_sys::MemoryContextSwitchTo(scratch);
                Some((row, statistics))
            }
        })?;
        let Some((row, statistics)) = computed else { return Ok(false) };
        self.entries.push(Entry {
            expression: expression.clone(),
            node: c_string(&expression.node),
            row,
            statistics,
            share,
        });
        Ok(true)
    }

    /// The relation that the expressions are over.
    pub fn relation(&self) -> Oid {
        self.relation
    }

    /// The expressions that have statistics.
    pub fn known(&self) -> impl Iterator<Item = (&Expression, &ColumnStatistics)> {
        self.entries.iter().map(|entry| (&entry.expression, &entry.statistics))
    }

    /// Makes what is known part of what the catalog says of the relation, for size models.
    pub fn record(&self, relation: &mut Relation) {
        for (expression, found) in self.known() {
            relation.expression_statistics.insert(expression.sql.clone(), found.clone());
        }
    }

    /// The share of the rows for which a condition holds, 0 to 1; None if it was not sampled.
    pub fn share(&self, condition: &Expression) -> Option<f64> {
        self.entries.iter().find(|entry| entry.expression == *condition)?.share
    }

    /// Conditions that were sampled, each as those that have to hold together, over range table entry `varno`, and the share of the rows
    /// for which they do; those of the most conditions first.
    ///
    /// # Safety
    /// Only while the memory context is that of a planner call.
    pub(super) unsafe fn shares(&self, varno: pg_sys::Index) -> Vec<(Vec<*mut pg_sys::Node>, f64)> {
        let sampled = self.entries.iter().filter_map(|entry| Some((entry, entry.share?)));
        let mut found: Vec<_> = sampled
            .filter_map(|(entry, share)| {
                let texts = std::slice::from_ref(&entry.node);
                // SAFETY: the node texts were written by this server.
                unsafe {
                    let list = node_list(texts, varno, self.relation, self.relation.into())?;
                    let all = pg_sys::make_ands_implicit((*(*list).elements).ptr_value.cast());
                    Some((node::list::<pg_sys::Node>(all).collect::<Vec<_>>(), share))
                }
            })
            .collect();
        found.sort_by_key(|(conditions, _)| std::cmp::Reverse(conditions.len()));
        found
    }

    /// An index of no use but that the planner finds the statistics by it; NULL where the relation is a partition that
    /// numbers the columns differently.
    ///
    /// No path is ever made of it: its only key is a system column that no operator family knows, and without a clause on the
    /// first key build_index_paths (indxpath.c) leaves such an access method alone. It is neither unique nor ordered nor able
    /// to return anything. examine_variable (selfuncs.c) looks at the included columns too.
    ///
    /// # Safety
    /// Only inside a planner call, in its memory context; `rel` must be the RelOptInfo of relation `oid`.
    pub(super) unsafe fn build(
        &self,
        rel: *mut pg_sys::RelOptInfo,
        oid: pg_sys::Oid,
    ) -> *mut pg_sys::IndexOptInfo {
        unsafe {
            let columns = self.entries.len() + 1;
            let info = pg_sys::palloc0(size_of::<pg_sys::IndexOptInfo>()).cast::<pg_sys::IndexOptInfo>();
            (*info).type_ = pg_sys::NodeTag::T_IndexOptInfo;
            (*info).indexoid = self.fake_oid.into();
            (*info).rel = rel;
            (*info).pages = 1;
            (*info).tuples = (*rel).tuples;
            (*info).tree_height = -1;
            (*info).ncolumns = columns as c_int;
            (*info).nkeycolumns = 1;
            (*info).indexkeys = pg_sys::palloc0(size_of::<c_int>() * columns).cast();
            *(*info).indexkeys = pg_sys::MaxCommandIdAttributeNumber as c_int;
            (*info).indexcollations = pg_sys::palloc0(size_of::<pg_sys::Oid>()).cast();
            (*info).opfamily = pg_sys::palloc0(size_of::<pg_sys::Oid>()).cast();
            (*info).opcintype = pg_sys::palloc0(size_of::<pg_sys::Oid>()).cast();
            (*info).opclassoptions = pg_sys::palloc0(size_of::<*mut pg_sys::bytea>() * columns).cast();
            (*info).canreturn = pg_sys::palloc0(size_of::<bool>() * columns).cast();
            for entry in &self.entries {
                let texts = std::slice::from_ref(&entry.node);
                let Some(expr) = node_list(texts, (*rel).relid, self.relation, oid) else {
                    return std::ptr::null_mut();
                };
                (*info).indexprs = pg_sys::list_concat((*info).indexprs, expr);
            }
            (*info).immediate = true;
            (*info).hypothetical = true;
            info
        }
    }
}

/// The body of `get_index_stats_hook`: answers for the columns of hypothetical indexes that are expressions with statistics.
///
/// examine_variable asks for the statistics of the whole relation and has set `var`; the cost functions ask for the correlation
/// of an index column and have not (selfuncs.c).
///
/// # Safety
/// Arguments as the planner passes them.
pub(super) unsafe fn serve(
    configuration: &Configuration<'_>,
    root: *mut pg_sys::PlannerInfo,
    index: Oid,
    column: i16,
    variable: *mut pg_sys::VariableStatData,
) -> bool {
    unsafe {
        let examining = !(*variable).var.is_null();
        let Some(entry) = find(configuration, index, column, examining) else { return false };
        if examining {
            if planner_knows(root, (*variable).rel, index, column) {
                return false;
            }
            (*variable).acl_ok = may_see_values(root, (*variable).rel);
        }
        (*variable).statsTuple = entry.row;
        (*variable).freefunc = Some(keep);
        true
    }
}

/// The statistics of a column of a hypothetical index, or of one of ours that never is.
///
/// What holds for the rows of a partial index says nothing of the whole relation, so the planner would not ask for it there.
fn find<'a>(
    configuration: &Configuration<'a>,
    index: Oid,
    column: i16,
    examining: bool,
) -> Option<&'a Entry> {
    let statistics = configuration.statistics;
    if let Some(own) = statistics.iter().find(|statistics| statistics.fake_oid == index) {
        return own.entries.get(usize::try_from(column).ok()?.checked_sub(2)?);
    }
    let hypothetical = configuration.indexes.iter().find(|hypothetical| hypothetical.fake_oid == index)?;
    if examining && hypothetical.is_partial() {
        return None;
    }
    let text = hypothetical.expression(column)?;
    let own = hypothetical.statistics();
    let of_relation = statistics.iter().filter(|statistics| statistics.relation == hypothetical.relation);
    own.into_iter()
        .chain(of_relation)
        .flat_map(|statistics| &statistics.entries)
        .find(|entry| entry.expression.sql == text)
}

/// Whether examine_variable would find statistics of the expression by itself: those of a real index on the whole relation, or
/// extended statistics.
unsafe fn planner_knows(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    index: Oid,
    column: i16,
) -> bool {
    unsafe {
        if rel.is_null() {
            return false;
        }
        let infos = || node::list::<pg_sys::IndexOptInfo>((*rel).indexlist);
        let ours = infos().find(|info| (**info).indexoid == pg_sys::Oid::from(index));
        let Some(expr) = ours.and_then(|info| expression(info, column)) else { return false };
        let same = |other: *mut pg_sys::Node| pg_sys::equal(expr.cast(), strip_one(other).cast());
        let real = infos().filter(|info| !(**info).hypothetical && (**info).indpred.is_null());
        for info in real {
            for column in 1..=(*info).ncolumns as i16 {
                if expression(info, column).is_some_and(same) && has_row((*info).indexoid, column) {
                    return true;
                }
            }
        }
        let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
        node::list::<pg_sys::StatisticExtInfo>((*rel).statlist).any(|extended| {
            (*extended).kind as u8 == STATISTICS_OF_EXPRESSIONS
                && (*extended).inherit == (*entry).inh
                && node::list::<pg_sys::Node>((*extended).exprs).any(same)
        })
    }
}

/// The expression in an index column, counted from 1, as examine_variable compares it; None for a plain column.
unsafe fn expression(info: *mut pg_sys::IndexOptInfo, column: i16) -> Option<*mut pg_sys::Node> {
    unsafe {
        let position = usize::try_from(column).ok()?.checked_sub(1)?;
        if position >= (*info).ncolumns as usize || *(*info).indexkeys.add(position) != 0 {
            return None;
        }
        let before = (0..position).filter(|i| *(*info).indexkeys.add(*i) == 0).count();
        node::list::<pg_sys::Node>((*info).indexprs).nth(before).map(|expr| strip_one(expr))
    }
}

/// examine_variable drops one binary-compatible cast of an index expression.
unsafe fn strip_one(expr: *mut pg_sys::Node) -> *mut pg_sys::Node {
    unsafe {
        match node::is_a(expr, pg_sys::NodeTag::T_RelabelType) {
            true => (*expr.cast::<pg_sys::RelabelType>()).arg.cast(),
            false => expr,
        }
    }
}

/// Whether ANALYZE has stored statistics of an index column.
unsafe fn has_row(index: pg_sys::Oid, column: i16) -> bool {
    let kind = pg_sys::SysCacheIdentifier::STATRELATTINH as c_int;
    let (column, own) = (pg_sys::Datum::from(column), pg_sys::Datum::from(false));
    // SAFETY: a look-up in the system cache that takes no reference.
    unsafe { pg_sys::SearchSysCacheExists(kind, index.to_u32().into(), column, own, pg_sys::Datum::from(0)) }
}

/// Whether operators that are not leakproof may see the values in statistics: whoever reads the rows may read the table, and
/// nothing hides rows from them (all_rows_selectable, selfuncs.c; the parent's rights count for a partition).
unsafe fn may_see_values(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo) -> bool {
    unsafe {
        if rel.is_null() {
            return false;
        }
        let mut rti = (*rel).relid as usize;
        while !(*root).append_rel_array.is_null() {
            let parent = *(*root).append_rel_array.add(rti);
            if parent.is_null()
                || (**(*root).simple_rte_array.add((*parent).parent_relid as usize)).rtekind
                    != pg_sys::RTEKind::RTE_RELATION
            {
                break;
            }
            rti = (*parent).parent_relid as usize;
        }
        let entry = *(*root).simple_rte_array.add(rti);
        let top = *(*root).simple_rel_array.add(rti);
        let user = match compat::read_as(top, entry) {
            user if user == pg_sys::InvalidOid => pg_sys::GetUserId(),
            user => user,
        };
        let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
        (*entry).securityQuals.is_null()
            && pg_sys::pg_class_aclcheck((*entry).relid, user, select) == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// The row belongs to us, not to the planner. Raises nothing.
unsafe extern "C-unwind" fn keep(_row: pg_sys::HeapTuple) {}
