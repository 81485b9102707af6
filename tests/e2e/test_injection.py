"""Cancels, time-outs, errors and other sessions' changes at random moments, thousands of them: the session goes on as if nothing had been asked.

The server tests of the same name raise errors at every place where the planner calls out; here is what comes from outside.
"""

import os
import random
import signal
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest

SEED = 20261125
ROUNDS = 3000
# Rounds between two looks at plans, locks and memory.
LOOK_EVERY = 50
# After the first rounds the backend's caches are filled; a leak of 1 kB a round would add up to more than this.
WARM_ROUNDS = 1000
ALLOWED_KB = 2048

SCHEMA = """
CREATE TABLE orders AS
SELECT g AS id, g % 997 AS customer, g % 5 AS state, md5(g::text) AS note, date '2020-01-01' + g / 40 AS day,
       jsonb_build_object('k', g % 50) AS doc, ARRAY[g % 10, g % 7] AS tags, int4range(g, g + 10) AS span
  FROM generate_series(1, 20000) AS g;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX orders_doc ON orders USING gin (doc);
CREATE INDEX orders_note ON orders (lower(note)) WHERE state = 3;
CREATE INDEX orders_span ON orders USING gist (span);
CREATE TABLE customers AS SELECT g AS id, 'name ' || g AS name, g % 20 AS region FROM generate_series(1, 997) AS g;
CREATE TABLE parts (k int, v int, w text) PARTITION BY RANGE (k);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (2000);
CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (2000) TO (30000);
INSERT INTO parts SELECT g, g % 300, md5(g::text) FROM generate_series(1, 8000) AS g;
CREATE TABLE passing (k int, v int);
CREATE VIEW rich AS SELECT customer, count(*) AS n FROM orders GROUP BY customer HAVING count(*) > 2;
CREATE FUNCTION of_customer(int) RETURNS SETOF orders STABLE LANGUAGE sql AS 'SELECT * FROM orders WHERE customer = $1';
CREATE FUNCTION looked_up(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
    AS 'BEGIN RETURN (SELECT region FROM customers WHERE id = $1); END';
-- Raises at every n-th call; a sequence, since what an isolated call changes is undone.
CREATE SEQUENCE ticks;
CREATE FUNCTION may_raise(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('ticks') % current_setting('test.every')::int = 0 THEN
        RAISE EXCEPTION 'raised on purpose' USING ERRCODE = current_setting('test.code');
    END IF;
    RETURN $1;
END $$;
-- Memory contexts are for superusers to see.
CREATE FUNCTION memory_kb() RETURNS bigint SECURITY DEFINER LANGUAGE sql
    AS 'SELECT (sum(total_bytes) / 1024)::bigint FROM pg_backend_memory_contexts';
SET test.every = 1000000000;
ANALYZE;
"""

STATEMENTS = [
    "SELECT * FROM orders WHERE customer = 5",
    "SELECT note FROM orders WHERE customer = 7 AND state IN (1, 2) ORDER BY day DESC LIMIT 5",
    "SELECT c.name, o.note FROM customers c JOIN orders o ON o.customer = c.id WHERE c.region = 3 AND o.state = 2",
    "SELECT c.name FROM customers c LEFT JOIN orders o ON o.customer = c.id LEFT JOIN parts p ON p.v = o.state WHERE p.k = 7",
    "SELECT * FROM parts WHERE v = 77",
    "SELECT p.w FROM parts p JOIN orders o ON o.id = p.k WHERE o.customer = 8",
    "SELECT n FROM rich WHERE customer = 17",
    "SELECT * FROM of_customer(7) WHERE day > '2020-02-01'",
    "WITH latest AS (SELECT customer, max(day) AS day FROM orders GROUP BY customer) SELECT * FROM latest WHERE customer = 3",
    "WITH RECURSIVE r AS (SELECT id, customer FROM orders WHERE id = 1 UNION ALL SELECT o.id, o.customer FROM orders o JOIN r "
    "ON o.customer = r.id + 1) SELECT * FROM r",
    "SELECT * FROM orders WHERE doc @> '{\"k\": 5}' AND customer = 9",
    "SELECT * FROM orders WHERE tags @> ARRAY[3, 4]",
    "SELECT * FROM orders WHERE span && int4range(5, 9) AND state = 1",
    "SELECT * FROM orders WHERE lower(note) = 'x' AND state = 3",
    "SELECT * FROM orders WHERE upper(note) = 'x'",
    "SELECT day, count(*) FROM orders WHERE day BETWEEN '2020-01-10' AND '2020-01-20' GROUP BY day ORDER BY day",
    "UPDATE orders SET state = 1 WHERE customer = 4 AND note LIKE 'ab%'",
    "SELECT * FROM customers WHERE region = looked_up(5) AND name = 'x'",
    "SELECT * FROM orders o WHERE EXISTS (SELECT FROM parts p WHERE p.v = o.customer AND p.w > 'f') AND o.state = 1",
    "SELECT * FROM orders WHERE customer = may_raise(5) AND day = '2020-03-01'",
    "SELECT * FROM orders o JOIN passing p ON p.k = o.id WHERE o.customer = may_raise(6) AND p.v = 3",
    "SELECT * FROM orders WHERE customer = 1 / (state - state) OR id = 1 / 0",
]

