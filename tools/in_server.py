"""The tests in the server: functions of the extension, when it is built with `pg_test`, each called in a transaction that is rolled back.

`cargo pgrx test` runs the same functions, but builds the crate a second time for a program that does nothing else.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import extension, postgres
from .postgres import EXTENSION, Installation, Server

SETTINGS = {"pg_stat_statements.track": "all"}
DATABASE = "in_server"
SCHEMA = "tests"  # where pgrx puts the function of a `#[pg_test]`
# A backend takes one core.
AT_A_TIME = 2


def run(installation: Installation, log: Path) -> tuple[int, int]:
    """Builds and installs the extension with its tests, runs them all, and gives how many passed and failed. What went wrong is in `log`."""
    extension.build(installation, with_tests=True)
    with Server(installation, f"in-server-{installation.major}", SETTINGS) as server:
        with server.connect() as admin:
            admin.execute(f"CREATE DATABASE {DATABASE}")
        with server.connect(DATABASE) as connection:
            connection.execute(f"CREATE EXTENSION {EXTENSION}")
            names = [name for (name,) in connection.execute(_TESTS)]
        with open(log, "a") as out, ThreadPoolExecutor(AT_A_TIME) as threads:
            failed = 0
            for name, (problem, seconds) in zip(names, threads.map(lambda name: _tried(server, name), names)):
                failed += problem is not None
                out.write(f"{name}: {'ok' if problem is None else 'FAILED'}, {seconds:.1f} s\n{problem or ''}")
                out.flush()
    return len(names) - failed, failed


_TESTS = f"SELECT proname FROM pg_proc WHERE pronamespace = '{SCHEMA}'::regnamespace AND pronargs = 0 ORDER BY proname"


def _tried(server: Server, name: str) -> tuple[str | None, float]:
    """What kept a test from passing, None if nothing did, and the seconds it took."""
    import psycopg  # only in the virtual environment

    began = time.monotonic()
    problem = None
    try:
        with server.connect(DATABASE, autocommit=False) as connection:
            connection.execute(f'SELECT "{SCHEMA}"."{name}"()')
            connection.rollback()
    except psycopg.Error as e:
        said = e.diag.message_primary or str(e)
        problem = "".join(f"    {line}\n" for line in (said, e.diag.message_detail, e.diag.context) if line)
    return problem, time.monotonic() - began
