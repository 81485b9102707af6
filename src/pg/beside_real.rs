//! `Beside`: an estimate held beside the real index that it is of; for benchmarks and recorded test cases.

use super::isolated::{PgError, reading};
use super::opclass::{self, NotSized};
use super::sample::Sampler;
use super::scalar::{self, spi_error};
use super::{catalog, create_index};
use crate::catalog::Oid;
use crate::cost::size::SizeEstimate;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT;
use std::time::Instant;

/// What an index is, and what it was thought to be.
pub struct Beside {
    /// Pages on disk.
    pub pages: f64,
    pub estimate: Result<SizeEstimate, NotSized>,
    /// What the estimate took, milliseconds.
    pub milliseconds: f64,
    /// What the estimate saw of the rows, as JSON; None where it looked at none.
    pub sample: Option<String>,
}

/// Estimates an existing index as if it did not exist.
///
/// # Errors
/// There is no such index, or not one that CREATE INDEX would make; those of the catalog queries.
pub fn estimate(index: Oid, sampler: Sampler) -> Result<Beside, PgError> {
    let missing = || PgError::new(ERRCODE_UNDEFINED_OBJECT, "there is no such index on a table");
    let oid = pg_sys::Oid::from(index);
    let (ddl, pages) = reading(|| {
        let ddl = scalar::first::<String>("SELECT pg_catalog.pg_get_indexdef($1)", &[oid.into()])?;
        let bytes = scalar::first::<i64>("SELECT pg_catalog.pg_relation_size($1)", &[oid.into()])?;
        Ok((ddl, bytes.unwrap_or(0) as f64 / f64::from(pg_sys::BLCKSZ)))
    })?
    .map_err(spi_error)?;
    let script = create_index::read(&ddl.ok_or_else(missing)?, i32::MAX)?;
    let definition = script.indexes.into_iter().next().ok_or_else(missing)?.definition;
    let relation = catalog::read_one(definition.relation)?.ok_or_else(missing)?;
    let storage = catalog::read_storage()?;
    let started = Instant::now();
    let estimate = opclass::size_of(&definition, &relation, storage, None, sampler);
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    let sample = opclass::recorded(&definition, &relation, storage, sampler).ok().flatten();
    Ok(Beside { pages, estimate, milliseconds, sample })
}
