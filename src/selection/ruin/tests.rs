//! What it says of a set is what the search says, and where all plans are known it finds the best set.

use super::ground::Ground;
use super::{anew, attempt, run};
use crate::cost::CandidateId;
use crate::cost::cache::simulated::{Numbers, Simulated};
use crate::selection::Problem;
use crate::selection::search::Search;
use crate::selection::tests::{by_table, fits, optimum, sets, small_instance};
use fastrand::Rng;
use proptest::prelude::*;

/// A small instance one of whose indexes makes plans `scattered` times as slow in memory, with a limit on that or without.
fn slowed(seed: u64, scattered: f64, numbers: &mut Numbers) -> (Problem, Simulated) {
    let (mut problem, mut truth) = small_instance(seed);
    truth.scattered = vec![(numbers.below(problem.candidates.len()), scattered)];
    problem.limits.slowdown = [None, Some(0.05)][numbers.below(2)];
    for statement in &mut problem.statements {
        statement.before = truth.plan(statement.id, &[]);
    }
    (problem, truth)
}

/// Asks about every so many-th set, and nothing more from then on.
fn learn(search: &mut Search<'_, Simulated>, every: usize) {
    let empty = search.empty();
    for members in sets(search.problem.candidates.len()).step_by(every) {
        search.moved(&empty, members).expect("no time limit");
    }
    search.cache.go_offline();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_set_saves_what_the_search_says(seed: u64, scattered in 1.0..3.0) {
        let mut numbers = Numbers(seed);
        let (mut problem, mut truth) = slowed(seed, scattered, &mut numbers);
        // Members that no known plan uses are none to the ground.
        problem.candidates.iter_mut().for_each(|candidate| candidate.write_ms = 0.0);
        let mut search = Search::new(&problem, &mut truth);
        let empty = search.empty();
        let mut some = || -> Vec<CandidateId> {
            (0..problem.candidates.len()).filter(|_| numbers.below(2) == 0).collect()
        };
        let asked: Vec<_> = (0..12).map(|_| some()).collect();
        let others: Vec<_> = (0..40).map(|_| some()).collect();
        for members in asked {
            search.moved(&empty, members).expect("no time limit");
        }
        search.cache.go_offline();
        let ground = Ground::of(&search);
        for members in others {
            let net = ground.standing(&members).net;
            let found = search.moved(&empty, members).expect("no time limit");
            let close = 1e-6 * search.total_before;
            prop_assert!((net - found.net).abs() <= close, "{net} for {}: {:?}", found.net, found.members);
        }
    }

    #[test]
    fn what_is_lost_is_the_difference_of_two_standings(seed: u64) {
        let mut numbers = Numbers(seed);
        let (problem, mut truth) = slowed(seed, 2.0, &mut numbers);
        let mut search = Search::new(&problem, &mut truth);
        learn(&mut search, 3);
        let ground = Ground::of(&search);
        let candidates: Vec<CandidateId> = (0..problem.candidates.len()).collect();
        let (members, others): (Vec<_>, Vec<_>) = candidates.iter().partition(|_| numbers.below(2) == 0);
        let standing = ground.standing(&members);
        let position = |candidate: CandidateId| ground.standing(&[candidate]).members.first().copied();
        let close = |lost: f64, left: f64| (standing.net - lost - left).abs() <= 1e-6 * search.total_before;
        for member in members.iter().filter(|member| position(**member).is_some()) {
            let at = position(*member).expect("known");
            let mut rest: Vec<CandidateId> = members.iter().copied().filter(|other| other != member).collect();
            prop_assert!(close(ground.loss(&standing, at), ground.standing(&rest).net));
            for other in others.iter().filter(|other| position(**other).is_some()) {
                let lost = ground.loss_by_exchange(&standing, at, position(*other).expect("known"));
                rest.push(*other);
                prop_assert!(close(lost, ground.standing(&rest).net));
                rest.pop();
            }
        }
    }

    #[test]
    fn after_many_tries_a_standing_is_what_its_members_make_of_it(seed: u64) {
        let (mut problem, mut truth) = slowed(seed, 2.0, &mut Numbers(seed));
        // Any may stand in for any.
        let all: Vec<CandidateId> = (0..problem.candidates.len()).collect();
        for (at, candidate) in problem.candidates.iter_mut().enumerate() {
            candidate.relatives = all.iter().copied().filter(|other| *other != at).collect();
        }
        let mut search = Search::new(&problem, &mut truth);
        learn(&mut search, 3);
        let ground = Ground::of(&search);
        let mut lots = Rng::with_seed(seed);
        let (mut current, mut next) = (ground.standing(&[]), ground.standing(&[]));
        let mut pinned = Vec::new();
        for tried in 0..60 {
            if tried % 20 == 19 {
                (current, pinned) = anew(&ground, &current, &mut lots);
            }
            attempt(&ground, &mut next, &current, &pinned, &mut lots);
            std::mem::swap(&mut current, &mut next);
            let members = ground.members(&current);
            prop_assert!(fits(&problem, &members));
            let anew = ground.standing(&members).net;
            prop_assert!((current.net - anew).abs() <= 1e-6 * search.total_before, "{} for {anew}", current.net);
        }
    }

    #[test]
    fn what_is_found_keeps_to_every_limit(seed: u64) {
        let (problem, mut truth) = by_table(seed);
        let mut search = Search::new(&problem, &mut truth);
        learn(&mut search, 7);
        run(&mut search).expect("no time limit");
        prop_assert!(fits(&problem, &search.best.members));
        prop_assert!(search.best.net >= 0.0);
    }
}

#[test]
fn where_all_plans_are_known_the_best_set_is_found() {
    let (mut missed, mut instances) = (0.0, 0);
    for seed in 0..40 {
        let (problem, mut truth) = small_instance(seed);
        let best = optimum(&problem, &truth);
        let mut search = Search::new(&problem, &mut truth);
        learn(&mut search, 1);
        let empty = search.empty();
        run(&mut search).expect("no time limit");
        missed += (best - search.best.net) / search.total_before;
        instances += 1;
        // The same lots, the same set.
        let found = std::mem::replace(&mut search.best, empty);
        search.ruined = None;
        run(&mut search).expect("no time limit");
        assert_eq!(search.best.members, found.members, "seed {seed}");
    }
    let missed = missed / f64::from(instances);
    assert!(missed < 0.001, "{missed} of the cost");
}
