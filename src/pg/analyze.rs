//! `Analysed`: one statement as the server understands it, ready to be planned any number of times.
//!
//! Owns its analysed and rewritten Query trees in a memory context of its own. Holds no lock between planner calls:
//! each call locks the relations again and notices whether one has changed.
//!
//! # Safety
//!
//! Its private unsafe functions are called within `isolated`, with a transaction and snapshot; the queries they take are
//! valid trees of this backend.

mod first;
mod grounds;
mod priced;

use super::compat;
use super::explain::{self, Format, Values};
use super::expression_statistics::ExpressionStatistics;
use super::facts::{Collector, RelationSize};
use super::hook::Configuration;
use super::hypothetical::Hypothetical;
use super::identity::Identity;
use super::isolated::{PgError, isolated};
use super::node;
use super::parameters;
use super::planner::{self, Planned};
use super::storage::Storage;
use super::{scalar, watch};
use crate::candidate::definition::Expression;
use crate::candidate::facts::StatementFacts;
use crate::catalog::{Oid, Relation};
use crate::cost::PlanCost;
use crate::statement::{LeftOut, ParameterType, Reading, RelationName, Variant, Wrapper};
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use std::ffi::CString;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A statement that the planner has planned at least once.
pub struct Analysed {
    pub facts: StatementFacts,
    /// Its plan as things are, with the representative parameters.
    pub before: Planned,
    /// What had to be assumed or changed, for people.
    pub notes: Vec<String>,
    /// Rows and pages of each relation it reads, as the planner sees them now.
    pub relation_sizes: Vec<(Oid, RelationSize)>,
    /// Expressions of its facts, by relation, of which the planner has no statistics; predicates that rest on such.
    pub without_statistics: Vec<(Oid, Expression)>,
    /// Conditions, by relation, at whose share of the rows the planner guesses.
    pub guessed: Vec<(Oid, Expression)>,
    /// What the planner took for it so far, analysis aside.
    planner_time: Duration,
    /// Sampled statistics that its plans rest on.
    statistics: Vec<Rc<ExpressionStatistics>>,
    /// How rows lie in its tables, and how large all tables are.
    storage: Rc<Storage>,
    identity: Identity,
    variant: Variant,
    trees: Trees,
    texts: Vec<Option<String>>,
}

/// Query trees and their parameters, in a context that dies with the value.
struct Trees {
    context: pg_sys::MemoryContext,
    queries: Vec<*mut pg_sys::Query>,
    source: CString,
    types: Vec<Oid>,
    bound: pg_sys::ParamListInfo,
    relations: Vec<(Oid, pg_sys::LOCKMODE)>,
    /// The relations' change counts when the trees were made.
    changes: u64,
}

impl Drop for Trees {
    fn drop(&mut self) {
        // SAFETY: made by Trees::new, deleted only here; a sub-context of one that outlives the call.
        unsafe { pg_sys::MemoryContextDelete(self.context) };
    }
}

