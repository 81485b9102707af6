//! `Sampler`: reads a bounded, evenly spread, repeatable sample of a relation's rows.
//!
//! Through the executor and as the table's owner where the caller may act as the owner, else as the caller: as ANALYZE and CREATE
//! INDEX do, so that code of others in expressions never runs with more rights than theirs. Rows never leave this process as values;
//! what goes out are numbers about them. Takes no transaction id, so it works on standbys.

mod pages;
mod rows;

use super::identity::{Identity, set_setting};
use super::isolated::{PgError, isolated};
use super::scalar::{self, Fields, read_rows};
use crate::catalog::{Oid, Relation};
use pages::{Leaf, Spread};
use pgrx::pg_sys;
use pgrx::prelude::*;
use rows::Reader;
pub use rows::{ColumnType, NULL, SampledRows, Value};
use std::time::{Duration, Instant};

/// Most bytes of values that a sample keeps; the sample ends early there.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Longest time that a sample takes; it ends early there. Only slow functions in expressions reach it: a page takes well under a
/// millisecond to read.
const MAX_TIME: Duration = Duration::from_secs(3);

/// Why there is no sample.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotSampled {
    #[error("pg_index_advisor.sample_pages is 0")]
    Disabled,
    #[error("reading the table needs SELECT on all of it")]
    NotPermitted,
    #[error("row-level security applies")]
    RowSecurity,
    #[error("the table or a partition is foreign")]
    Foreign,
    #[error("it is another session's temporary table")]
    OtherTemporary,
    #[error("an unlogged table cannot be read on a standby")]
    UnloggedOnStandby,
    #[error("the materialized view has not been populated")]
    NotPopulated,
    #[error("its table access method does not read single pages")]
    TableAccessMethod,
    #[error("it is gone")]
    Gone,
    #[error("reading it failed: {0}")]
    Failed(#[from] PgError),
}

/// How much may be read.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    /// Most pages, of the table and of values stored out of line; 0 for none.
    pub max_pages: u32,
    /// Whether they are anywhere in their parts of the table, not in the middle of them.
    pub scattered: bool,
}

impl Sampler {
    /// As the session is set (`pg_index_advisor.sample_pages`).
    pub fn as_set() -> Sampler {
        Sampler { max_pages: crate::settings::sample_pages(), scattered: false }
    }

    /// Evaluates SQL expressions over a sample of the rows of `relation`, and for each row whether `predicate` holds. Expressions name
    /// their columns as the relation does and everything else in full.
    ///
    /// The pages are the same every time as long as the relation's size is. Values of plain columns that are stored out of line count
    /// with their pages; what a function of an expression reads out of line does not.
    ///
    /// # Errors
    /// Why no sample may or can be had; a locked table is one such (`lock_timeout` of the session).
    pub fn read(
        &self,
        relation: &Relation,
        expressions: &[String],
        predicate: Option<&str>,
    ) -> Result<SampledRows, NotSampled> {
        if self.max_pages == 0 {
            return Err(NotSampled::Disabled);
        }
        let identity = Identity::owner_or_caller(relation.oid);
        let mut rows = SampledRows::new();
        isolated(Some(&identity), || {
            // SAFETY: the sub-transaction's abort pops the snapshot (AtSubAbort_Snapshot, snapmgr.c).
            unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
            self.fill(relation, expressions, predicate, &mut rows)
        })??;
        rows.identity = Some(identity);
        Ok(rows)
    }

