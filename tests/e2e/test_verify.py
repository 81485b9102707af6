"""verify(): workload, run, create, workload, verdict; and all that makes a verdict wrong if nobody minds it."""

import json
import threading
import time

import psycopg
import pytest
import shop

BY_CUSTOMER = "CREATE INDEX CONCURRENTLY ON public.orders (customer_id)"


def verify(connection: psycopg.Connection) -> list[dict]:
    cursor = connection.execute("SELECT * FROM index_advisor.verify()")
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def only(connection: psycopg.Connection) -> dict:
    found = verify(connection)
    assert len(found) == 1, found
    return found[0]


def run(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT recommendations FROM index_advisor.run(max_indexes => 1)").fetchone() == (1,)


def ages(connection: psycopg.Connection, interval: str = "1 hour") -> None:
    """Everything that is known becomes older, so that the window since then is longer than a test can be."""
    connection.execute(f"UPDATE index_advisor.history_snapshot SET taken_at = taken_at - interval '{interval}'")


def flush(connection: psycopg.Connection) -> None:
    """What this session scanned is reported at once, not a second later."""
    connection.execute("SELECT pg_stat_force_next_flush()")


@pytest.fixture
def advised(orders):
    """Advice for an index on customer_id is kept, and nothing has been created yet."""
    run(orders)
    return orders


def test_a_promise_is_kept(advised):
    assert verify(advised) == []
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 40)
    flush(advised)
    found = only(advised)
    assert found["verdict"] == "kept its promise", found
    assert found["ddl"] == BY_CUSTOMER and found["index"] == "public.orders_customer_id_idx" and found["relation"] == "public.orders"
    assert found["estimated_saving_percent"] > 90 and found["measured_saving_percent"] > 75
    assert found["measured_ms_per_day"] > 0 and found["statements"] == 1
    assert (found["calls_before"], found["calls_after"]) == (20, 40)
    assert "some of them from before the change" in found["explanation"] and "blocks instead of" in found["explanation"]
    assert "the statement would use it" in found["explanation"]
    assert (found["next_step"], found["next_ddl"]) == ("Nothing.", None)
    status = advised.execute("SELECT status, measured_percent FROM index_advisor.recommendations").fetchone()
    assert status == ("kept its promise", found["measured_saving_percent"])
    # From the snapshot just taken on, all calls are with the index.
    shop.use(advised, 60)
    flush(advised)
    found = only(advised)
    assert (found["verdict"], found["calls_after"]) == ("kept its promise", 60)
    assert "from before the change" not in found["explanation"] and found["measured_saving_percent"] > 90
    assert found["noise_percent"] < 10
    # The same verdict again is the same row, with newer numbers.
    seen = advised.execute("SELECT verdict, measured_percent FROM index_advisor.verifications").fetchall()
    assert seen == [("kept its promise", found["measured_saving_percent"])]


