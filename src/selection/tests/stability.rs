//! That the answer is one of the question: not of the order it is put in, and little of small changes of weights.

use super::*;

/// The order that `numbers` shuffles `count` things into.
fn shuffled(numbers: &mut Numbers, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, numbers.below(i + 1));
    }
    order
}

/// The same question with its candidates and statements in another order, and the number that each candidate has there.
fn reordered(problem: &Problem, truth: &Simulated, seed: u64) -> (Problem, Simulated, Vec<CandidateId>) {
    let mut numbers = Numbers(seed);
    let order = shuffled(&mut numbers, problem.candidates.len());
    let mut number_of = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        number_of[*old] = new;
    }
    let renamed = |ids: &[CandidateId]| {
        let mut ids: Vec<CandidateId> = ids.iter().map(|id| number_of[*id]).collect();
        ids.sort_unstable();
        ids
    };
    let plans =
        truth.plans.iter().map(|plans| plans.iter().map(|(ids, cost)| (renamed(ids), *cost)).collect());
    let planner = Simulated { plans: plans.collect(), ..truth.clone() };
    let mut other = problem.clone();
    other.candidates = order.iter().map(|old| problem.candidates[*old].clone()).collect();
    for candidate in &mut other.candidates {
        candidate.relatives = renamed(&candidate.relatives);
    }
    let statements = shuffled(&mut numbers, problem.statements.len());
    other.statements = statements.iter().map(|old| problem.statements[*old].clone()).collect();
    for statement in &mut other.statements {
        statement.relevant = renamed(&statement.relevant);
        statement.before = planner.plan(statement.id, &[]);
    }
    other.previous = renamed(&problem.previous);
    (other, planner, number_of)
}

/// The question with every weight up to `most` higher or lower.
fn perturbed(problem: &Problem, seed: u64, most: f64) -> Problem {
    let (mut numbers, mut problem) = (Numbers(seed ^ 0x5eed), problem.clone());
    for statement in &mut problem.statements {
        statement.weight *= 1.0 + most * (2.0 * numbers.share() - 1.0);
    }
    problem
}

fn tie_breaks(problem: &Problem, members: &[CandidateId]) -> Vec<String> {
    let mut texts: Vec<String> =
        members.iter().map(|member| problem.candidates[*member].tie_break.clone()).collect();
    texts.sort();
    texts
}

