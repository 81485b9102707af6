//! The bound against exhaustive search, and how tight it is on workloads of a realistic shape.

use super::Proof;
use super::offers::REFUSED;
use crate::cost::cache::simulated::{Numbers, Plan, Simulated, arbitrary, relational};
use crate::cost::{CandidateId, PlanCost, Priced, StatementId, WhatIf, WhatIfError};
use crate::selection::search::Search;
use crate::selection::tests::sets;
use crate::selection::{CandidateCost, Limits, Problem, Selection, WeightedStatement, select};
use proptest::prelude::*;
use std::collections::BTreeSet;

const MB: u64 = 1 << 20;

/// What the workload costs with `members`, writes included, computed without cache or search.
fn objective(problem: &Problem, planner: &Simulated, members: &[CandidateId]) -> f64 {
    let plans = problem.statements.iter().map(|s| s.weight * planner.plan(s.id, members).total);
    plans.sum::<f64>() + members.iter().map(|c| problem.candidates[*c].write_ms).sum::<f64>()
}

fn fits(problem: &Problem, members: &[CandidateId]) -> bool {
    let bytes: u64 = members.iter().map(|c| problem.candidates[*c].size_bytes).sum();
    members.len() <= problem.limits.max_indexes
        && problem.limits.storage_bytes.is_none_or(|limit| bytes <= limit)
}

/// The least that any set within the limits costs.
fn optimum(problem: &Problem, planner: &Simulated) -> f64 {
    let possible = sets(problem.candidates.len()).filter(|members| fits(problem, members));
    possible.map(|members| objective(problem, planner, &members)).fold(f64::INFINITY, f64::min)
}

fn members(selection: &Selection) -> Vec<CandidateId> {
    let mut members: Vec<CandidateId> = selection.chosen.iter().map(|choice| choice.candidate).collect();
    members.sort_unstable();
    members
}

/// A random instance with at most ten candidates under random limits: of either generator, or of `additive`.
fn small_instance(seed: u64, kind: usize) -> (Problem, Simulated) {
    let mut numbers = Numbers(seed);
    let count = 3 + numbers.below(8);
    let statements = 1 + numbers.below(8);
    let make = [arbitrary, relational, additive][kind];
    let planner = make(&mut numbers, statements, count);
    let storage_bytes = [None, Some(MB * (20 + numbers.below(200) as u64))][numbers.below(2)];
    let limits =
        Limits { storage_bytes, max_indexes: 1 + numbers.below(count), noise: 0.01, ..Limits::default() };
    let statements = (0..planner.plans.len()).map(|id| WeightedStatement {
        id,
        weight: 0.1 + 10.0 * numbers.share().powi(3),
        before: planner.plan(id, &[]),
        pace: 1.0,
        relevant: planner.relevant(id),
    });
    let statements = statements.collect();
    let candidates = (0..count).map(|id| CandidateCost {
        size_bytes: MB * (1 + numbers.below(100) as u64),
        write_ms: if numbers.below(3) == 0 { 60.0 * numbers.share() } else { 0.0 },
        tie_break: format!("index {id:04}"),
        ..CandidateCost::default()
    });
    (Problem { candidates: candidates.collect(), statements, limits, ..Problem::default() }, planner)
}

/// Joins of up to three relations, each read whole or by one of its indexes: returns diminish, always.
fn additive(numbers: &mut Numbers, statements: usize, candidates: usize) -> Simulated {
    let relations = candidates.div_ceil(3);
    let plans = (0..statements).map(|_| {
        let joined: BTreeSet<usize> = (0..1 + numbers.below(3)).map(|_| numbers.below(relations)).collect();
        let mut plans: Vec<Plan> = vec![(Vec::new(), 50.0)];
        for relation in joined {
            let scan = 50.0 + 500.0 * numbers.share();
            let own = (0..candidates).filter(|candidate| candidate % relations == relation);
            let mut ways: Vec<Plan> = vec![(Vec::new(), scan)];
            ways.extend(own.map(|candidate| (vec![candidate], scan * (0.02 + 0.9 * numbers.share()))));
            let joined = |plan: &Plan, way: &Plan| {
                let mut needed = [plan.0.as_slice(), way.0.as_slice()].concat();
                needed.sort_unstable();
                (needed, plan.1 + way.1)
            };
            plans = plans
                .iter()
                .flat_map(|plan| ways.iter().map(|way| joined(plan, way)).collect::<Vec<_>>())
                .collect();
        }
        plans
    });
    Simulated { plans: plans.collect(), ..Simulated::default() }
}

