//! Prices inside a planner call, held against the planner itself: what it says at prices is the least, over all sets of the candidates,
//! of what it says of the set and what the set costs.

use crate::cost::{CandidateId, WhatIf};
use crate::pg::what_if::{A_FEW, ServerWhatIf, with_some_candidates};
use crate::server_tests::*;

/// Candidates in view: all of their sets are planned.
const CANDIDATES: usize = 6;
/// Price lists for each query.
const LISTS: u64 = 6;
/// The planner takes paths within 1 % for equal (`STD_FUZZ_FACTOR`, pathnode.c), on either side.
const FUZZ: f64 = 0.015;

/// Random numbers that are the same in each run (splitmix64, after Steele, Lea and Flood 2014).
fn share(seed: u64) -> f64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Facts with three dimensions, a partitioned table, and documents with an OR; all small enough to plan thousands of times.
fn tables() {
    run("CREATE TABLE fact (id int, store int, item int, day date, amount numeric, note text)");
    run("INSERT INTO fact SELECT g, g % 50, (g * 7919) % 2000, date '2020-01-01' + g / 100, g % 977, repeat('n', g % 60)
           FROM generate_series(1, 60000) AS g");
    run("CREATE TABLE store (id int PRIMARY KEY, region int, name text)");
    run("INSERT INTO store SELECT g, g % 7, 'store ' || g FROM generate_series(0, 49) AS g");
    run("CREATE TABLE item (id int PRIMARY KEY, kind int, label text)");
    run("INSERT INTO item SELECT g, g % 40, md5(g::text) FROM generate_series(0, 1999) AS g");
    run("CREATE TABLE part (k int, v int, w text) PARTITION BY RANGE (k)");
    run("CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10000)");
    run("CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (10000) TO (30000)");
    run("INSERT INTO part SELECT g, g % 500, md5(g::text) FROM generate_series(0, 29999) AS g");
    run("ANALYZE");
    // As VACUUM leaves it, which no transaction can run.
    run(
        "UPDATE pg_class SET relallvisible = relpages WHERE relname IN ('fact', 'store', 'item', 'part1', 'part2')",
    );
}

/// How the least at prices compares with the least over all sets: the lowest and the highest ratio met, and whether any price ever
/// kept an index out.
fn compare(what_if: &mut ServerWhatIf<'_>, candidates: &[CandidateId]) -> (f64, f64, bool) {
    let sets = (0_usize..1 << candidates.len())
        .map(|mask| candidates.iter().copied().filter(|c| mask >> c & 1 == 1).collect::<Vec<CandidateId>>());
    let costs: Vec<(Vec<CandidateId>, f64)> = sets
        .map(|set| {
            let plan = what_if.cost(0, &set).expect("planned");
            (set, plan.total)
        })
        .collect();
    let before = costs[0].1;
    let (mut lowest, mut highest, mut kept_out) = (f64::INFINITY, 0.0_f64, false);
    for list in 0..LISTS {
        // The first is of prices that no index is worth.
        let scale = if list == 0 { 10.0 * before } else { before * 10_f64.powf(-2.5 * share(list * 77 + 1)) };
        let priced: Vec<(CandidateId, f64)> =
            candidates.iter().map(|c| (*c, scale * share(list * 1000 + *c as u64))).collect();
        let price = |set: &[CandidateId]| set.iter().map(|c| priced[*c].1).sum::<f64>();
        let least = costs.iter().map(|(set, cost)| cost + price(set)).fold(f64::INFINITY, f64::min);
        let found = what_if.cost_at_prices(0, &priced, f64::INFINITY).expect("planned").expect("asked");
        let ratio = found.total / least;
        (lowest, highest) = (lowest.min(ratio), highest.max(ratio));
        kept_out |= found.total >= before * 0.999;
    }
    (lowest, highest, kept_out)
}

#[pgrx::pg_schema]
mod tests {
    use super::*;

    /// Each with the least share of the true least that may be found: less than 1 where what cannot be charged once is not charged.
    /// Of parallel joins the planner itself finds dearer ones with more indexes, as smaller scans get fewer workers.
    const QUERIES: [(&str, f64); 22] = [
        ("SELECT amount FROM fact WHERE store = 7 AND day = '2020-03-01'", 0.985),
        ("SELECT count(*) FROM fact WHERE item = 70", 0.985),
        ("SELECT store, sum(amount) FROM fact GROUP BY store ORDER BY store", 0.985),
        ("SELECT * FROM fact ORDER BY day DESC LIMIT 5", 0.985),
        ("SELECT amount FROM fact JOIN item ON item.id = fact.item WHERE item.kind = 5", 0.985),
        (
            "SELECT amount FROM fact JOIN item ON item.id = fact.item JOIN store ON store.id = fact.store
              WHERE item.kind = 5 AND store.region = 2",
            0.985,
        ),
        ("SELECT name FROM store WHERE EXISTS (SELECT FROM fact WHERE fact.store = store.id AND amount = 5)", 0.985),
        ("SELECT label FROM item WHERE NOT EXISTS (SELECT FROM fact WHERE fact.item = item.id) AND kind = 3", 0.985),
        ("SELECT label, amount FROM item LEFT JOIN fact ON fact.item = item.id WHERE kind = 3", 0.985),
        ("WITH f AS MATERIALIZED (SELECT * FROM fact WHERE store = 9) SELECT * FROM f JOIN item ON item.id = f.item", 0.985),
        ("SELECT amount FROM fact WHERE store = 7 UNION ALL SELECT kind FROM item WHERE kind = 5", 0.985),
        ("SELECT * FROM part WHERE v = 77", 0.985),
        ("SELECT part.w FROM store JOIN part ON part.v = store.id WHERE store.region = 2", 0.2),
        // Arms of an OR: a scan by several indexes is charged but a part of each.
        ("SELECT amount FROM fact WHERE (store = 7 AND item < 10) OR (day = '2020-03-01' AND item = 4)", 0.2),
        (
            "SELECT amount FROM fact WHERE (store = 7 AND (item < 10 OR item > 1990)) OR (day = '2020-03-01' AND item = 4)",
            0.2,
        ),
        // A sample is read by no index, and what is known to be empty by none.
        ("SELECT s.amount FROM fact AS s TABLESAMPLE SYSTEM (10) JOIN item ON item.id = s.item WHERE item.kind = 5", 0.985),
        ("SELECT amount FROM fact WHERE store = 7 AND item = 5 AND item = 6 OR store = 8 AND day < '2020-02-01'", 0.2),
        // Two places, and either may hold the index.
        (
            "SELECT a.amount FROM fact a JOIN fact b ON b.item = a.item WHERE a.day = '2020-03-01' AND b.store = 3",
            0.5,
        ),
        // For each row.
        ("SELECT id, (SELECT max(amount) FROM fact WHERE fact.item = item.id) FROM item WHERE kind = 3", 0.0),
        ("SELECT label, f.amount FROM item, LATERAL (SELECT amount FROM fact WHERE fact.item = item.id ORDER BY day LIMIT 1) f
           WHERE kind = 3", 0.0),
        ("SELECT count(*) FROM fact WHERE item = ANY (ARRAY[1, 2, 3]) AND day > '2020-06-01'", 0.985),
        ("UPDATE fact SET note = 'x' WHERE item = 4 AND store = 2", 0.985),
    ];

    fn check(most: f64) {
        let (mut kept_out, mut wrong) = (0, Vec::new());
        for (query, at_least) in QUERIES {
            let found = with_some_candidates(&[query], CANDIDATES, |what_if, candidates| {
                assert!(!candidates.is_empty(), "{query}");
                compare(what_if, candidates)
            });
            let (lowest, highest, kept) = found.unwrap_or_else(|error| panic!("{query}: {}", error.message));
            if highest > most || lowest < at_least {
                wrong.push(format!("{query}: {lowest} to {highest} of the least"));
            }
            kept_out += usize::from(kept);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        // Some prices keep all indexes out, or nothing was tested.
        assert!(kept_out >= 5, "{kept_out}");
    }

    #[pg_test]
    fn what_the_planner_says_at_prices_is_the_least_over_all_sets() {
        tables();
        run("SET LOCAL max_parallel_workers_per_gather = 0");
        run("SET LOCAL random_page_cost = 1.1");
        check(1.0 + FUZZ);
    }

    #[pg_test]
    fn so_it_is_with_workers_and_pages_that_cost() {
        tables();
        run("SET LOCAL parallel_setup_cost = 10");
        run("SET LOCAL parallel_tuple_cost = 0.001");
        run("SET LOCAL min_parallel_table_scan_size = 0");
        run("SET LOCAL min_parallel_index_scan_size = 0");
        check(1.25);
    }

    /// Of what other statements want, much does the same for one as something smaller: that is not asked about, and nothing is missed.
    #[pg_test]
    fn indexes_of_other_statements_are_left_out_only_where_others_do_as_well() {
        tables();
        run("SET LOCAL max_parallel_workers_per_gather = 0");
        run("SET LOCAL random_page_cost = 1.1");
        for query in [
            "SELECT amount, item FROM fact WHERE store = 7",
            "SELECT store, max(item) FROM fact GROUP BY store",
            "SELECT count(amount) FROM fact WHERE (store, item) > (48, 1000)",
            "SELECT f.day FROM store JOIN fact f ON f.store = store.id WHERE f.store + f.item = 7 AND region = 2",
            "SELECT amount FROM fact JOIN item ON item.id = fact.item AND item.kind > fact.store WHERE label < 'ab'",
        ] {
            let others = [
                "SELECT note FROM fact WHERE store = 7 AND item = 5",
                "SELECT note FROM fact WHERE store = 7 ORDER BY amount LIMIT 10",
                "SELECT amount FROM fact WHERE item = 5 AND day > '2020-05-01'",
                "SELECT amount FROM fact WHERE store = 5 AND amount = 5 AND item > 5",
            ];
            let queries: Vec<&str> = std::iter::once(query).chain(others).collect();
            let found = with_some_candidates(&queries, 9, compare);
            let (lowest, highest, _) = found.unwrap_or_else(|error| panic!("{query}: {}", error.message));
            assert!(highest <= 1.0 + FUZZ && lowest >= 0.985, "{query}: {lowest} to {highest} of the least");
        }
    }

    /// The planner is not shown all of many candidates. A few it is.
    #[pg_test]
    fn with_many_candidates_a_plan_costs_no_more_than_with_any_few_of_them() {
        tables();
        run("SET LOCAL random_page_cost = 1.1");
        let queries: Vec<&str> = QUERIES.iter().map(|(query, _)| *query).collect();
        for first in 0..queries.len() {
            let queries = [&queries[first..], &queries[..first]].concat();
            let found = with_some_candidates(&queries, 60, |what_if, candidates| {
                let all = what_if.cost(0, candidates).expect("planned");
                let used = what_if.cost(0, &all.used).expect("planned");
                assert!((used.total / all.total - 1.0).abs() < FUZZ, "{}: {all:?} {used:?}", queries[0]);
                for set in 0..100 {
                    let few = |c: &CandidateId| share(set * 1000 + *c as u64) < 0.15;
                    let few: Vec<CandidateId> = candidates.iter().copied().filter(few).take(A_FEW).collect();
                    let plan = what_if.cost(0, &few).expect("planned");
                    assert!(all.total <= (1.0 + FUZZ) * plan.total, "{}: {all:?} {plan:?}", queries[0]);
                }
                candidates.len()
            });
            assert!(found.is_ok_and(|candidates| candidates > 40), "{}", queries[0]);
        }
    }

    /// The genetic search makes joins and throws them away by the thousand: nothing of them may be remembered.
    #[pg_test]
    fn joins_of_the_genetic_search_are_forgotten() {
        tables();
        run("SET LOCAL geqo_threshold = 2");
        run("SET LOCAL max_parallel_workers_per_gather = 0");
        run("SET LOCAL random_page_cost = 1.1");
        let star = "SELECT f.amount FROM fact f JOIN item i ON i.id = f.item JOIN store s ON s.id = f.store
             JOIN fact g ON g.item = i.id AND g.store = s.id JOIN item j ON j.id = g.item JOIN store t ON t.id = g.store
             LEFT JOIN part p ON p.v = f.store AND p.k = i.id WHERE i.kind = 5 AND s.region = 2 AND j.kind = 5";
        let found = with_some_candidates(&[star], 12, |what_if, candidates| {
            let before = what_if.cost(0, &[]).expect("planned").total;
            for list in 0..40 {
                let price = |c: &CandidateId| (*c, before * 0.1 * share(list * 1000 + *c as u64));
                let priced: Vec<(CandidateId, f64)> = candidates.iter().map(price).collect();
                let most = if list % 2 == 0 { f64::INFINITY } else { before };
                let found = what_if.cost_at_prices(0, &priced, most).expect("planned").expect("asked");
                assert!(found.total > 0.0 && found.total < 1.2 * before, "{found:?}, {before} before");
            }
            candidates.len()
        });
        assert!(found.is_ok_and(|candidates| candidates > 4));
    }

    /// Of the greatest value the planner takes the first order of nulls in which there is any index, whatever that costs
    /// (preprocess_minmax_aggregates, planagg.c): so with one index in view.
    #[pg_test]
    fn the_greatest_value_is_charged_once() {
        tables();
        let found = with_some_candidates(
            &["SELECT max(amount) FROM fact WHERE store = 3"],
            CANDIDATES,
            |what_if, candidates| {
                for candidate in candidates {
                    let plan = what_if.cost(0, &[*candidate]).expect("planned");
                    let priced = [(*candidate, 7.0)];
                    let found =
                        what_if.cost_at_prices(0, &priced, f64::INFINITY).expect("planned").expect("asked");
                    assert!((found.total - plan.total - 7.0).abs() < 0.01, "{found:?} {plan:?}");
                }
                candidates.len()
            },
        );
        assert!(found.is_ok_and(|candidates| candidates > 2));
    }

    /// No other set of join methods is left behind.
    #[pg_test]
    fn a_call_at_prices_leaves_the_session_as_it_was() {
        tables();
        let query = "SELECT amount FROM fact JOIN item ON item.id = fact.item WHERE item.kind = 5";
        let settings = "SELECT string_agg(name || '=' || setting, ',' ORDER BY name) FROM pg_settings WHERE name LIKE 'enable_%'";
        let before = value::<String>(settings);
        with_some_candidates(&[query], CANDIDATES, |what_if, candidates| {
            let priced: Vec<(CandidateId, f64)> = candidates.iter().map(|c| (*c, 10.0)).collect();
            what_if.cost_at_prices(0, &priced, f64::INFINITY).expect("planned").expect("asked");
        })
        .unwrap_or_else(|error| panic!("{}", error.message));
        assert_eq!(value::<String>(settings), before);
        assert!(value::<bool>("SELECT count(*) > 0 FROM fact JOIN item ON item.id = fact.item"));
    }

    /// Joins that take longer in memory than a plan may are left out, and only these.
    #[pg_test]
    fn plans_that_take_too_long_in_memory_are_left_out() {
        crate::server_tests::page_work::tables();
        run("DROP INDEX big_category_idx");
        run("CREATE TABLE far AS SELECT hashint4(g) % 1000 AS category FROM generate_series(1, 2000) AS g");
        run("ANALYZE far");
        let query = "SELECT count(filler) FROM far JOIN big ON big.category = far.category";
        with_some_candidates(&[query], CANDIDATES, |what_if, candidates| {
            let free: Vec<(CandidateId, f64)> = candidates.iter().map(|c| (*c, 1e-9)).collect();
            let mut at = |most: f64| what_if.cost_at_prices(0, &free, most).expect("planned").expect("asked");
            let all = at(f64::INFINITY);
            assert!(!all.used.is_empty(), "{all:?}");
            let plan = what_if.cost(0, &all.used).expect("planned");
            let mut at = |most: f64| what_if.cost_at_prices(0, &free, most).expect("planned").expect("asked");
            let (allowed, refused) = (at(1.01 * plan.in_memory), at(0.9 * plan.in_memory));
            assert!((allowed.total / all.total - 1.0).abs() < 1e-6, "{allowed:?} {all:?}");
            assert!(refused.total > 1.01 * all.total && refused.used != all.used, "{refused:?} {all:?}");
        })
        .unwrap_or_else(|error| panic!("{}", error.message));
    }
}