proptest! {
    #[test]
    fn the_order_of_statements_and_candidates_does_not_matter(seed: u64) {
        let (mut problem, truth) = limits::by_table(seed);
        problem.limits.min_gain = 0.005;
        // Some candidates that differ in nothing but their text.
        let first = problem.candidates[0].clone();
        for candidate in problem.candidates.iter_mut().skip(1).step_by(2) {
            let tie_break = std::mem::take(&mut candidate.tie_break);
            *candidate = CandidateCost { tie_break, ..first.clone() };
        }
        let (other, planner, number_of) = reordered(&problem, &truth, seed);
        let one = select(&problem, &mut truth.clone());
        let two = select(&other, &mut planner.clone());
        let order = |selection: &Selection, problem: &Problem| -> Vec<(String, f64, f64)> {
            let choices = selection.chosen.iter();
            choices.map(|c| (problem.candidates[c.candidate].tie_break.clone(), c.gain_alone, c.gain_after_previous)).collect()
        };
        prop_assert_eq!(order(&one, &problem), order(&two, &other));
        prop_assert_eq!(one.search.planner_calls, two.search.planner_calls);
        prop_assert_eq!(&one.certificate, &two.certificate);
        // What comes back speaks of the question as it was put.
        for (statement, after) in other.statements.iter().zip(&two.after) {
            prop_assert_eq!(after, &planner.plan(statement.id, &members(&two)));
        }
        for (a, b) in one.frontier.iter().zip(&two.frontier) {
            let mut renamed: Vec<CandidateId> = a.members.iter().map(|member| number_of[*member]).collect();
            renamed.sort_unstable();
            prop_assert_eq!((a.bytes, a.cost_ms, renamed), (b.bytes, b.cost_ms, b.members.clone()));
        }
    }

    #[test]
    fn with_the_previous_answer_at_hand_it_stays_or_gets_better_by_enough(seed: u64, least in 0.0..0.02) {
        let (mut problem, truth) = small_instance(seed);
        problem.limits.min_gain = least;
        let old = members(&select(&problem, &mut truth.clone()));
        let mut later = perturbed(&problem, seed, 0.05);
        later.limits.min_change = 0.02;
        later.previous = old.clone();
        let selection = select(&later, &mut truth.clone());
        let new = members(&selection);
        prop_assert!(fits(&later, &new));
        let total = total_before(&later);
        let better = (net(&later, &truth, &new) - net(&later, &truth, &old)) / total;
        match selection.kept {
            // Nothing is added, and what is gone had fallen below the least saving.
            Some(more) => {
                prop_assert!(new.iter().all(|member| old.contains(member)), "{old:?} became {new:?}");
                prop_assert!(more < 0.02 || new == old);
                prop_assert!(better >= -(old.len() as f64) * (least + 1e-9));
            }
            None if old.is_empty() => {}
            // None of it is worth having any more.
            None if new.is_empty() => prop_assert!(better >= -(old.len() as f64) * (least + 1e-9)),
            None => prop_assert!(better >= 0.02 - 1e-9, "{old:?} became {new:?}, {better} better"),
        }
    }

    #[test]
    fn the_previous_answer_is_worth_most_of_the_new_one(seed: u64) {
        let (problem, truth) = small_instance(seed);
        let old = members(&select(&problem, &mut truth.clone()));
        let later = perturbed(&problem, seed, 0.05);
        let new = members(&select(&later, &mut truth.clone()));
        // Each weight at most 5 % off: the old answer was the best then, so it is at most about twice that off now.
        let lost = (net(&later, &truth, &new) - net(&later, &truth, &old)) / total_before(&later);
        prop_assert!(lost <= 0.05, "{old:?} is {lost} worse than {new:?}");
    }

    #[test]
    fn a_previous_answer_breaks_no_limit(seed: u64, mask: u16, patience in 0_u64..60) {
        let (mut problem, truth) = limits::by_table(seed);
        problem.limits.min_change = 0.02;
        problem.previous = (0..problem.candidates.len()).filter(|c| mask >> c & 1 == 1).collect();
        for patience in [None, Some(patience)] {
            let selection = select(&problem, &mut Simulated { patience, ..truth.clone() });
            prop_assert!(fits(&problem, &members(&selection)));
        }
    }
}

#[test]
fn small_changes_of_weights_leave_the_answer_unchanged_as_a_rule() {
    let (mut changed, mut changed_with_previous, mut all) = (0, 0, 0);
    for seed in 0..200 {
        let (mut problem, truth) = small_instance(seed);
        problem.limits.min_gain = 0.01;
        let old = members(&select(&problem, &mut truth.clone()));
        let mut later = perturbed(&problem, seed, 0.05);
        changed += u32::from(members(&select(&later, &mut truth.clone())) != old);
        later.limits.min_change = 0.02;
        later.previous = old.clone();
        changed_with_previous += u32::from(members(&select(&later, &mut truth.clone())) != old);
        all += 1;
    }
    println!("of {all}: {changed} changed, {changed_with_previous} with the previous answer at hand");
    assert!(changed * 10 <= all && changed_with_previous * 50 <= all, "{changed}, {changed_with_previous}");
}

