"""The small database of the end-to-end tests, and how they ask for advice."""

from dataclasses import dataclass

import psycopg

ROWS = 50_000
BY_CUSTOMER = "SELECT * FROM orders WHERE customer_id = {}"

SCHEMA = f"""
CREATE TABLE orders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL,
    status      text NOT NULL,
    total       numeric(10, 2) NOT NULL,
    created_at  timestamptz NOT NULL
);
INSERT INTO orders (customer_id, status, total, created_at)
SELECT (i * 7919) % 10000, CASE WHEN i % 100 = 0 THEN 'open' ELSE 'done' END, (i % 1000) / 10.0,
       timestamptz '2026-01-01' + i * interval '1 second'
FROM generate_series(1, {ROWS}) AS i;
"""


def create(connection: psycopg.Connection, schema: str = "public") -> None:
    """An orders table with nothing but its primary key, where looking up a customer's orders reads all of it."""
    connection.execute(f"SET search_path = {schema}")
    connection.execute(SCHEMA)
    connection.execute("RESET search_path")
    connection.execute(f"VACUUM ANALYZE {schema}.orders")


def use(connection: psycopg.Connection, times: int = 20) -> None:
    """A workload of one statement, whose missing index is plain to see."""
    for i in range(times):
        connection.execute(BY_CUSTOMER.format(i * 13)).fetchall()


def cost_of(connection: psycopg.Connection, query: str) -> float:
    return plan_of(connection, query)["Total Cost"]


def plan_of(connection: psycopg.Connection, query: str) -> dict:
    return connection.execute(f"EXPLAIN (FORMAT JSON) {query}").fetchone()[0][0]["Plan"]


def indexes_in(plan: dict) -> set[str]:
    """Every index that a plan uses, anywhere in it."""
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    for child in plan.get("Plans", []):
        found |= indexes_in(child)
    return found


@dataclass(frozen=True)
class Answer:
    """What a call gave: rows, or the error that the user sees."""

    rows: list
    error: psycopg.Error | None = None

    @property
    def state(self) -> str | None:
        return self.error.sqlstate if self.error else None

    @property
    def words(self) -> str:
        """All that the user can read of it."""
        if self.error is None:
            return str(self.rows)
        d = self.error.diag
        return " ".join(part for part in (d.message_primary, d.message_detail, d.message_hint) if part)


def ask(connection: psycopg.Connection, call: str, *arguments) -> Answer:
    """SELECT * FROM index_advisor.CALL; afterwards the session must work as if nothing had happened."""
    try:
        answer = Answer(connection.execute(f"SELECT * FROM index_advisor.{call}", arguments or None).fetchall())
    except psycopg.Error as e:
        answer = Answer([], e)
    assert_usable(connection)
    # An internal error (XX000) is one that nobody thought of; a crash would have closed the session.
    assert answer.state not in ("XX000", "XX001", "XX002"), answer.words
    return answer


def assert_usable(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT 40 + 2").fetchone() == (42,)
    assert connection.execute("SELECT current_user = session_user").fetchone() == (True,)


def left_out(connection: psycopg.Connection, text: str) -> list[str]:
    """The reasons for which statements with `text` in them were left out."""
    rows = connection.execute(
        "SELECT reason FROM index_advisor.statements() WHERE status = 'left out' AND query LIKE %s", (f"%{text}%",)
    )
    return [row[0] for row in rows]
