"""`make demo`: a real workload on a private server, the advice, and whether it was right."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import extension, paths, postgres, tpch
from .progress import Failed, duration, phase, say, since_start, tail

# Two statements of TPC-H scan lineitem once per part while there is no index, so their time grows with the square of the
# scale. At 0.08 the whole workload takes about half a minute on two cores before the indexes exist.
SCALE = float(os.environ.get("SCALE", "0.08"))
PGBENCH_SCALE = 10
PGBENCH_SECONDS = 5
# Each TPC-H statement runs until it has had this many calls or this much time, whichever comes first.
CALLS = 10
ENOUGH_SECONDS = 2.0
STATEMENT_TIMEOUT = "90s"
NOT_WORTH_A_LINE_MS = 1.0  # pgbench's own look at its tables
DATABASE = "demo"
# Each answer is the best found in this time.
ADVICE_SECONDS = 10


@dataclass
class Line:
    """One statement of the workload, with its measured mean times and the advisor's estimate."""

    name: str
    calls: int
    before_ms: float
    expected_ms: float | None = None
    after_ms: float | None = None
    after_calls: int = 0


def announce() -> None:
    say(
        f"""pg_index_advisor: the demonstration

  1. fetches PostgreSQL 18 and tpchgen-cli into .build/ and installs what else is missing to build (named as it happens)
  2. builds the extension for that PostgreSQL, 2 to 6 minutes the first time
  3. starts a private server there: a unix socket only, nothing of yours is touched
  4. loads TPC-H at scale {SCALE} with primary keys only, runs its 22 statements and {PGBENCH_SECONDS} s of pgbench
  5. asks for advice, creates what it recommends, runs the same workload again, compares and verifies;
     leaves the reports as pages in .build/demo/
  6. stops the server and removes its data (KEEP=1 leaves it running)
"""
    )


def main() -> int:
    keep = os.environ.get("KEEP") == "1"
    with postgres.ends_cleanly():
        installation = postgres.installation(18)
        extension.install(installation)
        began = since_start()
        settings = {"shared_buffers": "512MB", "work_mem": "64MB", "autovacuum": "off", "pg_stat_statements.max": "1000"}
        with postgres.Server(installation, "demo", settings, keep=keep) as server:
            import psycopg  # only in the virtual environment

            try:
                _demonstrate(server)
            except psycopg.Error as e:
                raise Failed(f"{str(e).strip()}\nThe end of {server.log}:\n{tail(server.log, 12)}") from e
            say(f"\nThe demonstration took {duration(since_start() - began)} after building.")
            if keep:
                _say_how_to_go_on(server)
    return 0


def _demonstrate(server: postgres.Server) -> None:
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
    with server.connect(DATABASE) as connection:
        connection.execute((paths.DEMO / "setup.sql").read_text())
        names = _load(server, connection)
        _run_workload(server, connection, "running the workload without indexes")

        before = _measured(connection, names)
        connection.execute(f"SET pg_index_advisor.time_limit = '{ADVICE_SECONDS}s'")
        say(f"\n{'-' * 100}")
        with phase(f"asking for advice (at most about {ADVICE_SECONDS} s)"):
            advice = _run(connection)
        say()
        say(_report(connection, advice, "text"))
        say(f"{'-' * 100}\n")
        page = _save_page(connection, advice, "report")

        _expect(connection, advice, before)
        created = _create_recommended(connection)
        # The counters of the time with the indexes begin here, so that verify() has a clean window.
        _run(connection)
        _run_workload(server, connection, "running the same workload again")
        for query_id, line in _measured(connection, names).items():
            if query_id in before:
                before[query_id].after_ms = line.before_ms
                before[query_id].after_calls = line.calls
        _compare(list(before.values()), created)
        _verify(connection)
        afterwards = _save_page(connection, _run(connection), "afterwards")
        say(f"\nTo be opened in a browser:\n  the advice:        {page}\n  what came of it:   {afterwards}")


def _load(server: postgres.Server, connection) -> dict[int, str]:
    with phase(f"generating TPC-H at scale {SCALE}"):
        data = tpch.generate(SCALE)
    with phase("loading it"):
        rows = tpch.load(connection, data)
    with phase(f"loading pgbench at scale {PGBENCH_SCALE}"):
        _pgbench(server, "-i", "-q", "-s", str(PGBENCH_SCALE))
    say(f"     lineitem has {rows:,} rows; primary keys are the only indexes")
    return _names(connection)


def _names(connection) -> dict[int, str]:
    """Query identifier of each TPC-H statement, as the server computes it."""
    names = {}
    connection.execute("SET pg_stat_statements.track = 'none'")
    for query in tpch.queries():
        plan = connection.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) {query.text}").fetchone()[0]
        names[plan[0]["Query Identifier"]] = f"{query.name} {query.title}"
    connection.execute("RESET pg_stat_statements.track")
    return names


def _run_workload(server: postgres.Server, connection, title: str) -> None:
    connection.execute("SELECT pg_stat_statements_reset()")
    connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    with phase(f"{title}: the 22 statements of TPC-H"):
        for query in tpch.queries():
            began = time.monotonic()
            for _ in range(CALLS):
                connection.execute(query.text).fetchall()
                if time.monotonic() - began > ENOUGH_SECONDS:
                    break
    connection.execute("RESET statement_timeout")
    with phase(f"{title}: pgbench with two clients"):
        _pgbench(server, "-T", str(PGBENCH_SECONDS), "-c", "2", "-n")


