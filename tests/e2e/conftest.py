"""Fixtures of the end-to-end tests, on top of those of tests/conftest.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import shop  # noqa: E402


@pytest.fixture
def orders(database, connection):
    """A superuser's session in a database with the orders table and a workload that lacks an index on it."""
    shop.create(connection)
    connection.execute("SELECT pg_stat_statements_reset()")
    shop.use(connection)
    return connection
