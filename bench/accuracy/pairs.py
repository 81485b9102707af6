"""What is compared: a `Trial` is one or more index definitions and the statements that are planned with them.

A schema is two files: schemas/NAME.sql makes and fills its tables, pairs/NAME.sql is read here:

    -- index: btree, expression             access method, variant
    CREATE INDEX ON customers (lower(email));
    -- pair: by_address                     with `; settings: parallel` or `default`, planned under SETTINGS[...]
    SELECT * FROM customers WHERE lower(email) = 'x';

Every statement ends with a semicolon at the end of a line. Statements of a trial share its definitions, which are built once.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tools.progress import Failed

HERE = Path(__file__).resolve().parent

USUAL = {
    "random_page_cost": "1.1",
    "effective_cache_size": "4GB",
    "work_mem": "64MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
# What most pairs are planned under, and what some are planned under instead.
SETTINGS = {
    "usual": USUAL,
    "default": {"jit": "off", "max_parallel_workers_per_gather": "0", "random_page_cost": "4"},
    "parallel": {**USUAL, "max_parallel_workers_per_gather": "2"},
}


@dataclass(frozen=True)
class Pair:
    """One statement, under the definitions of its trial."""

    name: str  # SCHEMA.NAME, unique
    text: str
    settings: str = "usual"


@dataclass
class Trial:
    method: str
    variant: str
    definitions: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


@dataclass(frozen=True)
class Schema:
    name: str
    trials: list[Trial]
    needs: list[str]  # extensions; the schema is left out where one is not available
    unanalysed: list[str]  # tables that go without column statistics

    @property
    def script(self) -> str:
        return (HERE / "schemas" / f"{self.name}.sql").read_text()


def schemas() -> list[Schema]:
    return [_read(file) for file in sorted((HERE / "pairs").glob("*.sql"))]


def _read(file: Path) -> Schema:
    trials: list[Trial] = []
    header: dict[str, str] | None = None  # of the pair being read; None while definitions are
    text = ""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        where = f"{file.name}:{number}"
        if line.startswith("-- index:"):
            method, _, variant = line.removeprefix("-- index:").partition(",")
            trials.append(Trial(method.strip(), variant.strip()))
            header = None
        elif line.startswith("-- pair:"):
            header = _fields(line.removeprefix("-- "), where)
        elif line.strip() and not line.startswith("--"):
            text = f"{text}\n{line}" if text else line
            if line.rstrip().endswith(";"):
                if not trials:
                    raise Failed(f"{where}: a statement before the first `-- index:`")
                statement = text.rstrip().removesuffix(";")
                if header is None:
                    trials[-1].definitions.append(statement)
                else:
                    name = f"{file.stem}.{header['pair']}"
                    trials[-1].pairs.append(Pair(name, statement, header.get("settings", "usual")))
                text = ""
    names = [pair.name for trial in trials for pair in trial.pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if text or twice or any(not trial.pairs or not trial.definitions for trial in trials):
        raise Failed(f"{file.name}: unfinished statement {text!r}, names used twice {twice}, or a trial without definition or pair")
    script = (HERE / "schemas" / file.name).read_text()
    needs = re.findall(r"^CREATE EXTENSION (\w+)", script, re.MULTILINE)
    unanalysed = re.findall(r"^-- never analysed: (\w+)", script, re.MULTILINE)
    return Schema(file.stem, trials, needs, unanalysed)


def _fields(text: str, where: str) -> dict[str, str]:
    found = {}
    for part in text.split(";"):
        key, colon, value = part.partition(":")
        if not colon or key.strip() not in ("pair", "settings"):
            raise Failed(f"{where}: {part.strip()!r} is not understood")
        found[key.strip()] = value.strip()
    if found.get("settings", "usual") not in SETTINGS:
        raise Failed(f"{where}: no settings {found['settings']!r}")
    return found


def causes() -> dict[str, str]:
    """Why a pair misses, by its name, as somebody found out: `NAME: cause` a line in causes.txt; `NAME (18): ` for one version."""
    found = {}
    for line in (HERE / "causes.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, cause = line.partition(": ")
            found[name.strip()] = cause.strip()
    return found
