"""A session that asks a thousand times does not grow."""

import shop

CALLS = 1000
# After the first calls the backend's caches are filled; what comes then must not add up. A leak of one planner context
# (about 8 kB) a call would be 8 MB.
ALLOWED_KB = 4096


def resident_kb(pid: int) -> int:
    """Memory of its own: touched shared buffers are resident too, and no leak."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def growth(connection, call: str, *arguments, calls: int = CALLS) -> int:
    pid = connection.info.backend_pid
    for _ in range(calls // 10):
        connection.execute(f"SELECT * FROM index_advisor.{call}", arguments or None).fetchall()
    before = resident_kb(pid)
    for _ in range(calls):
        connection.execute(f"SELECT * FROM index_advisor.{call}", arguments or None).fetchall()
    return resident_kb(pid) - before


def test_recommend_for_does_not_grow(orders):
    assert growth(orders, "recommend_for(%s)", shop.BY_CUSTOMER.format(5)) < ALLOWED_KB


def test_recommend_does_not_grow(orders):
    assert growth(orders, "recommend()", calls=200) < ALLOWED_KB


def test_failing_statements_do_not_grow(orders):
    """A workload of which every statement fails in the planner or before it, so that every call ends in a rollback."""
    orders.execute("CREATE TABLE passing (k integer)")
    for i in range(20):
        orders.execute(f"SELECT {'k, ' * i} k FROM passing WHERE k = 1")
    orders.execute("DROP TABLE passing")
    assert growth(orders, "recommend()", calls=200) < ALLOWED_KB


def test_in_one_transaction(database, orders):
    """Memory, locks and snapshots taken by a call are given back when it ends, not when the transaction does."""
    other = database.connect(autocommit=False)
    assert growth(other, "recommend_for(%s)", shop.BY_CUSTOMER.format(5), calls=300) < ALLOWED_KB
    other.rollback()
