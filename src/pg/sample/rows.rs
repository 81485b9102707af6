//! `SampledRows`: the values of sampled rows, in a memory context that lives as long as they do.

use super::super::compat;
use super::super::identity::Identity;
use super::super::isolated::PgError;
use super::pages::Page;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use rustc_hash::FxHashMap;
use std::ffi::CString;
use std::ops::Range;

/// Values wider than this are known by their size alone: bytes.
const MAX_VALUE: usize = 1024 * 1024;
/// What stands for NULL among the numbers of `SampledRows::identities`.
pub const NULL: u32 = 0;
/// Bytes of an out-of-line value on one page of the TOAST table (`TOAST_MAX_CHUNK_SIZE` x `EXTERN_TUPLES_PER_PAGE`, heaptoast.h).
const TOAST_BYTES_PER_PAGE: usize = 1996 * 4;

/// The type of an output column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnType {
    pub type_oid: pg_sys::Oid,
    /// `pg_type.typlen`.
    pub length: i16,
    pub by_value: bool,
}

impl ColumnType {
    /// A value that is passed by reference.
    ///
    /// # Safety
    /// `datum` must be a value of this type, detoasted, and outlive what is returned.
    unsafe fn bytes<'v>(&self, datum: pg_sys::Datum) -> &'v [u8] {
        unsafe {
            let start = datum.cast_mut_ptr::<u8>();
            let length = match self.length {
                -1 => pgrx::varlena::varsize_any(start.cast()),
                -2 => std::ffi::CStr::from_ptr(start.cast()).count_bytes(),
                length => length as usize,
            };
            std::slice::from_raw_parts(start, length)
        }
    }
}

/// One value of one row.
#[derive(Clone, Copy)]
pub enum Value {
    Null,
    /// Detoasted; points into the sample's context unless passed by value.
    Datum(pg_sys::Datum),
    /// Not looked at: this many bytes.
    Wide(usize),
}

/// One row's place and standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// Position of its table among those sampled; 0 unless partitioned.
    pub leaf: u32,
    pub block: u32,
    /// Whether the predicate holds; true without predicate.
    pub kept: bool,
}

/// A sample's rows in physical order, table by table.
pub struct SampledRows {
    context: pg_sys::MemoryContext,
    /// As whom the rows were read, and code on them has to run.
    pub(super) identity: Option<Identity>,
    columns: Vec<ColumnType>,
    places: Vec<RowPlace>,
    /// Row by row.
    values: Vec<Value>,
    heap_pages_read: u32,
    /// Pages read, with those of values stored out of line.
    pub pages_read: u32,
    /// Bytes of values kept.
    pub bytes: usize,
    total_pages: f64,
}

impl Drop for SampledRows {
    fn drop(&mut self) {
        // SAFETY: made by new, deleted only here; a sub-context of one that outlives the call.
        unsafe { pg_sys::MemoryContextDelete(self.context) };
    }
}

