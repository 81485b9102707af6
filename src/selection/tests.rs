//! Selection against exhaustive search, naive greedy and hand-made traps, with a planner whose costs are known.

use super::*;
use crate::cost::cache::simulated::{Numbers, Simulated, arbitrary, relational};
use proptest::prelude::*;

const MB: u64 = 1 << 20;

/// A problem over a simulated planner, with random weights, sizes and write costs.
fn problem(planner: &Simulated, numbers: &mut Numbers, candidates: usize, limits: Limits) -> Problem {
    let statements = (0..planner.plans.len()).map(|id| WeightedStatement {
        id,
        weight: 0.1 + 10.0 * numbers.share().powi(3),
        before: planner.plan(id, &[]),
        relevant: planner.relevant(id),
    });
    let statements: Vec<WeightedStatement> = statements.collect();
    let candidates = (0..candidates).map(|id| CandidateCost {
        size_bytes: MB * (1 + numbers.below(100) as u64),
        write_ms: if numbers.below(3) == 0 { 60.0 * numbers.share() } else { 0.0 },
        tie_break: format!("index {id:04}"),
        relatives: Vec::new(),
    });
    let candidates = candidates.collect();
    Problem { statements, candidates, limits }
}

fn unlimited() -> Limits {
    Limits { storage_bytes: None, max_indexes: 100, min_gain: 0.0, noise: 0.01 }
}

/// Net milliseconds a day that `members` save, computed without cache or search.
fn net(problem: &Problem, planner: &Simulated, members: &[CandidateId]) -> f64 {
    let saved = problem.statements.iter().map(|s| {
        let change = s.before.total - planner.plan(s.id, members).total;
        if change > problem.limits.noise * s.before.total { s.weight * change } else { 0.0 }
    });
    saved.sum::<f64>() - members.iter().map(|c| problem.candidates[*c].write_ms).sum::<f64>()
}

fn bytes(problem: &Problem, members: &[CandidateId]) -> u64 {
    members.iter().map(|c| problem.candidates[*c].size_bytes).sum()
}

fn fits(problem: &Problem, members: &[CandidateId]) -> bool {
    members.len() <= problem.limits.max_indexes
        && problem.limits.storage_bytes.is_none_or(|limit| bytes(problem, members) <= limit)
}

fn total_before(problem: &Problem) -> f64 {
    problem.statements.iter().map(|s| s.weight * s.before.total).sum()
}

/// The best net saving of any set within the limits.
fn optimum(problem: &Problem, planner: &Simulated) -> f64 {
    let subsets = (0_u32..1 << problem.candidates.len()).map(|mask| {
        (0..problem.candidates.len()).filter(|c| mask >> c & 1 == 1).collect::<Vec<CandidateId>>()
    });
    let possible = subsets.filter(|members| fits(problem, members));
    possible.map(|members| net(problem, planner, &members)).fold(0.0, f64::max)
}

fn members(selection: &Selection) -> Vec<CandidateId> {
    let mut members: Vec<CandidateId> = selection.chosen.iter().map(|choice| choice.candidate).collect();
    members.sort_unstable();
    members
}

/// A random instance with at most ten candidates, half of each kind, under random limits.
fn small_instance(seed: u64) -> (Problem, Simulated) {
    let mut numbers = Numbers(seed);
    let candidates = 3 + numbers.below(8);
    let statements = 1 + numbers.below(8);
    let make = if seed.is_multiple_of(2) { arbitrary } else { relational };
    let planner = make(&mut numbers, statements, candidates);
    let storage_bytes = [None, Some(MB * (20 + numbers.below(200) as u64))][numbers.below(2)];
    let limits = Limits { storage_bytes, max_indexes: 1 + numbers.below(candidates), ..unlimited() };
    (problem(&planner, &mut numbers, candidates, limits), planner)
}

proptest! {
    #[test]
    fn no_limit_is_ever_broken_and_every_number_is_true(seed: u64, least in 0.0..0.1, patience in 0_u64..200) {
        let (mut problem, truth) = small_instance(seed);
        problem.limits.min_gain = least;
        for patience in [None, Some(patience)] {
            let mut planner = Simulated { patience, ..truth.clone() };
            let selection = select(&problem, &mut planner);
            let chosen = members(&selection);
            prop_assert!(fits(&problem, &chosen));
            prop_assert!(chosen.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(selection.search.planner_calls, planner.calls);
            prop_assert!(selection.search.complete || patience.is_some());
            if !selection.search.complete {
                continue;
            }
            for (statement, after) in problem.statements.iter().zip(&selection.after) {
                prop_assert_eq!(after, &truth.plan(statement.id, &chosen));
            }
            // Each earns its place: without it, at least the minimum would be lost.
            let all = net(&problem, &truth, &chosen);
            let slack = 0.002 * total_before(&problem);
            for member in &chosen {
                let rest: Vec<CandidateId> = chosen.iter().copied().filter(|c| c != member).collect();
                prop_assert!(all - net(&problem, &truth, &rest) >= least * total_before(&problem) - slack);
            }
            let gains: f64 = selection.chosen.iter().map(|choice| choice.gain_after_previous).sum();
            let writes: f64 = chosen.iter().map(|c| problem.candidates[*c].write_ms).sum();
            prop_assert!((gains - writes - all).abs() <= slack);
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer(seed: u64) {
        let (problem, truth) = small_instance(seed);
        let answers = [(); 2].map(|()| select(&problem, &mut truth.clone()));
        let [one, two] = answers.map(|answer| serde_json::to_string(&answer).unwrap());
        prop_assert_eq!(one, two);
    }

    #[test]
    fn an_early_end_gives_an_honest_lower_estimate(seed: u64, patience in 0_u64..60) {
        let (problem, truth) = small_instance(seed);
        let mut planner = Simulated { patience: Some(patience), ..truth.clone() };
        let selection = select(&problem, &mut planner);
        prop_assert!(planner.calls <= patience);
        let chosen = members(&selection);
        for (statement, after) in problem.statements.iter().zip(&selection.after) {
            // What is said to be saved is really saved.
            prop_assert!(after.total >= truth.plan(statement.id, &chosen).total);
            prop_assert!(after.total <= statement.before.total);
        }
    }
}

#[test]
fn close_to_the_optimum_on_small_instances() {
    const INSTANCES: u64 = 600;
    let mut regrets: Vec<f64> = Vec::new();
    for seed in 0..INSTANCES {
        let (problem, truth) = small_instance(seed);
        let best = optimum(&problem, &truth);
        let found = net(&problem, &truth, &members(&select(&problem, &mut truth.clone())));
        assert!(found <= best + 1e-6, "seed {seed}: better than the best");
        // How much more the workload costs (writes included) than it had to.
        let least = total_before(&problem) - best;
        regrets.push((best - found) / least);
    }
    let mean = regrets.iter().sum::<f64>() / INSTANCES as f64;
    let worst = regrets.iter().copied().fold(0.0, f64::max);
    let exact = regrets.iter().filter(|regret| **regret < 1e-6).count();
    println!("mean regret {mean:.5}, worst {worst:.4}, optimal {exact} of {INSTANCES}");
    assert!(mean <= 0.02, "mean regret {mean}");
    assert!(worst <= 0.15, "worst regret {worst}");
}
