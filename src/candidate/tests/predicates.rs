//! Partial indexes on what a row says of itself: columns compared with each other, and several restrictions together.

use super::*;

const SHIPPED_LATE: &str = "(l_discount < l_quantity)";

/// A look-up by order number of the lines for which a comparison of columns 5 and 6 holds, which nothing else reads.
fn late_lines(selectivity: f64) -> RelationUse {
    let mut late = usage(LINEITEM, vec![]);
    late.joins = vec![join(1, ORDERS, 0)];
    late.needed = Some(BTreeSet::from([1, 5, 6]));
    let spared = BTreeSet::from([5, 6]);
    late.predicates = vec![PredicateClause {
        spared,
        ..PredicateClause::of(expression(SHIPPED_LATE, &[5, 6]), selectivity)
    }];
    late
}

#[test]
fn columns_that_only_the_predicate_needs_are_not_stored() {
    let candidates = ddl_of(vec![late_lines(0.63)], &catalog());
    let partial: Vec<&String> = candidates.iter().filter(|ddl| ddl.contains("WHERE")).collect();
    assert_eq!(partial, ["lineitem (l_orderkey) WHERE (l_discount < l_quantity)"], "{candidates:#?}");
    assert_has(&candidates, &["lineitem (l_orderkey) INCLUDE (l_discount, l_quantity)"]);
}

#[test]
fn columns_needed_elsewhere_are_included() {
    let mut late = late_lines(0.63);
    late.predicates[0].spared = BTreeSet::from([5]);
    let expected = "lineitem (l_orderkey) INCLUDE (l_quantity) WHERE (l_discount < l_quantity)";
    assert_has(&ddl_of(vec![late], &catalog()), &[expected]);
}

#[test]
fn a_comparison_that_nearly_all_rows_pass_is_no_predicate() {
    assert!(ddl_of(vec![late_lines(0.8)], &catalog()).iter().all(|ddl| !ddl.contains("WHERE")));
}

#[test]
fn together_only_where_clearly_fewer_rows_are_left() {
    let both = "((l_discount < l_quantity) AND (l_shipdate IS NOT NULL))";
    for (share, wanted) in [(0.3, true), (0.6, false)] {
        let mut late = late_lines(0.63);
        late.predicates.push(PredicateClause::of(expression(both, &[4, 5, 6]), share));
        let candidates = ddl_of(vec![late], &catalog());
        assert_eq!(candidates.iter().any(|ddl| ddl.contains(both)), wanted, "{candidates:#?}");
        assert!(candidates.iter().any(|ddl| ddl.ends_with(&format!("WHERE {SHIPPED_LATE}"))));
    }
}

#[test]
fn several_restrictions_together_are_no_null_test() {
    let both = expression("((l_discount < l_quantity) AND (l_shipdate IS NOT NULL))", &[4, 5, 6]);
    let mut dated = usage(LINEITEM, vec![range(4, 0.1)]);
    let definition = IndexDefinition {
        relation: LINEITEM,
        access_method: AccessMethod::Btree,
        keys: vec![ascending(4)],
        include: vec![],
        predicate: Some(both.clone()),
        parameters: Default::default(),
    };
    assert!(!relevant(&definition, &facts(vec![dated.clone()])));
    dated.predicates = vec![PredicateClause::of(both, 0.3)];
    assert!(relevant(&definition, &facts(vec![dated])));
}
