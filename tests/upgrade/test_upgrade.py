"""ALTER EXTENSION ... UPDATE from each earlier version: what comes out is the newest version, and the history is kept.

The scripts that created earlier versions stand beside this file as cargo-pgrx made them then.
"""

import re
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import shop  # noqa: E402

NEWEST = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
EARLIER = sorted(path.stem.split("--")[1] for path in HERE.glob("pg_index_advisor--*.sql"))

# Everything that the extension consists of, as text that is the same wherever it is the same.
OBJECTS = """
WITH own AS (
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_index_advisor'
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
relation AS (SELECT c.* FROM pg_class AS c JOIN own ON own.classid = 'pg_class'::regclass AND own.objid = c.oid)
SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid) || coalesce(obj_description(p.oid, 'pg_proc'), '') || coalesce(p.proacl::text, '')
  FROM pg_proc AS p JOIN own ON own.classid = 'pg_proc'::regclass AND own.objid = p.oid
UNION ALL
SELECT 'relation ' || r.oid::regclass, r.relkind::text || coalesce(obj_description(r.oid, 'pg_class'), '') || coalesce(r.relacl::text, '') || coalesce(r.reloptions::text, '')
       || CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) ELSE '' END
  FROM relation AS r
UNION ALL
SELECT 'column ' || r.oid::regclass || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || a.attnotnull::text || a.attidentity::text || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
  FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint ' || r.oid::regclass || ' ' || k.conname, pg_get_constraintdef(k.oid)
  FROM relation AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
UNION ALL
SELECT 'index ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid
UNION ALL
SELECT 'dumped ' || c.oid::regclass, '' FROM pg_extension AS e, unnest(e.extconfig) AS dumped JOIN pg_class AS c ON c.oid = dumped
 WHERE e.extname = 'pg_index_advisor'
"""


@pytest.fixture
def old_versions(server):
    """The creating scripts of earlier versions, in the private copy of PostgreSQL that the tests use."""
    extensions = server.installation.path("sharedir") / "extension"
    for version in EARLIER:
        if version != NEWEST:
            shutil.copy(HERE / f"pg_index_advisor--{version}.sql", extensions)
    yield


def create(connection, version: str) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    connection.execute(f"CREATE EXTENSION pg_index_advisor VERSION '{version}'")


def test_there_is_something_to_upgrade_from():
    assert EARLIER and all((ROOT / "sql").glob(f"pg_index_advisor--{version}--*.sql") for version in EARLIER)


@pytest.mark.parametrize("version", EARLIER)
def test_the_chain_ends_in_the_newest_version(empty_database, server, old_versions, version):
    connection = empty_database.connect()
    create(connection, NEWEST)
    fresh = dict(connection.execute(OBJECTS).fetchall())
    connection.execute("DROP EXTENSION pg_index_advisor")
    create(connection, version)
    connection.execute("ALTER EXTENSION pg_index_advisor UPDATE")
    updated = dict(connection.execute(OBJECTS).fetchall())
    assert connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'pg_index_advisor'").fetchone() == (NEWEST,)
    assert len(fresh) > 100
    assert {name: text for name, text in fresh.items() if updated.get(name) != text} == {}
    assert set(updated) - set(fresh) == set()


@pytest.mark.parametrize("version", [version for version in EARLIER if version != "0.1.0"])  # which kept nothing
def test_history_outlives_an_upgrade(empty_database, server, old_versions, version):
    connection = empty_database.connect()
    create(connection, version)
    shop.create(connection)
    connection.execute("SELECT pg_stat_statements_reset()")
    shop.use(connection)
    assert connection.execute("SELECT new FROM index_advisor.run()").fetchone() == (1,)
    connection.execute("SELECT index_advisor.dismiss(1, 'kept over the upgrade')")
    tables = [
        row[0]
        for row in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'index_advisor'::regnamespace AND relname LIKE 'history%' AND relkind = 'r'"
        )
    ]
    # By column, since the newer version may have more of them.
    before = {t: [r[0] for r in connection.execute(f"SELECT to_jsonb(h) FROM index_advisor.{t} AS h ORDER BY to_jsonb(h)::text")] for t in tables}
    assert sum(len(rows) for rows in before.values()) > 8
    connection.execute("ALTER EXTENSION pg_index_advisor UPDATE")
    for table, rows in before.items():
        after = [r[0] for r in connection.execute(f"SELECT to_jsonb(h) FROM index_advisor.{table} AS h")]
        assert len(after) == len(rows)
        for row in rows:
            assert any(row.items() <= other.items() for other in after), (table, row)
    # And goes on: the dismissed advice stays so, runs are counted on.
    assert connection.execute("SELECT run FROM index_advisor.run()").fetchone() == (2,)
    assert connection.execute("SELECT status FROM index_advisor.recommendations WHERE recommendation = 1").fetchone() == ("dismissed",)
    assert "Index advice" in connection.execute("SELECT index_advisor.report(1)").fetchone()[0]


def test_functions_of_an_old_version_work_with_the_new_library(empty_database, server, old_versions):
    """Between the installation of the files and ALTER EXTENSION ... UPDATE."""
    connection = empty_database.connect()
    create(connection, "0.1.0")
    shop.create(connection)
    connection.execute("SELECT pg_stat_statements_reset()")
    shop.use(connection)
    for call in ("recommend()", "report()", "statements()", "frontier()"):
        answer = shop.ask(connection, call)
        assert answer.rows, answer.words