/// Whether the bound, the optimum and the answer stand in order, and the numbers fit together.
fn check(problem: &Problem, planner: &Simulated, found: &Selection) -> Result<f64, String> {
    let (best, c) = (optimum(problem, planner), &found.certificate);
    let slack = 1e-9 * c.total_before_ms;
    if !fits(problem, &members(found)) {
        return Err("a limit is broken".to_string());
    }
    if c.bound_ms > best + slack {
        return Err(format!("bound {} above the optimum {best}, {} violations", c.bound_ms, c.violations));
    }
    if c.total_after_ms < best - slack {
        return Err(format!("answer {} below the optimum {best}", c.total_after_ms));
    }
    let gap = (c.total_after_ms - c.bound_ms).max(0.0) / c.total_before_ms;
    if (gap - c.gap).abs() > 1e-9 || c.violations > c.checked {
        return Err(format!("{c:?} does not fit together"));
    }
    Ok(c.gap)
}

#[test]
fn the_bound_is_below_the_optimum_and_the_answer_above() {
    // Measured mean gaps, percent of the cost before: 3.5 where plans of two and three indexes are thrown together at
    // random, 1.5 with merge joins, 1.1 with diminishing returns; the planner's fuzz alone makes up to 1.5.
    for (kind, most) in [(0, 0.05), (1, 0.025), (2, 0.02)] {
        let mut gaps = 0.0;
        for seed in 0..400 {
            let (problem, planner) = small_instance(seed, kind);
            let found = select(&problem, &mut planner.clone());
            assert!(found.certificate.complete);
            match check(&problem, &planner, &found) {
                Ok(gap) => gaps += gap / 400.0,
                Err(wrong) => panic!("kind {kind}, seed {seed}: {wrong}"),
            }
        }
        println!("kind {kind}: mean gap {gaps:.4}");
        assert!(gaps <= most, "kind {kind}: mean gap {gaps}");
    }
}

#[test]
fn where_the_search_is_cut_short_there_is_time_for_the_proof() {
    let gap_of = |left_for_the_proof: u64| -> f64 {
        let gap = |seed: u64| {
            let (problem, planner) = small_instance(seed, 2);
            let mut planner = Simulated { patience: Some(20), left_for_the_proof, ..planner };
            let found = select(&problem, &mut planner);
            assert!(found.search.complete == found.certificate.complete);
            found.certificate.gap
        };
        (0..100).map(gap).sum::<f64>() / 100.0
    };
    let (without, with) = (gap_of(0), gap_of(200));
    println!("mean gap {without:.4}, {with:.4} with a proof");
    assert!(with < 0.5 * without, "{with} where it is {without} without");
}

#[test]
fn a_planner_that_is_not_quite_monotone_is_allowed_for() {
    let mut above: f64 = 0.0;
    for seed in 0..200 {
        let (problem, planner) = small_instance(seed, 2);
        let found = select(&problem, &mut Simulated { fuzz: 0.01, ..planner.clone() });
        let best = optimum(&problem, &planner);
        above = above.max((found.certificate.bound_ms - best) / found.certificate.total_before_ms);
    }
    // Measured: 0.0014. What a candidate takes off is a difference of two costs, each of them off.
    assert!(above <= 0.003, "{above}");
}

