//! Reads `CREATE INDEX` statements as `IndexDefinition`s, with the checks that the server makes before it builds one.
//!
//! Follows DefineIndex and ComputeIndexAttrs (indexcmds.c); creates nothing and locks the table only while it reads.
//!
//! # Safety
//!
//! Its private unsafe functions run within `isolated` on the parse tree of one statement, with its table locked.

use super::access_method::{Traits, support};
use super::catalog;
use super::compat;
use super::expression;
use super::facts::collation;
use super::identity::Identity;
use super::isolated::{PgError, isolated, reading};
use super::node;
use super::opclass_options;
use super::scalar::{self, owned};
use crate::candidate::definition::*;
use crate::catalog::{AttrNumber, Oid};
use crate::cost::write::indexed_columns;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::{self, *};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};

/// An index as a `CREATE INDEX` statement describes it.
#[derive(Clone, Debug)]
pub struct Written {
    pub definition: IndexDefinition,
    /// `CREATE UNIQUE INDEX`: the user vouches for it, so the planner may draw proofs from it.
    pub unique: bool,
    pub nulls_not_distinct: bool,
}

/// What a text of statements holds.
#[derive(Default)]
pub struct Script {
    pub indexes: Vec<Written>,
    /// Numbers of the statements that are no CREATE INDEX, from 1.
    pub others: Vec<usize>,
}

/// Reads a text of one or more statements. Index names, tablespaces, CONCURRENTLY and IF NOT EXISTS say nothing of an index that
/// does not exist, and are ignored.
///
/// # Errors
/// What CREATE INDEX would answer; SELECT missing on a column that the index reads; an access method that cannot be simulated.
pub fn read(text: &str, lock_timeout_ms: i32) -> Result<Script, PgError> {
    let source =
        CString::new(text).map_err(|_| PgError::new(ERRCODE_SYNTAX_ERROR, "the text contains a NUL byte"))?;
    let identity = Identity::caller(lock_timeout_ms);
    let mut script = isolated(Some(&identity), || {
        let mut script = Script::default();
        // SAFETY: inside a transaction with a snapshot.
        unsafe {
            let statements = pg_sys::pg_parse_query(source.as_ptr());
            for (number, raw) in node::list::<pg_sys::RawStmt>(statements).enumerate() {
                if node::is_a((*raw).stmt, pg_sys::NodeTag::T_IndexStmt) {
                    script.indexes.push(written((*raw).stmt.cast(), &source)?);
                } else {
                    script.others.push(number + 1);
                }
            }
        }
        Ok::<Script, PgError>(script)
    })??;
    reading(|| script.indexes.iter_mut().for_each(|index| qualify(&mut index.definition)))?;
    Ok(script)
}

/// Writes names out in full, so that the definition means the same on any search path. Within `reading`.
fn qualify(definition: &mut IndexDefinition) {
    let relation = pg_sys::Oid::from(definition.relation);
    let keys = definition.keys.iter_mut().filter_map(|key| match &mut key.part.target {
        KeyTarget::Expression(expression) => Some(expression),
        KeyTarget::Column(_) => None,
    });
    for expression in keys.chain(definition.predicate.as_mut()) {
        // SAFETY: read a moment ago; if the relation is gone since, the look-ups raise, which `reading` catches.
        unsafe { expression::qualify(expression, relation) };
    }
    for key in &mut definition.keys {
        if key.part.collation.sql_name.is_some() {
            // SAFETY: a collation found a moment ago.
            key.part.collation.sql_name =
                owned(unsafe { pg_sys::generate_collation_name(key.part.collation.oid.into()) });
        }
    }
}

