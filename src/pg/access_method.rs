//! `Traits`: what the planner must know of an access method, and which of its columns an index gives back.
//!
//! Only access methods of `AccessMethod` have traits: the cost function of any other may open the index, which is not there.

use super::compat;
use super::isolated::PgError;
use super::scalar;
use super::spgist;
use crate::candidate::definition::{AccessMethod, Key, KeyPart};
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use std::ffi::CString;

/// What plancat.c and DefineIndex (indexcmds.c) ask an access method's handler, copied out of its answer.
#[derive(Clone, Copy)]
pub struct Traits {
    pub kind: AccessMethod,
    pub method: pg_sys::Oid,
    pub can_order: bool,
    pub can_order_by_operator: bool,
    pub can_unique: bool,
    pub can_multicolumn: bool,
    pub can_include: bool,
    pub optional_key: bool,
    pub search_array: bool,
    pub search_nulls: bool,
    pub can_parallel: bool,
    pub has_gettuple: bool,
    pub has_getbitmap: bool,
    pub can_mark: bool,
    /// Number of the support function that takes operator class parameters, 0 for none.
    pub options_procedure: u16,
    pub cost: pg_sys::amcostestimate_function,
    pub options: pg_sys::amoptions_function,
}

impl Traits {
    /// The traits of an access method of this server.
    ///
    /// # Errors
    /// It is not installed in this database, or what bears its name is something else.
    pub fn of(kind: AccessMethod) -> Result<Traits, PgError> {
        let name = CString::new(kind.name()).unwrap_or_default();
        // SAFETY: missing_ok; a catalog look-up.
        let method = unsafe { pg_sys::get_am_oid(name.as_ptr(), true) };
        if method == pg_sys::InvalidOid {
            let message = format!("access method \"{}\" does not exist", kind.name());
            let error = PgError::new(ERRCODE_UNDEFINED_OBJECT, message);
            return Err(match extension(kind) {
                Some(extension) => error.with_hint(format!("Create the extension {extension} first.")),
                None => error,
            });
        }
        if !is_genuine(kind, method) {
            let message =
                format!("access method \"{}\" is not the known one and cannot be simulated", kind.name());
            return Err(PgError::new(ERRCODE_FEATURE_NOT_SUPPORTED, message));
        }
        // SAFETY: the access method exists; the answer is palloc'd in the current context or static, and copied.
        let routine = unsafe { &*pg_sys::GetIndexAmRoutineByAmId(method, false) };
        Ok(Traits {
            kind,
            method,
            can_order: routine.amcanorder,
            can_order_by_operator: routine.amcanorderbyop,
            can_unique: routine.amcanunique,
            can_multicolumn: routine.amcanmulticol,
            can_include: routine.amcaninclude,
            optional_key: routine.amoptionalkey,
            search_array: routine.amsearcharray,
            search_nulls: routine.amsearchnulls,
            can_parallel: routine.amcanparallel,
            has_gettuple: routine.amgettuple.is_some(),
            // The heap's side (scan_bitmap_next_block) is there for every built-in table access method.
            has_getbitmap: routine.amgetbitmap.is_some(),
            can_mark: routine.ammarkpos.is_some() && routine.amrestrpos.is_some(),
            options_procedure: routine.amoptsprocnum,
            cost: routine.amcostestimate,
            options: routine.amoptions,
        })
    }

    /// Fills the planner's view with what holds for every index of this access method.
    ///
    /// # Safety
    /// `info` must be valid.
    pub unsafe fn apply(&self, info: *mut pg_sys::IndexOptInfo) {
        // SAFETY: the caller's promise.
        unsafe {
            (*info).relam = self.method;
            (*info).amcanorderbyop = self.can_order_by_operator;
            (*info).amoptionalkey = self.optional_key;
            (*info).amsearcharray = self.search_array;
            (*info).amsearchnulls = self.search_nulls;
            (*info).amcanparallel = self.can_parallel;
            (*info).amhasgettuple = self.has_gettuple;
            (*info).amhasgetbitmap = self.has_getbitmap;
            (*info).amcanmarkpos = self.can_mark;
            compat::set_cost_function(info, self.cost);
        }
    }

    /// How the planner costs its indexes.
    pub fn cost(&self) -> pg_sys::amcostestimate_function {
        self.cost
    }

    /// For each column, keys first, whether an index-only scan can return it (`amcanreturn` of each access method, which wants
    /// the index itself: nbtree.c, gistscan.c's gistcanreturn, spgutils.c's spgcanreturn).
    pub fn can_return(&self, keys: &[Key], included: usize) -> Vec<bool> {
        let key = |key: &Key| match self.kind {
            AccessMethod::Btree => true,
            AccessMethod::Gist => {
                procedure(key, pg_sys::GIST_FETCH_PROC) || !procedure(key, pg_sys::GIST_COMPRESS_PROC)
            }
            AccessMethod::Spgist => spgist::config(key).is_some_and(|config| config.can_return_data),
            _ => false,
        };
        let included = std::iter::repeat_n(self.can_include, included);
        keys.iter().map(key).chain(included).collect()
    }
}

/// The extension that brings an access method.
fn extension(kind: AccessMethod) -> Option<&'static str> {
    match kind {
        AccessMethod::Bloom => Some("bloom"),
        AccessMethod::Hnsw | AccessMethod::Ivfflat => Some("vector"),
        _ => None,
    }
}

/// Whether the access method is the one that bears the name everywhere: a handler may be anybody's.
fn is_genuine(kind: AccessMethod, method: pg_sys::Oid) -> bool {
    let handler = match kind {
        AccessMethod::Bloom => ("blhandler", "%bloom"),
        AccessMethod::Hnsw => ("hnswhandler", "%vector"),
        AccessMethod::Ivfflat => ("ivfflathandler", "%vector"),
        _ => return method.to_u32() < pg_sys::FirstNormalObjectId,
    };
    scalar::first::<bool>(
        "SELECT p.prosrc = $2 AND p.probin LIKE $3
           FROM pg_catalog.pg_am AS a JOIN pg_catalog.pg_proc AS p ON p.oid = a.amhandler WHERE a.oid = $1",
        &[method.into(), handler.0.into(), handler.1.into()],
    )
    .ok()
    .flatten()
    .unwrap_or(false)
}

/// The OID of a support function of a key's operator family for its input type; None for number 0.
pub fn support(part: &KeyPart, number: u32) -> Option<pg_sys::Oid> {
    let class = &part.operator_class;
    let input = pg_sys::Oid::from(class.input_type);
    // SAFETY: a catalog look-up that gives InvalidOid if there is none.
    let found = unsafe { pg_sys::get_opfamily_proc(class.family.into(), input, input, number as i16) };
    (found != pg_sys::InvalidOid).then_some(found)
}

fn procedure(key: &Key, number: u32) -> bool {
    support(&key.part, number).is_some()
}
