"""run() and what it keeps: identity over runs, dismissal, news, rights, retention, dump and restore, and all that can be in the way."""

import concurrent.futures
import json
import subprocess

import psycopg
import pytest
import shop

BY_CUSTOMER = "CREATE INDEX CONCURRENTLY ON public.orders (customer_id)"


def run(connection: psycopg.Connection, arguments: str = "") -> dict:
    cursor = connection.execute(f"SELECT * FROM index_advisor.run({arguments})")
    return dict(zip([column.name for column in cursor.description], cursor.fetchone()))


def advice(connection: psycopg.Connection) -> dict[str, str]:
    """Status by DDL."""
    return dict(connection.execute("SELECT ddl, status FROM index_advisor.recommendations").fetchall())


def past(connection: psycopg.Connection, number: int) -> dict:
    row = connection.execute("SELECT report -> 'past' FROM index_advisor.history_run WHERE id = %s", (number,)).fetchone()
    return row[0]


def test_a_run_is_kept(orders):
    first = run(orders, "max_indexes => 5")
    assert (first["run"], first["recommendations"], first["new"], first["withdrawn"]) == (1, 1, 1, 0)
    assert first["saving_percent"] > 90 and first["size_bytes"] > 100_000
    assert first["summary"].startswith("Create the one index below")
    kept = orders.execute(
        "SELECT made_by, job, statements, recommendations, saving_percent, size_bytes, settings ->> 'max_indexes' FROM index_advisor.runs"
    ).fetchall()
    assert kept == [("postgres", None, kept[0][2], 1, first["saving_percent"], first["size_bytes"], "5")]
    assert kept[0][2] >= 1
    assert advice(orders) == {BY_CUSTOMER: "open"}
    calls = orders.execute(
        "SELECT c.calls, s.relations FROM index_advisor.history_counter AS c JOIN index_advisor.history_statement AS s ON s.id = c.statement"
        " WHERE s.text LIKE '%customer_id = $1'"
    ).fetchall()
    assert calls == [(20.0, ["public.orders"])]


def test_the_kept_report_is_the_one_that_was_made(orders):
    number = run(orders)["run"]
    text = orders.execute("SELECT index_advisor.report(%s)", (number,)).fetchone()[0]
    assert f"     {BY_CUSTOMER};" in text
    kept = orders.execute("SELECT index_advisor.report(run => %s, format => 'json')", (number,)).fetchone()[0]
    stored = orders.execute("SELECT report FROM index_advisor.history_run").fetchone()[0]
    assert json.loads(kept) == stored
    at_once = orders.execute("SELECT index_advisor.report(run) FROM index_advisor.run()").fetchone()[0]
    assert at_once.startswith("Index advice for database")
    answer = shop.ask(orders, "report(run => 4711)")
    assert answer.state == "P0002" and "no run 4711" in answer.words


def test_the_same_workload_again_is_no_news(orders):
    listener = orders.execute("LISTEN index_advisor")
    run(orders)
    told = [json.loads(notice.payload) for notice in orders.notifies(timeout=2, stop_after=1)]
    assert [(each["run"], each["new"], each["withdrawn"]) for each in told] == [(1, 1, 0)]
    assert told[0]["database"] == orders.info.dbname and told[0]["saving_percent"] > 90
    again = run(orders)
    assert (again["recommendations"], again["new"], again["withdrawn"]) == (1, 0, 0)
    assert list(orders.notifies(timeout=0.3)) == []
    assert past(orders, 1)["changes"] is None
    assert past(orders, 2)["changes"]["unchanged"] == 1
    # Who creates the index need not be told.
    orders.execute("CREATE INDEX ON orders (customer_id)")
    assert run(orders)["withdrawn"] == 1
    assert list(orders.notifies(timeout=0.3)) == []
    assert orders.execute("SELECT runs, first_seen < last_seen FROM index_advisor.recommendations").fetchall() == [(2, True)]
    listener.close()