impl SampledRows {
    pub(super) fn new() -> SampledRows {
        // SAFETY: a new child of the current context, which outlives the API call's values.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"pg_index_advisor sample".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        SampledRows {
            context,
            identity: None,
            columns: Vec::new(),
            places: Vec::new(),
            values: Vec::new(),
            heap_pages_read: 0,
            pages_read: 0,
            bytes: 0,
            total_pages: 0.0,
        }
    }

    /// As whom code on the values has to run.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The types of the expressions asked for.
    pub fn columns(&self) -> &[ColumnType] {
        &self.columns
    }

    /// The rows, one entry each.
    pub fn places(&self) -> &[RowPlace] {
        &self.places
    }

    /// The values of a row.
    pub fn row(&self, row: usize) -> &[Value] {
        &self.values[row * self.columns.len()..][..self.columns.len()]
    }

    /// The rows of each page that has any.
    pub fn pages(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let on_one = |a: &RowPlace, b: &RowPlace| (a.leaf, a.block) == (b.leaf, b.block);
        self.places.chunk_by(on_one).scan(0, |end, page| {
            let start = *end;
            *end += page.len();
            Some(start..*end)
        })
    }

    /// A number for each row's value of a column: the same where the values are the same to the byte (as `datumIsEqual`, datum.c), `NULL`
    /// where there is none. Values that are known by their size alone differ.
    pub fn identities(&self, column: usize) -> Vec<u32> {
        let column_type = self.columns[column];
        let mut known: FxHashMap<(usize, &[u8]), u32> = FxHashMap::default();
        let identity = |row: usize| {
            let next = NULL + 1 + row as u32;
            match self.row(row)[column] {
                Value::Null => NULL,
                Value::Wide(_) => next,
                Value::Datum(datum) if column_type.by_value => {
                    *known.entry((datum.value(), &[])).or_insert(next)
                }
                // SAFETY: a value of that column, detoasted, in the sample's context.
                Value::Datum(datum) => *known.entry((0, unsafe { column_type.bytes(datum) })).or_insert(next),
            }
        };
        (0..self.places.len()).map(identity).collect()
    }

    /// Share of the relation's pages that was read, 0 to 1; 1 for an empty relation.
    pub fn fraction(&self) -> f64 {
        if self.total_pages > 0.0 {
            (f64::from(self.heap_pages_read) / self.total_pages).min(1.0)
        } else {
            1.0
        }
    }

    /// Rows of the relation, as the sampled pages have it.
    pub fn estimated_rows(&self) -> f64 {
        match self.fraction() {
            fraction if fraction > 0.0 => (self.places.len() as f64 / fraction).round(),
            _ => 0.0,
        }
    }

    /// Pages of the relation.
    pub fn total_pages(&self) -> f64 {
        self.total_pages
    }

    /// Takes the predicate to hold for every row.
    pub fn keep_all(&mut self) {
        self.places.iter_mut().for_each(|place| place.kept = true);
    }

    /// Share of the rows for which the predicate holds. Where no sampled row satisfies it, the upper bound that the sample allows
    /// with 95 % confidence (the rule of three); 1 for an empty sample.
    pub fn kept_fraction(&self) -> f64 {
        let rows = self.places.len() as f64;
        let kept = self.places.iter().filter(|place| place.kept).count() as f64;
        match (rows, kept) {
            (0.0, _) => 1.0,
            // Nothing was left unseen.
            (_, 0.0) if self.fraction() >= 1.0 => 0.0,
            (_, 0.0) => (3.0 / rows).min(1.0),
            _ => kept / rows,
        }
    }

    pub(super) fn finish(&mut self, total_pages: f64) {
        self.total_pages = total_pages;
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by_key(|row| (self.places[*row].leaf, self.places[*row].block));
        let stride = self.columns.len();
        self.values = order.iter().flat_map(|row| &self.values[row * stride..][..stride]).copied().collect();
        self.places = order.iter().map(|row| self.places[*row]).collect();
    }
}

/// A prepared plan that reads one page of a table at a time.
pub(super) struct Reader {
    plan: pg_sys::SPIPlanPtr,
}

impl Reader {
    /// Only within an SPI connection, at whose end the plan goes.
    pub fn prepare(
        sql_name: &str,
        expressions: &[String],
        predicate: Option<&str>,
    ) -> Result<Reader, PgError> {
        let mut sql = String::from("SELECT ");
        for expression in expressions {
            sql.push_str(&format!("({expression}), "));
        }
        sql.push_str(&format!(
            "({}) FROM ONLY {sql_name} WHERE ctid OPERATOR(pg_catalog.>=) $1 AND ctid OPERATOR(pg_catalog.<) $2",
            predicate.unwrap_or("true")
        ));
        let sql = CString::new(sql)
            .map_err(|_| PgError::new(ERRCODE_SYNTAX_ERROR, "the expression contains a NUL byte"))?;
        let mut types = [pg_sys::TIDOID, pg_sys::TIDOID];
        // SAFETY: connected, by the caller's promise; the text and the types are copied.
        let plan = unsafe { pg_sys::SPI_prepare(sql.as_ptr(), 2, types.as_mut_ptr()) };
        match plan.is_null() {
            false => Ok(Reader { plan }),
            true => Err(PgError::new(ERRCODE_INTERNAL_ERROR, "the sampling query could not be prepared")),
        }
    }