proptest! {
    #[test]
    fn cut_short_it_still_bounds(seed: u64, kind in 0_usize..3, patience in 0_u64..120, left_for_the_proof in 0_u64..60) {
        let (problem, planner) = small_instance(seed, kind);
        let patience = Some(patience);
        let found = select(&problem, &mut Simulated { patience, left_for_the_proof, ..planner.clone() });
        let best = optimum(&problem, &planner);
        let c = &found.certificate;
        prop_assert!(c.bound_ms <= best + 1e-9 * c.total_before_ms, "{} > {best}", c.bound_ms);
        prop_assert!(found.search.complete || !c.complete);
        let whole = select(&problem, &mut planner.clone());
        prop_assert!(whole.certificate.complete);
        if let Err(wrong) = check(&problem, &planner, &whole) {
            prop_assert!(false, "{}", wrong);
        }
    }

    #[test]
    fn a_statement_cut_short_is_still_bounded(seed: u64, kind in 0_usize..3, after in 0_u64..12) {
        let (problem, planner) = small_instance(seed, kind);
        let spent_after = Some((0, after));
        let found = select(&problem, &mut Simulated { spent_after, ..planner.clone() });
        if let Err(wrong) = check(&problem, &planner, &found) {
            prop_assert!(false, "{}", wrong);
        }
    }

    #[test]
    fn the_frontier_rises_and_holds_the_answer(seed: u64, kind in 0_usize..3) {
        let (problem, planner) = small_instance(seed, kind);
        let found = select(&problem, &mut planner.clone());
        let curve = &found.frontier;
        prop_assert!(curve[0].bytes == 0 && curve[0].members.is_empty());
        prop_assert!(curve.is_sorted_by(|a, b| a.bytes < b.bytes && a.cost_ms > b.cost_ms));
        let noise = problem.limits.noise * found.certificate.total_before_ms;
        for (at, point) in curve.iter().enumerate() {
            prop_assert!(fits(&problem, &point.members));
            prop_assert_eq!(point.indexes, point.members.len());
            // Never promised more than it gives.
            prop_assert!(point.cost_ms >= objective(&problem, &planner, &point.members) - noise);
            if let Some(added) = point.added {
                let more = [curve[at - 1].members.as_slice(), &[added]].concat();
                prop_assert_eq!(more.iter().collect::<BTreeSet<_>>(), point.members.iter().collect());
            }
        }
        let answer = objective(&problem, &planner, &members(&found));
        let best = curve.iter().map(|point| point.cost_ms).fold(f64::INFINITY, f64::min);
        prop_assert!(best <= answer + noise, "{best} against {answer}");
    }
}

/// What `small_instance` gives, with a third of the candidates visiting pages in no order, and no statement to get slower by more than
/// 5 %.
fn small_instance_with_slow_plans(seed: u64, kind: usize) -> (Problem, Simulated) {
    let (mut problem, mut planner) = small_instance(seed, kind);
    let mut numbers = Numbers(seed ^ 0x510);
    for candidate in 0..problem.candidates.len() {
        if numbers.below(3) == 0 {
            planner.scattered.push((candidate, 1.0 + 30.0 * numbers.share()));
        }
    }
    problem.limits.slowdown = Some(0.05);
    (problem, planner)
}

fn is_accepted(problem: &Problem, planner: &Simulated, members: &[CandidateId]) -> bool {
    let allowed = problem.limits.slowdown.unwrap_or(f64::INFINITY);
    problem.statements.iter().all(|s| s.slowdown(&planner.plan(s.id, members)) <= allowed)
}

