//! `Collector`: reads `StatementFacts` and parameter uses off the planner's structures during one planning pass.
//!
//! Sees every base relation as the planner does: views, sub-selects, inlined CTEs and SQL functions are simply there.
//!
//! # Safety
//!
//! Its private unsafe functions run within one planner call, on structures that the planner passed or that hang on them.

use super::clause::{Sides, Workbench};
use super::compat;
use super::guesses::is_guess;
use super::node::{self, is_a};
use super::parameters::ParameterUse;
use super::predicates::Predicates;
use crate::candidate::definition::{Collation, Expression, KeyPart, KeyTarget};
use crate::candidate::facts::*;
use crate::catalog::{AttrNumber, Oid};
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;
use std::collections::BTreeSet;

/// A relation's size as the planner sees it: from the file's length, not the last ANALYZE.
#[derive(Clone, Copy, Debug)]
pub struct RelationSize {
    pub tuples: f64,
    pub pages: f64,
}

/// What one planning pass has shown so far.
#[derive(Default)]
pub struct Collector {
    pub facts: StatementFacts,
    /// Where caller-supplied parameters are compared with columns.
    pub parameters: Vec<ParameterUse>,
    /// Sizes of the plain relations read.
    pub relation_sizes: Vec<(Oid, RelationSize)>,
    /// Whether a relation outside the system catalogs was read.
    pub reads_user_relation: bool,
    /// Whether any relation was read at all.
    pub reads_relation: bool,
    /// Node texts, by relation, of expressions of which the planner has no statistics.
    without_statistics: BTreeSet<(Oid, String)>,
    /// Conditions, by relation, at whose share of the rows the planner guesses.
    pub(super) guessed: BTreeSet<(Oid, Expression)>,
    /// Number of join classes handed out so far; they are per statement, not per sub-query.
    classes: u32,
}

/// The relation's partitioned parents, nearest first; empty for anything but a partition.
pub(super) fn ancestors(relation: pg_sys::Oid) -> Vec<Oid> {
    // SAFETY: catalog look-ups; the second only for partitions.
    unsafe {
        if !pg_sys::get_rel_relispartition(relation) {
            return Vec::new();
        }
        let list = compat::partition_ancestors(relation);
        let length = if list.is_null() { 0 } else { (*list).length as usize };
        (0..length).map(|i| (*(*list).elements.add(i)).oid_value.to_u32()).collect()
    }
}

impl Collector {
    /// The expressions of the facts, by relation, of which the planner has no statistics; predicates that rest on such.
    pub(super) fn without_statistics(&mut self) -> Vec<(Oid, Expression)> {
        let mut found: BTreeSet<(Oid, Expression)> = BTreeSet::new();
        for usage in &mut self.facts.relations {
            let relation = usage.relation;
            let keys = usage.key_parts_mut().filter_map(|key| match &key.target {
                KeyTarget::Expression(expression) => Some(expression.clone()),
                KeyTarget::Column(_) => None,
            });
            found.extend(keys.map(|expression| (relation, expression)));
            found.extend(usage.predicates.iter().map(|clause| (relation, clause.expression.clone())));
        }
        let without = |(relation, expression): &(Oid, Expression)| {
            self.without_statistics.contains(&(*relation, expression.node.clone()))
        };
        found.into_iter().filter(without).collect()
    }

