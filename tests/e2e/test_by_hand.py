"""Hypothetical indexes made by hand: seen by EXPLAIN of their session, and by nothing else."""

import json
import time

import psycopg
import pytest
import shop

DDL = "CREATE INDEX ON orders (customer_id)"
QUERY = shop.BY_CUSTOMER.format(3)


def create(connection, ddl: str = DDL) -> list[tuple[int, str]]:
    return connection.execute("SELECT indexrelid, indexname FROM index_advisor.create_hypothetical_index(%s)", [ddl]).fetchall()


def explain(connection, statement: str = QUERY) -> str:
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}"))


def test_plan_names_it(orders):
    [(oid, name)] = create(orders)
    assert name == f"<{oid}>btree_orders_customer_id"
    assert name in explain(orders)


def test_other_sessions_see_nothing(database, orders):
    create(orders)
    with database.connect() as other:
        assert "btree_orders" not in explain(other)
        assert other.execute("SELECT count(*) FROM index_advisor.hypothetical_indexes").fetchone() == (0,)


def test_nothing_is_written_and_no_lock_stays(database, orders):
    other = database.connect(autocommit=False)
    before = other.execute("SELECT count(*) FROM pg_class").fetchone()
    create(other)
    explain(other)
    other.execute("SELECT * FROM index_advisor.explain(%s, ARRAY[%s])", [QUERY, DDL]).fetchall()
    assert other.execute("SELECT pg_current_xact_id_if_assigned()").fetchone() == (None,)
    assert other.execute("SELECT count(*) FROM pg_class").fetchone() == before
    held = "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'orders'::regclass"
    # EXPLAIN itself holds AccessShareLock to the end of the transaction.
    assert other.execute(held).fetchall() == [("AccessShareLock",)]
    other.rollback()


def test_read_only_transaction(orders):
    orders.execute("SET default_transaction_read_only = on")
    create(orders)
    assert "btree_orders" in explain(orders)


def test_cached_plans_stay_real(orders):
    """HypoPG issue 80 and its like: a plan with an index that is not there must never come into the plan cache."""
    create(orders)
    orders.execute("SET plan_cache_mode = force_generic_plan")
    orders.execute("PREPARE p(int) AS SELECT count(*) FROM orders WHERE customer_id = $1")
    for _ in range(3):
        assert "btree_orders" not in explain(orders, "EXECUTE p(3)")
        assert orders.execute("EXECUTE p(3)").fetchone() == (5,)
    orders.execute("SELECT index_advisor.reset_hypothetical_indexes()")
    assert "Seq Scan" in explain(orders, "EXECUTE p(3)")
    assert orders.execute("EXECUTE p(3)").fetchone() == (5,)


def test_explain_inside_functions(orders):
    orders.execute(
        """
        CREATE FUNCTION shown(query text) RETURNS text LANGUAGE plpgsql AS $$
        DECLARE document json; found bigint;
        BEGIN
            EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO document;
            -- What the function runs is not simulated, before or after.
            SELECT count(*) INTO found FROM orders WHERE customer_id = 3;
            RETURN found || ' ' || (document #>> '{0,Plan}');
        END $$"""
    )
    create(orders)
    for _ in range(7):
        [shown] = orders.execute("SELECT shown(%s)", [QUERY]).fetchone()
        assert shown.startswith("5 ") and "btree_orders" in shown


def test_functions_that_run_while_planning(orders):
    """An immutable function that reads the table is folded by the planner, and what it runs is real."""
    orders.execute(
        """CREATE FUNCTION orders_of(customer int) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
           $$ BEGIN RETURN (SELECT count(*) FROM orders WHERE customer_id = customer); END $$"""
    )
    create(orders)
    statement = "SELECT * FROM orders WHERE customer_id = orders_of(3)"
    assert "btree_orders" in explain(orders, statement)
    rows = orders.execute("SELECT after FROM index_advisor.explain(%s)", [statement]).fetchall()
    assert any("btree_orders" in row[0] for row in rows)
    advice = orders.execute("SELECT ddl FROM index_advisor.recommend_for(%s)", [statement]).fetchall()
    assert any("customer_id" in row[0] for row in advice)