def test_news_is_a_line_of_the_log(orders, database):
    already = database.server.log.stat().st_size
    run(orders)
    run(orders)
    lines = [line for line in database.server.log.read_text()[already:].splitlines() if f'database "{database.name}" changed' in line]
    assert len(lines) == 1 and "1 new, 0 withdrawn; 1 index would save" in lines[0]


def test_an_index_of_any_name_follows_the_advice(orders):
    run(orders)
    orders.execute("CREATE UNIQUE INDEX decoy ON orders (id, customer_id)")
    orders.execute("CREATE INDEX my_own_name ON orders (customer_id)")
    assert run(orders)["withdrawn"] == 1
    row = orders.execute("SELECT status, index, applied_at IS NOT NULL FROM index_advisor.recommendations").fetchone()
    assert row == ("applied", "public.my_own_name", True)
    assert past(orders, 2)["changes"]["withdrawn"] == [{"ddl": BY_CUSTOMER, "why": "applied"}]
    # Renamed and rebuilt, it is the same index; dropped, it is advice again.
    orders.execute("ALTER INDEX my_own_name RENAME TO another_name")
    run(orders)
    orders.execute("REINDEX INDEX CONCURRENTLY another_name")
    run(orders)
    assert orders.execute("SELECT status, index FROM index_advisor.recommendations").fetchone() == ("applied", "public.another_name")
    orders.execute("DROP INDEX another_name")
    assert run(orders)["new"] == 1
    assert advice(orders) == {BY_CUSTOMER: "dropped again"}
    gone = orders.execute("SELECT name, gone_seen IS NOT NULL FROM index_advisor.history_index WHERE name LIKE '%name' OR name LIKE '%decoy'")
    assert sorted(gone.fetchall()) == [("public.another_name", True), ("public.decoy", False)]


EVERY_KIND = [
    "SELECT * FROM orders WHERE customer_id = 7",
    "SELECT customer_id FROM orders ORDER BY total DESC NULLS LAST, id LIMIT 5",
    "SELECT id, total FROM orders WHERE status = $1 AND total > $2",
    "SELECT * FROM orders WHERE status = 'open' AND customer_id < 50",
    "SELECT * FROM orders WHERE lower(status) = 'x'",
    "SELECT * FROM orders WHERE (customer_id + 1) = 7",
    "SELECT * FROM orders WHERE (CASE WHEN customer_id > 5 THEN customer_id ELSE 0 END) = 7777",
    "SELECT * FROM orders WHERE status LIKE 'zz%'",
    "SELECT * FROM orders WHERE note IS NULL AND customer_id = 7",
    "SELECT * FROM orders WHERE shipped > due AND due < asked",
    "SELECT * FROM orders WHERE coalesce(note, status) = 'q' AND shipped > due",
    "SELECT * FROM orders WHERE flagged AND customer_id = 9",
    "SELECT * FROM orders WHERE \"Odd name\" = 3",
]


def test_what_was_advised_is_recognised_however_it_is_written(orders):
    """The text of the advice and that of the index in the catalog are compared, so both must be written alike."""
    orders.execute(
        """ALTER TABLE orders ADD note text, ADD asked date, ADD due date, ADD shipped date, ADD flagged boolean NOT NULL DEFAULT false,
               ADD "Odd name" integer;
           UPDATE orders SET note = CASE WHEN id % 50 <> 0 THEN 'n' || id END, due = date '2026-01-01' + id::int % 37,
               shipped = date '2026-01-01' + id::int % 37 + CASE WHEN id % 10 = 0 THEN 5 ELSE -5 END,
               asked = date '2026-01-01' + id::int % 37 + CASE WHEN id / 10 % 10 = 0 THEN 5 ELSE -5 END,
               flagged = id % 200 = 0, "Odd name" = id % 9000"""
    )
    orders.execute("VACUUM FULL ANALYZE orders")
    advised = set()
    for query in EVERY_KIND:
        found = orders.execute("SELECT ddl FROM index_advisor.recommend_for(%s)", (query,)).fetchall()
        assert found, query
        advised |= {ddl for (ddl,) in found}
    assert sum(" WHERE " in ddl for ddl in advised) >= 3 and any(" AND " in ddl for ddl in advised), advised
    orders.execute(
        """INSERT INTO index_advisor.history_recommendation (definition, relation, first_seen, last_seen)
           SELECT replace(ddl, ' CONCURRENTLY', ''), 'public.orders', now(), now() FROM unnest(%s::text[]) AS ddl""",
        (list(advised),),
    )
    for ddl in advised:
        orders.execute(ddl)
    run(orders)
    missed = orders.execute("SELECT definition FROM index_advisor.history_recommendation WHERE index IS NULL AND definition = ANY (%s)",
                            ([ddl.replace(" CONCURRENTLY", "") for ddl in advised],)).fetchall()  # fmt: skip
    assert missed == []
    # Nor is any of them advised again.
    for query in EVERY_KIND:
        again = {ddl for (ddl,) in orders.execute("SELECT ddl FROM index_advisor.recommend_for(%s)", (query,))}
        assert again & advised == set(), query