    /// The body of `set_rel_pathlist_hook`.
    ///
    /// # Safety
    /// Arguments as the planner passes them.
    pub(super) unsafe fn look(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        rti: pg_sys::Index,
        rte: *mut pg_sys::RangeTblEntry,
    ) {
        unsafe {
            if (*rte).rtekind != pg_sys::RTEKind::RTE_RELATION {
                return;
            }
            let oid = (*rte).relid;
            self.reads_relation = true;
            if pg_sys::IsCatalogRelationOid(oid) || in_system_schema(oid) {
                return;
            }
            self.reads_user_relation = true;
            let partitioned = (*rte).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE;
            let scannable = matches!(
                (*rte).relkind as u8,
                pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW | pg_sys::RELKIND_PARTITIONED_TABLE
            );
            // The parent of an inheritance tree speaks through its children; partitions speak through their parent.
            let child_of_partitioned = (*rel).reloptkind == pg_sys::RelOptKind::RELOPT_OTHER_MEMBER_REL
                && pg_sys::get_rel_relispartition(oid);
            if !scannable
                || !(*rte).tablesample.is_null()
                || ((*rte).inh && !partitioned)
                || child_of_partitioned
            {
                return;
            }
            if !partitioned {
                let size = RelationSize { tuples: (*rel).tuples.max(0.0), pages: f64::from((*rel).pages) };
                self.relation_sizes.push((oid.to_u32(), size));
            }
            let bench = Workbench::new(root, rel, rti, oid);
            let mut used = RelationUse {
                relation: oid.to_u32(),
                tuples: (*rel).tuples.max(0.0),
                rows: (*rel).rows,
                restrictions: Vec::new(),
                alternatives: Vec::new(),
                joins: Vec::new(),
                orders: Vec::new(),
                compared: compared(&bench),
                needed: needed(rel, rti),
                predicates: Vec::new(),
            };
            self.restrictions(&bench, &mut used);
            self.joins(&bench, &mut used);
            used.orders = orders(&bench);
            let without = bench.without_statistics.take().into_iter();
            self.without_statistics.extend(without.map(|node| (used.relation, node)));
            self.facts.relations.push(used);
        }
    }

    unsafe fn restrictions(&mut self, bench: &Workbench, used: &mut RelationUse) {
        unsafe {
            let mut predicates = Predicates::default();
            for restriction in node::list::<pg_sys::RestrictInfo>((*bench.rel).baserestrictinfo) {
                if (*restriction).pseudoconstant {
                    continue;
                }
                let clause = (*restriction).clause.cast::<pg_sys::Node>();
                self.parameters.extend(bench.parameter_uses(clause));
                predicates.look(bench, clause);
                if is_guess(restriction)
                    && let Some(condition) = bench.local_expression(clause, std::ptr::null_mut())
                {
                    self.guessed.insert((used.relation, condition));
                }
                if !(*restriction).orclause.is_null() {
                    let arms = self.arms(bench, (*restriction).orclause.cast());
                    if arms.iter().all(|arm| !arm.is_empty()) {
                        used.alternatives.push(arms);
                    }
                } else {
                    used.restrictions.extend(bench.clauses(clause));
                }
            }
            let output = bench.columns_read((*(*bench.rel).reltarget).exprs.cast());
            used.predicates = predicates.finish(bench, &output);
        }
    }

    /// The arms of an OR; each arm is a restriction or an AND of them.
    unsafe fn arms(&mut self, bench: &Workbench, or: *mut pg_sys::BoolExpr) -> Vec<Vec<Clause>> {
        unsafe {
            let arms: Vec<_> = node::list::<pg_sys::Node>((*or).args).collect();
            arms.into_iter()
                .map(|arm| {
                    let conjuncts: Vec<*mut pg_sys::Node> = if is_a(arm, T_BoolExpr)
                        && (*arm.cast::<pg_sys::BoolExpr>()).boolop == pg_sys::BoolExprType::AND_EXPR
                    {
                        node::list((*arm.cast::<pg_sys::BoolExpr>()).args).collect()
                    } else {
                        vec![arm]
                    };
                    conjuncts
                        .into_iter()
                        .map(|conjunct| match is_a(conjunct, T_RestrictInfo) {
                            true => (*conjunct.cast::<pg_sys::RestrictInfo>()).clause.cast(),
                            false => conjunct,
                        })
                        .flat_map(|clause: *mut pg_sys::Node| {
                            self.parameters.extend(bench.parameter_uses(clause));
                            bench.clauses(clause)
                        })
                        .collect()
                })
                .collect()
        }
    }

