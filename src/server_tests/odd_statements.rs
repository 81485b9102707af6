//! Statements that once crashed, hung or were refused, and their kin.

#[pgrx::pg_schema]
mod tests {
    use crate::server_tests::*;

    fn tables() {
        run(
            "CREATE TABLE a AS SELECT g AS x, g % 50 AS y, md5(g::text) AS s FROM generate_series(1, 5000) AS g",
        );
        run("CREATE TABLE b AS SELECT g AS x, g % 70 AS y FROM generate_series(1, 5000) AS g");
        run("ANALYZE a");
        run("ANALYZE b");
    }

    /// A walk of ours that recursed through the server's walker, guarded at each level, doubled the error's text level
    /// by level: the call never came back.
    #[pg_test]
    fn expressions_nested_as_deep_as_the_stack_allows_come_to_an_end() {
        tables();
        for depth in [500, 2000, 8000] {
            let started = std::time::Instant::now();
            let sum = "x + ".repeat(depth);
            let _ = refusal_of(&format!("SELECT * FROM a WHERE {sum} x = 1"));
            let not = "abs(".repeat(depth);
            let _ = refusal_of(&format!("SELECT * FROM a WHERE {not} x {} = 1", ")".repeat(depth)));
            assert!(started.elapsed().as_secs() < 60, "depth {depth} took {:?}", started.elapsed());
            // An error that unwound through C frames would have broken the next one.
            assert_eq!(error_of("SELECT 1 / 0").as_deref(), Some("division by zero"));
        }
    }

    /// pull_var_clause (var.c) raises an error at a window function.
    #[pg_test]
    fn order_by_a_window_function() {
        tables();
        assert_eq!(refusal_of("SELECT x, rank() OVER (ORDER BY y) AS r FROM a ORDER BY r LIMIT 3"), None);
    }

    /// An index cannot hold an aggregate, a set or a record.
    #[pg_test]
    fn keys_that_no_index_can_have_are_not_proposed() {
        tables();
        for query in [
            "SELECT y, sum(x) FROM a GROUP BY y ORDER BY sum(x) LIMIT 3",
            "SELECT y, GROUPING(y) FROM a GROUP BY ROLLUP (y) ORDER BY GROUPING(y) LIMIT 3",
            "SELECT generate_series(1, x) AS g FROM a ORDER BY g LIMIT 3",
            "SELECT DISTINCT generate_series(1, y) FROM a",
            "SELECT * FROM a ORDER BY ROW(y, x) LIMIT 3",
            "SELECT * FROM a ORDER BY a LIMIT 3",
            "SELECT * FROM a WHERE ROW(x, y) = ROW(1, 2)::record",
        ] {
            for ddl in advised(query) {
                let plain = ddl.replace("CONCURRENTLY ", "");
                assert_eq!(error_of(&plain), None, "{query}: {ddl}");
            }
        }
    }

    /// ruleutils.c cannot deparse a PlaceHolderVar, which outer joins put around values of theirs.
    #[pg_test]
    fn values_that_an_outer_join_may_replace_by_null() {
        tables();
        for query in [
            "SELECT * FROM a LEFT JOIN (SELECT 42 AS one, b.* FROM b) s ON s.x = a.x WHERE s.one IS NULL",
            "SELECT * FROM a LEFT JOIN LATERAL (SELECT coalesce(b.y, a.y) AS c, b.x FROM b WHERE b.x = a.x) s ON true
              WHERE s.c = 3",
            "SELECT * FROM (SELECT a.x FROM a LEFT JOIN b ON a.x = b.x) j LEFT JOIN LATERAL
              (SELECT b2.y, coalesce(j.x, 1) AS k FROM b b2 WHERE b2.x = coalesce(j.x, 1)) l ON l.k = 3",
        ] {
            assert_eq!(refusal_of(query), None, "{query}");
        }
    }

