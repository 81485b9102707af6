//! `Pricing`: indexes that cost something to have, within one planner call.
//!
//! With a price on each hypothetical index, the planner's least total is a bound on what the statement costs under any set of them:
//! at least that total, less the prices of the set. Every plan is charged an index once: where it scans it on its own the price goes
//! in by the cost function, where a nested loop looks rows up in it by the loop, which would otherwise pay by the visit. What cannot be
//! charged once is not charged: a bound may be low, never high.
//!
//! # Safety
//!
//! Its private unsafe functions are called by the planner's hooks on their arguments, or on paths of theirs.

use super::hook::{self, Configuration};
use super::{compat, node, page_work};
use crate::catalog::Oid;
use pgrx::pg_sys::{self, NodeTag::*};
use pgrx::prelude::*;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// An `amcostestimate`.
pub type CostFunction = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    *mut pg_sys::IndexPath,
    f64,
    *mut f64,
    *mut f64,
    *mut f64,
    *mut f64,
    *mut f64,
);

/// What looking up a row takes at most when all pages are in memory, planner units: a descent and a page (`cost::in_memory`).
const LOOKUP: f64 = 1.5;
/// Joins whose look-ups take less than this share of what a statement may take are not looked at.
const LIGHT: f64 = 0.1;

/// By an index's fake OID, the places of its table in the statement where a plan uses it, counted from 0 as the planner comes by them.
pub type Places = BTreeMap<Oid, BTreeSet<usize>>;

/// What having each hypothetical index costs, planner units, and what is put aside while it is charged.
pub struct Pricing {
    /// By the index's fake OID, for each place of its table.
    prices: BTreeMap<Oid, Vec<f64>>,
    /// How often the planner came by a relation.
    met: RefCell<BTreeMap<Oid, usize>>,
    /// By index of the planner call.
    charges: RefCell<FxHashMap<*const pg_sys::IndexOptInfo, Charge>>,
    /// By relation of the planner call: how often an index may stand in one scan of it.
    arms: RefCell<FxHashMap<*const pg_sys::RelOptInfo, f64>>,
    /// By relation of the planner call: look-ups by its priced indexes, each with what having them costs.
    lookups: RefCell<FxHashMap<*mut pg_sys::RelOptInfo, Vec<Lookup>>>,
    /// What joins were charged for their look-ups. Of a join that was thrown away, another may have the address by now.
    charged: RefCell<FxHashMap<*mut pg_sys::Path, f64>>,
    /// Joins that cost more when all pages are in memory are not made, planner units: no plan with them would be accepted.
    most_in_memory: f64,
    /// Whether a join is being made of such a look-up.
    joining: Cell<bool>,
    /// Whether a scan is charged in full, whatever the conditions on its relation.
    in_full: Cell<bool>,
    /// What was found out so far.
    walked: page_work::Walked,
    /// Where the chosen plan uses which index.
    places: RefCell<Places>,
}

/// What having an index of the planner call costs.
#[derive(Clone, Copy)]
struct Charge {
    /// Planner units.
    price: f64,
    /// That of its table.
    place: usize,
    /// How it is costed but for that.
    own: Option<CostFunction>,
}

/// What `add_paths_to_joinrel` (joinpath.c) makes paths for.
pub struct Join {
    pub joinrel: *mut pg_sys::RelOptInfo,
    pub outer: *mut pg_sys::RelOptInfo,
    pub inner: *mut pg_sys::RelOptInfo,
    pub jointype: pg_sys::JoinType::Type,
    pub extra: *mut pg_sys::JoinPathExtraData,
}

/// A path that finds rows of one relation by values of others, with indexes that have a price.
#[derive(Clone, Copy)]
struct Lookup {
    path: *mut pg_sys::Path,
    price: f64,
}

impl Pricing {
    /// Prices by fake OID, in parts for each place of the index's table; in further places the index is free.
    pub fn new(prices: impl IntoIterator<Item = (Oid, Vec<f64>)>, most_in_memory: f64) -> Pricing {
        Pricing {
            prices: prices.into_iter().collect(),
            met: RefCell::default(),
            charges: RefCell::default(),
            arms: RefCell::default(),
            lookups: RefCell::default(),
            charged: RefCell::default(),
            most_in_memory,
            joining: Cell::new(false),
            in_full: Cell::new(false),
            walked: page_work::Walked::default(),
            places: RefCell::default(),
        }
    }

