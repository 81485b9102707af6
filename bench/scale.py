"""How a run grows with its workload: `make bench-scale [VERSION=15]`.

A made-up database (bench/scale/schema.py, a fixed seed) of 1,000 tables with 10,000 indexes, and the statements of an application on it
(bench/scale/workload.py), which are really run, so that pg_stat_statements has their calls and times. After the first 500, 1,000, 2,500
and 5,000 of them the advisor is asked as a user would ask. Prints a Markdown section for docs/BENCHMARKS.md.

    STATEMENTS=100,200 TABLES=50 INDEXES=500 make bench-scale    something smaller
"""

import json
import math
import os
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.scale import schema, workload  # noqa: E402
from tools import extension, postgres  # noqa: E402
from tools.progress import Failed, phase, say  # noqa: E402

STATEMENTS = [int(number) for number in os.environ.get("STATEMENTS", "500,1000,2500,5000").split(",")]
TABLES = int(os.environ.get("TABLES", "1000"))
INDEXES = int(os.environ.get("INDEXES", "10000"))
LOADERS = 2
LONGEST_MS = 3_000  # of one execution; one that is cut off is no statement of the workload
SETTINGS = {
    "autovacuum": "off", "shared_buffers": "2GB", "max_wal_size": "16GB", "wal_level": "minimal", "max_wal_senders": "0",
    "maintenance_work_mem": "256MB", "work_mem": "16MB", "jit": "off", "max_parallel_workers_per_gather": "0", "random_page_cost": "1.1",
    "pg_stat_statements.max": "20000", "max_locks_per_transaction": "512",
}  # fmt: skip
TARGET_SECONDS, TARGET_MEGABYTES = 60, 500


@dataclass
class Run:
    """One question to the advisor."""

    statements: int
    seconds: float
    megabytes: float
    megabytes_before: float  # of a backend that has done nothing yet
    report: dict

    def left_out(self) -> Counter:
        found = Counter()
        for statement in self.report["statements"]:
            outcome = statement["outcome"]
            if outcome["status"] != "examined":
                reason = outcome["reason"]
                found[reason if isinstance(reason, str) else next(iter(reason))] += 1
        return found


def load(server, tables: list[schema.Table]) -> None:
    known = {table.name for table in tables}

    def some(part: list[schema.Table]) -> None:
        with server.connect(autocommit=False) as connection:
            for table in part:
                for command in [table.create(), table.fill(), *table.indexes]:
                    connection.execute(command)
                connection.commit()
            connection.autocommit = True
            for table in part:
                connection.execute(f"VACUUM (ANALYZE) {table.name}")

    with ThreadPoolExecutor(LOADERS) as pool:
        # Whole modules, so that the halves are alike.
        list(pool.map(some, [[table for table in tables if table.module % LOADERS == part] for part in range(LOADERS)]))
    with server.connect() as connection:
        for table in tables:
            for command in schema.foreign_keys(table, known):
                connection.execute(command)


def execute(connection, statements: list[workload.Statement]) -> int:
    """Runs the statements as often as they say; returns how many took too long to count."""
    import psycopg

    cut_off = 0
    connection.execute(f"SET statement_timeout = {LONGEST_MS}")
    for statement in statements:
        try:
            for _ in range(statement.calls):
                connection.execute(statement.text)
        except psycopg.errors.QueryCanceled:
            cut_off += 1
    connection.execute("RESET statement_timeout")
    return cut_off


def memory(connection, what: str) -> float:
    status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(what))


def ask(server, count: int) -> Run:
    with server.connect() as connection:
        connection.execute("SET pg_index_advisor.max_statements = 100000")
        connection.execute("SET pg_index_advisor.cover = 100")
        before = memory(connection, "VmHWM")
        began = time.perf_counter()
        [[report]] = connection.execute("SELECT index_advisor.report('json', time_limit => '10 min')").fetchall()
        return Run(count, time.perf_counter() - began, memory(connection, "VmHWM"), before, json.loads(report))


