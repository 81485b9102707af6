//! SQL on the history's tables; values come back as plain Rust.

use crate::pg::isolated::PgError;
use crate::pg::scalar::spi_error;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{SpiHeapTupleData, SpiResult};
use serde::Serialize;

/// The server of a snapshot, for a statement whose $1 is the snapshot's number.
pub const HERE: &str = "(SELECT server FROM index_advisor.history_snapshot WHERE id = $1)";

/// Runs a statement; gives the number of rows it concerned.
///
/// # Errors
/// SPI's own; those of the server are raised.
pub fn execute(statement: &str, arguments: &[DatumWithOid<'_>]) -> Result<usize, PgError> {
    Spi::connect_mut(|client| Ok(client.update(statement, None, arguments)?.len())).map_err(spi_error)
}

/// Runs a statement and reads each of its rows. It sees what statements before it wrote.
///
/// # Errors
/// As `execute`, and those of reading.
pub fn rows<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    read: impl Fn(&SpiHeapTupleData<'_>) -> SpiResult<T>,
) -> Result<Vec<T>, PgError> {
    Spi::connect_mut(|client| {
        let table = client.update(statement, None, arguments)?;
        table.map(|row| read(&row)).collect::<SpiResult<Vec<T>>>()
    })
    .map_err(spi_error)
}

/// The first column of the first row; None for no row and for NULL.
///
/// # Errors
/// As `rows`.
pub fn value<T: FromDatum + IntoDatum>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
) -> Result<Option<T>, PgError> {
    Ok(rows(statement, arguments, |row| row[1].value::<T>())?.into_iter().next().flatten())
}

/// Values as the JSON text that a statement takes apart again with jsonb functions.
pub fn json<T: Serialize>(values: &T) -> String {
    serde_json::to_string(values).unwrap_or_else(|_| "null".to_string())
}
