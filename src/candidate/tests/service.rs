//! What does the same for a statement, and what only seems to.

use super::*;

fn index(keys: &[AttrNumber], include: &[AttrNumber]) -> IndexDefinition {
    IndexDefinition {
        relation: ORDERS,
        access_method: AccessMethod::Btree,
        keys: keys.iter().map(|number| ascending(*number)).collect(),
        include: include.to_vec(),
        predicate: None,
        parameters: Default::default(),
    }
}

/// Tests column 2, joins by 3, and returns 4.
fn reader() -> StatementFacts {
    let mut reader = usage(ORDERS, vec![equality(2, 1e-3)]);
    reader.compared = BTreeSet::from([2, 3]);
    reader.needed = Some(BTreeSet::from([2, 3, 4]));
    facts(vec![reader])
}

#[test]
fn keys_that_the_statement_does_not_compare_do_nothing_at_the_end() {
    let facts = reader();
    let same = |a: &IndexDefinition, b: &IndexDefinition| service(a, &facts) == service(b, &facts);
    assert!(same(&index(&[2], &[]), &index(&[2, 1], &[])));
    assert!(same(&index(&[2], &[]), &index(&[2, 4, 1], &[])));
    assert!(same(&index(&[2], &[]), &index(&[2], &[1, 4])));
    // Compared by a join, in another order, or before one that is compared.
    assert!(!same(&index(&[2], &[]), &index(&[2, 3], &[])));
    assert!(!same(&index(&[3, 2], &[]), &index(&[2, 3], &[])));
    assert!(!same(&index(&[2, 1, 3], &[]), &index(&[2, 4, 3], &[])));
    let mut backwards = index(&[2], &[]);
    backwards.keys[0] = descending(2);
    assert!(!same(&index(&[2], &[]), &backwards));
    let mut hash = index(&[2], &[]);
    hash.access_method = AccessMethod::Hash;
    assert_eq!(service(&hash, &facts), None);
    // On a table that the statement does not read, no key would tell it from any other.
    assert_eq!(service(&IndexDefinition { relation: ORDERS + 1, ..index(&[2], &[]) }, &facts), None);
}

#[test]
fn what_is_returned_counts_where_it_is_all() {
    let facts = reader();
    let same = |a: &IndexDefinition, b: &IndexDefinition| service(a, &facts) == service(b, &facts);
    assert!(!same(&index(&[2, 3], &[]), &index(&[2, 3], &[4])));
    assert!(same(&index(&[2, 3], &[4]), &index(&[2, 3, 4], &[])));
    assert!(same(&index(&[2], &[3, 4, 1]), &index(&[2], &[4, 3])));
    assert!(!same(&index(&[2], &[3, 4]), &index(&[2, 3], &[4])));
    // Of the rest of a predicate's columns it is not known here which are spared.
    let partial = |include: &[AttrNumber]| {
        let mut index = index(&[2], include);
        index.predicate = Some(expression("(o_totalprice > 5)", &[4]));
        index
    };
    assert!(!same(&partial(&[]), &partial(&[3])));
    assert!(same(&partial(&[3]), &partial(&[3, 1])));
    assert!(!same(&partial(&[3]), &index(&[2], &[3])));
}

#[test]
fn every_place_where_a_statement_reads_the_table_counts() {
    let mut other = usage(ORDERS, vec![]);
    other.compared = BTreeSet::from([1]);
    let mut both = reader();
    both.relations.push(other);
    assert_ne!(service(&index(&[2], &[]), &both), service(&index(&[2, 1], &[]), &both));
    assert_eq!(service(&index(&[2], &[]), &both), service(&index(&[2, 4], &[]), &both));
}