unsafe fn written(raw: *mut pg_sys::IndexStmt, source: &CStr) -> Result<Written, PgError> {
    unsafe {
        let relation = pg_sys::RangeVarGetRelidExtended(
            (*raw).relation,
            pg_sys::AccessShareLock as i32,
            0,
            None,
            std::ptr::null_mut(),
        );
        check_relation(relation)?;
        // Column names and expressions against the table; what is not allowed in an index raises here.
        let statement = compat::transform_index_statement(relation, raw, source);
        let method = text((*statement).accessMethod);
        let traits = traits(&method)?;
        let keys: Vec<*mut pg_sys::IndexElem> = node::list((*statement).indexParams).collect();
        let include: Vec<*mut pg_sys::IndexElem> = node::list((*statement).indexIncludingParams).collect();
        check_abilities(&traits, &method, keys.len(), include.len(), (*statement).unique)?;

        let context = expression::deparse_context(relation);
        let mut definition = IndexDefinition {
            relation: relation.to_u32(),
            access_method: traits.kind,
            keys: Vec::new(),
            include: Vec::new(),
            predicate: predicate((*statement).whereClause, context)?,
            parameters: parameters(&traits, (*statement).options),
        };
        for element in keys {
            definition.keys.push(key(element, relation, &traits, context)?);
        }
        for element in include {
            let number = included(element, relation)?;
            // A column stored already is not stored twice by a candidate; by hand it would be, as by the server.
            definition.include.push(number);
        }
        check_rights(&definition)?;
        if (*statement).unique {
            check_partition_key(&definition)?;
        }
        Ok(Written {
            definition,
            unique: (*statement).unique,
            nulls_not_distinct: (*statement).nulls_not_distinct,
        })
    }
}

fn refused(code: PgSqlErrorCode, message: impl Into<String>) -> PgError {
    PgError::new(code, message)
}

unsafe fn text(pointer: *const std::ffi::c_char) -> String {
    owned(pointer).unwrap_or_default()
}

unsafe fn check_relation(relation: pg_sys::Oid) -> Result<(), PgError> {
    unsafe {
        let kind = pg_sys::get_rel_relkind(relation) as u8;
        let name = text(pg_sys::get_rel_name(relation));
        match kind {
            pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW | pg_sys::RELKIND_PARTITIONED_TABLE => {}
            _ => {
                let message = format!("cannot create index on relation \"{name}\"");
                let hint = "Indexes can be simulated on tables, partitioned tables and materialized views.";
                return Err(refused(ERRCODE_WRONG_OBJECT_TYPE, message).with_hint(hint));
            }
        }
        if relation.to_u32() < pg_sys::FirstNormalObjectId {
            let message = format!("\"{name}\" is a system catalog");
            return Err(refused(ERRCODE_INSUFFICIENT_PRIVILEGE, message));
        }
        Ok(())
    }
}

fn traits(method: &str) -> Result<Traits, PgError> {
    // As DefineIndex does for the name that GiST had before 8.2.
    let name = if method == "rtree" { "gist" } else { method };
    if let Some(kind) = AccessMethod::named(name) {
        return Traits::of(kind);
    }
    let exists = CString::new(name).is_ok_and(|name| {
        // SAFETY: missing_ok; a catalog look-up.
        unsafe { pg_sys::get_am_oid(name.as_ptr(), true) != pg_sys::InvalidOid }
    });
    if !exists {
        return Err(refused(ERRCODE_UNDEFINED_OBJECT, format!("access method \"{name}\" does not exist")));
    }
    let known: Vec<&str> = AccessMethod::ALL.iter().map(|kind| kind.name()).collect();
    let mut error =
        refused(ERRCODE_FEATURE_NOT_SUPPORTED, format!("access method \"{name}\" cannot be simulated"));
    error.detail = Some("Its cost function may read the index itself, which does not exist.".to_string());
    Err(error.with_hint(format!("Simulated are {}.", known.join(", "))))
}

fn check_abilities(
    traits: &Traits,
    method: &str,
    keys: usize,
    included: usize,
    unique: bool,
) -> Result<(), PgError> {
    let lacks = |what: &str| {
        let message = format!("access method \"{method}\" does not support {what}");
        Err(refused(ERRCODE_FEATURE_NOT_SUPPORTED, message))
    };
    if unique && !traits.can_unique {
        return lacks("unique indexes");
    }
    if included > 0 && !traits.can_include {
        return lacks("included columns");
    }
    if keys > 1 && !traits.can_multicolumn {
        return lacks("multicolumn indexes");
    }
    if keys + included > pg_sys::INDEX_MAX_KEYS as usize {
        let message = format!("cannot use more than {} columns in an index", pg_sys::INDEX_MAX_KEYS);
        return Err(refused(ERRCODE_TOO_MANY_COLUMNS, message));
    }
    Ok(())
}

/// Storage parameters, checked by the access method (raises for what it does not know or out of bounds).
unsafe fn parameters(traits: &Traits, options: *mut pg_sys::List) -> BTreeMap<String, String> {
    unsafe {
        let parsed = opclass_options::as_array(options);
        #[allow(ffi_unwind_calls, reason = "index_reloptions is a guarded server function")]
        pg_sys::index_reloptions(traits.options, parsed, true);
        opclass_options::as_map(parsed)
    }
}

