//! The advice against the truth: what is promised of an index holds when the index is there.

#[pgrx::pg_schema]
mod tests {
    use crate::server_tests::*;

    /// The prices are short enough that their index is one level high by far: near the border a few bytes of the sample
    /// would be a whole descent of the smallest plans.
    fn tables() {
        run("CREATE TABLE orders AS
             SELECT g AS id, g % 997 AS customer, (g * 7919) % 100000 AS amount, g % 5 AS state, md5(g::text) AS note,
                    date '2020-01-01' + g / 40 AS day, CASE WHEN g % 50 = 0 THEN g END AS rare,
                    (g::numeric / 7)::numeric(24, 4) AS price, (g % 200)::text::varchar(10) AS code, g % 1000 = 0 AS flagged
               FROM generate_series(1, 60000) AS g");
        run("CREATE TABLE customers AS
             SELECT g AS id, 'name ' || g AS name, g % 20 AS region FROM generate_series(1, 2000) AS g");
        run("CREATE TABLE halves (k int, v int, w text) PARTITION BY HASH (k)");
        run("CREATE TABLE half0 PARTITION OF halves FOR VALUES WITH (MODULUS 2, REMAINDER 0)");
        run("CREATE TABLE half1 PARTITION OF halves FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
        run("INSERT INTO halves SELECT g, g % 5000, md5(g::text) FROM generate_series(1, 40000) AS g");
        run(
            "CREATE MATERIALIZED VIEW daily AS SELECT day, state, count(*) AS n FROM orders GROUP BY day, state",
        );
        run("ANALYZE");
    }

    const STATEMENTS: [&str; 18] = [
        "SELECT * FROM orders WHERE id = 4711",
        "SELECT id FROM orders WHERE customer = 5 AND amount > 99000",
        "SELECT * FROM orders WHERE customer IN (1, 2, 3) AND state = 2",
        "SELECT * FROM orders WHERE rare IS NOT NULL AND rare < 3000",
        "SELECT * FROM orders WHERE note LIKE 'abcd%'",
        "SELECT * FROM orders WHERE lower(note) = 'x'",
        "SELECT * FROM orders ORDER BY amount DESC, id LIMIT 10",
        "SELECT customer, count(*) FROM orders WHERE day BETWEEN '2021-01-01' AND '2021-01-10' GROUP BY customer",
        "SELECT c.name, o.amount FROM customers c JOIN orders o ON o.customer = c.id WHERE c.id = 17",
        "SELECT max(price) FROM orders",
        "SELECT * FROM orders WHERE code = '77' ORDER BY day DESC LIMIT 3",
        "SELECT * FROM orders WHERE flagged AND customer = 3",
        "SELECT * FROM halves WHERE v = 77",
        "UPDATE orders SET state = 1 WHERE price BETWEEN 100 AND 101",
        "SELECT n FROM daily WHERE day = '2021-05-05' AND state = 3",
        "SELECT * FROM orders WHERE id = 5 OR amount = 77",
        "SELECT id FROM orders WHERE amount < customer AND day > '2021-01-01'",
        "SELECT * FROM orders WHERE customer > amount AND rare IS NOT NULL AND state = 3",
    ];

    /// Node types of a plan, outermost first, and the indexes in it.
    fn shape(plan: &serde_json::Value, nodes: &mut Vec<String>, indexes: &mut Vec<String>) {
        nodes.extend(plan["Node Type"].as_str().map(str::to_string));
        indexes.extend(plan["Index Name"].as_str().map(str::to_string));
        for child in plan["Plans"].as_array().into_iter().flatten() {
            shape(child, nodes, indexes);
        }
    }

    #[pg_test]
    fn created_indexes_cost_and_weigh_what_was_promised() {
        tables();
        let mut compared = 0;
        let mut faults = Vec::new();
        for text in STATEMENTS {
            let advice = value::<pgrx::Json>(&format!(
                "SELECT coalesce(json_agg(r ORDER BY rank), '[]') FROM index_advisor.recommend_for({}) AS r",
                quoted(text)
            ));
            let advice = advice.0.as_array().cloned().unwrap_or_default();
            let Some(last) = advice.last() else {
                faults.push(format!("{text}: no advice"));
                continue;
            };
            let promised = last["cost_after"].as_f64().expect("a number");
            // Each row goes on where the one above ends, also where two indexes help only together.
            let costs =
                |name: &str| -> Vec<f64> { advice.iter().filter_map(|row| row[name].as_f64()).collect() };
            let (before, after) = (costs("cost_before"), costs("cost_after"));
            if before[0] <= 0.0 || before[1..] != after[..after.len() - 1] || before[0] <= promised {
                faults.push(format!("{text}: costs {before:?} become {after:?}"));
            }
            for row in &advice {
                let ddl = row["ddl"].as_str().expect("text");
                let table = row["relation"].as_str().expect("a name");
                // pg_partition_tree gives a plain table as its own only leaf, a materialised view not at all.
                let size = |table: &str| {
                    value::<i64>(&format!(
                        "SELECT sum(pg_indexes_size(oid))::bigint FROM pg_class WHERE relkind <> 'p' AND (oid = '{table}'::regclass
                            OR oid IN (SELECT relid FROM pg_partition_tree('{table}')))"
                    ))
                };
                let before = size(table);
                run(&ddl.replace("CONCURRENTLY ", ""));
                if ddl.split(" WHERE ").next().is_some_and(|keys| keys.contains("((")) {
                    // As the reason says of an expression. Not for a predicate: another sample gives other rows.
                    run(&format!("ANALYZE {table}"));
                }
                let (real, estimate) = (size(table) - before, row["size_bytes"].as_f64().expect("a number"));
                // A tenth, or a page where a tenth is less.
                if (real as f64 - estimate).abs() > (estimate * 0.1).max(8192.0) {
                    faults.push(format!("{text}: {ddl} takes {real} bytes, {estimate} promised"));
                }
            }
            let plan = value::<pgrx::Json>(&format!("EXPLAIN (FORMAT JSON) {text}"));
            let (mut nodes, mut indexes) = (Vec::new(), Vec::new());
            shape(&plan.0[0]["Plan"], &mut nodes, &mut indexes);
            let cost = plan.0[0]["Plan"]["Total Cost"].as_f64().expect("a number");
            if (cost / promised - 1.0).abs() > 0.05 || indexes.is_empty() {
                faults.push(format!("{text}: costs {cost}, {promised} promised; {nodes:?} {indexes:?}"));
            }
            compared += 1;
            // The next statement starts from none again.
            run("DO $$ DECLARE name text; BEGIN
                   FOR name IN SELECT indexrelid::regclass FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                                WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition LOOP
                     EXECUTE 'DROP INDEX ' || name;
                   END LOOP; END $$");
        }
        assert!(faults.is_empty(), "{compared} compared\n{}", faults.join("\n"));
    }

    #[pg_test]
    fn a_comparison_of_columns_is_a_predicate_whichever_way_it_is_written() {
        tables();
        // What pg_stat_statements makes of it: the constant is gone, the comparison is not.
        let ways = ["amount < customer", "customer > amount"];
        let advice = ways.map(|way| advised(&format!("SELECT id FROM orders WHERE {way} AND day > $1")));
        assert_eq!(advice[0], advice[1]);
        assert!(advice[0].iter().any(|ddl| ddl.ends_with("WHERE (customer > amount)")), "{advice:?}");
        // Without a sample nobody knows how many rows those are.
        run("SET pg_index_advisor.sample_pages = 0");
        let advice = advised("SELECT id FROM orders WHERE amount < customer AND day > $1");
        assert!(advice.iter().all(|ddl| !ddl.contains("WHERE")), "{advice:?}");
    }

    #[pg_test]
    fn what_exists_is_not_proposed_again_in_any_form() {
        tables();
        for (index, text) in [
            ("(id)", "SELECT * FROM orders WHERE id = 4711"),
            ("(id DESC)", "SELECT * FROM orders WHERE id = 4711"),
            ("(customer) INCLUDE (note)", "SELECT * FROM orders WHERE customer = 5"),
            ("(lower(note))", "SELECT * FROM orders WHERE lower(note) = 'x'"),
            ("(note text_pattern_ops)", "SELECT * FROM orders WHERE note LIKE 'abcd%'"),
            ("(amount, id DESC)", "SELECT * FROM orders ORDER BY amount DESC, id LIMIT 10"),
            ("(code)", "SELECT * FROM orders WHERE code = '777'"),
        ] {
            run(&format!("CREATE INDEX made ON orders {index}"));
            assert_eq!(advised(text), Vec::<String>::new(), "{index} is there for: {text}");
            run("DROP INDEX made");
            assert!(!advised(text).is_empty(), "nothing is there for: {text}");
        }
    }

    #[pg_test]
    fn created_advice_is_not_given_again() {
        tables();
        for text in STATEMENTS {
            let first = advised(text);
            for ddl in &first {
                run(&ddl.replace("CONCURRENTLY ", ""));
            }
            let again = advised(text);
            for ddl in &first {
                assert!(!again.contains(ddl), "{text}: {ddl} again");
            }
        }
    }

    #[pg_test]
    fn the_same_question_gets_the_same_answer() {
        tables();
        for text in STATEMENTS {
            let first = advised(text);
            assert_eq!(advised(text), first, "{text}");
        }
    }
}
