//! Reads the `Catalog` of a run: relations, columns with statistics, existing indexes.
//!
//! Through SQL as the caller, so that a caller's rights bound what it shows; sizes come from `pg_class`, which takes no
//! lock on the relations.

use super::analyze::Analysed;
use super::compat;
use super::expression::alignment;
use super::facts::collation;
use super::isolated::{PgError, reading};
use super::scalar::{self, Fields, read_rows};
use crate::candidate::definition::*;
use crate::catalog::*;
use crate::cost::size::Storage;
use pgrx::pg_sys;
use std::collections::{BTreeMap, BTreeSet};

/// Reads the relations that the statements read or write, with sizes as the planner saw them.
///
/// # Errors
/// Those of the catalog queries.
pub fn read_for(statements: &[Analysed]) -> Result<Catalog, PgError> {
    let relations: BTreeSet<Oid> =
        statements.iter().flat_map(|analysed| analysed.facts.relations()).collect();
    let mut catalog = read(&relations.into_iter().collect::<Vec<_>>())?;
    for (oid, size) in statements.iter().flat_map(|analysed| &analysed.relation_sizes) {
        if let Some(relation) = catalog.relations.get_mut(oid) {
            relation.tuples = size.tuples;
            relation.pages = size.pages;
        }
    }
    Ok(catalog)
}

/// Reads what the catalog says of `relations`. Relations that are gone by now are missing from the result.
///
/// # Errors
/// Those of the catalog queries.
pub fn read(relations: &[Oid]) -> Result<Catalog, PgError> {
    let oids: Vec<pg_sys::Oid> = relations.iter().map(|oid| pg_sys::Oid::from(*oid)).collect();
    reading(|| -> Result<Catalog, PgError> {
        let mut catalog = Catalog { relations: read_relations(&oids)?, storage: storage()? };
        read_columns(&oids, &mut catalog)?;
        read_column_groups(&oids, &mut catalog)?;
        read_indexes(&oids, &mut catalog)?;
        Ok(catalog)
    })?
}

/// One relation with its size as the planner would estimate it now; None if it is gone or cannot have indexes.
///
/// # Errors
/// Those of the catalog queries, and of opening the relation or a partition (a lock that is held for long).
pub(super) fn read_one(relation: Oid) -> Result<Option<Relation>, PgError> {
    let Some(mut read) = read(&[relation])?.relations.remove(&relation) else { return Ok(None) };
    // SAFETY: within a sub-transaction that releases the locks; relations are opened and closed here.
    let (pages, tuples) = reading(|| unsafe {
        // find_all_inheritors (pg_inherits.c) locks the children only.
        lock(relation);
        let leaves = compat::inheritors(relation.into(), pg_sys::AccessShareLock as i32);
        let mut sum = (0.0, 0.0);
        for i in 0..(*leaves).length as usize {
            let leaf = (*(*leaves).elements.add(i)).oid_value;
            let kind = pg_sys::get_rel_relkind(leaf) as u8;
            let stored = matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW);
            // The children of a plain table have indexes of their own.
            if !stored || (read.kind != RelationKind::PartitionedTable && leaf.to_u32() != relation) {
                continue;
            }
            let (mut pages, mut tuples, mut visible) = (0, 0.0, 0.0);
            let opened = pg_sys::table_open(leaf, pg_sys::NoLock as i32);
            pg_sys::estimate_rel_size(opened, std::ptr::null_mut(), &mut pages, &mut tuples, &mut visible);
            pg_sys::table_close(opened, pg_sys::NoLock as i32);
            sum = (sum.0 + f64::from(pages), sum.1 + tuples);
        }
        sum
    })?;
    read.pages = pages;
    read.tuples = tuples;
    Ok(Some(read))
}

/// Keeps a relation from being dropped or altered until the end of the sub-transaction. It may be gone already.
pub(super) fn lock(relation: Oid) {
    // SAFETY: locking needs no more than an OID; it also takes in pending invalidations.
    unsafe { pg_sys::LockRelationOid(relation.into(), pg_sys::AccessShareLock as i32) };
}