unsafe fn predicate(
    clause: *mut pg_sys::Node,
    context: *mut pg_sys::List,
) -> Result<Option<Expression>, PgError> {
    unsafe {
        if clause.is_null() {
            return Ok(None);
        }
        if pg_sys::contain_mutable_functions_after_planning(clause.cast()) {
            let message = "functions in index predicate must be marked IMMUTABLE";
            return Err(refused(ERRCODE_INVALID_OBJECT_DEFINITION, message));
        }
        let columns = columns(clause)?;
        let mut predicate = expression::read(clause, columns.clone(), context);
        // What the relation cache makes of a stored predicate (RelationGetIndexPredicate, relcache.c).
        let simplified = pg_sys::eval_const_expressions(std::ptr::null_mut(), clause);
        let canonical = pg_sys::canonicalize_qual(simplified.cast(), false);
        if let Some(predicate) = &mut predicate
            && let Some(planned) = expression::read(canonical.cast(), columns, context)
        {
            predicate.node = planned.node;
        }
        Ok(predicate)
    }
}

unsafe fn columns(expr: *mut pg_sys::Node) -> Result<BTreeSet<AttrNumber>, PgError> {
    unsafe { expression::columns(expr) }.ok_or_else(|| {
        let message = "index creation on system columns and whole rows is not supported";
        refused(ERRCODE_FEATURE_NOT_SUPPORTED, message)
    })
}

/// A plain column: number, type, collation.
unsafe fn column(
    relation: pg_sys::Oid,
    name: *const std::ffi::c_char,
) -> Result<(AttrNumber, pg_sys::Oid, pg_sys::Oid), PgError> {
    unsafe {
        let number = pg_sys::get_attnum(relation, name);
        if number == 0 {
            let message = format!("column \"{}\" does not exist", text(name));
            return Err(refused(ERRCODE_UNDEFINED_COLUMN, message));
        }
        if number < 0 {
            let message = "index creation on system columns is not supported";
            return Err(refused(ERRCODE_FEATURE_NOT_SUPPORTED, message));
        }
        check_generated(relation, number)?;
        let (mut type_oid, mut typmod, mut collation) = (pg_sys::InvalidOid, 0, pg_sys::InvalidOid);
        pg_sys::get_atttypetypmodcoll(relation, number, &mut type_oid, &mut typmod, &mut collation);
        Ok((number, type_oid, collation))
    }
}

/// Refuses virtual generated columns, which hold nothing to index (PostgreSQL 18).
fn check_generated(relation: pg_sys::Oid, number: AttrNumber) -> Result<(), PgError> {
    let generated = scalar::first::<bool>(
        "SELECT attgenerated = 'v' FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum = $2",
        &[relation.into(), number.into()],
    )?;
    match generated {
        Some(true) => Err(refused(
            ERRCODE_FEATURE_NOT_SUPPORTED,
            "indexes on virtual generated columns are not supported",
        )),
        _ => Ok(()),
    }
}

unsafe fn key(
    element: *mut pg_sys::IndexElem,
    relation: pg_sys::Oid,
    traits: &Traits,
    context: *mut pg_sys::List,
) -> Result<Key, PgError> {
    unsafe {
        let (target, type_oid, own_collation) = match (*element).name.is_null() {
            false => {
                let (number, type_oid, collation) = column(relation, (*element).name)?;
                (KeyTarget::Column(number), type_oid, collation)
            }
            true => expression_target((*element).expr, relation, context)?,
        };
        let wanted = match (*element).collation.is_null() {
            true if (*element).name.is_null() => pg_sys::exprCollation((*element).expr),
            true => own_collation,
            false => pg_sys::get_collation_oid((*element).collation, false),
        };
        check_collation(type_oid, wanted)?;
        let method = CString::new(traits.kind.name()).unwrap_or_default();
        let class = pg_sys::ResolveOpClass((*element).opclass, type_oid, method.as_ptr(), traits.method);
        let (descending, nulls_first) = direction(element, traits)?;
        let mut operator_class = catalog::operator_class(class, Some(type_oid), traits.method);
        let mut part = KeyPart {
            target,
            collation: stored_collation(wanted, own_collation),
            operator_class: operator_class.clone(),
        };
        if !(*element).opclassopts.is_null() {
            operator_class.options = options(&part, traits, (*element).opclassopts)?;
            // DDL writes parameters after the name of the class only.
            if operator_class.sql_name.is_none() {
                operator_class.sql_name = catalog::operator_class_name(class);
            }
            part.operator_class = operator_class;
        }
        Ok(Key { part, descending, nulls_first })
    }
}

