//! `Classes`: the operator classes of a GiST index's key columns, as functions on entries.
//!
//! # Safety
//!
//! Its private unsafe functions run within `look_at`, under the same promises.

use super::super::{Function, Stored, aligned, key_type_of_class};
use super::Entry;
use crate::candidate::definition::{IndexDefinition, Key};
use crate::pg::opclass_options;
use crate::pg::sample::{ColumnType, Value};
use pgrx::pg_sys;
use std::cmp::Ordering;

/// Bytes of `IndexTupleData`, without and with NULL bitmap, and of a line pointer.
const TUPLE_HEADER: usize = 8;
const NULL_HEADER: usize = 16;
const LINE_POINTER: usize = 4;
/// A value that was too wide to keep: what an operator class makes of it is not known; the ones for wide values store a signature.
const WIDE: usize = 128;

struct Class {
    compress: Option<Box<Function>>,
    decompress: Option<Box<Function>>,
    penalty: Box<Function>,
    picksplit: Box<Function>,
    union: Box<Function>,
    /// What the index stores of the column.
    stored: Stored,
    sort: Option<Box<pg_sys::SortSupportData>>,
}

/// What operator classes may look at beside the key: an index with as many columns, and a page that says whether it is a leaf.
#[derive(Clone, Copy)]
struct Stage {
    relation: pg_sys::Relation,
    leaf: pg_sys::Page,
    inner: pg_sys::Page,
}

/// All key columns, with the included ones after them.
pub(super) struct Classes {
    keys: Vec<Class>,
    included: Vec<Stored>,
    stage: Stage,
    /// Where entries live.
    context: pg_sys::MemoryContext,
}

/// A key's two halves after a split: positions of entries.
pub(super) type Halves = (Vec<usize>, Vec<usize>);

impl Classes {
    /// None where a class lacks a function that it must have.
    pub unsafe fn new(definition: &IndexDefinition, columns: &[ColumnType]) -> Option<Classes> {
        unsafe {
            let keys =
                definition.keys.iter().zip(columns).map(|(key, column)| Class::of(key, column.type_oid));
            let keys: Vec<Class> = keys.collect::<Option<_>>()?;
            let included = columns[keys.len()..].iter().map(|column| Stored::of(column.type_oid)).collect();
            let stage = Stage::new(columns.len());
            Some(Classes { keys, included, stage, context: pg_sys::CurrentMemoryContext })
        }
    }

    /// Whether CREATE INDEX sorts the rows (gistbuild, gistbuild.c).
    pub fn can_sort(&self) -> bool {
        self.keys.iter().all(|class| class.sort.is_some())
    }

    /// The leaf entry of a row.
    pub unsafe fn leaf(&mut self, row: &[Value]) -> Entry {
        let mut values: Vec<Option<pg_sys::Datum>> = Vec::new();
        let mut wide = 0;
        for value in row.iter().take(self.keys.len()) {
            values.push(match value {
                Value::Datum(datum) => Some(*datum),
                Value::Null => None,
                Value::Wide(_) => {
                    wide += WIDE;
                    None
                }
            });
        }
        unsafe {
            let mut entry = self.entry(&values, true);
            if !self.included.is_empty() || wide > 0 {
                let mut end = entry.end + wide;
                let mut nulls = entry.keys.iter().any(Option::is_none) && wide == 0;
                for (stored, value) in self.included.iter().zip(&row[self.keys.len()..]) {
                    match value {
                        Value::Datum(datum) => end = stored.end(end, stored.image(datum).len()),
                        Value::Wide(bytes) => end += bytes,
                        Value::Null => nulls = true,
                    }
                }
                entry.size = tuple_size(end, nulls);
            }
            entry
        }
    }

