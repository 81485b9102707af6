//! Settings that are lists of names, refused by SET where they cannot be read.
//!
//! The server asks a check hook before it takes a value on. What the names stand for is not looked up: a value may come from
//! `postgresql.conf`, where no catalog can be read.

use crate::settings::names;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_guard, pg_sys};
use std::ffi::{CStr, CString, c_char, c_void};

/// What the names of a list are.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Tables,
    Schemas,
    AccessMethods,
}

/// Defines a setting; once, by `_PG_init`.
pub fn define(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    kind: Kind,
) {
    let check: pg_sys::GucStringCheckHook = match kind {
        Kind::Tables => Some(check_tables),
        Kind::Schemas => Some(check_schemas),
        Kind::AccessMethods => Some(check_access_methods),
    };
    // SAFETY: the hook has the signature of a string's check hook, keeps no pointer, and the strings are static.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            short,
            long,
            setting,
            GucContext::Userset,
            GucFlags::default(),
            check,
            None,
            None,
        );
    }
}

#[pg_guard]
extern "C-unwind" fn check_tables(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    check(value, |text| names::tables(text).map(drop))
}

#[pg_guard]
extern "C-unwind" fn check_schemas(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    check(value, |text| names::schemas(text).map(drop))
}

#[pg_guard]
extern "C-unwind" fn check_access_methods(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    check(value, |text| names::access_methods(text).map(drop))
}

/// Whether a value can be read; why not becomes the detail of the server's refusal.
fn check(value: *mut *mut c_char, read: impl Fn(&str) -> Result<(), String>) -> bool {
    // SAFETY: guc.c passes a pointer to a NUL-terminated string, or to NULL for a default of none.
    let text = unsafe {
        match (*value).is_null() {
            true => return true,
            false => CStr::from_ptr(*value).to_string_lossy(),
        }
    };
    let Err(refusal) = read(&text) else { return true };
    let detail = CString::new(refusal).unwrap_or_default();
    // SAFETY: as the macro GUC_check_errdetail (guc.h) leaves it, in memory that the report of the error frees.
    unsafe {
        pg_sys::GUC_check_errdetail_string =
            pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, detail.as_ptr());
    }
    false
}