def test_the_next_report_tells(advised):
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 40)
    flush(advised)
    only(advised)
    advised.execute("SELECT * FROM index_advisor.run()")
    past = advised.execute("SELECT report -> 'past' FROM index_advisor.history_run ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert [each["verdict"] for each in past["verifications"]] == ["kept_promise"]
    assert past["verifications"][0]["statements"][0]["text"] == "SELECT * FROM orders WHERE customer_id = $1"
    assert (past["record"]["applied"], past["record"]["judged"], past["record"]["paid"]) == (1, 1, 1)
    assert past["record"]["median_error"] < 0.25


def test_nothing_is_said_of_three_calls(advised):
    advised.execute(BY_CUSTOMER)
    verify(advised)
    shop.use(advised, 3)
    ages(advised)
    flush(advised)
    found = only(advised)
    assert (found["verdict"], found["calls_after"], found["measured_saving_percent"]) == ("too early to tell", 3, None)
    assert found["next_step"].startswith("Verify again when the heaviest of its statements has run 2 times more")


def test_an_index_that_nothing_uses(advised, database):
    advised.execute(BY_CUSTOMER)
    verify(advised)
    application = database.connect()
    application.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
    shop.use(application, 20)
    # The planner would use it here; as long as scans may not have been reported, nothing is said of them.
    ages(advised)
    found = only(advised)
    assert found["verdict"] == "too early to tell" and "the statement would use it" in found["explanation"]
    shop.use(application, 20)
    ages(advised)
    found = only(advised)
    assert found["verdict"] == "unused" and found["explanation"].startswith("Nothing has scanned it")
    assert found["next_ddl"] == "DROP INDEX CONCURRENTLY public.orders_customer_id_idx"
    # Where the planner would not use it either, there is nothing to wait for.
    application.execute("SELECT * FROM index_advisor.verify()")
    assert "the statement would not use it" in only(application)["explanation"]
    advised.execute(found["next_ddl"])
    advised.execute("SELECT * FROM index_advisor.run()")
    past = advised.execute("SELECT report -> 'past' FROM index_advisor.history_run ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert (past["record"]["judged"], past["record"]["paid"]) == (1, 0)


def test_an_index_that_does_more_harm_than_good(orders):
    orders.execute("ALTER TABLE orders SET (fillfactor = 50)")
    orders.execute("VACUUM FULL ANALYZE orders")

    def write(times: int) -> None:
        for i in range(times):
            low = i * 300 % 40_000
            orders.execute(f"UPDATE orders SET customer_id = customer_id + 1 WHERE id BETWEEN {low} AND {low + 299}")
            if i % 20 == 19:
                orders.execute("VACUUM orders")

    write(60)
    shop.use(orders, 400)
    flush(orders)
    run(orders)
    orders.execute(BY_CUSTOMER)
    verify(orders)
    write(300)
    shop.use(orders, 6)
    ages(orders)
    flush(orders)
    found = only(orders)
    assert found["verdict"] == "harms", found
    assert found["others_lost_ms_per_day"] > found["measured_ms_per_day"]
    assert "1 statement that it was not meant for got slower, by at least" in found["explanation"]
    assert "were HOT before and 0 % after" in found["explanation"]
    assert found["next_ddl"] == "DROP INDEX CONCURRENTLY public.orders_customer_id_idx"


def test_a_dropped_index_that_is_missed_can_be_restored(orders):
    orders.execute('CREATE INDEX "The old one" ON orders (customer_id) WHERE customer_id > 0')
    sought = "SELECT * FROM orders WHERE customer_id > 0 AND customer_id = {}"

    def use() -> None:
        for i in range(40):
            orders.execute(sought.format(i * 13)).fetchall()

    use()
    orders.execute("SELECT * FROM index_advisor.run()")
    orders.execute('DROP INDEX "The old one"')
    assert [each["verdict"] for each in verify(orders)] == ["too early to tell"]
    use()
    ages(orders)
    # What a statement reads is known once a run has examined it, and before it was too fast to be worth that.
    orders.execute("SELECT * FROM index_advisor.run()")
    found = only(orders)
    assert found["verdict"] == "missed" and found["recommendation"] is None, found
    assert found["explanation"].startswith("Without it, statements got slower. 1 statement on its table got slower")
    assert found["next_ddl"] == (
        'CREATE INDEX CONCURRENTLY "The old one" ON public.orders USING btree (customer_id) WHERE (customer_id > 0)'
    )
    orders.execute(found["next_ddl"])
    assert verify(orders) == []


def test_a_dropped_index_that_nothing_used_is_not_missed(orders):
    """And then no more is said of it. Each call reads the whole table: among shorter ones, one that the machine held up is noise enough."""
    orders.execute("CREATE INDEX idle ON orders (total)")
    shop.use(orders, 40)
    orders.execute("SELECT * FROM index_advisor.run()")
    verify(orders)
    shop.use(orders, 40)
    verify(orders)
    orders.execute("DROP INDEX idle")
    verify(orders)
    shop.use(orders, 40)
    ages(orders)
    found = only(orders)
    assert (found["verdict"], found["index"], found["next_ddl"]) == ("not missed", "public.idle", None), found
    assert verify(orders) == []


def test_counters_that_were_reset(advised):
    advised.execute(BY_CUSTOMER)
    verify(advised)
    advised.execute("SELECT pg_stat_statements_reset()")
    shop.use(advised, 40)
    flush(advised)
    found = only(advised)
    assert (found["verdict"], found["calls_after"]) == ("kept its promise", 40)


def test_a_restart_of_the_server(advised, server, database):
    """Counters survive it, or not: either way nothing is counted twice."""
    advised.execute(BY_CUSTOMER)
    verify(advised)
    shop.use(advised, 40)
    server.restart()
    again = database.connect()
    found = only(again)
    assert (found["verdict"], found["calls_before"], found["calls_after"]) == ("kept its promise", 20, 40)


def test_counters_of_another_server_are_not_compared(advised):
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 40)
    advised.execute("UPDATE index_advisor.history_snapshot SET server = '1/1'")
    found = only(advised)
    assert found["verdict"] == "too early to tell" and found["measured_saving_percent"] is None
    assert found["explanation"].startswith("There are no counters from before it existed")


def test_a_clock_that_went_back(advised):
    advised.execute("UPDATE index_advisor.history_snapshot SET taken_at = taken_at + interval '1 day'")
    advised.execute(BY_CUSTOMER)
    verify(advised)
    shop.use(advised, 40)
    flush(advised)
    found = only(advised)
    assert found["verdict"] == "kept its promise" and found["measured_ms_per_day"] > 0
    assert "-" not in found["explanation"]


def test_a_build_that_failed(advised, database):
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE")
    advised.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        advised.execute(BY_CUSTOMER)
    advised.execute("RESET statement_timeout")
    other.rollback()
    found = only(advised)
    assert (found["verdict"], found["next_ddl"]) == ("invalid", "REINDEX INDEX CONCURRENTLY public.orders_customer_id_idx")
    advised.execute(found["next_ddl"])
    shop.use(advised, 40)
    flush(advised)
    assert only(advised)["verdict"] == "kept its promise"


def test_a_build_that_goes_on(advised, database):
    blocker = database.connect(autocommit=False)
    blocker.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE")
    builder = database.connect()
    building = threading.Thread(target=lambda: builder.execute(BY_CUSTOMER))
    building.start()
    progress = "SELECT 1 FROM pg_stat_progress_create_index WHERE index_relid <> 0"
    while building.is_alive() and not advised.execute(progress).fetchall():
        time.sleep(0.05)
    found = only(advised)
    blocker.rollback()
    building.join()
    assert (found["verdict"], found["next_ddl"]) == ("invalid", None) and "is building it" in found["explanation"]


def test_an_expression_is_analysed_first(database, connection):
    shop.create(connection)
    connection.execute("SELECT pg_stat_statements_reset()")
    for i in range(20):
        connection.execute(f"SELECT * FROM orders WHERE abs(customer_id) = {i}").fetchall()
    run(connection)
    connection.execute("CREATE INDEX CONCURRENTLY ON orders (abs(customer_id))")
    verify(connection)
    connection.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
    for i in range(20):
        connection.execute(f"SELECT * FROM orders WHERE abs(customer_id) = {i}").fetchall()
    ages(connection)
    found = only(connection)
    assert (found["verdict"], found["next_ddl"]) == ("unused", "ANALYZE public.orders")
    connection.execute(found["next_ddl"])
    assert only(connection)["next_ddl"].startswith("DROP INDEX")


def test_a_partitioned_table(database, connection):
    connection.execute("CREATE TABLE log (id bigint, kind integer, at date) PARTITION BY RANGE (at)")
    for month in range(1, 4):
        connection.execute(
            f"CREATE TABLE log_{month} PARTITION OF log FOR VALUES FROM ('2026-0{month}-01') TO ('2026-0{month + 1}-01')"
        )
    connection.execute("INSERT INTO log SELECT i, (i * 7919) % 9973, date '2026-01-01' + i % 90 FROM generate_series(1, 60000) AS i")
    connection.execute("ANALYZE log")
    connection.execute("SELECT pg_stat_statements_reset()")

    def use(times: int) -> None:
        for i in range(times):
            connection.execute(f"SELECT * FROM log WHERE kind = {i}").fetchall()

    use(20)
    run(connection)
    ddl = connection.execute("SELECT ddl FROM index_advisor.recommendations").fetchone()[0]
    assert ddl == "CREATE INDEX ON public.log (kind)"
    connection.execute(ddl)
    verify(connection)
    use(40)
    flush(connection)
    found = only(connection)
    assert found["verdict"] == "kept its promise" and "together" not in found["explanation"], found
    assert "the statement would use it" in found["explanation"]
    # Dropped, it is one index that is missed, not one for each partition.
    use(40)
    verify(connection)
    connection.execute(f"DROP INDEX {found['index']}")
    verify(connection)
    use(40)
    ages(connection)
    found = only(connection)
    assert (found["verdict"], found["next_ddl"]) == ("missed", "CREATE INDEX log_kind_idx ON public.log USING btree (kind)")
    connection.execute(found["next_ddl"])
    assert connection.execute("SELECT count(*) FROM pg_inherits JOIN pg_index ON inhrelid = indexrelid").fetchone() == (3,)


def test_verdicts_outlive_counters(advised):
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 40)
    flush(advised)
    measured = only(advised)["measured_saving_percent"]
    advised.execute("SET pg_index_advisor.history_retention = 0")
    advised.execute("SELECT * FROM index_advisor.run()")
    found = only(advised)
    assert (found["verdict"], found["measured_saving_percent"]) == ("kept its promise", measured)
    assert found["explanation"].startswith("As found earlier")