def test_error_while_planning(orders):
    """HypoPG leaves its index in force after an EXPLAIN that fails while planning."""
    create(orders)
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            explain(orders, "SELECT 1 / 0 FROM orders WHERE customer_id = 3")
        assert orders.execute("SELECT count(*) FROM orders WHERE customer_id = 3").fetchone() == (5,)
    assert "btree_orders" in explain(orders)


def test_transactions_do_not_matter(database, orders):
    other = database.connect(autocommit=False)
    create(other)
    other.rollback()
    assert "btree_orders" in explain(other)
    other.execute("SAVEPOINT a")
    create(other, "CREATE INDEX ON orders (status)")
    other.execute("ROLLBACK TO a")
    assert other.execute("SELECT count(*) FROM index_advisor.hypothetical_indexes").fetchone() == (2,)
    other.rollback()


def test_scroll_cursor_and_create_table_as(orders):
    """For a scrollable cursor the planner asks the catalog for the index's access method."""
    create(orders)
    for head in ("DECLARE c SCROLL CURSOR FOR", "DECLARE c CURSOR FOR", "CREATE TABLE copy AS"):
        assert "btree_orders" in explain(orders, f"{head} {QUERY}"), head


def test_cursors_run_on_what_is_there(database, orders):
    other = database.connect(autocommit=False)
    create(other)
    other.execute(f"DECLARE c SCROLL CURSOR FOR {QUERY}")
    assert len(other.execute("FETCH ALL FROM c").fetchall()) == 5
    assert len(other.execute("FETCH BACKWARD ALL FROM c").fetchall()) == 5
    other.rollback()


def test_parallel_plans(orders):
    """Parallel index scans are shown, and workers that run know nothing of hypothetical indexes."""
    create(orders, "CREATE INDEX ON orders (total)")
    for setting in ("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_index_scan_size = 0", "min_parallel_table_scan_size = 0"):
        orders.execute(f"SET {setting}")
    orders.execute("SET enable_bitmapscan = off; SET enable_seqscan = off")
    assert "Parallel Index" in explain(orders, "SELECT sum(total), count(*) FROM orders WHERE total < 5")
    assert orders.execute("SELECT count(*) FROM orders WHERE total < 5").fetchone() == (2500,)


def test_dropped_and_changed_tables(orders):
    orders.execute("CREATE TABLE gone (a int, b int); INSERT INTO gone SELECT i, i FROM generate_series(1, 10000) i; ANALYZE gone")
    create(orders, "CREATE INDEX ON gone (a); CREATE INDEX ON gone (b)")
    orders.execute("ALTER TABLE gone DROP COLUMN a")
    assert "btree_gone_b" in explain(orders, "SELECT * FROM gone WHERE b = 1")
    orders.execute("ALTER TABLE gone ALTER COLUMN b TYPE text USING b::text")
    assert "Seq Scan" in explain(orders, "SELECT * FROM gone WHERE b = '1'")
    orders.execute("DROP TABLE gone")
    assert orders.execute("SELECT table_name FROM index_advisor.hypothetical_indexes").fetchall() == [(None,), (None,)]
    assert "Seq Scan" in explain(orders)


def test_several_thousand(orders):
    # What counts here is how many there are: a page tells enough of each.
    orders.execute("SET pg_index_advisor.sample_pages = 1")
    ddl = "".join(f"CREATE INDEX ON orders (customer_id) WHERE total > {i};" for i in range(3000))
    started = time.monotonic()
    made = create(orders, ddl)
    assert len({oid for oid, _ in made}) == 3000
    assert time.monotonic() - started < 60
    create(orders, "CREATE INDEX ON orders (status, customer_id)")
    started = time.monotonic()
    assert "orders_status_customer_id" in explain(orders, "SELECT * FROM orders WHERE status = 'open' AND customer_id = 3")
    assert time.monotonic() - started < 5
    orders.execute("SELECT index_advisor.reset_hypothetical_indexes()")
    assert "btree" not in explain(orders)