#[test]
fn the_bound_is_below_the_best_of_the_sets_that_the_user_accepts() {
    let (mut gaps, mut tighter) = (0.0, 0);
    for (kind, seed) in (0..3).flat_map(|kind| (0..200).map(move |seed| (kind, seed))) {
        let (problem, planner) = small_instance_with_slow_plans(seed, kind);
        let found = select(&problem, &mut planner.clone());
        let best = sets(problem.candidates.len())
            .filter(|set| fits(&problem, set) && is_accepted(&problem, &planner, set))
            .map(|set| objective(&problem, &planner, &set))
            .fold(f64::INFINITY, f64::min);
        let c = &found.certificate;
        assert!(is_accepted(&problem, &planner, &members(&found)), "kind {kind}, seed {seed}");
        assert!(
            c.bound_ms <= best + 1e-9 * c.total_before_ms,
            "kind {kind}, seed {seed}: {} > {best}",
            c.bound_ms
        );
        assert!(c.total_after_ms >= best - 1e-9 * c.total_before_ms, "kind {kind}, seed {seed}");
        gaps += c.gap / 600.0;
        tighter += usize::from(c.bound_ms > optimum(&problem, &planner));
    }
    println!("mean gap {gaps:.4}, {tighter} above what slow plans would give");
    // Measured: 2.5 % and 274 of 600. Slow plans do not lower the bound.
    assert!(gaps <= 0.04 && tighter >= 200, "{gaps}, {tighter}");
}

/// Plans spelled out, all statements of weight 1, indexes of 10 MB that cost nothing to keep.
fn spelled_out(plans: Vec<Vec<Plan>>, candidates: usize, max_indexes: usize) -> (Problem, Simulated) {
    let planner = Simulated { plans, ..Simulated::default() };
    let statements = (0..planner.plans.len()).map(|id| WeightedStatement {
        id,
        weight: 1.0,
        before: planner.plan(id, &[]),
        pace: 1.0,
        relevant: planner.relevant(id),
    });
    let statements = statements.collect();
    let candidates = (0..candidates).map(|id| CandidateCost {
        size_bytes: 10 * MB,
        write_ms: 0.0,
        tie_break: format!("index {id}"),
        ..CandidateCost::default()
    });
    let candidates = candidates.collect();
    let limits = Limits { storage_bytes: None, max_indexes, noise: 0.01, ..Limits::default() };
    (Problem { statements, candidates, limits, ..Problem::default() }, planner)
}

#[test]
fn indexes_that_help_each_other_are_found_out() {
    // Room for two. 2 and 3 save 60 each; 0 and 1 next to nothing each, and 90 together.
    let plans = vec![
        vec![(vec![], 100.0), (vec![0], 98.0), (vec![1], 98.0), (vec![0, 1], 10.0)],
        vec![(vec![], 100.0), (vec![2], 40.0)],
        vec![(vec![], 100.0), (vec![3], 40.0)],
    ];
    let (problem, planner) = spelled_out(plans, 4, 2);
    let found = select(&problem, &mut planner.clone());
    assert_eq!(members(&found), [2, 3]);
    let gap = check(&problem, &planner, &found);
    // An index and half of the pair's saving would be 195; the fuzz alone is 1.5 % of 180.
    assert!(gap.is_ok_and(|gap| gap <= 0.01), "{:?}", found.certificate);
}

#[test]
fn of_candidates_planned_in_parts_any_may_take_the_place_of_a_slow_one() {
    // 0 hides 1 from the final of the parts, and is too slow to be had; 1 is the next best.
    let plans =
        vec![vec![(vec![], 100.0), (vec![0], 10.0), (vec![1], 12.0), (vec![2], 20.0), (vec![3], 90.0)]];
    let (mut problem, mut planner) = spelled_out(plans, 4, 1);
    problem.limits.at_once = 1;
    problem.limits.slowdown = Some(0.05);
    planner.scattered = vec![(0, 30.0)];
    let mut search = Search::new(&problem, &mut planner);
    let mut proof = Proof::new(&mut search, true);
    let least = proof.least_at(0, &[0.0; 4], 1e-6, REFUSED);
    assert!(least.is_some_and(|least| 10.0 < least && least <= 12.0), "{least:?}");
}

