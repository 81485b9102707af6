//! Sizes from samples of rows: near what CREATE INDEX builds, within the bounds on reading, with nobody's rights but the caller's.

#[pgrx::pg_schema]
mod tests {
    use crate::server_tests::*;

    /// Some 6 000 rows on some 250 pages.
    fn things() {
        run("SELECT setseed(0.5)");
        run(
            "CREATE TABLE things AS
             SELECT g AS id, g % 10 AS few, (random() * 1e6)::int AS k,
                    (SELECT array_agg((random() * random() * 500)::int) FROM generate_series(1, 1 + g % 7) WHERE g = g) AS tags,
                    jsonb_build_object('id', g, 'state', (ARRAY['new', 'paid', 'sent'])[1 + g % 3],
                                       'price', round((random() * 100)::numeric, 2)) AS doc,
                    to_tsvector('simple', md5((g % 300)::text) || ' ' || md5(random()::text) || ' word' || g % 40) AS words,
                    'https://' || g % 30 || '.example/' || md5((random() * 1e5)::int::text) AS url,
                    CASE WHEN g % 20 > 0 THEN int4range((random() * 1e6)::int, 1000000 + (random() * 1e4)::int) END AS span,
                    tsrange(timestamp '2020-01-01' + g * interval '1 h', timestamp '2020-01-01' + g * interval '1 h' + random() * interval '9 h') AS during,
                    point(random(), random()) AS place, box(point(random(), random()), point(random(), random())) AS area,
                    ('10.0.' || g % 200 || '.' || (random() * 255)::int)::inet AS address
               FROM generate_series(1, 6000) AS g",
        );
        run("ANALYZE things");
    }

    const INDEXES: [&str; 24] = [
        "gin (tags)",
        "gin (tags) WHERE few < 3",
        "gin (doc)",
        "gin (doc jsonb_path_ops)",
        "gin (words)",
        "gin ((ARRAY[k, few]))",
        "gist (span)",
        "gist (during)",
        "gist (place)",
        "gist (place) INCLUDE (id, url)",
        "gist (place) WITH (fillfactor = 60)",
        "gist (area)",
        "gist (address inet_ops)",
        "gist (words)",
        "gist (words tsvector_ops (siglen = 32))",
        "gist (span, during)",
        "gist (during) WHERE few < 3",
        "spgist (place)",
        "spgist (place kd_point_ops)",
        "spgist (area)",
        "spgist (span)",
        "spgist (address)",
        "spgist (url)",
        "spgist (place) INCLUDE (id)",
    ];

    /// Pages of an index as they are, and as they are estimated for its definition.
    fn sizes(index: &str) -> (f64, f64) {
        let ddl = value::<String>(&format!("SELECT pg_get_indexdef('{index}'::regclass)"));
        run(&format!("SELECT index_advisor.create_hypothetical_index({})", quoted(&ddl)));
        let both = value::<Vec<f64>>(&format!(
            "SELECT ARRAY[pg_relation_size('{index}'), size_bytes]::float8[] FROM index_advisor.hypothetical_indexes"
        ));
        run("SELECT index_advisor.reset_hypothetical_indexes()");
        let page = f64::from(pgrx::pg_sys::BLCKSZ);
        (both[0] / page, both[1] / page)
    }

