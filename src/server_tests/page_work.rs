//! Costs in memory, read off the planner's paths: what is visited in order is cheap, what is visited at random is not.

use super::run;
use crate::cost::PlanCost;
use crate::pg::what_if::costs_before;

/// What the planner says of a query as things are.
pub(super) fn costs(query: &str) -> PlanCost {
    let found = costs_before(&[query.to_string()]);
    let found = found.unwrap_or_else(|error| panic!("{query}: {}", error.message));
    found.into_iter().next().unwrap_or_else(|| panic!("{query}: no cost"))
}

/// `big` is stored in the order of `id` and takes 90 MB, `ordered` has its keys in that order, `shuffled` in none.
pub(super) fn tables() {
    run(
        "CREATE TABLE big AS SELECT g AS id, g % 1000 AS category, repeat('x', 400) AS filler FROM generate_series(1, 200000) AS g",
    );
    run("ALTER TABLE big ADD PRIMARY KEY (id)");
    run("CREATE INDEX ON big (category)");
    run("CREATE TABLE ordered AS SELECT g AS big_id FROM generate_series(1, 200000, 2) AS g");
    run("CREATE TABLE shuffled AS SELECT big_id FROM ordered ORDER BY hashint4(big_id)");
    for table in ["big", "ordered", "shuffled"] {
        run(&format!("ANALYZE {table}"));
    }
    for off in
        ["enable_hashjoin", "enable_mergejoin", "enable_bitmapscan", "enable_memoize", "enable_material"]
    {
        run(&format!("SET LOCAL {off} = off"));
    }
    run("SET LOCAL max_parallel_workers_per_gather = 0");
    run("SET LOCAL random_page_cost = 1.1");
}

#[pgrx::pg_schema]
mod tests {
    use super::{costs, tables};
    use crate::server_tests::*;

    #[pg_test]
    fn a_nested_loop_in_stored_order_is_cheaper_than_one_in_none() {
        tables();
        let join = |outer: &str| costs(&format!("SELECT count(filler) FROM {outer} JOIN big ON id = big_id"));
        let (near, far) = (join("ordered"), join("shuffled"));
        // The planner sees no difference between them.
        assert!((far.total / near.total - 1.0).abs() < 0.02, "{near:?} {far:?}");
        assert!(far.in_memory > 2.0 * near.in_memory, "{near:?} {far:?}");
        assert!(far.in_memory > 1.2 * far.total, "{far:?}");
        // Sorted by what is looked up, it is as good as stored so.
        let sorted = costs(
            "SELECT count(filler) FROM (SELECT big_id FROM shuffled ORDER BY big_id OFFSET 0) AS s JOIN big ON id = big_id",
        );
        assert!(sorted.in_memory < 0.8 * far.in_memory, "{sorted:?} {far:?}");
    }

    #[pg_test]
    fn rows_keep_their_order_in_each_batch_of_a_hash_join() {
        tables();
        run(
            "CREATE TABLE few AS SELECT g AS big_id, repeat('x', 100) AS filler FROM generate_series(1, 12000, 2) AS g ORDER BY hashint4(g)",
        );
        run("ANALYZE few");
        run("SET LOCAL join_collapse_limit = 1");
        run("SET LOCAL enable_hashjoin = on");
        run("SET LOCAL hash_mem_multiplier = 1");
        let join = |outer: &str| {
            costs(&format!(
                "SELECT count(big.filler || few.filler) FROM ({outer} JOIN few USING (big_id)) JOIN big ON id = big_id"
            ))
        };
        let by_order = |work_mem: &str| {
            run(&format!("SET LOCAL work_mem = '{work_mem}'"));
            let (near, far) = (join("ordered"), join("shuffled"));
            assert!((far.total / near.total - 1.0).abs() < 0.02, "{near:?} {far:?}");
            far.in_memory - near.in_memory
        };
        let (one, four) = (by_order("16MB"), by_order("256kB"));
        assert!(one > 1000.0 && four > 0.7 * one, "{one} {four}");
    }