/// How this server stores indexes.
///
/// # Errors
/// Those of a catalog query.
pub(super) fn read_storage() -> Result<Storage, PgError> {
    reading(storage)?
}

/// Whether a relation of any kind has this OID.
pub(super) fn relation_exists(oid: Oid) -> Result<bool, PgError> {
    // SAFETY: a catalog look-up that gives NUL if there is none.
    reading(|| unsafe { pg_sys::get_rel_relkind(oid.into()) != 0 })
}

/// Whether a real index has this OID.
pub(super) fn index_exists(oid: Oid) -> Result<bool, PgError> {
    // SAFETY: as above.
    let kind = reading(|| unsafe { pg_sys::get_rel_relkind(oid.into()) })?;
    Ok(matches!(kind as u8, pg_sys::RELKIND_INDEX | pg_sys::RELKIND_PARTITIONED_INDEX))
}

/// How this server's btrees are stored.
fn storage() -> Result<Storage, PgError> {
    let deduplicates = scalar::first::<bool>(
        "SELECT pg_catalog.btequalimage('pg_catalog.bpchar'::pg_catalog.regtype)",
        &[],
    )?;
    Ok(Storage { block_size: pg_sys::BLCKSZ, bpchar_deduplicates: deduplicates.unwrap_or(false) })
}

fn read_relations(oids: &[pg_sys::Oid]) -> Result<BTreeMap<Oid, Relation>, PgError> {
    // The leaves of a partitioned table stand for it: a parent has no pages of its own.
    const QUERY: &str = "
        SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
               pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS sql_name,
               c.relkind::text AS kind, l.tuples, l.pages, l.visible, l.leaves,
               CASE WHEN l.leaves > 1 THEN l.leaf_tuples END AS leaf_tuples,
               l.inserted, l.updated, l.hot_updated, l.deleted
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (
               SELECT pg_catalog.sum(greatest(leaf.reltuples, 0))::float8 AS tuples,
                      pg_catalog.sum(leaf.relpages)::float8 AS pages,
                      pg_catalog.sum(leaf.relallvisible)::float8 AS visible,
                      pg_catalog.count(*)::int AS leaves,
                      pg_catalog.array_agg(greatest(leaf.reltuples, 0)::float8) AS leaf_tuples,
                      coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(leaf.oid)), 0)::float8 AS inserted,
                      coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_updated(leaf.oid)), 0)::float8 AS updated,
                      coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_hot_updated(leaf.oid)), 0)::float8 AS hot_updated,
                      coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_deleted(leaf.oid)), 0)::float8 AS deleted
                 FROM (SELECT c.oid WHERE c.relkind <> 'p'
                       UNION ALL
                       SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) AS t WHERE c.relkind = 'p') AS stored
                 JOIN pg_catalog.pg_class AS leaf ON leaf.oid = stored.oid AND leaf.relkind <> 'p') AS l
         WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'm', 'p')
         ORDER BY c.oid";
    let relations = read_rows(QUERY, &[oids.to_vec().into()], |row| {
        let oid = row.oid("oid")?;
        let pages = row.number("pages")?;
        let relation = Relation {
            oid,
            schema: row.text("schema")?,
            name: row.text("name")?,
            sql_name: row.text("sql_name")?,
            kind: match row.text("kind")?.as_str() {
                "p" => RelationKind::PartitionedTable,
                "m" => RelationKind::MaterializedView,
                _ => RelationKind::Table,
            },
            tuples: row.number("tuples")?,
            pages,
            all_visible_fraction: (row.number("visible")? / pages.max(1.0)).clamp(0.0, 1.0),
            leaves: row["leaves"].value::<i32>()?.unwrap_or(1).max(1) as u32,
            leaf_tuples: row.list("leaf_tuples")?,
            columns: BTreeMap::new(),
            indexes: Vec::new(),
            activity: WriteActivity {
                inserted: row.number("inserted")?,
                updated: row.number("updated")?,
                hot_updated: row.number("hot_updated")?,
                deleted: row.number("deleted")?,
            },
            column_groups: Vec::new(),
            expression_statistics: BTreeMap::new(),
        };
        Ok((oid, relation))
    })?;
    Ok(relations.into_iter().collect())
}