    /// Compresses and stores values.
    unsafe fn entry(&mut self, values: &[Option<pg_sys::Datum>], is_leaf: bool) -> Entry {
        let mut end = 0;
        let mut keys: Box<[Option<pg_sys::Datum>]> = vec![None; values.len()].into();
        for (i, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let class = &mut self.keys[i];
            unsafe {
                let mut key = *value;
                // Only leaf values are compressed where there is no such function (gistCompressValues): they stay as they are.
                if let Some(compress) = &mut class.compress {
                    key = transformed(compress, self.stage.entry_for(key, is_leaf));
                }
                key = class.stored.packed(key);
                end = class.stored.end(end, class.stored.image(&key).len());
                if let Some(decompress) = &mut class.decompress {
                    key = transformed(decompress, self.stage.entry(key, std::ptr::null_mut()));
                }
                let previous = pg_sys::MemoryContextSwitchTo(self.context);
                keys[i] = Some(class.stored.copied(key));
                pg_sys::MemoryContextSwitchTo(previous);
            }
        }
        let nulls = keys.iter().any(Option::is_none);
        Entry { keys, end, size: tuple_size(end, nulls), child: 0 }
    }

    /// The entry that covers others, for the page above (gistunion, gistutil.c).
    pub unsafe fn union<'a>(&mut self, entries: impl Iterator<Item = &'a Entry> + Clone) -> Entry {
        let mut values = Vec::new();
        for i in 0..self.keys.len() {
            let keys: Vec<pg_sys::Datum> = entries.clone().filter_map(|entry| entry.keys[i]).collect();
            values.push(match keys.is_empty() {
                true => None,
                false => Some(unsafe { self.keys[i].united(&keys, self.stage) }),
            });
        }
        unsafe { self.entry(&values, false) }
    }

    /// What it costs to bring `added` under `entry`, for one column (gistpenalty, gistutil.c).
    pub unsafe fn penalty(&mut self, column: usize, entry: &Entry, added: &Entry) -> f32 {
        unsafe { self.penalty_of(column, entry.keys[column], added.keys[column]) }
    }

    unsafe fn penalty_of(
        &mut self,
        column: usize,
        entry: Option<pg_sys::Datum>,
        added: Option<pg_sys::Datum>,
    ) -> f32 {
        let function = &mut self.keys[column].penalty;
        if function.info.fn_strict && (entry.is_none() || added.is_none()) {
            return if entry.is_none() && added.is_none() { 0.0 } else { f32::INFINITY };
        }
        let none = pg_sys::Datum::from(0);
        let mut entry = self.stage.entry(entry.unwrap_or(none), self.stage.inner);
        let mut added = self.stage.entry(added.unwrap_or(none), std::ptr::null_mut());
        let mut penalty: f32 = 0.0;
        unsafe {
            function.call3(
                pg_sys::Datum::from(&raw mut entry),
                pg_sys::Datum::from(&raw mut added),
                pg_sys::Datum::from(&raw mut penalty),
            );
        }
        if penalty.is_nan() || penalty < 0.0 { 0.0 } else { penalty }
    }

    pub fn columns(&self) -> usize {
        self.keys.len()
    }

    /// Two halves of entries that do not fit on a page (gistSplitByKey, gistsplit.c).
    pub unsafe fn halves(
        &mut self,
        entries: &[Entry],
        members: &[usize],
        column: usize,
        is_leaf: bool,
    ) -> Halves {
        let last = column + 1 == self.keys.len();
        let (nulls, others): (Vec<usize>, Vec<usize>) =
            members.iter().partition(|i| entries[**i].keys[column].is_none());
        unsafe {
            match (nulls.is_empty(), others.is_empty()) {
                (false, true) if !last => return self.halves(entries, members, column + 1, is_leaf),
                (false, true) => return half_way(members),
                (false, false) => return (others, nulls),
                _ => {}
            }
            let keys: Vec<pg_sys::Datum> = members.iter().filter_map(|i| entries[*i].keys[column]).collect();
            let (left, right, unions) = self.keys[column].split(&keys, self.stage, is_leaf);
            let chosen = |half: &[usize]| half.iter().map(|i| members[*i]).collect::<Vec<_>>();
            let (mut left, mut right) = (chosen(&left), chosen(&right));
            if last {
                return (left, right);
            }
            let stored = self.keys[column].stored;
            if stored.image(&unions.0) == stored.image(&unions.1) {
                return self.halves(entries, members, column + 1, is_leaf);
            }
            // Entries for which this column is indifferent are divided by the next one.
            let mut indifferent = Vec::new();
            for (half, other) in [(&mut left, unions.1), (&mut right, unions.0)] {
                half.retain(|i| {
                    let free = self.penalty_of(column, Some(other), entries[*i].keys[column]) == 0.0;
                    if free {
                        indifferent.push(*i);
                    }
                    !free
                });
            }
            if left.is_empty() || right.is_empty() {
                return self.halves(entries, members, column + 1, is_leaf);
            }
            if indifferent.len() > 1 {
                let (more_left, more_right) = self.halves(entries, &indifferent, column + 1, is_leaf);
                left.extend(more_left);
                right.extend(more_right);
            } else {
                left.extend(indifferent);
            }
            (left, right)
        }
    }

    /// The order of a sorted build.
    pub unsafe fn compare(&mut self, a: &Entry, b: &Entry) -> Ordering {
        for (i, class) in self.keys.iter_mut().enumerate() {
            let order = match (a.keys[i], b.keys[i]) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => match &mut class.sort {
                    Some(sort) => unsafe { compared(sort, a, b) },
                    None => Ordering::Equal,
                },
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl Class {
    unsafe fn of(key: &Key, column: pg_sys::Oid) -> Option<Class> {
        unsafe {
            let given = opclass_options::parse(
                &key.part,
                pg_sys::GIST_OPTIONS_PROC,
                &key.part.operator_class.options,
            );
            let function = |number| Function::of(key, number, given);
            let stored = match key_type_of_class(key.part.operator_class.oid.into()) {
                pg_sys::InvalidOid => column,
                stored => stored,
            };
            Some(Class {
                compress: function(pg_sys::GIST_COMPRESS_PROC),
                decompress: function(pg_sys::GIST_DECOMPRESS_PROC),
                penalty: function(pg_sys::GIST_PENALTY_PROC)?,
                picksplit: function(pg_sys::GIST_PICKSPLIT_PROC)?,
                union: function(pg_sys::GIST_UNION_PROC)?,
                stored: Stored::of(stored),
                sort: function(pg_sys::GIST_SORTSUPPORT_PROC).map(|mut function| {
                    // As PrepareSortSupportFromGistIndexRel (sortsupport.c) does, without abbreviation.
                    let mut sort = Box::new(pg_sys::SortSupportData::default());
                    sort.ssup_cxt = pg_sys::CurrentMemoryContext;
                    sort.ssup_collation = function.collation;
                    sort.ssup_attno = 1;
                    function.call1(pg_sys::Datum::from(&raw mut *sort));
                    sort
                }),
            })
        }
    }

    /// Calls union (gistMakeUnionItVec, gistutil.c: it may want two at least).
    unsafe fn united(&mut self, keys: &[pg_sys::Datum], stage: Stage) -> pg_sys::Datum {
        let twice = [keys[0], keys[0]];
        let keys = if keys.len() == 1 { &twice } else { keys };
        unsafe {
            let vector = entry_vector(keys, 0, stage, std::ptr::null_mut());
            let mut size: i32 = 0;
            self.union.call2(pg_sys::Datum::from(vector), pg_sys::Datum::from(&raw mut size))
        }
    }

    /// Calls picksplit (gistUserPicksplit, gistsplit.c): positions of either half, and what covers it.
    unsafe fn split(
        &mut self,
        keys: &[pg_sys::Datum],
        stage: Stage,
        is_leaf: bool,
    ) -> (Vec<usize>, Vec<usize>, (pg_sys::Datum, pg_sys::Datum)) {
        unsafe {
            let page = if is_leaf { stage.leaf } else { stage.inner };
            let vector = entry_vector(keys, 1, stage, page);
            let mut split = pg_sys::GIST_SPLITVEC::default();
            self.picksplit.call2(pg_sys::Datum::from(vector), pg_sys::Datum::from(&raw mut split));
            let half = |offsets: *mut pg_sys::OffsetNumber, count: i32| -> Vec<usize> {
                (0..count.max(0) as usize)
                    // Old picksplit functions end with 0 for the last entry.
                    .map(|i| match *offsets.add(i) {
                        0 => keys.len() - 1,
                        offset => usize::from(offset) - 1,
                    })
                    .collect()
            };
            let left = half(split.spl_left, split.spl_nleft);
            let right = half(split.spl_right, split.spl_nright);
            if left.is_empty() || right.is_empty() {
                let all: Vec<usize> = (0..keys.len()).collect();
                let (left, right) = half_way(&all);
                let of = |half: &[usize]| half.iter().map(|i| keys[*i]).collect::<Vec<_>>();
                let unions = (self.united(&of(&left), stage), self.united(&of(&right), stage));
                return (left, right, unions);
            }
            (left, right, (split.spl_ldatum, split.spl_rdatum))
        }
    }
}

fn tuple_size(end: usize, nulls: bool) -> u32 {
    (aligned(if nulls { NULL_HEADER } else { TUPLE_HEADER } + end) + LINE_POINTER) as u32
}

fn half_way(members: &[usize]) -> Halves {
    let (left, right) = members.split_at(members.len() / 2);
    (left.to_vec(), right.to_vec())
}

impl Stage {
    /// btree_gist's penalties look at the number of columns (`penalty_num`, btree_utils_num.h), others at the page (`GIST_LEAF`).
    unsafe fn new(columns: usize) -> Stage {
        // F_LEAF (gist.h); the opaque data's flags come after a position in the log and a block number.
        const LEAF: u16 = 1;
        const OPAQUE: usize = 16;
        const FLAGS: usize = 12;
        unsafe {
            let relation = pg_sys::palloc0(size_of::<pg_sys::RelationData>()).cast::<pg_sys::RelationData>();
            (*relation).rd_att = pg_sys::CreateTemplateTupleDesc(columns as i32);
            let page = |flags: u16| {
                let size = pg_sys::BLCKSZ as usize;
                let page = pg_sys::palloc0(size).cast::<std::ffi::c_char>();
                pg_sys::PageInit(page, size, OPAQUE);
                page.add(size - OPAQUE + FLAGS).cast::<u16>().write(flags);
                page
            };
            Stage { relation, leaf: page(LEAF), inner: page(0) }
        }
    }

    fn entry(&self, key: pg_sys::Datum, page: pg_sys::Page) -> pg_sys::GISTENTRY {
        pg_sys::GISTENTRY { key, rel: self.relation, page, offset: 0, leafkey: false }
    }

    /// As gistCompressValues makes it.
    fn entry_for(&self, key: pg_sys::Datum, is_leaf: bool) -> pg_sys::GISTENTRY {
        pg_sys::GISTENTRY { leafkey: is_leaf, ..self.entry(key, std::ptr::null_mut()) }
    }
}

/// A `GistEntryVector`, palloc'd, with the keys from position `from` on.
unsafe fn entry_vector(
    keys: &[pg_sys::Datum],
    from: usize,
    stage: Stage,
    page: pg_sys::Page,
) -> *mut pg_sys::GistEntryVector {
    unsafe {
        let count = keys.len() + from;
        let header = std::mem::offset_of!(pg_sys::GistEntryVector, vector);
        let vector = pg_sys::palloc0(header + count * size_of::<pg_sys::GISTENTRY>())
            .cast::<pg_sys::GistEntryVector>();
        (*vector).n = count as i32;
        let entries = vector.cast::<u8>().add(header).cast::<pg_sys::GISTENTRY>();
        for (i, key) in keys.iter().enumerate() {
            let mut entry = stage.entry(*key, page);
            entry.offset = (i + 1) as u16;
            entries.add(from + i).write(entry);
        }
        vector
    }
}

/// Calls compress or decompress, which give back their argument or another entry.
unsafe fn transformed(function: &mut Function, mut entry: pg_sys::GISTENTRY) -> pg_sys::Datum {
    unsafe {
        let result = function.call1(pg_sys::Datum::from(&raw mut entry));
        (*result.cast_mut_ptr::<pg_sys::GISTENTRY>()).key
    }
}

#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
unsafe fn compared(sort: &mut pg_sys::SortSupportData, a: pg_sys::Datum, b: pg_sys::Datum) -> Ordering {
    match sort.comparator {
        // SAFETY: the comparator that the class's own function set, on two of its values.
        Some(comparator) => unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| comparator(a, b, sort)) }.cmp(&0),
        None => Ordering::Equal,
    }
}
