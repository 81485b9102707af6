//! Candidates for statements as users write them, from facts as the planner gives them.

mod covering;
mod definitions;
mod predicates;
mod preference;
mod service;

use super::definition::*;
use super::facts::*;
use super::*;
use crate::catalog::*;
use std::collections::BTreeSet;

const ORDERS: Oid = 1;
const LINEITEM: Oid = 2;
const USERS: Oid = 3;
const COUNTRIES: Oid = 4;

/// (name, average width, distinct values as in pg_statistic)
type ColumnSketch = (&'static str, f64, f64);

fn relation(oid: Oid, name: &str, tuples: f64, pages: f64, columns: &[ColumnSketch]) -> Relation {
    let column = |(at, (name, width, distinct)): (usize, &ColumnSketch)| {
        let statistics = ColumnStatistics {
            null_fraction: 0.0,
            average_width: *width,
            distinct: *distinct,
            common_frequencies: Vec::new(),
            correlation: 0.0,
            lengths: Vec::new(),
        };
        let number = at as AttrNumber + 1;
        let column = Column {
            number,
            name: name.to_string(),
            sql_name: name.to_string(),
            type_oid: 23,
            type_length: if *width <= 8.0 { *width as i16 } else { -1 },
            alignment: 4,
            type_modifier: -1,
            statistics: Some(statistics),
        };
        (number, column)
    };
    Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        sql_name: name.into(),
        kind: RelationKind::Table,
        tuples,
        pages,
        all_visible_fraction: 0.9,
        leaves: 1,
        columns: columns.iter().enumerate().map(column).collect(),
        indexes: Vec::new(),
        activity: WriteActivity::default(),
        column_groups: Vec::new(),
        leaf_tuples: Vec::new(),
        expression_statistics: Default::default(),
    }
}

fn catalog() -> Catalog {
    let orders = relation(
        ORDERS,
        "orders",
        1_500_000.0,
        26_000.0,
        &[
            ("o_orderkey", 8.0, -1.0),
            ("o_custkey", 8.0, 100_000.0),
            ("o_orderstatus", 2.0, 3.0),
            ("o_orderdate", 4.0, 2_400.0),
            ("o_totalprice", 8.0, -0.9),
            ("o_comment", 300.0, -1.0),
            ("o_document", 900.0, -1.0),
        ],
    );
    let lineitem = relation(
        LINEITEM,
        "lineitem",
        6_000_000.0,
        110_000.0,
        &[
            ("l_orderkey", 8.0, -0.25),
            ("l_partkey", 8.0, 200_000.0),
            ("l_suppkey", 8.0, 10_000.0),
            ("l_shipdate", 4.0, 2_500.0),
            ("l_discount", 8.0, 11.0),
            ("l_quantity", 8.0, 50.0),
            ("l_extendedprice", 8.0, -0.1),
            ("l_returnflag", 2.0, 3.0),
        ],
    );
    let users = relation(
        USERS,
        "users",
        1_000_000.0,
        20_000.0,
        &[("id", 8.0, -1.0), ("email", 25.0, -1.0), ("deleted_at", 8.0, -0.01), ("created_at", 8.0, -1.0)],
    );
    let countries = relation(COUNTRIES, "countries", 60.0, 1.0, &[("code", 2.0, -1.0)]);
    let relations = [orders, lineitem, users, countries].into_iter().map(|r| (r.oid, r)).collect();
    Catalog { relations, storage: 8192.into() }
}

fn part(target: KeyTarget, family: Oid) -> KeyPart {
    let sql_name = (family == 2095).then(|| "text_pattern_ops".to_string());
    KeyPart {
        target,
        operator_class: OperatorClass {
            oid: family + 10_000,
            family,
            input_type: 23,
            sql_name,
            options: Default::default(),
        },
        collation: Collation { oid: 0, sql_name: None },
    }
}

fn key(number: AttrNumber) -> KeyPart {
    part(KeyTarget::Column(number), 1976)
}

fn expression(sql: &str, columns: &[AttrNumber]) -> Expression {
    Expression {
        sql: sql.into(),
        node: format!("{{{sql}}}"),
        columns: columns.to_vec(),
        type_oid: 25,
        type_length: -1,
        alignment: 4,
        average_width: 25.0,
    }
}

fn clause(key: KeyPart, kind: ClauseKind, selectivity: f64) -> Clause {
    Clause { key, kind, selectivity, sql: "as written".into() }
}

