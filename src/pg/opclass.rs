//! `size_of`: the size of an index from a bounded sample of rows, passed through the operator classes' own functions.
//!
//! Calls operator classes as CREATE INDEX would, in a sub-transaction that is rolled back, with the rights that the rows were read with.
//! Builds nothing on disk and keeps no value.

mod gin;
mod gist;
mod spgist;

use super::access_method::support;
use super::catalog;
use super::create_index;
use super::expression::alignment;
use super::isolated::{PgError, isolated};
use super::sample::{NotSampled, SampledRows, Sampler};
use super::scalar;
use crate::candidate::definition::{AccessMethod, IndexDefinition, Key, KeyTarget};
use crate::catalog::Relation;
use crate::cost::size::{self, Entries, Sample, SizeEstimate, Storage};
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::{ERRCODE_DATATYPE_MISMATCH, ERRCODE_FEATURE_NOT_SUPPORTED};

/// Why the size of an index is not known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotSized {
    #[error("{0}")]
    NotSampled(#[from] NotSampled),
    /// Its access method has no model for it.
    #[error("there is no way to estimate the size of a {} index on this", .0.name())]
    Unknown(AccessMethod),
}

impl From<PgError> for NotSized {
    fn from(error: PgError) -> NotSized {
        NotSized::NotSampled(NotSampled::Failed(error))
    }
}

/// Estimates the index that `definition` would create on `relation`. Rows are read only where the operator class alone knows what it stores
/// (GIN, GiST, SP-GiST), or to count those that a predicate keeps.
///
/// `selectivity` is the share of the rows that the planner expects the predicate to keep, where that is known.
///
/// # Errors
/// Why the size cannot be known.
pub fn size_of(
    definition: &IndexDefinition,
    relation: &Relation,
    storage: Storage,
    selectivity: Option<f64>,
    sampler: Sampler,
) -> Result<SizeEstimate, NotSized> {
    use AccessMethod::*;
    let needed = matches!(definition.access_method, Gin | Gist | Spgist);
    let predicate = definition.predicate.as_ref().map(|predicate| predicate.sql.as_str());
    let read = || sampler.read(relation, &expressions(definition, relation), predicate);
    let unknown = || NotSized::Unknown(definition.access_method);
    if !needed {
        let counted = predicate.and_then(|_| read().ok());
        let kept = counted.map_or(selectivity.unwrap_or(1.0), |rows| kept(&rows, selectivity));
        return size::estimate(definition, relation, kept, storage, None).ok_or_else(unknown);
    }
    let mut rows = read()?;
    let none_kept = !rows.places().is_empty() && !rows.places().iter().any(|place| place.kept);
    // No sampled row tells what the few look like that the predicate keeps: they are taken to be like the others.
    let share = if none_kept { kept(&rows, selectivity) } else { 1.0 };
    if none_kept {
        rows.keep_all();
    }
    let sample = look_at(definition, &rows, relation, storage)?;
    let mut size = size::estimate(definition, relation, 1.0, storage, Some(&sample)).ok_or_else(unknown)?;
    if none_kept {
        size.pages = (size.pages * share).ceil().max(f64::from(relation.leaves.max(1)));
        size.tuples = (size.tuples * share).round();
    }
    Ok(size)
}

/// What `size_of` would see of the rows of the index that a CREATE INDEX would make, as JSON. For recording test cases.
///
/// # Errors
/// What is wrong with the statement; why there is no sample.
pub fn recorded(ddl: &str, max_pages: u32) -> Result<Option<String>, PgError> {
    let Some(written) = create_index::read(ddl, i32::MAX)?.indexes.into_iter().next() else {
        return Ok(None);
    };
    let definition = written.definition;
    let Some(relation) = catalog::read_one(definition.relation)? else { return Ok(None) };
    let predicate = definition.predicate.as_ref().map(|predicate| predicate.sql.as_str());
    let expressions = expressions(&definition, &relation);
    let rows = Sampler { max_pages, scattered: false }
        .read(&relation, &expressions, predicate)
        .map_err(|reason| PgError::new(ERRCODE_FEATURE_NOT_SUPPORTED, reason.to_string()))?;
    let sample = look_at(&definition, &rows, &relation, catalog::read_storage()?)?;
    Ok(serde_json::to_string(&sample).ok())
}

/// Rows of a sample that must satisfy a predicate for the sample to be trusted more than the column statistics: a share counted from
/// fewer is off by 14 % and more as often as not within a standard deviation.
const ENOUGH: usize = 50;

/// The share of the rows that the predicate keeps. Where hardly a sampled row shows it, the statistics know better; where none does,
/// they are no more than what the sample leaves possible.
fn kept(rows: &SampledRows, selectivity: Option<f64>) -> f64 {
    let from_sample = rows.kept_fraction();
    match (selectivity, rows.places().iter().filter(|place| place.kept).count()) {
        (Some(selectivity), 0) => from_sample.min(selectivity),
        (Some(selectivity), 1..ENOUGH) => selectivity,
        _ => from_sample,
    }
}

