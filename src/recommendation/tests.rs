//! The reasons of hand-made recommendations: each circumstance gets its sentence, and only then.

use super::StatementEffect;
use super::reason::{Evidence, reason};
use crate::candidate::Candidate;
use crate::candidate::definition::{
    AccessMethod, Collation, Expression, IndexDefinition, Key, KeyPart, KeyTarget, OperatorClass,
};
use crate::candidate::pool::Origin;
use crate::catalog::{AttrNumber, ExistingIndex, Relation, RelationKind, WriteActivity};
use crate::cost::PlanCost;
use crate::selection::Choice;
use std::collections::BTreeMap;

const ORDERS: u32 = 16_384;

fn key(target: KeyTarget) -> Key {
    Key::ascending(KeyPart {
        target,
        operator_class: OperatorClass {
            oid: 1978,
            family: 1976,
            input_type: 23,
            sql_name: None,
            options: Default::default(),
        },
        collation: Collation { oid: 0, sql_name: None },
    })
}

fn index(columns: &[AttrNumber]) -> IndexDefinition {
    IndexDefinition {
        relation: ORDERS,
        access_method: AccessMethod::Btree,
        keys: columns.iter().map(|number| key(KeyTarget::Column(*number))).collect(),
        include: Vec::new(),
        predicate: None,
        parameters: Default::default(),
    }
}

fn existing(oid: u32, name: &str, definition: IndexDefinition) -> ExistingIndex {
    ExistingIndex {
        oid,
        name: name.to_string(),
        definition: Some(definition),
        unique: false,
        primary: false,
        constraint: false,
        valid: true,
        size_bytes: 120 << 20,
        scans: 0,
    }
}

fn orders() -> Relation {
    Relation {
        oid: ORDERS,
        schema: "public".to_string(),
        name: "orders".to_string(),
        sql_name: "public.orders".to_string(),
        kind: RelationKind::Table,
        tuples: 1_500_000.0,
        pages: 26_000.0,
        all_visible_fraction: 0.97,
        leaves: 1,
        columns: BTreeMap::new(),
        indexes: Vec::new(),
        activity: WriteActivity::default(),
        column_groups: Vec::new(),
        leaf_tuples: Vec::new(),
        expression_statistics: BTreeMap::new(),
    }
}

fn effect(statement: usize, before: f64, after: f64) -> StatementEffect {
    StatementEffect { statement, cost_before: before, cost_after: after, saving: 0.1 }
}

fn plan(used: &[usize], used_existing: &[u32]) -> PlanCost {
    let (used, used_existing) = (used.to_vec(), used_existing.to_vec());
    PlanCost { startup: 0.0, total: 120_345.0, in_memory: 120_345.0, rows: 1.0, used, used_existing }
}

/// A recommendation as each test wants it, by default one that is good and simple.
struct Case {
    definition: IndexDefinition,
    asked_by: Vec<(usize, &'static str)>,
    relation: Relation,
    gains: (f64, f64),
    hot_loss: f64,
    effects: Vec<StatementEffect>,
    before: PlanCost,
    above: Vec<(u32, usize)>,
}

fn case() -> Case {
    Case {
        definition: index(&[2, 5]),
        asked_by: vec![(0, "equality on o_custkey, then range on o_orderdate")],
        relation: orders(),
        gains: (100.0, 100.0),
        hot_loss: 0.0,
        effects: vec![effect(0, 120_345.0, 1_203.0)],
        before: plan(&[], &[]),
        above: Vec::new(),
    }
}

impl Case {
    fn reason(&self) -> String {
        let origins = self.asked_by.iter();
        let origins =
            origins.map(|(statement, words)| Origin { statement: *statement, asked_by: words.to_string() });
        reason(&Evidence {
            candidate: &Candidate { definition: self.definition.clone(), origins: origins.collect() },
            relation: &self.relation,
            choice: &Choice {
                candidate: 0,
                gain_alone: self.gains.0,
                gain_after_previous: self.gains.1,
                effects: Vec::new(),
            },
            hot_loss: self.hot_loss,
            effects: &self.effects,
            before: Some(&self.before),
            above: &self.above,
        })
    }
}

#[test]
fn a_simple_index_needs_three_sentences() {
    assert_eq!(
        case().reason(),
        "Serves equality on o_custkey, then range on o_orderdate. One statement gets cheaper: cost 120,345 to 1,203 \
         (-99 %). It now reads public.orders (1,500,000 rows) without an index."
    );
}

#[test]
fn several_statements_are_counted_and_the_one_that_gains_most_speaks_first() {
    let case = Case {
        asked_by: vec![(0, "equality on a"), (3, "order by b"), (7, "equality on a"), (8, "equality on c")],
        effects: vec![effect(3, 500.0, 5.0), effect(7, 400.0, 40.0), effect(0, 9.0, 1.0)],
        ..case()
    };
    let text = case.reason();
    let start = "Serves order by b; also equality on a. 3 statements get cheaper, most of all one from cost 500 to \
                 5.00 (-99 %).";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("That one now reads public.orders"), "{text}");
}

