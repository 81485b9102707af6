//! The limits beside storage and number: indexes of a table, savings a day.

use super::*;

/// A random instance with candidates dealt out to some tables, and few of each table allowed.
pub(in crate::selection) fn by_table(seed: u64) -> (Problem, Simulated) {
    let (mut problem, truth) = small_instance(seed);
    let mut numbers = Numbers(seed ^ 0xab1e);
    let tables = 1 + numbers.below(4);
    for candidate in &mut problem.candidates {
        candidate.table = numbers.below(tables) as u32;
    }
    problem.limits.max_indexes_per_table = Some(1 + numbers.below(2));
    (problem, truth)
}

proptest! {
    #[test]
    fn no_table_gets_more_indexes_than_allowed(seed: u64, patience in 0_u64..100) {
        let (problem, truth) = by_table(seed);
        for patience in [None, Some(patience)] {
            let selection = select(&problem, &mut Simulated { patience, ..truth.clone() });
            prop_assert!(fits(&problem, &members(&selection)));
            for point in &selection.frontier {
                prop_assert!(fits(&problem, &point.members));
            }
        }
    }

    #[test]
    fn the_proof_holds_with_a_limit_by_table(seed: u64) {
        let (problem, truth) = by_table(seed);
        let best = optimum(&problem, &truth);
        let found = select(&problem, &mut truth.clone());
        // Every plan of these planners is within the assumptions, or found out to be an exception.
        if found.certificate.violations == 0 {
            let least = total_before(&problem) - best;
            let slack = 0.02 * total_before(&problem);
            prop_assert!(found.certificate.bound_ms <= least + slack, "{} > {least}", found.certificate.bound_ms);
        }
    }
}

#[test]
fn close_to_the_optimum_with_a_limit_by_table() {
    const INSTANCES: u64 = 300;
    let (mut sum, mut worst, mut gaps) = (0.0, 0.0_f64, 0.0);
    for seed in 0..INSTANCES {
        let (problem, truth) = by_table(seed);
        let best = optimum(&problem, &truth);
        let selection = select(&problem, &mut truth.clone());
        gaps += selection.certificate.gap;
        let found = net(&problem, &truth, &members(&selection));
        assert!(found <= best + 1e-6, "seed {seed}: better than the best");
        let regret = (best - found) / (total_before(&problem) - best);
        sum += regret;
        worst = worst.max(regret);
    }
    let mean = sum / INSTANCES as f64;
    let gap = gaps / INSTANCES as f64;
    println!("mean regret {mean:.5}, worst {worst:.4}, mean gap {gap:.4}");
    // Measured: mean 0.0003, worst 0.07: exchanges across two full tables are beyond the moves.
    assert!(mean <= 0.001 && worst <= 0.10, "mean {mean}, worst {worst}");
    // Measured: 0.044; 0.069 with a bound that ignores the limit.
    assert!(gap <= 0.055, "{gap}");
}

#[test]
fn one_index_a_table_leaves_the_second_best_out() {
    let plans = vec![
        vec![(vec![], 100.0), (vec![0], 10.0)],
        vec![(vec![], 100.0), (vec![1], 20.0)],
        vec![(vec![], 100.0), (vec![2], 90.0)],
    ];
    let limits = Limits { max_indexes_per_table: Some(1), ..unlimited() };
    let (mut problem, planner) = spelled_out(plans, &[10, 10, 10], limits);
    problem.candidates[2].table = 7;
    assert_eq!(chosen(&problem, &planner), [0, 2]);
    problem.limits.max_indexes_per_table = Some(2);
    assert_eq!(chosen(&problem, &planner), [0, 1, 2]);
}

#[test]
fn one_shared_index_replaces_two_when_a_table_may_have_one() {
    let plans = vec![
        vec![(vec![], 100.0), (vec![0], 10.0), (vec![2], 15.0)],
        vec![(vec![], 100.0), (vec![1], 10.0), (vec![2], 15.0)],
    ];
    let limits = Limits { max_indexes_per_table: Some(1), ..unlimited() };
    let (problem, planner) = spelled_out(plans, &[10, 10, 12], limits);
    assert_eq!(chosen(&problem, &planner), [2]);
}

#[test]
fn an_index_has_to_save_both_its_share_and_its_time() {
    let plans = vec![vec![(vec![], 1000.0), (vec![0], 900.0)], vec![(vec![], 1000.0), (vec![1], 980.0)]];
    let (mut problem, planner) = spelled_out(plans, &[10, 10], unlimited());
    assert_eq!(chosen(&problem, &planner), [0, 1]);
    for (share, ms, expected) in [
        (0.0, 50.0, vec![0]),
        (0.04, 10.0, vec![0]),
        (0.0, 101.0, vec![]),
        (0.04, 101.0, vec![]),
        (0.01, 19.0, vec![0, 1]),
    ] {
        problem.limits.min_gain = share;
        problem.limits.min_gain_ms = ms;
        assert_eq!(chosen(&problem, &planner), expected, "{share} and {ms} ms");
    }
}