#[test]
fn what_makes_a_statement_slow_comes_with_a_cure_or_not_at_all() {
    // 0 helps the first and slows the second down, unless 1 is there; there is room for one.
    let plans =
        vec![vec![(vec![], 100.0), (vec![0], 20.0)], vec![(vec![], 100.0), (vec![0], 60.0), (vec![1], 50.0)]];
    let (mut problem, mut planner) = spelled_out(plans, 2, 1);
    problem.limits.slowdown = Some(0.05);
    planner.scattered = vec![(0, 3.0)];
    for (statement, plan) in problem.statements.iter_mut().zip(0..) {
        statement.before = planner.plan(plan, &[]);
    }
    let found = select(&problem, &mut planner);
    assert_eq!(members(&found), [1]);
    // Without the cover 0 would save 80 of 200; with it, half of each saves 65.
    let bound = found.certificate.bound_ms;
    assert!((134.5 / 1.015..=150.0).contains(&bound), "{bound}");
}

#[test]
fn where_every_statement_is_at_its_best_only_the_fuzz_is_open() {
    let plans = vec![vec![(vec![], 100.0), (vec![0], 10.0)], vec![(vec![], 100.0), (vec![1], 20.0)]];
    let (problem, planner) = spelled_out(plans, 2, 5);
    let c = select(&problem, &mut planner.clone()).certificate;
    assert_eq!((c.total_before_ms, c.total_after_ms, c.violations), (200.0, 30.0, 0));
    assert!(c.complete && (c.bound_ms - 30.0 / 1.015).abs() < 1e-6, "{c:?}");
}

#[test]
fn without_candidates_there_is_nothing_left_to_save() {
    let (problem, planner) = spelled_out(vec![vec![(vec![], 100.0)]], 0, 5);
    let found = select(&problem, &mut planner.clone());
    assert_eq!((found.certificate.bound_ms, found.certificate.gap), (100.0, 0.0));
    let nothing = Problem { statements: Vec::new(), ..problem };
    let found = select(&nothing, &mut planner.clone());
    assert!(found.certificate.complete && found.certificate.gap == 0.0);
}

#[test]
fn a_statement_that_fails_stays_at_what_it_costs_now() {
    let plans = vec![vec![(vec![], 100.0), (vec![0], 10.0)], vec![(vec![], 100.0), (vec![1], 10.0)]];
    let (problem, mut planner) = spelled_out(plans, 2, 2);
    planner.failing = Some((0, 1));
    let c = select(&problem, &mut planner).certificate;
    assert!((c.bound_ms - (100.0 + 10.0 / 1.015)).abs() < 1e-6, "{c:?}");
}

/// Tables with statements that filter some of their columns, and indexes over those columns: a planner that knows
/// prefixes, covering, and pairs of indexes that spare a sort.
#[derive(Clone, Debug, Default)]
struct Warehouse {
    statements: Vec<Vec<Access>>,
    /// By statement: two candidates and what both in one plan spare.
    pairs: Vec<Vec<(CandidateId, CandidateId, f64)>>,
    calls: u64,
}

#[derive(Clone, Debug)]
struct Access {
    scan: f64,
    ways: Vec<(CandidateId, f64)>,
}

impl Warehouse {
    fn plan(&self, statement: StatementId, configuration: &[CandidateId]) -> PlanCost {
        self.plan_at(statement, configuration, &|_| 0.0)
    }