fn equality(number: AttrNumber, selectivity: f64) -> Clause {
    clause(key(number), ClauseKind::Equality, selectivity)
}

fn range(number: AttrNumber, selectivity: f64) -> Clause {
    clause(key(number), ClauseKind::Range, selectivity)
}

fn join(number: AttrNumber, other: Oid, class: u32) -> JoinClause {
    JoinClause { key: key(number), other, class, sql: "as written".into() }
}

fn order(keys: &[(AttrNumber, bool, bool)], limited: bool) -> Order {
    let keys = keys.iter().map(|&(number, descending, nulls_first)| OrderKey {
        part: key(number),
        descending,
        nulls_first,
    });
    Order { purpose: OrderPurpose::Sort, keys: keys.collect(), complete: true, limited }
}

fn usage(relation: Oid, restrictions: Vec<Clause>) -> RelationUse {
    RelationUse {
        relation,
        tuples: 1e6,
        rows: 100.0,
        restrictions,
        alternatives: Vec::new(),
        joins: Vec::new(),
        orders: Vec::new(),
        compared: BTreeSet::new(),
        needed: None,
        predicates: Vec::new(),
    }
}

fn facts(relations: Vec<RelationUse>) -> StatementFacts {
    StatementFacts { relations, write: None }
}

/// The DDL of the pool of statements of equal weight, without `CREATE INDEX ON`.
fn ddl_of(statements: Vec<RelationUse>, catalog: &Catalog) -> Vec<String> {
    let workload: Vec<(usize, f64, StatementFacts)> =
        statements.into_iter().enumerate().map(|(id, usage)| (id, 1.0, facts(vec![usage]))).collect();
    let pool = pool(&workload, catalog, &Options::default());
    pool.iter().map(|candidate| ddl(&candidate.definition, catalog)).collect()
}

fn ddl(definition: &IndexDefinition, catalog: &Catalog) -> String {
    let sql = definition.create_statement(&catalog.relations[&definition.relation], false);
    sql.trim_start_matches("CREATE INDEX ON ").to_string()
}

/// An existing index as `CREATE INDEX` would describe it.
fn existing(relation: Oid, keys: Vec<Key>, include: &[AttrNumber]) -> ExistingIndex {
    let definition = IndexDefinition {
        relation,
        access_method: AccessMethod::Btree,
        keys,
        include: include.to_vec(),
        predicate: None,
        parameters: Default::default(),
    };
    ExistingIndex {
        oid: 900,
        name: "existing".into(),
        definition: Some(definition),
        unique: false,
        primary: false,
        constraint: false,
        valid: true,
        size_bytes: 1 << 20,
        scans: 0,
    }
}

fn ascending(number: AttrNumber) -> Key {
    Key::ascending(key(number))
}

fn descending(number: AttrNumber) -> Key {
    Key::ascending(key(number)).reversed()
}

#[track_caller]
fn assert_has(candidates: &[String], expected: &[&str]) {
    for ddl in expected {
        assert!(candidates.iter().any(|candidate| candidate == ddl), "no {ddl} in {candidates:#?}");
    }
}

#[test]
fn a_lookup_asks_for_its_column_and_nothing_else() {
    assert_eq!(ddl_of(vec![usage(ORDERS, vec![equality(2, 1e-5)])], &catalog()), ["orders (o_custkey)"]);
}

#[test]
fn equality_comes_before_range_and_every_range_gets_its_turn() {
    // TPC-H Q6 with an equality: ranges on shipdate, discount and quantity.
    let q6 = usage(LINEITEM, vec![range(4, 0.15), range(5, 0.27), range(6, 0.46), equality(8, 0.3)]);
    let candidates = ddl_of(vec![q6], &catalog());
    assert_has(
        &candidates,
        &[
            "lineitem (l_returnflag, l_shipdate)",
            "lineitem (l_returnflag, l_discount)",
            "lineitem (l_returnflag, l_shipdate, l_discount, l_quantity)",
            "lineitem (l_returnflag)",
            "lineitem (l_shipdate)",
        ],
    );
    let range_first = |ddl: &&String| ddl.contains("l_shipdate, l_returnflag");
    assert_eq!(candidates.iter().find(range_first), None);
}

