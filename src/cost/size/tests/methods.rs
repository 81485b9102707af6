//! The size models of hash, BRIN, bloom, hnsw and ivfflat, and of btrees with parameters and extended statistics, against indexes that a server really built:
//! `tests/cases/method_sizes.py` made the files.

use super::*;

/// The cases of each server version.
fn measured() -> [Cases; 2] {
    [
        include_str!("../../../../tests/cases/method_sizes_15.json"),
        include_str!("../../../../tests/cases/method_sizes_18.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the cases can be read"))
}

/// Signed errors of all cases of an access method, the largest first, with a line for each.
fn errors(cases: &Cases, method: AccessMethod) -> Vec<(f64, String)> {
    let mut errors: Vec<(f64, String)> = cases
        .cases
        .iter()
        .filter(|case| case.definition.access_method == method)
        .map(|case| {
            let pages = cases.estimate(case).pages;
            let error = pages / case.pages - 1.0;
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
    assert_near(AccessMethod::Btree, 15, 0.03, 0.1);
}

#[test]
fn hash_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Hash, 30, 0.03, 0.1);
}

#[test]
fn brin_estimates_are_near_real_indexes() {
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