    unsafe fn joins(&mut self, bench: &Workbench, used: &mut RelationUse) {
        unsafe {
            // A relation read as part of another takes that one's place in the joins.
            let own = pg_sys::bms_union((*bench.rel).relids, (*bench.rel).top_parent_relids);
            for class in node::list::<pg_sys::EquivalenceClass>((*bench.root).eq_classes) {
                if (*class).ec_has_const || (*class).ec_has_volatile {
                    continue;
                }
                let other = node::list::<pg_sys::EquivalenceMember>((*class).ec_members)
                    .filter(|m| !(**m).em_is_child)
                    .find(|m| !(**m).em_relids.is_null() && !pg_sys::bms_overlap((**m).em_relids, own));
                let Some(other) = other else { continue };
                for member in compat::members_of(class, bench.rel) {
                    let key = bench.key_part((*member).em_expr.cast(), (*class).ec_collation);
                    let Some(key) = key.filter(|key| has_family((*class).ec_opfamilies, key)) else {
                        continue;
                    };
                    let sql =
                        format!("{} = {}", bench.key_sql(&key), bench.other_sql((*other).em_expr.cast()));
                    used.joins.push(JoinClause {
                        key,
                        other: bench.single_relation((*other).em_relids),
                        class: self.classes,
                        sql,
                    });
                }
                self.classes += 1;
            }
            for restriction in node::list::<pg_sys::RestrictInfo>((*bench.rel).joininfo) {
                let clause = (*restriction).clause.cast::<pg_sys::Node>();
                if let Some(Sides { key, value, kind: ClauseKind::Equality, .. }) = bench.sides(clause) {
                    let sql = format!("{} = {}", bench.key_sql(&key), bench.other_sql(value));
                    let other = pg_sys::bms_difference((*restriction).clause_relids, own);
                    used.joins.push(JoinClause {
                        key,
                        other: bench.single_relation(other),
                        class: self.classes,
                        sql,
                    });
                    self.classes += 1;
                }
            }
        }
    }

    /// Records the relation that the statement writes.
    ///
    /// # Safety
    /// `query` must be a valid analysed query.
    pub(super) unsafe fn look_at_write(&mut self, query: *const pg_sys::Query) {
        unsafe {
            let kind = match (*query).commandType {
                pg_sys::CmdType::CMD_INSERT => WriteKind::Insert,
                pg_sys::CmdType::CMD_UPDATE => WriteKind::Update,
                pg_sys::CmdType::CMD_DELETE => WriteKind::Delete,
                pg_sys::CmdType::CMD_MERGE => WriteKind::Merge,
                _ => return,
            };
            let target = (*query).resultRelation;
            if target <= 0 {
                return;
            }
            let entry = node::list::<pg_sys::RangeTblEntry>((*query).rtable).nth(target as usize - 1);
            let Some(entry) = entry else { return };
            self.reads_relation = true;
            if pg_sys::IsCatalogRelationOid((*entry).relid) {
                return;
            }
            self.reads_user_relation = true;
            let mut updated = BTreeSet::new();
            if kind == WriteKind::Update {
                updated.extend(assigned((*query).targetList));
            }
            let conflict = (*query).onConflict;
            let upsert =
                !conflict.is_null() && (*conflict).action == pg_sys::OnConflictAction::ONCONFLICT_UPDATE;
            if upsert {
                updated.extend(assigned((*conflict).onConflictSet));
            }
            for action in node::list::<pg_sys::MergeAction>((*query).mergeActionList) {
                if (*action).commandType == pg_sys::CmdType::CMD_UPDATE {
                    updated.extend(assigned((*action).targetList));
                }
            }
            let relation = (*entry).relid;
            self.facts.write = Some(WriteTarget {
                relation: ancestors(relation).last().copied().unwrap_or(relation.to_u32()),
                kind: if upsert { WriteKind::Merge } else { kind },
                updated,
            });
        }
    }
}

/// Column numbers assigned by a target list.
unsafe fn assigned(targets: *mut pg_sys::List) -> Vec<AttrNumber> {
    unsafe {
        node::list::<pg_sys::TargetEntry>(targets)
            .filter(|entry| !(**entry).resjunk)
            .map(|entry| (*entry).resno)
            .collect()
    }
}

/// Whether the relation lives in a schema of the system's (information_schema's tables are not catalogs).
unsafe fn in_system_schema(relation: pg_sys::Oid) -> bool {
    unsafe {
        let name = super::scalar::owned(pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)));
        name.is_some_and(|name| name == "information_schema" || name.starts_with("pg_"))
            && relation.to_u32() < pg_sys::FirstNormalObjectId
    }
}