def test_a_failed_build_is_not_yet_an_index(orders, database):
    run(orders)
    orders.execute("INSERT INTO orders (customer_id, status, total, created_at) VALUES (1, 'x', 1, now())")
    with pytest.raises(psycopg.errors.UniqueViolation):
        orders.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON orders (customer_id)")
    run(orders)
    assert orders.execute("SELECT valid FROM index_advisor.history_index WHERE name = 'public.broken'").fetchone() == (False,)


def test_dismissed_advice_is_not_given_again(orders):
    run(orders)
    number = orders.execute("SELECT recommendation FROM index_advisor.recommendations").fetchone()[0]
    orders.execute("SELECT index_advisor.dismiss(%s, 'the archive job makes it useless')", (number,))
    notices = []
    orders.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    found = [row[0] for row in orders.execute("SELECT ddl FROM index_advisor.recommend()")]
    assert not [ddl for ddl in found if ddl.startswith(BY_CUSTOMER)]
    assert notices == ["dismissed, so not recommended: CREATE INDEX ON public.orders (customer_id)"]
    after = run(orders)
    assert past(orders, after["run"])["changes"]["withdrawn"] == [{"ddl": BY_CUSTOMER, "why": "dismissed"}]
    row = orders.execute(
        "SELECT status, dismissed_by, dismissed_why FROM index_advisor.recommendations WHERE recommendation = %s", (number,)
    ).fetchone()
    assert row == ("dismissed", "postgres", "the archive job makes it useless")
    orders.execute("SELECT index_advisor.undismiss(%s)", (number,))
    assert BY_CUSTOMER in [row[0] for row in orders.execute("SELECT ddl FROM index_advisor.recommend()")]
    for call in ("dismiss(4711)", "undismiss(4711)", "dismiss(NULL)"):
        assert shop.ask(orders, call).state == "P0002"


