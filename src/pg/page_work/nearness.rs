//! What successive runs of an index scan have in common, as the inner side of a nested loop: neighbouring keys, or the same key.
//!
//! The outer rows tell: they come sorted by what is looked up, or in the order of a table that is stored so; and where several of
//! them go back to one row of what was joined before, they look up the same.
//!
//! # Safety
//!
//! As `page_work`.

use super::columns::Column;
use super::index_scan::key_order;
use super::joins::keeps_outer_order;
use super::{Outer, Walk, cost_of};
use crate::cost::in_memory::visits::Nearness;
use crate::pg::node;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;

/// What a key of an index is compared with, run by run.
struct Source {
    /// Columns of outer relations whose values it is, all of them alike; none where it is computed.
    columns: Vec<*mut pg_sys::Var>,
    class: *mut pg_sys::EquivalenceClass,
}

impl Walk<'_> {
    /// Of the runs of an index scan for the rows of `outer`.
    pub(super) unsafe fn nearness(
        &self,
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::IndexPath,
        outer: &Outer,
    ) -> Nearness {
        unsafe {
            let first_key = node::list::<pg_sys::IndexClause>((*path).indexclauses).next();
            let sources = sources(path, (*(*outer.path).parent).relids);
            // Keys before the first that changes are the same for all runs.
            let leading = sources.first().filter(|_| first_key.is_some_and(|key| (*key).indexcol == 0));
            let Some(leading) = leading else { return Nearness::NONE };
            let near = near(root, outer, leading);
            let passes = outer.stored.map_or(1.0, |stored| stored.passes);
            let rows = ((*outer.path).rows * outer.excess).max(1.0);
            let new = |sources: &[Source]| {
                let from = joined_from(outer.path, sources);
                if from == outer.path { 1.0 } else { (self.rows(root, from) / rows).min(1.0) }
            };
            let by_value = 1.0 - near * (1.0 - passes * self.values(root, leading) / rows).max(0.0);
            let new_place = new(&sources[..1]).min(by_value);
            let new_rows = if sources.len() == 1 { new_place } else { new(&sources) };
            Nearness { near, new_place, new_rows, passes }
        }
    }

    /// How many different values a source has at most.
    unsafe fn values(&self, root: *mut pg_sys::PlannerInfo, source: &Source) -> f64 {
        let of = |column: &*mut pg_sys::Var| unsafe {
            let relation = *(*root).simple_rel_array.add((**column).varno as usize);
            let rows = if relation.is_null() {
                f64::INFINITY
            } else {
                (*relation).rows * self.excess(root, relation, None)
            };
            let distinct = Column::of(root, column.cast()).and_then(|column| column.distinct());
            distinct.map_or(rows, |distinct| distinct.min(rows))
        };
        source.columns.iter().map(of).fold(f64::INFINITY, f64::min)
    }

    /// How many rows a path has once.
    unsafe fn rows(&self, root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::Path) -> f64 {
        unsafe {
            let joined = self.walked.joined.borrow().get(&path).copied();
            let of_join = joined.filter(|(cost, _)| *cost == cost_of(path)).map(|(_, excess)| excess);
            let relation = (*path).parent;
            let of_scan = || match (*relation).reloptkind {
                pg_sys::RelOptKind::RELOPT_BASEREL => self.excess(root, relation, None),
                _ => 1.0,
            };
            (*path).rows * of_join.unwrap_or_else(of_scan)
        }
    }
}

/// What the keys of an index scan are compared with that comes from relations in `within`, by key.
unsafe fn sources(path: *mut pg_sys::IndexPath, within: pg_sys::Relids) -> Vec<Source> {
    unsafe {
        let changes = |clause: &*mut pg_sys::IndexClause| {
            (**clause).rinfo.as_ref().is_none_or(|info| pg_sys::bms_overlap(info.clause_relids, within))
        };
        let source = |clause: *mut pg_sys::IndexClause| {
            let class = (*clause).rinfo.as_ref().map_or(std::ptr::null_mut(), |info| info.parent_ec);
            let mut alike: Vec<*mut pg_sys::Node> = Vec::new();
            if !class.is_null() {
                let members = node::list::<pg_sys::EquivalenceMember>((*class).ec_members);
                alike.extend(members.map(|member| (*member).em_expr.cast::<pg_sys::Node>()));
            }
            for qual in node::list::<pg_sys::RestrictInfo>((*clause).indexquals) {
                let comparison = (*qual).clause.cast::<pg_sys::Node>();
                if node::is_a(comparison, T_OpExpr) {
                    alike.extend(node::list::<pg_sys::Node>((*comparison.cast::<pg_sys::OpExpr>()).args));
                }
            }
            let columns = alike.into_iter().map(|expression| node::strip_relabel(expression));
            let columns = columns.filter(|column| node::is_a(*column, T_Var)).map(|column| column.cast());
            let of_outer = |column: &*mut pg_sys::Var| {
                (**column).varlevelsup == 0 && pg_sys::bms_is_member((**column).varno, within)
            };
            Source { columns: columns.filter(of_outer).collect(), class }
        };
        node::list::<pg_sys::IndexClause>((*path).indexclauses).filter(changes).map(source).collect()
    }
}

/// How far runs look up keys beside that of the run before, where they do not look up the same, 0 to 1.
unsafe fn near(root: *mut pg_sys::PlannerInfo, outer: &Outer, leading: &Source) -> f64 {
    unsafe {
        let sorted = node::list::<pg_sys::PathKey>((*outer.path).pathkeys).next();
        if !leading.class.is_null() && sorted.is_some_and(|key| (*key).pk_eclass == leading.class) {
            return 1.0;
        }
        let Some(stored) = outer.stored else { return 0.0 };
        let of_stored = |column: &&*mut pg_sys::Var| (***column).varno as pg_sys::Index == stored.relation;
        let Some(column) = leading.columns.iter().find(of_stored) else { return 0.0 };
        let (order, _) = key_order(root, &stored, column.cast());
        order * stored.strictly
    }
}

/// What is below `path` that all `sources` come from, and each of whose rows is joined with all that it goes with before the next one
/// comes; `path` itself where there is nothing else.
unsafe fn joined_from(mut path: *mut pg_sys::Path, sources: &[Source]) -> *mut pg_sys::Path {
    unsafe {
        let has_all = |path: &*mut pg_sys::Path| {
            let within = (*(**path).parent).relids;
            let of_path = |column: &*mut pg_sys::Var| pg_sys::bms_is_member((**column).varno, within);
            sources.iter().all(|source| source.columns.iter().any(of_path))
        };
        while let Some(below) = joined_row_by_row(path).filter(has_all) {
            path = below;
        }
        path
    }
}

/// What a path takes row by row, each with all that it is joined with.
unsafe fn joined_row_by_row(path: *mut pg_sys::Path) -> Option<*mut pg_sys::Path> {
    unsafe {
        let tag = node::tag(path)?;
        if tag == T_ProjectionPath {
            return Some((*path.cast::<pg_sys::ProjectionPath>()).subpath);
        }
        let join = path.cast::<pg_sys::JoinPath>();
        keeps_outer_order(join, tag).then(|| (*join).outerjoinpath)
    }
}
