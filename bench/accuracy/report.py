"""What came of all trials, as Markdown, and whether the targets were met. Errors are relative to what was built."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from . import plans
from .measure import Result
from .pairs import Pair, Trial
from .plans import Plan

ORDER = ("btree", "hash", "brin", "gin", "gist", "spgist", "bloom", "hnsw", "ivfflat")
# From when on an error of a single pair or definition is listed.
COST_MISS = 0.10
SIZE_MISS = {"btree": 0.10, "hash": 0.10, "brin": 0.10}
SIZE_MISS_ELSE = 0.25


@dataclass(frozen=True)
class Judged:
    """One pair with its verdict."""

    trial: Trial
    pair: Pair
    used: bool  # by either plan: only then costs are compared
    difference: str  # empty for the same plan
    refused: str  # the error that came instead of a plan
    cost_error: float | None
    lines: tuple[str, str]
    costs: tuple[float, float]
    rows: tuple[float, float]  # expected of the first index of the trial


@dataclass(frozen=True)
class Sized:
    trial: Trial
    number: int
    built: int
    promised: int | None

    @property
    def error(self) -> float | None:
        return None if self.promised is None else self.promised / self.built - 1

    @property
    def name(self) -> str:
        """What its cause goes by in causes.txt."""
        return f"size {self.trial.pairs[0].name} #{self.number}"


def judge(results: list[Result]) -> tuple[list[Judged], list[Sized]]:
    judged, sized = [], []
    for result in results:
        for pair in result.trial.pairs:
            real = result.real.plans[pair.name]
            promised = result.promised.plans.get(pair.name)
            if promised is None:
                refused = result.promised.refused[pair.name]
                judged.append(Judged(result.trial, pair, real.uses(), "refused", refused, None, (real.line, ""), (real.cost, math.nan), NO_ROWS))
                continue
            error = abs(promised.cost / real.cost - 1) if real.cost else float(promised.cost > 0)
            used = real.uses() or promised.uses()
            judged.append(
                Judged(result.trial, pair, used, plans.difference(real, promised), "", error if used else None,
                       (real.line, promised.line), (real.cost, promised.cost), _rows(real, promised))
            )  # fmt: skip
        for number, (built, promised) in enumerate(zip(result.real.sizes, result.promised.sizes), 1):
            sized.append(Sized(result.trial, number, built, promised))
    return judged, sized


NO_ROWS = (0.0, 0.0)


def _rows(real: Plan, promised: Plan) -> tuple[float, float]:
    name = next((name for name in real.indexes if name.startswith("#")), "#1")
    return real.indexes.get(name, 0.0), promised.indexes.get(name, 0.0)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def per_cent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.2f} %" if value < 0.1 else f"{value * 100:.1f} %"


def _three(values: list[float]) -> str:
    if not values:
        return "| | |"
    return " | ".join(per_cent(value) for value in (statistics.median(values), percentile(values, 0.95), max(values)))


def _row(label: str, judged: list[Judged], sized: list[Sized]) -> str:
    same = sum(not one.difference for one in judged)
    used = sum(one.used for one in judged)
    costs = [one.cost_error for one in judged if one.cost_error is not None]
    sizes = [abs(one.error) for one in sized if one.error is not None]
    return (
        f"| {label} | {len(judged)} | {used} | {per_cent(same / len(judged))} | {_three(costs)} | {len(sized)} | {_three(sizes)} |"
    )


HEADER = (
    "| index | pairs | it is used in | same plan | cost: median | 95th percentile | worst | definitions | size: median | 95th percentile | worst |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def _methods(judged: list[Judged]) -> list[str]:
    found = {one.trial.method for one in judged}
    return [method for method in ORDER if method in found] + sorted(found - set(ORDER))


def by_method(judged: list[Judged], sized: list[Sized]) -> list[str]:
    rows = [*HEADER]
    for method in _methods(judged):
        rows.append(_row(method, [one for one in judged if one.trial.method == method], [one for one in sized if one.trial.method == method]))
    return [*rows, _row("all", judged, sized)]


def by_variant(judged: list[Judged], sized: list[Sized]) -> list[str]:
    rows = [*HEADER]
    for method in _methods(judged):
        for variant in sorted({one.trial.variant for one in judged if one.trial.method == method}):
            chosen = [one for one in judged if (one.trial.method, one.trial.variant) == (method, variant)]
            rows.append(_row(f"{method}, {variant}", chosen, [one for one in sized if (one.trial.method, one.trial.variant) == (method, variant)]))
    return rows


@dataclass(frozen=True)
class Target:
    what: str
    found: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def targets(judged: list[Judged], sized: list[Sized]) -> list[Target]:
    """Those of the issue that asked for the engine; a refused definition counts as wrong by 100 %."""
    found = [Target("pairs with the same plan", sum(not one.difference for one in judged) / len(judged), 0.98, True)]
    btree = [1.0 if one.cost_error is None else one.cost_error for one in judged if one.trial.method == "btree" and one.used]
    if btree:
        found.append(Target("btree, cost, median", statistics.median(btree), 0.01))
        found.append(Target("btree, cost, 95th percentile", percentile(btree, 0.95), 0.10))
    for method, share, limit in (
        ("btree", 0.5, 0.03), ("btree", 0.95, 0.10), ("gin", 0.5, 0.25), ("gist", 0.5, 0.25), ("spgist", 0.5, 0.25),
        ("hash", 0.95, 0.10), ("brin", 0.95, 0.10),
    ):  # fmt: skip
        sizes = [1.0 if one.error is None else abs(one.error) for one in sized if one.trial.method == method]
        if sizes:
            name = "median" if share == 0.5 else f"{share * 100:.0f}th percentile"
            value = statistics.median(sizes) if share == 0.5 else percentile(sizes, share)
            found.append(Target(f"{method}, size, {name}", value, limit))
    return found


def verdict(found: list[Target]) -> list[str]:
    rows = ["| target | wanted | found | |", "| --- | ---: | ---: | --- |"]
    for target in found:
        wanted = f"{'at least' if target.at_least else 'at most'} {target.limit * 100:.0f} %"
        rows.append(f"| {target.what} | {wanted} | {per_cent(target.found)} | {'met' if target.met else '**missed**'} |")
    return rows


def misses(judged: Iterable[Judged], sized: Iterable[Sized], causes: dict[str, str], version: int) -> list[str]:
    """Every pair with another plan or a cost out of bounds and every size out of bounds, with its cause."""

    def cause(name: str) -> str:
        return causes.get(f"{name} ({version})") or causes.get(name) or "unexplained"

    rows = []
    judged = list(judged)
    for refused in sorted({one.refused for one in judged if one.refused}):
        names = [one.pair.name for one in judged if one.refused == refused]
        rows.append(f"- refused, {len(names)} pairs, `{refused}`: {', '.join(names)}")
    for one in judged:
        if one.refused:
            continue
        if one.difference:
            rows.append(f"- `{one.pair.name}` ({one.trial.method}, {one.trial.variant}): another plan. {cause(one.pair.name)}")
            rows.append(f"  built {one.costs[0]:.2f}: `{one.lines[0]}`")
            rows.append(f"  promised {one.costs[1]:.2f}: `{one.lines[1]}`")
            if one.lines[0] == one.lines[1]:
                rows.append(f"  {one.difference}")
        elif one.cost_error is not None and one.cost_error > COST_MISS:
            rows.append(
                f"- `{one.pair.name}` ({one.trial.method}, {one.trial.variant}): same plan, cost {one.costs[0]:.2f} built, "
                f"{one.costs[1]:.2f} promised, {one.rows[0]:.0f} and {one.rows[1]:.0f} rows. {cause(one.pair.name)}"
            )
    for one in sized:
        if one.error is not None and abs(one.error) > SIZE_MISS.get(one.trial.method, SIZE_MISS_ELSE):
            rows.append(
                f"- `{one.name}` ({one.trial.method}, {one.trial.variant}): {one.built / 1024:,.0f} kB built, "
                f"{one.promised / 1024:,.0f} kB promised, {one.error * 100:+.1f} %. {cause(one.name)}  \n  `{one.trial.definitions[one.number - 1]}`"
            )
    return rows or ["None."]


def listing(results: list[Result]) -> list[str]:
    """Every pair in a line: what was built, and whether that changed the plan."""
    rows = []
    for result in results:
        for pair in result.trial.pairs:
            real, without = result.real.plans[pair.name], result.without[pair.name]
            use = "used" if real.uses() else "not used"
            rows.append(f"{pair.name} ({result.trial.method}, {result.trial.variant}): {use}, cost {without.cost:.2f} -> {real.cost:.2f}: {real.line}")
    return rows