    /// Learns the columns' types from a read of no page.
    pub fn describe(&mut self, rows: &mut SampledRows) -> Result<(), PgError> {
        let heap_pages_read = rows.heap_pages_read;
        let pages_read = rows.pages_read;
        // No table has that page.
        self.read(Page { leaf: 0, block: pg_sys::InvalidBlockNumber - 2 }, rows)?;
        (rows.heap_pages_read, rows.pages_read) = (heap_pages_read, pages_read);
        Ok(())
    }

    /// Adds the rows of a page.
    pub fn read(&mut self, page: Page, rows: &mut SampledRows) -> Result<(), PgError> {
        let mut from = item_pointer(page.block);
        let mut to = item_pointer(page.block + 1);
        let mut arguments = [pg_sys::Datum::from(&raw mut from), pg_sys::Datum::from(&raw mut to)];
        // SAFETY: both arguments live through the call; read-only, so that the active snapshot is used.
        unsafe {
            let code = pg_sys::SPI_execute_plan(self.plan, arguments.as_mut_ptr(), std::ptr::null(), true, 0);
            if code != pg_sys::SPI_OK_SELECT as i32 {
                return Err(PgError::new(ERRCODE_INTERNAL_ERROR, "the sampling query is no SELECT"));
            }
            let table = pg_sys::SPI_tuptable;
            let descriptor = (*table).tupdesc;
            let width = (*descriptor).natts as usize - 1;
            if rows.columns.is_empty() {
                rows.columns = (0..width)
                    .map(|i| {
                        let attribute = compat::attribute(descriptor, i);
                        ColumnType {
                            type_oid: (*attribute).atttypid,
                            length: (*attribute).attlen,
                            by_value: (*attribute).attbyval,
                        }
                    })
                    .collect();
            }
            rows.heap_pages_read += 1;
            rows.pages_read += 1;
            // At once: one by one, each value is looked for from the beginning of its row.
            let (mut values, mut are_null) = (vec![pg_sys::Datum::null(); width + 1], vec![false; width + 1]);
            for i in 0..pg_sys::SPI_processed as usize {
                let tuple = *(*table).vals.add(i);
                pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), are_null.as_mut_ptr());
                for column in 0..width {
                    let value = match are_null[column] {
                        true => Value::Null,
                        false => keep(values[column], rows.columns[column], rows),
                    };
                    rows.values.push(value);
                }
                rows.places.push(RowPlace {
                    leaf: page.leaf as u32,
                    block: page.block,
                    kept: !are_null[width] && values[width].value() != 0,
                });
            }
            pg_sys::SPI_freetuptable(table);
        }
        Ok(())
    }
}

/// Copies a value into the sample, detoasted; a very wide one only by its size.
///
/// # Safety
/// `datum` must be a valid value of that type.
unsafe fn keep(datum: pg_sys::Datum, column: ColumnType, rows: &mut SampledRows) -> Value {
    unsafe {
        if column.by_value {
            return Value::Datum(datum);
        }
        let previous = pg_sys::MemoryContextSwitchTo(rows.context);
        let value = if column.length == -1 {
            let raw = pg_sys::toast_raw_datum_size(datum);
            let pointer = datum.cast_mut_ptr::<pg_sys::varlena>();
            if raw > MAX_VALUE {
                Value::Wide(raw)
            } else {
                if pgrx::varlena::varatt_is_1b_e(pointer) {
                    let stored = pg_sys::toast_datum_size(datum);
                    rows.pages_read += stored.div_ceil(TOAST_BYTES_PER_PAGE).max(1) as u32;
                }
                rows.bytes += raw;
                Value::Datum(pg_sys::pg_detoast_datum_copy(pointer).into())
            }
        } else {
            let length = match column.length {
                -2 => std::ffi::CStr::from_ptr(datum.cast_mut_ptr()).to_bytes_with_nul().len(),
                length => length as usize,
            };
            let copy = pg_sys::palloc(length);
            std::ptr::copy_nonoverlapping(datum.cast_mut_ptr::<u8>(), copy.cast::<u8>(), length);
            rows.bytes += length;
            Value::Datum(copy.into())
        };
        pg_sys::MemoryContextSwitchTo(previous);
        value
    }
}

/// The place before the first row of a page.
fn item_pointer(block: u32) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: block as u16 },
        ip_posid: 0,
    }
}
