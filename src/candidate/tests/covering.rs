//! How far covering goes: an index is not a copy of the table.

use super::*;

fn tables() -> Catalog {
    let columns: &[ColumnSketch] =
        &[("id", 8.0, -1.0), ("name", 20.0, -1.0), ("email", 25.0, -1.0), ("city", 10.0, 500.0)];
    let customers = relation(USERS, "customers", 1e6, 20_000.0, columns);
    let columns: &[ColumnSketch] = &[
        ("id", 8.0, -1.0),
        ("customer_id", 8.0, 100_000.0),
        ("created", 8.0, -1.0),
        ("status", 2.0, 5.0),
        ("total", 8.0, -0.5),
        ("note", 9.0, -0.9),
    ];
    let orders = relation(ORDERS, "orders", 1e6, 20_000.0, columns);
    let relations = [customers, orders].into_iter().map(|relation| (relation.oid, relation)).collect();
    Catalog { relations, storage: 8192.into() }
}

#[test]
fn a_lookup_by_expression_is_not_answered_from_a_copy_of_the_table() {
    // select * from customers where lower(email) = $1
    let lower = part(KeyTarget::Expression(expression("lower(email)", &[3])), 1994);
    let mut lookup = usage(USERS, vec![clause(lower, ClauseKind::Equality, 0.005)]);
    lookup.needed = Some(BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(ddl_of(vec![lookup], &tables()), ["customers ((lower(email)))"]);
}

#[test]
fn the_last_orders_of_a_customer_come_by_an_index_without_included_columns() {
    // select * from orders where customer_id = $1 order by created desc limit $2; and their count
    let mut last = usage(ORDERS, vec![equality(2, 1e-5)]);
    last.orders = vec![order(&[(3, true, true)], true)];
    last.needed = Some(BTreeSet::from([1, 2, 3, 4, 5, 6]));
    let mut count = usage(ORDERS, vec![equality(2, 1e-5)]);
    count.needed = Some(BTreeSet::from([2]));
    let candidates = ddl_of(vec![last, count], &tables());
    assert_has(&candidates, &["orders (customer_id, created)", "orders (customer_id)"]);
    assert!(candidates.iter().all(|ddl| !ddl.contains("INCLUDE")), "{candidates:#?}");
}

#[test]
fn a_few_columns_are_included_for_a_lookup_too() {
    let mut sum = usage(ORDERS, vec![equality(2, 1e-5)]);
    sum.needed = Some(BTreeSet::from([2, 5]));
    assert_has(&ddl_of(vec![sum], &tables()), &["orders (customer_id) INCLUDE (total)"]);
}

#[test]
fn much_is_included_only_where_much_is_read() {
    let report = |rows: f64| {
        let mut report = usage(ORDERS, vec![range(3, rows / 1e6)]);
        report.rows = rows;
        report.needed = Some(BTreeSet::from([1, 3, 5, 6]));
        ddl_of(vec![report], &tables())
    };
    assert_has(&report(300_000.0), &["orders (created) INCLUDE (id, total, note)", "orders (created)"]);
    assert_eq!(report(1_000.0), ["orders (created)"]);
}

#[test]
fn places_of_one_statement_that_look_alike_share_an_index() {
    // select (select avg(total) from orders where created > $1), (select avg(note) from orders where created > $1), count(id) ...
    let place = |needed: &[AttrNumber]| {
        let mut place = usage(ORDERS, vec![range(3, 0.3)]);
        place.rows = 300_000.0;
        place.needed = Some(needed.iter().copied().collect());
        place
    };
    let asked = ddl_of(vec![place(&[3, 5]), place(&[3, 4]), place(&[3])], &tables());
    assert_has(
        &asked,
        &[
            "orders (created) INCLUDE (total)",
            "orders (created) INCLUDE (status)",
            "orders (created) INCLUDE (status, total)",
        ],
    );
    // Not at the price of a copy of the table.
    let asked = ddl_of(vec![place(&[3, 1, 5]), place(&[3, 2, 6])], &tables());
    assert_has(
        &asked,
        &["orders (created) INCLUDE (id, total)", "orders (created) INCLUDE (customer_id, note)"],
    );
    assert!(
        !asked.contains(&"orders (created) INCLUDE (id, customer_id, total, note)".to_string()),
        "{asked:#?}"
    );
}

#[test]
fn a_joined_table_is_not_copied_for_its_join() {
    let mut joined = usage(ORDERS, Vec::new());
    joined.rows = joined.tuples;
    joined.joins = vec![join(2, USERS, 1)];
    joined.needed = Some(BTreeSet::from([1, 2, 3, 5, 6]));
    assert_eq!(ddl_of(vec![joined], &tables()), ["orders (customer_id)"]);
}

#[test]
fn included_columns_that_are_compared_stand_as_keys() {
    // select count(*) from orders join customers on customer_id = ... where status = $1 [and created > $2]
    let mut joined = usage(ORDERS, vec![equality(4, 0.01)]);
    joined.joins = vec![join(2, USERS, 1)];
    joined.needed = Some(BTreeSet::from([2, 4]));
    let mut lately = usage(ORDERS, vec![equality(4, 0.01), range(3, 0.1)]);
    lately.joins = vec![join(2, USERS, 1)];
    lately.needed = Some(BTreeSet::from([2, 3, 4]));
    let asked = ddl_of(vec![joined, lately], &tables());
    // Rows come in the order of one key alone more than in that of several, so that one stays beside.
    assert_has(&asked, &["orders (status, customer_id)", "orders (status) INCLUDE (customer_id)"]);
    assert_has(&asked, &["orders (status, created, customer_id)"]);
    assert!(!asked.contains(&"orders (status, created) INCLUDE (customer_id)".to_string()), "{asked:#?}");
}

#[test]
fn included_columns_are_no_keys_where_these_would_be_too_many() {
    let mut lookup = usage(ORDERS, vec![equality(4, 0.01), equality(6, 0.1), range(3, 0.1)]);
    lookup.joins = vec![join(2, USERS, 1), join(1, USERS, 2)];
    lookup.needed = Some(BTreeSet::from([1, 2, 3, 4, 6]));
    let asked = ddl_of(vec![lookup], &tables());
    assert!(asked.iter().any(|ddl| ddl.contains("INCLUDE (id, customer_id)")), "{asked:#?}");
    assert!(
        asked.iter().all(|ddl| ddl.split(" INCLUDE").next().unwrap().matches(',').count() < 4),
        "{asked:#?}"
    );
}

#[test]
fn every_covering_index_has_its_form_without_included_columns() {
    let mut grouped = usage(ORDERS, Vec::new());
    grouped.rows = grouped.tuples;
    grouped.orders = vec![order(&[(4, false, false)], false)];
    grouped.needed = Some(BTreeSet::from([4, 5]));
    let mut lookup = usage(ORDERS, vec![equality(4, 0.1), equality(2, 1e-5)]);
    lookup.needed = Some(BTreeSet::from([2, 4, 1]));
    let workload: Vec<(usize, f64, StatementFacts)> =
        [grouped, lookup].into_iter().enumerate().map(|(id, usage)| (id, 1.0, facts(vec![usage]))).collect();
    let pool = pool(&workload, &tables(), &Options::default());
    let covering: Vec<&Candidate> =
        pool.iter().filter(|candidate| !candidate.definition.include.is_empty()).collect();
    assert!(covering.len() >= 3);
    for candidate in covering {
        let bare = IndexDefinition { include: Vec::new(), ..candidate.definition.clone() };
        let at = pool.iter().position(|other| other.definition == bare).expect("its bare form");
        let own = pool.iter().position(|other| other == candidate).unwrap();
        assert!(relatives(&pool)[own].contains(&at));
    }
}
