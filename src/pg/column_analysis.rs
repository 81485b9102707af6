//! What ANALYZE would find out about a column of values, as a `pg_statistic` row that is not stored.
//!
//! Follows examine_attribute, compute_index_stats and update_attstats (commands/analyze.c); which statistics are
//! computed is the type's own affair (`typanalyze`). Knows neither where the values come from nor who uses the row.
//!
//! # Safety
//!
//! Its private unsafe functions run within `analyze`, on the statistics that it has filled.

use super::compat;
use crate::catalog::ColumnStatistics;
use pgrx::pg_sys;
use pgrx::{FromDatum, IntoDatum};
use std::ffi::c_int;

/// Values of one expression over some rows of a relation, in the order of the rows on disk.
pub(super) struct Values<'a> {
    /// Datums of the expression's type, alive until the analysis is done.
    pub values: &'a mut [pg_sys::Datum],
    /// Which of them are NULL.
    pub nulls: &'a mut [bool],
    /// Rows of the whole relation, live ones.
    pub total_rows: f64,
}

/// Makes the `pg_statistic` row of an expression, in the current memory context; None where its type has no statistics.
///
/// Raises what the type's functions raise.
///
/// # Safety
/// `expr` must be a valid expression and `values` its values. Needs a transaction, an active snapshot (values may be
/// toasted) and a memory context that is thrown away afterwards.
pub(super) unsafe fn analyze(
    expr: *mut pg_sys::Node,
    values: Values<'_>,
) -> Option<(pg_sys::HeapTuple, ColumnStatistics)> {
    unsafe {
        let stats = examine(expr)?;
        (*stats).exprvals = values.values.as_mut_ptr();
        (*stats).exprnulls = values.nulls.as_mut_ptr();
        (*stats).rowstride = 1;
        let compute = (*stats).compute_stats?;
        let rows = values.values.len() as c_int;
        let total = values.total_rows.max(f64::from(rows));
        #[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
        pg_sys::ffi::pg_guard_ffi_boundary(|| compute(stats, Some(fetch), rows, total));
        (*stats).stats_valid.then(|| (row(stats), statistics(stats)))
    }
}

/// Fills what the type's analyze function reads and lets it choose its method; None where it wants no statistics.
unsafe fn examine(expr: *mut pg_sys::Node) -> Option<*mut pg_sys::VacAttrStats> {
    unsafe {
        let stats = pg_sys::palloc0(size_of::<pg_sys::VacAttrStats>()).cast::<pg_sys::VacAttrStats>();
        // An expression has no statistics target of its own: default_statistics_target.
        compat::set_statistics_target(stats, -1);
        (*stats).attrtypid = pg_sys::exprType(expr);
        (*stats).attrtypmod = pg_sys::exprTypmod(expr);
        (*stats).attrcollid = pg_sys::exprCollation(expr);
        let kind = pg_sys::SysCacheIdentifier::TYPEOID as c_int;
        let key = (*stats).attrtypid.into_datum()?;
        let none = pg_sys::Datum::from(0);
        let tuple = pg_sys::SearchSysCacheCopy(kind, key, none, none, none);
        if tuple.is_null() {
            return None;
        }
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        (*stats).attrtype = form;
        (*stats).anl_context = pg_sys::CurrentMemoryContext;
        (*stats).tupattnum = 1;
        for slot in 0..SLOTS {
            (*stats).statypid[slot] = (*stats).attrtypid;
            (*stats).statyplen[slot] = (*form).typlen;
            (*stats).statypbyval[slot] = (*form).typbyval;
            (*stats).statypalign[slot] = (*form).typalign;
        }
        let wanted = if (*form).typanalyze == pg_sys::InvalidOid {
            pg_sys::std_typanalyze(stats)
        } else {
            let answer = pg_sys::OidFunctionCall1Coll(
                (*form).typanalyze,
                pg_sys::InvalidOid,
                pg_sys::Datum::from(stats),
            );
            bool::from_datum(answer, false) == Some(true)
        };
        (wanted && (*stats).compute_stats.is_some() && (*stats).minrows > 0).then_some(stats)
    }
}

/// As ind_fetch_func (analyze.c). Raises nothing.
unsafe extern "C-unwind" fn fetch(
    stats: pg_sys::VacAttrStatsP,
    row: c_int,
    is_null: *mut bool,
) -> pg_sys::Datum {
    // SAFETY: analyze has set both arrays, and asks for no more rows than they have.
    unsafe {
        *is_null = *(*stats).exprnulls.add(row as usize);
        *(*stats).exprvals.add(row as usize)
    }
}

