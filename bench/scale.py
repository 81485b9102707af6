"""How a run grows with its workload: `make bench-scale [VERSION=15]`.

A made-up database (bench/scale/schema.py, a fixed seed) of 1,000 tables with 10,000 indexes, and the statements of an application on it
(bench/scale/workload.py), which are really run, so that pg_stat_statements has their calls and times. After the first 500, 1,000, 2,500
and 5,000 of them the advisor is asked as a user would ask: once with the limits as they are, where an index has to save 1 % of the time of
all and few do, and once for up to 200 indexes of any use, which is what makes the search work. Prints a Markdown section for
docs/BENCHMARKS.md.

    STATEMENTS=100,200 TABLES=50 INDEXES=500 make bench-scale    something smaller
"""

import json
import math
import os
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.scale import schema, workload  # noqa: E402
from tools import extension, postgres  # noqa: E402
from tools.process import megabytes, seconds_on_cpu  # noqa: E402
from tools.progress import phase, run_benchmark, say  # noqa: E402

STATEMENTS = [int(number) for number in os.environ.get("STATEMENTS", "500,1000,2500,5000").split(",")]
TABLES = int(os.environ.get("TABLES", "1000"))
INDEXES = int(os.environ.get("INDEXES", "10000"))
LOADERS = 2
LONGEST_MS = 3_000  # of one execution; one that is cut off is no statement of the workload
SETTINGS = {
    "autovacuum": "off", "shared_buffers": "128MB", "max_wal_size": "1GB", "wal_level": "minimal", "max_wal_senders": "0",
    "maintenance_work_mem": "256MB", "work_mem": "16MB", "jit": "off", "max_parallel_workers_per_gather": "0", "random_page_cost": "1.1",
    "pg_stat_statements.max": "20000", "max_locks_per_transaction": "512",
}  # fmt: skip
TARGET_SECONDS, TARGET_MEGABYTES = 60, 500


# What is asked for, beside no limit on statements and enough time.
QUESTIONS = {"default limits": "", "up to 200 indexes": ", max_indexes => 200, min_saving_percent => 0.02"}


class Memory(threading.Thread):
    """The most memory of its own that a process has: the kernel keeps the peak only with the shared buffers it touched."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid = pid
        self.most = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, megabytes(self.pid, "RssAnon"))

    def end(self) -> float:
        self.ended.set()
        self.join()
        return self.most


@dataclass
class Run:
    """One question to the advisor."""

    statements: int
    question: str
    seconds: float
    seconds_on_cpu: float
    own_megabytes: float
    megabytes: float  # with the shared buffers it touched
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


def ask(server, count: int, question: str) -> Run:
    with server.connect() as connection:
        connection.execute("SET pg_index_advisor.max_statements = 100000")
        connection.execute("SET pg_index_advisor.cover = 100")
        pid = connection.info.backend_pid
        watch = Memory(pid)
        watch.start()
        began = time.perf_counter()
        [[report]] = connection.execute(f"SELECT index_advisor.report('json', time_limit => '10 min'{QUESTIONS[question]})").fetchall()
        seconds = time.perf_counter() - began
        on_cpu = seconds_on_cpu(pid)
        return Run(count, question, seconds, on_cpu, watch.end(), megabytes(pid, "VmHWM"), json.loads(report))


def exponent(runs: list[Run]) -> float | None:
    """The power of the number of statements that the time on a processor grows with: the slope of the logarithms, least squares."""
    if len(runs) < 2:
        return None
    return statistics.linear_regression([math.log(run.statements) for run in runs], [math.log(run.seconds_on_cpu) for run in runs]).slope


def section(question: str, runs: list[Run]) -> list[str]:
    last = runs[-1]
    lines = [f"#### {question.capitalize()}", ""]
    lines.append(
        f"The last run took {last.seconds / TARGET_SECONDS:.2f} of {TARGET_SECONDS} seconds and {last.own_megabytes / TARGET_MEGABYTES:.2f} of "
        f"{TARGET_MEGABYTES} MB."
    )
    if (grows := exponent(runs)) is not None:
        lines.append(f"Time on a processor grows with the number of statements to the power of {grows:.2f} (1 is linear).")
    lines += [
        "",
        "| statements | examined | left out | candidates | planner calls | a statement | seconds | on a processor | ms a statement | own MB at most "
        "| with shared buffers | indexes advised | saving | gap to the bound | complete |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for run in runs:
        report, left = run.report, sum(run.left_out().values())
        examined = len(report["statements"]) - left
        certificate, calls = report["certificate"], report["search"]["planner_calls"]
        saving = 1 - certificate["total_after_ms"] / certificate["total_before_ms"]
        lines.append(
            f"| {run.statements} | {examined} | {left} | {report['candidates']} | {calls} | {calls / max(examined, 1):.1f} | {run.seconds:.1f} "
            f"| {run.seconds_on_cpu:.1f} | {1000 * run.seconds_on_cpu / run.statements:.1f} | {run.own_megabytes:.0f} | {run.megabytes:.0f} | {len(report['recommendations'])} | {100 * saving:.1f} % "
            f"| {100 * certificate['gap']:.1f} % | {'yes' if report['search']['complete'] else 'no'} |"
        )
    names = list(last.report["phases_ms"])
    lines += ["", "Seconds by phase:", "", "| statements | " + " | ".join(name.replace("_", " ") for name in names) + " |", "| ---: |" + " ---: |" * len(names)]
    for run in runs:
        lines.append(f"| {run.statements} | " + " | ".join(f"{run.report['phases_ms'][name] / 1000:.2f}" for name in names) + " |")
    lines += ["", "Left out of the last run: " + (", ".join(f"{reason} {count}" for reason, count in last.left_out().most_common()) or "none") + "."]
    short = last.report["search"].get("cut_short", [])
    lines += [f"Planned less often than wanted, as their plans take long: {len(short)}.", ""]
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
                    for question in QUESTIONS:
                        with phase(f"advising on {count}, {question}"):
                            runs.append(ask(server, count, question))
    rows = sum(table.rows for table in tables)
    title = f"### {installation.version}, {date.today().isoformat()}, {TABLES} tables, {INDEXES} indexes, {rows / 1e6:.1f} million rows, {os.cpu_count()} cores"
    kinds = ", ".join(f"{kind} {number}" for kind, number in Counter(text.kind for text in texts).most_common())
    lines = [title, "", f"Statements: {kinds}; cut off after {LONGEST_MS} ms and not counted: {cut_off}.", ""]
    for question in QUESTIONS:
        lines += section(question, [run for run in runs if run.question == question])
    say("\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    run_benchmark(main)