#[test]
fn tpch_q6_can_be_answered_from_the_index_alone() {
    let mut q6 = usage(LINEITEM, vec![range(4, 0.15), range(5, 0.27), range(6, 0.46)]);
    q6.needed = Some(BTreeSet::from([4, 5, 6, 7]));
    assert_has(
        &ddl_of(vec![q6], &catalog()),
        &[
            "lineitem (l_shipdate, l_discount, l_quantity) INCLUDE (l_extendedprice)",
            "lineitem (l_shipdate) INCLUDE (l_discount, l_quantity, l_extendedprice)",
        ],
    );
}

#[test]
fn wide_columns_are_neither_keys_nor_included() {
    let mut wide = usage(ORDERS, vec![equality(2, 1e-5), equality(7, 1e-5)]);
    wide.needed = Some(BTreeSet::from([2, 6]));
    assert_eq!(ddl_of(vec![wide], &catalog()), ["orders (o_custkey)"]);
}

#[test]
fn nothing_is_included_when_no_page_is_all_visible() {
    let mut catalog = catalog();
    let mut narrow = usage(ORDERS, vec![equality(2, 1e-5)]);
    narrow.needed = Some(BTreeSet::from([2, 4]));
    assert_has(&ddl_of(vec![narrow.clone()], &catalog), &["orders (o_custkey) INCLUDE (o_orderdate)"]);
    catalog.relations.get_mut(&ORDERS).unwrap().all_visible_fraction = 0.0;
    assert_eq!(ddl_of(vec![narrow], &catalog), ["orders (o_custkey)"]);
}

#[test]
fn order_by_limit_with_directions_and_nulls() {
    let newest = |keys: &[(AttrNumber, bool, bool)]| {
        let mut usage = usage(ORDERS, vec![equality(2, 1e-5)]);
        usage.orders = vec![order(keys, true)];
        ddl_of(vec![usage], &catalog())
    };
    // ORDER BY o_orderdate DESC is the plain index read backwards.
    assert_has(&newest(&[(4, true, true)]), &["orders (o_custkey, o_orderdate)", "orders (o_orderdate)"]);
    // DESC NULLS LAST is not; its reverse is ASC NULLS FIRST.
    assert_has(&newest(&[(4, true, false)]), &["orders (o_custkey, o_orderdate NULLS FIRST)"]);
    // Mixed directions need an index of their own.
    let mixed = newest(&[(4, true, true), (1, false, false)]);
    assert_has(&mixed, &["orders (o_custkey, o_orderdate, o_orderkey DESC)"]);
}

#[test]
fn an_in_list_does_not_stand_before_the_order_it_would_break() {
    let mut listed = usage(ORDERS, vec![equality(2, 1e-5), clause(key(3), ClauseKind::AnyOf, 0.4)]);
    listed.orders = vec![order(&[(4, true, true)], true)];
    let candidates = ddl_of(vec![listed], &catalog());
    assert_has(
        &candidates,
        &["orders (o_custkey, o_orderdate, o_orderstatus)", "orders (o_custkey, o_orderstatus)"],
    );
    assert!(candidates.iter().all(|ddl| !ddl.contains("o_orderstatus, o_orderdate")), "{candidates:#?}");
}

#[test]
fn tpch_q3_join_columns_alone_and_with_restrictions() {
    let mut orders = usage(ORDERS, vec![range(4, 0.48)]);
    orders.joins = vec![join(2, 77, 1), join(1, LINEITEM, 2)];
    let mut lineitem = usage(LINEITEM, vec![range(4, 0.54)]);
    lineitem.joins = vec![join(1, ORDERS, 2)];
    let workload = [(0, 1.0, facts(vec![orders, lineitem]))];
    let pool = pool(&workload, &catalog(), &Options::default());
    let all: Vec<String> = pool.iter().map(|candidate| ddl(&candidate.definition, &catalog())).collect();
    assert_has(
        &all,
        &[
            "orders (o_custkey)",
            "orders (o_custkey, o_orderdate)",
            "orders (o_orderkey)",
            "orders (o_orderdate)",
            "lineitem (l_orderkey)",
            "lineitem (l_orderkey, l_shipdate)",
        ],
    );
    let words = |sql: &str| {
        let at = all.iter().position(|ddl| ddl == sql).unwrap();
        pool[at].origins[0].asked_by.clone()
    };
    assert_eq!(words("orders (o_custkey, o_orderdate)"), "join on o_custkey, then range on o_orderdate");
}

