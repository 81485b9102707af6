"""Jobs by the extension's own background worker: by themselves, once, as their owner; and whatever is killed, dropped or
locked meanwhile."""

import contextlib
import itertools
import time

import jobs
import psycopg
import pytest
import shop
from jobs import EVERY_SECOND, NIGHTLY

_NUMBER = itertools.count(1)


@pytest.fixture(scope="module")
def preloaded(server):
    """A server with the worker; `server` tells the version."""
    with jobs.preloading(server.installation, "jobs") as running:
        with running.connect() as admin:
            # A run that is held shall stay held; one that cannot wait has a test of its own.
            admin.execute("ALTER SYSTEM SET pg_index_advisor.lock_timeout = '1min'")
            admin.execute("SELECT pg_reload_conf()")
        yield running


@pytest.fixture
def place(preloaded):
    """A database of its own with a workload."""
    name = f"j{next(_NUMBER)}"
    jobs.create(preloaded, name)
    yield name
    with preloaded.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def inside(preloaded, place):
    with preloaded.connect(place) as connection:
        yield connection


@pytest.fixture
def tuner(preloaded, place, inside):
    """A role that may schedule jobs."""
    name = f"tuner_{place}"
    inside.execute(f"CREATE ROLE {name} LOGIN")
    inside.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {name}")
    inside.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO {name}")
    inside.execute(f"GRANT pg_read_all_stats TO {name}")
    yield name
    with preloaded.connect() as admin, contextlib.suppress(psycopg.errors.UndefinedObject):
        admin.execute(f"DROP DATABASE IF EXISTS {place} WITH (FORCE)")
        admin.execute(f"DROP ROLE {name}")


def schedule(connection, text, **arguments):
    words = "".join(f", {name} => %s" for name in arguments)
    return connection.execute(f"SELECT index_advisor.schedule(%s{words})", (text, *arguments.values())).fetchone()[0]


