//! The size models of hash, BRIN, bloom, hnsw and ivfflat, and of btrees with parameters and extended statistics, against indexes that a server really built:
//! `tests/cases/method_sizes.py` made the files.

use super::*;
use crate::catalog::ColumnGroup;

/// The cases of each server version.
fn measured() -> [Cases; 2] {
    [
        include_str!("../../../../tests/cases/method_sizes_15.json"),
        include_str!("../../../../tests/cases/method_sizes_18.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the cases can be read"))
}

/// Errors of indexes below this number of pages are taken relative to it: a page more or less is no error to speak of.
const SMALL: f64 = 10.0;

/// Signed errors of all cases of an access method, the largest first, with a line for each.
fn errors(cases: &Cases, method: AccessMethod) -> Vec<(f64, String)> {
    let mut errors: Vec<(f64, String)> = cases
        .cases
        .iter()
        .filter(|case| case.definition.access_method == method)
        .map(|case| {
            let pages = cases.estimate(case).pages;
            let error = (pages - case.pages) / case.pages.max(SMALL);
            (error, format!("{error:+.3} {pages} of {} pages: {}", case.pages, case.index))
        })
        .collect();
    errors.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    errors
}

/// Asserts that the median and the 95th percentile of the errors of an access method are within bounds.
fn assert_near(method: AccessMethod, least_cases: usize, median: f64, most: f64) {
    for cases in measured() {
        let errors = errors(&cases, method);
        if errors.is_empty() && cases.server.starts_with("15") {
            // No pgvector on that server.
            continue;
        }
        let lines: Vec<&str> = errors.iter().map(|(_, line)| line.as_str()).collect();
        assert!(errors.len() >= least_cases, "{} cases", errors.len());
        let quantile = |share: f64| errors[(errors.len() as f64 * (1.0 - share)) as usize].0.abs();
        assert!(quantile(0.5) <= median, "median {:.3}:\n{}", quantile(0.5), lines.join("\n"));
        assert!(quantile(0.95) <= most, "95th percentile {:.3}:\n{}", quantile(0.95), lines.join("\n"));
    }
}

#[test]
fn btree_estimates_follow_parameters_and_extended_statistics() {
    // Cities and countries that depend on each other, unevenly spread: taken as independent, up to 2.2 times the size. What is
    // left is the tail of rare values, which statistics tell the number of but not the spread.
    assert_near(AccessMethod::Btree, 15, 0.05, 0.1);
}

#[test]
fn hash_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Hash, 30, 0.03, 0.1);
}

#[test]
fn brin_estimates_are_near_real_indexes() {
    // The worst are numbers in no order but at equal distances (shuffled: minmax_multi stores fewer of them), and texts whose
    // least value is much shorter than the others (city).
    assert_near(AccessMethod::Brin, 30, 0.03, 0.1);
}

#[test]
fn bloom_estimates_are_those_of_real_indexes() {
    assert_near(AccessMethod::Bloom, 10, 0.0, 0.02);
    for cases in measured() {
        // The number of rows is exact for a whole table: so is the size.
        let whole = |case: &&Case| {
            case.definition.access_method == AccessMethod::Bloom
                && case.definition.predicate.is_none()
                && cases.relations[&case.relation].leaves == 1
        };
        for case in cases.cases.iter().filter(whole) {
            assert_eq!(cases.estimate(case).pages, case.pages, "{} on {}", case.index, cases.server);
        }
    }
}

#[test]
fn hnsw_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Hnsw, 10, 0.01, 0.03);
}

#[test]
fn ivfflat_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Ivfflat, 8, 0.03, 0.1);
}

/// The size of an index of this access method on the columns given, with these parameters.
fn pages(method: AccessMethod, relation: &Relation, keys: &[AttrNumber], parameters: &[(&str, &str)]) -> f64 {
    let mut definition = index(relation, keys, &[]);
    definition.access_method = method;
    definition.parameters =
        parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let estimate = estimate(&definition, relation, 1.0, Storage::from(8192), None);
    estimate.expect("the access method has a size model").pages
}

#[test]
fn hash_buckets_come_in_phases() {
    // 307 rows to a bucket. Up to 512 buckets the number doubles, then it grows in quarters of a doubling.
    for (rows, buckets) in
        [(0.0, 2.0), (700.0, 4.0), (307.0 * 512.0, 512.0), (307.0 * 513.0, 640.0), (307.0 * 3900.0, 4096.0)]
    {
        let relation = table(rows, vec![column(1, INT4, Some(statistics(0.0, 4.0, -1.0, vec![])))]);
        let found = pages(AccessMethod::Hash, &relation, &[1], &[]);
        assert!(found >= buckets + 2.0 && found <= 1.02 * buckets + 2.0, "{found} pages for {rows} rows");
    }
}