    /// The place at which the planner comes by a relation now.
    pub fn next_place(&self, relation: Oid) -> usize {
        let mut met = self.met.borrow_mut();
        let place = met.entry(relation).or_default();
        *place += 1;
        *place - 1
    }

    /// Puts the price on an index of the planner call that holds `share` of the whole index and is costed by `own`.
    ///
    /// # Safety
    /// `info` must be valid.
    pub unsafe fn put_on(
        &self,
        info: *mut pg_sys::IndexOptInfo,
        place: usize,
        share: f64,
        own: Option<CostFunction>,
    ) {
        let Some(prices) = self.prices.get(&unsafe { (*info).indexoid.to_u32() }) else { return };
        let price = prices.get(place).map_or(0.0, |price| price * share.min(1.0));
        self.charges.borrow_mut().insert(info.cast_const(), Charge { price, place, own });
        if price > 0.0 {
            // SAFETY: the caller's promise.
            unsafe { compat::set_cost_function(info, Some(cost)) };
        }
    }

    fn price_of(&self, index: *const pg_sys::IndexOptInfo) -> f64 {
        self.charges.borrow().get(&index).map_or(0.0, |charge| charge.price)
    }

    /// How an index that has a price is costed but for that, and what a scan by it is charged on top.
    ///
    /// # Safety
    /// `path` must be valid and in the planner call of `root`.
    pub unsafe fn costing(
        &self,
        root: *mut pg_sys::PlannerInfo,
        path: *const pg_sys::IndexPath,
    ) -> Option<(CostFunction, f64)> {
        unsafe {
            let own = self.charges.borrow().get(&(*path).indexinfo.cast_const())?.own?;
            Some((own, self.charge(root, path)))
        }
    }

    /// Notes that the chosen plan uses an index.
    ///
    /// # Safety
    /// `info` must be valid.
    pub unsafe fn note(&self, info: *const pg_sys::IndexOptInfo) {
        if let Some(charge) = self.charges.borrow().get(&info) {
            let oid = unsafe { (*info).indexoid.to_u32() };
            self.places.borrow_mut().entry(oid).or_default().insert(charge.place);
        }
    }

    /// Where the chosen plan uses which index.
    pub fn places(&self) -> Places {
        self.places.borrow().clone()
    }

    /// What a join was charged beside what its two sides were.
    pub fn charged(&self, join: *mut pg_sys::Path) -> f64 {
        self.charged.borrow().get(&join).copied().unwrap_or(0.0)
    }

    /// What the scan that `path` makes on its own is charged.
    pub unsafe fn charge(&self, root: *mut pg_sys::PlannerInfo, path: *const pg_sys::IndexPath) -> f64 {
        unsafe {
            if !(*path).path.param_info.is_null() || runs_for_each_row(root) {
                return 0.0;
            }
            let price = self.price_of((*path).indexinfo);
            if self.in_full.get() { price } else { price / self.most_arms((*path).path.parent) }
        }
    }

    /// How many arms the widest OR among the conditions on a relation has: as often, an index may stand in one scan.
    unsafe fn most_arms(&self, rel: *const pg_sys::RelOptInfo) -> f64 {
        let count = || unsafe {
            let clauses = node::list::<pg_sys::RestrictInfo>((*rel).baserestrictinfo)
                .chain(node::list((*rel).joininfo))
                .filter(|clause| !(**clause).orclause.is_null());
            clauses.map(|clause| arms((*clause).orclause.cast())).max().unwrap_or(1) as f64
        };
        // Conditions are all there before a path is costed.
        *self.arms.borrow_mut().entry(rel).or_insert_with(count)
    }