    /// With what having an index costs; a table is read at most once in a statement.
    fn plan_at(
        &self,
        statement: StatementId,
        configuration: &[CandidateId],
        price: &dyn Fn(CandidateId) -> f64,
    ) -> PlanCost {
        let there = |c: &CandidateId| configuration.binary_search(c).is_ok();
        let way = |access: &Access, forced: Option<CandidateId>| -> (Option<CandidateId>, f64) {
            let open = access.ways.iter().filter(|(c, _)| there(c) && forced.is_none_or(|f| f == *c));
            let dear = open.map(|(c, cost)| (*c, cost + price(*c)));
            let best = dear.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(c, cost)| (Some(c), cost));
            best.filter(|(_, cost)| *cost < access.scan || forced.is_some()).unwrap_or((None, access.scan))
        };
        let accesses = &self.statements[statement];
        let whole = |pair: Option<&(CandidateId, CandidateId, f64)>| {
            let mut used = Vec::new();
            let mut cost = pair.map_or(0.0, |p| -p.2);
            for access in accesses {
                let forced = pair.and_then(|p| {
                    [p.0, p.1].into_iter().find(|c| access.ways.iter().any(|(way, _)| way == c))
                });
                let (by, more) = way(access, forced);
                used.extend(by);
                cost += more;
            }
            used.sort_unstable();
            (cost, used)
        };
        let mut best = whole(None);
        for pair in self.pairs[statement].iter().filter(|p| there(&p.0) && there(&p.1)) {
            let other = whole(Some(pair));
            if other.0 < best.0 {
                best = other;
            }
        }
        PlanCost {
            startup: 0.0,
            total: best.0,
            in_memory: best.0,
            rows: 1.0,
            used: best.1,
            used_existing: Vec::new(),
        }
    }
}

impl WhatIf for Warehouse {
    fn cost(
        &mut self,
        statement: StatementId,
        configuration: &[CandidateId],
    ) -> Result<PlanCost, WhatIfError> {
        self.calls += 1;
        Ok(self.plan(statement, configuration))
    }

    fn cost_at_prices(
        &mut self,
        statement: StatementId,
        priced: &[(CandidateId, f64)],
        _most_in_memory: f64,
    ) -> Result<Option<Priced>, WhatIfError> {
        self.calls += 1;
        let configuration: Vec<CandidateId> = priced.iter().map(|(candidate, _)| *candidate).collect();
        let price = |candidate: CandidateId| {
            let at = priced.binary_search_by_key(&candidate, |(candidate, _)| *candidate);
            at.map_or(0.0, |at| priced[at].1)
        };
        let plan = self.plan_at(statement, &configuration, &price);
        Ok(Some(Priced { total: plan.total, used: plan.used, calls: 1 }))
    }

    fn expired(&mut self) -> bool {
        false
    }
}