fn read_columns(oids: &[pg_sys::Oid], catalog: &mut Catalog) -> Result<(), PgError> {
    // pg_stats shows only what the caller may read; its arrays of values are left aside.
    const QUERY: &str = "
        SELECT a.attrelid, a.attnum, a.attname::text AS name, pg_catalog.quote_ident(a.attname) AS sql_name,
               a.atttypid, a.attlen, a.attalign::text AS align, a.atttypmod AS modifier,
               s.null_frac::float8 AS null_frac, s.avg_width::float8 AS avg_width,
               s.n_distinct::float8 AS n_distinct, s.correlation::float8 AS correlation,
               s.most_common_freqs::float8[] AS frequencies, s.tablename IS NOT NULL AS has_statistics
          FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_catalog.pg_stats AS s
            ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
           AND s.inherited = (c.relkind = 'p')
         WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attrelid, a.attnum";
    let columns = read_rows(QUERY, &[oids.to_vec().into()], |row| {
        let statistics = match row.flag("has_statistics")? {
            true => Some(ColumnStatistics {
                null_fraction: row.number("null_frac")?,
                average_width: row.number("avg_width")?,
                distinct: row.number("n_distinct")?,
                common_frequencies: row.list::<Option<f64>>("frequencies")?.into_iter().flatten().collect(),
                correlation: row.number("correlation")?,
                lengths: Vec::new(),
            }),
            false => None,
        };
        let column = Column {
            number: row["attnum"].value::<i16>()?.unwrap_or(0),
            name: row.text("name")?,
            sql_name: row.text("sql_name")?,
            type_oid: row.oid("atttypid")?,
            type_length: row["attlen"].value::<i16>()?.unwrap_or(-1),
            alignment: alignment(row.text("align")?.bytes().next().unwrap_or(b'i') as _),
            type_modifier: row["modifier"].value::<i32>()?.unwrap_or(-1),
            statistics,
        };
        let relation = row.oid("attrelid")?;
        Ok((relation, column))
    })?;
    for (relation, column) in columns {
        if let Some(relation) = catalog.relations.get_mut(&relation) {
            relation.columns.insert(column.number, column);
        }
    }
    Ok(())
}

/// Reads extended statistics on how many combinations groups of columns have.
fn read_column_groups(oids: &[pg_sys::Oid], catalog: &mut Catalog) -> Result<(), PgError> {
    // pg_stats_ext shows only what the caller may read.
    const QUERY: &str = "
        SELECT c.oid AS relation, s.n_distinct::text AS groups
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          JOIN pg_catalog.pg_stats_ext AS s
            ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.inherited = (c.relkind = 'p')
         WHERE c.oid = ANY ($1) AND s.n_distinct IS NOT NULL
         ORDER BY c.oid, s.statistics_schemaname, s.statistics_name";
    let rows =
        read_rows(QUERY, &[oids.to_vec().into()], |row| Ok((row.oid("relation")?, row.text("groups")?)))?;
    for (relation, text) in rows {
        let Some(relation) = catalog.relations.get_mut(&relation) else { continue };
        for group in ColumnGroup::parse(&text) {
            if !relation.column_groups.iter().any(|known| known.columns == group.columns) {
                relation.column_groups.push(group);
            }
        }
    }
    Ok(())
}

/// One row of `pg_index`, as far as a definition needs it.
struct IndexRow {
    relation: Oid,
    index: ExistingIndex,
    method: String,
    key_count: usize,
    keys: Vec<i16>,
    classes: Vec<Oid>,
    collations: Vec<Oid>,
    options: Vec<i16>,
    /// Expressions of the expression keys, in order.
    expressions: Vec<String>,
    predicate: Option<String>,
}