    #[pg_test]
    fn what_was_just_looked_up_is_still_at_hand() {
        tables();
        // TPC-H 9: four suppliers of each part look up the lines of that part, one after the other.
        run("CREATE TABLE kinds AS SELECT g AS kind FROM generate_series(1, 300) AS g");
        run("CREATE TABLE mixed_kinds AS SELECT kind FROM kinds ORDER BY hashint4(kind)");
        run("CREATE TABLE offers AS SELECT kind, n FROM kinds, generate_series(1, 4) AS n ORDER BY kind");
        run("CREATE TABLE mixed AS SELECT kind, n FROM offers ORDER BY hashint4(kind * 10 + n)");
        run("CREATE INDEX ON offers (kind)");
        run("ANALYZE kinds, mixed_kinds, offers, mixed");
        run("SET LOCAL join_collapse_limit = 1");
        run("SET LOCAL enable_sort = off");
        let join = |outer: &str| {
            costs(&format!("SELECT count(filler) FROM {outer} JOIN big ON category = kind AND big.id <> n"))
        };
        // Offers as they are stored have few kinds; those of one kind follow each other, whatever kind comes before.
        let again = ["kinds JOIN offers USING (kind)", "offers", "mixed_kinds JOIN offers USING (kind)"];
        let anew = join("mixed");
        for again in again.map(join) {
            assert!((again.total / anew.total - 1.0).abs() < 0.05, "{again:?} {anew:?}");
            assert!(again.in_memory < 0.6 * anew.in_memory, "{again:?} {anew:?}");
        }
    }

    #[pg_test]
    fn keys_before_the_one_that_changes_do_not_hide_its_order() {
        tables();
        run("ALTER TABLE big DROP CONSTRAINT big_pkey");
        run("CREATE INDEX ON big (filler, id)");
        let join = |outer: &str| {
            let joined = format!("{outer} JOIN big ON filler = repeat('x', 400) AND id = big_id");
            costs(&format!("SELECT sum(category) FROM {joined}"))
        };
        let (near, far) = (join("ordered"), join("shuffled"));
        assert!((far.total / near.total - 1.0).abs() < 0.02, "{near:?} {far:?}");
        assert!(far.in_memory > 1.5 * near.in_memory, "{near:?} {far:?}");
    }

    /// TPC-DS: rows were loaded day by day, the days in no order; ANALYZE sees no correlation in either table.
    #[pg_test]
    fn rows_of_a_key_that_lie_together_are_cheap() {
        tables();
        run("CREATE TABLE dispersed AS SELECT id, id % 1000 AS day, filler FROM big ORDER BY hashint4(id)");
        run("CREATE TABLE together AS SELECT * FROM dispersed ORDER BY hashint4(day), hashint4(id)");
        run("CREATE TABLE days AS SELECT g AS day FROM generate_series(1, 300) AS g");
        for table in ["dispersed", "together"] {
            run(&format!("CREATE INDEX ON {table} (day)"));
            run(&format!("ANALYZE {table}"));
        }
        run("ANALYZE days");
        let join = |table: &str| costs(&format!("SELECT count(filler) FROM days JOIN {table} USING (day)"));
        let (dispersed, together) = (join("dispersed"), join("together"));
        assert!((together.total / dispersed.total - 1.0).abs() < 0.05, "{together:?} {dispersed:?}");
        assert!(together.in_memory < 0.5 * dispersed.in_memory, "{together:?} {dispersed:?}");
    }