    fn fill(
        &self,
        relation: &Relation,
        expressions: &[String],
        predicate: Option<&str>,
        rows: &mut SampledRows,
    ) -> Result<(), NotSampled> {
        let leaves = leaves(relation.oid)?;
        let spread = Spread::new(&leaves, self.max_pages);
        restrict_plans();
        Spi::connect(|_| {
            let mut readers: Vec<Option<Reader>> = spread.leaves.iter().map(|_| None).collect();
            let started = Instant::now();
            for page in spread.pages(self.scattered) {
                pgrx::check_for_interrupts!();
                let late = rows.pages_read > 0 && started.elapsed() >= MAX_TIME;
                if rows.pages_read >= self.max_pages || rows.bytes >= MAX_BYTES || late {
                    break;
                }
                let leaf = &spread.leaves[page.leaf];
                let reader = match &mut readers[page.leaf] {
                    Some(reader) => reader,
                    none => none.insert(Reader::prepare(&leaf.sql_name, expressions, predicate)?),
                };
                reader.read(page, rows)?;
            }
            if spread.leaves.is_empty() || rows.columns().is_empty() {
                // No page: the columns' types are wanted all the same.
                if let Some(leaf) = leaves.first() {
                    Reader::prepare(&leaf.sql_name, expressions, predicate)?.describe(rows)?;
                }
            }
            Ok::<(), PgError>(())
        })?;
        rows.finish(spread.total_pages);
        Ok(())
    }
}

/// Leaves only one way to read a page range: a TID range scan.
fn restrict_plans() {
    for setting in ["enable_seqscan", "enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "jit"]
    {
        set_setting(setting, "off");
    }
    set_setting("enable_tidscan", "on");
    set_setting("max_parallel_workers_per_gather", "0");
}

/// The tables that hold the rows, in the order of their OIDs.
fn leaves(relation: Oid) -> Result<Vec<Leaf>, NotSampled> {
    const QUERY: &str = "
        SELECT c.relkind::text AS kind, c.relpersistence::text AS persistence, c.relispopulated AS populated,
               c.relam = 2 AS heap, pg_catalog.pg_is_other_temp_schema(c.relnamespace) AS other_temporary,
               pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS sql_name,
               pg_catalog.has_table_privilege(c.oid, 'SELECT') AS permitted,
               pg_catalog.row_security_active(c.oid) OR pg_catalog.row_security_active($1) AS secured,
               CASE WHEN c.relkind IN ('r', 'm')
                     AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())
                    THEN pg_catalog.pg_relation_size(c.oid) END AS size
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind <> 'p'
           AND c.oid IN (SELECT $1 UNION ALL SELECT t.relid FROM pg_catalog.pg_partition_tree($1) AS t)
         ORDER BY c.oid";
    let rows = read_rows(QUERY, &[pg_sys::Oid::from(relation).into()], |row| {
        let kind = row.text("kind")?;
        let reason = if kind == "f" {
            Some(NotSampled::Foreign)
        } else if row.flag("other_temporary")? {
            Some(NotSampled::OtherTemporary)
        } else if !row.flag("permitted")? {
            Some(NotSampled::NotPermitted)
        } else if row.flag("secured")? {
            Some(NotSampled::RowSecurity)
        } else if !row.flag("populated")? {
            Some(NotSampled::NotPopulated)
        } else if !row.flag("heap")? {
            Some(NotSampled::TableAccessMethod)
        } else {
            None
        };
        let sql_name = row.text("sql_name")?;
        let unlogged = row.text("persistence")? == "u";
        let pages = row["size"].value::<i64>()?.map(|size| (size as u64 / u64::from(pg_sys::BLCKSZ)) as u32);
        Ok(match (reason, pages) {
            (Some(reason), _) => Err(reason),
            (None, None) if unlogged => Err(NotSampled::UnloggedOnStandby),
            (None, pages) => Ok(Leaf { sql_name, pages: pages.unwrap_or(0) }),
        })
    })?;
    if rows.is_empty() && !is_there(relation)? {
        return Err(NotSampled::Gone);
    }
    rows.into_iter().collect()
}

/// A partitioned table may have no leaves at all.
fn is_there(relation: Oid) -> Result<bool, PgError> {
    let found = scalar::first::<bool>(
        "SELECT true FROM pg_catalog.pg_class WHERE oid = $1",
        &[pg_sys::Oid::from(relation).into()],
    )?;
    Ok(found.unwrap_or(false))
}
