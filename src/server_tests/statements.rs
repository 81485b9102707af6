//! What the server makes of statement texts: facts, roles, search paths, parameters.

#[pgrx::pg_schema]
mod tests {
    use crate::candidate::facts::{ClauseKind, OrderPurpose, WriteKind};
    use crate::pg::analyze::{Analysed, analyse};
    use crate::pg::identity::Identity;
    use crate::server_tests::*;
    use crate::statement;
    use crate::workload::Role;
    use pgrx::pg_sys;

    fn analysed_as(text: &str, identity: &Identity, rows: Option<f64>) -> Result<Analysed, String> {
        let reading = statement::read(text, usize::MAX).map_err(|reason| reason.to_string())?;
        analyse(&reading, identity, rows).map_err(|reason| reason.to_string())
    }

    fn analysed(text: &str) -> Analysed {
        analysed_as(text, &Identity::caller(1000), None).unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    fn oid(relation: &str) -> u32 {
        value::<pg_sys::Oid>(&format!("SELECT '{relation}'::regclass::oid")).to_u32()
    }

    fn role(name: &str) -> Role {
        let oid = value::<pg_sys::Oid>(&format!("SELECT oid FROM pg_roles WHERE rolname = '{name}'"));
        Role { oid: oid.to_u32(), name: Some(name.to_string()) }
    }

    /// The statements as pg_stat_statements stores them; PREPARE refuses a dozen of them as they stand.
    #[pg_test]
    fn every_normalised_statement_is_planned() {
        let file = include_str!("../../tests/cases/normalized_statements.sql");
        run("CREATE TABLE o (id int, c timestamptz, d date, t text, u uuid, n numeric, j jsonb, a int[], b bool,
                             i interval)");
        let statements: Vec<&str> = file.lines().filter(|line| !line.starts_with("--")).collect();
        assert_eq!(statements.len(), 41);
        for text in statements {
            assert_eq!(refusal_of(text), None, "{text}");
        }
    }

    #[pg_test]
    fn facts_of_the_usual_shapes() {
        use ClauseKind::*;
        run("CREATE TABLE f AS SELECT g AS id, g % 90 AS kind, md5(g::text) AS name, g % 2 = 0 AS done
               FROM generate_series(1, 9000) AS g");
        run("CREATE TABLE h AS SELECT g AS id, g % 500 AS f_id FROM generate_series(1, 9000) AS g");
        run("CREATE VIEW v AS SELECT * FROM f WHERE kind = 3");
        run("ANALYZE f");
        run("ANALYZE h");
        let cases: [(&str, &[(ClauseKind, &str)]); 9] = [
            ("SELECT * FROM f WHERE id = 5", &[(Equality, "(id = 5)")]),
            ("SELECT * FROM f WHERE 5 > id", &[(Range, "(5 > id)")]),
            ("SELECT * FROM f WHERE id IN (1, 2)", &[(AnyOf, "(id = ANY ('{1,2}'::integer[]))")]),
            ("SELECT * FROM f WHERE name IS NULL", &[(IsNull, "(name IS NULL)")]),
            ("SELECT * FROM f WHERE NOT done", &[(Equality, "(NOT done)")]),
            ("SELECT * FROM f WHERE name LIKE 'abc%'", &[(Prefix, "(name ~~ 'abc%'::text)")]),
            ("SELECT * FROM f WHERE name LIKE '%abc'", &[]),
            ("SELECT * FROM f WHERE lower(name) = 'x'", &[(Equality, "(lower(name) = 'x'::text)")]),
            ("SELECT * FROM v WHERE id < 7", &[(Equality, "(kind = 3)"), (Range, "(id < 7)")]),
        ];
        for (text, expected) in cases {
            let facts = analysed(text).facts;
            assert_eq!(facts.relations.len(), 1, "{text}");
            let mut seen: Vec<(ClauseKind, &str)> = facts.relations[0]
                .restrictions
                .iter()
                .map(|clause| (clause.kind, clause.sql.as_str()))
                .collect();
            seen.sort();
            assert_eq!(seen, expected, "{text}");
        }

        let or = analysed("SELECT * FROM f WHERE id = 5 OR (kind = 3 AND name = 'x')").facts;
        let arms: Vec<usize> = or.relations[0].alternatives[0].iter().map(Vec::len).collect();
        assert_eq!(arms, [1, 2]);

        let join = analysed("SELECT f.name FROM f JOIN h ON h.f_id = f.id WHERE h.id = 7").facts;
        assert_eq!(join.relations.len(), 2);
        for usage in &join.relations {
            assert_eq!(usage.joins.len(), 1);
            assert!(
                [oid("f"), oid("h")].contains(&usage.joins[0].other)
                    && usage.joins[0].other != usage.relation
            );
        }

        run("CREATE TABLE g AS SELECT generate_series(1, 50) AS number");
        // An arm of UNION ALL is joined as the whole is.
        let arms = analysed(
            "SELECT count(*) FROM (SELECT id AS number, name FROM f UNION ALL SELECT f_id, 'y' FROM h) AS u
               JOIN g ON g.number = u.number",
        )
        .facts;
        let joined: Vec<&str> =
            arms.relations.iter().flat_map(|r| &r.joins).map(|j| j.sql.as_str()).collect();
        assert!(["id = g.number", "f_id = g.number"].iter().all(|arm| joined.contains(arm)), "{joined:?}");
        let sorted = analysed("SELECT id FROM f ORDER BY kind DESC, id LIMIT 5").facts;
        let order = &sorted.relations[0].orders[0];
        assert_eq!((order.purpose, order.complete, order.limited), (OrderPurpose::Sort, true, true));
        assert_eq!(order.keys.iter().map(|key| key.descending).collect::<Vec<_>>(), [true, false]);
        let needed: Vec<i16> = sorted.relations[0].needed.iter().flatten().copied().collect();
        assert_eq!(needed, [1, 2]);
        assert!(analysed("SELECT f FROM f WHERE id = 5").facts.relations[0].needed.is_none());

        let written = analysed("UPDATE f SET kind = 4 WHERE id = 5").facts.write.expect("it writes");
        assert_eq!((written.relation, written.kind), (oid("f"), WriteKind::Update));
        assert_eq!(written.updated.into_iter().collect::<Vec<_>>(), [2]);
    }

    #[pg_test]
    fn a_statement_is_planned_as_its_role_on_its_search_path() {
        run("CREATE SCHEMA s1");
        run("CREATE SCHEMA s2");
        run("CREATE TABLE s1.here (id int)");
        run("CREATE TABLE s2.here (id int)");
        run("CREATE ROLE advised_role");
        run("ALTER ROLE advised_role SET search_path = s2");
        let identity = Identity::of(&role("advised_role"), 1000).expect("readable settings");
        let text = "SELECT * FROM here WHERE id = $1";
        let refused = analysed_as(text, &identity, None).err().expect("no right on the schema or table");
        assert!(refused.contains("advised_role") || refused.contains("does not exist"), "{refused}");
        run("GRANT USAGE ON SCHEMA s2 TO advised_role");
        let refused = analysed_as(text, &identity, None).err().expect("no right on the table");
        assert!(refused.contains("permission denied for table here"), "{refused}");
        run("GRANT SELECT ON s2.here TO advised_role");
        let analysed = analysed_as(text, &identity, None).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(analysed.facts.relations[0].relation, oid("s2.here"));
    }

    #[pg_test]
    fn a_setting_that_a_role_cannot_have_is_no_reason() {
        run("CREATE TABLE t (id int)");
        run("CREATE ROLE advised_role");
        run("GRANT SELECT ON t TO advised_role");
        run("ALTER ROLE advised_role SET default_text_search_config = 'nosuch.configuration'");
        // Once temporary tables are in use, temp_buffers cannot change.
        run("ALTER ROLE advised_role SET temp_buffers = '20MB'");
        run("CREATE TEMP TABLE used AS SELECT 1 AS a");
        let identity = Identity::of(&role("advised_role"), 1000).expect("readable settings");
        if let Err(reason) = analysed_as("SELECT * FROM public.t WHERE id = $1", &identity, None) {
            panic!("{reason}");
        }
    }

    #[pg_test]
    fn a_table_off_the_search_path_is_found() {
        run("CREATE SCHEMA aside");
        run("CREATE TABLE aside.only_there AS SELECT g AS id FROM generate_series(1, 9000) AS g");
        run("ANALYZE aside.only_there");
        let ddl = advised("SELECT * FROM only_there WHERE id = 5");
        assert_eq!(ddl, ["CREATE INDEX CONCURRENTLY ON aside.only_there (id)"]);
    }

    #[pg_test]
    fn a_caller_without_rights_learns_nothing() {
        run("CREATE TABLE secret AS SELECT g AS id FROM generate_series(1, 9000) AS g");
        run("CREATE ROLE advised_role");
        run("GRANT USAGE ON SCHEMA index_advisor TO advised_role");
        run("SET LOCAL ROLE advised_role");
        let message = refusal_of("SELECT * FROM secret WHERE id = 5").expect("no right");
        run("RESET ROLE");
        assert!(message.contains("permission denied for table secret"), "{message}");
    }

    #[pg_test]
    fn parameters_follow_the_measured_rows() {
        run("CREATE TABLE p AS SELECT g AS id, CASE WHEN g % 10 < 9 THEN 'done' ELSE 'open' || g % 100 END AS state
               FROM generate_series(1, 20000) AS g");
        run("ANALYZE p");
        for measured in [18000.0, 200.0] {
            let text = "SELECT * FROM p WHERE state = $1";
            let analysed =
                analysed_as(text, &Identity::caller(1000), Some(measured)).unwrap_or_else(|r| panic!("{r}"));
            let rows = analysed.before.rows;
            assert!((rows / measured).ln().abs() < 2_f64.ln(), "{measured} rows measured, {rows} planned");
        }
        let text = "SELECT * FROM p WHERE id > $1 AND id < $2";
        // A histogram has a hundred buckets, so a per cent is as fine as it gets.
        for measured in [200.0, 2000.0, 18000.0] {
            let analysed =
                analysed_as(text, &Identity::caller(1000), Some(measured)).unwrap_or_else(|r| panic!("{r}"));
            let rows = analysed.before.rows;
            assert!((rows / measured).ln().abs() < 3_f64.ln(), "{measured} rows measured, {rows} planned");
        }
    }

    #[pg_test]
    fn the_advisors_own_statements_are_refused() {
        let message = refusal_of("SELECT * FROM index_advisor.recommend()").expect("own statement");
        assert!(message.contains("statement of this extension"), "{message}");
    }
}