    fn refusal(index: &str) -> String {
        let ddl = value::<String>(&format!("SELECT pg_get_indexdef('{index}'::regclass)"));
        run("DO $do$ BEGIN IF to_regproc('pg_temp.refusal') IS NULL THEN CREATE FUNCTION pg_temp.refusal(ddl text) RETURNS text LANGUAGE plpgsql AS $$
             DECLARE reason text;
             BEGIN PERFORM index_advisor.create_hypothetical_index(ddl); PERFORM index_advisor.reset_hypothetical_indexes(); RETURN 'none';
             EXCEPTION WHEN others THEN GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL; RETURN coalesce(nullif(reason, ''), SQLERRM); END $$; END IF; END $do$");
        value::<String>(&format!("SELECT pg_temp.refusal({})", quoted(&ddl)))
    }

    /// Asserts that each index is estimated within `most` times its size, give or take three pages, and half of them within `median`.
    fn assert_near(most: f64, median: f64) {
        let mut errors = Vec::new();
        let mut faults = Vec::new();
        for index in INDEXES {
            run(&format!("CREATE INDEX made ON things USING {index}"));
            let (real, estimated) = sizes("made");
            assert_eq!(sizes("made"), (real, estimated), "{index}: the same sample gives the same size");
            let error = (estimated / real).max(real / estimated);
            if error > most && (estimated - real).abs() > 3.0 {
                faults.push(format!("{index}: {estimated} of {real} pages"));
            }
            errors.push(error);
            run("DROP INDEX made");
        }
        errors.sort_by(f64::total_cmp);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(errors[errors.len() / 2] <= median, "median {}", errors[errors.len() / 2]);
    }

    #[pg_test]
    fn sizes_from_all_rows_are_near_real_indexes() {
        things();
        run("SET LOCAL pg_index_advisor.sample_pages = 10000");
        assert_near(1.35, 1.1);
    }

    #[pg_test]
    fn sizes_from_a_quarter_of_the_pages_are_near_real_indexes() {
        things();
        run("SET LOCAL pg_index_advisor.sample_pages = 60");
        assert!(
            value::<i64>("SELECT pg_relation_size('things') / current_setting('block_size')::bigint") > 200
        );
        assert_near(1.8, 1.25);
    }

    #[pg_test]
    fn lengths_of_numbers_and_text_are_those_of_the_values() {
        run("CREATE TABLE sales AS
             SELECT g AS id, CASE WHEN g % 20 = 0 THEN 12 ELSE 1000.25 + g % 7919 END::numeric AS price,
                    CASE WHEN g % 3 > 0 THEN 'United States' ELSE 'Chad' END AS country,
                    repeat('x', 110 + g % 60) AS note
               FROM generate_series(1, 20000) AS g");
        run("ANALYZE sales");
        for index in ["(id, price)", "(id) INCLUDE (price, country)", "(id, country)", "(id) INCLUDE (note)"]
        {
            run(&format!("CREATE INDEX made ON sales {index}"));
            let (real, estimated) = sizes("made");
            assert!((estimated / real - 1.0).abs() < 0.02, "{index}: {estimated} of {real} pages");
            run("DROP INDEX made");
        }
    }

    #[pg_test]
    fn sizes_of_partitioned_tables_add_up() {
        things();
        run("CREATE TABLE parted (LIKE things) PARTITION BY HASH (id)");
        for i in 0..3 {
            run(&format!(
                "CREATE TABLE part{i} PARTITION OF parted FOR VALUES WITH (MODULUS 3, REMAINDER {i})"
            ));
        }
        run("INSERT INTO parted SELECT * FROM things");
        run("ANALYZE parted");
        for index in ["gin (tags)", "gin (doc)", "gist (place)", "spgist (url)"] {
            run(&format!(
                "SELECT index_advisor.create_hypothetical_index('CREATE INDEX ON parted USING {index}')"
            ));
            let explained = value::<i64>("SELECT size_bytes FROM index_advisor.hypothetical_indexes");
            run("SELECT index_advisor.reset_hypothetical_indexes()");
            run(&format!("CREATE INDEX made ON parted USING {index}"));
            let real = value::<i64>(
                "SELECT sum(pg_relation_size(relid))::bigint FROM pg_partition_tree('made') WHERE isleaf",
            );
            let ratio = explained as f64 / real as f64;
            assert!((0.7..1.4).contains(&ratio), "{index}: {explained} of {real} bytes");
            run("DROP INDEX made");
        }
    }

    #[pg_test]
    fn no_more_pages_are_read_than_allowed() {
        things();
        run("CREATE INDEX made ON things USING gist (place)");
        let fetched = || value::<i64>("SELECT pg_stat_get_xact_blocks_fetched('things'::regclass)");
        for allowed in [1, 20, 100] {
            run(&format!("SET LOCAL pg_index_advisor.sample_pages = {allowed}"));
            let before = fetched();
            sizes("made");
            let read = fetched() - before;
            assert!((1..=allowed).contains(&read), "{read} pages read, {allowed} allowed");
        }
    }

    #[pg_test]
    fn values_out_of_line_count_as_pages() {
        run(
            "CREATE TABLE wide AS SELECT g AS id, (SELECT array_agg(g * 3000 + i) FROM generate_series(1, 3000) AS i) AS v FROM generate_series(1, 400) AS g",
        );
        run("CREATE INDEX made ON wide USING gin (v)");
        let toast = "(SELECT reltoastrelid FROM pg_class WHERE oid = 'wide'::regclass)";
        let fetched = || value::<i64>(&format!("SELECT pg_stat_get_xact_blocks_fetched({toast})"));
        run("SET LOCAL pg_index_advisor.sample_pages = 50");
        let before = fetched();
        let (real, estimated) = sizes("made");
        // A page of the table goes to its end; a value takes a page of the TOAST table and a descent of its index.
        let read = fetched() - before;
        assert!(read > 0 && read < 4 * 50 + 400, "{read} pages read out of line");
        assert!((estimated / real - 1.0).abs() < 0.5, "{estimated} of {real} pages");
    }

    #[pg_test]
    fn empty_and_tiny_tables_have_small_indexes() {
        run("CREATE TABLE tiny (t tsvector, p point)");
        for index in ["gin (t)", "gist (t)", "gist (p)", "spgist (p)"] {
            run(&format!("CREATE INDEX made ON tiny USING {index}"));
            let (real, estimated) = sizes("made");
            assert!((estimated - real).abs() <= 2.0, "{index}, no row: {estimated} of {real} pages");
            run("INSERT INTO tiny VALUES (NULL, NULL), ('a b', '(1,2)'), ('', '(1,2)')");
            let (real, estimated) = sizes("made");
            assert!((estimated - real).abs() <= 2.0, "{index}, three rows: {estimated} of {real} pages");
            run("DROP INDEX made; TRUNCATE tiny");
        }
    }

    #[pg_test]
    fn a_predicate_that_no_sampled_row_satisfies_is_not_nothing() {
        things();
        run("CREATE INDEX made ON things USING gist (place) WHERE id = 5990");
        run("SET LOCAL pg_index_advisor.sample_pages = 5");
        let (_, estimated) = sizes("made");
        assert!((1.0..20.0).contains(&estimated), "{estimated} pages");
    }

    #[pg_test]
    fn who_may_not_read_the_table_gets_no_sample() {
        things();
        run("CREATE INDEX made ON things USING gist (place)");
        run("CREATE ROLE reader");
        run("GRANT USAGE ON SCHEMA index_advisor TO reader");
        run("GRANT SELECT (id, place) ON things TO reader");
        let as_reader = || {
            run("SET LOCAL ROLE reader");
            let refusal = refusal("made");
            run("RESET ROLE");
            refusal
        };
        assert_eq!(as_reader(), "reading the table needs SELECT on all of it");
        run("GRANT SELECT ON things TO reader");
        assert_eq!(as_reader(), "none");
        run("ALTER TABLE things ENABLE ROW LEVEL SECURITY");
        assert_eq!(as_reader(), "row-level security applies");
        run("ALTER TABLE things DISABLE ROW LEVEL SECURITY");
        run("SET LOCAL pg_index_advisor.sample_pages = 0");
        assert_eq!(refusal("made"), "pg_index_advisor.sample_pages is 0");
    }

    #[pg_test]
    fn expressions_run_with_the_owners_rights() {
        run("CREATE ROLE maker");
        run("CREATE SCHEMA makers AUTHORIZATION maker");
        run("SET LOCAL ROLE maker");
        run("CREATE FUNCTION makers.f(a int) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$
             BEGIN
               IF current_user <> 'maker' THEN RAISE EXCEPTION 'run as %', current_user; END IF;
               RETURN ARRAY[a];
             END $$");
        run("CREATE TABLE makers.t AS SELECT g AS a FROM generate_series(1, 1000) AS g");
        run("CREATE INDEX made ON makers.t USING gin (makers.f(a))");
        run("RESET ROLE");
        assert_eq!(refusal("makers.made"), "none");
    }

    #[pg_test]
    fn a_failing_expression_is_a_reason() {
        run("CREATE TABLE t AS SELECT 1 AS a");
        run(
            "CREATE FUNCTION f(a int) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN ARRAY[a / (a - 2)]; END $$",
        );
        run("CREATE INDEX made ON t USING gin (f(a))");
        run(
            "CREATE OR REPLACE FUNCTION f(a int) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN ARRAY[a / (a - 1)]; END $$",
        );
        // The first look takes locks of its own: on what it reads the definition from.
        refusal("made");
        let before = session_state();
        assert_eq!(refusal("made"), "reading it failed: division by zero");
        assert_eq!(session_state(), before);
    }

    #[pg_test]
    fn a_read_only_transaction_is_enough() {
        things();
        run("CREATE INDEX made ON things USING gin (tags)");
        refusal("made");
        run("SET LOCAL transaction_read_only = on");
        let before = session_state();
        assert_eq!(refusal("made"), "none");
        assert_eq!(session_state(), before);
    }

    #[pg_test]
    fn keys_that_lie_together_are_counted_where_analyze_cannot() {
        // One to seven rows of each key, one after the other, as the lines of orders are stored; parts come out of order.
        run("CREATE TABLE lines AS SELECT o AS number, md5(o::text) AS reference, (o * 31 + line * 17) % 40000 AS part, line % 3 = 0 AS late
               FROM generate_series(1, 60000) AS o, generate_series(1, 1 + (o * 7919) % 7) AS line ORDER BY o, line");
        // What ANALYZE may make of them at worst when it sees one row in eight. With fewer yet, it would have met values in several places.
        run(
            "ALTER TABLE lines ALTER number SET (n_distinct = 44000), ALTER reference SET (n_distinct = 44000), ALTER part SET (n_distinct = 39000)",
        );
        run("ANALYZE lines");
        let mut with_a_sample = Vec::new();
        for index in [
            "(number)",
            "(number) WHERE late",
            "(number DESC) WITH (fillfactor = 70)",
            "(reference)",
            "(part)",
            "(number, part)",
        ] {
            run(&format!("CREATE INDEX made ON lines {index}"));
            let (real, estimated) = sizes("made");
            // Measured: 4 % too small to 13 % too large.
            assert!((estimated / real - 1.0).abs() < 0.15, "{index}: {real} pages, {estimated} estimated");
            with_a_sample.push(estimated);
            run("DROP INDEX made");
        }
        // Without a sample there is only what ANALYZE says.
        run("SET pg_index_advisor.sample_pages = 0");
        run("CREATE INDEX made ON lines (number)");
        let (real, estimated) = sizes("made");
        assert!(
            estimated < 0.95 * with_a_sample[0],
            "{real} pages, {estimated} estimated, {with_a_sample:?}"
        );
    }
    #[pg_test]
    fn combinations_are_counted_where_columns_depend_on_each_other() {
        // A part has four suppliers; an order has a customer and a day; a shade goes with a part, and most are grey.
        run("SELECT setseed(0.3)");
        run("CREATE TABLE lines AS
             SELECT o AS number, (o * 7919) % 9000 AS customer, o / 40 AS day, part,
                    (part * 31 + (random() * 4)::int % 4 * 250) % 1000 AS supplier,
                    CASE WHEN part % 3 > 0 THEN 0 ELSE part END AS shade, (random() * 1e5)::int AS price
               FROM (SELECT o, (random() * 20000)::int AS part
                       FROM generate_series(1, 50000) AS o, generate_series(1, 6) ORDER BY o) AS drawn");
        run("ANALYZE lines");
        let taken_as_independent = |index: &str| {
            run("SET LOCAL pg_index_advisor.sample_pages = 0");
            let (real, estimated) = sizes(index);
            run("SET LOCAL pg_index_advisor.sample_pages = 300");
            estimated / real
        };
        for (index, wrong) in [
            ("(supplier, part)", true),
            ("(part, supplier)", true),
            ("(customer, day)", true),
            ("(day, customer, number)", true),
            ("(shade, part)", true),
            ("(part, price)", false),
            ("(day, supplier)", false),
        ] {
            run(&format!("CREATE INDEX made ON lines {index}"));
            let (real, estimated) = sizes("made");
            assert!((0.9..1.2).contains(&(estimated / real)), "{index}: {estimated} of {real} pages");
            let independent = taken_as_independent("made");
            assert_eq!(independent > 1.3, wrong, "{index}: {independent}");
            run("DROP INDEX made");
        }
    }
}