fn read_indexes(oids: &[pg_sys::Oid], catalog: &mut Catalog) -> Result<(), PgError> {
    const QUERY: &str = "
        SELECT i.indrelid, i.indexrelid, c.relname::text AS name, m.amname::text AS method,
               i.indisunique AS is_unique, i.indisprimary AS is_primary, i.indisvalid AS is_valid,
               EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                        WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) AS is_constraint,
               (c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint) AS size,
               coalesce(pg_catalog.pg_stat_get_numscans(i.indexrelid), 0) AS scans,
               i.indnkeyatts, i.indkey::int2[] AS keys, i.indclass::oid[] AS classes,
               i.indcollation::oid[] AS collations, i.indoption::int2[] AS options,
               ARRAY (SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k.n::int, false)
                        FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attribute, n)
                       WHERE k.attribute = 0 ORDER BY k.n) AS expressions,
               pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
         WHERE i.indrelid = ANY ($1)
         ORDER BY i.indrelid, i.indexrelid";
    let rows = read_rows(QUERY, &[oids.to_vec().into()], |row| {
        let oids = |name: &str| -> Result<Vec<Oid>, pgrx::spi::Error> {
            let oids = row.list::<pg_sys::Oid>(name)?;
            Ok(oids.into_iter().map(|oid| oid.to_u32()).collect())
        };
        Ok(IndexRow {
            relation: row.oid("indrelid")?,
            index: ExistingIndex {
                oid: row.oid("indexrelid")?,
                name: row.text("name")?,
                definition: None,
                unique: row.flag("is_unique")?,
                primary: row.flag("is_primary")?,
                constraint: row.flag("is_constraint")?,
                valid: row.flag("is_valid")?,
                size_bytes: row["size"].value::<i64>()?.unwrap_or(0).max(0) as u64,
                scans: row["scans"].value::<i64>()?.unwrap_or(0).max(0) as u64,
            },
            method: row.text("method")?,
            key_count: row["indnkeyatts"].value::<i16>()?.unwrap_or(0).max(0) as usize,
            keys: row.list::<i16>("keys")?,
            classes: oids("classes")?,
            collations: oids("collations")?,
            options: row.list::<i16>("options")?,
            expressions: row
                .list::<Option<String>>("expressions")?
                .into_iter()
                // NULL for an index that was dropped at this moment: then no definition results.
                .flatten()
                .collect(),
            predicate: row["predicate"].value::<String>()?,
        })
    })?;
    for mut row in rows {
        if let Some(relation) = catalog.relations.get_mut(&row.relation) {
            row.index.definition = definition(&row);
            relation.indexes.push(row.index);
        }
    }
    Ok(())
}

/// The definition of an existing index, comparable with candidates'; None for access methods they do not use.
fn definition(row: &IndexRow) -> Option<IndexDefinition> {
    if row.method != AccessMethod::Btree.name() {
        return None;
    }
    let mut expressions = row.expressions.iter();
    let mut keys = Vec::new();
    for i in 0..row.key_count {
        let number = *row.keys.get(i)?;
        let relation = pg_sys::Oid::from(row.relation);
        let (target, type_oid, own_collation) = if number == 0 {
            (KeyTarget::Expression(key_expression(expressions.next()?)), None, None)
        } else {
            // SAFETY: catalog look-ups of a relation's column; a vanished one raises, which `isolated` catches.
            unsafe {
                let mut type_oid = pg_sys::InvalidOid;
                let mut typmod = 0;
                let mut collation = pg_sys::InvalidOid;
                pg_sys::get_atttypetypmodcoll(relation, number, &mut type_oid, &mut typmod, &mut collation);
                (KeyTarget::Column(number), Some(type_oid), Some(collation))
            }
        };
        let class = pg_sys::Oid::from(*row.classes.get(i)?);
        let wanted = pg_sys::Oid::from(*row.collations.get(i)?);
        let option = *row.options.get(i)? as u16;
        keys.push(Key {
            part: KeyPart {
                target,
                operator_class: operator_class(class, type_oid, pg_sys::BTREE_AM_OID),
                collation: match own_collation {
                    Some(own) => collation(wanted, own),
                    None => Collation { oid: wanted.to_u32(), sql_name: None },
                },
            },
            descending: u32::from(option) & pg_sys::INDOPTION_DESC != 0,
            nulls_first: u32::from(option) & pg_sys::INDOPTION_NULLS_FIRST != 0,
        });
    }
    let mut include: Vec<AttrNumber> = row.keys.iter().skip(row.key_count).copied().collect();
    include.sort();
    Some(IndexDefinition {
        relation: row.relation,
        access_method: AccessMethod::Btree,
        keys,
        include,
        predicate: row.predicate.as_deref().map(text_only),
        parameters: BTreeMap::new(),
    })
}

