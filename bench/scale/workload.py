"""The statements of an application on the tables of `schema`: distinct, with skewed numbers of calls. Everything follows from one seed.

Point look-ups, ranges, lists ordered and cut off, joins of two to six tables, aggregates, a share of writes, and now and then a report over
sixteen relations.
"""

import random
import re
from dataclasses import dataclass

from .schema import REFERENCES, SEED, STATES, Column, Table

# Shares of the kinds of statement, in per cent; one in a hundred is a report with fifteen joins.
KINDS = {"point": 22, "range": 12, "list": 14, "join": 24, "aggregate": 12, "insert": 6, "update": 6, "delete": 3, "report": 1}
MOST_CALLS = 100  # of the most frequent; the others follow Zipf's law
ZIPF = 0.7
WIDE = 16  # relations of a report


@dataclass(frozen=True)
class Statement:
    text: str
    kind: str
    calls: int


class Generator:
    """Draws statements. Most go to few of the modules, as the use of an application does."""

    def __init__(self, tables: list[Table]):
        self.draws = random.Random(SEED)
        self.modules: dict[int, dict[str, Table]] = {}
        for table in tables:
            self.modules.setdefault(table.module, {})[table.shape] = table
        order = list(self.modules)
        self.draws.shuffle(order)
        self.order = order
        self.weights = [1.0 / (rank + 10) for rank in range(len(order))]

    def statement(self, at: int) -> tuple[str, str]:
        """(kind, text). Every fifth goes to the modules in turn, so that no table is without statements for long."""
        draws = self.draws
        module = self.order[at // 5 % len(self.order)] if at % 5 == 0 else draws.choices(self.order, self.weights)[0]
        found = self.modules[module]
        [kind] = draws.choices(list(KINDS), list(KINDS.values()))
        table = draws.choice(list(found.values()))
        return kind, getattr(self, f"make_{kind}")(table, found)

    # Conditions.

    def equal(self, column: Column, name: str) -> str:
        draws = self.draws
        if column.name == "state":
            return f"{name} = '{draws.choice(STATES)}'"
        if column.name == "email":
            return draws.choice([f"{name} = 'user{draws.randrange(500)}@example.org'", f"lower({name}) = 'user{draws.randrange(500)}@example.org'"])
        if column.name == "code":
            return f"{name} = 'XX{draws.randrange(10**9):09}'"
        if column.kind == "flag":
            return draws.choice([name, f"NOT {name}"])
        if draws.random() < 0.15:
            return f"{name} IN ({', '.join(str(1 + draws.randrange(column.distinct)) for _ in range(draws.randrange(2, 6)))})"
        return f"{name} = {1 + draws.randrange(column.distinct)}"

    def between(self, column: Column, name: str, share: float) -> str:
        draws = self.draws
        if column.type == "timestamp":
            begin = draws.randrange(int(60_000_000 * (1 - share)))
            low = f"timestamp '2024-01-01' + interval '{begin} seconds'"
            if draws.random() < 0.4:
                return f"{name} >= timestamp '2025-11-26' - interval '{int(60_000_000 * share)} seconds'"
            return f"{name} BETWEEN {low} AND {low} + interval '{int(60_000_000 * share)} seconds'"
        begin = draws.randrange(int(10_000 * (1 - share)))
        return f"{name} BETWEEN {begin} AND {begin + int(10_000 * share)}"

    def conditions(self, table: Table, alias: str, count: int) -> list[str]:
        found = self.draws.sample(table.of_kind("reference", "equal", "text", "flag"), count)
        prefix = f"{alias}." if alias else ""
        return [self.equal(column, prefix + column.name) for column in found]

    def output(self, table: Table, alias: str = "") -> str:
        prefix = f"{alias}." if alias else ""
        if self.draws.random() < 0.2 and not alias:
            return "*"
        return ", ".join(prefix + column.name for column in self.draws.sample(table.columns, self.draws.randrange(1, 5)))

    # Statements.

    def make_point(self, table: Table, _: dict) -> str:
        conditions = self.conditions(table, "", self.draws.randrange(1, 4))
        return f"SELECT {self.output(table)} FROM {table.name} WHERE {' AND '.join(conditions)}"

    def make_range(self, table: Table, _: dict) -> str:
        column = self.draws.choice(table.of_kind("range"))
        conditions = [*self.conditions(table, "", self.draws.randrange(0, 3)), self.between(column, column.name, 0.01)]
        return f"SELECT {self.output(table)} FROM {table.name} WHERE {' AND '.join(conditions)}"

    def make_list(self, table: Table, _: dict) -> str:
        column = self.draws.choice([*table.of_kind("range"), *table.of_kind("key")])
        conditions = self.conditions(table, "", self.draws.randrange(1, 3))
        way = self.draws.choice(["", " DESC"])
        return (
            f"SELECT {self.output(table)} FROM {table.name} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {column.name}{way} LIMIT {self.draws.choice([1, 10, 20, 50])}"
        )

    def chain(self, found: dict[str, Table], start: Table, size: int, again: bool) -> list[tuple[str, Table, str]]:
        """Relations joined along foreign keys from `start`: (alias, table, join condition)."""
        draws = self.draws
        joined = [("t0", start, "")]
        tries = 0
        while len(joined) < size and tries < 200:
            tries += 1
            alias, table, _ = draws.choice(joined)
            new = f"t{len(joined)}"
            steps = [(other, f"{new}.id = {alias}.{column}") for column, other in REFERENCES.get(table.shape, {}).items()]
            if len(joined) < 7:  # more tables that refer to one would multiply the rows
                for shape, columns in REFERENCES.items():
                    steps += [(shape, f"{new}.{column} = {alias}.id") for column, other in columns.items() if other == table.shape]
            # The same table by the same column a second time would be the same row again.
            steps = [(shape, on) for shape, on in steps if shape in found and all(self.follows(on, new) != self.follows(o, a) for a, _, o in joined if o)]
            steps = [(shape, on) for shape, on in steps if again or all(t.shape != shape for _, t, _ in joined)]
            if steps:
                shape, on = draws.choice(steps)
                joined.append((new, found[shape], on))
        return joined

    @staticmethod
    def follows(on: str, new: str) -> str:
        """A join condition without the alias that it brings in."""
        return on.replace(f"{new}.", "")

    def joined(self, chain: list[tuple[str, Table, str]]) -> str:
        return " ".join(f"JOIN {table.name} {alias} ON {on}" if on else f"{table.name} {alias}" for alias, table, on in chain)

    def make_join(self, table: Table, found: dict[str, Table]) -> str:
        chain = self.chain(found, table, self.draws.choice([2, 2, 2, 3, 3, 4, 5, 6]), again=False)
        conditions = []
        for alias, member, _ in chain:
            if alias == "t0" or self.draws.random() < 0.3:
                conditions += self.conditions(member, alias, 1)
        if self.draws.random() < 0.5:
            column = self.draws.choice(table.of_kind("range"))
            conditions.append(self.between(column, f"t0.{column.name}", 0.02))
        outputs = ", ".join(self.output(member, alias) for alias, member, _ in chain[:3])
        tail = f" ORDER BY t0.{self.draws.choice(table.of_kind('range')).name} DESC LIMIT 20" if self.draws.random() < 0.4 else ""
        return f"SELECT {outputs} FROM {self.joined(chain)} WHERE {' AND '.join(conditions)}{tail}"

    def make_aggregate(self, table: Table, found: dict[str, Table]) -> str:
        chain = self.chain(found, table, self.draws.choice([1, 1, 2, 3]), again=False)
        column = self.draws.choice(table.of_kind("range"))
        conditions = [self.between(column, f"t0.{column.name}", self.draws.choice([0.02, 0.1])), *self.conditions(table, "t0", self.draws.randrange(0, 2))]
        by = self.draws.choice(table.of_kind("equal", "text")).name
        return (
            f"SELECT t0.{by}, count(*), sum(t0.amount), max(t0.changed_at) FROM {self.joined(chain)} "
            f"WHERE {' AND '.join(conditions)} GROUP BY t0.{by}"
        )

    def make_insert(self, table: Table, _: dict) -> str:
        chosen = self.draws.sample([column for column in table.columns if column.kind not in ("key", "reference")], self.draws.randrange(2, 6))
        values = ", ".join(self.literal(column) for column in chosen)
        names = ", ".join(column.name for column in chosen)
        return f"INSERT INTO {table.name} (id, {names}) VALUES ({10_000_001 + self.draws.randrange(10**9)}, {values}) ON CONFLICT DO NOTHING"

    def literal(self, column: Column) -> str:
        if column.type == "timestamp":
            return "timestamp '2025-11-01'"
        if column.type in ("text", "jsonb"):
            return "'{}'" if column.type == "jsonb" else f"'{self.draws.choice(STATES)}'"
        return "true" if column.kind == "flag" else str(1 + self.draws.randrange(10))

    def make_update(self, table: Table, _: dict) -> str:
        changed = self.draws.choice(["state = 'open'", "changed_at = timestamp '2025-06-01'", "amount = amount + 1", "note = 'changed'", "active = true"])
        where = self.draws.choice([f"id = {1 + self.draws.randrange(table.rows)}", " AND ".join([*self.conditions(table, "", 1), "id < 200"])])
        return f"UPDATE {table.name} SET {changed} WHERE {where}"

    def make_delete(self, table: Table, _: dict) -> str:
        column = self.draws.choice(table.of_kind("range"))
        return f"DELETE FROM {table.name} WHERE {' AND '.join([*self.conditions(table, '', 1), self.between(column, column.name, 0.001)])} AND id > 10000000"

    def make_report(self, table: Table, found: dict[str, Table]) -> str:
        start = found.get("item", table)
        chain = self.chain(found, start, WIDE, again=True)
        conditions = self.conditions(start, "t0", 2)
        conditions += self.conditions(chain[-1][1], chain[-1][0], 1)
        if self.draws.random() < 0.5:
            # With commas, join_collapse_limit does not divide the problem: GEQO's from 12 relations on.
            conditions += [on for _, _, on in chain if on]
            joined = ", ".join(f"{member.name} {alias}" for alias, member, _ in chain)
        else:
            joined = self.joined(chain)
        return f"SELECT t0.kind, count(*), sum(t0.amount) FROM {joined} WHERE {' AND '.join(conditions)} GROUP BY t0.kind"


def shape(text: str) -> str:
    """A text without its constants: two of one shape would be one statement for pg_stat_statements."""
    text = re.sub(r"'[^']*'", "?", text)
    text = re.sub(r"(?<![\w.])\d+", "?", text)
    return re.sub(r"\?(, \?)+", "?", text)


def statements(tables: list[Table], count: int) -> list[Statement]:
    """`count` distinct statements, in the order in which they are to be run."""
    generator = Generator(tables)
    made: list[tuple[str, str]] = []
    known: set[str] = set()
    at = 0
    while len(made) < count:
        kind, text = generator.statement(at)
        at += 1
        if shape(text) not in known:
            known.add(shape(text))
            made.append((kind, text))
    ranks = list(range(count))
    random.Random(SEED + 1).shuffle(ranks)
    return [Statement(text, kind, max(round(MOST_CALLS / (rank + 1) ** ZIPF), 1)) for (kind, text), rank in zip(made, ranks)]