#[test]
fn a_hash_index_of_uneven_partitions_is_the_sum_of_theirs() {
    let mut relation = table(4e5, vec![column(1, INT4, Some(statistics(0.0, 4.0, -1.0, vec![])))]);
    (relation.kind, relation.leaves) = (RelationKind::PartitionedTable, 4);
    let even = pages(AccessMethod::Hash, &relation, &[1], &[]);
    relation.leaf_tuples = vec![1e4, 1e4, 1e4, 1e4 * 37.0];
    let uneven = pages(AccessMethod::Hash, &relation, &[1], &[]);
    assert_eq!(even, 4.0 * 514.0);
    // 64 buckets each, and 1280 for the large one.
    assert!((uneven - (3.0 * 66.0 + 1282.0)).abs() <= 20.0, "{uneven}");
}

#[test]
fn values_of_a_column_group_limit_the_groups_of_a_btree() {
    let few = |distinct| Some(statistics(0.0, 4.0, distinct, vec![]));
    let mut relation = table(1e6, vec![column(1, INT4, few(1e4)), column(2, INT4, few(100.0))]);
    let independent = pages(AccessMethod::Btree, &relation, &[1, 2], &[]);
    relation.column_groups = vec![ColumnGroup { columns: vec![1, 2], distinct: 1e4 }];
    let dependent = pages(AccessMethod::Btree, &relation, &[1, 2], &[]);
    let reversed = pages(AccessMethod::Btree, &relation, &[2, 1], &[]);
    let single = pages(AccessMethod::Btree, &relation, &[1], &[]);
    assert!(independent > 2.0 * dependent, "{independent} {dependent}");
    assert!((dependent / single - 1.0).abs() < 0.05 && (reversed / single - 1.0).abs() < 0.05);
}

#[test]
fn parameters_of_a_btree_count() {
    let relation = table(1e6, vec![column(1, INT4, Some(statistics(0.0, 4.0, 50.0, vec![])))]);
    let size = |parameters: &[(&str, &str)]| pages(AccessMethod::Btree, &relation, &[1], parameters);
    // 366 items of 16 bytes on a page against 9 posting lists of 134 rows.
    assert_eq!(size(&[("deduplicate_items", "off")]), size(&[("deduplicate_items", "false")]));
    assert!(size(&[("deduplicate_items", "off")]) > 2700.0 && size(&[]) < 900.0);
    assert!(size(&[("fillfactor", "45")]) > 1.5 * size(&[]));
}

#[test]
fn an_expression_has_the_statistics_of_its_own_if_known() {
    let mut relation = table(1e6, vec![column(1, TEXT, Some(statistics(0.0, 40.0, -1.0, vec![])))]);
    let mut definition = index(&relation, &[1], &[]);
    definition.keys[0].part.target = KeyTarget::Expression(Expression {
        sql: "left(c1, 1)".into(),
        node: String::new(),
        columns: vec![1],
        type_oid: TEXT,
        type_length: -1,
        alignment: 4,
        average_width: 32.0,
    });
    let unknown = btree(&definition, &relation, 1.0).pages;
    relation.expression_statistics.insert("left(c1, 1)".into(), statistics(0.0, 2.0, 26.0, vec![]));
    let known = btree(&definition, &relation, 1.0).pages;
    assert!(known < 1000.0 && unknown > 5000.0, "{known} {unknown}");
}

/// A definition of each access method with a model of its own, on columns of a table.
fn definitions(relation: &Relation) -> Vec<IndexDefinition> {
    let methods = [
        AccessMethod::Hash,
        AccessMethod::Brin,
        AccessMethod::Bloom,
        AccessMethod::Hnsw,
        AccessMethod::Ivfflat,
    ];
    let mut definitions = Vec::new();
    for (method, family) in methods.iter().flat_map(|method| [4054, 4602, 4572, 4104].map(|f| (*method, f))) {
        let mut definition = index(relation, &[2], &[]);
        definition.access_method = method;
        definition.keys[0].part.operator_class.family = family;
        definitions.push(definition);
    }
    definitions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn estimates_of_all_methods_are_sane_whatever_the_statistics(
        rows in prop_oneof![0.0..2e3f64, 0.0..1e9f64],
        first in any_statistics(),
        second in any_statistics(),
        share in 0.0..=1.0f64,
    ) {
        let relation = table(rows.round(), vec![column(1, INT4, first), column(2, TEXT, second)]);
        for definition in definitions(&relation) {
            let found = estimate(&definition, &relation, share, Storage::from(8192), None).expect("a size");
            prop_assert!(found.pages.is_finite() && found.pages >= 1.0, "{found:?} of {definition:?}");
            prop_assert!(found.pages.fract() == 0.0, "{found:?} of {definition:?}");
            // Two or more rows to a page, but for lists and buckets of their own.
            prop_assert!(found.pages <= 2.0 * found.tuples.max(relation.tuples) + 1000.0, "{found:?} of {definition:?}");
            let again = estimate(&definition, &relation, share, Storage::from(8192), None);
            prop_assert_eq!(again, Some(found));
        }
    }
}