fn stored_collation(wanted: pg_sys::Oid, own: pg_sys::Oid) -> Collation {
    match wanted == pg_sys::InvalidOid {
        true => Collation { oid: 0, sql_name: None },
        false => collation(wanted, own),
    }
}

/// An expression's target, type and own collation.
unsafe fn expression_target(
    expr: *mut pg_sys::Node,
    relation: pg_sys::Oid,
    context: *mut pg_sys::List,
) -> Result<(KeyTarget, pg_sys::Oid, pg_sys::Oid), PgError> {
    unsafe {
        let type_oid = pg_sys::exprType(expr);
        let mut inner = expr;
        while node::is_a(inner, pg_sys::NodeTag::T_CollateExpr) {
            inner = (*inner.cast::<pg_sys::CollateExpr>()).arg.cast();
        }
        // Without COLLATE clauses, which say what the key's collation is, not its value.
        let collation = pg_sys::exprCollation(inner);
        if node::is_a(inner, pg_sys::NodeTag::T_Var) && (*inner.cast::<pg_sys::Var>()).varattno > 0 {
            let number = (*inner.cast::<pg_sys::Var>()).varattno;
            check_generated(relation, number)?;
            return Ok((KeyTarget::Column(number), type_oid, collation));
        }
        if pg_sys::contain_mutable_functions_after_planning(inner.cast()) {
            let message = "functions in index expression must be marked IMMUTABLE";
            return Err(refused(ERRCODE_INVALID_OBJECT_DEFINITION, message));
        }
        let columns = columns(inner)?;
        for number in &columns {
            check_generated(relation, *number)?;
        }
        // As index_create does for the index's own columns: no pseudo-types, no composite of itself.
        pg_sys::CheckAttributeType(c"expr".as_ptr(), type_oid, collation, std::ptr::null_mut(), 0);
        let too_large = || refused(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the index expression is too large");
        let mut expression = expression::read(inner, columns.clone(), context).ok_or_else(too_large)?;
        // What the relation cache makes of a stored expression (RelationGetIndexExpressions, relcache.c).
        let simplified = pg_sys::eval_const_expressions(std::ptr::null_mut(), inner);
        expression.node = expression::read(simplified, columns, context).ok_or_else(too_large)?.node;
        Ok((KeyTarget::Expression(expression), type_oid, collation))
    }
}

unsafe fn check_collation(type_oid: pg_sys::Oid, collation: pg_sys::Oid) -> Result<(), PgError> {
    let collatable = unsafe { pg_sys::type_is_collatable(type_oid) };
    match (collatable, collation == pg_sys::InvalidOid) {
        (true, true) => Err(refused(
            ERRCODE_INDETERMINATE_COLLATION,
            "could not determine which collation to use for index expression",
        )
        .with_hint("Use the COLLATE clause to set the collation explicitly.")),
        (false, false) => {
            let name = owned(unsafe { pg_sys::format_type_be(type_oid) }).unwrap_or_default();
            let message = format!("collations are not supported by type {name}");
            Err(refused(ERRCODE_DATATYPE_MISMATCH, message))
        }
        _ => Ok(()),
    }
}

/// Whether the key is descending, and whether its NULLs come first.
unsafe fn direction(element: *mut pg_sys::IndexElem, traits: &Traits) -> Result<(bool, bool), PgError> {
    use pg_sys::{SortByDir, SortByNulls};
    let (ordering, nulls) = unsafe { ((*element).ordering, (*element).nulls_ordering) };
    if !traits.can_order {
        let lacks = |what: &str| {
            let message = format!("access method \"{}\" does not support {what} options", traits.kind.name());
            Err(refused(ERRCODE_FEATURE_NOT_SUPPORTED, message))
        };
        if ordering != SortByDir::SORTBY_DEFAULT {
            return lacks("ASC/DESC");
        }
        if nulls != SortByNulls::SORTBY_NULLS_DEFAULT {
            return lacks("NULLS FIRST/LAST");
        }
        return Ok((false, false));
    }
    let descending = ordering == SortByDir::SORTBY_DESC;
    let nulls_first = match nulls {
        SortByNulls::SORTBY_NULLS_DEFAULT => descending,
        other => other == SortByNulls::SORTBY_NULLS_FIRST,
    };
    Ok((descending, nulls_first))
}

/// Parameters of an operator class, checked by it.
unsafe fn options(
    part: &KeyPart,
    traits: &Traits,
    list: *mut pg_sys::List,
) -> Result<BTreeMap<String, String>, PgError> {
    unsafe {
        let array = opclass_options::as_array(list);
        let options = opclass_options::as_map(array);
        if support(part, u32::from(traits.options_procedure)).is_none() {
            let name = catalog::operator_class_name(part.operator_class.oid.into()).unwrap_or_default();
            let message = format!("operator class {name} has no options");
            return Err(refused(ERRCODE_INVALID_PARAMETER_VALUE, message));
        }
        opclass_options::parse(part, u32::from(traits.options_procedure), &options);
        Ok(options)
    }
}

unsafe fn included(element: *mut pg_sys::IndexElem, relation: pg_sys::Oid) -> Result<AttrNumber, PgError> {
    unsafe {
        let no = |what: &str| {
            refused(ERRCODE_INVALID_OBJECT_DEFINITION, format!("including column does not support {what}"))
        };
        if (*element).name.is_null() {
            let message = "expressions are not supported in included columns";
            return Err(refused(ERRCODE_FEATURE_NOT_SUPPORTED, message));
        }
        if !(*element).collation.is_null() {
            return Err(no("a collation"));
        }
        if !(*element).opclass.is_null() {
            return Err(no("an operator class"));
        }
        if (*element).ordering != pg_sys::SortByDir::SORTBY_DEFAULT {
            return Err(no("ASC/DESC options"));
        }
        if (*element).nulls_ordering != pg_sys::SortByNulls::SORTBY_NULLS_DEFAULT {
            return Err(no("NULLS FIRST/LAST options"));
        }
        Ok(column(relation, (*element).name)?.0)
    }
}

/// The caller must be able to read what the index would hold: estimates tell of it.
fn check_rights(definition: &IndexDefinition) -> Result<(), PgError> {
    let relation = pg_sys::Oid::from(definition.relation);
    let columns = indexed_columns(definition);
    // SAFETY: look-ups of rights by OIDs found a moment ago.
    unsafe {
        let role = pg_sys::GetUserId();
        let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
        let allowed = pg_sys::AclResult::ACLCHECK_OK;
        if pg_sys::pg_class_aclcheck(relation, role, select) == allowed {
            return Ok(());
        }
        let may_read =
            |number: &AttrNumber| pg_sys::pg_attribute_aclcheck(relation, *number, role, select) == allowed;
        if !columns.is_empty() && columns.iter().all(may_read) {
            return Ok(());
        }
        let name = text(pg_sys::get_rel_name(relation));
        Err(refused(ERRCODE_INSUFFICIENT_PRIVILEGE, format!("permission denied for table {name}"))
            .with_hint("Simulating an index takes SELECT on the columns that it reads."))
    }
}

/// A unique index on a partitioned table must hold its partition key.
fn check_partition_key(definition: &IndexDefinition) -> Result<(), PgError> {
    let key = scalar::first::<Vec<i16>>(
        "SELECT partattrs::int2[] FROM pg_catalog.pg_partitioned_table WHERE partrelid = $1",
        &[pg_sys::Oid::from(definition.relation).into()],
    )?;
    let missing = key
        .unwrap_or_default()
        .into_iter()
        .find(|number| !definition.keys.iter().any(|key| key.part.target == KeyTarget::Column(*number)));
    match missing {
        None => Ok(()),
        Some(number) => {
            let mut error = refused(
                ERRCODE_FEATURE_NOT_SUPPORTED,
                "unique constraint on partitioned table must include all partitioning columns",
            );
            error.detail = missing_column(definition.relation, number);
            Err(error)
        }
    }
}

fn missing_column(relation: Oid, number: AttrNumber) -> Option<String> {
    // SAFETY: missing_ok look-up.
    let name = owned(unsafe { pg_sys::get_attname(relation.into(), number, true) });
    Some(match name {
        Some(name) => format!("The index lacks column \"{name}\", which is part of the partition key."),
        None => "The partition key has an expression.".to_string(),
    })
}
