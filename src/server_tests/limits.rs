//! The limits that settings put on advice, the previous recommendation, and the frontier, on a real planner.

#[pgrx::pg_schema]
mod tests {
    use crate::report::Report;
    use crate::server_tests::*;
    use crate::settings::{Overrides, Settings};
    use crate::workload::{Role, Statement, Workload};

    fn tables() {
        run("CREATE TABLE orders AS
             SELECT g AS id, g % 997 AS customer, (g * 7919) % 100000 AS amount, g % 5 AS state,
                    date '2020-01-01' + g / 40 AS day, g::numeric / 7 AS price
               FROM generate_series(1, 60000) AS g");
        run("CREATE TABLE items AS
             SELECT g % 60000 AS order_id, g % 2000 AS part, g % 50 AS quantity, date '2020-01-01' + g % 2500 AS shipped,
                    (g % 7)::text AS mode, g::numeric / 3 AS price
               FROM generate_series(1, 120000) AS g");
        run("CREATE TABLE customers AS
             SELECT g AS id, 'name ' || g AS name, g % 20 AS region, g % 5 AS segment FROM generate_series(1, 5000) AS g");
        run("CREATE TABLE parts AS
             SELECT g AS id, 'part ' || g AS name, g % 25 AS brand, g % 40 AS container FROM generate_series(1, 20000) AS g");
        run("ANALYZE");
    }

    /// Statements in the manner of TPC-H, with milliseconds that they took.
    const STATEMENTS: [(&str, f64); 9] = [
        (
            "SELECT mode, count(*) FROM items WHERE shipped BETWEEN date '2021-01-01' AND date '2021-01-20' GROUP BY mode",
            900.0,
        ),
        (
            "SELECT o.id, sum(i.price) FROM customers c JOIN orders o ON o.customer = c.id JOIN items i ON i.order_id = o.id
              WHERE c.name = 'name 77' GROUP BY o.id",
            1500.0,
        ),
        ("SELECT * FROM orders WHERE day = date '2021-05-05' AND state = 3", 700.0),
        ("SELECT * FROM orders ORDER BY amount DESC, id LIMIT 10", 500.0),
        ("SELECT sum(i.price) FROM items i JOIN parts p ON p.id = i.part WHERE p.brand = 7 AND p.container = 3", 1100.0),
        ("SELECT * FROM parts WHERE name = 'part 4711'", 400.0),
        ("SELECT avg(quantity) FROM items WHERE part = 17", 800.0),
        ("SELECT count(*) FROM orders WHERE customer = 5 AND amount > 50000", 600.0),
        ("UPDATE orders SET state = 1 WHERE id = 4711", 300.0),
    ];

    fn workload(times: &[f64]) -> Workload {
        let statement = |((text, _), ms): (&(&str, f64), &f64)| Statement {
            query_id: None,
            text: text.to_string(),
            role: Role { oid: 0, name: None },
            calls: *ms,
            total_ms: *ms,
            rows: None,
            blocks_hit: 0.0,
            blocks_read: 0.0,
        };
        let mut statements: Vec<Statement> = STATEMENTS.iter().zip(times).map(statement).collect();
        statements.sort_by(|a, b| b.total_ms.total_cmp(&a.total_ms));
        Workload { source: "the test".to_string(), window_seconds: Some(86_400.0), evicted: 0, statements }
    }

    fn times() -> Vec<f64> {
        STATEMENTS.iter().map(|(_, ms)| *ms).collect()
    }

    fn advice(times: &[f64], previous: &[String]) -> Report {
        let overrides = Overrides { previous: previous.to_vec(), ..Overrides::default() };
        let report =
            Settings::read(&overrides).and_then(|settings| crate::run::run(&workload(times), &settings));
        report.unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn ddl(report: &Report) -> Vec<String> {
        let mut ddl: Vec<String> = report.recommendations.iter().map(|advice| advice.ddl.clone()).collect();
        ddl.sort();
        ddl
    }

    fn on(report: &Report, table: &str) -> usize {
        ddl(report).iter().filter(|ddl| ddl.contains(&format!(" ON {table} "))).count()
    }

    fn set(name: &str, value: &str) {
        run(&format!("SET LOCAL pg_index_advisor.{name} = {}", quoted(value)));
    }

    #[pg_test]
    fn tables_and_schemas_are_left_alone_and_their_statements_count() {
        tables();
        let free = advice(&times(), &[]);
        assert!(on(&free, "public.orders") > 0 && on(&free, "public.items") > 0);
        for names in ["orders", "public.orders", "\"orders\", parts", "nowhere, ORDERS"] {
            set("exclude_tables", names);
            let report = advice(&times(), &[]);
            assert_eq!(on(&report, "public.orders"), 0, "{names}");
            assert!(on(&report, "public.items") > 0, "{names}");
            assert_eq!(report.coverage(), free.coverage());
            assert!(report.limits.left_alone.contains(&"public.orders".to_string()));
            let expected = ["pg_index_advisor.exclude_tables: there is no table nowhere".to_string()];
            assert_eq!(report.notes, if names.starts_with("no") { &expected[..] } else { &[] });
        }
        // As the search path finds it, and not otherwise.
        run("CREATE SCHEMA other; CREATE TABLE other.orders (id int)");
        run("SET LOCAL search_path = other, public");
        set("exclude_tables", "orders");
        let report = advice(&times(), &[]);
        assert_eq!((report.limits.left_alone, report.notes), (vec![], vec![]));
        run("SET LOCAL search_path = public");
        set("exclude_tables", "");
        for (names, some) in [("pub*", 0), ("other, public", 0), ("publi_, %", 1)] {
            set("exclude_schemas", names);
            let report = advice(&times(), &[]);
            assert_eq!(report.recommendations.is_empty(), some == 0, "{names}: {:?}", ddl(&report));
            assert_eq!(report.notes.len(), 2 * some, "{:?}", report.notes);
        }
        run("RESET pg_index_advisor.exclude_schemas");
    }

    #[pg_test]
    fn a_parent_is_left_alone_with_its_partition_and_a_partition_with_its_parent() {
        run("CREATE SCHEMA archive");
        run("CREATE TABLE halves (k int, v int, w text) PARTITION BY LIST (k)");
        run("CREATE TABLE half0 PARTITION OF halves FOR VALUES IN (0) PARTITION BY LIST (v)");
        run("CREATE TABLE archive.half1 PARTITION OF halves FOR VALUES IN (1)");
        run("CREATE TABLE half0_rest PARTITION OF half0 DEFAULT");
        run("INSERT INTO halves SELECT g % 2, g % 5000, md5(g::text) FROM generate_series(1, 40000) AS g");
        run("ANALYZE");
        let queries = [
            "SELECT * FROM halves WHERE w = $1",
            "SELECT * FROM half0_rest WHERE w = $1",
            "SELECT * FROM archive.half1 WHERE w = $1",
        ];
        let advised_on = || queries.map(|query| !advised(query).is_empty());
        assert_eq!(advised_on(), [true, true, true]);
        set("exclude_tables", "half0_rest");
        assert_eq!(advised_on(), [false, false, true]);
        set("exclude_tables", "half0");
        assert_eq!(advised_on(), [false, false, true]);
        set("exclude_tables", "halves");
        assert_eq!(advised_on(), [false, false, false]);
        set("exclude_tables", "");
        set("exclude_schemas", "archive");
        assert_eq!(advised_on(), [false, true, false]);
    }

    #[pg_test]
    fn access_methods_and_the_number_by_table_are_kept() {
        tables();
        set("access_methods", "hash, brin");
        let report = advice(&times(), &[]);
        assert!(ddl(&report).iter().all(|ddl| ddl.contains("USING hash") || ddl.contains("USING brin")));
        set("access_methods", "btree");
        assert!(!advice(&times(), &[]).recommendations.is_empty());
        set("access_methods", "");
        assert!(on(&advice(&times(), &[]), "public.orders") > 1);
        set("max_indexes_per_table", "1");
        let report = advice(&times(), &[]);
        for table in ["orders", "items", "parts", "customers"] {
            assert!(on(&report, &format!("public.{table}")) <= 1, "{:?}", ddl(&report));
        }
        assert_eq!(on(&report, "public.orders"), 1);
        set("max_indexes_per_table", "0");
        set("min_saving_per_day", "1s");
        let report = advice(&times(), &[]);
        assert!(report.recommendations.iter().all(|advice| {
            advice.saving_ms_per_day.expect("a window") - advice.write_ms_per_day.expect("a window") >= 990.0
        }));
        assert!(report.recommendations.len() < advice_count_without_time());
    }

    fn advice_count_without_time() -> usize {
        set("min_saving_per_day", "0");
        advice(&times(), &[]).recommendations.len()
    }

    #[pg_test]
    fn lists_that_cannot_be_read_are_refused_by_set() {
        run(
            "CREATE FUNCTION pg_temp.detail_of(sql text) RETURNS text LANGUAGE plpgsql AS $$
             DECLARE detail text;
             BEGIN EXECUTE sql; RETURN 'none'; EXCEPTION WHEN others THEN
               GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL; RETURN SQLERRM || '|' || detail; END $$",
        );
        for (setting, value, refusal) in [
            ("access_methods", "btree, btre", "no access method \"btre\" to choose; known are btree, hash"),
            ("exclude_tables", "a.b.c", "\"a.b.c\" has too many dots"),
            ("exclude_tables", "\"a", "A quoted name does not end"),
            ("exclude_schemas", "a,", "A name is missing after the last comma"),
        ] {
            let found = value_of(&format!(
                "SELECT pg_temp.detail_of({})",
                quoted(&format!("SET pg_index_advisor.{setting} = {}", quoted(value)))
            ));
            assert!(
                found.starts_with(&format!("invalid value for parameter \"pg_index_advisor.{setting}\"")),
                "{found}"
            );
            assert!(found.contains(refusal), "{found}");
        }
        assert_eq!(value_of("SHOW pg_index_advisor.exclude_tables"), "");
    }

    fn value_of(sql: &str) -> String {
        value::<String>(sql)
    }

    #[pg_test]
    fn small_changes_of_the_workload_leave_the_advice_as_it_is() {
        tables();
        let first = advice(&times(), &[]);
        assert!(first.recommendations.len() >= 5, "{:?}", ddl(&first));
        let mut state: u64 = 4711;
        for round in 0..12 {
            let perturbed: Vec<f64> = times()
                .iter()
                .map(|ms| {
                    // Knuth's MMIX generator; up to a tenth more or less.
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    ms * (0.9 + 0.2 * (state >> 40) as f64 / (1_u64 << 24) as f64)
                })
                .collect();
            let fresh = advice(&perturbed, &[]);
            assert_eq!(ddl(&fresh), ddl(&first), "round {round}: {perturbed:?}");
            let kept = advice(&perturbed, &ddl(&first));
            assert_eq!(ddl(&kept), ddl(&first), "round {round}: {perturbed:?}");
            assert_eq!((kept.kept.map(|more| more < 0.02), kept.notes.len()), (Some(true), 0));
        }
    }

    #[pg_test]
    fn advice_given_back_is_recognised() {
        tables();
        run("CREATE INDEX ON parts (lower(name))");
        let more = [
            "SELECT * FROM parts WHERE name LIKE 'part 47%'",
            "SELECT * FROM customers WHERE upper(name) = 'X' AND region IS NOT NULL",
            "SELECT id FROM orders WHERE state = 4 AND price < 100 ORDER BY price DESC NULLS LAST LIMIT 5",
        ];
        let mut workload = workload(&times());
        for text in more {
            workload.statements.push(Statement { text: text.to_string(), ..workload.statements[0].clone() });
        }
        let ask = |previous: Vec<String>| {
            let overrides = Overrides { previous, min_saving_percent: Some(0.1), ..Overrides::default() };
            let report =
                Settings::read(&overrides).and_then(|settings| crate::run::run(&workload, &settings));
            report.unwrap_or_else(|error| panic!("{error:?}"))
        };
        let first = ask(vec![]);
        let again = ask(ddl(&first));
        assert!(first.recommendations.len() >= 7, "{:?}", ddl(&first));
        assert_eq!(
            (again.notes.clone(), again.candidates),
            (vec![], first.candidates),
            "none is taken for another one"
        );
        assert_eq!((ddl(&again), again.kept), (ddl(&first), Some(0.0)));
    }

    #[pg_test]
    fn what_of_the_previous_advice_no_longer_holds_is_noted() {
        tables();
        run("CREATE INDEX ON parts (name, id)");
        run("CREATE TABLE unread (a int)");
        set("exclude_tables", "customers");
        let previous = [
            ("CREATE INDEX CONCURRENTLY ON public.parts (name)", "an index that does its work exists"),
            ("CREATE INDEX ON gone (a)", "relation \"gone\" does not exist"),
            ("CREATE INDEX ON orders (gone)", "column \"gone\" does not exist"),
            ("CREATE UNIQUE INDEX ON orders (id)", "a unique index is never recommended"),
            ("CREATE INDEX ON unread (a)", "no examined statement uses its table"),
            ("CREATE INDEX ON customers (name)", "the settings do not allow it"),
        ];
        let texts: Vec<String> = previous.iter().map(|(text, _)| text.to_string()).collect();
        let report = advice(&times(), &texts);
        let expected: Vec<String> =
            previous.iter().map(|(text, why)| format!("previous index left out: {text}: {why}")).collect();
        assert_eq!((report.notes, report.kept), (expected, None));
        for (text, refusal) in [("SELECT 1", "no CREATE INDEX"), ("CREATE INDX", "syntax error")] {
            let overrides = Overrides { previous: vec![text.to_string()], ..Overrides::default() };
            let refused = Settings::read(&overrides)
                .and_then(|settings| crate::run::run(&workload(&times()), &settings))
                .err();
            let error = refused.map(|error| error.message);
            assert!(error.as_ref().is_some_and(|error| error.contains(refusal)), "{error:?}");
        }
    }

    #[pg_test]
    fn a_previous_index_that_nothing_asks_for_now_is_judged_like_any_other() {
        tables();
        // Serves the one on amount, id; no statement asks for it in this form.
        let odd = "CREATE INDEX ON public.orders (amount DESC, id, price)".to_string();
        let without = advice(&times(), &[]);
        let report = advice(&times(), &[odd, "CREATE INDEX ON public.orders (price)".to_string()]);
        assert!(report.candidates > without.candidates);
        assert_eq!(report.notes, Vec::<String>::new());
        // Alone it saves much less than the whole, so it is not kept as it is, but may be added to.
        assert!(report.saving() >= without.saving() - 0.02, "{} {}", report.saving(), without.saving());
        assert!(!ddl(&report).iter().any(|ddl| ddl.ends_with("(price)")));
    }

    #[pg_test]
    fn the_frontier_falls_and_ends_in_the_recommendation() {
        tables();
        for budget in [None, Some(6 << 20), Some(2 << 20)] {
            let overrides = Overrides { storage_budget: budget, ..Overrides::default() };
            let report = Settings::read(&overrides)
                .and_then(|settings| crate::run::run(&workload(&times()), &settings))
                .unwrap_or_else(|error| panic!("{error:?}"));
            let points = &report.frontier;
            assert!(points.len() >= 3, "{points:?}");
            assert!(
                points
                    .windows(2)
                    .all(|pair| pair[0].bytes < pair[1].bytes && pair[0].cost_ms > pair[1].cost_ms)
            );
            let (last, others) = points.split_last().expect("a point");
            assert!(last.recommended && others.iter().all(|point| !point.recommended));
            let mut indexes = last.indexes.clone();
            indexes.sort();
            assert_eq!(indexes, ddl(&report));
            let total = report.certificate.total_before_ms;
            let writes: f64 =
                report.recommendations.iter().filter_map(|advice| advice.write_ms_per_day).sum();
            let net = report.saving() - writes / total;
            assert!((1.0 - last.cost_ms / total - net).abs() < 0.01, "{} {net}", last.cost_ms / total);
            assert!(budget.is_none_or(|budget| last.bytes <= budget as u64));
        }
    }
}