/// `statements` over eight tables of very different sizes, with all the indexes that a generator would think of.
fn warehouse(seed: u64, statements: usize, budget: f64) -> (Problem, Warehouse) {
    let mut n = Numbers(seed);
    let tables: [(f64, usize); 8] =
        [(6e6, 12), (1.5e6, 8), (8e5, 5), (2e5, 7), (1.5e5, 7), (1e4, 5), (25.0, 3), (5.0, 2)];
    // Index: table, ordered columns, whether it covers.
    let mut pool: Vec<(usize, Vec<usize>, bool)> = Vec::new();
    let mut wants = Vec::new();
    for _ in 0..statements {
        let joined: BTreeSet<usize> = (0..1 + n.below(4)).map(|_| n.below(8).min(n.below(8))).collect();
        let mut accesses = Vec::new();
        for table in joined {
            let columns: BTreeSet<usize> = (0..1 + n.below(3)).map(|_| n.below(tables[table].1)).collect();
            let columns: Vec<(usize, f64)> =
                columns.into_iter().map(|c| (c, 10_f64.powf(-3.0 * n.share() * n.share()))).collect();
            let all: Vec<usize> = columns.iter().map(|(c, _)| *c).collect();
            for (i, c) in all.iter().enumerate() {
                pool.push((table, vec![*c], false));
                for d in all.iter().filter(|d| *d != c) {
                    pool.push((table, vec![*c, *d], false));
                    pool.push((table, vec![*c, *d], true));
                }
                let mut rotated = all.clone();
                rotated.rotate_left(i);
                pool.push((table, rotated.clone(), false));
                pool.push((table, rotated, true));
            }
            accesses.push((table, columns, 0.3 + 0.7 * n.share()));
        }
        wants.push(accesses);
    }
    pool.sort();
    pool.dedup();
    let candidates: Vec<CandidateCost> = pool
        .iter()
        .enumerate()
        .map(|(id, (table, columns, covers))| CandidateCost {
            size_bytes: (tables[*table].0
                * (8.0 + 8.0 * columns.len() as f64 + if *covers { 24.0 } else { 0.0 }))
                as u64
                + 8192,
            write_ms: 0.0,
            tie_break: format!("{id:05}"),
            relatives: (0..pool.len())
                .filter(|o| {
                    *o != id
                        && pool[*o].0 == *table
                        && pool[*o].1.len() <= columns.len()
                        && columns.starts_with(&pool[*o].1)
                })
                .collect(),
            keys: Some(pool.iter().position(|p| p.0 == *table && p.1 == *columns).unwrap() as u32),
            ..CandidateCost::default()
        })
        .collect();
    let mut planner = Warehouse::default();
    for accesses in &wants {
        let mut ways_of = Vec::new();
        for (table, columns, loss) in accesses {
            let rows = tables[*table].0;
            let scan = rows * 0.01 + 1.0;
            let mut ways = Vec::new();
            for (id, (of, keys, covers)) in pool.iter().enumerate() {
                if of != table {
                    continue;
                }
                let mut share = 1.0;
                let mut matched = 0;
                for key in keys {
                    match columns.iter().find(|(c, _)| c == key) {
                        Some((_, selectivity)) => {
                            share *= selectivity;
                            matched += 1;
                        }
                        None => break,
                    }
                }
                let covering = *covers && columns.iter().all(|(c, _)| keys.contains(c));
                if matched == 0 && !covering {
                    continue;
                }
                let cost = if covering { scan * share * 0.4 } else { scan * (share * 4.0 * loss) } + 1.0;
                if cost < scan {
                    ways.push((id, cost));
                }
            }
            ways_of.push(Access { scan, ways });
        }
        let mut pairs = Vec::new();
        for w in ways_of.windows(2) {
            if n.below(3) == 0 && !w[0].ways.is_empty() && !w[1].ways.is_empty() {
                let (a, b) = (w[0].ways[n.below(w[0].ways.len())], w[1].ways[n.below(w[1].ways.len())]);
                pairs.push((a.0, b.0, 0.3 * (a.1 + b.1)));
            }
        }
        planner.statements.push(ways_of);
        planner.pairs.push(pairs);
    }
    let statements = (0..wants.len()).map(|id| {
        let relevant: BTreeSet<CandidateId> =
            planner.statements[id].iter().flat_map(|a| a.ways.iter().map(|w| w.0)).collect();
        let before = planner.plan(id, &[]);
        WeightedStatement {
            id,
            weight: (0.3 + n.share()) * 1000.0 / before.total.powf(0.5),
            before,
            pace: 1.0,
            relevant: relevant.into_iter().collect(),
        }
    });
    let statements = statements.collect();
    let storage_bytes = Some((budget * 1e6) as u64);
    let limits =
        Limits { storage_bytes, max_indexes: 100, min_gain: 0.003, noise: 0.01, ..Limits::default() };
    (Problem { statements, candidates, limits, ..Problem::default() }, planner)
}

#[test]
fn tight_on_a_workload_of_a_realistic_shape() {
    // Measured over four seeds with twenty statements: gaps of 0.7 to 1.4 % of the cost before at 4 GB, 3 to 4 at 1.6 GB
    // and 6 to 10 at 1 GB within 1,400 calls; two thousand more calls halve the latter.
    let (problem, mut planner) = warehouse(1, 20, 4000.0);
    let found = select(&problem, &mut planner);
    let c = &found.certificate;
    assert!(c.complete && found.search.complete);
    assert!(c.gap <= 0.012 && c.violations == 0, "{c:?}");
    assert!(planner.calls <= 1_500 && planner.calls == found.search.planner_calls, "{} calls", planner.calls);
    // The whole pool was looked at, not what the search moved.
    assert!(problem.candidates.len() > 250);
}
