"""What-if calls a second, beside EXPLAIN over a connection: `make bench-whatif [VERSION=15]`.

For each of the 22 statements of TPC-H, with 0, 10 and 100 hypothetical indexes present: the median time of a what-if call
inside the server (analysis done once, as in a run), and of EXPLAIN from a client on the unix socket of the same server
with no hypothetical index, which is what a tool outside pays at least. Both are warmed up first and taken in turns, so
that a busy machine disturbs both. Prints a Markdown section for docs/BENCHMARKS.md.
"""

import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import extension, postgres, tpch  # noqa: E402
from tools.progress import Failed, phase, run_benchmark, say  # noqa: E402

SCALE = 0.01  # planning reads statistics, not rows
SIZES = (0, 10, 100)
ROUNDS = 200  # calls a median is taken of; the first tenth again as many to warm up
TURNS = 3


def inside(connection, size: int) -> tuple[list[float], float]:
    """Median milliseconds of a what-if call for each statement with `size` hypothetical indexes present, and how many of
    them were on the tables of the statement on average: only those can be of use to it, so only those are shown to the planner."""
    texts = [query.text for query in tpch.queries()]
    rows = connection.execute(
        "SELECT in_view, median_ms FROM index_advisor._bench_what_if(%s::text[], %s, %s) ORDER BY query", (texts, size, ROUNDS)
    ).fetchall()
    return [row[1] for row in rows], statistics.mean(row[0] for row in rows)


def from_client(connection, text: str) -> float:
    """Median milliseconds of EXPLAIN, by libpq itself: psycopg's own work would be counted against it."""
    command = b"EXPLAIN " + text.encode()
    times = []
    for i in range(ROUNDS + ROUNDS // 10):
        began = time.perf_counter()
        result = connection.pgconn.exec_(command)
        took = time.perf_counter() - began
        if result.error_message:
            raise Failed(result.error_message.decode())
        if i >= ROUNDS // 10:
            times.append(took * 1000)
    return statistics.median(times)


@dataclass
class Measured:
    """Milliseconds per statement: medians over the turns."""

    client: list[float]
    inside: dict[int, list[float]]  # by number of hypothetical indexes
    in_view: dict[int, float]


def measure(connection) -> Measured:
    client = []
    ours: dict[int, list[list[float]]] = {size: [] for size in SIZES}
    in_view = {}
    for _ in range(TURNS):
        client.append([from_client(connection, query.text) for query in tpch.queries()])
        for size in SIZES:
            times, in_view[size] = inside(connection, size)
            ours[size].append(times)
    return Measured(_medians(client), {size: _medians(turns) for size, turns in ours.items()}, in_view)


def _medians(turns: list[list[float]]) -> list[float]:
    return [statistics.median(of_one) for of_one in zip(*turns)]


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def table(found: Measured, version: str, cores: int) -> str:
    client = statistics.mean(found.client)
    lines = [
        f"### {version}, {date.today().isoformat()}, {processor()}, {cores} cores",
        "",
        f"TPC-H at scale {SCALE}, 22 statements, median of {ROUNDS} calls each in {TURNS} turns; milliseconds are the mean of the 22 medians.",
        "",
        "| hypothetical indexes | in view of a statement | what-if call | calls a second | EXPLAIN over a connection, none present | calls a second | ratio |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size in SIZES:
        ours = statistics.mean(found.inside[size])
        lines.append(
            f"| {size} | {found.in_view[size]:.1f} | {ours:.3f} ms | {1000 / ours:,.0f} | {client:.3f} ms | {1000 / client:,.0f} | {client / ours:.2f} |"
        )
    most = SIZES[-1]
    worst = max(range(len(found.client)), key=lambda i: found.inside[most][i])
    lines += ["", f"Slowest with {most}: Q{worst + 1}, {found.inside[most][worst]:.3f} ms; EXPLAIN of it {found.client[worst]:.3f} ms."]
    return "\n".join(lines)


def main(version: int) -> int:
    installation = postgres.installation(version)
    with postgres.ends_cleanly():
        extension.install(installation)
        settings = {"autovacuum": "off", "shared_buffers": "256MB"}
        with postgres.Server(installation, f"bench-{version}", settings) as server, server.connect() as connection:
            connection.execute("CREATE EXTENSION pg_index_advisor")
            with phase(f"loading TPC-H at scale {SCALE}"):
                tpch.load(connection, tpch.generate(SCALE))
            with phase("measuring"):
                found = measure(connection)
            say("\n" + table(found, installation.version, os.cpu_count() or 0))
    return 0


if __name__ == "__main__":
    run_benchmark(main)