#[test]
fn a_composite_key_is_joined_as_a_whole_and_in_parts() {
    let mut lineitem = usage(LINEITEM, vec![]);
    lineitem.joins = vec![join(2, 88, 1), join(3, 88, 2)];
    let candidates = ddl_of(vec![lineitem], &catalog());
    assert_has(
        &candidates,
        &["lineitem (l_partkey, l_suppkey)", "lineitem (l_partkey)", "lineitem (l_suppkey)"],
    );
}

#[test]
fn each_side_of_an_or_has_an_index() {
    let mut either = usage(USERS, vec![]);
    either.alternatives = vec![vec![vec![equality(1, 1e-6)], vec![equality(2, 1e-6), range(4, 0.1)]]];
    assert_has(
        &ddl_of(vec![either], &catalog()),
        &["users (id)", "users (email)", "users (email, created_at)"],
    );
}

#[test]
fn soft_deletion_gives_partial_indexes_without_the_constant_column() {
    let mut live = usage(USERS, vec![equality(2, 1e-6), clause(key(3), ClauseKind::IsNull, 0.9)]);
    live.predicates = vec![PredicateClause::of(expression("(deleted_at IS NULL)", &[3]), 0.9)];
    let candidates = ddl_of(vec![live.clone()], &catalog());
    assert_has(
        &candidates,
        &["users (email) WHERE (deleted_at IS NULL)", "users (email, deleted_at)", "users (email)"],
    );
    assert!(candidates.iter().all(|ddl| !ddl.contains("deleted_at) WHERE")), "{candidates:#?}");

    // An unselective constant that is no NULL test is not worth a predicate.
    live.predicates[0] = PredicateClause::of(expression("(active = true)", &[3]), 0.9);
    assert!(ddl_of(vec![live], &catalog()).iter().all(|ddl| !ddl.contains("WHERE")));
}

#[test]
fn a_queue_reads_its_few_open_rows_in_order() {
    let mut open = usage(ORDERS, vec![equality(3, 0.01)]);
    open.orders = vec![order(&[(4, false, false)], true)];
    open.predicates = vec![PredicateClause::of(expression("(o_orderstatus = 'P'::text)", &[3]), 0.01)];
    assert_has(
        &ddl_of(vec![open], &catalog()),
        &["orders (o_orderdate) WHERE (o_orderstatus = 'P'::text)", "orders (o_orderstatus, o_orderdate)"],
    );
}

#[test]
fn a_predicate_that_no_btree_can_search_still_makes_a_partial_index() {
    let mut catalog = catalog();
    let primary = ExistingIndex { primary: true, unique: true, ..existing(ORDERS, vec![ascending(1)], &[]) };
    catalog.relations.get_mut(&ORDERS).unwrap().indexes = vec![primary];
    let mut unfinished = usage(ORDERS, vec![]);
    let predicate = expression("(o_orderstatus <> 'F'::text)", &[3]);
    unfinished.predicates = vec![PredicateClause::of(predicate, 0.03)];
    let expected = "orders (o_orderkey) WHERE (o_orderstatus <> 'F'::text)";
    assert_eq!(ddl_of(vec![unfinished.clone()], &catalog), [expected]);
    let workload = [(0, 1.0, facts(vec![unfinished.clone()]))];
    let candidates = pool(&workload, &catalog, &Options::default());
    assert!(relevant(&candidates[0].definition, &workload[0].2));
    unfinished.predicates.clear();
    assert!(!relevant(&candidates[0].definition, &facts(vec![unfinished])));
}

#[test]
fn an_expression_and_a_pattern_are_indexed_as_such() {
    let lower = part(KeyTarget::Expression(expression("lower(email)", &[2])), 1994);
    let by_lower = usage(USERS, vec![clause(lower, ClauseKind::Equality, 1e-6)]);
    assert_eq!(ddl_of(vec![by_lower], &catalog()), ["users ((lower(email)))"]);
    let pattern = part(KeyTarget::Column(2), 2095);
    let like = usage(USERS, vec![clause(pattern, ClauseKind::Prefix, 1e-3)]);
    assert_eq!(ddl_of(vec![like], &catalog()), ["users (email text_pattern_ops)"]);
}