/// The expression of a key as pg_get_indexdef writes it: in a pair of parentheses, unless it looks like a function call, which never
/// begins with one (pg_get_indexdef_worker, ruleutils.c). Candidates are written without that pair.
fn key_expression(sql: &str) -> Expression {
    let bare = sql.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    text_only(bare.unwrap_or(sql))
}

/// On one line, as candidates are written: the server's own functions break and indent CASE (appendContextKeyword, ruleutils.c).
fn one_line(sql: &str) -> String {
    let mut line = String::with_capacity(sql.len());
    let mut quote = None;
    let mut rest = sql.trim().chars().peekable();
    while let Some(c) = rest.next() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c == '\n' => {
                while rest.next_if(|next| next.is_whitespace()).is_some() {}
                if !line.ends_with(['(', ' ']) {
                    line.push(' ');
                }
                continue;
            }
            _ => {}
        }
        line.push(c);
    }
    line
}

/// An expression known by its text only: enough to compare with.
fn text_only(sql: &str) -> Expression {
    Expression {
        sql: one_line(sql),
        node: String::new(),
        columns: Vec::new(),
        type_oid: 0,
        type_length: -1,
        alignment: 4,
        average_width: 0.0,
    }
}

/// An operator class with its name where it is not the type's default; any type's default where the type is unknown.
pub(super) fn operator_class(
    class: pg_sys::Oid,
    type_oid: Option<pg_sys::Oid>,
    method: pg_sys::Oid,
) -> OperatorClass {
    // SAFETY: catalog look-ups by OIDs found in pg_index or by the server itself.
    unsafe {
        let input_type = pg_sys::get_opclass_input_type(class);
        let default = pg_sys::GetDefaultOpClass(type_oid.unwrap_or(input_type), method);
        OperatorClass {
            oid: class.to_u32(),
            family: pg_sys::get_opclass_family(class).to_u32(),
            input_type: input_type.to_u32(),
            sql_name: if default == class { None } else { operator_class_name(class) },
            options: BTreeMap::new(),
        }
    }
}

/// The name of an operator class for DDL.
pub(super) fn operator_class_name(class: pg_sys::Oid) -> Option<String> {
    scalar::first::<String>(
        "SELECT CASE WHEN n.nspname = 'pg_catalog' THEN ''
                     ELSE pg_catalog.quote_ident(n.nspname) || '.' END || pg_catalog.quote_ident(o.opcname)
           FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.opcnamespace
          WHERE o.oid = $1",
        &[class.into()],
    )
    .ok()
    .flatten()
}

/// The first of `count` consecutive OIDs that no relation has, for hypothetical indexes.
///
/// # Errors
/// Those of the catalog query; also if there is no such range, which takes billions of relations.
pub fn free_oids(count: usize) -> Result<Oid, PgError> {
    // Far above what the OID counter reaches in most clusters; where it has, another range is free.
    const BASES: [u32; 4] = [4_000_000_000, 3_000_000_000, 2_000_000_000, 1_000_000_000];
    for base in BASES {
        let last = base + count as u32;
        let taken = scalar::look_up::<bool>(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid BETWEEN $1 AND $2)",
            &[pg_sys::Oid::from(base).into(), pg_sys::Oid::from(last).into()],
        )?;
        if taken != Some(true) {
            return Ok(base);
        }
    }
    Err(PgError::new(
        pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        "no free range of object identifiers for hypothetical indexes",
    ))
}
