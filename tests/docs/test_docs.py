"""Every ```sql block of README.md and docs/*.md runs, in order, in a database with a small shop and its workload."""

import sys
from pathlib import Path

import pytest
from tools import docs_sql

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import jobs  # noqa: E402

# A page that schedules jobs needs somebody to start them.
SCHEDULING = [page for page in docs_sql.pages() if "index_advisor.schedule(" in docs_sql.script(page)]
PAGES = [page for page in docs_sql.pages() if page not in SCHEDULING]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_page(page, empty_database):
    """A page that does not create the extensions itself, as README does, finds them created."""
    setup = (HERE / "schema.sql").read_text() + (HERE / "workload.sql").read_text() * 3
    if "CREATE EXTENSION pg_index_advisor" not in docs_sql.script(page):
        setup = "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_index_advisor;\n" + setup
    before = empty_database.psql("-q", "-v", "ON_ERROR_STOP=1", "-f", "-", text=setup)
    assert before.returncode == 0, before.stdout
    follow(page, empty_database.psql)


def follow(page, psql):
    done = psql("-f", "-", text=docs_sql.script(page))
    reached = done.stdout.rpartition("@@ ")[2]
    assert done.returncode == 0, f"failed in {reached[:3000]}"


@pytest.mark.parametrize("page", SCHEDULING, ids=[page.name for page in SCHEDULING])
def test_page_with_jobs(page, server):
    with jobs.preloading(server.installation, "docs") as running:
        jobs.create(running, "shop")
        follow(page, lambda *options, text: running.psql("shop", *options, text=text))


def test_blocks_are_told_apart(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n```sql\nSELECT 1;\n```\n```sql no-run\nDROP DATABASE x;\n```\n```text\nSELECT 2;\n```\n```sql\nSELECT 3;\n```\n")
    assert [(block.line, block.text) for block in docs_sql.blocks(page)] == [(3, "SELECT 1;"), (12, "SELECT 3;")]
    assert "DROP" not in docs_sql.script(page)