/// Analyses and plans a statement for the first time.
///
/// # Errors
/// The reason why it has to be left out.
pub fn analyse(
    reading: &Reading,
    identity: &Identity,
    rows_per_call: Option<f64>,
) -> Result<Analysed, LeftOut> {
    let mut notes = Vec::new();
    if let Some(Wrapper::RefreshMaterializedView(name)) = &reading.wrapper {
        let text = isolated(Some(identity), || view_definition(name)).map_err(|e| refusal(e, identity))?;
        let text = text.ok_or_else(|| {
            LeftOut::NotPlannable(format!("materialized view \"{}\" does not exist", name.name))
        })?;
        let inner = crate::statement::read(&text, usize::MAX)?;
        return analyse(&inner, identity, None);
    }
    let mut identity = identity.clone();
    let mut first_error = None;
    for variant in &reading.variants {
        let mut attempt = Trees::new(variant, &identity);
        if let Err(error) = &attempt
            && matches!(
                error.code,
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE | PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION
            )
        {
            let found = schemas_off_path(&reading.relations, &identity);
            if !found.is_empty() {
                let wider = identity.with_schemas(&found);
                if let Ok(trees) = Trees::new(variant, &wider) {
                    notes.push(format!(
                        "found its tables in schema {}, which is not on the search path of role {}",
                        found.join(", "),
                        identity.role_name
                    ));
                    identity = wider;
                    attempt = Ok(trees);
                }
            }
        }
        match attempt {
            Ok(trees) => return first::plan(trees, variant, identity, reading, rows_per_call, notes),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(match first_error {
        Some(error) => refusal(error, &identity),
        None => LeftOut::Empty,
    })
}

/// The share of a relation's rows that the planner expects a condition to keep, 0 to 1, and whether it has statistics of all that the
/// condition compares; all rows where it cannot tell.
pub fn share_of_rows(relation: &Relation, condition: &str, lock_timeout_ms: i32) -> (f64, bool) {
    let text = format!("SELECT FROM {} WHERE {condition}", relation.sql_name);
    let planned = crate::statement::read(&text, usize::MAX)
        .and_then(|reading| analyse(&reading, &Identity::caller(lock_timeout_ms), None));
    match planned {
        Ok(analysed) => {
            let share = (analysed.before.rows / relation.tuples.max(1.0)).clamp(0.0, 1.0);
            (share, analysed.without_statistics.is_empty())
        }
        Err(_) => (1.0, false),
    }
}

impl Analysed {
    /// Its cost as things are.
    pub fn before_cost(&self) -> PlanCost {
        PlanCost {
            startup: self.before.startup,
            total: self.before.total,
            in_memory: self.before.in_memory,
            rows: self.before.rows,
            used: Vec::new(),
            used_existing: self.before.indexes.iter().copied().collect(),
        }
    }

    /// Whether so many tables are joined that the planner may search by lot (standard_join_search or GEQO: make_rel_from_joinlist,
    /// allpaths.c). Those of sub-queries, which it joins by themselves, count too.
    pub fn is_searched_by_lot(&self) -> bool {
        // SAFETY: settings of the session, which change between statements only.
        let (by_lot, least) = unsafe { (pg_sys::enable_geqo, pg_sys::geqo_threshold) };
        by_lot && self.facts.relations.len() >= usize::try_from(least).unwrap_or(usize::MAX)
    }

    /// What the planner took for it so far, in all.
    pub fn planner_time(&self) -> Duration {
        self.planner_time
    }

    /// Plans the statement with the hypothetical indexes given and without the hidden real ones.
    ///
    /// # Errors
    /// Why it can no longer be planned: a table dropped, changed or locked meanwhile.
    pub fn plan(&mut self, indexes: &[&Hypothetical], hidden: &[Oid]) -> Result<Planned, PgError> {
        let statistics = self.statistics.clone();
        let storage = self.storage.clone();
        let configuration = Configuration::resting_on(indexes, hidden, &statistics, Some(&*storage));
        let started = Instant::now();
        let planned =
            self.on_locked_trees(|trees, made_anew| trees.plan(trees.bound, &configuration, None, made_anew));
        self.planner_time += started.elapsed();
        planned
    }

    /// What EXPLAIN would show of the plan that `plan` costs, and its numbers.
    ///
    /// # Errors
    /// As `plan`; where it cannot be shown as `values` asks.
    pub fn explain(
        &mut self,
        indexes: &[&Hypothetical],
        hidden: &[Oid],
        format: Format,
        values: Values,
    ) -> Result<(String, Planned), PgError> {
        let statistics = self.statistics.clone();
        let storage = self.storage.clone();
        let configuration = Configuration::resting_on(indexes, hidden, &statistics, Some(&*storage));
        let shown = self.on_locked_trees(|trees, _| {
            let (mut sum, source, bound) = (Planned::default(), &trees.source, trees.bound);
            // SAFETY: the trees are valid and their relations locked; `isolated` throws the context away.
            let text = explain::print(format, values, || unsafe {
                let shown = trees.queries.iter().map(|query| {
                    let plan = planner::finished_plan(*query, source, bound, &configuration, None);
                    compat::check_permissions(plan);
                    sum.add(planner::read(plan));
                    explain::Plan { plan, source, bound }
                });
                shown.collect()
            });
            Some((text?, sum))
        })?;
        shown.ok_or_else(explain::not_without_values)
    }

    /// Does `work` on trees that are as new as their relations, which are locked; it is told whether the trees were made anew.
    fn on_locked_trees<T>(&mut self, mut work: impl FnMut(&Trees, bool) -> T) -> Result<T, PgError> {
        let done = isolated(Some(&self.identity), || {
            self.trees.lock();
            (!self.trees.is_stale()).then(|| work(&self.trees, false))
        })?;
        if let Some(done) = done {
            return Ok(done);
        }
        // A relation changed since analysis (ANALYZE counts as a change): start again from the text, once.
        self.trees = Trees::new(&self.variant, &self.identity)?;
        let done = isolated(Some(&self.identity), || {
            self.trees.lock();
            // Trees that are older than their tables may hold constants of a column's former type.
            (!self.trees.is_stale()).then(|| {
                self.trees.bind(&self.texts);
                work(&self.trees, true)
            })
        })?;
        done.ok_or_else(|| {
            PgError::new(PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, "its tables change too often")
        })
    }
}

impl Trees {
    fn new(variant: &Variant, identity: &Identity) -> Result<Trees, PgError> {
        let source = CString::new(variant.sql.as_str()).map_err(|_| {
            PgError::new(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, "the text contains a NUL byte")
        })?;
        // SAFETY: a new child of the current context, which outlives the API call's values.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"pg_index_advisor statement".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                // There are thousands of these: blocks that grow would be half empty.
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            )
        };
        let mut trees = Trees {
            context,
            queries: Vec::new(),
            source,
            types: Vec::new(),
            bound: std::ptr::null_mut(),
            relations: Vec::new(),
            changes: 0,
        };
        isolated(Some(identity), || {
            let preset = preset_types(variant);
            // SAFETY: inside a transaction with a snapshot; the trees are copied into their own context.
            unsafe { trees.fill(preset) }
        })??;
        Ok(trees)
    }

    /// Parses, analyses and rewrites the text.
    unsafe fn fill(&mut self, preset: Vec<Oid>) -> Result<(), PgError> {
        unsafe {
            let (mut query, types) = self.transform(&preset)?;
            self.types = types;
            if self.types != preset {
                // Again with what was inferred: a parameter may have been used before its type was known. What nothing
                // determines is text, as a client would send it.
                let undetermined = |oid: Oid| oid == 0 || oid == pg_sys::UNKNOWNOID.to_u32();
                let text = pg_sys::TEXTOID.to_u32();
                let inferred: Vec<Oid> =
                    self.types.iter().map(|oid| if undetermined(*oid) { text } else { *oid }).collect();
                (query, self.types) = self.transform(&inferred)?;
            }
            if (*query).commandType == pg_sys::CmdType::CMD_UTILITY {
                return Err(PgError::new(
                    PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                    "it is a utility statement",
                ));
            }
            let rewritten = pg_sys::pg_rewrite_query(query);
            let old = pg_sys::MemoryContextSwitchTo(self.context);
            self.queries = node::list::<pg_sys::Query>(rewritten)
                .filter(|query| (**query).commandType != pg_sys::CmdType::CMD_UTILITY)
                .map(|query| pg_sys::copyObjectImpl(query.cast()).cast())
                .collect();
            pg_sys::MemoryContextSwitchTo(old);
            if self.queries.is_empty() {
                return Err(PgError::new(
                    PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                    "a rule turns it into nothing that can be planned",
                ));
            }
            self.relations = node::relations(&self.queries);
            watch::begin(self.relations.iter().map(|(oid, _)| *oid));
            self.changes = watch::changes(self.relations.iter().map(|(oid, _)| *oid));
            Ok(())
        }
    }

    /// Parse analysis with parameters of the given types, 0 for those to be inferred.
    unsafe fn transform(&self, preset: &[Oid]) -> Result<(*mut pg_sys::Query, Vec<Oid>), PgError> {
        unsafe {
            let raw: Vec<*mut pg_sys::RawStmt> =
                node::list(pg_sys::pg_parse_query(self.source.as_ptr())).collect();
            let [statement] = raw[..] else {
                return Err(PgError::new(
                    PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
                    "the text does not hold exactly one statement",
                ));
            };
            let mut count = preset.len() as i32;
            let mut types =
                pg_sys::palloc0(size_of::<pg_sys::Oid>() * preset.len().max(1)).cast::<pg_sys::Oid>();
            for (i, oid) in preset.iter().enumerate() {
                *types.add(i) = (*oid).into();
            }
            let pstate = pg_sys::make_parsestate(std::ptr::null_mut());
            (*pstate).p_sourcetext = self.source.as_ptr();
            compat::accept_parameters(pstate, &mut types, &mut count);
            // Not parse_analyze: its hook would let pg_stat_statements record the text.
            let query = pg_sys::transformTopLevelStmt(pstate, statement);
            pg_sys::free_parsestate(pstate);
            let types = (0..count as usize).map(|i| (*types.add(i)).to_u32()).collect();
            Ok((query, types))
        }
    }

    /// Whether the rows returned tell how many were found: not if they are groups.
    fn returns_rows_read(&self) -> bool {
        self.queries.iter().all(|query| {
            // SAFETY: the trees live as long as self.
            let query = unsafe { &**query };
            !query.hasAggs
                && query.groupClause.is_null()
                && query.groupingSets.is_null()
                && query.distinctClause.is_null()
        })
    }

    /// Makes the texts the parameters' values. Within `isolated`.
    fn bind(&mut self, texts: &[Option<String>]) {
        if texts.iter().all(Option::is_none) {
            self.bound = std::ptr::null_mut();
            return;
        }
        // SAFETY: the list must live as long as the trees, so it is made in their context.
        unsafe {
            let old = pg_sys::MemoryContextSwitchTo(self.context);
            self.bound = parameters::bind(texts, &self.types);
            pg_sys::MemoryContextSwitchTo(old);
        }
    }

    /// Locks the relations as the parser did; the sub-transaction's end releases them.
    fn lock(&self) {
        for (relation, mode) in &self.relations {
            // SAFETY: locking needs no more than an OID; it also takes in pending invalidations.
            unsafe { pg_sys::LockRelationOid((*relation).into(), *mode) };
        }
    }

    fn is_stale(&self) -> bool {
        watch::changes(self.relations.iter().map(|(oid, _)| *oid)) != self.changes
    }

    /// One planner call with the parameters `bound`. Within `isolated`, with the relations locked.
    fn plan(
        &self,
        bound: pg_sys::ParamListInfo,
        configuration: &Configuration<'_>,
        mut collector: Option<&mut Collector>,
        check_rights: bool,
    ) -> Planned {
        let mut sum: Option<Planned> = None;
        for query in &self.queries {
            // SAFETY: the trees are valid and their relations locked; `isolated` throws the context away.
            let planned = unsafe {
                if let Some(collector) = collector.as_deref_mut() {
                    collector.look_at_write(*query);
                }
                planner::plan(
                    *query,
                    &self.source,
                    bound,
                    configuration,
                    collector.as_deref_mut(),
                    check_rights,
                )
            };
            match &mut sum {
                None => sum = Some(planned),
                Some(sum) => sum.add(planned),
            }
        }
        sum.unwrap_or_default()
    }
}