    /// Puts the look-ups of a base relation aside, with all of them that are best at some price.
    pub unsafe fn put_aside(
        &self,
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        entry: *mut pg_sys::RangeTblEntry,
    ) {
        unsafe {
            // Where set_plain_rel_pathlist (allpaths.c) has made the paths, and not because the relation is known to be empty.
            let plain = (*rel).reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
                && (*rel).rtekind == pg_sys::RTEKind::RTE_RELATION
                && !(*entry).inh
                && (*entry).tablesample.is_null()
                && !node::list::<pg_sys::Path>((*rel).pathlist).any(|path| node::is_a(path, T_AppendPath));
            if !plain || !(*rel).lateral_relids.is_null() || runs_for_each_row(root) {
                return;
            }
            let all: Vec<*mut pg_sys::IndexOptInfo> = node::list((*rel).indexlist).collect();
            let priced: Vec<_> = all.iter().copied().filter(|index| self.price_of(*index) > 0.0).collect();
            if priced.is_empty() {
                return;
            }
            let free: Vec<_> = all.iter().copied().filter(|index| self.price_of(*index) <= 0.0).collect();
            let (indexlist, partial) = ((*rel).indexlist, (*rel).partial_pathlist);
            let found: Vec<*mut pg_sys::Path> = node::list((*rel).pathlist).collect();
            let (mut kept, aside): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|path| (**path).param_info.is_null() || self.price_of_path(*path) <= 0.0);
            let mut aside: Vec<Lookup> =
                aside.into_iter().map(|path| Lookup { path, price: self.price_of_path(path) }).collect();
            let with = |indexes: &[*mut pg_sys::IndexOptInfo]| -> Vec<*mut pg_sys::Path> {
                (*rel).pathlist = std::ptr::null_mut();
                (*rel).partial_pathlist = std::ptr::null_mut();
                (*rel).indexlist = std::ptr::null_mut();
                for index in indexes {
                    (*rel).indexlist = pg_sys::lappend((*rel).indexlist, index.cast());
                }
                super::inject::point();
                pg_sys::create_index_paths(root, rel);
                node::list((*rel).pathlist).collect()
            };
            kept.extend(with(&free).into_iter().filter(|path| !(**path).param_info.is_null()));
            // Where an index may serve several arms of an OR, a scan by it alone was charged but a part.
            let in_parts = self.most_arms(rel) > 1.0;
            if in_parts {
                kept.retain(|path| !node::is_a(*path, T_IndexPath) || self.price_of_path(*path) <= 0.0);
            }
            self.in_full.set(true);
            let mut scans = Vec::new();
            for index in &priced {
                for path in with(&[*index]) {
                    if !(*path).param_info.is_null() {
                        aside.push(Lookup { path, price: self.price_of(*index) });
                    } else if in_parts && node::is_a(path, T_IndexPath) {
                        scans.push(path);
                    }
                }
            }
            self.in_full.set(false);
            (*rel).indexlist = indexlist;
            (*rel).partial_pathlist = partial;
            (*rel).pathlist = std::ptr::null_mut();
            for path in kept {
                (*rel).pathlist = pg_sys::lappend((*rel).pathlist, path.cast());
            }
            let mut done = Vec::new();
            for path in node::list::<pg_sys::Path>((*rel).pathlist) {
                if (*path).param_info.is_null() {
                    self.forget_charges(root, path, &mut done);
                }
            }
            self.in_full.set(true);
            for path in scans {
                self.forget_charges(root, path, &mut done);
                pg_sys::add_path(rel, path);
            }
            self.in_full.set(false);
            if !aside.is_empty() {
                self.lookups.borrow_mut().insert(rel, best_at_some_price(aside));
            }
        }
    }

    /// Joins by look-ups that were put aside, each charged once.
    pub unsafe fn join(
        &self,
        root: *mut pg_sys::PlannerInfo,
        join: &Join,
        configuration: &Configuration<'_>,
    ) {
        use pg_sys::JoinType::*;
        let Join { joinrel, outer, inner, jointype, extra } = *join;
        unsafe {
            if self.joining.get()
                || !matches!(jointype, JOIN_INNER | JOIN_LEFT | JOIN_SEMI | JOIN_ANTI | JOIN_UNIQUE_OUTER)
            {
                return;
            }
            let Some(lookups) = self.lookups.borrow().get(&inner).cloned() else { return };
            let _joining = Joining::begin(&self.joining);
            let (paths, partial) = ((*joinrel).pathlist, (*joinrel).partial_pathlist);
            let (cheapest, parameterised) =
                ((*inner).cheapest_total_path, (*inner).cheapest_parameterized_paths);
            let mut made: Vec<(*mut pg_sys::Path, f64)> = Vec::new();
            let mut made_partial: Vec<(*mut pg_sys::Path, f64)> = Vec::new();
            for Lookup { path, price } in lookups {
                if !pg_sys::bms_overlap((*(*path).param_info).ppi_req_outer, (*outer).relids)
                    && (*extra).param_source_rels.is_null()
                {
                    continue;
                }
                (*joinrel).pathlist = std::ptr::null_mut();
                (*joinrel).partial_pathlist = std::ptr::null_mut();
                (*inner).cheapest_total_path = path;
                (*inner).cheapest_parameterized_paths = pg_sys::lappend(std::ptr::null_mut(), path.cast());
                super::inject::point();
                pg_sys::add_paths_to_joinrel(
                    root,
                    joinrel,
                    outer,
                    inner,
                    jointype,
                    (*extra).sjinfo,
                    (*extra).restrictlist,
                );
                made.extend(node::list((*joinrel).pathlist).map(|made| (made, price)));
                made_partial.extend(node::list((*joinrel).partial_pathlist).map(|made| (made, price)));
            }
            (*joinrel).pathlist = paths;
            (*joinrel).partial_pathlist = partial;
            (*inner).cheapest_total_path = cheapest;
            (*inner).cheapest_parameterized_paths = parameterised;
            // What still depends on rows from elsewhere is a look-up itself, and is charged where these come in.
            let (debts, made): (Vec<_>, Vec<_>) =
                made.into_iter().partition(|(path, _)| !(**path).param_info.is_null());
            if (*root).join_rel_level.is_null() {
                // The genetic search throws its joins away, and others take their addresses (geqo_eval, geqo_eval.c): nothing may be kept
                // of them, so they go uncharged.
                for (path, _) in debts {
                    pg_sys::add_path(joinrel, path);
                }
            } else if !debts.is_empty() {
                let mut lookups = self.lookups.borrow_mut();
                let known = lookups.entry(joinrel).or_default();
                known.extend(debts.into_iter().map(|(path, price)| Lookup { path, price }));
                *known = best_at_some_price(std::mem::take(known));
            }
            for (path, price) in made {
                self.charge_join(path, price);
                if compat::is_worth_adding(joinrel, path) && self.is_acceptable(root, path, configuration) {
                    pg_sys::add_path(joinrel, path);
                }
            }
            for (path, price) in made_partial {
                self.charge_join(path, price);
                if self.is_acceptable(root, path, configuration) {
                    pg_sys::add_partial_path(joinrel, path);
                }
            }
        }
    }

    /// Charges a join for its look-ups, once.
    unsafe fn charge_join(&self, path: *mut pg_sys::Path, price: f64) {
        unsafe {
            (*path).startup_cost += price;
            (*path).total_cost += price;
        }
        self.charged.borrow_mut().insert(path, price);
    }

    /// Whether a join may be part of a plan that is accepted.
    unsafe fn is_acceptable(
        &self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        configuration: &Configuration<'_>,
    ) -> bool {
        unsafe {
            self.most_in_memory.is_infinite()
                || runs_for_each_row(root)
                || self.is_light(path.cast())
                || page_work::in_memory(root, path, configuration, &self.walked) <= self.most_in_memory
        }
    }

    /// Whether a join looks up so little that it makes no plan slow.
    unsafe fn is_light(&self, join: *mut pg_sys::JoinPath) -> bool {
        unsafe {
            let (outer, inner) = ((*join).outerjoinpath, (*join).innerjoinpath);
            LOOKUP * (*outer).rows * (1.0 + (*inner).rows) < LIGHT * self.most_in_memory
        }
    }

    /// Takes the charges out of what the scans of a relation say of their indexes, from which their work is told.
    unsafe fn forget_charges(
        &self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::Path,
        done: &mut Vec<*mut pg_sys::IndexPath>,
    ) {
        unsafe {
            for scan in node::index_paths(path) {
                if !done.contains(&scan) {
                    done.push(scan);
                    (*scan).indextotalcost -= self.charge(root, scan);
                }
            }
        }
    }

    /// What the indexes of a scan cost to have, each counted once.
    unsafe fn price_of_path(&self, path: *mut pg_sys::Path) -> f64 {
        unsafe {
            let indexes = node::index_paths(path).into_iter().map(|scan| (*scan).indexinfo);
            let prices = indexes.map(|index| ((*index).indexoid.to_u32(), self.price_of(index)));
            prices.collect::<BTreeMap<Oid, f64>>().values().sum()
        }
    }
}

