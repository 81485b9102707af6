"""A database of many tables: modules of ten tables each, as one application that has grown for years.

Ten shapes of table, joined by foreign keys, of 1,000 to 50,000 rows; some ten indexes each, of which many are redundant, partial, on
expressions or on several columns, and some columns that are searched have none. Everything follows from one seed.
"""

import random
from dataclasses import dataclass, field

SEED = 20_261_123
# Rows by shape, before a module's own factor.
SHAPES = {
    "account": 4_000, "address": 6_000, "category": 1_000, "product": 3_000, "orders": 12_000,
    "item": 20_000, "payment": 8_000, "ticket": 3_000, "event": 16_000, "audit": 10_000,
}  # fmt: skip
LEAST_ROWS, MOST_ROWS = 1_000, 50_000
# Which shapes a shape refers to, by column.
REFERENCES = {
    "address": {"account_id": "account"},
    "category": {"parent_id": "category"},
    "product": {"category_id": "category"},
    "orders": {"account_id": "account", "address_id": "address"},
    "item": {"orders_id": "orders", "product_id": "product"},
    "payment": {"orders_id": "orders", "account_id": "account"},
    "ticket": {"account_id": "account", "orders_id": "orders"},
    "event": {"account_id": "account", "product_id": "product"},
    "audit": {"orders_id": "orders", "ticket_id": "ticket"},
}
STATES = ("new", "open", "paid", "shipped", "done", "cancelled")


@dataclass(frozen=True)
class Column:
    """A column and how its values come about: `sql` is of the row's number g."""

    name: str
    type: str
    sql: str
    kind: str  # key, reference, equal, range, text, flag, wide: how statements search it
    distinct: int = 0


@dataclass
class Table:
    module: int
    shape: str
    rows: int
    columns: list[Column]
    indexes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"m{self.module:03}_{self.shape}"

    def of_kind(self, *kinds: str) -> list[Column]:
        return [column for column in self.columns if column.kind in kinds]

    def create(self) -> str:
        columns = ", ".join(f"{column.name} {column.type}" + (" NOT NULL" if column.kind == "key" else "") for column in self.columns)
        return f"CREATE TABLE {self.name} ({columns})"

    def fill(self) -> str:
        values = ", ".join(column.sql for column in self.columns)
        return f"INSERT INTO {self.name} SELECT {values} FROM generate_series(1, {self.rows}) AS g"


def _hash(salt: int, below: int) -> str:
    return f"(hashint8extended(g, {salt}) & 2147483647) % {below}"


