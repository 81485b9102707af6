//! The size model against indexes that a server really built: `tests/cases/btree_sizes.py` made the files.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Cases {
    server: String,
    block_size: u32,
    bpchar_deduplicates: bool,
    relations: BTreeMap<String, Relation>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    index: String,
    relation: String,
    definition: IndexDefinition,
    predicate_selectivity: f64,
    pages: f64,
    level: u32,
}

/// The cases of each server version.
fn measured() -> [Cases; 2] {
    [
        include_str!("../../../tests/cases/btree_sizes_15.json"),
        include_str!("../../../tests/cases/btree_sizes_18.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the cases can be read"))
}

impl Cases {
    fn estimate(&self, case: &Case) -> SizeEstimate {
        let storage = Storage { block_size: self.block_size, bpchar_deduplicates: self.bpchar_deduplicates };
        btree(&case.definition, &self.relations[&case.relation], case.predicate_selectivity, storage)
    }
}

#[test]
fn estimates_are_near_real_indexes() {
    for cases in measured() {
        let mut errors: Vec<(f64, String)> = cases
            .cases
            .iter()
            .map(|case| {
                let estimate = cases.estimate(case);
                let error = estimate.pages / case.pages - 1.0;
                (
                    error.abs(),
                    format!("{:+.3} {} of {} pages: {}", error, estimate.pages, case.pages, case.index),
                )
            })
            .collect();
        errors.sort_by(|a, b| b.0.total_cmp(&a.0));
        let worst: Vec<&str> = errors.iter().take(30).map(|(_, text)| text.as_str()).collect();
        let worst = worst.join("\n");
        // Shown by --nocapture.
        println!("{}, {} indexes\n{worst}", cases.server, errors.len());
        assert!(errors.len() >= 50);
        let quantile = |share: f64| errors[(errors.len() as f64 * (1.0 - share)) as usize].0;
        assert!(quantile(0.5) <= 0.03, "median error {:.3}:\n{worst}", quantile(0.5));
        assert!(quantile(0.95) <= 0.1, "95th percentile of the error {:.3}:\n{worst}", quantile(0.95));
    }
}

#[test]
fn heights_are_those_of_real_indexes() {
    for cases in measured() {
        for case in &cases.cases {
            assert_eq!(cases.estimate(case).tree_height, case.level, "{} on {}", case.index, cases.server);
        }
    }
}