def _pgbench(server: postgres.Server, *options: str) -> None:
    command = server.client("pgbench", DATABASE)
    done = subprocess.run([command[0], *options, *command[1:]], capture_output=True, text=True, cwd=paths.ROOT)
    if done.returncode != 0:
        raise Failed(f"pgbench {' '.join(options)}:\n{done.stderr}")


def _measured(connection, names: dict[int, str]) -> dict[int, Line]:
    rows = connection.execute(
        """SELECT queryid, query, sum(calls)::bigint, sum(total_exec_time) / sum(calls)
           FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid
           WHERE datname = current_database() AND query ~* '^(SELECT|UPDATE|INSERT|DELETE|WITH)'
             AND query !~ '(pg_stat_statements|index_advisor)'
           GROUP BY 1, 2 ORDER BY sum(total_exec_time) DESC"""
    )
    return {
        query_id: Line(names.get(query_id) or "pgbench: " + " ".join(text.split())[:34], calls, mean)
        for query_id, text, calls, mean in rows
    }


def _run(connection) -> int:
    """A run that is kept: its number."""
    return connection.execute("SELECT run FROM index_advisor.run()").fetchone()[0]


def _report(connection, run: int, form: str) -> str:
    return connection.execute("SELECT index_advisor.report(run => %s, format => %s)", (run, form)).fetchone()[0]


def _save_page(connection, run: int, name: str) -> Path:
    """The report of a run for a browser, which stays when the server goes."""
    place = paths.BUILD / "demo" / f"{name}.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(_report(connection, run, "html"), encoding="utf-8")
    return place


def _expect(connection, run: int, lines: dict[int, Line]) -> None:
    for statement in json.loads(_report(connection, run, "json"))["statements"]:
        query_id, outcome = statement["query_id"], statement["outcome"]
        if query_id in lines and outcome["status"] == "examined" and outcome["cost_before"]:
            lines[query_id].expected_ms = lines[query_id].before_ms * outcome["cost_after"] / outcome["cost_before"]


def _verify(connection) -> None:
    """The advisor's own verdicts, by what the server measured."""
    rows = connection.execute(
        "SELECT verdict, estimated_saving_percent, measured_saving_percent, ddl FROM index_advisor.verify() ORDER BY recommendation"
    ).fetchall()
    say("\nThe advisor's own verdicts (of the statements that each index was meant for; verify() explains them)\n")
    say(f"  {'verdict':<18} {'estimated':>10} {'measured':>10}  index")
    for verdict, estimated, measured, ddl in rows:
        shares = [None if share is None else share / 100 for share in (estimated, measured)]
        say(f"  {verdict:<18} {_percent(shares[0]):>10} {_percent(shares[1]):>10}  {ddl.partition(' ON ')[2][:74]}")


def _create_recommended(connection) -> int:
    commands = [
        row[0]
        for row in connection.execute("SELECT ddl FROM index_advisor.recommendations WHERE status = 'open' ORDER BY saving_percent DESC")
    ]
    with phase(f"creating the {len(commands)} recommended indexes"):
        for ddl in commands:
            connection.execute(ddl)
        # As after any new index: expression statistics and visibility for index-only scans.
        connection.execute("VACUUM ANALYZE " + ", ".join(tpch.TABLES))
    for ddl in commands:
        say(f"     {ddl}")
    say()
    return len(commands)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _compare(lines: list[Line], created: int) -> None:
    say(f"\nMeasured before and after {created} new indexes, beside the advisor's estimate (mean ms a call)\n")
    say(f"  {'statement':<44} {'calls':>6} {'before':>10} {'after':>10} {'estimated':>10} {'saved':>7} {'estimated':>10}")
    for line in lines:
        if line.before_ms * line.calls < NOT_WORTH_A_LINE_MS:
            continue
        saved = None if line.after_ms is None else 1 - line.after_ms / line.before_ms
        expected = None if line.expected_ms is None else 1 - line.expected_ms / line.before_ms
        say(
            f"  {line.name[:44]:<44} {line.calls:>6} {_ms(line.before_ms):>10} {_ms(line.after_ms):>10} "
            f"{_ms(line.expected_ms):>10} {_percent(saved):>7} {_percent(expected):>10}"
        )
    # The second run makes more calls of what became fast, so totals are those of the calls of the first.
    compared = [line for line in lines if line.after_ms is not None]
    before = sum(line.before_ms * line.calls for line in compared)
    after = sum(line.after_ms * line.calls for line in compared)
    expected = sum((line.before_ms if line.expected_ms is None else line.expected_ms) * line.calls for line in compared)
    say(f"\n  all the calls of the first run: {before / 1000:.1f} s before, {after / 1000:.1f} s after "
        f"({_percent(1 - after / before)} saved); estimated {expected / 1000:.1f} s ({_percent(1 - expected / before)})")  # fmt: skip


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.0f} %"


def _say_how_to_go_on(server: postgres.Server) -> None:
    psql = " ".join(server.client("psql", DATABASE))
    pid = server.process.pid
    say(f"\nThe server is still running (KEEP=1).\n  connect: {psql}\n"
        f"  stop:    kill -INT {pid} && while kill -0 {pid} 2>/dev/null; do sleep 0.2; done; "
        f"rm -rf {server.data} {server.socket}")  # fmt: skip