def _columns(shape: str, rows: dict[str, int], salts: random.Random) -> list[Column]:
    def salt() -> int:
        return salts.randrange(1, 1_000_000)

    def integer(name: str, distinct: int) -> Column:
        return Column(name, "integer", f"({_hash(salt(), distinct)})::int", "equal", distinct)

    columns = [Column("id", "bigint", "g", "key", rows[shape])]
    for name, other in REFERENCES.get(shape, {}).items():
        # A few rows are referred to often: the lesser of two draws.
        draw = f"1 + least({_hash(salt(), rows[other])}, {_hash(salt(), rows[other])})"
        columns.append(Column(name, "bigint", draw, "reference", rows[other]))
    state = f"(ARRAY[{', '.join(repr(s) for s in STATES)}])[1 + least({_hash(salt(), len(STATES))}, {_hash(salt(), len(STATES))})]"
    columns += [
        Column("state", "text", state, "text", len(STATES)),
        Column("created_at", "timestamp", f"timestamp '2024-01-01' + g * interval '{60_000_000 // rows[shape]} seconds'", "range", rows[shape]),
        Column("changed_at", "timestamp", f"timestamp '2024-01-01' + ({_hash(salt(), 60_000_000)}) * interval '1 second'", "range", rows[shape]),
        Column("amount", "numeric(12,2)", f"({_hash(salt(), 1_000_000)})::numeric / 100", "range", rows[shape]),
        integer("region", 50),
        integer("kind", 12),
        integer("owner", max(rows[shape] // 40, 20)),
        Column("active", "boolean", f"{_hash(salt(), 10)} > 0", "flag", 2),
        Column("code", "text", f"'{shape[:2].upper()}' || lpad((({_hash(salt(), 1_000_000_000)}))::text, 9, '0')", "text", rows[shape]),
        Column("email", "text", f"'user' || ({_hash(salt(), max(rows[shape] // 2, 500))})::text || '@example.org'", "text", rows[shape] // 2),
        Column("note", "text", f"repeat(md5((g + {salt()})::text), {1 + salts.randrange(3)})", "wide", rows[shape]),
    ]
    if shape in ("product", "event"):
        document = f"jsonb_build_object('tag', {_hash(salt(), 200)}, 'lang', {_hash(salt(), 8)})"
        columns.append(Column("attributes", "jsonb", document, "wide", 1600))
    return columns


def _indexes(table: Table, count: int, draws: random.Random) -> list[str]:
    """`count` indexes, the primary key among them. The first are the usual ones; the rest what accumulates."""
    name = table.name
    made = [f"ALTER TABLE {name} ADD PRIMARY KEY (id)"]
    references = [column.name for column in table.of_kind("reference")]
    # One reference in four was forgotten.
    plain = [column for column in references if draws.random() < 0.75]
    plain += draws.sample(["created_at", "changed_at", "code", "owner"], 2)
    made += [f"CREATE INDEX ON {name} ({column})" for column in plain]
    searched = [column.name for column in table.columns if column.kind in ("equal", "range", "text", "reference")]
    accumulated = [
        lambda: f"CREATE INDEX ON {name} ({draws.choice(plain)})",  # the same again
        lambda: f"CREATE INDEX ON {name} ({', '.join([draws.choice(plain), *draws.sample(['state', 'kind', 'region'], 1)])})",
        lambda: f"CREATE INDEX ON {name} ({', '.join(draws.sample(searched, 2))})",
        lambda: f"CREATE INDEX ON {name} ({', '.join(draws.sample(searched, 3))})",
        lambda: f"CREATE INDEX ON {name} ({draws.choice(searched)}) WHERE {draws.choice(['active', 'NOT active'])}",
        lambda: f"CREATE INDEX ON {name} ({draws.choice(['created_at', 'changed_at'])}) WHERE state = '{draws.choice(STATES)}'",
        lambda: f"CREATE INDEX ON {name} (lower({draws.choice(['email', 'code'])}))",
        lambda: f"CREATE INDEX ON {name} ({draws.choice(searched)}) INCLUDE ({draws.choice(['amount', 'note'])})",
        lambda: f"CREATE INDEX ON {name} (state)",
        lambda: f"CREATE INDEX ON {name} (date_trunc('day', created_at))",
    ]
    while len(made) < count:
        made.append(draws.choice(accumulated)())
    return made[:count]


def tables(count: int, indexes: int) -> list[Table]:
    """`count` tables with `indexes` indexes in all."""
    made: list[Table] = []
    modules = -(-count // len(SHAPES))
    for module in range(modules):
        # A draw of its own for each module, so that fewer tables are a part of more.
        draws = random.Random(SEED * 1_000 + module)
        factor = 2.0 ** draws.uniform(-3, 0.8)
        rows = {shape: int(min(max(of * factor, LEAST_ROWS), MOST_ROWS)) for shape, of in SHAPES.items()}
        for shape in SHAPES:
            if len(made) < count:
                table = Table(module, shape, rows[shape], _columns(shape, rows, draws))
                at = len(made)
                table.indexes = _indexes(table, (at + 1) * indexes // count - at * indexes // count, draws)
                made.append(table)
    return made


def foreign_keys(table: Table, known: set[str]) -> list[str]:
    found = []
    for column, other in REFERENCES.get(table.shape, {}).items():
        target = f"m{table.module:03}_{other}"
        if target in known:
            found.append(f"ALTER TABLE {table.name} ADD FOREIGN KEY ({column}) REFERENCES {target} (id) NOT VALID")
    return found
