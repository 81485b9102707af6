//! Where a hypothetical index can crash the planner or mislead it, one test each: PostgreSQL looks at `hypothetical` in three places
//! only (selfuncs.c), everywhere else it takes the index for a real one.

#[pgrx::pg_schema]
mod tests {
    use crate::server_tests::*;

    fn tables() {
        run("CREATE TABLE a AS SELECT g AS x, g % 700 AS y, md5(g::text) AS s, ARRAY['t' || g % 50] AS tags
               FROM generate_series(1, 20000) AS g");
        run(
            "CREATE TABLE b AS SELECT g AS x, g % 900 AS y, md5(g::text) AS s FROM generate_series(1, 20000) AS g",
        );
        run("ANALYZE a");
        run("ANALYZE b");
    }

    fn array(ddl: &[&str]) -> String {
        format!("ARRAY[{}]::text[]", ddl.iter().map(|ddl| quoted(ddl)).collect::<Vec<_>>().join(", "))
    }

    /// The plan with hypothetical indexes.
    fn plan_with(query: &str, ddl: &[&str]) -> String {
        let rows = format!("index_advisor.explain({}, {})", quoted(query), array(ddl));
        value::<String>(&format!("SELECT string_agg(after, E'\\n') FROM {rows}"))
    }

    /// Why an index cannot be simulated.
    fn not_simulated(ddl: &str) -> String {
        let call = format!("SELECT index_advisor.create_hypothetical_index({})", quoted(ddl));
        error_of(&call).unwrap_or_else(|| panic!("{ddl} was simulated"))
    }

    /// gincost_pattern (selfuncs.c) reads `opclassoptions` without looking whether it is there.
    #[pg_test]
    fn gin_cost_reads_operator_class_options() {
        tables();
        let plan =
            plan_with("SELECT * FROM a WHERE tags @> ARRAY['t7']", &["CREATE INDEX ON a USING gin (tags)"]);
        assert!(plan.contains("gin_a_tags"), "{plan}");
    }

    /// build_index_pathkeys (pathkeys.c) reads `reverse_sort` and `nulls_first` of every ordered index.
    #[pg_test]
    fn btree_pathkeys_read_the_direction() {
        tables();
        let ddl = ["CREATE INDEX ON a (y DESC NULLS LAST, x)"];
        let forwards = plan_with("SELECT * FROM a ORDER BY y DESC NULLS LAST, x LIMIT 5", &ddl);
        assert!(forwards.contains("Index Scan using \"<") && !forwards.contains("Backward"), "{forwards}");
        let backwards = plan_with("SELECT * FROM a ORDER BY y NULLS FIRST, x DESC LIMIT 5", &ddl);
        assert!(backwards.contains("Index Scan Backward using \"<"), "{backwards}");
        let neither = plan_with("SELECT * FROM a ORDER BY y, x LIMIT 5", &ddl);
        assert!(!neither.contains("Index Scan"), "{neither}");
    }

    /// join_is_removable (analyzejoins.c) believes `unique` of an index that does not exist.
    #[pg_test]
    fn no_proof_is_drawn_from_a_candidate() {
        tables();
        let query = "SELECT a.x FROM a LEFT JOIN b ON b.x = a.x WHERE a.y = 3";
        assert!(plan_with(query, &["CREATE INDEX ON b (x)"]).contains(" b"), "b is still joined");
        // By hand the user vouches for it.
        assert!(!plan_with(query, &["CREATE UNIQUE INDEX ON b (x)"]).contains("on b"), "b is not needed");
        for ddl in advised(query) {
            assert!(!ddl.contains("UNIQUE"), "{ddl}");
        }
        // What a removed join saves would be promised and not be kept.
        let promised = value::<f64>(&format!(
            "SELECT min(cost_after) FROM index_advisor.recommend_for({}, min_saving_percent => 0)",
            quoted(query)
        ));
        for ddl in advised(query) {
            run(&ddl.replace("CONCURRENTLY ", ""));
        }
        let plan = value::<pgrx::Json>(&format!("EXPLAIN (FORMAT JSON) {query}"));
        let cost = plan.0[0]["Plan"]["Total Cost"].as_f64().expect("a number");
        assert!((cost / promised - 1.0).abs() < 0.05, "costs {cost}, {promised} promised");
    }

    /// examine_variable (selfuncs.c) looks up statistics of an index by its OID: it must be nobody else's.
    #[pg_test]
    fn an_oid_that_a_relation_has_is_not_given() {
        tables();
        let made = |ddl: &str| {
            value::<pgrx::pg_sys::Oid>(&format!(
                "SELECT max(indexrelid::oid::int8)::oid FROM index_advisor.create_hypothetical_index({})",
                quoted(ddl)
            ))
        };
        let first = made("CREATE INDEX ON a (x)").to_u32();
        run("SET LOCAL allow_system_table_mods = on");
        run("CREATE TEMP TABLE copies AS SELECT * FROM pg_class WHERE oid = 'b'::regclass");
        // The next ones by hand, and the range that a run would take first.
        for (i, taken) in [first + 1, first + 2, 4_000_000_001].into_iter().enumerate() {
            run(&format!(
                "UPDATE copies SET oid = {taken}, relname = 'taken{i}', reltype = 0, reltoastrelid = 0"
            ));
            run("INSERT INTO pg_class SELECT * FROM copies");
        }
        let next = made("CREATE INDEX ON a (y)").to_u32();
        assert!(next > first + 2, "{next} after {first}");
        assert!(advised("SELECT * FROM a WHERE x = 5").iter().any(|ddl| ddl.contains("(x)")));
    }

    /// From 17 on get_relation_info (plancat.c) lists partitioned indexes without a cost function for the parent.
    #[pg_test]
    fn parents_with_partitioned_indexes() {
        run("CREATE TABLE parts (k int, v int) PARTITION BY RANGE (k)");
        run("CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10000) PARTITION BY RANGE (k)");
        run("CREATE TABLE part11 PARTITION OF part1 FOR VALUES FROM (0) TO (10000)");
        run("CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (10000) TO (90000)");
        run("INSERT INTO parts SELECT g, g % 3000 FROM generate_series(1, 20000) AS g");
        run("CREATE UNIQUE INDEX ON parts (k)");
        run("ANALYZE parts");
        let plan = plan_with("SELECT * FROM parts WHERE v = 77", &["CREATE INDEX ON parts (v)"]);
        assert_eq!(plan.matches("btree_parts_v").count(), 3, "two leaves and the list: {plan}");
        for setting in ["off", "on"] {
            run(&format!("SET LOCAL enable_partitionwise_join = {setting}"));
            let query = "SELECT * FROM parts p JOIN parts q USING (k) WHERE p.v = 7";
            assert!(plan_with(query, &["CREATE INDEX ON parts (v)"]).contains("part2_k_idx"));
            assert!(advised(query).iter().any(|ddl| ddl.contains("(v")), "{:?}", advised(query));
        }
    }

    /// standard_planner (planner.c) scribbles on its input.
    #[pg_test]
    fn a_statement_planned_again_has_the_same_plan() {
        tables();
        for query in [
            "SELECT y, count(*) FILTER (WHERE s > 'a') FROM a GROUP BY y HAVING count(*) > 3 ORDER BY 2",
            "SELECT * FROM a WHERE y IN (SELECT y FROM b WHERE b.x > 5) AND x NOT IN (SELECT x FROM b)",
            "SELECT (SELECT max(b.y) FROM b WHERE b.x = a.x), rank() OVER (PARTITION BY y ORDER BY x) FROM a WHERE x < 50",
            "WITH c AS MATERIALIZED (SELECT * FROM a), d AS (SELECT * FROM b) SELECT * FROM c JOIN d USING (x) WHERE c.y = 1",
            "SELECT x FROM a UNION SELECT x FROM b EXCEPT SELECT y FROM b",
            "SELECT y, s, sum(x) FROM a GROUP BY ROLLUP (y, s)",
            "SELECT * FROM a FULL JOIN b ON a.x = b.x AND a.y = b.y WHERE coalesce(a.y, b.y) = 4",
            "UPDATE a SET y = b.y FROM b WHERE a.x = b.x AND EXISTS (SELECT FROM b c WHERE c.y = a.y)",
        ] {
            let differing = format!(
                "SELECT count(*) FROM index_advisor.explain({}) WHERE before <> after
                  AND before NOT LIKE 'total cost%'",
                quoted(query)
            );
            assert_eq!(value::<i64>(&differing), 0, "{query}");
            assert_eq!(advised(query), advised(query), "{query}");
        }
    }

    /// A parameter without a value is planned for any value, in every place where one may stand.
    #[pg_test]
    fn parameters_without_values() {
        tables();
        for (query, ddl) in [
            ("SELECT * FROM a WHERE x = $1", "CREATE INDEX ON a (x)"),
            ("SELECT * FROM a WHERE x = ANY ($1::int[]) LIMIT $2 OFFSET $3", "CREATE INDEX ON a (x)"),
            ("SELECT * FROM a WHERE x BETWEEN $1 AND $1 + 5", "CREATE INDEX ON a (x)"),
            ("SELECT * FROM a JOIN b ON b.x = a.x WHERE a.s = $1", "CREATE INDEX ON a (s)"),
        ] {
            let plan = plan_with(query, &[ddl]);
            assert!(plan.contains("using \"<") || plan.contains("on \"<"), "{query}: {plan}");
        }
        // Nothing can be told of these; they must come to an end all the same.
        for query in [
            "SELECT * FROM a WHERE tags && $1",
            "SELECT * FROM a WHERE s LIKE $1",
            "SELECT * FROM a WHERE x > $1 + y",
        ] {
            plan_with(query, &["CREATE INDEX ON a (s)", "CREATE INDEX ON a (x)"]);
        }
    }

    /// get_actual_variable_range (selfuncs.c) would read the index's ends for a value outside the histogram.
    #[pg_test]
    fn values_outside_the_histogram() {
        tables();
        run("INSERT INTO a SELECT g, g, '', '{}' FROM generate_series(20001, 20400) AS g");
        for query in [
            "SELECT * FROM a WHERE x > 20100",
            "SELECT * FROM a WHERE x < -5",
            "SELECT max(x), min(x) FROM a",
            "SELECT * FROM a JOIN b ON a.x = b.x WHERE a.x > 20390",
        ] {
            assert!(plan_with(query, &["CREATE INDEX ON a (x)"]).contains("btree_a_x"), "{query}");
        }
    }

    /// An expression's columns are those of range table entry 1 until ChangeVarNodes (rewriteManip.c) has renumbered them.
    #[pg_test]
    fn an_expression_of_the_second_table() {
        tables();
        let query = "SELECT * FROM a JOIN b ON lower(b.s) = a.s AND b.y % 10 = 3 WHERE a.x = 5";
        let plan = plan_with(query, &["CREATE INDEX ON b (lower(s)) WHERE y % 10 = 3"]);
        assert!(plan.contains("btree_b_expr"), "{plan}");
    }

    /// get_rule_expr (ruleutils.c) leaves an implicit cast out of the text, which then has another type.
    #[pg_test]
    fn a_column_compared_as_another_type() {
        for (query, key) in [
            ("SELECT * FROM a WHERE x = 5::numeric", "numeric"),
            ("SELECT * FROM a WHERE x = 1::numeric OR x = 3 OR x = 42::numeric", "numeric"),
            ("SELECT * FROM a WHERE y = 5.5::float8 AND s > 'f'", "double precision"),
        ] {
            tables();
            let ddl = advised(query);
            assert!(ddl.iter().any(|ddl| ddl.contains(key)), "{query}: {ddl:?}");
            let cost = |text: &str| {
                value::<pgrx::Json>(&format!("EXPLAIN (FORMAT JSON) {text}")).0[0]["Plan"]["Total Cost"]
                    .as_f64()
            };
            let before = cost(query);
            for ddl in &ddl {
                run(&ddl.replace("CONCURRENTLY ", ""));
            }
            run("ANALYZE a");
            assert!(ddl.is_empty() || cost(query) < before, "{query}: {ddl:?} is of no use");
            run("DROP TABLE a, b");
        }
    }

    /// The cost function of any other access method may open the index.
    #[pg_test]
    fn an_unknown_access_method_is_refused() {
        tables();
        run("CREATE ACCESS METHOD odd TYPE INDEX HANDLER bthandler");
        run("CREATE OPERATOR CLASS odd_ops DEFAULT FOR TYPE int4 USING odd AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,
             OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4)");
        let message = not_simulated("CREATE INDEX ON a USING odd (x)");
        assert!(message.contains("\"odd\" cannot be simulated"), "{message}");
        let message = not_simulated("CREATE INDEX ON a USING nosuch (x)");
        assert!(message.contains("does not exist"), "{message}");
    }

    /// Anybody's handler may bear the name of a known access method of an extension.
    #[pg_test]
    fn an_access_method_that_only_bears_a_known_name_is_refused() {
        tables();
        for name in ["bloom", "hnsw", "ivfflat"] {
            run(&format!("CREATE ACCESS METHOD {name} TYPE INDEX HANDLER bthandler"));
            let message = not_simulated(&format!("CREATE INDEX ON a USING {name} (x)"));
            assert!(message.contains("is not the known one"), "{message}");
        }
    }
}