#[test]
fn statements_share_one_order_of_equality_columns() {
    let lookup = |numbers: &[AttrNumber]| {
        usage(LINEITEM, numbers.iter().map(|number| equality(*number, 0.01)).collect())
    };
    // l_suppkey is asked for by all three, so it leads, although l_partkey has more distinct values.
    let candidates = ddl_of(vec![lookup(&[2, 3]), lookup(&[3]), lookup(&[3, 6])], &catalog());
    assert_has(
        &candidates,
        &["lineitem (l_suppkey)", "lineitem (l_suppkey, l_partkey)", "lineitem (l_suppkey, l_quantity)"],
    );
    assert!(candidates.iter().all(|ddl| !ddl.contains("l_partkey, l_suppkey")), "{candidates:#?}");
    // Alone, the more selective leads.
    assert_has(&ddl_of(vec![lookup(&[3, 2])], &catalog()), &["lineitem (l_partkey, l_suppkey)"]);
}

#[test]
fn keys_that_another_statement_asks_for_in_part_are_turned_to_begin_with_it() {
    let mut priced = usage(LINEITEM, vec![]);
    priced.joins = vec![join(2, 88, 1), join(3, 88, 2)];
    let mut supplied = usage(LINEITEM, vec![]);
    supplied.joins = vec![join(3, 99, 1)];
    let mut bought = usage(LINEITEM, vec![]);
    bought.joins = vec![join(2, 77, 1)];
    // One that asks for all of it needs no second order ...
    let alone = ddl_of(vec![priced.clone()], &catalog());
    assert!(!alone.iter().any(|ddl| ddl.contains("(l_suppkey, l_partkey)")), "{alone:#?}");
    // ... where l_suppkey leads, whoever asks for l_partkey finds it too.
    let both = ddl_of(vec![priced, supplied.clone(), supplied, bought], &catalog());
    assert_has(&both, &["lineitem (l_suppkey, l_partkey)", "lineitem (l_partkey, l_suppkey)"]);
}

#[test]
fn two_statements_wants_are_merged_into_one_index() {
    let mut dated = usage(ORDERS, vec![equality(2, 1e-5), range(4, 0.1)]);
    dated.needed = Some(BTreeSet::from([2, 4, 5]));
    let mut by_key = usage(ORDERS, vec![equality(2, 1e-5)]);
    by_key.needed = Some(BTreeSet::from([2, 3]));
    assert_has(
        &ddl_of(vec![dated, by_key], &catalog()),
        &["orders (o_custkey, o_orderdate) INCLUDE (o_orderstatus, o_totalprice)"],
    );
}

#[test]
fn what_exists_is_not_proposed_in_any_equivalent_form() {
    let mut newest = usage(ORDERS, vec![equality(2, 1e-5), equality(3, 0.3)]);
    newest.orders = vec![order(&[(4, true, true)], false)];
    let ddl_with = |index: ExistingIndex| {
        let mut catalog = catalog();
        catalog.relations.get_mut(&ORDERS).unwrap().indexes = vec![index];
        ddl_of(vec![newest.clone()], &catalog)
    };
    let full = "orders (o_custkey, o_orderstatus, o_orderdate)";
    // Reversed, with more keys or included columns, with the equality columns the other way round.
    for keys in [
        vec![ascending(2), ascending(3), ascending(4)],
        vec![descending(2), descending(3), descending(4)],
        vec![ascending(3), descending(2), ascending(4), ascending(1)],
        vec![ascending(3), descending(2), descending(4)],
    ] {
        let candidates = ddl_with(existing(ORDERS, keys.clone(), &[5]));
        let again = candidates.iter().find(|ddl| ddl.contains("o_orderdate"));
        assert_eq!(again, None, "beside {keys:?}");
    }
    // A shorter one is no substitute, nor one that is not valid.
    assert_has(&ddl_with(existing(ORDERS, vec![ascending(2), ascending(3)], &[])), &[full]);
    let keys = vec![ascending(2), ascending(3), ascending(4)];
    assert_has(&ddl_with(ExistingIndex { valid: false, ..existing(ORDERS, keys, &[]) }), &[full]);
}