/// The SQL of the index's columns, keys first.
fn expressions(definition: &IndexDefinition, relation: &Relation) -> Vec<String> {
    let column = |number: i16| relation.column(number).map_or("NULL", |column| &column.sql_name).to_string();
    let keys = definition.keys.iter().map(|key| match &key.part.target {
        KeyTarget::Column(number) => column(*number),
        KeyTarget::Expression(expression) => expression.sql.clone(),
    });
    keys.chain(definition.include.iter().map(|number| column(*number))).collect()
}

/// Passes the rows through the operator classes.
fn look_at(
    definition: &IndexDefinition,
    rows: &SampledRows,
    relation: &Relation,
    storage: Storage,
) -> Result<Sample, PgError> {
    // The functions take values on trust: a table altered since its definition was read must not give them others.
    let expected = |key: &Key| match &key.part.target {
        KeyTarget::Column(number) => relation.column(*number).map_or(0, |column| column.type_oid),
        KeyTarget::Expression(expression) => expression.type_oid,
    };
    let types = rows.columns().iter().map(|column| column.type_oid.to_u32());
    if rows.columns().len() < definition.keys.len()
        || !definition.keys.iter().map(expected).eq(types.take(definition.keys.len()))
    {
        return Err(PgError::new(
            ERRCODE_DATATYPE_MISMATCH,
            "its columns have changed their types meanwhile",
        ));
    }
    let entries = isolated(rows.identity(), || -> Result<Option<Entries>, PgError> {
        // SAFETY: the sub-transaction's abort pops the snapshot (AtSubAbort_Snapshot, snapmgr.c).
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        // SAFETY: the rows' columns are the definition's, keys first, and their values live as long as `rows`.
        unsafe {
            Ok(match definition.access_method {
                AccessMethod::Gin => gin::look_at(definition, rows, relation).map(Entries::Gin),
                AccessMethod::Gist => gist::look_at(definition, rows, storage).map(Entries::Gist),
                AccessMethod::Spgist => spgist::look_at(definition, rows).map(Entries::Spgist),
                _ => None,
            })
        }
    })??;
    Ok(Sample {
        relation_rows: rows.estimated_rows(),
        rows: rows.places().iter().filter(|place| place.kept).count() as f64,
        total_pages: rows.total_pages(),
        sampled_pages: (rows.total_pages() * rows.fraction()).round(),
        entries: entries.unwrap_or_default(),
    })
}

/// A support function of a key column, ready to be called.
struct Function {
    info: pg_sys::FmgrInfo,
    collation: pg_sys::Oid,
}

impl Function {
    /// None where the operator class has no such function.
    ///
    /// # Safety
    /// The current memory context must outlive the value.
    unsafe fn of(key: &Key, number: u32, options: *mut pg_sys::bytea) -> Option<Box<Function>> {
        let oid = support(&key.part, number)?;
        let collation = pg_sys::Oid::from(key.part.collation.oid);
        // index_register and initGISTstate do the same for types without collation.
        let collation =
            if collation == pg_sys::InvalidOid { pg_sys::DEFAULT_COLLATION_OID } else { collation };
        let mut function = Box::new(Function { info: pg_sys::FmgrInfo::default(), collation });
        // SAFETY: the function exists; its state is allocated in the current context.
        unsafe {
            pg_sys::fmgr_info_cxt(oid, &mut function.info, pg_sys::CurrentMemoryContext);
            if !options.is_null() {
                pg_sys::set_fn_opclass_options(&mut function.info, options);
            }
        }
        Some(function)
    }

    /// # Safety
    /// The argument must be what the function takes.
    unsafe fn call1(&mut self, a: pg_sys::Datum) -> pg_sys::Datum {
        // SAFETY: the caller's promise.
        unsafe { pg_sys::FunctionCall1Coll(&mut self.info, self.collation, a) }
    }

    /// # Safety
    /// The arguments must be what the function takes.
    unsafe fn call2(&mut self, a: pg_sys::Datum, b: pg_sys::Datum) -> pg_sys::Datum {
        // SAFETY: the caller's promise.
        unsafe { pg_sys::FunctionCall2Coll(&mut self.info, self.collation, a, b) }
    }

    /// # Safety
    /// The arguments must be what the function takes.
    unsafe fn call3(&mut self, a: pg_sys::Datum, b: pg_sys::Datum, c: pg_sys::Datum) -> pg_sys::Datum {
        // SAFETY: the caller's promise.
        unsafe { pg_sys::FunctionCall3Coll(&mut self.info, self.collation, a, b, c) }
    }
}

/// How an index stores a type.
#[derive(Clone, Copy)]
struct Stored {
    length: i16,
    by_value: bool,
    alignment: usize,
    /// Whether a short value may take a one-byte header (index_form_tuple, `pg_attribute.attstorage` other than plain).
    packable: bool,
}

impl Stored {
    unsafe fn of(type_oid: pg_sys::Oid) -> Stored {
        let (mut length, mut by_value, mut align) = (0, false, 0);
        // SAFETY: a catalog look-up of an existing type.
        let storage = unsafe {
            pg_sys::get_typlenbyvalalign(type_oid, &mut length, &mut by_value, &mut align);
            pg_sys::get_typstorage(type_oid)
        };
        let alignment = usize::from(alignment(align));
        Stored { length, by_value, alignment, packable: storage as u8 != b'p' }
    }

