//! Which of two equally good indexes is preferred.

use super::*;

/// Definitions from the most to the least preferred; `sizes` by definition.
fn in_order(definitions: &[(IndexDefinition, u64)], catalog: &Catalog) -> Vec<String> {
    let candidate = |(definition, _): &(IndexDefinition, u64)| Candidate {
        definition: definition.clone(),
        origins: Vec::new(),
    };
    let pool: Vec<Candidate> = definitions.iter().map(candidate).collect();
    let sizes: Vec<u64> = definitions.iter().map(|(_, size)| *size).collect();
    let places = preferences(&pool, &sizes, catalog);
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.sort_by_key(|candidate| places[*candidate]);
    order.into_iter().map(|candidate| ddl(&definitions[candidate].0, catalog)).collect()
}

fn on(relation: Oid, keys: &[AttrNumber]) -> IndexDefinition {
    existing(relation, keys.iter().map(|number| ascending(*number)).collect(), &[]).definition.unwrap()
}

#[test]
fn plainer_indexes_come_first() {
    let mut catalog = catalog();
    let orders = catalog.relations.get_mut(&ORDERS).unwrap();
    orders.indexes = vec![
        existing(ORDERS, vec![ascending(3)], &[]),
        ExistingIndex { unique: true, ..existing(ORDERS, vec![ascending(1)], &[]) },
    ];
    let with = |keys: &[AttrNumber], include: &[AttrNumber]| IndexDefinition {
        include: include.to_vec(),
        ..on(ORDERS, keys)
    };
    let partial = IndexDefinition {
        predicate: Some(expression("(o_orderstatus = 'P'::text)", &[3])),
        ..on(ORDERS, &[2])
    };
    // Each with the largest size that could still come behind the one after it.
    let definitions = [
        (on(USERS, &[3, 1]), 10),
        (with(&[2, 4], &[5]), 1),
        (on(ORDERS, &[4, 2]), 10),
        (on(ORDERS, &[1, 2]), 10),
        (on(LINEITEM, &[8, 2]), 10),
        (on(ORDERS, &[3, 2]), 90),
        (partial, 1),
        (with(&[2], &[4]), 1),
        (on(ORDERS, &[2]), 50),
        (on(ORDERS, &[4]), 40),
    ];
    let expected = [
        "orders (o_orderdate)",
        "orders (o_custkey)",
        "orders (o_custkey) WHERE (o_orderstatus = 'P'::text)",
        // Extends an existing index that is there for nothing else.
        "orders (o_orderstatus, o_custkey)",
        "lineitem (l_returnflag, l_partkey)",
        "orders (o_orderkey, o_custkey)",
        "orders (o_orderdate, o_custkey)",
        "users (deleted_at, id)",
        "orders (o_custkey) INCLUDE (o_orderdate)",
        "orders (o_custkey, o_orderdate) INCLUDE (o_totalprice)",
    ];
    let found = in_order(&definitions, &catalog);
    let found: Vec<&str> = found.iter().map(|sql| sql.trim_start_matches("public.")).collect();
    assert_eq!(found, expected);
    let mut backwards = definitions.to_vec();
    backwards.reverse();
    assert_eq!(in_order(&backwards, &catalog), in_order(&definitions, &catalog));
}