DDL = [
    "CREATE INDEX ON orders (customer, state DESC)",
    "CREATE INDEX ON orders (upper(note)) WHERE state > 1",
    "CREATE UNIQUE INDEX ON orders (id, day) INCLUDE (note)",
    "CREATE INDEX ON parts (v)",
    "CREATE INDEX ON parts (lower(w), k); CREATE INDEX ON orders (day)",
    "CREATE INDEX ON orders ((customer + may_raise(state)))",
    "CREATE INDEX ON passing (v)",
    "CREATE INDEX ON orders USING gin (tags); CREATE INDEX ON orders USING brin (day)",
    "CREATE INDEX ON orders USING gist (span); CREATE INDEX ON orders USING hash (note)",
]

PLAIN = STATEMENTS[:3] + STATEMENTS[4:7] + STATEMENTS[10:16]
CODES = ["P0001", "22012", "42P01", "42501", "55P03", "53200", "54001", "57014", "XX000"]


@pytest.fixture
def schema(database):
    with database.connect() as admin:
        admin.execute(SCHEMA)
        admin.execute("VACUUM ANALYZE orders, customers, part1, part2, passing")
    return database


class Trial:
    """A session that is disturbed, another that disturbs it, and what both saw before."""

    def __init__(self, database, role):
        self.random = random.Random(SEED)
        self.database = database
        self.role = role
        self.other = database.connect()
        self.other.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        self.other.execute(f"GRANT USAGE ON SEQUENCE ticks TO {role}")
        self.other.execute(f"GRANT SET ON PARAMETER max_stack_depth TO {role}; GRANT UPDATE ON orders TO {role}")
        self.other.execute(f"GRANT USAGE ON SCHEMA index_advisor TO {role}")
        self.session = database.connect(role)
        self.session.execute("SET test.every = 1000000000; SET test.code = 'P0001'")
        self.session.execute("PREPARE by_customer (int) AS SELECT count(*) FROM orders WHERE customer = $1")
        self.settings = self._settings()
        self.plans = self._plans(self.session)
        self.disturbed = 0
        self.seconds = 0.005

    # What a round asks.

    def call(self) -> list[str]:
        query, ddl = self.random.choice(STATEMENTS), self.random.choice(DDL)
        quoted, quoted_ddl = _quoted(query), _quoted(ddl)
        return self.random.choice([
            [f"SELECT * FROM index_advisor.recommend_for({quoted})"],
            [f"SELECT * FROM index_advisor.explain({quoted}, ARRAY[{quoted_ddl}])"],
            [f"SELECT * FROM index_advisor.create_hypothetical_index({quoted_ddl})", f"EXPLAIN {query}",
             f"SELECT count(*) FROM ({query}) AS q" if query.startswith("SELECT") else f"EXPLAIN {query}"],
            [f"SELECT * FROM index_advisor.create_hypothetical_index({quoted_ddl})", f"PREPARE p AS {query}",
             "EXPLAIN EXECUTE p", "EXPLAIN (FORMAT JSON) " + query],
        ])  # fmt: skip

    # What disturbs it.

    @contextmanager
    def cancel(self):
        """SIGINT, which is what a cancel is, after up to the time that such a call takes."""
        delay = self.random.random() * self.seconds * 1.5
        canceller = threading.Timer(delay, os.kill, [self.session.info.backend_pid, signal.SIGINT])
        canceller.start()
        try:
            yield
        finally:
            canceller.join()

    @contextmanager
    def time_out(self):
        self.session.execute(f"SET statement_timeout = {self.random.randint(1, 5)}")
        yield
        self._again("SET statement_timeout = 0")

    @contextmanager
    def error(self):
        every = self.random.choice([1, 2, 3, 5, 10, 30])
        self.session.execute(f"SET test.every = {every}; SET test.code = '{self.random.choice(CODES)}'")
        yield
        self.session.execute("SET test.every = 1000000000")

    @contextmanager
    def shallow_stack(self):
        """With little stack, a deep expression is too much for one part of the way or another."""
        depth = self.random.randint(20, 1500)
        self.session.execute("SET max_stack_depth = '100kB'")
        deep = _quoted("SELECT * FROM orders WHERE customer = " + "abs(" * depth + "5" + ")" * depth)
        self._attempt(f"SELECT * FROM index_advisor.recommend_for({deep})")
        self._attempt(f"SELECT * FROM index_advisor.explain({deep})")
        yield
        self._again("RESET max_stack_depth")

    @contextmanager
    def lock(self):
        table = self.random.choice(["orders", "parts", "part2", "customers"])
        self.session.execute(f"SET lock_timeout = {self.random.randint(1, 5)}")
        with self.other.transaction():
            self.other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
        self._again("SET lock_timeout = 0")

    @contextmanager
    def table_comes_and_goes(self):
        over = threading.Event()

        def work():
            while not over.is_set():
                self.other.execute("DROP TABLE IF EXISTS passing")
                self.other.execute(f"CREATE TABLE passing (k int, v int); GRANT SELECT ON passing TO {self.role}")
                # A call looks again a few times, not for ever.
                over.wait(0.005)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            over.set()
            worker.join()

    @contextmanager
    def table_changes(self):
        """New statistics and columns on the way: what was analysed is out of date."""
        self.other.execute("ALTER TABLE passing ADD COLUMN more int; ANALYZE passing")
        yield
        self.other.execute("ALTER TABLE passing DROP COLUMN more")

    @contextmanager
    def no_rights(self):
        self.other.execute(f"REVOKE SELECT ON orders FROM {self.role}")
        yield
        self.other.execute(f"GRANT SELECT ON orders TO {self.role}")

    # Rounds, and what must hold after them.

    def round(self) -> None:
        how = self.random.choice([self.cancel] * 6 + [self.time_out] * 3 + [self.error] * 3 + [
            self.shallow_stack, self.lock, self.table_comes_and_goes, self.table_changes, self.no_rights,
        ])  # fmt: skip
        began = time.monotonic()
        with how():
            for statement in self.call():
                self._attempt(statement)
        if how == self.cancel:
            # Let the moments of cancels cover the calls, whatever a machine takes for them.
            self.seconds = 0.9 * self.seconds + 0.1 * (time.monotonic() - began)
        self._again("SELECT index_advisor.reset_hypothetical_indexes()")
        self._again("SELECT 1")
        self._attempt("DEALLOCATE p")

    def _attempt(self, statement: str) -> None:
        try:
            self.session.execute(statement)
        except psycopg.errors.QueryCanceled:
            self.disturbed += 1
        except psycopg.Error as e:
            self.disturbed += 1
            # An internal error is one that nobody thought of, unless it is ours.
            on_purpose = "raised on purpose" in str(e)
            assert on_purpose or e.sqlstate not in ("XX000", "XX001", "XX002"), f"{statement}: {e}"
            assert not self.session.closed, f"{statement}: {e}"

    def _again(self, statement: str) -> None:
        """Once more if a cancel that was meant for the call before came late."""
        try:
            self.session.execute(statement)
        except psycopg.errors.QueryCanceled:
            self.session.execute(statement)

    def look(self, when: str) -> None:
        assert self._settings() == self.settings, when
        assert self._plans(self.session) == self.plans, when
        with self.database.connect(self.role) as fresh:
            fresh.execute("SET test.every = 1000000000; SET test.code = 'P0001'")
            assert self._plans(fresh) == self.plans, when
        assert self.session.execute("EXECUTE by_customer(5)").fetchone() == (21,), when
        assert self.session.execute("SELECT count(*) FROM parts WHERE v = 77").fetchone() == (27,), when
        held = self.other.execute("SELECT relation::regclass, mode FROM pg_locks WHERE pid = %s", [self.session.info.backend_pid])
        assert held.fetchall() == [], when

    def memory_kb(self) -> int:
        """What the session's contexts take."""
        return self.session.execute("SELECT memory_kb()").fetchone()[0]

    def _settings(self):
        names = ["search_path", "role", "lock_timeout", "statement_timeout", "max_stack_depth", "work_mem", "pg_stat_statements.track"]
        shown = ", ".join(f"current_setting('{name}')" for name in names)
        return self.session.execute(f"SELECT {shown}, current_user, session_user").fetchone()

    def _plans(self, connection):
        return [connection.execute(f"EXPLAIN {query}").fetchall() for query in PLAIN]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def test_three_thousand_disturbed_calls(schema, role):
    trial = Trial(schema, role)
    log_begins = schema.server.log.stat().st_size
    for _ in range(3):
        trial.look("before")
    warm = 0
    for number in range(1, ROUNDS + 1):
        trial.round()
        if number % LOOK_EVERY == 0:
            trial.look(f"seed {SEED}, round {number}")
        if number == WARM_ROUNDS:
            warm = trial.memory_kb()
    grown = trial.memory_kb() - warm
    assert grown < ALLOWED_KB, f"grew by {grown} kB, seed {SEED}"
    # A trial that disturbs nothing proves nothing.
    assert trial.disturbed > ROUNDS / 4, f"{trial.disturbed} calls were disturbed, seed {SEED}"
    with open(schema.server.log, errors="replace") as log:
        log.seek(log_begins)
        bad = [line for line in log if any(word in line for word in ("WARNING", "PANIC", "TRAP", "terminated by signal", "leak"))]
    assert bad == [], f"seed {SEED}"
