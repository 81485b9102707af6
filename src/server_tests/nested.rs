//! Planner calls within planner calls: folding an IMMUTABLE function runs the function's own queries, which are planned and
//! executed while our planner call is under way. They must see the real indexes only, and stay out of the facts.

#[pgrx::pg_schema]
mod tests {
    use crate::pg::what_if::costs_before;
    use crate::server_tests::*;

    /// `t` is worth an index on `id`; so is the look-up that `kind_of` makes each time the planner folds it.
    fn tables() {
        run(
            "CREATE TABLE t AS SELECT g AS id, g % 1000 AS kind, md5(g::text) AS note FROM generate_series(1, 30000) AS g",
        );
        run("CREATE TABLE other AS SELECT g AS key, g AS value FROM generate_series(1, 30000) AS g");
        run("ANALYZE t");
        run("ANALYZE other");
        run("CREATE FUNCTION kind_of(wanted int) RETURNS int IMMUTABLE LANGUAGE plpgsql
             AS 'BEGIN RETURN (SELECT kind FROM t WHERE id = wanted); END'");
        run("CREATE FUNCTION value_of(wanted int) RETURNS int IMMUTABLE LANGUAGE plpgsql
             AS 'BEGIN RETURN (SELECT value FROM other WHERE key = wanted); END'");
    }

    #[pg_test]
    fn a_query_of_a_folded_function_uses_no_hypothetical_index() {
        tables();
        assert_eq!(error_of("SELECT kind_of(77)"), None);
        let ddl = advised("SELECT * FROM t WHERE id = kind_of(77)");
        assert!(ddl.iter().any(|ddl| ddl.contains("(id)")), "{ddl:?}");
        // Nor does the plan that PL/pgSQL keeps of it.
        for _ in 0..10 {
            assert_eq!(value::<i32>("SELECT kind_of(id) FROM t WHERE id = 77"), 77);
        }
    }

    #[pg_test]
    fn a_query_of_a_folded_function_is_not_the_statements_own() {
        tables();
        let ddl = advised("SELECT * FROM t WHERE id = value_of(77)");
        assert!(ddl.iter().all(|ddl| !ddl.contains("other")), "{ddl:?}");
        assert!(ddl.iter().any(|ddl| ddl.contains("(id)")), "{ddl:?}");
    }

    /// A STABLE function is called for its estimate when the planner has all relations already: what was noted of them stays.
    #[pg_test]
    fn a_query_of_an_estimated_function_leaves_the_cost_in_memory() {
        tables();
        run("CREATE FUNCTION id_now(wanted int) RETURNS int STABLE LANGUAGE plpgsql AS $$
             DECLARE found int; BEGIN EXECUTE 'SELECT value FROM other WHERE key = $1' INTO found USING wanted; RETURN found; END $$");
        let pages = value::<i32>("SELECT relpages FROM pg_class WHERE relname = 't'");
        let costs = costs_before(&["SELECT note FROM t WHERE id = id_now(77)".to_string()]);
        let costs = costs.unwrap_or_else(|error| panic!("{}", error.message));
        // The pages of the sequential scan cost less than the planner charges for them.
        assert!(costs[0].total - costs[0].in_memory > 0.2 * f64::from(pages), "{costs:?}");
    }

    #[pg_test]
    fn advice_asked_for_while_advice_is_given() {
        tables();
        run("CREATE FUNCTION advised(wanted int) RETURNS int IMMUTABLE LANGUAGE plpgsql
             AS $$ BEGIN PERFORM index_advisor.recommend_for('SELECT * FROM other WHERE key = 5'); RETURN wanted; END $$");
        let ddl = advised("SELECT * FROM t WHERE id = advised(77)");
        assert!(ddl.iter().any(|ddl| ddl.contains("(id)")), "{ddl:?}");
        assert!(ddl.iter().all(|ddl| !ddl.contains("other")), "{ddl:?}");
    }
}
