"""Every ```sql block of README.md and docs/*.md runs, in order, in a database with a small shop and its workload."""

import http.server
import json
import os
import queue
import re
import subprocess
import sys
import threading
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


def test_the_message_to_slack(empty_database):
    """The program on the page passes a run with news on, to a server of ours in Slack's place."""
    page = (HERE.parent.parent / "docs" / "SCHEDULING.md").read_text()
    program = re.search(r"```python\n(.*?)```", page, re.S).group(1)
    received: queue.Queue[dict] = queue.Queue()

    class Webhook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    setup = "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_index_advisor;\n" + (HERE / "schema.sql").read_text()
    workload = "SELECT pg_stat_statements_reset();\n" + (HERE / "workload.sql").read_text() * 3
    done = empty_database.psql("-q", "-v", "ON_ERROR_STOP=1", "-f", "-", text=setup + workload)
    assert done.returncode == 0, done.stdout
    with http.server.HTTPServer(("127.0.0.1", 0), Webhook) as webhook:
        threading.Thread(target=webhook.serve_forever, daemon=True).start()
        conninfo = empty_database.server.conninfo(empty_database.name)
        address = f"http://127.0.0.1:{webhook.server_port}/"
        environment = dict(os.environ, DATABASE=conninfo, SLACK_WEBHOOK=address, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
        listener = subprocess.Popen([sys.executable, "-c", program], env=environment)
        try:
            connection = empty_database.connect()
            listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN index_advisor'"
            jobs.until(lambda: connection.execute(listening).fetchone() == (1,), "the listener")
            new = connection.execute("SELECT new FROM index_advisor.run()").fetchone()[0]
            text = received.get(timeout=jobs.PATIENCE)["text"]
            assert f"Index advice for {empty_database.name}: {new} new, 0 withdrawn" in text and new > 0
        finally:
            listener.kill()
            listener.wait()
            webhook.shutdown()