def test_rights(database, orders, role):
    run(orders)
    plain = database.connect(role)
    orders.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    for call in ("run()", "dismiss(1)", "undismiss(1)"):
        assert shop.ask(plain, call).state == "42501"
    for table in ("history_run", "history_statement", "history_recommendation", "history_counter"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute(f"SELECT * FROM index_advisor.{table}")
    # Nothing about tables that one may not read, nothing of others' runs.
    assert plain.execute("SELECT * FROM index_advisor.recommendations").fetchall() == []
    assert plain.execute("SELECT * FROM index_advisor.runs").fetchall() == []
    assert shop.ask(plain, "report(run => 1)").state == "P0002"
    orders.execute(f"GRANT SELECT (id) ON orders TO {role}")
    assert advice(plain) == {BY_CUSTOMER: "open"}
    # With EXECUTE, a role keeps runs without any right on the tables, and sees its own.
    orders.execute(f"GRANT EXECUTE ON FUNCTION index_advisor.run TO {role}")
    orders.execute(f"GRANT SELECT ON orders TO {role}")
    number = run(plain)["run"]
    assert plain.execute("SELECT run, made_by FROM index_advisor.runs").fetchall() == [(number, role)]
    assert plain.execute("SELECT current_user, session_user").fetchone() == (role, role)
    assert "Index advice" in plain.execute("SELECT index_advisor.report(%s)", (number,)).fetchone()[0]


def test_a_schema_that_one_may_not_use_is_no_error(database, connection, role):
    connection.execute("CREATE SCHEMA secret")
    shop.create(connection, "secret")
    connection.execute("SELECT pg_stat_statements_reset()")
    for i in range(20):
        connection.execute(f"SELECT * FROM secret.orders WHERE customer_id = {i}").fetchall()
    assert run(connection)["recommendations"] == 1
    connection.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    assert database.connect(role).execute("SELECT * FROM index_advisor.recommendations").fetchall() == []
    connection.execute(f"GRANT pg_read_all_stats TO {role}")
    assert database.connect(role).execute("SELECT run FROM index_advisor.runs").fetchall() == [(1,)]


def test_nothing_is_kept_of_a_run_that_fails(orders):
    for milliseconds in range(4, 40, 3):  # below that, even ROLLBACK may be cancelled
        orders.execute(f"SET statement_timeout = {milliseconds}")
        with orders.transaction(force_rollback=True):
            try:
                run(orders)
            except psycopg.errors.QueryCanceled:
                assert orders.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        orders.execute("RESET statement_timeout")
        shop.assert_usable(orders)
    # An error that a savepoint survives leaves nothing either.
    with orders.transaction(force_rollback=True):
        with pytest.raises(psycopg.errors.InvalidParameterValue), orders.transaction():
            run(orders, "max_indexes => 0")
        assert orders.execute("SELECT count(*) FROM index_advisor.history_snapshot").fetchone() == (0,)
    with orders.transaction(force_rollback=True):
        assert run(orders)["recommendations"] == 1
    for table in ("history_run", "history_snapshot", "history_recommendation", "history_statement", "history_index"):
        assert orders.execute(f"SELECT count(*) FROM index_advisor.{table}").fetchone() == (0,), table


def test_read_only(orders):
    orders.execute("SET default_transaction_read_only = on")
    answer = shop.ask(orders, "run()")
    assert answer.state == "25006" and "recommend()" in answer.words


def test_two_runs_at_once(database, orders):
    """The second waits for the first, and finds its advice."""
    run(orders)
    sessions = [database.connect(autocommit=False) for _ in range(3)]
    for session in sessions:
        session.execute("SET pg_index_advisor.lock_timeout = '20s'")
    orders.execute("CREATE INDEX new_to_all ON orders (total)")
    with concurrent.futures.ThreadPoolExecutor() as pool:

        def one(session: psycopg.Connection) -> dict:
            made = run(session)
            session.commit()
            return made

        made = list(pool.map(one, sessions))
    assert sorted(each["run"] for each in made) == [2, 3, 4]
    assert {each["new"] for each in made} == {0}
    seen = orders.execute("SELECT count(*) FROM index_advisor.history_index WHERE name = 'public.new_to_all'").fetchone()
    assert seen == (1,)
    assert orders.execute("SELECT runs FROM index_advisor.recommendations").fetchall() == [(4,)]


def test_a_locked_history(database, orders):
    run(orders)
    orders.execute("SET pg_index_advisor.lock_timeout = 100")
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE index_advisor.history_advice, index_advisor.history_recommendation IN ACCESS EXCLUSIVE MODE")
    answer = shop.ask(orders, "run()")
    assert answer.state == "55P03" and "history of runs is locked" in answer.words
    # Advice does not depend on it.
    notices = []
    orders.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert shop.ask(orders, "recommend()").rows
    assert notices == ["what was dismissed is not known: the history of runs is locked by another session"]
    other.rollback()
    assert run(orders)["new"] == 0


@pytest.mark.parametrize(
    "harm",
    [
        "ALTER TABLE index_advisor.history_run DROP COLUMN report",
        "ALTER TABLE index_advisor.history_counter RENAME squares TO circles",
        "ALTER TABLE index_advisor.history_recommendation ADD COLUMN mine text NOT NULL",
        "ALTER TABLE index_advisor.history_index ADD CHECK (name = 'x')",
    ],
)
def test_an_altered_history(orders, harm):
    orders.execute(harm)
    answer = shop.ask(orders, "run()")
    assert answer.state in ("42703", "23502", "23514") and "seem to have been altered" in answer.words
    assert shop.ask(orders, "recommend()").rows


def test_retention(orders):
    def kept() -> list[int]:
        return [row[0] for row in orders.execute("SELECT run FROM index_advisor.runs ORDER BY run")]

    for _ in range(3):
        run(orders)
    orders.execute("UPDATE index_advisor.history_run SET made_at = made_at - interval '100 days' WHERE id = 1")
    run(orders)
    assert kept() == [2, 3, 4]
    orders.execute("SET pg_index_advisor.history_retention = -1")
    orders.execute("UPDATE index_advisor.history_run SET made_at = made_at - interval '9 years' WHERE id = 2")
    run(orders)
    assert kept() == [2, 3, 4, 5]
    orders.execute("SET pg_index_advisor.history_retention = 0")
    run(orders)
    assert kept() == [6]
    assert orders.execute("SELECT count(*) FROM index_advisor.history_snapshot").fetchone() == (1,)
    # What is known of the advice outlives the runs.
    assert orders.execute("SELECT runs, first_seen < last_seen FROM index_advisor.recommendations").fetchall() == [(1, True)]


def test_a_clock_that_was_wrong_once_makes_nothing_look_old(orders):
    run(orders)
    run(orders)
    # The newest run has a date far in the future; the next one is dated today again.
    orders.execute("UPDATE index_advisor.history_run SET made_at = made_at + interval '50 years' WHERE id = 2")
    orders.execute("UPDATE index_advisor.history_snapshot SET taken_at = taken_at + interval '50 years' WHERE id = 2")
    orders.execute("BEGIN")
    orders.execute("UPDATE index_advisor.history_run SET made_at = made_at + interval '50 years' WHERE id = 1")
    orders.execute("ROLLBACK")
    run(orders)
    run(orders)
    assert [row[0] for row in orders.execute("SELECT run FROM index_advisor.runs ORDER BY run")][-2:] == [3, 4]
    assert past(orders, 4)["changes"]["since_run"] == 3


def test_dump_and_restore_keep_the_history(database, orders, server):
    run(orders)
    number = orders.execute("SELECT recommendation FROM index_advisor.recommendations").fetchone()[0]
    orders.execute("CREATE INDEX other ON orders (created_at)")
    run(orders)
    orders.execute("SELECT index_advisor.dismiss(%s, 'no')", (number,))
    tables = [
        row[0]
        for row in orders.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'index_advisor'::regnamespace AND relkind = 'r' ORDER BY 1"
        )
    ]
    assert len(tables) >= 10

    def all_of(connection) -> dict:
        rows = {t: connection.execute(f"SELECT to_jsonb(h) FROM index_advisor.{t} AS h ORDER BY to_jsonb(h)::text").fetchall() for t in tables}
        return rows

    before = all_of(orders)
    dump = subprocess.run(
        server.client("pg_dump", database.name), capture_output=True, text=True, check=True
    ).stdout
    target = f"{database.name}_restored"
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {target}")
    try:
        restored = server.psql(target, "-v", "ON_ERROR_STOP=1", "-q", text=dump)
        assert restored.returncode == 0, restored.stdout
        with server.connect(target) as there:
            assert all_of(there) == before
            # Life goes on there: numbers continue, the index is known, what was dismissed stays so.
            shop.use(there)
            after = run(there)
            assert after["run"] == 3
            assert there.execute("SELECT status FROM index_advisor.recommendations").fetchall()[0] == ("dismissed",)
            seen = there.execute("SELECT count(*) FROM index_advisor.history_index WHERE name = 'public.other'").fetchone()
            assert seen == (1,)
    finally:
        with server.connect() as admin:
            admin.execute(f"DROP DATABASE {target} WITH (FORCE)")
