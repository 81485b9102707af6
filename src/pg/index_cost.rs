//! `Costing`: our own cost functions, for access methods whose cost functions want the index itself.
//!
//! The planner calls them for hypothetical indexes only. They open no index: what they would read there comes from the
//! index's definition, by way of the configuration in force.
//!
//! # Safety
//!
//! The cost functions are called by the planner, through the pointer in an `IndexOptInfo` of ours, as `cost_index`
//! (costsize.c) calls every `amcostestimate`: with valid arguments, while the planner call runs. The private functions run
//! within them, on what they were given.

#![allow(clippy::too_many_arguments, reason = "the arguments of amcostestimate_function")]

#[cfg(feature = "pg_test")]
mod tests;

use super::{compat, hook, node, scalar};
use crate::candidate::definition::{AccessMethod, IndexDefinition};
use crate::cost::size;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// What a cost function must know of an index beside its `IndexOptInfo`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Costing {
    /// Nothing: the access method's own function does not look at the index.
    Own,
    Brin {
        pages_per_range: f64,
    },
    Hnsw {
        m: f64,
    },
    Ivfflat {
        lists: f64,
    },
}

impl Costing {
    /// How an index of this definition is to be costed.
    pub fn of(definition: &IndexDefinition) -> Costing {
        match definition.access_method {
            AccessMethod::Brin => Costing::Brin { pages_per_range: size::pages_per_range(definition) },
            AccessMethod::Hnsw => Costing::Hnsw { m: size::hnsw_m(definition).into() },
            AccessMethod::Ivfflat => Costing::Ivfflat { lists: size::ivfflat_lists(definition).into() },
            _ => Costing::Own,
        }
    }

    /// The function to be put in the place of the access method's own, if any.
    pub fn function(self) -> pg_sys::amcostestimate_function {
        match self {
            Costing::Own => None,
            Costing::Brin { .. } => Some(brin),
            Costing::Hnsw { .. } => Some(hnsw),
            Costing::Ivfflat { .. } => Some(ivfflat),
        }
    }
}

/// What a cost function answers.
struct Answer {
    startup: f64,
    total: f64,
    selectivity: f64,
    correlation: f64,
    pages: f64,
}

impl Answer {
    /// The answer to a scan that the access method cannot do, or of an index that is not in force.
    const IMPOSSIBLE: Answer = Answer {
        startup: f64::INFINITY,
        total: f64::INFINITY,
        selectivity: 0.0,
        correlation: 0.0,
        pages: 0.0,
    };
}

/// The cost of a bitmap scan of a BRIN index: `brincostestimate` (selfuncs.c) with the index's own pages per range, where the
/// server takes the default for an index that it cannot open.
#[pg_guard]
unsafe extern "C-unwind" fn brin(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup: *mut f64,
    total: *mut f64,
    selectivity: *mut f64,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: see the module.
    unsafe {
        let index = (*path).indexinfo;
        let Some(Costing::Brin { pages_per_range }) = hook::costing((*index).indexoid.to_u32()) else {
            return give(Answer::IMPOSSIBLE, startup, total, selectivity, correlation, pages);
        };
        let relation = (*index).rel;
        let (random_page_cost, seq_page_cost) = page_costs(index);
        let ranges = (f64::from((*relation).pages) / pages_per_range).ceil().max(1.0);
        // As brinGetStats (brin.c) counts them: one less than there are.
        let map_pages = size::range_map_pages(ranges, pg_sys::BLCKSZ) - 1.0;

        let range_entry = *(*root).simple_rte_array.add((*relation).relid as usize);
        let mut ordered: f64 = 0.0;
        for clause in node::list::<pg_sys::IndexClause>((*path).indexclauses) {
            let column = (*clause).indexcol as usize;
            ordered = ordered.max(column_correlation(root, range_entry, index, column));
        }

        let quals = pg_sys::get_quals_from_indexclauses((*path).indexclauses);
        let matching = pg_sys::clauselist_selectivity(
            root,
            quals,
            (*relation).relid as i32,
            pg_sys::JoinType::JOIN_INNER,
            std::ptr::null_mut(),
        );
        let least_ranges = (ranges * matching).ceil();
        let visited = if ordered < 1e-10 { ranges } else { (least_ranges / ordered).min(ranges) };

        let startup_cost =
            seq_page_cost * map_pages * loop_count + pg_sys::index_other_operands_eval_cost(root, quals);
        let index_pages = f64::from((*index).pages);
        let answer = Answer {
            startup: startup_cost,
            total: startup_cost
                + random_page_cost * (index_pages - map_pages) * loop_count
                + 0.1 * pg_sys::cpu_operator_cost * visited * pages_per_range,
            selectivity: (visited / ranges).clamp(0.0, 1.0),
            correlation: ordered,
            pages: index_pages,
        };
        give(answer, startup, total, selectivity, correlation, pages);
    }
}

