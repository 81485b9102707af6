//! The size model against indexes that a server really built: `tests/cases/btree_sizes.py` made the file.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Cases {
    block_size: u32,
    relations: BTreeMap<String, Relation>,
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    index: String,
    relation: String,
    definition: IndexDefinition,
    predicate_selectivity: f64,
    pages: f64,
    level: u32,
}

fn measured() -> Cases {
    serde_json::from_str(include_str!("../../../tests/cases/btree_sizes.json"))
        .expect("the cases can be read")
}

impl Cases {
    fn estimate(&self, case: &Case) -> SizeEstimate {
        btree(&case.definition, &self.relations[&case.relation], case.predicate_selectivity, self.block_size)
    }
}

#[test]
fn estimates_are_near_real_indexes() {
    let cases = measured();
    let mut errors: Vec<(f64, String)> = cases
        .cases
        .iter()
        .map(|case| {
            let estimate = cases.estimate(case);
            let error = estimate.pages / case.pages - 1.0;
            let text = format!(
                "{:>7.1} %  {} pages, really {} (level {}, really {}): {}",
                100.0 * error,
                estimate.pages,
                case.pages,
                estimate.tree_height,
                case.level,
                case.index
            );
            (error.abs(), text)
        })
        .collect();
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let list: Vec<&str> = errors.iter().rev().take(40).map(|(_, text)| text.as_str()).collect();
    let list = list.join("\n");
    println!("{list}");
    let quantile = |share: f64| errors[((errors.len() - 1) as f64 * share).round() as usize].0;
    println!("median {} 95% {}", quantile(0.5), quantile(0.95));
    assert!(errors.len() >= 50);
    assert!(quantile(0.5) <= 0.03, "median error {:.3}, worst:\n{list}", quantile(0.5));
    assert!(quantile(0.95) <= 0.1, "95th percentile of the error {:.3}, worst:\n{list}", quantile(0.95));
}

#[test]
fn heights_are_those_of_real_indexes() {
    let cases = measured();
    for case in &cases.cases {
        assert_eq!(cases.estimate(case).tree_height, case.level, "{}", case.index);
    }
}
