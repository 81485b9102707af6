//! What the chosen indexes do for every statement, one after another.

use super::*;

/// Joins that a planner of known costs can make cheaper, and all of its indexes to choose from.
fn joins(seed: u64) -> (Problem, Simulated) {
    let (mut numbers, candidates) = (Numbers(seed), 9);
    let planner = relational(&mut numbers, 12, candidates);
    let limits = Limits { noise: 0.0, ..unlimited() };
    (problem(&planner, &mut numbers, candidates, limits), planner)
}

/// What each statement saves by all effects together, by its number.
fn saved(problem: &Problem, selection: &Selection) -> Vec<f64> {
    let mut saved = vec![0.0; problem.statements.len()];
    for effect in selection.chosen.iter().flat_map(|choice| &choice.effects) {
        saved[effect.statement] += effect.saving;
    }
    saved
}

proptest! {
    #[test]
    fn they_add_up_to_what_the_set_saves(seed: u64, patience in 0_u64..200, after in 0_u64..8, fuzz in 0.0..0.2) {
        let (problem, mut truth) = joins(seed);
        // One statement takes long to plan, and no cost is quite what it would be with one index more.
        truth.spent_after = Some((0, after));
        truth.fuzz = fuzz;
        for patience in [None, Some(patience)] {
            let selection = select(&problem, &mut Simulated { patience, ..truth.clone() });
            let saved = saved(&problem, &selection);
            for (statement, after) in problem.statements.iter().zip(&selection.after) {
                let expected = statement.weight * (statement.before.total - after.total).max(0.0);
                prop_assert!((saved[statement.id] - expected).abs() < 1e-6, "statement {}, {patience:?}", statement.id);
            }
        }
    }

    #[test]
    fn with_time_they_are_what_the_planner_says(seed: u64) {
        let (problem, truth) = joins(seed);
        let selection = select(&problem, &mut truth.clone());
        let mut placed = Vec::new();
        for choice in &selection.chosen {
            let before = placed.clone();
            placed.push(choice.candidate);
            placed.sort_unstable();
            for effect in &choice.effects {
                prop_assert_eq!(&effect.before, &truth.plan(effect.statement, &before));
                prop_assert_eq!(&effect.after, &truth.plan(effect.statement, &placed));
            }
            let sum: f64 = choice.effects.iter().map(|effect| effect.saving).sum();
            prop_assert!((sum - choice.gain_after_previous).abs() < 2e-3 * total_before(&problem));
        }
    }
}