/// The cost of an ordered scan of a hnsw index, by pgvector's cost model (0.8): the generic cost of the whole index, of which
/// the first row takes the share of the tuples that a search with `hnsw.ef_search` candidates looks at.
#[pg_guard]
unsafe extern "C-unwind" fn hnsw(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup: *mut f64,
    total: *mut f64,
    selectivity: *mut f64,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: see the module.
    unsafe {
        let index = (*path).indexinfo;
        let Some(Costing::Hnsw { m }) = hook::costing((*index).indexoid.to_u32()) else {
            return give(Answer::IMPOSSIBLE, startup, total, selectivity, correlation, pages);
        };
        let seen = seen_by_search((*index).tuples, m, setting("hnsw.ef_search", 40.0));
        let answer = ordered_scan(root, path, loop_count, seen, 0.0);
        give(answer, startup, total, selectivity, correlation, pages);
    }
}

/// The cost of an ordered scan of an ivfflat index, by pgvector's cost model: the generic cost, with half of the pages read in
/// sequence, of which the first row takes the share of the lists that are probed.
#[pg_guard]
unsafe extern "C-unwind" fn ivfflat(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup: *mut f64,
    total: *mut f64,
    selectivity: *mut f64,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: see the module.
    unsafe {
        let index = (*path).indexinfo;
        let Some(Costing::Ivfflat { lists }) = hook::costing((*index).indexoid.to_u32()) else {
            return give(Answer::IMPOSSIBLE, startup, total, selectivity, correlation, pages);
        };
        let seen = (setting("ivfflat.probes", 1.0) / lists).min(1.0);
        let answer = ordered_scan(root, path, loop_count, seen, 0.5);
        give(answer, startup, total, selectivity, correlation, pages);
    }
}

/// Share of the elements of a hnsw graph that a search visits: down the levels, `m` neighbours each, then `ef_search`
/// candidates on the lowest level with twice as many neighbours, of which the more are known already the smaller the graph
/// is. 0.55 is pgvector's own measurement.
fn seen_by_search(tuples: f64, m: f64, ef_search: f64) -> f64 {
    if tuples <= 0.0 {
        return 1.0;
    }
    let entry_level = (tuples.ln() / m.ln()).trunc();
    let new = 0.55 * tuples.ln() / (m.ln() * (1.0 + ef_search.ln()));
    ((entry_level * m + 2.0 * m * ef_search * new) / tuples).min(1.0)
}

/// A scan in order of distance that looks at the share `seen` of the index before its first row, and reads the share
/// `sequential` of the pages in sequence. Without such an order pgvector cannot scan.
unsafe fn ordered_scan(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    seen: f64,
    sequential: f64,
) -> Answer {
    unsafe {
        if (*path).indexorderbys.is_null() {
            compat::disable(path);
            return Answer::IMPOSSIBLE;
        }
        let index = (*path).indexinfo;
        let mut costs = pg_sys::GenericCosts::default();
        pg_sys::genericcostestimate(root, path, loop_count, &mut costs);
        let (_, seq_page_cost) = page_costs(index);
        let dearer = costs.spc_random_page_cost - seq_page_cost;
        let total = costs.indexTotalCost - sequential * costs.numIndexPages * dearer;
        let mut startup = total * seen;
        // The cost of a sequential scan leaves out values stored out of line, so a table of large vectors looks cheaper
        // than its index.
        let first_pages = costs.numIndexPages * seen;
        let table_pages = f64::from((*(*index).rel).pages);
        if first_pages > table_pages && seen < 0.5 {
            startup -= (1.0 - sequential) * first_pages * dearer;
            startup -= (first_pages - table_pages) * seq_page_cost;
        }
        Answer {
            startup,
            total,
            selectivity: costs.indexSelectivity,
            correlation: costs.indexCorrelation,
            pages: costs.numIndexPages,
        }
    }
}