#[test]
fn of_equally_good_candidates_the_preferred_one_is_chosen() {
    let plans = vec![vec![(vec![], 100.0), (vec![0], 50.0), (vec![1], 50.0), (vec![2], 50.0)]];
    let limits = Limits { min_gain: 0.005, ..unlimited() };
    let (mut problem, planner) = spelled_out(plans, &[10, 10, 10], limits);
    for (preferences, expected) in [([0, 0, 0], 0), ([2, 1, 3], 1), ([3, 2, 1], 2), ([1, 1, 2], 0)] {
        for (candidate, preference) in problem.candidates.iter_mut().zip(preferences) {
            candidate.preference = preference;
        }
        assert_eq!(chosen(&problem, &planner), [expected], "{preferences:?}");
    }
}

/// Two indexes for one statement, of which 1 is the better one by `better` per cent of the time now.
fn rivals(better: f64) -> (Problem, Simulated) {
    let plans = vec![vec![(vec![], 100.0), (vec![0], 50.0), (vec![1], 50.0 - better)]];
    let (mut problem, planner) = spelled_out(plans, &[10, 10], Limits { min_change: 0.02, ..unlimited() });
    problem.previous = vec![0];
    (problem, planner)
}

#[test]
fn the_previous_answer_stays_until_another_is_clearly_better() {
    let (problem, planner) = rivals(1.9);
    let selection = select(&problem, &mut planner.clone());
    assert_eq!(
        (members(&selection), selection.kept.map(|more| (more * 1000.0).round())),
        (vec![0], Some(19.0))
    );
    let last = selection.frontier.last().expect("a point");
    assert_eq!((last.members.as_slice(), last.cost_ms), ([0].as_slice(), 50.0));
    let (problem, planner) = rivals(2.1);
    let selection = select(&problem, &mut planner.clone());
    assert_eq!((members(&selection), selection.kept), (vec![1], None));
    // Without it, the better one in any case.
    let (mut problem, planner) = rivals(1.9);
    problem.previous.clear();
    assert_eq!(chosen(&problem, &planner), [1]);
}

#[test]
fn a_new_need_adds_to_the_previous_answer_and_changes_nothing_else() {
    // 1 is a little better than the previous 0; a new statement wants 2.
    let plans =
        vec![vec![(vec![], 100.0), (vec![0], 50.0), (vec![1], 49.0)], vec![(vec![], 100.0), (vec![2], 10.0)]];
    let (mut problem, planner) =
        spelled_out(plans, &[10, 10, 10], Limits { min_gain: 0.01, min_change: 0.02, ..unlimited() });
    assert_eq!(chosen(&problem, &planner), [1, 2]);
    problem.previous = vec![0];
    let selection = select(&problem, &mut planner.clone());
    assert_eq!((members(&selection), selection.kept), (vec![0, 2], None));
}

#[test]
fn of_the_previous_answer_only_what_still_pays_stays() {
    let plans =
        vec![vec![(vec![], 100.0), (vec![0], 50.0), (vec![1], 50.5)], vec![(vec![], 100.0), (vec![2], 99.9)]];
    let (mut problem, planner) =
        spelled_out(plans, &[10, 10, 10], Limits { min_change: 0.02, ..unlimited() });
    problem.previous = vec![1, 2];
    assert_eq!(chosen(&problem, &planner), [1]);
    // Where limits are tighter now, what is worth least goes.
    let plans =
        vec![vec![(vec![], 100.0), (vec![0], 50.0), (vec![1], 49.0)], vec![(vec![], 100.0), (vec![2], 80.0)]];
    let limits = Limits { min_change: 0.02, max_indexes: 1, ..unlimited() };
    let (mut problem, planner) = spelled_out(plans, &[10, 10, 10], limits);
    problem.previous = vec![0, 2];
    assert_eq!(chosen(&problem, &planner), [0]);
}

#[test]
fn the_previous_answer_is_there_when_time_is_short() {
    let (mut problem, planner) = rivals(-10.0);
    problem.previous = vec![1];
    let mut planner = Simulated { patience: Some(1), ..planner };
    let selection = select(&problem, &mut planner);
    assert!(!selection.search.complete);
    assert_eq!(tie_breaks(&problem, &members(&selection)), ["index 0001"]);
}