/// Why a statement that the server refused is left out.
fn refusal(error: PgError, identity: &Identity) -> LeftOut {
    match error.code {
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => {
            LeftOut::NoRights { role: identity.role_name.clone(), message: error.message }
        }
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => LeftOut::Locked,
        _ => LeftOut::NotPlannable(error.message),
    }
}

/// Types that the reading gives to parameters, by position; 0 where it gives none. Within `isolated`.
fn preset_types(variant: &Variant) -> Vec<Oid> {
    let count = variant.parameter_types.keys().max().copied().unwrap_or(0);
    (1..=count)
        .map(|number| match variant.parameter_types.get(&number) {
            None => 0,
            Some(ParameterType::Named(name)) => {
                one_oid("SELECT pg_catalog.to_regtype($1)::oid", &[name.as_str().into()])
            }
            Some(ParameterType::OfColumn { relation, column }) => one_oid(
                "SELECT atttypid FROM pg_catalog.pg_attribute
                  WHERE attrelid = pg_catalog.to_regclass($1) AND attname = $2 AND NOT attisdropped",
                &[qualified(relation).into(), column.as_str().into()],
            ),
        })
        .collect()
}

fn one_oid(query: &str, args: &[pgrx::datum::DatumWithOid<'_>]) -> Oid {
    scalar::first::<pg_sys::Oid>(query, args).ok().flatten().map_or(0, |oid| oid.to_u32())
}

fn qualified(name: &RelationName) -> String {
    let relation = scalar::quote_identifier(&name.name);
    match &name.schema {
        Some(schema) => format!("{}.{relation}", scalar::quote_identifier(schema)),
        None => relation,
    }
}

fn view_definition(name: &RelationName) -> Option<String> {
    scalar::first::<String>(
        "SELECT pg_catalog.pg_get_viewdef(pg_catalog.to_regclass($1))",
        &[qualified(name).into()],
    )
    .ok()
    .flatten()
}

/// Schemas of the unqualified relations that the identity's search path does not find, where a name exists in just
/// one schema of the database.
fn schemas_off_path(relations: &[RelationName], identity: &Identity) -> Vec<String> {
    const QUERY: &str = "
        SELECT pg_catalog.min(n.nspname)
          FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
           AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
           AND pg_catalog.to_regclass(pg_catalog.quote_ident($1)) IS NULL
        HAVING pg_catalog.count(*) = 1";
    let mut schemas: Vec<String> = Vec::new();
    for relation in relations.iter().filter(|relation| relation.schema.is_none()) {
        let found = isolated(Some(identity), || {
            scalar::first::<String>(QUERY, &[relation.name.as_str().into()]).ok().flatten()
        });
        if let Ok(Some(schema)) = found
            && !schemas.contains(&schema)
        {
            schemas.push(schema);
        }
    }
    schemas
}