def test_rights_are_by_column(database, orders):
    orders.execute("DROP ROLE IF EXISTS picker")
    orders.execute("CREATE ROLE picker; GRANT SELECT (id, customer_id) ON orders TO picker; GRANT USAGE ON SCHEMA index_advisor TO picker")
    try:
        with database.connect() as session:
            session.execute("SET ROLE picker")
            create(session)
            assert "btree_orders" in explain(session, "SELECT id FROM orders WHERE customer_id = 3")
            for ddl in ("(total)", "(customer_id) INCLUDE (total)", "(customer_id) WHERE total > 5", "(round(total))"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="orders"):
                    create(session, f"CREATE INDEX ON orders {ddl}")
            with pytest.raises(psycopg.errors.DatabaseError, match="permission denied"):
                session.execute("SELECT * FROM index_advisor.explain('SELECT total FROM orders WHERE customer_id = 3')").fetchall()
    finally:
        orders.execute("DROP OWNED BY picker; DROP ROLE picker")


def test_explain_function_agrees_with_explain(orders):
    """The plan that explain() shows is the one that EXPLAIN shows with the same index made by hand."""
    [[document]] = orders.execute("SELECT after FROM index_advisor.explain(%s, ARRAY[%s], format => 'json')", [QUERY, DDL]).fetchall()
    create(orders)
    [[by_hand]] = orders.execute(f"EXPLAIN (FORMAT JSON) {QUERY}").fetchall()
    [ours] = json.loads(document)
    for plan in (ours["Plan"], by_hand[0]["Plan"]):
        drop_names(plan)
    assert ours["Plan"] == by_hand[0]["Plan"]


def drop_names(plan: dict) -> None:
    plan.pop("Index Name", None)
    for child in plan.get("Plans", []):
        drop_names(child)


def test_errors_of_other_statements_keep_their_fields(orders):
    """Our hooks are in the way of every statement of the session; an error must pass them whole."""
    create(orders)
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        orders.execute("CREATE TABLE twice AS SELECT 1 AS a UNION ALL SELECT 1; CREATE UNIQUE INDEX twice_a ON twice (a)")
    assert caught.value.diag.constraint_name == "twice_a"
    with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
        orders.execute("EXPLAIN SELECT nothing FROM orders")
    assert caught.value.diag.statement_position == "16"


def test_partitions(orders):
    """An index on the parent counts on every leaf, sizes add up, and planning stays usable with many of them."""
    orders.execute("CREATE TABLE events (id int, kind int, at date) PARTITION BY RANGE (at)")
    orders.execute(
        """DO $$ BEGIN FOR i IN 0..399 LOOP
             EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)', i, date '2025-01-01' + i, date '2025-01-02' + i);
           END LOOP; END $$"""
    )
    orders.execute("INSERT INTO events SELECT i, (i::bigint * 7919 % 100003)::int % 5000, date '2025-01-01' + i % 400 FROM generate_series(1, 200000) i")
    orders.execute("VACUUM ANALYZE events")
    create(orders, "CREATE INDEX ON events (kind); CREATE INDEX ON events ((kind % 1000)); CREATE INDEX ON events_7 (id)")
    promised = [row[0] for row in orders.execute("SELECT size_bytes FROM index_advisor.hypothetical_indexes ORDER BY indexrelid")]
    began = time.monotonic()
    plan = explain(orders, "SELECT * FROM events WHERE kind = 7")
    took = time.monotonic() - began
    assert plan.count("btree_events_kind") == 400
    assert took < 5, f"{took} s"
    assert explain(orders, "SELECT * FROM events WHERE kind % 1000 = 7").count("btree_events_expr") == 400
    assert explain(orders, "SELECT * FROM events WHERE id = 7").count("btree_events_7_id") == 1
    # The pruned leaf alone.
    assert explain(orders, "SELECT * FROM events WHERE kind = 7 AND at = '2025-02-01'").count("btree_events_kind") == 1
    orders.execute("CREATE INDEX real_kind ON events (kind); CREATE INDEX real_expr ON events ((kind % 1000))")
    for name, bytes_promised in zip(("real_kind", "real_expr"), promised):
        [[built]] = orders.execute("SELECT sum(pg_relation_size(relid))::bigint FROM pg_partition_tree(%s)", [name]).fetchall()
        assert 0.8 * built <= bytes_promised <= 1.25 * built, f"{name}: {bytes_promised} promised, {built} built"
