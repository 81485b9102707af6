"""Other sessions' locks, time limits and cancels: never a wait without end, and a session that works afterwards."""

import threading
import time

import psycopg
import pytest
import shop


@pytest.fixture
def locked(database, orders):
    """`orders` locked by another session, as during ALTER TABLE."""
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    yield orders
    other.rollback()


def test_a_locked_table_is_waited_for_no_longer_than_lock_timeout(locked):
    locked.execute("SET lock_timeout = '500ms'")
    began = time.monotonic()
    answer = shop.ask(locked, "recommend()")
    assert time.monotonic() - began < 15
    assert answer.error is None and answer.rows == []
    reasons = shop.left_out(locked, "customer_id")
    assert reasons and "lock" in reasons[0]


def test_a_locked_table_without_lock_timeout_ends_too(locked):
    """The default lock_timeout is to wait for ever: a report must not hang behind somebody's migration."""
    locked.execute("SET lock_timeout = 0")
    locked.execute("SET statement_timeout = '60s'")
    answer = shop.ask(locked, "recommend()")
    assert answer.state != "57014", "it waited until statement_timeout"
    assert answer.error is None


def test_recommend_for_a_locked_table(locked):
    locked.execute("SET lock_timeout = '500ms'")
    answer = shop.ask(locked, "recommend_for(%s)", shop.BY_CUSTOMER.format(3))
    assert answer.error is not None
    assert answer.state == "55P03" or "lock" in answer.words  # lock_not_available


def many_statements(connection, number=400):
    """A workload that takes a while to examine: joins of many tables, each with a text of its own."""
    connection.execute("SET pg_stat_statements.track = 'all'")
    for i in range(number):
        joins = " ".join(f"JOIN orders o{j} ON o{j}.customer_id = o{j - 1}.total + {j}" for j in range(1, 6))
        # Statements that differ in constants or names alone are one to pg_stat_statements: let the columns differ.
        columns = ", ".join("o0.id" if i >> bit & 1 else "o0.total" for bit in range(9))
        connection.execute(f"SELECT {columns} FROM orders o0 {joins} WHERE o0.id = -1 AND o5.status = 'x'").fetchall()


def test_statement_timeout(orders):
    many_statements(orders)
    began = time.monotonic()
    shop.ask(orders, "recommend()")
    whole_ms = (time.monotonic() - began) * 1000
    assert whole_ms > 8, "too quick to be interrupted: this test needs more statements"
    orders.execute(f"SET statement_timeout = '{int(whole_ms / 4)}ms'")
    answer = shop.ask(orders, "recommend()")
    orders.execute("SET statement_timeout = 0")
    assert answer.state == "57014", "a statement_timeout is the user's wish and ends the call"
    assert any("customer_id" in str(row) or "orders" in str(row) for row in shop.ask(orders, "recommend()").rows)


def test_cancel(orders):
    many_statements(orders)
    canceller = threading.Timer(0.2, orders.cancel)
    canceller.start()
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        for _ in range(50):  # one run may be over before the cancel arrives
            orders.execute("SELECT * FROM index_advisor.recommend()").fetchall()
    canceller.join()
    assert time.monotonic() - began < 30
    shop.assert_usable(orders)
    assert shop.indexes_in(shop.plan_of(orders, shop.BY_CUSTOMER.format(1))) == set(), "no hypothetical index stays behind"


def test_cancel_at_many_moments(orders):
    """Wherever the cancel lands, the next call gives the whole answer."""
    many_statements(orders, 60)
    whole = shop.ask(orders, "recommend()").rows
    for i in range(20):
        orders.execute(f"SET statement_timeout = '{1 + 3 * i}ms'")
        shop.ask(orders, "recommend()") if i else None
        orders.execute("SET statement_timeout = 0")
    assert shop.ask(orders, "recommend()").rows[0][:4] == whole[0][:4]


def test_time_limit_gives_the_best_so_far(orders):
    many_statements(orders)
    began = time.monotonic()
    answer = shop.ask(orders, "recommend(time_limit => interval '300 ms')")
    assert time.monotonic() - began < 10
    assert answer.error is None, answer.words


def test_a_table_dropped_during_the_run(database, orders):
    """Another session drops and makes tables of the workload all the time while advice is asked for."""
    orders.execute("CREATE TABLE passing (k integer, v text)")
    for i in range(40):
        orders.execute(f"SELECT {'k, ' * i} v FROM passing WHERE k = 1").fetchall()
    over = threading.Event()
    rounds = 0

    def come_and_go():
        nonlocal rounds
        with database.connect() as other:
            while not over.is_set():
                other.execute("DROP TABLE IF EXISTS passing")
                other.execute("CREATE TABLE passing (k integer, v text)")
                other.execute("INSERT INTO passing SELECT i, 'x' FROM generate_series(1, 1000) i")
                rounds += 1

    dropper = threading.Thread(target=come_and_go)
    dropper.start()
    try:
        answers = [shop.ask(orders, "recommend()") for _ in range(15)]
    finally:
        over.set()
        dropper.join()
    assert rounds > 5
    for answer in answers:
        assert answer.error is None, answer.words
        assert any("orders" in str(row) for row in answer.rows), "the rest of the workload is examined all the same"


def test_a_table_that_is_gone(orders):
    orders.execute("CREATE TABLE passing (k integer)")
    orders.execute("SELECT k FROM passing WHERE k = 1")
    orders.execute("DROP TABLE passing")
    assert shop.ask(orders, "recommend()").error is None
    reasons = shop.left_out(orders, "passing")
    assert reasons and all(reasons)


def test_no_lock_stays_after_the_transaction(orders):
    shop.ask(orders, "recommend()")
    held = orders.execute("SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass").fetchone()[0]
    assert held == 0


def test_inside_an_aborted_transaction_block(database, orders):
    other = database.connect(autocommit=False)
    with pytest.raises(psycopg.Error):
        other.execute("SELECT * FROM nowhere")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        other.execute("SELECT * FROM index_advisor.recommend()")
    other.rollback()
    assert other.execute("SELECT count(*) FROM index_advisor.recommend()").fetchone() == (1,)
    other.rollback()