/// Whether what is planned runs once for each row of another query, as often as that has rows: no price can be charged once there.
unsafe fn runs_for_each_row(root: *mut pg_sys::PlannerInfo) -> bool {
    unsafe {
        let mut above = (*root).parent_root;
        while !above.is_null() {
            // What the sub-query takes from the query above (SS_replace_correlation_vars, subselect.c).
            if !(*above).plan_params.is_null() {
                return true;
            }
            above = (*above).parent_root;
        }
        false
    }
}

/// The arms of an OR with ORs within them, as extended by `make_sub_restrictinfos` (restrictinfo.c); 1 for any other clause.
unsafe fn arms(clause: *mut pg_sys::Node) -> usize {
    unsafe {
        pg_sys::check_stack_depth();
        match node::tag(clause) {
            Some(T_RestrictInfo) => {
                let info = clause.cast::<pg_sys::RestrictInfo>();
                arms(if (*info).orclause.is_null() { (*info).clause } else { (*info).orclause }.cast())
            }
            Some(T_BoolExpr) => {
                let expr = clause.cast::<pg_sys::BoolExpr>();
                let within = node::list::<pg_sys::Node>((*expr).args).map(|arm| arms(arm));
                match (*expr).boolop {
                    pg_sys::BoolExprType::OR_EXPR => within.sum(),
                    _ => within.max().unwrap_or(1),
                }
            }
            _ => 1,
        }
    }
}

