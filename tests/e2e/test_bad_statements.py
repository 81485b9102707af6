"""recommend_for() with statements that cannot be planned, or that would do harm if they were run."""

import pytest
import shop

# Statement, and what the user must read: PostgreSQL's own words where it has some.
REFUSED = {
    "not SQL": ("give me all orders please", "give"),
    "unfinished": ("SELECT * FROM orders WHERE (customer_id = 1", "bracket"),
    "two statements": ("SELECT 1; SELECT 2", "several statements"),
    "no statement": ("", "statement"),
    "only a comment": ("-- nothing here", "statement"),
    "unknown table": ("SELECT * FROM no_such_table", "no_such_table"),
    "unknown column": ("SELECT no_such_column FROM orders", "no_such_column"),
    "unknown function": ("SELECT no_such_function(id) FROM orders", "no_such_function"),
    "unknown schema": ("SELECT * FROM no_such_schema.orders", "no_such_schema"),
    "a utility command": ("VACUUM orders", "VACUUM"),
    "a table definition": ("CREATE TABLE more (i integer)", "CREATE TABLE"),
    "a transaction command": ("ROLLBACK", "ROLLBACK"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_clear_words(orders, what):
    statement, word = REFUSED[what]
    answer = shop.ask(orders, "recommend_for(%s)", statement)
    assert answer.error is not None
    assert word.lower() in answer.words.lower()


def test_nothing_is_run_even_if_it_could_be(orders):
    for statement in ("DROP TABLE orders", "TRUNCATE orders", "DELETE FROM orders", "UPDATE orders SET total = 0"):
        shop.ask(orders, "recommend_for(%s)", statement)
    assert orders.execute("SELECT count(*), min(total) <> max(total) FROM orders").fetchone() == (shop.ROWS, True)


def test_one_megabyte_of_statement(orders):
    numbers = ", ".join(str(i) for i in range(150_000))
    statement = f"SELECT total FROM orders WHERE customer_id IN ({numbers})"
    assert len(statement) > 1_000_000
    answer = shop.ask(orders, "recommend_for(%s)", statement)
    assert answer.error is None or len(answer.words) < 2000, "a message must not repeat a megabyte"


def test_deep_nesting(orders):
    statement = "SELECT * FROM orders WHERE customer_id = " + "(" * 20_000 + "1" + ")" * 20_000
    answer = shop.ask(orders, "recommend_for(%s)", statement)
    assert answer.error is None or answer.words


def test_deep_nesting_in_the_workload(orders):
    depth = 500
    orders.execute("SELECT id FROM orders WHERE customer_id = " + "(" * depth + "1" + ")" * depth).fetchall()
    assert shop.ask(orders, "recommend()").error is None


def test_division_by_zero(orders):
    """The planner folds 1/0 and raises; that is the statement's fault and must not be ours."""
    answer = shop.ask(orders, "recommend_for('SELECT 1/0')")
    assert answer.error is None or "division by zero" in answer.words


def test_a_raising_function_in_the_workload_leaves_the_rest(orders):
    orders.execute("CREATE FUNCTION sometimes(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS "
                   "$$BEGIN IF current_setting('e2e.raise', true) = 'on' THEN RAISE 'not today'; END IF; RETURN i; END$$")  # fmt: skip
    orders.execute("SELECT total FROM orders WHERE customer_id = sometimes(7)").fetchall()
    orders.execute("SET e2e.raise = 'on'")
    rows = shop.ask(orders, "recommend()").rows
    assert any("customer_id" in str(row) for row in rows)
    statuses = orders.execute(
        "SELECT status, reason FROM index_advisor.statements() WHERE query LIKE '%%sometimes%%' AND query LIKE 'SELECT total%%'"
    ).fetchall()
    assert len(statuses) == 1


def test_a_volatile_function_is_not_executed(orders):
    orders.execute("CREATE SEQUENCE calls")
    orders.execute("CREATE FUNCTION leaves_a_trace() RETURNS integer LANGUAGE sql VOLATILE AS $$SELECT nextval('calls')::integer$$")
    answer = shop.ask(orders, "recommend_for('SELECT * FROM orders WHERE customer_id = leaves_a_trace()')")
    assert answer.error is None
    assert orders.execute("SELECT is_called FROM calls").fetchone() == (False,)


def test_a_stable_function_that_raises(orders):
    orders.execute("CREATE FUNCTION refuses() RETURNS integer LANGUAGE plpgsql STABLE AS $$BEGIN RAISE 'I refuse'; END$$")
    answer = shop.ask(orders, "recommend_for('SELECT * FROM orders WHERE customer_id = refuses()')")
    assert answer.error is None or "I refuse" in answer.words


def test_a_function_cannot_write_while_it_is_folded(database, orders, role):
    """Planning folds immutable functions: a workload's owner may lie about one and would write as the caller."""
    orders.execute("CREATE TABLE trophies (who text)")
    orders.execute("GRANT INSERT ON trophies TO PUBLIC")
    orders.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    orders.execute(f"GRANT SELECT ON orders TO {role}")
    theirs = database.connect(role)
    theirs.execute("CREATE FUNCTION liar(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS "
                   "$$BEGIN IF current_setting('is_superuser') = 'on' THEN EXECUTE 'CREATE ROLE e2e_stolen SUPERUSER'; END IF; "
                   "RETURN i; END$$")  # fmt: skip
    theirs.execute("SELECT * FROM orders WHERE customer_id = liar(5)").fetchall()
    assert shop.ask(orders, "recommend()").error is None
    assert orders.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'e2e_stolen'").fetchone() == (0,)


def test_no_permission_on_the_table(database, orders, role):
    orders.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    orders.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO {role}")
    answer = shop.ask(database.connect(role), "recommend_for(%s)", shop.BY_CUSTOMER.format(5))
    assert answer.rows == [], "no estimate about a table that the caller may not read"
    assert answer.error is not None and "permission denied" in answer.words


def test_as_a_role_with_permission(database, orders, role):
    orders.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    orders.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO {role}")
    orders.execute(f"GRANT SELECT ON orders TO {role}")
    assert len(shop.ask(database.connect(role), "recommend_for(%s)", shop.BY_CUSTOMER.format(5)).rows) == 1


def test_a_statement_with_parameters(orders):
    rows = shop.ask(orders, "recommend_for(%s)", "SELECT * FROM orders WHERE customer_id = $1 AND created_at > $2").rows
    assert rows and "customer_id" in str(rows[0])


def test_no_index_helps(orders):
    assert shop.ask(orders, "recommend_for('SELECT count(*), sum(total) FROM orders')").error is None
    answer = shop.ask(orders, "recommend_for('SELECT 1')")
    assert answer.rows == []
    assert answer.error is None or "table" in answer.words
