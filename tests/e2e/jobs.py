"""Servers that preload the extension, and waiting for what happens in them."""

import contextlib
import datetime
import os
import re
import signal
import time
from pathlib import Path

import psycopg
import shop
from tools import postgres

EVERY_SECOND = "* * * * * *"
NIGHTLY = "0 3 * * *"
MINUTE = datetime.timedelta(minutes=1)
PATIENCE = 20.0


@contextlib.contextmanager
def preloading(installation, name: str, **settings: str):
    """A server of its own with the background worker."""
    wanted = {
        "shared_preload_libraries": "pg_stat_statements,pg_index_advisor",
        "shared_buffers": "64MB",
        "autovacuum": "off",
        "log_line_prefix": "[%b] ",
        "synchronous_commit": "on",  # what is committed is kept when processes are killed
        **settings,
    }
    server = postgres.Server(installation, f"{name}-{installation.major}", wanted)
    server.log.unlink(missing_ok=True)
    with server:
        yield server


def create(server: postgres.Server, name: str) -> None:
    """A database with a workload that lacks an index."""
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {name}")
    with server.connect(name) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute("CREATE EXTENSION pg_index_advisor")
        shop.create(connection)
        connection.execute("SELECT pg_stat_statements_reset()")
        shop.use(connection)


def until(condition, what: str, patience: float = PATIENCE):
    """Waits for a condition to give something; that."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {patience} s")


def row(connection: psycopg.Connection, name: str = "advice") -> dict | None:
    """A job as the view shows it."""
    cursor = connection.execute("SELECT * FROM index_advisor.jobs WHERE name = %s", (name,))
    found = cursor.fetchone()
    return dict(zip([column.name for column in cursor.description], found)) if found else None


def status(connection: psycopg.Connection, wanted: str, name: str = "advice", patience: float = PATIENCE) -> dict:
    """Waits until a job has a status; its row."""

    def reached():
        found = row(connection, name)
        return found if found and found["status"] == wanted else None

    try:
        return until(reached, f"job {name} {wanted}", patience)
    except AssertionError as e:
        raise AssertionError(f"{e}; it is {row(connection, name)}") from None


def runs(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT count(*) FROM index_advisor.history_run").fetchone()[0]


def make_due(connection: psycopg.Connection, name: str = "advice", ago: str = "1 second") -> None:
    """As if the job's time had come that long ago."""
    connection.execute(
        "UPDATE index_advisor.history_job SET next_start = now() - %s::interval WHERE name = %s", (ago, name)
    )


def log(server: postgres.Server) -> str:
    return server.log.read_text(errors="replace")


def launcher(connection: psycopg.Connection) -> int | None:
    found = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_index_advisor launcher'").fetchone()
    return found[0] if found else None


@contextlib.contextmanager
def held(server: postgres.Server, database: str):
    """While this lasts, a run in the database gets as far as its history, and waits there."""
    with server.connect(database, autocommit=False) as holder:
        holder.execute("LOCK TABLE index_advisor.history_run IN SHARE ROW EXCLUSIVE MODE")
        yield holder
        with contextlib.suppress(psycopg.Error):  # the server may have been killed
            holder.rollback()


def kill(pid: int) -> None:
    """SIGKILL to a process of a server of ours, and to no other."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    if not command:
        return  # it has ended, and nobody has asked for its exit code yet
    assert re.search(rb"postgres", command), command
    os.kill(pid, signal.SIGKILL)
    # Until its parent has noticed: before that, the server still takes connections, and then ends them.
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.01)


def connect_again(server: postgres.Server, database: str) -> psycopg.Connection:
    """After a crash: as soon as the server takes connections."""

    def attempt():
        with contextlib.suppress(psycopg.OperationalError):
            return server.connect(database)
        return None

    return until(attempt, "a connection after the crash")
