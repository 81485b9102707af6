//! What must hold of every write cost, whatever the table.

use super::*;
use crate::candidate::definition::{
    AccessMethod, Collation, Expression, Key, KeyPart, KeyTarget, OperatorClass,
};
use crate::catalog::{ExistingIndex, RelationKind, WriteActivity};
use proptest::prelude::*;
use std::collections::BTreeMap;

const BLOCK: u32 = 8192;

fn relation(rows: f64, indexed: &[AttrNumber], hot_ratio: f64) -> Relation {
    let index = |number: &AttrNumber| ExistingIndex {
        oid: 100 + *number as u32,
        name: format!("t_c{number}"),
        definition: Some(definition(&[*number])),
        unique: false,
        primary: false,
        constraint: false,
        valid: true,
        size_bytes: (rows * 20.0) as u64 + u64::from(BLOCK),
        scans: 0,
    };
    Relation {
        oid: 1,
        schema: "public".into(),
        name: "t".into(),
        sql_name: "public.t".into(),
        kind: RelationKind::Table,
        tuples: rows,
        pages: (rows / 50.0).ceil(),
        all_visible_fraction: 1.0,
        leaves: 1,
        columns: BTreeMap::new(),
        indexes: indexed.iter().map(index).collect(),
        activity: WriteActivity {
            inserted: 0.0,
            updated: 1000.0,
            hot_updated: 1000.0 * hot_ratio,
            deleted: 0.0,
        },
        column_groups: Vec::new(),
        leaf_tuples: Vec::new(),
        expression_statistics: BTreeMap::new(),
    }
}

fn definition(keys: &[AttrNumber]) -> IndexDefinition {
    let key = |number: &AttrNumber| {
        Key::ascending(KeyPart {
            target: KeyTarget::Column(*number),
            operator_class: OperatorClass {
                oid: 1978,
                family: 1976,
                input_type: 23,
                sql_name: None,
                options: Default::default(),
            },
            collation: Collation { oid: 0, sql_name: None },
        })
    };
    IndexDefinition {
        relation: 1,
        access_method: AccessMethod::Btree,
        keys: keys.iter().map(key).collect(),
        include: Vec::new(),
        predicate: None,
        parameters: Default::default(),
    }
}

/// An index of about this many rows of 4 bytes.
fn size(rows: f64) -> SizeEstimate {
    let pages = (rows / 366.0).ceil() + 1.0;
    SizeEstimate {
        pages,
        tuples: rows,
        tree_height: Some((pages.ln() / 285f64.ln()).ceil() as u32),
        block_size: BLOCK,
    }
}

fn updates(rows: f64, columns: &[AttrNumber]) -> WriteRate {
    let statements = vec![UpdateRate { rows, columns: columns.iter().copied().collect() }];
    WriteRate { updates: rows, statements, ..WriteRate::default() }
}

fn cost(relation: &Relation, size: &SizeEstimate, rate: &WriteRate) -> WriteCost {
    write_cost(&definition(&[5]), size, relation, rate, &CostUnits::default())
}

#[test]
fn nothing_written_costs_nothing() {
    let relation = relation(1e6, &[1, 2], 0.9);
    assert_eq!(cost(&relation, &size(1e6), &WriteRate::default()), WriteCost::default());
}

#[test]
fn an_update_of_a_newly_indexed_column_stops_being_hot() {
    let relation = relation(1e6, &[1, 2], 0.9);
    let lost = cost(&relation, &size(1e6), &updates(1000.0, &[5]));
    assert!((lost.hot_loss - 0.9).abs() < 1e-9, "{lost:?}");
    // It pays for three indexes instead of none, so far more than an update of another column.
    let other = cost(&relation, &size(1e6), &updates(1000.0, &[6]));
    assert_eq!(other.hot_loss, 0.0);
    assert!(lost.per_day > 10.0 * other.per_day, "{lost:?} {other:?}");
}

#[test]
fn an_update_of_an_indexed_column_has_no_hot_to_lose() {
    let relation = relation(1e6, &[1, 2], 0.0);
    let found = cost(&relation, &size(1e6), &updates(1000.0, &[1, 5]));
    assert_eq!(found.hot_loss, 0.0);
    let inserted = WriteRate { inserts: 1000.0, ..WriteRate::default() };
    // A new entry as for an insertion, and a dead one.
    assert!(found.per_day > cost(&relation, &size(1e6), &inserted).per_day);
}

