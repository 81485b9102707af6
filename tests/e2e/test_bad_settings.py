"""Budgets, limits and settings that make no sense: refused in words that name the value."""

import psycopg
import pytest
import shop


@pytest.mark.parametrize("budget", ["2 elephants", "-5MB", "", "MB", "1e", "5 MB 3", "NaN"])
def test_unreadable_budget(orders, budget):
    answer = shop.ask(orders, "recommend(storage_budget => %s)", budget)
    assert answer.error is not None
    assert answer.state.startswith("22"), f"{answer.state}: {answer.words}"  # class 22: data exception
    assert "storage_budget" in answer.words
    assert budget in answer.words or "negative" in answer.words


@pytest.mark.parametrize("budget", ["100MB", "1GB", "1.5 GB", "64 kB", "1TB", "1000000000"])
def test_readable_budget(orders, budget):
    assert shop.ask(orders, "recommend(storage_budget => %s)", budget).error is None


@pytest.mark.parametrize("parameter", ["storage_budget", "max_indexes", "min_saving_percent", "time_limit"])
def test_null_is_the_default(orders, parameter):
    whole = shop.ask(orders, "recommend()")
    assert shop.ask(orders, f"recommend({parameter} => NULL)").rows == whole.rows


@pytest.mark.parametrize(
    "argument",
    [
        "max_indexes => -1",
        "max_indexes => 0",
        "min_saving_percent => -3",
        "min_saving_percent => 101",
        "min_saving_percent => 'NaN'",
        "min_saving_percent => 'Infinity'",
        "time_limit => interval '-1 second'",
    ],
)
def test_out_of_range(orders, argument):
    answer = shop.ask(orders, f"recommend({argument})")
    assert answer.error is not None
    assert answer.state.startswith("22"), f"{answer.state}: {answer.words}"
    assert argument.split()[0] in answer.words


def test_a_budget_too_small_for_any_index(orders):
    assert shop.ask(orders, "recommend(storage_budget => '8kB')").rows == []


def test_max_indexes_is_kept(orders):
    for _ in range(20):
        orders.execute("SELECT * FROM orders WHERE created_at = timestamptz '2026-01-01 01:00'").fetchall()
    assert len(shop.ask(orders, "recommend()").rows) == 2
    assert len(shop.ask(orders, "recommend(max_indexes => 1)").rows) == 1


def test_null_query(orders):
    answer = shop.ask(orders, "recommend_for(NULL)")
    assert answer.error is not None and "NULL" in answer.words


def test_unknown_report_format(orders):
    answer = shop.ask(orders, "report(format => 'papyrus')")
    assert answer.error is not None
    assert "papyrus" in answer.words and "text" in answer.words


def test_unknown_setting(connection):
    connection.execute("LOAD 'pg_index_advisor'")
    with pytest.raises(psycopg.Error, match="pg_index_advisor.no_such_thing"):
        connection.execute("SET pg_index_advisor.no_such_thing = 1")
    shop.assert_usable(connection)


def test_a_list_set_before_the_library_is_loaded(database):
    """The server keeps what it cannot check yet; what can be read stays."""
    session = database.connect()
    session.execute("SET pg_index_advisor.exclude_tables = 'orders, nowhere'")
    session.execute("LOAD 'pg_index_advisor'")
    assert session.execute("SHOW pg_index_advisor.exclude_tables").fetchone() == ("orders, nowhere",)


def test_tables_of_a_role_s_setting_are_left_alone(orders, database, role):
    """The setting may name what exists in other databases only: then it is told, and nothing fails."""
    orders.execute(f"ALTER ROLE {role} SET pg_index_advisor.exclude_tables = 'public.orders, elsewhere'")
    orders.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    orders.execute(f"GRANT SELECT ON orders TO {role}")
    orders.execute(f"GRANT pg_read_all_stats TO {role}")
    theirs = database.connect(user=role)
    notices = []
    theirs.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    assert shop.ask(theirs, "recommend()").rows == []
    assert notices == ["pg_index_advisor.exclude_tables: there is no table elsewhere"]
    assert shop.ask(theirs, "statements()").rows != []
    assert len(shop.ask(orders, "recommend()").rows) == 1


def test_every_setting_refuses_nonsense(connection):
    """Each numeric or listed setting, given a word that is no value of it."""
    connection.execute("LOAD 'pg_index_advisor'")
    names = [
        row[0]
        for row in connection.execute("SELECT name FROM pg_settings WHERE name LIKE 'pg_index_advisor.%' AND vartype <> 'string'")
    ]
    assert names, "the extension has settings"
    for name in names:
        with pytest.raises(psycopg.Error):
            connection.execute(f"SET {name} = '2 elephants'")
    shop.assert_usable(connection)
