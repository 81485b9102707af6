"""Where a long run is: seen by other sessions where the library is preloaded, and by the caller in notices."""

import threading
import time

import jobs
import psycopg
import pytest
import shop

PHASES = ["examination", "catalog", "expressions", "candidates", "selection", "proof", "advice"]
RUN = "SELECT count(*) FROM index_advisor.recommend(time_limit => '20 s')"


@pytest.fixture(scope="module")
def preloaded(server):
    with jobs.preloading(server.installation, "progress") as running:
        jobs.create(running, "shop")
        with running.connect("shop") as connection:
            # What is called while a statement is planned: every plan takes a while, as those of very large joins do.
            connection.execute(
                "CREATE FUNCTION slow() RETURNS integer IMMUTABLE LANGUAGE plpgsql AS "
                "'BEGIN PERFORM pg_sleep(0.2); RETURN 7; END'"
            )
            for column in ("id", "total", "status"):
                connection.execute(f"SELECT {column} FROM orders WHERE customer_id = slow()").fetchall()
            # To pg_stat_statements, they took no time: the time of planning is not counted.
            connection.execute("ALTER DATABASE shop SET pg_index_advisor.cover = 100")
            connection.execute("ALTER DATABASE shop SET pg_index_advisor.statement_time_limit = 0")
        yield running


@pytest.fixture
def running(preloaded):
    """A run that goes on in a session of its own; its process."""
    session = preloaded.connect("shop")

    def ask():
        try:
            session.execute(RUN)
        except psycopg.Error:
            pass

    thread = threading.Thread(target=ask)
    pid = session.info.backend_pid
    thread.start()
    yield pid
    session.cancel()
    thread.join()
    session.close()


def shown(connection, pid: int):
    return connection.execute("SELECT * FROM index_advisor.progress WHERE pid = %s", (pid,)).fetchone()


def test_others_see_where_a_run_is(preloaded, running):
    with preloaded.connect("shop") as watcher:
        seen = []
        row = jobs.until(lambda: shown(watcher, running), "the run")
        assert row[1:3] == ("shop", "postgres") and row[7] <= watcher.execute("SELECT clock_timestamp()").fetchone()[0]
        while row := shown(watcher, running):
            if row[3:] not in [other[3:] for other in seen]:
                seen.append(row)
            time.sleep(0.02)
        assert watcher.execute("SELECT count(*) FROM index_advisor.progress").fetchone() == (0,)
    phases = [row[3] for row in seen]
    assert phases == sorted(phases, key=PHASES.index) and {"examination", "selection"} <= set(phases)
    examined = [row[4:6] for row in seen if row[3] == "examination"]
    assert all(done <= total for done, total in examined) and max(done for done, _ in examined) >= 2
    assert max(row[4] for row in seen if row[3] == "selection") >= 1
    # The best so far only gets better, and is a share.
    best = [row[6] for row in seen if row[6] is not None]
    assert best == sorted(best) and all(0 <= share <= 100 for share in best)


def test_only_those_who_may(preloaded, running):
    with preloaded.connect("shop") as admin:
        jobs.until(lambda: shown(admin, running), "the run")
        admin.execute("CREATE ROLE curious LOGIN")
        admin.execute("GRANT USAGE ON SCHEMA index_advisor TO curious")
        with preloaded.connect("shop", "curious") as curious:
            assert shown(curious, running) is None
            admin.execute("GRANT pg_read_all_stats TO curious")
            assert shown(curious, running) is not None
        admin.execute("DROP OWNED BY curious")
        admin.execute("DROP ROLE curious")


def test_a_terminated_run_is_gone(preloaded, running):
    with preloaded.connect("shop") as admin:
        jobs.until(lambda: shown(admin, running), "the run")
        admin.execute("SELECT pg_terminate_backend(%s)", (running,))
        jobs.until(lambda: shown(admin, running) is None, "its end")
        assert admin.execute("SELECT count(*) FROM index_advisor.progress").fetchone() == (0,)


def test_a_cancelled_run_is_gone_and_its_session_shown_again(preloaded, running):
    with preloaded.connect("shop") as admin:
        jobs.until(lambda: shown(admin, running), "the run")
        admin.execute("SELECT pg_cancel_backend(%s)", (running,))
        jobs.until(lambda: shown(admin, running) is None, "its end")
    with preloaded.connect("shop") as session:
        session.execute("SET statement_timeout = '1s'")
        for _ in range(70):  # more often than there is room for
            session.execute("SET statement_timeout = '5ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                session.execute(RUN)
        session.execute("RESET statement_timeout")
        assert session.execute("SELECT count(*) FROM index_advisor.progress").fetchone() == (0,)


def test_notices(orders):
    """Asked for, also without preloading."""
    notices = []
    orders.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    shop.ask(orders, "recommend()")
    assert notices == []
    orders.execute("SET pg_index_advisor.progress = on")
    assert shop.ask(orders, "recommend()").rows
    assert [words.split(":")[0].split(" ")[0].rstrip(";") for words in notices] == PHASES
    assert notices[0].startswith("examination of ") and "the best so far saves" in notices[-1]
