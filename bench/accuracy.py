"""What the what-if engine promises against indexes built for real: `make bench-accuracy [VERSION=15]`.

For each pair of a statement and one or more index definitions (bench/accuracy/pairs): the index is built, the statement planned, the index
dropped; then the index is only promised and the statement planned again. Compared are the plan, its cost and the size of
the index. Prints a Markdown section for docs/BENCHMARKS.md and ends with 1 when a target is missed.

    ONLY=shop make bench-accuracy    only pairs with that in their name
    ALL=1 make bench-accuracy        lists every pair, not only those that miss
    DRY=1 make bench-accuracy        builds both halves: what the comparison finds when there is nothing to find
"""

import os
import re
import statistics
import sys
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.accuracy import measure, pairs, report  # noqa: E402
from tools import extension, postgres  # noqa: E402
from tools.progress import Failed, phase, run_benchmark, say  # noqa: E402

# No autovacuum: it would change statistics between the two halves. The rest only makes loading and building faster.
SETTINGS = {"autovacuum": "off", "shared_buffers": "512MB", "max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": "0"}


def run(server, version: int, dry: bool, only: str) -> list[measure.Result]:
    wanted = re.compile(only)
    results = []
    with server.connect() as connection:
        available = {row[0] for row in connection.execute("SELECT name FROM pg_available_extensions").fetchall()}
    for schema in pairs.schemas():
        if not any(wanted.search(pair.name) for trial in schema.trials for pair in trial.pairs):
            continue
        missing = [name for name in schema.needs if name not in available]
        if missing:
            say(f"  -- {schema.name}: left out on {version}, which has no {', '.join(missing)}")
            continue
        with phase(f"{schema.name}: {sum(len(trial.pairs) for trial in schema.trials)} pairs"):
            results += measure.measure(server, schema, dry, wanted)
    return results


def section(results: list[measure.Result], version: str, major: int) -> tuple[str, bool]:
    """The Markdown, and whether all targets were met."""
    judged, sized = report.judge(results)
    found = report.targets(judged, sized)
    built = sum(result.real.seconds for result in results)
    promised = [result.promised.seconds * 1000 for result in results if result.promised.seconds]
    lines = [
        f"### {version}, {date.today().isoformat()}",
        "",
        f"{len(judged)} pairs, {len(sized)} definitions. To build all took {built:.0f} s; to promise one took {statistics.median(promised or [0]):.1f} ms "
        f"in the median, {max(promised or [0]):.0f} ms at most.",
        "",
        *report.verdict(found),
        "",
        *report.by_method(judged, sized),
        "",
        *report.by_variant(judged, sized),
        "",
        f"Misses: another plan, a cost wrong by more than {report.COST_MISS * 100:.0f} %, or a size wrong by more than "
        f"{report.SIZE_MISS['btree'] * 100:.0f} % (btree, hash, BRIN) or {report.SIZE_MISS_ELSE * 100:.0f} % (the others).",
        "",
        *report.misses(judged, sized, pairs.causes(), major),
    ]
    return "\n".join(lines), all(target.met for target in found)


def main(version: int) -> int:
    dry, only = bool(os.environ.get("DRY")), os.environ.get("ONLY", "")
    installation = postgres.installation(version)
    with postgres.ends_cleanly():
        if not dry:
            extension.install(installation)
        with postgres.Server(installation, f"accuracy-{version}", SETTINGS) as server:
            results = run(server, version, dry, only)
        if not results:
            raise Failed(f"no pair has {only!r} in its name")
        text, met = section(results, installation.version, version)
        say("\n" + text)
        if os.environ.get("ALL"):
            say("\n" + "\n".join(report.listing(results)))
    return 0 if met else 1


if __name__ == "__main__":
    run_benchmark(main)