#[test]
fn the_hot_updates_belong_to_the_statements_that_can_be_hot() {
    // Half of the updates are HOT, half set an indexed column: the others are all HOT.
    let relation = relation(1e6, &[1], 0.5);
    let mut rate = updates(1000.0, &[5]);
    rate.statements.push(UpdateRate { rows: 1000.0, columns: BTreeSet::from([1]) });
    rate.updates = 2000.0;
    assert!((cost(&relation, &size(1e6), &rate).hot_loss - 0.5).abs() < 1e-9);
}

#[test]
fn included_expression_and_predicate_columns_count() {
    let expression = |columns: Vec<AttrNumber>| Expression {
        sql: "x".into(),
        node: String::new(),
        columns,
        type_oid: 23,
        type_length: 4,
        alignment: 4,
        average_width: 4.0,
    };
    let mut definition = definition(&[5]);
    definition.include = vec![6];
    definition.predicate = Some(expression(vec![7]));
    let mut key = definition.keys[0].clone();
    key.part.target = KeyTarget::Expression(expression(vec![8, 9]));
    definition.keys.push(key);
    assert_eq!(indexed_columns(&definition), BTreeSet::from([5, 6, 7, 8, 9]));
}

#[test]
fn random_entries_of_an_index_beyond_the_cache_read_pages() {
    let relation = relation(1e6, &[], 0.0);
    let rate = WriteRate { inserts: 1000.0, ..WriteRate::default() };
    let small = CostUnits { cache_bytes: 0.0, ..CostUnits::default() };
    let (cached, read) = (CostUnits::default(), small);
    let cost = |units: &CostUnits| write_cost(&definition(&[5]), &size(1e6), &relation, &rate, units).per_day;
    assert!((cost(&read) - cost(&cached) - 1000.0 * 4.0).abs() < 1e-6);
}

fn any_rate() -> impl Strategy<Value = WriteRate> {
    let columns = prop::collection::btree_set(1..8i16, 1..4);
    let statement = (0.0..1e6f64, columns).prop_map(|(rows, columns)| UpdateRate { rows, columns });
    (0.0..1e7f64, 0.0..1e6f64, 0.0..1e6f64, prop::collection::vec(statement, 0..4)).prop_map(
        |(inserts, unknown, deletes, statements)| {
            let updates = unknown + statements.iter().map(|statement| statement.rows).sum::<f64>();
            WriteRate { inserts, updates, deletes, statements }
        },
    )
}

proptest! {
    #[test]
    fn costs_are_positive_and_grow_with_what_is_written(
        rows in 1.0..1e8f64,
        hot_ratio in 0.0..=1.0f64,
        rate in any_rate(),
        factor in 1.0..10.0f64,
        more in 0.0..1e6f64,
    ) {
        let relation = relation(rows, &[1, 2], hot_ratio);
        let size = size(rows);
        let found = cost(&relation, &size, &rate);
        prop_assert!(found.per_day.is_finite() && found.per_day >= 0.0);
        prop_assert!((0.0..=1.0).contains(&found.hot_loss), "{found:?}");

        let mut all = rate.clone();
        (all.inserts, all.updates, all.deletes) =
            (rate.inserts * factor, rate.updates * factor, rate.deletes * factor);
        all.statements.iter_mut().for_each(|statement| statement.rows *= factor);
        for grown in [
            all,
            WriteRate { inserts: rate.inserts + more, ..rate.clone() },
            WriteRate { deletes: rate.deletes + more, ..rate.clone() },
            WriteRate { updates: rate.updates + more, ..rate.clone() },
        ] {
            let grown = cost(&relation, &size, &grown).per_day;
            prop_assert!(grown >= found.per_day * (1.0 - 1e-12), "{grown} after {}", found.per_day);
        }
    }

    #[test]
    fn costs_grow_with_the_index_and_shrink_with_its_predicate(
        rows in 1000.0..1e8f64,
        share in 0.01..0.9f64,
        rate in any_rate(),
        width in 1.0..20.0f64,
    ) {
        let relation = relation(rows, &[1, 2], 0.5);
        let whole = size(rows);
        let wide = SizeEstimate { pages: (whole.pages * width).ceil(), ..whole };
        let partial = size((rows * share).floor());
        let found = cost(&relation, &whole, &rate).per_day;
        prop_assert!(cost(&relation, &wide, &rate).per_day >= found * (1.0 - 1e-12));
        let smaller = cost(&relation, &partial, &rate).per_day;
        prop_assert!(smaller <= found, "{smaller} of {found}");
        if rate.inserts > 0.0 {
            prop_assert!(smaller < found);
        }
    }
}