    /// TPC-DS: two centuries of days, and sales in five years of them.
    #[pg_test]
    fn a_month_has_its_sales_whatever_days_there_are_besides() {
        tables();
        run(
            "CREATE TABLE days AS SELECT g AS day, g / 365 AS year, g % 200 AS mixed FROM generate_series(1, 73000) AS g",
        );
        run(
            "CREATE TABLE sold AS SELECT 36000 + g % 1800 AS day, 1 + g::bigint * 7919 % 200000 AS item FROM generate_series(1, 200000) AS g",
        );
        run("CREATE INDEX ON sold (day)");
        run("ANALYZE days, sold");
        run("SET LOCAL join_collapse_limit = 1");
        let join = |condition: &str| {
            let joined = "days JOIN sold USING (day) JOIN big ON big.id = sold.item";
            costs(&format!("SELECT count(filler) FROM {joined} WHERE {condition}"))
        };
        // One of 200 days either way: those of one year, and some of each.
        let (year, mixed, longer) = (join("year = 100"), join("mixed = 7"), join("year BETWEEN 100 AND 101"));
        assert!((year.total / mixed.total - 1.0).abs() < 0.1, "{year:?} {mixed:?}");
        assert!(year.in_memory > 4.0 * mixed.in_memory, "{year:?} {mixed:?}");
        assert!(longer.in_memory > 1.5 * year.in_memory, "{longer:?} {year:?}");
        // There are no more sales than there are.
        let all = join("year > 0");
        assert!(all.in_memory < 1.1 * join("mixed >= 0").in_memory, "{all:?}");
    }

    /// TPC-DS 25: sold in a month, returned in one, and bought again in one. Of each, the planner expects one in forty, and in all less than a
    /// row.
    #[pg_test]
    fn less_than_a_row_is_not_multiplied_as_one() {
        tables();
        run("CREATE TABLE days AS SELECT g AS day, g / 365 AS year FROM generate_series(1, 73000) AS g");
        run("ALTER TABLE days ADD PRIMARY KEY (day)");
        run("CREATE INDEX ON days (year)");
        for (table, rows) in [("sold", 20_000), ("returned", 20), ("exchanged", 20)] {
            run(&format!(
                "CREATE TABLE {table} AS SELECT 36000 + g % 1800 AS day, 1 + g::bigint * 7919 % 200000 AS item FROM generate_series(1, {rows}) AS g"
            ));
        }
        run("CREATE INDEX ON sold (day)");
        run("ANALYZE days, sold, returned, exchanged");
        run("SET LOCAL join_collapse_limit = 1");
        let month = |joined: &str| {
            costs(&format!(
                "SELECT count(*) FROM days AS d1 JOIN sold USING (day) {joined} WHERE d1.year = 100"
            ))
        };
        let returned = "JOIN returned AS r USING (item) JOIN days AS d2 ON d2.day = r.day AND d2.year = 100
                        JOIN exchanged AS e USING (item) JOIN days AS d3 ON d3.day = e.day AND d3.year = 100";
        let (found, looked_up) =
            (month(returned), month(&format!("{returned} JOIN big ON big.id = item AND filler <> ''")));
        // Sixty-four thousand look-ups, were each of the three to make one row forty.
        assert!((looked_up.in_memory - found.in_memory).abs() < 100.0, "{found:?} {looked_up:?}");
        assert!(
            found.in_memory > 2.0 * month("").total,
            "the months have more sales than the planner thinks: {found:?}"
        );
    }

    /// What is known of combinations of columns multiplies what the planner expects, not the row it makes of it.
    #[pg_test]
    fn less_than_a_row_of_several_keys_is_not_multiplied_as_one() {
        tables();
        run(
            "CREATE TABLE offers AS SELECT g AS offer, g % 5000 AS part, g % 1000 AS supplier FROM generate_series(1, 20000) AS g",
        );
        run("CREATE INDEX ON offers (part, supplier)");
        run(
            "CREATE TABLE same AS SELECT 77 AS part, 77 AS supplier, 1 + g * 7919 % 200000 AS item FROM generate_series(1, 1000) AS g",
        );
        run("ANALYZE offers, same");
        run("SET LOCAL join_collapse_limit = 1");
        let of_one = |more: &str| {
            costs(&format!(
                "SELECT count(*) FROM offers JOIN same USING (part, supplier) {more} WHERE offer = 4711"
            ))
        };
        let (found, looked_up) = (of_one(""), of_one("JOIN big ON big.id = item AND filler <> ''"));
        // One in five thousand offers goes with all of a thousand: a fifth of a row.
        assert!((looked_up.in_memory - found.in_memory).abs() < 100.0, "{found:?} {looked_up:?}");
    }

