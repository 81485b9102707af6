//! GIN: the keys that extractValue makes of sampled rows.
//!
//! # Safety
//!
//! Its private unsafe functions run within `look_at`, under the same promises.

use super::super::compat;
use super::{Function, Scratch, Stored, aligned, key_type_of_class};
use crate::candidate::definition::{IndexDefinition, Key};
use crate::catalog::Relation;
use crate::cost::size::{GinKeys, KeyGroup};
use crate::pg::opclass_options;
use crate::pg::sample::{SampledRows, Value};
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// Bytes of `IndexTupleData`.
const TUPLE_HEADER: usize = 8;
/// The same with a NULL bitmap (IndexInfoFindDataOffset, itup.h).
const NULL_HEADER: usize = 16;
/// A value too wide to look at counts as one key per this many bytes, about a word.
const WIDE_KEY: usize = 16;

/// What is known of one key.
#[derive(Default)]
struct Seen {
    pages: u32,
    items: u32,
    bytes: u32,
    /// The last table and page with it, and the last row.
    page: Option<(u32, u32)>,
    row: Option<usize>,
}

struct Column {
    extract: Box<Function>,
    stored: Stored,
}

/// Asks the operator classes for the keys of each row; None where a class has no extractValue.
///
/// # Safety
/// The rows' first columns must be the definition's keys, of the types that the operator classes take.
pub(super) unsafe fn look_at(
    definition: &IndexDefinition,
    rows: &SampledRows,
    relation: &Relation,
) -> Option<GinKeys> {
    unsafe {
        let mut columns = definition
            .keys
            .iter()
            .enumerate()
            .map(|(i, key)| {
                let extract = Function::of(
                    key,
                    pg_sys::GIN_EXTRACTVALUE_PROC,
                    opclass_options::parse(
                        &key.part,
                        pg_sys::GIN_OPTIONS_PROC,
                        &key.part.operator_class.options,
                    ),
                )?;
                Some(Column { extract, stored: Stored::of(key_type(key, rows.columns()[i].type_oid)) })
            })
            .collect::<Option<Vec<_>>>()?;
        let mut seen: BTreeMap<(u32, u64), Seen> = BTreeMap::new();
        let scratch = Scratch::enter();
        for (row, place) in rows.places().iter().enumerate().filter(|(_, place)| place.kept) {
            pgrx::check_for_interrupts!();
            // Each column's attribute number comes before the key where there is more than one (GinFormTuple).
            let several = columns.len() > 1;
            for (i, column) in columns.iter_mut().enumerate() {
                let mut note = |hash: u64, bytes: usize| {
                    let key = seen.entry((place.leaf, hash.wrapping_add(i as u64))).or_default();
                    let page = Some((place.leaf, place.block));
                    if key.page != page {
                        key.pages += 1;
                        key.page = page;
                    }
                    if key.row != Some(row) {
                        key.items += 1;
                        key.row = Some(row);
                    }
                    key.bytes = bytes as u32;
                };
                column.keys(&rows.row(row)[i], several, &mut note);
            }
            scratch.reset();
        }
        drop(scratch);
        Some(GinKeys { groups: groups(seen), build_memory: build_memory(), sorted: is_parallel(relation) })
    }
}

impl Column {
    /// Names each key of a value by a hash, with the bytes of its index tuple.
    unsafe fn keys(&mut self, value: &Value, several: bool, note: &mut dyn FnMut(u64, usize)) {
        const NULL_ITEM: u64 = 0x9e37_79b9_7f4a_7c15;
        const EMPTY_ITEM: u64 = NULL_ITEM.wrapping_mul(3);
        const NULL_KEY: u64 = NULL_ITEM.wrapping_mul(5);
        let number = if several { 2 } else { 0 };
        let without_key = aligned(NULL_HEADER + number + 1);
        let datum = match value {
            Value::Null => return note(NULL_ITEM, without_key),
            Value::Wide(bytes) => {
                for i in 0..bytes / WIDE_KEY {
                    note(NULL_KEY.wrapping_mul(7 + 2 * i as u64), aligned(TUPLE_HEADER + WIDE_KEY));
                }
                return;
            }
            Value::Datum(datum) => *datum,
        };
        unsafe {
            let mut count: i32 = 0;
            let mut nulls: *mut bool = std::ptr::null_mut();
            let keys = self
                .extract
                .call3(datum, pg_sys::Datum::from(&raw mut count), pg_sys::Datum::from(&raw mut nulls))
                .cast_mut_ptr::<pg_sys::Datum>();
            if keys.is_null() || count <= 0 {
                return note(EMPTY_ITEM, without_key);
            }
            for k in 0..count as usize {
                if !nulls.is_null() && *nulls.add(k) {
                    note(NULL_KEY, without_key);
                    continue;
                }
                let key = *keys.add(k);
                let image = self.stored.image(&key);
                let hash = hash(image);
                note(hash, aligned(self.stored.end(TUPLE_HEADER + number, image.len())));
            }
        }
    }
}

/// FNV-1a with a last mixing step: among a million keys, one in ten million times two share a hash.
fn hash(image: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = image.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// The type that the index stores (ConstructTupleDescriptor, catalog/index.c).
unsafe fn key_type(key: &Key, column: pg_sys::Oid) -> pg_sys::Oid {
    let class = pg_sys::Oid::from(key.part.operator_class.oid);
    let input = pg_sys::Oid::from(key.part.operator_class.input_type);
    // SAFETY: catalog look-ups.
    unsafe {
        let stored = key_type_of_class(class);
        match stored {
            pg_sys::ANYELEMENTOID if input == pg_sys::ANYARRAYOID => pg_sys::get_base_element_type(column),
            pg_sys::InvalidOid if input == pg_sys::ANYARRAYOID || input == pg_sys::ANYENUMOID => column,
            pg_sys::InvalidOid => input,
            pg_sys::ANYELEMENTOID => column,
            other => other,
        }
    }
}

/// Keys by the number of pages that they were seen on.
fn groups(seen: BTreeMap<(u32, u64), Seen>) -> Vec<KeyGroup> {
    let mut groups: BTreeMap<u32, KeyGroup> = BTreeMap::new();
    for key in seen.into_values() {
        let group = groups.entry(key.pages).or_insert(KeyGroup { pages: key.pages, ..KeyGroup::default() });
        group.keys += 1.0;
        group.items += f64::from(key.items);
        group.bytes += f64::from(key.bytes);
    }
    groups.into_values().collect()
}

fn build_memory() -> f64 {
    // SAFETY: reads a setting's variable, in kB.
    f64::from(unsafe { pg_sys::maintenance_work_mem }) * 1024.0
}

/// Whether CREATE INDEX would build in parallel (plan_create_index_workers, planner.c), and so sort all keys first.
fn is_parallel(relation: &Relation) -> bool {
    // SAFETY: reads settings' variables: a count, and pages.
    let (workers, least) =
        unsafe { (pg_sys::max_parallel_maintenance_workers, pg_sys::min_parallel_table_scan_size) };
    let pages = relation.pages / f64::from(relation.leaves.max(1));
    // Each participant needs 32 MB, and there are two at least.
    let memory = build_memory() >= 2.0 * 32.0 * 1024.0 * 1024.0;
    compat::GIN_BUILDS_IN_PARALLEL && workers > 0 && memory && pages >= f64::from(least)
}
