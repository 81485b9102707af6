//! Costs in memory count the part of a plan that runs, of the paths that the plan is made of.

#[pgrx::pg_schema]
mod tests {
    use crate::server_tests::page_work::{costs, tables};
    use crate::server_tests::*;

    /// Sorted groups come as the rows do; with an index in their order, three of them are three of them.
    #[pg_test]
    fn a_limit_stops_groups_that_come_in_order() {
        tables();
        run("SET LOCAL enable_seqscan = off");
        run("SET LOCAL enable_hashagg = off");
        let groups = "SELECT category, count(filler) FROM big GROUP BY category ORDER BY category";
        let (all, three) = (costs(groups), costs(&format!("{groups} LIMIT 3")));
        assert!(three.total < 0.02 * all.total, "{three:?} {all:?}");
        assert!(three.in_memory < 0.02 * all.in_memory, "{three:?} {all:?}");
    }

    #[pg_test]
    fn a_limit_stops_a_sort_that_begins_where_an_index_ends() {
        tables();
        run("SET LOCAL enable_seqscan = off");
        let rows = "SELECT category, filler FROM big ORDER BY category, filler";
        let (all, five) = (costs(rows), costs(&format!("{rows} LIMIT 5")));
        assert!(five.total < 0.02 * all.total, "{five:?} {all:?}");
        assert!(five.in_memory < 0.02 * all.in_memory, "{five:?} {all:?}");
    }

    #[pg_test]
    fn rows_that_an_offset_skips_are_read() {
        tables();
        run("SET LOCAL enable_seqscan = off");
        let rows = "SELECT filler FROM big WHERE category = 7";
        let (first, late) = (costs(&format!("{rows} LIMIT 5")), costs(&format!("{rows} LIMIT 5 OFFSET 150")));
        assert!(late.in_memory > 10.0 * first.in_memory, "{late:?} {first:?}");
        let (all, skipped) = (costs(rows), costs(&format!("{rows} OFFSET 190")));
        assert!((skipped.in_memory / all.in_memory - 1.0).abs() < 0.01, "{skipped:?} {all:?}");
    }

    /// Of a sub-query, the outer query may take another path than the cheapest.
    #[pg_test]
    fn a_sub_query_takes_the_path_that_was_chosen() {
        tables();
        run("SET LOCAL random_page_cost = 20");
        let all = "SELECT id FROM big ORDER BY category OFFSET 0";
        let first = costs(&format!("SELECT * FROM ({all}) AS s LIMIT 5"));
        assert!(costs(all).used_existing.is_empty(), "the cheapest is to sort");
        assert!(first.total < 100.0 && first.in_memory < 100.0, "{first:?}");
    }

    #[pg_test]
    fn whether_there_is_a_row_takes_one_row() {
        tables();
        let plain = costs("SELECT count(*) FROM ordered");
        let exists = costs("SELECT count(*) FROM ordered WHERE EXISTS (SELECT FROM big WHERE id > 5)");
        assert!((exists.total - plain.total).abs() < 20.0, "{exists:?} {plain:?}");
        assert!((exists.in_memory - plain.in_memory).abs() < 20.0, "{exists:?} {plain:?}");
    }

    #[pg_test]
    fn the_least_value_is_looked_for_along_an_index() {
        tables();
        // Every row until one of the category comes.
        let least = costs("SELECT max(id) FROM big WHERE category = 7 AND filler <> ''");
        run("SET LOCAL random_page_cost = 10");
        run("SET LOCAL seq_page_cost = 10");
        run("SET LOCAL enable_indexscan = on");
        let dear = costs("SELECT max(id) FROM big WHERE category = 7 AND filler <> ''");
        assert!(dear.total > 1.5 * least.total, "{dear:?} {least:?}");
        // Whatever pages are said to cost, they take the same.
        assert!(dear.in_memory < 1.2 * least.in_memory, "{dear:?} {least:?}");
    }

    /// Two hundred thousand look-ups of twenty thousand keys, for a quarter of which there is memory.
    #[pg_test]
    fn what_was_looked_up_is_forgotten_where_memory_is_short() {
        tables();
        run(
            "CREATE TABLE visits AS SELECT abs(hashint4(g)) % 20000 + 1 AS big_id FROM generate_series(1, 200000) AS g",
        );
        run("ANALYZE visits");
        run("SET LOCAL enable_memoize = on");
        run("SET LOCAL hash_mem_multiplier = 1");
        let join = "SELECT count(filler) FROM visits JOIN big ON id = big_id";
        run("SET LOCAL work_mem = '64MB'");
        let roomy = costs(join);
        run("SET LOCAL work_mem = '3MB'");
        let short = costs(join);
        run("SET LOCAL enable_memoize = off");
        let none = costs(join);
        assert!(
            roomy.total < 0.9 * short.total && short.total < 0.95 * none.total,
            "{roomy:?} {short:?} {none:?}"
        );
        assert!(short.in_memory > 3.0 * roomy.in_memory, "{short:?} {roomy:?} {none:?}");
        assert!((0.7..1.0).contains(&(short.in_memory / none.in_memory)), "{short:?} {roomy:?} {none:?}");
    }

    #[pg_test]
    fn a_merge_ends_with_the_shorter_side() {
        tables();
        run("CREATE TABLE few AS SELECT g AS big_id FROM generate_series(1, 1000) AS g");
        run("ANALYZE few");
        run("SET LOCAL enable_mergejoin = on");
        run("SET LOCAL enable_nestloop = off");
        let merged = costs("SELECT count(filler) FROM few JOIN big ON id = big_id");
        assert!(merged.total < 500.0, "{merged:?}");
        assert!(merged.in_memory < 500.0, "{merged:?}");
    }

