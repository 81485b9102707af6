"""Both halves of a trial: the index built and dropped again, then the index promised, each with the plans of the trial's statements.

Each half has a session of its own. The statistics are the same for both: what building or analysing changes is changed before the
first plan and stays.
"""

import re
import time
from dataclasses import dataclass, field

from . import pairs, plans
from .pairs import Pair, Schema, Trial
from .plans import Plan

PROMISE_SECONDS = 60  # for one statement of the what-if half; nothing of it should take one

# Of an index and of its partitions: name, bytes, table, whether it has expressions.
PARTS = """
    WITH root AS (SELECT oid FROM pg_class WHERE relname = %s),
         part AS (SELECT oid FROM root UNION SELECT relid FROM root, pg_partition_tree(root.oid))
    SELECT i.relname, CASE i.relkind WHEN 'i' THEN pg_relation_size(i.oid) ELSE 0 END, x.indrelid::regclass, x.indexprs IS NOT NULL
    FROM part JOIN pg_class i USING (oid) JOIN pg_index x ON x.indexrelid = i.oid"""


@dataclass
class Half:
    """What one half says: sizes by definition in bytes, plans by name of the pair."""

    sizes: list[int | None] = field(default_factory=list)
    plans: dict[str, Plan] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # by name of the pair: the error
    seconds: float = 0.0  # to create all definitions

    def refuse(self, trial: Trial, error: str) -> "Half":
        self.sizes = [None] * len(trial.definitions)
        self.refused = {pair.name: error for pair in trial.pairs}
        return self


@dataclass(frozen=True)
class Result:
    trial: Trial
    real: Half
    promised: Half
    without: dict[str, Plan]  # by name of the pair: with neither


def measure(server, schema: Schema, dry: bool, wanted: re.Pattern) -> list[Result]:
    """Loads the schema into a database of its own and runs its trials; `dry` builds the promised half too."""
    database = f"accuracy_{schema.name}"
    with server.connect() as first:
        first.execute(f"CREATE DATABASE {database}")
    try:
        with server.connect(database) as connection:
            load(connection, schema)
            if not dry:
                connection.execute("CREATE EXTENSION pg_index_advisor")
        results = []
        with server.connect(database) as building:
            promising = Promising(server, database)
            for trial in schema.trials:
                if not any(wanted.search(pair.name) for pair in trial.pairs):
                    continue
                without = {pair.name: explain(building, pair, str) for pair in trial.pairs}
                real = build(building, trial)
                promised = build(building, trial) if dry else promising.promise(trial)
                results.append(Result(trial, real, promised, without))
            promising.close()
        return results
    finally:
        with server.connect() as last:
            last.execute(f"DROP DATABASE {database} WITH (FORCE)")


def load(connection, schema: Schema) -> None:
    if schema.name == "tpch":
        from tools import tpch

        tpch.load(connection, tpch.generate(0.1))
    connection.execute(schema.script)
    # Freezes too, sets the visibility map, and counts rows exactly: building an index then changes nothing of the table.
    connection.execute("VACUUM (ANALYZE, FREEZE)")
    if schema.unanalysed:
        connection.execute(f"DELETE FROM pg_statistic WHERE starelid IN ({', '.join(f'{table!r}::regclass' for table in schema.unanalysed)})")


def explain(connection, pair: Pair, name_of) -> Plan:
    with connection.transaction(force_rollback=True):
        for key, value in pairs.SETTINGS[pair.settings].items():
            connection.execute(f"SET LOCAL {key} = '{value}'")
        (explained,) = connection.execute("EXPLAIN (FORMAT JSON) " + pair.text).fetchone()
    return plans.read(explained, name_of)


def build(connection, trial: Trial) -> Half:
    """The built half; the indexes are gone afterwards, what ANALYZE found for a table stays."""
    half = Half()
    names: dict[str, str] = {}
    began = time.monotonic()
    made = []
    try:
        for number, definition in enumerate(trial.definitions, 1):
            connection.execute(re.sub(r"^CREATE( UNIQUE)? INDEX ON", rf'CREATE\1 INDEX "#{number}" ON', definition))
            (schema,) = connection.execute("SELECT relnamespace::regnamespace FROM pg_class WHERE relname = %s", (f"#{number}",)).fetchone()
            made.append(f'{schema}."#{number}"')
        half.seconds = time.monotonic() - began
        for number in range(1, len(made) + 1):
            parts = connection.execute(PARTS, (f"#{number}",)).fetchall()
            names.update({part[0]: f"#{number}" for part in parts})
            half.sizes.append(sum(part[1] for part in parts))
            for table in sorted({part[2] for part in parts if part[3]}):
                connection.execute(f"ANALYZE {table}")
        for pair in trial.pairs:
            half.plans[pair.name] = explain(connection, pair, lambda name: names.get(name, name))
    finally:
        if made:
            connection.execute("DROP INDEX " + ", ".join(made))
    return half


class Promising:
    """The session of the what-if half. A server that ends under it is an answer too: the session is opened again."""

    def __init__(self, server, database: str):
        self.server, self.database = server, database
        self.connection = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def promise(self, trial: Trial) -> Half:
        import psycopg

        half = Half()
        try:
            if self.connection is None or self.connection.closed:
                self.connection = self.server.connect(self.database)
                self.connection.execute(f"SET statement_timeout = '{PROMISE_SECONDS}s'")
            self._promise(trial, half)
        except psycopg.errors.DatabaseError as e:
            half.refuse(trial, _in_words(e))
            if self.connection is None or self.connection.broken:
                self._wait()
        return half

    def _promise(self, trial: Trial, half: Half) -> None:
        import psycopg

        names: dict[str, str] = {}
        began = time.monotonic()
        try:
            for number, definition in enumerate(trial.definitions, 1):
                (oid, _) = self.connection.execute(
                    "SELECT indexrelid, indexname FROM index_advisor.create_hypothetical_index(%s)", (definition,)
                ).fetchone()
                names[str(oid)] = f"#{number}"
            half.seconds = time.monotonic() - began
            for oid in names:
                (size,) = self.connection.execute(
                    "SELECT size_bytes FROM index_advisor.hypothetical_indexes WHERE indexrelid = %s::oid", (oid,)
                ).fetchone()  # fmt: skip
                half.sizes.append(size)
            for pair in trial.pairs:
                try:
                    half.plans[pair.name] = explain(self.connection, pair, lambda name: _mapped(name, names))
                except psycopg.errors.DatabaseError as e:
                    half.refused[pair.name] = _in_words(e)
                    if self.connection.broken:
                        raise
        finally:
            if not self.connection.broken:
                self.connection.execute("SELECT index_advisor.reset_hypothetical_indexes()")

    def _wait(self) -> None:
        """Until the server has recovered from a crash."""
        import psycopg

        self.connection = None
        for _ in range(100):
            try:
                self.server.connect(self.database).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.1)


def _mapped(name: str, names: dict[str, str]) -> str:
    """`<13000>btree_t_a` by its number; one of a partition, which has a number of its own, by being the only one."""
    found = re.match(r"<(\d+)>", name)
    if found is None:
        return name
    return names.get(found[1], "#1" if len(names) == 1 else name)


def _in_words(e) -> str:
    return f"{e.sqlstate or 'connection lost'} {str(e).strip().splitlines()[0]}"
