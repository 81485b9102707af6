"""From a statement that reads a whole table to an index that the planner really uses, as estimated."""

import shop

QUERY = shop.BY_CUSTOMER.format(123)


def first(connection):
    rows = connection.execute("SELECT rank, action, ddl, relation::text, size_bytes, saving_percent, statements, reason "
                              "FROM index_advisor.recommend() ORDER BY rank").fetchall()  # fmt: skip
    assert rows, "no recommendation for a table that is read from end to end on every call"
    return rows[0]


def test_the_missing_index_is_recommended(orders):
    rank, action, ddl, relation, size, saving, statements, reason = first(orders)
    assert (rank, action, relation) == (1, "create", "orders")
    assert ddl.startswith("CREATE INDEX CONCURRENTLY ")
    assert "(customer_id" in ddl
    assert saving > 50
    assert statements == 1
    assert size > 0
    assert reason


def test_the_index_keeps_what_was_promised(orders):
    _, _, ddl, _, size, *_ = first(orders)
    before, after = orders.execute(
        "SELECT cost_before, cost_after FROM index_advisor.statements() WHERE query LIKE '%%customer_id%%'"
    ).fetchone()
    assert abs(shop.cost_of(orders, QUERY) - before) < 0.02 * before

    orders.execute(ddl)
    name, real_size = orders.execute(
        "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE oid IN "
        "(SELECT indexrelid FROM pg_index WHERE indrelid = 'orders'::regclass AND NOT indisprimary)"
    ).fetchone()
    assert name in shop.indexes_in(shop.plan_of(orders, QUERY))
    real = shop.cost_of(orders, QUERY)
    assert abs(after - real) < 0.10 * real, f"estimated {after}, real {real}"
    assert abs(size - real_size) < 0.15 * real_size, f"estimated {size} bytes, real {real_size}"


def test_what_exists_is_not_recommended_again(orders):
    _, _, ddl, *_ = first(orders)
    orders.execute(ddl)
    assert orders.execute("SELECT ddl FROM index_advisor.recommend()").fetchall() == []


def test_gexec_runs_the_ddl(database, orders):
    done = database.psql("-v", "ON_ERROR_STOP=1", "-f", "-", text="SELECT ddl FROM index_advisor.recommend() \\gexec\n")
    assert done.returncode == 0, done.stdout
    count = orders.execute("SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass AND indisvalid").fetchone()[0]
    assert count == 2, done.stdout


def test_nothing_is_left_in_the_catalog(orders):
    before = orders.execute("SELECT count(*), max(oid) FROM pg_class").fetchone()
    first(orders)
    orders.execute("SELECT index_advisor.report()")
    orders.execute("SELECT count(*) FROM index_advisor.statements()")
    assert orders.execute("SELECT count(*), max(oid) FROM pg_class").fetchone() == before


def test_the_same_question_has_the_same_answer(orders):
    assert first(orders) == first(orders)


def test_coverage_adds_up(orders):
    orders.execute("CREATE TEMP TABLE gone (i integer)")
    orders.execute("SELECT i FROM gone WHERE i = 1")
    orders.execute("DROP TABLE gone")
    shares = [row[0] for row in orders.execute("SELECT share_percent FROM index_advisor.statements()")]
    assert abs(sum(shares) - 100) < 0.01
    assert shop.left_out(orders, "gone"), "a statement whose table is gone must be listed with its reason"


def test_our_own_statements_are_not_in_the_workload(orders):
    first(orders)
    first(orders)
    assert orders.execute("SELECT query FROM index_advisor.statements() WHERE query ~ 'index_advisor'").fetchall() == []


def test_report_is_readable_at_100_columns(orders):
    report = orders.execute("SELECT index_advisor.report()").fetchone()[0]
    assert "customer_id" in report
    # DDL is given to be copied and may be longer; all else fits.
    long = [line for line in report.splitlines() if len(line) > 100 and "CREATE INDEX" not in line]
    assert long == []


def test_recommend_for_a_statement_not_run_yet(orders):
    rows = orders.execute("SELECT ddl FROM index_advisor.recommend_for('SELECT id FROM orders WHERE created_at = now()')").fetchall()
    assert rows and "created_at" in rows[0][0]


def test_an_advised_index_is_quoted(database, connection):
    connection.execute('CREATE SCHEMA "My Shop"')
    connection.execute('CREATE TABLE "My Shop"."Order" ("Customer Id" integer, x text)')
    connection.execute("""INSERT INTO "My Shop"."Order" SELECT i, repeat('x', 50) FROM generate_series(1, 30000) i""")
    connection.execute('ANALYZE "My Shop"."Order"')
    ddl = connection.execute(
        """SELECT ddl FROM index_advisor.recommend_for('SELECT * FROM "My Shop"."Order" WHERE "Customer Id" = 7')"""
    ).fetchone()[0]
    assert '"My Shop"."Order"' in ddl and '"Customer Id"' in ddl
    connection.execute(ddl)