    /// Where a bitmap keeps pages, not rows, all rows of these are looked at.
    #[pg_test]
    fn a_lossy_bitmap_has_rows_checked_again() {
        tables();
        run("SET LOCAL enable_bitmapscan = on");
        run("SET LOCAL enable_indexscan = off");
        run("SET LOCAL enable_seqscan = off");
        let rows = "SELECT filler FROM big WHERE category < 200";
        run("SET LOCAL work_mem = '64MB'");
        let exact = costs(rows);
        run("SET LOCAL work_mem = '64kB'");
        let lossy = costs(rows);
        let (charged, counted) = (lossy.total - exact.total, lossy.in_memory - exact.in_memory);
        assert!(charged > 1000.0, "{exact:?} {lossy:?}");
        assert!((counted / charged - 1.0).abs() < 0.1, "{exact:?} {lossy:?}");
    }

    /// What is no work with pages stays as the planner charges it, whatever scan it hangs on.
    #[pg_test]
    fn the_rest_of_a_scans_cost_stays() {
        tables();
        run(
            "CREATE FUNCTION dear(int) RETURNS int IMMUTABLE COST 10000 LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'",
        );
        run("SET LOCAL enable_seqscan = off");
        let plain = "SELECT id FROM big WHERE category = 7";
        let sub_plan = "SELECT id FROM big WHERE category = 7 AND id NOT IN (SELECT big_id FROM ordered)";
        let computed = "SELECT dear(id) FROM big WHERE category = 7";
        for (index, bitmap) in [("on", "off"), ("off", "on")] {
            run(&format!("SET LOCAL enable_indexscan = {index}"));
            run(&format!("SET LOCAL enable_bitmapscan = {bitmap}"));
            let plain = costs(plain);
            for query in [sub_plan, computed] {
                let more = costs(query);
                let (charged, counted) = (more.total - plain.total, more.in_memory - plain.in_memory);
                assert!(charged > 1000.0, "{query}: {plain:?} {more:?}");
                assert!((counted / charged - 1.0).abs() < 0.1, "{query}: {plain:?} {more:?}");
            }
        }
    }

    #[pg_test]
    fn both_sides_of_a_set_operation_count() {
        tables();
        let pages = f64::from(value::<i32>("SELECT relpages FROM pg_class WHERE relname = 'big'"));
        for operation in ["EXCEPT", "INTERSECT", "EXCEPT ALL"] {
            let both =
                costs(&format!("SELECT category, filler FROM big {operation} SELECT id, filler FROM big"));
            assert!((both.total - both.in_memory - 2.0 * 0.7 * pages).abs() < 100.0, "{operation}: {both:?}");
        }
    }

    /// The planner takes every recursion for ten rounds.
    #[pg_test]
    fn a_recursion_goes_round_as_often_as_the_planner_thinks() {
        tables();
        run("SET LOCAL enable_hashjoin = on");
        run("SET LOCAL enable_nestloop = off");
        let pages = f64::from(value::<i32>("SELECT relpages FROM pg_class WHERE relname = 'big'"));
        let round = costs(
            "WITH RECURSIVE r(n, filler) AS (SELECT 1, 'y' UNION ALL SELECT n + 1, b.filler FROM r JOIN big AS b ON r.filler = b.filler) SELECT n FROM r",
        );
        let saved = round.total - round.in_memory;
        // What pages save, less what looking up 200,000 rows in a hash table takes.
        let of_a_round = 0.7 * pages - 0.015 * 200_000.0;
        assert!((saved / (10.0 * of_a_round) - 1.0).abs() < 0.1, "{saved} {pages} {round:?}");
    }

    /// A table has no more rows than it has, however unlikely the planner takes what is true of most of them.
    #[pg_test]
    fn no_more_rows_are_found_than_there_are() {
        tables();
        run(
            "CREATE TABLE lines AS SELECT id, id AS a, id AS b, -id AS c, -id AS d, id + 1 AS e, id + 1 AS f FROM big ORDER BY hashint4(id)",
        );
        run("CREATE INDEX ON lines (id) WHERE a = b AND c = d AND e = f");
        run("ANALYZE lines");
        let join = "SELECT count(big.filler) FROM lines JOIN big USING (id)";
        let all = costs(join);
        let most = costs(&format!("{join} WHERE a = b AND c = d AND e = f"));
        assert!(most.total < 0.01 * all.total, "{most:?} {all:?}");
        assert!(
            most.in_memory > 0.2 * all.in_memory && most.in_memory < 2.0 * all.in_memory,
            "{most:?} {all:?}"
        );
    }

    /// What a nested loop keeps of its inner side within a sub-query is gone when the sub-query runs for another row.
    #[pg_test]
    fn a_sub_query_that_runs_for_each_row_keeps_nothing() {
        tables();
        run(
            "CREATE TABLE wide AS SELECT g AS n, repeat('x', 1000) AS filler FROM generate_series(1, 2000) AS g",
        );
        run("CREATE TABLE rounds AS SELECT g AS n FROM generate_series(1, 50) AS g");
        run("ANALYZE wide, rounds");
        run("SET LOCAL enable_material = on");
        let pages = f64::from(value::<i32>("SELECT relpages FROM pg_class WHERE relname = 'wide'"));
        let each = costs(
            "SELECT * FROM rounds, LATERAL (SELECT a.n FROM wide AS a, wide AS b WHERE a.n + b.n > rounds.n OFFSET 0) AS s",
        );
        let saved = each.total - each.in_memory;
        assert!((saved / (50.0 * 2.0 * 0.7 * pages) - 1.0).abs() < 0.1, "{saved} {pages} {each:?}");
    }
}
