//! Storage and operator class parameters between DDL, names with values, and what the server's code reads.
//!
//! # Safety
//!
//! All of it takes what a parse tree holds or what the functions here made, in the current memory context.

use super::access_method::{Traits, support};
use super::node;
use super::scalar::owned;
use crate::candidate::definition::KeyPart;
use pgrx::pg_sys;
use std::collections::BTreeMap;
use std::ffi::CString;

/// Parameters as DDL lists them as the text array that catalogs keep; the zero Datum for none.
///
/// # Safety
/// `list` must be NIL or a list of DefElem.
pub unsafe fn as_array(list: *mut pg_sys::List) -> pg_sys::Datum {
    unsafe {
        pg_sys::transformRelOptions(
            pg_sys::Datum::from(0),
            list,
            std::ptr::null(),
            std::ptr::null_mut(),
            false,
            false,
        )
    }
}

/// The names and values of such an array.
///
/// # Safety
/// `array` must come from `as_array`.
pub unsafe fn as_map(array: pg_sys::Datum) -> BTreeMap<String, String> {
    unsafe {
        if array.is_null() {
            return BTreeMap::new();
        }
        node::list::<pg_sys::DefElem>(pg_sys::untransformRelOptions(array))
            .filter_map(|element| {
                let value = if (*element).arg.is_null() {
                    String::new()
                } else {
                    owned(pg_sys::defGetString(element))?
                };
                Some((owned((*element).defname)?, value))
            })
            .collect()
    }
}

/// What the operator class makes of its parameters, as `index_opclass_options` (indexam.c) does: a struct of its own behind a
/// varlena header, or NULL where the class takes none. `procedure` is the number of the support function that knows them. Raises for parameters that it refuses.
///
/// # Safety
/// Within a transaction; the result lives in the current context.
pub unsafe fn parse(
    part: &KeyPart,
    procedure: u32,
    options: &BTreeMap<String, String>,
) -> *mut pg_sys::bytea {
    unsafe {
        let Some(procedure) = support(part, procedure) else {
            return std::ptr::null_mut();
        };
        let mut known = pg_sys::local_relopts::default();
        pg_sys::init_local_reloptions(&mut known, 0);
        pg_sys::OidFunctionCall1Coll(procedure, pg_sys::InvalidOid, pg_sys::Datum::from(&raw mut known));
        pg_sys::build_local_reloptions(&mut known, as_array(list(options)), true).cast()
    }
}

/// What `parse` makes of a key's parameters, copied out of server memory; in words, because the server reads it aligned.
///
/// # Safety
/// As `parse`.
pub unsafe fn stored(part: &KeyPart, traits: &Traits) -> Option<Vec<u64>> {
    unsafe {
        let parsed = parse(part, u32::from(traits.options_procedure), &part.operator_class.options);
        if parsed.is_null() {
            return None;
        }
        let length = pgrx::varsize_any(parsed.cast());
        let mut words = vec![0u64; length.div_ceil(size_of::<u64>())];
        std::ptr::copy_nonoverlapping(parsed.cast::<u8>(), words.as_mut_ptr().cast(), length);
        Some(words)
    }
}

/// Parameters as DDL would list them.
unsafe fn list(options: &BTreeMap<String, String>) -> *mut pg_sys::List {
    unsafe {
        let mut list = std::ptr::null_mut();
        for (name, value) in options {
            let (Ok(name), Ok(value)) = (CString::new(name.as_str()), CString::new(value.as_str())) else {
                continue;
            };
            let value = pg_sys::makeString(pg_sys::pstrdup(value.as_ptr()));
            let element = pg_sys::makeDefElem(pg_sys::pstrdup(name.as_ptr()), value.cast(), -1);
            list = pg_sys::lappend(list, element.cast());
        }
        list
    }
}