unsafe fn give(
    answer: Answer,
    startup: *mut f64,
    total: *mut f64,
    selectivity: *mut f64,
    correlation: *mut f64,
    pages: *mut f64,
) {
    unsafe {
        *startup = answer.startup;
        *total = answer.total;
        *selectivity = answer.selectivity;
        *correlation = answer.correlation;
        *pages = answer.pages;
    }
}

/// A setting of pgvector's; its default where the library is not loaded.
fn setting(name: &str, default: f64) -> f64 {
    scalar::setting(name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Random and sequential page cost where the index lies.
unsafe fn page_costs(index: *mut pg_sys::IndexOptInfo) -> (f64, f64) {
    let (mut random, mut sequential) = (0.0, 0.0);
    unsafe { pg_sys::get_tablespace_page_costs((*index).reltablespace, &mut random, &mut sequential) };
    (random, sequential)
}

/// How well the heap follows the order of an index column, 0 to 1, as `brincostestimate` finds it: from the statistics of the
/// column or, for an expression, of the index.
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
unsafe fn column_correlation(
    root: *mut pg_sys::PlannerInfo,
    range_entry: *mut pg_sys::RangeTblEntry,
    index: *mut pg_sys::IndexOptInfo,
    column: usize,
) -> f64 {
    unsafe {
        let attribute = *(*index).indexkeys.add(column) as pg_sys::AttrNumber;
        let position = column as pg_sys::AttrNumber + 1;
        let mut variable = pg_sys::VariableStatData::default();
        let of_table = attribute != 0;
        let found = &raw mut variable;
        let supplied = match (of_table, pg_sys::get_relation_stats_hook, pg_sys::get_index_stats_hook) {
            (true, Some(hook), _) => {
                pg_sys::ffi::pg_guard_ffi_boundary(|| hook(root, range_entry, attribute, found))
            }
            (false, _, Some(hook)) => {
                pg_sys::ffi::pg_guard_ffi_boundary(|| hook(root, (*index).indexoid, position, found))
            }
            _ => false,
        };
        if supplied {
            let correlation = tuple_correlation(variable.statsTuple);
            compat::release_statistics(&variable);
            return correlation;
        }
        let (owner, number) =
            if of_table { ((*range_entry).relid, attribute) } else { ((*index).indexoid, position) };
        stored_correlation(owner, number)
    }
}

/// The absolute correlation of a column's values with the order in which the relation is stored, by the catalog; 0 if unknown.
pub(super) unsafe fn stored_correlation(owner: pg_sys::Oid, number: pg_sys::AttrNumber) -> f64 {
    unsafe { of_stored(owner, number, |tuple| tuple_correlation(tuple)) }
}

/// How many distinct values a column has, by the catalog, as in `pg_statistic.stadistinct`: less than 0 for a share of the rows; 0 if
/// unknown.
pub(super) unsafe fn stored_distinct(owner: pg_sys::Oid, number: pg_sys::AttrNumber) -> f64 {
    unsafe {
        of_stored(owner, number, |tuple| {
            let row = pgrx::pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_statistic>();
            f64::from((*row).stadistinct)
        })
    }
}

/// What `read` makes of a column's row in `pg_statistic`; 0 where there is none.
unsafe fn of_stored(
    owner: pg_sys::Oid,
    number: pg_sys::AttrNumber,
    read: impl FnOnce(pg_sys::HeapTuple) -> f64,
) -> f64 {
    unsafe {
        let tuple = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::STATRELATTINH as i32,
            owner.into(),
            number.into(),
            false.into(),
        );
        if tuple.is_null() {
            return 0.0;
        }
        let found = read(tuple);
        pg_sys::ReleaseSysCache(tuple);
        found
    }
}

/// The absolute correlation in a row of pg_statistic; 0 for none.
unsafe fn tuple_correlation(tuple: pg_sys::HeapTuple) -> f64 {
    unsafe {
        let mut slot = pg_sys::AttStatsSlot::default();
        if tuple.is_null()
            || !pg_sys::get_attstatsslot(
                &mut slot,
                tuple,
                pg_sys::STATISTIC_KIND_CORRELATION as i32,
                pg_sys::InvalidOid,
                pg_sys::ATTSTATSSLOT_NUMBERS as i32,
            )
        {
            return 0.0;
        }
        let correlation = if slot.nnumbers > 0 { f64::from((*slot.numbers).abs()) } else { 0.0 };
        pg_sys::free_attstatsslot(&mut slot);
        correlation
    }
}
