"""What-if calls a second, beside EXPLAIN over a connection: `make bench-whatif [VERSION=15]`.

For each of the 22 statements of TPC-H, with 0, 10 and 100 hypothetical indexes present: the median time of a what-if call
inside the server (analysis done once, as in a run), and of EXPLAIN from a client on the unix socket of the same server
with no hypothetical index, which is what a tool outside pays at least. Both are warmed up first and taken in turns, so
that a busy machine disturbs both. Prints a Markdown section for docs/BENCHMARKS.md.
"""

import platform
import statistics
import sys
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import extension, postgres, tpch  # noqa: E402
from tools.progress import Failed, phase, say  # noqa: E402

SCALE = 0.01  # planning reads statistics, not rows
SIZES = (0, 10, 100)
ROUNDS = 200  # calls a median is taken of; the first tenth again as many to warm up
TURNS = 3


def hypothetical_indexes(connection, number: int) -> list[str]:
    """`number` btree definitions spread over the tables by size: one key first, then two, in the columns' order."""
    tables: dict[str, list[str]] = {}
    rows = connection.execute(
        "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY relpages DESC, relname, attnum"
    )
    for table, column in rows:
        tables.setdefault(table, []).append(column)
    one = {t: [f"CREATE INDEX ON {t} ({c})" for c in cs] for t, cs in tables.items()}
    two = {t: [f"CREATE INDEX ON {t} ({a}, {b})" for a in cs for b in cs if a != b] for t, cs in tables.items()}
    found: list[str] = []
    for shape in (one, two):
        for position in range(max(len(v) for v in shape.values())):
            found += [v[position] for v in shape.values() if position < len(v)]
    return found[:number]


def inside(connection, text: str, indexes: list[str]) -> float:
    """Median milliseconds of a what-if call."""
    row = connection.execute("SELECT index_advisor._bench_what_if(%s, %s, %s)", (text, indexes, ROUNDS)).fetchone()
    return row[0]


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


def measure(connection) -> dict[int, list[float]]:
    """Medians per statement by number of hypothetical indexes; those of EXPLAIN under -1."""
    found: dict[int, list[float]] = {size: [] for size in (*SIZES, -1)}
    for query in tpch.queries():
        samples: dict[int, list[float]] = {size: [] for size in found}
        for _ in range(TURNS):
            samples[-1].append(from_client(connection, query.text))
            for size in SIZES:
                samples[size].append(inside(connection, query.text, hypothetical_indexes(connection, size)))
        for size, values in samples.items():
            found[size].append(statistics.median(values))
    return found


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def table(found: dict[int, list[float]], version: str, cores: int) -> str:
    client = statistics.mean(found[-1])
    lines = [
        f"### {version}, {date.today().isoformat()}, {processor()}, {cores} cores",
        "",
        f"TPC-H at scale {SCALE}, 22 statements, median of {ROUNDS} calls each, {TURNS} turns; milliseconds are the mean of the 22 medians.",
        "",
        "| hypothetical indexes | what-if call | calls a second | EXPLAIN over a connection, none present | calls a second | ratio |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size in SIZES:
        ours = statistics.mean(found[size])
        lines.append(f"| {size} | {ours:.3f} ms | {1000 / ours:,.0f} | {client:.3f} ms | {1000 / client:,.0f} | {client / ours:.2f} |")
    worst = max(range(22), key=lambda i: found[SIZES[-1]][i])
    lines += ["", f"Slowest statement with {SIZES[-1]}: Q{worst + 1}, {found[SIZES[-1]][worst]:.3f} ms; EXPLAIN of it {found[-1][worst]:.3f} ms."]
    return "\n".join(lines)


def main(version: int) -> int:
    import os

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
    try:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 18))
    except Failed as e:
        sys.exit(f"FAILED: {e}")