    #[pg_test]
    fn every_kind_of_statement_and_relation() {
        tables();
        run("CREATE TYPE mood AS ENUM ('low', 'high')");
        run("CREATE DOMAIN name_text AS text CHECK (length(VALUE) < 50)");
        run("CREATE COLLATION loose (provider = libc, locale = 'C')");
        run("CREATE TABLE odd (gone int, id int PRIMARY KEY, m mood, d name_text, r int4range, l text COLLATE loose,
             arr int[], c a, twice int GENERATED ALWAYS AS (id * 2) STORED)");
        run("INSERT INTO odd SELECT 0, g, 'low', 'd' || g, int4range(g, g + 5), g::text, ARRAY[g], NULL
               FROM generate_series(1, 3000) AS g");
        run("ALTER TABLE odd DROP COLUMN gone");
        run("ANALYZE odd");
        run("CREATE TABLE parts (k int, v text, w int) PARTITION BY RANGE (k)");
        run("CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (1000)");
        run("CREATE TABLE part2 (w int, junk int, v text, k int)");
        run("ALTER TABLE part2 DROP COLUMN junk");
        run("ALTER TABLE parts ATTACH PARTITION part2 FOR VALUES FROM (1000) TO (9000)");
        run("INSERT INTO parts SELECT g, g::text, g % 7 FROM generate_series(1, 6000) AS g");
        run("ANALYZE parts");
        run("CREATE TABLE heir () INHERITS (a)");
        run(
            "CREATE VIEW guarded WITH (security_barrier) AS SELECT y, count(*) AS n, max(x) AS top FROM a GROUP BY y",
        );
        run("CREATE VIEW over_it AS SELECT * FROM guarded WHERE n > 5");
        run(
            "CREATE FUNCTION inlined(int) RETURNS SETOF a STABLE LANGUAGE sql AS 'SELECT * FROM a WHERE x = $1'",
        );
        run("ALTER TABLE b ENABLE ROW LEVEL SECURITY");
        run("CREATE POLICY p ON b USING (y IN (SELECT y FROM a WHERE a.x = b.x))");
        for query in [
            "SELECT * FROM odd WHERE m = 'low' AND d = 'd5' AND twice = 8 ORDER BY l",
            "SELECT * FROM odd WHERE r @> 5 OR arr = ARRAY[7] OR (c).x = 3",
            "SELECT o FROM odd o WHERE o.* IS NOT NULL AND o.l > '5'",
            "SELECT * FROM parts WHERE w = 3 AND v = '77' ORDER BY k LIMIT 5",
            "UPDATE parts SET k = k + 1 WHERE v = '5' AND lower(v) = '5'",
            "SELECT * FROM a TABLESAMPLE SYSTEM (10) WHERE x = 5",
            "SELECT * FROM over_it WHERE top < 100 AND y = 3",
            "SELECT * FROM inlined(7) UNION ALL SELECT * FROM ONLY a WHERE y = 2 EXCEPT SELECT * FROM heir",
            "WITH RECURSIVE r AS (SELECT x, y FROM a WHERE x = 1 UNION ALL SELECT a.x, a.y FROM a JOIN r ON a.x = r.y + 1)
             SELECT * FROM r",
            "WITH gone AS (DELETE FROM b WHERE y = 3 RETURNING *) INSERT INTO a SELECT x, y FROM gone",
            "MERGE INTO a USING b ON a.x = b.x AND b.y = 5 WHEN MATCHED THEN UPDATE SET y = b.y
             WHEN NOT MATCHED THEN INSERT VALUES (b.x, b.y, '')",
            "UPDATE a SET y = b.y FROM b WHERE a.x = b.x AND b.y > 60",
            "DELETE FROM a USING b WHERE a.x = b.x AND a.s LIKE 'abc%'",
            "INSERT INTO odd (id, d) SELECT x, s FROM a WHERE y = 4 ON CONFLICT (id) DO UPDATE SET d = excluded.d
              WHERE odd.d <> 'd5'",
            "SELECT DISTINCT ON (y) y, x FROM a ORDER BY y, x DESC",
            "SELECT y, s, sum(x), grouping(y) FROM a GROUP BY GROUPING SETS ((y, s), (y), ()) HAVING sum(x) > 5",
            "SELECT x, (SELECT max(y) FROM b WHERE b.x = a.x AND EXISTS (SELECT FROM a c WHERE c.y = a.y)) FROM a WHERE y IN
              (SELECT y FROM b WHERE b.x > a.x)",
            "SELECT * FROM (VALUES (1, 2), (3, 4)) AS v(p, q) JOIN a ON (a.x, a.y) = (v.p, v.q)",
            "SELECT * FROM a FULL JOIN b USING (x) WHERE a.y IS NOT DISTINCT FROM 3 OR b.y = ANY ('{1,2}')",
            "SELECT lag(x) OVER w FROM a WINDOW w AS (PARTITION BY y ORDER BY x) ORDER BY count(*) OVER w",
            "DECLARE c CURSOR FOR SELECT * FROM a WHERE x = 5",
            "SELECT * FROM a WHERE x = 5 FOR UPDATE SKIP LOCKED",
            "SELECT * FROM a WHERE s COLLATE \"C\" > 'x' AND a.tableoid::regclass = 'a'::regclass AND ctid = '(0,1)'",
        ] {
            for settings in [
                "SET LOCAL enable_partitionwise_join = off",
                "SET LOCAL enable_partitionwise_join = on",
                "SET LOCAL jit_above_cost = 0",
                "SET LOCAL parallel_setup_cost = 0",
                "SET LOCAL min_parallel_table_scan_size = 0",
            ] {
                run(settings);
                assert_eq!(refusal_of(query), None, "{query}");
            }
        }
    }
}