/// Those of the look-ups that no other does as well for no more.
unsafe fn best_at_some_price(lookups: Vec<Lookup>) -> Vec<Lookup> {
    unsafe {
        let mut best: Vec<Lookup> = Vec::new();
        let beats = |a: &Lookup, b: &Lookup| {
            let (x, y) = (a.path, b.path);
            (*x).param_info == (*y).param_info
                && (*x).rows <= (*y).rows
                && (*x).startup_cost <= (*y).startup_cost
                && (*x).total_cost <= (*y).total_cost
                && a.price <= b.price
        };
        for lookup in lookups {
            if best.iter().any(|other| beats(other, &lookup)) {
                continue;
            }
            best.retain(|other| !beats(&lookup, other));
            best.push(lookup);
        }
        best
    }
}

/// Only nested loops are tried while it lasts.
struct Joining<'a> {
    joining: &'a Cell<bool>,
    hash: bool,
    merge: bool,
}

impl Joining<'_> {
    unsafe fn begin(joining: &Cell<bool>) -> Joining<'_> {
        joining.set(true);
        unsafe {
            let before = Joining { joining, hash: pg_sys::enable_hashjoin, merge: pg_sys::enable_mergejoin };
            pg_sys::enable_hashjoin = false;
            pg_sys::enable_mergejoin = false;
            before
        }
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        // SAFETY: the backend's only thread.
        unsafe {
            pg_sys::enable_hashjoin = self.hash;
            pg_sys::enable_mergejoin = self.merge;
        }
        self.joining.set(false);
    }
}

/// The cost function of an index that has a price: its own, and the price where it is due.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "the arguments of amcostestimate_function")]
#[allow(ffi_unwind_calls, reason = "guarded by pg_guard_ffi_boundary")]
pub unsafe extern "C-unwind" fn cost(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup: *mut f64,
    total: *mut f64,
    selectivity: *mut f64,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: called by cost_index (costsize.c) as every amcostestimate.
    unsafe {
        let Some((own, charge)) = hook::priced(root, path) else {
            *startup = f64::INFINITY;
            *total = f64::INFINITY;
            return;
        };
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            own(root, path, loop_count, startup, total, selectivity, correlation, pages)
        });
        *startup += charge;
        *total += charge;
    }
}