/// Columns of which the planner has a condition, an equivalence or an order (that has one of its own).
unsafe fn compared(bench: &Workbench) -> BTreeSet<AttrNumber> {
    unsafe {
        let conditions = [(*bench.rel).baserestrictinfo, (*bench.rel).joininfo];
        let clauses = conditions
            .into_iter()
            .flat_map(|list| node::list::<pg_sys::RestrictInfo>(list))
            .map(|condition| (*condition).clause.cast());
        let members = node::list::<pg_sys::EquivalenceClass>((*bench.root).eq_classes)
            .flat_map(|class| compat::members_of(class, bench.rel))
            .map(|member| (*member).em_expr.cast());
        clauses.chain(members).flat_map(|expression| bench.columns_read(expression)).collect()
    }
}

/// Columns that an index-only scan would have to return, as check_index_only (indxpath.c) counts them.
unsafe fn needed(rel: *mut pg_sys::RelOptInfo, rti: pg_sys::Index) -> Option<BTreeSet<AttrNumber>> {
    unsafe {
        let mut found = std::ptr::null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), rti, &mut found);
        for restriction in node::list::<pg_sys::RestrictInfo>((*rel).baserestrictinfo) {
            pg_sys::pull_varattnos((*restriction).clause.cast(), rti, &mut found);
        }
        // pull_varattnos shifts numbers so that system columns fit; 0 is the whole row.
        let offset = pg_sys::FirstLowInvalidHeapAttributeNumber;
        node::members(found)
            .map(|member| member + offset)
            .map(|number| (number > 0).then_some(number as AttrNumber))
            .collect()
    }
}

unsafe fn has_family(families: *mut pg_sys::List, key: &KeyPart) -> bool {
    unsafe { pg_sys::list_member_oid(families, key.operator_class.family.into()) }
}

/// The sort orders that the query level can use, as far as this relation alone supplies them.
unsafe fn orders(bench: &Workbench) -> Vec<Order> {
    unsafe {
        let root = bench.root;
        let lists = [
            (OrderPurpose::Window, (*root).window_pathkeys),
            (OrderPurpose::Group, (*root).group_pathkeys),
            (OrderPurpose::Distinct, (*root).distinct_pathkeys),
            (OrderPurpose::Sort, (*root).sort_pathkeys),
        ];
        let limited = !(*(*root).parse).limitCount.is_null();
        let mut orders: Vec<Order> = Vec::new();
        for (purpose, pathkeys) in lists {
            let asked: Vec<*mut pg_sys::PathKey> = node::list(pathkeys).collect();
            let keys: Vec<OrderKey> = asked.iter().map_while(|pathkey| order_key(bench, *pathkey)).collect();
            if keys.is_empty() {
                continue;
            }
            let complete = keys.len() == asked.len();
            orders.push(Order { purpose, keys, complete, limited: limited && complete });
        }
        orders.sort_by_key(|order| std::cmp::Reverse(order.keys.len()));
        orders
    }
}

unsafe fn order_key(bench: &Workbench, pathkey: *mut pg_sys::PathKey) -> Option<OrderKey> {
    unsafe {
        let descending = compat::pathkey_descending(pathkey)?;
        let class = (*pathkey).pk_eclass;
        if (*class).ec_has_volatile {
            return None;
        }
        let member = compat::members_of(class, bench.rel).into_iter().next()?;
        let part = bench.key_part((*member).em_expr.cast(), (*class).ec_collation)?;
        (part.operator_class.family == (*pathkey).pk_opfamily.to_u32()).then_some(OrderKey {
            part,
            descending,
            nulls_first: (*pathkey).pk_nulls_first,
        })
    }
}

/// The collation of a key for DDL: unnamed where it is the column's own.
pub(super) fn collation(wanted: pg_sys::Oid, own: pg_sys::Oid) -> Collation {
    let sql_name = (wanted != own && wanted != pg_sys::InvalidOid)
        // SAFETY: a valid collation OID, found in an analysed query.
        .then(|| super::scalar::owned(unsafe { pg_sys::generate_collation_name(wanted) }))
        .flatten();
    let oid = if wanted == pg_sys::InvalidOid { own } else { wanted };
    Collation { oid: oid.to_u32(), sql_name }
}
