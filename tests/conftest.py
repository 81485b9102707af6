"""What all tests against a real server share: one private server per version, a fresh database per test.

Choose versions with `--pg 15 --pg 18`; the extension must be built for them (`make test` does both).
"""

import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import postgres  # noqa: E402

TEMPLATE = "advisor_template"
_NUMBER = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--pg", action="append", type=int, help="a server version to test on; may be given several times")


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        versions = metafunc.config.getoption("--pg") or [18]
        metafunc.parametrize("server", versions, ids=[f"pg{v}" for v in versions], indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request):
    """A running private server with pg_stat_statements preloaded and a template database with both extensions."""
    installation = postgres.installation(request.param)
    settings = {"shared_buffers": "128MB", "autovacuum": "off", "wal_level": "replica", "max_wal_senders": "4"}
    with postgres.Server(installation, f"tests-{request.param}", settings) as running:
        with running.connect() as admin:
            admin.execute(f"CREATE DATABASE {TEMPLATE}")
        with running.connect(TEMPLATE) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute("CREATE EXTENSION pg_index_advisor")
        yield running


@dataclass
class Database:
    """One test's own database, and every WARNING that any connection to it ever got."""

    server: postgres.Server
    name: str
    warnings: list[str] = field(default_factory=list)
    opened: list[psycopg.Connection] = field(default_factory=list)

    def connect(self, user: str = "postgres", **more) -> psycopg.Connection:
        connection = self.server.connect(self.name, user, **more)
        connection.add_notice_handler(self._noticed)
        self.opened.append(connection)
        return connection

    def _noticed(self, diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self.warnings.append(diagnostic.message_primary)

    def psql(self, *options: str, text: str):
        return self.server.psql(self.name, *options, text=text)


@pytest.fixture
def empty_database(server):
    """A fresh database without any extension."""
    yield from _database(server, "template1")


@pytest.fixture
def database(server):
    """A fresh database with pg_stat_statements and pg_index_advisor, and no statement recorded for it yet."""
    yield from _database(server, TEMPLATE)


def _database(server, template):
    name = f"t{next(_NUMBER)}"
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    made = Database(server, name)
    yield made
    for connection in made.opened:
        connection.close()
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    # "relcache reference leak" and its like are WARNINGs: there must be none, whatever the test was about.
    assert made.warnings == []


@pytest.fixture
def connection(database):
    """A superuser's session in `database`."""
    return database.connect()


@pytest.fixture
def role(server):
    """An ordinary login role, dropped afterwards together with what it owns in the test's database."""
    name = f"r{next(_NUMBER)}"
    with server.connect() as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    with server.connect() as admin:
        databases = [row[0] for row in admin.execute("SELECT datname FROM pg_database WHERE datname ~ '^t[0-9]+$'")]
    for each in databases:
        with server.connect(each) as inside:
            inside.execute(f"DROP OWNED BY {name}")
    with server.connect() as admin:
        admin.execute(f"DROP ROLE {name}")