def test_a_job_comes_by_itself_until_it_is_unscheduled(inside):
    said = schedule(inside, EVERY_SECOND, max_indexes=1, time_limit="5 s")
    assert "by the background worker; next at" in said
    jobs.until(lambda: jobs.runs(inside) >= 2, "two runs")
    job = jobs.status(inside, "succeeded")
    assert (job["owner"], job["runner"], job["max_indexes"]) == ("postgres", "worker", 1)
    assert job["last_error"] is None and job["last_summary"] and job["last_end"] >= job["last_start"]
    made = inside.execute("SELECT DISTINCT made_by, job FROM index_advisor.runs").fetchall()
    assert made == [("postgres", "advice")]
    assert inside.execute("SELECT count(*) FROM index_advisor.recommendations").fetchone()[0] == 1
    assert inside.execute("SELECT index_advisor.unschedule()").fetchone() == (True,)
    assert jobs.row(inside) is None
    jobs.until(lambda: inside.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_index_advisor job'").fetchone() == (0,), "the end")
    before = jobs.runs(inside)
    time.sleep(2.2)
    assert jobs.runs(inside) == before
    assert inside.execute("SELECT index_advisor.unschedule()").fetchone() == (False,)
    # Our own statements are no workload.
    own = inside.execute("SELECT query FROM pg_stat_statements WHERE query ~ 'run_job|history_job' AND query !~ '^UPDATE'").fetchall()
    assert own == []


def test_a_run_with_news_tells_listeners(inside):
    inside.execute("LISTEN index_advisor")
    schedule(inside, EVERY_SECOND)
    told = next(iter(inside.notifies(timeout=jobs.PATIENCE, stop_after=1)))
    assert '"new"' in told.payload and '"database"' in told.payload


def test_times_are_of_the_time_zone(inside):
    hour = "SELECT (extract(hour FROM next_start AT TIME ZONE 'UTC'))::int, time_zone FROM index_advisor.jobs"
    said = schedule(inside, NIGHTLY, time_zone="Asia/Tokyo")
    assert "03:00:00 Asia/Tokyo" in said
    assert inside.execute(hour).fetchone() == (18, "Asia/Tokyo")
    inside.execute("SET TimeZone = 'Asia/Kolkata'")
    schedule(inside, NIGHTLY)
    assert inside.execute(hour).fetchone() == (21, "Asia/Kolkata")


BAD = [
    ("schedule('0 25 * * *')", "22023", 'Field 2 (hour: 0-23) is "25"'),
    ("schedule('* * * *')", "22023", "4 fields"),
    ("schedule(NULL)", "22023", "empty"),
    ("schedule('0 0 30 2 *')", "22023", "no such day"),
    ("schedule('0 3 * * *; DROP TABLE orders')", "22023", "fields"),
    ("schedule('0 3 * * *', time_zone => 'Europe/Nowhere')", "22023", "Europe/Nowhere"),
    ("schedule('0 3 * * *', storage_budget => 'much')", "22023", "much"),
    ("schedule('0 3 * * *', max_indexes => 0)", "22023", "max_indexes"),
    ("schedule('0 3 * * *', runner => 'systemd')", "22023", "systemd"),
    ("schedule('0 3 * * *', runner => 'pg_cron')", "55000", "pg_cron"),
    (f"schedule('0 3 * * *', name => '{'x' * 64}')", "22023", "63 bytes"),
    ("schedule('0 3 * * *', name => '')", "22023", "63 bytes"),
    ("run_job('nightly')", "42704", "nightly"),
]


@pytest.mark.parametrize("call, state, words", BAD, ids=[call[:40] for call, _, _ in BAD])
def test_bad_input(preloaded, call, state, words):
    with preloaded.connect() as admin, contextlib.suppress(psycopg.errors.DuplicateDatabase):
        jobs.create(preloaded, "bad_input")
    with preloaded.connect("bad_input") as session:
        answer = shop.ask(session, call)
        assert (answer.state, words in answer.words) == (state, True), answer.words
        assert session.execute("SELECT count(*) FROM index_advisor.jobs").fetchone() == (0,)


def test_a_job_is_its_owners(preloaded, place, inside, tuner):
    with preloaded.connect(place, tuner) as session:
        schedule(session, EVERY_SECOND)
        jobs.status(session, "succeeded")
        assert session.execute("SELECT DISTINCT made_by FROM index_advisor.runs").fetchall() == [(tuner,)]
        session.execute("SELECT index_advisor.schedule(%s)", (NIGHTLY,))
    other = f"other_{place}"
    inside.execute(f"CREATE ROLE {other} LOGIN")
    try:
        inside.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {other}")
        with preloaded.connect(place, other) as session:
            for call in (f"schedule('{NIGHTLY}')", "unschedule()", "run_job()"):
                assert shop.ask(session, call).state == "42501"
            assert session.execute("SELECT count(*) FROM index_advisor.jobs").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("SELECT * FROM index_advisor.history_job")
        inside.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO {other}")
        with preloaded.connect(place, other) as session:
            for call in (f"schedule('{NIGHTLY}')", "unschedule()", "run_job()"):
                answer = shop.ask(session, call)
                assert answer.state == "42501" and tuner in answer.words, answer.words
    finally:
        inside.execute(f"DROP OWNED BY {other}")
        inside.execute(f"DROP ROLE {other}")
    # A superuser sees it and may remove it, but runs nothing in another's name.
    assert jobs.row(inside)["owner"] == tuner
    assert shop.ask(inside, "run_job()").state == "42501"
    assert inside.execute("SELECT index_advisor.unschedule()").fetchone() == (True,)


def test_what_only_looks_like_ours_is_not_started(preloaded, place):
    """The owner of a database can write a table of that name, and a function: neither may make the worker run it."""
    with preloaded.connect() as admin:
        admin.execute(f"CREATE ROLE forger_{place} LOGIN")
        admin.execute(f"CREATE DATABASE {place}_forged OWNER forger_{place}")
        try:
            with preloaded.connect(f"{place}_forged", f"forger_{place}") as forger, preloaded.connect(place) as real:
                columns = real.execute(
                    "SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute "
                    "WHERE attrelid = 'index_advisor.history_job'::regclass AND attnum > 0"
                ).fetchone()[0]
                forger.execute("CREATE SCHEMA index_advisor; CREATE TABLE public.caught (who text)")
                forger.execute(f"CREATE TABLE index_advisor.history_job ({columns})")
                forger.execute(
                    "CREATE FUNCTION index_advisor.run_job(text) RETURNS text LANGUAGE sql AS "
                    "'INSERT INTO public.caught VALUES (current_user) RETURNING who'"
                )
                forger.execute(
                    "INSERT INTO index_advisor.history_job (name, schedule, time_zone, runner, owner, interruptions, scheduled_at, next_start) "
                    "VALUES ('advice', '* * * * * *', 'UTC', 'worker', 'postgres', 0, now(), now())"
                )
                # A job of another database makes the launcher look at what is new.
                schedule(real, EVERY_SECOND)
                jobs.until(lambda: jobs.runs(real) >= 2, "two runs")
                assert forger.execute("SELECT count(*) FROM public.caught").fetchone() == (0,)
        finally:
            admin.execute(f"DROP DATABASE {place}_forged WITH (FORCE)")
            admin.execute(f"DROP ROLE forger_{place}")


def test_a_schema_that_others_write_to_is_not_trusted(inside, tuner):
    inside.execute(f"GRANT CREATE ON SCHEMA index_advisor TO {tuner}")
    answer = shop.ask(inside, f"schedule('{NIGHTLY}')")
    assert answer.state == "55000" and "CREATE" in answer.words
    inside.execute(f"REVOKE CREATE ON SCHEMA index_advisor FROM {tuner}")
    assert shop.ask(inside, f"schedule('{NIGHTLY}')").error is None


def test_a_role_that_may_not_log_in_cannot_own_a_job(inside, tuner):
    inside.execute(f"ALTER ROLE {tuner} NOLOGIN")
    inside.execute(f"SET ROLE {tuner}")
    answer = None
    try:
        inside.execute("SELECT index_advisor.schedule(%s)", (NIGHTLY,))
    except psycopg.Error as e:
        answer = e
    inside.execute("RESET ROLE")
    assert answer is not None and answer.sqlstate == "28000" and "LOGIN" in answer.diag.message_hint


def test_never_two_at_a_time(preloaded, place, inside):
    with jobs.held(preloaded, place):
        schedule(inside, EVERY_SECOND)
        job = jobs.status(inside, "running")
        shown = inside.execute("SELECT backend_type, application_name, query, usename, datname FROM pg_stat_activity WHERE pid = %s", (job["pid"],))
        assert shown.fetchone() == ("pg_index_advisor job", "pg_index_advisor job advice", "SELECT index_advisor.run_job('advice')", "postgres", place)
        answer = shop.ask(inside, "run_job()")
        assert answer.state == "55006" and str(job["pid"]) in answer.words
        time.sleep(2.2)
        assert jobs.row(inside)["pid"] == job["pid"]
        working = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_index_advisor job' AND datname = current_database()"
        assert inside.execute(working).fetchone() == (1,)
        inside.execute("SELECT index_advisor.schedule(%s)", (NIGHTLY,))
    jobs.status(inside, "succeeded")
    assert jobs.runs(inside) == 1


def test_run_job_by_hand(inside):
    schedule(inside, NIGHTLY, min_saving_percent=0.5)
    next_start = jobs.row(inside)["next_start"]
    said = inside.execute("SELECT index_advisor.run_job()").fetchone()[0]
    assert said.startswith("run 1: ")
    job = jobs.row(inside)
    assert (job["status"], job["last_run"], job["next_start"]) == ("succeeded", 1, next_start)


def test_what_was_missed_comes_once(preloaded, place, inside):
    schedule(inside, "0 * * * *")
    jobs.make_due(inside, ago="50 hours")
    jobs.status(inside, "succeeded")
    time.sleep(1.5)
    assert jobs.runs(inside) == 1
    assert jobs.row(inside)["next_start"] > inside.execute("SELECT now()").fetchone()[0]


def test_a_clock_that_was_ahead(inside):
    schedule(inside, NIGHTLY)
    next_start = jobs.row(inside)["next_start"]
    inside.execute("UPDATE index_advisor.history_job SET next_start = '2099-01-01', last_due = '2098-12-31'")
    jobs.until(lambda: jobs.row(inside)["next_start"] == next_start, "a time by the new clock")
    assert jobs.runs(inside) == 0


def test_a_cancel_is_an_error_of_the_run(preloaded, place, inside):
    schedule(inside, NIGHTLY)
    with jobs.held(preloaded, place):
        jobs.make_due(inside)
        pid = jobs.status(inside, "running")["pid"]
        inside.execute("SELECT pg_cancel_backend(%s)", (pid,))
        job = jobs.status(inside, "failed")
    assert "canceling statement due to user request" in job["last_error"]
    assert jobs.runs(inside) == 0
    # The next one comes as scheduled.
    jobs.make_due(inside)
    assert jobs.status(inside, "succeeded")["last_error"] is None


def test_the_owners_statement_timeout_holds(preloaded, place, inside, tuner):
    inside.execute(f"ALTER ROLE {tuner} SET statement_timeout = '300ms'")
    with preloaded.connect(place, tuner) as session:
        schedule(session, NIGHTLY)
    with jobs.held(preloaded, place):
        jobs.make_due(inside)
        job = jobs.status(inside, "failed")
    assert "statement timeout" in job["last_error"]


def test_an_error_of_the_run_is_kept(preloaded, place, inside):
    schedule(inside, NIGHTLY)
    inside.execute("ALTER TABLE index_advisor.history_run RENAME COLUMN coverage TO covered")
    jobs.make_due(inside)
    job = jobs.status(inside, "failed")
    assert "history" in job["last_error"] and jobs.runs(inside) == 0
    inside.execute("ALTER TABLE index_advisor.history_run RENAME COLUMN covered TO coverage")
    jobs.make_due(inside)
    jobs.status(inside, "succeeded")


def orphans(connection) -> list:
    """What a half-written run would have left. A snapshot alone is what verify() leaves."""
    return connection.execute(
        """SELECT 'without advice', r.id FROM index_advisor.history_run AS r
            WHERE NOT EXISTS (SELECT FROM index_advisor.history_advice AS a WHERE a.run = r.id)
           UNION ALL
           SELECT 'without counters', r.id FROM index_advisor.history_run AS r
            WHERE NOT EXISTS (SELECT FROM index_advisor.history_counter AS c WHERE c.snapshot = r.snapshot)
           UNION ALL
           SELECT 'advice without a run', r.id FROM index_advisor.history_recommendation AS r
            WHERE NOT EXISTS (SELECT FROM index_advisor.history_advice AS a WHERE a.recommendation = r.id)"""
    ).fetchall()


def run_again_after_a_crash(session) -> dict:
    """A crash empties pg_stat_statements: what is run again then has nothing to examine, and says so."""
    job = jobs.status(session, "failed")
    assert "no statement" in job["last_error"], job
    return job


def test_a_killed_worker_is_run_again_once(preloaded, place, inside):
    """kill -9 of a process makes the server start anew, and the launcher with it."""
    schedule(inside, NIGHTLY)
    inside.execute("SELECT index_advisor.run_job()")
    with jobs.held(preloaded, place):
        jobs.make_due(inside)
        jobs.kill(jobs.status(inside, "running")["pid"])
        with jobs.connect_again(preloaded, place) as session:
            job = run_again_after_a_crash(session)
            assert (jobs.runs(session), orphans(session)) == (1, [])
            assert job["next_start"] > job["last_start"]
    # Killed twice in a row, it waits for its time: it may be what takes the server down.
    with jobs.connect_again(preloaded, place) as session, jobs.held(preloaded, place):
        session.execute("UPDATE index_advisor.history_job SET interruptions = 1")
        jobs.make_due(session)
        jobs.kill(jobs.status(session, "running")["pid"])
    session = jobs.connect_again(preloaded, place)
    jobs.until(lambda: session.execute("SELECT interruptions FROM index_advisor.history_job").fetchone() == (2,), "a look")
    job = jobs.status(session, "interrupted")
    assert "mid-run" in job["last_error"] and job["next_start"] > job["last_start"]
    time.sleep(1.5)
    assert jobs.row(session)["status"] == "interrupted"
    shop.use(session)
    jobs.make_due(session)
    jobs.status(session, "succeeded")
    assert (jobs.runs(session), orphans(session)) == (2, [])
    session.close()


def test_a_killed_server_goes_on(preloaded, place):
    """kill -9 of the postmaster in mid-run."""
    with preloaded.connect(place) as session, jobs.held(preloaded, place):
        schedule(session, NIGHTLY)
        jobs.make_due(session)
        pid = jobs.status(session, "running")["pid"]
        preloaded.process.kill()
        preloaded.process.wait()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            jobs.kill(pid)  # it waits for a lock, and would for a minute
    time.sleep(0.5)
    preloaded.start()
    with jobs.connect_again(preloaded, place) as session:
        run_again_after_a_crash(session)
        assert (jobs.runs(session), orphans(session)) == (0, [])
        shop.use(session)
        jobs.make_due(session)
        jobs.status(session, "succeeded")
        assert (jobs.runs(session), orphans(session)) == (1, [])


def test_a_stopping_server_does_not_wait_for_a_job(preloaded, place):
    with preloaded.connect(place) as session, jobs.held(preloaded, place):
        schedule(session, NIGHTLY)
        jobs.make_due(session)
        jobs.status(session, "running")
        began = time.monotonic()
        preloaded.stop()
        assert time.monotonic() - began < 5
    preloaded.start()
    # What it interrupted comes once after the start.
    with jobs.connect_again(preloaded, place) as session:
        jobs.status(session, "succeeded")
        assert (jobs.runs(session), orphans(session)) == (1, [])


def test_databases_can_be_copied_and_dropped(preloaded, place):
    with preloaded.connect(place) as session:
        schedule(session, EVERY_SECOND)
        jobs.status(session, "succeeded")
        schedule(session, NIGHTLY)
    with preloaded.connect() as admin:
        pid = jobs.launcher(admin)
        admin.execute(f"CREATE DATABASE {place}_copy TEMPLATE {place}")
        admin.execute(f"DROP DATABASE {place}")
        # Its job is a job of the copy, too, and is found there when its time comes.
        with preloaded.connect(f"{place}_copy") as session:
            shop.use(session)
            jobs.make_due(session)
            before = jobs.runs(session)
            jobs.until(lambda: jobs.runs(session) > before, "a run in the copy")
        admin.execute(f"DROP DATABASE {place}_copy WITH (FORCE)")
        assert jobs.launcher(admin) == pid


def test_a_dump_keeps_jobs(preloaded, place, inside):
    import subprocess

    schedule(inside, NIGHTLY, storage_budget="1GB")
    inside.execute("SELECT index_advisor.run_job()")
    before = jobs.row(inside)
    dump = subprocess.run(preloaded.client("pg_dump", place), capture_output=True, text=True)
    assert dump.returncode == 0, dump.stderr
    inside.execute(f"CREATE DATABASE {place}_restored")
    done = preloaded.psql(f"{place}_restored", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", text=dump.stdout)
    assert done.returncode == 0, done.stdout
    try:
        with preloaded.connect(f"{place}_restored") as session:
            assert jobs.row(session) == before
            jobs.make_due(session)
            jobs.until(lambda: jobs.runs(session) == 2, "a run after the restore")
    finally:
        inside.execute(f"DROP DATABASE {place}_restored WITH (FORCE)")


def test_a_dropped_role(preloaded, place, inside, tuner):
    with preloaded.connect(place, tuner) as session:
        schedule(session, NIGHTLY)
    inside.execute(f"DROP OWNED BY {tuner}")
    inside.execute(f"DROP ROLE {tuner}")
    jobs.make_due(inside)
    job = jobs.status(inside, "failed")
    assert tuner in job["last_error"] and job["next_start"] > job["last_end"]
    inside.execute(f"CREATE ROLE {tuner}")


def test_jobs_that_are_locked_come_later(preloaded, place, inside):
    schedule(inside, EVERY_SECOND)
    jobs.status(inside, "succeeded")
    with preloaded.connect(place, autocommit=False) as other:
        other.execute("LOCK TABLE index_advisor.history_job")
        jobs.until(lambda: "cannot read the jobs" in jobs.log(preloaded), "a line in the log")
        pid = jobs.launcher(other)
    before = jobs.runs(inside)
    jobs.until(lambda: jobs.runs(inside) > before, "a run after the lock")
    assert jobs.launcher(inside) == pid


def test_without_the_extension_or_with_another_table(preloaded, place, inside):
    schedule(inside, EVERY_SECOND)
    jobs.status(inside, "succeeded")
    pid = jobs.launcher(inside)
    inside.execute("ALTER TABLE index_advisor.history_job DROP COLUMN interruptions CASCADE")
    answer = shop.ask(inside, f"schedule('{NIGHTLY}')")
    assert answer.state == "42703" and "altered" in answer.words, answer.words
    time.sleep(1.5)
    inside.execute("DROP EXTENSION pg_index_advisor CASCADE")
    time.sleep(1.5)
    assert jobs.launcher(inside) == pid
    inside.execute("CREATE EXTENSION pg_index_advisor")
    schedule(inside, EVERY_SECOND)
    jobs.status(inside, "succeeded")


def test_a_database_that_takes_no_connections(preloaded, place):
    with preloaded.connect(place) as session:
        schedule(session, EVERY_SECOND)
        jobs.status(session, "succeeded")
    with preloaded.connect() as admin:
        admin.execute(f"ALTER DATABASE {place} ALLOW_CONNECTIONS false")
        time.sleep(2)
        at = len(jobs.log(preloaded))
        time.sleep(1.5)
        assert "FATAL" not in jobs.log(preloaded)[at:]
        admin.execute(f"ALTER DATABASE {place} ALLOW_CONNECTIONS true")


def test_the_worker_can_be_switched_off(preloaded, place, inside):
    schedule(inside, EVERY_SECOND)
    jobs.status(inside, "succeeded")
    inside.execute("ALTER SYSTEM SET pg_index_advisor.worker = off")
    inside.execute("SELECT pg_reload_conf()")
    try:
        jobs.until(lambda: inside.execute("SHOW pg_index_advisor.worker").fetchone() == ("off",), "the setting")
        time.sleep(1.5)
        before = jobs.runs(inside)
        time.sleep(2.2)
        assert jobs.runs(inside) == before
        answer = shop.ask(inside, f"schedule('{NIGHTLY}')")
        assert answer.state == "55000" and "pg_index_advisor.worker" in answer.words
    finally:
        inside.execute("ALTER SYSTEM RESET pg_index_advisor.worker")
        inside.execute("SELECT pg_reload_conf()")
    jobs.until(lambda: jobs.runs(inside) > before, "a run after it was switched on")


def test_too_few_worker_processes_are_said_once(server):
    # One is the logical replication launcher's.
    with jobs.preloading(server.installation, "few", max_worker_processes="2", max_logical_replication_workers="1") as few:
        jobs.create(few, "shop")
        with few.connect("shop") as session:
            schedule(session, EVERY_SECOND)
            jobs.until(lambda: "max_worker_processes" in jobs.log(few), "a line in the log")
            time.sleep(6)
            assert jobs.log(few).count("max_worker_processes may be too small") == 1
            assert jobs.launcher(session)


def test_a_standby_waits_until_it_is_promoted(preloaded, place, inside):
    schedule(inside, NIGHTLY)
    from tools import postgres

    follower = postgres.Server(preloaded.installation, f"jobs-standby-{preloaded.installation.major}", preloaded.settings)
    try:
        follower.create_standby_of(preloaded)
        follower.start()
        with jobs.connect_again(follower, place) as session:
            jobs.until(lambda: jobs.row(session), "the job on the standby")
            assert jobs.launcher(session) is None
            assert shop.ask(session, f"schedule('{NIGHTLY}')").error is not None
            session.execute("SELECT pg_promote()")
            jobs.until(lambda: jobs.launcher(session), "a launcher")
            jobs.make_due(session)
            jobs.status(session, "succeeded")
        # The two servers are two from here on.
        assert jobs.row(inside)["status"] is None
    finally:
        follower.remove()


def test_nobody_to_start_a_job(connection):
    """A server that has neither: the error names both."""
    answer = shop.ask(connection, f"schedule('{NIGHTLY}')")
    assert answer.state == "55000"
    assert "pg_cron" in answer.words and "shared_preload_libraries" in answer.words
    assert connection.execute("SELECT count(*) FROM index_advisor.progress").fetchone() == (0,)