    /// The bytes of a value in memory, without its header.
    ///
    /// # Safety
    /// `datum` must be a valid, detoasted value of the type; the slice must not outlive it.
    unsafe fn image(&self, datum: &pg_sys::Datum) -> &[u8] {
        // SAFETY: the caller's promise; a value passed by value lies in the datum itself.
        unsafe {
            if self.by_value {
                return std::slice::from_raw_parts(
                    std::ptr::from_ref(datum).cast(),
                    std::mem::size_of::<pg_sys::Datum>(),
                );
            }
            let pointer = datum.cast_mut_ptr::<u8>();
            match self.length {
                -1 => {
                    let pointer = pointer.cast::<pg_sys::varlena>();
                    let length = pgrx::varlena::varsize_any_exhdr(pointer);
                    std::slice::from_raw_parts(pgrx::varlena::vardata_any(pointer).cast(), length)
                }
                -2 => std::ffi::CStr::from_ptr(pointer.cast()).to_bytes_with_nul(),
                length => std::slice::from_raw_parts(pointer, length as usize),
            }
        }
    }

    /// A value as index_form_tuple (indextuple.c) stores it: in line, with a one-byte header where that is possible. Operator classes may
    /// rely on it (`GistInetKey`, network_gist.c).
    ///
    /// # Safety
    /// `datum` must be a valid value of the type; the current memory context must outlive the result.
    unsafe fn packed(&self, datum: pg_sys::Datum) -> pg_sys::Datum {
        if self.length != -1 || self.by_value {
            return datum;
        }
        // SAFETY: the caller's promise; a short header is one byte, of the length with itself.
        unsafe {
            let pointer = datum.cast_mut_ptr::<pg_sys::varlena>();
            if pgrx::varlena::varatt_is_1b(pointer) && !pgrx::varlena::varatt_is_1b_e(pointer) {
                return datum;
            }
            let plain = pg_sys::pg_detoast_datum(pointer);
            let length = pgrx::varlena::varsize_any_exhdr(plain);
            if !self.packable || length >= 127 {
                return plain.into();
            }
            let short = pg_sys::palloc(length + 1).cast::<u8>();
            pgrx::set_varsize_short(short.cast(), length as i32 + 1);
            let payload = pgrx::varlena::vardata_any(plain).cast::<u8>();
            std::ptr::copy_nonoverlapping(payload, short.add(1), length);
            short.into()
        }
    }

    /// A copy in the current memory context.
    ///
    /// # Safety
    /// As `image`.
    unsafe fn copied(&self, datum: pg_sys::Datum) -> pg_sys::Datum {
        if self.by_value {
            return datum;
        }
        // SAFETY: the caller's promise; a varlena is copied with its header.
        unsafe {
            let start = datum.cast_mut_ptr::<u8>();
            let length = match self.length {
                -1 => pgrx::varlena::varsize_any(start.cast()),
                _ => self.image(&datum).len(),
            };
            let copy = pg_sys::palloc(length).cast::<u8>();
            std::ptr::copy_nonoverlapping(start, copy, length);
            copy.into()
        }
    }

    /// Where in a tuple the value ends that begins at or after `offset` (heap_compute_data_size, heaptuple.c). `payload` is the length of its image.
    fn end(&self, offset: usize, payload: usize) -> usize {
        if self.length == -1 && self.packable && payload < 127 {
            return offset + 1 + payload;
        }
        let start = offset.next_multiple_of(self.alignment);
        match self.length {
            -1 => start + 4 + payload,
            -2 => start + payload,
            length => start + length as usize,
        }
    }
}

/// `pg_opclass.opckeytype`.
fn key_type_of_class(class: pg_sys::Oid) -> pg_sys::Oid {
    scalar::first::<pg_sys::Oid>(
        "SELECT opckeytype FROM pg_catalog.pg_opclass WHERE oid = $1",
        &[class.into()],
    )
    .ok()
    .flatten()
    .unwrap_or(pg_sys::InvalidOid)
}

/// MAXALIGN.
fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// A context for one call after another; the current one while it lives.
struct Scratch {
    context: pg_sys::MemoryContext,
    previous: pg_sys::MemoryContext,
}

impl Scratch {
    fn enter() -> Scratch {
        // SAFETY: a child of the current context, which is current again when the value goes.
        unsafe {
            let context = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"pg_index_advisor operator class".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            Scratch { context, previous: pg_sys::MemoryContextSwitchTo(context) }
        }
    }

    /// Frees what was allocated since.
    fn reset(&self) {
        // SAFETY: made by enter; nothing in it is used after the call that allocated it.
        unsafe { pg_sys::MemoryContextReset(self.context) };
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // On the way of an error the sub-transaction's abort has its own way with the contexts.
        if !std::thread::panicking() {
            // SAFETY: made by enter.
            unsafe {
                pg_sys::MemoryContextSwitchTo(self.previous);
                pg_sys::MemoryContextDelete(self.context);
            }
        }
    }
}
