"""pg_stat_statements not loaded, not created, empty or unreadable: an error that says which, and how to mend it."""

import pytest
import shop
from tools import postgres


@pytest.mark.parametrize("call", ["recommend()", "statements()", "report()", "frontier()"])
def test_not_created(empty_database, call):
    connection = empty_database.connect()
    connection.execute("CREATE EXTENSION pg_index_advisor")
    answer = shop.ask(connection, call)
    assert answer.error is not None
    assert "CREATE EXTENSION pg_stat_statements" in answer.words


@pytest.fixture(scope="module")
def bare_server(request, server):
    """A server of the same version that does not preload pg_stat_statements."""
    with postgres.Server(server.installation, f"bare-{server.installation.major}", {"shared_preload_libraries": "''", "shared_buffers": "32MB"}) as running:
        yield running


def test_not_loaded(bare_server):
    with bare_server.connect() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_index_advisor")
        answer = shop.ask(connection, "recommend()")
        assert answer.error is not None
        assert "shared_preload_libraries" in answer.words


def test_recommend_for_needs_no_pg_stat_statements(bare_server):
    with bare_server.connect() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_index_advisor")
        shop.create(connection)
        rows = shop.ask(connection, f"recommend_for('{shop.BY_CUSTOMER.format(7)}')").rows
        assert len(rows) == 1


def test_empty(database, connection):
    connection.execute("SET pg_stat_statements.track = 'none'")
    connection.execute("SELECT pg_stat_statements_reset()")
    answer = shop.ask(connection, "recommend()")
    assert answer.rows == []
    if answer.error is not None:
        assert "pg_stat_statements" in answer.words
    report = shop.ask(connection, "report()")
    assert "statement" in report.words


def test_in_a_schema_of_its_own(empty_database):
    connection = empty_database.connect()
    connection.execute('CREATE SCHEMA "Its Own"')
    connection.execute('CREATE EXTENSION pg_stat_statements SCHEMA "Its Own"')
    connection.execute("CREATE EXTENSION pg_index_advisor")
    shop.create(connection)
    connection.execute('SELECT "Its Own".pg_stat_statements_reset()')
    shop.use(connection)
    assert any("customer_id" in str(row) for row in shop.ask(connection, "recommend()").rows)


def test_unreadable(database, orders, role):
    """Without pg_read_all_stats the texts of other roles are hidden: nothing of them may come out by our door."""
    orders.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    orders.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO {role}")
    theirs = database.connect(role)
    answer = shop.ask(theirs, "statements()")
    assert "customer_id" not in answer.words
    if answer.error is None:
        assert all("left out" in str(row) for row in answer.rows)
    else:
        assert "pg_read_all_stats" in answer.words


def test_view_revoked(database, orders, role):
    orders.execute("REVOKE ALL ON pg_stat_statements FROM PUBLIC")
    orders.execute("REVOKE ALL ON FUNCTION pg_stat_statements(boolean) FROM PUBLIC")
    orders.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    orders.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO {role}")
    answer = shop.ask(database.connect(role), "recommend()")
    assert answer.error is not None
    assert "pg_stat_statements" in answer.words
