"""Selection on TPC-H, promised and built: `make bench-selection [VERSION=15]`.

TPC-H at scale 1 with primary keys only, each statement counting with its planner cost, without 2, 17 and 20. For each storage budget
the advisor is asked, its indexes are really built, and the planner's cost and the bytes on disk are held against the promise and
against what ten peers reached on the same data: once with the settings as they come, and once with any slowdown accepted
(max_slowdown = -1), where the planner's cost decides alone, as it does for the peers. With RUN=1 the statements whose plans change are
also run, without and with the indexes in turn, on-CPU time of the backend: a machine's pace wavers more than most plans differ. Prints
a Markdown section for docs/BENCHMARKS.md.

    SCALE=0.1 BUDGETS=15,35 make bench-selection    something smaller
"""

import json
import os
import statistics
import sys
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import extension, postgres, tpch  # noqa: E402
from tools.process import megabytes as process_megabytes, seconds_on_cpu  # noqa: E402
from tools.progress import phase, run_benchmark, say  # noqa: E402

SCALE = float(os.environ.get("SCALE", "1"))
BUDGETS = [int(megabytes) for megabytes in os.environ.get("BUDGETS", "150,350,1050,1650").split(",")]
RUN = os.environ.get("RUN") == "1"
RUNS = 3 if RUN else 1  # of each statement; the median counts
SLOWDOWNS = [percent.strip() for percent in os.environ.get("SLOWDOWNS", "20,-1").split(",")]  # max_slowdown
MEGABYTE = 1_000_000
NOTHING = 0.01  # a plan that costs the same but for so much is the same
LEFT_OUT = ("Q2", "Q17", "Q20")  # they dominate by orders of magnitude where no index is there
SETTINGS = {
    "random_page_cost": "1.1", "effective_cache_size": "12GB", "work_mem": "64MB", "jit": "off", "max_parallel_workers_per_gather": "0",
    "shared_buffers": "4GB", "maintenance_work_mem": "512MB", "max_wal_size": "8GB", "autovacuum": "off", "max_parallel_maintenance_workers": "0",
}  # fmt: skip
# Cost after / before at bytes really used, the best of ten algorithms of Magic Mirror's framework and two tools on the same data.
PEERS = {150: (149, 0.658), 350: (347, 0.594), 1050: (1053, 0.551), 1650: (1621, 0.542)}


@dataclass
class Answer:
    """What was promised within one budget, and what came of it."""

    budget: int  # megabytes
    slowdown: str  # max_slowdown, per cent
    report: dict
    seconds: float
    peak_megabytes: float
    built_cost: dict[str, float]
    built_bytes: list[int]  # of each index
    in_memory: dict[str, float]  # what the plans with the built indexes take when all pages are in memory, planner units
    milliseconds: dict[str, tuple[float, float]]  # of the statements whose plans they change, without and with them

    @property
    def promised(self) -> float:
        return sum(statement["outcome"]["cost_after"] for statement in self.report["statements"])


def costs(connection, queries) -> dict[str, float]:
    found = {}
    for query in queries:
        [[[plan]]] = connection.execute("EXPLAIN (FORMAT JSON) " + query.text).fetchall()
        found[query.name] = plan["Plan"]["Total Cost"]
    return found


def in_memory(connection, queries) -> dict[str, float]:
    rows = connection.execute("SELECT in_memory FROM index_advisor._bench_costs(%s::text[])", ([query.text for query in queries],))
    return {query.name: cost for query, (cost,) in zip(queries, rows.fetchall(), strict=True)}


def on_cpu(server, query, runs: int) -> float:
    """Median milliseconds of the backend on a processor, in a session of its own: what another query left of memory that the C
    library keeps or gives back makes 13 take 1.4 times as long with the same plan."""
    with server.connect() as connection:
        pid = connection.info.backend_pid
        connection.execute(query.text).fetchall()  # catalogs and caches
        times = []
        for _ in range(runs):
            began = seconds_on_cpu(pid)
            connection.execute(query.text).fetchall()
            times.append(seconds_on_cpu(pid) - began)
        return statistics.median(times) * 1000


def in_turn(server, connection, queries, names: list[str]) -> dict[str, tuple[float, float]]:
    """Milliseconds of each query without the indexes and with them, in turn."""
    show = "UPDATE pg_index SET indisvalid = %s WHERE indexrelid = ANY (%s::text[]::regclass[])"
    found: dict[str, tuple[list[float], list[float]]] = {query.name: ([], []) for query in queries}
    for _, query, there in product(range(RUNS), queries, (False, True)):
        connection.execute(show, (there, names))
        found[query.name][there].append(on_cpu(server, query, 1))
    return {name: (statistics.median(without), statistics.median(with_them)) for name, (without, with_them) in found.items()}


