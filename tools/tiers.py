"""`make test`: the tiers of tests one after another, a line each, and the count of all of them at the end."""

import re
import sys
import xml.etree.ElementTree as xml
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import extension, in_server, packages, paths, postgres
from .progress import Failed, duration, fresh_log, phase, run, run_side_by_side, say, since_start, tail

VERSIONS = (15, 18)
# The pure tests run once: nothing in them depends on the server's version.
PURE = 18


@dataclass
class Count:
    passed: int = 0
    failed: int = 0

    def __iadd__(self, other: "Count") -> "Count":
        self.passed += other.passed
        self.failed += other.failed
        return self


def main(fast: bool = False) -> int:
    total = Count()
    with postgres.ends_cleanly():
        for title, tier in _fast_tiers() if fast else _all_tiers():
            total += _run_tier(title, tier)
    say(f"\n{duration(since_start())}, logs in {paths.LOG}")
    say(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


def _fast_tiers():
    return [("rustfmt", _format), ("pure tests", _pure)]


def _all_tiers():
    tiers = [("rustfmt", _format)]
    tiers += [(f"clippy, PostgreSQL {major}", lambda log, major=major: _clippy(log, major)) for major in VERSIONS]
    tiers.append(("pure tests", _pure))
    for major in VERSIONS:
        tiers.append((f"tests in the server, PostgreSQL {major}", lambda log, major=major: _in_server(log, major)))
        tiers.append((f"release build, PostgreSQL {major}", lambda log, major=major: _build(log, major)))
    for title, folder in (("SQL with expected output", "pg_regress"), ("end to end", "e2e"), ("upgrades", "upgrade"), ("the documentation's SQL", "docs")):
        tiers.append((f"{title}, PostgreSQL 15 and 18", lambda log, folder=folder: _pytest(log, folder)))
    return tiers


def _run_tier(title: str, tier: Callable[[Path], Count]) -> Count:
    log = fresh_log("test-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
    count = Count()
    problem = ""
    with phase(title, log):
        try:
            count = tier(log)
        except Failed as e:
            count, problem = Count(0, 1), str(e)
        if not count.passed and not count.failed:
            count, problem = Count(0, 1), "no test was run"
    if count.failed:
        say(f"     {count.failed} FAILED, {count.passed} passed. {problem}")
        if not problem:
            say(tail(log, 60))
    else:
        say(f"     {count.passed} passed")
    return count


def _cargo(log: Path, *words: str, major: int) -> int:
    installation = postgres.installation(major)
    return run(["cargo", *words], log, env=packages.cargo_environment(installation.pg_config), check=False)


def _one(code: int) -> Count:
    return Count(1, 0) if code == 0 else Count(0, 1)


def _format(log: Path) -> Count:
    return _one(run(["cargo", "fmt", "--check"], log, check=False))


def _features(major: int, *more: str) -> list[str]:
    return ["--locked", "--no-default-features", "--features", " ".join([f"pg{major}", *more])]


def _clippy(log: Path, major: int) -> Count:
    return _one(_cargo(log, "clippy", "--all-targets", *_features(major, "pg_test"), "--", "-D", "warnings", major=major))


def _pure(log: Path) -> Count:
    code = _cargo(log, "test", *_features(PURE), major=PURE)
    count = Count()
    for passed, failed in re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", log.read_text(errors="replace"), re.M):
        count += Count(int(passed), int(failed))
    if code != 0 and not count.failed:
        count.failed = 1  # it did not build, or a test ended the process
    return count


def _in_server(log: Path, major: int) -> Count:
    return Count(*in_server.run(postgres.installation(major), log))


def _build(_log: Path, major: int) -> Count:
    extension.build(postgres.installation(major))
    return Count(1, 0)


def _pytest(log: Path, folder: str) -> Count:
    """The versions side by side: their servers are apart, and most of the time is waiting or one process's work."""
    results, logs = {}, {}
    for major in VERSIONS:
        results[major] = paths.BUILD / f"{folder}-{major}.xml"
        results[major].unlink(missing_ok=True)
        logs[major] = log if major == VERSIONS[0] else fresh_log(f"{log.stem}-{major}")
    codes = run_side_by_side([
        ([sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={results[major]}", f"--pg={major}",
          f"tests/{folder}"], logs[major])
        for major in VERSIONS
    ])  # fmt: skip
    total = Count()
    for major, code in zip(VERSIONS, codes):
        count = Count()
        if results[major].exists():
            for suite in xml.parse(results[major]).getroot().iter("testsuite"):
                of = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
                bad = of["failures"] + of["errors"]
                count += Count(max(0, of["tests"] - bad - of["skipped"]), bad)
        if code != 0 and not count.failed:
            count.failed = 1
        total += count
        if logs[major] != log:
            with open(log, "a") as whole:
                whole.write(logs[major].read_text(errors="replace"))
            logs[major].unlink()
    return total
