//! An SP-GiST operator class's `config` function: what it stores (`access/spgist.h`, which pgrx does not bind).

use super::access_method::support;
use crate::candidate::definition::Key;
use pgrx::pg_sys;

/// `SPGIST_CONFIG_PROC`.
const CONFIG_PROCEDURE: u32 = 1;

#[repr(C)]
struct ConfigIn {
    att_type: pg_sys::Oid,
}

/// `spgConfigOut`.
#[repr(C)]
#[derive(Default)]
pub struct Config {
    pub prefix_type: pg_sys::Oid,
    pub label_type: pg_sys::Oid,
    pub leaf_type: pg_sys::Oid,
    pub can_return_data: bool,
    pub long_values_ok: bool,
}

/// Asks the key's operator class; None if it has no such function.
pub fn config(key: &Key) -> Option<Config> {
    let function = support(&key.part, CONFIG_PROCEDURE)?;
    let mut asked = ConfigIn { att_type: key.part.operator_class.input_type.into() };
    let mut answer = Config::default();
    // SAFETY: the signature that every SP-GiST operator class's config function has; both structs live through the call.
    unsafe {
        pg_sys::OidFunctionCall2Coll(
            function,
            key.part.collation.oid.into(),
            pg_sys::Datum::from(&raw mut asked),
            pg_sys::Datum::from(&raw mut answer),
        );
    }
    Some(answer)
}
