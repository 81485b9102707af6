//! Small look-ups in the server that give plain Rust values.

use super::isolated::{PgError, reading};
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::spi::{SpiHeapTupleData, SpiResult};
use std::ffi::{CStr, CString, c_char};

/// Copies a server string; None for NULL.
pub(super) fn owned(text: *const c_char) -> Option<String> {
    // SAFETY: server strings are NUL-terminated and live at least until the current context is reset.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A setting's current value; None if there is no such setting.
pub fn setting(name: &str) -> Option<String> {
    let name = CString::new(name).ok()?;
    // SAFETY: missing_ok, unrestricted: returns NULL or a string owned by guc.c.
    owned(unsafe { pg_sys::GetConfigOption(name.as_ptr(), true, false) })
}

/// The value that RESET would give a setting.
pub(super) fn reset_value(name: &str) -> Option<String> {
    let name = CString::new(name).ok()?;
    // SAFETY: only called with names of built-in settings, which exist.
    owned(unsafe { pg_sys::GetConfigOptionResetString(name.as_ptr()) })
}

/// A setting in milliseconds, 0 if it is off or absent.
pub(super) fn setting_ms(name: &str) -> i32 {
    setting(name).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// An identifier quoted where PostgreSQL's lexer needs it (ruleutils.c).
pub fn quote_identifier(name: &str) -> String {
    let Ok(name) = CString::new(name) else { return String::new() };
    // SAFETY: returns its argument or a palloc'd copy, both NUL-terminated.
    owned(unsafe { pg_sys::quote_identifier(name.as_ptr()) }).unwrap_or_default()
}

/// A literal quoted for SQL (quote.c).
pub fn quote_literal(text: &str) -> String {
    let Ok(text) = CString::new(text) else { return String::new() };
    // SAFETY: returns a palloc'd copy.
    owned(unsafe { pg_sys::quote_literal_cstr(text.as_ptr()) }).unwrap_or_default()
}

pub(super) fn role_name(role: pg_sys::Oid) -> Option<String> {
    // SAFETY: noerr: returns NULL for an unknown role.
    owned(unsafe { pg_sys::GetUserNameFromId(role, true) })
}

/// SPI reports its own failures (not the server's errors, which are raised) as values.
pub fn spi_error(error: pgrx::spi::Error) -> PgError {
    PgError::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, error.to_string())
}

/// The first column of the first row of a query; None for no row and for NULL.
///
/// Spi::get_one and its like take a transaction identifier (pgrx's Spi::mark_mutable), which a hot standby has not got.
///
/// # Errors
/// SPI's own; those of the server are raised.
pub fn first<T: pgrx::FromDatum + pgrx::IntoDatum>(
    query: &str,
    arguments: &[pgrx::datum::DatumWithOid<'_>],
) -> Result<Option<T>, PgError> {
    pgrx::Spi::connect(|client| {
        let rows = client.select(query, Some(1), arguments)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get_one() }
    })
    .map_err(spi_error)
}

/// The same as a query of its own, within `reading`.
///
/// # Errors
/// SPI's own and those of the server.
pub fn look_up<T: pgrx::FromDatum + pgrx::IntoDatum>(
    query: &str,
    arguments: &[pgrx::datum::DatumWithOid<'_>],
) -> Result<Option<T>, PgError> {
    reading(|| first(query, arguments))?
}

/// Runs a query and reads each of its rows, as of the active snapshot. As `first`, it takes no transaction identifier.
///
/// # Errors
/// SPI's own, and those of reading; those of the server are raised.
pub fn read_rows<T>(
    query: &str,
    arguments: &[pgrx::datum::DatumWithOid<'_>],
    read: impl Fn(&SpiHeapTupleData<'_>) -> SpiResult<T>,
) -> Result<Vec<T>, PgError> {
    pgrx::Spi::connect(|client| {
        let table = client.select(query, None, arguments)?;
        table.map(|row| read(&row)).collect::<SpiResult<Vec<T>>>()
    })
    .map_err(spi_error)
}

/// Columns of a row that SPI returned, NULL as the type's zero. SPI's own failures come back as values.
pub trait Fields {
    fn number(&self, name: &str) -> SpiResult<f64>;
    fn text(&self, name: &str) -> SpiResult<String>;
    fn flag(&self, name: &str) -> SpiResult<bool>;
    fn oid(&self, name: &str) -> SpiResult<crate::catalog::Oid>;
    /// A number that a table of ours gives its rows, or pg_stat_statements its statements.
    fn id(&self, name: &str) -> SpiResult<i64>;
    /// An array's elements; none for NULL.
    fn list<T>(&self, name: &str) -> SpiResult<Vec<T>>
    where
        Vec<T>: pgrx::FromDatum + pgrx::IntoDatum;
}

impl Fields for SpiHeapTupleData<'_> {
    fn number(&self, name: &str) -> SpiResult<f64> {
        Ok(self[name].value::<f64>()?.unwrap_or(0.0))
    }

    fn text(&self, name: &str) -> SpiResult<String> {
        Ok(self[name].value::<String>()?.unwrap_or_default())
    }

    fn flag(&self, name: &str) -> SpiResult<bool> {
        Ok(self[name].value::<bool>()?.unwrap_or_default())
    }

    fn oid(&self, name: &str) -> SpiResult<crate::catalog::Oid> {
        Ok(self[name].value::<pg_sys::Oid>()?.map_or(0, |oid| oid.to_u32()))
    }

    fn id(&self, name: &str) -> SpiResult<i64> {
        Ok(self[name].value::<i64>()?.unwrap_or_default())
    }

    fn list<T>(&self, name: &str) -> SpiResult<Vec<T>>
    where
        Vec<T>: pgrx::FromDatum + pgrx::IntoDatum,
    {
        // pgrx copies an array into the parent of the current context: that of SPI's own context is the transaction's,
        // that of one within it is SPI's, which SPI_finish deletes.
        // SAFETY: what is read is a Vec, which lies outside of both.
        unsafe {
            pgrx::PgMemoryContexts::new("pg_index_advisor array")
                .switch_to(|_| Ok(self[name].value::<Vec<T>>()?.unwrap_or_default()))
        }
    }
}
