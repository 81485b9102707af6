//! What an index definition is good for: for a statement (relevance), and in place of another.

use super::*;

/// An index on orders with these keys.
fn index(keys: Vec<Key>) -> IndexDefinition {
    existing(ORDERS, keys, &[]).definition.unwrap()
}

#[test]
fn relevance_by_clause_order_and_coverage() {
    let mut by_date = usage(ORDERS, vec![range(4, 0.1)]);
    by_date.needed = Some(BTreeSet::from([2, 4]));
    by_date.orders = vec![order(&[(5, false, false)], true)];
    by_date.alternatives = vec![vec![vec![equality(3, 0.1)], vec![equality(1, 0.1)]]];
    let facts = facts(vec![by_date]);
    let yes = |keys: Vec<Key>| relevant(&index(keys), &facts);
    assert!(yes(vec![ascending(4)]), "a restriction");
    assert!(yes(vec![ascending(6), ascending(4)]), "a restriction on a later key");
    assert!(yes(vec![ascending(5)]), "the order");
    assert!(yes(vec![ascending(3)]), "an arm of the OR");
    assert!(!yes(vec![ascending(6), ascending(5)]), "an order that the first key breaks");
    assert!(!yes(vec![ascending(2)]), "a column that is only read");
    let mut covering = index(vec![ascending(2)]);
    covering.include = vec![4];
    assert!(relevant(&covering, &facts), "all that is read");
    let pattern = Key::ascending(part(KeyTarget::Column(4), 2095));
    assert!(!yes(vec![pattern]), "another operator family");
    assert!(!relevant(&IndexDefinition { relation: LINEITEM, ..index(vec![ascending(4)]) }, &facts));
}

#[test]
fn a_partial_index_is_relevant_only_where_its_predicate_is_known_to_hold() {
    let partial = |sql: &str| {
        let mut index = index(vec![ascending(4)]);
        index.predicate = Some(expression(sql, &[3]));
        index
    };
    let mut status = usage(ORDERS, vec![range(4, 0.1), equality(3, 0.1)]);
    let open = "(o_orderstatus = 'O'::text)";
    // A parameter that was bound by guess is no constant.
    assert!(!relevant(&partial(open), &facts(vec![status.clone()])));
    // Any comparison of the column implies that it is not null.
    assert!(relevant(&partial("(o_orderstatus IS NOT NULL)"), &facts(vec![status.clone()])));
    status.predicates = vec![PredicateClause::of(expression(open, &[3]), 0.1)];
    assert!(relevant(&partial(open), &facts(vec![status.clone()])));
    status.restrictions.pop();
    assert!(!relevant(&partial("(o_orderstatus IS NOT NULL)"), &facts(vec![status])));
}

#[test]
fn service_between_definitions() {
    let wide = index(vec![ascending(2), descending(4), ascending(1)]);
    assert!(index(vec![ascending(2), descending(4)]).is_served_by(&wide));
    assert!(index(vec![descending(2), ascending(4)]).is_served_by(&wide));
    assert!(!index(vec![ascending(2), ascending(4)]).is_served_by(&wide));
    // An alias of the operator class is the same index.
    let mut alias = wide.clone();
    alias.keys[0].part.operator_class.oid = 4711;
    alias.keys[0].part.operator_class.sql_name = Some("varchar_ops".into());
    assert!(index(vec![ascending(2)]).is_served_by(&alias));
    // A full index stands in for a partial one only if its keys find the same rows.
    let predicate = Some(expression("(o_orderstatus = 'O'::text)", &[3]));
    let queue = IndexDefinition { predicate: predicate.clone(), ..index(vec![ascending(4)]) };
    assert!(!queue.is_served_by(&index(vec![ascending(4)])));
    let by_status = IndexDefinition { predicate, ..index(vec![ascending(3), ascending(4)]) };
    assert!(by_status.is_served_by(&index(vec![ascending(3), ascending(4)])));
    assert!(!index(vec![ascending(4)]).is_served_by(&queue));
}