def answer(server, connection, queries, before: dict[str, float], times: dict[str, float], megabytes: int, slowdown: str) -> Answer:
    texts = [query.text for query in queries]
    with server.connect() as session:
        session.execute("SELECT set_config('pg_index_advisor.max_slowdown', %s, false)", (slowdown,))
        session.execute("SET pg_index_advisor.cover = 100")
        milliseconds = [times[query.name] for query in queries]
        asked = (texts, megabytes * MEGABYTE, milliseconds)
        [[found]] = session.execute("SELECT index_advisor._bench_select(%s::text[], %s, %s::float8[])", asked).fetchall()
        peak = process_megabytes(session.info.backend_pid, "VmHWM")
    report = json.loads(found) if isinstance(found, str) else found
    # The planner's time is a part of the selection's. What the costs take that the benchmark weights its queries by is not the advisor's.
    seconds = sum(ms for phase, ms in report["phases_ms"].items() if phase != "planner") / 1000
    for position, advice in enumerate(report["recommendations"]):
        connection.execute(advice["ddl"].replace("CREATE INDEX CONCURRENTLY ON", f"CREATE INDEX advised_{position} ON"))
    names = [f"advised_{position}" for position in range(len(report["recommendations"]))]
    sizes = [size for (size,) in connection.execute("SELECT pg_relation_size(n::regclass) FROM unnest(%s::text[]) n", (names,)).fetchall()]
    built = costs(connection, queries)
    second = in_memory(connection, queries)
    changed = [query for query in queries if abs(built[query.name] / before[query.name] - 1) > NOTHING]
    run = in_turn(server, connection, changed, names) if RUN else {}
    for name in names:
        connection.execute(f"DROP INDEX {name}")
    return Answer(megabytes, slowdown, report, seconds, peak, built, sizes, second, run)


def allowed(found: Answer) -> str:
    return "any" if float(found.slowdown) < 0 else f"{found.slowdown} %"


def off_by(found: Answer, predicted: dict[str, float], before: dict[str, float]) -> list[float]:
    """For each statement that was run: the factor between the predicted change of its time and the measured one."""
    factors = []
    for name, (without, with_them) in found.milliseconds.items():
        if without > 0 and with_them > 0:
            error = (predicted[name] / before[name]) / (with_them / without)
            factors.append(max(error, 1 / error))
    return factors


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def table(answers: list[Answer], before: dict[str, float], memory: dict[str, float], times: dict[str, float]) -> list[str]:
    whole = sum(before.values())
    lines = [
        "| budget, MB | slowdown allowed | indexes | really used, MB | promised after / before | built after / before | best peer (MB used) | gap to the bound | planner calls | exact, graph, bound hits | seconds | peak MB |",
        "| ---: | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for found in answers:
        search = found.report["search"]
        certificate = found.report.get("certificate")
        gap = f"{100 * certificate['gap']:.2f} %" if certificate else ""
        peer = PEERS.get(found.budget)
        best = f"{peer[1]:.3f} ({peer[0]})" if peer and SCALE == 1 else ""
        lines.append(
            f"| {found.budget} | {allowed(found)} | {len(found.report['recommendations'])} | {sum(found.built_bytes) / MEGABYTE:.1f} | {found.promised / whole:.4f} "
            f"| {sum(found.built_cost.values()) / whole:.4f} | {best} | {gap} | {search['planner_calls']} "
            f"| {search['exact_hits']}, {search['graph_hits']}, {search['bound_hits']} | {found.seconds:.1f} | {found.peak_megabytes:.0f} |"
        )
    for found in answers:
        if found.milliseconds:
            unchanged = sum(ms for name, ms in times.items() if name not in found.milliseconds)
            without, with_them = (unchanged + sum(ms) for ms in zip(*found.milliseconds.values(), strict=True))
            ratio = with_them / without
            slower = [
                f"{name} {after / first:.2f} (predicted {found.in_memory[name] / memory[name]:.2f})"
                for name, (first, after) in found.milliseconds.items()
                if after > 1.2 * first and after > 50
            ]
            lines += ["", f"Run with {found.budget} MB, slowdown {allowed(found)}: {ratio:.3f} of the time on a processor; more than 20 % slower: {', '.join(slower) or 'none'}."]
    planner, second = [], []
    for found in answers:
        planner += off_by(found, found.built_cost, before)
        second += off_by(found, found.in_memory, memory)
    if planner:
        share = [f"{quantile(factors, 0.5):.2f} / {quantile(factors, 0.8):.2f}" for factors in (planner, second)]
        lines += [
            "",
            f"Of {len(planner)} changed plans, the change of the time was off from the change of the planner's cost by a factor of {share[0]} (median / 80th percentile), "
            f"and from the cost in memory by {share[1]}.",
        ]
    for found in answers:
        indexes = zip(found.report["recommendations"], found.built_bytes, strict=True)
        lines += ["", f"{found.budget} MB, slowdown {allowed(found)}, with the size promised and built:", ""]
        lines += [f"- `{advice['ddl']}`, {advice['size_bytes'] / MEGABYTE:.1f} / {size / MEGABYTE:.1f} MB" for advice, size in indexes]
    return lines


def main(version: int) -> int:
    installation = postgres.installation(version)
    with postgres.ends_cleanly():
        extension.install(installation)
        with postgres.Server(installation, f"selection-{version}", SETTINGS) as server, server.connect() as connection:
            connection.execute("CREATE EXTENSION pg_index_advisor")
            with phase(f"loading TPC-H at scale {SCALE}"):
                tpch.load(connection, tpch.generate(SCALE))
            queries = [query for query in tpch.queries() if query.name not in LEFT_OUT]
            before = costs(connection, queries)
            memory = in_memory(connection, queries)
            times = {query.name: on_cpu(server, query, RUNS) for query in queries}
            answers = []
            for slowdown in SLOWDOWNS:
                for megabytes in BUDGETS:
                    with phase(f"within {megabytes} MB, slowdown of {slowdown} %"):
                        answers.append(answer(server, connection, queries, before, times, megabytes, slowdown))
    title = f"### {installation.version}, {date.today().isoformat()}, TPC-H at scale {SCALE}, {len(queries)} statements, {os.cpu_count()} cores"
    say("\n" + "\n".join([title, "", *table(answers, before, memory, times)]))
    return 0


if __name__ == "__main__":
    run_benchmark(main)
