//! Errors, cancels and successes alike leave the session as it was.

#[pgrx::pg_schema]
mod tests {
    use crate::pg::isolated::isolated;
    use crate::server_tests::*;
    use pgrx::pg_sys::errcodes::PgSqlErrorCode;

    /// The planner calls it to fold a constant, which a cancel then interrupts.
    const CANCELLED: &str = "CREATE FUNCTION cancelled(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
                        AS 'BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(20);
                            RETURN $1; END'";

    fn table() {
        run("CREATE TABLE t AS SELECT g AS id, g % 100 AS kind FROM generate_series(1, 20000) AS g");
        run("ANALYZE t");
    }

    fn plain_plan() -> String {
        let plan = value::<pgrx::Json>("EXPLAIN (FORMAT JSON) SELECT * FROM t WHERE id = 5");
        plan.0.to_string()
    }

    #[pg_test]
    fn an_error_is_a_value_and_leaves_no_trace() {
        table();
        session_state();
        let before = session_state();
        let result = isolated(None, || {
            run("SET LOCAL search_path = nowhere");
            run("SET LOCAL work_mem = '1MB'");
            run("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE");
            run("SELECT 1 / 0");
        });
        assert_eq!(result.expect_err("1 / 0").code, PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO);
        assert_eq!(session_state(), before);
    }

    #[pg_test]
    fn an_error_in_analysis_leaks_no_relation() {
        table();
        // A leak would be a WARNING at the end of the sub-transaction; as an error here it fails the test.
        for _ in 0..3 {
            let message = refusal_of("UPDATE t SET nosuch = 1").expect("no such column");
            assert!(message.contains("nosuch"), "{message}");
        }
        assert_eq!(value::<i64>("SELECT count(*) FROM t"), 20000);
    }

    #[pg_test]
    fn success_is_undone_as_well() {
        table();
        session_state();
        let before = session_state();
        let answer = isolated(None, || {
            run("SET LOCAL search_path = nowhere");
            run("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE");
            42
        });
        assert_eq!(answer.expect("no error"), 42);
        assert_eq!(session_state(), before);
    }

    #[pg_test]
    fn a_rust_panic_is_a_value() {
        let result: Result<(), _> = isolated(None, || panic!("broken"));
        assert!(result.expect_err("panicked").message.contains("broken"));
        assert_eq!(value::<i32>("SELECT 1"), 1);
    }

    #[pg_test]
    fn a_cancel_ends_the_call_and_is_no_statements_reason() {
        table();
        run(CANCELLED);
        assert_eq!(
            refusal_of("SELECT * FROM t WHERE id = cancelled(5)").as_deref(),
            Some("canceling statement due to user request")
        );
    }

    #[pg_test]
    fn plain_explain_never_sees_a_hypothetical_index() {
        table();
        run(CANCELLED);
        session_state();
        let (before, state) = (plain_plan(), session_state());
        assert!(!advised("SELECT * FROM t WHERE id = 5").is_empty());
        assert_eq!(plain_plan(), before);
        assert!(refusal_of("SELECT * FROM t WHERE nosuch = 5").is_some());
        assert_eq!(plain_plan(), before);
        let message = refusal_of("SELECT * FROM t WHERE id = cancelled(5)").expect("cancelled");
        assert!(message.contains("user request"), "{message}");
        assert_eq!(plain_plan(), before);
        // The functions that refusal_of made are all that is new.
        assert_eq!(
            session_state().split('|').take(5).collect::<Vec<_>>(),
            state.split('|').take(5).collect::<Vec<_>>()
        );
    }

    #[pg_test]
    fn hundreds_of_calls_keep_no_memory() {
        table();
        let allocated = || {
            value::<i64>(
                "SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts WHERE name <> 'SPI Proc'",
            )
        };
        let calls = |count: usize| {
            for _ in 0..count {
                run(
                    "SELECT count(*) FROM index_advisor.recommend_for('SELECT * FROM t WHERE id = 5 AND kind = 3')",
                );
            }
        };
        calls(100);
        // What other sessions change meanwhile makes caches grow at times; what is leaked grows every time.
        let grown = (0..2).map(|_| {
            let before = allocated();
            calls(150);
            allocated() - before
        });
        let grown = grown.min().expect("two");
        assert!(grown < 512 * 1024, "grew by {grown} bytes in 150 calls");
    }

    #[pg_test]
    fn works_in_a_read_only_transaction() {
        table();
        run("SET LOCAL transaction_read_only = on");
        assert_eq!(advised("SELECT * FROM t WHERE id = 5").len(), 1);
    }
}