#[test]
fn indexes_in_use_without_it_are_named() {
    let mut case = case();
    case.relation.indexes = vec![existing(7, "orders_date", index(&[5]))];
    case.before = plan(&[4], &[7]);
    case.above = vec![(2, 4)];
    let text = case.reason();
    assert!(
        text.contains("It now reads public.orders by the recommended index 2 and orders_date."),
        "{text}"
    );
    // The indexes of partitions are not in the catalog of a run, so nothing is said of them.
    case.relation = Relation { kind: RelationKind::PartitionedTable, ..orders() };
    case.before = plan(&[], &[99]);
    let text = case.reason();
    assert!(!text.contains("now reads"), "{text}");
    assert!(text.contains("cannot be indexed CONCURRENTLY"), "{text}");
}

#[test]
fn overlap_with_the_ones_above_is_told_either_way() {
    let mut case = Case { gains: (100.0, 40.0), above: vec![(1, 3), (2, 4)], ..case() };
    let text = case.reason();
    assert!(
        text.contains(
            "Part of its work indexes 1 and 2 above do already: 40 % of what it saves alone is left."
        ),
        "{text}"
    );
    case.gains = (40.0, 100.0);
    case.above.truncate(1);
    assert!(case.reason().contains("It pays most together with index 1 above."), "{}", case.reason());
    case.gains = (100.0, 95.0);
    assert!(!case.reason().contains("above"), "{}", case.reason());
}

#[test]
fn included_columns_need_vacuum() {
    let mut case = case();
    assert!(!case.reason().contains("vacuum"));
    case.definition.include = vec![3];
    assert!(case.reason().contains("as long as vacuum keeps up (97 % of its pages are all-visible now)"));
    case.relation.all_visible_fraction = 0.1;
    assert!(
        case.reason().contains("10 % of its pages are marked all-visible now, so VACUUM public.orders first")
    );
}

#[test]
fn lost_hot_updates_and_missing_statistics_are_told() {
    let mut case = case();
    assert!(!case.reason().contains("HOT") && !case.reason().contains("ANALYZE"));
    case.hot_loss = 0.4;
    case.definition.keys.push(key(KeyTarget::Expression(Expression {
        sql: "lower(o_comment)".to_string(),
        node: String::new(),
        columns: vec![9],
        type_oid: 25,
        type_length: -1,
        alignment: 4,
        average_width: 32.0,
    })));
    let text = case.reason();
    assert!(text.contains("40 % of the updates of public.orders would stop being HOT"), "{text}");
    assert!(text.contains("run ANALYZE public.orders after creating the index"), "{text}");
}

#[test]
fn only_an_index_without_another_purpose_is_called_redundant() {
    let mut case = case();
    case.relation.indexes = vec![existing(7, "orders_cust", index(&[2]))];
    let sentence =
        "Once it is there, index orders_cust (120 MB) gives nothing more: watch its scans, then drop it.";
    assert!(case.reason().contains(sentence), "{}", case.reason());
    for purpose in [
        |index: &mut ExistingIndex| index.unique = true,
        |index: &mut ExistingIndex| index.primary = true,
        |index: &mut ExistingIndex| index.constraint = true,
        |index: &mut ExistingIndex| index.valid = false,
        |index: &mut ExistingIndex| index.definition = Some(self::index(&[3])),
    ] {
        case.relation.indexes = vec![existing(7, "orders_cust", index(&[2]))];
        purpose(&mut case.relation.indexes[0]);
        assert!(!case.reason().contains("nothing more"), "{}", case.reason());
    }
}

#[test]
fn an_invalid_index_that_would_serve_is_pointed_out() {
    let mut case = case();
    case.relation.indexes =
        vec![ExistingIndex { valid: false, ..existing(7, "orders_ccnew", index(&[2, 5])) }];
    assert!(case.reason().contains("Index orders_ccnew would serve, but is invalid"), "{}", case.reason());
}
