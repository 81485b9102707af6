"""Advice writes nothing: it works in a read-only transaction and on a hot standby, and assigns no transaction id."""

import time

import pytest
import shop
from tools import postgres

CALLS = [
    "recommend()",
    "recommend(previous => ARRAY['CREATE INDEX ON orders (customer_id)'])",
    "statements()",
    "report()",
    "frontier()",
    f"recommend_for('{shop.BY_CUSTOMER.format(3)}')",
]


@pytest.mark.parametrize("call", CALLS)
def test_read_only_transaction(orders, call):
    orders.execute("SET default_transaction_read_only = on")
    answer = shop.ask(orders, call)
    assert answer.error is None, answer.words
    assert answer.rows


@pytest.mark.parametrize("call", CALLS)
def test_no_transaction_id_is_assigned(database, orders, call):
    other = database.connect(autocommit=False)
    other.execute(f"SELECT * FROM index_advisor.{call}").fetchall()
    assert other.execute("SELECT pg_current_xact_id_if_assigned()").fetchone() == (None,)
    other.rollback()


@pytest.fixture(scope="module")
def standby(server):
    """A hot standby of the tests' server, made by pg_basebackup."""
    with server.connect() as admin:
        admin.execute("CREATE DATABASE standby_shop TEMPLATE advisor_template")
    with server.connect("standby_shop") as connection:
        shop.create(connection)
    follower = postgres.Server(server.installation, f"standby-{server.installation.major}", {"shared_buffers": "64MB"})
    try:
        follower.create_standby_of(server)
        follower.start()
        yield follower
    finally:
        follower.remove()
        with server.connect() as admin:
            admin.execute("DROP DATABASE standby_shop WITH (FORCE)")


def test_hot_standby(standby):
    with standby.connect("standby_shop") as connection:
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        until = time.monotonic() + 20
        while connection.execute("SELECT to_regclass('orders')").fetchone() == (None,) and time.monotonic() < until:
            time.sleep(0.1)
        connection.execute("SELECT pg_stat_statements_reset()")
        shop.use(connection)
        rows = shop.ask(connection, "recommend()").rows
        assert any("customer_id" in str(row) for row in rows)
        assert "customer_id" in shop.ask(connection, "report()").words
        assert len(shop.ask(connection, f"recommend_for('{shop.BY_CUSTOMER.format(3)}')").rows) == 1
        # Keeping a run is writing.
        refused = shop.ask(connection, "run()")
        assert refused.state == "25006" and "recommend()" in refused.words
        # The engine by hand, with an expression and a GIN index that take a sample of the rows.
        ddl = "CREATE INDEX ON orders (customer_id); CREATE INDEX ON orders (upper(status)); CREATE INDEX ON orders USING gin ((ARRAY[status]))"
        connection.execute("SELECT index_advisor.create_hypothetical_index(%s)", [ddl]).fetchall()
        sizes = connection.execute("SELECT access_method, size_bytes > 8192 FROM index_advisor.hypothetical_indexes ORDER BY indexrelid").fetchall()
        assert sizes == [("btree", True), ("btree", True), ("gin", True)]
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + shop.BY_CUSTOMER.format(3)))
        assert "btree_orders_customer_id" in plan
        after = connection.execute("SELECT after FROM index_advisor.explain(%s)", [shop.BY_CUSTOMER.format(3)]).fetchall()
        assert any("btree_orders_customer_id" in row[0] for row in after)