def test_a_locked_or_altered_history(advised, database):
    advised.execute("SET pg_index_advisor.lock_timeout = 100")
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE index_advisor.history_verification IN ACCESS EXCLUSIVE MODE")
    answer = shop.ask(advised, "verify()")
    assert answer.state == "55P03" and "history of runs is locked" in answer.words
    other.rollback()
    advised.execute("ALTER TABLE index_advisor.history_verification RENAME verdict TO opinion")
    advised.execute(BY_CUSTOMER)
    answer = shop.ask(advised, "verify()")
    assert answer.state == "42703" and "seem to have been altered" in answer.words
    # Nothing of it is left, not even the snapshot.
    assert advised.execute("SELECT count(*) FROM index_advisor.history_snapshot").fetchone() == (1,)


def test_a_verdict_that_somebody_edited_is_as_good_as_none(advised):
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 40)
    flush(advised)
    only(advised)
    advised.execute("""UPDATE index_advisor.history_verification SET verification = '{"verdict": 1}'""")
    assert only(advised)["verdict"] == "kept its promise"
    advised.execute("SELECT * FROM index_advisor.run()")


def test_rights(advised, database, role):
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 40)
    flush(advised)
    advised.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
    plain = database.connect(role)
    assert shop.ask(plain, "verify()").state == "42501"
    advised.execute(f"GRANT EXECUTE ON FUNCTION index_advisor.verify, index_advisor.run TO {role}")
    # Nothing is said of a table that one may not read.
    assert verify(plain) == []
    assert plain.execute("SELECT * FROM index_advisor.verifications").fetchall() == []
    advised.execute(f"GRANT SELECT ON orders TO {role}")
    assert only(plain)["verdict"] == "kept its promise"
    assert plain.execute("SELECT verdict FROM index_advisor.verifications").fetchall() == [("kept its promise",)]
    # A report shows no text of another role's statement.
    plain.execute("SELECT * FROM index_advisor.run()")
    kept = json.loads(plain.execute("SELECT index_advisor.report(run => 2, format => 'json')").fetchone()[0])
    assert [each["text"] for each in kept["past"]["verifications"][0]["statements"]] == ["<insufficient privilege>"]
    shop.assert_usable(plain)


def test_without_a_history_or_a_place_to_write(connection):
    assert verify(connection) == []
    connection.execute("SET default_transaction_read_only = on")
    assert shop.ask(connection, "verify()").state == "25006"


def test_our_own_statements_stay_out_of_the_workload(advised):
    advised.execute(BY_CUSTOMER)
    shop.use(advised, 10)
    verify(advised)
    recorded = advised.execute("SELECT query FROM pg_stat_statements WHERE query LIKE '%history_%'").fetchall()
    assert [query for (query,) in recorded if "index_advisor.history" in query and "SELECT query" not in query] == []