/// The `pg_statistic` row of computed statistics, of no relation.
unsafe fn row(stats: *const pg_sys::VacAttrStats) -> pg_sys::HeapTuple {
    unsafe {
        const COLUMNS: usize = pg_sys::Natts_pg_statistic as usize;
        let stats = &*stats;
        let mut values = [pg_sys::Datum::from(0); COLUMNS];
        let mut nulls = [false; COLUMNS];
        let mut put = |number: u32, value: Option<pg_sys::Datum>| {
            let at = number as usize - 1;
            nulls[at] = value.is_none();
            values[at] = value.unwrap_or(pg_sys::Datum::from(0));
        };
        put(pg_sys::Anum_pg_statistic_starelid, Some(oid_datum(pg_sys::InvalidOid)));
        put(pg_sys::Anum_pg_statistic_staattnum, 1i16.into_datum());
        put(pg_sys::Anum_pg_statistic_stainherit, false.into_datum());
        put(pg_sys::Anum_pg_statistic_stanullfrac, stats.stanullfrac.into_datum());
        put(pg_sys::Anum_pg_statistic_stawidth, stats.stawidth.into_datum());
        put(pg_sys::Anum_pg_statistic_stadistinct, stats.stadistinct.into_datum());
        for slot in 0..SLOTS {
            let at = slot as u32;
            put(pg_sys::Anum_pg_statistic_stakind1 + at, stats.stakind[slot].into_datum());
            put(pg_sys::Anum_pg_statistic_staop1 + at, Some(oid_datum(stats.staop[slot])));
            put(pg_sys::Anum_pg_statistic_stacoll1 + at, Some(oid_datum(stats.stacoll[slot])));
            put(pg_sys::Anum_pg_statistic_stanumbers1 + at, numbers(stats, slot));
            put(pg_sys::Anum_pg_statistic_stavalues1 + at, slot_values(stats, slot));
        }
        let catalog = pg_sys::table_open(pg_sys::StatisticRelationId, pg_sys::AccessShareLock as c_int);
        let tuple = pg_sys::heap_form_tuple((*catalog).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as c_int);
        tuple
    }
}

/// InvalidOid is a value here, not a NULL.
fn oid_datum(oid: pg_sys::Oid) -> pg_sys::Datum {
    pg_sys::Datum::from(oid.to_u32())
}

unsafe fn numbers(stats: &pg_sys::VacAttrStats, slot: usize) -> Option<pg_sys::Datum> {
    let count = stats.numnumbers[slot];
    if count <= 0 {
        return None;
    }
    unsafe {
        let datums = pg_sys::palloc(size_of::<pg_sys::Datum>() * count as usize).cast::<pg_sys::Datum>();
        for n in 0..count as usize {
            *datums.add(n) = (*stats.stanumbers[slot].add(n)).into_datum()?;
        }
        let (length, align) = (size_of::<f32>() as c_int, pg_sys::TYPALIGN_INT as std::ffi::c_char);
        let array = pg_sys::construct_array(datums, count, pg_sys::FLOAT4OID, length, true, align);
        Some(pg_sys::Datum::from(array))
    }
}

unsafe fn slot_values(stats: &pg_sys::VacAttrStats, slot: usize) -> Option<pg_sys::Datum> {
    (stats.numvalues[slot] > 0).then(|| unsafe {
        let array = pg_sys::construct_array(
            stats.stavalues[slot],
            stats.numvalues[slot],
            stats.statypid[slot],
            c_int::from(stats.statyplen[slot]),
            stats.statypbyval[slot],
            stats.statypalign[slot],
        );
        pg_sys::Datum::from(array)
    })
}

/// The part that the size and cost models read.
unsafe fn statistics(stats: *const pg_sys::VacAttrStats) -> ColumnStatistics {
    // SAFETY: compute_stats has filled it.
    let stats = unsafe { &*stats };
    let numbers_of = |kind: u32| {
        let slot = (0..SLOTS).find(|slot| stats.stakind[*slot] as u32 == kind && stats.numnumbers[*slot] > 0);
        slot.map_or_else(Vec::new, |slot| {
            let count = stats.numnumbers[slot] as usize;
            // SAFETY: numnumbers counts what stanumbers points to.
            (0..count).map(|n| f64::from(unsafe { *stats.stanumbers[slot].add(n) })).collect::<Vec<f64>>()
        })
    };
    ColumnStatistics {
        null_fraction: f64::from(stats.stanullfrac),
        average_width: f64::from(stats.stawidth),
        distinct: f64::from(stats.stadistinct),
        common_frequencies: numbers_of(pg_sys::STATISTIC_KIND_MCV),
        correlation: numbers_of(pg_sys::STATISTIC_KIND_CORRELATION).first().copied().unwrap_or(0.0),
        lengths: Vec::new(),
    }
}

const SLOTS: usize = pg_sys::STATISTIC_NUM_SLOTS as usize;
