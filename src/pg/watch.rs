//! Counts the changes of relations that analysed statements rest on, by the server's invalidation messages.

use crate::catalog::Oid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    /// Change counts of the watched relations; empty between calls of ours.
    static WATCHED: RefCell<BTreeMap<Oid, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Registers the callback; once, by `_PG_init`.
pub fn init() {
    // SAFETY: registers a static function; the server keeps a few slots for such callbacks.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0)) };
}

/// Starts to watch relations, if they are not watched yet.
pub fn begin(relations: impl Iterator<Item = Oid>) {
    WATCHED.with_borrow_mut(|watched| {
        for relation in relations {
            watched.entry(relation).or_insert(0);
        }
    });
}

/// The sum of changes seen so far on some watched relations; grows with each change.
pub fn changes(relations: impl Iterator<Item = Oid>) -> u64 {
    WATCHED.with_borrow(|watched| relations.filter_map(|relation| watched.get(&relation)).sum())
}

/// Forgets everything.
pub fn end() {
    WATCHED.with_borrow_mut(BTreeMap::clear);
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    WATCHED.with(|watched| {
        let Ok(mut watched) = watched.try_borrow_mut() else { return };
        if relation == pg_sys::InvalidOid {
            watched.values_mut().for_each(|count| *count += 1);
        } else if let Some(count) = watched.get_mut(&relation.to_u32()) {
            *count += 1;
        }
    });
}