def exponent(runs: list[Run]) -> float | None:
    """The power of the number of statements that the seconds grow with: the slope of the logarithms, least squares."""
    if len(runs) < 2:
        return None
    return statistics.linear_regression([math.log(run.statements) for run in runs], [math.log(run.seconds) for run in runs]).slope


def section(runs: list[Run], texts: list[workload.Statement]) -> list[str]:
    lines = []
    if (grows := exponent(runs)) is not None:
        lines += [f"Seconds grow with the number of statements to the power of {grows:.2f} (1 is linear).", ""]
    last = runs[-1]
    lines += [
        f"The last run took {last.seconds / TARGET_SECONDS:.2f} of {TARGET_SECONDS} seconds and {last.megabytes / TARGET_MEGABYTES:.2f} of {TARGET_MEGABYTES} MB.",
        "",
        "| statements | examined | left out | candidates | planner calls | a statement | seconds | ms a statement | peak MB | indexes advised | saving | gap to the bound | complete |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for run in runs:
        report, left = run.report, sum(run.left_out().values())
        examined = len(report["statements"]) - left
        certificate, calls = report["certificate"], report["search"]["planner_calls"]
        saving = 1 - certificate["total_after_ms"] / certificate["total_before_ms"]
        lines.append(
            f"| {run.statements} | {examined} | {left} | {report['candidates']} | {calls} | {calls / max(examined, 1):.1f} | {run.seconds:.1f} "
            f"| {1000 * run.seconds / run.statements:.1f} | {run.megabytes:.0f} | {len(report['recommendations'])} | {100 * saving:.1f} % "
            f"| {100 * certificate['gap']:.1f} % | {'yes' if report['search']['complete'] else 'no'} |"
        )
    names = list(last.report["phases_ms"])
    lines += ["", "Seconds by phase:", "", "| statements | " + " | ".join(name.replace("_", " ") for name in names) + " |", "| ---: |" + " ---: |" * len(names)]
    for run in runs:
        lines.append(f"| {run.statements} | " + " | ".join(f"{run.report['phases_ms'][name] / 1000:.2f}" for name in names) + " |")
    lines += ["", "Left out of the last run: " + (", ".join(f"{reason} {count}" for reason, count in last.left_out().most_common()) or "none") + "."]
    short = last.report["search"].get("cut_short", [])
    lines += [f"Planned with fewer calls, as each took long: {len(short)}.", f"A backend that has done nothing has {last.megabytes_before:.0f} MB."]
    kinds = Counter(text.kind for text in texts)
    lines += ["Kinds: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) + "."]
    return lines


def main(version: int) -> int:
    installation = postgres.installation(version)
    tables = schema.tables(TABLES, INDEXES)
    texts = workload.statements(tables, max(STATEMENTS))
    with postgres.ends_cleanly():
        extension.install(installation)
        with postgres.Server(installation, f"scale-{version}", SETTINGS) as server:
            with server.connect() as connection:
                connection.execute("CREATE EXTENSION pg_stat_statements")
                connection.execute("CREATE EXTENSION pg_index_advisor")
            with phase(f"loading {TABLES} tables with {INDEXES} indexes"):
                load(server, tables)
            runs, done, cut_off = [], 0, 0
            with server.connect() as application:
                application.execute("SELECT pg_stat_statements_reset()")
                for count in STATEMENTS:
                    with phase(f"running statements up to {count}"):
                        cut_off += execute(application, texts[done:count])
                        done = count
                    with phase(f"advising on {count}"):
                        runs.append(ask(server, count))
    rows = sum(table.rows for table in tables)
    title = f"### {installation.version}, {date.today().isoformat()}, {TABLES} tables, {INDEXES} indexes, {rows / 1e6:.1f} million rows, {os.cpu_count()} cores"
    say("\n" + "\n".join([title, "", *section(runs, texts), f"Cut off after {LONGEST_MS} ms and not counted: {cut_off}."]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 18))
    except Failed as e:
        sys.exit(f"FAILED: {e}")