#[test]
fn a_unique_index_on_the_looked_up_columns_leaves_nothing_to_narrow() {
    let mut catalog = catalog();
    let unique = ExistingIndex { unique: true, ..existing(ORDERS, vec![ascending(1)], &[]) };
    catalog.relations.get_mut(&ORDERS).unwrap().indexes = vec![unique];
    let by_key = usage(ORDERS, vec![equality(1, 1e-6), equality(3, 0.3)]);
    let candidates = ddl_of(vec![by_key.clone()], &catalog);
    assert!(candidates.is_empty(), "{candidates:#?}");
    // Nor is there anything to cover: it would copy the table to spare one page.
    let mut narrow = by_key.clone();
    narrow.needed = Some(BTreeSet::from([1, 3, 4]));
    let candidates = ddl_of(vec![narrow], &catalog);
    assert!(candidates.is_empty(), "{candidates:#?}");
    // A list of keys is many rows, and so is a join; a covering index spares the table then.
    let mut listed = by_key.clone();
    listed.restrictions[0].kind = ClauseKind::AnyOf;
    assert_has(&ddl_of(vec![listed], &catalog), &["orders (o_orderkey, o_orderstatus)"]);
    let mut joined = usage(ORDERS, vec![equality(3, 0.3)]);
    joined.joins = vec![join(1, LINEITEM, 1)];
    joined.needed = Some(BTreeSet::from([1, 3, 4]));
    assert_has(
        &ddl_of(vec![joined], &catalog),
        &["orders (o_orderkey, o_orderstatus) INCLUDE (o_orderdate)"],
    );
}

#[test]
fn tables_of_one_page_get_no_index() {
    assert!(ddl_of(vec![usage(COUNTRIES, vec![equality(1, 0.02)])], &catalog()).is_empty());
}

#[test]
fn aggregates_over_narrow_columns_read_an_index_instead() {
    let mut grouped = usage(ORDERS, vec![]);
    grouped.needed = Some(BTreeSet::from([3, 4]));
    grouped.orders = vec![Order { purpose: OrderPurpose::Group, ..order(&[(3, false, false)], false) }];
    let mut distinct = grouped.clone();
    distinct.needed = Some(BTreeSet::from([3]));
    assert_eq!(ddl_of(vec![distinct], &catalog()), ["orders (o_orderstatus)"]);
    assert_eq!(
        ddl_of(vec![grouped], &catalog()),
        ["orders (o_orderstatus)", "orders (o_orderstatus) INCLUDE (o_orderdate)"]
    );
}

#[test]
fn generation_does_not_depend_on_the_order_of_clauses() {
    let clauses = vec![equality(2, 0.1), equality(3, 0.1), range(4, 0.1), range(5, 0.1)];
    let mut turned = clauses.clone();
    turned.reverse();
    assert_eq!(
        ddl_of(vec![usage(ORDERS, clauses)], &catalog()),
        ddl_of(vec![usage(ORDERS, turned)], &catalog())
    );
}

#[test]
fn the_cap_keeps_what_each_statement_asks_for_first() {
    let workload: Vec<(usize, f64, StatementFacts)> = (2..=6)
        .map(|number| {
            let clauses = vec![equality(number, 0.01), range(if number == 6 { 2 } else { number + 1 }, 0.1)];
            (number as usize, 1.0, facts(vec![usage(LINEITEM, clauses)]))
        })
        .collect();
    let options = Options { max_candidates: 5, ..Options::default() };
    let kept = pool(&workload, &catalog(), &options);
    assert_eq!(kept.len(), 5);
    let asking: BTreeSet<usize> = kept.iter().flat_map(|c| c.origins.iter().map(|o| o.statement)).collect();
    assert_eq!(asking, BTreeSet::from([2, 3, 4, 5, 6]));
    assert!(kept.iter().all(|candidate| candidate.definition.keys.len() == 1));
}

#[test]
fn relatives_are_prefixes_and_wider_forms_of_the_same_table() {
    let shapes: Vec<RelationUse> = vec![
        usage(ORDERS, vec![equality(2, 1e-5), range(4, 0.1)]),
        usage(LINEITEM, vec![equality(2, 1e-5)]),
        usage(ORDERS, vec![equality(5, 1e-5)]),
    ];
    let workload: Vec<_> = shapes.into_iter().enumerate().map(|(id, u)| (id, 1.0, facts(vec![u]))).collect();
    let catalog = catalog();
    let pool = pool(&workload, &catalog, &Options::default());
    let relatives = relatives(&pool);
    let names: Vec<String> = pool.iter().map(|candidate| ddl(&candidate.definition, &catalog)).collect();
    let of = |name: &str| -> Vec<&str> {
        let at = names.iter().position(|other| other == name).unwrap();
        relatives[at].iter().map(|relative| names[*relative].as_str()).collect()
    };
    assert_eq!(of("orders (o_custkey)"), ["orders (o_custkey, o_orderdate)"]);
    assert_eq!(of("orders (o_custkey, o_orderdate)"), ["orders (o_custkey)"]);
    assert!(of("lineitem (l_partkey)").is_empty() && of("orders (o_totalprice)").is_empty());
}
