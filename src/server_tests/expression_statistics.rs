//! Statistics of expressions before they are indexed, against those of real indexes after ANALYZE.

#[pgrx::pg_schema]
mod tests {
    use crate::catalog::ColumnStatistics;
    use crate::pg::analyze::{Analysed, analyse};
    use crate::pg::catalog::read_for;
    use crate::pg::expression_statistics::ExpressionStatistics;
    use crate::pg::identity::Identity;
    use crate::pg::sample::Sampler;
    use crate::report::Report;
    use crate::server_tests::*;
    use crate::settings::{Overrides, Settings};
    use crate::workload::{Role, Statement, Workload};

    fn table() {
        run("CREATE TABLE users AS
             SELECT g AS id,
                    (CASE WHEN g % 10 < 3 THEN 'Nobody' WHEN g % 10 < 5 THEN 'Admin' || g % 7 ELSE 'User' || g % 5000 END
                     || '@Example.COM') AS email,
                    timestamp '2020-01-01' + g * interval '7 minutes' AS seen,
                    jsonb_build_object('k', CASE WHEN g % 4 = 0 THEN 'common' ELSE 'k' || g % 900 END) AS data,
                    g % 300 AS a, (g / 300) % 50 AS b, (g % 3)::text || ',' || (g % 100)::text AS tags,
                    'word' || g % 200 || ' and word' || g % 3 AS body
               FROM generate_series(1, 100000) AS g");
        // Our sample and that of ANALYZE (300 rows for each unit) are both the whole table.
        run("SET LOCAL pg_index_advisor.sample_pages = 10000; SET LOCAL default_statistics_target = 340");
        run("ANALYZE users");
    }

    /// A run over statements of equal weight, each with its calls.
    fn report(statements: &[&str]) -> Report {
        let statements = statements.iter().map(|text| Statement {
            query_id: None,
            text: text.to_string(),
            role: Role { oid: 0, name: None },
            calls: 10.0,
            total_ms: 100.0,
            rows: Some(0.0),
            blocks_hit: 0.0,
            blocks_read: 0.0,
        });
        let workload = Workload {
            source: "a test".to_string(),
            window_seconds: None,
            evicted: 0,
            statements: statements.collect(),
        };
        let settings = Settings::read(&Overrides::default()).expect("defaults are in range");
        crate::run::run(&workload, &settings).expect("a run")
    }

    /// Cost and rows of the topmost node that EXPLAIN shows.
    fn plan(query: &str) -> (f64, f64) {
        let plan = value::<pgrx::Json>(&format!("EXPLAIN (FORMAT json) {query}")).0;
        let top = &plan[0]["Plan"];
        (top["Total Cost"].as_f64().expect("a cost"), top["Plan Rows"].as_f64().expect("rows"))
    }

    fn analysed(query: &str) -> Analysed {
        let reading = crate::statement::read(query, usize::MAX).expect("a statement");
        analyse(&reading, &Identity::caller(1000), None).expect("a plan")
    }

    /// Statistics of the first expression of a statement that has none, from all rows.
    fn all_of(statement: &Analysed) -> ExpressionStatistics {
        let catalog = read_for(std::slice::from_ref(statement)).expect("a catalog");
        let (relation, expression) = statement.without_statistics.first().expect("an expression").clone();
        let sampler = Sampler { max_pages: 10_000, scattered: false };
        ExpressionStatistics::sample(&sampler, &catalog.relations[&relation], &[expression])
            .expect("a sample")
    }

    /// The sampled statistics of the only expression of a query, by its text.
    fn sampled(query: &str) -> Result<(String, ColumnStatistics), String> {
        let statistics = all_of(&analysed(query));
        if let Some(missing) = statistics.missing.first() {
            return Err(missing.reason.clone());
        }
        let (expression, found) = statistics.known().next().expect("statistics");
        Ok((expression.sql.clone(), found.clone()))
    }

    const STATEMENTS: [&str; 7] = [
        "SELECT id FROM users WHERE lower(email) = 'user77@example.com'",
        "SELECT id FROM users WHERE lower(email) = 'admin3@example.com'",
        "SELECT id FROM users WHERE date_trunc('day', seen) = '2020-03-05'",
        "SELECT id FROM users WHERE date_trunc('day', seen) BETWEEN '2020-03-05' AND '2020-03-20'",
        "SELECT id FROM users WHERE data ->> 'k' = 'k77'",
        "SELECT id FROM users WHERE a + b = 17",
        "SELECT id FROM users WHERE a + b > 340",
    ];

    #[pg_test]
    fn an_index_on_an_expression_costs_what_it_will_cost() {
        table();
        let mut faults = Vec::new();
        for query in STATEMENTS {
            let report = report(&[query]);
            let outcome = &report.statements[0].outcome;
            let crate::report::Outcome::Examined { cost_before, cost_after, .. } = *outcome else {
                panic!("{query}: {outcome:?}")
            };
            let [advice] = &report.recommendations[..] else {
                panic!("{query}: {} recommendations, {cost_before}", report.recommendations.len())
            };
            run(&advice.ddl.replace("CONCURRENTLY ", "").replacen("INDEX", "INDEX promised", 1));
            run("ANALYZE users");
            let (after, _) = plan(query);
            run(
                "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off",
            );
            let (before, _) = plan(query);
            run("RESET enable_indexscan; RESET enable_bitmapscan; RESET enable_indexonlyscan");
            run("DROP INDEX promised");
            // The size of the index is an estimate: a page more or less of those read at random.
            let close = (after - cost_after).abs() < 0.03 * after + 2.0 * 4.0;
            if !close || (before - cost_before).abs() > 0.001 * before {
                faults.push(format!(
                    "{query}: promised {cost_before} to {cost_after}, is {before} to {after} ({})",
                    advice.ddl
                ));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[pg_test]
    fn sampled_statistics_are_those_of_analyze() {
        table();
        let queries = [
            ("lower(email)", "SELECT 1 FROM users WHERE lower(email) = 'x'"),
            ("date_trunc('day', seen)", "SELECT 1 FROM users WHERE date_trunc('day', seen) = '2020-03-05'"),
            ("(data ->> 'k')", "SELECT 1 FROM users WHERE data ->> 'k' = 'x'"),
            ("(a + b)", "SELECT 1 FROM users WHERE a + b = 1"),
            ("string_to_array(tags, ',')", "SELECT 1 FROM users WHERE string_to_array(tags, ',') = '{1,2}'"),
            ("to_tsvector('simple', body)", "SELECT 1 FROM users WHERE to_tsvector('simple', body) = 'x'"),
            ("int4range(b, a + 60)", "SELECT 1 FROM users WHERE int4range(b, a + 60) = '[1,2)'"),
        ];
        for (expression, query) in queries {
            let (sql, found) = sampled(query).unwrap_or_else(|reason| panic!("{expression}: {reason}"));
            run(&format!("CREATE INDEX real ON users (({expression}))"));
            run("ANALYZE users");
            let number = |column: &str| {
                Spi::get_one::<f64>(&format!(
                    "SELECT ({column})::float8 FROM pg_stats WHERE tablename = 'real'"
                ))
                .expect("a row")
            };
            let close = |a: f64, b: f64| (a - b).abs() <= 0.01 * a.abs().max(b.abs());
            let distinct = |d: f64| if d < 0.0 { -d * 100_000.0 } else { d };
            assert!(close(found.average_width, number("avg_width").unwrap_or(0.0)), "{sql}: {found:?}");
            assert!(close(found.null_fraction, number("null_frac").unwrap_or(0.0)), "{sql}: {found:?}");
            let real = distinct(number("n_distinct").unwrap_or(0.0));
            assert!(close(distinct(found.distinct), real), "{sql}: {found:?} against {real} distinct values");
            let correlation = number("correlation").unwrap_or(0.0);
            assert!((found.correlation - correlation).abs() < 0.01, "{sql}: {found:?}, {correlation}");
            let first = number("most_common_freqs[1]").unwrap_or(0.0);
            let found_first = found.common_frequencies.first().copied().unwrap_or(0.0);
            assert!((found_first - first).abs() < 0.001, "{sql}: {found:?}, {first}");
            // The planner has its own now.
            assert!(analysed(query).without_statistics.is_empty(), "{sql}");
            run("DROP INDEX real");
        }
    }

    #[pg_test]
    fn elements_of_arrays_and_texts_are_counted_as_well() {
        table();
        // Sampled by the equality, used by the containment: the plan's rows tell.
        for (known_by, query, least, most) in [
            (
                "SELECT 1 FROM users WHERE string_to_array(tags, ',') = '{1,2}'",
                "SELECT 1 FROM users WHERE string_to_array(tags, ',') @> '{77}'",
                800.0,
                1200.0,
            ),
            (
                "SELECT 1 FROM users WHERE to_tsvector('simple', body) = 'x'",
                "SELECT 1 FROM users WHERE to_tsvector('simple', body) @@ 'word77'",
                400.0,
                600.0,
            ),
        ] {
            let statistics = all_of(&analysed(known_by));
            let mut other = analysed(query);
            let blind = other.before.rows;
            other.estimate_with(vec![std::rc::Rc::new(statistics)]).expect("a plan");
            let rows = other.before.rows;
            assert!((least..most).contains(&rows), "{query}: {blind} rows, then {rows}");
        }
    }

    #[pg_test]
    fn extended_statistics_and_real_indexes_come_first() {
        table();
        run("CREATE STATISTICS lowered ON (lower(email)) FROM users; ANALYZE users");
        assert!(analysed(STATEMENTS[0]).without_statistics.is_empty());
        let report = report(&[STATEMENTS[0]]);
        let notes = report.statements[0].notes.join("; ");
        assert!(!notes.contains("sample"), "{notes}");
        assert_eq!(report.recommendations.len(), 1);
        // Statistics sampled before give way to those that ANALYZE makes later.
        run("DROP STATISTICS lowered");
        let mut statement = analysed(STATEMENTS[0]);
        let statistics = vec![std::rc::Rc::new(all_of(&statement))];
        run("TRUNCATE users");
        run(
            "INSERT INTO users (id, email) SELECT g, 'user77@example.com' FROM generate_series(1, 100000) AS g",
        );
        run("ANALYZE users");
        statement.estimate_with(statistics.clone()).expect("a plan");
        assert!(statement.before.rows < 1000.0, "{}", statement.before.rows);
        run("CREATE STATISTICS lowered ON (lower(email)) FROM users; ANALYZE users");
        statement.estimate_with(statistics.clone()).expect("a plan");
        assert!(statement.before.rows > 90_000.0, "{}", statement.before.rows);
        run("DROP STATISTICS lowered; CREATE INDEX real ON users (lower(email)); ANALYZE users");
        statement.estimate_with(statistics).expect("a plan");
        assert!(statement.before.rows > 90_000.0, "{}", statement.before.rows);
    }

    #[pg_test]
    fn an_expression_that_raises_errors_is_not_indexed_and_harms_nothing() {
        table();
        let state = session_state();
        let report =
            report(&["SELECT id FROM users WHERE a / b = 5 AND lower(email) = 'user77@example.com'"]);
        let notes = report.statements[0].notes.join("; ");
        assert!(notes.contains("no index can be built on (a / b): division by zero"), "{notes}");
        assert!(notes.contains("expression statistics from a sample of"), "{notes}");
        // Where CREATE INDEX would fail none is proposed.
        let ddl: Vec<&str> = report.recommendations.iter().map(|advice| advice.ddl.as_str()).collect();
        assert_eq!(ddl, ["CREATE INDEX CONCURRENTLY ON public.users ((lower(email)))"]);
        assert_eq!(session_state(), state);
    }

    #[pg_test]
    fn a_badly_selective_expression_is_not_indexed() {
        table();
        let query = "SELECT * FROM users WHERE lower(right(email, 3)) = 'com'";
        assert_eq!(advised(query), Vec::<String>::new());
        // Without a look at the rows, one in two hundred is assumed to match.
        run("SET LOCAL pg_index_advisor.sample_pages = 0");
        assert_eq!(advised(query).len(), 1);
        let notes = report(&[query]).statements[0].notes.join("; ");
        assert!(notes.contains("sample_pages is 0"), "{notes}");
    }

    #[pg_test]
    fn no_sample_without_the_right_to_read_all_of_it() {
        table();
        run("CREATE ROLE half_blind; GRANT SELECT (id, email) ON users TO half_blind");
        run("GRANT USAGE ON SCHEMA index_advisor TO half_blind");
        run("SET LOCAL SESSION AUTHORIZATION half_blind");
        let notes = report(&[STATEMENTS[0]]).statements[0].notes.join("; ");
        run("RESET SESSION AUTHORIZATION");
        assert!(notes.contains("reading the table needs SELECT on all of it"), "{notes}");
    }

    #[pg_test]
    fn statistics_count_with_the_index_and_without_it() {
        table();
        // A join whose order hangs on the rows: both plans must know that few match.
        let query = "SELECT count(*) FROM users u JOIN users v ON v.a = u.a
                      WHERE lower(u.email) = 'user77@example.com' AND v.b = 3";
        let mut statement = analysed(query);
        let blind = statement.before.total;
        let statistics = all_of(&statement);
        statement.estimate_with(vec![std::rc::Rc::new(statistics)]).expect("a plan");
        let again = statement.plan(&[], &[]).expect("a plan");
        assert_eq!(again.total, statement.before.total);
        assert_ne!(again.total, blind);
        run("CREATE INDEX real ON users (lower(email)); ANALYZE users");
        run("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off");
        let (real, _) = plan(query);
        assert!((real - again.total).abs() < 0.001 * real, "{} against {real}", again.total);
    }

    #[pg_test]
    fn an_index_made_by_hand_brings_statistics_along() {
        table();
        for query in [STATEMENTS[0], STATEMENTS[5]] {
            let expression = if query == STATEMENTS[0] { "lower(email)" } else { "a + b" };
            let ddl = format!("CREATE INDEX real ON users (({expression}))");
            run(&format!("SELECT index_advisor.create_hypothetical_index({})", quoted(&ddl)));
            let (promised, promised_rows) = plan(query);
            run("SELECT index_advisor.reset_hypothetical_indexes()");
            run(&ddl);
            run("ANALYZE users");
            let (real, rows) = plan(query);
            run("DROP INDEX real");
            assert!((promised - real).abs() < 0.03 * real + 8.0, "{query}: {promised} promised, {real}");
            assert!((promised_rows - rows).abs() < 0.01 * rows, "{query}: {promised_rows} rows, {rows}");
        }
        // The rows of a partial index are counted where the planner would guess, one in two hundred.
        let size = |condition: &str| {
            let ddl = format!("CREATE INDEX ON users (id) WHERE {condition}");
            run("SELECT index_advisor.reset_hypothetical_indexes()");
            run(&format!("SELECT index_advisor.create_hypothetical_index({})", quoted(&ddl)));
            value::<i64>("SELECT size_bytes FROM index_advisor.hypothetical_indexes")
        };
        assert!(size("lower(right(email, 3)) = 'com'") > 2_000_000);
        assert!(size("lower(right(email, 3)) = 'org'") < 20_000);
    }
}