    /// TPC-H 9: a part has four suppliers, and each line's price is that of its part at its supplier.
    #[pg_test]
    fn a_line_has_its_part_at_its_supplier() {
        tables();
        run(
            "CREATE TABLE offers AS SELECT part, (part * 31 + i * 250) % 1000 AS supplier FROM generate_series(1, 5000) AS part, generate_series(1, 4) AS i",
        );
        run("ALTER TABLE offers ADD PRIMARY KEY (part, supplier)");
        run("CREATE TABLE lines AS SELECT 1 + g % 5000 AS part, ((1 + g % 5000) * 31 + (1 + g / 5000 % 4) * 250) % 1000 AS supplier,
               1 + g::bigint * 7919 % 200000 AS item, g % 10 AS kind FROM generate_series(1, 40000) AS g");
        run("CREATE INDEX ON lines (part)");
        // Two lines of each, and statistics of all rows, which are the same each time.
        run("SET LOCAL default_statistics_target = 1000");
        run("ANALYZE offers, lines");
        run("SET LOCAL join_collapse_limit = 1");
        let joins = [
            "lines JOIN offers USING (part, supplier) JOIN big ON big.id = item WHERE kind = 3",
            "offers JOIN lines USING (part, supplier) JOIN big ON big.id = item WHERE kind = 3",
        ];
        let cost = |join: &str| costs(&format!("SELECT count(filler) FROM {join}"));
        let unknown = joins.map(cost);
        run("ALTER TABLE lines ADD FOREIGN KEY (part, supplier) REFERENCES offers");
        let known = joins.map(cost);
        for (unknown, known) in unknown.iter().zip(&known) {
            // The planner foresees a hundredth of the rows and none of the look-ups, until it is told.
            assert!(unknown.total < 0.8 * known.total, "{unknown:?} {known:?}");
            let ratio = unknown.in_memory / known.in_memory;
            assert!((0.7..1.4).contains(&ratio), "{unknown:?} {known:?}");
        }
    }

    /// TPC-H 9 with an index on (l_suppkey, l_partkey) was promised a quarter of its time and took all of it.
    #[pg_test]
    fn combinations_of_keys_that_are_indexed_are_counted() {
        tables();
        run("CREATE TABLE lines AS SELECT g % 5000 AS part, g % 5000 * 31 % 1000 AS supplier,
               1 + g::bigint * 7919 % 200000 AS item FROM generate_series(1, 40000) AS g ORDER BY hashint4(g)");
        run("CREATE TABLE offers AS SELECT DISTINCT part, supplier FROM lines");
        run("CREATE INDEX ON lines (part, supplier)");
        run("SET LOCAL default_statistics_target = 1000");
        run("ANALYZE offers, lines");
        run("SET LOCAL join_collapse_limit = 1");
        let cost = || {
            costs(
                "SELECT count(filler) FROM offers JOIN lines USING (part, supplier) JOIN big ON big.id = item",
            )
        };
        let counted = cost();
        run("ALTER TABLE offers ADD PRIMARY KEY (part, supplier)");
        run("ALTER TABLE lines ADD FOREIGN KEY (part, supplier) REFERENCES offers");
        let told = cost();
        // The planner foresees 40 rows, until it is told that 40,000 come and look up `big`.
        assert!(counted.total < 0.1 * told.total, "{counted:?} {told:?}");
        let ratio = counted.in_memory / told.in_memory;
        assert!((0.7..1.4).contains(&ratio), "{counted:?} {told:?}");
    }

    /// TPC-H 9: 319,404 rows are sorted and grouped where the planner expects 119.
    #[pg_test]
    fn what_is_sorted_and_grouped_are_the_rows_that_come() {
        tables();
        for table in ["offers", "lines"] {
            run(&format!(
                "CREATE TABLE {table} AS SELECT g AS part, g % 1000 AS supplier, g % 50 AS kind FROM generate_series(1, 20000) AS g"
            ));
        }
        run("ANALYZE offers, lines");
        run("SET LOCAL enable_hashjoin = on");
        run("SET LOCAL enable_nestloop = off");
        run("SET LOCAL enable_hashagg = off");
        let joined = "FROM lines JOIN offers USING (part, supplier)";
        let query = format!("SELECT lines.kind, count(*) {joined} GROUP BY 1");
        let (all, grouped) = (costs(&format!("SELECT count(*) {joined}")), costs(&query));
        // To the planner, 20 rows.
        assert!(grouped.total - all.total < 0.01 * all.total, "{grouped:?} {all:?}");
        assert!(grouped.in_memory > 1.5 * all.in_memory, "{grouped:?} {all:?}");
        let windows = costs(&format!("SELECT count(*) OVER (PARTITION BY lines.kind) {joined}"));
        assert!(windows.in_memory > 1.5 * all.in_memory, "{windows:?} {all:?}");
    }

    /// TPC-H 15: the planner charges the last step of a query for what runs before it.
    #[pg_test]
    fn what_runs_before_a_sort_is_no_part_of_it() {
        tables();
        let query = "WITH of_all AS MATERIALIZED (SELECT category, sum(id) AS s FROM big GROUP BY 1)
                     SELECT category FROM of_all WHERE s = (SELECT max(s) FROM of_all)";
        let (unsorted, sorted) = (costs(query), costs(&format!("{query} ORDER BY category")));
        assert!(sorted.in_memory < 1.02 * unsorted.in_memory, "{sorted:?} {unsorted:?}");
    }

    #[pg_test]
    fn a_sampled_share_stands_in_for_a_guess() {
        tables();
        run(
            "CREATE TABLE lines AS SELECT id, id AS due, id + CASE WHEN id % 10 = 0 THEN -1 ELSE 1 END AS late, filler FROM big ORDER BY hashint4(id)",
        );
        run("CREATE INDEX ON lines (id) WHERE late > due");
        run("ANALYZE lines");
        let look_ups = |condition: &str| {
            costs(&format!("SELECT count(big.filler) FROM lines JOIN big USING (id) WHERE {condition}"))
        };
        // Nine in ten, not one in three; one in ten, not one in three.
        let (most, few) = (look_ups("late > due"), look_ups("late < due"));
        assert!((most.total / few.total - 1.0).abs() < 0.5, "{most:?} {few:?}");
        assert!(most.in_memory > 3.0 * few.in_memory, "{most:?} {few:?}");
    }

    /// Without values to hold a pattern against, the planner goes by its length.
    #[pg_test]
    fn a_sampled_share_stands_in_for_a_pattern() {
        tables();
        run(
            "CREATE TABLE lines AS
             SELECT id, md5(id::text) || CASE WHEN id % 10 < 3 THEN 'green' WHEN id % 100 = 7 THEN 'mauve' ELSE 'brown' END || id AS name
               FROM big ORDER BY hashint4(id)",
        );
        run("ALTER TABLE lines ALTER name SET STATISTICS 1");
        run("ANALYZE lines");
        let look_ups = |condition: &str| {
            costs(&format!("SELECT count(big.filler) FROM lines JOIN big USING (id) WHERE {condition}"))
        };
        let (most, few) = (look_ups("name LIKE '%green%'"), look_ups("name LIKE '%mauve%'"));
        assert!((most.total / few.total - 1.0).abs() < 0.01, "{most:?} {few:?}");
        assert!(most.in_memory > 3.0 * few.in_memory, "{most:?} {few:?}");
        let either = look_ups("name LIKE '%mauve%' OR name ~ 'green'");
        assert!((either.in_memory / most.in_memory - 1.0).abs() < 0.1, "{either:?} {most:?}");
    }

    /// What a scan reads of an index counts, not what it finds there.
    #[pg_test]
    fn a_key_behind_the_first_has_the_whole_index_read() {
        tables();
        run("CREATE INDEX behind ON big (id, category)");
        run("SET LOCAL enable_seqscan = off");
        run("DROP INDEX big_category_idx");
        let behind = costs("SELECT count(*) FROM big WHERE category = 7");
        run("DROP INDEX behind");
        run("CREATE INDEX ON big (category, id)");
        let first = costs("SELECT count(*) FROM big WHERE category = 7");
        assert!(behind.in_memory > 10.0 * first.in_memory, "{behind:?} {first:?}");
    }

    #[pg_test]
    fn pages_in_order_cost_less_than_the_planner_charges() {
        tables();
        let pages = value::<i32>("SELECT relpages FROM pg_class WHERE relname = 'big'");
        let whole = costs("SELECT filler FROM big");
        assert!((whole.total - whole.in_memory - 0.7 * f64::from(pages)).abs() < 1.0, "{whole:?}");
        // 200 rows of one category, each on a page of its own: dearer than the 200 rows of a range.
        run("SET LOCAL enable_seqscan = off");
        let scattered = costs("SELECT filler FROM big WHERE category = 7");
        let together = costs("SELECT filler FROM big WHERE id BETWEEN 1000 AND 1199");
        assert!(scattered.in_memory > 3.0 * together.in_memory, "{scattered:?} {together:?}");
        // What stops early visits less.
        let few = costs("SELECT filler FROM big WHERE category = 7 LIMIT 10");
        assert!(few.in_memory < 0.2 * scattered.in_memory, "{few:?} {scattered:?}");
    }

    /// Every kind of path is walked: sub-queries of all kinds, partitions, parallel plans, writes.
    #[pg_test]
    fn every_kind_of_plan_has_a_cost_in_memory() {
        tables();
        run("RESET enable_hashjoin");
        run("RESET enable_mergejoin");
        run("RESET enable_material");
        run("RESET enable_memoize");
        run("CREATE TABLE parts (id int, x int) PARTITION BY RANGE (id)");
        for (i, bounds) in ["(0) TO (1000)", "(1000) TO (2000)"].iter().enumerate() {
            run(&format!("CREATE TABLE parts_{i} PARTITION OF parts FOR VALUES FROM {bounds}"));
        }
        run("INSERT INTO parts SELECT g % 2000, g FROM generate_series(1, 20000) AS g");
        run("CREATE INDEX ON parts (id)");
        run("ANALYZE parts");
        let queries = [
            "SELECT (SELECT max(id) FROM big), count(*) FROM ordered WHERE EXISTS (SELECT FROM big WHERE id = big_id)",
            "SELECT count(*) FROM ordered WHERE big_id NOT IN (SELECT id FROM big WHERE category < 3)",
            "SELECT (SELECT filler FROM big WHERE id = big_id + 1) FROM ordered WHERE big_id < 100",
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r JOIN big ON id = n WHERE n < 50) SELECT count(*) FROM r",
            "WITH c AS MATERIALIZED (SELECT * FROM big WHERE category = 3) SELECT count(*) FROM c, c AS d",
            "SELECT category, count(DISTINCT id) FROM big GROUP BY ROLLUP (category) ORDER BY 2 LIMIT 3",
            "SELECT id, rank() OVER (PARTITION BY category ORDER BY id) FROM big WHERE category < 5",
            "SELECT * FROM parts JOIN ordered ON id = big_id ORDER BY id LIMIT 5",
            "SELECT id FROM big UNION SELECT x FROM parts EXCEPT SELECT big_id FROM ordered",
            "SELECT * FROM ordered, LATERAL (SELECT * FROM big WHERE id > big_id ORDER BY id LIMIT 2) AS l WHERE big_id < 50",
            "SELECT * FROM big WHERE ctid = '(0,1)'",
            "UPDATE big SET category = 0 FROM ordered WHERE id = big_id",
            "DELETE FROM parts USING big WHERE parts.id = big.id",
            "INSERT INTO ordered SELECT id FROM big WHERE category = 9 RETURNING big_id",
            "SELECT * FROM big FOR UPDATE",
        ];
        for parallel in ["0", "2"] {
            run(&format!("SET LOCAL max_parallel_workers_per_gather = {parallel}"));
            run("SET LOCAL parallel_setup_cost = 0");
            for query in queries {
                let cost = costs(query);
                assert!(cost.in_memory.is_finite() && cost.in_memory >= 0.0, "{query}: {cost:?}");
                assert!(cost.in_memory < 20.0 * cost.total + 20.0, "{query}: {cost:?}");
            }
        }
    }
}
